/* tests/common/run/test_worker.c - a worker process: however many threads share the partitions, the
 * view is the same. */
#include "tests/common/run/scene.h"

static int run_workers(struct scene *scene, int workers, const int *partitions, int count,
                       struct worker_result *result)
{
    char uri[64];
    snprintf(uri, sizeof uri, "embedded:%s/log", scene->dir);
    struct worker_options options = {.plan = scene->plan,
                                     .log_uri = uri,
                                     .topic = SCENE_TOPIC,
                                     .partitions = partitions,
                                     .count = count,
                                     .workers = workers,
                                     .until_end = true,
                                     .job = scene->options};
    scene->err = (struct err){0};
    clock_free_run();
    return worker_run(&options, result, &scene->err);
}

static void open_filled(struct scene *scene)
{
    scene_open(scene, ARCH_KAPPA, SCENE_PARTITIONS, SCENE_PLAN(SCENE_DEDUPE));
    for (int p = 0; p < SCENE_PARTITIONS; p++)
        scene_append(scene, p, 1000);
}

Test(worker, one_two_three_and_too_many_threads_make_the_same_view)
{
    char first[33] = "";
    for (int workers = 0; workers <= 5; workers++) {
        struct scene scene;
        struct worker_result result;
        struct answer got;
        char digest[33];
        open_filled(&scene);
        cr_assert_eq(run_workers(&scene, workers, NULL, 0, &result), 0, "%s", scene.err.text);
        cr_expect_eq(result.events, 3000);
        cr_expect(result.bytes > 3000 && result.stats.commits > 0 && result.wall_ns > 0);
        scene_check(&scene, 1000, "workers");
        scene_read(&scene, &got);
        answer_digest(&got, digest);
        if (!*first)
            memcpy(first, digest, sizeof first);
        cr_expect_str_eq(digest, first, "%d workers", workers);
        answer_release(&got);
        scene_close(&scene);
    }
}

Test(worker, some_of_the_partitions_are_run_and_the_rest_by_another)
{
    struct scene scene;
    struct worker_result result;
    open_filled(&scene);
    cr_assert_eq(run_workers(&scene, 2, (int[]){2, 0}, 2, &result), 0, "%s", scene.err.text);
    cr_expect_eq(result.events, 2000);
    scene_check(&scene, -1, "two partitions");
    cr_assert_eq(run_workers(&scene, 2, (int[]){1}, 1, &result), 0, "%s", scene.err.text);
    cr_expect_eq(result.events, 1000);
    scene_check(&scene, 1000, "the third");
    scene_close(&scene);
}

Test(worker, a_partition_that_is_none_and_a_topic_that_is_none_are_mistakes)
{
    struct scene scene;
    struct worker_result result;
    open_filled(&scene);
    cr_expect_eq(run_workers(&scene, 1, (int[]){3}, 1, &result), ERR_USAGE);
    cr_expect(strstr(scene.err.text, "partitions 0 to 2, not 3"), "%s", scene.err.text);
    struct worker_options options = {
        .plan = scene.plan, .log_uri = log_uri(scene.log), .topic = "none", .job = scene.options};
    cr_expect_eq(worker_run(&options, &result, NULL), ERR_ENV);
    scene_close(&scene);
}

Test(worker, one_thread_that_fails_ends_all_and_is_the_one_that_is_told)
{
    struct scene scene;
    struct worker_result result;
    open_filled(&scene);
    cr_assert_eq(run_workers(&scene, 1, NULL, 0, &result), 0);
    scene_write_pos(&scene, 1, "broken", "1");
    for (int p = 0; p < SCENE_PARTITIONS; p++)
        scene_append(&scene, p, 10);
    cr_expect_eq(run_workers(&scene, 3, NULL, 0, &result), ERR_DATA);
    cr_expect(strstr(scene.err.text, "broken"), "%s", scene.err.text);
    stop_ask(false);
    scene_close(&scene);
}

Test(worker, a_stop_that_was_asked_interrupts_all_threads_and_nothing_is_lost)
{
    struct scene scene;
    struct worker_result result;
    open_filled(&scene);
    stop_ask(true);
    cr_expect_eq(run_workers(&scene, 2, NULL, 0, &result), ERR_INTERRUPTED);
    stop_ask(false);
    scene_check(&scene, -1, "interrupted");
    cr_assert_eq(run_workers(&scene, 2, NULL, 0, &result), 0);
    scene_check(&scene, 1000, "and again");
    scene_close(&scene);
}
