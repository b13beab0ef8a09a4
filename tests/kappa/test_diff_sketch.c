/* tests/kappa/test_diff_sketch.c - which difference of two rows the error of their sketches explains. */
#include <criterion/criterion.h>

#include "kappa/version_parts.h"

static struct plan *plan_with(const char *values)
{
    struct plan *plan = NULL;
    struct buf text = {0}, mistakes = {0};
    buf_printf(
        &text,
        "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},\"fields\":"
        "{\"u\":\"string\",\"x\":\"int\"}},\"window\":\"none\",\"values\":{%s}}",
        values);
    cr_assert_eq(plan_parse(buf_bytes(&text), ".", false, &plan, &mistakes, NULL), 0, "%s",
                 mistakes.ptr);
    buf_release(&text);
    buf_release(&mistakes);
    return plan;
}

#define DISTINCT(p) "\"n\":\"count\",\"u\":{\"distinct\":\"u\",\"precision\":" #p "}"

/* Precision 10: standard error 3.25 %; 12: 1.625 %; both: 3.63 %, three times that 10.9 %. */
static const struct {
    const char *live, *target, *was, *is;
    bool within;
} ROWS[] = {
    {DISTINCT(10), DISTINCT(12), "\"n\":7,\"u\":1000", "\"n\":7,\"u\":1000", true},
    {DISTINCT(10), DISTINCT(12), "\"n\":7,\"u\":1000", "\"n\":7,\"u\":1120", true},
    {DISTINCT(10), DISTINCT(12), "\"n\":7,\"u\":1120", "\"n\":7,\"u\":1000", true},
    {DISTINCT(10), DISTINCT(12), "\"n\":7,\"u\":1000", "\"n\":7,\"u\":1130", false},
    {DISTINCT(10), DISTINCT(12), "\"n\":7,\"u\":1130", "\"n\":7,\"u\":1000", false},
    {DISTINCT(10), DISTINCT(12), "\"n\":7,\"u\":5", "\"n\":7,\"u\":6", true}, /* rounding */
    {DISTINCT(10), DISTINCT(12), "\"n\":7,\"u\":5", "\"n\":7,\"u\":7", false},
    {DISTINCT(10), DISTINCT(12), "\"n\":7,\"u\":0", "\"n\":7,\"u\":2", false},
    {DISTINCT(6), DISTINCT(12), "\"n\":7,\"u\":1000", "\"n\":7,\"u\":1500", true},
    {DISTINCT(10), DISTINCT(12), "\"n\":7,\"u\":1000", "\"n\":8,\"u\":1000", false},
    {DISTINCT(10), DISTINCT(12), "\"n\":7,\"u\":1000", "\"n\":8,\"u\":1001", false},
    {DISTINCT(10), DISTINCT(10), "\"n\":7,\"u\":1000", "\"n\":7,\"u\":1001", false},
    {DISTINCT(10), DISTINCT(12), "\"n\":7,\"u\":1000", NULL, false},
    {DISTINCT(10), DISTINCT(12), NULL, "\"n\":7,\"u\":1", false},
};

Test(diff_sketch, explains_what_lies_within_three_standard_errors_and_nothing_else)
{
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct plan *live = plan_with(ROWS[i].live), *target = plan_with(ROWS[i].target);
        const struct plan *plans[] = {live, target};
        struct answer_row was = {.values = bytes_of(ROWS[i].was ? ROWS[i].was : "")};
        struct answer_row is = {.values = bytes_of(ROWS[i].is ? ROWS[i].is : "")};
        bool within = rows_within_sketch(plans, ROWS[i].was ? &was : NULL, ROWS[i].is ? &is : NULL);
        cr_expect_eq(within, ROWS[i].within, "row %zu: %s, %s", i, ROWS[i].was, ROWS[i].is);
        plan_free(live);
        plan_free(target);
    }
}

static unsigned causes_between(const char *live, const char *target)
{
    struct plan *a = plan_with(live), *b = plan_with(target);
    unsigned causes = causes_of_plans(a, b);
    plan_free(a);
    plan_free(b);
    return causes;
}

Test(diff_sketch, is_asked_only_where_precision_changed_and_no_rule)
{
    const unsigned sketch = 1U << CAUSE_SKETCH, rule = 1U << CAUSE_RULE;
    cr_expect_eq(causes_between(DISTINCT(10), DISTINCT(12)), sketch);
    cr_expect_eq(causes_between(DISTINCT(10), "\"n\":\"count\",\"u\":{\"distinct\":\"x\"}"), rule);
    cr_expect_eq(causes_between("\"u\":{\"distinct\":\"u\"},\"n\":\"count\"",
                                "\"u\":{\"distinct\":\"u\",\"precision\":7},\"n\":{\"sum\":\"x\"}"),
                 sketch | rule);
    cr_expect_eq(causes_between("\"precision\":{\"distinct\":\"u\",\"precision\":8}",
                                "\"precision\":{\"distinct\":\"x\",\"precision\":9}"),
                 rule, "a value's name is not a sketch's precision");
    cr_expect(sketch_may_tell(sketch));
    cr_expect(sketch_may_tell(sketch | 1U << CAUSE_LATE));
    cr_expect_not(sketch_may_tell(sketch | rule));
    cr_expect_not(sketch_may_tell(0));
}
