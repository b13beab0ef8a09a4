/* tests/chaos/chaos.h - what the files of the chaos test share.
 *
 *   events.c    (seed, n) -> event n; a feeder process that appends them at its pace
 *   child.c     processes of lk: start, watch, signal, what they said
 *   lane.c      one core's place to play: a Redis of its own, a directory, a plan, a log
 *   check.c     lk verify, and what may stand in the store and the folders when all is done
 *   points.c    the table of fault points
 *   kill.c      each of them struck in a worker, an archiver, a batch
 *   verb.c      the same for what is no worker
 *   flips.c     versions promoted, rolled back, canaries, retired, under load; flips_reader.c: who reads
 *   undo.c      a rollback, a compaction, beside a lambda at work
 *   redis.c     Redis killed, cut, emptied, full, stopped under load
 *   zombie.c    an owner stopped, another started, the first let go on
 *   anew.c      a log that was deleted and made anew
 *   outage.c    the broker, the generator: both pipelines live through it
 *   broker.c    a Kafka broker of our own
 *   planted.c   bugs planted on purpose: the cases above must see them
 *   choose.c    which cases are played
 *   main.c      the list of cases, lanes, the sum
 * Every function that can find something wrong returns false after lane_fail. A lane is a process
 * with one thread. */
#ifndef LK_TESTS_CHAOS_CHAOS_H
#define LK_TESTS_CHAOS_CHAOS_H

#include <stdio.h>
#include <sys/types.h>

#include "common/base/rng.h"
#include "common/store/pos.h"
#include "common/store/registry.h"

enum { PARTITIONS = 20, CHILDREN_MAX = 256, EVENTS = 6000, PATIENCE_MS = 20000 };

/* ---- cases ---- */

struct lane;
struct item {
    char name[120]; /* what runs it again */
    bool (*run)(struct lane *lane, const struct item *item);
    int row;   /* of the file's own table */
    int which; /* what happens, or who is meant */
    uint64_t seed;
    bool spare;   /* only where it is asked for by name */
    bool reserve; /* or where kills are still missing */
    enum { SAMPLE_MAYBE, SAMPLE_ALWAYS, SAMPLE_NEVER } sample;
};

struct items {
    struct item *item;
    int count, capacity;
    uint64_t seed; /* the first of the seeds */
    bool kafka;    /* the log is a broker's */
};

