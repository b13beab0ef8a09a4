/* lambda/runs.h - sorted runs of cells on disk, so that a batch's memory has a bound.
 *
 * A fold whose cells outgrow their share writes them as one run, sorted by (field, key as JSON),
 * and begins anew; at the end one k-way merge gives every (field, key) once, with aggregate_merge
 * over all runs and over the cells still in memory. All runs of a partition stand in one temporary
 * file; RUNS_WAYS runs of one level become one of the next, so a merge never reads more than that
 * of a level at a time. Opaque: owns the file. One thread. */
#ifndef LK_LAMBDA_RUNS_H
#define LK_LAMBDA_RUNS_H

#include "common/op/cells.h"

enum { RUNS_WAYS = 16 };

/* One row; borrowed: a merged one for the call, an input's until its next. */
struct runs_row {
    struct cell_field field;
    struct bytes key; /* JSON */
    const int128 *slots;
    struct bytes partial; /* where slots is NULL: an input's row as text, merged with no other */
};
/* Rows from elsewhere (a base generation's), in the same order; each (field, key) once. */
struct runs_input {
    int (*next)(void *context, struct runs_row *row, struct err *err); /* 1 a row, 0 the end */
    void *context;
};
/* 0, or a code that ends the merge. */
typedef int runs_each(const struct runs_row *row, void *context, struct err *err);

struct runs;

/* path is where the temporary file goes; it is made at the first spill and removed at the end. */
struct runs *runs_new(const struct plan *plan, const char *path);
void runs_free(struct runs *runs);
/* Write all cells as one run; the caller clears them. ERR_FULL, ERR_ENV. */
int runs_spill(struct runs *runs, const struct cells *cells, struct err *err);
/* Call each for every (field, key) in order, over all runs, over cells and over input (NULL: none).
 * ERR_DATA: a row of the input is no partial of this plan. */
int runs_merge(struct runs *runs, const struct cells *cells, const struct runs_input *input,
               runs_each *each, void *context, struct err *err);
/* Runs spilled so far. */
int runs_count(const struct runs *runs);

#endif
