/* lambda/partition.c - see partition.h.
 *
 * Memory: a table that grows holds old and new at once, and sorting wants a third as much again, so
 * cells are spilled when they take a third of what they may. Ids take up to ID_BYTES each: a slot of
 * 24 in a table that may be no more than a third full. The cells stay in memory from one pass to
 * the next. Bad events go to a file of their own, in offset order. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/fault.h"
#include "common/op/aggregate.h"
#include "lambda/partition_parts.h"

enum { ID_BYTES = 72, WAIT_MS = 100 };

/* ---- the sink of the task loop ---- */

/* Stand at the base's boundary, with the ids of the horizon there. */
static int resume(const struct partition *state, struct task *task, struct err *err)
{
    struct fold *fold = &task->folds[0];
    const struct generation_head *head = &state->base.head;
    int rc = 0;
    dedupe_init(&fold->ids, task->plan->dedupe_horizon_ms);
    if (task->plan->dedupe_by >= 0 && head->mark < head->boundary && !bug_planted("base-ids")) {
        rc = task_rebuild(task, fold, head->mark, head->boundary, err);
        if (rc == 0 && fold->T_ms != head->T_ms)
            rc = err_set(err, ERR_DATA,
                         "partition %d: reading [%lld, %lld) again gives another T than the base "
                         "generation has: the archive is not the one that it was made from; run: "
                         "lk lambda batch --kind full",
                         fold->partition, (long long)head->mark, (long long)head->boundary);
    }
    fold->next = head->boundary;
    if (bug_planted("base-twice") && fold->next > 0)
        fold->next--;
    fold->T_ms = head->T_ms;
    task->moved[0] = true;
    return rc;
}

static int begin(void *context, struct task *task, struct err *err)
{
    struct partition *state = context;
    struct fold *fold = &task->folds[0];
    cells_release(&fold->cells);
    fold->cells = state->cells;
    cells_init(&state->cells, task->plan); /* until end gives them back */
    fold->share = (uint32_t)state->pass;
    fold->shares = (uint32_t)state->work->passes;
    return state->base.reader ? resume(state, task, err) : 0;
}

static int keep_bad(struct partition *state, struct fold *fold, struct err *err)
{
    if (!state->bad && !(state->bad = fopen(state->bad_path, "w+")))
        return err_errno(err, ERR_ENV, "cannot make the temporary file %s", state->bad_path);
    if (fwrite(fold->bad, sizeof *fold->bad, fold->bad_count, state->bad) != fold->bad_count)
        return err_errno(err, ERR_ENV, "cannot write the temporary file %s", state->bad_path);
    fold->bad_count = 0;
    return 0;
}

/* The event times of what the last step read, which still stands in the columns unless it was fed. */
static void note_times(struct partition *state, const struct task *task)
{
    const struct columns *columns = task->folder.columns;
    int64_t rows = task->fed ? 0 : task->events - state->events;
    state->events = task->events;
    times_reach(&state->times, task->folds[0].next);
    if (task->fed)
        times_see(&state->times, task->fed_min_ms, task->fed_max_ms);
    for (int64_t row = 0; row < rows; row++) {
        int64_t time_ms = columns->column[0].i64[row];
        if (columns->bad[row] == BAD_NOT && !(bug_planted("sidecar-short") && row > 0))
            times_see(&state->times, time_ms, time_ms);
    }
}

/* The buckets of these cells are stale: a new event fell into each. */
static void note_stale(struct partition *state, const struct cells *cells)
{
    size_t walk = 0;
    for (const struct cell *cell; state->work->by_time && (cell = cells_next(cells, &walk));)
        stale_add(&state->stale, cell->field.pane_ms);
}

int partition_check(struct partition *state, const struct fold *fold, struct err *err)
{
    if (fold->cells.count > state->work->cells_max)
        state->work->cells_max = fold->cells.count;
    return atomic_load_explicit(state->work->failed, memory_order_relaxed)
               ? err_set(err, ERR_INTERRUPTED, "another partition failed")
               : 0;
}

int partition_spill(struct partition *state, struct fold *fold, struct err *err)
{
    int rc = runs_spill(state->runs, &fold->cells, err);
    cells_clear(&fold->cells);
    return rc;
}

