/* common/plan/plan_speed.c - reads "speed": what lambda's speed layer does otherwise than the plan.
 *
 * The overrides are written as in the plan. They are laid over the plan's own JSON, and what comes of
 * it is read as a plan, by the same readers: so all that holds for a plan holds for what the speed
 * layer folds by, and a mistake has its path below $.speed. Four things no plan can say stand in the
 * struct alone: values that are left out, an event time that is off, numbers that are cut off, and how
 * the speed layer commits.
 *   $.speed ──lay──> the plan's JSON, changed ──plan_read_members──> struct plan ──amend──> plan->speed
 * Readers decode the speed layer's partials by the plan, so key, window, names, slots and scales are
 * those of the plan. */
#include <stdlib.h>

#include "common/plan/plan_check.h"

#define SPEED_WANTED "an object such as {\"dedupe\": \"off\"}"

/* The member of the laid plan that holds what is overridden; NULL with a mistake noted. */
static json_t *laid_part(struct check *check, const struct at *at, const json_t *value,
                         const char *name)
{
    json_t *part = json_object_get(check->laid, name);
    if (!json_is_object(part))
        check_mistake(check, at, value, "a plan that has \"%s\": only what is there can differ",
                      name);
    return json_is_object(part) ? part : NULL;
}

/* ---- source ---- */

static void lay_out_of_order(struct check *check, const struct at *at, json_t *value)
{
    (void)at;
    json_object_set(json_object_get(check->laid, "source"), "out_of_order", value);
}

static void lay_max_ahead(struct check *check, const struct at *at, json_t *value)
{
    (void)at;
    json_object_set(json_object_get(check->laid, "source"), "max_ahead", value);
}

/* "1h", "-30m": event times are read as this much later, or earlier. */
static void read_shift(struct check *check, const struct at *at, json_t *value)
{
    const char *text = json_string_value(value);
    bool earlier = text && *text == '-';
    int64_t ms;
    if (!text || !duration_parse(bytes_of(text + earlier), &ms) || ms > PLAN_DURATION_MAX_MS)
        check_mistake(check, at, value, "a duration such as 1h, or -1h for earlier");
    else
        check->speed->schema.fields[0].shift_ms = earlier ? -ms : ms;
}

static void read_time(struct check *check, const struct at *at, json_t *value)
{
    static const struct check_member MEMBERS[] = {{"shift", read_shift, "a duration such as 1h"}};
    check_object(check, at, value, "an object such as {\"shift\": \"1h\"}", MEMBERS, 1);
}

/* The field as the plan declares it, in its long form, in the laid plan. */
static json_t *laid_field(struct check *check, const char *name)
{
    json_t *fields = json_object_get(json_object_get(check->laid, "source"), "fields");
    json_t *field = json_object_get(fields, name);
    if (json_is_string(field)) {
        json_object_set_new(fields, name, json_pack("{s:O}", "type", field));
        field = json_object_get(fields, name);
    }
    return field;
}

static void lay_default(struct check *check, const struct at *at, json_t *value)
{
    json_t *field = laid_field(check, at->up->member);
    if (!json_is_true(json_object_get(field, "optional"))) {
        check_mistake(check, at, value, "an optional field: no other is ever absent");
        return;
    }
    json_object_del(field, "optional");
    json_object_set(field, "default", value);
}

static void read_round(struct check *check, const struct at *at, json_t *value)
{
    const struct schema *schema = &check->plan->schema;
    const struct field *field = &schema->fields[schema_find(schema, at->up->member)];
    struct literal step;
    if (field->type != FIELD_INT && field->type != FIELD_DECIMAL)
        check_wrong_type(check, at, (int)(field - schema->fields),
                         "a field of type int or decimal:S");
    else if (check_literal(check, at, value, field, &step) && step.i64 <= 0)
        check_mistake(check, at, value, "a number above 0: values are cut off to a multiple of it");
}

