/* bench/runbook_page.c - runbooks on paper: the table of what they cost, and docs/runbooks.md. */
#include <ctype.h>
#include <stdlib.h>

#include "bench/runbook_parts.h"

/* ---- results ---- */

void results_print(const struct runbook_result *results, int count, FILE *out)
{
    fprintf(out, "%-7s %-23s %8s %9s %8s %7s %7s %6s %6s %8s %7s\n", "", "runbook", "commands",
            "processes", "pointers", "time s", "answers", "wrong", "away s", "behind", "states");
    for (int i = 0; i < count; i++) {
        const struct runbook_result *r = &results[i];
        char states[32] = "-";
        if (r->kills)
            snprintf(states, sizeof states, "%d/%d", r->states, r->kills);
        fprintf(out, "%-7s %-23s %8d %9d %8d %7.2f %7zu %6zu %6.2f %8lld %7s  %s%s\n", r->of->name,
                r->book->name, r->commands, r->processes, r->pointers, r->seconds, r->answers,
                r->wrong, r->away_seconds, (long long)r->behind_events, states,
                r->pass ? (r->book->cannot ? "cannot" : "oracle agrees") : "FAILED: ", r->why);
    }
    fputs(
        "\ntime: of all steps; answers: to a reader meanwhile, each held against the oracle at its "
        "positions; wrong: of them;\naway: the longest time without an answer; behind: the most "
        "events of the log that an answer lacked;\nstates: distinct ones that kills left, of so "
        "many kills (--kills)\n",
        out);
    for (int i = 0; i < count; i++)
        if (results[i].held_seconds > 0)
            fprintf(out, "%s %s: producers held their events back for %.2f s\n",
                    results[i].of->name, results[i].book->name, results[i].held_seconds);
    for (int i = 0; i < count; i++)
        if (results[i].book->cannot)
            fprintf(out, "%s %s: %s\n", results[i].of->name, results[i].book->name,
                    results[i].book->cannot);
}

void results_json(const struct runbook_result *results, int count, FILE *out)
{
    struct buf text = {0};
    for (int i = 0; i < count; i++) {
        const struct runbook_result *r = &results[i];
        buf_printf(&text,
                   "%s{\"arch\":\"%s\",\"runbook\":\"%s\",\"pass\":%s,\"cannot\":", i ? ",\n" : "",
                   r->of->name, r->book->name, r->pass ? "true" : "false");
        if (r->book->cannot)
            buf_add_json_string(&text, bytes_of(r->book->cannot));
        else
            buf_add_text(&text, "null");
        buf_add_text(&text, ",\"why\":");
        buf_add_json_string(&text, bytes_of(r->why));
        buf_printf(&text,
                   ",\"commands\":%d,\"processes\":%d,\"pointers\":%d,\"seconds\":%.3f,"
                   "\"held_seconds\":%.3f,\"answers\":%zu,\"wrong\":%zu,\"refused\":%zu,"
                   "\"away_seconds\":%.3f,\"behind_events\":%lld,\"final_rows_wrong\":%zu,"
                   "\"kills\":%d,\"states\":%d,\"pictures\":",
                   r->commands, r->processes, r->pointers, r->seconds, r->held_seconds, r->answers,
                   r->wrong, r->refused, r->away_seconds, (long long)r->behind_events,
                   r->final_rows_wrong, r->kills, r->states);
        buf_add_json_string(&text, r->pictures.ptr ? buf_bytes(&r->pictures) : bytes_of(""));
        buf_add_char(&text, '}');
    }
    fprintf(out, "[%s]\n", text.ptr ? text.ptr : "");
    buf_release(&text);
}

/* ---- docs/runbooks.md ---- */

static const struct {
    const char *word, *shown;
} SHOWN[] = {{"{log}", "embedded:/data/log"}, {"{topic}", "ads"},
             {"{wide}", "ads-wide"},          {"{archive}", "/data/archive"},
             {"{view}", "redis://127.0.0.1"}, {"{anew}", "redis://127.0.0.1/1"},
             {"{redis}", "/data/redis"},      {"{work}", "/data"}};

static const char *shown_of(const char *word)
{
    for (size_t i = 0; i < sizeof SHOWN / sizeof *SHOWN; i++)
        if (strcmp(SHOWN[i].word, word) == 0)
            return SHOWN[i].shown;
    for (const struct runbook_plan *row = RUNBOOK_PLANS; row->word; row++)
        if (strcmp(row->word, word) == 0)
            return row->file;
    return NULL;
}

static void add_shown(struct buf *out, const char *command)
{
    while (*command) {
        char word[32] = "";
        const char *end = *command == '{' ? strchr(command, '}') : NULL;
        if (end && end - command < 30)
            snprintf(word, sizeof word, "%.*s", (int)(end - command + 1), command);
        const char *shown = *word ? shown_of(word) : NULL;
        if (shown) {
            buf_add_text(out, shown);
            command = end + 1;
        } else {
            buf_add_char(out, *command++);
        }
    }
}

/* The command that a service was started with. */
static const char *command_of(const struct runbooks *of, const struct runbook *book,
                              const char *who)
{
    const struct step *lists[] = {of->services, book->prepare, book->steps};
    for (int i = 0; i < 3; i++)
        for (const struct step *step = lists[i]; step->kind != STEP_END; step++)
            if (step->kind == STEP_START && step->command && strcmp(step->who, who) == 0)
                return step->command;
    return NULL;
}

