/* lambda/columnar_fold.c - a fold that looks at codes, not at texts.
 *
 *   what          is covered                                and asked
 *   where         everything; a string held against         once an entry of the dictionary,
 *                 constants by codes                        else once an event
 *   look-up       on a string                               once an entry
 *   key           strings, of the event or of the table     once a combination of codes
 *   window        everything, lateness off                  once a pane in a row of events
 *   values        everything; counts without `where` alone  an event
 *                 are quicker
 *   max_ahead     not covered, nor dedupe                   (the operators of every fold do those)
 *
 * A combination of codes is a group: a number for its raw key. Events add to a dense table, a row a
 * pane and a place a group, which fits into the second-level cache; what was touched of it is merged
 * into the cells at the end of each file, or when the rows are used up. A pane whose place in the small
 * hash table was taken by another gets a second row, which the merge makes good.
 *   block of 4,096 events -> mask (where) -> groups -> panes -> dense table */
#include "lambda/columnar_fold.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/fault.h"
#include "common/base/map.h"
#include "common/op/aggregate.h"
#include "common/op/filter.h"

enum {
    BLOCK = COLUMNS_ROWS_MAX,
    LEAVES_MAX = 64,
    DEPTH_MAX = 32,
    COMBINATIONS_MAX = 1 << 16,
    WIDTH_MIN = 64,
    ROWS_MAX = 256,
    PANES = 512,              /* places of the hash table */
    DENSE_BYTES = 512 * 1024, /* what the table takes where groups are few */
    DENSE_BYTES_MAX = 8 * 1024 * 1024,
};
#define GROUP_UNKNOWN UINT32_MAX
#define GROUP_NONE (UINT32_MAX - 1)
#define ROW_NONE UINT32_MAX

/* A comparison of a string with constants: its answer an entry, the absent one last. */
struct leaf {
    const struct where *where;
    uint8_t *takes;
};

struct columnar_fold {
    const struct plan *plan;
    struct leaf leaves[LEAVES_MAX];
    int leaf_count;
    bool needed[SCHEMA_FIELDS_MAX];        /* as columns, by operators */
    struct columns *entries, *block;       /* of a dictionary; of the events in hand */
    uint8_t masks[DEPTH_MAX + 1][BLOCK];   /* of conditions within conditions */
    uint8_t *value_masks[PLAN_VALUES_MAX]; /* NULL: the value has no `where` */
    bool counts_only;
    /* Combinations of codes. */
    int field[PLAN_KEYS_MAX + 1], fields; /* whose codes make them */
    uint32_t stride[PLAN_KEYS_MAX + 1];
    uint32_t *group_of;                   /* by combination */
    uint64_t known[SCHEMA_FIELDS_MAX][2]; /* the dictionary that a field had in the file before */
    struct map groups;                    /* raw key -> group */
    /* The dense table. */
    uint32_t width, rows_max, rows; /* groups a row; rows */
    uint32_t *count;                /* events of a place */
    int128 *slots;
    struct cell_field pane[ROWS_MAX];
    uint32_t *touched; /* places */
    size_t touched_count;
    struct {
        int64_t number;
        uint32_t row;
    } panes[PANES];
};

/* ---- columns ---- */

void columnar_fill_column(const struct columnar_column *from_column, int from, int n,
                          struct column *column)
{
    if (from_column->kind == COLUMNAR_STRINGS) {
        for (int i = 0; i < n; i++) {
            uint32_t code = from_column->codes[from + i];
            column->present[i] = code != from_column->entry_count;
            column->str[i] =
                column->present[i] ? from_column->entries[code] : (struct bytes){NULL, 0};
        }
        return;
    }
    memcpy(column->i64, from_column->numbers + from, (size_t)n * sizeof *column->i64);
    for (int i = 0; i < n; i++)
        column->present[i] =
            !from_column->present || from_column->present[(from + i) / 8] >> (from + i) % 8 & 1;
}

/* ---- which plans ---- */

static bool is_string(const struct plan *plan, int field)
{
    return plan->schema.fields[field].type == FIELD_STRING;
}

