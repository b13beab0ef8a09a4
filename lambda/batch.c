/* lambda/batch.c - see batch.h.
 *
 * A partition is a unit of work: threads take the next one until none is left. The first failure,
 * in order of partitions, is the one that is told; the others leave off. */
#include "lambda/batch.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/store/pos.h"
#include "common/store/registry.h"
#include "lambda/batch_slots.h"
#include "lambda/partition.h"
#include "lambda/speed.h"

enum { WORKERS_MAX = 64 };

void batch_release(struct batch_result *result)
{
    free(result->parts);
    *result = (struct batch_result){0};
}

/* ---- the archive ---- */

static bool is_folder(const char *archive, const char *name)
{
    struct stat about;
    struct buf path = {0};
    buf_printf(&path, "%s/%s", archive, name);
    bool yes = *name != '.' && stat(path.ptr, &about) == 0 && S_ISDIR(about.st_mode);
    buf_release(&path);
    return yes;
}

int batch_topic(const struct batch_options *options, char out[LOG_TOPIC_MAX + 1], struct err *err)
{
    int count = 0;
    snprintf(out, LOG_TOPIC_MAX + 1, "%s", options->topic ? options->topic : "");
    if (options->topic)
        return 0;
    DIR *dir = opendir(options->archive);
    if (!dir)
        return err_errno(err, ERR_ENV, "cannot open the archive %s", options->archive);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (is_folder(options->archive, entry->d_name) && count++ == 0)
            snprintf(out, LOG_TOPIC_MAX + 1, "%.*s", LOG_TOPIC_MAX, entry->d_name);
    closedir(dir);
    if (count == 1)
        return 0;
    return err_set(err, count ? ERR_USAGE : ERR_ENV,
                   count ? "the archive %s has several topics; say which with --topic"
                         : "the archive %s is empty; fill it with: lk lambda archive",
                   options->archive);
}

static int open_archive(const struct batch_options *options, const char *topic, struct log **out,
                        struct err *err)
{
    struct buf uri = {0};
    buf_printf(&uri, "archive:%s", options->archive);
    int rc = log_open(uri.ptr, false, out, err);
    buf_release(&uri);
    return rc < 0 ? rc : log_partitions(*out, topic, err);
}

static int archive_ends(struct log *log, const char *topic, int partitions, int64_t *ends,
                        struct err *err)
{
    for (int q = 0; q < partitions; q++) {
        int64_t first;
        int rc = log_range(log, topic, q, &first, &ends[q], err);
        if (rc < 0)
            return rc;
        if (first > 0)
            return err_set(
                err, ERR_DATA,
                "the archive of topic %s, partition %d, begins at offset %lld, not at 0: "
                "what lies below was deleted before it was archived; a batch over the "
                "rest would be wrong",
                topic, q, (long long)first);
    }
    return 0;
}

/* ---- folding on all cores ---- */

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
                                       .withdrawn = options->withdrawn,
                                       .served = options->served,
                                       .partitions = result->partitions,
                                       .boundaries = boundaries};
    int rc = options->kind == BATCH_FULL ? 0 : base_find(folder, &wanted, base, err);
    if (rc == 0 && options->kind != BATCH_FULL)
        fprintf(stderr,
                "lk: no generation of this plan that ends where this batch ends or before it: "
                "this one is computed in full\n");
    result->kind = rc == 1 ? options->kind : BATCH_FULL;
    memcpy(result->base, base->id, sizeof result->base);
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
    *manifest = (struct manifest){.partitions = partitions, .kind = result->kind};
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
    int rc = open_archive(options, topic, &log, err);
    if (rc > 0) {
        if (!result->parts) {
            result->partitions = rc;
            result->parts = mem_zero((size_t)rc, sizeof *result->parts);
        }
        ends = mem_zero((size_t)rc, sizeof *ends);
        rc = archive_ends(log, topic, rc, ends, err);
    }
    if (rc == 0)
        rc = fold_all(options, log, topic, boundaries ? boundaries : ends, folder, manifest, result,
                      err);
    free(ends);
    log_close(log);
    return rc;
}

