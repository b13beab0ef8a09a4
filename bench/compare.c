/* bench/compare.c - the plot of a comparison: prepare, start, watch, kill, heal, settle, judge,
 * report. */
#include "bench/compare.h"

#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/run.h"
#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/base/stop.h"
#include "common/plan/plan.h"
#include "common/store/kv.h"
#include "workloads/workload.h"

enum {
    TICK_MS = 10,
    SAMPLE_MS = 250,
    START_LEAD_MS = 300, /* between starting the generator and its schedule's start */
    UP_WAIT_MS = 10000,
    SETTLE_WAIT_MS = 120000,
    STOP_WAIT_MS = 10000,
    HEAL_PERCENT = 72, /* of the stream's time */
};

static const struct pipeline *const PIPELINE_LIST[PIPELINES] = {&pipeline_lambda, &pipeline_kappa};

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
    char copy[500];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *slash = copy + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = 0;
        mkdir(copy, 0755);
    }
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
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
        rc = workload_write(run->table_dir, run->options.plan ? ".lk-plan.json" : "plan.json",
                            buf_bytes(&run->plan_json), err);
    if (rc == 0)
        rc = workload_write(run->table_dir, run->options.plan ? ".lk-healed.json" : "healed.json",
                            buf_bytes(&run->healed_json), err);
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
        if ((size_t)run->events == capacity) {
            capacity = capacity ? capacity * 2 : 65536;
            publish_us = mem_grow(publish_us, capacity * sizeof *publish_us);
        }
        publish_us[run->events++] = event.publish_us;
    }
    stream_close(stream);
    if (rc == 0 && run->events == 0)
        rc = err_set(err, ERR_USAGE, "the workload has no events");
    if (rc == 0) {
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
            buf_add_text(out, pair[1]);
            command += strlen(*pair);
        } else {
            buf_add_char(out, *command++);
        }
    }
}

static struct process *add_child(struct run *run, struct side *side,
                                 const struct pipeline_process *what)
{
    char plan[500], healed[500], commit[32], span[32], every[32], output[600];
    bool own = run->options.plan == NULL;
    snprintf(plan, sizeof plan, "%s/%s", run->table_dir, own ? "plan.json" : ".lk-plan.json");
    snprintf(healed, sizeof healed, "%s/%s", run->table_dir,
             own ? "healed.json" : ".lk-healed.json");
    snprintf(commit, sizeof commit, "%lldms", (long long)run->options.commit_ms);
    snprintf(span, sizeof span, "%lldms", (long long)run->options.span_ms);
    snprintf(every, sizeof every, "%lldms", (long long)run->options.batch_every_ms);
    const char *pairs[] = {"{plan}",        plan,         "{healed}",  healed,
                           "{log}",         run->log_uri, "{topic}",   run->options.workload,
                           "{view}",        side->view,   "{archive}", side->archive,
                           "{commit}",      commit,       "{span}",    span,
                           "{batch_every}", every,        NULL};
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
        rc = process_start(add_child(run, side, p), err);
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

static int start_generator(struct run *run, struct err *err)
{
    const struct compare_options *o = &run->options;
    struct buf command = {0};
    char output[600];
    buf_printf(&command, "gen %s --log %s --topic %s --seed %llu --start-ns %lld --events %lld",
               o->workload, run->log_uri, o->workload, (unsigned long long)o->seed,
               (long long)run->began_wall_ns, (long long)o->event_count);
    if (strcmp(o->workload, "ads") == 0)
        buf_printf(&command, " --rate %.0f --event-rate %.0f", o->rate, o->rate);
    else
        buf_printf(&command, " --speed %.6g", o->speed);
    if (o->events)
        buf_printf(&command, " --file %s --time-field %s", o->events, o->time_field);
    if (o->time_format)
        buf_printf(&command, " --time-format %s", o->time_format);
    if (o->key_field)
        buf_printf(&command, " --key-field %s", o->key_field);
    snprintf(output, sizeof output, "%s/generator.out", run->work);
    process_init(&run->generator, "", "generator", o->program, command.ptr, output);
    buf_release(&command);
    return process_start(&run->generator, err);
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

static int strike(struct run *run, struct side *side, struct err *err)
{
    struct process *victim = &side->children[side->victim];
    fprintf(stderr, "lk compare: %s %s is killed (SIGKILL) and started again\n",
            side->pipeline->name, victim->name);
    side->killed_ns = clock_mono_ns();
    process_kill(victim);
    remember(run, victim);
    int rc = process_start(victim, err);
    side->restarted_ns = clock_mono_ns();
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
                      "healing: %s", side->pipeline->healing[0].name);
        return 0;
    }
    if (side->healing_at == 0) {
        side->healing_began_ns = clock_mono_ns();
        fprintf(stderr, "lk compare: %s heals: %s\n", side->pipeline->name,
                side->pipeline->healing_story);
    }
    side->healing_at++;
    return process_start(add_child(run, side, step), err);
}

static int watch_children(struct run *run, struct side *side, struct err *err)
{
    (void)run;
    for (int i = 0; i < side->child_count; i++)
        if (process_ended(&side->children[i]) && side->children[i].failed)
            return err_set(err, ERR_CHECK, "%s: %s ended by itself: %s", side->pipeline->name,
                           side->children[i].name, side->children[i].fate);
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
    fprintf(stderr, "\rlk compare: %3.0f %% of %.0f s ", share > 1 ? 100 : share * 100,
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
        rc = err_set(err, ERR_CHECK, "the generator failed: %s", run->generator.fate);
    fprintf(stderr, "lk compare: all events are out; waiting until both views hold them\n");
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
    log_close(run->log);
    buf_release(&run->plan_json);
    buf_release(&run->healed_json);
    buf_release(&run->samples);
    free(run);
}

static int prepare(struct run *run, struct err *err)
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
        rc = log_create_topic(run->log, run->options.workload, run->options.partitions, err);
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

static int start_all(struct run *run, struct err *err)
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

int compare_run(const struct compare_options *options, FILE *out, bool *pass, struct err *err)
{
    struct run *run = mem_zero(1, sizeof *run);
    run->options = *options;
    int rc = prepare(run, err);
    if (rc == 0)
        fprintf(stderr, "lk compare: %s, %lld events in %.0f s, seed %llu; raw files in %s\n",
                options->workload, (long long)run->events, (double)run->duration_ns / 1e9,
                (unsigned long long)options->seed, run->work);
    if (rc == 0)
        rc = start_all(run, err);
    if (rc == 0)
        rc = watch_run(run, err);
    stop_all(run);
    if (rc == 0)
        fprintf(stderr, "lk compare: judging every answer that was read\n");
    if (rc == 0)
        rc = run_judge(run, err);
    if (rc == 0)
        rc = run_report(run, out, pass, err);
    release(run);
    return rc;
}
