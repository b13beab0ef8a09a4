/* tests/kafka/test_group.c - members of a group share a topic's partitions; what is noted can be seen. */
#include "common/base/clock.h"
#include "common/log/kafka.h"
#include "tests/kafka/here.h"

enum { PARTITIONS = 4, DEAL_MS = 20000 };

static const int ALL[PARTITIONS] = {0, 1, 2, 3};

struct member {
    struct log_reader *reader;
    bool owned[PARTITIONS];
    int count; /* of owned */
};

static struct member join(struct log *log, const char *topic, const char *instance)
{
    struct member member = {0};
    struct err err = {0};
    struct log_group group = {
        .name = topic, .shared = true, .instance = instance, .session_ms = 6000};
    cr_assert(log_reader_open(log, topic, ALL, PARTITIONS, &member.reader, &err) == 0, "%s",
              err.text);
    cr_assert(log_join(member.reader, &group, &err) == 0, "%s", err.text);
    return member;
}

/* Read once; what was dealt out newly is sought at its beginning. Returns what log_read did. */
static int look(struct member *member, struct log_batch *batch)
{
    struct err err = {0};
    bool had[PARTITIONS];
    int count = log_read(member->reader, LOG_BATCH_MAX, 50, batch, &err);
    cr_assert(count >= 0, "%s", err.text);
    memcpy(had, member->owned, sizeof had);
    if (log_owned(member->reader, member->owned, &err) == 0)
        return count;
    member->count = 0;
    for (int p = 0; p < PARTITIONS; p++) {
        member->count += member->owned[p];
        if (member->owned[p] && !had[p])
            cr_assert(log_seek(member->reader, p, 0, &err) == 0, "%s", err.text);
    }
    return count;
}

/* Let members read until each has its share. */
static void deal(struct member *const *members, int count, int share)
{
    int64_t until_ns = clock_mono_ns() + (int64_t)DEAL_MS * 1000000;
    struct log_batch batch;
    bool done = false;
    while (!done) {
        cr_assert(clock_mono_ns() < until_ns, "the partitions were not dealt out in time");
        done = true;
        for (int i = 0; i < count; i++) {
            look(members[i], &batch);
            done = done && members[i]->count == share;
        }
    }
}

static void append_one(struct log *log, const char *topic, int partition)
{
    struct err err = {0};
    struct log_record record = {.value = bytes_of("x")};
    cr_assert(log_append(log, topic, partition, &record, 1, &err) >= 0, "%s", err.text);
}

Test(group, a_member_that_joins_gets_its_share_and_leaves_it_to_the_others_again, .timeout = 60)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    kafka_here_topic(log, "share", PARTITIONS, topic);
    struct member one = join(log, topic, NULL), *alone[] = {&one};
    deal(alone, 1, PARTITIONS);
    struct member two = join(log, topic, NULL), *both[] = {&one, &two};
    deal(both, 2, PARTITIONS / 2);
    for (int p = 0; p < PARTITIONS; p++)
        cr_expect_neq(one.owned[p], two.owned[p], "partition %d has one member", p);
    log_reader_close(two.reader);
    deal(alone, 1, PARTITIONS);
    log_reader_close(one.reader);
    log_close(log);
}

Test(group, partitions_are_delivered_where_they_are_owned_and_nowhere_else, .timeout = 60)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    kafka_here_topic(log, "deliver", PARTITIONS, topic);
    struct member one = join(log, topic, NULL), two = join(log, topic, NULL);
    struct member *both[] = {&one, &two};
    int seen[PARTITIONS] = {0}, left = PARTITIONS;
    deal(both, 2, PARTITIONS / 2);
    for (int p = 0; p < PARTITIONS; p++)
        append_one(log, topic, p);
    while (left > 0)
        for (int i = 0; i < 2; i++) {
            struct log_batch batch;
            int count = look(both[i], &batch);
            if (count == 0)
                continue;
            cr_assert(both[i]->owned[batch.partition]);
            cr_assert_eq(seen[batch.partition]++, 0);
            left--;
        }
    log_reader_close(one.reader);
    log_reader_close(two.reader);
    log_close(log);
}

