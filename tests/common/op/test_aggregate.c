/* tests/common/op/test_aggregate.c - zero, add, merge, finish; text; and the exact division. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/rng.h"
#include "common/op/aggregate.h"
#include "tests/common/op/hand.h"

static struct where n_positive = {
    .kind = WHERE_COMPARE, .field = N, .op = OP_GT, .other_field = -1, .literals = 1};
static struct literal zero_literal;
enum { SLOTS = 22 };

static struct plan all_kinds(void)
{
    static const struct value VALUES[] = {{"events", AGG_COUNT, -1, NULL, 0, 0},
                                          {"total", AGG_SUM, N, NULL, 1, 0},
                                          {"least", AGG_MIN, RATIO, NULL, 2, 0},
                                          {"most", AGG_MAX, RATIO, NULL, 3, 0},
                                          {"mean", AGG_AVG, PRICE, NULL, 4, 0},
                                          {"cheapest", AGG_MIN, PRICE, NULL, 6, 0},
                                          {"positive", AGG_COUNT, -1, &n_positive, 7, 0},
                                          {"latest", AGG_MAX, TIME, NULL, 8, 0},
                                          {"paid", AGG_SUM, PRICE, &n_positive, 9, 0},
                                          {"prices", AGG_DISTINCT, PRICE, NULL, 10, 7},
                                          {"words", AGG_DISTINCT, WORD, &n_positive, 18, 6}};
    struct plan plan = hand_plan();
    n_positive.literal = &zero_literal;
    memcpy(plan.values, VALUES, sizeof VALUES);
    plan.value_count = sizeof VALUES / sizeof *VALUES;
    plan.slots = SLOTS;
    return plan;
}

static char *finished(const struct plan *plan, const int128 *slots)
{
    struct buf out = {0};
    aggregate_finish(plan, slots, &out);
    return out.ptr;
}

Test(aggregate, of_nothing_is_null_or_zero)
{
    struct plan plan = all_kinds();
    int128 slots[SLOTS];
    aggregate_zero(&plan, slots);
    char *text = finished(&plan, slots);
    cr_assert_str_eq(text, "\"events\":0,\"total\":0,\"least\":null,\"most\":null,\"mean\":null,"
                           "\"cheapest\":null,\"positive\":0,\"latest\":null,\"paid\":0.00,"
                           "\"prices\":0,\"words\":0");
    free(text);
}

Test(aggregate, of_three_events_is_what_a_hand_computes)
{
    struct plan plan = all_kinds();
    struct columns *columns = hand_columns(3);
    int128 slots[SLOTS];
    aggregate_zero(&plan, slots);
    for (int row = 0; row < 3; row++)
        hand_int(columns, TIME, row, 1000 - row);
    hand_int(columns, N, 0, 5);
    hand_int(columns, N, 1, -7);
    hand_int(columns, PRICE, 0, 150);
    hand_int(columns, PRICE, 2, -25);
    hand_double(columns, 1, -0.0);
    hand_double(columns, 2, -2.5);
    for (int row = 0; row < 3; row++)
        hand_text(columns, WORD, row, row ? "b" : "a");
    for (int row = 0; row < 3; row++)
        aggregate_add(&plan, slots, columns, row);
    char *text = finished(&plan, slots);
    cr_assert_str_eq(text, "\"events\":3,\"total\":-2,\"least\":-2.5,\"most\":0.0,\"mean\":0.625,"
                           "\"cheapest\":-0.25,\"positive\":1,\"latest\":1000,"
                           "\"paid\":1.50,\"prices\":2,\"words\":1");
    free(text);
    columns_free(columns);
}

static void random_row(struct rng *rng, struct columns *columns, int row)
{
    static const double RATIOS[] = {0.0, -0.0, 1e308, -1e308, 5e-324, -5e-324, 1.5, -1.5};
    hand_int(columns, TIME, row, (int64_t)rng_u64(rng));
    hand_int(columns, N, row, (int64_t)(rng_u64(rng) >> rng_below(rng, 64)) - 5);
    hand_int(columns, PRICE, row, (int64_t)rng_u64(rng));
    hand_double(columns, row, RATIOS[rng_below(rng, 8)]);
    static const char *const WORDS[] = {"", "a", "b", "word", "a longer word", "and another"};
    hand_text(columns, WORD, row, WORDS[rng_below(rng, 6)]);
    for (int column = N; column <= WORD; column++)
        columns->column[column].present[row] = rng_below(rng, 4) > 0;
}

/* Rows dealt to groups, groups merged in any order, give what one fold gives, to the last slot. */
Test(aggregate, does_not_depend_on_the_order_of_merges)
{
    enum { ROWS = 60, GROUPS = 5, ROUNDS = 300 };
    struct plan plan = all_kinds();
    struct columns *columns = hand_columns(ROWS);
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        int128 whole[SLOTS], group[GROUPS][SLOTS], merged[SLOTS];
        aggregate_zero(&plan, whole);
        aggregate_zero(&plan, merged);
        for (int g = 0; g < GROUPS; g++)
            aggregate_zero(&plan, group[g]);
        for (int row = 0; row < ROWS; row++) {
            random_row(&rng, columns, row);
            aggregate_add(&plan, whole, columns, row);
            aggregate_add(&plan, group[rng_below(&rng, GROUPS)], columns, row);
        }
        uint64_t turn = rng_below(&rng, GROUPS);
        for (uint64_t g = 0; g < GROUPS; g++)
            aggregate_merge(&plan, merged, group[(g * 2 + turn) % GROUPS]);
        cr_assert_eq(memcmp(whole, merged, sizeof whole), 0, "seed %lu", seed);
    }
    columns_free(columns);
}

