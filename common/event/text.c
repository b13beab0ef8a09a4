/* common/event/text.c - see text.h: RFC 8259's strings, numbers and literals, byte by byte. */
#include "common/event/text.h"

static int hex_digit(char c)
{
    if (text_is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX at `at`; -1 with *wrong set where they are not four digits. */
static int hex_four(const char *at, const char *end, const char **wrong)
{
    int value = 0;
    for (int i = 0; i < 4; i++, at++) {
        int digit = at < end ? hex_digit(*at) : -1;
        if (digit < 0) {
            *wrong = at;
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* A \u escape; a high surrogate must be followed by the escape of a low one, and none may stand
 * alone. */
static const char *step_unicode(const char *at, const char *end, const char **wrong)
{
    int unit = hex_four(at + 2, end, wrong);
    if (unit < 0)
        return NULL;
    if (unit < 0xd800 || unit > 0xdfff)
        return at + 6;
    const char *low = at + 6;
    *wrong = at;
    if (unit > 0xdbff || end - low < 2 || low[0] != '\\' || low[1] != 'u')
        return NULL;
    int second = hex_four(low + 2, end, wrong);
    if (second < 0)
        return NULL;
    *wrong = at;
    return second >= 0xdc00 && second <= 0xdfff ? low + 6 : NULL;
}

static const char *step_escape(const char *at, const char *end, const char **wrong)
{
    *wrong = at + 1;
    if (at + 1 == end)
        return NULL;
    if (at[1] == 'u')
        return step_unicode(at, end, wrong);
    return at[1] && strchr("\"\\/bfnrt", at[1]) ? at + 2 : NULL;
}

/* Lead bytes of UTF-8 by range: how many bytes follow, and the range of the first that follows
 * (which shuts out overlong forms, surrogates and all above U+10FFFF). */
static const struct {
    unsigned char from, to, more, low, high;
} LEADS[] = {
    {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf}, {0xe1, 0xec, 2, 0x80, 0xbf},
    {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf},
    {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

static const char *step_utf8(const char *at, const char *end, const char **wrong)
{
    const unsigned char *byte = (const unsigned char *)at;
    *wrong = at;
    for (size_t i = 0; i < sizeof LEADS / sizeof *LEADS; i++) {
        if (byte[0] < LEADS[i].from || byte[0] > LEADS[i].to)
            continue;
        int more = LEADS[i].more;
        if (end - at <= more || byte[1] < LEADS[i].low || byte[1] > LEADS[i].high)
            return NULL;
        for (int k = 2; k <= more; k++)
            if ((byte[k] & 0xc0) != 0x80)
                return NULL;
        return at + more + 1;
    }
    return NULL;
}

const char *text_odd(const char *at, const char *end, const char **wrong)
{
    while (at < end) {
        if (*at == '\\')
            at = step_escape(at, end, wrong);
        else if ((signed char)*at < 0)
            at = step_utf8(at, end, wrong);
        else
            break;
        if (!at)
            return NULL;
    }
    if (at < end && (unsigned char)*at < 0x20) {
        *wrong = at;
        return NULL;
    }
    return at;
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && text_is_digit(*at))
        at++;
    return at;
}

/* One digit or more. */
static const char *some_digits(const char *at, const char *end, const char **wrong)
{
    *wrong = at;
    return at < end && text_is_digit(*at) ? skip_digits(at, end) : NULL;
}

static const char *take_number(const char *at, const char *end, const char **wrong)
{
    if (at < end && *at == '-')
        at++;
    if (at < end && *at == '0')
        at++;
    else if (!(at = some_digits(at, end, wrong)))
        return NULL;
    if (at < end && *at == '.' && !(at = some_digits(at + 1, end, wrong)))
        return NULL;
    if (at == end || (*at | 0x20) != 'e')
        return at;
    at++;
    if (at < end && (*at == '+' || *at == '-'))
        at++;
    return some_digits(at, end, wrong);
}

static const char *literal(const char *at, const char *end, const char *word, const char **wrong)
{
    for (; *word; word++, at++) {
        if (at == end || *at != *word) {
            *wrong = at;
            return NULL;
        }
    }
    return at;
}

const char *text_bare(const char *at, const char *end, enum raw_kind *kind, const char **wrong)
{
    switch (*at) {
    case 't':
        *kind = RAW_TRUE;
        return literal(at, end, "true", wrong);
    case 'f':
        *kind = RAW_FALSE;
        return literal(at, end, "false", wrong);
    case 'n':
        *kind = RAW_NULL;
        return literal(at, end, "null", wrong);
    default:
        *kind = RAW_NUMBER;
        return take_number(at, end, wrong);
    }
}

bool text_is_number(struct bytes text)
{
    const char *wrong;
    const char *end = text.ptr + text.len;
    return text.len > 0 && take_number(text.ptr, end, &wrong) == end;
}

static size_t put_utf8(unsigned point, char *out)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const unsigned char LEAD[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(LEAD[more] | point >> (6 * more));
    for (int i = 1; i <= more; i++)
        out[i] = (char)(0x80 | (point >> (6 * (more - i)) & 0x3f));
    return (size_t)more + 1;
}

size_t text_escape_len(struct bytes text)
{
    if (text.ptr[0] != '\\')
        return 1;
    if (text.ptr[1] != 'u')
        return 2;
    const char *wrong;
    int unit = hex_four(text.ptr + 2, text.ptr + text.len, &wrong);
    return unit >= 0xd800 && unit <= 0xdbff ? 12 : 6;
}

/* The code point of the \u escape of len bytes at `at`. */
static unsigned unicode_escape(const char *at, size_t len)
{
    const char *wrong;
    unsigned unit = (unsigned)hex_four(at + 2, at + len, &wrong);
    if (len == 6)
        return unit;
    unsigned low = (unsigned)hex_four(at + 8, at + len, &wrong);
    return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

static char simple_escape(char letter)
{
    static const char FROM[] = "bfnrt", TO[] = "\b\f\n\r\t";
    const char *found = strchr(FROM, letter);
    if (!found)
        return letter;
    return TO[found - FROM];
}

size_t text_unescape(struct bytes text, char *out)
{
    char *to = out;
    for (size_t i = 0, len; i < text.len; i += len) {
        const char *at = text.ptr + i;
        len = text_escape_len((struct bytes){at, text.len - i});
        if (len == 1)
            *to++ = *at;
        else if (len == 2)
            *to++ = simple_escape(at[1]);
        else
            to += put_utf8(unicode_escape(at, len), to);
    }
    return (size_t)(to - out);
}
