/* workloads/publish.c - see publish.h.
 *
 *   stream_next --> ahead --(due by now?)--> the lane of its partition --flush--> log_append_all
 *
 * A lane copies an event's bytes, since the stream's are gone at its next; its memory never moves
 * while it holds records. The schedule is kept on the monotonic clock and written as wall time. */
#include "workloads/publish.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/stop.h"
#include "workloads/audit.h"

enum {
    DEFAULT_PARTITIONS = 4,
    LANE_RECORDS = 1024,
    LANE_BYTES_MAX = 512 << 10,
    LANE_BYTES_MIN = 64 << 10,
    LANES_BYTES = 64 << 20, /* of all lanes together, about */
    STEP_EVENTS = 64 << 10,
};
#define TICK_NS INT64_C(1000000)      /* between two rounds, at least */
#define SETTLE_MS 500                 /* in which a killed producer's last request has arrived */
#define NAP_NS INT64_C(100000000)     /* between two looks at the stop flag, at most */
#define REPORT_NS INT64_C(1000000000) /* between two reports of progress */

/* What waits to be appended to one partition. */
struct lane {
    struct log_record *records; /* LANE_RECORDS of them */
    int count;
    char *bytes;
    size_t used, capacity;
    int64_t skip; /* events that the topic held already, not yet met in the stream */
};

struct publisher {
    struct stream *stream;
    struct log *log;
    char *topic;
    struct publish_options options;
    int partitions;
    struct lane *lanes;
    struct log_append *parts;    /* of one flush; partitions of them */
    struct workload_event ahead; /* borrowed from the stream */
    bool has_ahead, ended, started;
    int64_t start_wall_ns, start_mono_ns; /* of publish_us 0 */
    int64_t first_mono_ns;                /* when this publisher began */
    struct publish_result result;
};

int publish_partition(const struct workload_event *event, int partitions)
{
    return event->key.ptr ? log_partition_of(event->key, partitions)
                          : (int)(event->number % partitions);
}

static int64_t offset_ns(const struct publisher *p, int64_t publish_us)
{
    return (int64_t)((double)publish_us * 1000 / p->options.speed);
}

static bool is_paced(const struct publisher *p)
{
    return p->options.speed != PUBLISH_MAX;
}

/* Fix the schedule, at the first event that is to be appended. */
static void start(struct publisher *p)
{
    int64_t wall_ns = clock_wall_ns(), mono_ns = clock_mono_ns();
    bool behind = p->options.start_ns == 0 && p->result.resumed > 0 && is_paced(p);
    p->start_wall_ns = p->options.start_ns ? p->options.start_ns : wall_ns;
    if (behind)
        p->start_wall_ns -= offset_ns(p, p->ahead.publish_us);
    p->start_mono_ns = mono_ns + (p->start_wall_ns - wall_ns);
    p->first_mono_ns = mono_ns;
    p->started = true;
}

/* What the topic holds: set skip of every lane, and *held to their sum. */
static int read_ends(struct publisher *p, int64_t *held, struct err *err)
{
    *held = 0;
    for (int i = 0; i < p->partitions; i++) {
        int64_t first;
        int rc = log_range(p->log, p->topic, i, &first, &p->lanes[i].skip, err);
        if (rc < 0)
            return rc;
        if (first > 0 && p->options.resume)
            return err_set(err, ERR_USAGE,
                           "topic %s has lost the first %lld records of partition %d (retention): "
                           "what it holds cannot be checked; generate into another --topic",
                           p->topic, (long long)first, i);
        *held += p->lanes[i].skip;
    }
    return 0;
}

/* As read_ends; to resume, once the ends rest. What a producer had sent when it was killed may
 * still lie in the broker's hands, and be appended when it is dead already. */
static int count_held(struct publisher *p, struct err *err)
{
    int64_t before = -1, held = 0;
    int rc = read_ends(p, &held, err);
    while (rc == 0 && p->options.resume && held != before) {
        before = held;
        clock_sleep_ms(SETTLE_MS);
        rc = stop_asked() ? err_set(err, ERR_INTERRUPTED, "stopped before the first event")
                          : read_ends(p, &held, err);
    }
    if (rc == 0 && held > 0 && !p->options.resume)
        return err_set(err, ERR_USAGE,
                       "topic %s already holds %lld events; add --resume to go on behind them, or "
                       "choose another --topic",
                       p->topic, (long long)held);
    return rc;
}

