/* lambda/rollback.h - the generation before the one published last serves again.
 *
 * For a batch that published something wrong. What is rolled back is the newest generation that any
 * partition of the view serves or served; each partition that serves it goes back to what pos calls its
 * previous one, in one EXEC under WATCH pos (model: `undo` in tests/model/handover.pml). Partitions that
 * never served it stay as they are. That it was rolled back is noted beside its files first, so that it
 * neither comes back nor is built upon when Redis has forgotten it. Cells of the withdrawn generation are litter from then on, which
 * the next batch sweeps. One thread. */
#ifndef LK_LAMBDA_ROLLBACK_H
#define LK_LAMBDA_ROLLBACK_H

#include "common/plan/plan.h"
#include "common/store/kv.h"
#include "lambda/folder.h"

enum rollback_state {
    ROLLBACK_APART, /* does not serve it, and did not */
    ROLLBACK_DONE,  /* by this call */
    ROLLBACK_BEFORE /* by one that was cut off */
};

struct rollback_part {
    enum rollback_state state;
    int64_t number, boundary; /* what serves now; 0: nothing */
};

struct rollback_result {
    int64_t withdrawn; /* number of the generation that was rolled back */
    bool noted;        /* false: its files have gone, so there is nothing to note */
    int partitions;
    struct rollback_part *parts; /* owned: rollback_release */
};

/* folder: where the view's generations stand. All partitions or, where one of them cannot, none: ERR_USAGE
 * says which and why, also where the folder is another archive's. ERR_AWAY: some may be
 * done; the same call again finishes, as it does after a kill. ERR_CHECK: a batch published meanwhile. */
int rollback_run(struct kv *kv, const struct plan *plan, struct folder *folder,
                 struct rollback_result *result, struct err *err);
void rollback_release(struct rollback_result *result);

#endif
