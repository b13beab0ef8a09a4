/* common/run/job_take.c - taking a partition: put a fresh token as owner, check that pos and log
 * belong together, load what pos says, and stand where it says (or jump to a boundary ahead of it).
 *
 * Takes go one by one; as each EXEC clears the connection's WATCHes, they are armed for all slots
 * together afterwards, with a read of every pos, and only that read is loaded (model: take). */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/rng.h"
#include "common/run/job_parts.h"

enum { TAKE_TRIES_MAX = 100 };

const char *part_name(const struct job *job, struct arena *arena, uint64_t part)
{
    if (job->options.arch == ARCH_KAPPA)
        return "k";
    char name[32];
    snprintf(name, sizeof name, "s%llu", (unsigned long long)part);
    return arena_string(arena, name);
}

struct slot_field *slot_field_at(struct slot *slot, uint64_t part, struct cell_field cell)
{
    struct {
        uint64_t part;
        struct cell_field cell;
    } name = {part, cell};
    bool fresh;
    struct slot_field *field =
        map_put(&slot->fields, (struct bytes){(const char *)&name, sizeof name}, &fresh);
    if (fresh)
        *field = (struct slot_field){.part = part, .cell = cell};
    return field;
}

void slot_drop(struct job *job, struct slot *slot, enum slot_state state)
{
    if (!bug_planted("keep-memory"))
        fold_clear(slot->fold);
    slot->state = state;
    slot->sending = false;
    slot->cut_count = slot->old_cuts = 0;
    map_clear(&slot->fields);
    slot->fields_gone = 0;
    job->task->paused[slot - job->slots] = true;
    job->task->moved[slot - job->slots] = false;
    job->task->lost[slot - job->slots] = state == SLOT_LOST;
}

void slot_add_cut(struct slot *slot, int64_t cut)
{
    slot->cut_at_ns = clock_mono_ns();
    if (slot->cut_count > 0 && slot->cuts[slot->cut_count - 1] == cut)
        return;
    if (slot->cut_count == slot->cut_capacity) {
        slot->cut_capacity = slot->cut_capacity ? slot->cut_capacity * 2 : 16;
        slot->cuts = mem_grow(slot->cuts, (size_t)slot->cut_capacity * sizeof *slot->cuts);
    }
    slot->cuts[slot->cut_count++] = cut;
    slot->cuts_changed = slot->news = true;
}

/* Where a kappa version begins. */
static int64_t start_of(const struct job *job, const struct slot *slot)
{
    const int64_t *next = job->options.start.next;
    return next ? next[slot->partition] : 0;
}

/* ---- does pos belong to this plan and this log? ---- */

static int check_tail(struct job *job, const struct slot *slot, const struct pos *pos,
                      int64_t first, struct err *err)
{
    if (pos->tail_offset < first)
        return 0; /* retention has passed it: nothing to compare with */
    struct log_batch batch;
    int64_t end;
    int rc = log_get(job->task->reader, slot->partition, pos->tail_offset, &batch, err);
    if (rc == 0) /* it was there when we asked where the log begins */
        rc = log_range(job->task->log, job->task->topic, slot->partition, &first, &end, err);
    if (rc == 0 && pos->tail_offset < first)
        return 0;
    if (rc >= 0 && (rc == 0 || batch.time_ms[0] != pos->tail_time_ms ||
                    log_record_hash(batch.key[0], batch.value[0]) != pos->tail_hash))
        rc = err_set(
            err, ERR_DATA,
            "partition %d of topic %s is not the log that view %s was made from: the record "
            "at offset %lld is another. Was the log deleted and made anew? Use a new topic "
            "name, or another view",
            slot->partition, job->task->topic, job->plan->view, (long long)pos->tail_offset);
    return rc < 0 ? rc : 0;
}

