/* lambda/batch_slots.c - see batch_slots.h. */
#include "lambda/batch_slots.h"

#include "common/base/fault.h"
#include "common/store/pos.h"
#include "common/store/registry.h"

enum { LOOKS_MAX = 1000 }; /* how often pos may change under us */

static int fault(struct kv *kv, const char *point, struct err *err)
{
    if (!fault_point(point))
        return 0;
    kv_drop(kv);
    return err_set(err, ERR_AWAY, "fault: %s", point);
}

/* WATCH pos and read it; *slot: its last cut. 1, 0 there is no pos, or a code. */
static int look(struct kv *kv, const char *key, int64_t *slot, struct err *err)
{
    struct kv_reply *replies;
    struct pos pos;
    kv_words(kv, "WATCH", key, NULL);
    kv_words(kv, "HGETALL", key, NULL);
    int rc = kv_roundtrip(kv, &replies, err);
    rc = rc < 0 ? rc : pos_decode(&replies[1], &pos, err);
    if (rc < 0)
        return rc;
    bool here = pos.here;
    *slot = pos.cut_count ? pos.cuts[pos.cut_count - 1] : 0;
    pos_release(&pos);
    return here;
}

/* EXEC of slot, or UNWATCH where there is no pos: 1 done, 0 pos was written since, or a code. */
static int put(struct kv *kv, struct arena *arena, const char *key, bool here, int64_t slot,
               struct err *err)
{
    struct kv_reply *replies;
    struct kv_args hset = args_new(arena, "HSET", key, NULL);
    args_int(&hset, "slot", slot);
    if (here) {
        kv_words(kv, "MULTI", NULL);
        args_queue(&hset, kv);
        kv_words(kv, "EXEC", NULL);
    } else {
        kv_words(kv, "UNWATCH", NULL);
    }
    int rc = kv_roundtrip(kv, &replies, err);
    for (int i = 0; i < rc; i++)
        if (replies[i].type == KV_ERROR)
            return kv_error(&replies[i], "", err);
    return rc < 0 || !here ? (rc < 0 ? rc : 1) : replies[rc - 1].type == KV_ARRAY;
}

static int note(struct kv *kv, const char *key, int64_t *slot, struct arena *arena, struct err *err)
{
    for (int i = 0; i < LOOKS_MAX; i++) {
        int here = look(kv, key, slot, err);
        int rc = here < 0 ? here : fault(kv, "batch begin", err);
        if (rc == 0)
            rc = put(kv, arena, key, here == 1, *slot, err);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    return err_set(err, ERR_AWAY, "%s changes all the time", key);
}

int batch_slots_note(struct kv *kv, const struct plan *plan, int version, int partitions,
                     int64_t *slots, struct err *err)
{
    struct arena arena = {0};
    char name[16];
    int rc = 0;
    registry_version_name(ARCH_LAMBDA, version, name);
    for (int q = 0; rc == 0 && q < partitions; q++)
        rc = note(kv, key_pos(&arena, plan->view, name, q), &slots[q], &arena, err);
    arena_release(&arena);
    return rc;
}
