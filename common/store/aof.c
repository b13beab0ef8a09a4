/* common/store/aof.c - see aof.h. INFO says whether there is an AOF, and that none was made since the start. */
#include "common/store/aof.h"

#include <stdio.h>

static const char *const UNTOUCHED[] = {"aof_enabled:1\r", "aof_rewrite_in_progress:0\r",
                                        "aof_rewrite_scheduled:0\r",
                                        "aof_last_rewrite_time_sec:-1\r"};

static bool is_untouched(const struct kv_reply *info)
{
    bool yes = info->type == KV_TEXT;
    for (size_t i = 0; yes && i < sizeof UNTOUCHED / sizeof *UNTOUCHED; i++)
        yes = strstr(info->text.ptr, UNTOUCHED[i]) != NULL;
    return yes;
}

int aof_renew(struct kv *kv, struct err *err)
{
    struct kv_reply *replies;
    kv_words(kv, "INFO", "persistence", NULL);
    int rc = kv_roundtrip(kv, &replies, err);
    if (rc < 0 || !is_untouched(&replies[0]))
        return rc < 0 ? rc : 0;
    kv_words(kv, "BGREWRITEAOF", NULL);
    rc = kv_roundtrip(kv, &replies, err);
    if (rc > 0 && replies[0].type != KV_ERROR)
        fputs("lk: Redis has begun from its AOF, whose end may be torn; asked it for a new one\n",
              stderr);
    return rc < 0 ? rc : 0;
}
