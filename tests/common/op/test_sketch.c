/* tests/common/op/test_sketch.c - what a sketch counts, how far it is off, and its text. */
#include <criterion/criterion.h>
#include <math.h>

#include "common/base/rng.h"
#include "common/op/sketch.h"

enum { REGISTERS_MAX = 1 << PLAN_PRECISION_MAX };

/* Adds count different values that begin at first. */
static void add_range(uint8_t *registers, int precision, int64_t first, int64_t count)
{
    for (int64_t i = first; i < first + count; i++)
        sketch_add(registers, precision, sketch_hash_int(i));
}

Test(sketch, of_nothing_counts_0_and_of_one_value_1_however_often)
{
    for (int p = PLAN_PRECISION_MIN; p <= PLAN_PRECISION_MAX; p++) {
        uint8_t registers[REGISTERS_MAX] = {0};
        cr_expect_eq(sketch_estimate(registers, p), 0);
        for (int i = 0; i < 1000; i++)
            sketch_add(registers, p, sketch_hash_text(bytes_of("again")));
        cr_expect_eq(sketch_estimate(registers, p), 1);
    }
}

/* The hash is part of the stored form: these never change. The texts' are known from elsewhere. */
Test(sketch, hashes_as_it_always_did)
{
    cr_expect_eq(sketch_hash_text(bytes_of("")), UINT64_C(0x2d06800538d394c2));
    cr_expect_eq(sketch_hash_text(bytes_of("a")), UINT64_C(0xe6c632b61e964e1f));
    cr_expect_eq(sketch_hash_text(bytes_of("abc")), UINT64_C(0x78af5f94892f3950));
    cr_expect_eq(sketch_hash_int(1), sketch_hash_text((struct bytes){"\1\0\0\0\0\0\0\0", 8}));
}

/* Over 200 sets of each size: the mean error is the documented one, there is no bias beyond what 200
 * sets leave to chance, and hardly any set is off by more than 3 standard errors. The hash is fixed,
 * so the outcome is, too: SEED names the sets. */
Test(sketch, is_off_by_its_standard_error)
{
    enum { SETS = 200, SEED = 7 };
    static const int64_t SIZES[] = {2, 10, 50, 200, 700, 3000, 12000};
    static const int PRECISIONS[] = {6, 8, 10, 12};
    for (size_t k = 0; k < sizeof PRECISIONS / sizeof *PRECISIONS; k++)
        for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++) {
            int p = PRECISIONS[k], far = 0;
            double count = (double)SIZES[s], squares = 0, sum = 0;
            double error = 1.04 / sqrt(1 << p);
            for (int64_t set = 0; set < SETS; set++) {
                uint8_t registers[REGISTERS_MAX] = {0};
                add_range(registers, p, SEED * INT64_C(1000000000) + set * SIZES[s], SIZES[s]);
                double off = ((double)sketch_estimate(registers, p) - count) / count;
                far += fabs(off) * count > 3 * error * count + 1;
                squares += off * off;
                sum += off;
            }
            cr_expect_leq(sqrt(squares / SETS), error * 1.15 + 0.5 / count, "p %d, %g values", p,
                          count);
            cr_expect_leq(fabs(sum / SETS), error * 3 / sqrt(SETS) + 0.5 / count, "p %d, %g", p,
                          count);
            cr_expect_leq(far, 6, "%d sets of %g are far off at precision %d", far, count, p);
        }
}

Test(sketch, of_a_union_is_the_merge_in_any_order_and_however_often)
{
    enum { PARTS = 6, ROUNDS = 100 };
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        int p = PLAN_PRECISION_MIN + (int)rng_below(&rng, 7);
        size_t bytes = (size_t)1 << p;
        uint8_t whole[REGISTERS_MAX] = {0}, merged[REGISTERS_MAX] = {0};
        uint8_t part[PARTS][REGISTERS_MAX] = {{0}};
        for (int i = 0; i < 2000; i++) {
            uint64_t hash = rng_u64(&rng) >> (rng_below(&rng, 4) == 0 ? rng_below(&rng, 64) : 0);
            sketch_add(whole, p, hash);
            sketch_add(part[rng_below(&rng, PARTS)], p, hash);
        }
        uint64_t turn = rng_below(&rng, PARTS);
        for (uint64_t i = 0; i < PARTS + 3; i++)
            sketch_merge(merged, part[(i * 5 + turn) % PARTS], p);
        cr_assert_eq(memcmp(whole, merged, bytes), 0, "seed %lu", seed);
    }
}

