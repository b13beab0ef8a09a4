/* bench/watch.c - a run under way, ten milliseconds at a time: strikes, healing, a look at every process, until
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
                   side->pipeline->name, cores > 0 ? cores : 0);
    }
    side->sampled_cpu_s = cpu;
    side->sampled_s = t_s;
    buf_printf(&run->samples, "{\"t_s\":%.2f,\"pipeline\":\"%s\",\"kind\":\"rss\",\"mb\":%.1f}\n",
               t_s, side->pipeline->name, rss);
}

static int strike(struct run *run, struct side *side, struct err *err)
{
    struct process *victim = &side->children[side->victim];
    run_say("%s %s is killed (SIGKILL) and started again", side->pipeline->name, victim->name);
    side->killed_ns = clock_mono_ns();
    process_kill(victim);
    run_remember(run, victim);
    int rc = process_start(victim, err);
    return rc;
}

/* The next step of healing, once the one before has ended. */
static int heal(struct run *run, struct side *side, struct err *err)
{
    const struct pipeline_process *step = &side->pipeline->healing[side->healing_at];
    if (side->healing_done_ns || !run->heals || side->pipeline->healing[0].name == NULL)
        return 0;
    if (side->healing_at > 0 && step[-1].kind == PROCESS_STEP) {
        struct process *before = &side->children[side->child_count - 1];
        if (!process_ended(before))
            return 0;
        if (before->failed)
            return err_set(err, ERR_CHECK, "%s: %s failed: %s", side->pipeline->name, before->name,
                           before->fate);
    }
    if (!step->name) {
        side->healing_done_ns = clock_mono_ns();
        run_happening(run, side->pipeline->name, side->healing_began_ns, side->healing_done_ns,
                      "healing, from %s on", side->pipeline->healing[0].name);
        return 0;
    }
    if (side->healing_at == 0) {
        side->healing_began_ns = clock_mono_ns();
        run_say("%s heals: %s", side->pipeline->name, side->pipeline->healing_story);
    }
    side->healing_at++;
    return process_start(run_child(run, side, step), err);
}

/* A part that found its environment missing (a full disk, a full Redis) is no failed check. */
static int code_of(const struct process *process)
{
    return process->exit_status == err_exit_status(ERR_ENV) ? ERR_ENV : ERR_CHECK;
}

static int watch_children(struct run *run, struct side *side, struct err *err)
{
    (void)run;
    for (int i = 0; i < side->child_count; i++)
        if (process_ended(&side->children[i]) && side->children[i].failed)
            return err_set(err, code_of(&side->children[i]),
                           "%s: %s ended by itself: %s; see %s.err", side->pipeline->name,
                           side->children[i].name, side->children[i].fate,
                           side->children[i].output);
    if (process_ended(&side->redis.process))
        return err_set(err, ERR_ENV, "%s: its Redis ended: %s", side->pipeline->name,
                       side->redis.process.fate);
    return 0;
}

static int tick(struct run *run, struct err *err)
{
    int64_t now = clock_mono_ns();
    bool sample = now - run->sampled_at_ns > (int64_t)SAMPLE_MS * 1000000;
    int rc = stop_asked() ? err_set(err, ERR_INTERRUPTED, "interrupted") : 0;
    for (int i = 0; rc == 0 && i < PIPELINES; i++) {
        struct side *side = &run->sides[i];
        if (run->options.faults && !side->killed_ns && now - run->began_ns >= run->kill_after_ns[i])
            rc = strike(run, side, err);
        if (rc == 0 && now - run->began_ns >= run->heal_after_ns)
            rc = heal(run, side, err);
        if (rc == 0)
            rc = watch_children(run, side, err);
        if (sample)
            sample_usage(run, side);
    }
    if (sample)
        run->sampled_at_ns = now;
    clock_sleep_ms(TICK_MS);
    return rc;
}

static bool settled(struct run *run)
{
    for (int i = 0; i < PIPELINES; i++) {
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

int run_watch(struct run *run, struct err *err)
{
    int rc = 0;
    while (rc == 0 && !process_ended(&run->generator)) {
        rc = tick(run, err);
        say_progress(run);
    }
    if (rc == 0 && run->generator.failed)
        rc = err_set(err, code_of(&run->generator), "the generator failed: %s; see %s.err",
                     run->generator.fate, run->generator.output);
    if (rc == 0)
        run_say("all events are out; waiting until both views hold them");
    int64_t deadline = clock_mono_ns() + (int64_t)SETTLE_WAIT_MS * 1000000;
    while (rc == 0 && !settled(run)) {
        rc = tick(run, err);
        if (rc == 0 && clock_mono_ns() > deadline)
            rc = err_set(err, ERR_CHECK, "the views did not settle within %d s: %s; %s",
                         SETTLE_WAIT_MS / 1000, run->sides[0].probing.refusal,
                         run->sides[1].probing.refusal);
    }
    run->ended_ns = clock_mono_ns();
    return rc;
}
