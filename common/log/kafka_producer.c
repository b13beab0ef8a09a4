/* common/log/kafka_producer.c - append: one idempotent producer a log, each call waits for its
 * records' reports.
 *
 * The producer is idempotent with acks=all, so a broker that comes back gets every record once and
 * in order. Nothing in it expires by itself (message.timeout.ms 0): one record of a call that
 * expired while those behind it were still sent would be a hole in the stream, which no --resume
 * could see. Instead the call gives up as a whole, after APPEND_WAIT_MS: everything queued and in
 * flight is purged at once, so that what stands in a partition is a prefix of what it was given.
 * Of a request in flight the broker may still append a part after that.
 *
 * Speed: a call enqueues all and flushes, which ignores linger.ms; while it enqueues, linger keeps
 * the first records from leaving alone. Reports come to whichever thread polls: they lock the call. */
#include <inttypes.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/stop.h"
#include "common/log/kafka_parts.h"

enum {
    APPEND_WAIT_MS = 120000, /* a broker that is away is waited for so long */
    STOP_WAIT_MS = 3000,     /* and so long by a program that was asked to stop */
    TURN_MS = 100,           /* between two looks at the clock */
    ROOM_MS = 10,            /* between two tries to put a record into a full queue */
    DUE_BYTES = 24,
};

/* ---- reports ---- */

void kafka_delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    (void)opaque;
    struct kafka_call *call = message->_private;
    pthread_mutex_lock(&call->lock);
    call->waiting--;
    if (message->err) {
        if (!call->code)
            call->code = message->err;
    } else {
        call->stands++;
        if (call->first < 0 || message->offset < call->first)
            call->first = message->offset;
    }
    pthread_mutex_unlock(&call->lock);
}

static int waiting(struct kafka_call *call)
{
    pthread_mutex_lock(&call->lock);
    int count = call->waiting;
    pthread_mutex_unlock(&call->lock);
    return count;
}

static bool failed(struct kafka_call *call)
{
    pthread_mutex_lock(&call->lock);
    bool is = call->code != RD_KAFKA_RESP_ERR_NO_ERROR;
    pthread_mutex_unlock(&call->lock);
    return is;
}

/* ---- records ---- */

/* The record's own headers, and lk-due: when it was due, in ns. NULL: none. */
static rd_kafka_headers_t *headers_of(const struct log_record *record)
{
    char due[DUE_BYTES];
    if (record->due_ns == 0 && record->header_count == 0)
        return NULL;
    rd_kafka_headers_t *headers = rd_kafka_headers_new((size_t)record->header_count + 1);
    if (record->due_ns != 0) {
        int len = snprintf(due, sizeof due, "%" PRId64, record->due_ns);
        rd_kafka_header_add(headers, KAFKA_DUE_HEADER, -1, due, len);
    }
    for (int i = 0; i < record->header_count; i++) {
        const struct log_header *header = &record->headers[i];
        rd_kafka_header_add(headers, header->name, -1, header->value.ptr,
                            (ssize_t)header->value.len);
    }
    return headers;
}

static rd_kafka_error_t *produce(rd_kafka_t *producer, rd_kafka_topic_t *topic, int partition,
                                 const struct log_record *record, struct kafka_call *call)
{
    rd_kafka_headers_t *headers = headers_of(record);
    rd_kafka_vu_t vus[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = call},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)record->key.ptr, record->key.len}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)record->value.ptr, record->value.len}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };
    size_t count = sizeof vus / sizeof *vus - (headers == NULL);
    rd_kafka_error_t *error = rd_kafka_produceva(producer, vus, count);
    if (error && headers)
        rd_kafka_headers_destroy(headers);
    return error;
}

/* One record into the queue, waiting while that is full. */
static int send_record(const struct kafka *kafka, rd_kafka_t *producer, rd_kafka_topic_t *topic,
                       int partition, const struct log_record *record, struct kafka_call *call,
                       struct err *err)
{
    for (;;) {
        rd_kafka_error_t *error = produce(producer, topic, partition, record, call);
        if (!error)
            return 0;
        rd_kafka_resp_err_t code = rd_kafka_error_code(error);
        char said[256];
        snprintf(said, sizeof said, "%s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL && !failed(call)) {
            rd_kafka_poll(producer, ROOM_MS);
            continue;
        }
        if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
            return err_set(err, ERR_USAGE,
                           "topic %s: a record of %zu bytes is larger than message.max.bytes "
                           "allows; raise it: -X message.max.bytes=%zu, and max.message.bytes of "
                           "the topic",
                           rd_kafka_topic_name(topic), record->key.len + record->value.len,
                           (record->key.len + record->value.len) * 2);
        return kafka_producer_error(kafka, producer, code, said, rd_kafka_topic_name(topic), err);
    }
}

