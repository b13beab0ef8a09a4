/* common/log/murmur.c - which partition a key belongs to, and the hash that `tail` keeps of a
 * record.
 *
 * Kafka's Java client hashes with murmur2 (Appleby, public domain), seed 0x9747b28c; we do the
 * same, so that a topic filled by us and one filled by a Java producer agree on where a key lives.
 */
#include "common/log/log.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { MURMUR_SHIFT = 24 };
#define MURMUR_M 0x5bd1e995u
#define MURMUR_SEED 0x9747b28cu

static uint32_t mix(uint32_t k)
{
    k *= MURMUR_M;
    k ^= k >> MURMUR_SHIFT;
    return k * MURMUR_M;
}

uint32_t log_murmur2(struct bytes key)
{
    const unsigned char *at = (const unsigned char *)key.ptr;
    size_t left = key.len;
    uint32_t h = MURMUR_SEED ^ (uint32_t)left;
    for (; left >= 4; left -= 4, at += 4) {
        uint32_t k;
        memcpy(&k, at, 4); /* little-endian, as the Java client reads it */
        h = (h * MURMUR_M) ^ mix(k);
    }
    uint32_t tail = 0;
    for (size_t i = 0; i < left; i++)
        tail |= (uint32_t)at[i] << (8 * i);
    if (left)
        h = (h ^ tail) * MURMUR_M;
    h ^= h >> 13;
    h *= MURMUR_M;
    return h ^ (h >> 15);
}

int log_partition_of(struct bytes key, int partitions)
{
    return (int)((log_murmur2(key) & 0x7fffffff) % (uint32_t)partitions);
}

uint64_t log_record_hash(struct bytes key, struct bytes value)
{
    uint64_t seed = key.ptr ? XXH3_64bits(key.ptr, key.len) : 1;
    return XXH3_64bits_withSeed(value.ptr, value.len, seed);
}
