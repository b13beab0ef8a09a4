/* common/plan/plan_check.c - notes mistakes of a plan and reads its smallest pieces. */
#include "common/plan/plan_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SHOWN_BYTES = 60, WORD_BYTES = 64, PATH_FRAMES = 256 };

/* Words from elsewhere for what is called otherwise here. */
static const struct {
    const char *word, *ours;
} SYNONYMS[] = {
    {"==", "="},
    {"<>", "!="},
    {"=<", "<="},
    {"=>", ">="},
    {"integer", "int"},
    {"long", "int"},
    {"bigint", "int"},
    {"float", "double"},
    {"real", "double"},
    {"number", "double"},
    {"text", "string"},
    {"boolean", "bool"},
    {"average", "avg"},
    {"mean", "avg"},
    {"total", "sum"},
    {"maximum", "max"},
    {"minimum", "min"},
    {"startswith", "prefix"},
    {"filter", "where"},
    {"slide", "hopping"},
    {"sliding", "hopping"},
    {"group_by", "key"},
    {"aggregates", "values"},
    {"join", "lookup"},
    {"iso8601", "rfc3339"},
    {"infinite", "unlimited"},
    {"millis", "ms"},
    {"micros", "us"},
};

static bool is_plain_name(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return n > 0 && !text[n];
}

static void add_path(const struct at *at, struct buf *out)
{
    const struct at *frames[PATH_FRAMES];
    int depth = 0;
    for (; at->up && depth < PATH_FRAMES; at = at->up)
        frames[depth++] = at;
    buf_add_char(out, '$');
    while (depth-- > 0) {
        const struct at *frame = frames[depth];
        if (!frame->member) {
            buf_printf(out, "[%zu]", frame->index);
        } else if (is_plain_name(frame->member)) {
            buf_printf(out, ".%s", frame->member);
        } else {
            buf_add_char(out, '[');
            buf_add_json_string(out, bytes_of(frame->member));
            buf_add_char(out, ']');
        }
    }
}

/* The first max bytes of text, not cut inside a UTF-8 character. */
static struct bytes shortened(const char *text, size_t max)
{
    struct bytes cut = bytes_of(text);
    if (cut.len <= max)
        return cut;
    cut.len = max;
    while (cut.len > 0 && ((unsigned char)cut.ptr[cut.len] & 0xc0) == 0x80)
        cut.len--;
    return cut;
}

static void add_shown_string(const char *text, struct buf *out)
{
    struct bytes shown = shortened(text, SHOWN_BYTES);
    buf_add_json_string(out, shown);
    if (text[shown.len])
        buf_add_text(out, "...");
}

static void add_found(const json_t *found, struct buf *out)
{
    if (!found) {
        buf_add_text(out, "nothing");
        return;
    }
    if (json_is_string(found)) {
        add_shown_string(json_string_value(found), out);
        return;
    }
    if (json_is_real(found)) {
        buf_add_double(out, json_real_value(found));
        return;
    }
    char *text = json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT);
    if (text && strlen(text) <= SHOWN_BYTES)
        buf_add_text(out, text);
    else if (json_is_array(found))
        buf_printf(out, "an array of %zu", json_array_size(found));
    else
        buf_printf(out, "an object of %zu", json_object_size(found));
    free(text);
}

static const char *keep_text(struct check *check, struct buf *text)
{
    const char *kept = arena_string(check->arena, text->ptr ? text->ptr : "");
    buf_release(text);
    return kept;
}

void check_adopt(struct check *check, const struct mistake *mistake)
{
    if (check->count == check->capacity) {
        check->capacity = check->capacity ? 2 * check->capacity : 8;
        check->mistakes =
            mem_grow(check->mistakes, (size_t)check->capacity * sizeof *check->mistakes);
    }
    check->mistakes[check->count++] = *mistake;
}

void check_note(struct check *check, const struct at *at, const char *found, const char *expected)
{
    struct buf path = {0};
    add_path(at, &path);
    check_adopt(check, &(struct mistake){keep_text(check, &path), arena_string(check->arena, found),
                                         arena_string(check->arena, expected), NULL});
}

