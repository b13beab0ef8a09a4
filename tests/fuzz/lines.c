/* tests/fuzz/lines.c - see lines.h: one random stream gives a line's shape, another its values. */
#include "tests/fuzz/lines.h"

#include "common/base/rng.h"

enum { LINES_A_SHAPE = 8, DEPTH_MAX = 6, MEMBERS_MAX = 7 };
#define COUNT(array) (sizeof(array) / sizeof *(array))

struct maker {
    struct rng shape, value;
    struct buf *out;
};

/* Keys that the checks want, keys near them, and the same ones escaped. */
static const char *const KEYS[] = {
    "a",          "b",
    "c",          "d",
    "ad_id",      "event_type",
    "event_time", "user_id",
    "page_id",    "ad_type",
    "",           "aa",
    "ab",         "\\u0061",
    "\\u0062",    "a\\u0064_id",
    "\\\"a",      "a.b",
    "\xc3\xa9",   "\\u00e9",
    "A",          "event\\/time",
    "ip_address", "a\\nb",
};
static const char *const TEXTS[] = {
    "",
    "view",
    "click",
    "1.2.3.4",
    "0",
    "-17",
    "1431100800000",
    "sponsored-search",
    "2001-01-01T00:01Z",
    "\\\\",
    "\\\"",
    "a,\\\"b\\\":{",
    "{\\\"a\\\":1}",
    "\\u0000",
    "\\ud83d\\ude00",
    "\\uD834\\uDD1E and \\u00DF",
    "\xc3\xa9t\xc3\xa9",
    "\xe2\x82\xac",
    "\xf0\x9f\x98\x80",
    "\xed\x9f\xbf\xee\x80\x80",
    "\xf4\x8f\xbf\xbf",
    "\x7f",
    "\\b\\f\\n\\r\\t\\/",
    "a text that is longer than thirty-two bytes, by some",
    "a text that is longer than sixty-four bytes, which is a whole block of masks, and \\u0041 "
    "more",
};
/* Broken or dangerous pieces for the mutations. */
static const char *const PIECES[] = {
    "\"",
    "\\",
    "\\\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\\u",
    "\\ud83d",
    "\\udc00",
    "\\udc00\\udc00",
    "\\ud83d\\ude00",
    "\\u12",
    "\\x",
    "\xc0\x80",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
    "\x80",
    "\xff",
    "\x1f",
    "\n",
    "\t",
    " ",
    "0",
    "-",
    ".",
    "e",
    "+",
    "1e5",
    "00",
    "true",
    "nul",
    "\"a\":",
    ",\"b\":2",
    "{}",
    "[]",
    "\xef\xbb\xbf",
    "\f",
    "'",
    "/**/",
};

static uint64_t shape(struct maker *m, uint64_t bound)
{
    return rng_below(&m->shape, bound);
}

static uint64_t value(struct maker *m, uint64_t bound)
{
    return rng_below(&m->value, bound);
}

static void add_space(struct maker *m)
{
    static const char SPACES[] = " \t\r\n";
    if (shape(m, 12) == 0)
        buf_add_char(m->out, SPACES[shape(m, 4)]);
}

static void add_hex(struct maker *m, int digits)
{
    for (int i = 0; i < digits; i++)
        buf_add_char(m->out, "0123456789abcdef"[value(m, 16)]);
}

static void add_string(struct maker *m)
{
    buf_add_char(m->out, '"');
    if (value(m, 3) == 0)
        add_hex(m, (int)value(m, 40));
    else
        for (uint64_t n = value(m, 3); n > 0; n--)
            buf_add_text(m->out, TEXTS[value(m, COUNT(TEXTS))]);
    buf_add_char(m->out, '"');
}

static void add_number(struct maker *m)
{
    static const char *const ODD[] = {"0",
                                      "-0",
                                      "-0.0",
                                      "1E5",
                                      "1e-7",
                                      "2.5E+3",
                                      "0e0",
                                      "1e309",
                                      "12345678901234567890",
                                      "0.1",
                                      "9223372036854775807",
                                      "-9223372036854775808",
                                      "5.0"};
    if (value(m, 4) == 0)
        buf_add_text(m->out, ODD[value(m, COUNT(ODD))]);
    else if (value(m, 3) == 0)
        buf_printf(m->out, "%d.%02d", (int)value(m, 2000) - 1000, (int)value(m, 100));
    else
        buf_add_int64(m->out, (int64_t)rng_u64(&m->value) >> value(m, 64));
}

static void add_value(struct maker *m, int depth);

static void add_object(struct maker *m, int depth)
{
    buf_add_char(m->out, '{');
    add_space(m);
    uint64_t members = shape(m, depth == 0 ? MEMBERS_MAX + 1 : MEMBERS_MAX / 2 + 1);
    for (uint64_t i = 0; i < members; i++) {
        if (i > 0)
            buf_add_char(m->out, ',');
        add_space(m);
        buf_add_char(m->out, '"');
        buf_add_text(m->out, KEYS[shape(m, COUNT(KEYS))]);
        buf_add_char(m->out, '"');
        add_space(m);
        buf_add_char(m->out, ':');
        add_value(m, depth + 1);
    }
    buf_add_char(m->out, '}');
}

