/* common/log/log.h - an ordered, partitioned, append-only log of events.
 *
 * The only road from the world to lambda and kappa. Fillings: embedded (LMDB, embedded:DIR), Kafka
 * (librdkafka, kafka:HOST:PORT[,HOST:PORT...]), archive (segments, archive:DIR, read only), and a
 * chain of an archive and the topic that it was made from (chain:DIR+kafka:..., read only). A read
 * returns a batch, arrays whose bytes are borrowed until the reader's next read or its close, so
 * that a filling may point into its own receive buffer.
 * Units: offsets count records of a partition from 0; log time and event time in ms since the
 * epoch; due time in ns of CLOCK_REALTIME, 0 where unknown.
 * Threads: a struct log may be shared; a reader or an appender belongs to one thread. */
#ifndef LK_LOG_LOG_H
#define LK_LOG_LOG_H

#include "common/base/bytes.h"
#include "common/base/err.h"

enum { LOG_BATCH_MAX = 4096, LOG_PARTITIONS_MAX = 1024, LOG_TOPIC_MAX = 200 };
#define LOG_END (-1) /* as a position: behind the last record */

struct log;
struct log_reader;

/* Records of one partition, offsets rising (gaps are allowed). */
struct log_batch {
    int partition, count;
    const int64_t *offset, *time_ms, *due_ns;
    const struct bytes *key, *value; /* key.ptr NULL: no key */
    int64_t next;                    /* the position behind this batch, >= last offset + 1 */
};

/* A header of a record to append. */
struct log_header {
    const char *name;
    struct bytes value;
};

/* One record to append. offset and time_ms are the log's to set. */
struct log_record {
    struct bytes key, value; /* all borrowed for the call */
    int64_t due_ns;
    const struct log_header *headers; /* kept by Kafka, left out by the embedded log */
    int header_count;
};

/* Records for one partition, in a call that appends to several. */
struct log_append {
    int partition, count;
    const struct log_record *records;
};

/* What a new topic is to be. The embedded log knows partitions alone and takes the rest as said. */
struct log_shape {
    int partitions;
    int replication;      /* copies; 0: as the broker has it by default */
    int64_t retention_ms; /* 0: as the broker has it by default, -1: for ever */
};

/* How a reader appears to the log as a consumer. */
struct log_group {
    const char *name;     /* consumer group: its positions are noted under this name */
    bool shared;          /* partitions are dealt out among the group's members */
    const char *instance; /* static membership: a name that survives a restart; NULL: none */
    int session_ms;       /* a member unheard for so long has left; 0: 10 s */
};

/* uri: "embedded:DIR" (made if it is not there and create), "kafka:HOST:PORT,...", "archive:DIR".
 * ERR_USAGE for another scheme, ERR_ENV where it cannot be opened (in use as something else, no
 * permission, refused), ERR_AWAY where no broker answers, ERR_DATA for a format that is not ours.
 * Kafka's client is set up by LK_KAFKA_<PROPERTY> variables (LK_KAFKA_SASL_PASSWORD is
 * sasl.password) and by the file that LK_KAFKA_CONFIG names; lk's flags -X, --kafka-config and
 * --log-debug set them. */
int log_open(const char *uri, bool create, struct log **out, struct err *err);
void log_close(struct log *log);
const char *log_uri(const struct log *log);

/* Make a topic; one that exists with as many partitions is fine, with another number ERR_USAGE. */
int log_create_topic(struct log *log, const char *topic, struct log_shape shape, struct err *err);
/* ERR_ENV if it is not there; ERR_USAGE where the filling cannot (embedded: remove the directory). */
int log_delete_topic(struct log *log, const char *topic, struct err *err);
/* Partitions of a topic, or ERR_ENV naming the topics that exist. */
int log_partitions(struct log *log, const char *topic, struct err *err);

/* Be the one producer of a topic until log_close: ERR_ENV names the pid that is it already. Appending
 * does not demand it; it keeps two generators from mixing their events. Kafka knows no such lock:
 * there it says 0 and guards nothing. */
int log_claim(struct log *log, const char *topic, struct err *err);

/* Append n records to a partition as one step; they get consecutive offsets from the returned
 * first one, and one log time. Returns the first offset, or a negative code (ERR_FULL: disk).
 * Kafka: in order, acknowledged by all replicas, each once (idempotent producer); not one step: a
 * kill leaves a prefix; a transactional record in between makes a gap in the offsets. */
int64_t log_append(struct log *log, const char *topic, int partition,
                   const struct log_record *records, int n, struct err *err);
/* The same for several partitions at once, waiting for all together. After a failure some parts may
 * stand whole or in part. */
int log_append_all(struct log *log, const char *topic, const struct log_append *parts, int count,
                   struct err *err);

/* First offset that is still there, and the position behind the last. */
int log_range(struct log *log, const char *topic, int partition, int64_t *first, int64_t *end,
              struct err *err);
/* First offset with log time >= time_ms; the end where there is none. */
int log_offset_at(struct log *log, const char *topic, int partition, int64_t time_ms,
                  int64_t *offset, struct err *err);
