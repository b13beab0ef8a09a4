/* common/plan/plan.c - a plan's JSON in, a checked struct out, or every mistake in it.
 *
 * The tables of members, here and in plan_source.c, plan_window.c, plan_lookup.c, plan_values.c and
 * plan_where.c, say what a plan may contain; docs/plan.md says it to users. The struct is a
 * function of the canonical JSON (sorted members): columns and values are in order of their names,
 * so two plans with the same hash have the same partials, however their files are written. */
#include "common/plan/plan.h"

#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/plan/plan_check.h"

enum { PLAN_BYTES_MAX = 1 << 20, READ_BYTES = 1 << 16 };

/* What plan_free gets back: the plan is its first member. */
struct plan_box {
    struct plan plan;
    struct arena arena;
};

/* ---- the members of the document ---- */

static void read_view(struct check *check, const struct at *at, json_t *value)
{
    const char *text = json_string_value(value);
    if (text && check_is_name(text))
        check->plan->view = arena_string(check->arena, text);
    else
        check_mistake(check, at, value, "a name [a-z][a-z0-9_]* such as flight_delays");
}

/* In the order of reading: what a member needs to know stands above it. */
static const struct check_member MEMBERS[] = {
    {"view", read_view, "a name [a-z][a-z0-9_]* such as flight_delays"},
    {"source", plan_read_source, "an object with \"time\" and \"fields\""},
    {"lookup", plan_read_lookup, NULL},
    {"where", plan_read_where, NULL},
    {"dedupe", plan_read_dedupe, NULL},
    {"dedupe_scope", plan_read_dedupe_scope, NULL},
    {"key", plan_read_key, NULL},
    {"window", plan_read_window,
     "{\"tumbling\": \"10s\"}, {\"hopping\": [\"10s\", \"2s\"]} or \"none\""},
    {"allowed_lateness", plan_read_lateness, NULL},
    {"keep", plan_read_keep, NULL},
    {"values", plan_read_values, "an object of values such as {\"flights\": \"count\"}"},
    {"speed", plan_read_speed, NULL},
};

void plan_init(struct plan *plan, struct arena *arena, const char *directory)
{
    plan->directory = arena_string(arena, directory && *directory ? directory : ".");
    plan->schema.fields = arena_zero(arena, SCHEMA_FIELDS_MAX, sizeof *plan->schema.fields);
    plan->schema.fields[0] = (struct field){.name = "", .type = FIELD_TIME, .paths = 1};
    plan->schema.scanned = plan->schema.count = 1;
    plan->max_ahead_ms = plan->keep_ms = PLAN_UNLIMITED;
    plan->dedupe_by = -1;
}

void plan_read_members(struct check *check, const struct at *root, json_t *document)
{
    check->document = document;
    check_object(check, root, document, "one JSON object with the plan", MEMBERS,
                 sizeof MEMBERS / sizeof *MEMBERS);
    if (check->count == 0)
        plan_check_window(check, root);
}

static void read_document(struct check *check, struct bytes json, json_t **document)
{
    const struct at root = {0};
    json_error_t error;
    *document = json_loadb(json.ptr ? json.ptr : "", json.len, JSON_REJECT_DUPLICATES, &error);
    if (!*document) {
        char found[320];
        snprintf(found, sizeof found, "broken JSON in line %d, column %d (%s)", error.line,
                 error.column, error.text);
        check_note(check, &root, found, "one JSON object with the plan");
        return;
    }
    plan_read_members(check, &root, *document);
}

/* ---- identity ---- */

static int hash_file(XXH3_state_t *state, const char *path, struct err *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return err_errno(err, ERR_USAGE, "cannot read the table %s", path);
    char *block = mem_alloc(READ_BYTES);
    size_t got;
    while ((got = fread(block, 1, READ_BYTES, file)) > 0)
        XXH3_128bits_update(state, block, got);
    int code = ferror(file) ? err_errno(err, ERR_USAGE, "cannot read the table %s", path) : 0;
    free(block);
    (void)fclose(file);
    return code;
}

static int hash_table(XXH3_state_t *state, const struct plan *plan, struct err *err)
{
    XXH3_128bits_update(state, "", 1);
    return hash_file(state, plan->table, err);
}

