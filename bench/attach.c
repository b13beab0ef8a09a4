/* bench/attach.c - a comparison that only observes: generator, workers, log and Redis run elsewhere (containers,
 * other machines), and this program reads what a user would read.
 *
 * It knows workload, seed and count as the generator does, and so when the stream is complete. It waits until
 * topic and views are there, reads until both views hold everything, and leaves the rest to judge.c and
 * result.c. A broker, a Redis or a worker that is lost and comes back is no event here, as long as something
 * moves within options.patience_ms. Processes are not seen, so their CPU and memory are unknown. Due times
 * are the generator's clock, reads ours: across machines freshness is as exact as those two agree. */
#include <stdio.h>
#include <unistd.h>

#include "bench/run.h"
#include "common/base/clock.h"
#include "common/base/stop.h"

enum { TICK_MS = 100 };

/* Patience: how long nothing at all may change before the observer gives up. */
struct patience {
    int64_t moved_ns, limit_ns;
    uint64_t state; /* of what is watched */
};

static struct patience patience_of(const struct run *run)
{
    return (struct patience){.moved_ns = clock_mono_ns(),
                             .limit_ns = run->options.patience_ms * 1000000};
}

/* Wait a tick: 0; ERR_INTERRUPTED; or ERR_CHECK where patience is over, which the caller puts in words. */
static int wait_tick(struct patience *patience, uint64_t state, struct err *err)
{
    int64_t now_ns = clock_mono_ns();
    if (stop_asked())
        return err_set(err, ERR_INTERRUPTED, "interrupted");
    if (state != patience->state)
        patience->moved_ns = now_ns;
    patience->state = state;
    if (now_ns - patience->moved_ns > patience->limit_ns)
        return ERR_CHECK;
    clock_sleep_ms(TICK_MS);
    return 0;
}

/* ---- before the first read ---- */

int attach_open(struct run *run, struct err *err)
{
    struct patience patience = patience_of(run);
    const struct compare_options *o = &run->options;
    snprintf(run->log_uri, sizeof run->log_uri, "%s", o->log);
    snprintf(run->topic, sizeof run->topic, "%s", o->topic);
    for (int rc = 0;;) {
        struct err why = {0};
        if (!run->log)
            rc = log_open(run->log_uri, false, &run->log, &why);
        if (run->log)
            rc = log_partitions(run->log, run->topic, &why);
        if (rc > 0) {
            run->options.partitions = rc;
            return 0;
        }
        int waited = rc == ERR_USAGE ? rc : wait_tick(&patience, 0, err);
        if (waited == ERR_INTERRUPTED)
            return waited;
        if (waited < 0)
            return err_set(err, rc, "%s", why.text);
    }
}

static int wait_until_up(struct run *run, struct err *err)
{
    for (int i = 0; i < run->side_count; i++) {
        struct side *side = &run->sides[i];
        struct patience patience = patience_of(run);
        int rc = 0;
        snprintf(side->view, sizeof side->view, "%s", run->options.view);
        while (rc == 0 && !side_up(run, side))
            rc = wait_tick(&patience, 0, err);
        if (rc == ERR_INTERRUPTED)
            return rc;
        if (rc < 0)
            return err_set(
                err, ERR_ENV,
                "%s's view cannot be read after %lld s (--patience); is that Redis there, and "
                "its worker running, with the same plan?",
                side->name, (long long)run->options.patience_ms / 1000);
    }
    return 0;
}

/* ---- while it runs ---- */

/* Events in the topic, or -1 where the log does not answer. */
static int64_t events_there(struct run *run)
{
    int64_t sum = 0;
    for (int p = 0; p < run->options.partitions; p++) {
        int64_t first, end;
        if (log_range(run->log, run->topic, p, &first, &end, NULL) < 0)
            return -1;
        sum += end;
    }
    return sum;
}

static void say_progress(const struct run *run, int64_t there)
{
    if (isatty(STDERR_FILENO) && there >= 0)
        fprintf(stderr, "\r\033[Klk compare: %3.0f %% of the events are in the topic",
                100.0 * (double)there / (double)run->events);
}

