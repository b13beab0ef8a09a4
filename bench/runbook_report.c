/* bench/runbook_report.c - what the runbooks took, as a report: each one in both architectures, its commands, and the
 * states that kills left. */
#include <stdlib.h>

#include "bench/report_run.h"
#include "bench/runbook_parts.h"

/* ---- sums ---- */

static bool can(const struct runbook_result *result)
{
    return result->pass && !result->book->cannot;
}

static const struct runbook_result *same_of(const struct runbook_result *results, int count,
                                            const struct runbook_result *result)
{
    for (int i = 0; i < count; i++)
        if (results[i].of != result->of && strcmp(results[i].book->name, result->book->name) == 0)
            return &results[i];
    return NULL;
}

static bool both_played(const struct runbook_result *results, int count)
{
    for (int i = 1; i < count; i++)
        if (results[i].of != results[0].of)
            return true;
    return false;
}

/* Sums of one architecture. */
struct sums {
    int books; /* that count: it can do them, and so can the other, where both were played */
    int can, cannot, commands, processes, pointers, kills, states;
    double seconds, away_s;
    size_t answers, wrong;
};

static struct sums sums_of(const struct runbook_result *results, int count,
                           const struct runbooks *of)
{
    struct sums sums = {0};
    bool both = both_played(results, count);
    for (int i = 0; i < count; i++) {
        const struct runbook_result *r = &results[i], *other = same_of(results, count, r);
        if (r->of != of)
            continue;
        sums.can += can(r);
        sums.cannot += r->book->cannot != NULL;
        sums.answers += r->answers;
        sums.wrong += r->wrong;
        sums.kills += r->kills;
        sums.states += r->states;
        if (!can(r) || (both && (!other || !can(other))))
            continue;
        sums.books++;
        sums.commands += r->commands;
        sums.processes += r->processes;
        sums.pointers += r->pointers;
        sums.seconds += r->seconds;
        sums.away_s = r->away_seconds > sums.away_s ? r->away_seconds : sums.away_s;
    }
    return sums;
}

#define NUMBER(function, member)                                                                   \
    static double function(const struct sums *sums)                                                \
    {                                                                                              \
        return (double)sums->member;                                                               \
    }
NUMBER(done, can)
NUMBER(cannot, cannot)
NUMBER(commands, commands)
NUMBER(processes, processes)
NUMBER(pointers, pointers)
NUMBER(seconds, seconds)
NUMBER(away, away_s)
NUMBER(answers, answers)
NUMBER(wrong, wrong)
NUMBER(kills, kills)
NUMBER(states, states)

static const struct {
    const char *name, *unit, *meaning;
    bool structural, headline;
    double (*of)(const struct sums *sums);
    bool killing; /* told where there were kills */
} METRICS[] = {
    {"runbooks that end as wanted", "", "every answer right, and nothing missing at the end", true,
     true, done, false},
    {"runbooks that cannot be done", "", "played all the same: the steps show why", true, false,
     cannot, false},
    {"commands", "", "typed, over the runbooks that each of those played can do", true, true,
     commands, false},
    {"processes touched", "", "started, stopped or killed, over the same runbooks", true, true,
     processes, false},
    {"pointers flipped", "", "what decides who answers: generation, version, readers", true, true,
     pointers, false},
    {"time of all steps", "s", "over the same runbooks, on a small log of a few seconds", false,
     true, seconds, false},
    {"longest without an answer", "s", "to a reader who asked all the while, over the same", false,
     true, away, false},
    {"answers", "", "given to that reader, over all runbooks", false, false, answers, false},
    {"wrong answers", "", "of them, held against the oracle at their positions: must be 0", false,
     false, wrong, false},
    {"kills", "", "each verb, once at each fault point that it passes (--kills)", true, false,
     kills, true},
    {"states that kills left", "", "distinct ones, summed over the runbooks", true, false, states,
     true},
};

