/* tests/common/log/test_compact.c - segments merged into larger ones: every event stays, at every instant. */
#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>

#include "common/base/fault.h"
#include "common/log/archive_files.h"
#include "tests/common/log/scratch.h"

enum { EVENTS = 600, SMALL = 10, STEP = 3 }; /* offsets 0, 3, 6 ... */

/* Event n: its value says which it is; `bytes` long, at least. */
static struct bytes event_value(int n, size_t bytes, struct buf *buf)
{
    buf_clear(buf);
    buf_printf(buf, "event %d\n", n);
    while (buf->len < bytes)
        buf_add_char(buf, (char)('a' + (buf->len * 7 + (size_t)n) % 26));
    return buf_bytes(buf);
}

static void add_event(struct archive_writer *writer, int n, size_t bytes)
{
    struct buf buf = {0};
    int64_t offset = (int64_t)n * STEP, time_ms = 1600000000000 + n, due_ns = n;
    struct bytes key = n % 4 ? bytes_of("key") : (struct bytes){NULL, 0};
    struct bytes value = event_value(n, bytes, &buf);
    const struct log_batch batch = {0, 1, &offset, &time_ms, &due_ns, &key, &value, offset + STEP};
    must(archive_add(writer, &batch, &why));
    buf_release(&buf);
}

/* Archive events up to `count`, from where the archive stands and holes first, `small` to a segment. */
static void fill(const struct scratch *scratch, int count, int small, size_t bytes)
{
    struct archive_writer *writer;
    must(archive_open(scratch->path, "t", 1, &writer, &why));
    for (;;) {
        int n = (int)((archive_next(writer, 0) + STEP - 1) / STEP);
        if (n >= count)
            break;
        add_event(writer, n, bytes);
        if ((n + 1) % small == 0)
            must(archive_roll(writer, 0, &why));
    }
    must(archive_roll(writer, 0, &why));
    archive_close(writer);
}

static struct log *open_archive(const struct scratch *scratch)
{
    char uri[160];
    struct log *log = NULL;
    snprintf(uri, sizeof uri, "archive:%s", scratch->path);
    must(log_open(uri, false, &log, &why));
    return log;
}

/* Read on until `until`; each event must be the next one. Returns where it ended. */
static int read_on(struct log_reader *reader, int from, int until, size_t bytes)
{
    struct buf buf = {0};
    struct log_batch batch = {.count = 1};
    while (from < until && batch.count > 0) {
        must(log_read(reader, until - from < 7 ? until - from : 7, 0, &batch, &why));
        for (int i = 0; i < batch.count; i++, from++) {
            cr_assert_eq(batch.offset[i], (int64_t)from * STEP, "%" PRId64 " in place of event %d",
                         batch.offset[i], from);
            cr_assert_eq(batch.due_ns[i], from);
            cr_assert_eq(batch.time_ms[i], 1600000000000 + from);
            cr_assert_eq(batch.key[i].ptr == NULL, from % 4 == 0);
            cr_assert(bytes_equal(batch.value[i], event_value(from, bytes, &buf)), "event %d",
                      from);
        }
    }
    buf_release(&buf);
    return from;
}

static void expect_all(const struct scratch *scratch, int count, size_t bytes)
{
    struct log *log = open_archive(scratch);
    struct log_reader *reader = open_reader(log, 1);
    must(log_seek(reader, 0, 0, &why));
    cr_assert_eq(read_on(reader, 0, INT32_MAX, bytes), count);
    log_reader_close(reader);
    log_close(log);
}

static void say(const struct err *why, void *context)
{
    (void)context;
    fprintf(stderr, "%s\n", why->text);
}

/* Nothing is damaged, and no file stands there that the manifest does not name. */
static void expect_tidy(const struct scratch *scratch)
{
    struct archive_health health;
    char path[160];
    int files = 0;
    must(archive_verify(scratch->path, "t", say, NULL, &health, &why));
    cr_assert_eq(health.damaged, 0);
    snprintf(path, sizeof path, "%s/t/0", scratch->path);
    DIR *dir = opendir(path);
    cr_assert_not_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        files += entry->d_name[0] != '.' || entry->d_name[1] == 't';
    closedir(dir);
    cr_assert_eq(files, health.segments + 1, "%d files, %" PRId64 " segments and a manifest", files,
                 health.segments);
}

static struct archive_compaction compact(const struct scratch *scratch)
{
    struct archive_compaction done;
    must(archive_compact(scratch->path, "t", &done, &why));
    return done;
}

static void remove_segment(const struct scratch *scratch, int first, int last)
{
    char path[200];
    snprintf(path, sizeof path, "%s/t/0/%020d-%020d.jsonl.zst", scratch->path, first * STEP,
             last * STEP);
    cr_assert_eq(unlink(path), 0, "%s", path);
}

