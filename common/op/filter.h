/* common/op/filter.h - `where` over a column batch.
 * Pure functions; any thread. */
#ifndef LK_OP_FILTER_H
#define LK_OP_FILTER_H

#include "common/event/columns.h"
#include "common/plan/plan.h"

/* Does row satisfy where? NULL is satisfied by everything. Strings compare by bytes. */
bool filter_row(const struct where *where, const struct columns *columns, int row);
/* Keep of the n rows in sel those that satisfy where, in place and in order; returns how many. */
int filter_select(const struct where *where, const struct columns *columns, uint16_t *sel, int n);

#endif
