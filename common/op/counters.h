/* common/op/counters.h - where every event that was read has gone.
 *
 * They balance: read = folded + filtered + late + duplicate + bad + skipped. One of each a
 * partition, committed with its position. filtered: `where` said no, or the look-up found nothing
 * and the plan drops it. late: no window takes it any more. skipped: jumped over (speed layer). */
#ifndef LK_OP_COUNTERS_H
#define LK_OP_COUNTERS_H

#include "common/base/bytes.h"

struct counters {
    int64_t read, folded, filtered, late, duplicate, bad, skipped;
};

static inline bool counters_balance(const struct counters *c)
{
    return c->read == c->folded + c->filtered + c->late + c->duplicate + c->bad + c->skipped;
}
void counters_add(struct counters *to, const struct counters *from);
/* "read,folded,filtered,late,duplicate,bad,skipped" as seven integers with commas, and back. */
void counters_encode(const struct counters *c, struct buf *out);
bool counters_decode(struct bytes text, struct counters *out);

#endif
