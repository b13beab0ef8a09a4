/* tests/common/base/test_rng.c - the same numbers everywhere, and none preferred. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "common/base/rng.h"

/* From the authors' own programs: splitmix64 seeded with 0, xoshiro256** with state {1, 2, 3, 4}.
 */
Test(rng, gives_the_published_numbers)
{
    static const uint64_t SPLITMIX[] = {0xe220a8397b1dcdafu, 0x6e789e6aa1b965f4u,
                                        0x06c45d188009454fu, 0xf88bb8a8724c81ecu};
    static const uint64_t XOSHIRO[] = {11520, 0, 1509978240, 1215971899390074240u};
    struct rng rng;
    rng_init(&rng, 0);
    for (int i = 0; i < 4; i++)
        cr_expect_eq(rng.state[i], SPLITMIX[i]);
    rng = (struct rng){{1, 2, 3, 4}};
    for (int i = 0; i < 4; i++)
        cr_expect_eq(rng_u64(&rng), XOSHIRO[i], "number %d", i);
}

Test(rng, a_seed_is_a_sequence_and_another_seed_another)
{
    struct rng a, b, c;
    int equal = 0;
    rng_init(&a, 1);
    rng_init(&b, 1);
    rng_init(&c, 2);
    for (int i = 0; i < 1000; i++) {
        uint64_t x = rng_u64(&a);
        cr_assert_eq(x, rng_u64(&b));
        equal += x == rng_u64(&c);
    }
    cr_expect_eq(equal, 0);
}

Test(rng, element_n_of_a_seed_does_not_depend_on_the_others)
{
    struct rng straight, at;
    for (uint64_t n = 0; n < 1000; n++) {
        rng_init_at(&straight, 9, n);
        rng_init_at(&at, 9, n);
        cr_assert_eq(rng_u64(&straight), rng_u64(&at));
        cr_assert_neq(rng_mix(9, n), rng_mix(9, n + 1));
        cr_assert_neq(rng_mix(9, n), rng_mix(10, n));
    }
}

Test(rng, draws_below_a_bound_are_even)
{
    enum { BOUND = 7, DRAWS = 70000 };
    int counts[BOUND] = {0};
    struct rng rng;
    rng_init(&rng, 31);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t value = rng_below(&rng, BOUND);
        cr_assert_lt(value, BOUND);
        counts[value]++;
    }
    for (int v = 0; v < BOUND; v++)
        cr_expect(abs(counts[v] - DRAWS / BOUND) < 500, "%d came %d times (seed 31)", v, counts[v]);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(rng_below(&rng, 1), 0);
}

Test(rng, doubles_fill_the_unit_interval_and_the_exponential_has_its_mean)
{
    struct rng rng;
    double sum = 0, exponential = 0, low = 1, high = 0;
    rng_init(&rng, 37);
    for (int i = 0; i < 100000; i++) {
        double value = rng_double(&rng);
        cr_assert(value >= 0 && value < 1);
        sum += value;
        low = fmin(low, value);
        high = fmax(high, value);
        double wait = rng_exponential(&rng, 40);
        cr_assert(wait >= 0 && isfinite(wait));
        exponential += wait;
    }
    cr_expect_float_eq(sum / 100000, 0.5, 0.005);
    cr_expect(low < 0.001 && high > 0.999);
    cr_expect_float_eq(exponential / 100000, 40, 0.5);
}

Test(token, is_32_hexadecimal_digits_and_never_the_same)
{
    char tokens[50][33];
    for (int i = 0; i < 50; i++) {
        random_token(tokens[i]);
        cr_assert_eq(strlen(tokens[i]), 32);
        for (int c = 0; c < 32; c++)
            cr_assert(isxdigit((unsigned char)tokens[i][c]) &&
                      !isupper((unsigned char)tokens[i][c]));
        for (int j = 0; j < i; j++)
            cr_assert_str_neq(tokens[i], tokens[j]);
    }
}
