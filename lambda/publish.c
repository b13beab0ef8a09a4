/* lambda/publish.c - see publish.h.
 *
 * Why it is safe (tests/model/README.md, F6): cells of an id that is not published are seen by
 * nobody; an id is published only while it stands in gens, and it stands there only if nothing has
 * happened to the store since the load began; an id that has left gens never comes back, so its
 * cells may go. Only one batch at a time publishes from a folder, so what pos does not name is
 * litter; a batch from elsewhere whose load is swept finds its id gone, and begins again. */
#include "lambda/publish.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/rng.h"
#include "common/base/stop.h"
#include "common/store/registry.h"
#include "lambda/publish_parts.h"

enum { RECONNECTS_MAX = 50, RECONNECT_MS = 100 };

/* ---- pos ---- */

int publish_look(struct publish *p, int partition, struct pos *pos, struct err *err)
{
    struct kv_reply *replies;
    arena_reset(&p->arena);
    p->key = key_pos(&p->arena, p->view, p->version, partition);
    kv_words(p->kv, "WATCH", p->key, NULL);
    kv_words(p->kv, "HGETALL", p->key, NULL);
    int rc = kv_roundtrip(p->kv, &replies, err);
    if (rc < 0)
        return rc;
    rc = pos_decode(&replies[1], pos, err);
    bool here = rc == 0 && pos->here && !pos->retired; /* around a tombstone, one may sweep */
    bool other = here && strcmp(pos->plan, p->options->plan->hash) != 0;
    bool mode = here && pos->handover != p->options->handover;
    if (!other && !mode)
        return rc;
    pos_release(pos);
    return err_set(err, ERR_USAGE,
                   "view %s was made %s; give the changed one a view name of its own", p->view,
                   other ? "by another plan" : "for another --handover");
}

int publish_exec(struct publish *p, struct kv_args *commands, int count, struct err *err)
{
    struct kv_reply *replies;
    kv_words(p->kv, "MULTI", NULL);
    for (int i = 0; i < count; i++)
        args_queue(&commands[i], p->kv);
    kv_words(p->kv, "EXEC", NULL);
    int rc = kv_roundtrip(p->kv, &replies, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < rc; i++)
        if (replies[i].type == KV_ERROR)
            return kv_error(&replies[i], "", err);
    const struct kv_reply *answer = &replies[rc - 1];
    for (int i = 0; i < answer->count; i++)
        if (answer->items[i].type == KV_ERROR)
            return kv_error(&answer->items[i], "", err);
    return answer->type == KV_ARRAY;
}

int publish_unwatch(struct publish *p, struct err *err)
{
    struct kv_reply *replies;
    kv_words(p->kv, "UNWATCH", NULL);
    int rc = kv_roundtrip(p->kv, &replies, err);
    return rc < 0 ? rc : 0;
}

int publish_fault(struct publish *p, const char *point, struct err *err)
{
    if (!fault_point(point))
        return 0;
    kv_drop(p->kv);
    return err_set(err, ERR_AWAY, "fault: %s", point);
}

bool publish_named(const struct pos *pos, const char *id)
{
    return strcmp(pos->generation, id) == 0 || strcmp(pos->previous, id) == 0;
}

static bool names_mine(const struct publish *p, const struct pos *pos)
{
    for (int i = 0; i < p->attempts; i++)
        if (publish_named(pos, p->ids[i]))
            return true;
    return false;
}

/* ---- may this boundary be published over this pos? ---- */

static bool fits(const struct pos *pos, enum handover handover, int64_t boundary)
{
    if (handover != HANDOVER_OFFSET)
        return true; /* no mode but offset asks where the speed layer's spans begin */
    if (bug_planted("boundary-any"))
        return true;
    return boundary >= pos->next || (boundary >= pos->from && pos_has_cut(pos, boundary));
}

/* Was it rolled back meanwhile, or something that it builds upon? Looked at behind the look at pos: a
 * rollback is noted before it flips a pos, so where the note comes later, our EXEC comes first, or
 * not at all (F14). */
