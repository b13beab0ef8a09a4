/* tests/lambda/test_archive.c - the archiver: log and archive hold the same events, or it says why
 * not. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/base/rng.h"
#include "common/base/stop.h"
#include "lambda/archive.h"
#include "tests/common/log/scratch.h"

enum { PARTITIONS = 3 };

static int archive_all(const struct scratch *scratch, struct log *log,
                       struct archive_totals *totals, struct err *err)
{
    char directory[128];
    snprintf(directory, sizeof directory, "%s/archive", scratch->path);
    struct archive_options options = {
        .log = log, .topic = "t", .directory = directory, .roll_ms = 1000, .until_end = true};
    return archive_run(&options, totals, err);
}

static struct log *open_archived(const struct scratch *scratch)
{
    char uri[128];
    struct log *log = NULL;
    snprintf(uri, sizeof uri, "archive:%s/archive", scratch->path);
    must(log_open(uri, false, &log, &why));
    return log;
}

static void check_archived(const struct scratch *scratch, int64_t events)
{
    struct log *log = open_archived(scratch);
    struct log_reader *reader = open_reader(log, PARTITIONS);
    cr_expect_eq(drain_numbered(reader, 1000), events);
    log_reader_close(reader);
    log_close(log);
}

static void append_some(struct log *log, int64_t from, int n)
{
    for (int p = 0; p < PARTITIONS; p++)
        append_numbered(log, p, from, n, 20);
}

Test(archiver, goes_on_where_it_stopped)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, PARTITIONS);
    struct archive_totals totals;
    must(archive_all(&scratch, log, &totals, &why)); /* an empty topic is fine */
    cr_expect_eq(totals.events, 0);
    for (int64_t i = 0; i < 4; i++) {
        append_some(log, 5000 * i, 5000);
        must(archive_all(&scratch, log, &totals, &why));
        cr_expect_eq(totals.events, 5000 * PARTITIONS);
        check_archived(&scratch, 5000 * PARTITIONS * (i + 1));
    }
    log_close(log);
    scratch_remove(&scratch);
}

Test(archiver, begins_where_a_trimmed_log_begins)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, PARTITIONS);
    struct archive_totals totals;
    int64_t first, end;
    append_some(log, 0, 10);
    append_some(log, 10, 10);
    must(log_trim(log, "t", 1, 10, &why));
    must(archive_all(&scratch, log, &totals, &why));
    cr_expect_eq(totals.events, 50);
    struct log *archive = open_archived(&scratch);
    must(log_range(archive, "t", 1, &first, &end, &why));
    cr_expect(first == 10 && end == 20);
    log_close(archive);
    log_close(log);
    scratch_remove(&scratch);
}

Test(archiver, says_that_the_log_dropped_what_it_lacks)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, PARTITIONS);
    struct archive_totals totals;
    struct err err = {0};
    append_some(log, 0, 10);
    must(archive_all(&scratch, log, &totals, &why));
    append_some(log, 10, 10);
    append_some(log, 20, 10);
    must(log_trim(log, "t", 2, 20, &why));
    cr_expect_eq(archive_all(&scratch, log, &totals, &err), ERR_GONE);
    cr_expect(says(&err, "partition 2 of topic t begins at 20, the archive lacks 10"), "%s",
              err.text);
    log_close(log);
    scratch_remove(&scratch);
}

static const struct {
    int events; /* of the log made anew, where 30 were archived */
    const char *words;
} ANEW[] = {
    {0, "at offset 29, the archive's last, the log has nothing"},
    {29, "at offset 29, the archive's last, the log has nothing"},
    {40, "at offset 29, the archive's last, the log has another record"},
};

Test(archiver, notices_a_log_that_was_deleted_and_made_anew)
{
    for (size_t i = 0; i < sizeof ANEW / sizeof *ANEW; i++) {
        struct scratch scratch = scratch_make();
        struct log *log = scratch_log(&scratch, PARTITIONS);
        struct archive_totals totals;
        struct err err = {0};
        char path[128];
        append_some(log, 0, 30);
        must(archive_all(&scratch, log, &totals, &why));
        log_close(log);
        snprintf(path, sizeof path, "%s/log", scratch.path);
        nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
        log = scratch_log(&scratch, PARTITIONS);
        if (ANEW[i].events)
            append_some(log, 100, ANEW[i].events); /* other values at the same offsets */
        cr_expect_eq(archive_all(&scratch, log, &totals, &err), ERR_DATA, "%s", err.text);
        cr_expect(says(&err, ANEW[i].words), "%s", err.text);
        log_close(log);
        scratch_remove(&scratch);
    }
}

