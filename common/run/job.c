/* common/run/job.c - the sink of speed and kappa: when to commit, to look, to evict; what to do on
 * a loss. See job.h and job_parts.h. */
#include "common/run/job.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/rng.h"
#include "common/base/stop.h"
#include "common/run/job_parts.h"
#include "common/store/aof.h"

enum {
    LOOK_MS = 1000,
    CHANGED_CELLS_MAX = 20000,
    RETRY_MS = 50,
    TIMEOUT_MIN_MS = 1000,
    TIMEOUT_MAX_MS = 30000
};
enum { CUTS_EASY = 256, DOUBLED_MAX = 12 };
enum { SHARES = 4 }; /* of its memory, a partition's changes may take one */

/* A Redis that says nothing is given up in time to look for it again before the patience ends. */
static int timeout_ms(const struct job_options *options)
{
    int ms = options->patience_ms / 2;
    return ms < TIMEOUT_MIN_MS ? TIMEOUT_MIN_MS : ms > TIMEOUT_MAX_MS ? TIMEOUT_MAX_MS : ms;
}

int job_open(const struct plan *plan, const struct job_options *options, struct job **out,
             struct err *err)
{
    struct kv *kv;
    int rc = kv_open(options->view_uri, &kv, err);
    if (rc < 0)
        return rc;
    struct job *job = mem_zero(1, sizeof *job);
    job->plan = plan;
    job->options = *options;
    job->answers = 1; /* evicted_at 0: not yet */
    job->kv = kv;
    kv_timeout(kv, timeout_ms(options));
    registry_version_name(options->arch, options->version, job->version);
    random_token(job->member);
    *out = job;
    return 0;
}

void job_stats(const struct job *job, struct job_stats *out)
{
    *out = job->stats;
    kv_traffic(job->kv, &out->sent_bytes, &out->received_bytes);
}

void job_close(struct job *job)
{
    if (!job)
        return;
    for (int i = 0; i < job->count; i++) {
        free(job->slots[i].cuts);
        map_release(&job->slots[i].fields);
    }
    free(job->slots);
    free(job->owned);
    kv_close(job->kv);
    arena_release(&job->arena);
    registry_copy_release(&job->registry);
    free(job);
}

/* ---- losses ---- */

static bool out_of_patience(struct job *job)
{
    int64_t now = clock_mono_ns();
    if (job->trouble_since_ns == 0)
        job->trouble_since_ns = now;
    return now - job->trouble_since_ns > (int64_t)job->options.patience_ms * 1000000;
}

/* The connection is lost: whether Redis went back in time is unknown, so all memory goes. Also where
 * the log was away in the middle of a take: some partitions are then taken and not loaded. */
static int reconnect(struct job *job, struct err *err)
{
    job->in_flight = job->looking = job->full = false;
    job->stats.reconnects++;
    for (;;) {
        struct err cause = {0};
        for (int i = 0; i < job->count; i++) /* also what the try before has taken */
            if (job->slots[i].state == SLOT_HELD)
                slot_drop(job, &job->slots[i], SLOT_OUT);
        fault_point("reconnect");
        int rc = kv_reconnect(job->kv, &cause);
        if (rc == 0)
            rc = aof_renew(job->kv, &cause);
        if (rc == 0)
            rc = job_take_all(job, &cause);
        if (rc == 0)
            return 0;
        if (stop_asked())
            return err_set(err, ERR_INTERRUPTED, "interrupted while waiting: %s", cause.text);
        if ((rc != ERR_AWAY && rc != ERR_FULL) || out_of_patience(job)) {
            if (err)
                *err = cause;
            return rc;
        }
        clock_sleep_ms(RETRY_MS);
    }
}

/* Turns the loss of a connection into a new one, as a take that was refused for now; other codes pass. */
static int mend(struct job *job, int rc, struct err *err)
{
    if (rc != ERR_AWAY && (rc != ERR_FULL || out_of_patience(job)))
        return rc;
    err_clear(err);
    rc = reconnect(job, err);
    if (rc == 0)
        job->trouble_since_ns = 0;
    return rc;
}

static int still_something_held(const struct job *job, struct err *err)
{
    if (job->shared)
        return 0; /* the group may deal more */
    for (int i = 0; i < job->count; i++)
        if (job->slots[i].state != SLOT_LOST)
            return 0;
    return err_set(
        err, ERR_LOST,
        "every partition of this worker was taken by another; nothing was written since. "
        "Start it again only if the other one is to stop");
}

