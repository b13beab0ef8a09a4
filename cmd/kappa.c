/* cmd/kappa.c - the verbs of kappa: run, deploy, diff, canary, promote, rollback, retire, status. */
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/worker_options.h"
#include "kappa/version.h"

enum { DIFFS_SHOWN = 20 };

static int follow(struct worker_options *options, struct worker_result *result, struct err *err)
{
    return kappa_run(options, false, result, err);
}

static int deploy(struct worker_options *options, struct worker_result *result, struct err *err)
{
    return kappa_run(options, true, result, err);
}

int cmd_kappa_run(const struct settings *settings, struct err *err)
{
    return cmd_worker(settings, "kappa run", settings_bool(settings, "until-end"), follow, err);
}

int cmd_kappa_deploy(const struct settings *settings, struct err *err)
{
    return cmd_worker(settings, "kappa deploy", !settings_bool(settings, "follow"), deploy, err);
}

struct shown {
    int count;
    bool json;
};

static void show(const struct answer_row *live, const struct answer_row *target,
                 enum kappa_cause cause, void *context)
{
    struct shown *shown = context;
    if (shown->json || shown->count++ >= DIFFS_SHOWN)
        return;
    struct buf text = {0};
    buf_add_text(&text, "live  ");
    if (live)
        answer_row_json(live, &text);
    buf_add_text(&text, live ? "\nnew   " : "(none)\nnew   ");
    if (target)
        answer_row_json(target, &text);
    buf_printf(&text, "%s\n      %s", target ? "" : "(none)", KAPPA_CAUSES[cause]);
    puts(text.ptr);
    buf_release(&text);
}

/* What the verb cannot do without, and the plan. */
static int plan_of(const struct settings *settings, const char *required, struct plan **plan,
                   struct err *err)
{
    int rc = settings_require(settings, required, err);
    return rc < 0 ? rc : cmd_plan(settings, plan, err);
}

static void print_diff(const struct kappa_diff *diff, bool json)
{
    char target[32] = "the plan given";
    if (diff->target)
        snprintf(target, sizeof target, "version %d", diff->target);
    if (json)
        printf("{\"live\":%d,\"target\":%d,\"rows\":%zu,\"differing\":%zu,"
               "\"not_final\":%zu,\"cause\":\"%s\",\"causes\":{",
               diff->live, diff->target, diff->rows, diff->differing, diff->not_final,
               KAPPA_CAUSES[diff->cause]);
    else
        printf("live version %d, compared with %s: %zu rows, %zu differ; %zu rows may still change "
               "and were not compared; cause of differences: %s",
               diff->live, target, diff->rows, diff->differing, diff->not_final,
               KAPPA_CAUSES[diff->cause]);
    const char *comma = json ? "" : " (";
    for (int cause = CAUSE_NONE + 1; cause < CAUSES; cause++)
        if (diff->causes[cause]) {
            printf(json ? "%s\"%s\":%zu" : "%s%s: %zu", comma, KAPPA_CAUSES[cause],
                   diff->causes[cause]);
            comma = json ? "," : ", ";
        }
    puts(json ? "}}" : diff->differing ? ")" : "");
}

int cmd_kappa_diff(const struct settings *settings, struct err *err)
{
    struct plan *plan = NULL;
    struct kappa_diff diff = {0};
    struct shown shown = {.json = settings_bool(settings, "json")};
    bool at = settings_has(settings, "at");
    int rc = plan_of(settings, at ? "plan,view,log,topic" : "plan,view", &plan, err);
    if (rc == 0 && at)
        rc = kappa_compare_at(plan, settings_text(settings, "view"), settings_text(settings, "log"),
                              settings_text(settings, "topic"), settings_text(settings, "at"), show,
                              &shown, &diff, err);
    else if (rc == 0)
        rc = kappa_compare(plan, settings_text(settings, "view"),
                           (int)settings_int(settings, "wait"), show, &shown, &diff, err);
    plan_free(plan);
    if (rc == 0)
        print_diff(&diff, shown.json);
    return rc;
}

int cmd_kappa_promote(const struct settings *settings, struct err *err)
{
    struct plan *plan = NULL;
    int number = 0;
    int rc = plan_of(settings, "plan,view", &plan, err);
    if (rc == 0)
        rc = kappa_promote(plan, settings_text(settings, "view"),
                           (int)settings_int(settings, "wait"),
                           settings_bool(settings, "accept-diff"), &number, err);
    if (rc == 0)
        printf(settings_bool(settings, "json") ? "{\"view\":\"%s\",\"live\":%d}\n"
                                               : "view %s: version %d is live\n",
               plan->view, number);
    plan_free(plan);
    return rc;
}

int cmd_kappa_canary(const struct settings *settings, struct err *err)
{
    struct plan *plan = NULL;
    int number = 0;
    int rc = plan_of(settings, "plan,view,share", &plan, err);
    int share = rc == 0 ? (int)settings_int(settings, "share") : 0;
    if (rc == 0)
        rc = kappa_canary(plan, settings_text(settings, "view"), share,
                          (int)settings_int(settings, "wait"), &number, err);
    if (rc == 0)
        printf(settings_bool(settings, "json")
                   ? "{\"view\":\"%s\",\"canary\":%d,\"share\":%d}\n"
                   : "view %s: version %d answers for %d %% of the keys\n",
               plan->view, number, share);
    plan_free(plan);
    return rc;
}

int cmd_kappa_rollback(const struct settings *settings, struct err *err)
{
    struct plan *plan = NULL;
    int number = 0;
    int rc = plan_of(settings, "plan,view", &plan, err);
    if (rc == 0)
        rc = kappa_rollback(plan->view, settings_text(settings, "view"),
                            (int)settings_int(settings, "wait"), &number, err);
    if (rc == 0)
        printf(settings_bool(settings, "json") ? "{\"view\":\"%s\",\"live\":%d}\n"
                                               : "view %s: version %d is live again\n",
               plan->view, number);
    plan_free(plan);
    return rc;
}

int cmd_kappa_retire(const struct settings *settings, struct err *err)
{
    struct plan *plan = NULL;
    int64_t unlinked = 0;
    int rc = plan_of(settings, "plan,view,version", &plan, err);
    if (rc == 0)
        unlinked = kappa_retire(plan->view, settings_text(settings, "view"),
                                (int)settings_int(settings, "version"), err);
    rc = unlinked < 0 ? (int)unlinked : rc;
    if (rc == 0)
        printf(settings_bool(settings, "json")
                   ? "{\"view\":\"%s\",\"retired\":%lld,\"unlinked\":%lld}\n"
                   : "view %s: version %lld is retired, %lld keys unlinked now\n",
               plan->view, (long long)settings_int(settings, "version"), (long long)unlinked);
    plan_free(plan);
    return rc;
}

int cmd_kappa_status(const struct settings *settings, struct err *err)
{
    struct plan *plan = NULL;
    int rc = plan_of(settings, "plan,view", &plan, err);
    if (rc == 0)
        rc = kappa_status(plan->view, settings_text(settings, "view"),
                          settings_bool(settings, "json"), stdout, err);
    plan_free(plan);
    return rc;
}