/* Add an item under this name. */
void items_add(struct items *items, struct item item, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
const struct item *items_find(const struct items *items, const char *name); /* NULL: none */

/* What was asked for. */
enum { NAMES_MAX = 32, RESERVE_SEEDS = 100 };
struct choice {
    const char *names[NAMES_MAX];
    int name_count;
    int sample;  /* so many cases; 0: all */
    int kills;   /* at least so many; 0: as many as there are */
    int seconds; /* after which no case begins; 0: as long as it takes */
};
/* The cases to play, in order; returns how many of them are due however many kills there were. */
int choose(const struct choice *choice, const struct items *all, struct items *out);

void names_list(struct items *items);
void kill_list(struct items *items);
void verb_list(struct items *items);
void flips_list(struct items *items);
void redis_list(struct items *items);
void zombie_list(struct items *items);
void anew_list(struct items *items);
void outage_list(struct items *items);
void undo_list(struct items *items);
void planted_list(struct items *items);

/* ---- processes ---- */

/* Who is killed; the first four are roles. */
enum victim {
    VICTIM_KAPPA,
    VICTIM_SPEED,
    VICTIM_ARCHIVE,
    VICTIM_BATCH,
    VICTIM_VERB,
    VICTIM_GENERATOR,
    VICTIM_BROKER,
    VICTIM_REDIS,
    VICTIMS
};
extern const char *const VICTIM_NAMES[VICTIMS];

enum child_state { CHILD_RUNS, CHILD_STOPPED, CHILD_ENDED };

struct child {
    pid_t pid;
    enum child_state state;
    enum victim victim;
    int status; /* exit status, or minus the signal */
    int64_t began_ns;
    char words[40];
    char output[220]; /* the file of its stdout and stderr */
};

/* ---- lanes ---- */

struct lane {
    const char *lk;     /* the program */
    const char *broker; /* URI of the log that the lanes share; NULL: each case has one, embedded */
    const char *bugs_lk; /* the same with planted bugs */
    const struct items *items;
    const char *bug;     /* LK_BUG of its processes; NULL: none */
    char root[160];      /* the lane's directory */
    char uri[200];       /* its Redis */
    char directory[180]; /* the case's */
    char plan[200], log[220], topic[40], archive[200];
    uint64_t seed; /* of the case */
    const char *view;
    bool lossless;        /* no rule of this plan drops anything: the view is the truth */
    const char *handover; /* lambda's; "offset" unless a case says otherwise */
    pid_t redis;
    struct kv *kv;
    struct child child[CHILDREN_MAX];
    int children, cases;
    pid_t feeder;
    int64_t fed;        /* events that the log holds once the feeder has ended */
    int rounds;         /* of zombies, played */
    int kills[VICTIMS]; /* by SIGKILL amid their work */
    struct buf why;
    bool verbose;
};

/* false: there is no redis-server. */
bool lane_open(struct lane *lane, const char *root, int number);
void lane_close(struct lane *lane);
bool lane_fail(struct lane *lane, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lane_tell(struct lane *lane, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An empty store, a fresh directory, the seed's plan, an empty topic; no process of a case before. */
bool lane_begin(struct lane *lane, uint64_t seed);
bool lane_make_log(struct lane *lane);
void lane_drop_log(struct lane *lane);
bool lane_remove(const char *directory);
/* Positions folded in all partitions; owners (may be NULL) gets the partitions' owners. */
int64_t lane_folded(struct lane *lane, enum arch arch, char owners[PARTITIONS][POS_ID_BYTES]);
/* A batch has published something. */
bool lane_published(struct lane *lane);
/* The feeder has ended, all that it appended is folded and, for lambda, published by a batch. */
bool lane_all_done(struct lane *lane, enum arch arch);
struct kv_reply *lane_ask(struct lane *lane, const char *word, const char *more);
/* A digest of all that the store holds, once nothing is under way any more. */
void lane_digest(struct lane *lane, char out[41]);

/* ---- child.c ---- */

/* Start lk with these words; fault is its LK_FAULT, or NULL. */
struct child *child_start(struct lane *lane, const char *fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum child_state child_look(struct child *child);
/* Wait until it is in that state (or has ended): true if so. */
bool child_wait(struct child *child, enum child_state state, int ms);
void child_signal(struct child *child, int signal);
bool child_said(const struct child *child, const char *text);
/* lane_fail with what it said. */
bool child_blame(struct lane *lane, const struct child *child, const char *what);
/* SIGTERM, and it must leave as it should: 130, or 0. */
bool child_finish(struct lane *lane, struct child *child);
/* Run to its end; the status must be as wanted. */
bool child_run(struct lane *lane, struct child *child, int status);
/* Ends those that still run; counts those that were killed before. */
void child_end_all(struct lane *lane);

/* ---- events.c ---- */

enum { PLANS = 3 };
#define EVENTS_START_MS 978307200000LL
const char *events_plan(int number, const char **view, bool *lossless);
/* Event n as key and value; salt changes values alone. */
void events_make(uint64_t seed, int64_t n, int salt, struct buf *key, struct buf *value);
struct feed {
    uint64_t seed;
    int64_t from, count; /* INT64_MAX: until killed */
    int chunk, pause_ms, salt;
};
/* A process that appends; lane->feeder. */
bool feeder_start(struct lane *lane, const struct feed *feed);
bool feeder_run(struct lane *lane, const struct feed *feed); /* and wait for its end */
bool feeder_ended(struct lane *lane);
void feeder_stop(struct lane *lane);  /* and lane->fed is what the log holds */
void feeder_count(struct lane *lane); /* lane->fed, whoever fed */

/* ---- the verbs that every case starts ---- */

enum role { ROLE_KAPPA, ROLE_SPEED, ROLE_ARCHIVE, ROLE_BATCH, ROLES };
extern const char *const ROLE_NAMES[ROLES];
struct tuning {
    int commit_ms, workers, memory_kib;
};
struct child *role_start(struct lane *lane, enum role role, const struct tuning *tuning,
                         const char *fault, const char *more);
static inline enum arch role_arch(enum role role)
{
    return role == ROLE_KAPPA ? ARCH_KAPPA : ARCH_LAMBDA;
}

/* ---- points.c ---- */

enum { SEEDS = 3 }; /* of each point; on a broker 5 for kills, 1 for the others */
enum what { KILL, ERROR, DELAY, STOP, FLUSH, WHATS };
extern const char *const WHAT_NAMES[WHATS], *const WHAT_FAULTS[WHATS];

/* A step of the models, or of a file. Ends with a name that is NULL. */
struct point {
    const char *name;
    unsigned roles;     /* bits: who passes it */
    int usual;          /* passings in one case, roughly */
    const char *before; /* a fault that leads there */
    unsigned whats;     /* bits: what may happen there besides kill */
    bool between;       /* amid the takes: stopped, the victim may take from its rival later */
    bool slots;         /* passed only where lambda is handed over by two-slot or naive */
};
extern const struct point POINTS[];
extern const char *const VERB_POINTS[]; /* of verbs that are no workers; ends with NULL */

/* ---- broker.c ---- */

struct broker {
    char directory[200], uri[60];
};
bool broker_is_there(void);                                     /* java, and the jars */
bool broker_open(struct broker *broker, const char *directory); /* in directory/kafka */
bool broker_start(struct broker *broker);                       /* again, at the same place */
bool broker_kill(const struct broker *broker);                  /* SIGKILL */
void broker_remove(const struct broker *broker);
/* Also those of lanes that were ended amid a case. */
void broker_remove_all(const char *root);

/* ---- check.c ---- */

struct child *check_start(struct lane *lane, enum arch arch); /* lk verify */
/* lk verify finds it equal; whole: at the log's end, and the truth where the plan drops nothing. */
bool check_view(struct lane *lane, enum arch arch, bool whole);
/* Nothing is left that pos, the floor or the manifests do not account for. */
bool check_litter(struct lane *lane, enum arch arch);
/* Fold, archive, batch what is there and some more to the end; then all of the above. */
bool check_end(struct lane *lane, enum arch arch);

#endif
