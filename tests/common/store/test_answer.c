/* tests/common/store/test_answer.c - an answer is rows with one order, one text and one digest. */
#include <criterion/criterion.h>

#include "common/op/window.h"
#include "common/store/answer.h"

struct row {
    int64_t window_ms;
    const char *key, *values;
};

static void fill(struct answer *answer, const struct row *rows, int n)
{
    answer_init(answer, 1);
    for (int i = 0; i < n; i++)
        answer_add(answer, rows[i].window_ms, bytes_of(rows[i].key), bytes_of(rows[i].values));
    answer_sort(answer);
}

static const struct row THREE[] = {
    {20, "[\"A\"]", "\"n\":1"},
    {-10, "[\"B\"]", "\"n\":2"},
    {20, "[\"A\",1]", "\"n\":3"},
};

Test(answer, sorts_by_window_then_by_the_bytes_of_the_key)
{
    struct answer answer;
    fill(&answer, THREE, 3);
    const struct row expected[] = {THREE[1], THREE[2], THREE[0]}; /* ',' comes before ']' */
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(answer.rows[i].window_ms, expected[i].window_ms);
        cr_expect_str_eq(answer.rows[i].key.ptr, expected[i].key);
    }
    answer_release(&answer);
}

Test(answer, prints_a_row_with_and_without_values)
{
    static const struct {
        struct row row;
        const char *text;
    } rows[] = {
        {{978307200000, "[\"ORD\"]", "\"flights\":12,\"worst\":null"},
         "{\"window\":978307200000,\"key\":[\"ORD\"],\"flights\":12,\"worst\":null}"},
        {{0, "[]", ""}, "{\"window\":0,\"key\":[]}"},
    };
    struct buf out = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct answer_row row = {rows[i].row.window_ms, bytes_of(rows[i].row.key),
                                 bytes_of(rows[i].row.values)};
        buf_clear(&out);
        answer_row_json(&row, &out);
        cr_expect_str_eq(out.ptr, rows[i].text);
    }
    buf_release(&out);
}

static void digest_of(const struct row *rows, int n, char out[33])
{
    struct answer answer;
    fill(&answer, rows, n);
    answer_digest(&answer, out);
    answer_release(&answer);
}

Test(answer, digest_does_not_know_the_order_but_every_byte)
{
    const struct row turned[] = {THREE[2], THREE[0], THREE[1]};
    const struct row other[] = {THREE[0], THREE[1], {20, "[\"A\",1]", "\"n\":4"}};
    char a[33], b[33], c[33], nothing[33];
    digest_of(THREE, 3, a);
    digest_of(turned, 3, b);
    digest_of(other, 3, c);
    digest_of(NULL, 0, nothing);
    cr_expect_str_eq(a, b);
    cr_expect_str_neq(a, c);
    cr_expect_eq(strlen(a), 32);
    cr_expect_str_eq(nothing, "00000000000000000000000000000000");
}

/* The hash was made by a program of one line with XXH3_128bits over {"window":0,"key":[]}. */
Test(answer, digest_of_one_row_is_its_xxh3_128)
{
    const struct row one = {0, "[]", ""};
    char digest[33];
    digest_of(&one, 1, digest);
    cr_expect_str_eq(digest, "42bfda90723a38e439f11addce5831c0");
}

static void note(const struct answer_row *a, const struct answer_row *b, void *context)
{
    struct buf *out = context;
    buf_printf(out, "%s|%s ", a ? a->values.ptr : "-", b ? b->values.ptr : "-");
}

Test(answer, diff_names_rows_that_are_missing_more_or_other)
{
    const struct row left[] = {{1, "[]", "a"}, {2, "[]", "b"}, {3, "[]", "c"}};
    const struct row right[] = {{2, "[]", "B"}, {3, "[]", "c"}, {4, "[]", "d"}};
    struct answer a, b;
    fill(&a, left, 3);
    fill(&b, right, 3);
    struct buf out = {0};
    cr_expect_eq(answer_diff(&a, &b, note, &out), 3);
    cr_expect_str_eq(out.ptr, "a|- b|B -|d ");
    cr_expect_eq(answer_diff(&a, &a, NULL, NULL), 0);
    buf_release(&out);
    answer_release(&a);
    answer_release(&b);
}

Test(answer, floor_is_the_largest_of_the_parts_that_were_read)
{
    struct answer answer;
    answer_init(&answer, 3);
    cr_expect_eq(answer_floor(&answer), WINDOW_FLOOR_NONE);
    for (int p = 0; p < 3; p++) {
        answer.parts[p].read = p < 2;
        answer.parts[p].floor_ms = 10 * (p + 1);
    }
    cr_expect_eq(answer_floor(&answer), 20);
    answer_release(&answer);
}

Test(answer, keeps_thousands_of_rows)
{
    struct answer answer;
    answer_init(&answer, 1);
    for (int i = 0; i < 10000; i++)
        answer_add(&answer, 9999 - i, bytes_of("[]"), bytes_of("\"n\":1"));
    answer_sort(&answer);
    for (int i = 0; i < 10000; i++)
        cr_assert_eq(answer.rows[i].window_ms, i);
    answer_release(&answer);
}
