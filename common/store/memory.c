/* common/store/memory.c - a key-value server inside this process, for tests: same words, same
 * WATCH, same ways to fail.
 *
 * A server is a list of keys, each a hash or a set: a sorted array of (field, value). Every write
 * gives the key a new stamp; a WATCH is a key with the stamp it had; a key that was deleted keeps
 * its stamp. Commands run one by one when they are sent, each under the server's lock, so that
 * other threads' commands stand between them; MULTI queues, EXEC runs the queue under one lock. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/store/kv_ops.h"
#include "common/store/memory_data.h"
#include "common/store/pos.h"

enum { SERVERS_MAX = 16, NAME_BYTES = 64 };

struct server {
    char name[NAME_BYTES];
    pthread_mutex_t lock;
    struct data now, kept;
    uint64_t stamp;
    uint64_t era; /* connections of an older era are broken */
    bool full, full_at_exec;
    bool break_next, break_landed;
    void (*meddle)(void *context);
    void *context;
    bool used;
};

static struct server servers[SERVERS_MAX];
static pthread_mutex_t servers_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- a connection ---- */

struct command {
    struct bytes *args; /* owned */
    int count;
};

struct commands {
    struct command *list;
    int count, capacity;
};

struct watch {
    struct bytes key; /* owned */
    uint64_t stamp;
};

enum { WATCHES_MAX = 1024 };

struct memory {
    struct server *server;
    uint64_t era;
    struct commands queued; /* not sent yet */
    struct commands multi;  /* behind MULTI */
    bool in_multi, multi_failed;
    struct watch watches[WATCHES_MAX];
    int watch_count;
    struct arena arena; /* answers that wait for receive */
    struct kv_reply *answers;
    int answered, capacity;
    int64_t sent;
};

static void commands_add(struct commands *commands, const struct bytes *args, int count)
{
    if (commands->count == commands->capacity) {
        commands->capacity = commands->capacity ? commands->capacity * 2 : 16;
        commands->list =
            mem_grow(commands->list, (size_t)commands->capacity * sizeof *commands->list);
    }
    struct command *command = &commands->list[commands->count++];
    command->count = count;
    command->args = mem_alloc((size_t)count * sizeof *command->args);
    for (int i = 0; i < count; i++)
        command->args[i] = data_copy_bytes(args[i]);
}

static void commands_clear(struct commands *commands)
{
    for (int i = 0; i < commands->count; i++) {
        for (int j = 0; j < commands->list[i].count; j++)
            free((char *)commands->list[i].args[j].ptr);
        free(commands->list[i].args);
    }
    commands->count = 0;
}

static void unwatch(struct memory *m)
{
    for (int i = 0; i < m->watch_count; i++)
        free((char *)m->watches[i].key.ptr);
    m->watch_count = 0;
}

static bool spoiled(const struct memory *m)
{
    for (int i = 0; i < m->watch_count; i++) {
        const struct key *key = key_find(&m->server->now, m->watches[i].key);
        if ((key ? key->stamp : 0) != m->watches[i].stamp)
            return true;
    }
    return false;
}

/* ---- the words ---- */

static struct kv_reply text_reply(struct arena *arena, struct bytes text)
{
    return (struct kv_reply){.type = KV_TEXT, .text = arena_bytes(arena, text)};
}

static struct kv_reply word_reply(enum kv_type type, const char *text)
{
    return (struct kv_reply){.type = type, .text = bytes_of(text)};
}

static struct kv_reply array_reply(struct arena *arena, int count)
{
    return (struct kv_reply){.type = KV_ARRAY,
                             .items = arena_zero(arena, (size_t)count + 1, sizeof(struct kv_reply)),
                             .count = count};
}

static struct key *written(struct server *server, struct bytes name)
{
    struct key *key = key_make(&server->now, name);
    key->stamp = ++server->stamp;
    return key;
}

/* What is not there is not written by deleting it: no WATCH of it is spoiled. */
static void key_delete(struct server *server, struct key *key)
{
    if (!key || key->count == 0)
        return;
    key_empty(key);
    key->stamp = ++server->stamp;
}

