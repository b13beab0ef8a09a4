/* lk.c - the only main: which verb, its settings, its exit status.
 *
 * A verb is one or two words; the longer name is tried first. What a verb's function returns
 * becomes the exit status: 0 and above as it is, a negative code by err_exit_status, its text on
 * stderr. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "common/base/fault.h"
#include "common/base/stop.h"

#define VERSION "0.1"

struct verb {
    const char *name;  /* "kappa run" */
    const char *words; /* what may follow besides flags, for the usage line */
    const char *summary;
    cmd_function *run;
    bool family; /* run serves several verbs: it finds the second word as its first of
                    settings_words */
};

/* In the order of use; --help prints it. */
static const struct verb VERBS[] = {
    {"doctor", "", "what is installed, reachable and configured; a fix for each fault", cmd_doctor,
     false},
    {"gen ads", "", "append made-up ad events (Yahoo streaming benchmark) to a topic", cmd_gen,
     true},
    {"gen flights", "", "append two weeks of real flights to a topic", cmd_gen, true},
    {"gen replay", "", "append a recorded file of yours (JSON lines or CSV) to a topic", cmd_gen,
     true},
    {"topic create", "", "make a topic with so many partitions, copies and so long a memory",
     cmd_topic, true},
    {"topic show", "", "where each partition begins and ends, and how far behind a group is",
     cmd_topic, true},
    {"topic trim", "", "delete the oldest events of a topic", cmd_topic, true},
    {"topic delete", "", "delete a topic of Kafka's", cmd_topic, true},
    {"scan", "FIELD... [FILE]", "JSON lines in, the named fields out, one JSON array a line",
     cmd_scan, false},
    {"plan explain", "PLAN.json", "a plan in English, with its state, its reads and its warnings",
     cmd_plan_explain, false},
    {"plan check", "PLAN.json", "every mistake of a plan; exit 0 or 2", cmd_plan_check, false},
    {"plan diff", "OLD.json NEW.json", "what a change means for what already stands", cmd_plan_diff,
     false},
    {"lambda archive", "", "copy a topic into the archive, exactly once", cmd_lambda_archive,
     false},
    {"lambda batch", "", "compute a generation from the archive and publish it", cmd_lambda_batch,
     false},
    {"lambda generations", "", "what batches left beside the archive, and which of it serves",
     cmd_lambda_generations, false},
    {"lambda rollback", "",
     "let the generation before the last one serve again; stop batches first, or the next one "
     "publishes anew",
     cmd_lambda_rollback, false},
    {"lambda retire", "", "give a view's keys back to Redis, for good", cmd_lambda_retire, false},
    {"lambda verify", "",
     "read the archive and every generation again; exit 0, or 4 and what is damaged",
     cmd_lambda_verify, false},
    {"lambda speed", "", "fold the newest events in spans, until a batch covers them",
     cmd_lambda_speed, false},
    {"kappa run", "", "fold a topic into a view", cmd_kappa_run, false},
    {"kappa deploy", "", "replay a topic into a new version beside the live one", cmd_kappa_deploy,
     false},
    {"kappa diff", "", "compare two versions on what is final in both", cmd_kappa_diff, false},
    {"kappa canary", "", "let a version answer for a share of the keys", cmd_kappa_canary, false},
    {"kappa promote", "", "let a version answer queries", cmd_kappa_promote, false},
    {"kappa rollback", "", "let the version answer that was live before", cmd_kappa_rollback,
     false},
    {"kappa retire", "", "give a version's keys back to Redis, for good", cmd_kappa_retire, false},
    {"kappa status", "", "the versions of a view, and which is live", cmd_kappa_status, false},
    {"query", "", "the finished values of a view", cmd_query, false},
    {"verify", "", "hold a view against its contract; exit 0, or 4 with the differing cells",
     cmd_verify, false},
    {"compare runbooks", "", "play what operators do in both architectures, and say what it takes",
     cmd_runbooks, false},
    {"compare evolve", "", "change one rule under load in both architectures, and take it back",
     cmd_evolve, false},
    {"compare drift", "",
     "plant a difference of one line in lambda's speed layer, and see what it takes to notice",
     cmd_drift, false},
    {"compare", "flights | ads | --plan P.json --events FILE --time-field F",
     "drive the same events through both architectures, and report", cmd_compare, false},
    {"bench scan", "", "the field scanner against jansson", cmd_bench, true},
    {"bench drain", "", "kappa against a straight-line program over the same log", cmd_bench, true},
    {"bench batch", "", "batch against a straight-line program over the same archive", cmd_bench,
     true},
    {"bench batch-kinds", "", "full, incremental and by-time batches of the same growing archive",
     cmd_bench, true},
    {"bench gen", "", "the generator, events a second on one core", cmd_bench, true},
    {"bench keys", "", "more cells than memory: time, memory, a version's life, a takeover",
     cmd_bench, true},
    {"bench read", "", "lambda's merged read against kappa's, side by side", cmd_bench, true},
    {"bench anomalies", "", "every answer against the exact one while pointers flip, by hand-over",
     cmd_bench, true},
    {"bench interference", "", "freshness of a live view while a batch or a replay runs beside it",
     cmd_bench, true},
    {"bench ysb", "", "kappa and archive draining Kafka, against a plain librdkafka loop",
     cmd_bench, true},
    {"bench fresh", "", "from due to visible through Kafka and kappa, against a bare echo",
     cmd_bench, true},
    {"bench raw", "", "that plain loop alone: counts a topic's events and their bytes", cmd_bench,
     true},
    {"report", "DIR", "rebuild DIR/report.html from the raw samples, byte for byte", cmd_report,
     false},
    {"dlq list", "", "the bad events: partition, offset, reason", cmd_dlq, true},
    {"dlq show", "", "one bad event's bytes", cmd_dlq, true},
    {"dlq export", "", "append the bad events to topic NAME.dlq, each once", cmd_dlq, true},
};
enum { VERB_COUNT = sizeof VERBS / sizeof *VERBS };

