/* workloads/oracle_scalar.c - one field of an event, from its JSON text to an exact value.
 *
 * Numbers may stand in a string, and then follow the same grammar. Ints have neither fraction nor
 * exponent; a decimal of scale S has at most S digits after the point and is kept as value * 10^S;
 * only doubles are rounded, by strtod. JSON null is absence, everywhere. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "workloads/oracle_parts.h"

/* The text of a number, in a string or not; len 0: the node holds none. */
static struct bytes numeric_text(const struct exact *exact, const json_t *node)
{
    struct bytes text = {NULL, 0};
    if (json_is_integer(node))
        text = exact_number(exact, node);
    else if (json_is_string(node))
        text = (struct bytes){json_string_value(node), json_string_length(node)};
    return number_valid(text) ? text : (struct bytes){NULL, 0};
}

/* value * 10^scale of a number without exponent; false: more digits than that, or beyond int64. */
static bool read_decimal(struct bytes number, int scale, int64_t *out)
{
    bool negative = number.len && number.ptr[0] == '-';
    int fraction = -1; /* digits met behind the point; -1: no point yet */
    int128 value = 0;
    for (size_t i = negative; i < number.len; i++) {
        if (number.ptr[i] == '.' && fraction < 0) {
            fraction = 0;
            continue;
        }
        if (!isdigit((unsigned char)number.ptr[i]) || value > INT64_MAX)
            return false;
        value = value * 10 + (number.ptr[i] - '0');
        fraction += fraction >= 0;
    }
    if (number.len == 0 || fraction > scale || (scale == 0 && fraction >= 0))
        return false;
    for (int i = fraction < 0 ? 0 : fraction; i < scale; i++) {
        if (value > INT64_MAX)
            return false;
        value *= 10;
    }
    value = negative ? -value : value;
    *out = (int64_t)value;
    return value >= INT64_MIN && value <= INT64_MAX;
}

static bool read_double(struct bytes number, double *out)
{
    char *text = strndup(number.ptr ? number.ptr : "", number.len);
    *out = strtod(text, NULL);
    free(text);
    return number.len && isfinite(*out);
}

/* n digits at *at, which moves behind them. */
static bool digits(const char **at, int n, int *out)
{
    *out = 0;
    for (int i = 0; i < n; i++, ++*at) {
        if (!isdigit((unsigned char)**at))
            return false;
        *out = *out * 10 + (**at - '0');
    }
    return true;
}

static bool one_of(const char **at, const char *chars)
{
    bool found = **at && strchr(chars, **at);
    *at += found;
    return found;
}

/* Ms since the epoch of a UTC calendar time that exists: timegm leaves it as it is. */
static bool calendar_ms(const struct tm *tm, int64_t *out_ms)
{
    struct tm copy = *tm;
    *out_ms = (int64_t)timegm(&copy) * 1000;
    return copy.tm_mon == tm->tm_mon && copy.tm_mday == tm->tm_mday &&
           copy.tm_hour == tm->tm_hour && copy.tm_min == tm->tm_min && copy.tm_sec == tm->tm_sec;
}

/* 2001-01-01T00:01:02.345Z or ...+01:30; digits beyond the millisecond are cut off. */
static bool read_rfc3339(const char *at, int64_t *out_ms)
{
    struct tm tm = {0};
    int year, month, thousandth = 0, hours = 0, minutes = 0;
    if (!digits(&at, 4, &year) || !one_of(&at, "-") || !digits(&at, 2, &month) ||
        !one_of(&at, "-") || !digits(&at, 2, &tm.tm_mday) || !one_of(&at, "Tt ") ||
        !digits(&at, 2, &tm.tm_hour) || !one_of(&at, ":") || !digits(&at, 2, &tm.tm_min) ||
        !one_of(&at, ":") || !digits(&at, 2, &tm.tm_sec))
        return false;
    if (one_of(&at, ".")) {
        if (!isdigit((unsigned char)*at))
            return false;
        for (int unit = 100; isdigit((unsigned char)*at); at++, unit /= 10)
            thousandth += (*at - '0') * unit;
    }
    int sign = *at == '-' ? -1 : 1;
    if (!one_of(&at, "Zz") && (!one_of(&at, "+-") || !digits(&at, 2, &hours) || !one_of(&at, ":") ||
                               !digits(&at, 2, &minutes)))
        return false;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    if (*at || hours > 23 || minutes > 59 || !calendar_ms(&tm, out_ms))
        return false;
    *out_ms += thousandth - sign * (hours * 60 + minutes) * 60000LL;
    return true;
}

