/* tests/fuzz/write_corpus.c - seeds for the fuzzer: write_corpus DIR N files of three lines each.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/lines.h"

enum { SEED = 11, LINES_A_FILE = 3 };

static int write_file(const char *directory, uint64_t n, struct buf *line)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/line%04llu", directory, (unsigned long long)n);
    FILE *out = fopen(name, "w");
    if (!out)
        return -1;
    for (uint64_t i = 0; i < LINES_A_FILE; i++) {
        line_make(SEED, n * LINES_A_FILE + i, line);
        fwrite(line->ptr, 1, line->len, out);
        fputc('\n', out);
    }
    return fclose(out);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    struct buf line = {0};
    int failed = 0;
    uint64_t files = strtoull(argv[2], NULL, 10);
    for (uint64_t n = 0; n < files && !failed; n++)
        failed = write_file(argv[1], n, &line);
    if (failed)
        perror(argv[1]);
    buf_release(&line);
    return failed ? 3 : 0;
}
