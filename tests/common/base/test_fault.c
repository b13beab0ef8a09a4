/* tests/common/base/test_fault.c - a fault comes at its passing, once, and nowhere else. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/stop.h"

Test(fault, an_error_comes_at_the_nth_passing_once)
{
    cr_assert_eq(fault_set("commit sent:3:error,take:1:error", NULL), 0);
    for (int i = 1; i <= 5; i++)
        cr_expect_eq(fault_point("commit sent"), i == 3, "passing %d", i);
    cr_expect(fault_point("take"));
    cr_expect_not(fault_point("take"));
    cr_expect_not(fault_point("commit"));
    cr_assert_eq(fault_set(NULL, NULL), 0);
    cr_expect_not(fault_armed);
}

Test(fault, kill_is_sigkill, .signal = SIGKILL)
{
    fault_set("here:2:kill", NULL);
    fault_point("here");
    fault_point("here");
}

Test(fault, delay_waits_and_goes_on)
{
    fault_set("here:1:delay", NULL);
    int64_t before = clock_mono_ns();
    cr_expect_not(fault_point("here"));
    cr_expect_geq(clock_mono_ns() - before, 200000000);
}

Test(fault, what_is_no_fault_is_a_usage_error)
{
    static const char *const ROWS[] = {
        "x",          "x:1",       "x:0:kill", "x:-1:kill",  "x:1:die",
        "x:one:kill", "x:1:kill,", ":1:kill",  "x:1:killed", "x:1:kill,y:2:nothing"};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct err err = {0};
        cr_expect_eq(fault_set(ROWS[i], &err), ERR_USAGE, "%s", ROWS[i]);
        cr_expect_not(fault_armed, "%s", ROWS[i]);
        cr_expect_not(fault_point("x"), "%s", ROWS[i]);
    }
}

Test(fault, the_environment_arms_it)
{
    setenv("LK_FAULT", "here:1:error", 1);
    cr_assert_eq(fault_init(NULL), 0);
    cr_expect(fault_point("here"));
    setenv("LK_FAULT", "", 1);
    cr_assert_eq(fault_init(NULL), 0);
}

Test(stop, a_signal_asks_and_does_not_end)
{
    static const int SIGNALS[] = {SIGINT, SIGTERM};
    stop_install();
    raise(SIGPIPE);
    cr_expect_not(stop_asked());
    for (int i = 0; i < 2; i++) {
        raise(SIGNALS[i]);
        cr_expect(stop_asked());
        stop_ask(false);
    }
}
