/* common/log/kafka.c - Kafka as a log: the table, open and close. See kafka_parts.h. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/log/kafka_parts.h"

enum { OPEN_MS = 5000, ASK_MS = 500 };

/* Runs inside calls on the admin handle: keep why brokers cannot be used, the most telling word. */
static void hear(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    struct kafka *kafka = opaque;
    (void)handle;
    pthread_mutex_lock(&kafka->lock);
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        kafka->heard = code;
        snprintf(kafka->reason, sizeof kafka->reason, "%s", reason);
    }
    pthread_mutex_unlock(&kafka->lock);
}

/* Will waiting not help? */
static bool refused(int code)
{
    return code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL;
}

/* Wait for a broker to answer. */
static int meet(struct kafka *kafka, struct err *err)
{
    int64_t until_ns = clock_mono_ns() + (int64_t)OPEN_MS * 1000000;
    rd_kafka_resp_err_t code;
    do {
        const struct rd_kafka_metadata *data = NULL;
        code = rd_kafka_metadata(kafka->admin, 0, NULL, &data, ASK_MS);
        if (!code)
            rd_kafka_metadata_destroy(data);
        rd_kafka_poll(kafka->admin, 0);
    } while (code && !refused(kafka->heard) && clock_mono_ns() < until_ns);
    if (!code)
        return 0;
    return kafka_error(kafka, kafka->heard ? (rd_kafka_resp_err_t)kafka->heard : code,
                       kafka->reason, "no broker answers", err);
}

static void kafka_close(void *handle)
{
    struct kafka *kafka = handle;
    if (kafka->producer)
        rd_kafka_destroy(kafka->producer);
    if (kafka->admin)
        rd_kafka_destroy(kafka->admin);
    kafka_topics_free(kafka->topics);
    pthread_mutex_destroy(&kafka->lock);
    free(kafka->brokers);
    free(kafka);
}

/* Fetched megabytes come and go many times a second. By default glibc gives each back to the kernel
 * and asks for it again, which is a tenth of all work of a drain. */
static void keep_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

/* There is nothing to create: topics are. */
static int kafka_open(const char *where, bool create, void **handle, struct err *err)
{
    struct kafka *kafka = mem_zero(1, sizeof *kafka);
    struct kafka_calls calls = {.opaque = kafka, .failed = hear};
    (void)create;
    keep_memory();
    kafka->brokers = mem_copy_string(where);
    pthread_mutex_init(&kafka->lock, NULL);
    kafka->admin = kafka_handle(kafka, RD_KAFKA_CONSUMER, NULL, &calls, err);
    int rc = kafka->admin ? meet(kafka, err) : ERR_USAGE;
    if (rc < 0)
        kafka_close(kafka);
    else
        *handle = kafka;
    return rc;
}

/* Kafka knows no lock on a topic. */
static int kafka_claim(void *handle, const char *topic, struct err *err)
{
    (void)handle;
    (void)topic;
    (void)err;
    return 0;
}

const struct log_ops log_kafka_ops = {
    .scheme = "kafka",
    .open = kafka_open,
    .close = kafka_close,
    .create_topic = kafka_create_topic,
    .delete_topic = kafka_delete_topic,
    .partitions = kafka_partitions,
    .claim = kafka_claim,
    .append = kafka_append,
    .append_all = kafka_append_all,
    .range = kafka_range,
    .offset_at = kafka_offset_at,
    .trim = kafka_trim,
    .reader_open = kafka_reader_open,
    .reader_close = kafka_reader_close,
    .seek = kafka_seek,
    .pause = kafka_pause,
    .read = kafka_read,
    .get = kafka_get,
    .leave_due = kafka_leave_due,
    .join = kafka_join,
    .owned = kafka_owned,
    .note = kafka_note,
};
