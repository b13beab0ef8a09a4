/* common/store/handover.h - how lambda joins what the batch says with what the speed layer says.
 *
 * Chosen once for a view, with the flag --handover of whoever makes it (speed layer or batch); kept in
 * the registry, so that speed layer, batch and every reader go by the same. docs/handover.md tells what
 * each may lose or count twice, and when.
 *   offset      batch [0, boundary), spans from that cut on; boundary and spans flip in one step: exact
 *   event-time  batch serves the windows before an exclusive bound, the speed layer those from it on
 *               (Summingbird's batch ids, Pinot's time boundary)
 *   two-slot    two realtime views: each batch that begins starts one, each that lands drops the older
 *               (Marz and Warren, Big Data, 2015, section 12.3)
 *   naive       one realtime view, reset when a batch begins
 * Pure functions. */
#ifndef LK_STORE_HANDOVER_H
#define LK_STORE_HANDOVER_H

enum handover {
    HANDOVER_OFFSET,
    HANDOVER_EVENT_TIME,
    HANDOVER_TWO_SLOT,
    HANDOVER_NAIVE,
    HANDOVERS
};
enum {
    HANDOVER_AS_IT_IS = -1
}; /* asked for where the view's own will do; a new view's is offset */

/* "offset", "event-time", "two-slot", "naive". */
const char *handover_name(enum handover handover);
/* -1: no such name. */
int handover_of(const char *name);

#endif
