/* bench/assets.h - the files that every report carries, held inside the program.
 *
 * The page's own style and script, and dygraphs (MIT) of Debian's libjs-dygraphs. Read-only. */
#ifndef LK_BENCH_ASSETS_H
#define LK_BENCH_ASSETS_H

#include "common/base/bytes.h"

enum asset {
    ASSET_REPORT_CSS,
    ASSET_REPORT_JS,
    ASSET_DYGRAPHS_CSS,
    ASSET_DYGRAPHS_JS,
    ASSET_COUNT
};

/* Without a trailing reference to a source map: the page asks for nothing. */
struct bytes asset_bytes(enum asset asset);

#endif
