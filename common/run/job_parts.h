/* common/run/job_parts.h - what the files of the job share; for them alone.
 *
 *   job.c         the sink: when to commit, when to look, when to evict, what to do on a loss
 *   job_take.c    take, load what pos says, jump to a boundary, arm the WATCHes
 *   job_commit.c  the EXEC: when it is sent, and what follows it
 *   job_touch.c   first touch
 *   job_queue.c   what one partition puts into the EXEC
 *   job_answer.c  what became of it
 *   job_group.c   whose a partition is: dealt by a group, lost to another's token, taken again */
#ifndef LK_RUN_JOB_PARTS_H
#define LK_RUN_JOB_PARTS_H

#include "common/base/map.h"
#include "common/run/job.h"
#include "common/store/pos.h"
#include "common/store/read_rules.h"
#include "common/store/registry_copy.h"

enum slot_state {
    SLOT_OUT,  /* not taken (yet, or any more) */
    SLOT_HELD, /* owner is our token */
    SLOT_LOST, /* another worker has it: for good, or in a group until it is dealt to us (again) */
};

enum { TOKEN_OURS = 24 }; /* so many first letters are alike in all tokens of a job */

/* An entry of a part's index that stands in the store, or is about to. */
struct slot_field {
    uint64_t part;
    struct cell_field cell;
    bool added;    /* SADD was answered */
    bool adding;   /* SADD is in the commit under way */
    bool deleting; /* in the commit under way */
    bool gone;     /* unlinked: below the floor or below from, never to come again */
};

/* One partition of the job. What is committed, what is in the commit under way. */
struct slot {
    int partition;
    enum slot_state state;
    char token[POS_ID_BYTES]; /* the last one put, answered or not */
    bool dealt;               /* by the group; without one always */
    bool anyway;              /* the next take does not ask whose it was */
    int64_t dealt_at_ns;      /* not yet standing at next since; 0: it does, or did */
    int64_t again_at_ns;      /* dealt, another's token: when to take it again; 0: not */
    struct fold *fold;
    bool waiting; /* from > boundary: nothing may be folded until a batch covers it */
    bool news;    /* something besides new events is to be committed */
    /* as committed */
    int64_t next, floor_ms, from;
    /* what the next commit raises from to: below it nothing can be folded any more */
    int64_t begin;
    struct counters counters;
    char generation[POS_ID_BYTES];
    int64_t boundary;
    int64_t needs_from;  /* below it no reader asks for a span (read_rules.h) */
    int64_t unserved_ms; /* event-time: windows below it no reader asks of us; INT64_MIN: none */
    int64_t *cuts;       /* rising; also those of a commit under way */
    int cut_count, cut_capacity;
    int old_cuts; /* the first so many leave pos in the commit under way, their spans the store */
    bool cuts_changed;
    int64_t cut_at_ns; /* when the last one was made */
    struct map fields; /* (part, pane, first) -> slot_field */
    size_t fields_gone;
    uint64_t evicted_at; /* job's answers, when cells left memory last */
    bool unlink_due;     /* look for fields to unlink */
    /* in the commit under way */
    bool sending, sent_cuts;
    int64_t sent_next, sent_floor_ms, sent_from;
    struct counters sent_counters;
    size_t sent_bad;
};

/* What an EXEC takes along; a cheap delivery sends two, each half a commit of its own. */
enum { SENDS_CELLS = 1, SENDS_POS = 2 };

