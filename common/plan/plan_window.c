/* common/plan/plan_window.c - reads the window and how long it waits and stays. */
#include "common/plan/plan_check.h"

/* An event of a hopping window is in size / hop windows, and a window is made of size / gcd panes:
 * beyond this a read or a fold would walk for ever. */
enum { WINDOW_PANES_MAX = 10000 };

#define WINDOW_WANTED "{\"tumbling\": \"10s\"}, {\"hopping\": [\"10s\", \"2s\"]} or \"none\""

static void read_tumbling(struct check *check, const struct at *at, json_t *value)
{
    struct plan *plan = check->plan;
    check_duration(check, at, value, 1, false, &plan->size_ms);
    plan->window = WINDOW_TUMBLING;
    plan->hop_ms = plan->pane_ms = plan->size_ms;
}

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static void check_hop(struct check *check, const struct at *at, json_t *hop)
{
    struct plan *plan = check->plan;
    plan->pane_ms = greatest_divisor(plan->size_ms, plan->hop_ms);
    if (plan->hop_ms > plan->size_ms)
        check_mistake(check, at, hop,
                      "a hop of at most the size: events between two windows would be lost");
    else if (plan->size_ms / plan->pane_ms > WINDOW_PANES_MAX)
        check_mistake(check, at, hop,
                      "a hop whose greatest common divisor with the size is at least 1/%d of the "
                      "size",
                      WINDOW_PANES_MAX);
}

static void read_hopping(struct check *check, const struct at *at, json_t *value)
{
    struct plan *plan = check->plan;
    if (json_array_size(value) != 2) {
        check_mistake(check, at, value, "[SIZE, HOP] such as [\"10s\", \"2s\"]");
        return;
    }
    struct at first = {at, NULL, 0}, second = {at, NULL, 1};
    plan->window = WINDOW_HOPPING;
    check_duration(check, &first, json_array_get(value, 0), 1, false, &plan->size_ms);
    check_duration(check, &second, json_array_get(value, 1), 1, false, &plan->hop_ms);
    if (plan->size_ms > 0 && plan->hop_ms > 0)
        check_hop(check, &second, json_array_get(value, 1));
}

static void refuse_session(struct check *check, const struct at *at, json_t *value)
{
    (void)value;
    check_note(check, at, "a session window", "tumbling, hopping or none: sessions come later");
}

void plan_read_window(struct check *check, const struct at *at, json_t *value)
{
    static const struct check_member MEMBERS[] = {
        {"tumbling", read_tumbling, NULL},
        {"hopping", read_hopping, NULL},
        {"session", refuse_session, NULL},
    };
    const char *text = json_string_value(value);
    if (text && strcmp(text, "none") == 0) {
        check->plan->window = WINDOW_NONE;
    } else if (json_object_size(value) != 1) {
        check_mistake(check, at, value, WINDOW_WANTED);
        if (text)
            check_hint(check, text, (const char *const[]){"none"}, 1);
    } else {
        check_object(check, at, value, WINDOW_WANTED, MEMBERS, 3);
    }
}

void plan_read_lateness(struct check *check, const struct at *at, json_t *value)
{
    check_duration(check, at, value, 0, true, &check->plan->allowed_lateness_ms);
}

void plan_read_keep(struct check *check, const struct at *at, json_t *value)
{
    check_duration(check, at, value, 1, true, &check->plan->keep_ms);
}

/* A window below the floor takes nothing and is not served: it must not get there while it may
 * still change. */
void plan_check_window(struct check *check, const struct at *root)
{
    const struct plan *plan = check->plan;
    const struct at at = {root, "keep", 0};
    if (plan->keep_ms == PLAN_UNLIMITED)
        return;
    struct buf found = {0}, wanted = {0};
    buf_add_char(&found, '"');
    buf_add_duration(&found, plan->keep_ms);
    buf_add_char(&found, '"');
    if (plan->window == WINDOW_NONE) {
        check_note(check, &at, found.ptr, "no keep where there is no window, or \"unlimited\"");
    } else if (plan->allowed_lateness_ms != PLAN_UNLIMITED) {
        int64_t least = plan->size_ms + plan->out_of_order_ms + plan->allowed_lateness_ms;
        buf_add_text(&wanted, "at least ");
        buf_add_duration(&wanted, least);
        buf_add_text(&wanted, ": window size + out_of_order + allowed_lateness");
        if (plan->keep_ms < least)
            check_note(check, &at, found.ptr, wanted.ptr);
    }
    buf_release(&found);
    buf_release(&wanted);
}
