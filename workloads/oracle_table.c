/* workloads/oracle_table.c - the plan's look-up table, from JSON lines or CSV (by its suffix).
 *
 * A cell is a text: a string's, or a number as it stands. An event finds its row by the text of its
 * own value, so 7 and "7" meet, and 7 and 07 do not. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "workloads/oracle_parts.h"

static int bad_line(const char *path, int line, const char *what, struct err *err)
{
    return err_set(err, ERR_USAGE, "%s:%d: %s", path, line, what);
}

/* A cell: text, number or bool as text; null and nested ones are absent. */
static struct scalar read_cell(struct rulebook *book, const struct exact *exact, const json_t *node)
{
    struct bytes text = {NULL, 0};
    if (json_is_string(node))
        text = (struct bytes){json_string_value(node), json_string_length(node)};
    else if (json_is_integer(node))
        text = exact_number(exact, node);
    else if (json_is_boolean(node))
        text = bytes_of(json_is_true(node) ? "true" : "false");
    if (!text.ptr)
        return (struct scalar){0};
    return (struct scalar){.present = true, .text = arena_bytes(&book->arena, text)};
}

/* Put one row, a JSON object, into the table. Returns what is wrong with it, or NULL. */
static const char *add_row(struct rulebook *book, struct exact *row)
{
    if (!json_is_object(row->root))
        return "not a JSON object";
    const char *on = book->facts[book->on].name;
    struct scalar key = read_cell(book, row, json_object_get(row->root, on));
    if (!key.present)
        return "the cell to match is absent";
    bool fresh;
    struct scalar *cells = map_put(&book->table, key.text, &fresh);
    for (int i = book->scanned; i < book->count; i++)
        cells[i - book->scanned] =
            read_cell(book, row, json_object_get(row->root, book->facts[i].name));
    return fresh ? NULL : "this key has been there before";
}

/* The next cell of a CSV line into out; *at moves behind its comma. false: the line has ended. */
static bool csv_cell(const char **at, struct buf *out)
{
    buf_clear(out);
    buf_add_text(out, "");
    if (!*at)
        return false;
    const char *c = *at;
    bool quoted = *c == '"';
    for (c += quoted; *c && (quoted || *c != ','); c++) {
        if (quoted && c[0] == '"' && c[1] != '"')
            break;
        c += quoted && *c == '"';
        buf_add_char(out, *c);
    }
    c += quoted && *c == '"';
    *at = *c == ',' ? c + 1 : NULL;
    return true;
}

/* A CSV line as the JSON object that it means: numbers where a cell is one, empty cells absent. */
static void csv_object(const char *header, const char *line, struct buf *out)
{
    struct buf name = {0}, cell = {0};
    buf_clear(out);
    buf_add_char(out, '{');
    while (csv_cell(&header, &name) && csv_cell(&line, &cell)) {
        if (cell.len == 0)
            continue;
        if (out->len > 1)
            buf_add_char(out, ',');
        buf_add_json_string(out, buf_bytes(&name));
        buf_add_char(out, ':');
        if (number_valid(buf_bytes(&cell)))
            buf_add(out, cell.ptr, cell.len);
        else
            buf_add_json_string(out, buf_bytes(&cell));
    }
    buf_add_char(out, '}');
    buf_release(&name);
    buf_release(&cell);
}

static bool quote_is_open(struct bytes text)
{
    bool open = false;
    for (size_t i = 0; i < text.len; i++)
        open ^= text.ptr[i] == '"';
    return open;
}

/* The next line without its end; in CSV the next ones too, while a quote is open. false: no more.
 */
static bool next_line(FILE *file, bool csv, struct buf *out, int *number)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t got;
    buf_clear(out);
    while ((got = getline(&line, &size, file)) >= 0) {
        ++*number;
        buf_add(out, line, (size_t)got);
        if (!csv || !quote_is_open(buf_bytes(out)))
            break;
    }
    free(line);
    while (out->len && strchr("\r\n", out->ptr[out->len - 1]))
        out->ptr[--out->len] = 0;
    return got >= 0;
}

static int read_lines(struct rulebook *book, FILE *file, const char *path, struct err *err)
{
    size_t length = strlen(path);
    bool csv = length > 4 && strcmp(path + length - 4, ".csv") == 0;
    struct exact row = {0};
    struct buf line = {0}, header = {0}, object = {0};
    int number = 0, rc = 0;
    if (csv)
        next_line(file, csv, &header, &number);
    while (rc == 0 && next_line(file, csv, &line, &number)) {
        if (line.len == 0)
            continue;
        if (csv)
            csv_object(header.ptr, line.ptr, &object);
        const char *wrong =
            exact_parse(&row, buf_bytes(csv ? &object : &line)) ? add_row(book, &row) : "not JSON";
        if (wrong)
            rc = bad_line(path, number, wrong, err);
    }
    buf_release(&line);
    buf_release(&header);
    buf_release(&object);
    exact_release(&row);
    return rc;
}

int table_load(struct rulebook *book, const char *path, struct err *err)
{
    int taken_count = book->count - book->scanned;
    map_init(&book->table, (size_t)(taken_count ? taken_count : 1) * sizeof(struct scalar));
    FILE *file = fopen(path, "r");
    if (!file)
        return err_errno(err, ERR_USAGE, "oracle: look-up table %s", path);
    int rc = read_lines(book, file, path, err);
    fclose(file);
    return rc;
}

bool table_join(const struct rulebook *book, struct scalar *row)
{
    if (book->on < 0)
        return true;
    const struct scalar *cells = NULL, *on = &row[book->on];
    struct buf digits = {0};
    bool text = book->facts[book->on].kind == KIND_STRING;
    if (!text)
        scalar_json(&book->facts[book->on], on, &digits);
    if (on->present)
        cells = map_get(&book->table, text ? on->text : buf_bytes(&digits));
    buf_release(&digits);
    for (int i = book->scanned; i < book->count; i++)
        row[i] = cells ? cells[i - book->scanned] : (struct scalar){0};
    return cells || book->keep_missing;
}
