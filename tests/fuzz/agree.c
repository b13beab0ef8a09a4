/* tests/fuzz/agree.c - see agree.h: the three paths must agree in every byte of their answers, and
 * what they found must be what jansson found. */
#include "tests/fuzz/agree.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/event/scan.h"

static const char *const WANTED[] = {"a",     "b",          "a.b",        "a.b.c", "c.a",
                                     "ad_id", "event_type", "event_time", "b.a.b", "d"};
/* The last one is made anew every few lines, so that it never rests from guessing shapes. */
static const struct {
    enum scan_path path;
    const char *name;
} PATHS[] = {
    {SCAN_PLAIN, "plain"}, {SCAN_MASK, "mask"}, {SCAN_BEST, "best"}, {SCAN_BEST, "best, fresh"}};
enum { WANTED_COUNT = sizeof WANTED / sizeof *WANTED, PATH_COUNT = 4, FRESH = 3, FRESH_LINES = 16 };

struct agree {
    struct field fields[WANTED_COUNT];
    struct schema schema;
    struct scanner *scanner[PATH_COUNT];
    int lines; /* that the fresh one has read */
    struct buf unescaped;
    char *map; /* writable bytes, then one page that no one may touch */
    size_t writable, guard;
};

/* What one path said of a line. */
struct said {
    enum bad_reason reason;
    size_t at;
    struct raw_value value[WANTED_COUNT];
};

struct agree *agree_new(void)
{
    struct agree *agree = mem_zero(1, sizeof *agree);
    for (int i = 0; i < WANTED_COUNT; i++) {
        agree->fields[i] =
            (struct field){.name = WANTED[i], .type = FIELD_STRING, .optional = true, .paths = 1};
        field_path_parse(WANTED[i], &agree->fields[i].path[0]);
    }
    agree->schema = (struct schema){agree->fields, WANTED_COUNT, WANTED_COUNT};
    for (int i = 0; i < PATH_COUNT; i++)
        agree->scanner[i] = scanner_new(&agree->schema, PATHS[i].path);
    return agree;
}

static void unmap(struct agree *agree)
{
    if (agree->map)
        munmap(agree->map, agree->writable + agree->guard);
}

void agree_free(struct agree *agree)
{
    for (int i = 0; i < PATH_COUNT; i++)
        scanner_free(agree->scanner[i]);
    buf_release(&agree->unescaped);
    unmap(agree);
    free(agree);
}

/* A copy of line whose end is the end of what may be read. */
static struct bytes at_page_end(struct agree *agree, struct bytes line)
{
    if (line.len > agree->writable || !agree->map) {
        unmap(agree);
        agree->guard = (size_t)sysconf(_SC_PAGESIZE);
        agree->writable = (line.len / agree->guard + 4) * agree->guard;
        agree->map = mmap(NULL, agree->writable + agree->guard, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert(agree->map != MAP_FAILED);
        mprotect(agree->map + agree->writable, agree->guard, PROT_NONE);
    }
    char *copy = agree->map + agree->writable - line.len;
    if (line.len)
        memcpy(copy, line.ptr, line.len);
    return (struct bytes){copy, line.len};
}

static enum agree_verdict differ(struct bytes line, const char *what, const char *which)
{
    fprintf(stderr, "different: %s (%s): ", what, which);
    fwrite(line.ptr, 1, line.len, stderr);
    fputc('\n', stderr);
    return AGREE_DIFFERENT;
}

static bool same_value(const struct raw_value *a, const struct raw_value *b)
{
    if (a->kind != b->kind)
        return false;
    return a->kind == RAW_ABSENT ||
           (a->escaped == b->escaped && a->text.ptr == b->text.ptr && a->text.len == b->text.len);
}

static bool same_said(const struct said *a, const struct said *b)
{
    if (a->reason != b->reason || a->at != b->at)
        return false;
    for (int i = 0; i < WANTED_COUNT; i++)
        if (!same_value(&a->value[i], &b->value[i]))
            return false;
    return true;
}

static const json_t *json_at(const json_t *json, const struct field_path *path)
{
    for (int i = 0; json && i < path->depth; i++) {
        char name[32];
        snprintf(name, sizeof name, "%.*s", (int)path->part[i].len, path->part[i].ptr);
        json = json_object_get(json, name); /* NULL for one that is no object */
    }
    return json;
}

static bool same_number(const json_t *json, struct bytes text)
{
    char copy[512];
    snprintf(copy, sizeof copy, "%.*s", (int)text.len, text.ptr);
    if (json_is_integer(json))
        return !strpbrk(copy, ".eE") && strtoll(copy, NULL, 10) == json_integer_value(json);
    return json_is_real(json) && strtod(copy, NULL) == json_real_value(json);
}

static bool same_container(const json_t *json, struct bytes text)
{
    json_t *parsed = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL);
    bool same = parsed && json_equal(json, parsed);
    json_decref(parsed);
    return same;
}

