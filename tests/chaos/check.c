/* tests/chaos/check.c - is the view right, and is nothing left to clean by hand?
 *
 * Right is what lk verify says (the oracle shares no code with the fold). Litter is a key that no
 * read will look at and no commit will remove: a generation that pos does not name, a span below
 * from, a window below the floor; and files that no manifest names. */
#include <ftw.h>
#include <stdlib.h>

#include "common/plan/plan.h"
#include "tests/chaos/chaos.h"

enum { MORE_EVENTS = 300 };

struct child *check_start(struct lane *lane, enum arch arch)
{
    return child_start(
        lane, NULL, "verify --from %s --plan %s --view %s --log %s --topic %s --json",
        arch == ARCH_KAPPA ? "kappa" : "lambda", lane->plan, lane->uri, lane->log, lane->topic);
}

bool check_view(struct lane *lane, enum arch arch, bool whole)
{
    struct child *verify = check_start(lane, arch);
    if (!child_run(lane, verify, 0))
        return false;
    if (whole && !child_said(verify, "\"behind\":0,"))
        return child_blame(lane, verify, "the view has not reached the log's end");
    if (whole && lane->lossless && !child_said(verify, "\"off\":{\"n\":0}"))
        return child_blame(lane, verify, "no rule drops anything, and the view is not the truth");
    return true;
}

/* ---- litter in the store ---- */

struct standing {
    struct lane *lane;
    struct plan *plan;
    struct pos pos[PARTITIONS];
};

static bool read_positions(struct standing *s, enum arch arch)
{
    struct arena arena = {0};
    struct kv_reply *replies;
    struct err err = {0};
    int rc = plan_load(s->lane->plan, &s->plan, NULL, &err);
    for (int p = 0; p < PARTITIONS; p++)
        kv_words(s->lane->kv, "HGETALL",
                 key_pos(&arena, s->lane->view, arch == ARCH_KAPPA ? "k1" : "l1", p), NULL);
    if (rc == 0)
        rc = kv_roundtrip(s->lane->kv, &replies, &err);
    for (int p = 0; rc >= 0 && p < PARTITIONS; p++)
        rc = pos_decode(&replies[p], &s->pos[p], &err);
    arena_release(&arena);
    return rc >= 0 || lane_fail(s->lane, "pos: %s", err.text);
}

static bool is_named(const struct pos *pos, const char *id)
{
    return strcmp(pos->generation, id) == 0 || strcmp(pos->previous, id) == 0;
}

/* What speaks against a key of partition p; part ends at ':' or at the end. NULL: nothing. */
static const char *against(const struct standing *s, int p, const char *part)
{
    const struct pos *pos = &s->pos[p];
    const char *field = strchr(part, ':');
    int64_t first, last;
    struct cell_field cell;
    if (*part == 'g') {
        char id[POS_ID_BYTES];
        snprintf(id, sizeof id, "%s", part + 1);
        return is_named(pos, id) ? NULL : "a generation that pos does not name";
    }
    if (*part == 's' &&
        (strtoll(part + 1, NULL, 10) < pos->from || !pos_has_cut(pos, strtoll(part + 1, NULL, 10))))
        return "a span below from, or of no cut";
    if (!field || !window_decode(s->plan, bytes_of(field + 1), &cell))
        return NULL;
    window_range(s->plan, cell, &first, &last);
    return last < pos->floor_ms ? "a window below the floor" : NULL;
}

static bool check_keys(struct standing *s, enum arch arch)
{
    char pattern[100];
    snprintf(pattern, sizeof pattern, "lk:{%s.%s:*", s->lane->view,
             arch == ARCH_KAPPA ? "k1" : "l1");
    const struct kv_reply *keys = lane_ask(s->lane, "KEYS", pattern);
    bool clean = true;
    for (int i = 0; i < keys->count && clean; i++) {
        char key[300];
        snprintf(key, sizeof key, "%.*s", (int)keys->items[i].text.len, keys->items[i].text.ptr);
        const char *tag = strchr(key, '}'), *number = tag;
        while (number && number > key && number[-1] != ':')
            number--;
        if (!tag || strcmp(tag, "}:pos") == 0)
            continue;
        int p = atoi(number);
        const char *why = p < PARTITIONS ? against(s, p, tag + 2) : "no such partition";
        if (why)
            clean = lane_fail(s->lane, "left in the store: %s: %s (from %lld, boundary %lld)", key,
                              why, (long long)s->pos[p].from, (long long)s->pos[p].boundary);
    }
    for (int p = 0; p < PARTITIONS; p++)
        for (int i = 0; i < s->pos[p].gen_count && clean; i++)
            if (!is_named(&s->pos[p], s->pos[p].gens[i]))
                clean = lane_fail(s->lane, "gens of partition %d names %s, which is not published",
                                  p, s->pos[p].gens[i]);
    return clean;
}

