/* bench/prepare.c - what a run is to do, before anything is started: its folder, its plans, the stream's
 * length, the seeded strikes, the log and its topic. */
#include <assert.h>
#include <ftw.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/run.h"
#include "common/base/clock.h"
#include "common/base/directory.h"
#include "common/plan/plan.h"
#include "workloads/workload.h"

enum { HEAL_PERCENT = 72 /* of the stream's time */ };

static const struct pipeline *const PIPELINE_LIST[] = {&pipeline_lambda, &pipeline_kappa};
enum { PIPELINE_COUNT = sizeof PIPELINE_LIST / sizeof *PIPELINE_LIST };

/* ---- files ---- */

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int make_directory(const char *path, struct err *err)
{
    if (directory_make(path) < 0)
        return err_errno(err, ERR_ENV, "cannot make directory %s", path);
    return 0;
}

static int read_file(const char *path, struct buf *out, struct err *err)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return err_errno(err, ERR_USAGE, "cannot read %s", path);
    char block[4096];
    for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0;)
        buf_add(out, block, n);
    fclose(file);
    return 0;
}

/* ---- plans ---- */

/* The plan with another lateness, as canonical JSON. */
static int heal_plan(struct run *run, struct err *err)
{
    json_error_t why;
    json_t *plan = json_loads(run->plan_json.ptr, 0, &why);
    if (!plan)
        return err_set(err, ERR_USAGE, "plan: %s", why.text);
    if (run->options.heal_lateness)
        json_object_set_new(plan, "allowed_lateness", json_string(run->options.heal_lateness));
    char *text = json_dumps(plan, JSON_COMPACT | JSON_SORT_KEYS);
    buf_add_text(&run->healed_json, text);
    free(text);
    json_decref(plan);
    run->heals = strcmp(run->plan_json.ptr, run->healed_json.ptr) != 0;
    return 0;
}

/* The healed plan differs in --heal-lateness alone: a mistake there is told before anything runs. */
static int check_healed(const struct run *run, const char *directory, struct err *err)
{
    struct plan *plan = NULL;
    int rc = plan_parse(buf_bytes(&run->healed_json), directory, false, &plan, NULL, NULL);
    plan_free(plan);
    if (rc == 0)
        return 0;
    return err_set(err, ERR_USAGE,
                   "--heal-lateness: found \"%s\", expected a duration such as 48h, or unlimited",
                   run->options.heal_lateness);
}

/* Check the plan where its table stands, and keep its canonical JSON. */
static int check_plan(struct run *run, struct bytes text, const char *directory, struct err *err)
{
    struct plan *plan = NULL;
    struct buf mistakes = {0};
    int rc = plan_parse(text, directory, true, &plan, &mistakes, err);
    if (mistakes.len)
        fputs(mistakes.ptr, stderr);
    if (rc == 0) {
        buf_add_text(&run->plan_json, plan->json);
        plan_say_speed(plan, &run->speed_layer);
        run->faulty = plan_is_faulty(plan);
    }
    plan_free(plan);
    buf_release(&mistakes);
    rc = rc == 0 ? heal_plan(run, err) : rc;
    return rc == 0 ? check_healed(run, directory, err) : rc;
}

static const char *directory_of(const char *path, char out[400])
{
    snprintf(out, 400, "%s", path);
    char *slash = strrchr(out, '/');
    if (slash)
        *slash = 0;
    else
        snprintf(out, 400, ".");
    return out;
}

/* Write a plan where its table stands; the user's folder may see several runs at once. */
static int write_plan(const struct run *run, const char *name, struct bytes text, char path[500],
                      struct err *err)
{
    char file[64];
    if (run->options.plan)
        snprintf(file, sizeof file, ".lk-%d-%s", (int)getpid(), name);
    else
        snprintf(file, sizeof file, "%s", name);
    snprintf(path, 500, "%s/%s", run->table_dir, file);
    return workload_write(run->table_dir, file, text, err);
}

/* The user's plan stays beside its table; the workload's own is written into the work folder. */
static int prepare_plan(struct run *run, const struct workload *workload, struct err *err)
{
    static char directory[400];
    struct buf text = {0};
    int rc = 0;
    run->table_dir = run->work;
    if (run->options.plan) {
        run->table_dir = directory_of(run->options.plan, directory);
        rc = read_file(run->options.plan, &text, err);
    } else {
        struct bytes own = workload_plan(workload->plan);
        if (!own.ptr)
            rc = err_set(err, ERR_USAGE, "lk compare %s needs --plan", run->options.workload);
        buf_add(&text, own.ptr, own.len);
    }
    if (rc == 0)
        rc = check_plan(run, buf_bytes(&text), run->table_dir, err);
    buf_release(&text);
    if (run->options.attach)
        return rc; /* nobody is started who would read them */
    if (rc == 0)
        rc = write_plan(run, "plan.json", buf_bytes(&run->plan_json), run->plan_path, err);
    if (rc == 0)
        rc = write_plan(run, "healed.json", buf_bytes(&run->healed_json), run->healed_path, err);
    return rc;
}

