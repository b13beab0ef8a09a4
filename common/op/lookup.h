/* common/op/lookup.h - the join with an immutable table file (JSON lines or CSV, by its suffix).
 * Opaque: owns the table. Read-only after opening; any thread. */
#ifndef LK_OP_LOOKUP_H
#define LK_OP_LOOKUP_H

#include "common/event/columns.h"
#include "common/plan/plan.h"

struct lookup;

/* Load plan->table; ERR_USAGE with file and line for a bad one, a repeated key, or a missing column. */
int lookup_open(const struct plan *plan, struct lookup **out, struct err *err);
/* Whether lookup_open would succeed, for whoever is about to register the plan; 0 without a table.
 * The speed layer's own table is looked at, too. */
int lookup_check(const struct plan *plan, struct err *err);
void lookup_close(struct lookup *lookup);
/* Fill columns schema.scanned.. of the n rows in sel; drops rows without a match from sel, in
 * order, unless plan->lookup_keep. Returns how many stay. Taken strings borrow from the lookup. */
int lookup_select(const struct lookup *lookup, struct columns *columns, uint16_t *sel, int n);

#endif
