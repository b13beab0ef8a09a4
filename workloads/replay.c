/* workloads/replay.c - a recorded file of the user's, JSON lines or CSV, as a workload.
 *
 *   file --input--> row --(CSV: csv_add_json)--> JSON object --scanner--> time, key
 *
 * The time is read by the scanner that the views use, so a plan's format means the same here. An
 * event is to be published when it happened; one whose time is before its predecessor's goes right
 * behind it, as a recording in the order of arrival says. A row whose time cannot be read is an
 * error with file and line: the user can mend it. */
#include <ctype.h>
#include <stdlib.h>

#include "common/event/scan.h"
#include "workloads/csv.h"
#include "workloads/workload.h"

struct replay {
    struct input *input; /* JSON lines; else NULL */
    struct csv *csv;     /* CSV; else NULL */
    const char *path;    /* borrowed from one of them */
    int64_t line;
    char *time_field, *key_field, *time_pattern;
    struct field time, key;
    struct schema time_schema, key_schema;
    struct scanner *time_scanner, *key_scanner;
    struct columns *columns;
    int key_column; /* CSV */
    struct buf value, key_text;
    bool begun;
    int64_t first_ms, newest_ms;
};

static const struct {
    const char *name; /* NULL: a strptime pattern */
    enum time_format format;
    const char *pattern;
} FORMATS[] = {
    /* In the order of guessing. */
    {"ms", TIME_MS, NULL},
    {"s", TIME_S, NULL},
    {"us", TIME_US, NULL},
    {"rfc3339", TIME_RFC3339, NULL},
    {NULL, TIME_STRPTIME, "%Y-%m-%dT%H:%MZ"},
    {NULL, TIME_STRPTIME, "%Y-%m-%dT%H:%M"},
    {NULL, TIME_STRPTIME, "%Y-%m-%dT%H:%M:%S"},
    {NULL, TIME_STRPTIME, "%Y-%m-%d %H:%M"},
    {NULL, TIME_STRPTIME, "%Y-%m-%d %H:%M:%S"},
    {NULL, TIME_STRPTIME, "%Y/%m/%d %H:%M:%S"},
    {NULL, TIME_STRPTIME, "%Y-%m-%d"},
};
enum { FORMAT_COUNT = sizeof FORMATS / sizeof *FORMATS };
#define FORMAT_WORDS "ms, s, us, rfc3339 or a pattern such as \"%Y-%m-%d %H:%M:%S\""
/* A number is taken for s, ms or us where that puts it between 1980 and 2100. */
#define GUESS_FROM_MS INT64_C(315532800000)
#define GUESS_TO_MS INT64_C(4102444800000)

static void replay_close(void *state)
{
    struct replay *replay = state;
    input_close(replay->input);
    csv_close(replay->csv);
    scanner_free(replay->time_scanner);
    scanner_free(replay->key_scanner);
    columns_free(replay->columns);
    free(replay->time_field);
    free(replay->key_field);
    free(replay->time_pattern);
    buf_release(&replay->value);
    buf_release(&replay->key_text);
    free(replay);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), tail = strlen(end);
    return len >= tail && strcmp(text + len - tail, end) == 0;
}

/* Open the file as what its name or its first byte says. */
static int open_file(struct replay *replay, const char *path, struct err *err)
{
    struct input *input;
    int rc = input_open(path, &input, err);
    if (rc < 0)
        return rc;
    struct bytes window = input_window(input);
    size_t at = 0;
    while (at < window.len && isspace((unsigned char)window.ptr[at]))
        at++;
    char first = '\0';
    if (at < window.len)
        first = window.ptr[at];
    bool csv = ends_with(path, ".csv") || ends_with(path, ".csv.zst");
    if (!csv && first == '[') {
        input_close(input);
        return err_set(err, ERR_USAGE,
                       "%s is one JSON array, not JSON lines; unpack it: jq -c '.[]' FILE", path);
    }
    replay->path = input_path(input);
    if (csv || first != '{')
        return csv_open_take(input, &replay->csv, err);
    replay->input = input;
    return 0;
}

