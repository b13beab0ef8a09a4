/* tests/chaos/events.c - event n of a seed, with all that is wrong with real ones, and the feeder.
 *
 * A tenth of a second of event time apart, out of order by some seconds, 3 in 100 late by up to a
 * minute, 6 in 100 a repetition of one of the 300 before, 1 in 100 broken; keys half of a few, half of many. */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/log/log.h"
#include "tests/chaos/chaos.h"

#define VALUES                                                                                     \
    "\"values\":{\"n\":\"count\",\"sum\":{\"sum\":\"v\"},\"low\":{\"min\":\"v\"},\"high\":{"       \
    "\"max\":"                                                                                     \
    "\"v\"},\"mean\":{\"avg\":\"v\"}}}\n"
#define SOURCE(more)                                                                               \
    "\"source\":{\"time\":{\"field\":\"at\",\"format\":\"ms\"},\"fields\":{\"id\":\"string\","     \
    "\"k\":"                                                                                       \
    "\"string\",\"v\":\"int\"}" more "},\"key\":[\"k\"],"

static const struct {
    const char *view, *json;
    bool lossless;
} PLAN[PLANS] = {
    {"plain",
     "{\"view\":\"plain\"," SOURCE("") "\"window\":{\"tumbling\":\"10s\"},"
                                       "\"allowed_lateness\":\"unlimited\"," VALUES,
     true},
    {"hops",
     "{\"view\":\"hops\"," SOURCE("") "\"window\":{\"hopping\":[\"20s\",\"5s\"]},"
                                      "\"dedupe\":{\"by\":\"id\",\"horizon\":\"12s\"},\"allowed_"
                                      "lateness\":\"5s\",\"keep\":\"2m\"," VALUES,
     false},
    {"kept",
     "{\"view\":\"kept\"," SOURCE(
         ",\"out_of_order\":\"1s\"") "\"window\":{\"tumbling\":\"5s\"},"
                                     "\"dedupe\":{\"by\":\"id\",\"horizon\":\"20s\"},\"allowed_"
                                     "lateness\":\"2s\",\"keep\":\"100s\"," VALUES,
     false},
};

const char *events_plan(int number, const char **view, bool *lossless)
{
    *view = PLAN[number].view;
    *lossless = PLAN[number].lossless;
    return PLAN[number].json;
}

void events_make(uint64_t seed, int64_t n, int salt, struct buf *key, struct buf *value)
{
    struct rng rng;
    rng_init_at(&rng, seed, (uint64_t)n);
    if (n > 300 && rng_below(&rng, 100) < 6) {
        n -= 1 + (int64_t)rng_below(&rng, 300);
        rng_init_at(&rng, seed, (uint64_t)n);
        rng_below(&rng, 100); /* itself, even if that was a repetition */
    }
    int64_t at = EVENTS_START_MS + n * 100 - (int64_t)rng_exponential(&rng, 1500);
    if (rng_below(&rng, 100) < 3)
        at -= (int64_t)rng_below(&rng, 60000);
    uint64_t user = rng_below(&rng, 2) ? rng_below(&rng, 20) : rng_below(&rng, 3000);
    buf_clear(key);
    buf_clear(value);
    buf_printf(key, "k%llu", (unsigned long long)user);
    buf_printf(value, "{\"at\":%lld,\"id\":\"e%lld\",\"k\":\"%s\",\"v\":%d}", (long long)at,
               (long long)n, key->ptr, (int)rng_below(&rng, 2000) - 500 + salt);
    if (rng_below(&rng, 100) < 1)
        value->len /= 2;
}

/* ---- the feeder ---- */

/* A chunk, all its partitions at once. */
static int append(struct log *log, const char *topic, const struct feed *feed, int64_t from,
                  int64_t to)
{
    enum { CHUNK_MAX = EVENTS };
    static struct buf keys[CHUNK_MAX], values[CHUNK_MAX];
    static struct log_record records[CHUNK_MAX];
    static int partition[CHUNK_MAX];
    struct log_append parts[PARTITIONS];
    int count = (int)(to - from), filled = 0, used = 0;
    for (int i = 0; i < count; i++) {
        events_make(feed->seed, from + i, feed->salt, &keys[i], &values[i]);
        partition[i] = log_partition_of(buf_bytes(&keys[i]), PARTITIONS);
    }
    for (int p = 0; p < PARTITIONS; p++) {
        struct log_append part = {.partition = p, .records = &records[filled]};
        for (int i = 0; i < count; i++)
            if (partition[i] == p)
                records[filled + part.count++] =
                    (struct log_record){.key = buf_bytes(&keys[i]), .value = buf_bytes(&values[i])};
        filled += part.count;
        if (part.count > 0)
            parts[used++] = part;
    }
    return log_append_all(log, topic, parts, used, NULL);
}

static void feed_all(const struct lane *lane, const struct feed *feed)
{
    struct log *log;
    if (log_open(lane->log, false, &log, NULL) < 0)
        _exit(1);
    for (int64_t n = 0; n < feed->count; n += feed->chunk) {
        int64_t to = feed->count - n < feed->chunk ? feed->count : n + feed->chunk;
        if (append(log, lane->topic, feed, feed->from + n, feed->from + to) < 0)
            _exit(1);
        if (feed->pause_ms)
            clock_sleep_ms(feed->pause_ms);
    }
    log_close(log);
    _exit(0);
}

bool feeder_start(struct lane *lane, const struct feed *feed)
{
    fflush(NULL);
    lane->feeder = fork();
    if (lane->feeder == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        feed_all(lane, feed);
    }
    return lane->feeder > 0 || lane_fail(lane, "cannot fork");
}

void feeder_count(struct lane *lane)
{
    struct log *log;
    lane->fed = 0;
    if (log_open(lane->log, false, &log, NULL) < 0)
        return;
    for (int p = 0; p < PARTITIONS; p++) {
        int64_t first, end = 0;
        log_range(log, lane->topic, p, &first, &end, NULL);
        lane->fed += end;
    }
    log_close(log);
}

bool feeder_ended(struct lane *lane)
{
    if (lane->feeder && waitpid(lane->feeder, NULL, WNOHANG) == lane->feeder) {
        lane->feeder = 0;
        feeder_count(lane);
    }
    return lane->feeder == 0;
}

bool feeder_run(struct lane *lane, const struct feed *feed)
{
    if (!feeder_start(lane, feed))
        return false;
    while (!feeder_ended(lane))
        clock_sleep_ms(1);
    return true;
}

void feeder_stop(struct lane *lane)
{
    if (!lane->feeder)
        return;
    kill(lane->feeder, SIGKILL);
    waitpid(lane->feeder, NULL, 0);
    lane->feeder = 0;
    feeder_count(lane);
}
