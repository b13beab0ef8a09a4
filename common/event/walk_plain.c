/* common/event/walk_plain.c - the walk in plain C: strings byte by byte, on any machine. */
#include "common/base/bytes.h"

#define WALK_TARGET

struct strings {
    char nothing;
};

static inline void strings_begin(struct strings *strings, struct bytes value)
{
    (void)strings;
    (void)value;
}

static inline const char *strings_stop(struct strings *strings, const char *at, const char *end)
{
    (void)strings;
    while (at < end && (signed char)*at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    return at;
}

static inline bool strings_equal(const char *at, const char *end, const char *gap, size_t len)
{
    return (size_t)(end - at) >= len && memcmp(at, gap, len) == 0;
}

#include "common/event/walk.inc"

enum bad_reason walk_plain(struct walk *walk, struct bytes value)
{
    return walk_text(walk, value);
}

bool match_plain(struct walk *walk, const struct shape *shape, struct bytes value)
{
    return match_text(walk, shape, value);
}
