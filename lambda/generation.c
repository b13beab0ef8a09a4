/* lambda/generation.c - see generation.h for the bytes.
 *
 * Both sides work through one block of 64 KiB (more only for a longer row), so a generation larger
 * than memory is written, checked and loaded alike. */
#include "lambda/generation.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/base/fault.h"

enum { BLOCK_BYTES = 64 * 1024, HEAD_BYTES = 128, TAIL_BYTES = 4 + 8 + 16, ROW_HEAD_BYTES = 12 };

static const char MAGIC[8] = {'L', 'K', 'G', 'E', 'N', 0, 0, 1};
static const uint32_t END_MARK = 0xffffffff;

struct generation_writer {
    char *path, *temp;
    int fd;
    struct buf out;
    XXH3_state_t *sum;
    int64_t rows, bytes;
};

struct generation_reader {
    char *path;
    int fd;
    struct buf block;
    size_t used;  /* bytes of block that are consumed */
    int64_t left; /* bytes of the file that are not in block yet, the tail apart */
    int64_t rows;
};

static void put32(struct buf *out, uint32_t value)
{
    value = htole32(value);
    buf_add(out, &value, sizeof value);
}

static void put64(struct buf *out, int64_t value)
{
    uint64_t word = htole64((uint64_t)value);
    buf_add(out, &word, sizeof word);
}

static uint32_t get32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static int64_t get64(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return (int64_t)le64toh(value);
}

static void sum_text(XXH128_hash_t sum, unsigned char bytes[16], char text[33])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, sum);
    memcpy(bytes, canonical.digest, sizeof canonical.digest);
    for (int i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", canonical.digest[i]);
}

/* ---- writing ---- */

static void head_put(const struct generation_head *head, struct buf *out)
{
    const struct counters *c = &head->counters;
    buf_add(out, MAGIC, sizeof MAGIC);
    buf_add(out, head->plan, 32);
    const int64_t numbers[] = {head->partition, head->boundary, head->T_ms,  head->mark,
                               c->read,         c->folded,      c->filtered, c->late,
                               c->duplicate,    c->bad,         c->skipped};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        put64(out, numbers[i]);
}

static int flush(struct generation_writer *writer, struct err *err)
{
    size_t done = 0;
    while (done < writer->out.len) {
        ssize_t n = write(writer->fd, writer->out.ptr + done, writer->out.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, ERR_ENV, "cannot write %s", writer->temp);
        done += (size_t)n;
    }
    writer->bytes += (int64_t)done;
    buf_clear(&writer->out);
    return 0;
}

static int hash_and_flush(struct generation_writer *writer, struct err *err)
{
    XXH3_128bits_update(writer->sum, writer->out.ptr, writer->out.len);
    return flush(writer, err);
}

static void writer_free(struct generation_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    XXH3_freeState(writer->sum);
    buf_release(&writer->out);
    free(writer->path);
    free(writer->temp);
    free(writer);
}

void generation_abandon(struct generation_writer *writer)
{
    if (!writer)
        return;
    unlink(writer->temp);
    writer_free(writer);
}

