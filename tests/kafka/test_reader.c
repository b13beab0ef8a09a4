/* tests/kafka/test_reader.c - reading from a real broker: positions, ends, rewinds, what is not there. */
#include <inttypes.h>
#include <pthread.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/log/kafka.h"
#include "tests/kafka/here.h"

/* Fails the test with the error's own words. */
#define must(call)                                                                                 \
    do {                                                                                           \
        struct err why = {0};                                                                      \
        cr_assert((call) >= 0, "%s: %s", #call, why.text);                                         \
    } while (0)

enum { SECOND_MS = 1000, TRIES = 100 };

static bool says(const struct err *err, const char *words)
{
    return strstr(err->text, words) != NULL;
}

/* n records whose values are their numbers from `from` on. */
static struct log_record *numbered(int64_t from, int n, char (*text)[24])
{
    struct log_record *records = mem_zero((size_t)n, sizeof *records);
    for (int i = 0; i < n; i++) {
        int len = snprintf(text[i], sizeof text[i], "%" PRId64, from + i);
        records[i].value = (struct bytes){text[i], (size_t)len};
    }
    return records;
}

static void append(struct log *log, const char *topic, int partition, int64_t from, int n)
{
    char(*text)[24] = mem_alloc((size_t)n * sizeof *text);
    struct log_record *records = numbered(from, n, text);
    must(log_append(log, topic, partition, records, n, &why));
    free(records);
    free(text);
}

/* Make a transaction send what it has: a position with it does. */
static void send(struct kafka_txn *txn, const char *topic)
{
    static const int PARTITION = 0;
    static const int64_t POSITION = 0;
    must(kafka_txn_offsets(txn, topic, topic, &PARTITION, &POSITION, 1, &why));
}

/* One transaction of n records in partition 0, committed or aborted. */
static void transact(struct log *log, const char *topic, int n, bool commit)
{
    char(*text)[24] = mem_alloc((size_t)n * sizeof *text);
    struct log_record *records = numbered(0, n, text);
    struct log_append part = {0, n, records};
    struct kafka_txn *txn;
    int64_t first, before, end = 0;
    must(log_range(log, topic, 0, &first, &before, &why));
    must(kafka_txn_open(log, topic, &txn, &why));
    must(kafka_txn_begin(txn, &why));
    must(kafka_txn_append(txn, topic, &part, 1, &why));
    send(txn, topic);
    must(commit ? kafka_txn_commit(txn, &why) : kafka_txn_abort(txn, &why));
    kafka_txn_close(txn);
    for (int i = 0; end < before + n + 1 && i < TRIES;
         i++) { /* the marker comes after the answer */
        clock_sleep_ms(10);
        must(log_range(log, topic, 0, &first, &end, &why));
    }
    free(records);
    free(text);
}

static struct log_reader *reader_of(struct log *log, const char *topic, int partitions)
{
    static const int ALL[] = {0, 1, 2, 3};
    struct log_reader *reader;
    must(log_reader_open(log, topic, ALL, partitions, &reader, &why));
    return reader;
}

/* Read until something comes: records, or a position that moved alone. Returns how many records. */
static int read_some(struct log_reader *reader, int max, struct log_batch *batch)
{
    int count = 0;
    for (int i = 0; i < TRIES; i++) {
        must(count = log_read(reader, max, SECOND_MS, batch, &why));
        if (count > 0 || batch->partition >= 0)
            return count;
    }
    cr_assert_fail("nothing came");
    return 0;
}

/* What partition 0 delivers from its beginning to end: offsets as text, "0 1 2". */
static void read_all(struct log_reader *reader, int64_t end, char *text, size_t size)
{
    int64_t next = 0;
    size_t used = 0;
    text[0] = 0;
    must(log_seek(reader, 0, 0, &why));
    while (next < end) {
        struct log_batch batch;
        int count = read_some(reader, LOG_BATCH_MAX, &batch);
        for (int i = 0; i < count; i++)
            used += (size_t)snprintf(text + used, size - used, "%s%" PRId64, used ? " " : "",
                                     batch.offset[i]);
        cr_assert_gt(batch.next, next, "a position moves on");
        next = batch.next;
    }
    cr_expect_eq(next, end);
}

Test(kafka_reader, markers_and_aborted_records_are_passed_and_the_position_moves_alone)
{
    char topic[LOG_TOPIC_MAX], seen[200];
    struct log *log = kafka_here_log();
    int64_t first, end;
    kafka_here_topic(log, "markers", 1, topic);
    transact(log, topic, 3, true);
    transact(log, topic, 3, false);
    transact(log, topic, 3, true);
    transact(log, topic, 3, false);
    end = 0;
    for (int i = 0; end < 16 && i < TRIES; i++) { /* a marker is written after the answer */
        clock_sleep_ms(10);
        must(log_range(log, topic, 0, &first, &end, &why));
    }
    cr_assert_eq(end, 16);
    struct log_reader *reader = reader_of(log, topic, 1);
    read_all(reader, end, seen, sizeof seen);
    cr_expect_str_eq(seen, "0 1 2 8 9 10");
    struct log_batch batch;
    for (int64_t from = 11; from < 16; from++) { /* from a marker, from an aborted record */
        must(log_seek(reader, 0, from, &why));
        cr_expect_eq(read_some(reader, 10, &batch), 0);
        cr_expect_eq(batch.next, 16);
    }
    log_reader_close(reader);
    log_close(log);
}

Test(kafka_reader, an_open_transaction_ends_the_log_before_it)
{
    char topic[LOG_TOPIC_MAX], seen[200];
    struct log *log = kafka_here_log();
    struct log_record record = {.value = bytes_of("x")};
    struct log_append part = {0, 1, &record};
    struct kafka_txn *txn;
    struct log_batch batch;
    int64_t first, end;
    kafka_here_topic(log, "open", 1, topic);
    append(log, topic, 0, 0, 2);
    must(kafka_txn_open(log, topic, &txn, &why));
    must(kafka_txn_begin(txn, &why));
    must(kafka_txn_append(txn, topic, &part, 1, &why));
    send(txn, topic);
    append(log, topic, 0, 3, 1);
    must(log_range(log, topic, 0, &first, &end, &why));
    cr_assert_eq(end, 2);
    struct log_reader *reader = reader_of(log, topic, 1);
    read_all(reader, end, seen, sizeof seen);
    cr_expect_str_eq(seen, "0 1");
    must(log_read(reader, 10, 200, &batch, &why));
    cr_expect_eq(batch.partition, -1, "nothing behind it is delivered");
    must(kafka_txn_commit(txn, &why));
    cr_expect_gt(read_some(reader, 10, &batch), 0);
    cr_expect_eq(batch.offset[0], 2);
    kafka_txn_close(txn);
    log_reader_close(reader);
    log_close(log);
}

Test(kafka_reader, what_was_trimmed_is_gone_with_its_offsets)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    struct log_batch batch;
    struct err err = {0};
    int64_t first, end;
    kafka_here_topic(log, "trim", 1, topic);
    append(log, topic, 0, 0, 10);
    struct log_reader *reader = reader_of(log, topic, 1);
    must(log_seek(reader, 0, 2, &why));
    cr_assert_eq(log_get(reader, 0, 9, &batch, NULL), 1); /* so that the read fetches anew */
    must(log_trim(log, topic, 0, 5, &why));
    must(log_range(log, topic, 0, &first, &end, &why));
    cr_expect_eq(first, 5);
    cr_expect_eq(end, 10);
    int rc = 0;
    for (int i = 0; rc == 0 && i < TRIES; i++)
        rc = log_read(reader, 10, SECOND_MS, &batch, &err);
    cr_expect_eq(rc, ERR_GONE, "%s", err.text);
    cr_expect(says(&err, "offset 2 is gone: partition 0"), "%s", err.text);
    cr_expect(says(&err, "begins at 5"), "%s", err.text);
    must(log_seek(reader, 0, 5, &why));
    cr_expect_eq(read_some(reader, 10, &batch), 5, "and it goes on where it is sought");
    cr_expect_eq(log_get(reader, 0, 4, &batch, NULL), 0);
    log_reader_close(reader);
    log_close(log);
}

