/* tests/agreement/server.c - a redis-server of our own: a socket in our directory, no port, no file,
 * gone when we are. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/agreement/agreement.h"

enum { WAIT_TRIES = 200, WAIT_MS = 20 };

static void become_server(const char *directory, const char *socket)
{
    int nothing = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(nothing, STDIN_FILENO);
    dup2(nothing, STDOUT_FILENO);
    dup2(nothing, STDERR_FILENO);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket, "--dir",
           directory, "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction",
           (char *)NULL);
    _exit(127);
}

bool server_start(const char *directory, char *uri, size_t room, int *pid)
{
    char socket[300];
    snprintf(socket, sizeof socket, "%s/redis.socket", directory);
    snprintf(uri, room, "redis+unix:%s", socket);
    *pid = fork();
    if (*pid == 0)
        become_server(directory, socket);
    for (int i = 0; i < WAIT_TRIES; i++) {
        struct kv *kv;
        if (kv_open(uri, &kv, NULL) == 0) {
            kv_close(kv);
            return true;
        }
        if (waitpid(*pid, NULL, WNOHANG) == *pid)
            return false;
        clock_sleep_ms(WAIT_MS);
    }
    server_stop(*pid);
    return false;
}

void server_stop(int pid)
{
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}
