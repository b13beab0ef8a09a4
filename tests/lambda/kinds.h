/* tests/lambda/kinds.h - what the tests of a batch's kinds share, on top of kit.h: plans that every kind can
 * compute, a batch without a store up to one boundary, a batch into one, and how two generations compare. */
#ifndef LK_TESTS_LAMBDA_KINDS_H
#define LK_TESTS_LAMBDA_KINDS_H

#include "lambda/generation.h"
#include "tests/lambda/kit.h"

/* As KIT_PLAN, without dedupe: by-time can compute it, too. */
#define KINDS_SOURCE                                                                               \
    "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},"                    \
    "\"fields\":{\"k\":\"string\",\"id\":\"int\",\"x\":\"int\"}},\"key\":[\"k\"],"
#define KINDS_PLAIN                                                                                \
    KINDS_SOURCE "\"window\":{\"tumbling\":\"10s\"},"                                              \
                 "\"values\":{\"n\":\"count\",\"s\":{\"sum\":\"x\"},\"m\":{\"max\":\"x\"}}}"
#define KINDS_HOPPING                                                                              \
    KINDS_SOURCE "\"window\":{\"hopping\":[\"12s\",\"4s\"]},"                                      \
                 "\"values\":{\"n\":\"count\",\"a\":{\"avg\":\"x\"},\"m\":{\"max\":\"x\"}}}"

static const enum batch_kind KINDS[] = {BATCH_FULL, BATCH_INCREMENTAL, BATCH_BY_TIME};

static inline void kinds_use(struct kit *kit, const char *plan)
{
    plan_free(kit->plan);
    kit->plan = kit_plan(plan);
}

/* A kit with this plan, and so many events archived in every partition. */
static inline void kinds_open(struct kit *kit, uint64_t seed, int keys, const char *plan,
                              int64_t events)
{
    kit_open(kit, seed, keys);
    kinds_use(kit, plan);
    kit_fill(kit, 0, events);
}

/* The usual options, with buckets and a buffer for batches by time. */
static inline struct batch_options kinds_options(const struct kit *kit, int64_t bucket_ms,
                                                 int64_t buffer_ms)
{
    struct batch_options options = kit_options(kit);
    options.bucket_ms = bucket_ms;
    options.buffer_ms = buffer_ms;
    return options;
}

struct kinds_event {
    int64_t time_ms, id;
    const char *key;
};

/* Archive these events from offset `from` on, the same in every partition. */
static inline void kinds_fill(const struct kit *kit, int64_t from, const struct kinds_event *events,
                              int count)
{
    struct archive_writer *writer = NULL;
    struct err err = {0};
    cr_assert_eq(archive_open(kit->archive, KIT_TOPIC, KIT_PARTITIONS, &writer, &err), 0);
    for (int q = 0; q < KIT_PARTITIONS; q++) {
        for (int i = 0; i < count; i++) {
            char text[160];
            snprintf(text, sizeof text, "{\"t\":%lld,\"k\":\"%s\",\"id\":%lld,\"x\":1}",
                     (long long)events[i].time_ms, events[i].key, (long long)events[i].id);
            kit_add(writer, q, from + i, events[i].time_ms, text);
        }
        cr_assert_geq(archive_roll(writer, q, &err), 0, "%s", err.text);
    }
    archive_close(writer);
}

/* ---- a batch without a store ---- */

/* Up to one boundary in every partition. The manifest and the result are the caller's, on failure too. */
static inline int kinds_compute(const struct batch_options *options, const struct kit *kit,
                                int64_t boundary, struct manifest *manifest,
                                struct batch_result *result, struct err *err)
{
    int64_t boundaries[KIT_PARTITIONS];
    struct folder *folder = kit_folder(kit);
    for (int q = 0; q < KIT_PARTITIONS; q++)
        boundaries[q] = boundary;
    *result = (struct batch_result){0};
    *manifest = (struct manifest){0};
    int rc = batch_compute(options, KIT_TOPIC, boundaries, folder, manifest, result, err);
    folder_close(folder);
    return rc;
}

static inline struct batch_result kinds_computed(const struct batch_options *options,
                                                 const struct kit *kit, int64_t boundary,
                                                 struct manifest *manifest)
{
    struct batch_result result;
    struct err err = {0};
    cr_assert_eq(kinds_compute(options, kit, boundary, manifest, &result, &err), 0, "%s", err.text);
    return result;
}

/* Its generation alone; manifest_release. */
static inline struct manifest kinds_generation(const struct batch_options *options,
                                               const struct kit *kit, int64_t boundary)
{
    struct manifest manifest;
    struct batch_result result = kinds_computed(options, kit, boundary, &manifest);
    batch_release(&result);
    return manifest;
}

static inline void kinds_expect_refused(const struct batch_options *options, const struct kit *kit,
                                        int64_t boundary, int code, const char *words,
                                        const char *next)
{
    struct manifest manifest;
    struct batch_result result;
    struct err err = {0};
    cr_assert_eq(kinds_compute(options, kit, boundary, &manifest, &result, &err), code, "%s: %d %s",
                 words, err.code, err.text);
    cr_assert_not_null(strstr(err.text, words), "%s: %s", words, err.text);
    cr_assert_not_null(strstr(err.text, next), "the next command: %s", err.text);
    batch_release(&result);
    manifest_release(&manifest);
}

/* The same bytes: head, rows and bad events. */
static inline void kinds_expect_same(const struct manifest *a, const struct manifest *b,
                                     const char *what)
{
    for (int q = 0; q < KIT_PARTITIONS; q++)
        cr_assert_str_eq(a->files[q].checksum, b->files[q].checksum, "%s, partition %d", what, q);
}

/* A batch of the options' kind up to boundary and a full one are the same, and it read less. */
static inline struct batch_result kinds_expect_as_full(const struct batch_options *options,
                                                       const struct kit *kit, int64_t boundary)
{
    struct manifest found, wanted;
    struct batch_options full = *options;
    struct batch_result result = kinds_computed(options, kit, boundary, &found);
    cr_assert_eq(result.kind, options->kind);
    cr_assert_eq(found.kind, options->kind);
    cr_assert_str_eq(found.base, result.base);
    full.kind = BATCH_FULL;
    full.base = NULL;
    struct batch_result other = kinds_computed(&full, kit, boundary, &wanted);
    kinds_expect_same(&found, &wanted, batch_kind_name(options->kind));
    cr_assert_lt(result.events, other.events, "%s read as much as full",
                 batch_kind_name(options->kind));
    batch_release(&other);
    manifest_release(&wanted);
    manifest_release(&found);
    return result;
}

/* ---- a batch into a store ---- */

static inline struct batch_result kinds_published(struct kv *kv,
                                                  const struct batch_options *options)
{
    struct batch_result result;
    struct err err = {0};
    cr_assert_eq(batch_run(kv, options, &result, &err), 0, "%s", err.text);
    for (int q = 0; q < KIT_PARTITIONS; q++)
        cr_assert_eq(result.parts[q].publish.state, PUBLISH_DONE, "%s",
                     result.parts[q].publish.why);
    return result;
}

static inline void kinds_publish(struct kv *kv, const struct batch_options *options)
{
    struct batch_result result = kinds_published(kv, options);
    batch_release(&result);
}

#endif
