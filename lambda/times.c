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

enum { HEAD_BYTES = 16, BLOCK_HEAD_BYTES = 16, SPAN_BYTES = 16, SUM_BYTES = 8 };

static const char MAGIC[8] = {'L', 'K', 'T', 'I', 'M', 0, 0, 1};

int64_t times_begin(const struct times *times, int i)
{
    return i ? times->blocks[i - 1].next : 0;
}

void times_reach(struct times *times, int64_t next)
{
    struct times_block *last = times->count ? &times->blocks[times->count - 1] : NULL;
    int64_t enough = times->offsets_min ? times->offsets_min : TIMES_OFFSETS;
    if (last && last->next - times_begin(times, times->count - 1) < enough) {
        last->next = next;
        return;
    }
    if (times->count == times->capacity) {
        times->capacity = times->capacity ? times->capacity * 2 : 64;
        times->blocks = mem_grow(times->blocks, (size_t)times->capacity * sizeof *times->blocks);
    }
    times->blocks[times->count++] = (struct times_block){.next = next};
    times->hint = 0;
}

/* Does the span, stretched by join_ms, meet another? Then it takes it in. */
static bool stretch(const struct times *times, struct times_span *span, struct times_span other)
{
    if ((int128)other.min_ms > (int128)span->max_ms + times->join_ms ||
        (int128)other.max_ms < (int128)span->min_ms - times->join_ms)
        return false;
    span->min_ms = other.min_ms < span->min_ms ? other.min_ms : span->min_ms;
    span->max_ms = other.max_ms > span->max_ms ? other.max_ms : span->max_ms;
    return true;
}

/* One span of the two neighbours that are the least apart. */
static void join_nearest(struct times_span *spans, int count)
{
    int nearest = 0;
    for (int i = 1; i + 1 < count; i++)
        if ((int128)spans[i + 1].min_ms - spans[i].max_ms <
            (int128)spans[nearest + 1].min_ms - spans[nearest].max_ms)
            nearest = i;
    struct times_span *to = &spans[nearest],
                      *from = to + 1; /* stretched ones may be out of order */
    to->min_ms = from->min_ms < to->min_ms ? from->min_ms : to->min_ms;
    to->max_ms = from->max_ms > to->max_ms ? from->max_ms : to->max_ms;
    memmove(from, from + 1, (size_t)(count - nearest - 2) * sizeof *spans);
}

/* A span of its own, in order of beginnings. */
static void insert(struct times_block *block, struct times_span span)
{
    struct times_span spans[TIMES_SPANS + 1];
    int at = 0, count = block->count;
    while (at < count && block->spans[at].min_ms < span.min_ms)
        at++;
    memcpy(spans, block->spans, (size_t)at * sizeof *spans);
    spans[at] = span;
    memcpy(spans + at + 1, block->spans + at, (size_t)(count - at) * sizeof *spans);
    if (++count > TIMES_SPANS)
        join_nearest(spans, count--);
    memcpy(block->spans, spans, (size_t)count * sizeof *spans);
    block->count = count;
}

void times_see(struct times *times, int64_t min_ms, int64_t max_ms)
{
    struct times_block *block = &times->blocks[times->count - 1];
    const struct times_span span = {min_ms, max_ms};
    if (min_ms > max_ms ||
        (times->hint < block->count && stretch(times, &block->spans[times->hint], span)))
        return;
    for (times->hint = 0; times->hint < block->count; times->hint++)
        if (stretch(times, &block->spans[times->hint], span))
            return;
    insert(block, span);
    times->hint = 0;
}

void times_release(struct times *times)
{
    free(times->blocks);
    *times = (struct times){.join_ms = times->join_ms, .offsets_min = times->offsets_min};
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

/* Not synced: what a lost power leaves of it fails its checksum, and then every block may have every time. */
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
    bool right = fd >= 0 && done == bytes.len;
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
        const struct times_block *block = &times->blocks[i];
        put64(&out, (uint64_t)block->next);
        put64(&out, (uint64_t)block->count);
        for (int k = 0; k < block->count; k++) {
            put64(&out, (uint64_t)block->spans[k].min_ms);
            put64(&out, (uint64_t)block->spans[k].max_ms);
        }
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
    size_t body = file->len - SUM_BYTES;
    return file->len >= HEAD_BYTES + SUM_BYTES && memcmp(file->ptr, MAGIC, sizeof MAGIC) == 0 &&
           XXH3_64bits(file->ptr, body) == get64(file->ptr + body);
}

/* Take in the block at *at, moving on; false where it is none. */
static bool read_block(struct times *out, const char **at, const char *end)
{
    if (end - *at < BLOCK_HEAD_BYTES)
        return false;
    uint64_t spans = get64(*at + 8);
    int64_t next = (int64_t)get64(*at);
    *at += BLOCK_HEAD_BYTES;
    if (spans > TIMES_SPANS || end - *at < (int64_t)spans * SPAN_BYTES)
        return false;
    times_reach(out, next);
    for (uint64_t k = 0; k < spans; k++, *at += SPAN_BYTES)
        times_see(out, (int64_t)get64(*at), (int64_t)get64(*at + 8));
    return true;
}

void times_read(struct times *out, const char *path, int64_t boundary)
{
    struct buf file = {0};
    times_release(out);
    read_file(path, &file);
    bool whole = is_whole(&file);
    const char *at = whole ? file.ptr + HEAD_BYTES : NULL;
    const char *end = whole ? file.ptr + file.len - SUM_BYTES : NULL;
    for (uint64_t left = whole ? get64(file.ptr + 8) : 0; whole && left; left--)
        whole = read_block(out, &at, end);
    buf_release(&file);
    if (whole && (out->count ? out->blocks[out->count - 1].next : 0) == boundary)
        return;
    times_release(out);
    if (boundary == 0)
        return;
    times_reach(out, boundary);
    times_see(out, INT64_MIN, INT64_MAX);
}
