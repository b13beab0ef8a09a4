/* bench/bench_kafka.h - what the Kafka path reaches, held against plain librdkafka programs of the same run.
 *
 * Both make topics of their own on the broker named, a Redis of their own, and run lk's verbs as child
 * processes, as a user would. A figure is printed only where the answers are those of the straight-line
 * program (straight.h); else ERR_CHECK. Progress goes to stderr. */
#ifndef LK_BENCH_BENCH_KAFKA_H
#define LK_BENCH_BENCH_KAFKA_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"

struct ysb_options {
    const char *program; /* ourselves */
    const char *log_uri; /* kafka:... */
    int64_t events;
    int partitions, rounds;
    int workers; /* of kappa, and handles of the plain loop */
    bool json;
};

/* The Yahoo streaming benchmark's events drained: by a plain loop that counts bytes, by kappa, by the
 * archive; events a second and CPU an event of each process. */
int bench_ysb(const struct ysb_options *options, FILE *out, struct err *err);

struct fresh_options {
    const char *program;
    const char *log_uri;
    double rate; /* events a second */
    int seconds; /* measured, behind a warm-up */
    int partitions, commit_ms;
    bool json;
};

/* From due to visible by a reader through kappa, beside a bare echo through the same broker. */
int bench_fresh(const struct fresh_options *options, FILE *out, struct err *err);

#endif
