/* tests/agreement/leg.c - one run of a worker over some of the log, and what happens to it.
 *
 * On threads it is worker_run_on itself. Step by step the task loop runs on this thread under a sink
 * that wraps job_sink: it lets through few events at a time and not every tick, so commits, reads
 * and troubles of the store fall between any two steps, and the same seed does the same again. */
#include <pthread.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/stop.h"
#include "common/run/job.h"
#include "lambda/archive.h"
#include "lambda/base.h"
#include "lambda/batch.h"
#include "lambda/rollback.h"
#include "tests/agreement/agreement.h"

enum { LEG_TRIES = 12, TICKS_MAX = 20000, PATIENCE_MS = 5000 };

static struct job_options job_options(const struct stage *stage, enum arch arch)
{
    return (struct job_options){.view_uri = stage->uri,
                                .arch = arch,
                                .version = stage->version,
                                .handover = stage->made->handover,
                                .commit_ms = 1,
                                .span_ms = (int)stage->span_ms,
                                .memory_bytes = stage->memory_bytes,
                                .patience_ms = PATIENCE_MS};
}

/* ---- what may happen to a store ---- */

static bool flush(struct stage *stage)
{
    struct kv_reply *replies;
    struct err err = {0};
    stage_tell(stage, "FLUSHALL");
    if (stage->memory)
        memory_full(stage->memory, false);
    if (kv_down(stage->kv) && kv_reconnect(stage->kv, &err) < 0)
        return stage_fail(stage, "reconnect: %s", err.text);
    kv_words(stage->kv, "FLUSHALL", NULL);
    kv_roundtrip(stage->kv, &replies, NULL); /* or it meets a break: both may be */
    stage->sure[ARCH_KAPPA] = stage->sure[ARCH_LAMBDA] = false;
    stage->losses++;
    return stage_chance(stage, 2) ||
           (stage_register(stage, ARCH_KAPPA) && stage_register(stage, ARCH_LAMBDA));
}

static bool go_back(struct stage *stage)
{
    stage_tell(stage, "the store goes back in time");
    memory_restore(stage->memory);
    stage->sure[ARCH_KAPPA] = stage->sure[ARCH_LAMBDA] = false;
    stage->losses++;
    return true;
}

static bool kill_connections(struct stage *stage)
{
    struct kv_reply *replies;
    struct err err = {0};
    stage_tell(stage, "CLIENT KILL");
    if (kv_down(stage->kv) && kv_reconnect(stage->kv, &err) < 0)
        return stage_fail(stage, "reconnect: %s", err.text);
    kv_words(stage->kv, "CLIENT", "KILL", "TYPE", "normal", NULL);
    kv_roundtrip(stage->kv, &replies, NULL);
    return true;
}

bool leg_trouble(struct stage *stage)
{
    uint64_t which = rng_below(&stage->rng, 10);
    if (which < 2)
        return flush(stage);
    if (!stage->memory)
        return kill_connections(stage);
    if (which < 5) {
        bool landed = stage_chance(stage, 2);
        stage_tell(stage, "break, %s", landed ? "landed" : "not landed");
        memory_break(stage->memory, landed);
    } else if (which < 7) {
        stage_tell(stage, "snapshot");
        memory_snapshot(stage->memory);
    } else if (which < 9) {
        return go_back(stage);
    } else {
        stage_tell(stage, "full");
        memory_full(stage->memory, true);
    }
    return true;
}

/* ---- step by step ---- */

struct steps {
    struct stage *stage;
    const struct leg *leg;
    struct job *job;
    const int64_t *goal;
    int64_t until[PARTITIONS_MAX];
    int ticks, full_for;
};

static void let_more(struct steps *steps, struct task *task)
{
    for (int p = 0; p < task->count; p++) {
        int64_t next = task->folds[p].next;
        if (task->lost[p] || next < steps->until[p] || steps->until[p] >= steps->goal[p])
            continue;
        int64_t more = next + 1 + (int64_t)rng_below(&steps->stage->rng, 40);
        steps->until[p] = more < steps->goal[p] ? more : steps->goal[p];
        task->moved[p] = true;
    }
}

static int steps_begin(void *state, struct task *task, struct err *err)
{
    struct steps *steps = state;
    int rc = job_sink.begin(steps->job, task, err);
    let_more(steps, task);
    return rc;
}

/* Another worker takes the partitions from under this one. */
static bool intrude(struct stage *stage, enum arch arch)
{
    const struct leg leg = {.arch = arch, .workers = (int)rng_below(&stage->rng, 2), .calm = true};
    stage_tell(stage, "[ another worker:");
    stage->nested = true;
    bool right = leg_run(stage, &leg);
    stage->nested = false;
    stage_tell(stage, "]");
    return right;
}