/* ---- litter in the archive ---- */

static struct standing *walked; /* nftw has no context */

static bool is_noted_load(const char *name)
{
    char id[POS_ID_BYTES];
    snprintf(id, sizeof id, "%s", name);
    for (int p = 0; p < PARTITIONS; p++)
        if (is_named(&walked->pos[p], id))
            return true;
    return false;
}

/* ".p0", or its sidecar ".p0.times" */
static bool is_generation_file(const char *rest)
{
    if (strncmp(rest, ".p", 2) != 0)
        return false;
    rest += 2 + strspn(rest + 2, "0123456789");
    return *rest == 0 || strcmp(rest, ".times") == 0;
}

static int look_at_file(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    const char *name = path + walk->base;
    size_t hex = strspn(name, "0123456789abcdef");
    bool ok = strncmp(name, ".tmp", 4) != 0;
    if (kind == FTW_F && hex == POS_ID_BYTES - 1) {
        const char *rest = name + hex;
        ok = strcmp(rest, ".json") == 0 || strcmp(rest, ".withdrawn") == 0 ||
             (strcmp(rest, ".load") == 0 && is_noted_load(name)) || is_generation_file(rest);
    }
    if (!ok)
        lane_fail(walked->lane, "left in the archive: %s", path);
    return !ok;
}

static bool check_files(struct standing *s)
{
    walked = s;
    return nftw(s->lane->archive, look_at_file, 16, FTW_PHYS) == 0;
}

bool check_litter(struct lane *lane, enum arch arch)
{
    struct standing s = {.lane = lane};
    bool ok =
        read_positions(&s, arch) && check_keys(&s, arch) && (arch == ARCH_KAPPA || check_files(&s));
    for (int p = 0; p < PARTITIONS; p++)
        pos_release(&s.pos[p]);
    plan_free(s.plan);
    return ok;
}

/* ---- the end of a case ---- */

static bool to_the_end(struct lane *lane, enum role role, const char *more)
{
    struct tuning tuning = {.commit_ms = 1, .workers = 1, .memory_kib = 1024};
    return child_run(lane, role_start(lane, role, &tuning, NULL, more), 0);
}

static bool feed_more(struct lane *lane)
{
    struct feed more = {
        .seed = lane->seed, .from = lane->fed, .count = MORE_EVENTS, .chunk = MORE_EVENTS};
    return feeder_run(lane, &more);
}

/* A batch whose archive ends in the middle of a span; then one that covers all. */
static bool lambda_to_the_end(struct lane *lane)
{
    return feed_more(lane) && to_the_end(lane, ROLE_ARCHIVE, "--until-end") && feed_more(lane) &&
           to_the_end(lane, ROLE_SPEED, "--until-end") && check_view(lane, ARCH_LAMBDA, true) &&
           to_the_end(lane, ROLE_BATCH, "") && check_view(lane, ARCH_LAMBDA, true) &&
           to_the_end(lane, ROLE_ARCHIVE, "--until-end") && to_the_end(lane, ROLE_BATCH, "") &&
           to_the_end(lane, ROLE_SPEED, "--until-end") && check_view(lane, ARCH_LAMBDA, true);
}

bool check_end(struct lane *lane, enum arch arch)
{
    bool right = arch == ARCH_LAMBDA
                     ? lambda_to_the_end(lane)
                     : feed_more(lane) && to_the_end(lane, ROLE_KAPPA, "--until-end") &&
                           check_view(lane, arch, true);
    return right && check_litter(lane, arch);
}