/* Make the topic, or take it as it is; partitions is set. */
static int open_topic(struct publisher *p, struct err *err)
{
    struct log_shape *shape = &p->options.shape;
    if (shape->partitions == 0) {
        int there = log_partitions(p->log, p->topic, NULL);
        shape->partitions = there > 0 ? there : DEFAULT_PARTITIONS;
    }
    p->partitions = shape->partitions;
    int rc = log_create_topic(p->log, p->topic, *shape, err);
    return rc < 0 ? rc : log_claim(p->log, p->topic, err);
}

int publisher_open(struct stream *stream, struct log *log, const char *topic,
                   const struct publish_options *options, struct publisher **out, struct err *err)
{
    struct publisher *p = mem_zero(1, sizeof *p);
    p->stream = stream;
    p->log = log;
    p->topic = mem_copy_string(topic);
    p->options = *options;
    int rc = open_topic(p, err);
    if (rc == 0) {
        p->lanes = mem_zero((size_t)p->partitions, sizeof *p->lanes);
        p->parts = mem_zero((size_t)p->partitions, sizeof *p->parts);
        rc = count_held(p, err);
    }
    if (rc < 0) {
        publisher_close(p);
        return rc;
    }
    size_t share = (size_t)LANES_BYTES / (size_t)p->partitions;
    size_t bytes = share > LANE_BYTES_MAX   ? LANE_BYTES_MAX
                   : share < LANE_BYTES_MIN ? LANE_BYTES_MIN
                                            : share;
    for (int i = 0; i < p->partitions; i++) {
        p->lanes[i].records = mem_alloc(LANE_RECORDS * sizeof *p->lanes[i].records);
        p->lanes[i].bytes = mem_alloc(bytes);
        p->lanes[i].capacity = bytes;
    }
    *out = p;
    return 0;
}

void publisher_close(struct publisher *publisher)
{
    if (!publisher)
        return;
    for (int i = 0; publisher->lanes && i < publisher->partitions; i++) {
        free(publisher->lanes[i].records);
        free(publisher->lanes[i].bytes);
    }
    free(publisher->lanes);
    free(publisher->parts);
    free(publisher->topic);
    hist_release(&publisher->result.late_us);
    free(publisher);
}

/* All of a lane is in the log since done_ns: note how late that was, and empty it. */
static void settle(struct publisher *p, struct lane *lane, int64_t done_ns)
{
    for (int k = 0; k < lane->count && is_paced(p); k++) {
        int64_t due_ns = p->start_mono_ns + (lane->records[k].due_ns - p->start_wall_ns);
        hist_record(&p->result.late_us, (done_ns - due_ns) / 1000);
    }
    p->result.events += lane->count;
    lane->count = 0;
    lane->used = 0;
}

/* Append what the lanes hold, in one call: a broker is asked once, not once a partition. */
static int flush(struct publisher *p, struct err *err)
{
    int64_t wall_ns = clock_wall_ns();
    int count = 0;
    for (int i = 0; i < p->partitions; i++) {
        struct lane *lane = &p->lanes[i];
        if (lane->count == 0)
            continue;
        for (int k = 0; k < lane->count && !is_paced(p); k++)
            lane->records[k].due_ns = wall_ns;
        p->parts[count++] = (struct log_append){i, lane->count, lane->records};
    }
    if (count == 0)
        return 0;
    int rc = log_append_all(p->log, p->topic, p->parts, count, err);
    if (rc < 0)
        return rc;
    int64_t done_ns = clock_mono_ns();
    for (int i = 0; i < p->partitions; i++)
        settle(p, &p->lanes[i], done_ns);
    p->result.seconds = (double)(done_ns - p->first_mono_ns) / 1e9;
    return 0;
}

static struct bytes copy_into(struct lane *lane, struct bytes from)
{
    if (!from.ptr)
        return from;
    struct bytes to = {lane->bytes + lane->used, from.len};
    memcpy(lane->bytes + lane->used, from.ptr, from.len);
    lane->used += from.len;
    return to;
}

/* Put the event ahead into its lane, or pass it by if the topic held it already. */
static int take_ahead(struct publisher *p, struct err *err)
{
    const struct workload_event *event = &p->ahead;
    int i = publish_partition(event, p->partitions);
    struct lane *lane = &p->lanes[i];
    p->has_ahead = false;
    if (lane->skip > 0) {
        lane->skip--;
        p->result.resumed++;
        return 0;
    }
    size_t bytes = event->key.len + event->value.len;
    if (lane->count == LANE_RECORDS || lane->used + bytes > lane->capacity) {
        int rc = flush(p, err);
        if (rc < 0)
            return rc;
    }
    if (bytes > lane->capacity) {
        lane->bytes = mem_grow(lane->bytes, bytes);
        lane->capacity = bytes;
    }
    int64_t due_ns = is_paced(p) ? p->start_wall_ns + offset_ns(p, event->publish_us) : 0;
    lane->records[lane->count++] = (struct log_record){
        .key = copy_into(lane, event->key),
        .value = copy_into(lane, event->value),
        .due_ns = due_ns,
    };
    return 0;
}

