/* tests/workloads/test_flights.c - the flights are all there, and arrive as the notice says. */
#include "scratch.h"

static const struct disorder_options NONE;

/* The notice says 42 % for the full three months; these two weeks of winter have 46 %. The three
 * numbers were counted by a Python script over the file, apart from this code. */
Test(flights, are_all_there_in_publish_order_and_46_percent_out_of_event_order)
{
    struct stream *stream = scratch_stream(&workload_flights, (struct workload_options){0}, NONE);
    struct workload_event event;
    struct err err = {0};
    int64_t count = 0, publish_us = 0, newest_ms = 0, late = 0, latest_ms = 0;
    int rc;
    for (; (rc = stream_next(stream, &event, &err)) == 1; count++) {
        cr_assert_geq(event.publish_us, publish_us);
        cr_assert_eq(event.key.len, 3);
        publish_us = event.publish_us;
        int64_t behind_ms = newest_ms - event.event_ms;
        late += count > 0 && behind_ms > 0;
        latest_ms = behind_ms > latest_ms ? behind_ms : latest_ms;
        newest_ms = behind_ms < 0 ? event.event_ms : newest_ms;
    }
    cr_assert_eq(rc, 0, "%s", err.text);
    cr_expect_eq(count, 228738);
    cr_expect_eq(late, 105038, "%lld", (long long)late);
    cr_expect_eq(latest_ms, INT64_C(1574) * 60000, "%lld", (long long)latest_ms);
    stream_close(stream);
}

Test(flights, the_first_is_as_the_file_has_it)
{
    struct stream *stream =
        scratch_stream(&workload_flights, (struct workload_options){.events = 1}, NONE);
    struct workload_event event;
    cr_assert_eq(stream_next(stream, &event, NULL), 1);
    static const char value[] =
        "{\"departure\":\"2001-01-01T00:01Z\",\"delay\":-13,\"distance\":2345,"
        "\"origin\":\"ANC\",\"destination\":\"LAX\"}";
    cr_expect(bytes_equal(event.value, bytes_of(value)), "%.*s", (int)event.value.len,
              event.value.ptr);
    cr_expect(bytes_equal(event.key, bytes_of("ANC")));
    cr_expect_eq(event.event_ms, 978307260000);
    cr_expect_eq(event.publish_us, 0);
    cr_expect_eq(stream_next(stream, &event, NULL), 0);
    stream_close(stream);
}

Test(flights, are_published_when_their_delay_was_known_those_of_a_minute_in_the_files_order)
{
    static const char text[] = "departure,delay,distance,origin,destination\n"
                               "2001-01-01T00:00Z,20,1,AAA,ZZZ\n"
                               "2001-01-01T00:10Z,10,2,BBB,ZZZ\n"
                               "2001-01-01T00:12Z,-30,3,CCC,ZZZ\n";
    static const struct {
        const char *key;
        int64_t publish_min;
    } rows[] = {{"CCC", 0}, {"AAA", 8}, {"BBB", 8}};
    struct scratch scratch = scratch_make();
    const char *path = scratch_file(&scratch, "f.csv", bytes_of(text));
    struct stream *stream =
        scratch_stream(&workload_flights, (struct workload_options){.file = path}, NONE);
    struct workload_event event;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert_eq(stream_next(stream, &event, NULL), 1);
        cr_expect(bytes_equal(event.key, bytes_of(rows[i].key)), "%.3s", event.key.ptr);
        cr_expect_eq(event.publish_us, rows[i].publish_min * 60000000);
    }
    stream_close(stream);
    scratch_remove(&scratch);
}

Test(flights, bad_files_are_refused_with_their_place)
{
    static const struct {
        const char *text, *says;
        int code;
    } rows[] = {
        {"departure,delay\n2001-01-01T00:00Z,1\n", "no column \"origin\"", ERR_USAGE},
        {"departure,delay,origin\n2001-01-01T00:00Z,1,A\n2001-01-01T00:00Z,x,A\n",
         "f.csv:3: ", ERR_USAGE},
        {"departure,delay,origin\nyesterday,1,A\n", "f.csv:2: ", ERR_USAGE},
        {"", "empty", ERR_USAGE},
    };
    struct scratch scratch = scratch_make();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct workload_options options = {
            .file = scratch_file(&scratch, "f.csv", bytes_of(rows[i].text))};
        struct err err = {0};
        void *state;
        cr_expect_eq(workload_flights.open(&options, &state, &err), rows[i].code);
        cr_expect_not_null(strstr(err.text, rows[i].says), "%s", err.text);
    }
    scratch_remove(&scratch);
}