static bool same_as_json(struct agree *agree, const json_t *json, struct raw_value value)
{
    static const json_type TYPES[] = {
        [RAW_NULL] = JSON_NULL,     [RAW_TRUE] = JSON_TRUE,     [RAW_FALSE] = JSON_FALSE,
        [RAW_STRING] = JSON_STRING, [RAW_OBJECT] = JSON_OBJECT, [RAW_ARRAY] = JSON_ARRAY};
    if (value.kind == RAW_ABSENT || !json)
        return value.kind == RAW_ABSENT && !json;
    if (value.kind == RAW_NUMBER)
        return same_number(json, value.text);
    if (json_typeof(json) != TYPES[value.kind])
        return false;
    if (value.kind == RAW_OBJECT || value.kind == RAW_ARRAY)
        return same_container(json, value.text);
    if (value.kind != RAW_STRING)
        return true;
    buf_clear(&agree->unescaped);
    raw_unescape(value, &agree->unescaped);
    return bytes_equal(buf_bytes(&agree->unescaped),
                       (struct bytes){json_string_value(json), json_string_length(json)});
}

/* jansson 2.14 overlooks a zero byte right behind a number, true, false or null (it takes the byte
 * put back for the end of its buffer); no JSON text has a zero byte, so that needs no second
 * opinion. */
static json_t *load(struct bytes line, json_error_t *error)
{
    if (memchr(line.ptr, 0, line.len)) {
        *error = (json_error_t){.text = "a zero byte"};
        return NULL;
    }
    return json_loadb(line.ptr, line.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, error);
}

static enum agree_verdict against_json(struct agree *agree, struct bytes line,
                                       const struct said *said)
{
    json_error_t error;
    json_t *json = load(line, &error);
    enum bad_reason want = !json ? BAD_JSON : json_is_object(json) ? BAD_NOT : BAD_NOT_OBJECT;
    enum agree_verdict verdict = json ? AGREE_TAKEN : AGREE_REFUSED;
    if (!json && (json_error_code(&error) == json_error_numeric_overflow ||
                  json_error_code(&error) == json_error_null_byte_in_key))
        return AGREE_BEYOND;
    if (said->reason != want)
        verdict = differ(line, "valid or not", json ? "jansson takes it" : error.text);
    for (int i = 0; i < WANTED_COUNT && said->reason == BAD_NOT && verdict == AGREE_TAKEN; i++)
        if (!same_as_json(agree, json_at(json, &agree->fields[i].path[0]), said->value[i]))
            verdict = differ(line, "not jansson's value", WANTED[i]);
    json_decref(json);
    return verdict;
}

enum agree_verdict agree_check(struct agree *agree, struct bytes line)
{
    struct said said[PATH_COUNT] = {0};
    line = at_page_end(agree, line);
    if (++agree->lines % FRESH_LINES == 0) {
        scanner_free(agree->scanner[FRESH]);
        agree->scanner[FRESH] = scanner_new(&agree->schema, PATHS[FRESH].path);
    }
    for (int i = 0; i < PATH_COUNT; i++)
        said[i].reason = scanner_raw(agree->scanner[i], line, said[i].value, &said[i].at);
    for (int i = 1; i < PATH_COUNT; i++)
        if (!same_said(&said[0], &said[i]))
            return differ(line, "two paths of the scanner", PATHS[i].name);
    return against_json(agree, line, &said[0]);
}
