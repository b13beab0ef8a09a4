/* common/log/columnar_place.c - where columnar files stand: found, loaded, made where they are missing, verified.
 *
 * There is no list of them: a segment's name and the hash of the fields make a file's name, and the
 * file itself says which segment it was made from. So a file may be removed at any time, a killed
 * maker leaves a temporary file at most (which archive_open removes), and making goes on where files
 * are missing. */
#include "common/log/columnar_files.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/stop.h"

struct columnar_place {
    const struct columnar_fields *fields;
    struct archive_manifest manifest;
    int made; /* entries of the manifest below this have their files: columnar_fill looks from here */
};

int columnar_place_open(const char *directory, const char *topic, int partition,
                        const struct columnar_fields *fields, struct columnar_place **out,
                        struct err *err)
{
    struct columnar_place *place = mem_zero(1, sizeof *place);
    place->fields = fields;
    archive_manifest_init(&place->manifest, directory, topic, partition);
    int rc = archive_manifest_read(&place->manifest, err);
    if (rc < 0)
        columnar_place_close(place);
    else
        *out = place;
    return rc;
}

void columnar_place_close(struct columnar_place *place)
{
    if (!place)
        return;
    archive_manifest_release(&place->manifest);
    free(place);
}

static void path_of(const struct columnar_place *place, const struct archive_entry *entry,
                    struct buf *path)
{
    buf_clear(path);
    buf_printf(path, "%s/%020" PRId64 "-%020" PRId64 ".%016" PRIx64 ".columns",
               place->manifest.directory.ptr, entry->first, entry->last, place->fields->hash);
}

/* 0, or ERR_DATA: missing, or of no use. */
static int load(const struct columnar_place *place, const struct archive_entry *entry,
                struct columnar *out, struct err *why)
{
    struct buf path = {0};
    path_of(place, entry, &path);
    errno = archive_read_file(path.ptr, &out->file);
    int rc = errno == ENOENT ? err_set(why, ERR_DATA, "%s is missing", path.ptr)
             : errno         ? err_errno(why, ERR_DATA, "cannot read %s", path.ptr)
                             : columnar_decode(out, path.ptr, entry, place->fields, why);
    buf_release(&path);
    return rc;
}

int columnar_load(struct columnar_place *place, int64_t position, struct columnar *out,
                  int64_t *next, struct err *why, struct err *err)
{
    struct archive_manifest *manifest = &place->manifest;
    int i = archive_manifest_find(manifest, position);
    if (i == manifest->count) {
        int rc = archive_manifest_read(manifest, err);
        if (rc < 0)
            return rc;
        i = archive_manifest_find(manifest, position);
    }
    *next = position;
    if (i == manifest->count || manifest->entries[i].from > position)
        return 0;
    *next = manifest->entries[i].next;
    return load(place, &manifest->entries[i], out, why) == 0;
}

/* ---- making ---- */

struct maker {
    struct columnar_place *place;
    void (*scan)(void *context, const struct log_batch *batch, struct columnar_builder *builder);
    void *context;
    struct archive_segment segment;
    struct columnar_builder builder;
    struct columnar found; /* what stands there already */
};

static void scan_segment(struct maker *maker)
{
    const struct archive_segment *segment = &maker->segment;
    for (int i = 0; i < segment->count; i += LOG_BATCH_MAX) {
        int n = segment->count - i < LOG_BATCH_MAX ? segment->count - i : LOG_BATCH_MAX;
        struct log_batch batch = {.count = n,
                                  .offset = segment->offset + i,
                                  .time_ms = segment->time_ms + i,
                                  .due_ns = segment->due_ns + i,
                                  .key = segment->key + i,
                                  .value = segment->value + i,
                                  .next = segment->offset[i + n - 1] + 1};
        maker->scan(maker->context, &batch, &maker->builder);
    }
}

static int make(struct maker *maker, const struct archive_entry *entry, struct err *err)
{
    const struct archive_manifest *manifest = &maker->place->manifest;
    struct buf path = {0}, temporary = {0};
    archive_path(manifest, entry->first, entry->last, &path);
    int rc = archive_segment_read(&maker->segment, path.ptr, entry, err);
    if (rc == 0) {
        columnar_builder_clear(&maker->builder);
        scan_segment(maker);
        rc = columnar_encode(&maker->builder, &maker->segment, err);
    }
    path_of(maker->place, entry, &path);
    buf_printf(&temporary, "%s/.tmp-%lld.columns", manifest->directory.ptr,
               (long long)entry->first);
    if (rc == 0)
        rc = archive_write_file(temporary.ptr, path.ptr, buf_bytes(&maker->builder.file), err);
    buf_release(&path);
    buf_release(&temporary);
    return rc;
}

