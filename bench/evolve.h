/* bench/evolve.h - one rule of a view changes while events and readers go on: what it takes in either
 * architecture until every answer goes by the new rule, and until all of it is taken back.
 *
 * Each architecture is a table of steps, the verbs that a user types today (evolve_ways.c). It is played
 * against a log with a history and a generator at its rate; applications ask all the time; every
 * answer is then held against the oracles of both rules at the answer's positions. */
#ifndef LK_BENCH_EVOLVE_H
#define LK_BENCH_EVOLVE_H

#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"

struct evolve_options {
    const char *program; /* ourselves */
    const char *out;     /* a directory for the report and the work files, made */
    const char *log;     /* kafka:HOST:PORT,...; NULL: an embedded one for each architecture */
    const char *arch;    /* kappa, lambda; NULL: both, one after the other */
    int64_t history;     /* events in the log before anything starts */
    double rate;         /* events a second meanwhile */
    int seconds;         /* watched before the change, and after it */
    int readers;         /* applications that ask */
    uint64_t seed;
    bool json;
};

/* Table or JSON to out, run.json, samples.jsonl and report.html in options->out, talk to stderr. *pass is false where an answer was by neither rule. */
int evolve_run(const struct evolve_options *options, FILE *out, bool *pass, struct err *err);

#endif