Test(archiver, writes_a_removed_segment_anew, .timeout = 30)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, PARTITIONS);
    struct archive_totals totals;
    for (int64_t i = 0; i < 3; i++) {
        append_some(log, 700 * i, 700);
        must(archive_all(&scratch, log, &totals, &why));
    }
    append_some(log, 2100, 50);
    char path[256];
    snprintf(path, sizeof path, "%s/archive/t/1/%020d-%020d.jsonl.zst", scratch.path, 700, 1399);
    cr_assert_eq(unlink(path), 0);
    must(archive_all(&scratch, log, &totals, &why));
    cr_expect_eq(totals.events, 700 + 50 * PARTITIONS);
    check_archived(&scratch, 2150 * PARTITIONS);
    log_close(log);
    scratch_remove(&scratch);
}

struct live {
    const struct scratch *scratch;
    struct log *log;
    struct archive_totals totals;
    int rc;
};

static void *run_live(void *argument)
{
    struct live *live = argument;
    char directory[128];
    snprintf(directory, sizeof directory, "%s/archive", live->scratch->path);
    struct archive_options options = {
        .log = live->log, .topic = "t", .directory = directory, .roll_ms = 20};
    live->rc = archive_run(&options, &live->totals, NULL);
    return NULL;
}

Test(archiver, follows_a_log_rolls_by_age_and_leaves_nothing_behind_when_stopped, .timeout = 20)
{
    struct scratch scratch = scratch_make();
    struct live live = {&scratch, scratch_log(&scratch, PARTITIONS), {0}, 0};
    pthread_t thread;
    stop_ask(false);
    append_some(live.log, 0, 100);
    cr_assert_eq(pthread_create(&thread, NULL, run_live, &live), 0);
    char directory[128];
    snprintf(directory, sizeof directory, "%s/archive/t/0", scratch.path);
    while (file_bytes(directory, "manifest") <= 0) /* rolled though neither full nor stopped */
        clock_sleep_ms(5);
    append_some(live.log, 100, 100);
    for (int64_t end = 0, first; end < 200;) {
        struct log *archive = open_archived(&scratch);
        must(log_range(archive, "t", 2, &first, &end, &why));
        log_close(archive);
        clock_sleep_ms(5);
    }
    stop_ask(true);
    pthread_join(thread, NULL);
    cr_expect_eq(live.rc, ERR_INTERRUPTED);
    check_archived(&scratch, 200 * PARTITIONS);
    log_close(live.log);
    scratch_remove(&scratch);
}

/* Killed again and again at seeded steps while it works through a topic. */
Test(archiver, survives_a_chain_of_kills)
{
    static const char *const points[] = {"segment temp", "segment sync", "segment rename",
                                         "segment noted"};
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, PARTITIONS);
    append_some(log, 0, 2000);
    log_close(log);
    struct rng rng;
    rng_init(&rng, 77);
    for (int i = 0; i < 20; i++) {
        char fault[64];
        snprintf(fault, sizeof fault, "%s:%d:kill", points[rng_below(&rng, 4)],
                 1 + (int)rng_below(&rng, 3));
        pid_t child = fork();
        if (child == 0) {
            struct archive_totals totals;
            must(fault_set(fault, &why));
            must(log_open(scratch.uri, false, &log, &why));
            append_some(log, 2000 + 10 * i, 10);
            _exit(archive_all(&scratch, log, &totals, NULL) == 0 ? 0 : 1);
        }
        int status;
        waitpid(child, &status, 0);
        cr_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0, "%s: %x", fault,
                  (unsigned)status);
    }
    struct archive_totals totals;
    log = scratch_log(&scratch, PARTITIONS);
    must(archive_all(&scratch, log, &totals, &why));
    check_archived(&scratch, 2200 * PARTITIONS);
    log_close(log);
    scratch_remove(&scratch);
}
