/* common/log/lock.c - see lock.h. */
#include "common/log/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

/* The flock is refused: say who has it. Closes fd. */
static int refused(int fd, const char *path, struct err *err)
{
    char pid[16] = "";
    int number = errno;
    ssize_t got = pread(fd, pid, sizeof pid - 1, 0);
    close(fd);
    errno = number;
    if (number != EWOULDBLOCK)
        return err_errno(err, ERR_ENV, "cannot lock %s", path);
    return err_set(err, ERR_ENV, "in use by pid %s (it holds %s): stop it first",
                   got > 0 ? pid : "(unknown)", path);
}

int log_lock_file(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return err_errno(err, ERR_ENV, "cannot open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return refused(fd, path, err);
    if (ftruncate(fd, 0) == 0 && dprintf(fd, "%d", (int)getpid()) > 0)
        return fd;
    int rc = err_errno(err, ERR_ENV, "cannot write %s", path);
    close(fd);
    return rc;
}
