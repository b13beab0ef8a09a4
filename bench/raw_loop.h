/* bench/raw_loop.h - the plain librdkafka loop that figures on Kafka are held against: consumes a topic
 * from its beginning to where it ended, counts events and their bytes, and does nothing else. */
#ifndef LK_BENCH_RAW_LOOP_H
#define LK_BENCH_RAW_LOOP_H

#include "common/log/log.h"

struct raw_totals {
    int64_t events, bytes;
};

/* On as many threads as handles, each with a consumer of its own, which has the properties of lk's
 * readers; they share the partitions as workers do. log: a Kafka log, ERR_USAGE otherwise. */
int raw_loop(struct log *log, const char *topic, int handles, struct raw_totals *totals,
             struct err *err);

#endif
