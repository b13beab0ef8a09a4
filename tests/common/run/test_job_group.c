/* tests/common/run/test_job_group.c - a job as a member of a group: what it takes, keeps, drops and
 * takes again while a test deals the partitions.
 *
 * The program's Kafka is made up here: an embedded log under kafka:DIR whose reader delivers what the
 * test has dealt, and asserts that nothing else is sought, read or noted. */
#include "tests/common/run/scene.h"

enum { SESSION_MS = 40, GOAL = 300, END_TICK = 150 };

static const struct log_group MEMBER = {.name = "g", .shared = true, .session_ms = SESSION_MS};
static const struct log_group NOTING = {.name = "lk.v.k1"};

/* ---- the made-up Kafka ---- */

static struct {
    bool owned[SCENE_PARTITIONS], sought[SCENE_PARTITIONS], changed;
    int64_t noted[SCENE_PARTITIONS];
    char group[40];
    int away;       /* so many calls of range fail */
    int marker;     /* so many offsets without records stand behind the last one */
    int64_t passed; /* retention passes below it as soon as a record is looked up */
    struct log *log;
} kafka;

static void deal(int partition, bool owned)
{
    kafka.owned[partition] = owned;
    kafka.sought[partition] = false;
    kafka.changed = true;
}

struct fake_reader {
    void *inner;
    int count;
    bool shared, paused[SCENE_PARTITIONS];
    int64_t at[SCENE_PARTITIONS];
};

static int fake_range(void *handle, const char *topic, int partition, int64_t *first, int64_t *end,
                      struct err *err)
{
    if (kafka.away > 0) {
        kafka.away--;
        return err_set(err, ERR_AWAY, "the broker is away");
    }
    int rc = log_embedded_ops.range(handle, topic, partition, first, end, err);
    *end += kafka.marker;
    return rc;
}

static int fake_reader_open(void *handle, const char *topic, const int *partitions, int n,
                            void **reader, struct err *err)
{
    struct fake_reader *fake = mem_zero(1, sizeof *fake);
    *reader = fake;
    fake->count = n;
    return log_embedded_ops.reader_open(handle, topic, partitions, n, &fake->inner, err);
}

static void fake_reader_close(void *reader)
{
    log_embedded_ops.reader_close(((struct fake_reader *)reader)->inner);
    free(reader);
}

static int fake_seek(void *reader, int partition, int64_t position, struct err *err)
{
    struct fake_reader *fake = reader;
    cr_assert(!fake->shared || kafka.owned[partition], "%d is sought, not dealt", partition);
    if (fake->shared)
        kafka.sought[partition] = true;
    fake->at[partition] = position;
    return log_embedded_ops.seek(fake->inner, partition, position, err);
}

static void fake_pause(void *reader, int partition, bool paused)
{
    struct fake_reader *fake = reader;
    fake->paused[partition] = paused;
    log_embedded_ops.pause(fake->inner, partition, paused);
}

/* Behind the last record a position moves by `marker` without a record. */
static int fake_marker(struct fake_reader *fake, struct log_batch *out)
{
    for (int p = 0; kafka.marker && p < SCENE_PARTITIONS; p++)
        if (fake->at[p] == GOAL && !fake->paused[p]) {
            *out = (struct log_batch){.partition = p, .next = GOAL + kafka.marker};
            fake->at[p] += kafka.marker;
            return 0;
        }
    *out = (struct log_batch){.partition = -1};
    return 0;
}

static int fake_read(void *reader, int max, int wait_ms, struct log_batch *out, struct err *err)
{
    struct fake_reader *fake = reader;
    for (int p = 0; fake->shared && p < fake->count; p++)
        log_embedded_ops.pause(fake->inner, p,
                               fake->paused[p] || !kafka.owned[p] || !kafka.sought[p]);
    int rc = log_embedded_ops.read(fake->inner, max, wait_ms, out, err);
    if (rc > 0)
        fake->at[out->partition] = out->next;
    return rc == 0 ? fake_marker(fake, out) : rc;
}

