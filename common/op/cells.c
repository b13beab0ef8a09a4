/* common/op/cells.c - the keyed table: cells in chunks, and a small index over them.
 *
 * A raw key is, for each key column:
 *     '-'                        absent
 *     'i' int64                  int, decimal, time, bool (8 bytes, this machine's order)
 *     'd' double                 8 bytes, -0.0 as 0.0
 *     's' uint32 length, bytes   string
 * The index is probed linearly; an entry is 8 bytes, a cell's number and 32 bits of the XXH3 of its
 * key (seeded by part and field). So a probe seldom looks at a cell in vain, and growing moves
 * entries only: neither cells nor keys. Eviction closes the holes in the chunks, keeping the order,
 * and makes the index and the list of changed cells anew. Keys stand in an arena that is copied
 * when more than half of it belongs to evicted cells.
 * Assumed load: a handful to some millions of cells, looked up once an event. */
#include "common/op/cells.h"

#include <assert.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/base/err.h"
#include "common/op/aggregate.h"

/* A place of the index. number: of the cell, from 1; 0: empty. */
struct cell_entry {
    uint32_t hash, number;
};

enum { CAPACITY_MIN = 64, KEY_COLUMN_BYTES = 9 }; /* tag and value, without a string's bytes */

void cells_init(struct cells *cells, const struct plan *plan)
{
    *cells = (struct cells){.plan = plan};
    cells->stride = sizeof(struct cell) + (size_t)plan->slots * sizeof(int128);
    assert(cells->stride % 16 == 0);
}

static char *put_value(char *to, char tag, const void *value)
{
    *to = tag;
    memcpy(to + 1, value, 8);
    return to + 9;
}

static char *put_string(char *to, struct bytes text)
{
    uint32_t length = (uint32_t)text.len;
    *to = 's';
    memcpy(to + 1, &length, sizeof length);
    memcpy(to + 1 + sizeof length, text.ptr, text.len);
    return to + 1 + sizeof length + text.len;
}

void cells_key(const struct plan *plan, const struct columns *columns, int row, struct buf *out)
{
    buf_clear(out);
    buf_reserve(out, 0); /* an empty key has an address too */
    for (int i = 0; i < plan->keys; i++) {
        const struct column *column = &columns->column[plan->key[i]];
        bool text = column->type == FIELD_STRING && column->present[row];
        buf_reserve(out, KEY_COLUMN_BYTES + (text ? column->str[row].len : 0));
        char *to = out->ptr + out->len, *end = to;
        if (!column->present[row]) {
            *end++ = '-';
        } else if (text) {
            end = put_string(to, column->str[row]);
        } else if (column->type == FIELD_DOUBLE) {
            double value = column->f64[row] == 0 ? 0 : column->f64[row];
            end = put_value(to, 'd', &value);
        } else {
            end = put_value(to, 'i', &column->i64[row]);
        }
        out->len += (size_t)(end - to);
    }
}

static void add_int_json(const struct field *field, int64_t value, struct buf *out)
{
    if (field->type == FIELD_BOOL)
        buf_add_text(out, value ? "true" : "false");
    else
        buf_add_decimal(out, value, field->type == FIELD_DECIMAL ? field->scale : 0);
}

/* Append the value that begins at its tag; returns what is behind it. */
static const char *add_value_json(const struct field *field, const char *at, struct buf *out)
{
    uint32_t length;
    int64_t integer;
    double number;
    switch (*at++) {
    case 's':
        memcpy(&length, at, sizeof length);
        at += sizeof length;
        buf_add_json_string(out, (struct bytes){at, length});
        return at + length;
    case 'i':
        memcpy(&integer, at, sizeof integer);
        add_int_json(field, integer, out);
        return at + sizeof integer;
    case 'd':
        memcpy(&number, at, sizeof number);
        buf_add_double(out, number);
        return at + sizeof number;
    default:
        buf_add_text(out, "null");
        return at;
    }
}

