/* tests/workloads/test_audit.c - stage 0 passes the whole stream and catches every planted
 * difference. */
#include "scratch.h"
#include "workloads/audit.h"
#include "workloads/publish.h"

enum { PARTITIONS = 3, EVENTS = 9000, AT = 2345 };
static const struct workload_options OPTIONS = {.events = EVENTS};
static const struct disorder_options NONE;

enum plant {
    PLANT_NOTHING,
    PLANT_DROP,
    PLANT_DOUBLE,
    PLANT_SWAP,
    PLANT_BYTE,
    PLANT_KEY,
    PLANT_DROP_LAST,
    PLANT_DOUBLE_LAST,
    PLANT_PARTITION,
    PLANT_FOREIGN
};

static void append(struct log *log, int partition, struct bytes key, struct bytes value)
{
    struct log_record record = {.key = key, .value = value};
    struct err err = {0};
    cr_assert_geq(log_append(log, "t", partition, &record, 1, &err), 0, "%s", err.text);
}

/* Append event number n of the flights as the plant has it. */
static void append_event(struct log *log, const struct workload_event *event, enum plant plant)
{
    static char held_key[8],
        held_value[256]; /* PLANT_SWAP: the event that waits for its successor */
    static size_t held_value_len;
    int p = publish_partition(event, PARTITIONS);
    bool here = event->number == AT, last = event->number == EVENTS - 1;
    struct bytes key = event->key, value = event->value;
    char changed[256];
    memcpy(changed, value.ptr, value.len);
    if ((plant == PLANT_DROP && here) || (plant == PLANT_DROP_LAST && last))
        return;
    if (plant == PLANT_SWAP && here) {
        memcpy(held_key, key.ptr, key.len);
        memcpy(held_value, value.ptr, value.len);
        held_value_len = value.len;
        return;
    }
    if (plant == PLANT_BYTE && here) {
        changed[20] ^= 1;
        value.ptr = changed;
    }
    if (plant == PLANT_KEY && here)
        key = (struct bytes){NULL, 0};
    if (plant == PLANT_PARTITION && here)
        p = (p + 1) % PARTITIONS;
    append(log, p, key, value);
    if ((plant == PLANT_DOUBLE && here) || (plant == PLANT_DOUBLE_LAST && last))
        append(log, p, key, value);
    if (plant == PLANT_FOREIGN && last)
        append(log, p, key, bytes_of("{}"));
    struct bytes held = {held_key, 3};
    if (plant == PLANT_SWAP && held_value_len > 0 && log_partition_of(held, PARTITIONS) == p) {
        append(log, p, held, (struct bytes){held_value, held_value_len});
        held_value_len = 0;
    }
}

static void fill(struct log *log, enum plant plant)
{
    struct stream *stream = scratch_stream(&workload_flights, OPTIONS, NONE);
    struct workload_event event;
    struct err err = {0};
    cr_assert_eq(log_create_topic(log, "t", (struct log_shape){.partitions = PARTITIONS}, &err), 0,
                 "%s", err.text);
    while (stream_next(stream, &event, NULL) == 1)
        append_event(log, &event, plant);
    stream_close(stream);
}

static const struct {
    enum plant plant;
    int all, prefix; /* what audit_log and audit_prefix return */
    const char *says;
} ROWS[] = {
    {PLANT_NOTHING, 0, 0, ""},
    {PLANT_DROP, ERR_DATA, ERR_DATA, "expected event 2345: that event is missing"},
    {PLANT_DOUBLE, ERR_DATA, ERR_DATA, "the event before it stands there twice"},
    {PLANT_SWAP, ERR_DATA, ERR_DATA, "expected event 2345: that event is missing, or comes after"},
    {PLANT_BYTE, ERR_DATA, ERR_DATA, "expected event 2345: another record stands there"},
    {PLANT_KEY, ERR_DATA, ERR_DATA, "expected event 2345: another record stands there"},
    {PLANT_DROP_LAST, ERR_DATA, 0, "event 8999 is missing"},
    {PLANT_DOUBLE_LAST, ERR_DATA, ERR_DATA, "one too many: the last event stands there twice"},
    {PLANT_PARTITION, ERR_DATA, ERR_DATA, "expected event"},
    {PLANT_FOREIGN, ERR_DATA, ERR_DATA, "one too many: the stream has ended before it"},
};

Test(audit, passes_the_stream_and_names_each_planted_difference)
{
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct scratch scratch = scratch_make();
        struct log *log = scratch_log(&scratch);
        fill(log, ROWS[i].plant);
        for (int prefix = 0; prefix < 2; prefix++) {
            struct stream *stream = scratch_stream(&workload_flights, OPTIONS, NONE);
            struct err err = {0};
            int rc =
                prefix ? audit_prefix(stream, log, "t", &err) : audit_log(stream, log, "t", &err);
            cr_expect_eq(rc, prefix ? ROWS[i].prefix : ROWS[i].all, "row %zu: %s", i, err.text);
            if (rc < 0)
                cr_expect_not_null(strstr(err.text, ROWS[i].says), "row %zu: %s", i, err.text);
            stream_close(stream);
        }
        log_close(log);
        scratch_remove(&scratch);
    }
}

Test(audit, a_prefix_passes_as_one_and_not_as_the_whole)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch);
    struct workload_options fewer = {.events = 100};
    struct publish_options publish = {.shape.partitions = PARTITIONS, .speed = PUBLISH_MAX};
    struct publish_result result;
    struct err err = {0};
    cr_assert_eq(
        publish_stream(&workload_flights, &fewer, &NONE, log, "t", &publish, &result, &err), 0);
    struct stream *stream = scratch_stream(&workload_flights, OPTIONS, NONE);
    cr_expect_eq(audit_prefix(stream, log, "t", &err), 0, "%s", err.text);
    stream_close(stream);
    stream = scratch_stream(&workload_flights, OPTIONS, NONE);
    cr_expect_eq(audit_log(stream, log, "t", &err), ERR_DATA);
    stream_close(stream);
    log_close(log);
    scratch_remove(&scratch);
}

Test(audit, a_topic_that_is_not_there_is_said)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch);
    struct stream *stream = scratch_stream(&workload_flights, OPTIONS, NONE);
    struct err err = {0};
    cr_expect_eq(audit_log(stream, log, "t", &err), ERR_ENV, "%s", err.text);
    stream_close(stream);
    log_close(log);
    scratch_remove(&scratch);
}
