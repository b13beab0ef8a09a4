/* bench/faults.c - see faults.h: reads and places the schedule, lets each strike begin and end in time, and is the
 * supervisor that starts again what is down. */
#include "bench/faults.h"

#include <signal.h>
#include <stdlib.h>

#include "bench/strike.h"
#include "common/base/clock.h"

enum {
    GRACE_MS = 10000,
    AGAIN_MS = 500,
    STOP_WAIT_MS = 10000,
    NAMES_MAX = 64,
    BUSY_LOOK_MS = 10,
    BUSY_SHARE = 10,      /* one part in so many of the time; who sleeps needs a thousandth */
    BUSY_WAIT_MS = 60000, /* who was not at work for so long is struck all the same */
};

/* ---- who is who ---- */

/* Every name of this run, whether it runs now or later. */
static void names_of(const struct run *run, struct buf *store, const char **names)
{
    size_t at[NAMES_MAX], count = 0;
    for (int i = 0; i < run->side_count; i++) {
        const struct pipeline *pipeline = run->sides[i].pipeline;
        const struct pipeline_process *lists[] = {pipeline->processes, pipeline->healing};
        for (int k = 0; k < 2; k++)
            for (const struct pipeline_process *p = lists[k]; p->name; p++) {
                at[count++] = store->len;
                buf_printf(store, "%s.%s%c", run->sides[i].name, p->name, 0);
            }
        at[count++] = store->len;
        buf_printf(store, "%s.redis%c", run->sides[i].name, 0);
    }
    at[count++] = store->len;
    buf_printf(store, "generator%c", 0);
    if (!run->log_is_ours) {
        at[count++] = store->len;
        buf_printf(store, "broker%c", 0);
    }
    for (size_t i = 0; i < count; i++)
        names[i] = store->ptr + at[i];
    names[count] = NULL;
}

/* ---- before the run ---- */

int faults_read(struct run *run, struct err *err)
{
    struct buf store = {0}, mistakes = {0};
    const char *names[NAMES_MAX + 1];
    names_of(run, &store, names);
    int rc = schedule_read(run->options.faults, names, &run->schedule, &mistakes, err);
    if (mistakes.len)
        fputs(mistakes.ptr, stderr);
    buf_release(&store);
    buf_release(&mistakes);
    run->strikes = mem_zero((size_t)run->schedule.count + 1, sizeof *run->strikes);
    return rc;
}

static bool strikes_broker(const struct fault *fault)
{
    return fault->kind != FAULT_COMMAND && fault_means(fault, "broker");
}

static int by_event(const void *a, const void *b)
{
    const struct strike *x = a, *y = b;
    int order = (x->event > y->event) - (x->event < y->event);
    return order ? order : (x->fault > y->fault) - (x->fault < y->fault);
}

int faults_place(struct run *run, const int64_t *publish_us, double scale, struct err *err)
{
    for (int i = 0; i < run->schedule.count; i++) {
        const struct fault *fault = &run->schedule.faults[i];
        struct strike *strike = &run->strikes[run->strike_count++];
        *strike = (struct strike){.fault = fault};
        strike->event = fault_event(fault, run->options.seed, i, run->events);
        for (int k = 0; k < run->side_count; k++)
            strike->recovery_us[k] = -1;
        if (strike->event < 0)
            return err_set(
                err, ERR_USAGE,
                "%s.at: found %.0f, expected a number below %lld: so many events there are",
                fault->where, fault->last, (long long)run->events);
        if (strikes_broker(fault) && !broker_known(&run->broker))
            return err_set(
                err, ERR_USAGE,
                "%s.to: the broker at %s is none that tools/kafka runs (LK_KAFKA_DIR says "
                "where), so how to %s it is not known; give a command of yours: \"do\": "
                "\"command\", \"command\": \"docker restart kafka\"",
                fault->where, run->options.log, fault_kind_said(fault->kind));
        strike->after_ns = (int64_t)((double)publish_us[strike->event] * scale);
    }
    if (run->strike_count)
        qsort(run->strikes, (size_t)run->strike_count, sizeof *run->strikes, by_event);
    return 0;
}

const char *faults_appendfsync(const struct run *run, const struct side *side)
{
    char name[STRIKE_NAME_BYTES];
    const char *says = NULL;
    snprintf(name, sizeof name, "%s.redis", side->name);
    for (int i = 0; i < run->schedule.count; i++)
        if (run->schedule.faults[i].appendfsync && fault_means(&run->schedule.faults[i], name) &&
            (!says || strcmp(says, "everysec") == 0))
            says = run->schedule.faults[i].appendfsync;
    return says;
}

static bool touched(const struct strike *strike, int side)
{
    for (int i = 0; i < FAULT_SIDES_MAX; i++)
        if ((side < 0 || side == i) && strike->touches[i])
            return true;
    return false;
}

/* It has struck, and is not over for so long yet. */
static bool ended_less_than(const struct strike *strike, int ms)
{
    return strike->struck_ns &&
           (!strike->over_ns || clock_mono_ns() - strike->over_ns < (int64_t)ms * 1000000);
}

/* What a strike has ended waits for that strike; what gave up, for all that concern it. */
static bool must_wait(const struct run *run, const struct process *process, int side)
{
    if (strike_holds(run, FAULT_KILL, process) || strike_holds(run, FAULT_RESTART, process))
        return true;
    for (int i = 0; process->wanted && i < run->strike_count; i++)
        if (touched(&run->strikes[i], side) && ended_less_than(&run->strikes[i], AGAIN_MS))
            return true;
    return false;
}

