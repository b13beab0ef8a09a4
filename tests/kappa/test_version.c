/* tests/kappa/test_version.c - the life of a version: run, deploy beside the live one, compare where
 * nothing can change any more, promote once it lags no longer, go back, retire. */
#include "kappa/version.h"

#include "tests/common/run/scene.h"

/* Another lateness, so other counts; and another keep, which changes nothing here but the hash. */
#define OTHER_PLAN SCENE_PLAN(",\"allowed_lateness\":\"4s\"")
#define SAME_PLAN SCENE_PLAN(SCENE_LATE ",\"keep\":\"1000d\"")

static int run(struct scene *scene, const char *json, bool may_add, struct err *err)
{
    struct plan *plan = scene_plan(json);
    struct worker_result result;
    struct worker_options options = {.plan = plan,
                                     .log_uri = log_uri(scene->log),
                                     .topic = SCENE_TOPIC,
                                     .workers = 2,
                                     .until_end = true,
                                     .job = scene->options};
    int rc = kappa_run(&options, may_add, &result, err);
    rc = rc < 0 ? rc : options.job.version;
    plan_free(plan);
    return rc;
}

/* A view whose version 1 holds 200 and 300 events of two partitions: T differs. */
enum { FIRST = 200, SECOND = 300 };

static void open_version_1(struct scene *scene)
{
    struct err err = {0};
    scene_open(scene, ARCH_KAPPA, 2, SCENE_PLAN(SCENE_LATE));
    clock_free_run();
    scene_append(scene, 0, FIRST);
    scene_append(scene, 1, SECOND);
    cr_assert_eq(run(scene, SCENE_PLAN(SCENE_LATE), false, &err), 1, "%s", err.text);
    scene_check(scene, -1, "version 1");
}

static int live_of(struct scene *scene)
{
    struct registry registry;
    cr_assert_eq(registry_read(scene->kv, "v", ARCH_KAPPA, &registry, NULL), 0);
    int live = registry.live;
    registry_release(&registry);
    return live;
}

Test(version, a_changed_plan_runs_only_where_it_is_deployed_and_beside_the_live_one)
{
    struct scene scene;
    struct err err = {0};
    open_version_1(&scene);
    cr_expect_eq(run(&scene, OTHER_PLAN, false, &err), ERR_USAGE);
    cr_expect(strstr(err.text, "lk kappa deploy"), "%s", err.text);
    cr_expect_eq(run(&scene, OTHER_PLAN, true, NULL), 2);
    cr_expect_eq(run(&scene, OTHER_PLAN, false, NULL), 2, "deployed, it is a version to be run");
    cr_expect_eq(run(&scene, SCENE_PLAN(SCENE_LATE), false, NULL), 1);
    cr_expect_eq(live_of(&scene), 1);
    scene_check(&scene, -1, "the live one is as it was");
    scene_close(&scene);
}

/* ---- compare ---- */

struct differences {
    size_t count, causes[CAUSES];
    int64_t last_ms;
};

static void differ(const struct answer_row *live, const struct answer_row *target,
                   enum kappa_cause cause, void *context)
{
    struct differences *differences = context;
    differences->causes[cause]++;
    int64_t window_ms = live ? live->window_ms : target->window_ms;
    differences->count++;
    if (window_ms > differences->last_ms)
        differences->last_ms = window_ms;
}

/* The smallest T of the partitions. */
static int64_t smallest_T(const struct scene *scene)
{
    int64_t smallest = INT64_MAX;
    for (int p = 0; p < scene->partitions; p++) {
        int64_t T_ms = INT64_MIN;
        for (int64_t i = 0; i < scene->appended[p]; i++) {
            int64_t time_ms = scene_event(scene, p, i).time_ms;
            T_ms = time_ms > T_ms ? time_ms : T_ms;
        }
        smallest = T_ms < smallest ? T_ms : smallest;
    }
    return smallest;
}

