/* tests/common/log/test_murmur.c - keys land where Kafka's Java client puts them. */
#include <criterion/criterion.h>
#include <librdkafka/rdkafka.h>

#include "common/base/rng.h"
#include "common/log/log.h"

/* Vectors of the Java client's UtilsTest.testMurmur2. */
static const struct {
    const char *key;
    int32_t hash;
} VECTORS[] = {
    {"21", -973932308},
    {"foobar", -790332482},
    {"a-little-bit-long-string", -985981536},
    {"a-little-bit-longer-string", -1486304829},
    {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
    {"abc", 479470107},
};

Test(murmur, equals_the_java_client)
{
    for (size_t i = 0; i < sizeof VECTORS / sizeof *VECTORS; i++)
        cr_expect_eq((int32_t)log_murmur2(bytes_of(VECTORS[i].key)), VECTORS[i].hash, "%s",
                     VECTORS[i].key);
}

Test(murmur, partition_drops_the_sign_bit_as_java_does)
{
    cr_expect_eq(log_partition_of(bytes_of("21"), 7), (-973932308 & 0x7fffffff) % 7);
    cr_expect_eq(log_partition_of(bytes_of("abc"), 7), 479470107 % 7);
}

Test(murmur, librdkafka_puts_a_key_where_we_do)
{
    struct rng rng;
    rng_init(&rng, 7);
    for (int i = 0; i < 1000; i++) {
        char key[40];
        struct bytes bytes = {key, 1 + rng_below(&rng, sizeof key)};
        for (size_t k = 0; k < bytes.len; k++)
            key[k] = (char)rng_below(&rng, 256);
        int partitions = 1 + (int)rng_below(&rng, LOG_PARTITIONS_MAX);
        cr_assert_eq(
            rd_kafka_msg_partitioner_murmur2_random(NULL, key, bytes.len, partitions, NULL, NULL),
            log_partition_of(bytes, partitions), "seed 7, key %d", i);
    }
}

Test(record_hash, tells_key_from_value_and_no_key_from_an_empty_one)
{
    struct bytes none = {NULL, 0}, empty = {"", 0}, a = bytes_of("a"), b = bytes_of("b");
    uint64_t hashes[] = {log_record_hash(none, a), log_record_hash(empty, a),
                         log_record_hash(a, b),    log_record_hash(b, a),
                         log_record_hash(a, none), log_record_hash(none, none)};
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < i; j++)
            cr_expect_neq(hashes[i], hashes[j], "%zu and %zu", i, j);
}
