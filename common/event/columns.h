/* common/event/columns.h - up to 4,096 events as columns, one array a field.
 *
 * Rows are events, in log order. The scanner fills them; operators read them through a selection
 * vector (row numbers, rising). Strings are borrowed: they point into the events' own bytes or
 * into text, good until columns_clear, or until the log's next read. Open value; one thread. */
#ifndef LK_EVENT_COLUMNS_H
#define LK_EVENT_COLUMNS_H

#include "common/base/arena.h"
#include "common/event/schema.h"

enum { COLUMNS_ROWS_MAX = 4096 };

enum bad_reason {
    BAD_NOT, /* a good event */
    BAD_JSON,
    BAD_NOT_OBJECT,
    BAD_MISSING, /* a field is absent that has neither default nor optional */
    BAD_TYPE,    /* a field's value is of another type, or does not fit it */
    BAD_TIME,    /* the event time cannot be read */
    BAD_AHEAD,   /* event time beyond log time + max_ahead (set by the fold, not by the scanner) */
    BAD_REASONS
};

struct column {
    enum field_type type;
    union {
        int64_t *i64;      /* FIELD_TIME, INT, DECIMAL, BOOL */
        double *f64;       /* FIELD_DOUBLE */
        struct bytes *str; /* FIELD_STRING */
    };
    uint8_t *present; /* 0 or 1 a row; the value is undefined where it is 0 */
};

struct columns {
    int rows;
    int count; /* of columns: schema->count */
    struct column *column;
    uint8_t *bad;       /* enum bad_reason a row; no column of a bad row may be read */
    uint8_t *bad_field; /* the field that was missing or mistyped */
    struct arena text;  /* unescaped strings */
};

/* Room for COLUMNS_ROWS_MAX rows of schema's fields. */
struct columns *columns_new(const struct schema *schema);
void columns_clear(struct columns *columns);
void columns_free(struct columns *columns);
/* "missing field \"origin\"": the reason of a bad row in words. schema may be NULL. */
void bad_describe(enum bad_reason reason, const struct schema *schema, int field, struct buf *out);

#endif
