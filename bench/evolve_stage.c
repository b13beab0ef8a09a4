/* bench/evolve_stage.c - where a changed rule is played: a directory, a log with a history, both plans, a Redis,
 * and processes. See evolve_parts.h. */
#include <ftw.h>
#include <stdlib.h>

#include "bench/evolve_parts.h"
#include "common/base/clock.h"
#include "common/base/directory.h"
#include "common/base/stop.h"
#include "workloads/workload.h"

enum { POLL_MS = 5, WAIT_MS = 60000, STOP_MS = 10000 };

/* ---- places and plans ---- */

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info, (void)type, (void)ftw;
    return remove(path);
}

static int make_places(struct evolve_side *side, struct err *err)
{
    snprintf(side->dir, sizeof side->dir, "%s/%s", side->options->out, side->way->name);
    if (side->options->log) /* nobody has used this topic before, and it goes with the run */
        snprintf(side->topic, sizeof side->topic, "lk-evolve-%s-%lld", side->way->name,
                 (long long)clock_wall_ms());
    else
        snprintf(side->topic, sizeof side->topic, "ads");
    if (side->options->log)
        snprintf(side->log_uri, sizeof side->log_uri, "%s", side->options->log);
    else
        snprintf(side->log_uri, sizeof side->log_uri, "embedded:%s/log", side->dir);
    snprintf(side->archive, sizeof side->archive, "%s/archive", side->dir);
    snprintf(side->plan[RULE_OLD], sizeof *side->plan, "%s/old.json", side->dir);
    snprintf(side->plan[RULE_NEW], sizeof *side->plan, "%s/new.json", side->dir);
    nftw(side->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (directory_make(side->dir) < 0)
        return err_errno(err, ERR_ENV, "cannot make directory %s", side->dir);
    return 0;
}

static void add_edited(struct buf *out, struct bytes text, const char *from, const char *to)
{
    const char *at = strstr(text.ptr, from);
    size_t before = at ? (size_t)(at - text.ptr) : text.len, behind = before + strlen(from);
    buf_add(out, text.ptr, before);
    if (!at)
        return;
    buf_add_text(out, to);
    buf_add(out, text.ptr + behind, text.len - behind);
}

/* The rule that changes: clicks count, too. */
static int write_plans(struct evolve_side *side, struct err *err)
{
    struct bytes own = workload_plan("ads.json");
    struct buf changed = {0}, renamed = {0};
    char name[64];
    add_edited(&changed, own, "[\"event_type\", \"=\", \"view\"]",
               "[\"event_type\", \"!=\", \"purchase\"]");
    snprintf(name, sizeof name, "\"%s\"", side->way->rename ? side->way->rename : "ad_views");
    add_edited(&renamed, buf_bytes(&changed), "\"ad_views\"", name);
    int rc = workload_write(side->dir, "old.json", own, err);
    if (rc == 0)
        rc = workload_write(side->dir, "new.json", buf_bytes(&renamed), err);
    for (int i = 0; rc == 0 && i < RULES; i++)
        rc = plan_load(side->plan[i], &side->rule[i], NULL, err);
    buf_release(&changed);
    buf_release(&renamed);
    return rc;
}

/* ---- processes ---- */

static void fill(const struct evolve_side *side, const char *command, struct buf *out)
{
    const char *const words[][2] = {
        {"{plan}", side->plan[RULE_OLD]}, {"{new}", side->plan[RULE_NEW]},
        {"{log}", side->log_uri},         {"{topic}", side->topic},
        {"{view}", side->view},           {"{archive}", side->archive}};
    while (*command) {
        size_t i = 0, count = sizeof words / sizeof *words;
        while (i < count && strncmp(command, words[i][0], strlen(words[i][0])) != 0)
            i++;
        if (i == count) {
            buf_add_char(out, *command++);
            continue;
        }
        process_add_word(out, words[i][1]);
        command += strlen(words[i][0]);
    }
}

static void init_process(struct evolve_side *side, struct process *process, const char *name,
                         const char *command)
{
    char output[500];
    struct buf filled = {0};
    fill(side, command, &filled);
    snprintf(output, sizeof output, "%s/said-%d", side->dir, side->said++);
    process_init(process, side->way->name, name, side->options->program, filled.ptr, output);
    buf_release(&filled);
}

static struct process *actor(struct evolve_side *side, const char *who)
{
    for (int i = 0; i < side->actor_count; i++)
        if (strcmp(side->actors[i].name, who) == 0)
            return &side->actors[i];
    return NULL;
}

/* Something of the environment was missing, or lk is wrong. */
static int fate_code(const struct process *process)
{
    return process->exit_status == err_exit_status(ERR_ENV) ? ERR_ENV : ERR_CHECK;
}

int stage_run(struct evolve_side *side, const char *command, struct err *err)
{
    struct process verb;
    init_process(side, &verb, "verb", command);
    int rc = process_start(&verb, err);
    for (int waited = 0; rc == 0 && !process_ended(&verb) && waited < WAIT_MS; waited += POLL_MS)
        clock_sleep_ms(POLL_MS);
    process_kill(&verb);
    if (rc == 0 && (verb.failed || verb.exit_status != 0))
        rc = err_set(err, fate_code(&verb), "%s: lk %.*s... %s", side->way->name,
                     (int)strcspn(command, "-{"), command, verb.fate);
    side->verbs_cpu_s += verb.cpu_s;
    process_release(&verb);
    return rc;
}

int stage_start(struct evolve_side *side, const char *who, const char *command, struct err *err)
{
    init_process(side, &side->actors[side->actor_count], who, command);
    return process_start(&side->actors[side->actor_count++], err);
}

void stage_stop(struct evolve_side *side, const char *who)
{
    process_stop(actor(side, who), STOP_MS);
}

int stage_check(struct evolve_side *side, struct err *err)
{
    for (int i = 0; i < side->actor_count; i++)
        if (process_ended(&side->actors[i]) && side->actors[i].failed)
            return err_set(err, fate_code(&side->actors[i]), "%s: %s ended: %s; see %s.err",
                           side->way->name, side->actors[i].name, side->actors[i].fate,
                           side->actors[i].output);
    return stop_asked() ? err_set(err, ERR_INTERRUPTED, "interrupted") : 0;
}

/* ---- the log ---- */

static int generate(struct evolve_side *side, bool history, struct err *err)
{
    const struct evolve_options *o = side->options;
    struct buf command = {0};
    char dir[500] = "";
    struct buf tables = {0};
    process_add_word(&tables, side->dir);
    snprintf(dir, sizeof dir, "%s", tables.ptr);
    buf_release(&tables);
    buf_printf(&command,
               "gen ads --log {log} --topic {topic} --partitions %d --seed %llu --events %lld "
               "--event-rate %g --rate ",
               EVOLVE_PARTITIONS, (unsigned long long)o->seed,
               (long long)(history ? o->history : o->history + (int64_t)(o->rate * 600)), o->rate);
    if (history)
        buf_printf(&command, "max --tables %s", dir);
    else
        buf_printf(&command, "%g --resume", o->rate);
    int rc;
    if (history) {
        rc = stage_run(side, command.ptr, err);
    } else {
        init_process(side, &side->generator, "generator", command.ptr);
        rc = process_start(&side->generator, err);
    }
    buf_release(&command);
    return rc;
}

int stage_generate(struct evolve_side *side, struct err *err)
{
    return generate(side, false, err);
}

/* ---- all of it ---- */

int stage_open(struct evolve_side *side, struct err *err)
{
    int rc = make_places(side, err);
    rc = rc < 0 ? rc : generate(side, true, err);
    rc = rc < 0 ? rc : write_plans(side, err);
    rc = rc < 0 ? rc : log_open(side->log_uri, false, &side->log, err);
    rc = rc < 0 ? rc : redis_server_start(&side->redis, side->way->name, side->dir, err);
    snprintf(side->view, sizeof side->view, "%s", side->redis.uri);
    return rc;
}

void stage_halt(struct evolve_side *side)
{
    process_stop(&side->generator, STOP_MS);
    for (int i = 0; i < side->actor_count; i++)
        process_stop(&side->actors[i], STOP_MS);
    redis_server_stop(&side->redis);
}

void stage_clean(struct evolve_side *side)
{
    nftw(side->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void stage_close(struct evolve_side *side)
{
    for (int i = 0; i < side->actor_count; i++)
        process_release(&side->actors[i]);
    process_release(&side->generator);
    process_release(&side->redis.process);
    if (side->log && side->options->log)
        log_delete_topic(side->log, side->topic, NULL);
    log_close(side->log);
    for (int i = 0; i < RULES; i++)
        plan_free(side->rule[i]);
}