static const struct {
    int64_t position;
    int rc;
    const char *words;
} SEEKS[] = {{4, ERR_GONE, "begins at 5"},
             {5, 0, ""},
             {10, 0, ""},
             {11, ERR_GONE, "ends at 10"},
             {LOG_END, 0, ""}};

Test(kafka_reader, a_position_outside_the_log_is_gone)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    struct log_batch batch;
    kafka_here_topic(log, "outside", 1, topic);
    append(log, topic, 0, 0, 10);
    must(log_trim(log, topic, 0, 5, &why));
    struct log_reader *reader = reader_of(log, topic, 1);
    for (size_t i = 0; i < sizeof SEEKS / sizeof *SEEKS; i++) {
        struct err err = {0};
        cr_expect_eq(log_seek(reader, 0, SEEKS[i].position, &err), SEEKS[i].rc, "row %zu", i);
        cr_expect(says(&err, SEEKS[i].words), "%s", err.text);
    }
    append(log, topic, 0, 10, 1);
    cr_expect_eq(read_some(reader, 10, &batch), 1);
    cr_expect_eq(batch.offset[0], 10, "LOG_END was where the log ended then");
    log_reader_close(reader);
    log_close(log);
}

/* Records come from where each partition was sought, without a gap, whatever was fetched before. */
Test(kafka_reader, rewinds_deliver_nothing_stale)
{
    enum { RECORDS = 20000, REWINDS = 200 };
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    struct rng rng;
    int64_t next[2] = {0};
    kafka_here_topic(log, "rewind", 2, topic);
    for (int p = 0; p < 2; p++)
        append(log, topic, p, 0, RECORDS);
    struct log_reader *reader = reader_of(log, topic, 2);
    rng_init(&rng, 7);
    for (int i = 0; i < REWINDS; i++) {
        int p = (int)rng_below(&rng, 2), reads = (int)rng_below(&rng, 6);
        if (i < 2)
            p = i;
        next[p] = (int64_t)rng_below(&rng, RECORDS - 10);
        must(log_seek(reader, p, next[p], &why));
        for (int k = 0; k < reads && i >= 2; k++) {
            struct log_batch batch;
            int count = log_read(reader, 1 + (int)rng_below(&rng, 3000), 20, &batch, NULL);
            for (int r = 0; r < count; r++)
                cr_assert_eq(batch.offset[r], next[batch.partition]++, "rewind %d", i);
        }
    }
    log_reader_close(reader);
    log_close(log);
}

