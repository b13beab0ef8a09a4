/* common/store/read_lane.c - see read_lane.h.
 *
 *   LANE_POS ──guessed right──> LANE_DONE           one trip
 *      ├──────guessed wrong──> LANE_CELLS ──> done  two; without a known field LANE_INDEX between them
 *      └─<───────moved───────────────┘
 *
 * Partials of a (window, key) meet in one map, whichever part, pane or partition they come from. */
#include "common/store/read_lane.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/fault.h"
#include "common/op/aggregate.h"

enum { EXACT_TRIES = 400 };

/* ---- what is asked ---- */

/* A fault point of reading. What was asked before it is sent first, so that others' commands may stand
 * between, as they may in a pipeline; an error breaks the connection there. */
static int pass(struct reading *r, const char *point, struct err *err)
{
    if (!fault_armed)
        return 0;
    int rc = kv_send(r->kv, err);
    if (rc < 0 || !fault_point(point))
        return rc;
    kv_drop(r->kv);
    return err_set(err, ERR_AWAY, "fault: %s", point);
}

static void ask(struct reading *r, const char *word, const char *key, const char *field)
{
    kv_words(r->kv, word, key, field, NULL);
    r->queued++;
}

static int ask_pos(struct lane *lane, struct reading *r, const char *point, struct err *err)
{
    int rc = pass(r, point, err);
    if (rc == 0)
        ask(r, "HGETALL", key_pos(&lane->arena, r->view, r->version, lane->partition), NULL);
    return rc;
}

static int ask_cells(struct lane *lane, struct reading *r, struct err *err)
{
    int rc = pass(r, "read cells", err);
    for (int i = 0; rc == 0 && i < lane->source_count; i++)
        ask(r, r->query->key ? "HGET" : "HGETALL",
            key_cells(&lane->arena, r->view, r->version, lane->partition,
                      lane->sources[i].part->name, lane->sources[i].field),
            r->query->key);
    return rc ? rc : ask_pos(lane, r, "read pos again", err);
}

static void ask_index(struct lane *lane, struct reading *r)
{
    for (int i = 0; i < lane->part_count; i++)
        ask(r, "SMEMBERS",
            key_part(&lane->arena, r->view, r->version, lane->partition, lane->parts[i].name),
            NULL);
}

static void add_source(struct lane *lane, const struct read_part *part, const char *field,
                       struct cell_field cell)
{
    if (lane->source_count == lane->source_capacity) {
        lane->source_capacity = lane->source_capacity ? lane->source_capacity * 2 : 16;
        lane->sources =
            mem_grow(lane->sources, (size_t)lane->source_capacity * sizeof *lane->sources);
    }
    lane->sources[lane->source_count++] = (struct lane_source){part, field, cell};
}

/* With a tumbling window asked for, its one field needs no index. */
static bool field_is_known(const struct reading *r)
{
    return r->query->positions_only || r->rules.plan->window == WINDOW_NONE ||
           (r->rules.plan->window == WINDOW_TUMBLING && r->query->has_window);
}

/* The parts that answer at pos and, where the field is known, their cells. */
static void choose_parts(struct lane *lane, const struct reading *r, const struct pos *pos)
{
    lane->source_count = lane->part_count = 0;
    if (r->query->positions_only)
        return;
    lane->part_count = read_parts(&r->rules, pos, &lane->arena, &lane->parts);
    if (!field_is_known(r))
        return;
    struct cell_field cell = {r->query->window_ms, r->query->window_ms};
    struct buf field = {0};
    window_encode(r->rules.plan, cell, &field);
    const char *name = arena_bytes(&lane->arena, buf_bytes(&field)).ptr;
    buf_release(&field);
    for (int i = 0; i < lane->part_count; i++)
        add_source(lane, &lane->parts[i], name, cell);
}

int lane_queue(struct lane *lane, struct reading *r, struct err *err)
{
    lane->asked = true;
    lane->at = r->queued;
    if (lane->step == LANE_CELLS)
        return ask_cells(lane, r, err);
    if (lane->step == LANE_POS) {
        pos_release(&lane->before);
        arena_reset(&lane->arena);
        int rc = ask_pos(lane, r, "read pos", err);
        if (rc < 0)
            return rc;
        choose_parts(lane, r, &lane->seen);
        if (field_is_known(r))
            return ask_cells(lane, r, err);
    }
    ask_index(lane, r);
    return 0;
}

/* ---- what is made of the answers ---- */

