/* bench/ads_log.h - a log of ads events in a temporary directory, with its look-up table and plan. */
#ifndef LK_BENCH_ADS_LOG_H
#define LK_BENCH_ADS_LOG_H

#include "bench/exact.h"
#include "bench/straight.h"
#include "workloads/workload.h"

/* Append `events` events of `seed` to topic "ads" of log; the table and ads.json go into directory. */
int ads_log_fill(struct log *log, const char *directory, int64_t events, int partitions,
                 uint64_t seed, struct err *err);

/* Append ads events without due times, which are lk's own and take a header each: what the producers of
 * the Yahoo benchmark write. topic is there, with so many partitions, and empty. */
int ads_log_fill_bare(struct log *log, const char *topic, const struct workload_options *options,
                      int partitions, struct err *err);
/* The straight-line program's answer (straight is initialised here) from the events themselves, which no
 * log has seen. options->tables_dir must be set. */
int ads_count(const struct workload_options *options, struct straight *straight, struct err *err);

/* What the plan ads.json makes of an event, for exact_make: views by campaign. context: a struct straight that
 * knows the campaigns. */
void ads_log_view(void *context, const struct workload_event *event, struct exact_event *out);

#endif
