/* cmd/evolve.c - `lk compare evolve`: one rule changes under load, in both architectures. */
#include <unistd.h>

#include "bench/evolve.h"
#include "cmd/cmd.h"

int cmd_evolve(const struct settings *settings, struct err *err)
{
    char program[4096];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    if (len < 0)
        return err_errno(err, ERR_ENV, "/proc/self/exe");
    program[len] = 0;
    const struct evolve_options options = {
        .program = program,
        .out = settings_text(settings, "out"),
        .log = settings_text(settings, "log"),
        .arch = settings_text(settings, "arch"),
        .history = settings_int(settings, "count"),
        .rate = settings_number(settings, "rate"),
        .seconds = (int)settings_int(settings, "seconds"),
        .readers = (int)settings_int(settings, "readers"),
        .seed = (uint64_t)settings_int(settings, "seed"),
        .json = settings_bool(settings, "json"),
    };
    bool pass = false;
    int rc = evolve_run(&options, stdout, &pass, err);
    if (rc < 0)
        return rc;
    return pass ? 0 : err_set(err, ERR_CHECK, "an answer was by neither rule");
}
