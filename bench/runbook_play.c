/* bench/runbook_play.c - the steps of a runbook, one after the other: what each kind does, and waits for. */
#include <assert.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/runbook_parts.h"
#include "common/base/clock.h"
#include "common/base/stop.h"
#include "common/plan/plan.h"

enum {
    POLL_MS = 10,
    WAIT_MS = 30000,
    STOP_MS = 10000,
    CUT_MS = 500, /* some spans */
};

void play_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("lk compare runbooks: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* ---- processes ---- */

struct process *play_actor(struct play *play, const char *who)
{
    if (strcmp(who, "redis") == 0)
        return &play->redis.process;
    for (int i = 0; i < play->actor_count; i++)
        if (strcmp(play->actors[i].name, who) == 0)
            return &play->actors[i];
    return NULL;
}

void play_kill(struct process *process)
{
    if (process->pid > 0)
        kill(-process->pid, SIGKILL);
    process_kill(process);
}

static void touch(struct play *play, const char *who)
{
    const struct process *process = play_actor(play, who);
    int bit = process == &play->redis.process ? ACTORS_MAX : (int)(process - play->actors);
    play->touched |= 1u << bit;
}

static void init_process(struct play *play, struct process *process, const char *name,
                         const char *program, const char *command)
{
    char output[500];
    snprintf(output, sizeof output, "%s/said-%d", play->dir, play->outputs++);
    process_init(process, play->of->name, name, program, command, output);
}

/* Of a step's verb; not started. */
struct process *play_process(struct play *play, const struct step *step)
{
    assert(play && step->who);
    struct process *process = play_actor(play, step->who);
    struct buf command = {0};
    if (!process)
        process = &play->actors[play->actor_count++];
    process_kill(process); /* one of that name that is there already makes room */
    process_release(process);
    play_fill(play, step->command, &command);
    init_process(play, process, step->who, play->options->program, command.ptr);
    buf_release(&command);
    return process;
}

int play_start_redis(struct play *play, struct err *err)
{
    int rc = process_start(&play->redis.process, err);
    for (int waited = 0; rc == 0 && waited < WAIT_MS; waited += POLL_MS) {
        struct kv *kv;
        if (kv_open(play->view, &kv, NULL) == 0) {
            kv_close(kv);
            return 0;
        }
        clock_sleep_ms(POLL_MS);
    }
    return rc < 0 ? rc : err_set(err, ERR_ENV, "Redis does not come back");
}

/* What stands in a command behind "--plan " or "--view ", in braces; NULL: nothing. */
static const char *word_behind(const char *command, const char *flag, char out[32])
{
    const char *at = strstr(command, flag);
    if (!at)
        return NULL;
    at += strlen(flag);
    snprintf(out, 32, "%.*s", (int)strcspn(at, " "), at);
    return out;
}

/* A worker has begun once the registry knows its plan: who types the next verb would have looked. */
static int wait_until_begun(struct play *play, const struct step *step, struct err *err)
{
    char plan_word[32], view_word[32];
    struct plan *plan = NULL;
    if (!word_behind(step->command, "--plan ", plan_word))
        return 0;
    const char *view = play_word(play, word_behind(step->command, "--view ", view_word));
    int rc = play_plan(play, plan_word, &plan, err);
    struct process *process = play_actor(play, step->who);
    for (int waited = 0; rc == 0 && waited < WAIT_MS; waited += POLL_MS) {
        struct registry registry = {0};
        struct kv *kv = NULL;
        bool there = kv_open(view, &kv, NULL) == 0 &&
                     registry_read(kv, plan->view, play->of->arch, &registry, NULL) == 0 &&
                     registry_find(&registry, plan->hash);
        registry_release(&registry);
        kv_close(kv);
        if (there)
            break;
        if (process_ended(process))
            rc = err_set(err, ERR_CHECK, "%s ended: %s", step->who, process->fate);
        clock_sleep_ms(POLL_MS);
    }
    plan_free(plan);
    return rc;
}

static int start(struct play *play, const struct step *step, struct err *err)
{
    if (strcmp(step->who, "redis") == 0)
        return play_start_redis(play, err);
    struct process *process =
        step->command ? play_process(play, step) : play_actor(play, step->who);
    int rc = process_start(process, err);
    return rc == 0 && step->command ? wait_until_begun(play, step, err) : rc;
}

static int run_to_end(struct process *process, int exit, const char *command, struct err *err)
{
    int rc = process_start(process, err);
    int waited = 0;
    for (; rc == 0 && !process_ended(process) && waited < 2 * WAIT_MS; waited += POLL_MS / 2)
        clock_sleep_ms(POLL_MS / 2);
    if (rc == 0 && process->pid)
        rc = err_set(err, ERR_CHECK, "does not end: %s", command);
    else if (rc == 0 && (process->exit_status != exit || strstr(process->fate, "signal")))
        rc = err_set(err, ERR_CHECK, "expected exit %d, found \"%s\": %s", exit, process->fate,
                     command);
    process_kill(process);
    return rc;
}

static int run_verb(struct play *play, const struct step *step, struct err *err)
{
    struct process process;
    struct buf command = {0};
    play_fill(play, step->command, &command);
    init_process(play, &process, "verb", play->options->program, command.ptr);
    int rc = run_to_end(&process, step->exit, step->command, err);
    process_release(&process);
    buf_release(&command);
    return rc;
}

int play_shell(struct play *play, const char *line, struct err *err)
{
    struct process process;
    struct buf command = {0}, filled = {0};
    play_fill(play, line, &filled);
    buf_add_text(&command, "-c ");
    process_add_word(&command, filled.ptr);
    init_process(play, &process, "sh", "sh", command.ptr);
    int rc = run_to_end(&process, 0, line, err);
    process_release(&process);
    buf_release(&filled);
    buf_release(&command);
    return rc;
}

/* ---- waiting ---- */

static int log_ends(const struct play *play, struct log *log, const char *topic, int64_t *ends,
                    struct err *err)
{
    int count = log_partitions(log, play_word(play, topic), err);
    for (int p = 0; p < count; p++) {
        int64_t first;
        int rc = log_range(log, play_word(play, topic), p, &first, &ends[p], err);
        if (rc < 0)
            return rc;
    }
    return count;
}

static bool view_holds(struct play *play, struct runbook_address at, const int64_t *ends)
{
    struct answer answer;
    if (reader_ask(play, at, true, &answer, NULL) < 0)
        return false;
    bool holds = true;
    for (int p = 0; p < answer.partitions; p++)
        holds = holds && answer.parts[p].next >= ends[p];
    answer_release(&answer);
    return holds;
}

static bool archive_holds(struct play *play, struct runbook_address at, const int64_t *ends)
{
    struct log *archive;
    int64_t held[LOG_PARTITIONS_MAX] = {0};
    char uri[500];
    snprintf(uri, sizeof uri, "archive:%s", play->archive);
    if (log_open(uri, false, &archive, NULL) < 0)
        return false;
    int count = log_ends(play, archive, at.topic, held, NULL);
    log_close(archive);
    bool holds = count > 0;
    for (int p = 0; p < count; p++)
        holds = holds && held[p] >= ends[p];
    return holds;
}

static int wait_for(struct play *play, const struct step *step,
                    bool (*holds)(struct play *play, struct runbook_address at,
                                  const int64_t *ends),
                    struct err *err)
{
    struct runbook_address at = play_address(step->to);
    int64_t ends[LOG_PARTITIONS_MAX] = {0};
    int rc = log_ends(play, play->log, at.topic, ends, err);
    for (int waited = 0; rc >= 0; waited += POLL_MS) {
        if (holds(play, at, ends))
            return 0;
        if (waited > WAIT_MS)
            return err_set(err, ERR_CHECK, "%s does not reach the log's end of then within %d s",
                           step->kind == STEP_WAIT ? "the view" : "the archive", WAIT_MS / 1000);
        if (stop_asked())
            return err_set(err, ERR_INTERRUPTED, "interrupted");
        clock_sleep_ms(POLL_MS);
    }
    return rc;
}

int play_step(struct play *play, const struct step *step, struct err *err)
{
    if (stop_asked())
        return err_set(err, ERR_INTERRUPTED, "interrupted");
    int rc = reader_follow(play, err);
    if (rc < 0)
        return rc;
    switch (step->kind) {
    case STEP_RUN:
        return run_verb(play, step, err);
    case STEP_START:
        rc = start(play, step, err);
        break;
    case STEP_STOP:
        process_stop(play_actor(play, step->who), STOP_MS);
        break;
    case STEP_KILL:
        play_kill(play_actor(play, step->who));
        break;
    case STEP_SHELL:
        return play_shell(play, step->command, err);
    case STEP_BACKFILL:
        return play_backfill(play, err);
    case STEP_PRODUCERS:
        return play_turn_producers(play, step->to.topic, err);
    case STEP_READERS:
        reader_turn(play, play_address(step->to));
        return 0;
    case STEP_WAIT:
        return wait_for(play, step, view_holds, err);
    case STEP_WAIT_ARCHIVE:
        rc = wait_for(play, step, archive_holds, err);
        clock_sleep_ms(CUT_MS);
        return rc;
    case STEP_END:
        return 0;
    }
    touch(play, step->who);
    return rc;
}

int play_steps(struct play *play, const struct step *steps, struct err *err)
{
    int rc = 0;
    for (; rc == 0 && steps->kind != STEP_END; steps++)
        rc = play_step(play, steps, err);
    return rc;
}

/* ---- files ---- */

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info, (void)type, (void)ftw;
    return remove(path);
}

void play_remove(const char *directory)
{
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
