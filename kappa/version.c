/* kappa/version.c - see version.h. */
#include "kappa/version.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/stop.h"
#include "common/op/lookup.h"
#include "common/store/read.h"

enum { POLL_MS = 20 };

int kappa_version_of(const struct plan *plan, const char *view_uri, int partitions, bool may_add,
                     struct err *err)
{
    struct kv *kv;
    int rc = kv_open(view_uri, &kv, err);
    if (rc < 0)
        return rc;
    struct registry registry = {0};
    rc = registry_read(kv, plan->view, ARCH_KAPPA, &registry, err);
    if (rc == 0 && registry.live && !registry_find(&registry, plan->hash) && !may_add)
        rc = err_set(err, ERR_USAGE,
                     "view %s is at version %d, made by another plan; to replay the log into a new "
                     "version beside it: lk kappa deploy --plan ...",
                     plan->view, registry.live);
    if (rc == 0 && !registry_find(&registry, plan->hash))
        rc = lookup_check(plan, err); /* a version whose table cannot be read would be in the way */
    if (rc == 0)
        rc = registry_add(kv, plan, ARCH_KAPPA, partitions, err);
    registry_release(&registry);
    kv_close(kv);
    return rc;
}

int kappa_run(struct worker_options *options, bool may_add, struct worker_result *result,
              struct err *err)
{
    struct log *log;
    int rc = log_open(options->log_uri, false, &log, err);
    if (rc < 0)
        return rc;
    rc = log_partitions(log, options->topic, err);
    log_close(log);
    if (rc > 0)
        rc = kappa_version_of(options->plan, options->job.view_uri, rc, may_add, err);
    if (rc < 0)
        return rc;
    options->job.arch = ARCH_KAPPA;
    options->job.version = rc;
    return worker_run(options, result, err);
}

/* ---- waiting for a version ---- */

/* How far the target is behind these positions, in offsets; 0: it has folded them all. */
static int lag_behind(struct kv *kv, const char *view, int target, const struct answer *positions,
                      int64_t *lag, struct err *err)
{
    struct view_query query = {.version = target, .positions_only = true};
    struct answer now = {0};
    int rc = view_read(kv, view, ARCH_KAPPA, &query, &now, err);
    *lag = 0;
    for (int p = 0; rc == 0 && p < now.partitions; p++)
        if (positions->parts[p].next > now.parts[p].next)
            *lag += positions->parts[p].next - now.parts[p].next;
    answer_release(&now);
    return rc;
}

static int wait_until_caught_up(struct kv *kv, const char *view, int target, int wait_ms,
                                struct err *err)
{
    struct view_query query = {.positions_only = true};
    struct answer live = {0};
    int rc = view_read(kv, view, ARCH_KAPPA, &query, &live, err);
    int64_t lag = 0, deadline = clock_mono_ns() + (int64_t)wait_ms * 1000000;
    while (rc == 0 && !stop_asked()) {
        rc = lag_behind(kv, view, target, &live, &lag, err);
        if (rc < 0 || lag == 0 || clock_mono_ns() > deadline)
            break;
        clock_sleep_ms(POLL_MS);
    }
    answer_release(&live);
    if (rc == 0 && lag > 0)
        rc = err_set(err, ERR_CHECK,
                     "version %d of view %s lags the live one by %lld events: keep a worker on it "
                     "(lk kappa deploy --follow with its plan) and try again",
                     target, view, (long long)lag);
    return rc;
}

/* The plan's version, which a deploy that has just begun may still be about to add: waits wait_ms.
 */
static int find_target(struct kv *kv, const struct plan *plan, int wait_ms, int *live, int *target,
                       struct err *err)
{
    int64_t deadline = clock_mono_ns() + (int64_t)wait_ms * 1000000;
    for (*target = 0; *target == 0; clock_sleep_ms(POLL_MS)) {
        struct registry registry = {0};
        int rc = registry_read(kv, plan->view, ARCH_KAPPA, &registry, err);
        if (rc < 0)
            return rc;
        const struct registry_version *version = registry_find(&registry, plan->hash);
        *target = version ? version->number : 0;
        *live = registry.live;
        registry_release(&registry);
        if (*target == 0 && (clock_mono_ns() > deadline || stop_asked()))
            return err_set(err, ERR_USAGE,
                           "this plan is no version of view %s yet: lk kappa deploy", plan->view);
    }
    return 0;
}

