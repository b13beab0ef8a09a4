/* tests/kafka/test_append.c - append on a real broker: in order, each once, as it was given. */
#include <inttypes.h>
#include <pthread.h>

#include "here.h"

#define must(call)                                                                                 \
    do {                                                                                           \
        struct err why = {0};                                                                      \
        cr_assert((call) >= 0, "%s: %s", #call, why.text);                                         \
    } while (0)

static struct log_reader *reader_at_start(struct log *log, const char *topic, int partition)
{
    struct log_reader *reader = NULL;
    must(log_reader_open(log, topic, &partition, 1, &reader, &why));
    must(log_seek(reader, partition, 0, &why));
    return reader;
}

/* The next batch that has records; the test fails where none comes. */
static struct log_batch next_batch(struct log_reader *reader, int max)
{
    struct log_batch batch = {0};
    for (int i = 0; i < 200; i++) {
        must(log_read(reader, max, 100, &batch, &why));
        if (batch.count > 0)
            return batch;
    }
    cr_assert(false, "no records came");
    return batch;
}

Test(kafka_append, keeps_keys_values_and_due_times_as_they_were)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    kafka_here_topic(log, "kept", 2, topic);
    static const struct log_record RECORDS[] = {
        {.key = {"k", 1}, .value = {"plain", 5}, .due_ns = 1700000000123456789},
        {.key = {NULL, 0}, .value = {"no key", 6}},
        {.key = {"", 0}, .value = {"empty key", 9}, .due_ns = 1},
        {.key = {"a\0b", 3}, .value = {"\0\xff\n", 3}, .due_ns = -7},
        {.key = {"empty value", 11}, .value = {"", 0}},
    };
    enum { COUNT = sizeof RECORDS / sizeof *RECORDS };
    struct err err = {0};
    cr_assert_eq(log_append(log, topic, 1, RECORDS, COUNT, &err), 0, "%s", err.text);
    cr_assert_eq(log_append(log, topic, 1, RECORDS, 1, &err), COUNT, "%s", err.text);
    struct log_reader *reader = reader_at_start(log, topic, 1);
    for (int i = 0; i < COUNT; i++) {
        struct log_batch batch = next_batch(reader, 1);
        cr_expect_eq(batch.offset[0], i);
        cr_expect(bytes_equal(batch.key[0], RECORDS[i].key), "record %d", i);
        cr_expect_eq(!batch.key[0].ptr, !RECORDS[i].key.ptr, "record %d: none is not empty", i);
        cr_expect(bytes_equal(batch.value[0], RECORDS[i].value), "record %d", i);
        cr_expect_eq(batch.due_ns[0], RECORDS[i].due_ns, "record %d", i);
    }
    log_reader_close(reader);
    log_close(log);
}

enum { PARTITIONS = 4, MANY = 3000 };

/* Read count records of a partition: their values are the numbers from 0 up. */
static void expect_numbers(struct log *log, const char *topic, int partition, int count)
{
    struct log_reader *reader = reader_at_start(log, topic, partition);
    for (int at = 0; at < count;) {
        struct log_batch batch = next_batch(reader, LOG_BATCH_MAX);
        for (int i = 0; i < batch.count; i++, at++) {
            int64_t number = -1;
            cr_assert(bytes_to_int64(batch.value[i], &number));
            cr_assert_eq(number, at, "partition %d, offset %" PRId64 " holds %" PRId64, partition,
                         batch.offset[i], number);
        }
    }
    int64_t first, end;
    must(log_range(log, topic, partition, &first, &end, &why));
    cr_expect_eq(end, count, "partition %d holds %" PRId64, partition, end);
    log_reader_close(reader);
}

/* n numbered records from `from` on; texts[n] holds their values. */
static void number(struct log_record *records, char (*texts)[12], int from, int n)
{
    for (int i = 0; i < n; i++) {
        snprintf(texts[i], sizeof texts[i], "%d", from + i);
        records[i] = (struct log_record){.value = bytes_of(texts[i]), .due_ns = 1};
    }
}

Test(kafka_append, one_call_fills_several_partitions_each_in_order)
{
    char topic[LOG_TOPIC_MAX];
    static char texts[MANY][12];
    static struct log_record records[MANY];
    struct log *log = kafka_here_log();
    kafka_here_topic(log, "several", PARTITIONS, topic);
    for (int from = 0; from < MANY; from += MANY / 3) {
        struct log_append parts[PARTITIONS];
        number(records, texts, from, MANY / 3);
        for (int p = 0; p < PARTITIONS; p++)
            parts[p] = (struct log_append){p, MANY / 3, records};
        must(log_append_all(log, topic, parts, PARTITIONS, &why));
    }
    for (int p = 0; p < PARTITIONS; p++)
        expect_numbers(log, topic, p, MANY);
    log_close(log);
}

struct appender {
    struct log *log;
    const char *topic;
    int partition;
};

static void *append_numbers(void *arg)
{
    struct appender *a = arg;
    for (int i = 0; i < 200; i++) {
        struct log_record records[3];
        char texts[3][12];
        struct err err = {0};
        number(records, texts, i * 3, 3);
        int64_t first = log_append(a->log, a->topic, a->partition, records, 3, &err);
        cr_assert_eq(first, i * 3, "partition %d: %s", a->partition, err.text);
    }
    return NULL;
}

Test(kafka_append, threads_share_a_log_and_each_gets_its_own_offsets)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    kafka_here_topic(log, "threads", PARTITIONS, topic);
    pthread_t threads[PARTITIONS];
    struct appender appenders[PARTITIONS];
    for (int p = 0; p < PARTITIONS; p++) {
        appenders[p] = (struct appender){log, topic, p};
        cr_assert_eq(pthread_create(&threads[p], NULL, append_numbers, &appenders[p]), 0);
    }
    for (int p = 0; p < PARTITIONS; p++)
        pthread_join(threads[p], NULL);
    for (int p = 0; p < PARTITIONS; p++)
        expect_numbers(log, topic, p, 600);
    log_close(log);
}

Test(kafka_append, a_record_that_is_too_large_names_the_limit_and_the_next_call_goes_on)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    kafka_here_topic(log, "large", 1, topic);
    size_t size = 2 << 20;
    char *huge = mem_zero(1, size);
    struct log_record records[] = {{.value = {"0", 1}}, {.value = {huge, size}}};
    struct err err = {0};
    cr_expect_eq(log_append(log, topic, 0, records, 2, &err), ERR_USAGE);
    cr_expect_not_null(strstr(err.text, "message.max.bytes"), "%s", err.text);
    struct log_record next = {.value = {"1", 1}};
    must(log_append(log, topic, 0, &next, 1, &why));
    expect_numbers(log, topic, 0, 2);
    free(huge);
    log_close(log);
}

Test(kafka_append, a_topic_that_is_not_there_is_refused_and_not_made)
{
    struct log *log = kafka_here_log();
    struct log_record record = {.value = {"0", 1}};
    struct err err = {0};
    cr_expect_eq(log_append(log, "nowhere", 0, &record, 1, &err), ERR_ENV);
    cr_expect_not_null(strstr(err.text, "no topic \"nowhere\""), "%s", err.text);
    cr_expect_eq(log_partitions(log, "nowhere", NULL), ERR_ENV);
    log_close(log);
}
