/* tests/common/op/test_window.c - window arithmetic against its definition, window by window. */
#include <criterion/criterion.h>

#include "common/base/fault.h"
#include "common/base/rng.h"
#include "common/op/window.h"
#include "tests/common/op/hand.h"

static int64_t gcd(int64_t a, int64_t b)
{
    return b ? gcd(b, a % b) : a;
}

static struct plan windowed(enum window_kind kind, int64_t size_ms, int64_t hop_ms)
{
    struct plan plan = hand_plan();
    plan.window = kind;
    plan.size_ms = size_ms;
    plan.hop_ms = hop_ms;
    plan.pane_ms = kind == WINDOW_NONE ? 0 : gcd(size_ms, hop_ms);
    return plan;
}

static struct plan random_plan(struct rng *rng)
{
    int64_t size_ms = 1 + (int64_t)rng_below(rng, 12), hop_ms = 1 + (int64_t)rng_below(rng, 14);
    bool tumbling = rng_below(rng, 3) == 0;
    struct plan plan = tumbling ? windowed(WINDOW_TUMBLING, size_ms, size_ms)
                                : windowed(WINDOW_HOPPING, size_ms, hop_ms);
    plan.out_of_order_ms = (int64_t)rng_below(rng, 4);
    if (rng_below(rng, 4) > 0)
        plan.allowed_lateness_ms = (int64_t)rng_below(rng, 9);
    if (rng_below(rng, 2) > 0)
        plan.keep_ms = (int64_t)rng_below(rng, 20);
    return plan;
}

/* The definition. */
static bool takes(const struct plan *plan, bool lateness, int64_t start, int64_t time, int64_t T)
{
    if (time < start || time >= start + plan->size_ms)
        return false;
    bool closed = plan->allowed_lateness_ms != PLAN_UNLIMITED &&
                  start + plan->size_ms + plan->out_of_order_ms + plan->allowed_lateness_ms <= T;
    bool below = plan->keep_ms != PLAN_UNLIMITED && start < T - plan->keep_ms;
    return !lateness || (!closed && !below);
}

/* Does assign's cell belong to exactly the windows that take the event? */
static bool agrees(const struct plan *plan, bool lateness, int64_t time, int64_t T)
{
    struct cell_field field;
    int64_t first = 1, last = 0;
    bool taken = window_assign(plan, &(struct rules){.lateness = lateness}, time, T, &field);
    if (taken)
        window_range(plan, field, &first, &last);
    if (taken && (field.pane_ms > time || field.pane_ms + plan->pane_ms <= time))
        return false;
    for (int64_t n = -80; n <= 80; n++) {
        int64_t start = n * plan->hop_ms;
        bool expected = takes(plan, lateness, start, time, T);
        if (expected != (taken && first <= start && start <= last))
            return false;
    }
    return true;
}

static int disagreements(uint64_t seed, int rounds)
{
    struct rng rng;
    int wrong = 0;
    rng_init(&rng, seed);
    for (int i = 0; i < rounds; i++) {
        struct plan plan = random_plan(&rng);
        int64_t time = (int64_t)rng_below(&rng, 100) - 50;
        int64_t T = time + (int64_t)rng_below(&rng, 40);
        wrong += !agrees(&plan, rng_below(&rng, 8) > 0, time, T);
    }
    return wrong;
}

Test(window, assign_takes_what_the_definition_takes)
{
    cr_assert_eq(disagreements(31, 40000), 0, "seed 31");
}

#ifdef LK_BUGS
Test(window, a_boundary_off_by_one_is_seen)
{
    bug_plant("boundary-off-by-one");
    cr_assert_gt(disagreements(31, 40000), 0);
    bug_plant(NULL);
}
#endif

Test(window, final_is_when_no_further_event_is_taken)
{
    struct rng rng;
    rng_init(&rng, 32);
    for (int i = 0; i < 5000; i++) {
        struct plan plan = random_plan(&rng);
        plan.keep_ms = PLAN_UNLIMITED;
        int64_t start = ((int64_t)rng_below(&rng, 9) - 4) * plan.hop_ms,
                T = start + (int64_t)rng_below(&rng, 40);
        cr_assert_eq(window_final(&plan, start, T), !takes(&plan, true, start, start, T));
    }
}

Test(window, none_takes_everything_into_one_cell)
{
    struct plan plan = windowed(WINDOW_NONE, 0, 0);
    struct cell_field field;
    plan.allowed_lateness_ms = 0;
    plan.keep_ms = 1;
    cr_assert(window_assign(&plan, &(struct rules){.lateness = true}, -5, INT64_MAX, &field));
    cr_assert(field.pane_ms == 0 && field.first_ms == 0);
    cr_assert_not(window_final(&plan, 0, INT64_MAX));
    cr_assert_eq(window_floor(&plan, 1000), WINDOW_FLOOR_NONE);
}

