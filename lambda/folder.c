/* lambda/folder.c - see folder.h.
 *
 * Why the short lock: a batch that made its lock file but does not hold it yet looks dead, so
 * making and sweeping exclude each other. A killed process loses its flocks at once, hence a lock
 * that can be had belongs to nobody alive. */
#include "lambda/folder_parts.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/directory.h"
#include "common/base/fault.h"
#include "common/base/rng.h"
#include "common/base/stop.h"

enum { ID_LENGTH = FOLDER_ID_BYTES - 1, TURN_MS = 50, PATIENCE_TURNS = 20 };

char *folder_path(const struct folder *folder, const char *id, const char *rest)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s%s", folder->path, id, rest);
    return path.ptr;
}

char *folder_file(const struct folder *folder, const char *id, int partition, const char *rest)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s.p%d%s", folder->path, id, partition, rest);
    return path.ptr;
}

const char *folder_id(const struct folder *folder)
{
    return folder->id;
}

/* ---- walking: names are an id of 32 hexadecimal digits, then what the file is ---- */

static bool name_split(const char *name, char id[FOLDER_ID_BYTES], const char **rest)
{
    if (strspn(name, "0123456789abcdef") != ID_LENGTH || name[ID_LENGTH] != '.')
        return false;
    memcpy(id, name, ID_LENGTH);
    id[ID_LENGTH] = 0;
    *rest = name + ID_LENGTH;
    return true;
}

void folder_walk(struct folder *folder, folder_each *each, void *context)
{
    DIR *dir = opendir(folder->path);
    char id[FOLDER_ID_BYTES];
    const char *rest;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (name_split(entry->d_name, id, &rest))
            each(folder, id, rest, context);
    if (dir)
        closedir(dir);
}

