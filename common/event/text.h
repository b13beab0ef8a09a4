/* common/event/text.h - the pieces of JSON text: escapes, UTF-8, numbers, literals.
 *
 * Internal to common/event. Every function reads [at, end) only and returns the first byte behind
 * the piece, or NULL with *wrong at the first byte that cannot stand there (end: cut short). */
#ifndef LK_EVENT_TEXT_H
#define LK_EVENT_TEXT_H

#include "common/event/scan.h"

static inline bool text_is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool text_is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* Inside a string, at a byte that is not plain (a backslash, a control character, or above 0x7f):
 * step over it and all that follow it. */
const char *text_odd(const char *at, const char *end, const char **wrong);
/* A number, true, false or null; *kind says which. at < end. */
const char *text_bare(const char *at, const char *end, enum raw_kind *kind, const char **wrong);

/* Is all of text one JSON number? */
bool text_is_number(struct bytes text);

/* Length of what stands first in a valid string: an escape (a surrogate pair is one) or a byte. */
size_t text_escape_len(struct bytes text);

/* Write the bytes that a valid escaped string means; they never take more room than it. Returns
 * how many. */
size_t text_unescape(struct bytes text, char *out);

#endif