/* A path as in a plan; a CSV column's name is one piece, dots and all. */
static int set_field(const struct replay *replay, struct field *field, struct schema *schema,
                     const char *name, struct err *err)
{
    *field = (struct field){.name = name, .type = FIELD_STRING, .paths = 1};
    *schema = (struct schema){.fields = field, .scanned = 1, .count = 1};
    if (replay->csv) {
        field->path[0] = (struct field_path){.part = {bytes_of(name)}, .depth = 1};
        return csv_column(replay->csv, name, err);
    }
    if (!field_path_parse(name, &field->path[0]))
        return err_set(err, ERR_USAGE, "\"%s\" is no path of a field, such as bid.at", name);
    return 0;
}

static int set_key(struct replay *replay, const char *name, struct err *err)
{
    if (!name)
        return 0;
    replay->key_field = mem_copy_string(name);
    int rc = set_field(replay, &replay->key, &replay->key_schema, replay->key_field, err);
    if (rc < 0)
        return rc;
    replay->key_column = rc;
    replay->key_scanner = scanner_new(&replay->key_schema, SCAN_BEST);
    return 0;
}

/* The scanner of the time, for a format; replaces the one there was. */
static void set_format(struct replay *replay, enum time_format format, const char *pattern)
{
    scanner_free(replay->time_scanner);
    columns_free(replay->columns);
    replay->time.type = FIELD_TIME;
    replay->time.time_format = format;
    replay->time.time_pattern = pattern;
    replay->time_scanner = scanner_new(&replay->time_schema, SCAN_BEST);
    replay->columns = columns_new(&replay->time_schema);
}

static int set_named_format(struct replay *replay, const char *text, struct err *err)
{
    for (int i = 0; i < FORMAT_COUNT; i++)
        if (FORMATS[i].name && strcmp(FORMATS[i].name, text) == 0) {
            set_format(replay, FORMATS[i].format, NULL);
            return 0;
        }
    if (!strchr(text, '%'))
        return err_set(err, ERR_USAGE, "time format \"%s\": expected %s", text, FORMAT_WORDS);
    replay->time_pattern = mem_copy_string(text);
    set_format(replay, TIME_STRPTIME, replay->time_pattern);
    return 0;
}

static int replay_open(const struct workload_options *options, void **state, struct err *err)
{
    if (!options->file || !options->time_field)
        return err_set(err, ERR_USAGE,
                       "replay needs a file (--file) and the name of its time field "
                       "(--time-field)");
    struct replay *replay = mem_zero(1, sizeof *replay);
    replay->time_field = mem_copy_string(options->time_field);
    int rc = open_file(replay, options->file, err);
    if (rc == 0)
        rc = set_field(replay, &replay->time, &replay->time_schema, replay->time_field, err);
    if (rc >= 0)
        rc = set_key(replay, options->key_field, err);
    if (rc == 0 && options->time_format)
        rc = set_named_format(replay, options->time_format, err);
    if (rc < 0)
        replay_close(replay);
    else
        *state = replay;
    return rc;
}

/* The next line that is not blank into value: 1, 0 at the end, or a code. */
static int read_line(struct replay *replay, struct err *err)
{
    bool last = false;
    for (;;) {
        struct bytes window = input_window(replay->input);
        replay->line = input_line(replay->input);
        if (window.len == 0 && last)
            return 0;
        const char *end = memchr(window.ptr, '\n', window.len);
        if (!end && !last) {
            int rc = input_fill(replay->input, err);
            if (rc < 0)
                return rc;
            last = rc == 0;
            continue;
        }
        size_t len = end ? (size_t)(end - window.ptr) : window.len;
        buf_clear(&replay->value);
        buf_add(&replay->value, window.ptr, len);
        input_take(replay->input, end ? len + 1 : len);
        struct buf *value = &replay->value;
        while (value->len > 0 && isspace((unsigned char)value->ptr[value->len - 1]))
            value->len--;
        if (value->len > 0)
            return 1;
    }
}

static int read_row(struct replay *replay, struct err *err)
{
    if (replay->input)
        return read_line(replay, err);
    int rc = csv_next(replay->csv, err);
    replay->line = csv_line(replay->csv);
    buf_clear(&replay->value);
    if (rc == 1)
        csv_add_json(replay->csv, &replay->value);
    return rc;
}

