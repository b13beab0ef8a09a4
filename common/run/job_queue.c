/* common/run/job_queue.c - what one dirty partition puts into an EXEC: index, cells, bad events, unlinks below what
 * is committed, pos.
 *
 * It is built and sent piece by piece, so that the size of a commit is in nobody's memory but Redis': until
 * EXEC follows, nothing of it is done. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/op/aggregate.h"
#include "common/run/job_parts.h"

enum { UNLINKS_MAX = 2000 };

static void queue(struct job *job, struct kv_args *args)
{
    args_queue(args, job->kv);
    job->queued++;
}

static void queue_index(struct job *job, const struct slot *slot, uint64_t part, const char *field)
{
    struct kv_args args = args_new(&job->arena, "SADD",
                                   key_part(&job->arena, job->plan->view, job->version,
                                            slot->partition, part_name(job, &job->arena, part)),
                                   field, NULL);
    queue(job, &args);
}

/* The HSET under way for one (part, field). */
struct group {
    struct kv_args args;
    bool begun;
};

static struct group *group_of(struct job *job, struct slot *slot, struct map *groups,
                              const struct cell *cell)
{
    struct {
        uint64_t part;
        struct cell_field field;
    } name = {cell->part, cell->field};
    struct group *group = map_put(groups, (struct bytes){(const char *)&name, sizeof name}, NULL);
    if (group->begun)
        return group;
    group->begun = true;
    group->args =
        args_new(&job->arena, "HSET", job_cell_key(job, slot, cell->part, cell->field), NULL);
    struct slot_field *field = slot_field_at(slot, cell->part, cell->field);
    if (!field->added && !field->adding) {
        struct buf text = {0};
        window_encode(job->plan, cell->field, &text);
        queue_index(job, slot, cell->part, text.ptr);
        field->adding = true;
        buf_release(&text);
    }
    return group;
}

/* By event time: what the batch answers for, and did in the generation before, no reader asks of us.
 * It may be unlinked already, and is not to come again. */
static bool is_unserved(const struct job *job, const struct slot *slot, struct cell_field field)
{
    int64_t first, last;
    window_range(job->plan, field, &first, &last);
    return last < slot->unserved_ms;
}

/* The HSETs that are under way end here. */
static void queue_groups(struct job *job, struct map *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        queue(job, &((struct group *)map_at(groups, i, NULL))->args);
    map_clear(groups);
}

static void queue_cells(struct job *job, struct slot *slot)
{
    struct cells *cells = &slot->fold->cells;
    struct map groups;
    struct buf partial = {0};
    map_init(&groups, sizeof(struct group));
    for (size_t k = 0; k < cells->changed_count; k++) {
        struct cell *cell = cells_changed_at(cells, k);
        cell->state &= ~(uint32_t)CELL_DIRTY;
        if (is_unserved(job, slot, cell->field))
            continue;
        struct group *group = group_of(job, slot, &groups, cell);
        args_add(&group->args, job_cell_json(job, cell));
        buf_clear(&partial);
        aggregate_encode(job->plan, cell->slots, &partial);
        args_add(&group->args, buf_bytes(&partial));
        cell->sent = job->number;
        job->stats.cells++;
        if (job_piece_full(job)) {
            queue_groups(job, &groups);
            job_piece_send(job);
        }
    }
    queue_groups(job, &groups);
    cells_changed_clear(cells);
    buf_release(&partial);
    map_release(&groups);
}

/* The span that an offset was folded in: the last cut at or below it. */
static uint64_t part_of(const struct job *job, const struct slot *slot, int64_t offset)
{
    int i = slot->cut_count - 1;
    while (i > 0 && slot->cuts[i] > offset)
        i--;
    return job->options.arch == ARCH_LAMBDA && i >= 0 ? (uint64_t)slot->cuts[i] : 0;
}

