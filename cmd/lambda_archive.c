/* cmd/lambda_archive.c - `lk lambda archive`: the flags, the run, and a summary; --verify. */
#include <stdio.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "common/log/archive.h"
#include "lambda/archive.h"

static void print_summary(const struct archive_totals *totals, const struct settings *settings)
{
    const char *form = settings_bool(settings, "json")
                           ? "{\"events\":%lld,\"segments\":%lld,\"raw_bytes\":%lld,"
                             "\"file_bytes\":%lld}\n"
                           : "archived %lld events in %lld segments: %lld bytes of values, %lld on "
                             "disk\n";
    printf(form, (long long)totals->events, (long long)totals->segments,
           (long long)totals->raw_bytes, (long long)totals->file_bytes);
}

static void say_damage(const struct err *why, void *context)
{
    (void)context;
    fprintf(stderr, "damaged: %s\n", why->text);
}

/* --verify: read what is archived again; nothing is written, no log is needed. */
static int verify(const struct settings *settings, struct err *err)
{
    struct archive_health health = {0};
    int rc = settings_require(settings, "topic,archive", err);
    if (rc == 0)
        rc = archive_verify(settings_text(settings, "archive"), settings_text(settings, "topic"),
                            say_damage, NULL, &health, err);
    if (rc < 0)
        return rc;
    printf(
        settings_bool(settings, "json")
            ? "{\"segments\":%lld,\"events\":%lld,\"raw_bytes\":%lld,\"file_bytes\":%lld,"
              "\"damaged\":%lld}\n"
            : "%lld segments, %lld whole events: %lld bytes of values, %lld on disk; %lld segments "
              "are damaged\n",
        (long long)health.segments, (long long)health.events, (long long)health.raw_bytes,
        (long long)health.file_bytes, (long long)health.damaged);
    return health.damaged ? err_set(err, ERR_DATA,
                                    "remove the damaged segments and run lk lambda archive: it "
                                    "writes them anew from the log")
                          : 0;
}

int cmd_lambda_archive(const struct settings *settings, struct err *err)
{
    struct log *log = NULL;
    struct archive_totals totals = {0};
    if (settings_bool(settings, "verify"))
        return verify(settings, err);
    int rc = settings_require(settings, "log,topic,archive", err);
    rc = rc ? rc : log_open(settings_text(settings, "log"), false, &log, err);
    if (rc < 0)
        return rc;
    struct archive_options options = {
        .log = log,
        .topic = settings_text(settings, "topic"),
        .directory = settings_text(settings, "archive"),
        .roll_ms = settings_int(settings, "roll"),
        .until_end = settings_bool(settings, "until-end"),
        .progress = isatty(STDERR_FILENO),
    };
    rc = archive_run(&options, &totals, err);
    if (rc == 0 || rc == ERR_INTERRUPTED)
        print_summary(&totals, settings);
    log_close(log);
    return rc;
}
