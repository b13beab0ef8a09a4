/* lambda/rollback.c - see rollback.h.
 *
 * Why a partition may go back (F13 in tests/model/README.md): the speed layer keeps the spans from the
 * previous boundary on until the next generation is published, and it raises `from` to a boundary that it
 * jumps to; so where `from` is not above the previous boundary and `next` not below the present one, every
 * offset behind the older generation is in a span. Where there was none before, its boundary is 0 and
 * spans from 0 answer alone. Afterwards pos names no previous one: nothing older is
 * kept, so there is no second step back, and a read that began on the withdrawn one begins again. Run again it
 * knows by the number what has been done: a pos never takes a number twice (publish.c).
 *
 * Why the note comes first (F14): pos forgets (FLUSHALL, an older state of Redis), the folder does not. Killed between note and
 * flip, the generation serves on and is noted: run again it is finished; never run again, a reload takes an
 * older one, a batch builds upon an older one, both right and only slower. The other way round, killed
 * between flip and note and then emptied, a reload would bring back what was rolled back. */
#include "lambda/rollback.h"

#include <stdlib.h>

#include "common/base/fault.h"
#include "common/store/pos.h"
#include "common/store/registry.h"

enum { LOOKS_MAX = 1000 }; /* how often pos may change under us */

struct rollback {
    struct kv *kv;
    const struct plan *plan;
    struct folder *folder;
    char version[16];
    struct rollback_result *result;
    const char *key;    /* of the pos looked at last; in arena */
    struct arena arena; /* reset by every look */
};

void rollback_release(struct rollback_result *result)
{
    free(result->parts);
    *result = (struct rollback_result){0};
}

/* WATCH pos and read it; pos_release is the caller's. */
static int look(struct rollback *r, int partition, struct pos *pos, struct err *err)
{
    struct kv_reply *replies;
    arena_reset(&r->arena);
    r->key = key_pos(&r->arena, r->plan->view, r->version, partition);
    kv_words(r->kv, "WATCH", r->key, NULL);
    kv_words(r->kv, "HGETALL", r->key, NULL);
    int rc = kv_roundtrip(r->kv, &replies, err);
    return rc < 0 ? rc : pos_decode(&replies[1], pos, err);
}

/* ---- may it? ---- */

static int refuse_pos(const struct rollback *r, int partition, const struct pos *pos,
                      struct err *err)
{
    const char *view = r->plan->view;
    if (pos->broken)
        return err_set(
            err, ERR_DATA,
            "partition %d of view %s is marked broken (an error inside a commit): delete "
            "its keys and run: lk lambda speed, lk lambda batch",
            partition, view);
    if (*pos->owner == '-') /* made by a batch; see publish.c */
        return err_set(err, ERR_USAGE,
                       "no speed layer has run over view %s, so nothing else answers for what "
                       "generation %lld has in partition %d; archive more and run: lk lambda "
                       "batch, which replaces it, and lk lambda speed for the next time",
                       view, (long long)pos->number, partition);
    if (pos->next < pos->boundary)
        return err_set(
            err, ERR_USAGE,
            "partition %d of view %s: the speed layer stands at offset %lld and generation "
            "%lld ends at %lld, so nothing else answers for what lies between; a new "
            "batch replaces it: lk lambda batch",
            partition, view, (long long)pos->next, (long long)pos->number,
            (long long)pos->boundary);
    if (pos->from > pos->previous_boundary && !bug_planted("roll-spans"))
        return err_set(
            err, ERR_USAGE,
            "partition %d of view %s: the generation before number %lld ends at offset "
            "%lld and the speed layer's spans begin at %lld, so nothing would answer for "
            "what lies between; a new batch replaces it: lk lambda batch",
            partition, view, (long long)pos->number, (long long)pos->previous_boundary,
            (long long)pos->from);
    return 0;
}

/* ---- which one, and may every partition? ---- */

static int refuse_state(const struct rollback *r, bool serves, struct err *err)
{
    int64_t number = r->result->withdrawn;
    if (number == 0)
        return err_set(err, ERR_USAGE,
                       "no batch has published anything into view %s; run: lk lambda batch",
                       r->plan->view);
    if (!serves)
        return err_set(err, ERR_USAGE,
                       "generation %lld of view %s is rolled back already, and nothing older is "
                       "kept; the next batch replaces it: lk lambda batch",
                       (long long)number, r->plan->view);
    return 0;
}

