/* tests/common/plan/plans.h - a small good plan, and variations of it. */
#ifndef LK_TESTS_PLANS_H
#define LK_TESTS_PLANS_H

#include "common/plan/plan.h"

/* A good plan with one field of each type. */
extern const char BASE_PLAN[];
/* A good plan that uses every member. */
extern const char FULL_PLAN[];
/* The base plan with members replaced by those of changes (a JSON object; null removes). Owned. */
char *plans_changed(const char *changes);
/* Parse text with tables at directory; the mistakes' lines are appended to mistakes. */
struct plan *plans_parse(const char *text, struct buf *mistakes);
/* As above, of the changed base plan, which must be good. */
struct plan *plans_good(const char *changes);
/* A fresh directory under /tmp with a table campaigns.jsonl in it. Owned. */
char *plans_directory(void);
void plans_remove(char *directory);
void plans_write(const char *directory, const char *name, const char *text);

#endif
