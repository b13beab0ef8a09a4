/* tests/lambda/kit.h - what the batch's tests share: an archive of made-up events, a view, and what
 * the view must say by the plainest of counting. */
#ifndef LK_TESTS_LAMBDA_KIT_H
#define LK_TESTS_LAMBDA_KIT_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/map.h"
#include "common/base/rng.h"
#include "common/log/archive.h"
#include "common/store/pos.h"
#include "common/store/read.h"
#include "lambda/batch.h"
#include "lambda/folder.h"

enum { KIT_PARTITIONS = 3, KIT_HOUR_MS = 3600000 };
#define KIT_TOPIC "made_up"
#define KIT_START_MS INT64_C(1700000000000)

/* Ids repeat within a partition, one event in 50 is broken. */
static const char KIT_PLAN[] =
    "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},"
    "\"fields\":{\"k\":\"string\",\"id\":\"int\",\"x\":\"int\"}},"
    "\"dedupe\":{\"by\":\"id\",\"horizon\":\"10s\"},\"dedupe_scope\":\"partition\","
    "\"key\":[\"k\"],\"window\":{\"tumbling\":\"10s\"},"
    "\"values\":{\"n\":\"count\",\"s\":{\"sum\":\"x\"},\"m\":{\"max\":\"x\"}}}";

struct kit {
    char dir[64], archive[96];
    struct plan *plan;
    uint64_t seed;
    int keys;
};

struct kit_event {
    bool bad;
    int64_t time_ms, id, x;
    int key;
};

static inline struct plan *kit_plan(const char *json)
{
    struct plan *plan = NULL;
    struct buf mistakes = {0};
    struct err err = {0};
    cr_assert_eq(plan_parse(bytes_of(json), ".", true, &plan, &mistakes, &err), 0, "%s\n%s",
                 err.text, mistakes.len ? mistakes.ptr : "");
    return plan;
}

static inline void kit_open(struct kit *kit, uint64_t seed, int keys)
{
    *kit = (struct kit){.dir = "/tmp/lk-test-lambda.XXXXXX", .seed = seed, .keys = keys};
    cr_assert_not_null(mkdtemp(kit->dir));
    snprintf(kit->archive, sizeof kit->archive, "%s/archive", kit->dir);
    kit->plan = kit_plan(KIT_PLAN);
}

