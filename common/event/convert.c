/* common/event/convert.c - see convert.h: numbers, strings and bools, exact or refused. */
#include "common/event/convert.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/err.h"
#include "common/event/text.h"

void converter_init(struct converter *converter, const struct field *field)
{
    *converter = (struct converter){.field = field};
    if (field->type == FIELD_TIME && field->time_format == TIME_STRPTIME)
        time_shape_init(&converter->shape, field->time_pattern);
}

/* What a string means; where it holds escapes, a copy in arena. */
static struct bytes plain_text(const struct raw_value *value, struct arena *arena)
{
    if (!value->escaped)
        return value->text;
    char *copy = arena_alloc(arena, value->text.len);
    return (struct bytes){copy, text_unescape(value->text, copy)};
}

/* The digits of a JSON number, bare or in a string. */
static bool number_text(const struct raw_value *value, struct arena *arena, struct bytes *out)
{
    if (value->kind == RAW_NUMBER) {
        *out = value->text;
        return true;
    }
    if (value->kind != RAW_STRING)
        return false;
    *out = plain_text(value, arena);
    return text_is_number(*out);
}

/* Eight digits at once (after Lemire, "Quickly parsing eight digits"); false if one is none. */
static bool eight_digits(const char *at, uint64_t *out)
{
    uint64_t text;
    memcpy(&text, at, sizeof text);
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
        text = __builtin_bswap64(text);
    uint64_t digits = text - 0x3030303030303030;
    if (((digits + 0x7676767676767676) | digits) & 0x8080808080808080)
        return false;
    digits = digits * 10 + (digits >> 8);
    const uint64_t mask = 0x000000ff000000ff;
    *out = ((digits & mask) * (100 + (1000000ULL << 32)) +
            ((digits >> 16) & mask) * (1 + (10000ULL << 32))) >>
           32;
    return true;
}

/* The usual integer: 1 .. 18 digits, perhaps a minus before them. False says nothing about text. */
static bool brief_int(struct bytes text, int64_t *out)
{
    enum { EIGHT = 8, DIGITS_MAX = 18 };
    bool negative = text.len > 0 && text.ptr[0] == '-';
    const char *at = text.ptr + negative, *end = text.ptr + text.len;
    uint64_t value = 0;
    if (at == end || end - at > DIGITS_MAX || (*at == '0' && end - at > 1))
        return false;
    if (end - at >= EIGHT && eight_digits(at, &value))
        at += EIGHT;
    for (; at < end; at++) {
        unsigned digit = (unsigned char)*at - '0';
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

/* A JSON number without exponent * 10^scale; false if it has more digits or does not fit. */
static bool scaled(struct bytes text, int scale, int64_t *out)
{
    bool negative = text.ptr[0] == '-', fraction = false;
    uint64_t limit = (uint64_t)INT64_MAX + negative, magnitude = 0;
    int missing = scale;
    for (size_t i = negative; i < text.len; i++) {
        if (text.ptr[i] == '.' && scale > 0) {
            fraction = true;
            continue;
        }
        unsigned digit = (unsigned char)text.ptr[i] - '0';
        if (digit > 9 || (fraction && missing-- == 0) || magnitude > (limit - digit) / 10)
            return false;
        magnitude = magnitude * 10 + digit;
    }
    for (; missing > 0; missing--)
        if (__builtin_mul_overflow(magnitude, 10, &magnitude) || magnitude > limit)
            return false;
    *out = (int64_t)(negative ? -magnitude : magnitude);
    return true;
}

/* The double nearest to a JSON number; false if that is infinite. */
static bool real(struct bytes text, double *out)
{
    char brief[64];
    char *copy = text.len < sizeof brief ? brief : mem_alloc(text.len + 1);
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    *out = strtod(copy, NULL);
    if (copy != brief)
        free(copy);
    return isfinite(*out);
}

/* *ms is a count of seconds, ms or us since the epoch: make it ms, rounded down. */
static bool epoch_ms(enum time_format format, int64_t *ms)
{
    if (format == TIME_S)
        return !__builtin_mul_overflow(*ms, 1000, ms);
    if (format == TIME_US)
        *ms = *ms / 1000 - (*ms % 1000 < 0);
    return true;
}

/* A number without fraction or exponent, bare or in a string. */
static bool whole(const struct raw_value *value, struct arena *arena, int64_t *out)
{
    struct bytes text;
    if ((value->kind == RAW_NUMBER || value->kind == RAW_STRING) && brief_int(value->text, out))
        return true;
    return number_text(value, arena, &text) && scaled(text, 0, out);
}

static bool time_value(const struct converter *converter, const struct raw_value *value,
                       struct arena *arena, int64_t *ms)
{
    const struct field *field = converter->field;
    if (field->time_format <= TIME_US)
        return whole(value, arena, ms) && epoch_ms(field->time_format, ms);
    if (value->kind != RAW_STRING)
        return false;
    struct bytes text = plain_text(value, arena);
    if (field->time_format == TIME_RFC3339)
        return time_rfc3339(text, ms);
    return time_strptime(text, field->time_pattern, &converter->shape, ms);
}

static enum bad_reason absent(const struct field *field, struct column *column, int row)
{
    column->present[row] = field->has_default;
    if (!field->has_default)
        return field->optional ? BAD_NOT : BAD_MISSING;
    if (field->type == FIELD_STRING)
        column->str[row] = field->default_string;
    else if (field->type == FIELD_DOUBLE)
        column->f64[row] = field->default_double;
    else
        column->i64[row] = field->default_int;
    return BAD_NOT;
}

static bool typed(const struct converter *converter, const struct raw_value *value,
                  struct column *column, int row, struct arena *arena)
{
    struct bytes text;
    switch (column->type) {
    case FIELD_TIME:
        return time_value(converter, value, arena, &column->i64[row]);
    case FIELD_INT:
        return whole(value, arena, &column->i64[row]);
    case FIELD_DECIMAL:
        return number_text(value, arena, &text) &&
               scaled(text, converter->field->scale, &column->i64[row]);
    case FIELD_DOUBLE:
        return number_text(value, arena, &text) && real(text, &column->f64[row]);
    case FIELD_STRING:
        if (value->kind == RAW_STRING)
            column->str[row] = plain_text(value, arena);
        return value->kind == RAW_STRING;
    case FIELD_BOOL:
        column->i64[row] = value->kind == RAW_TRUE;
        return value->kind == RAW_TRUE || value->kind == RAW_FALSE;
    }
    return false;
}

enum bad_reason convert(const struct converter *converter, const struct raw_value *value,
                        struct column *column, int row, struct arena *text)
{
    if (value->kind == RAW_ABSENT || value->kind == RAW_NULL)
        return absent(converter->field, column, row);
    column->present[row] = 1;
    if (typed(converter, value, column, row, text))
        return BAD_NOT;
    return column->type == FIELD_TIME ? BAD_TIME : BAD_TYPE;
}
