/* bench/process.h - the processes of a run: started, watched, killed, accounted for.
 *
 * Each child is this program again with another verb; its stdout goes to a file, its stderr to
 * another, and it dies with us (PDEATHSIG), however we end. One thread starts and reaps;
 * process_sample may be called from that thread only. */
#ifndef LK_BENCH_PROCESS_H
#define LK_BENCH_PROCESS_H

#include <sys/types.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

enum { PROCESS_ARGS_MAX = 64 };

struct process {
    const char *pipeline, *name;  /* borrowed */
    char *argv[PROCESS_ARGS_MAX]; /* owned */
    char *program;                /* what is run: ourselves, or redis-server */
    char *output;                 /* path of its stdout; stderr beside it with .err */
    const char *fault;            /* LK_FAULT of its next start, borrowed; NULL: as ours */
    pid_t pid;                    /* 0: not running */
    int64_t began_ns, ended_ns;   /* monotonic; of the last start */
    int starts;
    bool wanted; /* an end before process_stop is a failure */
    bool failed;
    /* ended by a fault, or giving up in one: it will be started again (bench/faults.c) */
    bool down;
    int exit_status; /* of its last end; 0 where a signal ended it */
    char fate[320];  /* "ran to its end", "killed by us (SIGKILL)", "exit 4: TEXT" */
    /* over all starts */
    double cpu_s, rss_max_mb, read_mb, written_mb;
    double live_cpu_s, live_rss_mb, live_read_mb,
        live_written_mb; /* of the one that runs, last sample */
};

/* Append to a command a word that may hold blanks, such as a path. */
void process_add_word(struct buf *command, const char *word);
/* Split command at blanks into argv behind program's name. */
void process_init(struct process *process, const char *pipeline, const char *name,
                  const char *program, const char *command, const char *output);
int process_start(struct process *process, struct err *err);
/* Look at /proc: CPU, memory, bytes. */
void process_sample(struct process *process);
/* Processor time of the one that runs, all its threads, by the nanosecond; 0 where none runs. */
double process_busy_s(const struct process *process);
/* Has it ended? Fills fate and the sums; never blocks. */
bool process_ended(struct process *process);
/* SIGKILL, and wait. */
void process_kill(struct process *process);
/* SIGTERM, without waiting: its end is then no failure. */
void process_ask_to_end(struct process *process);
/* SIGSTOP, or SIGCONT. */
void process_pause(struct process *process, bool paused);
/* Let no file of it grow beyond what its own output needs (writes answer EFBIG), or again as far as it may. */
void process_fill_disk(struct process *process, bool full);
/* SIGTERM, wait at most wait_ms, then SIGKILL. */
void process_stop(struct process *process, int wait_ms);
void process_release(struct process *process);

#endif
