/* common/base/arena.h - memory that is given out piece by piece and taken back at once.
 *
 * For what lives as long as one batch, one read or one plan. Open value: zero it to start.
 * One thread. Pieces are aligned to 16 bytes and never move. */
#ifndef LK_BASE_ARENA_H
#define LK_BASE_ARENA_H

#include <stddef.h>

#include "common/base/bytes.h"

struct arena {
    struct arena_block *head; /* the block in use; older ones behind it */
    size_t used, total;       /* bytes used of head; bytes of all blocks */
};

void *arena_alloc(struct arena *arena, size_t bytes); /* not zeroed */
void *arena_zero(struct arena *arena, size_t count, size_t bytes);
/* A copy with a NUL behind it. */
struct bytes arena_bytes(struct arena *arena, struct bytes bytes);
char *arena_string(struct arena *arena, const char *text);
/* Forget all pieces; the largest block is kept for reuse. */
void arena_reset(struct arena *arena);
void arena_release(struct arena *arena);
size_t arena_taken(const struct arena *arena); /* bytes given out since the last reset, about */

#endif
