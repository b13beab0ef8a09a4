/* tests/common/base/test_map.c - the map against a list that is searched from the front. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/map.h"
#include "common/base/rng.h"

enum { KEYS = 3000, ROUNDS = 20000 };

static struct bytes key_text(char out[32], uint64_t n)
{
    int len = snprintf(out, 32, "k?%llu", (unsigned long long)n);
    out[1] = 0; /* keys may hold any byte */
    return (struct bytes){out, (size_t)len};
}

Test(map, agrees_with_counting_by_hand)
{
    static int64_t counted[KEYS];
    struct map map;
    struct rng rng;
    char text[32];
    size_t distinct = 0;
    map_init(&map, sizeof(int64_t));
    rng_init(&rng, 17);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t n = rng_below(&rng, KEYS);
        struct bytes key = key_text(text, n);
        bool fresh;
        int64_t *value = map_put(&map, key, &fresh);
        cr_assert_eq(fresh, counted[n] == 0, "round %d (seed 17)", i);
        distinct += fresh;
        ++*value;
        counted[n]++;
    }
    cr_expect_eq(map.count, distinct);
    for (uint64_t n = 0; n < KEYS; n++) {
        const int64_t *value = map_get(&map, key_text(text, n));
        cr_assert_eq(value ? *value : 0, counted[n], "key %llu", (unsigned long long)n);
    }
    map_release(&map);
}

Test(map, keeps_the_order_of_arrival_and_the_place_of_values)
{
    struct map map;
    char text[32];
    int *values[KEYS];
    map_init(&map, sizeof(int));
    for (int i = 0; i < KEYS; i++) {
        values[i] = map_put(&map, key_text(text, (uint64_t)i * 7919), NULL);
        *values[i] = i;
    }
    for (int i = 0; i < KEYS; i++) {
        struct bytes key;
        cr_assert_eq(map_at(&map, (size_t)i, &key), values[i]);
        cr_assert(bytes_equal(key, key_text(text, (uint64_t)i * 7919)));
        cr_assert_eq(*values[i], i);
    }
    map_release(&map);
}

Test(map, is_empty_after_clear_and_new_values_are_zero)
{
    struct map map;
    map_init(&map, sizeof(int64_t));
    cr_expect_null(map_get(&map, bytes_of("a")));
    *(int64_t *)map_put(&map, bytes_of("a"), NULL) = 9;
    map_clear(&map);
    cr_expect_eq(map.count, 0);
    cr_expect_null(map_get(&map, bytes_of("a")));
    cr_expect_eq(*(int64_t *)map_put(&map, bytes_of("a"), NULL), 0);
    map_release(&map);
}

Test(map, the_empty_key_is_a_key)
{
    struct map map;
    bool fresh;
    map_init(&map, 1);
    map_put(&map, (struct bytes){NULL, 0}, &fresh);
    cr_expect(fresh);
    map_put(&map, bytes_of(""), &fresh);
    cr_expect_not(fresh);
    map_release(&map);
}
