/* workloads/publish.h - append a stream to a topic on an open-loop schedule.
 *
 * Event e is due at start + e.publish_us / speed. The schedule never waits for the system: what a
 * slow log kept from its slot is sent late, never skipped, and keeps its due time in the record, so
 * that freshness counts the wait. All events due by now go as one batch a partition; between two
 * such rounds lies at least a millisecond. An event with a key goes to the key's partition, one
 * without to number mod P. At speed PUBLISH_MAX there is no schedule: due is the publish instant.
 * Opaque; one thread. */
#ifndef LK_WORKLOADS_PUBLISH_H
#define LK_WORKLOADS_PUBLISH_H

#include <stdio.h>

#include "common/base/hist.h"
#include "common/log/log.h"
#include "workloads/workload.h"

#define PUBLISH_MAX 0.0

struct publish_result {
    int64_t events;      /* appended by this publisher */
    int64_t resumed;     /* found in the topic, not appended again */
    double seconds;      /* from the start of the schedule to the last append */
    struct hist late_us; /* append's end minus due; empty at PUBLISH_MAX */
};

struct publish_options {
    struct log_shape shape; /* of the topic, which is made if it is not there; 0 partitions: as it
                               has, or 4 */
    double speed;           /* stream time over wall time, or PUBLISH_MAX */
    int64_t start_ns; /* CLOCK_REALTIME of publish_us 0; 0: now (resumed: so that the first event
                         that is missing is due now) */
    bool resume; /* the topic may hold a prefix of the stream in each partition: go on behind them,
 once the ends have rested for half a second */
    /* Called about once a second by publisher_run and publish_stream; may be NULL. */
    void (*progress)(const struct publish_result *so_far);
};

int publish_partition(const struct workload_event *event, int partitions);

/* stream (borrowed until publisher_close) into topic, of which we become the one producer.
 * ERR_USAGE where the topic holds events and resume is not set. With resume, what it holds is taken
 * for a prefix of the stream: audit_prefix says whether it is. */
struct publisher;
int publisher_open(struct stream *stream, struct log *log, const char *topic,
                   const struct publish_options *options, struct publisher **out, struct err *err);
/* What was not appended yet is dropped, as by a kill. */
void publisher_close(struct publisher *publisher);
/* Append what is due now: 1, 0 when the stream has ended and all of it is in the log, or a code.
 * At PUBLISH_MAX some events, a part of which stays here until its batch is full. */
int publisher_step(struct publisher *publisher, struct err *err);
/* clock_mono_ns when the next event is due; now or earlier: there is work. */
int64_t publisher_due_ns(const struct publisher *publisher);
/* Step and sleep to the end; ERR_INTERRUPTED, with all that was due appended, on a signal. */
int publisher_run(struct publisher *publisher, struct err *err);
/* Borrowed until publisher_close. */
const struct publish_result *publisher_result(const struct publisher *publisher);

/* All of it: open the stream, audit the prefix if resuming, publish, fill result (owned:
 * hist_release its late_us; filled as far as it went on failure too). */
int publish_stream(const struct workload *workload, const struct workload_options *options,
                   const struct disorder_options *disorder, struct log *log, const char *topic,
                   const struct publish_options *publish, struct publish_result *result,
                   struct err *err);

#endif
