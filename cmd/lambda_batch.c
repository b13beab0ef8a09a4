/* cmd/lambda_batch.c - `lk lambda batch`: one batch, or one again and again (--every).
 *
 * A scheduled batch goes on after what may pass by itself: an archive that is not there yet, a
 * Redis that is away or full. A mistake of the user's or wrong data ends it. */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/worker_options.h"
#include "common/base/clock.h"
#include "common/base/stop.h"
#include "lambda/batch.h"

enum { NAP_MS = 50 };

static const char *const STATES[] = {
    [PUBLISH_PENDING] = "pending", [PUBLISH_DONE] = "published", [PUBLISH_REFUSED] = "refused"};

static void print_json(const struct batch_result *r)
{
    struct buf out = {0};
    buf_printf(&out,
               "{\"who\":\"lambda batch\",\"generation\":\"%s\",\"kind\":\"%s\",\"base\":\"%s\","
               "\"events\":%lld,\"seconds\":%.3f,"
               "\"fold_seconds\":%.3f,\"cpu_seconds\":%.3f,\"bytes_read\":%lld,\"rows\":%lld,"
               "\"rows_copied\":%lld,\"stale_buckets\":%lld,\"columnar_segments\":%lld,"
               "\"file_bytes\":%lld,\"cells_max\":%zu,\"runs\":%d,\"passes\":%d,\"workers\":%d,"
               "\"done_ms\":%lld,\"partitions\":[",
               r->generation, batch_kind_name(r->kind), r->base, (long long)r->events,
               (double)r->wall_ns / 1e9, (double)r->fold_ns / 1e9, (double)r->cpu_ns / 1e9,
               (long long)r->bytes, (long long)r->rows, (long long)r->rows_copied,
               (long long)r->stale_buckets, (long long)r->segments_columnar,
               (long long)r->file_bytes, r->cells_max, r->runs, r->passes, r->workers,
               (long long)clock_wall_ms());
    for (int q = 0; q < r->partitions; q++) {
        const struct batch_part *part = &r->parts[q];
        buf_printf(&out, "%s{\"partition\":%d,\"boundary\":%lld,\"state\":\"%s\",\"counters\":[",
                   q ? "," : "", q, (long long)part->boundary, STATES[part->publish.state]);
        counters_encode(&part->counters, &out);
        buf_add_text(&out, "],\"why\":");
        buf_add_json_string(&out, bytes_of(part->publish.why));
        buf_add_char(&out, '}');
    }
    printf("%s]}\n", out.ptr);
    fflush(stdout);
    buf_release(&out);
}

static void print_fold(const struct batch_result *r)
{
    double seconds = (double)r->wall_ns / 1e9, fold = (double)r->fold_ns / 1e9;
    printf("  %lld events in %.2f s (fold %.2f s on %d threads, %.0f events/s; %.2f CPU-s), %lld "
           "bytes read\n",
           (long long)r->events, seconds, fold, r->workers, fold > 0 ? (double)r->events / fold : 0,
           (double)r->cpu_ns / 1e9, (long long)r->bytes);
    printf(
        "  %lld rows, %lld bytes of files; at most %zu cells of a partition in memory, %d spilled "
        "runs, %d pass%s\n",
        (long long)r->rows, (long long)r->file_bytes, r->cells_max, r->runs, r->passes,
        r->passes == 1 ? "" : "es");
}

static void print_text(const struct batch_result *r)
{
    printf("generation %s of topic %s%s\n", r->generation, r->topic,
           r->workers ? "" : ", loaded again from its files");
    if (*r->base)
        printf("  %s, upon generation %s: %lld of its rows are copied as they are\n",
               batch_kind_name(r->kind), r->base, (long long)r->rows_copied);
    if (r->stale_buckets < 0)
        printf("  more stale buckets than can be listed: every one is computed again\n");
    else if (r->kind == BATCH_BY_TIME)
        printf("  %lld stale buckets, over all partitions\n", (long long)r->stale_buckets);
    if (r->workers)
        print_fold(r);
    int64_t bad = 0;
    for (int q = 0; q < r->partitions; q++)
        bad += r->parts[q].counters.bad;
    if (bad > 0)
        printf("  %lld events are bad and in no row; why: lk dlq list --from lambda\n",
               (long long)bad);
    for (int q = 0; q < r->partitions; q++) {
        const struct publish_part *publish = &r->parts[q].publish;
        printf("  partition %d: [0, %lld) %s%s%s\n", q, (long long)r->parts[q].boundary,
               STATES[publish->state], *publish->why ? ": " : "", publish->why);
    }
    fflush(stdout);
}

