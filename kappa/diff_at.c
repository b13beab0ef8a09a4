/* kappa/diff_at.c - what two plans make of the log up to the same positions, folded anew.
 *
 *   log up to V --live version's plan--> memory --+
 *           \---this plan----------------> memory -+-> rows that differ, each with its cause
 *            `--this plan, late as the live one--> memory --^  (where both rule and lateness changed)
 *
 * Two versions as they stand cannot be read at one V: each has its own pace, and what a view held earlier is
 * gone. So both are folded by the worker that folds versions. It compares what plans say, and not what
 * stands in the store: that is lk kappa diff without --at, and lk verify. */
#include <jansson.h>
#include <stdlib.h>

#include "kappa/start.h"
#include "kappa/version_parts.h"

/* The folds of one comparison: 0 live, 1 target, 2 target with the live one's lateness. */
enum { FOLD_LIVE, FOLD_TARGET, FOLD_MIXED, FOLDS };

struct folded {
    struct plan *plan; /* owned */
    struct registry_start start;
    struct answer answer;
};

struct comparison {
    const char *log_uri, *topic;
    struct log *log;
    int partitions;
    int64_t *until;
    struct folded folds[FOLDS];
    unsigned causes;
    size_t at; /* a row of FOLD_MIXED: those before it are below the row in hand */
};

static const char *const SERVERS[] = {"memory:diff.live", "memory:diff.target",
                                      "memory:diff.mixed"};
static const char *const NAMES[] = {"diff.live", "diff.target", "diff.mixed"};

/* ---- one fold ---- */

static int run_on(const struct comparison *c, const struct folded *fold, const char *uri,
                  struct err *err)
{
    int *partitions = mem_zero((size_t)c->partitions, sizeof *partitions);
    struct worker_result result;
    struct worker_options options = {.plan = fold->plan,
                                     .log_uri = c->log_uri,
                                     .topic = c->topic,
                                     .partitions = partitions,
                                     .count = c->partitions,
                                     .workers = 1,
                                     .job = {.view_uri = uri,
                                             .arch = ARCH_KAPPA,
                                             .version = 1,
                                             .start = fold->start,
                                             .commit_ms = 1000,
                                             .memory_bytes = INT64_C(1) << 28,
                                             .patience_ms = 1000}};
    for (int p = 0; p < c->partitions; p++)
        partitions[p] = p;
    int rc = worker_run_on(&options, c->log, c->until, &result, err);
    free(partitions);
    return rc;
}

static int fold_one(const struct comparison *c, int which, struct folded *fold, struct err *err)
{
    struct kv *kv;
    struct view_query query = {.version = 1, .exact = true};
    int rc = kv_open(SERVERS[which], &kv, err);
    if (rc < 0)
        return rc;
    rc = registry_add_at(kv, fold->plan, ARCH_KAPPA, c->partitions, fold->start, err);
    rc = rc < 0 ? rc : run_on(c, fold, SERVERS[which], err);
    rc = rc < 0 ? rc : view_read(kv, fold->plan->view, ARCH_KAPPA, &query, &fold->answer, err);
    kv_close(kv);
    memory_drop(NAMES[which]);
    return rc;
}

/* ---- plans ---- */

/* This plan with the live one's lateness and order. */
static int mix(const struct plan *live, const struct plan *target, struct plan **out,
               struct err *err)
{
    json_t *from = json_loads(live->json, 0, NULL), *to = json_loads(target->json, 0, NULL);
    const char *const members[] = {"allowed_lateness", "out_of_order"};
    json_t *from_in[] = {from, json_object_get(from, "source")};
    json_t *to_in[] = {to, json_object_get(to, "source")};
    for (int i = 0; i < 2; i++) {
        json_t *value = json_object_get(from_in[i], members[i]);
        if (value)
            json_object_set(to_in[i], members[i], value);
        else
            json_object_del(to_in[i], members[i]);
    }
    char *text = json_dumps(to, JSON_COMPACT);
    struct buf mistakes = {0};
    int rc = plan_parse(bytes_of(text), target->directory, false, out, &mistakes, err);
    buf_release(&mistakes);
    free(text);
    json_decref(from);
    json_decref(to);
    return rc;
}

static void take_start(struct folded *fold, struct registry_version *version)
{
    fold->start = version->start;
    version->start.next = NULL;
}

/* The live version's plan and start from the registry; the target's start, if it is a version. */
static int find_plans(struct comparison *c, const struct plan *plan, const char *view_uri,
                      struct kappa_diff *out, struct err *err)
{
    struct kv *kv;
    struct registry registry = {0};
    struct buf mistakes = {0};
    int rc = kv_open(view_uri, &kv, err);
    if (rc < 0)
        return rc;
    rc = registry_read(kv, plan->view, ARCH_KAPPA, &registry, err);
    kv_close(kv);
    if (rc == 0 && !registry.live)
        rc = err_set(err, ERR_ENV, "kappa has no view %s yet; make it: lk kappa run", plan->view);
    if (rc == 0) {
        const struct registry_version *target = registry_find(&registry, plan->hash);
        struct registry_version *live = &registry.versions[registry.live - 1];
        out->live = registry.live;
        out->target = target ? target->number : 0;
        rc = plan_parse(bytes_of(live->plan), plan->directory, false, &c->folds[FOLD_LIVE].plan,
                        &mistakes, err);
        take_start(&c->folds[FOLD_LIVE], live);
        if (out->target && out->target != out->live)
            take_start(&c->folds[FOLD_TARGET], &registry.versions[out->target - 1]);
    }
    if (rc == 0)
        rc = plan_parse(bytes_of(plan->json), plan->directory, false, &c->folds[FOLD_TARGET].plan,
                        &mistakes, err);
    buf_release(&mistakes);
    registry_release(&registry);
    return rc;
}