static int fake_get(void *reader, int partition, int64_t offset, struct log_batch *out,
                    struct err *err)
{
    if (kafka.passed)
        cr_assert_eq(log_trim(kafka.log, SCENE_TOPIC, partition, kafka.passed, err), 0);
    return log_embedded_ops.get(((struct fake_reader *)reader)->inner, partition, offset, out, err);
}

static int fake_join(void *reader, const struct log_group *group, struct err *err)
{
    (void)err;
    ((struct fake_reader *)reader)->shared = group->shared;
    snprintf(kafka.group, sizeof kafka.group, "%s", group->name);
    return 0;
}

static int fake_owned(void *reader, bool *owned, struct err *err)
{
    (void)err;
    bool changed = kafka.changed;
    kafka.changed = false;
    for (int p = 0; changed && p < ((struct fake_reader *)reader)->count; p++)
        owned[p] = kafka.owned[p];
    return changed;
}

static void fake_note(void *reader, int partition, int64_t position)
{
    cr_assert(!((struct fake_reader *)reader)->shared || kafka.owned[partition]);
    kafka.noted[partition] = position;
}

static int fake_open(const char *where, bool create, void **handle, struct err *err)
{
    return log_embedded_ops.open(where, create, handle, err);
}

static void fake_close(void *handle)
{
    log_embedded_ops.close(handle);
}

static int fake_partitions(void *handle, const char *topic, struct err *err)
{
    return log_embedded_ops.partitions(handle, topic, err);
}

static int64_t fake_append(void *handle, const char *topic, int partition,
                           const struct log_record *records, int n, struct err *err)
{
    return log_embedded_ops.append(handle, topic, partition, records, n, err);
}

static int fake_trim(void *handle, const char *topic, int partition, int64_t before,
                     struct err *err)
{
    return log_embedded_ops.trim(handle, topic, partition, before, err);
}

const struct log_ops log_kafka_ops = {.scheme = "kafka",
                                      .open = fake_open,
                                      .close = fake_close,
                                      .partitions = fake_partitions,
                                      .append = fake_append,
                                      .range = fake_range,
                                      .trim = fake_trim,
                                      .reader_open = fake_reader_open,
                                      .reader_close = fake_reader_close,
                                      .seek = fake_seek,
                                      .pause = fake_pause,
                                      .read = fake_read,
                                      .get = fake_get,
                                      .join = fake_join,
                                      .owned = fake_owned,
                                      .note = fake_note};

/* ---- a member's life ---- */

static void open_with(struct scene *scene, enum arch arch, int partitions, const char *plan)
{
    char uri[64];
    struct err err = {0};
    memset(&kafka, 0, sizeof kafka);
    scene_open(scene, arch, partitions, plan);
    log_close(scene->log);
    snprintf(uri, sizeof uri, "kafka:%s/log", scene->dir);
    cr_assert_eq(log_open(uri, false, &scene->log, &err), 0, "%s", err.text);
}

static void open_member(struct scene *scene, enum arch arch, int partitions)
{
    open_with(scene, arch, partitions, SCENE_PLAN(SCENE_DEDUPE));
    scene->group = &MEMBER;
}

/* Run a member until the hook asks it to stop, as it must before END_TICK. */
static void run_member(struct scene *scene, const char *about)
{
    int rc = scene_run(scene, GOAL);
    stop_ask(false);
    cr_assert_eq(rc, ERR_INTERRUPTED, "%s: %s", about, scene->err.text);
}

static void ends(struct scene *scene)
{
    if (scene->tick == END_TICK)
        stop_ask(true);
}

