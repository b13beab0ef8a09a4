/* lambda/partition.c - see partition.h.
 *
 * Memory: a table that grows holds old and new at once, and sorting wants a third as much again, so
 * cells are spilled when they take a third of what they may. Ids take up to ID_BYTES each: a slot of
 * 24 in a table that may be no more than a third full. The cells stay in memory from one pass to
 * the next. Bad events go to a file of their own, in offset order. */
#include "lambda/partition.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/op/aggregate.h"
#include "common/run/task.h"
#include "lambda/runs.h"

enum { ID_BYTES = 72, WAIT_MS = 100 };

struct state {
    struct partition_work *work;
    size_t cells_bytes_max;
    int pass;
    struct cells cells; /* between passes */
    struct runs *runs;
    FILE *bad;
    char *bad_path;
    struct generation_writer *writer;
    struct buf field, partial;
    struct base base; /* its reader is NULL where there is none */
};

/* ---- the sink of the task loop ---- */

/* Stand at the base's boundary, with the ids of the horizon there. */
static int resume(const struct state *state, struct task *task, struct err *err)
{
    struct fold *fold = &task->folds[0];
    const struct generation_head *head = &state->base.head;
    int rc = 0;
    dedupe_init(&fold->ids, task->plan->dedupe_horizon_ms);
    if (task->plan->dedupe_by >= 0 && head->mark < head->boundary) {
        rc = task_rebuild(task, fold, head->mark, head->boundary, err);
        if (rc == 0 && fold->T_ms != head->T_ms)
            rc = err_set(err, ERR_DATA,
                         "partition %d: reading [%lld, %lld) again gives another T than the base "
                         "generation has: the archive is not the one that it was made from; run: "
                         "lk lambda batch --kind full",
                         fold->partition, (long long)head->mark, (long long)head->boundary);
    }
    fold->next = head->boundary;
    fold->T_ms = head->T_ms;
    task->moved[0] = true;
    return rc;
}

static int begin(void *context, struct task *task, struct err *err)
{
    struct state *state = context;
    struct fold *fold = &task->folds[0];
    cells_release(&fold->cells);
    fold->cells = state->cells;
    cells_init(&state->cells, task->plan); /* until end gives them back */
    fold->share = (uint32_t)state->pass;
    fold->shares = (uint32_t)state->work->passes;
    return state->base.reader ? resume(state, task, err) : 0;
}

static int keep_bad(struct state *state, struct fold *fold, struct err *err)
{
    if (!state->bad && !(state->bad = fopen(state->bad_path, "w+")))
        return err_errno(err, ERR_ENV, "cannot make the temporary file %s", state->bad_path);
    if (fwrite(fold->bad, sizeof *fold->bad, fold->bad_count, state->bad) != fold->bad_count)
        return err_errno(err, ERR_ENV, "cannot write the temporary file %s", state->bad_path);
    fold->bad_count = 0;
    return 0;
}

static int tick(void *context, struct task *task, struct err *err)
{
    struct state *state = context;
    struct fold *fold = &task->folds[0];
    if (atomic_load_explicit(state->work->failed, memory_order_relaxed))
        return err_set(err, ERR_INTERRUPTED, "another partition failed");
    if (fold->cells.count > state->work->cells_max)
        state->work->cells_max = fold->cells.count;
    int rc = fold->bad_count ? keep_bad(state, fold, err) : 0;
    if (rc == 0 && cells_bytes(&fold->cells) > state->cells_bytes_max) {
        rc = runs_spill(state->runs, &fold->cells, err);
        cells_clear(&fold->cells);
    }
    return rc;
}

static int end(void *context, struct task *task, struct err *err)
{
    (void)err;
    struct state *state = context;
    struct fold *fold = &task->folds[0];
    struct generation_head *head = &state->work->head;
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

static int fold_passes(struct state *state, struct err *err)
{
    const struct partition_work *work = state->work;
    int rc = 0;
    for (state->pass = 0; rc == 0 && state->pass < work->passes; state->pass++) {
        struct task task = {.plan = work->plan,
                            .rules = {.lateness = false},
                            .log = work->log,
                            .topic = work->topic,
                            .partitions = &work->partition,
                            .count = 1,
                            .until = &work->boundary,
                            .wait_ms = WAIT_MS};
        rc = task_run(&task, &sink, state, err);
    }
    return rc;
}

/* ---- the file ---- */

static int write_row(const struct runs_row *row, void *context, struct err *err)
{
    struct state *state = context;
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
    struct state *state = context;
    return base_next(&state->base, row, err);
}

static int write_cells(struct state *state, struct err *err)
{
    const struct runs_input base = {next_of_base, state};
    return runs_merge(state->runs, &state->cells, state->base.reader ? &base : NULL, write_row,
                      state, err);
}

static int write_bad_of_base(struct state *state, struct err *err)
{
    struct generation_row row;
    int rc = 0;
    while (state->base.reader && rc == 0 && (rc = base_next_bad(&state->base, &row, err)) == 1)
        rc = generation_add(state->writer, &row, err);
    return rc;
}

static int write_bad(struct state *state, struct err *err)
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

static int write_file(struct state *state, const char *path, struct err *err)
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

int partition_fold(struct partition_work *work, struct err *err)
{
    const char *id = folder_id(work->folder);
    char *path = folder_file(work->folder, id, work->partition, "");
    char *runs_path = folder_file(work->folder, id, work->partition, ".runs");
    bool ids = work->plan->dedupe_by >= 0;
    size_t share = ids ? work->memory_bytes / 2 : work->memory_bytes;
    struct state state = {.work = work,
                          .cells_bytes_max = share / 3,
                          .runs = runs_new(work->plan, runs_path),
                          .bad_path = folder_file(work->folder, id, work->partition, ".bad")};
    cells_init(&state.cells, work->plan);
    int64_t from = 0;
    int rc = work->base ? base_open(work->folder, work->base, work->plan, work->partition,
                                    &state.base, err)
                        : 0;
    if (rc == 0 && work->base) {
        work->head.counters = state.base.head.counters;
        from = state.base.head.mark;
    }
    work->passes = ids ? 1 + (int)((size_t)(work->boundary - from) * ID_BYTES / (share + 1)) : 1;
    if (rc == 0)
        rc = fold_passes(&state, err);
    if (rc == 0)
        rc = write_file(&state, path, err);
    work->runs = runs_count(state.runs);
    cells_release(&state.cells);
    runs_free(state.runs);
    base_close(&state.base);
    if (state.bad) {
        fclose(state.bad);
        unlink(state.bad_path);
    }
    buf_release(&state.field);
    buf_release(&state.partial);
    free(state.bad_path);
    free(runs_path);
    free(path);
    return rc;
}