static bool withdrawn(const struct publish *p)
{
    for (int i = 0; !p->options->named && i < p->lineage_count; i++)
        if (folder_withdrawn(p->options->folder, p->lineage[i]))
            return true;
    return false;
}

/* Refuse in words, or not. */
static bool refuse(const struct publish *p, const struct pos *pos, int64_t boundary,
                   struct publish_part *part)
{
    const char *why = NULL;
    if (boundary <= 0)
        why = pos->next > 0 ? "the archive has not reached a cut of the speed layer yet"
                            : "the archive has no events of it yet";
    else if (boundary == pos->boundary)
        why = "a batch up to the same offset is already published";
    else if (boundary < pos->boundary)
        why = "a newer batch is already published";
    else if (p->options->manifest->number <= pos->number) /* in a pos they grow: see rollback.c */
        why = "a batch with its number, or a greater one, is already published; the next one takes "
              "a greater one still";
    else if (withdrawn(p))
        why = "it was rolled back meanwhile, or what it is built upon; the next batch chooses anew";
    else if (!fits(pos, p->options->handover, boundary))
        why = "its boundary is no cut of the speed layer any more; the next batch takes a new one";
    part->serves =
        boundary > 0 && boundary == pos->boundary && p->options->manifest->number == pos->number;
    if (!why)
        return false;
    if (part->state != PUBLISH_DONE) { /* one that is done may have been overtaken: still done */
        part->state = PUBLISH_REFUSED;
        snprintf(part->why, sizeof part->why, "%s", why);
    }
    return true;
}

/* Look, to change: not at a tombstone. What we have loaded is swept, for ERR_ENV is no mistake of ours. */
static int look_to_change(struct publish *p, int partition, struct pos *pos, struct err *err)
{
    int rc = publish_look(p, partition, pos, err);
    if (rc < 0 || !pos->retired)
        return rc;
    pos_release(pos);
    return err_set(err, ERR_ENV, "view %s of lambda was retired", p->view);
}

/* ---- begin: the fresh id goes into gens ---- */

/* A take by nobody. The owner is a token that no worker holds, yet a fresh one: readers tell a step
 * back in time by it (F12). Its first letter says that nobody is to be waited for. */
static void args_fresh_pos(const struct publish *p, struct kv_args *hset)
{
    char owner[POS_ID_BYTES];
    const int64_t start = 0;
    random_token(owner);
    owner[0] = '-';
    args_pair(hset, "owner", owner);
    args_pair(hset, "plan", p->options->plan->hash);
    args_int(hset, "next", start);
    args_int(hset, "from", start);
    args_int(hset, "mark", start);
    args_cuts(hset, &start, 1);
    args_handover(hset, p->options->handover);
}

/* A load is swept by its note. Where Redis went back in time it stands again, while its note has gone with
 * the sweep that came before. */
static int note(struct publish *p, const char *id, struct err *err)
{
    if (!*id || strcmp(id, p->noted) == 0 || bug_planted("forget-swept"))
        return 0;
    memcpy(p->noted, id, sizeof p->noted);
    return folder_load_note(p->options->folder, id, err);
}

/* gens with the fresh id; what pos does not name goes, and is noted first, for its cells are to be
 * found and swept whatever happens to us; so are those that went last. */
static int args_begin(struct publish *p, const struct pos *pos, struct kv_args *hset,
                      struct err *err)
{
    char gens[POS_GENS_MAX + 1][POS_ID_BYTES];
    int count = 0, rc = 0;
    for (int i = 0; rc == 0 && i < pos->gen_count; i++)
        if (publish_named(pos, pos->gens[i]))
            memcpy(gens[count++], pos->gens[i], POS_ID_BYTES);
        else
            rc = note(p, pos->gens[i], err);
    for (int i = 0; rc == 0 && i < pos->swept_count; i++)
        if (!publish_named(pos, pos->swept[i]))
            rc = note(p, pos->swept[i], err);
    memcpy(gens[count++], p->id, POS_ID_BYTES);
    args_gens(hset, "gens", (const char(*)[POS_ID_BYTES])gens, count);
    return rc;
}

