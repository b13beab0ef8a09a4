/* bench/evolve_parts.h - one architecture under change: what the files evolve_*.c share. For them alone.
 *
 *   evolve.c        the order of a play
 *   evolve_stage.c  where it is played: log, plans, Redis, processes
 *   evolve_ways.c   the steps, architecture by architecture
 *   evolve_watch.c  who looks meanwhile: applications, a freshness probe, memory and CPU
 *   evolve_judge.c  what each answer was: by the old rule, the new one, or neither
 *   evolve_page.c   the table, and what the report is made of */
#ifndef LK_BENCH_EVOLVE_PARTS_H
#define LK_BENCH_EVOLVE_PARTS_H

#include <pthread.h>

#include "bench/evolve.h"
#include "bench/process.h"
#include "bench/redis_server.h"
#include "common/log/log.h"
#include "common/plan/plan.h"
#include "common/store/read.h"

enum {
    EVOLVE_PARTITIONS = 4,
    READERS_MAX = 16,
    ACTORS_MAX = 12,
    KEY_BYTES = 128,
    MOMENTS_MAX = 24
};

enum rule { RULE_OLD, RULE_NEW, RULES };

/* ---- steps ---- */

enum evolve_kind {
    STEP_END,
    STEP_START,     /* a verb that stays: `who` */
    STEP_RUN,       /* a verb, to its end */
    STEP_CAUGHT_UP, /* wait until the new rule's view holds what the log holds now, batches included */
    STEP_TELL,      /* each application in turn is told which view to ask: `rule` */
    STEP_LOOK,      /* somebody looks for LOOK_MS */
    STEP_STOP,      /* `who` */
};
enum { TELL_MS = 100, LOOK_MS = 1000 };

/* Words in braces: {plan} {new} {log} {topic} {view} {archive}. */
struct evolve_step {
    enum evolve_kind kind;
    const char *who, *command;
    bool flips; /* a pointer */
    enum rule rule;
};

struct evolve_way {
    const char *name;
    enum arch arch;
    const char *rename; /* the view's name under the new rule; NULL: the same, another version */
    bool batches;
    struct evolve_step services[6], change[8], back[4], clean[6];
    const char *story;
};
extern const struct evolve_way EVOLVE_WAYS[2];

/* ---- what was seen ---- */

/* One answer of an application. */
struct seen {
    int64_t done_ns;     /* monotonic */
    enum rule named;     /* by the version, or the view that was asked */
    char key[KEY_BYTES]; /* "": all keys */
    char digest[33];
    struct answer_part *parts;
    /* by evolve_judge.c */
    enum rule rule;
    bool neither;
};

struct application {
    struct evolve_side *side;
    uint64_t seed;
    pthread_t thread;
    bool running;
    _Atomic int ask; /* enum rule: the view that it was told to ask */
    struct arena arena;
    struct seen *seen;
    size_t count, capacity;
    int64_t refused;
    char refusal[200];
};

struct evolve_probe {
    int64_t done_ns, wall_ns;
    double redis_mb; /* 0: not looked at */
    int64_t next[EVOLVE_PARTITIONS];
};

/* Moments of a play, and what was used by then. */
enum mark { MARK_BEGIN, MARK_CHANGE, MARK_CHANGED, MARK_BACK, MARK_UNDONE, MARK_CLEAN, MARKS };
struct usage {
    int64_t at_ns;
    double cpu_s; /* of all processes of the side, Redis too */
    double redis_mb;
    int64_t events; /* in the log */
};

struct effort {
    int commands, started, flips;
};

/* A step that was taken. */
struct evolve_moment {
    char what[128];
    int64_t began_ns, ended_ns;
};

struct evolve_result {
    const struct evolve_way *way;
    struct evolve_moment moments[MOMENTS_MAX];
    int moment_count;
    struct buf lines; /* of samples.jsonl; seconds since MARK_BEGIN */
    int64_t events;   /* in the log at the end */
    struct usage mark[MARKS];
    double redis_peak_mb;
    int64_t fresh_before_us, fresh_during_us; /* p99 */
    double changed_s, both_s,
        back_s; /* until the last answer by the other rule; both rules answer */
    size_t old_answers, new_answers, neither, refused; /* from the change to the way back */
    size_t back_old, back_new;
    double extra_cpu_s, cores_before, cores_both, read_mb; /* of events, read again */
    int64_t read_events;
    struct effort change, back, clean;
};

static inline double evolve_since_s(const struct evolve_result *result, int64_t mono_ns)
{
    return (double)(mono_ns - result->mark[MARK_BEGIN].at_ns) / 1e9;
}

struct evolve_side {
    const struct evolve_options *options;
    const struct evolve_way *way;
    struct evolve_result *result;
    char dir[400], log_uri[480], topic[LOG_TOPIC_MAX + 1], archive[480], plan[RULES][480], view[64];
    struct plan *rule[RULES];
    struct log *log;
    struct redis_server redis;
    struct process actors[ACTORS_MAX], generator;
    int actor_count, said;
    double verbs_cpu_s; /* of verbs that ran to their end */
    struct application applications[READERS_MAX];
    int application_count;
    pthread_t prober;
    bool probing;
    struct evolve_probe *probes;
    size_t probe_count, probe_capacity;
    _Atomic bool over, tense; /* tense: steps are under way, so applications ask more often */
    pthread_mutex_t lock;     /* of redis_peak_mb */
};

/* evolve_stage.c: a clean directory, a log with a history, plans, Redis; stage_close accepts what stage_open
 * left on failure, too. */
int stage_open(struct evolve_side *side, struct err *err);
void stage_close(struct evolve_side *side);
void stage_clean(struct evolve_side *side); /* the directory, once all is well */
int stage_run(struct evolve_side *side, const char *command, struct err *err); /* to its end */
int stage_start(struct evolve_side *side, const char *who, const char *command, struct err *err);
void stage_stop(struct evolve_side *side, const char *who);
int stage_check(struct evolve_side *side, struct err *err); /* nobody ended by itself */
/* The generator at its rate, from where the history ends. */
int stage_generate(struct evolve_side *side, struct err *err);
/* Nobody writes or answers any more. */
void stage_halt(struct evolve_side *side);

/* evolve_watch.c */
void watch_start(struct evolve_side *side);
void watch_stop(struct evolve_side *side);
void watch_release(struct evolve_side *side);
void watch_mark(struct evolve_side *side, enum mark mark);
/* evolve_judge.c */
int evolve_judge(struct evolve_side *side, struct err *err);
/* evolve_page.c */
void evolve_print(const struct evolve_options *options, const struct evolve_result *results,
                  int count, FILE *out);
int evolve_page(const struct evolve_options *options, const struct evolve_result *results,
                int count, int64_t began_wall_ns, struct err *err);

#endif
