/* tests/chaos/redis_server.c - a redis-server of one case, and what may happen to it: killed, its AOF cut or put
 * back to an older one, its disk full.
 *
 * A full disk is a limit on the size of its files (prlimit): writes fail as they do where no space is
 * left, also in the child of a BGSAVE, and nobody needs to be root. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/chaos/redis.h"

enum { UP_TRIES = 600, UP_MS = 10, COPY_BYTES = 1 << 16 };

static const struct {
    const char *save, *appendonly, *fsync;
} KEEPS[KEEPS_COUNT] = {
    [KEEP_NOTHING] = {"", "no", "everysec"},
    [KEEP_EVERYSEC] = {"", "yes", "everysec"},
    [KEEP_ALWAYS] = {"", "yes", "always"},
    [KEEP_RDB] = {"3600 1", "no", "everysec"}, /* and when it is told to */
};

static void become(const struct server *server)
{
    int nothing = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGXFSZ, SIG_IGN); /* a full disk is an error of write, not a death */
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        dup2(nothing, fd);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
           server->uri + strlen("redis+unix:"), "--dir", server->directory, "--save",
           KEEPS[server->keep].save, "--appendonly", KEEPS[server->keep].appendonly,
           "--appendfsync", KEEPS[server->keep].fsync, "--maxmemory-policy", "noeviction",
           "--enable-debug-command", "yes", (char *)NULL);
    _exit(127);
}

bool server_up(struct server *server)
{
    server->pid = fork();
    if (server->pid == 0)
        become(server);
    for (int i = 0; i < UP_TRIES && !server_gone(server); i++) {
        int rc =
            server->kv ? kv_reconnect(server->kv, NULL) : kv_open(server->uri, &server->kv, NULL);
        if (rc == 0)
            return true;
        clock_sleep_ms(UP_MS);
    }
    return false;
}

bool server_open(struct server *server, const char *directory, enum keep keep)
{
    *server = (struct server){.keep = keep};
    snprintf(server->directory, sizeof server->directory, "%s/redis", directory);
    snprintf(server->uri, sizeof server->uri, "redis+unix:%s/socket", server->directory);
    mkdir(server->directory, 0755);
    return server_up(server);
}

bool server_gone(struct server *server)
{
    if (server->pid && waitpid(server->pid, NULL, WNOHANG) == server->pid)
        server->pid = 0;
    return server->pid == 0;
}

void server_kill(struct server *server)
{
    if (server->pid) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
    server->pid = 0;
}

void server_close(struct server *server)
{
    server_kill(server);
    kv_close(server->kv);
    *server = (struct server){0};
}

const struct kv_reply *server_ask(struct server *server, const char *word, const char *a,
                                  const char *b, const char *c)
{
    struct kv_reply *replies;
    if (kv_down(server->kv) && kv_reconnect(server->kv, NULL) < 0)
        return NULL;
    kv_words(server->kv, word, a, b, c, NULL);
    return kv_roundtrip(server->kv, &replies, NULL) < 0 ? NULL : &replies[0];
}

bool server_info(struct server *server, const char *name, char *out, size_t room)
{
    const struct kv_reply *info = server_ask(server, "INFO", "ALL", NULL, NULL);
    const char *at = info && info->type == KV_TEXT ? strstr(info->text.ptr, name) : NULL;
    if (!at || at[strlen(name)] != ':')
        return false;
    at += strlen(name) + 1;
    snprintf(out, room, "%.*s", (int)strcspn(at, "\r\n"), at);
    return true;
}

/* ---- its disk ---- */

void server_disk(struct server *server, int64_t bytes)
{
    struct rlimit limit;
    if (!server->pid || prlimit(server->pid, RLIMIT_FSIZE, NULL, &limit) != 0)
        return;
    limit.rlim_cur = bytes < 0 ? limit.rlim_max : (rlim_t)bytes;
    prlimit(server->pid, RLIMIT_FSIZE, &limit, NULL);
}

/* The AOF that is being written: the incr file of the highest number. */
static bool newest_aof(const struct server *server, char *path, size_t room)
{
    char folder[300];
    int newest = 0;
    snprintf(folder, sizeof folder, "%s/appendonlydir", server->directory);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        int number = 0, used = 0;
        sscanf(entry->d_name, "appendonly.aof.%d.incr.aof%n", &number, &used);
        newest = used && number > newest ? number : newest;
    }
    if (dir)
        closedir(dir);
    snprintf(path, room, "%s/appendonly.aof.%d.incr.aof", folder, newest);
    return newest > 0;
}

int64_t server_aof_bytes(const struct server *server)
{
    char path[400];
    struct stat about;
    return newest_aof(server, path, sizeof path) && stat(path, &about) == 0 ? about.st_size : -1;
}

bool server_cut_aof(const struct server *server, int64_t bytes)
{
    char path[400];
    int64_t size = server_aof_bytes(server);
    return newest_aof(server, path, sizeof path) &&
           truncate(path, size > bytes ? size - bytes : 0) == 0;
}

/* ---- an older state ---- */

static bool copy_file(const char *from, const char *to)
{
    static char bytes[COPY_BYTES];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    bool ok = in && out;
    for (size_t n; ok && (n = fread(bytes, 1, sizeof bytes, in)) > 0;)
        ok = fwrite(bytes, 1, n, out) == n;
    if (in)
        fclose(in);
    return (!out || fclose(out) == 0) && ok;
}

static bool copy_folder(const char *from, const char *to)
{
    char source[700], target[700];
    bool ok = true;
    DIR *dir = opendir(from);
    mkdir(to, 0755);
    for (struct dirent *entry; dir && (entry = readdir(dir)) && ok;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(source, sizeof source, "%s/%s", from, entry->d_name);
        snprintf(target, sizeof target, "%s/%s", to, entry->d_name);
        ok = copy_file(source, target);
    }
    if (dir)
        closedir(dir);
    return dir && ok;
}

bool server_copy_aof(const struct server *server)
{
    char from[300], to[300];
    snprintf(from, sizeof from, "%s/appendonlydir", server->directory);
    snprintf(to, sizeof to, "%s/older", server->directory);
    lane_remove(to);
    return copy_folder(from, to);
}

bool server_restore_aof(const struct server *server)
{
    char from[300], to[300];
    snprintf(from, sizeof from, "%s/older", server->directory);
    snprintf(to, sizeof to, "%s/appendonlydir", server->directory);
    return lane_remove(to) && copy_folder(from, to);
}