/* ---- when ---- */

static bool any_dirty(const struct job *job)
{
    for (int i = 0; i < job->count; i++)
        if (slot_dirty(job, &job->slots[i]))
            return true;
    return false;
}

/* What the cells of one partition may take. */
static size_t memory_share(const struct job *job)
{
    int held = 0;
    for (int i = 0; i < job->count; i++)
        held += job->slots[i].state == SLOT_HELD;
    int64_t memory_bytes = job->options.memory_bytes * (bug_planted("more-memory") ? 16 : 1);
    return (size_t)(memory_bytes / (held ? held : 1));
}

/* What is to be committed takes as much of its partition's memory as it may. One share is in the commit under
 * way, one is what has changed since, and the rest may be clean: so eviction always finds room. */
static bool changes_fill(const struct fold *fold, size_t memory)
{
    return cells_changed_bytes(&fold->cells) + fold->bad_count * sizeof *fold->bad >
           memory / SHARES;
}

static bool much_changed(const struct job *job)
{
    size_t changed = 0, memory = memory_share(job);
    for (int i = 0; i < job->count; i++) {
        if (job->slots[i].state != SLOT_HELD)
            continue;
        if (changes_fill(job->slots[i].fold, memory))
            return true;
        changed += job->slots[i].fold->cells.changed_count;
    }
    return changed > CHANGED_CELLS_MAX;
}

/* How long this span lasts. Cuts stay in pos until a batch is published above them: while none is, each
 * CUTS_EASY of them double the wait for the next one, so that a day without a batch is some thousand. */
static int64_t span_ns(const struct job *job, const struct slot *slot)
{
    int doubled = slot->cut_count / CUTS_EASY;
    return (int64_t)job->options.span_ms * 1000000
           << (doubled < DOUBLED_MAX ? doubled : DOUBLED_MAX);
}

static bool cut_due(const struct job *job)
{
    if (!job_makes_cuts(job))
        return false;
    int64_t now = clock_mono_ns();
    for (int i = 0; i < job->count; i++) {
        const struct slot *slot = &job->slots[i];
        if (slot->state == SLOT_HELD && !slot->waiting &&
            slot->fold->next > (int64_t)slot->fold->part &&
            now - slot->cut_at_ns >= span_ns(job, slot))
            return true;
    }
    return false;
}

/* A cut is a commit of its own even where nothing else is new. */
static void ask_cuts(struct job *job)
{
    for (int i = 0; i < job->count; i++)
        if (job->slots[i].fold->next > (int64_t)job->slots[i].fold->part)
            job->slots[i].news = true;
}

static bool is_clean(const struct cell *cell, void *context)
{
    const struct job *job = context;
    return !(cell->state & CELL_DIRTY) && !(job->in_flight && cell->sent == job->number);
}

/* Only clean, answered cells leave memory; between two answers none become so. */
static void evict(struct job *job)
{
    size_t limit = memory_share(job);
    for (int i = 0; i < job->count; i++) {
        struct slot *slot = &job->slots[i];
        struct fold *fold = slot->fold;
        if (slot->state != SLOT_HELD || cells_bytes(&fold->cells) <= limit ||
            slot->evicted_at == job->answers)
            continue;
        slot->evicted_at = job->answers;
        fault_point("evict");
        if (cells_evict(&fold->cells, is_clean, job) > 0 && !bug_planted("new-window"))
            fold->evicted = true;
    }
}

/* A partition that has no room for more changes, or for more cells of which none may leave (Redis is slow,
 * away or full), is not read on until a commit is answered. */
static void hold_back(struct job *job)
{
    size_t limit = memory_share(job);
    for (int i = 0; i < job->count; i++) {
        const struct slot *slot = &job->slots[i];
        if (slot->state != SLOT_HELD || slot->waiting)
            continue;
        const struct fold *fold = slot->fold;
        bool unanswered = job->in_flight || job->full || fold->cells.changed_count > 0;
        job->task->paused[i] =
            unanswered && (changes_fill(fold, limit) || cells_bytes(&fold->cells) > limit);
    }
}

/* Is there a partition that could be folded on? */
static bool any_goes_on(const struct job *job)
{
    const struct task *task = job->task;
    for (int i = 0; i < job->count; i++)
        if (job->slots[i].state == SLOT_HELD && !task->paused[i] &&
            !(task->until && task->folds[i].next >= task->until[i]))
            return true;
    return false;
}

