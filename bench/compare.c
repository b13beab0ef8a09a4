/* bench/compare.c - the plot of a comparison: watch, kill, heal, settle, stop, judge, report. */
#include "bench/compare.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/run.h"

enum {
    HASTE_S = 5, /* a shorter run shows little */
    STOP_WAIT_MS = 10000,
};

static void add_check(struct run *run, const char *whose, const char *fact, bool pass,
                      const char *format, va_list args)
{
    if (run->check_count == CHECKS_MAX)
        return;
    struct check *check = &run->checks[run->check_count++];
    *check = (struct check){.pass = pass};
    snprintf(check->name, sizeof check->name, "%s%s%s", whose, *whose ? ": " : "", fact);
    vsnprintf(check->detail, sizeof check->detail, format, args);
}

void run_check(struct run *run, const char *name, bool pass, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_check(run, "", name, pass, format, args);
    va_end(args);
}

void side_check(struct run *run, const struct side *side, const char *fact, bool pass,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_check(run, side->name, fact, pass, format, args);
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

void run_remember(struct run *run, const struct process *process)
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

static void clear_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

void run_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    clear_progress();
    fputs("lk compare: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
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

static void stop_side(struct run *run, struct side *side)
{
    for (int i = 0; i < side->child_count; i++) {
        process_stop(&side->children[i], STOP_WAIT_MS);
        run_remember(run, &side->children[i]);
    }
    if (side->redis.process.pid)
        side->redis_mb = redis_used_mb(side->view);
    redis_server_stop(&side->redis);
    side->archive_mb = tree_mb(side->archive);
}

/* Stop and reap everything, whatever has happened. */
static void stop_all(struct run *run)
{
    faults_end(run);
    process_stop(&run->generator, STOP_WAIT_MS);
    run->sampling_over = true;
    for (int i = 0; i < run->side_count; i++) {
        sampler_stop(run, &run->sides[i]);
        stop_side(run, &run->sides[i]);
    }
    if (run->options.attach)
        return; /* there is no generator and no log of ours */
    char path[480];
    snprintf(path, sizeof path, "%s/log", run->work);
    run->log_mb = run->log_is_ours ? tree_mb(path) : 0;
    broker_sample(&run->broker);
    run_remember(run, &run->generator);
}

/* The topic of a run on Kafka goes with it; one that was only watched is not ours. */
static void drop_topic(struct run *run)
{
    struct err err = {0};
    if (!run->log || run->log_is_ours || run->options.attach)
        return;
    if (run->options.keep_topic)
        run_say("topic %s is left at %s", run->topic, run->log_uri);
    else if (log_delete_topic(run->log, run->topic, &err) < 0)
        run_say("topic %s cannot be deleted: %s", run->topic, err.text);
}

static void release(struct run *run)
{
    for (int i = 0; i < run->side_count; i++) {
        struct side *side = &run->sides[i];
        for (int k = 0; k < side->child_count; k++)
            process_release(&side->children[k]);
        process_release(&side->redis.process);
        sampler_release(side);
    }
    process_release(&run->generator);
    faults_release(run);
    if (run->options.plan && !run->options.attach) {
        unlink(run->plan_path);
        unlink(run->healed_path);
    }
    log_close(run->log);
    buf_release(&run->plan_json);
    buf_release(&run->speed_layer);
    buf_release(&run->healed_json);
    buf_release(&run->samples);
    free(run);
}

/* A recording at the speed of another shows little: say which speed would make it a minute. */
static void warn_of_haste(const struct run *run)
{
    double seconds = (double)run->duration_ns / 1e9, minute = run->options.speed * seconds / 60;
    if (seconds < HASTE_S && run->options.events)
        run_say("at --speed %.6g all events are out after %.1f s: too little to see faults and "
                "healing. "
                "For a run of a minute: --speed %.3g",
                run->options.speed, seconds, minute);
}

static int run_here(struct run *run, struct err *err)
{
    run_say("%s, %lld events in %.0f s, seed %llu; raw files in %s", run->options.workload,
            (long long)run->events, (double)run->duration_ns / 1e9,
            (unsigned long long)run->options.seed, run->work);
    warn_of_haste(run);
    int rc = run_start(run, err);
    return rc == 0 ? run_watch(run, err) : rc;
}

int compare_run(const struct compare_options *options, FILE *out, bool *pass, struct err *err)
{
    struct run *run = mem_zero(1, sizeof *run);
    run->options = *options;
    int rc = run_prepare(run, err);
    if (rc == 0)
        rc = options->attach ? attach_watch(run, err) : run_here(run, err);
    clear_progress();
    stop_all(run);
    if (rc == 0)
        run_say("judging every answer that was read");
    if (rc == 0)
        rc = run_judge(run, err);
    if (rc == 0)
        rc = run_report(run, out, pass, err);
    drop_topic(run);
    release(run);
    return rc;
}
