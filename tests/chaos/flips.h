/* tests/chaos/flips.h - the readers of flips.c: what they are told, and what they tell.
 *
 * While the pointer goes back and forth they read without pause, and hold at once what an answer says
 * of itself against the board: its version, its positions. When all is over each asks the oracles of both
 * plans what it was answered. A reader is a process; the board is memory that all share. */
#ifndef LK_TESTS_CHAOS_FLIPS_H
#define LK_TESTS_CHAOS_FLIPS_H

#include <stdatomic.h>

#include "tests/chaos/chaos.h"

enum { FLIPS_VERSIONS = 2, FLIPS_READERS = 2, FLIPS_PATH = 220 };

struct flips_board {
    _Atomic uint64_t epoch;   /* odd while a verb is under way */
    _Atomic int live, canary; /* as of an even epoch; canary 0: none */
    _Atomic uint64_t era;     /* while it stays the share only grows */
    _Atomic int64_t least[PARTITIONS];
    _Atomic bool over, failed;
    _Atomic int64_t reads, refused, by_canary, by_version[FLIPS_VERSIONS];
    _Atomic int64_t questions; /* that the oracles were asked: reads that differ in what they say */
    char why[600];
};

struct flips_readers {
    struct lane *lane;
    struct flips_board *board;
    char plan[FLIPS_VERSIONS][FLIPS_PATH]; /* paths */
    pid_t reader[FLIPS_READERS];
};

bool flips_readers_start(struct flips_readers *readers);
/* No more reads; the readers go on to the oracles, and end. */
void flips_readers_stop(struct flips_readers *readers);

#endif
