/* tests/common/run/test_job_take.c - taking a partition: whose it is, whether pos, plan and log
 * belong together, and where the job then stands (cuts, boundaries, spans). */
#include "tests/common/run/scene.h"
#include "tests/common/store/redis_here.h"

static void steal(struct scene *scene, int partition)
{
    scene_write_pos(scene, partition, "owner", "ffffffffffffffffffffffffffffffff");
}

static void steal_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick == 6)
        steal(scene, 1);
}

Test(job_take, a_partition_taken_by_another_is_dropped_and_the_others_go_on)
{
    struct scene scene;
    struct pos kept, stolen;
    scene_open(&scene, ARCH_KAPPA, 2, SCENE_PLAN(SCENE_LATE));
    scene.hook = steal_hook;
    cr_expect_eq(scene_run(&scene, 400), ERR_LOST);
    cr_expect(strstr(scene.err.text, "1 partitions were taken by another worker"), "%s",
              scene.err.text);
    cr_expect_eq(scene.stats.lost, 1);
    scene_pos(&scene, 0, &kept);
    scene_pos(&scene, 1, &stolen);
    cr_expect_eq(kept.next, 400);
    cr_expect_lt(stolen.next, 400, "nothing was written since");
    cr_expect_str_eq(stolen.owner, "ffffffffffffffffffffffffffffffff");
    scene_check(&scene, -1, "stolen");
    pos_release(&kept);
    pos_release(&stolen);
    scene.hook = NULL;
    cr_assert_eq(scene_run(&scene, 400), 0, "%s: started again it takes", scene.err.text);
    scene_check(&scene, 400, "taken back");
    scene_close(&scene);
}

static void steal_all_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick == 6)
        for (int p = 0; p < scene->partitions; p++)
            steal(scene, p);
}

Test(job_take, losing_every_partition_ends_the_worker)
{
    struct scene scene;
    scene_open(&scene, ARCH_LAMBDA, 2, SCENE_PLAN(SCENE_LATE));
    scene.hook = steal_all_hook;
    cr_expect_eq(scene_run(&scene, 400), ERR_LOST);
    cr_expect(strstr(scene.err.text, "every partition"), "%s", scene.err.text);
    scene_close(&scene);
}

/* What stands in pos that a worker must not go on from, and what it says. */
static const struct {
    const char *field, *text;
    int code;
    const char *says;
    enum arch arch;
} REFUSED[] = {
    {"handover", "two-slot", ERR_USAGE, "for --handover two-slot and", ARCH_LAMBDA},
    {"plan", "another", ERR_USAGE, "another plan", ARCH_KAPPA},
    {"broken", "1", ERR_DATA, "broken", ARCH_KAPPA},
    {"retired", "1", ERR_ENV, "retired", ARCH_KAPPA},
    {"next", "401", ERR_DATA, "log ends at 400", ARCH_KAPPA},
    {"next", "x", ERR_DATA, "which lk did not write", ARCH_KAPPA},
    {"tail", "399,1,2", ERR_DATA, "is not the log that view v was made from", ARCH_KAPPA},
};

Test(job_take, a_pos_that_is_not_this_job_s_is_refused)
{
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        struct scene scene;
        struct pos before, after;
        scene_open(&scene, REFUSED[i].arch, 1, SCENE_PLAN(SCENE_LATE));
        cr_assert_eq(scene_run(&scene, 400), 0, "%s", scene.err.text);
        scene_pos(&scene, 0, &before);
        scene_write_pos(&scene, 0, REFUSED[i].field, REFUSED[i].text);
        cr_expect_eq(scene_run(&scene, 500), REFUSED[i].code, "%s = %s: %s", REFUSED[i].field,
                     REFUSED[i].text, scene.err.text);
        cr_expect(strstr(scene.err.text, REFUSED[i].says), "%s", scene.err.text);
        if (REFUSED[i].text[0] != 'x') {
            scene_pos(&scene, 0, &after);
            cr_expect_str_eq(after.owner, before.owner, "%s: it was taken", REFUSED[i].field);
            pos_release(&after);
        }
        pos_release(&before);
        scene_close(&scene);
    }
}