static void add_metrics(json_t *run, const struct sums *sums, const struct runbooks *const *archs,
                        int count, bool kills)
{
    for (size_t i = 0; i < sizeof METRICS / sizeof *METRICS; i++) {
        if (METRICS[i].killing && !kills)
            continue;
        json_t *metric =
            json_pack("{s:s, s:s, s:s, s:s, s:b}", "name", METRICS[i].name, "unit", METRICS[i].unit,
                      "kind", METRICS[i].structural ? "structural" : "measured", "meaning",
                      METRICS[i].meaning, "headline", METRICS[i].headline);
        for (int k = 0; k < count; k++)
            json_object_set_new(metric, archs[k]->name, json_real(METRICS[i].of(&sums[k])));
        report_add(run, "metrics", metric);
    }
}

/* ---- runbook by runbook ---- */

static void add_row(json_t *rows, const struct runbook_result *r)
{
    char states[40] = "–";
    json_t *who = json_pack("{s:s}", "pipeline", r->of->name);
    if (r->book->cannot)
        json_object_set_new(who, "more", json_string("cannot be done"));
    else
        json_object_set_new(who, "pass", json_boolean(r->pass));
    if (r->kills)
        snprintf(states, sizeof states, "%d of %d", r->states, r->kills);
    json_array_append_new(rows,
                          json_pack("[{s:s, s:s}, o, i, i, i, f, I, f, I, s]", "name",
                                    r->book->name, "more", r->book->story, who, r->commands,
                                    r->processes, r->pointers, r->seconds, (json_int_t)r->answers,
                                    r->away_seconds, (json_int_t)r->behind_events, states));
}

static void add_details(json_t *table, const struct runbook_result *r)
{
    char summary[120];
    struct buf steps = {0};
    book_steps(r->of, r->book, &steps);
    snprintf(summary, sizeof summary, "%s, %s: what is typed", r->book->name, r->of->name);
    report_add(
        table, "details",
        json_pack("{s:s, s:s}", "summary", summary, "text", steps.ptr + (*steps.ptr == '\n')));
    buf_release(&steps);
    if (!r->kills || !r->pictures.ptr)
        return;
    snprintf(summary, sizeof summary, "%s, %s: the states that %d kills left", r->book->name,
             r->of->name, r->kills);
    report_add(table, "details",
               json_pack("{s:s, s:s}", "summary", summary, "text", r->pictures.ptr));
}

/* Both architectures of a runbook one below the other. */
static void add_books(json_t *run, const struct runbook_result *results, int count)
{
    json_t *rows = report_table(
        run, "runbooks", "Runbook by runbook",
        "Commands, processes and pointers follow from the steps; times were measured. Answers: to "
        "a "
        "reader meanwhile. Silent: the longest time in which it had none. Behind: the most events "
        "of "
        "the log that an answer lacked. States: distinct ones that kills left, of so many kills.",
        "Runbook|Pipeline|#Commands|#Processes|#Pointers|#Time, s|#Answers|#Silent, s|#Behind|"
        "#States");
    json_t *table = json_array_get(json_object_get(run, "tables"), 0);
    for (int i = 0; i < count; i++) {
        const struct runbook_result *other = same_of(results, count, &results[i]);
        if (other && other < &results[i])
            continue;
        add_row(rows, &results[i]);
        add_details(table, &results[i]);
        if (other) {
            add_row(rows, other);
            add_details(table, other);
        }
    }
}

static void add_checks(json_t *run, const struct runbook_result *results, int count)
{
    for (int i = 0; i < count; i++) {
        const struct runbook_result *r = &results[i];
        char name[96];
        snprintf(name, sizeof name, "%s: %s", r->of->name, r->book->name);
        if (!r->pass)
            report_check(run, false, name, "%s", r->why);
        else if (r->kills)
            report_check(run, true, name,
                         "%zu answers are the oracle's; after each of %d kills the step was typed "
                         "again and ended as one that was not killed",
                         r->answers, r->kills);
        else
            report_check(run, true, name, "%zu answers are the oracle's", r->answers);
    }
}

