/* tests/agreement/agreement.h - what the files of the agreement test share.
 *
 *   made_plan.c, made_events.c   (seed, case) -> a plan, a table, events
 *   stage.c     one case's log, archive, store, oracle: and what is wrong with them, said once
 *   check.c     a view against the oracles
 *   spans.c     which spans an answer merged
 *   leg.c       a worker's run over some events, on threads or step by step, with faults between
 *   healed.c    kappa's way to the truth: a changed plan, replayed beside the live version
 *   play.c      a case: which legs, batches, faults and checks, in which order
 *   scenes.c    cases that chance does not reach
 *   server.c    the private redis-server
 *   main.c      arguments, processes, planted bugs, the sum
 * Every function that can find a difference returns false after stage_fail. One thread. */
#ifndef LK_TESTS_AGREEMENT_H
#define LK_TESTS_AGREEMENT_H

#include "common/base/rng.h"
#include "common/log/log.h"
#include "common/store/read.h"
#include "lambda/manifest.h"
#include "workloads/oracle.h"

enum { PARTITIONS_MAX = 4, EVENTS_MAX = 600, ENDINGS_MAX = 200 };

enum made_time { MADE_MS, MADE_MS_TEXT, MADE_S, MADE_US, MADE_RFC3339, MADE_STRPTIME, MADE_TIMES };

/* A plan and its events, both functions of (seed, case). */
struct made {
    struct rng rng;
    enum handover handover; /* event-time: the plan has a window */
    struct buf json;        /* the plan */
    struct buf table;       /* the look-up table's content; empty: none */
    bool table_csv;
    enum made_time time;
    const char *time_name;
    int64_t start_ms, grain_ms; /* of event times */
    int64_t size_ms;            /* of the windows, or a usual one */
    bool absurd;                /* some event times are millions of years away */
    bool lossless;              /* no rule can drop anything: kappa = lambda = truth */
    bool cheap;                 /* lambda's speed layer goes by rules of its own */
    bool halves;                /* it commits in two halves: not exact behind a crash */
    bool forgets;               /* it has ids and T in memory alone: not exact behind a restart */
    int partitions;
    int count;
    struct made_event {
        struct buf value;
        char key[24]; /* "" none */
        int partition;
    } events[EVENTS_MAX];
    int64_t id, now_ms; /* of the generator of events */
};

void made_open(struct made *made, enum handover handover, uint64_t seed, uint64_t number);
void made_release(struct made *made);
void made_plan(struct made *made);   /* fills json, table, time ... */
void made_events(struct made *made); /* fills events */

/* One case on one store. */
struct stage {
    const struct made *made;
    struct rng rng;     /* of the script: the same on every store */
    const char *uri;    /* of the store */
    const char *memory; /* its name; NULL: it is Redis */
    char directory[160], archive[200], log_uri[200], topic[40];
    const char *broker; /* URI of a broker that has the log; NULL: it is embedded */
    struct plan *plan;
    int version; /* of the view: 1, or 2 for the healed plan */
    struct log *log;
    struct oracle *oracle;
    struct kv *kv;                  /* of the readers, and of what is done to the store */
    struct view_reader *readers[2]; /* by arch, from its first read on */
    int64_t ends[PARTITIONS_MAX];   /* of the log */
    int appended;                   /* events of made */
    bool faulty;                    /* this case does things to the store */
    bool sure[2];                   /* by arch: the view is there, whatever happened */
    int losses;                     /* how often the store has lost something */
    bool archived;                  /* the archive has something */
    bool nested;                    /* a leg runs inside a leg */
    bool moving;                    /* a worker runs beside: two reads may differ */
    /* Scenes: in place of what chance does between two steps; false ends the leg. */
    bool (*between)(struct stage *stage, int ticks);
    int64_t memory_bytes, span_ms;
    enum batch_kind kind;  /* of its batches */
    int64_t *kind_batches; /* counts those that had a base; NULL: nobody asks */
    /* Where generations end, and up to where an id counts once in all history there. */
    struct ending {
        int partition;
        int64_t boundary, history;
    } endings[ENDINGS_MAX];
    int ending_count;
    struct buf story;   /* what was done, for a failure */
    struct buf problem; /* what is wrong; empty: nothing */
    bool verbose;
};

