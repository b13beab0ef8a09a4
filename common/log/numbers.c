/* common/log/numbers.c - see numbers.h. Loops over one width each, so that the compiler makes vectors of them. */
#include "common/log/numbers.h"

#include <assert.h>

static int width_of(uint64_t range)
{
    if (range == 0)
        return 0;
    return range <= UINT8_MAX ? 1 : range <= UINT16_MAX ? 2 : range <= UINT32_MAX ? 4 : 8;
}

/* Unsigned: the range of int64 does not fit into one. */
#define PACK(type)                                                                                 \
    for (int i = 0; i < count; i++) {                                                              \
        type difference = (type)((uint64_t)numbers[i] - least);                                    \
        memcpy(out + (size_t)i * sizeof difference, &difference, sizeof difference);               \
    }
#define UNPACK(type)                                                                               \
    for (int i = 0; i < count; i++) {                                                              \
        type difference;                                                                           \
        memcpy(&difference, from + (size_t)i * sizeof difference, sizeof difference);              \
        out[i] = (int64_t)(least + difference);                                                    \
    }

static void pack_differences(const int64_t *numbers, int count, uint64_t least, int width,
                             char *out)
{
    switch (width) {
    case 1:
        PACK(uint8_t)
        break;
    case 2:
        PACK(uint16_t)
        break;
    case 4:
        PACK(uint32_t)
        break;
    case 8:
        PACK(uint64_t)
        break;
    default:
        break; /* all are the least */
    }
}

void numbers_pack(const int64_t *numbers, int count, struct buf *to)
{
    assert(count >= 0);
    int64_t least = count ? numbers[0] : 0, most = least;
    for (int i = 1; i < count; i++) {
        least = numbers[i] < least ? numbers[i] : least;
        most = numbers[i] > most ? numbers[i] : most;
    }
    int width = width_of((uint64_t)most - (uint64_t)least);
    size_t bytes = (size_t)count * (size_t)width;
    buf_reserve(to, NUMBERS_HEAD_BYTES + bytes);
    char *head = to->ptr + to->len;
    memcpy(head, &least, sizeof least);
    head[sizeof least] = (char)width;
    pack_differences(numbers, count, (uint64_t)least, width, head + NUMBERS_HEAD_BYTES);
    to->len += NUMBERS_HEAD_BYTES + bytes;
    to->ptr[to->len] = 0;
}

bool numbers_look(const char **at, const char *end, int count, struct numbers *out)
{
    if (count < 0 || end - *at < NUMBERS_HEAD_BYTES)
        return false;
    memcpy(&out->least, *at, sizeof out->least);
    out->width = (uint8_t)(*at)[sizeof out->least];
    out->differences = *at + NUMBERS_HEAD_BYTES;
    bool ours = out->width <= 8 && (out->width & (out->width - 1)) == 0; /* 0 or a power of two */
    size_t bytes = (size_t)count * (size_t)out->width;
    if (!ours || bytes > (size_t)(end - out->differences))
        return false;
    *at = out->differences + bytes;
    return true;
}

void numbers_unpack(const struct numbers *packed, int count, int64_t *out)
{
    uint64_t least = (uint64_t)packed->least;
    const char *from = packed->differences;
    switch (packed->width) {
    case 1:
        UNPACK(uint8_t)
        break;
    case 2:
        UNPACK(uint16_t)
        break;
    case 4:
        UNPACK(uint32_t)
        break;
    case 8:
        UNPACK(uint64_t)
        break;
    default:
        for (int i = 0; i < count; i++)
            out[i] = packed->least;
    }
}

#define UNPACK_CODES(type)                                                                         \
    for (int i = 0; i < count; i++) {                                                              \
        type difference;                                                                           \
        memcpy(&difference, from + (size_t)i * sizeof difference, sizeof difference);              \
        out[i] = least + difference;                                                               \
        greatest = out[i] > greatest ? out[i] : greatest;                                          \
    }

bool numbers_unpack_codes(const struct numbers *packed, int count, uint32_t most, uint32_t *out)
{
    if (packed->least < 0 || packed->least > most || packed->width > 4)
        return false;
    uint32_t least = (uint32_t)packed->least, greatest = 0;
    const char *from = packed->differences;
    switch (packed->width) {
    case 1:
        UNPACK_CODES(uint8_t)
        break;
    case 2:
        UNPACK_CODES(uint16_t)
        break;
    case 4:
        UNPACK_CODES(uint32_t)
        break;
    default:
        for (int i = 0; i < count; i++)
            out[i] = least;
    }
    return greatest <= most;
}