/* Delete what lies below an offset (retention). At least the records below it that fill whole
 * blocks; log_range's first says what became of it. */
int log_trim(struct log *log, const char *topic, int partition, int64_t before, struct err *err);

/* A reader over some partitions of a topic. Positions start at 0: seek before the first read. */
int log_reader_open(struct log *log, const char *topic, const int *partitions, int n,
                    struct log_reader **out, struct err *err);
void log_reader_close(struct log_reader *reader);
/* Next read of partition begins at position; LOG_END is resolved now. ERR_GONE if it is outside
 * [first, end], said with the offsets. */
int log_seek(struct log_reader *reader, int partition, int64_t position, struct err *err);
/* Stop (or go on) delivering a partition. */
void log_pause(struct log_reader *reader, int partition, bool paused);
/* Read up to max (<= LOG_BATCH_MAX) records of one partition, taking turns among those that have
 * some; waits up to wait_ms for the first. Returns how many, or a negative code. 0: none came;
 * out->partition is then -1, or a partition whose position alone has moved to out->next (Kafka:
 * markers of transactions and aborted records take offsets and are never delivered).
 * A broker that is away is waited for: it shows as 0, again and again. */
int log_read(struct log_reader *reader, int max, int wait_ms, struct log_batch *out,
             struct err *err);

/* The record at offset, for `tail` checks and dlq: 1 and batch filled (count 1), 0 if it is not there. */
int log_get(struct log_reader *reader, int partition, int64_t offset, struct log_batch *out,
            struct err *err);

/* Leave out due_ns from now on: whoever does not look at it spares Kafka's reader a third of its work
 * (the time stands in a header, and finding that there is none costs as much). */
void log_leave_due(struct log_reader *reader);

/* Appear as a consumer of a group; before the first seek, at most once. Shared: the reader must have
 * been opened with all partitions of the topic, and delivers those that the group deals out to it.
 * ERR_USAGE for shared where the filling has no groups; otherwise such a filling notes nothing. */
int log_join(struct log_reader *reader, const struct log_group *group, struct err *err);
/* After a log_read of a shared reader: 1 and owned[partition] filled if what was dealt out has
 * changed since it was last asked, else 0. A partition newly owned must be sought before it is
 * delivered; one no longer owned is delivered no more, and needs no answer from us. */
int log_owned(struct log_reader *reader, bool *owned, struct err *err);
/* Note that everything below position is done with, for whoever watches the group; never waits,
 * at most once a second a partition, and on log_reader_close. Nothing reads it back. */
void log_note(struct log_reader *reader, int partition, int64_t position);

/* 64-bit XXH3 of key and value, as `tail` keeps it. */
uint64_t log_record_hash(struct bytes key, struct bytes value);

/* Kafka's Java client's partitioner: (murmur2(key) & 0x7fffffff) mod partitions. */
uint32_t log_murmur2(struct bytes key);
int log_partition_of(struct bytes key, int partitions);

/* What a filling fills; members as the functions above; NULL where it is read only. */
struct log_ops {
    const char *scheme;
    int (*open)(const char *where, bool create, void **handle, struct err *err);
    void (*close)(void *handle);
    int (*create_topic)(void *handle, const char *topic, struct log_shape shape, struct err *err);
    int (*delete_topic)(void *handle, const char *topic, struct err *err);
    int (*partitions)(void *handle, const char *topic, struct err *err);
    int (*claim)(void *handle, const char *topic, struct err *err);
    int64_t (*append)(void *handle, const char *topic, int partition,
                      const struct log_record *records, int n, struct err *err);
    /* NULL: log.c appends one part after the other. */
    int (*append_all)(void *handle, const char *topic, const struct log_append *parts, int count,
                      struct err *err);
    int (*range)(void *handle, const char *topic, int partition, int64_t *first, int64_t *end,
                 struct err *err);
    int (*offset_at)(void *handle, const char *topic, int partition, int64_t time_ms,
                     int64_t *offset, struct err *err);
    int (*trim)(void *handle, const char *topic, int partition, int64_t before, struct err *err);
    int (*reader_open)(void *handle, const char *topic, const int *partitions, int n, void **reader,
                       struct err *err);
    void (*reader_close)(void *reader);
    int (*seek)(void *reader, int partition, int64_t position, struct err *err);
    void (*pause)(void *reader, int partition, bool paused);
    int (*read)(void *reader, int max, int wait_ms, struct log_batch *out, struct err *err);
    int (*get)(void *reader, int partition, int64_t offset, struct log_batch *out, struct err *err);
    void (*leave_due)(void *reader); /* NULL: nothing to spare */
    /* NULL, all three: no groups. */
    int (*join)(void *reader, const struct log_group *group, struct err *err);
    int (*owned)(void *reader, bool *owned, struct err *err);
    void (*note)(void *reader, int partition, int64_t position);
};

/* For what a filling offers beside log.h (kafka.h): its handle, NULL where log is another's. */
void *log_handle(const struct log *log, const struct log_ops *ops);

extern const struct log_ops log_embedded_ops, log_kafka_ops, log_archive_ops, log_chain_ops;

#endif
