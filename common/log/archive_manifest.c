/* common/log/archive_manifest.c - the list of a partition's segments, one JSON line each.
 *
 * A line is written after its segment's file is durable, so what the manifest names is there. A
 * writer that is killed in a line leaves it without its newline: a reader does not see it, the next
 * writer cuts it off. Lines follow each other without a hole: from = the next of the line before.
 * Lines are appended; where segments are merged or written anew, a new file takes the old one's place. A
 * reader notices that by its last line, which then stands elsewhere, and takes in all of it again. */
#include "common/log/archive_files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "%020" PRId64 "-%020" PRId64 ".jsonl.zst"

void archive_manifest_init(struct archive_manifest *manifest, const char *directory,
                           const char *topic, int partition)
{
    *manifest = (struct archive_manifest){0};
    buf_printf(&manifest->directory, "%s/%s/%d", directory, topic, partition);
}

void archive_manifest_release(struct archive_manifest *manifest)
{
    free(manifest->entries);
    buf_release(&manifest->directory);
}

void archive_path(const struct archive_manifest *manifest, int64_t first, int64_t last,
                  struct buf *path)
{
    buf_clear(path);
    buf_printf(path, "%s/" NAME, manifest->directory.ptr, first, last);
}

static int open_manifest(const struct archive_manifest *manifest, int flags)
{
    struct buf path = {0};
    buf_printf(&path, "%s/manifest", manifest->directory.ptr);
    int fd = open(path.ptr, flags | O_CLOEXEC, 0666);
    buf_release(&path);
    return fd;
}

static int bad_line(const struct archive_manifest *manifest, const char *what, struct err *err)
{
    return err_set(err, ERR_DATA,
                   "%s/manifest: line %d %s; move the topic's directory away and run "
                   "`lk lambda archive` again",
                   manifest->directory.ptr, manifest->count + 1, what);
}

static bool parse_line(const char *line, struct archive_entry *entry)
{
    int end = 0;
    *entry = (struct archive_entry){0};
    int got = sscanf(
        line,
        "{\"file\":\"%*[^\"]\",\"from\":%" SCNd64 ",\"first\":%" SCNd64 ",\"last\":%" SCNd64
        ",\"next\":%" SCNd64 ",\"events\":%" SCNd64 ",\"raw_bytes\":%" SCNd64 ",\"bytes\":%" SCNd64
        ",\"time\":%" SCNd64 ",\"xxh128\":\"%16" SCNx64 "%16" SCNx64 "\"}%n",
        &entry->from, &entry->first, &entry->last, &entry->next, &entry->events, &entry->raw_bytes,
        &entry->bytes, &entry->time_ms, &entry->hash[0], &entry->hash[1], &end);
    return got == 10 && end > 0 && line[end] == 0 && entry->from <= entry->first &&
           entry->first <= entry->last && entry->last < entry->next;
}

static void add_line(struct buf *buf, const struct archive_entry *entry)
{
    buf_printf(buf,
               "{\"file\":\"" NAME "\",\"from\":%" PRId64 ",\"first\":%" PRId64 ",\"last\":%" PRId64
               ",\"next\":%" PRId64 ",\"events\":%" PRId64 ",\"raw_bytes\":%" PRId64
               ",\"bytes\":%" PRId64 ",\"time\":%" PRId64 ",\"xxh128\":\"%016" PRIx64 "%016" PRIx64
               "\"}\n",
               entry->first, entry->last, entry->from, entry->first, entry->last, entry->next,
               entry->events, entry->raw_bytes, entry->bytes, entry->time_ms, entry->hash[0],
               entry->hash[1]);
}

static void push(struct archive_manifest *manifest, const struct archive_entry *entry)
{
    size_t bytes = sizeof *entry * (size_t)(manifest->count + 1);
    manifest->entries = mem_grow(manifest->entries, bytes);
    manifest->entries[manifest->count++] = *entry;
}

/* Do the bytes before manifest->bytes still hold the line that was taken in last? */
static bool continues(const struct archive_manifest *manifest, int fd)
{
    struct buf line = {0}, there = {0};
    if (manifest->count == 0)
        return true;
    add_line(&line, &manifest->entries[manifest->count - 1]);
    buf_reserve(&there, line.len);
    ssize_t got = pread(fd, there.ptr, line.len, manifest->bytes - (int64_t)line.len);
    bool same = got == (ssize_t)line.len && memcmp(there.ptr, line.ptr, line.len) == 0;
    buf_release(&line);
    buf_release(&there);
    return same;
}

/* Take in the whole lines of text (NUL-terminated, changed). */
static int take_lines(struct archive_manifest *manifest, char *text, struct err *err)
{
    for (char *newline; (newline = strchr(text, '\n')); text = newline + 1) {
        struct archive_entry entry;
        *newline = 0;
        if (!parse_line(text, &entry))
            return bad_line(manifest, "is not ours", err);
        if (manifest->count > 0 && entry.from != archive_manifest_end(manifest))
            return bad_line(manifest, "does not begin where the one before it ends", err);
        push(manifest, &entry);
        manifest->bytes += newline + 1 - text;
    }
    return 0;
}

