/* lambda/speed.c - see speed.h. */
#include "lambda/speed.h"

#include "common/op/lookup.h"

static int check_mode(const struct plan *plan, int handover, struct err *err)
{
    if (handover != HANDOVER_EVENT_TIME || plan->window != WINDOW_NONE)
        return 0;
    return err_set(
        err, ERR_USAGE,
        "view %s has one window for all time, so no bound parts the batch's windows from "
        "the speed layer's: --handover event-time wants a window; try: --handover offset",
        plan->view);
}

int lambda_version_of(struct kv *kv, const struct plan *plan, int partitions, int *handover,
                      struct err *err)
{
    struct registry registry;
    int rc = registry_read(kv, plan->view, ARCH_LAMBDA, &registry, err);
    if (rc < 0)
        return rc;
    const struct registry_version *there = registry_find(&registry, plan->hash);
    if (registry_is_retired(&registry))
        rc =
            err_set(err, ERR_USAGE,
                    "view %s of lambda was retired, for good; give the plan a view name of its own",
                    plan->view);
    else if (registry.live && !there)
        rc = err_set(
            err, ERR_USAGE,
            "view %s of lambda was made by another plan; give the changed one a view name of "
            "its own",
            plan->view);
    if (*handover == HANDOVER_AS_IT_IS)
        *handover = there ? (int)there->handover : HANDOVER_OFFSET;
    if (rc == 0)
        rc = check_mode(plan, *handover, err);
    if (rc == 0 && !registry.live)
        rc = lookup_check(plan, err); /* a view whose table cannot be read would be in the way */
    registry_release(&registry);
    return rc < 0 ? rc : registry_add_lambda(kv, plan, (enum handover) * handover, partitions, err);
}

static int version_for(const struct worker_options *options, int *handover, struct err *err)
{
    struct log *log;
    int rc = log_open(options->log_uri, false, &log, err);
    if (rc < 0)
        return rc;
    int partitions = log_partitions(log, options->topic, err);
    log_close(log);
    struct kv *kv;
    rc = partitions < 0 ? partitions : kv_open(options->job.view_uri, &kv, err);
    if (rc < 0)
        return rc;
    rc = lambda_version_of(kv, options->plan, partitions, handover, err);
    kv_close(kv);
    return rc;
}

int lambda_speed_run(struct worker_options *options, struct worker_result *result, struct err *err)
{
    int handover = options->handover;
    int version = version_for(options, &handover, err);
    if (version < 0)
        return version;
    options->job.arch = ARCH_LAMBDA;
    options->job.version = version;
    options->job.handover = (enum handover)handover;
    return worker_run(options, result, err);
}
