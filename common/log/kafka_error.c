/* common/log/kafka_error.c - an error of librdkafka as one of ours: by what is to be done about it. */
#include <stdlib.h>

#include "common/log/kafka_parts.h"

#define AWAY                                                                                       \
    "is a broker running there, and reachable from here? kcat -L -b HOST:PORT asks it; "           \
    "tools/kafka "                                                                                 \
    "start starts one on this machine"
#define AGAIN "run it again"
#define ACCESS                                                                                     \
    "look at security.protocol, sasl.* and ssl.* (-X, --kafka-config) and the broker's ACLs"
#define TOPIC "is the name right? lk topic show names those that there are"
#define OTHER "another process has the same name now; this one must end"

/* Those that are not here are ERR_ENV. */
static const struct {
    rd_kafka_resp_err_t code;
    int ours;
    const char *advice;
} MEANINGS[] = {
    {RD_KAFKA_RESP_ERR__TRANSPORT, ERR_AWAY, AWAY},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, ERR_AWAY, AWAY},
    {RD_KAFKA_RESP_ERR__RESOLVE, ERR_AWAY, AWAY},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, ERR_AWAY, AWAY},
    {RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, ERR_AWAY, AWAY},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, ERR_AWAY, AWAY},
    {RD_KAFKA_RESP_ERR__WAIT_COORD, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR__WAIT_CACHE, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR__RETRY, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR__IN_PROGRESS, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR__PURGE_QUEUE, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, ERR_AWAY, AWAY},
    {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_NOT_CONTROLLER, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, ERR_AWAY, "are all brokers running?"},
    {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, ERR_AWAY, "are all brokers running?"},
    {RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, ERR_AWAY, AGAIN},
    {RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, ERR_GONE, "the topic's retention passed it by"},
    {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, ERR_GONE, "the topic's retention passed it by"},
    {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, ERR_FULL, "look at the broker's disks and its log"},
    {RD_KAFKA_RESP_ERR__FENCED, ERR_LOST, OTHER},
    {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, ERR_LOST, OTHER},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, ERR_LOST, OTHER},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, ERR_LOST, OTHER},
    {RD_KAFKA_RESP_ERR__INVALID_ARG, ERR_USAGE, "see: lk --settings"},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERR_USAGE,
     "raise message.max.bytes here (-X) and max.message.bytes of the topic"},
    {RD_KAFKA_RESP_ERR_INVALID_CONFIG, ERR_USAGE, "see the broker's words"},
    {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, ERR_USAGE, "see the broker's words"},
    {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, ERR_USAGE, "are there so many brokers?"},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, ERR_USAGE, "see the broker's words"},
    {RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT, ERR_USAGE,
     "the broker takes 6 s or more (its group.min.session.timeout.ms)"},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, ERR_USAGE, "see the broker's words"},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, ERR_ENV, ACCESS},
    {RD_KAFKA_RESP_ERR__SSL, ERR_ENV, ACCESS},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, ERR_ENV, ACCESS},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, ERR_ENV, ACCESS},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERR_ENV, ACCESS},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, ERR_ENV, ACCESS},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, ERR_ENV, ACCESS},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, ERR_ENV, ACCESS},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ERR_ENV, TOPIC},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, ERR_ENV, TOPIC},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, ERR_ENV, TOPIC},
};
enum { MEANING_COUNT = sizeof MEANINGS / sizeof *MEANINGS };

/* The row of code, or -1. */
static int row_of(rd_kafka_resp_err_t code)
{
    for (int i = 0; i < MEANING_COUNT; i++)
        if (MEANINGS[i].code == code)
            return i;
    return -1;
}

int kafka_error_code(rd_kafka_resp_err_t code)
{
    int row = row_of(code);
    return row < 0 ? ERR_ENV : MEANINGS[row].ours;
}

int kafka_error(const struct kafka *kafka, rd_kafka_resp_err_t code, const char *said,
                const char *what, struct err *err)
{
    int row = row_of(code);
    const char *advice =
        row < 0 ? "run again with --log-debug to see what librdkafka says" : MEANINGS[row].advice;
    char *words = mem_copy_string(said && *said ? said : rd_kafka_err2str(code));
    char *chatter = strstr(words, " (after "); /* librdkafka's notes on the connection */
    if (chatter)
        *chatter = 0;
    if (kafka->admin)
        kafka_cover_secrets(rd_kafka_conf(kafka->admin), words);
    int rc = err_set(err, kafka_error_code(code), "kafka:%s: %s: %s (%s); %s", kafka->brokers, what,
                     words, rd_kafka_err2name(code), advice);
    free(words);
    return rc;
}