typedef struct kv_reply word_function(struct server *server, const struct command *c,
                                      struct arena *arena);

static struct kv_reply do_hset(struct server *server, const struct command *c, struct arena *arena)
{
    (void)arena;
    struct key *key = written(server, c->args[1]);
    for (int i = 2; i + 1 < c->count; i += 2)
        item_set(key, c->args[i], c->args[i + 1]);
    return (struct kv_reply){.type = KV_INT, .integer = 1};
}

static struct kv_reply do_sadd(struct server *server, const struct command *c, struct arena *arena)
{
    (void)arena;
    struct key *key = written(server, c->args[1]);
    for (int i = 2; i < c->count; i++)
        item_set(key, c->args[i], (struct bytes){"", 0});
    return (struct kv_reply){.type = KV_INT, .integer = 1};
}

static struct kv_reply do_delete(struct server *server, const struct command *c,
                                 struct arena *arena)
{
    (void)arena;
    struct key *key = key_find(&server->now, c->args[1]);
    int before = key ? key->count : 0;
    for (int i = 2; key && i < c->count; i++)
        item_delete(key, c->args[i]);
    if (key && key->count < before)
        key->stamp = ++server->stamp;
    return (struct kv_reply){.type = KV_INT, .integer = 1};
}

static struct kv_reply do_unlink(struct server *server, const struct command *c,
                                 struct arena *arena)
{
    (void)arena;
    for (int i = 1; i < c->count; i++)
        key_delete(server, key_find(&server->now, c->args[i]));
    return (struct kv_reply){.type = KV_INT, .integer = 1};
}

static struct kv_reply do_hget(struct server *server, const struct command *c, struct arena *arena)
{
    const struct key *key = key_find(&server->now, c->args[1]);
    struct kv_reply reply = array_reply(arena, c->count - 2);
    for (int i = 2; i < c->count; i++) {
        bool found = false;
        int at =
            key ? data_lower_bound(key->items, key->count, sizeof *key->items, c->args[i], &found)
                : 0;
        reply.items[i - 2] = found ? text_reply(arena, key->items[at].value) : (struct kv_reply){0};
    }
    return strcasecmp(c->args[0].ptr, "HGET") == 0 ? reply.items[0] : reply;
}

static struct kv_reply do_all(struct server *server, const struct command *c, struct arena *arena)
{
    const struct key *key = key_find(&server->now, c->args[1]);
    int fields = strcasecmp(c->args[0].ptr, "HGETALL") == 0 ? 2 : 1;
    struct kv_reply reply = array_reply(arena, key ? key->count * fields : 0);
    for (int i = 0; key && i < key->count; i++) {
        reply.items[i * fields] = text_reply(arena, key->items[i].field);
        if (fields == 2)
            reply.items[i * 2 + 1] = text_reply(arena, key->items[i].value);
    }
    return reply;
}

static struct kv_reply do_flush(struct server *server, const struct command *c, struct arena *arena)
{
    (void)c;
    (void)arena;
    for (int i = 0; i < server->now.count; i++)
        key_delete(server, &server->now.keys[i]);
    return word_reply(KV_STATUS, "OK");
}

static struct bytes field_of(const struct key *key, const char *field)
{
    bool found = false;
    int at =
        key ? data_lower_bound(key->items, key->count, sizeof *key->items, bytes_of(field), &found)
            : 0;
    return found ? key->items[at].value : (struct bytes){"", 0};
}

/* The two scripts that lk sends: pos.h. */
static struct kv_reply do_eval(struct server *server, const struct command *c, struct arena *arena)
{
    (void)arena;
    const struct key *pos = key_find(&server->now, c->args[3]);
    struct bytes word = c->args[5], gens = field_of(pos, "gens");
    bool due;
    if (bytes_equal(c->args[1], bytes_of(POS_UNLINK_IF_OWNER)))
        due = bytes_equal(field_of(pos, "owner"), word);
    else
        due = !bytes_equal(field_of(pos, "generation"), word) &&
              !bytes_equal(field_of(pos, "previous"), word) &&
              !memmem(gens.ptr, gens.len, word.ptr, word.len);
    struct key *key = due ? key_find(&server->now, c->args[4]) : NULL;
    if (key)
        key_delete(server, key);
    return (struct kv_reply){.type = KV_INT, .integer = key != NULL};
}