Test(job_take, a_log_made_anew_is_another_log)
{
    for (int longer = 0; longer < 2; longer++) {
        struct scene scene;
        scene_open(&scene, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_LATE));
        cr_assert_eq(scene_run(&scene, 300), 0, "%s", scene.err.text);
        log_close(scene.log);
        scene.seed = 77;
        scene_log(&scene, "other");
        scene_append(&scene, 0, longer ? 310 : 290);
        cr_expect_eq(scene_run(&scene, longer ? 310 : 290), ERR_DATA, "%s", scene.err.text);
        cr_expect(strstr(scene.err.text, "made anew"), "%s", scene.err.text);
        scene_close(&scene);
    }
}

static void meddle_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick == 6)
        scene_write_pos(scene, 0, "next", "1");
}

Test(job_take, a_next_that_somebody_else_wrote_stops_the_worker)
{
    struct scene scene;
    scene_open(&scene, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_LATE));
    scene.hook = meddle_hook;
    cr_expect_eq(scene_run(&scene, 400), ERR_DATA);
    cr_expect(strstr(scene.err.text, "pos says next 1"), "%s", scene.err.text);
    scene_close(&scene);
}

/* ---- an idle worker ---- */

static void idle_flush_hook(struct scene *scene, struct task *task)
{
    (void)task;
    scene->pace = scene->tick < 5 || scene->tick > 60 ? 20 : 0;
    if (scene->tick == 20)
        scene_flush(scene);
    if (scene->tick == 30)
        clock_advance_ms(1100);
    if (scene->tick == 60) { /* still idle, and all is there again */
        struct pos pos;
        scene_pos(scene, 0, &pos);
        scene->flag = pos.next == scene->appended[0];
        pos_release(&pos);
    }
}

Test(job_take, an_idle_worker_looks_once_a_second_and_fills_an_emptied_store)
{
    struct scene scene;
    scene_open(&scene, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_LATE));
    scene.hook = idle_flush_hook;
    cr_assert_eq(scene_run(&scene, 300), 0, "%s", scene.err.text);
    cr_expect(scene.flag, "FLUSHALL was not noticed while no events came");
    scene_check(&scene, 300, "looked");
    scene_close(&scene);
}

/* ---- cuts, boundaries, spans ---- */

Test(job_take, a_speed_layer_cuts_at_least_every_span_and_at_its_end)
{
    struct scene scene;
    struct pos pos;
    scene_open(&scene, ARCH_LAMBDA, 1, SCENE_PLAN(SCENE_LATE));
    cr_assert_eq(scene_run(&scene, 400), 0, "%s", scene.err.text);
    scene_pos(&scene, 0, &pos);
    cr_assert_gt(pos.cut_count, 3);
    cr_expect_eq(pos.cuts[0], 0);
    for (int i = 1; i < pos.cut_count; i++)
        cr_expect_lt(pos.cuts[i - 1], pos.cuts[i]);
    cr_expect_eq(pos.cuts[pos.cut_count - 1], 400);
    pos_release(&pos);
    scene_close(&scene);
}

/* A batch that is ahead of the speed layer: at a take, and while it runs. */
static void publish_ahead_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick != (int)scene->number)
        return;
    scene_append(scene, 0, 200);
    scene_publish(scene, 0, scene->appended[0] - 30, "ahead");
}

static int64_t skipped(struct scene *scene)
{
    struct pos pos;
    scene_pos(scene, 0, &pos);
    int64_t count = pos.counters.skipped;
    pos_release(&pos);
    return count;
}

