/* common/log/kafka_admin.c - topics: made, deleted, counted; where a partition begins and ends.
 *
 * Everything here is a question to the broker on the log's admin handle, and waits for the answer.
 * The number of a topic's partitions is asked for at every append, so it is remembered; an answer
 * that is too old still stands where no broker gives a new one. */
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/map.h"
#include "common/log/kafka_parts.h"

enum { ASK_MS = 5000, CHANGE_MS = 15000, SETTLE_MS = 10000, LOOK_AGAIN_MS = 20 };
enum { REMEMBER_MS = 10000, NAMES_BYTES = 300 };

struct known {
    int partitions;
    int64_t asked_ns;
};

struct kafka_topics {
    struct map known; /* struct known by name */
};

void kafka_topics_free(struct kafka_topics *topics)
{
    if (topics)
        map_release(&topics->known);
    free(topics);
}

/* Wants kafka->lock. */
static struct known *known_of(struct kafka *kafka, const char *topic)
{
    if (!kafka->topics) {
        kafka->topics = mem_zero(1, sizeof *kafka->topics);
        map_init(&kafka->topics->known, sizeof(struct known));
    }
    return map_put(&kafka->topics->known, bytes_of(topic), NULL);
}

/* What was last known of a topic: partitions, 0 for none, and how long ago. */
static int recall(struct kafka *kafka, const char *topic, int64_t *age_ms)
{
    pthread_mutex_lock(&kafka->lock);
    struct known known = *known_of(kafka, topic);
    pthread_mutex_unlock(&kafka->lock);
    *age_ms = (clock_mono_ns() - known.asked_ns) / 1000000;
    return known.partitions;
}

static void remember(struct kafka *kafka, const char *topic, int partitions)
{
    pthread_mutex_lock(&kafka->lock);
    *known_of(kafka, topic) = (struct known){partitions, clock_mono_ns()};
    pthread_mutex_unlock(&kafka->lock);
}

/* A client's own error callback runs inside some call of that client; this is where the admin's does. */
static int failed(struct kafka *kafka, rd_kafka_resp_err_t code, const char *said, const char *verb,
                  const char *topic, struct err *err)
{
    char what[LOG_TOPIC_MAX + 64];
    snprintf(what, sizeof what, "%s topic %s", verb, topic);
    rd_kafka_poll(kafka->admin, 0);
    return kafka_error(kafka, code, said, what, err);
}

/* The broker's word on one topic, or on all of them (NULL). Owned: rd_kafka_metadata_destroy. */
static rd_kafka_resp_err_t ask(struct kafka *kafka, const char *topic,
                               const struct rd_kafka_metadata **out)
{
    rd_kafka_topic_t *one = topic ? rd_kafka_topic_new(kafka->admin, topic, NULL) : NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(kafka->admin, !topic, one, out, ASK_MS);
    if (one)
        rd_kafka_topic_destroy(one);
    return code;
}

/* The names of topics that are not the broker's own, and how many there are. */
static int list_topics(const struct rd_kafka_metadata *all, struct buf *names)
{
    int count = 0;
    for (int i = 0; i < all->topic_cnt; i++) {
        if (all->topics[i].topic[0] == '_')
            continue;
        if (names->len < NAMES_BYTES)
            buf_printf(names, "%s%s", names->len ? ", " : "", all->topics[i].topic);
        count++;
    }
    if (names->len >= NAMES_BYTES)
        buf_printf(names, " ... (%d in all)", count);
    return count;
}

static int unknown_topic(struct kafka *kafka, const char *topic, struct err *err)
{
    const struct rd_kafka_metadata *all = NULL;
    struct buf names = {0};
    rd_kafka_resp_err_t code = ask(kafka, NULL, &all);
    if (code)
        return failed(kafka, code, NULL, "looking for", topic, err);
    int count = list_topics(all, &names);
    int rc = err_set(err, ERR_ENV, "the log kafka:%s has no topic \"%s\"; it has %s",
                     kafka->brokers, topic, count ? names.ptr : "none, `lk gen` makes one");
    rd_kafka_metadata_destroy(all);
    buf_release(&names);
    return rc;
}

