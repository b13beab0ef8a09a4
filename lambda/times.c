/* lambda/times.c - see times.h for the bytes. */
#include "lambda/times.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/base/bytes.h"
#include "common/base/fault.h"

enum { HEAD_BYTES = 16, BLOCK_BYTES = 24, SUM_BYTES = 8 };

static const char MAGIC[8] = {'L', 'K', 'T', 'I', 'M', 0, 0, 1};

int64_t times_begin(const struct times *times, int i)
{
    return i ? times->blocks[i - 1].next : 0;
}

void times_add(struct times *times, int64_t next, int64_t min_ms, int64_t max_ms)
{
    struct times_block *last = times->count ? &times->blocks[times->count - 1] : NULL;
    int64_t enough = times->offsets_min ? times->offsets_min : TIMES_OFFSETS;
    if (last && last->next - times_begin(times, times->count - 1) < enough) {
        last->next = next;
        last->min_ms = min_ms < last->min_ms ? min_ms : last->min_ms;
        last->max_ms = max_ms > last->max_ms ? max_ms : last->max_ms;
        return;
    }
    if (times->count == times->capacity) {
        times->capacity = times->capacity ? times->capacity * 2 : 64;
        times->blocks = mem_grow(times->blocks, (size_t)times->capacity * sizeof *times->blocks);
    }
    times->blocks[times->count++] = (struct times_block){next, min_ms, max_ms};
}

void times_release(struct times *times)
{
    free(times->blocks);
    *times = (struct times){.offsets_min = times->offsets_min};
}

static void put64(struct buf *out, uint64_t value)
{
    value = htole64(value);
    buf_add(out, &value, sizeof value);
}

static uint64_t get64(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

static int write_all(const char *path, struct bytes bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    size_t done = 0;
    while (fd >= 0 && done < bytes.len) {
        ssize_t n = write(fd, bytes.ptr + done, bytes.len - done);
        if (n < 0)
            break;
        done += (size_t)n;
    }
    bool right = fd >= 0 && done == bytes.len && fsync(fd) == 0;
    if (right && fault_point("generation times")) {
        errno = ENOSPC;
        right = false;
    }
    if (fd >= 0)
        close(fd);
    return right ? 0 : -1;
}

int times_write(const struct times *times, const char *path, struct err *err)
{
    struct buf out = {0};
    buf_add(&out, MAGIC, sizeof MAGIC);
    put64(&out, (uint64_t)times->count);
    for (int i = 0; i < times->count; i++) {
        put64(&out, (uint64_t)times->blocks[i].next);
        put64(&out, (uint64_t)times->blocks[i].min_ms);
        put64(&out, (uint64_t)times->blocks[i].max_ms);
    }
    put64(&out, XXH3_64bits(out.ptr, out.len));
    int rc =
        write_all(path, buf_bytes(&out)) ? err_errno(err, ERR_ENV, "cannot write %s", path) : 0;
    buf_release(&out);
    return rc;
}

/* The whole file, or nothing. */
static void read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "r");
    size_t n = 1;
    while (file && n) {
        buf_reserve(out, 64 * 1024);
        n = fread(out->ptr + out->len, 1, 64 * 1024, file);
        out->len += n;
    }
    if (file)
        fclose(file);
}

static bool is_whole(const struct buf *file)
{
    if (file->len < HEAD_BYTES + SUM_BYTES || memcmp(file->ptr, MAGIC, sizeof MAGIC) != 0)
        return false;
    size_t body = file->len - SUM_BYTES;
    return (body - HEAD_BYTES) % BLOCK_BYTES == 0 &&
           (body - HEAD_BYTES) / BLOCK_BYTES == get64(file->ptr + 8) &&
           XXH3_64bits(file->ptr, body) == get64(file->ptr + body);
}

void times_read(struct times *out, const char *path, int64_t boundary)
{
    struct buf file = {0};
    times_release(out);
    read_file(path, &file);
    size_t blocks = is_whole(&file) ? get64(file.ptr + 8) : 0;
    for (size_t i = 0; i < blocks; i++) {
        const char *at = file.ptr + HEAD_BYTES + i * BLOCK_BYTES;
        times_add(out, (int64_t)get64(at), (int64_t)get64(at + 8), (int64_t)get64(at + 16));
    }
    buf_release(&file);
    int64_t end = out->count ? out->blocks[out->count - 1].next : 0;
    if (end == boundary)
        return;
    times_release(out);
    if (boundary > 0)
        times_add(out, boundary, INT64_MIN, INT64_MAX);
}