/* Another worker takes a partition and folds it to its end. */
static void other_worker(struct scene *scene, int partition)
{
    struct err err = {0};
    struct job *job;
    int64_t until = scene->appended[partition];
    struct task task = {.plan = scene->plan,
                        .rules = {.lateness = true},
                        .log = scene->log,
                        .topic = SCENE_TOPIC,
                        .partitions = &partition,
                        .count = 1,
                        .until = &until,
                        .wait_ms = 1};
    cr_assert_eq(job_open(scene->plan, &scene->options, &job, &err), 0, "%s", err.text);
    cr_assert_eq(task_run(&task, &job_sink, job, &err), 0, "%s", err.text);
    job_close(job);
}

static void put_token(struct scene *scene, int partition)
{
    scene_write_pos(scene, partition, "owner", "ffffffffffffffffffffffffffffffff");
}

static int64_t next_of(struct scene *scene, int partition)
{
    struct pos pos;
    scene_pos(scene, partition, &pos);
    int64_t next = pos.next;
    pos_release(&pos);
    return next;
}

static bool owned_by_token(struct scene *scene, int partition)
{
    struct pos pos;
    scene_pos(scene, partition, &pos);
    bool theirs = pos.owner[0] == 'f' && pos.owner[31] == 'f';
    pos_release(&pos);
    return theirs;
}

/* ---- dealt ---- */

static void one_by_one_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick == 10)
        cr_expect_eq(next_of(scene, 0), 0, "folded what it was not dealt");
    if (scene->tick % 10 == 0 && scene->tick <= 30)
        deal(scene->tick / 10 - 1, true);
    ends(scene);
}

Test(job_group, a_member_folds_what_it_is_dealt_and_waits_while_that_is_nothing)
{
    for (int arch = 0; arch < 2; arch++) {
        struct scene scene;
        open_member(&scene, arch ? ARCH_LAMBDA : ARCH_KAPPA, 3);
        scene.hook = one_by_one_hook;
        run_member(&scene, "dealt");
        cr_expect_eq(scene.stats.hand_overs, 3);
        cr_expect_eq(scene.stats.lost, 0);
        cr_expect_str_eq(kafka.group, "g");
        scene_check(&scene, GOAL, "dealt");
        scene_close(&scene);
    }
}

static void dealt_early_hook(struct scene *scene, struct task *task)
{
    (void)task;
    if (scene->tick == 1)
        for (int p = 0; p < scene->partitions; p++)
            deal(p, true);
    ends(scene);
}

Test(job_group, a_partition_newly_dealt_is_taken_whoever_owned_it)
{
    struct scene scene;
    open_member(&scene, ARCH_KAPPA, 2);
    scene_append(&scene, 0, 100);
    other_worker(&scene, 0);
    put_token(&scene, 0);
    scene.hook = dealt_early_hook;
    run_member(&scene, "newly dealt");
    cr_expect_eq(scene.stats.lost, 0, "it asked whose it was");
    scene_check(&scene, GOAL, "newly dealt");
    scene_close(&scene);
}

/* Dealt away at 8, folded on by another, dealt back at 10. number: what was folded at 8. */
static void there_and_back_hook(struct scene *scene, struct task *task)
{
    dealt_early_hook(scene, task);
    scene->pace = scene->tick < 12 ? 2 : 20; /* all in one window, there and back */
    if (scene->tick == 8) {
        scene->number = task->folds[1].next;
        deal(1, false);
    }
    if (scene->tick == 9) {
        scene->flag = next_of(scene, 1) == scene->number;
        other_worker(scene, 1);
    }
    if (scene->tick == 10)
        deal(1, true);
}

Test(job_group, a_partition_dealt_away_is_committed_forgotten_and_read_anew_when_it_comes_back)
{
    for (int arch = 0; arch < 2; arch++) {
        struct scene scene;
        open_member(&scene, arch ? ARCH_LAMBDA : ARCH_KAPPA, 2);
        scene.options.commit_ms = 1000; /* something is dirty at 8 */
        scene.hook = there_and_back_hook;
        run_member(&scene, "there and back");
        cr_expect(scene.flag, "what was folded was not committed");
        cr_expect_eq(scene.stats.hand_overs, 3);
        cr_expect_eq(scene.stats.lost, 0);
        scene_check(&scene, GOAL, "there and back");
        scene_close(&scene);
    }
}

