/* common/plan/plan_explain.c - a plan in English: what happens to an event, what is kept, read and
 * lost.
 *
 * One function a section, in the order in which an event meets them; plan_warn.c looks for trouble.
 */
#include "common/plan/plan_explain.h"

#include <stdio.h>

#include "common/plan/plan_say.h"

/* Names of columns as a list: origin, destination. */
static void say_columns(const struct plan *plan, const int *columns, int count, struct buf *out)
{
    for (int i = 0; i < count; i++)
        buf_printf(out, "%s%s", i ? ", " : "", plan->schema.fields[columns[i]].name);
}

static char *duration_text(int64_t ms, char text[32])
{
    struct buf words = {0};
    say_duration(ms, &words);
    snprintf(text, 32, "%s", words.ptr);
    buf_release(&words);
    return text;
}

static void explain_title(const struct plan *plan, struct buf *out)
{
    struct buf keys = {0};
    char size[32];
    say_columns(plan, plan->key, plan->keys, &keys);
    buf_printf(out, "%s: one row", plan->view);
    if (plan->keys > 0)
        buf_printf(out, " for each %s", keys.ptr);
    if (plan->window != WINDOW_NONE)
        buf_printf(out, "%s window of %s", plan->keys > 0 ? " and" : " for each",
                   duration_text(plan->size_ms, size));
    buf_printf(out, "\nplan %s\n", plan->hash);
    buf_release(&keys);
}

/* ---- what happens to an event ---- */

static void explain_time(const struct plan *plan, struct buf *out)
{
    static const char *const FORMATS[] = {[TIME_MS] = "milliseconds since 1970",
                                          [TIME_S] = "seconds since 1970",
                                          [TIME_US] = "microseconds since 1970",
                                          [TIME_RFC3339] = "RFC 3339"};
    const struct field *time = &plan->schema.fields[0];
    if (time->time_format == TIME_STRPTIME)
        say(out, "event time", "%s, written as %s, UTC", time->name, time->time_pattern);
    else
        say(out, "event time", "%s, %s", time->name, FORMATS[time->time_format]);
}

static void explain_source(const struct plan *plan, struct buf *out)
{
    char ahead[32];
    say_section(out, "SOURCE");
    explain_time(plan, out);
    for (int i = 1; i < plan->schema.scanned; i++) {
        struct buf type = {0};
        say_field_type(&plan->schema.fields[i], &type);
        say(out, plan->schema.fields[i].name, "%s", type.ptr);
        buf_release(&type);
    }
    say(out, "bad events",
        "not JSON, a required field missing, a field of another type, a time that cannot be read"
        "%s%s%s: counted and listed with their reason (lk dlq list); they change nothing else.",
        plan->max_ahead_ms == PLAN_UNLIMITED ? "" : ", or an event time more than ",
        plan->max_ahead_ms == PLAN_UNLIMITED ? "" : duration_text(plan->max_ahead_ms, ahead),
        plan->max_ahead_ms == PLAN_UNLIMITED ? "" : " after the log took the event");
}

static void explain_filter(const struct plan *plan, struct buf *out)
{
    struct buf words = {0};
    say_section(out, "FILTER");
    if (plan->where)
        say_where(plan, plan->where, &words);
    say(out, "keeps", "%s", plan->where ? words.ptr : "every event");
    buf_release(&words);
}

