/* common/log/archive_reader.c - the archive as a log: `archive:DIR`, topics are its directories.
 *
 * One segment is in memory at a time, checked against the manifest's checksum when it is opened;
 * batches are slices of its arrays, so a read costs nothing a record. Partitions take turns segment
 * by segment. The archive never waits: at its end a read returns 0 at once; segments that a writer
 * has noted since are seen by the next read. */
#include "common/log/archive_files.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

struct archive_log {
    char *directory;
};

struct position {
    int partition;
    bool paused;
    int64_t next;
    struct archive_manifest manifest;
};

struct reader {
    char *topic;
    int count, turn;
    struct position *positions;
    struct archive_segment segment; /* being served */
    struct position *from;          /* whose it is; NULL: none */
    int index;                      /* next record of it */
    struct archive_segment single;  /* what get looked into last */
    int single_partition;           /* -1: nothing */
};

static int archive_log_open(const char *where, bool create, void **handle, struct err *err)
{
    struct stat st;
    if (create)
        return err_set(err, ERR_USAGE, "archive:%s is read only; `lk lambda archive` fills it",
                       where);
    if (stat(where, &st) != 0)
        return err_errno(err, ERR_ENV, "cannot open the archive %s (`lk lambda archive` makes one)",
                         where);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_ENV, "%s is not a directory; an archive is one", where);
    struct archive_log *log = mem_alloc(sizeof *log);
    log->directory = mem_copy_string(where);
    *handle = log;
    return 0;
}

static void archive_log_close(void *handle)
{
    struct archive_log *log = handle;
    free(log->directory);
    free(log);
}

static int unknown_topic(const struct archive_log *log, const char *topic, struct err *err)
{
    struct buf names = {0};
    DIR *dir = opendir(log->directory);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] != '.' && archive_partitions(log->directory, entry->d_name, NULL) > 0)
            buf_printf(&names, "%s%s", names.len ? ", " : "", entry->d_name);
    if (dir)
        closedir(dir);
    int rc = err_set(err, ERR_ENV, "the archive %s has no topic \"%s\"; it has %s", log->directory,
                     topic, names.len ? names.ptr : "none, `lk lambda archive` fills it");
    buf_release(&names);
    return rc;
}

static int archive_log_partitions(void *handle, const char *topic, struct err *err)
{
    const struct archive_log *log = handle;
    int count = archive_partitions(log->directory, topic, err);
    return count == 0 ? unknown_topic(log, topic, err) : count;
}

static int64_t first_of(const struct archive_manifest *manifest)
{
    return manifest->count ? manifest->entries[0].from : 0;
}

static int archive_log_range(void *handle, const char *topic, int partition, int64_t *first,
                             int64_t *end, struct err *err)
{
    struct archive_manifest manifest;
    archive_manifest_init(&manifest, ((struct archive_log *)handle)->directory, topic, partition);
    int rc = archive_manifest_read(&manifest, err);
    *first = first_of(&manifest);
    *end = archive_manifest_end(&manifest);
    archive_manifest_release(&manifest);
    return rc;
}

static int find_time(struct archive_manifest *manifest, int64_t time_ms, int64_t *offset,
                     struct err *err)
{
    int i = 0;
    while (i < manifest->count && manifest->entries[i].time_ms < time_ms)
        i++;
    *offset = archive_manifest_end(manifest);
    if (i == manifest->count)
        return 0;
    struct archive_segment segment = {0};
    int rc = archive_manifest_open(manifest, manifest->entries[i].from, &segment, &i, err);
    for (int j = segment.count - 1; j >= 0 && segment.time_ms[j] >= time_ms; j--)
        *offset = segment.offset[j];
    archive_segment_release(&segment);
    return rc < 0 ? rc : 0;
}

static int archive_log_offset_at(void *handle, const char *topic, int partition, int64_t time_ms,
                                 int64_t *offset, struct err *err)
{
    struct archive_manifest manifest;
    archive_manifest_init(&manifest, ((struct archive_log *)handle)->directory, topic, partition);
    int rc = archive_manifest_read(&manifest, err);
    rc = rc ? rc : find_time(&manifest, time_ms, offset, err);
    archive_manifest_release(&manifest);
    return rc;
}

static int archive_reader_open(void *handle, const char *topic, const int *partitions, int n,
                               void **out, struct err *err)
{
    (void)err;
    struct reader *reader = mem_zero(1, sizeof *reader);
    reader->topic = mem_copy_string(topic);
    reader->count = n;
    reader->single_partition = -1;
    reader->positions = mem_zero((size_t)n, sizeof *reader->positions);
    for (int i = 0; i < n; i++) {
        reader->positions[i].partition = partitions[i];
        archive_manifest_init(&reader->positions[i].manifest,
                              ((struct archive_log *)handle)->directory, topic, partitions[i]);
    }
    *out = reader;
    return 0;
}

static void archive_reader_close(void *handle)
{
    struct reader *reader = handle;
    for (int i = 0; i < reader->count; i++)
        archive_manifest_release(&reader->positions[i].manifest);
    archive_segment_release(&reader->segment);
    archive_segment_release(&reader->single);
    free(reader->positions);
    free(reader->topic);
    free(reader);
}

static struct position *position_of(struct reader *reader, int partition)
{
    for (int i = 0; i < reader->count; i++)
        if (reader->positions[i].partition == partition)
            return &reader->positions[i];
    assert(!"a partition that this reader was not opened for");
    return NULL;
}

