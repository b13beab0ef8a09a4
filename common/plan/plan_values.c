/* common/plan/plan_values.c - reads "key" and "values": what a view has a row for, and what is in
 * it. */
#include <math.h>
#include <stdlib.h>

#include "common/plan/plan_check.h"

#define NUMBERS (1u << FIELD_INT | 1u << FIELD_DECIMAL)

static const struct {
    const char *name;
    unsigned types; /* set of 1 << enum field_type; 0: no field */
    const char *wanted;
} AGGREGATES[] = {
    [AGG_COUNT] = {"count", 0, "true"},
    [AGG_SUM] = {"sum", NUMBERS,
                 "a field of type int or decimal:S (a sum of doubles would depend on their order)"},
    [AGG_MIN] = {"min", NUMBERS | 1u << FIELD_DOUBLE, "a field of type int, decimal:S or double"},
    [AGG_MAX] = {"max", NUMBERS | 1u << FIELD_DOUBLE, "a field of type int, decimal:S or double"},
    [AGG_AVG] = {"avg", NUMBERS,
                 "a field of type int or decimal:S (a sum of doubles would depend on their order)"},
    [AGG_DISTINCT] = {"distinct", NUMBERS | 1u << FIELD_STRING | 1u << FIELD_BOOL,
                      "a field of an exact type: int, decimal:S, string, bool"},
};
enum { AGGREGATE_COUNT = sizeof AGGREGATES / sizeof *AGGREGATES };

enum { PRECISION = 10 }; /* of a sketch that does not say it: 1,024 registers */

#define VALUE_WANTED                                                                               \
    "\"count\" or an object with one of count, sum, min, max, avg, distinct, and maybe where"

/* ---- key ---- */

static bool has_key(const struct plan *plan, int column)
{
    for (int i = 0; i < plan->keys; i++)
        if (plan->key[i] == column)
            return true;
    return false;
}

void plan_read_key(struct check *check, const struct at *at, json_t *value)
{
    struct plan *plan = check->plan;
    if (!json_is_array(value) || json_array_size(value) > PLAN_KEYS_MAX) {
        check_mistake(check, at, value, "an array of 0 to %d fields", PLAN_KEYS_MAX);
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        struct at here = {at, NULL, i};
        json_t *name = json_array_get(value, i);
        int column = check_field(check, &here, name, plan->schema.count, "a declared field");
        if (column < 0)
            continue;
        if (plan->schema.fields[column].type == FIELD_DOUBLE)
            check_wrong_type(check, &here, column,
                             "a field of an exact type: int, decimal:S, string, bool");
        else if (has_key(plan, column))
            check_mistake(check, &here, name, "each field once");
        else
            plan->key[plan->keys++] = column;
    }
}

/* ---- values ---- */

static int aggregate_named(const char *name)
{
    for (int i = 0; i < AGGREGATE_COUNT; i++)
        if (strcmp(AGGREGATES[i].name, name) == 0)
            return i;
    return -1;
}

static void hint_aggregate(struct check *check, const char *word)
{
    const char *names[AGGREGATE_COUNT + 2];
    for (int i = 0; i < AGGREGATE_COUNT; i++)
        names[i] = AGGREGATES[i].name;
    names[AGGREGATE_COUNT] = "where";
    names[AGGREGATE_COUNT + 1] = "precision";
    check_hint(check, word, names, AGGREGATE_COUNT + 2);
}

static void read_aggregate(struct check *check, const struct at *at, json_t *value,
                           struct value *out)
{
    const struct plan *plan = check->plan;
    const char *wanted = AGGREGATES[out->kind].wanted;
    if (out->kind == AGG_COUNT) {
        if (!json_is_true(value))
            check_mistake(check, at, value, "%s", wanted);
        return;
    }
    out->field = check_field(check, at, value, plan->schema.count, wanted);
    if (out->field >= 0 &&
        !(AGGREGATES[out->kind].types & 1u << plan->schema.fields[out->field].type))
        check_wrong_type(check, at, out->field, wanted);
}