static bool between(struct steps *steps)
{
    struct stage *stage = steps->stage;
    if (stage->between)
        return stage->between(stage, steps->ticks);
    if (stage->memory && steps->full_for > 0 && --steps->full_for == 0)
        memory_full(stage->memory, false);
    uint64_t what = rng_below(&stage->rng, 24);
    if (what == 0) /* between two halves of a commit a reader may see the one */
        return (stage->made->halves && steps->leg->arch == ARCH_LAMBDA) ||
               check_view(stage, steps->leg->arch);
    if (what == 1 && !stage->nested && stage_chance(stage, 2))
        return leg_archive(stage);
    if (what == 1 && !stage->nested && stage->archived && stage->version == 1)
        return stage_chance(stage, 3) ? leg_rollback(stage) : leg_batch(stage, BATCH_CALM);
    if (what == 2 && !stage->nested && !made_fragile(stage->made, steps->leg->arch) &&
        stage_chance(stage, 3))
        return intrude(stage, steps->leg->arch);
    if (what == 3 && stage->faulty && !steps->leg->calm) {
        if (steps->full_for == 0)
            steps->full_for = 4;
        return leg_trouble(stage);
    }
    return true;
}

static int steps_tick(void *state, struct task *task, struct err *err)
{
    struct steps *steps = state;
    if (steps->ticks++ > TICKS_MAX)
        return err_set(err, ERR_CHECK, "the leg does not end");
    if (!between(steps))
        return err_set(err, ERR_CHECK, "found while it ran");
    int rc = stage_chance(steps->stage, 3) ? 0 : job_sink.tick(steps->job, task, err);
    let_more(steps, task);
    return rc;
}

static int steps_end(void *state, struct task *task, struct err *err)
{
    struct steps *steps = state;
    if (steps->stage->memory)
        memory_full(steps->stage->memory, false);
    int rc = job_sink.end(steps->job, task, err);
    return rc;
}

static int run_steps(struct stage *stage, const struct leg *leg, const int64_t *goal,
                     struct err *err)
{
    static const struct task_sink sink = {steps_begin, steps_tick, steps_end};
    struct steps steps = {.stage = stage, .leg = leg, .goal = goal};
    struct job_options options = job_options(stage, leg->arch);
    int partitions[PARTITIONS_MAX];
    for (int p = 0; p < PARTITIONS_MAX; p++)
        partitions[p] = p;
    options.commit_ms = 0;
    const struct plan *plan = leg->arch == ARCH_LAMBDA ? plan_of_speed(stage->plan) : stage->plan;
    int rc = job_open(plan, &options, &steps.job, err);
    if (rc < 0)
        return rc;
    struct task task = {.plan = plan,
                        .rules = {.lateness = true},
                        .log = stage->log,
                        .topic = stage->topic,
                        .partitions = partitions,
                        .count = stage->made->partitions,
                        .until = steps.until,
                        .wait_ms = 1};
    rc = task_run(&task, &sink, &steps, err);
    job_close(steps.job);
    return rc;
}

/* ---- on threads ---- */

/* Beside a worker on threads, at whatever moment it comes: reads, a batch, troubles. The stage is
 * its own while it runs: this thread's caller waits for the worker. */
struct companion {
    struct stage *stage;
    const struct leg *leg;
};

static bool beside(struct stage *stage, enum arch arch)
{
    uint64_t what = rng_below(&stage->rng, 6);
    if (what == 0 && stage->archived && stage->version == 1)
        return leg_batch(stage, BATCH_CALM);
    if (what <= 2 && stage->faulty)
        return leg_trouble(stage);
    return (stage->made->halves && arch == ARCH_LAMBDA) || check_view(stage, arch);
}

static void *accompany(void *context)
{
    const struct companion *companion = context;
    struct stage *stage = companion->stage;
    stage->moving = true;
    for (int i = 0, times = 1 + (int)rng_below(&stage->rng, 3); i < times; i++) {
        clock_sleep_ms((int64_t)rng_below(&stage->rng, 3));
        if (!beside(stage, companion->leg->arch))
            break;
    }
    if (stage->memory)
        memory_full(stage->memory, false);
    stage->moving = false;
    return NULL;
}

