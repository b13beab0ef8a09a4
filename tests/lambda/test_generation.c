/* tests/lambda/test_generation.c - a generation file comes back as it was written, or not at all.
 */
#include "lambda/generation.h"

#include "common/base/fault.h"
#include "tests/lambda/kit.h"

static const struct generation_head HEAD = {.plan = "0123456789abcdef0123456789abcdef",
                                            .partition = 2,
                                            .boundary = 1234567890123,
                                            .T_ms = INT64_MIN,
                                            .mark = 17,
                                            .counters = {28, 1, 2, 3, 4, 5, 13}};

static struct generation_row row_of(const char *field, const char *key, const char *partial)
{
    return (struct generation_row){bytes_of(field), bytes_of(key), bytes_of(partial)};
}

static int write_rows(const char *path, const struct generation_row *rows, int count,
                      char checksum[33], struct err *err)
{
    struct generation_writer *writer = NULL;
    int64_t written, bytes;
    cr_assert_eq(generation_create(path, &HEAD, &writer, err), 0, "%s", err->text);
    for (int i = 0; i < count; i++)
        cr_assert_eq(generation_add(writer, &rows[i], err), 0, "%s", err->text);
    int rc = generation_finish_take(writer, checksum, &written, &bytes, err);
    struct stat about;
    if (rc == 0) {
        cr_assert_eq(written, count);
        cr_assert_eq(stat(path, &about), 0);
        cr_assert_eq(about.st_size, bytes);
    }
    return rc;
}

static void expect_rows(const char *path, const char *checksum, const struct generation_row *rows,
                        int count)
{
    struct generation_reader *reader = NULL;
    struct generation_head head;
    struct generation_row row;
    struct err err = {0};
    cr_assert_eq(generation_open(path, checksum, &head, &reader, &err), 0, "%s", err.text);
    cr_assert_eq(memcmp(&head, &HEAD, sizeof head), 0);
    for (int i = 0; i < count; i++) {
        cr_assert_eq(generation_next(reader, &row, &err), 1, "row %d: %s", i, err.text);
        cr_assert(bytes_equal(row.field, rows[i].field) && bytes_equal(row.key, rows[i].key) &&
                      bytes_equal(row.partial, rows[i].partial),
                  "row %d", i);
    }
    cr_assert_eq(generation_next(reader, &row, &err), 0, "%s", err.text);
    generation_close(reader);
}

Test(generation, comes_back_as_it_was_written)
{
    struct kit kit;
    kit_open(&kit, 1, 1);
    char path[96], checksum[33];
    struct err err = {0};
    snprintf(path, sizeof path, "%s/g", kit.dir);
    char *wide = mem_zero(1, 300001); /* wider than a block */
    memset(wide, 'w', 300000);
    struct generation_row *rows = mem_zero(5001, sizeof *rows);
    for (int i = 0; i < 5001; i++)
        rows[i] = row_of("978307200000", i == 2500 ? wide : "[\"ORD\"]", i % 2 ? "17,4" : "-");
    for (int count = 0; count <= 5001; count = count * 70 + 1) {
        cr_assert_eq(write_rows(path, rows, count, checksum, &err), 0, "%s", err.text);
        expect_rows(path, checksum, rows, count);
    }
    cr_assert_eq(write_rows(path, rows, 5001, checksum, &err), 0, "%s", err.text);
    expect_rows(path, checksum, rows, 5001);
    free(rows);
    free(wide);
    kit_close(&kit);
}

static void put_byte(const char *path, long at, int change)
{
    FILE *file = fopen(path, "r+");
    cr_assert_eq(fseek(file, at, SEEK_SET), 0);
    int byte = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(byte ^ change, file);
    fclose(file);
}

Test(generation, any_flipped_byte_and_any_cut_is_wrong_data)
{
    struct kit kit;
    kit_open(&kit, 1, 1);
    char path[96], checksum[33];
    struct err err = {0};
    struct generation_reader *reader = NULL;
    struct generation_head head;
    struct stat about;
    snprintf(path, sizeof path, "%s/g", kit.dir);
    struct generation_row rows[] = {row_of("0", "[]", "1"), row_of("bad", "17", "not JSON")};
    cr_assert_eq(write_rows(path, rows, 2, checksum, &err), 0, "%s", err.text);
    stat(path, &about);
    for (long at = 0; at < about.st_size; at++) {
        put_byte(path, at, 0x10);
        err_clear(&err);
        cr_assert_eq(generation_open(path, NULL, &head, &reader, &err), ERR_DATA, "byte %ld", at);
        put_byte(path, at, 0x10);
    }
    err_clear(&err);
    cr_assert_eq(generation_open(path, "00000000000000000000000000000000", &head, &reader, &err),
                 ERR_DATA);
    for (long size = about.st_size - 1; size >= 0; size--) {
        cr_assert_eq(truncate(path, size), 0);
        err_clear(&err);
        cr_assert_eq(generation_open(path, NULL, &head, &reader, &err), ERR_DATA, "cut to %ld",
                     size);
    }
    kit_close(&kit);
}

Test(generation, a_failing_disk_leaves_no_file_under_its_name)
{
    static const char *const points[] = {"generation temp", "generation sync"};
    struct kit kit;
    kit_open(&kit, 1, 1);
    char path[96], temp[100], checksum[33], fault[64];
    snprintf(path, sizeof path, "%s/g", kit.dir);
    snprintf(temp, sizeof temp, "%s.tmp", path);
    struct generation_row row = row_of("0", "[]", "1");
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct err err = {0};
        snprintf(fault, sizeof fault, "%s:1:error", points[i]);
        cr_assert_eq(fault_set(fault, NULL), 0);
        cr_assert_eq(write_rows(path, &row, 1, checksum, &err), ERR_FULL, "%s", points[i]);
        cr_assert_neq(access(path, F_OK), 0);
        cr_assert_neq(access(temp, F_OK), 0);
    }
    fault_set(NULL, NULL);
    kit_close(&kit);
}
