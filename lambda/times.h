/* lambda/times.h - the sidecar of a generation file: which event times lie where in the archive.
 *
 * For blocks of some thousand offsets the least and the greatest event time, so that a by-time batch
 * reads only the blocks that a stale bucket may have something in. It is a hint that must never say
 * too little: what is missing, or is not whole, is one block with every time.
 * <id>.pN.times, all numbers little-endian:
 *   0   8  "LKTIM" 0 0 1    8   8  blocks
 *   16  24 a block: the offset behind it, least, greatest event time (least > greatest: no event)
 *   end 8  XXH3-64 of all bytes before it
 * Open value; one thread. */
#ifndef LK_LAMBDA_TIMES_H
#define LK_LAMBDA_TIMES_H

#include <stdint.h>

#include "common/base/err.h"

enum { TIMES_OFFSETS = 4096 }; /* a block has usually at least so many, the last one apart */

struct times_block {
    int64_t next, min_ms, max_ms; /* it begins at the next of the one before */
};

struct times {
    struct times_block *blocks;
    int count, capacity;
    int64_t offsets_min; /* the last block grows until it has so many; 0: TIMES_OFFSETS */
};

/* The block [next of the last one, next) has these times. */
void times_add(struct times *times, int64_t next, int64_t min_ms, int64_t max_ms);
/* Where block i begins. */
int64_t times_begin(const struct times *times, int i);
int times_write(const struct times *times, const char *path, struct err *err);
/* The blocks of [0, boundary). A file that is not there or not whole gives one block of every time. */
void times_read(struct times *out, const char *path, int64_t boundary);
void times_release(struct times *times);

#endif
