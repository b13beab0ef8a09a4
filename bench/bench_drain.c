/* bench/bench_drain.c - kappa and batch against the straight-line program, on the same events.
 *
 * drain: kappa, one worker, draining ads events from the embedded log into a Redis of its own.
 * batch: the fold of the archive into a generation file, one worker, no store; from the segments, and
 * from the columns of the plan's fields, against the same straight line over the segments.
 * Rounds of both contenders are interleaved in the order ABBA; a round counts only if its answer is the
 * straight-line program's: the sum over all rows, and each row; from columns: the same bytes as from
 * the segments. */
#include <ftw.h>
#include <stdlib.h>

#include "bench/ads_log.h"
#include "bench/bench.h"
#include "bench/redis_server.h"
#include "bench/straight.h"
#include "common/base/clock.h"
#include "common/log/archive.h"
#include "common/plan/plan.h"
#include "kappa/version.h"
#include "lambda/archive.h"
#include "lambda/batch.h"
#include "lambda/folder.h"

enum { EVENTS = 2000000, ROUNDS = 5, PARTITIONS = 4, SEED = 7 };

struct bench {
    char dir[64], log_uri[80], archive[80], archive_uri[96], table[96];
    struct log *log, *segments;
    struct plan *plan;
    struct straight straight;
    struct redis_server redis;
    bool columnar;                              /* batch: from columns */
    char expected[PARTITIONS][FOLDER_ID_BYTES]; /* checksums of the generation from segments */
    double engine_s[ROUNDS * 2], straight_s[ROUNDS * 2];
    int engine_rounds, straight_rounds;
};

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static int load_plan(struct bench *bench, struct err *err)
{
    char path[96];
    struct buf mistakes = {0};
    snprintf(path, sizeof path, "%s/ads.json", bench->dir);
    int rc = plan_load(path, &bench->plan, &mistakes, err);
    buf_release(&mistakes);
    return rc;
}

