/* tests/fuzz/scan_agree.c - the scanner against jansson on many seeded lines: scan_agree [N
 * [SEED]]. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/agree.h"
#include "tests/fuzz/lines.h"

enum { LINES = 2000000, SEED = 7, DIFFERENCES_MAX = 10 };

int main(int argc, char **argv)
{
    uint64_t lines = argc > 1 ? strtoull(argv[1], NULL, 10) : LINES;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : SEED;
    uint64_t verdicts[AGREE_DIFFERENT + 1] = {0};
    struct agree *agree = agree_new();
    struct buf line = {0};
    for (uint64_t n = 0; n < lines && verdicts[AGREE_DIFFERENT] < DIFFERENCES_MAX; n++) {
        line_make(seed, n, &line);
        enum agree_verdict verdict = agree_check(agree, buf_bytes(&line));
        verdicts[verdict]++;
        if (verdict == AGREE_DIFFERENT)
            fprintf(stderr, "that was line %" PRIu64 " of seed %" PRIu64 "\n", n, seed);
    }
    printf("scan_agree: %" PRIu64 " lines, %" PRIu64 " rejected by both, %" PRIu64
           " beyond jansson's limits, %" PRIu64 " differences, seed %" PRIu64 "\n",
           lines, verdicts[AGREE_REFUSED], verdicts[AGREE_BEYOND], verdicts[AGREE_DIFFERENT], seed);
    buf_release(&line);
    agree_free(agree);
    return verdicts[AGREE_DIFFERENT] > 0;
}
