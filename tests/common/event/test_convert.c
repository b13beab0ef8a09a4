/* tests/common/event/test_convert.c - a value of JSON becomes a cell of its column, exactly or not
 * at all. */
#include <criterion/criterion.h>

#include "common/event/scan.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A schema of a time (always well) and one field under test, read by every path in one batch. */
struct bench {
    struct field fields[2];
    struct schema schema;
    struct scanner *scanner;
    struct columns *columns;
};

static void start(struct bench *b, struct field field)
{
    b->fields[0] = (struct field){.name = "t", .type = FIELD_TIME, .paths = 1};
    b->fields[1] = field;
    b->fields[1].name = "v";
    b->fields[1].paths = 1;
    field_path_parse("t", &b->fields[0].path[0]);
    field_path_parse("v", &b->fields[1].path[0]);
    b->schema = (struct schema){b->fields, 2, 2};
    b->scanner = scanner_new(&b->schema, SCAN_BEST);
    b->columns = columns_new(&b->schema);
}

static void stop(struct bench *b)
{
    scanner_free(b->scanner);
    columns_free(b->columns);
}

/* Scan {"t":1,"v":VALUE}, or {"t":1} for NULL; returns the bad reason. */
static enum bad_reason scan(struct bench *b, const char *value, struct buf *text)
{
    buf_clear(text);
    buf_add_text(text, "{\"t\":1");
    if (value)
        buf_printf(text, ",\"v\":%s", value);
    buf_add_char(text, '}');
    struct bytes event = buf_bytes(text);
    scanner_batch(b->scanner, &event, 1, b->columns);
    if (b->columns->bad[0] != BAD_NOT)
        cr_assert_eq(b->columns->bad_field[0], 1);
    return b->columns->bad[0];
}

static const struct {
    struct field field;
    const char *value;
    enum bad_reason reason;
    int64_t cell;
} NUMBERS[] = {
    {{.type = FIELD_INT}, "5", BAD_NOT, 5},
    {{.type = FIELD_INT}, "-0", BAD_NOT, 0},
    {{.type = FIELD_INT}, "\"-17\"", BAD_NOT, -17},
    {{.type = FIELD_INT}, "\"\\u0031\\u0032\"", BAD_NOT, 12},
    {{.type = FIELD_INT}, "123456789012345678", BAD_NOT, 123456789012345678},
    {{.type = FIELD_INT}, "9223372036854775807", BAD_NOT, INT64_MAX},
    {{.type = FIELD_INT}, "-9223372036854775808", BAD_NOT, INT64_MIN},
    {{.type = FIELD_INT}, "9223372036854775808", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "-9223372036854775809", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "18446744073709551617", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "100000000000000000000000000000000000000000000000", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "5.0", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "5e0", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "\"\"", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "\"-\"", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "\"+5\"", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "\"05\"", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "\"-05\"", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "\" 5\"", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "\"5 \"", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "\"five\"", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "\"12345678901x3\"", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "true", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "[5]", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "{\"v\":5}", BAD_TYPE, 0},
    {{.type = FIELD_INT}, "null", BAD_MISSING, 0},
    {{.type = FIELD_INT}, NULL, BAD_MISSING, 0},
    {{.type = FIELD_INT, .has_default = true, .default_int = 9}, NULL, BAD_NOT, 9},
    {{.type = FIELD_INT, .has_default = true, .default_int = 9}, "null", BAD_NOT, 9},
    {{.type = FIELD_INT, .has_default = true, .default_int = 9}, "\"x\"", BAD_TYPE, 0},
    {{.type = FIELD_INT, .optional = true}, "1.5", BAD_TYPE, 0},
    {{.type = FIELD_DECIMAL, .scale = 2}, "1.50", BAD_NOT, 150},
    {{.type = FIELD_DECIMAL, .scale = 2}, "1.5", BAD_NOT, 150},
    {{.type = FIELD_DECIMAL, .scale = 2}, "\"-1.05\"", BAD_NOT, -105},
    {{.type = FIELD_DECIMAL, .scale = 2}, "7", BAD_NOT, 700},
    {{.type = FIELD_DECIMAL, .scale = 2}, "-0.01", BAD_NOT, -1},
    {{.type = FIELD_DECIMAL, .scale = 2}, "1.500", BAD_TYPE, 0},
    {{.type = FIELD_DECIMAL, .scale = 2}, "1.501", BAD_TYPE, 0},
    {{.type = FIELD_DECIMAL, .scale = 2}, "15e-1", BAD_TYPE, 0},
    {{.type = FIELD_DECIMAL, .scale = 2}, "92233720368547758.07", BAD_NOT, INT64_MAX},
    {{.type = FIELD_DECIMAL, .scale = 2}, "-92233720368547758.08", BAD_NOT, INT64_MIN},
    {{.type = FIELD_DECIMAL, .scale = 2}, "92233720368547758.08", BAD_TYPE, 0},
    {{.type = FIELD_DECIMAL, .scale = 2}, "92233720368547759", BAD_TYPE, 0},
    {{.type = FIELD_DECIMAL, .scale = 2}, "9223372036854775807", BAD_TYPE, 0},
    {{.type = FIELD_DECIMAL, .scale = 18}, "9.223372036854775807", BAD_NOT, INT64_MAX},
    {{.type = FIELD_DECIMAL, .scale = 18}, "10", BAD_TYPE, 0},
    {{.type = FIELD_DECIMAL, .scale = 0}, "10", BAD_NOT, 10},
    {{.type = FIELD_DECIMAL, .scale = 0}, "10.0", BAD_TYPE, 0},
    {{.type = FIELD_BOOL}, "true", BAD_NOT, 1},
    {{.type = FIELD_BOOL}, "false", BAD_NOT, 0},
    {{.type = FIELD_BOOL}, "1", BAD_TYPE, 0},
    {{.type = FIELD_BOOL}, "\"true\"", BAD_TYPE, 0},
};

