/* common/store/retire.h - giving a version's keys back to Redis, for good: kappa's of one version, lambda's
 * of the whole view.
 *
 * Marked in the registry first, then each partition's pos becomes a tombstone, then its cells are unlinked
 * in small steps (retire.c; tests/model/version.pml). One thread; opens and closes its own connection. */
#ifndef LK_STORE_RETIRE_H
#define LK_STORE_RETIRE_H

#include "common/store/registry.h"

/* Kappa: retire version `number`, which neither is live nor a canary (ERR_USAGE). Lambda: the view, whatever
 * serves; number is not looked at. ERR_ENV: there is no such view. Killed anywhere, it is finished
 * by the next call. Returns keys unlinked, or a code. */
int64_t view_retire(const char *view, const char *view_uri, enum arch arch, int number,
                    struct err *err);

#endif
