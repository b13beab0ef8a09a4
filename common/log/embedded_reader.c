/* common/log/embedded_reader.c - reads a partition's blocks, a mebibyte at a time.
 *
 * A fill copies whole blocks of one partition out of the map and ends its transaction at once:
 * LMDB cannot reuse a page that a transaction may still look at, so a reader that slept inside one
 * would make the file grow without bound. Records then point into the copy, and nothing is parsed
 * but a few lengths; reads are served from it until it is empty, and the next fill begins with the
 * partition after this one, so that none waits for more than a fill of each other. */
#include "common/log/embedded.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "common/base/clock.h"

enum { FILL_BYTES = 1024 * 1024, SLEEP_MS_MAX = 50, LOOK_MS = 500 };

struct position {
    int partition;
    bool paused;
    int64_t next;
};

/* The arrays of a batch. */
struct records {
    int64_t offset[LOG_BATCH_MAX], time_ms[LOG_BATCH_MAX], due_ns[LOG_BATCH_MAX];
    struct bytes key[LOG_BATCH_MAX], value[LOG_BATCH_MAX];
};

struct reader {
    struct embedded_env *env;
    struct embedded_topic *topic;
    MDB_txn *txn; /* reset, but for the length of a fill or a get */
    int count, turn;
    struct position *positions;
    /* Blocks copied out: each a struct piece and its bytes, rounded up to 8. */
    struct buf copy;
    const char *low, *high; /* the part of the map that they came from */
    size_t at;              /* the piece being served */
    struct position *from;  /* whose blocks they are; NULL: nothing is left */
    struct embedded_block block;
    uint32_t index;          /* next record of block */
    const char *key, *value; /* its bytes */
    struct records records;
    int64_t looked_ns; /* when the log was last seen to stand where it was opened */
    struct buf single; /* what get hands out */
    int64_t single_fields[3];
    struct bytes single_bytes[2];
};

struct piece {
    int64_t first;
    uint64_t bytes;
};

int embedded_reader_open(void *handle, const char *topic, const int *partitions, int n, void **out,
                         struct err *err)
{
    struct embedded_env *env = ((struct embedded *)handle)->env;
    struct reader *reader = mem_zero(1, sizeof *reader);
    reader->env = env;
    int rc = embedded_topic_find(env, topic, &reader->topic, err);
    rc = rc ? rc : embedded_begin(env, MDB_RDONLY, &reader->txn, err);
    if (rc < 0) {
        free(reader);
        return rc;
    }
    mdb_txn_reset(reader->txn);
    reader->count = n;
    reader->positions = mem_zero((size_t)n, sizeof *reader->positions);
    for (int i = 0; i < n; i++)
        reader->positions[i].partition = partitions[i];
    *out = reader;
    return 0;
}

