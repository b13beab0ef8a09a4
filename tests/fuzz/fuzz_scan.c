/* tests/fuzz/fuzz_scan.c - libFuzzer's way into agree.h: an input is lines, read one after the
 * other. */
#include <stdlib.h>

#include "tests/fuzz/agree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct agree *agree = agree_new();
    const char *at = (const char *)data, *end = at + size;
    for (;;) {
        const char *line_end = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (!line_end)
            line_end = end;
        if (agree_check(agree, (struct bytes){at, (size_t)(line_end - at)}) == AGREE_DIFFERENT)
            abort();
        if (line_end == end)
            break;
        at = line_end + 1;
    }
    agree_free(agree);
    return 0;
}