/* Rows that the loops have in windows with end + lateness <= T; all of them where lateness < 0. */
static size_t rows_final(struct scene *scene, int64_t lateness_ms, int64_t T_ms)
{
    struct answer got = {0}, want = {0};
    size_t count = 0;
    scene_read(scene, &got);
    scene_expect(scene, &got, &want);
    for (size_t i = 0; i < want.count; i++)
        count += lateness_ms < 0 || want.rows[i].window_ms + 1000 + lateness_ms <= T_ms;
    answer_release(&got);
    answer_release(&want);
    return count;
}

static int compare(const char *json, struct kappa_diff *diff, struct differences *differences,
                   struct err *err)
{
    struct plan *plan = scene_plan(json);
    int rc = kappa_compare(plan, SCENE_URI, 0, differ, differences, diff, err);
    plan_free(plan);
    return rc;
}

Test(version, two_versions_that_agree_are_compared_in_final_windows_alone)
{
    struct scene scene;
    struct kappa_diff diff;
    struct differences differences = {0};
    struct err err = {0};
    open_version_1(&scene);
    cr_assert_eq(run(&scene, SAME_PLAN, true, NULL), 2);
    cr_assert_eq(compare(SAME_PLAN, &diff, &differences, &err), 0, "%s", err.text);
    size_t final = rows_final(&scene, 1000, smallest_T(&scene));
    cr_expect(diff.live == 1 && diff.target == 2);
    cr_expect_eq(diff.rows, final);
    cr_expect_eq(diff.not_final, rows_final(&scene, -1, 0) - final);
    cr_expect_gt(diff.not_final, 0);
    cr_expect(diff.differing == 0 && differences.count == 0 && diff.cause == CAUSE_NONE);
    scene_close(&scene);
}

Test(version, versions_that_differ_are_told_row_by_row_and_only_where_final_in_both)
{
    struct scene scene;
    struct kappa_diff diff;
    struct differences differences = {0};
    struct err err = {0};
    open_version_1(&scene);
    cr_assert_eq(run(&scene, OTHER_PLAN, true, NULL), 2);
    cr_assert_eq(compare(OTHER_PLAN, &diff, &differences, &err), 0, "%s", err.text);
    cr_expect_gt(diff.differing, 0, "late events make a difference");
    cr_expect_eq(diff.differing, differences.count);
    cr_expect_eq(diff.cause, CAUSE_LATE);
    cr_expect_leq(differences.last_ms + 1000 + 4000, smallest_T(&scene));
    size_t final = rows_final(&scene, 4000, smallest_T(&scene)); /* of version 1 */
    cr_expect(diff.rows >= final && diff.rows <= final + diff.differing);
    scene_close(&scene);
}

/* Another rule; and nothing but a cell that somebody wrote into. */
Test(version, the_cause_of_differences_is_told)
{
    struct scene scene;
    struct kappa_diff diff;
    struct differences differences = {0};
    struct kv_reply *replies;
    open_version_1(&scene);
    cr_assert_eq(run(&scene, SCENE_PLAN(SCENE_LATE ",\"where\":[\"x\",\">\",0]"), true, NULL), 2);
    cr_assert_eq(run(&scene, SAME_PLAN, true, NULL), 3);
    cr_assert_eq(
        compare(SCENE_PLAN(SCENE_LATE ",\"where\":[\"x\",\">\",0]"), &diff, &differences, NULL), 0);
    cr_expect(diff.differing > 0 && diff.cause == CAUSE_RULE);
    struct arena arena = {0};
    char window[32];
    snprintf(window, sizeof window, "%d", SCENE_BEGIN_MS + 5000);
    kv_words(scene.kv, "HSET", key_cells(&arena, "v", "k3", 0, "k", window), "[\"k0\"]", "99,99",
             NULL);
    cr_assert_eq(kv_roundtrip(scene.kv, &replies, NULL), 1);
    cr_assert_eq(compare(SAME_PLAN, &diff, &differences, NULL), 0);
    cr_expect(diff.differing == 1 && diff.cause == CAUSE_UNEXPLAINED, "%zu, %s", diff.differing,
              KAPPA_CAUSES[diff.cause]);
    arena_release(&arena);
    scene_close(&scene);
}

