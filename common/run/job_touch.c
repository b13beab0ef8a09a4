/* common/run/job_touch.c - first touch: changed cells that are not known yet are read and merged, piece by piece,
 * on the commit's connection, behind the WATCH that the answer before has armed. */
#include <stdlib.h>

#include "common/op/aggregate.h"
#include "common/run/job_parts.h"

char *job_cell_key(struct job *job, const struct slot *slot, uint64_t part, struct cell_field cell)
{
    struct buf field = {0};
    window_encode(job->plan, cell, &field);
    char *key = key_cells(&job->arena, job->plan->view, job->version, slot->partition,
                          part_name(job, &job->arena, part), field.ptr);
    buf_release(&field);
    return key;
}

struct bytes job_cell_json(struct job *job, const struct cell *cell)
{
    struct buf json = {0};
    cells_key_json(job->plan, cell->key, &json);
    struct bytes copy = arena_bytes(&job->arena, buf_bytes(&json));
    buf_release(&json);
    return copy;
}

static int merge_base(struct job *job, struct cell *cell, const struct kv_reply *reply,
                      struct err *err)
{
    int128 base[PLAN_SLOTS_MAX];
    cell->state &= ~(uint32_t)CELL_UNREAD;
    if (reply->type == KV_NIL)
        return 0;
    if (reply->type != KV_TEXT || !aggregate_decode(job->plan, reply->text, base))
        return err_set(err, ERR_DATA, "a cell of view %s holds \"%.*s\", which lk did not write",
                       job->plan->view, (int)reply->text.len,
                       reply->text.ptr ? reply->text.ptr : "");
    aggregate_merge(job->plan, cell->slots, base);
    return 0;
}

/* Cells that are asked for in the coming round trip. */
struct asked {
    struct cell **list;
    size_t count, capacity;
};

static void ask(struct job *job, const struct slot *slot, struct cell *cell, struct asked *asked)
{
    if (asked->count == asked->capacity) {
        asked->capacity = asked->capacity ? asked->capacity * 2 : 256;
        asked->list = mem_grow(asked->list, asked->capacity * sizeof(struct cell *));
    }
    asked->list[asked->count++] = cell;
    struct bytes args[] = {bytes_of("HGET"),
                           bytes_of(job_cell_key(job, slot, cell->part, cell->field)),
                           job_cell_json(job, cell)};
    kv_command(job->kv, args, 3);
}

static int merge_asked(struct job *job, struct asked *asked, struct err *err)
{
    struct kv_reply *replies;
    int rc = asked->count ? kv_roundtrip(job->kv, &replies, err) : 0;
    for (size_t k = 0; rc >= 0 && k < asked->count; k++)
        rc = merge_base(job, asked->list[k], &replies[k], err);
    asked->count = 0;
    arena_reset(&job->arena);
    return rc < 0 ? rc : 0;
}

int job_touch(struct job *job, struct err *err)
{
    struct asked asked = {0};
    int rc = 0;
    for (int i = 0; i < job->count; i++) {
        struct slot *slot = &job->slots[i];
        const struct cells *cells = &slot->fold->cells;
        for (size_t k = 0; rc == 0 && slot_dirty(job, slot) && k < cells->changed_count; k++) {
            struct cell *cell = cells_changed_at(cells, k);
            if (cell->state & CELL_UNREAD)
                ask(job, slot, cell, &asked);
            if (job_piece_full(job))
                rc = merge_asked(job, &asked, err);
        }
    }
    rc = rc < 0 ? rc : merge_asked(job, &asked, err);
    free(asked.list);
    return rc;
}
