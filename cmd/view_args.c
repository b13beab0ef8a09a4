/* cmd/view_args.c - see view_args.h. */
#include "cmd/view_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cmd/worker_options.h"

const char *arch_name(enum arch arch)
{
    return arch == ARCH_KAPPA ? "kappa" : "lambda";
}

static const struct registry_version *numbered(const struct registry *registry, int number)
{
    if (number < 1 || number > registry->count || !registry->versions[number - 1].plan)
        return NULL;
    return &registry->versions[number - 1];
}

int view_args_choose(struct view_args *args, int number, struct err *err)
{
    args->version = numbered(&args->registry, number);
    if (!args->version)
        return err_set(err, ERR_AWAY, "view %s was made anew under the read; ask again",
                       args->plan->view);
    plan_free(args->stored);
    args->stored = NULL;
    return plan_parse(bytes_of(args->version->plan), args->plan->directory, false, &args->stored,
                      NULL, err);
}

static int choose_version(struct view_args *args, int number, bool by_plan, struct err *err)
{
    const struct registry *registry = &args->registry;
    const struct registry_version *live = numbered(registry, registry->live);
    if (!live)
        return registry_no_view(registry, args->plan->view, args->arch, err);
    args->version = number ? numbered(registry, number) : live;
    if (!args->version)
        return err_set(
            err, ERR_USAGE,
            "view %s has no version %d; the live one is %d (all of kappa: lk kappa status)",
            args->plan->view, number, live->number);
    if (number || !by_plan || strcmp(live->hash, args->plan->hash) == 0)
        return 0;
    args->version = registry_find(registry, args->plan->hash);
    if (!args->version)
        return err_set(
            err, ERR_USAGE,
            "no version of view %s was made of this plan (the live one, %d, was made of "
            "another); %s",
            args->plan->view, live->number,
            args->arch == ARCH_KAPPA
                ? "name a version: --version N, or deploy the plan: lk kappa deploy"
                : "give that one, or this one a view name of its own and run: lk lambda speed, "
                  "lk lambda batch");
    fprintf(stderr,
            "lk: the live version of view %s is %d, made of another plan; this is about version "
            "%d, made of the plan given\n",
            args->plan->view, live->number, args->version->number);
    return 0;
}

int view_args_open(struct view_args *args, const struct settings *settings, bool by_plan,
                   struct err *err)
{
    *args = (struct view_args){0};
    int rc = settings_require(settings, "plan,view,from", err);
    if (rc == 0)
        rc = cmd_plan(settings, &args->plan, err);
    if (rc < 0)
        return rc;
    args->arch = strcmp(settings_text(settings, "from"), "kappa") == 0 ? ARCH_KAPPA : ARCH_LAMBDA;
    rc = kv_open(settings_text(settings, "view"), &args->kv, err);
    if (rc == 0)
        rc = registry_read(args->kv, args->plan->view, args->arch, &args->registry, err);
    if (rc == 0)
        rc = choose_version(args, (int)settings_int(settings, "version"), by_plan, err);
    if (rc == 0)
        rc = plan_parse(bytes_of(args->version->plan), args->plan->directory, false, &args->stored,
                        NULL, err);
    if (rc == 0)
        plan_say_speed(args->stored, &args->speed_layer);
    return rc;
}

void view_args_close(struct view_args *args)
{
    plan_free(args->stored);
    plan_free(args->plan);
    buf_release(&args->speed_layer);
    registry_release(&args->registry);
    if (args->kv)
        kv_close(args->kv);
    *args = (struct view_args){0};
}

void buf_add_utc(struct buf *buf, int64_t ms)
{
    int64_t rest = ms % 1000 < 0 ? ms % 1000 + 1000 : ms % 1000;
    time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0)); /* rounded down: ms may be the least */
    struct tm tm;
    char text[64];
    if (ms == INT64_MIN || !gmtime_r(&seconds, &tm)) {
        buf_add_char(buf, '-');
        return;
    }
    if (strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        text[0] = 0;
    buf_add_text(buf, text);
    if (rest)
        buf_printf(buf, ".%03d", (int)rest);
    buf_add_char(buf, 'Z');
}
