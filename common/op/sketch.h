/* common/op/sketch.h - how many different values there were, in a fixed number of bytes: HyperLogLog.
 *
 * A sketch is 2^precision registers of one byte. A value's hash chooses a register by its first
 * `precision` bits, and the register keeps the greatest rank that it has met: 1 + the zeros that the
 * other bits begin with. So adding a value again changes nothing, and the union of two sketches is the
 * greater of each two registers: merging is exact, in any order, however often. Only the estimate at
 * the end has an error: 1.04 / sqrt(registers), relative, is its standard deviation.
 *   Flajolet, Fusy, Gandouet, Meunier: HyperLogLog, AofA 2007 (registers and their error).
 *   Ertl: New cardinality estimation algorithms for HyperLogLog sketches, arXiv 1702.01284, 2017,
 *   section 3, "improved raw estimator" (algorithm 6): right from 0 on, without tables of bias.
 * Stored sketches outlive programs, so the hash is part of their form: XXH3-64 with seed 0 (fixed since
 * xxHash 0.8) over a text's bytes, or over the eight bytes of an integer, little-endian.
 * precision: PLAN_PRECISION_MIN to PLAN_PRECISION_MAX. Pure functions over registers of the caller's; any
 * thread. */
#ifndef LK_OP_SKETCH_H
#define LK_OP_SKETCH_H

#include "common/plan/plan.h"

uint64_t sketch_hash_text(struct bytes text);
uint64_t sketch_hash_int(int64_t value);
/* Registers begin as zeros: nothing was added. */
void sketch_add(uint8_t *registers, int precision, uint64_t hash);
void sketch_merge(uint8_t *restrict to, const uint8_t *restrict from, int precision);
/* The whole number nearest to the estimate; INT64_MAX where it is beyond (a tampered sketch). The same
 * on every machine with IEEE 754 doubles: only + - * / and sqrt, which round correctly, in one order. */
int64_t sketch_estimate(const uint8_t *registers, int precision);
/* As text: in order of the registers a letter for each that is not 0, a decimal number for each row of
 * zeros, none for the last one: "12B3A" is 12 zeros, rank 2, 3 zeros, rank 1, then zeros. One sketch has
 * one text, which has a byte a register at most, and few where few values were added. */
void sketch_encode(const uint8_t *registers, int precision, struct buf *out);
/* false: not a text that sketch_encode writes. */
bool sketch_decode(struct bytes text, int precision, uint8_t *registers);

#endif
