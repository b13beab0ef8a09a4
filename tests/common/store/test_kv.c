/* tests/common/store/test_kv.c - both fillings of kv hold the same conversations: a redis-server of
 * our own and the memory server must not be told apart by what a job or a read says to them. */
#include "common/store/pos.h"
#include "tests/common/store/redis_here.h"

enum { LINES_MAX = 24, TALKERS = 2, WORDS_MAX = 16 };

/* Who says it (0, 1: connections; WORLD: something happens to the server), and the answer. */
enum { WORLD = 2 };
struct line {
    int who;
    const char *says, *answer;
};

static const struct conversation {
    const char *about;
    struct line lines[LINES_MAX];
} CONVERSATIONS[] = {
    {"hashes",
     {{0, "HGET h a", "nil"},
      {0, "HSET h a 1 b 2", ":"},
      {1, "HGET h a", "1"},
      {1, "HMGET h b x a", "[2 nil 1]"},
      {0, "HGETALL h", "[a 1 b 2]"},
      {0, "HSET h a 7", ":"},
      {1, "HGETALL h", "[a 7 b 2]"},
      {0, "HDEL h b x", ":"},
      {1, "HGETALL h", "[a 7]"},
      {0, "HGETALL none", "[]"},
      {0, "HMGET none a", "[nil]"}}},
    {"sets and deletion",
     {{0, "SADD s one", ":"},
      {0, "SADD s one", ":"},
      {1, "SMEMBERS s", "[one]"},
      {0, "SREM s one", ":"},
      {1, "SMEMBERS s", "[]"},
      {0, "SADD s two", ":"},
      {0, "HSET h a 1", ":"},
      {0, "UNLINK s h none", ":"},
      {1, "SMEMBERS s", "[]"},
      {1, "HGETALL h", "[]"}}},
    {"a transaction shows its queue, then all of it at once",
     {{0, "MULTI", "+OK"},
      {0, "HSET h a 1", "+QUEUED"},
      {0, "HGET h a", "+QUEUED"},
      {1, "HGET h a", "nil"},
      {0, "EXEC", "[: 1]"},
      {1, "HGET h a", "1"},
      {0, "MULTI", "+OK"},
      {0, "EXEC", "[]"}}},
    {"a watched key that another wrote spoils EXEC, once",
     {{0, "HSET h a 1", ":"},
      {0, "WATCH h", "+OK"},
      {1, "HSET h a 2", ":"},
      {0, "MULTI", "+OK"},
      {0, "HSET h a 3", "+QUEUED"},
      {0, "EXEC", "nil"},
      {0, "HGET h a", "2"},
      {0, "MULTI", "+OK"},
      {0, "HSET h a 4", "+QUEUED"},
      {0, "EXEC", "[:]"},
      {1, "HGET h a", "4"}}},
    {"a watched key that nobody wrote does not; reading it, and another key, are no writes",
     {{0, "HSET h a 1", ":"},
      {0, "WATCH h none", "+OK"},
      {1, "HGETALL h", "[a 1]"},
      {1, "HSET other a 2", ":"},
      {0, "MULTI", "+OK"},
      {0, "HSET h a 3", "+QUEUED"},
      {0, "EXEC", "[:]"},
      {0, "HGET h a", "3"}}},
    {"the same text written again spoils too",
     {{0, "HSET h a 1", ":"},
      {0, "WATCH h", "+OK"},
      {1, "HSET h a 1", ":"},
      {0, "MULTI", "+OK"},
      {0, "EXEC", "nil"}}},
    {"a key that comes into being spoils",
     {{0, "WATCH h", "+OK"}, {1, "HSET h a 1", ":"}, {0, "MULTI", "+OK"}, {0, "EXEC", "nil"}}},
    {"deletion spoils, also when the key is written back",
     {{0, "HSET h a 1", ":"},
      {0, "WATCH h", "+OK"},
      {1, "UNLINK h", ":"},
      {1, "HSET h a 1", ":"},
      {0, "MULTI", "+OK"},
      {0, "EXEC", "nil"},
      {0, "WATCH h", "+OK"},
      {1, "HDEL h a", ":"},
      {0, "MULTI", "+OK"},
      {0, "EXEC", "nil"}}},
    {"FLUSHALL spoils and empties",
     {{0, "HSET h a 1", ":"},
      {0, "WATCH h", "+OK"},
      {1, "FLUSHALL", "+OK"},
      {0, "MULTI", "+OK"},
      {0, "HSET h a 2", "+QUEUED"},
      {0, "EXEC", "nil"},
      {0, "HGETALL h", "[]"}}},
    {"FLUSHALL does not spoil the watch of a key that was not there",
     {{0, "WATCH none", "+OK"},
      {1, "FLUSHALL", "+OK"},
      {0, "MULTI", "+OK"},
      {0, "HSET none a 2", "+QUEUED"},
      {0, "EXEC", "[:]"}}},
    {"UNWATCH and a write of one's own before MULTI",
     {{0, "HSET h a 1", ":"},
      {0, "WATCH h", "+OK"},
      {1, "HSET h a 2", ":"},
      {0, "UNWATCH", "+OK"},
      {0, "MULTI", "+OK"},
      {0, "EXEC", "[]"},
      {0, "WATCH h", "+OK"},
      {0, "HSET h a 3", ":"},
      {0, "MULTI", "+OK"},
      {0, "EXEC", "nil"}}},
    {"a full server refuses writes and whatever a transaction queues; it reads and deletes",
     {{0, "HSET h a 1", ":"},
      {WORLD, "full", ""},
      {0, "HSET h a 2", "-OOM"},
      {0, "HGET h a", "1"},
      {0, "MULTI", "+OK"},
      {0, "UNLINK h", "-OOM"},
      {0, "EXEC", "-EXECABORT"},
      {0, "HGET h a", "1"},
      {0, "MULTI", "+OK"},
      {0, "EXEC", "[]"},
      {0, "HDEL h a", ":"},
      {0, "UNLINK h", ":"},
      {0, "HGETALL h", "[]"},
      {WORLD, "room", ""},
      {0, "HSET h a 4", ":"},
      {0, "HGET h a", "4"}}},
    {"deleting what is not there spoils nothing",
     {{0, "HSET h a 1", ":"},
      {0, "WATCH h none", "+OK"},
      {1, "UNLINK none", ":"},
      {1, "HDEL h b", ":"},
      {1, "SREM none b", ":"},
      {0, "MULTI", "+OK"},
      {0, "EXEC", "[]"}}},
    {"a refused transaction has let its watch go",
     {{0, "WATCH h", "+OK"},
      {WORLD, "full", ""},
      {0, "MULTI", "+OK"},
      {0, "HSET h a 3", "-OOM"},
      {0, "EXEC", "-EXECABORT"},
      {WORLD, "room", ""},
      {1, "HSET h a 1", ":"},
      {0, "MULTI", "+OK"},
      {0, "HSET h a 4", "+QUEUED"},
      {0, "EXEC", "[:]"}}},
};

