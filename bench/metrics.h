/* bench/metrics.h - the one table of metrics, which makes the JSON, the printed table and the report.
 *
 * So lambda and kappa cannot be told under different words. Values are of one side of a run that has been
 * judged; METRIC_NONE where there is nothing to tell. Pure functions; docs/metrics.md explains each. */
#ifndef LK_BENCH_METRICS_H
#define LK_BENCH_METRICS_H

#include <jansson.h>

#include "bench/run.h"

#define METRIC_NONE (-1.0)

struct metric {
    const char *name; /* NULL ends the table */
    const char *unit;
    bool structural; /* follows from the design: shown, never claimed as a finding */
    bool headline;   /* on top of the report as well */
    const char *meaning;
    double (*of)(const struct run *run, const struct side *side);
    bool seen; /* of processes that the run started itself: nothing to tell where it only watched */
};

extern const struct metric METRICS[], HANDOVER_METRICS[];

/* The n-th of this run, NULL behind the last: where hand-overs are compared, theirs come first. */
const struct metric *metric_at(const struct run *run, int n);

double metric_of(const struct metric *metric, const struct run *run, const struct side *side);
/* One by name (a bug if there is none). */
double metric_value(const struct run *run, const struct side *side, const char *name);
/* Sum (or, last, the last) of a number over the JSON lines that a child printed; *lines: how many. */
double metric_from_output(const struct side *side, const char *child, const char *member, bool last,
                          int *lines);
/* What was seen, in words: only what this run's numbers show. An array of texts, owned. */
json_t *findings_of(const struct run *run);
json_t *handover_findings(const struct run *run); /* of several hand-overs */

#endif
