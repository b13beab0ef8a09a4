/* kappa/pipeline.c - kappa as the bench sees it: one engine; healed by a replay into a new version.
 */
#include "common/run/pipeline.h"

static const struct pipeline_process PROCESSES[] = {
    {"kappa",
     "kappa run --plan {plan} --log {log} --topic {topic} --view {view} --commit {commit} --json",
     true},
    {NULL, NULL, false},
};

static const struct pipeline_process HEALING[] = {
    {"deploy", "kappa deploy --plan {healed} --log {log} --topic {topic} --view {view} --json",
     false},
    {"diff", "kappa diff --plan {healed} --view {view} --json", false},
    {"promote", "kappa promote --plan {healed} --view {view} --json", false},
    {NULL, NULL, false},
};

const struct pipeline pipeline_kappa = {
    .name = "kappa",
    .arch = ARCH_KAPPA,
    .processes = PROCESSES,
    .healing = HEALING,
    .healing_story =
        "the log replayed into a new version with a longer lateness, compared, promoted",
};