static enum bad_reason read_time(struct replay *replay, int64_t *time_ms)
{
    struct bytes value = buf_bytes(&replay->value);
    scanner_batch(replay->time_scanner, &value, 1, replay->columns);
    *time_ms = replay->columns->column[0].i64[0];
    return replay->columns->bad[0];
}

/* Find a format that reads the first row's time. */
static int guess_format(struct replay *replay, struct err *err)
{
    int64_t time_ms = 0;
    for (int i = 0; i < FORMAT_COUNT; i++) {
        set_format(replay, FORMATS[i].format, FORMATS[i].pattern);
        enum bad_reason bad = read_time(replay, &time_ms);
        bool number = FORMATS[i].format == TIME_MS || FORMATS[i].format == TIME_S ||
                      FORMATS[i].format == TIME_US;
        if (bad == BAD_NOT && (!number || (time_ms >= GUESS_FROM_MS && time_ms < GUESS_TO_MS)))
            return 0;
        if (bad != BAD_NOT && bad != BAD_TIME && bad != BAD_TYPE)
            return 0; /* the row is at fault, and read_time will say how */
    }
    return err_set(err, ERR_USAGE,
                   "%s:%lld: cannot guess the format of \"%s\" in %.200s; give --time-format %s",
                   replay->path, (long long)replay->line, replay->time_field, replay->value.ptr,
                   FORMAT_WORDS);
}

static int bad_row(const struct replay *replay, enum bad_reason bad, struct err *err)
{
    static const char *const WHY[BAD_REASONS] = {
        [BAD_JSON] = "is not JSON",
        [BAD_NOT_OBJECT] = "is not a JSON object",
        [BAD_MISSING] = "has no time field",
    };
    const char *why = WHY[bad] ? WHY[bad] : "has a time that cannot be read (--time-format)";
    if (bad == BAD_JSON && replay->csv)
        why = "is not UTF-8; convert the file: iconv -f latin1 -t utf-8";
    return err_set(err, ERR_USAGE,
                   "%s:%lld: the row %s: \"%s\" is wanted, found %.100s%s; mend or remove "
                   "this row",
                   replay->path, (long long)replay->line, why, replay->time_field,
                   replay->value.ptr, replay->value.len > 100 ? "..." : "");
}

/* The record's key: a string's bytes, or the text of anything else; none where it is absent. */
static struct bytes read_key(struct replay *replay)
{
    struct bytes none = {NULL, 0};
    if (!replay->key_scanner)
        return none;
    if (replay->csv) {
        struct bytes cell = csv_cell(replay->csv, replay->key_column);
        return cell.len > 0 ? cell : none;
    }
    struct raw_value raw;
    scanner_raw(replay->key_scanner, buf_bytes(&replay->value), &raw, NULL);
    if (raw.kind == RAW_ABSENT || raw.kind == RAW_NULL)
        return none;
    if (raw.kind != RAW_STRING || !raw.escaped)
        return raw.text;
    buf_clear(&replay->key_text);
    raw_unescape(raw, &replay->key_text);
    return buf_bytes(&replay->key_text);
}

static int replay_next(void *state, struct workload_event *event, struct err *err)
{
    struct replay *replay = state;
    int rc = read_row(replay, err);
    if (rc == 1 && !replay->time_scanner) {
        int guessed = guess_format(replay, err);
        rc = guessed < 0 ? guessed : rc;
    }
    if (rc <= 0)
        return rc;
    int64_t time_ms;
    enum bad_reason bad = read_time(replay, &time_ms);
    if (bad != BAD_NOT)
        return bad_row(replay, bad, err);
    if (!replay->begun)
        replay->first_ms = replay->newest_ms = time_ms;
    replay->begun = true;
    if (time_ms > replay->newest_ms)
        replay->newest_ms = time_ms;
    event->event_ms = time_ms;
    event->publish_us = (replay->newest_ms - replay->first_ms) * 1000;
    event->value = buf_bytes(&replay->value);
    event->key = read_key(replay);
    return 1;
}

const struct workload workload_replay = {
    .name = "replay",
    .summary = "a recorded file of yours, JSON lines or CSV, plain or zstd",
    .open = replay_open,
    .next = replay_next,
    .close = replay_close,
};
