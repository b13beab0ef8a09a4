/* lambda/archive.c - reads each partition from the archive's end on and rolls segments by age.
 *
 *     log --read--> archive_add --16 MiB, or older than roll_ms--> segment file, manifest
 *
 * No position is kept but the archive's own end: what it holds and where to go on cannot differ.
 * That the log is still the one that was archived is seen by the last archived record: the log must
 * have the same one at its offset, or must have dropped it for age.
 * Columnar files are made from the segments that stand, so they are never ahead of them. */
#include "lambda/archive.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/stop.h"
#include "lambda/columnar.h"

enum { READ_WAIT_MS = 100 };

struct archiver {
    const struct archive_options *options;
    int partitions;
    struct archive_writer *writer;
    struct log_reader *reader;
    int64_t *end;           /* where each partition is done; INT64_MAX: never */
    int64_t begin, to_read; /* positions at the start: done, and in all; for progress */
    int64_t started_ns, said_ns;
    struct columnar_maker *maker; /* NULL: no columns are wanted */
    int64_t made, filled_ns;      /* columnar files; when they were looked after last */
};

static int made_anew(const struct archiver *archiver, int partition, int64_t offset,
                     const char *what, struct err *err)
{
    return err_set(err, ERR_DATA,
                   "partition %d of topic %s is not the log that was archived: at offset %lld, the "
                   "archive's last, %s. Was it deleted and made anew? Archive it into another "
                   "directory than %s",
                   partition, archiver->options->topic, (long long)offset, what,
                   archiver->options->directory);
}

/* The hash of the archive's record at offset, through the archive's own reader. */
static int archived_hash(const struct archiver *archiver, int partition, int64_t offset,
                         uint64_t *hash, struct err *err)
{
    struct buf uri = {0};
    struct log *archive = NULL;
    struct log_reader *reader = NULL;
    struct log_batch batch = {0};
    buf_printf(&uri, "archive:%s", archiver->options->directory);
    int rc = log_open(uri.ptr, false, &archive, err);
    rc = rc ? rc : log_reader_open(archive, archiver->options->topic, &partition, 1, &reader, err);
    rc = rc ? rc : log_get(reader, partition, offset, &batch, err);
    if (batch.count == 1)
        *hash = log_record_hash(batch.key[0], batch.value[0]);
    log_reader_close(reader);
    log_close(archive);
    buf_release(&uri);
    return rc < 0 ? rc : 0;
}

