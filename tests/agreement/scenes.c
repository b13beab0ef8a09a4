/* tests/agreement/scenes.c - moments that chance does not reach, and the list of planted bugs.
 *
 * A scene is played with a few made plans and must end right; with its bug planted it must not. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/stop.h"
#include "common/store/pos.h"
#include "tests/agreement/agreement.h"

enum {
    GAP_TICK = 20,
    BATCH_TICK = 22,
    OVERTAKE_TICK = 2,
    FLUSH_TICK = 50,
    NOTICE_TICKS_MAX = 6000,
    WAIT_TRIES = 500,
    HALF_DELAY_MS = 60
};

static bool speed_to_end(struct stage *stage)
{
    const struct leg leg = {.arch = ARCH_LAMBDA, .to_end = true, .calm = true};
    return leg_run(stage, &leg);
}

static bool all_is_archived(struct stage *stage)
{
    return stage_append(stage, EVENTS_MAX) && leg_archive(stage);
}

static bool nothing(struct stage *stage, int ticks)
{
    (void)stage, (void)ticks;
    return true;
}

/* ---- the store forgets, and is filled again, while a batch loads ---- */

static void *run_batch(void *context)
{
    struct stage *stage = context;
    /* The flag keeps it from reading the view: that is for the scene. */
    return leg_batch(stage, BATCH_WHOLE) ? stage : NULL;
}

/* Wait until the load's id stands in the last partition's pos: the load itself has begun. */
static bool wait_for_load(struct stage *stage)
{
    char key[64];
    struct err err = {0};
    snprintf(key, sizeof key, "lk:{v.l1:%d}:pos", stage->made->partitions - 1);
    for (int i = 0; i < WAIT_TRIES; i++) {
        struct kv_reply *replies;
        kv_words(stage->kv, "HGET", key, "gens", NULL);
        if (kv_roundtrip(stage->kv, &replies, &err) < 0)
            return stage_fail(stage, "%s", err.text);
        if (replies[0].type == KV_TEXT && replies[0].text.len > 0)
            break;
        clock_sleep_ms(1);
    }
    clock_sleep_ms(HALF_DELAY_MS);
    return true;
}

static bool forget(struct stage *stage)
{
    struct kv_reply *replies;
    struct err err = {0};
    stage_tell(stage, "FLUSHALL");
    kv_words(stage->kv, "FLUSHALL", NULL);
    return kv_roundtrip(stage->kv, &replies, &err) > 0 || stage_fail(stage, "%s", err.text);
}

/* The load sleeps behind its first hash; what it has loaded is gone when it goes on, and pos is not:
 * nothing but the load's id, which pos does not name any more, can tell. */
static bool forgotten_load(struct stage *stage)
{
    pthread_t thread;
    void *loaded;
    struct stage batch = *stage;
    stage->between = nothing;
    batch.nested = true;
    batch.story = batch.problem = (struct buf){0};
    if (!all_is_archived(stage) || !stage_register(stage, ARCH_LAMBDA))
        return false;
    memcpy(batch.ends, stage->ends, sizeof batch.ends);
    fault_set("generation load:1:delay", NULL);
    pthread_create(&thread, NULL, run_batch, &batch);
    bool right = wait_for_load(stage) && forget(stage) && speed_to_end(stage);
    pthread_join(thread, &loaded);
    fault_set(NULL, NULL);
    if (!loaded)
        right = stage_fail(stage, "%s", batch.problem.ptr);
    buf_release(&batch.story);
    buf_release(&batch.problem);
    char digest[33];
    return right && speed_to_end(stage) && check_end(stage, ARCH_LAMBDA, digest);
}

/* ---- retention has passed what the speed layer needs: a gap until a batch covers it ---- */

static bool trim(struct stage *stage)
{
    struct err err = {0};
    bool any = false;
    for (int p = 0; p < stage->made->partitions; p++) {
        int64_t first, end;
        if (log_trim(stage->log, stage->topic, p, stage->ends[p], &err) < 0 ||
            log_range(stage->log, stage->topic, p, &first, &end, &err) < 0)
            return stage_fail(stage, "trim: %s", err.text);
        any = any || first > 0;
    }
    return any || stage_fail(stage, "the trim took nothing away");
}