static bool names_events(const struct plan *plan, int column)
{
    for (int i = 0; i < plan->keys; i++)
        if (plan->key[i] == column)
            return true;
    return column == plan->dedupe_by || (plan->table && column == plan->lookup_on);
}

static void read_fields(struct check *check, const struct at *at, json_t *value)
{
    static const struct check_member MEMBERS[] = {{"default", lay_default, NULL},
                                                  {"round", read_round, NULL}};
    const char *name;
    json_t *field;
    if (!json_is_object(value))
        check_mistake(check, at, value, "an object such as {\"delay\": {\"round\": 10}}");
    json_object_foreach (value, name, field) {
        struct at here = {at, name, 0};
        json_t *word = json_string(name);
        int column =
            check_field(check, &here, word, check->plan->schema.scanned, "a declared field");
        json_decref(word);
        if (column > 0 && names_events(check->plan, column))
            check_note(check, &here, "a field that names events (key, dedupe, look-up)",
                       "another one: key and names are the same in all layers");
        else if (column > 0)
            check_object(check, &here, field, "an object with \"default\" or \"round\"", MEMBERS,
                         2);
        else if (column == 0)
            check_note(check, &here, "the event time",
                       "{\"time\": {\"shift\": ...}} beside fields");
    }
}

static void read_source(struct check *check, const struct at *at, json_t *value)
{
    static const struct check_member MEMBERS[] = {
        {"out_of_order", lay_out_of_order, NULL},
        {"max_ahead", lay_max_ahead, NULL},
        {"time", read_time, NULL},
        {"fields", read_fields, NULL},
    };
    check_object(check, at, value, "an object such as {\"out_of_order\": \"0s\"}", MEMBERS, 4);
}

/* ---- the other members ---- */

static void lay_table(struct check *check, const struct at *at, json_t *value)
{
    (void)at;
    json_object_set(json_object_get(check->laid, "lookup"), "table", value);
}

static void read_lookup(struct check *check, const struct at *at, json_t *value)
{
    static const struct check_member MEMBERS[] = {{"table", lay_table, "another table's file"}};
    if (laid_part(check, at, value, "lookup"))
        check_object(check, at, value, "an object such as {\"table\": \"old.jsonl\"}", MEMBERS, 1);
}

static void lay_where(struct check *check, const struct at *at, json_t *value)
{
    (void)at;
    if (json_is_null(value))
        json_object_del(check->laid, "where");
    else
        json_object_set(check->laid, "where", value);
}

static void lay_horizon(struct check *check, const struct at *at, json_t *value)
{
    (void)at;
    json_object_set(json_object_get(check->laid, "dedupe"), "horizon", value);
}

static void read_dedupe(struct check *check, const struct at *at, json_t *value)
{
    static const struct check_member MEMBERS[] = {{"horizon", lay_horizon, "a duration"}};
    const char *text = json_string_value(value);
    if (!laid_part(check, at, value, "dedupe"))
        return;
    if (text && strcmp(text, "off") == 0) {
        json_object_del(check->laid, "dedupe");
        json_object_del(check->laid, "dedupe_scope");
    } else {
        check_object(check, at, value, "\"off\", or an object such as {\"horizon\": \"1m\"}",
                     MEMBERS, 1);
    }
}

static void lay_lateness(struct check *check, const struct at *at, json_t *value)
{
    (void)at;
    json_object_set(check->laid, "allowed_lateness", value);
}

/* Another definition, or null: left out, which amend_values sees to. */
static void lay_values(struct check *check, const struct at *at, json_t *value)
{
    const char *name;
    json_t *definition;
    json_t *values = json_object_get(check->laid, "values");
    if (!json_is_object(value))
        check_mistake(check, at, value, "an object such as {\"late\": null}");
    json_object_foreach (value, name, definition) {
        struct at here = {at, name, 0};
        const char *names[PLAN_VALUES_MAX];
        for (int i = 0; i < check->plan->value_count; i++)
            names[i] = check->plan->values[i].name;
        if (!json_object_get(values, name)) {
            check_note(check, &here, "no value of the plan",
                       "the name of one of the plan's values");
            check_hint(check, name, names, check->plan->value_count);
        } else if (!json_is_null(definition)) {
            json_object_set(values, name, definition);
        }
    }
}

