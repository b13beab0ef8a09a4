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
};

/* ---- the sink of the task loop ---- */

static int begin(void *context, struct task *task, struct err *err)
{
    (void)err;
    struct state *state = context;
    struct fold *fold = &task->folds[0];
    cells_release(&fold->cells);
    fold->cells = state->cells;
    fold->share = (uint32_t)state->pass;
    fold->shares = (uint32_t)state->work->passes;
    return 0;
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
    state->work->events += task->events;
    state->work->bytes += task->bytes;
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
    buf_clear(&state->field);
    buf_clear(&state->partial);
    window_encode(plan, row->field, &state->field);
    aggregate_encode(plan, row->slots, &state->partial);
    return generation_add(
        state->writer,
        &(struct generation_row){buf_bytes(&state->field), row->key, buf_bytes(&state->partial)},
        err);
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
    work->head.boundary = file->boundary = work->boundary;
    int rc = generation_create(path, &work->head, &state->writer, err);
    if (rc == 0)
        rc = runs_merge(state->runs, &state->cells, write_row, state, err);
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
    work->passes = ids ? 1 + (int)((size_t)work->boundary * ID_BYTES / (share + 1)) : 1;
    int rc = fold_passes(&state, err);
    if (rc == 0)
        rc = write_file(&state, path, err);
    work->runs = runs_count(state.runs);
    cells_release(&state.cells);
    runs_free(state.runs);
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