Test(version, the_live_version_compared_with_itself_agrees)
{
    struct scene scene;
    struct kappa_diff diff;
    struct differences differences = {0};
    open_version_1(&scene);
    cr_assert_eq(compare(SCENE_PLAN(SCENE_LATE), &diff, &differences, NULL), 0);
    cr_expect(diff.live == 1 && diff.target == 1 && diff.differing == 0 && diff.rows > 0);
    scene_close(&scene);
}

/* ---- promote ---- */

static int promote_if(const char *json, bool accept_diff, int *number, struct err *err)
{
    struct plan *plan = scene_plan(json);
    int rc = kappa_promote(plan, SCENE_URI, 0, accept_diff, number, err);
    plan_free(plan);
    return rc;
}

static int promote(const char *json, int *number, struct err *err)
{
    return promote_if(json, true, number, err);
}

Test(version, a_version_that_lags_is_neither_promoted_nor_compared)
{
    struct scene scene;
    struct kappa_diff diff;
    struct differences differences = {0};
    struct err err = {0};
    int number;
    open_version_1(&scene);
    cr_assert_eq(run(&scene, OTHER_PLAN, true, NULL), 2);
    scene_append(&scene, 0, 30);
    scene_append(&scene, 1, 12);
    cr_assert_eq(run(&scene, SCENE_PLAN(SCENE_LATE), false, NULL), 1);
    cr_expect_eq(promote(OTHER_PLAN, &number, &err), ERR_CHECK);
    cr_expect(strstr(err.text, "by 42 events"), "%s", err.text);
    cr_expect_eq(compare(OTHER_PLAN, &diff, &differences, NULL), ERR_CHECK);
    cr_expect_eq(live_of(&scene), 1);
    cr_assert_eq(run(&scene, OTHER_PLAN, false, NULL), 2);
    cr_expect_eq(promote(OTHER_PLAN, &number, NULL), 0);
    cr_expect(number == 2 && live_of(&scene) == 2);
    cr_expect_eq(promote(SCENE_PLAN(SCENE_LATE), &number, NULL), 0, "and back: it lags nothing");
    cr_expect_eq(live_of(&scene), 1);
    scene_close(&scene);
}

Test(version, a_plan_that_is_no_version_is_not_promoted)
{
    struct scene scene;
    struct err err = {0};
    int number;
    open_version_1(&scene);
    cr_expect_eq(promote(OTHER_PLAN, &number, &err), ERR_USAGE);
    cr_expect(strstr(err.text, "lk kappa deploy"), "%s", err.text);
    scene_close(&scene);
}

Test(version, one_that_differs_is_promoted_only_where_that_is_meant)
{
    struct scene scene;
    struct err err = {0};
    int number;
    open_version_1(&scene);
    cr_assert_eq(run(&scene, OTHER_PLAN, true, NULL), 2);
    cr_assert_eq(run(&scene, SAME_PLAN, true, NULL), 3);
    cr_expect_eq(promote_if(OTHER_PLAN, false, &number, &err), ERR_CHECK);
    cr_expect(strstr(err.text, "--accept-diff"), "%s", err.text);
    cr_expect_eq(live_of(&scene), 1);
    cr_expect_eq(promote_if(SAME_PLAN, false, &number, NULL), 0, "it answers the same");
    cr_expect_eq(live_of(&scene), 3);
    cr_expect_eq(promote_if(OTHER_PLAN, true, &number, NULL), 0);
    cr_expect_eq(live_of(&scene), 2);
    scene_close(&scene);
}

