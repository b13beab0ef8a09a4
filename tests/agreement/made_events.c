/* tests/agreement/made_events.c - random events: late, early, repeated, written in every way that
 * JSON allows, and broken in every way that makes an event bad. */
#include <stdio.h>
#include <time.h>

#include "tests/agreement/made.h"

enum { MEMBERS_MAX = 24, RECENT = 20 };

/* An event under way: its members as texts. */
struct event_draft {
    struct made *made;
    struct buf member[MEMBERS_MAX];
    int members;
    bool spoil; /* one of its fields is to be wrong */
};

static uint64_t below(struct made *made, uint64_t bound)
{
    return rng_below(&made->rng, bound);
}

static struct buf *new_member(struct event_draft *d, const char *name)
{
    struct buf *member = &d->member[d->members++];
    /* Names may be written with escapes too. */
    if (below(d->made, 40) == 0)
        buf_printf(member, "\"\\u%04x%s\":", (unsigned)name[0], name + 1);
    else
        buf_printf(member, below(d->made, 20) ? "\"%s\":" : "\"%s\" :\n ", name);
    return member;
}

/* ---- values ---- */

static int64_t random_int(struct made *made)
{
    static const int64_t EDGES[] = {INT64_MAX, INT64_MIN, 0, -1, INT64_C(9007199254740993)};
    uint64_t way = below(made, 20);
    if (way == 0)
        return EDGES[below(made, 5)];
    if (way < 4)
        return (int64_t)(rng_u64(&made->rng) >> (32 + below(made, 30))) - 1000;
    return (int64_t)below(made, 60) - 20;
}

static void add_number(struct made *made, struct buf *out, const char *text)
{
    buf_printf(out, below(made, 10) ? "%s" : "\"%s\"", text);
}

static void add_int(struct made *made, struct buf *out, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    add_number(made, out, text);
}

static void add_decimal(struct made *made, struct buf *out, int scale)
{
    static const char *const EDGES[] = {"-0.00", "0", "92233720.75", "-0.01", "-7.5"};
    char text[64];
    if (below(made, 10) == 0)
        snprintf(text, sizeof text, "%s", EDGES[below(made, 5)]);
    else if (below(made, 10) == 0)
        snprintf(text, sizeof text, "%s",
                 scale == 2 ? "92233720368547758.07" : "-9223372036.854775808");
    else
        snprintf(text, sizeof text, "%d.%02d", (int)below(made, 200) - 80, (int)below(made, 100));
    add_number(made, out, text);
}

static void add_double(struct made *made, struct buf *out)
{
    static const char *const EDGES[] = {"1e308", "-0.0", "0.1", "1e-320", "-2.5E+3", "3", "1e999"};
    char text[40];
    if (below(made, 4) == 0)
        snprintf(text, sizeof text, "%s", EDGES[below(made, below(made, 20) ? 6 : 7)]);
    else
        snprintf(text, sizeof text, "%.3f", rng_double(&made->rng) * 100 - 30);
    add_number(made, out, text);
}

static void add_string(struct made *made, struct buf *out)
{
    static const char *const EDGES[] = {"",         "\\u00fc",    "\xc3\xbc",       "quo\\\"te",
                                        "back\\\\", "\\t\\u0001", "\\ud83d\\ude00", "a\\/b",
                                        "user",     "s1",         "x\\u2028",       "del\x7f"};
    if (below(made, 4) == 0)
        buf_printf(out, "\"%s\"", EDGES[below(made, sizeof EDGES / sizeof *EDGES)]);
    else
        buf_printf(out, "\"%c\"", (char)('a' + below(made, 5)));
}

static void add_wrong(struct made *made, struct buf *out)
{
    static const char *const WRONG[] = {"1.5",           "true",
                                        "[1]",           "{}",
                                        "\"no number\"", "99999999999999999999",
                                        "1e3",           "0.1234567890123",
                                        "\"\""};
    buf_add_text(out, WRONG[below(made, sizeof WRONG / sizeof *WRONG)]);
}

