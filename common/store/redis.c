/* common/store/redis.c - kv over hiredis: a blocking socket, commands queued in hiredis's buffer.
 *
 * Answers are collected as they come (kv_ready), so that a commit can be in flight while the worker
 * folds on. A server that says nothing for some time (kv_timeout) counts as lost: the protocol makes
 * that safe (design.md section 7). The password is taken from the URI or LK_REDIS_PASSWORD and never
 * shown. */
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/store/kv_ops.h"

enum { CONNECT_TIMEOUT_S = 3, REPLY_TIMEOUT_MS = 30000, NAME_MAX_BYTES = 256, OPTION_BYTES = 288 };

struct redis {
    char host[NAME_MAX_BYTES]; /* or the path of a socket */
    char password[NAME_MAX_BYTES];
    int port; /* 0: a socket */
    int db;
    redisContext *context;
    int timeout_ms; /* of an answer */
    int pending;    /* sent and not answered */
    struct answers {
        redisReply **list;
        int count, capacity;
    } coming, given; /* coming in; given out by the last receive */
    int64_t sent, received;
};

/* [:PASSWORD@]HOST:PORT[/DB] */
static int parse_address(struct redis *redis, const char *where, struct err *err)
{
    const char *at = strrchr(where, '@');
    if (at) {
        size_t len = (size_t)(at - where);
        const char *password = where[0] == ':' ? where + 1 : where;
        snprintf(redis->password, sizeof redis->password, "%.*s",
                 (int)(len - (size_t)(password - where)), password);
        where = at + 1;
    }
    int used = 0, more = 0;
    int fields = sscanf(where, "%255[^:/]:%d%n", redis->host, &redis->port, &used);
    if (fields == 2 && sscanf(where + used, "/%d%n", &redis->db, &more) == 1)
        used += more;
    if (fields != 2 || where[used] != 0 || redis->port < 1 || redis->port > 65535)
        return err_set(err, ERR_USAGE,
                       "view: expected redis://[:PASSWORD@]HOST:PORT[/DB], found redis://%s",
                       where[0] == ':' ? "... without a host" : where); /* no password is shown */
    return 0;
}

static void drop_answers(struct answers *answers)
{
    for (int i = 0; i < answers->count; i++)
        freeReplyObject(answers->list[i]);
    answers->count = 0;
}

static void disconnect(struct redis *redis)
{
    drop_answers(&redis->coming);
    redis->pending = 0;
    if (redis->context)
        redisFree(redis->context);
    redis->context = NULL;
}

static const char *where_text(const struct redis *redis)
{
    static _Thread_local char text[NAME_MAX_BYTES + 16];
    if (redis->port)
        snprintf(text, sizeof text, "%s:%d", redis->host, redis->port);
    else
        snprintf(text, sizeof text, "%s", redis->host);
    return text;
}

/* How a Redis program is told of this address: "-p 6379", "-s /run/redis.sock". */
static const char *option_text(const struct redis *redis, const char *port, const char *socket,
                               char out[OPTION_BYTES])
{
    if (redis->port)
        snprintf(out, OPTION_BYTES, "%s %d", port, redis->port);
    else
        snprintf(out, OPTION_BYTES, "%s %s", socket, redis->host);
    return out;
}

static int connect_socket(struct redis *redis, struct err *err)
{
    struct timeval limit = {CONNECT_TIMEOUT_S, 0};
    redis->context = redis->port ? redisConnectWithTimeout(redis->host, redis->port, limit)
                                 : redisConnectUnixWithTimeout(redis->host, limit);
    if (redis->context && !redis->context->err) {
        redisSetTimeout(redis->context, (struct timeval){redis->timeout_ms / 1000,
                                                         redis->timeout_ms % 1000 * 1000});
        return 0;
    }
    char option[OPTION_BYTES];
    err_set(err, ERR_AWAY, "no Redis at %s (%s); start one: redis-server %s", where_text(redis),
            redis->context ? redis->context->errstr : "no memory",
            option_text(redis, "--port", "--unixsocket", option));
    disconnect(redis);
    return ERR_AWAY;
}

