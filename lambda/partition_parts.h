/* lambda/partition_parts.h - what partition.c and partition_stale.c share; for them alone. */
#ifndef LK_LAMBDA_PARTITION_PARTS_H
#define LK_LAMBDA_PARTITION_PARTS_H

#include <stdio.h>

#include "common/run/task.h"
#include "lambda/partition.h"
#include "lambda/runs.h"
#include "lambda/stale.h"
#include "lambda/times.h"

/* One partition under way. */
struct partition {
    struct partition_work *work;
    size_t cells_bytes_max;
    int pass;
    struct cells cells; /* between passes */
    struct runs *runs;
    FILE *bad;
    char *bad_path;
    struct generation_writer *writer;
    struct buf field, partial;
    struct columnar_feed *feed; /* NULL: the log is read */
    struct base base;           /* its reader is NULL where there is none */
    bool indexed;               /* the file gets a sidecar: times */
    struct times times;
    int64_t events; /* of the task, up to the last block */
    struct stale stale;
    /* Older events of stale buckets: the range being read, and the block behind it. */
    int64_t from, until;
    int block;
};

/* After each step: note what is in memory; ERR_INTERRUPTED where another partition has failed. */
int partition_check(struct partition *state, const struct fold *fold, struct err *err);
/* The fold's cells become a sorted run. */
int partition_spill(struct partition *state, struct fold *fold, struct err *err);
/* A task over this partition, up to *until. */
struct task partition_task(const struct partition *state, const int64_t *until);

/* Fold the older events of stale buckets; what was folded so far is in state->cells and the runs. */
int partition_fold_stale(struct partition *state, struct err *err);

#endif
