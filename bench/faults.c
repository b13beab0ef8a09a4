/* bench/faults.c - see faults.h.
 *
 *     after_ns          for_ms
 *     ---|--- struck ----------- over ---      kill, restart: down until over, then started again
 *                                              stop: stands still until over; full: no file grows
 * A strike knows its targets when it strikes: whom its patterns mean among those that run then. */
#include "bench/faults.h"

#include <signal.h>
#include <stdlib.h>

#include "bench/run.h"
#include "common/base/clock.h"
#include "common/store/kv.h"

enum { GRACE_MS = 10000, END_WAIT_MS = 10000, NAMES_MAX = 64, NAME_BYTES = 80 };

/* ---- who is who ---- */

/* Every name of this run, whether it runs now or later. */
static void names_of(const struct run *run, struct buf *store, const char **names)
{
    size_t at[NAMES_MAX], count = 0;
    for (int i = 0; i < PIPELINES; i++) {
        const struct pipeline *pipeline = run->sides[i].pipeline;
        const struct pipeline_process *lists[] = {pipeline->processes, pipeline->healing};
        for (int k = 0; k < 2; k++)
            for (const struct pipeline_process *p = lists[k]; p->name; p++) {
                at[count++] = store->len;
                buf_printf(store, "%s.%s%c", pipeline->name, p->name, 0);
            }
        at[count++] = store->len;
        buf_printf(store, "%s.redis%c", pipeline->name, 0);
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

static void name_of(const struct process *process, char out[NAME_BYTES])
{
    snprintf(out, NAME_BYTES, "%s%s%s", process->pipeline, *process->pipeline ? "." : "",
             process->name);
}

/* Every process of the run, one after the other; side -1: of none alone. NULL ends it. */
static struct process *process_at(struct run *run, int n, int *side)
{
    for (int i = 0; i < PIPELINES; i++) {
        *side = i;
        if (n < run->sides[i].child_count)
            return &run->sides[i].children[n];
        n -= run->sides[i].child_count;
        if (n-- == 0)
            return &run->sides[i].redis.process;
    }
    *side = -1;
    return n == 0 ? &run->generator : NULL;
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
        for (int k = 0; k < PIPELINES; k++)
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
                fault->where, run->log_uri, fault_kind_said(fault->kind));
        strike->after_ns = (int64_t)((double)publish_us[strike->event] * scale);
    }
    if (run->strike_count)
        qsort(run->strikes, (size_t)run->strike_count, sizeof *run->strikes, by_event);
    return 0;
}

const char *faults_appendfsync(const struct run *run, const struct side *side)
{
    char name[NAME_BYTES];
    const char *says = NULL;
    snprintf(name, sizeof name, "%s.redis", side->pipeline->name);
    for (int i = 0; i < run->schedule.count; i++)
        if (run->schedule.faults[i].appendfsync && fault_means(&run->schedule.faults[i], name) &&
            (!says || strcmp(says, "everysec") == 0))
            says = run->schedule.faults[i].appendfsync;
    return says;
}

/* ---- a strike begins ---- */

/* Find who is meant and runs now. */
static void aim(struct run *run, struct strike *strike)
{
    struct buf list = {0};
    struct process *process;
    int side;
    for (int n = 0; (process = process_at(run, n, &side)); n++) {
        char name[NAME_BYTES];
        name_of(process, name);
        if (!process->pid || !fault_means(strike->fault, name) ||
            strike->target_count == STRIKE_TARGETS_MAX)
            continue;
        strike->targets[strike->target_count++] = process;
        buf_printf(&list, "%s%s", list.len ? ", " : "", name);
        for (int k = 0; k < PIPELINES; k++)
            strike->touches[k] |= side < 0 || side == k;
    }
    strike->broker = !run->log_is_ours && fault_means(strike->fault, "broker");
    if (strike->broker) {
        buf_printf(&list, "%sbroker", list.len ? ", " : "");
        for (int k = 0; k < PIPELINES; k++)
            strike->touches[k] = true;
    }
    strike->nobody = list.len == 0;
    snprintf(strike->whom, sizeof strike->whom, "%s",
             list.len ? list.ptr : "nobody: none of them ran");
    buf_release(&list);
}

