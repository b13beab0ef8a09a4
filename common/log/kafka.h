/* common/log/kafka.h - what Kafka alone offers beside log.h: transactions, and answers for users.
 *
 * A transaction makes appends to any partitions, and the positions of a group, visible together or
 * not at all (KIP-98). Opening one with an id fences every earlier holder of that id, also one that
 * is still alive; a fenced one gets ERR_LOST and must be closed. A call that fails has aborted what
 * was open. A transaction without appends and positions asks the broker nothing, so it meets no
 * fence. One thread a transaction handle. */
#ifndef LK_LOG_KAFKA_H
#define LK_LOG_KAFKA_H

#include "common/log/log.h"

/* What the cluster is, in a line for a human: brokers, topics, limits that matter here. */
int kafka_about(struct log *log, struct buf *out, struct err *err);

struct kafka_txn;

/* log: a Kafka log (ERR_USAGE otherwise), borrowed. Waits for the broker's transaction coordinator;
 * ERR_AWAY where there is none in time. */
int kafka_txn_open(struct log *log, const char *id, struct kafka_txn **out, struct err *err);
void kafka_txn_close(struct kafka_txn *txn); /* an open transaction is aborted */
int kafka_txn_begin(struct kafka_txn *txn, struct err *err);
int kafka_txn_append(struct kafka_txn *txn, const char *topic, const struct log_append *parts,
                     int count, struct err *err);
/* Commit positions of topic under group together with the appends: positions[i] of partitions[i]. */
int kafka_txn_offsets(struct kafka_txn *txn, const char *group, const char *topic,
                      const int *partitions, const int64_t *positions, int n, struct err *err);
/* 0: all is visible. ERR_AWAY: aborted, nothing is; begin again. ERR_LOST: fenced. */
int kafka_txn_commit(struct kafka_txn *txn, struct err *err);
int kafka_txn_abort(struct kafka_txn *txn, struct err *err);
/* The committed position of a group, or -1 where it has none. */
int kafka_committed(struct log *log, const char *group, const char *topic, int partition,
                    int64_t *position, struct err *err);

#endif