static int read_all(struct rollback *r, struct pos *all, struct err *err)
{
    struct rollback_result *result = r->result;
    for (int q = 0; q < result->partitions; q++) {
        int rc = look(r, q, &all[q], err);
        if (rc < 0)
            return rc;
        if (all[q].here && strcmp(all[q].plan, r->plan->hash) != 0)
            return err_set(err, ERR_USAGE,
                           "view %s was made by another plan; give the one that it was made by: "
                           "--plan",
                           r->plan->view);
        if (all[q].number > result->withdrawn)
            result->withdrawn = all[q].number;
        if (all[q].withdrawn > result->withdrawn)
            result->withdrawn = all[q].withdrawn;
    }
    return 0;
}

static int choose(struct rollback *r, const struct pos *all, struct err *err)
{
    struct rollback_result *result = r->result;
    bool serves = false;
    int rc = 0;
    for (int q = 0; rc == 0 && q < result->partitions; q++) {
        bool here = result->withdrawn > 0 && all[q].number == result->withdrawn;
        serves = serves || here;
        rc = here ? refuse_pos(r, q, &all[q], err) : 0;
    }
    return rc ? rc : refuse_state(r, serves, err);
}

/* ---- the note ---- */

/* Does it end where the view says that it ends? */
static bool is_it(const struct rollback *r, const struct pos *all, const struct manifest *manifest)
{
    const struct rollback_result *result = r->result;
    bool same =
        manifest->partitions == result->partitions && strcmp(manifest->plan, r->plan->hash) == 0;
    for (int q = 0; same && q < result->partitions; q++)
        same = all[q].number != result->withdrawn || all[q].boundary == manifest->files[q].boundary;
    return same;
}

static int note_in_folder(struct rollback *r, const struct pos *all, struct err *err)
{
    struct manifest *manifests = NULL;
    int64_t number = r->result->withdrawn;
    int count = folder_list(r->folder, &manifests, err), rc = count < 0 ? count : 0;
    for (int i = 0; rc == 0 && i < count && !r->result->noted; i++) {
        if (manifests[i].number != number)
            continue;
        rc = is_it(r, all, &manifests[i])
                 ? folder_withdraw(r->folder, manifests[i].id, err)
                 : err_set(err, ERR_USAGE,
                           "generation %lld of this archive is not the one that view %s serves; "
                           "give the archive that the view was made from: --archive",
                           (long long)number, r->plan->view);
        r->result->noted = rc == 0;
    }
    folder_list_release(manifests, count > 0 ? count : 0);
    if (rc == 0 && fault_point("lambda rollback noted"))
        rc = err_set(err, ERR_AWAY, "fault: lambda rollback noted");
    return rc;
}

static int prepare(struct rollback *r, struct err *err)
{
    size_t count = (size_t)r->result->partitions;
    struct pos *all = mem_zero(count, sizeof *all);
    int rc = read_all(r, all, err);
    rc = rc ? rc : choose(r, all, err);
    rc = rc ? rc : note_in_folder(r, all, err);
    for (size_t q = 0; q < count; q++)
        pos_release(&all[q]);
    free(all);
    return rc;
}

/* ---- the step ---- */

/* The older generation's fields; the withdrawn one leaves gens, and what follows is its sweep. */
static struct kv_args args_rollback(struct rollback *r, const struct pos *pos)
{
    struct kv_args hset = args_new(&r->arena, "HSET", r->key, NULL);
    char gens[POS_GENS_MAX][POS_ID_BYTES];
    int count = 0;
    for (int i = 0; i < pos->gen_count; i++)
        if (strcmp(pos->gens[i], pos->generation) != 0)
            memcpy(gens[count++], pos->gens[i], POS_ID_BYTES);
    args_pair(&hset, "generation", pos->previous);
    args_int(&hset, "boundary", pos->previous_boundary);
    args_int(&hset, "boundary_T", pos->previous_T_ms);
    args_int(&hset, "boundary_mark", pos->previous_mark);
    args_int(&hset, "number", pos->previous_number);
    args_pair(&hset, "previous", "");
    if (pos->spans != pos->previous_spans) /* two-slot, naive */
        args_int(&hset, "spans", pos->previous_spans);
    args_int(&hset, "withdrawn", pos->number);
    args_gens(&hset, "gens", (const char(*)[POS_ID_BYTES])gens, count);
    args_gens(&hset, "swept", &pos->generation, 1);
    return hset;
}

