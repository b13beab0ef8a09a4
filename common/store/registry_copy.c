/* common/store/registry_copy.c - see registry_copy.h. */
#include "common/store/registry_copy.h"

#include <stdlib.h>

#include "common/store/pos.h"

void registry_copy_release(struct registry_copy *copy)
{
    arena_release(&copy->arena);
    *copy = (struct registry_copy){0};
}

void registry_copy_ask(struct kv *kv, const char *view, enum arch arch)
{
    char key[REGISTRY_KEY_BYTES];
    registry_key(view, arch, key);
    kv_words(kv, "HGETALL", key, NULL);
}

bool registry_copy_note(struct registry_copy *copy, const struct kv_reply *reply)
{
    if (reply->type != KV_ARRAY || reply->count == 0)
        return reply->type != KV_ARRAY; /* what is not ours is for its readers to say */
    arena_reset(&copy->arena);
    copy->count = reply->count;
    copy->texts = arena_alloc(&copy->arena, (size_t)copy->count * sizeof *copy->texts);
    for (int i = 0; i < copy->count; i++)
        copy->texts[i] = arena_bytes(&copy->arena, reply->items[i].text);
    return true;
}

static int put(struct kv *kv, const char *key, const struct registry_copy *copy, struct err *err)
{
    struct arena arena = {0};
    struct kv_reply *replies;
    struct kv_args hset = args_new(&arena, "HSET", key, NULL);
    for (int i = 0; i < copy->count; i++)
        args_add(&hset, copy->texts[i]);
    kv_words(kv, "MULTI", NULL);
    args_queue(&hset, kv);
    kv_words(kv, "EXEC", NULL);
    int rc = kv_roundtrip(kv, &replies, err);
    for (int i = 0; i < rc; i++)
        if (replies[i].type == KV_ERROR)
            rc = kv_error(&replies[i], "putting the registry back: ", err);
    arena_release(&arena);
    return rc < 0 ? rc : 0;
}

int registry_copy_put_back(struct kv *kv, const char *view, enum arch arch,
                           const struct registry_copy *copy, struct err *err)
{
    char key[REGISTRY_KEY_BYTES];
    struct kv_reply *replies;
    registry_key(view, arch, key);
    if (copy->count == 0)
        return 0;
    kv_words(kv, "WATCH", key, NULL);
    kv_words(kv, "HGETALL", key, NULL);
    int rc = kv_roundtrip(kv, &replies, err);
    if (rc < 0)
        return rc;
    if (replies[1].count == 0)
        return put(kv, key, copy, err);
    kv_words(kv, "UNWATCH", NULL);
    rc = kv_roundtrip(kv, &replies, err);
    return rc < 0 ? rc : 0;
}
