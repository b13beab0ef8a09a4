/* tests/common/base/test_arena.c - pieces are aligned, apart, and stay where they are. */
#include <criterion/criterion.h>

#include "common/base/arena.h"
#include "common/base/rng.h"

enum { PIECES = 2000 };

Test(arena, pieces_are_aligned_keep_their_bytes_and_never_move)
{
    struct arena arena = {0};
    struct rng rng;
    unsigned char *pieces[PIECES];
    size_t sizes[PIECES];
    rng_init(&rng, 5);
    for (int i = 0; i < PIECES; i++) {
        sizes[i] = rng_below(&rng, i % 100 == 0 ? 2000000 : 3000);
        pieces[i] = arena_alloc(&arena, sizes[i]);
        cr_assert_eq((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], i & 255, sizes[i]);
    }
    for (int i = 0; i < PIECES; i++)
        for (size_t b = 0; b < sizes[i]; b++)
            cr_assert_eq(pieces[i][b], i & 255, "piece %d, byte %zu (seed 5)", i, b);
    arena_release(&arena);
    cr_expect_null(arena.head);
    cr_expect_eq(arena.total, 0);
}

Test(arena, zeroed_pieces_are_zero_even_where_memory_was_used_before)
{
    struct arena arena = {0};
    memset(arena_alloc(&arena, 4000), 0xff, 4000);
    arena_reset(&arena);
    const char *piece = arena_zero(&arena, 100, 40);
    for (int i = 0; i < 4000; i++)
        cr_assert_eq(piece[i], 0);
    arena_release(&arena);
}

Test(arena, a_reset_keeps_one_block_so_a_loop_stops_growing)
{
    struct arena arena = {0};
    size_t total = 0;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 100; i++)
            arena_alloc(&arena, 1000);
        arena_reset(&arena);
        cr_assert_eq(arena.used, 0);
        if (round > 10)
            cr_assert_eq(arena.total, total, "round %d", round);
        total = arena.total;
    }
    arena_release(&arena);
}

Test(arena, copies_have_a_nul_behind_them)
{
    struct arena arena = {0};
    struct bytes copy = arena_bytes(&arena, (struct bytes){"a\0bcd", 4});
    cr_expect(bytes_equal(copy, (struct bytes){"a\0bc", 4}));
    cr_expect_eq(copy.ptr[4], 0);
    cr_expect_str_eq(arena_bytes(&arena, (struct bytes){NULL, 0}).ptr, "");
    cr_expect_str_eq(arena_string(&arena, "text"), "text");
    arena_release(&arena);
}