Test(window, floor_is_T_less_keep_and_none_before_the_first_event)
{
    struct plan plan = windowed(WINDOW_TUMBLING, 10, 10);
    cr_assert_eq(window_floor(&plan, 1000), WINDOW_FLOOR_NONE);
    plan.keep_ms = 400;
    cr_assert_eq(window_floor(&plan, 1000), 600);
    cr_assert_eq(window_floor(&plan, INT64_MIN), WINDOW_FLOOR_NONE);
    cr_assert_eq(window_floor(&plan, INT64_MIN + 5), WINDOW_FLOOR_NONE);
}

Test(window, all_windows_below_the_bound_have_ended_and_no_other_has)
{
    struct rng rng;
    rng_init(&rng, 11);
    for (int i = 0; i < 2000; i++) {
        struct plan plan = random_plan(&rng);
        int64_t T_ms = (int64_t)rng_below(&rng, 200) - 100;
        int64_t bound_ms = window_bound(&plan, T_ms);
        cr_assert_eq(bound_ms % plan.hop_ms, 0);
        for (int64_t n = -200; n <= 200; n++) {
            int64_t start = n * plan.hop_ms;
            bool ended = start + plan.size_ms + plan.out_of_order_ms <= T_ms;
            cr_assert_eq(start < bound_ms, ended, "plan %d, T %lld, window %lld", i,
                         (long long)T_ms, (long long)start);
        }
        cr_assert_eq(window_bound(&plan, INT64_MIN), INT64_MIN);
        cr_assert_leq(window_bound(&plan, INT64_MAX), INT64_MAX);
    }
}

Test(window, extreme_times_are_taken_or_late_but_never_wrap)
{
    static const int64_t TIMES[] = {INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1, INT64_MAX};
    struct cell_field field;
    for (int kind = WINDOW_TUMBLING; kind <= WINDOW_HOPPING; kind++) {
        struct plan plan = windowed((enum window_kind)kind, 10, kind == WINDOW_HOPPING ? 4 : 10);
        plan.out_of_order_ms = INT64_MAX - 1;
        plan.allowed_lateness_ms = INT64_MAX - 1;
        for (size_t i = 0; i < sizeof TIMES / sizeof *TIMES; i++)
            for (size_t j = i; j < sizeof TIMES / sizeof *TIMES; j++) {
                bool taken = window_assign(&plan, &(struct rules){.lateness = true}, TIMES[i],
                                           TIMES[j], &field);
                cr_expect(!taken || (field.pane_ms <= TIMES[i] && field.first_ms <= field.pane_ms));
                cr_expect(taken || TIMES[i] < INT64_MIN + 10, "%ld at %ld", TIMES[i], TIMES[j]);
            }
    }
}

Test(window, field_comes_back_from_its_text)
{
    static const struct {
        enum window_kind kind;
        struct cell_field field;
        const char *text;
    } ROWS[] = {{WINDOW_TUMBLING, {978307200000, 978307200000}, "978307200000"},
                {WINDOW_NONE, {0, 0}, "0"},
                {WINDOW_HOPPING, {978307200000, 978307190000}, "978307200000.978307190000"},
                {WINDOW_HOPPING, {-5, INT64_MIN}, "-5.-9223372036854775808"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct plan plan = windowed(ROWS[i].kind, 10, 5);
        struct cell_field back = {1, 1};
        struct buf text = {0};
        window_encode(&plan, ROWS[i].field, &text);
        cr_expect_str_eq(text.ptr, ROWS[i].text);
        cr_expect(window_decode(&plan, buf_bytes(&text), &back));
        cr_expect(back.pane_ms == ROWS[i].field.pane_ms && back.first_ms == ROWS[i].field.first_ms);
        buf_release(&text);
    }
}

Test(window, a_text_of_another_kind_is_refused)
{
    static const struct {
        enum window_kind kind;
        const char *text;
    } ROWS[] = {{WINDOW_TUMBLING, ""},    {WINDOW_TUMBLING, "1.2"}, {WINDOW_TUMBLING, "x"},
                {WINDOW_HOPPING, "1"},    {WINDOW_HOPPING, "1."},   {WINDOW_HOPPING, ".1"},
                {WINDOW_HOPPING, "1.2.3"}};
    struct cell_field field;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct plan plan = windowed(ROWS[i].kind, 10, 5);
        cr_expect_not(window_decode(&plan, bytes_of(ROWS[i].text), &field), "%s", ROWS[i].text);
    }
}
