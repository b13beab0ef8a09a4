/* lambda/stale.h - which buckets of event time a by-time batch computes again.
 *
 * Bucket b of size_ms holds the times [b * size_ms, (b + 1) * size_ms), rounded towards minus infinity.
 * Stale are the buckets that new events fall into (the log of invalidations), and every bucket that
 * ends behind T - buffer, whatever fell into it. The list is bounded: beyond STALE_MAX buckets every
 * one is stale. Open value; one thread. */
#ifndef LK_LAMBDA_STALE_H
#define LK_LAMBDA_STALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STALE_MAX = 1 << 17 }; /* twice as many numbers are held: 2 MiB */

struct stale {
    int64_t size_ms;
    int64_t *buckets; /* after stale_settle: rising, each once */
    size_t count, capacity;
    int64_t from; /* every bucket from this one on */
    bool buffered, all;
};

void stale_init(struct stale *stale, int64_t size_ms);
void stale_add(struct stale *stale, int64_t time_ms);
/* After the last stale_add; T_ms INT64_MIN: there is no event, so no buffer. */
void stale_settle(struct stale *stale, int64_t T_ms, int64_t buffer_ms);
bool stale_has(const struct stale *stale, int64_t time_ms);
/* Is some time of [min_ms, max_ms] in a stale bucket? */
bool stale_meets(const struct stale *stale, int64_t min_ms, int64_t max_ms);
/* How many: those listed, and those of the buffer up to that of T. -1: all. */
int64_t stale_count(const struct stale *stale, int64_t T_ms);
void stale_release(struct stale *stale);

#endif
