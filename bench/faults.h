/* bench/faults.h - the faults of a run under way: struck when the schedule reaches their event, ended when their
 * time is over, and what they ended is started again.
 *
 * What a fault ends, or what gives up while one lasts (exit 3: patience out, disk full), is no failure and
 * is started again, as a supervisor would; wrong data (exit 4) never is. All from compare's own thread. */
#ifndef LK_BENCH_FAULTS_H
#define LK_BENCH_FAULTS_H

#include "bench/process.h"
#include "bench/schedule.h"

enum { STRIKE_TARGETS_MAX = 32, FAULT_SIDES_MAX = 4 };

struct run;
struct side;

/* A fault in this run. */
struct strike {
    const struct fault *fault;
    char whom[160]; /* "lambda.redis, kappa.redis" */
    bool nobody;    /* none of those that it means did run */
    int64_t event;
    int64_t after_ns;                            /* since the run began: when that event is due */
    int64_t struck_ns, over_ns;                  /* monotonic; 0: not yet */
    struct process *targets[STRIKE_TARGETS_MAX]; /* who was meant and ran */
    int target_count;
    int64_t looked_ns; /* "while": "busy": the last look, and the processor time used by then */
    double used_s;
    bool broker, starting; /* the broker is a target; it is being started again */
    bool touches
        [FAULT_SIDES_MAX]; /* whose pipelines it struck, directly or through what they share */
    struct process command;
    int gave_up; /* processes that ended by themselves (exit 3) because of it, and were started again */
    int64_t recovery_us[FAULT_SIDES_MAX]; /* by judge.c; -1: none */
};

/* Read the schedule of run->options.faults. ERR_USAGE: mistakes are on stderr. */
int faults_read(struct run *run, struct err *err);
/* Give each its event and its time: publish_us of all events, and wall time over stream time. */
int faults_place(struct run *run, const int64_t *publish_us, double scale, struct err *err);
/* "always" where a fault of this Redis says so; NULL: as usual. */
const char *faults_appendfsync(const struct run *run, const struct side *side);
/* Strike what is due, end what is over, start again what is down. */
int faults_tick(struct run *run, struct err *err);
/* Is none under way, and nothing down? */
bool faults_rest(struct run *run);
/* Have all struck, too? */
bool faults_over(struct run *run);
/* May process, which has failed, be excused by a fault that concerns its side (-1: any)? Then it will be
 * started again. */
bool faults_excuse(struct run *run, int side, struct process *process);
/* Whatever has happened: nothing stands still, and the broker runs. */
void faults_end(struct run *run);
void faults_release(struct run *run);

#endif
