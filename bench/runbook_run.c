/* bench/runbook_run.c - one runbook after the other: played, its verdict, played again with kills; then the table and
 * the report. */
#include <stdlib.h>

#include "bench/runbook_parts.h"
#include "common/base/clock.h"

enum { LINGER_MS = 200 /* for the reader to see how it ended */ };

static void count_steps(struct play *play)
{
    struct runbook_result *result = play->result;
    for (const struct step *step = play->book->steps; step->kind != STEP_END; step++) {
        bool command = step->kind == STEP_RUN || step->kind == STEP_SHELL ||
                       (step->kind == STEP_START && step->command);
        result->commands += command;
        result->pointers += step->pointer != NULL;
    }
    result->processes = __builtin_popcount(play->touched);
}

/* Producers stop, the last events are awaited where that can be, the reader looks once more. */
static int finish(struct play *play, struct err *err)
{
    play_stop_producing(play);
    pthread_mutex_lock(&play->reader.lock);
    struct step wait = {STEP_WAIT, .to = play->reader.at};
    pthread_mutex_unlock(&play->reader.lock);
    int rc = play_step(play, &wait, err);
    clock_sleep_ms(LINGER_MS);
    reader_stop(play);
    return rc < 0 ? rc : reader_judge(play, err);
}

static void verdict(struct runbook_result *result)
{
    const char *why = NULL;
    if (result->wrong)
        why = "a reader was told what the oracle denies";
    else if (result->answers == 0)
        why = "no reader was answered at all";
    else if (result->book->reaches_truth && result->final_rows_wrong)
        why = "events are still missing at its end";
    result->pass = !why;
    if (why)
        snprintf(result->why, sizeof result->why, "%s", why);
}

static int play_live(struct play *play, struct err *err)
{
    int rc = play_open(play, true, err);
    int64_t began_ns = clock_mono_ns();
    if (rc == 0)
        rc = play_steps(play, play->book->steps, err);
    play->result->seconds = (double)(clock_mono_ns() - began_ns) / 1e9;
    if (rc == 0)
        rc = finish(play, err);
    if (rc == 0) {
        count_steps(play);
        verdict(play->result);
    }
    play_close(play);
    return rc;
}

/* A runbook that does not end as it should is a result; an interrupt ends all. */
static int play_book(const struct runbook_options *options, struct runbook_result *result,
                     int (*how)(struct play *play, struct err *err), struct err *err)
{
    struct play *play = mem_zero(1, sizeof *play);
    struct err why = {0};
    *play =
        (struct play){.options = options, .of = result->of, .book = result->book, .result = result};
    int rc = how(play, &why);
    char dir[400];
    snprintf(dir, sizeof dir, "%s", play->dir);
    free(play);
    if (rc == ERR_INTERRUPTED || rc == ERR_ENV)
        return err_set(err, rc, "%s", why.text);
    if (rc < 0) {
        result->pass = false;
        snprintf(result->why, sizeof result->why, "%.250s; see %s", why.text, dir);
    } else if (result->pass) {
        play_remove(dir);
    }
    return 0;
}

static bool wanted(const struct runbook_options *options, const struct runbooks *of,
                   const struct runbook *book)
{
    return (!options->arch || strcmp(options->arch, of->name) == 0) &&
           (!options->only || strcmp(options->only, book->name) == 0);
}

enum { RESULTS_MAX = 32 };

static int list_wanted(const struct runbook_options *options, struct runbook_result *results)
{
    const struct runbooks *const both[] = {&RUNBOOKS_LAMBDA, &RUNBOOKS_KAPPA};
    int count = 0;
    for (int i = 0; i < 2; i++)
        for (const struct runbook *book = both[i]->list; book->name; book++)
            if (wanted(options, both[i], book) && count < RESULTS_MAX)
                results[count++] = (struct runbook_result){.of = both[i], .book = book};
    return count;
}

/* Words of --kills that no step holds would kill nobody, and look as if all were well. */
static int check_kills(const char *kills, const struct runbook_result *results, int count,
                       struct err *err)
{
    bool found = !kills;
    for (int i = 0; i < count && !found; i++)
        for (const struct step *step = results[i].book->steps; step->kind != STEP_END; step++)
            found = found || kills_strike(kills, step);
    return found ? 0
                 : err_set(err, ERR_USAGE,
                           "--kills: no step's command holds \"%s\"; say all, or words of one in "
                           "docs/runbooks.md",
                           kills);
}

int runbooks_run(const struct runbook_options *options, FILE *out, bool *pass, struct err *err)
{
    struct runbook_result results[RESULTS_MAX];
    int64_t began_wall_ns = clock_wall_ns();
    int count = list_wanted(options, results), rc = 0;
    if (count == 0)
        return err_set(err, ERR_USAGE,
                       "--only: there is no runbook \"%s\"; they stand in "
                       "docs/runbooks.md",
                       options->only);
    rc = check_kills(options->kills, results, count, err);
    *pass = rc == 0;
    for (int i = 0; rc == 0 && i < count; i++) {
        struct runbook_result *result = &results[i];
        play_say("%s: %s", result->of->name, result->book->name);
        rc = play_book(options, result, play_live, err);
        if (rc == 0 && options->kills && result->pass)
            rc = play_book(options, result, kills_run, err);
        if (!result->pass && rc == 0)
            play_say("FAILED: %s", result->why);
        *pass = *pass && result->pass;
    }
    if (rc == 0)
        rc = results_report(options, results, count, began_wall_ns, err);
    if (rc == 0)
        (options->json ? results_json : results_print)(results, count, out);
    for (int i = 0; i < count; i++)
        buf_release(&results[i].pictures);
    return rc;
}
