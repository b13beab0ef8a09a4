/* tests/common/event/test_scan.c - what is JSON and what is not, and what is found in it, by each
 * path. */
#include "tests/common/event/scanning.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
/* A text that may hold zero bytes. */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

static const struct {
    struct bytes text;
    const char *values; /* of a, b, a.b */
} VALID[] = {
    {TEXT("{}"), "[-,-,-]"},
    {TEXT(" \t\r\n{ \t\r\n} \t\r\n"), "[-,-,-]"},
    {TEXT("{\"a\":1}"), "[1,-,-]"},
    {TEXT(" { \"a\" : 1 , \"b\" : \"x\" } \n"), "[1,\"x\",-]"},
    {TEXT("{\"b\":null,\"a\":true}"), "[true,null,-]"},
    {TEXT("{\"a\":false,\"b\":-0.5e+10}"), "[false,-0.5e+10,-]"},
    {TEXT("{\"a\":0,\"b\":-0}"), "[0,-0,-]"},
    {TEXT("{\"a\":1E5,\"b\":1e-5}"), "[1E5,1e-5,-]"},
    {TEXT("{\"a\":0.0,\"b\":1e999}"), "[0.0,1e999,-]"},
    {TEXT("{\"a\":123456789012345678901234567890}"), "[123456789012345678901234567890,-,-]"},
    {TEXT("{\"a\":\"\",\"b\":\" \"}"), "[\"\",\" \",-]"},
    {TEXT("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}"),
     "[\"\\\"\\\\/\\u0008\\u000c\\u000a\\u000d\\u0009\",-,-]"},
    {TEXT("{\"a\":\"\\u0000\\u001F\\u00e9\\uFFFF\"}"),
     "[\"\\u0000\\u001f\xc3\xa9\xef\xbf\xbf\",-,-]"},
    {TEXT("{\"a\":\"\\ud83d\\ude00\\uDBFF\\uDFFF\"}"),
     "[\"\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\",-,-]"},
    {TEXT("{\"a\":\"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\"}"),
     "[\"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\",-,-]"},
    {TEXT("{\"a\":{\"b\":7}}"), "[{\"b\":7},-,7]"},
    {TEXT("{\"a\": { } ,\"b\":[ ]}"), "[{ },[ ],-]"},
    {TEXT("{\"a\":[1,{\"b\":2},[[]]],\"b\":3}"), "[[1,{\"b\":2},[[]]],3,-]"},
    {TEXT("{\"c\":{\"a\":1,\"b\":2},\"d\":[{\"a\":5}]}"), "[-,-,-]"},
    {TEXT("{\"a\":1,\"a\":2}"), "[2,-,-]"},
    {TEXT("{\"a\":{\"b\":1},\"a\":{\"c\":2}}"), "[{\"c\":2},-,-]"},
    {TEXT("{\"a\":{\"b\":1},\"a\":3}"), "[3,-,-]"},
    {TEXT("{\"a\":{\"b\":1},\"a\":null}"), "[null,-,-]"},
    {TEXT("{\"a\":{\"b\":1},\"a\":[]}"), "[[],-,-]"},
    {TEXT("{\"a\":3,\"a\":{\"b\":1,\"b\":{\"b\":2}}}"), "[{\"b\":1,\"b\":{\"b\":2}},-,{\"b\":2}]"},
    {TEXT("{\"\\u0061\":{\"\\u0062\":1}}"), "[{\"\\u0062\":1},-,1]"},
    {TEXT("{\"a\":1,\"\\u0061\":2}"), "[2,-,-]"},
    {TEXT("{\"a\\u0000\":1,\"\\u0000a\":2,\"a.b\":3,\"\":4,\"aa\":5,\"A\":6}"), "[-,-,-]"},
    {TEXT("{\"k\":\"\\\"a\\\":9\",\"a\":1}"), "[1,-,-]"},
    {TEXT("{\"k\":\"},{\",\"a\":\"]\"}"), "[\"]\",-,-]"},
};

