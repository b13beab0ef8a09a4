/* common/log/archive_place.c - makes and locks the directories of an archive, and writes its files.
 *
 * Every file appears under its name only when it is whole and durable: written under a temporary
 * name, synced, renamed, and the directory synced. A writer that is killed leaves a temporary file
 * at most, which the next one removes. */
#include "common/log/archive_files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/directory.h"
#include "common/base/fault.h"
#include "common/log/lock.h"

static bool write_all(int fd, const char *from, size_t bytes)
{
    while (bytes > 0) {
        ssize_t put = write(fd, from, bytes);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        from += put;
        bytes -= (size_t)put;
    }
    return true;
}

/* A step that a test makes fail, as on a full disk. */
static bool fails(const char *point)
{
    if (!fault_point(point))
        return false;
    errno = ENOSPC;
    return true;
}

static bool write_temporary(int fd, struct bytes bytes)
{
    size_t half = bytes.len / 2;
    return write_all(fd, bytes.ptr, half) && !fails("segment temp") &&
           write_all(fd, bytes.ptr + half, bytes.len - half) && !fails("segment sync") &&
           fsync(fd) == 0;
}

static bool sync_directory_of(const char *path)
{
    char *copy = mem_copy_string(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    free(copy);
    return good;
}

int archive_write_file(const char *temporary, const char *path, struct bytes bytes, struct err *err)
{
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_errno(err, ERR_ENV, "cannot make %s", temporary);
    bool good = write_temporary(fd, bytes);
    int number = errno;
    close(fd);
    if (good &&
        (fails("segment rename") || rename(temporary, path) != 0 || !sync_directory_of(path))) {
        good = false;
        number = errno;
    }
    if (good)
        return 0;
    unlink(temporary);
    errno = number;
    return err_errno(err, ERR_ENV, "cannot write %s", path);
}

int archive_read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    bool good = fd >= 0 && fstat(fd, &st) == 0;
    buf_clear(out);
    if (good)
        buf_reserve(out, (size_t)st.st_size);
    for (ssize_t got = 1; good && got > 0 && out->len < (size_t)st.st_size;) {
        got = read(fd, out->ptr + out->len, (size_t)st.st_size - out->len);
        good = got >= 0;
        out->len += got > 0 ? (size_t)got : 0;
    }
    int number = good ? 0 : errno;
    if (fd >= 0)
        close(fd);
    return number;
}

int archive_partitions(const char *directory, const char *topic, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s/topic", directory, topic);
    FILE *file = fopen(path.ptr, "r");
    int count = 0;
    if (!file && errno != ENOENT)
        count = err_errno(err, ERR_ENV, "cannot open %s", path.ptr);
    else if (file &&
             (fscanf(file, "{\"format\":\"lk archive 1\",\"partitions\":%d}", &count) != 1 ||
              count < 1 || count > LOG_PARTITIONS_MAX))
        count = err_set(err, ERR_DATA, "%s is not the mark of an archive of this lk", path.ptr);
    if (file)
        fclose(file);
    buf_release(&path);
    return count;
}

static int make_directory(const char *path, struct err *err)
{
    if (directory_make(path) == 0)
        return 0;
    return err_errno(err, ERR_ENV, "cannot make the archive's directory %s", path);
}

static int write_mark(const char *directory, const char *topic, int partitions, struct err *err)
{
    struct buf temporary = {0}, path = {0}, text = {0};
    buf_printf(&temporary, "%s/%s/.tmp-topic", directory, topic);
    buf_printf(&path, "%s/%s/topic", directory, topic);
    buf_printf(&text, "{\"format\":\"lk archive 1\",\"partitions\":%d}\n", partitions);
    int rc = archive_write_file(temporary.ptr, path.ptr, buf_bytes(&text), err);
    buf_release(&temporary);
    buf_release(&path);
    buf_release(&text);
    return rc;
}

static int make_partitions(const char *directory, const char *topic, int partitions,
                           struct err *err)
{
    struct buf path = {0};
    int rc = 0;
    for (int p = 0; p < partitions && rc == 0; p++) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s/%d", directory, topic, p);
        rc = make_directory(path.ptr, err);
    }
    buf_release(&path);
    return rc;
}

int archive_make_place(const char *directory, const char *topic, int partitions, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s", directory, topic);
    int rc = make_directory(directory, err);
    rc = rc ? rc : make_directory(path.ptr, err);
    buf_release(&path);
    int there = rc ? rc : archive_partitions(directory, topic, err);
    if (there < 0)
        return there;
    if (there > 0 && there != partitions)
        return err_set(err, ERR_USAGE,
                       "the archive of topic %s in %s has %d partitions, the topic %d; archive it "
                       "into another directory",
                       topic, directory, there, partitions);
    rc = make_partitions(directory, topic, partitions, err);
    return rc || there ? rc : write_mark(directory, topic, partitions, err);
}

int archive_lock(const char *directory, const char *topic, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/%s/writer", directory, topic);
    int fd = log_lock_file(path.ptr, err);
    if (fd < 0)
        err_context(err, "archive of topic %s", topic);
    buf_release(&path);
    return fd;
}