static bool expect_gap(struct stage *stage)
{
    struct answer answer;
    struct view_query query = {.exact = true};
    struct err err = {0};
    int rc = view_read(stage->kv, "v", ARCH_LAMBDA, &query, &answer, &err);
    if (rc == ERR_GAP)
        return true;
    if (rc == 0)
        answer_release(&answer);
    return stage_fail(stage, "a read over a gap gives %d %s", rc, err.text);
}

/* Nothing can be folded: first the view must become a gap, then a batch comes. */
static bool gap_then_batch(struct stage *stage, int ticks)
{
    if (ticks == GAP_TICK)
        return expect_gap(stage);
    if (ticks != BATCH_TICK)
        return true;
    stage->nested = true;
    bool right = leg_batch(stage, BATCH_WHOLE);
    stage->nested = false;
    return right;
}

static bool passed_by_retention(struct stage *stage)
{
    char digest[33];
    bool flushed = stage_chance(stage, 2);
    if (stage->plan->dedupe_by >= 0)
        return true; /* ids are rebuilt from the log: with them it must be kept for a horizon */
    stage->between = nothing;
    if (!stage_append(stage, stage->made->count / 3) || !speed_to_end(stage) ||
        !stage_append(stage, stage->made->count / 3) || !leg_archive(stage) || !trim(stage) ||
        (flushed && !forget(stage)) || !all_is_archived(stage))
        return false;
    stage->between = gap_then_batch;
    bool right = speed_to_end(stage);
    stage->between = nothing;
    return right && speed_to_end(stage) && check_end(stage, ARCH_LAMBDA, digest);
}

/* ---- a batch overtakes the speed layer while it has something to send ---- */

static bool overtake(struct stage *stage, int ticks)
{
    if (ticks != OVERTAKE_TICK)
        return true;
    stage->nested = true;
    bool right = leg_batch(stage, BATCH_WHOLE);
    stage->nested = false;
    return right;
}

static bool overtaken(struct stage *stage)
{
    char digest[33];
    stage->span_ms = INT32_MAX; /* no cut but the first: the batch goes to the archive's end */
    stage->between = overtake;
    return stage_append(stage, stage->made->count * 2 / 3) && leg_archive(stage) &&
           stage_append(stage, EVENTS_MAX) && speed_to_end(stage) &&
           check_end(stage, ARCH_LAMBDA, digest);
}

/* ---- a batch ahead of the speed layer is rolled back, before and behind its jump ---- */

static bool rolled_back_over_a_jump(struct stage *stage)
{
    char digest[33];
    stage->span_ms = INT32_MAX;
    return stage_append(stage, stage->made->count / 3) && speed_to_end(stage) &&
           leg_archive(stage) && leg_batch(stage, BATCH_WHOLE) &&
           stage_append(stage, stage->made->count / 3) && leg_archive(stage) &&
           leg_batch(stage, BATCH_WHOLE) && leg_rollback(stage) && speed_to_end(stage) &&
           leg_rollback(stage) && stage_append(stage, EVENTS_MAX) && speed_to_end(stage) &&
           leg_rollback(stage) && check_end(stage, ARCH_LAMBDA, digest);
}

/* ---- the store forgets while a worker has nothing to send ---- */

/* The worker must notice, though no connection ends, and fold all of it again. */
static bool notice(struct stage *stage, int ticks)
{
    struct answer answer;
    struct view_query query = {.positions_only = true};
    bool there, back = true;
    if (ticks == FLUSH_TICK)
        return forget(stage) && stage_register(stage, ARCH_KAPPA);
    if (ticks <= FLUSH_TICK || ticks % 100 != 0)
        return true;
    if (ticks > NOTICE_TICKS_MAX)
        return stage_fail(stage, "an idle worker does not notice that the store was flushed");
    stage->sure[ARCH_KAPPA] = false;
    if (!check_read(stage, ARCH_KAPPA, &query, &answer, &there) || !there)
        return !there;
    for (int p = 0; p < answer.partitions; p++)
        back = back && answer.parts[p].next == stage->ends[p];
    answer_release(&answer);
    if (back)
        stop_ask(true);
    return true;
}

