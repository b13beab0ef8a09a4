/* tests/workloads/test_replay.c - recorded files come back as events, or say where they are wrong.
 */
#include <zstd.h>

#include "scratch.h"

/* Every event as "event_ms publish_ms key value;", then the error if there was one. */
static void replay_all(struct workload_options options, struct buf *out)
{
    struct stream *stream = NULL;
    struct disorder_options none = {0};
    struct workload_event event;
    struct err err = {0};
    int rc = stream_open(&workload_replay, &options, &none, &stream, &err);
    while (rc >= 0 && (rc = stream_next(stream, &event, &err)) == 1)
        buf_printf(out, "%lld %lld %.*s %.*s;", (long long)event.event_ms,
                   (long long)event.publish_us / 1000, event.key.ptr ? (int)event.key.len : 1,
                   event.key.ptr ? event.key.ptr : "-", (int)event.value.len, event.value.ptr);
    if (rc < 0)
        buf_printf(out, "error %d %s", rc, err.text);
    buf_add_text(out, "");
    stream_close(stream);
}

static const struct {
    const char *name, *text, *field, *format, *key;
    const char *wanted; /* all that comes out; or, where it begins with ~, a part of it */
} ROWS[] = {
    {"a.jsonl", "{\"t\":1000000000000,\"k\":\"x\"}\n{\"t\":1000000000500,\"k\":\"y\"}\n", "t", "ms",
     "k",
     "1000000000000 0 x {\"t\":1000000000000,\"k\":\"x\"};1000000000500 500 y "
     "{\"t\":1000000000500,\"k\":\"y\"};"},
    /* Never falling, and event time as it is. */
    {"a.jsonl", "{\"t\":2000}\n{\"t\":5000}\n{\"t\":1000}\n{\"t\":6000}", "t", "ms", NULL,
     "2000 0 - {\"t\":2000};5000 3000 - {\"t\":5000};1000 3000 - {\"t\":1000};6000 4000 - "
     "{\"t\":6000};"},
    /* Keys of every kind. */
    {"a",
     "{\"t\":1,\"k\":7}\n{\"t\":1,\"k\":\"a\\u0041\"}\n\r\n{\"t\":1,\"k\":null}\r\n{\"t\":1}\n",
     "t", "s", "k",
     "1000 0 7 {\"t\":1,\"k\":7};1000 0 aA {\"t\":1,\"k\":\"a\\u0041\"};1000 0 - "
     "{\"t\":1,\"k\":null};1000 0 - {\"t\":1};"},
    {"a", "{\"bid\":{\"at\":\"5\"},\"t\":1}", "bid.at", "us", NULL,
     "0 0 - {\"bid\":{\"at\":\"5\"},\"t\":1};"},
    /* Guessing. */
    {"a", "{\"t\":1700000000}", "t", NULL, NULL, "1700000000000 0 - {\"t\":1700000000};"},
    {"a", "{\"t\":\"1700000000123\"}", "t", NULL, NULL,
     "1700000000123 0 - {\"t\":\"1700000000123\"};"},
    {"a", "{\"t\":1700000000123456}", "t", NULL, NULL,
     "1700000000123 0 - {\"t\":1700000000123456};"},
    {"a", "{\"t\":\"2001-01-01T00:00:01.5+01:00\"}", "t", NULL, NULL,
     "978303601500 0 - {\"t\":\"2001-01-01T00:00:01.5+01:00\"};"},
    {"a", "{\"t\":\"2001-01-01T00:01Z\"}", "t", NULL, NULL,
     "978307260000 0 - {\"t\":\"2001-01-01T00:01Z\"};"},
    {"a", "{\"t\":\"2001-01-01 00:01:02\"}", "t", NULL, NULL,
     "978307262000 0 - {\"t\":\"2001-01-01 00:01:02\"};"},
    {"a", "{\"t\":\"2001-01-01\"}", "t", NULL, NULL, "978307200000 0 - {\"t\":\"2001-01-01\"};"},
    {"a", "{\"t\":\"01.02.2001 10:00\"}", "t", "%d.%m.%Y %H:%M", NULL,
     "981021600000 0 - {\"t\":\"01.02.2001 10:00\"};"},
    /* CSV, by suffix and by content; a column's name may hold a dot. */
    {"a.csv", "t.at,k\n1,\"x,y\"\n2,\n", "t.at", "ms", "k",
     "1 0 x,y {\"t.at\":1,\"k\":\"x,y\"};2 1 - {\"t.at\":2};"},
    {"a", "\xef\xbb\xbft,k\r\n1,x\r\n", "t", "ms", "k", "1 0 x {\"t\":1,\"k\":\"x\"};"},
    {"a", "", "t", NULL, NULL, "~is empty"},
    {"a", "[{\"t\":1}]", "t", NULL, NULL, "~jq -c '.[]'"},
    {"a", "\x1f\x8b\x08", "t", NULL, NULL, "~gzip -dc"},
    {"a", "{\"t\":1}\n{\"t\":2\n", "t", "ms", NULL, "~/a:2: the row is not JSON"},
    {"a", "{\"t\":1}\n\n7\n", "t", "ms", NULL, "~/a:3: the row is not a JSON object"},
    {"a", "{\"t\":1}\n{\"u\":1}\n", "t", "ms", NULL, "~/a:2: the row has no time field"},
    {"a", "{\"t\":1}\n{\"t\":\"soon\"}\n", "t", "ms", NULL,
     "~/a:2: the row has a time that cannot be read"},
    {"a", "{\"t\":\"soon\"}\n", "t", NULL, NULL, "~/a:1: cannot guess"},
    {"a", "{\"u\":1}\n", "t", NULL, NULL, "~/a:1: the row has no time field"},
    {"a", "{\"t\":1}\n", "t", "msec", NULL, "~time format \"msec\""},
    {"a", "{\"t\":1}\n", "t..u", "ms", NULL, "~is no path"},
    {"a.csv", "t,k\n1,x\n2,y,z\n", "t", "ms", NULL, "~/a.csv:3: the row has 3 cells"},
    {"a.csv", "t,k\n1,\xe4\n", "t", "ms", NULL, "~/a.csv:2: the row is not UTF-8"},
    {"a.csv", "t,k\n,x\n", "t", "ms", NULL, "~/a.csv:2: the row has no time field"},
    {"a.csv", "t,k\n1,x\n", "t", "ms", "z", "~no column \"z\"; it has: t, k"},
};

