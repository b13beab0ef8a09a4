/* tests/lambda/test_incremental.c - an incremental batch says what a full one says, byte by byte, or why it
 * cannot; the one thing that it misses is a duplicate beyond the horizon. */
#include "lambda/batch.h"

#include "tests/lambda/kinds.h"

Test(incremental, continues_a_base_to_the_bytes_of_full)
{
    static const struct {
        const char *plan;
        size_t memory;
        int workers;
    } rows[] = {{KINDS_PLAIN, 64 << 20, 1},
                {KINDS_PLAIN, 100000, 2},
                {KIT_PLAN, 64 << 20, 2},
                {KIT_PLAN, 100000, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kit kit;
        kinds_open(&kit, 20 + i, 2000, rows[i].plan, 30000);
        struct batch_options options = kit_options(&kit);
        options.memory_bytes = rows[i].memory;
        options.workers = rows[i].workers;
        struct manifest base = kinds_generation(&options, &kit, 10000);
        options.kind = BATCH_INCREMENTAL;
        for (int64_t boundary = 15000; boundary <= 25000; boundary += 10000) {
            options.base = boundary == 15000 ? base.id : NULL; /* then: the newest */
            struct batch_result result = kinds_expect_as_full(&options, &kit, boundary);
            cr_assert_eq(result.runs > 1, rows[i].memory < 1000000, "%d runs", result.runs);
            cr_assert_gt(result.rows_copied, 0);
            batch_release(&result);
        }
        manifest_release(&base);
        kit_close(&kit);
    }
}

Test(incremental, without_news_is_its_base)
{
    struct kit kit;
    kit_open(&kit, 31, 50);
    kit_fill(&kit, 0, 2000);
    struct batch_options options = kit_options(&kit);
    struct manifest base = kinds_generation(&options, &kit, 2000);
    options.kind = BATCH_INCREMENTAL;
    struct batch_result result = kinds_expect_as_full(&options, &kit, 2000);
    cr_assert_str_eq(result.base, base.id);
    batch_release(&result);
    manifest_release(&base);
    kit_close(&kit);
}

Test(incremental, without_a_base_that_fits_the_batch_is_full)
{
    struct kit kit;
    kit_open(&kit, 32, 50);
    kit_fill(&kit, 0, 2000);
    struct batch_options options = kit_options(&kit);
    struct manifest manifest;
    options.kind = BATCH_INCREMENTAL;
    for (int64_t boundary = 2000; boundary >= 1000; boundary -= 1000) { /* then: a base beyond it */
        struct batch_result result = kinds_computed(&options, &kit, boundary, &manifest);
        cr_assert_eq(result.kind, BATCH_FULL);
        cr_assert_eq(manifest.kind, BATCH_FULL);
        cr_assert_str_empty(result.base);
        batch_release(&result);
        manifest_release(&manifest);
    }
    kit_close(&kit);
}

/* One event a second of event time, the same id at 0 and at `again`. */
static void fill_repeated(const struct kit *kit, int64_t again)
{
    struct kinds_event events[50];
    for (int n = 0; n < 50; n++)
        events[n] = (struct kinds_event){KIT_START_MS + n * 1000, n == again ? 0 : n, "key1"};
    kinds_fill(kit, 0, events, 50);
}

Test(incremental, misses_a_duplicate_beyond_the_horizon_and_no_other)
{
    static const struct {
        int64_t again, duplicates;
    } rows[] = {{10, 1}, {11, 0}, {40, 0}}; /* the horizon is 10 s, both ends of it count */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kit kit;
        kit_open(&kit, 33, 1);
        fill_repeated(&kit, rows[i].again);
        struct batch_options options = kit_options(&kit);
        struct manifest full, base, incremental;
        struct batch_result result = kinds_computed(&options, &kit, 50, &full);
        cr_assert_eq(result.parts[0].counters.duplicate, 1);
        batch_release(&result);
        base = kinds_generation(&options, &kit, 5);
        options.kind = BATCH_INCREMENTAL;
        options.base = base.id;
        result = kinds_computed(&options, &kit, 50, &incremental);
        cr_assert_eq(result.parts[0].counters.duplicate, rows[i].duplicates, "row %zu: %lld", i,
                     (long long)result.parts[0].counters.duplicate);
        cr_assert_eq(incremental.files[0].history, 5, "all history counts up to there");
        cr_assert_eq(strcmp(full.files[0].checksum, incremental.files[0].checksum) == 0,
                     rows[i].duplicates == 1);
        batch_release(&result);
        manifest_release(&full);
        manifest_release(&base);
        manifest_release(&incremental);
        kit_close(&kit);
    }
}

/* ---- what is refused ---- */

/* Overwrite one byte of partition 1's file, far behind its head. */
static void damage(const struct kit *kit, const struct manifest *manifest)
{
    struct folder *folder = kit_folder(kit);
    char *path = folder_file(folder, manifest->id, 1, "");
    FILE *file = fopen(path, "r+");
    cr_assert_not_null(file);
    fseek(file, 200, SEEK_SET);
    fputc('#', file);
    fclose(file);
    free(path);
    folder_close(folder);
}

Test(incremental, a_base_of_another_plan_beyond_the_boundary_or_damaged_is_refused)
{
    struct kit kit;
    kit_open(&kit, 34, 50);
    kit_fill(&kit, 0, 2000);
    struct batch_options options = kit_options(&kit);
    struct manifest base = kinds_generation(&options, &kit, 1500);
    options.kind = BATCH_INCREMENTAL;
    options.base = base.id;
    kinds_expect_refused(&options, &kit, 1400, ERR_USAGE, "reaches to offset 1500", "--kind full");
    struct plan *other = kit_plan(KINDS_PLAIN);
    options.plan = other;
    kinds_expect_refused(&options, &kit, 2000, ERR_USAGE, "another plan", "--kind full");
    options.plan = kit.plan;
    damage(&kit, &base);
    kinds_expect_refused(&options, &kit, 2000, ERR_DATA, "damaged", "--kind full");
    plan_free(other);
    manifest_release(&base);
    kit_close(&kit);
}

Test(incremental, an_id_that_names_no_generation_is_a_mistake)
{
    struct kit kit;
    kit_open(&kit, 35, 5);
    kit_fill(&kit, 0, 100);
    struct batch_options options = kit_options(&kit);
    options.kind = BATCH_INCREMENTAL;
    options.base = "0123";
    kinds_expect_refused(&options, &kit, 100, ERR_USAGE, "0123", "lk lambda generations");
    kit_close(&kit);
}
