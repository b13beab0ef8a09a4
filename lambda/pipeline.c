/* lambda/pipeline.c - lambda as the bench sees it: archive, speed, and a batch again and again; it
 * heals at each batch. */
#include "common/run/pipeline.h"

static const struct pipeline_process PROCESSES[] = {
    {"archive", "lambda archive --log {log} --topic {topic} --archive {archive} --json", false},
    {"speed",
     "lambda speed --plan {plan} --log {log} --topic {topic} --view {view} --commit {commit} "
     "--span "
     "{span} --json",
     true},
    {"batch",
     "lambda batch --plan {plan} --archive {archive} --view {view} --every {batch_every} --json",
     false},
    {NULL, NULL, false},
};

static const struct pipeline_process HEALING[] = {
    {"last archive",
     "lambda archive --log {log} --topic {topic} --archive {archive} --until-end --json", false},
    {"last batch", "lambda batch --plan {plan} --archive {archive} --view {view} --json", false},
    {NULL, NULL, false},
};

const struct pipeline pipeline_lambda = {
    .name = "lambda",
    .arch = ARCH_LAMBDA,
    .processes = PROCESSES,
    .healing = HEALING,
    .healing_story = "one more batch over the whole archive, the same that ran all along",
};
