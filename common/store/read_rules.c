/* common/store/read_rules.c - see read_rules.h. */
#include "common/store/read_rules.h"

#include <stdio.h>
#include <string.h>

#include "common/base/fault.h"

int64_t read_floor(const struct read_rules *rules, const struct pos *pos)
{
    int64_t floor_ms = pos->next <= pos->boundary ? window_floor(rules->plan, pos->boundary_T_ms)
                                                  : WINDOW_FLOOR_NONE;
    return floor_ms > pos->floor_ms ? floor_ms : pos->floor_ms;
}

bool read_gap(const struct read_rules *rules, const struct pos *pos)
{
    return rules->arch == ARCH_LAMBDA && pos->from > pos->boundary;
}

static struct read_part part_named(struct arena *arena, const char *name)
{
    return (struct read_part){arena_string(arena, name), INT64_MIN, INT64_MAX};
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Spans from here on answer, if they begin at or above from. */
static int64_t wanted_from(const struct read_rules *rules, const struct pos *pos)
{
    switch (rules->handover) {
    case HANDOVER_TWO_SLOT:
        return bug_planted("slot-of-begun") ? pos->slot : pos->spans;
    case HANDOVER_NAIVE:
        return pos->slot;
    case HANDOVER_EVENT_TIME:
        return 0;
    default:
        return pos->boundary;
    }
}

int64_t read_spans_from(const struct read_rules *rules, const struct pos *pos)
{
    int64_t wanted = wanted_from(rules, pos);
    if (rules->handover != HANDOVER_OFFSET && wanted < pos->from)
        wanted = pos->from; /* what lies below may be dropped already */
    for (int i = 0; i < pos->cut_count; i++)
        if (pos->cuts[i] >= wanted)
            return pos->cuts[i];
    return pos->next > wanted ? pos->next : wanted;
}

/* Does the span from this cut answer? */
static bool answers(int64_t spans_from, int64_t cut)
{
    if (bug_planted("span-twice"))
        return true;
    if (bug_planted("span-off-by-one"))
        return cut > spans_from;
    return cut >= spans_from;
}

int64_t read_bound(const struct read_rules *rules, const struct pos *pos)
{
    bool bounded = rules->arch == ARCH_LAMBDA && rules->handover == HANDOVER_EVENT_TIME;
    if (!bounded || !*pos->generation)
        return INT64_MIN;
    return window_bound(rules->plan, pos->boundary_T_ms) + bug_planted("bound-off-by-one");
}

int64_t read_needs_from(enum handover handover, const struct pos *pos)
{
    if (handover == HANDOVER_EVENT_TIME)
        return 0;
    return handover == HANDOVER_OFFSET ? pos->previous_boundary
                                       : least(pos->previous_boundary, pos->previous_spans);
}

int read_parts(const struct read_rules *rules, const struct pos *pos, struct arena *arena,
               struct read_part **out)
{
    struct read_part *parts = arena_alloc(arena, ((size_t)pos->cut_count + 2) * sizeof *parts);
    char name[POS_ID_BYTES + 24];
    int count = 0;
    int64_t bound_ms = read_bound(rules, pos), spans_from = read_spans_from(rules, pos);
    *out = parts;
    if (rules->arch == ARCH_KAPPA) {
        parts[0] = part_named(arena, "k");
        return 1;
    }
    if (*pos->generation) {
        snprintf(name, sizeof name, "g%s", pos->generation);
        parts[count] = part_named(arena, name);
        if (rules->handover == HANDOVER_EVENT_TIME)
            parts[count].to_ms = bound_ms;
        count++;
    }
    for (int i = 0; i < pos->cut_count; i++) {
        snprintf(name, sizeof name, "s%lld", (long long)pos->cuts[i]);
        if (!answers(spans_from, pos->cuts[i]))
            continue;
        parts[count] = part_named(arena, name);
        parts[count++].from_ms = bound_ms;
    }
    return count;
}

/* The least start of a window at or above the floor: what a floor serves, whatever it reads. */
static int64_t served_from(const struct plan *plan, int64_t floor_ms)
{
    int64_t step_ms = plan->window == WINDOW_HOPPING ? plan->hop_ms : plan->size_ms, from_ms;
    if (floor_ms == WINDOW_FLOOR_NONE || step_ms < 1)
        return floor_ms;
    int64_t over = floor_ms % step_ms, up = over > 0 ? step_ms - over : -over;
    return __builtin_add_overflow(floor_ms, up, &from_ms) ? INT64_MAX : from_ms;
}

/* Do the cells of what was read at `before` still stand at `after`? */
static bool still_stands(const struct read_rules *rules, const struct pos *before,
                         const struct pos *after)
{
    bool current = strcmp(after->generation, before->generation) == 0;
    bool previous = strcmp(after->previous, before->generation) == 0 &&
                    after->previous_boundary == before->boundary;
    int64_t needs =
        rules->handover == HANDOVER_OFFSET ? before->boundary : read_spans_from(rules, before);
    return (current || previous) && after->from <= needs;
}

enum read_verdict read_judge(const struct read_rules *rules, const struct pos *before,
                             const struct pos *after)
{
    if (!after->here || after->retired || strcmp(before->owner, after->owner) != 0 ||
        served_from(rules->plan, before->floor_ms) != served_from(rules->plan, after->floor_ms))
        return READ_MOVED;
    if (rules->arch == ARCH_LAMBDA && !still_stands(rules, before, after))
        return READ_MOVED;
    return after->next == before->next ? READ_EXACT : READ_AT_LEAST;
}

void read_fill_part(const struct read_rules *rules, const struct pos *pos, struct answer_part *part)
{
    *part = (struct answer_part){.read = true,
                                 .next = pos->next > pos->boundary ? pos->next : pos->boundary,
                                 .boundary = pos->boundary,
                                 .speed = rules->arch == ARCH_LAMBDA,
                                 .T_ms = pos->next > pos->boundary ? pos->T_ms : pos->boundary_T_ms,
                                 .floor_ms = read_floor(rules, pos),
                                 .counters = pos->counters,
                                 .spans_to = pos->next,
                                 .bound_ms = read_bound(rules, pos)};
    if (rules->arch == ARCH_LAMBDA)
        part->spans_from = read_spans_from(rules, pos);
    snprintf(part->generation, sizeof part->generation, "%s", pos->generation);
}
