/* tests/common/store/redis_here.h - a redis-server of a test's own: a free port of 127.0.0.1, a
 * socket and its files in a directory of /tmp, gone with the test. Where none is installed the test
 * is skipped. */
#ifndef LK_TESTS_STORE_REDIS_HERE_H
#define LK_TESTS_STORE_REDIS_HERE_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/store/kv.h"

enum { REDIS_HERE_TRIES = 250, REDIS_HERE_WAIT_MS = 20 };

struct redis_here {
    pid_t pid;
    int port;
    bool aof;
    char dir[40], uri[64], socket_uri[80];
};

static inline int redis_here_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, bytes) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &bytes) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static inline void redis_here_become(const struct redis_here *redis)
{
    char port[16], socket[64];
    snprintf(port, sizeof port, "%d", redis->port);
    snprintf(socket, sizeof socket, "%s/socket", redis->dir);
    int nothing = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int fd = 0; fd < 3; fd++)
        dup2(nothing, fd);
    execlp("redis-server", "redis-server", "--port", port, "--bind", "127.0.0.1", "--unixsocket",
           socket, "--dir", redis->dir, "--save", "", "--appendonly", redis->aof ? "yes" : "no",
           "--maxmemory-policy", "noeviction", (char *)NULL);
    _exit(127);
}

/* Start (again) on the port that redis has, and wait until it answers. */
static inline bool redis_here_up(struct redis_here *redis)
{
    redis->pid = fork();
    if (redis->pid == 0)
        redis_here_become(redis);
    for (int i = 0; i < REDIS_HERE_TRIES; i++) {
        struct kv *kv;
        if (kv_open(redis->uri, &kv, NULL) == 0) {
            kv_close(kv);
            return true;
        }
        if (waitpid(redis->pid, NULL, WNOHANG) == redis->pid)
            return false;
        clock_sleep_ms(REDIS_HERE_WAIT_MS);
    }
    return false;
}

static inline void redis_here_down(struct redis_here *redis)
{
    kill(redis->pid, SIGKILL);
    waitpid(redis->pid, NULL, 0);
}

static inline void redis_here_start(struct redis_here *redis)
{
    if (system("command -v redis-server >/dev/null") != 0)
        cr_skip("redis-server is not installed");
    strcpy(redis->dir, "/tmp/lk-test-redis.XXXXXX");
    cr_assert_not_null(mkdtemp(redis->dir));
    snprintf(redis->socket_uri, sizeof redis->socket_uri, "redis+unix:%s/socket", redis->dir);
    bool up = false;
    for (int i = 0; i < 5 && !up; i++) {
        redis->port = redis_here_free_port();
        snprintf(redis->uri, sizeof redis->uri, "redis://127.0.0.1:%d", redis->port);
        up = redis_here_up(redis);
    }
    cr_assert(up, "redis-server does not start");
}

static inline int redis_here_remove(const char *path, const struct stat *stat, int type,
                                    struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static inline void redis_here_stop(struct redis_here *redis)
{
    redis_here_down(redis);
    nftw(redis->dir, redis_here_remove, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
