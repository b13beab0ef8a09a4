/* lambda/speed.c - see speed.h. */
#include "lambda/speed.h"

#include "common/op/lookup.h"

int lambda_version_of(struct kv *kv, const struct plan *plan, int partitions, struct err *err)
{
    struct registry registry;
    int rc = registry_read(kv, plan->view, ARCH_LAMBDA, &registry, err);
    if (rc < 0)
        return rc;
    if (registry.live && !registry_find(&registry, plan->hash))
        rc = err_set(
            err, ERR_USAGE,
            "view %s of lambda was made by another plan; give the changed one a view name of "
            "its own",
            plan->view);
    if (rc == 0 && !registry.live)
        rc = lookup_check(plan, err); /* a view whose table cannot be read would be in the way */
    registry_release(&registry);
    return rc < 0 ? rc : registry_add(kv, plan, ARCH_LAMBDA, partitions, err);
}

static int version_for(const struct worker_options *options, struct err *err)
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
    rc = lambda_version_of(kv, options->plan, partitions, err);
    kv_close(kv);
    return rc;
}

int lambda_speed_run(struct worker_options *options, struct worker_result *result, struct err *err)
{
    int version = version_for(options, err);
    if (version < 0)
        return version;
    options->job.arch = ARCH_LAMBDA;
    options->job.version = version;
    return worker_run(options, result, err);
}