static int check_pos(struct job *job, const struct slot *slot, const struct pos *pos, int64_t first,
                     int64_t end, struct err *err)
{
    const char *view = job->plan->view;
    if (pos->retired)
        return err_set(err, ERR_ENV, "version %s of view %s is retired%s", job->version + 1, view,
                       job->options.arch == ARCH_KAPPA ? "; see: lk kappa status" : ", for good");
    if (pos->broken)
        return err_set(
            err, ERR_DATA,
            "partition %d of view %s is marked broken (an error inside a commit): nobody "
            "may go on from there; delete the keys lk:{%s.%s:%d}* and replay",
            slot->partition, view, view, job->version, slot->partition);
    if (pos->here && strcmp(pos->plan, job->plan->hash) != 0)
        return err_set(err, ERR_USAGE,
                       "view %s (%s) was made by another plan; a changed plan is a new version: lk "
                       "kappa deploy, or a view name of its own",
                       view, job->version);
    if (pos->here && job->options.arch == ARCH_LAMBDA && pos->handover != job->options.handover)
        return err_set(err, ERR_USAGE,
                       "partition %d of view %s was made for --handover %s and this worker goes by "
                       "%s; give the other mode a view name of its own",
                       slot->partition, view, handover_name(pos->handover),
                       handover_name(job->options.handover));
    int64_t stands = pos->boundary > pos->next ? pos->boundary : pos->next;
    if (!pos->here && job->options.arch == ARCH_KAPPA)
        stands = start_of(job, slot);
    if (stands > end)
        return err_set(
            err, ERR_DATA,
            "view %s stands at offset %lld of partition %d of topic %s, whose log ends at "
            "%lld. Was the log deleted and made anew? Use a new topic name, or another view",
            view, (long long)stands, slot->partition, job->task->topic, (long long)end);
    int64_t next = pos->here ? pos->next : start_of(job, slot);
    if (job->options.arch == ARCH_KAPPA && first > next)
        return err_set(
            err, ERR_GONE,
            "view %s needs offset %lld of partition %d, and topic %s begins at %lld now: "
            "retention has passed it; where an archive has it: --log chain:ARCHIVE-DIR+LOG",
            view, (long long)next, slot->partition, job->task->topic, (long long)first);
    return pos->here && pos->next > 0 ? check_tail(job, slot, pos, first, err) : 0;
}

/* ---- the take ---- */

static int take_fault(struct job *job, struct err *err)
{
    if (!fault_point("take"))
        return 0;
    kv_drop(job->kv);
    return err_set(err, ERR_AWAY, "fault: take");
}

/* WATCH and read one pos. */
static int watch_pos(struct job *job, struct slot *slot, struct pos *pos, struct err *err)
{
    struct kv_reply *replies;
    char *key = key_pos(&job->arena, job->plan->view, job->version, slot->partition);
    kv_words(job->kv, "WATCH", key, NULL);
    kv_words(job->kv, "HGETALL", key, NULL);
    int rc = kv_roundtrip(job->kv, &replies, err);
    return rc < 0 ? rc : pos_decode(&replies[1], pos, err);
}

/* A version that begins behind the beginning has skipped what lies below. */
static void args_start(const struct job *job, struct kv_args *hset, int64_t begin)
{
    struct buf text = {0};
    counters_encode(&(struct counters){.read = begin, .skipped = begin}, &text);
    args_pair(hset, "counters", text.ptr);
    args_int(hset, "floor", job->options.start.floor_ms);
    buf_release(&text);
}

static void args_fresh_pos(const struct job *job, struct kv_args *hset, int64_t first)
{
    args_pair(hset, "plan", job->plan->hash);
    args_int(hset, "next", first);
    args_int(hset, "from", first);
    args_int(hset, "mark", first);
    if (job->options.arch == ARCH_LAMBDA) {
        args_cuts(hset, &first, 1);
        args_handover(hset, job->options.handover);
    }
    if (job->options.start.next)
        args_start(job, hset, first);
}

static int take_error(const struct slot *slot, const struct kv_reply *reply, struct err *err)
{
    char taking[40];
    snprintf(taking, sizeof taking, "taking partition %d: ", slot->partition);
    return kv_error(reply, taking, err);
}

/* EXEC of the take: 1 done, 0 pos was written meanwhile, or a code. A full Redis ends a worker that
 * begins; one that is at work waits for it as for one that is away (job.c: reconnect). */
static int put_token(struct job *job, struct slot *slot, const struct pos *pos, int64_t first,
                     struct err *err)
{
    struct kv_reply *replies;
    char *key = key_pos(&job->arena, job->plan->view, job->version, slot->partition);
    snprintf(slot->token, sizeof slot->token, "%.*s%08x", TOKEN_OURS, job->member, ++job->takes);
    struct kv_args hset = args_new(&job->arena, "HSET", key, "owner", slot->token, NULL);
    if (!pos->here)
        args_fresh_pos(job, &hset, first);
    kv_words(job->kv, "MULTI", NULL);
    args_queue(&hset, job->kv);
    kv_words(job->kv, "EXEC", NULL);
    int rc = kv_roundtrip(job->kv, &replies, err);
    rc = rc < 0 ? rc : take_fault(job, err); /* it landed, its reply is lost (F3) */
    if (rc < 0)
        return rc;
    for (int i = 0; i < 3; i++)
        if (replies[i].type == KV_ERROR)
            return take_error(slot, &replies[i], err);
    return replies[2].type == KV_ARRAY;
}

