/* tests/agreement/made_speed.c - random overrides for the speed layer of a made plan.
 *
 * What they may say depends on what the plan has, so the plan is read back first. Delivery and state are no
 * part of a contract: without faults they make no difference, and with them tests/cmd/test_speed.sh says which. */
#include <jansson.h>

#include "tests/agreement/made.h"

struct speed_draft {
    struct plan_draft *plan;
    json_t *root;
    const char *comma; /* before the next member */
};

static void begin_member(struct speed_draft *d, const char *name)
{
    buf_printf(d->plan->out, "%s\"%s\":", d->comma, name);
    d->comma = ",";
}

static bool chance(struct speed_draft *d, uint64_t one_in)
{
    return draft_below(d->plan, one_in) == 0;
}

/* Is the field part of a key, an id, or what a look-up goes by? Then it is the same in all layers. */
static bool names_events(const json_t *root, const char *name)
{
    size_t i;
    json_t *key;
    const char *by = json_string_value(json_object_get(json_object_get(root, "dedupe"), "by"));
    const char *on = json_string_value(json_object_get(json_object_get(root, "lookup"), "on"));
    json_array_foreach (json_object_get(root, "key"), i, key)
        if (strcmp(json_string_value(key), name) == 0)
            return true;
    return (by && strcmp(by, name) == 0) || (on && strcmp(on, name) == 0);
}

static void add_fields(struct speed_draft *d)
{
    static const struct {
        int field;
        const char *text;
    } WAYS[] = {
        {F_NOTE, "{\"default\":\"a\"}"},  {F_AGE, "{\"default\":3}"},
        {F_RARE, "{\"default\":0.5}"},    {F_N, "{\"round\":10}"},
        {F_PRICE, "{\"round\":\"0.5\"}"}, {F_FINE, "{\"round\":1}"},
        {F_SEVEN, "{\"round\":4}"},       {F_AGE, "{\"default\":0,\"round\":2}"},
    };
    const char *comma = "";
    begin_member(d, "fields");
    buf_add_char(d->plan->out, '{');
    bool aged = false;
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        const char *name = FIELDS[WAYS[i].field].name;
        bool again = WAYS[i].field == F_AGE && aged;
        if (!d->plan->has[WAYS[i].field] || again || names_events(d->root, name) || !chance(d, 2))
            continue;
        buf_printf(d->plan->out, "%s\"%s\":%s", comma, name, WAYS[i].text);
        aged = aged || WAYS[i].field == F_AGE;
        comma = ",";
    }
    buf_add_char(d->plan->out, '}');
}

static void add_source(struct speed_draft *d)
{
    static const char *const AHEAD[] = {"1h", "0ms", "unlimited"};
    struct buf *out = d->plan->out;
    begin_member(d, "source");
    buf_add_char(out, '{');
    d->comma = "";
    if (chance(d, 2)) {
        begin_member(d, "out_of_order");
        buf_add_text(out, "\"0ms\"");
    }
    /* Where the plan has one, events are made that lie beyond it. */
    if (json_object_get(json_object_get(d->root, "source"), "max_ahead") && chance(d, 2)) {
        begin_member(d, "max_ahead");
        buf_printf(out, "\"%s\"", AHEAD[draft_below(d->plan, 3)]);
    }
    if (chance(d, 3)) {
        begin_member(d, "time");
        buf_printf(out, "{\"shift\":\"%s%dms\"}", chance(d, 2) ? "-" : "",
                   (int)draft_below(d->plan, 5000));
    }
    if (chance(d, 2))
        add_fields(d);
    buf_add_char(out, '}');
    d->comma = ",";
}

static void add_dedupe(struct speed_draft *d)
{
    begin_member(d, "dedupe");
    if (chance(d, 2))
        buf_add_text(d->plan->out, "\"off\"");
    else
        buf_printf(d->plan->out, "{\"horizon\":\"%dms\"}", 1 + (int)draft_below(d->plan, 20000));
}

