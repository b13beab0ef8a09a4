/* common/op/sketch.c - see sketch.h. */
#include "common/op/sketch.h"

#include <assert.h>
#include <endian.h>
#include <math.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { HASH_BITS = 64, RANKS = HASH_BITS - PLAN_PRECISION_MIN + 2, LINE = 16 };

/* The letter of each rank; neither digits, which count zeros, nor the comma between values. */
static const char LETTERS[] = ".ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()";
_Static_assert(sizeof LETTERS - 1 == RANKS, "a letter for each rank");

static int rank_max(int precision)
{
    return HASH_BITS - precision + 1;
}

uint64_t sketch_hash_text(struct bytes text)
{
    return XXH3_64bits(text.ptr, text.len);
}

uint64_t sketch_hash_int(int64_t value)
{
    uint64_t bytes = htole64((uint64_t)value);
    return XXH3_64bits(&bytes, sizeof bytes);
}

void sketch_add(uint8_t *registers, int precision, uint64_t hash)
{
    uint64_t rest = hash << precision | (uint64_t)1 << (precision - 1); /* an end to the zeros */
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1),
            *at = &registers[hash >> (HASH_BITS - precision)];
    if (rank > *at)
        *at = rank;
}

/* By lines of 16 registers, whose loop of known length becomes one instruction (pmaxub). */
void sketch_merge(uint8_t *restrict to, const uint8_t *restrict from, int precision)
{
    for (int line = 0; line < 1 << precision; line += LINE)
        for (int i = line; i < line + LINE; i++)
            to[i] = from[i] > to[i] ? from[i] : to[i];
}

/* ---- the estimate: sums over how many registers have each rank ---- */

/* x + x^2 + 2 x^4 + 4 x^8 + ...: what registers with nothing in them stand for. */
static double sigma(double x)
{
    double sum = x, before = -1;
    for (double weight = 1; sum != before; weight += weight) {
        x *= x;
        before = sum;
        sum += x * weight;
    }
    return sum;
}

/* (1 - x - (1 - x^1/2)^2 / 2 - (1 - x^1/4)^2 / 4 - ...) / 3: those whose rank would be greater still. */
static double tau(double x)
{
    if (x == 0 || x == 1)
        return 0;
    double sum = 1 - x, before = -1;
    for (double weight = 0.5; sum != before; weight *= 0.5) {
        x = sqrt(x);
        before = sum;
        sum -= (1 - x) * (1 - x) * weight;
    }
    return sum / 3;
}

int64_t sketch_estimate(const uint8_t *registers, int precision)
{
    const double alpha = 0.72134752044448170; /* 1 / (2 ln 2) */
    const double count = 1 << precision;
    int with[UINT8_MAX + 1] = {0}, most = rank_max(precision);
    for (int i = 0; i < 1 << precision; i++)
        with[registers[i]]++;
    if (with[0] == 1 << precision)
        return 0; /* where sigma has no end */
    double sum = count * tau(1 - with[most] / count);
    for (int rank = most - 1; rank > 0; rank--)
        sum = 0.5 * (sum + with[rank]);
    sum += count * sigma(with[0] / count);
    double estimate = alpha * count * count / sum;
    return estimate < 0x1p62 ? (int64_t)(estimate + 0.5) : INT64_MAX;
}

/* ---- text ---- */

static char *put_number(char *to, int number)
{
    char digits[8];
    int count = 0;
    for (; number > 0; number /= 10)
        digits[count++] = (char)('0' + number % 10);
    while (count > 0)
        *to++ = digits[--count];
    return to;
}

void sketch_encode(const uint8_t *registers, int precision, struct buf *out)
{
    int zeros = 0;
    buf_reserve(out,
                (size_t)1 << precision); /* a row of zeros is as long as its number, or longer */
    char *to = out->ptr + out->len;
    for (int i = 0; i < 1 << precision; i++) {
        if (registers[i] == 0) {
            zeros++;
            continue;
        }
        assert(registers[i] <= rank_max(precision));
        to = put_number(to, zeros);
        *to++ = LETTERS[registers[i]];
        zeros = 0;
    }
    *to = 0;
    out->len = (size_t)(to - out->ptr);
}

/* 0: no letter of a rank. */
static int rank_of(char letter)
{
    const char *at = letter >= 'A' && letter <= 'Z' ? LETTERS + 1 + (letter - 'A')
                                                    : memchr(LETTERS + 1, letter, RANKS - 1);
    return at ? (int)(at - LETTERS) : 0;
}

/* The number of zeros that *at begins with, moving it on; 0: none; -1: not a number that we write. */
static int zeros_of(const char **at, const char *end, int most)
{
    int zeros = 0;
    const char *begin = *at;
    for (; *at < end && **at >= '0' && **at <= '9' && zeros <= most; ++*at)
        zeros = zeros * 10 + (**at - '0');
    bool written = *at == begin || (*begin != '0' && zeros <= most && *at < end);
    return written ? zeros : -1;
}

bool sketch_decode(struct bytes text, int precision, uint8_t *registers)
{
    const char *at = text.ptr, *end = text.ptr + text.len;
    int count = 1 << precision, next = 0;
    memset(registers, 0, (size_t)count);
    while (at < end) {
        int zeros = zeros_of(&at, end, count);
        int rank = zeros < 0 ? 0 : rank_of(*at++);
        if (rank == 0 || rank > rank_max(precision) || next + zeros >= count)
            return false;
        next += zeros;
        registers[next++] = (uint8_t)rank;
    }
    return true;
}