/* The new owner is quicker than we are told. */
static void told_late_hook(struct scene *scene, struct task *task)
{
    dealt_early_hook(scene, task);
    if (scene->tick == 8) {
        other_worker(scene, 1);
        put_token(scene, 1);
        deal(1, false);
    }
    if (scene->tick == END_TICK - 1) {
        scene->flag = owned_by_token(scene, 1);
        other_worker(scene, 1);
    }
}

Test(job_group, a_member_told_late_writes_nothing_more_and_the_others_go_on)
{
    for (int commit_ms = 1; commit_ms <= 8; commit_ms++) {
        struct scene scene;
        open_member(&scene, ARCH_KAPPA, 2);
        scene.options.commit_ms = commit_ms;
        scene.hook = told_late_hook;
        run_member(&scene, "told late");
        cr_expect(scene.flag, "taken though it was dealt away");
        scene_check(&scene, GOAL, "told late");
        scene_close(&scene);
    }
}

/* ---- taken again ---- */

/* At 8 the connection is lost while another takes partition 1, which stays dealt to us. number: the
 * tick at which it was ours again. */
static void taken_meanwhile_hook(struct scene *scene, struct task *task)
{
    dealt_early_hook(scene, task);
    if (scene->tick == 8) {
        put_token(scene, 1);
        memory_break(SCENE_NAME, true);
    }
    if (scene->tick > 12 && !scene->number && !owned_by_token(scene, 1))
        scene->number = scene->tick;
}

static void expect_pause(const struct scene *scene)
{
    cr_expect(scene->number >= 8 + SESSION_MS && scene->number <= 8 + SESSION_MS + 4,
              "taken again at tick %lld", (long long)scene->number);
    cr_expect_eq(scene->stats.lost, 1);
}

Test(job_group, what_another_took_during_a_reconnect_is_its_own_for_a_session_and_then_taken_again)
{
    struct scene scene;
    open_member(&scene, ARCH_KAPPA, 3);
    scene.hook = taken_meanwhile_hook;
    run_member(&scene, "reconnected");
    expect_pause(&scene);
    scene_check(&scene, GOAL, "reconnected");
    scene_close(&scene);
}

static void stolen_hook(struct scene *scene, struct task *task)
{
    dealt_early_hook(scene, task);
    if (scene->tick == 8)
        put_token(scene, 1);
    if (scene->tick > 8 && !scene->number && !owned_by_token(scene, 1))
        scene->number = scene->tick;
}

Test(job_group, a_partition_still_dealt_to_us_is_never_given_up)
{
    struct scene scene;
    open_member(&scene, ARCH_LAMBDA, 2);
    scene.hook = stolen_hook;
    run_member(&scene, "stolen");
    expect_pause(&scene);
    scene_check(&scene, GOAL, "stolen");
    scene_close(&scene);
}

/* Stolen, and dealt away during the pause: it is the other's. */
static void stolen_and_dealt_away_hook(struct scene *scene, struct task *task)
{
    stolen_hook(scene, task);
    if (scene->tick == 20)
        deal(1, false);
    if (scene->tick != END_TICK - 1)
        return;
    scene->flag = owned_by_token(scene, 1);
    other_worker(scene, 1);
}

Test(job_group, a_pause_ends_where_the_partition_is_dealt_to_another)
{
    struct scene scene;
    open_member(&scene, ARCH_KAPPA, 2);
    scene.hook = stolen_and_dealt_away_hook;
    run_member(&scene, "away");
    cr_expect(scene.flag, "taken at tick %lld", (long long)scene.number);
    scene_check(&scene, GOAL, "away");
    scene_close(&scene);
}

