/* tests/common/op/hand.h - plans and columns made by hand, for tests of single operators.
 *
 * Fields: 0 time, 1 n (int), 2 price (decimal:2), 3 ratio (double), 4 word (string), 5 flag (bool),
 * 6 taken (string, of the look-up). */
#ifndef LK_TESTS_HAND_H
#define LK_TESTS_HAND_H

#include "common/event/columns.h"
#include "common/plan/plan.h"

enum { TIME, N, PRICE, RATIO, WORD, FLAG, TAKEN, HAND_FIELDS };

static struct field hand_fields[HAND_FIELDS] = {
    {.name = "time", .type = FIELD_TIME},
    {.name = "n", .type = FIELD_INT},
    {.name = "price", .type = FIELD_DECIMAL, .scale = 2},
    {.name = "ratio", .type = FIELD_DOUBLE},
    {.name = "word", .type = FIELD_STRING},
    {.name = "flag", .type = FIELD_BOOL},
    {.name = "taken", .type = FIELD_STRING},
};

static inline struct plan hand_plan(void)
{
    return (struct plan){.view = "hand",
                         .schema = {hand_fields, TAKEN, HAND_FIELDS},
                         .allowed_lateness_ms = PLAN_UNLIMITED,
                         .max_ahead_ms = PLAN_UNLIMITED,
                         .keep_ms = PLAN_UNLIMITED,
                         .dedupe_by = -1};
}

static inline struct columns *hand_columns(int rows)
{
    const struct schema schema = {hand_fields, TAKEN, HAND_FIELDS};
    struct columns *columns = columns_new(&schema);
    columns->rows = rows;
    return columns;
}

static inline void hand_int(struct columns *columns, int column, int row, int64_t value)
{
    columns->column[column].i64[row] = value;
    columns->column[column].present[row] = 1;
}

static inline void hand_double(struct columns *columns, int row, double value)
{
    columns->column[RATIO].f64[row] = value;
    columns->column[RATIO].present[row] = 1;
}

static inline void hand_text(struct columns *columns, int column, int row, const char *value)
{
    columns->column[column].str[row] = bytes_of(value);
    columns->column[column].present[row] = 1;
}

#endif
