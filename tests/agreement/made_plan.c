/* tests/agreement/made_plan.c - a random plan that uses, over many cases, all that a plan may say.
 *
 * Every event has all the fields of FIELDS (made_events.c); a plan declares some of them. */
#include "tests/agreement/made.h"

#include <stdio.h>

#include "common/base/err.h"

const struct made_field FIELDS[FIELDS_COUNT] = {
    [F_ID] = {"id", "\"int\"", IS_INT | IS_KEY},
    [F_USER] = {"user", "\"string\"", IS_STRING | IS_KEY},
    [F_N] = {"n", "\"int\"", IS_INT | IS_KEY},
    [F_PRICE] = {"price", "\"decimal:2\"", IS_DECIMAL | IS_KEY},
    [F_FINE] = {"fine", "{\"type\":\"decimal:9\",\"default\":0.5}", IS_DECIMAL | IS_KEY},
    [F_RATIO] = {"ratio", "\"double\"", IS_DOUBLE},
    [F_FLAG] = {"flag", "\"bool\"", IS_BOOL | IS_KEY},
    [F_NOTE] = {"note", "{\"type\":\"string\",\"optional\":true}", IS_STRING | IS_KEY},
    [F_SEVEN] = {"seven", "{\"type\":\"int\",\"default\":7}", IS_INT | IS_KEY},
    [F_AGE] = {"age", "{\"type\":\"int\",\"optional\":true}", IS_INT | IS_KEY},
    [F_OLD] = {"old", "{\"type\":\"string\",\"alias\":[\"was\",\"deep.was\"]}", IS_STRING | IS_KEY},
    [F_DEEP] = {"deep.in.x", "\"int\"", IS_INT | IS_KEY},
    [F_AD] = {"ad", "\"string\"", IS_STRING | IS_KEY},
    [F_RARE] = {"rare", "{\"type\":\"double\",\"optional\":true}", IS_DOUBLE},
    [F_SEGMENT] = {"segment", NULL, IS_STRING | IS_KEY},
    [F_TIME] = {NULL, NULL, IS_TIME},
};

uint64_t draft_below(struct plan_draft *d, uint64_t bound)
{
    return rng_below(&d->made->rng, bound);
}

static const char *name_of(const struct plan_draft *d, int field)
{
    return field == F_TIME ? d->made->time_name : FIELDS[field].name;
}

/* A declared field with one of these traits, or -1. */
static int pick(struct plan_draft *d, unsigned traits)
{
    for (int tries = 0; tries < 60; tries++) {
        int field = (int)draft_below(d, FIELDS_COUNT);
        if (d->has[field] && FIELDS[field].traits & traits)
            return field;
    }
    for (int field = 0; field < FIELDS_COUNT; field++)
        if (d->has[field] && FIELDS[field].traits & traits)
            return field;
    return -1;
}

/* ---- conditions ---- */

static const char *const WORDS[] = {"a", "b", "c", "", "\\u00fc", "quo\\\"te", "user", "s1", "ad3"};
enum { WORDS_COUNT = sizeof WORDS / sizeof *WORDS };

static void add_constant(struct plan_draft *d, int field)
{
    unsigned traits = FIELDS[field].traits;
    if (traits & IS_TIME)
        buf_printf(
            d->out, "%lld",
            (long long)(d->made->start_ms + (int64_t)draft_below(d, 4000) * d->made->grain_ms));
    else if (traits & IS_STRING)
        buf_printf(d->out, "{\"literal\":\"%s\"}", WORDS[draft_below(d, WORDS_COUNT)]);
    else if (traits & IS_BOOL)
        buf_add_text(d->out, draft_below(d, 2) ? "true" : "false");
    else if (traits & IS_INT)
        buf_add_int64(d->out, (int64_t)draft_below(d, 40) - 10);
    else
        buf_printf(d->out, "%d.%d", (int)draft_below(d, 60) - 20,
                   (int)draft_below(d, 10) * 5 % 100);
}