static inline int kit_remove(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static inline void kit_close(struct kit *kit)
{
    nftw(kit->dir, kit_remove, 8, FTW_DEPTH | FTW_PHYS);
    plan_free(kit->plan);
}

/* Event n of a partition. */
static inline struct kit_event kit_event(const struct kit *kit, int partition, int64_t n)
{
    struct rng rng;
    rng_init_at(&rng, kit->seed + (uint64_t)partition, (uint64_t)n);
    return (struct kit_event){.bad = rng_below(&rng, 50) == 0,
                              .time_ms = KIT_START_MS + n * 10 + (int64_t)rng_below(&rng, 60000),
                              .id = n - (int64_t)rng_below(&rng, 3) * 7,
                              .x = (int64_t)rng_below(&rng, 1000) - 500,
                              .key = (int)rng_below(&rng, (uint64_t)kit->keys)};
}

static inline void kit_add(struct archive_writer *writer, int partition, int64_t offset,
                           int64_t time_ms, const char *text)
{
    struct err err = {0};
    struct bytes key = {0}, value = bytes_of(text);
    int64_t due_ns = 0;
    struct log_batch batch = {partition, 1, &offset, &time_ms, &due_ns, &key, &value, offset + 1};
    cr_assert_eq(archive_add(writer, &batch, &err), 0, "%s", err.text);
}

static inline void kit_archive_partition(const struct kit *kit, struct archive_writer *writer,
                                         int partition, int64_t from, int64_t to)
{
    struct err err = {0};
    for (int64_t n = from; n < to; n++) {
        struct kit_event event = kit_event(kit, partition, n);
        char text[160];
        snprintf(text, sizeof text,
                 event.bad ? "{\"t\":%lld,\"k\":"
                           : "{\"t\":%lld,\"k\":\"key%d\",\"id\":%lld,\"x\":%lld}",
                 (long long)event.time_ms, event.key, (long long)event.id, (long long)event.x);
        kit_add(writer, partition, n, event.time_ms, text);
    }
    cr_assert_geq(archive_roll(writer, partition, &err), 0, "%s", err.text);
}

/* Archive events [from, to) of every partition. */
static inline void kit_fill(const struct kit *kit, int64_t from, int64_t to)
{
    struct archive_writer *writer = NULL;
    struct err err = {0};
    cr_assert_eq(archive_open(kit->archive, KIT_TOPIC, KIT_PARTITIONS, &writer, &err), 0, "%s",
                 err.text);
    for (int q = 0; q < KIT_PARTITIONS; q++)
        kit_archive_partition(kit, writer, q, from, to);
    archive_close(writer);
}

static inline struct batch_options kit_options(const struct kit *kit)
{
    return (struct batch_options){.plan = kit->plan,
                                  .archive = kit->archive,
                                  .workers = 2,
                                  .memory_bytes = 64 << 20,
                                  .keep = 2};
}

/* The folder of the view's generations; folder_close. */
static inline struct folder *kit_folder(const struct kit *kit)
{
    struct folder *folder = NULL;
    struct err err = {0};
    cr_assert_eq(folder_open(kit->archive, KIT_TOPIC, "v", &folder, &err), 0, "%s", err.text);
    return folder;
}

static inline struct kv *kit_kv(const char *uri)
{
    struct kv *kv = NULL;
    struct err err = {0};
    cr_assert_eq(kv_open(uri, &kv, &err), 0, "%s", err.text);
    return kv;
}

/* ---- what the view must say ---- */

struct kit_sum {
    int64_t n, s, m;
};

/* Count one partition's [0, boundary) into sums by "window key". */
static inline void kit_count(const struct kit *kit, int partition, int64_t boundary,
                             struct map *sums)
{
    struct map seen;
    map_init(&seen, 1);
    for (int64_t n = 0; n < boundary; n++) {
        struct kit_event event = kit_event(kit, partition, n);
        char name[64];
        bool fresh;
        if (event.bad)
            continue;
        map_put(&seen, (struct bytes){(const char *)&event.id, sizeof event.id}, &fresh);
        if (!fresh)
            continue;
        snprintf(name, sizeof name, "%lld [\"key%d\"]",
                 (long long)(event.time_ms - event.time_ms % 10000), event.key);
        struct kit_sum *sum = map_put(sums, bytes_of(name), &fresh);
        sum->m = fresh || event.x > sum->m ? event.x : sum->m;
        sum->n++;
        sum->s += event.x;
    }
    map_release(&seen);
}

/* The view read through the store is exactly batch[0, boundary) of each partition. */
static inline void kit_expect_view(const struct kit *kit, struct kv *kv, const int64_t *boundaries)
{
    struct answer answer;
    struct view_query query = {0};
    struct err err = {0};
    struct map sums;
    map_init(&sums, sizeof(struct kit_sum));
    for (int q = 0; q < KIT_PARTITIONS; q++)
        kit_count(kit, q, boundaries[q], &sums);
    cr_assert_eq(view_read(kv, "v", ARCH_LAMBDA, &query, &answer, &err), 0, "%s", err.text);
    cr_assert_eq(answer.count, sums.count, "%zu rows, expected %zu (seed %llu)", answer.count,
                 sums.count, (unsigned long long)kit->seed);
    for (size_t i = 0; i < answer.count; i++) {
        const struct answer_row *row = &answer.rows[i];
        char name[64], values[96];
        snprintf(name, sizeof name, "%lld %.*s", (long long)row->window_ms, (int)row->key.len,
                 row->key.ptr);
        const struct kit_sum *sum = map_get(&sums, bytes_of(name));
        cr_assert_not_null(sum, "%s should not be there", name);
        snprintf(values, sizeof values, "\"m\":%lld,\"n\":%lld,\"s\":%lld", (long long)sum->m,
                 (long long)sum->n, (long long)sum->s);
        cr_assert(bytes_equal(row->values, bytes_of(values)), "%s: %.*s, expected %s (seed %llu)",
                  name, (int)row->values.len, row->values.ptr, values,
                  (unsigned long long)kit->seed);
    }
    answer_release(&answer);
    map_release(&sums);
}

/* The names in the generations' folder that end with suffix. */
static inline int kit_files(const struct kit *kit, const char *suffix)
{
    char path[160];
    int count = 0;
    snprintf(path, sizeof path, "%s/%s/generations/v", kit->archive, KIT_TOPIC);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        size_t len = strlen(entry->d_name), tail = strlen(suffix);
        count += len > tail && strcmp(entry->d_name + len - tail, suffix) == 0;
    }
    if (dir)
        closedir(dir);
    return count;
}

/* pos of a partition, as HGETALL gives it; pos_release. */
static inline struct pos kit_pos(struct kv *kv, int partition)
{
    struct arena arena = {0};
    struct kv_reply *replies;
    struct pos pos;
    struct err err = {0};
    kv_words(kv, "HGETALL", key_pos(&arena, "v", "l1", partition), NULL);
    cr_assert_eq(kv_roundtrip(kv, &replies, &err), 1, "%s", err.text);
    cr_assert_eq(pos_decode(&replies[0], &pos, &err), 0, "%s", err.text);
    arena_release(&arena);
    return pos;
}

#endif