/* A server, two connections to it, and one that turns its knobs. */
struct stand {
    const char *uri;
    struct kv *talker[TALKERS], *world;
    bool memory;
};

static struct kv *open_kv(const char *uri)
{
    struct kv *kv = NULL;
    struct err err = {0};
    cr_assert_eq(kv_open(uri, &kv, &err), 0, "%s: %s", uri, err.text);
    return kv;
}

static void stand_open(struct stand *stand, const char *uri)
{
    *stand = (struct stand){.uri = uri, .memory = strncmp(uri, "memory:", 7) == 0};
    for (int i = 0; i < TALKERS; i++)
        stand->talker[i] = open_kv(uri);
    stand->world = open_kv(uri);
}

static void stand_close(struct stand *stand)
{
    for (int i = 0; i < TALKERS; i++)
        kv_close(stand->talker[i]);
    kv_close(stand->world);
}

static struct kv_reply *ask(struct kv *kv, const char *words)
{
    char text[200];
    struct bytes args[WORDS_MAX];
    struct kv_reply *replies;
    struct err err = {0};
    int count = 0;
    snprintf(text, sizeof text, "%s", words);
    for (char *rest = text, *word; (word = strsep(&rest, " "));)
        args[count++] = bytes_of(word);
    kv_command(kv, args, count);
    cr_assert_eq(kv_roundtrip(kv, &replies, &err), 1, "%s: %s", words, err.text);
    return replies;
}

