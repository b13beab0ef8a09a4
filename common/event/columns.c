/* common/event/columns.c - the memory of a column batch, and bad rows in words. */
#include "common/event/columns.h"

#include <stdlib.h>

#include "common/base/err.h"

static size_t cell_bytes(enum field_type type)
{
    return type == FIELD_STRING ? sizeof(struct bytes) : sizeof(int64_t);
}

struct columns *columns_new(const struct schema *schema)
{
    struct columns *columns = mem_zero(1, sizeof *columns);
    columns->count = schema->count;
    columns->column = mem_zero((unsigned long)schema->count + 1, sizeof *columns->column);
    for (int i = 0; i < schema->count; i++) {
        struct column *column = &columns->column[i];
        column->type = schema->fields[i].type;
        column->i64 = mem_zero(COLUMNS_ROWS_MAX, cell_bytes(column->type));
        column->present = mem_zero(COLUMNS_ROWS_MAX, 1);
    }
    columns->bad = mem_zero(COLUMNS_ROWS_MAX, 1);
    columns->bad_field = mem_zero(COLUMNS_ROWS_MAX, 1);
    return columns;
}

void columns_clear(struct columns *columns)
{
    columns->rows = 0;
    arena_reset(&columns->text);
}

void columns_free(struct columns *columns)
{
    if (!columns)
        return;
    for (int i = 0; i < columns->count; i++) {
        free(columns->column[i].i64);
        free(columns->column[i].present);
    }
    free(columns->column);
    free(columns->bad);
    free(columns->bad_field);
    arena_release(&columns->text);
    free(columns);
}

void bad_describe(enum bad_reason reason, const struct schema *schema, int field, struct buf *out)
{
    static const struct {
        const char *text;
        bool names_field;
    } WORDS[BAD_REASONS] = {
        [BAD_NOT] = {"a good event", false},
        [BAD_JSON] = {"not valid JSON", false},
        [BAD_NOT_OBJECT] = {"JSON, but not an object", false},
        [BAD_MISSING] = {"missing field", true},
        [BAD_TYPE] = {"wrong type or range in field", true},
        [BAD_TIME] = {"cannot read the event time in field", true},
        [BAD_AHEAD] = {"event time too far ahead of log time", false},
    };
    buf_add_text(out, WORDS[reason].text);
    if (WORDS[reason].names_field && schema && field >= 0 && field < schema->count)
        buf_printf(out, " \"%s\"", schema->fields[field].name);
}
