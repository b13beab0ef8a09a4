/* common/log/log.h - an ordered, partitioned, append-only log of events.
 *
 * The only road from the world to lambda and kappa. Fillings: embedded (LMDB, embedded:DIR),
 * archive (segments, archive:DIR, read only); Kafka and a chain of two come later and fill the
 * same table. A read returns a batch, arrays whose bytes are borrowed until the reader's next read
 * or its close, so that a filling may point into its own receive buffer.
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

/* One record to append. offset and time_ms are the log's to set. */
struct log_record {
    struct bytes key, value; /* borrowed for the call */
    int64_t due_ns;
};

/* uri: "embedded:DIR" (made if it is not there and create), "archive:DIR". ERR_USAGE for another
 * scheme, ERR_ENV where it cannot be opened (in use as something else, no permission), ERR_DATA for
 * a format that is not ours. */
int log_open(const char *uri, bool create, struct log **out, struct err *err);
void log_close(struct log *log);
const char *log_uri(const struct log *log);

/* Make a topic; one that exists with as many partitions is fine, with another number ERR_USAGE. */
int log_create_topic(struct log *log, const char *topic, int partitions, struct err *err);
/* Partitions of a topic, or ERR_ENV naming the topics that exist. */
int log_partitions(struct log *log, const char *topic, struct err *err);

/* Be the one producer of a topic until log_close: ERR_ENV names the pid that is it already. Appending
 * does not demand it; it keeps two generators from mixing their events. */
int log_claim(struct log *log, const char *topic, struct err *err);

/* Append n records to a partition as one step; they get consecutive offsets from the returned
 * first one, and one log time. Returns the first offset, or a negative code (ERR_FULL: disk). */
int64_t log_append(struct log *log, const char *topic, int partition,
                   const struct log_record *records, int n, struct err *err);

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
 * some; waits up to wait_ms for the first. Returns how many (0: none came), or a negative code. */
int log_read(struct log_reader *reader, int max, int wait_ms, struct log_batch *out,
             struct err *err);

/* The record at offset, for `tail` checks and dlq: 1 and batch filled (count 1), 0 if it is not there. */
int log_get(struct log_reader *reader, int partition, int64_t offset, struct log_batch *out,
            struct err *err);
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
    int (*create_topic)(void *handle, const char *topic, int partitions, struct err *err);
    int (*partitions)(void *handle, const char *topic, struct err *err);
    int (*claim)(void *handle, const char *topic, struct err *err);
    int64_t (*append)(void *handle, const char *topic, int partition,
                      const struct log_record *records, int n, struct err *err);
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
};

extern const struct log_ops log_embedded_ops, log_archive_ops;

#endif
