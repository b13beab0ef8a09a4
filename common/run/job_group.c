/* common/run/job_group.c - whose a partition is: dealt by a group, lost to another's token, taken
 * again. (model: GROUP.)
 *
 *     not dealt --dealt--> OUT, anyway --take--> HELD --dealt away--> commit what is dirty, forget
 *                           ^                     | another's token, or a reconnect that finds one
 *                           └── a session later ──┴─> LOST, still dealt
 *
 * Only speed hangs on what the group says, and on the last commit at being dealt away; that nothing
 * is lost or doubled hangs on the token alone. */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/run/job_parts.h"

enum { SESSION_MS = 10000 };

void job_group_begin(struct job *job)
{
    const struct log_group *group = job->task->group;
    job->shared = group && group->shared;
    job->owned = mem_zero((size_t)job->count, sizeof *job->owned);
    for (int i = 0; i < job->count; i++) {
        job->slots[i].dealt = !job->shared;
        if (job->shared)
            slot_drop(job, &job->slots[i], SLOT_LOST);
    }
}

static bool is_ours(const struct job *job, const char *owner)
{
    return strncmp(owner, job->member, TOKEN_OURS) == 0;
}

bool job_may_take(const struct job *job, const struct slot *slot, const struct pos *pos)
{
    return !job->shared || slot->anyway || !pos->here || !*pos->owner || *pos->owner == '-' ||
           is_ours(job, pos->owner);
}

/* How long what we were told may be untrue: a member unheard for a session has left its group. */
static int pause_ms(const struct job *job)
{
    int session_ms = job->task->group->session_ms;
    return session_ms > 0 ? session_ms : SESSION_MS;
}

void slot_lose(struct job *job, struct slot *slot, const char *owner)
{
    slot_drop(job, slot, SLOT_LOST);
    if (!slot->dealt)
        return; /* so it should be */
    job->stats.lost++;
    if (job->shared)
        slot->again_at_ns = clock_mono_ns() + pause_ms(job) * INT64_C(1000000);
    fprintf(stderr,
            "lk: partition %d of view %s was taken by another worker (token %.8s...); this one "
            "wrote nothing since and drops it%s\n",
            slot->partition, job->plan->view, owner,
            job->shared ? "; if the group deals it to us still, it is taken again in a session"
                        : "");
}

/* ---- what the group deals ---- */

/* What is dealt to another is committed first, in one round trip: it need not be folded again. An
 * abort means that the other one has taken it already. */
static int let_go(struct job *job, struct err *err)
{
    bool dirty = false;
    for (int i = 0; i < job->count; i++) {
        struct slot *slot = &job->slots[i];
        if (job->owned[i] || !slot->dealt)
            continue;
        dirty = dirty || slot_dirty(job, slot);
        slot->dealt = slot->anyway = false;
        slot->dealt_at_ns = slot->again_at_ns = 0;
    }
    int rc = dirty && !job->full ? job_send(job, false, err) : 0;
    if (rc == 0 && job->in_flight)
        rc = job_answer(job, err);
    for (int i = 0; i < job->count; i++)
        if (!job->slots[i].dealt && job->slots[i].state != SLOT_LOST)
            slot_drop(job, &job->slots[i], SLOT_LOST);
    return rc;
}

static void want(struct job *job, struct slot *slot)
{
    slot->state = SLOT_OUT;
    slot->anyway = true;
    slot->again_at_ns = 0;
    job->task->lost[slot - job->slots] = false;
}

/* Note what is to be taken: newly dealt, or after its pause. */
static bool want_dealt(struct job *job)
{
    bool any = false;
    int64_t now = clock_mono_ns();
    for (int i = 0; i < job->count; i++) {
        struct slot *slot = &job->slots[i];
        bool fresh = job->owned[i] && !slot->dealt;
        if (!fresh && !(slot->again_at_ns && now >= slot->again_at_ns))
            continue;
        if (fresh)
            slot->dealt_at_ns = now;
        slot->dealt = any = true;
        want(job, slot);
    }
    return any;
}

static bool pause_over(const struct job *job)
{
    int64_t now = clock_mono_ns();
    for (int i = 0; i < job->count; i++)
        if (job->slots[i].again_at_ns && now >= job->slots[i].again_at_ns)
            return true;
    return false;
}

int job_deal(struct job *job, struct err *err)
{
    if (!job->shared)
        return 0;
    int rc = log_owned(job->task->reader, job->owned, err);
    if (rc < 0)
        return rc;
    job->deal_changed = job->deal_changed || rc == 1;
    if (!job->deal_changed && !pause_over(job))
        return 0;
    rc = job->in_flight || job->looking ? job_answer(job, err) : 0;
    if (rc == 0)
        rc = let_go(job, err);
    if (rc < 0)
        return rc;
    job->deal_changed = false;
    return want_dealt(job) ? job_take_all(job, err) : 0;
}

void job_tell_hand_overs(struct job *job)
{
    for (int i = 0; job->shared && i < job->count; i++) {
        struct slot *slot = &job->slots[i];
        if (slot->state != SLOT_HELD || !slot->dealt_at_ns)
            continue;
        int64_t took_us = (clock_mono_ns() - slot->dealt_at_ns) / 1000;
        slot->dealt_at_ns = 0;
        job->stats.hand_overs++;
        if (took_us > job->stats.hand_over_us_max)
            job->stats.hand_over_us_max = took_us;
        fprintf(stderr, "partition %d: dealt, taken and loaded in %.1f ms\n", slot->partition,
                (double)took_us / 1000);
    }
}

void slot_note(struct job *job, const struct slot *slot)
{
    if (job->task->group && (!job->shared || job->owned[slot - job->slots]))
        log_note(job->task->reader, slot->partition, slot->next);
}
