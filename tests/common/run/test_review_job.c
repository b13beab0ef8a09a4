/* tests/common/run/test_review_job.c - what a reader of the job's code thought wrong, each as the
 * shortest scene that shows it: losses upon losses, a topic that begins later than what pos needs,
 * a store that fills up between a commit's commands. */
#include "tests/common/run/scene.h"

/* ---- a connection lost again while partitions are taken again ---- */

struct breaks {
    int sends, at;
    bool landed;
};

static void break_again(void *context)
{
    struct breaks *breaks = context;
    if (++breaks->sends == breaks->at)
        memory_break(SCENE_NAME, breaks->landed);
}

static struct breaks breaks;

static void break_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick != 8)
        return;
    memory_break(SCENE_NAME, true);
    memory_meddle(SCENE_NAME, break_again, &breaks);
}

Test(review_job, a_connection_lost_at_any_step_of_taking_again_costs_nothing)
{
    for (int at = 1; at <= 24; at++) {
        struct scene scene;
        breaks = (struct breaks){.at = at / 2 + 1, .landed = at % 2};
        scene_open(&scene, at % 3 ? ARCH_LAMBDA : ARCH_KAPPA, 3, SCENE_PLAN(SCENE_LATE));
        scene.hook = break_hook;
        cr_assert_eq(scene_run(&scene, 300), 0, "%d: %s", at, scene.err.text);
        memory_meddle(SCENE_NAME, NULL, NULL);
        scene_check(&scene, 300, "broken again");
        scene_close(&scene);
    }
}

/* ---- a topic that begins later than what pos needs ---- */

enum { RUN = 100, LONGER = 350, TRIM = 250, BATCH = 300 };

/* A speed layer that stood at RUN, and a topic that begins behind that by now. */
static int64_t pass_by_retention(struct scene *scene, const char *plan)
{
    struct err err = {0};
    int64_t first, end;
    scene_open(scene, ARCH_LAMBDA, 1, plan);
    cr_assert_eq(scene_run(scene, RUN), 0, "%s", scene->err.text);
    scene_append(scene, 0, LONGER - RUN);
    cr_assert_eq(log_trim(scene->log, SCENE_TOPIC, 0, TRIM, &err), 0, "%s", err.text);
    cr_assert_eq(log_range(scene->log, SCENE_TOPIC, 0, &first, &end, &err), 0);
    cr_assert(first > RUN && first <= TRIM, "the log begins at %lld", (long long)first);
    return first;
}

static void publish_at_10(struct scene *scene, struct task *task)
{
    char mark[24];
    (void)task;
    snprintf(mark, sizeof mark, "%lld", (long long)scene->number);
    if (scene->tick != 10)
        return;
    scene_publish(scene, 0, BATCH, "covers");
    scene_write_pos(scene, 0, "boundary_mark", mark);
}

Test(review_job, a_horizon_that_retention_has_taken_is_not_missed_where_a_batch_covers_it)
{
    struct scene scene;
    scene.number = 0;
    int64_t first = pass_by_retention(&scene, SCENE_PLAN(SCENE_DEDUPE));
    scene.number = first;
    scene.hook = publish_at_10;
    cr_assert_eq(scene_run(&scene, 400), 0, "%s", scene.err.text);
    scene_check(&scene, 400, "covered");
    scene_close(&scene);
}

static bool span_stands(struct scene *scene, int64_t cut)
{
    struct arena arena = {0};
    char part[24];
    snprintf(part, sizeof part, "s%lld", (long long)cut);
    struct kv_args args = args_new(&arena, "SMEMBERS", key_part(&arena, "v", "l1", 0, part), NULL);
    bool stands = scene_ask(scene, &args)->count > 0;
    arena_release(&arena);
    return stands;
}

/* number: `from` as of the last tick. flag: a span below it still stood when it had been raised. */
static void raise_hook(struct scene *scene, struct task *task)
{
    struct pos pos;
    scene_pos(scene, 0, &pos);
    if (scene->number == 0 && pos.from > 0)
        scene->flag = span_stands(scene, 0);
    scene->number = pos.from;
    pos_release(&pos);
    if (scene->tick == 10)
        publish_at_10(scene, task);
}

Test(review_job, spans_are_not_unlinked_by_the_commit_that_steps_over_what_retention_took)
{
    struct scene scene;
    pass_by_retention(&scene, SCENE_PLAN(SCENE_LATE));
    cr_assert(span_stands(&scene, 0));
    scene.hook = raise_hook;
    scene.number = 0;
    cr_assert_eq(scene_run(&scene, 400), 0, "%s", scene.err.text);
    cr_expect(scene.flag, "the span went with the commit that raised from");
    cr_expect_not(span_stands(&scene, 0), "and it is gone by now");
    scene_check(&scene, 400, "covered");
    scene_close(&scene);
}

/* A batch publishes before the worker has committed that it steps over: at number, then at BATCH. */
static void publish_early_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick == 1 && scene->number)
        scene_publish(scene, 0, scene->number, "early");
    if (scene->tick == 20 && scene->number < BATCH)
        scene_publish(scene, 0, BATCH, "covers");
}