/* Take a condition's comparisons in: false if there are too many, or too deep. */
static bool take_where(struct columnar_fold *f, const struct where *where, int depth)
{
    if (!where)
        return true;
    if (depth == DEPTH_MAX)
        return false;
    if (where->kind != WHERE_COMPARE) {
        for (int i = 0; i < (where->kind == WHERE_NOT ? 1 : where->children); i++)
            if (!take_where(f, &where->child[i], depth + 1))
                return false;
        return true;
    }
    if (is_string(f->plan, where->field) && where->other_field < 0) {
        if (f->leaf_count == LEAVES_MAX)
            return false;
        f->leaves[f->leaf_count++].where = where;
        return true;
    }
    f->needed[where->field] = true;
    if (where->other_field >= 0)
        f->needed[where->other_field] = true;
    return true;
}

/* The codes of field are part of a combination. */
static void take_field(struct columnar_fold *f, int field)
{
    for (int i = 0; i < f->fields; i++)
        if (f->field[i] == field)
            return;
    f->field[f->fields++] = field;
}

static bool take_key(struct columnar_fold *f)
{
    const struct plan *plan = f->plan;
    if (plan->table) {
        if (!is_string(plan, plan->lookup_on))
            return false;
        take_field(f, plan->lookup_on);
    }
    for (int i = 0; i < plan->keys; i++) {
        if (!is_string(plan, plan->key[i]))
            return false;
        if (plan->key[i] < plan->schema.scanned)
            take_field(f, plan->key[i]);
    }
    return true;
}

static bool take_values(struct columnar_fold *f)
{
    const struct plan *plan = f->plan;
    f->counts_only = true;
    for (int i = 0; i < plan->value_count; i++) {
        const struct value *value = &plan->values[i];
        if (value->kind != AGG_COUNT || value->where)
            f->counts_only = false;
        if (value->kind != AGG_COUNT)
            f->needed[value->field] = true;
        if (value->where)
            f->value_masks[i] = mem_alloc(BLOCK);
        if (!take_where(f, value->where, 0))
            return false;
    }
    for (int i = plan->schema.scanned; i < plan->schema.count; i++)
        if (f->needed[i])
            return false; /* aggregates over what the look-up gave */
    return true;
}

struct columnar_fold *columnar_fold_new(const struct plan *plan)
{
    struct columnar_fold *f = mem_zero(1, sizeof *f);
    f->plan = plan;
    const struct plan *speed = plan_of_speed(plan); /* T is by its rules */
    bool covered = plan->dedupe_by < 0 && plan->max_ahead_ms == PLAN_UNLIMITED &&
                   speed->max_ahead_ms == PLAN_UNLIMITED && !speed->schema.fields[0].shift_ms &&
                   take_key(f) && take_where(f, plan->where, 0) && take_values(f);
    for (int i = 0; i < f->leaf_count && covered; i++)
        covered = f->leaves[i].where->field < plan->schema.scanned;
    map_init(&f->groups, sizeof(uint32_t));
    f->entries = columns_new(&plan->schema);
    f->block = columns_new(&plan->schema);
    if (covered)
        return f;
    columnar_fold_free(f);
    return NULL;
}

void columnar_fold_free(struct columnar_fold *f)
{
    if (!f)
        return;
    for (int i = 0; i < f->leaf_count; i++)
        free(f->leaves[i].takes);
    for (int i = 0; i < PLAN_VALUES_MAX; i++)
        free(f->value_masks[i]);
    columns_free(f->entries);
    columns_free(f->block);
    map_release(&f->groups);
    free(f->group_of);
    free(f->count);
    free(f->slots);
    free(f->touched);
    free(f);
}

/* ---- the dense table ---- */

static size_t place_bytes(const struct columnar_fold *f)
{
    return sizeof *f->count + sizeof *f->touched +
           (f->counts_only ? 0 : (size_t)f->plan->slots * sizeof *f->slots);
}

static void make_table(struct columnar_fold *f, uint32_t width)
{
    size_t rows = DENSE_BYTES / place_bytes(f) / width;
    f->width = width;
    f->rows_max = rows < 1 ? 1 : rows > ROWS_MAX ? ROWS_MAX : (uint32_t)rows;
    size_t places = (size_t)f->rows_max * width;
    free(f->count);
    f->count = mem_zero(places, sizeof *f->count);
    f->touched = mem_grow(f->touched, places * sizeof *f->touched);
    if (!f->counts_only)
        f->slots = mem_grow(f->slots, places * (size_t)f->plan->slots * sizeof *f->slots);
}

static void forget_panes(struct columnar_fold *f)
{
    f->rows = 0;
    for (int i = 0; i < PANES; i++)
        f->panes[i].row = ROW_NONE;
}