static bool is_held(const struct publisher *p)
{
    return p->lanes[publish_partition(&p->ahead, p->partitions)].skip > 0;
}

int64_t publisher_due_ns(const struct publisher *publisher)
{
    bool waits = publisher->has_ahead && publisher->started && is_paced(publisher);
    return waits ? publisher->start_mono_ns + offset_ns(publisher, publisher->ahead.publish_us)
                 : clock_mono_ns();
}

/* Have an event ahead that is due by now_ns: 1, 0 if there is none (yet), or a code. */
static int look_ahead(struct publisher *p, int64_t now_ns, struct err *err)
{
    if (!p->has_ahead) {
        int rc = stream_next(p->stream, &p->ahead, err);
        if (rc < 0)
            return rc;
        p->has_ahead = rc == 1;
        p->ended = rc == 0;
        if (p->ended)
            return 0;
    }
    if (is_held(p))
        return 1;
    if (!p->started)
        start(p);
    return !is_paced(p) || publisher_due_ns(p) <= now_ns;
}

int publisher_step(struct publisher *publisher, struct err *err)
{
    struct publisher *p = publisher;
    int64_t now_ns = clock_mono_ns();
    int rc = 1;
    for (int n = 0; n < STEP_EVENTS && (rc = look_ahead(p, now_ns, err)) == 1; n++)
        if ((rc = take_ahead(p, err)) < 0)
            break;
    if (rc >= 0 && (is_paced(p) || p->ended))
        rc = flush(p, err);
    return rc < 0 ? rc : !p->ended;
}

/* Sleep until the next event is due, but not for less than a tick nor more than a nap. */
static void rest(const struct publisher *p)
{
    int64_t now_ns = clock_mono_ns(), due_ns = publisher_due_ns(p);
    if (due_ns < now_ns + TICK_NS)
        due_ns = now_ns + TICK_NS;
    if (due_ns > now_ns + NAP_NS)
        due_ns = now_ns + NAP_NS;
    clock_sleep_until_ns(due_ns);
}

int publisher_run(struct publisher *publisher, struct err *err)
{
    int64_t report_ns = clock_mono_ns() + REPORT_NS;
    for (;;) {
        int rc = publisher_step(publisher, err);
        if (rc < 0 && publisher->result.events > 0)
            err_context(err, "after %lld events (--resume goes on behind them)",
                        (long long)publisher->result.events);
        if (rc <= 0)
            return rc;
        if (stop_asked()) {
            rc = flush(publisher, err);
            return rc < 0 ? rc
                          : err_set(err, ERR_INTERRUPTED,
                                    "stopped after %lld events; --resume goes on behind them",
                                    (long long)publisher->result.events);
        }
        if (publisher->options.progress && clock_mono_ns() >= report_ns) {
            publisher->options.progress(&publisher->result);
            report_ns += REPORT_NS;
        }
        if (is_paced(publisher))
            rest(publisher);
    }
}

const struct publish_result *publisher_result(const struct publisher *publisher)
{
    return &publisher->result;
}

static int audit_held(const struct workload *workload, const struct workload_options *options,
                      const struct disorder_options *disorder, struct log *log, const char *topic,
                      struct err *err)
{
    struct stream *stream;
    int rc = stream_open(workload, options, disorder, &stream, err);
    if (rc < 0)
        return rc;
    rc = audit_prefix(stream, log, topic, err);
    if (rc < 0)
        err_context(err, "cannot resume: the topic does not hold the beginning of this stream "
                         "(other flags, another seed?)");
    stream_close(stream);
    return rc;
}

int publish_stream(const struct workload *workload, const struct workload_options *options,
                   const struct disorder_options *disorder, struct log *log, const char *topic,
                   const struct publish_options *publish, struct publish_result *result,
                   struct err *err)
{
    struct stream *stream;
    struct publisher *publisher = NULL;
    *result = (struct publish_result){0};
    int rc = stream_open(workload, options, disorder, &stream, err);
    if (rc < 0)
        return rc;
    rc = publisher_open(stream, log, topic, publish, &publisher, err);
    if (rc == 0 && publish->resume)
        rc = audit_held(workload, options, disorder, log, topic, err);
    if (rc == 0)
        rc = publisher_run(publisher, err);
    if (publisher) {
        *result = publisher->result;
        publisher->result.late_us = (struct hist){0};
    }
    publisher_close(publisher);
    stream_close(stream);
    return rc;
}
