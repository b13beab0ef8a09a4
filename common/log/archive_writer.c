/* common/log/archive_writer.c - fills segments from batches and notes them in the manifest.
 *
 * Exactly once needs no state of its own: a segment's name and header say which positions it
 * covers, and the archive ends where its manifest ends. So a writer that died is taken up by
 * reading its files: what was renamed but not noted is checked and noted, temporary files go, and so do
 * the segments that a killed compaction had merged, or the one that it had not noted yet.
 * A segment that the manifest notes and that is not there (removed because it was damaged) is a
 * hole: archive_next names its positions first, and it is written anew under the same name. */
#include "common/log/archive_writer.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"

/* All open segments of a topic together stay below this, unless there are very many partitions. */
enum { OPEN_BYTES_MAX = 4 * SEGMENT_VALUE_BYTES, CLOSE_BYTES_MIN = 256 * 1024 };

/* A segment is FIRST-LAST.jsonl.zst; what else is named FIRST-LAST.* goes with it. */
static bool split_name(const char *name, long long *first, long long *last, const char **rest)
{
    int end = 0;
    bool good = sscanf(name, "%20lld-%20lld%n", first, last, &end) == 2 && name[end] == '.';
    *rest = name + end;
    return good;
}

static bool is_segment(const char *rest)
{
    return strcmp(rest, ".jsonl.zst") == 0;
}

static bool is_temporary(const char *name)
{
    return strncmp(name, ".tmp-", 5) == 0;
}

static int is_left_over(const struct dirent *entry)
{
    long long first, last;
    const char *rest;
    return is_temporary(entry->d_name) || split_name(entry->d_name, &first, &last, &rest);
}

static bool is_noted(const struct archive_manifest *manifest, int64_t first, int64_t last)
{
    int i = archive_manifest_find(manifest, first);
    return i < manifest->count && manifest->entries[i].first == first &&
           manifest->entries[i].last == last;
}

static bool is_there(const struct archive_manifest *manifest, int i)
{
    struct buf path = {0};
    archive_path(manifest, manifest->entries[i].first, manifest->entries[i].last, &path);
    bool there = access(path.ptr, F_OK) == 0 || errno != ENOENT;
    buf_release(&path);
    return there;
}

/* Does the manifest have all of these offsets in other segments, whose files are there? */
static bool is_covered(const struct archive_manifest *manifest, int64_t first, int64_t last)
{
    int i = archive_manifest_find(manifest, first);
    bool covered = last < archive_manifest_end(manifest) && manifest->entries[0].from <= first;
    for (; covered && i < manifest->count && manifest->entries[i].from <= last; i++)
        covered = is_there(manifest, i);
    return covered;
}

/* A segment that is not noted: note it if it is whole and the next one, else leave it or remove it.
 */
static int note_left_over(struct archive_manifest *manifest, const char *path, struct err *err)
{
    struct archive_segment segment = {0};
    struct err why = {0};
    int rc = archive_segment_read(&segment, path, NULL, &why);
    if (rc == ERR_DATA && unlink(path) != 0)
        rc = err_errno(err, ERR_ENV, "cannot remove %s", path);
    else if (rc == ERR_DATA)
        rc = 0; /* its events are still in the log */
    else if (rc < 0)
        rc = err_set(err, rc, "%s", why.text);
    else if (manifest->count == 0 || segment.entry.from == archive_manifest_end(manifest))
        rc = archive_manifest_add(manifest, &segment.entry, err);
    archive_segment_release(&segment);
    return rc;
}

static int take_left_over(struct archive_manifest *manifest, const char *name, struct err *err)
{
    struct buf path = {0};
    long long first, last;
    const char *rest;
    int rc = 0;
    bool temporary = is_temporary(name);
    buf_printf(&path, "%s/%s", manifest->directory.ptr, name);
    bool noted =
        !temporary && split_name(name, &first, &last, &rest) && is_noted(manifest, first, last);
    if (temporary || (!noted && is_covered(manifest, first, last)))
        rc = unlink(path.ptr) == 0 ? 0 : err_errno(err, ERR_ENV, "cannot remove %s", path.ptr);
    else if (!noted && is_segment(rest))
        rc = note_left_over(manifest, path.ptr, err);
    buf_release(&path);
    return rc;
}

/* What a killed writer left, in order of name, which is order of offsets. */
static int finish(struct archive_manifest *manifest, struct err *err)
{
    struct dirent **names;
    int rc = archive_manifest_read(manifest, err);
    rc = rc ? rc : archive_manifest_mend(manifest, err);
    if (rc < 0)
        return rc;
    int count = scandir(manifest->directory.ptr, &names, is_left_over, alphasort);
    if (count < 0)
        return err_errno(err, ERR_ENV, "cannot look into %s", manifest->directory.ptr);
    for (int i = 0; i < count; i++) {
        rc = rc ? rc : take_left_over(manifest, names[i]->d_name, err);
        free(names[i]);
    }
    free(names);
    return rc;
}

/* The first entry from i on whose file is not there; -1: none. */
static int find_hole(const struct archive_manifest *manifest, int i)
{
    while (i < manifest->count && is_there(manifest, i))
        i++;
    return i < manifest->count ? i : -1;
}

