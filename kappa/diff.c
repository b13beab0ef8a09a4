/* kappa/diff.c - two versions held against each other where nothing can change any more, and the cause of what
 * differs. */
#include <jansson.h>

#include "kappa/version_parts.h"

static int64_t smallest_T(const struct answer *answer)
{
    int64_t T_ms = INT64_MAX;
    for (int p = 0; p < answer->partitions; p++)
        if (answer->parts[p].next > 0 && answer->parts[p].T_ms < T_ms)
            T_ms = answer->parts[p].T_ms; /* a partition without events makes nothing wait */
    return T_ms;
}

/* Keep the rows of windows that no rule-abiding event can change any more, in both versions. */
static size_t keep_final(struct answer *answer, const struct plan *const *plans,
                         const int64_t *T_ms, int64_t floor_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < answer->count; i++) {
        int64_t window = answer->rows[i].window_ms;
        if (window >= floor_ms && window_final(plans[0], window, T_ms[0]) &&
            window_final(plans[1], window, T_ms[1]))
            answer->rows[kept++] = answer->rows[i];
    }
    size_t dropped = answer->count - kept;
    answer->count = kept;
    return dropped;
}

const char *const KAPPA_CAUSES[] = {[CAUSE_NONE] = "none",
                                    [CAUSE_RULE] = "changed rule",
                                    [CAUSE_LATE] = "late in one only",
                                    [CAUSE_NOT_READ] = "not yet read",
                                    [CAUSE_UNEXPLAINED] = "unexplained"};

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
        if (strcmp(path, "keep") != 0) /* bears on no window above both floors */
            causes |= 1U << (late ? CAUSE_LATE : CAUSE_RULE);
    }
    json_decref(root);
    buf_release(&text);
    return causes;
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
    out->rows = live->count > target->count ? live->count : target->count;
    out->differing = answer_diff(live, target, count_row, &counting);
}

/* ---- two versions as they stand ---- */

/* One for all rows: the plans tell, else the positions. */
static enum kappa_cause cause_of_versions(const struct plan *const *plans,
                                          const struct answer *live, const struct answer *target)
{
    unsigned causes = causes_of_plans(plans[0], plans[1]);
    if (causes)
        return causes & 1U << CAUSE_RULE ? CAUSE_RULE : CAUSE_LATE;
    for (int p = 0; p < live->partitions; p++)
        if (live->parts[p].next != target->parts[p].next)
            return CAUSE_NOT_READ;
    return CAUSE_UNEXPLAINED;
}

static enum kappa_cause same_cause(const struct answer_row *live, const struct answer_row *target,
                                   void *state)
{
    (void)live, (void)target;
    return *(enum kappa_cause *)state;
}

static int read_version(struct kv *kv, const char *view, int number, struct answer *out,
                        struct err *err)
{
    struct view_query query = {.version = number, .exact = true};
    return view_read(kv, view, ARCH_KAPPA, &query, out, err);
}

int version_compare(struct kv *kv, const struct plan *const *plans, struct kappa_diff *out,
                    kappa_differ *differ, void *context, struct err *err)
{
    struct answer live = {0}, target = {0};
    int rc = read_version(kv, plans[0]->view, out->live, &live, err);
    if (rc == 0)
        rc = read_version(kv, plans[0]->view, out->target, &target, err);
    if (rc == 0) {
        int64_t T_ms[] = {smallest_T(&live), smallest_T(&target)};
        int64_t floors[] = {answer_floor(&live), answer_floor(&target)};
        int64_t floor_ms = floors[0] > floors[1] ? floors[0] : floors[1];
        out->not_final = keep_final(&live, plans, T_ms, floor_ms);
        size_t other = keep_final(&target, plans, T_ms, floor_ms);
        out->not_final = other > out->not_final ? other : out->not_final;
        enum kappa_cause cause = cause_of_versions(plans, &live, &target);
        rows_compare(&live, &target, same_cause, &cause, differ, context, out);
    }
    answer_release(&live);
    answer_release(&target);
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
