/* bench/strike.c - see strike.h.
 *
 *     after_ns          for_ms
 *     ---|--- struck ----------- over ---      kill, restart: down until over, then started again
 *                                              stop: stands still until over; full: no file grows
 * A strike knows its targets when it strikes: whom its patterns mean among those that run then. */
#include "bench/strike.h"

#include <signal.h>

#include "common/base/clock.h"
#include "common/store/kv.h"

enum { END_WAIT_MS = 10000 };

/* ---- who is who ---- */

void strike_name_of(const struct process *process, char out[STRIKE_NAME_BYTES])
{
    snprintf(out, STRIKE_NAME_BYTES, "%s%s%s", process->pipeline, *process->pipeline ? "." : "",
             process->name);
}

/* Every process of the run, one after the other; side -1: of none alone. NULL ends it. */
struct process *strike_process_at(struct run *run, int n, int *side)
{
    for (int i = 0; i < run->side_count; i++) {
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

/* ---- it begins ---- */

/* Find who is meant and runs now. */
static void aim(struct run *run, struct strike *strike)
{
    struct buf list = {0};
    struct process *process;
    int side;
    for (int n = 0; (process = strike_process_at(run, n, &side)); n++) {
        char name[STRIKE_NAME_BYTES];
        strike_name_of(process, name);
        if (!process->pid || !fault_means(strike->fault, name) ||
            strike->target_count == STRIKE_TARGETS_MAX)
            continue;
        strike->targets[strike->target_count++] = process;
        buf_printf(&list, "%s%s", list.len ? ", " : "", name);
        for (int k = 0; k < run->side_count; k++)
            strike->touches[k] |= side < 0 || side == k;
    }
    strike->broker = !run->log_is_ours && fault_means(strike->fault, "broker");
    if (strike->broker) {
        buf_printf(&list, "%sbroker", list.len ? ", " : "");
        for (int k = 0; k < run->side_count; k++)
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

int strike_use_tool(struct run *run, const char *verb, struct err *err)
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
        return strike_use_tool(run, kind == FAULT_KILL ? "kill" : "stop", err);
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

int strike_begin(struct run *run, struct strike *strike, struct err *err)
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

bool strike_is_under_way(const struct strike *strike)
{
    return strike->struck_ns && !strike->over_ns;
}

/* Cut every connection but ours to the Redis of each side that is struck. */
static void cut_connections(struct run *run, const struct strike *strike)
{
    for (int i = 0; i < run->side_count; i++) {
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
    return time_is_over ? strike_use_tool(run, "start", err) : 0;
}

/* 1 when the fault has done its work, 0 while it lasts. */
int strike_goes_on(struct run *run, struct strike *strike, struct err *err)
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
bool strike_holds(const struct run *run, enum fault_kind kind, const struct process *process)
{
    for (int i = 0; i < run->strike_count; i++) {
        const struct strike *strike = &run->strikes[i];
        for (int k = 0; strike_is_under_way(strike) && k < strike->target_count; k++)
            if (strike->fault->kind == kind && strike->targets[k] == process)
                return true;
    }
    return false;
}

void strike_finish(struct run *run, struct strike *strike)
{
    enum fault_kind kind = strike->fault->kind;
    strike->over_ns = clock_mono_ns();
    for (int i = 0; i < strike->target_count; i++) {
        if (strike_holds(run, kind, strike->targets[i]))
            continue;
        if (kind == FAULT_STOP)
            process_pause(strike->targets[i], false);
        else if (kind == FAULT_FULL)
            process_fill_disk(strike->targets[i], false);
    }
    if (strike->broker && kind == FAULT_STOP)
        broker_signal(&run->broker, SIGCONT);
}
