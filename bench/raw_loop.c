/* bench/raw_loop.c - see raw_loop.h. Batches of 1,000: more bring little (facts: 2.63 against 2.73 M/s). */
#include "bench/raw_loop.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/stop.h"
#include "common/log/kafka_parts.h"

enum { BATCH = 1000, WAIT_MS = 100, HANDLES_MAX = 64 };

struct loop {
    pthread_t thread;
    const struct kafka *kafka;
    const char *topic;
    const int64_t *end; /* by partition */
    int partitions, first, step;
    struct raw_totals totals;
    int rc;
    struct err err;
};

/* Partitions first, first + step, ... from their beginning; how many of them hold anything. */
static int assign(struct loop *loop, rd_kafka_t *consumer)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(loop->partitions);
    for (int p = loop->first; p < loop->partitions; p += loop->step)
        if (loop->end[p] > 0)
            rd_kafka_topic_partition_list_add(list, loop->topic, p)->offset =
                RD_KAFKA_OFFSET_BEGINNING;
    int count = list->cnt;
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return count;
}

/* 1 where its partition is at its end. */
static int count_one(struct loop *loop, const rd_kafka_message_t *message)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return 0; /* seen by the last offset */
    if (message->err) {
        loop->rc = err_set(&loop->err, ERR_ENV, "consuming %s: %s", loop->topic,
                           rd_kafka_message_errstr(message));
        return 0;
    }
    loop->totals.events++;
    loop->totals.bytes += (int64_t)message->len;
    return message->offset == loop->end[message->partition] - 1;
}

static void consume(struct loop *loop, rd_kafka_t *consumer)
{
    rd_kafka_message_t *messages[BATCH];
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
    int left = assign(loop, consumer);
    while (left > 0 && loop->rc == 0 && !stop_asked()) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, WAIT_MS, messages, BATCH);
        for (ssize_t i = 0; i < count; i++) {
            left -= count_one(loop, messages[i]);
            rd_kafka_message_destroy(messages[i]);
        }
    }
    rd_kafka_queue_destroy(queue);
}

static void *run(void *context)
{
    struct loop *loop = context;
    static const char *const PAIRS[] = {"group.id", "lk-raw", NULL};
    rd_kafka_t *consumer = kafka_handle(loop->kafka, RD_KAFKA_CONSUMER, PAIRS, NULL, &loop->err);
    if (!consumer) {
        loop->rc = loop->err.code;
        return NULL;
    }
    rd_kafka_poll_set_consumer(consumer);
    consume(loop, consumer);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return NULL;
}

/* What the loops have counted together; the first failure. */
static int join(struct loop *loops, int count, struct raw_totals *totals, struct err *err)
{
    int rc = 0;
    for (int i = 0; i < count; i++) {
        pthread_join(loops[i].thread, NULL);
        totals->events += loops[i].totals.events;
        totals->bytes += loops[i].totals.bytes;
        if (rc == 0 && loops[i].rc < 0) {
            rc = loops[i].rc;
            if (err)
                *err = loops[i].err;
        }
    }
    return rc == 0 && stop_asked() ? err_set(err, ERR_INTERRUPTED, "interrupted") : rc;
}

int raw_loop(struct log *log, const char *topic, int handles, struct raw_totals *totals,
             struct err *err)
{
    const struct kafka *kafka = log_handle(log, &log_kafka_ops);
    *totals = (struct raw_totals){0};
    if (!kafka)
        return err_set(err, ERR_USAGE, "%s: expected kafka:HOST:PORT", log_uri(log));
    int64_t first, end[LOG_PARTITIONS_MAX];
    int partitions = log_partitions(log, topic, err), rc = partitions < 0 ? partitions : 0;
    for (int p = 0; rc == 0 && p < partitions; p++)
        rc = log_range(log, topic, p, &first, &end[p], err);
    if (rc < 0)
        return rc;
    if (handles > partitions)
        handles = partitions;
    struct loop loops[HANDLES_MAX];
    for (int i = 0; i < handles && i < HANDLES_MAX; i++) {
        loops[i] = (struct loop){.kafka = kafka,
                                 .topic = topic,
                                 .end = end,
                                 .partitions = partitions,
                                 .first = i,
                                 .step = handles};
        pthread_create(&loops[i].thread, NULL, run, &loops[i]);
    }
    return join(loops, handles, totals, err);
}
