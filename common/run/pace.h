/* common/run/pace.h - so many events a second, for a replay beside a live version: a token bucket.
 *
 * Tokens come at the rate, up to those of PACE_BURST_MS; an event takes one. Open value; one thread. */
#ifndef LK_RUN_PACE_H
#define LK_RUN_PACE_H

#include <stdint.h>

enum { PACE_BURST_MS = 50 };

struct pace {
    double rate, tokens; /* events a second; events that may be read now */
    int64_t at_ns;       /* tokens are as of then */
};

/* rate > 0. A bucket that is empty at now_ns. */
void pace_init(struct pace *pace, double rate, int64_t now_ns);
/* How many of max may be read at now_ns; 0: none before *ready_ns. */
int pace_ask(struct pace *pace, int max, int64_t now_ns, int64_t *ready_ns);
void pace_take(struct pace *pace, int events);

#endif