static struct kv_reply do_ping(struct server *server, const struct command *c, struct arena *arena)
{
    (void)server;
    (void)c;
    (void)arena;
    return word_reply(KV_STATUS, "PONG");
}

/* It has nothing to say of itself. */
static struct kv_reply do_info(struct server *server, const struct command *c, struct arena *arena)
{
    (void)server;
    (void)c;
    (void)arena;
    return word_reply(KV_TEXT, "");
}

static const struct {
    const char *name;
    word_function *run;
    bool writes;
} WORDS[] = {
    {"HSET", do_hset, true},       {"SADD", do_sadd, true},      {"HDEL", do_delete, false},
    {"SREM", do_delete, false},    {"UNLINK", do_unlink, false}, {"HGET", do_hget, false},
    {"HMGET", do_hget, false},     {"HGETALL", do_all, false},   {"SMEMBERS", do_all, false},
    {"FLUSHALL", do_flush, false}, {"PING", do_ping, false},     {"EVAL", do_eval, false},
    {"INFO", do_info, false},
};

static int find_word(const struct command *c)
{
    for (int i = 0; i < (int)(sizeof WORDS / sizeof *WORDS); i++)
        if (strcasecmp(c->args[0].ptr, WORDS[i].name) == 0)
            return i;
    fprintf(stderr, "memory server: no command %s\n", c->args[0].ptr);
    abort();
}

static struct kv_reply full_reply(void)
{
    return word_reply(KV_ERROR, "OOM command not allowed when used memory > 'maxmemory'.");
}

static struct kv_reply run_word(struct memory *m, const struct command *c)
{
    int word = find_word(c);
    if (WORDS[word].writes && m->server->full)
        return full_reply();
    return WORDS[word].run(m->server, c, &m->arena);
}

static bool any_writes(const struct commands *commands)
{
    for (int i = 0; i < commands->count; i++)
        if (WORDS[find_word(&commands->list[i])].writes)
            return true;
    return false;
}

static struct kv_reply run_exec(struct memory *m)
{
    m->in_multi = false;
    struct kv_reply reply = {.type = KV_NIL};
    m->server->full = m->server->full || m->server->full_at_exec;
    m->server->full_at_exec = false;
    if (!m->multi_failed && m->server->full && any_writes(&m->multi))
        reply = word_reply(KV_ERROR, "EXECABORT Transaction discarded because of: OOM command not "
                                     "allowed when used memory > 'maxmemory'.");
    else if (m->multi_failed)
        reply = word_reply(KV_ERROR, "EXECABORT Transaction discarded because of previous errors.");
    else if (!spoiled(m)) {
        reply = array_reply(&m->arena, m->multi.count);
        for (int i = 0; i < m->multi.count; i++)
            reply.items[i] = run_word(m, &m->multi.list[i]);
    }
    commands_clear(&m->multi);
    unwatch(m);
    return reply;
}

static struct kv_reply run_watch(struct memory *m, const struct command *c)
{
    for (int i = 1; i < c->count && m->watch_count < WATCHES_MAX; i++) {
        const struct key *key = key_find(&m->server->now, c->args[i]);
        m->watches[m->watch_count++] =
            (struct watch){data_copy_bytes(c->args[i]), key ? key->stamp : 0};
    }
    return word_reply(KV_STATUS, "OK");
}

/* A full server queues nothing at all, not even a deletion (Redis 7.0: processCommand). */
static struct kv_reply queue_in_multi(struct memory *m, const struct command *c)
{
    find_word(c);
    if (m->server->full) {
        m->multi_failed = true;
        return full_reply();
    }
    commands_add(&m->multi, c->args, c->count);
    return word_reply(KV_STATUS, "QUEUED");
}

