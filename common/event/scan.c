/* common/event/scan.c - the scanner's handle: it chooses a walk, then takes from what the walk left
 * in the targets the value of each field, raw or as a cell of its column.
 *
 *     value ─> shape of the event before ──(differs)──> mask or plain walk ─> targets ─> fields ─>
 * columns */
#include "common/event/scan.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/err.h"
#include "common/event/convert.h"
#include "common/event/parts.h"
#include "common/event/text.h"

struct scanner {
    const struct schema *schema;
    walk_function *walk_text;
    match_function *match; /* NULL: no guessing */
    struct shape *shape;
    struct walk walk;
    int targets;
    int (*target)[1 + FIELD_ALIAS_MAX]; /* of each field's paths */
    struct converter *converters;
    struct arena arena; /* the tree, and all of the above that is an array */
};

static void choose_paths(struct scanner *scanner, enum scan_path path)
{
    bool masks = path != SCAN_PLAIN && walk_mask_works();
    scanner->walk_text = masks ? walk_mask : walk_plain;
    if (path == SCAN_BEST)
        scanner->match = masks ? match_mask : match_plain;
}

struct scanner *scanner_new(const struct schema *schema, enum scan_path path)
{
    struct scanner *scanner = mem_zero(1, sizeof *scanner);
    struct arena *arena = &scanner->arena;
    size_t fields = (size_t)schema->scanned;
    scanner->schema = schema;
    choose_paths(scanner, path);
    scanner->shape = arena_zero(arena, 1, sizeof *scanner->shape);
    scanner->target = arena_zero(arena, fields, sizeof *scanner->target);
    scanner->walk.root = tree_build(schema, arena, scanner->target, &scanner->targets);
    scanner->walk.targets = arena_zero(arena, (size_t)scanner->targets, sizeof(struct raw_value));
    scanner->walk.levels = arena_zero(arena, SCAN_DEPTH_MAX + 1, sizeof(struct level));
    scanner->converters = arena_zero(arena, fields, sizeof *scanner->converters);
    for (size_t i = 0; i < fields; i++)
        converter_init(&scanner->converters[i], &schema->fields[i]);
    return scanner;
}

void scanner_free(struct scanner *scanner)
{
    if (!scanner)
        return;
    arena_release(&scanner->arena);
    free(scanner);
}

/* A guess that fails may have filled targets, but only from bytes that the walk then reads the same
 * way, so it need not be undone. */
static enum bad_reason scan(struct scanner *scanner, struct bytes value)
{
    struct walk *walk = &scanner->walk;
    struct shape *shape = scanner->shape;
    if (value.len == 0)
        value.ptr = ""; /* {NULL, 0} is allowed, arithmetic on NULL is not */
    for (int i = 0; i < scanner->targets; i++)
        walk->targets[i].kind = RAW_ABSENT;
    bool guess = scanner->match && shape_try(shape);
    if (guess && shape->known && scanner->match(walk, shape, value)) {
        shape_hit(shape);
        return BAD_NOT;
    }
    walk->wrong = value.ptr;
    enum bad_reason reason = scanner->walk_text(walk, value);
    if (guess && reason == BAD_NOT)
        shape_miss(shape, walk, scanner->targets, value);
    return reason;
}

/* Of the field's paths the first that stands in the event. A null stands nowhere, but is still told
 * from absence where no path has anything better. */
static const struct raw_value *field_value(const struct scanner *scanner, int field)
{
    static const struct raw_value ABSENT = {.kind = RAW_ABSENT};
    const struct raw_value *found = &ABSENT;
    for (int k = 0; k < scanner->schema->fields[field].paths; k++) {
        const struct raw_value *value = &scanner->walk.targets[scanner->target[field][k]];
        if (value->kind > RAW_NULL)
            return value;
        if (value->kind == RAW_NULL)
            found = value;
    }
    return found;
}

enum bad_reason scanner_raw(struct scanner *scanner, struct bytes value, struct raw_value *out,
                            size_t *at)
{
    enum bad_reason reason = scan(scanner, value);
    if (at)
        *at = reason == BAD_JSON && value.len ? (size_t)(scanner->walk.wrong - value.ptr) : 0;
    for (int i = 0; i < scanner->schema->scanned; i++)
        out[i] = reason == BAD_NOT ? *field_value(scanner, i) : (struct raw_value){0};
    return reason;
}

static void fill_row(struct scanner *scanner, struct columns *out, int row)
{
    out->bad[row] = BAD_NOT;
    for (int i = 0; i < scanner->schema->scanned; i++) {
        enum bad_reason reason = convert(&scanner->converters[i], field_value(scanner, i),
                                         &out->column[i], row, &out->text);
        if (reason == BAD_NOT)
            continue;
        out->bad[row] = (uint8_t)reason;
        out->bad_field[row] = (uint8_t)i;
        return;
    }
}

void scanner_batch(struct scanner *scanner, const struct bytes *values, int n, struct columns *out)
{
    assert(n <= COLUMNS_ROWS_MAX);
    columns_clear(out);
    out->rows = n;
    for (int row = 0; row < n; row++) {
        enum bad_reason reason = scan(scanner, values[row]);
        out->bad[row] = (uint8_t)reason;
        out->bad_field[row] = 0;
        if (reason == BAD_NOT)
            fill_row(scanner, out, row);
    }
}

void raw_unescape(struct raw_value value, struct buf *out)
{
    buf_reserve(out, value.text.len);
    if (value.escaped)
        out->len += text_unescape(value.text, out->ptr + out->len);
    else
        buf_add(out, value.text.ptr, value.text.len);
    out->ptr[out->len] = 0;
}