Test(replay, files_become_events_or_say_where_they_are_wrong)
{
    struct scratch scratch = scratch_make();
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct buf out = {0};
        replay_all((struct workload_options){.file = scratch_file(&scratch, ROWS[i].name,
                                                                  bytes_of(ROWS[i].text)),
                                             .time_field = ROWS[i].field,
                                             .time_format = ROWS[i].format,
                                             .key_field = ROWS[i].key},
                   &out);
        if (ROWS[i].wanted[0] == '~') {
            cr_expect_not_null(strstr(out.ptr, ROWS[i].wanted + 1), "row %zu: %s", i, out.ptr);
            cr_expect_not_null(strstr(out.ptr, "error -2 "), "row %zu: %s", i, out.ptr);
        } else {
            cr_expect_str_eq(out.ptr, ROWS[i].wanted, "row %zu: %s", i, out.ptr);
        }
        buf_release(&out);
    }
    scratch_remove(&scratch);
}

/* Text of about 600 KB, so that windows and zstd blocks end within rows. */
static void add_rows(struct buf *text)
{
    for (int i = 0; i < 10000; i++)
        buf_printf(text, "{\"t\":%d,\"filler\":\"%0*d\"}\n", i * 3, 20 + i % 37, i);
}

Test(replay, zstd_is_read_as_the_plain_file_also_in_two_frames)
{
    struct scratch scratch = scratch_make();
    struct buf text = {0}, plain = {0}, packed = {0}, out = {0};
    add_rows(&text);
    struct workload_options options = {.time_field = "t", .time_format = "ms"};
    options.file = scratch_file(&scratch, "a.jsonl", buf_bytes(&text));
    replay_all(options, &plain);
    size_t half = text.len / 2, bound = ZSTD_compressBound(text.len);
    for (int i = 0; i < 2; i++) {
        buf_reserve(&packed, bound);
        size_t n = ZSTD_compress(packed.ptr + packed.len, bound, text.ptr + (i ? half : 0),
                                 i ? text.len - half : half, 3);
        cr_assert_not(ZSTD_isError(n));
        packed.len += n;
    }
    options.file = scratch_file(&scratch, "b", buf_bytes(&packed));
    replay_all(options, &out);
    cr_expect(bytes_equal(buf_bytes(&out), buf_bytes(&plain)));
    packed.len -= 10;
    buf_clear(&out);
    options.file = scratch_file(&scratch, "b", buf_bytes(&packed));
    replay_all(options, &out);
    cr_expect_not_null(strstr(out.ptr, "cut short"));
    packed.ptr[packed.len / 2] ^= 0x55;
    packed.ptr[packed.len / 2 + 1] ^= 0x55;
    buf_clear(&out);
    options.file = scratch_file(&scratch, "b", buf_bytes(&packed));
    replay_all(options, &out);
    cr_expect_not_null(strstr(out.ptr, "error -2 "));
    buf_release(&text);
    buf_release(&plain);
    buf_release(&packed);
    buf_release(&out);
    scratch_remove(&scratch);
}

Test(replay, the_number_of_events_can_be_limited)
{
    struct scratch scratch = scratch_make();
    struct buf out = {0};
    replay_all(
        (struct workload_options){
            .file = scratch_file(&scratch, "a", bytes_of("{\"t\":1}\n{\"t\":2}\n{\"t\":3}\n")),
            .time_field = "t",
            .time_format = "ms",
            .events = 2},
        &out);
    cr_expect_str_eq(out.ptr, "1 0 - {\"t\":1};2 1 - {\"t\":2};");
    buf_release(&out);
    scratch_remove(&scratch);
}

Test(replay, a_file_that_is_not_there_is_the_users_mistake)
{
    struct buf out = {0};
    replay_all((struct workload_options){.file = "/nowhere/x", .time_field = "t"}, &out);
    cr_expect_str_eq(out.ptr, "error -2 cannot open /nowhere/x: No such file or directory");
    buf_clear(&out);
    replay_all((struct workload_options){.file = "/nowhere/x"}, &out);
    cr_expect_not_null(strstr(out.ptr, "--time-field"));
    buf_release(&out);
}