/* Ask for a topic: its partitions, or 0 where it is not there; *leaders: each of them has one. */
static int look(struct kafka *kafka, const char *topic, bool *leaders, struct err *err)
{
    const struct rd_kafka_metadata *data = NULL;
    rd_kafka_resp_err_t code = ask(kafka, topic, &data);
    if (code)
        return failed(kafka, code, NULL, "looking for", topic, err);
    const struct rd_kafka_metadata_topic *found = data->topics;
    int count = 0;
    *leaders = true;
    if (data->topic_cnt == 1 && found->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        count = found->partition_cnt;
    else if (data->topic_cnt == 1 && found->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        count = failed(kafka, found->err, NULL, "looking for", topic, err);
    for (int p = 0; p < count; p++)
        *leaders = *leaders && found->partitions[p].leader >= 0 && !found->partitions[p].err;
    rd_kafka_metadata_destroy(data);
    return count;
}

int kafka_partitions_now(struct kafka *kafka, const char *topic, struct err *err)
{
    bool leaders;
    int count = look(kafka, topic, &leaders, err);
    if (count < 0)
        return count;
    remember(kafka, topic, count);
    return count ? count : unknown_topic(kafka, topic, err);
}

int kafka_partitions(void *handle, const char *topic, struct err *err)
{
    struct kafka *kafka = handle;
    int64_t age_ms;
    int known = recall(kafka, topic, &age_ms);
    if (known && age_ms < REMEMBER_MS)
        return known;
    struct err why = {0};
    int count = kafka_partitions_now(kafka, topic, &why);
    if (count == ERR_AWAY && known)
        return known;
    return count < 0 ? err_set(err, count, "%s", why.text) : count;
}

/* Look until a topic has partitions with leaders, or until it has gone. */
static int settle(struct kafka *kafka, const char *topic, bool there, struct err *err)
{
    int64_t until_ns = clock_mono_ns() + (int64_t)SETTLE_MS * 1000000;
    for (;;) {
        bool leaders;
        int count = look(kafka, topic, &leaders, err);
        if (count < 0)
            return count;
        if (there ? count > 0 && leaders : count == 0) {
            remember(kafka, topic, count);
            return 0;
        }
        if (clock_mono_ns() > until_ns)
            return err_set(err, ERR_AWAY, "kafka:%s: topic %s is %s %d s later; run it again",
                           kafka->brokers, topic, there ? "not there yet" : "still there",
                           SETTLE_MS / 1000);
        usleep(LOOK_AGAIN_MS * 1000);
    }
}

/* An admin request under way: a queue for its answer and the options with time limits. */
struct request {
    rd_kafka_queue_t *queue;
    rd_kafka_AdminOptions_t *options;
};

static struct request request_new(struct kafka *kafka, rd_kafka_admin_op_t op)
{
    struct request request = {rd_kafka_queue_new(kafka->admin),
                              rd_kafka_AdminOptions_new(kafka->admin, op)};
    rd_kafka_AdminOptions_set_request_timeout(request.options, CHANGE_MS, NULL, 0);
    rd_kafka_AdminOptions_set_operation_timeout(request.options, CHANGE_MS, NULL, 0);
    return request;
}

/* Wait for the answer (NULL: none in time) and let the request go. Owned. */
static rd_kafka_event_t *request_wait(struct request request)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(request.queue, CHANGE_MS + ASK_MS);
    rd_kafka_AdminOptions_destroy(request.options);
    rd_kafka_queue_destroy(request.queue);
    return event;
}

/* The error of an answer about one topic; *said is borrowed from event. */
static rd_kafka_resp_err_t topic_code(rd_kafka_event_t *event,
                                      const rd_kafka_topic_result_t *const *results, size_t count,
                                      const char **said)
{
    *said = event ? rd_kafka_event_error_string(event) : NULL;
    if (!event)
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (rd_kafka_event_error(event) || count != 1)
        return rd_kafka_event_error(event);
    *said = rd_kafka_topic_result_error_string(results[0]);
    return rd_kafka_topic_result_error(results[0]);
}

static int check_count(struct kafka *kafka, const char *topic, int wanted, struct err *err)
{
    bool leaders;
    int count = look(kafka, topic, &leaders, err);
    if (count <= 0 || count == wanted)
        return count < 0 ? count : settle(kafka, topic, true, err);
    return err_set(err, ERR_USAGE,
                   "topic %s has %d partitions, not %d: use these, or another topic name", topic,
                   count, wanted);
}

/* The request for a topic of this shape; said: why there is none. */
static rd_kafka_NewTopic_t *describe(const char *topic, struct log_shape shape, char *said,
                                     size_t size)
{
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(
        topic, shape.partitions, shape.replication > 0 ? shape.replication : -1, said, size);
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)shape.retention_ms);
    if (wanted && shape.retention_ms)
        rd_kafka_NewTopic_set_config(wanted, "retention.ms", text);
    return wanted;
}