Test(review_job, a_boundary_published_while_the_worker_steps_over_retention)
{
    static const int64_t EARLY[] = {0, RUN, RUN + 20, BATCH};
    for (size_t i = 0; i < sizeof EARLY / sizeof *EARLY; i++) {
        struct scene scene;
        struct pos pos;
        pass_by_retention(&scene, SCENE_PLAN(SCENE_LATE));
        scene.hook = publish_early_hook;
        scene.number = EARLY[i];
        cr_assert_eq(scene_run(&scene, 400), 0, "%lld: %s", (long long)EARLY[i], scene.err.text);
        scene_check(&scene, 400, "covered");
        scene_pos(&scene, 0, &pos);
        cr_expect_eq(pos.counters.read, 400, "%lld: read is %lld", (long long)EARLY[i],
                     (long long)pos.counters.read);
        pos_release(&pos);
        scene_close(&scene);
    }
}

/* At the boundary itself T and floor are the prefix's, whoever has folded it. */
static void read_at_boundary_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick != 10)
        return;
    struct pos pos;
    struct answer got = {0};
    struct err err = {0};
    struct view_query query = {0};
    scene_pos(scene, 0, &pos);
    cr_assert(pos.from > 0 && pos.from == pos.next, "from %lld", (long long)pos.from);
    scene_publish(scene, 0, pos.next, "covers");
    cr_assert_eq(view_read(scene->kv, "v", ARCH_LAMBDA, &query, &got, &err), 0, "%s", err.text);
    cr_expect_neq(got.parts[0].T_ms, INT64_MIN);
    cr_expect_neq(got.parts[0].floor_ms, WINDOW_FLOOR_NONE);
    answer_release(&got);
    pos_release(&pos);
}

Test(review_job, a_read_at_the_boundary_has_the_T_and_the_floor_of_the_batch)
{
    struct scene scene;
    pass_by_retention(&scene, SCENE_PLAN(SCENE_KEEP));
    scene.hook = read_at_boundary_hook;
    cr_assert_eq(scene_run(&scene, 400), 0, "%s", scene.err.text);
    scene_check(&scene, 400, "covered");
    scene_close(&scene);
}

Test(review_job, a_boundary_beyond_the_log_s_end_is_of_another_log)
{
    struct scene scene;
    scene_open(&scene, ARCH_LAMBDA, 1, SCENE_PLAN(SCENE_LATE));
    scene_append(&scene, 0, 100);
    scene_write_pos(&scene, 0, "plan", scene.plan->hash);
    scene_write_pos(&scene, 0, "owner", "-fresh");
    scene_write_pos(&scene, 0, "cuts", "0");
    scene_publish(&scene, 0, 300, "longer");
    cr_expect_eq(scene_run(&scene, 100), ERR_DATA, "%s", scene.err.text);
    cr_expect(strstr(scene.err.text, "made anew"), "%s", scene.err.text);
    scene_close(&scene);
}

/* ---- a store that fills up between a commit's commands and its EXEC ---- */

static void fills_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick == 3 || scene->tick == 10)
        memory_full_at_exec(SCENE_NAME);
    if (scene->tick == 5 || scene->tick == 12)
        memory_full(SCENE_NAME, false);
}

Test(review_job, a_store_that_fills_up_behind_the_last_command_is_a_full_one)
{
    struct scene scene;
    scene_open(&scene, ARCH_KAPPA, 2, SCENE_PLAN(SCENE_LATE));
    scene.hook = fills_hook;
    cr_assert_eq(scene_run(&scene, 300), 0, "%s", scene.err.text);
    cr_expect_gt(scene.stats.aborted, 0);
    scene_check(&scene, 300, "filled");
    scene_close(&scene);
}

Test(review_job, a_store_that_fills_up_behind_a_take_is_a_full_one)
{
    struct scene scene;
    scene_open(&scene, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_LATE));
    memory_full_at_exec(SCENE_NAME);
    cr_expect_eq(scene_run(&scene, 100), ERR_FULL, "%s", scene.err.text);
    scene_close(&scene);
}

/* ---- bad events are kept beside the cells of their span ---- */

/* number: how often somebody else writes into pos. */
static void spoil_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick % scene->number == 0)
        scene_write_pos(scene, 0, "noise", "1");
}

/* How many bad events stand in the spans of pos; each must lie in its span. */
static int bad_in_spans(struct scene *scene, const struct pos *pos)
{
    struct arena arena = {0};
    int found = 0;
    for (int i = 0; i < pos->cut_count; i++) {
        char part[24];
        int64_t end = i + 1 < pos->cut_count ? pos->cuts[i + 1] : pos->next, offset = -1;
        snprintf(part, sizeof part, "s%lld", (long long)pos->cuts[i]);
        struct kv_args args =
            args_new(&arena, "HGETALL", key_cells(&arena, "v", "l1", 0, part, "bad"), NULL);
        const struct kv_reply *bad = scene_ask(scene, &args);
        for (int k = 0; k < bad->count; k += 2, found++) {
            bytes_to_int64(bad->items[k].text, &offset);
            cr_expect(offset >= pos->cuts[i] && offset < end,
                      "%lld stands in the span [%lld, %lld)", (long long)offset,
                      (long long)pos->cuts[i], (long long)end);
        }
    }
    arena_release(&arena);
    return found;
}

