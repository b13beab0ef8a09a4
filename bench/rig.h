/* bench/rig.h - what a benchmark of the whole stands in: a directory, a Redis and an embedded log of its
 * own, and lk's verbs as child processes, as a user would run them.
 *
 * Everything is below the directory and goes with it, but for a topic in another log, which is deleted. Zero it to start. One thread starts and ends
 * children. */
#ifndef LK_BENCH_RIG_H
#define LK_BENCH_RIG_H

#include "bench/redis_server.h"
#include "common/log/log.h"
#include "common/store/read.h"

enum { RIG_CHILDREN = 8, RIG_PATH = 128 };

struct rig {
    const char *program; /* ourselves */
    char dir[64], plan[RIG_PATH], archive[RIG_PATH], log_uri[256];
    char topic[LOG_TOPIC_MAX + 1];
    bool topic_made; /* in a log of others */
    struct redis_server redis;
    struct process child[RIG_CHILDREN];
    int children;
};

/* A directory, an empty topic and a Redis that runs. log_uri NULL: an embedded log of its own; else a
 * topic of its own in that one. */
int rig_open(struct rig *rig, const char *program, const char *log_uri, int partitions,
             struct err *err);
/* Write the plan to rig->plan. */
int rig_write_plan(struct rig *rig, struct bytes json, struct err *err);
/* Start a verb: words as on a command line, and those of --log --topic --plan --archive --view that flags
 * names, each with this rig's own value. out (may be NULL): the child, borrowed. */
int rig_start(struct rig *rig, const char *name, const char *words, const char *flags,
              struct process **out, struct err *err);
/* Wait until the view answers. */
int rig_wait_view(struct rig *rig, const char *view, enum arch arch, struct err *err);
/* ERR_ENV with its fate where a child has ended by itself. */
int rig_look(struct rig *rig, struct err *err);
void rig_close(struct rig *rig);

#endif
