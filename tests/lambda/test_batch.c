/* tests/lambda/test_batch.c - what a batch computes, up to where, and in how much memory. */
#include "lambda/batch.h"

#include "common/base/fault.h"
#include "common/store/registry.h"
#include "tests/lambda/kit.h"

static struct batch_result run_ok(struct kv *kv, const struct batch_options *options)
{
    struct batch_result result;
    struct err err = {0};
    cr_assert_eq(batch_run(kv, options, &result, &err), 0, "%s", err.text);
    return result;
}

static void expect_states(const struct batch_result *result, enum publish_state state)
{
    for (int q = 0; q < result->partitions; q++)
        cr_assert_eq(result->parts[q].publish.state, state, "partition %d: %s", q,
                     result->parts[q].publish.why);
}

Test(batch, publishes_the_whole_archive_where_no_speed_layer_was_yet)
{
    static const int64_t ends[] = {3000, 3000, 3000};
    struct kit kit;
    kit_open(&kit, 11, 40);
    kit_fill(&kit, 0, 3000);
    struct kv *kv = kit_kv("memory:batch_whole");
    struct batch_options options = kit_options(&kit);
    struct batch_result result = run_ok(kv, &options);
    expect_states(&result, PUBLISH_DONE);
    cr_assert_eq(result.events, 9000);
    for (int q = 0; q < KIT_PARTITIONS; q++) {
        cr_assert_eq(result.parts[q].boundary, 3000);
        cr_assert(counters_balance(&result.parts[q].counters));
        cr_assert_eq(result.parts[q].counters.read, 3000);
        cr_assert_eq(result.parts[q].counters.late, 0);
        cr_assert_gt(result.parts[q].counters.duplicate, 0);
        cr_assert_gt(result.parts[q].counters.bad, 0);
        struct pos pos = kit_pos(kv, q);
        cr_assert_eq(pos.next, 0);
        cr_assert_eq(pos.boundary, 3000);
        cr_assert_eq(pos.owner[0], '-', "made by nobody, with a token all the same");
        cr_assert_eq(strlen(pos.owner), 32);
        cr_assert(pos_has_cut(&pos, 0));
        cr_assert_gt(pos.boundary_T_ms, KIT_START_MS);
        cr_assert_gt(pos.boundary_mark, 0, "the plan's horizon of 10 s, not all history");
        cr_assert_lt(pos.boundary_mark, 3000);
        pos_release(&pos);
    }
    kit_expect_view(&kit, kv, ends);
    batch_release(&result);
    kv_close(kv);
    kit_close(&kit);
}

Test(batch, a_second_run_has_nothing_to_do_and_writes_nothing_until_the_archive_grows)
{
    static const int64_t ends[] = {900, 900, 900};
    struct kit kit;
    kit_open(&kit, 12, 10);
    kit_fill(&kit, 0, 500);
    struct kv *kv = kit_kv("memory:batch_second");
    struct batch_options options = kit_options(&kit);
    struct batch_result result = run_ok(kv, &options);
    batch_release(&result);
    for (int again = 0; again < 4;
         again++) { /* an incremental one is asked for, too: it would copy */
        options.kind = again == 3 ? BATCH_INCREMENTAL : BATCH_FULL;
        options.only_new = again == 2;
        result = run_ok(kv, &options);
        cr_assert(result.idle);
        cr_assert_eq(result.published, 1);
        cr_assert_str_empty(result.generation);
        cr_assert_eq(kit_files(&kit, ".json"), 1);
        batch_release(&result);
    }
    options.kind = BATCH_FULL;
    kit_fill(&kit, 500, 900);
    result = run_ok(kv, &options);
    expect_states(&result, PUBLISH_DONE);
    kit_expect_view(&kit, kv, ends);
    struct pos pos = kit_pos(kv, 0);
    cr_assert_eq(pos.previous_boundary, 500);
    cr_assert_eq(pos.gen_count, 2);
    pos_release(&pos);
    batch_release(&result);
    kv_close(kv);
    kit_close(&kit);
}

