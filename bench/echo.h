/* bench/echo.h - a bare produce-consume echo: what the broker and librdkafka take by themselves.
 *
 * A producer thread sends events of the size of ads on a schedule (event n is due at start + n / rate;
 * what is due goes out at once, then it rests for a millisecond at least, as publish.h does), a
 * consumer thread notes how long after its due time each one was handed to it. The handles have the
 * properties of lk's, with linger.ms 1; nothing waits for acknowledgements. */
#ifndef LK_BENCH_ECHO_H
#define LK_BENCH_ECHO_H

#include "common/base/hist.h"
#include "common/log/log.h"

struct echo;

struct echo_options {
    const char *topic; /* there, empty, with so many partitions */
    int partitions;
    double rate;
    int64_t events;
    int64_t skip;     /* the first so many are not measured */
    int64_t start_ns; /* CLOCK_REALTIME of event 0 */
};

/* Begin, with the handles connected; log is a Kafka log and is borrowed until the end. */
int echo_start(struct log *log, const struct echo_options *options, struct echo **out,
               struct err *err);
/* Wait for the end; us (released by the caller) gets due -> consumed. Frees echo. */
int echo_finish(struct echo *echo, struct hist *us, struct err *err);

#endif
