/* common/log/numbers.h - a column of int64 numbers in few bytes: frame of reference.
 *
 *     byte 0  i64  the least of them
 *          8  u8   bytes of a difference: 0 (all are equal), 1, 2, 4 or 8
 *          9       number - least, unsigned, little-endian, one behind the other
 *
 * For the tables of segments and for columnar files: a constant column costs 9 bytes, and what is
 * left is for zstd. (Goldstein, Ramakrishnan and Shaft, "Compressing relations and indexes", ICDE 1998.)
 * Open value; pure functions; any thread. */
#ifndef LK_LOG_NUMBERS_H
#define LK_LOG_NUMBERS_H

#include "common/base/bytes.h"

enum { NUMBERS_HEAD_BYTES = 9 };

/* Packed numbers where they lie; differences are borrowed and may stand at any address. */
struct numbers {
    int64_t least;
    int width;
    const char *differences;
};

/* Append count numbers (0: an empty column is a head alone). */
void numbers_pack(const int64_t *numbers, int count, struct buf *to);
/* Look at count numbers that begin at *at; *at moves behind them. False if they are not whole
 * before end, or the width is none of ours. */
bool numbers_look(const char **at, const char *end, int count, struct numbers *out);
void numbers_unpack(const struct numbers *packed, int count, int64_t *out);
/* The same for numbers of 0 .. most (a code of a dictionary); false if one is none. */
bool numbers_unpack_codes(const struct numbers *packed, int count, uint32_t most, uint32_t *out);

#endif
