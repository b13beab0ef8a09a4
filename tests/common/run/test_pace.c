/* tests/common/run/test_pace.c - a replay at a rate reads no more than that, and not much less. */
#include "common/run/pace.h"

#include "tests/common/run/scene.h"

Test(pace, no_more_than_the_rate_and_a_bucket_and_no_less_where_it_is_asked_in_time)
{
    const double rates[] = {0.5, 3, 1000, 250000, 5e6};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct pace pace;
        int64_t now = INT64_C(1) << 40, end = now + INT64_C(20000000000), taken = 0;
        pace_init(&pace, rates[i], now);
        while (now < end) {
            int64_t ready = now;
            int may = pace_ask(&pace, 4096, now, &ready);
            cr_assert(may > 0 || ready > now);
            pace_take(&pace, may);
            taken += may;
            now = may ? now + 1000 : ready;
        }
        double most = rates[i] * 20, bucket = rates[i] * PACE_BURST_MS / 1000;
        cr_expect_leq((double)taken, most + bucket + 1, "rate %g", rates[i]);
        cr_expect_geq((double)taken, most - bucket - 1, "rate %g: %ld", rates[i], (long)taken);
    }
}

Test(pace, what_was_not_asked_for_in_time_is_not_made_up_for)
{
    struct pace pace;
    int64_t ready;
    pace_init(&pace, 1000, 0);
    cr_expect_eq(pace_ask(&pace, 4096, INT64_C(3600000000000), &ready), PACE_BURST_MS);
}

/* Two tasks over the same log, one at a rate: the clock stands but for a millisecond a tick. */
Test(pace, a_task_at_a_rate_takes_its_time_up_to_where_the_log_ended)
{
    struct scene scene;
    scene_open(&scene, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_LATE));
    scene_append(&scene, 0, 300);
    scene.pace = 300;
    scene.rate = 1000;
    cr_assert_eq(scene_run(&scene, 900), 0, "%s", scene.err.text);
    cr_expect_geq(scene.tick, 300 - PACE_BURST_MS, "the 300 took a millisecond each");
    cr_expect_lt(scene.tick, 600, "what came later none");
    scene_check(&scene, 900, "at a rate");
    scene_close(&scene);
}
