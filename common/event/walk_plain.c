/* common/event/walk_plain.c - the walk in plain C: strings byte by byte, on any machine. */
#include "common/base/bytes.h"

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

#include "common/event/walk.inc"

enum bad_reason walk_plain(struct walk *walk, struct bytes value)
{
    return walk_text(walk, value);
}