Test(aggregate, comes_back_from_its_text)
{
    struct plan plan = all_kinds();
    const int128 most = SLOT_NOTHING_MIN, least = SLOT_NOTHING_MAX;
    int128 slots[SLOTS] = {most, least, SLOT_NOTHING_MIN, SLOT_NOTHING_MAX, -1, 1, least, 0,
                           most, 7};
    int128 back[SLOTS];
    uint8_t *registers = (uint8_t *)&slots[10]; /* 128 of prices, then 64 of words */
    registers[0] = 1;
    registers[127] = 58;
    registers[128 + 3] = 27;
    struct buf text = {0};
    aggregate_encode(&plan, slots, &text);
    cr_assert_str_eq(text.ptr, "170141183460469231731687303715884105727,"
                               "-170141183460469231731687303715884105728,-,-,-1,1,"
                               "-170141183460469231731687303715884105728,0,"
                               "170141183460469231731687303715884105727,7,A126(,3a");
    cr_assert(aggregate_decode(&plan, buf_bytes(&text), back));
    cr_assert_eq(memcmp(slots, back, sizeof back), 0);
    buf_release(&text);
}

Test(aggregate, of_one_count_is_a_plain_number_as_text)
{
    struct plan plan = all_kinds();
    plan.value_count = plan.slots = 1;
    int128 slot = 42, back;
    struct buf text = {0};
    aggregate_encode(&plan, &slot, &text);
    cr_assert_str_eq(text.ptr, "42");
    cr_assert(aggregate_decode(&plan, buf_bytes(&text), &back) && back == 42);
    buf_release(&text);
}

Test(aggregate, refuses_a_text_that_is_not_a_partial)
{
    static const char *const BAD[] = {
        "",
        "1",
        "1,2,-,-,1,1,-,0,5,,",
        "1,2,-,-,1,1,-,0,5,7",
        "1,2,-,-,1,1,-,0,5,7,",
        "1,2,-,-,1,1,-,0,5,7,8,,",
        "-,2,-,-,1,1,-,0,5,7,,",
        "1,2,-,-,1,1,-,0,5,x,,",
        "1,2,-,-,1,1,-,0,5,170141183460469231731687303715884105728,,",
        "1,2,-,-,1,1,-,0,5,7,,64A",
    };
    struct plan plan = all_kinds();
    int128 slots[SLOTS];
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        cr_expect_not(aggregate_decode(&plan, bytes_of(BAD[i]), slots), "%s", BAD[i]);
    cr_expect(aggregate_decode(&plan, bytes_of("1,2,-,-,1,1,-,0,5,7,,63A"), slots));
}

/* Whole numbers of 512 bits, to check a division without dividing. */
enum { LIMBS = 16 };
struct wide {
    uint32_t limb[LIMBS];
};

