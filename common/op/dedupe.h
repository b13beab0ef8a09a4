/* common/op/dedupe.h - ids seen within a horizon of event time.
 *
 * An id is a duplicate if its stamp + horizon >= T. Every sighting sets the stamp to T (the
 * partition's largest event time, this event's included), also a duplicate's, else a crash would
 * change the answer (tests/model, row "first-sighting dedupe stamps"). State is a function of the
 * log's recent suffix: it is never stored, but rebuilt by folding again from `mark`. Ids beyond
 * the horizon are swept when the table would grow, so memory is bounded by one horizon's ids.
 * Ids are kept as 128-bit XXH3 hashes of their bytes. Open value; one thread. */
#ifndef LK_OP_DEDUPE_H
#define LK_OP_DEDUPE_H

#include "common/event/columns.h"

struct dedupe {
    int64_t horizon_ms; /* INT64_MAX: for ever (batch) */
    struct dedupe_slot *slots;
    size_t slot_mask, count;
};

struct dedupe_id {
    uint64_t low, high;
};

void dedupe_init(struct dedupe *dedupe, int64_t horizon_ms);
/* The id of a row's column: typed, so that 1 and "1" differ. An absent id is the id "absent". */
struct dedupe_id dedupe_id_of(const struct columns *columns, int column, int row);
/* Ask for an id's slot some ids before it is seen: in a large table each is a cache miss. */
void dedupe_prefetch(const struct dedupe *dedupe, struct dedupe_id id);
/* See an id at T; true if it is a duplicate. */
bool dedupe_see(struct dedupe *dedupe, struct dedupe_id id, int64_t T_ms);
size_t dedupe_bytes(const struct dedupe *dedupe); /* memory held */
void dedupe_clear(struct dedupe *dedupe);
void dedupe_release(struct dedupe *dedupe);

#endif