Test(compact, small_neighbours_become_one_and_a_second_run_finds_nothing_to_do)
{
    struct scratch scratch = scratch_make();
    fill(&scratch, EVENTS, SMALL, 20);
    struct archive_compaction done = compact(&scratch);
    cr_expect_eq(done.segments_before, EVENTS / SMALL);
    cr_expect_eq(done.segments_after, 1);
    cr_expect_lt(done.bytes_after, done.bytes_before);
    expect_all(&scratch, EVENTS, 20);
    expect_tidy(&scratch);
    struct archive_compaction again = compact(&scratch);
    cr_expect_eq(again.segments_before, 1);
    cr_expect_eq(again.bytes_before, done.bytes_after);
    fill(&scratch, EVENTS + 25, SMALL, 20); /* the archiver goes on behind it */
    expect_all(&scratch, EVENTS + 25, 20);
    scratch_remove(&scratch);
}

Test(compact, no_segment_grows_beyond_the_usual_size)
{
    enum { LARGE = 1400 * 1024, COUNT = 100 };
    struct scratch scratch = scratch_make();
    fill(&scratch, COUNT, 3, LARGE); /* 4.2 MiB each: three fit into 16 MiB */
    struct archive_compaction done = compact(&scratch);
    cr_expect_eq(done.segments_before, 34);
    cr_expect_eq(done.segments_after, 11);
    expect_all(&scratch, COUNT, LARGE);
    expect_tidy(&scratch);
    scratch_remove(&scratch);
}

Test(compact, more_merges_than_one_manifest_takes_are_noted_in_turn)
{
    enum { COUNT = 140, BYTES = 8 * 1024 * 1024 - 2 };
    struct scratch scratch = scratch_make();
    fill(&scratch, COUNT, 1, BYTES);
    struct archive_compaction done = compact(&scratch);
    cr_expect_eq(done.segments_before, COUNT);
    cr_expect_eq(done.segments_after, COUNT / 2);
    expect_tidy(&scratch);
    scratch_remove(&scratch);
}

Test(compact, a_missing_segment_stays_missing_and_is_written_anew_as_ever)
{
    struct scratch scratch = scratch_make();
    fill(&scratch, EVENTS, SMALL, 20);
    remove_segment(&scratch, 100, 109);
    remove_segment(&scratch, 590, 599);
    struct archive_compaction done = compact(&scratch);
    cr_expect_eq(done.segments_after, 4); /* [0, 100) hole [110, 590) hole */
    fill(&scratch, EVENTS, SMALL, 20);
    expect_all(&scratch, EVENTS, 20);
    expect_tidy(&scratch);
    cr_expect_eq(compact(&scratch).segments_after, 1);
    expect_all(&scratch, EVENTS, 20);
    scratch_remove(&scratch);
}

Test(compact, a_reader_anywhere_goes_on_at_its_position)
{
    for (int at = 0; at <= EVENTS; at += 37) {
        struct scratch scratch = scratch_make();
        fill(&scratch, EVENTS, SMALL, 20);
        struct log *log = open_archive(&scratch);
        struct log_reader *reader = open_reader(log, 1);
        struct log_batch batch;
        must(log_seek(reader, 0, 0, &why));
        cr_assert_eq(read_on(reader, 0, at, 20), at);
        compact(&scratch);
        cr_assert_eq(read_on(reader, at, INT32_MAX, 20), EVENTS, "from event %d on", at);
        cr_assert_eq(log_get(reader, 0, (int64_t)(EVENTS - 5) * STEP, &batch, NULL), 1);
        fill(&scratch, EVENTS + 30, SMALL, 20); /* lines that stand where others stood */
        cr_assert_eq(read_on(reader, EVENTS, INT32_MAX, 20), EVENTS + 30);
        compact(&scratch);
        fill(&scratch, EVENTS + 60, SMALL, 20);
        cr_assert_eq(read_on(reader, EVENTS + 30, INT32_MAX, 20), EVENTS + 60);
        log_reader_close(reader);
        log_close(log);
        scratch_remove(&scratch);
    }
}

/* ---- cut off ---- */

static const char *const POINTS[] = {"segment temp", "segment sync", "segment rename",
                                     "compact noted", "compact remove"};
enum { POINT_COUNT = sizeof POINTS / sizeof *POINTS };

