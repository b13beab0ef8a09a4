/* tests/fuzz/lines.h - seeded JSON lines, realistic, odd and broken, for the scanner's checks. */
#ifndef LK_FUZZ_LINES_H
#define LK_FUZZ_LINES_H

#include "common/base/bytes.h"

/* Line n of a seed, into out (cleared first): the same on every machine. Eight lines in a row
 * share one shape and differ in their values; about a third are mutated, most of these broken. */
void line_make(uint64_t seed, uint64_t n, struct buf *out);

#endif