/* Where the store was emptied (FLUSHALL), or went back to before this version, readers find no view:
 * all that the registry said goes back, or at least what we know by ourselves. */
static int restore_registry(struct job *job, struct err *err)
{
    struct kv_reply *replies;
    const char *view = job->plan->view;
    enum arch arch = job->options.arch;
    int partitions = log_partitions(job->task->log, job->task->topic, err);
    registry_copy_ask(job->kv, view, arch);
    int rc = partitions < 0 ? partitions : kv_roundtrip(job->kv, &replies, err);
    if (rc > 0 && !registry_copy_note(&job->registry, &replies[0]))
        rc = registry_copy_put_back(job->kv, view, arch, &job->registry, err);
    return rc < 0 ? rc
                  : registry_restore(job->kv, job->plan, arch, job->options.handover, partitions,
                                     job->options.version, job->options.start, err);
}

static int take(struct job *job, struct slot *slot, struct err *err)
{
    int64_t first = 0, end = 0;
    int rc = 0;
    for (int i = 0; rc == 0 && i < TAKE_TRIES_MAX; i++) {
        struct pos pos;
        rc = take_fault(job, err);
        rc = rc < 0 ? rc : watch_pos(job, slot, &pos, err);
        if (rc < 0)
            return rc;
        if (!job_may_take(job, slot, &pos)) {
            slot_lose(job, slot, pos.owner);
            pos_release(&pos);
            return 0;
        }
        /* the log after pos: while we paused, both may have grown */
        rc = log_range(job->task->log, job->task->topic, slot->partition, &first, &end, err);
        rc = rc < 0 ? rc : check_pos(job, slot, &pos, first, end, err);
        if (job->options.arch == ARCH_KAPPA)
            first = start_of(job, slot);
        if (rc == 0)
            rc = put_token(job, slot, &pos, first, err);
        pos_release(&pos);
    }
    if (rc == 0)
        return err_set(err, ERR_AWAY, "pos of partition %d changes all the time", slot->partition);
    slot->state = rc == 1 ? SLOT_HELD : SLOT_OUT;
    slot->anyway = slot->anyway && rc != 1;
    return rc < 0 ? rc : 0;
}

/* ---- loading what pos says ---- */

static int rebuild(struct job *job, struct slot *slot, int64_t mark, int64_t to, int64_t T_ms,
                   struct err *err)
{
    struct fold *fold = slot->fold;
    if (job->plan->dedupe_by >= 0 && mark < to) {
        int rc = task_rebuild(job->task, fold, mark, to, err);
        if (rc < 0)
            return rc;
        if (fold->T_ms != T_ms)
            return err_set(
                err, ERR_DATA,
                "partition %d: re-reading [%lld, %lld) gives another T than the view has: "
                "the log is not the one that it was made from",
                slot->partition, (long long)mark, (long long)to);
    }
    fold->next = to;
    fold->T_ms = T_ms;
    return 0;
}

/* Stand on a published boundary at or above what is committed. */
static int jump(struct job *job, struct slot *slot, const struct pos *pos, struct err *err)
{
    struct fold *fold = slot->fold;
    int64_t T_ms = bug_planted("jump-T") ? fold->T_ms : pos->boundary_T_ms;
    int64_t mark = bug_planted("jump-mark") ? pos->boundary : pos->boundary_mark;
    fold_clear(fold);
    int rc = rebuild(job, slot, mark, pos->boundary, T_ms, err);
    if (rc < 0)
        return rc;
    fold->track = true;
    fold->counters = slot->counters;
    fold->counters.read += pos->boundary - slot->next;
    fold->counters.skipped += pos->boundary - slot->next;
    fold->tail_offset = -1;
    slot->waiting = false;
    slot->news = true;
    if (pos->boundary > slot->next && !bug_planted("jump-hole"))
        slot->begin = pos->boundary; /* nobody folds what lies between: no span answers for it */
    while (slot->cut_count > 0 && slot->cuts[slot->cut_count - 1] > pos->boundary)
        slot->cut_count--; /* of a commit that will never be sent */
    slot_add_cut(slot, pos->boundary);
    fold->part = (uint64_t)pos->boundary;
    fold->known_from_ms = INT64_MIN; /* the span is new */
    fold->evicted = false;
    job->task->moved[slot - job->slots] = true;
    job->task->paused[slot - job->slots] = false;
    return 0;
}

