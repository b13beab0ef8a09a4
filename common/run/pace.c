/* common/run/pace.c - see pace.h. A quarter of a bucket is waited for, so that a read is worth its while. */
#include "common/run/pace.h"

static double bucket(const struct pace *pace)
{
    double tokens = pace->rate * PACE_BURST_MS / 1000;
    return tokens < 1 ? 1 : tokens;
}

void pace_init(struct pace *pace, double rate, int64_t now_ns)
{
    *pace = (struct pace){rate, 0, now_ns};
}

int pace_ask(struct pace *pace, int max, int64_t now_ns, int64_t *ready_ns)
{
    double full = bucket(pace), worth = full < 4 ? 1 : full / 4;
    pace->tokens += pace->rate * (double)(now_ns - pace->at_ns) / 1e9;
    pace->tokens = pace->tokens > full ? full : pace->tokens;
    pace->at_ns = now_ns;
    if (pace->tokens < worth) {
        *ready_ns = now_ns + (int64_t)((worth - pace->tokens) * 1e9 / pace->rate) + 1;
        return 0;
    }
    return pace->tokens < max ? (int)pace->tokens : max;
}

void pace_take(struct pace *pace, int events)
{
    pace->tokens -= events;
}
