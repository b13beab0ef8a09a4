/* common/plan/plan_diff.c - what a change of a plan means for what already stands: kept, derived, or
 * replayed.
 *
 * Partials are kept by (view, key, pane) as sums over exactly the events that the old rules let in.
 * So a change may drop or merge what stands (fewer values, fewer keys, wider windows), but whatever
 * lets other events in, or asks events for something new, needs the events. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/plan/plan.h"

/* One member that differs, in both plans; NULL where it is absent. */
struct change {
    const struct plan *before, *after;
    const char *name; /* of the value or field; else of the member */
    json_t *was, *is;
    const char *why;
};

typedef enum plan_fate judge_function(struct change *change);

static enum plan_fate verdict(struct change *change, enum plan_fate fate, const char *why)
{
    change->why = why;
    return fate;
}

static enum plan_fate judge_view(struct change *change)
{
    return verdict(change, PLAN_REPLAYED, "another view: its name is part of every key");
}

static enum plan_fate judge_time(struct change *change)
{
    return verdict(change, PLAN_REPLAYED, "events fall into other windows");
}

static enum plan_fate judge_field(struct change *change)
{
    if (!change->was)
        return verdict(change, PLAN_REPLAYED, "no old event was asked for it");
    if (!change->is)
        return verdict(change, PLAN_REPLAYED, "events that were bad for it are good now");
    return verdict(change, PLAN_REPLAYED, "other events are bad, or are read otherwise");
}

static enum plan_fate judge_lateness(struct change *change)
{
    return verdict(change, PLAN_REPLAYED,
                   "other events are late (in speed and kappa; a lambda batch has no late ones)");
}

static enum plan_fate judge_ahead(struct change *change)
{
    return verdict(change, PLAN_REPLAYED, "other events are bad");
}

static enum plan_fate judge_keep(struct change *change)
{
    if (change->after->keep_ms < change->before->keep_ms)
        return verdict(change, PLAN_KEPT, "what is older than that goes with the next commits");
    return verdict(change, PLAN_REPLAYED, "windows that were dropped already do not come back");
}

static enum plan_fate judge_events(struct change *change)
{
    return verdict(change, PLAN_REPLAYED, "other events are counted");
}

static enum plan_fate judge_lookup(struct change *change)
{
    return verdict(change, PLAN_REPLAYED, "events are given other columns");
}

static enum plan_fate judge_speed(struct change *change)
{
    return verdict(change, PLAN_KEPT,
                   "lambda's speed layer alone: batch and kappa do not read it, and what the speed "
                   "layer has added stays until a batch covers it");
}

static bool has_key(const struct plan *plan, const char *name)
{
    for (int i = 0; i < plan->keys; i++)
        if (strcmp(plan->schema.fields[plan->key[i]].name, name) == 0)
            return true;
    return false;
}

static enum plan_fate judge_key(struct change *change)
{
    const struct plan *after = change->after;
    for (int i = 0; i < after->keys; i++)
        if (!has_key(change->before, after->schema.fields[after->key[i]].name))
            return verdict(change, PLAN_REPLAYED, "what stands is not told apart by the new key");
    return verdict(change, PLAN_DERIVED,
                   "rows of the old key are merged into those of the new one");
}

/* Is every new window a union of old panes? */
static bool panes_fit(const struct plan *before, const struct plan *after)
{
    if (before->window == WINDOW_NONE)
        return after->window == WINDOW_NONE;
    if (after->window == WINDOW_NONE)
        return before->keep_ms == PLAN_UNLIMITED;
    return after->size_ms % before->pane_ms == 0 && after->hop_ms % before->pane_ms == 0;
}

static enum plan_fate judge_window(struct change *change)
{
    if (!panes_fit(change->before, change->after))
        return verdict(change, PLAN_REPLAYED, "the new windows are no unions of old panes");
    if (change->before->allowed_lateness_ms != PLAN_UNLIMITED)
        return verdict(change, PLAN_REPLAYED,
                       "the new windows are unions of old panes, but what was late for an old "
                       "window need not be for a new one");
    return verdict(change, PLAN_DERIVED, "each new window is a union of old panes");
}

