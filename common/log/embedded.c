/* common/log/embedded.c - the embedded log: append, range, trim and claim over LMDB.
 *
 * Stands in for a broker where there is none: the demo, labs and tests. Several processes share one
 * directory; LMDB lets one write at a time and many read at once. An append is one transaction, so
 * it is seen whole or not at all, also after kill -9. It survives the death of a process, not the
 * loss of power (embedded_env.c), and is never called Kafka in a report. */
#include "common/log/embedded.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/log/lock.h"

static int embedded_open(const char *where, bool create, void **handle, struct err *err)
{
    struct embedded_env *env;
    int rc = embedded_env_open(where, create, &env, err);
    if (rc < 0)
        return rc;
    struct embedded *log = mem_zero(1, sizeof *log);
    log->env = env;
    *handle = log;
    return 0;
}

static void embedded_close(void *handle)
{
    struct embedded *log = handle;
    for (int i = 0; i < log->claim_count; i++)
        close(log->claims[i]);
    free(log->claims);
    embedded_env_close(log->env);
    free(log);
}

static int embedded_create_topic(void *handle, const char *topic, struct log_shape shape,
                                 struct err *err)
{
    return embedded_topic_create(((struct embedded *)handle)->env, topic, shape.partitions, err);
}

static int embedded_partitions(void *handle, const char *topic, struct err *err)
{
    struct embedded_topic *found;
    int rc = embedded_topic_find(((struct embedded *)handle)->env, topic, &found, err);
    return rc < 0 ? rc : found->partitions;
}

static int embedded_claim(void *handle, const char *topic, struct err *err)
{
    struct embedded *log = handle;
    struct embedded_topic *found;
    int rc = embedded_topic_find(log->env, topic, &found, err);
    if (rc < 0)
        return rc;
    struct buf path = {0};
    buf_printf(&path, "%s/%s.producer", log->env->directory, topic);
    int fd = log_lock_file(path.ptr, err);
    buf_release(&path);
    if (fd < 0) {
        err_context(err, "producer of topic %s", topic);
        return fd;
    }
    log->claims = mem_grow(log->claims, sizeof *log->claims * (size_t)(log->claim_count + 1));
    log->claims[log->claim_count++] = fd;
    return 0;
}

static int check_sizes(const struct log_record *records, int n, struct err *err)
{
    for (int i = 0; i < n; i++)
        if (records[i].key.len + records[i].value.len > BLOCK_RECORD_BYTES_MAX)
            return err_set(err, ERR_USAGE, "a record of %zu bytes: at most %d",
                           records[i].key.len + records[i].value.len, BLOCK_RECORD_BYTES_MAX);
    return 0;
}

/* Where the partition ends and the log time of its last record: 0 or an LMDB code. */
static int find_tail(struct embedded_env *env, MDB_cursor *cursor,
                     const struct embedded_topic *topic, int partition, int64_t *end,
                     int64_t *time_ms)
{
    MDB_val key, block;
    int rc = mdb_cursor_get(cursor, &key, &block, MDB_LAST);
    if (rc == 0) {
        memcpy(end, key.mv_data, sizeof *end);
        *end += embedded_block_count(block);
        *time_ms = embedded_block_time(block);
    } else if (rc == MDB_NOTFOUND) {
        struct embedded_floor floor;
        rc = embedded_floor_get(env, mdb_cursor_txn(cursor), topic, partition, &floor);
        *end = floor.first;
        *time_ms = floor.time_ms;
    }
    return rc;
}

/* Put records behind the partition's last: 0 or an LMDB code. */
static int put_records(struct embedded_env *env, MDB_cursor *cursor,
                       const struct embedded_topic *topic, int partition,
                       const struct log_record *records, int n, int64_t *first)
{
    int64_t time_ms = 0, now = clock_wall_ms();
    int rc = find_tail(env, cursor, topic, partition, first, &time_ms);
    time_ms = now > time_ms ? now : time_ms; /* log time never falls, whatever the clock does */
    for (int at = 0; at < n && rc == 0;) {
        size_t bytes, offset = (size_t)(*first + at);
        int count = embedded_block_plan(records + at, n - at, &bytes);
        MDB_val key = {sizeof offset, &offset}, block = {bytes, NULL};
        rc = mdb_cursor_put(cursor, &key, &block, MDB_APPEND | MDB_RESERVE);
        if (rc == 0)
            embedded_block_write(block.mv_data, records + at, count, time_ms);
        at += count;
    }
    return rc;
}

static int64_t embedded_append(void *handle, const char *topic, int partition,
                               const struct log_record *records, int n, struct err *err)
{
    struct embedded_env *env = ((struct embedded *)handle)->env;
    struct embedded_topic *found = NULL;
    MDB_txn *txn = NULL;
    int rc = check_sizes(records, n, err);
    rc = rc ? rc : embedded_topic_find(env, topic, &found, err);
    rc = rc ? rc : embedded_begin(env, 0, &txn, err);
    if (rc < 0)
        return rc;
    assert(found);
    MDB_cursor *cursor;
    int64_t first = 0;
    int code = mdb_cursor_open(txn, found->blocks[partition], &cursor);
    if (code == 0) {
        code = put_records(env, cursor, found, partition, records, n, &first);
        mdb_cursor_close(cursor);
    }
    if (code)
        mdb_txn_abort(txn);
    else
        code = mdb_txn_commit(txn);
    if (code)
        return embedded_error(env, code, "append to", err);
    embedded_wake_all(env, found);
    return first;
}

