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
 * A combination of codes is a group: a number for its raw key. Events add to the dense table of
 * columnar_dense.h, which is merged into the cells at the end of each file.
 *   block of 4,096 events -> mask (where) -> groups -> panes -> dense table */
#include "lambda/columnar_fold.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/fault.h"
#include "common/op/filter.h"
#include "lambda/columnar_dense.h"

enum {
    BLOCK = COLUMNS_ROWS_MAX,
    LEAVES_MAX = 64,
    DEPTH_MAX = 32,
    COMBINATIONS_MAX = 1 << 16,
};
#define GROUP_UNKNOWN UINT32_MAX
#define GROUP_NONE (UINT32_MAX - 1)

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
    struct dense dense;
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
    dense_init(&f->dense, plan, f->counts_only);
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
    dense_release(&f->dense);
    free(f->group_of);
    free(f);
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
    cells_key(f->plan, f->entries, 0, &folder->key);
    return dense_group(&f->dense, fold, buf_bytes(&folder->key));
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
    dense_add(&f->dense, fold, f->block, time_ms, sel, groups, count,
              (const uint8_t *const *)f->value_masks);
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
        if (combinations > COMBINATIONS_MAX ||
            combinations * dense_place_bytes(&f->dense) > DENSE_BYTES_MAX)
            return false;
    }
    bool known = f->group_of != NULL;
    if ((f->dense.groups.count + combinations) * dense_place_bytes(&f->dense) > DENSE_BYTES_MAX) {
        map_clear(&f->dense.groups);
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
    dense_begin(&f->dense);
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
    dense_flush(&f->dense, fold);
    return true;
}