static int merge(struct reading *r, int64_t window_ms, struct bytes key, struct bytes partial,
                 struct err *err)
{
    int128 slots[PLAN_SLOTS_MAX];
    if (!aggregate_decode(r->rules.plan, partial, slots))
        return err_set(err, ERR_DATA, "view %s: cell %.*s holds \"%.*s\"", r->view, (int)key.len,
                       key.ptr, (int)partial.len, partial.ptr);
    struct buf name = {0};
    buf_add(&name, &window_ms, sizeof window_ms);
    buf_add(&name, key.ptr, key.len);
    bool fresh;
    int128 *sum = map_put(&r->merged, buf_bytes(&name), &fresh);
    buf_release(&name);
    if (fresh)
        aggregate_zero(r->rules.plan, sum);
    aggregate_merge(r->rules.plan, sum, slots);
    return 0;
}

/* INT64_MAX is no bound: there is a window that begins there. */
static bool serves(const struct read_part *part, int64_t window)
{
    return window >= part->from_ms && (window < part->to_ms || part->to_ms == INT64_MAX);
}

/* Into each window that the cell belongs to, that its part serves, and that is asked for. */
static int merge_cell(struct reading *r, const struct lane_source *source, struct bytes key,
                      struct bytes partial, int64_t floor_ms, struct err *err)
{
    int64_t first, last, step = r->rules.plan->hop_ms ? r->rules.plan->hop_ms : 1;
    window_range(r->rules.plan, source->cell, &first, &last);
    bool more = true; /* a window's end may lie beyond what an int64 holds */
    int rc = 0;
    for (int64_t window = first; rc == 0 && more && window <= last;
         more = !__builtin_add_overflow(window, step, &window))
        if (window >= floor_ms && serves(source->part, window) &&
            (!r->query->has_window || window == r->query->window_ms))
            rc = merge(r, window, key, partial, err);
    return rc;
}

static int merge_sources(const struct lane *lane, struct reading *r, const struct kv_reply *replies,
                         struct err *err)
{
    int64_t floor_ms = read_floor(&r->rules, &lane->before);
    int rc = 0;
    for (int i = 0; i < lane->source_count && rc == 0; i++) {
        const struct kv_reply *cells = &replies[i];
        if (cells->type == KV_TEXT)
            rc = merge_cell(r, &lane->sources[i], bytes_of(r->query->key), cells->text, floor_ms,
                            err);
        else if (cells->type == KV_ERROR)
            rc = err_set(err, ERR_DATA, "cells of view %s: %.*s", r->view, (int)cells->text.len,
                         cells->text.ptr);
        for (int j = 0; rc == 0 && cells->type == KV_ARRAY && j + 1 < cells->count; j += 2)
            rc = merge_cell(r, &lane->sources[i], cells->items[j].text, cells->items[j + 1].text,
                            floor_ms, err);
    }
    return rc;
}

static int try_again(struct lane *lane, struct reading *r, struct err *err)
{
    int tries = r->query->exact ? EXACT_TRIES : VIEW_READ_TRIES;
    r->out->tries++;
    r->pause = r->pause || lane->tries > 0;
    lane->step = LANE_POS;
    if (++lane->tries < tries)
        return 0;
    return err_set(err, ERR_AWAY, "partition %d of view %s moved during each of %d reads",
                   lane->partition, r->view, tries);
}

/* replies: of each source, then of pos. */
static int take_cells(struct lane *lane, struct reading *r, const struct kv_reply *replies,
                      struct err *err)
{
    struct pos after;
    int rc = pos_decode(&replies[lane->source_count], &after, err);
    if (rc < 0)
        return rc;
    enum read_verdict verdict = read_judge(&r->rules, &lane->before, &after);
    pos_release(&lane->seen);
    lane->seen = after;
    if (verdict == READ_MOVED || (verdict == READ_AT_LEAST && r->query->exact))
        return try_again(lane, r, err);
    rc = merge_sources(lane, r, replies, err);
    read_fill_part(&r->rules, &lane->before, &r->out->parts[lane->partition]);
    r->out->exact = r->out->exact && verdict == READ_EXACT;
    lane->step = LANE_DONE;
    return rc;
}

/* Can this cell belong to the window asked for, and is it above the floor? */
static bool wanted(const struct reading *r, struct cell_field cell, int64_t floor_ms)
{
    int64_t first, last;
    window_range(r->rules.plan, cell, &first, &last);
    if (last < floor_ms)
        return false;
    return !r->query->has_window || (first <= r->query->window_ms && r->query->window_ms <= last);
}