/* Those of an aborted commit stay in their span, though a cut was made behind them. */
static void queue_bad(struct job *job, struct slot *slot)
{
    const struct fold *fold = slot->fold;
    slot->sent_bad = fold->bad_count;
    for (size_t k = 0; k < fold->bad_count;) {
        uint64_t part = part_of(job, slot, fold->bad[k].offset);
        struct kv_args args =
            args_new(&job->arena, "HSET",
                     key_cells(&job->arena, job->plan->view, job->version, slot->partition,
                               part_name(job, &job->arena, part), "bad"),
                     NULL);
        do {
            char offset[24];
            snprintf(offset, sizeof offset, "%lld", (long long)fold->bad[k].offset);
            args_pair(&args, offset, fold->bad[k].reason);
        } while (++k < fold->bad_count && !job_piece_full(job) &&
                 part_of(job, slot, fold->bad[k].offset) == part);
        queue_index(job, slot, part, "bad");
        queue(job, &args);
        if (job_piece_full(job))
            job_piece_send(job);
    }
}

static bool below(const struct job *job, const struct slot *slot, const struct slot_field *field)
{
    if (field->gone || !field->added)
        return false;
    if (job->options.arch == ARCH_LAMBDA && (int64_t)field->part < slot->from)
        return true;
    int64_t first, last;
    window_range(job->plan, field->cell, &first, &last);
    return job->plan->window != WINDOW_NONE && (last < slot->floor_ms || last < slot->unserved_ms);
}

static void queue_unlink(struct job *job, const struct slot *slot, const struct slot_field *field)
{
    struct buf text = {0};
    window_encode(job->plan, field->cell, &text);
    struct kv_args unlink =
        args_new(&job->arena, "UNLINK", job_cell_key(job, slot, field->part, field->cell), NULL);
    queue(job, &unlink);
    struct kv_args index =
        args_new(&job->arena, "SREM",
                 key_part(&job->arena, job->plan->view, job->version, slot->partition,
                          part_name(job, &job->arena, field->part)),
                 text.ptr, NULL);
    queue(job, &index);
    buf_release(&text);
}

/* Whole spans below the committed from: their bad events and indexes, and their cuts in pos. The
 * cuts stay in memory until this is answered: an aborted EXEC has unlinked nothing. */
static void queue_old_spans(struct job *job, struct slot *slot)
{
    for (int i = 0; i < slot->cut_count && slot->cuts[i] < slot->from; i++) {
        const char *part = part_name(job, &job->arena, (uint64_t)slot->cuts[i]);
        const char *view = job->plan->view;
        struct kv_args unlink = args_new(
            &job->arena, "UNLINK", key_part(&job->arena, view, job->version, slot->partition, part),
            key_cells(&job->arena, view, job->version, slot->partition, part, "bad"), NULL);
        queue(job, &unlink);
        slot->cuts_changed = true;
        slot->old_cuts = i + 1;
    }
}

/* A full Redis takes nothing behind MULTI, not even a deletion. A script may delete, and asks by
 * itself whose the partition is; the indexes stay for the next commit that fits. */
void job_queue_deletions(struct job *job, struct slot *slot)
{
    const char *pos = key_pos(&job->arena, job->plan->view, job->version, slot->partition);
    slot->sending = slot_dirty(job, slot);
    for (size_t i = 0; slot->sending && i < slot->fields.count; i++) {
        const struct slot_field *field = map_at(&slot->fields, i, NULL);
        if (!below(job, slot, field))
            continue;
        struct kv_args unlink =
            args_new(&job->arena, "EVAL", POS_UNLINK_IF_OWNER, "2", pos,
                     job_cell_key(job, slot, field->part, field->cell), slot->token, NULL);
        queue(job, &unlink);
        slot->unlink_due = true;
    }
}

