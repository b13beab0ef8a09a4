/* tests/common/run/test_job_commit.c - whatever happens between a commit and its answer, the view
 * is what straight loops over the log's prefix say: lost connections, a Redis that is emptied, goes
 * back in time or is full, memory too small for the cells. */
#include "tests/common/run/scene.h"
#include "tests/common/store/redis_here.h"

static const enum arch ARCHS[] = {ARCH_KAPPA, ARCH_LAMBDA};

Test(job_commit, the_view_is_the_fold_of_the_log_in_both_architectures_and_any_partitions)
{
    for (int i = 0; i < 2; i++)
        for (int partitions = 1; partitions <= SCENE_PARTITIONS; partitions++) {
            struct scene scene;
            scene_open(&scene, ARCHS[i], partitions, SCENE_PLAN(SCENE_LATE));
            cr_assert_eq(scene_run(&scene, 400), 0, "%s", scene.err.text);
            scene_check(&scene, 400, "drained");
            cr_expect_gt(scene.stats.commits, 5);
            cr_expect_eq(scene.stats.aborted + scene.stats.reconnects + scene.stats.lost, 0);
            scene_close(&scene);
        }
}

/* Restarts read what stands there before they add to it; ids and T are known again. */
static const char *const PLANS[] = {SCENE_PLAN(SCENE_LATE), SCENE_PLAN(SCENE_DEDUPE),
                                    SCENE_PLAN(SCENE_KEEP), SCENE_PLAN("")};

Test(job_commit, a_restart_goes_on_as_if_there_had_been_none)
{
    for (size_t i = 0; i < sizeof PLANS / sizeof *PLANS; i++)
        for (int k = 0; k < 2; k++) {
            struct scene scene;
            if (k == 1 && i == 1)
                continue; /* ids over a batch and spans are the agreement tests' */
            scene_open(&scene, ARCHS[k], 2, PLANS[i]);
            for (int goal = 37; goal <= 37 * 8; goal += 37) {
                cr_assert_eq(scene_run(&scene, goal), 0, "%s", scene.err.text);
                scene_check(&scene, goal, PLANS[i]);
            }
            scene_close(&scene);
        }
}

Test(job_commit, cells_that_left_memory_are_read_again)
{
    for (int i = 0; i < 2; i++) {
        struct scene scene;
        scene_open(&scene, ARCHS[i], 2, SCENE_PLAN(",\"allowed_lateness\":\"1h\""));
        scene.options.memory_bytes = 1;
        scene.options.span_ms = 1000;
        cr_assert_eq(scene_run(&scene, 600), 0, "%s", scene.err.text);
        scene_check(&scene, 600, "evicted");
        scene_close(&scene);
    }
}

/* Each fault point, at several passings; a job mends itself. */
static const char *const POINTS[] = {"take", "commit sent", "commit landed", "commit answered",
                                     "idle look"};

/* Events come now and then; between them more than a second passes twice: once for a cut. */
static void idle_hook(struct scene *scene, struct task *task)
{
    (void)task;
    scene->pace = scene->tick % 16 == 0 ? 20 : 0;
    if (scene->tick % 16 == 6 || scene->tick % 16 == 12)
        clock_advance_ms(2000);
}

static void run_with_fault(enum arch arch, const char *point, int nth, const char *plan)
{
    struct scene scene;
    char fault[64];
    struct err err = {0};
    snprintf(fault, sizeof fault, "%s:%d:error", point, nth);
    scene_open(&scene, arch, 2, plan);
    scene.options.span_ms = 100;
    scene.hook = idle_hook;
    cr_assert_eq(fault_set(fault, &err), 0, "%s", err.text);
    cr_assert_eq(scene_run(&scene, 300), 0, "%s: %s", fault, scene.err.text);
    fault_set(NULL, NULL);
    cr_expect_eq(scene.stats.reconnects, 1, "%s was met %lld times", fault,
                 (long long)scene.stats.reconnects);
    scene_check(&scene, 300, fault);
    scene_close(&scene);
}

Test(job_commit, a_connection_lost_at_any_step_changes_nothing)
{
    for (size_t i = 0; i < sizeof POINTS / sizeof *POINTS; i++)
        for (int nth = 1; nth <= 4; nth++) {
            if (strcmp(POINTS[i], "take") == 0 && nth > 2)
                continue; /* two partitions: two takes */
            run_with_fault(ARCH_KAPPA, POINTS[i], nth, SCENE_PLAN(SCENE_DEDUPE));
            run_with_fault(ARCH_LAMBDA, POINTS[i], nth, SCENE_PLAN(SCENE_LATE));
        }
}

