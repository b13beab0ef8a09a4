/* bench/handover.c - `lk compare --handover all`: what each way to hand over lost or counted twice.
 *
 * Four lambdas fold the same events side by side, each with an archive, a speed layer, batches and a Redis of
 * its own; only the way differs in which batch and speed layer are joined (docs/handover.md). Each whole read
 * is first held against its own way's oracle: it must say what its way says it should. Its error is then
 * its distance from what the exact way, by offset, says at the same positions; lateness is in both. */
#include <math.h>
#include <stdlib.h>

#include "bench/metrics.h"

struct distance {
    const char *count; /* "\"views\":" */
    double lost, twice;
};

static double count_of(const struct answer_row *row, const char *count)
{
    const char *at = row && *count ? strstr(row->values.ptr, count) : NULL;
    return at ? strtod(at + strlen(count), NULL) : 0;
}

static void add_row(const struct answer_row *exact, const struct answer_row *found, void *context)
{
    struct distance *distance = context;
    double more = count_of(found, distance->count) - count_of(exact, distance->count);
    distance->twice += more > 0 ? more : 0;
    distance->lost += more < 0 ? -more : 0;
}

void handover_judge(struct whole *whole, const struct answer *found, const struct answer *exact,
                    const char *count)
{
    struct distance distance = {.count = count};
    double all = 0;
    for (size_t i = 0; i < exact->count; i++)
        all += count_of(&exact->rows[i], count);
    whole->rows_off = answer_diff(exact, found, add_row, &distance);
    whole->rows_of = exact->count > found->count ? exact->count : found->count;
    whole->lost_share = all > 0 ? distance.lost / all : 0;
    whole->twice_share = all > 0 ? distance.twice / all : 0;
}

static void add_line(struct run *run, const struct side *side, const struct whole *whole)
{
    buf_printf(&run->samples,
               "{\"t_s\":%.3f,\"pipeline\":\"%s\",\"kind\":\"handover\",\"rows_off\":%zu,"
               "\"rows\":%zu,\"lost_share\":%.8f,\"twice_share\":%.8f}\n",
               (double)(whole->done_ns - run->began_wall_ns) / 1e9, side->name, whole->rows_off,
               whole->rows_of ? whole->rows_of : whole->rows, whole->lost_share,
               whole->twice_share);
}

void handover_sum(struct run *run, struct side *side)
{
    for (size_t i = 0; i < side->reading.count; i++) {
        const struct whole *whole = &side->reading.wholes[i];
        side->answers_off += whole->rows_off > 0 || !whole->equal;
        side->lost_worst = fmax(side->lost_worst, whole->lost_share);
        side->twice_worst = fmax(side->twice_worst, whole->twice_share);
        add_line(run, side, whole);
    }
    if (side->handover == HANDOVER_OFFSET)
        side_check(run, side, "the hand-over loses nothing and doubles nothing",
                   side->answers_off == 0 && side->judged > 0, "%zu reads, %zu differ",
                   side->judged, side->answers_off);
}

/* ---- figures ---- */

static double answers_off(const struct run *run, const struct side *side)
{
    (void)run;
    return side->judged ? 100.0 * (double)side->answers_off / (double)side->judged : METRIC_NONE;
}

static double lost(const struct run *run, const struct side *side)
{
    (void)run;
    return 100 * side->lost_worst;
}

static double twice(const struct run *run, const struct side *side)
{
    (void)run;
    return 100 * side->twice_worst;
}

const struct metric HANDOVER_METRICS[] = {
    {"answers off", "%", false, true,
     "share of all whole reads that the hand-over made differ from the exact answer at their "
     "positions",
     answers_off, false},
    {"lost at hand-over, worst", "%", false, true,
     "share of the events of one read that neither batch nor speed layer counted", lost, false},
    {"twice at hand-over, worst", "%", false, true,
     "share of the events of one read that both batch and speed layer counted", twice, false},
    {NULL, NULL, false, false, NULL, NULL, false},
};

/* ---- in words ---- */

static const char *const WAYS[HANDOVERS] = {
    [HANDOVER_OFFSET] = "batch up to an offset, speed layer from that offset on",
    [HANDOVER_EVENT_TIME] = "batch below a bound in event time, speed layer from it on",
    [HANDOVER_TWO_SLOT] = "two speed views, the older dropped when a batch lands",
    [HANDOVER_NAIVE] = "one speed view, emptied when a batch begins",
};

static void say_side(json_t *list, const struct side *side)
{
    char text[400];
    if (side->answers_off == 0)
        snprintf(text, sizeof text, "%s (%s): none of %zu answers was off.", side->name,
                 WAYS[side->handover], side->judged);
    else
        snprintf(text, sizeof text,
                 "%s (%s): %zu of %zu answers were off, at worst in %.3g %% of their rows; at "
                 "most %.3g %% of the events were lost, and %.3g %% counted twice.",
                 side->name, WAYS[side->handover], side->answers_off, side->judged,
                 100 * side->off_worst, 100 * side->lost_worst, 100 * side->twice_worst);
    json_array_append_new(list, json_string(text));
}

json_t *handover_findings(const struct run *run)
{
    json_t *list = json_array();
    for (int i = 0; i < run->side_count; i++)
        say_side(list, &run->sides[i]);
    json_array_append_new(
        list, json_string("Off means: other than the exact answer at the very same positions. What "
                          "is late, or not visible yet, is in both and does not count here."));
    json_array_append_new(list, json_string("This is one run, all four side by side: when batches "
                                            "land decides how far off, and for how long."));
    return list;
}
