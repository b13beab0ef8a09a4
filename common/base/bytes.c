/* common/base/bytes.c - see bytes.h. */
#include "common/base/bytes.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/err.h"

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

void buf_reserve(struct buf *buf, size_t more)
{
    if (buf->len + more + 1 <= buf->capacity)
        return;
    size_t capacity = buf->capacity ? buf->capacity : 64;
    while (capacity < buf->len + more + 1)
        capacity *= 2;
    buf->ptr = mem_grow(buf->ptr, capacity);
    buf->capacity = capacity;
}

void buf_add(struct buf *buf, const void *ptr, size_t len)
{
    buf_reserve(buf, len);
    if (len)
        memcpy(buf->ptr + buf->len, ptr, len);
    buf->len += len;
    buf->ptr[buf->len] = 0;
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_add_char(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int need = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(need >= 0);
    buf_reserve(buf, (size_t)need);
    va_start(args, format);
    vsnprintf(buf->ptr + buf->len, (size_t)need + 1, format, args);
    va_end(args);
    buf->len += (size_t)need;
}

void buf_add_json_string(struct buf *buf, struct bytes text)
{
    buf_add_char(buf, '"');
    size_t plain = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_add(buf, text.ptr + plain, i - plain);
        plain = i + 1;
        if (c == '"' || c == '\\') {
            buf_add_char(buf, '\\');
            buf_add_char(buf, (char)c);
        } else {
            buf_printf(buf, "\\u%04x", c);
        }
    }
    buf_add(buf, text.ptr + plain, text.len - plain);
    buf_add_char(buf, '"');
}

void buf_add_int64(struct buf *buf, int64_t value)
{
    buf_add_int128(buf, value);
}

/* Digits of a magnitude into the end of digits; returns where they begin. */
static char *digits_of(uint128 magnitude, char *end)
{
    while (magnitude > UINT64_MAX) {
        *--end = (char)('0' + (int)(magnitude % 10));
        magnitude /= 10;
    }
    uint64_t rest = (uint64_t)magnitude;
    do {
        *--end = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest);
    return end;
}

void buf_add_int128(struct buf *buf, int128 value)
{
    buf_add_decimal(buf, value, 0);
}

void buf_add_decimal(struct buf *buf, int128 value, int scale)
{
    char digits[96];
    char *end = digits + sizeof digits;
    uint128 magnitude = value < 0 ? -(uint128)value : (uint128)value;
    char *begin = digits_of(magnitude, end);
    while (end - begin <= scale)
        *--begin = '0';
    if (value < 0)
        buf_add_char(buf, '-');
    buf_add(buf, begin, (size_t)(end - begin - scale));
    if (scale == 0)
        return;
    buf_add_char(buf, '.');
    buf_add(buf, end - scale, (size_t)scale);
}

void buf_add_double(struct buf *buf, double value)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buf_add_text(buf, text);
    if (!strpbrk(text, ".en"))
        buf_add_text(buf, ".0");
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
}

void buf_release(struct buf *buf)
{
    free(buf->ptr);
    *buf = (struct buf){0};
}

bool bytes_to_int128(struct bytes text, int128 *out)
{
    size_t i = text.len > 0 && text.ptr[0] == '-';
    bool negative = i == 1;
    if (i == text.len)
        return false;
    uint128 limit = (uint128)1 << 127;
    uint128 magnitude = 0;
    for (; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.ptr[i] - '0';
        if (digit > 9 || magnitude > (limit - digit) / 10)
            return false;
        magnitude = magnitude * 10 + digit;
    }
    if (!negative && magnitude == limit)
        return false;
    *out = negative ? (int128)-magnitude : (int128)magnitude;
    return true;
}

bool bytes_to_int64(struct bytes text, int64_t *out)
{
    int128 wide;
    if (!bytes_to_int128(text, &wide) || wide < INT64_MIN || wide > INT64_MAX)
        return false;
    *out = (int64_t)wide;
    return true;
}

static const struct {
    const char *unit;
    int64_t ms;
} UNITS[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

bool duration_parse(struct bytes text, int64_t *out_ms)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    int64_t number;
    if (!bytes_to_int64((struct bytes){text.ptr, digits}, &number))
        return false;
    struct bytes unit = {text.ptr + digits, text.len - digits};
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++)
        if (bytes_equal(unit, bytes_of(UNITS[i].unit)))
            return !__builtin_mul_overflow(number, UNITS[i].ms, out_ms);
    return false;
}

void buf_add_duration(struct buf *buf, int64_t ms)
{
    size_t best = 0;
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++)
        if (ms != 0 && ms % UNITS[i].ms == 0)
            best = i;
    if (ms == 0)
        best = 1;
    buf_printf(buf, "%lld%s", (long long)(ms / UNITS[best].ms), UNITS[best].unit);
}