/* ---- the stream: how long, how many, when to strike ---- */

static struct workload_options stream_options(const struct run *run)
{
    const struct compare_options *o = &run->options;
    return (struct workload_options){.seed = o->seed,
                                     .events = o->event_count,
                                     .event_rate = o->rate,
                                     .file = o->events,
                                     .time_field = o->time_field,
                                     .time_format = o->time_format,
                                     .key_field = o->key_field,
                                     .tables_dir = run->work};
}

/* Walk the stream once: its length, and when the faults strike. */
static int measure_stream(struct run *run, const struct workload *workload, struct err *err)
{
    struct workload_options options = stream_options(run);
    struct disorder_options disorder = {.seed = run->options.seed};
    struct workload_event event;
    struct stream *stream;
    int64_t *publish_us = NULL;
    size_t capacity = 0;
    int rc = stream_open(workload, &options, &disorder, &stream, err);
    if (rc < 0)
        return rc;
    while ((rc = stream_next(stream, &event, err)) == 1) {
        if (!publish_us || (size_t)run->events == capacity) {
            capacity = capacity ? capacity * 2 : 65536;
            publish_us = mem_grow(publish_us, capacity * sizeof *publish_us);
        }
        publish_us[run->events++] = event.publish_us;
    }
    stream_close(stream);
    if (rc == 0 && run->events == 0)
        rc = err_set(err, ERR_USAGE, "the workload has no events");
    if (rc == 0) {
        assert(publish_us);
        double scale = 1000 / run->options.speed;
        run->duration_ns = (int64_t)((double)publish_us[run->events - 1] * scale);
        run->heal_after_ns = run->duration_ns * HEAL_PERCENT / 100;
        rc = faults_place(run, publish_us, scale, err);
    }
    free(publish_us);
    return rc;
}

/* The log of the run: one of our own, or the user's Kafka with a topic that nobody has used before: a
 * topic that is deleted and made again goes unnoticed by who reads it. */
static int prepare_log(struct run *run, struct err *err)
{
    const struct compare_options *o = &run->options;
    if (run->log_is_ours) {
        snprintf(run->log_uri, sizeof run->log_uri, "embedded:%s/log", run->work);
        snprintf(run->topic, sizeof run->topic, "%s", o->workload);
    } else {
        snprintf(run->log_uri, sizeof run->log_uri, "%s", o->log);
        snprintf(run->topic, sizeof run->topic, "lk-%s-%llu-%lld", o->workload,
                 (unsigned long long)o->seed, (long long)clock_wall_ms());
    }
    int rc = log_open(run->log_uri, run->log_is_ours, &run->log, err);
    if (rc == 0)
        rc = log_create_topic(run->log, run->topic, (struct log_shape){.partitions = o->partitions},
                              err);
    return rc;
}

static void prepare_side(struct run *run, const char *name, const struct pipeline *pipeline,
                         enum handover handover)
{
    struct side *side = &run->sides[run->side_count++];
    side->name = name;
    side->pipeline = pipeline;
    side->handover = handover;
    side->recovery_us = -1;
    pthread_mutex_init(&side->lock, NULL);
    snprintf(side->archive, sizeof side->archive, "%s/archive-%s", run->work, name);
}

/* Each pipeline once; or lambda alone, once for each way to hand over. */
static void prepare_sides(struct run *run)
{
    for (int i = 0; run->options.handovers && i < HANDOVERS; i++)
        prepare_side(run, handover_name((enum handover)i), &pipeline_lambda, (enum handover)i);
    for (int i = 0; !run->options.handovers && i < PIPELINE_COUNT; i++)
        prepare_side(run, PIPELINE_LIST[i]->name, PIPELINE_LIST[i], run->options.handover);
}

int run_prepare(struct run *run, struct err *err)
{
    const struct workload *workload = workload_find(run->options.workload);
    if (!workload)
        return err_set(err, ERR_USAGE, "no workload \"%s\"", run->options.workload);
    snprintf(run->dir, sizeof run->dir, "%s", run->options.out);
    snprintf(run->work, sizeof run->work, "%s/work", run->dir);
    prepare_sides(run);
    run->log_is_ours = !run->options.log;
    if (!run->log_is_ours && !run->options.attach)
        broker_find(&run->broker, run->options.log, run->options.program);
    int rc = faults_read(run, err);
    if (rc < 0)
        return rc;
    remove_tree(run->work);
    rc = make_directory(run->work, err);
    if (rc == 0)
        rc = measure_stream(run, workload, err);
    if (rc == 0)
        rc = prepare_plan(run, workload, err);
    if (rc == 0)
        rc = run->options.attach ? attach_open(run, err) : prepare_log(run, err);
    return rc;
}