Test(kafka_reader, a_paused_partition_waits_and_the_others_go_on)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    struct log_batch batch;
    kafka_here_topic(log, "pause", 2, topic);
    struct log_reader *reader = reader_of(log, topic, 2);
    for (int p = 0; p < 2; p++) {
        append(log, topic, p, 0, 3);
        must(log_seek(reader, p, 0, &why));
    }
    log_pause(reader, 0, true);
    for (int i = 0; i < 3; i++) {
        read_some(reader, 1, &batch);
        cr_assert_eq(batch.partition, 1);
    }
    must(log_read(reader, 10, 200, &batch, &why));
    cr_expect_neq(batch.partition, 0);
    log_pause(reader, 0, false);
    cr_expect_eq(read_some(reader, 10, &batch), 3);
    cr_expect_eq(batch.offset[0], 0);
    log_reader_close(reader);
    log_close(log);
}

Test(kafka_reader, get_finds_a_record_and_leaves_the_position)
{
    static const struct {
        int64_t offset;
        int found;
    } ROWS[] = {{1, 1}, {2, 0}, {3, 0}, {4, 0}, {5, 0}, {6, 1}, {0, 1}, {7, 0}, {1000, 0}, {-1, 0}};
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    struct log_batch batch;
    kafka_here_topic(log, "get", 1, topic);
    transact(log, topic, 2, true);  /* 0 1, a marker */
    transact(log, topic, 2, false); /* 3 4, a marker */
    append(log, topic, 0, 6, 1);
    struct log_reader *reader = reader_of(log, topic, 1);
    must(log_seek(reader, 0, 0, &why));
    read_some(reader, 1, &batch);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        int found;
        must(found = log_get(reader, 0, ROWS[i].offset, &batch, &why));
        cr_expect_eq(found, ROWS[i].found, "offset %" PRId64, ROWS[i].offset);
        if (found)
            cr_expect_eq(batch.offset[0], ROWS[i].offset);
    }
    cr_assert_eq(log_get(reader, 0, 6, &batch, NULL), 1);
    cr_expect(bytes_equal(batch.value[0], bytes_of("6")));
    cr_expect_gt(read_some(reader, 10, &batch), 0);
    cr_expect_eq(batch.offset[0], 1, "the read goes on where it was");
    log_reader_close(reader);
    log_close(log);
}

static void *append_later(void *topic)
{
    struct log *log = kafka_here_log();
    usleep(300000);
    append(log, topic, 3, 0, 1);
    log_close(log);
    return NULL;
}

