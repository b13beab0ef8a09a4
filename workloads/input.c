/* workloads/input.c - see input.h. The window grows while its reader finds no end of a row in it,
 * up to ROW_MAX bytes: a row that is longer is taken for a file of another kind. */
#include "workloads/input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

enum { CHUNK = 256 << 10, ROW_MAX = 16 << 20 };

struct input {
    FILE *file;
    char *path;
    ZSTD_DStream *zstd; /* NULL: plain */
    char *packed;       /* CHUNK bytes, of which zstd has taken in.pos of in.size */
    ZSTD_inBuffer in;
    size_t frame_left; /* 0: zstd stands between frames */
    struct buf window; /* its bytes before `begin` are taken */
    size_t begin;
    int64_t line;
};

static const unsigned char ZSTD_MAGIC[] = {0x28, 0xb5, 0x2f, 0xfd}, GZIP_MAGIC[] = {0x1f, 0x8b},
                           BOM[] = {0xef, 0xbb, 0xbf};

static bool begins_with(const struct buf *buf, const unsigned char *magic, size_t len)
{
    return buf->len >= len && memcmp(buf->ptr, magic, len) == 0;
}

/* The window holds the file's first bytes as they stand in it: are they packed? */
static int recognize(struct input *input, struct err *err)
{
    if (begins_with(&input->window, GZIP_MAGIC, sizeof GZIP_MAGIC))
        return err_set(err, ERR_USAGE, "%s is gzip; pack it anew: gzip -dc %s | zstd > FILE.zst",
                       input->path, input->path);
    if (!begins_with(&input->window, ZSTD_MAGIC, sizeof ZSTD_MAGIC))
        return 0;
    input->zstd = ZSTD_createDStream();
    input->packed = mem_alloc(CHUNK);
    memcpy(input->packed, input->window.ptr, input->window.len);
    input->in = (ZSTD_inBuffer){input->packed, input->window.len, 0};
    buf_clear(&input->window);
    return input_fill(input, err);
}

int input_open(const char *path, struct input **out, struct err *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return err_errno(err, errno == ENOENT ? ERR_USAGE : ERR_ENV, "cannot open %s", path);
    struct input *input = mem_zero(1, sizeof *input);
    input->file = file;
    input->path = mem_copy_string(path);
    input->line = 1;
    int rc = input_fill(input, err);
    if (rc >= 0)
        rc = recognize(input, err);
    if (rc < 0) {
        input_close(input);
        return rc;
    }
    if (begins_with(&input->window, BOM, sizeof BOM))
        input->begin = sizeof BOM;
    *out = input;
    return 0;
}

void input_close(struct input *input)
{
    if (!input)
        return;
    fclose(input->file);
    ZSTD_freeDStream(input->zstd);
    free(input->packed);
    free(input->path);
    buf_release(&input->window);
    free(input);
}

struct bytes input_window(const struct input *input)
{
    return (struct bytes){input->window.ptr + input->begin, input->window.len - input->begin};
}

/* Read up to CHUNK bytes of the file: how many, 0 at its end. */
static int64_t read_file(struct input *input, char *to, struct err *err)
{
    size_t n = fread(to, 1, CHUNK, input->file);
    if (n == 0 && ferror(input->file))
        return err_errno(err, ERR_ENV, "cannot read %s", input->path);
    return (int64_t)n;
}

/* Unpack some bytes into room: how many, 0 at the end. */
static int64_t unpack(struct input *input, char *to, struct err *err)
{
    ZSTD_outBuffer room = {to, CHUNK, 0};
    while (room.pos == 0) {
        if (input->in.pos == input->in.size) {
            int64_t n = read_file(input, input->packed, err);
            if (n < 0)
                return n;
            if (n == 0 && input->frame_left > 0)
                return err_set(err, ERR_USAGE, "%s is cut short: its zstd frame has no end",
                               input->path);
            if (n == 0)
                return 0;
            input->in = (ZSTD_inBuffer){input->packed, (size_t)n, 0};
        }
        input->frame_left = ZSTD_decompressStream(input->zstd, &room, &input->in);
        if (ZSTD_isError(input->frame_left))
            return err_set(err, ERR_USAGE, "%s is damaged: %s", input->path,
                           ZSTD_getErrorName(input->frame_left));
    }
    return (int64_t)room.pos;
}

int input_fill(struct input *input, struct err *err)
{
    struct buf *window = &input->window;
    if (input->begin > 0) {
        memmove(window->ptr, window->ptr + input->begin, window->len - input->begin);
        window->len -= input->begin;
        input->begin = 0;
    }
    if (window->len > ROW_MAX)
        return err_set(err, ERR_USAGE, "%s:%lld: no end of the row within %d MiB", input->path,
                       (long long)input->line, ROW_MAX >> 20);
    buf_reserve(window, CHUNK);
    char *room = window->ptr + window->len;
    int64_t n = input->zstd ? unpack(input, room, err) : read_file(input, room, err);
    if (n <= 0)
        return (int)n;
    window->len += (size_t)n;
    return 1;
}

void input_take(struct input *input, size_t n)
{
    const char *at = input->window.ptr + input->begin, *end = at + n;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        input->line++;
        at++;
    }
    input->begin += n;
}

int64_t input_line(const struct input *input)
{
    return input->line;
}

const char *input_path(const struct input *input)
{
    return input->path;
}
