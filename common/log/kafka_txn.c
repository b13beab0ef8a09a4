/* common/log/kafka_txn.c - transactions: a producer of its own for each id. See kafka.h.
 *
 * What librdkafka 2.0.2 and the broker do that one would not guess:
 *   - without a delivery report callback a commit waits in steps of 100 ms, and send_offsets needs
 *     a flush before it for the same reason: so reports are taken, and each step flushes first
 *   - a record's failure is in its report alone; the commit after it would say only "purged"
 *   - the fence shows as INVALID_PRODUCER_EPOCH in a report, as _PURGE_QUEUE when the producer was
 *     idle, or as _FENCED; in the end rd_kafka_fatal_error knows. A transaction that the broker
 *     ended because it took longer than TXN_TIMEOUT looks the same
 *   - a transaction without records and positions is committed without asking the broker: it
 *     meets no fence
 * Errors of a step: fatal - the handle is done with; to be aborted - we do, and say ERR_AWAY, nothing
 * is visible; to be repeated - we do, for as long as CALL_MS. */
#include "common/log/kafka.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/log/kafka_parts.h"

#define TXN_TIMEOUT                                                                                \
    "60000" /* ms; the broker aborts one that takes longer, and fences its producer */
enum { CALL_MS = 30000, PAUSE_MS = 50 };

struct kafka_txn {
    struct kafka *kafka;
    rd_kafka_t *producer;
    char *id;
    bool open;              /* begun, neither committed nor aborted */
    struct kafka_call call; /* the records of the open transaction */
};

/* ---- errors ---- */

/* A fatal error of the producer as ours, 0 where there is none. */
static int fatal(const struct kafka_txn *txn, const char *what, struct err *err)
{
    char said[256];
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(txn->producer, said, sizeof said);
    if (!code)
        return 0;
    if (code == RD_KAFKA_RESP_ERR__FENCED)
        return err_set(err, ERR_LOST,
                       "kafka:%s: %s: another has taken over the transactional id %s, or the "
                       "transaction took longer than %s ms; nothing of it is visible",
                       txn->kafka->brokers, what, txn->id, TXN_TIMEOUT);
    return err_set(err, ERR_ENV, "kafka:%s: %s: the producer cannot go on: %s; run it again",
                   txn->kafka->brokers, what, said);
}

