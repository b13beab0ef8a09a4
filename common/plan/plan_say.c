/* common/plan/plan_say.c - turns the pieces of a plan into words, and words into wrapped lines. */
#include "common/plan/plan_say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS = 92, INDENT = 2, LABEL = 14, LIST_SHOWN = 6 };

void say_section(struct buf *out, const char *title)
{
    buf_printf(out, "\n%s\n", title);
}

/* How many bytes of text fit into room columns, cut at a space where there is one. */
static size_t line_bytes(const char *text, size_t room)
{
    size_t bytes = 0, columns = 0, space = 0;
    for (; text[bytes] && columns <= room; bytes++) {
        columns += ((unsigned char)text[bytes] & 0xc0) != 0x80;
        if (text[bytes] == ' ')
            space = bytes;
    }
    if (!text[bytes] && columns <= room)
        return bytes;
    return space ? space : strcspn(text, " ");
}

static void add_wrapped(struct buf *out, const char *label, const char *text)
{
    int width = LABEL;
    if ((int)strlen(label) >= width) { /* a long name: its text begins on the next line */
        buf_printf(out, "%*s%s\n", INDENT, "", label);
        label = "";
    }
    while (*text) {
        size_t bytes = line_bytes(text, (size_t)(COLUMNS - INDENT - width));
        buf_printf(out, "%*s%-*s%.*s\n", INDENT, "", width, label, (int)bytes, text);
        label = "";
        text += bytes;
        text += strspn(text, " ");
    }
}

void say(struct buf *out, const char *label, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length >= 0)
        add_wrapped(out, label, text);
    free(text);
}

void say_duration(int64_t ms, struct buf *out)
{
    if (ms == PLAN_UNLIMITED)
        buf_add_text(out, "for ever");
    else
        buf_add_duration(out, ms);
}

/* ---- fields ---- */

static void say_literal(const struct field *field, const struct literal *literal, struct buf *out)
{
    if (field->type == FIELD_STRING)
        buf_add_json_string(out, literal->str);
    else if (field->type == FIELD_DOUBLE)
        buf_add_double(out, literal->f64);
    else if (field->type == FIELD_DECIMAL)
        buf_add_decimal(out, literal->i64, field->scale);
    else if (field->type == FIELD_BOOL)
        buf_add_text(out, literal->i64 ? "true" : "false");
    else
        buf_add_int64(out, literal->i64);
}

static void say_type(const struct field *field, struct buf *out)
{
    if (field->type == FIELD_DECIMAL)
        buf_printf(out, "decimal with %d digit%s after the point", field->scale,
                   field->scale == 1 ? "" : "s");
    else
        buf_add_text(out, field_type_name(field->type));
}

static void say_aliases(const struct field *field, struct buf *out)
{
    for (int i = 1; i < field->paths; i++) {
        buf_add_text(out, i == 1 ? "; also read from " : ", ");
        for (int j = 0; j < field->path[i].depth; j++)
            buf_printf(out, "%s%.*s", j ? "." : "", (int)field->path[i].part[j].len,
                       field->path[i].part[j].ptr);
    }
}

void say_field_type(const struct field *field, struct buf *out)
{
    struct literal fallback = {field->default_int, field->default_double, field->default_string};
    say_type(field, out);
    if (field->has_default) {
        buf_add_text(out, ", ");
        say_literal(field, &fallback, out);
        buf_add_text(out, " where absent");
    } else {
        buf_add_text(out, field->optional ? ", may be absent" : ", required");
    }
    say_aliases(field, out);
}

/* ---- conditions ---- */

static void say_list(const struct field *field, const struct where *where, struct buf *out)
{
    int shown = where->literals <= LIST_SHOWN + 1 ? where->literals : LIST_SHOWN;
    for (int i = 0; i < shown; i++) {
        buf_add_text(out, i ? ", " : "(");
        say_literal(field, &where->literal[i], out);
    }
    if (shown < where->literals)
        buf_printf(out, " and %d more", where->literals - shown);
    buf_add_char(out, ')');
}

static void say_comparison(const struct plan *plan, const struct where *where, struct buf *out)
{
    static const char *const WORDS[] = {
        [OP_EQ] = "=",     [OP_NE] = "!=", [OP_LT] = "<",  [OP_LE] = "<=",
        [OP_GT] = ">",     [OP_GE] = ">=", [OP_IN] = "in", [OP_PREFIX] = "begins with",
        [OP_EXISTS] = "is"};
    const struct field *field = &plan->schema.fields[where->field];
    buf_printf(out, "%s %s ", field->name, WORDS[where->op]);
    if (where->op == OP_EXISTS)
        buf_add_text(out, where->literal->i64 ? "there" : "absent");
    else if (where->op == OP_IN)
        say_list(field, where, out);
    else if (where->other_field >= 0)
        buf_add_text(out, plan->schema.fields[where->other_field].name);
    else
        say_literal(field, where->literal, out);
}

static void say_joined(const struct plan *plan, const struct where *where, struct buf *out)
{
    for (int i = 0; i < where->children; i++) {
        const struct where *child = &where->child[i];
        bool nested = child->kind == WHERE_AND || child->kind == WHERE_OR;
        bool braces = nested && where->children > 1;
        buf_add_text(out, i == 0 ? "" : where->kind == WHERE_AND ? " and " : " or ");
        buf_add_text(out, braces ? "(" : "");
        say_where(plan, child, out);
        buf_add_text(out, braces ? ")" : "");
    }
}

void say_where(const struct plan *plan, const struct where *where, struct buf *out)
{
    if (where->kind == WHERE_COMPARE) {
        say_comparison(plan, where, out);
    } else if (where->kind == WHERE_NOT) {
        buf_add_text(out, "not (");
        say_where(plan, where->child, out);
        buf_add_char(out, ')');
    } else {
        say_joined(plan, where, out);
    }
}
