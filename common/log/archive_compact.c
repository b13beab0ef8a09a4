/* common/log/archive_compact.c - neighbouring small segments become one of the usual size.
 *
 *     1  FIRST-LAST of them all is written, synced, renamed, and read back     killed: the next writer removes it
 *     2  a manifest with one line in place of theirs is renamed over the old one, for up to 64 such at once
 *     3  the small files go                                                    killed: the next writer removes them
 *
 * A segment joins those before it while values and records fit, so a second run finds nothing to do.
 * An archiver that rolls once a second leaves 86,400 files a day and partition; a full segment of the
 * usual events holds some 30,000 of them. */
#include "common/log/archive_writer.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/fault.h"
#include "common/base/stop.h"

enum { MERGED_MAX = 64 }; /* at once: what both forms of them take on disk is bounded by that */

struct entries {
    struct archive_entry *entry;
    int count, capacity;
};

struct compacting {
    struct archive_manifest *manifest;
    struct entries now,
        old; /* what the manifest shall name; what was merged since it was written */
    int merged;
    struct archive_builder builder;
    struct archive_segment segment;
    struct buf file;
};

static bool is_missing(const struct archive_manifest *manifest, const struct archive_entry *entry)
{
    struct buf path = {0};
    archive_path(manifest, entry->first, entry->last, &path);
    bool missing = access(path.ptr, F_OK) != 0;
    buf_release(&path);
    return missing;
}

/* How many of them fit into one; at least 1. */
static int count_fitting(const struct archive_manifest *manifest, const struct archive_entry *entry,
                         int count)
{
    int64_t bytes = 0, events = 0;
    int n = 0;
    for (; n < count; n++) {
        bytes += entry[n].raw_bytes;
        events += entry[n].events;
        if (bytes > SEGMENT_VALUE_BYTES || events > SEGMENT_RECORDS_MAX ||
            is_missing(manifest, &entry[n]))
            break;
    }
    return n > 0 ? n : 1;
}

/* ---- 1: the larger one ---- */

static int gather(struct compacting *c, const struct archive_entry *entry, int n, struct err *err)
{
    struct archive_segment *segment = &c->segment;
    struct buf path = {0};
    int rc = 0;
    archive_builder_clear(&c->builder);
    c->builder.from = entry[0].from;
    c->builder.next = entry[n - 1].next;
    for (int k = 0; rc == 0 && k < n; k++) {
        archive_path(c->manifest, entry[k].first, entry[k].last, &path);
        rc = archive_segment_read(segment, path.ptr, &entry[k], err);
        const struct log_batch batch = {0,
                                        segment->count,
                                        segment->offset,
                                        segment->time_ms,
                                        segment->due_ns,
                                        segment->key,
                                        segment->value,
                                        entry[k].next};
        for (int j = 0; rc == 0 && j < segment->count; j++)
            archive_builder_add(&c->builder, &batch, j);
    }
    buf_release(&path);
    return rc;
}

/* Write it and read it back: what it replaces will be removed. */
static int write_merged(struct compacting *c, const char *path, const struct archive_entry *entry,
                        struct err *err)
{
    struct buf temporary = {0};
    buf_printf(&temporary, "%s/.tmp-%lld", c->manifest->directory.ptr, (long long)entry->first);
    int rc = archive_write_file(temporary.ptr, path, buf_bytes(&c->file), err);
    rc = rc ? rc : archive_segment_read(&c->segment, path, entry, err);
    buf_release(&temporary);
    return rc;
}

/* ---- 3: the small ones ---- */

static bool begins(const char *name, const struct archive_entry *entry)
{
    char stem[64];
    int len = snprintf(stem, sizeof stem, "%020lld-%020lld.", (long long)entry->first,
                       (long long)entry->last);
    return strncmp(name, stem, (size_t)len) == 0;
}

static int remove_file(const struct archive_manifest *manifest, const char *name, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", manifest->directory.ptr, name);
    int rc = 0;
    if (fault_point("compact remove"))
        rc = err_set(err, ERR_ENV, "cannot remove %s", path.ptr);
    else if (unlink(path.ptr) != 0)
        rc = err_errno(err, ERR_ENV, "cannot remove %s", path.ptr);
    buf_release(&path);
    return rc;
}

