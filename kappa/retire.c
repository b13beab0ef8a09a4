/* kappa/retire.c - retiring a version: registry, then tombstones, then cells; see version.h and
 * tests/model/version.pml.
 *
 * The order is what makes it safe at every step: a retired version can be neither promoted nor
 * rolled back to; a worker that takes finds the tombstone, one at work finds its pos written; a
 * reader that meets the tombstone begins anew at the live pointer. Everything goes over one
 * connection: if Redis went back in time, the connection is gone and we begin again at the mark. */
#include "common/base/fault.h"
#include "common/base/stop.h"
#include "common/store/pos.h"
#include "kappa/version.h"

enum { STEP_KEYS = 100, ROUNDS_MAX = 10 };

struct retiring {
    struct kv *kv;
    const char *view;
    char version[16];
    struct arena arena;
    int64_t unlinked;
};

/* A fault point of retiring: the connection breaks there. */
static int break_at(struct retiring *r, const char *point, struct err *err)
{
    if (!fault_point(point))
        return 0;
    kv_drop(r->kv);
    return err_set(err, ERR_AWAY, "fault: %s", point);
}

static int check_replies(const struct kv_reply *replies, int count, struct err *err)
{
    for (int i = 0; i < count; i++)
        if (replies[i].type == KV_ERROR)
            return kv_error(&replies[i], "", err);
    return 0;
}

/* pos becomes a tombstone, whoever owns it: its worker's next EXEC aborts. */
static int bury(struct retiring *r, int partition, struct err *err)
{
    struct kv_reply *replies;
    char *key = key_pos(&r->arena, r->view, r->version, partition);
    int rc = break_at(r, "retire pos", err);
    if (rc < 0)
        return rc;
    kv_words(r->kv, "MULTI", NULL);
    kv_words(r->kv, "UNLINK", key, NULL);
    kv_words(r->kv, "HSET", key, "retired", "1", NULL);
    kv_words(r->kv, "EXEC", NULL);
    rc = kv_roundtrip(r->kv, &replies, err);
    return rc < 0 ? rc : check_replies(replies, rc, err);
}

/* Unlink a few of the cells that the index names, and take them out of it. */
static int unlink_few(struct retiring *r, int partition, const char *index, char *const *fields,
                      int count, struct err *err)
{
    struct kv_reply *replies;
    struct kv_args unlink = args_new(&r->arena, "UNLINK", NULL);
    struct kv_args forget = args_new(&r->arena, "SREM", index, NULL);
    for (int i = 0; i < count; i++) {
        args_text(&unlink, key_cells(&r->arena, r->view, r->version, partition, "k", fields[i]));
        args_text(&forget, fields[i]);
    }
    int rc = break_at(r, "retire cells", err);
    if (rc < 0)
        return rc;
    args_queue(&unlink, r->kv);
    args_queue(&forget, r->kv);
    rc = kv_roundtrip(r->kv, &replies, err);
    rc = rc < 0 ? rc : check_replies(replies, rc, err);
    r->unlinked += rc < 0 ? 0 : count;
    return rc;
}

static int retire_partition(struct retiring *r, int partition, struct err *err)
{
    struct kv_reply *replies;
    arena_reset(&r->arena);
    int rc = bury(r, partition, err);
    if (rc < 0)
        return rc;
    const char *index = key_part(&r->arena, r->view, r->version, partition, "k");
    kv_words(r->kv, "SMEMBERS", index, NULL);
    rc = kv_roundtrip(r->kv, &replies, err);
    rc = rc < 0 ? rc : check_replies(replies, rc, err);
    if (rc < 0)
        return rc;
    int count = replies[0].count;
    char **fields = arena_alloc(&r->arena, ((size_t)count + 1) * sizeof *fields);
    for (int i = 0; i < count; i++)
        fields[i] = arena_string(&r->arena, replies[0].items[i].text.ptr);
    for (int at = 0; rc == 0 && at < count && !stop_asked(); at += STEP_KEYS)
        rc = unlink_few(r, partition, index, fields + at,
                        count - at < STEP_KEYS ? count - at : STEP_KEYS, err);
    return rc;
}

/* From the mark on. */
static int retire(struct retiring *r, int number, struct err *err)
{
    struct registry registry = {0};
    int rc = registry_retire(r->kv, r->view, ARCH_KAPPA, number, err);
    if (rc == 0)
        rc = registry_read(r->kv, r->view, ARCH_KAPPA, &registry, err);
    for (int p = 0; rc == 0 && p < registry.partitions && !stop_asked(); p++)
        rc = retire_partition(r, p, err);
    registry_release(&registry);
    if (rc == 0 && stop_asked())
        rc = err_set(err, ERR_INTERRUPTED, "interrupted; run it again to unlink the rest");
    return rc;
}

int64_t kappa_retire(const char *view, const char *view_uri, int number, struct err *err)
{
    struct retiring retiring = {.view = view};
    int rc = kv_open(view_uri, &retiring.kv, err);
    if (rc < 0)
        return rc;
    registry_version_name(ARCH_KAPPA, number, retiring.version);
    rc = ERR_AWAY;
    for (int round = 0; rc == ERR_AWAY && round < ROUNDS_MAX; round++) {
        struct err why = {0};
        rc = kv_down(retiring.kv) ? kv_reconnect(retiring.kv, &why) : 0;
        rc = rc < 0 ? rc : retire(&retiring, number, &why);
        if (rc < 0 && err)
            *err = why;
    }
    if (rc == 0 && err)
        err_clear(err);
    arena_release(&retiring.arena);
    kv_close(retiring.kv);
    return rc < 0 ? rc : retiring.unlinked;
}
