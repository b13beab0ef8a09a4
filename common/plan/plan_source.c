/* common/plan/plan_source.c - reads "source" into the schema: the event time and the fields. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/plan/plan_check.h"

#define TYPE_WANTED                                                                                \
    "a type: int, decimal:S (S digits after the point, 0 to 18), double, string or bool"
#define PATH_WANTED "a field's name, or a path of at most 8 names such as bid.at"

static struct field *time_field(struct check *check)
{
    return &check->plan->schema.fields[0];
}

/* ---- the event time ---- */

static void read_time_name(struct check *check, const struct at *at, json_t *value)
{
    const char *name = check_text(check, at, value, PATH_WANTED);
    struct field *field = time_field(check);
    if (!name)
        return;
    if (!field_path_parse(name, &field->path[0]))
        check_mistake(check, at, value, PATH_WANTED);
    else
        field->name = name;
}

/* Does strptime read back from what strftime wrote the date that went in? */
static bool is_time_pattern(const char *pattern)
{
    struct tm in = {.tm_year = 101, .tm_mon = 1, .tm_mday = 3, .tm_hour = 16, .tm_min = 5};
    struct tm out = {0};
    char text[512];
    in.tm_wday = 6;
    in.tm_yday = 33;
    if (strlen(pattern) > 100 || strftime(text, sizeof text, pattern, &in) == 0)
        return false;
    const char *end = strptime(text, pattern, &out);
    return end && !*end && out.tm_year == in.tm_year && out.tm_mon == in.tm_mon &&
           out.tm_mday == in.tm_mday;
}

static void read_time_format(struct check *check, const struct at *at, json_t *value)
{
    static const char *const NAMES[] = {
        [TIME_MS] = "ms", [TIME_S] = "s", [TIME_US] = "us", [TIME_RFC3339] = "rfc3339"};
    const char *text = json_string_value(value);
    struct field *field = time_field(check);
    for (int i = 0; text && i < TIME_STRPTIME; i++) {
        if (strcmp(text, NAMES[i]) == 0) {
            field->time_format = (enum time_format)i;
            return;
        }
    }
    if (text && strchr(text, '%') && is_time_pattern(text)) {
        field->time_format = TIME_STRPTIME;
        field->time_pattern = arena_string(check->arena, text);
        return;
    }
    check_mistake(check, at, value,
                  "ms, s, us, rfc3339, or a strptime format with year, month and day such as "
                  "%%Y-%%m-%%dT%%H:%%M:%%SZ");
    if (text)
        check_hint(check, text, NAMES, TIME_STRPTIME);
}

static void read_time(struct check *check, const struct at *at, json_t *value)
{
    static const struct check_member MEMBERS[] = {
        {"field", read_time_name, "the name of the field that holds the event time"},
        {"format", read_time_format, "ms, s, us, rfc3339 or a strptime format"},
    };
    check_object(check, at, value,
                 "an object such as {\"field\": \"event_time\", \"format\": \"ms\"}", MEMBERS, 2);
}

/* ---- one field: {"type": ..., "default": ..., "optional": ..., "alias": [...]} ---- */

/* Readers of a field's members write to the field that stands last in the schema. */
static struct field *last_field(struct check *check)
{
    return &check->plan->schema.fields[check->plan->schema.scanned - 1];
}

static bool set_type(struct field *field, const char *text)
{
    static const struct {
        const char *name;
        enum field_type type;
    } TYPES[] = {{"int", FIELD_INT},
                 {"double", FIELD_DOUBLE},
                 {"string", FIELD_STRING},
                 {"bool", FIELD_BOOL}};
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        if (strcmp(text, TYPES[i].name) == 0) {
            field->type = TYPES[i].type;
            return true;
        }
    }
    int64_t scale;
    if (strncmp(text, "decimal:", 8) != 0 || strspn(text + 8, "0123456789") != strlen(text + 8) ||
        !bytes_to_int64(bytes_of(text + 8), &scale) || scale > DECIMAL_SCALE_MAX)
        return false;
    field->type = FIELD_DECIMAL;
    field->scale = (int)scale;
    return true;
}

static void read_type(struct check *check, const struct at *at, json_t *value)
{
    static const char *const NAMES[] = {"int", "double", "string", "bool", "decimal:2"};
    const char *text = json_string_value(value);
    if (text && set_type(last_field(check), text))
        return;
    check_mistake(check, at, value, TYPE_WANTED);
    if (text)
        check_hint(check, strcmp(text, "decimal") ? text : "decimal:", NAMES, 5);
    last_field(check)->scale = SCALE_UNKNOWN_TYPE;
}

