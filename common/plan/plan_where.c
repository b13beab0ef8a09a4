/* common/plan/plan_where.c - reads a condition: comparisons of fields, and, or, not. */
#include "common/plan/plan_check.h"

enum { WHERE_DEPTH_MAX = 32, WHERE_LIST_MAX = 10000 };

#define WHERE_WANTED "[FIELD, OP, VALUE], {\"and\": [...]}, {\"or\": [...]} or {\"not\": ...}"
#define OP_WANTED "one of = != < <= > >= in prefix exists"

static const char *const OP_NAMES[] = {
    [OP_EQ] = "=",  [OP_NE] = "!=", [OP_LT] = "<",          [OP_LE] = "<=",        [OP_GT] = ">",
    [OP_GE] = ">=", [OP_IN] = "in", [OP_PREFIX] = "prefix", [OP_EXISTS] = "exists"};
enum { OP_COUNT = sizeof OP_NAMES / sizeof *OP_NAMES };

/* What one comparison is made of while it is read. */
struct comparison {
    struct where *where;
    const struct field *field;
    int limit;
};

static int read_op(struct check *check, const struct at *at, const json_t *value)
{
    const char *text = json_string_value(value);
    for (int i = 0; text && i < OP_COUNT; i++)
        if (strcmp(text, OP_NAMES[i]) == 0)
            return i;
    check_mistake(check, at, value, OP_WANTED);
    if (text)
        check_hint(check, text, OP_NAMES, OP_COUNT);
    return -1;
}

static bool op_fits(struct check *check, const struct at *at, const struct where *where,
                    const struct field *field)
{
    bool ordered = where->op >= OP_LT && where->op <= OP_GE;
    if (where->op == OP_PREFIX && field->type != FIELD_STRING)
        check_wrong_type(check, at, where->field, "a field of type string before prefix");
    else if (ordered && field->type == FIELD_BOOL)
        check_wrong_type(check, at, where->field, "= or != after a bool, which has no order");
    else
        return true;
    return false;
}

static bool same_type(const struct field *a, const struct field *b)
{
    if (check_type_unknown(a))
        return true;
    return a->type == b->type && (a->type != FIELD_DECIMAL || a->scale == b->scale);
}

static bool compare_fields(struct check *check, const struct at *at, struct comparison c, int other)
{
    const struct field *field = &check->plan->schema.fields[other];
    struct buf wanted = {0};
    bool fits = c.where->op != OP_PREFIX && same_type(c.field, field);
    c.where->other_field = other;
    if (c.where->op == OP_PREFIX)
        buf_printf(&wanted, "a constant text; if the word is meant, {\"literal\": \"%s\"}",
                   field->name);
    else if (c.field->type == FIELD_DECIMAL)
        buf_printf(&wanted, "a field of the same type as %s, decimal:%d", c.field->name,
                   c.field->scale);
    else
        buf_printf(&wanted, "a field of the same type as %s, %s", c.field->name,
                   field_type_name(c.field->type));
    if (!fits)
        check_wrong_type(check, at, other, wanted.ptr);
    buf_release(&wanted);
    return fits;
}

/* {"literal": X} stands for X, whatever X names. */
static const json_t *unwrapped(const json_t *value)
{
    const json_t *inner = json_object_get(value, "literal");
    return inner && json_object_size(value) == 1 ? inner : value;
}

static bool read_list(struct check *check, const struct at *at, const json_t *value,
                      struct comparison c)
{
    size_t count = json_array_size(value);
    if (count == 0 || count > WHERE_LIST_MAX) {
        check_mistake(check, at, value, "an array of 1 to %d constants after \"in\"",
                      WHERE_LIST_MAX);
        return false;
    }
    c.where->literal = arena_zero(check->arena, count, sizeof *c.where->literal);
    c.where->literals = (int)count;
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        struct at here = {at, NULL, i};
        const json_t *element = unwrapped(json_array_get(value, i));
        good &= check_literal(check, &here, element, c.field, &c.where->literal[i]);
    }
    return good;
}

/* A text where the field is no string: most likely a field's name, wrongly spelt. */
static bool misspelt_field(struct check *check, const struct at *at, const json_t *value,
                           struct comparison c)
{
    if (!json_is_string(value) || check_type_unknown(c.field) || c.field->type == FIELD_STRING ||
        c.field->type == FIELD_DECIMAL)
        return false;
    struct buf wanted = {0};
    buf_printf(&wanted, "%s, or another field of type %s", check_literal_wanted(c.field),
               field_type_name(c.field->type));
    check_field(check, at, value, c.limit, wanted.ptr);
    buf_release(&wanted);
    return true;
}

/* Text or field? Asked for, rather than guessed. */
static bool refuse_taken(struct check *check, const struct at *at, const json_t *value)
{
    const char *name = json_string_value(value);
    check_mistake(check, at, value,
                  "a field that stands in the event (what the look-up takes is known only later); "
                  "if the word is meant, {\"literal\": \"%s\"}",
                  name);
    return false;
}