/* Merge what was touched into the cells, and forget it. */
static void flush(struct columnar_fold *f, struct fold *fold)
{
    const struct plan *plan = f->plan;
    for (size_t i = 0; i < f->touched_count; i++) {
        uint32_t place = f->touched[i];
        struct bytes key;
        bool fresh;
        map_at(&f->groups, place % f->width, &key);
        struct cell *cell =
            cells_at(&fold->cells, fold->part, f->pane[place / f->width], key, &fresh);
        for (int v = 0; f->counts_only && v < plan->value_count; v++)
            cell->slots[plan->values[v].slot] += f->count[place];
        if (!f->counts_only)
            aggregate_merge(plan, cell->slots, f->slots + (size_t)place * (size_t)plan->slots);
        f->count[place] = 0;
    }
    f->touched_count = 0;
    forget_panes(f);
}

/* The row of an event's pane, made if it is not there; ROW_NONE: no window takes it. */
static uint32_t find_row(struct columnar_fold *f, struct fold *fold, int64_t time_ms)
{
    const struct plan *plan = f->plan;
    int64_t step = plan->window == WINDOW_NONE ? 1 : plan->pane_ms;
    int64_t number = plan->window == WINDOW_NONE ? 0 : time_ms / step - (time_ms % step < 0);
    size_t at = (uint64_t)number % PANES;
    if (f->panes[at].row != ROW_NONE && f->panes[at].number == number)
        return f->panes[at].row;
    struct cell_field field;
    if (!window_assign(plan, &fold->rules, time_ms, fold->T_ms, &field))
        return ROW_NONE;
    if (f->rows == f->rows_max)
        flush(f, fold);
    f->pane[f->rows] = field;
    f->panes[at].number = number;
    f->panes[at].row = f->rows;
    return f->rows++;
}

/* ---- groups ---- */

/* Ask the look-up and build the key of a combination, once a file. */
static uint32_t resolve(struct columnar_fold *f, struct folder *folder, struct fold *fold,
                        const struct columnar *columnar, uint32_t combination)
{
    for (int i = 0; i < f->fields; i++) {
        const struct columnar_column *from = &columnar->column[f->field[i]];
        uint32_t code = combination / f->stride[i] % (from->entry_count + 1);
        struct column *to = &f->entries->column[f->field[i]];
        to->present[0] = code != from->entry_count;
        to->str[0] = to->present[0] ? from->entries[code] : (struct bytes){NULL, 0};
    }
    uint16_t row = 0;
    if (folder->lookup && lookup_select(folder->lookup, f->entries, &row, 1) == 0)
        return GROUP_NONE;
    bool fresh;
    cells_key(f->plan, f->entries, 0, &folder->key);
    uint32_t *group = map_put(&f->groups, buf_bytes(&folder->key), &fresh);
    if (fresh)
        *group = (uint32_t)f->groups.count - 1;
    if (*group >= f->width) {
        flush(f, fold);
        make_table(f, f->width * 2);
    }
    return *group;
}

/* The groups of the selected rows; those of none are taken out. */
static int find_groups(struct columnar_fold *f, struct folder *folder, struct fold *fold,
                       const struct columnar *columnar, int from, uint16_t *sel, int n,
                       uint32_t *groups)
{
    int kept = 0;
    if (f->fields == 1) {
        const uint32_t *codes = columnar->column[f->field[0]].codes + from;
        for (int i = 0; i < n; i++)
            groups[i] = codes[sel[i]];
    } else {
        memset(groups, 0, (size_t)n * sizeof *groups);
        for (int k = 0; k < f->fields; k++) {
            const uint32_t *codes = columnar->column[f->field[k]].codes + from;
            for (int i = 0; i < n; i++)
                groups[i] += codes[sel[i]] * f->stride[k];
        }
    }
    for (int i = 0; i < n; i++) {
        uint32_t combination = groups[i], group = f->group_of[combination];
        if (group == GROUP_UNKNOWN)
            group = f->group_of[combination] = resolve(f, folder, fold, columnar, combination);
        sel[kept] = sel[i];
        groups[kept] = group;
        kept += group != GROUP_NONE;
    }
    return kept;
}

/* ---- conditions ---- */

