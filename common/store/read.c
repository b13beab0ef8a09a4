/* common/store/read.c - the logical read. See read.h for what makes a part valid.
 *
 * What answers and what may be believed is read_rules.h. For each partition: HGETALL pos; SMEMBERS of the index of every part that answers (kappa's "k",
 * or the generation and the spans from the boundary on); then the cells and pos once more in one
 * trip. Partials of a (window, key) meet in one map, whichever part, pane or partition they come
 * from, and are finished at the end. */
#include "common/store/read.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/map.h"
#include "common/op/aggregate.h"
#include "common/store/pos.h"
#include "common/store/read_rules.h"

enum { RETRY_MS = 2, EXACT_TRIES = 400 };

/* One index entry: a part and one of its fields. */
struct source {
    const struct read_part *part;
    const char *field;
    struct cell_field cell;
};

struct reading {
    struct kv *kv;
    const struct view_query *query;
    struct read_rules rules;
    const char *view;
    char version[16];
    struct map merged;  /* (window, key) -> slots */
    struct arena arena; /* of one attempt at one partition */
    struct source *sources;
    int source_count, source_capacity;
    bool retired; /* a tombstone was met */
    struct cells_found {
        int64_t window_ms;
        struct bytes key, partial;
    } * found; /* what an attempt has read; merged only if it was valid */
    size_t found_count, found_capacity;
};

/* A fault point of reading: the connection breaks there. */
static int break_at(struct reading *r, const char *point, struct err *err)
{
    if (!fault_point(point))
        return 0;
    kv_drop(r->kv);
    return err_set(err, ERR_AWAY, "fault: %s", point);
}

/* ---- the cells of one part of one partition ---- */

static void add_source(struct reading *r, const struct read_part *part, const char *field,
                       struct cell_field cell)
{
    if (r->source_count == r->source_capacity) {
        r->source_capacity = r->source_capacity ? r->source_capacity * 2 : 64;
        r->sources = mem_grow(r->sources, (size_t)r->source_capacity * sizeof *r->sources);
    }
    r->sources[r->source_count++] = (struct source){part, field, cell};
}

/* Can this cell belong to the window asked for, and is it above the floor? */
static bool wanted(const struct reading *r, struct cell_field cell, int64_t floor_ms)
{
    int64_t first, last;
    window_range(r->rules.plan, cell, &first, &last);
    if (last < floor_ms)
        return false;
    return !r->query->has_window || (first <= r->query->window_ms && r->query->window_ms <= last);
}

static int add_index(struct reading *r, const struct read_part *part,
                     const struct kv_reply *members, int64_t floor_ms, struct err *err)
{
    if (members->type != KV_ARRAY)
        return err_set(err, ERR_DATA, "part %s of view %s: %.*s", part->name, r->view,
                       (int)members->text.len, members->text.ptr);
    for (int i = 0; i < members->count; i++) {
        struct bytes name = members->items[i].text;
        struct cell_field cell;
        if (bytes_equal(name, bytes_of("bad")))
            continue;
        if (!window_decode(r->rules.plan, name, &cell))
            return err_set(err, ERR_DATA, "part %s of view %s has a field \"%.*s\"", part->name,
                           r->view, (int)name.len, name.ptr);
        if (wanted(r, cell, floor_ms))
            add_source(r, part, arena_bytes(&r->arena, name).ptr, cell);
    }
    return 0;
}

/* With a tumbling window asked for, its one field needs no index. */
static bool field_is_known(const struct reading *r)
{
    return r->rules.plan->window == WINDOW_NONE ||
           (r->rules.plan->window == WINDOW_TUMBLING && r->query->has_window);
}

static int list_sources(struct reading *r, int partition, const struct pos *pos, struct err *err)
{
    struct read_part *parts;
    int count = read_parts(&r->rules, pos, &r->arena, &parts);
    int64_t floor_ms = read_floor(&r->rules, pos);
    r->source_count = 0;
    if (field_is_known(r)) {
        struct cell_field cell = {r->query->window_ms, r->query->window_ms};
        struct buf field = {0};
        window_encode(r->rules.plan, cell, &field);
        const char *name = arena_bytes(&r->arena, buf_bytes(&field)).ptr;
        buf_release(&field);
        for (int i = 0; i < count && wanted(r, cell, floor_ms); i++)
            add_source(r, &parts[i], name, cell);
        return 0;
    }
    for (int i = 0; i < count; i++)
        kv_words(r->kv, "SMEMBERS",
                 key_part(&r->arena, r->view, r->version, partition, parts[i].name), NULL);
    struct kv_reply *replies = NULL;
    int rc = count ? kv_roundtrip(r->kv, &replies, err) : 0;
    for (int i = 0; rc >= 0 && i < count; i++)
        rc = add_index(r, &parts[i], &replies[i], floor_ms, err);
    return rc < 0 ? rc : 0;
}

