/* tests/lambda/test_batch_kinds.c - incremental and by-time batches say what a full one says, byte by byte, or
 * why they cannot; and what each of them heals. */
#include "lambda/batch.h"

#include "common/base/fault.h"
#include "lambda/generation.h"
#include "lambda/rollback.h"
#include "tests/lambda/kit.h"

/* As KIT_PLAN, without dedupe: every kind can compute it. */
static const char PLAIN_PLAN[] =
    "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},"
    "\"fields\":{\"k\":\"string\",\"id\":\"int\",\"x\":\"int\"}},"
    "\"key\":[\"k\"],\"window\":{\"tumbling\":\"10s\"},"
    "\"values\":{\"n\":\"count\",\"s\":{\"sum\":\"x\"},\"m\":{\"max\":\"x\"}}}";

static void use_plan(struct kit *kit, const char *json)
{
    plan_free(kit->plan);
    kit->plan = kit_plan(json);
}

static struct folder *open_folder(const struct kit *kit)
{
    struct folder *folder = NULL;
    struct err err = {0};
    cr_assert_eq(folder_open(kit->archive, KIT_TOPIC, "v", &folder, &err), 0, "%s", err.text);
    return folder;
}

/* A batch without a store, up to one boundary in every partition. The manifest is the caller's. */
static int compute(const struct batch_options *options, const struct kit *kit, int64_t boundary,
                   struct manifest *manifest, struct batch_result *result, struct err *err)
{
    int64_t boundaries[KIT_PARTITIONS];
    struct folder *folder = open_folder(kit);
    for (int q = 0; q < KIT_PARTITIONS; q++)
        boundaries[q] = boundary;
    *result = (struct batch_result){0};
    *manifest = (struct manifest){0};
    int rc = batch_compute(options, KIT_TOPIC, boundaries, folder, manifest, result, err);
    folder_close(folder);
    return rc;
}

static struct batch_result compute_ok(const struct batch_options *options, const struct kit *kit,
                                      int64_t boundary, struct manifest *manifest)
{
    struct batch_result result;
    struct err err = {0};
    cr_assert_eq(compute(options, kit, boundary, manifest, &result, &err), 0, "%s", err.text);
    return result;
}

/* The same bytes: head, rows and bad events. */
static void expect_same(const struct manifest *a, const struct manifest *b, const char *what)
{
    for (int q = 0; q < KIT_PARTITIONS; q++)
        cr_assert_str_eq(a->files[q].checksum, b->files[q].checksum, "%s, partition %d", what, q);
}

/* A batch of the options' kind up to boundary, and a full one, are the same. */
static struct batch_result expect_as_full(const struct batch_options *options,
                                          const struct kit *kit, int64_t boundary)
{
    struct manifest found, wanted;
    struct batch_options full = *options;
    struct batch_result result = compute_ok(options, kit, boundary, &found);
    cr_assert_eq(result.kind, options->kind);
    cr_assert_eq(found.kind, options->kind);
    cr_assert_str_eq(found.base, result.base);
    full.kind = BATCH_FULL;
    full.base = NULL;
    struct batch_result other = compute_ok(&full, kit, boundary, &wanted);
    expect_same(&found, &wanted, batch_kind_name(options->kind));
    cr_assert_lt(result.events, other.events, "%s read as much as full",
                 batch_kind_name(options->kind));
    batch_release(&other);
    manifest_release(&wanted);
    manifest_release(&found);
    return result;
}

