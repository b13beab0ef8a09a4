/* tests/lambda/test_heals.c - what each kind of batch heals: the table of docs/batch.md. */
#include "lambda/batch.h"

#include "tests/lambda/kinds.h"

Test(heals, a_late_event_is_healed_by_the_next_batch_of_any_kind)
{
    static const struct kinds_event late = {KIT_START_MS + 1, 1, "late"}; /* as old as the first */
    struct kit kit;
    struct manifest wanted, found;
    kinds_open(&kit, 50, 100, KINDS_PLAIN, 30000);
    kinds_fill(&kit, 30000, &late, 1);
    struct batch_options options = kinds_options(&kit, 10000, 0);
    options.base = NULL;
    struct manifest base = kinds_generation(&options, &kit, 30000);
    for (size_t k = 0; k < 3; k++) {
        options.kind = KINDS[k];
        options.base = KINDS[k] == BATCH_FULL ? NULL : base.id;
        struct batch_result result = kinds_computed(&options, &kit, 30001, k ? &found : &wanted);
        if (k)
            kinds_expect_same(&wanted, &found, batch_kind_name(KINDS[k]));
        if (KINDS[k] == BATCH_BY_TIME) /* the late one's, and that of T: no buffer */
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

Test(heals, a_changed_rule_is_healed_by_full_and_refused_by_the_others)
{
    struct kit kit;
    struct manifest found;
    kinds_open(&kit, 51, 100, KINDS_PLAIN, 3000);
    struct batch_options options = kinds_options(&kit, 10000, 0);
    struct manifest base = kinds_generation(&options, &kit, 2000);
    kinds_use(&kit, KINDS_HOPPING);
    options.plan = kit.plan;
    for (size_t k = 1; k < 3; k++) {
        options.kind = KINDS[k];
        options.base = base.id;
        kinds_expect_refused(&options, &kit, 3000, ERR_USAGE, "another plan", "--kind full");
        options.base = NULL; /* none of this plan: it becomes a full one */
        struct batch_result result = kinds_computed(&options, &kit, 3000, &found);
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
    struct folder *folder = kit_folder(kit);
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
    struct folder *folder = kit_folder(kit);
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

Test(heals, a_wrong_row_with_a_right_checksum_stays_in_incremental_and_outside_stale_buckets)
{
    static const int differing[] = {0, 2, 1};
    struct kit kit;
    struct manifest wanted, found;
    kinds_open(&kit, 52, 20, KINDS_PLAIN, 31000);
    struct batch_options options = kinds_options(&kit, 10000, -1);
    struct manifest base = kinds_generation(&options, &kit, 30000);
    wanted = kinds_generation(&options, &kit, 31000);
    tamper(&kit, &base);
    for (size_t k = 0; k < 3; k++) {
        options.kind = KINDS[k];
        options.base = KINDS[k] == BATCH_FULL ? NULL : base.id;
        struct batch_result result = kinds_computed(&options, &kit, 31000, &found);
        cr_assert_eq(count_differing(&kit, &wanted, &found), differing[k], "%s: %d",
                     batch_kind_name(KINDS[k]), count_differing(&kit, &wanted, &found));
        batch_release(&result);
        manifest_release(&found);
    }
    manifest_release(&wanted);
    manifest_release(&base);
    kit_close(&kit);
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

Test(heals, a_spoilt_cell_and_a_lost_store_are_healed_from_files_in_every_kind)
{
    for (size_t k = 0; k < 3; k++) {
        struct kit kit;
        kinds_open(&kit, 53, 20, KINDS_PLAIN, 5000);
        memory_drop("kinds_heal");
        struct kv *kv = kit_kv("memory:kinds_heal");
        struct batch_options options = kinds_options(&kit, 10000, 0);
        kinds_publish(kv, &options);
        struct buf before = view_text(kv);
        spoil_cells(kv);
        struct buf spoilt = view_text(kv);
        cr_assert(!bytes_equal(buf_bytes(&before), buf_bytes(&spoilt)));
        kit_fill(&kit, 5000, 5100);
        options.kind = KINDS[k];
        struct batch_result result = kinds_published(kv, &options);
        cr_assert_eq(result.kind, KINDS[k]);
        batch_release(&result);
        struct buf healed = view_text(kv);
        kv_close(kv);
        memory_drop("kinds_heal");
        kv = kit_kv("memory:kinds_heal");
        options.reload = true; /* what any kind of batch has left is loaded */
        kinds_publish(kv, &options);
        struct buf again = view_text(kv);
        cr_assert(bytes_equal(buf_bytes(&healed), buf_bytes(&again)));
        memory_drop("kinds_heal");
        kv_close(kv);
        kv = kit_kv("memory:kinds_heal");
        options.reload = false;
        options.kind = BATCH_FULL;
        kinds_publish(kv, &options);
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
