/* common/log/embedded_topic.c - the topics of an embedded log: records of its meta database.
 *
 *     "format"                  the text "lk embedded log 1"
 *     "topic/NAME"              partitions u32, number u32, id 16 random bytes
 *     "first/NAME/PARTITION"    first offset i64, last log time i64; written by a trim only
 *
 * Numbers are in the machine's own byte order, as LMDB's pages are. */
#include "common/log/embedded.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct topic_record {
    uint32_t partitions, number;
    unsigned char id[16];
};
_Static_assert(sizeof(struct topic_record) == 24, "the record has no holes");

enum { KEY_BYTES = LOG_TOPIC_MAX + 24 };

static MDB_val text_key(const char *text)
{
    return (MDB_val){strlen(text), (void *)text};
}

static int get_record(struct embedded_env *env, MDB_txn *txn, const char *name,
                      struct topic_record *out)
{
    char text[KEY_BYTES];
    snprintf(text, sizeof text, "topic/%s", name);
    MDB_val key = text_key(text), value;
    int rc = mdb_get(txn, env->meta, &key, &value);
    if (rc)
        return rc;
    if (value.mv_size != sizeof *out)
        return MDB_CORRUPTED;
    memcpy(out, value.mv_data, sizeof *out);
    return out->partitions > 0 && out->partitions <= LOG_PARTITIONS_MAX ? 0 : MDB_CORRUPTED;
}

/* Call visit for each topic's key; returns how many there are. */
static unsigned list_topics(struct embedded_env *env, MDB_txn *txn, struct buf *names)
{
    MDB_cursor *cursor;
    unsigned count = 0;
    if (mdb_cursor_open(txn, env->meta, &cursor))
        return 0;
    MDB_val key = text_key("topic/"), value;
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && key.mv_size > 6 && memcmp(key.mv_data, "topic/", 6) == 0) {
        if (names) {
            buf_add_text(names, count ? ", " : "");
            buf_add(names, (const char *)key.mv_data + 6, key.mv_size - 6);
        }
        count++;
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return count;
}

static int unknown_topic(struct embedded_env *env, MDB_txn *txn, const char *name, struct err *err)
{
    struct buf names = {0};
    unsigned count = list_topics(env, txn, &names);
    int rc = err_set(err, ERR_ENV, "the log embedded:%s has no topic \"%s\"; it has %s",
                     env->directory, name, count ? names.ptr : "none, `lk gen` makes one");
    buf_release(&names);
    return rc;
}

static int open_blocks(MDB_txn *txn, const char *name, unsigned flags, uint32_t partitions,
                       MDB_dbi *blocks)
{
    int rc = 0;
    for (uint32_t p = 0; p < partitions && rc == 0; p++) {
        char text[KEY_BYTES];
        snprintf(text, sizeof text, "%s/%u", name, p);
        rc = mdb_dbi_open(txn, text, flags | MDB_INTEGERKEY, &blocks[p]);
    }
    return rc;
}

/* Read a topic's record and open its databases; the handles are good once txn is committed. */
static int load(struct embedded_env *env, MDB_txn *txn, const char *name,
                struct embedded_topic *topic, struct err *err)
{
    struct topic_record record;
    int rc = get_record(env, txn, name, &record);
    if (rc == MDB_NOTFOUND)
        return unknown_topic(env, txn, name, err);
    rc = rc ? rc : open_blocks(txn, name, 0, record.partitions, topic->blocks);
    if (rc)
        return embedded_error(env, rc, "open a topic of", err);
    snprintf(topic->name, sizeof topic->name, "%s", name);
    topic->partitions = (int)record.partitions;
    topic->number = record.number;
    memcpy(topic->id, record.id, sizeof topic->id);
    return 0;
}

