/* tests/kappa/test_start.c - a version that begins behind the log's beginning says of every window that it
 * serves what a version from the beginning says, and serves no other; and what two plans make of the
 * log up to the same positions. */
#include "kappa/start.h"

#include "common/log/archive.h"
#include "kappa/version.h"
#include "tests/common/run/scene.h"

enum { FIRST = 300, SECOND = 400 };

static int run_from(struct scene *scene, const char *json, const char *from, struct err *err)
{
    struct plan *plan = scene_plan(json);
    struct worker_result result;
    struct worker_options options = {.plan = plan,
                                     .log_uri = log_uri(scene->log),
                                     .topic = SCENE_TOPIC,
                                     .workers = 2,
                                     .until_end = true,
                                     .from = from,
                                     .job = scene->options};
    int rc = kappa_run(&options, true, &result, err);
    rc = rc < 0 ? rc : options.job.version;
    plan_free(plan);
    return rc;
}

static void open_scene(struct scene *scene, uint64_t seed, const char *plan)
{
    struct err err = {0};
    scene_open(scene, ARCH_KAPPA, 2, plan);
    scene->seed = seed;
    clock_free_run();
    scene_append(scene, 0, FIRST);
    scene_append(scene, 1, SECOND);
    cr_assert_eq(run_from(scene, plan, NULL, &err), 1, "%s", err.text);
}

static void read_version(struct scene *scene, int version, struct answer *out)
{
    struct view_query query = {.exact = true, .version = version};
    struct err err = {0};
    cr_assert_eq(view_read(scene->kv, "v", ARCH_KAPPA, &query, out, &err), 0, "%s", err.text);
}

/* Rows of version 1 above the floor of the other that it does not have so. */
static size_t wrong_rows(struct scene *scene, int version, size_t *rows)
{
    struct answer whole = {0}, part = {0};
    read_version(scene, 1, &whole);
    read_version(scene, version, &part);
    int64_t floor_ms = answer_floor(&part);
    size_t kept = 0;
    for (size_t i = 0; i < whole.count; i++)
        if (whole.rows[i].window_ms >= floor_ms)
            whole.rows[kept++] = whole.rows[i];
    whole.count = kept;
    *rows = part.count;
    size_t wrong = answer_diff(&whole, &part, NULL, NULL);
    answer_release(&whole);
    answer_release(&part);
    return wrong;
}

#define HOPPING                                                                                    \
    "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},\"fields\":{"        \
    "\"k\":\"string\",\"id\":\"int\",\"x\":\"int\"}},\"key\":[\"k\"],"                             \
    "\"window\":{\"hopping\":[\"3s\",\"1s\"]},\"values\":{\"n\":\"count\"}"                        \
    ",\"allowed_lateness\":\"1s\""

/* Two plans that say the same; keep is in the hash of a plan alone. */
static const struct {
    const char *plan, *same;
} PLANS[] = {
    {SCENE_PLAN(SCENE_LATE), SCENE_PLAN(SCENE_LATE ",\"keep\":\"900d\"")},
    {SCENE_PLAN(SCENE_DEDUPE), SCENE_PLAN(SCENE_DEDUPE ",\"keep\":\"900d\"")},
    {HOPPING "}", HOPPING ",\"keep\":\"900d\"}"},
};

Test(start, a_version_from_positions_says_what_one_from_the_beginning_says)
{
    size_t served = 0;
    for (uint64_t seed = 1; seed <= 25; seed++)
        for (size_t i = 0; i < sizeof PLANS / sizeof *PLANS; i++) {
            struct scene scene;
            struct err err = {0};
            char from[40];
            size_t rows;
            open_scene(&scene, seed, PLANS[i].plan);
            snprintf(from, sizeof from, "0=%d,1=%d", (int)(seed * 37 % FIRST),
                     (int)(seed * 71 % SECOND));
            cr_assert_eq(run_from(&scene, PLANS[i].same, from, &err), 2, "%s", err.text);
            cr_expect_eq(wrong_rows(&scene, 2, &rows), 0, "seed %lu, plan %zu, from %s",
                         (unsigned long)seed, i, from);
            served += rows;
            scene_close(&scene);
        }
    cr_expect_gt(served, 500);
}

