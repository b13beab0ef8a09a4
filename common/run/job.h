/* common/run/job.h - the sink of speed and kappa: take, commit, and all that can go wrong between.
 *
 * The protocol of design.md section 7, model-checked in tests/model/store.pml and handover.pml: the
 * fault points carry the names of the models' steps. One connection, one commit in flight, over all
 * the worker's partitions.
 * Without a group the assignment is static: a worker keeps taking its partitions, also after any
 * reconnect, until it sees on a living connection that another worker has put its own token: then
 * it says so and drops the partition (with two workers at once exactly one goes on).
 * In a group the group deals and the token owns. Newly dealt: taken, whoever owns it. After a
 * reconnect or a FLUSHALL: taken again only if it is our own (all tokens of a job begin alike, so it
 * knows those too whose take was never answered) or nobody's. Another's: dropped, and taken again
 * after a session if it is dealt to us still. The pause is what keeps two members from taking it
 * from each other for ever: a member that has not heard of the group for a session lets go what it
 * was dealt, so whoever still believes in it after that is right. Without taking again a partition
 * whose owner died in between would be nobody's (README of tests/model, G1 to G3).
 * Opaque; a task's thread. */
#ifndef LK_RUN_JOB_H
#define LK_RUN_JOB_H

#include "common/run/task.h"
#include "common/store/registry.h"

struct job_options {
    const char *view_uri;
    enum arch arch;
    int version;
    struct registry_start start; /* kappa: where the version begins; next is borrowed */
    enum handover handover;      /* lambda: of the view */
    int commit_ms;               /* between commits; never shorter than the last one took */
    int span_ms;                 /* lambda: a cut at least this often */
    int64_t memory_bytes;        /* that the folds' cells may take together */
    int patience_ms;             /* how long Redis may be away or full before we give up */
};

struct job_stats {
    int64_t commits, cells, aborted, reconnects, lost;
    int64_t bad; /* events whose reason was committed for lk dlq */
    int64_t sent_bytes, received_bytes;
    int64_t commit_us_max;
    int64_t hand_overs, hand_over_us_max; /* group: from being dealt to standing at next */
};

struct job;
int job_open(const struct plan *plan, const struct job_options *options, struct job **out,
             struct err *err);
void job_stats(const struct job *job, struct job_stats *out);
void job_close(struct job *job);
extern const struct task_sink job_sink; /* state: struct job */

/* A whole worker process: the plan's job over some partitions, on `workers` threads that share them
 * out. until_end: stop at the ends that the log has now. Returns 0, ERR_INTERRUPTED, or why it
 * ended. */
struct worker_options {
    const struct plan *plan;
    const char *log_uri, *topic;
    const int *partitions; /* NULL: all */
    int count;
    int workers;
    int handover; /* lambda: the mode asked for, or HANDOVER_AS_IT_IS */
    bool until_end;
    /* kappa: where a new version begins (kappa/start.h); NULL: at the beginning */
    const char *from;
    double rate; /* events a second up to where the log ends now; 0: as fast as it goes */
    /* Positions are noted under <name>.<view>.<version>; name NULL: lk. Shared: the group deals the
     * partitions (until_end and partitions are refused); each thread is a member. */
    struct log_group group;
    struct job_options job;
};
struct worker_result {
    int64_t events, bytes, wall_ns;
    struct job_stats stats;
};
int worker_run(const struct worker_options *options, struct worker_result *result, struct err *err);
/* The same with the log already open, the partitions given and the ends known (until NULL: none).
 */
int worker_run_on(const struct worker_options *options, struct log *log, const int64_t *until,
                  struct worker_result *result, struct err *err);

#endif
