/* kappa/diff.c - two versions held against each other where nothing can change any more, and the cause of what
 * differs. */
#include <jansson.h>

#include "kappa/diff_sides.h"
#include "kappa/version_parts.h"

const char *const KAPPA_CAUSES[] = {[CAUSE_NONE] = "none",
                                    [CAUSE_SKETCH] = "sketch error",
                                    [CAUSE_RULE] = "changed rule",
                                    [CAUSE_LATE] = "late in one only",
                                    [CAUSE_NOT_READ] = "not yet read",
                                    [CAUSE_UNEXPLAINED] = "unexplained"};

/* "values.users.precision"; a value may be named precision, too: "values.precision". */
static bool is_precision(const char *path)
{
    static const char VALUES[] = "values.";
    if (strncmp(path, VALUES, strlen(VALUES)) != 0)
        return false;
    const char *member = strchr(path + strlen(VALUES), '.');
    return member && strcmp(member, ".precision") == 0;
}

unsigned causes_of_plans(const struct plan *live, const struct plan *target)
{
    struct buf text = {0};
    unsigned causes = 0;
    plan_diff(live, target, true, &text);
    json_t *root = json_loads(text.ptr, 0, NULL), *change;
    size_t i;
    json_array_foreach (json_object_get(root, "changes"), i, change) {
        const char *path = json_string_value(json_object_get(change, "path"));
        bool late =
            strcmp(path, "allowed_lateness") == 0 || strcmp(path, "source.out_of_order") == 0;
        enum kappa_cause cause = late ? CAUSE_LATE : is_precision(path) ? CAUSE_SKETCH : CAUSE_RULE;
        if (strcmp(path, "keep") != 0) /* bears on no window above both floors */
            causes |= 1U << cause;
    }
    json_decref(root);
    buf_release(&text);
    return causes;
}

bool sketch_may_tell(unsigned causes)
{
    return causes & 1U << CAUSE_SKETCH && !(causes & 1U << CAUSE_RULE);
}

/* ---- rows ---- */

struct counting {
    enum kappa_cause (*cause_of)(const struct answer_row *, const struct answer_row *, void *);
    kappa_differ *differ;
    void *state, *context;
    struct kappa_diff *out;
};

static void count_row(const struct answer_row *live, const struct answer_row *target, void *context)
{
    struct counting *counting = context;
    enum kappa_cause cause = counting->cause_of(live, target, counting->state);
    counting->out->causes[cause]++;
    if (cause > counting->out->cause)
        counting->out->cause = cause;
    if (counting->differ)
        counting->differ(live, target, cause, counting->context);
}

void rows_compare(const struct answer *live, const struct answer *target,
                  enum kappa_cause (*cause_of)(const struct answer_row *, const struct answer_row *,
                                               void *),
                  void *state, kappa_differ *differ, void *context, struct kappa_diff *out)
{
    struct counting counting = {cause_of, differ, state, context, out};
    out->rows += live->count > target->count ? live->count : target->count;
    out->differing += answer_diff(live, target, count_row, &counting);
}

/* ---- two versions as they stand ---- */

/* What is the same for all rows. */
struct telling {
    const struct plan *const *plans;
    bool sketches;          /* a row may differ by their error alone */
    enum kappa_cause other; /* where it does not */
};

/* For all rows that no sketch's error explains: the plans tell, else the positions. */
static enum kappa_cause cause_of_versions(unsigned causes, const struct answer *live,
                                          const struct answer *target)
{
    if (causes & 1U << CAUSE_RULE)
        return CAUSE_RULE;
    if (causes & 1U << CAUSE_LATE)
        return CAUSE_LATE;
    for (int p = 0; p < live->partitions; p++)
        if (live->parts[p].next != target->parts[p].next)
            return CAUSE_NOT_READ;
    return CAUSE_UNEXPLAINED;
}

static enum kappa_cause cause_of_row(const struct answer_row *live, const struct answer_row *target,
                                     void *state)
{
    const struct telling *telling = state;
    if (telling->sketches && rows_within_sketch(telling->plans, live, target))
        return CAUSE_SKETCH;
    return telling->other;
}

int version_compare(struct kv *kv, const struct plan *const *plans, struct kappa_diff *out,
                    kappa_differ *differ, void *context, struct err *err)
{
    struct sides sides = {.plans = {plans[0], plans[1]}, .numbers = {out->live, out->target}};
    int rc = sides_open(&sides, kv, err);
    unsigned causes = rc < 0 ? 0 : causes_of_plans(plans[0], plans[1]);
    struct telling telling = {plans, sketch_may_tell(causes),
                              rc < 0 ? CAUSE_NONE
                                     : cause_of_versions(causes, &sides.stand[0], &sides.stand[1])};
    for (size_t i = 0; rc == 0 && i < sides.count; i++) {
        struct answer rows[2] = {0};
        rc = sides_read(&sides, i, rows, err);
        if (rc == 1)
            rows_compare(&rows[0], &rows[1], cause_of_row, &telling, differ, context, out);
        else if (rc == 0)
            out->not_final += rows[0].count > rows[1].count ? rows[0].count : rows[1].count;
        rc = rc < 0 ? rc : 0;
        answer_release(&rows[0]);
        answer_release(&rows[1]);
    }
    sides_close(&sides);
    return rc;
}

/* The plan of version number, as the registry keeps it. */
int version_plan(struct kv *kv, const char *view, int number, struct plan **out, struct err *err)
{
    struct registry registry = {0};
    struct buf mistakes = {0};
    int rc = registry_read(kv, view, ARCH_KAPPA, &registry, err);
    if (rc == 0)
        rc = plan_parse(bytes_of(registry.versions[number - 1].plan), ".", false, out, &mistakes,
                        err);
    buf_release(&mistakes);
    registry_release(&registry);
    return rc;
}

int kappa_compare(const struct plan *plan, const char *view_uri, int wait_ms, kappa_differ *differ,
                  void *context, struct kappa_diff *out, struct err *err)
{
    struct kv *kv;
    *out = (struct kappa_diff){0};
    int rc = kv_open(view_uri, &kv, err);
    if (rc < 0)
        return rc;
    struct plan *live_plan = NULL;
    rc = version_find(kv, plan, wait_ms, &out->live, &out->target, err);
    if (rc == 0)
        rc = version_wait(kv, plan->view, out->target, wait_ms, err);
    if (rc == 0)
        rc = version_plan(kv, plan->view, out->live, &live_plan, err);
    if (rc == 0) {
        const struct plan *plans[] = {live_plan, plan};
        rc = version_compare(kv, plans, out, differ, context, err);
    }
    plan_free(live_plan);
    kv_close(kv);
    return rc;
}
