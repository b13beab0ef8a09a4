/* common/log/archive_writer.h - a writer's insides, for archive_writer.c and archive_closing.c. */
#ifndef LK_LOG_ARCHIVE_WRITER_H
#define LK_LOG_ARCHIVE_WRITER_H

#include <pthread.h>

#include "common/log/archive_files.h"

enum { CLOSING_MAX = 2 }; /* segments under way to the disk */

/* A partition. Its manifest is the closing thread's while there is one. */
struct archive_part {
    struct archive_manifest manifest;
    struct archive_builder builder;
    int64_t from;      /* where the next segment begins; -1: at its first event */
    int64_t next;      /* what archive_add wants */
    int64_t oldest_ns; /* when the builder got its first record */
    int hole;          /* index of the entry being written anew; -1: none */
};

/* A full segment under way. */
struct archive_closing {
    struct archive_part *part; /* NULL: free */
    struct archive_builder builder;
    struct archive_entry entry;
    struct buf file;
    pthread_t thread;
    int rc;
    struct err err;
};

struct archive_writer {
    int count, lock;
    size_t close_bytes;
    struct archive_part *parts;
    struct archive_closing closing[CLOSING_MAX];
    int turn; /* of closing */
    int rc;   /* the first failure, for good */
    struct err err;
    struct archive_totals totals;
};

/* Begin to close the partition's open segment; waits while too many are under way. */
int archive_close_segment(struct archive_writer *writer, struct archive_part *part,
                          struct err *err);
/* Wait for the partition's segments (NULL: for all); archive_failed says what became of them. */
void archive_settle(struct archive_writer *writer, const struct archive_part *part);
int archive_failed(const struct archive_writer *writer, struct err *err);
void archive_closing_release(struct archive_writer *writer);
/* ERR_DATA: the log no longer holds what the missing segment did. */
int archive_hole_differs(const struct archive_part *part, struct err *err);

#endif