static bool read_strptime(const char *text, const char *pattern, int64_t *out_ms)
{
    struct tm tm = {.tm_mday = 1};
    tm.tm_year = 70;
    const char *end = strptime(text, pattern, &tm);
    if (!end || *end || !calendar_ms(&tm, out_ms))
        return false;
    *out_ms -= tm.tm_gmtoff * 1000; /* %z */
    return true;
}

static const struct {
    const char *name;
    int64_t multiply, divide;
} UNITS[] = {{"ms", 1, 1}, {"s", 1000, 1}, {"us", 1, 1000}};

static bool read_time(const struct fact *fact, const struct exact *exact, const json_t *node,
                      int64_t *out_ms)
{
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        if (strcmp(fact->time_format, UNITS[i].name) != 0)
            continue;
        int64_t number;
        if (!read_decimal(numeric_text(exact, node), 0, &number))
            return false;
        int64_t below = number % UNITS[i].divide < 0; /* towards the past, also before 1970 */
        return !__builtin_mul_overflow(number / UNITS[i].divide - below, UNITS[i].multiply, out_ms);
    }
    const char *text = json_string_value(node);
    if (!text || strlen(text) != json_string_length(node))
        return false;
    if (strcmp(fact->time_format, "rfc3339") == 0)
        return read_rfc3339(text, out_ms);
    return read_strptime(text, fact->time_format, out_ms);
}

bool scalar_read(const struct fact *fact, const struct exact *exact, const json_t *node,
                 struct scalar *out)
{
    *out = (struct scalar){0};
    if (!node || json_is_null(node))
        return true;
    out->present = true;
    switch (fact->kind) {
    case KIND_TIME:
        return read_time(fact, exact, node, &out->whole);
    case KIND_INT:
    case KIND_DECIMAL:
        return read_decimal(numeric_text(exact, node), fact->scale, &out->whole);
    case KIND_DOUBLE:
        return read_double(numeric_text(exact, node), &out->real);
    case KIND_STRING:
        out->text = (struct bytes){json_string_value(node), json_string_length(node)};
        return json_is_string(node);
    case KIND_BOOL:
        out->whole = json_is_true(node);
        return json_is_boolean(node);
    }
    return false;
}

static const json_t *follow_path(const json_t *node, char *const *names)
{
    for (; *names && node; names++)
        node = json_object_get(node, *names);
    return json_is_null(node) ? NULL : node;
}

bool scalar_find(const struct fact *fact, const struct exact *exact, struct scalar *out)
{
    const json_t *node = NULL;
    for (int i = 0; i < fact->path_count && !node; i++)
        node = follow_path(exact->root, fact->paths[i]);
    if (!scalar_read(fact, exact, node, out))
        return false;
    if (!out->present)
        *out = fact->fallback;
    return out->present || fact->optional;
}

void scalar_json(const struct fact *fact, const struct scalar *scalar, struct buf *out)
{
    if (!scalar->present)
        buf_add_text(out, "null");
    else if (fact->kind == KIND_STRING)
        buf_add_json_string(out, scalar->text);
    else if (fact->kind == KIND_BOOL)
        buf_add_text(out, scalar->whole ? "true" : "false");
    else if (fact->kind == KIND_DOUBLE)
        buf_add_double(out, scalar->real);
    else
        buf_add_decimal(out, scalar->whole, fact->scale);
}

int scalar_compare(const struct fact *fact, const struct scalar *a, const struct scalar *b)
{
    if (fact->kind == KIND_STRING)
        return bytes_compare(a->text, b->text);
    if (fact->kind == KIND_DOUBLE)
        return (a->real > b->real) - (a->real < b->real);
    return (a->whole > b->whole) - (a->whole < b->whole);
}
