/* bench/run.h - one comparison under way: what compare.c, sampler.c, judge.c and result.c share.
 *
 *   prepare.c  what is to be done: plans, stream, strikes, log  -> struct run
 *   launch.c   starts the processes
 *   attach.c   instead of both: waits and reads where all of it runs elsewhere
 *   watch.c    watches, heals, until all is settled             -> raw samples in it
 *   faults.c   strikes, and starts again what is down
 *   compare.c  the plot of it all, and the end: stop, release
 *   sampler.c  two threads a pipeline: keyed reads at Poisson times, whole reads now and then
 *   handover.c what the hand-over of a lambda lost or counted twice, where several are compared
 *   judge.c    after the run: freshness per event, each whole read against contract and truth
 *   result.c   metrics, checks and findings -> run.json, samples.jsonl, result.json, the table */
#ifndef LK_BENCH_RUN_H
#define LK_BENCH_RUN_H

#include <pthread.h>

#include "bench/broker.h"
#include "bench/compare.h"
#include "bench/faults.h"
#include "bench/process.h"
#include "bench/redis_server.h"
#include "common/base/hist.h"
#include "common/log/log.h"
#include "common/run/pipeline.h"
#include "common/store/answer.h"
#include "common/store/handover.h"

enum {
    SIDES_MAX = FAULT_SIDES_MAX,
    CHILDREN_MAX = 12,
    HISTORY_MAX = 256,
    HAPPENINGS_MAX = 256,
    CHECKS_MAX = 32
};

/* One logical read of one key: when, and what it covered. */
struct probe {
    int64_t sent_ns, done_ns; /* CLOCK_REALTIME */
    int64_t *next;            /* by partition */
};

/* One whole read: its positions and its digest; the rows are not kept, since an answer whose digest
 * is the contract's is the contract's. */
struct whole {
    int64_t sent_ns, done_ns;
    int version;
    bool exact, balanced;
    enum handover handover; /* as the view was read */
    size_t rows;
    char digest[33];
    struct answer_part *parts; /* by partition */
    /* by judge.c */
    bool judged, equal;
    size_t rows_wrong, rows_true;
    size_t rows_off; /* that differ from what the hand-over by offset would say there */
    double missing_share;
    /* by handover.c */
    size_t rows_of; /* rows of the longer of these two answers */
    double lost_share,
        twice_share; /* of its events: missing from their rows; there once too often */
};

struct sampler {
    struct run *run;
    struct side *side;
    uint64_t seed;
    pthread_t thread;
    struct arena arena;
    struct probe *probes;
    struct whole *wholes;
    size_t count, capacity;
    _Atomic int64_t answered_ns; /* sent_ns of its newest answer */
    int64_t refused;             /* reads that ended in an error after the view was up */
    char refusal[200];
    struct hist took_us;
};

/* One pipeline of the run, under a name of its own. */
struct side {
    const char *name; /* "lambda", "kappa"; of several hand-overs that of each */
    const struct pipeline *pipeline;
    enum handover handover; /* lambda: that its view is made with */
    struct redis_server redis;
    struct process children[CHILDREN_MAX];
    int child_count;
    char view[64];     /* redis://127.0.0.1:PORT */
    char archive[512]; /* directory, used or not */
    struct sampler probing, reading;
    pthread_mutex_t lock; /* of key and window */
    char key[256];        /* of some row of the last whole read; "" none yet */
    int64_t window_ms;
    int healing_at;                            /* next step of pipeline->healing */
    int64_t healing_began_ns, healing_done_ns; /* 0: not yet */
    int64_t killed_ns;
    int victim;                      /* index in children, -1 none */
    double sampled_s, sampled_cpu_s; /* since began: the last look at what its processes use */
    double redis_mb;                 /* used_memory at the end */
    double archive_mb;
    int64_t late; /* by judge.c: events that the rules of the first version left out */
    /* by judge.c */
    struct hist fresh_us, calm_us; /* of all events; of those seen before the first fault */
    struct buf fresh_lines;        /* samples.jsonl */
    int64_t recovery_us;           /* the longest; -1: no fault, or never recovered */
    double error_seconds;          /* missing share, integrated over the run */
    int64_t healed_ns;             /* first whole read from which on nothing was wrong; 0: never */
    size_t wrong_before_healing, rows_true;
    double missing_before_healing;
    double off_mean, off_worst; /* share of the rows off the contract by offset, over whole reads */
    bool contract_held, final_true;
    size_t judged;
    size_t answers_off; /* of them, by the hand-over */
    double lost_worst, twice_worst;
};

