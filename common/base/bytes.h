/* common/base/bytes.h - a view of bytes (borrowed) and a growing buffer (owned).
 *
 * struct bytes never owns; NUL may stand inside. struct buf is an open value: zero it to start,
 * buf_release to end; its bytes are always followed by a NUL that len does not count. */
#ifndef LK_BASE_BYTES_H
#define LK_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

__extension__ typedef __int128 int128;           /* sums, decimals: exact */
__extension__ typedef unsigned __int128 uint128; /* digests */

struct bytes {
    const char *ptr;
    size_t len;
};

static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){text, strlen(text)};
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* memcmp order, a prefix before what it begins. */
int bytes_compare(struct bytes a, struct bytes b);

struct buf {
    char *ptr;
    size_t len, capacity;
};

void buf_reserve(struct buf *buf, size_t more);
void buf_add(struct buf *buf, const void *ptr, size_t len);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* text as a JSON string with its quotes: escapes what RFC 8259 demands, nothing more. */
void buf_add_json_string(struct buf *buf, struct bytes text);
void buf_add_int64(struct buf *buf, int64_t value);
void buf_add_int128(struct buf *buf, int128 value);
/* value / 10^scale with exactly scale digits after the point: -1.50 for (-150, 2). */
void buf_add_decimal(struct buf *buf, int128 value, int scale);
/* The shortest text that reads back as value; integral values below 1e15 as "3.0". */
void buf_add_double(struct buf *buf, double value);
void buf_clear(struct buf *buf); /* len = 0, memory kept */
void buf_release(struct buf *buf);
static inline struct bytes buf_bytes(const struct buf *buf)
{
    return (struct bytes){buf->ptr, buf->len};
}

/* Read a decimal integer that is all of text; false if it is not one or does not fit. */
bool bytes_to_int64(struct bytes text, int64_t *out);
bool bytes_to_int128(struct bytes text, int128 *out);

/* "250ms" "10s" "5m" "1h" "7d" -> ms; false if text is not a duration. */
bool duration_parse(struct bytes text, int64_t *out_ms);
/* ms as the shortest duration text, such as 90m or 1500ms. */
void buf_add_duration(struct buf *buf, int64_t ms);

#endif