/* Wants env->lock. */
static int find_locked(struct embedded_env *env, const char *name, struct embedded_topic **out,
                       struct err *err)
{
    for (int i = 0; i < env->topic_count; i++) {
        *out = env->topics[i];
        if (strcmp((*out)->name, name) == 0)
            return 0;
    }
    MDB_txn *txn;
    int rc = embedded_begin(env, MDB_RDONLY, &txn, err);
    if (rc < 0)
        return rc;
    struct embedded_topic *topic = mem_zero(1, sizeof *topic);
    rc = load(env, txn, name, topic, err);
    if (rc < 0) {
        mdb_txn_abort(txn);
        free(topic);
        return rc;
    }
    mdb_txn_commit(txn); /* of a read: cannot fail */
    env->topics =
        mem_grow(env->topics, sizeof(struct embedded_topic *) * (size_t)(env->topic_count + 1));
    env->topics[env->topic_count++] = *out = topic;
    return 0;
}

int embedded_topic_find(struct embedded_env *env, const char *name, struct embedded_topic **out,
                        struct err *err)
{
    pthread_mutex_lock(&env->lock);
    int rc = find_locked(env, name, out, err);
    pthread_mutex_unlock(&env->lock);
    return rc;
}

/* Put the record and make the databases: 0 or an LMDB code. */
static int put_topic(struct embedded_env *env, MDB_txn *txn, const char *name, uint32_t partitions)
{
    struct topic_record record = {partitions, list_topics(env, txn, NULL), {0}};
    if (getrandom(record.id, sizeof record.id, 0) != sizeof record.id)
        return errno;
    char text[KEY_BYTES];
    snprintf(text, sizeof text, "topic/%s", name);
    MDB_val key = text_key(text), value = {sizeof record, &record};
    int rc = mdb_put(txn, env->meta, &key, &value, 0);
    MDB_dbi blocks[LOG_PARTITIONS_MAX];
    return rc ? rc : open_blocks(txn, name, MDB_CREATE, partitions, blocks);
}

/* Wants env->lock: opening databases must not happen twice at a time. */
static int create_locked(struct embedded_env *env, const char *name, int partitions,
                         struct err *err)
{
    MDB_txn *txn;
    int rc = embedded_begin(env, 0, &txn, err);
    if (rc < 0)
        return rc;
    struct topic_record record;
    rc = get_record(env, txn, name, &record);
    if (rc == 0) {
        mdb_txn_abort(txn);
        return (int)record.partitions == partitions
                   ? 0
                   : err_set(err, ERR_USAGE, "topic %s has %u partitions, not %d", name,
                             record.partitions, partitions);
    }
    if (rc == MDB_NOTFOUND)
        rc = put_topic(env, txn, name, (uint32_t)partitions);
    if (rc)
        mdb_txn_abort(txn);
    else
        rc = mdb_txn_commit(txn);
    return rc ? embedded_error(env, rc, "make a topic in", err) : 0;
}

int embedded_topic_create(struct embedded_env *env, const char *name, int partitions,
                          struct err *err)
{
    pthread_mutex_lock(&env->lock);
    int rc = create_locked(env, name, partitions, err);
    pthread_mutex_unlock(&env->lock);
    return rc;
}

static void floor_key(const struct embedded_topic *topic, int partition, char out[KEY_BYTES])
{
    snprintf(out, KEY_BYTES, "first/%s/%d", topic->name, partition);
}

int embedded_floor_get(const struct embedded_env *env, MDB_txn *txn,
                       const struct embedded_topic *topic, int partition,
                       struct embedded_floor *out)
{
    char text[KEY_BYTES];
    floor_key(topic, partition, text);
    MDB_val key = text_key(text), value;
    *out = (struct embedded_floor){0, 0};
    int rc = mdb_get(txn, env->meta, &key, &value);
    if (rc == 0 && value.mv_size == sizeof *out)
        memcpy(out, value.mv_data, sizeof *out);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int embedded_floor_put(const struct embedded_env *env, MDB_txn *txn,
                       const struct embedded_topic *topic, int partition,
                       struct embedded_floor floor)
{
    char text[KEY_BYTES];
    floor_key(topic, partition, text);
    MDB_val key = text_key(text), value = {sizeof floor, &floor};
    return mdb_put(txn, env->meta, &key, &value, 0);
}
