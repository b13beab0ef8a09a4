/* common/op/filter.c - a condition, walked as the tree it is.
 *
 * A comparison is an order (-1, 0, 1) and the set of orders that its operator takes. A selection is
 * narrowed child by child under AND, and the commonest condition, a string equal to a constant, has
 * a loop of its own. */
#include "common/op/filter.h"

/* Bits: 1 less, 2 equal, 4 greater. */
static const uint8_t TAKES[] = {
    [OP_EQ] = 2, [OP_NE] = 5, [OP_LT] = 1, [OP_LE] = 3, [OP_GT] = 4, [OP_GE] = 6};

static int order_int64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int order_double(double a, double b)
{
    return (a > b) - (a < b);
}

/* bytes_compare says which side of zero, not how far. */
static int order_string(struct bytes a, struct bytes b)
{
    return order_int64(bytes_compare(a, b), 0);
}

static int order_literal(const struct column *column, int row, const struct literal *literal)
{
    switch (column->type) {
    case FIELD_STRING:
        return order_string(column->str[row], literal->str);
    case FIELD_DOUBLE:
        return order_double(column->f64[row], literal->f64);
    default:
        return order_int64(column->i64[row], literal->i64);
    }
}

static int order_columns(const struct column *a, const struct column *b, int row)
{
    switch (a->type) {
    case FIELD_STRING:
        return order_string(a->str[row], b->str[row]);
    case FIELD_DOUBLE:
        return order_double(a->f64[row], b->f64[row]);
    default:
        return order_int64(a->i64[row], b->i64[row]);
    }
}

static bool in_literals(const struct where *where, const struct column *column, int row)
{
    for (int i = 0; i < where->literals; i++)
        if (order_literal(column, row, &where->literal[i]) == 0)
            return true;
    return false;
}

static bool has_prefix(struct bytes text, struct bytes prefix)
{
    return text.len >= prefix.len &&
           bytes_compare((struct bytes){text.ptr, prefix.len}, prefix) == 0;
}

static bool compare_row(const struct where *where, const struct columns *columns, int row)
{
    const struct column *column = &columns->column[where->field];
    if (where->op == OP_EXISTS)
        return column->present[row] == (where->literal->i64 != 0);
    if (!column->present[row])
        return false;
    if (where->op == OP_IN)
        return in_literals(where, column, row);
    if (where->op == OP_PREFIX)
        return has_prefix(column->str[row], where->literal->str);
    int order;
    if (where->other_field < 0) {
        order = order_literal(column, row, where->literal);
    } else {
        const struct column *other = &columns->column[where->other_field];
        if (!other->present[row])
            return false;
        order = order_columns(column, other, row);
    }
    return TAKES[where->op] >> (order + 1) & 1;
}

bool filter_row(const struct where *where, const struct columns *columns, int row)
{
    if (!where)
        return true;
    if (where->kind == WHERE_COMPARE)
        return compare_row(where, columns, row);
    if (where->kind == WHERE_NOT)
        return !filter_row(where->child, columns, row);
    bool settles = where->kind == WHERE_OR; /* the answer of a child that settles the whole */
    for (int i = 0; i < where->children; i++)
        if (filter_row(&where->child[i], columns, row) == settles)
            return settles;
    return !settles;
}

static int select_equal_string(const struct where *where, const struct columns *columns,
                               uint16_t *sel, int n)
{
    const struct column *column = &columns->column[where->field];
    struct bytes wanted = where->literal->str;
    int kept = 0;
    for (int i = 0; i < n; i++) {
        uint16_t row = sel[i];
        sel[kept] = row;
        kept += column->present[row] && column->str[row].len == wanted.len &&
                memcmp(column->str[row].ptr, wanted.ptr, wanted.len) == 0;
    }
    return kept;
}

int filter_select(const struct where *where, const struct columns *columns, uint16_t *sel, int n)
{
    if (!where)
        return n;
    if (where->kind == WHERE_AND) {
        for (int i = 0; i < where->children; i++)
            n = filter_select(&where->child[i], columns, sel, n);
        return n;
    }
    if (where->kind == WHERE_COMPARE && where->op == OP_EQ && where->other_field < 0 &&
        columns->column[where->field].type == FIELD_STRING)
        return select_equal_string(where, columns, sel, n);
    int kept = 0;
    for (int i = 0; i < n; i++) {
        sel[kept] = sel[i];
        kept += filter_row(where, columns, sel[i]);
    }
    return kept;
}
