/* common/log/kafka_reader.h - a reader's insides, for kafka_reader.c, kafka_take.c and kafka_group.c.
 *
 * One consumer a reader, one queue a partition: a partition that is paused, or not yet sought, is
 * simply not taken from; librdkafka stops fetching it when its queue is full. A file descriptor is
 * written to whenever a queue is no longer empty, and is what a waiting read sleeps on. */
#ifndef LK_LOG_KAFKA_READER_H
#define LK_LOG_KAFKA_READER_H

#include "common/log/kafka_parts.h"

struct kafka_part {
    int partition;
    rd_kafka_queue_t *queue;
    int64_t at;                /* what the queue goes on with */
    int64_t next;              /* what the next read is to begin with */
    rd_kafka_resp_err_t error; /* met behind what was delivered last */
    bool assigned;             /* librdkafka fetches it */
    bool sought, paused;
    bool ended; /* what was taken last is the end */
    bool owned; /* always, but in a shared group */
    bool left;  /* taken back since log_owned was asked last, also if it is ours again */
    int64_t noted, committed;
    bool full; /* its queue was, about, when it was taken from last */
};

/* The arrays of a batch. */
struct kafka_records {
    int64_t offset[LOG_BATCH_MAX], time_ms[LOG_BATCH_MAX], due_ns[LOG_BATCH_MAX];
    struct bytes key[LOG_BATCH_MAX], value[LOG_BATCH_MAX];
};

struct kafka_reader {
    struct kafka *kafka;
    char *topic;
    rd_kafka_t *consumer;     /* NULL until the first seek, get or join */
    rd_kafka_topic_t *known;  /* keeps what the consumer knows of the topic */
    rd_kafka_queue_t *events; /* what concerns no partition: the group's, errors */
    int wake_fd;
    int count, turn;
    struct kafka_part *parts;
    rd_kafka_message_t *held[LOG_BATCH_MAX]; /* what the last batch points into */
    int held_count;
    struct kafka_records records;
    bool no_due;  /* due_ns stays 0 */
    bool shared;  /* partitions are dealt out */
    bool changed; /* since log_owned last said so */
    int strange;  /* dealt to us, and not ours to read: the topic has grown; -1: none */
    bool noting;  /* positions are committed under a group's name */
    int64_t committed_ns;
    int64_t prefetch;  /* bytes that a queue takes */
    bool filled;       /* all queues were full, and librdkafka has not been nudged since */
    int64_t looked_ns; /* when the topic was last looked for */
    bool missing;      /* and was not there */
    bool away;         /* no broker answered, and nothing has come since */
    /* Who looks up single records for a shared reader, whose assignment is the group's; or NULL. */
    struct kafka_reader *side;
};

/* kafka_reader.c */
struct kafka_part *kafka_part_of(struct kafka_reader *reader, int partition);
/* Make the consumer, as a member of a group if there is one. */
int kafka_reader_start(struct kafka_reader *reader, const struct log_group *group, struct err *err);
/* Fetch a partition from offset on, and forget what was fetched of it. */
int kafka_fetch_from(struct kafka_reader *reader, struct kafka_part *part, int64_t offset,
                     struct err *err);
/* While nothing comes: ERR_ENV where the topic is no longer there. */
int kafka_look_for_topic(struct kafka_reader *reader, struct err *err);
/* ERR_GONE, in words. */
int kafka_gone(const struct kafka_reader *reader, int partition, int64_t position, int64_t first,
               int64_t end, struct err *err);

/* kafka_take.c */
/* Let go of the messages that the last batch points into. */
void kafka_release_held(struct kafka_reader *reader);

/* kafka_group.c */
/* librdkafka's callback when partitions are dealt out or taken back. */
void kafka_rebalanced(rd_kafka_t *consumer, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *partitions, void *opaque);
/* Commit what was noted, if it is time, and at the end. */
void kafka_commit_noted(struct kafka_reader *reader);
void kafka_commit_last(struct kafka_reader *reader);

#endif
