/* common/log/log.c - the dispatch: finds the filling of a URI and passes every call on to it.
 *
 * What all fillings share is checked here once: names of topics, bounds of max, read-only logs. */
#include "common/log/log.h"

#include <assert.h>
#include <stdlib.h>

struct log {
    const struct log_ops *ops;
    void *handle;
    char *uri;
};

struct log_reader {
    const struct log_ops *ops;
    void *filling;
};

enum { FILLING_COUNT = 4 };
static const struct log_ops *const FILLINGS[FILLING_COUNT] = {&log_embedded_ops, &log_kafka_ops,
                                                              &log_archive_ops, &log_chain_ops};

/* The filling whose scheme begins uri, and where its place begins; NULL if there is none. */
static const struct log_ops *filling_of(const char *uri, const char **where)
{
    for (int i = 0; i < FILLING_COUNT; i++) {
        size_t len = strlen(FILLINGS[i]->scheme);
        *where = uri + len + 1;
        if (strncmp(uri, FILLINGS[i]->scheme, len) == 0 && uri[len] == ':' && **where)
            return FILLINGS[i];
    }
    return NULL;
}

int log_open(const char *uri, bool create, struct log **out, struct err *err)
{
    const char *where;
    const struct log_ops *ops = filling_of(uri, &where);
    if (!ops)
        return err_set(err, ERR_USAGE,
                       "not a log: \"%s\"; expected embedded:DIR, kafka:HOST:PORT, archive:DIR or "
                       "chain:ARCHIVE-DIR+kafka:HOST:PORT",
                       uri);
    void *handle = NULL;
    int rc = ops->open(where, create, &handle, err);
    if (rc < 0)
        return rc;
    struct log *log = mem_zero(1, sizeof *log);
    *log = (struct log){ops, handle, mem_copy_string(uri)};
    *out = log;
    return 0;
}

void log_close(struct log *log)
{
    if (!log)
        return;
    log->ops->close(log->handle);
    free(log->uri);
    free(log);
}

const char *log_uri(const struct log *log)
{
    return log->uri;
}

void *log_handle(const struct log *log, const struct log_ops *ops)
{
    return log->ops == ops ? log->handle : NULL;
}

