/* common/log/archive_reader.c - the archive as a log: not filled yet. */
#include "common/log/log.h"

static int archive_log_open(const char *where, bool create, void **handle, struct err *err)
{
    (void)create, (void)handle;
    return err_set(err, ERR_ENV, "archive:%s cannot be read yet", where);
}

const struct log_ops log_archive_ops = {.scheme = "archive", .open = archive_log_open};