static int tick(void *context, struct task *task, struct err *err)
{
    struct partition *state = context;
    struct fold *fold = &task->folds[0];
    int rc = partition_check(state, fold, err);
    if (state->indexed)
        note_times(state, task);
    if (rc == 0 && fold->bad_count)
        rc = keep_bad(state, fold, err);
    if (rc || cells_bytes(&fold->cells) <= state->cells_bytes_max)
        return rc;
    note_stale(state, &fold->cells);
    return partition_spill(state, fold, err);
}

static int end(void *context, struct task *task, struct err *err)
{
    (void)err;
    struct partition *state = context;
    struct fold *fold = &task->folds[0];
    struct generation_head *head = &state->work->head;
    note_stale(state, &fold->cells);
    state->cells = fold->cells;
    cells_init(&fold->cells, task->plan);
    counters_add(&head->counters, &fold->counters);
    head->T_ms = fold->T_ms;
    head->mark = fold_mark(fold);
    state->work->events += task->events + task->rebuild_events;
    state->work->bytes += task->bytes + task->rebuild_bytes;
    return 0;
}

static const struct task_sink sink = {begin, tick, end};

struct task partition_task(const struct partition *state, const int64_t *until)
{
    const struct partition_work *work = state->work;
    return (struct task){.plan = work->plan,
                         .rules = {.lateness = false},
                         .log = work->log,
                         .topic = work->topic,
                         .partitions = &work->partition,
                         .count = 1,
                         .until = until,
                         .feed = state->feed ? columnar_feed_task(state->feed) : NULL,
                         .wait_ms = WAIT_MS};
}

static int fold_passes(struct partition *state, struct err *err)
{
    const struct partition_work *work = state->work;
    int rc = 0;
    for (state->pass = 0; rc == 0 && state->pass < work->passes; state->pass++) {
        struct task task = partition_task(state, &work->boundary);
        rc = task_run(&task, &sink, state, err);
    }
    return rc;
}

/* ---- the file ---- */

static int write_row(const struct runs_row *row, void *context, struct err *err)
{
    struct partition *state = context;
    const struct plan *plan = state->work->plan;
    struct bytes partial = row->partial;
    buf_clear(&state->field);
    buf_clear(&state->partial);
    window_encode(plan, row->field, &state->field);
    if (row->slots) {
        aggregate_encode(plan, row->slots, &state->partial);
        partial = buf_bytes(&state->partial);
    }
    state->work->rows_copied += !row->slots;
    return generation_add(
        state->writer, &(struct generation_row){buf_bytes(&state->field), row->key, partial}, err);
}

static int next_of_base(void *context, struct runs_row *row, struct err *err)
{
    struct partition *state = context;
    int rc;
    do
        rc = base_next(&state->base, row, err);
    while (rc == 1 && state->work->by_time && stale_has(&state->stale, row->field.pane_ms));
    return rc;
}

static int write_cells(struct partition *state, struct err *err)
{
    const struct runs_input base = {next_of_base, state};
    return runs_merge(state->runs, &state->cells, state->base.reader ? &base : NULL, write_row,
                      state, err);
}

static int write_bad_of_base(struct partition *state, struct err *err)
{
    struct generation_row row;
    int rc = 0;
    while (state->base.reader && rc == 0 && (rc = base_next_bad(&state->base, &row, err)) == 1)
        rc = generation_add(state->writer, &row, err);
    return rc;
}

static int write_bad(struct partition *state, struct err *err)
{
    struct fold_bad bad;
    int rc = 0;
    if (!state->bad)
        return 0;
    rewind(state->bad);
    while (rc == 0 && fread(&bad, sizeof bad, 1, state->bad) == 1) {
        buf_clear(&state->field);
        buf_add_int64(&state->field, bad.offset);
        rc =
            generation_add(state->writer,
                           &(struct generation_row){bytes_of(GENERATION_BAD),
                                                    buf_bytes(&state->field), bytes_of(bad.reason)},
                           err);
    }
    if (rc == 0 && ferror(state->bad))
        rc = err_errno(err, ERR_ENV, "cannot read the temporary file %s", state->bad_path);
    return rc;
}