/* One command now; NULL with err filled if the connection fails. */
static redisReply *ask(struct redis *redis, struct err *err, const char *command,
                       const char *argument)
{
    redisReply *reply = argument ? redisCommand(redis->context, "%s %s", command, argument)
                                 : redisCommand(redis->context, command);
    char option[OPTION_BYTES];
    if (!reply && redis->context->err == REDIS_ERR_PROTOCOL)
        err_set(err, ERR_ENV, "%s answers, but not as Redis does (%s); see: lk doctor",
                where_text(redis), redis->context->errstr);
    else if (!reply)
        err_set(err, ERR_AWAY,
                "Redis at %s hung up or says nothing (%s); where it has ended: redis-server %s",
                where_text(redis), redis->context->errstr,
                option_text(redis, "--port", "--unixsocket", option));
    return reply;
}

static int log_in(struct redis *redis, struct err *err)
{
    if (!*redis->password)
        return 0;
    redisReply *reply = ask(redis, err, "AUTH", redis->password);
    if (!reply)
        return err ? err->code : ERR_AWAY;
    int rc = 0;
    if (reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "without any password configured"))
        rc = err_set(err, ERR_ENV,
                     "Redis at %s has no password, but one is given; leave it out of --view and "
                     "LK_REDIS_PASSWORD",
                     where_text(redis));
    else if (reply->type == REDIS_REPLY_ERROR)
        rc = err_set(err, ERR_ENV,
                     "Redis at %s refuses the password; put the right one into LK_REDIS_PASSWORD",
                     where_text(redis));
    freeReplyObject(reply);
    return rc;
}

/* The value of "name:" in the text of INFO. */
static struct bytes info_value(const char *info, const char *name)
{
    const char *at = strstr(info, name);
    if (!at)
        return (struct bytes){"", 0};
    at += strlen(name);
    return (struct bytes){at, strcspn(at, "\r\n")};
}

static int check_error(const struct redis *redis, const char *text, struct err *err)
{
    if (strncmp(text, "NOAUTH", 6) == 0)
        return err_set(err, ERR_ENV, "Redis at %s wants a password; set LK_REDIS_PASSWORD",
                       where_text(redis));
    if (strncmp(text, "LOADING", 7) == 0)
        return err_set(err, ERR_AWAY, "Redis at %s is still loading its data", where_text(redis));
    return err_set(err, ERR_ENV, "Redis at %s: %s", where_text(redis), text);
}

static int check_info(const struct redis *redis, const char *info, struct err *err)
{
    struct bytes role = info_value(info, "\nrole:");
    struct bytes policy = info_value(info, "maxmemory_policy:");
    if (info_value(info, "\nloading:").len == 1 && info_value(info, "\nloading:").ptr[0] == '1')
        return check_error(redis, "LOADING", err);
    if (!bytes_equal(role, bytes_of("master")))
        return err_set(
            err, ERR_ENV,
            "Redis at %s is a replica: a view needs the master; give its address by --view",
            where_text(redis));
    char option[OPTION_BYTES];
    if (!bytes_equal(policy, bytes_of("noeviction")))
        return err_set(
            err, ERR_ENV,
            "Redis at %s may evict keys (maxmemory-policy %.*s), and a view must not lose"
            " any; run: redis-cli %s CONFIG SET maxmemory-policy noeviction",
            where_text(redis), (int)policy.len, policy.ptr, option_text(redis, "-p", "-s", option));
    return 0;
}

/* Is it Redis, a master, and does it keep what it is given? */
static int check_server(struct redis *redis, struct err *err)
{
    redisReply *reply = ask(redis, err, "INFO", NULL);
    if (!reply)
        return err && err->code ? err->code : ERR_AWAY;
    int rc;
    if (reply->type == REDIS_REPLY_ERROR)
        rc = check_error(redis, reply->str, err);
    else if (reply->type != REDIS_REPLY_STRING || !strstr(reply->str, "redis_version:"))
        rc = err_set(err, ERR_ENV, "%s answers, but not as Redis does; see: lk doctor",
                     where_text(redis));
    else
        rc = check_info(redis, reply->str, err);
    freeReplyObject(reply);
    return rc;
}

