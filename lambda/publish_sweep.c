/* lambda/publish_sweep.c - loads that no pos names leave gens first, and then the store.
 *
 * A load is found by its note in the folder, its cells by the index beside them, which goes last;
 * so a sweep may be cut off anywhere, and the next one begins again. */
#include "lambda/publish_parts.h"

enum { UNLINKS_MAX = 500 };

typedef char load_id[POS_ID_BYTES];

/* gens without the noted loads that pos does not name; false if that changes nothing. */
static bool args_swept(const struct pos *pos, const load_id *ids, int count, struct kv_args *hset)
{
    char gens[POS_GENS_MAX][POS_ID_BYTES], swept[POS_GENS_MAX][POS_ID_BYTES];
    int kept = 0, left = 0;
    for (int i = 0; i < pos->gen_count; i++) {
        bool noted = false;
        for (int k = 0; k < count; k++)
            noted = noted || strcmp(ids[k], pos->gens[i]) == 0;
        if (!noted || publish_named(pos, pos->gens[i]))
            memcpy(gens[kept++], pos->gens[i], POS_ID_BYTES);
        else
            memcpy(swept[left++], pos->gens[i], POS_ID_BYTES);
    }
    args_gens(hset, "gens", (const char(*)[POS_ID_BYTES])gens, kept);
    args_gens(hset, "swept", (const char(*)[POS_ID_BYTES])swept, left);
    return left > 0;
}

/* A full server takes nothing behind MULTI. Without any gens, what other batches load is only refused, so
 * this needs no fence. 1, or a code. */
static int drop_gens(struct publish *p, struct err *err)
{
    struct kv_reply *replies;
    kv_words(p->kv, "HDEL", p->key, "gens", NULL);
    int rc = kv_roundtrip(p->kv, &replies, err);
    if (rc > 0 && replies[0].type == KV_ERROR)
        return kv_error(&replies[0], "", err);
    return rc < 0 ? rc : 1;
}

/* Ids out of gens; here[k]: this pos names ids[k], named[k]: one of them does. */
static int leave_gens(struct publish *p, int partition, const load_id *ids, int count, bool *named,
                      bool *here, struct err *err)
{
    for (int tries = 0; tries < PUBLISH_LOOKS_MAX; tries++) {
        struct pos pos;
        int rc = publish_look(p, partition, &pos, err);
        if (rc < 0)
            return rc;
        struct kv_args hset = args_new(&p->arena, "HSET", p->key, NULL);
        bool change = args_swept(&pos, ids, count, &hset);
        for (int k = 0; k < count; k++)
            here[k] = publish_named(&pos, ids[k]);
        pos_release(&pos);
        if ((rc = publish_fault(p, "sweep", err)))
            return rc;
        rc = change ? publish_exec(p, &hset, 1, err) : publish_unwatch(p, err);
        if (rc == ERR_FULL) {
            err_clear(err);
            rc = drop_gens(p, err);
        }
        if (rc < 0 || rc == 1 || !change) {
            for (int k = 0; k < count; k++)
                named[k] = named[k] || here[k];
            return rc < 0 ? rc : 0;
        }
    }
    return err_set(err, ERR_AWAY, "pos of partition %d changes all the time", partition);
}

/* The same on a full server, key by key: each script looks by itself whether the id is absent. */
static int unlink_by_script(struct publish *p, const char *id, char *const *keys, size_t count,
                            struct err *err)
{
    struct kv_reply *replies;
    for (size_t i = 0; i < count; i++)
        kv_words(p->kv, "EVAL", POS_UNLINK_IF_ABSENT, "2", p->key, keys[i], id, NULL);
    int rc = kv_roundtrip(p->kv, &replies, err);
    for (int i = 0; i < rc; i++)
        if (replies[i].type == KV_ERROR)
            return kv_error(&replies[i], "", err);
    return rc < 0 ? rc : 0;
}

/* UNLINK count of the keys in one EXEC, while the id is absent: 0, or a code. */
static int unlink_some(struct publish *p, int partition, const char *id, char *const *keys,
                       size_t count, struct err *err)
{
    for (int tries = 0; tries < PUBLISH_LOOKS_MAX; tries++) {
        struct pos pos;
        int rc = publish_look(p, partition, &pos, err);
        if (rc < 0)
            return rc;
        bool absent = !publish_named(&pos, id) && !pos_has_gen(&pos, id);
        pos_release(&pos);
        if (!absent)
            return publish_unwatch(p, err);
        struct kv_args args = args_new(&p->arena, "UNLINK", NULL);
        for (size_t i = 0; i < count; i++)
            args_text(&args, keys[i]);
        if ((rc = publish_fault(p, "sweep", err)))
            return rc;
        rc = publish_exec(p, &args, 1, err);
        if (rc == ERR_FULL) {
            err_clear(err);
            return unlink_by_script(p, id, keys, count, err);
        }
        if (rc)
            return rc < 0 ? rc : 0;
    }
    return err_set(err, ERR_AWAY, "pos of partition %d changes all the time", partition);
}

/* Unlink all cells of a load in a partition, its index last. */
static int unlink_load(struct publish *p, int partition, const char *id, struct err *err)
{
    struct arena arena = {0};
    struct kv_reply *replies;
    char part[POS_ID_BYTES + 1] = "g";
    memcpy(part + 1, id, POS_ID_BYTES);
    char *index = key_part(&arena, p->view, p->version, partition, part);
    kv_words(p->kv, "SMEMBERS", index, NULL);
    int rc = kv_roundtrip(p->kv, &replies, err);
    if (rc > 0 && replies[0].type == KV_ERROR)
        rc = kv_error(&replies[0], "", err);
    size_t count = rc > 0 ? (size_t)replies[0].count : 0;
    char **keys = arena_alloc(&arena, (count + 1) * sizeof *keys);
    for (size_t i = 0; i < count; i++)
        keys[i] = key_cells(&arena, p->view, p->version, partition, part,
                            arena_bytes(&arena, replies[0].items[i].text).ptr);
    if (count)
        keys[count++] = index;
    rc = rc < 0 ? rc : 0;
    for (size_t at = 0; rc == 0 && at < count; at += UNLINKS_MAX)
        rc = unlink_some(p, partition, id, keys + at,
                         count - at < UNLINKS_MAX ? count - at : UNLINKS_MAX, err);
    arena_release(&arena);
    return rc;
}

int publish_sweep(struct publish *p, struct err *err)
{
    load_id *ids;
    int rc = 0, count = folder_loads(p->options->folder, &ids);
    bool *named = mem_zero((size_t)count + 1, sizeof *named);
    bool *here = mem_zero((size_t)count + 1, sizeof *here);
    for (int q = 0; rc == 0 && q < p->options->manifest->partitions; q++) {
        rc = leave_gens(p, q, (const load_id *)ids, count, named, here, err);
        for (int k = 0; rc == 0 && k < count; k++)
            if (!here[k])
                rc = unlink_load(p, q, ids[k], err);
    }
    for (int k = 0; rc == 0 && k < count; k++)
        if (!named[k])
            folder_load_forget(p->options->folder, ids[k]);
    free(ids);
    free(named);
    free(here);
    return rc;
}
