/* lambda/manifest.c - see manifest.h. */
#include "lambda/manifest.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ID_LENGTH = FOLDER_ID_BYTES - 1, FORMAT = 1 };

static const char *const KIND_NAMES[] = {
    [BATCH_FULL] = "full", [BATCH_INCREMENTAL] = "incremental", [BATCH_BY_TIME] = "by-time"};

const char *batch_kind_name(enum batch_kind kind)
{
    return KIND_NAMES[kind];
}

static json_t *to_json(const char *topic, const char *view, const struct manifest *manifest)
{
    json_t *files = json_array();
    for (int p = 0; p < manifest->partitions; p++) {
        const struct manifest_file *file = &manifest->files[p];
        json_array_append_new(
            files, json_pack("{s:i,s:I,s:I,s:I,s:I,s:s}", "partition", p, "boundary",
                             (json_int_t)file->boundary, "history", (json_int_t)file->history,
                             "rows", (json_int_t)file->rows, "bytes", (json_int_t)file->bytes,
                             "xxh3_128", file->checksum));
    }
    return json_pack("{s:i,s:s,s:I,s:s,s:s,s:s,s:s,s:s,s:o}", "format", FORMAT, "id", manifest->id,
                     "number", (json_int_t)manifest->number, "kind",
                     batch_kind_name(manifest->kind), "base", manifest->base, "topic", topic,
                     "view", view, "plan", manifest->plan, "files", files);
}

static int files_from_json(json_t *files, struct manifest *out)
{
    out->partitions = (int)json_array_size(files);
    out->files = mem_zero((size_t)out->partitions + 1, sizeof *out->files);
    for (int p = 0; p < out->partitions; p++) {
        int partition;
        json_int_t boundary, rows, bytes, history = -1;
        const char *checksum;
        if (json_unpack(json_array_get(files, (size_t)p), "{s:i,s:I,s:I,s:I,s:s,s?I}", "partition",
                        &partition, "boundary", &boundary, "rows", &rows, "bytes", &bytes,
                        "xxh3_128", &checksum, "history", &history) ||
            partition != p || strlen(checksum) != ID_LENGTH)
            return -1;
        out->files[p] = (struct manifest_file){.boundary = boundary,
                                               .rows = rows,
                                               .bytes = bytes,
                                               .history = history < 0 ? boundary : history};
        memcpy(out->files[p].checksum, checksum, FOLDER_ID_BYTES);
    }
    return 0;
}

/* 0, or -1 for a kind or a base that is none. */
static int origin_from_json(const char *kind, const char *base, struct manifest *out)
{
    int which = 0;
    while (which < BATCH_KINDS && strcmp(kind, KIND_NAMES[which]) != 0)
        which++;
    if (which == BATCH_KINDS || (*base && strlen(base) != ID_LENGTH))
        return -1;
    out->kind = (enum batch_kind)which;
    snprintf(out->base, sizeof out->base, "%s", base);
    return 0;
}

int manifest_write(const char *path, const char *topic, const char *view,
                   const struct manifest *manifest, struct err *err)
{
    struct buf temp = {0};
    buf_printf(&temp, "%s.tmp", path);
    json_t *root = to_json(topic, view, manifest);
    int rc = 0, fd = open(temp.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || json_dumpfd(root, fd, JSON_INDENT(1)) || fsync(fd) || rename(temp.ptr, path))
        rc = err_errno(err, ERR_ENV, "cannot write %s", path);
    if (fd >= 0)
        close(fd);
    json_decref(root);
    buf_release(&temp);
    return rc;
}

int manifest_read(const char *path, const char *id, struct manifest *out, struct err *err)
{
    json_t *root = json_load_file(path, 0, NULL), *files = NULL;
    const char *plan, *kind = KIND_NAMES[BATCH_FULL], *base = "";
    int format, rc = 0;
    json_int_t number;
    *out = (struct manifest){0};
    memcpy(out->id, id, FOLDER_ID_BYTES);
    if (!root ||
        json_unpack(root, "{s:i,s:I,s:s,s:o,s?s,s?s}", "format", &format, "number", &number, "plan",
                    &plan, "files", &files, "kind", &kind, "base", &base) ||
        format != FORMAT || strlen(plan) != ID_LENGTH || origin_from_json(kind, base, out) ||
        files_from_json(files, out))
        rc = err_set(err, ERR_DATA,
                     "%s is not a generation's manifest; remove it and run: lk lambda batch", path);
    else {
        out->number = number;
        memcpy(out->plan, plan, FOLDER_ID_BYTES);
    }
    if (rc)
        manifest_release(out);
    json_decref(root);
    return rc;
}

void manifest_release(struct manifest *manifest)
{
    free(manifest->files);
    *manifest = (struct manifest){0};
}
