/* lambda/columnar_dense.c - the dense table: events add to places, touched places are merged into cells.
 *
 * Panes are found by a small hash table without chains. One whose place there was taken by another gets a second
 * row, which the merge makes good. A pane of the event before is not looked up again. */
#include "lambda/columnar_dense.h"

#include <stdlib.h>

#include "common/op/aggregate.h"

enum {
    WIDTH_MIN = 64,
    DENSE_BYTES = 512 * 1024, /* what the table takes where groups are few */
};
#define ROW_NONE UINT32_MAX

void dense_init(struct dense *d, const struct plan *plan, bool counts_only)
{
    *d = (struct dense){.plan = plan, .counts_only = counts_only};
    map_init(&d->groups, sizeof(uint32_t));
}

void dense_release(struct dense *d)
{
    map_release(&d->groups);
    free(d->count);
    free(d->slots);
    free(d->touched);
}

size_t dense_place_bytes(const struct dense *d)
{
    return sizeof *d->count + sizeof *d->touched +
           (d->counts_only ? 0 : (size_t)d->plan->slots * sizeof *d->slots);
}

static void make_table(struct dense *d, uint32_t width)
{
    size_t rows = DENSE_BYTES / dense_place_bytes(d) / width;
    d->width = width;
    d->rows_max = rows < 1 ? 1 : rows > DENSE_ROWS_MAX ? DENSE_ROWS_MAX : (uint32_t)rows;
    size_t places = (size_t)d->rows_max * width;
    free(d->count);
    d->count = mem_zero(places, sizeof *d->count);
    d->touched = mem_grow(d->touched, places * sizeof *d->touched);
    if (!d->counts_only)
        d->slots = mem_grow(d->slots, places * (size_t)d->plan->slots * sizeof *d->slots);
}

static void forget_panes(struct dense *d)
{
    d->rows = 0;
    for (int i = 0; i < DENSE_PANES; i++)
        d->panes[i].row = ROW_NONE;
}

void dense_flush(struct dense *d, struct fold *fold)
{
    const struct plan *plan = d->plan;
    for (size_t i = 0; i < d->touched_count; i++) {
        uint32_t place = d->touched[i];
        struct bytes key;
        bool fresh;
        map_at(&d->groups, place % d->width, &key);
        struct cell *cell =
            cells_at(&fold->cells, fold->part, d->pane[place / d->width], key, &fresh);
        for (int v = 0; d->counts_only && v < plan->value_count; v++)
            cell->slots[plan->values[v].slot] += d->count[place];
        if (!d->counts_only)
            aggregate_merge(plan, cell->slots, d->slots + (size_t)place * (size_t)plan->slots);
        d->count[place] = 0;
    }
    d->touched_count = 0;
    forget_panes(d);
}

/* The row of an event's pane, made if it is not there; ROW_NONE: no window takes it. */
static uint32_t find_row(struct dense *d, struct fold *fold, int64_t time_ms)
{
    const struct plan *plan = d->plan;
    int64_t step = plan->window == WINDOW_NONE ? 1 : plan->pane_ms;
    int64_t number = plan->window == WINDOW_NONE ? 0 : time_ms / step - (time_ms % step < 0);
    size_t at = (uint64_t)number % DENSE_PANES;
    if (d->panes[at].row != ROW_NONE && d->panes[at].number == number)
        return d->panes[at].row;
    struct cell_field field;
    if (!window_assign(plan, &fold->rules, time_ms, fold->T_ms, &field))
        return ROW_NONE;
    if (d->rows == d->rows_max)
        dense_flush(d, fold);
    d->pane[d->rows] = field;
    d->panes[at].number = number;
    d->panes[at].row = d->rows;
    return d->rows++;
}

void dense_begin(struct dense *d)
{
    if (!d->count)
        make_table(d, WIDTH_MIN);
    forget_panes(d);
}

uint32_t dense_group(struct dense *d, struct fold *fold, struct bytes key)
{
    bool fresh;
    uint32_t *group = map_put(&d->groups, key, &fresh);
    if (fresh)
        *group = (uint32_t)d->groups.count - 1;
    if (*group >= d->width) {
        dense_flush(d, fold);
        make_table(d, d->width * 2);
    }
    return *group;
}

static inline void touch(struct dense *d, uint32_t place)
{
    if (d->count[place]++ > 0)
        return;
    d->touched[d->touched_count++] = place;
    if (!d->counts_only)
        aggregate_zero(d->plan, d->slots + (size_t)place * (size_t)d->plan->slots);
}

void dense_add(struct dense *d, struct fold *fold, const struct columns *block,
               const int64_t *time_ms, const uint16_t *sel, const uint32_t *groups, int n,
               const uint8_t *const *takes)
{
    const struct plan *plan = d->plan;
    int64_t begin_ms = 0; /* of the pane of the event before, and its length; 0: none */
    uint64_t length_ms = 0;
    uint32_t first = 0;
    for (int i = 0; i < n; i++) {
        int64_t time = time_ms[sel[i]];
        if ((uint64_t)time - (uint64_t)begin_ms >= length_ms) {
            uint32_t row = find_row(d, fold, time);
            if (row == ROW_NONE) {
                fold->counters.late++;
                continue;
            }
            begin_ms = plan->window == WINDOW_NONE ? INT64_MIN : d->pane[row].pane_ms;
            length_ms = plan->window == WINDOW_NONE ? UINT64_MAX : (uint64_t)plan->pane_ms;
            first = row * d->width;
        }
        uint32_t place = first + groups[i];
        touch(d, place);
        if (!d->counts_only)
            aggregate_add_taken(plan, d->slots + (size_t)place * (size_t)plan->slots, block, sel[i],
                                takes);
        fold->counters.folded++;
    }
}