struct happening {
    int64_t at_ns, until_ns; /* monotonic; until 0: an instant */
    const char *pipeline;
    char what[128];
};

struct past {
    const char *pipeline;
    char name[64], fate[320];
    int64_t began_ns, ended_ns;
};

struct check {
    char name[96];
    bool pass;
    char detail[256];
};

struct run {
    struct compare_options options;
    char dir[400], work[440];
    char log_uri[1024], topic[LOG_TOPIC_MAX + 1];
    bool log_is_ours; /* embedded, in the work folder; else it was there before and stays */
    struct log *log;
    struct buf plan_json, healed_json;
    struct buf speed_layer; /* lambda's, in words: mirrored, or cheap and how */
    bool faulty;            /* by the plan it may count twice, lose or forget when it dies */
    bool heals;             /* the healed plan is another plan */
    const char *table_dir;  /* where the plans' table stands */
    char plan_path[500], healed_path[500]; /* there; removed at the end where it is the user's */
    struct process generator;
    struct side sides[SIDES_MAX];
    int side_count;
    int64_t began_ns, began_wall_ns, ended_ns; /* began: the schedule's start */
    int64_t events, duration_ns;               /* of the stream */
    int64_t heal_after_ns;                     /* since began */
    struct schedule schedule;
    struct strike *strikes; /* one a fault of the schedule */
    int strike_count;
    struct broker broker; /* where the log is Kafka's */
    int64_t sampled_at_ns;
    int64_t watched_ns; /* CLOCK_REALTIME; attach: events due before were not watched. 0: all are */
    _Atomic bool sampling_over;
    struct past history[HISTORY_MAX];
    int history_count;
    struct happening happenings[HAPPENINGS_MAX];
    int happening_count;
    struct check checks[CHECKS_MAX];
    int check_count;
    struct buf samples; /* cpu and rss lines */
    double log_mb;
};

void run_check(struct run *run, const char *name, bool pass, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same of one side: "kappa: counters balance". */
void side_check(struct run *run, const struct side *side, const char *fact, bool pass,
                const char *format, ...) __attribute__((format(printf, 5, 6)));
void run_happening(struct run *run, const char *pipeline, int64_t at_ns, int64_t until_ns,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* compare.c */
void run_remember(struct run *run, const struct process *process); /* into the history */
/* A sentence on stderr, in the place of the progress. */
void run_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* prepare.c */
int run_prepare(struct run *run, struct err *err);

/* launch.c */
int run_start(struct run *run, struct err *err);
/* The process of one command of a pipeline, its placeholders filled in; not started. */
struct process *run_child(struct run *run, struct side *side, const struct pipeline_process *what);

/* attach.c: the log and topic that are there; then until both views hold everything. */
int attach_open(struct run *run, struct err *err);
int attach_watch(struct run *run, struct err *err);

/* watch.c: until the generator has ended and both views hold everything. */
int run_watch(struct run *run, struct err *err);

/* sampler.c: started once the views are up. */
void sampler_start(struct run *run, struct side *side);
void sampler_stop(struct run *run, struct side *side); /* with one last whole read */
void sampler_release(struct side *side);
/* Are the view's positions all at the log's ends (and, with batches, its boundaries too)? */
bool side_settled(struct run *run, struct side *side);
/* Changes whenever the view's positions or boundaries do; -1 where it cannot be read. */
int64_t side_progress(struct run *run, struct side *side);
/* Can the view be read at all? */
bool side_up(struct run *run, struct side *side);

/* judge.c */
int run_judge(struct run *run, struct err *err);

/* handover.c: how far a read is from the exact answer at its positions; count: the value that says how many. */
void handover_judge(struct whole *whole, const struct answer *found, const struct answer *exact,
                    const char *count);
/* All reads of a side are judged: their lines of samples.jsonl, the worst, and what must hold. */
void handover_sum(struct run *run, struct side *side);

/* result.c */
int run_report(struct run *run, FILE *out, bool *pass, struct err *err);

#endif