static void print_idle(const struct batch_result *r, bool json)
{
    if (json)
        printf("{\"who\":\"lambda batch\",\"generation\":\"\",\"nothing_new\":true,"
               "\"published\":%lld}\n",
               (long long)r->published);
    else if (r->published)
        printf("nothing new: generation %lld serves, and ends where this one would; nothing was "
               "computed or written\n",
               (long long)r->published);
    else
        puts(
            "nothing new: the archive has no events of this view yet, or has reached no cut of "
            "the speed layer; nothing was computed or written. More comes with: lk lambda archive");
}

/* options->handover becomes the view's: the next batch may have to make the view again (FLUSHALL). */
static int run_once(const struct settings *settings, struct batch_options *options, struct err *err)
{
    struct kv *kv = NULL;
    struct batch_result result = {0};
    int rc = kv_open(settings_text(settings, "view"), &kv, err);
    if (rc == 0)
        rc = batch_run(kv, options, &result, err);
    if (rc == 0)
        options->handover = result.handover;
    if (rc == 0 && *result.generation) {
        if (settings_bool(settings, "json"))
            print_json(&result);
        else
            print_text(&result);
    }
    if (rc == 0 && result.idle && !options->only_new)
        print_idle(&result, settings_bool(settings, "json"));
    batch_release(&result);
    kv_close(kv);
    return rc;
}

static bool may_pass(int code)
{
    return code == ERR_ENV || code == ERR_AWAY || code == ERR_FULL;
}

/* Say a failure, once for each that differs from the last. */
static void say(const struct err *now, struct err *last)
{
    if (strcmp(now->text, last->text))
        fprintf(stderr, "lk: this batch failed, the next one tries again: %s\n", now->text);
    *last = *now;
}

static int run_every(const struct settings *settings, struct batch_options *options,
                     int64_t every_ms, struct err *err)
{
    struct err last = {0};
    for (int64_t due_ns = clock_mono_ns(); !stop_asked(); due_ns += every_ms * 1000000) {
        int64_t now_ns = clock_mono_ns();
        if (due_ns < now_ns)
            due_ns = now_ns; /* a batch that took longer than the period: no rush afterwards */
        while (clock_mono_ns() < due_ns && !stop_asked())
            clock_sleep_ms(NAP_MS);
        struct err once = {0};
        int rc = stop_asked() ? 0 : run_once(settings, options, &once);
        if (rc == ERR_INTERRUPTED)
            break;
        if (rc < 0 && !may_pass(rc))
            return err_set(err, rc, "%s", once.text);
        if (rc < 0)
            say(&once, &last);
    }
    return err_set(err, ERR_INTERRUPTED, "interrupted");
}

static enum batch_kind kind_of(const char *name)
{
    int kind = BATCH_FULL;
    while (strcmp(name, batch_kind_name((enum batch_kind)kind)) != 0)
        kind++; /* the settings know these names alone */
    return (enum batch_kind)kind;
}

/* Flags that would be read by nobody. */
static int check_flags(const struct settings *settings, struct err *err)
{
    bool full = kind_of(settings_text(settings, "kind")) == BATCH_FULL;
    if (settings_bool(settings, "reload") && settings_int(settings, "every") > 0)
        return err_set(
            err, ERR_USAGE,
            "--reload publishes what is there once; first lk lambda batch --reload, then "
            "--every without it");
    if (full && settings_text(settings, "base") && !settings_bool(settings, "reload"))
        return err_set(
            err, ERR_USAGE,
            "--base: a full batch is built upon nothing; say --kind incremental or --kind "
            "by-time");
    return 0;
}

int cmd_lambda_batch(const struct settings *settings, struct err *err)
{
    struct plan *plan = NULL;
    int rc = settings_require(settings, "plan,archive,view", err);
    rc = rc ? rc : check_flags(settings, err);
    if (rc == 0)
        rc = cmd_plan(settings, &plan, err);
    if (rc < 0)
        return rc;
    int64_t every_ms = settings_int(settings, "every");
    struct batch_options options = {
        .plan = plan,
        .archive = settings_text(settings, "archive"),
        .topic = settings_text(settings, "topic"),
        .workers = (int)settings_int(settings, "workers"),
        .memory_bytes = (size_t)settings_int(settings, "memory"),
        .keep = (int)settings_int(settings, "keep"),
        .reload = settings_bool(settings, "reload"),
        .columnar = settings_bool(settings, "columnar"),
        .only_new = every_ms > 0,
        .kind = kind_of(settings_text(settings, "kind")),
        .base = settings_text(settings, "base"),
        .bucket_ms = settings_int(settings, "bucket"),
        .buffer_ms = settings_text(settings, "buffer") ? settings_int(settings, "buffer") : -1,
        .handover = cmd_handover(settings),
    };
    rc = every_ms > 0 ? run_every(settings, &options, every_ms, err)
                      : run_once(settings, &options, err);
    plan_free(plan);
    return rc;
}
