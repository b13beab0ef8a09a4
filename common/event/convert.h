/* common/event/convert.h - one raw value -> one cell of a column, by the field's type.
 *
 * Internal to common/event. Numbers are JSON numbers, bare or in a string:
 *   int       no fraction, no exponent, 64 bit
 *   decimal   no exponent, at most `scale` digits behind the point, value * 10^scale within 64 bit
 *   double    any that is finite
 *   time      TIME_MS, S, US: as int; the others: text in a string, a date that exists, UTC
 * A string in which a number or a time stands may hold escapes. A bool is true or false. */
#ifndef LK_EVENT_CONVERT_H
#define LK_EVENT_CONVERT_H

#include "common/event/scan.h"

enum { TIME_SHAPE_MAX = 40 };

/* A time pattern of fixed width, written out: "YYYY-mm-ddTHH:MMZ", with a code of 1 .. 6 (year ..
 * second) where a digit stands. len is 0 for any other pattern. */
struct time_shape {
    char text[TIME_SHAPE_MAX];
    size_t len;
    bool has[6]; /* which parts of a date it gives */
};

struct converter {
    const struct field *field;
    struct time_shape shape; /* of TIME_STRPTIME */
};

void converter_init(struct converter *converter, const struct field *field);
/* Store value (or the default, or absence) in row of column; BAD_NOT or why it cannot be. */
enum bad_reason convert(const struct converter *converter, const struct raw_value *value,
                        struct column *column, int row, struct arena *text);

/* Text of a time -> ms since the epoch; false if it is none. */
bool time_rfc3339(struct bytes text, int64_t *ms);
void time_shape_init(struct time_shape *shape, const char *pattern);
bool time_strptime(struct bytes text, const char *pattern, const struct time_shape *shape,
                   int64_t *ms);

#endif
