/* common/store/read.c - the logical read. See read.h for what makes a part valid and for its round trips,
 * read_rules.h for which parts answer, read_lane.h for how a partition is read.
 *
 *   trip 1: registry, then for the version that it named last time: pos, cells, pos of each partition
 *   more:   of those partitions that are not done
 *
 * The registry is read in each read, before anything else, as others may flip the live pointer: where it
 * names another version than the one asked for along with it, those answers are dropped. */
#include "common/store/read.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/op/aggregate.h"
#include "common/store/read_lane.h"

enum { RETRY_MS = 2 };

/* What a reader knows of one version; kept, as canaries and comparisons read several in turn. */
struct known {
    int number;
    char hash[33]; /* a number may come back with another plan after a FLUSHALL */
    enum handover handover;
    struct plan *plan;
    struct lane *lanes;
    int partitions;
};

struct view_reader {
    struct kv *kv;
    char *view;
    enum arch arch;
    struct registry registry; /* as read last; live 0: not yet */
    struct known **known;
    int count;
};

struct view_reader *view_reader_new(struct kv *kv, const char *view, enum arch arch)
{
    struct view_reader *reader = mem_zero(1, sizeof *reader);
    reader->kv = kv;
    reader->view = mem_copy_string(view);
    reader->arch = arch;
    return reader;
}

static void known_free(struct known *known)
{
    for (int p = 0; p < known->partitions; p++)
        lane_release(&known->lanes[p]);
    free(known->lanes);
    plan_free(known->plan);
    free(known);
}

void view_reader_free(struct view_reader *reader)
{
    if (!reader)
        return;
    for (int i = 0; i < reader->count; i++)
        known_free(reader->known[i]);
    free(reader->known);
    registry_release(&reader->registry);
    free(reader->view);
    free(reader);
}

/* ---- versions ---- */

static struct known *known_find(const struct view_reader *reader,
                                const struct registry_version *version)
{
    for (int i = 0; i < reader->count; i++) {
        struct known *known = reader->known[i];
        if (known->number == version->number && strcmp(known->hash, version->hash) == 0 &&
            known->handover == version->handover &&
            known->partitions == reader->registry.partitions)
            return known;
    }
    return NULL;
}

static int known_add(struct view_reader *reader, const struct registry_version *version,
                     struct known **out, struct err *err)
{
    struct plan *plan = NULL;
    struct buf mistakes = {0};
    int rc = plan_parse(bytes_of(version->plan), ".", false, &plan, &mistakes, err);
    buf_release(&mistakes);
    if (rc < 0)
        return rc;
    struct known *known = mem_zero(1, sizeof *known);
    known->number = version->number;
    memcpy(known->hash, version->hash, sizeof known->hash);
    known->handover = version->handover;
    known->plan = plan;
    known->partitions = reader->registry.partitions;
    known->lanes = mem_zero((size_t)known->partitions, sizeof *known->lanes);
    for (int p = 0; p < known->partitions; p++)
        known->lanes[p].partition = p;
    reader->known = mem_grow(reader->known, (size_t)(reader->count + 1) * sizeof(struct known *));
    reader->known[reader->count++] = *out = known;
    return 0;
}

/* The version that the registry, as read last, names for the query. */
static int choose_version(struct view_reader *reader, const struct view_query *query,
                          struct known **out, struct err *err)
{
    const struct registry *registry = &reader->registry;
    int number = query->version ? query->version : registry_version_for(registry, query->key);
    if (number < 1 || number > registry->count || !registry->versions[number - 1].plan)
        return registry_no_view(registry, reader->view, reader->arch, err);
    const struct registry_version *version = &registry->versions[number - 1];
    *out = known_find(reader, version);
    return *out ? 0 : known_add(reader, version, out, err);
}

/* ---- a read ---- */

static void reading_begin(struct reading *r, const struct view_reader *reader,
                          const struct known *known)
{
    r->rules =
        (struct read_rules){.plan = known->plan, .arch = reader->arch, .handover = known->handover};
    registry_version_name(reader->arch, known->number, r->version);
    r->hash = known->hash;
    answer_init(r->out, known->partitions);
    r->out->version = bug_planted("live-named") ? reader->registry.live : known->number;
    r->out->handover = known->handover;
    map_init(&r->merged, (size_t)known->plan->slots * sizeof(int128));
    for (int p = 0; p < known->partitions; p++)
        lane_renew(&known->lanes[p]);
}

static void reading_drop(struct reading *r)
{
    map_release(&r->merged);
    answer_release(r->out);
}

