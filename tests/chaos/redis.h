/* tests/chaos/redis.h - a redis-server of one case: for redis.c and redis_server.c.
 *
 * Its connection kv is the test's own. One thread. */
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

#endif
