/* bench/bench_keys.c - `lk bench keys`: far more cells than memory. Does either pipeline stay in its bounds,
 * and can a version of that size still be deployed, compared, promoted, and taken over?
 *
 *   every key once in every window, and a tenth of the events a visit to a key that left memory long ago
 *     ─> kappa run ─> deploy, diff, promote ─> SIGKILL, another worker      (each a child, one at a time)
 *     ─> lambda archive ─> lambda batch
 *
 * What a key's count in a window is follows from their numbers alone, so every row is checked, window by
 * window; no figure where one is wrong. Memory is the child's own (RssAnon): the embedded log is mapped. */
#include <stdlib.h>
#include <unistd.h>

#include "bench/bench_keys.h"
#include "bench/rig.h"
#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/log/log.h"

enum { PARTITIONS = 4, SEED = 7, LANE = 2048, EVENT_BYTES = 96, WINDOW_MS = 3600000 };
enum { LOOK_MS = 50, TAKEOVER_WAIT_MS = 60000, SECOND_VISIT = 10 };
static const int64_t BEGIN_MS = 1767225600000; /* 2026-01-01T00:00:00Z */

static const char PLAN[] =
    "{\"view\":\"many_keys\",\"source\":{\"time\":{\"field\":\"at\",\"format\":\"ms\"},"
    "\"fields\":{\"k\":\"string\"}},\"key\":[\"k\"],\"window\":{\"tumbling\":\"1h\"},"
    "\"allowed_lateness\":\"%dh\",\"values\":{\"n\":\"count\"}}";

struct bench {
    const struct keys_options *options;
    struct rig rig;
    struct log *log;
    struct kv *kv;
    struct keys_result result;
    int added; /* events for the takeover: of key 0, in the last window */
};

/* ---- the events ---- */

struct lane {
    struct log_record records[LANE];
    char bytes[LANE][EVENT_BYTES];
    int count;
};

static int flush(struct bench *bench, struct lane *lanes, struct err *err)
{
    struct log_append parts[PARTITIONS];
    int count = 0;
    for (int p = 0; p < PARTITIONS; p++) {
        if (lanes[p].count)
            parts[count++] = (struct log_append){p, lanes[p].count, lanes[p].records};
        bench->result.events += lanes[p].count;
        lanes[p].count = 0;
    }
    return count ? log_append_all(bench->log, bench->rig.topic, parts, count, err) : 0;
}

static void add(struct lane *lanes, int64_t key, int64_t at_ms)
{
    struct lane *lane = &lanes[key % PARTITIONS];
    char *bytes = lane->bytes[lane->count];
    int len = snprintf(bytes, EVENT_BYTES, "{\"k\":\"u%07lld\",\"at\":%lld}", (long long)key,
                       (long long)at_ms);
    lane->records[lane->count++] = (struct log_record){.value = {bytes, (size_t)len}};
}

/* Is the event of this key followed by one of the key at half its number? */
static bool visits(int64_t window, int64_t key)
{
    return rng_mix(SEED, (uint64_t)window << 32 | (uint64_t)key) % SECOND_VISIT == 0;
}

static int64_t count_of(const struct bench *bench, int64_t window, int64_t key)
{
    int64_t keys = bench->options->keys;
    bool added = window == bench->options->windows - 1 && key == 0;
    return 1 + (2 * key < keys && visits(window, 2 * key)) +
           (2 * key + 1 < keys && visits(window, 2 * key + 1)) + (added ? bench->added : 0);
}

static int fill(struct bench *bench, struct err *err)
{
    struct lane *lanes = mem_zero(PARTITIONS, sizeof *lanes);
    int64_t keys = bench->options->keys;
    int rc = 0;
    for (int64_t window = 0; rc == 0 && window < bench->options->windows; window++)
        for (int64_t key = 0; rc == 0 && key < keys; key++) {
            int64_t at_ms = BEGIN_MS + window * WINDOW_MS + key * WINDOW_MS / keys;
            add(lanes, key, at_ms);
            if (visits(window, key))
                add(lanes, key / 2, at_ms);
            for (int p = 0; rc == 0 && p < PARTITIONS; p++)
                if (lanes[p].count >= LANE - 1)
                    rc = flush(bench, lanes, err);
        }
    rc = rc ? rc : flush(bench, lanes, err);
    free(lanes);
    return rc;
}

/* ---- a child, and its memory ---- */

static double anon_mb(pid_t pid)
{
    char path[40], line[128];
    double kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *in = fopen(path, "r");
    while (in && fgets(line, sizeof line, in))
        if (sscanf(line, "RssAnon: %lf kB", &kb) == 1)
            break;
    if (in)
        fclose(in);
    return kb / 1024;
}

/* Start a verb that holds cells, with the memory that they may take. */
static int start_bounded(struct bench *bench, const char *name, const char *words,
                         const char *flags, struct process **child, struct err *err)
{
    struct buf all = {0};
    buf_printf(&all, "%s --memory %lld", words, (long long)bench->options->memory_bytes);
    int rc = rig_start(&bench->rig, name, all.ptr, flags, child, err);
    buf_release(&all);
    return rc;
}

