/* bench/runbook_parts.h - a runbook being played: what the files runbook_*.c share. For them alone.
 *
 *   runbook_stage.c   log, Redis, services, producers, and what the words in braces mean
 *   runbook_play.c    the steps, one after the other
 *   runbook_run.c     the runbooks, one after the other
 *   runbook_reader.c  who asks meanwhile, and what the oracle says of each answer
 *   runbook_picture.c what stands, without what differs by chance
 *   runbook_kills.c   the steps again, each struck at every fault point
 *   runbook_page.c    the table of results, and docs/runbooks.md
 *   runbook_report.c  the report */
#ifndef LK_BENCH_RUNBOOK_PARTS_H
#define LK_BENCH_RUNBOOK_PARTS_H

#include <pthread.h>

#include "bench/process.h"
#include "bench/redis_server.h"
#include "bench/runbook.h"
#include "common/log/log.h"
#include "common/store/answer.h"
#include "workloads/oracle.h"

enum { ACTORS_MAX = 8, ORACLES_MAX = 8, RUNBOOK_PARTITIONS = 2, RUNBOOK_WIDE = 4 };

/* What became of one runbook. */
struct runbook_result {
    const struct runbooks *of;
    const struct runbook *book;
    bool played, pass;
    char why[700]; /* not pass */
    int commands, processes, pointers;
    double seconds;      /* from the first step to the end of the last */
    double held_seconds; /* that producers held their events back */
    /* a reader that asked all the while */
    size_t answers, wrong, refused;
    double away_seconds;     /* the longest time without an answer */
    int64_t behind_events;   /* the most events of the log that an answer lacked */
    size_t final_rows_wrong; /* against the truth, at the end */
    /* with kills */
    int kills, states;
    struct buf pictures; /* each state that a kill left, and where: text */
};

/* A sample of the reader's. */
struct runbook_sample {
    int64_t sent_ns, done_ns;
    bool answered;
    struct runbook_address at;
    int version;
    int64_t behind;
    char digest[33];
    struct answer_part *parts; /* owned by the reader's arena */
    int partitions;
};

struct runbook_reader {
    struct play *play;
    pthread_t thread;
    bool running;
    _Atomic bool over;
    pthread_mutex_t lock; /* of at */
    struct runbook_address at;
    struct arena arena;
    struct runbook_sample *samples;
    size_t count, capacity;
};

struct known_oracle {
    char *plan; /* JSON; owned */
    const char *topic;
    struct oracle *oracle;
};

struct play {
    const struct runbook_options *options;
    const struct runbooks *of;
    const struct runbook *book;
    struct runbook_result *result;
    char dir[400], state[440]; /* state: log, archive, Redis; what a kill play puts back */
    char log_uri[480], archive[480], redis_dir[480], view[64], anew[64];
    struct log *log;
    struct redis_server redis;
    struct process actors[ACTORS_MAX]; /* found by name; the name is the table's */
    int actor_count;
    unsigned touched; /* bits of actors, Redis the last */
    /* producers: a thread while live, else fed between steps */
    void *source, *late_source;
    pthread_t producer;
    bool producing;
    _Atomic bool producing_over;
    pthread_mutex_t lock; /* of topic and source */
    const char *topic;    /* to which producers append: a word in braces; NULL: they hold back */
    int64_t fed, held_since_ns;
    struct runbook_reader reader;
    struct known_oracle oracles[ORACLES_MAX];
    int oracle_count;
    int outputs; /* files of what verbs said, numbered */
};

/* runbook_stage.c: a clean directory, log, tables, plans, Redis, services, some events. live: producers and
 * reader run. play_close accepts what play_open left on failure, too. */
int play_open(struct play *play, bool live, struct err *err);
void play_close(struct play *play);
/* A command with its words in braces filled in. */
void play_fill(const struct play *play, const char *command, struct buf *out);
const char *play_word(const struct play *play, const char *word); /* "{view}"; NULL: no such word */
struct runbook_address play_address(struct runbook_address at);   /* with what was left out */
/* The plan of a word; owned by the caller: plan_free. */
int play_plan(const struct play *play, const char *word, struct plan **out, struct err *err);
/* Append so many events of the workload; of those whose windows closed long ago. */
int play_feed(struct play *play, int64_t count, struct err *err);
int play_backfill(struct play *play, struct err *err);
/* The producers' topic from now on, a word; NULL: they hold their events back. */
int play_turn_producers(struct play *play, const char *topic, struct err *err);
void play_stop_producing(struct play *play);

/* runbook_play.c */
void play_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
int play_step(struct play *play, const struct step *step, struct err *err);
int play_steps(struct play *play, const struct step *steps, struct err *err); /* to STEP_END */
struct process *play_actor(struct play *play, const char *who); /* NULL: there is none yet */
/* Of a step's verb, under its `who`; not started. */
struct process *play_process(struct play *play, const struct step *step);
/* SIGKILL, to its children too: a Redis that rewrites its file has one, which would write on. */
void play_kill(struct process *process);
int play_start_redis(struct play *play, struct err *err);
int play_shell(struct play *play, const char *line, struct err *err);
void play_remove(const char *directory); /* and all that is in it */

/* runbook_reader.c */
void reader_start(struct play *play);
void reader_turn(struct play *play, struct runbook_address at);
void reader_stop(struct play *play);
void reader_release(struct play *play);
/* Hold every sample, then one last answer against the oracle; fills the result. */
int reader_judge(struct play *play, struct err *err);
/* One exact read of the version that is live: positions alone, or all. ERR_* as view_read. */
int reader_ask(const struct play *play, struct runbook_address at, bool positions_only,
               struct answer *out, struct err *err);
/* Oracles read what is in the log now: it may be trimmed next. */
int reader_follow(struct play *play, struct err *err);
void reader_forget(struct play *play); /* the oracles: before the log is closed */
/* The oracle of a plan's JSON over a topic, made when it is first asked for. */
int reader_oracle(struct play *play, const char *json, const char *topic, struct oracle **out,
                  struct err *err);

/* runbook_picture.c: what stands, as lines; litter: with what nobody serves. */
int picture_take(struct play *play, bool litter, struct buf *out, struct err *err);

/* runbook_kills.c */
int kills_run(struct play *play, struct err *err);
bool kills_strike(const char *kills, const struct step *step); /* whether --kills means this step */

/* runbook_page.c */
void results_print(const struct runbook_result *results, int count, FILE *out);
void results_json(const struct runbook_result *results, int count, FILE *out);
/* How things came to this, and the steps, as lines of a shell. */
void book_steps(const struct runbooks *of, const struct runbook *book, struct buf *out);

/* runbook_report.c: run.json, samples.jsonl and report.html in options->out. */
int results_report(const struct runbook_options *options, const struct runbook_result *results,
                   int count, int64_t began_wall_ns, struct err *err);

#endif
