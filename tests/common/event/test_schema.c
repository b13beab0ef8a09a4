/* tests/common/event/test_schema.c - dotted paths, finding fields, and bad rows in words. */
#include <criterion/criterion.h>

#include "common/event/columns.h"

Test(schema, a_dotted_path_is_split_into_its_parts)
{
    static const struct {
        const char *text;
        int depth; /* 0: refused */
    } ROWS[] = {
        {"a", 1},
        {"a.b", 2},
        {"a.b.c.d.e.f.g.h", 8},
        {"a.b.c.d.e.f.g.h.i", 0},
        {"", 0},
        {".", 0},
        {".a", 0},
        {"a.", 0},
        {"a..b", 0},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct field_path path;
        bool good = field_path_parse(ROWS[i].text, &path);
        cr_assert_eq(good, ROWS[i].depth > 0, "%s", ROWS[i].text);
        if (good)
            cr_assert_eq(path.depth, ROWS[i].depth, "%s", ROWS[i].text);
    }
    struct field_path path;
    field_path_parse("bid.at", &path);
    cr_assert(bytes_equal(path.part[0], bytes_of("bid")));
    cr_assert(bytes_equal(path.part[1], bytes_of("at")));
}

Test(schema, fields_are_found_by_name_and_bad_rows_name_them)
{
    struct field fields[] = {{.name = "at", .type = FIELD_TIME}, {.name = "x", .type = FIELD_INT}};
    struct schema schema = {fields, 2, 2};
    static const struct {
        enum bad_reason reason;
        bool with_schema;
        const char *text;
    } ROWS[] = {
        {BAD_MISSING, true, "missing field \"x\""},
        {BAD_TYPE, true, "wrong type or range in field \"x\""},
        {BAD_TIME, true, "cannot read the event time in field \"x\""},
        {BAD_JSON, true, "not valid JSON"},
        {BAD_NOT_OBJECT, false, "JSON, but not an object"},
        {BAD_AHEAD, true, "event time too far ahead of log time"},
        {BAD_MISSING, false, "missing field"},
    };
    cr_assert_eq(schema_find(&schema, "x"), 1);
    cr_assert_eq(schema_find(&schema, "y"), -1);
    cr_assert_str_eq(field_type_name(FIELD_DECIMAL), "decimal");
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct buf out = {0};
        bad_describe(ROWS[i].reason, ROWS[i].with_schema ? &schema : NULL, 1, &out);
        cr_assert_str_eq(out.ptr, ROWS[i].text);
        buf_release(&out);
    }
}
