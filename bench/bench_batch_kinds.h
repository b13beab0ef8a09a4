/* bench/bench_batch_kinds.h - what a full, an incremental and a by-time batch cost on the same archive.
 *
 * Ads events grow by a share between batches, some of them late. Each batch runs in a process of its
 * own, without a store (loading and publishing a generation is the same for all kinds); its answer
 * must be the full one's, byte for byte, else ERR_CHECK and no figure. One thread. */
#ifndef LK_BENCH_BENCH_BATCH_KINDS_H
#define LK_BENCH_BENCH_BATCH_KINDS_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"

struct batch_kinds_options {
    int64_t events;    /* before the first batch */
    int rounds;        /* batches that are measured, of each kind; at most BATCH_KINDS_ROUNDS_MAX */
    double growth;     /* share of events that come between two */
    double late_share; /* of events that are held back by up to half an hour of event time */
    int64_t bucket_ms;
    uint64_t seed;
    bool json;
};
enum { BATCH_KINDS_ROUNDS_MAX = 50 };

int bench_batch_kinds(const struct batch_kinds_options *options, FILE *out, struct err *err);

#endif
