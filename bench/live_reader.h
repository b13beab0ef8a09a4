/* bench/live_reader.h - a reader of a view of ads events, made live at a fixed rate: how fresh is what it reads,
 * and is it right?
 *
 * One logical read after the other (one key of one window, positions included). An event is visible at the
 * end of the first read whose positions cover it; its freshness counts from when it was due, and goes to the
 * block of time that it was due in. Every answer is held against the exact one at its positions.
 * Open value: fill the first part, start it, stop it. Blocks are announced and asked by one other thread. */
#ifndef LK_BENCH_LIVE_READER_H
#define LK_BENCH_LIVE_READER_H

#include <pthread.h>

#include "bench/exact.h"
#include "common/base/hist.h"
#include "common/log/log.h"
#include "common/store/read.h"

enum { LIVE_BLOCKS_MAX = 256 };

struct live_block {
    int64_t from_ns, to_ns; /* CLOCK_REALTIME, of due times */
    struct hist fresh_us;
};

struct live_reader {
    const char *uri, *view;
    enum arch arch;
    const struct exact *exact;
    int partitions;
    double rate;      /* events a second */
    int64_t start_ns; /* CLOCK_REALTIME when event 0 is due */
    uint64_t seed;
    /* its own */
    pthread_t thread;
    _Atomic bool over;
    _Atomic int blocks;
    struct live_block block[LIVE_BLOCKS_MAX];
    _Atomic int64_t seen_ns; /* all events due by then are visible */
    int64_t seen[LOG_PARTITIONS_MAX];
    int unsure; /* a cell whose last answer was not exact, or -1 */
    int64_t unsure_count;
    _Atomic int64_t reads;
    _Atomic int rc;
    struct err err;
};

void live_reader_start(struct live_reader *reader);
/* Events due from now + lead_ms on, for so long, are a block; before they are due. Its number. */
int live_reader_announce(struct live_reader *reader, int lead_ms, int64_t length_ms);
/* 0, or why it reads no more: ERR_CHECK where an answer was not the exact one. */
int live_reader_look(const struct live_reader *reader, struct err *err);
/* End it; blocks may be read then. */
void live_reader_stop(struct live_reader *reader);
void live_reader_release(struct live_reader *reader);

#endif
