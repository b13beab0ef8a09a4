/* cmd/worker_options.c - see worker_options.h. */
#include "cmd/worker_options.h"

#include <stdlib.h>

#include "common/base/clock.h"

int cmd_plan_at(const char *path, struct plan **out, struct err *err)
{
    struct buf mistakes = {0};
    int rc = plan_load(path, out, &mistakes, err);
    if (mistakes.len)
        fputs(mistakes.ptr, stderr);
    buf_release(&mistakes);
    return rc;
}

int cmd_handover(const struct settings *settings)
{
    return settings_has(settings, "handover") ? handover_of(settings_text(settings, "handover"))
                                              : HANDOVER_AS_IT_IS;
}

int cmd_plan(const struct settings *settings, struct plan **out, struct err *err)
{
    return cmd_plan_at(settings_text(settings, "plan"), out, err);
}

/* "0,1,5" */
static int parse_partitions(const char *text, int *out, struct err *err)
{
    int count = 0;
    for (const char *at = text; *at;) {
        char *end;
        long number = strtol(at, &end, 10);
        if (end == at || number < 0 || count == LOG_PARTITIONS_MAX || (*end && *end != ','))
            return err_set(err, ERR_USAGE, "--partitions: found \"%s\", expected such as 0,1",
                           text);
        out[count++] = (int)number;
        at = *end ? end + 1 : end;
    }
    return count ? count : err_set(err, ERR_USAGE, "--partitions: names none");
}

static int worker_options(const struct settings *settings, int *partitions,
                          struct worker_options *out, struct err *err)
{
    *out = (struct worker_options){
        .log_uri = settings_text(settings, "log"),
        .topic = settings_text(settings, "topic"),
        .workers = (int)settings_int(settings, "workers"),
        .from = settings_text(settings, "from"), /* lambda: from the beginning */
        .rate = settings_number(settings, "rate"),
        .handover = cmd_handover(settings),
        .job = {.view_uri = settings_text(settings, "view"),
                .commit_ms = (int)settings_int(settings, "commit"),
                .span_ms = (int)settings_int(settings, "span"), /* kappa makes no cuts */
                .memory_bytes = settings_int(settings, "memory"),
                .patience_ms = (int)settings_int(settings, "patience")},
    };
    if (settings_has(settings, "group"))
        out->group = (struct log_group){.name = settings_text(settings, "group"),
                                        .shared = true,
                                        .instance = settings_text(settings, "instance"),
                                        .session_ms = (int)settings_int(settings, "session")};
    else if (settings_has(settings, "instance"))
        return err_set(err, ERR_USAGE, "--instance names a member of a group: give --group, too");
    if (!settings_has(settings, "partitions"))
        return 0;
    int count = parse_partitions(settings_text(settings, "partitions"), partitions, err);
    out->partitions = partitions;
    out->count = count;
    return count < 0 ? count : 0;
}

static void summary(const struct settings *settings, const char *who,
                    const struct worker_result *result)
{
    double seconds = (double)result->wall_ns / 1e9;
    double cpu = (double)clock_cpu_ns() / 1e9;
    double rate = seconds > 0 ? (double)result->events / seconds : 0;
    const struct job_stats *s = &result->stats;
    if (settings_bool(settings, "json")) {
        printf("{\"who\":\"%s\",\"events\":%lld,\"seconds\":%.3f,\"cpu_seconds\":%.3f,"
               "\"events_per_second\":%.0f,\"value_bytes\":%lld,\"commits\":%lld,\"cells\":%lld,"
               "\"aborted\":%lld,\"reconnects\":%lld,\"sent_bytes\":%lld,\"received_bytes\":%lld,"
               "\"bad\":%lld,\"hand_overs\":%lld,\"hand_over_ms_max\":%.1f}\n",
               who, (long long)result->events, seconds, cpu, rate, (long long)result->bytes,
               (long long)s->commits, (long long)s->cells, (long long)s->aborted,
               (long long)s->reconnects, (long long)s->sent_bytes, (long long)s->received_bytes,
               (long long)s->bad, (long long)s->hand_overs, (double)s->hand_over_us_max / 1000);
        fflush(stdout);
        return;
    }
    fprintf(
        stderr,
        "%s: %lld events in %.2f s (%.0f/s, %.2f CPU-s), %lld commits of %lld cells, %lld aborted, "
        "%lld reconnects\n",
        who, (long long)result->events, seconds, rate, cpu, (long long)s->commits,
        (long long)s->cells, (long long)s->aborted, (long long)s->reconnects);
    if (s->bad > 0)
        fprintf(stderr, "%s: %lld of them are bad and in no row; why: lk dlq list\n", who,
                (long long)s->bad);
}

int cmd_worker(const struct settings *settings, const char *who, bool until_end,
               int (*run)(struct worker_options *options, struct worker_result *result,
                          struct err *err),
               struct err *err)
{
    static int partitions[LOG_PARTITIONS_MAX];
    struct worker_options options;
    struct worker_result result = {0};
    struct plan *plan = NULL;
    int rc = settings_require(settings, "plan,log,topic,view", err);
    if (rc == 0)
        rc = worker_options(settings, partitions, &options, err);
    if (rc == 0)
        rc = cmd_plan(settings, &plan, err);
    if (rc == 0) {
        options.plan = plan;
        options.until_end = until_end;
        rc = run(&options, &result, err);
        if (rc == 0 || rc == ERR_INTERRUPTED)
            summary(settings, who, &result);
    }
    plan_free(plan);
    return rc;
}
