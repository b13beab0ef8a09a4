/* common/run/job_commit.c - one MULTI/EXEC over all dirty partitions.
 *
 *   first touch   cells that are not known yet are read and merged, on the commit's connection, behind
 *                 the WATCH that the answer before has armed
 *   EXEC          for each dirty slot: index, cells, bad events, unlinks below what is committed, pos
 *   behind it     WATCH and HGETALL of every slot held, for the next commit: one round trip in all
 * (model: PEND becomes EXEC_COMMIT.) */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/op/aggregate.h"
#include "common/run/job_parts.h"

enum { UNLINKS_MAX = 2000, REGISTRY_NS = 500000000 };

static int64_t floor_of(const struct job *job, const struct slot *slot)
{
    int64_t floor_ms = window_floor(job->plan, slot->fold->T_ms);
    return floor_ms > slot->floor_ms ? floor_ms : slot->floor_ms; /* that of the version's start */
}

bool job_makes_cuts(const struct job *job)
{
    return job->options.arch == ARCH_LAMBDA && job->options.handover != HANDOVER_EVENT_TIME;
}

bool slot_dirty(const struct job *job, const struct slot *slot)
{
    (void)job;
    return slot->state == SLOT_HELD &&
           (slot->news || slot->unlink_due || (!slot->waiting && slot->fold->next > slot->next));
}

/* ---- first touch ---- */

static char *cell_key(struct job *job, const struct slot *slot, uint64_t part,
                      struct cell_field cell)
{
    struct buf field = {0};
    window_encode(job->plan, cell, &field);
    char *key = key_cells(&job->arena, job->plan->view, job->version, slot->partition,
                          part_name(job, &job->arena, part), field.ptr);
    buf_release(&field);
    return key;
}

static struct bytes cell_json(struct job *job, const struct cell *cell)
{
    struct buf json = {0};
    cells_key_json(job->plan, cell->key, &json);
    struct bytes copy = arena_bytes(&job->arena, buf_bytes(&json));
    buf_release(&json);
    return copy;
}

static int merge_base(struct job *job, struct cell *cell, const struct kv_reply *reply,
                      struct err *err)
{
    int128 base[PLAN_SLOTS_MAX];
    cell->state &= ~(uint32_t)CELL_UNREAD;
    if (reply->type == KV_NIL)
        return 0;
    if (reply->type != KV_TEXT || !aggregate_decode(job->plan, reply->text, base))
        return err_set(err, ERR_DATA, "a cell of view %s holds \"%.*s\", which lk did not write",
                       job->plan->view, (int)reply->text.len,
                       reply->text.ptr ? reply->text.ptr : "");
    aggregate_merge(job->plan, cell->slots, base);
    return 0;
}

/* Read what changed cells hold in the store and merge it in. */
static int touch_first(struct job *job, struct err *err)
{
    struct cell **unread = NULL;
    size_t count = 0, capacity = 0;
    for (int i = 0; i < job->count; i++) {
        struct slot *slot = &job->slots[i];
        for (size_t k = 0; slot_dirty(job, slot) && k < slot->fold->cells.changed_count; k++) {
            struct cell *cell = cells_changed_at(&slot->fold->cells, k);
            if (!(cell->state & CELL_UNREAD))
                continue;
            if (count == capacity) {
                capacity = capacity ? capacity * 2 : 256;
                unread = mem_grow(unread, capacity * sizeof *unread);
            }
            unread[count++] = cell;
            struct bytes args[] = {bytes_of("HGET"),
                                   bytes_of(cell_key(job, slot, cell->part, cell->field)),
                                   cell_json(job, cell)};
            kv_command(job->kv, args, 3);
        }
    }
    struct kv_reply *replies;
    int rc = count ? kv_roundtrip(job->kv, &replies, err) : 0;
    for (size_t k = 0; rc >= 0 && k < count; k++)
        rc = merge_base(job, unread[k], &replies[k], err);
    free(unread);
    return rc < 0 ? rc : 0;
}