static void add_compare(struct plan_draft *d)
{
    static const char *const ORDERS[] = {"=", "!=", "<", "<=", ">", ">="};
    int field = pick(d, IS_INT | IS_STRING | IS_DECIMAL | IS_DOUBLE | IS_BOOL | IS_TIME);
    unsigned traits = FIELDS[field].traits;
    buf_printf(d->out, "[\"%s\",", name_of(d, field));
    uint64_t way = draft_below(d, 10);
    int other = way == 0 ? pick(d, traits & (IS_INT | IS_STRING)) : -1;
    if (way == 1) {
        buf_printf(d->out, draft_below(d, 2) ? "\"exists\"]" : "\"exists\",false]");
    } else if (way == 2 && traits & (IS_STRING | IS_INT)) {
        buf_add_text(d->out, "\"in\",[");
        for (int i = 0, count = 1 + (int)draft_below(d, 3); i < count; i++) {
            buf_add_text(d->out, i ? "," : "");
            add_constant(d, field);
        }
        buf_add_text(d->out, "]]");
    } else if (way == 3 && traits & IS_STRING) {
        buf_printf(d->out, "\"prefix\",{\"literal\":\"%s\"}]", WORDS[draft_below(d, WORDS_COUNT)]);
    } else if (other >= 0 && other != field) {
        buf_printf(d->out, "\"%s\",\"%s\"]", ORDERS[draft_below(d, 6)], name_of(d, other));
    } else {
        buf_printf(d->out, "\"%s\",", ORDERS[draft_below(d, traits & IS_BOOL ? 2 : 6)]);
        add_constant(d, field);
        buf_add_char(d->out, ']');
    }
}

void draft_where(struct plan_draft *d, int depth)
{
    uint64_t way = depth > 0 ? draft_below(d, 10) : 9;
    if (way < 3) {
        int count = 1 + (int)draft_below(d, 3);
        buf_printf(d->out, "{\"%s\":[", way == 0 ? "and" : "or");
        for (int i = 0; i < count; i++) {
            buf_add_text(d->out, i ? "," : "");
            draft_where(d, depth - 1);
        }
        buf_add_text(d->out, "]}");
    } else if (way < 5) {
        buf_add_text(d->out, "{\"not\":");
        draft_where(d, depth - 1);
        buf_add_char(d->out, '}');
    } else {
        add_compare(d);
    }
}

/* ---- members ---- */

static void add_source(struct plan_draft *d)
{
    static const char *const NAMES[] = {"t", "meta.at", "at"};
    static const char *const FORMATS[MADE_TIMES] = {"ms", "ms",      "s",
                                                    "us", "rfc3339", "%Y-%m-%dT%H:%M:%SZ"};
    static const int64_t STARTS[] = {INT64_C(978307200000), -50000, INT64_C(-3000000000000), 0};
    struct made *made = d->made;
    made->time = (enum made_time)draft_below(d, MADE_TIMES);
    made->time_name = NAMES[draft_below(d, 3)];
    made->grain_ms = made->time == MADE_S || made->time == MADE_STRPTIME ? 1000 : 1;
    made->start_ms = STARTS[draft_below(d, 3) ? 0 : draft_below(d, 4)];
    buf_printf(d->out, "\"source\":{\"time\":{\"field\":\"%s\",\"format\":\"%s\"},\"fields\":{",
               made->time_name, FORMATS[made->time]);
    const char *comma = "";
    for (int i = 0; i < F_SEGMENT; i++) {
        d->has[i] = i == F_ID || draft_below(d, 5) < 3;
        if (!d->has[i])
            continue;
        buf_printf(d->out, "%s\"%s\":%s", comma, FIELDS[i].name, FIELDS[i].type);
        comma = ",";
    }
    d->has[F_TIME] = true;
    buf_add_char(d->out, '}');
}

static int64_t random_size(struct plan_draft *d)
{
    static const int64_t SIZES[] = {1, 7, 10, 60, 250, 999, 2000, 60000};
    return SIZES[draft_below(d, sizeof SIZES / sizeof *SIZES)] * d->made->grain_ms;
}

/* A size for this hop: often no multiple of it, yet of few panes. */
static int64_t hopping_size(struct plan_draft *d, int64_t hop)
{
    enum { PANES_MAX = 400 };
    int64_t size = hop * (1 + (int64_t)draft_below(d, 6));
    int64_t odd = size + (int64_t)draft_below(d, (uint64_t)hop), a = odd, b = hop;
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    if (odd / a <= PANES_MAX)
        return odd;
    return hop % 4 == 0 ? size + hop / 4 : hop % 2 == 0 ? size + hop / 2 : size;
}