static const struct {
    struct bytes text;
    size_t at; /* of the first wrong byte */
} INVALID[] = {
    {TEXT(""), 0},
    {TEXT(" "), 1},
    {TEXT("{"), 1},
    {TEXT("}"), 0},
    {TEXT("{\"a\""), 4},
    {TEXT("{\"a\":"), 5},
    {TEXT("{\"a\":1"), 6},
    {TEXT("{\"a\":1,"), 7},
    {TEXT("{\"a\":1,}"), 7},
    {TEXT("{,}"), 1},
    {TEXT("{\"a\" 1}"), 5},
    {TEXT("{\"a\":1 \"b\":2}"), 7},
    {TEXT("{\"a\":1]"), 6},
    {TEXT("{\"a\":[1}"), 7},
    {TEXT("{\"a\":[1,]}"), 8},
    {TEXT("{\"a\":[,1]}"), 6},
    {TEXT("{a:1}"), 1},
    {TEXT("{'a':1}"), 1},
    {TEXT("{1:1}"), 1},
    {TEXT("{\"a\":1}x"), 7},
    {TEXT("{\"a\":1}{}"), 7},
    {TEXT("{\"a\":1},"), 7},
    {TEXT("{\"a\":1}\0"), 7},
    {TEXT("\xef\xbb\xbf{}"), 0},
    {TEXT("{\"a\":01}"), 6},
    {TEXT("{\"a\":-}"), 6},
    {TEXT("{\"a\":+1}"), 5},
    {TEXT("{\"a\":.5}"), 5},
    {TEXT("{\"a\":1.}"), 7},
    {TEXT("{\"a\":1.e5}"), 7},
    {TEXT("{\"a\":1e}"), 7},
    {TEXT("{\"a\":1e+}"), 8},
    {TEXT("{\"a\":0x1}"), 6},
    {TEXT("{\"a\":1\0}"), 6},
    {TEXT("{\"a\":NaN}"), 5},
    {TEXT("{\"a\":Infinity}"), 5},
    {TEXT("{\"a\":tru}"), 8},
    {TEXT("{\"a\":True}"), 5},
    {TEXT("{\"a\":nulll}"), 9},
    {TEXT("{\"a\":\"x}"), 8},
    {TEXT("{\"a\":\"\n\"}"), 6},
    {TEXT("{\"a\":\"\t\"}"), 6},
    {TEXT("{\"a\":\"\0\"}"), 6},
    {TEXT("{\"a\":\"\x1f\"}"), 6},
    {TEXT("{\"k\n\":1}"), 3},
    {TEXT("{\"a\":\"\\x\"}"), 7},
    {TEXT("{\"a\":\"\\'\"}"), 7},
    {TEXT("{\"a\":\"\\\0\"}"), 7},
    {TEXT("{\"a\":\"\\u12\"}"), 10},
    {TEXT("{\"a\":\"\\u12g4\"}"), 10},
    {TEXT("{\"a\":\"\\ud800\"}"), 6},
    {TEXT("{\"a\":\"\\udc00\"}"), 6},
    {TEXT("{\"a\":\"\\ud800\\ud800\"}"), 6},
    {TEXT("{\"a\":\"\\ud800\\n\"}"), 6},
    {TEXT("{\"a\":\"\\udc00\\ud800\"}"), 6},
    {TEXT("{\"a\":\"\\udc00\\udc00\"}"), 6},
    {TEXT("{\"a\":\"\\ud83d\\u"), 14},
    {TEXT("{\"a\":\"\x80\"}"), 6},
    {TEXT("{\"a\":\"\xc0\x80\"}"), 6},
    {TEXT("{\"a\":\"\xc1\xbf\"}"), 6},
    {TEXT("{\"a\":\"\xc3\"}"), 6},
    {TEXT("{\"a\":\"\xe0\x9f\xbf\"}"), 6},
    {TEXT("{\"a\":\"\xed\xa0\x80\"}"), 6},
    {TEXT("{\"a\":\"\xf0\x8f\xbf\xbf\"}"), 6},
    {TEXT("{\"a\":\"\xf4\x90\x80\x80\"}"), 6},
    {TEXT("{\"a\":\"\xf5\x80\x80\x80\"}"), 6},
    {TEXT("{\"a\":\"\xe2\x82"), 6},
    {TEXT("{\"unwanted\":{\"x\":[1,\"\xff\"]}}"), 21},
    {TEXT("{\"unwanted\":01}"), 13},
    {TEXT("{\"unwanted\":\"\\q\"}"), 14},
    {TEXT("{\"a\":1/**/}"), 6},
    {TEXT("{\"a\":1\f}"), 6},
    {TEXT("{\"a\":1\xc2\xa0}"), 6},
};

/* Valid JSON whose top is no object; the last of them only just. */
static const char *const OTHERS[] = {"[]",   "[{\"a\":1}]", "17",   "-0.5e1",       "\"x\"",
                                     "true", "false",       "null", " \"\\u00e9\" "};