/* ---- canary ---- */

/* Which of the scene's keys version 2 answers for, as bits; each read twice. */
static unsigned canary_keys(struct scene *scene)
{
    unsigned chosen = 0;
    for (int key = 0; key < SCENE_KEYS * 2; key++) {
        char text[16];
        snprintf(text, sizeof text, "[\"k%d\"]", key / 2);
        struct view_query query = {.key = text};
        struct answer answer;
        cr_assert_eq(view_read(scene->kv, "v", ARCH_KAPPA, &query, &answer, NULL), 0);
        cr_expect(answer.version == 1 || answer.version == 2);
        if (key % 2)
            cr_expect_eq(answer.version == 2, chosen >> key / 2 & 1, "a key stays");
        chosen |= (unsigned)(answer.version == 2) << key / 2;
        answer_release(&answer);
    }
    return chosen;
}

static int canary(const char *json, int share, struct err *err)
{
    struct plan *plan = scene_plan(json);
    int number, rc = kappa_canary(plan, SCENE_URI, share, 0, &number, err);
    plan_free(plan);
    return rc < 0 ? rc : number;
}

Test(version, a_canary_answers_for_a_share_of_keys_that_only_grows)
{
    struct scene scene;
    struct err err = {0};
    int number;
    open_version_1(&scene);
    cr_assert_eq(run(&scene, OTHER_PLAN, true, NULL), 2);
    cr_expect_eq(canary(SCENE_PLAN(SCENE_LATE), 10, &err), ERR_USAGE);
    cr_expect(strstr(err.text, "live already"), "%s", err.text);
    cr_expect_eq(canary_keys(&scene), 0);
    unsigned before = 0, changes = 0;
    for (int share = 0; share <= 100; share++) {
        cr_assert_eq(canary(OTHER_PLAN, share, NULL), 2);
        unsigned chosen = canary_keys(&scene);
        cr_expect_eq(chosen & before, before, "share %d took a key away", share);
        changes += chosen != before;
        before = chosen;
    }
    cr_expect_eq(before, (1U << SCENE_KEYS) - 1, "all of them");
    cr_expect_gt(changes, 1, "not all at once");
    err_clear(&err);
    cr_expect_eq(kappa_retire("v", SCENE_URI, 2, &err), ERR_USAGE);
    cr_expect(strstr(err.text, "--share 0"), "%s", err.text);
    cr_assert_eq(promote(OTHER_PLAN, &number, NULL), 0);
    cr_assert_eq(kappa_rollback("v", SCENE_URI, 0, &number, NULL), 0);
    cr_expect_eq(canary_keys(&scene), 0, "a flip ends it");
    scene_close(&scene);
}

Test(version, a_canary_that_lags_or_has_another_key_is_refused)
{
    struct scene scene;
    struct err err = {0};
    const char *keyed =
        "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},"
        "\"fields\":{\"k\":\"string\",\"id\":\"int\"}},\"key\":[\"id\"],\"window\":\"none\","
        "\"values\":{\"n\":\"count\"}}";
    open_version_1(&scene);
    cr_assert_eq(run(&scene, OTHER_PLAN, true, NULL), 2);
    cr_assert_eq(run(&scene, keyed, true, NULL), 3);
    cr_expect_eq(canary(keyed, 10, &err), ERR_USAGE);
    cr_expect(strstr(err.text, "key is another"), "%s", err.text);
    scene_append(&scene, 0, 5);
    cr_assert_eq(run(&scene, SCENE_PLAN(SCENE_LATE), false, NULL), 1);
    cr_expect_eq(canary(OTHER_PLAN, 10, NULL), ERR_CHECK);
    cr_expect_eq(canary_keys(&scene), 0);
    scene_close(&scene);
}

/* ---- rollback ---- */