/* ---- the sink ---- */

static int job_begin(void *state, struct task *task, struct err *err)
{
    struct job *job = state;
    job->task = task;
    job->count = task->count;
    job->slots = mem_zero((size_t)task->count, sizeof *job->slots);
    for (int i = 0; i < task->count; i++) {
        job->slots[i].partition = task->partitions[i];
        job->slots[i].fold = &task->folds[i];
        task->paused[i] = true;
        map_init(&job->slots[i].fields, sizeof(struct slot_field));
    }
    job_group_begin(job);
    job->looked_at_ns = clock_mono_ns();
    int rc = aof_renew(job->kv, err);
    if (rc == 0)
        rc = job_take_all(job, err);
    rc = rc == ERR_FULL ? rc : mend(job, rc, err); /* a full one is not worth a beginning */
    return rc < 0 ? rc : still_something_held(job, err);
}

static int refused_for_too_long(struct job *job, struct err *err)
{
    if (!job->full || !out_of_patience(job))
        return 0;
    return err_set(
        err, ERR_FULL,
        "Redis %s (%s) for longer than --patience; nothing was lost: %s, then start this worker "
        "again",
        job->refusal->what, job->refusal->word, job->refusal->remedy);
}

/* At its time; at once where the one before was aborted (a batch has landed meanwhile); earlier where much
 * has changed, but not the same again to a Redis that refuses it. */
static bool commit_due(const struct job *job)
{
    int64_t since_ms = (clock_mono_ns() - job->sent_at_ns) / 1000000;
    return since_ms >= job->options.commit_ms || job->aborted ||
           (job->trouble_since_ns == 0 && much_changed(job));
}

/* What is due: take the answer; send a commit, or look. */
static int act(struct job *job, struct err *err)
{
    int rc = 0;
    if (job->in_flight || job->looking) {
        if (!kv_ready(job->kv, 0))
            return 0;
        rc = job_answer(job, err);
    }
    rc = rc < 0 ? rc : refused_for_too_long(job, err);
    if (rc < 0)
        return rc;
    bool cut = cut_due(job);
    if (cut)
        ask_cuts(job);
    if (commit_due(job) && any_dirty(job))
        return job_send(job, cut, err);
    if ((clock_mono_ns() - job->looked_at_ns) / 1000000 >= LOOK_MS)
        return job_send_look(job, err);
    return 0;
}

static int turn(struct job *job, struct err *err)
{
    int rc = job_deal(job, err);
    rc = mend(job, rc == 0 ? act(job, err) : rc, err);
    if (rc == 0) {
        job_tell_hand_overs(job);
        evict(job);
        hold_back(job);
    }
    return rc < 0 ? rc : still_something_held(job, err);
}

/* Where nothing can be folded before a commit is answered, that answer is waited for, and not the log. */
static int job_tick(void *state, struct task *task, struct err *err)
{
    struct job *job = state;
    int rc = turn(job, err);
    if (rc == 0 && job->in_flight && !any_goes_on(job) && kv_ready(job->kv, task->wait_ms))
        rc = turn(job, err);
    return rc;
}

static bool any_lost(const struct job *job)
{
    return !job->shared && job->stats.lost > 0;
}

/* Commit the rest, with a cut, and wait for each answer. */
static int commit_rest(struct job *job, struct err *err)
{
    int rc = job->in_flight || job->looking ? job_answer(job, err) : 0;
    if (rc == 0 && job_makes_cuts(job))
        ask_cuts(job);
    while (rc == 0 && any_dirty(job)) {
        rc = refused_for_too_long(job, err);
        if (rc == 0)
            rc = job_send(job, true, err);
        if (rc == 0)
            rc = job_answer(job, err);
        if (job->full)
            clock_sleep_ms(RETRY_MS);
    }
    return rc;
}

static int job_end(void *state, struct task *task, struct err *err)
{
    (void)task;
    struct job *job = state;
    int rc = commit_rest(job, err);
    if (rc == ERR_AWAY) {
        rc = mend(job, rc, err);
        return rc < 0 ? rc : 1; /* memory was dropped: fold again what was not committed */
    }
    if (rc == 0 && any_lost(job))
        rc =
            err_set(err, ERR_LOST, "%lld partitions were taken by another worker; the rest is done",
                    (long long)job->stats.lost);
    return rc;
}

const struct task_sink job_sink = {.begin = job_begin, .tick = job_tick, .end = job_end};
