/* kappa/version.c - see version.h: run, and what flips the live pointer. */
#include "common/store/retire.h"
#include "kappa/version_parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/stop.h"
#include "common/op/lookup.h"
#include "kappa/start.h"

enum { POLL_MS = 20 };

/* A new version that cannot read from its beginning would be in the way. */
static int check_begins(struct log *log, const char *topic, const struct registry_start *start,
                        int partitions, struct err *err)
{
    for (int p = 0; p < partitions; p++) {
        int64_t first, end, next = start->next ? start->next[p] : 0;
        int rc = log_range(log, topic, p, &first, &end, err);
        if (rc < 0)
            return rc;
        if (first > next)
            return err_set(err, ERR_GONE,
                           "partition %d of topic %s begins at %lld now: retention has passed its "
                           "beginning, which a new version needs; where an archive has it: --log "
                           "chain:ARCHIVE-DIR+LOG; without it: --from",
                           p, topic, (long long)first);
    }
    return 0;
}

/* Add the plan as a version that begins where options say; its number. */
static int add_version(const struct worker_options *options, struct log *log, struct kv *kv,
                       int partitions, struct err *err)
{
    const struct plan *plan = options->plan;
    struct registry_start start = {0};
    int rc = lookup_check(plan, err); /* as is one whose table cannot be read */
    if (rc == 0 && options->from)
        rc = start_find(options->from, plan, log, options->topic, partitions, &start, err);
    if (rc < 0 && options->from)
        err_context(err, "--from");
    if (rc == 0)
        rc = check_begins(log, options->topic, &start, partitions, err);
    if (rc == 0)
        rc = registry_add_at(kv, plan, ARCH_KAPPA, partitions, start, err);
    free(start.next);
    return rc;
}

/* A version that is there keeps its beginning, whatever the command says that starts its worker again. Its
 * number, or ERR_USAGE where the topic is another. */
static int standing(const struct worker_options *options, int number, struct kv *kv, int partitions,
                    struct err *err)
{
    if (options->from)
        fprintf(
            stderr,
            "lk: version %d is there already and keeps its beginning (lk kappa status); --from %s "
            "is not asked\n",
            number, options->from);
    return registry_add(kv, options->plan, ARCH_KAPPA, partitions, err);
}

/* The plan's version of a view over the topic: its number, and where it begins (owned). may_add: a
 * changed plan becomes the next version. */
static int version_of(const struct worker_options *options, struct log *log, bool may_add,
                      struct registry_start *start, struct err *err)
{
    const struct plan *plan = options->plan;
    int partitions = log_partitions(log, options->topic, err);
    if (partitions < 0)
        return partitions;
    struct kv *kv;
    int rc = kv_open(options->job.view_uri, &kv, err);
    if (rc < 0)
        return rc;
    struct registry registry = {0};
    rc = registry_read(kv, plan->view, ARCH_KAPPA, &registry, err);
    if (rc == 0 && registry.live && !registry_find(&registry, plan->hash) && !may_add)
        rc = err_set(err, ERR_USAGE,
                     "view %s is at version %d, made by another plan; to replay the log into a new "
                     "version beside it: lk kappa deploy --plan ...",
                     plan->view, registry.live);
    if (rc == 0 && registry_find(&registry, plan->hash))
        rc = standing(options, registry_find(&registry, plan->hash)->number, kv, partitions, err);
    else if (rc == 0)
        rc = add_version(options, log, kv, partitions, err);
    int number = rc;
    if (rc > 0) { /* another may have added it, too: what stands is where it begins */
        registry_release(&registry);
        rc = registry_read(kv, plan->view, ARCH_KAPPA, &registry, err);
    }
    if (rc == 0 && number <= registry.count) {
        *start = registry.versions[number - 1].start;
        registry.versions[number - 1].start.next = NULL;
        rc = number;
    }
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
    struct registry_start start = {0};
    rc = version_of(options, log, may_add, &start, err);
    log_close(log);
    if (rc >= 0) {
        options->job.arch = ARCH_KAPPA;
        options->job.version = rc;
        options->job.start = start;
        rc = worker_run(options, result, err);
        options->job.start = (struct registry_start){0};
    }
    free(start.next);
    return rc;
}

/* ---- waiting for a version ---- */

/* How far the target is behind these positions, in offsets; 0: it has folded them all. */
static int lag_behind(struct view_reader *reader, int target, const struct answer *positions,
                      int64_t *lag, struct err *err)
{
    struct view_query query = {.version = target, .positions_only = true};
    struct answer now = {0};
    int rc = view_reader_read(reader, &query, &now, err);
    *lag = 0;
    for (int p = 0; rc == 0 && p < now.partitions; p++)
        if (positions->parts[p].next > now.parts[p].next)
            *lag += positions->parts[p].next - now.parts[p].next;
    answer_release(&now);
    return rc;
}