/* A read transaction with a cursor on one partition: what range and offset_at look through. */
struct look {
    struct embedded_env *env;
    struct embedded_topic *topic;
    MDB_txn *txn;
    MDB_cursor *cursor;
    int64_t first, end;
};

static void look_end(struct look *look)
{
    if (look->cursor)
        mdb_cursor_close(look->cursor);
    if (look->txn)
        mdb_txn_abort(look->txn);
}

static int look_begin(struct look *look, void *handle, const char *topic, int partition,
                      unsigned flags, struct err *err)
{
    *look = (struct look){.env = ((struct embedded *)handle)->env};
    int rc = embedded_topic_find(look->env, topic, &look->topic, err);
    rc = rc ? rc : embedded_begin(look->env, flags, &look->txn, err);
    if (rc < 0)
        return rc;
    struct embedded_floor floor;
    int code = mdb_cursor_open(look->txn, look->topic->blocks[partition], &look->cursor);
    code = code ? code : embedded_floor_get(look->env, look->txn, look->topic, partition, &floor);
    code = code ? code : embedded_block_range(look->cursor, floor, &look->first, &look->end);
    if (code == 0)
        return 0;
    look_end(look);
    return embedded_error(look->env, code, "read", err);
}

static int embedded_range(void *handle, const char *topic, int partition, int64_t *first,
                          int64_t *end, struct err *err)
{
    struct look look;
    int rc = look_begin(&look, handle, topic, partition, MDB_RDONLY, err);
    if (rc < 0)
        return rc;
    *first = look.first;
    *end = look.end;
    look_end(&look);
    return 0;
}

/* Log times never fall and a block has one, so the blocks can be halved by offset. */
static int embedded_offset_at(void *handle, const char *topic, int partition, int64_t time_ms,
                              int64_t *offset, struct err *err)
{
    struct look look;
    int rc = look_begin(&look, handle, topic, partition, MDB_RDONLY, err);
    if (rc < 0)
        return rc;
    int64_t low = look.first, high = look.end;
    int code = 0;
    while (low < high && code == 0) {
        int64_t first;
        MDB_val block;
        code = embedded_block_find(look.cursor, low + (high - low) / 2, &first, &block);
        if (code == 0 && embedded_block_time(block) >= time_ms)
            high = first;
        else if (code == 0)
            low = first + embedded_block_count(block);
    }
    *offset = low;
    look_end(&look);
    return code ? embedded_error(look.env, code, "read", err) : 0;
}

/* Delete the blocks that end at or below before: 0 or an LMDB code; floor says what is left. */
static int delete_blocks(MDB_cursor *cursor, int64_t before, struct embedded_floor *floor)
{
    MDB_val key, block;
    int rc;
    while ((rc = mdb_cursor_get(cursor, &key, &block, MDB_FIRST)) == 0) {
        int64_t first;
        memcpy(&first, key.mv_data, sizeof first);
        if (first + embedded_block_count(block) > before)
            return 0;
        *floor = (struct embedded_floor){first + embedded_block_count(block),
                                         embedded_block_time(block)};
        if ((rc = mdb_cursor_del(cursor, 0)) != 0)
            return rc;
    }
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int embedded_trim(void *handle, const char *topic, int partition, int64_t before,
                         struct err *err)
{
    struct look look;
    int rc = look_begin(&look, handle, topic, partition, 0, err);
    if (rc < 0)
        return rc;
    struct embedded_floor floor = {look.first, 0};
    int code = delete_blocks(look.cursor, before, &floor);
    if (code == 0 && floor.first > look.first)
        code = embedded_floor_put(look.env, look.txn, look.topic, partition, floor);
    mdb_cursor_close(look.cursor);
    look.cursor = NULL;
    if (code == 0) {
        code = mdb_txn_commit(look.txn);
        look.txn = NULL;
    }
    look_end(&look);
    return code ? embedded_error(look.env, code, "trim", err) : 0;
}

const struct log_ops log_embedded_ops = {
    .scheme = "embedded",
    .open = embedded_open,
    .close = embedded_close,
    .create_topic = embedded_create_topic,
    .partitions = embedded_partitions,
    .claim = embedded_claim,
    .append = embedded_append,
    .range = embedded_range,
    .offset_at = embedded_offset_at,
    .trim = embedded_trim,
    .reader_open = embedded_reader_open,
    .reader_close = embedded_reader_close,
    .seek = embedded_reader_seek,
    .pause = embedded_reader_pause,
    .read = embedded_reader_read,
    .get = embedded_reader_get,
};
