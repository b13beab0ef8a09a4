/* cmd/query.c - lk query: the finished values of a view, as a table, JSON lines or CSV.
 *
 * A row's key and values are canonical JSON; they are cut into their pieces without reading the
 * numbers, so what is printed is what the view holds, digit for digit. */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/view_args.h"

enum { COLUMNS_MAX = PLAN_KEYS_MAX + PLAN_VALUES_MAX + 2 };

/* ---- pieces ---- */

/* The next piece of comma-separated JSON scalars; false at the end. */
static bool next_piece(struct bytes *rest, struct bytes *piece)
{
    size_t end = 0;
    bool inside = false;
    for (; end < rest->len && (inside || rest->ptr[end] != ','); end++) {
        if (inside && rest->ptr[end] == '\\')
            end++;
        else if (rest->ptr[end] == '"')
            inside = !inside;
    }
    if (rest->len == 0)
        return false;
    *piece = (struct bytes){rest->ptr, end};
    size_t used = end < rest->len ? end + 1 : end;
    *rest = (struct bytes){rest->ptr + used, rest->len - used};
    return true;
}

/* What stands behind the name of a "name":value piece. Names hold no colon outside their quotes. */
static struct bytes behind_name(struct bytes piece)
{
    const char *colon = memrchr(piece.ptr, ':', piece.len);
    size_t used = colon ? (size_t)(colon + 1 - piece.ptr) : 0;
    return (struct bytes){piece.ptr + used, piece.len - used};
}

/* A JSON scalar as a person reads it: a string without quotes and escapes, null as nothing. */
static void add_plain(struct buf *out, struct bytes piece)
{
    if (bytes_equal(piece, bytes_of("null")))
        return;
    json_t *text = piece.len && piece.ptr[0] == '"'
                       ? json_loadb(piece.ptr, piece.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)
                       : NULL;
    if (text)
        buf_add(out, json_string_value(text), json_string_length(text));
    else
        buf_add(out, piece.ptr, piece.len);
    json_decref(text);
}

/* ---- rows of text cells ---- */

struct grid {
    struct arena arena;
    int columns;
    bool number[COLUMNS_MAX]; /* to be aligned right */
    struct bytes *cells;      /* columns a row; the first row is the header */
    size_t rows, capacity;
};

static void grid_add(struct grid *grid, int column, struct buf *text)
{
    if (column == 0) {
        if (grid->rows == grid->capacity) {
            grid->capacity = grid->capacity ? grid->capacity * 2 : 64;
            grid->cells =
                mem_grow(grid->cells, grid->capacity * (size_t)grid->columns * sizeof *grid->cells);
        }
        grid->rows++;
    }
    grid->cells[(grid->rows - 1) * (size_t)grid->columns + (size_t)column] =
        arena_bytes(&grid->arena, buf_bytes(text));
    buf_clear(text);
    buf_add_text(text, "");
}

static void grid_header(struct grid *grid, const struct plan *plan, struct buf *text)
{
    int column = 0;
    grid->columns = 2 + plan->keys + plan->value_count;
    buf_add_text(text, "window");
    grid->number[column] = true;
    grid_add(grid, column++, text);
    buf_add_text(text, "starts");
    grid_add(grid, column++, text);
    for (int i = 0; i < plan->keys; i++) {
        buf_add_text(text, plan->schema.fields[plan->key[i]].name);
        grid_add(grid, column++, text);
    }
    for (int i = 0; i < plan->value_count; i++) {
        buf_add_text(text, plan->values[i].name);
        grid->number[column] = true;
        grid_add(grid, column++, text);
    }
}

static void grid_row(struct grid *grid, const struct plan *plan, const struct answer_row *row,
                     struct buf *text)
{
    int column = 0;
    struct bytes piece, key = {row->key.ptr + 1, row->key.len - 2}, values = row->values;
    buf_add_int64(text, row->window_ms);
    grid_add(grid, column++, text);
    buf_add_utc(text, plan->window == WINDOW_NONE ? INT64_MIN : row->window_ms);
    grid_add(grid, column++, text);
    while (column < 2 + plan->keys && next_piece(&key, &piece)) {
        add_plain(text, piece);
        grid_add(grid, column++, text);
    }
    while (column < grid->columns && next_piece(&values, &piece)) {
        add_plain(text, behind_name(piece));
        grid_add(grid, column++, text);
    }
}

