/* common/store/aof.h - a Redis that has begun from its AOF is asked for a new one.
 *
 * Redis 7.0.15 leaves half a transaction in an AOF whose end was torn in the middle of one (a loss of
 * power): it drops the half from memory, cuts the file behind it, and goes on writing there. The next
 * start replays that half together with what came after it: cells of a commit that never was
 * (docs/redis.md). A new AOF, made from memory, is without it. Pure function of the connection. */
#ifndef LK_STORE_AOF_H
#define LK_STORE_AOF_H

#include "common/store/kv.h"

/* Once for each start of the server, whoever asks first; a server that has no AOF, or lets nobody
 * ask, is left alone. ERR_AWAY. */
int aof_renew(struct kv *kv, struct err *err);

#endif