static void flush_hook(struct scene *scene, struct task *task)
{
    dealt_early_hook(scene, task);
    if (scene->tick == 8)
        scene_flush(scene);
    if (scene->tick == 20)
        scene->flag = next_of(scene, 0) > 0 && next_of(scene, 1) > 0;
}

Test(job_group, what_is_nobody_s_any_more_is_taken_again_at_once)
{
    struct scene scene;
    open_member(&scene, ARCH_KAPPA, 2);
    scene.hook = flush_hook;
    run_member(&scene, "flushed");
    cr_expect(scene.flag);
    cr_expect_eq(scene.stats.lost, 0);
    scene_check(&scene, GOAL, "flushed");
    scene_close(&scene);
}

struct breaks {
    int sends, at;
    bool landed;
};

static struct breaks breaks;

static void break_again(void *context)
{
    struct breaks *now = context;
    if (++now->sends % now->at == 0 && now->sends <= 3 * now->at)
        memory_break(SCENE_NAME, now->landed);
}

static void breaks_hook(struct scene *scene, struct task *task)
{
    dealt_early_hook(scene, task);
    if (scene->tick != 8)
        return;
    memory_break(SCENE_NAME, true);
    memory_meddle(SCENE_NAME, break_again, &breaks);
}

Test(job_group, its_own_tokens_are_known_also_where_a_take_was_never_answered)
{
    for (int at = 2; at <= 24; at++) {
        struct scene scene;
        breaks = (struct breaks){.at = at / 2 + 1, .landed = at % 2};
        open_member(&scene, at % 3 ? ARCH_LAMBDA : ARCH_KAPPA, 3);
        scene.hook = breaks_hook;
        run_member(&scene, "unanswered");
        memory_meddle(SCENE_NAME, NULL, NULL);
        cr_expect_eq(scene.stats.lost, 0, "%d: it took itself for another", at);
        scene_check(&scene, GOAL, "unanswered");
        scene_close(&scene);
    }
}

/* ---- the log's losses ---- */

static void away_hook(struct scene *scene, struct task *task)
{
    dealt_early_hook(scene, task);
    if (scene->tick != 8)
        return;
    memory_break(SCENE_NAME, true);
    kafka.away = (int)scene->number;
}

Test(job_group, a_broker_that_is_away_during_a_take_is_waited_for)
{
    for (int calls = 1; calls <= 5; calls++) {
        struct scene scene;
        open_member(&scene, calls % 2 ? ARCH_LAMBDA : ARCH_KAPPA, 2);
        scene.hook = away_hook;
        scene.number = calls;
        run_member(&scene, "away");
        cr_expect_eq(kafka.away, 0);
        scene_check(&scene, GOAL, "away");
        scene_close(&scene);
    }
}

Test(job_group, a_broker_that_stays_away_is_named_when_patience_ends)
{
    struct scene scene;
    open_member(&scene, ARCH_KAPPA, 1);
    scene.group = &NOTING;
    scene.options.patience_ms = -1;
    kafka.away = 1000000;
    cr_expect_eq(scene_run(&scene, GOAL), ERR_AWAY);
    cr_expect_str_eq(scene.err.text, "the broker is away");
    scene_close(&scene);
}

Test(job_group, an_end_behind_offsets_that_have_no_records_is_reached)
{
    struct scene scene;
    struct worker_result result;
    open_member(&scene, ARCH_KAPPA, 2);
    scene_append(&scene, 0, GOAL);
    scene_append(&scene, 1, GOAL);
    kafka.marker = 2;
    struct worker_options options = {.plan = scene.plan,
                                     .log_uri = log_uri(scene.log),
                                     .topic = SCENE_TOPIC,
                                     .workers = 1,
                                     .until_end = true,
                                     .job = scene.options};
    clock_free_run();
    cr_assert_eq(worker_run(&options, &result, &scene.err), 0, "%s", scene.err.text);
    cr_expect_eq(next_of(&scene, 0), GOAL + 2);
    cr_expect_eq(result.events, 2 * GOAL);
    cr_expect_str_eq(kafka.group, "lk.v.k1");
    cr_expect_eq(kafka.noted[0], GOAL + 2);
    cr_expect_eq(kafka.noted[1], GOAL + 2);
    scene_close(&scene);
}

