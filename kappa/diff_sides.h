/* kappa/diff_sides.h - two versions as they stand, read window by window: a diff holds one window's rows of
 * each, however many a view has.
 *
 * A window that is final where the sides stood at the beginning cannot change any more, so it does not
 * matter that windows are read one after the other. For diff.c alone. Open value; one thread. */
#ifndef LK_KAPPA_DIFF_SIDES_H
#define LK_KAPPA_DIFF_SIDES_H

#include "common/store/read.h"

struct sides {
    const struct plan *plans[2]; /* set by the caller, with numbers: live, target */
    int numbers[2];
    struct view_reader *reader;
    struct answer stand[2]; /* positions alone, as at sides_open */
    int64_t T_ms[2];        /* the smallest of a partition that has events */
    int64_t *windows;       /* of both, rising; one entry where the plan has none */
    size_t count;
};

int sides_open(struct sides *sides, struct kv *kv, struct err *err);
/* The rows of window i of each side (release them): 1 to compare, 0 it may still change or lies below a
 * floor, or a code. */
int sides_read(const struct sides *sides, size_t i, struct answer rows[2], struct err *err);
void sides_close(struct sides *sides);

#endif
