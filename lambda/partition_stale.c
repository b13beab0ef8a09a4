/* lambda/partition_stale.c - by time: the older events of stale buckets are read again.
 *
 * When the new events are folded, it is known which buckets they fell into. Of the blocks below the
 * base's boundary those are read that the sidecar does not rule out; cells of other buckets that come
 * along are dropped before they are spilled or merged. */
#include "lambda/partition_parts.h"

static bool may_have(const struct stale *stale, const struct times_block *block)
{
    for (int i = 0; i < block->count; i++)
        if (stale_meets(stale, block->spans[i].min_ms, block->spans[i].max_ms))
            return true;
    return false;
}

/* The next blocks below the base's boundary that may have some; false: there are none. */
static bool next_range(struct partition *state)
{
    int64_t end = state->base.head.boundary;
    const struct times *times = &state->times;
    bool found = false;
    for (; state->block < times->count; state->block++) {
        const struct times_block *block = &times->blocks[state->block];
        int64_t begin = times_begin(times, state->block);
        bool wanted = begin < end && may_have(&state->stale, block);
        if (wanted && !found)
            state->from = begin;
        if (wanted)
            state->until = block->next < end ? block->next : end;
        if (found && !wanted)
            break;
        found = wanted;
    }
    return found;
}

static bool is_fresh(const struct cell *cell, void *context)
{
    const struct stale *stale = context;
    return !stale_has(stale, cell->field.pane_ms);
}

static int again_begin(void *context, struct task *task, struct err *err)
{
    (void)err;
    struct partition *state = context;
    struct fold *fold = &task->folds[0];
    cells_release(&fold->cells);
    fold->cells = state->cells;
    cells_init(&state->cells, task->plan);
    fold->next = state->from;
    task->moved[0] = true;
    return 0;
}

/* Cells of other buckets come along and are dropped; counters and bad events the base has already. */
static int again_tick(void *context, struct task *task, struct err *err)
{
    struct partition *state = context;
    struct fold *fold = &task->folds[0];
    int rc = partition_check(state, fold, err);
    fold->bad_count = 0;
    if (cells_bytes(&fold->cells) > state->cells_bytes_max)
        cells_evict(&fold->cells, is_fresh, &state->stale);
    if (rc == 0 && cells_bytes(&fold->cells) > state->cells_bytes_max / 2)
        rc = partition_spill(state, fold, err);
    if (fold->next >= state->until && next_range(state)) {
        fold->next = state->from;
        task->moved[0] = true;
    }
    return rc;
}

static int again_end(void *context, struct task *task, struct err *err)
{
    (void)err;
    struct partition *state = context;
    struct fold *fold = &task->folds[0];
    cells_evict(&fold->cells, is_fresh, &state->stale);
    state->cells = fold->cells;
    cells_init(&fold->cells, task->plan);
    state->work->events += task->events;
    state->work->bytes += task->bytes;
    return 0;
}

int partition_fold_stale(struct partition *state, struct err *err)
{
    static const struct task_sink again = {again_begin, again_tick, again_end};
    struct partition_work *work = state->work;
    stale_settle(&state->stale, work->head.T_ms, work->buffer_ms);
    work->stale_buckets = stale_count(&state->stale, work->head.T_ms);
    if (!next_range(state))
        return 0;
    struct task task = partition_task(state, &state->until);
    return task_run(&task, &again, state, err);
}
