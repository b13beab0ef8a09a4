/* bench/redis_server.h - a Redis of our own for one run: on a free port of 127.0.0.1, its files below a
 * directory of the run, ended with it. One thread. */
#ifndef LK_BENCH_REDIS_SERVER_H
#define LK_BENCH_REDIS_SERVER_H

#include "bench/process.h"

struct redis_server {
    struct process process;
    char uri[64];
    const char *appendfsync; /* before the start: always or everysec; NULL: everysec */
};

/* Start redis-server with its files in directory/redis and an append-only file, and wait until it
 * answers. Its process can be started again: it comes back on the same port with what the file holds.
 * owner (borrowed) is whose it is, for the report. ERR_ENV where it is not installed or does not start. */
int redis_server_start(struct redis_server *server, const char *owner, const char *directory,
                       struct err *err);
/* accepts a zeroed one; process_release is the caller's */
void redis_server_stop(struct redis_server *server);
/* What a Redis, ours or another's, has allocated, in 10^6 bytes; 0 where it does not say. */
double redis_used_mb(const char *uri);

#endif
