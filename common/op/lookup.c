/* common/op/lookup.c - the table file, read once into a map from key text to a row of texts.
 *
 * A file is a list of records, a record gives the wanted columns (the key's, then plan->take) as
 * text: numbers stay the text that they are in the file. JSON lines are read with the event
 * scanner, so a table's line and an event's mean the same; CSV by RFC 4180 (quotes, doubled quotes,
 * line ends inside quotes), names in the first record, an empty cell is absent. */
#include "common/op/lookup.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/map.h"
#include "common/event/scan.h"

enum { WANTED_MAX = 1 + PLAN_TAKE_MAX, CSV_COLUMNS_MAX = 256 };

struct lookup {
    const struct plan *plan;
    struct map rows;    /* key text -> struct bytes[takes]; ptr NULL: absent */
    struct arena texts; /* the file, and what had to be unescaped */
};

/* A file while it is read. */
struct source {
    struct lookup *lookup;
    const char *path;
    const char *at, *end;
    int line;
    int wanted;
    const char *name[WANTED_MAX]; /* wanted columns; 0 is the key's */
    struct err *err;
};

static int mistake(const struct source *source, const char *what, const char *name)
{
    return err_set(source->err, ERR_USAGE, "%s:%d: %s%s%s%s; correct the look-up table",
                   source->path, source->line, what, name ? " \"" : "", name ? name : "",
                   name ? "\"" : "");
}

static int add_row(struct source *source, const struct bytes *values)
{
    if (!values[0].ptr)
        return mistake(source, "the row has no key, column", source->name[0]);
    bool fresh;
    struct bytes *row = map_put(&source->lookup->rows, values[0], &fresh);
    if (!fresh)
        return mistake(source, "a key stands in the table twice, column", source->name[0]);
    memcpy(row, values + 1, (size_t)(source->wanted - 1) * sizeof *row);
    return 0;
}

/* The text of a JSON value: ptr NULL for null. */
static int json_text(struct source *source, const struct raw_value *raw, const char *name,
                     struct bytes *out)
{
    struct buf text = {0};
    *out = raw->text;
    switch (raw->kind) {
    case RAW_ABSENT:
        return mistake(source, "the row lacks the column", name);
    case RAW_NULL:
        *out = (struct bytes){NULL, 0};
        return 0;
    case RAW_OBJECT:
    case RAW_ARRAY:
        return mistake(source, "expected text or a number, found an object or a list in", name);
    case RAW_STRING:
        if (!raw->escaped)
            return 0;
        raw_unescape(*raw, &text);
        *out = arena_bytes(&source->lookup->texts, buf_bytes(&text));
        buf_release(&text);
        return 0;
    default:
        return 0;
    }
}

static bool blank(struct bytes line)
{
    for (size_t i = 0; i < line.len; i++)
        if (!strchr(" \t\r", line.ptr[i]))
            return false;
    return true;
}

static int json_line(struct source *source, struct scanner *scanner, struct bytes line)
{
    struct raw_value raw[WANTED_MAX] = {{0}};
    struct bytes values[WANTED_MAX] = {{0}};
    if (scanner_raw(scanner, line, raw, NULL) != BAD_NOT)
        return mistake(source, "not a JSON object on one line", NULL);
    for (int i = 0; i < source->wanted; i++) {
        int rc = json_text(source, &raw[i], source->name[i], &values[i]);
        if (rc < 0)
            return rc;
    }
    return add_row(source, values);
}

static int read_json(struct source *source)
{
    struct field fields[WANTED_MAX] = {0};
    for (int i = 0; i < source->wanted; i++) {
        fields[i] = (struct field){.name = source->name[i], .type = FIELD_STRING, .paths = 1};
        fields[i].path[0] = (struct field_path){{bytes_of(source->name[i])}, 1};
    }
    struct schema schema = {fields, source->wanted, source->wanted};
    struct scanner *scanner = scanner_new(&schema, SCAN_BEST);
    int rc = 0;
    for (; rc == 0 && source->at < source->end; source->line++) {
        const char *stop = memchr(source->at, '\n', (size_t)(source->end - source->at));
        if (!stop)
            stop = source->end;
        struct bytes line = {source->at, (size_t)(stop - source->at)};
        if (!blank(line))
            rc = json_line(source, scanner, line);
        source->at = stop < source->end ? stop + 1 : stop;
    }
    scanner_free(scanner);
    return rc;
}

