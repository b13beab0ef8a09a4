/* lambda/generation.h - one partition of a batch run's output, as a sorted, checksummed file.
 *
 * All numbers little-endian:
 *   0    8  "LKGEN" 0 0 1           (format 1)
 *   8    32 hash of the plan, hexadecimal
 *   40   8  partition               48 8 boundary: built from offsets [0, boundary)
 *   56   8  T (INT64_MIN: no event) 64 8 mark
 *   72   56 counters: read, folded, filtered, late, duplicate, bad, skipped
 *   128  rows, each: u32 field bytes, u32 key bytes, u32 partial bytes, then the three texts
 *        field as in a Redis key, key a JSON array, partial as aggregate_encode writes it; rising
 * by (field as numbers, key as bytes), each pair once. Behind them the bad events: field "bad", key
 * the offset, partial the reason, rising by offset. end  u32 0xffffffff, u64 rows, then XXH3-128
 * (canonical, 16 bytes) of all bytes before it A writer makes FILE.tmp, syncs it and renames it: a
 * file under its name is whole. Opaque; one thread. */
#ifndef LK_LAMBDA_GENERATION_H
#define LK_LAMBDA_GENERATION_H

#include "common/base/err.h"
#include "common/op/counters.h"

struct generation_head {
    char plan[33];
    int partition;
    int64_t boundary, T_ms, mark;
    struct counters counters;
};

#define GENERATION_BAD "bad" /* the field of bad events */

struct generation_row {
    struct bytes field, key, partial; /* borrowed until the next row or the close */
};

struct generation_writer;

int generation_create(const char *path, const struct generation_head *head,
                      struct generation_writer **out, struct err *err);
int generation_add(struct generation_writer *writer, const struct generation_row *row,
                   struct err *err);
/* Write the end, sync, rename; checksum becomes 32 hexadecimal digits. Frees the writer, also on
 * failure. */
int generation_finish_take(struct generation_writer *writer, char checksum[33], int64_t *rows,
                           int64_t *bytes, struct err *err);
/* Give up: the temporary file is removed. NULL is fine. */
void generation_abandon(struct generation_writer *writer);

struct generation_reader;

/* Check the whole file (against checksum too, unless NULL) and stand before its first row.
 * ERR_DATA: not a generation, or damaged. */
int generation_open(const char *path, const char *checksum, struct generation_head *head,
                    struct generation_reader **out, struct err *err);
/* 1 and a row, 0 behind the last one, or a code. */
int generation_next(struct generation_reader *reader, struct generation_row *row, struct err *err);
void generation_close(struct generation_reader *reader);

#endif