/* The window, and the rules of lateness: sets lossless, less what dedupe may spoil. */
static void add_window(struct plan_draft *d)
{
    struct made *made = d->made;
    bool windowed = made->handover == HANDOVER_EVENT_TIME;
    uint64_t way = windowed ? 2 + draft_below(d, 18) : draft_below(d, 20);
    int64_t hop = random_size(d), size = hop;
    int64_t late = (int64_t)draft_below(d, 3) * random_size(d), order = 0;
    bool unlimited = draft_below(d, 5) < 2;
    if (way < 2) {
        buf_add_text(d->out, "\"window\":\"none\",");
        made->size_ms = 1000;
        made->lossless = true;
    } else if (way < 8) {
        buf_printf(d->out, "\"window\":{\"tumbling\":\"%lldms\"},", (long long)size);
    } else {
        size = hopping_size(d, hop);
        buf_printf(d->out, "\"window\":{\"hopping\":[\"%lldms\",\"%lldms\"]},", (long long)size,
                   (long long)hop);
    }
    if (way >= 2)
        made->size_ms = size;
    made->lossless = made->lossless || unlimited;
    if (unlimited)
        buf_add_text(d->out, "\"allowed_lateness\":\"unlimited\",");
    else if (late || draft_below(d, 2))
        buf_printf(d->out, "\"allowed_lateness\":\"%lldms\",", (long long)late);
    if (draft_below(d, 2))
        order = (int64_t)draft_below(d, 2 * (uint64_t)made->size_ms + 1);
    if (way >= 2 && draft_below(d, 3) == 0) {
        int64_t least = unlimited ? 1 : size + late + order;
        buf_printf(d->out, "\"keep\":\"%lldms\",",
                   (long long)(least + (int64_t)draft_below(d, (uint64_t)size * 5)));
        made->lossless = false;
    }
    buf_printf(d->out, "\"out_of_order\":%lld",
               (long long)order); /* moved to source by made_plan */
}

static void add_lookup(struct plan_draft *d)
{
    int on = d->has[F_AD] && draft_below(d, 2) ? F_AD : F_ID;
    struct made *made = d->made;
    made->table_csv = draft_below(d, 2);
    buf_printf(d->out,
               "\"lookup\":{\"table\":\"table.%s\",\"on\":\"%s\",\"take\":[\"segment\"]%s},",
               made->table_csv ? "csv" : "jsonl", FIELDS[on].name,
               draft_below(d, 3) == 0 ? ""
               : draft_below(d, 2)    ? ",\"missing\":\"keep\""
                                      : ",\"missing\":\"drop\"");
    if (made->table_csv)
        buf_printf(&made->table, "%s,segment\n", FIELDS[on].name);
    for (int i = 0; i < 400; i++) {
        if (draft_below(d, 5) == 0)
            continue;
        char cell[16], text[32];
        snprintf(cell, sizeof cell, on == F_AD ? "ad%d" : "%d", i);
        snprintf(text, sizeof text, "s%d", (int)draft_below(d, 4));
        bool absent = draft_below(d, 10) == 0;
        if (made->table_csv)
            buf_printf(&made->table, "%s,%s\n", cell, absent ? "" : text);
        else
            buf_printf(&made->table,
                       on == F_AD ? "{\"%s\":\"%s\",\"segment\":%s%s%s}\n"
                                  : "{\"%s\":%s,\"segment\":%s%s%s}\n",
                       FIELDS[on].name, cell, absent ? "" : "\"", absent ? "null" : text,
                       absent ? "" : "\"");
    }
    d->has[F_SEGMENT] = true;
}

static void add_dedupe(struct plan_draft *d)
{
    int by = draft_below(d, 3) ? F_ID : pick(d, IS_INT | IS_STRING | IS_BOOL | IS_DECIMAL);
    bool for_ever = draft_below(d, 3) == 0;
    if (by == F_SEGMENT)
        by = F_ID;
    buf_printf(d->out, "\"dedupe\":{\"by\":\"%s\",\"horizon\":\"", FIELDS[by].name);
    if (for_ever)
        buf_add_text(d->out, "36500d\"},");
    else
        buf_printf(d->out, "%lldms\"},",
                   (long long)(1 + draft_below(d, 5) * (uint64_t)random_size(d)));
    if (draft_below(d, 2))
        buf_add_text(d->out, "\"dedupe_scope\":\"partition\",");
    d->made->lossless = d->made->lossless && for_ever;
}

