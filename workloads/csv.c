/* workloads/csv.c - see csv.h.
 *
 * A row is parsed out of the input's window from its first byte; where the window ends before the
 * row does, the window is filled and the row parsed again. */
#include "workloads/csv.h"

#include <ctype.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 4096 };
enum parsed { PARSED, NEED_MORE, BROKEN };

/* Cells one behind the other in text, without quotes. */
struct row {
    struct buf text;
    size_t *end; /* of cell i in text; COLUMNS_MAX of them */
    int count;
};

struct csv {
    struct input *input;
    struct row header, row;
    int64_t line;
};

static struct bytes cell_of(const struct row *row, int i)
{
    size_t begin = i > 0 ? row->end[i - 1] : 0;
    return (struct bytes){row->text.ptr + begin, row->end[i] - begin};
}

/* at: behind the opening quote; on PARSED behind the closing one. */
static enum parsed parse_quoted(struct row *row, struct bytes text, size_t *at)
{
    for (size_t i = *at;;) {
        const char *quote = i < text.len ? memchr(text.ptr + i, '"', text.len - i) : NULL;
        if (!quote)
            return NEED_MORE;
        size_t q = (size_t)(quote - text.ptr);
        bool doubled = q + 1 < text.len && text.ptr[q + 1] == '"';
        buf_add(&row->text, text.ptr + i, q - i + doubled);
        i = q + 1 + doubled;
        if (!doubled) {
            *at = i;
            return PARSED;
        }
    }
}

static bool ends_line(struct bytes text, size_t at)
{
    return text.ptr[at] == '\n' ||
           (text.ptr[at] == '\r' && (at + 1 == text.len || text.ptr[at + 1] == '\n'));
}

/* Put one cell into row; at ends on the comma or the line end behind it, or at the text's end. */
static enum parsed parse_cell(struct row *row, struct bytes text, size_t *at)
{
    size_t begin = *at, i = begin;
    if (i < text.len && text.ptr[i] == '"') {
        *at = i + 1;
        return parse_quoted(row, text, at);
    }
    while (i < text.len && text.ptr[i] != ',' && !ends_line(text, i))
        i++;
    buf_add(&row->text, text.ptr + begin, i - begin);
    *at = i;
    return PARSED;
}

/* Parse the row that text begins with; last: nothing comes behind text. *used: its bytes with the
 * line end; *wrong: what is broken. */
static enum parsed parse_row(struct row *row, struct bytes text, bool last, size_t *used,
                             const char **wrong)
{
    buf_clear(&row->text);
    row->count = 0;
    for (size_t at = 0;; at++) {
        if (row->count == COLUMNS_MAX) {
            *wrong = "the row has too many cells";
            return BROKEN;
        }
        enum parsed parsed = parse_cell(row, text, &at);
        if (parsed == NEED_MORE || (at + 1 >= text.len && !last)) {
            *wrong = "a quote is not closed";
            return last ? BROKEN : NEED_MORE;
        }
        row->end[row->count++] = row->text.len;
        if (at < text.len && text.ptr[at] == ',')
            continue;
        if (at < text.len && !ends_line(text, at)) {
            *wrong = "text follows a closing quote (a quote inside a cell is written twice)";
            return BROKEN;
        }
        size_t end = at < text.len ? at + 1 : at;
        *used = end < text.len && text.ptr[at] == '\r' ? end + 1 : end;
        return PARSED;
    }
}

static bool is_empty(const struct row *row)
{
    return row->count == 1 && row->text.len == 0;
}

/* Read the next row that is not empty: 1, 0 at the end, or a code. */
static int read_row(struct csv *csv, struct row *row, struct err *err)
{
    bool last = false;
    for (;;) {
        struct bytes window = input_window(csv->input);
        csv->line = input_line(csv->input);
        if (window.len == 0 && last)
            return 0;
        size_t used = 0;
        const char *wrong = "";
        enum parsed parsed =
            window.len == 0 ? NEED_MORE : parse_row(row, window, last, &used, &wrong);
        if (parsed == BROKEN)
            return err_set(err, ERR_USAGE, "%s:%lld: %s", input_path(csv->input),
                           (long long)csv->line, wrong);
        if (parsed == NEED_MORE) {
            int rc = input_fill(csv->input, err);
            if (rc < 0)
                return rc;
            last = rc == 0;
            continue;
        }
        input_take(csv->input, used);
        if (!is_empty(row))
            return 1;
    }
}