struct run {
    struct kv *kv;
    const struct batch_options *options;
    struct batch_result *result;
    struct folder *folder;
    struct manifest manifest;
    int version, handover;
    int64_t *slots;            /* by partition: two-slot and naive */
    int64_t withdrawn, served; /* as in base.h */
};

/* ---- boundaries ---- */

/* The boundary to build up to, given what pos says and where the archive ends. */
static int64_t choose_boundary(const struct pos *pos, int handover, int64_t end)
{
    int64_t cut = 0;
    if (handover != HANDOVER_OFFSET)
        return end;
    for (int i = 0; i < pos->cut_count; i++)
        if (pos->cuts[i] <= end && pos->cuts[i] > cut)
            cut = pos->cuts[i];
    if (bug_planted("boundary-any"))
        return end;
    if (cut > pos->boundary)
        return cut;
    if (end >= pos->next && end > pos->boundary)
        return end;
    return pos->boundary < end ? pos->boundary
                               : end; /* nothing new: the same again, for the file */
}

/* The greatest number that was rolled back, the least that serves since. */
static void note_withdrawn(struct run *run, const struct pos *pos)
{
    if (pos->withdrawn == 0)
        return;
    if (run->withdrawn == 0 || pos->number < run->served)
        run->served = pos->number;
    if (pos->withdrawn > run->withdrawn)
        run->withdrawn = pos->withdrawn;
}

/* Sets *grows where some partition's boundary is above its published one. */
static int choose_boundaries(struct run *run, int partitions, const int64_t *ends,
                             int64_t *boundaries, bool *grows, struct err *err)
{
    struct kv *kv = run->kv;
    struct arena arena = {0};
    char name[16];
    int rc = 0;
    *grows = false;
    registry_version_name(ARCH_LAMBDA, run->version, name);
    for (int q = 0; rc >= 0 && q < partitions; q++) {
        struct kv_reply *replies;
        struct pos pos;
        kv_words(kv, "HGETALL", key_pos(&arena, run->options->plan->view, name, q), NULL);
        rc = kv_roundtrip(kv, &replies, err);
        if (rc >= 0)
            rc = pos_decode(&replies[0], &pos, err);
        if (rc < 0)
            break;
        boundaries[q] = choose_boundary(&pos, run->handover, ends[q]);
        *grows = *grows || boundaries[q] > pos.boundary;
        note_withdrawn(run, &pos);
        pos_release(&pos);
    }
    arena_release(&arena);
    return rc < 0 ? rc : 0;
}

/* ---- the run ---- */

/* 1 found, or a code. */
static int find_newest(struct run *run, struct err *err)
{
    const struct batch_options *options = run->options;
    int rc = folder_newest(run->folder, options->plan->hash, &run->manifest, err);
    return rc ? rc
              : err_set(
                    err, ERR_ENV,
                    "the archive %s has no generation of this plan; run: lk lambda batch without "
                    "--reload",
                    options->archive);
}

static int note_slots(struct run *run, struct err *err)
{
    if (run->handover != HANDOVER_TWO_SLOT && run->handover != HANDOVER_NAIVE)
        return 0;
    return batch_slots_note(run->kv, run->options->plan, run->version, run->result->partitions,
                            run->slots, err);
}

static int reload(struct run *run, struct err *err)
{
    int rc = find_newest(run, err);
    int noted = rc == 1 ? note_slots(run, err) : 0;
    return noted < 0 ? noted : rc;
}

