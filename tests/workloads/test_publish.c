/* tests/workloads/test_publish.c - the schedule is kept, under a clock that the test moves. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/stop.h"
#include "scratch.h"
#include "workloads/audit.h"
#include "workloads/publish.h"

#define START_MS INT64_C(1800000000000)
#define START_NS (START_MS * 1000000)

static struct publisher *open_publisher(struct stream *stream, struct log *log,
                                        struct publish_options options)
{
    struct publisher *publisher = NULL;
    struct err err = {0};
    cr_assert_eq(publisher_open(stream, log, "t", &options, &publisher, &err), 0, "%s", err.text);
    return publisher;
}

static int64_t held(struct log *log, int partitions)
{
    int64_t total = 0;
    for (int p = 0; p < partitions; p++) {
        int64_t first, end;
        cr_assert_eq(log_range(log, "t", p, &first, &end, NULL), 0);
        total += end;
    }
    return total;
}

static int step(struct publisher *publisher)
{
    struct err err = {0};
    int rc = publisher_step(publisher, &err);
    cr_assert_geq(rc, 0, "%s", err.text);
    return rc;
}

Test(publish, appends_what_is_due_and_nothing_more)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch);
    clock_freeze(5000000000, START_MS);
    struct stream *stream =
        scratch_stream(&workload_ads, (struct workload_options){.seed = 1, .events = 1000},
                       (struct disorder_options){0});
    /* 10,000 a second of stream time at half speed: one each 200 us. */
    struct publisher *publisher =
        open_publisher(stream, log, (struct publish_options){.shape.partitions = 3, .speed = 0.5});
    static const struct {
        int64_t advance_ms, events;
    } rows[] = {{0, 1}, {0, 1}, {1, 6}, {1, 11}, {10, 61}, {100, 561}, {87, 996}, {1, 1000}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        clock_advance_ms(rows[i].advance_ms);
        int rc = step(publisher);
        cr_expect_eq(held(log, 3), rows[i].events, "row %zu: %lld", i, (long long)held(log, 3));
        cr_expect_eq(rc, rows[i].events < 1000, "row %zu", i);
    }
    cr_expect_eq(publisher_result(publisher)->events, 1000);
    publisher_close(publisher);
    stream_close(stream);
    log_close(log);
    scratch_remove(&scratch);
}

/* Read partition 0 of topic t and hold the due time of its i-th record against first + i * step. */
static void expect_due(struct log *log, int64_t first_ns, int64_t step_ns, int64_t count)
{
    struct log_reader *reader;
    struct log_batch batch;
    int partition = 0;
    int64_t i = 0;
    cr_assert_eq(log_reader_open(log, "t", &partition, 1, &reader, NULL), 0);
    while (log_read(reader, LOG_BATCH_MAX, 0, &batch, NULL) > 0)
        for (int k = 0; k < batch.count; k++, i++)
            cr_assert_eq(batch.due_ns[k], first_ns + i * step_ns, "%lld", (long long)i);
    cr_expect_eq(i, count);
    log_reader_close(reader);
}

Test(publish, missed_slots_are_sent_late_and_keep_their_due_time)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch);
    clock_freeze(0, START_MS);
    struct stream *stream =
        scratch_stream(&workload_ads, (struct workload_options){.seed = 1, .events = 1000},
                       (struct disorder_options){0});
    struct publisher *publisher =
        open_publisher(stream, log, (struct publish_options){.shape.partitions = 1, .speed = 2});
    step(publisher);
    clock_advance_ms(10000); /* the log was away: all 50 ms of the schedule have passed */
    cr_expect_eq(step(publisher), 0);
    expect_due(log, START_NS, 50000, 1000);
    const struct publish_result *result = publisher_result(publisher);
    cr_expect_eq(result->late_us.total, 1000);
    cr_expect_eq(result->late_us.max, 10000000 - 50);
    cr_expect_eq(result->late_us.min, 0);
    publisher_close(publisher);
    stream_close(stream);
    log_close(log);
    scratch_remove(&scratch);
}

Test(publish, a_schedule_may_start_at_an_instant_to_come)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch);
    clock_freeze(7, START_MS);
    struct stream *stream =
        scratch_stream(&workload_ads, (struct workload_options){.seed = 1, .events = 100},
                       (struct disorder_options){0});
    struct publisher *publisher =
        open_publisher(stream, log,
                       (struct publish_options){
                           .shape.partitions = 1, .speed = 1, .start_ns = START_NS + 50000000});
    cr_expect_eq(step(publisher), 1);
    cr_expect_eq(held(log, 1), 0);
    cr_expect_eq(publisher_due_ns(publisher), 7 + 50000000);
    clock_advance_ms(50);
    step(publisher);
    cr_expect_eq(held(log, 1), 1);
    clock_advance_ms(1000);
    cr_expect_eq(step(publisher), 0);
    expect_due(log, START_NS + 50000000, 100000, 100);
    publisher_close(publisher);
    stream_close(stream);
    log_close(log);
    scratch_remove(&scratch);
}

