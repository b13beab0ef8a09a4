/* tests/chaos/lane.c - one lane: a redis-server on a socket of its own, and a directory in which
 * every case begins with an empty store, a fresh log and its seed's plan. */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/log/log.h"
#include "tests/chaos/chaos.h"

enum { UP_TRIES = 300, UP_MS = 10, SETTLED = 5 };

bool lane_fail(struct lane *lane, const char *format, ...)
{
    char text[4000];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (lane->why.len)
        buf_add_char(&lane->why, '\n');
    buf_add_text(&lane->why, text);
    return false;
}

void lane_tell(struct lane *lane, const char *format, ...)
{
    if (!lane->verbose)
        return;
    va_list args;
    va_start(args, format);
    fprintf(stderr, "  %8.3f  ", (double)(clock_mono_ns() / 1000000 % 1000000) / 1e3);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* ---- Redis ---- */

static void become_server(const char *root, const char *socket)
{
    int nothing = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        dup2(nothing, fd);
    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket, "--dir", root,
           "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction",
           "--enable-debug-command", "yes", (char *)NULL);
    _exit(127);
}

bool lane_open(struct lane *lane, const char *root, int number)
{
    char socket[180];
    snprintf(lane->root, sizeof lane->root, "%s/lane%d", root, number);
    snprintf(socket, sizeof socket, "%s/redis", lane->root);
    snprintf(lane->uri, sizeof lane->uri, "redis+unix:%s", socket);
    mkdir(lane->root, 0755);
    lane->redis = fork();
    if (lane->redis == 0)
        become_server(lane->root, socket);
    for (int i = 0; i < UP_TRIES; i++) {
        if (kv_open(lane->uri, &lane->kv, NULL) == 0)
            return true;
        if (waitpid(lane->redis, NULL, WNOHANG) == lane->redis)
            return false;
        clock_sleep_ms(UP_MS);
    }
    return false;
}

void lane_close(struct lane *lane)
{
    child_end_all(lane);
    feeder_stop(lane);
    kv_close(lane->kv);
    kill(lane->redis, SIGTERM);
    waitpid(lane->redis, NULL, 0);
    lane_remove(lane->root);
    buf_release(&lane->why);
}

struct kv_reply *lane_ask(struct lane *lane, const char *word, const char *more)
{
    struct kv_reply *replies;
    kv_words(lane->kv, word, more, NULL);
    if (kv_roundtrip(lane->kv, &replies, NULL) < 0) {
        fprintf(stderr, "the lane's Redis has gone\n");
        exit(3);
    }
    return &replies[0];
}

static void digest_now(struct lane *lane, char out[41])
{
    const struct kv_reply *reply = lane_ask(lane, "DEBUG", "DIGEST");
    snprintf(out, 41, "%.*s", (int)reply->text.len, reply->text.ptr);
}

/* What a process sent before it was stopped may lie unread at the server. */
void lane_digest(struct lane *lane, char out[41])
{
    char last[41] = "";
    for (int same = 0; same < SETTLED;) {
        digest_now(lane, out);
        same = strcmp(out, last) == 0 ? same + 1 : 0;
        memcpy(last, out, sizeof last);
        clock_sleep_ms(1);
    }
}

/* The sum of a field of pos over all partitions, and their owners (may be NULL). */
static int64_t sum_of(struct lane *lane, enum arch arch, const char *field,
                      char owners[PARTITIONS][POS_ID_BYTES])
{
    struct arena arena = {0};
    struct kv_reply *replies;
    int64_t sum = 0;
    const char *version = arch == ARCH_KAPPA ? "k1" : "l1";
    for (int p = 0; p < PARTITIONS; p++)
        kv_words(lane->kv, "HMGET", key_pos(&arena, lane->view, version, p), field, "owner", NULL);
    int count = kv_roundtrip(lane->kv, &replies, NULL);
    for (int p = 0; p < count; p++) {
        const struct kv_reply *number = &replies[p].items[0], *owner = &replies[p].items[1];
        int64_t at = 0;
        if (number->type == KV_TEXT && bytes_to_int64(number->text, &at))
            sum += at;
        if (owners)
            snprintf(owners[p], POS_ID_BYTES, "%.*s", (int)owner->text.len,
                     owner->type == KV_TEXT ? owner->text.ptr : "");
    }
    arena_release(&arena);
    return sum;
}

int64_t lane_folded(struct lane *lane, enum arch arch, char owners[PARTITIONS][POS_ID_BYTES])
{
    return sum_of(lane, arch, "next", owners);
}

bool lane_published(struct lane *lane)
{
    return sum_of(lane, ARCH_LAMBDA, "boundary", NULL) > 0;
}

bool lane_all_done(struct lane *lane, enum arch arch)
{
    return feeder_ended(lane) && sum_of(lane, arch, "next", NULL) >= lane->fed &&
           (arch == ARCH_KAPPA || sum_of(lane, arch, "boundary", NULL) >= lane->fed);
}

/* ---- the case's place ---- */

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

bool lane_remove(const char *directory)
{
    return nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0;
}

/* Where no topic was made yet there is nothing to drop. */
void lane_drop_log(struct lane *lane)
{
    struct log *log;
    if (strncmp(lane->log, "embedded:", 9) == 0)
        lane_remove(lane->log + 9);
    else if (*lane->topic && log_open(lane->log, false, &log, NULL) == 0) {
        log_delete_topic(log, lane->topic, NULL);
        log_close(log);
    }
}

bool lane_make_log(struct lane *lane)
{
    struct log *log;
    struct err err = {0};
    int rc = log_open(lane->log, true, &log, &err);
    if (rc == 0) {
        rc = log_create_topic(log, lane->topic, (struct log_shape){.partitions = PARTITIONS}, &err);
        log_close(log);
    }
    return rc == 0 || lane_fail(lane, "%s", err.text);
}

bool lane_begin(struct lane *lane, uint64_t seed)
{
    child_end_all(lane);
    feeder_stop(lane);
    lane_drop_log(lane);
    if (*lane->directory)
        lane_remove(lane->directory);
    lane_ask(lane, "FLUSHALL", NULL);
    buf_clear(&lane->why);
    lane->seed = seed;
    lane->handover = "offset";
    lane->cases++;
    snprintf(lane->directory, sizeof lane->directory, "%s/%d", lane->root, lane->cases);
    mkdir(lane->directory, 0755);
    snprintf(lane->plan, sizeof lane->plan, "%s/plan.json", lane->directory);
    /* On a broker no two topics have one name: a deleted one's readers would not notice. */
    snprintf(lane->topic, sizeof lane->topic, "%s-%d", strrchr(lane->root, '/') + 1, lane->cases);
    if (lane->broker)
        snprintf(lane->log, sizeof lane->log, "%s", lane->broker);
    else
        snprintf(lane->log, sizeof lane->log, "embedded:%s/log", lane->directory);
    snprintf(lane->archive, sizeof lane->archive, "%s/archive", lane->directory);
    FILE *file = fopen(lane->plan, "w");
    if (!file)
        return lane_fail(lane, "cannot write %s", lane->plan);
    fputs(events_plan((int)(seed % PLANS), &lane->view, &lane->lossless), file);
    fclose(file);
    return lane_make_log(lane);
}