bool stage_open(struct stage *stage, const struct made *made, const char *root, const char *uri,
                uint64_t seed);
void stage_close(struct stage *stage);
/* Note what is wrong (the first counts); returns false. */
bool stage_fail(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));
void stage_tell(struct stage *stage, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool stage_append(struct stage *stage, int count); /* events of made, at most count */
/* The stage's version of the view is in the registry (again). */
bool stage_register(struct stage *stage, enum arch arch);
bool stage_chance(struct stage *stage, unsigned one_in);
/* Is what this architecture folds live exact without faults only? Then it meets none. */
bool made_fragile(const struct made *made, enum arch arch);
const char *stage_arch(enum arch arch);

/* ---- check.c ---- */

/* The view as it stands is what the contract says at its positions, whole and by key and window. */
bool check_view(struct stage *stage, enum arch arch);
/* No batch of this stage can miss a repeated event. */
bool check_batches_whole(const struct stage *stage);
/* Remember where a generation ends. */
void check_ending(struct stage *stage, int partition, int64_t boundary, int64_t history);
/* All of the log is folded: every part is at the end, and where no rule drops, it is the truth. */
bool check_end(struct stage *stage, enum arch arch, char digest[33]);
bool check_read(struct stage *stage, enum arch arch, const struct view_query *query,
                struct answer *out, bool *there);

/* ---- spans.c ---- */

/* A lambda answer merged the spans that its mode says of pos, which nobody writes meanwhile. */
bool check_spans(struct stage *stage, const struct answer *found);

/* ---- leg.c ---- */

struct leg {
    enum arch arch;
    int workers; /* 0: step by step on this thread */
    bool to_end; /* else to somewhere between */
    bool beyond; /* it waits at the end, until it is told to stop */
    bool calm;   /* nothing happens to the store meanwhile */
};
bool leg_run(struct stage *stage, const struct leg *leg);
/* One thing done to the store, or to be met by whoever sends next. */
bool leg_trouble(struct stage *stage);
bool leg_archive(struct stage *stage);
/* WHOLE: of all that is archived, calm too; the others also reload, or leave off if nothing is new. */
enum batch_way { BATCH_TROUBLED, BATCH_CALM, BATCH_WHOLE };
bool leg_batch(struct stage *stage, enum batch_way way);
/* `lk lambda rollback`, perhaps cut off between two partitions and tried again. */
bool leg_rollback(struct stage *stage);

/* ---- healed.c ---- */

/* The changed plan, in which nothing may be dropped, replayed into a version of its own beside the
 * live one: it is the truth. */
bool healed_version(struct stage *stage);

/* ---- play.c, scenes.c ---- */

struct case_options {
    uint64_t seed;
    const char *root;   /* a directory of this process */
    const char *redis;  /* URI of a Redis of our own; NULL: memory alone */
    const char *broker; /* URI of a Kafka for the logs; NULL: embedded ones */
    const char *oracle_bug;
    enum batch_kind kind;   /* of lambda's batches */
    int64_t *kind_batches;  /* counts those of them that had a base; NULL */
    bool fragile;           /* only speed layers that are exact without faults alone */
    enum handover handover; /* of lambda */
    bool verbose;
};
/* false: it differs, and problem (owned by the caller) says what. */
bool play_case(const struct case_options *options, uint64_t number, struct buf *problem);

struct scene {
    const char *name;
    bool (*play)(struct stage *stage);
    int rounds; /* so many made plans */
};
extern const struct scene SCENES[]; /* ends with NULL */
const struct scene *scene_find(const char *name);

/* A bug that the tests plant, and where it must be seen: within PLANT_CASES_MAX cases, or in a scene. */
enum { PLANT_CASES_MAX = 300 };
struct plant {
    const char *name;
    const char *scene; /* NULL: chance reaches it */
    unsigned modes;    /* bits 1 << handover: where it is hunted; 0: offset alone */
    bool in_oracle;
    enum batch_kind kind; /* of the batches that it is in */
};
extern const struct plant PLANTS[]; /* ends with NULL */
bool play_scene(const struct case_options *options, const struct scene *scene, struct buf *problem);

/* ---- server.c ---- */

/* Start a redis-server on a socket in directory that ends with this process; false: not installed. */
bool server_start(const char *directory, char *uri, size_t room, int *pid);
void server_stop(int pid);

#endif
