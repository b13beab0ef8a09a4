/* bench/redis_server.c - see redis_server.h. */
#include "bench/redis_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/store/kv.h"

enum { POLL_MS = 10, UP_WAIT_MS = 10000, STOP_WAIT_MS = 10000 };

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int port = 0;
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, bytes) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &bytes) == 0)
        port = ntohs(address.sin_port);
    if (fd >= 0)
        close(fd);
    return port;
}

static int wait_until_up(struct redis_server *server, struct err *err)
{
    for (int waited = 0; waited < UP_WAIT_MS; waited += POLL_MS) {
        struct kv *kv;
        if (kv_open(server->uri, &kv, NULL) == 0) {
            kv_close(kv);
            return 0;
        }
        if (process_ended(&server->process))
            return err_set(err, ERR_ENV,
                           "redis-server does not start (%s); see %s. Installed? Run: lk doctor",
                           server->process.fate, server->process.output);
        clock_sleep_ms(POLL_MS);
    }
    return err_set(err, ERR_ENV, "redis-server does not answer; see %s", server->process.output);
}

int redis_server_start(struct redis_server *server, const char *owner, const char *directory,
                       struct err *err)
{
    char files[600], output[600];
    struct buf command = {0};
    int port = free_port();
    snprintf(files, sizeof files, "%s/redis", directory);
    snprintf(output, sizeof output, "%s/redis.out", directory);
    snprintf(server->uri, sizeof server->uri, "redis://127.0.0.1:%d", port);
    mkdir(directory, 0755);
    if (mkdir(files, 0755) < 0 && errno != EEXIST)
        return err_errno(err, ERR_ENV, "cannot make %s", files);
    buf_printf(&command,
               "--port %d --bind 127.0.0.1 --appendonly yes --appendfsync %s --maxmemory-policy "
               "noeviction --dir ",
               port, server->appendfsync ? server->appendfsync : "everysec");
    process_add_word(&command, files);
    process_init(&server->process, owner, "redis", "redis-server", command.ptr, output);
    buf_release(&command);
    int rc = process_start(&server->process, err);
    return rc < 0 ? rc : wait_until_up(server, err);
}

void redis_server_stop(struct redis_server *server)
{
    process_stop(&server->process, STOP_WAIT_MS);
}

double redis_used_mb(const char *uri)
{
    struct kv *kv;
    struct kv_reply *replies;
    double bytes = 0;
    if (kv_open(uri, &kv, NULL) < 0)
        return 0;
    kv_words(kv, "INFO", "memory", NULL);
    if (kv_roundtrip(kv, &replies, NULL) == 1 && replies[0].type == KV_TEXT) {
        const char *at = strstr(replies[0].text.ptr, "used_memory:");
        bytes = at ? strtod(at + strlen("used_memory:"), NULL) : 0;
    }
    kv_close(kv);
    return bytes / 1e6;
}