/* Is there a value defined alike, under another name? */
static const char *same_value(const struct plan *plan, const json_t *wanted)
{
    json_t *root = json_loads(plan->json, 0, NULL), *value;
    const char *name, *found = NULL;
    json_object_foreach (json_object_get(root, "values"), name, value)
        if (!found && json_equal(value, wanted))
            for (int i = 0; i < plan->value_count; i++)
                if (strcmp(plan->values[i].name, name) == 0)
                    found = plan->values[i].name;
    json_decref(root);
    return found;
}

static const struct value *value_named(const struct plan *plan, const char *name)
{
    for (int i = 0; i < plan->value_count; i++)
        if (strcmp(plan->values[i].name, name) == 0)
            return &plan->values[i];
    return NULL;
}

/* Is a sketch's precision all that differs, and does it? */
static bool same_but_precision(const json_t *was, const json_t *is)
{
    if (json_equal(was, is))
        return false;
    json_t *a = json_copy((json_t *)was), *b = json_copy((json_t *)is);
    json_object_del(a, "precision");
    json_object_del(b, "precision");
    bool same = json_object_get(a, "distinct") && json_equal(a, b);
    json_decref(a);
    json_decref(b);
    return same;
}

static enum plan_fate judge_precision(struct change *change)
{
    int before = value_named(change->before, change->name)->precision;
    int after = value_named(change->after, change->name)->precision;
    if (after == before)
        return verdict(change, PLAN_KEPT, "the same sketch");
    if (after < before)
        return verdict(change, PLAN_DERIVED, "the registers of a sketch fold down into fewer");
    return verdict(change, PLAN_REPLAYED, "this value alone: a sketch cannot be made finer");
}

static enum plan_fate judge_value(struct change *change)
{
    if (!change->is)
        return verdict(change, PLAN_KEPT, "the others stand as they are");
    if (change->was)
        return verdict(change, PLAN_REPLAYED, "this value alone: the others stand as they are");
    if (same_value(change->before, change->is))
        return verdict(change, PLAN_KEPT, "an old value under another name");
    return verdict(change, PLAN_REPLAYED, "this value alone: nothing of it stands");
}

/* In the order in which an event meets them. inner: each member of it is a change of its own. */
static const struct {
    const char *outer, *name;
    bool inner;
    judge_function *judge;
} MEMBERS[] = {
    {NULL, "view", false, judge_view},
    {"source", "time", false, judge_time},
    {"source", "fields", true, judge_field},
    {"source", "max_ahead", false, judge_ahead},
    {"source", "out_of_order", false, judge_lateness},
    {NULL, "where", false, judge_events},
    {NULL, "lookup", false, judge_lookup},
    {NULL, "dedupe", false, judge_events},
    {NULL, "dedupe_scope", false, judge_events},
    {NULL, "key", false, judge_key},
    {NULL, "window", false, judge_window},
    {NULL, "allowed_lateness", false, judge_lateness},
    {NULL, "keep", false, judge_keep},
    {NULL, "values", true, judge_value},
    {NULL, "speed", true, judge_speed},
};
enum { MEMBER_COUNT = sizeof MEMBERS / sizeof *MEMBERS };

static const char *const FATES[] = {
    [PLAN_KEPT] = "keep", [PLAN_DERIVED] = "derive", [PLAN_REPLAYED] = "replay"};

struct listing {
    const struct plan *before, *after;
    json_t *changes;
    enum plan_fate worst;
};

static void note(struct listing *listing, const char *path, const char *name, json_t *was,
                 json_t *is, judge_function *judge)
{
    if (was && is && json_equal(was, is))
        return;
    struct change change = {listing->before, listing->after, name, was, is, NULL};
    enum plan_fate fate = judge(&change);
    if (fate > listing->worst)
        listing->worst = fate;
    json_array_append_new(listing->changes,
                          json_pack("{s:s,s:O?,s:O?,s:s,s:s}", "path", path, "before", was, "after",
                                    is, "fate", FATES[fate], "why", change.why));
}