Test(job_group, a_group_is_of_one_view_and_version)
{
    struct scene scene;
    struct worker_result result;
    open_member(&scene, ARCH_KAPPA, 1);
    scene_append(&scene, 0, GOAL);
    struct worker_options options = {.plan = scene.plan,
                                     .log_uri = log_uri(scene.log),
                                     .topic = SCENE_TOPIC,
                                     .workers = 1,
                                     .until_end = true,
                                     .group.name = "mine",
                                     .job = scene.options};
    clock_free_run();
    cr_assert_eq(worker_run(&options, &result, &scene.err), 0, "%s", scene.err.text);
    cr_expect_str_eq(kafka.group, "mine.v.k1");
    scene_close(&scene);
}

Test(job_group, retention_that_passes_the_tail_at_a_take_is_no_other_log)
{
    struct scene scene;
    open_with(&scene, ARCH_KAPPA, 1, SCENE_PLAN(SCENE_LATE));
    cr_assert_eq(scene_run(&scene, GOAL), 0, "%s", scene.err.text);
    kafka.log = scene.log;
    kafka.passed = GOAL;
    cr_expect_eq(scene_run(&scene, GOAL), 0, "%s", scene.err.text);
    scene_close(&scene);
}

/* ---- positions are noted ---- */

static void noted_hook(struct scene *scene, struct task *task)
{
    dealt_early_hook(scene, task);
    for (int p = 0; p < scene->partitions; p++)
        cr_expect_leq(kafka.noted[p], next_of(scene, p), "noted before it was committed");
}

Test(job_group, what_is_committed_is_noted_and_nothing_else)
{
    struct scene scene;
    open_member(&scene, ARCH_KAPPA, 3);
    scene.hook = noted_hook;
    run_member(&scene, "noted");
    for (int p = 0; p < 3; p++)
        cr_expect_eq(kafka.noted[p], GOAL);
    scene_close(&scene);
}

/* ---- what a group goes without ---- */

Test(job_group, until_end_and_partitions_are_refused)
{
    struct scene scene;
    struct worker_result result;
    open_member(&scene, ARCH_KAPPA, 2);
    struct worker_options options = {.plan = scene.plan,
                                     .log_uri = log_uri(scene.log),
                                     .topic = SCENE_TOPIC,
                                     .until_end = true,
                                     .group = MEMBER,
                                     .job = scene.options};
    cr_expect_eq(worker_run(&options, &result, &scene.err), ERR_USAGE);
    cr_expect(strstr(scene.err.text, "--until-end"), "%s", scene.err.text);
    scene.err = (struct err){0};
    options.until_end = false;
    options.partitions = (int[]){0};
    options.count = 1;
    cr_expect_eq(worker_run(&options, &result, &scene.err), ERR_USAGE);
    cr_expect(strstr(scene.err.text, "--partitions"), "%s", scene.err.text);
    scene_close(&scene);
}

Test(job_group, a_log_without_groups_says_so)
{
    struct scene scene;
    struct worker_result result;
    char uri[64];
    scene_open(&scene, ARCH_KAPPA, 2, SCENE_PLAN(SCENE_LATE));
    snprintf(uri, sizeof uri, "embedded:%s/log", scene.dir);
    struct worker_options options = {.plan = scene.plan,
                                     .log_uri = uri,
                                     .topic = SCENE_TOPIC,
                                     .group = MEMBER,
                                     .job = scene.options};
    cr_expect_eq(worker_run(&options, &result, &scene.err), ERR_USAGE);
    cr_expect(strstr(scene.err.text, "needs Kafka"), "%s", scene.err.text);
    scene_close(&scene);
}
