/* common/log/columnar_files.h - what columnar_file.c, columnar_build.c and columnar_place.c share. */
#ifndef LK_LOG_COLUMNAR_FILES_H
#define LK_LOG_COLUMNAR_FILES_H

#include "common/base/map.h"
#include "common/log/archive_files.h"
#include "common/log/columnar.h"

struct columnar_growing {
    enum columnar_kind kind;
    int64_t *numbers; /* or codes; SEGMENT_RECORDS_MAX of them */
    uint8_t *present; /* of numbers: a byte an event */
    struct map dictionary;
    int count;
    bool absent; /* some good event has none */
    bool stands; /* some event has one */
};

struct columnar_builder {
    const struct columnar_fields *fields;
    struct columnar_growing column[COLUMNAR_COLUMNS_MAX];
    struct columnar_bad *bad;
    int rows, bad_count, bad_capacity;
    struct buf body, file;
};

/* columnar_build.c */
void columnar_builder_init(struct columnar_builder *builder, const struct columnar_fields *fields);
void columnar_builder_clear(struct columnar_builder *builder);
void columnar_builder_release(struct columnar_builder *builder);

/* columnar_file.c */
/* The bytes of the file, into builder->file. */
int columnar_encode(struct columnar_builder *builder, const struct archive_segment *segment,
                    struct err *err);
/* Make sense of out->file. ERR_DATA, filled, where it is damaged, of another format or (entry and
 * fields not NULL) not what they say. */
int columnar_decode(struct columnar *out, const char *path, const struct archive_entry *entry,
                    const struct columnar_fields *fields, struct err *err);

/* columnar_place.c */
/* Read and check every columnar file of a partition; damaged is called for each that is of no use. Where
 * one does not fit the manifest this is read again: segments come, and are merged, meanwhile; columns of
 * merged ones count nowhere, whether they have gone already or not. Returns how many count. */
int columnar_verify(struct archive_manifest *manifest,
                    void (*damaged)(const struct err *why, void *context), void *context,
                    int64_t *file_bytes);

#endif
