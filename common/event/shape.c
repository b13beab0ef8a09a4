/* common/event/shape.c - learning the shape of an event that the walk has found valid, and when to
 * guess.
 *
 * Guessing has a price where it always fails, so misses add up faster than hits make good; past a
 * bound the scanner rests from guessing, each time longer, and then learns afresh. */
#include "common/event/parts.h"
#include "common/event/text.h"

enum { MISS_COST = 2, MISSES_TIRED = 8, MISSES_MAX = 20, PAUSE_BITS_MAX = 10 };

bool shape_try(struct shape *shape)
{
    if (shape->pause == 0)
        return true;
    shape->pause--;
    return false;
}

void shape_hit(struct shape *shape)
{
    shape->misses -= shape->misses > 0;
}

/* How much of the gaps is used; they are full where the next one does not fit. */
struct learner {
    struct shape *shape;
    const struct walk *walk;
    int targets;
    const char *gap; /* where the gap begins that is being read */
    size_t used;
};

/* Who wants the scalar that begins here? Each stands at a place of its own. */
static int target_at(const struct learner *learner, const char *begin)
{
    for (int i = 0; i < learner->targets; i++) {
        const struct raw_value *value = &learner->walk->targets[i];
        if (value->kind != RAW_ABSENT && value->text.ptr == begin)
            return i;
    }
    return -1;
}

static bool add_slot(struct learner *learner, const char *begin, const char *end, bool string)
{
    struct shape *shape = learner->shape;
    size_t len = (size_t)(begin - learner->gap);
    if (shape->slots > SHAPE_SLOTS_MAX || learner->used + len > SHAPE_GAP_BYTES)
        return false;
    memcpy(shape->gaps + learner->used, learner->gap, len);
    shape->slot[shape->slots++] = (struct slot){.gap = (uint16_t)learner->used,
                                                .gap_len = (uint16_t)len,
                                                .string = string,
                                                .target = (int16_t)target_at(learner, begin)};
    learner->used += len;
    learner->gap = end;
    return true;
}

static const char *closing_quote(const char *at)
{
    while (*at != '"')
        at += *at == '\\' ? 2 : 1;
    return at;
}

static const char *scalar_end(const char *at, const char *end)
{
    while (at < end && !text_is_space(*at) && *at != ',' && *at != ']' && *at != '}')
        at++;
    return at;
}

/* A string is a key if a colon follows it. */
static bool is_key(const char *closing, const char *end)
{
    const char *at = closing + 1;
    while (at < end && text_is_space(*at))
        at++;
    return at < end && *at == ':';
}

/* The text is known to be valid: this need not check, only tell scalars from what is between. */
static bool learn(struct learner *learner, struct bytes text)
{
    const char *at = text.ptr, *end = text.ptr + text.len;
    while (at < end) {
        if (*at == '"') {
            const char *closing = closing_quote(at + 1);
            if (!is_key(closing, end) && !add_slot(learner, at + 1, closing, true))
                return false;
            at = closing + 1;
        } else if (text_is_space(*at) || strchr("{}[]:,", *at)) {
            at++;
        } else {
            const char *behind = scalar_end(at, end);
            if (!add_slot(learner, at, behind, false))
                return false;
            at = behind;
        }
    }
    return add_slot(learner, end, end, false); /* the gap at the end */
}

/* A wanted object or array would have to be put together from gaps and scalars: left to the walk.
 */
static bool wants_container(const struct walk *walk, int targets)
{
    for (int i = 0; i < targets; i++)
        if (walk->targets[i].kind >= RAW_OBJECT)
            return true;
    return false;
}

static void rest(struct shape *shape)
{
    int bits = shape->misses - MISSES_TIRED + 4;
    shape->pause = 1 << (bits < PAUSE_BITS_MAX ? bits : PAUSE_BITS_MAX);
    shape->known = false;
}

void shape_miss(struct shape *shape, const struct walk *walk, int targets, struct bytes value)
{
    struct learner learner = {shape, walk, targets, value.ptr, 0};
    if (wants_container(walk, targets))
        return;
    if (shape->misses < MISSES_MAX)
        shape->misses += MISS_COST;
    shape->slots = 0;
    shape->known = learn(&learner, value);
    shape->slots--; /* the last is no slot but the gap at the end */
    if (shape->misses >= MISSES_TIRED)
        rest(shape);
}
