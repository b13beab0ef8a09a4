/* common/base/clock.c - see clock.h. */
#include "common/base/clock.h"

#include <stdatomic.h>
#include <time.h>

static atomic_bool frozen;
static _Atomic int64_t frozen_mono_ns, frozen_wall_ns;

static int64_t now(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t clock_mono_ns(void)
{
    return frozen ? frozen_mono_ns : now(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
    return frozen ? frozen_wall_ns : now(CLOCK_REALTIME);
}

int64_t clock_wall_ms(void)
{
    return clock_wall_ns() / 1000000;
}

int64_t clock_cpu_ns(void)
{
    return now(CLOCK_PROCESS_CPUTIME_ID);
}

void clock_sleep_until_ns(int64_t when)
{
    if (frozen)
        return;
    struct timespec t = {when / 1000000000, when % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

void clock_sleep_ms(int64_t ms)
{
    clock_sleep_until_ns(clock_mono_ns() + ms * 1000000);
}

void clock_freeze(int64_t mono_ns, int64_t wall_ms)
{
    frozen_mono_ns = mono_ns;
    frozen_wall_ns = wall_ms * 1000000;
    frozen = true;
}

void clock_advance_ms(int64_t ms)
{
    frozen_mono_ns += ms * 1000000;
    frozen_wall_ns += ms * 1000000;
}

void clock_free_run(void)
{
    frozen = false;
}
