/* common/base/directory.c - a directory is tried first, its parents only where one is missing, so
 * that what is there already need not be ours to write. */
#include "common/base/directory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/bytes.h"

static int make_one(const char *path)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : -1;
}

/* path is changed and put back. */
static int make(char *path)
{
    if (make_one(path) == 0)
        return 0;
    char *slash = strrchr(path, '/');
    if (errno != ENOENT || !slash || slash == path)
        return -1;
    *slash = 0;
    int rc = make(path);
    *slash = '/';
    return rc ? rc : make_one(path);
}

int directory_make(const char *path)
{
    struct buf copy = {0};
    buf_printf(&copy, "%s", path);
    while (copy.len > 1 && copy.ptr[copy.len - 1] == '/')
        copy.ptr[--copy.len] = 0;
    int rc = make(copy.ptr);
    int number = errno;
    buf_release(&copy);
    errno = number;
    return rc;
}
