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

/* The child of node that key means (key without quotes), or NULL. */
const struct node *node_find_escaped(const struct node *node, struct bytes key);

/* The tree of all paths of schema, in arena; target[field][path] is the number of its target.
 * Returns the root; *count is how many targets there are. */
const struct node *tree_build(const struct schema *schema, struct arena *arena,
                              int (*target)[1 + FIELD_ALIAS_MAX], int *count);

#endif