/* A reply as a line says it: numbers as ":" alone, errors by their first word. */
static void say(const struct kv_reply *reply, struct buf *out)
{
    int len = (int)reply->text.len;
    switch (reply->type) {
    case KV_NIL:
        buf_add_text(out, "nil");
        break;
    case KV_STATUS:
        buf_printf(out, "+%.*s", len, reply->text.ptr);
        break;
    case KV_INT:
        buf_add_text(out, ":");
        break;
    case KV_TEXT:
        buf_add(out, reply->text.ptr, reply->text.len);
        break;
    case KV_ERROR:
        buf_printf(out, "-%.*s", (int)strcspn(reply->text.ptr, " "), reply->text.ptr);
        break;
    case KV_ARRAY:
        buf_add_text(out, "[");
        for (int i = 0; i < reply->count; i++) {
            buf_add_text(out, i ? " " : "");
            say(&reply->items[i], out);
        }
        buf_add_text(out, "]");
    }
}

static void happen(struct stand *stand, const char *what)
{
    bool full = strcmp(what, "full") == 0;
    if (stand->memory)
        memory_full(stand->uri + 7, full);
    else
        ask(stand->world, full ? "CONFIG SET maxmemory 1" : "CONFIG SET maxmemory 0");
}

static void converse(struct stand *stand, const struct conversation *c)
{
    struct buf said = {0};
    ask(stand->world, "FLUSHALL");
    for (const struct line *line = c->lines; line->says; line++) {
        if (line->who == WORLD) {
            happen(stand, line->says);
            continue;
        }
        buf_clear(&said);
        say(ask(stand->talker[line->who], line->says), &said);
        cr_expect_str_eq(said.ptr, line->answer, "%s: %s: %d says %s, answered %s", stand->uri,
                         c->about, line->who, line->says, said.ptr);
    }
    buf_release(&said);
}

static void converse_all(const char *uri)
{
    struct stand stand;
    stand_open(&stand, uri);
    for (size_t i = 0; i < sizeof CONVERSATIONS / sizeof *CONVERSATIONS; i++)
        converse(&stand, &CONVERSATIONS[i]);
    stand_close(&stand);
}

Test(kv, memory_answers_as_redis_does)
{
    converse_all("memory:talk");
}

Test(kv, redis_answers_as_the_conversations_say)
{
    struct redis_here redis = {0};
    redis_here_start(&redis);
    converse_all(redis.uri);
    converse_all(redis.socket_uri);
    redis_here_stop(&redis);
}

/* ---- bytes, many, borrowed ---- */

/* What is true of a connection of either filling; run against both. */
static void on_both(void (*check)(const char *uri))
{
    struct redis_here redis = {0};
    check("memory:both");
    redis_here_start(&redis);
    check(redis.uri);
    redis_here_stop(&redis);
}

static void check_bytes(const char *uri)
{
    struct kv *kv = open_kv(uri);
    struct bytes big = {mem_zero(1, 1 << 20), 1 << 20}, odd = {"a\0\r\n\"\xff", 6}, none = {"", 0};
    struct bytes set[] = {
        bytes_of("HSET"), bytes_of("h"), odd, none, none, odd, bytes_of("b"), big};
    struct bytes get[] = {bytes_of("HMGET"), bytes_of("h"), odd, none, bytes_of("b")};
    struct kv_reply *replies;
    kv_command(kv, set, 8);
    kv_command(kv, get, 5);
    cr_assert_eq(kv_roundtrip(kv, &replies, NULL), 2);
    cr_expect_eq(replies[1].items[0].text.len, 0, "%s", uri);
    cr_expect(bytes_equal(replies[1].items[1].text, odd), "%s", uri);
    cr_expect(bytes_equal(replies[1].items[2].text, big), "%s", uri);
    int64_t sent, received;
    kv_traffic(kv, &sent, &received);
    cr_expect_gt(sent, 1 << 20, "%s", uri);
    free((char *)big.ptr);
    kv_close(kv);
}

