/* bench/bench_fresh.c - freshness on real Kafka: due -> visible by a reader, beside a bare echo.
 *
 *   publisher (open loop, as lk gen) -> topic -> lk kappa run, a process -> Redis -> reader
 *   echo's producer (same schedule)  -> another topic -> echo's consumer
 *
 * The reader makes one logical read after the other (one key of one window, positions included), with
 * a pause in between, and notes when the first one ended that covers an event. Which event an offset
 * holds is known: number mod P is its partition, number / P its offset. Both streams run at the same
 * time on the same broker, so what else the machine does hits both. */
#include <ftw.h>
#include <pthread.h>
#include <stdlib.h>

#include "bench/ads_log.h"
#include "bench/bench_kafka.h"
#include "bench/echo.h"
#include "bench/redis_server.h"
#include "common/base/clock.h"
#include "common/base/stop.h"
#include "common/store/read.h"
#include "workloads/publish.h"

enum { SEED = 7, LEAD_MS = 1500, WARM_UP_S = 3, READ_PAUSE_US = 500, SETTLE_MS = 30000 };
#define GOAL 4.0                        /* our p99 over the echo's, at most */
#define START_MS INT64_C(1767225600000) /* event time of event 0 */

struct bench {
    const struct fresh_options *options;
    char dir[64], topic[32], echo_topic[32];
    int64_t events, skip; /* of the schedule; of them, not measured */
    int64_t start_ns;     /* CLOCK_REALTIME of event 0 */
    struct log *log;
    struct redis_server redis;
    struct process worker;
    struct straight expected;
    bool topics_made;
    /* the publisher's thread */
    struct publish_result published;
    int publish_rc;
    struct err publish_err;
    /* the reader's */
    _Atomic bool reading_over;
    int64_t seen[LOG_PARTITIONS_MAX]; /* positions covered so far */
    int64_t reads;
    struct hist fresh_us, read_us;
    int read_rc;
    struct err read_err;
};

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static struct workload_options ads_of(const struct bench *bench)
{
    return (struct workload_options){.seed = SEED,
                                     .events = bench->events,
                                     .event_rate = bench->options->rate,
                                     .start_ms = START_MS,
                                     .tables_dir = bench->dir};
}

/* As the publisher counts: whole microseconds of the stream. */
static int64_t due_ns(const struct bench *bench, int64_t number)
{
    return bench->start_ns + (int64_t)((double)number * 1e6 / bench->options->rate) * 1000;
}

/* ---- the publisher ---- */

static void *publish(void *context)
{
    struct bench *bench = context;
    struct workload_options options = ads_of(bench);
    struct disorder_options disorder = {0};
    struct publish_options schedule = {
        .shape = {.partitions = bench->options->partitions, .replication = 1},
        .speed = 1,
        .start_ns = bench->start_ns};
    bench->publish_rc = publish_stream(&workload_ads, &options, &disorder, bench->log, bench->topic,
                                       &schedule, &bench->published, &bench->publish_err);
    return NULL;
}

/* ---- the reader ---- */

/* Events of partition p up to next became visible by now_ns. */
static void note_visible(struct bench *bench, int p, int64_t next, int64_t now_ns)
{
    for (int64_t offset = bench->seen[p]; offset < next; offset++) {
        int64_t number = offset * bench->options->partitions + p;
        if (number >= bench->skip)
            hist_record(&bench->fresh_us, (now_ns - due_ns(bench, number)) / 1000);
    }
    if (next > bench->seen[p])
        bench->seen[p] = next;
}

/* One campaign of the window that is being filled. */
static struct view_query query_of(const struct bench *bench, const char *key)
{
    int64_t late_ns = clock_wall_ns() - bench->start_ns;
    int64_t event_ms = START_MS + (late_ns > 0 ? late_ns / 1000000 : 0);
    return (struct view_query){
        .key = key, .has_window = true, .window_ms = event_ms / 10000 * 10000};
}

static int read_once(struct bench *bench, struct view_reader *reader, const char *key,
                     struct err *err)
{
    struct view_query query = query_of(bench, key);
    struct answer answer;
    int64_t began_ns = clock_wall_ns();
    int rc = view_reader_read(reader, &query, &answer, err);
    if (rc < 0)
        return rc;
    int64_t now_ns = clock_wall_ns();
    for (int p = 0; p < answer.partitions; p++)
        note_visible(bench, p, answer.parts[p].next, now_ns);
    hist_record(&bench->read_us, (now_ns - began_ns) / 1000);
    bench->reads++;
    answer_release(&answer);
    return 0;
}

static bool all_seen(const struct bench *bench)
{
    int64_t sum = 0;
    for (int p = 0; p < bench->options->partitions; p++)
        sum += bench->seen[p];
    return sum >= bench->events;
}

