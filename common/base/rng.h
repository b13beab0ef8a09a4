/* common/base/rng.h - seeded random numbers, the same on every machine.
 *
 * xoshiro256** (Blackman and Vigna, 2018), seeded by splitmix64. Never a source of secrets:
 * tokens come from random_token. Open value; one thread. */
#ifndef LK_BASE_RNG_H
#define LK_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_init(struct rng *rng, uint64_t seed);
/* An independent stream for element n of a seeded sequence: (seed, n) -> numbers. */
void rng_init_at(struct rng *rng, uint64_t seed, uint64_t n);
uint64_t rng_u64(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t bound); /* uniform in [0, bound), bound > 0 */
double rng_double(struct rng *rng);                  /* uniform in [0, 1), 53 bits */
double rng_exponential(struct rng *rng, double mean);
/* One mixed number of (seed, n); the cheapest way to a single draw. */
uint64_t rng_mix(uint64_t seed, uint64_t n);
/* 32 hexadecimal digits and a NUL from the kernel's generator: owner tokens, generation ids. */
void random_token(char out[33]);

#endif