/* Nothing is ever published of it, so it has no number that could be that of the others. */
Test(batch, a_second_run_has_nothing_to_do_where_a_partition_has_no_events)
{
    struct kit kit;
    struct archive_writer *writer = NULL;
    struct err err = {0};
    kit_open(&kit, 13, 10);
    cr_assert_eq(archive_open(kit.archive, KIT_TOPIC, KIT_PARTITIONS, &writer, &err), 0);
    kit_archive_partition(&kit, writer, 1, 0, 500);
    archive_close(writer);
    struct kv *kv = kit_kv("memory:batch_empty");
    struct batch_options options = kit_options(&kit);
    for (int again = 0; again < 2; again++) {
        struct batch_result result = run_ok(kv, &options);
        cr_assert_eq(result.idle, again == 1);
        cr_assert_eq(kit_files(&kit, ".json"), 1);
        batch_release(&result);
    }
    kv_close(kv);
    kit_close(&kit);
}

Test(batch, numbers_go_on_where_the_folder_was_lost_and_the_store_was_not)
{
    struct kit kit;
    kit_open(&kit, 17, 10);
    struct kv *kv = kit_kv("memory:batch_numbers");
    struct batch_options options = kit_options(&kit);
    for (int batch = 1; batch <= 4; batch++) {
        char command[200];
        snprintf(command, sizeof command, "rm -rf %s/%s/generations", kit.archive, KIT_TOPIC);
        kit_fill(&kit, (batch - 1) * 100, batch * 100);
        if (batch > 2)
            cr_assert_eq(system(command), 0);
        struct batch_result result = run_ok(kv, &options);
        expect_states(&result, PUBLISH_DONE);
        batch_release(&result);
        struct pos pos = kit_pos(kv, 0);
        cr_assert_eq(pos.number, batch, "%lld", (long long)pos.number);
        pos_release(&pos);
    }
    kv_close(kv);
    kit_close(&kit);
}

/* pos as a speed layer may have left it. */
static void put_pos(struct kv *kv, const struct kit *kit, int partition, int64_t next,
                    const char *cuts)
{
    struct arena arena = {0};
    struct kv_reply *replies;
    struct err err = {0};
    struct kv_args hset =
        args_new(&arena, "HSET", key_pos(&arena, "v", "l1", partition), "owner", "somebody", NULL);
    args_pair(&hset, "plan", kit->plan->hash);
    args_int(&hset, "next", next);
    args_int(&hset, "from", 0);
    args_pair(&hset, "cuts", cuts);
    args_queue(&hset, kv);
    cr_assert_eq(kv_roundtrip(kv, &replies, &err), 1);
    arena_release(&arena);
}

Test(batch, boundary_is_the_last_cut_in_the_archive_or_its_end_ahead_of_speed)
{
    static const struct {
        int64_t next;
        const char *cuts;
        int64_t boundary;
    } rows[] = {
        {500, "0,100,250,500", 250}, /* the archive ends at 300 */
        {300, "0,100,300", 300},
        {200, "0,100", 100}, /* a cut that fits goes before a jump */
        {200, "0", 300},     /* none fits: ahead of the speed layer, which jumps */
        {0, "0", 300},
        {301, "0,301", 0}, /* nothing fits, and the speed layer is further: nothing new */
        {1000, "0,299,1000", 299},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kit kit;
        kit_open(&kit, 13, 10);
        kit_fill(&kit, 0, 300);
        memory_drop("batch_boundary");
        struct kv *kv = kit_kv("memory:batch_boundary");
        for (int q = 0; q < KIT_PARTITIONS; q++)
            put_pos(kv, &kit, q, rows[i].next, rows[i].cuts);
        struct batch_options options = kit_options(&kit);
        struct batch_result result = run_ok(kv, &options);
        for (int q = 0; q < KIT_PARTITIONS; q++)
            cr_assert_eq(result.parts[q].boundary, rows[i].boundary, "row %zu: %lld", i,
                         (long long)result.parts[q].boundary);
        if (rows[i].boundary)
            expect_states(&result, PUBLISH_DONE);
        else
            cr_assert(result.idle && kit_files(&kit, ".json") == 0, "row %zu", i);
        batch_release(&result);
        kv_close(kv);
        kit_close(&kit);
    }
}