void cells_key_json(const struct plan *plan, struct bytes raw, struct buf *out)
{
    const char *at = raw.ptr;
    buf_add_char(out, '[');
    for (int i = 0; i < plan->keys; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        at = add_value_json(&plan->schema.fields[plan->key[i]], at, out);
    }
    buf_add_char(out, ']');
    assert(at == raw.ptr + raw.len);
}

static inline struct cell *cell_at(const struct cells *cells, size_t i)
{
    return (struct cell *)(void *)(cells->chunk[i / CELLS_CHUNK] + i % CELLS_CHUNK * cells->stride);
}

static void put_entry(struct cells *cells, struct cell_entry entry)
{
    size_t mask = cells->capacity - 1, place = entry.hash & mask;
    while (cells->entries[place].number)
        place = (place + 1) & mask;
    cells->entries[place] = entry;
}

/* An index of twice the room, of the same entries. */
static void grow_index(struct cells *cells)
{
    struct cell_entry *old = cells->entries;
    size_t old_capacity = cells->capacity;
    cells->capacity = old_capacity ? old_capacity * 2 : CAPACITY_MIN;
    assert(cells->capacity <= UINT32_MAX);
    cells->entries = mem_zero(cells->capacity, sizeof *cells->entries);
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].number)
            put_entry(cells, old[i]);
    free(old);
}

static uint32_t hash_of(uint64_t part, struct cell_field field, struct bytes key)
{
    uint64_t seed = part + (uint64_t)field.pane_ms * 0x9E3779B97F4A7C15u;
    seed = (seed ^ (uint64_t)field.first_ms) * 0xD6E8FEB86659FD93u;
    return (uint32_t)XXH3_64bits_withSeed(key.ptr, key.len, seed);
}

/* A cell behind the last, not yet in the index. */
static struct cell *add_cell(struct cells *cells)
{
    if (cells->count == cells->chunks * CELLS_CHUNK) {
        cells->chunk = mem_grow(cells->chunk, (cells->chunks + 1) * sizeof *cells->chunk);
        cells->chunk[cells->chunks++] = mem_alloc(CELLS_CHUNK * cells->stride);
    }
    return cell_at(cells, cells->count++);
}

struct cell *cells_at(struct cells *cells, uint64_t part, struct cell_field field, struct bytes key,
                      bool *fresh)
{
    if ((cells->count + 1) * 10 > cells->capacity * 7)
        grow_index(cells);
    uint32_t hash = hash_of(part, field, key);
    size_t mask = cells->capacity - 1, place = hash & mask;
    *fresh = false;
    for (; cells->entries[place].number; place = (place + 1) & mask) {
        if (cells->entries[place].hash != hash)
            continue;
        struct cell *cell = cell_at(cells, cells->entries[place].number - 1);
        if (cell->part == part && cell->field.pane_ms == field.pane_ms &&
            cell->field.first_ms == field.first_ms && bytes_equal(cell->key, key))
            return cell;
    }
    *fresh = true;
    struct cell *cell = add_cell(cells);
    uint32_t number = (uint32_t)cells->count;
    *cell = (struct cell){.hash = hash, .index = number - 1, .part = part, .field = field};
    cell->key = arena_bytes(&cells->keys, key);
    aggregate_zero(cells->plan, cell->slots);
    cells->entries[place] = (struct cell_entry){hash, number};
    return cell;
}

static void list_changed(struct cells *cells, uint32_t index)
{
    if (cells->changed_count == cells->changed_capacity) {
        cells->changed_capacity = cells->changed_capacity ? cells->changed_capacity * 2 : 64;
        cells->changed = mem_grow(cells->changed, cells->changed_capacity * sizeof *cells->changed);
    }
    cells->changed[cells->changed_count++] = index;
}

