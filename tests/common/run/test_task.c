/* tests/common/run/test_task.c - the loop alone, under a sink that does what a test's script says:
 * which records it folds, what a sink may do to it, and how it ends. */
#include "tests/common/run/scene.h"

/* What the sink does at begin, at each tick, at each end; and what it has seen. */
struct script {
    struct scene scene;
    struct task task;
    int64_t until[SCENE_PARTITIONS];
    int (*begin)(struct script *script, struct err *err);
    int (*tick)(struct script *script, struct err *err);
    int (*end)(struct script *script);
    int ticks, ends;
    int64_t next[SCENE_PARTITIONS], read[SCENE_PARTITIONS]; /* of the folds, at the last end */
    struct err err;
};

static int script_begin(void *state, struct task *task, struct err *err)
{
    struct script *script = state;
    for (int i = 0; i < task->count; i++)
        task->moved[i] = true;
    return script->begin ? script->begin(script, err) : 0;
}

static int script_tick(void *state, struct task *task, struct err *err)
{
    struct script *script = state;
    (void)task;
    script->ticks++;
    cr_assert_lt(script->ticks, 5000, "the task does not end");
    return script->tick ? script->tick(script, err) : 0;
}

static int script_end(void *state, struct task *task, struct err *err)
{
    struct script *script = state;
    (void)err;
    script->ends++;
    for (int i = 0; i < task->count; i++) {
        script->next[i] = task->folds[i].next;
        script->read[i] = task->folds[i].counters.read;
    }
    return script->end ? script->end(script) : 0;
}

/* Two partitions of 300 events, in blocks as the log makes them. */
static void script_open(struct script *script)
{
    static const int partitions[] = {0, 1, 2};
    memory_drop(SCENE_NAME);
    *script = (struct script){.until = {300, 300, 300}};
    scene_open(&script->scene, ARCH_KAPPA, 2, SCENE_PLAN(SCENE_DEDUPE));
    for (int p = 0; p < 2; p++)
        scene_append(&script->scene, p, 300);
    script->task = (struct task){.plan = script->scene.plan,
                                 .rules = {.lateness = true},
                                 .log = script->scene.log,
                                 .topic = SCENE_TOPIC,
                                 .partitions = partitions,
                                 .count = 2,
                                 .until = script->until,
                                 .wait_ms = 1};
}

static int script_run(struct script *script)
{
    static const struct task_sink sink = {script_begin, script_tick, script_end};
    return task_run(&script->task, &sink, script, &script->err);
}

static void script_close(struct script *script)
{
    stop_ask(false);
    scene_close(&script->scene);
}

Test(task, each_partition_is_folded_up_to_its_own_until_and_no_further)
{
    static const int64_t UNTIL[][2] = {{300, 300}, {300, 37}, {1, 299}, {0, 300}, {0, 0}};
    for (size_t i = 0; i < sizeof UNTIL / sizeof *UNTIL; i++) {
        struct script script;
        script_open(&script);
        memcpy(script.until, UNTIL[i], sizeof UNTIL[i]);
        cr_assert_eq(script_run(&script), 0, "%s", script.err.text);
        for (int p = 0; p < 2; p++) {
            cr_expect_eq(script.next[p], UNTIL[i][p]);
            cr_expect_eq(script.read[p], UNTIL[i][p]);
        }
        cr_expect_eq(script.task.events, UNTIL[i][0] + UNTIL[i][1]);
        cr_expect_eq(script.ends, 1);
        script_close(&script);
    }
}

Test(task, bytes_are_those_of_the_values_that_were_folded)
{
    struct script script;
    struct log_reader *reader;
    struct log_batch batch;
    int64_t bytes = 0;
    script_open(&script);
    script.until[1] = 0;
    script.until[0] = 37;
    cr_assert_eq(script_run(&script), 0);
    cr_assert_eq(log_reader_open(script.scene.log, SCENE_TOPIC, (int[]){0}, 1, &reader, NULL), 0);
    for (int64_t n = 0; n < 37; n++) {
        cr_assert_eq(log_get(reader, 0, n, &batch, NULL), 1);
        bytes += (int64_t)batch.value[0].len;
    }
    cr_expect_eq(script.task.bytes, bytes);
    log_reader_close(reader);
    script_close(&script);
}

static int move_back(struct script *script, struct err *err)
{
    (void)err;
    struct fold *fold = &script->task.folds[0];
    if (script->scene.flag || fold->next < 300)
        return 0;
    script->scene.flag = true;
    script->scene.number = fold->next;
    fold_clear(fold);
    fold->next = 100;
    fold->counters = (struct counters){0};
    script->task.moved[0] = true;
    return 0;
}

Test(task, a_fold_that_the_sink_has_moved_is_read_from_there)
{
    struct script script;
    script_open(&script);
    script.tick = move_back;
    cr_assert_eq(script_run(&script), 0, "%s", script.err.text);
    cr_expect(script.scene.flag);
    cr_expect_eq(script.read[0], 200);
    cr_expect_eq(script.next[0], 300);
    cr_expect_eq(script.task.events, 600 + script.scene.number - 100);
    script_close(&script);
}

static int pause_at_first(struct script *script, struct err *err)
{
    (void)err;
    script->task.paused[0] = true;
    return 0;
}

