/* bench/bench_gen.c - how many ads events a second one core makes and appends to an embedded log.
 */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "common/base/clock.h"
#include "workloads/publish.h"

enum { EVENTS = 1000000, ROUNDS = 7, PARTITIONS = 4, SEED = 7 };

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Events a CPU-second: what the machine's other work takes away is not the generator's. */
static int publish_ads(struct log *log, double *per_second, struct err *err)
{
    struct workload_options options = {.seed = SEED, .events = EVENTS};
    struct disorder_options disorder = {0};
    struct publish_options publish = {.shape.partitions = PARTITIONS, .speed = PUBLISH_MAX};
    struct publish_result result;
    int64_t begin_ns = clock_cpu_ns();
    int rc = publish_stream(&workload_ads, &options, &disorder, log, "ads", &publish, &result, err);
    *per_second = (double)result.events * 1e9 / (double)(clock_cpu_ns() - begin_ns);
    hist_release(&result.late_us);
    return rc;
}

/* In a new directory, which goes afterwards: its pages then serve the next round, and the kernel's
 * finding of memory for the first ones is not measured again and again. */
static int run_round(double *per_second, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    struct buf dir = {0}, uri = {0};
    struct log *log = NULL;
    int rc = 0;
    buf_printf(&dir, "%s/lk-bench-gen.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir.ptr))
        rc = err_errno(err, ERR_ENV, "cannot make %s", dir.ptr);
    buf_printf(&uri, "embedded:%s", dir.ptr);
    if (rc == 0)
        rc = log_open(uri.ptr, true, &log, err);
    if (rc == 0)
        rc = publish_ads(log, per_second, err);
    log_close(log);
    nftw(dir.ptr, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    buf_release(&dir);
    buf_release(&uri);
    return rc;
}

int bench_gen(FILE *out, struct err *err)
{
    double rates[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        int rc = run_round(&rates[i], err);
        if (rc < 0)
            return rc;
    }
    qsort(rates, ROUNDS, sizeof *rates, by_size);
    fprintf(out,
            "gen: %d ads events into an embedded log, one core, %d rounds: median %.2f M events a "
            "CPU-second, slowest %.2f (wanted: 2)\n",
            EVENTS, ROUNDS, rates[ROUNDS / 2] / 1e6, rates[0] / 1e6);
    return 0;
}