Test(job_take, a_boundary_ahead_is_jumped_to_while_running)
{
    for (int at = 1; at <= 8; at++) {
        struct scene scene;
        scene_open(&scene, ARCH_LAMBDA, 2, SCENE_PLAN(SCENE_LATE));
        scene.hook = publish_ahead_hook;
        scene.number = at;
        cr_assert_eq(scene_run(&scene, 500), 0, "%s", scene.err.text);
        cr_expect_gt(skipped(&scene), 0, "at tick %d", at);
        scene_check(&scene, 500, "jumped");
        scene_close(&scene);
    }
}

Test(job_take, a_boundary_ahead_is_jumped_to_at_the_take)
{
    for (int64_t ahead = 0; ahead <= 100; ahead += 50) {
        struct scene scene;
        scene_open(&scene, ARCH_LAMBDA, 1, SCENE_PLAN(SCENE_LATE));
        cr_assert_eq(scene_run(&scene, 100), 0, "%s", scene.err.text);
        scene_append(&scene, 0, 150);
        scene_publish(&scene, 0, 100 + ahead, "ahead");
        cr_assert_eq(scene_run(&scene, 400), 0, "%s", scene.err.text);
        cr_expect_eq(skipped(&scene), ahead);
        scene_check(&scene, 400, "jumped");
        scene_close(&scene);
    }
}

static void publish_at_next_hook(struct scene *scene, struct task *task)
{
    struct pos pos;
    (void)task;
    if (scene->tick != 7 && scene->tick != 8)
        return;
    scene_pos(scene, 0, &pos);
    if (!scene->flag && !pos_has_cut(&pos, pos.next)) {
        scene_publish(scene, 0, pos.next, "at");
        scene->flag = true;
    }
    pos_release(&pos);
}

Test(job_take, a_boundary_at_the_committed_position_that_is_no_cut_is_jumped_to)
{
    struct scene scene;
    scene_open(&scene, ARCH_LAMBDA, 1, SCENE_PLAN(SCENE_LATE));
    scene.hook = publish_at_next_hook;
    scene.options.span_ms = 1000000;
    cr_assert_eq(scene_run(&scene, 400), 0, "%s", scene.err.text);
    cr_expect(scene.flag);
    scene_check(&scene, 400, "at next");
    scene_close(&scene);
}

/* Batches follow the cuts at some distance, as the real ones do. */
static void batches_hook(struct scene *scene, struct task *task)
{
    struct pos pos;
    char id[16];
    (void)task;
    if (scene->flag && rng_mix(scene->seed, (uint64_t)scene->tick) % 4 ==
                           0) /* spoils the EXEC under way, and means nothing */
        scene_write_pos(scene, 0, "of_a_later_lk", "x");
    if (scene->tick % 12 != 0)
        return;
    scene_pos(scene, 0, &pos);
    snprintf(id, sizeof id, "id%d", scene->tick);
    if (pos.cut_count > 3 && pos.cuts[pos.cut_count - 2] > pos.boundary) {
        scene_publish(scene, 0, pos.cuts[pos.cut_count - 2], id);
        scene->number++;
    }
    pos_release(&pos);
    scene_check(scene, -1, "between batches");
}

static bool exists(struct scene *scene, int64_t cut)
{
    struct arena arena = {0};
    char part[24];
    snprintf(part, sizeof part, "s%lld", (long long)cut);
    struct kv_args index = args_new(&arena, "SMEMBERS", key_part(&arena, "v", "l1", 0, part), NULL);
    bool stands = scene_ask(scene, &index)->count > 0;
    struct kv_args bad =
        args_new(&arena, "HGETALL", key_cells(&arena, "v", "l1", 0, part, "bad"), NULL);
    stands = stands || scene_ask(scene, &bad)->count > 0;
    arena_release(&arena);
    return stands;
}