/* The word's place among words, or 0 with a mistake noted. */
static int read_word(struct check *check, const struct at *at, const json_t *value,
                     const char *const *words, int count)
{
    const char *text = json_string_value(value);
    struct buf wanted = {0};
    for (int i = 0; i < count; i++) {
        if (text && strcmp(text, words[i]) == 0) {
            buf_release(&wanted);
            return i;
        }
        buf_printf(&wanted, "%s\"%s\"", i ? " or " : "", words[i]);
    }
    check_mistake(check, at, value, "%s", wanted.ptr);
    if (text)
        check_hint(check, text, words, count);
    buf_release(&wanted);
    return 0;
}

static void read_delivery(struct check *check, const struct at *at, json_t *value)
{
    static const char *const WORDS[] = {[DELIVERY_EXACTLY_ONCE] = "exactly-once",
                                        [DELIVERY_AT_LEAST_ONCE] = "at-least-once",
                                        [DELIVERY_AT_MOST_ONCE] = "at-most-once"};
    check->speed->delivery = (enum delivery)read_word(check, at, value, WORDS, 3);
}

static void read_state(struct check *check, const struct at *at, json_t *value)
{
    static const char *const WORDS[] = {"durable", "memory"};
    check->speed->forgets = read_word(check, at, value, WORDS, 2) == 1;
}

/* ---- what comes of it ---- */

/* Is there the same mistake among the first so many, in the plan itself? Then it has been said. */
static bool said_already(const struct check *check, int count, const struct mistake *mistake)
{
    static const char PREFIX[] = "$.speed";
    for (int i = 0; i < count; i++)
        if (strcmp(check->mistakes[i].path + 1, mistake->path + sizeof PREFIX - 1) == 0)
            return true;
    return false;
}

static void adopt_mistakes(struct check *check, const struct check *inner)
{
    int own = check->count;
    for (int i = 0; i < inner->count; i++)
        if (!said_already(check, own, &inner->mistakes[i]))
            check_adopt(check, &inner->mistakes[i]);
}

/* A condition that never holds: no alternative. */
static struct where *never(struct check *check)
{
    struct where *where = arena_zero(check->arena, 1, sizeof *where);
    where->kind = WHERE_OR;
    return where;
}

static bool adds_up(const struct value *value)
{
    return value->kind == AGG_COUNT || value->kind == AGG_SUM;
}

/* May both be merged slot by slot? A count is a sum of ones: of scale 0. A sketch hashes by type. */
static bool same_shape(const struct plan *plan, const struct value *a, const struct value *b)
{
    static const struct field ONE = {.type = FIELD_INT};
    const struct field *of_a = a->field < 0 ? &ONE : &plan->schema.fields[a->field];
    const struct field *of_b = b->field < 0 ? &ONE : &plan->schema.fields[b->field];
    bool doubles = of_a->type == FIELD_DOUBLE, also = of_b->type == FIELD_DOUBLE;
    if (a->kind == AGG_DISTINCT && (of_a->type != of_b->type || a->precision != b->precision))
        return false;
    return (a->kind == b->kind || (adds_up(a) && adds_up(b))) && doubles == also &&
           of_a->scale == of_b->scale;
}

