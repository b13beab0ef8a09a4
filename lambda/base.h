/* lambda/base.h - the generation that an incremental or a by-time batch builds upon: which one it
 * is, whether it may be, and its rows as one more input of a merge.
 *
 * What makes a generation a base: the same plan (its hash), as many partitions, whole files, and
 * boundaries at or below the new ones. The reader of a partition's file is opaque in here; one
 * thread each. */
#ifndef LK_LAMBDA_BASE_H
#define LK_LAMBDA_BASE_H

#include "common/plan/plan.h"
#include "lambda/folder.h"
#include "lambda/generation.h"
#include "lambda/runs.h"

/* ERR_USAGE, with the reason, where batches of this kind cannot compute this plan. */
int base_kind_fits(enum batch_kind kind, const struct plan *plan, struct err *err);

struct base_wanted {
    const struct plan *plan;
    /* or the beginning of one; NULL: the newest of this plan that fits, and neither was rolled
       back nor builds upon such a one */
    const char *id;
    int partitions;
    const int64_t *boundaries; /* of the new generation; NULL: any will do */
};
/* 1 and *out (manifest_release), 0 where there is none and none was named, or a code: ERR_USAGE for
 * a named one that cannot be a base, ERR_DATA for a manifest that cannot be read. */
int base_find(struct folder *folder, const struct base_wanted *wanted, struct manifest *out,
              struct err *err);

/* One partition's file of a base, being read. Zero it to start, base_close to end. */
struct base {
    const struct plan *plan;
    struct generation_reader *reader;
    struct generation_head head;
    struct generation_row row; /* the first bad event, where bad says so */
    bool bad;
};

/* Check the file, and stand before its first row. ERR_DATA: damaged, or another's. */
int base_open(const struct folder *folder, const struct manifest *manifest, const struct plan *plan,
              int partition, struct base *out, struct err *err);
/* Its cells: 1 and a row (as text: slots NULL), 0 behind the last one. */
int base_next(struct base *base, struct runs_row *row, struct err *err);
/* Then its bad events: 1 and a row, 0 at the end. */
int base_next_bad(struct base *base, struct generation_row *row, struct err *err);
void base_close(struct base *base);

#endif
