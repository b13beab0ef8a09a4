/* tests/common/log/test_embedded.c - the embedded log in one process: what goes in comes out. */
#include "common/base/clock.h"
#include "common/base/rng.h"
#include "tests/common/log/scratch.h"

Test(embedded, keeps_order_and_gives_consecutive_offsets)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 1);
    const int counts[] = {1, 5, 4096, 3, 10000, 1};
    int64_t total = 0;
    for (int i = 0; i < 6; i++) {
        append_numbered(log, 0, total, counts[i], 0);
        total += counts[i];
    }
    struct log_reader *reader = open_reader(log, 1);
    cr_expect_eq(drain_numbered(reader, LOG_BATCH_MAX), total);
    log_reader_close(reader);
    log_close(log);
    scratch_remove(&scratch);
}

Test(embedded, a_read_never_gives_more_than_max_and_loses_nothing)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 2);
    append_numbered(log, 0, 0, 5000, 300); /* more than one fill */
    append_numbered(log, 1, 0, 77, 0);
    const int maxima[] = {1, 7, 1000, LOG_BATCH_MAX};
    for (int i = 0; i < 4; i++) {
        struct log_reader *reader = open_reader(log, 2);
        cr_expect_eq(drain_numbered(reader, maxima[i]), 5077, "max %d", maxima[i]);
        log_reader_close(reader);
    }
    log_close(log);
    scratch_remove(&scratch);
}

/* Every kind of record: no key, empty key, empty value, binary, larger than a block. */
Test(embedded, returns_every_byte_of_keys_and_values)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 1);
    enum { N = 3000, BIG = 700000 };
    static char big[BIG];
    static struct log_record records[N];
    struct rng rng;
    rng_init(&rng, 20010901);
    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)rng_u64(&rng);
    for (int i = 0; i < N; i++) {
        size_t key = rng_below(&rng, 30), value = rng_below(&rng, 500);
        size_t large = i % 1000 == 17 ? BIG - N : value;
        records[i] = (struct log_record){.key = {i % 3 ? big + i : NULL, i % 3 ? key : 0},
                                         .value = {big + i / 2, large},
                                         .due_ns = (int64_t)rng_u64(&rng)};
    }
    for (int i = 0; i < N; i += 500)
        must(log_append(log, "t", 0, records + i, 500, &why));
    struct log_reader *reader = open_reader(log, 1);
    struct log_batch batch;
    for (int at = 0; at < N; at += batch.count) {
        must(log_read(reader, 100, 0, &batch, &why));
        cr_assert_gt(batch.count, 0);
        for (int i = 0; i < batch.count; i++) {
            const struct log_record *record = &records[at + i];
            cr_assert_eq(batch.offset[i], at + i);
            cr_assert_eq(batch.due_ns[i], record->due_ns);
            cr_assert(same_bytes(batch.key[i], record->key), "key of %d", at + i);
            cr_assert(same_bytes(batch.value[i], record->value), "value of %d", at + i);
        }
        cr_assert_eq(batch.next, at + batch.count);
    }
    log_reader_close(reader);
    log_close(log);
    scratch_remove(&scratch);
}

Test(embedded, refuses_a_record_that_is_too_large)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 1);
    char byte = 0;
    struct log_record record = {.value = {&byte, (size_t)65 << 20}};
    struct err err = {0};
    cr_expect_eq(log_append(log, "t", 0, &record, 1, &err), ERR_USAGE, "%s", err.text);
    log_close(log);
    scratch_remove(&scratch);
}

Test(embedded, log_time_never_falls_when_the_clock_does)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 1);
    const int64_t clock[] = {5000, 6000, 5500, 6000, 7000};
    const int64_t wanted[] = {5000, 6000, 6000, 6000, 7000};
    for (int i = 0; i < 5; i++) {
        clock_freeze(0, clock[i]);
        append_numbered(log, 0, i, 1, 0);
    }
    must(log_trim(log, "t", 0, 5, &why)); /* nor across a trim of everything */
    clock_freeze(0, 1000);
    append_numbered(log, 0, 5, 1, 0);
    clock_free_run();
    struct log_reader *reader = open_reader(log, 1);
    struct log_batch batch;
    must(log_seek(reader, 0, 5, &why));
    must(log_read(reader, 10, 0, &batch, &why));
    cr_expect_eq(batch.time_ms[0], wanted[4]);
    log_reader_close(reader);
    log_close(log);
    scratch_remove(&scratch);
}