/* All partitions' checksums of the newest generation. */
static void checksums(const struct kit *kit, char out[KIT_PARTITIONS][FOLDER_ID_BYTES])
{
    struct folder *folder = kit_folder(kit);
    struct manifest manifest;
    struct err err = {0};
    cr_assert_eq(folder_newest(folder, kit->plan->hash, &manifest, &err), 1, "%s", err.text);
    for (int q = 0; q < KIT_PARTITIONS; q++)
        memcpy(out[q], manifest.files[q].checksum, FOLDER_ID_BYTES);
    manifest_release(&manifest);
    folder_close(folder);
}

Test(batch, tiny_memory_and_any_number_of_workers_give_the_same_bytes)
{
    static const int64_t ends[] = {20000, 20000, 20000};
    static const struct {
        size_t memory;
        int workers;
        bool spills;
    } rows[] = {{64 << 20, 1, false}, {64 << 20, 3, false}, {100000, 1, true}, {100000, 3, true}};
    char expected[KIT_PARTITIONS][FOLDER_ID_BYTES], got[KIT_PARTITIONS][FOLDER_ID_BYTES];
    struct kit kit;
    kit_open(&kit, 14, 2000);
    kit_fill(&kit, 0, 20000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memory_drop("batch_memory");
        struct kv *kv = kit_kv("memory:batch_memory");
        struct batch_options options = kit_options(&kit);
        options.memory_bytes = rows[i].memory;
        options.workers = rows[i].workers;
        struct batch_result result = run_ok(kv, &options);
        cr_assert_eq(result.runs > 1, rows[i].spills, "%d runs", result.runs);
        cr_assert_eq(result.passes > 1, rows[i].spills, "%d passes", result.passes);
        checksums(&kit, i ? got : expected);
        cr_assert_eq(i ? memcmp(got, expected, sizeof got) : 0, 0, "row %zu", i);
        if (i == 2)
            kit_expect_view(&kit, kv, ends);
        batch_release(&result);
        kv_close(kv);
    }
    kit_close(&kit);
}

Test(batch, reload_brings_back_a_lost_store_without_computing)
{
    static const int64_t ends[] = {700, 700, 700};
    struct kit kit;
    kit_open(&kit, 15, 10);
    kit_fill(&kit, 0, 700);
    struct kv *kv = kit_kv("memory:batch_reload");
    struct batch_options options = kit_options(&kit);
    struct batch_result result = run_ok(kv, &options);
    batch_release(&result);
    kv_close(kv);
    memory_drop("batch_reload");
    kv = kit_kv("memory:batch_reload");
    options.reload = true;
    result = run_ok(kv, &options);
    expect_states(&result, PUBLISH_DONE);
    cr_assert_eq(result.events, 0);
    kit_expect_view(&kit, kv, ends);
    batch_release(&result);
    kv_close(kv);
    kit_close(&kit);
}

Test(batch, mistakes_and_wrong_data_are_refused_with_their_cause)
{
    struct kit kit, late;
    struct batch_result result;
    struct err err = {0};
    struct kv *kv = kit_kv("memory:batch_mistakes");
    kit_open(&kit, 16, 10);
    struct batch_options options = kit_options(&kit);
    cr_assert_eq(batch_run(kv, &options, &result, &err), ERR_ENV, "no archive: %s", err.text);
    batch_release(&result);
    kit_fill(&kit, 0, 100);
    options.reload = true;
    err_clear(&err);
    cr_assert_eq(batch_run(kv, &options, &result, &err), ERR_ENV, "no generation: %s", err.text);
    batch_release(&result);
    options.reload = false;
    result = run_ok(kv, &options);
    batch_release(&result);

    struct plan *other =
        kit_plan("{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":"
                 "\"ms\"},\"fields\":{}},\"key\":[],\"window\":\"none\","
                 "\"values\":{\"n\":\"count\"}}");
    options.plan = other;
    err_clear(&err);
    cr_assert_eq(batch_run(kv, &options, &result, &err), ERR_USAGE, "other plan: %s", err.text);
    cr_assert_not_null(strstr(err.text, "view name"));
    batch_release(&result);
    plan_free(other);

    kit_open(&late, 16, 10); /* its archive begins above 0 */
    kit_fill(&late, 50, 100);
    options = kit_options(&late);
    memory_drop("batch_mistakes");
    kv_close(kv);
    kv = kit_kv("memory:batch_mistakes");
    err_clear(&err);
    cr_assert_eq(batch_run(kv, &options, &result, &err), ERR_DATA, "%s", err.text);
    cr_assert_not_null(strstr(err.text, "begins at offset 50"), "%s", err.text);
    batch_release(&result);
    kv_close(kv);
    kit_close(&late);
    kit_close(&kit);
}

