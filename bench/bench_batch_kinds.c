/* bench/bench_batch_kinds.c - see bench_batch_kinds.h.
 *
 * This process stays small and does nothing but fork: a child's peak memory begins at its parent's.
 * What children find out stands in a page that is shared. The events are archived once, with the
 * positions at which each round ends; a batch is told its boundaries. Each kind has a folder of its
 * own, so that its newest generation is its base. */
#include "bench/bench_batch_kinds.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/log/archive.h"
#include "common/plan/plan.h"
#include "lambda/batch.h"
#include "workloads/workload.h"

enum {
    PARTITIONS = 4,
    EVENT_RATE = 500, /* a second of event time */
    LATE_MAX_MS = 30 * 60 * 1000,
    MEMORY_BYTES = 128 << 20,
};

/* What one batch took. */
struct cost {
    double cpu_s, wall_s, read_mb, peak_mb, events, rows, copied, stale;
    uint64_t digest; /* of the checksums of its files */
};

struct shared {
    struct err err; /* of the last child */
    int64_t boundaries[BATCH_KINDS_ROUNDS_MAX + 1][PARTITIONS];
    /* views older than T less a bucket at the batch before */
    int64_t late[BATCH_KINDS_ROUNDS_MAX + 1];
    struct cost cost;
};

struct bench {
    const struct batch_kinds_options *options;
    char dir[64], archive[80];
    struct shared *shared;
    int round;
    enum batch_kind kind;
};

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

/* ---- children ---- */

static int in_child(struct bench *bench, int (*what)(struct bench *bench, struct err *err),
                    struct err *err)
{
    int status = 0;
    err_clear(&bench->shared->err);
    fflush(NULL);
    int pid = fork();
    if (pid < 0)
        return err_errno(err, ERR_ENV, "cannot fork");
    if (pid == 0)
        _exit(what(bench, &bench->shared->err) < 0);
    while (waitpid(pid, &status, 0) < 0)
        ;
    if (bench->shared->err.code)
        return err_set(err, bench->shared->err.code, "%s", bench->shared->err.text);
    return WIFEXITED(status) ? 0 : err_set(err, ERR_CHECK, "a batch was ended by a signal");
}

/* ---- the events ---- */

struct fill {
    struct bench *bench;
    struct archive_writer *writer;
    int64_t next[PARTITIONS], T_ms[PARTITIONS], T_before_ms[PARTITIONS];
};

static int add_event(struct fill *fill, const struct workload_event *event, int round,
                     struct err *err)
{
    int p = (int)(event->number % PARTITIONS);
    int64_t offset = fill->next[p]++, time_ms = event->publish_us / 1000, due_ns = 0;
    struct bytes key = {0}, value = event->value;
    struct log_batch batch = {p, 1, &offset, &time_ms, &due_ns, &key, &value, offset + 1};
    int64_t buffer_ms = fill->bench->options->bucket_ms;
    bool is_view =
        memmem(value.ptr, value.len, "\"view\"", 6) != NULL; /* others are filtered out */
    if (round && is_view && event->event_ms < fill->T_before_ms[p] - buffer_ms)
        fill->bench->shared->late[round]++;
    if (event->event_ms > fill->T_ms[p])
        fill->T_ms[p] = event->event_ms;
    return archive_add(fill->writer, &batch, err);
}

static int end_round(struct fill *fill, int round, struct err *err)
{
    int rc = 0;
    for (int p = 0; rc >= 0 && p < PARTITIONS; p++) {
        fill->bench->shared->boundaries[round][p] = fill->next[p];
        fill->T_before_ms[p] = fill->T_ms[p];
        rc = archive_roll(fill->writer, p, err);
    }
    return rc < 0 ? rc : 0;
}

static int add_rounds(struct fill *fill, struct stream *stream, int64_t growth, struct err *err)
{
    const struct batch_kinds_options *options = fill->bench->options;
    struct workload_event event;
    int64_t n = 0;
    int rc = 0;
    for (int round = 0; rc == 0 && round <= options->rounds; round++) {
        int64_t end = options->events + round * growth;
        while (n < end && (rc = stream_next(stream, &event, err)) == 1) {
            rc = add_event(fill, &event, round, err);
            n++;
            if (rc)
                break;
        }
        rc = rc < 0 ? rc : end_round(fill, round, err);
    }
    return rc;
}