static struct wide wide_of(uint128 value, int shift)
{
    struct wide w = {{0}};
    for (int bit = 0; bit < 128; bit++)
        if (value >> bit & 1)
            w.limb[(bit + shift) / 32] |= 1u << ((bit + shift) % 32);
    return w;
}

static struct wide wide_times(struct wide a, uint32_t by)
{
    uint64_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        carry += (uint64_t)a.limb[i] * by;
        a.limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return a;
}

static struct wide wide_sum(struct wide a, struct wide b)
{
    uint64_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        carry += (uint64_t)a.limb[i] + b.limb[i];
        a.limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return a;
}

static int wide_compare(struct wide a, struct wide b)
{
    for (int i = LIMBS - 1; i >= 0; i--)
        if (a.limb[i] != b.limb[i])
            return a.limb[i] < b.limb[i] ? -1 : 1;
    return 0;
}

static struct wide wide_shift(struct wide a, int bits)
{
    while (bits-- > 0)
        a = wide_sum(a, a);
    return a;
}

/* Is result the double nearest to n / d, the even one of two? With result = m * 2^e it must be that
 * |n - m * d * 2^e| <= d * 2^e / 2; half of that below a power of two, where doubles are denser. */
static bool is_nearest(uint128 n, uint128 d, double result)
{
    int e;
    uint64_t m = (uint64_t)ldexp(frexp(result, &e), 53);
    e -= 53;
    struct wide ulp = wide_of(d, e > 0 ? e : 0);
    struct wide product = wide_sum(wide_times(ulp, (uint32_t)m),
                                   wide_shift(wide_times(ulp, (uint32_t)(m >> 32)), 32));
    struct wide value = wide_of(n, e < 0 ? -e : 0);
    int side = wide_compare(value, product);
    struct wide low = side < 0 ? value : product, high = side < 0 ? product : value;
    int finer = side < 0 && m == (uint64_t)1 << 52 ? 2 : 1;
    struct wide distance = wide_shift(high, finer), limit = wide_sum(wide_shift(low, finer), ulp);
    int order = wide_compare(distance, limit);
    return order < 0 || (order == 0 && m % 2 == 0);
}

static uint128 random_wide(struct rng *rng)
{
    uint128 value = (uint128)rng_u64(rng) << 64 | rng_u64(rng);
    return value >> (1 + rng_below(rng, 127));
}

Test(int128_divide, gives_the_nearest_double_for_random_pairs)
{
    struct rng rng;
    rng_init(&rng, 20);
    for (int i = 0; i < 20000; i++) {
        uint128 n = random_wide(&rng) | 1, d = random_wide(&rng) | 1;
        double up = int128_divide((int128)n, (int128)d),
               down = int128_divide(-(int128)n, (int128)d);
        cr_assert(is_nearest(n, d, up), "pair %d of seed 20: %a", i, up);
        cr_assert_eq(up, -down);
    }
}

/* Exact ties and their neighbours: (2m + 1) / 2 ulp, times a common factor. */
Test(int128_divide, rounds_ties_to_even)
{
    struct rng rng;
    rng_init(&rng, 21);
    for (int i = 0; i < 20000; i++) {
        uint128 factor = 1 + rng_below(&rng, 1 << 20);
        uint128 n = ((uint128)1 << 53 | rng_u64(&rng) >> 11 | 1) * factor;
        uint128 d = factor << rng_below(&rng, 40);
        for (int near = -1; near <= 1; near++) {
            double result = int128_divide((int128)n + near, (int128)d);
            cr_assert(is_nearest(n + (uint128)near, d, result), "pair %d%+d of seed 21", i, near);
        }
    }
}

Test(int128_divide, holds_at_the_ends)
{
    const int128 least = SLOT_NOTHING_MAX, most = SLOT_NOTHING_MIN;
    static const struct {
        int64_t n, d;
        double result;
    } ROWS[] = {
        {0, 7, 0.0}, {1, 3, 1.0 / 3}, {-1, 3, -1.0 / 3}, {10, 4, 2.5}, {INT64_MIN, 1, -0x1p63}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        cr_expect_eq(int128_divide(ROWS[i].n, ROWS[i].d), ROWS[i].result);
    cr_expect_eq(int128_divide(least, 1), -0x1p127);
    cr_expect_eq(int128_divide(most, most), 1.0);
    cr_expect_eq(int128_divide(1, most), 0x1p-127);
}
