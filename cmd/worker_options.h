/* cmd/worker_options.h - what `kappa run`, `kappa deploy` and `lambda speed` have in common: from
 * settings to worker_options, and a summary of what a worker did. */
#ifndef LK_CMD_WORKER_OPTIONS_H
#define LK_CMD_WORKER_OPTIONS_H

#include "common/base/settings.h"
#include "common/run/job.h"

/* The plan that --plan names; its mistakes go to stderr. Owned: plan_free. */
int cmd_plan(const struct settings *settings, struct plan **out, struct err *err);
/* Everything but the plan and the arch; partitions point into `partitions` (LOG_PARTITIONS_MAX of
 * them). */
int cmd_worker_options(const struct settings *settings, int *partitions, struct worker_options *out,
                       struct err *err);
/* One line on stderr, or one JSON object on stdout with --json. */
void cmd_worker_summary(const struct settings *settings, const char *who,
                        const struct worker_result *result);

#endif