/* The log2 of a sketch's registers. */
static void read_precision(struct check *check, const struct at *at, json_t *value,
                           struct value *out)
{
    double precision = json_number_value(value); /* 0: not a number */
    if (out->kind != AGG_DISTINCT)
        check_note(check, at, "a precision", "it with \"distinct\" only: all others are exact");
    else if (precision < PLAN_PRECISION_MIN || precision > PLAN_PRECISION_MAX ||
             precision != floor(precision))
        check_mistake(check, at, value,
                      "a whole number from %d to %d: 2^precision registers of a byte, standard "
                      "error 1.04 / sqrt(registers)",
                      PLAN_PRECISION_MIN, PLAN_PRECISION_MAX);
    else
        out->precision = (int)precision;
}

double value_error(const struct value *value)
{
    return value->kind == AGG_DISTINCT ? 1.04 / sqrt(1 << value->precision) : 0;
}

/* {"avg": "delay", "where": [...]} */
static void read_value_object(struct check *check, const struct at *at, json_t *object,
                              struct value *out)
{
    const char *name;
    json_t *member;
    int aggregates = 0;
    bool unknown = false; /* most likely it is the aggregate */
    json_object_foreach (object, name, member) {
        struct at here = {at, name, 0};
        int kind = aggregate_named(name);
        if (kind >= 0) {
            aggregates++;
            out->kind = (enum aggregate_kind)kind;
            read_aggregate(check, &here, member, out);
        } else if (strcmp(name, "where") == 0) {
            out->where = check_where(check, &here, member, check->plan->schema.count);
        } else if (strcmp(name, "precision") != 0) {
            check_note(check, &here, "an unknown member", VALUE_WANTED);
            hint_aggregate(check, name);
            unknown = true;
        }
    }
    if (aggregates != 1 && !unknown)
        check_mistake(check, at, object, VALUE_WANTED);
    struct at here = {at, "precision", 0};
    member = json_object_get(object, "precision");
    out->precision = out->kind == AGG_DISTINCT ? PRECISION : 0;
    if (member && aggregates == 1 && !unknown)
        read_precision(check, &here, member, out);
}

static void read_value(struct check *check, const struct at *at, json_t *value, struct value *out)
{
    const char *text = json_string_value(value);
    if (json_is_object(value)) {
        read_value_object(check, at, value, out);
    } else if (text && aggregate_named(text) > AGG_COUNT) {
        check_mistake(check, at, value, "\"count\" or {\"%s\": FIELD}", text);
    } else if (!text || strcmp(text, "count") != 0) {
        check_mistake(check, at, value, VALUE_WANTED);
        if (text)
            hint_aggregate(check, text);
    }
}

static void check_value_name(struct check *check, const struct at *at, const char *name)
{
    if (!check_is_name(name))
        check_note(check, at, "this name", "a name [a-z][a-z0-9_]* such as flights");
    else if (strcmp(name, "window") == 0 || strcmp(name, "key") == 0)
        check_note(check, at, "this name", "another name: each row has window and key already");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct value *)a)->name, ((const struct value *)b)->name);
}

void plan_read_values(struct check *check, const struct at *at, json_t *value)
{
    struct plan *plan = check->plan;
    const char *name;
    json_t *member;
    size_t count = json_object_size(value);
    if (count == 0 || count > PLAN_VALUES_MAX) {
        check_mistake(check, at, value,
                      "an object of 1 to %d values such as {\"flights\": \"count\"}",
                      PLAN_VALUES_MAX);
        return;
    }
    json_object_foreach (value, name, member) {
        struct at here = {at, name, 0};
        struct value *out = &plan->values[plan->value_count++];
        *out = (struct value){.name = arena_string(check->arena, name), .field = -1};
        check_value_name(check, &here, name);
        read_value(check, &here, member, out);
    }
    /* Equal plans in another order of members must have equal partials: json and hash are sorted.
     */
    qsort(plan->values, (size_t)plan->value_count, sizeof *plan->values, by_name);
    for (int i = 0; i < plan->value_count; i++) {
        plan->values[i].slot = plan->slots;
        plan->slots += value_slots(&plan->values[i]);
    }
    if (plan->slots > PLAN_SLOTS_MAX) {
        struct buf found = {0};
        buf_printf(&found, "cells of %d bytes", plan->slots * 16);
        check_note(check, at, found.ptr,
                   "16384 bytes at most: fewer distinct values, or less precision");
        buf_release(&found);
    }
}
