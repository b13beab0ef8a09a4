/* lambda/columnar_fold.h - the fold of columns by their codes, for the plans that allow it.
 * Opaque; one thread. */
#ifndef LK_LAMBDA_COLUMNAR_FOLD_H
#define LK_LAMBDA_COLUMNAR_FOLD_H

#include "common/log/columnar.h"
#include "common/run/fold.h"

/* Event times of good events; INT64_MAX, INT64_MIN: of none. */
struct columnar_span {
    int64_t min_ms, max_ms;
};

/* Rows [from, from + n) of a column as the scanner would have filled it. */
void columnar_fill_column(const struct columnar_column *from_column, int from, int n,
                          struct column *column);

struct columnar_fold;

/* NULL where the plan is not among those (columnar_fold.c has the table). */
struct columnar_fold *columnar_fold_new(const struct plan *plan);
/* Fold rows [from, to) of a file as fold_columns would; fold->next stays, span is widened to the
 * times of its good events. False, and nothing has happened, where this file is not for it: too many combinations of codes. */
bool columnar_fold_rows(struct columnar_fold *by_codes, struct folder *folder, struct fold *fold,
                        struct columnar *columnar, int from, int to, struct columnar_span *span);
void columnar_fold_free(struct columnar_fold *by_codes);

#endif
