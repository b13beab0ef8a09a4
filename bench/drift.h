/* bench/drift.h - the classic accident of a lambda: one line differs between batch and speed layer.
 *
 * A library of such differences, each an overlay of one plan's "speed" (docs/drift.md). The same flights
 * go through a lambda with each of them, through a mirrored one as the control, and through a kappa; every
 * hour of the stream all are read and held against the contract of the mirrored plan. */
#ifndef LK_BENCH_DRIFT_H
#define LK_BENCH_DRIFT_H

#include <stdbool.h>
#include <stdio.h>

#include "common/base/err.h"

struct drift_options {
    const char *out;  /* a directory for the report, made if it is not there */
    const char *only; /* names with commas; NULL: all of the library */
    int hours;        /* of the stream */
    int batch_hours;  /* between two batches */
    bool json;
};

/* The overlays: name, story, and the "speed" that plants it. */
struct drift {
    const char *name, *story, *speed;
};
extern const struct drift DRIFTS[]; /* ends with NULL */
/* The plan that they are laid over: %s stands for the view's name, and for its "speed". */
extern const char DRIFT_PLAN[];

enum drift_diff { DIFF_BATCH, DIFF_VERIFY, DIFF_KAPPA, DIFFS };
enum { DRIFT_HOURS_MAX = 336, DRIFT_NEVER = -1 };

/* What came of one of them. Hours are of the stream. */
struct drift_result {
    const struct drift *drift;
    double wrong_share[DRIFT_HOURS_MAX]; /* of the rows since the last batch, by read */
    double wrong_share_mean, wrong_share_max;
    const char *value; /* the one that was off most; "" none */
    double off_share;  /* of it: sum of distances over the sum of what was right, mean over reads */
    size_t wrong_rows; /* rows that were served wrong at some time */
    int first_hour;    /* of the first wrong row served; DRIFT_NEVER */
    int noticed[DIFFS]; /* hours behind first_hour; DRIFT_NEVER */
    double wrong_hours_mean;
    int wrong_hours_max; /* how long a row stayed wrong */
    size_t wrong_at_end; /* behind the last batch */
    char said[120];      /* paths of lk plan diff where it is put into the plan itself */
};

/* Table or JSON to out, run.json, samples.jsonl and report.html in options->out, talk to stderr. ERR_DATA where a
 * mirrored layer was wrong, or a difference remained behind the last batch. */
int drift_run(const struct drift_options *options, FILE *out, struct err *err);

#endif