Test(embedded, finds_the_offset_of_a_time)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 1);
    for (int i = 0; i < 50; i++) { /* 3 records at 1000, 3 at 1010 ... */
        clock_freeze(0, 1000 + 10 * i);
        append_numbered(log, 0, 3 * i, 3, i % 7 ? 0 : 3000);
    }
    clock_free_run();
    const int64_t rows[][2] = {{0, 0},     {1000, 0},   {1001, 3},   {1010, 3},
                               {1245, 75}, {1490, 147}, {1491, 150}, {9999, 150}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t offset = -1;
        must(log_offset_at(log, "t", 0, rows[i][0], &offset, &why));
        cr_expect_eq(offset, rows[i][1], "time %" PRId64 ": %" PRId64, rows[i][0], offset);
    }
    log_close(log);
    scratch_remove(&scratch);
}

/* How many of the next `reads` reads are of partition 0. */
static int reads_of_0(struct log_reader *reader, int reads)
{
    int count = 0;
    for (int i = 0; i < reads; i++) {
        struct log_batch batch;
        must(log_read(reader, LOG_BATCH_MAX, 0, &batch, &why));
        cr_assert_gt(batch.count, 0);
        check_numbered(&batch);
        count += batch.partition == 0;
    }
    return count;
}

Test(embedded, partitions_take_turns_and_a_paused_one_waits)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 2);
    for (int p = 0; p < 2; p++)
        append_numbered(log, p, 0, 100000, 100);
    struct log_reader *reader = open_reader(log, 2);
    int of_0 = reads_of_0(reader, 16);
    cr_expect(of_0 >= 4 && of_0 <= 12, "%d of 16 reads", of_0);
    struct log_batch batch;
    do /* until partition 0 is in the middle of what was copied */
        must(log_read(reader, 10, 0, &batch, &why));
    while (batch.partition != 0);
    log_pause(reader, 0, true);
    cr_expect_eq(reads_of_0(reader, 5), 0);
    log_pause(reader, 0, false);
    log_pause(reader, 1, true);
    cr_expect_eq(reads_of_0(reader, 5), 5);
    log_pause(reader, 1, false);
    must(log_seek(reader, 0, 0, &why));
    must(log_seek(reader, 1, 0, &why));
    cr_expect_eq(drain_numbered(reader, 1000), 200000);
    log_reader_close(reader);
    log_close(log);
    scratch_remove(&scratch);
}

Test(embedded, goes_on_from_any_position)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 1);
    for (int i = 0; i < 10; i++)
        append_numbered(log, 0, 100 * i, 100, 50);
    struct log_reader *reader = open_reader(log, 1);
    for (int64_t position = 1000; position >= 0; position -= 37) {
        must(log_seek(reader, 0, position, &why));
        cr_assert_eq(drain_numbered(reader, 64), 1000 - position);
    }
    must(log_seek(reader, 0, LOG_END, &why));
    append_numbered(log, 0, 1000, 5, 0);
    cr_expect_eq(drain_numbered(reader, 64), 5);
    log_reader_close(reader);
    log_close(log);
    scratch_remove(&scratch);
}

Test(embedded, gets_one_record_without_disturbing_a_read)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 1);
    for (int i = 0; i < 10; i++)
        append_numbered(log, 0, 7 * i, 7, 0);
    struct log_reader *reader = open_reader(log, 1);
    struct log_batch batch, single;
    must(log_read(reader, 3, 0, &batch, &why));
    for (int64_t offset = 69; offset >= 0; offset--) {
        must(log_get(reader, 0, offset, &single, &why));
        cr_assert_eq(single.count, 1);
        cr_assert_eq(single.offset[0], offset);
        check_numbered(&single);
    }
    check_numbered(&batch);
    cr_expect_eq(log_get(reader, 0, 70, &single, NULL), 0);
    cr_expect_eq(drain_numbered(reader, 10), 67);
    log_reader_close(reader);
    log_close(log);
    scratch_remove(&scratch);
}

Test(embedded, a_trim_deletes_whole_blocks_and_says_what_is_left)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 1);
    int64_t first, end;
    for (int i = 0; i < 10; i++)
        append_numbered(log, 0, 10 * i, 10, 0);
    const int64_t rows[][2] = {{0, 0}, {9, 0}, {10, 10}, {35, 30}, {20, 30}, {1000, 100}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        must(log_trim(log, "t", 0, rows[i][0], &why));
        must(log_range(log, "t", 0, &first, &end, &why));
        cr_expect_eq(first, rows[i][1], "before %" PRId64 ": %" PRId64, rows[i][0], first);
        cr_expect_eq(end, 100);
    }
    append_numbered(log, 0, 100, 3, 0); /* offsets go on where they were */
    log_close(log);
    must(log_open(scratch.uri, false, &log, &why));
    must(log_range(log, "t", 0, &first, &end, &why));
    cr_expect(first == 100 && end == 103);
    log_close(log);
    scratch_remove(&scratch);
}

