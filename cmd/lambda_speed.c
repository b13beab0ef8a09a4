/* cmd/lambda_speed.c - `lk lambda speed`. */
#include "cmd/cmd.h"
#include "cmd/worker_options.h"
#include "lambda/speed.h"

int cmd_lambda_speed(const struct settings *settings, struct err *err)
{
    static int partitions[LOG_PARTITIONS_MAX];
    struct worker_options options;
    struct worker_result result = {0};
    struct plan *plan = NULL;
    int rc = settings_require(settings, "plan,log,topic,view", err);
    if (rc == 0)
        rc = cmd_worker_options(settings, partitions, &options, err);
    if (rc == 0)
        rc = cmd_plan(settings, &plan, err);
    if (rc == 0) {
        options.plan = plan;
        options.until_end = settings_bool(settings, "until-end");
        options.job.span_ms = (int)settings_int(settings, "span");
        rc = lambda_speed_run(&options, &result, err);
        if (rc == 0 || rc == ERR_INTERRUPTED)
            cmd_worker_summary(settings, "lambda speed", &result);
    }
    plan_free(plan);
    return rc;
}
