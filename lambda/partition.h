/* lambda/partition.h - a batch's unit of work: one partition becomes a generation file.
 *
 * The one task loop (common/run/task.h) over the archive, lateness off, dedupe over the whole
 * history, in bounded memory: cells beyond their half of it become sorted runs, and where the ids
 * would outgrow theirs, `passes` readings take a share of the ids each.
 * With a base only what lies between its boundary and the new one is folded, T, mark and counters
 * going on from its head, and its file joins the merge of the runs. Ids are those of the horizon
 * then: rebuilt from the base's mark, and forgotten as the speed layer forgets them.
 * By time, the buckets that these events fall into are stale (stale.h): what older events they have
 * is read again, by the base's sidecar (times.h), and of its file only the other rows are taken. A
 * file of a plan with windows and without dedupe gets a sidecar, whatever its kind. One thread. */
#ifndef LK_LAMBDA_PARTITION_H
#define LK_LAMBDA_PARTITION_H

#include <stdatomic.h>

#include "common/log/log.h"
#include "common/plan/plan.h"
#include "lambda/base.h"
#include "lambda/columnar.h"

struct partition_work {
    const struct plan *plan;
    struct log *log; /* the archive; shared */
    const char *topic;
    int partition;
    int64_t boundary;            /* the file is of [0, boundary) */
    const struct manifest *base; /* NULL: fold all of it */
    bool by_time;                /* upon the base */
    int64_t bucket_ms;           /* a multiple of the pane */
    int64_t buffer_ms;           /* buckets that end behind T less this are always stale */
    int64_t block_offsets;       /* of the sidecar; 0: TIMES_OFFSETS */
    size_t memory_bytes;         /* that cells and ids may take */
    const struct folder *folder;
    const char *columnar; /* DIR of the archive: fold its columnar files; NULL: do not */
    atomic_bool *failed;  /* another thread's work has: leave off */
    /* Filled by partition_fold. */
    struct generation_head head;
    struct manifest_file file;
    int64_t events, bytes; /* read, over all passes */
    size_t cells_max;      /* at once in memory */
    int runs, passes;
    int64_t stale_buckets;     /* -1: every one */
    int64_t segments_columnar; /* folded from columns, over all passes */
    int64_t rows_copied;       /* rows of the base that nothing was merged with */
};

/* Make the partition's file of the folder's id. ERR_INTERRUPTED also where another has failed. */
int partition_fold(struct partition_work *work, struct err *err);

#endif