Test(job_commit, a_connection_that_breaks_again_while_partitions_are_taken_changes_nothing)
{
    for (int nth = 3; nth <= 10; nth++) {
        struct scene scene;
        char fault[64];
        snprintf(fault, sizeof fault, "commit answered:3:error,take:%d:error", nth);
        scene_open(&scene, ARCHS[nth % 2], 2, SCENE_PLAN(SCENE_LATE));
        cr_assert_eq(fault_set(fault, NULL), 0);
        cr_assert_eq(scene_run(&scene, 300), 0, "%s: %s", fault, scene.err.text);
        fault_set(NULL, NULL);
        scene_check(&scene, 300, fault);
        scene_close(&scene);
    }
}

static void break_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick == (int)scene->number)
        memory_break(SCENE_NAME, scene->flag);
}

Test(job_commit, a_commit_whose_answer_is_lost_counts_once_landed_or_not)
{
    for (int at = 1; at <= 12; at++)
        for (int landed = 0; landed < 2; landed++) {
            struct scene scene;
            scene_open(&scene, ARCHS[at % 2], 2, SCENE_PLAN(SCENE_LATE));
            scene.hook = break_hook;
            scene.number = at;
            scene.flag = landed;
            cr_assert_eq(scene_run(&scene, 300), 0, "%s", scene.err.text);
            cr_expect_geq(scene.stats.reconnects, 1);
            scene_check(&scene, 300, landed ? "landed" : "not landed");
            scene_close(&scene);
        }
}

static void flush_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick == (int)scene->number)
        scene_flush(scene);
}

Test(job_commit, the_worker_of_one_version_puts_the_other_ones_back_and_which_was_live)
{
    struct scene scene;
    struct registry registry;
    scene_open(&scene, ARCH_KAPPA, 2, SCENE_PLAN(SCENE_LATE));
    struct plan *other = scene_plan(SCENE_PLAN(""));
    cr_assert_eq(registry_add(scene.kv, other, ARCH_KAPPA, 2, NULL), 2);
    cr_assert_eq(registry_promote(scene.kv, "v", ARCH_KAPPA, 1, 2, NULL), 0);
    scene.hook = flush_hook;
    scene.number = 5;
    cr_assert_eq(scene_run(&scene, 300), 0, "%s", scene.err.text);
    cr_assert_eq(registry_read(scene.kv, "v", ARCH_KAPPA, &registry, NULL), 0);
    cr_expect_eq(registry.live, 2, "live is %d", registry.live);
    cr_expect_eq(registry.count, 2);
    registry_release(&registry);
    plan_free(other);
    scene_close(&scene);
}

Test(job_commit, a_store_that_is_emptied_is_filled_again_from_the_log)
{
    for (int at = 1; at <= 12; at++) {
        struct scene scene;
        scene_open(&scene, ARCHS[at % 2], 2, SCENE_PLAN(SCENE_LATE));
        scene.hook = flush_hook;
        scene.number = at;
        cr_assert_eq(scene_run(&scene, 300), 0, "%s", scene.err.text);
        scene_check(&scene, 300, "FLUSHALL");
        scene_close(&scene);
    }
}

static void back_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick == 4)
        memory_snapshot(SCENE_NAME);
    if (scene->tick == 4 + (int)scene->number)
        memory_restore(SCENE_NAME);
}

Test(job_commit, a_store_that_goes_back_in_time_is_followed_back)
{
    for (int later = 1; later <= 8; later++) {
        struct scene scene;
        scene_open(&scene, ARCHS[later % 2], 2, SCENE_PLAN(SCENE_LATE));
        scene.hook = back_hook;
        scene.number = later;
        cr_assert_eq(scene_run(&scene, 300), 0, "%s", scene.err.text);
        cr_expect_geq(scene.stats.reconnects, 1);
        scene_check(&scene, 300, "restored");
        scene_close(&scene);
    }
}

/* ---- a full store ---- */

static void full_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick == (int)scene->number)
        memory_full(SCENE_NAME, true);
    if (scene->tick == (int)scene->number + 6)
        memory_full(SCENE_NAME, false);
}

