/* common/log/archive.h - writing the archive: immutable zstd segments of raw events a partition.
 *
 * DIR/<topic>/<partition>/<first>-<last>.jsonl.zst holds the events' values, each followed by one
 * newline, so `zstdcat FILE | jq` reads it; offsets, log times, due times, keys and lengths stand
 * behind it in the same file in a zstd skippable frame, which zstdcat passes over (bytes in
 * archive_segment.c). A segment is written under a temporary name, synced, renamed, and only then
 * noted in the partition's manifest with its checksum: the name says what is in it, so writing it
 * twice is harmless. Reading is the filling `archive:DIR` of log.h, topic as here.
 * A full segment is compressed and synced by a thread of its own while the next one fills (at most two
 * are under way); what fails there is said by the next archive_add or archive_roll, for good.
 * Opaque; one caller's thread; one writer a topic's directory (ERR_ENV names the pid that has it). */
#ifndef LK_LOG_ARCHIVE_H
#define LK_LOG_ARCHIVE_H

#include "common/log/log.h"

struct archive_writer;

/* Open DIR for topic with as many partitions; finishes what a killed writer left (a segment renamed
 * but not noted is checked and noted, temporary files are removed). */
int archive_open(const char *directory, const char *topic, int partitions,
                 struct archive_writer **out, struct err *err);
/* Segments that are not closed yet are lost: archive_roll first. */
void archive_close(struct archive_writer *writer);
/* Offset of the last archived (durable) event of a partition; false if there is none. */
bool archive_last(struct archive_writer *writer, int partition, int64_t *last);
/* The position that archive_add wants next: behind what was added; or, where a segment that the
 * manifest notes is missing, the positions of that one first. After each archive_add a caller goes
 * on here, wherever its batch ended. */
int64_t archive_next(const struct archive_writer *writer, int partition);
/* Add a batch whose first offset is archive_next or beyond (gaps are kept as they are); closes the
 * segment by itself at 16 MiB of values, earlier where there are more than 4 partitions. ERR_FULL: disk;
 * what was added so far and is not archived must be added again after archive_open. */
int archive_add(struct archive_writer *writer, const struct log_batch *batch, struct err *err);
/* Close the partition's open segment if it has events, and wait until all of the partition is durable;
 * returns 1 if it had, 0, or a code. */
int archive_roll(struct archive_writer *writer, int partition, struct err *err);
/* Age in ms of the oldest event in an open segment, 0 if there is none. */
int64_t archive_pending_ms(const struct archive_writer *writer, int partition);
/* What this writer has archived since it was opened. */
struct archive_totals {
    int64_t events, segments, raw_bytes, file_bytes;
    int64_t columnar; /* files of columns; not the writer's to count */
};
struct archive_totals archive_totals(struct archive_writer *writer);

/* Merge neighbouring small segments into full ones, in place. Safe at any moment: a larger one is whole,
 * synced and read back before the manifest names it in the others' place, in one rename; their files,
 * and what stands beside them as FIRST-LAST.*, go afterwards; a reader that finds one gone reads the
 * manifest again and goes on at its position. What a killed one leaves, the next archive_open removes.
 * Missing segments stay as they are. Wants the writer's lock (ERR_ENV names who has it). ERR_DATA: a
 * damaged segment, named. ERR_INTERRUPTED: what was merged so far stays merged. */
struct archive_compaction {
    int64_t segments_before, segments_after, bytes_before, bytes_after; /* of files */
};
int archive_compact(const char *directory, const char *topic, struct archive_compaction *out,
                    struct err *err);

/* Read every segment of a topic again and hold it against the manifest: sizes, checksums, offsets,
 * every record; and every columnar file. damaged is called for each that is not as it was noted. Needs no lock: segments
 * never change, and merges are followed. ERR_ENV: no such archive or topic; ERR_DATA: a manifest that
 * cannot be read. */
struct archive_health {
    int64_t segments, events, raw_bytes, file_bytes;
    int64_t damaged; /* segments */
    /* Columnar files (columnar.h): a damaged one is of no use, but no event is lost by it. */
    int64_t columnar, columnar_bytes, columnar_damaged;
};
int archive_verify(const char *directory, const char *topic,
                   void (*damaged)(const struct err *why, void *context), void *context,
                   struct archive_health *out, struct err *err);

#endif