/* The log's record at the archive's last offset must be the archived one. */
static int check_same_log(const struct archiver *archiver, int partition, int64_t log_first,
                          struct err *err)
{
    int64_t last;
    uint64_t hash = 0;
    struct log_batch batch;
    if (!archive_last(archiver->writer, partition, &last) || last < log_first)
        return 0;
    int rc = log_get(archiver->reader, partition, last, &batch, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return made_anew(archiver, partition, last, "the log has nothing", err);
    uint64_t in_log = log_record_hash(batch.key[0], batch.value[0]);
    rc = archived_hash(archiver, partition, last, &hash, err);
    if (rc < 0)
        return rc;
    return hash == in_log ? 0
                          : made_anew(archiver, partition, last, "the log has another record", err);
}

/* Find where a partition goes on, check that it can, and seek there. */
static int begin_partition(struct archiver *archiver, int partition, struct err *err)
{
    const struct archive_options *options = archiver->options;
    int64_t first, end, last, next = archive_next(archiver->writer, partition);
    int rc = log_range(options->log, options->topic, partition, &first, &end, err);
    rc = rc ? rc : check_same_log(archiver, partition, first, err);
    if (rc < 0)
        return rc;
    if (!archive_last(archiver->writer, partition, &last))
        next = first; /* nothing is archived yet: begin where the log does */
    if (next < first)
        return err_set(err, ERR_GONE,
                       "partition %d of topic %s begins at %lld, the archive lacks %lld and what "
                       "follows: the log dropped it before it was archived; archive into another "
                       "directory than %s",
                       partition, options->topic, (long long)first, (long long)next,
                       options->directory);
    archiver->end[partition] = options->until_end ? end : INT64_MAX;
    archiver->begin += next;
    archiver->to_read += end;
    return log_seek(archiver->reader, partition, next, err);
}

static int begin(struct archiver *archiver, struct err *err)
{
    const struct archive_options *options = archiver->options;
    int count = log_partitions(options->log, options->topic, err);
    if (count < 0)
        return count;
    archiver->partitions = count;
    archiver->end = mem_zero((size_t)count, sizeof *archiver->end);
    int all[LOG_PARTITIONS_MAX];
    for (int p = 0; p < count; p++)
        all[p] = p;
    int rc = archive_open(options->directory, options->topic, count, &archiver->writer, err);
    rc =
        rc ? rc : log_reader_open(options->log, options->topic, all, count, &archiver->reader, err);
    for (int p = 0; p < count && rc == 0; p++)
        rc = begin_partition(archiver, p, err);
    if (rc == 0 && options->columnar)
        rc = columnar_maker_open(options->directory, options->topic, count, options->columnar,
                                 &archiver->maker, err);
    return rc;
}

/* Roll the segments that are older than age_ms. */
static int roll(struct archiver *archiver, int64_t age_ms, struct err *err)
{
    int rc = 0;
    for (int p = 0; p < archiver->partitions && rc >= 0; p++)
        if (archive_pending_ms(archiver->writer, p) >= age_ms)
            rc = archive_roll(archiver->writer, p, err);
    return rc < 0 ? rc : 0;
}

/* Make the columnar files that are missing by now; not more often than segments are rolled. */
static int make_columns(struct archiver *archiver, int64_t age_ms, struct err *err)
{
    int64_t now = clock_mono_ns();
    if (!archiver->maker || now - archiver->filled_ns < age_ms * 1000000)
        return 0;
    int rc = columnar_maker_fill(archiver->maker, err);
    archiver->made += rc > 0 ? rc : 0;
    archiver->filled_ns = clock_mono_ns();
    return rc < 0 ? rc : 0;
}

/* What lies behind the partition's end is left for the next run. */
static void clip(struct log_batch *batch, int64_t end)
{
    if (batch->next <= end)
        return;
    while (batch->count > 0 && batch->offset[batch->count - 1] >= end)
        batch->count--;
    batch->next = end;
}

static int add(struct archiver *archiver, struct log_batch *batch, struct err *err)
{
    int p = batch->partition;
    clip(batch, archiver->end[p]);
    int rc = archive_add(archiver->writer, batch, err);
    int64_t next = archive_next(archiver->writer, p);
    if (rc == 0 && next != batch->next)
        rc = log_seek(archiver->reader, p, next, err);
    if (next >= archiver->end[p])
        log_pause(archiver->reader, p, true);
    return rc;
}

static int64_t positions_done(const struct archiver *archiver)
{
    int64_t sum = -archiver->begin;
    for (int p = 0; p < archiver->partitions; p++)
        sum += archive_next(archiver->writer, p);
    return sum;
}

static bool at_end(const struct archiver *archiver)
{
    for (int p = 0; p < archiver->partitions; p++)
        if (archive_next(archiver->writer, p) < archiver->end[p])
            return false;
    return true;
}

static void say_progress(struct archiver *archiver)
{
    int64_t now = clock_mono_ns();
    if (!archiver->options->progress || now - archiver->said_ns < 1000000000)
        return;
    archiver->said_ns = now;
    double seconds = (double)(now - archiver->started_ns) / 1e9;
    int64_t done = positions_done(archiver), all = archiver->to_read - archiver->begin;
    double rate = (double)done / seconds;
    fprintf(stderr, "archive: %lld events, %.0f/s", (long long)done, rate);
    if (archiver->options->until_end && all > 0 && rate > 0)
        fprintf(stderr, ", %.0f %%, %.0f s left", 100.0 * (double)done / (double)all,
                (double)(all - done) / rate);
    fputc('\n', stderr);
}

/* Read, add, roll, until the end or until asked to stop. */
static int copy(struct archiver *archiver, struct err *err)
{
    int64_t roll_ms = archiver->options->roll_ms;
    int wait_ms = roll_ms < READ_WAIT_MS ? (int)roll_ms : READ_WAIT_MS;
    while (!at_end(archiver) && !stop_asked()) {
        struct log_batch batch;
        int rc = log_read(archiver->reader, LOG_BATCH_MAX, wait_ms, &batch, err);
        if (rc >= 0 && batch.partition >= 0) /* 0 records: its position alone has moved */
            rc = add(archiver, &batch, err);
        rc = rc < 0 ? rc : roll(archiver, roll_ms, err);
        rc = rc < 0 ? rc : make_columns(archiver, roll_ms, err);
        if (rc < 0)
            return rc;
        say_progress(archiver);
    }
    int rc = roll(archiver, 0, err);
    rc = rc ? rc : make_columns(archiver, 0, err);
    if (rc == 0 && !at_end(archiver))
        rc = err_set(err, ERR_INTERRUPTED, "interrupted; all that was read is archived");
    return rc;
}

int archive_run(const struct archive_options *options, struct archive_totals *totals,
                struct err *err)
{
    struct archiver archiver = {
        .options = options, .started_ns = clock_mono_ns(), .said_ns = clock_mono_ns()};
    int rc = begin(&archiver, err);
    rc = rc ? rc : copy(&archiver, err);
    *totals = archiver.writer ? archive_totals(archiver.writer) : (struct archive_totals){0};
    totals->columnar = archiver.made;
    columnar_maker_close(archiver.maker);
    log_reader_close(archiver.reader);
    archive_close(archiver.writer);
    free(archiver.end);
    return rc;
}