static void note_memory(struct bench *bench, enum keys_stage stage, double mb)
{
    buf_printf(&bench->result.lines,
               "{\"t_s\":%.2f,\"pipeline\":\"%s\",\"kind\":\"private\",\"mb\":%.1f}\n",
               (double)(clock_mono_ns() - bench->result.began_ns) / 1e9,
               KEYS_STAGE_NAMES[stage].pipeline, mb);
}

static int run_child(struct bench *bench, enum keys_stage stage, const char *name,
                     const char *words, const char *flags, struct err *err)
{
    struct keys_figures *figures = &bench->result.figures[stage];
    struct process *child;
    bool bounded = stage == KEYS_RUN || stage == KEYS_DEPLOY || stage == KEYS_BATCH;
    int rc = bounded ? start_bounded(bench, name, words, flags, &child, err)
                     : rig_start(&bench->rig, name, words, flags, &child, err);
    while (rc == 0 && !process_ended(child)) {
        double mb = anon_mb(child->pid);
        figures->anon_mb = mb > figures->anon_mb ? mb : figures->anon_mb;
        note_memory(bench, stage, mb);
        clock_sleep_ms(LOOK_MS);
        rc = rig_look(&bench->rig, err);
    }
    if (rc == 0 && child->exit_status != 0)
        rc = err_set(err, ERR_CHECK, "lk %s: %s", words, child->fate);
    figures->began_ns = child->began_ns;
    figures->ended_ns = child->ended_ns;
    figures->seconds = (double)(child->ended_ns - child->began_ns) / 1e9;
    figures->cpu_s = child->cpu_s;
    if (rc == 0)
        fprintf(stderr, "keys: %s: %.1f s, %.0f MB of memory\n", words, figures->seconds,
                figures->anon_mb);
    return rc;
}

/* ---- every row ---- */

static int wrong(const struct bench *bench, int64_t window, const struct answer_row *row,
                 struct err *err)
{
    (void)bench;
    return err_set(err, ERR_CHECK, "window %lld, key %.*s: {%.*s} is not its count: no figure",
                   (long long)window, (int)row->key.len, row->key.ptr, (int)row->values.len,
                   row->values.ptr);
}

static int check_window(struct bench *bench, struct view_reader *reader, int64_t window,
                        int64_t *rows, struct err *err)
{
    struct view_query query = {
        .has_window = true, .window_ms = BEGIN_MS + window * WINDOW_MS, .exact = true};
    struct answer answer;
    int rc = view_reader_read(reader, &query, &answer, err);
    if (rc < 0)
        return rc;
    if (answer.count != (size_t)bench->options->keys)
        rc = err_set(err, ERR_CHECK, "window %lld has %zu keys, not %lld: no figure",
                     (long long)window, answer.count, (long long)bench->options->keys);
    for (size_t i = 0; rc == 0 && i < answer.count; i++) {
        long long key, count;
        const struct answer_row *row = &answer.rows[i];
        if (sscanf(row->key.ptr, "[\"u%lld\"]", &key) != 1 ||
            sscanf(row->values.ptr, "\"n\":%lld", &count) != 1 ||
            count != count_of(bench, window, key))
            rc = wrong(bench, window, row, err);
    }
    *rows += (int64_t)answer.count;
    answer_release(&answer);
    return rc;
}

static int check_view(struct bench *bench, enum arch arch, struct err *err)
{
    struct view_reader *reader = view_reader_new(bench->kv, "many_keys", arch);
    int64_t *rows = arch == ARCH_KAPPA ? &bench->result.kappa_rows : &bench->result.lambda_rows;
    int rc = 0;
    for (int64_t window = 0; rc == 0 && window < bench->options->windows; window++)
        rc = check_window(bench, reader, window, rows, err);
    view_reader_free(reader);
    return rc;
}

/* ---- the stages ---- */

static int write_plan(struct bench *bench, int lateness_hours, struct err *err)
{
    struct buf *plan = &bench->result.plan;
    buf_clear(plan);
    buf_printf(plan, PLAN, lateness_hours);
    return rig_write_plan(&bench->rig, buf_bytes(plan), err);
}

static int run_kappa(struct bench *bench, struct err *err)
{
    static const char LOG_VIEW[] = "--log --topic --plan --view";
    int rc = write_plan(bench, 1, err);
    rc = rc ? rc : run_child(bench, KEYS_RUN, "kappa", "kappa run --until-end", LOG_VIEW, err);
    rc = rc ? rc : check_view(bench, ARCH_KAPPA, err);
    bench->result.kappa_mb = rc ? 0 : redis_used_mb(bench->rig.redis.uri);
    rc = rc ? rc : write_plan(bench, 2, err); /* the same rows, by another version */
    rc = rc ? rc : run_child(bench, KEYS_DEPLOY, "deploy", "kappa deploy", LOG_VIEW, err);
    rc = rc ? rc : run_child(bench, KEYS_DIFF, "diff", "kappa diff", "--plan --view", err);
    rc = rc ? rc : run_child(bench, KEYS_PROMOTE, "promote", "kappa promote", "--plan --view", err);
    return rc ? rc : check_view(bench, ARCH_KAPPA, err);
}

