/* tests/common/log/test_archive.c - segments: what goes in comes out, whatever kills the writer. */
#include <signal.h>
#include <sys/wait.h>

#include "common/base/fault.h"
#include "common/base/rng.h"
#include "common/log/archive_files.h"
#include "tests/common/log/scratch.h"

enum { EVENTS = 500 };

/* Seeded records with everything that could go wrong in a line-based file. */
struct sample {
    int64_t offset[EVENTS], time_ms[EVENTS], due_ns[EVENTS];
    struct bytes key[EVENTS], value[EVENTS];
    char bytes[100000];
};

static struct sample *sample_make(uint64_t seed)
{
    struct sample *sample = mem_zero(1, sizeof *sample);
    struct rng rng;
    rng_init(&rng, seed);
    for (size_t i = 0; i < sizeof sample->bytes; i++)
        sample->bytes[i] = (char)(rng_below(&rng, 8) ? rng_below(&rng, 256) : '\n');
    int64_t offset = 1000;
    for (int i = 0; i < EVENTS; i++) {
        offset += rng_below(&rng, 10) && i % 100 ? 1 : 2 + (int64_t)rng_below(&rng, 5); /* gaps */
        sample->offset[i] = offset;
        sample->time_ms[i] = 1600000000000 + i / 3;
        sample->due_ns[i] = rng_below(&rng, 2) ? (int64_t)rng_u64(&rng) : 0;
        sample->key[i] = (struct bytes){sample->bytes + i, rng_below(&rng, 20)};
        if (rng_below(&rng, 3) == 0)
            sample->key[i] = (struct bytes){NULL, 0};
        sample->value[i] = (struct bytes){sample->bytes + 7 * i, rng_below(&rng, 300)};
    }
    return sample;
}

/* Events first .. first + n - 1 as the batch of partition 0 that a log would give. A gap behind it
 * belongs to it or to the next one: a log may do either. */
static struct log_batch sample_batch(const struct sample *sample, int first, int n)
{
    int64_t next = sample->offset[first + n - 1] + 1;
    if (first / 100 % 2 == 0 && first + n < EVENTS)
        next = sample->offset[first + n];
    if (first + n == EVENTS)
        next += 3;
    return (struct log_batch){0,
                              n,
                              sample->offset + first,
                              sample->time_ms + first,
                              sample->due_ns + first,
                              sample->key + first,
                              sample->value + first,
                              next};
}

/* Index of the first event at or above a position. */
static int sample_at(const struct sample *sample, int64_t position)
{
    int i = 0;
    while (i < EVENTS && sample->offset[i] < position)
        i++;
    return i;
}

/* Archive all from where the archive stands, a segment every 100 events; holes first. */
static int archive_sample(const char *directory, const struct sample *sample, struct err *err)
{
    struct archive_writer *writer;
    int rc = archive_open(directory, "t", 1, &writer, err);
    if (rc < 0)
        return rc;
    while (rc >= 0) {
        int first = sample_at(sample, archive_next(writer, 0));
        if (first == EVENTS)
            break;
        struct log_batch batch =
            sample_batch(sample, first, EVENTS - first < 100 ? EVENTS - first : 100);
        rc = archive_add(writer, &batch, err);
        rc = rc < 0 ? rc : archive_roll(writer, 0, err);
    }
    archive_close(writer);
    return rc < 0 ? rc : 0;
}

static struct log *open_archive(const char *directory)
{
    char uri[128];
    struct log *log = NULL;
    snprintf(uri, sizeof uri, "archive:%s", directory);
    must(log_open(uri, false, &log, &why));
    return log;
}

static void check_event(const struct sample *sample, const struct log_batch *batch, int i, int at)
{
    cr_assert_eq(batch->offset[i], sample->offset[at]);
    cr_assert_eq(batch->time_ms[i], sample->time_ms[at]);
    cr_assert_eq(batch->due_ns[i], sample->due_ns[at]);
    cr_assert(same_bytes(batch->key[i], sample->key[at]), "key of %d", at);
    cr_assert(same_bytes(batch->value[i], sample->value[at]), "value of %d", at);
}

/* Read all from position `from`, at most max at a time; each event must be the sample's. */
static int check_archive(const char *directory, const struct sample *sample, int64_t from, int max)
{
    struct log *log = open_archive(directory);
    struct log_reader *reader = open_reader(log, 1);
    struct log_batch batch;
    int at = sample_at(sample, from);
    must(log_seek(reader, 0, from, &why));
    do {
        must(log_read(reader, max, 0, &batch, &why));
        cr_assert(batch.count <= max);
        for (int i = 0; i < batch.count; i++)
            check_event(sample, &batch, i, at++);
        cr_assert(batch.count == 0 || batch.next > batch.offset[batch.count - 1]);
    } while (batch.count > 0);
    log_reader_close(reader);
    log_close(log);
    return at;
}

