/* tests/common/run/scene.h - a job in a small world: an embedded log that grows while the job runs,
 * a memory server whose troubles a test decides tick by tick, and straight loops over the events
 * that say what the view must hold.
 *
 * Each tick of the task: a few more events are appended, the test's hook runs, the clock (which
 * stands still otherwise) moves by a millisecond, then the job's own tick. */
#ifndef LK_TESTS_RUN_SCENE_H
#define LK_TESTS_RUN_SCENE_H

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/rng.h"
#include "common/base/stop.h"
#include "common/run/job.h"
#include "common/store/pos.h"
#include "common/store/read.h"

enum { SCENE_PARTITIONS = 3, SCENE_EVENTS = 4000, SCENE_KEYS = 4, SCENE_WINDOWS = 400 };
#define SCENE_TOPIC "made_up"
#define SCENE_NAME "scene"
#define SCENE_URI "memory:" SCENE_NAME
#define SCENE_BEGIN_MS 1000000

#define SCENE_PLAN(more)                                                                           \
    "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},\"fields\":{"        \
    "\"k\":\"string\",\"id\":\"int\",\"x\":\"int\"}},\"key\":[\"k\"],"                             \
    "\"window\":{\"tumbling\":\"1s\"},\"values\":{\"n\":\"count\",\"s\":{\"sum\":\"x\"}}" more "}"
#define SCENE_LATE ",\"allowed_lateness\":\"1s\""
#define SCENE_KEEP SCENE_LATE ",\"keep\":\"4s\""
#define SCENE_DEDUPE                                                                               \
    SCENE_LATE ",\"dedupe\":{\"by\":\"id\",\"horizon\":\"2s\"},\"dedupe_scope\":\"partition\""

struct scene {
    char dir[40];
    uint64_t seed;
    struct log *log;
    struct plan *plan;
    struct kv *kv; /* the test's own connection */
    const char *uri;
    int partitions, count;
    enum arch arch;
    int64_t lateness_ms, keep_ms, horizon_ms;
    struct job_options options;
    const struct log_group *group; /* NULL: none. Else the run ends when the hook asks for a stop */
    int appended[SCENE_PARTITIONS], goal, pace;
    double rate;   /* of the task; 0: none */
    int bad_every; /* 0: no event is malformed */
    int tick;
    void (*hook)(struct scene *scene, struct task *task);
    struct job *job;
    struct job_stats stats;
    struct err err;
    bool flag; /* the hook's */
    int64_t number;
};

struct scene_event {
    int64_t time_ms, id, x;
    int key;
};

static inline struct scene_event scene_event(const struct scene *scene, int partition, int64_t n)
{
    struct rng rng;
    rng_init_at(&rng, scene->seed + (uint64_t)partition, (uint64_t)n);
    int64_t behind = rng_below(&rng, 8) ? 0 : (int64_t)rng_below(&rng, 3500);
    return (struct scene_event){.time_ms = SCENE_BEGIN_MS + 4000 + n * 50 +
                                           (int64_t)rng_below(&rng, 300) - behind,
                                .id = n - (int64_t)(rng_below(&rng, 5) == 0) * 7,
                                .x = (int64_t)rng_below(&rng, 1000) - 500,
                                .key = (int)rng_below(&rng, SCENE_KEYS)};
}

static inline bool scene_bad(const struct scene *scene, int64_t n)
{
    return scene->bad_every && n % scene->bad_every == 0;
}

static inline void scene_append(struct scene *scene, int partition, int count)
{
    for (; count > 0; count--) {
        char text[160], key[8];
        struct scene_event e = scene_event(scene, partition, scene->appended[partition]);
        snprintf(key, sizeof key, "k%d", e.key);
        snprintf(text, sizeof text, "{\"t\":%lld,\"k\":\"%s\",\"id\":%lld,\"x\":%lld}",
                 (long long)e.time_ms, key, (long long)e.id, (long long)e.x);
        if (scene_bad(scene, scene->appended[partition]))
            text[strlen(text) - 1] = 0;
        struct log_record record = {.key = bytes_of(key), .value = bytes_of(text)};
        struct err err = {0};
        cr_assert_eq(log_append(scene->log, SCENE_TOPIC, partition, &record, 1, &err),
                     scene->appended[partition], "%s", err.text);
        scene->appended[partition]++;
    }
}

