/* tests/common/op/test_filter.c - conditions by rows, and selections against them at random. */
#include <criterion/criterion.h>

#include "common/base/rng.h"
#include "common/op/filter.h"
#include "tests/common/op/hand.h"

/* Row 0 has every field, row 1 none, row 2 others. */
static struct columns *three_rows(void)
{
    struct columns *columns = hand_columns(3);
    hand_int(columns, N, 0, 5);
    hand_int(columns, PRICE, 0, 150);
    hand_double(columns, 0, 2.5);
    hand_text(columns, WORD, 0, "view");
    hand_text(columns, TAKEN, 0, "view");
    hand_int(columns, FLAG, 0, 1);
    hand_int(columns, N, 2, -5);
    hand_double(columns, 2, -0.0);
    hand_text(columns, WORD, 2, "");
    hand_text(columns, TAKEN, 2, "views");
    hand_int(columns, FLAG, 2, 0);
    return columns;
}

#define TEXT(t)                                                                                    \
    {                                                                                              \
        .str = { t, sizeof(t) - 1 }                                                                \
    }

Test(filter, comparisons_say_what_they_mean)
{
    static struct literal five = {.i64 = 5}, half = {.f64 = 2.5}, view = TEXT("view"),
                          vi = TEXT("vi"), empty = TEXT(""), viex = TEXT("viex"),
                          apple = TEXT("apple"), zoo = TEXT("zoo"), yes = {.i64 = 1},
                          no = {.i64 = 0}, ints[] = {{.i64 = 4}, {.i64 = 5}}, zero = {.f64 = 0},
                          words[] = {TEXT("click"), TEXT("")};
    static const struct {
        int field;
        enum where_op op;
        int other;
        struct literal *literal;
        int literals;
        const char *taken; /* a letter a row */
    } ROWS[] = {
        {N, OP_EQ, -1, &five, 1, "y.."},         {N, OP_NE, -1, &five, 1, "..y"},
        {N, OP_LT, -1, &five, 1, "..y"},         {N, OP_LE, -1, &five, 1, "y.y"},
        {N, OP_GT, -1, &five, 1, "..."},         {N, OP_GE, -1, &five, 1, "y.."},
        {N, OP_IN, -1, ints, 2, "y.."},          {N, OP_EXISTS, -1, &yes, 1, "y.y"},
        {N, OP_EXISTS, -1, &no, 1, ".y."},       {RATIO, OP_GE, -1, &half, 1, "y.."},
        {RATIO, OP_EQ, -1, &zero, 1, "..y"},     {WORD, OP_EQ, -1, &view, 1, "y.."},
        {WORD, OP_NE, -1, &view, 1, "..y"},      {WORD, OP_LT, -1, &viex, 1, "y.y"},
        {WORD, OP_GT, -1, &vi, 1, "y.."},        {WORD, OP_NE, -1, &zoo, 1, "y.y"},
        {WORD, OP_LT, -1, &zoo, 1, "y.y"},       {WORD, OP_GT, -1, &apple, 1, "y.."},
        {WORD, OP_LE, -1, &apple, 1, "..y"},     {WORD, OP_PREFIX, -1, &vi, 1, "y.."},
        {WORD, OP_PREFIX, -1, &empty, 1, "y.y"}, {WORD, OP_PREFIX, -1, &viex, 1, "..."},
        {WORD, OP_IN, -1, words, 2, "..y"},      {WORD, OP_EQ, TAKEN, NULL, 0, "y.."},
        {WORD, OP_LT, TAKEN, NULL, 0, "..y"},    {N, OP_EQ, FLAG, NULL, 0, "..."},
        {N, OP_LT, PRICE, NULL, 0, "y.."},       {FLAG, OP_EQ, -1, &no, 1, "..y"},
        {WORD, OP_EQ, -1, &empty, 1, "..y"},     {RATIO, OP_EQ, RATIO, NULL, 0, "y.y"},
    };
    struct columns *columns = three_rows();
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct where where = {.kind = WHERE_COMPARE, .field = ROWS[i].field, .op = ROWS[i].op};
        where.other_field = ROWS[i].other;
        where.literal = ROWS[i].literal;
        where.literals = ROWS[i].literals;
        struct where denial = {.kind = WHERE_NOT, .child = &where, .children = 1};
        for (int row = 0; row < 3; row++) {
            bool expected = ROWS[i].taken[row] == 'y';
            cr_expect_eq(filter_row(&where, columns, row), expected, "%zu: row %d", i, row);
            cr_expect_eq(filter_row(&denial, columns, row), !expected, "not %zu: row %d", i, row);
        }
    }
    columns_free(columns);
}

enum { NODES_MAX = 60 };

/* A random condition from the nodes given, at most depth deep. */
static void random_where(struct rng *rng, int depth, struct where *nodes, int *used,
                         struct where *out)
{
    static struct literal five = {.i64 = 5}, view = TEXT("view");
    enum where_kind kind = depth > 0 ? (enum where_kind)rng_below(rng, 4) : WHERE_COMPARE;
    bool text = rng_below(rng, 2) > 0;
    *out = (struct where){.kind = kind, .field = text ? WORD : N, .other_field = -1, .literals = 1};
    out->op = (enum where_op)rng_below(rng, OP_GE + 1);
    out->literal = text ? &view : &five;
    if (kind == WHERE_COMPARE)
        return;
    out->children = kind == WHERE_NOT ? 1 : (int)rng_below(rng, 4);
    out->child = nodes + *used;
    *used += out->children;
    for (int i = 0; i < out->children; i++)
        random_where(rng, depth - 1, nodes, used, &out->child[i]);
}

/* AND of nothing is true, OR of nothing false. */
static bool by_definition(const struct where *where, const struct columns *columns, int row)
{
    int true_children = 0;
    if (where->kind == WHERE_COMPARE)
        return filter_row(where, columns, row);
    for (int i = 0; i < where->children; i++)
        true_children += by_definition(&where->child[i], columns, row);
    if (where->kind == WHERE_NOT)
        return true_children == 0;
    return where->kind == WHERE_AND ? true_children == where->children : true_children > 0;
}

Test(filter, a_selection_keeps_the_rows_that_satisfy_in_order)
{
    static struct where nodes[NODES_MAX];
    struct columns *columns = three_rows();
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        struct rng rng;
        struct where where;
        int used = 0, expected = 0;
        rng_init(&rng, seed);
        random_where(&rng, 3, nodes, &used, &where);
        cr_assert_leq(used, NODES_MAX);
        uint16_t sel[] = {0, 1, 2};
        int kept = filter_select(&where, columns, sel, 3);
        for (uint16_t row = 0; row < 3; row++) {
            if (!by_definition(&where, columns, row))
                continue;
            cr_assert(expected < kept && sel[expected] == row, "seed %lu", seed);
            expected++;
        }
        cr_assert_eq(kept, expected, "seed %lu", seed);
    }
    columns_free(columns);
}

Test(filter, no_condition_is_satisfied_by_everything)
{
    uint16_t sel[] = {1, 2};
    cr_assert(filter_row(NULL, NULL, 0));
    cr_assert_eq(filter_select(NULL, NULL, sel, 2), 2);
}
