/* common/log/archive_verify.c - every segment of an archive read again and held against its manifest. */
#include "common/base/stop.h"
#include "common/log/columnar_files.h"

struct checking {
    void (*damaged)(const struct err *why, void *context);
    void *context;
    struct archive_health *health;
};

/* The segment at a position, and the position behind it. One that was merged meanwhile counts for what
 * it has from there on; its bytes count once, where it is met. */
static int check_segment(struct archive_manifest *manifest, int64_t *position,
                         struct archive_segment *segment, const struct checking *checking)
{
    struct err why = {0};
    int i, rc = archive_manifest_open(manifest, *position, segment, &i, &why);
    if (rc == 0)
        return 0;
    checking->health->segments++;
    if (rc < 0) {
        checking->health->damaged++;
        checking->damaged(&why, checking->context);
    }
    for (int j = 0; rc > 0 && j < segment->count; j++)
        if (segment->offset[j] >= *position) {
            checking->health->events++;
            checking->health->raw_bytes += (int64_t)segment->value[j].len + 1;
        }
    if (rc > 0)
        checking->health->file_bytes += manifest->entries[i].bytes;
    *position = i < manifest->count ? manifest->entries[i].next : INT64_MAX;
    return 1;
}

/* What is of no use is told, and counted apart: the segments hold the same. */
static void damaged_columns(const struct err *why, void *context)
{
    const struct checking *checking = context;
    checking->health->columnar_damaged++;
    checking->damaged(why, checking->context);
}

static int check_partition(const char *directory, const char *topic, int partition,
                           struct checking *checking, struct err *err)
{
    struct archive_manifest manifest;
    struct archive_segment segment = {0};
    archive_manifest_init(&manifest, directory, topic, partition);
    int rc = archive_manifest_read(&manifest, err);
    int64_t position = manifest.count ? manifest.entries[0].from : 0;
    while (rc == 0 && !stop_asked() && check_segment(&manifest, &position, &segment, checking))
        ;
    if (rc == 0)
        checking->health->columnar += columnar_verify(&manifest, damaged_columns, checking,
                                                      &checking->health->columnar_bytes);
    archive_segment_release(&segment);
    archive_manifest_release(&manifest);
    return rc;
}

int archive_verify(const char *directory, const char *topic,
                   void (*damaged)(const struct err *why, void *context), void *context,
                   struct archive_health *out, struct err *err)
{
    struct checking checking = {damaged, context, out};
    *out = (struct archive_health){0};
    int partitions = archive_partitions(directory, topic, err);
    if (partitions == 0)
        return err_set(err, ERR_ENV, "the archive %s has no topic %s; make it: lk lambda archive",
                       directory, topic);
    int rc = partitions < 0 ? partitions : 0;
    for (int p = 0; rc == 0 && p < partitions; p++)
        rc = check_partition(directory, topic, p, &checking, err);
    if (rc == 0 && stop_asked())
        rc = err_set(err, ERR_INTERRUPTED, "interrupted");
    return rc;
}
