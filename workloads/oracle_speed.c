/* workloads/oracle_speed.c - the oracle's own reading of a plan's "speed": what lambda's speed layer does
 * otherwise.
 *
 * The overrides replace members of the plan's JSON before the rulebook reads it. What no member says
 * is looked up afterwards: an event time that is off, numbers cut off, values left out. How the speed
 * layer commits (delivery, state) is no part of a contract: without crashes it makes no difference. */
#include <stdlib.h>

#include "workloads/oracle_parts.h"

bool rulebook_has_speed(const struct rulebook *book)
{
    return json_object_size(json_object_get(book->json.root, "speed")) > 0;
}

/* Copy members of from into to; null takes one away. */
static void replace(json_t *to, json_t *from, const char *const *names)
{
    for (; *names; names++) {
        json_t *value = json_object_get(from, *names);
        if (json_is_null(value))
            json_object_del(to, *names);
        else if (value)
            json_object_set(to, *names, value);
    }
}

/* An optional field that counts as this where it is absent. */
static void lay_defaults(json_t *fields, json_t *overrides)
{
    for (void *at = json_object_iter(overrides); at; at = json_object_iter_next(overrides, at)) {
        json_t *value = json_object_get(json_object_iter_value(at), "default");
        json_t *field = json_object_get(fields, json_object_iter_key(at));
        if (!value)
            continue;
        json_object_del(field, "optional");
        json_object_set(field, "default", value);
    }
}

void rulebook_lay_speed(struct rulebook *book)
{
    static const char *const TIMES[] = {"out_of_order", "max_ahead", NULL};
    static const char *const MEMBERS[] = {"where", "allowed_lateness", NULL};
    static const char *const TABLE[] = {"table", NULL}, *const HORIZON[] = {"horizon", NULL};
    json_t *root = book->json.root, *speed = json_object_get(root, "speed");
    json_t *source = json_object_get(root, "source"), *other = json_object_get(speed, "source");
    json_t *values = json_object_get(speed, "values"), *dedupe = json_object_get(speed, "dedupe");
    replace(source, other, TIMES);
    lay_defaults(json_object_get(source, "fields"), json_object_get(other, "fields"));
    replace(root, speed, MEMBERS);
    replace(json_object_get(root, "lookup"), json_object_get(speed, "lookup"), TABLE);
    replace(json_object_get(root, "dedupe"), dedupe, HORIZON);
    if (json_is_string(dedupe)) /* "off" */
        json_object_del(root, "dedupe");
    for (void *at = json_object_iter(values); at; at = json_object_iter_next(values, at))
        if (!json_is_null(json_object_iter_value(at)))
            json_object_set(json_object_get(root, "values"), json_object_iter_key(at),
                            json_object_iter_value(at));
}

/* "1h" or "-1h" */
static bool read_shift(const json_t *node, int64_t *out_ms)
{
    const char *text = json_string_value(node);
    bool earlier = text && *text == '-';
    if (!node)
        return true;
    if (!text || !duration_parse(bytes_of(text + earlier), out_ms))
        return false;
    *out_ms = earlier ? -*out_ms : *out_ms;
    return true;
}

int rulebook_amend(struct rulebook *book, struct err *err)
{
    const json_t *speed = json_object_get(book->json.root, "speed");
    const json_t *source = json_object_get(speed, "source");
    const json_t *fields = json_object_get(source, "fields");
    const json_t *shift = json_object_get(json_object_get(source, "time"), "shift");
    bool good = read_shift(shift, &book->shift_ms);
    for (int i = 1; i < book->scanned && good; i++) {
        struct fact *fact = &book->facts[i];
        struct scalar step = {0};
        const json_t *round = json_object_get(json_object_get(fields, fact->name), "round");
        good = scalar_read(fact, &book->json, round, &step);
        fact->step = step.present ? step.whole : 0;
    }
    for (int v = 0; v < book->value_count; v++)
        book->values[v].left_out =
            json_is_null(json_object_get(json_object_get(speed, "values"), book->values[v].name));
    return good ? 0 : err_set(err, ERR_USAGE, "oracle: cannot understand \"speed\" of the plan");
}

static int64_t bounded(int128 value)
{
    return value > INT64_MAX ? INT64_MAX : value < INT64_MIN ? INT64_MIN : (int64_t)value;
}

void row_amend(const struct rulebook *book, struct scalar *row)
{
    row[0].whole = bounded((int128)row[0].whole + book->shift_ms);
    for (int i = 1; i < book->scanned; i++)
        if (book->facts[i].step && row[i].present)
            row[i].whole = row[i].whole / book->facts[i].step * book->facts[i].step;
}