/* ---- diff ---- */

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

static int read_version(struct kv *kv, const char *view, int number, struct answer *out,
                        struct err *err)
{
    struct view_query query = {.version = number, .exact = true};
    return view_read(kv, view, ARCH_KAPPA, &query, out, err);
}

static int compare_versions(struct kv *kv, const struct plan *const *plans, struct kappa_diff *out,
                            void (*differ)(const struct answer_row *, const struct answer_row *,
                                           void *),
                            void *context, struct err *err)
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
        out->rows = live.count > target.count ? live.count : target.count;
        out->differing = answer_diff(&live, &target, differ, context);
    }
    answer_release(&live);
    answer_release(&target);
    return rc;
}

/* The plan of version number, as the registry keeps it. */
static int stored_plan(struct kv *kv, const char *view, int number, struct plan **out,
                       struct err *err)
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

int kappa_compare(const struct plan *plan, const char *view_uri, int wait_ms,
                  void (*differ)(const struct answer_row *live, const struct answer_row *target,
                                 void *context),
                  void *context, struct kappa_diff *out, struct err *err)
{
    struct kv *kv;
    *out = (struct kappa_diff){0};
    int rc = kv_open(view_uri, &kv, err);
    if (rc < 0)
        return rc;
    struct plan *live_plan = NULL;
    rc = find_target(kv, plan, wait_ms, &out->live, &out->target, err);
    if (rc == 0)
        rc = wait_until_caught_up(kv, plan->view, out->target, wait_ms, err);
    if (rc == 0)
        rc = stored_plan(kv, plan->view, out->live, &live_plan, err);
    if (rc == 0) {
        const struct plan *plans[] = {live_plan, plan};
        rc = compare_versions(kv, plans, out, differ, context, err);
    }
    plan_free(live_plan);
    kv_close(kv);
    return rc;
}

/* ---- promote, canary, rollback ---- */

static int refuse_differing(struct kv *kv, const struct plan *plan, int live, int target,
                            struct err *err)
{
    struct plan *live_plan = NULL;
    struct kappa_diff diff = {.live = live, .target = target};
    int rc = stored_plan(kv, plan->view, live, &live_plan, err);
    if (rc == 0) {
        const struct plan *plans[] = {live_plan, plan};
        rc = compare_versions(kv, plans, &diff, NULL, NULL, err);
    }
    plan_free(live_plan);
    if (rc == 0 && diff.differing > 0)
        rc = err_set(err, ERR_CHECK,
                     "%zu of %zu rows in final windows differ between version %d and the live "
                     "version %d: see which with lk kappa diff; where the change is meant to do "
                     "that, promote with --accept-diff",
                     diff.differing, diff.rows, target, live);
    return rc;
}

int kappa_promote(const struct plan *plan, const char *view_uri, int wait_ms, bool accept_diff,
                  int *number, struct err *err)
{
    struct kv *kv;
    int live, rc = kv_open(view_uri, &kv, err);
    if (rc < 0)
        return rc;
    rc = find_target(kv, plan, 0, &live, number, err);
    if (rc == 0 && live != *number) {
        rc = wait_until_caught_up(kv, plan->view, *number, wait_ms, err);
        if (rc == 0 && !accept_diff)
            rc = refuse_differing(kv, plan, live, *number, err);
        if (rc == 0)
            rc = registry_promote(kv, plan->view, ARCH_KAPPA, live, *number, err);
    }
    kv_close(kv);
    return rc;
}