static int start_again(struct run *run, struct err *err)
{
    struct process *process;
    int side, rc = 0;
    for (int n = 0; rc == 0 && (process = strike_process_at(run, n, &side)); n++) {
        if (!process->down || process->pid || must_wait(run, process, side))
            continue;
        run_remember(run, process);
        process->down = false;
        rc = process_start(process, err);
    }
    return rc;
}

/* Whom it means is down, or the broker in other hands: it strikes as soon as somebody is there. */
static bool is_postponed(struct run *run, const struct strike *strike)
{
    const struct process *process;
    bool down = false;
    int side;
    for (int i = 0; strikes_broker(strike->fault) && i < run->strike_count; i++)
        if (run->strikes[i].broker && strike_is_under_way(&run->strikes[i]))
            return true;
    for (int n = 0; (process = strike_process_at(run, n, &side)); n++) {
        char name[STRIKE_NAME_BYTES];
        strike_name_of(process, name);
        if (fault_means(strike->fault, name) && process->pid)
            return false;
        down = down || (fault_means(strike->fault, name) && process->down);
    }
    return down;
}

/* Have those whom it means computed since the look before? */
static bool is_at_work(struct run *run, struct strike *strike)
{
    const struct process *process;
    int64_t now_ns = clock_mono_ns(), since_ns = now_ns - strike->looked_ns;
    double used_s = 0;
    int side;
    if (since_ns < (int64_t)BUSY_LOOK_MS * 1000000)
        return false;
    for (int n = 0; (process = strike_process_at(run, n, &side)); n++) {
        char name[STRIKE_NAME_BYTES];
        strike_name_of(process, name);
        used_s += fault_means(strike->fault, name) ? process_busy_s(process) : 0;
    }
    bool first = !strike->looked_ns;
    double more_s = used_s - strike->used_s;
    strike->looked_ns = now_ns;
    strike->used_s = used_s;
    return !first && more_s > (double)since_ns / 1e9 / BUSY_SHARE;
}

static bool is_due(struct run *run, struct strike *strike)
{
    int64_t late_ns = clock_mono_ns() - run->began_ns - strike->after_ns;
    if (strike->struck_ns || late_ns < 0 || is_postponed(run, strike))
        return false;
    return !strike->fault->busy || late_ns > (int64_t)BUSY_WAIT_MS * 1000000 ||
           is_at_work(run, strike);
}

int faults_tick(struct run *run, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc >= 0 && i < run->strike_count; i++) {
        struct strike *strike = &run->strikes[i];
        rc = 0;
        if (is_due(run, strike))
            rc = strike_begin(run, strike, err);
        if (rc >= 0 && strike_is_under_way(strike))
            rc = strike_goes_on(run, strike, err);
        if (rc > 0)
            strike_finish(run, strike);
    }
    return rc < 0 ? rc : start_again(run, err);
}

bool faults_over(struct run *run)
{
    for (int i = 0; i < run->strike_count; i++)
        if (!run->strikes[i].over_ns)
            return false;
    return faults_rest(run);
}

bool faults_rest(struct run *run)
{
    const struct process *process;
    int side;
    for (int i = 0; i < run->strike_count; i++)
        if (strike_is_under_way(&run->strikes[i]))
            return false;
    for (int n = 0; (process = strike_process_at(run, n, &side)); n++)
        if (process->down)
            return false;
    return true;
}

/* ---- who gives up ---- */

/* A Redis that syncs always ends itself where it cannot write; all others say 3. */
static bool may_be_excused(const struct process *process)
{
    return process->exit_status == err_exit_status(ERR_ENV) ||
           (process->exit_status > 0 && strcmp(process->name, "redis") == 0);
}

bool faults_excuse(struct run *run, int side, struct process *process)
{
    struct strike *why = NULL;
    for (int i = 0; i < run->strike_count; i++) {
        struct strike *strike = &run->strikes[i];
        if (touched(strike, side) && ended_less_than(strike, GRACE_MS))
            why = strike;
    }
    if (!why || !may_be_excused(process))
        return false;
    char name[STRIKE_NAME_BYTES];
    strike_name_of(process, name);
    run_say("%s gave up (%s); it is started again after the fault", name, process->fate);
    process->failed = false;
    process->down = true;
    why->gave_up++;
    return true;
}

/* ---- the end ---- */

/* The user's broker is left running, as it was found. */
static void leave_broker(struct run *run)
{
    broker_signal(&run->broker, SIGCONT);
    while (broker_busy(&run->broker))
        clock_sleep_ms(10);
    if (broker_known(&run->broker) && run->broker.itself.pid == 0 &&
        strike_use_tool(run, "start", NULL) == 0)
        while (broker_busy(&run->broker))
            clock_sleep_ms(10);
}

void faults_end(struct run *run)
{
    for (int i = 0; i < run->strike_count; i++) {
        struct strike *strike = &run->strikes[i];
        if (strike_is_under_way(strike)) {
            process_stop(&strike->command, STOP_WAIT_MS);
            strike_finish(run, strike);
        }
    }
    leave_broker(run);
}

void faults_release(struct run *run)
{
    for (int i = 0; i < run->strike_count; i++)
        process_release(&run->strikes[i].command);
    free(run->strikes);
    schedule_release(&run->schedule);
    broker_release(&run->broker);
}
