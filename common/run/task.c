/* common/run/task.c - see task.h. */
#include "common/run/task.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/stop.h"

static int index_of(const struct task *task, int partition)
{
    for (int i = 0; i < task->count; i++)
        if (task->partitions[i] == partition)
            return i;
    return -1;
}

/* The part of batch below end. */
static void clip(struct log_batch *batch, int64_t end)
{
    while (batch->count > 0 && batch->offset[batch->count - 1] >= end)
        batch->count--;
    if (batch->next > end)
        batch->next = end;
}

/* A broker that is away is waited for: the partition stays moved, and is not read. */
static int seek_moved(struct task *task, struct err *err)
{
    for (int i = 0; i < task->count; i++) {
        if (!task->moved[i])
            continue;
        int rc = log_seek(task->reader, task->partitions[i], task->folds[i].next, err);
        if (rc < 0 && rc != ERR_AWAY)
            return rc;
        task->moved[i] = rc == ERR_AWAY;
    }
    err_clear(err);
    return 0;
}

static bool done(const struct task *task, int i)
{
    return task->lost[i] || (task->until && task->folds[i].next >= task->until[i]);
}

/* A member of a group that has been dealt nothing waits for its share. */
static bool all_done(const struct task *task)
{
    if (task->group && task->group->shared)
        return false;
    for (int i = 0; i < task->count; i++)
        if (!done(task, i))
            return false;
    return true;
}

static int64_t bytes_of_values(const struct log_batch *batch)
{
    int64_t bytes = 0;
    for (int i = 0; i < batch->count; i++)
        bytes += (int64_t)batch->value[i].len;
    return bytes;
}

static void close_aside(struct task *task)
{
    log_reader_close(task->aside);
    task->aside = NULL;
}

/* ---- the rate of a replay ---- */

static int pace_begin(struct task *task, struct err *err)
{
    int rc = 0;
    if (task->rate <= 0)
        return 0;
    task->paced_to = mem_zero((size_t)task->count, sizeof *task->paced_to);
    for (int i = 0; rc == 0 && i < task->count; i++) {
        int64_t first;
        rc =
            log_range(task->log, task->topic, task->partitions[i], &first, &task->paced_to[i], err);
    }
    pace_init(&task->pace, task->rate, clock_mono_ns());
    return rc;
}

/* How many events may be read now; 0: none for now, and some of the wait is over. */
static int may_read(struct task *task)
{
    bool behind = false;
    int64_t now = clock_mono_ns(), ready_ns;
    for (int i = 0; task->paced_to && i < task->count; i++)
        behind = behind || (!task->lost[i] && task->folds[i].next < task->paced_to[i]);
    if (!behind) { /* what comes from now on is not replayed */
        free(task->paced_to);
        task->paced_to = NULL;
        return LOG_BATCH_MAX;
    }
    int max = pace_ask(&task->pace, LOG_BATCH_MAX, now, &ready_ns);
    int64_t tick_ns = now + (int64_t)task->wait_ms * 1000000;
    if (max == 0)
        clock_sleep_until_ns(ready_ns < tick_ns ? ready_ns : tick_ns);
    return max;
}

/* Read and fold once; waits at most wait_ms. */
static int step(struct task *task, int wait_ms, struct err *err)
{
    close_aside(task);
    int rc = task->feed ? task->feed->fold(task->feed->state, task, err) : 0;
    task->fed = rc == 1;
    if (task->fed)
        task->moved[0] = true;
    if (rc == 0)
        rc = seek_moved(task, err);
    if (rc != 0)
        return rc;
    for (int i = 0; i < task->count; i++)
        log_pause(task->reader, task->partitions[i],
                  task->paused[i] || task->moved[i] || done(task, i));
    int max = may_read(task);
    if (max == 0)
        return 0;
    struct log_batch batch;
    int count = log_read(task->reader, max, wait_ms, &batch, err);
    if (count < 0 || batch.partition < 0)
        return count;
    fault_point("poll");
    int i = index_of(task, batch.partition); /* count 0: its position alone has moved */
    if (task->until)
        clip(&batch, task->until[i]);
    task->events += batch.count;
    task->bytes += bytes_of_values(&batch);
    pace_take(&task->pace, batch.count);
    fold_batch(&task->folder, &task->folds[i], &batch);
    return 0;
}

