/* lambda/batch_slots.h - two-slot and naive: from which cut on the speed layer's spans belong to a batch.
 *
 * When the batch begins: the last cut that the speed layer has recorded becomes `slot` of pos, under
 * WATCH of it. The spans from there on are the realtime view that is filled while the batch runs; naive
 * reads it from that moment, two-slot when the batch lands and `spans` becomes that slot (publish.c). */
#ifndef LK_LAMBDA_BATCH_SLOTS_H
#define LK_LAMBDA_BATCH_SLOTS_H

#include "common/plan/plan.h"
#include "common/store/kv.h"

/* slots: by partition, filled; 0 where no speed layer was there yet. ERR_AWAY: the connection is lost. */
int batch_slots_note(struct kv *kv, const struct plan *plan, int version, int partitions,
                     int64_t *slots, struct err *err);

#endif