Test(version, a_rollback_flips_back_and_forth_and_never_to_one_that_lags)
{
    struct scene scene;
    struct err err = {0};
    int number;
    open_version_1(&scene);
    cr_assert_eq(run(&scene, OTHER_PLAN, true, NULL), 2);
    cr_expect_eq(kappa_rollback("v", SCENE_URI, 0, &number, &err), ERR_USAGE);
    cr_expect(strstr(err.text, "nothing to go back to"), "%s", err.text);
    cr_assert_eq(promote(OTHER_PLAN, &number, NULL), 0);
    cr_expect_eq(kappa_rollback("v", SCENE_URI, 0, &number, NULL), 0);
    cr_expect(number == 1 && live_of(&scene) == 1);
    cr_expect_eq(kappa_rollback("v", SCENE_URI, 0, &number, NULL), 0, "forward again");
    cr_expect(number == 2 && live_of(&scene) == 2);
    scene_append(&scene, 0, 7);
    cr_assert_eq(run(&scene, OTHER_PLAN, false, NULL), 2);
    err_clear(&err);
    cr_expect_eq(kappa_rollback("v", SCENE_URI, 0, &number, &err), ERR_CHECK);
    cr_expect(strstr(err.text, "version 1") && strstr(err.text, "by 7 events"), "%s", err.text);
    cr_expect_eq(live_of(&scene), 2, "a version that nobody kept up to date does not come back");
    scene_close(&scene);
}

/* ---- retire ---- */

/* How many of version number's partitions are tombstones, and how many fields its indexes name. */
static void count_left(struct scene *scene, int number, int *tombstones, int *fields)
{
    *tombstones = *fields = 0;
    struct arena arena = {0};
    char version[16];
    registry_version_name(ARCH_KAPPA, number, version);
    for (int p = 0; p < scene->partitions; p++) {
        struct kv_reply *replies;
        struct pos pos;
        kv_words(scene->kv, "HGETALL", key_pos(&arena, "v", version, p), NULL);
        kv_words(scene->kv, "SMEMBERS", key_part(&arena, "v", version, p, "k"), NULL);
        cr_assert_eq(kv_roundtrip(scene->kv, &replies, NULL), 2);
        cr_assert_eq(pos_decode(&replies[0], &pos, NULL), 0);
        *tombstones += pos.retired && !*pos.owner;
        *fields += replies[1].count;
        pos_release(&pos);
    }
    arena_release(&arena);
}

Test(version, a_retired_one_leaves_tombstones_alone_and_never_comes_back)
{
    struct scene scene;
    struct err err = {0};
    int number, tombstones, fields;
    open_version_1(&scene);
    cr_assert_eq(run(&scene, SAME_PLAN, true, NULL), 2);
    cr_expect_eq(kappa_retire("v", SCENE_URI, 1, &err), ERR_USAGE);
    cr_expect(strstr(err.text, "is live"), "%s", err.text);
    cr_expect_eq(kappa_retire("v", SCENE_URI, 3, NULL), ERR_USAGE, "there is no version 3");
    cr_assert_eq(promote(SAME_PLAN, &number, NULL), 0);
    count_left(&scene, 1, &tombstones, &fields);
    cr_assert(tombstones == 0 && fields > 10);
    cr_expect_eq(kappa_retire("v", SCENE_URI, 1, NULL), fields);
    count_left(&scene, 1, &tombstones, &fields);
    cr_expect(tombstones == 2 && fields == 0);
    cr_expect_eq(kappa_retire("v", SCENE_URI, 1, NULL), 0, "nothing is left to do");
    err_clear(&err);
    cr_expect_eq(kappa_rollback("v", SCENE_URI, 0, &number, &err), ERR_ENV);
    cr_expect(strstr(err.text, "retired"), "%s", err.text);
    cr_expect_eq(live_of(&scene), 2);
    cr_expect_eq(run(&scene, SCENE_PLAN(SCENE_LATE), false, NULL), ERR_USAGE,
                 "no version any more");
    cr_expect_eq(run(&scene, SCENE_PLAN(SCENE_LATE), true, NULL), 3,
                 "deployed anew, it is another");
    scene_close(&scene);
}