static int write_file(struct partition *state, const char *path, struct err *err)
{
    struct partition_work *work = state->work;
    struct manifest_file *file = &work->file;
    memcpy(work->head.plan, work->plan->hash, sizeof work->head.plan);
    work->head.partition = work->partition;
    work->head.boundary = file->boundary = file->history = work->boundary;
    if (state->base.reader)
        file->history = work->base->files[work->partition].history;
    int rc = generation_create(path, &work->head, &state->writer, err);
    if (rc == 0)
        rc = write_cells(state, err);
    if (rc == 0)
        rc = write_bad_of_base(state, err);
    if (rc == 0)
        rc = write_bad(state, err);
    if (rc)
        generation_abandon(state->writer);
    else
        rc = generation_finish_take(state->writer, file->checksum, &file->rows, &file->bytes, err);
    return rc;
}

/* What the fold begins with, where it does not begin with nothing. */
static int open_base(struct partition *state, struct err *err)
{
    struct partition_work *work = state->work;
    if (!work->base)
        return 0;
    int rc = base_open(work->folder, work->base, work->plan, work->partition, &state->base, err);
    if (rc < 0)
        return rc;
    work->head.counters = state->base.head.counters;
    char *path = folder_file(work->folder, work->base->id, work->partition, ".times");
    if (state->indexed)
        times_read(&state->times, path, state->base.head.boundary);
    free(path);
    return 0;
}

/* Each pass keeps the ids of a share: as many as an event each of what is read. */
static int passes_of(const struct partition *state, size_t ids_bytes)
{
    const struct partition_work *work = state->work;
    int64_t events = work->boundary - (work->base ? state->base.head.mark : 0);
    return work->plan->dedupe_by < 0 ? 1 : 1 + (int)((size_t)events * ID_BYTES / (ids_bytes + 1));
}

static int fold_and_write(struct partition *state, const char *path, const char *times_path,
                          struct err *err)
{
    int rc = fold_passes(state, err);
    if (rc == 0 && state->work->by_time)
        rc = partition_fold_stale(state, err);
    if (rc == 0 && state->indexed)
        rc = times_write(&state->times, times_path, err);
    return rc ? rc : write_file(state, path, err);
}

static void release(struct partition *state)
{
    cells_release(&state->cells);
    runs_free(state->runs);
    base_close(&state->base);
    columnar_feed_close(state->feed);
    times_release(&state->times);
    stale_release(&state->stale);
    if (state->bad) {
        fclose(state->bad);
        unlink(state->bad_path);
    }
    buf_release(&state->field);
    buf_release(&state->partial);
    free(state->bad_path);
}

int partition_fold(struct partition_work *work, struct err *err)
{
    const char *id = folder_id(work->folder);
    char *path = folder_file(work->folder, id, work->partition, "");
    char *runs_path = folder_file(work->folder, id, work->partition, ".runs");
    char *times_path = folder_file(work->folder, id, work->partition, ".times");
    bool ids = work->plan->dedupe_by >= 0;
    size_t share = ids ? work->memory_bytes / 2 : work->memory_bytes;
    struct partition state = {
        .work = work,
        .cells_bytes_max = share / 3,
        .runs = runs_new(work->plan, runs_path),
        .indexed = !ids && work->plan->window != WINDOW_NONE,
        .times = {.join_ms = work->plan->pane_ms, .offsets_min = work->block_offsets},
        .bad_path = folder_file(work->folder, id, work->partition, ".bad")};
    cells_init(&state.cells, work->plan);
    stale_init(&state.stale, work->bucket_ms);
    int rc = open_base(&state, err);
    if (rc == 0 && work->columnar)
        rc = columnar_feed_open(work->columnar, work->topic, work->partition, work->plan,
                                &state.feed, err);
    work->passes = passes_of(&state, share);
    if (rc == 0)
        rc = fold_and_write(&state, path, times_path, err);
    work->runs = runs_count(state.runs);
    if (state.feed)
        work->segments_columnar = columnar_feed_segments(state.feed);
    release(&state);
    free(times_path);
    free(runs_path);
    free(path);
    return rc;
}
