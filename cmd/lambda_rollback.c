/* cmd/lambda_rollback.c - `lk lambda rollback`: the generation before the last one serves again. */
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/worker_options.h"
#include "lambda/batch.h"
#include "lambda/rollback.h"

static const char *const STATES[] = {[ROLLBACK_APART] = "apart",
                                     [ROLLBACK_DONE] = "rolled back",
                                     [ROLLBACK_BEFORE] = "rolled back before"};

static void print_json(const struct plan *plan, const struct rollback_result *result)
{
    printf("{\"view\":\"%s\",\"withdrawn\":%lld,\"partitions\":[", plan->view,
           (long long)result->withdrawn);
    for (int q = 0; q < result->partitions; q++)
        printf("%s{\"partition\":%d,\"state\":\"%s\",\"number\":%lld,\"boundary\":%lld}",
               q ? "," : "", q, STATES[result->parts[q].state], (long long)result->parts[q].number,
               (long long)result->parts[q].boundary);
    puts("]}");
}

static void print_text(const struct plan *plan, const struct rollback_result *result)
{
    printf("view %s: generation %lld is rolled back; the next batch publishes a new one\n",
           plan->view, (long long)result->withdrawn);
    for (int q = 0; q < result->partitions; q++) {
        const struct rollback_part *part = &result->parts[q];
        printf("  partition %d: %s; ", q, STATES[part->state]);
        if (part->number)
            printf("generation %lld serves [0, %lld), the speed layer what follows\n",
                   (long long)part->number, (long long)part->boundary);
        else
            puts("no generation is left, the speed layer serves alone");
    }
}

/* Where the view's generations stand. */
static int find_folder(const struct settings *settings, const struct plan *plan,
                       struct folder **out, struct err *err)
{
    char topic[LOG_TOPIC_MAX + 1];
    const struct batch_options options = {.archive = settings_text(settings, "archive"),
                                          .topic = settings_text(settings, "topic")};
    int rc = batch_topic(&options, topic, err);
    rc = rc ? rc : folder_look(options.archive, topic, plan->view, out, err);
    if (rc == ERR_ENV)
        err_context(err, "a rollback is noted beside the generations, lest a reload brings back "
                         "what it withdrew; where they are lost make that folder and give --topic, "
                         "too");
    return rc;
}

int cmd_lambda_rollback(const struct settings *settings, struct err *err)
{
    struct plan *plan = NULL;
    struct kv *kv = NULL;
    struct folder *folder = NULL;
    struct rollback_result result = {0};
    int rc = settings_require(settings, "plan,archive,view", err);
    rc = rc ? rc : cmd_plan(settings, &plan, err);
    rc = rc ? rc : kv_open(settings_text(settings, "view"), &kv, err);
    rc = rc ? rc : find_folder(settings, plan, &folder, err);
    rc = rc ? rc : rollback_run(kv, plan, folder, &result, err);
    if (rc == 0 && !result.noted)
        fprintf(stderr,
                "lk: the files of generation %lld are not there any more, so nothing is "
                "noted of it\n",
                (long long)result.withdrawn);
    if (rc == 0 && settings_bool(settings, "json"))
        print_json(plan, &result);
    else if (rc == 0)
        print_text(plan, &result);
    rollback_release(&result);
    folder_close(folder);
    kv_close(kv);
    plan_free(plan);
    return rc;
}
