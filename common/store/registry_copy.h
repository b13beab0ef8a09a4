/* common/store/registry_copy.h - what the registry of a view says, kept by a worker: after a FLUSHALL it puts
 * all of it back, other versions and which one is live too.
 *
 * What was changed since the worker's last look (about a second) is not known to it. Open value; one
 * thread. */
#ifndef LK_STORE_REGISTRY_COPY_H
#define LK_STORE_REGISTRY_COPY_H

#include "common/base/arena.h"
#include "common/store/registry.h"

struct registry_copy {
    struct arena arena;
    struct bytes *texts; /* field, value, field ... */
    int count;
};

void registry_copy_release(struct registry_copy *copy);
/* Queue the question whose answer registry_copy_note takes. */
void registry_copy_ask(struct kv *kv, const char *view, enum arch arch);
/* False, and nothing is noted: there is no registry. */
bool registry_copy_note(struct registry_copy *copy, const struct kv_reply *reply);
/* Write it where nothing stands; what was put back by another meanwhile stays. */
int registry_copy_put_back(struct kv *kv, const char *view, enum arch arch,
                           const struct registry_copy *copy, struct err *err);

#endif