Test(scan, takes_what_is_valid_and_finds_the_fields_by_every_path)
{
    struct scanning s;
    struct buf out = {0};
    scanning_start(&s, "a b a.b");
    for (size_t i = 0; i < COUNT(VALID); i++)
        for (int path = 0; path < SCANNING_PATHS; path++)
            for (int again = 0; again < 3; again++) { /* guessed from the second on */
                enum bad_reason reason = scanning_scan(&s, path, VALID[i].text);
                cr_assert_eq(reason, BAD_NOT, "%s by %s", VALID[i].text.ptr, SCANNING[path].name);
                cr_assert_str_eq(scanning_values(&s, &out), VALID[i].values, "%s by %s",
                                 VALID[i].text.ptr, SCANNING[path].name);
            }
    buf_release(&out);
    scanning_stop(&s);
}

Test(scan, refuses_what_is_invalid_at_its_first_wrong_byte_by_every_path)
{
    struct scanning s;
    scanning_start(&s, "a b a.b");
    for (size_t i = 0; i < COUNT(INVALID); i++)
        for (int path = 0; path < SCANNING_PATHS; path++) {
            scanning_scan(&s, path, bytes_of("{\"a\":\"x\"}")); /* a shape to be guessed */
            enum bad_reason reason = scanning_scan(&s, path, INVALID[i].text);
            cr_assert_eq(reason, BAD_JSON, "%s by %s", INVALID[i].text.ptr, SCANNING[path].name);
            cr_assert_eq(s.at, INVALID[i].at, "%s by %s: byte %zu", INVALID[i].text.ptr,
                         SCANNING[path].name, s.at);
        }
    scanning_stop(&s);
}

Test(scan, no_prefix_of_a_valid_text_is_valid)
{
    struct bytes text =
        bytes_of("{\"a\": {\"b\":[1.5e3,true,null,\"\\ud83d\\ude00\xe2\x82\xac\"]}, "
                 "\"b\":\"a string that is longer than one block of 64 masks is\"}");
    struct scanning s;
    scanning_start(&s, "a b a.b");
    for (int path = 0; path < SCANNING_PATHS; path++) {
        cr_assert_eq(scanning_scan(&s, path, text), BAD_NOT);
        for (size_t len = 0; len < text.len; len++) {
            enum bad_reason reason = scanning_scan(&s, path, (struct bytes){text.ptr, len});
            cr_assert_eq(reason, BAD_JSON, "%zu bytes by %s", len, SCANNING[path].name);
        }
    }
    scanning_stop(&s);
}

Test(scan, tells_json_that_is_no_object_from_what_is_no_json)
{
    struct scanning s;
    scanning_start(&s, "a");
    for (size_t i = 0; i < COUNT(OTHERS); i++)
        for (int path = 0; path < SCANNING_PATHS; path++)
            cr_assert_eq(scanning_scan(&s, path, bytes_of(OTHERS[i])), BAD_NOT_OBJECT, "%s by %s",
                         OTHERS[i], SCANNING[path].name);
    scanning_stop(&s);
}

/* depth containers, the outermost an object, the innermost holding inner. */
static void add_nested(struct buf *out, int depth, const char *inner)
{
    buf_clear(out);
    buf_add_text(out, "{\"a\":");
    for (int i = 1; i < depth; i++)
        buf_add_char(out, '[');
    buf_add_text(out, inner);
    for (int i = 1; i < depth; i++)
        buf_add_char(out, ']');
    buf_add_char(out, '}');
}

Test(scan, nests_as_deep_as_jansson_and_no_deeper)
{
    static const struct {
        int depth;
        const char *inner;
        enum bad_reason reason;
    } ROWS[] = {
        {SCAN_DEPTH_MAX - 1, "1", BAD_NOT},  {SCAN_DEPTH_MAX, "", BAD_NOT},
        {SCAN_DEPTH_MAX, "1", BAD_JSON},     {SCAN_DEPTH_MAX, "[]", BAD_JSON},
        {SCAN_DEPTH_MAX * 10, "", BAD_JSON},
    };
    struct scanning s;
    struct buf text = {0};
    scanning_start(&s, "a");
    for (size_t i = 0; i < COUNT(ROWS); i++)
        for (int path = 0; path < SCANNING_PATHS; path++) {
            add_nested(&text, ROWS[i].depth, ROWS[i].inner);
            cr_assert_eq(scanning_scan(&s, path, buf_bytes(&text)), ROWS[i].reason, "row %zu by %s",
                         i, SCANNING[path].name);
        }
    buf_release(&text);
    scanning_stop(&s);
}

