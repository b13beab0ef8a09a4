/* common/log/columnar.h - a second form of the archive's segments: some fields of their events, as columns.
 *
 * Beside the segment DIR/TOPIC/P/FIRST-LAST.jsonl.zst may lie FIRST-LAST.<fields>.columns, which
 * holds what a scan for certain fields made of its events: numbers, strings by dictionary, which
 * events are bad and why. <fields> is a hash of what was scanned for; whoever asks for other fields
 * does not find the file. The segment stays the truth: a file names its segment's checksum and
 * carries one of its own (bytes in columnar_file.c), so one that is stale or damaged is told and not
 * used. Files appear all at once (archive_place.c) and never change.
 * Threads: a place, a builder or a columnar belongs to one thread; any number of them side by side. */
#ifndef LK_LOG_COLUMNAR_H
#define LK_LOG_COLUMNAR_H

#include "common/log/log.h"

enum { COLUMNAR_COLUMNS_MAX = 64 };

enum columnar_kind { COLUMNAR_NUMBERS, COLUMNAR_STRINGS };

/* What is scanned for: how many columns, of which kinds, and the hash that tells them from others. */
struct columnar_fields {
    uint64_t hash;
    int count;
    enum columnar_kind kind[COLUMNAR_COLUMNS_MAX];
};

/* A column of a segment, one value an event; what a bad event has is undefined. */
struct columnar_column {
    enum columnar_kind kind;
    int64_t *numbers;       /* COLUMNAR_NUMBERS */
    const uint8_t *present; /* of numbers: a bit an event, from the least one on; NULL: all are */
    uint32_t *codes;        /* COLUMNAR_STRINGS: index of entries; entry_count: absent */
    struct bytes *entries;  /* each string once */
    uint32_t entry_count;
    uint64_t dictionary[2]; /* xxh128 of the entries: files of the same ones have the same codes */
};

struct columnar_bad {
    int64_t row;
    uint8_t reason, field; /* as the scan said */
};

/* A file in memory. Zero it to start; good until the next load, or columnar_release. */
struct columnar {
    int64_t from, next; /* positions of the segment */
    int events, column_count, bad_count;
    int64_t file_bytes;
    bool gaps; /* offset says where an event stands; else it is from + row */
    int64_t *offset;
    struct columnar_column column[COLUMNAR_COLUMNS_MAX];
    struct columnar_bad *bad; /* rows rising */
    struct buf file, body;
    const char *times; /* where log times lie in the body */
    int64_t *time_ms;
};
/* The offset of a row. */
static inline int64_t columnar_offset(const struct columnar *columnar, int row)
{
    return columnar->gaps ? columnar->offset[row] : columnar->from + row;
}
/* The log time of every event, unpacked at the first call for a file. */
const int64_t *columnar_times(struct columnar *columnar);
void columnar_release(struct columnar *columnar);

/* A partition of an archive, and the fields that are looked for. */
struct columnar_place; /* opaque */
int columnar_place_open(const char *directory, const char *topic, int partition,
                        const struct columnar_fields *fields, struct columnar_place **out,
                        struct err *err);
void columnar_place_close(struct columnar_place *place);
/* Load the segment that covers position: 1, or 0 where its file is missing, stale or damaged, or
 * there is no such segment. why (not NULL) is filled where there is something to tell; *next is
 * where the segment ends (position itself where there is none). A code: the manifest cannot be read. */
int columnar_load(struct columnar_place *place, int64_t position, struct columnar *out,
                  int64_t *next, struct err *why, struct err *err);

/* A file that grows, batch by batch; the caller of columnar_fill adds each batch's rows to every
 * column, bad rows included. present and bad: a byte an event. */
struct columnar_builder; /* opaque */
void columnar_add_numbers(struct columnar_builder *builder, int column, const int64_t *numbers,
                          const uint8_t *present, const uint8_t *bad, int n);
void columnar_add_strings(struct columnar_builder *builder, int column, const struct bytes *strings,
                          const uint8_t *present, const uint8_t *bad, int n);
void columnar_add_bad(struct columnar_builder *builder, const uint8_t *reason, const uint8_t *field,
                      int n);

/* Make the files that are missing or of no use, from the segments: how many, or a code. scan is called
 * with batches of a segment, in order. A damaged segment is ERR_DATA. Only one writer at a time. */
int columnar_fill(struct columnar_place *place,
                  void (*scan)(void *context, const struct log_batch *batch,
                               struct columnar_builder *builder),
                  void *context, struct err *err);

#endif
