/* cmd/runbooks.c - `lk compare runbooks`: what operators do, played and measured. */
#include <unistd.h>

#include "bench/runbook.h"
#include "cmd/cmd.h"

int cmd_runbooks(const struct settings *settings, struct err *err)
{
    char program[4096];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    if (len < 0)
        return err_errno(err, ERR_ENV, "/proc/self/exe");
    program[len] = 0;
    const struct runbook_options options = {
        .program = program,
        .only = settings_text(settings, "only"),
        .arch = settings_text(settings, "arch"),
        .kills = settings_text(settings, "kills"),
        .out = settings_text(settings, "out"),
        .seed = (uint64_t)settings_int(settings, "seed"),
        .json = settings_bool(settings, "json"),
    };
    if (settings_bool(settings, "page")) {
        runbooks_page(stdout);
        return 0;
    }
    bool pass = false;
    int rc = runbooks_run(&options, stdout, &pass, err);
    if (rc < 0)
        return rc;
    return pass ? 0 : err_set(err, ERR_CHECK, "not every runbook ended as it should");
}
