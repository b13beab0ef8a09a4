/* tests/common/event/scanning.h - one scanner of each path, and texts at the end of what may be
 * read. */
#ifndef LK_TESTS_SCANNING_H
#define LK_TESTS_SCANNING_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/event/scan.h"

enum { SCANNING_FIELDS_MAX = 8, SCANNING_PATHS = 3, SCANNING_BYTES = 1 << 20 };

static const struct {
    enum scan_path path;
    const char *name;
} SCANNING[SCANNING_PATHS] = {{SCAN_PLAIN, "plain"}, {SCAN_MASK, "mask"}, {SCAN_BEST, "best"}};

struct scanning {
    char names[256];
    struct field fields[SCANNING_FIELDS_MAX];
    struct schema schema;
    struct scanner *scanner[SCANNING_PATHS];
    struct raw_value value[SCANNING_FIELDS_MAX]; /* of the last scan */
    size_t at;
    char *map; /* SCANNING_BYTES, then a page that no one may touch */
    size_t guard;
};

/* names: dotted paths with spaces between; every field is an optional string. */
static inline void scanning_start(struct scanning *s, const char *names)
{
    int count = 0;
    *s = (struct scanning){.guard = (size_t)sysconf(_SC_PAGESIZE)};
    snprintf(s->names, sizeof s->names, "%s", names);
    for (char *word = strtok(s->names, " "); word; word = strtok(NULL, " ")) {
        struct field *field = &s->fields[count++];
        *field = (struct field){.name = word, .type = FIELD_STRING, .optional = true, .paths = 1};
        cr_assert(field_path_parse(word, &field->path[0]));
    }
    s->schema = (struct schema){s->fields, count, count};
    for (int i = 0; i < SCANNING_PATHS; i++)
        s->scanner[i] = scanner_new(&s->schema, SCANNING[i].path);
    s->map = mmap(NULL, SCANNING_BYTES + s->guard, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(s->map != MAP_FAILED);
    mprotect(s->map + SCANNING_BYTES, s->guard, PROT_NONE);
}

static inline void scanning_stop(struct scanning *s)
{
    for (int i = 0; i < SCANNING_PATHS; i++)
        scanner_free(s->scanner[i]);
    munmap(s->map, SCANNING_BYTES + s->guard);
}

static inline enum bad_reason scanning_scan(struct scanning *s, int path, struct bytes text)
{
    cr_assert(text.len <= SCANNING_BYTES);
    char *copy = s->map + SCANNING_BYTES - text.len;
    memcpy(copy, text.ptr, text.len);
    return scanner_raw(s->scanner[path], (struct bytes){copy, text.len}, s->value, &s->at);
}

/* The values of the last scan as JSON, "-" for one that is absent: ["view",1,-]. In out. */
static inline const char *scanning_values(struct scanning *s, struct buf *out)
{
    struct buf plain = {0};
    buf_clear(out);
    for (int i = 0; i < s->schema.count; i++) {
        struct raw_value value = s->value[i];
        buf_add_char(out, i == 0 ? '[' : ',');
        buf_clear(&plain);
        if (value.kind == RAW_STRING) {
            raw_unescape(value, &plain);
            buf_add_json_string(out, buf_bytes(&plain));
        } else if (value.kind == RAW_ABSENT) {
            buf_add_char(out, '-');
        } else {
            buf_add(out, value.text.ptr, value.text.len);
        }
    }
    buf_add_char(out, ']');
    buf_release(&plain);
    return out->ptr;
}

#endif