/* A topic's name is part of file names: letters, digits, '.', '_' and '-', as in Kafka. */
static int check_topic(const char *topic, struct err *err)
{
    size_t len = strspn(topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    if (len == 0 || len > LOG_TOPIC_MAX || topic[len] || topic[0] == '.')
        return err_set(
            err, ERR_USAGE,
            "\"%s\" cannot be a topic's name: 1 to %d letters, digits, '.', '_' and '-', "
            "not beginning with '.'",
            topic, LOG_TOPIC_MAX);
    return 0;
}

static int read_only(const struct log *log, struct err *err)
{
    return err_set(err, ERR_USAGE, "%s is read only; write to embedded:DIR or kafka:HOST:PORT",
                   log->uri);
}

int log_create_topic(struct log *log, const char *topic, struct log_shape shape, struct err *err)
{
    int rc = check_topic(topic, err);
    if (rc < 0)
        return rc;
    if (shape.partitions < 1 || shape.partitions > LOG_PARTITIONS_MAX)
        return err_set(err, ERR_USAGE, "%d partitions: expected 1 to %d", shape.partitions,
                       LOG_PARTITIONS_MAX);
    if (!log->ops->create_topic)
        return read_only(log, err);
    return log->ops->create_topic(log->handle, topic, shape, err);
}

int log_delete_topic(struct log *log, const char *topic, struct err *err)
{
    int rc = check_topic(topic, err);
    if (rc < 0)
        return rc;
    if (!log->ops->delete_topic)
        return err_set(err, ERR_USAGE,
                       "%s cannot delete a topic; remove the directory when nothing uses it",
                       log->uri);
    return log->ops->delete_topic(log->handle, topic, err);
}

int log_partitions(struct log *log, const char *topic, struct err *err)
{
    int rc = check_topic(topic, err);
    return rc < 0 ? rc : log->ops->partitions(log->handle, topic, err);
}

/* 0 if topic has the partition. */
static int check_partition(struct log *log, const char *topic, int partition, struct err *err)
{
    int count = log_partitions(log, topic, err);
    if (count < 0)
        return count;
    if (partition < 0 || partition >= count)
        return err_set(err, ERR_USAGE, "topic %s has no partition %d: it has 0 to %d", topic,
                       partition, count - 1);
    return 0;
}

int log_claim(struct log *log, const char *topic, struct err *err)
{
    int rc = check_topic(topic, err);
    if (rc < 0)
        return rc;
    return log->ops->claim ? log->ops->claim(log->handle, topic, err) : read_only(log, err);
}

int64_t log_append(struct log *log, const char *topic, int partition,
                   const struct log_record *records, int n, struct err *err)
{
    assert(n > 0);
    if (!log->ops->append)
        return read_only(log, err);
    int rc = check_partition(log, topic, partition, err);
    return rc < 0 ? rc : log->ops->append(log->handle, topic, partition, records, n, err);
}

int log_append_all(struct log *log, const char *topic, const struct log_append *parts, int count,
                   struct err *err)
{
    int64_t rc = 0;
    if (!log->ops->append_all) {
        for (int i = 0; rc >= 0 && i < count; i++)
            rc = log_append(log, topic, parts[i].partition, parts[i].records, parts[i].count, err);
        return rc < 0 ? (int)rc : 0;
    }
    for (int i = 0; rc >= 0 && i < count; i++)
        rc = check_partition(log, topic, parts[i].partition, err);
    return rc < 0 ? (int)rc : log->ops->append_all(log->handle, topic, parts, count, err);
}

int log_range(struct log *log, const char *topic, int partition, int64_t *first, int64_t *end,
              struct err *err)
{
    int rc = check_partition(log, topic, partition, err);
    return rc < 0 ? rc : log->ops->range(log->handle, topic, partition, first, end, err);
}

int log_offset_at(struct log *log, const char *topic, int partition, int64_t time_ms,
                  int64_t *offset, struct err *err)
{
    int rc = check_partition(log, topic, partition, err);
    return rc < 0 ? rc : log->ops->offset_at(log->handle, topic, partition, time_ms, offset, err);
}

int log_trim(struct log *log, const char *topic, int partition, int64_t before, struct err *err)
{
    if (!log->ops->trim)
        return read_only(log, err);
    int rc = check_partition(log, topic, partition, err);
    return rc < 0 ? rc : log->ops->trim(log->handle, topic, partition, before, err);
}

int log_reader_open(struct log *log, const char *topic, const int *partitions, int n,
                    struct log_reader **out, struct err *err)
{
    assert(n > 0);
    int rc = 0;
    for (int i = 0; i < n && rc == 0; i++)
        rc = check_partition(log, topic, partitions[i], err);
    void *filling = NULL;
    if (rc == 0)
        rc = log->ops->reader_open(log->handle, topic, partitions, n, &filling, err);
    if (rc < 0)
        return rc;
    *out = mem_zero(1, sizeof **out);
    **out = (struct log_reader){log->ops, filling};
    return 0;
}

void log_reader_close(struct log_reader *reader)
{
    if (!reader)
        return;
    reader->ops->reader_close(reader->filling);
    free(reader);
}

int log_seek(struct log_reader *reader, int partition, int64_t position, struct err *err)
{
    assert(position >= LOG_END);
    return reader->ops->seek(reader->filling, partition, position, err);
}

void log_pause(struct log_reader *reader, int partition, bool paused)
{
    reader->ops->pause(reader->filling, partition, paused);
}

int log_read(struct log_reader *reader, int max, int wait_ms, struct log_batch *out,
             struct err *err)
{
    assert(max > 0 && max <= LOG_BATCH_MAX);
    *out = (struct log_batch){.partition = -1};
    return reader->ops->read(reader->filling, max, wait_ms, out, err);
}

int log_get(struct log_reader *reader, int partition, int64_t offset, struct log_batch *out,
            struct err *err)
{
    return reader->ops->get(reader->filling, partition, offset, out, err);
}

void log_leave_due(struct log_reader *reader)
{
    if (reader->ops->leave_due)
        reader->ops->leave_due(reader->filling);
}

int log_join(struct log_reader *reader, const struct log_group *group, struct err *err)
{
    if (reader->ops->join)
        return reader->ops->join(reader->filling, group, err);
    if (group->shared)
        return err_set(err, ERR_USAGE, "%s: a log has no consumer groups; --group needs Kafka",
                       reader->ops->scheme);
    return 0;
}

int log_owned(struct log_reader *reader, bool *owned, struct err *err)
{
    assert(reader->ops->owned);
    return reader->ops->owned(reader->filling, owned, err);
}

void log_note(struct log_reader *reader, int partition, int64_t position)
{
    if (reader->ops->note)
        reader->ops->note(reader->filling, partition, position);
}
