/* common/base/err.h - what went wrong, said once, for a human and for the caller.
 *
 * A function that can fail returns 0 (or a count) or one of these negative codes, and fills the
 * caller's struct err. NULL is accepted. The first failure wins: err_set on a filled err keeps the
 * older text, it being the cause. Our own bugs are asserts, never errors.
 * Open value; any thread, one at a time. */
#ifndef LK_BASE_ERR_H
#define LK_BASE_ERR_H

#include <stdbool.h>

enum err_code {
    ERR_CHECK = -1,        /* a check failed                                     exit 1 */
    ERR_USAGE = -2,        /* a mistake in flags, plan or input file             exit 2 */
    ERR_ENV = -3,          /* something of the environment is missing or refuses exit 3 */
    ERR_DATA = -4,         /* wrong data found                                   exit 4 */
    ERR_AWAY = -5,         /* a peer is away or hung up: try again               exit 3 */
    ERR_GONE = -6,         /* an offset that the log no longer (or not yet) has  exit 4 */
    ERR_LOST = -7,         /* the partition is another's now                     exit 4 */
    ERR_GAP = -8,          /* a read meets offsets that no part covers (yet)     exit 4 */
    ERR_FULL = -9,         /* disk or memory limit reached                       exit 3 */
    ERR_INTERRUPTED = -10, /* SIGINT or SIGTERM                                  exit 130 */
};

struct err {
    int code;       /* 0: nothing happened */
    bool retry;     /* the same call may work later */
    char text[768]; /* "cannot open DIR: Permission denied; run: lk doctor" */
};

/* Fill err if it is empty; returns code, so that `return err_set(...)` reads well. */
int err_set(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* As err_set, and appends ": " and strerror(errno); ENOSPC, EDQUOT and EFBIG turn
 * the code into ERR_FULL and append what to do. */
int err_errno(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Put "context: " before the text; nothing happens on an empty err. */
void err_context(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
void err_clear(struct err *err);
/* The program's exit status for a code of enum err_code (0 for >= 0). */
int err_exit_status(int code);

/* malloc and friends that end the program (exit 3, one line on stderr) when memory is gone:
 * every bound on memory in lk is a limit of ours, met before the machine's. */
void *mem_alloc(unsigned long bytes) __attribute__((returns_nonnull));
void *mem_zero(unsigned long count, unsigned long bytes) __attribute__((returns_nonnull));
void *mem_grow(void *old, unsigned long bytes) __attribute__((returns_nonnull));
char *mem_copy_string(const char *text);

#endif
