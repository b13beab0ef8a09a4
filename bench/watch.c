/* bench/watch.c - a run under way, ten milliseconds at a time: faults, healing, a look at every process, until
 * both views hold all events. */
#include <stdio.h>
#include <unistd.h>

#include "bench/run.h"
#include "common/base/clock.h"
#include "common/base/stop.h"

enum {
    TICK_MS = 10,
    SAMPLE_MS = 250,
    SETTLE_WAIT_MS = 120000,
};

static void sample_usage(struct run *run, struct side *side)
{
    double cpu = side->redis.process.cpu_s, rss = 0;
    process_sample(&side->redis.process);
    cpu += side->redis.process.live_cpu_s;
    rss += side->redis.process.live_rss_mb;
    for (int i = 0; i < side->child_count; i++) {
        process_sample(&side->children[i]);
        cpu += side->children[i].cpu_s + side->children[i].live_cpu_s;
        rss += side->children[i].live_rss_mb;
    }
    double t_s = (double)(clock_mono_ns() - run->began_ns) / 1e9;
    if (side->sampled_s > 0 && t_s > side->sampled_s) {
        double cores = (cpu - side->sampled_cpu_s) / (t_s - side->sampled_s);
        buf_printf(&run->samples,
                   "{\"t_s\":%.2f,\"pipeline\":\"%s\",\"kind\":\"cpu\",\"cores\":%.3f}\n", t_s,
                   side->name, cores > 0 ? cores : 0);
    }
    side->sampled_cpu_s = cpu;
    side->sampled_s = t_s;
    buf_printf(&run->samples, "{\"t_s\":%.2f,\"pipeline\":\"%s\",\"kind\":\"rss\",\"mb\":%.1f}\n",
               t_s, side->name, rss);
}

/* The next step of healing, once the one before has ended. Nobody deploys in the middle of an outage. */
static int heal(struct run *run, struct side *side, struct err *err)
{
    const struct pipeline_process *step = &side->pipeline->healing[side->healing_at];
    if (side->healing_done_ns || !run->heals || side->pipeline->healing[0].name == NULL ||
        !faults_rest(run))
        return 0;
    if (side->healing_at > 0 && step[-1].kind == PROCESS_STEP) {
        struct process *before = &side->children[side->child_count - 1];
        if (!process_ended(before) || before->down)
            return 0;
        if (before->failed)
            return err_set(err, ERR_CHECK, "%s: %s failed: %s", side->name, before->name,
                           before->fate);
    }
    if (!step->name) {
        side->healing_done_ns = clock_mono_ns();
        run_happening(run, side->name, side->healing_began_ns, side->healing_done_ns,
                      "healing, from %s on", side->pipeline->healing[0].name);
        return 0;
    }
    if (side->healing_at == 0) {
        side->healing_began_ns = clock_mono_ns();
        run_say("%s heals: %s", side->name, side->pipeline->healing_story);
    }
    side->healing_at++;
    return process_start(run_child(run, side, step), err);
}

/* A part that found its environment missing (a full disk, a full Redis) is no failed check. */
static int code_of(const struct process *process)
{
    return process->exit_status == err_exit_status(ERR_ENV) ? ERR_ENV : ERR_CHECK;
}

/* An end that nobody asked for ends the run, unless a fault excuses it. */
static int watch_process(struct run *run, int side, struct process *process, struct err *err)
{
    bool redis = strcmp(process->name, "redis") == 0;
    if (!process_ended(process) || process->down || !process->began_ns)
        return 0;
    if (redis && process->wanted)
        process->failed = true; /* in order or not: it should be there */
    if (!process->failed || faults_excuse(run, side, process))
        return 0;
    return err_set(err, redis ? ERR_ENV : code_of(process),
                   "%s%s%s ended by itself: %s; see %s.err", process->pipeline,
                   *process->pipeline ? ": " : "", process->name, process->fate, process->output);
}

static int watch_processes(struct run *run, struct err *err)
{
    int rc = watch_process(run, -1, &run->generator, err);
    for (int i = 0; rc == 0 && i < run->side_count; i++) {
        for (int k = 0; rc == 0 && k < run->sides[i].child_count; k++)
            rc = watch_process(run, i, &run->sides[i].children[k], err);
        if (rc == 0)
            rc = watch_process(run, i, &run->sides[i].redis.process, err);
    }
    return rc;
}

static int tick(struct run *run, struct err *err)
{
    int64_t now = clock_mono_ns();
    bool sample = now - run->sampled_at_ns > (int64_t)SAMPLE_MS * 1000000;
    int rc = stop_asked() ? err_set(err, ERR_INTERRUPTED, "interrupted") : 0;
    if (rc == 0)
        rc = faults_tick(run, err);
    if (rc == 0)
        rc = watch_processes(run, err);
    for (int i = 0; rc == 0 && i < run->side_count; i++) {
        struct side *side = &run->sides[i];
        if (now - run->began_ns >= run->heal_after_ns)
            rc = heal(run, side, err);
        if (sample)
            sample_usage(run, side);
    }
    if (sample)
        broker_sample(&run->broker);
    if (sample)
        run->sampled_at_ns = now;
    clock_sleep_ms(TICK_MS);
    return rc;
}

static bool settled(struct run *run)
{
    if (!faults_over(run))
        return false;
    for (int i = 0; i < run->side_count; i++) {
        struct side *side = &run->sides[i];
        bool healing = run->heals && side->pipeline->healing[0].name && !side->healing_done_ns;
        if (healing || !side_settled(run, side))
            return false;
    }
    return true;
}

static void say_progress(const struct run *run)
{
    static int64_t said_ns;
    int64_t now = clock_mono_ns();
    if (!isatty(STDERR_FILENO) || now - said_ns < 500000000 || now < run->began_ns)
        return;
    said_ns = now;
    double share = (double)(now - run->began_ns) / (double)(run->duration_ns + 1);
    fprintf(stderr, "\r\033[Klk compare: %3.0f %% of %.0f s", share > 1 ? 100 : share * 100,
            (double)run->duration_ns / 1e9);
}

static bool all_events_are_out(struct run *run)
{
    return process_ended(&run->generator) && !run->generator.down && !run->generator.failed;
}

static int not_settled(struct run *run, struct err *err)
{
    const struct side *side = run->sides;
    for (int i = 0; i < run->side_count; i++)
        if (!side_settled(run, &run->sides[i]))
            side = &run->sides[i];
    return err_set(err, ERR_CHECK, "the view of %s did not settle within %d s: %s", side->name,
                   SETTLE_WAIT_MS / 1000, side->probing.refusal);
}

int run_watch(struct run *run, struct err *err)
{
    int rc = 0;
    while (rc == 0 && !all_events_are_out(run)) {
        rc = tick(run, err);
        say_progress(run);
    }
    if (rc == 0)
        run_say("all events are out; waiting until all views hold them");
    int64_t deadline = 0;
    while (rc == 0 && !settled(run)) {
        rc = tick(run, err);
        if (deadline == 0 && faults_over(run))
            deadline = clock_mono_ns() + (int64_t)SETTLE_WAIT_MS * 1000000;
        if (rc == 0 && deadline && clock_mono_ns() > deadline)
            rc = not_settled(run, err);
    }
    run->ended_ns = clock_mono_ns();
    return rc;
}
