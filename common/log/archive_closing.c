/* common/log/archive_closing.c - a full segment is compressed, written and noted on a thread of its own.
 *
 * The next segment is filled meanwhile: compressing takes as long as reading does, and a sync waits
 * for the disk. Segments of one partition follow each other, and at most CLOSING_MAX are under way, so
 * memory is bounded and the manifest is appended to in order. What failed is said at the next call:
 * nothing more is taken then, since what was to be archived is gone from memory. */
#include <stdlib.h>
#include <unistd.h>

#include "common/base/fault.h"
#include "common/log/archive_writer.h"

/* Note a segment that is durable; on failure it is taken away again, since nobody knows of it. */
static int note(struct archive_closing *closing, const char *path, struct err *err)
{
    struct archive_manifest *manifest = &closing->part->manifest;
    int hole = closing->part->hole, rc;
    if (fault_point("segment noted"))
        rc = err_set(err, ERR_FULL, "cannot write the manifest in %s: No space left on device",
                     manifest->directory.ptr);
    else if (hole >= 0) {
        manifest->entries[hole] = closing->entry;
        rc = archive_manifest_rewrite(manifest, manifest->entries, manifest->count, err);
    } else
        rc = archive_manifest_add(manifest, &closing->entry, err);
    if (rc < 0)
        unlink(path);
    return rc;
}

static int write_segment(struct archive_closing *closing, struct err *err)
{
    const struct archive_manifest *manifest = &closing->part->manifest;
    const struct archive_entry *entry = &closing->entry;
    struct buf temporary = {0}, path = {0};
    buf_printf(&temporary, "%s/.tmp-%lld", manifest->directory.ptr, (long long)entry->first);
    archive_path(manifest, entry->first, entry->last, &path);
    int rc = archive_write_file(temporary.ptr, path.ptr, buf_bytes(&closing->file), err);
    rc = rc ? rc : note(closing, path.ptr, err);
    buf_release(&temporary);
    buf_release(&path);
    return rc;
}

int archive_hole_differs(const struct archive_part *part, struct err *err)
{
    const struct archive_entry *noted = &part->manifest.entries[part->hole];
    return err_set(err, ERR_DATA,
                   "%s: offsets %lld to %lld cannot be written anew: the log holds other events "
                   "there now; move the topic's archive away and run `lk lambda archive` again",
                   part->manifest.directory.ptr, (long long)noted->first, (long long)noted->last);
}

/* A hole must be filled by the events that were there. */
static bool fills_hole(const struct archive_part *part, const struct archive_entry *entry)
{
    const struct archive_entry *noted = &part->manifest.entries[part->hole];
    return entry->first == noted->first && entry->last == noted->last &&
           entry->events == noted->events && entry->raw_bytes == noted->raw_bytes;
}

static void *close_segment(void *context)
{
    struct archive_closing *closing = context;
    const struct archive_part *part = closing->part;
    struct err *err = &closing->err;
    int rc = archive_segment_encode(&closing->builder, &closing->file, &closing->entry, err);
    if (rc == 0 && part->hole >= 0 && !fills_hole(part, &closing->entry))
        rc = archive_hole_differs(part, err);
    closing->rc = rc ? rc : write_segment(closing, err);
    return NULL;
}

/* Wait for one, and keep what became of it. */
static void finish(struct archive_writer *writer, struct archive_closing *closing)
{
    pthread_join(closing->thread, NULL);
    if (closing->rc < 0 && writer->rc == 0) {
        writer->rc = closing->rc;
        writer->err = closing->err;
    }
    if (closing->rc == 0) {
        writer->totals.events += closing->entry.events;
        writer->totals.segments++;
        writer->totals.raw_bytes += closing->entry.raw_bytes;
        writer->totals.file_bytes += closing->entry.bytes;
    }
    archive_builder_clear(&closing->builder);
    closing->part = NULL;
}

void archive_settle(struct archive_writer *writer, const struct archive_part *part)
{
    for (int i = 0; i < CLOSING_MAX; i++)
        if (writer->closing[i].part && (!part || writer->closing[i].part == part))
            finish(writer, &writer->closing[i]);
}

int archive_failed(const struct archive_writer *writer, struct err *err)
{
    return writer->rc ? err_set(err, writer->rc, "%s", writer->err.text) : 0;
}

int archive_close_segment(struct archive_writer *writer, struct archive_part *part, struct err *err)
{
    archive_settle(writer, part);
    struct archive_closing *closing = &writer->closing[writer->turn];
    writer->turn = (writer->turn + 1) % CLOSING_MAX;
    if (closing->part)
        finish(writer, closing);
    int rc = archive_failed(writer, err);
    if (rc < 0)
        return rc;
    struct archive_builder empty = closing->builder;
    closing->builder = part->builder;
    part->builder = empty;
    closing->part = part;
    closing->err = (struct err){0};
    part->from = closing->builder.next;
    pthread_create(&closing->thread, NULL, close_segment, closing);
    return 0;
}

void archive_closing_release(struct archive_writer *writer)
{
    archive_settle(writer, NULL);
    for (int i = 0; i < CLOSING_MAX; i++) {
        archive_builder_release(&writer->closing[i].builder);
        buf_release(&writer->closing[i].file);
    }
}
