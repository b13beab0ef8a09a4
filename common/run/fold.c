/* common/run/fold.c - the fold: a batch is scanned into columns, and narrowed step by step.
 *
 *   batch -> scan -> bad? -> T, marks -> where -> look-up -> share -> dedupe -> window -> cell
 *
 * Steps run over the whole batch, one after the other, yet every row is judged by T as of that row,
 * so nothing depends on how the log was cut into batches. fold_horizon is the same without the end.
 *
 * Marks. Ids must be rebuilt as they are; a stamp that is beyond the horizon may be missing. Let j
 * be the least position with T(j) + H >= T(now). All that lies below j has left stamps below T(j),
 * which are beyond the horizon for good; and j is a raise of T, else j - 1 would do. So folding
 * again from j, with nothing in memory, makes every later T and stamp what it was. The same holds
 * for any raise below j, which only costs time: so a raise is kept once per 1/64 of the horizon,
 * and dropped from the front as soon as the next one is at or below j. */
#include "common/run/fold.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/fault.h"
#include "common/op/aggregate.h"
#include "common/op/filter.h"

/* The batch in hand. */
struct rows {
    const struct log_batch *batch;
    struct columns *columns;
    int n; /* of sel */
    uint16_t sel[COLUMNS_ROWS_MAX];
    int64_t T_ms[COLUMNS_ROWS_MAX]; /* as of each row, that row included */
};

void folder_init(struct folder *folder, const struct plan *plan, struct lookup *lookup)
{
    assert(!plan->table || lookup);
    *folder = (struct folder){.plan = plan, .lookup = lookup};
    folder->scanner = scanner_new(&plan->schema, SCAN_BEST);
    folder->columns = columns_new(&plan->schema);
    for (int i = 0; i < plan->schema.scanned; i++)
        folder->amends |= plan->schema.fields[i].shift_ms || plan->schema.fields[i].step;
}

void folder_release(struct folder *folder)
{
    if (folder->scanner)
        scanner_free(folder->scanner);
    if (folder->columns)
        columns_free(folder->columns);
    buf_release(&folder->key);
    *folder = (struct folder){0};
}

/* What a partition's past has left: nothing. */
static void forget(struct fold *fold)
{
    fold->next = 0;
    fold->T_ms = INT64_MIN;
    fold->mark_count = 0;
    fold->counters = (struct counters){0};
    fold->part = 0;
    fold->known_from_ms = INT64_MIN;
    fold->evicted = false;
    fold->bad_count = 0;
    fold->tail_offset = fold->tail_time_ms = -1;
    fold->tail_hash = 0;
}

void fold_init(struct fold *fold, const struct plan *plan, struct rules rules, int partition)
{
    *fold = (struct fold){.plan = plan, .clock = plan, .rules = rules, .partition = partition};
    forget(fold);
    cells_init(&fold->cells, plan);
    fold->horizon_ms = plan->dedupe_horizon_ms;
    /* A fold without lateness is the batch's: no horizon either. Its marks are good for both layers. */
    if (!rules.lateness && !bug_planted("batch-clock")) {
        fold->clock = plan_of_speed(plan);
        if (fold->clock->dedupe_horizon_ms > fold->horizon_ms)
            fold->horizon_ms = fold->clock->dedupe_horizon_ms;
    }
    dedupe_init(&fold->ids, rules.lateness ? plan->dedupe_horizon_ms : INT64_MAX);
}

void fold_keep_bad(struct fold *fold, int64_t offset, enum bad_reason reason, int field)
{
    struct buf words = {0};
    bad_describe(reason, &fold->plan->schema, field, &words);
    if (fold->bad_count == fold->bad_capacity) {
        fold->bad_capacity = fold->bad_capacity ? fold->bad_capacity * 2 : 16;
        fold->bad = mem_grow(fold->bad, fold->bad_capacity * sizeof *fold->bad);
    }
    struct fold_bad *bad = &fold->bad[fold->bad_count++];
    size_t length = words.len < sizeof bad->reason ? words.len : sizeof bad->reason - 1;
    while (length < words.len && length > 0 && (words.ptr[length] & 0xC0) == 0x80)
        length--; /* cut between characters */
    bad->offset = offset;
    memcpy(bad->reason, words.ptr, length);
    bad->reason[length] = 0;
    buf_release(&words);
}

bool fold_is_ahead(const struct plan *plan, int64_t time_ms, int64_t log_time_ms)
{
    return plan->max_ahead_ms != PLAN_UNLIMITED &&
           time_ms > (int128)log_time_ms + plan->max_ahead_ms;
}