/* Every place that a quote, an escape or a wrong byte can have in the blocks and windows of masks.
 */
Test(scan, strings_of_any_length_end_where_they_end)
{
    enum { LENGTHS = 9000 };
    struct scanning s;
    struct buf text = {0};
    scanning_start(&s, "a b");
    for (size_t len = 0; len < LENGTHS; len += len < 200 || len > 4000 ? 1 : 61) {
        buf_clear(&text);
        buf_add_text(&text, "{\"b\":\"");
        for (size_t i = 0; i < len; i++)
            buf_add_char(&text, (char)('a' + i % 26));
        buf_add_text(&text, "\",\"a\":\"\\u00e9\"}");
        for (int path = 0; path < SCANNING_PATHS; path++) {
            cr_assert_eq(scanning_scan(&s, path, buf_bytes(&text)), BAD_NOT);
            cr_assert_eq(s.value[1].text.len, len, "by %s", SCANNING[path].name);
            cr_assert(s.value[0].escaped && s.value[0].text.len == 6);
        }
        text.ptr[6 + len / 2] = 0x1f; /* the closing quote, where len is 0 */
        for (int path = 0; path < SCANNING_PATHS; path++)
            cr_assert_eq(scanning_scan(&s, path, buf_bytes(&text)), BAD_JSON);
        cr_assert_eq(s.at, 6 + len / 2);
    }
    buf_release(&text);
    scanning_stop(&s);
}

Test(scan, an_empty_value_may_have_no_address)
{
    struct scanning s;
    scanning_start(&s, "a");
    size_t at = 5;
    for (int path = 0; path < SCANNING_PATHS; path++) {
        struct bytes nothing = {NULL, 0};
        cr_assert_eq(scanner_raw(s.scanner[path], nothing, s.value, &at), BAD_JSON);
        cr_assert_eq(at, 0);
    }
    scanning_stop(&s);
}

Test(scan, an_escaped_key_is_the_name_that_it_means_and_no_other)
{
    static const struct {
        const char *key;
        bool is;
    } ROWS[] = {
        {"ad_id", true},           {"\\u0061d_id", true},
        {"ad_i\\u0064", true},     {"a\\u0064\\u005fid", true},
        {"ad_i", false},           {"\\u0061d_i", false},
        {"\\u0061", false},        {"ad_id\\u0000", false},
        {"\\u0061d_idd", false},   {"\\u0041d_id", false},
        {"\\ud83d\\ude00", false},
    };
    struct scanning s;
    struct buf text = {0};
    scanning_start(&s, "ad_id");
    for (size_t i = 0; i < COUNT(ROWS); i++)
        for (int path = 0; path < SCANNING_PATHS; path++) {
            buf_clear(&text);
            buf_printf(&text, "{\"%s\":1}", ROWS[i].key);
            cr_assert_eq(scanning_scan(&s, path, buf_bytes(&text)), BAD_NOT);
            cr_assert_eq(s.value[0].kind == RAW_NUMBER, ROWS[i].is, "%s", ROWS[i].key);
        }
    buf_release(&text);
    scanning_stop(&s);
}

Test(scan, the_first_alias_that_stands_in_the_event_counts)
{
    static const struct {
        const char *text, *values;
    } ROWS[] = {
        {"{\"new\":1,\"old\":2}", "[1]"},
        {"{\"old\":2,\"new\":1}", "[1]"},
        {"{\"old\":2}", "[2]"},
        {"{\"older\":{\"x\":3}}", "[3]"},
        {"{\"new\":null,\"old\":2}", "[2]"},
        {"{\"new\":null}", "[null]"},
        {"{\"older\":3}", "[-]"},
    };
    struct scanning s;
    struct buf out = {0};
    scanning_start(&s, "new");
    struct field *field = &s.fields[0];
    field->paths = 3;
    cr_assert(field_path_parse("old", &field->path[1]));
    cr_assert(field_path_parse("older.x", &field->path[2]));
    for (int path = 0; path < SCANNING_PATHS; path++) {
        scanner_free(s.scanner[path]);
        s.scanner[path] = scanner_new(&s.schema, SCANNING[path].path);
        for (size_t i = 0; i < COUNT(ROWS); i++) {
            cr_assert_eq(scanning_scan(&s, path, bytes_of(ROWS[i].text)), BAD_NOT);
            cr_assert_str_eq(scanning_values(&s, &out), ROWS[i].values, "%s", ROWS[i].text);
        }
    }
    buf_release(&out);
    scanning_stop(&s);
}
