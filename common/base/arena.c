/* common/base/arena.c - a list of blocks, each twice the one before, up to 1 MiB. */
#include "common/base/arena.h"

#include <stdlib.h>

#include "common/base/err.h"

enum { FIRST_BYTES = 4096, BLOCK_BYTES_MAX = 1 << 20 };

struct arena_block {
    struct arena_block *older;
    size_t bytes;
    _Alignas(16) char data[];
};

static void add_block(struct arena *arena, size_t need)
{
    size_t bytes = arena->head ? arena->head->bytes * 2 : FIRST_BYTES;
    if (bytes > BLOCK_BYTES_MAX)
        bytes = BLOCK_BYTES_MAX;
    if (bytes < need)
        bytes = need;
    struct arena_block *block = mem_alloc(sizeof *block + bytes);
    block->older = arena->head;
    block->bytes = bytes;
    arena->head = block;
    arena->used = 0;
    arena->total += bytes;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    if (!arena->head || arena->head->bytes - arena->used < bytes)
        add_block(arena, bytes);
    void *piece = arena->head->data + arena->used;
    arena->used += bytes;
    return piece;
}

void *arena_zero(struct arena *arena, size_t count, size_t bytes)
{
    return memset(arena_alloc(arena, count * bytes), 0, count * bytes);
}

struct bytes arena_bytes(struct arena *arena, struct bytes bytes)
{
    char *copy = arena_alloc(arena, bytes.len + 1);
    if (bytes.len)
        memcpy(copy, bytes.ptr, bytes.len);
    copy[bytes.len] = 0;
    return (struct bytes){copy, bytes.len};
}

char *arena_string(struct arena *arena, const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(arena_alloc(arena, bytes), text, bytes);
}

static void free_from(struct arena_block *block)
{
    while (block) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
}

void arena_reset(struct arena *arena)
{
    if (!arena->head)
        return;
    free_from(arena->head->older);
    arena->head->older = NULL;
    arena->used = 0;
    arena->total = arena->head->bytes;
}

size_t arena_taken(const struct arena *arena)
{
    return arena->head ? arena->total - arena->head->bytes + arena->used : 0;
}

void arena_release(struct arena *arena)
{
    free_from(arena->head);
    *arena = (struct arena){0};
}