static void strike_process(enum fault_kind kind, struct process *process)
{
    switch (kind) {
    case FAULT_KILL:
        process_kill(process);
        process->down = true;
        break;
    case FAULT_RESTART:
        process_ask_to_end(process);
        process->down = true;
        break;
    case FAULT_STOP:
        process_pause(process, true);
        break;
    case FAULT_FULL:
        process_fill_disk(process, true);
        break;
    default:
        break;
    }
}

static int use_tool(struct run *run, const char *verb, struct err *err)
{
    char output[600];
    snprintf(output, sizeof output, "%s/broker.out", run->work);
    return broker_begin(&run->broker, verb, output, err);
}

static int strike_broker(struct run *run, enum fault_kind kind, struct err *err)
{
    if (kind == FAULT_STOP)
        broker_signal(&run->broker, SIGSTOP);
    else if (kind != FAULT_COMMAND)
        return use_tool(run, kind == FAULT_KILL ? "kill" : "stop", err);
    return 0;
}

static int start_command(struct run *run, struct strike *strike, struct err *err)
{
    struct buf words = {0};
    char output[600];
    snprintf(output, sizeof output, "%s/command-%d.out", run->work,
             (int)(strike - run->strikes) + 1);
    buf_add_text(&words, "-c ");
    process_add_word(&words, strike->fault->command);
    process_init(&strike->command, "", "command", "sh", words.ptr, output);
    buf_release(&words);
    return process_start(&strike->command, err);
}

static int begin(struct run *run, struct strike *strike, struct err *err)
{
    enum fault_kind kind = strike->fault->kind;
    char length[32] = "";
    aim(run, strike);
    if (strike->fault->for_ms)
        snprintf(length, sizeof length, ", for %.3g s", (double)strike->fault->for_ms / 1e3);
    run_say("event %lld: %s: %s%s", (long long)strike->event, fault_kind_said(kind), strike->whom,
            length);
    strike->struck_ns = clock_mono_ns();
    for (int i = 0; i < strike->target_count; i++)
        strike_process(kind, strike->targets[i]);
    if (kind == FAULT_COMMAND)
        return start_command(run, strike, err);
    return strike->broker ? strike_broker(run, kind, err) : 0;
}

/* ---- it lasts ---- */

static bool is_under_way(const struct strike *strike)
{
    return strike->struck_ns && !strike->over_ns;
}

/* Cut every connection but ours to the Redis of each side that is struck. */
static void cut_connections(struct run *run, const struct strike *strike)
{
    for (int i = 0; i < PIPELINES; i++) {
        struct side *side = &run->sides[i];
        struct kv *kv;
        struct kv_reply *replies;
        if (!strike->touches[i] || !side->redis.process.pid || kv_open(side->view, &kv, NULL) < 0)
            continue;
        kv_words(kv, "CLIENT", "KILL", "TYPE", "normal", NULL);
        kv_roundtrip(kv, &replies, NULL);
        kv_close(kv);
    }
}

/* Those who were asked to end have done so; who does not is killed. */
static bool all_ended(struct strike *strike)
{
    bool ended = true;
    for (int i = 0; i < strike->target_count; i++) {
        struct process *process = strike->targets[i];
        if (clock_mono_ns() - strike->struck_ns > (int64_t)END_WAIT_MS * 1000000)
            process_kill(process);
        ended = process_ended(process) && ended;
    }
    return ended;
}

/* The broker goes down and comes up by its tool: 1 when it is up again. */
static int broker_back(struct run *run, struct strike *strike, bool time_is_over, struct err *err)
{
    if (broker_busy(&run->broker))
        return 0;
    if (run->broker.running.failed)
        return err_set(err, ERR_ENV, "%s of the broker failed: %s; see %s.err",
                       fault_kind_said(strike->fault->kind), run->broker.running.fate,
                       run->broker.running.output);
    if (strike->starting)
        return 1;
    strike->starting = time_is_over;
    return time_is_over ? use_tool(run, "start", err) : 0;
}