Test(job_commit, a_full_store_is_waited_for_and_nothing_is_lost)
{
    for (int at = 1; at <= 10; at++) {
        struct scene scene;
        scene_open(&scene, ARCHS[at % 2], 2, SCENE_PLAN(SCENE_KEEP));
        scene.hook = full_hook;
        scene.number = at;
        cr_assert_eq(scene_run(&scene, 300), 0, "%s", scene.err.text);
        cr_expect_gt(scene.stats.aborted, 0);
        scene_check(&scene, 300, "full");
        scene_close(&scene);
    }
}

/* From tick 5 to 60 nothing fits; number becomes the most events read meanwhile. */
static void held_back_hook(struct scene *scene, struct task *task)
{
    if (scene->tick == 5 || scene->tick == 60)
        memory_full(SCENE_NAME, scene->tick == 5);
    if (scene->tick == 30)
        scene->number = task->events;
    if (scene->tick == 59) {
        cr_expect(task->paused[0], "reading goes on though nothing can leave memory");
        cr_expect_eq(task->events, scene->number);
    }
}

Test(job_commit, a_store_that_stays_full_holds_the_reading_back_and_not_for_ever, .timeout = 60)
{
    struct scene scene;
    scene_open(&scene, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_LATE));
    scene.hook = held_back_hook;
    scene.options.memory_bytes = 1;
    cr_assert_eq(scene_run(&scene, 600), 0, "%s", scene.err.text);
    scene_check(&scene, 600, "held back");
    scene_close(&scene);
}

/* A commit is due every 100 ticks. Between two of them pos is written, as by a batch that lands. */
static void landed_meanwhile_hook(struct scene *scene, struct task *task)
{
    struct pos pos;
    (void)task;
    if (scene->tick == 150)
        scene_write_pos(scene, 0, "previous", "");
    if (scene->tick != 250)
        return;
    scene_pos(scene, 0, &pos);
    cr_expect_gt(pos.next, 150, "%lld events of %d ticks", (long long)pos.next, 250);
    pos_release(&pos);
}

Test(job_commit, a_commit_that_was_aborted_is_made_again_at_once)
{
    struct scene scene;
    scene_open(&scene, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_LATE));
    scene.hook = landed_meanwhile_hook;
    scene.options.commit_ms = 100;
    scene.pace = 1;
    cr_assert_eq(scene_run(&scene, 300), 0, "%s", scene.err.text);
    cr_expect_eq(scene.stats.aborted, 1);
    scene_check(&scene, 300, "aborted");
    scene_close(&scene);
}

/* From tick 5 to 205 nothing fits, and a commit is due every 20 ticks. */
static void full_for_long_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick == 5 || scene->tick == 205)
        memory_full(SCENE_NAME, scene->tick == 5);
}

Test(job_commit, a_full_store_is_sent_the_same_again_no_oftener_than_a_commit_is_due, .timeout = 60)
{
    struct scene scene;
    scene_open(&scene, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_LATE));
    scene.hook = full_for_long_hook;
    scene.options.memory_bytes = 1; /* what has changed fills it at once */
    scene.options.commit_ms = 20;
    cr_assert_eq(scene_run(&scene, 300), 0, "%s", scene.err.text);
    cr_expect_gt(scene.stats.aborted, 0);
    cr_expect_leq(scene.stats.aborted, 12, "%lld", (long long)scene.stats.aborted);
    scene_check(&scene, 300, "full for long");
    scene_close(&scene);
}

/* Full from a break on, until the worker has knocked some times. */
static void full_for_a_while(void *context)
{
    struct scene *scene = context;
    if (++scene->number == 12)
        memory_full(SCENE_NAME, false);
}

static void full_and_broken_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick != 5)
        return;
    memory_full(SCENE_NAME, true);
    memory_break(SCENE_NAME, true);
    memory_meddle(SCENE_NAME, full_for_a_while, scene);
}

Test(job_commit, a_store_that_is_full_when_a_partition_is_taken_again_is_waited_for)
{
    struct scene scene;
    scene_open(&scene, ARCH_KAPPA, 2, SCENE_PLAN(SCENE_LATE));
    scene.hook = full_and_broken_hook;
    cr_assert_eq(scene_run(&scene, 300), 0, "%s", scene.err.text);
    cr_expect_gt(scene.stats.reconnects, 0);
    memory_meddle(SCENE_NAME, NULL, NULL);
    scene_check(&scene, 300, "room again");
    scene_close(&scene);
}

