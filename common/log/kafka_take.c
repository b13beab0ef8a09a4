/* common/log/kafka_take.c - takes batches out of the partitions' queues: read and get.
 *
 * A batch is what one queue has, at most as much as was asked for; nothing is waited for but the
 * first message. Its bytes are librdkafka's, which gets them back at the next read. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/log/kafka_reader.h"

enum { GET_MS = 10000, STEP_MS = 100 };
enum { NUDGE_MS = 50 };
/* A get this far ahead of where the queue goes on reads up to it, rather than begin anew. */
enum { NEAR = 10000 };
/* As where the queue goes on: it does not. */
enum { NOWHERE = -1 - NEAR };

void kafka_release_held(struct kafka_reader *reader)
{
    for (int i = 0; i < reader->held_count; i++)
        rd_kafka_message_destroy(reader->held[i]);
    reader->held_count = 0;
}

void kafka_leave_due(void *handle)
{
    struct kafka_reader *reader = handle;
    reader->no_due = true;
}

/* The header lk-due, or 0. */
static int64_t due_of(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers;
    const void *text;
    size_t len;
    int64_t due_ns;
    if (rd_kafka_message_headers(message, &headers) ||
        rd_kafka_header_get_last(headers, KAFKA_DUE_HEADER, &text, &len) || !text ||
        !bytes_to_int64((struct bytes){text, len}, &due_ns))
        return 0;
    return due_ns;
}

/* Are there due times to be looked for in what is held? librdkafka allocates to look for headers, also
 * where there are none, which is a fifth of all work on events that another program wrote. A run of
 * records whose first and last have no due time is taken to have none. */
static bool any_due(const struct kafka_reader *reader)
{
    int first = 0, last = reader->held_count - 1;
    while (first < last && reader->held[first]->err)
        first++;
    while (last > first && reader->held[last]->err)
        last--;
    return !reader->no_due && last >= first && !reader->held[first]->err &&
           (due_of(reader->held[first]) != 0 || due_of(reader->held[last]) != 0);
}

static void put_record(struct kafka_records *records, int n, const rd_kafka_message_t *message,
                       bool due)
{
    rd_kafka_timestamp_type_t type;
    records->offset[n] = message->offset;
    records->time_ms[n] = rd_kafka_message_timestamp(message, &type);
    records->due_ns[n] = due ? due_of(message) : 0;
    records->key[n] = (struct bytes){message->key, message->key_len};
    records->value[n] = (struct bytes){message->payload, message->len};
}

/* Something has come. */
static void hear_back(struct kafka_reader *reader)
{
    if (reader->away)
        fprintf(stderr, "lk: kafka:%s: a broker answers again\n", reader->kafka->brokers);
    reader->away = false;
}

/* The held messages from `from` on as arrays: how many records there are. The position moves behind
 * them, and to an end that was met. */
static int put_records(struct kafka_reader *reader, struct kafka_part *part, int64_t from)
{
    int n = 0;
    bool due = any_due(reader);
    for (int i = 0; i < reader->held_count; i++) {
        const rd_kafka_message_t *message = reader->held[i];
        bool end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (message->err && !end)
            part->error = message->err;
        else if (message->offset >= part->at)
            part->at = message->offset + !end;
        part->ended = end;
        if (!message->err && message->offset >= from)
            put_record(&reader->records, n++, message, due);
    }
    return n;
}

static void fill(const struct kafka_reader *reader, const struct kafka_part *part, int count,
                 struct log_batch *out)
{
    const struct kafka_records *records = &reader->records;
    *out = (struct log_batch){part->partition, count,        records->offset, records->time_ms,
                              records->due_ns, records->key, records->value,  part->at};
}

/* The position of a partition is not there: why, or 0 where it is there again. */
static int position_gone(struct kafka_reader *reader, struct kafka_part *part, struct err *err)
{
    int64_t first, end;
    int rc = kafka_range(reader->kafka, reader->topic, part->partition, &first, &end, err);
    if (rc < 0)
        return rc;
    if (part->at >= first && part->at <= end)
        return kafka_fetch_from(reader, part, part->at, err);
    rc = kafka_gone(reader, part->partition, part->at, first, end, err);
    part->sought = false;
    return rc;
}

