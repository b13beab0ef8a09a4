/* common/log/kafka_reader.c - a reader of some partitions: its consumer, seek and pause.
 *
 * Partitions are assigned by hand, one by one; a position that is not where the queue goes on is a
 * new assignment, which librdkafka tells from the old one by its version, and nothing stale is
 * delivered. Positions are our own: what was last delivered, or the offset of an end-of-partition
 * event, since markers of transactions and aborted records take offsets that are never delivered. */
#include "common/log/kafka_reader.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/clock.h"

/* A consumer must have a group's name even if it appears in none. */
#define NO_GROUP "lk"
/* A member that joins is dealt its share at the others' next heartbeat. */
#define HEARTBEAT_MS "1000"
enum { PREFETCH_KIB = 16 * 1024, PREFETCH_KIB_MIN = 1024 };
/* Between two looks for a topic of which nothing comes, and how long one may take. */
enum { LOOK_MS = 2000, ANSWER_MS = 50 };
enum { SESSION_MS = 10000, POLL_MS_MAX = 3600 * 1000, KNOW_MS = 5000 };

struct kafka_part *kafka_part_of(struct kafka_reader *reader, int partition)
{
    for (int i = 0; i < reader->count; i++)
        if (reader->parts[i].partition == partition)
            return &reader->parts[i];
    assert(!"a partition that this reader was not opened for");
    return NULL;
}

int kafka_reader_open(void *handle, const char *topic, const int *partitions, int n, void **out,
                      struct err *err)
{
    struct kafka_reader *reader = mem_zero(1, sizeof *reader);
    reader->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (reader->wake_fd < 0) {
        free(reader);
        return err_errno(err, ERR_ENV, "cannot make an eventfd");
    }
    reader->kafka = handle;
    reader->topic = mem_copy_string(topic);
    reader->count = n;
    reader->strange = -1;
    reader->parts = mem_zero((size_t)n, sizeof *reader->parts);
    for (int i = 0; i < n; i++)
        reader->parts[i] = (struct kafka_part){
            .partition = partitions[i], .owned = true, .noted = -1, .committed = -1};
    *out = reader;
    return 0;
}

static void drain(struct kafka_part *part)
{
    rd_kafka_message_t *messages[64];
    while (rd_kafka_queue_length(part->queue) > 0) {
        ssize_t n = rd_kafka_consume_batch_queue(part->queue, 0, messages, 64);
        for (ssize_t i = 0; i < n; i++)
            rd_kafka_message_destroy(messages[i]);
    }
}

/* A message that we still held would hold its partition, and the consumer wait for that for ever. */
static void stop(struct kafka_reader *reader)
{
    kafka_release_held(reader);
    kafka_commit_last(reader);
    if (reader->shared)
        rd_kafka_consumer_close(reader->consumer);
    else
        rd_kafka_assign(reader->consumer, NULL);
    for (int i = 0; i < reader->count; i++) {
        if (!reader->parts[i].queue)
            continue;
        drain(&reader->parts[i]);
        rd_kafka_queue_destroy(reader->parts[i].queue);
    }
    if (reader->events)
        rd_kafka_queue_destroy(reader->events);
    rd_kafka_topic_destroy(reader->known);
    rd_kafka_destroy_flags(reader->consumer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    reader->consumer = NULL;
    reader->events = NULL;
}

/* Let the consumer know the topic's partitions before they are used: one that it has only heard of
 * from us is forgotten, its queue too, when it is unassigned. */
static int know_topic(struct kafka_reader *reader, struct err *err)
{
    const struct rd_kafka_metadata *data = NULL;
    reader->known = rd_kafka_topic_new(reader->consumer, reader->topic, NULL);
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(reader->consumer, 0, reader->known, &data, KNOW_MS);
    if (code)
        return kafka_error(reader->kafka, code, NULL, "beginning to read", err);
    rd_kafka_metadata_destroy(data);
    return 0;
}

/* Take a partition's queue out of the consumer's common one, and let both wake us. */
static void separate_queues(struct kafka_reader *reader)
{
    static const uint64_t ONE = 1;
    reader->events = rd_kafka_queue_get_consumer(reader->consumer);
    rd_kafka_queue_io_event_enable(reader->events, reader->wake_fd, &ONE, sizeof ONE);
    for (int i = 0; i < reader->count; i++) {
        struct kafka_part *part = &reader->parts[i];
        part->queue =
            rd_kafka_queue_get_partition(reader->consumer, reader->topic, part->partition);
        rd_kafka_queue_forward(part->queue, NULL);
        rd_kafka_queue_io_event_enable(part->queue, reader->wake_fd, &ONE, sizeof ONE);
    }
}

/* librdkafka tells it once when the last broker goes, inside calls on the reader's thread. Reading waits
 * for as long as it takes, so the user is told what for. */
static void hear_away(rd_kafka_t *consumer, int code, const char *reason, void *opaque)
{
    struct kafka_reader *reader = opaque;
    (void)consumer;
    (void)reason;
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || reader->away)
        return;
    reader->away = true;
    fprintf(stderr, "lk: kafka:%s: no broker answers; reading topic %s waits for one\n",
            reader->kafka->brokers, reader->topic);
}

