/* cmd/bench.c - `lk bench scan|drain|batch|gen`: one benchmark each, its ratio printed. */
#include <string.h>

#include "bench/bench.h"
#include "cmd/cmd.h"

static const struct {
    const char *name;
    int (*run)(FILE *out, struct err *err);
} BENCHES[] = {
    {"scan", bench_scan}, {"drain", bench_drain}, {"batch", bench_batch}, {"gen", bench_gen}};

int cmd_bench(const struct settings *settings, struct err *err)
{
    const char *const *words;
    int count = settings_words(settings, &words);
    for (size_t i = 0; count == 1 && i < sizeof BENCHES / sizeof *BENCHES; i++)
        if (strcmp(words[0], BENCHES[i].name) == 0)
            return BENCHES[i].run(stdout, err);
    return err_set(err, ERR_USAGE, "lk bench: one of scan, drain, batch, gen");
}
