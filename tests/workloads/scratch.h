/* tests/workloads/scratch.h - what these tests share: a directory that goes, files, logs, streams.
 */
#ifndef LK_TESTS_WORKLOADS_SCRATCH_H
#define LK_TESTS_WORKLOADS_SCRATCH_H

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/log/log.h"
#include "workloads/workload.h"

struct scratch {
    char dir[64];
};

static inline struct scratch scratch_make(void)
{
    struct scratch scratch = {"/tmp/lk-test-workloads.XXXXXX"};
    cr_assert_not_null(mkdtemp(scratch.dir));
    return scratch;
}

static inline int scratch_remove_entry(const char *path, const struct stat *stat, int type,
                                       struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static inline void scratch_remove(const struct scratch *scratch)
{
    nftw(scratch->dir, scratch_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* Write a file; returns its path, good until the next call. */
static inline const char *scratch_file(const struct scratch *scratch, const char *name,
                                       struct bytes content)
{
    static char path[128];
    struct err err = {0};
    cr_assert_eq(workload_write(scratch->dir, name, content, &err), 0, "%s", err.text);
    snprintf(path, sizeof path, "%s/%s", scratch->dir, name);
    return path;
}

static inline struct log *scratch_log(const struct scratch *scratch)
{
    char uri[96];
    struct log *log = NULL;
    struct err err = {0};
    snprintf(uri, sizeof uri, "embedded:%s/log", scratch->dir);
    cr_assert_eq(log_open(uri, true, &log, &err), 0, "%s", err.text);
    return log;
}

static inline struct stream *scratch_stream(const struct workload *workload,
                                            struct workload_options options,
                                            struct disorder_options disorder)
{
    struct stream *stream = NULL;
    struct err err = {0};
    cr_assert_eq(stream_open(workload, &options, &disorder, &stream, &err), 0, "%s", err.text);
    return stream;
}

/* FNV-1a over bytes, so that a golden number depends on nothing of ours. */
static inline uint64_t scratch_fnv(uint64_t hash, const void *ptr, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const unsigned char *)ptr)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#define SCRATCH_FNV UINT64_C(0xcbf29ce484222325)

/* All that an event is, into a hash. */
static inline uint64_t scratch_hash_event(uint64_t hash, const struct workload_event *event)
{
    hash = scratch_fnv(hash, event->key.ptr, event->key.len);
    hash = scratch_fnv(hash, event->value.ptr, event->value.len);
    hash = scratch_fnv(hash, &event->event_ms, sizeof event->event_ms);
    hash = scratch_fnv(hash, &event->publish_us, sizeof event->publish_us);
    return scratch_fnv(hash, &event->number, sizeof event->number);
}

/* The hash of a whole stream, and how many events it has. */
static inline uint64_t scratch_hash_stream(struct stream *stream, int64_t *count)
{
    uint64_t hash = SCRATCH_FNV;
    struct workload_event event;
    struct err err = {0};
    int rc;
    for (*count = 0; (rc = stream_next(stream, &event, &err)) == 1; ++*count)
        hash = scratch_hash_event(hash, &event);
    cr_assert_eq(rc, 0, "%s", err.text);
    return hash;
}

#endif
