/* bench/anomaly.h - readers that read without pause, and hold every answer against the exact one.
 *
 * An answer claims positions V. What its cell must then hold is known from the events alone (exact.h).
 * A read that was not exact (its partition moved on meanwhile) holds at least V and at most what the
 * reader's next read claims: that is what it is held against. */
#ifndef LK_BENCH_ANOMALY_H
#define LK_BENCH_ANOMALY_H

#include <stdatomic.h>

#include "bench/exact.h"
#include "common/store/read.h"

struct anomaly_counts {
    int64_t reads;     /* answered */
    int64_t lost;      /* fewer events than the answer claims */
    int64_t doubled;   /* more than it can hold */
    int64_t regressed; /* positions, or a cell, behind what this reader has seen */
    int64_t gaps;      /* refused: a gap */
    int64_t errors;    /* refused otherwise */
    double error_max;  /* largest |found - exact| / exact */
    char example[400]; /* the first anomaly or error, in words; "" none */
};

/* What the readers of one run share. */
struct anomaly_scene {
    const char *uri, *view;
    enum arch arch;
    const struct exact *exact;
    int partitions;
    int64_t keep_ms; /* the plan's; 0: it keeps everything */
    uint64_t seed;
    atomic_bool over;
    atomic_llong reads; /* of all of them, so far */
};

struct anomaly_readers; /* opaque: owns threads and connections */

struct anomaly_readers *anomaly_start(struct anomaly_scene *scene, int threads);
/* End them all, and say what they saw. */
struct anomaly_counts anomaly_stop(struct anomaly_readers *readers);
int64_t anomaly_total(const struct anomaly_counts *counts); /* lost, doubled and regressed */

#endif
