/* tests/common/base/test_clock.c - time moves on by itself, or only when a test says so. */
#include <criterion/criterion.h>

#include "common/base/clock.h"

Test(clock, a_frozen_clock_moves_by_hand_alone, .timeout = 20)
{
    const int64_t far_ns = 4000000000000000000; /* a sleep until then would not end */
    clock_freeze(far_ns, 1000);
    clock_sleep_ms(60000);
    cr_expect_eq(clock_mono_ns(), far_ns, "a sleep returns at once and moves nothing");
    clock_advance_ms(250);
    cr_expect_eq(clock_mono_ns(), far_ns + 250000000);
    cr_expect_eq(clock_wall_ms(), 1250);
    cr_expect_eq(clock_wall_ns(), 1250000000);
    clock_free_run();
    cr_expect_gt(clock_wall_ms(), 1600000000000);
}

Test(clock, a_free_clock_never_goes_back_and_sleeps_at_least_as_long)
{
    int64_t before = clock_mono_ns();
    clock_sleep_ms(5);
    int64_t after = clock_mono_ns();
    cr_expect_geq(after - before, 5000000);
    for (int i = 0; i < 1000; i++) {
        before = after;
        after = clock_mono_ns();
        cr_assert_geq(after, before);
    }
    clock_sleep_until_ns(after - 1000000000); /* the past: no wait */
}

Test(clock, cpu_time_counts_work)
{
    int64_t before = clock_cpu_ns();
    volatile unsigned work = 0;
    for (unsigned i = 0; i < 5000000; i++)
        work += i;
    cr_expect_gt(clock_cpu_ns(), before);
}
