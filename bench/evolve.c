/* bench/evolve.c - see evolve.h.
 *
 *   history ──> log <── generator at its rate
 *   services ─ drained ─ watch ─ [change: steps] ─ watch ─ [back: steps] ─ watch ─ [clean: steps]
 *   applications and a probe ask all the while; CPU and memory are read off at each mark */
#include "bench/evolve_parts.h"

#include <stdarg.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/stop.h"

enum { POLL_MS = 5, WAIT_MS = 60000, LINGER_MS = 200 };

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
        rc = log_range(side->log, side->topic, p, &first, &ends[p], err);
    }
    return rc;
}

static int caught_up(struct evolve_side *side, enum rule rule, struct err *err)
{
    int64_t ends[EVOLVE_PARTITIONS];
    int rc = log_ends(side, ends, err);
    for (int waited = 0; rc == 0 && !holds(side, rule, ends); waited += POLL_MS) {
        rc = stage_check(side, err);
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
        return stage_start(side, step->who, step->command, err);
    case STEP_RUN:
        return stage_run(side, step->command, err);
    case STEP_CAUGHT_UP:
        return caught_up(side, RULE_NEW, err);
    case STEP_TELL:
        tell(side, step->rule);
        return 0;
    case STEP_LOOK:
        clock_sleep_ms(LOOK_MS);
        return 0;
    case STEP_STOP:
        stage_stop(side, step->who);
        return 0;
    case STEP_END:
        break;
    }
    return 0;
}

/* "lk kappa deploy --plan new.json": the flags that say where are left out. */
static void say_command(const char *command, char out[128])
{
    static const char *const WORDS[][2] = {{"{plan}", "old.json"}, {"{new}", "new.json"}};
    const char *plan = strchr(command, '{');
    size_t length = strcspn(command, "{");
    int used = snprintf(out, 128, "lk %.*s", (int)length, command);
    for (int i = 0; i < 2 && plan; i++)
        if (strncmp(plan, WORDS[i][0], strlen(WORDS[i][0])) == 0)
            snprintf(out + used, 128 - (size_t)used, "%s", WORDS[i][1]);
}

static void say_step(const struct evolve_step *step, char out[128])
{
    static const char *const NAMES[RULES] = {"old", "new"};
    switch (step->kind) {
    case STEP_CAUGHT_UP:
        snprintf(out, 128, "waiting until the new view holds the log's end");
        break;
    case STEP_TELL:
        snprintf(out, 128, "applications are told to ask the %s view", NAMES[step->rule]);
        break;
    case STEP_LOOK:
        snprintf(out, 128, "somebody looks at what the canary says");
        break;
    case STEP_STOP:
        snprintf(out, 128, "%s is stopped", step->who);
        break;
    default:
        say_command(step->command, out);
    }
}

static void keep_moment(struct evolve_side *side, const struct evolve_step *step, int64_t began_ns)
{
    struct evolve_result *result = side->result;
    if (!result->mark[MARK_BEGIN].at_ns || result->moment_count == MOMENTS_MAX)
        return;
    struct evolve_moment *moment = &result->moments[result->moment_count++];
    moment->began_ns = began_ns;
    moment->ended_ns = clock_mono_ns();
    say_step(step, moment->what);
}

static int do_steps(struct evolve_side *side, const struct evolve_step *steps,
                    struct effort *effort, struct err *err)
{
    struct effort none = {0};
    int rc = 0;
    for (; rc == 0 && steps->kind != STEP_END; steps++) {
        int64_t began_ns = clock_mono_ns();
        rc = stage_check(side, err);
        rc = rc < 0 ? rc : do_step(side, steps, effort ? effort : &none, err);
        keep_moment(side, steps, began_ns);
    }
    return rc;
}

/* ---- a play ---- */

static int prepare(struct evolve_side *side, struct err *err)
{
    int rc = stage_open(side, err);
    rc = rc < 0 ? rc : do_steps(side, side->way->services, NULL, err);
    rc = rc < 0 ? rc : caught_up(side, RULE_OLD, err);
    rc = rc < 0 ? rc : stage_generate(side, err);
    if (rc == 0) /* the generator looks at what is there before it goes on */
        clock_sleep_ms(1500);
    return rc;
}

static int rest(struct evolve_side *side, struct err *err)
{
    for (int i = 0; i < side->options->seconds * 10; i++) {
        int rc = stage_check(side, err);
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

static int play_way(const struct evolve_options *options, const struct evolve_way *way,
                    struct evolve_result *result, struct err *err)
{
    struct evolve_side *side = mem_zero(1, sizeof *side);
    *result = (struct evolve_result){.way = way};
    *side = (struct evolve_side){.options = options, .way = way, .result = result};
    pthread_mutex_init(&side->lock, NULL);
    side->application_count = options->readers;
    int rc = play(side, err);
    watch_stop(side);
    stage_halt(side);
    if (rc == 0)
        say("%s: judging every answer", way->name);
    rc = rc < 0 ? rc : evolve_judge(side, err);
    if (rc == 0)
        stage_clean(side);
    watch_release(side);
    stage_close(side);
    free(side);
    return rc;
}

int evolve_run(const struct evolve_options *options, FILE *out, bool *pass, struct err *err)
{
    struct evolve_result results[2] = {{.way = NULL}};
    int64_t began_wall_ns = clock_wall_ns();
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
        rc = evolve_page(options, results, count, began_wall_ns, err);
    if (rc == 0)
        evolve_print(options, results, count, out);
    for (int i = 0; i < count; i++)
        buf_release(&results[i].lines);
    return rc;
}
