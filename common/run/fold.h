/* common/run/fold.h - the fold of one partition: read -> scan -> operators, for batch, speed, kappa.
 *
 * State is a pure function of the partition's prefix and the rules: T, the marks, the ids, the
 * counters, the cells. A folder holds what may be shared by one thread's folds (scanner, columns,
 * look-up); a fold is one partition's. Open values; one thread. */
#ifndef LK_RUN_FOLD_H
#define LK_RUN_FOLD_H

#include "common/event/scan.h"
#include "common/log/log.h"
#include "common/op/cells.h"
#include "common/op/counters.h"
#include "common/op/dedupe.h"
#include "common/op/lookup.h"

struct folder {
    const struct plan *plan;
    struct scanner *scanner;
    struct columns *columns;
    struct lookup *lookup; /* NULL without one; borrowed */
    struct buf key;
    bool amends; /* the plan does something to values once they are read */
};

void folder_init(struct folder *folder, const struct plan *plan, struct lookup *lookup);
void folder_release(struct folder *folder);

enum { MARKS_MAX = 66 }; /* a raise of T is kept once per 1/64 of the horizon */

/* A bad event, kept until it is committed. */
struct fold_bad {
    int64_t offset;
    char reason[96];
};

struct fold {
    const struct plan *plan;
    /* T goes by this plan: the plan, but in the batch the speed layer's, which takes it up where it jumps to
     * the batch's boundary. The marks are for the longest horizon of both. */
    const struct plan *clock;
    int64_t horizon_ms;
    struct rules rules;
    int partition;
    int64_t next, T_ms;
    /* Positions at which T rose: the oldest within the horizon is `mark`. Only with dedupe. */
    struct {
        int64_t position, T_ms;
    } marks[MARKS_MAX];
    int mark_count;
    struct dedupe ids;
    struct counters counters;
    struct cells cells;
    uint64_t part; /* the part that new changes go to (speed: the span's cut) */
    /* cells of windows that begin at or after this are new: nothing to read */
    int64_t known_from_ms;
    bool evicted; /* something was evicted since: nothing is known to be new any more */
    bool track;   /* mark cells unread and dirty (store sinks; batch does not) */
    struct fold_bad *bad;
    size_t bad_count, bad_capacity;
    /* Batch with more ids than memory: this pass takes ids with hash % shares == share. */
    uint32_t share, shares;
    int64_t tail_offset, tail_time_ms; /* the last record folded; -1: none */
    uint64_t tail_hash;
};

/* A fold that stands at offset 0 with nothing seen. */
void fold_init(struct fold *fold, const struct plan *plan, struct rules rules, int partition);
/* Fold a batch of this partition that begins at or above next. */
void fold_batch(struct folder *folder, struct fold *fold, const struct log_batch *batch);
/* The same where folder->columns holds the batch's rows already; values and keys may be NULL (then
 * tail_* stay as they are). */
void fold_columns(struct folder *folder, struct fold *fold, const struct log_batch *batch);
/* Keep a bad event in fold->bad. */
void fold_keep_bad(struct fold *fold, int64_t offset, enum bad_reason reason, int field);
/* Is an event time further ahead of the log's than the plan allows? */
bool fold_is_ahead(const struct plan *plan, int64_t time_ms, int64_t log_time_ms);
/* Only T, marks and ids: rebuilds horizon state from mark; next moves on, cells and counters do not. */
void fold_horizon(struct folder *folder, struct fold *fold, const struct log_batch *batch);
/* Where horizon state can be rebuilt from: next without dedupe. */
int64_t fold_mark(const struct fold *fold);
void fold_clear(struct fold *fold); /* forget all memory of the partition */
void fold_release(struct fold *fold);

#endif
