/* bench/runbook.h - what an operator does, as data that is run: eight jobs of each architecture.
 *
 * A runbook is a list of steps: verbs of lk as a user types them, processes started, stopped or killed,
 * pointers flipped, and checks. The same tables are played against a small live workload (runbook_play.c),
 * struck at every fault point (runbook_kills.c), and printed as docs/runbooks.md (runbook_page.c), so that
 * the page says what was run. Words in braces are filled in by whoever plays or prints:
 *   {log} {topic} {archive}   the embedded log, the topic, the archive's directory
 *   {wide}                    a topic of more partitions
 *   {view} {anew}             the store that readers ask, and a second one (another database of that Redis)
 *   {redis} {work}            the directory of Redis's files, and one for files in between
 *   {plan}                    the view's plan; others: RUNBOOK_PLANS */
#ifndef LK_BENCH_RUNBOOK_H
#define LK_BENCH_RUNBOOK_H

#include <stdio.h>

#include "common/base/err.h"
#include "common/store/registry.h"

enum step_kind {
    STEP_END,      /* of a list */
    STEP_RUN,      /* a verb of lk, to its end */
    STEP_START,    /* a verb of lk that stays: `who`; without a command: as it was started before */
    STEP_STOP,     /* `who`: SIGTERM, and its end is waited for */
    STEP_KILL,     /* `who`: SIGKILL */
    STEP_SHELL,    /* a line of sh */
    STEP_BACKFILL, /* the world: events whose windows have closed long ago arrive */
    STEP_PRODUCERS,    /* the world's producers: to `to.topic`, or they hold their events back */
    STEP_READERS,      /* applications ask `to` from now on */
    STEP_WAIT,         /* until the view at `to` holds what the log holds now */
    STEP_WAIT_ARCHIVE, /* until the archive does, and the speed layer has cut behind it */
};

/* What a reader must know; members are words in braces; NULL: {plan}, {view}, {topic}. */
struct runbook_address {
    const char *plan, *view, *topic;
};

struct step {
    enum step_kind kind;
    const char *command; /* RUN, START: without "lk" */
    const char *who;     /* START, STOP, KILL: "speed", "redis" ... */
    const char *pointer; /* what it flips; NULL: nothing */
    const char *why;     /* for the page */
    struct runbook_address to;
    int exit; /* RUN: the status that it ends with */
};

enum { RUNBOOK_STEPS_MAX = 16 };

struct runbook {
    const char *name, *story; /* name NULL ends a list */
    struct step prepare[6];   /* not counted: how things came to this */
    struct step steps[RUNBOOK_STEPS_MAX];
    const char *cannot; /* where this architecture cannot do it: why; the steps show it */
    bool reaches_truth; /* at its end nothing may be missing, late events included */
};

/* One architecture's: what runs all the time, and its runbooks. */
struct runbooks {
    enum arch arch;
    const char *name;
    struct step services[6]; /* what runs all the time; a wait; a first batch */
    const struct runbook *list;
};

extern const struct runbooks RUNBOOKS_LAMBDA, RUNBOOKS_KAPPA;

/* The plans, made from that of the ads workload: a word in braces, and what is replaced in its text. */
struct runbook_plan {
    const char *word, *file, *meaning;
    const char *edits[3][2]; /* from, to */
};
extern const struct runbook_plan RUNBOOK_PLANS[]; /* word NULL ends it */

struct runbook_options {
    const char *program; /* ourselves */
    const char *only;    /* a runbook's name; NULL: all */
    const char *arch;    /* kappa, lambda; NULL: both */
    const char *kills;   /* part of a command: steps that hold it are struck; "all"; NULL: none */
    const char *out;     /* a directory for the report and the work files, made */
    uint64_t seed;
    bool json;
};

/* Play them; *pass is false where one did not end as it should. Table or JSON to out, talk to stderr, run.json,
 * samples.jsonl and report.html in options->out. */
int runbooks_run(const struct runbook_options *options, FILE *out, bool *pass, struct err *err);
/* docs/runbooks.md. */
void runbooks_page(FILE *out);

#endif