Test(kv, arguments_and_answers_are_bytes_of_any_length)
{
    on_both(check_bytes);
}

static void check_many(const char *uri)
{
    enum { COMMANDS = 3000, ARGS = 200 };
    struct kv *kv = open_kv(uri);
    struct kv_reply *replies;
    char text[ARGS][16];
    struct bytes args[ARGS + 2] = {bytes_of("HSET"), bytes_of("h")};
    for (int i = 0; i < ARGS; i++) {
        snprintf(text[i], sizeof text[i], "%d", i);
        args[i + 2] = bytes_of(text[i]);
    }
    kv_command(kv, args, ARGS + 2);
    for (int i = 0; i < COMMANDS; i++)
        kv_words(kv, "HGET", "h", text[i % (ARGS / 2) * 2], NULL);
    cr_assert_eq(kv_send(kv, NULL), 0);
    while (!kv_ready(kv, 100))
        ;
    cr_assert_eq(kv_receive(kv, &replies, NULL), COMMANDS + 1);
    for (int i = 0; i < COMMANDS; i++)
        cr_assert(bytes_equal(replies[i + 1].text, bytes_of(text[i % (ARGS / 2) * 2 + 1])),
                  "%s: answer %d is %.*s", uri, i, (int)replies[i + 1].text.len,
                  replies[i + 1].text.ptr);
    kv_close(kv);
}

Test(kv, many_commands_of_many_arguments_are_answered_in_order)
{
    on_both(check_many);
}

static void check_borrowed(const char *uri)
{
    struct kv *kv = open_kv(uri);
    struct kv_reply *replies;
    ask(kv, "HSET from key value");
    replies = ask(kv, "HGETALL from");
    struct bytes set[] = {bytes_of("HSET"), bytes_of("to"), replies[0].items[0].text,
                          replies[0].items[1].text};
    kv_command(kv, set, 4);
    cr_assert_eq(kv_send(kv, NULL), 0);
    cr_expect(bytes_equal(replies[0].items[1].text, bytes_of("value")),
              "%s: a reply was gone before the next receive", uri);
    cr_assert_eq(kv_receive(kv, &replies, NULL), 1);
    cr_expect(bytes_equal(ask(kv, "HGET to key")->text, bytes_of("value")), "%s", uri);
    kv_close(kv);
}

Test(kv, replies_are_good_until_the_next_receive_also_as_arguments)
{
    on_both(check_borrowed);
}

static void check_script(const char *uri)
{
    static const char *const OWNERS[] = {"me", "other"};
    struct kv *kv = open_kv(uri);
    struct kv_reply *replies;
    for (int i = 0; i < 2; i++) {
        ask(kv, "HSET pos owner me");
        ask(kv, "HSET cells a 1");
        ask(kv, strncmp(uri, "memory:", 7) ? "CONFIG SET maxmemory 1" : "PING");
        memory_full("both", true);
        kv_words(kv, "EVAL", POS_UNLINK_IF_OWNER, "2", "pos", "cells", OWNERS[i], NULL);
        cr_assert_eq(kv_roundtrip(kv, &replies, NULL), 1);
        cr_expect_eq(replies[0].type, KV_INT, "%s", uri);
        cr_expect_eq(ask(kv, "HGETALL cells")->count, i == 0 ? 0 : 2, "%s", uri);
        memory_full("both", false);
        ask(kv, strncmp(uri, "memory:", 7) ? "CONFIG SET maxmemory 0" : "PING");
    }
    ask(kv, "UNLINK pos");
    kv_words(kv, "EVAL", POS_UNLINK_IF_OWNER, "2", "pos", "cells", "me", NULL);
    cr_assert_eq(kv_roundtrip(kv, &replies, NULL), 1);
    cr_expect_eq(ask(kv, "HGETALL cells")->count, 2, "%s: nobody's pos", uri);
    kv_close(kv);
}