static void grid_release(struct grid *grid)
{
    arena_release(&grid->arena);
    free(grid->cells);
}

/* Columns as a terminal shows them: bytes that begin a UTF-8 character. */
static size_t shown_width(struct bytes cell)
{
    size_t width = 0;
    for (size_t i = 0; i < cell.len; i++)
        width += ((unsigned char)cell.ptr[i] & 0xc0) != 0x80;
    return width;
}

static void print_table(const struct grid *grid)
{
    size_t width[COLUMNS_MAX] = {0};
    for (size_t i = 0; i < grid->rows * (size_t)grid->columns; i++) {
        size_t wide = shown_width(grid->cells[i]), column = i % (size_t)grid->columns;
        width[column] = wide > width[column] ? wide : width[column];
    }
    for (size_t i = 0; i < grid->rows * (size_t)grid->columns; i++) {
        struct bytes cell = grid->cells[i];
        size_t column = i % (size_t)grid->columns;
        bool last = column + 1 == (size_t)grid->columns;
        int pad = (int)(width[column] - shown_width(cell));
        printf("%*s%.*s%*s%s", grid->number[column] ? pad : 0, "", (int)cell.len, cell.ptr,
               grid->number[column] || last ? 0 : pad, "", last ? "\n" : "  ");
    }
}

static void print_csv(const struct grid *grid)
{
    for (size_t i = 0; i < grid->rows * (size_t)grid->columns; i++) {
        struct bytes cell = grid->cells[i];
        bool quote = false;
        for (size_t k = 0; k < cell.len; k++)
            quote = quote || strchr("\",\r\n", cell.ptr[k]);
        if (quote)
            putchar('"');
        for (size_t k = 0; k < cell.len; k++) {
            if (cell.ptr[k] == '"')
                putchar('"');
            putchar(cell.ptr[k]);
        }
        if (quote)
            putchar('"');
        putchar((i + 1) % (size_t)grid->columns ? ',' : '\n');
    }
}

static void print_json(const struct answer *answer)
{
    struct buf text = {0};
    for (size_t i = 0; i < answer->count; i++) {
        buf_clear(&text);
        answer_row_json(&answer->rows[i], &text);
        puts(text.ptr);
    }
    buf_release(&text);
}

static void print_answer(const struct plan *plan, const struct answer *answer, const char *format)
{
    struct grid grid = {0};
    struct buf text = {0};
    if (strcmp(format, "json") == 0) {
        print_json(answer);
        return;
    }
    grid_header(&grid, plan, &text);
    for (size_t i = 0; i < answer->count; i++)
        grid_row(&grid, plan, &answer->rows[i], &text);
    if (strcmp(format, "csv") == 0)
        print_csv(&grid);
    else
        print_table(&grid);
    grid_release(&grid);
    buf_release(&text);
}

/* ---- the question ---- */

/* JSON without the spaces between its tokens. */
static void add_compact(struct buf *out, const char *json)
{
    bool inside = false;
    for (; *json; json++) {
        if (!inside && isspace((unsigned char)*json))
            continue;
        buf_add_char(out, *json);
        if (inside && *json == '\\')
            buf_add_char(out, *++json);
        else if (*json == '"')
            inside = !inside;
    }
}

