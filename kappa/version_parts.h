/* kappa/version_parts.h - what version.c and the diffs share; for them alone. */
#ifndef LK_KAPPA_VERSION_PARTS_H
#define LK_KAPPA_VERSION_PARTS_H

#include "common/store/read.h"
#include "kappa/version.h"

/* version.c: the plan's version, which a deploy that has just begun may still be about to add: waits
 * wait_ms. */
int version_find(struct kv *kv, const struct plan *plan, int wait_ms, int *live, int *target,
                 struct err *err);
/* version.c: until target has folded what the live one has now; ERR_CHECK with the lag. */
int version_wait(struct kv *kv, const char *view, int target, int wait_ms, struct err *err);
/* diff.c: the plan of version number, as the registry keeps it. */
int version_plan(struct kv *kv, const char *view, int number, struct plan **out, struct err *err);
/* diff.c: out->live and out->target, of these plans, are compared; fills the rest of out. */
int version_compare(struct kv *kv, const struct plan *const *plans, struct kappa_diff *out,
                    kappa_differ *differ, void *context, struct err *err);
/* diff.c: the causes that tell two plans apart: sketch, late, rule, as bits 1 << cause. */
unsigned causes_of_plans(const struct plan *live, const struct plan *target);
/* diff.c: may a row of theirs differ by the error of sketches alone? Not where a rule changed, too. */
bool sketch_may_tell(unsigned causes);
/* diff.c: add rows, differences and causes to out's. cause_of says why a row differs. */
void rows_compare(const struct answer *live, const struct answer *target,
                  enum kappa_cause (*cause_of)(const struct answer_row *, const struct answer_row *,
                                               void *),
                  void *state, kappa_differ *differ, void *context, struct kappa_diff *out);
/* diff_sketch.c: are the rows of both plans (live, target), whose values have the same names, equal but for
 * sketches of another precision, and those near enough for their standard errors? */
bool rows_within_sketch(const struct plan *const *plans, const struct answer_row *live,
                        const struct answer_row *target);

#endif
