/* bench/launch.c - everything before the first event: plans, the stream's length, the seeded strikes, a Redis
 * and the processes of each pipeline, the generator. */
#include <assert.h>
#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/run.h"
#include "common/base/clock.h"
#include "common/base/directory.h"
#include "common/base/rng.h"
#include "common/base/stop.h"
#include "common/plan/plan.h"
#include "workloads/workload.h"

enum {
    TICK_MS = 10,
    START_LEAD_MS = 300, /* between starting the generator and its schedule's start */
    UP_WAIT_MS = 10000,
    HEAL_PERCENT = 72, /* of the stream's time */
};

static const struct pipeline *const PIPELINE_LIST[PIPELINES] = {&pipeline_lambda, &pipeline_kappa};

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
    if (rc == 0)
        buf_add_text(&run->plan_json, plan->json);
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

/* Walk the stream once: its length, and the publish times of the seeded strikes. */
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
        struct rng rng;
        rng_init(&rng, run->options.seed);
        for (int i = 0; i < PIPELINES; i++) { /* within 25 % .. 60 % of the events, seeded */
            uint64_t at =
                (uint64_t)run->events / 4 + rng_below(&rng, (uint64_t)run->events * 35 / 100 + 1);
            run->kill_after_ns[i] = (int64_t)((double)publish_us[at] * scale);
        }
        run->heal_after_ns = run->duration_ns * HEAL_PERCENT / 100;
    }
    free(publish_us);
    return rc;
}

/* ---- processes ---- */

static void replace(struct buf *out, const char *command, const char *const *pairs)
{
    while (*command) {
        const char *const *pair = pairs;
        if (*command == '{')
            while (*pair && strncmp(command, *pair, strlen(*pair)) != 0)
                pair += 2;
        if (*command == '{' && *pair) {
            process_add_word(out, pair[1]);
            command += strlen(*pair);
        } else {
            buf_add_char(out, *command++);
        }
    }
}

struct process *run_child(struct run *run, struct side *side, const struct pipeline_process *what)
{
    char commit[32], span[32], every[32], output[600];
    snprintf(commit, sizeof commit, "%lldms", (long long)run->options.commit_ms);
    snprintf(span, sizeof span, "%lldms", (long long)run->options.span_ms);
    snprintf(every, sizeof every, "%lldms", (long long)run->options.batch_every_ms);
    const char *pairs[] = {"{plan}",        run->plan_path, "{healed}",  run->healed_path,
                           "{log}",         run->log_uri,   "{topic}",   run->options.workload,
                           "{view}",        side->view,     "{archive}", side->archive,
                           "{commit}",      commit,         "{span}",    span,
                           "{batch_every}", every,          NULL};
    struct buf command = {0};
    replace(&command, what->command, pairs);
    snprintf(output, sizeof output, "%s/%s-%s.out", run->work, side->pipeline->name, what->name);
    for (char *c = output + strlen(run->work); *c; c++)
        if (*c == ' ')
            *c = '-';
    struct process *child = &side->children[side->child_count++];
    process_init(child, side->pipeline->name, what->name, run->options.program, command.ptr,
                 output);
    buf_release(&command);
    return child;
}

static int start_redis(struct run *run, struct side *side, struct err *err)
{
    char directory[500];
    snprintf(directory, sizeof directory, "%s/%s", run->work, side->pipeline->name);
    int rc = redis_server_start(&side->redis, side->pipeline->name, directory, err);
    snprintf(side->view, sizeof side->view, "%s", side->redis.uri);
    return rc;
}

static int start_side(struct run *run, struct side *side, struct err *err)
{
    int rc = start_redis(run, side, err);
    for (const struct pipeline_process *p = side->pipeline->processes; rc == 0 && p->name; p++) {
        if (p->victim)
            side->victim = side->child_count;
        rc = process_start(run_child(run, side, p), err);
    }
    return rc;
}

