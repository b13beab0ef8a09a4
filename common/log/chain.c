/* common/log/chain.c - an archive and the topic that it was made from, read as one log.
 *
 * For replay past retention: a partition is read from the archive as far as that goes, then from the
 * topic; offsets are the topic's in both, so the hand-over is at one offset and every event comes
 * exactly once, also while the archive grows and retention moves. Where the archive ends before the
 * topic begins, the offsets in between are nowhere: ERR_GONE, never a jump. Read only.
 *
 *     archive  [first ---------------- end)
 *     topic             [first -------------------------- end
 *     read     ----- archive -------->|<---- topic ------ */
#include <stdlib.h>

#include "common/log/log.h"

struct chain {
    struct log *archive, *live;
};

struct part {
    int partition;
    bool archived; /* read from the archive still */
    bool paused;
    int64_t next;
};

struct reader {
    struct chain *chain;
    char *topic;
    struct log_reader *archive, *live;
    struct part *parts;
    int count;
    bool live_turn; /* where both have something */
};

/* ---- the log ---- */

/* Where the live log's URI begins in "DIR+URI": a path may have a '+' of its own. */
static const char *split(const char *where)
{
    static const char *const SCHEMES[] = {"+kafka:", "+embedded:"};
    for (size_t i = 0; i < sizeof SCHEMES / sizeof *SCHEMES; i++) {
        const char *at = strstr(where, SCHEMES[i]);
        if (at && at > where)
            return at;
    }
    return NULL;
}

static void chain_close(void *handle)
{
    struct chain *chain = handle;
    log_close(chain->archive);
    log_close(chain->live);
    free(chain);
}

static int chain_open(const char *where, bool create, void **handle, struct err *err)
{
    const char *plus = split(where);
    if (!plus || create)
        return err_set(err, ERR_USAGE,
                       plus ? "chain:%s is read only; write to its topic"
                            : "chain:%s: expected chain:ARCHIVE-DIR+kafka:HOST:PORT or "
                              "chain:ARCHIVE-DIR+embedded:DIR",
                       where);
    struct buf archive = {0};
    buf_printf(&archive, "archive:%.*s", (int)(plus - where), where);
    struct chain *chain = mem_zero(1, sizeof *chain);
    int rc = log_open(archive.ptr, false, &chain->archive, err);
    if (rc == 0)
        rc = log_open(plus + 1, false, &chain->live, err);
    buf_release(&archive);
    if (rc < 0)
        chain_close(chain);
    else
        *handle = chain;
    return rc;
}

static int chain_partitions(void *handle, const char *topic, struct err *err)
{
    struct chain *chain = handle;
    int archived = log_partitions(chain->archive, topic, err);
    int live = archived < 0 ? archived : log_partitions(chain->live, topic, err);
    if (live >= 0 && live != archived)
        return err_set(err, ERR_USAGE,
                       "topic %s has %d partitions, and its archive %d: is it another topic's?",
                       topic, live, archived);
    return live;
}

/* Ranges of both; ERR_GONE where something between them is nowhere. */
static int ranges(struct chain *chain, const char *topic, int partition, int64_t archive[2],
                  int64_t live[2], struct err *err)
{
    int rc = log_range(chain->live, topic, partition, &live[0], &live[1], err);
    if (rc == 0) /* the archive after the topic: what left the topic since is in it */
        rc = log_range(chain->archive, topic, partition, &archive[0], &archive[1], err);
    if (rc == 0 && archive[1] < live[0])
        rc = err_set(err, ERR_GONE,
                     "partition %d of topic %s begins at %lld, and its archive ends at %lld: what "
                     "lies between is nowhere; the archive fell behind retention",
                     partition, topic, (long long)live[0], (long long)archive[1]);
    return rc;
}

static int chain_range(void *handle, const char *topic, int partition, int64_t *first, int64_t *end,
                       struct err *err)
{
    int64_t archive[2] = {0, 0}, live[2] = {0, 0};
    int rc = ranges(handle, topic, partition, archive, live, err);
    if (rc < 0)
        return rc;
    bool archived = archive[0] < archive[1] && archive[0] < live[0];
    *first = archived ? archive[0] : live[0];
    *end = live[1];
    return 0;
}

static int chain_offset_at(void *handle, const char *topic, int partition, int64_t time_ms,
                           int64_t *offset, struct err *err)
{
    struct chain *chain = handle;
    int64_t archive[2] = {0, 0}, live[2] = {0, 0};
    int rc = ranges(chain, topic, partition, archive, live, err);
    if (rc == 0)
        rc = log_offset_at(chain->archive, topic, partition, time_ms, offset, err);
    if (rc == 0 && *offset >= archive[1])
        rc = log_offset_at(chain->live, topic, partition, time_ms, offset, err);
    return rc;
}

/* ---- the reader ---- */

static struct part *part_of(struct reader *reader, int partition)
{
    int i = 0;
    while (reader->parts[i].partition != partition)
        i++;
    return &reader->parts[i];
}

static void chain_reader_close(void *handle)
{
    struct reader *reader = handle;
    log_reader_close(reader->archive);
    log_reader_close(reader->live);
    free(reader->parts);
    free(reader->topic);
    free(reader);
}

static int chain_reader_open(void *handle, const char *topic, const int *partitions, int n,
                             void **out, struct err *err)
{
    struct chain *chain = handle;
    struct reader *reader = mem_zero(1, sizeof *reader);
    reader->chain = chain;
    reader->topic = mem_copy_string(topic);
    reader->count = n;
    reader->parts = mem_zero((size_t)n, sizeof *reader->parts);
    for (int i = 0; i < n; i++)
        reader->parts[i] = (struct part){.partition = partitions[i], .archived = true};
    int rc = log_reader_open(chain->archive, topic, partitions, n, &reader->archive, err);
    if (rc == 0)
        rc = log_reader_open(chain->live, topic, partitions, n, &reader->live, err);
    if (rc < 0)
        chain_reader_close(reader);
    else
        *out = reader;
    return rc;
}