int archive_manifest_read(struct archive_manifest *manifest, struct err *err)
{
    int fd = open_manifest(manifest, O_RDONLY);
    if (fd < 0)
        return errno == ENOENT ? 0
                               : err_errno(err, ERR_ENV, "cannot open the manifest in %s",
                                           manifest->directory.ptr);
    struct stat st;
    struct buf text = {0};
    if (!continues(manifest, fd))
        manifest->count = 0, manifest->bytes = 0;
    int rc = fstat(fd, &st) == 0 ? 0 : -1;
    if (rc == 0 && st.st_size > manifest->bytes) {
        size_t wanted = (size_t)(st.st_size - manifest->bytes);
        buf_reserve(&text, wanted);
        ssize_t got = pread(fd, text.ptr, wanted, manifest->bytes);
        rc = got < 0 ? -1 : 0;
        text.ptr[got < 0 ? 0 : got] = 0;
    }
    if (rc < 0)
        rc = err_errno(err, ERR_ENV, "cannot read the manifest in %s", manifest->directory.ptr);
    else if (text.ptr)
        rc = take_lines(manifest, text.ptr, err);
    close(fd);
    buf_release(&text);
    return rc;
}

int archive_manifest_again(struct archive_manifest *manifest, struct err *err)
{
    manifest->count = 0;
    manifest->bytes = 0;
    return archive_manifest_read(manifest, err);
}

int archive_manifest_add(struct archive_manifest *manifest, const struct archive_entry *entry,
                         struct err *err)
{
    struct buf line = {0};
    add_line(&line, entry);
    int rc = 0, fd = open_manifest(manifest, O_WRONLY | O_CREAT | O_APPEND);
    errno = 0;
    if (fd < 0 || write(fd, line.ptr, line.len) != (ssize_t)line.len || fsync(fd) != 0) {
        errno = errno ? errno : ENOSPC; /* a short write */
        rc = err_errno(err, ERR_ENV, "cannot write the manifest in %s", manifest->directory.ptr);
        if (fd >= 0 && ftruncate(fd, manifest->bytes) != 0)
            err_context(err, "a torn line is left");
    } else {
        push(manifest, entry);
        manifest->bytes += (int64_t)line.len;
    }
    if (fd >= 0)
        close(fd);
    buf_release(&line);
    return rc;
}

int archive_manifest_rewrite(struct archive_manifest *manifest, const struct archive_entry *entries,
                             int count, struct err *err)
{
    struct buf text = {0}, temporary = {0}, path = {0};
    for (int i = 0; i < count; i++)
        add_line(&text, &entries[i]);
    buf_printf(&temporary, "%s/.tmp-manifest", manifest->directory.ptr);
    buf_printf(&path, "%s/manifest", manifest->directory.ptr);
    int rc = archive_write_file(temporary.ptr, path.ptr, buf_bytes(&text), err);
    if (rc == 0) {
        memmove(manifest->entries, entries, (size_t)count * sizeof *entries);
        manifest->count = count;
        manifest->bytes = (int64_t)text.len;
    }
    buf_release(&text);
    buf_release(&temporary);
    buf_release(&path);
    return rc;
}

int archive_manifest_mend(const struct archive_manifest *manifest, struct err *err)
{
    int fd = open_manifest(manifest, O_WRONLY);
    if (fd < 0)
        return errno == ENOENT ? 0
                               : err_errno(err, ERR_ENV, "cannot write the manifest in %s",
                                           manifest->directory.ptr);
    int rc = 0;
    if (ftruncate(fd, manifest->bytes) != 0)
        rc = err_errno(err, ERR_ENV, "cannot cut the manifest in %s", manifest->directory.ptr);
    close(fd);
    return rc;
}

int64_t archive_manifest_end(const struct archive_manifest *manifest)
{
    return manifest->count ? manifest->entries[manifest->count - 1].next : 0;
}

int archive_manifest_find(const struct archive_manifest *manifest, int64_t position)
{
    int low = 0, high = manifest->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (manifest->entries[middle].next > position)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static int read_entry(struct archive_segment *segment, const struct archive_manifest *manifest,
                      int i, struct err *err)
{
    struct buf path = {0};
    const struct archive_entry *entry = &manifest->entries[i];
    archive_path(manifest, entry->first, entry->last, &path);
    int rc = archive_segment_read(segment, path.ptr, entry, err);
    buf_release(&path);
    return rc;
}

/* A file that is gone, though the manifest named it, may have been merged with its neighbours: then the
 * manifest says so now, since it was replaced before. Where it says the same the file is missing. */
int archive_manifest_open(struct archive_manifest *manifest, int64_t position,
                          struct archive_segment *segment, int *index, struct err *err)
{
    struct archive_entry failed = {.first = -1};
    for (;;) {
        struct err why = {0};
        int i = *index = archive_manifest_find(manifest, position);
        if (i == manifest->count)
            return 0;
        struct archive_entry entry = manifest->entries[i];
        int rc = read_entry(segment, manifest, i, &why);
        if (rc == 0)
            return 1;
        if (memcmp(&entry, &failed, sizeof entry) == 0)
            return err_set(err, rc, "%s", why.text);
        failed = entry;
        rc = archive_manifest_again(manifest, err);
        if (rc < 0)
            return rc;
    }
}
