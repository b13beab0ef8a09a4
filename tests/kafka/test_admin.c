/* tests/kafka/test_admin.c - topics of a real broker, and where their partitions begin and end. */
#include "common/base/clock.h"
#include "tests/kafka/here.h"

static bool says(const struct err *err, const char *words)
{
    return strstr(err->text, words) != NULL;
}

static void append_one(struct log *log, const char *topic)
{
    struct err err = {0};
    struct log_record record = {.value = bytes_of("x")};
    cr_assert(log_append(log, topic, 0, &record, 1, &err) >= 0, "%s", err.text);
}

Test(kafka_admin, a_topic_is_made_once_and_not_with_other_partitions)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    struct err err = {0};
    struct log_shape shape = {.partitions = 3, .replication = 1, .retention_ms = -1};
    kafka_here_topic(log, "once", 3, topic);
    cr_expect_eq(log_create_topic(log, topic, shape, &err), 0, "%s", err.text);
    cr_expect_eq(log_partitions(log, topic, &err), 3);
    shape.partitions = 4;
    cr_expect_eq(log_create_topic(log, topic, shape, &err), ERR_USAGE);
    cr_expect(says(&err, "has 3 partitions, not 4"), "%s", err.text);
    log_close(log);
}

Test(kafka_admin, what_the_broker_refuses_is_said_in_its_words)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    struct err err = {0};
    snprintf(topic, sizeof topic, "refused-%d", (int)getpid());
    struct log_shape shape = {.partitions = 1, .replication = 7};
    cr_expect_eq(log_create_topic(log, topic, shape, &err), ERR_USAGE, "%s", err.text);
    cr_expect(says(&err, "replication factor"), "%s", err.text);
    log_close(log);
}

Test(kafka_admin, a_deleted_topic_is_gone_and_its_name_is_free)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    struct err err = {0};
    int64_t first, end;
    kafka_here_topic(log, "deleted", 2, topic);
    append_one(log, topic);
    cr_expect_eq(log_delete_topic(log, topic, &err), 0, "%s", err.text);
    cr_expect_eq(log_partitions(log, topic, NULL), ERR_ENV);
    cr_expect_eq(log_delete_topic(log, topic, NULL), ERR_ENV);
    kafka_here_topic(log, "deleted", 1, topic);
    cr_expect_eq(log_partitions(log, topic, &err), 1);
    cr_expect_eq(log_range(log, topic, 0, &first, &end, &err), 0, "%s", err.text);
    cr_expect_eq(end, 0);
    log_close(log);
}

Test(kafka_admin, a_topic_that_is_not_there_is_told_with_those_that_are)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    struct err err = {0};
    kafka_here_topic(log, "there", 1, topic);
    cr_expect_eq(log_partitions(log, "not-there", &err), ERR_ENV);
    cr_expect(says(&err, "has no topic \"not-there\"; it has"), "%s", err.text);
    cr_expect(says(&err, "there-") || says(&err, "in all"), "%s", err.text);
    log_close(log);
}

Test(kafka_admin, a_time_has_an_offset)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    struct err err = {0};
    int64_t at[3], offset;
    kafka_here_topic(log, "times", 1, topic);
    for (int i = 0; i < 3; i++) {
        usleep(20000);
        at[i] = clock_wall_ns() / 1000000;
        usleep(20000);
        append_one(log, topic);
    }
    const struct {
        int64_t time_ms, offset;
    } rows[] = {{-7, 0}, {0, 0}, {at[0], 0}, {at[1], 1}, {at[2], 2}, {at[2] + 3600000, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert_eq(log_offset_at(log, topic, 0, rows[i].time_ms, &offset, &err), 0, "%s",
                     err.text);
        cr_expect_eq(offset, rows[i].offset, "row %zu: %ld", i, (long)offset);
    }
    log_close(log);
}
