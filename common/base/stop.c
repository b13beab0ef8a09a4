/* common/base/stop.c - see stop.h. */
#include "common/base/stop.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static atomic_bool asked;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&asked, true);
}

void stop_install(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool stop_asked(void)
{
    return atomic_load(&asked);
}

void stop_ask(bool value)
{
    atomic_store(&asked, value);
}
