/* lambda/times.h - the sidecar of a generation file: which event times lie where in the archive.
 *
 * For blocks of some thousand offsets up to TIMES_SPANS spans of event time, so that a by-time batch
 * reads only the blocks that a stale bucket may have something in. Several, since one late event in a
 * block would else stretch it over all that lies between. It is a hint that must never say too little:
 * what is missing, or is not whole, is one block with every time. In memory about 35 bytes a thousand
 * events. <id>.pN.times, all numbers little-endian:
 *   0   8  "LKTIM" 0 0 1    8   8  blocks
 *   16  a block: u64 the offset behind it, u64 spans, then each: least, greatest event time
 *   end 8  XXH3-64 of all bytes before it
 * Open value; one thread. */
#ifndef LK_LAMBDA_TIMES_H
#define LK_LAMBDA_TIMES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

enum {
    TIMES_OFFSETS = 4096, /* a block has usually at least so many, the last one apart */
    TIMES_SPANS = 8,
};

struct times_span {
    int64_t min_ms, max_ms;
};

struct times_block {
    int64_t next; /* it begins at the next of the one before */
    int count;
    struct times_span spans[TIMES_SPANS];
};

struct times {
    struct times_block *blocks;
    int count, capacity;
    int hint;            /* the span of the last block that was met last */
    int64_t join_ms;     /* what is no further apart becomes one span at once: a pane */
    int64_t offsets_min; /* the last block grows until it has so many; 0: TIMES_OFFSETS */
};

/* The last block, or a new one, reaches up to next: what is seen from now on lies in it. */
void times_reach(struct times *times, int64_t next);
/* Events of these times; min_ms > max_ms: of none. */
void times_see(struct times *times, int64_t min_ms, int64_t max_ms);
/* Where block i begins. */
int64_t times_begin(const struct times *times, int i);
int times_write(const struct times *times, const char *path, struct err *err);
/* The blocks of [0, boundary). A file that is not there or not whole gives one block of every time. */
void times_read(struct times *out, const char *path, int64_t boundary);
void times_release(struct times *times);

#endif
