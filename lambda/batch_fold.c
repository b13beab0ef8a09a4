/* lambda/batch_fold.c - a batch without a store: every partition of the archive, up to its boundary, into
 * a generation's files.
 *
 * A partition is a unit of work: threads take the next one until none is left. The first failure,
 * in order of partitions, is the one that is told; the others leave off. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "lambda/batch_parts.h"
#include "lambda/partition.h"

enum { WORKERS_MAX = 64 };

struct crew {
    struct partition_work *work;
    struct err *errors; /* by partition */
    int count;
    atomic_int next;
    atomic_bool failed;
};

static void *work_on(void *context)
{
    struct crew *crew = context;
    for (int q; (q = atomic_fetch_add(&crew->next, 1)) < crew->count;)
        if (partition_fold(&crew->work[q], &crew->errors[q]))
            atomic_store(&crew->failed, true);
    return NULL;
}

static int workers_of(const struct batch_options *options, int partitions)
{
    int workers = options->workers ? options->workers : (int)sysconf(_SC_NPROCESSORS_ONLN);
    workers = workers < partitions ? workers : partitions;
    workers = workers < WORKERS_MAX ? workers : WORKERS_MAX;
    return workers > 0 ? workers : 1;
}

static int run_crew(struct crew *crew, int workers, struct err *err)
{
    pthread_t threads[WORKERS_MAX];
    int started = 0, worst = -1;
    while (started < workers - 1 && pthread_create(&threads[started], NULL, work_on, crew) == 0)
        started++;
    work_on(crew);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    for (int q = 0; q < crew->count; q++)
        if (crew->errors[q].code && (worst < 0 || (crew->errors[worst].code == ERR_INTERRUPTED &&
                                                   crew->errors[q].code != ERR_INTERRUPTED)))
            worst = q;
    return worst < 0 ? 0 : err_set(err, crew->errors[worst].code, "%s", crew->errors[worst].text);
}

static void sum_up(const struct crew *crew, struct manifest *manifest, struct batch_result *result)
{
    for (int q = 0; q < crew->count; q++) {
        const struct partition_work *work = &crew->work[q];
        manifest->files[q] = work->file;
        result->parts[q].boundary = work->boundary;
        result->parts[q].counters = work->head.counters;
        result->events += work->events;
        result->bytes += work->bytes;
        result->rows += work->file.rows;
        result->rows_copied += work->rows_copied;
        if (work->stale_buckets < 0 || result->stale_buckets < 0)
            result->stale_buckets = -1;
        else
            result->stale_buckets += work->stale_buckets;
        result->file_bytes += work->file.bytes;
        result->runs += work->runs;
        result->segments_columnar += work->segments_columnar;
        if (work->passes > result->passes)
            result->passes = work->passes;
        if (work->cells_max > result->cells_max)
            result->cells_max = work->cells_max;
    }
}

/* The base that the options ask for. None: the batch becomes a full one, and says so. */
static int choose_base(const struct batch_options *options, const int64_t *boundaries,
                       struct folder *folder, struct manifest *base, struct batch_result *result,
                       struct err *err)
{
    const struct base_wanted wanted = {.plan = options->plan,
                                       .id = options->base,
                                       .partitions = result->partitions,
                                       .boundaries = boundaries};
    int rc = options->kind == BATCH_FULL ? 0 : base_find(folder, &wanted, base, err);
    if (rc == 0 && options->kind != BATCH_FULL)
        fprintf(stderr,
                "lk: no generation of this plan that ends where this batch ends or before it: "
                "this one is computed in full\n");
    result->kind = rc == 1 ? options->kind : BATCH_FULL;
    memcpy(result->base, base->id, sizeof result->base);
    result->base_standing = base->standing;
    return rc < 0 ? rc : 0;
}

/* A pane lies in one bucket. */
static int64_t bucket_of(const struct batch_options *options)
{
    int64_t pane_ms = options->plan->pane_ms, size_ms = options->bucket_ms;
    int64_t over = pane_ms ? size_ms % pane_ms : 0;
    return size_ms < pane_ms ? pane_ms : over ? size_ms + pane_ms - over : size_ms;
}

static int fold_all(const struct batch_options *options, struct log *log, const char *topic,
                    const int64_t *boundaries, struct folder *folder, struct manifest *manifest,
                    struct batch_result *result, struct err *err)
{
    struct manifest base = {0};
    int rc = choose_base(options, boundaries, folder, &base, result, err);
    if (rc)
        return rc;
    int64_t bucket_ms = bucket_of(options);
    int partitions = result->partitions, workers = workers_of(options, partitions);
    struct crew crew = {.count = partitions};
    crew.work = mem_zero((size_t)partitions, sizeof *crew.work);
    crew.errors = mem_zero((size_t)partitions, sizeof *crew.errors);
    for (int q = 0; q < partitions; q++)
        crew.work[q] = (struct partition_work){
            .plan = options->plan,
            .log = log,
            .topic = topic,
            .partition = q,
            .boundary = boundaries[q],
            .base = result->kind == BATCH_FULL ? NULL : &base,
            .by_time = result->kind == BATCH_BY_TIME,
            .bucket_ms = bucket_ms,
            .block_offsets = options->block_offsets,
            .buffer_ms = options->buffer_ms < 0 ? bucket_ms : options->buffer_ms,
            .memory_bytes = options->memory_bytes / (size_t)workers,
            .folder = folder,
            .columnar = options->columnar ? options->archive : NULL,
            .failed = &crew.failed};
    int64_t begin_ns = clock_mono_ns();
    rc = run_crew(&crew, workers, err);
    result->fold_ns = clock_mono_ns() - begin_ns;
    result->workers = workers;
    *manifest = (struct manifest){
        .partitions = partitions, .kind = result->kind, .number = options->number};
    memcpy(manifest->base, result->base, sizeof manifest->base);
    memcpy(manifest->plan, options->plan->hash, sizeof manifest->plan);
    manifest->files = mem_zero((size_t)partitions, sizeof *manifest->files);
    sum_up(&crew, manifest, result);
    manifest_release(&base);
    free(crew.work);
    free(crew.errors);
    if (rc == 0)
        rc = folder_commit(folder, manifest, err);
    return rc;
}

int batch_compute(const struct batch_options *options, const char *topic, const int64_t *boundaries,
                  struct folder *folder, struct manifest *manifest, struct batch_result *result,
                  struct err *err)
{
    struct log *log = NULL;
    int64_t *ends = NULL;
    int rc = batch_open_archive(options, topic, &log, err);
    if (rc > 0) {
        if (!result->parts) {
            result->partitions = rc;
            result->parts = mem_zero((size_t)rc, sizeof *result->parts);
        }
        ends = mem_zero((size_t)rc, sizeof *ends);
        rc = batch_archive_ends(log, topic, rc, ends, err);
        if (rc == 0)
            rc = fold_all(options, log, topic, boundaries ? boundaries : ends, folder, manifest,
                          result, err);
    }
    free(ends);
    log_close(log);
    return rc;
}