static void explain_lookup(const struct plan *plan, struct buf *out)
{
    struct buf names = {0};
    if (!plan->table)
        return;
    for (int i = 0; i < plan->takes; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", plan->take[i]);
    say_section(out, "LOOK-UP");
    say(out, "table", "%s: the row found by %s gives %s", plan->table,
        plan->schema.fields[plan->lookup_on].name, names.ptr);
    say(out, "no row", "%s",
        plan->lookup_keep ? "the event stays, without these fields" : "the event is filtered");
    say(out, "changes",
        "the table is immutable: its bytes are part of the plan's hash, so another table is "
        "another "
        "version.");
    buf_release(&names);
}

static void explain_dedupe(const struct plan *plan, struct buf *out)
{
    char horizon[32];
    if (plan->dedupe_by < 0)
        return;
    duration_text(plan->dedupe_horizon_ms, horizon);
    say_section(out, "DEDUPE");
    say(out, "by", "%s: an event whose id was seen before counts as a duplicate, not as an event",
        plan->schema.fields[plan->dedupe_by].name);
    say(out, "horizon",
        "an id is forgotten once event time has moved more than %s past its last sighting. The "
        "batch "
        "never forgets.",
        horizon);
    say(out, "scope", "each partition remembers its own ids%s",
        plan->dedupe_partition ? ", as the plan says itself (dedupe_scope)" : "");
}

static void explain_key(const struct plan *plan, struct buf *out)
{
    struct buf names = {0};
    say_section(out, "KEY");
    say_columns(plan, plan->key, plan->keys, &names);
    say(out, "key", "%s", plan->keys > 0 ? names.ptr : "none: all events together");
    buf_release(&names);
}

static void explain_window(const struct plan *plan, struct buf *out)
{
    char size[32], hop[32], pane[32];
    duration_text(plan->size_ms, size);
    duration_text(plan->hop_ms, hop);
    duration_text(plan->pane_ms, pane);
    say_section(out, "WINDOW");
    if (plan->window == WINDOW_NONE) {
        say(out, "none", "one row a key, over all time; its window is printed as 0");
        return;
    }
    if (plan->window == WINDOW_TUMBLING) {
        say(out, "tumbling", "%s: an event is in one window, [start, start + %s), aligned to 1970",
            size, size);
        return;
    }
    say(out, "hopping",
        "%s every %s: an event is in up to %lld windows [start, start + %s), aligned "
        "to 1970",
        size, hop, (long long)((plan->size_ms + plan->hop_ms - 1) / plan->hop_ms), size);
    say(out, "panes",
        "kept as panes of %s: an event is added to one pane, and a read adds up the "
        "%lld panes of a window",
        pane, (long long)(plan->size_ms / plan->pane_ms));
}

static void explain_lateness(const struct plan *plan, struct buf *out)
{
    char wait[32], bound[32], lateness[32];
    say_section(out, "LATENESS");
    if (plan->window == WINDOW_NONE) {
        say(out, "late", "never: without a window nothing ends");
        return;
    }
    if (plan->allowed_lateness_ms == PLAN_UNLIMITED) {
        say(out, "late", "never: every window takes every event, however old, and none is final");
        return;
    }
    duration_text(plan->out_of_order_ms + plan->allowed_lateness_ms, wait);
    say(out, "clock", "T, the largest event time that a partition has seen; never the wall's");
    say(out, "late",
        "a window closes when T reaches its end + %s (out_of_order %s + "
        "allowed_lateness %s). An event that no window takes any more is late: counted, and lost "
        "to "
        "the view.",
        wait, duration_text(plan->out_of_order_ms, bound),
        duration_text(plan->allowed_lateness_ms, lateness));
    say(out, "final", "a window is final once every partition has closed it");
}

static void explain_keep(const struct plan *plan, struct buf *out)
{
    char keep[32];
    say_section(out, "KEEP");
    if (plan->keep_ms == PLAN_UNLIMITED)
        say(out, "for ever", "no window is deleted");
    else
        say(out, duration_text(plan->keep_ms, keep),
            "windows that start before T - %s are not served any more, and their cells are deleted",
            keep);
}

static bool has_sketch(const struct plan *plan)
{
    for (int i = 0; i < plan->value_count; i++)
        if (plan->values[i].kind == AGG_DISTINCT)
            return true;
    return false;
}

static void explain_values(const struct plan *plan, struct buf *out)
{
    static const char *const WORDS[] = {
        [AGG_COUNT] = "how many events", [AGG_SUM] = "the exact sum of ",
        [AGG_MIN] = "the smallest ",     [AGG_MAX] = "the largest ",
        [AGG_AVG] = "the average of ",   [AGG_DISTINCT] = "how many different "};
    say_section(out, "VALUES");
    for (int i = 0; i < plan->value_count; i++) {
        const struct value *value = &plan->values[i];
        struct buf words = {0};
        buf_add_text(&words, WORDS[value->kind]);
        if (value->field >= 0)
            buf_add_text(&words, plan->schema.fields[value->field].name);
        if (value->kind == AGG_AVG)
            buf_add_text(&words, " (the double nearest to the exact quotient)");
        if (value->kind == AGG_DISTINCT)
            buf_printf(&words,
                       " there are, estimated by HyperLogLog: %d registers, standard error %.1f %%",
                       1 << value->precision, 100 * value_error(value));
        if (value->where) {
            buf_add_text(&words, value->kind == AGG_COUNT ? " where " : ", of events where ");
            say_where(plan, value->where, &words);
        }
        say(out, value->name, "%s", words.ptr);
        buf_release(&words);
    }
    say(out, "nothing seen", "null for min, max and avg; 0 for count and sum%s",
        has_sketch(plan) ? ", and for distinct" : "");
}

/* ---- what the architectures make of it ---- */

static void explain_layers(const struct plan *plan, struct buf *out)
{
    bool late = plan->window != WINDOW_NONE && plan->allowed_lateness_ms != PLAN_UNLIMITED;
    struct buf speed = {0};
    plan_say_speed(plan, &speed);
    say_section(out, "LAYERS");
    say(out, "kappa", "one engine over the log, with all of the above. %s",
        late ? "A late event stays lost until a version with more lateness is deployed, which "
               "replays "
               "the log from its beginning."
             : "A changed plan is deployed as a new version, which replays the log.");
    if (plan->speed)
        say(out, "speed",
            "for what the batch does not have yet, by other rules, which batch and kappa do not "
            "read. %s",
            speed.ptr);
    else
        say(out, "speed", "mirrored: the same rules, for what the batch does not have yet.");
    buf_release(&speed);
    say(out, "batch",
        "all events of the archive, with %s%s. It replaces the speed layer's answer "
        "below its boundary.",
        late ? "lateness off (late events count)" : "nothing late",
        plan->dedupe_by >= 0 ? " and duplicates looked for in the whole history" : "");
}

/* How many windows or panes a partition holds for one key. */
static void explain_cells(const struct plan *plan, struct buf *out)
{
    const char *unit = plan->window == WINDOW_HOPPING ? "pane" : "window";
    char keep[32];
    if (plan->window == WINDOW_NONE) {
        say(out, "cells",
            "one a key in each partition: grows with the number of keys, not with time");
    } else if (plan->keep_ms == PLAN_UNLIMITED) {
        say(out, "cells",
            "one a %s and key in each partition, for ever: up to %.4g a day for each key", unit,
            86400000.0 / (double)plan->pane_ms);
    } else {
        int64_t cells = (plan->keep_ms + plan->size_ms) / plan->pane_ms + 1;
        say(out, "cells", "one a %s and key in each partition, for %s: about %lld for each key",
            unit, duration_text(plan->keep_ms, keep), (long long)cells);
    }
    if (plan->window == WINDOW_HOPPING)
        say(out, "",
            "(more where events come late: a pane remembers which windows still took them)");
    say(out, "size", "a cell is %d number%s of 16 bytes and its key", plan->slots,
        plan->slots == 1 ? "" : "s");
    if (has_sketch(plan))
        say(out, "",
            "(%d bytes; 16 registers of a sketch make a number. As text, in Redis and in files, a "
            "sketch takes a letter for each register that was reached, and at most its bytes)",
            plan->slots * 16);
}

static void explain_state(const struct plan *plan, struct buf *out)
{
    char horizon[32];
    say_section(out, "STATE");
    explain_cells(plan, out);
    if (plan->dedupe_by >= 0)
        say(out, "ids",
            "those of the last %s of event time, in memory: grows with the rate. After a "
            "restart they are read again from the log; the batch remembers all ids, in shares that "
            "fit its memory.",
            duration_text(plan->dedupe_horizon_ms, horizon));
    if (plan->table)
        say(out, "table", "the whole look-up table, in the memory of every worker");
}

static void explain_reads(const struct plan *plan, struct buf *out)
{
    struct buf names = {0};
    say_columns(plan, plan->key, plan->keys, &names);
    say_section(out, "READS");
    if (plan->keys == 0)
        say(out, "a row", "one partial from every partition, added up: P reads with P partitions");
    else
        say(out, "a row",
            "one partition if the log is partitioned by %s, or by something that "
            "%s; else up to P partials with P partitions, added up",
            names.ptr, plan->keys == 1 ? "it determines" : "they determine");
    if (plan->window == WINDOW_HOPPING)
        say(out, "panes", "%lld of them in each partition that is read",
            (long long)(plan->size_ms / plan->pane_ms));
    say(out, "lambda", "the batch's partial and those of the speed layer's spans since, added up");
    buf_release(&names);
}

void plan_explain(const struct plan *plan, struct buf *out)
{
    explain_title(plan, out);
    explain_source(plan, out);
    explain_filter(plan, out);
    explain_lookup(plan, out);
    explain_dedupe(plan, out);
    explain_key(plan, out);
    explain_window(plan, out);
    explain_lateness(plan, out);
    explain_keep(plan, out);
    explain_values(plan, out);
    explain_layers(plan, out);
    explain_state(plan, out);
    explain_reads(plan, out);
    plan_explain_warnings(plan, out);
}
