/* common/store/read_lane.h - one partition under a read: what it asks in the coming round trip, and what
 * it makes of the answers.
 *
 * pos, cells, pos: the first pos says which parts answer. Which ones these will be is guessed from the
 * pos read last, so that all three go out together; where the guess was wrong, the cells that the
 * first pos names are asked for in the next trip. A guess decides what is fetched, never what is believed.
 * For read.c alone. Open value; lane_release ends it. One thread. */
#ifndef LK_STORE_READ_LANE_H
#define LK_STORE_READ_LANE_H

#include "common/base/map.h"
#include "common/store/read.h"
#include "common/store/read_rules.h"

/* A read under way. */
struct reading {
    struct kv *kv;
    const struct view_query *query;
    struct read_rules rules;
    const char *view;
    char version[16];
    const char *hash;  /* of the version's plan, by which cells are decoded */
    struct map merged; /* (window, key) -> slots */
    struct answer *out;
    int queued;   /* commands of the coming trip */
    bool retired; /* a tombstone was met, or another plan's pos: the registry says more by now */
    bool pause;   /* a partition has moved more than once: wait a little before the next trip */
};

enum lane_step {
    LANE_POS, /* asks pos, and for the parts that it guesses their cells and pos again, or their index */
    LANE_INDEX, /* asks the index of the parts that pos names */
    LANE_CELLS, /* asks the cells, and pos again */
    LANE_DONE
};

/* One key of cells: a field of a part. */
struct lane_source {
    const struct read_part *part;
    const char *field;
    struct cell_field cell;
};

struct lane {
    int partition;
    struct pos seen; /* the pos read last, of any read: the guess; zeroed: none yet */
    enum lane_step step;
    int tries;
    bool asked;         /* the coming answers are for this lane, */
    int at;             /* from this one on */
    struct pos before;  /* the first pos of this attempt */
    struct arena arena; /* of this attempt */
    struct read_part *parts;
    int part_count;
    struct lane_source *sources;
    int source_count, source_capacity;
};

void lane_renew(struct lane *lane); /* a new read; what was seen stays */
int lane_queue(struct lane *lane, struct reading *r, struct err *err);
/* replies: the answers to what lane_queue asked. 0 (see step), or a code. */
int lane_take(struct lane *lane, struct reading *r, const struct kv_reply *replies,
              struct err *err);
void lane_release(struct lane *lane);

#endif
