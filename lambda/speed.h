/* lambda/speed.h - the speed layer: the task loop over the live topic, cells per span, cuts
 * recorded.
 *
 * Everything it does is common/run/job.h with ARCH_LAMBDA; this registers the view and runs it. */
#ifndef LK_LAMBDA_SPEED_H
#define LK_LAMBDA_SPEED_H

#include "common/run/job.h"

/* options->job.arch, version and handover are set here. ERR_USAGE where the view was made by another plan,
 * or is handed over otherwise than options->handover asks. */
int lambda_speed_run(struct worker_options *options, struct worker_result *result, struct err *err);
/* The view's version for plan, made if there is no view yet (batch and speed alike); *handover in: the mode
 * that is asked for, or HANDOVER_AS_IT_IS; out: the view's. */
int lambda_version_of(struct kv *kv, const struct plan *plan, int partitions, int *handover,
                      struct err *err);

#endif