/* The wait is longer than the test may take. */
Test(kafka_reader, a_waiting_read_returns_when_something_comes, .timeout = 20)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    struct log_batch batch;
    pthread_t thread;
    int count;
    kafka_here_topic(log, "wait", 4, topic);
    struct log_reader *reader = reader_of(log, topic, 4);
    for (int p = 0; p < 4; p++)
        must(log_seek(reader, p, 0, &why));
    cr_assert_eq(pthread_create(&thread, NULL, append_later, topic), 0);
    must(count = log_read(reader, 10, 60000, &batch, &why));
    cr_expect_eq(count, 1);
    cr_expect_eq(batch.partition, 3);
    pthread_join(thread, NULL);
    log_reader_close(reader);
    log_close(log);
}

Test(kafka_reader, a_record_without_key_or_value_has_none)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    struct log_record records[] = {{.due_ns = 0}, {.key = bytes_of("k"), .value = bytes_of("")}};
    struct log_batch batch;
    kafka_here_topic(log, "null", 1, topic);
    must(log_append(log, topic, 0, records, 2, &why));
    struct log_reader *reader = reader_of(log, topic, 1);
    must(log_seek(reader, 0, 0, &why));
    cr_assert_eq(read_some(reader, 10, &batch), 2);
    cr_expect_null(batch.key[0].ptr);
    cr_expect_eq(batch.value[0].len, 0);
    cr_expect_eq(batch.due_ns[0], 0);
    cr_expect(bytes_equal(batch.key[1], bytes_of("k")));
    cr_expect_eq(batch.value[1].len, 0);
    log_reader_close(reader);
    log_close(log);
}

Test(kafka_reader, a_get_of_what_is_gone_leaves_the_position_alone, .timeout = 60)
{
    static const int ALONE = 0;
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    struct log_reader *reader;
    struct log_batch batch = {0};
    kafka_here_topic(log, "get-gone", 1, topic);
    append(log, topic, 0, 0, 10);
    must(log_trim(log, topic, 0, 5, &why));
    must(log_reader_open(log, topic, &ALONE, 1, &reader, &why));
    must(log_seek(reader, 0, 7, &why));
    struct err err = {0};
    cr_expect_eq(log_get(reader, 0, 2, &batch, &err), 0, "%s", err.text);
    int count = 0;
    for (int i = 0; count == 0 && i < TRIES; i++)
        must(count = log_read(reader, LOG_BATCH_MAX, 100, &batch, &why));
    cr_assert_eq(count, 3);
    cr_expect_eq(batch.offset[0], 7);
    log_reader_close(reader);
    log_close(log);
}

Test(kafka_reader, a_topic_that_is_deleted_is_said_and_its_reader_closes, .timeout = 60)
{
    for (int shared = 0; shared < 2; shared++) {
        static const int BOTH[] = {0, 1};
        char topic[LOG_TOPIC_MAX];
        struct log *log = kafka_here_log();
        struct log_reader *reader;
        struct log_batch batch = {0};
        kafka_here_topic(log, shared ? "gone-shared" : "gone", 2, topic);
        struct log_group group = {.name = topic, .shared = shared};
        append(log, topic, 0, 0, 1);
        append(log, topic, 1, 0, 1);
        must(log_reader_open(log, topic, BOTH, 2, &reader, &why));
        must(log_join(reader, &group, &why));
        for (int count = 0, i = 0; count < 2 && i < TRIES; i++) {
            bool owned[2] = {true, true};
            bool dealt = shared ? log_owned(reader, owned, NULL) == 1 : i == 0;
            for (int p = 0; dealt && p < 2; p++)
                must(owned[p] ? log_seek(reader, p, 0, &why) : 0);
            must(log_read(reader, LOG_BATCH_MAX, 100, &batch, &why));
            count += batch.count;
        }
        cr_expect_eq(batch.count, 1);
        must(log_delete_topic(log, topic, &why));
        struct err err = {0};
        int rc = 0;
        for (int i = 0; rc >= 0 && i < TRIES; i++)
            rc = log_read(reader, LOG_BATCH_MAX, 100, &batch, &err);
        cr_expect_eq(rc, ERR_ENV, "%d %s", rc, err.text);
        cr_expect(says(&err, "has no topic"), "%s", err.text);
        log_reader_close(reader); /* and does not wait for ever */
        log_close(log);
    }
}
