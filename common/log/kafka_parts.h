/* common/log/kafka_parts.h - what the files of the Kafka filling share; for them alone.
 *
 *   kafka.c           the table of log_ops; open, close
 *   kafka_config.c    librdkafka's properties: ours, LK_KAFKA_CONFIG's file, LK_KAFKA_*; its words
 *   kafka_error.c     its errors as ours
 *   kafka_admin.c     topics: create, delete, partitions, range, offset_at, trim
 *   kafka_reader.c    assigned partitions: seek, pause
 *   kafka_take.c      read, get
 *   kafka_group.c     the group: deal, note
 *   kafka_producer.c  append
 *   kafka_txn.c       transactions (kafka.h)
 *   kafka_ask.c       what a broker is, positions of a group (kafka.h)
 *
 * One struct kafka a log_open, shared by threads; its admin handle serves metadata, ranges and
 * topics. The producer is made at the first append. Every reader has a consumer of its own. */
#ifndef LK_LOG_KAFKA_PARTS_H
#define LK_LOG_KAFKA_PARTS_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>

#include "common/log/log.h"

struct kafka {
    char *brokers;               /* HOST:PORT,... */
    rd_kafka_t *admin;           /* a consumer without assignment; made by open */
    rd_kafka_t *producer;        /* NULL until the first append */
    pthread_mutex_t lock;        /* of producer and of what follows */
    struct kafka_topics *topics; /* kafka_admin.c: partitions by name, once known */
    int heard;                   /* what the admin handle last said of its brokers, 0: nothing */
    char reason[256];
};

/* kafka_config.c */
/* What librdkafka calls back; NULL where not wanted. Copied. */
struct kafka_calls {
    void *opaque; /* given to all of them */
    void (*failed)(rd_kafka_t *handle, int code, const char *reason, void *opaque);
    void (*delivered)(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque);
    void (*rebalanced)(rd_kafka_t *handle, rd_kafka_resp_err_t code,
                       rd_kafka_topic_partition_list_t *partitions, void *opaque);
};
/* A handle with our properties for its type, then pairs (name, value, ..., NULL), then the user's,
 * which win. pairs and calls may be NULL. NULL and err where a property is refused. */
rd_kafka_t *kafka_handle(const struct kafka *kafka, rd_kafka_type_t type, const char *const *pairs,
                         const struct kafka_calls *calls, struct err *err);

/* Put stars over what conf has of secrets in text. */
void kafka_cover_secrets(const rd_kafka_conf_t *conf, char *text);

/* The header with the due time: decimal ns since 1970. */
#define KAFKA_DUE_HEADER "lk-due"

/* kafka_error.c */
/* What an error is to us: one of enum err_code. */
int kafka_error_code(rd_kafka_resp_err_t code);
/* Turn an error of librdkafka into one of ours, by what is to be done about it: ERR_AWAY try again,
 * ERR_GONE the position is no longer there, ERR_FULL, ERR_USAGE, ERR_ENV stop. what: "appending to
 * topic ads"; the text names brokers, cause and the next step. Returns the code. */
int kafka_error(const struct kafka *kafka, rd_kafka_resp_err_t code, const char *said,
                const char *what, struct err *err);

/* kafka_admin.c */
int kafka_create_topic(void *handle, const char *topic, struct log_shape shape, struct err *err);
int kafka_delete_topic(void *handle, const char *topic, struct err *err);
int kafka_partitions(void *handle, const char *topic, struct err *err);
/* The same, not from memory. */
int kafka_partitions_now(struct kafka *kafka, const char *topic, struct err *err);
int kafka_range(void *handle, const char *topic, int partition, int64_t *first, int64_t *end,
                struct err *err);
/* The offset of a time, or of one of these; on a handle that reads committed records alone the end
 * is the last stable offset. Of librdkafka's questions the one that keeps to its wait: with 2.0.2,
 * rd_kafka_query_watermark_offsets may hang for minutes when a broker goes away. */
#define KAFKA_FIRST (-2)
#define KAFKA_END (-1)
rd_kafka_resp_err_t kafka_ask_offset(rd_kafka_t *handle, const char *topic, int partition,
                                     int64_t time_ms, int wait_ms, int64_t *offset);
int kafka_offset_at(void *handle, const char *topic, int partition, int64_t time_ms,
                    int64_t *offset, struct err *err);
int kafka_trim(void *handle, const char *topic, int partition, int64_t before, struct err *err);
void kafka_topics_free(struct kafka_topics *topics);

/* kafka_ask.c. The Kafka behind a log; NULL and ERR_USAGE where it is another's. */
struct kafka *kafka_of(struct log *log, struct err *err);

/* kafka_producer.c. What became of the records of one caller. */
struct kafka_call {
    pthread_mutex_t lock;     /* reports come on whichever thread polls the producer */
    int waiting, stands;      /* records without a report yet; acknowledged ones */
    int64_t first;            /* lowest offset acknowledged, -1: none */
    rd_kafka_resp_err_t code; /* of the first that failed */
};
/* The delivery report of our producers: a message's opaque is its call. */
void kafka_delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque);
/* Hand records to the producer's queue: waits for room there, not for the broker. */
int kafka_send(const struct kafka *kafka, rd_kafka_t *producer, const char *topic,
               const struct log_append *part, struct kafka_call *call, struct err *err);
/* As kafka_error, where a fatal error of the producer stands behind it: ERR_LOST if it was fenced. */
int kafka_producer_error(const struct kafka *kafka, rd_kafka_t *producer, rd_kafka_resp_err_t code,
                         const char *said, const char *topic, struct err *err);
int64_t kafka_append(void *handle, const char *topic, int partition,
                     const struct log_record *records, int n, struct err *err);
int kafka_append_all(void *handle, const char *topic, const struct log_append *parts, int count,
                     struct err *err);

/* kafka_reader.c, kafka_take.c */
int kafka_reader_open(void *handle, const char *topic, const int *partitions, int n, void **reader,
                      struct err *err);
void kafka_reader_close(void *reader);
int kafka_seek(void *reader, int partition, int64_t position, struct err *err);
void kafka_pause(void *reader, int partition, bool paused);
int kafka_read(void *reader, int max, int wait_ms, struct log_batch *out, struct err *err);
void kafka_leave_due(void *reader);
int kafka_get(void *reader, int partition, int64_t offset, struct log_batch *out, struct err *err);

/* kafka_group.c */
int kafka_join(void *reader, const struct log_group *group, struct err *err);
int kafka_owned(void *reader, bool *owned, struct err *err);
void kafka_note(void *reader, int partition, int64_t position);

#endif