static void add_keys(struct plan_draft *d)
{
    bool taken[FIELDS_COUNT] = {false};
    int keys = (int)draft_below(d, 4);
    const char *comma = "";
    if (keys == 0 && draft_below(d, 2))
        return;
    buf_add_text(d->out, "\"key\":[");
    for (int i = 0; i < keys; i++) {
        int field = pick(d, IS_KEY);
        if (taken[field])
            continue;
        taken[field] = true;
        buf_printf(d->out, "%s\"%s\"", comma, FIELDS[field].name);
        comma = ",";
    }
    buf_add_text(d->out, "],");
}

static void add_values(struct plan_draft *d)
{
    static const char *const KINDS[] = {"count", "sum", "min", "max", "avg", "distinct"};
    static const unsigned TRAITS[] = {0,
                                      IS_INT | IS_DECIMAL,
                                      IS_INT | IS_DECIMAL | IS_DOUBLE,
                                      IS_INT | IS_DECIMAL | IS_DOUBLE,
                                      IS_INT | IS_DECIMAL,
                                      IS_KEY};
    int count = 1 + (int)draft_below(d, 6);
    buf_add_text(d->out, "\"values\":{");
    for (int i = 0; i < count; i++) {
        int kind = (int)draft_below(d, 6);
        int field = kind ? pick(d, TRAITS[kind]) : 0;
        bool where = draft_below(d, 4) == 0;
        buf_printf(d->out, "%s\"v%d\":", i ? "," : "", (int)draft_below(d, 9) * 10 + i);
        if (!where && kind == 0) {
            buf_add_text(d->out, "\"count\"");
            continue;
        }
        buf_printf(d->out, "{\"%s\":", KINDS[kind]);
        if (kind == 0)
            buf_add_text(d->out, "true");
        else
            buf_printf(d->out, "\"%s\"", FIELDS[field].name);
        if (kind == 5 && draft_below(d, 3))
            buf_printf(d->out, ",\"precision\":%d",
                       6 + (int)draft_below(d, draft_below(d, 6) ? 4 : 7));
        if (where) {
            buf_add_text(d->out, ",\"where\":");
            draft_where(d, 1);
        }
        buf_add_char(d->out, '}');
    }
    buf_add_char(d->out, '}');
}

void made_plan(struct made *made)
{
    struct buf window = {0};
    struct plan_draft d = {.made = made, .out = &made->json};
    buf_add_text(d.out, "{\"view\":\"v\",");
    add_source(&d);
    d.out = &window;
    add_window(&d);
    char *order = strstr(window.ptr, "\"out_of_order\":");
    int64_t order_ms = atoll(order + strlen("\"out_of_order\":"));
    d.out = &made->json;
    if (order_ms)
        buf_printf(d.out, ",\"out_of_order\":\"%lldms\"", (long long)order_ms);
    bool ahead = draft_below(&d, 2);
    made->absurd = !ahead && draft_below(&d, 12) == 0 && made->time <= MADE_MS_TEXT;
    if (ahead)
        buf_add_text(d.out, ",\"max_ahead\":\"1d\"");
    buf_add_text(d.out, "},");
    buf_add(d.out, window.ptr, (size_t)(order - window.ptr));
    buf_release(&window);
    if (draft_below(&d, 2)) {
        buf_add_text(d.out, "\"where\":");
        draft_where(&d, 3);
        buf_add_char(d.out, ',');
    }
    if (draft_below(&d, 3) == 0)
        add_lookup(&d);
    if (draft_below(&d, 5) < 3)
        add_dedupe(&d);
    add_keys(&d);
    add_values(&d);
    struct rng rng = made->rng; /* events do not depend on it */
    made->cheap = draft_below(&d, 3) == 0;
    if (made->cheap)
        made_speed(&d);
    made->rng = rng;
    buf_add_char(d.out, '}');
    made->lossless = made->lossless && !made->absurd;
    made->partitions = 1 + (int)draft_below(&d, PARTITIONS_MAX);
}
