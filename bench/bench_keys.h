/* bench/bench_keys.h - what `lk bench keys` measured: shared by bench_keys.c and bench_keys_page.c alone. */
#ifndef LK_BENCH_BENCH_KEYS_H
#define LK_BENCH_BENCH_KEYS_H

#include "bench/bench.h"
#include "common/base/bytes.h"

enum keys_stage {
    KEYS_RUN,
    KEYS_DEPLOY,
    KEYS_DIFF,
    KEYS_PROMOTE,
    KEYS_TAKEOVER, /* a killed worker's work by the next one: no memory is looked at */
    KEYS_ARCHIVE,
    KEYS_BATCH,
    KEYS_STAGES
};

struct keys_figures {
    int64_t began_ns, ended_ns; /* monotonic */
    double seconds, cpu_s, anon_mb;
};

/* The verbs, by stage, and whose they are. */
extern const struct keys_stage_name {
    const char *name, *pipeline;
} KEYS_STAGE_NAMES[KEYS_STAGES];

struct keys_result {
    int64_t events, began_ns, began_wall_ns, ended_ns;
    struct keys_figures figures[KEYS_STAGES];
    int64_t kappa_rows, lambda_rows; /* that were read and checked */
    double kappa_mb, lambda_mb;      /* what Redis takes for one version, for one generation */
    double takeover_ms;
    struct buf lines; /* of samples.jsonl */
    struct buf plan;  /* JSON */
};

void keys_print(const struct keys_options *options, const struct keys_result *result, FILE *out);
/* run.json, samples.jsonl and report.html in options->out. */
int keys_page(const struct keys_options *options, const struct keys_result *result,
              struct err *err);

#endif
