/* common/plan/plan_lookup.c - reads "lookup" (the table and what is taken from it) and "dedupe". */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/plan/plan_check.h"

static const char *table_path(struct check *check, const char *table)
{
    struct buf path = {0};
    if (table[0] != '/')
        buf_printf(&path, "%s/", check->plan->directory);
    buf_add_text(&path, table);
    const char *kept = arena_string(check->arena, path.ptr);
    buf_release(&path);
    return kept;
}

/* Can path be read, and is it a file? NULL, or why not. */
static const char *why_unreadable(const char *path)
{
    struct stat status;
    FILE *file = fopen(path, "rb");
    if (!file)
        return strerror(errno);
    const char *why = NULL;
    if (fstat(fileno(file), &status) != 0)
        why = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        why = "not a file";
    (void)fclose(file);
    return why;
}

static void read_table(struct check *check, const struct at *at, json_t *value)
{
    const char *table = check_text(check, at, value, "a file beside the plan, JSON lines or CSV");
    if (!table)
        return;
    check->plan->table = table_path(check, table);
    const char *why = check->check_table ? why_unreadable(check->plan->table) : NULL;
    if (why)
        check_mistake(check, at, value, "a file that can be read, but %s: %s", check->plan->table,
                      why);
}

static void read_on(struct check *check, const struct at *at, json_t *value)
{
    struct plan *plan = check->plan;
    const char *wanted = "a declared field of type string or int";
    int column = check_field(check, at, value, plan->schema.scanned, wanted);
    if (column < 0)
        return;
    enum field_type type = plan->schema.fields[column].type;
    if (type != FIELD_STRING && type != FIELD_INT)
        check_wrong_type(check, at, column, wanted);
    plan->lookup_on = column;
}

static void take_field(struct check *check, const struct at *at, const json_t *value)
{
    struct plan *plan = check->plan;
    const char *name = check_text(check, at, value, "the name of a column of the table");
    if (!name)
        return;
    if (schema_find(&plan->schema, name) >= 0) {
        check_mistake(check, at, value,
                      "a new name: a field of the event, or one taken already, "
                      "has this one");
        return;
    }
    struct field *field = &plan->schema.fields[plan->schema.count++];
    *field = (struct field){.name = name, .type = FIELD_STRING, .optional = true, .paths = 1};
    field->path[0] = (struct field_path){.part = {bytes_of(name)}, .depth = 1};
    plan->take[plan->takes++] = name;
}

static void read_take(struct check *check, const struct at *at, json_t *value)
{
    size_t count = json_array_size(value);
    if (count == 0 || count > PLAN_TAKE_MAX) {
        check_mistake(check, at, value, "an array of 1 to %d columns of the table", PLAN_TAKE_MAX);
        return;
    }
    if ((size_t)check->plan->schema.count + count > SCHEMA_FIELDS_MAX) {
        check_mistake(check, at, value, "at most %d fields, those of the look-up included",
                      SCHEMA_FIELDS_MAX);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct at here = {at, NULL, i};
        take_field(check, &here, json_array_get(value, i));
    }
}

/* value is words[0] or words[1]: which, or -1 with a mistake noted. */
static int read_choice(struct check *check, const struct at *at, json_t *value,
                       const char *const words[2])
{
    const char *text = json_string_value(value);
    for (int i = 0; text && i < 2; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    check_mistake(check, at, value, "\"%s\" or \"%s\"", words[0], words[1]);
    if (text)
        check_hint(check, text, words, 2);
    return -1;
}

static void read_missing(struct check *check, const struct at *at, json_t *value)
{
    static const char *const WORDS[] = {"drop", "keep"};
    check->plan->lookup_keep = read_choice(check, at, value, WORDS) == 1;
}

void plan_read_lookup(struct check *check, const struct at *at, json_t *value)
{
    static const struct check_member MEMBERS[] = {
        {"table", read_table, "the table's file"},
        {"on", read_on, "the field that finds a row of the table"},
        {"take", read_take, "an array of columns of the table"},
        {"missing", read_missing, NULL},
    };
    check_object(check, at, value, "an object with \"table\", \"on\", \"take\" and \"missing\"",
                 MEMBERS, 4);
}

static void read_by(struct check *check, const struct at *at, json_t *value)
{
    struct plan *plan = check->plan;
    int column = check_field(check, at, value, plan->schema.scanned, "a declared field");
    if (column < 0)
        return;
    if (plan->schema.fields[column].type == FIELD_DOUBLE)
        check_wrong_type(check, at, column, "a field of an exact type: int, decimal, string, bool");
    plan->dedupe_by = column;
}

static void read_horizon(struct check *check, const struct at *at, json_t *value)
{
    check_duration(check, at, value, 1, false, &check->plan->dedupe_horizon_ms);
}

void plan_read_dedupe(struct check *check, const struct at *at, json_t *value)
{
    static const struct check_member MEMBERS[] = {
        {"by", read_by, "the field that names an event"},
        {"horizon", read_horizon, "how long ids are remembered, such as 10m"},
    };
    check_object(check, at, value, "an object such as {\"by\": \"id\", \"horizon\": \"10m\"}",
                 MEMBERS, 2);
}

void plan_read_dedupe_scope(struct check *check, const struct at *at, json_t *value)
{
    const char *text = json_string_value(value);
    check->plan->dedupe_partition = text && strcmp(text, "partition") == 0;
    if (!check->plan->dedupe_partition) {
        check_mistake(check, at, value, "\"partition\"");
        if (text)
            check_hint(check, text, (const char *const[]){"partition"}, 1);
    } else if (check->plan->dedupe_by < 0) {
        check_mistake(check, at, value, "a valid \"dedupe\" beside it");
    }
}
