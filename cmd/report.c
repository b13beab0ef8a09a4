/* cmd/report.c - lk report DIR: rebuilds DIR/report.html from the run's raw files. */
#include "bench/report.h"

#include "cmd/cmd.h"

int cmd_report(const struct settings *settings, struct err *err)
{
    const char *const *words;
    if (settings_words(settings, &words) != 1)
        return err_set(err, ERR_USAGE, "expected: lk report DIR, the --out of a lk compare");
    int rc = report_build(words[0], err);
    if (rc == 0)
        fprintf(stderr, "report: %s/report.html\n", words[0]);
    return rc;
}
