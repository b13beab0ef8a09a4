/* common/store/retire.c - retiring: registry, then tombstones, then cells; see retire.h and
 * tests/model/version.pml.
 *
 * The order is what makes it safe at every step: a retired version can be neither promoted nor
 * rolled back to, a retired view of lambda is published into by no batch; a worker that takes finds
 * the tombstone, one at work finds its pos written; a reader that meets the tombstone begins anew at the
 * live pointer. A tombstone of lambda keeps the names of its parts (cuts, gens, swept), for whoever has
 * to finish. Everything goes over one connection: if Redis went back in time, the connection is gone and
 * we begin again at the mark. */
#include "common/store/retire.h"

#include <stdio.h>

#include "common/base/fault.h"
#include "common/base/stop.h"
#include "common/store/pos.h"

enum { STEP_KEYS = 100, ROUNDS_MAX = 10, LOOKS_MAX = 1000 };

struct retiring {
    struct kv *kv;
    const char *view;
    enum arch arch;
    char version[16];
    struct arena arena; /* of one partition */
    int64_t unlinked;
};

/* What a partition's cells stand under: "k", "s<cut>", "g<id>". */
struct parts {
    const char **names; /* in the arena */
    int count;
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

/* ---- tombstones ---- */

static void add_part(struct retiring *r, struct parts *parts, char kind, const char *rest)
{
    char name[POS_ID_BYTES + 1];
    snprintf(name, sizeof name, "%c%s", kind, rest);
    parts->names[parts->count++] = arena_string(&r->arena, name);
}

static void list_parts(struct retiring *r, const struct pos *pos, struct parts *parts)
{
    char cut[24];
    size_t most = 1 + (size_t)pos->cut_count + (size_t)pos->gen_count + (size_t)pos->swept_count;
    *parts = (struct parts){.names = arena_alloc(&r->arena, most * sizeof(char *))};
    if (r->arch == ARCH_KAPPA)
        add_part(r, parts, 'k', "");
    for (int i = 0; i < pos->cut_count; i++) {
        snprintf(cut, sizeof cut, "%lld", (long long)pos->cuts[i]);
        add_part(r, parts, 's', cut);
    }
    for (int i = 0; i < pos->gen_count; i++)
        add_part(r, parts, 'g', pos->gens[i]);
    for (int i = 0; i < pos->swept_count; i++)
        add_part(r, parts, 'g', pos->swept[i]);
}

static struct kv_args args_tombstone(struct retiring *r, const char *key, const struct pos *pos)
{
    struct kv_args hset = args_new(&r->arena, "HSET", key, "retired", "1", NULL);
    if (pos->cut_count)
        args_cuts(&hset, pos->cuts, pos->cut_count);
    if (pos->gen_count)
        args_gens(&hset, "gens", pos->gens, pos->gen_count);
    if (pos->swept_count)
        args_gens(&hset, "swept", pos->swept, pos->swept_count);
    return hset;
}

/* EXEC of the tombstone: 1 done, 0 pos was written since the look, or a code. */
static int put_tombstone(struct retiring *r, const char *key, const struct pos *pos,
                         struct err *err)
{
    struct kv_reply *replies;
    struct kv_args hset = args_tombstone(r, key, pos);
    int rc = break_at(r, "retire pos", err);
    if (rc < 0)
        return rc;
    kv_words(r->kv, "MULTI", NULL);
    kv_words(r->kv, "UNLINK", key, NULL);
    args_queue(&hset, r->kv);
    kv_words(r->kv, "EXEC", NULL);
    rc = kv_roundtrip(r->kv, &replies, err);
    rc = rc < 0 ? rc : check_replies(replies, rc, err);
    return rc < 0 ? rc : replies[3].type == KV_ARRAY;
}

/* pos becomes a tombstone, whoever owns it: its worker's next EXEC aborts. */
static int bury(struct retiring *r, int partition, struct parts *parts, struct err *err)
{
    for (int looks = 0; looks < LOOKS_MAX; looks++) {
        struct kv_reply *replies;
        struct pos pos;
        arena_reset(&r->arena);
        char *key = key_pos(&r->arena, r->view, r->version, partition);
        kv_words(r->kv, "WATCH", key, NULL);
        kv_words(r->kv, "HGETALL", key, NULL);
        int rc = kv_roundtrip(r->kv, &replies, err);
        rc = rc < 0 ? rc : pos_decode(&replies[1], &pos, err);
        if (rc < 0)
            return rc;
        list_parts(r, &pos, parts);
        rc = put_tombstone(r, key, &pos, err);
        pos_release(&pos);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    return err_set(err, ERR_AWAY, "pos of partition %d changes all the time", partition);
}

/* ---- cells ---- */

/* Unlink a few of the cells that the index names, and take them out of it. */
static int unlink_few(struct retiring *r, int partition, const char *part, char *const *fields,
                      int count, struct err *err)
{
    struct kv_reply *replies;
    const char *index = key_part(&r->arena, r->view, r->version, partition, part);
    struct kv_args unlink = args_new(&r->arena, "UNLINK", NULL);
    struct kv_args forget = args_new(&r->arena, "SREM", index, NULL);
    for (int i = 0; i < count; i++) {
        args_text(&unlink, key_cells(&r->arena, r->view, r->version, partition, part, fields[i]));
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

static int unlink_part(struct retiring *r, int partition, const char *part, struct err *err)
{
    struct kv_reply *replies;
    kv_words(r->kv, "SMEMBERS", key_part(&r->arena, r->view, r->version, partition, part), NULL);
    int rc = kv_roundtrip(r->kv, &replies, err);
    rc = rc < 0 ? rc : check_replies(replies, rc, err);
    if (rc < 0)
        return rc;
    int count = replies[0].count;
    char **fields = arena_alloc(&r->arena, ((size_t)count + 1) * sizeof *fields);
    for (int i = 0; i < count; i++)
        fields[i] = arena_string(&r->arena, replies[0].items[i].text.ptr);
    for (int at = 0; rc == 0 && at < count && !stop_asked(); at += STEP_KEYS)
        rc = unlink_few(r, partition, part, fields + at,
                        count - at < STEP_KEYS ? count - at : STEP_KEYS, err);
    return rc;
}

static int retire_partition(struct retiring *r, int partition, struct err *err)
{
    struct parts parts = {0};
    int rc = bury(r, partition, &parts, err);
    for (int i = 0; rc == 0 && i < parts.count && !stop_asked(); i++)
        rc = unlink_part(r, partition, parts.names[i], err);
    return rc;
}

/* ---- from the mark on ---- */

static int retire_version(struct retiring *r, int number, int partitions, struct err *err)
{
    int rc = 0;
    registry_version_name(r->arch, number, r->version);
    for (int p = 0; rc == 0 && p < partitions && !stop_asked(); p++)
        rc = retire_partition(r, p, err);
    return rc;
}

static int retire(struct retiring *r, int number, struct err *err)
{
    struct registry registry = {0};
    bool whole = r->arch == ARCH_LAMBDA;
    int rc = whole ? registry_retire_view(r->kv, r->view, r->arch, err)
                   : registry_retire(r->kv, r->view, r->arch, number, err);
    if (rc == 0)
        rc = registry_read(r->kv, r->view, r->arch, &registry, err);
    int last = whole ? registry.count : number;
    for (int n = whole ? 1 : number; rc == 0 && n <= last; n++)
        rc = retire_version(r, n, registry.partitions, err);
    registry_release(&registry);
    if (rc == 0 && stop_asked())
        rc = err_set(err, ERR_INTERRUPTED, "interrupted; run it again to unlink the rest");
    return rc;
}

int64_t view_retire(const char *view, const char *view_uri, enum arch arch, int number,
                    struct err *err)
{
    struct retiring retiring = {.view = view, .arch = arch};
    int rc = kv_open(view_uri, &retiring.kv, err);
    if (rc < 0)
        return rc;
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
