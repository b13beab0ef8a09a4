/* cmd/gen.c - lk gen ads|flights|replay: append a seeded or recorded stream to a topic, on
 * schedule. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/topic.h"
#include "workloads/publish.h"

#define ADS_EVENT_RATE 10000.0 /* events a second of event time where --event-rate does not say */

static struct workload_options workload_options(const struct settings *s)
{
    return (struct workload_options){
        .seed = (uint64_t)settings_int(s, "seed"),
        .events = settings_int(s, "events"),
        .event_rate = settings_number(s, "event-rate"),
        .file = settings_text(s, "file"),
        .time_field = settings_text(s, "time-field"),
        .time_format = settings_text(s, "time-format"),
        .key_field = settings_text(s, "key-field"),
        .tables_dir = settings_text(s, "tables"),
        .skew = settings_bool(s, "skew"),
    };
}

static struct disorder_options disorder_options(const struct settings *s)
{
    return (struct disorder_options){
        .seed = (uint64_t)settings_int(s, "seed"),
        .delay_mean_ms = settings_number(s, "delay-mean"),
        .late_share = settings_number(s, "late-share"),
        .late_max_ms = settings_int(s, "late-max"),
        .duplicate_share = settings_number(s, "duplicate-share"),
        .duplicate_max_ms = settings_int(s, "duplicate-max"),
        .malformed_share = settings_number(s, "malformed-share"),
        .burst_every_ms = settings_int(s, "burst-every"),
        .burst_ms = settings_int(s, "burst"),
    };
}

/* A number above 0, or "max" as PUBLISH_MAX. */
static int parse_speed(const struct settings *s, const char *name, double *out, struct err *err)
{
    const char *text = settings_text(s, name);
    char *end;
    *out = PUBLISH_MAX;
    if (strcmp(text, "max") == 0)
        return 0;
    *out = strtod(text, &end);
    if (end == text || *end != 0 || !isfinite(*out) || *out <= 0)
        return err_set(err, ERR_USAGE, "--%s: found \"%s\", expected a number above 0, or max",
                       name, text);
    return 0;
}

/* The speed factor that the flags ask for: ads say events a second, recordings a factor. */
static int find_speed(const struct settings *s, const struct workload *workload, double *speed,
                      struct err *err)
{
    if (workload != &workload_ads)
        return parse_speed(s, "speed", speed, err);
    double event_rate = settings_number(s, "event-rate");
    int rc = parse_speed(s, "rate", speed, err);
    *speed /= event_rate > 0 ? event_rate : ADS_EVENT_RATE;
    return rc;
}

static double per_second(const struct publish_result *result)
{
    return result->seconds > 0 ? (double)result->events / result->seconds : 0;
}

static void show_progress(const struct publish_result *so_far)
{
    fprintf(stderr, "%s%lld events, %.0f a second%s", isatty(STDERR_FILENO) ? "\r\033[K" : "",
            (long long)so_far->events, per_second(so_far), isatty(STDERR_FILENO) ? "" : "\n");
}

static void show_result(const struct publish_result *result, const char *topic, bool json)
{
    double p99_ms = (double)hist_percentile(&result->late_us, 99) / 1e3;
    double p999_ms = (double)hist_percentile(&result->late_us, 99.9) / 1e3;
    if (json)
        printf("{\"events\":%lld,\"resumed\":%lld,\"seconds\":%.3f,\"events_per_second\":%.0f,"
               "\"generator_late_ms_p99\":%.3f,\"generator_late_ms_p999\":%.3f}\n",
               (long long)result->events, (long long)result->resumed, result->seconds,
               per_second(result), p99_ms, p999_ms);
    fprintf(stderr, "%stopic %s: %lld events in %.2f s, %.0f a second",
            isatty(STDERR_FILENO) ? "\r\033[K" : "", topic, (long long)result->events,
            result->seconds, per_second(result));
    if (result->resumed > 0)
        fprintf(stderr, "; behind %lld that were there", (long long)result->resumed);
    if (result->late_us.total > 0)
        fprintf(stderr, "; sent late by p99 %.1f ms, p99.9 %.1f ms", p99_ms, p999_ms);
    fputc('\n', stderr);
}

int cmd_gen(const struct settings *settings, struct err *err)
{
    const char *const *words;
    int count = settings_words(settings, &words);
    const struct workload *workload = count > 0 ? workload_find(words[0]) : NULL;
    if (!workload || count > 1)
        return err_set(err, ERR_USAGE, "lk gen: found \"%s\", expected ads, flights or replay",
                       count > 0 ? words[count - 1] : "");
    struct workload_options options = workload_options(settings);
    struct disorder_options disorder = disorder_options(settings);
    struct publish_options publish = {
        .start_ns = settings_int(settings, "start-ns"),
        .resume = settings_bool(settings, "resume"),
        .progress = show_progress,
    };
    struct log *log = NULL;
    int rc = settings_require(settings, "log,topic", err);
    if (rc == 0)
        rc = find_speed(settings, workload, &publish.speed, err);
    if (rc == 0)
        rc = topic_shape(settings, &publish.shape, err);
    if (rc == 0)
        rc = log_open(settings_text(settings, "log"), true, &log, err);
    if (rc < 0)
        return rc;
    struct publish_result result;
    const char *topic = settings_text(settings, "topic");
    rc = publish_stream(workload, &options, &disorder, log, topic, &publish, &result, err);
    if (rc == 0)
        show_result(&result, topic, settings_bool(settings, "json"));
    hist_release(&result.late_us);
    log_close(log);
    return rc;
}
