/* common/log/archive_files.h - what the files of the archive share; nobody else includes it.
 *
 *     DIR/TOPIC/topic                 {"format":"lk archive 1","partitions":N}
 *     DIR/TOPIC/writer                flock of the one writer, its pid inside
 *     DIR/TOPIC/P/FIRST-LAST.jsonl.zst
 *     DIR/TOPIC/P/FIRST-LAST.<hash>.columns   its columnar form for some fields, if there is one
 *     DIR/TOPIC/P/manifest            one JSON line a segment, in order of offsets
 *     DIR/TOPIC/P/.tmp-...            what a writer is at, or was when it was killed */
#ifndef LK_LOG_ARCHIVE_FILES_H
#define LK_LOG_ARCHIVE_FILES_H

#include "common/log/archive.h"

/* A line of the manifest. The segment covers the positions from .. next - 1; its first and last
 * record lie within. Each segment's from is the next of the one before it. */
struct archive_entry {
    int64_t from, first, last, next, events, raw_bytes, bytes, time_ms; /* time_ms: of the last */
    uint64_t hash[2];                                                   /* xxh128, high then low */
};

struct archive_segment;

/* archive_manifest.c */
struct archive_manifest {
    struct buf directory; /* DIR/TOPIC/P */
    struct archive_entry *entries;
    int count;
    int64_t bytes; /* of the file, up to the last whole line */
};
void archive_manifest_init(struct archive_manifest *manifest, const char *directory,
                           const char *topic, int partition);
void archive_manifest_release(struct archive_manifest *manifest);
/* Take in the lines that are new, or all where the file was replaced; a torn last line is not seen. ERR_DATA for lines that are not
 * ours or do not follow each other. */
int archive_manifest_read(struct archive_manifest *manifest, struct err *err);
/* Append an entry's line and sync it. */
int archive_manifest_add(struct archive_manifest *manifest, const struct archive_entry *entry,
                         struct err *err);
/* The same from the beginning: what a reader does that finds a segment gone, since neighbours may have
 * been merged into a larger one meanwhile. */
int archive_manifest_again(struct archive_manifest *manifest, struct err *err);
/* Make the manifest name these (no more than it did), by a new file. Where it fails the file holds either. */
int archive_manifest_rewrite(struct archive_manifest *manifest, const struct archive_entry *entries,
                             int count, struct err *err);
/* Cut a torn line off the file. */
int archive_manifest_mend(const struct archive_manifest *manifest, struct err *err);
int64_t archive_manifest_end(const struct archive_manifest *manifest);
/* The first entry whose next is above position; count if there is none. */
int archive_manifest_find(const struct archive_manifest *manifest, int64_t position);
/* path = DIR/TOPIC/P/FIRST-LAST.jsonl.zst */
void archive_path(const struct archive_manifest *manifest, int64_t first, int64_t last,
                  struct buf *path);

/* Read the segment that covers position, following merges: 1 and its index, 0 at the end, or a code. */
int archive_manifest_open(struct archive_manifest *manifest, int64_t position,
                          struct archive_segment *segment, int *index, struct err *err);

/* archive_place.c */
/* Make path hold bytes, durably and all at once: temporary file, sync, rename, sync of the
 * directory; fault points "segment temp", "segment sync", "segment rename". On failure the
 * temporary file is gone. */
int archive_write_file(const char *temporary, const char *path, struct bytes bytes,
                       struct err *err);
/* All of a file into out: 0, or an errno. */
int archive_read_file(const char *path, struct buf *out);
/* Make DIR/TOPIC with its partitions, or check that it has as many. */
int archive_make_place(const char *directory, const char *topic, int partitions, struct err *err);
/* Lock DIR/TOPIC/writer: a descriptor to close, or a code naming the pid that has it. */
int archive_lock(const char *directory, const char *topic, struct err *err);
/* Partitions of a topic; 0 if there is no such topic, or a code. */
int archive_partitions(const char *directory, const char *topic, struct err *err);

/* archive_segment.c */
enum {
    SEGMENT_VALUE_BYTES = 16 * 1024 * 1024, /* closes a segment, with the newlines */
    SEGMENT_RECORDS_MAX = 128 * 1024,       /* so does this, which bounds the tables */
};

/* A segment that grows. Zero it to start. */
struct archive_builder {
    int count;
    int64_t from, next;
    int64_t *offset, *time_ms, *due_ns, *key_len, *value_len;
    struct buf keys, values, table;
    void
        *zstd; /* its memory: a new one for each segment would be cleared by the kernel each time */
};
void archive_builder_add(struct archive_builder *builder, const struct log_batch *batch, int i);
void archive_builder_clear(struct archive_builder *builder);
void archive_builder_release(struct archive_builder *builder);
/* The bytes of the file, and its entry. */
int archive_segment_encode(struct archive_builder *builder, struct buf *file,
                           struct archive_entry *entry, struct err *err);

/* A segment in memory. Zero it to start. */
struct archive_segment {
    int count;
    struct archive_entry entry;
    int64_t *offset, *time_ms, *due_ns;
    struct bytes *key, *value;
    struct buf file, table, values;
};
/* Read and check a segment's file. expected NULL: what the file says of itself is believed once it
 * is whole; else its checksum and offsets must be those. ERR_DATA says what to do. */
int archive_segment_read(struct archive_segment *segment, const char *path,
                         const struct archive_entry *expected, struct err *err);
void archive_segment_release(struct archive_segment *segment);

#endif
