/* common/log/lock.h - a lock file: flock, with the holder's pid inside.
 *
 * The lock is the flock, not the file, so that a dead holder's is free. Closing the descriptor
 * unlocks. Any thread. */
#ifndef LK_LOG_LOCK_H
#define LK_LOG_LOCK_H

#include "common/base/err.h"

/* The descriptor that holds the lock; ERR_ENV "in use by pid N" if another has it. */
int log_lock_file(const char *path, struct err *err);

#endif
