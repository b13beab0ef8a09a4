/* common/run/job_answer.c - what became of a commit: done, aborted, refused, broken; and what every pos says
 * behind it. Nothing counts as committed, and nothing leaves memory, before its answer is here.
 * (model: ANSWERED.) */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/run/job_parts.h"

enum outcome { EXEC_DONE, EXEC_ABORTED, EXEC_REFUSED };

static int mark_broken(struct job *job, const struct kv_reply *what, struct err *err)
{
    char text[200];
    snprintf(text, sizeof text, "%.*s", (int)what->text.len, what->text.ptr);
    for (int i = 0; i < job->count; i++)
        if (job->slots[i].sending)
            kv_words(job->kv, "HSET",
                     key_pos(&job->arena, job->plan->view, job->version, job->slots[i].partition),
                     "broken", "1", NULL);
    struct kv_reply *replies;
    kv_roundtrip(job->kv, &replies, NULL);
    return err_set(err, ERR_DATA,
                   "an error inside a commit of view %s (%s): something else uses keys lk:*. The "
                   "partitions are marked broken",
                   job->plan->view, text);
}

/* What became of the EXEC: an enum outcome, or a code. */
static int outcome_of(struct job *job, const struct kv_reply *replies, struct err *err)
{
    const struct kv_reply *exec = &replies[job->exec_index];
    if (exec->type == KV_NIL)
        return EXEC_ABORTED;
    if (exec->type == KV_ARRAY) {
        for (int i = 0; i < exec->count; i++)
            if (exec->items[i].type == KV_ERROR)
                return mark_broken(job, &exec->items[i], err);
        return EXEC_DONE;
    }
    for (int i = 0; i <= job->exec_index; i++) {
        if ((job->refusal = kv_refusal(&replies[i])))
            return EXEC_REFUSED;
        if (kv_is_error(&replies[i], "READONLY"))
            return err_set(err, ERR_ENV,
                           "Redis refuses the commit: it is a replica now, and a view needs the "
                           "master; make it one (redis-cli REPLICAOF NO ONE) or give the master's "
                           "address by --view, then start this worker again");
        if (kv_is_error(&replies[i], "EXECABORT") || replies[i].type != KV_ERROR)
            continue;
        return err_set(err, ERR_ENV, "Redis refuses the commit: %.*s", (int)replies[i].text.len,
                       replies[i].text.ptr);
    }
    return err_set(err, ERR_ENV, "Redis refuses the commit: %.*s", (int)exec->text.len,
                   exec->text.ptr);
}

static bool of_old_span(const struct cell *cell, void *context)
{
    const struct fold *fold = context;
    return cell->part < fold->part && !(cell->state & CELL_DIRTY);
}

static void settle_fields(struct slot *slot, bool done)
{
    for (size_t i = 0; i < slot->fields.count; i++) {
        struct slot_field *field = map_at(&slot->fields, i, NULL);
        if (field->deleting && done) {
            field->gone = true;
            slot->fields_gone++;
        }
        if (field->deleting && !done)
            slot->unlink_due = true;
        field->added = field->added || (field->adding && done);
        field->deleting = field->adding = false;
    }
    if (slot->fields_gone < 64 || slot->fields_gone * 2 < slot->fields.count)
        return;
    struct map old = slot->fields; /* copy what still stands */
    map_init(&slot->fields, sizeof(struct slot_field));
    for (size_t i = 0; i < old.count; i++) {
        const struct slot_field *field = map_at(&old, i, NULL);
        if (!field->gone)
            *slot_field_at(slot, field->part, field->cell) = *field;
    }
    slot->fields_gone = 0;
    map_release(&old);
}

static void drop_old_cuts(struct slot *slot)
{
    slot->cut_count -= slot->old_cuts;
    if (slot->old_cuts)
        memmove(slot->cuts, slot->cuts + slot->old_cuts,
                (size_t)slot->cut_count * sizeof *slot->cuts);
    slot->old_cuts = 0;
}

