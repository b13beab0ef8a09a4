/* cmd/lambda_archive.c - `lk lambda archive`: the flags, the run, and a summary; --compact. */
#include <stdio.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/worker_options.h"
#include "common/log/archive.h"
#include "lambda/archive.h"
#include "lambda/batch.h"

static void print_summary(const struct archive_totals *totals, const struct settings *settings)
{
    const char *form = settings_bool(settings, "json")
                           ? "{\"events\":%lld,\"segments\":%lld,\"raw_bytes\":%lld,"
                             "\"file_bytes\":%lld,\"columnar\":%lld}\n"
                           : "archived %lld events in %lld segments: %lld bytes of values, %lld on "
                             "disk; %lld files of columns\n";
    printf(form, (long long)totals->events, (long long)totals->segments,
           (long long)totals->raw_bytes, (long long)totals->file_bytes,
           (long long)totals->columnar);
}

/* Flags of the copying that a compaction would read nowhere. */
static int refuse_unread(const struct settings *settings, struct err *err)
{
    static const char *const UNREAD[] = {"log", "columnar"};
    for (size_t i = 0; i < sizeof UNREAD / sizeof *UNREAD; i++)
        if (settings_has(settings, UNREAD[i]))
            return err_set(err, ERR_USAGE,
                           "--compact merges what is in the archive and reads no log: leave out "
                           "--%s; to copy first, run lk lambda archive without --compact",
                           UNREAD[i]);
    return 0;
}

/* --compact: copy nothing, merge small segments. */
static int compact(const struct settings *settings, struct err *err)
{
    struct archive_compaction done = {0};
    char topic[LOG_TOPIC_MAX + 1];
    int rc = refuse_unread(settings, err);
    rc = rc ? rc : settings_require(settings, "archive", err);
    struct batch_options options = {.archive = settings_text(settings, "archive"),
                                    .topic = settings_text(settings, "topic")};
    rc = rc ? rc : batch_topic(&options, topic, err);
    rc = rc ? rc : archive_compact(options.archive, topic, &done, err);
    if (rc == 0 || rc == ERR_INTERRUPTED)
        printf(settings_bool(settings, "json")
                   ? "{\"segments_before\":%lld,\"segments_after\":%lld,\"bytes_before\":%lld,"
                     "\"bytes_after\":%lld}\n"
                   : "%lld segments are %lld now: %lld bytes on disk before, %lld after\n",
               (long long)done.segments_before, (long long)done.segments_after,
               (long long)done.bytes_before, (long long)done.bytes_after);
    return rc;
}

int cmd_lambda_archive(const struct settings *settings, struct err *err)
{
    struct log *log = NULL;
    struct plan *plan = NULL;
    struct archive_totals totals = {0};
    const char *columnar = settings_text(settings, "columnar");
    if (settings_bool(settings, "compact"))
        return compact(settings, err);
    int rc = settings_require(settings, "log,topic,archive", err);
    if (rc == 0 && columnar)
        rc = cmd_plan_at(columnar, &plan, err);
    rc = rc ? rc : log_open(settings_text(settings, "log"), false, &log, err);
    if (rc < 0) {
        plan_free(plan);
        return rc;
    }
    struct archive_options options = {
        .log = log,
        .topic = settings_text(settings, "topic"),
        .directory = settings_text(settings, "archive"),
        .roll_ms = settings_int(settings, "roll"),
        .until_end = settings_bool(settings, "until-end"),
        .columnar = plan,
        .progress = isatty(STDERR_FILENO),
    };
    rc = archive_run(&options, &totals, err);
    if (rc == 0 || rc == ERR_INTERRUPTED)
        print_summary(&totals, settings);
    log_close(log);
    plan_free(plan);
    return rc;
}
