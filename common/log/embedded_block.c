/* common/log/embedded_block.c - a block: records that were appended together, under one LMDB key.
 *
 * One put a block and not one a record is what makes an append cheap: a partition's database maps
 * the offset of a block's first record (8 bytes, MDB_INTEGERKEY, so always MDB_APPEND) to
 *
 *     byte  0  count       u32   records, at least 1
 *     byte  4  key bytes   u32   of all keys together
 *     byte  8  log time    i64   ms since the epoch, of all of them
 *     byte 16  value bytes u64   of all values together
 *     byte 24  due         i64 x count   ns, 0 unknown
 *              key length  u32 x count   BLOCK_NO_KEY: the record has no key
 *              value length u32 x count
 *              keys, one behind the other; values, one behind the other
 *
 * in the machine's byte order. An append is cut into blocks of at most BLOCK_BYTES_MAX, which with
 * LMDB's page header is 64 pages; a record that is larger than that is a block of its own. */
#include "common/log/embedded.h"

#include <assert.h>

static size_t record_bytes(const struct log_record *record)
{
    return BLOCK_RECORD_BYTES + record->key.len + record->value.len;
}

int embedded_block_plan(const struct log_record *records, int n, size_t *bytes)
{
    int count = 1;
    *bytes = BLOCK_HEADER_BYTES + record_bytes(&records[0]);
    for (; count < n; count++) {
        size_t more = record_bytes(&records[count]);
        if (*bytes + more > BLOCK_BYTES_MAX)
            break;
        *bytes += more;
    }
    return count;
}

/* The destination may be unaligned (a small block inside a page), hence the copies by memcpy. */
static char *put(char *to, const void *from, size_t bytes)
{
    if (bytes)
        memcpy(to, from, bytes);
    return to + bytes;
}

void embedded_block_write(char *to, const struct log_record *records, int n, int64_t time_ms)
{
    uint32_t key_bytes = 0, count = (uint32_t)n;
    uint64_t value_bytes = 0;
    char *due = to + BLOCK_HEADER_BYTES, *key_len = due + 8 * (size_t)n;
    char *value_len = key_len + 4 * (size_t)n, *keys = value_len + 4 * (size_t)n;
    for (int i = 0; i < n; i++) {
        struct bytes key = records[i].key;
        uint32_t length = key.ptr ? (uint32_t)key.len : BLOCK_NO_KEY;
        uint32_t value_length = (uint32_t)records[i].value.len;
        due = put(due, &records[i].due_ns, 8);
        key_len = put(key_len, &length, 4);
        value_len = put(value_len, &value_length, 4);
        if (key.ptr)
            keys = put(keys, key.ptr, key.len);
        key_bytes += key.ptr ? length : 0;
        value_bytes += value_length;
    }
    for (int i = 0; i < n; i++)
        keys = put(keys, records[i].value.ptr, records[i].value.len);
    to = put(to, &count, 4);
    to = put(to, &key_bytes, 4);
    to = put(to, &time_ms, 8);
    put(to, &value_bytes, 8);
}

uint32_t embedded_block_count(MDB_val block)
{
    uint32_t count;
    memcpy(&count, block.mv_data, 4);
    return count;
}

int64_t embedded_block_time(MDB_val block)
{
    int64_t time_ms;
    memcpy(&time_ms, (const char *)block.mv_data + 8, 8);
    return time_ms;
}

static uint64_t sum_of(const uint32_t *lengths, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += lengths[i] == BLOCK_NO_KEY ? 0 : lengths[i];
    return sum;
}

bool embedded_block_parse(const char *from, size_t bytes, int64_t first, struct embedded_block *out)
{
    assert((uintptr_t)from % 8 == 0);
    uint32_t key_bytes;
    uint64_t value_bytes;
    if (bytes < BLOCK_HEADER_BYTES + BLOCK_RECORD_BYTES)
        return false;
    memcpy(&out->count, from, 4);
    memcpy(&key_bytes, from + 4, 4);
    memcpy(&out->time_ms, from + 8, 8);
    memcpy(&value_bytes, from + 16, 8);
    size_t tables = BLOCK_HEADER_BYTES + (size_t)out->count * BLOCK_RECORD_BYTES;
    if (out->count == 0 || tables > bytes || value_bytes > bytes ||
        tables + key_bytes + value_bytes != bytes)
        return false;
    out->first = first;
    out->due_ns = (const int64_t *)(const void *)(from + BLOCK_HEADER_BYTES);
    out->key_len = (const uint32_t *)(const void *)(out->due_ns + out->count);
    out->value_len = out->key_len + out->count;
    out->keys = from + tables;
    out->values = out->keys + key_bytes;
    return sum_of(out->key_len, out->count) == key_bytes &&
           sum_of(out->value_len, out->count) == value_bytes;
}

int embedded_block_find(MDB_cursor *cursor, int64_t offset, int64_t *first, MDB_val *block)
{
    size_t wanted = (size_t)offset;
    MDB_val key = {sizeof wanted, &wanted};
    int rc = mdb_cursor_get(cursor, &key, block, MDB_SET_RANGE);
    if (rc == 0) {
        memcpy(first, key.mv_data, sizeof *first); /* a page's keys may be unaligned */
        if (*first > offset)
            rc = mdb_cursor_get(cursor, &key, block, MDB_PREV);
    } else if (rc == MDB_NOTFOUND) {
        rc = mdb_cursor_get(cursor, &key, block, MDB_LAST);
    }
    if (rc)
        return rc;
    memcpy(first, key.mv_data, sizeof *first);
    return offset >= *first && offset < *first + embedded_block_count(*block) ? 0 : MDB_NOTFOUND;
}

int embedded_block_range(MDB_cursor *cursor, struct embedded_floor floor, int64_t *first,
                         int64_t *end)
{
    MDB_val key, block;
    *first = *end = floor.first;
    int rc = mdb_cursor_get(cursor, &key, &block, MDB_FIRST);
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : rc;
    memcpy(first, key.mv_data, sizeof *first);
    rc = mdb_cursor_get(cursor, &key, &block, MDB_LAST);
    if (rc == 0) {
        memcpy(end, key.mv_data, sizeof *end);
        *end += embedded_block_count(block);
    }
    return rc;
}
