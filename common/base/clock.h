/* common/base/clock.h - all time comes from here, so that a test can move it.
 *
 * Monotonic nanoseconds measure; wall milliseconds date. A view never depends on either: event
 * time and log time come from the record. Any thread. */
#ifndef LK_BASE_CLOCK_H
#define LK_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t clock_mono_ns(void);
int64_t clock_wall_ms(void);
int64_t clock_wall_ns(void);
/* CPU time, user and system, of this process. */
int64_t clock_cpu_ns(void);
/* Sleep until clock_mono_ns() >= when, or a signal; returns at once under a moved clock. */
void clock_sleep_until_ns(int64_t when);
void clock_sleep_ms(int64_t ms);
/* Tests: stop both clocks at (mono_ns, wall_ms); clock_advance moves them; clock_free_run ends it. */
void clock_freeze(int64_t mono_ns, int64_t wall_ms);
void clock_advance_ms(int64_t ms);
void clock_free_run(void);

#endif
