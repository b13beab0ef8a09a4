/* common/run/task.h - the one task loop: read -> scan -> operators -> sink, which batch, speed and
 * kappa all run.
 *
 * They differ in which range they fold, under which rules, and in the sink: job.h commits to the
 * view, lambda/batch.c writes a generation. One thread a task. */
#ifndef LK_RUN_TASK_H
#define LK_RUN_TASK_H

#include "common/run/fold.h"
#include "common/run/pace.h"

struct task;

/* Another source of a single partition's events than the log, as far as it has them. */
struct task_feed {
    /* Fold some events of task->folds[0] from its next on, below until[0], and move its next: 1; or 0:
     * there are none of them here, the log is read; or a code. Counts events and bytes, and sets
     * fed_min_ms, fed_max_ms. Runs on the
     * task's thread. */
    int (*fold)(void *state, struct task *task, struct err *err);
    void *state;
};

struct task {
    /* Set by the caller before task_run. */
    const struct plan *plan;
    struct rules rules;
    struct log *log;
    const char *topic;
    const int *partitions; /* borrowed */
    int count;
    const int64_t *until; /* by index: stop a partition there; NULL: go on until stop_asked */
    const struct log_group *group; /* the reader joins it; NULL: none. Shared: until is NULL */
    const struct task_feed *feed;  /* asked before the log is; NULL: none */
    int wait_ms;                   /* at most between two ticks while nothing comes */
    double rate; /* events a second up to where the log ends at task_run; 0: as fast as it goes */

    /* The task's own; sinks read and move folds. */
    struct lookup *lookup;
    struct folder folder;
    struct fold *folds; /* count of them */
    bool *moved;        /* by index: the sink has set folds[i].next; seek before reading on */
    bool *paused;       /* by index: not read for now (waiting for a batch) */
    bool *lost; /* by index: another worker's now; not read, unless the group deals it again */
    bool fed; /* the last step was the feed's, and these are the event times of its good events; */
    int64_t fed_min_ms, fed_max_ms; /* INT64_MAX, INT64_MIN: it had none */
    struct log_reader *reader;
    struct log_reader *aside; /* of task_rebuild; NULL once the task reads on */
    struct pace pace;         /* with rate */
    /* by index: its end at task_run; NULL: no rate, or all have come to theirs */
    int64_t *paced_to;
    int64_t events, bytes;                 /* folded so far, values' bytes */
    int64_t rebuild_events, rebuild_bytes; /* read by task_rebuild */
};

/* What a task does with its folds. Every member runs on the task's thread. */
struct task_sink {
    /* Put every fold where it begins and set moved. May block. */
    int (*begin)(void *state, struct task *task, struct err *err);
    /* After each read, also an empty one. May move or pause folds. Should not block long. */
    int (*tick)(void *state, struct task *task, struct err *err);
    /* All is folded, or a stop was asked: leave nothing unsaid. May block. 1: folds had to be moved
     * back (a lost connection), go on with the loop. */
    int (*end)(void *state, struct task *task, struct err *err);
};

/* Run to `until`, or until stop_asked (then ERR_INTERRUPTED, after end), or until the sink fails. */
int task_run(struct task *task, const struct task_sink *sink, void *state, struct err *err);
/* Re-read [from, to) of one partition into fold's horizon state (T, marks, ids): nothing else. */
int task_rebuild(struct task *task, struct fold *fold, int64_t from, int64_t to, struct err *err);

#endif