static int run_threads(struct stage *stage, const struct leg *leg, const int64_t *goal,
                       struct err *err)
{
    int partitions[PARTITIONS_MAX];
    for (int p = 0; p < PARTITIONS_MAX; p++)
        partitions[p] = p;
    struct worker_options options = {.plan = stage->plan,
                                     .topic = stage->topic,
                                     .partitions = partitions,
                                     .count = stage->made->partitions,
                                     .workers = leg->workers,
                                     .job = job_options(stage, leg->arch)};
    struct worker_result result;
    if (!stage_chance(stage, 3) || leg->calm)
        return worker_run_on(&options, stage->log, goal, &result, err);
    struct companion companion = {.stage = stage, .leg = leg};
    pthread_t thread;
    pthread_create(&thread, NULL, accompany, &companion);
    int rc = worker_run_on(&options, stage->log, goal, &result, err);
    pthread_join(thread, NULL);
    return rc;
}

/* ---- a leg ---- */

static void choose_goal(struct stage *stage, const struct leg *leg, int64_t *goal)
{
    for (int p = 0; p < stage->made->partitions; p++) {
        int64_t end = stage->ends[p];
        bool all = leg->to_end || stage_chance(stage, 3);
        goal[p] = leg->beyond ? end + 1
                  : all       ? end
                              : (int64_t)rng_below(&stage->rng, (uint64_t)end + 1);
    }
}

/* What a worker may end with where something happened to the store, or another one came: a user
 * would start it again. */
static bool may_end(const struct stage *stage, const struct leg *leg, int rc)
{
    return (rc == ERR_LOST && leg->workers == 0) ||
           (stage->faulty && (rc == ERR_AWAY || rc == ERR_FULL || rc == ERR_INTERRUPTED));
}

bool leg_run(struct stage *stage, const struct leg *leg)
{
    int64_t goal[PARTITIONS_MAX];
    int rc = ERR_LOST;
    choose_goal(stage, leg, goal);
    stage_tell(stage, "%s on %d threads to %lld %lld %lld %lld", stage_arch(leg->arch),
               leg->workers, (long long)goal[0],
               stage->made->partitions > 1 ? (long long)goal[1] : 0,
               stage->made->partitions > 2 ? (long long)goal[2] : 0,
               stage->made->partitions > 3 ? (long long)goal[3] : 0);
    for (int tries = 0; rc < 0 && tries < LEG_TRIES; tries++) {
        struct err err = {0};
        stop_ask(false);
        if (stage->memory)
            memory_full(stage->memory, false); /* the user has made room */
        int losses = stage->losses;
        if (!stage_register(stage, leg->arch))
            return false;
        bool last = tries + 1 == LEG_TRIES;
        struct leg calmer = *leg;
        calmer.calm = leg->calm || tries > 2;
        if (leg->workers > 0)
            rc = run_threads(stage, &calmer, goal, &err);
        else
            rc = run_steps(stage, &calmer, goal, &err);
        if (stage->problem.len)
            return false;
        if (leg->beyond && rc == ERR_INTERRUPTED)
            rc = 0;
        if (rc < 0)
            stage_tell(stage, "ends: %.60s", err.text);
        if (rc == 0 && losses == stage->losses)
            stage->sure[leg->arch] = true;
        if (rc < 0 && (last || !may_end(stage, leg, rc)))
            return stage_fail(stage, "%s: %s", stage_arch(leg->arch), err.text);
    }
    stop_ask(false);
    return stage->nested || check_view(stage, leg->arch);
}

/* ---- the archive and the batch ---- */

/* Every other plan's batches fold columns: no draw, so that seeds keep what they are. */
static bool wants_columns(const struct stage *stage)
{
    return strchr("02468ace", stage->plan->hash[31]) != NULL;
}

bool leg_archive(struct stage *stage)
{
    struct err err = {0};
    struct archive_totals totals;
    const struct archive_options options = {.log = stage->log,
                                            .topic = stage->topic,
                                            .directory = stage->archive,
                                            .roll_ms = 60000,
                                            .until_end = true,
                                            .columnar = wants_columns(stage) ? stage->plan : NULL};
    if (archive_run(&options, &totals, &err) < 0)
        return stage_fail(stage, "archive: %s", err.text);
    stage_tell(stage, "archived to the end");
    stage->archived = true;
    return true;
}

/* A kv of its own, as a batch process has. */
static int batch_once(struct stage *stage, const struct batch_options *options, struct err *err)
{
    struct kv *kv;
    struct batch_result result = {0};
    int rc = kv_open(stage->uri, &kv, err);
    if (rc < 0)
        return rc;
    rc = batch_run(kv, options, &result, err);
    for (int q = 0; *result.generation && q < result.partitions; q++)
        check_ending(stage, q, result.parts[q].boundary, result.parts[q].history);
    for (int q = 0; rc == 0 && q < result.partitions; q++)
        stage_tell(stage, "%s batch %d to %lld %s", batch_kind_name(result.kind), q,
                   (long long)result.parts[q].boundary, result.parts[q].publish.why);
    if (rc == 0 && *result.base && stage->kind_batches)
        ++*stage->kind_batches;
    batch_release(&result);
    kv_close(kv);
    return rc;
}