Test(convert, ints_decimals_and_bools_are_exact_or_refused)
{
    struct buf text = {0};
    for (size_t i = 0; i < COUNT(NUMBERS); i++) {
        struct bench b;
        start(&b, NUMBERS[i].field);
        enum bad_reason reason = scan(&b, NUMBERS[i].value, &text);
        cr_assert_eq(reason, NUMBERS[i].reason, "%s: reason %d", text.ptr, reason);
        if (reason == BAD_NOT) {
            cr_assert(b.columns->column[1].present[0]);
            cr_assert_eq(b.columns->column[1].i64[0], NUMBERS[i].cell, "%s", text.ptr);
        }
        stop(&b);
    }
    buf_release(&text);
}

Test(convert, doubles_are_the_nearest_and_finite)
{
    static const struct {
        const char *value;
        enum bad_reason reason;
        double cell;
    } ROWS[] = {
        {"0.1", BAD_NOT, 0.1},
        {"\"2.5e3\"", BAD_NOT, 2500},
        {"-1", BAD_NOT, -1},
        {"123456789012345678901234567890", BAD_NOT, 123456789012345678901234567890.0},
        {"0.1000000000000000055511151231257827021181583404541015625000000000000000001", BAD_NOT,
         0.1},
        {"1.7976931348623157e308", BAD_NOT, 1.7976931348623157e308},
        {"1e-400", BAD_NOT, 0},
        {"1e309", BAD_TYPE, 0},
        {"-1e309", BAD_TYPE, 0},
        {"\"nan\"", BAD_TYPE, 0},
        {"\"0x10\"", BAD_TYPE, 0},
        {"\"1.\"", BAD_TYPE, 0},
        {"false", BAD_TYPE, 0},
    };
    struct buf text = {0};
    struct bench b;
    start(&b, (struct field){.type = FIELD_DOUBLE});
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        cr_assert_eq(scan(&b, ROWS[i].value, &text), ROWS[i].reason, "%s", text.ptr);
        if (ROWS[i].reason == BAD_NOT)
            cr_assert(b.columns->column[1].f64[0] == ROWS[i].cell, "%s", text.ptr);
    }
    stop(&b);
    buf_release(&text);
}

