/* common/log/embedded_wake.c - wakes readers of a topic, in any process, when something is
 * appended.
 *
 * DIR/wake is an array of 32-bit words, mapped shared. Topic number n uses word n mod WAKE_WORDS;
 * an append adds one to it after its commit and wakes those who sleep on it. A reader notes the
 * word, looks for records, finds none, and sleeps only if the word is still the same, so no append
 * between is missed. An appender killed between commit and bump delays readers by one sleep at most
 * (embedded_reader.c); two topics that share a word wake each other for nothing, which costs a
 * look. */
#include "common/log/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WAKE_WORDS = 1024, WAKE_BYTES = 4 * WAKE_WORDS };

int embedded_wake_open(struct embedded_env *env, struct err *err)
{
    struct buf path = {0};
    buf_printf(&path, "%s/wake", env->directory);
    int fd = open(path.ptr, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    void *words = MAP_FAILED;
    /* Allocated, not only made that long: a hole that cannot be filled is a SIGBUS. */
    if (fd >= 0 && (errno = posix_fallocate(fd, 0, WAKE_BYTES)) == 0)
        words = mmap(NULL, WAKE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int rc = words == MAP_FAILED ? err_errno(err, ERR_ENV, "cannot use %s", path.ptr) : 0;
    if (fd >= 0)
        close(fd);
    buf_release(&path);
    env->wake = rc ? NULL : words;
    return rc;
}

void embedded_wake_close(struct embedded_env *env)
{
    if (env->wake)
        munmap(env->wake, WAKE_BYTES);
}

static uint32_t *word_of(const struct embedded_env *env, const struct embedded_topic *topic)
{
    return &env->wake[topic->number % WAKE_WORDS];
}

uint32_t embedded_wake_seen(const struct embedded_env *env, const struct embedded_topic *topic)
{
    return __atomic_load_n(word_of(env, topic), __ATOMIC_ACQUIRE);
}

bool embedded_wake_wait(const struct embedded_env *env, const struct embedded_topic *topic,
                        uint32_t seen, int ms)
{
    struct timespec limit = {ms / 1000, ms % 1000 * 1000000L};
    long rc = syscall(SYS_futex, word_of(env, topic), FUTEX_WAIT, seen, &limit, NULL, 0);
    return rc == 0 || errno != EINTR;
}

void embedded_wake_all(const struct embedded_env *env, const struct embedded_topic *topic)
{
    uint32_t *word = word_of(env, topic);
    __atomic_fetch_add(word, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}