static void add_value(struct event_draft *d, struct buf *out, int field)
{
    struct made *made = d->made;
    unsigned traits = FIELDS[field].traits;
    if (d->spoil && below(made, 8) == 0)
        add_wrong(made, out);
    else if (field == F_ID)
        add_int(made, out, made->id);
    else if (field == F_AD)
        buf_printf(out, "\"ad%d\"", (int)below(made, 12));
    else if (traits & IS_INT)
        add_int(made, out, field == F_N ? random_int(made) : (int64_t)below(made, 9) - 3);
    else if (traits & IS_STRING)
        add_string(made, out);
    else if (traits & IS_DECIMAL)
        add_decimal(made, out, field == F_PRICE ? 2 : 9);
    else if (traits & IS_DOUBLE)
        add_double(made, out);
    else
        buf_add_text(out, below(made, 2) ? "true" : "false");
}

/* ---- the time ---- */

static void add_time_text(struct made *made, struct buf *out, int64_t time_ms)
{
    int64_t second = time_ms / 1000 - (time_ms % 1000 < 0);
    int ms = (int)(time_ms - second * 1000);
    time_t at = (time_t)second;
    struct tm tm;
    char text[64];
    gmtime_r(&at, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(out, made->time == MADE_STRPTIME ? "\"%sZ\"" : "\"%s.%03dZ\"", text, ms);
}

static int64_t random_time(struct made *made)
{
    int64_t grain = made->grain_ms, spread = made->size_ms / grain * 3 + 5;
    uint64_t way = below(made, 100);
    int64_t step = 1 + made->size_ms / grain / (1 + (int64_t)below(made, 40));
    made->now_ms += way < 80 ? (int64_t)below(made, (uint64_t)step) * grain : 0;
    if (way >= 98)
        made->now_ms += spread * grain;
    int64_t time_ms = made->now_ms;
    if (way < 30)
        time_ms -= (int64_t)below(made, (uint64_t)spread) * grain;
    if (made->absurd && below(made, 60) == 0)
        return below(made, 2) ? INT64_MAX - (int64_t)below(made, 3) * 1000
                              : INT64_MIN + (int64_t)below(made, 3) * 1000;
    return time_ms;
}

static void add_time(struct made *made, struct buf *out, int64_t time_ms)
{
    switch (made->time) {
    case MADE_MS:
        buf_add_int64(out, time_ms);
        break;
    case MADE_MS_TEXT:
        buf_printf(out, "\"%lld\"", (long long)time_ms);
        break;
    case MADE_S:
        buf_add_int64(out, time_ms / 1000);
        break;
    case MADE_US:
        buf_printf(out, "%lld", (long long)(time_ms * 1000 + (int64_t)below(made, 1000)));
        break;
    default:
        add_time_text(made, out, time_ms);
    }
}

static void add_time_member(struct event_draft *d)
{
    struct made *made = d->made;
    int64_t time_ms = random_time(made);
    if (below(made, 60) == 0 && !made->absurd && strstr(made->json.ptr, "max_ahead"))
        time_ms = INT64_C(10413792000000); /* in the year 2300 */
    bool wrong = d->spoil && below(made, 6) == 0;
    bool inside = strchr(made->time_name, '.') != NULL;
    struct buf *out = new_member(d, inside ? "meta" : made->time_name);
    buf_add_text(out, inside ? "{\"at\":" : "");
    if (wrong)
        buf_add_text(out, below(made, 2) ? "\"2001-02-30T00:00:00Z\"" : "[]");
    else
        add_time(made, out, time_ms);
    buf_add_text(out, inside ? "}" : "");
}

/* ---- members ---- */

static bool may_be_absent(const struct made *made, int field)
{
    (void)made;
    return strstr(FIELDS[field].type, "optional") || strstr(FIELDS[field].type, "default");
}

static void add_field(struct event_draft *d, int field)
{
    struct made *made = d->made;
    bool absent =
        may_be_absent(made, field) ? below(made, 4) == 0 : d->spoil && below(made, 20) == 0;
    if (absent && below(made, 2))
        return;
    const char *name = FIELDS[field].name;
    if (field == F_OLD && below(made, 3) == 0)
        name = "was";
    struct buf *out = new_member(d, name);
    if (absent)
        buf_add_text(out, "null");
    else
        add_value(d, out, field);
}

/* "deep" holds deep.in.x, and sometimes an alias of "old". */
static void add_deep(struct event_draft *d)
{
    struct made *made = d->made;
    struct buf *out = new_member(d, "deep");
    buf_add_text(out, "{\"other\":[1,{\"in\":2}],\"in\":{\"y\":null,\"x\":");
    add_value(d, out, F_DEEP);
    buf_add_char(out, '}');
    if (below(made, 2)) {
        buf_add_text(out, ",\"was\": ");
        add_string(made, out);
    }
    buf_add_char(out, '}');
}

static void add_members(struct event_draft *d)
{
    struct made *made = d->made;
    d->spoil = below(made, 12) == 0;
    add_time_member(d);
    for (int field = 0; field < F_SEGMENT; field++)
        if (field == F_DEEP)
            add_deep(d);
        else
            add_field(d, field);
    if (below(made, 3) == 0)
        buf_add_text(new_member(d, "unknown"), "[{\"id\":1},\"]\",-0.5e-7,null,{\"n\":{}}]");
    if (below(made, 15) == 0) /* of duplicates the last one counts */
        add_value(d, new_member(d, "n"), F_N);
    if (below(made, 8) == 0)
        for (int i = d->members - 1; i > 0; i--) {
            int j = (int)below(made, (uint64_t)i + 1);
            struct buf other = d->member[i];
            d->member[i] = d->member[j];
            d->member[j] = other;
        }
}

/* What no parser may accept, or is no object. */
static void break_text(struct made *made, struct buf *text)
{
    static const char *const OTHERS[] = {"",
                                         "[1,2]",
                                         "{\"id\":1,}",
                                         "{'id':1}",
                                         "{\"id\":01}",
                                         "nul",
                                         "{\"id\":\"\\x\"}",
                                         "{\"id\":\"\\ud800\"}",
                                         "{\"id\":\"\xff\"}",
                                         "{}{}",
                                         "\"text\"",
                                         " 7 "};
    uint64_t way = below(made, 3);
    if (way == 0 && text->len > 2) {
        text->len -= 1 + below(made, text->len - 1);
    } else if (way == 1) {
        buf_add_text(text, below(made, 2) ? "x" : "}");
    } else {
        buf_clear(text);
        buf_add_text(text, OTHERS[below(made, sizeof OTHERS / sizeof *OTHERS)]);
    }
}

static void write_event(struct made *made, struct buf *text)
{
    struct event_draft d = {.made = made};
    made->id = below(made, 6) ? made->id + 1 : made->id - (int64_t)below(made, 30);
    int64_t last = made->id;
    add_members(&d);
    buf_add_text(text, below(made, 30) ? "{" : " \t{ ");
    for (int i = 0; i < d.members; i++) {
        buf_add_text(text, i ? (below(made, 30) ? "," : " ,\r\n") : "");
        buf_add(text, d.member[i].ptr, d.member[i].len);
        buf_release(&d.member[i]);
    }
    buf_add_text(text, below(made, 30) ? "}" : " }\n");
    if (below(made, 40) == 0)
        break_text(made, text);
    made->id = last > made->id ? last : made->id;
}

static void random_event(struct made *made, int i, bool scattered)
{
    struct made_event *event = &made->events[i];
    if (i > 0 && below(made, 10) == 0) { /* the same bytes again */
        int recent = i < RECENT ? i : RECENT;
        const struct made_event *again = &made->events[i - 1 - (int)below(made, (uint64_t)recent)];
        buf_add(&event->value, again->value.ptr, again->value.len);
        memcpy(event->key, again->key, sizeof event->key);
        event->partition = again->partition;
        return;
    }
    write_event(made, &event->value);
    if (below(made, 4))
        snprintf(event->key, sizeof event->key, "%lld", (long long)made->id);
    event->partition = scattered
                           ? (int)below(made, (uint64_t)made->partitions)
                           : (int)(rng_mix(7, (uint64_t)made->id) % (uint64_t)made->partitions);
}

void made_events(struct made *made)
{
    bool scattered = below(made, 2);
    made->count = 50 + (int)below(made, below(made, 3) ? 150 : EVENTS_MAX - 50);
    made->now_ms = made->start_ms;
    for (int i = 0; i < made->count; i++)
        random_event(made, i, scattered);
}

void made_open(struct made *made, enum handover handover, uint64_t seed, uint64_t number)
{
    *made = (struct made){.handover = handover};
    rng_init_at(&made->rng, seed, number);
    made_plan(made);
    made_events(made);
}

void made_release(struct made *made)
{
    buf_release(&made->json);
    buf_release(&made->table);
    for (int i = 0; i < made->count; i++)
        buf_release(&made->events[i].value);
}