static void stop_asked_while_away(void *context)
{
    struct scene *scene = context;
    if (++scene->number == 12)
        stop_ask(true);
}

static void full_for_good_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick != 5)
        return;
    memory_full(SCENE_NAME, true);
    memory_break(SCENE_NAME, true);
    memory_meddle(SCENE_NAME, stop_asked_while_away, scene);
}

Test(job_commit, a_stop_that_is_asked_while_the_store_is_away_is_an_interruption)
{
    struct scene scene;
    scene_open(&scene, ARCH_KAPPA, 2, SCENE_PLAN(SCENE_LATE));
    scene.hook = full_for_good_hook;
    cr_expect_eq(scene_run(&scene, 300), ERR_INTERRUPTED, "%s", scene.err.text);
    memory_meddle(SCENE_NAME, NULL, NULL);
    memory_full(SCENE_NAME, false);
    stop_ask(false);
    scene_check(&scene, -1, "interrupted");
    scene_close(&scene);
}

static bool cells_stand(struct scene *scene, int partition, int64_t window_ms)
{
    struct arena arena = {0};
    char field[24];
    snprintf(field, sizeof field, "%lld", (long long)window_ms);
    struct kv_args args =
        args_new(&arena, "HGETALL", key_cells(&arena, "v", "k1", partition, "k", field), NULL);
    bool stand = scene_ask(scene, &args)->count > 0;
    arena_release(&arena);
    return stand;
}

/* Full from the moment at which the floor has passed cells that still stand. */
static void stays_full_hook(struct scene *scene, struct task *task)
{
    struct pos pos;
    (void)task;
    scene_pos(scene, 0, &pos);
    for (int w = 0; !scene->flag && pos.here && w < SCENE_WINDOWS; w++) {
        scene->number = SCENE_BEGIN_MS + w * INT64_C(1000);
        scene->flag = scene->number < pos.floor_ms && cells_stand(scene, 0, scene->number);
    }
    if (scene->flag)
        memory_full(SCENE_NAME, true);
    pos_release(&pos);
}

Test(job_commit, what_lies_below_the_floor_is_unlinked_while_the_store_is_full)
{
    struct scene scene;
    scene_open(&scene, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_KEEP));
    scene.hook = stays_full_hook;
    scene.options.patience_ms = 20;
    cr_expect_eq(scene_run(&scene, 2000), ERR_FULL, "%s", scene.err.text);
    cr_expect(strstr(scene.err.text, "maxmemory"), "%s", scene.err.text);
    cr_assert(scene.flag, "nothing was below the floor");
    cr_expect_not(cells_stand(&scene, 0, scene.number), "window %lld stands",
                  (long long)scene.number);
    memory_full(SCENE_NAME, false);
    scene.hook = NULL;
    cr_assert_eq(scene_run(&scene, 2000), 0, "%s", scene.err.text);
    scene_check(&scene, 2000, "room again");
    scene_close(&scene);
}

/* The same on a real Redis, whose rules of refusing the memory server only imitates. */
static void really_full_hook(struct scene *scene, struct task *task)
{
    bool before = scene->flag;
    stays_full_hook(scene, task);
    if (before || !scene->flag)
        return;
    struct arena arena = {0};
    struct kv_args args = args_new(&arena, "CONFIG", "SET", "maxmemory", "1", NULL);
    scene_ask(scene, &args);
    arena_release(&arena);
}

Test(job_commit, a_real_full_redis_is_relieved_of_what_lies_below_the_floor)
{
    struct redis_here redis = {0};
    struct scene scene;
    redis_here_start(&redis);
    scene_open_at(&scene, redis.uri, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_KEEP));
    clock_free_run(); /* answers take their time */
    scene.hook = really_full_hook;
    scene.options.patience_ms = 300;
    cr_expect_eq(scene_run(&scene, 2000), ERR_FULL, "%s", scene.err.text);
    cr_assert(scene.flag, "nothing was below the floor");
    cr_expect_not(cells_stand(&scene, 0, scene.number), "window %lld stands",
                  (long long)scene.number);
    scene_close(&scene);
    redis_here_stop(&redis);
}

