/* common/store/kv_ops.h - what a filling of kv.h fills. For kv.c, redis.c and memory.c alone. */
#ifndef LK_STORE_KV_OPS_H
#define LK_STORE_KV_OPS_H

#include "common/base/arena.h"
#include "common/store/kv.h"

struct kv_ops {
    const char *scheme; /* what a URI begins with, such as "redis://" */
    /* where: the URI behind the scheme. */
    int (*open)(const char *where, void **handle, struct err *err);
    void (*close)(void *handle);
    void (*command)(void *handle, const struct bytes *args, int count);
    int (*send)(void *handle, struct err *err);
    bool (*ready)(void *handle, int wait_ms);
    int (*receive)(void *handle, struct arena *arena, struct kv_reply **replies, struct err *err);
    int (*reconnect)(void *handle, struct err *err);
    void (*timeout)(void *handle, int ms);
    void (*traffic)(const void *handle, int64_t *sent, int64_t *received);
};

extern const struct kv_ops kv_redis_ops, kv_redis_unix_ops, kv_memory_ops;

#endif
