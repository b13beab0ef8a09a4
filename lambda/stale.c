/* lambda/stale.c - see stale.h. */
#include "lambda/stale.h"

#include <stdlib.h>

#include "common/base/err.h"
#include "common/base/fault.h"

static int64_t bucket_of(const struct stale *stale, int64_t time_ms)
{
    int64_t over = time_ms % stale->size_ms;
    return time_ms / stale->size_ms - (over < 0);
}

void stale_init(struct stale *stale, int64_t size_ms)
{
    *stale = (struct stale){.size_ms = size_ms};
}

static int by_number(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void make_unique(struct stale *stale)
{
    size_t kept = 0;
    if (stale->count)
        qsort(stale->buckets, stale->count, sizeof *stale->buckets, by_number);
    for (size_t i = 0; i < stale->count; i++)
        if (kept == 0 || stale->buckets[kept - 1] != stale->buckets[i])
            stale->buckets[kept++] = stale->buckets[i];
    stale->count = kept;
}

/* Room for one more: of what is listed twice, else by growing. */
static void make_room(struct stale *stale)
{
    make_unique(stale);
    if (stale->count <= stale->capacity / 2 && stale->capacity)
        return;
    stale->all = stale->capacity >= 2 * STALE_MAX;
    if (stale->all)
        return;
    stale->capacity = stale->capacity ? stale->capacity * 2 : 64;
    stale->buckets = mem_grow(stale->buckets, stale->capacity * sizeof *stale->buckets);
}

void stale_add(struct stale *stale, int64_t time_ms)
{
    int64_t bucket = bucket_of(stale, time_ms);
    if (bug_planted("stale-unseen") || stale->all ||
        (stale->count && stale->buckets[stale->count - 1] == bucket))
        return;
    if (stale->count == stale->capacity)
        make_room(stale);
    if (!stale->all)
        stale->buckets[stale->count++] = bucket;
}

void stale_settle(struct stale *stale, int64_t T_ms, int64_t buffer_ms)
{
    make_unique(stale);
    if (T_ms == INT64_MIN)
        return;
    int64_t begin_ms;
    if (__builtin_sub_overflow(T_ms, buffer_ms, &begin_ms))
        begin_ms = INT64_MIN;
    stale->buffered = true;
    stale->from = bucket_of(stale, begin_ms);
}

/* The least listed bucket at or above one; count if there is none. */
static size_t find(const struct stale *stale, int64_t bucket)
{
    size_t low = 0, high = stale->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stale->buckets[middle] >= bucket)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool stale_meets(const struct stale *stale, int64_t min_ms, int64_t max_ms)
{
    if (min_ms > max_ms)
        return false;
    int64_t first = bucket_of(stale, min_ms), last = bucket_of(stale, max_ms);
    if (stale->all || (stale->buffered && last >= stale->from))
        return true;
    size_t i = find(stale, first);
    return i < stale->count && stale->buckets[i] <= last;
}

bool stale_has(const struct stale *stale, int64_t time_ms)
{
    return stale_meets(stale, time_ms, time_ms);
}

int64_t stale_count(const struct stale *stale, int64_t T_ms)
{
    if (stale->all)
        return -1;
    if (!stale->buffered)
        return (int64_t)stale->count;
    return (int64_t)find(stale, stale->from) + bucket_of(stale, T_ms) - stale->from + 1;
}

void stale_release(struct stale *stale)
{
    free(stale->buckets);
    *stale = (struct stale){0};
}
