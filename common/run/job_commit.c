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
#include "common/run/job_parts.h"

/* As much as is built before it is sent: small beside any budget, and enough for some thousand cells. */
enum { REGISTRY_NS = 500000000, PIECE_BYTES = 256 << 10 };

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

bool job_piece_full(const struct job *job)
{
    return arena_taken(&job->arena) >= PIECE_BYTES;
}

/* A connection that breaks here is down, which the EXEC's sending says. */
void job_piece_send(struct job *job)
{
    struct err ignored = {0};
    kv_send(job->kv, &ignored);
    arena_reset(&job->arena);
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
        job_queue_deletions(job, &job->slots[i]);
    kv_words(job->kv, "MULTI", NULL);
    for (int i = 0; !job->full && i < job->count; i++)
        job_queue_slot(job, &job->slots[i], cut);
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
    int rc = job->full ? 0 : job_touch(job, err);
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