static bool flushed_while_idle(struct stage *stage)
{
    const struct leg leg = {.arch = ARCH_KAPPA, .beyond = true, .calm = true};
    char digest[33];
    stage->between = notice;
    return stage_append(stage, EVENTS_MAX) && leg_run(stage, &leg) &&
           check_end(stage, ARCH_KAPPA, digest);
}

/* ---- the tables ---- */

const struct scene SCENES[] = {
    {"the store forgets while a batch loads", forgotten_load, 4},
    {"retention passes the speed layer", passed_by_retention, 8},
    {"a batch overtakes the speed layer", overtaken, 4},
    {"a batch ahead is rolled back", rolled_back_over_a_jump, 4},
    {"the store forgets while a worker is idle", flushed_while_idle, 2},
    {0},
};

enum {
    BY_OFFSET = 1 << HANDOVER_OFFSET,
    BY_SLOT = 1 << HANDOVER_TWO_SLOT | 1 << HANDOVER_NAIVE,
    BY_TIME = 1 << HANDOVER_EVENT_TIME
};

const struct plant PLANTS[] = {
    {.name = "skip-fence"},
    {.name = "position-first"},
    {.name = "keep-memory"},
    {.name = "boundary-off-by-one"},
    {.name = "drop-late-cell"},
    {.name = "first-sighting"},
    {.name = "span-twice", .modes = BY_OFFSET | BY_SLOT},
    {.name = "span-off-by-one", .modes = BY_OFFSET | BY_SLOT | BY_TIME},
    {.name = "bound-off-by-one", .modes = BY_TIME},
    {.name = "slot-of-begun", .modes = 1 << HANDOVER_TWO_SLOT},
    {.name = "read-guess-believed"},
    {.name = "boundary-any"},
    {.name = "half-unsent"},
    {.name = "column-shifted"},
    {.name = "code-swapped"},
    {.name = "block-short"},
    {.name = "value-where"},
    {.name = "skip-gens", .scene = "the store forgets while a batch loads"},
    {.name = "new-window"},
    {.name = "clean-all"},
    {.name = "jump-T"},
    {.name = "jump-mark"},
    {.name = "jump-hole", .scene = "a batch ahead is rolled back"},
    {.name = "roll-spans", .scene = "a batch ahead is rolled back"},
    {.name = "send-again", .scene = "a batch overtakes the speed layer"},
    {.name = "idle-blind", .scene = "the store forgets while a worker is idle"},
    {.name = "base-ids", .kind = BATCH_INCREMENTAL},
    {.name = "base-twice", .kind = BATCH_INCREMENTAL},
    {.name = "stale-unseen", .kind = BATCH_BY_TIME},
    {.name = "sidecar-short", .kind = BATCH_BY_TIME},
    {.name = "batch-clock"},
    {.name = "sketch-last"},
    {.name = "speed", .in_oracle = true},
    {.name = "late", .in_oracle = true},
    {.name = "floor", .in_oracle = true},
    {.name = "avg", .in_oracle = true},
    {0},
};

const struct scene *scene_find(const char *name)
{
    for (const struct scene *scene = SCENES; scene->name; scene++)
        if (strcmp(scene->name, name) == 0)
            return scene;
    return NULL;
}

static bool play_round(const struct case_options *options, const struct scene *scene, int round,
                       struct buf *problem)
{
    struct made *made = mem_zero(1, sizeof *made);
    struct stage *stage = mem_zero(1, sizeof *stage);
    stage->verbose = options->verbose;
    stage->broker = options->broker;
    made_open(made, options->handover, options->seed, (uint64_t)round);
    bool right = stage_open(stage, made, options->root, "memory:case",
                            rng_mix(options->seed, (uint64_t)round)) &&
                 scene->play(stage);
    if (!right)
        buf_printf(problem, "  round %d: %s\n  plan %s\n  %s\n", round, stage->problem.ptr,
                   made->json.ptr, stage->story.ptr ? stage->story.ptr : "");
    stage_close(stage);
    free(stage);
    made_release(made);
    free(made);
    return right;
}

bool play_scene(const struct case_options *options, const struct scene *scene, struct buf *problem)
{
    bool right = true;
    for (int round = 0; right && round < scene->rounds; round++)
        right = play_round(options, scene, round, problem);
    return right;
}