static int add_members(struct lane *lane, const struct reading *r, const struct read_part *part,
                       const struct kv_reply *members, struct err *err)
{
    int64_t floor_ms = read_floor(&r->rules, &lane->before);
    if (members->type != KV_ARRAY)
        return err_set(err, ERR_DATA, "part %s of view %s: %.*s", part->name, r->view,
                       (int)members->text.len, members->text.ptr);
    for (int i = 0; i < members->count; i++) {
        struct bytes name = members->items[i].text;
        struct cell_field cell;
        if (bytes_equal(name, bytes_of("bad")))
            continue;
        if (!window_decode(r->rules.plan, name, &cell))
            return err_set(err, ERR_DATA, "part %s of view %s has a field \"%.*s\"", part->name,
                           r->view, (int)name.len, name.ptr);
        if (wanted(r, cell, floor_ms))
            add_source(lane, part, arena_bytes(&lane->arena, name).ptr, cell);
    }
    return 0;
}

static int take_index(struct lane *lane, const struct reading *r, const struct kv_reply *replies,
                      struct err *err)
{
    int rc = 0;
    for (int i = 0; i < lane->part_count && rc == 0; i++)
        rc = add_members(lane, r, &lane->parts[i], &replies[i], err);
    lane->step = LANE_CELLS;
    return rc;
}

/* Since the registry was read the view was made again (FLUSHALL), and the number is another plan's, or its
 * spans are to be joined by another mode. */
static bool is_of_another(const struct reading *r, const struct pos *pos)
{
    if (!*pos->plan)
        return false;
    bool mode = r->rules.arch == ARCH_LAMBDA && pos->handover != r->rules.handover;
    return strcmp(pos->plan, r->hash) != 0 || (mode && !bug_planted("mode-of-registry"));
}

/* What pos says before any cell is looked at: 0 go on, 1 the partition has answered, or a code. */
static int look(struct lane *lane, struct reading *r, struct err *err)
{
    const struct pos *pos = &lane->before;
    if (!pos->here && r->rules.arch == ARCH_KAPPA) { /* nothing was folded here yet */
        read_fill_part(&r->rules, pos, &r->out->parts[lane->partition]);
        lane->step = LANE_DONE;
        return 1;
    }
    if (!pos->here || read_gap(&r->rules, pos))
        return err_set(
            err, ERR_GAP,
            "gap: partition %d of view %s has nothing for offsets %lld to %lld; a batch must "
            "cover them: lk lambda batch",
            lane->partition, r->view, (long long)pos->boundary, (long long)pos->from);
    if (pos->broken)
        return err_set(err, ERR_DATA, "partition %d of view %s is marked broken", lane->partition,
                       r->view);
    r->retired = r->retired || pos->retired || is_of_another(r, pos);
    if (is_of_another(r, pos))
        return err_set(err, ERR_ENV,
                       "version %s of view %s is of another plan, or handed over otherwise, now",
                       r->version, r->view);
    if (pos->retired)
        return err_set(err, ERR_ENV, "version %s of view %s is retired%s", r->version + 1, r->view,
                       r->rules.arch == ARCH_KAPPA ? "; see: lk kappa status" : "");
    return 0;
}

static bool same_parts(const struct read_part *a, int a_count, const struct read_part *b,
                       int b_count)
{
    bool same = a_count == b_count;
    for (int i = 0; same && i < a_count; i++)
        same = strcmp(a[i].name, b[i].name) == 0;
    return same;
}

static int take_pos(struct lane *lane, struct reading *r, const struct kv_reply *replies,
                    struct err *err)
{
    int rc = pos_decode(&replies[0], &lane->before, err);
    rc = rc ? rc : look(lane, r, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    const struct read_part *guess = lane->parts;
    int guess_count = lane->part_count;
    if (!bug_planted("read-guess-believed"))
        choose_parts(lane, r, &lane->before);
    if (same_parts(guess, guess_count, lane->parts, lane->part_count))
        return field_is_known(r) ? take_cells(lane, r, replies + 1, err)
                                 : take_index(lane, r, replies + 1, err);
    lane->step = field_is_known(r) ? LANE_CELLS : LANE_INDEX;
    return 0;
}

int lane_take(struct lane *lane, struct reading *r, const struct kv_reply *replies, struct err *err)
{
    lane->asked = false;
    if (lane->step == LANE_POS)
        return take_pos(lane, r, replies, err);
    return lane->step == LANE_INDEX ? take_index(lane, r, replies, err)
                                    : take_cells(lane, r, replies, err);
}

void lane_renew(struct lane *lane)
{
    lane->step = LANE_POS;
    lane->tries = 0;
    lane->asked = false;
}

void lane_release(struct lane *lane)
{
    pos_release(&lane->seen);
    pos_release(&lane->before);
    arena_release(&lane->arena);
    free(lane->sources);
    *lane = (struct lane){0};
}
