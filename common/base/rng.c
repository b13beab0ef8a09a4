/* common/base/rng.c - see rng.h. */
#include "common/base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/base/bytes.h"

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint64_t rng_mix(uint64_t seed, uint64_t n)
{
    uint64_t state = seed ^ (n * 0xD1342543DE82EF95u);
    splitmix(&state);
    return splitmix(&state);
}

void rng_init(struct rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->state[i] = splitmix(&seed);
}

void rng_init_at(struct rng *rng, uint64_t seed, uint64_t n)
{
    rng_init(rng, rng_mix(seed, n));
}

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t rng_u64(struct rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

/* Lemire, "Fast random integer generation in an interval" (2019): no division, no bias. */
uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    uint128 product = (uint128)rng_u64(rng) * bound;
    if ((uint64_t)product < bound) {
        uint64_t threshold = -bound % bound;
        while ((uint64_t)product < threshold)
            product = (uint128)rng_u64(rng) * bound;
    }
    return (uint64_t)(product >> 64);
}

double rng_double(struct rng *rng)
{
    return (double)(rng_u64(rng) >> 11) * 0x1p-53;
}

double rng_exponential(struct rng *rng, double mean)
{
    return -mean * log1p(-rng_double(rng));
}

void random_token(char out[33])
{
    uint64_t words[2];
    if (getrandom(words, sizeof words, 0) != (ssize_t)sizeof words) {
        fputs("lk: the kernel gives no random numbers (getrandom failed)\n", stderr);
        exit(3);
    }
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)words[0], (unsigned long long)words[1]);
}