static struct kv_reply run_command(struct memory *m, const struct command *c)
{
    const char *word = c->args[0].ptr;
    if (strcasecmp(word, "EXEC") == 0)
        return run_exec(m);
    if (m->in_multi)
        return queue_in_multi(m, c);
    if (strcasecmp(word, "MULTI") == 0) {
        m->in_multi = true;
        m->multi_failed = false;
        return word_reply(KV_STATUS, "OK");
    }
    if (strcasecmp(word, "WATCH") == 0)
        return run_watch(m, c);
    if (strcasecmp(word, "UNWATCH") == 0) {
        unwatch(m);
        return word_reply(KV_STATUS, "OK");
    }
    return run_word(m, c);
}

/* ---- the filling ---- */

static struct server *server_named(const char *name)
{
    struct server *found = NULL;
    pthread_mutex_lock(&servers_lock);
    for (int i = 0; i < SERVERS_MAX && !found; i++)
        if (servers[i].used && strcmp(servers[i].name, name) == 0)
            found = &servers[i];
    for (int i = 0; i < SERVERS_MAX && !found; i++)
        if (!servers[i].used) {
            found = &servers[i];
            snprintf(found->name, sizeof found->name, "%s", name);
            pthread_mutex_init(&found->lock, NULL);
            found->used = true;
        }
    pthread_mutex_unlock(&servers_lock);
    return found;
}

static uint64_t era_of(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    uint64_t era = server->era;
    pthread_mutex_unlock(&server->lock);
    return era;
}

static int memory_open(const char *where, void **handle, struct err *err)
{
    struct server *server = server_named(where);
    if (!server)
        return err_set(err, ERR_ENV, "over %d memory servers", SERVERS_MAX);
    struct memory *m = mem_zero(1, sizeof *m);
    m->server = server;
    m->era = era_of(server);
    *handle = m;
    return 0;
}

static void forget(struct memory *m)
{
    commands_clear(&m->queued);
    commands_clear(&m->multi);
    unwatch(m);
    m->in_multi = false;
    m->answered = 0;
}

static void memory_close(void *handle)
{
    struct memory *m = handle;
    forget(m);
    free(m->queued.list);
    free(m->multi.list);
    free(m->answers);
    arena_release(&m->arena);
    free(m);
}

static void memory_command(void *handle, const struct bytes *args, int count)
{
    struct memory *m = handle;
    commands_add(&m->queued, args, count);
    for (int i = 0; i < count; i++)
        m->sent += (int64_t)args[i].len + 8;
}

static void keep_answer(struct memory *m, struct kv_reply reply)
{
    if (m->answered == m->capacity) {
        m->capacity = m->capacity ? m->capacity * 2 : 64;
        m->answers = mem_grow(m->answers, (size_t)m->capacity * sizeof *m->answers);
    }
    m->answers[m->answered++] = reply;
}

static int broken(struct memory *m, struct err *err)
{
    forget(m);
    return err_set(err, ERR_AWAY, "the connection to memory:%s is lost", m->server->name);
}

static bool take_break(struct server *server, bool landed)
{
    pthread_mutex_lock(&server->lock);
    bool taken = server->break_next && server->break_landed == landed;
    server->break_next = server->break_next && !taken;
    pthread_mutex_unlock(&server->lock);
    return taken;
}

static void meddle(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    void (*call)(void *context) = server->meddle;
    server->meddle = NULL;
    pthread_mutex_unlock(&server->lock);
    if (!call)
        return;
    call(server->context);
    memory_meddle(server->name, call, server->context);
}

