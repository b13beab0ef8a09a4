/* cmd/lambda_retire.c - `lk lambda retire`: a view's keys go back to Redis, for good. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/worker_options.h"
#include "common/store/retire.h"

int cmd_lambda_retire(const struct settings *settings, struct err *err)
{
    struct plan *plan = NULL;
    int rc = settings_require(settings, "plan,view", err);
    rc = rc ? rc : cmd_plan(settings, &plan, err);
    if (rc)
        return rc;
    int64_t unlinked =
        view_retire(plan->view, settings_text(settings, "view"), ARCH_LAMBDA, 0, err);
    if (unlinked >= 0)
        printf(settings_bool(settings, "json")
                   ? "{\"view\":\"%s\",\"unlinked\":%lld}\n"
                   : "view %s of lambda is retired, %lld keys unlinked now\n",
               plan->view, (long long)unlinked);
    if (unlinked >= 0)
        fprintf(stderr,
                "its generations' files stay beside the archive; to delete them: rm -r "
                "ARCHIVE/TOPIC/generations/%s\n",
                plan->view);
    plan_free(plan);
    return unlinked < 0 ? (int)unlinked : 0;
}