/* T rises to time_ms at position. Between two marks T has risen by a 64th of the horizon at most,
 * so what lies below the second is beyond the horizon if the first is, and a 64th more. */
static void raise_T(struct fold *fold, int64_t position, int64_t time_ms)
{
    int128 horizon_ms = fold->horizon_ms, step_ms = horizon_ms / 64;
    int count = fold->mark_count, drop = 0;
    fold->T_ms = time_ms;
    if (fold->plan->dedupe_by < 0)
        return;
    if (count == 0 || time_ms - (int128)fold->marks[count - 1].T_ms > step_ms) {
        assert(count < MARKS_MAX);
        fold->marks[count].position = position;
        fold->marks[count++].T_ms = time_ms;
    }
    while (drop + 1 < count && fold->marks[drop].T_ms + step_ms + horizon_ms < time_ms)
        drop++;
    fold->mark_count = count - drop;
    if (drop > 0)
        memmove(fold->marks, fold->marks + drop, (size_t)fold->mark_count * sizeof *fold->marks);
}

static int64_t shifted(int64_t time_ms, int64_t shift_ms)
{
    int64_t sum_ms;
    if (__builtin_add_overflow(time_ms, shift_ms, &sum_ms))
        return shift_ms > 0 ? INT64_MAX : INT64_MIN;
    return sum_ms;
}

/* What the plan of a sloppy speed layer does to values once they are read. */
static void amend(const struct schema *schema, struct columns *columns)
{
    for (int i = 0; i < schema->scanned; i++) {
        const struct field *field = &schema->fields[i];
        const struct column *column = &columns->column[i];
        if (!field->shift_ms && !field->step)
            continue;
        for (int row = 0; row < columns->rows; row++) {
            if (columns->bad[row] != BAD_NOT || !column->present[row])
                continue;
            if (field->step)
                column->i64[row] -= column->i64[row] % field->step;
            else
                column->i64[row] = shifted(column->i64[row], field->shift_ms);
        }
    }
}

/* Raise T by a well-formed event. */
static void see_time(struct fold *fold, int64_t position, int64_t time_ms, int64_t log_time_ms)
{
    if (fold->clock != fold->plan) /* else it is amended already */
        time_ms = shifted(time_ms, fold->clock->schema.fields[0].shift_ms);
    if (time_ms > fold->T_ms && !fold_is_ahead(fold->clock, time_ms, log_time_ms))
        raise_T(fold, position, time_ms);
}

static void scan(struct folder *folder, const struct log_batch *batch)
{
    scanner_batch(folder->scanner, batch->value, batch->count, folder->columns);
    if (folder->amends)
        amend(&folder->plan->schema, folder->columns);
    fault_point("scan");
}

/* Set the bad rows apart, select the others, move T. */
static void judge_rows(struct fold *fold, bool count, struct rows *rows)
{
    const struct log_batch *batch = rows->batch;
    const struct columns *columns = rows->columns;
    const int64_t *time_ms = columns->column[0].i64;
    rows->n = 0;
    for (int row = 0; row < batch->count; row++) {
        enum bad_reason bad = columns->bad[row];
        if (bad == BAD_NOT)
            see_time(fold, batch->offset[row], time_ms[row], batch->time_ms[row]);
        if (bad == BAD_NOT && fold_is_ahead(fold->plan, time_ms[row], batch->time_ms[row]))
            bad = BAD_AHEAD;
        if (bad != BAD_NOT) {
            if (count) {
                fold->counters.bad++;
                fold_keep_bad(fold, batch->offset[row], bad,
                              bad == BAD_AHEAD ? 0 : columns->bad_field[row]);
            }
            continue;
        }
        rows->T_ms[row] = fold->T_ms;
        rows->sel[rows->n++] = (uint16_t)row;
    }
}

/* Ids of the rows, less those of another share, of which nothing is known. */
static void select_share(struct fold *fold, struct rows *rows, struct dedupe_id *ids)
{
    int kept = 0;
    for (int i = 0; i < rows->n; i++) {
        uint16_t row = rows->sel[i];
        ids[kept] = dedupe_id_of(rows->columns, fold->plan->dedupe_by, row);
        rows->sel[kept] = row;
        kept += fold->shares < 2 || ids[kept].high % fold->shares == fold->share;
    }
    rows->n = kept;
}