int generation_create(const char *path, const struct generation_head *head,
                      struct generation_writer **out, struct err *err)
{
    struct generation_writer *writer = mem_zero(1, sizeof *writer);
    struct buf temp = {0};
    buf_printf(&temp, "%s.tmp", path);
    writer->path = mem_copy_string(path);
    writer->temp = temp.ptr;
    writer->sum = XXH3_createState();
    XXH3_128bits_reset(writer->sum);
    writer->fd = open(writer->temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (writer->fd < 0) {
        int rc = err_errno(err, ERR_ENV, "cannot make %s", writer->temp);
        writer_free(writer);
        return rc;
    }
    head_put(head, &writer->out);
    *out = writer;
    return 0;
}

int generation_add(struct generation_writer *writer, const struct generation_row *row,
                   struct err *err)
{
    const struct bytes *texts[] = {&row->field, &row->key, &row->partial};
    for (int i = 0; i < 3; i++) {
        assert(texts[i]->len < END_MARK);
        put32(&writer->out, (uint32_t)texts[i]->len);
    }
    for (int i = 0; i < 3; i++)
        buf_add(&writer->out, texts[i]->ptr, texts[i]->len);
    writer->rows++;
    return writer->out.len >= BLOCK_BYTES ? hash_and_flush(writer, err) : 0;
}

/* A planted failure of the disk. */
static bool fails(const char *point)
{
    if (!fault_point(point))
        return false;
    errno = ENOSPC;
    return true;
}

static int finish(struct generation_writer *writer, char checksum[33], struct err *err)
{
    unsigned char sum[16];
    put32(&writer->out, END_MARK);
    put64(&writer->out, writer->rows);
    int rc = hash_and_flush(writer, err);
    if (rc)
        return rc;
    sum_text(XXH3_128bits_digest(writer->sum), sum, checksum);
    buf_add(&writer->out, sum, sizeof sum);
    if ((rc = flush(writer, err)))
        return rc;
    if (fails("generation temp"))
        return err_errno(err, ERR_ENV, "cannot write %s", writer->temp);
    if (fsync(writer->fd) || fails("generation sync"))
        return err_errno(err, ERR_ENV, "cannot sync %s", writer->temp);
    if (rename(writer->temp, writer->path) || fails("generation rename"))
        return err_errno(err, ERR_ENV, "cannot rename %s", writer->temp);
    return 0;
}

int generation_finish_take(struct generation_writer *writer, char checksum[33], int64_t *rows,
                           int64_t *bytes, struct err *err)
{
    int rc = finish(writer, checksum, err);
    *rows = writer->rows;
    *bytes = writer->bytes;
    if (rc)
        unlink(writer->temp);
    writer_free(writer);
    return rc;
}

/* ---- reading ---- */

static int damaged(const struct generation_reader *reader, const char *how, struct err *err)
{
    return err_set(err, ERR_DATA,
                   "the generation file %s %s; remove its manifest and run: lk lambda batch",
                   reader->path, how);
}

/* Read exactly bytes. */
static int read_all(const struct generation_reader *reader, char *to, size_t bytes, struct err *err)
{
    while (bytes) {
        ssize_t n = read(reader->fd, to, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, ERR_ENV, "cannot read %s", reader->path);
        if (n == 0)
            return damaged(reader, "ends too early", err);
        to += n;
        bytes -= (size_t)n;
    }
    return 0;
}

/* Read the file from its start to its end, and compare what it says of itself. */
static int check(struct generation_reader *reader, const char *checksum, struct err *err)
{
    int64_t size = lseek(reader->fd, 0, SEEK_END);
    if (size < HEAD_BYTES + TAIL_BYTES || lseek(reader->fd, 0, SEEK_SET))
        return damaged(reader, "is too short to be one", err);
    XXH3_state_t *state = XXH3_createState();
    XXH3_128bits_reset(state);
    buf_reserve(&reader->block, BLOCK_BYTES);
    int rc = 0;
    for (int64_t left = size - 16; rc == 0 && left;) {
        size_t n = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
        rc = read_all(reader, reader->block.ptr, n, err);
        if (rc == 0)
            XXH3_128bits_update(state, reader->block.ptr, n);
        left -= (int64_t)n;
    }
    char said[16], text[33];
    unsigned char sum[16];
    sum_text(XXH3_128bits_digest(state), sum, text);
    XXH3_freeState(state);
    if (rc == 0)
        rc = read_all(reader, said, sizeof said, err);
    if (rc)
        return rc;
    if (memcmp(said, sum, sizeof sum))
        return damaged(reader, "is damaged: its checksum is not that of its bytes", err);
    if (checksum && strcmp(checksum, text))
        return damaged(reader, "is not the one that its manifest names", err);
    reader->left = size - 16;
    return lseek(reader->fd, 0, SEEK_SET) ? err_errno(err, ERR_ENV, "cannot read %s", reader->path)
                                          : 0;
}

/* Have at least bytes ahead in the block. */
static int fill(struct generation_reader *reader, size_t bytes, struct err *err)
{
    struct buf *block = &reader->block;
    if (block->len - reader->used >= bytes)
        return 0;
    if (reader->used)
        memmove(block->ptr, block->ptr + reader->used, block->len - reader->used);
    block->len -= reader->used;
    reader->used = 0;
    if ((int64_t)(bytes - block->len) > reader->left)
        return damaged(reader, "ends inside a row", err);
    size_t more = (bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES) - block->len;
    if ((int64_t)more > reader->left)
        more = (size_t)reader->left;
    buf_reserve(block, more);
    int rc = read_all(reader, block->ptr + block->len, more, err);
    block->len += more;
    reader->left -= (int64_t)more;
    return rc;
}

static int head_get(struct generation_reader *reader, struct generation_head *head, struct err *err)
{
    int rc = fill(reader, HEAD_BYTES, err);
    if (rc)
        return rc;
    const char *at = reader->block.ptr;
    if (memcmp(at, MAGIC, sizeof MAGIC))
        return damaged(reader, "is not one of format 1", err);
    *head = (struct generation_head){0};
    memcpy(head->plan, at + 8, 32);
    head->partition = (int)get64(at + 40);
    head->boundary = get64(at + 48);
    head->T_ms = get64(at + 56);
    head->mark = get64(at + 64);
    struct counters *c = &head->counters;
    int64_t *counts[] = {&c->read,      &c->folded, &c->filtered, &c->late,
                         &c->duplicate, &c->bad,    &c->skipped};
    for (int i = 0; i < 7; i++)
        *counts[i] = get64(at + 72 + 8 * i);
    reader->used = HEAD_BYTES;
    return 0;
}

int generation_open(const char *path, const char *checksum, struct generation_head *head,
                    struct generation_reader **out, struct err *err)
{
    struct generation_reader *reader = mem_zero(1, sizeof *reader);
    reader->path = mem_copy_string(path);
    reader->fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = reader->fd < 0 ? err_errno(err, ERR_ENV, "cannot open %s", path) : 0;
    if (rc == 0)
        rc = check(reader, checksum, err);
    if (rc == 0)
        rc = head_get(reader, head, err);
    if (rc == 0)
        *out = reader;
    else
        generation_close(reader);
    return rc;
}

int generation_next(struct generation_reader *reader, struct generation_row *row, struct err *err)
{
    int rc = fill(reader, 4, err);
    if (rc)
        return rc;
    if (get32(reader->block.ptr + reader->used) == END_MARK) {
        rc = fill(reader, 12, err);
        if (rc == 0 && get64(reader->block.ptr + reader->used + 4) != reader->rows)
            rc = damaged(reader, "has not the rows that it says", err);
        return rc;
    }
    if ((rc = fill(reader, ROW_HEAD_BYTES, err)))
        return rc;
    const char *at = reader->block.ptr + reader->used;
    size_t field = get32(at), key = get32(at + 4), partial = get32(at + 8);
    if ((rc = fill(reader, ROW_HEAD_BYTES + field + key + partial, err)))
        return rc;
    at = reader->block.ptr + reader->used + ROW_HEAD_BYTES;
    *row = (struct generation_row){{at, field}, {at + field, key}, {at + field + key, partial}};
    reader->used += ROW_HEAD_BYTES + field + key + partial;
    reader->rows++;
    return 1;
}

void generation_close(struct generation_reader *reader)
{
    if (!reader)
        return;
    if (reader->fd >= 0)
        close(reader->fd);
    buf_release(&reader->block);
    free(reader->path);
    free(reader);
}