int kafka_reader_start(struct kafka_reader *reader, const struct log_group *group, struct err *err)
{
    if (reader->consumer)
        return 0;
    int share = PREFETCH_KIB / reader->count;
    char prefetch[16], session[16], longest[16];
    int session_ms = group && group->session_ms ? group->session_ms : SESSION_MS;
    snprintf(prefetch, sizeof prefetch, "%d", share > PREFETCH_KIB_MIN ? share : PREFETCH_KIB_MIN);
    snprintf(session, sizeof session, "%d", session_ms);
    snprintf(longest, sizeof longest, "%d", POLL_MS_MAX);
    const char *pairs[] = {"heartbeat.interval.ms",
                           HEARTBEAT_MS,
                           "queued.max.messages.kbytes",
                           prefetch,
                           "group.id",
                           group ? group->name : NO_GROUP,
                           "partition.assignment.strategy",
                           "cooperative-sticky",
                           "session.timeout.ms",
                           session,
                           "max.poll.interval.ms",
                           longest,
                           group && group->instance ? "group.instance.id" : NULL,
                           group ? group->instance : NULL,
                           NULL};
    struct kafka_calls calls = {.opaque = reader,
                                .failed = hear_away,
                                .rebalanced = reader->shared ? kafka_rebalanced : NULL};
    reader->consumer = kafka_handle(reader->kafka, RD_KAFKA_CONSUMER, pairs, &calls, err);
    if (!reader->consumer)
        return ERR_USAGE;
    rd_kafka_poll_set_consumer(reader->consumer);
    size_t size = sizeof prefetch; /* the user may have wanted something else */
    rd_kafka_conf_get(rd_kafka_conf(reader->consumer), "queued.max.messages.kbytes", prefetch,
                      &size);
    reader->prefetch = atoll(prefetch) * 1024;
    int rc = know_topic(reader, err);
    if (rc == 0)
        separate_queues(reader);
    else
        stop(reader);
    return rc;
}

void kafka_reader_close(void *handle)
{
    struct kafka_reader *reader = handle;
    if (reader->side)
        kafka_reader_close(reader->side);
    if (reader->consumer)
        stop(reader);
    close(reader->wake_fd);
    free(reader->parts);
    free(reader->topic);
    free(reader);
}

/* Assign or unassign one partition; the others go on. */
static int change(struct kafka_reader *reader, struct kafka_part *part, int64_t offset, bool assign,
                  struct err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, reader->topic, part->partition)->offset = offset;
    rd_kafka_error_t *error = assign ? rd_kafka_incremental_assign(reader->consumer, list)
                                     : rd_kafka_incremental_unassign(reader->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (!error)
        return 0;
    int rc = kafka_error(reader->kafka, rd_kafka_error_code(error), rd_kafka_error_string(error),
                         assign ? "beginning to read" : "ceasing to read", err);
    rd_kafka_error_destroy(error);
    return rc;
}

int kafka_fetch_from(struct kafka_reader *reader, struct kafka_part *part, int64_t offset,
                     struct err *err)
{
    int rc = part->assigned ? change(reader, part, 0, false, err) : 0;
    part->assigned = part->ended = false;
    part->error = 0;
    if (rc < 0)
        return rc;
    drain(part);
    rc = change(reader, part, offset, true, err);
    part->assigned = rc == 0;
    part->at = offset;
    return rc;
}

/* Does the broker say that there is no such topic? No answer is no such word. */
static bool is_missing(const struct kafka_reader *reader)
{
    const struct rd_kafka_metadata *data = NULL;
    if (rd_kafka_metadata(reader->consumer, 0, reader->known, &data, ANSWER_MS))
        return false;
    bool missing =
        data->topic_cnt == 1 && data->topics[0].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    rd_kafka_metadata_destroy(data);
    return missing;
}

/* librdkafka 2.0.2 says nothing of a topic that is deleted while it is read: nothing comes any more. So
 * it is looked for while nothing comes; twice, for a broker that has just started may be wrong. */
int kafka_look_for_topic(struct kafka_reader *reader, struct err *err)
{
    struct err why = {0};
    if (clock_mono_ns() - reader->looked_ns < (int64_t)LOOK_MS * 1000000)
        return 0;
    bool missing = is_missing(reader);
    int rc =
        missing && reader->missing ? kafka_partitions_now(reader->kafka, reader->topic, &why) : 0;
    reader->missing = missing;
    reader->looked_ns = clock_mono_ns();
    return rc >= 0 || rc == ERR_AWAY ? 0 : err_set(err, rc, "%s", why.text);
}

int kafka_gone(const struct kafka_reader *reader, int partition, int64_t position, int64_t first,
               int64_t end, struct err *err)
{
    if (position < first)
        return err_set(err, ERR_GONE,
                       "offset %lld is gone: partition %d of topic %s begins at %lld",
                       (long long)position, partition, reader->topic, (long long)first);
    return err_set(err, ERR_GONE,
                   "offset %lld is not there: partition %d of topic %s ends at %lld; was the topic "
                   "deleted and made anew?",
                   (long long)position, partition, reader->topic, (long long)end);
}

int kafka_seek(void *handle, int partition, int64_t position, struct err *err)
{
    struct kafka_reader *reader = handle;
    struct kafka_part *part = kafka_part_of(reader, partition);
    int64_t first = 0, end = 0;
    int rc = kafka_reader_start(reader, NULL, err);
    rc = rc ? rc : kafka_range(reader->kafka, reader->topic, partition, &first, &end, err);
    if (rc < 0)
        return rc;
    if (position == LOG_END)
        position = end;
    if (position < first || position > end)
        return kafka_gone(reader, partition, position, first, end, err);
    if (!part->owned) /* taken back meanwhile, as log_owned will say */
        return 0;
    if (!part->assigned || part->error || part->at != position)
        rc = kafka_fetch_from(reader, part, position, err);
    part->next = position;
    part->sought = rc == 0;
    return rc;
}

void kafka_pause(void *handle, int partition, bool paused)
{
    kafka_part_of(handle, partition)->paused = paused;
}