void check_mistake(struct check *check, const struct at *at, const json_t *found,
                   const char *expected, ...)
{
    char text[512];
    va_list args;
    va_start(args, expected);
    vsnprintf(text, sizeof text, expected, args);
    va_end(args);
    struct buf shown = {0};
    add_found(found, &shown);
    check_note(check, at, shown.ptr, text);
    buf_release(&shown);
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Edits (insert, drop, replace, swap neighbours) from a to b. */
static int edit_distance(const char *a, const char *b)
{
    int rows[3][WORD_BYTES + 1];
    int *before = rows[0], *last = rows[1], *row = rows[2];
    int a_len = (int)strlen(a), b_len = (int)strlen(b);
    if (a_len > WORD_BYTES || b_len > WORD_BYTES)
        return WORD_BYTES;
    for (int j = 0; j <= b_len; j++)
        last[j] = j;
    for (int i = 1; i <= a_len; i++) {
        row[0] = i;
        for (int j = 1; j <= b_len; j++) {
            row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        int *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[b_len];
}

static const char *our_word(const char *word)
{
    for (size_t i = 0; i < sizeof SYNONYMS / sizeof *SYNONYMS; i++)
        if (strcmp(word, SYNONYMS[i].word) == 0)
            return SYNONYMS[i].ours;
    return word;
}

void check_hint(struct check *check, const char *word, const char *const *names, int count)
{
    const char *ours = our_word(word);
    int length = (int)strlen(word);
    int best = ours != word ? 1 : least(length - 1, length < 6 ? 1 : length / 3) + 1;
    const char *found = NULL;
    for (int i = 0; i < count; i++) {
        int distance = edit_distance(ours, names[i]);
        if (distance < best) {
            best = distance;
            found = names[i];
        }
    }
    if (found && check->count > 0)
        check->mistakes[check->count - 1].hint = arena_string(check->arena, found);
}

static int member_index(const struct check_member *members, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(members[i].name, name) == 0)
            return i;
    return -1;
}

enum { MEMBERS_MAX = 16 };

/* Of the names that the object does not have yet, one may have been meant. */
static void unknown_member(struct check *check, const struct at *at, const json_t *object,
                           const struct check_member *members, int count)
{
    const char *names[MEMBERS_MAX];
    int free_names = 0;
    struct buf list = {0};
    buf_add_text(&list, count > 1 ? "one of " : "");
    for (int i = 0; i < count; i++) {
        if (!json_object_get(object, members[i].name))
            names[free_names++] = members[i].name;
        buf_printf(&list, "%s%s", i ? ", " : "", members[i].name);
    }
    check_note(check, at, "an unknown member", list.ptr);
    check_hint(check, at->member, names, free_names);
    buf_release(&list);
}

void check_object(struct check *check, const struct at *at, json_t *object, const char *expected,
                  const struct check_member *members, int count)
{
    if (!json_is_object(object)) {
        check_mistake(check, at, object, "%s", expected);
        return;
    }
    const char *name;
    json_t *value;
    json_object_foreach (object, name, value) {
        struct at here = {at, name, 0};
        if (member_index(members, count, name) < 0)
            unknown_member(check, &here, object, members, count);
    }
    for (int i = 0; i < count; i++) {
        struct at here = {at, members[i].name, 0};
        value = json_object_get(object, members[i].name);
        if (value)
            members[i].read(check, &here, value);
        else if (members[i].required)
            check_mistake(check, &here, NULL, "%s", members[i].required);
    }
}

const char *check_text(struct check *check, const struct at *at, const json_t *value,
                       const char *expected)
{
    const char *text = json_string_value(value);
    if (text && *text)
        return arena_string(check->arena, text);
    check_mistake(check, at, value, "%s", expected);
    return NULL;
}

bool check_is_name(const char *text)
{
    if (text[0] < 'a' || text[0] > 'z')
        return false;
    return !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")];
}

void check_duration(struct check *check, const struct at *at, const json_t *value, int64_t low_ms,
                    bool unlimited, int64_t *out_ms)
{
    const char *text = json_string_value(value);
    int64_t ms;
    if (text && unlimited && strcmp(text, "unlimited") == 0) {
        *out_ms = PLAN_UNLIMITED;
    } else if (!text || !duration_parse(bytes_of(text), &ms)) {
        check_mistake(check, at, value, "a duration such as 250ms, 10s, 5m, 1h, 7d%s",
                      unlimited ? ", or \"unlimited\"" : "");
        if (text && unlimited)
            check_hint(check, text, (const char *const[]){"unlimited"}, 1);
    } else if (ms < low_ms || ms > PLAN_DURATION_MAX_MS) {
        check_mistake(check, at, value, "a duration %s 36500d",
                      low_ms > 0 ? "above 0s and at most" : "of at most");
    } else {
        *out_ms = ms;
    }
}

static void unknown_field(struct check *check, const struct at *at, const json_t *value, int limit,
                          const char *wanted)
{
    const struct schema *schema = &check->plan->schema;
    const char *names[SCHEMA_FIELDS_MAX];
    for (int i = 0; i < limit; i++)
        names[i] = schema->fields[i].name;
    const char *text = json_string_value(value);
    bool taken = text && schema_find(schema, text) >= limit;
    check_mistake(check, at, value, "%s%s", wanted,
                  taken ? " that stands in the event: what the look-up takes is known only later"
                        : "");
    if (text && !taken)
        check_hint(check, text, names, limit);
}

int check_field(struct check *check, const struct at *at, const json_t *value, int limit,
                const char *wanted)
{
    const char *text = json_string_value(value);
    int column = text ? schema_find(&check->plan->schema, text) : -1;
    if (column >= 0 && column < limit)
        return column;
    unknown_field(check, at, value, limit, wanted);
    return -1;
}

void check_wrong_type(struct check *check, const struct at *at, int column, const char *expected)
{
    const struct field *field = &check->plan->schema.fields[column];
    if (check_type_unknown(field))
        return;
    struct buf found = {0};
    add_shown_string(field->name, &found);
    buf_printf(&found, " of type %s", field_type_name(field->type));
    if (field->type == FIELD_DECIMAL)
        buf_printf(&found, ":%d", field->scale);
    check_note(check, at, found.ptr, expected);
    buf_release(&found);
}