static inline struct plan *scene_plan(const char *json)
{
    struct plan *plan = NULL;
    struct buf mistakes = {0};
    struct err err = {0};
    cr_assert_eq(plan_parse(bytes_of(json), ".", false, &plan, &mistakes, &err), 0, "%s\n%s",
                 err.text, mistakes.len ? mistakes.ptr : "");
    return plan;
}

static inline void scene_add_view(struct scene *scene)
{
    struct err err = {0};
    cr_assert_eq(registry_add(scene->kv, scene->plan, scene->arch, scene->partitions, &err), 1,
                 "%s", err.text);
}

static inline void scene_log(struct scene *scene, const char *name)
{
    char uri[64];
    struct err err = {0};
    snprintf(uri, sizeof uri, "embedded:%s/%s", scene->dir, name);
    cr_assert_eq(log_open(uri, true, &scene->log, &err), 0, "%s", err.text);
    cr_assert_eq(log_create_topic(scene->log, SCENE_TOPIC,
                                  (struct log_shape){.partitions = scene->partitions}, &err),
                 0, "%s", err.text);
    memset(scene->appended, 0, sizeof scene->appended);
}

static inline void scene_open_at(struct scene *scene, const char *uri, enum arch arch,
                                 int partitions, const char *plan)
{
    struct err err = {0};
    *scene = (struct scene){.dir = "/tmp/lk-test-job.XXXXXX",
                            .seed = 1,
                            .uri = uri,
                            .arch = arch,
                            .partitions = partitions,
                            .goal = 400,
                            .pace = 20,
                            .options = {.view_uri = uri,
                                        .arch = arch,
                                        .version = 1,
                                        .commit_ms = 1,
                                        .span_ms = 5,
                                        .memory_bytes = 1 << 24,
                                        .patience_ms = 60000}};
    cr_assert_not_null(mkdtemp(scene->dir));
    clock_freeze(INT64_C(1000000000000), 1700000000000);
    scene->plan = scene_plan(plan);
    scene->lateness_ms = scene->plan->allowed_lateness_ms;
    scene->keep_ms = scene->plan->keep_ms;
    scene->horizon_ms = scene->plan->dedupe_by >= 0 ? scene->plan->dedupe_horizon_ms : -1;
    cr_assert_eq(kv_open(uri, &scene->kv, &err), 0, "%s", err.text);
    scene_log(scene, "log");
    scene_add_view(scene);
}

static inline void scene_open(struct scene *scene, enum arch arch, int partitions, const char *plan)
{
    memory_drop(SCENE_NAME);
    scene_open_at(scene, SCENE_URI, arch, partitions, plan);
}