static int gave_up(struct run *run, int64_t there, struct err *err)
{
    long long patience_s = (long long)run->options.patience_ms / 1000;
    if (there < 0)
        return err_set(err, ERR_AWAY, "the log has not answered for %lld s (--patience): %s",
                       patience_s, run->log_uri);
    if (there < run->events)
        return err_set(
            err, ERR_CHECK,
            "nothing moved for %lld s (--patience): topic %s holds %lld of %lld events. Is "
            "the generator running, with the same workload, seed and count?",
            patience_s, run->topic, (long long)there, (long long)run->events);
    const struct side *behind = &run->sides[side_settled(run, &run->sides[0])];
    return err_set(
        err, ERR_CHECK,
        "nothing moved for %lld s (--patience): all events are in topic %s, but %s's view does "
        "not hold them%s. Are its workers running?",
        patience_s, run->topic, behind->pipeline->name,
        behind->pipeline->batches ? ", or no batch has covered them" : "");
}

/* Until the stream is in the log and both views are at its end. */
static int wait_until_settled(struct run *run, struct err *err)
{
    struct patience patience = patience_of(run);
    for (bool complete = false;;) {
        int64_t there = events_there(run);
        uint64_t state = (uint64_t)there;
        if (!complete && there >= run->events)
            run_say("all events are out; waiting until all views hold them");
        complete = complete || there >= run->events;
        say_progress(run, complete ? -1 : there);
        bool settled = complete;
        for (int i = 0; i < run->side_count; i++) {
            state = state * 31 + (uint64_t)side_progress(run, &run->sides[i]);
            settled = settled && side_settled(run, &run->sides[i]);
        }
        if (settled)
            return 0;
        int rc = wait_tick(&patience, state, err);
        if (rc < 0)
            return rc == ERR_INTERRUPTED ? rc : gave_up(run, there, err);
    }
}

/* What is judged last was asked after everything was there: by both readers of both views. */
static int wait_for_last_reads(struct run *run, struct err *err)
{
    int64_t settled_ns = clock_wall_ns();
    struct patience patience = patience_of(run);
    for (int i = 0; i < run->side_count; i++) {
        struct side *side = &run->sides[i];
        int rc = 0;
        while (rc == 0 &&
               (side->probing.answered_ns < settled_ns || side->reading.answered_ns < settled_ns))
            rc = wait_tick(&patience, 0, err);
        if (rc == ERR_INTERRUPTED)
            return rc;
        if (rc < 0)
            return err_set(err, ERR_CHECK, "%s cannot be read to its end: %s", side->name,
                           side->reading.refusal);
    }
    return 0;
}

/* When the schedule began and how long it was, from the due times of the topic's ends. To whom comes when all
 * is over, time begins with the watching. */
static int find_beginning(struct run *run, struct err *err)
{
    int64_t first_ns = INT64_MAX, last_ns = 0;
    for (int p = 0; p < run->options.partitions; p++) {
        struct log_reader *reader = NULL;
        struct log_batch batch;
        int64_t first, end;
        int rc = log_range(run->log, run->topic, p, &first, &end, err);
        if (rc == 0)
            rc = log_reader_open(run->log, run->topic, &p, 1, &reader, err);
        if (rc == 0 && end > first && (rc = log_get(reader, p, first, &batch, err)) == 1)
            first_ns = batch.due_ns[0] < first_ns ? batch.due_ns[0] : first_ns;
        if (rc >= 0 && end > first && (rc = log_get(reader, p, end - 1, &batch, err)) == 1)
            last_ns = batch.due_ns[0] > last_ns ? batch.due_ns[0] : last_ns;
        log_reader_close(reader);
        if (rc < 0)
            return rc;
    }
    run->duration_ns = last_ns > first_ns ? last_ns - first_ns : 1;
    run->began_wall_ns = last_ns > run->watched_ns ? first_ns : run->watched_ns;
    run->began_ns = run->ended_ns - (clock_wall_ns() - run->began_wall_ns);
    return 0;
}

int attach_watch(struct run *run, struct err *err)
{
    run_say("watching %s until it holds the %lld events of %s with seed %llu", run->topic,
            (long long)run->events, run->options.workload, (unsigned long long)run->options.seed);
    int rc = wait_until_up(run, err);
    if (rc < 0)
        return rc;
    run->watched_ns = clock_wall_ns();
    for (int i = 0; i < run->side_count; i++)
        sampler_start(run, &run->sides[i]);
    rc = wait_until_settled(run, err);
    if (rc == 0)
        rc = wait_for_last_reads(run, err);
    run->ended_ns = clock_mono_ns();
    return rc < 0 ? rc : find_beginning(run, err);
}