Test(version, retiring_begins_again_after_a_lost_connection)
{
    const char *const points[] = {"retire mark:1:error", "retire pos:2:error",
                                  "retire cells:1:error"};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct scene scene;
        struct err err = {0};
        int number, tombstones, fields;
        open_version_1(&scene);
        cr_assert_eq(run(&scene, SAME_PLAN, true, NULL), 2);
        cr_assert_eq(promote(SAME_PLAN, &number, NULL), 0);
        fault_set(points[i], NULL);
        cr_expect_gt(kappa_retire("v", SCENE_URI, 1, &err), 0, "%s: %s", points[i], err.text);
        count_left(&scene, 1, &tombstones, &fields);
        cr_expect(tombstones == 2 && fields == 0, "%s: %d, %d", points[i], tombstones, fields);
        scene_close(&scene);
    }
}

/* Behind a reader's first sending: it has read the live pointer, and will meet the tombstone. */
static void flip_and_retire(void *context)
{
    int number, *sending = context;
    if ((*sending)++ != 1)
        return;
    cr_assert_eq(promote(SAME_PLAN, &number, NULL), 0);
    cr_assert_gt(kappa_retire("v", SCENE_URI, 1, NULL), 0);
}

Test(version, a_reader_whose_version_is_retired_under_it_begins_anew_at_the_live_one)
{
    struct scene scene;
    struct answer answer;
    struct err err = {0};
    struct view_query query = {.key = NULL};
    open_version_1(&scene);
    cr_assert_eq(run(&scene, SAME_PLAN, true, NULL), 2);
    int sending = 0;
    memory_meddle(SCENE_NAME, flip_and_retire, &sending);
    cr_assert_eq(view_read(scene.kv, "v", ARCH_KAPPA, &query, &answer, &err), 0, "%s", err.text);
    memory_meddle(SCENE_NAME, NULL, NULL);
    cr_expect(answer.version == 2 && answer.count > 10);
    answer_release(&answer);
    query.version = 1;
    cr_expect_eq(view_read(scene.kv, "v", ARCH_KAPPA, &query, &answer, &err), ERR_ENV);
    cr_expect(strstr(err.text, "version 1 of view v is retired"), "%s", err.text);
    scene_close(&scene);
}

/* ---- status ---- */

static char *status(bool json, int *rc, struct err *err)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    *rc = kappa_status("v", SCENE_URI, json, out, err);
    fclose(out);
    return text;
}

Test(version, status_is_a_line_a_version)
{
    struct scene scene;
    int rc, number;
    open_version_1(&scene);
    run(&scene, OTHER_PLAN, true, NULL);
    promote(OTHER_PLAN, &number, NULL);
    char *text = status(false, &rc, NULL);
    cr_assert_eq(rc, 0);
    cr_expect(strstr(text, "version 1  live: no  canary: 0 %  running"), "%s", text);
    cr_expect(strstr(text, "version 2  live: yes  canary: 0 %  running"), "%s", text);
    cr_expect(strstr(text, "next: 200 300\n"), "%s", text);
    free(text);
    text = status(true, &rc, NULL);
    cr_expect(strstr(text, "{\"version\":2,\"live\":true,\"share\":0,\"state\":\"running\""), "%s",
              text);
    cr_expect(strstr(text, "\"next\":[200,300]}\n"), "%s", text);
    free(text);
    scene_close(&scene);
}

Test(version, status_of_a_view_that_is_none_names_what_makes_it)
{
    struct err err = {0};
    int rc;
    memory_drop(SCENE_NAME);
    free(status(false, &rc, &err));
    cr_expect_eq(rc, ERR_ENV);
    cr_expect(strstr(err.text, "lk kappa run"), "%s", err.text);
}
