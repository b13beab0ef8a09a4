/* kappa/pipeline.c - kappa as the bench sees it: one engine; healed by a replay into a new version. */
#include "common/run/pipeline.h"

static const struct pipeline_process PROCESSES[] = {
    {"run",
     "kappa run --plan {plan} --log {log} --topic {topic} --view {view} --commit {commit} --json",
     PROCESS_SERVICE},
    {NULL, NULL, 0},
};

static const struct pipeline_process HEALING[] = {
    {"deploy",
     "kappa deploy --plan {healed} --log {log} --topic {topic} --view {view} --commit {commit} "
     "--follow --json",
     PROCESS_SERVICE},
    {"diff", "kappa diff --plan {healed} --view {view} --wait 30s --json", PROCESS_STEP},
    {"promote", "kappa promote --plan {healed} --view {view} --accept-diff --json", PROCESS_STEP},
    {NULL, NULL, 0},
};

const struct pipeline pipeline_kappa = {
    .name = "kappa",
    .arch = ARCH_KAPPA,
    .processes = PROCESSES,
    .healing = HEALING,
    .healing_story =
        "the log is replayed into a new version with a longer lateness beside the live "
        "one, compared with it, and promoted",
};