static int wait_until_up(struct run *run, struct side *side, struct err *err)
{
    for (int waited = 0; waited < UP_WAIT_MS && !stop_asked(); waited += TICK_MS) {
        if (side_up(run, side))
            return 0;
        for (int i = 0; i < side->child_count; i++)
            if (process_ended(&side->children[i]) && side->children[i].failed)
                return err_set(err, ERR_ENV, "%s ended at once: %s", side->children[i].name,
                               side->children[i].fate);
        clock_sleep_ms(TICK_MS);
    }
    return err_set(err, ERR_ENV, "the view of %s does not come up", side->pipeline->name);
}

static void add_flag(struct buf *command, const char *flag, const char *value)
{
    if (!value)
        return;
    buf_printf(command, " %s ", flag);
    process_add_word(command, value);
}

static int start_generator(struct run *run, struct err *err)
{
    const struct compare_options *o = &run->options;
    struct buf command = {0};
    char output[600];
    buf_printf(&command, "gen %s --topic %s --seed %llu --start-ns %lld --events %lld", o->workload,
               o->workload, (unsigned long long)o->seed, (long long)run->began_wall_ns,
               (long long)o->event_count);
    add_flag(&command, "--log", run->log_uri);
    if (strcmp(o->workload, "ads") == 0)
        buf_printf(&command, " --rate %.0f --event-rate %.0f", o->rate, o->rate);
    else
        buf_printf(&command, " --speed %.6g", o->speed);
    add_flag(&command, "--file", o->events);
    add_flag(&command, "--time-field", o->time_field);
    add_flag(&command, "--time-format", o->time_format);
    add_flag(&command, "--key-field", o->key_field);
    snprintf(output, sizeof output, "%s/generator.out", run->work);
    process_init(&run->generator, "", "generator", o->program, command.ptr, output);
    buf_release(&command);
    return process_start(&run->generator, err);
}

int run_prepare(struct run *run, struct err *err)
{
    const struct workload *workload = workload_find(run->options.workload);
    if (!workload)
        return err_set(err, ERR_USAGE, "no workload \"%s\"", run->options.workload);
    snprintf(run->dir, sizeof run->dir, "%s", run->options.out);
    snprintf(run->work, sizeof run->work, "%s/work", run->dir);
    remove_tree(run->work);
    int rc = make_directory(run->work, err);
    if (rc == 0)
        rc = measure_stream(run, workload, err);
    if (rc == 0)
        rc = prepare_plan(run, workload, err);
    snprintf(run->log_uri, sizeof run->log_uri, "embedded:%s/log", run->work);
    if (rc == 0)
        rc = log_open(run->log_uri, true, &run->log, err);
    if (rc == 0)
        rc = log_create_topic(run->log, run->options.workload,
                              (struct log_shape){.partitions = run->options.partitions}, err);
    for (int i = 0; i < PIPELINES; i++) {
        struct side *side = &run->sides[i];
        side->pipeline = PIPELINE_LIST[i];
        side->victim = -1;
        side->recovery_us = -1;
        pthread_mutex_init(&side->lock, NULL);
        snprintf(side->archive, sizeof side->archive, "%s/archive-%s", run->work,
                 side->pipeline->name);
    }
    return rc;
}

int run_start(struct run *run, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < PIPELINES; i++)
        rc = start_side(run, &run->sides[i], err);
    for (int i = 0; rc == 0 && i < PIPELINES; i++)
        rc = wait_until_up(run, &run->sides[i], err);
    run->began_ns = clock_mono_ns() + (int64_t)START_LEAD_MS * 1000000;
    run->began_wall_ns = clock_wall_ns() + (int64_t)START_LEAD_MS * 1000000;
    if (rc == 0)
        rc = start_generator(run, err);
    for (int i = 0; rc == 0 && i < PIPELINES; i++)
        sampler_start(run, &run->sides[i]);
    return rc;
}