Test(review_job, bad_events_of_an_aborted_commit_stay_in_the_span_they_were_folded_in)
{
    for (int often = 2; often < 8; often++) {
        struct scene scene;
        struct pos pos;
        scene_open(&scene, ARCH_LAMBDA, 1, SCENE_PLAN(SCENE_LATE));
        scene.bad_every = 5;
        scene.hook = spoil_hook;
        scene.number = often;
        cr_assert_eq(scene_run(&scene, 800), 0, "%s", scene.err.text);
        cr_assert_gt(scene.stats.aborted, 0);
        scene_check(&scene, 800, "spoilt");
        scene_pos(&scene, 0, &pos);
        cr_expect_eq(bad_in_spans(&scene, &pos), 160);
        pos_release(&pos);
        scene_close(&scene);
    }
}

/* ---- reads while the floor rises ---- */

static void raise_floor(void *context)
{
    struct scene *scene = context;
    char text[24];
    struct kv *other;
    if (++scene->number != 4) /* the registry; nothing; pos; then the cells */
        return;
    struct arena arena = {0};
    struct kv_reply *replies;
    struct pos pos;
    struct err err = {0};
    cr_assert_eq(kv_open(SCENE_URI, &other, &err), 0);
    kv_words(other, "HGETALL", key_pos(&arena, "v", "k1", 0), NULL);
    cr_assert_eq(kv_roundtrip(other, &replies, &err), 1);
    cr_assert_eq(pos_decode(&replies[0], &pos, &err), 0);
    int64_t up = scene->flag ? 1000 : 1; /* into the next window, or within this one */
    int64_t floor_ms = pos.floor_ms / 1000 * 1000 + 500;
    snprintf(text, sizeof text, "%lld", (long long)(floor_ms + up));
    kv_words(other, "HSET", key_pos(&arena, "v", "k1", 0), "floor", text, NULL);
    cr_assert_eq(kv_roundtrip(other, &replies, &err), 1);
    pos_release(&pos);
    arena_release(&arena);
    kv_close(other);
}

Test(review_job, a_floor_that_rises_within_a_window_takes_nothing_from_a_read)
{
    for (int further = 0; further < 2; further++) {
        struct scene scene;
        struct pos pos;
        char text[24];
        scene_open(&scene, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_KEEP));
        cr_assert_eq(scene_run(&scene, 300), 0, "%s", scene.err.text);
        scene_pos(&scene, 0, &pos);
        snprintf(text, sizeof text, "%lld", (long long)(pos.floor_ms / 1000 * 1000 + 500));
        scene_write_pos(&scene, 0, "floor", text);
        pos_release(&pos);
        scene.number = 0;
        scene.flag = further;
        struct answer got = {0};
        struct err err = {0};
        struct view_query query = {.has_window = true, .window_ms = SCENE_BEGIN_MS + 18000};
        cr_assert_eq(fault_set("nowhere:1:error", NULL), 0); /* a read is then sent in pieces */
        memory_meddle(SCENE_NAME, raise_floor, &scene);
        int rc = view_read(scene.kv, "v", ARCH_KAPPA, &query, &got, &err);
        memory_meddle(SCENE_NAME, NULL, NULL);
        fault_set(NULL, NULL);
        cr_assert_eq(rc, 0, "%s", err.text);
        cr_expect_geq(scene.number, 4, "the floor was not raised");
        cr_expect_eq(got.tries, further, "%d: read %d times again", further, got.tries);
        answer_release(&got);
        scene_close(&scene);
    }
}

/* ---- whoever names a partition twice would take it from themselves ---- */

Test(review_job, a_partition_named_twice_is_refused)
{
    static const int TWICE[] = {1, 0, 1};
    struct scene scene;
    struct worker_result result;
    char uri[64];
    scene_open(&scene, ARCH_KAPPA, 2, SCENE_PLAN(SCENE_LATE));
    scene_append(&scene, 0, 50);
    scene_append(&scene, 1, 50);
    snprintf(uri, sizeof uri, "embedded:%s/log", scene.dir);
    struct worker_options options = {.plan = scene.plan,
                                     .log_uri = uri,
                                     .topic = SCENE_TOPIC,
                                     .partitions = TWICE,
                                     .count = 3,
                                     .workers = 1,
                                     .until_end = true,
                                     .job = scene.options};
    clock_free_run();
    cr_expect_eq(worker_run(&options, &result, &scene.err), ERR_USAGE, "%s", scene.err.text);
    cr_expect(strstr(scene.err.text, "partition 1 is named twice"), "%s", scene.err.text);
    scene_close(&scene);
}
