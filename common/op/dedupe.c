/* common/op/dedupe.c - an open-addressing table of (id, stamp), swept when it would grow.
 *
 * Ids are hashes already, so their low bits are the slot. Nothing is ever deleted singly: a full
 * table is copied without the ids beyond the horizon, into as much room as the others need; so
 * memory follows the ids of one horizon, and a sweep pays for itself by the room that it makes.
 * Whether a sweep has happened cannot be seen: what it drops was no duplicate's stamp any more. */
#include "common/op/dedupe.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/base/err.h"
#include "common/base/fault.h"

/* 24 bytes; id {0, 0}: empty. */
struct dedupe_slot {
    struct dedupe_id id;
    int64_t stamp_ms;
};

enum { SLOTS_MIN = 256 };

void dedupe_init(struct dedupe *dedupe, int64_t horizon_ms)
{
    *dedupe = (struct dedupe){.horizon_ms = horizon_ms};
}

struct dedupe_id dedupe_id_of(const struct columns *columns, int column, int row)
{
    const struct column *c = &columns->column[column];
    XXH128_hash_t hash;
    if (!c->present[row]) {
        hash = XXH3_128bits_withSeed("", 0, 0);
    } else if (c->type == FIELD_STRING) {
        hash = XXH3_128bits_withSeed(c->str[row].ptr, c->str[row].len, 1 + FIELD_STRING);
    } else if (c->type == FIELD_DOUBLE) {
        double value = c->f64[row] == 0 ? 0 : c->f64[row]; /* -0.0 is 0.0 */
        hash = XXH3_128bits_withSeed(&value, sizeof value, 1 + FIELD_DOUBLE);
    } else {
        hash = XXH3_128bits_withSeed(&c->i64[row], sizeof c->i64[row], 1 + (unsigned)c->type);
    }
    return (struct dedupe_id){hash.low64, hash.high64};
}

void dedupe_prefetch(const struct dedupe *dedupe, struct dedupe_id id)
{
    if (dedupe->slots)
        __builtin_prefetch(&dedupe->slots[id.low & dedupe->slot_mask], 1);
}

static bool slot_empty(const struct dedupe_slot *slot)
{
    return (slot->id.low | slot->id.high) == 0;
}

static struct dedupe_slot *find_slot(const struct dedupe *dedupe, struct dedupe_id id)
{
    size_t i = id.low & dedupe->slot_mask;
    while (!slot_empty(&dedupe->slots[i]) &&
           (dedupe->slots[i].id.low != id.low || dedupe->slots[i].id.high != id.high))
        i = (i + 1) & dedupe->slot_mask;
    return &dedupe->slots[i];
}

static size_t slot_count(const struct dedupe *dedupe)
{
    return dedupe->slots ? dedupe->slot_mask + 1 : 0;
}

/* The least stamp that still makes a duplicate at T: stamp + horizon >= T without its overflow. */
static int64_t remembered_from(const struct dedupe *dedupe, int64_t T_ms)
{
    int64_t from_ms;
    if (dedupe->horizon_ms == INT64_MAX ||
        __builtin_sub_overflow(T_ms, dedupe->horizon_ms, &from_ms))
        return INT64_MIN;
    return from_ms;
}

/* Copy what is remembered into a table that it fills to 35 % at most. */
static void sweep(struct dedupe *dedupe, int64_t from_ms)
{
    struct dedupe_slot *old = dedupe->slots;
    size_t old_count = slot_count(dedupe), keep = 0, slots = SLOTS_MIN;
    for (size_t i = 0; i < old_count; i++)
        keep += !slot_empty(&old[i]) && old[i].stamp_ms >= from_ms;
    while (keep * 20 > slots * 7)
        slots *= 2;
    dedupe->slots = mem_zero(slots, sizeof *dedupe->slots);
    dedupe->slot_mask = slots - 1;
    dedupe->count = keep;
    for (size_t i = 0; i < old_count; i++)
        if (!slot_empty(&old[i]) && old[i].stamp_ms >= from_ms)
            *find_slot(dedupe, old[i].id) = old[i];
    free(old);
}

bool dedupe_see(struct dedupe *dedupe, struct dedupe_id id, int64_t T_ms)
{
    int64_t from_ms = remembered_from(dedupe, T_ms);
    if ((dedupe->count + 1) * 10 > slot_count(dedupe) * 7)
        sweep(dedupe, from_ms);
    if ((id.low | id.high) == 0)
        id.high = 1;
    struct dedupe_slot *slot = find_slot(dedupe, id);
    bool known = !slot_empty(slot);
    bool duplicate = known && slot->stamp_ms >= from_ms;
    dedupe->count += !known;
    if (!(duplicate && bug_planted("first-sighting")))
        *slot = (struct dedupe_slot){id, T_ms};
    return duplicate;
}

size_t dedupe_bytes(const struct dedupe *dedupe)
{
    return slot_count(dedupe) * sizeof *dedupe->slots;
}

void dedupe_clear(struct dedupe *dedupe)
{
    dedupe_release(dedupe);
}

void dedupe_release(struct dedupe *dedupe)
{
    free(dedupe->slots);
    dedupe_init(dedupe, dedupe->horizon_ms);
}
