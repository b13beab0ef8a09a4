/* common/store/kv.h - one connection to a key-value server that speaks Redis's words.
 *
 * Commands are queued, sent together and answered in order: one round trip however many there are.
 * Two fillings: Redis (redis.c over hiredis) and a server in this process's memory (memory.c) with
 * the same commands, the same WATCH/MULTI/EXEC, and the same ways to fail, for tests.
 * A connection that breaks answers ERR_AWAY and stays `down` until kv_reconnect: whether what had been
 * sent was done is then unknown. Opaque; one thread. */
#ifndef LK_STORE_KV_H
#define LK_STORE_KV_H

#include "common/base/bytes.h"
#include "common/base/err.h"

enum kv_type { KV_NIL, KV_STATUS, KV_INT, KV_TEXT, KV_ARRAY, KV_ERROR };

/* Borrowed: good until the connection's next kv_receive, kv_reconnect or kv_close. */
struct kv_reply {
    enum kv_type type;
    int64_t integer;
    struct bytes text; /* KV_STATUS, KV_TEXT, KV_ERROR ("OOM ...") */
    struct kv_reply *items;
    int count;
};

struct kv;

/* uri: redis://[:PASSWORD@]HOST:PORT[/DB], redis+unix:PATH, or memory:NAME (a server of this process,
 * made at its first use). A password may also come from LK_REDIS_PASSWORD; it is never printed.
 * Checked at opening, each an ERR_ENV with the command that mends it: it is Redis, the password is
 * right, it is a master, its policy is noeviction. */
int kv_open(const char *uri, struct kv **out, struct err *err);
void kv_close(struct kv *kv);
/* Queue one command; args are copied. */
void kv_command(struct kv *kv, const struct bytes *args, int count);
/* Queue a command of a few plain words: kv_words(kv, "HGETALL", key, NULL). */
void kv_words(struct kv *kv, const char *word, ...) __attribute__((sentinel));
/* Begin sending what is queued; returns at once unless the socket is full. */
int kv_send(struct kv *kv, struct err *err);
/* Would kv_receive return without waiting? Waits up to wait_ms. */
bool kv_ready(struct kv *kv, int wait_ms);
/* Wait for the answers to everything sent; returns how many and points *replies at them. An error
 * answer is a reply, not a failure; ERR_AWAY: the connection broke. */
int kv_receive(struct kv *kv, struct kv_reply **replies, struct err *err);
/* kv_send, then kv_receive. */
int kv_roundtrip(struct kv *kv, struct kv_reply **replies, struct err *err);
bool kv_down(const struct kv *kv);
void kv_drop(struct kv *kv); /* behave as if the connection had broken just now (fault points) */
/* An answer that takes longer than this counts as a lost connection. */
void kv_timeout(struct kv *kv, int ms);
/* A new connection (WATCHes, queue and unread answers are gone). ERR_AWAY: not yet. */
int kv_reconnect(struct kv *kv, struct err *err);
/* Bytes sent and received since opening. */
void kv_traffic(const struct kv *kv, int64_t *sent, int64_t *received);

/* Is reply an error that begins with word, such as "OOM" or "WRONGTYPE"? */
bool kv_is_error(const struct kv_reply *reply, const char *word);
/* Why a server takes no writes for now, whatever they are: nothing of them was done. */
struct kv_refusal {
    const char *word;   /* its error begins with it */
    const char *what;   /* "is full" */
    const char *remedy; /* what to do, before it is tried again */
};
/* Does reply say so, also of an EXEC that was discarded because of it? NULL: no. */
const struct kv_refusal *kv_refusal(const struct kv_reply *reply);
/* ERR_FULL and the remedy where reply is a refusal, else ERR_ENV; while: "taking partition 3: ", or "". */
int kv_error(const struct kv_reply *reply, const char *while_doing, struct err *err);

/* Tests: what a memory server can do to its users. */
void memory_snapshot(const char *name); /* remember everything */
/* come back with what was remembered; all connections break */
void memory_restore(const char *name);
/* break connections; what is unread was done, or was not */
void memory_break(const char *name, bool landed);
void memory_full(const char *name, bool full); /* writes answer -OOM */
void memory_full_at_exec(const char *name);    /* from the next EXEC on, that one included */
/* Before each sending to the server, call meddle, which may use connections of its own (its sendings
 * call nothing); NULL ends it. */
void memory_meddle(const char *name, void (*meddle)(void *context), void *context);
void memory_drop(const char *name); /* the server and its data are gone */

#endif
