/* common/store/answer.c - see answer.h: rows in an arena, one canonical text, one digest. */
#include "common/store/answer.h"

#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/op/window.h"

void answer_init(struct answer *answer, int partitions)
{
    *answer = (struct answer){.partitions = partitions, .exact = true};
    answer->parts = arena_zero(&answer->arena, (size_t)partitions, sizeof *answer->parts);
    for (int p = 0; p < partitions; p++) {
        answer->parts[p].T_ms = INT64_MIN;
        answer->parts[p].floor_ms = WINDOW_FLOOR_NONE;
    }
}

void answer_add(struct answer *answer, int64_t window_ms, struct bytes key, struct bytes values)
{
    if (answer->count == answer->capacity) {
        size_t capacity = answer->capacity ? answer->capacity * 2 : 256;
        struct answer_row *rows = arena_alloc(&answer->arena, capacity * sizeof *rows);
        if (answer->count)
            memcpy(rows, answer->rows, answer->count * sizeof *rows);
        answer->rows = rows;
        answer->capacity = capacity;
    }
    answer->rows[answer->count++] = (struct answer_row){window_ms, arena_bytes(&answer->arena, key),
                                                        arena_bytes(&answer->arena, values)};
}

static int compare_rows(const void *left, const void *right)
{
    const struct answer_row *a = left, *b = right;
    if (a->window_ms != b->window_ms)
        return a->window_ms < b->window_ms ? -1 : 1;
    return bytes_compare(a->key, b->key);
}

void answer_sort(struct answer *answer)
{
    if (answer->count)
        qsort(answer->rows, answer->count, sizeof *answer->rows, compare_rows);
}

int64_t answer_floor(const struct answer *answer)
{
    int64_t floor = WINDOW_FLOOR_NONE;
    for (int p = 0; p < answer->partitions; p++)
        if (answer->parts[p].read && answer->parts[p].floor_ms > floor)
            floor = answer->parts[p].floor_ms;
    return floor;
}

void answer_row_json(const struct answer_row *row, struct buf *out)
{
    buf_add_text(out, "{\"window\":");
    buf_add_int64(out, row->window_ms);
    buf_add_text(out, ",\"key\":");
    buf_add(out, row->key.ptr, row->key.len);
    if (row->values.len)
        buf_add_char(out, ',');
    buf_add(out, row->values.ptr, row->values.len);
    buf_add_char(out, '}');
}

void answer_digest(const struct answer *answer, char out[33])
{
    uint128 sum = 0;
    struct buf text = {0};
    for (size_t i = 0; i < answer->count; i++) {
        buf_clear(&text);
        answer_row_json(&answer->rows[i], &text);
        XXH128_hash_t hash = XXH3_128bits(text.ptr, text.len);
        sum += (uint128)hash.high64 << 64 | hash.low64;
    }
    buf_release(&text);
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)(sum >> 64), (unsigned long long)sum);
}

size_t answer_diff(const struct answer *a, const struct answer *b,
                   void (*differ)(const struct answer_row *a, const struct answer_row *b,
                                  void *context),
                   void *context)
{
    size_t i = 0, j = 0, differences = 0;
    while (i < a->count || j < b->count) {
        const struct answer_row *left = i < a->count ? &a->rows[i] : NULL;
        const struct answer_row *right = j < b->count ? &b->rows[j] : NULL;
        int order = !left ? 1 : !right ? -1 : compare_rows(left, right);
        i += order <= 0;
        j += order >= 0;
        if (order == 0 && bytes_equal(left->values, right->values))
            continue;
        differences++;
        if (differ)
            differ(order <= 0 ? left : NULL, order >= 0 ? right : NULL, context);
    }
    return differences;
}

void answer_release(struct answer *answer)
{
    arena_release(&answer->arena);
    *answer = (struct answer){0};
}