/* What a condition says of each entry of its field's dictionary. */
static void ask_entries(struct columnar_fold *f, struct leaf *leaf, const struct columnar *columnar)
{
    const struct columnar_column *from = &columnar->column[leaf->where->field];
    struct column *to = &f->entries->column[leaf->where->field];
    uint32_t count = from->entry_count;
    leaf->takes = mem_grow(leaf->takes, (size_t)count + 1);
    for (uint32_t i = 0; i <= count; i++) {
        to->present[0] = i < count;
        to->str[0] = i < count ? from->entries[i] : (struct bytes){NULL, 0};
        leaf->takes[i] = filter_row(leaf->where, f->entries, 0);
    }
}

static const struct leaf *leaf_of(const struct columnar_fold *f, const struct where *where)
{
    for (int i = 0; i < f->leaf_count; i++)
        if (f->leaves[i].where == where)
            return &f->leaves[i];
    return NULL;
}

/* Columns that operators want of rows [from, from + n). */
static void fill_needed(struct columnar_fold *f, const struct columnar *columnar, int from, int n)
{
    for (int c = 0; c < columnar->column_count; c++)
        if (f->needed[c])
            columnar_fill_column(&columnar->column[c], from, n, &f->block->column[c]);
}

static void make_mask(struct columnar_fold *f, const struct columnar *columnar,
                      const struct where *where, int depth, int from, int n, uint8_t *mask)
{
    const struct leaf *leaf = leaf_of(f, where);
    if (leaf) {
        const uint32_t *codes = columnar->column[where->field].codes + from;
        for (int i = 0; i < n; i++)
            mask[i] = leaf->takes[codes[i]];
    } else if (where->kind == WHERE_COMPARE) {
        for (int i = 0; i < n; i++)
            mask[i] = filter_row(where, f->block, i);
    } else if (where->kind == WHERE_NOT) {
        make_mask(f, columnar, where->child, depth + 1, from, n, mask);
        for (int i = 0; i < n; i++)
            mask[i] ^= 1;
    } else {
        bool all = where->kind == WHERE_AND;
        uint8_t *one = f->masks[depth];
        memset(mask, all, (size_t)n);
        for (int k = 0; k < where->children; k++) {
            make_mask(f, columnar, &where->child[k], depth + 1, from, n, one);
            for (int i = 0; i < n; i++)
                mask[i] = all ? mask[i] & one[i] : mask[i] | one[i];
        }
    }
}

/* ---- a block of events ---- */

/* The good rows; bad ones are kept as such. */
static int select_good(struct fold *fold, const struct columnar *columnar, int from, int n,
                       uint16_t *sel)
{
    int kept = 0, next = 0;
    while (next < columnar->bad_count && columnar->bad[next].row < from)
        next++;
    for (int i = 0; i < n; i++) {
        const struct columnar_bad *bad = &columnar->bad[next];
        if (next < columnar->bad_count && bad->row == from + i) {
            fold_keep_bad(fold, columnar_offset(columnar, from + i), bad->reason, bad->field);
            next++;
            continue;
        }
        sel[kept++] = (uint16_t)i;
    }
    fold->counters.read += n;
    fold->counters.bad += n - kept;
    return kept;
}

static void raise_T(struct fold *fold, const int64_t *time_ms, const uint16_t *sel, int n,
                    struct columnar_span *span)
{
    int64_t min_ms = span->min_ms, max_ms = span->max_ms;
    for (int i = 0; i < n; i++) {
        int64_t time = time_ms[sel[i]];
        min_ms = time < min_ms ? time : min_ms;
        max_ms = time > max_ms ? time : max_ms;
    }
    *span = (struct columnar_span){min_ms, max_ms};
    fold->T_ms = max_ms > fold->T_ms ? max_ms : fold->T_ms;
}

static int select_where(struct columnar_fold *f, const struct columnar *columnar, int from, int n,
                        uint16_t *sel, int count)
{
    uint8_t mask[BLOCK];
    int kept = 0;
    if (!f->plan->where)
        return count;
    make_mask(f, columnar, f->plan->where, 0, from, n, mask);
    for (int i = 0; i < count; i++) {
        uint16_t row = sel[i];
        sel[kept] = row;
        kept += mask[row];
    }
    return kept;
}

static inline void touch(struct columnar_fold *f, uint32_t place)
{
    if (f->count[place]++ > 0)
        return;
    f->touched[f->touched_count++] = place;
    if (!f->counts_only)
        aggregate_zero(f->plan, f->slots + (size_t)place * (size_t)f->plan->slots);
}

