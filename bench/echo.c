/* bench/echo.c - see echo.h. An event carries its number; due follows from it. */
#include "bench/echo.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/stop.h"
#include "common/log/kafka_parts.h"

enum { EVENT_BYTES = 253, BATCH = 1000, WAIT_MS = 100, PATIENCE_S = 30 };
#define TICK_NS INT64_C(1000000)

struct echo {
    struct echo_options options;
    rd_kafka_t *producer, *consumer;
    rd_kafka_queue_t *queue;
    pthread_t sending, receiving;
    int64_t ends_ns; /* monotonic: given up then */
    int64_t received;
    struct hist us;
    int rc; /* of the sender */
};

static int64_t due_ns(const struct echo_options *options, int64_t number)
{
    return options->start_ns + (int64_t)((double)number * 1e9 / options->rate);
}

/* ---- the sender ---- */

/* All that is due by now: the number of the first that is not. */
static int64_t send_due(struct echo *echo, rd_kafka_topic_t *topic, int64_t number)
{
    const struct echo_options *options = &echo->options;
    char value[EVENT_BYTES] = {0};
    int64_t now_ns = clock_wall_ns();
    while (number < options->events && due_ns(options, number) <= now_ns) {
        memcpy(value, &number, sizeof number);
        if (rd_kafka_produce(topic, (int32_t)(number % options->partitions), RD_KAFKA_MSG_F_COPY,
                             value, sizeof value, NULL, 0, NULL) == 0)
            number++;
        else if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL)
            rd_kafka_poll(echo->producer, 1);
        else
            return -1;
    }
    rd_kafka_poll(echo->producer, 0);
    return number;
}

static void *send_all(void *context)
{
    struct echo *echo = context;
    const struct echo_options *options = &echo->options;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(echo->producer, options->topic, NULL);
    int64_t number = 0;
    while (topic && number >= 0 && number < options->events && !stop_asked()) {
        number = send_due(echo, topic, number);
        int64_t wait_ns = due_ns(options, number) - clock_wall_ns();
        clock_sleep_until_ns(clock_mono_ns() + (wait_ns > TICK_NS ? wait_ns : TICK_NS));
    }
    if (!topic || number < 0)
        echo->rc = ERR_ENV;
    else
        rd_kafka_flush(echo->producer, PATIENCE_S * 1000);
    if (topic)
        rd_kafka_topic_destroy(topic);
    return NULL;
}

/* ---- the receiver ---- */

static void note(struct echo *echo, const rd_kafka_message_t *message, int64_t now_ns)
{
    int64_t number;
    if (message->err || message->len != EVENT_BYTES)
        return;
    memcpy(&number, message->payload, sizeof number);
    if (number >= echo->options.skip)
        hist_record(&echo->us, (now_ns - due_ns(&echo->options, number)) / 1000);
    echo->received++;
}

/* Wait for one message, then take what has come with it: a batch call would wait for all of it. */
static void *receive_all(void *context)
{
    struct echo *echo = context;
    rd_kafka_message_t *messages[BATCH];
    while (echo->received < echo->options.events && !stop_asked() &&
           clock_mono_ns() < echo->ends_ns) {
        rd_kafka_message_t *first = rd_kafka_consumer_poll(echo->consumer, WAIT_MS);
        if (!first)
            continue;
        ssize_t count = rd_kafka_consume_batch_queue(echo->queue, 0, messages, BATCH);
        int64_t now_ns = clock_wall_ns();
        note(echo, first, now_ns);
        rd_kafka_message_destroy(first);
        for (ssize_t i = 0; i < count; i++) {
            note(echo, messages[i], now_ns);
            rd_kafka_message_destroy(messages[i]);
        }
    }
    return NULL;
}

/* ---- both ---- */

static void assign(struct echo *echo)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(echo->options.partitions);
    for (int p = 0; p < echo->options.partitions; p++)
        rd_kafka_topic_partition_list_add(list, echo->options.topic, p)->offset = 0;
    rd_kafka_assign(echo->consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
}

static void release(struct echo *echo)
{
    if (echo->queue)
        rd_kafka_queue_destroy(echo->queue);
    if (echo->consumer) {
        rd_kafka_consumer_close(echo->consumer);
        rd_kafka_destroy(echo->consumer);
    }
    if (echo->producer)
        rd_kafka_destroy(echo->producer);
    hist_release(&echo->us);
    free(echo);
}

int echo_start(struct log *log, const struct echo_options *options, struct echo **out,
               struct err *err)
{
    static const char *const PAIRS[] = {
        "enable.idempotence",           "true",    "acks", "all", "linger.ms", "1",
        "queue.buffering.max.messages", "1000000", NULL};
    static const char *const GROUP[] = {"group.id", "lk-echo", NULL};
    const struct kafka *kafka = log_handle(log, &log_kafka_ops);
    if (!kafka)
        return err_set(err, ERR_USAGE, "%s: expected kafka:HOST:PORT", log_uri(log));
    struct echo *echo = mem_zero(1, sizeof *echo);
    echo->options = *options;
    echo->producer = kafka_handle(kafka, RD_KAFKA_PRODUCER, PAIRS, NULL, err);
    if (echo->producer)
        echo->consumer = kafka_handle(kafka, RD_KAFKA_CONSUMER, GROUP, NULL, err);
    if (!echo->consumer) {
        release(echo);
        return ERR_ENV;
    }
    rd_kafka_poll_set_consumer(echo->consumer);
    echo->queue = rd_kafka_queue_get_consumer(echo->consumer);
    assign(echo);
    echo->ends_ns = clock_mono_ns() + (options->start_ns - clock_wall_ns()) +
                    (int64_t)((double)options->events * 1e9 / options->rate) +
                    PATIENCE_S * INT64_C(1000000000);
    pthread_create(&echo->receiving, NULL, receive_all, echo);
    pthread_create(&echo->sending, NULL, send_all, echo);
    *out = echo;
    return 0;
}

int echo_finish(struct echo *echo, struct hist *us, struct err *err)
{
    pthread_join(echo->sending, NULL);
    pthread_join(echo->receiving, NULL);
    int rc = stop_asked() ? err_set(err, ERR_INTERRUPTED, "interrupted") : echo->rc;
    if (rc == 0 && echo->received != echo->options.events)
        rc = ERR_CHECK;
    if (rc == ERR_ENV || rc == ERR_CHECK)
        err_set(err, rc, "the echo got %lld of %lld events back: no figure",
                (long long)echo->received, (long long)echo->options.events);
    *us = echo->us;
    echo->us = (struct hist){0};
    release(echo);
    return rc;
}
