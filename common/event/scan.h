/* common/event/scan.h - the JSON field scanner: one object in, the wanted fields out.
 *
 * Accepts exactly what RFC 8259 allows (objects at the top; valid UTF-8; lone surrogates refused;
 * nesting up to SCAN_DEPTH_MAX), and checks the whole text, not only what it takes. Unknown fields
 * are skipped, of duplicates the last wins. No DOM, no allocation per event.
 * How: the shape of the event before (key bytes and their order) is guessed and verified; where
 * the guess fails, a mask scanner (AVX2) reads the event, and where the machine has no AVX2 a
 * plain C one. All three give the same answers (tests/common/event, tests/fuzz). */
#ifndef LK_EVENT_SCAN_H
#define LK_EVENT_SCAN_H

#include "common/event/columns.h"

enum { SCAN_DEPTH_MAX = 2048 };

/* Which paths a scanner may use; tests and `lk bench` choose, everybody else says SCAN_BEST. */
enum scan_path { SCAN_BEST, SCAN_PLAIN, SCAN_MASK };

enum raw_kind {
    RAW_ABSENT,
    RAW_NULL,
    RAW_TRUE,
    RAW_FALSE,
    RAW_NUMBER,
    RAW_STRING,
    RAW_OBJECT,
    RAW_ARRAY
};

/* One field as it stands in the text. */
struct raw_value {
    enum raw_kind kind;
    bool escaped;      /* RAW_STRING: text still holds escapes */
    struct bytes text; /* borrowed from the event; a string without its quotes */
};

struct scanner; /* opaque; one thread */

/* schema is borrowed for the scanner's life. */
struct scanner *scanner_new(const struct schema *schema, enum scan_path path);
void scanner_free(struct scanner *scanner);

/* Scan n (<= COLUMNS_ROWS_MAX) events into out, which is cleared first: rows 0 .. n - 1, columns
 * 0 .. scanned - 1, bad and bad_field. Strings borrow from values or from out->text.
 * A value may be {NULL, 0}: it is BAD_JSON. Bytes beyond a value's end are never read. */
void scanner_batch(struct scanner *scanner, const struct bytes *values, int n, struct columns *out);

/* One event, untyped: out[i] for path[0] of field i (aliases tried in turn). Returns BAD_NOT,
 * BAD_JSON or BAD_NOT_OBJECT; *at (may be NULL) is the offset of the first wrong byte. */
enum bad_reason scanner_raw(struct scanner *scanner, struct bytes value, struct raw_value *out,
                            size_t *at);

/* Append the unescaped bytes of a RAW_STRING. */
void raw_unescape(struct raw_value value, struct buf *out);

#endif
