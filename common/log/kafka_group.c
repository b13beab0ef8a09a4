/* common/log/kafka_group.c - a reader as a member of a consumer group: its share, and what it notes. */
#include "common/log/kafka_reader.h"

void kafka_rebalanced(rd_kafka_t *consumer, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    (void)consumer;
    (void)code;
    (void)partitions;
    (void)opaque;
}

void kafka_commit_last(struct kafka_reader *reader)
{
    (void)reader;
}
