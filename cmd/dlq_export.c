/* cmd/dlq_export.c - lk dlq export: a view's bad events into topic <topic>.dlq of the same log.
 *
 * An event stands there once, under the key "partition:offset": what is there already is left out,
 * and so is what retention has taken from the topic.
 * Kafka gets with each the headers lk-reason, lk-topic, lk-partition and lk-offset, and all of a run
 * in one transaction: readers of committed records see all of it or nothing. Its id is
 * lk.dlq.<topic>, taken before the keys are read, so of two exports at once the later fences the
 * earlier, and has read whatever that one could still commit. The embedded log takes them one by
 * one. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/dlq.h"
#include "common/base/fault.h"
#include "common/base/map.h"
#include "common/base/stop.h"
#include "common/log/kafka.h"

enum { READ_WAIT_MS = 100, NUMBER_BYTES = 24, HEADERS = 4 };

struct exporter {
    struct dlq *dlq;
    struct dlq_source source;
    const char *topic;      /* <topic>.dlq */
    struct kafka_txn *txn;  /* NULL: a log without transactions */
    struct map keys;        /* of all that stands there */
    int64_t appended, gone; /* gone: retention has taken their bytes */
};

/* ---- what is there ---- */

/* Note the keys of everything that a partition of the topic holds. */
static int note_keys(struct log_reader *reader, int partition, int64_t first, int64_t end,
                     struct map *keys, struct err *err)
{
    struct log_batch batch = {.next = first};
    int rc = log_seek(reader, partition, first, err);
    while (rc >= 0 && batch.next < end) {
        rc = log_read(reader, LOG_BATCH_MAX, READ_WAIT_MS, &batch, err);
        for (int i = 0; i < rc; i++)
            if (batch.key[i].ptr)
                map_put(keys, batch.key[i], NULL);
        if (rc >= 0 && stop_asked())
            rc = err_set(err, ERR_INTERRUPTED, "stopped; nothing was exported");
    }
    return rc < 0 ? rc : 0;
}

static int read_exported(struct exporter *e, struct err *err)
{
    struct log *log = e->source.log;
    int partitions = log_partitions(log, e->topic, err);
    int rc = partitions < 0 ? partitions : 0;
    for (int p = 0; rc == 0 && p < partitions; p++) {
        struct log_reader *reader;
        int64_t first, end;
        rc = log_range(log, e->topic, p, &first, &end, err);
        if (rc < 0 || (rc = log_reader_open(log, e->topic, &p, 1, &reader, err)) < 0)
            return rc;
        rc = note_keys(reader, p, first, end, &e->keys, err);
        log_reader_close(reader);
    }
    return rc;
}

/* ---- what is added ---- */

static int append(struct exporter *e, int partition, const struct log_record *record,
                  struct err *err)
{
    struct log_append part = {partition, 1, record};
    return e->txn ? kafka_txn_append(e->txn, e->topic, &part, 1, err)
                  : log_append_all(e->source.log, e->topic, &part, 1, err);
}

static int append_event(struct exporter *e, const struct bad_event *event, struct bytes key,
                        struct err *err)
{
    char partition[NUMBER_BYTES], offset[NUMBER_BYTES];
    struct log_batch batch = {0};
    struct err why = {0};
    int rc = dlq_source_get(&e->source, event, &batch, &why);
    e->gone += rc == ERR_GONE;
    if (rc == ERR_GONE)
        return 0;
    if (rc < 0)
        return err_set(err, rc, "%s", why.text);
    snprintf(partition, sizeof partition, "%d", event->partition);
    snprintf(offset, sizeof offset, "%" PRId64, event->offset);
    const struct log_header headers[HEADERS] = {{"lk-reason", bytes_of(event->reason)},
                                                {"lk-topic", bytes_of(e->source.topic)},
                                                {"lk-partition", bytes_of(partition)},
                                                {"lk-offset", bytes_of(offset)}};
    struct log_record record = {.key = key,
                                .value = batch.value[0],
                                .due_ns = batch.due_ns[0],
                                .headers = headers,
                                .header_count = HEADERS};
    rc = append(e, event->partition, &record, err);
    e->appended += rc == 0;
    fault_point("export appended");
    return rc;
}

static int append_missing(struct exporter *e, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < e->dlq->count; i++) {
        const struct bad_event *event = &e->dlq->events[i];
        char key[2 * NUMBER_BYTES];
        bool fresh;
        snprintf(key, sizeof key, "%d:%" PRId64, event->partition, event->offset);
        map_put(&e->keys, bytes_of(key), &fresh);
        if (fresh)
            rc = append_event(e, event, bytes_of(key), err);
    }
    return rc;
}

/* ---- a run ---- */

static int open_txn(struct exporter *e, struct err *err)
{
    if (!log_handle(e->source.log, &log_kafka_ops))
        return 0;
    struct buf id = {0};
    buf_printf(&id, "lk.dlq.%s", e->source.topic);
    int rc = kafka_txn_open(e->source.log, id.ptr, &e->txn, err);
    buf_release(&id);
    return rc < 0 ? rc : kafka_txn_begin(e->txn, err);
}

static int run(struct exporter *e, struct err *err)
{
    struct log_shape shape = {.partitions = e->dlq->args.registry.partitions};
    int rc = log_create_topic(e->source.log, e->topic, shape, err);
    if (rc == 0)
        rc = open_txn(e, err);
    if (rc == 0)
        rc = read_exported(e, err);
    if (rc == 0)
        rc = append_missing(e, err);
    if (rc == 0 && e->txn)
        rc = kafka_txn_commit(e->txn, err);
    kafka_txn_close(e->txn);
    return rc;
}

int dlq_export(struct dlq *dlq, struct err *err)
{
    struct exporter e = {.dlq = dlq};
    struct buf topic = {0};
    map_init(&e.keys, 1);
    int rc = dlq_source_open(dlq, &e.source, err);
    if (rc == 0) {
        buf_printf(&topic, "%s.dlq", e.source.topic);
        e.topic = topic.ptr;
        rc = run(&e, err);
    }
    if (rc == 0)
        printf(settings_bool(dlq->settings, "json")
                   ? "{\"topic\":\"%s\",\"bad\":%zu,\"appended\":%" PRId64 "}\n"
                   : "topic %s: %zu bad events, %" PRId64 " of them appended now\n",
               e.topic, dlq->count, e.appended);
    if (rc == 0 && e.gone)
        fprintf(stderr, "%" PRId64 " of them are gone from topic %s (retention): left out\n",
                e.gone, e.source.topic);
    dlq_source_close(&e.source);
    map_release(&e.keys);
    buf_release(&topic);
    return rc;
}