static void say(json_t *run, const struct runbook_result *results, int count,
                const struct sums *sums, const struct runbooks *const *archs, int arch_count)
{
    for (int i = 0; i < count; i++)
        if (results[i].book->cannot)
            report_say(run, "%s cannot do %s: %s.", results[i].of->name, results[i].book->name,
                       results[i].book->cannot);
    for (int i = 0; i < arch_count; i++)
        report_say(
            run,
            "%s: %d commands, %d processes touched and %d pointers flipped in %d runbooks; "
            "their steps took %.1f s, and a reader was without an answer for at most %.2f s.",
            archs[i]->name, sums[i].commands, sums[i].processes, sums[i].pointers, sums[i].books,
            sums[i].seconds, sums[i].away_s);
    if (arch_count == 2)
        report_say(run,
                   "Structural: lambda changes in two places, batch and speed layer, and has no "
                   "pointer of its own from one rule to another; kappa changes in one, by a "
                   "version that is filled beside the live one and flipped to. That is where "
                   "the commands, processes and pointers differ. Times are measured on a log of "
                   "a few seconds: every step that reads it again grows with it.");
    report_say(run, "Played on the embedded log only: what a Kafka does to a step is not in these "
                    "figures.");
}

static json_t *reading(void)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s}", "A runbook",
        "What an operator types for one purpose, as a list of steps; it is played against a small "
        "live workload of 1,000 events a second.",
        "Right",
        "Every answer that a reader is given meanwhile, and the one after the last step, is held "
        "against an exact computation at its positions.",
        "Pointer",
        "What decides who answers: lambda's published generation, kappa's live version, or the "
        "applications themselves where they have to be told.",
        "State",
        "What stands after a kill: registry, positions, parts, generations, files, without what is "
        "chance. Two states are two situations that an operator could tell apart.");
}

static json_t *begin(const struct runbook_options *o, int64_t began_wall_ns)
{
    struct buf command = {0};
    buf_printf(&command, "lk compare runbooks --seed %llu", (unsigned long long)o->seed);
    const char *const flags[][2] = {{"only", o->only}, {"arch", o->arch}, {"kills", o->kills}};
    for (int i = 0; i < 3; i++)
        if (flags[i][1])
            buf_printf(&command, " --%s '%s'", flags[i][0], flags[i][1]);
    const struct report_facts facts = {.title = "What operators do, in both architectures",
                                       .workload = "ads",
                                       .command = command.ptr,
                                       .began_wall_ns = began_wall_ns};
    json_t *run = report_begin(&facts);
    json_object_set_new(run, "seed", json_integer((json_int_t)o->seed));
    json_object_set_new(run, "verdict", json_string("Passed: every runbook ended as it should"));
    json_object_set_new(run, "reading", reading());
    buf_release(&command);
    return run;
}

int results_report(const struct runbook_options *options, const struct runbook_result *results,
                   int count, int64_t began_wall_ns, struct err *err)
{
    static const struct runbooks *const BOTH[] = {&RUNBOOKS_LAMBDA, &RUNBOOKS_KAPPA};
    const struct runbooks *archs[2];
    struct sums sums[2];
    int arch_count = 0;
    json_t *run = begin(options, began_wall_ns);
    for (int i = 0; i < 2; i++) {
        struct sums of = sums_of(results, count, BOTH[i]);
        bool played = !options->arch || strcmp(options->arch, BOTH[i]->name) == 0;
        if (!played)
            continue;
        report_add(run, "pipelines", json_string(BOTH[i]->name));
        archs[arch_count] = BOTH[i];
        sums[arch_count++] = of;
    }
    add_metrics(run, sums, archs, arch_count, options->kills != NULL);
    add_books(run, results, count);
    add_checks(run, results, count);
    say(run, results, count, sums, archs, arch_count);
    int rc = report_write(options->out, run, bytes_of(""), err);
    if (rc == 0)
        fprintf(stderr, "report: %s/report.html\n", options->out);
    json_decref(run);
    return rc;
}
