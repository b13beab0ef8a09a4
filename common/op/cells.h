/* common/op/cells.h - the keyed table of partials that a fold writes into.
 *
 * Cells stand in chunks, in order of arrival, each with its int128 slots inline; an open-addressing
 * index leads from (part, field, key) to them. The key is raw: the bytes cells_key makes from a row's
 * key columns; cells_key_json turns it into the JSON array by which it is known outside (["ORD",7]).
 * Open value; one thread.
 * Pointers to cells are good until the next cells_evict or cells_clear. */
#ifndef LK_OP_CELLS_H
#define LK_OP_CELLS_H

#include "common/base/arena.h"
#include "common/event/columns.h"
#include "common/op/window.h"

enum cell_state {
    CELL_UNREAD = 1, /* slots hold a change only; the store's value is still to be merged in */
    CELL_DIRTY = 2,  /* changed since it was last sent */
};

struct cell {
    uint32_t hash, index; /* index: of the cell in order of arrival */
    uint64_t part;        /* span start, or 0 */
    struct cell_field field;
    struct bytes key; /* raw; owned by the table */
    uint32_t state;   /* bits of enum cell_state, kept by the store's side */
    uint32_t sent;    /* number of the commit that last took it along; 0 none */
    _Alignas(16) int128 slots[];
};

enum { CELLS_CHUNK = 256 };

struct cells {
    const struct plan *plan;
    char **chunk; /* of CELLS_CHUNK cells of stride bytes */
    size_t stride, count, chunks;
    struct cell_entry *entries; /* the index: capacity of them, a power of two */
    size_t capacity;
    struct arena keys;
    size_t key_bytes_dead; /* of evicted cells, still in keys */
    uint32_t *changed;     /* indexes of the cells with CELL_DIRTY, each once */
    size_t changed_count, changed_capacity;
};

void cells_init(struct cells *cells, const struct plan *plan);
/* Raw key of a row: for each key column a tag and the value. Appends to out (cleared first). */
void cells_key(const struct plan *plan, const struct columns *columns, int row, struct buf *out);
void cells_key_json(const struct plan *plan, struct bytes raw, struct buf *out);
/* Find or make (slots zero, state 0, *fresh true). key is copied if the cell is new. */
struct cell *cells_at(struct cells *cells, uint64_t part, struct cell_field field, struct bytes key,
                      bool *fresh);
/* Set CELL_DIRTY and list the cell in changed, if it is not there yet. */
void cells_change(struct cells *cells, struct cell *cell);
/* Changed cell i of 0 .. changed_count - 1. */
struct cell *cells_changed_at(const struct cells *cells, size_t i);
/* Empty the list; the caller has taken CELL_DIRTY off every cell in it. */
void cells_changed_clear(struct cells *cells);
/* Walk in order of arrival: cell *i, moving *i on; NULL at the end. Begin with 0. */
struct cell *cells_next(const struct cells *cells, size_t *i);
/* Drop every cell for which drop(cell, context) is true; returns how many. */
size_t cells_evict(struct cells *cells, bool (*drop)(const struct cell *, void *), void *context);
size_t cells_bytes(const struct cells *cells); /* memory held */
/* of it, by the changed cells: their share by number */
size_t cells_changed_bytes(const struct cells *cells);
void cells_clear(struct cells *cells); /* memory given back */
void cells_release(struct cells *cells);

#endif