/* Ask for what is not done yet: 1 something was asked, 0 all is done, or a code. */
static int queue_lanes(struct reading *r, const struct known *known, struct err *err)
{
    bool all = r->query->key || r->query->positions_only;
    int asked = 0;
    for (int p = 0; p < known->partitions && (all || !asked); p++) {
        if (known->lanes[p].step == LANE_DONE)
            continue;
        int rc = lane_queue(&known->lanes[p], r, err);
        if (rc < 0)
            return rc;
        asked = 1;
    }
    return asked;
}

static int take_lanes(struct reading *r, const struct known *known, const struct kv_reply *replies,
                      struct err *err)
{
    int rc = 0;
    for (int p = 0; p < known->partitions && rc == 0; p++)
        if (known->lanes[p].asked)
            rc = lane_take(&known->lanes[p], r, replies + known->lanes[p].at, err);
    return rc;
}

static int read_on(struct reading *r, const struct known *known, struct err *err)
{
    struct kv_reply *replies;
    for (;;) {
        r->queued = 0;
        if (r->pause)
            clock_sleep_ms(RETRY_MS);
        r->pause = false;
        int rc = queue_lanes(r, known, err);
        if (rc <= 0)
            return rc;
        rc = kv_roundtrip(r->kv, &replies, err);
        if (rc >= 0)
            rc = take_lanes(r, known, replies, err);
        if (rc < 0)
            return rc;
    }
}

static void finish(struct reading *r)
{
    int64_t floor_ms = answer_floor(r->out);
    struct buf values = {0};
    for (size_t i = 0; i < r->merged.count; i++) {
        struct bytes name;
        const int128 *slots = map_at(&r->merged, i, &name);
        int64_t window;
        memcpy(&window, name.ptr, sizeof window);
        if (window < floor_ms)
            continue;
        buf_clear(&values);
        aggregate_finish(r->rules.plan, slots, &values);
        answer_add(r->out, window,
                   (struct bytes){name.ptr + sizeof window, name.len - sizeof window},
                   buf_bytes(&values));
    }
    buf_release(&values);
    answer_sort(r->out);
    map_release(&r->merged);
}

/* The first trip: the registry and, of the version that it named last time, all that can be asked.
 * known: the version to read on with; its lanes have taken their answers if it was that one. */
static int first_trip(struct reading *r, struct view_reader *reader, struct known **known,
                      struct err *err)
{
    struct known *guess = NULL;
    struct kv_reply *replies;
    char key[REGISTRY_KEY_BYTES];
    registry_key(reader->view, reader->arch, key);
    kv_words(r->kv, "HGETALL", key, NULL);
    r->queued = 1;
    int rc = 0;
    if (reader->registry.live && choose_version(reader, r->query, &guess, NULL) == 0) {
        assert(guess);
        reading_begin(r, reader, guess);
        rc = queue_lanes(r, guess, err);
    }
    if (rc >= 0)
        rc = kv_roundtrip(r->kv, &replies, err);
    if (rc >= 0) {
        registry_release(&reader->registry);
        rc = registry_decode(&replies[0], reader->view, &reader->registry, err);
    }
    rc = rc < 0 ? rc : choose_version(reader, r->query, known, err);
    if (rc == 0 && guess && *known == guess)
        return take_lanes(r, guess, replies, err);
    if (guess)
        reading_drop(r);
    if (rc == 0) {
        assert(*known);
        reading_begin(r, reader, *known);
    }
    return rc;
}

/* One attempt at the whole view: 1 valid, 0 the version was retired under the read, or a code. */
static int try_view(struct view_reader *reader, const struct view_query *query, struct answer *out,
                    struct err *err)
{
    struct reading r = {.kv = reader->kv, .query = query, .view = reader->view, .out = out};
    struct known *known = NULL;
    int rc = first_trip(&r, reader, &known, err);
    if (rc == 0) {
        assert(known);
        rc = read_on(&r, known, err);
    }
    if (rc == 0) {
        finish(&r);
        return 1;
    }
    reading_drop(&r); /* which may be empty */
    return r.retired && !query->version ? 0 : rc;
}

int view_reader_read(struct view_reader *reader, const struct view_query *query, struct answer *out,
                     struct err *err)
{
    *out = (struct answer){0};
    int rc = kv_down(reader->kv) ? kv_reconnect(reader->kv, err) : 0;
    if (rc < 0)
        return rc;
    for (int i = 0; i < VIEW_READ_TRIES; i++) {
        struct err why = {0};
        rc = try_view(reader, query, out, &why);
        if (rc < 0 && err)
            *err = why;
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    return err_set(err, ERR_AWAY, "the live version of view %s was retired during each of %d reads",
                   reader->view, VIEW_READ_TRIES);
}

int view_read(struct kv *kv, const char *view, enum arch arch, const struct view_query *query,
              struct answer *out, struct err *err)
{
    struct view_reader *reader = view_reader_new(kv, view, arch);
    int rc = view_reader_read(reader, query, out, err);
    view_reader_free(reader);
    return rc;
}