/* The same with a floor that a second of event time below T allows: the check can fail. */
Test(start, a_floor_that_is_too_low_is_seen)
{
    size_t wrong = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct scene scene;
        size_t rows;
        struct plan *same = scene_plan(PLANS[0].same);
        struct registry_start start;
        open_scene(&scene, seed, PLANS[0].plan);
        cr_assert_eq(start_find("0=150,1=150", same, scene.log, SCENE_TOPIC, 2, &start, NULL), 0);
        start.floor_ms -= 1000;
        cr_assert_eq(registry_add_at(scene.kv, same, ARCH_KAPPA, 2, start, NULL), 2);
        cr_assert_eq(run_from(&scene, PLANS[0].same, NULL, NULL), 2);
        wrong += wrong_rows(&scene, 2, &rows);
        free(start.next);
        plan_free(same);
        scene_close(&scene);
    }
    cr_expect_gt(wrong, 0);
}

Test(start, a_version_keeps_its_beginning_when_redis_has_lost_everything)
{
    struct scene scene;
    struct err err = {0};
    struct registry registry;
    size_t rows;
    open_scene(&scene, 1, PLANS[0].plan);
    cr_assert_eq(run_from(&scene, PLANS[0].same, "0=100,1=150", NULL), 2);
    cr_assert_eq(registry_read(scene.kv, "v", ARCH_KAPPA, &registry, NULL), 0);
    const struct registry_start *start = &registry.versions[1].start;
    cr_assert(start->count == 2 && start->next[0] == 100 && start->next[1] == 150);
    cr_expect_null(registry.versions[0].start.next);
    struct arena arena = {0};
    for (int p = 0; p < 2; p++) {
        struct kv_args gone = args_new(&arena, "UNLINK", key_pos(&arena, "v", "k2", p), NULL);
        scene_ask(&scene, &gone);
        for (int w = 0; w < SCENE_WINDOWS; w++) {
            char window[24];
            snprintf(window, sizeof window, "%d", SCENE_BEGIN_MS + w * 1000);
            struct kv_args cells =
                args_new(&arena, "UNLINK", key_cells(&arena, "v", "k2", p, "k", window), NULL);
            scene_ask(&scene, &cells);
        }
    }
    cr_assert_eq(run_from(&scene, PLANS[0].same, NULL, &err), 2, "%s", err.text);
    struct answer answer = {0};
    read_version(&scene, 2, &answer);
    cr_expect_eq(answer.parts[0].counters.skipped, 100);
    cr_expect_eq(answer_floor(&answer), start->floor_ms);
    cr_expect_eq(wrong_rows(&scene, 2, &rows), 0);
    answer_release(&answer);
    registry_release(&registry);
    arena_release(&arena);
    scene_close(&scene);
}

Test(start, the_floor_is_above_all_that_lies_below_and_by_log_time_where_the_plan_bounds_it)
{
    struct scene scene;
    struct registry_start start;
    int64_t T_ms = INT64_MIN;
    open_scene(&scene, 1, PLANS[0].plan);
    cr_assert_eq(start_find("0=200", scene.plan, scene.log, SCENE_TOPIC, 2, &start, NULL), 0);
    for (int64_t i = 0; i < 200; i++) {
        int64_t time_ms = scene_event(&scene, 0, i).time_ms;
        T_ms = time_ms > T_ms ? time_ms : T_ms;
    }
    cr_expect(start.next[0] == 200 && start.next[1] == 0);
    cr_expect_eq(start.floor_ms, T_ms + 1);
    free(start.next);
    struct plan *ahead =
        scene_plan("{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},"
                   "\"fields\":{\"k\":\"string\"},\"max_ahead\":\"1h\"},\"key\":[\"k\"],"
                   "\"window\":{\"tumbling\":\"1s\"},\"values\":{\"n\":\"count\"}}");
    struct log_reader *reader;
    struct log_batch batch;
    int both[] = {0, 1};
    cr_assert_eq(log_reader_open(scene.log, SCENE_TOPIC, both, 2, &reader, NULL), 0);
    cr_assert_eq(log_get(reader, 0, 199, &batch, NULL), 1);
    cr_assert_eq(start_find("0=200", ahead, scene.log, SCENE_TOPIC, 2, &start, NULL), 0);
    cr_expect_eq(start.floor_ms, batch.time_ms[0] + 3600000 + 1);
    free(start.next);
    log_reader_close(reader);
    plan_free(ahead);
    scene_close(&scene);
}

