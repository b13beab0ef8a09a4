/* common/base/map.c - see map.h. */
#include "common/base/map.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/base/err.h"

struct map_entry {
    uint64_t hash;
    struct bytes key;
    void *value;
};

void map_init(struct map *map, size_t value_bytes)
{
    *map = (struct map){.value_bytes = value_bytes};
}

/* The slot that holds key, or the empty one where it belongs. */
static size_t find_slot(const struct map *map, uint64_t hash, struct bytes key)
{
    size_t slot = hash & map->slot_mask;
    while (map->slots[slot]) {
        const struct map_entry *entry = &map->entries[map->slots[slot] - 1];
        if (entry->hash == hash && bytes_equal(entry->key, key))
            break;
        slot = (slot + 1) & map->slot_mask;
    }
    return slot;
}

static void grow(struct map *map)
{
    map->capacity = map->capacity ? map->capacity * 2 : 16;
    map->entries = mem_grow(map->entries, map->capacity * sizeof *map->entries);
    free(map->slots);
    map->slots = mem_zero(map->capacity * 2, sizeof *map->slots);
    map->slot_mask = map->capacity * 2 - 1;
    for (size_t i = 0; i < map->count; i++) {
        size_t slot = map->entries[i].hash & map->slot_mask;
        while (map->slots[slot])
            slot = (slot + 1) & map->slot_mask;
        map->slots[slot] = (uint32_t)(i + 1);
    }
}

void *map_get(const struct map *map, struct bytes key)
{
    if (map->count == 0)
        return NULL;
    size_t slot = find_slot(map, XXH3_64bits(key.ptr, key.len), key);
    return map->slots[slot] ? map->entries[map->slots[slot] - 1].value : NULL;
}

void *map_put(struct map *map, struct bytes key, bool *fresh)
{
    if (map->count == map->capacity)
        grow(map);
    uint64_t hash = XXH3_64bits(key.ptr, key.len);
    size_t slot = find_slot(map, hash, key);
    if (fresh)
        *fresh = map->slots[slot] == 0;
    if (map->slots[slot])
        return map->entries[map->slots[slot] - 1].value;
    struct map_entry *entry = &map->entries[map->count++];
    *entry = (struct map_entry){.hash = hash,
                                .key = arena_bytes(&map->keys, key),
                                .value = arena_zero(&map->values, 1, map->value_bytes)};
    map->slots[slot] = (uint32_t)map->count;
    return entry->value;
}

void *map_at(const struct map *map, size_t i, struct bytes *key)
{
    if (key)
        *key = map->entries[i].key;
    return map->entries[i].value;
}

void map_clear(struct map *map)
{
    arena_reset(&map->keys);
    arena_reset(&map->values);
    if (map->slots)
        memset(map->slots, 0, (map->slot_mask + 1) * sizeof *map->slots);
    map->count = 0;
}

void map_release(struct map *map)
{
    arena_release(&map->keys);
    arena_release(&map->values);
    free(map->entries);
    free(map->slots);
    *map = (struct map){.value_bytes = map->value_bytes};
}