/* --key ORD for a plan with one key, or --key '["ORD", 7]': the canonical array. */
static int read_key(const struct plan *plan, const char *text, struct buf *out, struct err *err)
{
    if (*text != '[') {
        const struct field *field = plan->keys == 1 ? &plan->schema.fields[plan->key[0]] : NULL;
        buf_add_char(out, '[');
        if (field && field->type == FIELD_STRING)
            buf_add_json_string(out, bytes_of(text));
        else
            buf_add_text(out, text);
        buf_add_char(out, ']');
    } else {
        add_compact(out, text);
    }
    json_t *key = json_loads(out->ptr, JSON_ALLOW_NUL, NULL);
    size_t count = json_array_size(key);
    bool good = json_is_array(key) && count == (size_t)plan->keys;
    json_decref(key);
    return good ? 0
                : err_set(err, ERR_USAGE,
                          "--key: found %s, expected %s%d value%s as a JSON array, such as "
                          "--key '[\"ORD\"]'",
                          text, plan->keys == 1 ? "the key, or " : "", plan->keys,
                          plan->keys == 1 ? "" : "s");
}

/* A window that the plan does not have would be an empty answer, which says something else. */
static int check_window(const struct plan *plan, int64_t window_ms, struct err *err)
{
    int64_t step_ms = plan->window == WINDOW_HOPPING ? plan->hop_ms : plan->size_ms;
    int64_t over = step_ms ? window_ms % step_ms : window_ms;
    if (over == 0)
        return 0;
    if (!step_ms)
        return err_set(err, ERR_USAGE, "--window: view %s has one window for all time, 0",
                       plan->view);
    return err_set(err, ERR_USAGE,
                   "--window: windows of view %s start every %lld ms, such as at %lld, not at %lld",
                   plan->view, (long long)step_ms,
                   (long long)(window_ms - over - (over < 0 ? step_ms : 0)), (long long)window_ms);
}

/* A version answers by the plan that it was made by, whichever is given. */
static void tell_plan(const struct view_args *args)
{
    const struct registry_version *its = registry_find(&args->registry, args->plan->hash);
    if (strcmp(args->version->hash, args->plan->hash) == 0)
        return;
    fputs("made by another plan than the one given", stderr);
    if (its)
        fprintf(stderr, ", which version %d was made by: --version %d", its->number, its->number);
    fputc('\n', stderr);
}

static void tell(const struct view_args *args, const struct answer *answer, bool one_key)
{
    fprintf(stderr, "%zu row%s of view %s, %s version %d, %s at positions", answer->count,
            answer->count == 1 ? "" : "s", args->plan->view, arch_name(args->arch), answer->version,
            answer->exact ? "exactly" : "at least");
    for (int p = 0; p < answer->partitions; p++)
        if (answer->parts[p].read)
            fprintf(stderr, " %d:%lld", p, (long long)answer->parts[p].next);
    if (args->arch == ARCH_LAMBDA)
        fprintf(stderr, "; speed layer %s", args->speed_layer.ptr);
    fputc('\n', stderr);
    const struct registry *registry = &args->registry;
    tell_plan(args);
    if (registry->canary && answer->version == registry->live)
        fprintf(stderr, "version %d answers for %d %% of the keys: %s\n", registry->canary,
                registry->share, one_key ? "not for this one" : "ask with --key");
}

int cmd_query(const struct settings *settings, struct err *err)
{
    struct view_args args;
    struct answer answer = {0};
    struct buf key = {0};
    int rc = view_args_open(&args, settings, false, err);
    struct view_query query = {.has_window = settings_has(settings, "window")};
    if (rc == 0 && settings_has(settings, "key")) {
        rc = read_key(args.stored, settings_text(settings, "key"), &key, err);
        query.key = key.ptr;
    }
    if (rc == 0 && query.has_window) {
        query.window_ms = settings_int(settings, "window");
        rc = check_window(args.stored, query.window_ms, err);
    }
    if (rc == 0) {
        query.version = (int)settings_int(settings, "version");
        rc = view_read(args.kv, args.plan->view, args.arch, &query, &answer, err);
    }
    if (rc == 0 && answer.version != args.version->number) /* a canary, or a flip just now */
        rc = view_args_choose(&args, answer.version, err);
    if (rc == 0) {
        const char *format = settings_text(settings, "format");
        print_answer(args.stored, &answer, settings_bool(settings, "json") ? "json" : format);
        tell(&args, &answer, query.key != NULL);
    }
    answer_release(&answer);
    buf_release(&key);
    view_args_close(&args);
    return rc;
}