Test(start, text_that_names_no_position_is_refused)
{
    static const struct {
        const char *text, *said;
    } rows[] = {{"noon", "expected a log time"},
                {"0=5,2=1", "partitions 0 to 1"},
                {"0=5;1=1", "0=5000,1=4800"},
                {"0=301", "offsets 0 to 300, not 301"},
                {"0=-1", "0=5000,1=4800"}};
    struct scene scene;
    open_scene(&scene, 1, PLANS[0].plan);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t next[2];
        struct err err = {0};
        cr_expect_eq(start_positions(rows[i].text, scene.log, SCENE_TOPIC, 2, next, &err),
                     ERR_USAGE);
        cr_expect(strstr(err.text, rows[i].said), "%s: %s", rows[i].text, err.text);
    }
    int64_t next[2];
    cr_expect_eq(start_positions("end", scene.log, SCENE_TOPIC, 2, next, NULL), 0);
    cr_expect(next[0] == FIRST && next[1] == SECOND);
    cr_expect_eq(start_positions("2001-01-01T00:00:00Z", scene.log, SCENE_TOPIC, 2, next, NULL), 0);
    cr_expect(next[0] == 0 && next[1] == 0);
    scene_close(&scene);
}

Test(start, one_window_for_all_time_begins_at_the_beginning)
{
    struct scene scene;
    struct err err = {0};
    const char *all = "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},"
                      "\"fields\":{\"k\":\"string\"}},\"key\":[\"k\"],\"window\":\"none\","
                      "\"values\":{\"n\":\"count\"}}";
    open_scene(&scene, 1, PLANS[0].plan);
    cr_expect_eq(run_from(&scene, all, "0=5", &err), ERR_USAGE);
    cr_expect(strstr(err.text, "one window for all time"), "%s", err.text);
    cr_expect_eq(run_from(&scene, all, "0=0", NULL), 2);
    scene_close(&scene);
}

/* ---- diff at positions ---- */

static void count(const struct answer_row *live, const struct answer_row *target,
                  enum kappa_cause cause, void *context)
{
    cr_expect(live || target);
    ((size_t *)context)[cause]++;
}

static int compare_at(struct scene *scene, const char *json, const char *at,
                      struct kappa_diff *diff, size_t *causes, struct err *err)
{
    struct plan *plan = scene_plan(json);
    int rc = kappa_compare_at(plan, SCENE_URI, log_uri(scene->log), SCENE_TOPIC, at, count, causes,
                              diff, err);
    plan_free(plan);
    return rc;
}

