/* tests/common/event/test_convert_time.c - times in every format; a day that does not exist is
 * none. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/rng.h"
#include "common/event/convert.h"
#include "common/event/scan.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BAD INT64_MIN
static const char MINUTES[] = "%Y-%m-%dT%H:%MZ";

static const struct {
    enum time_format format;
    const char *pattern, *value;
    int64_t ms;
} ROWS[] = {
    {TIME_MS, NULL, "1431100800000", 1431100800000},
    {TIME_MS, NULL, "\"1431100800000\"", 1431100800000},
    {TIME_MS, NULL, "-1", -1},
    {TIME_MS, NULL, "1.5", BAD},
    {TIME_MS, NULL, "1e3", BAD},
    {TIME_MS, NULL, "\"x\"", BAD},
    {TIME_MS, NULL, "true", BAD},
    {TIME_MS, NULL, "{}", BAD},
    {TIME_MS, NULL, "99999999999999999999", BAD},
    {TIME_S, NULL, "1431100800", 1431100800000},
    {TIME_S, NULL, "9223372036854775807", BAD},
    {TIME_US, NULL, "\"1431100800000999\"", 1431100800000},
    {TIME_US, NULL, "-1", -1},
    {TIME_US, NULL, "-1000", -1},
    {TIME_US, NULL, "-1001", -2},
    {TIME_RFC3339, NULL, "\"2001-01-01T00:01:02.345Z\"", 978307262345},
    {TIME_RFC3339, NULL, "\"2001-01-01t00:01:02z\"", 978307262000},
    {TIME_RFC3339, NULL, "\"2001-01-01 00:01:02.3Z\"", 978307262300},
    {TIME_RFC3339, NULL, "\"2001-01-01T00:01:02.3456789Z\"", 978307262345},
    {TIME_RFC3339, NULL, "\"2001-01-01T02:01:02+02:00\"", 978307262000},
    {TIME_RFC3339, NULL, "\"2000-12-31T18:31:02-05:30\"", 978307262000},
    {TIME_RFC3339, NULL, "\"1969-12-31T23:59:59.999Z\"", -1},
    {TIME_RFC3339, NULL, "\"0000-01-01T00:00:00Z\"", -62167219200000},
    {TIME_RFC3339, NULL, "\"2001-01-01T00:01:02\"", BAD},
    {TIME_RFC3339, NULL, "\"2001-01-01T00:01:02.Z\"", BAD},
    {TIME_RFC3339, NULL, "\"2001-01-01T00:01:02.345\"", BAD},
    {TIME_RFC3339, NULL, "\"2001-01-01T00:01Z\"", BAD},
    {TIME_RFC3339, NULL, "\"2001-01-01X00:01:02Z\"", BAD},
    {TIME_RFC3339, NULL, "\"2001-01-01\\u000000:01:02Z\"", BAD},
    {TIME_RFC3339, NULL, "\"2001-13-01T00:01:02Z\"", BAD},
    {TIME_RFC3339, NULL, "\"2001-00-01T00:01:02Z\"", BAD},
    {TIME_RFC3339, NULL, "\"2001-02-29T00:01:02Z\"", BAD},
    {TIME_RFC3339, NULL, "\"2001-01-01T24:00:00Z\"", BAD},
    {TIME_RFC3339, NULL, "\"2001-01-01T00:60:00Z\"", BAD},
    {TIME_RFC3339, NULL, "\"2001-01-01T00:00:60Z\"", BAD},
    {TIME_RFC3339, NULL, "\"2001-01-01T00:01:02+24:00\"", BAD},
    {TIME_RFC3339, NULL, "\"2001-01-01T00:01:02+0200\"", BAD},
    {TIME_RFC3339, NULL, "978307262345", BAD},
    {TIME_STRPTIME, MINUTES, "\"2001-01-01T00:01Z\"", 978307260000},
    {TIME_STRPTIME, MINUTES, "\"2001-01-01T00:01\\u005a\"", 978307260000},
    {TIME_STRPTIME, MINUTES, "\"2000-02-29T23:59Z\"", 951868740000},
    {TIME_STRPTIME, MINUTES, "\"1900-02-29T23:59Z\"", BAD},
    {TIME_STRPTIME, MINUTES, "\"2001-04-31T00:01Z\"", BAD},
    {TIME_STRPTIME, MINUTES, "\"2001-01-32T00:01Z\"", BAD},
    {TIME_STRPTIME, MINUTES, "\"2001-01-01T00:01\"", BAD},
    {TIME_STRPTIME, MINUTES, "\"2001-01-01T00:01Zulu\"", BAD},
    {TIME_STRPTIME, MINUTES, "\"2001-1-1T0:1Z\"", 978307260000},
    {TIME_STRPTIME, MINUTES, "\"2001-2-29T0:1Z\"", BAD},
    {TIME_STRPTIME, MINUTES, "\"2001-01-01T00:01Z\\u0000\"", BAD},
    {TIME_STRPTIME, MINUTES, "978307260000", BAD},
    {TIME_STRPTIME, "%F %T", "\"2001-01-01 00:01:02\"", 978307262000},
    {TIME_STRPTIME, "%F %T", "\"2001-01-01 00:01:60\"", BAD},
    {TIME_STRPTIME, "%d/%m/%Y", "\"01/02/2001\"", 980985600000},
    {TIME_STRPTIME, "%d %b %Y %I:%M %p", "\"3 Feb 2001 4:05 PM\"", 981216300000},
    {TIME_STRPTIME, "%d %b %Y %I:%M %p", "\"30 Feb 2001 4:05 PM\"", BAD},
    {TIME_STRPTIME, "%Y-%m-%d %H:%M %z", "\"2001-01-01 02:01 +0200\"", 978307260000},
    {TIME_STRPTIME, "%s", "\"978307260\"", 978307260000},
    {TIME_STRPTIME, "%s", "\"67768036191676799\"", BAD},
    {TIME_STRPTIME, "%Y %Y", "\"1999 2001\"", 978307200000},
};

Test(convert_time, rows_of_every_format)
{
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct field field = {.name = "t",
                              .type = FIELD_TIME,
                              .paths = 1,
                              .time_format = ROWS[i].format,
                              .time_pattern = ROWS[i].pattern};
        struct schema schema = {&field, 1, 1};
        struct buf text = {0};
        field_path_parse("t", &field.path[0]);
        struct scanner *scanner = scanner_new(&schema, SCAN_BEST);
        struct columns *columns = columns_new(&schema);
        buf_printf(&text, "{\"t\":%s}", ROWS[i].value);
        struct bytes event = buf_bytes(&text);
        scanner_batch(scanner, &event, 1, columns);
        cr_assert_eq(columns->bad[0], ROWS[i].ms == BAD ? BAD_TIME : BAD_NOT, "row %zu: %s", i,
                     text.ptr);
        if (ROWS[i].ms != BAD)
            cr_assert_eq(columns->column[0].i64[0], ROWS[i].ms, "row %zu: %s gave %lld", i,
                         text.ptr, (long long)columns->column[0].i64[0]);
        columns_free(columns);
        scanner_free(scanner);
        buf_release(&text);
    }
}

/* The quick reading of fixed widths against strptime and timegm, on right and on wrong dates. */
Test(convert_time, fixed_widths_give_what_strptime_gives)
{
    enum { DATES = 200000, SEED = 5 };
    static const struct time_shape NONE = {.len = 0};
    const char *pattern = "%Y-%m-%d %H:%M:%S";
    struct time_shape shape;
    struct rng rng;
    rng_init(&rng, SEED);
    time_shape_init(&shape, pattern);
    cr_assert_eq(shape.len, 19);
    for (int n = 0; n < DATES; n++) {
        char text[64];
        snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02d", (int)rng_below(&rng, 3000),
                 (int)rng_below(&rng, 14), (int)rng_below(&rng, 33), (int)rng_below(&rng, 26),
                 (int)rng_below(&rng, 62), (int)rng_below(&rng, 62));
        int64_t quick = 0, slow = 0;
        bool quick_is = time_strptime(bytes_of(text), pattern, &shape, &quick);
        bool slow_is = time_strptime(bytes_of(text), pattern, &NONE, &slow);
        cr_assert_eq(quick_is, slow_is, "%s, seed %d", text, SEED);
        if (quick_is)
            cr_assert_eq(quick, slow, "%s, seed %d", text, SEED);
    }
}

Test(convert_time, patterns_of_other_kinds_have_no_fixed_width)
{
    static const char *const PATTERNS[] = {"%b %d %Y", "%Y %Y", "%s", "%", "%y-%m", "%j"};
    for (size_t i = 0; i < COUNT(PATTERNS); i++) {
        struct time_shape shape;
        time_shape_init(&shape, PATTERNS[i]);
        cr_assert_eq(shape.len, 0, "%s", PATTERNS[i]);
    }
}