static int lost_at(struct rollback *r, const char *point, struct err *err)
{
    if (!fault_point(point))
        return 0;
    kv_drop(r->kv);
    return err_set(err, ERR_AWAY, "fault: %s", point);
}

/* 1 done, 0 pos was written since the look, or a code. */
static int exec(struct rollback *r, const struct pos *pos, struct err *err)
{
    struct kv_reply *replies;
    struct kv_args hset = args_rollback(r, pos);
    int rc = lost_at(r, "lambda rollback", err);
    if (rc < 0)
        return rc;
    kv_words(r->kv, "MULTI", NULL);
    args_queue(&hset, r->kv);
    kv_words(r->kv, "EXEC", NULL);
    rc = kv_roundtrip(r->kv, &replies, err);
    for (int i = 0; i < rc; i++)
        if (replies[i].type == KV_ERROR)
            return kv_error(&replies[i], "", err);
    if (rc < 0)
        return rc;
    bool done = replies[rc - 1].type == KV_ARRAY;
    rc = done ? lost_at(r, "lambda rollback landed", err) : 0;
    return rc < 0 ? rc : done;
}

static void note(struct rollback *r, int partition, const struct pos *pos, bool done)
{
    struct rollback_part *part = &r->result->parts[partition];
    bool before = pos->withdrawn == r->result->withdrawn;
    *part = (struct rollback_part){.state = done     ? ROLLBACK_DONE
                                            : before ? ROLLBACK_BEFORE
                                                     : ROLLBACK_APART,
                                   .number = done ? pos->previous_number : pos->number,
                                   .boundary = done ? pos->previous_boundary : pos->boundary};
}

/* A partition, from its look to its EXEC: 1 settled, 0 look again, or a code. */
static int step(struct rollback *r, int partition, struct err *err)
{
    struct pos pos;
    int rc = look(r, partition, &pos, err);
    if (rc < 0)
        return rc;
    bool serves = pos.number == r->result->withdrawn;
    if (pos.number > r->result->withdrawn)
        rc = err_set(err, ERR_CHECK,
                     "a batch has published generation %lld meanwhile; stop it (lk lambda batch "
                     "--every) and run this again",
                     (long long)pos.number);
    else if (serves)
        rc = refuse_pos(r, partition, &pos, err);
    if (rc == 0)
        rc = serves ? exec(r, &pos, err) : 1;
    if (rc == 1)
        note(r, partition, &pos, serves);
    pos_release(&pos);
    return rc;
}

static int roll_all(struct rollback *r, struct err *err)
{
    for (int q = 0; q < r->result->partitions; q++) {
        int rc = 0;
        for (int looks = 0; rc == 0 && looks < LOOKS_MAX; looks++)
            rc = step(r, q, err);
        if (rc == 0)
            rc = err_set(err, ERR_AWAY, "pos of partition %d changes all the time", q);
        if (rc < 0) {
            err_context(err, "%d of %d partitions were looked after; run it again, it finishes", q,
                        r->result->partitions);
            return rc;
        }
    }
    return 0;
}

int rollback_run(struct kv *kv, const struct plan *plan, struct folder *folder,
                 struct rollback_result *result, struct err *err)
{
    struct rollback r = {.kv = kv, .plan = plan, .folder = folder, .result = result};
    struct registry registry;
    *result = (struct rollback_result){0};
    int rc = registry_read(kv, plan->view, ARCH_LAMBDA, &registry, err);
    if (rc < 0)
        return rc;
    result->partitions = registry.partitions;
    result->parts = mem_zero((size_t)registry.partitions + 1, sizeof *result->parts);
    registry_version_name(ARCH_LAMBDA, registry.live, r.version);
    if (!registry.live)
        rc = registry_no_view(&registry, plan->view, ARCH_LAMBDA, err);
    rc = rc ? rc : prepare(&r, err);
    rc = rc ? rc : roll_all(&r, err);
    registry_release(&registry);
    arena_release(&r.arena);
    return rc;
}
