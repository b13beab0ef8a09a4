/* tests/kafka/here.h - the broker that the tests of this folder talk to, and topics of their own.
 *
 * tests/kafka/test_log.sh starts it and says where it is in LK_TEST_KAFKA. Tests run side by side in
 * processes of their own, on one broker: each makes topics with names that nobody else has. */
#ifndef LK_TESTS_KAFKA_HERE_H
#define LK_TESTS_KAFKA_HERE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log/log.h"

static inline const char *kafka_here(void)
{
    const char *uri = getenv("LK_TEST_KAFKA");
    if (!uri)
        cr_skip_test("LK_TEST_KAFKA says no broker; run tests/kafka/test_log.sh");
    return uri;
}

/* The log of this broker, owned by the caller. */
static inline struct log *kafka_here_log(void)
{
    struct err err = {0};
    struct log *log = NULL;
    cr_assert(log_open(kafka_here(), true, &log, &err) == 0, "%s", err.text);
    return log;
}

/* A new topic with a name of its own in name[LOG_TOPIC_MAX]. */
static inline void kafka_here_topic(struct log *log, const char *about, int partitions, char *name)
{
    struct err err = {0};
    snprintf(name, LOG_TOPIC_MAX, "%s-%d", about, (int)getpid());
    cr_assert(log_create_topic(log, name, (struct log_shape){.partitions = partitions}, &err) == 0,
              "%s", err.text);
}

#endif
