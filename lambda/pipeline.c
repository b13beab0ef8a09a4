/* lambda/pipeline.c - lambda as the bench sees it: archive, speed, and a batch again and again,
 * which is also how it heals. */
#include "common/run/pipeline.h"

static const struct pipeline_process PROCESSES[] = {
    {"archive", "lambda archive --log {log} --topic {topic} --archive {archive} --json",
     PROCESS_SERVICE},
    {"speed",
     "lambda speed --plan {plan} --log {log} --topic {topic} --view {view} --commit {commit} "
     "--span {span} --handover {handover} --json",
     PROCESS_SERVICE},
    {"batch",
     "lambda batch --plan {plan} --archive {archive} --topic {topic} --view {view} --every "
     "{batch_every} --handover {handover} --json",
     PROCESS_SERVICE},
    {NULL, NULL, 0},
};

static const struct pipeline_process HEALING[] = {
    {NULL, NULL, 0},
};

const struct pipeline pipeline_lambda = {
    .name = "lambda",
    .arch = ARCH_LAMBDA,
    .processes = PROCESSES,
    .healing = HEALING,
    .batches = true,
    .healing_story =
        "each batch folds the whole archive again, late events included, and is published "
        "over the spans of the speed layer",
};