Test(embedded, a_position_outside_the_log_is_gone_never_a_reset)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 1);
    for (int i = 0; i < 3; i++)
        append_numbered(log, 0, 3 * i, 3, 0);
    struct log_reader *reader = open_reader(log, 1);
    struct log_batch batch;
    must(log_seek(reader, 0, 5, &why));
    must(log_trim(log, "t", 0, 9, &why));
    struct err err = {0};
    cr_expect_eq(log_read(reader, 10, 0, &batch, &err), ERR_GONE);
    cr_expect(says(&err, "offset 5 is gone: partition 0 of topic t begins at 9"), "%s", err.text);
    err_clear(&err);
    cr_expect_eq(log_seek(reader, 0, 8, &err), ERR_GONE);
    cr_expect(says(&err, "offset 8 is gone"), "%s", err.text);
    err_clear(&err);
    cr_expect_eq(log_seek(reader, 0, 10, &err), ERR_GONE);
    cr_expect(says(&err, "offset 10 is not there: partition 0 of topic t ends at 9"), "%s",
              err.text);
    cr_expect_eq(log_seek(reader, 0, 9, NULL), 0);
    log_reader_close(reader);
    log_close(log);
    scratch_remove(&scratch);
}

Test(embedded, topics_of_one_directory_do_not_mix)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 2);
    must(log_create_topic(log, "other", (struct log_shape){.partitions = 2}, &why));
    struct log_record record = {.value = bytes_of("x")};
    must(log_append(log, "other", 0, &record, 1, &why));
    append_numbered(log, 0, 0, 4, 0);
    struct log_reader *reader = open_reader(log, 2);
    cr_expect_eq(drain_numbered(reader, 10), 4);
    log_reader_close(reader);
    log_close(log);
    scratch_remove(&scratch);
}

Test(embedded, two_openings_of_one_directory_in_a_process_share_it)
{
    struct scratch scratch = scratch_make();
    struct log *writer = scratch_log(&scratch, 1), *log = NULL;
    must(log_open(scratch.uri, false, &log, &why));
    struct log_reader *reader = open_reader(log, 1);
    append_numbered(writer, 0, 0, 4, 0);
    log_close(writer);
    cr_expect_eq(drain_numbered(reader, 10), 4);
    append_numbered(log, 0, 4, 4, 0);
    cr_expect_eq(drain_numbered(reader, 10), 4);
    log_reader_close(reader);
    log_close(log);
    scratch_remove(&scratch);
}

Test(embedded, a_directory_made_anew_is_another_log)
{
    struct scratch scratch = scratch_make();
    struct log *old = scratch_log(&scratch, 1);
    append_numbered(old, 0, 0, 9, 0);
    char path[128];
    snprintf(path, sizeof path, "%s/log", scratch.path);
    nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    struct log *new = scratch_log(&scratch, 1);
    int64_t first, end;
    must(log_range(new, "t", 0, &first, &end, &why));
    cr_expect_eq(end, 0);
    log_close(new);
    log_close(old);
    scratch_remove(&scratch);
}

Test(embedded, a_reader_at_the_end_of_a_log_that_was_deleted_says_so)
{
    for (int anew = 0; anew < 2; anew++) {
        struct scratch scratch = scratch_make();
        struct log *log = scratch_log(&scratch, 1), *other = NULL;
        append_numbered(log, 0, 0, 10, 0);
        struct log_reader *reader = open_reader(log, 1);
        struct log_batch batch;
        struct err err = {0};
        cr_expect_eq(drain_numbered(reader, LOG_BATCH_MAX), 10);
        clock_freeze(clock_mono_ns() + 2000000000, clock_wall_ms()); /* it looks twice a second */
        nftw(scratch.uri + strlen("embedded:"), scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
        if (anew)
            must(log_open(scratch.uri, true, &other, &why));
        cr_expect_eq(log_read(reader, LOG_BATCH_MAX, 0, &batch, &err), ERR_DATA);
        cr_expect_not_null(
            strstr(err.text, anew ? "was deleted and made anew" : "was deleted while"), "%s",
            err.text);
        clock_free_run();
        log_reader_close(reader);
        log_close(log);
        if (other)
            log_close(other);
        scratch_remove(&scratch);
    }
}