static bool names_no_topic(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC || code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

/* An error stood in a partition's queue: 0 to go on. */
static int part_failed(struct kafka_reader *reader, struct kafka_part *part, struct err *err)
{
    rd_kafka_resp_err_t code = part->error;
    struct err why = {0};
    char what[LOG_TOPIC_MAX + 64];
    int rc;
    snprintf(what, sizeof what, "reading partition %d of topic %s", part->partition, reader->topic);
    if (code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
        rc = position_gone(reader, part, &why);
    else if (names_no_topic(code)) /* a broker that has just started may say so in error */
        rc = kafka_partitions_now(reader->kafka, reader->topic, &why);
    else
        rc = kafka_error(reader->kafka, code, NULL, what, &why);
    if (rc == ERR_AWAY && code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
        return 0; /* asked again at the next read */
    part->error = 0;
    return rc >= 0 || rc == ERR_AWAY ? 0 : err_set(err, rc, "%s", why.text);
}

/* When every queue is full, librdkafka 2.0.2 looks again after a second, however fast we empty them
 * meanwhile; but a request to the broker that leads a partition makes it look at once. So ask for
 * something once they were full and one is half empty. Newer ones have fetch.queue.backoff.ms. */
static void nudge(struct kafka_reader *reader, const struct kafka_part *part)
{
    int64_t end;
    kafka_ask_offset(reader->consumer, reader->topic, part->partition, KAFKA_END, NUDGE_MS, &end);
}

static bool all_full(const struct kafka_reader *reader)
{
    for (int i = 0; i < reader->count; i++) {
        const struct kafka_part *part = &reader->parts[i];
        if (part->sought && part->owned && !part->paused && !part->full)
            return false;
    }
    return true;
}

/* n records were taken from a queue that had length messages: it holds more of their size. */
static void keep_fetching(struct kafka_reader *reader, struct kafka_part *part, size_t length,
                          int n)
{
    if (n == 0)
        return;
    const struct kafka_records *records = &reader->records;
    int64_t bytes = (int64_t)records->value[n - 1].len + 1;
    int64_t left = (int64_t)length - reader->held_count;
    part->full = (int64_t)length * bytes > reader->prefetch / 4 * 3;
    reader->filled = reader->filled || (part->full && all_full(reader));
    if (!reader->filled || left * bytes > reader->prefetch / 2)
        return;
    nudge(reader, part);
    reader->filled = false;
}

/* Nothing came for a step: nudge for a partition that has not met its end. */
static void fetch_again(struct kafka_reader *reader)
{
    for (int i = 0; i < reader->count; i++) {
        struct kafka_part *part = &reader->parts[i];
        if (part->sought && part->owned && !part->paused && !part->ended) {
            nudge(reader, part);
            return;
        }
    }
}

/* Take up to max messages of a partition whose queue goes on where it is to be read: how many
 * records; *moved: the position is another now. */
static int take(struct kafka_reader *reader, struct kafka_part *part, int max, bool *moved,
                struct err *err)
{
    int64_t from = part->at;
    size_t length = rd_kafka_queue_length(part->queue);
    kafka_release_held(reader); /* an end met in another queue, at this read */
    ssize_t held = rd_kafka_consume_batch_queue(part->queue, 0, reader->held, (size_t)max);
    reader->held_count = held > 0 ? (int)held : 0;
    if (held > 0)
        hear_back(reader);
    int n = put_records(reader, part, from);
    keep_fetching(reader, part, length, n);
    part->next = part->at;
    *moved = part->at != from;
    return n || *moved || !part->error ? n : part_failed(reader, part, err);
}

/* Take from the next partition that has something: 1 if out is filled. */
static int take_turns(struct kafka_reader *reader, int max, struct log_batch *out, int *count,
                      struct err *err)
{
    for (int i = 0; i < reader->count; i++) {
        struct kafka_part *part = &reader->parts[reader->turn];
        reader->turn = (reader->turn + 1) % reader->count;
        if (part->paused || !part->sought || !part->owned)
            continue;
        int rc = part->error ? part_failed(reader, part, err) : 0;
        if (rc == 0 && part->at != part->next)
            rc = kafka_fetch_from(reader, part, part->next, err);
        if (rc < 0)
            return rc;
        if (rd_kafka_queue_length(part->queue) == 0)
            continue;
        bool moved;
        *count = take(reader, part, max, &moved, err);
        if (*count < 0)
            return *count;
        if (*count > 0 || moved) {
            fill(reader, part, *count, out);
            return 1;
        }
    }
    return 0;
}

/* Serve what concerns no partition: 0, or a code where going on is useless. */
static int serve_events(struct kafka_reader *reader, struct err *err)
{
    while (rd_kafka_queue_length(reader->events) > 0) {
        rd_kafka_message_t *event = rd_kafka_consumer_poll(reader->consumer, 0);
        if (!event)
            return 0;
        char said[256] = "";
        struct err why = {0};
        rd_kafka_resp_err_t code = event->err;
        if (code == RD_KAFKA_RESP_ERR__FATAL)
            code = rd_kafka_fatal_error(reader->consumer, said, sizeof said);
        int rc = code ? kafka_error(reader->kafka, code, said, "reading", &why) : 0;
        rd_kafka_message_destroy(event);
        if (rc < 0 && rc != ERR_AWAY)
            return err_set(err, rc, "%s", why.text);
    }
    return 0;
}

/* Sleep until a queue has something (1), for a step (0), or to the end of the wait (-1, as after a
 * signal). */
static int sleep_some(struct kafka_reader *reader, int64_t until_ns)
{
    struct pollfd wake = {.fd = reader->wake_fd, .events = POLLIN};
    int64_t left_ms = (until_ns - clock_mono_ns() + 999999) / 1000000;
    uint64_t count;
    if (left_ms <= 0)
        return -1;
    int rc = poll(&wake, 1, left_ms < STEP_MS ? (int)left_ms : STEP_MS);
    if (rc > 0 && read(reader->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
        return -1;
    return rc;
}

static void close_side(struct kafka_reader *reader)
{
    if (reader->side)
        kafka_reader_close(reader->side);
    reader->side = NULL;
}

int kafka_read(void *handle, int max, int wait_ms, struct log_batch *out, struct err *err)
{
    struct kafka_reader *reader = handle;
    int64_t until_ns = clock_mono_ns() + (int64_t)wait_ms * 1000000;
    int rc = kafka_reader_start(reader, NULL, err), count = 0, slept;
    kafka_release_held(reader);
    close_side(reader);
    kafka_commit_noted(reader);
    do {
        if (rc == 0)
            rc = serve_events(reader, err);
        if (rc == 0)
            rc = take_turns(reader, max, out, &count, err);
        slept = rc == 0 ? sleep_some(reader, until_ns) : -1;
        if (slept == 0) {
            fetch_again(reader);
            rc = kafka_look_for_topic(reader, err);
        }
    } while (rc == 0 && slept >= 0);
    return rc < 0 ? rc : count;
}

/* Take what the queue has up to offset: 1 found, 0 it is not there, 2 not yet known. */
static int take_one(struct kafka_reader *reader, struct kafka_part *part, int64_t offset)
{
    enum { STRIDE = 256 };
    int64_t far = offset - part->at + 1;
    kafka_release_held(reader);
    ssize_t held = rd_kafka_consume_batch_queue(part->queue, 0, reader->held,
                                                far < STRIDE ? (size_t)far : STRIDE);
    reader->held_count = held > 0 ? (int)held : 0;
    if (put_records(reader, part, offset) > 0)
        return reader->records.offset[0] == offset;
    if (part->at > offset || part->error == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
        return 0;
    for (int i = 0; i < reader->held_count; i++)
        if (reader->held[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            return 0;
    part->error = 0;
    return 2;
}

/* Look for a record where the queue goes on, at or before it; 2: not in what has been fetched. */
static int look_for(struct kafka_reader *reader, struct kafka_part *part, int64_t offset)
{
    int found = 2;
    while (found == 2 && rd_kafka_queue_length(part->queue) > 0)
        found = take_one(reader, part, offset);
    return found;
}

/* The same, fetching it. */
static int fetch_one(struct kafka_reader *reader, struct kafka_part *part, int64_t offset,
                     struct err *err)
{
    int64_t until_ns = clock_mono_ns() + (int64_t)GET_MS * 1000000;
    int found = kafka_fetch_from(reader, part, offset, err);
    if (found < 0)
        return found;
    while ((found = look_for(reader, part, offset)) == 2)
        if (sleep_some(reader, until_ns) < 0 && clock_mono_ns() >= until_ns)
            return err_set(
                err, ERR_AWAY, "kafka:%s: no answer for offset %lld of partition %d of topic %s",
                reader->kafka->brokers, (long long)offset, part->partition, reader->topic);
    return found;
}

/* The same with a reader of its own, which serves all that are asked for until the next read. */
static int get_aside(struct kafka_reader *reader, int partition, int64_t offset,
                     struct log_batch *out, struct err *err)
{
    int all[LOG_PARTITIONS_MAX], rc = 0;
    void *side = reader->side;
    for (int i = 0; !side && i < reader->count; i++)
        all[i] = reader->parts[i].partition;
    if (!side)
        rc = kafka_reader_open(reader->kafka, reader->topic, all, reader->count, &side, err);
    reader->side = side;
    return rc < 0 ? rc : kafka_get(side, partition, offset, out, err);
}

int kafka_get(void *handle, int partition, int64_t offset, struct log_batch *out, struct err *err)
{
    struct kafka_reader *reader = handle;
    if (reader->shared)
        return get_aside(reader, partition, offset, out, err);
    struct kafka_part *part = kafka_part_of(reader, partition);
    int rc = kafka_reader_start(reader, NULL, err);
    if (rc < 0 || offset < 0)
        return rc;
    bool near = part->assigned && !part->error && part->at <= offset && offset - part->at < NEAR;
    int found = near ? look_for(reader, part, offset) : 2;
    if (found != 1) /* an end that was met on the way may be old */
        found = fetch_one(reader, part, offset, err);
    if (found == 0 && part->error) { /* the offset is gone, not what is to be read next */
        part->error = 0;
        part->at = NOWHERE;
    }
    if (found == 1) {
        fill(reader, part, 1, out);
        out->next = offset + 1;
    }
    return found;
}