Test(kv, an_owner_and_nobody_else_deletes_while_the_server_is_full)
{
    on_both(check_script);
}

Test(kv, an_error_is_told_by_its_first_word)
{
    struct kv_reply error = {.type = KV_ERROR, .text = bytes_of("OOM command not allowed")};
    struct kv_reply text = {.type = KV_TEXT, .text = bytes_of("OOM")};
    cr_expect(kv_is_error(&error, "OOM"));
    cr_expect_not(kv_is_error(&error, "WRONGTYPE"));
    cr_expect_not(kv_is_error(&error, "OOM command not allowed at all"));
    cr_expect_not(kv_is_error(&text, "OOM"));
}

/* ---- connections that break ---- */

static void break_connection(struct stand *stand)
{
    if (stand->memory)
        memory_break(stand->uri + 7, false);
    else
        ask(stand->world, "CLIENT KILL TYPE normal SKIPME yes");
}

static void check_break(const char *uri)
{
    struct stand stand;
    struct kv_reply *replies;
    struct err err = {0};
    stand_open(&stand, uri);
    struct kv *kv = stand.talker[0];
    ask(kv, "HSET h a 1");
    ask(kv, "WATCH h");
    break_connection(&stand);
    kv_words(kv, "HSET", "h", "a", "2", NULL);
    cr_assert_eq(kv_roundtrip(kv, &replies, &err), ERR_AWAY, "%s", uri);
    cr_expect(kv_down(kv));
    cr_expect(kv_ready(kv, 0), "a broken connection keeps nobody waiting");
    cr_expect_eq(kv_send(kv, NULL), ERR_AWAY, "%s: it stays down until kv_reconnect", uri);
    cr_assert_eq(kv_reconnect(kv, &err), 0, "%s: %s", uri, err.text);
    cr_expect_not(kv_down(kv));
    ask(stand.world, "HSET h a 3");
    ask(kv, "MULTI");
    cr_expect_eq(ask(kv, "EXEC")->type, KV_ARRAY, "%s: the watch went with the connection", uri);
    cr_expect(bytes_equal(ask(kv, "HGET h a")->text, bytes_of("3")), "%s", uri);
    stand_close(&stand);
}

Test(kv, a_broken_connection_is_away_until_it_is_made_again)
{
    on_both(check_break);
}

static void check_drop(const char *uri)
{
    struct kv *kv = open_kv(uri);
    struct kv_reply *replies;
    kv_words(kv, "HSET", "h", "a", "1", NULL);
    kv_drop(kv);
    cr_expect_eq(kv_roundtrip(kv, &replies, NULL), ERR_AWAY);
    cr_assert_eq(kv_reconnect(kv, NULL), 0);
    cr_expect_eq(ask(kv, "HGET h a")->type, KV_NIL,
                 "%s: what was queued before the break is not sent behind it", uri);
    kv_close(kv);
}

Test(kv, a_dropped_connection_forgets_what_was_queued)
{
    on_both(check_drop);
}

Test(kv, a_memory_break_is_done_or_not_as_asked)
{
    for (int landed = 0; landed < 2; landed++) {
        struct kv *kv = open_kv("memory:break");
        struct kv_reply *replies;
        ask(kv, "FLUSHALL");
        memory_break("break", landed);
        kv_words(kv, "HSET", "h", "a", "1", NULL);
        cr_assert_eq(kv_roundtrip(kv, &replies, NULL), ERR_AWAY);
        cr_assert_eq(kv_reconnect(kv, NULL), 0);
        cr_expect_eq(ask(kv, "HGET h a")->type, landed ? KV_TEXT : KV_NIL);
        kv_close(kv);
    }
}