Test(archive, gives_back_every_event_with_its_gaps_and_newlines)
{
    struct scratch scratch = scratch_make();
    struct sample *sample = sample_make(1);
    must(archive_sample(scratch.path, sample, &why));
    const int maxima[] = {1, 33, LOG_BATCH_MAX};
    for (int i = 0; i < 3; i++)
        cr_expect_eq(check_archive(scratch.path, sample, sample->offset[0], maxima[i]), EVENTS);
    int64_t last = sample->offset[EVENTS - 1];
    for (int64_t from = sample->offset[0]; from <= last; from += 13) /* also within gaps */
        cr_expect_eq(check_archive(scratch.path, sample, from, 50), EVENTS);
    free(sample);
    scratch_remove(&scratch);
}

Test(archive, range_get_and_time_look_into_segments)
{
    struct scratch scratch = scratch_make();
    struct sample *sample = sample_make(2);
    must(archive_sample(scratch.path, sample, &why));
    struct log *log = open_archive(scratch.path);
    struct log_reader *reader = open_reader(log, 1);
    struct log_batch batch;
    int64_t first, end, offset;
    must(log_range(log, "t", 0, &first, &end, &why));
    cr_expect_eq(first, sample->offset[0]);
    cr_expect_eq(end, sample->offset[EVENTS - 1] + 4);
    for (int i = EVENTS - 1; i >= 0; i -= 7) {
        must(log_get(reader, 0, sample->offset[i], &batch, &why));
        cr_assert_eq(batch.count, 1);
        check_event(sample, &batch, 0, i);
        must(log_offset_at(log, "t", 0, sample->time_ms[i], &offset, &why));
        cr_assert_eq(offset, sample->offset[i - i % 3], "time of %d", i);
    }
    cr_expect_eq(log_get(reader, 0, end, &batch, NULL), 0);
    cr_expect_eq(log_get(reader, 0, first - 1, &batch, NULL), 0);
    must(log_offset_at(log, "t", 0, INT64_MAX, &offset, &why));
    cr_expect_eq(offset, end);
    log_reader_close(reader);
    log_close(log);
    free(sample);
    scratch_remove(&scratch);
}

Test(archive, a_position_outside_is_gone)
{
    struct scratch scratch = scratch_make();
    struct sample *sample = sample_make(3);
    must(archive_sample(scratch.path, sample, &why));
    struct log *log = open_archive(scratch.path);
    struct log_reader *reader = open_reader(log, 1);
    struct log_batch batch;
    struct err err = {0};
    cr_expect_eq(log_read(reader, 10, 0, &batch, &err), ERR_GONE);
    cr_expect(says(&err, "offset 0 is gone: partition 0 of the archive of t begins at 1"), "%s",
              err.text);
    err_clear(&err);
    cr_expect_eq(log_seek(reader, 0, 99999, &err), ERR_GONE);
    cr_expect(says(&err, "offset 99999 is not there"), "%s", err.text);
    log_reader_close(reader);
    log_close(log);
    free(sample);
    scratch_remove(&scratch);
}

Test(archive, a_reader_sees_segments_that_are_noted_after_it_came_to_the_end)
{
    struct scratch scratch = scratch_make();
    struct sample *sample = sample_make(4);
    struct archive_writer *writer;
    must(archive_open(scratch.path, "t", 1, &writer, &why));
    struct log *log = open_archive(scratch.path);
    struct log_reader *reader = open_reader(log, 1);
    struct log_batch batch;
    must(log_read(reader, 1000, 1000, &batch, &why));
    cr_expect_eq(batch.count, 0);
    for (int first = 0; first < EVENTS; first += 100) {
        batch = sample_batch(sample, first, 100);
        must(archive_add(writer, &batch, &why));
        if (first > 0) {
            must(log_read(reader, 1000, 0, &batch, &why));
            cr_expect_eq(batch.count, 0, "not rolled yet");
        }
        must(archive_roll(writer, 0, &why));
        must(log_seek(reader, 0, sample->offset[first], &why));
        must(log_read(reader, 1000, 0, &batch, &why));
        cr_assert_eq(batch.count, 100);
        check_event(sample, &batch, 99, first + 99);
    }
    archive_close(writer);
    log_reader_close(reader);
    log_close(log);
    free(sample);
    scratch_remove(&scratch);
}