static void read_default(struct check *check, const struct at *at, json_t *value)
{
    struct field *field = last_field(check);
    struct literal literal;
    if (!check_literal(check, at, value, field, &literal))
        return;
    field->has_default = true;
    field->default_int = literal.i64;
    field->default_double = literal.f64;
    field->default_string = literal.str;
}

static void read_optional(struct check *check, const struct at *at, json_t *value)
{
    if (!json_is_boolean(value))
        check_mistake(check, at, value, "true or false");
    struct field *field = last_field(check);
    field->optional = json_is_true(value);
    if (field->optional && field->has_default)
        check_mistake(check, at, value,
                      "either \"optional\" or \"default\": a field with a default is never absent");
}

static void read_alias(struct check *check, const struct at *at, json_t *value)
{
    struct field *field = last_field(check);
    size_t count = json_array_size(value);
    if (count == 0 || count > FIELD_ALIAS_MAX) {
        check_mistake(check, at, value, "an array of 1 to %d older names", FIELD_ALIAS_MAX);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct at here = {at, NULL, i};
        const char *name = check_text(check, &here, json_array_get(value, i), PATH_WANTED);
        if (!name)
            continue;
        if (strcmp(name, field->name) == 0)
            check_mistake(check, &here, json_array_get(value, i), "another name than the field's");
        else if (!field_path_parse(name, &field->path[field->paths]))
            check_mistake(check, &here, json_array_get(value, i), PATH_WANTED);
        else
            field->paths++;
    }
}

static void read_field(struct check *check, const struct at *at, json_t *value)
{
    static const struct check_member MEMBERS[] = {
        {"type", read_type, TYPE_WANTED},
        {"default", read_default, NULL},
        {"optional", read_optional, NULL},
        {"alias", read_alias, NULL},
    };
    if (json_is_string(value))
        read_type(check, at, value);
    else
        check_object(check, at, value, TYPE_WANTED ", or an object with \"type\"", MEMBERS, 4);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct field *)a)->name, ((const struct field *)b)->name);
}

static void read_fields(struct check *check, const struct at *at, json_t *value)
{
    struct schema *schema = &check->plan->schema;
    const char *name;
    json_t *type;
    if (!json_is_object(value)) {
        check_mistake(check, at, value, "an object such as {\"delay\": \"int\"}");
        return;
    }
    if (json_object_size(value) >= SCHEMA_FIELDS_MAX) {
        check_mistake(check, at, value, "at most %d fields", SCHEMA_FIELDS_MAX - 1);
        return;
    }
    json_object_foreach (value, name, type) {
        struct at here = {at, name, 0};
        if (strcmp(name, schema->fields[0].name) == 0) {
            check_note(check, &here, "the field of the event time again",
                       "each field once: this one has a type already");
            continue;
        }
        struct field *field = &schema->fields[schema->scanned];
        *field = (struct field){.name = arena_string(check->arena, name), .paths = 1};
        if (!field_path_parse(field->name, &field->path[0])) {
            check_note(check, &here, "no path", PATH_WANTED);
            continue;
        }
        schema->scanned = ++schema->count;
        read_field(check, &here, type);
    }
    /* Equal plans in another order of members must have equal columns: json and hash are sorted. */
    qsort(schema->fields + 1, (size_t)schema->scanned - 1, sizeof *schema->fields, by_name);
}

static void read_out_of_order(struct check *check, const struct at *at, json_t *value)
{
    check_duration(check, at, value, 0, false, &check->plan->out_of_order_ms);
}

static void read_max_ahead(struct check *check, const struct at *at, json_t *value)
{
    check_duration(check, at, value, 0, true, &check->plan->max_ahead_ms);
}

void plan_read_source(struct check *check, const struct at *at, json_t *value)
{
    static const struct check_member MEMBERS[] = {
        {"time", read_time, "an object such as {\"field\": \"event_time\", \"format\": \"ms\"}"},
        {"fields", read_fields, NULL},
        {"out_of_order", read_out_of_order, NULL},
        {"max_ahead", read_max_ahead, NULL},
    };
    check_object(check, at, value, "an object with \"time\" and \"fields\"", MEMBERS, 4);
}