/* One walk for all of them: old is sorted by first. */
static int remove_old(const struct archive_manifest *manifest, const struct archive_entry *old,
                      int n, struct err *err)
{
    DIR *dir = opendir(manifest->directory.ptr);
    int rc = dir ? 0 : err_errno(err, ERR_ENV, "cannot look into %s", manifest->directory.ptr);
    for (struct dirent *entry; rc == 0 && dir && (entry = readdir(dir));) {
        int64_t first = strtoll(entry->d_name, NULL, 10);
        int low = 0, high = n - 1;
        while (low < high) {
            int middle = low + (high - low) / 2;
            if (old[middle].first >= first)
                high = middle;
            else
                low = middle + 1;
        }
        if (begins(entry->d_name, &old[low]))
            rc = remove_file(manifest, entry->d_name, err);
    }
    if (dir)
        closedir(dir);
    return rc;
}

/* ---- 2, and a partition from its first segment to its last ---- */

static void push(struct entries *list, const struct archive_entry *entry, int count)
{
    if (list->count + count > list->capacity) {
        list->capacity = (list->count + count) * 2;
        list->entry = mem_grow(list->entry, (size_t)list->capacity * sizeof *entry);
    }
    memcpy(list->entry + list->count, entry, (size_t)count * sizeof *entry);
    list->count += count;
}

/* The larger ones take their place in the manifest, all in one rename; rest: not looked at yet. */
static int commit(struct compacting *c, const struct archive_entry *rest, int rest_count,
                  struct err *err)
{
    if (c->old.count == 0)
        return 0;
    if (fault_point("compact noted"))
        return err_set(err, ERR_FULL, "cannot write the manifest in %s",
                       c->manifest->directory.ptr);
    int done = c->now.count;
    push(&c->now, rest, rest_count);
    int rc = archive_manifest_rewrite(c->manifest, c->now.entry, c->now.count, err);
    rc = rc ? rc : remove_old(c->manifest, c->old.entry, c->old.count, err);
    c->now.count = done;
    c->old.count = c->merged = 0;
    return rc;
}

/* n segments from entry on become one. */
static int merge(struct compacting *c, const struct archive_entry *entry, int n, struct err *err)
{
    struct archive_entry merged;
    struct buf path = {0};
    int rc = gather(c, entry, n, err);
    rc = rc ? rc : archive_segment_encode(&c->builder, &c->file, &merged, err);
    if (rc)
        return rc;
    archive_path(c->manifest, merged.first, merged.last, &path);
    rc = write_merged(c, path.ptr, &merged, err);
    push(&c->now, &merged, 1);
    push(&c->old, entry, n);
    c->merged++;
    buf_release(&path);
    return rc;
}

static int walk(struct compacting *c, const struct archive_entry *was, int count, struct err *err)
{
    int rc = 0, at = 0;
    while (rc == 0 && at < count && !stop_asked()) {
        int n = count_fitting(c->manifest, was + at, count - at);
        if (n > 1)
            rc = merge(c, was + at, n, err);
        else
            push(&c->now, was + at, 1);
        at += n;
        if (rc == 0 && c->merged == MERGED_MAX)
            rc = commit(c, was + at, count - at, err);
    }
    return rc ? rc : commit(c, was + at, count - at, err);
}

static int64_t file_bytes(const struct archive_manifest *manifest)
{
    int64_t bytes = 0;
    for (int i = 0; i < manifest->count; i++)
        bytes += manifest->entries[i].bytes;
    return bytes;
}

static int compact_partition(struct archive_manifest *manifest, struct archive_compaction *out,
                             struct err *err)
{
    struct compacting c = {.manifest = manifest};
    int rc;
    out->segments_before += manifest->count;
    out->bytes_before += file_bytes(manifest);
    struct archive_entry *was = mem_alloc(((size_t)manifest->count + 1) * sizeof *was);
    memcpy(was, manifest->entries, (size_t)manifest->count * sizeof *was);
    rc = walk(&c, was, manifest->count, err);
    free(was);
    out->segments_after += manifest->count;
    out->bytes_after += file_bytes(manifest);
    free(c.now.entry);
    free(c.old.entry);
    archive_builder_release(&c.builder);
    archive_segment_release(&c.segment);
    buf_release(&c.file);
    return rc;
}

int archive_compact(const char *directory, const char *topic, struct archive_compaction *out,
                    struct err *err)
{
    struct archive_writer *writer = NULL;
    *out = (struct archive_compaction){0};
    int partitions = archive_partitions(directory, topic, err);
    if (partitions == 0)
        return err_set(err, ERR_ENV, "the archive %s has no topic %s; make it: lk lambda archive",
                       directory, topic);
    int rc = partitions < 0 ? partitions : archive_open(directory, topic, partitions, &writer, err);
    for (int p = 0; rc == 0 && p < partitions; p++)
        rc = compact_partition(&writer->parts[p].manifest, out, err);
    archive_close(writer);
    if (rc == 0 && stop_asked())
        rc = err_set(err, ERR_INTERRUPTED, "interrupted; what was merged stays merged");
    return rc;
}
