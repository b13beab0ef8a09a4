/* bench/anomaly_kills.h - parts that die by SIGKILL at each of their fault points in turn, while others read.
 *
 * A part always runs with the next of its points armed (LK_FAULT, common/base/fault.h); once it has died there
 * it is started again with the one after it. Open value; one thread, the one that starts children. */
#ifndef LK_BENCH_ANOMALY_KILLS_H
#define LK_BENCH_ANOMALY_KILLS_H

#include "bench/process.h"
#include "common/base/rng.h"

enum { KILLS_PARTS = 3, KILLS_POINTS = 12 };

enum kills_role { KILLS_KAPPA, KILLS_SPEED, KILLS_ARCHIVE, KILLS_BATCH, KILLS_ROLES };

struct kills_part {
    struct process *process; /* borrowed */
    enum kills_role role;
    int point; /* which one is armed, of its role's */
    int round; /* in which it has not been struck there */
    int64_t armed_ns;
    char fault[96];
    int struck[KILLS_POINTS]; /* how often it has died there */
};

struct kills {
    struct kills_part part[KILLS_PARTS];
    int count;
    struct process *gen,
        *batch; /* borrowed: they stand still for points that are reached only then */
    int spread; /* how many times as far apart as usual they die, from 1 */
    struct rng rng;
};

/* A part that runs; it is struck from the first look on. */
void kills_add(struct kills *kills, enum kills_role role, struct process *process);
/* Start again who has died, with the next point armed. ERR_ENV where one ended otherwise. */
int kills_look(struct kills *kills, struct err *err);
/* How often anybody died at a fault point. */
int kills_total(const struct kills *kills);
/* A point where nobody has died yet, in words, or NULL. */
const char *kills_missing(const struct kills *kills, char out[80]);
/* {"speed":{"poll":3, ...}, ...}; parts of one role are added up. */
void kills_json(const struct kills *kills, struct buf *out);

#endif
