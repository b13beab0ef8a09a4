/* common/base/err.c - see err.h. */
#include "common/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fill(struct err *err, int code, const char *format, va_list args)
{
    if (!err || err->code)
        return code;
    err->code = code;
    err->retry = code == ERR_AWAY;
    vsnprintf(err->text, sizeof err->text, format, args);
    return code;
}

int err_set(struct err *err, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(err, code, format, args);
    va_end(args);
    return code;
}

/* What to do where the number alone says it. */
static const char *advice(int number)
{
    if (number == ENOSPC)
        return "; free some space there (df), then run it again";
    if (number == EDQUOT)
        return "; free some of your quota, then run it again";
    return number == EFBIG ? "; raise the limit on file size (ulimit -f), then run it again" : "";
}

int err_errno(struct err *err, int code, const char *format, ...)
{
    int number = errno;
    if (number == ENOSPC || number == EDQUOT || number == EFBIG)
        code = ERR_FULL;
    if (!err || err->code)
        return code;
    va_list args;
    va_start(args, format);
    fill(err, code, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s%s", strerror(number), advice(number));
    return code;
}

void err_context(struct err *err, const char *format, ...)
{
    if (!err || !err->code)
        return;
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", old);
}

void err_clear(struct err *err)
{
    if (err)
        *err = (struct err){0};
}

int err_exit_status(int code)
{
    switch (code) {
    case ERR_CHECK:
        return 1;
    case ERR_USAGE:
        return 2;
    case ERR_ENV:
    case ERR_AWAY:
    case ERR_FULL:
        return 3;
    case ERR_DATA:
    case ERR_GONE:
    case ERR_LOST:
    case ERR_GAP:
        return 4;
    case ERR_INTERRUPTED:
        return 130;
    default:
        return code >= 0 ? 0 : 1;
    }
}

static void *checked(void *memory, size_t bytes)
{
    if (memory)
        return memory;
    fprintf(stderr, "lk: out of memory (%zu bytes asked for)\n", bytes);
    exit(3);
}

void *mem_alloc(unsigned long bytes)
{
    return checked(malloc(bytes ? bytes : 1), bytes);
}

void *mem_zero(unsigned long count, unsigned long bytes)
{
    return checked(calloc(count ? count : 1, bytes ? bytes : 1), count * bytes);
}

void *mem_grow(void *old, unsigned long bytes)
{
    return checked(realloc(old, bytes ? bytes : 1), bytes);
}

char *mem_copy_string(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(mem_alloc(bytes), text, bytes);
}
