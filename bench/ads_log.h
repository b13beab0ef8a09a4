/* bench/ads_log.h - a log of ads events in a temporary directory, with its look-up table and plan. */
#ifndef LK_BENCH_ADS_LOG_H
#define LK_BENCH_ADS_LOG_H

#include "common/log/log.h"

/* Append `events` events of `seed` to topic "ads" of log; the table and ads.json go into directory. */
int ads_log_fill(struct log *log, const char *directory, int64_t events, int partitions,
                 uint64_t seed, struct err *err);

#endif