/* A quoted cell, unquoted into the arena; false without its closing quote. */
static bool csv_quoted(struct source *source, struct bytes *out)
{
    const char *begin = source->at + 1, *stop = begin;
    while (stop < source->end && (*stop != '"' || (stop + 1 < source->end && stop[1] == '"'))) {
        source->line += *stop == '\n';
        stop += *stop == '"' ? 2 : 1;
    }
    if (stop >= source->end)
        return false;
    char *text = arena_alloc(&source->lookup->texts, (size_t)(stop - begin) + 1);
    size_t length = 0;
    for (const char *at = begin; at < stop; at += *at == '"' ? 2 : 1)
        text[length++] = *at;
    *out = (struct bytes){text, length};
    source->at = stop + 1;
    return true;
}

/* The cell of a quoted text; a mistake is reported at the line where it begins. */
static int csv_quoted_cell(struct source *source, struct bytes *out)
{
    int line = source->line;
    bool closed = csv_quoted(source, out);
    if (closed && (source->at == source->end || strchr(",\r\n", *source->at)))
        return 0;
    source->line = line;
    return mistake(source, closed ? "text behind a closing quote" : "a quote is not closed", NULL);
}

static int csv_cell(struct source *source, struct bytes *out)
{
    if (source->at < source->end && *source->at == '"')
        return csv_quoted_cell(source, out);
    const char *begin = source->at;
    while (source->at < source->end && *source->at != ',' && *source->at != '\n')
        source->at++;
    size_t length = (size_t)(source->at - begin);
    if (length && begin[length - 1] == '\r' && (source->at == source->end || *source->at == '\n'))
        length--;
    *out = (struct bytes){begin, length};
    return 0;
}

/* The next record's cells; returns how many, 0 at the end. line is still the record's afterwards:
 * *behind is what it becomes. */
static int csv_record(struct source *source, struct bytes *cells, int *behind)
{
    int first = source->line, count = 0;
    if (source->at >= source->end)
        return 0;
    for (;;) {
        if (count == CSV_COLUMNS_MAX)
            return mistake(source, "too many columns", NULL);
        int rc = csv_cell(source, &cells[count++]);
        if (rc < 0)
            return rc;
        if (source->at >= source->end || *source->at != ',')
            break;
        source->at++;
    }
    source->at += source->at < source->end && *source->at == '\r';
    source->at += source->at < source->end && *source->at == '\n';
    *behind = source->line + 1;
    source->line = first;
    return count;
}

static int csv_header(struct source *source, int column[WANTED_MAX], int *behind)
{
    struct bytes cells[CSV_COLUMNS_MAX];
    int count = csv_record(source, cells, behind);
    if (count < 0)
        return count;
    for (int w = 0; w < source->wanted; w++) {
        column[w] = -1;
        for (int c = 0; c < count && column[w] < 0; c++)
            if (bytes_equal(cells[c], bytes_of(source->name[w])))
                column[w] = c;
        if (column[w] < 0)
            return mistake(source, "the header lacks the column", source->name[w]);
    }
    return count;
}

static int read_csv(struct source *source)
{
    struct bytes cells[CSV_COLUMNS_MAX] = {{0}}, values[WANTED_MAX] = {{0}};
    int column[WANTED_MAX] = {0}, behind = 1, count;
    int columns = csv_header(source, column, &behind);
    if (columns < 0)
        return columns;
    for (source->line = behind; (count = csv_record(source, cells, &behind)) > 0;
         source->line = behind) {
        if (count == 1 && cells[0].len == 0)
            continue; /* a blank line */
        if (count != columns)
            return mistake(source, "the row has not as many cells as the header", NULL);
        for (int w = 0; w < source->wanted; w++) {
            values[w] = cells[column[w]];
            if (values[w].len == 0)
                values[w].ptr = NULL;
        }
        int rc = add_row(source, values);
        if (rc < 0)
            return rc;
    }
    return count;
}