int version_wait(struct kv *kv, const char *view, int target, int wait_ms, struct err *err)
{
    struct view_query query = {.positions_only = true};
    struct answer live = {0};
    struct view_reader *reader = view_reader_new(kv, view, ARCH_KAPPA);
    int rc = view_reader_read(reader, &query, &live, err);
    int64_t lag = 0, deadline = clock_mono_ns() + (int64_t)wait_ms * 1000000;
    while (rc == 0 && !stop_asked()) {
        rc = lag_behind(reader, target, &live, &lag, err);
        lag = bug_planted("flip-stale") ? 0 : lag;
        if (rc < 0 || lag == 0 || clock_mono_ns() > deadline)
            break;
        clock_sleep_ms(POLL_MS);
    }
    view_reader_free(reader);
    answer_release(&live);
    if (rc == 0 && lag > 0)
        rc = err_set(err, ERR_CHECK,
                     "version %d of view %s lags the live one by %lld events: keep a worker on it "
                     "(lk kappa deploy --follow with its plan) and try again",
                     target, view, (long long)lag);
    return rc;
}

/* The plan's version, which a deploy that has just begun may still be about to add: waits wait_ms. */
int version_find(struct kv *kv, const struct plan *plan, int wait_ms, int *live, int *target,
                 struct err *err)
{
    int64_t deadline = clock_mono_ns() + (int64_t)wait_ms * 1000000;
    for (*target = 0; *target == 0;) {
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
        if (*target == 0)
            clock_sleep_ms(POLL_MS);
    }
    return 0;
}

/* ---- promote, canary, rollback ---- */

static int refuse_differing(struct kv *kv, const struct plan *plan, int live, int target,
                            struct err *err)
{
    struct plan *live_plan = NULL;
    struct kappa_diff diff = {.live = live, .target = target};
    int rc = version_plan(kv, plan->view, live, &live_plan, err);
    if (rc == 0) {
        const struct plan *plans[] = {live_plan, plan};
        rc = version_compare(kv, plans, &diff, NULL, NULL, err);
    }
    plan_free(live_plan);
    if (rc == 0 && diff.rows == 0)
        fprintf(
            stderr,
            "lk: version %d was compared with the live version %d in no row: no window is final "
            "in both, or version %d begins behind all that are (lk kappa status)\n",
            target, live, target);
    size_t by_sketch = diff.causes[CAUSE_SKETCH];
    if (rc == 0 && by_sketch > 0)
        fprintf(
            stderr,
            "lk: %zu of %zu rows differ between version %d and the live version %d by no more than "
            "their sketches may (%s)\n",
            by_sketch, diff.rows, target, live, KAPPA_CAUSES[CAUSE_SKETCH]);
    if (rc == 0 && diff.differing > by_sketch)
        rc = err_set(
            err, ERR_CHECK,
            "%zu of %zu rows in final windows differ between version %d and the live "
            "version %d (%s): see which with lk kappa diff; where the change is meant to do "
            "that, promote with --accept-diff",
            diff.differing - by_sketch, diff.rows, target, live, KAPPA_CAUSES[diff.cause]);
    return rc;
}

int kappa_promote(const struct plan *plan, const char *view_uri, int wait_ms, bool accept_diff,
                  int *number, struct err *err)
{
    struct kv *kv;
    int live, rc = kv_open(view_uri, &kv, err);
    if (rc < 0)
        return rc;
    rc = version_find(kv, plan, 0, &live, number, err);
    if (rc == 0 && live != *number) {
        rc = version_wait(kv, plan->view, *number, wait_ms, err);
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
    int rc = version_plan(kv, plan->view, live, &other, err);
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
    rc = version_find(kv, plan, 0, &live, number, err);
    if (rc == 0)
        rc = check_keys(kv, plan, live, err);
    if (rc == 0 && share > 0)
        rc = version_wait(kv, plan->view, *number, wait_ms, err);
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
        rc = version_wait(kv, view, *number, wait_ms, err);
    if (rc == 0)
        rc = registry_promote(kv, view, ARCH_KAPPA, registry.live, *number, err);
    registry_release(&registry);
    kv_close(kv);
    return rc;
}

/* ---- status ---- */

/* Where a version begins that does not begin at the beginning. */
static void print_start(const struct registry_start *start, bool json, FILE *out)
{
    if (!start->next)
        return;
    fputs(json ? ",\"from\":[" : "  begins:", out);
    for (int p = 0; p < start->count; p++)
        fprintf(out, json ? "%s%lld" : "%s %lld", json && p ? "," : "", (long long)start->next[p]);
    if (start->floor_ms > WINDOW_FLOOR_NONE)
        fprintf(out, json ? "],\"floor\":%lld" : ", windows from %lld", (long long)start->floor_ms);
    else if (json)
        fputc(']', out);
}

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
    if (json)
        fputc(']', out);
    print_start(&version->start, json, out);
    fputs(json ? "}\n" : "\n", out);
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

int64_t kappa_retire(const char *view, const char *view_uri, int number, struct err *err)
{
    return view_retire(view, view_uri, ARCH_KAPPA, number, err);
}