int kafka_create_topic(void *handle, const char *topic, struct log_shape shape, struct err *err)
{
    struct kafka *kafka = handle;
    char why[256] = "";
    rd_kafka_NewTopic_t *wanted = describe(topic, shape, why, sizeof why);
    if (!wanted)
        return failed(kafka, RD_KAFKA_RESP_ERR__INVALID_ARG, why, "making", topic, err);
    struct request request = request_new(kafka, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(kafka->admin, &wanted, 1, request.options, request.queue);
    rd_kafka_event_t *event = request_wait(request);
    size_t count = 0;
    const char *said;
    const rd_kafka_topic_result_t **results =
        event
            ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
            : NULL;
    rd_kafka_resp_err_t code = topic_code(event, results, count, &said);
    int rc;
    if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        rc = check_count(kafka, topic, shape.partitions, err);
    else
        rc = code ? failed(kafka, code, said, "making", topic, err)
                  : settle(kafka, topic, true, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(wanted);
    return rc;
}

int kafka_delete_topic(void *handle, const char *topic, struct err *err)
{
    struct kafka *kafka = handle;
    rd_kafka_DeleteTopic_t *which = rd_kafka_DeleteTopic_new(topic);
    struct request request = request_new(kafka, RD_KAFKA_ADMIN_OP_DELETETOPICS);
    rd_kafka_DeleteTopics(kafka->admin, &which, 1, request.options, request.queue);
    rd_kafka_event_t *event = request_wait(request);
    size_t count = 0;
    const char *said;
    const rd_kafka_topic_result_t **results =
        event
            ? rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count)
            : NULL;
    rd_kafka_resp_err_t code = topic_code(event, results, count, &said);
    int rc;
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        rc = unknown_topic(kafka, topic, err);
    else
        rc = code ? failed(kafka, code, said, "deleting", topic, err)
                  : settle(kafka, topic, false, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(which);
    return rc;
}

/* Did an answer come that a moment's wait may change? The leader of a new topic, or of a broker that
 * has just started, is known before it serves; and librdkafka, which has the topic from one answer, says
 * for a moment that it has no such partition. */
static bool not_yet(rd_kafka_resp_err_t code, int64_t until_ns)
{
    bool may_change = code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
                      (code && kafka_error_code(code) == ERR_AWAY);
    if (!may_change || clock_mono_ns() > until_ns)
        return false;
    usleep(LOOK_AGAIN_MS * 1000);
    return true;
}

rd_kafka_resp_err_t kafka_ask_offset(rd_kafka_t *handle, const char *topic, int partition,
                                     int64_t time_ms, int wait_ms, int64_t *offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *asked = rd_kafka_topic_partition_list_add(list, topic, partition);
    asked->offset = time_ms;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(handle, list, wait_ms);
    code = code ? code : asked->err;
    *offset = asked->offset;
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

/* The same, waiting for a broker that can answer. */
static int offset_of(struct kafka *kafka, const char *topic, int partition, int64_t time_ms,
                     int64_t *offset, struct err *err)
{
    int64_t until_ns = clock_mono_ns() + (int64_t)ASK_MS * 1000000;
    rd_kafka_resp_err_t code;
    do
        code = kafka_ask_offset(kafka->admin, topic, partition, time_ms, ASK_MS, offset);
    while (not_yet(code, until_ns));
    return code ? failed(kafka, code, NULL, "asking for an offset of", topic, err) : 0;
}

int kafka_range(void *handle, const char *topic, int partition, int64_t *first, int64_t *end,
                struct err *err)
{
    int rc = offset_of(handle, topic, partition, KAFKA_FIRST, first, err);
    return rc ? rc : offset_of(handle, topic, partition, KAFKA_END, end, err);
}

int kafka_offset_at(void *handle, const char *topic, int partition, int64_t time_ms,
                    int64_t *offset, struct err *err)
{
    int64_t end;
    int rc = offset_of(handle, topic, partition, KAFKA_END, &end, err);
    /* To the broker, negative times are names; -1 is its answer where there is none so late. */
    rc = rc ? rc
            : offset_of(handle, topic, partition, time_ms < 0 ? KAFKA_FIRST : time_ms, offset, err);
    if (rc == 0 && *offset < 0)
        *offset = end;
    return rc;
}

int kafka_trim(void *handle, const char *topic, int partition, int64_t before, struct err *err)
{
    struct kafka *kafka = handle;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = before;
    rd_kafka_DeleteRecords_t *which = rd_kafka_DeleteRecords_new(list);
    struct request request = request_new(kafka, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    rd_kafka_DeleteRecords(kafka->admin, &which, 1, request.options, request.queue);
    rd_kafka_event_t *event = request_wait(request);
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (!code) {
        const rd_kafka_topic_partition_list_t *done =
            rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
        code = done->elems[0].err;
    }
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(which);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? failed(kafka, code, NULL, "trimming", topic, err) : 0;
}
