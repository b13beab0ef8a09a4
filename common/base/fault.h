/* common/base/fault.h - named places where a test makes the world fail, and planted bugs.
 *
 * LK_FAULT=point:nth:what - at the nth passing (from 1) of a point, once: what is kill (SIGKILL to
 * ourselves), stop (SIGSTOP), error (fault_point returns true: behave as if the step had failed
 * with a lost connection or a full disk), delay (sleep 200 ms). Several, separated by commas.
 * Each says on stderr that it came ("lk: fault: POINT: WHAT").
 * LK_FAULT=list names every point passed so far on stderr at exit. The names are those of the
 * models' steps (tests/model/README.md). Any thread; a point costs one load where nothing is set.
 *
 * A planted bug (LK_BUG=name) exists only in builds with -DLK_BUGS, which the tests use to see
 * their checks fail; in the program that is installed bug_planted is the constant false. */
#ifndef LK_BASE_FAULT_H
#define LK_BASE_FAULT_H

#include <stdbool.h>

#include "common/base/err.h"

extern bool fault_armed; /* read only; set by fault_init */

/* Read LK_FAULT; ERR_USAGE for a text that is not one. Call once, before threads. */
int fault_init(struct err *err);
/* Arm from a test instead of the environment; NULL disarms. */
int fault_set(const char *spec, struct err *err);
bool fault_hit(const char *point); /* use fault_point */

static inline bool fault_point(const char *point)
{
    return fault_armed && fault_hit(point);
}

#ifdef LK_BUGS
bool bug_planted(const char *name);
void bug_plant(const char *name); /* NULL: none; else in place of LK_BUG */
#else
#define bug_planted(name) false
#endif

#endif