Test(kv, a_memory_server_goes_back_in_time_and_breaks_every_connection)
{
    struct kv *a = open_kv("memory:back"), *b = open_kv("memory:back");
    struct kv_reply *replies;
    ask(a, "HSET h a 1");
    memory_snapshot("back");
    ask(a, "HSET h a 2 b 2");
    memory_restore("back");
    kv_words(a, "PING", NULL);
    cr_expect_eq(kv_roundtrip(a, &replies, NULL), ERR_AWAY);
    kv_words(b, "PING", NULL);
    cr_expect_eq(kv_roundtrip(b, &replies, NULL), ERR_AWAY);
    cr_assert_eq(kv_reconnect(a, NULL), 0);
    struct buf said = {0};
    say(ask(a, "HGETALL h"), &said);
    cr_expect_str_eq(said.ptr, "[a 1]");
    memory_drop("back");
    cr_assert_eq(kv_reconnect(b, NULL), 0);
    cr_expect_eq(ask(b, "HGETALL h")->count, 0, "memory_drop leaves nothing");
    buf_release(&said);
    kv_close(a);
    kv_close(b);
}

Test(kv, a_server_that_is_gone_is_away_and_named_with_its_remedy)
{
    struct redis_here redis = {0};
    struct err err = {0};
    redis_here_start(&redis);
    struct kv *kv = open_kv(redis.uri);
    redis_here_down(&redis);
    kv_words(kv, "PING", NULL);
    struct kv_reply *replies;
    cr_expect_eq(kv_roundtrip(kv, &replies, NULL), ERR_AWAY);
    cr_expect_eq(kv_reconnect(kv, &err), ERR_AWAY);
    cr_expect(strstr(err.text, "redis-server --port"), "%s", err.text);
    cr_expect(kv_down(kv));
    kv_words(kv, "PING", NULL);
    cr_expect_eq(kv_roundtrip(kv, &replies, NULL), ERR_AWAY);
    cr_assert(redis_here_up(&redis));
    cr_expect_eq(kv_reconnect(kv, NULL), 0);
    cr_expect_eq(ask(kv, "PING")->type, KV_STATUS);
    kv_close(kv);
    redis_here_stop(&redis);
}

/* ---- opening ---- */

static const struct {
    const char *uri, *says;
} BAD_URIS[] = {
    {"http://127.0.0.1:6379", "expected redis://"},
    {"redis:127.0.0.1:6379", "expected redis://"},
    {"redis://", "found redis://"},
    {"redis://127.0.0.1", "found redis://127.0.0.1"},
    {"redis://127.0.0.1:0", "found"},
    {"redis://127.0.0.1:65536", "found"},
    {"redis://127.0.0.1:63x9", "found"},
    {"redis://127.0.0.1:6379/one", "found"},
    {"redis://127.0.0.1:6379/1x", "found"},
    {"redis://:s3cret@127.0.0.1", "found redis://127.0.0.1"},
    {"redis://:s3cret#127.0.0.1:6379", "without a host"},
};

Test(kv, a_uri_that_is_none_is_a_mistake_that_says_what_was_expected)
{
    for (size_t i = 0; i < sizeof BAD_URIS / sizeof *BAD_URIS; i++) {
        struct kv *kv;
        struct err err = {0};
        cr_expect_eq(kv_open(BAD_URIS[i].uri, &kv, &err), ERR_USAGE, "%s", BAD_URIS[i].uri);
        cr_expect(strstr(err.text, BAD_URIS[i].says), "%s: %s", BAD_URIS[i].uri, err.text);
        cr_expect_not(strstr(err.text, "s3cret"), "%s", err.text);
    }
}