/* 1 computed, 0 nothing new, or a code. */
static int compute(struct run *run, int partitions, struct log *log, struct err *err)
{
    const struct batch_options *options = run->options;
    const char *topic = run->result->topic;
    int64_t *numbers = mem_zero(2 * (size_t)partitions, sizeof *numbers);
    int64_t *ends = numbers, *boundaries = numbers + partitions;
    bool grows = false;
    int rc = archive_ends(log, topic, partitions, ends, err);
    if (rc == 0)
        rc = choose_boundaries(run, partitions, ends, boundaries, &grows, err);
    bool wanted = grows || !options->only_new;
    if (rc == 0 && wanted)
        rc = note_slots(run, err);
    if (rc == 0 && wanted && run->handover != HANDOVER_OFFSET)
        rc = archive_ends(log, topic, partitions, boundaries, err); /* as of now */
    if (rc == 0 && wanted) {
        struct batch_options now = *options;
        now.withdrawn = run->withdrawn;
        now.served = run->served;
        rc = batch_compute(&now, topic, boundaries, run->folder, &run->manifest, run->result, err);
        rc = rc < 0 ? rc : 1;
    }
    free(numbers);
    return rc;
}

static int publish_and_prune(struct run *run, struct err *err)
{
    struct batch_result *result = run->result;
    struct publish_part *parts = mem_zero((size_t)result->partitions, sizeof *parts);
    struct publish_options options = {.plan = run->options->plan,
                                      .version = run->version,
                                      .folder = run->folder,
                                      .handover = (enum handover)run->handover,
                                      .slots = run->slots,
                                      .manifest = &run->manifest,
                                      .withdrawn =
                                          run->options->reload ? INT64_MAX : run->withdrawn};
    memcpy(result->generation, run->manifest.id, sizeof result->generation);
    int rc = publish_run(run->kv, &options, parts, err);
    for (int q = 0; q < result->partitions; q++) {
        result->parts[q].boundary = run->manifest.files[q].boundary;
        result->parts[q].history = run->manifest.files[q].history;
        result->parts[q].publish = parts[q];
    }
    free(parts);
    return rc < 0 ? rc : folder_prune(run->folder, run->options->keep, err);
}

static int run_in_folder(struct run *run, int partitions, struct log *log, struct err *err)
{
    struct batch_result *result = run->result;
    result->partitions = partitions;
    result->parts = mem_zero((size_t)partitions, sizeof *result->parts);
    run->handover = run->options->handover;
    run->slots = mem_zero((size_t)partitions, sizeof *run->slots);
    run->version = lambda_version_of(run->kv, run->options->plan, partitions, &run->handover, err);
    if (run->version < 0)
        return run->version;
    result->handover = run->handover;
    int rc = folder_open(run->options->archive, result->topic, run->options->plan->view,
                         &run->folder, err);
    if (rc == 0 && run->options->reload)
        rc = reload(run, err);
    else if (rc == 0)
        rc = compute(run, partitions, log, err);
    if (rc == 1 && run->manifest.partitions != partitions)
        rc = err_set(err, ERR_DATA, "generation %s has %d partitions and the archive %d",
                     run->manifest.id, run->manifest.partitions, partitions);
    if (rc == 1)
        rc = publish_and_prune(run, err);
    return rc;
}

int batch_run(struct kv *kv, const struct batch_options *options, struct batch_result *result,
              struct err *err)
{
    int64_t wall_ns = clock_mono_ns(), cpu_ns = clock_cpu_ns();
    struct log *log = NULL;
    *result = (struct batch_result){0};
    struct run run = {.kv = kv, .options = options, .result = result};
    int rc = base_kind_fits(options->kind, options->plan, err);
    if (rc == 0)
        rc = batch_topic(options, result->topic, err);
    if (rc == 0)
        rc = open_archive(options, result->topic, &log, err);
    if (rc > 0)
        rc = run_in_folder(&run, rc, log, err);
    manifest_release(&run.manifest);
    folder_close(run.folder);
    free(run.slots);
    log_close(log);
    result->wall_ns = clock_mono_ns() - wall_ns;
    result->cpu_ns = clock_cpu_ns() - cpu_ns;
    return rc;
}