static int select_db(struct redis *redis, struct err *err)
{
    if (redis->db == 0)
        return 0;
    char number[16];
    snprintf(number, sizeof number, "%d", redis->db);
    redisReply *reply = ask(redis, err, "SELECT", number);
    if (!reply)
        return ERR_AWAY;
    int rc = reply->type == REDIS_REPLY_ERROR ? check_error(redis, reply->str, err) : 0;
    freeReplyObject(reply);
    return rc;
}

static int redis_reconnect(void *handle, struct err *err)
{
    struct redis *redis = handle;
    disconnect(redis);
    int rc = connect_socket(redis, err);
    if (rc == 0)
        rc = log_in(redis, err);
    if (rc == 0)
        rc = check_server(redis, err);
    if (rc == 0)
        rc = select_db(redis, err);
    if (rc < 0)
        disconnect(redis);
    return rc;
}

static void redis_close(void *handle)
{
    struct redis *redis = handle;
    disconnect(redis);
    drop_answers(&redis->given);
    free(redis->coming.list);
    free(redis->given.list);
    free(redis);
}

static int start(struct redis *redis, void **handle, struct err *err)
{
    const char *password = getenv("LK_REDIS_PASSWORD");
    redis->timeout_ms = REPLY_TIMEOUT_MS;
    if (!*redis->password && password)
        snprintf(redis->password, sizeof redis->password, "%s", password);
    int rc = redis_reconnect(redis, err);
    if (rc < 0)
        redis_close(redis);
    else
        *handle = redis;
    return rc;
}

static int redis_open(const char *where, void **handle, struct err *err)
{
    struct redis *redis = mem_zero(1, sizeof *redis);
    int rc = parse_address(redis, where, err);
    if (rc < 0) {
        redis_close(redis);
        return rc;
    }
    return start(redis, handle, err);
}

static int redis_unix_open(const char *where, void **handle, struct err *err)
{
    struct redis *redis = mem_zero(1, sizeof *redis);
    snprintf(redis->host, sizeof redis->host, "%s", where);
    return start(redis, handle, err);
}

enum { ARGS_ON_STACK = 64 };

static void redis_command(void *handle, const struct bytes *args, int count)
{
    struct redis *redis = handle;
    if (!redis->context)
        return; /* the loss is said by send */
    const char *stack_ptrs[ARGS_ON_STACK] = {0};
    size_t stack_lens[ARGS_ON_STACK] = {0};
    bool big = count > ARGS_ON_STACK;
    const char **ptrs = big ? mem_alloc((size_t)count * sizeof *ptrs) : stack_ptrs;
    size_t *lens = big ? mem_alloc((size_t)count * sizeof *lens) : stack_lens;
    for (int i = 0; i < count; i++) {
        ptrs[i] = args[i].ptr ? args[i].ptr : "";
        lens[i] = args[i].len;
        redis->sent += (int64_t)lens[i] + 8;
    }
    redisAppendCommandArgv(redis->context, count, ptrs, lens);
    redis->pending++;
    if (big) {
        free(ptrs);
        free(lens);
    }
}

static int lost(struct redis *redis, struct err *err)
{
    err_set(err, ERR_AWAY, "the connection to Redis at %s is lost (%s)", where_text(redis),
            redis->context ? redis->context->errstr : "not connected");
    disconnect(redis);
    return ERR_AWAY;
}

static int redis_send(void *handle, struct err *err)
{
    struct redis *redis = handle;
    if (!redis->context)
        return lost(redis, err);
    for (int done = 0; !done;)
        if (redisBufferWrite(redis->context, &done) != REDIS_OK)
            return lost(redis, err);
    return 0;
}

static void keep_answer(struct redis *redis, redisReply *reply)
{
    struct answers *coming = &redis->coming;
    if (coming->count == coming->capacity) {
        coming->capacity = coming->capacity ? coming->capacity * 2 : 64;
        coming->list = mem_grow(coming->list, (size_t)coming->capacity * sizeof *coming->list);
    }
    coming->list[coming->count++] = reply;
    redis->pending--;
}

