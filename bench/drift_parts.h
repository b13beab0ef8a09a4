/* bench/drift_parts.h - a play of differences: what the files drift*.c share. For them alone.
 *
 *   drift.c          the play: events, pipelines, an hour after the other
 *   drift_measure.c  what a read says, held against the contract of the mirrored plan
 *   drift_overlay.c  a difference laid over the plan: in the speed layer, and as lk plan diff would see it
 *   drift_page.c     table, JSON and report */
#ifndef LK_BENCH_DRIFT_PARTS_H
#define LK_BENCH_DRIFT_PARTS_H

#include "bench/drift.h"
#include "common/base/map.h"
#include "common/log/log.h"
#include "common/plan/plan.h"
#include "common/store/read.h"
#include "workloads/oracle.h"
#include "workloads/workload.h"

enum { LAYERS_MAX = 32, HOUR_MS = 3600000 };
#define BEGIN_MS INT64_C(978307200000) /* the first flights: 2001-01-01 */

/* Since when a row is served wrong. */
struct spell {
    int since, read; /* hour, or DRIFT_NEVER: it is right now; the last read that it was wrong in */
};

/* One lambda with its speed layer. */
struct layer {
    struct plan *plan;
    struct drift_result *result;
    struct answer served;
    struct map spells; /* (window, key) -> struct spell */
    int64_t spell_hours;
    size_t spell_count;
    double off[PLAN_VALUES_MAX]; /* sum over reads of the share by which a value was off */
    int kappa_rows, batch_rows;  /* in the diffs of this hour */
};

struct drift_play {
    const struct drift_options *options;
    char dir[32], log_uri[64], archive[64]; /* the work files, below dir */
    struct log *log;
    struct kv *kv;
    struct stream *stream;
    struct workload_event event; /* read, and not appended yet */
    bool ended;
    struct plan *kappa;
    int version; /* of kappa's view */
    struct oracle *oracle;
    struct layer layers[LAYERS_MAX]; /* 0: the mirrored one */
    int count, hour, batch_hour, reads;
};

/* drift_measure.c: hold what is served against the contract of the mirrored plan. */
int drift_measure(struct drift_play *play, struct layer *layer, bool behind_batch, struct err *err);
/* A diff has noticed where it says something else than at the mirrored layer. */
void drift_notice(struct drift_play *play, struct drift_result *result, enum drift_diff diff,
                  bool differs);

/* drift_overlay.c: DRIFT_PLAN for a view, with its "speed"; owned by the caller. */
int drift_parse(const char *view, const char *speed, struct plan **out, struct err *err);
/* values.late, ...: what lk plan diff says of it where it is put into the plan itself. */
int drift_say_diff(const struct plan *plan, const char *speed, char out[120], struct err *err);

/* drift_page.c: table or JSON; then run.json, samples.jsonl and report.html in options->out. */
void drift_print(const struct drift_options *options, const struct drift_result *results, int count,
                 FILE *out);
int drift_page(const struct drift_options *options, const struct drift_result *results, int count,
               int64_t began_wall_ns, struct err *err);

#endif