void cells_change(struct cells *cells, struct cell *cell)
{
    if (cell->state & CELL_DIRTY)
        return;
    cell->state |= CELL_DIRTY;
    list_changed(cells, cell->index);
}

struct cell *cells_changed_at(const struct cells *cells, size_t i)
{
    assert(i < cells->changed_count);
    return cell_at(cells, cells->changed[i]);
}

void cells_changed_clear(struct cells *cells)
{
    cells->changed_count = 0;
}

struct cell *cells_next(const struct cells *cells, size_t *i)
{
    return *i < cells->count ? cell_at(cells, (*i)++) : NULL;
}

/* What a key takes of its arena: a NUL behind it, rounded up to 16. */
static size_t key_bytes(struct bytes key)
{
    return (key.len + 1 + 15) & ~(size_t)15;
}

static void compact_keys(struct cells *cells)
{
    if (cells->key_bytes_dead * 2 <= cells->keys.total)
        return;
    struct arena keys = {0};
    struct cell *cell;
    for (size_t i = 0; (cell = cells_next(cells, &i));)
        cell->key = arena_bytes(&keys, cell->key);
    arena_release(&cells->keys);
    cells->keys = keys;
    cells->key_bytes_dead = 0;
}

/* Move the cells that stay to the front; key_bytes_dead learns what went. */
static size_t close_holes(struct cells *cells, bool (*drop)(const struct cell *, void *),
                          void *context)
{
    size_t kept = 0, count = cells->count;
    for (size_t i = 0; i < count; i++) {
        struct cell *cell = cell_at(cells, i);
        if (drop(cell, context)) {
            cells->key_bytes_dead += key_bytes(cell->key);
            continue;
        }
        if (kept != i)
            memcpy(cell_at(cells, kept), cell, cells->stride);
        cell_at(cells, kept)->index = (uint32_t)kept;
        kept++;
    }
    cells->count = kept;
    return count - kept;
}

/* The index and the list of changed cells, from the cells; room that is not needed goes. */
static void reindex(struct cells *cells)
{
    while (cells->chunks > (cells->count + CELLS_CHUNK - 1) / CELLS_CHUNK)
        free(cells->chunk[--cells->chunks]);
    while (cells->capacity > CAPACITY_MIN && cells->count * 20 <= cells->capacity / 2 * 7)
        cells->capacity /= 2;
    free(cells->entries);
    cells->entries = mem_zero(cells->capacity, sizeof *cells->entries);
    cells->changed_count = 0;
    for (size_t i = 0; i < cells->count; i++) {
        const struct cell *cell = cell_at(cells, i);
        put_entry(cells, (struct cell_entry){cell->hash, (uint32_t)i + 1});
        if (cell->state & CELL_DIRTY)
            list_changed(cells, (uint32_t)i);
    }
}

size_t cells_evict(struct cells *cells, bool (*drop)(const struct cell *, void *), void *context)
{
    size_t dropped = close_holes(cells, drop, context);
    if (dropped == 0)
        return 0;
    reindex(cells);
    compact_keys(cells);
    return dropped;
}

size_t cells_bytes(const struct cells *cells)
{
    return cells->chunks * CELLS_CHUNK * cells->stride + cells->capacity * sizeof *cells->entries +
           cells->keys.total + cells->changed_capacity * sizeof *cells->changed;
}

size_t cells_changed_bytes(const struct cells *cells)
{
    return cells->count
               ? (size_t)((uint128)cells_bytes(cells) * cells->changed_count / cells->count)
               : 0;
}

void cells_clear(struct cells *cells)
{
    while (cells->chunks > 0)
        free(cells->chunk[--cells->chunks]);
    free(cells->chunk);
    free(cells->entries);
    free(cells->changed);
    arena_release(&cells->keys);
    cells_init(cells, cells->plan);
}

void cells_release(struct cells *cells)
{
    if (cells->plan)
        cells_clear(cells);
    *cells = (struct cells){0};
}
