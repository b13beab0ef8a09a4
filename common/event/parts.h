/* common/event/parts.h - what the files of the scanner share.
 *
 * Internal to common/event. The wanted paths form a tree of names; a node where a path ends has a
 * target, an index into an array of raw values that one walk over the text fills. Targets are
 * numbered depth first, so that those below a node are a range. */
#ifndef LK_EVENT_PARTS_H
#define LK_EVENT_PARTS_H

#include "common/event/scan.h"

struct node {
    struct bytes name;
    int target; /* -1: no path ends here */
    int first_target, end_target;
    struct node *child, *next; /* first child; next of the same parent */
};

/* An open object or array of the walk. */
struct level {
    const char *begin;
    const struct node *node; /* NULL: nothing wanted inside */
    bool object;
};

/* What a walk needs and leaves behind. */
struct walk {
    const struct node *root;
    struct raw_value *targets; /* RAW_ABSENT when the walk begins */
    struct level *levels;      /* SCAN_DEPTH_MAX + 1 of them */
    const char *wrong;         /* the first wrong byte of BAD_JSON */
};

typedef enum bad_reason walk_function(struct walk *walk, struct bytes value);
walk_function walk_plain, walk_mask;
bool walk_mask_works(void); /* has this machine AVX2? */

enum { SHAPE_SLOTS_MAX = 128, SHAPE_GAP_BYTES = 4096, SHAPE_GAP_STEP = 32 };

/* One scalar of an event, and what stands between it and the one before. */
struct slot {
    uint16_t gap, gap_len; /* in shape->gaps */
    bool string;           /* the gaps hold its quotes */
    int16_t target;        /* -1: nobody wants it */
};

/* A valid event without its scalars. Whoever finds the same gaps with valid scalars of the same
 * sort between them (string or not) has found a valid event of the same keys. */
struct shape {
    bool known;
    int misses, pause;
    int slots; /* slot[slots] is the gap at the end */
    struct slot slot[SHAPE_SLOTS_MAX + 1];
    char gaps[SHAPE_GAP_BYTES + SHAPE_GAP_STEP]; /* a step may be read from the begin of any gap */
};

/* Fill the targets of walk by shape; false (targets half filled) if value is not of that shape. */
typedef bool match_function(struct walk *walk, const struct shape *shape, struct bytes value);
match_function match_plain, match_mask;

/* Is it worth trying the shape on the next event? */
bool shape_try(struct shape *shape);
void shape_hit(struct shape *shape);
/* A valid event that was not of the shape: learn its own from what the walk left, or rest a while.
 */
void shape_miss(struct shape *shape, const struct walk *walk, int targets, struct bytes value);

/* The child of node that key means (key without quotes), or NULL. */
const struct node *node_find_escaped(const struct node *node, struct bytes key);

/* The tree of all paths of schema, in arena; target[field][path] is the number of its target.
 * Returns the root; *count is how many targets there are. */
const struct node *tree_build(const struct schema *schema, struct arena *arena,
                              int (*target)[1 + FIELD_ALIAS_MAX], int *count);

#endif