/* What `lk plan diff` says: a coarser sketch can be had from a finer one. */
Test(sketch, folds_down_to_any_lower_precision)
{
    enum { FINE = 12, COUNT = 3000 };
    uint8_t fine[REGISTERS_MAX] = {0};
    add_range(fine, FINE, 0, COUNT);
    for (int p = PLAN_PRECISION_MIN; p < FINE; p++) {
        uint8_t coarse[REGISTERS_MAX] = {0}, folded[REGISTERS_MAX] = {0};
        add_range(coarse, p, 0, COUNT);
        int more = FINE - p; /* bits of the register's number that are bits of the rest now */
        for (int i = 0; i < 1 << FINE; i++) {
            int low = i & ((1 << more) - 1), zeros = 0;
            while (zeros < more && !(low >> (more - 1 - zeros) & 1))
                zeros++;
            int rank = !fine[i] ? 0 : low ? zeros + 1 : more + fine[i];
            if (rank > folded[i >> more])
                folded[i >> more] = (uint8_t)rank;
        }
        cr_expect_eq(memcmp(coarse, folded, sizeof folded), 0, "precision %d", p);
    }
}

Test(sketch, comes_back_from_its_text_which_is_never_longer_than_it)
{
    static const int64_t SIZES[] = {0, 1, 2, 10, 100, 1000, 20000};
    for (int p = PLAN_PRECISION_MIN; p <= PLAN_PRECISION_MAX; p++)
        for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++) {
            uint8_t registers[REGISTERS_MAX] = {0}, back[REGISTERS_MAX];
            struct buf text = {0};
            add_range(registers, p, 1000, SIZES[s]);
            sketch_encode(registers, p, &text);
            cr_expect_leq(text.len, (size_t)1 << p);
            cr_expect_leq(text.len, 5 * (size_t)SIZES[s], "few values, few bytes");
            cr_assert(sketch_decode(buf_bytes(&text), p, back));
            cr_assert_eq(memcmp(registers, back, (size_t)1 << p), 0);
            buf_release(&text);
        }
}

Test(sketch, knows_the_letter_of_every_rank)
{
    uint8_t registers[64], back[64];
    for (int rank = 1; rank <= 59; rank++) {
        struct buf text = {0};
        memset(registers, rank, sizeof registers);
        sketch_encode(registers, 6, &text);
        cr_expect_eq(text.len, 64U);
        cr_expect_null(memchr(text.ptr, ',', text.len));
        cr_assert(sketch_decode(buf_bytes(&text), 6, back), "%s", text.ptr);
        cr_expect_eq(memcmp(registers, back, sizeof back), 0);
        buf_release(&text);
    }
}

Test(sketch, refuses_a_text_that_it_would_not_write)
{
    static const char *const BAD[] = {
        "0",  "1",           "16",     "0A", "01A", "64A", "63AA", "A16",
        "A ", "-",           "A,",     ".",  "A3",  "*",   "_",    "1000000000000A",
        "\\", "4294967297A", "31A32AA"};
    uint8_t registers[REGISTERS_MAX];
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        cr_expect_not(sketch_decode(bytes_of(BAD[i]), 6, registers), "%s", BAD[i]);
    cr_expect(sketch_decode(bytes_of("63)"), 6, registers));
    cr_expect_not(sketch_decode(bytes_of("63)"), 7, registers), "rank 59 has no room there");
}

Test(sketch, that_was_tampered_with_has_an_estimate_all_the_same)
{
    for (int p = PLAN_PRECISION_MIN; p <= PLAN_PRECISION_MAX; p++)
        for (int rank = 1; rank <= 64 - p + 1; rank++) {
            uint8_t registers[REGISTERS_MAX];
            memset(registers, rank, sizeof registers);
            cr_expect_gt(sketch_estimate(registers, p), 0);
        }
}
