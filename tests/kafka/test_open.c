/* tests/kafka/test_open.c - a broker is found, or said not to be there. */
#include "tests/kafka/here.h"

Test(kafka_open, a_broker_that_answers_is_opened_and_knows_no_topic_of_ours)
{
    struct err err = {0};
    struct log *log = kafka_here_log();
    cr_assert_eq(log_partitions(log, "nobody-made-this", &err), ERR_ENV);
    log_close(log);
}

Test(kafka_open, where_nobody_listens_there_is_no_broker)
{
    struct err err = {0};
    struct log *log;
    kafka_here();
    cr_assert_eq(log_open("kafka:127.0.0.1:1", false, &log, &err), ERR_AWAY);
    cr_assert(err.text[0]);
}
