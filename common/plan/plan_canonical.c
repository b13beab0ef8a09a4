/* common/plan/plan_canonical.c - JSON in one form only: members sorted, no blanks, numbers
 * shortest.
 *
 * jansson would write 0.1 with the 17 digits of its double; an exact reader of the stored plan must
 * find the digits that the author meant. */
#include <math.h>
#include <stdlib.h>

#include "common/plan/plan_check.h"

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_object(json_t *object, struct buf *out)
{
    size_t count = 0;
    const char **names = mem_zero(json_object_size(object) + 1, sizeof *names);
    const char *name;
    json_t *value;
    json_object_foreach (object, name, value)
        names[count++] = name;
    qsort(names, count, sizeof *names, by_text);
    buf_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        buf_add_text(out, i ? "," : "");
        buf_add_json_string(out, bytes_of(names[i]));
        buf_add_char(out, ':');
        plan_canonical(json_object_get(object, names[i]), out);
    }
    buf_add_char(out, '}');
    free(names);
}

static void add_array(json_t *array, struct buf *out)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        buf_add_text(out, i ? "," : "");
        plan_canonical(json_array_get(array, i), out);
    }
    buf_add_char(out, ']');
}

/* 3.0 as 3: wherever a plan takes the one it takes the other, and means the same. */
static void add_real(double value, struct buf *out)
{
    if (fabs(value) < 1e15 && value == floor(value))
        buf_add_int64(out, (int64_t)value);
    else
        buf_add_double(out, value);
}

void plan_canonical(json_t *value, struct buf *out)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        add_object(value, out);
        break;
    case JSON_ARRAY:
        add_array(value, out);
        break;
    case JSON_STRING:
        buf_add_json_string(out, bytes_of(json_string_value(value)));
        break;
    case JSON_INTEGER:
        buf_add_int64(out, json_integer_value(value));
        break;
    case JSON_REAL:
        add_real(json_real_value(value), out);
        break;
    default:
        buf_add_text(out, json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null");
    }
}
