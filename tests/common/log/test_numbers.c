/* tests/common/log/test_numbers.c - numbers come back as they went in, in as few bytes as promised. */
#include <criterion/criterion.h>

#include "common/base/rng.h"
#include "common/log/numbers.h"

enum { COUNT_MAX = 1000 };

/* Pack, look, unpack: all equal, and the bytes are a head and count differences of width. */
static void check(const int64_t *numbers, int count, int width, const char *what)
{
    struct buf packed = {0};
    struct numbers look;
    int64_t out[COUNT_MAX];
    buf_add_char(&packed, 'x'); /* at no address that is a multiple of 8 */
    numbers_pack(numbers, count, &packed);
    cr_assert_eq(packed.len, 1 + NUMBERS_HEAD_BYTES + (size_t)count * (size_t)width,
                 "%s: %zu bytes", what, packed.len);
    const char *at = packed.ptr + 1, *end = packed.ptr + packed.len;
    cr_assert(numbers_look(&at, end, count, &look), "%s", what);
    cr_assert_eq(at, end, "%s", what);
    numbers_unpack(&look, count, out);
    for (int i = 0; i < count; i++)
        cr_assert_eq(out[i], numbers[i], "%s: number %d", what, i);
    at = packed.ptr + 1;
    cr_assert_not(numbers_look(&at, end - 1, count, &look), "%s: cut short", what);
    buf_release(&packed);
}

Test(numbers, the_edges_of_each_width_come_back)
{
    static const struct {
        const char *what;
        int count, width;
        int64_t numbers[3];
    } ROWS[] = {
        {"nothing", 0, 0, {0}},
        {"one", 1, 0, {INT64_MIN}},
        {"equal", 3, 0, {-7, -7, -7}},
        {"range 1", 2, 1, {5, 4}},
        {"range 255", 2, 1, {-128, 127}},
        {"range 256", 2, 2, {-128, 128}},
        {"range 65535", 3, 2, {1, 65536, 2}},
        {"range 65536", 3, 4, {1, 65537, 2}},
        {"range 2^32 - 1", 2, 4, {INT64_MAX, INT64_MAX - UINT32_MAX}},
        {"range 2^32", 2, 8, {INT64_MAX, INT64_MAX - UINT32_MAX - 1}},
        {"all of int64", 3, 8, {INT64_MAX, 0, INT64_MIN}},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        check(ROWS[i].numbers, ROWS[i].count, ROWS[i].width, ROWS[i].what);
}

Test(numbers, seeded_columns_of_every_width_come_back)
{
    static const int WIDTHS[] = {1, 2, 4, 8};
    struct rng rng;
    rng_init(&rng, 42);
    for (int round = 0; round < 200; round++) {
        int width = WIDTHS[round % 4], count = 2 + (int)rng_below(&rng, COUNT_MAX - 2);
        uint64_t most = width == 8 ? UINT64_MAX : ((uint64_t)1 << (8 * width)) - 1;
        int64_t base = width == 8 ? INT64_MIN : (int64_t)rng_u64(&rng) / 2, numbers[COUNT_MAX];
        for (int i = 0; i < count; i++)
            numbers[i] = (int64_t)((uint64_t)base + (rng_u64(&rng) & most));
        numbers[0] = base;
        numbers[count - 1] = (int64_t)((uint64_t)base + most);
        check(numbers, count, width, "seed 42");
    }
}

Test(numbers, a_width_that_is_none_is_refused)
{
    struct buf packed = {0};
    struct numbers look;
    const int64_t numbers[] = {1, 2, 3};
    numbers_pack(numbers, 3, &packed);
    static const char WIDTHS[] = {3, 5, 7, 9, 16, (char)255};
    for (size_t i = 0; i < sizeof WIDTHS; i++) {
        const char *at = packed.ptr;
        packed.ptr[8] = WIDTHS[i];
        cr_assert_not(numbers_look(&at, packed.ptr + packed.len, 1, &look), "%d", WIDTHS[i]);
    }
    buf_release(&packed);
}