/* ERR_GONE unless the archive covers position or ends there. */
static int check_position(const struct reader *reader, const struct position *at, int64_t position,
                          struct err *err)
{
    int64_t first = first_of(&at->manifest), end = archive_manifest_end(&at->manifest);
    if (position >= first && position <= end)
        return 0;
    return err_set(err, ERR_GONE,
                   position < first
                       ? "offset %lld is gone: partition %d of the archive of %s begins at %lld"
                       : "offset %lld is not there: partition %d of the archive of %s ends at %lld",
                   (long long)position, at->partition, reader->topic,
                   (long long)(position < first ? first : end));
}

/* The first record at or above offset; count if there is none. */
static int find_record(const struct archive_segment *segment, int64_t offset)
{
    int low = 0, high = segment->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (segment->offset[middle] >= offset)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* A position in the segment being served needs no other: by-time batches skip blocks of it. */
static bool stay(struct reader *reader, int64_t position)
{
    const struct archive_segment *segment = &reader->segment;
    if (position < segment->entry.from || position >= segment->entry.next)
        return false;
    reader->index = find_record(segment, position);
    return reader->index < segment->count;
}

static int archive_reader_seek(void *handle, int partition, int64_t position, struct err *err)
{
    struct reader *reader = handle;
    struct position *at = position_of(reader, partition);
    int rc = archive_manifest_read(&at->manifest, err);
    if (position == LOG_END)
        position = archive_manifest_end(&at->manifest);
    rc = rc ? rc : check_position(reader, at, position, err);
    if (rc < 0)
        return rc;
    at->next = position;
    if (reader->from == at && !stay(reader, position))
        reader->from = NULL;
    return 0;
}

static void archive_reader_pause(void *handle, int partition, bool paused)
{
    struct reader *reader = handle;
    struct position *at = position_of(reader, partition);
    at->paused = paused;
    if (paused && reader->from == at)
        reader->from = NULL; /* read again when it goes on */
}

/* Open the segment at a partition's position: 1 if it has records from there on, 0 at the end. */
static int fill_from(struct reader *reader, struct position *at, struct err *err)
{
    int i, rc;
    while ((i = archive_manifest_find(&at->manifest, at->next)) == at->manifest.count) {
        int64_t known = archive_manifest_end(&at->manifest);
        rc = archive_manifest_read(&at->manifest, err);
        rc = rc ? rc : check_position(reader, at, at->next, err);
        if (rc < 0 || archive_manifest_end(&at->manifest) == known)
            return rc;
    }
    rc = check_position(reader, at, at->next, err);
    rc = rc ? rc : archive_manifest_open(&at->manifest, at->next, &reader->segment, &i, err);
    if (rc <= 0)
        return rc;
    reader->from = at;
    reader->index = find_record(&reader->segment, at->next);
    if (reader->index < reader->segment.count)
        return 1;
    at->next = at->manifest.entries[i].next; /* only a gap is left of this one */
    return fill_from(reader, at, err);
}

/* Look round the partitions, beginning behind the one that was served last. */
static int fill(struct reader *reader, struct err *err)
{
    for (int i = 0; i < reader->count; i++) {
        struct position *at = &reader->positions[reader->turn];
        reader->turn = (reader->turn + 1) % reader->count;
        int rc = at->paused ? 0 : fill_from(reader, at, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static struct log_batch slice(const struct archive_segment *segment, int partition, int i, int n)
{
    return (struct log_batch){partition,           n,
                              segment->offset + i, segment->time_ms + i,
                              segment->due_ns + i, segment->key + i,
                              segment->value + i,  segment->offset[i + n - 1] + 1};
}

static int archive_reader_read(void *handle, int max, int wait_ms, struct log_batch *out,
                               struct err *err)
{
    (void)wait_ms;
    struct reader *reader = handle;
    *out = (struct log_batch){.partition = -1};
    if (!reader->from) {
        int rc = fill(reader, err);
        if (rc <= 0) {
            reader->from = NULL;
            return rc;
        }
    }
    struct position *at = reader->from;
    assert(at);
    int left = reader->segment.count - reader->index, n = left < max ? left : max;
    *out = slice(&reader->segment, at->partition, reader->index, n);
    reader->index += n;
    if (n == left) {
        out->next = reader->segment.entry.next;
        reader->from = NULL;
    }
    at->next = out->next;
    return n;
}

/* Make single the segment that covers offset: 1, 0 if none does, or a code. */
static int open_single(struct reader *reader, struct position *at, int64_t offset, struct err *err)
{
    const struct archive_entry *entry = &reader->single.entry;
    if (reader->single_partition == at->partition && offset >= entry->from && offset < entry->next)
        return 1;
    int rc = archive_manifest_read(&at->manifest, err);
    int i = archive_manifest_find(&at->manifest, offset);
    if (rc < 0 || i == at->manifest.count)
        return rc;
    reader->single_partition = -1;
    rc = archive_manifest_open(&at->manifest, offset, &reader->single, &i, err);
    if (rc <= 0)
        return rc;
    reader->single_partition = at->partition;
    return 1;
}

static int archive_reader_get(void *handle, int partition, int64_t offset, struct log_batch *out,
                              struct err *err)
{
    struct reader *reader = handle;
    *out = (struct log_batch){0};
    int rc = open_single(reader, position_of(reader, partition), offset, err);
    if (rc <= 0)
        return rc;
    int i = find_record(&reader->single, offset);
    if (i == reader->single.count || reader->single.offset[i] != offset)
        return 0;
    *out = slice(&reader->single, partition, i, 1);
    return 1;
}

const struct log_ops log_archive_ops = {
    .scheme = "archive",
    .open = archive_log_open,
    .close = archive_log_close,
    .partitions = archive_log_partitions,
    .range = archive_log_range,
    .offset_at = archive_log_offset_at,
    .reader_open = archive_reader_open,
    .reader_close = archive_reader_close,
    .seek = archive_reader_seek,
    .pause = archive_reader_pause,
    .read = archive_reader_read,
    .get = archive_reader_get,
};
