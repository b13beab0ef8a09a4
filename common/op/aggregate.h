/* common/op/aggregate.h - partials: zero, add, merge, finish, and nothing else.
 *
 * A partial is a row of plan->slots int128 slots. Every slot either adds up, or keeps the least, or
 * keeps the greatest of what it has seen, or the greatest of each of its 16 bytes, so merge is slot by
 * slot and its order never matters:
 *   count  one slot, adds 1               sum  one slot, adds the value
 *   min    one slot, least; SLOT_NOTHING_MIN = nothing yet
 *   max    one slot, greatest; SLOT_NOTHING_MAX = nothing yet
 *   avg    two slots: sum, count
 *   distinct  2^precision / 16 slots: the registers of a sketch (common/op/sketch.h)
 * Decimals are scaled integers; doubles (min and max only) are mapped to integers of the same
 * order, -0.0 as 0.0. Pure functions; any thread. */
#ifndef LK_OP_AGGREGATE_H
#define LK_OP_AGGREGATE_H

#include "common/event/columns.h"
#include "common/plan/plan.h"

#define SLOT_NOTHING_MIN ((int128)(~(uint128)0 >> 1))
#define SLOT_NOTHING_MAX (-SLOT_NOTHING_MIN - 1)

void aggregate_zero(const struct plan *plan, int128 *slots);
/* Fold row of columns into slots: each value's own `where` is asked, an absent field adds nothing. */
void aggregate_add(const struct plan *plan, int128 *slots, const struct columns *columns, int row);
/* The same where each value's `where` has been asked: takes[i] NULL or takes[i][row] != 0. */
void aggregate_add_taken(const struct plan *plan, int128 *slots, const struct columns *columns,
                         int row, const uint8_t *const *takes);
void aggregate_merge(const struct plan *plan, int128 *to, const int128 *from);
/* Append the finished members: "flights":12,"mean_delay":3.5,"worst":null - no braces.
 * sum, min, max of a decimal with its scale's digits; avg the double nearest to the exact quotient;
 * distinct the whole number nearest to the sketch's estimate. */
void aggregate_finish(const struct plan *plan, const int128 *slots, struct buf *out);
/* A partial as text: slots with commas, "-" for nothing, a sketch as sketch_encode writes it; one slot
 * is a plain number (redis-cli). */
void aggregate_encode(const struct plan *plan, const int128 *slots, struct buf *out);
bool aggregate_decode(const struct plan *plan, struct bytes text, int128 *slots);
/* The double nearest to numerator / denominator (> 0), ties to even. */
double int128_divide(int128 numerator, int128 denominator);

#endif