/* All of a file into the arena. */
static int read_file(const char *path, struct arena *arena, struct bytes *out, struct err *err)
{
    FILE *file = fopen(path, "rb");
    struct buf text = {0};
    if (!file)
        return err_errno(err, ERR_USAGE, "cannot open %s, the look-up table that the plan names",
                         path);
    for (size_t got = 1; got > 0; text.len += got) {
        buf_reserve(&text, 1 << 16);
        got = fread(text.ptr + text.len, 1, 1 << 16, file);
    }
    int rc = ferror(file) ? err_errno(err, ERR_USAGE, "cannot read the look-up table %s", path) : 0;
    fclose(file);
    *out = arena_bytes(arena, buf_bytes(&text));
    buf_release(&text);
    return rc;
}

static bool has_suffix(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

int lookup_open(const struct plan *plan, struct lookup **out, struct err *err)
{
    struct lookup *lookup = mem_zero(1, sizeof *lookup);
    lookup->plan = plan;
    map_init(&lookup->rows, (size_t)plan->takes * sizeof(struct bytes));
    struct source source = {.lookup = lookup, .path = plan->table, .line = 1, .err = err};
    source.name[source.wanted++] = plan->schema.fields[plan->lookup_on].name;
    for (int i = 0; i < plan->takes; i++)
        source.name[source.wanted++] = plan->take[i];
    struct bytes text = {NULL, 0};
    int rc = read_file(plan->table, &lookup->texts, &text, err);
    if (rc == 0) {
        source.at = text.ptr;
        source.end = text.ptr + text.len;
        rc = has_suffix(plan->table, ".csv") ? read_csv(&source) : read_json(&source);
    }
    if (rc < 0) {
        lookup_close(lookup);
        return rc;
    }
    *out = lookup;
    return 0;
}

int lookup_check(const struct plan *plan, struct err *err)
{
    struct lookup *lookup = NULL;
    int rc = plan->table ? lookup_open(plan, &lookup, err) : 0;
    lookup_close(lookup);
    return rc == 0 && plan->speed ? lookup_check(plan->speed, err) : rc;
}

void lookup_close(struct lookup *lookup)
{
    if (!lookup)
        return;
    map_release(&lookup->rows);
    arena_release(&lookup->texts);
    free(lookup);
}

/* The text by which an event's value, a string or an int, is looked up; an int's is made in
 * scratch. */
static struct bytes key_text(const struct column *column, int row, struct buf *scratch)
{
    if (column->type == FIELD_STRING)
        return column->str[row];
    buf_clear(scratch);
    buf_add_int64(scratch, column->i64[row]);
    return buf_bytes(scratch);
}

static void fill_row(const struct plan *plan, struct columns *columns, int row,
                     const struct bytes *values)
{
    struct column *column = &columns->column[plan->schema.scanned];
    for (int i = 0; i < plan->takes; i++, column++) {
        column->present[row] = values && values[i].ptr;
        if (column->present[row])
            column->str[row] = values[i];
    }
}

int lookup_select(const struct lookup *lookup, struct columns *columns, uint16_t *sel, int n)
{
    const struct plan *plan = lookup->plan;
    const struct column *on = &columns->column[plan->lookup_on];
    struct buf scratch = {0};
    int kept = 0;
    for (int i = 0; i < n; i++) {
        int row = sel[i];
        const struct bytes *found = NULL;
        if (on->present[row])
            found = map_get(&lookup->rows, key_text(on, row, &scratch));
        fill_row(plan, columns, row, found);
        sel[kept] = (uint16_t)row;
        kept += found || plan->lookup_keep;
    }
    buf_release(&scratch);
    return kept;
}
