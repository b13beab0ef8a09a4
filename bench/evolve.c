/* bench/evolve.c - see evolve.h.
 *
 *   history ──> log <── generator at its rate
 *   services ─ drained ─ watch ─ [change: steps] ─ watch ─ [back: steps] ─ watch ─ [clean: steps]
 *   applications and a probe ask all the while; CPU and memory are read off at each mark */
#include "bench/evolve_parts.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/directory.h"
#include "common/base/stop.h"
#include "workloads/workload.h"

enum { POLL_MS = 5, WAIT_MS = 60000, STOP_MS = 10000, LINGER_MS = 200 };

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("lk compare evolve: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* ---- places and plans ---- */

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info, (void)type, (void)ftw;
    return remove(path);
}

static int make_places(struct evolve_side *side, struct err *err)
{
    snprintf(side->dir, sizeof side->dir, "%s/%s", side->options->out, side->way->name);
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
        {"{log}", side->log_uri},         {"{topic}", EVOLVE_TOPIC},
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

static int run_to_end(struct evolve_side *side, const char *command, struct err *err)
{
    struct process verb;
    init_process(side, &verb, "verb", command);
    int rc = process_start(&verb, err);
    for (int waited = 0; rc == 0 && !process_ended(&verb) && waited < WAIT_MS; waited += POLL_MS)
        clock_sleep_ms(POLL_MS);
    process_kill(&verb);
    if (rc == 0 && (verb.failed || verb.exit_status != 0))
        rc = err_set(err, ERR_CHECK, "%s: %s: %s", side->way->name, command, verb.fate);
    side->verbs_cpu_s += verb.cpu_s;
    process_release(&verb);
    return rc;
}

static int check_actors(struct evolve_side *side, struct err *err)
{
    for (int i = 0; i < side->actor_count; i++)
        if (process_ended(&side->actors[i]) && side->actors[i].failed)
            return err_set(err, ERR_CHECK, "%s: %s ended: %s; see %s.err", side->way->name,
                           side->actors[i].name, side->actors[i].fate, side->actors[i].output);
    return stop_asked() ? err_set(err, ERR_INTERRUPTED, "interrupted") : 0;
}

/* ---- steps ---- */

static bool holds(struct evolve_side *side, enum rule rule, const int64_t *ends)
{
    struct kv *kv;
    struct answer answer = {0};
    struct registry registry = {0};
    struct view_query query = {.positions_only = true};
    if (kv_open(side->view, &kv, NULL) < 0)
        return false;
    const struct plan *plan = side->rule[rule];
    bool all = registry_read(kv, plan->view, side->way->arch, &registry, NULL) == 0;
    const struct registry_version *version = all ? registry_find(&registry, plan->hash) : NULL;
    query.version = version ? version->number : 0;
    all = version && view_read(kv, plan->view, side->way->arch, &query, &answer, NULL) == 0;
    for (int p = 0; all && p < answer.partitions; p++)
        all = answer.parts[p].next >= ends[p] &&
              (!side->way->batches || answer.parts[p].boundary > 0);
    answer_release(&answer);
    registry_release(&registry);
    kv_close(kv);
    return all;
}

static int log_ends(struct evolve_side *side, int64_t ends[EVOLVE_PARTITIONS], struct err *err)
{
    int rc = 0;
    for (int p = 0; rc == 0 && p < EVOLVE_PARTITIONS; p++) {
        int64_t first;
        rc = log_range(side->log, EVOLVE_TOPIC, p, &first, &ends[p], err);
    }
    return rc;
}

static int caught_up(struct evolve_side *side, enum rule rule, struct err *err)
{
    int64_t ends[EVOLVE_PARTITIONS];
    int rc = log_ends(side, ends, err);
    for (int waited = 0; rc == 0 && !holds(side, rule, ends); waited += POLL_MS) {
        rc = check_actors(side, err);
        if (rc == 0 && waited > WAIT_MS)
            rc = err_set(err, ERR_CHECK, "%s does not reach the log's end", side->way->name);
        clock_sleep_ms(POLL_MS);
    }
    return rc;
}

static void tell(struct evolve_side *side, enum rule rule)
{
    for (int i = 0; i < side->application_count; i++) {
        if (i > 0)
            clock_sleep_ms(TELL_MS);
        side->applications[i].ask = (int)rule;
    }
}

static int do_step(struct evolve_side *side, const struct evolve_step *step, struct effort *effort,
                   struct err *err)
{
    effort->commands += step->command != NULL;
    effort->started += step->kind == STEP_START;
    effort->flips += step->kind == STEP_TELL ? side->application_count : step->flips;
    switch (step->kind) {
    case STEP_START:
        init_process(side, &side->actors[side->actor_count], step->who, step->command);
        return process_start(&side->actors[side->actor_count++], err);
    case STEP_RUN:
        return run_to_end(side, step->command, err);
    case STEP_CAUGHT_UP:
        return caught_up(side, RULE_NEW, err);
    case STEP_TELL:
        tell(side, step->rule);
        return 0;
    case STEP_LOOK:
        clock_sleep_ms(LOOK_MS);
        return 0;
    case STEP_STOP:
        process_stop(actor(side, step->who), STOP_MS);
        return 0;
    case STEP_END:
        break;
    }
    return 0;
}

static int do_steps(struct evolve_side *side, const struct evolve_step *steps,
                    struct effort *effort, struct err *err)
{
    struct effort none = {0};
    int rc = 0;
    for (; rc == 0 && steps->kind != STEP_END; steps++) {
        rc = check_actors(side, err);
        rc = rc < 0 ? rc : do_step(side, steps, effort ? effort : &none, err);
    }
    return rc;
}

/* ---- a play ---- */

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
        rc = run_to_end(side, command.ptr, err);
    } else {
        init_process(side, &side->generator, "generator", command.ptr);
        rc = process_start(&side->generator, err);
    }
    buf_release(&command);
    return rc;
}

