/* common/base/map.h - a hash table from bytes to a value of fixed size.
 *
 * Open addressing, linear probing, XXH3; keys are copied in. Entries keep the order in which they
 * came (no removal but clear), so walking by index is deterministic. Open value; one thread. */
#ifndef LK_BASE_MAP_H
#define LK_BASE_MAP_H

#include "common/base/arena.h"

struct map {
    size_t value_bytes;
    size_t count;
    struct map_entry *entries; /* count of them, in order of arrival */
    uint32_t *slots;           /* entry index + 1, 0 = empty; slot_mask + 1 of them */
    size_t slot_mask, capacity;
    struct arena keys, values;
};

void map_init(struct map *map, size_t value_bytes);
/* The value of key, or NULL. It never moves. */
void *map_get(const struct map *map, struct bytes key);
/* The value of key, zeroed if it is new; *fresh (may be NULL) says which. */
void *map_put(struct map *map, struct bytes key, bool *fresh);
/* Entry i of 0 .. count - 1, in order of arrival; key may be NULL. */
void *map_at(const struct map *map, size_t i, struct bytes *key);
void map_clear(struct map *map);
void map_release(struct map *map);

#endif
