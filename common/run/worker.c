/* common/run/worker.c - a worker process: partitions shared out over threads, a task and a job on
 * each. */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/stop.h"
#include "common/run/job.h"

enum { WORKERS_MAX = 64 };

struct thread {
    pthread_t id;
    const struct worker_options *options;
    struct log *log;
    int *partitions;
    int64_t *until; /* NULL: none */
    int count;
    struct log_group group;
    char *group_name, *instance;
    struct job_stats stats;
    int64_t events, bytes;
    int rc;
    struct err err;
};

static int wait_of(int commit_ms)
{
    int wait_ms = commit_ms / 2;
    return wait_ms < 1 ? 1 : wait_ms > 50 ? 50 : wait_ms;
}

static void *run_thread(void *context)
{
    struct thread *thread = context;
    const struct worker_options *options = thread->options;
    const struct plan *plan =
        options->job.arch == ARCH_LAMBDA ? plan_of_speed(options->plan) : options->plan;
    struct job *job = NULL;
    struct task task = {.plan = plan,
                        .rules = {.lateness = true,
                                  .has_floor = options->job.start.next != NULL,
                                  .floor_ms = options->job.start.floor_ms},
                        .log = thread->log,
                        .topic = options->topic,
                        .partitions = thread->partitions,
                        .count = thread->count,
                        .until = thread->until,
                        .group = &thread->group,
                        .rate = options->rate,
                        .wait_ms = wait_of(options->job.commit_ms)};
    thread->rc = job_open(plan, &options->job, &job, &thread->err);
    if (thread->rc == 0) {
        thread->rc = task_run(&task, &job_sink, job, &thread->err);
        job_stats(job, &thread->stats);
    }
    thread->events = task.events;
    thread->bytes = task.bytes;
    job_close(job);
    if (thread->rc < 0 && thread->rc != ERR_INTERRUPTED && thread->rc != ERR_LOST)
        stop_ask(true); /* one failed: the others commit and leave */
    return NULL;
}

static void add_stats(struct worker_result *result, const struct thread *thread)
{
    const struct job_stats *from = &thread->stats;
    struct job_stats *to = &result->stats;
    result->events += thread->events;
    result->bytes += thread->bytes;
    to->commits += from->commits;
    to->cells += from->cells;
    to->aborted += from->aborted;
    to->bad += from->bad;
    to->reconnects += from->reconnects;
    to->lost += from->lost;
    to->sent_bytes += from->sent_bytes;
    to->received_bytes += from->received_bytes;
    if (from->commit_us_max > to->commit_us_max)
        to->commit_us_max = from->commit_us_max;
    to->hand_overs += from->hand_overs;
    if (from->hand_over_us_max > to->hand_over_us_max)
        to->hand_over_us_max = from->hand_over_us_max;
}

/* A failure that is not a mere interruption is the one to tell. */
static int worst(const struct thread *threads, int count, struct err *err)
{
    int rc = 0;
    for (int i = 0; i < count; i++)
        if (threads[i].rc < 0 && (rc == 0 || rc == ERR_INTERRUPTED)) {
            rc = threads[i].rc;
            if (err)
                *err = threads[i].err;
        }
    return rc;
}

/* The partitions of thread w: its share, or in a group all, of which it folds what it is dealt. */
static void share_out(struct thread *thread, int w, int workers, const int64_t *until)
{
    const struct worker_options *options = thread->options;
    bool shared = options->group.shared;
    thread->partitions = mem_zero((size_t)options->count, sizeof *thread->partitions);
    thread->until = until ? mem_zero((size_t)options->count, sizeof *thread->until) : NULL;
    for (int i = shared ? 0 : w; i < options->count; i += shared ? 1 : workers) {
        if (until)
            thread->until[thread->count] = until[i];
        thread->partitions[thread->count++] = options->partitions[i];
    }
}

/* A group is of one view and version: in a group of two, each would get a part of the partitions. Each
 * thread is a consumer of its own, with an instance name of its own: NAME-0, NAME-1... */
