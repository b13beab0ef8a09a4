/* bench/compare.h - the main job: the same events through every pipeline, watched, killed, healed,
 * judged.
 *
 * Starts each part as a process of its own (this program again), a Redis for each pipeline, and one
 * generator; samples both views through logical reads while they run; strikes them with a
 * schedule of faults; lets each heal in its own way; then holds every sampled answer against
 * the contract and the truth. With `attach` all of it runs elsewhere, nothing is killed or healed, and
 * this program only reads and judges. Writes run.json, samples.jsonl, result.json and report.html into out.
 */
#ifndef LK_BENCH_COMPARE_H
#define LK_BENCH_COMPARE_H

#include <stdio.h>

#include "common/base/bytes.h"
#include "common/base/err.h"
#include "common/store/handover.h"

struct compare_options {
    const char *workload; /* flights, ads, replay */
    const char *program;  /* ourselves */
    const char *plan;     /* file; NULL: the workload's own */
    const char *events;   /* replay: file */
    const char *time_field, *time_format, *key_field;
    const char *log;           /* kafka:HOST:PORT,...; NULL: an embedded one of the run's own */
    const char *out;           /* directory, made if it is not there */
    const char *heal_lateness; /* of the healed plan, "48h" or "unlimited"; NULL: no healing */
    uint64_t seed;
    int partitions;
    double speed;        /* recorded time over wall time; for ads wall time is event time */
    int64_t event_count; /* 0: all (ads: 300,000) */
    double rate;         /* ads: events a second */
    int64_t batch_every_ms, commit_ms, span_ms;
    enum handover handover; /* of lambda */
    bool handovers;         /* a lambda of each, side by side, and no kappa */
    const char *faults;     /* schedules, separated by commas, or "none": see bench/schedule.h */
    bool attach;            /* observe what runs elsewhere, on log, topic and view; start nothing */
    const char *topic, *view; /* attach: the topic, and the Redis of both views */
    int64_t patience_ms;      /* attach: how long nothing may move */
    bool keep_topic;          /* on Kafka: leave the run's topic behind */
    bool json;
};

/* 0 and *pass; or a code if the run could not be done. Progress goes to stderr, the table to out.
 */
int compare_run(const struct compare_options *options, FILE *out, bool *pass, struct err *err);

#endif