static void adopt(bool spoil)
{
    struct scene scene;
    struct pos pos;
    scene_open(&scene, ARCH_LAMBDA, 1, SCENE_PLAN(SCENE_LATE));
    scene.hook = batches_hook;
    scene.flag = spoil;
    scene.pace = 7;
    scene.bad_every = 5;
    cr_assert_eq(scene_run(&scene, 600), 0, "%s", scene.err.text);
    scene_check(&scene, 600, "adopted");
    scene_pos(&scene, 0, &pos);
    cr_expect_geq(scene.number, 3, "%lld batches", (long long)scene.number);
    cr_expect_eq(scene.stats.aborted > 2 * scene.number, spoil);
    cr_expect_eq(skipped(&scene), 0);
    cr_expect_eq(pos.from, pos.previous_boundary);
    cr_expect_geq(pos.cuts[0], pos.from);
    for (int64_t cut = 0; cut < pos.from; cut++)
        cr_expect_not(exists(&scene, cut), "span %lld stands below %lld", (long long)cut,
                      (long long)pos.from);
    pos_release(&pos);
    scene_close(&scene);
}

Test(job_take, a_boundary_below_next_is_adopted_and_spans_below_the_previous_one_go)
{
    adopt(false);
}

Test(job_take, spans_go_also_where_the_commit_that_unlinks_them_is_aborted)
{
    adopt(true);
}

/* ---- by event time ---- */

static void bounds_hook(struct scene *scene, struct task *task)
{
    struct pos pos;
    char id[16];
    (void)task;
    if (scene->tick % 12 != 0)
        return;
    scene_pos(scene, 0, &pos);
    snprintf(id, sizeof id, "id%d", scene->tick);
    if (pos.next > pos.boundary + 40) {
        scene_publish(scene, 0, pos.next - 20, id); /* no cut */
        scene->number++;
    }
    pos_release(&pos);
}

/* One span, and of it only the cells that some reader may still ask for. */
Test(job_take, by_event_time_there_are_no_cuts_and_cells_below_the_previous_bound_go)
{
    struct scene scene;
    struct pos pos;
    struct arena arena = {0};
    struct cell_field cell;
    scene_open(&scene, ARCH_LAMBDA, 1, SCENE_PLAN(SCENE_LATE));
    scene.options.handover = HANDOVER_EVENT_TIME;
    scene.options.span_ms = 1;
    kv_words(scene.kv, "HSET", "lk:{v}:lambda", "handover.1", "event-time", NULL);
    cr_assert_eq(kv_roundtrip(scene.kv, &(struct kv_reply *){0}, NULL), 1);
    scene.hook = bounds_hook;
    scene.pace = 7;
    cr_assert_eq(scene_run(&scene, 600), 0, "%s", scene.err.text);
    scene_pos(&scene, 0, &pos);
    cr_expect_geq(scene.number, 3, "%lld batches", (long long)scene.number);
    cr_expect(pos.cut_count == 1 && pos.from == 0 && pos.next == 600);
    int64_t bound_ms = window_bound(scene.plan, pos.previous_T_ms);
    cr_expect_gt(bound_ms, SCENE_BEGIN_MS + 4000, "some windows are below it");
    struct kv_args index = args_new(&arena, "SMEMBERS", key_part(&arena, "v", "l1", 0, "s0"), NULL);
    struct kv_reply *members = scene_ask(&scene, &index);
    cr_expect_gt(members->count, 0);
    for (int i = 0; i < members->count; i++) {
        cr_assert(window_decode(scene.plan, members->items[i].text, &cell));
        cr_expect_geq(cell.first_ms, bound_ms, "the cells of window %lld still stand",
                      (long long)cell.first_ms);
    }
    arena_release(&arena);
    pos_release(&pos);
    scene_close(&scene);
}

/* ---- waiting for a batch ---- */

static void wait_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick == 10) {
        struct answer got = {0};
        struct err err = {0};
        struct view_query query = {0};
        cr_expect_eq(view_read(scene->kv, "v", ARCH_LAMBDA, &query, &got, &err), ERR_GAP, "%s",
                     err.text);
        scene_publish(scene, 0, 300, "covers");
    }
}

