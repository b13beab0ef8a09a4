/* tests/chaos/choose.c - which of the cases are played, and in which order.
 *
 * By name: every case that one of the names is a part of. Else all that are not spare; a sample draws
 * some of them by seed, those that are always in it first. Behind them stands the reserve, seed by
 * seed: played only while kills are missing. */
#include <stdlib.h>

#include "tests/chaos/chaos.h"

/* A whole name means that case alone: seed 1 is a part of seed 12. */
static bool is_named(const struct choice *choice, const struct items *all, const struct item *item)
{
    for (int i = 0; i < choice->name_count; i++) {
        const struct item *whole = items_find(all, choice->names[i]);
        if (whole ? whole == item : strstr(item->name, choice->names[i]) != NULL)
            return true;
    }
    return false;
}

static bool is_due(const struct choice *choice, const struct item *item)
{
    return !item->spare && !(choice->sample && item->sample == SAMPLE_NEVER);
}

static void keep(struct items *out, const struct item *item)
{
    items_add(out, *item, "%s", item->name);
}

/* Any order is as likely as any other, and those that every sample holds come first: they are long. */
static void shuffle(struct items *items, uint64_t seed)
{
    struct rng rng;
    int first = 0;
    rng_init_at(&rng, seed, 0x5a3e);
    for (int i = 0; i < items->count; i++) {
        int with = i + (int)rng_below(&rng, (uint64_t)(items->count - i));
        struct item held = items->item[i];
        items->item[i] = items->item[with];
        items->item[with] = held;
    }
    for (int i = 0; i < items->count; i++)
        if (items->item[i].sample == SAMPLE_ALWAYS) {
            struct item held = items->item[i];
            items->item[i] = items->item[first];
            items->item[first++] = held;
        }
}

static void add_reserve(const struct items *all, struct items *out)
{
    for (uint64_t seed = all->seed; seed < all->seed + RESERVE_SEEDS; seed++)
        for (int i = 0; i < all->count; i++)
            if (all->item[i].reserve && all->item[i].seed == seed)
                keep(out, &all->item[i]);
}

int choose(const struct choice *choice, const struct items *all, struct items *out)
{
    for (int i = 0; i < all->count; i++)
        if (choice->name_count ? is_named(choice, all, &all->item[i])
                               : is_due(choice, &all->item[i]))
            keep(out, &all->item[i]);
    if (choice->name_count)
        return out->count;
    if (choice->sample || choice->seconds)
        shuffle(out, all->seed);
    if (choice->sample && choice->sample < out->count)
        out->count = choice->sample;
    int due = out->count;
    if (choice->kills)
        add_reserve(all, out);
    return due;
}
