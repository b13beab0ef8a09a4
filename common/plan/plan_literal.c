/* common/plan/plan_literal.c - reads a constant of a plan as a value of a field's type, exactly. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/plan/plan_check.h"

static const char *const WANTED[] = {
    [FIELD_TIME] = "a time in ms since 1970",
    [FIELD_INT] = "an integer",
    [FIELD_DECIMAL] = "a number (or one in a string) that fits the field's digits",
    [FIELD_DOUBLE] = "a number",
    [FIELD_STRING] = "a text",
    [FIELD_BOOL] = "true or false",
};

const char *check_literal_wanted(const struct field *field)
{
    return WANTED[field->type];
}

/* -?digits[.digits], at most scale digits after the point, to value * 10^scale. */
static bool decimal_of_text(const char *text, int scale, int64_t *out)
{
    char digits[48];
    size_t whole = strspn(text, "-0123456789");
    const char *after = text[whole] == '.' ? text + whole + 1 : "";
    size_t parts = strspn(after, "0123456789");
    bool pointed = text[whole] == '.';
    if (after[parts] || (!pointed && text[whole]) || (pointed && parts == 0))
        return false;
    if (parts > (size_t)scale || whole + (size_t)scale >= sizeof digits)
        return false;
    if (whole == 0 || text[whole - 1] == '-') /* ".5" and "-.5" are not JSON numbers either */
        return false;
    memcpy(digits, text, whole);
    memcpy(digits + whole, after, parts);
    memset(digits + whole + parts, '0', (size_t)scale - parts);
    return bytes_to_int64((struct bytes){digits, whole + (size_t)scale}, out);
}

/* jansson has made a double of the text; up to 15 digits that is undone without loss. */
static bool decimal_of_real(double value, int scale, int64_t *out)
{
    char text[400];
    if (fabs(value) * pow(10, scale) >= 1e15)
        return false;
    snprintf(text, sizeof text, "%.*f", scale, value);
    if (strtod(text, NULL) != value)
        return false;
    return decimal_of_text(text, scale, out);
}

static bool read_decimal(const json_t *value, int scale, int64_t *out)
{
    if (json_is_string(value))
        return decimal_of_text(json_string_value(value), scale, out);
    if (json_is_real(value))
        return decimal_of_real(json_real_value(value), scale, out);
    if (!json_is_integer(value))
        return false;
    int64_t scaled = json_integer_value(value);
    for (int i = 0; i < scale; i++)
        if (__builtin_mul_overflow(scaled, 10, &scaled))
            return false;
    *out = scaled;
    return true;
}

static bool read_literal(struct check *check, const json_t *value, const struct field *field,
                         struct literal *out)
{
    switch (field->type) {
    case FIELD_TIME:
    case FIELD_INT:
        out->i64 = json_integer_value(value);
        return json_is_integer(value);
    case FIELD_DECIMAL:
        return read_decimal(value, field->scale, &out->i64);
    case FIELD_DOUBLE:
        out->f64 = json_number_value(value);
        return json_is_number(value);
    case FIELD_BOOL:
        out->i64 = json_is_true(value);
        return json_is_boolean(value);
    case FIELD_STRING:
        if (json_is_string(value))
            out->str = bytes_of(arena_string(check->arena, json_string_value(value)));
        return json_is_string(value);
    }
    return false;
}

bool check_literal(struct check *check, const struct at *at, const json_t *value,
                   const struct field *field, struct literal *out)
{
    *out = (struct literal){0};
    if (check_type_unknown(field) || read_literal(check, value, field, out))
        return true;
    if (field->type == FIELD_DECIMAL)
        check_mistake(check, at, value,
                      "a number with at most %d digits after the point (beyond 15 digits in all: "
                      "in a string)",
                      field->scale);
    else
        check_mistake(check, at, value, "%s", check_literal_wanted(field));
    return false;
}
