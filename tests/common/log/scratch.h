/* tests/common/log/scratch.h - a directory of its own for a test, and logs with numbered records.
 *
 * Values say where they belong ("t/0:17"), so that a reader can check each by itself. */
#ifndef LK_TESTS_SCRATCH_H
#define LK_TESTS_SCRATCH_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log/log.h"

struct scratch {
    char path[64], uri[96]; /* uri: embedded:PATH/log */
};

static inline struct scratch scratch_make(void)
{
    struct scratch scratch = {"/tmp/lk-test-log-XXXXXX", ""};
    cr_assert_not_null(mkdtemp(scratch.path));
    snprintf(scratch.uri, sizeof scratch.uri, "embedded:%s/log", scratch.path);
    return scratch;
}

static inline int scratch_remove_one(const char *path, const struct stat *st, int type,
                                     struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void scratch_remove(const struct scratch *scratch)
{
    nftw(scratch->path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Fails the test with the error's own words. */
#define must(call)                                                                                 \
    do {                                                                                           \
        struct err why = {0};                                                                      \
        cr_assert((call) >= 0, "%s: %s", #call, why.text);                                         \
    } while (0)

static inline struct log *scratch_log(const struct scratch *scratch, int partitions)
{
    struct log *log = NULL;
    must(log_open(scratch->uri, true, &log, &why));
    must(log_create_topic(log, "t", (struct log_shape){.partitions = partitions}, &why));
    return log;
}

/* Append n records whose numbers begin at `from`, padded to at least `bytes` of value. */
static inline void append_numbered(struct log *log, int partition, int64_t from, int n, int bytes)
{
    struct log_record *records = mem_zero((size_t)n, sizeof *records);
    char *values = mem_alloc((size_t)n * (size_t)(bytes + 64));
    for (int i = 0; i < n; i++) {
        char *value = values + (size_t)i * (size_t)(bytes + 64);
        int len = sprintf(value, "t/%d:%" PRId64, partition, from + i);
        if (len < bytes)
            memset(value + len, ' ', (size_t)(bytes - len));
        records[i] = (struct log_record){.value = {value, (size_t)(len < bytes ? bytes : len)},
                                         .due_ns = from + i};
    }
    must(log_append(log, "t", partition, records, n, &why));
    free(records);
    free(values);
}

/* Each record's value, due time and offset must tell the same number. */
static inline void check_numbered(const struct log_batch *batch)
{
    for (int i = 0; i < batch->count; i++) {
        char wanted[64];
        int len = sprintf(wanted, "t/%d:%" PRId64, batch->partition, batch->offset[i]);
        cr_assert(batch->value[i].len >= (size_t)len &&
                      memcmp(batch->value[i].ptr, wanted, (size_t)len) == 0,
                  "offset %" PRId64 " holds \"%.*s\", expected %s", batch->offset[i],
                  (int)(batch->value[i].len < 40 ? batch->value[i].len : 40), batch->value[i].ptr,
                  wanted);
        cr_assert_eq(batch->due_ns[i], batch->offset[i]);
        cr_assert(i == 0 || batch->offset[i] == batch->offset[i - 1] + 1);
    }
}

static inline struct log_reader *open_reader(struct log *log, int partitions)
{
    struct log_reader *reader = NULL;
    int all[LOG_PARTITIONS_MAX];
    for (int p = 0; p < partitions; p++)
        all[p] = p;
    must(log_reader_open(log, "t", all, partitions, &reader, &why));
    return reader;
}

/* Read until nothing comes, checking each record: how many there were. */
static inline int64_t drain_numbered(struct log_reader *reader, int max)
{
    int64_t count = 0;
    for (;;) {
        struct log_batch batch;
        must(log_read(reader, max, 0, &batch, &why));
        if (batch.count == 0)
            return count;
        cr_assert(batch.count <= max);
        check_numbered(&batch);
        count += batch.count;
    }
}

/* Equal, and both there or both not. */
static inline bool same_bytes(struct bytes a, struct bytes b)
{
    return (a.ptr == NULL) == (b.ptr == NULL) && a.len == b.len &&
           (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline int64_t file_bytes(const char *directory, const char *name)
{
    char path[512];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

static inline void write_text(const char *directory, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert(fputs(text, file) >= 0);
    fclose(file);
}

static inline bool says(const struct err *err, const char *words)
{
    return strstr(err->text, words) != NULL;
}

#endif
