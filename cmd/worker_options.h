/* cmd/worker_options.h - what `kappa run`, `kappa deploy` and `lambda speed` have in common:
 * from settings to worker_options, the run, and a summary of what the worker did. */
#ifndef LK_CMD_WORKER_OPTIONS_H
#define LK_CMD_WORKER_OPTIONS_H

#include "common/base/settings.h"
#include "common/run/job.h"

/* The plan of a file, or the one that --plan names; its mistakes go to stderr. Owned: plan_free. */
int cmd_plan_at(const char *path, struct plan **out, struct err *err);
int cmd_plan(const struct settings *settings, struct plan **out, struct err *err);
/* --handover: an enum handover, or HANDOVER_AS_IT_IS where it is not given. */
int cmd_handover(const struct settings *settings);
/* A whole worker verb: its flags, its plan, `run` (which may change the options: arch, version), and a
 * summary under the name `who`: one line on stderr, or one JSON object on stdout with --json. */
int cmd_worker(const struct settings *settings, const char *who, bool until_end,
               int (*run)(struct worker_options *options, struct worker_result *result,
                          struct err *err),
               struct err *err);

#endif