/* A window below the floor must not get there while it may still change: no longer than it was. */
static void add_lateness(struct speed_draft *d)
{
    const char *was = json_string_value(json_object_get(d->root, "allowed_lateness"));
    bool unlimited = was && strcmp(was, "unlimited") == 0;
    bool keeps = json_object_get(d->root, "keep");
    if (keeps && unlimited)
        return;
    begin_member(d, "allowed_lateness");
    if (chance(d, 3))
        buf_add_text(d->plan->out, "\"unlimited\"");
    else
        buf_printf(d->plan->out, "\"%dms\"", keeps ? 0 : (int)draft_below(d->plan, 3000));
}

static void add_where_of(struct speed_draft *d)
{
    bool looked_up = d->plan->has[F_SEGMENT]; /* what a look-up takes is known only later */
    begin_member(d, "where");
    d->plan->has[F_SEGMENT] = false;
    if (chance(d, 3))
        buf_add_text(d->plan->out, "null");
    else
        draft_where(d->plan, 2);
    d->plan->has[F_SEGMENT] = looked_up;
}

/* Left out; or of other events. A count may become a sum. */
static void add_definition(struct speed_draft *d, json_t *definition)
{
    struct buf *out = d->plan->out;
    const char *kind = "count";
    json_t *of = json_true();
    const char *name;
    json_t *member;
    if (chance(d, 3)) {
        buf_add_text(out, "null");
        return;
    }
    json_object_foreach (definition, name, member)
        if (strcmp(name, "where") != 0 && strcmp(name, "precision") != 0) {
            kind = name;
            of = member;
        }
    if (json_is_true(of) && d->plan->has[F_N] && chance(d, 2))
        buf_add_text(out, "{\"sum\":\"n\"");
    else if (json_is_true(of))
        buf_add_text(out, "{\"count\":true");
    else
        buf_printf(out, "{\"%s\":\"%s\"", kind, json_string_value(of));
    if ((member = json_object_get(definition, "precision")))
        buf_printf(out, ",\"precision\":%d", (int)json_integer_value(member));
    if (chance(d, 2)) {
        buf_add_text(out, ",\"where\":");
        draft_where(d->plan, 1);
    }
    buf_add_char(out, '}');
}

static void add_values(struct speed_draft *d)
{
    const char *name, *comma = "";
    json_t *definition;
    begin_member(d, "values");
    buf_add_char(d->plan->out, '{');
    json_object_foreach (json_object_get(d->root, "values"), name, definition) {
        if (chance(d, 2))
            continue;
        buf_printf(d->plan->out, "%s\"%s\":", comma, name);
        add_definition(d, definition);
        comma = ",";
    }
    buf_add_char(d->plan->out, '}');
}

static void add_durability(struct speed_draft *d)
{
    struct made *made = d->plan->made;
    made->halves = chance(d, 4);
    if (made->halves) {
        begin_member(d, "delivery");
        buf_printf(d->plan->out, "\"at-%s-once\"", chance(d, 2) ? "least" : "most");
    }
    made->forgets = chance(d, 6);
    if (made->forgets) {
        begin_member(d, "state");
        buf_add_text(d->plan->out, "\"memory\"");
    }
}

void made_speed(struct plan_draft *plan)
{
    struct buf whole = {0};
    buf_add(&whole, plan->out->ptr, plan->out->len);
    buf_add_char(&whole, '}');
    struct speed_draft d = {.plan = plan, .root = json_loads(whole.ptr, 0, NULL), .comma = ""};
    buf_add_text(plan->out, ",\"speed\":{");
    if (chance(&d, 2))
        add_source(&d);
    if (chance(&d, 3))
        add_where_of(&d);
    if (json_object_get(d.root, "dedupe") && chance(&d, 2))
        add_dedupe(&d);
    if (chance(&d, 2))
        add_lateness(&d);
    if (chance(&d, 2))
        add_values(&d);
    add_durability(&d);
    buf_add_char(plan->out, '}');
    json_decref(d.root);
    buf_release(&whole);
}