static int prepare(struct evolve_side *side, struct err *err)
{
    int rc = make_places(side, err);
    rc = rc < 0 ? rc : generate(side, true, err);
    rc = rc < 0 ? rc : write_plans(side, err);
    rc = rc < 0 ? rc : log_open(side->log_uri, false, &side->log, err);
    rc = rc < 0 ? rc : redis_server_start(&side->redis, side->way->name, side->dir, err);
    snprintf(side->view, sizeof side->view, "%s", side->redis.uri);
    rc = rc < 0 ? rc : do_steps(side, side->way->services, NULL, err);
    rc = rc < 0 ? rc : caught_up(side, RULE_OLD, err);
    rc = rc < 0 ? rc : generate(side, false, err);
    if (rc == 0) /* the generator looks at what is there before it goes on */
        clock_sleep_ms(1500);
    return rc;
}

static int rest(struct evolve_side *side, struct err *err)
{
    for (int i = 0; i < side->options->seconds * 10; i++) {
        int rc = check_actors(side, err);
        if (rc < 0)
            return rc;
        clock_sleep_ms(100);
    }
    return 0;
}

/* Steps that change what is answered, and a little behind them. */
static int do_tense(struct evolve_side *side, const struct evolve_step *steps,
                    struct effort *effort, struct err *err)
{
    side->tense = true;
    int rc = do_steps(side, steps, effort, err);
    clock_sleep_ms(LINGER_MS);
    side->tense = false;
    return rc;
}

static int play(struct evolve_side *side, struct err *err)
{
    struct evolve_result *result = side->result;
    int rc = prepare(side, err);
    if (rc < 0)
        return rc;
    say("%s: %s", side->way->name, side->way->story);
    watch_start(side);
    watch_mark(side, MARK_BEGIN);
    rc = rest(side, err);
    watch_mark(side, MARK_CHANGE);
    rc = rc < 0 ? rc : do_tense(side, side->way->change, &result->change, err);
    watch_mark(side, MARK_CHANGED);
    rc = rc < 0 ? rc : rest(side, err);
    watch_mark(side, MARK_BACK);
    rc = rc < 0 ? rc : do_tense(side, side->way->back, &result->back, err);
    watch_mark(side, MARK_UNDONE);
    rc = rc < 0 ? rc : rest(side, err);
    rc = rc < 0 ? rc : do_steps(side, side->way->clean, &result->clean, err);
    watch_stop(side);
    watch_mark(side, MARK_CLEAN);
    return rc;
}

static void stop_all(struct evolve_side *side)
{
    watch_stop(side);
    process_stop(&side->generator, STOP_MS);
    for (int i = 0; i < side->actor_count; i++)
        process_stop(&side->actors[i], STOP_MS);
    redis_server_stop(&side->redis);
}

static void release(struct evolve_side *side)
{
    for (int i = 0; i < side->actor_count; i++)
        process_release(&side->actors[i]);
    process_release(&side->generator);
    process_release(&side->redis.process);
    watch_release(side);
    log_close(side->log);
    for (int i = 0; i < RULES; i++)
        plan_free(side->rule[i]);
    free(side);
}

static int play_way(const struct evolve_options *options, const struct evolve_way *way,
                    struct evolve_result *result, struct err *err)
{
    struct evolve_side *side = mem_zero(1, sizeof *side);
    *result = (struct evolve_result){.way = way};
    *side = (struct evolve_side){.options = options, .way = way, .result = result};
    pthread_mutex_init(&side->lock, NULL);
    side->application_count = options->readers;
    int rc = play(side, err);
    stop_all(side);
    if (rc == 0)
        say("%s: judging every answer", way->name);
    rc = rc < 0 ? rc : evolve_judge(side, err);
    if (rc == 0)
        nftw(side->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    release(side);
    return rc;
}

int evolve_run(const struct evolve_options *options, FILE *out, bool *pass, struct err *err)
{
    struct evolve_result results[2];
    int count = 0, rc = 0;
    *pass = true;
    for (int i = 0; rc == 0 && i < 2; i++) {
        if (options->arch && strcmp(options->arch, EVOLVE_WAYS[i].name) != 0)
            continue;
        rc = play_way(options, &EVOLVE_WAYS[i], &results[count], err);
        *pass = *pass && results[count].neither == 0;
        count++;
    }
    if (rc == 0)
        evolve_print(options, results, count, options->json, out);
    return rc;
}
