/* common/op/cells.c - the keyed table: linear probing over cells that hold their slots inline.
 *
 * A raw key is, for each key column:
 *     '-'                        absent
 *     'i' int64                  int, decimal, time, bool (8 bytes, this machine's order)
 *     'd' double                 8 bytes, -0.0 as 0.0
 *     's' uint32 length, bytes   string
 * A cell's hash is one XXH3 of the key, seeded by part and field, so a probe compares one number
 * until it is nearly sure. Growth and eviction copy the table; the list of changed cells is made
 * anew from CELL_DIRTY while they do, for listed and dirty are the same thing. Keys stand in an
 * arena that is copied when more than half of it belongs to evicted cells.
 * Assumed load: a handful to some millions of cells, looked up once an event. */
#include "common/op/cells.h"

#include <assert.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/base/err.h"
#include "common/op/aggregate.h"

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

static inline struct cell *cell_at(const struct cells *cells, size_t index)
{
    return (struct cell *)(void *)(cells->table + index * cells->stride);
}

static void list_changed(struct cells *cells, size_t index)
{
    if (cells->changed_count == cells->changed_capacity) {
        cells->changed_capacity = cells->changed_capacity ? cells->changed_capacity * 2 : 64;
        cells->changed = mem_grow(cells->changed, cells->changed_capacity * sizeof *cells->changed);
    }
    cells->changed[cells->changed_count++] = (uint32_t)index;
}

/* Copy the cells into a table of capacity, a power of two. */
static void rebuild(struct cells *cells, size_t capacity)
{
    char *old = cells->table;
    size_t old_capacity = cells->capacity;
    assert(capacity <= UINT32_MAX);
    cells->table = mem_zero(capacity, cells->stride);
    cells->capacity = capacity;
    cells->changed_count = 0;
    for (size_t i = 0; i < old_capacity; i++) {
        const struct cell *from = (const struct cell *)(const void *)(old + i * cells->stride);
        if (!from->key.ptr)
            continue;
        size_t index = from->hash & (capacity - 1);
        while (cell_at(cells, index)->key.ptr)
            index = (index + 1) & (capacity - 1);
        memcpy(cell_at(cells, index), from, cells->stride);
        if (from->state & CELL_DIRTY)
            list_changed(cells, index);
    }
    free(old);
}

static uint64_t hash_of(uint64_t part, struct cell_field field, struct bytes key)
{
    uint64_t seed = part + (uint64_t)field.pane_ms * 0x9E3779B97F4A7C15u;
    seed = (seed ^ (uint64_t)field.first_ms) * 0xD6E8FEB86659FD93u;
    return XXH3_64bits_withSeed(key.ptr, key.len, seed);
}

struct cell *cells_at(struct cells *cells, uint64_t part, struct cell_field field, struct bytes key,
                      bool *fresh)
{
    if ((cells->count + 1) * 10 > cells->capacity * 7)
        rebuild(cells, cells->capacity ? cells->capacity * 2 : CAPACITY_MIN);
    uint64_t hash = hash_of(part, field, key);
    size_t index = hash & (cells->capacity - 1);
    struct cell *cell;
    *fresh = false;
    while ((cell = cell_at(cells, index))->key.ptr) {
        if (cell->hash == hash && cell->part == part && cell->field.pane_ms == field.pane_ms &&
            cell->field.first_ms == field.first_ms && bytes_equal(cell->key, key))
            return cell;
        index = (index + 1) & (cells->capacity - 1);
    }
    *fresh = true;
    *cell = (struct cell){.hash = hash, .part = part, .field = field};
    cell->key = arena_bytes(&cells->keys, key);
    aggregate_zero(cells->plan, cell->slots);
    cells->count++;
    return cell;
}

void cells_change(struct cells *cells, struct cell *cell)
{
    if (cell->state & CELL_DIRTY)
        return;
    cell->state |= CELL_DIRTY;
    list_changed(cells, (size_t)((char *)cell - cells->table) / cells->stride);
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
    while (*i < cells->capacity) {
        struct cell *cell = cell_at(cells, (*i)++);
        if (cell->key.ptr)
            return cell;
    }
    return NULL;
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

size_t cells_evict(struct cells *cells, bool (*drop)(const struct cell *, void *), void *context)
{
    size_t dropped = 0;
    struct cell *cell;
    for (size_t i = 0; (cell = cells_next(cells, &i));) {
        if (!drop(cell, context))
            continue;
        cells->key_bytes_dead += key_bytes(cell->key);
        cell->key.ptr = NULL; /* breaks probing until rebuild */
        dropped++;
    }
    if (dropped == 0)
        return 0;
    cells->count -= dropped;
    size_t capacity = cells->capacity;
    while (capacity > CAPACITY_MIN && cells->count * 20 <= capacity / 2 * 7)
        capacity /= 2;
    rebuild(cells, capacity);
    compact_keys(cells);
    return dropped;
}

size_t cells_bytes(const struct cells *cells)
{
    return cells->capacity * cells->stride + cells->keys.total +
           cells->changed_capacity * sizeof *cells->changed;
}

void cells_clear(struct cells *cells)
{
    free(cells->table);
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