static int begin(struct publish *p, int partition, struct err *err)
{
    struct publish_part *part = &p->parts[partition];
    for (int tries = 0; tries < PUBLISH_LOOKS_MAX; tries++) {
        struct pos pos;
        int rc = look_to_change(p, partition, &pos, err);
        if (rc < 0)
            return rc;
        struct kv_args hset = args_new(&p->arena, "HSET", p->key, NULL);
        bool settled = names_mine(p, &pos);
        if (settled)
            part->state = PUBLISH_DONE;
        else
            settled = refuse(p, &pos, p->options->manifest->files[partition].boundary, part);
        if (!settled) {
            part->state = PUBLISH_PENDING;
            if (!pos.here)
                args_fresh_pos(p, &hset);
            rc = args_begin(p, &pos, &hset, err);
        }
        pos_release(&pos);
        if (settled)
            return publish_unwatch(p, err);
        if (rc == 0)
            rc = publish_fault(p, "generation begin", err);
        if (rc == 0)
            rc = publish_exec(p, &hset, 1, err);
        if (rc)
            return rc < 0 ? rc : 0;
    }
    return err_set(err, ERR_AWAY, "pos of partition %d changes all the time", partition);
}

/* ---- publish ---- */

/* What two-slot and naive flip with the boundary. */
static void args_mode(const struct publish *p, const struct pos *pos, int partition,
                      struct kv_args *hset)
{
    enum handover handover = p->options->handover;
    if (handover != HANDOVER_TWO_SLOT && handover != HANDOVER_NAIVE)
        return;
    args_int(hset, "spans", p->options->slots[partition]);
    args_int(hset, "previous_spans", pos->spans);
}

static void args_publish(struct publish *p, const struct pos *pos,
                         const struct generation_head *head, struct kv_args *hset)
{
    char gens[POS_GENS_MAX][POS_ID_BYTES];
    int count = 0;
    for (int i = 0; i < pos->gen_count; i++)
        if (strcmp(pos->gens[i], pos->previous)) /* it becomes the one before the previous */
            memcpy(gens[count++], pos->gens[i], POS_ID_BYTES);
    args_pair(hset, "generation", p->id);
    args_int(hset, "boundary", head->boundary);
    args_int(hset, "boundary_T", head->T_ms);
    args_int(hset, "boundary_mark", head->mark);
    args_pair(hset, "previous", pos->generation);
    args_int(hset, "previous_boundary", pos->boundary);
    args_int(hset, "previous_T", pos->boundary_T_ms);
    args_int(hset, "previous_mark", pos->boundary_mark);
    args_int(hset, "number", p->options->manifest->number);
    args_int(hset, "previous_number", pos->number);
    args_int(hset, "withdrawn", 0);
    args_gens(hset, "gens", (const char(*)[POS_ID_BYTES])gens, count);
    args_gens(hset, "swept", &pos->previous, *pos->previous != 0);
}

static int publish(struct publish *p, int partition, struct err *err)
{
    struct publish_part *part = &p->parts[partition];
    const struct generation_head *head = &p->heads[partition];
    for (int tries = 0; tries < PUBLISH_LOOKS_MAX; tries++) {
        struct pos pos;
        int rc = look_to_change(p, partition, &pos, err);
        if (rc < 0)
            return rc;
        struct kv_args hset = args_new(&p->arena, "HSET", p->key, NULL);
        bool stands = pos.here && (bug_planted("skip-gens") || pos_has_gen(&pos, p->id));
        bool refused = stands && refuse(p, &pos, head->boundary, part);
        args_publish(p, &pos, head, &hset);
        args_mode(p, &pos, partition, &hset);
        rc = refused || !stands ? 0 : note(p, pos.previous, err);
        pos_release(&pos);
        if (rc < 0)
            return rc;
        if (!stands)
            return err_set(err, ERR_AWAY, "Redis has forgotten load %s of partition %d", p->id,
                           partition);
        if (refused)
            return publish_unwatch(p, err);
        if ((rc = publish_fault(p, "publish", err)) < 0 ||
            (rc = publish_exec(p, &hset, 1, err)) < 0)
            return rc;
        if (rc == 1) {
            if ((rc = publish_fault(p, "publish landed", err)) == 0)
                part->state = PUBLISH_DONE;
            return rc;
        }
    }
    return err_set(err, ERR_AWAY, "pos of partition %d changes all the time", partition);
}