Test(publish, at_max_the_due_time_is_the_publish_instant)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch);
    clock_freeze(0, START_MS);
    struct stream *stream =
        scratch_stream(&workload_ads, (struct workload_options){.seed = 1, .events = 5000},
                       (struct disorder_options){0});
    struct publisher *publisher = open_publisher(
        stream, log, (struct publish_options){.shape.partitions = 1, .speed = PUBLISH_MAX});
    while (step(publisher))
        ;
    expect_due(log, START_NS, 0, 5000);
    cr_expect_eq(publisher_result(publisher)->late_us.total, 0);
    publisher_close(publisher);
    stream_close(stream);
    log_close(log);
    scratch_remove(&scratch);
}

static const struct disorder_options DISORDER = {.seed = 9,
                                                 .late_share = 0.1,
                                                 .late_max_ms = 500,
                                                 .duplicate_share = 0.1,
                                                 .duplicate_max_ms = 300,
                                                 .malformed_share = 0.05};
static const struct workload_options ADS = {.seed = 9, .events = 200000};

/* In a log opened anew, as another process would: a claim stands until the log is closed. */
static int publish_and_audit(const struct scratch *scratch, int partitions, bool resume,
                             struct publish_result *result, struct err *err)
{
    struct log *log = scratch_log(scratch);
    struct publish_options options = {
        .shape.partitions = partitions, .speed = PUBLISH_MAX, .resume = resume};
    int rc = publish_stream(&workload_ads, &ADS, &DISORDER, log, "t", &options, result, err);
    hist_release(&result->late_us);
    struct stream *stream = scratch_stream(&workload_ads, ADS, DISORDER);
    if (rc == 0)
        rc = audit_log(stream, log, "t", err);
    stream_close(stream);
    log_close(log);
    return rc;
}

Test(publish, a_topic_that_holds_events_is_refused_unless_resuming)
{
    struct scratch scratch = scratch_make();
    struct publish_result result;
    struct err err = {0};
    cr_assert_eq(publish_and_audit(&scratch, 4, false, &result, &err), 0, "%s", err.text);
    int64_t all = result.events;
    cr_expect_eq(publish_and_audit(&scratch, 4, false, &result, &err), ERR_USAGE);
    cr_expect_not_null(strstr(err.text, "--resume"), "%s", err.text);
    err_clear(&err);
    cr_expect_eq(publish_and_audit(&scratch, 4, true, &result, &err), 0, "%s", err.text);
    cr_expect(result.events == 0 && result.resumed == all);
    scratch_remove(&scratch);
}

Test(publish, another_stream_is_not_resumed_behind)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch);
    struct workload_options other = ADS;
    struct publish_options options = {.shape.partitions = 4, .speed = PUBLISH_MAX};
    struct publish_result result;
    struct err err = {0};
    other.seed = 10;
    other.events = 10;
    cr_assert_eq(
        publish_stream(&workload_ads, &other, &DISORDER, log, "t", &options, &result, &err), 0);
    int64_t before = held(log, 4);
    log_close(log);
    cr_expect_eq(publish_and_audit(&scratch, 4, true, &result, &err), ERR_DATA);
    log = scratch_log(&scratch);
    cr_expect_eq(held(log, 4), before, "nothing was appended");
    log_close(log);
    scratch_remove(&scratch);
}

/* Publish and be killed once the topic holds some events. */
static void publish_in_child(const struct scratch *scratch, int64_t until)
{
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        struct log *log = scratch_log(scratch);
        struct stream *stream = scratch_stream(&workload_ads, ADS, DISORDER);
        struct publisher *publisher = open_publisher(
            stream, log,
            (struct publish_options){.shape.partitions = 4, .speed = PUBLISH_MAX, .resume = true});
        while (publisher_result(publisher)->resumed + publisher_result(publisher)->events < until)
            publisher_step(publisher, NULL);
        kill(getpid(), SIGKILL);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %x", (unsigned)status);
}

Test(publish, goes_on_behind_a_kill_with_no_event_lost_or_doubled)
{
    struct scratch scratch = scratch_make();
    publish_in_child(&scratch, 60000);
    publish_in_child(&scratch, 150000);
    struct log *log = scratch_log(&scratch);
    int64_t before = held(log, 4);
    log_close(log);
    struct publish_result result;
    struct err err = {0};
    cr_assert_eq(publish_and_audit(&scratch, 4, true, &result, &err), 0, "%s", err.text);
    cr_expect_eq(result.resumed, before);
    cr_expect_gt(before, 60000);
    cr_expect_gt(result.events, 0);
    scratch_remove(&scratch);
}