Test(batch, a_full_disk_is_said_and_leaves_nothing_published)
{
    static const char *const points[] = {"generation temp", "generation sync",
                                         "generation manifest"};
    struct kit kit;
    kit_open(&kit, 17, 10);
    kit_fill(&kit, 0, 200);
    struct kv *kv = kit_kv("memory:batch_disk");
    struct batch_options options = kit_options(&kit);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct batch_result result;
        struct err err = {0};
        char fault[64];
        snprintf(fault, sizeof fault, "%s:1:error", points[i]);
        fault_set(fault, NULL);
        cr_assert_lt(batch_run(kv, &options, &result, &err), 0, "%s", points[i]);
        cr_assert_eq(err_exit_status(err.code), 3, "%s", err.text);
        fault_set(NULL, NULL);
        batch_release(&result);
        cr_assert_eq(kit_files(&kit, ".json"), 0);
        struct pos pos = kit_pos(kv, 0);
        cr_assert_not(pos.here);
        pos_release(&pos);
    }
    struct batch_result result = run_ok(kv, &options);
    expect_states(&result, PUBLISH_DONE);
    cr_assert_eq(kit_files(&kit, ".p0"), 1, "the failed ones' files are gone");
    batch_release(&result);
    kv_close(kv);
    kit_close(&kit);
}

/* ---- generations ---- */

Test(batch, no_id_and_no_number_of_a_generation_or_a_load_comes_again)
{
    enum { BATCHES = 12, STEP = 40 };
    struct kit kit;
    struct map ids;
    int64_t number = 0;
    map_init(&ids, 1);
    kit_open(&kit, 17, 5);
    struct kv *kv = kit_kv("memory:batch_ids");
    struct batch_options options = kit_options(&kit);
    options.keep = 1;
    for (int i = 0; i < BATCHES; i++) {
        bool fresh;
        kit_fill(&kit, i * STEP, (i + 1) * STEP);
        struct batch_result result = run_ok(kv, &options);
        struct pos pos = kit_pos(kv, 0);
        map_put(&ids, bytes_of(result.generation), &fresh);
        cr_expect(fresh, "generation %s was there before", result.generation);
        map_put(&ids, bytes_of(pos.generation), &fresh);
        cr_expect(fresh, "load %s was there before", pos.generation);
        cr_expect_gt(pos.number, number);
        number = pos.number;
        cr_expect_eq(kit_files(&kit, ".json"), 1);
        pos_release(&pos);
        batch_release(&result);
    }
    kv_close(kv);
    kit_close(&kit);
    map_release(&ids);
}

Test(batch, one_that_is_older_than_what_is_published_is_refused)
{
    static const int64_t ends[] = {900, 900, 900};
    struct kit kit, behind;
    kit_open(&kit, 18, 5);
    kit_open(&behind, 18, 5); /* another archive of the same topic, which has not come so far */
    kit_fill(&kit, 0, 900);
    kit_fill(&behind, 0, 500);
    struct kv *kv = kit_kv("memory:batch_older");
    struct batch_options options = kit_options(&kit), older = kit_options(&behind);
    struct batch_result result = run_ok(kv, &options);
    batch_release(&result);
    result = run_ok(kv, &older);
    expect_states(&result, PUBLISH_REFUSED);
    cr_expect_str_eq(result.parts[0].publish.why, "a newer batch is already published");
    kit_expect_view(&kit, kv, ends);
    batch_release(&result);
    kv_close(kv);
    kit_close(&behind);
    kit_close(&kit);
}
