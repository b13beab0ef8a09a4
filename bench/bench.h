/* bench/bench.h - micro-benchmarks: rounds of all contenders interleaved in one run, ratios printed.
 *
 * Each checks first that all contenders give the same answers; ERR_CHECK if not. One thread. */
#ifndef LK_BENCH_BENCH_H
#define LK_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"

/* The JSON field scanner's paths against jansson's DOM: 3 of 7 fields of 200,000 ads events. */
int bench_scan(FILE *out, struct err *err);
/* Kappa draining ads events from the embedded log, against the straight-line program. */
int bench_drain(FILE *out, struct err *err);
/* The batch's fold of the archive, a core, against the straight-line program over the same segments. */
int bench_batch(FILE *out, struct err *err);
/* Made-up ads events appended to an embedded log: events a CPU-second. */
int bench_gen(FILE *out, struct err *err);

struct read_options {
    const char *program; /* ourselves */
    int64_t reads;       /* of each contender, for each plan */
    bool json;
};

/* Lambda's merged read against kappa's read of one view, one key of one window, side by side while both
 * commit: p50 and p99, and the ratio of the p99s. Every answer is checked; ERR_CHECK and no figure if one
 * is wrong. */
int bench_read(const struct read_options *options, FILE *out, struct err *err);

struct keys_options {
    const char *program;
    const char *out;       /* a directory for the report, made */
    int64_t keys, windows; /* every key has a row in every window */
    int64_t memory_bytes;  /* that the cells of a worker or a batch may take */
    bool json;
};

/* Both pipelines over far more cells than they may hold in memory: time, memory, a version deployed,
 * compared and promoted, a killed worker's partitions taken over. Every row is checked; ends in a report. */
int bench_keys(const struct keys_options *options, FILE *out, struct err *err);

struct interference_options {
    const char *program;
    const char *log_uri; /* NULL: an embedded log of its own */
    double rate;         /* live events a second */
    int64_t events;      /* of history, that a batch or a replay goes through */
    int64_t replay_rate; /* of the replay that is held back, events a second */
    int64_t block_ms;    /* length of a block */
    int rounds;          /* of two blocks, for each thing that is big */
    int commit_ms;       /* of the live worker */
    bool json;
};

/* Freshness of a live view alone and while a batch or a replay runs beside it, in blocks in turn: p50, p99, and
 * the ratio of the p99s. Every answer is checked; ERR_CHECK and no figure if one is wrong. */
int bench_interference(const struct interference_options *options, FILE *out, struct err *err);

struct anomalies_options {
    const char *program;
    const char *log_uri;  /* NULL: an embedded log of its own */
    unsigned modes;       /* bits: 1 << enum handover, and 1 << HANDOVERS for kappa's versions */
    int64_t reads, flips; /* of each mode, at least */
    uint64_t seed;
    int readers; /* threads */
    bool kill;   /* speed layer and batch die now and then */
    bool json;
};

/* Answers held against the exact ones while pointers flip, by hand-over mode. ERR_CHECK where a mode that
 * is exact shows an anomaly, or the naive one none. */
int bench_anomalies(const struct anomalies_options *options, FILE *out, struct err *err);

#endif