/* ---- building the EXEC ---- */

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
    group->args = args_new(&job->arena, "HSET", cell_key(job, slot, cell->part, cell->field), NULL);
    struct slot_field *field = slot_field_at(slot, cell->part, cell->field);
    if (!field->added) {
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

static void queue_cells(struct job *job, struct slot *slot)
{
    struct cells *cells = &slot->fold->cells;
    struct map groups;
    struct buf partial = {0};
    map_init(&groups, sizeof(struct group));
    for (size_t k = 0; k < cells->changed_count; k++) {
        struct cell *cell = cells_changed_at(cells, k);
        if (is_unserved(job, slot, cell->field)) {
            cell->state &= ~(uint32_t)CELL_DIRTY;
            continue;
        }
        struct group *group = group_of(job, slot, &groups, cell);
        args_add(&group->args, cell_json(job, cell));
        buf_clear(&partial);
        aggregate_encode(job->plan, cell->slots, &partial);
        args_add(&group->args, buf_bytes(&partial));
        cell->state &= ~(uint32_t)CELL_DIRTY;
        cell->sent = job->number;
        job->stats.cells++;
    }
    for (size_t i = 0; i < groups.count; i++)
        queue(job, &((struct group *)map_at(&groups, i, NULL))->args);
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
        for (; k < fold->bad_count && part_of(job, slot, fold->bad[k].offset) == part; k++) {
            char offset[24];
            snprintf(offset, sizeof offset, "%lld", (long long)fold->bad[k].offset);
            args_pair(&args, offset, fold->bad[k].reason);
        }
        queue_index(job, slot, part, "bad");
        queue(job, &args);
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
        args_new(&job->arena, "UNLINK", cell_key(job, slot, field->part, field->cell), NULL);
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
static void queue_deletions(struct job *job, struct slot *slot)
{
    const char *pos = key_pos(&job->arena, job->plan->view, job->version, slot->partition);
    slot->sending = slot_dirty(job, slot);
    for (size_t i = 0; slot->sending && i < slot->fields.count; i++) {
        const struct slot_field *field = map_at(&slot->fields, i, NULL);
        if (!below(job, slot, field))
            continue;
        struct kv_args unlink =
            args_new(&job->arena, "EVAL", POS_UNLINK_IF_OWNER, "2", pos,
                     cell_key(job, slot, field->part, field->cell), slot->token, NULL);
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

static void queue_pos(struct job *job, struct slot *slot)
{
    const struct fold *fold = slot->fold;
    struct kv_args args =
        args_new(&job->arena, "HSET",
                 key_pos(&job->arena, job->plan->view, job->version, slot->partition), NULL);
    slot->sent_next = fold->next;
    slot->sent_floor_ms = floor_of(job, slot);
    slot->sent_from = slot->needs_from > slot->begin ? slot->needs_from : slot->begin;
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

void job_queue_watch(struct job *job)
{
    struct kv_args watch = args_new(&job->arena, "WATCH", NULL);
    if (bug_planted("skip-fence"))
        watch = args_new(&job->arena, "PING", NULL);
    for (int i = 0; i < job->count; i++)
        if (job->slots[i].state == SLOT_HELD && !bug_planted("skip-fence"))
            args_text(&watch,
                      key_pos(&job->arena, job->plan->view, job->version, job->slots[i].partition));
    args_queue(&watch, job->kv);
    for (int i = 0; i < job->count; i++)
        if (job->slots[i].state == SLOT_HELD)
            kv_words(job->kv, "HGETALL",
                     key_pos(&job->arena, job->plan->view, job->version, job->slots[i].partition),
                     NULL);
    job->registry_asked = clock_mono_ns() - job->registry_at_ns > REGISTRY_NS;
    if (job->registry_asked)
        registry_copy_ask(job->kv, job->plan->view, job->options.arch);
}

bool job_note_registry(struct job *job, const struct kv_reply *reply)
{
    if (!job->registry_asked)
        return true;
    job->registry_asked = false;
    job->registry_at_ns = clock_mono_ns();
    return registry_copy_note(&job->registry, reply);
}

static void queue_slot(struct job *job, struct slot *slot, bool cut)
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

static int send_queued(struct job *job, struct err *err)
{
    job->sent_at_ns = job->looked_at_ns = clock_mono_ns();
    if (fault_point("commit sent")) {
        kv_drop(job->kv);
        return err_set(err, ERR_AWAY, "fault: commit sent");
    }
    int rc = kv_send(job->kv, err);
    if (rc == 0 && fault_armed) {
        kv_ready(job->kv, 1000); /* let it land before the fault */
        if (fault_hit("commit landed")) {
            kv_drop(job->kv);
            return err_set(err, ERR_AWAY, "fault: commit landed");
        }
    }
    return rc;
}

static int send_exec(struct job *job, int sends, bool cut, struct err *err)
{
    job->sends = sends;
    job->number++;
    job->queued = 0;
    for (int i = 0; job->full && i < job->count; i++)
        queue_deletions(job, &job->slots[i]);
    kv_words(job->kv, "MULTI", NULL);
    for (int i = 0; !job->full && i < job->count; i++)
        queue_slot(job, &job->slots[i], cut);
    kv_words(job->kv, "EXEC", NULL);
    job->exec_index = job->queued + 1;
    job_queue_watch(job);
    job->in_flight = true;
    return send_queued(job, err);
}

/* One half is sent and answered before the other is: a worker that dies between them has counted events
 * twice (cells first: it folds them again, and adds) or lost them (position first). */
static int send_halves(struct job *job, bool cut, struct err *err)
{
    bool cells_first = job->plan->delivery == DELIVERY_AT_LEAST_ONCE;
    int rc = send_exec(job, cells_first ? SENDS_CELLS : SENDS_POS, cut, err);
    if (rc == 0)
        rc = job_answer(job, err);
    if (rc < 0)
        return rc;
    if (!job->landed)
        return job_send_look(job, err); /* all of it is to be sent again */
    if (bug_planted("half-unsent"))
        cells_first = true;
    return send_exec(job, cells_first ? SENDS_POS : SENDS_CELLS, cut, err);
}

int job_send(struct job *job, bool cut, struct err *err)
{
    arena_reset(&job->arena);
    int rc = job->full ? 0 : touch_first(job, err);
    if (rc < 0)
        return rc;
    if (job->plan->delivery != DELIVERY_EXACTLY_ONCE && !job->full)
        return send_halves(job, cut, err);
    return send_exec(job, SENDS_CELLS | SENDS_POS, cut, err);
}

int job_send_look(struct job *job, struct err *err)
{
    arena_reset(&job->arena);
    if (fault_point("idle look")) {
        kv_drop(job->kv);
        return err_set(err, ERR_AWAY, "fault: idle look");
    }
    job->looked_at_ns = clock_mono_ns();
    if (bug_planted("idle-blind"))
        return 0;
    job_queue_watch(job);
    job->looking = true;
    return kv_send(job->kv, err);
}
