/* tests/common/op/test_dedupe.c - ids within a horizon, against a list that forgets nothing. */
#include <criterion/criterion.h>

#include "common/base/fault.h"
#include "common/base/rng.h"
#include "common/op/dedupe.h"
#include "tests/common/op/hand.h"

enum { IDS = 700 };

/* How often the table and the definition differ over a seeded run; T rises by up to step a time. */
static int disagreements(uint64_t seed, int64_t horizon_ms, int64_t T_ms, uint64_t step, int rounds)
{
    struct dedupe dedupe;
    struct rng rng;
    bool known[IDS] = {false};
    int64_t stamp[IDS] = {0};
    int wrong = 0;
    rng_init(&rng, seed);
    dedupe_init(&dedupe, horizon_ms);
    for (int i = 0; i < rounds; i++) {
        uint64_t n = rng_below(&rng, IDS);
        if (rng_below(&rng, 3) == 0)
            T_ms += (int64_t)rng_below(&rng, step);
        bool expected = known[n] && (int128)stamp[n] + horizon_ms >= T_ms;
        known[n] = true;
        stamp[n] = T_ms;
        struct dedupe_id id = {rng_mix(1, n) & 0xFF, rng_mix(2, n)}; /* slots collide */
        if (n == 0)
            id = (struct dedupe_id){0, 0};
        wrong += dedupe_see(&dedupe, id, T_ms) != expected;
    }
    dedupe_release(&dedupe);
    return wrong;
}

static const struct {
    int64_t horizon_ms, T_ms;
    uint64_t step;
} RUNS[] = {{100, 0, 3},        {1000, -5000, 20},           {0, 0, 2},
            {INT64_MAX, 0, 50}, {INT64_MAX, INT64_MIN, 100}, {INT64_MAX - 1, INT64_MIN, 100}};

Test(dedupe, knows_what_a_list_of_all_sightings_knows)
{
    for (size_t i = 0; i < sizeof RUNS / sizeof *RUNS; i++)
        for (uint64_t seed = 1; seed <= 5; seed++)
            cr_expect_eq(disagreements(seed, RUNS[i].horizon_ms, RUNS[i].T_ms, RUNS[i].step, 8000),
                         0, "run %zu, seed %lu", i, seed);
}

#ifdef LK_BUGS
Test(dedupe, first_sighting_stamps_are_seen)
{
    bug_plant("first-sighting");
    cr_assert_gt(disagreements(1, 1000, 0, 5, 8000), 0);
    bug_plant(NULL);
}
#endif

Test(dedupe, memory_follows_the_ids_of_one_horizon)
{
    struct dedupe dedupe;
    dedupe_init(&dedupe, 1000);
    for (uint64_t n = 0; n < 200000; n++)
        dedupe_see(&dedupe, (struct dedupe_id){rng_mix(5, n), n + 1}, (int64_t)n);
    cr_assert_leq(dedupe_bytes(&dedupe), 8192 * 24); /* 1,001 ids, at worst after doubling */
    dedupe_clear(&dedupe);
    cr_assert_eq(dedupe_bytes(&dedupe), 0);
    cr_assert_not(dedupe_see(&dedupe, (struct dedupe_id){rng_mix(5, 199999), 200000}, 200000));
    dedupe_release(&dedupe);
}

Test(dedupe, ids_of_different_types_differ)
{
    struct columns *columns = hand_columns(3);
    hand_int(columns, N, 0, 1);
    hand_int(columns, N, 1, 1);
    hand_int(columns, PRICE, 0, 1);
    hand_text(columns, WORD, 0, "1");
    hand_text(columns, WORD, 1, "");
    hand_double(columns, 0, 0.0);
    hand_double(columns, 1, -0.0);
    const struct {
        int column, row, other_column, other_row;
        bool equal;
    } ROWS[] = {{N, 0, N, 1, true},         {N, 0, WORD, 0, false}, {N, 0, PRICE, 0, false},
                {RATIO, 0, RATIO, 1, true}, {N, 2, WORD, 2, true},  {WORD, 1, WORD, 2, false},
                {WORD, 0, WORD, 1, false}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct dedupe_id a = dedupe_id_of(columns, ROWS[i].column, ROWS[i].row);
        struct dedupe_id b = dedupe_id_of(columns, ROWS[i].other_column, ROWS[i].other_row);
        cr_expect_eq(a.low == b.low && a.high == b.high, ROWS[i].equal, "row %zu", i);
    }
    columns_free(columns);
}