int columnar_fill(struct columnar_place *place,
                  void (*scan)(void *context, const struct log_batch *batch,
                               struct columnar_builder *builder),
                  void *context, struct err *err)
{
    int made = 0, rc = archive_manifest_read(&place->manifest, err);
    if (rc < 0 || place->made == place->manifest.count)
        return rc;
    struct maker *maker = mem_zero(1, sizeof *maker);
    *maker = (struct maker){.place = place, .scan = scan, .context = context};
    columnar_builder_init(&maker->builder, place->fields);
    for (; rc == 0 && place->made < place->manifest.count && !stop_asked(); place->made++) {
        const struct archive_entry *entry = &place->manifest.entries[place->made];
        if (load(place, entry, &maker->found, NULL) == 0)
            continue;
        rc = make(maker, entry, err);
        made += rc == 0;
    }
    columnar_builder_release(&maker->builder);
    archive_segment_release(&maker->segment);
    columnar_release(&maker->found);
    free(maker);
    return rc < 0 ? rc : made;
}

/* ---- verifying ---- */

static int is_columnar(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name), tail = strlen(".columns");
    return entry->d_name[0] != '.' && len > tail &&
           strcmp(entry->d_name + len - tail, ".columns") == 0;
}

/* The entry that a file's name speaks of; NULL: there is none. */
static const struct archive_entry *entry_of(const struct archive_manifest *manifest,
                                            const char *name)
{
    int64_t first, last;
    if (sscanf(name, "%" SCNd64 "-%" SCNd64 ".", &first, &last) != 2)
        return NULL;
    int i = archive_manifest_find(manifest, first);
    bool same = i < manifest->count && manifest->entries[i].first == first &&
                manifest->entries[i].last == last;
    return same ? &manifest->entries[i] : NULL;
}

static int check(const struct archive_manifest *manifest, const char *name,
                 struct columnar *columnar, struct err *why)
{
    const struct archive_entry *entry = entry_of(manifest, name);
    struct buf path = {0};
    buf_printf(&path, "%s/%s", manifest->directory.ptr, name);
    errno = archive_read_file(path.ptr, &columnar->file);
    int rc = errno    ? err_errno(why, ERR_ENV, "cannot read %s", path.ptr)
             : !entry ? err_set(why, ERR_DATA, "%s belongs to no segment", path.ptr)
                      : columnar_decode(columnar, path.ptr, entry, NULL, why);
    buf_release(&path);
    return rc;
}

/* Have the segments of this file been merged into a larger one? Its next writer removes it. */
static bool is_merged(const struct archive_manifest *manifest, const char *name)
{
    int64_t first, last;
    if (sscanf(name, "%" SCNd64 "-%" SCNd64 ".", &first, &last) != 2)
        return false;
    int i = archive_manifest_find(manifest, first);
    const struct archive_entry *entry = i < manifest->count ? &manifest->entries[i] : NULL;
    return entry && entry->first <= first && last <= entry->last &&
           (entry->first != first || entry->last != last);
}

/* 1 of use, 0 merged, or a code. */
static int check_again(struct archive_manifest *manifest, const char *name,
                       struct columnar *columnar, struct err *why)
{
    int rc = check(manifest, name, columnar, why);
    if (rc == 0 || archive_manifest_again(manifest, NULL) < 0)
        return rc == 0 ? 1 : rc;
    if (is_merged(manifest, name))
        return 0;
    err_clear(why);
    rc = check(manifest, name, columnar, why);
    return rc == 0 ? 1 : rc;
}

int columnar_verify(struct archive_manifest *manifest,
                    void (*damaged)(const struct err *why, void *context), void *context,
                    int64_t *file_bytes)
{
    struct dirent **names;
    struct columnar columnar = {0};
    int counted = 0, count = scandir(manifest->directory.ptr, &names, is_columnar, alphasort);
    for (int i = 0; i < count; i++) {
        struct err why = {0};
        int rc = check_again(manifest, names[i]->d_name, &columnar, &why);
        if (rc < 0)
            damaged(&why, context);
        if (rc != 0)
            *file_bytes += (int64_t)columnar.file.len;
        counted += rc != 0;
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    columnar_release(&columnar);
    return counted;
}