Test(batch_kinds, incremental_continues_a_base_to_the_bytes_of_full)
{
    static const struct {
        const char *plan;
        size_t memory;
        int workers;
    } rows[] = {{PLAIN_PLAN, 64 << 20, 1},
                {PLAIN_PLAN, 100000, 2},
                {KIT_PLAN, 64 << 20, 2},
                {KIT_PLAN, 100000, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kit kit;
        kit_open(&kit, 20 + i, 2000);
        use_plan(&kit, rows[i].plan);
        kit_fill(&kit, 0, 30000);
        struct batch_options options = kit_options(&kit);
        options.memory_bytes = rows[i].memory;
        options.workers = rows[i].workers;
        struct manifest base;
        struct batch_result result = compute_ok(&options, &kit, 10000, &base);
        batch_release(&result);
        options.kind = BATCH_INCREMENTAL;
        for (int64_t boundary = 15000; boundary <= 25000; boundary += 10000) {
            options.base = boundary == 15000 ? base.id : NULL; /* then: the newest */
            result = expect_as_full(&options, &kit, boundary);
            cr_assert_eq(result.runs > 1, rows[i].memory < 1000000, "%d runs", result.runs);
            cr_assert_gt(result.rows_copied, 0);
            batch_release(&result);
        }
        manifest_release(&base);
        kit_close(&kit);
    }
}

/* ---- by time ---- */

static const char HOPPING_PLAN[] =
    "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},"
    "\"fields\":{\"k\":\"string\",\"id\":\"int\",\"x\":\"int\"}},"
    "\"key\":[\"k\"],\"window\":{\"hopping\":[\"12s\",\"4s\"]},"
    "\"values\":{\"n\":\"count\",\"a\":{\"avg\":\"x\"},\"m\":{\"max\":\"x\"}}}";

static struct batch_options by_time(const struct kit *kit, int64_t bucket_ms, int64_t buffer_ms)
{
    struct batch_options options = kit_options(kit);
    options.bucket_ms = bucket_ms;
    options.buffer_ms = buffer_ms;
    return options;
}

Test(batch_kinds, by_time_computes_stale_buckets_again_to_the_bytes_of_full)
{
    static const struct {
        const char *plan;
        int64_t bucket_ms, buffer_ms;
        size_t memory;
        int workers;
    } rows[] = {{PLAIN_PLAN, 10000, -1, 64 << 20, 1},
                {PLAIN_PLAN, 1, 0, 64 << 20, 2},
                {PLAIN_PLAN, 25000, 60000, 100000, 2},
                {HOPPING_PLAN, 10000, -1, 64 << 20, 2},
                {HOPPING_PLAN, 7000, 0, 100000, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kit kit;
        kit_open(&kit, 40 + i, 1000);
        use_plan(&kit, rows[i].plan);
        kit_fill(&kit, 0, 60000);
        struct batch_options options = by_time(&kit, rows[i].bucket_ms, rows[i].buffer_ms);
        struct manifest base;
        options.memory_bytes = rows[i].memory;
        options.workers = rows[i].workers;
        struct batch_result result = compute_ok(&options, &kit, 50000, &base);
        batch_release(&result);
        options.kind = BATCH_BY_TIME;
        for (int64_t boundary = 53000; boundary <= 55000; boundary += 2000) {
            result = expect_as_full(&options, &kit, boundary);
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
    struct folder *folder = open_folder(kit);
    char *path = folder_file(folder, manifest->id, partition, ".times");
    folder_close(folder);
    return path;
}

Test(batch_kinds, by_time_without_a_whole_sidecar_reads_everything_and_is_right)
{
    for (int how = 0; how < 3; how++) { /* gone, cut short, a byte changed */
        struct kit kit;
        kit_open(&kit, 46, 100);
        use_plan(&kit, PLAIN_PLAN);
        kit_fill(&kit, 0, 20000);
        struct batch_options options = by_time(&kit, 10000, 0);
        struct manifest base, wanted, found;
        struct batch_result result = compute_ok(&options, &kit, 19000, &base);
        batch_release(&result);
        result = compute_ok(&options, &kit, 20000, &wanted);
        batch_release(&result);
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
        result = compute_ok(&options, &kit, 20000, &found);
        expect_same(&wanted, &found, "by-time");
        cr_assert_eq(result.events, (int64_t)KIT_PARTITIONS * 20000, "%lld read",
                     (long long)result.events);
        batch_release(&result);
        manifest_release(&base);
        manifest_release(&wanted);
        manifest_release(&found);
        kit_close(&kit);
    }
}

Test(batch_kinds, by_time_refuses_what_has_no_buckets_of_its_own)
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
        kit_open(&kit, 47, 10);
        use_plan(&kit, rows[i].plan);
        kit_fill(&kit, 0, 100);
        struct batch_options options = by_time(&kit, 1000, -1);
        options.kind = BATCH_BY_TIME;
        cr_assert_eq(batch_run(kv, &options, &result, &err), ERR_USAGE, "%s", err.text);
        cr_assert_not_null(strstr(err.text, rows[i].words), "%s", err.text);
        cr_assert_not_null(strstr(err.text, "use --kind incremental or full"), "%s", err.text);
        batch_release(&result);
        kit_close(&kit);
    }
    kv_close(kv);
}

Test(batch_kinds, incremental_without_news_is_its_base)
{
    struct kit kit;
    kit_open(&kit, 31, 50);
    kit_fill(&kit, 0, 2000);
    struct batch_options options = kit_options(&kit);
    struct manifest base;
    struct batch_result result = compute_ok(&options, &kit, 2000, &base);
    batch_release(&result);
    options.kind = BATCH_INCREMENTAL;
    result = expect_as_full(&options, &kit, 2000);
    cr_assert_str_eq(result.base, base.id);
    batch_release(&result);
    manifest_release(&base);
    kit_close(&kit);
}

Test(batch_kinds, without_a_base_that_fits_the_batch_is_full)
{
    struct kit kit;
    kit_open(&kit, 32, 50);
    kit_fill(&kit, 0, 2000);
    struct batch_options options = kit_options(&kit);
    struct manifest manifest;
    options.kind = BATCH_INCREMENTAL;
    for (int64_t boundary = 2000; boundary >= 1000;
         boundary -= 1000) { /* the first reaches beyond */
        struct batch_result result = compute_ok(&options, &kit, boundary, &manifest);
        cr_assert_eq(result.kind, BATCH_FULL);
        cr_assert_eq(manifest.kind, BATCH_FULL);
        cr_assert_str_empty(result.base);
        batch_release(&result);
        manifest_release(&manifest);
    }
    kit_close(&kit);
}

/* ---- duplicates further apart than the horizon ---- */

/* One event a second of event time, the same id at 0 and at `again`. */
static void fill_repeated(const struct kit *kit, int64_t again, int64_t count)
{
    struct archive_writer *writer = NULL;
    struct err err = {0};
    cr_assert_eq(archive_open(kit->archive, KIT_TOPIC, KIT_PARTITIONS, &writer, &err), 0);
    for (int q = 0; q < KIT_PARTITIONS; q++) {
        for (int64_t n = 0; n < count; n++) {
            char text[160];
            int64_t time_ms = KIT_START_MS + n * 1000, due_ns = 0;
            snprintf(text, sizeof text, "{\"t\":%lld,\"k\":\"key1\",\"id\":%lld,\"x\":1}",
                     (long long)time_ms, (long long)(n == again ? 0 : n));
            struct bytes key = {0}, value = bytes_of(text);
            struct log_batch batch = {q, 1, &n, &time_ms, &due_ns, &key, &value, n + 1};
            cr_assert_eq(archive_add(writer, &batch, &err), 0, "%s", err.text);
        }
        cr_assert_geq(archive_roll(writer, q, &err), 0, "%s", err.text);
    }
    archive_close(writer);
}

Test(batch_kinds, incremental_misses_a_duplicate_beyond_the_horizon_and_no_other)
{
    static const struct {
        int64_t again, duplicates;
    } rows[] = {{10, 1}, {11, 0}, {40, 0}}; /* the horizon is 10 s, both ends of it count */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kit kit;
        kit_open(&kit, 33, 1);
        fill_repeated(&kit, rows[i].again, 50);
        struct batch_options options = kit_options(&kit);
        struct manifest full, base, incremental;
        struct batch_result result = compute_ok(&options, &kit, 50, &full);
        cr_assert_eq(result.parts[0].counters.duplicate, 1);
        batch_release(&result);
        result = compute_ok(&options, &kit, 5, &base);
        batch_release(&result);
        options.kind = BATCH_INCREMENTAL;
        options.base = base.id;
        result = compute_ok(&options, &kit, 50, &incremental);
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

static void expect_refused(const struct batch_options *options, const struct kit *kit,
                           int64_t boundary, int code, const char *words)
{
    struct manifest manifest;
    struct batch_result result;
    struct err err = {0};
    cr_assert_eq(compute(options, kit, boundary, &manifest, &result, &err), code, "%s: %d %s",
                 words, err.code, err.text);
    cr_assert_not_null(strstr(err.text, words), "%s: %s", words, err.text);
    cr_assert_not_null(strstr(err.text, "--kind full"), "the next command: %s", err.text);
    batch_release(&result);
    manifest_release(&manifest);
}

/* Overwrite one byte of partition 1's file, far behind its head. */
static void damage(const struct kit *kit, const struct manifest *manifest)
{
    struct folder *folder = open_folder(kit);
    char *path = folder_file(folder, manifest->id, 1, "");
    FILE *file = fopen(path, "r+");
    cr_assert_not_null(file);
    fseek(file, 200, SEEK_SET);
    fputc('#', file);
    fclose(file);
    free(path);
    folder_close(folder);
}

Test(batch_kinds, a_base_of_another_plan_beyond_the_boundary_or_damaged_is_refused)
{
    struct kit kit;
    kit_open(&kit, 34, 50);
    kit_fill(&kit, 0, 2000);
    struct batch_options options = kit_options(&kit);
    struct manifest base;
    struct batch_result result = compute_ok(&options, &kit, 1500, &base);
    batch_release(&result);
    options.kind = BATCH_INCREMENTAL;
    options.base = base.id;
    expect_refused(&options, &kit, 1400, ERR_USAGE, "reaches to offset 1500");
    struct plan *other = kit_plan(PLAIN_PLAN);
    options.plan = other;
    expect_refused(&options, &kit, 2000, ERR_USAGE, "another plan");
    options.plan = kit.plan;
    damage(&kit, &base);
    expect_refused(&options, &kit, 2000, ERR_DATA, "damaged");
    plan_free(other);
    manifest_release(&base);
    kit_close(&kit);
}

Test(batch_kinds, an_id_that_names_no_generation_is_a_mistake)
{
    struct kit kit;
    struct manifest manifest;
    struct batch_result result;
    struct err err = {0};
    kit_open(&kit, 35, 5);
    kit_fill(&kit, 0, 100);
    struct batch_options options = kit_options(&kit);
    options.kind = BATCH_INCREMENTAL;
    options.base = "0123";
    cr_assert_eq(compute(&options, &kit, 100, &manifest, &result, &err), ERR_USAGE);
    cr_assert_not_null(strstr(err.text, "lk lambda generations"), "%s", err.text);
    batch_release(&result);
    manifest_release(&manifest);
    kit_close(&kit);
}

/* ---- what each heals: the table of docs/batch.md ---- */

static const enum batch_kind KINDS[] = {BATCH_FULL, BATCH_INCREMENTAL, BATCH_BY_TIME};

/* Archive one event of every partition, as old as the first. */
static void fill_late(const struct kit *kit, int64_t offset)
{
    struct archive_writer *writer = NULL;
    struct err err = {0};
    cr_assert_eq(archive_open(kit->archive, KIT_TOPIC, KIT_PARTITIONS, &writer, &err), 0);
    for (int q = 0; q < KIT_PARTITIONS; q++) {
        char text[160];
        int64_t time_ms = KIT_START_MS + 1, due_ns = 0;
        snprintf(text, sizeof text, "{\"t\":%lld,\"k\":\"late\",\"id\":1,\"x\":1}",
                 (long long)time_ms);
        struct bytes key = {0}, value = bytes_of(text);
        struct log_batch batch = {q, 1, &offset, &time_ms, &due_ns, &key, &value, offset + 1};
        cr_assert_eq(archive_add(writer, &batch, &err), 0, "%s", err.text);
        cr_assert_geq(archive_roll(writer, q, &err), 0, "%s", err.text);
    }
    archive_close(writer);
}

Test(batch_kinds, a_late_event_is_healed_by_the_next_batch_of_any_kind)
{
    struct kit kit;
    struct manifest base, wanted, found;
    kit_open(&kit, 50, 100);
    use_plan(&kit, PLAIN_PLAN);
    kit_fill(&kit, 0, 30000);
    fill_late(&kit, 30000);
    struct batch_options options = by_time(&kit, 10000, 0);
    options.base = NULL;
    struct batch_result result = compute_ok(&options, &kit, 30000, &base);
    batch_release(&result);
    for (size_t k = 0; k < 3; k++) {
        options.kind = KINDS[k];
        options.base = KINDS[k] == BATCH_FULL ? NULL : base.id;
        result = compute_ok(&options, &kit, 30001, k ? &found : &wanted);
        if (k)
            expect_same(&wanted, &found, batch_kind_name(KINDS[k]));
        if (KINDS[k] ==
            BATCH_BY_TIME) /* the late one's, and that of T: as no buffer reaches back */
            cr_assert_eq(result.stale_buckets, 2 * KIT_PARTITIONS, "%lld",
                         (long long)result.stale_buckets);
        if (k)
            manifest_release(&found);
        batch_release(&result);
    }
    manifest_release(&wanted);
    manifest_release(&base);
    kit_close(&kit);
}

Test(batch_kinds, a_changed_rule_is_healed_by_full_and_refused_by_the_others)
{
    struct kit kit;
    struct manifest base, found;
    kit_open(&kit, 51, 100);
    use_plan(&kit, PLAIN_PLAN);
    kit_fill(&kit, 0, 3000);
    struct batch_options options = by_time(&kit, 10000, 0);
    struct batch_result result = compute_ok(&options, &kit, 2000, &base);
    batch_release(&result);
    use_plan(&kit, HOPPING_PLAN);
    options.plan = kit.plan;
    for (size_t k = 1; k < 3; k++) {
        options.kind = KINDS[k];
        options.base = base.id;
        expect_refused(&options, &kit, 3000, ERR_USAGE, "another plan");
        options.base = NULL; /* none of this plan: it becomes a full one */
        result = compute_ok(&options, &kit, 3000, &found);
        cr_assert_eq(result.kind, k == 1 ? BATCH_FULL : KINDS[k], "upon the full one before");
        batch_release(&result);
        manifest_release(&found);
    }
    manifest_release(&base);
    kit_close(&kit);
}

/* Every row of a partition's file, one after the other as text. */
static int read_rows(const struct kit *kit, const struct manifest *manifest, int partition,
                     struct buf *rows, int room)
{
    struct generation_reader *reader = NULL;
    struct generation_head head;
    struct generation_row row;
    struct err err = {0};
    struct folder *folder = open_folder(kit);
    char *path = folder_file(folder, manifest->id, partition, "");
    int count = 0;
    cr_assert_eq(generation_open(path, NULL, &head, &reader, &err), 0, "%s", err.text);
    for (; generation_next(reader, &row, &err) == 1 && count < room; count++)
        buf_printf(&rows[count], "%.*s %.*s %.*s", (int)row.field.len, row.field.ptr,
                   (int)row.key.len, row.key.ptr, (int)row.partial.len, row.partial.ptr);
    generation_close(reader);
    folder_close(folder);
    free(path);
    return count;
}

/* Write partition 0's file anew with the first and the last cell made wrong, under a checksum that fits. */
static void tamper(const struct kit *kit, struct manifest *manifest)
{
    struct generation_reader *reader = NULL;
    struct generation_writer *writer = NULL;
    struct generation_head head;
    struct generation_row row;
    struct err err = {0};
    struct folder *folder = open_folder(kit);
    char *path = folder_file(folder, manifest->id, 0, "");
    int64_t rows, bytes, cells = 0;
    cr_assert_eq(generation_open(path, NULL, &head, &reader, &err), 0, "%s", err.text);
    while (generation_next(reader, &row, &err) == 1)
        cells += !bytes_equal(row.field, bytes_of(GENERATION_BAD));
    generation_close(reader);
    cr_assert_eq(generation_open(path, NULL, &head, &reader, &err), 0, "%s", err.text);
    cr_assert_eq(generation_create(path, &head, &writer, &err), 0, "%s", err.text);
    for (int64_t i = 0; generation_next(reader, &row, &err) == 1; i++) {
        if (i == 0 || i == cells - 1)
            row.partial = bytes_of("1000000,1000000,1000000");
        cr_assert_eq(generation_add(writer, &row, &err), 0, "%s", err.text);
    }
    cr_assert_eq(generation_finish_take(writer, manifest->files[0].checksum, &rows, &bytes, &err),
                 0);
    generation_close(reader);
    free(path);
    path = folder_path(folder, manifest->id, ".json");
    cr_assert_eq(manifest_write(path, KIT_TOPIC, "v", manifest, &err), 0, "%s", err.text);
    free(path);
    folder_close(folder);
}

enum { ROWS_ROOM = 20000 };

static int count_differing(const struct kit *kit, const struct manifest *a,
                           const struct manifest *b)
{
    struct buf *left = mem_zero(ROWS_ROOM, sizeof *left),
               *right = mem_zero(ROWS_ROOM, sizeof *right);
    int count = read_rows(kit, a, 0, left, ROWS_ROOM), differing = 0;
    cr_assert_eq(read_rows(kit, b, 0, right, ROWS_ROOM), count);
    for (int i = 0; i < count; i++)
        differing += !bytes_equal(buf_bytes(&left[i]), buf_bytes(&right[i]));
    for (int i = 0; i < ROWS_ROOM; i++) {
        buf_release(&left[i]);
        buf_release(&right[i]);
    }
    free(left);
    free(right);
    return differing;
}

Test(batch_kinds, a_wrong_row_with_a_right_checksum_stays_in_incremental_and_outside_stale_buckets)
{
    static const int differing[] = {0, 2, 1};
    struct kit kit;
    struct manifest base, wanted, found;
    kit_open(&kit, 52, 20);
    use_plan(&kit, PLAIN_PLAN);
    kit_fill(&kit, 0, 31000);
    struct batch_options options = by_time(&kit, 10000, -1);
    struct batch_result result = compute_ok(&options, &kit, 30000, &base);
    batch_release(&result);
    result = compute_ok(&options, &kit, 31000, &wanted);
    batch_release(&result);
    tamper(&kit, &base);
    for (size_t k = 0; k < 3; k++) {
        options.kind = KINDS[k];
        options.base = KINDS[k] == BATCH_FULL ? NULL : base.id;
        result = compute_ok(&options, &kit, 31000, &found);
        cr_assert_eq(count_differing(&kit, &wanted, &found), differing[k], "%s: %d",
                     batch_kind_name(KINDS[k]), count_differing(&kit, &wanted, &found));
        batch_release(&result);
        manifest_release(&found);
    }
    manifest_release(&wanted);
    manifest_release(&base);
    kit_close(&kit);
}

static struct batch_result run_ok(struct kv *kv, const struct batch_options *options)
{
    struct batch_result result;
    struct err err = {0};
    cr_assert_eq(batch_run(kv, options, &result, &err), 0, "%s", err.text);
    for (int q = 0; q < KIT_PARTITIONS; q++)
        cr_assert_eq(result.parts[q].publish.state, PUBLISH_DONE, "%s",
                     result.parts[q].publish.why);
    return result;
}

/* What the view says, as one text. */
static struct buf view_text(struct kv *kv)
{
    struct answer answer;
    struct view_query query = {0};
    struct err err = {0};
    struct buf text = {0};
    cr_assert_eq(view_read(kv, "v", ARCH_LAMBDA, &query, &answer, &err), 0, "%s", err.text);
    for (size_t i = 0; i < answer.count; i++)
        answer_row_json(&answer.rows[i], &text);
    answer_release(&answer);
    return text;
}

/* Put a wrong number into every cell of one field of the generation that serves partition 0. */
static void spoil_cells(struct kv *kv)
{
    struct arena arena = {0};
    struct kv_reply *replies;
    struct err err = {0};
    char part[POS_ID_BYTES + 1] = "g";
    struct pos pos = kit_pos(kv, 0);
    memcpy(part + 1, pos.generation, POS_ID_BYTES);
    pos_release(&pos);
    kv_words(kv, "SMEMBERS", key_part(&arena, "v", "l1", 0, part), NULL);
    cr_assert_eq(kv_roundtrip(kv, &replies, &err), 1);
    char *key =
        key_cells(&arena, "v", "l1", 0, part, arena_bytes(&arena, replies[0].items[0].text).ptr);
    kv_words(kv, "HGETALL", key, NULL);
    cr_assert_eq(kv_roundtrip(kv, &replies, &err), 1);
    char *field = (char *)arena_bytes(&arena, replies[0].items[0].text).ptr;
    kv_words(kv, "HSET", key, field, "77,77,77", NULL);
    cr_assert_eq(kv_roundtrip(kv, &replies, &err), 1);
    arena_release(&arena);
}

Test(batch_kinds, a_spoilt_cell_and_a_lost_store_are_healed_from_files_in_every_kind)
{
    for (size_t k = 0; k < 3; k++) {
        struct kit kit;
        kit_open(&kit, 53, 20);
        use_plan(&kit, PLAIN_PLAN);
        kit_fill(&kit, 0, 5000);
        memory_drop("kinds_heal");
        struct kv *kv = kit_kv("memory:kinds_heal");
        struct batch_options options = by_time(&kit, 10000, 0);
        struct batch_result result = run_ok(kv, &options);
        batch_release(&result);
        struct buf before = view_text(kv);
        spoil_cells(kv);
        struct buf spoilt = view_text(kv);
        cr_assert(!bytes_equal(buf_bytes(&before), buf_bytes(&spoilt)));
        kit_fill(&kit, 5000, 5100);
        options.kind = KINDS[k];
        result = run_ok(kv, &options);
        cr_assert_eq(result.kind, KINDS[k]);
        batch_release(&result);
        struct buf healed = view_text(kv);
        kv_close(kv);
        memory_drop("kinds_heal");
        kv = kit_kv("memory:kinds_heal");
        options.reload =
            true; /* what an incremental or by-time batch left is loaded like any other */
        result = run_ok(kv, &options);
        batch_release(&result);
        struct buf again = view_text(kv);
        cr_assert(bytes_equal(buf_bytes(&healed), buf_bytes(&again)));
        memory_drop("kinds_heal");
        kv_close(kv);
        kv = kit_kv("memory:kinds_heal");
        options.reload = false;
        options.kind = BATCH_FULL;
        result = run_ok(kv, &options);
        batch_release(&result);
        struct buf full = view_text(kv);
        cr_assert(bytes_equal(buf_bytes(&healed), buf_bytes(&full)), "%s",
                  batch_kind_name(KINDS[k]));
        struct buf *texts[] = {&before, &spoilt, &healed, &again, &full};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            buf_release(texts[i]);
        kv_close(kv);
        kit_close(&kit);
    }
}

/* pos as a speed layer leaves it that is ahead of every batch. */
static void put_speed(struct kv *kv, const struct kit *kit)
{
    struct arena arena = {0};
    struct kv_reply *replies;
    struct err err = {0};
    for (int q = 0; q < KIT_PARTITIONS; q++) {
        struct kv_args hset =
            args_new(&arena, "HSET", key_pos(&arena, "v", "l1", q), "owner", "somebody", NULL);
        args_pair(&hset, "plan", kit->plan->hash);
        args_int(&hset, "next", 9000);
        args_int(&hset, "from", 0);
        args_pair(&hset, "cuts", "0,500,1000,1500,2000,9000");
        args_queue(&hset, kv);
        cr_assert_eq(kv_roundtrip(kv, &replies, &err), 1);
    }
    arena_release(&arena);
}

Test(batch_kinds, what_was_rolled_back_is_no_base_unless_it_is_named)
{
    struct kit kit;
    struct rollback_result rolled = {0};
    struct err err = {0};
    char first[FOLDER_ID_BYTES], withdrawn[FOLDER_ID_BYTES];
    kit_open(&kit, 55, 20);
    use_plan(&kit, PLAIN_PLAN);
    kit_fill(&kit, 0, 500);
    struct kv *kv = kit_kv("memory:kinds_rolled");
    struct batch_options options = by_time(&kit, 10000, 0);
    options.keep = 10;
    put_speed(kv, &kit);
    struct batch_result result = run_ok(kv, &options);
    memcpy(first, result.generation, sizeof first);
    batch_release(&result);
    kit_fill(&kit, 500, 1000);
    options.kind = BATCH_INCREMENTAL;
    result = run_ok(kv, &options);
    cr_assert_str_eq(result.base, first);
    memcpy(withdrawn, result.generation, sizeof withdrawn);
    batch_release(&result);
    cr_assert_eq(rollback_run(kv, kit.plan, &rolled, &err), 0, "%s", err.text);
    rollback_release(&rolled);
    kit_fill(&kit, 1000, 1500);
    result = run_ok(kv, &options);
    cr_assert_str_eq(result.base, first, "not %s", withdrawn);
    batch_release(&result);
    kit_fill(&kit, 1500, 2000);
    options.base = withdrawn;
    result = run_ok(kv, &options);
    cr_assert_str_eq(result.base, withdrawn);
    batch_release(&result);
    kv_close(kv);
    kit_close(&kit);
}

/* One batch after the other is rolled back; with what is said of the last one, the first of them is no
 * base either. */
Test(batch_kinds, what_was_rolled_back_before_the_last_is_no_base_either)
{
    struct kit kit;
    struct err err = {0};
    char first[FOLDER_ID_BYTES];
    kit_open(&kit, 56, 20);
    use_plan(&kit, PLAIN_PLAN);
    kit_fill(&kit, 0, 500);
    struct kv *kv = kit_kv("memory:kinds_rolled_twice");
    struct batch_options options = by_time(&kit, 10000, 0);
    options.keep = 10;
    put_speed(kv, &kit);
    struct batch_result result = run_ok(kv, &options);
    memcpy(first, result.generation, sizeof first);
    batch_release(&result);
    for (int round = 1; round < 3; round++) {
        struct rollback_result rolled = {0};
        kit_fill(&kit, 500 * round, 500 * round + 500);
        result = run_ok(kv, &options);
        batch_release(&result);
        cr_assert_eq(rollback_run(kv, kit.plan, &rolled, &err), 0, "%s", err.text);
        cr_assert_eq(rolled.withdrawn, round + 1);
        rollback_release(&rolled);
    }
    kit_fill(&kit, 1500, 2000);
    options.kind = BATCH_INCREMENTAL;
    result = run_ok(kv, &options);
    cr_assert_str_eq(result.base, first);
    batch_release(&result);
    kv_close(kv);
    kit_close(&kit);
}

/* The rollback comes between the fold upon the generation that it withdraws and the publish. */
Test(batch_kinds, what_is_rolled_back_while_a_batch_builds_upon_it_does_not_come_back)
{
    struct kit kit;
    struct err err = {0};
    struct rollback_result rolled = {0};
    struct manifest built;
    struct publish_part parts[KIT_PARTITIONS];
    kit_open(&kit, 57, 20);
    use_plan(&kit, PLAIN_PLAN);
    kit_fill(&kit, 0, 500);
    struct kv *kv = kit_kv("memory:kinds_rolled_meanwhile");
    struct batch_options options = by_time(&kit, 10000, 0);
    options.keep = 10;
    put_speed(kv, &kit);
    struct batch_result result = run_ok(kv, &options);
    batch_release(&result);
    kit_fill(&kit, 500, 1000);
    result = run_ok(kv, &options);
    batch_release(&result);
    kit_fill(&kit, 1000, 1500);
    options.kind = BATCH_INCREMENTAL;
    result = compute_ok(&options, &kit, 1500, &built);
    batch_release(&result);
    cr_assert_eq(rollback_run(kv, kit.plan, &rolled, &err), 0, "%s", err.text);
    struct folder *folder = open_folder(&kit);
    const struct publish_options publish = {
        .plan = kit.plan, .version = 1, .folder = folder, .manifest = &built};
    cr_assert_eq(publish_run(kv, &publish, parts, &err), 0, "%s", err.text);
    for (int q = 0; q < KIT_PARTITIONS; q++) {
        cr_assert_eq(parts[q].state, PUBLISH_REFUSED);
        cr_assert(strstr(parts[q].why, "rolled back"), "%s", parts[q].why);
    }
    folder_close(folder);
    manifest_release(&built);
    rollback_release(&rolled);
    result = run_ok(kv, &options); /* the next one goes ahead */
    for (int q = 0; q < KIT_PARTITIONS; q++)
        cr_assert_eq(result.parts[q].publish.state, PUBLISH_DONE, "%s",
                     result.parts[q].publish.why);
    batch_release(&result);
    kv_close(kv);
    kit_close(&kit);
}

/* ---- litter ---- */

Test(batch_kinds, sidecars_live_and_go_with_their_generations)
{
    struct kit kit;
    kit_open(&kit, 54, 20);
    use_plan(&kit, PLAIN_PLAN);
    kit_fill(&kit, 0, 500);
    struct kv *kv = kit_kv("memory:kinds_litter");
    struct batch_options options = by_time(&kit, 10000, 0);
    options.keep = 1;
    struct batch_result result = run_ok(kv, &options);
    batch_release(&result);
    for (int round = 1; round < 4; round++) {
        kit_fill(&kit, 500 * round, 500 * round + 500);
        options.kind = KINDS[round % 3];
        result = run_ok(kv, &options);
        batch_release(&result);
        cr_assert_eq(kit_files(&kit, ".times"), KIT_PARTITIONS, "%d", kit_files(&kit, ".times"));
        cr_assert_eq(kit_files(&kit, ".json"), 1);
    }
    struct err err = {0};
    kit_fill(&kit, 2000, 2500);
    fault_set("generation times:2:error", NULL);
    cr_assert_eq(batch_run(kv, &options, &result, &err), ERR_FULL, "%d %s", err.code, err.text);
    fault_set(NULL, NULL);
    batch_release(&result);
    cr_assert_gt(kit_files(&kit, ".times"), KIT_PARTITIONS, "one is written, and of no generation");
    result = run_ok(kv, &options);
    batch_release(&result);
    cr_assert_eq(kit_files(&kit, ".times"), KIT_PARTITIONS);
    kv_close(kv);
    kit_close(&kit);
}