static void add_array(struct maker *m, int depth)
{
    buf_add_char(m->out, '[');
    for (uint64_t n = shape(m, 4), i = 0; i < n; i++) {
        if (i > 0)
            buf_add_char(m->out, ',');
        add_value(m, depth + 1);
    }
    add_space(m);
    buf_add_char(m->out, ']');
}

static void add_value(struct maker *m, int depth)
{
    static const char *const WORDS[] = {"true", "false", "null"};
    add_space(m);
    uint64_t kind = shape(m, depth < DEPTH_MAX ? 10 : 7);
    if (kind < 4)
        add_string(m);
    else if (kind < 6)
        add_number(m);
    else if (kind == 6)
        buf_add_text(m->out, WORDS[value(m, COUNT(WORDS))]);
    else if (kind < 9)
        add_object(m, depth);
    else
        add_array(m, depth);
    add_space(m);
}

/* An event of the Yahoo benchmark, all of strings, as the scanner meets it most. */
static void add_ads_event(struct maker *m)
{
    static const char *const TYPES[] = {"banner", "modal", "sponsored-search", "mail", "mobile"};
    static const char *const EVENTS[] = {"view", "click", "purchase"};
    static const char *const IDS[] = {"{\"user_id\": \"", "\", \"page_id\": \"",
                                      "\", \"ad_id\": \""};
    for (size_t i = 0; i < COUNT(IDS); i++) {
        buf_add_text(m->out, IDS[i]);
        add_hex(m, 36);
    }
    buf_printf(m->out, "\", \"ad_type\": \"%s\", \"event_type\": \"%s\", \"event_time\": \"%lld\"",
               TYPES[value(m, COUNT(TYPES))], EVENTS[value(m, COUNT(EVENTS))],
               1431100800000LL + (long long)value(m, 100000000));
    buf_add_text(m->out, ", \"ip_address\": \"1.2.3.4\"}");
}

/* Deep enough, now and then, to meet the bound on nesting from both sides. */
static void add_deep(struct maker *m)
{
    int depth = 2040 + (int)shape(m, 12);
    for (int i = 0; i < depth; i++)
        buf_add_text(m->out, i == 0 ? "{\"a\":" : "[");
    if (value(m, 2))
        add_number(m);
    else
        buf_add_text(m->out, "[]");
    for (int i = 0; i < depth; i++)
        buf_add_char(m->out, i == depth - 1 ? '}' : ']');
}

static void splice(struct buf *out, size_t at, size_t gone, const char *ptr, size_t len)
{
    struct buf made = {0};
    buf_add(&made, out->ptr, at);
    buf_add(&made, ptr, len);
    buf_add(&made, out->ptr + at + gone, out->len - at - gone);
    buf_release(out);
    *out = made;
}

static void mutate(struct maker *m)
{
    struct buf *out = m->out;
    size_t at = (size_t)value(m, out->len + 1), left = out->len - at;
    size_t some = (size_t)value(m, (left < 20 ? left : 20) + 1);
    const char *piece = PIECES[value(m, COUNT(PIECES))];
    switch (value(m, 6)) {
    case 0: /* cut short */
        out->len = at;
        break;
    case 1: /* lose some bytes */
        splice(out, at, some, "", 0);
        break;
    case 2: /* overwrite with a piece */
        splice(out, at, left > 0, piece, strlen(piece));
        break;
    case 3: /* a piece between */
        splice(out, at, 0, piece, strlen(piece));
        break;
    case 4: { /* some bytes twice */
        struct buf copy = {0};
        buf_add(&copy, out->ptr + at, some);
        splice(out, at, 0, copy.ptr, copy.len);
        buf_release(&copy);
        break;
    }
    default: /* one bit */
        if (left > 0)
            out->ptr[at] = (char)(out->ptr[at] ^ 1 << value(m, 8));
    }
}

void line_make(uint64_t seed, uint64_t n, struct buf *out)
{
    struct maker m = {.out = out};
    rng_init_at(&m.shape, seed, n / LINES_A_SHAPE);
    rng_init_at(&m.value, ~seed, n);
    buf_clear(out);
    buf_add(out, "", 0);
    uint64_t kind = shape(&m, 1000);
    if (kind < 200)
        add_ads_event(&m);
    else if (kind < 203)
        add_deep(&m);
    else if (kind < 230)
        add_value(&m, 0);
    else
        add_object(&m, 0);
    if (value(&m, 3) == 0)
        for (uint64_t times = 1 + value(&m, 3); times > 0; times--)
            mutate(&m);
}