/* What is wrong with the server, and what opening then says. */
static const struct {
    const char *wrong, *mended, *says;
} UNFIT[] = {
    {"CONFIG SET maxmemory-policy allkeys-lru", "CONFIG SET maxmemory-policy noeviction",
     "CONFIG SET maxmemory-policy noeviction"},
    {"REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "replica"},
    {"CONFIG SET requirepass s3cret", "CONFIG SET requirepass ", "LK_REDIS_PASSWORD"},
};

Test(kv, a_server_that_is_not_fit_is_refused_with_what_mends_it)
{
    struct redis_here redis = {0};
    struct kv *kv;
    redis_here_start(&redis);
    struct kv *world = open_kv(redis.uri);
    for (size_t i = 0; i < sizeof UNFIT / sizeof *UNFIT; i++) {
        struct err err = {0};
        cr_expect_eq(ask(world, UNFIT[i].wrong)->type, KV_STATUS, "%s", UNFIT[i].wrong);
        cr_expect_eq(kv_open(redis.uri, &kv, &err), ERR_ENV, "%s", UNFIT[i].wrong);
        cr_expect(strstr(err.text, UNFIT[i].says), "%s", err.text);
        cr_expect_eq(ask(world, UNFIT[i].mended)->type, KV_STATUS, "%s", UNFIT[i].mended);
    }
    kv_close(world);
    redis_here_stop(&redis);
}

Test(kv, a_password_is_taken_from_the_uri_or_the_environment_and_never_shown)
{
    struct redis_here redis = {0};
    struct kv *kv;
    char right[80], wrong[80];
    struct err err = {0};
    redis_here_start(&redis);
    snprintf(right, sizeof right, "redis://:s3cret@127.0.0.1:%d", redis.port);
    snprintf(wrong, sizeof wrong, "redis://:guess@127.0.0.1:%d", redis.port);
    struct kv *world = open_kv(redis.uri);
    ask(world, "CONFIG SET requirepass s3cret");
    cr_expect_eq(kv_open(wrong, &kv, &err), ERR_ENV);
    cr_expect(strstr(err.text, "refuses the password"), "%s", err.text);
    cr_expect_not(strstr(err.text, "guess"), "%s", err.text);
    kv_close(open_kv(right));
    setenv("LK_REDIS_PASSWORD", "s3cret", 1);
    kv_close(open_kv(redis.uri));
    kv_close(world);
    redis_here_stop(&redis);
}

Test(kv, a_number_behind_the_port_is_another_key_space)
{
    struct redis_here redis = {0};
    char one[80];
    redis_here_start(&redis);
    snprintf(one, sizeof one, "%s/1", redis.uri);
    struct kv *zeroth = open_kv(redis.uri), *first = open_kv(one);
    ask(zeroth, "HSET h a 0");
    cr_expect_eq(ask(first, "HGET h a")->type, KV_NIL);
    ask(first, "HSET h a 1");
    cr_expect(bytes_equal(ask(zeroth, "HGET h a")->text, bytes_of("0")));
    cr_assert_eq(kv_reconnect(first, NULL), 0);
    cr_expect(bytes_equal(ask(first, "HGET h a")->text, bytes_of("1")), "also after a reconnect");
    kv_close(zeroth);
    kv_close(first);
    redis_here_stop(&redis);
}

static const struct {
    const char *text, *word; /* NULL: no refusal */
} REFUSED[] = {
    {"OOM command not allowed when used memory > 'maxmemory'.", "OOM"},
    {"MISCONF Errors writing to the AOF file: No space left on device", "MISCONF"},
    {"EXECABORT Transaction discarded because of: MISCONF Redis is configured to ...", "MISCONF"},
    {"NOREPLICAS Not enough good replicas to write.", "NOREPLICAS"},
    {"EXECABORT Transaction discarded because of previous errors.", NULL},
    {"WRONGTYPE Operation against a key", NULL},
    {"ERR OOM", NULL},
};

Test(kv, a_refusal_for_now_says_why_and_what_to_do)
{
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        struct kv_reply reply = {.type = KV_ERROR, .text = bytes_of(REFUSED[i].text)};
        const struct kv_refusal *refusal = kv_refusal(&reply);
        struct err err = {0};
        cr_assert_eq(refusal != NULL, REFUSED[i].word != NULL, "%s", REFUSED[i].text);
        cr_expect_eq(kv_error(&reply, "taking it: ", &err), refusal ? ERR_FULL : ERR_ENV);
        cr_expect_not_null(strstr(err.text, REFUSED[i].text), "%s", err.text);
        cr_expect(!refusal || strstr(err.text, refusal->remedy), "%s", err.text);
        cr_expect(!refusal || strcmp(refusal->word, REFUSED[i].word) == 0);
        reply.type = KV_TEXT;
        cr_expect_null(kv_refusal(&reply), "a value is no error");
    }
}