static int prepare(struct bench *bench, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(bench->dir, sizeof bench->dir, "%.40s/lk-bench.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(bench->dir))
        return err_errno(err, ERR_ENV, "cannot make %s", bench->dir);
    snprintf(bench->log_uri, sizeof bench->log_uri, "embedded:%s/l", bench->dir);
    snprintf(bench->archive, sizeof bench->archive, "%s/a", bench->dir);
    snprintf(bench->archive_uri, sizeof bench->archive_uri, "archive:%s", bench->archive);
    snprintf(bench->table, sizeof bench->table, "%s/campaigns.jsonl", bench->dir);
    int rc = log_open(bench->log_uri, true, &bench->log, err);
    if (rc == 0)
        rc = ads_log_fill(bench->log, bench->dir, EVENTS, PARTITIONS, SEED, err);
    if (rc == 0)
        rc = load_plan(bench, err);
    if (rc == 0)
        rc = straight_init(&bench->straight, bench->table, err);
    return rc;
}

static void release(struct bench *bench)
{
    redis_server_stop(&bench->redis);
    process_release(&bench->redis.process);
    straight_release(&bench->straight);
    plan_free(bench->plan);
    log_close(bench->segments);
    log_close(bench->log);
    nftw(bench->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- one round of each ---- */

static int straight_round(struct bench *bench, struct log *log, struct err *err)
{
    int64_t begin_ns = clock_mono_ns();
    int rc = straight_count(&bench->straight, log, "ads", err);
    bench->straight_s[bench->straight_rounds++] = (double)(clock_mono_ns() - begin_ns) / 1e9;
    return rc;
}

static int kappa_round(struct bench *bench, struct err *err)
{
    struct worker_options options = {.plan = bench->plan,
                                     .log_uri = bench->log_uri,
                                     .topic = "ads",
                                     .workers = 1,
                                     .until_end = true,
                                     .job = {.view_uri = bench->redis.uri,
                                             .commit_ms = 100,
                                             .memory_bytes = 128 << 20,
                                             .patience_ms = 5000}};
    struct worker_result result;
    struct kv_reply *replies;
    struct kv *kv;
    int rc = kv_open(bench->redis.uri, &kv, err);
    if (rc < 0)
        return rc;
    kv_words(kv, "FLUSHALL", NULL);
    rc = kv_roundtrip(kv, &replies, err);
    int64_t begin_ns = clock_mono_ns();
    if (rc >= 0)
        rc = kappa_run(&options, false, &result, err);
    bench->engine_s[bench->engine_rounds++] = (double)(clock_mono_ns() - begin_ns) / 1e9;
    if (rc >= 0)
        rc = straight_check_view(&bench->straight, kv, ARCH_KAPPA, bench->plan->view, err);
    kv_close(kv);
    return rc;
}

/* The generation from segments is noted, the one from columns must be the same. */
static int check_bytes(struct bench *bench, const struct manifest *manifest, int64_t columnar,
                       struct err *err)
{
    for (int p = 0; p < manifest->partitions; p++) {
        const char *checksum = manifest->files[p].checksum;
        if (!bench->columnar)
            memcpy(bench->expected[p], checksum, FOLDER_ID_BYTES);
        else if (columnar == 0 || memcmp(bench->expected[p], checksum, FOLDER_ID_BYTES) != 0)
            return err_set(err, ERR_CHECK, "partition %d: from columns: another file: no figure",
                           p);
    }
    return 0;
}

static int batch_round(struct bench *bench, struct err *err)
{
    struct batch_options options = {.plan = bench->plan,
                                    .archive = bench->archive,
                                    .workers = 1,
                                    .memory_bytes = 128 << 20,
                                    .keep = 1,
                                    .columnar = bench->columnar};
    struct batch_result result = {0};
    struct manifest manifest = {0};
    struct folder *folder;
    int rc = folder_open(bench->archive, "ads", bench->plan->view, &folder, err);
    if (rc < 0)
        return rc;
    int64_t begin_ns = clock_mono_ns();
    rc = batch_compute(&options, "ads", NULL, folder, &manifest, &result, err);
    bench->engine_s[bench->engine_rounds++] = (double)(clock_mono_ns() - begin_ns) / 1e9;
    int64_t rows = 0;
    for (int p = 0; rc == 0 && p < manifest.partitions; p++)
        rows += manifest.files[p].rows;
    if (rc == 0 &&
        (result.events != bench->straight.events || rows < (int64_t)bench->straight.counts.count))
        rc = err_set(err, ERR_CHECK, "the batch folded %lld events into %lld rows: no figure",
                     (long long)result.events, (long long)rows);
    if (rc == 0)
        rc = check_bytes(bench, &manifest, result.segments_columnar, err);
    manifest_release(&manifest);
    batch_release(&result);
    folder_close(folder);
    return rc;
}

/* ---- the comparison ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *list, int count)
{
    qsort(list, (size_t)count, sizeof *list, by_size);
    return count % 2 ? list[count / 2] : (list[count / 2 - 1] + list[count / 2]) / 2;
}

static void print(struct bench *bench, const char *name, double wanted, FILE *out)
{
    double ratios[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) /* each ABBA block is one pair */
        ratios[i] = (bench->straight_s[2 * i] + bench->straight_s[2 * i + 1]) /
                    (bench->engine_s[2 * i] + bench->engine_s[2 * i + 1]);
    double ratio = median(ratios, ROUNDS);
    fprintf(
        out,
        "%s: %d ads events, %d blocks ABBA: %.2f M events/s; straight line %.2f M events/s; ratio "
        "%.2f (%.2f to %.2f",
        name, EVENTS, ROUNDS, EVENTS / 1e6 / median(bench->engine_s, ROUNDS * 2),
        EVENTS / 1e6 / median(bench->straight_s, ROUNDS * 2), ratio, ratios[0], ratios[ROUNDS - 1]);
    if (wanted > 0)
        fprintf(out, "; wanted: %.2f", wanted);
    fputs(")\n", out);
}

static int rounds(struct bench *bench, struct log *log,
                  int (*engine)(struct bench *bench, struct err *err), struct err *err)
{
    bench->straight_rounds = bench->engine_rounds = 0;
    int rc = straight_round(bench, log, err); /* warms the page cache; fills the counts */
    if (rc == 0)
        rc = engine(bench, err);
    bench->straight_rounds = bench->engine_rounds = 0;
    for (int i = 0; rc >= 0 && i < ROUNDS; i++) {
        rc = straight_round(bench, log, err);
        if (rc == 0)
            rc = engine(bench, err);
        if (rc == 0)
            rc = engine(bench, err);
        if (rc == 0)
            rc = straight_round(bench, log, err);
    }
    return rc;
}

int bench_drain(FILE *out, struct err *err)
{
    struct bench bench = {0};
    int rc = prepare(&bench, err);
    if (rc == 0)
        rc = redis_server_start(&bench.redis, "kappa", bench.dir, err);
    if (rc == 0)
        rc = rounds(&bench, bench.log, kappa_round, err);
    if (rc == 0)
        print(&bench, "drain", 0.7, out);
    release(&bench);
    return rc;
}

static int archive_all(struct bench *bench, struct err *err)
{
    struct archive_options archiving = {.log = bench->log,
                                        .topic = "ads",
                                        .directory = bench->archive,
                                        .roll_ms = 1000,
                                        .until_end = true,
                                        .columnar = bench->plan};
    struct archive_totals totals;
    int rc = archive_run(&archiving, &totals, err);
    return rc ? rc : log_open(bench->archive_uri, false, &bench->segments, err);
}

int bench_batch(FILE *out, struct err *err)
{
    struct bench bench = {0};
    int rc = prepare(&bench, err);
    if (rc == 0)
        rc = archive_all(&bench, err);
    if (rc == 0)
        rc = rounds(&bench, bench.segments, batch_round, err);
    if (rc == 0)
        print(&bench, "batch", 0.8, out);
    bench.columnar = true;
    if (rc == 0)
        rc = rounds(&bench, bench.segments, batch_round, err);
    if (rc == 0)
        print(&bench, "batch --columnar", 0, out);
    release(&bench);
    return rc;
}