static void add_found(struct reading *r, const struct source *source, struct bytes key,
                      struct bytes partial, int64_t floor_ms)
{
    int64_t first, last, step = r->rules.plan->hop_ms ? r->rules.plan->hop_ms : 1;
    window_range(r->rules.plan, source->cell, &first, &last);
    bool more = true; /* a window's end may lie beyond what an int64 holds */
    for (int64_t window = first; more && window <= last;
         more = !__builtin_add_overflow(window, step, &window)) {
        if (window < floor_ms || window < source->part->from_ms || window >= source->part->to_ms ||
            (r->query->has_window && window != r->query->window_ms))
            continue;
        if (r->found_count == r->found_capacity) {
            r->found_capacity = r->found_capacity ? r->found_capacity * 2 : 256;
            r->found = mem_grow(r->found, r->found_capacity * sizeof *r->found);
        }
        r->found[r->found_count++] = (struct cells_found){window, key, partial};
    }
}

/* Queue the reads of all sources, then pos, in one trip; *pos_reply is the last answer. */
static int read_cells(struct reading *r, int partition, const struct pos *pos,
                      struct kv_reply **pos_reply, struct err *err)
{
    for (int i = 0; i < r->source_count; i++) {
        char *key = key_cells(&r->arena, r->view, r->version, partition, r->sources[i].part->name,
                              r->sources[i].field);
        if (r->query->key)
            kv_words(r->kv, "HMGET", key, r->query->key, NULL);
        else
            kv_words(r->kv, "HGETALL", key, NULL);
    }
    kv_words(r->kv, "HGETALL", key_pos(&r->arena, r->view, r->version, partition), NULL);
    struct kv_reply *replies = NULL;
    int rc = break_at(r, "read pos again", err);
    if (rc == 0)
        rc = kv_roundtrip(r->kv, &replies, err);
    if (rc < 0)
        return rc;
    assert(replies);
    r->found_count = 0;
    int64_t floor_ms = read_floor(&r->rules, pos);
    for (int i = 0; i < r->source_count; i++) {
        const struct kv_reply *cells = &replies[i];
        if (cells->type != KV_ARRAY)
            return err_set(err, ERR_DATA, "cells of view %s: %.*s", r->view, (int)cells->text.len,
                           cells->text.ptr);
        if (r->query->key && cells->items[0].type == KV_TEXT)
            add_found(r, &r->sources[i], bytes_of(r->query->key), cells->items[0].text, floor_ms);
        for (int j = 0; !r->query->key && j + 1 < cells->count; j += 2)
            add_found(r, &r->sources[i], cells->items[j].text, cells->items[j + 1].text, floor_ms);
    }
    *pos_reply = &replies[r->source_count];
    return 0;
}

static int merge_found(struct reading *r, struct err *err)
{
    struct buf name = {0};
    int128 slots[PLAN_VALUES_MAX * 2];
    int rc = 0;
    for (size_t i = 0; i < r->found_count && rc == 0; i++) {
        const struct cells_found *found = &r->found[i];
        if (!aggregate_decode(r->rules.plan, found->partial, slots)) {
            rc = err_set(err, ERR_DATA, "view %s: cell %.*s holds \"%.*s\"", r->view,
                         (int)found->key.len, found->key.ptr, (int)found->partial.len,
                         found->partial.ptr);
            break;
        }
        buf_clear(&name);
        buf_add(&name, &found->window_ms, sizeof found->window_ms);
        buf_add(&name, found->key.ptr, found->key.len);
        bool fresh;
        int128 *sum = map_put(&r->merged, buf_bytes(&name), &fresh);
        if (fresh)
            aggregate_zero(r->rules.plan, sum);
        aggregate_merge(r->rules.plan, sum, slots);
    }
    buf_release(&name);
    return rc;
}

/* One attempt at one partition: 1 valid, 0 try again, or a code. */
static int try_partition(struct reading *r, int partition, struct answer *out, struct err *err)
{
    arena_reset(&r->arena);
    struct kv_reply *replies, *again = NULL;
    struct pos before, after = {0};
    int rc = break_at(r, "read pos", err);
    if (rc < 0)
        return rc;
    kv_words(r->kv, "HGETALL", key_pos(&r->arena, r->view, r->version, partition), NULL);
    rc = kv_roundtrip(r->kv, &replies, err);
    if (rc < 0 || (rc = pos_decode(&replies[0], &before, err)) < 0)
        return rc;
    if (!before.here && r->rules.arch == ARCH_KAPPA) {
        read_fill_part(&r->rules, &before,
                       &out->parts[partition]); /* nothing was folded here yet */
        return 1;
    }
    if (!before.here || read_gap(&r->rules, &before)) {
        rc = err_set(
            err, ERR_GAP,
            "gap: partition %d of view %s has nothing for offsets %lld to %lld; a batch must "
            "cover them: lk lambda batch",
            partition, r->view, (long long)before.boundary, (long long)before.from);
        pos_release(&before);
        return rc;
    }
    if (before.broken)
        rc = err_set(err, ERR_DATA, "partition %d of view %s is marked broken", partition, r->view);
    r->retired = before.retired;
    if (before.retired)
        rc = err_set(err, ERR_ENV, "version %s of view %s is retired; see: lk kappa status",
                     r->version, r->view);
    if (rc >= 0)
        rc = r->query->positions_only ? 0 : list_sources(r, partition, &before, err);
    if (rc >= 0)
        rc = break_at(r, "read cells", err);
    if (r->query->positions_only)
        r->source_count = 0;
    if (rc >= 0)
        rc = read_cells(r, partition, &before, &again, err);
    if (rc >= 0)
        rc = pos_decode(again, &after, err);
    if (rc >= 0) {
        enum read_verdict verdict = read_judge(&r->rules, &before, &after);
        rc = verdict == READ_EXACT || (verdict == READ_AT_LEAST && !r->query->exact);
        if (rc == 1)
            rc = merge_found(r, err) < 0 ? ERR_DATA : 1;
        if (rc == 1) {
            read_fill_part(&r->rules, &before, &out->parts[partition]);
            out->exact = out->exact && verdict == READ_EXACT;
        }
    }
    pos_release(&before);
    pos_release(&after);
    return rc;
}