/* Each selected event into the place of its pane and group. */
static void add_events(struct columnar_fold *f, struct fold *fold, const int64_t *time_ms,
                       const uint16_t *sel, const uint32_t *groups, int n)
{
    const struct plan *plan = f->plan;
    const uint8_t *const *takes = (const uint8_t *const *)f->value_masks;
    int64_t begin_ms = 0; /* of the pane of the event before, and its length; 0: none */
    uint64_t length_ms = 0;
    uint32_t first = 0;
    for (int i = 0; i < n; i++) {
        int64_t time = time_ms[sel[i]];
        if ((uint64_t)time - (uint64_t)begin_ms >= length_ms) {
            uint32_t row = find_row(f, fold, time);
            if (row == ROW_NONE) {
                fold->counters.late++;
                continue;
            }
            begin_ms = plan->window == WINDOW_NONE ? INT64_MIN : f->pane[row].pane_ms;
            length_ms = plan->window == WINDOW_NONE ? UINT64_MAX : (uint64_t)plan->pane_ms;
            first = row * f->width;
        }
        uint32_t place = first + groups[i];
        touch(f, place);
        if (!f->counts_only)
            aggregate_add_taken(plan, f->slots + (size_t)place * (size_t)plan->slots, f->block,
                                sel[i], takes);
        fold->counters.folded++;
    }
}

static void fold_block(struct columnar_fold *f, struct folder *folder, struct fold *fold,
                       const struct columnar *columnar, int from, int n, struct columnar_span *span)
{
    uint16_t sel[BLOCK];
    uint32_t groups[BLOCK];
    const int64_t *time_ms = columnar->column[0].numbers + from;
    int good = select_good(fold, columnar, from, n, sel);
    raise_T(fold, time_ms, sel, good, span);
    fill_needed(f, columnar, from, n);
    int count = select_where(f, columnar, from, n, sel, good);
    count = find_groups(f, folder, fold, columnar, from, sel, count, groups);
    fold->counters.filtered += good - count;
    for (int v = 0; v < f->plan->value_count; v++)
        if (f->value_masks[v])
            make_mask(f, columnar, f->plan->values[v].where, 0, from,
                      bug_planted("value-where") ? 1 : n, f->value_masks[v]);
    add_events(f, fold, time_ms, sel, groups, count);
}

/* Had the file before the same dictionary for a field? Then codes mean what they meant. */
static bool has_known(const struct columnar_fold *f, const struct columnar *columnar, int field)
{
    return memcmp(f->known[field], columnar->column[field].dictionary, sizeof f->known[field]) == 0;
}

/* Make ready for a file: false if it has too many combinations. */
static bool begin(struct columnar_fold *f, const struct columnar *columnar)
{
    uint64_t combinations = 1;
    for (int i = 0; i < f->fields; i++) {
        f->stride[i] = (uint32_t)combinations;
        combinations *= (uint64_t)columnar->column[f->field[i]].entry_count + 1;
        if (combinations > COMBINATIONS_MAX || combinations * place_bytes(f) > DENSE_BYTES_MAX)
            return false;
    }
    bool known = f->group_of != NULL;
    if ((f->groups.count + combinations) * place_bytes(f) > DENSE_BYTES_MAX) {
        map_clear(&f->groups);
        known = false;
    }
    for (int i = 0; i < f->fields; i++)
        known = known && has_known(f, columnar, f->field[i]);
    if (!known) {
        f->group_of = mem_grow(f->group_of, combinations * sizeof *f->group_of);
        for (uint64_t i = 0; i < combinations; i++)
            f->group_of[i] = GROUP_UNKNOWN;
    }
    for (int i = 0; i < f->leaf_count; i++)
        if (!f->leaves[i].takes || !has_known(f, columnar, f->leaves[i].where->field))
            ask_entries(f, &f->leaves[i], columnar);
    for (int c = 0; c < columnar->column_count; c++)
        memcpy(f->known[c], columnar->column[c].dictionary, sizeof f->known[c]);
    if (!f->count)
        make_table(f, WIDTH_MIN);
    forget_panes(f);
    return true;
}

bool columnar_fold_rows(struct columnar_fold *f, struct folder *folder, struct fold *fold,
                        struct columnar *columnar, int from, int to, struct columnar_span *span)
{
    assert(!fold->rules.lateness && !fold->track && fold->shares < 2);
    if (!begin(f, columnar))
        return false;
    for (int at = from; at < to; at += BLOCK)
        fold_block(f, folder, fold, columnar, at,
                   to - at < BLOCK ? to - at - bug_planted("block-short") : BLOCK, span);
    flush(f, fold);
    return true;
}