/* ---- attempts ---- */

typedef int publish_step(struct publish *p, int partition, struct err *err);

static int attempt(struct publish *p, struct err *err)
{
    static publish_step *const steps[] = {publish_load, publish};
    int partitions = p->options->manifest->partitions, rc;
    random_token(p->id);
    memcpy(p->ids[p->attempts++], p->id, sizeof p->id);
    if ((rc = folder_load_note(p->options->folder, p->id, err)))
        return rc;
    for (int q = 0; rc == 0 && q < partitions; q++)
        rc = begin(p, q, err);
    for (size_t step = 0; step < sizeof steps / sizeof *steps; step++)
        for (int q = 0; rc == 0 && q < partitions; q++)
            if (p->parts[q].state == PUBLISH_PENDING)
                rc = stop_asked() ? err_set(err, ERR_INTERRUPTED, "interrupted")
                                  : steps[step](p, q, err);
    return rc;
}

static int reconnect(struct publish *p, struct err *err)
{
    int rc = ERR_AWAY;
    for (int i = 0; rc && i < RECONNECTS_MAX && !stop_asked(); i++) {
        if (i)
            clock_sleep_ms(RECONNECT_MS);
        err_clear(err);
        fault_point("reconnect");
        rc = kv_reconnect(p->kv, err);
        if (rc && rc != ERR_AWAY)
            return rc;
    }
    return rc;
}

/* Do what until it ends otherwise than by a lost connection. */
static int persist(struct publish *p, int (*what)(struct publish *, struct err *), struct err *err)
{
    struct err last = {0};
    int rc = ERR_AWAY, tries = 0;
    while (rc == ERR_AWAY && tries++ < PUBLISH_ATTEMPTS) {
        if ((tries > 1 || kv_down(p->kv)) && (rc = reconnect(p, &last)))
            break;
        err_clear(&last);
        rc = what(p, &last);
    }
    if (rc == ERR_AWAY)
        err_context(&last, "gave up at attempt %d of %d",
                    tries > PUBLISH_ATTEMPTS ? PUBLISH_ATTEMPTS : tries, PUBLISH_ATTEMPTS);
    return rc ? err_set(err, rc, "%s", last.text) : 0;
}

int publish_run(struct kv *kv, const struct publish_options *options, struct publish_part *parts,
                struct err *err)
{
    size_t partitions = (size_t)options->manifest->partitions;
    struct publish p = {.kv = kv, .options = options, .view = options->plan->view, .parts = parts};
    registry_version_name(ARCH_LAMBDA, options->version, p.version);
    p.heads = mem_zero(partitions, sizeof *p.heads);
    memset(parts, 0, partitions * sizeof *parts);
    int rc = folder_publish_lock(options->folder, err);
    if (rc == 0) {
        rc = folder_lineage(options->folder, options->manifest, &p.lineage, err);
        p.lineage_count = rc > 0 ? rc : 0;
        rc = rc < 0 ? rc : 0;
    }
    if (rc == 0) {
        struct err sweep_err = {0};
        rc = persist(&p, attempt, err);
        if (rc != ERR_USAGE && persist(&p, publish_sweep, &sweep_err))
            fprintf(stderr, "lk: old generations are not swept yet (%s); the next batch does it\n",
                    sweep_err.text);
    }
    folder_publish_unlock(options->folder);
    free(p.lineage);
    free(p.heads);
    arena_release(&p.arena);
    return rc;
}