/* Keys are shared out by their text: both versions must mean the same by one. */
static int check_keys(struct kv *kv, const struct plan *plan, int live, struct err *err)
{
    struct plan *other = NULL;
    int rc = stored_plan(kv, plan->view, live, &other, err);
    if (rc < 0)
        return rc;
    bool same = other->keys == plan->keys;
    for (int i = 0; same && i < plan->keys; i++)
        same = strcmp(other->schema.fields[other->key[i]].name,
                      plan->schema.fields[plan->key[i]].name) == 0;
    plan_free(other);
    return same ? 0
                : err_set(err, ERR_USAGE,
                          "the plan's key is another than that of the live version %d: it cannot "
                          "answer for a share of its keys; lk kappa promote lets it answer for all",
                          live);
}

int kappa_canary(const struct plan *plan, const char *view_uri, int share, int wait_ms, int *number,
                 struct err *err)
{
    struct kv *kv;
    int live, rc = kv_open(view_uri, &kv, err);
    if (rc < 0)
        return rc;
    rc = find_target(kv, plan, 0, &live, number, err);
    if (rc == 0)
        rc = check_keys(kv, plan, live, err);
    if (rc == 0 && share > 0)
        rc = wait_until_caught_up(kv, plan->view, *number, wait_ms, err);
    if (rc == 0)
        rc = registry_canary(kv, plan->view, ARCH_KAPPA, *number, share, err);
    kv_close(kv);
    return rc;
}

int kappa_rollback(const char *view, const char *view_uri, int wait_ms, int *number,
                   struct err *err)
{
    struct kv *kv;
    struct registry registry = {0};
    int rc = kv_open(view_uri, &kv, err);
    if (rc < 0)
        return rc;
    rc = registry_read(kv, view, ARCH_KAPPA, &registry, err);
    if (rc == 0 && !registry.before)
        rc = err_set(err, ERR_USAGE,
                     "view %s has nothing to go back to: no promotion has been made", view);
    *number = registry.before;
    if (rc == 0)
        rc = wait_until_caught_up(kv, view, *number, wait_ms, err);
    if (rc == 0)
        rc = registry_promote(kv, view, ARCH_KAPPA, registry.live, *number, err);
    registry_release(&registry);
    kv_close(kv);
    return rc;
}

/* ---- status ---- */

static int print_version(struct kv *kv, const char *view, const struct registry *registry, int i,
                         bool json, FILE *out, struct err *err)
{
    const struct registry_version *version = &registry->versions[i];
    struct view_query query = {.version = version->number, .positions_only = true};
    struct answer answer = {0}; /* a retired version stands nowhere */
    int rc = version->running ? view_read(kv, view, ARCH_KAPPA, &query, &answer, err) : 0;
    if (rc < 0)
        return rc;
    const char *state = version->running ? "running" : "retired";
    fprintf(
        out,
        json
            ? "{\"version\":%d,\"live\":%s,\"share\":%d,\"state\":\"%s\",\"hash\":\"%s\",\"next\":["
            : "version %d  live: %s  canary: %d %%  %s  plan %s  next:",
        version->number,
        json ? (version->number == registry->live ? "true" : "false")
             : (version->number == registry->live ? "yes" : "no"),
        version->number == registry->canary ? registry->share : 0, state, version->hash);
    for (int p = 0; p < answer.partitions; p++)
        fprintf(out, json ? "%s%lld" : "%s %lld", json && p ? "," : "",
                (long long)answer.parts[p].next);
    fputs(json ? "]}\n" : "\n", out);
    answer_release(&answer);
    return 0;
}

int kappa_status(const char *view, const char *view_uri, bool json, FILE *out, struct err *err)
{
    struct kv *kv;
    int rc = kv_open(view_uri, &kv, err);
    if (rc < 0)
        return rc;
    struct registry registry = {0};
    rc = registry_read(kv, view, ARCH_KAPPA, &registry, err);
    if (rc == 0 && !registry.live)
        rc = err_set(err, ERR_ENV, "kappa has no view %s yet; make it: lk kappa run", view);
    for (int i = 0; rc == 0 && i < registry.count; i++)
        rc = print_version(kv, view, &registry, i, json, out, err);
    registry_release(&registry);
    kv_close(kv);
    return rc;
}