/* One more event of key 0 in the last window; and how many a reader sees. */
static int append_one(struct bench *bench, struct err *err)
{
    struct lane *lanes = mem_zero(PARTITIONS, sizeof *lanes);
    add(lanes, 0, BEGIN_MS + bench->options->windows * WINDOW_MS - 1);
    bench->added++;
    int rc = flush(bench, lanes, err);
    free(lanes);
    return rc;
}

static int wait_for_count(struct bench *bench, struct view_reader *reader, int64_t wanted,
                          struct err *err)
{
    struct view_query query = {.key = "[\"u0000000\"]",
                               .has_window = true,
                               .window_ms = BEGIN_MS + (bench->options->windows - 1) * WINDOW_MS};
    int64_t until_ns = clock_mono_ns() + (int64_t)TAKEOVER_WAIT_MS * 1000000;
    while (clock_mono_ns() < until_ns) {
        struct answer answer;
        long long count = 0;
        int rc = view_reader_read(reader, &query, &answer, err);
        if (rc == 0 && answer.count == 1)
            (void)sscanf(answer.rows[0].values.ptr, "\"n\":%lld", &count);
        if (rc == 0)
            answer_release(&answer);
        rc = rc ? rc : rig_look(&bench->rig, err);
        if (rc < 0 || count == wanted)
            return rc;
        clock_sleep_ms(1);
    }
    return err_set(err, ERR_CHECK, "the worker that takes over shows nothing in %d s",
                   TAKEOVER_WAIT_MS / 1000);
}

/* A worker that is at work is killed, an event comes, another worker is started: from then to seen. */
static int take_over(struct bench *bench, struct err *err)
{
    static const char WORDS[] = "kappa run --commit 10ms";
    static const char FLAGS[] = "--log --topic --plan --view";
    struct process *first;
    struct view_reader *reader = view_reader_new(bench->kv, "many_keys", ARCH_KAPPA);
    int64_t last = bench->options->windows - 1;
    int rc = start_bounded(bench, "first", WORDS, FLAGS, &first, err);
    rc = rc ? rc : append_one(bench, err);
    rc = rc ? rc : wait_for_count(bench, reader, count_of(bench, last, 0), err);
    if (rc == 0)
        process_kill(first);
    rc = rc ? rc : append_one(bench, err);
    struct keys_figures *figures = &bench->result.figures[KEYS_TAKEOVER];
    figures->began_ns = clock_mono_ns();
    rc = rc ? rc : start_bounded(bench, "second", WORDS, FLAGS, NULL, err);
    rc = rc ? rc : wait_for_count(bench, reader, count_of(bench, last, 0), err);
    figures->ended_ns = clock_mono_ns();
    bench->result.takeover_ms = (double)(figures->ended_ns - figures->began_ns) / 1e6;
    view_reader_free(reader);
    return rc;
}

static int run_lambda(struct bench *bench, struct err *err)
{
    struct kv_reply *replies;
    kv_words(bench->kv, "FLUSHALL", NULL); /* the versions would stand in memory beside it */
    int rc = kv_roundtrip(bench->kv, &replies, err);
    rc = rc < 0 ? rc
                : run_child(bench, KEYS_ARCHIVE, "archive", "lambda archive --until-end",
                            "--log --topic --archive", err);
    rc = rc ? rc
            : run_child(bench, KEYS_BATCH, "batch", "lambda batch", "--plan --archive --view", err);
    bench->result.lambda_mb = rc ? 0 : redis_used_mb(bench->rig.redis.uri);
    return rc ? rc : check_view(bench, ARCH_LAMBDA, err);
}

int bench_keys(const struct keys_options *options, FILE *out, struct err *err)
{
    struct bench bench = {.options = options};
    struct keys_result *result = &bench.result;
    result->began_wall_ns = clock_wall_ns();
    result->began_ns = clock_mono_ns();
    int rc = rig_open(&bench.rig, options->program, NULL, PARTITIONS, err);
    rc = rc ? rc : log_open(bench.rig.log_uri, false, &bench.log, err);
    rc = rc ? rc : kv_open(bench.rig.redis.uri, &bench.kv, err);
    rc = rc ? rc : fill(&bench, err);
    rc = rc ? rc : run_kappa(&bench, err);
    rc = rc ? rc : take_over(&bench, err);
    rc = rc ? rc : run_lambda(&bench, err);
    result->ended_ns = clock_mono_ns();
    rc = rc ? rc : keys_page(options, result, err);
    if (rc == 0)
        keys_print(options, result, out);
    buf_release(&result->lines);
    buf_release(&result->plan);
    log_close(bench.log);
    kv_close(bench.kv);
    rig_close(&bench.rig);
    return rc;
}
