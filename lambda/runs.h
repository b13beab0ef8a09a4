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

/* One merged row; borrowed for the call. */
struct runs_row {
    struct cell_field field;
    struct bytes key; /* JSON */
    const int128 *slots;
};
/* 0, or a code that ends the merge. */
typedef int runs_each(const struct runs_row *row, void *context, struct err *err);

struct runs;

/* path is where the temporary file goes; it is made at the first spill and removed at the end. */
struct runs *runs_new(const struct plan *plan, const char *path);
void runs_free(struct runs *runs);
/* Write all cells as one run; the caller clears them. ERR_FULL, ERR_ENV. */
int runs_spill(struct runs *runs, const struct cells *cells, struct err *err);
/* Call each for every (field, key) in order, over all runs and over cells. */
int runs_merge(struct runs *runs, const struct cells *cells, runs_each *each, void *context,
               struct err *err);
/* Runs spilled so far. */
int runs_count(const struct runs *runs);

#endif