static int memory_send(void *handle, struct err *err)
{
    struct memory *m = handle;
    meddle(m->server);
    if (m->era != era_of(m->server) || take_break(m->server, false))
        return broken(m, err);
    if (m->answered == 0)
        arena_reset(&m->arena);
    for (int i = 0; i < m->queued.count; i++) {
        pthread_mutex_lock(&m->server->lock);
        bool here = m->era == m->server->era; /* else it went back in time: nothing more lands */
        struct kv_reply reply = {0};
        if (here)
            reply = run_command(m, &m->queued.list[i]);
        pthread_mutex_unlock(&m->server->lock);
        if (!here)
            return broken(m, err);
        keep_answer(m, reply);
    }
    commands_clear(&m->queued);
    if (take_break(m->server, true))
        return broken(m, err);
    return 0;
}

static bool memory_ready(void *handle, int wait_ms)
{
    (void)handle;
    (void)wait_ms;
    return true;
}

static void give(const struct kv_reply *from, struct kv_reply *to, struct arena *arena)
{
    *to = *from;
    if (from->text.ptr)
        to->text = arena_bytes(arena, from->text);
    to->items = arena_alloc(arena, (size_t)from->count * sizeof *to->items);
    for (int i = 0; i < from->count; i++)
        give(&from->items[i], &to->items[i], arena);
}

static int memory_receive(void *handle, struct arena *arena, struct kv_reply **replies,
                          struct err *err)
{
    struct memory *m = handle;
    if (m->era != era_of(m->server))
        return broken(m, err);
    int count = m->answered;
    *replies = arena_alloc(arena, (size_t)count * sizeof **replies);
    for (int i = 0; i < count; i++)
        give(&m->answers[i], &(*replies)[i], arena);
    m->answered = 0;
    return count;
}

static int memory_reconnect(void *handle, struct err *err)
{
    (void)err;
    struct memory *m = handle;
    forget(m);
    m->era = era_of(m->server);
    return 0;
}

/* It answers at once. */
static void memory_timeout(void *handle, int ms)
{
    (void)handle;
    (void)ms;
}

static void memory_traffic(const void *handle, int64_t *sent, int64_t *received)
{
    *sent = ((const struct memory *)handle)->sent;
    *received = 0;
}

const struct kv_ops kv_memory_ops = {
    .scheme = "memory:",
    .open = memory_open,
    .close = memory_close,
    .command = memory_command,
    .send = memory_send,
    .ready = memory_ready,
    .receive = memory_receive,
    .reconnect = memory_reconnect,
    .timeout = memory_timeout,
    .traffic = memory_traffic,
};

/* ---- what tests do to it ---- */

void memory_snapshot(const char *name)
{
    struct server *server = server_named(name);
    pthread_mutex_lock(&server->lock);
    data_copy(&server->kept, &server->now);
    pthread_mutex_unlock(&server->lock);
}

void memory_restore(const char *name)
{
    struct server *server = server_named(name);
    pthread_mutex_lock(&server->lock);
    data_copy(&server->now, &server->kept);
    server->era++;
    pthread_mutex_unlock(&server->lock);
}

void memory_break(const char *name, bool landed)
{
    struct server *server = server_named(name);
    pthread_mutex_lock(&server->lock);
    server->break_next = true;
    server->break_landed = landed;
    pthread_mutex_unlock(&server->lock);
}

void memory_full(const char *name, bool full)
{
    struct server *server = server_named(name);
    pthread_mutex_lock(&server->lock);
    server->full = full;
    pthread_mutex_unlock(&server->lock);
}

void memory_full_at_exec(const char *name)
{
    struct server *server = server_named(name);
    pthread_mutex_lock(&server->lock);
    server->full_at_exec = true;
    pthread_mutex_unlock(&server->lock);
}

void memory_meddle(const char *name, void (*call)(void *context), void *context)
{
    struct server *server = server_named(name);
    pthread_mutex_lock(&server->lock);
    server->meddle = call;
    server->context = context;
    pthread_mutex_unlock(&server->lock);
}

void memory_drop(const char *name)
{
    struct server *server = server_named(name);
    pthread_mutex_lock(&server->lock);
    data_empty(&server->now);
    data_empty(&server->kept);
    server->era++;
    server->full = server->break_next = false;
    server->meddle = NULL;
    pthread_mutex_unlock(&server->lock);
}