static int check_until(const struct comparison *c, struct err *err)
{
    for (int i = 0; i < FOLD_MIXED; i++)
        for (int p = 0; c->folds[i].start.next && p < c->partitions; p++)
            if (c->folds[i].start.next[p] > c->until[p])
                return err_set(err, ERR_USAGE,
                               "--at: the %s version begins at offset %lld of partition %d, behind "
                               "%lld",
                               i == FOLD_LIVE ? "live" : "new",
                               (long long)c->folds[i].start.next[p], p, (long long)c->until[p]);
    return 0;
}

/* ---- rows ---- */

static void keep_above(struct answer *answer, int64_t floor_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < answer->count; i++)
        if (answer->rows[i].window_ms >= floor_ms)
            answer->rows[kept++] = answer->rows[i];
    answer->count = kept;
}

static bool same_values(const struct answer_row *a, const struct answer_row *b)
{
    return a && b ? bytes_equal(a->values, b->values) : a == b;
}

/* The mixed row of the same window and key, or NULL; rows are asked for in order. */
static const struct answer_row *mixed_row(struct comparison *c, const struct answer_row *row)
{
    const struct answer *mixed = &c->folds[FOLD_MIXED].answer;
    for (; c->at < mixed->count; c->at++) {
        const struct answer_row *at = &mixed->rows[c->at];
        int order = at->window_ms < row->window_ms   ? -1
                    : at->window_ms > row->window_ms ? 1
                                                     : bytes_compare(at->key, row->key);
        if (order >= 0)
            return order == 0 ? at : NULL;
    }
    return NULL;
}

/* Where the new rule alone changes nothing in a row, lateness did. */
static enum kappa_cause cause_at(const struct answer_row *live, const struct answer_row *target,
                                 void *state)
{
    struct comparison *c = state;
    const struct plan *plans[] = {c->folds[FOLD_LIVE].plan, c->folds[FOLD_TARGET].plan};
    if (sketch_may_tell(c->causes) && rows_within_sketch(plans, live, target))
        return CAUSE_SKETCH;
    if (!c->folds[FOLD_MIXED].plan)
        return c->causes & 1U << CAUSE_RULE   ? CAUSE_RULE
               : c->causes & 1U << CAUSE_LATE ? CAUSE_LATE
                                              : CAUSE_UNEXPLAINED;
    const struct answer_row *mixed = mixed_row(c, live ? live : target);
    return same_values(mixed, live) ? CAUSE_LATE : CAUSE_RULE;
}

static int fold_all(struct comparison *c, struct err *err)
{
    const unsigned both = 1U << CAUSE_RULE | 1U << CAUSE_LATE;
    struct folded *folds = c->folds;
    int rc = 0;
    c->causes = causes_of_plans(folds[FOLD_LIVE].plan, folds[FOLD_TARGET].plan);
    if ((c->causes & both) == both) {
        rc = mix(folds[FOLD_LIVE].plan, folds[FOLD_TARGET].plan, &folds[FOLD_MIXED].plan, err);
        folds[FOLD_MIXED].start = folds[FOLD_TARGET].start; /* borrowed */
    }
    for (int i = 0; rc == 0 && i < FOLDS; i++)
        if (folds[i].plan)
            rc = fold_one(c, i, &folds[i], err);
    return rc;
}

static void compare_folds(struct comparison *c, kappa_differ *differ, void *context,
                          struct kappa_diff *out)
{
    struct answer *live = &c->folds[FOLD_LIVE].answer, *target = &c->folds[FOLD_TARGET].answer;
    int64_t floors[] = {answer_floor(live), answer_floor(target)};
    int64_t floor_ms = floors[0] > floors[1] ? floors[0] : floors[1];
    keep_above(live, floor_ms);
    keep_above(target, floor_ms);
    rows_compare(live, target, cause_at, c, differ, context, out);
}

int kappa_compare_at(const struct plan *plan, const char *view_uri, const char *log_uri,
                     const char *topic, const char *at, kappa_differ *differ, void *context,
                     struct kappa_diff *out, struct err *err)
{
    struct comparison c = {.log_uri = log_uri, .topic = topic};
    *out = (struct kappa_diff){0};
    int rc = find_plans(&c, plan, view_uri, out, err);
    rc = rc < 0 ? rc : log_open(log_uri, false, &c.log, err);
    if (rc == 0)
        rc = c.partitions = log_partitions(c.log, topic, err);
    if (rc > 0) {
        c.until = mem_zero((size_t)rc, sizeof *c.until);
        rc = start_positions(at, c.log, topic, c.partitions, c.until, err);
    }
    rc = rc < 0 ? rc : check_until(&c, err);
    rc = rc < 0 ? rc : fold_all(&c, err);
    if (rc == 0)
        compare_folds(&c, differ, context, out);
    free(c.folds[FOLD_LIVE].start.next);
    free(c.folds[FOLD_TARGET].start.next);
    for (int i = 0; i < FOLDS; i++) {
        plan_free(c.folds[i].plan);
        answer_release(&c.folds[i].answer);
    }
    free(c.until);
    if (c.log)
        log_close(c.log);
    return rc;
}
