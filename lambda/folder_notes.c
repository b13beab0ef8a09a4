/* lambda/folder_notes.c - what is remembered beside the manifests: loads under way, and generations that
 * were rolled back.
 *
 * A note is an empty file whose name says all, durable before what it speaks of begins. One of a rollback
 * outlives the generation's files: what was built upon it may still be computed, or loaded again. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/fault.h"
#include "lambda/folder_parts.h"

static int put_note(const struct folder *folder, const char *id, const char *rest, struct err *err)
{
    char *path = folder_path(folder, id, rest);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    int rc = fd < 0 ? err_errno(err, ERR_ENV, "cannot make %s", path) : 0;
    if (fd >= 0)
        close(fd);
    free(path);
    return rc ? rc : folder_sync(folder, err);
}

/* ---- the journal of loads ---- */

int folder_load_note(struct folder *folder, const char *load, struct err *err)
{
    return put_note(folder, load, ".load", err);
}

void folder_load_forget(struct folder *folder, const char *load)
{
    folder_discard(folder, load, ".load");
}

struct loads {
    char (*ids)[FOLDER_ID_BYTES];
    int count;
};

static void list_load(struct folder *folder, const char *id, const char *rest, void *context)
{
    (void)folder;
    struct loads *loads = context;
    if (strcmp(rest, ".load"))
        return;
    loads->ids = mem_grow(loads->ids, ((size_t)loads->count + 1) * sizeof *loads->ids);
    memcpy(loads->ids[loads->count++], id, FOLDER_ID_BYTES);
}

int folder_loads(struct folder *folder, char (**out)[FOLDER_ID_BYTES])
{
    struct loads loads = {0};
    folder_walk(folder, list_load, &loads);
    *out = loads.ids;
    return loads.count;
}

/* ---- rollbacks ---- */

int folder_withdraw(const struct folder *folder, const char *id, struct err *err)
{
    return put_note(folder, id, ".withdrawn", err);
}

int folder_readmit(const struct folder *folder, const char *id, struct err *err)
{
    folder_discard(folder, id, ".withdrawn");
    return folder_sync(folder, err);
}

bool folder_withdrawn(const struct folder *folder, const char *id)
{
    return !bug_planted("rollback-forgotten") && folder_has(folder, id, ".withdrawn");
}

/* The manifest of this id, or NULL: its files have gone. */
static const struct manifest *find(const struct manifest *manifests, int count, const char *id)
{
    for (int i = 0; i < count; i++)
        if (strcmp(manifests[i].id, id) == 0)
            return &manifests[i];
    return NULL;
}

/* Ids of a generation and of what it builds upon, into a list with room for count + 2: how many. */
static int trace(const struct manifest *manifests, int count, const struct manifest *it,
                 folder_name *out)
{
    int known = 0;
    memcpy(out[known++], it->id, sizeof *out);
    while (it && *it->base && known < count + 2) {
        memcpy(out[known++], it->base, sizeof *out);
        it = find(manifests, count, it->base);
    }
    return known;
}

int folder_lineage(struct folder *folder, const struct manifest *manifest, folder_name **out,
                   struct err *err)
{
    struct manifest *manifests = NULL;
    int count = folder_list(folder, &manifests, err);
    if (count < 0)
        return count;
    *out = mem_zero((size_t)count + 2, sizeof **out);
    int known = trace(manifests, count, manifest, *out);
    folder_list_release(manifests, count);
    return known;
}

void folder_judge(const struct folder *folder, struct manifest *manifests, int count)
{
    folder_name *ids = mem_zero((size_t)count + 2, sizeof *ids);
    for (int i = 0; i < count; i++) {
        manifests[i].standing = STANDING_GOOD;
        for (int k = trace(manifests, count, &manifests[i], ids) - 1; k >= 0; k--)
            if (folder_withdrawn(folder, ids[k]))
                manifests[i].standing = k ? STANDING_UPON : STANDING_WITHDRAWN;
    }
    free(ids);
}