struct job {
    const struct plan *plan;
    struct job_options options;
    char version[16];
    struct kv *kv;
    struct task *task;
    struct slot *slots; /* by index, as the task's folds */
    int count;
    bool shared, deal_changed; /* a group deals the partitions; what it dealt is to be acted on */
    bool *owned;               /* by index: as dealt last */
    char member[POS_ID_BYTES]; /* random; its beginning is that of all our tokens */
    uint32_t takes;
    bool in_flight, looking; /* a commit, or an idle look, awaits its answer */
    int sends;               /* of the EXEC under way or the last one: SENDS_ bits */
    bool landed;             /* the last EXEC was done */
    bool aborted;            /* it was not, as a pos had changed */
    bool full;               /* the last EXEC was refused (-OOM and the like): unlink first */
    const struct kv_refusal *refusal; /* why */
    uint32_t number;                  /* of the commit under way or the last one; cells' `sent` */
    uint64_t answers;                 /* to commits and looks, so far; from 1 on */
    int exec_index;                   /* of EXEC among the replies */
    int queued;                       /* commands between MULTI and EXEC */
    int64_t sent_at_ns, looked_at_ns, trouble_since_ns;
    struct registry_copy registry; /* as last seen */
    int64_t registry_at_ns;        /* when */
    bool registry_asked;           /* behind the WATCH under way */
    struct arena arena;            /* of one commit */
    struct job_stats stats;
};

/* job_take.c */
int job_take_all(struct job *job, struct err *err); /* every slot that is OUT; then arms */
/* What an answer says of a slot that we hold: boundary, or a loss. 1: it must be taken again. */
int slot_review(struct job *job, struct slot *slot, const struct pos *pos, struct err *err);
/* forget all memory of it */
void slot_drop(struct job *job, struct slot *slot, enum slot_state state);
void slot_add_cut(struct slot *slot, int64_t cut);
struct slot_field *slot_field_at(struct slot *slot, uint64_t part, struct cell_field cell);
/* "k", or "s<cut>" of a part, in arena. */
const char *part_name(const struct job *job, struct arena *arena, uint64_t part);

/* job_group.c */
void job_group_begin(struct job *job); /* without a group every partition is dealt from the start */
bool job_may_take(const struct job *job, const struct slot *slot, const struct pos *pos);
/* owner, another worker's token, stands in pos. */
void slot_lose(struct job *job, struct slot *slot, const char *owner);
/* Act on what the group has dealt, and on pauses that are over. A code as of a commit or a take. */
int job_deal(struct job *job, struct err *err);
void job_tell_hand_overs(struct job *job); /* of partitions that stand at their next by now */
void slot_note(struct job *job, const struct slot *slot); /* where it stands, to the group */

/* job_commit.c */
bool job_makes_cuts(const struct job *job); /* lambda, but by event time: one span for all */
bool slot_dirty(const struct job *job, const struct slot *slot);
int job_send(struct job *job, bool cut, struct err *err); /* a commit of what is dirty */
int job_send_look(struct job *job, struct err *err);      /* WATCH and pos, no EXEC */
/* What is built stands in the job's arena, and nothing of it outlives a piece: is there enough of it to be
 * sent? Send it. */
bool job_piece_full(const struct job *job);
void job_piece_send(struct job *job);

/* job_touch.c */
/* changed cells that are unread yet: read, merge */
int job_touch(struct job *job, struct err *err);
/* In the job's arena: the key of the hash that holds a cell, and the cell's name in it. */
char *job_cell_key(struct job *job, const struct slot *slot, uint64_t part, struct cell_field cell);
struct bytes job_cell_json(struct job *job, const struct cell *cell);

/* job_queue.c */
/* If it is dirty: what it puts into the EXEC; cut: with a cut at its end. */
void job_queue_slot(struct job *job, struct slot *slot, bool cut);
/* Instead, where the store is full: what lies below the floor goes, by script. */
void job_queue_deletions(struct job *job, struct slot *slot);

/* job_answer.c */
/* Handle the answer. 0, ERR_AWAY: the connection is lost, or a code that ends the worker. */
int job_answer(struct job *job, struct err *err);
/* WATCH and HGETALL of every slot held; now and then of the registry too. */
void job_queue_watch(struct job *job);
/* Its answer, if it was asked for; false: there is no registry any more. */
bool job_note_registry(struct job *job, const struct kv_reply *reply);

#endif
