/* cmd/scan.c - lk scan FIELD... [FILE]: JSON lines in, of each the wanted fields as one JSON array.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd/cmd.h"
#include "common/base/stop.h"
#include "common/event/scan.h"

/* One run over a file: what it reads, and what it counts. */
struct lines {
    FILE *in;
    const char *name;
    long long read, bad;
};

static bool is_file(const char *word)
{
    struct stat status;
    return stat(word, &status) == 0 && !S_ISDIR(status.st_mode);
}

/* A word at the end that can only be meant as a file: as a field it would find nothing, in silence. */
static bool looks_like_file(const char *word)
{
    size_t len = strlen(word), tail = strlen(".jsonl");
    return strchr(word, '/') || (len > tail && strcmp(word + len - tail, ".jsonl") == 0);
}

static int schema_of_words(const char *const *words, int count, struct field *fields,
                           struct schema *schema, struct err *err)
{
    if (count == 0 || count > SCHEMA_FIELDS_MAX)
        return err_set(err, ERR_USAGE,
                       "scan wants 1 to %d fields; try: lk scan ad_id event.time FILE",
                       SCHEMA_FIELDS_MAX);
    for (int i = 0; i < count; i++) {
        fields[i] =
            (struct field){.name = words[i], .type = FIELD_STRING, .paths = 1, .optional = true};
        if (!field_path_parse(words[i], &fields[i].path[0]))
            return err_set(err, ERR_USAGE,
                           "\"%s\" is no field: want up to %d names with dots between", words[i],
                           FIELD_PATH_MAX);
    }
    *schema = (struct schema){fields, count, count};
    return 0;
}

static void add_value(struct raw_value value, struct buf *scratch, struct buf *out)
{
    if (value.kind == RAW_ABSENT || value.kind == RAW_NULL) {
        buf_add_text(out, "null");
    } else if (value.kind == RAW_STRING) {
        buf_clear(scratch);
        raw_unescape(value, scratch);
        buf_add_json_string(out, buf_bytes(scratch));
    } else {
        buf_add(out, value.text.ptr, value.text.len);
    }
}

static void print_values(const struct raw_value *values, int count)
{
    struct buf scratch = {0}, out = {0};
    for (int i = 0; i < count; i++) {
        buf_add_char(&out, i == 0 ? '[' : ',');
        add_value(values[i], &scratch, &out);
    }
    buf_add_text(&out, "]\n");
    fwrite(out.ptr, 1, out.len, stdout);
    buf_release(&scratch);
    buf_release(&out);
}

static void print_bad(enum bad_reason reason, size_t at, long long line)
{
    struct buf words = {0};
    bad_describe(reason, NULL, 0, &words);
    if (reason == BAD_JSON)
        buf_printf(&words, " at byte %zu", at + 1);
    fprintf(stderr, "line %lld: %s\n", line, words.ptr);
    buf_release(&words);
}

static int scan_lines(struct lines *lines, const struct schema *schema, struct err *err)
{
    struct scanner *scanner = scanner_new(schema, SCAN_BEST);
    struct raw_value values[SCHEMA_FIELDS_MAX] = {0};
    char *line = NULL;
    size_t room = 0, at;
    ssize_t len;
    while (!stop_asked() && (len = getline(&line, &room, lines->in)) >= 0) {
        struct bytes text = {line, (size_t)len - (line[len - 1] == '\n')};
        enum bad_reason reason = scanner_raw(scanner, text, values, &at);
        lines->read++;
        if (reason == BAD_NOT) {
            print_values(values, schema->scanned);
            continue;
        }
        lines->bad++;
        print_bad(reason, at, lines->read);
    }
    free(line);
    scanner_free(scanner);
    if (ferror(lines->in) && !stop_asked())
        return err_errno(err, ERR_ENV, "cannot read %s", lines->name);
    if (fflush(stdout) != 0)
        return err_errno(err, ERR_ENV, "cannot write to standard output");
    return stop_asked() ? err_set(err, ERR_INTERRUPTED, "interrupted") : 0;
}

int cmd_scan(const struct settings *settings, struct err *err)
{
    const char *const *words;
    int count = settings_words(settings, &words);
    bool file = count > 0 && is_file(words[count - 1]);
    if (count > 1 && !file && looks_like_file(words[count - 1]))
        return err_set(err, ERR_ENV, "there is no file %s", words[count - 1]);
    struct lines lines = {stdin, "standard input", 0, 0};
    struct field fields[SCHEMA_FIELDS_MAX];
    struct schema schema = {0};
    int code = schema_of_words(words, count - file, fields, &schema, err);
    if (code < 0)
        return code;
    if (file) {
        lines.name = words[count - 1];
        if (!(lines.in = fopen(lines.name, "r")))
            return err_errno(err, ERR_ENV, "cannot open %s", lines.name);
    }
    code = scan_lines(&lines, &schema, err);
    if (file)
        fclose(lines.in);
    if (code == 0 && lines.bad > 0)
        code = err_set(err, ERR_DATA, "%lld of %lld lines of %s are bad", lines.bad, lines.read,
                       lines.name);
    return code;
}
