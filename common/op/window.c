/* common/op/window.c - time arithmetic of windows, in one place.
 *
 * Let s be the start of a window, a multiple of hop. An event of pane p is in the windows with
 * p + pane - size <= s <= p; those with s + size + B + L > T and s >= floor still take it. All
 * three are bounds on s, so the first window that takes the event is the least multiple of hop at
 * or above the largest of the lower bounds, and the event is late if that lies beyond p. Bounds are
 * computed in int128: B, L, keep and times may be anything. A pane or a window whose start an int64
 * cannot hold takes nothing. */
#include "common/op/window.h"

#include "common/base/fault.h"

/* The largest multiple of step at or below time; false if it does not fit. */
static bool round_down(int64_t time, int64_t step, int64_t *out)
{
    int64_t over = time % step;
    return !__builtin_sub_overflow(time, over < 0 ? over + step : over, out);
}

static bool round_up(int64_t time, int64_t step, int64_t *out)
{
    int64_t over = time % step;
    return !__builtin_add_overflow(time, over > 0 ? step - over : -over, out);
}

/* The least start of a window that is not closed at T. L must have a bound. */
static int128 open_from(const struct plan *plan, int64_t T_ms)
{
    int128 stays_ms = (int128)plan->size_ms + plan->out_of_order_ms + plan->allowed_lateness_ms;
    return (int128)T_ms - stays_ms + 1;
}

int64_t window_floor(const struct plan *plan, int64_t T_ms)
{
    int64_t floor_ms;
    if (plan->keep_ms == PLAN_UNLIMITED || plan->window == WINDOW_NONE || T_ms == INT64_MIN ||
        __builtin_sub_overflow(T_ms, plan->keep_ms, &floor_ms))
        return WINDOW_FLOOR_NONE;
    return floor_ms;
}

/* The least start that the rules allow at T. */
static int128 allowed_from(const struct plan *plan, int64_t T_ms)
{
    int128 from = window_floor(plan, T_ms);
    if (plan->allowed_lateness_ms == PLAN_UNLIMITED)
        return from;
    int128 open = open_from(plan, T_ms);
    if (bug_planted("boundary-off-by-one"))
        open--;
    return open > from ? open : from;
}

bool window_assign(const struct plan *plan, const struct rules *rules, int64_t time_ms,
                   int64_t T_ms, struct cell_field *out)
{
    *out = (struct cell_field){0, 0};
    if (plan->window == WINDOW_NONE)
        return true;
    int64_t pane_ms;
    if (!round_down(time_ms, plan->pane_ms, &pane_ms))
        return false;
    int128 from = (int128)pane_ms + plan->pane_ms - plan->size_ms;
    int128 allowed = rules->lateness ? allowed_from(plan, T_ms) : from;
    if (rules->has_floor && rules->floor_ms > allowed)
        allowed = rules->floor_ms;
    if (allowed > from)
        from = allowed;
    if (from > pane_ms)
        return false;
    if (from < INT64_MIN)
        from = INT64_MIN; /* windows that begin below it take nothing */
    *out = (struct cell_field){pane_ms, pane_ms};
    if (plan->window == WINDOW_TUMBLING)
        return true;
    return round_up((int64_t)from, plan->hop_ms, &out->first_ms) && out->first_ms <= pane_ms;
}

void window_range(const struct plan *plan, struct cell_field field, int64_t *first_ms,
                  int64_t *last_ms)
{
    *first_ms = *last_ms = field.first_ms;
    if (plan->window == WINDOW_HOPPING)
        round_down(field.pane_ms, plan->hop_ms, last_ms);
}

void window_encode(const struct plan *plan, struct cell_field field, struct buf *out)
{
    buf_add_int64(out, field.pane_ms);
    if (plan->window != WINDOW_HOPPING)
        return;
    buf_add_char(out, '.');
    buf_add_int64(out, field.first_ms);
}

bool window_decode(const struct plan *plan, struct bytes text, struct cell_field *out)
{
    const char *dot = text.len ? memchr(text.ptr, '.', text.len) : NULL;
    if ((dot != NULL) != (plan->window == WINDOW_HOPPING))
        return false;
    struct bytes pane = {text.ptr, dot ? (size_t)(dot - text.ptr) : text.len};
    if (!bytes_to_int64(pane, &out->pane_ms))
        return false;
    out->first_ms = out->pane_ms;
    return !dot || bytes_to_int64((struct bytes){dot + 1, text.len - pane.len - 1}, &out->first_ms);
}

bool window_final(const struct plan *plan, int64_t window_ms, int64_t T_ms)
{
    return plan->window != WINDOW_NONE && plan->allowed_lateness_ms != PLAN_UNLIMITED &&
           window_ms < open_from(plan, T_ms);
}

int64_t window_bound(const struct plan *plan, int64_t T_ms)
{
    if (T_ms == INT64_MIN)
        return INT64_MIN;
    int128 step = plan->hop_ms;
    int128 ended = (int128)T_ms - plan->out_of_order_ms - plan->size_ms; /* starts at or below it */
    int128 over = ended % step, bound = ended - over + (over < 0 ? 0 : step);
    return bound < INT64_MIN ? INT64_MIN : (int64_t)bound;
}
