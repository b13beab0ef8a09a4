/* common/store/kv.c - picks a filling by the URI, and keeps what both share: down, and the replies'
 * arena. */
#include <stdarg.h>
#include <stdlib.h>

#include "common/store/kv_ops.h"

enum { WORDS_MAX = 64 };

struct kv {
    const struct kv_ops *ops;
    void *handle;
    bool down;
    struct arena replies;
};

static const struct kv_ops *const FILLINGS[] = {&kv_redis_ops, &kv_redis_unix_ops, &kv_memory_ops};

int kv_open(const char *uri, struct kv **out, struct err *err)
{
    for (size_t i = 0; i < sizeof FILLINGS / sizeof *FILLINGS; i++) {
        size_t len = strlen(FILLINGS[i]->scheme);
        if (strncmp(uri, FILLINGS[i]->scheme, len) != 0)
            continue;
        void *handle;
        int rc = FILLINGS[i]->open(uri + len, &handle, err);
        if (rc < 0)
            return rc;
        struct kv *kv = mem_zero(1, sizeof *kv);
        kv->ops = FILLINGS[i];
        kv->handle = handle;
        *out = kv;
        return 0;
    }
    return err_set(err, ERR_USAGE,
                   "view: expected redis://[:PASSWORD@]HOST:PORT[/DB] or redis+unix:PATH");
}

void kv_close(struct kv *kv)
{
    if (!kv)
        return;
    kv->ops->close(kv->handle);
    arena_release(&kv->replies);
    free(kv);
}

void kv_command(struct kv *kv, const struct bytes *args, int count)
{
    kv->ops->command(kv->handle, args, count);
}

void kv_words(struct kv *kv, const char *word, ...)
{
    struct bytes args[WORDS_MAX];
    int count = 0;
    va_list list;
    va_start(list, word);
    for (const char *w = word; w && count < WORDS_MAX; w = va_arg(list, const char *))
        args[count++] = bytes_of(w);
    va_end(list);
    kv_command(kv, args, count);
}

int kv_send(struct kv *kv, struct err *err)
{
    if (kv->down)
        return err_set(err, ERR_AWAY, "the connection to the view is lost");
    int rc = kv->ops->send(kv->handle, err);
    kv->down = rc < 0;
    return rc;
}

bool kv_ready(struct kv *kv, int wait_ms)
{
    return kv->down || kv->ops->ready(kv->handle, wait_ms);
}

int kv_receive(struct kv *kv, struct kv_reply **replies, struct err *err)
{
    if (kv->down)
        return err_set(err, ERR_AWAY, "the connection to the view is lost");
    arena_reset(&kv->replies);
    int count = kv->ops->receive(kv->handle, &kv->replies, replies, err);
    kv->down = count < 0;
    return count;
}

int kv_roundtrip(struct kv *kv, struct kv_reply **replies, struct err *err)
{
    int rc = kv_send(kv, err);
    return rc < 0 ? rc : kv_receive(kv, replies, err);
}

bool kv_down(const struct kv *kv)
{
    return kv->down;
}

void kv_drop(struct kv *kv)
{
    kv->down = true;
}

void kv_timeout(struct kv *kv, int ms)
{
    kv->ops->timeout(kv->handle, ms);
}

int kv_reconnect(struct kv *kv, struct err *err)
{
    int rc = kv->ops->reconnect(kv->handle, err);
    kv->down = rc < 0;
    return rc;
}

void kv_traffic(const struct kv *kv, int64_t *sent, int64_t *received)
{
    kv->ops->traffic(kv->handle, sent, received);
}

bool kv_is_error(const struct kv_reply *reply, const char *word)
{
    size_t len = strlen(word);
    return reply->type == KV_ERROR && reply->text.len >= len &&
           memcmp(reply->text.ptr, word, len) == 0;
}

static const struct kv_refusal REFUSALS[] = {
    {"OOM", "is full", "give it more memory (redis-cli CONFIG SET maxmemory ...)"},
    {"MISCONF", "cannot save to its disk",
     "make room there; its log says why (until a save succeeds it takes no writes)"},
    {"NOREPLICAS", "has too few replicas",
     "bring one back (or redis-cli CONFIG SET min-replicas-to-write 0)"},
};

const struct kv_refusal *kv_refusal(const struct kv_reply *reply)
{
    static const char discarded[] = "EXECABORT Transaction discarded because of: ";
    struct kv_reply cause = *reply;
    if (kv_is_error(reply, discarded)) {
        cause.text.ptr += sizeof discarded - 1;
        cause.text.len -= sizeof discarded - 1;
    }
    for (size_t i = 0; i < sizeof REFUSALS / sizeof *REFUSALS; i++)
        if (kv_is_error(&cause, REFUSALS[i].word))
            return &REFUSALS[i];
    return NULL;
}

int kv_error(const struct kv_reply *reply, const char *while_doing, struct err *err)
{
    const struct kv_refusal *refusal = kv_refusal(reply);
    int len = (int)reply->text.len;
    if (!refusal)
        return err_set(err, ERR_ENV, "%sRedis says %.*s", while_doing, len, reply->text.ptr);
    return err_set(err, ERR_FULL, "%sRedis %s (%.*s); %s, then run it again", while_doing,
                   refusal->what, len, reply->text.ptr, refusal->remedy);
}