Test(job_take, where_pos_is_gone_and_the_log_begins_later_a_batch_is_waited_for)
{
    enum { TRIMMED = 250 };
    struct scene scene;
    struct err err = {0};
    int64_t first, end;
    scene_open(&scene, ARCH_LAMBDA, 1, SCENE_PLAN(SCENE_LATE));
    scene_append(&scene, 0, 350);
    cr_assert_eq(log_trim(scene.log, SCENE_TOPIC, 0, TRIMMED, &err), 0, "%s", err.text);
    cr_assert_eq(log_range(scene.log, SCENE_TOPIC, 0, &first, &end, &err), 0);
    cr_assert(first > 0 && first <= TRIMMED, "the log begins at %lld", (long long)first);
    scene.hook = wait_hook;
    cr_assert_eq(scene_run(&scene, 400), 0, "%s", scene.err.text);
    scene_check(&scene, 400, "covered");
    scene_close(&scene);
}

Test(job_take, kappa_says_when_retention_has_passed_it)
{
    struct scene scene;
    struct err err = {0};
    scene_open(&scene, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_LATE));
    cr_assert_eq(scene_run(&scene, 100), 0, "%s", scene.err.text);
    scene_append(&scene, 0, 200);
    cr_assert_eq(log_trim(scene.log, SCENE_TOPIC, 0, 200, &err), 0, "%s", err.text);
    cr_expect_eq(scene_run(&scene, 300), ERR_GONE, "%s", scene.err.text);
    scene_close(&scene);
}

/* ---- an error inside EXEC, which only a real Redis makes ---- */

static void wrong_type_hook(struct scene *scene, struct task *task)
{
    struct arena arena = {0};
    (void)task;
    if (scene->tick != 6)
        return;
    struct kv_args drop = args_new(&arena, "UNLINK", key_part(&arena, "v", "k1", 0, "k"), NULL);
    struct kv_args set = args_new(&arena, "SET", key_part(&arena, "v", "k1", 0, "k"), "x", NULL);
    scene_ask(scene, &drop);
    scene_ask(scene, &set);
    arena_release(&arena);
}

Test(job_take, an_error_inside_a_commit_marks_the_partition_broken_for_good)
{
    struct redis_here redis = {0};
    struct scene scene;
    struct pos pos;
    redis_here_start(&redis);
    scene_open_at(&scene, redis.uri, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_LATE));
    scene.hook = wrong_type_hook;
    cr_expect_eq(scene_run(&scene, 800), ERR_DATA, "%s", scene.err.text);
    cr_expect(strstr(scene.err.text, "WRONGTYPE"), "%s", scene.err.text);
    scene_pos(&scene, 0, &pos);
    cr_expect(pos.broken);
    scene.hook = NULL;
    cr_expect_eq(scene_run(&scene, 800), ERR_DATA);
    cr_expect(strstr(scene.err.text, "marked broken"), "%s", scene.err.text);
    pos_release(&pos);
    scene_close(&scene);
    redis_here_stop(&redis);
}

/* An event a tick of a millisecond, a cut wanted at each. */
Test(job_take, cuts_come_less_often_while_no_batch_is_published_above_them)
{
    enum { EVENTS = 3600, EASY = 256 };
    struct scene scene;
    struct pos pos;
    scene_open(&scene, ARCH_LAMBDA, 1, SCENE_PLAN(SCENE_LATE));
    scene.options.span_ms = 1;
    scene.pace = 1;
    cr_assert_eq(scene_run(&scene, EVENTS), 0, "%s", scene.err.text);
    scene_pos(&scene, 0, &pos);
    cr_expect_gt(pos.cut_count, EASY, "at first each tick has one");
    cr_expect_lt(pos.cut_count, EASY * 4, "%d cuts in %d ticks", pos.cut_count, EVENTS);
    cr_expect_eq(pos.cuts[pos.cut_count - 1], EVENTS, "the last one is at the end");
    pos_release(&pos);
    scene_check(&scene, EVENTS, "many spans");
    scene_close(&scene);
}
