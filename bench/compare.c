/* bench/compare.c - the plot of a comparison: watch, kill, heal, settle, stop, judge, report. */
#include "bench/compare.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/run.h"
#include "common/base/clock.h"
#include "common/base/stop.h"
#include "common/store/kv.h"

enum {
    HASTE_S = 5, /* a shorter run shows little */
    TICK_MS = 10,
    SAMPLE_MS = 250,
    SETTLE_WAIT_MS = 120000,
    STOP_WAIT_MS = 10000,
};

void run_check(struct run *run, const char *name, bool pass, const char *format, ...)
{
    if (run->check_count == CHECKS_MAX)
        return;
    struct check *check = &run->checks[run->check_count++];
    *check = (struct check){.name = name, .pass = pass};
    va_list args;
    va_start(args, format);
    vsnprintf(check->detail, sizeof check->detail, format, args);
    va_end(args);
}

void run_happening(struct run *run, const char *pipeline, int64_t at_ns, int64_t until_ns,
                   const char *format, ...)
{
    if (run->happening_count == HAPPENINGS_MAX)
        return;
    struct happening *happening = &run->happenings[run->happening_count++];
    *happening = (struct happening){.at_ns = at_ns, .until_ns = until_ns, .pipeline = pipeline};
    va_list args;
    va_start(args, format);
    vsnprintf(happening->what, sizeof happening->what, format, args);
    va_end(args);
}

static void remember(struct run *run, const struct process *process)
{
    if (run->history_count == HISTORY_MAX)
        return;
    struct past *past = &run->history[run->history_count++];
    *past = (struct past){.pipeline = process->pipeline,
                          .began_ns = process->began_ns,
                          .ended_ns = process->ended_ns};
    snprintf(past->name, sizeof past->name, "%s", process->name);
    snprintf(past->fate, sizeof past->fate, "%s", process->fate);
}

/* ---- while it runs ---- */

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
    static double cpu_before[PIPELINES], t_before[PIPELINES];
    int i = (int)(side - run->sides);
    if (t_before[i] > 0 && t_s > t_before[i]) {
        double cores = (cpu - cpu_before[i]) / (t_s - t_before[i]);
        buf_printf(&run->samples,
                   "{\"t_s\":%.2f,\"pipeline\":\"%s\",\"kind\":\"cpu\",\"cores\":%.3f}\n", t_s,
                   side->pipeline->name, cores > 0 ? cores : 0);
    }
    cpu_before[i] = cpu;
    t_before[i] = t_s;
    buf_printf(&run->samples, "{\"t_s\":%.2f,\"pipeline\":\"%s\",\"kind\":\"rss\",\"mb\":%.1f}\n",
               t_s, side->pipeline->name, rss);
}

static void clear_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

/* A sentence of ours, in the place of the progress. */
static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    clear_progress();
    fputs("lk compare: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

static int strike(struct run *run, struct side *side, struct err *err)
{
    struct process *victim = &side->children[side->victim];
    say("%s %s is killed (SIGKILL) and started again", side->pipeline->name, victim->name);
    side->killed_ns = clock_mono_ns();
    process_kill(victim);
    remember(run, victim);
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
        say("%s heals: %s", side->pipeline->name, side->pipeline->healing_story);
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

static int watch_run(struct run *run, struct err *err)
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
        say("all events are out; waiting until both views hold them");
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

/* ---- the end ---- */

static int64_t tree_bytes;

static int add_bytes(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)path;
    (void)ftw;
    tree_bytes += type == FTW_F ? (int64_t)info->st_blocks * 512 : 0;
    return 0;
}

static double tree_mb(const char *path)
{
    tree_bytes = 0;
    nftw(path, add_bytes, 16, FTW_PHYS);
    return (double)tree_bytes / 1e6;
}

static double redis_mb(const char *uri)
{
    struct kv *kv;
    struct kv_reply *replies;
    double bytes = 0;
    if (kv_open(uri, &kv, NULL) < 0)
        return 0;
    kv_words(kv, "INFO", "memory", NULL);
    if (kv_roundtrip(kv, &replies, NULL) == 1 && replies[0].type == KV_TEXT) {
        const char *at = strstr(replies[0].text.ptr, "used_memory:");
        bytes = at ? strtod(at + strlen("used_memory:"), NULL) : 0;
    }
    kv_close(kv);
    return bytes / 1e6;
}

static void stop_side(struct run *run, struct side *side)
{
    for (int i = 0; i < side->child_count; i++) {
        process_stop(&side->children[i], STOP_WAIT_MS);
        remember(run, &side->children[i]);
    }
    if (side->redis.process.pid)
        side->redis_mb = redis_mb(side->view);
    redis_server_stop(&side->redis);
    side->archive_mb = tree_mb(side->archive);
}

/* Stop and reap everything, whatever has happened. */
static void stop_all(struct run *run)
{
    process_stop(&run->generator, STOP_WAIT_MS);
    run->sampling_over = true;
    for (int i = 0; i < PIPELINES; i++) {
        sampler_stop(run, &run->sides[i]);
        stop_side(run, &run->sides[i]);
    }
    char path[480];
    snprintf(path, sizeof path, "%s/log", run->work);
    run->log_mb = tree_mb(path);
    remember(run, &run->generator);
}

static void release(struct run *run)
{
    for (int i = 0; i < PIPELINES; i++) {
        struct side *side = &run->sides[i];
        for (int k = 0; k < side->child_count; k++)
            process_release(&side->children[k]);
        process_release(&side->redis.process);
        sampler_release(side);
    }
    process_release(&run->generator);
    if (run->options.plan) {
        unlink(run->plan_path);
        unlink(run->healed_path);
    }
    log_close(run->log);
    buf_release(&run->plan_json);
    buf_release(&run->healed_json);
    buf_release(&run->samples);
    free(run);
}

/* A recording at the speed of another shows little: say which speed would make it a minute. */
static void warn_of_haste(const struct run *run)
{
    double seconds = (double)run->duration_ns / 1e9, minute = run->options.speed * seconds / 60;
    if (seconds < HASTE_S && run->options.events)
        say("at --speed %.6g all events are out after %.1f s: too little to see faults and "
            "healing. "
            "For a run of a minute: --speed %.3g",
            run->options.speed, seconds, minute);
}

int compare_run(const struct compare_options *options, FILE *out, bool *pass, struct err *err)
{
    struct run *run = mem_zero(1, sizeof *run);
    run->options = *options;
    int rc = run_prepare(run, err);
    if (rc == 0)
        say("%s, %lld events in %.0f s, seed %llu; raw files in %s", options->workload,
            (long long)run->events, (double)run->duration_ns / 1e9,
            (unsigned long long)options->seed, run->work);
    if (rc == 0)
        warn_of_haste(run);
    if (rc == 0)
        rc = run_start(run, err);
    if (rc == 0)
        rc = watch_run(run, err);
    clear_progress();
    stop_all(run);
    if (rc == 0)
        say("judging every answer that was read");
    if (rc == 0)
        rc = run_judge(run, err);
    if (rc == 0)
        rc = run_report(run, out, pass, err);
    release(run);
    return rc;
}