/* ---- deletion ---- */

enum { STANDING_MAX = 4000 };

/* What stands: (part, window) of the partition's indexes. */
struct standing {
    struct {
        int64_t part, window_ms;
    } cell[STANDING_MAX];
    int count;
    int64_t floor_ms, from;
};

static void look(struct scene *scene, struct standing *out)
{
    struct arena arena = {0};
    struct pos pos;
    scene_pos(scene, 0, &pos);
    *out = (struct standing){.floor_ms = pos.floor_ms, .from = pos.from};
    for (int64_t cut = 0; cut <= pos.next; cut++) {
        char part[24] = "k";
        if (scene->arch == ARCH_LAMBDA)
            snprintf(part, sizeof part, "s%lld", (long long)cut);
        struct kv_args args = args_new(&arena, "SMEMBERS",
                                       key_part(&arena, "v", scene_version(scene), 0, part), NULL);
        const struct kv_reply *members = scene_ask(scene, &args);
        for (int i = 0; i < members->count; i++) {
            out->cell[out->count].part = cut;
            bytes_to_int64(members->items[i].text, &out->cell[out->count++].window_ms);
        }
        if (scene->arch == ARCH_KAPPA)
            break;
    }
    pos_release(&pos);
    arena_release(&arena);
}

static bool stands(const struct standing *standing, int64_t part, int64_t window_ms)
{
    for (int i = 0; i < standing->count; i++)
        if (standing->cell[i].part == part && standing->cell[i].window_ms == window_ms)
            return true;
    return false;
}

/* At most one EXEC lies between two ticks: what it has deleted was below the floor or `from` before
 * it. */
static void deletion_hook(struct scene *scene, struct task *task)
{
    static struct standing before, now;
    (void)task;
    if (scene->arch == ARCH_LAMBDA && scene->tick % 10 == 5 && scene->appended[0] > 60) {
        char id[16];
        struct pos pos;
        scene_pos(scene, 0, &pos);
        snprintf(id, sizeof id, "id%d", scene->tick);
        if (pos.next > pos.boundary && pos.cut_count > 2)
            scene_publish(scene, 0, pos.cuts[pos.cut_count - 2], id);
        pos_release(&pos);
    }
    look(scene, &now);
    for (int i = 0; scene->tick > 1 && i < before.count; i++) {
        int64_t part = before.cell[i].part, window_ms = before.cell[i].window_ms;
        if (stands(&now, part, window_ms))
            continue;
        scene->number++;
        bool below =
            window_ms < before.floor_ms || (scene->arch == ARCH_LAMBDA && part < before.from);
        cr_expect(below,
                  "part %lld window %lld was deleted by the commit that raised floor %lld to %lld, "
                  "from %lld to %lld",
                  (long long)part, (long long)window_ms, (long long)before.floor_ms,
                  (long long)now.floor_ms, (long long)before.from, (long long)now.from);
    }
    before = now;
}

Test(job_commit, deletion_is_never_in_the_commit_that_raises_floor_or_from)
{
    for (int i = 0; i < 2; i++) {
        struct scene scene;
        scene_open(&scene, ARCHS[i], 1, SCENE_PLAN(SCENE_KEEP));
        scene.hook = deletion_hook;
        scene.pace = 7;
        cr_assert_eq(scene_run(&scene, 600), 0, "%s", scene.err.text);
        cr_expect_gt(scene.number, 10, "%lld were deleted", (long long)scene.number);
        scene_check(&scene, 600, "deleted");
        scene_close(&scene);
    }
}

Test(job_commit, below_the_floor_nothing_stands_in_the_end)
{
    struct scene scene;
    static struct standing standing;
    scene_open(&scene, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_KEEP));
    cr_assert_eq(scene_run(&scene, 600), 0, "%s", scene.err.text);
    look(&scene, &standing);
    for (int i = 0; i < standing.count; i++)
        cr_expect_geq(standing.cell[i].window_ms, standing.floor_ms);
    for (int w = 0; w < SCENE_WINDOWS; w++) {
        int64_t window_ms = SCENE_BEGIN_MS + w * INT64_C(1000);
        cr_expect(window_ms >= standing.floor_ms || !cells_stand(&scene, 0, window_ms),
                  "window %lld", (long long)window_ms);
    }
    scene_close(&scene);
}
