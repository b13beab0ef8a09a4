/* common/plan/plan_explain.h - what the two files of plan_explain share; private to common/plan. */
#ifndef LK_PLAN_PLAN_EXPLAIN_H
#define LK_PLAN_PLAN_EXPLAIN_H

#include "common/plan/plan.h"

/* The section WARNINGS: one entry for each thing that surprises people. */
void plan_explain_warnings(const struct plan *plan, struct buf *out);

#endif