Test(convert, strings_are_unescaped_and_nothing_else_is_a_string)
{
    static const struct {
        const char *value;
        enum bad_reason reason;
        struct bytes cell;
    } ROWS[] = {
        {"\"\"", BAD_NOT, {"", 0}},
        {"\"plain\"", BAD_NOT, {"plain", 5}},
        {"\"a\\n\\u0000\\ud83d\\ude00\"", BAD_NOT, {"a\n\0\xf0\x9f\x98\x80", 7}},
        {"5", BAD_TYPE, {0}},
        {"true", BAD_TYPE, {0}},
        {"[\"x\"]", BAD_TYPE, {0}},
    };
    struct buf text = {0};
    struct bench b;
    start(&b, (struct field){.type = FIELD_STRING});
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        cr_assert_eq(scan(&b, ROWS[i].value, &text), ROWS[i].reason, "%s", text.ptr);
        if (ROWS[i].reason == BAD_NOT)
            cr_assert(bytes_equal(b.columns->column[1].str[0], ROWS[i].cell), "%s", text.ptr);
    }
    stop(&b);
    buf_release(&text);
}

Test(convert, an_optional_field_stays_absent_and_a_default_stands_in)
{
    struct buf text = {0};
    struct bench b;
    start(&b, (struct field){.type = FIELD_STRING, .optional = true});
    cr_assert_eq(scan(&b, "\"x\"", &text), BAD_NOT);
    cr_assert_eq(b.columns->column[1].present[0], 1);
    cr_assert_eq(scan(&b, "null", &text), BAD_NOT);
    cr_assert_eq(b.columns->column[1].present[0], 0);
    stop(&b);
    start(&b,
          (struct field){.type = FIELD_STRING, .has_default = true, .default_string = {"none", 4}});
    cr_assert_eq(scan(&b, NULL, &text), BAD_NOT);
    cr_assert(bytes_equal(b.columns->column[1].str[0], bytes_of("none")));
    stop(&b);
    start(&b, (struct field){.type = FIELD_DOUBLE, .has_default = true, .default_double = 1.5});
    cr_assert_eq(scan(&b, NULL, &text), BAD_NOT);
    cr_assert(b.columns->column[1].f64[0] == 1.5);
    stop(&b);
    buf_release(&text);
}

Test(convert, a_batch_keeps_good_rows_beside_bad_ones)
{
    static const char *const EVENTS[] = {
        "{\"t\":1,\"v\":\"a\"}",        "{\"t\":2,\"v\":",      "[]", "{\"t\":3}", "{\"v\":\"x\"}",
        "{\"t\":\"soon\",\"v\":\"x\"}", "{\"t\":4,\"v\":\"b\"}"};
    static const enum bad_reason REASONS[] = {BAD_NOT,     BAD_JSON, BAD_NOT_OBJECT, BAD_MISSING,
                                              BAD_MISSING, BAD_TIME, BAD_NOT};
    static const uint8_t FIELDS[] = {0, 0, 0, 1, 0, 0, 0};
    struct bytes values[COUNT(EVENTS)];
    struct bench b;
    start(&b, (struct field){.type = FIELD_STRING});
    for (size_t i = 0; i < COUNT(EVENTS); i++)
        values[i] = bytes_of(EVENTS[i]);
    scanner_batch(b.scanner, values, COUNT(EVENTS), b.columns);
    cr_assert_eq(b.columns->rows, COUNT(EVENTS));
    for (size_t i = 0; i < COUNT(EVENTS); i++) {
        cr_assert_eq(b.columns->bad[i], REASONS[i], "row %zu", i);
        cr_assert_eq(b.columns->bad_field[i], FIELDS[i], "row %zu", i);
    }
    cr_assert_eq(b.columns->column[0].i64[6], 4);
    cr_assert(bytes_equal(b.columns->column[1].str[6], bytes_of("b")));
    stop(&b);
}