static void note_published(const struct job *job, struct slot *slot, const struct pos *pos)
{
    enum handover handover = job->options.handover;
    snprintf(slot->generation, sizeof slot->generation, "%s", pos->generation);
    slot->boundary = pos->boundary;
    slot->needs_from = read_needs_from(handover, pos);
    if (slot->needs_from > slot->from)
        slot->news = true; /* the next commit raises from */
    int64_t unserved_ms = INT64_MIN;
    if (handover == HANDOVER_EVENT_TIME) /* as readers have it */
        unserved_ms = window_bound(plan_of_view(job->plan), pos->previous_T_ms);
    slot->unlink_due = slot->unlink_due || unserved_ms > slot->unserved_ms;
    slot->unserved_ms = unserved_ms;
}

/* The fields that stand in the parts of this slot, from their indexes. */
static int load_fields(struct job *job, struct slot *slot, const struct pos *pos, struct err *err)
{
    int parts = job->options.arch == ARCH_KAPPA ? 1 : pos->cut_count;
    for (int i = 0; i < parts; i++) {
        uint64_t part = job->options.arch == ARCH_KAPPA ? 0 : (uint64_t)pos->cuts[i];
        kv_words(job->kv, "SMEMBERS",
                 key_part(&job->arena, job->plan->view, job->version, slot->partition,
                          part_name(job, &job->arena, part)),
                 NULL);
    }
    struct kv_reply *replies;
    int rc = parts ? kv_roundtrip(job->kv, &replies, err) : 0;
    for (int i = 0; i < rc; i++)
        for (int j = 0; j < replies[i].count; j++) {
            struct cell_field cell;
            uint64_t part = job->options.arch == ARCH_KAPPA ? 0 : (uint64_t)pos->cuts[i];
            if (window_decode(job->plan, replies[i].items[j].text, &cell))
                slot_field_at(slot, part, cell)->added = true;
        }
    slot->unlink_due = true;
    return rc < 0 ? rc : 0;
}

/* Nothing below the topic's first offset can be folded any more: only a batch can answer for it. */
static void step_over(struct job *job, struct slot *slot, int64_t first)
{
    struct fold *fold = slot->fold;
    fold_clear(fold);
    fold->track = true;
    fold->counters = slot->counters;
    fold->counters.read += first - slot->next;
    fold->counters.skipped += first - slot->next;
    fold->next = slot->begin = first;
    slot_add_cut(slot, first);
    fold->part = (uint64_t)first;
    slot->news = slot->waiting = true;
    job->task->paused[slot - job->slots] = true;
}

/* Stand where pos says, with the horizon that belongs to it. */
static int resume(struct job *job, struct slot *slot, const struct pos *pos, struct err *err)
{
    struct fold *fold = slot->fold;
    int rc = job->plan->forgets ? 0 : rebuild(job, slot, pos->mark, pos->next, pos->T_ms, err);
    if (rc < 0)
        return rc;
    fold->next = pos->next;
    fold->track = true;
    fold->counters = pos->counters;
    fold->tail_offset = pos->tail_offset;
    fold->tail_time_ms = pos->tail_time_ms;
    fold->tail_hash = pos->tail_hash;
    fold->part = slot->cut_count ? (uint64_t)slot->cuts[slot->cut_count - 1] : 0;
    fold->evicted = pos->T_ms == INT64_MAX; /* no window begins behind it: none is surely new */
    fold->known_from_ms = pos->T_ms == INT64_MIN || fold->evicted ? INT64_MIN : pos->T_ms + 1;
    if (job->plan->forgets) { /* a floor that was committed is never lowered: cells below it go */
        fold->rules.has_floor = true;
        fold->rules.floor_ms = pos->floor_ms;
        fold->evicted = true; /* T says no more what is new */
    }
    return 0;
}

/* Do we stand on the published boundary? By offset wherever it is at or above what is committed. By the
 * other modes only over what the topic, which begins at first, does not have any more, or had not when
 * from was set: else we fold on, however far ahead a batch is, as speed layers do that know of none. */
static bool is_ahead(const struct job *job, const struct pos *pos, int64_t first)
{
    if (!*pos->generation || pos->boundary < pos->next)
        return false;
    bool nothing_yet = pos->from > 0 && pos->from == pos->next;
    return job->options.handover == HANDOVER_OFFSET ||
           (pos->boundary >= first && pos->boundary >= pos->from &&
            (first > pos->next || nothing_yet));
}

