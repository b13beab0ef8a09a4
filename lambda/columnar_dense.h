/* lambda/columnar_dense.h - the dense table of a fold by codes: a row a pane and a place a group, which is
 * a number for a raw key. It fits into the second-level cache; what was touched of it is merged into the fold's
 * cells by dense_flush, or when the rows are used up. An open value; one thread. */
#ifndef LK_LAMBDA_COLUMNAR_DENSE_H
#define LK_LAMBDA_COLUMNAR_DENSE_H

#include "common/base/map.h"
#include "common/run/fold.h"

enum {
    DENSE_ROWS_MAX = 256,
    DENSE_PANES = 512, /* places of the hash table of panes */
    DENSE_BYTES_MAX = 8 * 1024 * 1024,
};

struct dense {
    const struct plan *plan;
    bool counts_only;               /* a place is its count alone: it has no slots */
    struct map groups;              /* raw key -> group */
    uint32_t width, rows_max, rows; /* groups a row; rows */
    uint32_t *count;                /* events of a place; NULL: there is no table yet */
    int128 *slots;
    struct cell_field pane[DENSE_ROWS_MAX];
    uint32_t *touched; /* places */
    size_t touched_count;
    struct {
        int64_t number;
        uint32_t row;
    } panes[DENSE_PANES];
};

void dense_init(struct dense *d, const struct plan *plan, bool counts_only);
void dense_release(struct dense *d); /* accepts a zeroed one */
size_t dense_place_bytes(const struct dense *d);
/* A file begins: there is a table, and no row has a pane. */
void dense_begin(struct dense *d);
/* The group of a raw key, made if it is not there; a table that is too narrow is flushed and made wider. */
uint32_t dense_group(struct dense *d, struct fold *fold, struct bytes key);
/* Each selected event into the place of its pane and its group (groups[i] is that of sel[i]); those that no
 * window takes are counted late, the others folded. takes: of each value, which rows of block it takes; NULL: all. */
void dense_add(struct dense *d, struct fold *fold, const struct columns *block,
               const int64_t *time_ms, const uint16_t *sel, const uint32_t *groups, int n,
               const uint8_t *const *takes);
/* Merge what was touched into the cells, and forget it. */
void dense_flush(struct dense *d, struct fold *fold);

#endif
