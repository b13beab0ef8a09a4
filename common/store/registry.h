/* common/store/registry.h - which versions a view has, and which of them is live.
 *
 * One hash a (view, architecture), lk:{view}:kappa or lk:{view}:lambda, changed only by EXEC under
 * WATCH of it. Fields: live; before (live until the last flip); canary, share; partitions; state.<n> (running | retired); plan.<n> (the plan's JSON, so that
 * a reader needs no file); hash.<n>; start.<n>, floor.<n> (a version that does not begin at the log's beginning); handover.<n> (lambda: the name of the mode; none: offset).
 * A flip whose reply was lost is tried again, never looked up.
 * One connection; one thread. */
#ifndef LK_STORE_REGISTRY_H
#define LK_STORE_REGISTRY_H

#include "common/plan/plan.h"
#include "common/store/handover.h"
#include "common/store/kv.h"

enum arch { ARCH_KAPPA, ARCH_LAMBDA };

/* Where a version begins that does not begin at the log's beginning. What lies below is in none of its
 * windows, so it has no window that begins below the floor. */
struct registry_start {
    int64_t *next; /* by partition; NULL: at the beginning, without a floor */
    int count;     /* of next */
    int64_t floor_ms;
};

struct registry_version {
    int number; /* 1, 2, ...; names its keys: k1, l1 */
    bool running;
    char hash[33];
    char *plan;                  /* JSON; owned */
    struct registry_start start; /* next: owned, a position for each of the view's partitions */
    enum handover handover;      /* lambda */
};

struct registry {
    int live;   /* 0: the view does not exist */
    int before; /* live until the last flip; 0: there was none */
    int canary; /* answers for `share` percent of the keys in the live one's place; 0: none does */
    int share;
    int partitions;
    struct registry_version *versions; /* by number */
    int count;
};

int registry_read(struct kv *kv, const char *view, enum arch arch, struct registry *out,
                  struct err *err);
/* The answer to HGETALL of the registry's key. */
int registry_decode(const struct kv_reply *reply, const char *view, struct registry *out,
                    struct err *err);
void registry_release(struct registry *registry);
/* The running version made of this plan (by hash), or NULL: a retired one does not come back. */
const struct registry_version *registry_find(const struct registry *registry, const char *hash);
/* Add the plan as a new version; the first one is live. Returns its number, that of the version that
 * it already is, or ERR_USAGE where the partitions differ from the view's. */
int registry_add(struct kv *kv, const struct plan *plan, enum arch arch, int partitions,
                 struct err *err);
/* The same; a version that is new begins at start. */
int registry_add_at(struct kv *kv, const struct plan *plan, enum arch arch, int partitions,
                    struct registry_start start, struct err *err);
/* The same for lambda; ERR_USAGE where the view is there and handed over otherwise. */
int registry_add_lambda(struct kv *kv, const struct plan *plan, enum handover handover,
                        int partitions, struct err *err);
/* Where the store was emptied under a worker: the plan stands again under the number that it had, live
 * if none is. ERR_ENV where the view was begun again otherwise meanwhile. */
int registry_restore(struct kv *kv, const struct plan *plan, enum arch arch, enum handover handover,
                     int partitions, int number, struct registry_start start, struct err *err);
/* Flip the live pointer from `from` (0: from whatever it is) to number: one compare-and-set. ERR_USAGE
 * unless the target is running, ERR_CHECK where another flip came first. */
int registry_promote(struct kv *kv, const char *view, enum arch arch, int from, int number,
                     struct err *err);
/* Let a running version answer reads of single keys for share percent of the keys; 0 percent ends it, and
 * so does a flip. A share that grows keeps the keys that it had. ERR_USAGE unless it is running and
 * not live. */
int registry_canary(struct kv *kv, const char *view, enum arch arch, int number, int share,
                    struct err *err);
/* The version that answers for a key (JSON text; NULL: for all of them, the live one). */
int registry_version_for(const struct registry *registry, const char *key);
/* Mark a version as retired, for good; ERR_USAGE if it is live, a canary or unknown. Done already is
 * fine. */
int registry_retire(struct kv *kv, const char *view, enum arch arch, int number, struct err *err);
/* Mark every version of a view as retired and none as live, for good: no worker and no batch makes it again.
 * ERR_ENV: there is no such view. */
int registry_retire_view(struct kv *kv, const char *view, enum arch arch, struct err *err);
/* Was the view retired so? */
bool registry_is_retired(const struct registry *registry);
/* ERR_ENV, in words, where none is live: there never was a view, or it was retired. */
int registry_no_view(const struct registry *registry, const char *view, enum arch arch,
                     struct err *err);
enum { REGISTRY_KEY_BYTES = 128 };
void registry_key(const char *view, enum arch arch, char out[REGISTRY_KEY_BYTES]);
/* "k1" or "l1". */
void registry_version_name(enum arch arch, int number, char out[16]);

#endif
