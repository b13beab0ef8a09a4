/* common/plan/plan_warn.c - what a plan allows and its author may not want: one row a warning. */
#include "common/plan/plan_explain.h"
#include "common/plan/plan_say.h"

static bool windowed(const struct plan *plan)
{
    return plan->window != WINDOW_NONE;
}

static bool dedupes(const struct plan *plan)
{
    return plan->dedupe_by >= 0;
}

static bool closes(const struct plan *plan)
{
    return windowed(plan) && plan->allowed_lateness_ms != PLAN_UNLIMITED;
}

static bool time_can_jump(const struct plan *plan)
{
    bool harmed = closes(plan) || plan->keep_ms != PLAN_UNLIMITED || dedupes(plan);
    return plan->max_ahead_ms == PLAN_UNLIMITED && harmed;
}

static bool grows_for_ever(const struct plan *plan)
{
    return windowed(plan) && plan->keep_ms == PLAN_UNLIMITED;
}

static bool never_final(const struct plan *plan)
{
    return windowed(plan) && plan->allowed_lateness_ms == PLAN_UNLIMITED;
}

static bool never_waits(const struct plan *plan)
{
    return closes(plan) && plan->out_of_order_ms + plan->allowed_lateness_ms == 0;
}

static bool ids_may_scatter(const struct plan *plan)
{
    return dedupes(plan) && !plan->dedupe_partition;
}

static bool ids_per_partition(const struct plan *plan)
{
    return dedupes(plan) && plan->dedupe_partition;
}

static bool id_may_be_absent(const struct plan *plan)
{
    return dedupes(plan) && plan->schema.fields[plan->dedupe_by].optional;
}

static bool ids_forgotten_early(const struct plan *plan)
{
    return dedupes(plan) && closes(plan) &&
           plan->dedupe_horizon_ms < plan->out_of_order_ms + plan->allowed_lateness_ms;
}

static bool key_may_be_absent(const struct plan *plan)
{
    for (int i = 0; i < plan->keys; i++) {
        bool taken = plan->key[i] >= plan->schema.scanned;
        if (taken ? plan->lookup_keep : plan->schema.fields[plan->key[i]].optional)
            return true;
    }
    return false;
}

/* Does where turn a comparison around that an absent field makes false? */
static bool negates_absent(const struct plan *plan, const struct where *where, bool negated)
{
    if (!where)
        return false;
    if (where->kind == WHERE_COMPARE)
        return negated && where->op != OP_EXISTS &&
               (plan->schema.fields[where->field].optional ||
                (where->other_field >= 0 && plan->schema.fields[where->other_field].optional));
    for (int i = 0; i < where->children; i++)
        if (negates_absent(plan, &where->child[i], negated != (where->kind == WHERE_NOT)))
            return true;
    return false;
}

static bool not_of_absent(const struct plan *plan)
{
    if (negates_absent(plan, plan->where, false))
        return true;
    for (int i = 0; i < plan->value_count; i++)
        if (negates_absent(plan, plan->values[i].where, false))
            return true;
    return false;
}

/* Beyond a memory page: what a million keys take is then no longer nothing. */
static bool big_cells(const struct plan *plan)
{
    return plan->slots * 16 > 4096;
}

static bool no_key(const struct plan *plan)
{
    return plan->keys == 0 && !windowed(plan);
}

static bool adds_twice(const struct plan *plan)
{
    return plan_of_speed(plan)->delivery == DELIVERY_AT_LEAST_ONCE;
}

static bool loses(const struct plan *plan)
{
    return plan_of_speed(plan)->delivery == DELIVERY_AT_MOST_ONCE;
}

static bool forgets(const struct plan *plan)
{
    return plan_of_speed(plan)->forgets;
}

static const struct {
    bool (*applies)(const struct plan *plan);
    const char *label, *text;
} WARNINGS[] = {
    {grows_for_ever, "keep", "unlimited: the store grows for ever. Say \"keep\": \"30d\"."},
    {never_final, "lateness",
     "unlimited: no window is ever final, so lk kappa diff has no windows to compare, and reads "
     "may "
     "change at any age."},
    {never_waits, "lateness",
     "none: a window closes the moment that T reaches its end, and one event out of order across "
     "that end is lost. Say \"out_of_order\" or \"allowed_lateness\"."},
    {time_can_jump, "max_ahead",
     "unlimited: one event with a time far in the future moves T there, and every event after it "
     "is late, or below what is kept, or forgotten. Say \"max_ahead\": \"1d\"."},
    {ids_may_scatter, "dedupe",
     "the id must determine the partition: copies of an event in two partitions both count. If the "
     "log cannot promise that, say so with \"dedupe_scope\": \"partition\"."},
    {ids_per_partition, "dedupe", "copies of an event in two partitions both count."},
    {id_may_be_absent, "dedupe",
     "the id may be absent, and all absent ids are one id: of such events only the first counts."},
    {ids_forgotten_early, "dedupe",
     "the horizon is shorter than out_of_order + allowed_lateness: a copy may come after its id is "
     "forgotten and before its window closes, and count again, until a batch."},
    {key_may_be_absent, "key",
     "a field of the key may be absent: such events share the row of null."},
    {not_of_absent, "where",
     "a comparison with an absent field is false, so \"not\" of it is true. If that is not meant, "
     "ask with \"exists\" too."},
    {adds_twice, "speed",
     "at-least-once: what a speed layer that dies, or loses its connection, has just added is "
     "added "
     "again, until a batch covers it."},
    {loses, "speed",
     "at-most-once: what a speed layer that dies, or loses its connection, was about to add is "
     "missing, until a batch covers it."},
    {forgets, "speed",
     "state in memory: after a restart late events and copies are taken for new ones, until a "
     "batch "
     "covers them."},
    {big_cells, "size",
     "a cell takes more than 4 KiB, in memory and in Redis, for each key and window in each "
     "partition. "
     "Say a lower \"precision\", or a shorter \"keep\"."},
    {no_key, "key", "no key and no window: the view is a single row."},
};

void plan_explain_warnings(const struct plan *plan, struct buf *out)
{
    bool any = false;
    say_section(out, "WARNINGS");
    for (size_t i = 0; i < sizeof WARNINGS / sizeof *WARNINGS; i++) {
        if (!WARNINGS[i].applies(plan))
            continue;
        say(out, WARNINGS[i].label, "%s", WARNINGS[i].text);
        any = true;
    }
    if (!any)
        say(out, "none", "nothing here that surprises people.");
}
