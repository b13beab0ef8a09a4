/* bench/straight.h - the straight-line program of the COST question (McSherry et al., HotOS 2015): what one
 * thread does that has only this one query to answer.
 *
 * Reads a log of ads events, finds three fields by searching for their keys (which trusts that a key
 * never stands inside a value), keeps views, looks the campaign up, counts per (campaign, 10 s). */
#ifndef LK_BENCH_STRAIGHT_H
#define LK_BENCH_STRAIGHT_H

#include "common/base/map.h"
#include "common/log/log.h"
#include "common/store/kv.h"
#include "common/store/registry.h"

struct straight {
    struct map campaigns; /* ad id -> campaign id (struct bytes) */
    struct map counts;    /* campaign id and window -> int64 */
    int64_t events, views, bytes;
    struct arena arena;
};

/* Read the campaigns table (JSON lines that `lk gen ads --tables` writes). */
int straight_init(struct straight *straight, const char *table, struct err *err);
/* Count one event. */
void straight_add(struct straight *straight, struct bytes value);
/* Read all partitions to their ends and count. */
int straight_count(struct straight *straight, struct log *log, const char *topic, struct err *err);
bool straight_equal(const struct straight *a, const struct straight *b);
/* ERR_CHECK unless every row of the view of an architecture is a count of the straight-line program, and there are no
 * others. */
int straight_check_view(const struct straight *straight, struct kv *kv, enum arch arch,
                        const char *view, struct err *err);
void straight_release(struct straight *straight);

#endif