/* Take over what has come in, waiting up to wait_ms for more: 1 all is here, 0 not yet, -1 lost. */
static int collect(struct redis *redis, int wait_ms)
{
    for (;;) {
        void *reply = NULL;
        while (redis->pending > 0) {
            if (redisReaderGetReply(redis->context->reader, &reply) != REDIS_OK)
                return -1;
            if (!reply)
                break;
            keep_answer(redis, reply);
        }
        if (redis->pending == 0)
            return 1;
        struct pollfd fd = {.fd = redis->context->fd, .events = POLLIN};
        if (poll(&fd, 1, wait_ms) <= 0)
            return 0;
        size_t before = redis->context->reader->len;
        if (redisBufferRead(redis->context) != REDIS_OK)
            return -1;
        redis->received += (int64_t)(redis->context->reader->len - before);
    }
}

static bool redis_ready(void *handle, int wait_ms)
{
    struct redis *redis = handle;
    return !redis->context || collect(redis, wait_ms) != 0;
}

static void convert(const redisReply *from, struct kv_reply *to, struct arena *arena)
{
    static const enum kv_type TYPES[] = {
        [REDIS_REPLY_STRING] = KV_TEXT,   [REDIS_REPLY_ARRAY] = KV_ARRAY,
        [REDIS_REPLY_INTEGER] = KV_INT,   [REDIS_REPLY_NIL] = KV_NIL,
        [REDIS_REPLY_STATUS] = KV_STATUS, [REDIS_REPLY_ERROR] = KV_ERROR,
    };
    *to = (struct kv_reply){.type = TYPES[from->type],
                            .integer = from->integer,
                            .text = {from->str, from->len},
                            .count = from->type == REDIS_REPLY_ARRAY ? (int)from->elements : 0};
    to->items = arena_alloc(arena, (size_t)to->count * sizeof *to->items);
    for (int i = 0; i < to->count; i++)
        convert(from->element[i], &to->items[i], arena);
}

/* The texts stay in hiredis's objects, which are let go at the next receive. */
static int redis_receive(void *handle, struct arena *arena, struct kv_reply **replies,
                         struct err *err)
{
    struct redis *redis = handle;
    if (!redis->context)
        return lost(redis, err);
    int64_t deadline = clock_mono_ns() + (int64_t)redis->timeout_ms * 1000000;
    int state;
    while ((state = collect(redis, 100)) == 0)
        if (clock_mono_ns() > deadline)
            break;
    if (state <= 0)
        return lost(redis, err);
    drop_answers(&redis->given);
    struct answers swap = redis->given;
    redis->given = redis->coming;
    redis->coming = swap;
    int count = redis->given.count;
    *replies = arena_alloc(arena, (size_t)count * sizeof **replies);
    for (int i = 0; i < count; i++)
        convert(redis->given.list[i], &(*replies)[i], arena);
    return count;
}

static void redis_timeout(void *handle, int ms)
{
    struct redis *redis = handle;
    redis->timeout_ms = ms;
    if (redis->context)
        redisSetTimeout(redis->context, (struct timeval){ms / 1000, ms % 1000 * 1000});
}

static void redis_traffic(const void *handle, int64_t *sent, int64_t *received)
{
    const struct redis *redis = handle;
    *sent = redis->sent;
    *received = redis->received;
}

const struct kv_ops kv_redis_ops = {
    .scheme = "redis://",
    .open = redis_open,
    .close = redis_close,
    .command = redis_command,
    .send = redis_send,
    .ready = redis_ready,
    .receive = redis_receive,
    .reconnect = redis_reconnect,
    .timeout = redis_timeout,
    .traffic = redis_traffic,
};

const struct kv_ops kv_redis_unix_ops = {
    .scheme = "redis+unix:",
    .open = redis_unix_open,
    .close = redis_close,
    .command = redis_command,
    .send = redis_send,
    .ready = redis_ready,
    .receive = redis_receive,
    .reconnect = redis_reconnect,
    .timeout = redis_timeout,
    .traffic = redis_traffic,
};
