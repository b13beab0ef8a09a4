/* bench/bench.h - micro-benchmarks: rounds of all contenders interleaved in one run, ratios printed.
 *
 * Each checks first that all contenders give the same answers; ERR_CHECK if not. One thread. */
#ifndef LK_BENCH_BENCH_H
#define LK_BENCH_BENCH_H

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

#endif
