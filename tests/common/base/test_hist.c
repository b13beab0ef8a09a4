/* tests/common/base/test_hist.c - the histogram against a sorted array of the same values. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/hist.h"
#include "common/base/rng.h"

enum { VALUES = 20000 };
static const double PERCENTS[] = {0, 1, 25, 50, 90, 99, 99.9, 99.99, 100};

static int rising(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* A wide spread: microseconds to hours. */
static int64_t draw(struct rng *rng)
{
    return (int64_t)exp2(rng_double(rng) * 42);
}

Test(hist, percentiles_are_within_a_thousandth_of_the_exact_ones)
{
    static int64_t values[VALUES];
    struct hist hist = {0};
    struct rng rng;
    double sum = 0;
    rng_init(&rng, 23);
    for (int i = 0; i < VALUES; i++) {
        values[i] = draw(&rng);
        hist_record(&hist, values[i]);
        sum += (double)values[i];
    }
    qsort(values, VALUES, sizeof *values, rising);
    for (size_t i = 0; i < sizeof PERCENTS / sizeof *PERCENTS; i++) {
        int rank = (int)ceil(PERCENTS[i] / 100 * VALUES);
        int64_t exact = values[rank < 1 ? 0 : rank - 1];
        int64_t found = hist_percentile(&hist, PERCENTS[i]);
        cr_expect(found >= exact && (double)(found - exact) <= 0.001 * (double)exact,
                  "p%g: %lld, exact %lld (seed 23)", PERCENTS[i], (long long)found,
                  (long long)exact);
    }
    cr_expect_eq(hist.min, values[0]);
    cr_expect_eq(hist.max, values[VALUES - 1]);
    cr_expect_eq(hist_percentile(&hist, 100), hist.max);
    cr_expect_eq(hist_mean(&hist), sum / VALUES);
    hist_release(&hist);
}

Test(hist, small_values_are_exact)
{
    for (int64_t v = 0; v < 2048; v++) {
        struct hist hist = {0};
        hist_record(&hist, v);
        hist_record(&hist, INT64_MAX);
        cr_assert_eq(hist_percentile(&hist, 50), v);
        cr_assert_eq(hist_percentile(&hist, 100), INT64_MAX);
        hist_release(&hist);
    }
}

Test(hist, merging_is_recording_together)
{
    struct hist parts[3] = {{0}}, whole = {0}, merged = {0};
    struct rng rng;
    rng_init(&rng, 29);
    for (int i = 0; i < VALUES; i++) {
        int64_t value = draw(&rng) - 50;
        hist_record(&parts[i % 3], value);
        hist_record(&whole, value);
    }
    for (int p = 0; p < 3; p++)
        hist_merge(&merged, &parts[p]);
    for (size_t i = 0; i < sizeof PERCENTS / sizeof *PERCENTS; i++)
        cr_expect_eq(hist_percentile(&merged, PERCENTS[i]), hist_percentile(&whole, PERCENTS[i]));
    cr_expect_eq(merged.total, whole.total);
    cr_expect_eq(merged.negative, whole.negative);
    cr_expect_gt(merged.negative, 0);
    cr_expect_eq(merged.min, whole.min);
    cr_expect_eq(merged.max, whole.max);
    for (int p = 0; p < 3; p++)
        hist_release(&parts[p]);
    hist_release(&whole);
    hist_release(&merged);
}

Test(hist, merging_into_an_empty_one_takes_its_minimum)
{
    struct hist from = {0}, to = {0};
    hist_record(&from, 70);
    hist_merge(&to, &from);
    hist_merge(&to, &(struct hist){0});
    cr_expect_eq(to.min, 70);
    cr_expect_eq(to.max, 70);
    cr_expect_eq(to.total, 1);
    hist_release(&from);
    hist_release(&to);
}

Test(hist, an_empty_one_says_zero_and_negatives_count_apart)
{
    struct hist hist = {0};
    cr_expect_eq(hist_percentile(&hist, 99), 0);
    cr_expect_eq(hist_mean(&hist), 0);
    hist_record(&hist, -1);
    cr_expect_eq(hist.total, 0);
    cr_expect_eq(hist.negative, 1);
    hist_record(&hist, 5);
    hist_clear(&hist);
    cr_expect_eq(hist.total, 0);
    cr_expect_eq(hist_percentile(&hist, 50), 0);
    hist_release(&hist);
}
