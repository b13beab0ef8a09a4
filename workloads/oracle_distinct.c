/* workloads/oracle_distinct.c - the values that one (window, key) has met, and what a sketch of them says.
 *
 * The set is kept itself, and a sketch made of it only at the end, from the definition: the first
 * `precision` bits of a value's XXH3-64 choose a register, which keeps the greatest place of the first 1 in
 * the bits behind them. The estimate is Ertl's (arXiv 1702.01284, algorithm 6), written as the sums that
 * the paper has, in long double:
 *   n = m^2 / (2 ln 2 z),  z = m sigma(C0 / m) + C1 / 2 + ... + Cq / 2^q + m tau(1 - Cq+1 / m) / 2^q
 * The true number of values is known here, too, but a contract says what the plan says: a sketch. */
#include <math.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "workloads/oracle_parts.h"

enum { TERMS = 80 };

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Each number once. */
static void tidy(struct members *members)
{
    size_t kept = 0;
    if (members->count)
        qsort(members->numbers, members->count, sizeof *members->numbers, by_number);
    for (size_t i = 0; i < members->count; i++)
        if (i == 0 || members->numbers[i] != members->numbers[kept - 1])
            members->numbers[kept++] = members->numbers[i];
    members->count = kept;
}

void members_add(struct members *members, uint32_t number)
{
    if (members->count == members->capacity) {
        tidy(members);
        if (members->count * 2 >= members->capacity)
            members->capacity = members->capacity ? members->capacity * 2 : 4;
        members->numbers = mem_grow(members->numbers, members->capacity * sizeof(uint32_t));
    }
    members->numbers[members->count++] = number;
}

void members_release(struct members *members)
{
    free(members->numbers);
    *members = (struct members){0};
}

static long double sigma(long double x)
{
    long double sum = x, weight = 1;
    for (int k = 1; k < TERMS; k++, weight *= 2) {
        x *= x;
        sum += x * weight;
    }
    return sum;
}

static long double tau(long double x)
{
    long double sum = 1 - x, weight = 0.5L;
    for (int k = 1; k < TERMS && x > 0; k++, weight /= 2) {
        x = sqrtl(x);
        sum -= (1 - x) * (1 - x) * weight;
    }
    return x > 0 ? sum / 3 : 0;
}

int64_t members_estimate(struct members *members, const struct map *values, int precision)
{
    enum { RANKS_MAX = 66 };
    int registers = 1 << precision, q = 64 - precision;
    uint8_t *rank = mem_zero((size_t)registers, 1);
    int with[RANKS_MAX] = {0};
    tidy(members);
    for (size_t i = 0; i < members->count; i++) {
        struct bytes value;
        map_at(values, members->numbers[i], &value);
        uint64_t hash = XXH3_64bits(value.ptr, value.len);
        size_t number = (size_t)(hash / (UINT64_C(1) << q));
        int place = 1;
        while (place <= q && !(hash >> (q - place) & 1))
            place++;
        if (place > rank[number])
            rank[number] = (uint8_t)place;
    }
    for (int i = 0; i < registers; i++)
        with[rank[i]]++;
    free(rank);
    if (members->count == 0)
        return 0;
    long double m = registers, z = m * sigma(with[0] / m);
    for (int k = 1; k <= q; k++)
        z += ldexpl(with[k], -k);
    z += ldexpl(m * tau(1 - with[q + 1] / m), -q);
    return llroundl(m * m / (2 * logl(2) * z));
}