static int loop(struct task *task, const struct task_sink *sink, void *state, struct err *err)
{
    int rc = sink->begin(state, task, err);
    do {
        while (rc >= 0 && !stop_asked() && !all_done(task)) {
            rc = step(task, task->wait_ms, err);
            if (rc >= 0)
                rc = sink->tick(state, task, err);
        }
        if (rc >= 0)
            rc = sink->end(state, task, err);
        /* A boundary met in the last commit may have moved a fold back below its end. */
    } while ((rc == 1 || (rc == 0 && !all_done(task))) && !stop_asked());
    if (rc >= 0 && !all_done(task))
        rc = err_set(err, ERR_INTERRUPTED, "interrupted");
    return rc < 0 ? rc : 0;
}

int task_run(struct task *task, const struct task_sink *sink, void *state, struct err *err)
{
    int rc = task->plan->table ? lookup_open(task->plan, &task->lookup, err) : 0;
    if (rc < 0)
        return rc;
    folder_init(&task->folder, task->plan, task->lookup);
    task->folds = mem_zero((size_t)task->count, sizeof *task->folds);
    task->moved = mem_zero((size_t)task->count, sizeof *task->moved);
    task->paused = mem_zero((size_t)task->count, sizeof *task->paused);
    task->lost = mem_zero((size_t)task->count, sizeof *task->lost);
    for (int i = 0; i < task->count; i++)
        fold_init(&task->folds[i], task->plan, task->rules, task->partitions[i]);
    rc = log_reader_open(task->log, task->topic, task->partitions, task->count, &task->reader, err);
    if (rc >= 0 && task->group)
        rc = log_join(task->reader, task->group, err);
    rc = rc < 0 ? rc : pace_begin(task, err);
    if (rc >= 0) {
        log_leave_due(task->reader);
        rc = loop(task, sink, state, err);
    }
    close_aside(task);
    log_reader_close(task->reader);
    for (int i = 0; i < task->count; i++)
        fold_release(&task->folds[i]);
    free(task->folds);
    free(task->moved);
    free(task->paused);
    free(task->lost);
    free(task->paced_to);
    folder_release(&task->folder);
    lookup_close(task->lookup);
    return rc;
}

/* The reader that serves all rebuilds until the task reads on: on Kafka a consumer for each partition
 * would take most of the time of a take. */
static int open_aside(struct task *task, struct err *err)
{
    if (task->aside)
        return 0;
    int rc =
        log_reader_open(task->log, task->topic, task->partitions, task->count, &task->aside, err);
    if (rc < 0)
        return rc;
    log_leave_due(task->aside);
    for (int i = 0; i < task->count; i++)
        log_pause(task->aside, task->partitions[i], true);
    return 0;
}

int task_rebuild(struct task *task, struct fold *fold, int64_t from, int64_t to, struct err *err)
{
    int rc = open_aside(task, err);
    if (rc >= 0)
        rc = log_seek(task->aside, fold->partition, from, err);
    if (rc < 0)
        return rc;
    log_pause(task->aside, fold->partition, false);
    fold->next = from;
    while (rc >= 0 && fold->next < to && !stop_asked()) {
        struct log_batch batch;
        rc = log_read(task->aside, LOG_BATCH_MAX, 100, &batch, err);
        if (rc < 0 || batch.partition < 0)
            continue;
        clip(&batch, to);
        task->rebuild_events += batch.count;
        task->rebuild_bytes += bytes_of_values(&batch);
        fold_horizon(&task->folder, fold, &batch);
    }
    log_pause(task->aside, fold->partition, true);
    if (rc >= 0 && fold->next < to)
        return err_set(err, ERR_INTERRUPTED, "interrupted");
    return rc < 0 ? rc : 0;
}
