/* common/store/answer.h - a view's finished values at one vector of positions.
 *
 * What a logical read returns, what an oracle computes, what `verify` compares. Open value: zero it
 * to start, answer_release to end; everything in it is owned by its arena. One thread. */
#ifndef LK_STORE_ANSWER_H
#define LK_STORE_ANSWER_H

#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/op/counters.h"
#include "common/store/handover.h"

/* One row. Canonical text, so that equal means byte-equal:
 * {"window":<window>,"key":<key>,<values>} is the printed row. */
struct answer_row {
    int64_t window_ms;
    struct bytes key;    /* ["ORD"], [] without key; null for an absent value */
    struct bytes values; /* "flights":12,"mean_delay":3.5 */
};

/* What one partition contributed. */
struct answer_part {
    bool read;    /* false: the query did not need this partition */
    int64_t next; /* V: the answer holds exactly what lies below it */
    /* For an oracle: of a version that does not begin at the log's beginning (begins) nothing below
     * from was folded, and no window that begins below from_floor_ms is served. */
    bool begins;
    int64_t from, from_floor_ms;
    int64_t boundary;    /* batch covers [0, boundary); 0 for kappa */
    char generation[33]; /* "" for none */
    bool speed; /* lambda: what the speed layer adds is by its own rules (the plan's "speed") */
    /* Lambda: what the speed layer adds, the offsets [spans_from, spans_to), whatever the batch covers
     * (handover.h); by event time only to windows from bound_ms on, the batch's below it. */
    int64_t spans_from, spans_to;
    int64_t bound_ms;         /* INT64_MIN: none */
    int64_t T_ms;             /* INT64_MIN: no event yet */
    int64_t floor_ms;         /* WINDOW_FLOOR_NONE: none */
    struct counters counters; /* of the job that commits here: all events below next */
};

struct answer {
    struct arena arena;
    struct answer_row *rows; /* after answer_sort: by (window, key) */
    size_t count, capacity;
    struct answer_part *parts;
    int partitions;
    bool exact;  /* every part was read at one position; else each holds at least its next */
    int version; /* of the view; 0 from an oracle */
    enum handover handover; /* lambda: the mode that it was read by */
    int tries;              /* how often a part was read again because it moved */
};

void answer_init(struct answer *answer, int partitions);
/* key and values are copied. */
void answer_add(struct answer *answer, int64_t window_ms, struct bytes key, struct bytes values);
void answer_sort(struct answer *answer);
/* The largest floor of the parts read; rows of windows below it are not served. */
int64_t answer_floor(const struct answer *answer);
/* Sum mod 2^128 of XXH3-128 of each row's printed text; 32 hexadecimal digits and a NUL. */
void answer_digest(const struct answer *answer, char out[33]);
void answer_row_json(const struct answer_row *row, struct buf *out); /* no newline */
/* Walk both sorted answers and call differ for each row that is not in both (NULL where absent) with
 * equal values. Returns how many. */
size_t answer_diff(const struct answer *a, const struct answer *b,
                   void (*differ)(const struct answer_row *a, const struct answer_row *b,
                                  void *context),
                   void *context);
void answer_release(struct answer *answer);

#endif