bool folder_has(const struct folder *folder, const char *id, const char *rest)
{
    char *path = folder_path(folder, id, rest);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

void folder_discard(const struct folder *folder, const char *id, const char *rest)
{
    char *path = folder_path(folder, id, rest);
    unlink(path);
    free(path);
}

/* ---- locks ---- */

static int open_lock(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? err_errno(err, ERR_ENV, "cannot make the lock %s", path) : fd;
}

static int open_named_lock(struct folder *folder, const char *name, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", folder->path, name);
    int fd = open_lock(path.ptr, err);
    buf_release(&path);
    return fd;
}

static void short_lock(struct folder *folder)
{
    while (flock(folder->short_fd, LOCK_EX) && errno == EINTR)
        ;
}

static void short_unlock(struct folder *folder)
{
    flock(folder->short_fd, LOCK_UN);
}

static bool alive(struct folder *folder, const char *id)
{
    char *path = folder_path(folder, id, ".lock");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0;
    if (fd >= 0)
        close(fd);
    free(path);
    return held;
}

/* Is <id><rest> a part of a generation, once there is its manifest? */
static bool is_part(const char *rest)
{
    if (strncmp(rest, ".p", 2) != 0)
        return false;
    const char *more = rest + 2 + strspn(rest + 2, "0123456789");
    return *more == 0 || strcmp(more, ".times") == 0;
}

static void sweep_dead(struct folder *folder, const char *id, const char *rest, void *context)
{
    (void)context;
    bool note = strcmp(rest, ".load") == 0 || strcmp(rest, ".withdrawn") == 0;
    bool temporary = strcmp(rest, ".json") && !is_part(rest);
    if (note || (folder_has(folder, id, ".json") && !temporary))
        return;
    if (!alive(folder, id))
        folder_discard(folder, id, rest);
}

static int take_id(struct folder *folder, struct err *err)
{
    random_token(folder->id);
    char *path = folder_path(folder, folder->id, ".lock");
    folder->lock_fd = open_lock(path, err);
    free(path);
    if (folder->lock_fd < 0)
        return folder->lock_fd;
    return flock(folder->lock_fd, LOCK_EX | LOCK_NB)
               ? err_errno(err, ERR_ENV, "cannot lock in %s", folder->path)
               : 0;
}

static struct folder *folder_new(const char *archive, const char *topic, const char *view)
{
    struct folder *folder = mem_zero(1, sizeof *folder);
    struct buf path = {0};
    buf_printf(&path, "%s/%s/generations/%s", archive, topic, view);
    folder->path = path.ptr;
    folder->topic = mem_copy_string(topic);
    folder->view = mem_copy_string(view);
    folder->short_fd = folder->lock_fd = folder->publish_fd = -1;
    return folder;
}

int folder_look(const char *archive, const char *topic, const char *view, struct folder **out,
                struct err *err)
{
    struct folder *folder = folder_new(archive, topic, view);
    if (access(folder->path, F_OK)) {
        int rc = err_set(err, ERR_ENV,
                         "no generations of view %s of topic %s in %s; make one: lk lambda batch",
                         view, topic, folder->path);
        folder_close(folder);
        return rc;
    }
    *out = folder;
    return 0;
}

int folder_open(const char *archive, const char *topic, const char *view, struct folder **out,
                struct err *err)
{
    struct folder *folder = folder_new(archive, topic, view);
    int rc = directory_make(folder->path)
                 ? err_errno(err, ERR_ENV, "cannot make the folder %s", folder->path)
                 : 0;
    if (rc == 0) {
        folder->short_fd = open_named_lock(folder, ".lock", err);
        rc = folder->short_fd < 0 ? folder->short_fd : 0;
    }
    if (rc == 0) {
        short_lock(folder);
        folder_walk(folder, sweep_dead, NULL);
        rc = take_id(folder, err);
        short_unlock(folder);
    }
    if (rc)
        folder_close(folder);
    else
        *out = folder;
    return rc;
}

void folder_close(struct folder *folder)
{
    if (!folder)
        return;
    folder_publish_unlock(folder);
    if (folder->lock_fd >= 0) {
        folder_discard(folder, folder->id, ".lock");
        close(folder->lock_fd);
    }
    if (folder->short_fd >= 0)
        close(folder->short_fd);
    free(folder->path);
    free(folder->topic);
    free(folder->view);
    free(folder);
}

int folder_publish_lock(struct folder *folder, struct err *err)
{
    int fd = open_named_lock(folder, "publish.lock", err);
    if (fd < 0)
        return fd;
    for (int turns = 0; flock(fd, LOCK_EX | LOCK_NB); turns++) {
        if (turns == PATIENCE_TURNS)
            fprintf(stderr, "lk: another batch is publishing from %s; waiting for it\n",
                    folder->path);
        if (stop_asked()) {
            close(fd);
            return err_set(err, ERR_INTERRUPTED, "stopped while another batch was publishing");
        }
        clock_sleep_ms(TURN_MS);
    }
    folder->publish_fd = fd;
    return 0;
}

void folder_publish_unlock(struct folder *folder)
{
    if (folder->publish_fd >= 0)
        close(folder->publish_fd);
    folder->publish_fd = -1;
}

/* ---- manifests ---- */

int folder_sync(const struct folder *folder, struct err *err)
{
    int fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 || fsync(fd) ? err_errno(err, ERR_ENV, "cannot sync %s", folder->path) : 0;
    if (fd >= 0)
        close(fd);
    return rc;
}

struct listing {
    struct manifest *manifests;
    int count, rc;
    struct err *err;
};

static void list_one(struct folder *folder, const char *id, const char *rest, void *context)
{
    struct listing *list = context;
    if (list->rc || strcmp(rest, ".json"))
        return;
    list->manifests =
        mem_grow(list->manifests, ((size_t)list->count + 1) * sizeof *list->manifests);
    char *path = folder_path(folder, id, rest);
    list->rc = manifest_read(path, id, &list->manifests[list->count], list->err);
    free(path);
    if (list->rc == 0)
        list->count++;
}

static int newest_first(const void *left, const void *right)
{
    const struct manifest *a = left, *b = right;
    if (a->number != b->number)
        return a->number > b->number ? -1 : 1;
    return strcmp(a->id, b->id);
}

/* Every manifest, the newest first; release with list_release. */
static int list_all(struct folder *folder, struct listing *list, struct err *err)
{
    *list = (struct listing){.err = err};
    folder_walk(folder, list_one, list);
    if (list->count)
        qsort(list->manifests, (size_t)list->count, sizeof *list->manifests, newest_first);
    folder_judge(folder, list->manifests, list->count);
    return list->rc;
}

static void list_release(struct listing *list)
{
    for (int i = 0; i < list->count; i++)
        manifest_release(&list->manifests[i]);
    free(list->manifests);
}

static int manifest_put(struct folder *folder, const struct manifest *manifest, struct err *err)
{
    char *path = folder_path(folder, manifest->id, ".json");
    int rc = manifest_write(path, folder->topic, folder->view, manifest, err);
    free(path);
    return rc ? rc : folder_sync(folder, err);
}

int folder_commit(struct folder *folder, struct manifest *manifest, struct err *err)
{
    struct listing list;
    if (fault_point("generation manifest"))
        return err_set(err, ERR_ENV, "cannot write the manifest of %s", folder->id);
    short_lock(folder);
    int rc = list_all(folder, &list, err);
    memcpy(manifest->id, folder->id, sizeof manifest->id);
    int64_t last = list.count ? list.manifests[0].number : 0;
    manifest->number = 1 + (last > manifest->number ? last : manifest->number);
    if (rc == 0)
        rc = manifest_put(folder, manifest, err);
    short_unlock(folder);
    list_release(&list);
    return rc;
}

int folder_newest(struct folder *folder, const char *plan, struct manifest *out, struct err *err)
{
    struct listing list;
    int rc = list_all(folder, &list, err);
    for (int i = 0; rc == 0 && i < list.count; i++)
        if (strcmp(list.manifests[i].plan, plan) == 0 &&
            list.manifests[i].standing == STANDING_GOOD) {
            *out = list.manifests[i];
            list.manifests[i].files = NULL; /* handed over */
            rc = 1;
        }
    list_release(&list);
    return rc;
}

int folder_list(struct folder *folder, struct manifest **out, struct err *err)
{
    struct listing list;
    int rc = list_all(folder, &list, err);
    if (rc < 0) {
        list_release(&list);
        return rc;
    }
    *out = list.manifests;
    return list.count;
}

void folder_list_release(struct manifest *manifests, int count)
{
    list_release(&(struct listing){.manifests = manifests, .count = count});
}

static void discard_part(struct folder *folder, const char *id, int partition, const char *rest)
{
    char *path = folder_file(folder, id, partition, rest);
    unlink(path);
    free(path);
}

/* First the manifest: none names what is gone. */
static void remove_generation(struct folder *folder, const struct manifest *manifest)
{
    folder_discard(folder, manifest->id, ".json");
    for (int p = 0; p < manifest->partitions; p++) {
        discard_part(folder, manifest->id, p, "");
        discard_part(folder, manifest->id, p, ".times");
    }
}

int folder_prune(struct folder *folder, int keep, struct err *err)
{
    struct listing list;
    int kept = 0;
    short_lock(folder);
    int rc = list_all(folder, &list, err);
    for (int i = 0; rc == 0 && i < list.count; i++)
        if (kept == keep)
            remove_generation(folder, &list.manifests[i]);
        else
            kept += list.manifests[i].standing == STANDING_GOOD;
    short_unlock(folder);
    list_release(&list);
    return rc;
}
