/* lambda/manifest.h - the manifest of a generation: which files it has, and their checksums.
 *
 * JSON, so that anyone can read what a batch left. Written last: without it a generation does not
 * exist. Open value: manifest_release. */
#ifndef LK_LAMBDA_MANIFEST_H
#define LK_LAMBDA_MANIFEST_H

#include "common/base/bytes.h"
#include "common/base/err.h"

enum { FOLDER_ID_BYTES = 33 }; /* 32 hexadecimal digits and a NUL */

/* How a generation was computed (docs/batch.md). */
enum batch_kind { BATCH_FULL, BATCH_INCREMENTAL, BATCH_BY_TIME, BATCH_KINDS };
const char *batch_kind_name(enum batch_kind kind); /* "full", "incremental", "by-time" */

struct manifest_file {
    int64_t boundary, rows, bytes;
    int64_t history; /* below it an id counts once in all history; from it on, within the horizon */
    char checksum[FOLDER_ID_BYTES];
};

/* What is said of a generation since it was computed; not in its manifest. */
enum standing {
    STANDING_GOOD,
    STANDING_WITHDRAWN, /* rolled back */
    STANDING_UPON       /* built upon one that was, however far back */
};

struct manifest {
    char id[FOLDER_ID_BYTES], plan[FOLDER_ID_BYTES];
    enum batch_kind kind;
    char base[FOLDER_ID_BYTES]; /* the generation that it was built upon; "": none */
    int64_t number;             /* rises with every generation of the view */
    enum standing standing;     /* as folder.h finds it */
    int partitions;
    struct manifest_file *files; /* one a partition; owned */
};

/* Write to PATH.tmp, sync, rename. */
int manifest_write(const char *path, const char *topic, const char *view,
                   const struct manifest *manifest, struct err *err);
/* ERR_DATA: not a manifest of ours. One that says no kind is of a full batch. */
int manifest_read(const char *path, const char *id, struct manifest *out, struct err *err);
void manifest_release(struct manifest *manifest);

#endif