static void *read_on(void *context)
{
    struct bench *bench = context;
    struct kv *kv = NULL;
    struct buf key = {0};
    struct bytes campaign = *(struct bytes *)map_at(&bench->expected.campaigns, 0, NULL);
    buf_printf(&key, "[\"%.*s\"]", (int)campaign.len, campaign.ptr);
    bench->read_rc = kv_open(bench->redis.uri, &kv, &bench->read_err);
    struct view_reader *reader = view_reader_new(kv, "ad_views", ARCH_KAPPA);
    while (bench->read_rc == 0 && !bench->reading_over && !all_seen(bench) && !stop_asked()) {
        bench->read_rc = read_once(bench, reader, key.ptr, &bench->read_err);
        clock_sleep_until_ns(clock_mono_ns() + READ_PAUSE_US * 1000);
    }
    view_reader_free(reader);
    kv_close(kv);
    buf_release(&key);
    return NULL;
}

/* ---- the run ---- */

static int make_topics(struct bench *bench, struct err *err)
{
    struct log_shape shape = {.partitions = bench->options->partitions, .replication = 1};
    long long now_ms = clock_wall_ms();
    snprintf(bench->topic, sizeof bench->topic, "fresh-%llx", now_ms);
    snprintf(bench->echo_topic, sizeof bench->echo_topic, "echo-%llx", now_ms);
    int rc = log_open(bench->options->log_uri, false, &bench->log, err);
    rc = rc ? rc : log_create_topic(bench->log, bench->topic, shape, err);
    rc = rc ? rc : log_create_topic(bench->log, bench->echo_topic, shape, err);
    bench->topics_made = rc == 0;
    return rc;
}

static int start_worker(struct bench *bench, struct err *err)
{
    struct buf command = {0};
    char output[80];
    buf_add_text(&command, "kappa run --topic ");
    process_add_word(&command, bench->topic);
    buf_add_text(&command, " --log ");
    process_add_word(&command, bench->options->log_uri);
    buf_printf(&command, " --view %s --commit %dms --plan ", bench->redis.uri,
               bench->options->commit_ms);
    process_add_word(&command, bench->dir);
    buf_add_text(&command, "/ads.json");
    snprintf(output, sizeof output, "%s/kappa.out", bench->dir);
    process_init(&bench->worker, "fresh", "kappa", bench->options->program, command.ptr, output);
    buf_release(&command);
    return process_start(&bench->worker, err);
}

static bool is_up(struct bench *bench)
{
    struct view_query query = {.positions_only = true};
    struct answer answer;
    struct kv *kv;
    if (kv_open(bench->redis.uri, &kv, NULL) < 0)
        return false;
    bool up = view_read(kv, "ad_views", ARCH_KAPPA, &query, &answer, NULL) == 0;
    if (up)
        answer_release(&answer);
    kv_close(kv);
    return up;
}

static int wait_until_up(struct bench *bench, struct err *err)
{
    for (int waited_ms = 0; !is_up(bench); waited_ms += 20) {
        if (process_ended(&bench->worker) || waited_ms > SETTLE_MS)
            return err_set(err, ERR_ENV, "lk kappa run does not come up: %s", bench->worker.fate);
        clock_sleep_ms(20);
    }
    return 0;
}

