/* common/op/counters.c - seven numbers, walked through one table of where they stand. */
#include "common/op/counters.h"

static const size_t MEMBERS[] = {
    offsetof(struct counters, read),      offsetof(struct counters, folded),
    offsetof(struct counters, filtered),  offsetof(struct counters, late),
    offsetof(struct counters, duplicate), offsetof(struct counters, bad),
    offsetof(struct counters, skipped),
};
enum { MEMBER_COUNT = sizeof MEMBERS / sizeof *MEMBERS };

static int64_t *member(struct counters *c, size_t i)
{
    return (int64_t *)((char *)c + MEMBERS[i]);
}

static int64_t member_value(const struct counters *c, size_t i)
{
    return *(const int64_t *)((const char *)c + MEMBERS[i]);
}

void counters_add(struct counters *to, const struct counters *from)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        *member(to, i) += member_value(from, i);
}

void counters_encode(const struct counters *c, struct buf *out)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        buf_add_int64(out, member_value(c, i));
    }
}

bool counters_decode(struct bytes text, struct counters *out)
{
    const char *at = text.ptr, *end = text.ptr + text.len;
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        bool last = i + 1 == MEMBER_COUNT;
        const char *stop = last ? end : memchr(at, ',', (size_t)(end - at));
        if (!stop || !bytes_to_int64((struct bytes){at, (size_t)(stop - at)}, member(out, i)))
            return false;
        at = stop + 1;
    }
    return true;
}
