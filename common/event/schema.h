/* common/event/schema.h - the fields that a plan needs from an event, and their types.
 *
 * A schema is made by plan_load (from "source" and "lookup") and read by everything else.
 * Column 0 is always the event time, in ms since the epoch. Columns 0 .. scanned - 1 are filled by
 * the scanner, columns scanned .. count - 1 by the look-up (strings). Open value, immutable after
 * it is made; any thread. */
#ifndef LK_EVENT_SCHEMA_H
#define LK_EVENT_SCHEMA_H

#include "common/base/bytes.h"

enum { FIELD_PATH_MAX = 8, FIELD_ALIAS_MAX = 8, SCHEMA_FIELDS_MAX = 64, DECIMAL_SCALE_MAX = 18 };

enum field_type {
    FIELD_TIME,    /* int64, ms since the epoch */
    FIELD_INT,     /* int64 */
    FIELD_DECIMAL, /* int64, value * 10^scale, exact; one that does not fit is a bad event */
    FIELD_DOUBLE,  /* finite */
    FIELD_STRING,  /* UTF-8 */
    FIELD_BOOL,    /* int64, 0 or 1 */
};

enum time_format {
    TIME_MS, /* numbers, or digits in a string */
    TIME_S,
    TIME_US,
    TIME_RFC3339,  /* 2001-01-01T00:01:02.345Z, also with an offset */
    TIME_STRPTIME, /* a strptime format; UTC */
};

/* Where a field stands: "bid.at" is {"bid", "at"}. */
struct field_path {
    struct bytes part[FIELD_PATH_MAX];
    int depth;
};

struct field {
    const char *name; /* as the plan says it; the path's text unless renamed */
    enum field_type type;
    int scale; /* FIELD_DECIMAL: 0 .. DECIMAL_SCALE_MAX */
    /* Tried in this order; the first that stands in the event counts. path[0] is the name's. */
    struct field_path path[1 + FIELD_ALIAS_MAX];
    int paths;
    bool optional;    /* absent is allowed, and stays absent */
    bool has_default; /* absent becomes default_*; JSON null counts as absent everywhere */
    int64_t default_int;
    double default_double;
    struct bytes default_string;
    /* What a sloppy speed layer does to a value once it is read (common/plan/plan_speed.c). */
    int64_t shift_ms; /* FIELD_TIME: added; what an int64 cannot hold becomes its bound */
    int64_t step;     /* INT, DECIMAL (scaled): cut off to a multiple of it, towards 0; 0: not */
    enum time_format time_format; /* FIELD_TIME */
    const char *time_pattern;     /* TIME_STRPTIME */
};

struct schema {
    struct field *fields; /* owned by whoever made the schema (the plan's arena) */
    int scanned, count;
};

/* Index of the field called name, or -1. */
int schema_find(const struct schema *schema, const char *name);
/* Split "a.b.c" into path (pieces point into text); false if a piece is empty or there are too many. */
bool field_path_parse(const char *text, struct field_path *path);
const char *field_type_name(enum field_type type);

#endif