static int fill_archive(struct bench *bench, struct err *err)
{
    const struct batch_kinds_options *options = bench->options;
    int64_t growth = (int64_t)((double)options->events * options->growth);
    /* More than are read: at a stream's end all that is held back comes at once. */
    int64_t events = options->events + options->rounds * growth + LATE_MAX_MS / 1000 * EVENT_RATE;
    const struct workload_options workload = {.seed = options->seed,
                                              .events = events,
                                              .event_rate = EVENT_RATE,
                                              .tables_dir = bench->dir};
    const struct disorder_options disorder = {
        .seed = options->seed, .late_share = options->late_share, .late_max_ms = LATE_MAX_MS};
    struct fill fill = {.bench = bench};
    struct stream *stream = NULL;
    int rc = archive_open(bench->archive, "ads", PARTITIONS, &fill.writer, err);
    if (rc == 0)
        rc = stream_open(&workload_ads, &workload, &disorder, &stream, err);
    if (rc == 0)
        rc = add_rounds(&fill, stream, growth, err);
    stream_close(stream);
    archive_close(fill.writer);
    return rc;
}

/* ---- one batch ---- */

/* A line of /proc/self/FILE that begins with name, as a number; 0 where there is none. */
static double own(const char *file, const char *name)
{
    char line[256];
    double value = 0;
    FILE *from = fopen(file, "r");
    while (from && fgets(line, sizeof line, from))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtod(line + strlen(name), NULL);
    if (from)
        fclose(from);
    return value;
}

static uint64_t digest_of(const struct manifest *manifest)
{
    uint64_t digest = 0;
    for (int p = 0; p < manifest->partitions; p++)
        digest = log_record_hash((struct bytes){(const char *)&digest, sizeof digest},
                                 bytes_of(manifest->files[p].checksum));
    return digest;
}

static int load_plan(const struct bench *bench, struct plan **plan, struct err *err)
{
    struct buf mistakes = {0};
    int rc = plan_parse(workload_plan(workload_ads.plan), bench->dir, true, plan, &mistakes, err);
    buf_release(&mistakes);
    return rc;
}

static int compute(const struct bench *bench, const struct plan *plan, struct manifest *manifest,
                   struct batch_result *result, struct err *err)
{
    const struct batch_options options = {.plan = plan,
                                          .archive = bench->archive,
                                          .workers = 1,
                                          .memory_bytes = MEMORY_BYTES,
                                          .kind = bench->round ? bench->kind : BATCH_FULL,
                                          .bucket_ms = bench->options->bucket_ms,
                                          .buffer_ms = -1};
    struct folder *folder = NULL;
    int rc = folder_open(bench->archive, "ads", batch_kind_name(bench->kind), &folder, err);
    if (rc == 0)
        rc = batch_compute(&options, "ads", bench->shared->boundaries[bench->round], folder,
                           manifest, result, err);
    folder_close(folder);
    return rc;
}

static int run_batch(struct bench *bench, struct err *err)
{
    struct manifest manifest = {0};
    struct batch_result result = {0};
    struct plan *plan = NULL;
    int rc = load_plan(bench, &plan, err);
    if (rc < 0)
        return rc;
    double before = own("/proc/self/io", "rchar:");
    int64_t wall_ns = clock_mono_ns(), cpu_ns = clock_cpu_ns();
    rc = compute(bench, plan, &manifest, &result, err);
    bench->shared->cost = (struct cost){.cpu_s = (double)(clock_cpu_ns() - cpu_ns) / 1e9,
                                        .wall_s = (double)(clock_mono_ns() - wall_ns) / 1e9,
                                        .read_mb = (own("/proc/self/io", "rchar:") - before) / 1e6,
                                        .peak_mb = own("/proc/self/status", "VmHWM:") * 1024 / 1e6,
                                        .events = (double)result.events,
                                        .rows = (double)result.rows,
                                        .copied = (double)result.rows_copied,
                                        .stale = (double)result.stale_buckets,
                                        .digest = digest_of(&manifest)};
    manifest_release(&manifest);
    batch_release(&result);
    plan_free(plan);
    return rc;
}

/* ---- the comparison ---- */

struct figures {
    struct cost costs[BATCH_KINDS][BATCH_KINDS_ROUNDS_MAX];
    double late;
};