/* 1: killed there, 0: the point is not passed so often. */
static int killed(const struct scratch *scratch, const char *point, int nth)
{
    char fault[64];
    snprintf(fault, sizeof fault, "%s:%d:kill", point, nth);
    pid_t child = fork();
    if (child == 0) {
        struct archive_compaction done;
        fault_set(fault, NULL);
        _exit(archive_compact(scratch->path, "t", &done, NULL) == 0 ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    cr_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0, "%s: %x", fault, (unsigned)status);
    return WIFSIGNALED(status);
}

Test(compact, killed_at_any_step_the_archive_is_whole_and_the_next_run_tidies_it)
{
    for (int point = 0; point < POINT_COUNT; point++)
        for (int nth = 1, came = 1; came && nth < 8; nth++) {
            struct scratch scratch = scratch_make();
            fill(&scratch, EVENTS, SMALL, 20);
            remove_segment(&scratch, 100, 109); /* two runs */
            fill(&scratch, EVENTS, SMALL, 20);
            struct log *log = open_archive(&scratch);
            struct log_reader *reader = open_reader(log, 1);
            must(log_seek(reader, 0, 0, &why));
            cr_assert_eq(read_on(reader, 0, 205, 20), 205);
            came = killed(&scratch, POINTS[point], nth);
            cr_expect(came || nth > 1, "%s is not passed", POINTS[point]);
            expect_all(&scratch, EVENTS, 20);
            cr_assert_eq(read_on(reader, 205, INT32_MAX, 20), EVENTS);
            if (nth % 2)
                fill(&scratch, EVENTS, SMALL, 20); /* an archiver comes first */
            else
                compact(&scratch);
            expect_tidy(&scratch);
            expect_all(&scratch, EVENTS, 20);
            cr_expect_eq(compact(&scratch).segments_after, 1);
            log_reader_close(reader);
            log_close(log);
            scratch_remove(&scratch);
        }
}

Test(compact, a_failing_disk_is_said_and_loses_nothing)
{
    for (int point = 0; point < POINT_COUNT; point++)
        for (int nth = 1; nth <= 2; nth++) {
            struct scratch scratch = scratch_make();
            struct archive_compaction done;
            struct err err = {0};
            char fault[64];
            if (nth == 2 && strcmp(POINTS[point], "compact noted") == 0)
                continue; /* is passed once */
            fill(&scratch, EVENTS, SMALL, 20);
            snprintf(fault, sizeof fault, "%s:%d:error", POINTS[point], nth);
            must(fault_set(fault, &why));
            cr_expect_lt(archive_compact(scratch.path, "t", &done, &err), 0, "%s", fault);
            cr_expect(says(&err, scratch.path), "%s", err.text);
            must(fault_set(NULL, &why));
            expect_all(&scratch, EVENTS, 20);
            fill(&scratch, EVENTS, SMALL, 20);
            expect_tidy(&scratch);
            scratch_remove(&scratch);
        }
}

/* ---- what else stands there ---- */

static void not_expected(const struct err *damage, void *context)
{
    (void)context;
    cr_expect(false, "%s", damage->text);
}

Test(compact, what_stands_beside_a_segment_goes_with_it_and_is_not_called_useless_before)
{
    struct scratch scratch = scratch_make();
    struct archive_health health;
    char path[220];
    fill(&scratch, EVENTS, SMALL, 20);
    for (int n = 0; n < EVENTS; n += SMALL) {
        snprintf(path, sizeof path, "%s/t/0/%020d-%020d.columns", scratch.path, n * STEP,
                 (n + SMALL - 1) * STEP);
        FILE *file = fopen(path, "w");
        cr_assert_not_null(file);
        fclose(file);
    }
    cr_assert_eq(killed(&scratch, "compact remove", 30), 1);
    must(archive_verify(scratch.path, "t", not_expected, NULL, &health, &why));
    cr_expect_eq(health.columnar_damaged, 0);
    fill(&scratch, EVENTS, SMALL, 20);
    expect_tidy(&scratch);
    scratch_remove(&scratch);
}

Test(compact, is_refused_while_an_archiver_has_the_lock)
{
    struct scratch scratch = scratch_make();
    struct archive_writer *writer;
    struct archive_compaction done;
    struct err err = {0};
    fill(&scratch, EVENTS, SMALL, 20);
    must(archive_open(scratch.path, "t", 1, &writer, &why));
    cr_expect_eq(archive_compact(scratch.path, "t", &done, &err), ERR_ENV);
    cr_expect(says(&err, "archive of topic t"), "%s", err.text);
    archive_close(writer);
    cr_expect_eq(compact(&scratch).segments_after, 1);
    scratch_remove(&scratch);
}

Test(compact, a_damaged_segment_is_named_and_nothing_is_lost)
{
    struct scratch scratch = scratch_make();
    struct archive_compaction done;
    struct err err = {0};
    char path[200];
    fill(&scratch, EVENTS, SMALL, 20);
    snprintf(path, sizeof path, "%s/t/0/%020d-%020d.jsonl.zst", scratch.path, 300 * STEP,
             309 * STEP);
    FILE *file = fopen(path, "r+");
    cr_assert_not_null(file);
    fputc('x', file);
    fclose(file);
    cr_expect_eq(archive_compact(scratch.path, "t", &done, &err), ERR_DATA);
    cr_expect(says(&err, path), "%s", err.text);
    cr_assert_eq(unlink(path), 0);
    fill(&scratch, EVENTS, SMALL, 20);
    expect_all(&scratch, EVENTS, 20);
    expect_tidy(&scratch);
    scratch_remove(&scratch);
}