static int unpause_later(struct script *script, struct err *err)
{
    (void)err;
    if (script->ticks < 20)
        cr_expect_eq(script->task.folds[0].next, 0, "a paused partition was read");
    if (script->ticks == 20) {
        cr_expect_eq(script->task.folds[1].next, 300, "the other one was read meanwhile");
        script->task.paused[0] = false;
    }
    return 0;
}

Test(task, a_paused_partition_waits_and_then_goes_on)
{
    struct script script;
    script_open(&script);
    script.begin = pause_at_first;
    script.tick = unpause_later;
    cr_assert_eq(script_run(&script), 0);
    cr_expect(script.ticks >= 20 && script.read[0] == 300);
    script_close(&script);
}

static int lose_first(struct script *script, struct err *err)
{
    (void)err;
    script->task.lost[0] = true;
    return 0;
}

Test(task, a_lost_partition_is_never_read_and_not_waited_for)
{
    struct script script;
    script_open(&script);
    script.begin = lose_first;
    cr_assert_eq(script_run(&script), 0);
    cr_expect(script.read[0] == 0 && script.read[1] == 300);
    script_close(&script);
}

static int stop_at_third(struct script *script, struct err *err)
{
    (void)err;
    if (script->ticks == 3)
        stop_ask(true);
    return 0;
}

Test(task, a_stop_that_was_asked_ends_it_by_way_of_end)
{
    for (int bounded = 0; bounded < 2; bounded++) {
        struct script script;
        script_open(&script);
        script.until[0] = script.until[1] = 1000; /* what has not come yet */
        script.task.until = bounded ? script.until : NULL;
        script.tick = stop_at_third;
        cr_expect_eq(script_run(&script), ERR_INTERRUPTED);
        cr_expect(script.ends == 1 && script.ticks == 3);
        script_close(&script);
    }
}

static int fold_again_once(struct script *script)
{
    if (script->ends > 1)
        return 0;
    script->task.folds[1].next = 250;
    script->task.moved[1] = true;
    return 1;
}

Test(task, an_end_that_had_to_move_folds_back_goes_on)
{
    struct script script;
    script_open(&script);
    script.end = fold_again_once;
    cr_assert_eq(script_run(&script), 0);
    cr_expect(script.ends == 2 && script.next[1] == 300 && script.read[1] == 350);
    script_close(&script);
}

static int fail(struct script *script, struct err *err)
{
    (void)script;
    return err_set(err, ERR_LOST, "by the script");
}

Test(task, a_sink_that_fails_ends_it_at_once_with_its_code)
{
    for (int at_tick = 0; at_tick < 2; at_tick++) {
        struct script script;
        script_open(&script);
        if (at_tick)
            script.tick = fail;
        else
            script.begin = fail;
        cr_expect_eq(script_run(&script), ERR_LOST);
        cr_expect(script.ends == 0 && script.ticks == at_tick);
        cr_expect_str_eq(script.err.text, "by the script");
        script_close(&script);
    }
}

static int append_later(struct script *script, struct err *err)
{
    (void)err;
    if (script->ticks % 3 == 0 && script->scene.appended[0] < 400)
        scene_append(&script->scene, 0, 10);
    return 0;
}

Test(task, it_waits_for_what_has_not_come_yet)
{
    struct script script;
    script_open(&script);
    script.until[0] = 400;
    script.tick = append_later;
    cr_assert_eq(script_run(&script), 0);
    cr_expect_eq(script.read[0], 400);
    script_close(&script);
}

static int seek_past(struct script *script, struct err *err)
{
    (void)err;
    script->task.folds[0].next = 301;
    return 0;
}

Test(task, a_position_that_the_log_has_not_is_an_error)
{
    struct script script;
    script_open(&script);
    script.until[0] = 400;
    script.begin = seek_past;
    cr_expect_eq(script_run(&script), ERR_GONE, "%s", script.err.text);
    script_close(&script);
}

/* Rebuild partition 0's horizon state from its mark at each of some positions, and compare what
 * it then folds with what a fold that never stopped does. */
static int rebuild_and_compare(struct script *script, struct err *err)
{
    struct fold *fold = &script->task.folds[0];
    struct fold again;
    if (fold->next != 300)
        return 0;
    script->scene.flag = true;
    fold_init(&again, script->task.plan, script->task.rules, 0);
    int rc = task_rebuild(&script->task, &again, fold_mark(fold), fold->next, err);
    cr_expect(fold_mark(fold) > 0, "the mark moves on");
    cr_expect_eq(again.next, fold->next);
    cr_expect_eq(again.T_ms, fold->T_ms);
    cr_expect_eq(again.counters.read, 0, "nothing but T, marks and ids");
    cr_expect_eq(again.cells.count, 0);
    cr_expect_eq(fold_mark(&again), fold_mark(fold));
    fold_release(&again);
    return rc;
}

Test(task, horizon_state_is_rebuilt_from_the_mark)
{
    struct script script;
    script_open(&script);
    script.tick = rebuild_and_compare;
    cr_assert_eq(script_run(&script), 0, "%s", script.err.text);
    cr_expect(script.scene.flag);
    script_close(&script);
}