/* Buckets around the size of a window, and any buffer. */
static void choose_kind(struct stage *stage, struct batch_options *options)
{
    uint64_t size_ms = (uint64_t)(stage->made->size_ms > 0 ? stage->made->size_ms : 1000);
    bool fits = base_kind_fits(stage->kind, stage->plan, NULL) == 0;
    options->kind = stage_chance(stage, 6) || !fits ? BATCH_FULL : stage->kind;
    options->bucket_ms = 1 + (int64_t)rng_below(&stage->rng, 4 * size_ms);
    options->buffer_ms = (int64_t)rng_below(&stage->rng, 3 * size_ms) - 1;
    options->block_offsets = stage_chance(stage, 2) ? 1 : 0; /* a block a read, else one for all */
    if (stage_chance(stage, 2))
        options->buffer_ms = 0;
}

bool leg_batch(struct stage *stage, enum batch_way way)
{
    struct batch_options options = {.plan = stage->plan,
                                    .archive = stage->archive,
                                    .topic = stage->topic,
                                    .workers = 1 + (int)rng_below(&stage->rng, 2),
                                    .memory_bytes = stage_chance(stage, 2) ? 64 << 20 : 20000,
                                    .handover = (int)stage->made->handover,
                                    .keep = 1 + (int)rng_below(&stage->rng, 2),
                                    .columnar = wants_columns(stage),
                                    .reload = way != BATCH_WHOLE && stage_chance(stage, 8),
                                    .only_new = way != BATCH_WHOLE && stage_chance(stage, 8)};
    struct err err = {0};
    int rc = ERR_AWAY;
    if (stage->kind != BATCH_FULL)
        choose_kind(stage, &options);
    if (stage->faulty && way == BATCH_TROUBLED && stage_chance(stage, 3) && !leg_trouble(stage))
        return false;
    if (stage->memory)
        memory_full(stage->memory, false);
    for (int tries = 0; rc == ERR_AWAY && tries < 4; tries++) {
        err_clear(&err);
        rc = batch_once(stage, &options, &err);
    }
    if (rc == ERR_ENV && options.reload) /* there is none yet */
        return true;
    if (rc == ERR_INTERRUPTED && stage->moving) /* a worker beside it has failed: all leave */
        return true;
    if (rc < 0)
        return stage_fail(stage, "batch: %s", err.text);
    return stage->nested || stage->moving || check_view(stage, ARCH_LAMBDA);
}

static int rollback_once(struct stage *stage, struct err *err)
{
    static const char *const FAULTS[] = {"lambda rollback:%d:error",
                                         "lambda rollback landed:%d:error"};
    struct kv *kv = NULL;
    struct folder *folder = NULL;
    struct rollback_result result = {0};
    int rc = folder_open(stage->archive, stage->topic, stage->plan->view, &folder, err);
    rc = rc ? rc : kv_open(stage->uri, &kv, err);
    if (rc < 0) {
        folder_close(folder);
        return rc;
    }
    char fault[60];
    snprintf(fault, sizeof fault, FAULTS[rng_below(&stage->rng, 2)],
             1 + (int)rng_below(&stage->rng, PARTITIONS_MAX));
    if (!stage->moving && stage_chance(stage, 2)) /* they are the process's, not one thread's */
        fault_set(fault, NULL);
    rc = rollback_run(kv, stage->plan, folder, &result, err);
    if (!stage->moving)
        fault_set(NULL, NULL);
    for (int q = 0; rc == 0 && q < result.partitions; q++)
        stage_tell(stage, "rolled back %d to %lld", q, (long long)result.parts[q].boundary);
    rollback_release(&result);
    folder_close(folder);
    kv_close(kv);
    return rc;
}

/* Where it may; what refuses says why, and the view is as right as it was. */
bool leg_rollback(struct stage *stage)
{
    struct err err = {0};
    int rc = ERR_AWAY;
    for (int tries = 0; rc == ERR_AWAY && tries < 2; tries++) {
        err_clear(&err);
        rc = rollback_once(stage, &err);
    }
    stage_tell(stage, "rollback: %s", rc ? err.text : "done");
    if (rc == ERR_DATA)
        return stage_fail(stage, "rollback: %s", err.text);
    return stage->nested || stage->moving || check_view(stage, ARCH_LAMBDA);
}