static inline int scene_remove(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static inline void scene_close(struct scene *scene)
{
    kv_close(scene->kv);
    plan_free(scene->plan);
    log_close(scene->log);
    nftw(scene->dir, scene_remove, 8, FTW_DEPTH | FTW_PHYS);
    clock_free_run();
}

/* ---- the run ---- */

static inline int scene_begin(void *state, struct task *task, struct err *err)
{
    return job_sink.begin(((struct scene *)state)->job, task, err);
}

static inline int scene_tick(void *state, struct task *task, struct err *err)
{
    struct scene *scene = state;
    for (int p = 0; p < scene->partitions; p++) {
        int left = scene->goal - scene->appended[p];
        scene_append(scene, p, left < scene->pace ? left : scene->pace);
    }
    scene->tick++;
    cr_assert_lt(scene->tick, 20000, "seed %lu: the job does not come to its end",
                 (unsigned long)scene->seed);
    if (scene->hook)
        scene->hook(scene, task);
    clock_advance_ms(1);
    return job_sink.tick(scene->job, task, err);
}

static inline int scene_end(void *state, struct task *task, struct err *err)
{
    return job_sink.end(((struct scene *)state)->job, task, err);
}

/* Run a new job (as a restarted worker would) until every partition has `goal` events. */
static inline int scene_run(struct scene *scene, int goal)
{
    static const struct task_sink sink = {scene_begin, scene_tick, scene_end};
    int partitions[SCENE_PARTITIONS] = {0, 1, 2};
    int64_t until[SCENE_PARTITIONS] = {goal, goal, goal};
    struct task task = {.plan = scene->plan,
                        .rules = {.lateness = true},
                        .log = scene->log,
                        .topic = SCENE_TOPIC,
                        .partitions = partitions,
                        .count = scene->partitions,
                        .until = scene->group ? NULL : until,
                        .group = scene->group,
                        .rate = scene->rate,
                        .wait_ms = 1};
    scene->goal = goal;
    scene->tick = 0;
    scene->err = (struct err){0};
    int rc = job_open(scene->plan, &scene->options, &scene->job, &scene->err);
    if (rc == 0)
        rc = task_run(&task, &sink, scene, &scene->err);
    if (scene->job)
        job_stats(scene->job, &scene->stats);
    job_close(scene->job);
    scene->job = NULL;
    return rc;
}

/* ---- what the view must hold ---- */

struct scene_sum {
    int64_t count, sum;
};

/* Partition's events below next; at or above boundary the rules of lateness and of ids hold. */
static inline void scene_count(const struct scene *scene, int partition, int64_t boundary,
                               int64_t next, struct scene_sum sums[][SCENE_KEYS])
{
    static int64_t stamp[SCENE_EVENTS + 8];
    int64_t T_ms = INT64_MIN;
    memset(stamp, 0, sizeof stamp);
    for (int64_t n = 0; n < next; n++) {
        struct scene_event e = scene_event(scene, partition, n);
        if (scene_bad(scene, n))
            continue;
        int64_t window = (e.time_ms - SCENE_BEGIN_MS) / 1000;
        T_ms = e.time_ms > T_ms ? e.time_ms : T_ms;
        int64_t end_ms = SCENE_BEGIN_MS + (window + 1) * 1000;
        bool late = scene->lateness_ms != PLAN_UNLIMITED && end_ms + scene->lateness_ms <= T_ms;
        bool low = scene->keep_ms != PLAN_UNLIMITED && end_ms - 1000 < T_ms - scene->keep_ms;
        int64_t *seen = &stamp[e.id + 8];
        bool again = scene->horizon_ms >= 0 && *seen && *seen + scene->horizon_ms >= T_ms;
        *seen = T_ms;
        if (again || ((late || low) && n >= boundary))
            continue;
        sums[window][e.key].count++;
        sums[window][e.key].sum += e.x;
    }
}

static inline void scene_expect(const struct scene *scene, const struct answer *got,
                                struct answer *want)
{
    static struct scene_sum sums[SCENE_WINDOWS][SCENE_KEYS];
    memset(sums, 0, sizeof sums);
    for (int p = 0; p < scene->partitions; p++)
        scene_count(scene, p, got->parts[p].boundary, got->parts[p].next, sums);
    answer_init(want, scene->partitions);
    for (int w = 0; w < SCENE_WINDOWS; w++)
        for (int k = 0; k < SCENE_KEYS; k++) {
            char key[16], values[64];
            int64_t window_ms = SCENE_BEGIN_MS + w * INT64_C(1000);
            snprintf(key, sizeof key, "[\"k%d\"]", k);
            snprintf(values, sizeof values, "\"n\":%lld,\"s\":%lld", (long long)sums[w][k].count,
                     (long long)sums[w][k].sum);
            if (sums[w][k].count && window_ms >= answer_floor(got))
                answer_add(want, window_ms, bytes_of(key), bytes_of(values));
        }
}

static inline void scene_differ(const struct answer_row *got, const struct answer_row *want,
                                void *context)
{
    struct buf text = {0};
    (void)context;
    buf_add_text(&text, "got ");
    if (got)
        answer_row_json(got, &text);
    buf_add_text(&text, " want ");
    if (want)
        answer_row_json(want, &text);
    fprintf(stderr, "%s\n", text.ptr);
    buf_release(&text);
}

static inline void scene_read(struct scene *scene, struct answer *got)
{
    struct view_query query = {.exact = true};
    struct err err = {0};
    if (kv_down(scene->kv))
        kv_reconnect(scene->kv, NULL);
    int rc = view_read(scene->kv, "v", scene->arch, &query, got, &err);
    if (rc == ERR_AWAY) /* the server came back from a snapshot: once more */
        rc = view_read(scene->kv, "v", scene->arch, &query, got, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
}

/* The view read whole is what the loops say, and stands at next in every partition (-1: anywhere). */
static inline void scene_check(struct scene *scene, int64_t next, const char *about)
{
    struct answer got = {0}, want = {0};
    scene_read(scene, &got);
    scene_expect(scene, &got, &want);
    size_t differ = answer_diff(&got, &want, NULL, NULL);
    if (differ)
        answer_diff(&got, &want, scene_differ, NULL);
    cr_expect_eq(differ, 0, "%s: %zu rows of %zu differ, seed %lu", about, differ, want.count,
                 (unsigned long)scene->seed);
    for (int p = 0; p < scene->partitions; p++) {
        cr_expect(next < 0 || got.parts[p].next == next, "%s: partition %d stands at %lld", about,
                  p, (long long)got.parts[p].next);
        cr_expect(counters_balance(&got.parts[p].counters), "%s", about);
    }
    answer_release(&got);
    answer_release(&want);
}

/* ---- the test's own words to the store ---- */

static inline struct kv_reply *scene_ask(struct scene *scene, struct kv_args *args)
{
    struct kv_reply *replies;
    if (kv_down(scene->kv))
        kv_reconnect(scene->kv, NULL);
    args_queue(args, scene->kv);
    cr_assert_eq(kv_roundtrip(scene->kv, &replies, NULL), 1);
    return replies;
}

static inline const char *scene_version(const struct scene *scene)
{
    return scene->arch == ARCH_KAPPA ? "k1" : "l1";
}

static inline void scene_pos(struct scene *scene, int partition, struct pos *pos)
{
    struct arena arena = {0};
    struct err err = {0};
    struct kv_args args =
        args_new(&arena, "HGETALL", key_pos(&arena, "v", scene_version(scene), partition), NULL);
    cr_assert_eq(pos_decode(scene_ask(scene, &args), pos, &err), 0, "%s", err.text);
    arena_release(&arena);
}

static inline void scene_write_pos(struct scene *scene, int partition, const char *field,
                                   const char *text)
{
    struct arena arena = {0};
    struct kv_args args = args_new(
        &arena, "HSET", key_pos(&arena, "v", scene_version(scene), partition), field, text, NULL);
    cr_assert_neq(scene_ask(scene, &args)->type, KV_ERROR);
    arena_release(&arena);
}

static inline void scene_flush(struct scene *scene)
{
    struct arena arena = {0};
    struct kv_args args = args_new(&arena, "FLUSHALL", NULL);
    scene_ask(scene, &args);
    arena_release(&arena);
}

/* Publish what a batch makes of [0, boundary), as lambda/publish.c does in one EXEC. */
static inline void scene_publish(struct scene *scene, int partition, int64_t boundary,
                                 const char *id)
{
    static struct scene_sum sums[SCENE_WINDOWS][SCENE_KEYS];
    struct arena arena = {0};
    struct pos pos;
    struct kv_reply *replies;
    char part[40], field[24], key[16], text[64];
    int64_t T_ms = INT64_MIN;
    memset(sums, 0, sizeof sums);
    scene_count(scene, partition, boundary, boundary, sums);
    for (int64_t n = 0; n < boundary; n++) {
        int64_t time_ms = scene_event(scene, partition, n).time_ms;
        T_ms = time_ms > T_ms && !scene_bad(scene, n) ? time_ms : T_ms;
    }
    scene_pos(scene, partition, &pos);
    snprintf(part, sizeof part, "g%s", id);
    for (int w = 0; w < SCENE_WINDOWS; w++)
        for (int k = 0; k < SCENE_KEYS; k++) {
            if (!sums[w][k].count)
                continue;
            snprintf(field, sizeof field, "%lld", SCENE_BEGIN_MS + w * 1000LL);
            snprintf(key, sizeof key, "[\"k%d\"]", k);
            snprintf(text, sizeof text, "%lld,%lld", (long long)sums[w][k].count,
                     (long long)sums[w][k].sum);
            kv_words(scene->kv, "SADD", key_part(&arena, "v", "l1", partition, part), field, NULL);
            kv_words(scene->kv, "HSET", key_cells(&arena, "v", "l1", partition, part, field), key,
                     text, NULL);
        }
    struct kv_args hset =
        args_new(&arena, "HSET", key_pos(&arena, "v", "l1", partition), "generation", id, NULL);
    args_int(&hset, "boundary", boundary);
    args_int(&hset, "boundary_T", T_ms);
    args_int(&hset, "boundary_mark", boundary);
    args_pair(&hset, "previous", pos.generation);
    args_int(&hset, "previous_boundary", pos.boundary);
    args_int(&hset, "previous_T", pos.boundary_T_ms);
    args_queue(&hset, scene->kv);
    cr_assert_gt(kv_roundtrip(scene->kv, &replies, NULL), 0);
    pos_release(&pos);
    arena_release(&arena);
}

#endif