static void amend_values(struct check *check, const struct at *at, const json_t *values)
{
    struct plan *speed = check->speed;
    struct at up = {at, "values", 0};
    for (int i = 0; i < speed->value_count; i++) {
        struct value *value = &speed->values[i];
        const json_t *definition = json_object_get(values, value->name);
        struct at here = {&up, value->name, 0};
        if (json_is_null(definition))
            value->where = never(check);
        else if (!same_shape(check->plan, &check->plan->values[i], value))
            check_mistake(check, &here, definition,
                          "a value whose partials can be merged with the batch's: the same "
                          "aggregate (count and sum are one), of a field of the same scale; for "
                          "distinct, of the same type and precision");
    }
}

static void amend_fields(struct check *check, const json_t *fields)
{
    struct schema *schema = &check->speed->schema;
    for (int i = 1; i < schema->scanned; i++) {
        const json_t *step =
            json_object_get(json_object_get(fields, schema->fields[i].name), "round");
        struct literal literal;
        if (step && check_literal(check, NULL, step, &schema->fields[i], &literal))
            schema->fields[i].step = literal.i64;
    }
}

/* Read what was laid as a plan of its own. */
static void read_laid(struct check *check, const struct at *at)
{
    struct check inner = {
        .plan = check->speed, .arena = check->arena, .check_table = check->check_table};
    plan_read_members(&inner, at, check->laid);
    adopt_mistakes(check, &inner);
    free(inner.mistakes);
}

void plan_read_speed(struct check *check, const struct at *at, json_t *value)
{
    static const struct check_member MEMBERS[] = {
        {"source", read_source, NULL},
        {"lookup", read_lookup, NULL},
        {"where", lay_where, NULL},
        {"dedupe", read_dedupe, NULL},
        {"allowed_lateness", lay_lateness, NULL},
        {"values", lay_values, NULL},
        {"delivery", read_delivery, NULL},
        {"state", read_state, NULL},
    };
    check->speed = arena_zero(check->arena, 1, sizeof *check->speed);
    plan_init(check->speed, check->arena, check->plan->directory);
    check->laid = json_deep_copy(check->document);
    json_object_del(check->laid, "speed");
    check_object(check, at, value, SPEED_WANTED, MEMBERS, sizeof MEMBERS / sizeof *MEMBERS);
    int64_t shift_ms = check->speed->schema.fields[0].shift_ms;
    read_laid(check, at);
    if (check->count == 0) {
        check->speed->schema.fields[0].shift_ms = shift_ms;
        amend_fields(check, json_object_get(json_object_get(value, "source"), "fields"));
        amend_values(check, at, json_object_get(value, "values"));
    }
    json_decref(check->laid);
    check->laid = NULL;
    check->speed->whole = check->plan;
    if (json_object_size(value) > 0)
        check->plan->speed = check->speed;
    else
        check->speed = NULL;
}

/* ---- in words ---- */

/* dedupe off, source.max_ahead 1h, values.late {"count":true}: objects of members one level down. */
static void say_members(const char *prefix, json_t *object, int depth, struct buf *out)
{
    const char *name;
    json_t *value;
    json_object_foreach (object, name, value) {
        struct buf path = {0};
        buf_printf(&path, "%s%s%s", prefix, *prefix ? "." : "", name);
        bool inner = json_is_object(value) && depth == 0 && strcmp(name, "where") != 0;
        if (inner) {
            say_members(path.ptr, value, 1, out);
        } else {
            buf_printf(out, "%s%s ", out->ptr[out->len - 2] == ':' ? "" : ", ", path.ptr);
            if (json_is_string(value))
                buf_add_text(out, json_string_value(value));
            else if (json_is_null(value))
                buf_add_text(out, depth ? "left out" : "of every event");
            else
                plan_canonical(value, out);
        }
        buf_release(&path);
    }
}

void plan_say_speed(const struct plan *plan, struct buf *out)
{
    json_t *root = plan->speed ? json_loads(plan->json, 0, NULL) : NULL;
    buf_add_text(out, root ? "cheap: " : "mirrored");
    say_members("", json_object_get(root, "speed"), 0, out);
    json_decref(root);
}