static int prepare(struct bench *bench, struct err *err)
{
    const struct fresh_options *options = bench->options;
    const char *tmp = getenv("TMPDIR");
    bench->skip = (int64_t)(options->rate * WARM_UP_S);
    bench->events = bench->skip + (int64_t)(options->rate * options->seconds);
    snprintf(bench->dir, sizeof bench->dir, "%.40s/lk-fresh.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(bench->dir))
        return err_errno(err, ERR_ENV, "cannot make %s", bench->dir);
    struct workload_options ads = ads_of(bench);
    int rc = make_topics(bench, err);
    rc = rc ? rc : ads_count(&ads, &bench->expected, err);
    rc = rc ? rc : redis_server_start(&bench->redis, "kappa", bench->dir, err);
    rc = rc ? rc : start_worker(bench, err);
    return rc ? rc : wait_until_up(bench, err);
}

static void release(struct bench *bench)
{
    process_kill(&bench->worker);
    process_release(&bench->worker);
    redis_server_stop(&bench->redis);
    process_release(&bench->redis.process);
    if (bench->topics_made) {
        log_delete_topic(bench->log, bench->topic, NULL);
        log_delete_topic(bench->log, bench->echo_topic, NULL);
    }
    straight_release(&bench->expected);
    log_close(bench->log);
    hist_release(&bench->published.late_us);
    hist_release(&bench->fresh_us);
    hist_release(&bench->read_us);
    if (*bench->dir)
        nftw(bench->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Publish, read and echo, until all has been seen. */
static int stream(struct bench *bench, struct hist *echo_us, struct err *err)
{
    pthread_t publisher, reader;
    struct echo *echo;
    bench->start_ns = clock_wall_ns() + LEAD_MS * INT64_C(1000000);
    struct echo_options echoing = {.topic = bench->echo_topic,
                                   .partitions = bench->options->partitions,
                                   .rate = bench->options->rate,
                                   .events = bench->events,
                                   .skip = bench->skip,
                                   .start_ns = bench->start_ns};
    int rc = echo_start(bench->log, &echoing, &echo, err);
    if (rc < 0)
        return rc;
    pthread_create(&reader, NULL, read_on, bench);
    pthread_create(&publisher, NULL, publish, bench);
    pthread_join(publisher, NULL);
    rc = echo_finish(echo, echo_us, err);
    for (int waited_ms = 0; waited_ms < SETTLE_MS && !all_seen(bench) && !stop_asked() &&
                            bench->publish_rc == 0 && bench->read_rc == 0;
         waited_ms += 20)
        clock_sleep_ms(20);
    bench->reading_over = true;
    pthread_join(reader, NULL);
    if (rc == 0 && bench->publish_rc < 0)
        rc = err_set(err, bench->publish_rc, "%s", bench->publish_err.text);
    if (rc == 0 && bench->read_rc < 0)
        rc = err_set(err, bench->read_rc, "%s", bench->read_err.text);
    return rc;
}

static int check(struct bench *bench, struct err *err)
{
    struct kv *kv;
    process_stop(&bench->worker, SETTLE_MS);
    if (bench->worker.failed)
        return err_set(err, ERR_ENV, "lk kappa run: %s", bench->worker.fate);
    if (!all_seen(bench))
        return err_set(err, ERR_CHECK, "the reader did not see all %lld events: no figure",
                       (long long)bench->events);
    int rc = kv_open(bench->redis.uri, &kv, err);
    if (rc < 0)
        return rc;
    rc = straight_check_view(&bench->expected, kv, ARCH_KAPPA, "ad_views", err);
    kv_close(kv);
    return rc;
}

/* ---- the answer ---- */

static double ms(const struct hist *us, double percent)
{
    return (double)hist_percentile(us, percent) / 1e3;
}

static void print_text(const struct bench *bench, const struct hist *echo_us, FILE *out)
{
    const struct fresh_options *options = bench->options;
    const struct hist *ours = &bench->fresh_us;
    double ratio = ms(ours, 99) / ms(echo_us, 99);
    fprintf(
        out,
        "fresh: %.0f events/s for %d s, %d partitions, commit every %d ms; the answer is right\n"
        "kappa, due -> visible:  p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms\n"
        "echo, due -> consumed:  p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms\n"
        "p99: %.1fx the echo's (wanted: at most %.0f%s)\n"
        "of it: due -> acknowledged p50 %.2f ms, p99 %.2f ms; a read takes p50 %.2f ms, p99 "
        "%.2f ms; %lld reads\n",
        options->rate, options->seconds, options->partitions, options->commit_ms, ms(ours, 50),
        ms(ours, 99), ms(ours, 99.9), ms(echo_us, 50), ms(echo_us, 99), ms(echo_us, 99.9), ratio,
        GOAL, ratio <= GOAL ? "" : ": MISSED", ms(&bench->published.late_us, 50),
        ms(&bench->published.late_us, 99), ms(&bench->read_us, 50), ms(&bench->read_us, 99),
        (long long)bench->reads);
}

static void print_hist(const char *name, const struct hist *us, FILE *out)
{
    fprintf(out, ",\"%s\":{\"count\":%llu,\"p50\":%.3f,\"p99\":%.3f,\"p99.9\":%.3f,\"max\":%.3f}",
            name, (unsigned long long)us->total, ms(us, 50), ms(us, 99), ms(us, 99.9),
            (double)us->max / 1e3);
}

static void print_json(const struct bench *bench, const struct hist *echo_us, FILE *out)
{
    const struct fresh_options *options = bench->options;
    fprintf(out,
            "{\"bench\":\"fresh\",\"unit\":\"ms\",\"rate\":%.0f,\"seconds\":%d,\"partitions\":%d,"
            "\"commit\":%d",
            options->rate, options->seconds, options->partitions, options->commit_ms);
    print_hist("visible", &bench->fresh_us, out);
    print_hist("echo", echo_us, out);
    print_hist("acknowledged", &bench->published.late_us, out);
    print_hist("read", &bench->read_us, out);
    fprintf(out, ",\"p99_ratio\":%.3f}\n", ms(&bench->fresh_us, 99) / ms(echo_us, 99));
}

int bench_fresh(const struct fresh_options *options, FILE *out, struct err *err)
{
    struct bench *bench = mem_zero(1, sizeof *bench);
    struct hist echo_us = {0};
    bench->options = options;
    int rc = prepare(bench, err);
    rc = rc ? rc : stream(bench, &echo_us, err);
    rc = rc ? rc : check(bench, err);
    if (rc == 0)
        (options->json ? print_json : print_text)(bench, &echo_us, out);
    release(bench);
    hist_release(&echo_us);
    free(bench);
    return rc;
}