Test(archive, zstdcat_shows_the_values_line_by_line)
{
    struct scratch scratch = scratch_make();
    struct archive_writer *writer;
    struct bytes keys[3] = {{NULL, 0}, {"k", 1}, {"kk", 2}};
    struct bytes values[3] = {bytes_of("{\"a\":1}"), bytes_of(""), bytes_of("{\"a\":3}")};
    int64_t numbers[3] = {0, 1, 2};
    struct log_batch batch = {0, 3, numbers, numbers, numbers, keys, values, 3};
    must(archive_open(scratch.path, "t", 1, &writer, &why));
    must(archive_add(writer, &batch, &why));
    must(archive_roll(writer, 0, &why));
    archive_close(writer);
    char command[256], text[100] = "";
    snprintf(command, sizeof command, "zstd -dcq %s/t/0/%020d-%020d.jsonl.zst", scratch.path, 0, 2);
    FILE *pipe = popen(command, "r");
    size_t got = fread(text, 1, sizeof text - 1, pipe);
    text[got] = 0;
    if (pclose(pipe) == 127 << 8)
        cr_skip_test("needs zstd");
    cr_expect_str_eq(text, "{\"a\":1}\n\n{\"a\":3}\n");
    scratch_remove(&scratch);
}

Test(archive, closes_a_segment_by_itself_when_it_is_large)
{
    struct scratch scratch = scratch_make();
    struct archive_writer *writer;
    static char large[6 << 20];
    struct bytes key = {NULL, 0}, value = {large, sizeof large};
    must(archive_open(scratch.path, "t", 1, &writer, &why));
    for (int64_t i = 0; i < 7; i++) {
        struct log_batch batch = {0, 1, &i, &i, &i, &key, &value, i + 1};
        must(archive_add(writer, &batch, &why));
    }
    int64_t last = -1;
    cr_expect(archive_last(writer, 0, &last));
    cr_expect_eq(last, 5); /* two segments of three */
    cr_expect_eq(archive_totals(writer).segments, 2);
    archive_close(writer);
    scratch_remove(&scratch);
}

static int files_like(const char *directory, const char *part)
{
    int count = 0;
    DIR *dir = opendir(directory);
    cr_assert_not_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += strstr(entry->d_name, part) != NULL;
    closedir(dir);
    return count;
}

/* The first passing of temp, sync and rename writes the topic's mark; the others are segments. */
static const char *const POINTS[] = {"segment temp", "segment sync", "segment rename",
                                     "segment noted"};

