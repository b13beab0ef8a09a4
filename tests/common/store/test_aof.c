/* tests/common/store/test_aof.c - a commit that was torn off the end of an AOF does not come back by half with
 * the restart after the next: the AOF was made anew meanwhile. */
#include "common/store/aof.h"

#include <sys/stat.h>

#include "tests/common/store/redis_here.h"

enum { WAIT_MS = 10000 };

static struct kv *connection_to(const struct redis_here *redis)
{
    struct kv *kv = NULL;
    struct err err = {0};
    cr_assert_eq(kv_open(redis->uri, &kv, &err), 0, "%s", err.text);
    return kv;
}

static void commit(struct kv *kv, const char *cell, const char *position)
{
    struct kv_reply *replies;
    kv_words(kv, "MULTI", NULL);
    kv_words(kv, "HSET", "cells", cell, "a partial of some length", NULL);
    kv_words(kv, "HSET", "pos", "next", position, NULL);
    kv_words(kv, "EXEC", NULL);
    cr_assert_eq(kv_roundtrip(kv, &replies, NULL), 4);
    cr_assert_eq(replies[3].type, KV_ARRAY);
}

static bool has(struct kv *kv, const char *key, const char *field)
{
    struct kv_reply *replies;
    kv_words(kv, "HGET", key, field, NULL);
    cr_assert_eq(kv_roundtrip(kv, &replies, NULL), 1);
    return replies[0].type == KV_TEXT;
}

static void die_and_come_back(struct redis_here *redis, struct kv *kv, int64_t bytes_off)
{
    char path[120];
    struct stat about;
    kv_close(kv);
    redis_here_down(redis);
    snprintf(path, sizeof path, "%s/appendonlydir/appendonly.aof.1.incr.aof", redis->dir);
    if (bytes_off)
        cr_assert(stat(path, &about) == 0 && truncate(path, about.st_size - bytes_off) == 0);
    cr_assert(redis_here_up(redis));
}

static bool says(struct kv *kv, const char *text)
{
    struct kv_reply *replies;
    kv_words(kv, "INFO", "persistence", NULL);
    cr_assert_eq(kv_roundtrip(kv, &replies, NULL), 1);
    return strstr(replies[0].text.ptr, text) != NULL;
}

Test(aof, half_a_commit_that_was_torn_off_never_comes_back)
{
    struct redis_here redis = {.aof = true};
    redis_here_start(&redis);
    struct kv *kv = connection_to(&redis);
    commit(kv, "first", "1");
    commit(kv, "torn", "2");
    die_and_come_back(&redis, kv, 30); /* in the middle of the last HSET */
    kv = connection_to(&redis);
    cr_assert(has(kv, "cells", "first") && !has(kv, "cells", "torn"));
    cr_assert_eq(aof_renew(kv, NULL), 0);
    for (int ms = 0; says(kv, "aof_last_rewrite_time_sec:-1\r") && ms < WAIT_MS; ms++)
        clock_sleep_ms(1);
    cr_assert_not(says(kv, "aof_last_rewrite_time_sec:-1\r"), "a new AOF was asked for");
    commit(kv, "second", "2");
    die_and_come_back(&redis, kv, 0);
    kv = connection_to(&redis);
    cr_expect(has(kv, "cells", "first") && has(kv, "cells", "second"));
    cr_expect_not(has(kv, "cells", "torn"), "it came back with the second restart");
    kv_close(kv);
    redis_here_stop(&redis);
}

Test(aof, a_server_without_one_is_left_alone)
{
    struct redis_here redis = {0};
    redis_here_start(&redis);
    struct kv *kv = connection_to(&redis);
    cr_expect_eq(aof_renew(kv, NULL), 0);
    cr_expect(says(kv, "aof_last_rewrite_time_sec:-1\r"));
    kv_close(kv);
    redis_here_stop(&redis);
}
