/* common/log/embedded.h - what the files of the embedded log share; nobody else includes it.
 *
 * One LMDB environment a directory and process (LMDB forbids two), counted; topics of it are looked
 * up once and stay until it is closed. Blocks of records are the unit of storage
 * (embedded_block.c). Threads: as log.h says; env->lock guards the topics and the opening of
 * databases. */
#ifndef LK_LOG_EMBEDDED_H
#define LK_LOG_EMBEDDED_H

#include <lmdb.h>
#include <pthread.h>
#include <sys/stat.h>

#include "common/log/log.h"

struct embedded_topic {
    char name[LOG_TOPIC_MAX + 1];
    int partitions;
    unsigned number;      /* how many topics were there before it */
    unsigned char id[16]; /* random, made at creation: a topic made anew is another */
    MDB_dbi blocks[LOG_PARTITIONS_MAX];
};

struct embedded_env {
    struct embedded_env *next;
    dev_t device;
    ino_t inode;
    pid_t pid; /* a forked child must not use its parent's */
    int users;
    char *directory;
    MDB_env *mdb;
    MDB_dbi meta;
    uint32_t *wake; /* WAKE_WORDS futexes in DIR/wake, shared by all processes */
    pthread_mutex_t lock;
    struct embedded_topic **topics;
    int topic_count;
};

/* embedded_env.c */
int embedded_env_open(const char *directory, bool create, struct embedded_env **out,
                      struct err *err);
void embedded_env_close(struct embedded_env *env);
/* Take the pages of a part of the map out of this process again; the kernel still has them. */
void embedded_env_forget(const char *low, const char *high);
/* The sentence and the code for a failed LMDB call; doing is "append to", "read" ... */
int embedded_error(const struct embedded_env *env, int code, const char *doing, struct err *err);
/* Begin a transaction; clears dead readers and tries again where the reader table is full. */
int embedded_begin(struct embedded_env *env, unsigned flags, MDB_txn **txn, struct err *err);

/* embedded_wake.c */
int embedded_wake_open(struct embedded_env *env, struct err *err);
void embedded_wake_close(struct embedded_env *env);
uint32_t embedded_wake_seen(const struct embedded_env *env, const struct embedded_topic *topic);
/* Sleep up to ms, or until something was appended to topic since seen; false after a signal. */
bool embedded_wake_wait(const struct embedded_env *env, const struct embedded_topic *topic,
                        uint32_t seen, int ms);
void embedded_wake_all(const struct embedded_env *env, const struct embedded_topic *topic);

/* embedded_topic.c */
int embedded_topic_find(struct embedded_env *env, const char *name, struct embedded_topic **out,
                        struct err *err);
int embedded_topic_create(struct embedded_env *env, const char *name, int partitions,
                          struct err *err);
/* Where a partition begins once all of its blocks are gone, and its last log time then. */
struct embedded_floor {
    int64_t first, time_ms;
};
int embedded_floor_get(const struct embedded_env *env, MDB_txn *txn,
                       const struct embedded_topic *topic, int partition,
                       struct embedded_floor *out);
int embedded_floor_put(const struct embedded_env *env, MDB_txn *txn,
                       const struct embedded_topic *topic, int partition,
                       struct embedded_floor floor);

/* embedded_block.c */
enum {
    BLOCK_HEADER_BYTES = 24,
    BLOCK_RECORD_BYTES = 16,          /* of tables a record */
    BLOCK_BYTES_MAX = 64 * 4096 - 16, /* 64 pages with LMDB's page header */
    BLOCK_RECORD_BYTES_MAX = 64 * 1024 * 1024,
};

#define BLOCK_NO_KEY UINT32_MAX /* as a key's length */

/* A block in memory, aligned to 8 bytes; borrowed. */
struct embedded_block {
    int64_t first, time_ms;
    uint32_t count;
    const int64_t *due_ns;
    const uint32_t *key_len, *value_len;
    const char *keys, *values;
};

/* How many of records fit into one block (at least one), and the bytes that it will take. */
int embedded_block_plan(const struct log_record *records, int n, size_t *bytes);
void embedded_block_write(char *to, const struct log_record *records, int n, int64_t time_ms);
/* Checks that the lengths add up to bytes; false if they do not. */
bool embedded_block_parse(const char *from, size_t bytes, int64_t first,
                          struct embedded_block *out);
/* count and log time without the rest; from need not be aligned. */
uint32_t embedded_block_count(MDB_val block);
int64_t embedded_block_time(MDB_val block);
/* Set the cursor on the block that holds offset: 0, or MDB_NOTFOUND. */
int embedded_block_find(MDB_cursor *cursor, int64_t offset, int64_t *first, MDB_val *block);
/* First offset and end of a partition, through its cursor; floor is for one without blocks. */
int embedded_block_range(MDB_cursor *cursor, struct embedded_floor floor, int64_t *first,
                         int64_t *end);

/* embedded_reader.c */
int embedded_reader_open(void *handle, const char *topic, const int *partitions, int n,
                         void **reader, struct err *err);
void embedded_reader_close(void *reader);
int embedded_reader_seek(void *reader, int partition, int64_t position, struct err *err);
void embedded_reader_pause(void *reader, int partition, bool paused);
int embedded_reader_read(void *reader, int max, int wait_ms, struct log_batch *out,
                         struct err *err);
int embedded_reader_get(void *reader, int partition, int64_t offset, struct log_batch *out,
                        struct err *err);

/* What log_open hands out: the shared environment and the claims of this opening. */
struct embedded {
    struct embedded_env *env;
    int *claims; /* descriptors that hold a flock */
    int claim_count;
};

#endif
