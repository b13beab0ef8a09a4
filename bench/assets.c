/* bench/assets.c - see assets.h. The assembler puts the files' bytes into the program as they are;
 * paths are relative to the project's root, where make runs. */
#include "bench/assets.h"

#define EMBED(name, path)                                                                          \
    __asm__(".section .rodata\n" #name "_begin:\n.incbin \"" path "\"\n" #name                     \
            "_end:\n.previous");                                                                   \
    extern const char name##_begin[] __attribute__((visibility("hidden")));                        \
    extern const char name##_end[] __attribute__((visibility("hidden")))

EMBED(report_css, "bench/report.css");
EMBED(report_js, "bench/report.js");
EMBED(dygraphs_css, DYGRAPHS "/dygraph.min.css");
EMBED(dygraphs_js, DYGRAPHS "/dygraph.min.js");

static const struct {
    const char *begin, *end;
} ASSETS[ASSET_COUNT] = {
    [ASSET_REPORT_CSS] = {report_css_begin, report_css_end},
    [ASSET_REPORT_JS] = {report_js_begin, report_js_end},
    [ASSET_DYGRAPHS_CSS] = {dygraphs_css_begin, dygraphs_css_end},
    [ASSET_DYGRAPHS_JS] = {dygraphs_js_begin, dygraphs_js_end},
};

struct bytes asset_bytes(enum asset asset)
{
    static const char *const MAPS[] = {"//# sourceMappingURL=", "/*# sourceMappingURL="};
    struct bytes bytes = {ASSETS[asset].begin, (size_t)(ASSETS[asset].end - ASSETS[asset].begin)};
    for (size_t i = 0; i < sizeof MAPS / sizeof *MAPS; i++) {
        const char *map = memmem(bytes.ptr, bytes.len, MAPS[i], strlen(MAPS[i]));
        if (map)
            bytes.len = (size_t)(map - bytes.ptr);
    }
    return bytes;
}