/* Partitions of very different progress: 3 has all of its events, the others few or none. */
Test(publish, resumes_where_partitions_have_come_to_different_places)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch);
    struct stream *stream = scratch_stream(&workload_ads, ADS, DISORDER);
    struct workload_event event;
    struct err err = {0};
    int64_t placed[4] = {0}, limit[4] = {0, 1, 1000, INT64_MAX};
    cr_assert_eq(log_create_topic(log, "t", (struct log_shape){.partitions = 4}, &err), 0);
    while (stream_next(stream, &event, NULL) == 1) {
        int p = publish_partition(&event, 4);
        struct log_record record = {.key = event.key, .value = event.value};
        if (placed[p] < limit[p] && ++placed[p])
            cr_assert_geq(log_append(log, "t", p, &record, 1, &err), 0);
    }
    stream_close(stream);
    log_close(log);
    struct publish_result result;
    cr_assert_eq(publish_and_audit(&scratch, 4, true, &result, &err), 0, "%s", err.text);
    cr_expect_eq(result.resumed, placed[1] + placed[2] + placed[3]);
    scratch_remove(&scratch);
}

Test(publish, resumed_on_schedule_the_first_missing_event_is_due_now)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch);
    struct workload_options options = {.seed = 1, .events = 1000};
    struct disorder_options none = {0};
    struct publish_options publish = {.shape.partitions = 1, .speed = 1};
    clock_freeze(0, START_MS);
    struct stream *stream = scratch_stream(&workload_ads, options, none);
    struct publisher *publisher = open_publisher(stream, log, publish);
    step(publisher);
    clock_advance_ms(20);
    step(publisher);
    publisher_close(publisher);
    stream_close(stream);
    cr_assert_eq(held(log, 1), 201);

    log_close(log);
    log = scratch_log(&scratch);
    clock_advance_ms(60000);
    publish.resume = true;
    stream = scratch_stream(&workload_ads, options, none);
    publisher = open_publisher(stream, log, publish);
    step(publisher);
    cr_expect_eq(held(log, 1), 202);
    clock_advance_ms(1);
    step(publisher);
    cr_expect_eq(held(log, 1), 212);
    publisher_close(publisher);
    stream_close(stream);
    log_close(log);
    scratch_remove(&scratch);
}

Test(publish, keys_choose_the_partition_and_others_go_by_number)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch);
    struct workload_options options = {.events = 3000};
    struct publish_options publish = {.shape.partitions = 5, .speed = PUBLISH_MAX};
    struct publish_result result;
    struct disorder_options none = {0};
    struct err err = {0};
    cr_assert_eq(
        publish_stream(&workload_flights, &options, &none, log, "t", &publish, &result, &err), 0,
        "%s", err.text);
    for (int p = 0; p < 5; p++) {
        struct log_reader *reader;
        struct log_batch batch;
        cr_assert_eq(log_reader_open(log, "t", &p, 1, &reader, NULL), 0);
        while (log_read(reader, LOG_BATCH_MAX, 0, &batch, NULL) > 0)
            for (int k = 0; k < batch.count; k++)
                cr_assert_eq(log_partition_of(batch.key[k], 5), p);
        log_reader_close(reader);
    }
    struct workload_event plain = {.number = 13};
    cr_expect_eq(publish_partition(&plain, 5), 3);
    log_close(log);
    scratch_remove(&scratch);
}

Test(publish, events_larger_than_a_batchs_memory_are_appended_whole)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch);
    struct buf text = {0};
    for (int i = 0; i < 1500; i++)
        buf_printf(&text, "{\"t\":%d,\"filler\":\"%0*d\"}\n", i, i == 700 ? 700000 : 1000, i);
    struct workload_options options = {.file = scratch_file(&scratch, "a", buf_bytes(&text)),
                                       .time_field = "t",
                                       .time_format = "ms"};
    struct publish_options publish = {.shape.partitions = 1, .speed = PUBLISH_MAX};
    struct publish_result result;
    struct disorder_options none = {0};
    struct err err = {0};
    int rc = publish_stream(&workload_replay, &options, &none, log, "t", &publish, &result, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    struct stream *stream = scratch_stream(&workload_replay, options, none);
    cr_expect_eq(audit_log(stream, log, "t", &err), 0, "%s", err.text);
    cr_expect_eq(result.events, 1500);
    stream_close(stream);
    buf_release(&text);
    log_close(log);
    scratch_remove(&scratch);
}

Test(publish, a_signal_leaves_whole_batches_and_says_how_to_go_on)
{
    struct scratch scratch = scratch_make();
    struct publish_result result;
    struct err err = {0};
    stop_ask(true);
    cr_expect_eq(publish_and_audit(&scratch, 4, false, &result, &err), ERR_INTERRUPTED);
    cr_expect_not_null(strstr(err.text, "--resume"), "%s", err.text);
    struct log *log = scratch_log(&scratch);
    cr_expect_eq(held(log, 4), result.events);
    log_close(log);
    stop_ask(false);
    err_clear(&err);
    cr_expect_eq(publish_and_audit(&scratch, 4, true, &result, &err), 0, "%s", err.text);
    scratch_remove(&scratch);
}
