/* bench/launch.c - a run's processes: a Redis and the parts of each pipeline, then the generator. */
#include <stdlib.h>

#include "bench/run.h"
#include "common/base/clock.h"
#include "common/base/stop.h"

enum {
    TICK_MS = 10,
    START_LEAD_MS = 300, /* between starting the generator and its schedule's start */
    UP_WAIT_MS = 10000,
};

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
    const char *pairs[] = {
        "{plan}",     run->plan_path,  "{healed}", run->healed_path, "{log}",
        run->log_uri, "{topic}",       run->topic, "{view}",         side->view,
        "{archive}",  side->archive,   "{commit}", commit,           "{span}",
        span,         "{batch_every}", every,      "{handover}",     handover_name(side->handover),
        NULL};
    struct buf command = {0};
    replace(&command, what->command, pairs);
    snprintf(output, sizeof output, "%s/%s-%s.out", run->work, side->name, what->name);
    for (char *c = output + strlen(run->work); *c; c++)
        if (*c == ' ')
            *c = '-';
    struct process *child = &side->children[side->child_count++];
    process_init(child, side->name, what->name, run->options.program, command.ptr, output);
    buf_release(&command);
    return child;
}

static int start_redis(struct run *run, struct side *side, struct err *err)
{
    char directory[500];
    snprintf(directory, sizeof directory, "%s/%s", run->work, side->name);
    side->redis.appendfsync = faults_appendfsync(run, side);
    int rc = redis_server_start(&side->redis, side->name, directory, err);
    snprintf(side->view, sizeof side->view, "%s", side->redis.uri);
    return rc;
}

static int start_side(struct run *run, struct side *side, struct err *err)
{
    int rc = start_redis(run, side, err);
    for (const struct pipeline_process *p = side->pipeline->processes; rc == 0 && p->name; p++) {
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
                return err_set(err, ERR_ENV, "%s ended at once: %s; see %s.err",
                               side->children[i].name, side->children[i].fate,
                               side->children[i].output);
        clock_sleep_ms(TICK_MS);
    }
    return err_set(err, ERR_ENV, "the view of %s does not come up", side->name);
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
    buf_printf(&command, "gen %s --topic %s --resume --seed %llu --start-ns %lld --events %lld",
               o->workload, run->topic, (unsigned long long)o->seed, (long long)run->began_wall_ns,
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

int run_start(struct run *run, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < run->side_count; i++)
        rc = start_side(run, &run->sides[i], err);
    for (int i = 0; rc == 0 && i < run->side_count; i++)
        rc = wait_until_up(run, &run->sides[i], err);
    run->began_ns = clock_mono_ns() + (int64_t)START_LEAD_MS * 1000000;
    run->began_wall_ns = clock_wall_ns() + (int64_t)START_LEAD_MS * 1000000;
    if (rc == 0)
        rc = start_generator(run, err);
    for (int i = 0; rc == 0 && i < run->side_count; i++)
        sampler_start(run, &run->sides[i]);
    return rc;
}
