/* common/log/kafka.c - Kafka as a log: the table, open and close. See kafka_parts.h. */
#include "common/log/kafka_parts.h"

static int kafka_open(const char *where, bool create, void **handle, struct err *err)
{
    (void)create;
    (void)handle;
    return err_set(err, ERR_ENV, "kafka:%s: not built yet", where);
}

static void kafka_close(void *handle)
{
    (void)handle;
}

const struct log_ops log_kafka_ops = {.scheme = "kafka", .open = kafka_open, .close = kafka_close};