/* 1 when the fault has done its work, 0 while it lasts. */
static int goes_on(struct run *run, struct strike *strike, struct err *err)
{
    enum fault_kind kind = strike->fault->kind;
    bool time_is_over =
        clock_mono_ns() - strike->struck_ns >= strike->fault->for_ms * (int64_t)1000000;
    if (kind == FAULT_DISCONNECT)
        cut_connections(run, strike);
    if (kind == FAULT_COMMAND) {
        if (!process_ended(&strike->command))
            return 0;
        return strike->command.failed
                   ? err_set(err, ERR_ENV, "%s: the command failed: %s; see %s.err",
                             strike->fault->where, strike->command.fate, strike->command.output)
                   : 1;
    }
    if (kind == FAULT_RESTART && !all_ended(strike))
        return 0;
    if (strike->broker && kind != FAULT_STOP)
        return broker_back(run, strike, time_is_over, err);
    return time_is_over;
}

/* ---- it is over ---- */

/* Is another strike of the same kind still at it? */
static bool held_by(const struct run *run, enum fault_kind kind, const struct process *process)
{
    for (int i = 0; i < run->strike_count; i++) {
        const struct strike *strike = &run->strikes[i];
        for (int k = 0; is_under_way(strike) && k < strike->target_count; k++)
            if (strike->fault->kind == kind && strike->targets[k] == process)
                return true;
    }
    return false;
}

static void finish(struct run *run, struct strike *strike)
{
    enum fault_kind kind = strike->fault->kind;
    strike->over_ns = clock_mono_ns();
    for (int i = 0; i < strike->target_count; i++) {
        if (held_by(run, kind, strike->targets[i]))
            continue;
        if (kind == FAULT_STOP)
            process_pause(strike->targets[i], false);
        else if (kind == FAULT_FULL)
            process_fill_disk(strike->targets[i], false);
    }
    if (strike->broker && kind == FAULT_STOP)
        broker_signal(&run->broker, SIGCONT);
}

static bool touched(const struct strike *strike, int side)
{
    for (int i = 0; i < PIPELINES; i++)
        if ((side < 0 || side == i) && strike->touches[i])
            return true;
    return false;
}

/* What a strike has ended waits for that strike; what gave up, for all that concern it. */
static bool must_wait(const struct run *run, const struct process *process, int side)
{
    if (held_by(run, FAULT_KILL, process) || held_by(run, FAULT_RESTART, process))
        return true;
    for (int i = 0; process->wanted && i < run->strike_count; i++)
        if (is_under_way(&run->strikes[i]) && touched(&run->strikes[i], side))
            return true;
    return false;
}

static int start_again(struct run *run, struct err *err)
{
    struct process *process;
    int side, rc = 0;
    for (int n = 0; rc == 0 && (process = process_at(run, n, &side)); n++) {
        if (!process->down || process->pid || must_wait(run, process, side))
            continue;
        run_remember(run, process);
        process->down = false;
        rc = process_start(process, err);
    }
    return rc;
}

int faults_tick(struct run *run, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc >= 0 && i < run->strike_count; i++) {
        struct strike *strike = &run->strikes[i];
        rc = 0;
        if (!strike->struck_ns && clock_mono_ns() - run->began_ns >= strike->after_ns)
            rc = begin(run, strike, err);
        if (rc >= 0 && is_under_way(strike))
            rc = goes_on(run, strike, err);
        if (rc > 0)
            finish(run, strike);
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
        if (is_under_way(&run->strikes[i]))
            return false;
    for (int n = 0; (process = process_at(run, n, &side)); n++)
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
    int64_t grace_ns = (int64_t)GRACE_MS * 1000000, now = clock_mono_ns();
    struct strike *why = NULL;
    for (int i = 0; i < run->strike_count; i++) {
        struct strike *strike = &run->strikes[i];
        bool lately = strike->struck_ns && (!strike->over_ns || now - strike->over_ns < grace_ns);
        if (lately && touched(strike, side))
            why = strike;
    }
    if (!why || !may_be_excused(process))
        return false;
    char name[NAME_BYTES];
    name_of(process, name);
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
        use_tool(run, "start", NULL) == 0)
        while (broker_busy(&run->broker))
            clock_sleep_ms(10);
}

void faults_end(struct run *run)
{
    for (int i = 0; i < run->strike_count; i++) {
        struct strike *strike = &run->strikes[i];
        if (is_under_way(strike)) {
            process_stop(&strike->command, END_WAIT_MS);
            finish(run, strike);
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