static int load(struct job *job, struct slot *slot, const struct pos *pos, struct err *err)
{
    int i = (int)(slot - job->slots);
    if (!bug_planted("keep-memory"))
        fold_clear(slot->fold);
    slot->next = pos->next;
    slot->floor_ms = pos->floor_ms;
    slot->from = slot->begin = pos->from;
    slot->counters = pos->counters;
    for (int k = 0; k < pos->cut_count; k++)
        slot_add_cut(slot, pos->cuts[k]);
    slot->news = slot->cuts_changed = false;
    job->task->moved[i] = true;
    slot->waiting = job->options.arch == ARCH_LAMBDA && pos->from > pos->boundary;
    job->task->paused[i] = slot->waiting;
    slot->unserved_ms = INT64_MIN;
    note_published(job, slot, pos);
    int64_t first = 0, end;
    int rc = load_fields(job, slot, pos, err);
    if (rc == 0 && job->options.arch == ARCH_LAMBDA)
        rc = log_range(job->task->log, job->task->topic, slot->partition, &first, &end, err);
    if (rc < 0)
        return rc;
    bool ahead = is_ahead(job, pos, first);
    if (first > (ahead ? pos->boundary : pos->next)) {
        step_over(job, slot, first);
        return 0;
    }
    return ahead ? jump(job, slot, pos, err) : resume(job, slot, pos, err);
}

int slot_review(struct job *job, struct slot *slot, const struct pos *pos, struct err *err)
{
    if (!pos->here || !*pos->owner ||
        *pos->owner == '-') { /* '-': made by a batch, owned by nobody */
        slot_drop(job, slot, slot->dealt ? SLOT_OUT : SLOT_LOST); /* FLUSHALL: take again */
        return slot->dealt;
    }
    if (strcmp(pos->owner, slot->token) != 0) {
        slot_lose(job, slot, pos->owner);
        return 0;
    }
    if (pos->next != slot->next)
        return err_set(
            err, ERR_DATA,
            "partition %d of view %s: pos says next %lld where this worker committed %lld; "
            "something else writes into keys lk:*. Stopped",
            slot->partition, job->plan->view, (long long)pos->next, (long long)slot->next);
    if (pos->boundary == slot->boundary && strcmp(pos->generation, slot->generation) == 0)
        return 0;
    note_published(job, slot, pos);
    if (bug_planted("send-again"))
        return 0;
    if (job->options.handover != HANDOVER_OFFSET && !slot->waiting)
        return 0;
    bool ahead = pos->boundary >= slot->next && pos->boundary >= slot->begin;
    return *pos->generation && ahead ? jump(job, slot, pos, err) : 0;
}

/* WATCH all that is held, read it, load what was taken just now and review the rest. */
static int arm(struct job *job, const bool *fresh, bool *again, struct err *err)
{
    struct kv_reply *replies;
    struct pos *positions = mem_zero((size_t)job->count, sizeof *positions);
    job_queue_watch(job);
    int rc = kv_roundtrip(job->kv, &replies, err);
    int at = 1;
    for (int i = 0; rc >= 0 && i < job->count; i++)
        if (job->slots[i].state == SLOT_HELD)
            rc = pos_decode(&replies[at++], &positions[i], err);
    if (rc >= 0)
        *again = !job_note_registry(job, &replies[at]);
    for (int i = 0; rc >= 0 && i < job->count; i++) {
        struct slot *slot = &job->slots[i];
        if (slot->state != SLOT_HELD)
            continue;
        if (!fresh[i] || strcmp(positions[i].owner, slot->token) != 0) {
            if (fresh[i])
                slot->next = positions[i].next;
            rc = slot_review(job, slot, &positions[i], err);
            *again = *again || rc == 1;
            continue;
        }
        rc = load(job, slot, &positions[i], err);
    }
    for (int i = 0; i < job->count; i++)
        pos_release(&positions[i]);
    free(positions);
    return rc < 0 ? rc : 0;
}

int job_take_all(struct job *job, struct err *err)
{
    bool *fresh = mem_zero((size_t)job->count, sizeof *fresh);
    int rc = 0;
    for (bool again = true; rc == 0 && again;) {
        again = false;
        arena_reset(&job->arena);
        for (int i = 0; rc == 0 && i < job->count; i++) {
            fresh[i] = job->slots[i].state == SLOT_OUT;
            if (fresh[i])
                rc = take(job, &job->slots[i], err);
        }
        if (rc == 0)
            rc = restore_registry(job, err);
        if (rc == 0)
            rc = arm(job, fresh, &again, err);
    }
    free(fresh);
    return rc;
}