static void settle_done(struct job *job, struct slot *slot)
{
    struct fold *fold = slot->fold;
    settle_fields(slot, true);
    drop_old_cuts(slot);
    if (bug_planted("clean-all"))
        cells_changed_clear(&fold->cells);
    if (job->full)
        return;
    if (job->options.arch == ARCH_LAMBDA && slot->sent_cuts)
        cells_evict(&fold->cells, of_old_span, fold);
    if (!(job->sends & SENDS_POS))
        return;
    slot->next = slot->sent_next;
    slot_note(job, slot);
    slot->counters = slot->sent_counters;
    slot->unlink_due =
        slot->unlink_due || slot->sent_floor_ms > slot->floor_ms || slot->sent_from > slot->from;
    slot->floor_ms = slot->sent_floor_ms;
    slot->from = slot->begin = slot->sent_from;
    job->stats.bad += (int64_t)slot->sent_bad;
    fold->bad_count -= slot->sent_bad;
    if (fold->bad_count > 0)
        memmove(fold->bad, fold->bad + slot->sent_bad, fold->bad_count * sizeof *fold->bad);
}

/* Nothing of the commit was written: what it took along is dirty again. */
static void settle_undone(struct job *job, struct slot *slot)
{
    struct cells *cells = &slot->fold->cells;
    settle_fields(slot, false);
    slot->unlink_due = slot->unlink_due || slot->old_cuts > 0;
    slot->old_cuts = 0;
    size_t i = 0;
    for (struct cell *cell; (cell = cells_next(cells, &i));)
        if (cell->sent == job->number)
            cells_change(cells, cell);
    slot->cuts_changed = slot->cuts_changed || slot->sent_cuts;
    slot->news = true;
}

static void settle(struct job *job, enum outcome outcome)
{
    for (int i = 0; i < job->count; i++) {
        struct slot *slot = &job->slots[i];
        if (!slot->sending)
            continue;
        slot->sending = false;
        if (outcome == EXEC_DONE)
            settle_done(job, slot);
        else
            settle_undone(job, slot);
    }
    job->landed = outcome == EXEC_DONE;
    job->aborted = outcome == EXEC_ABORTED;
    if (job->landed) {
        job->stats.commits++;
        if (!job->full)
            job->trouble_since_ns = 0;
        int64_t took_us = (clock_mono_ns() - job->sent_at_ns) / 1000;
        if (took_us > job->stats.commit_us_max)
            job->stats.commit_us_max = took_us;
    } else {
        job->stats.aborted++;
    }
    job->full = outcome == EXEC_REFUSED;
}

/* Review every slot by the pos that came behind; takes again what was let go. */
static int review(struct job *job, const struct kv_reply *replies, int at, struct err *err)
{
    int rc = 0;
    bool again = false;
    struct pos *positions = mem_zero((size_t)job->count, sizeof *positions);
    for (int i = 0; rc == 0 && i < job->count; i++)
        if (job->slots[i].state == SLOT_HELD)
            rc = pos_decode(&replies[at++], &positions[i], err);
    if (rc == 0)
        again = !job_note_registry(job, &replies[at]);
    for (int i = 0; rc == 0 && i < job->count; i++) {
        if (job->slots[i].state != SLOT_HELD)
            continue;
        rc = slot_review(job, &job->slots[i], &positions[i], err);
        again = again || rc == 1;
        rc = rc == 1 ? 0 : rc;
    }
    for (int i = 0; i < job->count; i++)
        pos_release(&positions[i]);
    free(positions);
    return rc == 0 && again ? job_take_all(job, err) : rc;
}

int job_answer(struct job *job, struct err *err)
{
    struct kv_reply *replies;
    int count = kv_receive(job->kv, &replies, err);
    bool was_commit = job->in_flight;
    job->in_flight = job->looking = false;
    job->answers++;
    if (count < 0)
        return count;
    if (was_commit && fault_point("commit answered")) {
        kv_drop(job->kv);
        return err_set(err, ERR_AWAY, "fault: commit answered");
    }
    int at = 1; /* behind WATCH */
    if (was_commit) {
        int outcome = outcome_of(job, replies, err);
        if (outcome < 0)
            return outcome;
        settle(job, (enum outcome)outcome);
        at = job->exec_index + 2;
    }
    return review(job, replies, at, err);
}