/* What a step's error, which is taken, means; an open transaction is aborted. */
static int take_error(struct kafka_txn *txn, rd_kafka_error_t *error, const char *what,
                      struct err *err)
{
    char said[256];
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    bool aborts = rd_kafka_error_txn_requires_abort(error);
    snprintf(said, sizeof said, "%s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    kafka_txn_abort(txn, NULL);
    int rc = fatal(txn, what, err);
    if (rc < 0)
        return rc;
    if (aborts)
        return err_set(err, ERR_AWAY, "kafka:%s: %s: %s; the transaction was aborted, begin again",
                       txn->kafka->brokers, what, said);
    return kafka_error(txn->kafka, code, said, what, err);
}

/* A step that may be repeated; arg is the step's own. */
typedef rd_kafka_error_t *step_function(struct kafka_txn *txn, void *arg);

static int take_step(struct kafka_txn *txn, step_function *step, void *arg, const char *what,
                     struct err *err)
{
    int64_t until_ns = clock_mono_ns() + CALL_MS * INT64_C(1000000);
    rd_kafka_error_t *error;
    while ((error = step(txn, arg))) {
        if (!rd_kafka_error_is_retriable(error) || clock_mono_ns() > until_ns)
            return take_error(txn, error, what, err);
        rd_kafka_error_destroy(error);
        clock_sleep_ms(PAUSE_MS);
    }
    return 0;
}

/* ---- open, close ---- */

static rd_kafka_error_t *step_init(struct kafka_txn *txn, void *arg)
{
    (void)arg;
    return rd_kafka_init_transactions(txn->producer, CALL_MS);
}

int kafka_txn_open(struct log *log, const char *id, struct kafka_txn **out, struct err *err)
{
    static const struct kafka_calls CALLS = {.delivered = kafka_delivered};
    const char *pairs[] = {"transactional.id",
                           id,
                           "enable.idempotence",
                           "true",
                           "acks",
                           "all",
                           "transaction.timeout.ms",
                           TXN_TIMEOUT,
                           NULL};
    struct kafka *kafka = kafka_of(log, err);
    if (!kafka)
        return ERR_USAGE;
    rd_kafka_t *producer = kafka_handle(kafka, RD_KAFKA_PRODUCER, pairs, &CALLS, err);
    if (!producer)
        return ERR_USAGE;
    struct kafka_txn *txn = mem_zero(1, sizeof *txn);
    *txn = (struct kafka_txn){
        .kafka = kafka, .producer = producer, .id = mem_copy_string(id), .call.first = -1};
    pthread_mutex_init(&txn->call.lock, NULL);
    int rc = take_step(txn, step_init, NULL, "opening a transactional producer", err);
    if (rc < 0)
        kafka_txn_close(txn);
    else
        *out = txn;
    return rc;
}

void kafka_txn_close(struct kafka_txn *txn)
{
    if (!txn)
        return;
    kafka_txn_abort(txn, NULL);
    rd_kafka_destroy(txn->producer);
    pthread_mutex_destroy(&txn->call.lock);
    free(txn->id);
    free(txn);
}

/* ---- a transaction ---- */

int kafka_txn_begin(struct kafka_txn *txn, struct err *err)
{
    static const char what[] = "beginning a transaction";
    rd_kafka_error_t *error = rd_kafka_begin_transaction(txn->producer);
    if (error)
        return take_error(txn, error, what, err);
    txn->open = true;
    txn->call.code = RD_KAFKA_RESP_ERR_NO_ERROR;
    return 0;
}

/* Wait for the reports of all records so far; one that failed ends the transaction. */
static int flush(struct kafka_txn *txn, const char *what, struct err *err)
{
    rd_kafka_resp_err_t code = rd_kafka_flush(txn->producer, CALL_MS);
    if (!code)
        code = txn->call.code;
    if (!code)
        return 0;
    kafka_txn_abort(txn, NULL);
    int rc = fatal(txn, what, err);
    return rc < 0 ? rc : kafka_error(txn->kafka, code, NULL, what, err);
}

int kafka_txn_append(struct kafka_txn *txn, const char *topic, const struct log_append *parts,
                     int count, struct err *err)
{
    struct err why = {0};
    char what[LOG_TOPIC_MAX + 32];
    int rc = 0;
    for (int i = 0; rc == 0 && i < count; i++)
        rc = kafka_send(txn->kafka, txn->producer, topic, &parts[i], &txn->call, &why);
    if (rc == 0)
        return 0;
    snprintf(what, sizeof what, "appending to topic %s", topic);
    int lost = fatal(txn, what, err); /* says more than the send, which knows no transaction */
    kafka_txn_abort(txn, NULL);
    return lost ? lost : err_set(err, rc, "%s", why.text);
}

struct offsets {
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_consumer_group_metadata_t *group;
};

static rd_kafka_error_t *step_offsets(struct kafka_txn *txn, void *arg)
{
    const struct offsets *offsets = arg;
    return rd_kafka_send_offsets_to_transaction(txn->producer, offsets->list, offsets->group,
                                                CALL_MS);
}

int kafka_txn_offsets(struct kafka_txn *txn, const char *group, const char *topic,
                      const int *partitions, const int64_t *positions, int n, struct err *err)
{
    static const char what[] = "adding positions to a transaction";
    struct offsets offsets = {rd_kafka_topic_partition_list_new(n),
                              rd_kafka_consumer_group_metadata_new(group)};
    for (int i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(offsets.list, topic, partitions[i])->offset =
            positions[i];
    int rc = flush(txn, what, err);
    if (rc == 0)
        rc = take_step(txn, step_offsets, &offsets, what, err);
    rd_kafka_topic_partition_list_destroy(offsets.list);
    rd_kafka_consumer_group_metadata_destroy(offsets.group);
    return rc;
}

static rd_kafka_error_t *step_commit(struct kafka_txn *txn, void *arg)
{
    (void)arg;
    return rd_kafka_commit_transaction(txn->producer, CALL_MS);
}

int kafka_txn_commit(struct kafka_txn *txn, struct err *err)
{
    static const char what[] = "committing a transaction";
    int rc = flush(txn, what, err);
    if (rc == 0)
        rc = take_step(txn, step_commit, NULL, what, err);
    if (rc == 0)
        txn->open = false;
    return rc;
}

static rd_kafka_error_t *step_abort(struct kafka_txn *txn, void *arg)
{
    (void)arg;
    return rd_kafka_abort_transaction(txn->producer, CALL_MS);
}

int kafka_txn_abort(struct kafka_txn *txn, struct err *err)
{
    if (!txn->open)
        return 0;
    txn->open = false;
    return take_step(txn, step_abort, NULL, "aborting a transaction", err);
}