Test(group, a_partition_that_was_dealt_out_is_silent_until_it_is_sought, .timeout = 60)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    kafka_here_topic(log, "silent", PARTITIONS, topic);
    struct member one = join(log, topic, NULL);
    struct err err = {0};
    struct log_batch batch;
    while (log_owned(one.reader, one.owned, &err) == 0)
        cr_assert_eq(log_read(one.reader, 10, 50, &batch, &err), 0);
    append_one(log, topic, 1);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(log_read(one.reader, 10, 50, &batch, &err), 0);
    cr_assert_eq(log_get(one.reader, 1, 0, &batch, &err), 1, "%s", err.text);
    cr_assert_eq(log_seek(one.reader, 1, 0, &err), 0, "%s", err.text);
    int count;
    while ((count = log_read(one.reader, 10, 100, &batch, &err)) == 0)
        ;
    cr_expect_eq(count, 1, "%s", err.text);
    cr_expect_eq(batch.offset[0], 0);
    log_reader_close(one.reader);
    log_close(log);
}

Test(group, a_second_holder_of_a_members_name_ends_the_first, .timeout = 60)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    kafka_here_topic(log, "fenced", PARTITIONS, topic);
    struct member one = join(log, topic, "name"), *alone[] = {&one};
    deal(alone, 1, PARTITIONS);
    struct member two = join(log, topic, "name");
    int rc = 0;
    struct err err = {0};
    struct log_batch batch;
    for (int i = 0; rc >= 0 && i < 200; i++) {
        look(&two, &batch);
        rc = log_read(one.reader, 10, 50, &batch, &err);
    }
    cr_expect_eq(rc, ERR_LOST, "%s", err.text);
    log_reader_close(one.reader);
    log_reader_close(two.reader);
    log_close(log);
}

Test(group, a_topic_that_has_grown_is_said_not_read, .timeout = 60)
{
    char topic[LOG_TOPIC_MAX];
    struct log *log = kafka_here_log();
    kafka_here_topic(log, "grown", PARTITIONS, topic);
    struct log_group group = {.name = topic, .shared = true, .session_ms = 6000};
    struct log_reader *reader;
    struct log_batch batch;
    struct err err = {0};
    bool owned[PARTITIONS] = {false};
    /* As if the topic had had two when it was opened. */
    cr_assert_eq(log_reader_open(log, topic, ALL, 2, &reader, &err), 0, "%s", err.text);
    cr_assert_eq(log_join(reader, &group, &err), 0, "%s", err.text);
    int64_t until_ns = clock_mono_ns() + (int64_t)DEAL_MS * 1000000;
    int rc = 0;
    while (rc >= 0 && clock_mono_ns() < until_ns) {
        rc = log_read(reader, LOG_BATCH_MAX, 50, &batch, &err);
        rc = rc < 0 ? rc : log_owned(reader, owned, &err);
    }
    cr_expect_eq(rc, ERR_USAGE, "%d %s", rc, err.text);
    cr_expect(strstr(err.text, "has got partition"), "%s", err.text);
    log_reader_close(reader);
    log_close(log);
}

Test(group, what_is_noted_is_the_groups_committed_position, .timeout = 60)
{
    static const bool SHARED[] = {false, true};
    for (size_t i = 0; i < 2; i++) {
        char topic[LOG_TOPIC_MAX];
        struct log *log = kafka_here_log();
        struct err err = {0};
        struct member one = {0}, *alone[] = {&one};
        kafka_here_topic(log, SHARED[i] ? "note-shared" : "note", PARTITIONS, topic);
        for (int k = 0; k < 3; k++)
            append_one(log, topic, 2);
        if (SHARED[i]) {
            one = join(log, topic, NULL);
            deal(alone, 1, PARTITIONS);
        } else {
            struct log_group group = {.name = topic};
            cr_assert_eq(log_reader_open(log, topic, ALL, PARTITIONS, &one.reader, &err), 0);
            cr_assert_eq(log_join(one.reader, &group, &err), 0, "%s", err.text);
        }
        log_note(one.reader, 2, 1);
        log_note(one.reader, 2, 3);
        log_reader_close(one.reader);
        int64_t position = 0;
        cr_assert_eq(kafka_committed(log, topic, topic, 2, &position, &err), 0, "%s", err.text);
        cr_expect_eq(position, 3, "shared %d: %ld", SHARED[i], (long)position);
        log_close(log);
    }
}