static int check_header(const struct csv *csv, struct err *err)
{
    for (int i = 0; i < csv->header.count; i++)
        for (int j = 0; j < i; j++)
            if (bytes_equal(cell_of(&csv->header, i), cell_of(&csv->header, j)))
                return err_set(err, ERR_USAGE, "%s:1: two columns are called \"%.*s\"; rename one",
                               input_path(csv->input), (int)cell_of(&csv->header, i).len,
                               cell_of(&csv->header, i).ptr);
    return 0;
}

int csv_open_take(struct input *input, struct csv **out, struct err *err)
{
    struct csv *csv = mem_zero(1, sizeof *csv);
    csv->input = input;
    csv->header.end = mem_zero(COLUMNS_MAX, sizeof *csv->header.end);
    csv->row.end = mem_zero(COLUMNS_MAX, sizeof *csv->row.end);
    int rc = read_row(csv, &csv->header, err);
    if (rc == 0)
        rc = err_set(err, ERR_USAGE, "%s is empty: no header", input_path(input));
    if (rc == 1)
        rc = check_header(csv, err);
    if (rc < 0)
        csv_close(csv);
    else
        *out = csv;
    return rc < 0 ? rc : 0;
}

void csv_close(struct csv *csv)
{
    if (!csv)
        return;
    input_close(csv->input);
    buf_release(&csv->header.text);
    buf_release(&csv->row.text);
    free(csv->header.end);
    free(csv->row.end);
    free(csv);
}

int csv_next(struct csv *csv, struct err *err)
{
    int rc = read_row(csv, &csv->row, err);
    if (rc == 1 && csv->row.count != csv->header.count)
        return err_set(err, ERR_USAGE, "%s:%lld: the row has %d cells, the header %d",
                       input_path(csv->input), (long long)csv->line, csv->row.count,
                       csv->header.count);
    return rc;
}

int csv_column(const struct csv *csv, const char *name, struct err *err)
{
    struct buf names = {0};
    for (int i = 0; i < csv->header.count; i++) {
        struct bytes cell = cell_of(&csv->header, i);
        if (bytes_equal(cell, bytes_of(name))) {
            buf_release(&names);
            return i;
        }
        buf_printf(&names, "%s%.*s", i ? ", " : "", (int)cell.len, cell.ptr);
    }
    int rc = err_set(err, ERR_USAGE, "%s has no column \"%s\"; it has: %.400s",
                     input_path(csv->input), name, names.ptr);
    buf_release(&names);
    return rc;
}

struct bytes csv_cell(const struct csv *csv, int column)
{
    return cell_of(&csv->row, column);
}

int64_t csv_line(const struct csv *csv)
{
    return csv->line;
}

static size_t digits(struct bytes text, size_t at)
{
    size_t begin = at;
    while (at < text.len && isdigit((unsigned char)text.ptr[at]))
        at++;
    return at - begin;
}

/* Is all of text a number as RFC 8259 writes them? */
static bool is_number(struct bytes text)
{
    size_t at = text.len > 0 && text.ptr[0] == '-';
    size_t whole = digits(text, at);
    if (whole == 0 || (whole > 1 && text.ptr[at] == '0'))
        return false;
    at += whole;
    if (at < text.len && text.ptr[at] == '.') {
        size_t fraction = digits(text, at + 1);
        if (fraction == 0)
            return false;
        at += 1 + fraction;
    }
    if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
        at++;
        at += at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-');
        size_t exponent = digits(text, at);
        if (exponent == 0)
            return false;
        at += exponent;
    }
    return at == text.len;
}

void csv_add_json(const struct csv *csv, struct buf *out)
{
    char separator = '{';
    for (int i = 0; i < csv->row.count; i++) {
        struct bytes cell = cell_of(&csv->row, i);
        if (cell.len == 0)
            continue;
        buf_add_char(out, separator);
        separator = ',';
        buf_add_json_string(out, cell_of(&csv->header, i));
        buf_add_char(out, ':');
        if (is_number(cell))
            buf_add(out, cell.ptr, cell.len);
        else
            buf_add_json_string(out, cell);
    }
    buf_add_text(out, separator == '{' ? "{}" : "}");
}