static void print_help(FILE *out)
{
    fputs(
        "lk: the same events through a lambda and a kappa pipeline, held against exact oracles\n\n"
        "usage: lk VERB [FLAGS]    lk VERB --help    lk --version    lk --settings\n\n",
        out);
    for (int i = 0; i < VERB_COUNT; i++)
        fprintf(out, "  %-18s %s\n", VERBS[i].name, VERBS[i].summary);
    fputs("\nData goes to stdout, talk to stderr. Exit status: 0 ok, 1 a check failed, 2 usage,\n"
          "3 environment missing, 4 wrong data found, 130 interrupted.\n"
          "First time here? ./bootstrap demo, then README.md.\n",
          out);
}

static void print_verb_help(const struct verb *verb)
{
    printf("lk %s%s%s [FLAGS]\n%s\n\nflags, with [defaults]; each may also be set as LK_NAME or in "
           "a --config file:\n",
           verb->name, *verb->words ? " " : "", verb->words, verb->summary);
    settings_help(SETTINGS, verb->name, stdout);
}

/* How many of the words name the verb: 0, 1 or 2. */
static int words_matched(const struct verb *verb, int count, char **words)
{
    const char *space = strchr(verb->name, ' ');
    size_t first = space ? (size_t)(space - verb->name) : strlen(verb->name);
    if (count < 1 || strlen(words[0]) != first || memcmp(words[0], verb->name, first) != 0)
        return 0;
    if (!space)
        return 1;
    return count > 1 && strcmp(words[1], space + 1) == 0 ? 2 : 0;
}

static bool wants_help(int count, char **words)
{
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0)
            return true;
    return false;
}

static void say_word_missing(int count, char **words)
{
    if (count > 1 && words[1][0] != '-')
        fprintf(stderr, "lk: there is no verb \"%s %s\"; lk %s has\n", words[0], words[1],
                words[0]);
    else
        fprintf(stderr, "lk: lk %s needs one word more:\n", words[0]);
}

/* A first word that only begins verbs, such as "lk gen": say how they go on. */
static int unknown_verb(int count, char **words)
{
    size_t len = strlen(words[0]);
    bool help = wants_help(count, words), begun = false;
    FILE *out = help ? stdout : stderr;
    for (int i = 0; i < VERB_COUNT; i++)
        if (strncmp(VERBS[i].name, words[0], len) == 0 && VERBS[i].name[len] == ' ') {
            if (!begun && !help)
                say_word_missing(count, words);
            begun = true;
            fprintf(out, "  lk %-18s %s\n", VERBS[i].name, VERBS[i].summary);
        }
    if (!begun)
        fprintf(stderr, "lk: there is no verb \"%s\"; see: lk --help\n", words[0]);
    return begun && help ? 0 : 2;
}

/* A word that nobody reads would be a flag forgotten: "lk kappa run plan.json". */
static int refuse_stray(const struct verb *verb, const struct settings *settings, struct err *err)
{
    const char *const *words;
    int count = settings_words(settings, &words);
    if (*verb->words || count <= verb->family)
        return 0;
    return err_set(err, ERR_USAGE, "lk %s takes flags alone, found \"%s\"; see: lk %s --help",
                   verb->name, words[verb->family], verb->name);
}

static int run_verb(const struct verb *verb, int count, char **words)
{
    struct err err = {0};
    struct settings *settings = NULL;
    int rc = fault_init(&err);
    if (rc == 0)
        rc = settings_parse(SETTINGS, verb->name, count, words, &settings, &err);
    if (rc == 0)
        rc = refuse_stray(verb, settings, &err);
    if (rc == 0)
        rc = kafka_flags(settings, &err);
    if (rc == 0)
        rc = verb->run(settings, &err);
    settings_free(settings);
    if (rc >= 0)
        return rc;
    if (err.code)
        fprintf(stderr, "lk: %s\n", err.text);
    return err_exit_status(rc);
}

/* Output that did not arrive is a failure, too; a reader that left early is told nothing. */
static int close_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    if (errno != EPIPE)
        perror("lk: cannot write the output");
    return status ? status : 3;
}

static int dispatch(int count, char **words)
{
    for (int i = 0; i < VERB_COUNT; i++) {
        int matched = words_matched(&VERBS[i], count, words);
        if (matched == 0)
            continue;
        int skip = VERBS[i].family ? 1 : matched;
        if (!wants_help(count - skip, words + skip))
            return run_verb(&VERBS[i], count - skip, words + skip);
        print_verb_help(&VERBS[i]);
        return 0;
    }
    return unknown_verb(count, words);
}

/* The embedded log is read through a mapping: where data.mdb was cut short there is no page. */
static void mapping_ends(int number)
{
    static const char text[] =
        "lk: a mapped file ends too early: data.mdb of the log is cut short (a copy that broke "
        "off?); remove that directory and generate it again\n";
    (void)number;
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    _exit(written < 0 ? 3 : 4);
}

int main(int argc, char **argv)
{
    stop_install();
    signal(SIGBUS, mapping_ends);
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    int status = 0;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0)
        print_help(stdout);
    else if (strcmp(argv[1], "--version") == 0)
        puts("lk " VERSION);
    else if (strcmp(argv[1], "--settings") == 0)
        settings_markdown(SETTINGS, stdout);
    else
        status = dispatch(argc - 1, argv + 1);
    return close_output(status);
}
