/* lambda/publish.h - bring a generation file into the store: load, publish, sweep.
 *
 * The protocol is `batch` of tests/model/handover.pml, step by step; fault points carry the names
 * of its steps. An attempt: put a fresh load id into `gens` of every pos (making pos where no speed
 * layer was yet), load the cells beside the view, then publish partition by partition under WATCH
 * pos. A lost connection, or an id that no longer stands in gens, ends the attempt; the next one
 * has a new id, and taking the old ids out of gens is what settles a publish whose reply was lost:
 * from then on it either is in pos or can never land. Then what pos names no more is swept: ids
 * leave gens first, cells go afterwards, all under WATCH pos. One thread. */
#ifndef LK_LAMBDA_PUBLISH_H
#define LK_LAMBDA_PUBLISH_H

#include "common/plan/plan.h"
#include "common/store/handover.h"
#include "common/store/kv.h"
#include "lambda/folder.h"

enum { PUBLISH_ATTEMPTS = 5 };

enum publish_state {
    PUBLISH_PENDING,
    PUBLISH_DONE,
    PUBLISH_REFUSED, /* why says it: an equal or newer one is there, or the boundary does not fit */
};

struct publish_part {
    enum publish_state state;
    bool serves; /* refused, because it is what serves there */
    char why[160];
};

struct publish_options {
    const struct plan *plan;
    int version; /* of the view, from the registry */
    enum handover handover;
    const int64_t *slots; /* two-slot, naive: by partition, what pos.spans becomes */
    struct folder *folder;
    const struct manifest *manifest; /* whose files are loaded */
    /* by the operator, though it was rolled back or builds upon such a one: notes in the folder
       do not refuse it */
    bool named;
};

/* parts: one a partition of the manifest, filled. 0 also where partitions were refused.
 * ERR_USAGE: pos is of another plan. ERR_AWAY: PUBLISH_ATTEMPTS were not enough. ERR_FULL: the
 * server's memory. ERR_DATA: a file is damaged. */
int publish_run(struct kv *kv, const struct publish_options *options, struct publish_part *parts,
                struct err *err);

#endif