Test(start, plans_are_compared_at_positions_whether_they_are_versions_or_not)
{
    struct scene scene;
    struct kappa_diff diff;
    struct err err = {0};
    size_t causes[CAUSES] = {0};
    open_scene(&scene, 1, PLANS[0].plan);
    cr_assert_eq(compare_at(&scene, PLANS[0].same, "0=200,1=250", &diff, causes, &err), 0, "%s",
                 err.text);
    cr_expect(diff.differing == 0 && diff.rows > 20 && diff.not_final == 0 && diff.target == 0);
    cr_assert_eq(
        compare_at(&scene, SCENE_PLAN(",\"allowed_lateness\":\"3s\""), "end", &diff, causes, NULL),
        0);
    cr_expect(diff.differing > 0 && diff.cause == CAUSE_LATE);
    cr_expect_eq(causes[CAUSE_LATE], diff.differing);
    memset(causes, 0, sizeof causes);
    cr_assert_eq(compare_at(&scene,
                            SCENE_PLAN(",\"allowed_lateness\":\"3s\",\"where\":[\"x\",\"<\",450]"),
                            "end", &diff, causes, NULL),
                 0);
    cr_expect(causes[CAUSE_LATE] > 0 && causes[CAUSE_RULE] > 0, "each by itself: %zu, %zu",
              causes[CAUSE_LATE], causes[CAUSE_RULE]);
    cr_expect_eq(causes[CAUSE_LATE] + causes[CAUSE_RULE], diff.differing);
    cr_expect_eq(memcmp(causes, diff.causes, sizeof causes), 0);
    scene_close(&scene);
}

Test(start, versions_that_begin_elsewhere_are_compared_above_both_floors)
{
    struct scene scene;
    struct kappa_diff diff, whole;
    struct err err = {0};
    size_t causes[CAUSES] = {0};
    open_scene(&scene, 1, PLANS[0].plan);
    cr_assert_eq(compare_at(&scene, PLANS[0].same, "end", &whole, causes, NULL), 0);
    cr_assert_eq(run_from(&scene, PLANS[0].same, "0=150,1=250", NULL), 2);
    cr_assert_eq(compare_at(&scene, PLANS[0].same, "end", &diff, causes, NULL), 0);
    cr_expect(diff.target == 2 && diff.differing == 0);
    cr_expect(diff.rows > 0 && diff.rows < whole.rows);
    cr_expect_eq(compare_at(&scene, PLANS[0].same, "0=149,1=260", &diff, causes, &err), ERR_USAGE);
    cr_expect(strstr(err.text, "begins at offset 150 of partition 0"), "%s", err.text);
    scene_close(&scene);
}

/* Kafka's producers stamp records, so log times may fall; the archive keeps them as they are. */
Test(start, log_times_that_fall_in_an_archive_do_not_lower_the_floor)
{
    char directory[] = "/tmp/lk-test-start.XXXXXX";
    struct err err = {0};
    struct archive_writer *writer;
    struct log *log;
    struct registry_start start = {0};
    struct buf uri = {0}, remove = {0};
    int64_t offsets[] = {0, 1, 2}, times[] = {50000, 1000, 2000}, due[] = {0, 0, 0};
    struct bytes keys[3] = {{0}}, values[3];
    for (int i = 0; i < 3; i++)
        values[i] = bytes_of(i ? "{\"t\":1000,\"k\":\"a\"}" : "{\"t\":50000,\"k\":\"a\"}");
    struct log_batch batch = {0, 3, offsets, times, due, keys, values, 3};
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(archive_open(directory, "t", 1, &writer, &err), 0, "%s", err.text);
    cr_assert_eq(archive_add(writer, &batch, &err), 0, "%s", err.text);
    cr_assert_geq(archive_roll(writer, 0, &err), 0, "%s", err.text);
    archive_close(writer);
    buf_printf(&uri, "archive:%s", directory);
    cr_assert_eq(log_open(uri.ptr, false, &log, &err), 0, "%s", err.text);
    struct plan *plan =
        scene_plan("{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},"
                   "\"max_ahead\":\"1s\",\"fields\":{\"k\":\"string\"}},\"key\":[\"k\"],"
                   "\"window\":{\"tumbling\":\"10s\"},\"values\":{\"n\":\"count\"}}");
    cr_assert_eq(start_find("0=2", plan, log, "t", 1, &start, &err), 0, "%s", err.text);
    cr_expect_gt(start.floor_ms, 50000, "an event at 50000 lies below: %lld",
                 (long long)start.floor_ms);
    free(start.next);
    plan_free(plan);
    log_close(log);
    buf_printf(&remove, "rm -rf %s", directory);
    cr_assert_eq(system(remove.ptr), 0);
    buf_release(&remove);
    buf_release(&uri);
}