void embedded_reader_close(void *handle)
{
    struct reader *reader = handle;
    mdb_txn_abort(reader->txn);
    buf_release(&reader->copy);
    buf_release(&reader->single);
    free(reader->positions);
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

static int read_error(struct reader *reader, int code, struct err *err)
{
    return embedded_error(reader->env, code, "read", err);
}

/* Renew the transaction and open a cursor on partition; end_look lets both go. */
static int begin_look(struct reader *reader, int partition, MDB_cursor **cursor)
{
    int code = mdb_txn_renew(reader->txn);
    if (code)
        return code;
    code = mdb_cursor_open(reader->txn, reader->topic->blocks[partition], cursor);
    if (code)
        mdb_txn_reset(reader->txn);
    return code;
}

static void end_look(struct reader *reader, MDB_cursor *cursor)
{
    mdb_cursor_close(cursor);
    mdb_txn_reset(reader->txn);
}

static int range_of(struct reader *reader, MDB_cursor *cursor, int partition, int64_t *first,
                    int64_t *end)
{
    struct embedded_floor floor;
    int code = embedded_floor_get(reader->env, reader->txn, reader->topic, partition, &floor);
    return code ? code : embedded_block_range(cursor, floor, first, end);
}

static int gone(const struct reader *reader, int partition, int64_t position, int64_t first,
                int64_t end, struct err *err)
{
    if (position < first)
        return err_set(err, ERR_GONE,
                       "offset %lld is gone: partition %d of topic %s begins at %lld",
                       (long long)position, partition, reader->topic->name, (long long)first);
    return err_set(err, ERR_GONE,
                   "offset %lld is not there: partition %d of topic %s ends at %lld; was the log "
                   "deleted and made anew?",
                   (long long)position, partition, reader->topic->name, (long long)end);
}

int embedded_reader_seek(void *handle, int partition, int64_t position, struct err *err)
{
    struct reader *reader = handle;
    struct position *at = position_of(reader, partition);
    MDB_cursor *cursor;
    int64_t first, end;
    int code = begin_look(reader, partition, &cursor);
    if (code == 0) {
        code = range_of(reader, cursor, partition, &first, &end);
        end_look(reader, cursor);
    }
    if (code)
        return read_error(reader, code, err);
    if (position == LOG_END)
        position = end;
    if (position < first || position > end)
        return gone(reader, partition, position, first, end, err);
    at->next = position;
    if (reader->from == at)
        reader->from = NULL;
    return 0;
}

void embedded_reader_pause(void *handle, int partition, bool paused)
{
    struct reader *reader = handle;
    struct position *at = position_of(reader, partition);
    at->paused = paused;
    if (paused && reader->from == at)
        reader->from = NULL; /* read again when it goes on */
}

static void copy_block(struct reader *reader, int64_t first, MDB_val block)
{
    struct piece piece = {first, block.mv_size};
    const char *from = block.mv_data;
    reader->low = from < reader->low ? from : reader->low;
    reader->high = from + block.mv_size > reader->high ? from + block.mv_size : reader->high;
    buf_add(&reader->copy, &piece, sizeof piece);
    buf_add(&reader->copy, block.mv_data, block.mv_size);
    buf_add(&reader->copy, "\0\0\0\0\0\0\0", -block.mv_size & 7);
}

/* Copy what fits from the block that holds at->next: an LMDB code, MDB_NOTFOUND where none does. */
static int copy_blocks(struct reader *reader, MDB_cursor *cursor, const struct position *at)
{
    int64_t first;
    MDB_val key, block;
    int code = embedded_block_find(cursor, at->next, &first, &block);
    if (code)
        return code;
    buf_clear(&reader->copy);
    buf_reserve(&reader->copy, FILL_BYTES);
    reader->low = reader->high = block.mv_data;
    do {
        copy_block(reader, first, block);
        code = mdb_cursor_get(cursor, &key, &block, MDB_NEXT);
        if (code == 0)
            memcpy(&first, key.mv_data, sizeof first);
    } while (code == 0 && reader->copy.len + sizeof(struct piece) + block.mv_size <= FILL_BYTES);
    return code == MDB_NOTFOUND ? 0 : code;
}

/* Make the piece at reader->at the block that is served. */
static int open_piece(struct reader *reader, struct err *err)
{
    struct piece piece;
    const char *from = reader->copy.ptr + reader->at;
    memcpy(&piece, from, sizeof piece);
    if (!embedded_block_parse(from + sizeof piece, piece.bytes, piece.first, &reader->block)) {
        int partition = reader->from->partition;
        reader->from = NULL;
        return err_set(err, ERR_DATA,
                       "the block at offset %lld of partition %d of topic %s is damaged; remove "
                       "%s and generate it again",
                       (long long)piece.first, partition, reader->topic->name,
                       reader->env->directory);
    }
    reader->at += sizeof piece + (piece.bytes + 7) / 8 * 8;
    reader->index = 0;
    reader->key = reader->block.keys;
    reader->value = reader->block.values;
    return 0;
}

static size_t key_bytes(const struct embedded_block *block, uint32_t i)
{
    return block->key_len[i] == BLOCK_NO_KEY ? 0 : block->key_len[i];
}

/* Begin to serve a fill at position `at`, which may lie within its first block. */
static int serve_from(struct reader *reader, struct position *at, struct err *err)
{
    reader->from = at;
    reader->at = 0;
    int rc = open_piece(reader, err);
    if (rc < 0)
        return rc;
    for (; reader->block.first + reader->index < at->next; reader->index++) {
        reader->key += key_bytes(&reader->block, reader->index);
        reader->value += reader->block.value_len[reader->index];
    }
    return 0;
}

/* Nothing to copy at a partition's position: 0 if that is its end. */
static int check_end(struct reader *reader, MDB_cursor *cursor, const struct position *at,
                     struct err *err)
{
    int64_t first, end;
    int code = range_of(reader, cursor, at->partition, &first, &end);
    if (code)
        return read_error(reader, code, err);
    return at->next == end ? 0 : gone(reader, at->partition, at->next, first, end, err);
}

/* Look for records of one partition: 1 found, 0, or a code. */
static int fill_from(struct reader *reader, struct position *at, struct err *err)
{
    MDB_cursor *cursor;
    int code = begin_look(reader, at->partition, &cursor);
    if (code)
        return read_error(reader, code, err);
    code = copy_blocks(reader, cursor, at);
    int rc = 0;
    if (code == MDB_NOTFOUND)
        rc = check_end(reader, cursor, at, err);
    else if (code)
        rc = read_error(reader, code, err);
    end_look(reader, cursor);
    if (code || rc < 0)
        return rc;
    embedded_env_forget(reader->low, reader->high);
    rc = serve_from(reader, at, err);
    return rc < 0 ? rc : 1;
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

/* Up to max records of the block being served, into the arrays from n on: the new n. */
static int take_records(struct reader *reader, int n, int max)
{
    struct embedded_block *block = &reader->block;
    struct records *records = &reader->records;
    const char *key = reader->key, *value = reader->value;
    uint32_t i = reader->index;
    for (; i < block->count && n < max; i++, n++) {
        records->offset[n] = block->first + i;
        records->time_ms[n] = block->time_ms;
        records->due_ns[n] = block->due_ns[i];
        size_t key_len = key_bytes(block, i);
        records->key[n] = (struct bytes){block->key_len[i] == BLOCK_NO_KEY ? NULL : key, key_len};
        records->value[n] = (struct bytes){value, block->value_len[i]};
        key += key_len;
        value += block->value_len[i];
    }
    reader->index = i;
    reader->key = key;
    reader->value = value;
    return n;
}

/* A batch of what the last fill brought; there is at least one record. */
static int serve(struct reader *reader, int max, struct log_batch *out, struct err *err)
{
    struct position *at = reader->from;
    int n = take_records(reader, 0, max);
    while (n < max && reader->at < reader->copy.len) {
        int rc = open_piece(reader, err);
        if (rc < 0)
            return rc;
        n = take_records(reader, n, max);
    }
    const struct records *records = &reader->records;
    at->next = records->offset[n - 1] + 1;
    if (reader->index == reader->block.count && reader->at == reader->copy.len)
        reader->from = NULL;
    *out = (struct log_batch){
        at->partition,  n,       records->offset, records->time_ms, records->due_ns, records->key,
        records->value, at->next};
    return n;
}

/* A log that is deleted, and perhaps made anew, under a reader would leave it waiting for ever at the
 * end of files that nobody sees any more. Looked at when there is nothing to read. */
static int check_still_there(struct reader *reader, struct err *err)
{
    const struct embedded_env *env = reader->env;
    int64_t now_ns = clock_mono_ns();
    if (now_ns - reader->looked_ns < (int64_t)LOOK_MS * 1000000)
        return 0;
    struct buf path = {0};
    struct stat st;
    buf_printf(&path, "%s/data.mdb", env->directory);
    int failed = stat(path.ptr, &st) ? errno : 0;
    buf_release(&path);
    reader->looked_ns = now_ns;
    if (failed != ENOENT && (failed || (st.st_dev == env->device && st.st_ino == env->inode)))
        return 0;
    return err_set(err, ERR_DATA,
                   "the log in %s was %s while topic %s was read from it. Use a new topic name and "
                   "another view",
                   env->directory, failed ? "deleted" : "deleted and made anew",
                   reader->topic->name);
}

/* Sleep for the next append to the topic; what is left of wait_ms, 0 after a signal. */
static int sleep_some(struct reader *reader, uint32_t seen, int wait_ms)
{
    int chunk = wait_ms < SLEEP_MS_MAX ? wait_ms : SLEEP_MS_MAX;
    int64_t start = clock_mono_ns();
    if (!embedded_wake_wait(reader->env, reader->topic, seen, chunk))
        return 0;
    if (embedded_wake_seen(reader->env, reader->topic) == seen)
        return wait_ms - chunk;
    int64_t slept_ms = (clock_mono_ns() - start) / 1000000;
    return slept_ms < wait_ms ? wait_ms - (int)slept_ms : 0;
}

int embedded_reader_read(void *handle, int max, int wait_ms, struct log_batch *out, struct err *err)
{
    struct reader *reader = handle;
    *out = (struct log_batch){.partition = -1};
    while (!reader->from) {
        uint32_t seen = embedded_wake_seen(reader->env, reader->topic);
        int rc = fill(reader, err);
        if (rc == 0)
            rc = check_still_there(reader, err);
        if (rc < 0)
            return rc;
        if (rc == 0 && wait_ms <= 0)
            return 0;
        if (rc == 0)
            wait_ms = sleep_some(reader, seen, wait_ms);
    }
    return serve(reader, max, out, err);
}

/* Copy one record out of its block while the transaction stands. */
static bool copy_single(struct reader *reader, int64_t first, MDB_val block, int64_t offset)
{
    struct buf whole = {0}; /* the map's bytes may be unaligned */
    struct embedded_block parsed;
    buf_add(&whole, block.mv_data, block.mv_size);
    bool good = embedded_block_parse(whole.ptr, whole.len, first, &parsed);
    if (good) {
        uint32_t i = (uint32_t)(offset - first);
        const char *key = parsed.keys, *value = parsed.values;
        for (uint32_t j = 0; j < i; j++) {
            key += key_bytes(&parsed, j);
            value += parsed.value_len[j];
        }
        size_t key_len = key_bytes(&parsed, i);
        buf_clear(&reader->single);
        buf_add(&reader->single, key, key_len);
        buf_add(&reader->single, value, parsed.value_len[i]);
        const char *base = reader->single.ptr;
        reader->single_bytes[0] =
            (struct bytes){parsed.key_len[i] == BLOCK_NO_KEY ? NULL : base, key_len};
        reader->single_bytes[1] = (struct bytes){base + key_len, parsed.value_len[i]};
        reader->single_fields[0] = offset;
        reader->single_fields[1] = parsed.time_ms;
        reader->single_fields[2] = parsed.due_ns[i];
    }
    buf_release(&whole);
    return good;
}

int embedded_reader_get(void *handle, int partition, int64_t offset, struct log_batch *out,
                        struct err *err)
{
    struct reader *reader = handle;
    MDB_cursor *cursor;
    int64_t first;
    MDB_val block;
    *out = (struct log_batch){0};
    int code = offset < 0 ? MDB_NOTFOUND : begin_look(reader, partition, &cursor);
    if (code == 0) {
        code = embedded_block_find(cursor, offset, &first, &block);
        if (code == 0 && !copy_single(reader, first, block, offset))
            code = MDB_CORRUPTED;
        end_look(reader, cursor);
    }
    if (code)
        return code == MDB_NOTFOUND ? 0 : read_error(reader, code, err);
    int64_t *fields = reader->single_fields;
    *out = (struct log_batch){partition,
                              1,
                              &fields[0],
                              &fields[1],
                              &fields[2],
                              &reader->single_bytes[0],
                              &reader->single_bytes[1],
                              offset + 1};
    return 1;
}
