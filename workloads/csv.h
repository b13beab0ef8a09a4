/* workloads/csv.h - the rows of a CSV file, and a row as a JSON object.
 *
 * RFC 4180: cells in quotes may hold commas, line ends and doubled quotes; lines end in LF or CRLF;
 * the first row is the header. Empty lines are skipped. A row with more or fewer cells than the
 * header is ERR_USAGE, with file and line. Opaque; one thread. */
#ifndef LK_WORKLOADS_CSV_H
#define LK_WORKLOADS_CSV_H

#include "workloads/input.h"

struct csv;

/* input is taken: closed by csv_close, on failure too. */
int csv_open_take(struct input *input, struct csv **out, struct err *err);
void csv_close(struct csv *csv);
/* The next row: 1, 0 at the end, or a code. */
int csv_next(struct csv *csv, struct err *err);
/* Number of the column called name, or ERR_USAGE listing those that there are. */
int csv_column(const struct csv *csv, const char *name, struct err *err);
/* A cell of the row; borrowed until csv_next. */
struct bytes csv_cell(const struct csv *csv, int column);
/* Line, from 1, in which the row begins. */
int64_t csv_line(const struct csv *csv);
/* Append the row as one JSON object: header names; a number where a cell is a JSON number, else
 * text; an empty cell is absent. */
void csv_add_json(const struct csv *csv, struct buf *out);

#endif