int kafka_send(const struct kafka *kafka, rd_kafka_t *producer, const char *topic,
               const struct log_append *part, struct kafka_call *call, struct err *err)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(producer, topic, NULL);
    if (!handle)
        return kafka_producer_error(kafka, producer, rd_kafka_last_error(), NULL, topic, err);
    int rc = 0;
    for (int i = 0; rc == 0 && i < part->count; i++) {
        pthread_mutex_lock(&call->lock);
        call->waiting++;
        pthread_mutex_unlock(&call->lock);
        rc = send_record(kafka, producer, handle, part->partition, &part->records[i], call, err);
        if (rc < 0) {
            pthread_mutex_lock(&call->lock);
            call->waiting--;
            pthread_mutex_unlock(&call->lock);
        }
    }
    rd_kafka_topic_destroy(handle);
    return rc;
}

/* ---- errors ---- */

int kafka_producer_error(const struct kafka *kafka, rd_kafka_t *producer, rd_kafka_resp_err_t code,
                         const char *said, const char *topic, struct err *err)
{
    char fatal[256], what[LOG_TOPIC_MAX + 32];
    snprintf(what, sizeof what, "appending to topic %s", topic);
    rd_kafka_resp_err_t cause = rd_kafka_fatal_error(producer, fatal, sizeof fatal);
    /* The broker refused records: why stands in their reports, the end of the producer follows. */
    bool refused = cause == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE && code > 0;
    if (cause && !refused)
        return err_set(err, ERR_ENV,
                       "kafka:%s: %s: the producer cannot go on: %s (%s); what was acknowledged "
                       "stands: run it again, lk gen with --resume",
                       kafka->brokers, what, rd_kafka_err2str(cause), fatal);
    return kafka_error(kafka, code, said ? said : rd_kafka_err2str(code), what, err);
}

/* The records that were given up, and what to do. */
static int given_up(const struct kafka *kafka, const struct kafka_call *call, const char *topic,
                    int64_t waited_ms, struct err *err)
{
    return err_set(
        err, stop_asked() ? ERR_INTERRUPTED : ERR_AWAY,
        "kafka:%s: appending to topic %s: no acknowledgement for %lld s (%d records of this "
        "call stand); when the broker is back run it again, lk gen with --resume",
        kafka->brokers, topic, (long long)(waited_ms / 1000), call->stands);
}

/* ---- append ---- */

static rd_kafka_t *producer_of(struct kafka *kafka, struct err *err)
{
    static const char *const PAIRS[] = {"enable.idempotence", "true", "acks", "all",
                                        "enable.gapless.guarantee", "true", "message.timeout.ms",
                                        "0",
                                        /* what a call of log.h may bring */
                                        "queue.buffering.max.messages", "1000000", NULL};
    static const struct kafka_calls CALLS = {.delivered = kafka_delivered};
    pthread_mutex_lock(&kafka->lock);
    if (!kafka->producer)
        kafka->producer = kafka_handle(kafka, RD_KAFKA_PRODUCER, PAIRS, &CALLS, err);
    rd_kafka_t *producer = kafka->producer;
    pthread_mutex_unlock(&kafka->lock);
    return producer;
}

/* Wait for all reports of a call; purge what is left when the time is over. */
static int wait_for_reports(const struct kafka *kafka, rd_kafka_t *producer,
                            struct kafka_call *call, const char *topic, struct err *err)
{
    int64_t began_ns = clock_mono_ns(), stopped_ns = 0;
    int rc = 0;
    while (waiting(call) > 0) {
        rd_kafka_flush(producer, TURN_MS);
        int64_t now_ns = clock_mono_ns(), waited_ms = (now_ns - began_ns) / 1000000;
        if (stopped_ns == 0 && stop_asked())
            stopped_ns = now_ns;
        bool over = waited_ms > APPEND_WAIT_MS ||
                    (stopped_ns && now_ns - stopped_ns > STOP_WAIT_MS * INT64_C(1000000));
        if (rc == 0 && over)
            rc = given_up(kafka, call, topic, waited_ms, err);
        if (over || failed(call))
            rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    }
    return rc;
}

/* Send the parts and wait: what became of them is in call. */
static int append_parts(struct kafka *kafka, const char *topic, const struct log_append *parts,
                        int count, struct kafka_call *call, struct err *err)
{
    rd_kafka_t *producer = producer_of(kafka, err);
    if (!producer)
        return ERR_USAGE; /* a property is refused: err says which */
    int rc = 0;
    for (int i = 0; rc == 0 && i < count; i++)
        rc = kafka_send(kafka, producer, topic, &parts[i], call, err);
    fault_point("append sent");
    int waited = wait_for_reports(kafka, producer, call, topic, err);
    fault_point("append answered");
    if (rc == 0)
        rc = waited;
    if (rc == 0 && call->code)
        rc = kafka_producer_error(kafka, producer, call->code, NULL, topic, err);
    return rc;
}

int64_t kafka_append(void *handle, const char *topic, int partition,
                     const struct log_record *records, int n, struct err *err)
{
    struct kafka_call call = {.first = -1, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct log_append part = {partition, n, records};
    int rc = append_parts(handle, topic, &part, 1, &call, err);
    return rc < 0 ? rc : call.first;
}

int kafka_append_all(void *handle, const char *topic, const struct log_append *parts, int count,
                     struct err *err)
{
    struct kafka_call call = {.first = -1, .lock = PTHREAD_MUTEX_INITIALIZER};
    return append_parts(handle, topic, parts, count, &call, err);
}
