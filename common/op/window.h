/* common/op/window.h - which cell an event goes to, and which cells a window is made of.
 *
 * Hopping windows by panes of gcd(size, hop) (Li et al., "No pane, no gain", SIGMOD Record 2005): an
 * event goes to one cell, whose field is (its pane's start, the first window that still took it).
 * A window folds the panes inside it whose first <= its start: exact per-window lateness.
 * Tumbling: pane = size, so pane_ms = first_ms = window start. None: both 0.
 * A window takes an event unless window_end + B + L <= T, or window_start < floor.
 * Pure functions; any thread. */
#ifndef LK_OP_WINDOW_H
#define LK_OP_WINDOW_H

#include "common/plan/plan.h"

struct cell_field {
    int64_t pane_ms, first_ms;
};

#define WINDOW_FLOOR_NONE INT64_MIN

/* What a fold is told besides the plan. */
struct rules {
    bool lateness;    /* off: every window takes every event (batch) */
    bool has_floor;   /* windows that begin below floor_ms take nothing */
    int64_t floor_ms; /* with has_floor: of a version that begins behind the log's beginning */
};

/* floor = T - keep, WINDOW_FLOOR_NONE without keep. Windows that start below it are not served. */
int64_t window_floor(const struct plan *plan, int64_t T_ms);
/* The cell of an event at time_ms, or false: late, no window takes it. Rounds towards minus infinity. */
bool window_assign(const struct plan *plan, const struct rules *rules, int64_t time_ms,
                   int64_t T_ms, struct cell_field *out);
/* Start of the first and last window that the cell may belong to (a range in steps of hop). */
void window_range(const struct plan *plan, struct cell_field field, int64_t *first_ms,
                  int64_t *last_ms);
/* "978307200000" (tumbling, none) or "978307200000.978307190000": the field as it stands in a Redis key. */
void window_encode(const struct plan *plan, struct cell_field field, struct buf *out);
bool window_decode(const struct plan *plan, struct bytes text, struct cell_field *out);
/* No rule-abiding event can change the window any more: window_end + B + L <= T. */
bool window_final(const struct plan *plan, int64_t window_ms, int64_t T_ms);

/* Where batches serve the windows below it: the start of the first window that holds T - B. All windows
 * below have ended by then, but for late events. INT64_MIN before the first event. Wants a window. */
int64_t window_bound(const struct plan *plan, int64_t T_ms);

#endif