/* hash = XXH3-128(json [NUL, the table's bytes [NUL, those of the speed layer's own table]]) */
static int identify(struct check *check, json_t *document, struct err *err)
{
    struct plan *plan = check->plan, *speed = check->speed;
    struct buf json = {0};
    plan_canonical(document, &json);
    plan->json = arena_string(check->arena, json.ptr);
    buf_release(&json);
    XXH3_state_t *state = XXH3_createState();
    XXH3_128bits_reset(state);
    XXH3_128bits_update(state, plan->json, strlen(plan->json));
    int code = 0;
    if (plan->table && check->check_table)
        code = hash_table(state, plan, err);
    if (code == 0 && speed && plan->table && check->check_table &&
        strcmp(plan->table, speed->table) != 0)
        code = hash_table(state, speed, err);
    XXH128_hash_t hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    snprintf(plan->hash, sizeof plan->hash, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
    if (speed) {
        speed->json = plan->json;
        memcpy(speed->hash, plan->hash, sizeof speed->hash);
    }
    return code;
}

/* ---- mistakes for the caller ---- */

/* One line whatever is in it: names and jansson's texts may hold control characters. */
static void add_line(const struct mistake *mistake, struct buf *out)
{
    size_t begin = out->len;
    buf_printf(out, "%s: found %s, expected %s", mistake->path, mistake->found, mistake->expected);
    if (mistake->hint)
        buf_printf(out, "; did you mean \"%s\"?", mistake->hint);
    for (size_t i = begin; i < out->len; i++)
        if ((unsigned char)out->ptr[i] < 0x20)
            out->ptr[i] = ' ';
    buf_add_char(out, '\n');
}

static int report_lines(const struct check *check, const char *name, struct buf *mistakes,
                        struct err *err)
{
    struct buf first = {0};
    add_line(&check->mistakes[0], &first);
    first.ptr[first.len - 1] = 0;
    int code = err_set(err, ERR_USAGE, "%s: %d mistake%s, the first: %.400s", name, check->count,
                       check->count == 1 ? "" : "s", first.ptr);
    buf_release(&first);
    for (int i = 0; mistakes && i < check->count; i++)
        add_line(&check->mistakes[i], mistakes);
    return code;
}

static void add_json_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "%s\"%s\":", *name == 'p' ? "{" : ",", name);
    if (text)
        buf_add_json_string(out, bytes_of(text));
    else
        buf_add_text(out, "null");
}

static void report_json(const struct check *check, struct buf *out)
{
    buf_add_char(out, '[');
    for (int i = 0; i < check->count; i++) {
        const struct mistake *mistake = &check->mistakes[i];
        buf_add_text(out, i ? "," : "");
        add_json_member(out, "path", mistake->path);
        add_json_member(out, "found", mistake->found);
        add_json_member(out, "expected", mistake->expected);
        add_json_member(out, "suggestion", mistake->hint);
        buf_add_char(out, '}');
    }
    buf_add_text(out, "]\n");
}

/* ---- public ---- */

/* Where mistakes go: lines, JSON, or neither. */
struct report {
    const char *name; /* of the plan, in err */
    struct buf *lines, *json;
};

static int parse(struct bytes json, const char *directory, bool check_table, struct report report,
                 struct plan **out, struct err *err)
{
    struct plan_box *box = mem_zero(1, sizeof *box);
    struct check check = {.plan = &box->plan, .arena = &box->arena, .check_table = check_table};
    json_t *document;
    int code = 0;
    plan_init(&box->plan, &box->arena, directory);
    read_document(&check, json, &document);
    if (check.count > 0)
        code = report_lines(&check, report.name, report.lines, err);
    else
        code = identify(&check, document, err);
    if (report.json)
        report_json(&check, report.json);
    json_decref(document);
    free(check.mistakes);
    if (code < 0)
        plan_free(&box->plan);
    *out = code < 0 ? NULL : &box->plan;
    return code;
}

int plan_parse(struct bytes json, const char *directory, bool check_table, struct plan **out,
               struct buf *mistakes, struct err *err)
{
    return parse(json, directory, check_table, (struct report){"the plan", mistakes, NULL}, out,
                 err);
}

static int read_file(const char *path, struct buf *out, struct err *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return err_errno(err, ERR_USAGE, "cannot read the plan %s", path);
    buf_reserve(out, PLAN_BYTES_MAX + 1);
    out->len = fread(out->ptr, 1, PLAN_BYTES_MAX + 1, file);
    out->ptr[out->len] = 0;
    int code = 0;
    if (ferror(file))
        code = err_errno(err, ERR_USAGE, "cannot read the plan %s", path);
    else if (out->len > PLAN_BYTES_MAX)
        code = err_set(err, ERR_USAGE, "the plan %s has more than %d bytes", path, PLAN_BYTES_MAX);
    (void)fclose(file);
    return code;
}

static int load(const char *path, struct report report, struct plan **out, struct err *err)
{
    struct buf json = {0}, directory = {0};
    *out = NULL;
    const char *slash = strrchr(path, '/');
    buf_add(&directory, path, slash ? (size_t)(slash - path) + (slash == path) : 0);
    int code = read_file(path, &json, err);
    if (code == 0)
        code = parse(buf_bytes(&json), directory.ptr, true, report, out, err);
    buf_release(&json);
    buf_release(&directory);
    return code;
}

int plan_load(const char *path, struct plan **out, struct buf *mistakes, struct err *err)
{
    return load(path, (struct report){path, mistakes, NULL}, out, err);
}

int plan_check(const char *path, struct buf *json, struct err *err)
{
    struct plan *plan;
    int code = load(path, (struct report){path, NULL, json}, &plan, err);
    plan_free(plan);
    return code;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    struct plan_box *box = (struct plan_box *)(void *)plan;
    struct arena arena = box->arena;
    free(box);
    arena_release(&arena);
}