static int read_partition(struct reading *r, int partition, struct answer *out, struct err *err)
{
    int tries = r->query->exact ? EXACT_TRIES : VIEW_READ_TRIES;
    for (int i = 0; i < tries; i++) {
        int rc = try_partition(r, partition, out, err);
        if (rc != 0)
            return rc < 0 ? rc : 0;
        out->tries++;
        if (i > 0)
            clock_sleep_ms(RETRY_MS);
    }
    return err_set(err, ERR_AWAY, "partition %d of view %s moved during each of %d reads",
                   partition, r->view, tries);
}

/* ---- the whole ---- */

static void finish(struct reading *r, struct answer *out)
{
    int64_t floor_ms = answer_floor(out);
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
        answer_add(out, window, (struct bytes){name.ptr + sizeof window, name.len - sizeof window},
                   buf_bytes(&values));
    }
    buf_release(&values);
    answer_sort(out);
}

static int read_version(struct reading *r, const struct registry *registry, struct answer *out,
                        struct err *err)
{
    answer_init(out, registry->partitions);
    out->exact = true;
    map_init(&r->merged, (size_t)r->rules.plan->slots * sizeof(int128));
    int rc = 0;
    for (int p = 0; p < registry->partitions && rc == 0; p++)
        rc = read_partition(r, p, out, err);
    if (rc == 0)
        finish(r, out);
    map_release(&r->merged);
    arena_release(&r->arena);
    free(r->sources);
    free(r->found);
    return rc;
}

static int no_view(const char *view, enum arch arch, struct err *err)
{
    return err_set(err, ERR_ENV, "%s has no view %s yet; make it: lk %s",
                   arch == ARCH_KAPPA ? "kappa" : "lambda", view,
                   arch == ARCH_KAPPA ? "kappa run" : "lambda speed (and lk lambda batch)");
}

/* One attempt at the whole view: 1 valid, 0 the version was retired under the read, or a code. */
static int try_view(struct kv *kv, const char *view, enum arch arch, const struct view_query *query,
                    struct answer *out, struct err *err)
{
    struct registry registry = {0};
    int rc = registry_read(kv, view, arch, &registry, err);
    if (rc < 0)
        return rc;
    int number = query->version ? query->version : registry_version_for(&registry, query->key);
    struct plan *plan = NULL;
    struct buf mistakes = {0};
    struct reading reading = {.kv = kv, .query = query, .view = view, .rules.arch = arch};
    if (number < 1 || number > registry.count || !registry.versions[number - 1].plan)
        rc = no_view(view, arch, err);
    else
        rc = plan_parse(bytes_of(registry.versions[number - 1].plan), ".", false, &plan, &mistakes,
                        err);
    if (rc == 0) {
        reading.rules.plan = plan;
        registry_version_name(arch, number, reading.version);
        rc = read_version(&reading, &registry, out, err);
        out->version = number;
        plan_free(plan);
    }
    if (rc < 0)
        answer_release(out);
    buf_release(&mistakes);
    registry_release(&registry);
    return rc < 0 ? (reading.retired && !query->version ? 0 : rc) : 1;
}

int view_read(struct kv *kv, const char *view, enum arch arch, const struct view_query *query,
              struct answer *out, struct err *err)
{
    *out = (struct answer){0};
    int rc = kv_down(kv) ? kv_reconnect(kv, err) : 0;
    if (rc < 0)
        return rc;
    for (int i = 0; i < VIEW_READ_TRIES; i++) {
        struct err why = {0};
        rc = try_view(kv, view, arch, query, out, &why);
        if (rc < 0 && err)
            *err = why;
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    return err_set(err, ERR_AWAY, "the live version of view %s was retired during each of %d reads",
                   view, VIEW_READ_TRIES);
}