static void go_on_after(struct archive_part *part, int entry)
{
    part->hole = find_hole(&part->manifest, entry);
    part->next = part->hole < 0 ? archive_manifest_end(&part->manifest)
                                : part->manifest.entries[part->hole].from;
    part->from = part->manifest.count || part->hole >= 0 ? part->next : -1;
}

int archive_open(const char *directory, const char *topic, int partitions,
                 struct archive_writer **out, struct err *err)
{
    int rc = archive_make_place(directory, topic, partitions, err);
    int lock = rc < 0 ? rc : archive_lock(directory, topic, err);
    if (lock < 0)
        return lock;
    struct archive_writer *writer = mem_zero(1, sizeof *writer);
    writer->lock = lock;
    writer->count = partitions;
    writer->close_bytes = (size_t)(OPEN_BYTES_MAX / partitions);
    if (writer->close_bytes < CLOSE_BYTES_MIN)
        writer->close_bytes = CLOSE_BYTES_MIN;
    if (writer->close_bytes > SEGMENT_VALUE_BYTES)
        writer->close_bytes = SEGMENT_VALUE_BYTES;
    writer->parts = mem_zero((size_t)partitions, sizeof *writer->parts);
    for (int p = 0; p < partitions && rc == 0; p++) {
        archive_manifest_init(&writer->parts[p].manifest, directory, topic, p);
        rc = finish(&writer->parts[p].manifest, err);
        go_on_after(&writer->parts[p], 0);
    }
    if (rc < 0)
        archive_close(writer);
    else
        *out = writer;
    return rc;
}

void archive_close(struct archive_writer *writer)
{
    if (!writer)
        return;
    archive_closing_release(writer);
    for (int p = 0; p < writer->count; p++) {
        archive_manifest_release(&writer->parts[p].manifest);
        archive_builder_release(&writer->parts[p].builder);
    }
    free(writer->parts);
    close(writer->lock);
    free(writer);
}

bool archive_last(struct archive_writer *writer, int partition, int64_t *last)
{
    archive_settle(writer, &writer->parts[partition]);
    const struct archive_manifest *manifest = &writer->parts[partition].manifest;
    if (manifest->count)
        *last = manifest->entries[manifest->count - 1].last;
    return manifest->count > 0;
}

int64_t archive_next(const struct archive_writer *writer, int partition)
{
    return writer->parts[partition].next;
}

int archive_roll(struct archive_writer *writer, int partition, struct err *err)
{
    struct archive_part *part = &writer->parts[partition];
    bool had = part->builder.count > 0 && part->hole < 0; /* a hole is closed when it is full */
    int rc = had ? archive_close_segment(writer, part, err) : 0;
    archive_settle(writer, part);
    rc = rc ? rc : archive_failed(writer, err);
    return rc < 0 ? rc : had;
}

static void begin_segment(struct archive_part *part, int64_t offset)
{
    part->oldest_ns = clock_mono_ns();
    part->builder.from = part->from >= 0 ? part->from : offset;
}

static bool is_full(const struct archive_writer *writer, const struct archive_part *part)
{
    if (part->hole >= 0)
        return part->builder.count >= part->manifest.entries[part->hole].events;
    return part->builder.values.len >= writer->close_bytes ||
           part->builder.count == SEGMENT_RECORDS_MAX;
}

/* The end of what the open segment may take: a hole ends where the next segment begins. */
static int64_t limit_of(const struct archive_part *part)
{
    return part->hole >= 0 ? part->manifest.entries[part->hole].next : INT64_MAX;
}

static int leave_hole(struct archive_writer *writer, struct archive_part *part, struct err *err)
{
    archive_settle(writer, part);
    int rc = archive_failed(writer, err);
    if (rc == 0)
        go_on_after(part, part->hole + 1);
    return rc;
}

int archive_add(struct archive_writer *writer, const struct log_batch *batch, struct err *err)
{
    struct archive_part *part = &writer->parts[batch->partition];
    int64_t limit = limit_of(part);
    assert(batch->count == 0 || batch->offset[0] >= part->next);
    for (int i = 0; i < batch->count; i++) {
        if (batch->offset[i] >= limit)
            break;
        if (part->builder.count == 0)
            begin_segment(part, batch->offset[i]);
        archive_builder_add(&part->builder, batch, i);
        part->builder.next = part->next = batch->offset[i] + 1;
        if (!is_full(writer, part))
            continue;
        bool hole = part->hole >= 0;
        part->builder.next = hole ? limit : part->next;
        int rc = archive_close_segment(writer, part, err);
        if (rc == 0 && hole)
            rc = leave_hole(writer, part, err);
        if (rc < 0 || hole)
            return rc;
    }
    if (part->hole >= 0 && batch->next >= limit)
        return archive_hole_differs(part, err); /* it was not full */
    part->next = batch->next > part->next ? batch->next : part->next;
    if (part->builder.count)
        part->builder.next = part->next;
    return 0;
}

int64_t archive_pending_ms(const struct archive_writer *writer, int partition)
{
    const struct archive_part *part = &writer->parts[partition];
    return part->builder.count ? (clock_mono_ns() - part->oldest_ns) / 1000000 : 0;
}

struct archive_totals archive_totals(struct archive_writer *writer)
{
    archive_settle(writer, NULL);
    return writer->totals;
}
