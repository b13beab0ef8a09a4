/* tests/chaos/redis.h - for the files of Redis's troubles alone.
 *
 *   redis_server.c   a redis-server of one case; its connection kv is the test's own
 *   redis.c          a trial: who plays, the reader, waiting, from the first event to the end
 *   redis_strikes.c  the table: what may happen */
#ifndef LK_TESTS_CHAOS_REDIS_H
#define LK_TESTS_CHAOS_REDIS_H

#include "tests/chaos/chaos.h"

/* What survives its death. */
enum keep { KEEP_NOTHING, KEEP_EVERYSEC, KEEP_ALWAYS, KEEP_RDB, KEEPS_COUNT };

struct server {
    pid_t pid; /* 0: dead */
    enum keep keep;
    char directory[168], uri[200];
    struct kv *kv;
};

/* Start in a new folder of directory and wait until it answers; false: it does not. */
bool server_open(struct server *server, const char *directory, enum keep keep);
bool server_up(struct server *server); /* again, with the files that are there */
void server_kill(struct server *server);
void server_close(struct server *server);
bool server_gone(struct server *server); /* killed, or left by itself */
/* NULL: it does not answer. Words that are NULL end the command. */
const struct kv_reply *server_ask(struct server *server, const char *word, const char *a,
                                  const char *b, const char *c);
bool server_info(struct server *server, const char *name, char *out, size_t room);
/* No file of it may grow beyond bytes; -1: any may. */
void server_disk(struct server *server, int64_t bytes);
int64_t server_aof_bytes(const struct server *server); /* -1: there is none */
bool server_cut_aof(const struct server *server, int64_t bytes);
/* A copy of the AOF as it is; and back to it, while the server is dead. */
bool server_copy_aof(const struct server *server);
bool server_restore_aof(const struct server *server);

/* ---- redis.c ---- */

struct trial {
    struct lane *lane;
    struct server server;
    enum arch arch;
    struct rng rng;
    const char *patience;        /* of the workers */
    struct child *worker[ROLES]; /* the persons */
    struct child *looker;        /* lk verify */
    int64_t looked_ns;
    int exact; /* looks that found it right */
};

/* For so long: false where somebody has died, or the reader was told what is wrong. */
bool trial_attend(struct trial *trial, int64_t ms);
typedef bool trial_condition(struct trial *trial, int64_t number);
bool trial_wait(struct trial *trial, trial_condition *is, int64_t number, const char *what);
int64_t trial_between(struct trial *trial, int64_t least, int64_t most); /* drawn */
struct child **trial_worker(struct trial *trial); /* kappa run, or lambda speed */
void trial_begin(struct trial *trial, enum role role);

/* ---- redis_strikes.c ---- */

struct trouble {
    const char *name; /* NULL: the end */
    bool (*strike)(struct trial *trial);
    enum keep keep;
    int strikes;
    const char *patience;
    int seeds;  /* in the whole */
    bool kills; /* Redis */
};
extern const struct trouble TROUBLES[];

#endif
