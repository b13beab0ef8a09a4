/* tests/lambda/test_times.c - a sidecar never says too little, whatever the order of times. */
#include "lambda/times.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/rng.h"
#include "lambda/stale.h"

enum { BLOCKS = 40, EVENTS = 300 };

static bool covers(const struct times_block *block, int64_t time_ms)
{
    for (int i = 0; i < block->count; i++)
        if (block->spans[i].min_ms <= time_ms && time_ms <= block->spans[i].max_ms)
            return true;
    return false;
}

/* Times around a place, with far ones in between, and the ends of what there is. */
static int64_t random_time(struct rng *rng, int block)
{
    static const int64_t ends[] = {INT64_MIN, INT64_MAX, 0, -1};
    uint64_t way = rng_below(rng, 40);
    if (way == 0)
        return ends[rng_below(rng, 4)];
    int64_t around = (int64_t)rng_below(rng, 1000) + block * 1000;
    return way < 30 ? around : around - (int64_t)rng_below(rng, 100000);
}

Test(times, every_event_is_in_a_span_of_its_block_also_when_read_back)
{
    static int64_t seen[BLOCKS][EVENTS];
    for (uint64_t seed = 1; seed <= 50; seed++) {
        char path[] = "/tmp/lk-test-times.XXXXXX";
        struct times times = {.join_ms = (int64_t)seed % 3 * 10, .offsets_min = EVENTS},
                     back = times;
        struct err err = {0};
        struct rng rng;
        rng_init(&rng, seed);
        for (int b = 0; b < BLOCKS; b++) {
            times_reach(&times, (int64_t)(b + 1) * EVENTS);
            for (int i = 0; i < EVENTS; i++) {
                seen[b][i] = random_time(&rng, b);
                times_see(&times, seen[b][i], seen[b][i]);
            }
        }
        close(mkstemp(path));
        cr_assert_eq(times_write(&times, path, &err), 0, "%s", err.text);
        times_read(&back, path, (int64_t)BLOCKS * EVENTS);
        cr_assert_eq(back.count, BLOCKS);
        for (int b = 0; b < BLOCKS; b++)
            for (int i = 0; i < EVENTS; i++)
                cr_assert(covers(&times.blocks[b], seen[b][i]) &&
                              covers(&back.blocks[b], seen[b][i]),
                          "seed %llu, block %d, event %d", (unsigned long long)seed, b, i);
        times_release(&times);
        times_release(&back);
        unlink(path);
    }
}

Test(times, a_file_that_ends_elsewhere_is_one_block_of_every_time)
{
    char path[] = "/tmp/lk-test-times.XXXXXX";
    struct times times = {0}, back = {0};
    struct err err = {0};
    times_reach(&times, 5000);
    times_see(&times, 7, 7);
    close(mkstemp(path));
    cr_assert_eq(times_write(&times, path, &err), 0, "%s", err.text);
    times_read(&back, path, 5001);
    cr_assert_eq(back.count, 1);
    cr_assert(covers(&back.blocks[0], INT64_MIN) && covers(&back.blocks[0], INT64_MAX));
    times_release(&times);
    times_release(&back);
    unlink(path);
}

Test(stale, knows_its_buckets_and_those_of_the_buffer)
{
    struct stale stale;
    stale_init(&stale, 10);
    stale_add(&stale, -1);
    stale_add(&stale, 25);
    stale_add(&stale, 21);
    stale_settle(&stale, 108, 5);
    static const struct {
        int64_t time_ms;
        bool stale;
    } rows[] = {{-10, true}, {-11, false}, {-1, true},  {0, false},
                {19, false}, {20, true},   {29, true},  {30, false},
                {99, false}, {100, true},  {108, true}, {INT64_MAX, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(stale_has(&stale, rows[i].time_ms), rows[i].stale, "%lld",
                     (long long)rows[i].time_ms);
    cr_assert(stale_meets(&stale, 0, 20));
    cr_assert_not(stale_meets(&stale, 30, 99));
    cr_assert_eq(stale_count(&stale, 108), 3, "two listed, one of the buffer");
    stale_release(&stale);
}

Test(stale, a_list_beyond_its_bound_makes_every_bucket_stale)
{
    struct stale stale;
    stale_init(&stale, 1);
    for (int64_t i = 0; i <= STALE_MAX + 1; i++)
        stale_add(&stale, i * 3);
    for (int again = 0; again < 3; again++)
        for (int64_t i = 0; i <= STALE_MAX + 1; i++)
            stale_add(&stale, i * 3);
    stale_settle(&stale, 0, 0);
    cr_assert(stale_has(&stale, 1));
    cr_assert_eq(stale_count(&stale, 0), -1);
    stale_release(&stale);
}