static void note_inner(struct listing *listing, const char *outer, json_t *was, json_t *is,
                       judge_function *judge)
{
    json_t *both = json_object(), *value;
    const char *name;
    struct buf path = {0};
    json_object_update(both, was);
    json_object_update(both, is);
    json_object_foreach (both, name, value) {
        buf_clear(&path);
        buf_printf(&path, "%s.%s", outer, name);
        json_t *before = json_object_get(was, name), *after = json_object_get(is, name);
        if (judge == judge_value && before && after && same_but_precision(before, after)) {
            buf_add_text(&path, ".precision");
            note(listing, path.ptr, name, json_object_get(before, "precision"),
                 json_object_get(after, "precision"), judge_precision);
        } else {
            note(listing, path.ptr, name, before, after, judge);
        }
    }
    buf_release(&path);
    json_decref(both);
}

static void note_members(struct listing *listing, json_t *before, json_t *after)
{
    struct buf path = {0};
    for (int i = 0; i < MEMBER_COUNT; i++) {
        const char *outer = MEMBERS[i].outer, *name = MEMBERS[i].name;
        json_t *was = json_object_get(outer ? json_object_get(before, outer) : before, name);
        json_t *is = json_object_get(outer ? json_object_get(after, outer) : after, name);
        buf_clear(&path);
        buf_printf(&path, "%s%s%s", outer ? outer : "", outer ? "." : "", name);
        if (MEMBERS[i].inner)
            note_inner(listing, path.ptr, was, is, MEMBERS[i].judge);
        else if (was || is)
            note(listing, path.ptr, name, was, is, MEMBERS[i].judge);
    }
    buf_release(&path);
}

/* ---- in words ---- */

static void say_json(struct buf *out, const json_t *value)
{
    char *text = json_is_null(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    buf_add_text(out, text ? text : "absent");
    free(text);
}

static void say_all(const struct listing *listing, struct buf *out)
{
    static const char *const VERDICTS[] = {
        [PLAN_KEPT] = "Nothing has to be computed again: the old partials hold all of it.",
        [PLAN_DERIVED] = "The old partials hold enough: the new ones can be merged from them.",
        [PLAN_REPLAYED] = "The old partials are not enough: the events have to be read again.",
    };
    size_t i;
    json_t *change;
    json_array_foreach (listing->changes, i, change) {
        buf_printf(out, "%s\n    ", json_string_value(json_object_get(change, "path")));
        say_json(out, json_object_get(change, "before"));
        buf_add_text(out, " -> ");
        say_json(out, json_object_get(change, "after"));
        buf_printf(out, "\n    %s: %s\n", json_string_value(json_object_get(change, "fate")),
                   json_string_value(json_object_get(change, "why")));
    }
    if (json_array_size(listing->changes) == 0) {
        buf_add_text(out, "The plans say the same.\n");
        return;
    }
    buf_printf(out,
               "\n%s\nlk computes every version from the log, whatever stands: lk kappa deploy; or "
               "a lambda batch\nunder a view name of its own.\n",
               VERDICTS[listing->worst]);
}

enum plan_fate plan_diff(const struct plan *before, const struct plan *after, bool json,
                         struct buf *out)
{
    json_t *was = json_loads(before->json, 0, NULL), *is = json_loads(after->json, 0, NULL);
    struct listing listing = {before, after, json_array(), PLAN_KEPT};
    note_members(&listing, was, is);
    if (json_array_size(listing.changes) == 0 && strcmp(before->hash, after->hash) != 0)
        note(&listing, "lookup.table", "table", NULL, NULL, judge_lookup);
    if (json) {
        json_t *root =
            json_pack("{s:O,s:s}", "changes", listing.changes, "fate", FATES[listing.worst]);
        char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
        buf_printf(out, "%s\n", text);
        free(text);
        json_decref(root);
    } else {
        say_all(&listing, out);
    }
    json_decref(listing.changes);
    json_decref(was);
    json_decref(is);
    return listing.worst;
}
