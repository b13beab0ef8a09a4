/* bench/exact.h - what a view of tumbling windows must say of one cell at any positions: a binary search.
 *
 * For events that a workload makes in a known order (number -> partition, offset), under a plan to which
 * none is late and none a duplicate: then an answer is a sum over the offsets below its positions,
 * and all sums are known beforehand. Shares nothing with the operators; reads an event's fields by
 * searching for their names. Opaque, owns its memory; any thread once it is made. */
#ifndef LK_BENCH_EXACT_H
#define LK_BENCH_EXACT_H

#include "common/base/bytes.h"
#include "workloads/workload.h"

/* What the view makes of one event. */
struct exact_event {
    bool counts;      /* the view's `where` lets it in */
    struct bytes key; /* JSON array text, ["ORD"]; borrowed until the next call */
    bool marked;      /* a value's own `where` lets it in, too */
    int64_t value;    /* what is summed, and of which the largest is kept */
};

/* How a view reads its events; context is the reader's own. */
struct exact_rule {
    void (*read)(void *context, const struct workload_event *event, struct exact_event *out);
    void *context;
    int64_t window_ms;
};

/* Text of the member name of a flat JSON object, without its quotes; name: "\"origin\":". */
struct bytes exact_field(struct bytes value, const char *name);

struct exact;

/* All events of the workload, as `lk gen` appends them to a topic of so many partitions. disorder (NULL: none)
 * may hold events back: their offsets are then later, their windows the same. */
int exact_make(const struct workload *workload, const struct workload_options *options,
               const struct disorder_options *disorder, const struct exact_rule *rule,
               int partitions, struct exact **out, struct err *err);
void exact_free(struct exact *exact);

struct exact_cell {
    const char *key; /* JSON text, borrowed from exact */
    int64_t window_ms;
};
/* How many events a partition gets in all. */
int64_t exact_end(const struct exact *exact, int partition);
int exact_cells(const struct exact *exact);
struct exact_cell exact_cell(const struct exact *exact, int cell);
/* The cell that the event at this offset goes to, or -1: to none. */
int exact_cell_of(const struct exact *exact, int partition, int64_t offset);

/* T there: the largest event time below this offset of the partition, counted or not; INT64_MIN: none. */
int64_t exact_time(const struct exact *exact, int partition, int64_t next);

/* Of a cell's events below next[p] in each partition p. */
struct exact_sum {
    int64_t count, marked, sum;
    int64_t max; /* INT64_MIN: none */
};
struct exact_sum exact_at(const struct exact *exact, int cell, const int64_t *next);

#endif
