/* tests/common/base/test_bytes.c - numbers, durations and JSON text, there and back. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/bytes.h"
#include "common/base/rng.h"

Test(bytes, order_is_memcmp_with_a_prefix_first)
{
    static const struct {
        const char *a, *b;
        int order;
    } ROWS[] = {{"", "", 0},        {"", "a", -1},  {"a", "b", -1},      {"ab", "a", 1},
                {"abc", "abd", -1}, {"b", "ab", 1}, {"\x7f", "\x80", -1}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        int order = bytes_compare(bytes_of(ROWS[i].a), bytes_of(ROWS[i].b));
        cr_expect_eq((order > 0) - (order < 0), ROWS[i].order, "row %zu", i);
        cr_expect_eq(bytes_equal(bytes_of(ROWS[i].a), bytes_of(ROWS[i].b)), ROWS[i].order == 0);
    }
}

Test(buf, grows_and_always_ends_with_a_nul)
{
    struct buf buf = {0};
    for (int i = 0; i < 10000; i++) {
        buf_printf(&buf, "%d,", i);
        cr_assert_eq(buf.ptr[buf.len], 0);
        cr_assert_lt(buf.len, buf.capacity);
    }
    cr_expect_eq(buf.len, 48890);
    buf_clear(&buf);
    cr_expect_eq(buf.len, 0);
    buf_add(&buf, "a\0b", 3);
    cr_expect(bytes_equal(buf_bytes(&buf), (struct bytes){"a\0b", 3}));
    buf_release(&buf);
    cr_expect_null(buf.ptr);
}

Test(buf, json_strings_escape_what_the_rfc_demands_and_nothing_more)
{
    static const struct {
        const char *text, *json;
    } ROWS[] = {{"", "\"\""},
                {"plain", "\"plain\""},
                {"a\"b\\c", "\"a\\\"b\\\\c\""},
                {"\n\t\x01\x1f", "\"\\u000a\\u0009\\u0001\\u001f\""},
                {"\x7f/é€", "\"\x7f/é€\""}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct buf buf = {0};
        buf_add_json_string(&buf, bytes_of(ROWS[i].text));
        cr_expect_str_eq(buf.ptr, ROWS[i].json);
        buf_release(&buf);
    }
}

Test(buf, integers_at_the_edges_read_back)
{
    const int128 max128 = (int128)(((uint128)1 << 127) - 1);
    const int128 values[] = {0,
                             1,
                             -1,
                             9,
                             10,
                             INT64_MAX,
                             INT64_MIN,
                             (int128)INT64_MAX + 1,
                             (int128)INT64_MIN - 1,
                             max128,
                             -max128 - 1};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct buf buf = {0};
        int128 wide = 7;
        int64_t narrow = 7;
        buf_add_int128(&buf, values[i]);
        cr_expect(bytes_to_int128(buf_bytes(&buf), &wide) && wide == values[i], "%s", buf.ptr);
        bool fits = values[i] >= INT64_MIN && values[i] <= INT64_MAX;
        cr_expect_eq(bytes_to_int64(buf_bytes(&buf), &narrow), fits, "%s", buf.ptr);
        cr_expect_eq(narrow, fits ? (int64_t)values[i] : 7, "%s", buf.ptr);
        buf_release(&buf);
    }
}

Test(bytes, what_is_no_integer_is_refused)
{
    static const char *const ROWS[] = {"",
                                       "-",
                                       "+1",
                                       " 1",
                                       "1 ",
                                       "1.0",
                                       "0x1",
                                       "--1",
                                       "1e3",
                                       "170141183460469231731687303715884105728",
                                       "-170141183460469231731687303715884105729",
                                       "99999999999999999999999999999999999999999999"};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        int128 wide;
        cr_expect_not(bytes_to_int128(bytes_of(ROWS[i]), &wide), "%s", ROWS[i]);
    }
}

Test(buf, decimals_have_exactly_their_scale)
{
    static const struct {
        int64_t value;
        int scale;
        const char *text;
    } ROWS[] = {{-150, 2, "-1.50"}, {0, 2, "0.00"},   {5, 3, "0.005"},  {-5, 3, "-0.005"},
                {1234, 0, "1234"},  {100, 2, "1.00"}, {-99, 2, "-0.99"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct buf buf = {0};
        buf_add_decimal(&buf, ROWS[i].value, ROWS[i].scale);
        cr_expect_str_eq(buf.ptr, ROWS[i].text);
        buf_release(&buf);
    }
}

Test(buf, doubles_are_short_and_read_back)
{
    static const struct {
        double value;
        const char *text;
    } ROWS[] = {
        {3, "3.0"}, {0.1, "0.1"}, {-0.0, "-0.0"}, {1e15, "1e+15"}, {123456789, "123456789.0"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct buf buf = {0};
        buf_add_double(&buf, ROWS[i].value);
        cr_expect_str_eq(buf.ptr, ROWS[i].text);
        buf_release(&buf);
    }
    struct rng rng;
    rng_init(&rng, 11);
    for (int i = 0; i < 20000; i++) {
        union {
            uint64_t bits;
            double value;
        } any = {rng_u64(&rng)};
        struct buf buf = {0};
        if (!isfinite(any.value))
            continue;
        buf_add_double(&buf, any.value);
        cr_assert_eq(strtod(buf.ptr, NULL), any.value, "%s", buf.ptr);
        buf_release(&buf);
    }
}

Test(duration, is_read_in_its_units)
{
    static const struct {
        const char *text;
        bool fine;
        int64_t ms;
    } ROWS[] = {{"250ms", true, 250},    {"10s", true, 10000},
                {"5m", true, 300000},    {"1h", true, 3600000},
                {"7d", true, 604800000}, {"0s", true, 0},
                {"", false, 0},          {"10", false, 0},
                {"s", false, 0},         {"-1s", false, 0},
                {"1 s", false, 0},       {"1w", false, 0},
                {"1.5h", false, 0},      {"9223372036854775807d", false, 0}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        int64_t ms = 0;
        cr_expect_eq(duration_parse(bytes_of(ROWS[i].text), &ms), ROWS[i].fine, "%s", ROWS[i].text);
        if (ROWS[i].fine)
            cr_expect_eq(ms, ROWS[i].ms, "%s", ROWS[i].text);
    }
}

Test(duration, is_written_in_the_largest_unit_that_fits)
{
    static const struct {
        int64_t ms;
        const char *text;
    } ROWS[] = {{0, "0s"},        {1, "1ms"},      {1500, "1500ms"}, {90000, "90s"},
                {5400000, "90m"}, {3600000, "1h"}, {172800000, "2d"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct buf buf = {0};
        int64_t ms = -1;
        buf_add_duration(&buf, ROWS[i].ms);
        cr_expect_str_eq(buf.ptr, ROWS[i].text);
        cr_expect(duration_parse(buf_bytes(&buf), &ms) && ms == ROWS[i].ms);
        buf_release(&buf);
    }
}