static bool read_operand(struct check *check, const struct at *at, const json_t *value,
                         struct comparison c)
{
    const char *text = json_string_value(value);
    int other = text ? schema_find(&check->plan->schema, text) : -1;
    if (other >= c.limit)
        return refuse_taken(check, at, value);
    if (other >= 0)
        return compare_fields(check, at, c, other);
    const json_t *constant = unwrapped(value);
    if (constant == value && misspelt_field(check, at, value, c))
        return false;
    c.where->literal = arena_zero(check->arena, 1, sizeof *c.where->literal);
    c.where->literals = 1;
    return check_literal(check, at, constant, c.field, c.where->literal);
}

/* ["f", "exists"] or ["f", "exists", true | false] */
static bool read_exists(struct check *check, const struct at *at, const json_t *value,
                        struct where *where)
{
    where->literal = arena_zero(check->arena, 1, sizeof *where->literal);
    where->literals = 1;
    where->literal->i64 = !value || json_is_true(value);
    if (!value || json_is_boolean(value))
        return true;
    check_mistake(check, at, value, "true, false or nothing after \"exists\"");
    return false;
}

static struct where *read_comparison(struct check *check, const struct at *at, json_t *value,
                                     int limit)
{
    size_t count = json_array_size(value);
    struct at first = {at, NULL, 0}, second = {at, NULL, 1}, third = {at, NULL, 2};
    if (count < 2 || count > 3) {
        check_mistake(check, at, value, WHERE_WANTED);
        return NULL;
    }
    struct where *where = arena_zero(check->arena, 1, sizeof *where);
    where->kind = WHERE_COMPARE;
    where->other_field = -1;
    where->field = check_field(check, &first, json_array_get(value, 0), limit, "a declared field");
    int op = read_op(check, &second, json_array_get(value, 1));
    if (op >= 0 && op != OP_EXISTS && count == 2)
        check_mistake(check, &third, NULL, "what to compare with");
    if (where->field < 0 || op < 0 || (op != OP_EXISTS && count == 2))
        return NULL;
    where->op = (enum where_op)op;
    struct comparison c = {where, &check->plan->schema.fields[where->field], limit};
    const json_t *operand = json_array_get(value, 2);
    bool good = op_fits(check, &second, where, c.field);
    if (op == OP_EXISTS)
        good &= read_exists(check, &third, operand, where);
    else if (op == OP_IN)
        good &= read_list(check, &third, operand, c);
    else if (good)
        good = read_operand(check, &third, operand, c);
    return good ? where : NULL;
}

static struct where *read_condition(struct check *check, const struct at *at, json_t *value,
                                    int limit, int depth);

static struct where *read_all(struct check *check, const struct at *at, json_t *list, int limit,
                              int depth)
{
    size_t count = json_array_size(list);
    if (count == 0 || count > WHERE_LIST_MAX) {
        check_mistake(check, at, list, "an array of 1 to %d conditions", WHERE_LIST_MAX);
        return NULL;
    }
    struct where *where = arena_zero(check->arena, 1, sizeof *where);
    where->child = arena_zero(check->arena, count, sizeof *where->child);
    where->children = (int)count;
    for (size_t i = 0; i < count; i++) {
        struct at here = {at, NULL, i};
        struct where *child = read_condition(check, &here, json_array_get(list, i), limit, depth);
        if (child)
            where->child[i] = *child;
    }
    return where;
}

static struct where *read_not(struct check *check, const struct at *at, json_t *value, int limit,
                              int depth)
{
    struct where *where = arena_zero(check->arena, 1, sizeof *where);
    where->child = read_condition(check, at, value, limit, depth);
    where->children = 1;
    where->kind = WHERE_NOT;
    return where->child ? where : NULL;
}

static struct where *read_joined(struct check *check, const struct at *at, json_t *value, int limit,
                                 int depth)
{
    static const char *const KINDS[] = {
        [WHERE_AND] = "and", [WHERE_OR] = "or", [WHERE_NOT] = "not"};
    const char *name;
    json_t *inner;
    json_object_foreach (value, name, inner) {
        struct at here = {at, name, 0};
        if (strcmp(name, "not") == 0)
            return read_not(check, &here, inner, limit, depth);
        for (int kind = WHERE_AND; kind <= WHERE_OR; kind++) {
            if (strcmp(name, KINDS[kind]) != 0)
                continue;
            struct where *where = read_all(check, &here, inner, limit, depth);
            if (where)
                where->kind = (enum where_kind)kind;
            return where;
        }
        check_note(check, &here, "an unknown member", "one of and, or, not");
        check_hint(check, name, KINDS, 3);
    }
    return NULL;
}

static struct where *read_condition(struct check *check, const struct at *at, json_t *value,
                                    int limit, int depth)
{
    if (depth > WHERE_DEPTH_MAX)
        check_mistake(check, at, value, "conditions nested at most %d deep", WHERE_DEPTH_MAX);
    else if (json_is_array(value))
        return read_comparison(check, at, value, limit);
    else if (json_object_size(value) == 1)
        return read_joined(check, at, value, limit, depth + 1);
    else
        check_mistake(check, at, value, WHERE_WANTED);
    return NULL;
}

struct where *check_where(struct check *check, const struct at *at, json_t *value, int limit)
{
    return read_condition(check, at, value, limit, 1);
}

void plan_read_where(struct check *check, const struct at *at, json_t *value)
{
    check->plan->where = check_where(check, at, value, check->plan->schema.scanned);
}