static int run_rounds(struct bench *bench, struct figures *figures, struct err *err)
{
    int rc = 0;
    for (bench->round = 0; rc == 0 && bench->round <= bench->options->rounds; bench->round++) {
        uint64_t wanted = 0;
        figures->late += (double)bench->shared->late[bench->round];
        for (int kind = 0; rc == 0 && kind < BATCH_KINDS; kind++) {
            bench->kind = (enum batch_kind)kind;
            rc = in_child(bench, run_batch, err);
            const struct cost *cost = &bench->shared->cost;
            wanted = kind == BATCH_FULL ? cost->digest : wanted;
            if (rc == 0 && cost->digest != wanted)
                rc = err_set(err, ERR_CHECK, "batch %d: %s differs from full: no figure",
                             bench->round, batch_kind_name(bench->kind));
            if (bench->round)
                figures->costs[kind][bench->round - 1] = *cost;
        }
    }
    figures->late /= bench->options->rounds;
    return rc;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Over the rounds, of the member that stands at offset. */
static double median(const struct figures *figures, int kind, int rounds, size_t offset)
{
    double list[BATCH_KINDS_ROUNDS_MAX];
    for (int i = 0; i < rounds; i++)
        memcpy(&list[i], (const char *)&figures->costs[kind][i] + offset, sizeof list[i]);
    qsort(list, (size_t)rounds, sizeof *list, by_size);
    return rounds % 2 ? list[rounds / 2] : (list[rounds / 2 - 1] + list[rounds / 2]) / 2;
}

static const struct {
    const char *name, *format;
    size_t offset;
} COLUMNS[] = {
    {"cpu_s", "%.3f", offsetof(struct cost, cpu_s)},
    {"wall_s", "%.3f", offsetof(struct cost, wall_s)},
    {"events_read", "%.0f", offsetof(struct cost, events)},
    {"mb_read", "%.1f", offsetof(struct cost, read_mb)},
    {"peak_mb", "%.1f", offsetof(struct cost, peak_mb)},
    {"rows", "%.0f", offsetof(struct cost, rows)},
    {"rows_copied", "%.0f", offsetof(struct cost, copied)},
    {"stale_buckets", "%.0f", offsetof(struct cost, stale)},
};
enum { COLUMN_COUNT = sizeof COLUMNS / sizeof *COLUMNS };

static void print_text(const struct batch_kinds_options *options, const struct figures *figures,
                       FILE *out)
{
    fprintf(
        out,
        "batch kinds: %lld ads events, then %d batches with %g %% more each; buckets of %lld s, "
        "%d partitions, one worker; medians\n%-12s",
        (long long)options->events, options->rounds, options->growth * 100,
        (long long)options->bucket_ms / 1000, PARTITIONS, "kind");
    for (int c = 0; c < COLUMN_COUNT; c++)
        fprintf(out, " %13s", COLUMNS[c].name);
    for (int kind = 0; kind < BATCH_KINDS; kind++) {
        fprintf(out, "\n%-12s", batch_kind_name((enum batch_kind)kind));
        for (int c = 0; c < COLUMN_COUNT; c++) {
            char cell[32];
            snprintf(cell, sizeof cell, COLUMNS[c].format,
                     median(figures, kind, options->rounds, COLUMNS[c].offset));
            fprintf(out, " %13s", cell);
        }
    }
    fprintf(out,
            "\nlate views a batch: %.1f; each counts in 1 new generation, whatever the kind; every "
            "answer was byte for byte that of full\n",
            figures->late);
}

static void print_json(const struct batch_kinds_options *options, const struct figures *figures,
                       FILE *out)
{
    fprintf(out,
            "{\"who\":\"bench batch-kinds\",\"events\":%lld,\"rounds\":%d,\"growth\":%g,"
            "\"late_share\":%g,\"bucket_ms\":%lld,\"seed\":%llu,\"late_events\":%.1f,\"kinds\":[",
            (long long)options->events, options->rounds, options->growth, options->late_share,
            (long long)options->bucket_ms, (unsigned long long)options->seed, figures->late);
    for (int kind = 0; kind < BATCH_KINDS; kind++) {
        fprintf(out, "%s{\"kind\":\"%s\"", kind ? "," : "", batch_kind_name((enum batch_kind)kind));
        for (int c = 0; c < COLUMN_COUNT; c++) {
            fprintf(out, ",\"%s\":", COLUMNS[c].name);
            fprintf(out, COLUMNS[c].format,
                    median(figures, kind, options->rounds, COLUMNS[c].offset));
        }
        fputc('}', out);
    }
    fputs("]}\n", out);
}

static int prepare(struct bench *bench, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(bench->dir, sizeof bench->dir, "%.40s/lk-bench.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(bench->dir))
        return err_errno(err, ERR_ENV, "cannot make %s", bench->dir);
    snprintf(bench->archive, sizeof bench->archive, "%s/a", bench->dir);
    bench->shared = mmap(NULL, sizeof *bench->shared, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bench->shared == MAP_FAILED)
        return err_errno(err, ERR_ENV, "cannot map a page");
    return in_child(bench, fill_archive, err);
}

int bench_batch_kinds(const struct batch_kinds_options *options, FILE *out, struct err *err)
{
    struct bench bench = {.options = options};
    struct figures *figures = mem_zero(1, sizeof *figures);
    int rc = prepare(&bench, err);
    if (rc == 0)
        rc = run_rounds(&bench, figures, err);
    if (rc == 0)
        (options->json ? print_json : print_text)(options, figures, out);
    if (bench.shared && bench.shared != MAP_FAILED)
        munmap(bench.shared, sizeof *bench.shared);
    nftw(bench.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(figures);
    return rc;
}