/* command: of a service that is started again, that which it was started with. */
static void say_step(struct buf *line, const struct step *step, const char *command)
{
    const char *plan = step->to.plan ? shown_of(step->to.plan) : "plan.json";
    const char *view = step->to.view ? shown_of(step->to.view) : "redis://127.0.0.1";
    switch (step->kind) {
    case STEP_START:
        buf_add_text(line, command ? "lk " : "(redis-server is started)");
        add_shown(line, command ? command : "");
        buf_add_text(line, command ? " &" : "");
        break;
    case STEP_RUN:
        buf_add_text(line, "lk ");
        add_shown(line, command);
        break;
    case STEP_SHELL:
        add_shown(line, command);
        break;
    case STEP_STOP:
        buf_printf(line, "(%s is stopped: SIGTERM, and its end is waited for)", step->who);
        break;
    case STEP_KILL:
        buf_printf(line, "(%s is killed: SIGKILL)", step->who);
        break;
    case STEP_BACKFILL:
        buf_add_text(line, "(late events arrive)");
        break;
    case STEP_PRODUCERS:
        buf_printf(line,
                   step->to.topic ? "(producers append to the topic %s)"
                                  : "(producers hold their events back%s)",
                   step->to.topic ? shown_of(step->to.topic) : "");
        break;
    case STEP_READERS:
        buf_printf(line, "(applications ask --plan %s --view %s)", plan, view);
        break;
    case STEP_WAIT:
        buf_printf(line,
                   "(wait until lk verify --plan %s --view %s says \"0 events of the log not read "
                   "yet\")",
                   plan, view);
        break;
    case STEP_WAIT_ARCHIVE:
        buf_add_text(line, "(wait until the archive holds the topic's end, and the speed layer has "
                           "cut behind it)");
        break;
    case STEP_END:
        break;
    }
}

static void add_step(struct buf *out, const struct runbooks *of, const struct runbook *book,
                     const struct step *step)
{
    struct buf line = {0};
    bool restart = step->kind == STEP_START && !step->command;
    say_step(&line, step, restart ? command_of(of, book, step->who) : step->command);
    buf_printf(out, "    %s\n", line.ptr);
    buf_release(&line);
}

static void add_why(struct buf *out, const struct step *steps)
{
    int number = 1;
    for (const struct step *step = steps; step->kind != STEP_END; step++, number++) {
        if (!step->why && !step->pointer)
            continue;
        buf_printf(out, "- step %d: %s%s%s%s\n", number, step->why ? step->why : "",
                   step->why && step->pointer ? "; " : "", step->pointer ? "**pointer** " : "",
                   step->pointer ? step->pointer : "");
    }
}

void book_steps(const struct runbooks *of, const struct runbook *book, struct buf *out)
{
    if (book->prepare[0].kind != STEP_END) {
        buf_add_text(out, "How things came to this:\n\n");
        for (const struct step *step = book->prepare; step->kind != STEP_END; step++)
            add_step(out, of, book, step);
    }
    buf_add_text(out, book->prepare[0].kind == STEP_END ? "\n" : "\nThe runbook:\n\n");
    for (const struct step *step = book->steps; step->kind != STEP_END; step++)
        add_step(out, of, book, step);
}

static void add_book(struct buf *out, const struct runbooks *of, const struct runbook *book)
{
    buf_printf(out, "\n### %s: %s\n\n%c%s.\n", of->name, book->name, toupper(book->story[0]),
               book->story + 1);
    book_steps(of, book, out);
    buf_add_char(out, '\n');
    add_why(out, book->steps);
    if (book->cannot)
        buf_printf(out, "\n**Cannot be done:** %s.\n", book->cannot);
}

static void add_arch(struct buf *out, const struct runbooks *of)
{
    buf_printf(out, "\n## %c%s\n\nWhat runs all the time:\n\n    (redis-server is started)\n",
               toupper(of->name[0]), of->name + 1);
    for (const struct step *step = of->services; step->kind != STEP_END; step++)
        add_step(out, of, &of->list[0], step);
    for (const struct runbook *book = of->list; book->name; book++)
        add_book(out, of, book);
}

void runbooks_page(FILE *file)
{
    struct buf out = {0};
    buf_add_text(
        &out,
        "# Runbooks: what an operator types, in both architectures\n\n"
        "Made by `make docs` from the tables that `lk compare runbooks` plays "
        "(`bench/runbooks_lambda.c`, `bench/runbooks_kappa.c`),\nso what stands here was run. "
        "Lines in brackets are what the world or the operator does without lk.\n\n"
        "    lk compare runbooks                          all of them, against a small live "
        "workload; a table at the end\n"
        "    lk compare runbooks --only lost-redis --arch kappa\n"
        "    lk compare runbooks --kills all              each step again, killed at each of its "
        "fault points\n\n"
        "Each is played with producers at 1,000 events a second and a reader that asks for whole "
        "answers every 40 ms; every answer\nis held against the oracle at its positions, and so "
        "is the one after the last step. The table says what it took and what\nthe reader saw. "
        "With `--kills` a step that is a verb of lk is run once for each fault point that it "
        "passes\n([tests/model](../tests/model/README.md)) and killed there, while the other "
        "processes stand still; what stands then (registry,\npositions, parts, generations, "
        "files), without random tokens, ids and times, is a *state*, and the table says how many\n"
        "distinct ones there are. The step is then typed again and must end where an undisturbed "
        "run ends.\n\nIt ends in `out/runbooks/report.html`: both architectures of each runbook, "
        "with what is typed and the states that kills left\n(`lk report out/runbooks` builds it "
        "again). Runbooks are played on the embedded log only: none of these figures says what a\n"
        "Kafka does to a step.\n\nThe plans:\n\n");
    for (const struct runbook_plan *row = RUNBOOK_PLANS; row->word; row++)
        buf_printf(&out, "- `%s`: %s\n", row->file, row->meaning);
    add_arch(&out, &RUNBOOKS_LAMBDA);
    add_arch(&out, &RUNBOOKS_KAPPA);
    fputs(out.ptr, file);
    buf_release(&out);
}
