/* common/event/walk_mask.c - the walk by masks: 64 bytes at a time, AVX2 marks where strings may
 * stop.
 *
 * A window of up to 4 KiB is marked at once, one bit a byte, so that the end of a string is the
 * next bit set. The last block of a window is read so that it ends where the text ends: bytes
 * behind the text are never touched. */
#include "common/base/bytes.h"
#include "common/event/parts.h"

#ifdef __x86_64__

#include <immintrin.h>

#define WALK_TARGET __attribute__((target("avx2,bmi,bmi2")))

enum { BLOCK = 64, WINDOW = 64 * BLOCK };

struct strings {
    const char *text;                /* begin of the text */
    const char *window, *window_end; /* what the marks are of */
    uint64_t marks[WINDOW / BLOCK];
};

/* One bit for each of 32 bytes: a quote, a backslash, or (signed) below a space. */
WALK_TARGET static inline uint32_t mark_half(const char *at)
{
    __m256i bytes = _mm256_loadu_si256((const __m256i *)at);
    __m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
    __m256i escape = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
    __m256i odd = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes);
    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(_mm256_or_si256(quote, escape), odd));
}

WALK_TARGET static inline uint64_t mark_block(const char *at)
{
    return mark_half(at) | (uint64_t)mark_half(at + BLOCK / 2) << 32;
}

/* The marks of the last len < 64 bytes before end. */
WALK_TARGET static inline uint64_t mark_last(const char *text, const char *end, size_t len)
{
    if (end - text >= BLOCK)
        return mark_block(end - BLOCK) >> (BLOCK - len);
    char copy[BLOCK];
    memset(copy, ' ', sizeof copy);
    memcpy(copy, end - len, len);
    return mark_block(copy);
}

WALK_TARGET static inline __attribute__((always_inline)) void
mark_window(struct strings *s, const char *at, const char *end)
{
    size_t len = (size_t)(end - at) < WINDOW ? (size_t)(end - at) : WINDOW;
    size_t blocks = len / BLOCK;
    s->window = at;
    s->window_end = at + len;
    for (size_t i = 0; i < blocks; i++)
        s->marks[i] = mark_block(at + i * BLOCK);
    if (len % BLOCK)
        s->marks[blocks] = mark_last(s->text, end, len % BLOCK);
}

WALK_TARGET static inline void strings_begin(struct strings *strings, struct bytes value)
{
    strings->text = value.ptr;
    mark_window(strings, value.ptr, value.ptr + value.len);
}

/* Behind the window: only texts of more than 4 KiB come here. */
WALK_TARGET static __attribute__((noinline)) void mark_next(struct strings *s, const char *at,
                                                            const char *end)
{
    mark_window(s, at, end);
}

WALK_TARGET static inline const char *strings_stop(struct strings *s, const char *at,
                                                   const char *end)
{
    while (at < end) {
        if (at >= s->window_end)
            mark_next(s, at, end);
        size_t offset = (size_t)(at - s->window);
        /* Every block of the window has its marks. NOLINTNEXTLINE(clang-analyzer-core.*) */
        uint64_t rest = s->marks[offset / BLOCK] >> offset % BLOCK;
        if (rest)
            return at + __builtin_ctzll(rest);
        at += BLOCK - offset % BLOCK;
    }
    return end;
}

/* Fewer than 32 bytes of text are left, or the gap is longer. */
static bool equal_by_words(const char *at, const char *gap, size_t len)
{
    uint64_t here, there;
    for (; len >= sizeof here; len -= sizeof here, at += sizeof here, gap += sizeof here) {
        memcpy(&here, at, sizeof here);
        memcpy(&there, gap, sizeof there);
        if (here != there)
            return false;
    }
    for (; len > 0; len--)
        if (*at++ != *gap++)
            return false;
    return true;
}

/* From a gap 32 bytes can always be read, from the text only where it has as many left. */
WALK_TARGET static inline bool strings_equal(const char *at, const char *end, const char *gap,
                                             size_t len)
{
    if (end - at < SHAPE_GAP_STEP || len > SHAPE_GAP_STEP)
        return (size_t)(end - at) >= len && equal_by_words(at, gap, len);
    __m256i here = _mm256_loadu_si256((const __m256i *)at);
    __m256i there = _mm256_loadu_si256((const __m256i *)gap);
    uint64_t same = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(here, there));
    return _bzhi_u64(~same, (unsigned)len) == 0;
}

#include "common/event/walk.inc"

WALK_TARGET enum bad_reason walk_mask(struct walk *walk, struct bytes value)
{
    return walk_text(walk, value);
}

WALK_TARGET bool match_mask(struct walk *walk, const struct shape *shape, struct bytes value)
{
    return match_text(walk, shape, value);
}

bool walk_mask_works(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2");
}

#else /* no such machine: scan.c asks first, so that these two are never called */

enum bad_reason walk_mask(struct walk *walk, struct bytes value)
{
    return walk_plain(walk, value);
}

bool match_mask(struct walk *walk, const struct shape *shape, struct bytes value)
{
    return match_plain(walk, shape, value);
}

bool walk_mask_works(void)
{
    return false;
}

#endif
