/* lambda/batch.h - a batch: the view of the archive up to a boundary vector, as a generation.
 *
 * Three kinds (docs/batch.md): full folds the archive from its beginning; incremental folds what came
 * since a base generation, and merges; by-time computes the buckets of event time that this touched
 * again, and copies the others.
 *
 * Boundaries come from pos: the largest recorded cut that the archive has reached, so that spans
 * continue where the batch ends; where none is new and the archive is ahead of the speed layer (or
 * there is none yet), the archive's end, to which the speed layer jumps. By the other hand-overs the
 * boundary is the archive's end always, and two-slot and naive note in pos, when the batch begins, from
 * which cut on the speed layer's spans are to be added to it (batch_slots.c). The folded partitions
 * become a generation in the archive's folder (folder.h), which is then loaded and published
 * (publish.h). Threads: batch_compute starts workers of its own; everything else is the caller's
 * thread. */
#ifndef LK_LAMBDA_BATCH_H
#define LK_LAMBDA_BATCH_H

#include "common/log/log.h"
#include "common/op/counters.h"
#include "common/plan/plan.h"
#include "common/store/kv.h"
#include "lambda/publish.h"

struct batch_options {
    const struct plan *plan;
    const char *archive; /* DIR */
    const char *topic;   /* NULL: the only one in the archive */
    int workers;         /* 0: one a core */
    size_t memory_bytes; /* that cells and ids may take, all workers together */
    int keep;            /* generations that stay in the folder */
    bool reload;         /* publish what is there again, compute nothing */
    bool columnar;       /* fold the archive's columnar files where they are (columnar.h) */
    bool only_new;       /* leave off wherever no boundary would grow */
    enum batch_kind kind;
    /* id of the generation to build upon or, to reload, to publish; NULL: the newest that fits
       and was not rolled back */
    const char *base;
    int64_t number;        /* the greatest that the store names; batch_run sets it */
    int64_t bucket_ms;     /* by-time: rounded up to a multiple of the plan's pane */
    int64_t buffer_ms;     /* by-time: computed again below T in any case; < 0: one bucket */
    int64_t block_offsets; /* of sidecars, for tests; 0: as times.h has it */
    int handover;          /* the mode asked for, or HANDOVER_AS_IT_IS */
};

struct batch_part {
    int64_t boundary, history; /* as in the manifest */
    struct counters counters;  /* all 0 after a reload */
    struct publish_part publish;
};

struct batch_result {
    char topic[LOG_TOPIC_MAX + 1];
    char generation[FOLDER_ID_BYTES]; /* "" where there was nothing to do: idle */
    /* nothing was computed or written: no boundary would have grown, and what serves is there
       in its files; or, with only_new, whatever is there */
    bool idle;
    /* idle: number of the generation that serves all partitions; 0: there is none */
    int64_t published;
    int partitions;
    struct batch_part *parts; /* owned: batch_release */
    int64_t events, bytes, rows, file_bytes;
    int64_t wall_ns, cpu_ns; /* of it all; fold_ns without load and publish */
    int64_t fold_ns;
    size_t cells_max;
    int64_t segments_columnar; /* folded from columns, over all passes */
    int runs, passes, workers;
    int handover;               /* the view's */
    enum batch_kind kind;       /* full also where there was no base */
    char base[FOLDER_ID_BYTES]; /* "": none */
    enum standing base_standing;
    int64_t rows_copied;   /* from the base as they are */
    int64_t stale_buckets; /* by-time: computed again, over all partitions; -1: all, in one */
};

/* Compute, load, publish. 0 also where partitions were refused; parts say so. ERR_DATA: the archive
 * does not begin at 0, or it or the base is damaged. ERR_USAGE: another plan is live under this
 * view's name, the named base does not fit, or the kind does not fit the plan. */
int batch_run(struct kv *kv, const struct batch_options *options, struct batch_result *result,
              struct err *err);
/* Without a store: fold up to boundaries (NULL: the archive's ends) into a generation of folder. */
int batch_compute(const struct batch_options *options, const char *topic, const int64_t *boundaries,
                  struct folder *folder, struct manifest *manifest, struct batch_result *result,
                  struct err *err);
/* options->topic, or the only one in the archive. */
int batch_topic(const struct batch_options *options, char out[LOG_TOPIC_MAX + 1], struct err *err);
void batch_release(struct batch_result *result);

#endif
