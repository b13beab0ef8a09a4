/* tests/kafka/test_txn.c - transactions: all or nothing, and one holder of an id at a time. */
#include <inttypes.h>

#include "common/log/kafka.h"
#include "here.h"

#define must(call)                                                                                 \
    do {                                                                                           \
        struct err why = {0};                                                                      \
        cr_assert((call) >= 0, "%s: %s", #call, why.text);                                         \
    } while (0)

struct scene {
    struct log *log;
    char topic[LOG_TOPIC_MAX], id[LOG_TOPIC_MAX + 8];
};

static struct scene scene_make(const char *about)
{
    struct scene scene = {.log = kafka_here_log()};
    kafka_here_topic(scene.log, about, 2, scene.topic);
    snprintf(scene.id, sizeof scene.id, "id-%s", scene.topic);
    return scene;
}

/* Two records to partition 0 and one to 1. */
static int append(struct kafka_txn *txn, const char *topic, struct err *err)
{
    static const struct log_record RECORDS[] = {{.value = {"a", 1}}, {.value = {"b", 1}}};
    struct log_append parts[] = {{0, 2, RECORDS}, {1, 1, RECORDS}};
    return kafka_txn_append(txn, topic, parts, 2, err);
}

static struct kafka_txn *open_txn(const struct scene *scene)
{
    struct kafka_txn *txn = NULL;
    must(kafka_txn_open(scene->log, scene->id, &txn, &why));
    must(kafka_txn_begin(txn, &why));
    return txn;
}

/* How many records of partition a reader gets up to its end, which is to be `end`: the broker writes
 * the markers of a transaction when it has answered the commit already. */
static int visible(const struct scene *scene, int partition, int64_t end)
{
    struct log_reader *reader = NULL;
    struct log_batch batch;
    int64_t first, is = -1, position = 0;
    int count = 0;
    for (int i = 0; i < 200 && is < end; i++, usleep(i > 1 ? 50000 : 0))
        must(log_range(scene->log, scene->topic, partition, &first, &is, &why));
    cr_assert_eq(is, end, "partition %d ends at %" PRId64, partition, is);
    must(log_reader_open(scene->log, scene->topic, &partition, 1, &reader, &why));
    must(log_seek(reader, partition, 0, &why));
    for (int i = 0; i < 200 && position < end; i++) {
        must(log_read(reader, LOG_BATCH_MAX, 100, &batch, &why));
        count += batch.count;
        if (batch.partition == partition)
            position = batch.next;
    }
    cr_expect_eq(position, end, "the reader stands at %" PRId64, position);
    log_reader_close(reader);
    return count;
}

static int64_t committed(const struct scene *scene, int partition)
{
    int64_t position = -2;
    must(kafka_committed(scene->log, scene->id, scene->topic, partition, &position, &why));
    return position;
}

Test(kafka_txn, records_and_positions_appear_together)
{
    struct scene scene = scene_make("together");
    cr_expect_eq(committed(&scene, 0), -1, "a group that never was");
    struct kafka_txn *txn = open_txn(&scene);
    must(append(txn, scene.topic, &why));
    must(
        kafka_txn_offsets(txn, scene.id, scene.topic, (int[]){0, 1}, (int64_t[]){41, 17}, 2, &why));
    cr_expect_eq(visible(&scene, 0, 0), 0, "what is not committed is behind the end");
    must(kafka_txn_commit(txn, &why));
    cr_expect_eq(committed(&scene, 0), 41);
    cr_expect_eq(committed(&scene, 1), 17);
    cr_expect_eq(visible(&scene, 0, 3), 2);
    cr_expect_eq(visible(&scene, 1, 2), 1);
    kafka_txn_close(txn);
    log_close(scene.log);
}

Test(kafka_txn, an_aborted_transaction_is_invisible_and_leaves_a_gap)
{
    struct scene scene = scene_make("aborted");
    struct kafka_txn *txn = open_txn(&scene);
    must(append(txn, scene.topic, &why));
    must(kafka_txn_offsets(txn, scene.id, scene.topic, (int[]){0}, (int64_t[]){5}, 1, &why));
    must(kafka_txn_abort(txn, &why));
    cr_expect_eq(visible(&scene, 0, 3), 0, "two aborted records and a marker");
    struct log_record after = {.value = {"after", 5}};
    must(log_append(scene.log, scene.topic, 0, &after, 1, &why));
    cr_expect_eq(visible(&scene, 0, 4), 1);
    cr_expect_eq(visible(&scene, 1, 2), 0, "an aborted record and a marker");
    cr_expect_eq(committed(&scene, 0), -1);
    must(kafka_txn_begin(txn, &why));
    must(append(txn, scene.topic, &why));
    must(kafka_txn_commit(txn, &why));
    cr_expect_eq(visible(&scene, 0, 7), 3, "a handle goes on behind an abort");
    kafka_txn_close(txn);
    log_close(scene.log);
}

static void expect_lost(int rc, const struct err *err)
{
    cr_expect_eq(rc, ERR_LOST, "%d: %s", rc, err->text);
    cr_expect_not_null(strstr(err->text, "taken over the transactional id"), "%s", err->text);
}

Test(kafka_txn, a_zombie_with_records_in_flight_is_fenced)
{
    struct scene scene = scene_make("zombie");
    struct err err = {0};
    struct kafka_txn *zombie = open_txn(&scene);
    must(append(zombie, scene.topic, &why));
    must(kafka_txn_offsets(zombie, scene.id, scene.topic, (int[]){0}, (int64_t[]){5}, 1, &why));
    struct kafka_txn *heir = open_txn(&scene);
    expect_lost(kafka_txn_commit(zombie, &err), &err);
    must(append(heir, scene.topic, &why));
    must(kafka_txn_commit(heir, &why));
    cr_expect_eq(visible(&scene, 0, 6), 2, "the heir's records alone");
    cr_expect_eq(committed(&scene, 0), -1, "the zombie's position is not there");
    err_clear(&err);
    expect_lost(kafka_txn_begin(zombie, &err), &err);
    kafka_txn_close(zombie);
    kafka_txn_close(heir);
    log_close(scene.log);
}

Test(kafka_txn, a_zombie_that_was_idle_is_fenced_when_it_commits)
{
    struct scene scene = scene_make("idle");
    struct err err = {0};
    struct kafka_txn *zombie = open_txn(&scene), *heir = open_txn(&scene);
    int rc = append(zombie, scene.topic, &err);
    expect_lost(rc < 0 ? rc : kafka_txn_commit(zombie, &err), &err);
    cr_expect_eq(visible(&scene, 0, 0), 0);
    kafka_txn_close(zombie);
    kafka_txn_close(heir);
    log_close(scene.log);
}

Test(kafka_txn, closing_aborts_and_an_empty_one_commits)
{
    struct scene scene = scene_make("closed");
    struct kafka_txn *txn = open_txn(&scene);
    must(kafka_txn_commit(txn, &why));
    must(kafka_txn_begin(txn, &why));
    must(append(txn, scene.topic, &why));
    must(kafka_txn_offsets(txn, scene.id, scene.topic, (int[]){0}, (int64_t[]){5}, 1, &why));
    kafka_txn_close(txn);
    struct log_record after = {.value = {"after", 5}};
    must(log_append(scene.log, scene.topic, 0, &after, 1, &why));
    cr_expect_eq(visible(&scene, 0, 4), 1);
    log_close(scene.log);
}

Test(kafka_txn, needs_kafka)
{
    struct err err = {0};
    char uri[] = "embedded:/tmp/lk-test-txn-XXXXXX";
    cr_assert_not_null(mkdtemp(uri + 9));
    struct log *log = NULL;
    struct kafka_txn *txn = NULL;
    must(log_open(uri, true, &log, &why));
    cr_expect_eq(kafka_txn_open(log, "id", &txn, &err), ERR_USAGE);
    cr_expect_not_null(strstr(err.text, "--log kafka:"), "%s", err.text);
    log_close(log);
}
