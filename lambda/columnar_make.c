/* lambda/columnar_make.c - scans segments for a plan's fields and keeps the columns beside them. */
#include "lambda/columnar.h"

#include <assert.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert((int)COLUMNAR_COLUMNS_MAX >= (int)SCHEMA_FIELDS_MAX, "every field has a column");

static void describe_path(const struct field_path *path, struct buf *out)
{
    for (int i = 0; i < path->depth; i++)
        buf_add_json_string(out, path->part[i]);
    buf_add_char(out, ';');
}

/* All that the scanner's answer depends on. */
static void describe(const struct field *field, struct buf *out)
{
    buf_add_json_string(out, bytes_of(field->name));
    buf_printf(out, "%d,%d,%d,%d,%lld,%d,", (int)field->type, field->scale, field->optional,
               field->has_default, (long long)field->default_int, (int)field->time_format);
    if (field->has_default && field->type == FIELD_DOUBLE)
        buf_add_double(out, field->default_double);
    if (field->has_default && field->type == FIELD_STRING)
        buf_add_json_string(out, field->default_string);
    if (field->type == FIELD_TIME && field->time_format == TIME_STRPTIME)
        buf_add_json_string(out, bytes_of(field->time_pattern));
    for (int i = 0; i < field->paths; i++)
        describe_path(&field->path[i], out);
    buf_add_char(out, '\n');
}

void columnar_fields_of(const struct plan *plan, struct columnar_fields *out)
{
    const struct schema *schema = &plan->schema;
    struct buf text = {0};
    *out = (struct columnar_fields){.count = schema->scanned};
    for (int i = 0; i < schema->scanned; i++) {
        describe(&schema->fields[i], &text);
        out->kind[i] = schema->fields[i].type == FIELD_STRING ? COLUMNAR_STRINGS : COLUMNAR_NUMBERS;
    }
    out->hash = XXH3_64bits(text.ptr, text.len);
    buf_release(&text);
}

struct columnar_maker {
    struct columnar_fields fields;
    struct scanner *scanner;
    struct columns *columns;
    int partitions;
    struct columnar_place **places;
};

int columnar_maker_open(const char *archive, const char *topic, int partitions,
                        const struct plan *plan, struct columnar_maker **out, struct err *err)
{
    struct columnar_maker *maker = mem_zero(1, sizeof *maker);
    int rc = 0;
    columnar_fields_of(plan, &maker->fields);
    maker->scanner = scanner_new(&plan->schema, SCAN_BEST);
    maker->columns = columns_new(&plan->schema);
    maker->places = mem_zero((size_t)partitions, sizeof *maker->places);
    for (; maker->partitions < partitions && rc == 0; maker->partitions++)
        rc = columnar_place_open(archive, topic, maker->partitions, &maker->fields,
                                 &maker->places[maker->partitions], err);
    if (rc < 0)
        columnar_maker_close(maker);
    else
        *out = maker;
    return rc;
}

static void scan(void *context, const struct log_batch *batch, struct columnar_builder *builder)
{
    const struct columnar_maker *maker = context;
    const struct columns *columns = maker->columns;
    scanner_batch(maker->scanner, batch->value, batch->count, maker->columns);
    for (int c = 0; c < maker->fields.count; c++) {
        const struct column *column = &columns->column[c];
        if (column->type == FIELD_STRING)
            columnar_add_strings(builder, c, column->str, column->present, columns->bad,
                                 batch->count);
        else /* a double as the int64 of the same bits: they share their place */
            columnar_add_numbers(builder, c, column->i64, column->present, columns->bad,
                                 batch->count);
    }
    columnar_add_bad(builder, columns->bad, columns->bad_field, batch->count);
}

int columnar_maker_fill(struct columnar_maker *maker, struct err *err)
{
    int made = 0, rc = 0;
    for (int p = 0; p < maker->partitions && rc >= 0; p++) {
        rc = columnar_fill(maker->places[p], scan, maker, err);
        made += rc > 0 ? rc : 0;
    }
    return rc < 0 ? rc : made;
}

void columnar_maker_close(struct columnar_maker *maker)
{
    if (!maker)
        return;
    for (int p = 0; p < maker->partitions; p++)
        columnar_place_close(maker->places[p]);
    free(maker->places);
    scanner_free(maker->scanner);
    columns_free(maker->columns);
    free(maker);
}