static void pass_pause(struct reader *reader, const struct part *part)
{
    log_pause(reader->archive, part->partition, part->paused || !part->archived);
    log_pause(reader->live, part->partition, part->paused || part->archived);
}

static void chain_pause(void *handle, int partition, bool paused)
{
    struct part *part = part_of(handle, partition);
    part->paused = paused;
    pass_pause(handle, part);
}

static int chain_seek(void *handle, int partition, int64_t position, struct err *err)
{
    struct reader *reader = handle;
    struct part *part = part_of(reader, partition);
    int64_t archive[2] = {0, 0}, live[2] = {0, 0};
    int rc = ranges(reader->chain, reader->topic, partition, archive, live, err);
    if (rc < 0)
        return rc;
    part->next = position == LOG_END ? live[1] : position;
    part->archived = part->next < archive[1];
    pass_pause(reader, part);
    return log_seek(part->archived ? reader->archive : reader->live, partition, part->next, err);
}

/* The archive had no more of it: on to the topic, unless the archive has grown since. */
static int move_on(struct reader *reader, struct part *part, struct err *err)
{
    int64_t archive[2] = {0, 0}, live[2] = {0, 0};
    int rc = ranges(reader->chain, reader->topic, part->partition, archive, live, err);
    if (rc < 0 || part->next < archive[1])
        return rc;
    struct err why = {0};
    rc = log_seek(reader->live, part->partition, part->next, &why);
    part->archived = rc == ERR_GONE; /* retention moved just now: look again at the next read */
    pass_pause(reader, part);
    return rc < 0 && rc != ERR_GONE ? err_set(err, rc, "%s", why.text) : 0;
}

static int read_archive(struct reader *reader, int max, struct log_batch *out, struct err *err)
{
    int rc = log_read(reader->archive, max, 0, out, err);
    if (rc >= 0 && out->partition >= 0)
        part_of(reader, out->partition)->next = out->next;
    return rc;
}

/* Retention may pass a slow reader in the topic, too: what it wants is in the archive then. */
static int back_to_archive(struct reader *reader, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < reader->count; i++)
        if (!reader->parts[i].archived)
            rc = chain_seek(reader, reader->parts[i].partition, reader->parts[i].next, err);
    return rc;
}

static int read_live(struct reader *reader, int max, int wait_ms, struct log_batch *out,
                     struct err *err)
{
    struct err why = {0};
    int rc = log_read(reader->live, max, wait_ms, out, &why);
    if (rc == ERR_GONE)
        return back_to_archive(reader, err);
    if (rc < 0)
        return err_set(err, rc, "%s", why.text);
    if (out->partition >= 0)
        part_of(reader, out->partition)->next = out->next;
    return rc;
}

static int count_archived(const struct reader *reader)
{
    int count = 0;
    for (int i = 0; i < reader->count; i++)
        count += reader->parts[i].archived && !reader->parts[i].paused;
    return count;
}

static int chain_read(void *handle, int max, int wait_ms, struct log_batch *out, struct err *err)
{
    struct reader *reader = handle;
    reader->live_turn = !reader->live_turn;
    if (reader->live_turn && count_archived(reader) < reader->count) {
        int rc = read_live(reader, max, 0, out, err);
        if (rc < 0 || out->partition >= 0)
            return rc;
    }
    if (count_archived(reader) > 0) {
        int rc = read_archive(reader, max, out, err);
        if (rc < 0 || out->partition >= 0)
            return rc;
        for (int i = 0; rc == 0 && i < reader->count; i++)
            if (reader->parts[i].archived && !reader->parts[i].paused)
                rc = move_on(reader, &reader->parts[i], err);
        if (rc < 0)
            return rc;
    }
    return read_live(reader, max, count_archived(reader) ? 0 : wait_ms, out, err);
}

static int chain_get(void *handle, int partition, int64_t offset, struct log_batch *out,
                     struct err *err)
{
    struct reader *reader = handle;
    int rc = log_get(reader->archive, partition, offset, out, err);
    return rc ? rc : log_get(reader->live, partition, offset, out, err);
}

/* ---- what the topic alone knows ---- */

static int chain_join(void *handle, const struct log_group *group, struct err *err)
{
    return log_join(((struct reader *)handle)->live, group, err);
}

static int chain_owned(void *handle, bool *owned, struct err *err)
{
    return log_owned(((struct reader *)handle)->live, owned, err);
}

static void chain_note(void *handle, int partition, int64_t position)
{
    log_note(((struct reader *)handle)->live, partition, position);
}

static void chain_leave_due(void *handle)
{
    log_leave_due(((struct reader *)handle)->archive);
    log_leave_due(((struct reader *)handle)->live);
}

const struct log_ops log_chain_ops = {
    .scheme = "chain",
    .open = chain_open,
    .close = chain_close,
    .partitions = chain_partitions,
    .range = chain_range,
    .offset_at = chain_offset_at,
    .reader_open = chain_reader_open,
    .reader_close = chain_reader_close,
    .seek = chain_seek,
    .pause = chain_pause,
    .read = chain_read,
    .get = chain_get,
    .join = chain_join,
    .owned = chain_owned,
    .note = chain_note,
    .leave_due = chain_leave_due,
};
