/* bench/broker.h - the Kafka broker of a run, as far as it can be reached.
 *
 * One that `tools/kafka` runs on this machine can be measured, killed and started again; of any other
 * nothing is known. Open value; one thread. */
#ifndef LK_BENCH_BROKER_H
#define LK_BENCH_BROKER_H

#include "bench/process.h"

struct broker {
    char tool[4200];        /* path of tools/kafka; "" where the broker is none of its */
    char version[32];       /* of Kafka */
    struct process itself;  /* never ours to start or reap: pid and samples */
    struct process running; /* the tool at work */
    double cpu_before_s;    /* what it had used before the run, negative: of brokers since */
};

/* Is the broker of this URI one that tools/kafka, beside program or here, runs? */
void broker_find(struct broker *broker, const char *uri, const char *program);
static inline bool broker_known(const struct broker *broker)
{
    return broker->tool[0];
}
/* SIGSTOP, SIGCONT. */
void broker_signal(struct broker *broker, int number);
/* Begin `tools/kafka VERB` (kill, stop, start), its words going to output; broker_busy until it is done,
 * then running.failed says whether it was. */
int broker_begin(struct broker *broker, const char *verb, const char *output, struct err *err);
bool broker_busy(struct broker *broker);
void broker_sample(struct broker *broker);
void broker_release(struct broker *broker);

#endif
