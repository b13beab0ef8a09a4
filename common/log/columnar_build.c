/* common/log/columnar_build.c - a columnar file while it grows: a value an event in every column.
 *
 * Where a value is absent or its event is bad, a number repeats the one before it, so that its column
 * stays narrow; absent strings have a code of their own, which is known only when the dictionary is
 * whole, hence -1 until then. */
#include "common/log/columnar_files.h"

#include <assert.h>
#include <stdlib.h>

void columnar_builder_init(struct columnar_builder *builder, const struct columnar_fields *fields)
{
    *builder = (struct columnar_builder){.fields = fields};
    for (int c = 0; c < fields->count; c++) {
        struct columnar_growing *column = &builder->column[c];
        column->kind = fields->kind[c];
        column->numbers = mem_alloc(SEGMENT_RECORDS_MAX * sizeof *column->numbers);
        if (column->kind == COLUMNAR_NUMBERS)
            column->present = mem_alloc(SEGMENT_RECORDS_MAX);
        map_init(&column->dictionary, sizeof(int64_t));
    }
}

void columnar_builder_clear(struct columnar_builder *builder)
{
    builder->rows = builder->bad_count = 0;
    for (int c = 0; c < builder->fields->count; c++) {
        struct columnar_growing *column = &builder->column[c];
        column->count = 0;
        column->absent = column->stands = false;
        map_clear(&column->dictionary);
    }
}

void columnar_builder_release(struct columnar_builder *builder)
{
    for (int c = 0; c < builder->fields->count; c++) {
        free(builder->column[c].numbers);
        free(builder->column[c].present);
        map_release(&builder->column[c].dictionary);
    }
    free(builder->bad);
    buf_release(&builder->body);
    buf_release(&builder->file);
}

void columnar_add_numbers(struct columnar_builder *builder, int column, const int64_t *numbers,
                          const uint8_t *present, const uint8_t *bad, int n)
{
    struct columnar_growing *to = &builder->column[column];
    assert(to->kind == COLUMNAR_NUMBERS && to->count + n <= SEGMENT_RECORDS_MAX);
    int64_t before = to->count ? to->numbers[to->count - 1] : 0;
    for (int i = 0; i < n; i++) {
        bool stands = !bad[i] && present[i];
        before = stands ? numbers[i] : before;
        for (int k = 0; stands && !to->stands && k < to->count; k++)
            to->numbers[k] = before; /* nothing stood before them: as the one behind them */
        to->stands = to->stands || stands;
        to->numbers[to->count] = before;
        to->present[to->count++] = stands || bad[i];
        to->absent = to->absent || !(stands || bad[i]);
    }
}

void columnar_add_strings(struct columnar_builder *builder, int column, const struct bytes *strings,
                          const uint8_t *present, const uint8_t *bad, int n)
{
    struct columnar_growing *to = &builder->column[column];
    assert(to->kind == COLUMNAR_STRINGS && to->count + n <= SEGMENT_RECORDS_MAX);
    for (int i = 0; i < n; i++) {
        int64_t code = -1;
        bool fresh;
        if (!bad[i] && present[i]) {
            int64_t *entry = map_put(&to->dictionary, strings[i], &fresh);
            if (fresh)
                *entry = (int64_t)to->dictionary.count - 1;
            code = *entry;
        }
        to->numbers[to->count++] = code;
    }
}

void columnar_add_bad(struct columnar_builder *builder, const uint8_t *reason, const uint8_t *field,
                      int n)
{
    for (int i = 0; i < n; i++) {
        if (!reason[i])
            continue;
        if (builder->bad_count == builder->bad_capacity) {
            builder->bad_capacity = builder->bad_capacity ? builder->bad_capacity * 2 : 64;
            builder->bad =
                mem_grow(builder->bad, (size_t)builder->bad_capacity * sizeof *builder->bad);
        }
        builder->bad[builder->bad_count++] =
            (struct columnar_bad){builder->rows + i, reason[i], field[i]};
    }
    builder->rows += n;
}