static void name_group(struct thread *thread, int w)
{
    const struct worker_options *options = thread->options;
    struct buf group = {0}, instance = {0};
    char version[16];
    registry_version_name(options->job.arch, options->job.version, version);
    buf_printf(&group, "%s.%s.%s", options->group.name ? options->group.name : "lk",
               options->plan->view, version);
    buf_printf(&instance, "%s-%d", options->group.instance ? options->group.instance : "", w);
    thread->group = options->group;
    thread->group_name = mem_copy_string(group.ptr);
    thread->instance = mem_copy_string(instance.ptr);
    thread->group.name = thread->group_name;
    thread->group.instance = options->group.instance ? thread->instance : NULL;
    buf_release(&group);
    buf_release(&instance);
}

int worker_run_on(const struct worker_options *options, struct log *log, const int64_t *until,
                  struct worker_result *result, struct err *err)
{
    int workers = options->workers < 1 ? 1 : options->workers;
    if (workers > options->count)
        workers = options->count;
    if (workers > WORKERS_MAX)
        workers = WORKERS_MAX;
    assert(workers > 0); /* a topic has partitions, and --partitions names some */
    struct thread *threads = mem_zero((size_t)workers, sizeof *threads);
    struct worker_options shared = *options;
    shared.job.memory_bytes /= workers;
    shared.rate /= workers;
    int64_t began = clock_mono_ns();
    for (int w = 0; w < workers; w++) {
        struct thread *thread = &threads[w];
        *thread = (struct thread){.options = &shared, .log = log};
        share_out(thread, w, workers, until);
        name_group(thread, w);
        pthread_create(&thread->id, NULL, run_thread, thread);
    }
    *result = (struct worker_result){0};
    for (int w = 0; w < workers; w++) {
        pthread_join(threads[w].id, NULL);
        add_stats(result, &threads[w]);
        free(threads[w].partitions);
        free(threads[w].until);
        free(threads[w].group_name);
        free(threads[w].instance);
    }
    result->wall_ns = clock_mono_ns() - began;
    int rc = worst(threads, workers, err);
    free(threads);
    return rc;
}

int worker_run(const struct worker_options *options, struct worker_result *result, struct err *err)
{
    struct log *log;
    if (options->group.shared && (options->until_end || options->partitions))
        return err_set(err, ERR_USAGE,
                       "in a group the partitions come and go: --group goes without %s",
                       options->until_end ? "--until-end" : "--partitions");
    int rc = log_open(options->log_uri, false, &log, err);
    if (rc < 0)
        return rc;
    struct worker_options all = *options;
    int *partitions = NULL;
    int64_t *until = NULL;
    int total = log_partitions(log, options->topic, err);
    rc = total < 0 ? total : 0;
    if (rc == 0 && !all.partitions) {
        partitions = mem_zero((size_t)total, sizeof *partitions);
        for (int i = 0; i < total; i++)
            partitions[i] = i;
        all.partitions = partitions;
        all.count = total;
    }
    if (rc == 0)
        until = mem_zero((size_t)all.count, sizeof *until);
    for (int i = 0; rc == 0 && i < all.count; i++) {
        int64_t first;
        for (int k = 0; rc == 0 && k < i; k++) /* two would take it from each other */
            if (all.partitions[k] == all.partitions[i])
                rc = err_set(err, ERR_USAGE, "partition %d is named twice", all.partitions[i]);
        if (rc < 0)
            break;
        if (all.partitions[i] < 0 || all.partitions[i] >= total)
            rc = err_set(err, ERR_USAGE, "topic %s has partitions 0 to %d, not %d", options->topic,
                         total - 1, all.partitions[i]);
        else if (options->until_end)
            rc = log_range(log, options->topic, all.partitions[i], &first, &until[i], err);
    }
    if (rc == 0)
        rc = worker_run_on(&all, log, options->until_end ? until : NULL, result, err);
    free(partitions);
    free(until);
    log_close(log);
    return rc;
}