/* Keep the rows whose ids are new. Every sighting stamps. */
static void select_new(struct fold *fold, bool count, struct rows *rows)
{
    enum { AHEAD = 16 };
    struct dedupe_id ids[COLUMNS_ROWS_MAX];
    int kept = 0;
    select_share(fold, rows, ids);
    for (int i = 0; i < rows->n; i++) {
        uint16_t row = rows->sel[i];
        if (i + AHEAD < rows->n)
            dedupe_prefetch(&fold->ids, ids[i + AHEAD]);
        bool duplicate = dedupe_see(&fold->ids, ids[i], rows->T_ms[row]);
        fold->counters.duplicate += count && duplicate;
        rows->sel[kept] = row;
        kept += !duplicate;
    }
    rows->n = kept;
}

/* All steps up to dedupe, and the end of the batch. count: into the counters and the bad list. */
static void narrow(struct folder *folder, struct fold *fold, bool count, struct rows *rows)
{
    const struct log_batch *batch = rows->batch;
    assert(batch->count <= COLUMNS_ROWS_MAX && batch->partition == fold->partition);
    assert(batch->count == 0 || batch->offset[0] >= fold->next);
    bool whole = count && fold->share == 0; /* for what does not belong to an id's share */
    judge_rows(fold, whole, rows);
    int good = rows->n;
    rows->n = filter_select(fold->plan->where, rows->columns, rows->sel, rows->n);
    if (folder->lookup)
        rows->n = lookup_select(folder->lookup, rows->columns, rows->sel, rows->n);
    if (whole) {
        fold->counters.read += batch->count;
        fold->counters.filtered += good - rows->n;
    }
    if (fold->plan->dedupe_by >= 0)
        select_new(fold, count, rows);
    fold->next = batch->next;
    if (batch->count == 0 || !batch->value)
        return;
    int last = batch->count - 1;
    fold->tail_offset = batch->offset[last];
    fold->tail_time_ms = batch->time_ms[last];
    fold->tail_hash = log_record_hash(batch->key[last], batch->value[last]);
}

/* Planted bug: an event that some of its windows no longer take is taken by none. */
static bool partly_late(const struct fold *fold, int64_t time_ms, struct cell_field field)
{
    struct cell_field all;
    const struct rules no_lateness = {.lateness = false};
    window_assign(fold->plan, &no_lateness, time_ms, 0, &all);
    return all.first_ms != field.first_ms;
}

/* A fresh cell may stand in the store already, unless all its windows begin after what was known
 * at the taking, and none of it can have been evicted since. One window for all has no beginning.
 */
static bool surely_new(const struct fold *fold, struct cell_field field)
{
    if (fold->evicted)
        return false;
    return fold->known_from_ms == INT64_MIN ||
           (fold->plan->window != WINDOW_NONE && field.first_ms >= fold->known_from_ms);
}

static void fold_row(struct folder *folder, struct fold *fold, struct rows *rows, int row)
{
    int64_t time_ms = rows->columns->column[0].i64[row];
    struct cell_field field;
    if (!window_assign(fold->plan, &fold->rules, time_ms, rows->T_ms[row], &field) ||
        (bug_planted("drop-late-cell") && partly_late(fold, time_ms, field))) {
        fold->counters.late++;
        return;
    }
    bool fresh;
    cells_key(fold->plan, rows->columns, row, &folder->key);
    struct cell *cell = cells_at(&fold->cells, fold->part, field, buf_bytes(&folder->key), &fresh);
    if (fold->track) {
        if (fresh && !surely_new(fold, field))
            cell->state |= CELL_UNREAD;
        cells_change(&fold->cells, cell);
    }
    aggregate_add(fold->plan, cell->slots, rows->columns, row);
    fold->counters.folded++;
}

void fold_columns(struct folder *folder, struct fold *fold, const struct log_batch *batch)
{
    struct rows rows;
    rows.batch = batch;
    rows.columns = folder->columns;
    narrow(folder, fold, true, &rows);
    for (int i = 0; i < rows.n; i++)
        fold_row(folder, fold, &rows, rows.sel[i]);
    fault_point("fold");
}

void fold_batch(struct folder *folder, struct fold *fold, const struct log_batch *batch)
{
    scan(folder, batch);
    fold_columns(folder, fold, batch);
}

void fold_horizon(struct folder *folder, struct fold *fold, const struct log_batch *batch)
{
    scan(folder, batch);
    struct rows rows;
    rows.batch = batch;
    rows.columns = folder->columns;
    narrow(folder, fold, false, &rows);
}

int64_t fold_mark(const struct fold *fold)
{
    return fold->mark_count > 0 ? fold->marks[0].position : fold->next;
}

void fold_clear(struct fold *fold)
{
    cells_clear(&fold->cells);
    dedupe_clear(&fold->ids);
    forget(fold);
}

void fold_release(struct fold *fold)
{
    cells_release(&fold->cells);
    dedupe_release(&fold->ids);
    free(fold->bad);
    *fold = (struct fold){0};
}
