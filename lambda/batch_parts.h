/* lambda/batch_parts.h - what the files of a batch share; for them alone.
 *
 *   batch.c             the archive, and the order of a run
 *   batch_boundaries.c  what the view says of its generations, and up to where the next one is to go
 *   batch_fold.c        the fold, on all cores
 *   batch_slots.c       two-slot and naive: from which cut on spans belong to the batch that begins */
#ifndef LK_LAMBDA_BATCH_PARTS_H
#define LK_LAMBDA_BATCH_PARTS_H

#include "lambda/batch.h"

/* batch.c: returns the partitions, and where each ends; ERR_DATA where one does not begin at 0. */
int batch_open_archive(const struct batch_options *options, const char *topic, struct log **out,
                       struct err *err);
int batch_archive_ends(struct log *log, const char *topic, int partitions, int64_t *ends,
                       struct err *err);

/* What the view says, all partitions together. */
struct batch_bounds {
    int64_t *boundaries; /* by partition; borrowed, filled */
    bool grows;          /* in some partition above the published one */
    bool reached;        /* above 0 in some partition */
    int64_t number;      /* the greatest of a generation that any pos names */
    /* that of the one that serves all partitions with events; 0: there is none */
    int64_t published;
};
/* batch_boundaries.c. ends: of the archive's partitions. */
int batch_choose_boundaries(struct kv *kv, const struct plan *plan, int version, int handover,
                            int partitions, const int64_t *ends, struct batch_bounds *out,
                            struct err *err);
/* Would a batch make nothing that could serve and is not there already, whole? 1, 0, or a code. */
int batch_is_idle(const struct batch_options *options, const struct batch_bounds *bounds,
                  struct folder *folder, int partitions, struct err *err);

#endif