static void run_faulty(const char *directory, const struct sample *sample, const char *fault)
{
    pid_t child = fork();
    if (child == 0) {
        must(fault_set(fault, &why));
        _exit(archive_sample(directory, sample, NULL) == 0 ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s: %x", fault,
              (unsigned)status);
}

Test(archive, killed_at_any_step_it_goes_on_exactly_once)
{
    struct sample *sample = sample_make(5);
    for (size_t point = 0; point < 4; point++)
        for (int nth = 1; nth <= 4; nth++) {
            struct scratch scratch = scratch_make();
            char fault[64], directory[128];
            snprintf(fault, sizeof fault, "%s:%d:kill", POINTS[point], nth);
            snprintf(directory, sizeof directory, "%s/t/0", scratch.path);
            run_faulty(scratch.path, sample, fault);
            run_faulty(scratch.path, sample,
                       "segment sync:1:kill"); /* and once more at its heels */
            must(archive_sample(scratch.path, sample, &why));
            cr_expect_eq(check_archive(scratch.path, sample, sample->offset[0], 64), EVENTS, "%s",
                         fault);
            cr_expect_eq(files_like(directory, ".tmp"), 0, "%s", fault);
            cr_expect_eq(files_like(directory, ".jsonl.zst"), 5, "%s", fault);
            scratch_remove(&scratch);
        }
    free(sample);
}

Test(archive, a_full_disk_at_any_step_is_said_and_loses_nothing)
{
    struct sample *sample = sample_make(6);
    for (size_t point = 0; point < 4; point++)
        for (int nth = 2; nth <= 4; nth++) {
            struct scratch scratch = scratch_make();
            char fault[64], directory[128];
            struct err err = {0};
            snprintf(fault, sizeof fault, "%s:%d:error", POINTS[point], nth);
            snprintf(directory, sizeof directory, "%s/t/0", scratch.path);
            must(fault_set(fault, &why));
            cr_expect_eq(archive_sample(scratch.path, sample, &err), ERR_FULL, "%s: %s", fault,
                         err.text);
            cr_expect(says(&err, "No space left"), "%s", err.text);
            cr_expect_eq(files_like(directory, ".tmp"), 0, "%s", fault);
            int files = files_like(directory, ".jsonl.zst"); /* each is noted */
            cr_expect(files == 0 ||
                          check_archive(scratch.path, sample, sample->offset[0], 64) == 100 * files,
                      "%s", fault);
            must(fault_set(NULL, &why));
            must(archive_sample(scratch.path, sample, &why));
            cr_expect_eq(check_archive(scratch.path, sample, sample->offset[0], 64), EVENTS, "%s",
                         fault);
            scratch_remove(&scratch);
        }
    free(sample);
}

static void change_byte(const char *path, long at)
{
    FILE *file = fopen(path, "r+");
    cr_assert_not_null(file);
    cr_assert_eq(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    int byte = fgetc(file);
    cr_assert_eq(fseek(file, -1, SEEK_CUR), 0);
    cr_assert_neq(fputc(byte ^ 4, file), EOF);
    fclose(file);
}

/* The path of the segment that begins with event i of the sample. */
static void segment_path(const struct scratch *scratch, const struct sample *sample, int i,
                         char out[256])
{
    snprintf(out, 256, "%s/t/0/%020" PRId64 "-%020" PRId64 ".jsonl.zst", scratch->path,
             sample->offset[i], sample->offset[i + 99]);
}

Test(archive, a_flipped_byte_anywhere_in_a_segment_is_noticed_and_named)
{
    struct scratch scratch = scratch_make();
    struct sample *sample = sample_make(7);
    must(archive_sample(scratch.path, sample, &why));
    char path[256];
    segment_path(&scratch, sample, 200, path);
    const long places[] = {0, 100, 3000, -17, -9, -1, -1000};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct log *log = open_archive(scratch.path);
        struct log_reader *reader = open_reader(log, 1);
        struct log_batch batch;
        struct err err = {0};
        change_byte(path, places[i]);
        must(log_seek(reader, 0, sample->offset[200], &why));
        cr_expect_eq(log_read(reader, 10, 0, &batch, &err), ERR_DATA, "byte %ld", places[i]);
        cr_expect(says(&err, path) && says(&err, "remove it and run `lk lambda archive`"), "%s",
                  err.text);
        change_byte(path, places[i]);
        log_reader_close(reader);
        log_close(log);
    }
    free(sample);
    scratch_remove(&scratch);
}

Test(archive, a_segment_of_another_format_is_not_called_damaged)
{
    struct scratch scratch = scratch_make();
    struct sample *sample = sample_make(7);
    must(archive_sample(scratch.path, sample, &why));
    char path[256], whole[1 << 16];
    segment_path(&scratch, sample, 200, path);
    FILE *file = fopen(path, "r+b");
    size_t bytes = fread(whole, 1, sizeof whole, file);
    const char *magic = memmem(whole, bytes, "LKSEG\0\0\2", 8);
    cr_assert_not_null(magic);
    fseek(file, magic + 7 - whole, SEEK_SET);
    fputc(1, file);
    fclose(file);
    struct log *log = open_archive(scratch.path);
    struct log_reader *reader = open_reader(log, 1);
    struct log_batch batch;
    struct err err = {0};
    must(log_seek(reader, 0, sample->offset[200], &why));
    cr_expect_eq(log_read(reader, 10, 0, &batch, &err), ERR_DATA);
    cr_expect(says(&err, path) && says(&err, "another release of lk"), "%s", err.text);
    log_reader_close(reader);
    log_close(log);
    free(sample);
    scratch_remove(&scratch);
}

Test(archive, a_removed_segment_is_written_anew)
{
    struct scratch scratch = scratch_make();
    struct sample *sample = sample_make(8);
    must(archive_sample(scratch.path, sample, &why));
    char path[256];
    const int removed[] = {0, 200, 300};
    for (int i = 0; i < 3; i++) {
        segment_path(&scratch, sample, removed[i], path);
        cr_assert_eq(unlink(path), 0);
    }
    must(archive_sample(scratch.path, sample, &why));
    cr_expect_eq(check_archive(scratch.path, sample, sample->offset[0], 64), EVENTS);
    free(sample);
    scratch_remove(&scratch);
}

Test(archive, a_removed_segment_is_not_filled_with_other_events)
{
    struct scratch scratch = scratch_make();
    struct sample *sample = sample_make(9), *other = sample_make(10);
    must(archive_sample(scratch.path, sample, &why));
    char path[256];
    struct err err = {0};
    segment_path(&scratch, sample, 100, path);
    cr_assert_eq(unlink(path), 0);
    cr_expect_eq(archive_sample(scratch.path, other, &err), ERR_DATA);
    cr_expect(says(&err, "the log holds other events there now"), "%s", err.text);
    free(sample);
    free(other);
    scratch_remove(&scratch);
}

/* What a manifest may look like after an accident, and what becomes of it. */
static const struct {
    const char *script; /* run in DIR/t/0 */
    int code;           /* of opening the archive for writing */
    const char *words;
} ACCIDENTS[] = {
    {"printf '{\"file\":\"0000' >> manifest", 0, ""},
    {"head -c -20 manifest > m && mv m manifest", 0, ""},
    {"rm manifest", 0, ""},
    {"touch .tmp-manifest .tmp-77", 0, ""},
    {"sed -i 2d manifest", ERR_DATA, "line 2 does not begin where the one before it ends"},
    {"sed -i '3s/from/form/' manifest", ERR_DATA, "line 3 is not ours"},
};

static int64_t end_when_opened(const char *directory)
{
    struct archive_writer *writer;
    must(archive_open(directory, "t", 1, &writer, &why));
    int64_t end = archive_next(writer, 0);
    archive_close(writer);
    return end;
}

Test(archive, a_damaged_manifest_is_mended_or_named)
{
    struct sample *sample = sample_make(11);
    for (size_t i = 0; i < sizeof ACCIDENTS / sizeof *ACCIDENTS; i++) {
        struct scratch scratch = scratch_make();
        char command[256];
        struct err err = {0};
        must(archive_sample(scratch.path, sample, &why));
        snprintf(command, sizeof command, "cd %s/t/0 && %s", scratch.path, ACCIDENTS[i].script);
        cr_assert_eq(system(command), 0);
        if (ACCIDENTS[i].code == 0) /* the segments tell what the manifest has lost */
            cr_expect_eq(end_when_opened(scratch.path), sample->offset[EVENTS - 1] + 4, "%s",
                         ACCIDENTS[i].script);
        cr_expect_eq(archive_sample(scratch.path, sample, &err), ACCIDENTS[i].code, "%s: %s",
                     ACCIDENTS[i].script, err.text);
        cr_expect(says(&err, ACCIDENTS[i].words), "%s", err.text);
        if (ACCIDENTS[i].code == 0)
            cr_expect_eq(check_archive(scratch.path, sample, sample->offset[0], 64), EVENTS, "%s",
                         ACCIDENTS[i].script);
        scratch_remove(&scratch);
    }
    free(sample);
}

Test(archive, has_one_writer_and_one_number_of_partitions)
{
    struct scratch scratch = scratch_make();
    struct archive_writer *writer, *other;
    struct err err = {0};
    char words[80];
    snprintf(words, sizeof words, "archive of topic t: in use by pid %d", (int)getpid());
    must(archive_open(scratch.path, "t", 2, &writer, &why));
    cr_expect_eq(archive_open(scratch.path, "t", 2, &other, &err), ERR_ENV);
    cr_expect(says(&err, words), "%s", err.text);
    archive_close(writer);
    err_clear(&err);
    cr_expect_eq(archive_open(scratch.path, "t", 3, &other, &err), ERR_USAGE);
    cr_expect(says(&err, "has 2 partitions, the topic 3"), "%s", err.text);
    scratch_remove(&scratch);
}

Test(archive, names_its_topics_when_one_does_not_exist)
{
    struct scratch scratch = scratch_make();
    struct sample *sample = sample_make(12);
    must(archive_sample(scratch.path, sample, &why));
    struct log *log = open_archive(scratch.path);
    struct err err = {0};
    cr_expect_eq(log_partitions(log, "u", &err), ERR_ENV);
    cr_expect(says(&err, "no topic \"u\"; it has t"), "%s", err.text);
    err_clear(&err);
    struct log_record record = {.value = bytes_of("x")};
    cr_expect_eq(log_append(log, "t", 0, &record, 1, &err), ERR_USAGE);
    cr_expect(says(&err, "read only"), "%s", err.text);
    log_close(log);
    free(sample);
    scratch_remove(&scratch);
}