/* Deletion below what is *committed*: never in the commit that raises floor or from. */
static void queue_unlinks(struct job *job, struct slot *slot)
{
    if (!slot->unlink_due)
        return;
    fault_point("unlink");
    int unlinked = 0;
    bool all = true;
    for (size_t i = 0; i < slot->fields.count; i++) {
        struct slot_field *field = map_at(&slot->fields, i, NULL);
        if (!below(job, slot, field))
            continue;
        if (unlinked == UNLINKS_MAX) {
            all = false;
            break;
        }
        queue_unlink(job, slot, field);
        field->deleting = true;
        unlinked++;
    }
    if (all && job->options.arch == ARCH_LAMBDA)
        queue_old_spans(job, slot);
    slot->unlink_due = !all;
}

static int64_t floor_of(const struct job *job, const struct slot *slot)
{
    int64_t floor_ms = window_floor(job->plan, slot->fold->T_ms);
    return floor_ms > slot->floor_ms ? floor_ms : slot->floor_ms; /* that of the version's start */
}

/* Spans below what readers may ask for go, but never one that also holds what lies above: a slot that was
 * noted before a FLUSHALL (two-slot, naive) is no cut any more. */
static int64_t from_raised(const struct slot *slot)
{
    int64_t from = slot->begin;
    for (int i = 0; i < slot->cut_count && slot->cuts[i] <= slot->needs_from; i++)
        if (slot->cuts[i] > from)
            from = slot->cuts[i];
    return from;
}

static void queue_pos(struct job *job, struct slot *slot)
{
    const struct fold *fold = slot->fold;
    struct kv_args args =
        args_new(&job->arena, "HSET",
                 key_pos(&job->arena, job->plan->view, job->version, slot->partition), NULL);
    slot->sent_next = fold->next;
    slot->sent_floor_ms = floor_of(job, slot);
    slot->sent_from = from_raised(slot);
    slot->sent_counters = fold->counters;
    slot->sent_cuts = slot->cuts_changed;
    args_int(&args, "next", slot->sent_next);
    args_int(&args, "T", fold->T_ms);
    args_int(&args, "mark", fold_mark(fold));
    args_int(&args, "floor", slot->sent_floor_ms);
    args_int(&args, "from", slot->sent_from);
    if (slot->cuts_changed)
        args_cuts(&args, slot->cuts + slot->old_cuts, slot->cut_count - slot->old_cuts);
    struct buf text = {0};
    counters_encode(&fold->counters, &text);
    args_pair(&args, "counters", text.ptr);
    buf_clear(&text);
    if (fold->tail_offset >= 0)
        buf_printf(&text, "%lld,%lld,%llu", (long long)fold->tail_offset,
                   (long long)fold->tail_time_ms, (unsigned long long)fold->tail_hash);
    args_pair(&args, "tail", text.len ? text.ptr : "");
    buf_release(&text);
    queue(job, &args);
    slot->cuts_changed = slot->news = false;
}

static void make_cut(struct slot *slot)
{
    struct fold *fold = slot->fold;
    if (fold->next <= (int64_t)fold->part)
        return;
    slot_add_cut(slot, fold->next);
    fold->part = (uint64_t)fold->next;
    fold->known_from_ms = INT64_MIN; /* the new span has no cells yet */
    fold->evicted = false;
}

void job_queue_slot(struct job *job, struct slot *slot, bool cut)
{
    slot->sending =
        slot_dirty(job, slot) || (job->sends == SENDS_CELLS && slot->state == SLOT_HELD &&
                                  slot->fold->cells.changed_count > 0);
    if (!slot->sending)
        return;
    if (bug_planted("position-first")) {
        queue_pos(job, slot);
        kv_words(job->kv, "EXEC", NULL);
        struct err ignored = {0};
        kv_send(job->kv, &ignored);
        fault_point("commit sent");
        kv_words(job->kv, "MULTI", NULL);
        job->queued += 2;
        slot->news = true;
    }
    if (job->sends & SENDS_CELLS)
        queue_cells(job, slot);
    if (!(job->sends & SENDS_POS))
        return;
    queue_bad(job, slot);
    if (cut && !slot->waiting && job_makes_cuts(job))
        make_cut(slot);
    queue_unlinks(job, slot);
    queue_pos(job, slot);
}
