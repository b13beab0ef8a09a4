/* workloads/audit.c - see audit.h.
 *
 * One reader a partition, so that stream and log walk in lock-step: the stream's next event belongs
 * to one partition, whose next record must be that event. Where it is not, the record is held
 * against what came before and what comes next, to say what kind of difference it is. */
#include "workloads/audit.h"

#include <stdlib.h>

#include "workloads/publish.h"

/* Where the audit stands in one partition. */
struct lane {
    struct log_reader *reader;
    struct log_batch batch;
    int at; /* in batch */
    int64_t position, end;
    uint64_t before; /* hash of the record before, 0: there is none */
};

struct audit {
    struct stream *stream;
    const char *topic;
    struct lane *lanes;
    int partitions;
    bool prefix;
    int64_t left; /* records of the log not yet met */
};

/* Make the lane's next record batch[at]: 1, 0 at the partition's end, or a code. */
static int look(struct lane *lane, struct err *err)
{
    while (lane->at == lane->batch.count) {
        if (lane->position >= lane->end)
            return 0;
        lane->batch.count = lane->at = 0;
        int rc = log_read(lane->reader, LOG_BATCH_MAX, 1000, &lane->batch, err);
        if (rc < 0)
            return rc;
        lane->position = lane->batch.partition >= 0 ? lane->batch.next : lane->position;
    }
    return 1;
}

static bool is_event(const struct lane *lane, const struct workload_event *event)
{
    struct bytes key = lane->batch.key[lane->at], value = lane->batch.value[lane->at];
    return !key.ptr == !event->key.ptr && bytes_equal(value, event->value) &&
           (!key.ptr || bytes_equal(key, event->key));
}

static uint64_t hash_of(const struct lane *lane)
{
    return log_record_hash(lane->batch.key[lane->at], lane->batch.value[lane->at]);
}

/* What kind of difference the lane's record is; reads on in the stream. */
static const char *kind_of(struct audit *audit, const struct lane *lane, int partition)
{
    if (lane->before == hash_of(lane))
        return "the event before it stands there twice";
    struct workload_event event;
    while (stream_next(audit->stream, &event, NULL) == 1)
        if (publish_partition(&event, audit->partitions) == partition)
            return is_event(lane, &event) ? "that event is missing, or comes after its successor"
                                          : "another record stands there";
    return "another record stands there";
}

static int differs(struct audit *audit, const struct lane *lane, int partition, int64_t number,
                   struct err *err)
{
    int64_t offset = lane->batch.offset[lane->at];
    struct bytes value = lane->batch.value[lane->at];
    return err_set(
        err, ERR_DATA, "topic %s, partition %d, offset %lld: expected event %lld: %s; found %.*s",
        audit->topic, partition, (long long)offset, (long long)number,
        kind_of(audit, lane, partition), value.len < 300 ? (int)value.len : 300, value.ptr);
}

/* Hold one event of the stream against the log. */
static int check_event(struct audit *audit, const struct workload_event *event, struct err *err)
{
    int partition = publish_partition(event, audit->partitions);
    struct lane *lane = &audit->lanes[partition];
    int rc = look(lane, err);
    if (rc < 0 || (rc == 0 && audit->prefix))
        return rc;
    if (rc == 0)
        return err_set(err, ERR_DATA, "topic %s, partition %d ends at %lld: event %lld is missing",
                       audit->topic, partition, (long long)lane->end, (long long)event->number);
    if (!is_event(lane, event))
        return differs(audit, lane, partition, event->number, err);
    lane->before = hash_of(lane);
    lane->at++;
    audit->left--;
    return 0;
}

/* The stream has ended: so must have the log. */
static int check_ends(struct audit *audit, struct err *err)
{
    for (int i = 0; i < audit->partitions; i++) {
        struct lane *lane = &audit->lanes[i];
        int rc = look(lane, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        const char *kind = lane->before == hash_of(lane) ? "the last event stands there twice"
                                                         : "the stream has ended before it";
        return err_set(err, ERR_DATA, "topic %s, partition %d, offset %lld: one too many: %s",
                       audit->topic, i, (long long)lane->batch.offset[lane->at], kind);
    }
    return 0;
}

static int open_lanes(struct audit *audit, struct log *log, struct err *err)
{
    for (int i = 0; i < audit->partitions; i++) {
        struct lane *lane = &audit->lanes[i];
        int rc = log_range(log, audit->topic, i, &lane->position, &lane->end, err);
        if (rc == 0 && lane->position > 0)
            return err_set(err, ERR_GONE,
                           "topic %s, partition %d begins at %lld: it cannot be audited",
                           audit->topic, i, (long long)lane->position);
        if (rc == 0)
            rc = log_reader_open(log, audit->topic, &i, 1, &lane->reader, err);
        if (rc == 0)
            rc = log_seek(lane->reader, i, 0, err);
        if (rc < 0)
            return rc;
        audit->left += lane->end;
    }
    return 0;
}

static int run_audit(struct stream *stream, struct log *log, const char *topic, bool prefix,
                     struct err *err)
{
    struct audit audit = {.stream = stream, .topic = topic, .prefix = prefix};
    audit.partitions = log_partitions(log, topic, err);
    if (audit.partitions < 0)
        return audit.partitions;
    audit.lanes = mem_zero((size_t)audit.partitions, sizeof *audit.lanes);
    int rc = open_lanes(&audit, log, err);
    struct workload_event event;
    int more = 1;
    while (rc == 0 && !(prefix && audit.left == 0) &&
           (more = stream_next(stream, &event, err)) == 1)
        rc = check_event(&audit, &event, err);
    if (rc == 0 && more < 0)
        rc = more;
    if (rc == 0)
        rc = check_ends(&audit, err);
    for (int i = 0; i < audit.partitions; i++)
        log_reader_close(audit.lanes[i].reader);
    free(audit.lanes);
    return rc;
}

int audit_log(struct stream *stream, struct log *log, const char *topic, struct err *err)
{
    return run_audit(stream, log, topic, false, err);
}

int audit_prefix(struct stream *stream, struct log *log, const char *topic, struct err *err)
{
    return run_audit(stream, log, topic, true, err);
}
