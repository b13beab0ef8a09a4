/* bench/schedule.h - a schedule of faults: what happens to whom, at which event, for how long.
 *
 * Read from files or built-in texts of one format (docs/faults.md), every mistake at once and each
 * with its JSON path. Knows names of processes, never processes: bench/faults.c does what it says.
 * Events are counted from 0, in the order in which they are due. Open values; one thread. */
#ifndef LK_BENCH_SCHEDULE_H
#define LK_BENCH_SCHEDULE_H

#include <stdio.h>

#include "common/base/arena.h"
#include "common/base/err.h"

enum fault_kind {
    FAULT_KILL,       /* SIGKILL; started again after for_ms */
    FAULT_RESTART,    /* SIGTERM, an orderly end; started again after for_ms */
    FAULT_STOP,       /* SIGSTOP; SIGCONT after for_ms */
    FAULT_DISCONNECT, /* every connection to a Redis is cut, again and again for for_ms */
    FAULT_FULL,       /* its files cannot grow for for_ms */
    FAULT_COMMAND,    /* a command of the user's; lasts as long as that runs */
    FAULT_KINDS,
};

enum { FAULTS_MAX = 64, FAULT_PATTERNS_MAX = 16 };

struct fault {
    enum fault_kind kind;
    bool share;         /* first and last are per cent of all events, else event numbers */
    double first, last; /* equal: exactly there; else seeded, both ends included */
    const char *patterns[FAULT_PATTERNS_MAX]; /* names, in which * stands for any text */
    int pattern_count;
    int64_t for_ms;
    bool busy;               /* waits until one of them is at work */
    const char *command;     /* FAULT_COMMAND */
    const char *appendfsync; /* of the Redis that it strikes, for the whole run; NULL: everysec */
    const char *where;       /* "faults.json: $[2]", for mistakes that show later */
};

struct schedule {
    struct fault faults[FAULTS_MAX];
    int count;
    struct arena arena; /* owns the texts */
};

/* Read a list, separated by commas, of built-in names and files; "none" alone is the empty schedule.
 * names (ended by NULL): who can be struck in this run. ERR_USAGE with every mistake, a line each, in
 * mistakes. */
int schedule_read(const char *list, const char *const *names, struct schedule *out,
                  struct buf *mistakes, struct err *err);
void schedule_release(struct schedule *schedule);

/* The event at which a fault strikes: n of seed decides within its range. Below events; or -1 where it
 * names one that is not. */
int64_t fault_event(const struct fault *fault, uint64_t seed, int n, int64_t events);
/* Does the fault mean the process of this name? */
bool fault_means(const struct fault *fault, const char *name);
/* "kill", "disk full": for people. */
const char *fault_kind_said(enum fault_kind kind);

/* schedule_built_in.c: the text of one, or NULL; their names, separated by commas. */
const char *schedule_built_in(const char *name);
void schedule_built_in_names(struct buf *out);
/* All of them, each as the file that it could be. */
void schedule_print_built_in(FILE *out);

#endif
