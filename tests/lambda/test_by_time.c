/* tests/lambda/test_by_time.c - a batch by time computes stale buckets alone and says what a full one says,
 * byte by byte; it refuses what has no buckets; its sidecars live and go with their generations. */
#include "lambda/batch.h"

#include "common/base/fault.h"
#include "tests/lambda/kinds.h"

Test(by_time, computes_stale_buckets_again_to_the_bytes_of_full)
{
    static const struct {
        const char *plan;
        int64_t bucket_ms, buffer_ms;
        size_t memory;
        int workers;
    } rows[] = {{KINDS_PLAIN, 10000, -1, 64 << 20, 1},
                {KINDS_PLAIN, 1, 0, 64 << 20, 2},
                {KINDS_PLAIN, 25000, 60000, 100000, 2},
                {KINDS_HOPPING, 10000, -1, 64 << 20, 2},
                {KINDS_HOPPING, 7000, 0, 100000, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kit kit;
        kinds_open(&kit, 40 + i, 1000, rows[i].plan, 60000);
        struct batch_options options = kinds_options(&kit, rows[i].bucket_ms, rows[i].buffer_ms);
        options.memory_bytes = rows[i].memory;
        options.workers = rows[i].workers;
        struct manifest base = kinds_generation(&options, &kit, 50000);
        options.kind = BATCH_BY_TIME;
        for (int64_t boundary = 53000; boundary <= 55000; boundary += 2000) {
            struct batch_result result = kinds_expect_as_full(&options, &kit, boundary);
            cr_assert_eq(result.runs > 1, rows[i].memory < 1000000, "%d runs", result.runs);
            cr_assert_gt(result.rows_copied, 0);
            cr_assert_gt(result.stale_buckets, 0);
            batch_release(&result);
        }
        manifest_release(&base);
        kit_close(&kit);
    }
}

static char *sidecar(const struct kit *kit, const struct manifest *manifest, int partition)
{
    struct folder *folder = kit_folder(kit);
    char *path = folder_file(folder, manifest->id, partition, ".times");
    folder_close(folder);
    return path;
}

Test(by_time, without_a_whole_sidecar_reads_everything_and_is_right)
{
    for (int how = 0; how < 3; how++) { /* gone, cut short, a byte changed */
        struct kit kit;
        kinds_open(&kit, 46, 100, KINDS_PLAIN, 20000);
        struct batch_options options = kinds_options(&kit, 10000, 0);
        struct manifest found, base = kinds_generation(&options, &kit, 19000);
        struct manifest wanted = kinds_generation(&options, &kit, 20000);
        for (int q = 0; q < KIT_PARTITIONS; q++) {
            char *path = sidecar(&kit, &base, q);
            FILE *file = how == 2 ? fopen(path, "r+") : NULL;
            cr_assert_eq(how == 0 ? unlink(path) : how == 1 ? truncate(path, 50) : !file, 0);
            if (file) {
                fseek(file, 30, SEEK_SET);
                fputc('#', file);
                fclose(file);
            }
            free(path);
        }
        options.kind = BATCH_BY_TIME;
        options.base = base.id;
        struct batch_result result = kinds_computed(&options, &kit, 20000, &found);
        kinds_expect_same(&wanted, &found, "by-time");
        cr_assert_eq(result.events, (int64_t)KIT_PARTITIONS * 20000, "%lld read",
                     (long long)result.events);
        batch_release(&result);
        manifest_release(&base);
        manifest_release(&wanted);
        manifest_release(&found);
        kit_close(&kit);
    }
}

Test(by_time, refuses_what_has_no_buckets_of_its_own)
{
    static const struct {
        const char *plan, *words;
    } rows[] = {{KIT_PLAN, "has dedupe"},
                {"{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},"
                 "\"fields\":{}},\"key\":[],\"window\":\"none\",\"values\":{\"n\":\"count\"}}",
                 "has no windows"}};
    struct kv *kv = kit_kv("memory:by_time_refuses");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kit kit;
        struct batch_result result;
        struct err err = {0};
        kinds_open(&kit, 47, 10, rows[i].plan, 100);
        struct batch_options options = kinds_options(&kit, 1000, -1);
        options.kind = BATCH_BY_TIME;
        cr_assert_eq(batch_run(kv, &options, &result, &err), ERR_USAGE, "%s", err.text);
        cr_assert_not_null(strstr(err.text, rows[i].words), "%s", err.text);
        cr_assert_not_null(strstr(err.text, "use --kind incremental or full"), "%s", err.text);
        batch_release(&result);
        kit_close(&kit);
    }
    kv_close(kv);
}

/* ---- litter ---- */

Test(by_time, sidecars_live_and_go_with_their_generations)
{
    struct kit kit;
    kinds_open(&kit, 54, 20, KINDS_PLAIN, 500);
    struct kv *kv = kit_kv("memory:kinds_litter");
    struct batch_options options = kinds_options(&kit, 10000, 0);
    options.keep = 1;
    kinds_publish(kv, &options);
    for (int round = 1; round < 4; round++) {
        kit_fill(&kit, 500 * round, 500 * round + 500);
        options.kind = KINDS[round % 3];
        kinds_publish(kv, &options);
        cr_assert_eq(kit_files(&kit, ".times"), KIT_PARTITIONS, "%d", kit_files(&kit, ".times"));
        cr_assert_eq(kit_files(&kit, ".json"), 1);
    }
    struct batch_result result;
    struct err err = {0};
    kit_fill(&kit, 2000, 2500);
    fault_set("generation times:2:error", NULL);
    cr_assert_eq(batch_run(kv, &options, &result, &err), ERR_FULL, "%d %s", err.code, err.text);
    fault_set(NULL, NULL);
    batch_release(&result);
    cr_assert_gt(kit_files(&kit, ".times"), KIT_PARTITIONS, "one is written, and of no generation");
    kinds_publish(kv, &options);
    cr_assert_eq(kit_files(&kit, ".times"), KIT_PARTITIONS);
    kv_close(kv);
    kit_close(&kit);
}
