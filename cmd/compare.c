/* cmd/compare.c - `lk compare flights | ads | --plan P.json --events FILE --time-field F`. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/compare.h"
#include "bench/schedule.h"
#include "cmd/cmd.h"

enum { ADS_EVENTS = 300000, FLIGHTS_SPEED = 20160 };

/* What describes a recording of the user's would be passed over beside a workload that has its own. */
static int own_alone(const struct settings *settings, const char *workload, struct err *err)
{
    static const char *const FLAGS[] = {"events", "time-field", "time-format", "key-field"};
    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++)
        if (settings_has(settings, FLAGS[i]))
            return err_set(err, ERR_USAGE,
                           "lk compare %s has events of its own, so --%s is not for it; yours: lk "
                           "compare --plan P.json --events FILE --time-field F",
                           workload, FLAGS[i]);
    return 0;
}

static int workload_of(const struct settings *settings, struct compare_options *options,
                       struct err *err)
{
    const char *const *words;
    int count = settings_words(settings, &words);
    options->workload = count == 1 ? words[0] : "replay";
    if (count > 1)
        return err_set(err, ERR_USAGE, "lk compare: one workload: flights or ads");
    if (count == 0 && !settings_has(settings, "plan") && !settings_has(settings, "events"))
        return err_set(err, ERR_USAGE,
                       "lk compare: of what? Try: lk compare flights, lk compare ads, or "
                       "lk compare --plan P.json --events FILE --time-field F");
    if (count == 0)
        return settings_require(settings, "plan,events,time-field", err);
    if (strcmp(words[0], "flights") != 0 && strcmp(words[0], "ads") != 0)
        return err_set(
            err, ERR_USAGE,
            "lk compare: no workload \"%s\"; flights, ads, or --plan P.json --events FILE "
            "--time-field F",
            words[0]);
    return own_alone(settings, words[0], err);
}

static int speed_of(const struct settings *settings, struct compare_options *options,
                    struct err *err)
{
    bool ads = strcmp(options->workload, "ads") == 0;
    const char *text = settings_text(settings, "speed");
    char *end = NULL;
    if (ads && text)
        return err_set(err, ERR_USAGE,
                       "--speed is for recorded events; ads come at their --rate, events a second");
    options->speed = ads ? 1 : FLIGHTS_SPEED;
    if (text)
        options->speed = strtod(text, &end);
    if ((end && *end) || options->speed <= 0)
        return err_set(err, ERR_USAGE, "--speed: found \"%s\", expected a number above 0", text);
    options->event_count = settings_int(settings, "count");
    if (ads && options->event_count == 0)
        options->event_count = ADS_EVENTS;
    return 0;
}

/* What only watches: whom, and nothing that would be done to them. */
static int attach_of(const struct settings *settings, struct compare_options *options,
                     struct err *err)
{
    options->attach = settings_bool(settings, "attach");
    if (!options->attach)
        return 0;
    options->topic = settings_text(settings, "topic");
    options->view = settings_text(settings, "view");
    options->patience_ms = settings_int(settings, "patience");
    options->heal_lateness = NULL;
    options->faults = "none";
    options->event_count = settings_int(settings, "count"); /* 0: as for lk gen */
    return settings_require(settings, "log,topic,view", err);
}

/* The embedded log is the run's own, in --out: only another kind can be named. */
static int log_of(const struct compare_options *options, struct err *err)
{
    if (options->keep_topic && (options->attach || !options->log))
        return err_set(err, ERR_USAGE, "--keep-topic is for --log kafka:...");
    if (options->attach || !options->log || strncmp(options->log, "kafka:", 6) == 0)
        return 0;
    return err_set(
        err, ERR_USAGE,
        "--log: found \"%s\", expected kafka:HOST:PORT[,HOST:PORT...]; without it the run has "
        "an embedded log of its own in --out",
        options->log);
}

/* What the settings say by themselves; the rest is checked one against the other. */
static struct compare_options options_of(const struct settings *settings)
{
    struct compare_options options = {
        .plan = settings_text(settings, "plan"),
        .events = settings_text(settings, "events"),
        .time_field = settings_text(settings, "time-field"),
        .time_format = settings_text(settings, "time-format"),
        .key_field = settings_text(settings, "key-field"),
        .out = settings_text(settings, "out"),
        .heal_lateness = settings_text(settings, "heal-lateness"),
        .seed = (uint64_t)settings_int(settings, "seed"),
        .partitions = (int)settings_int(settings, "partitions"),
        .rate = settings_number(settings, "rate"),
        .batch_every_ms = settings_int(settings, "batch-every"),
        .commit_ms = settings_int(settings, "commit"),
        .span_ms = settings_int(settings, "span"),
        .handovers = strcmp(settings_text(settings, "handover"), "all") == 0,
        .faults = settings_text(settings, "faults"),
        .log = settings_text(settings, "log"),
        .keep_topic = settings_bool(settings, "keep-topic"),
        .json = settings_bool(settings, "json"),
    };
    if (!options.handovers)
        options.handover = (enum handover)handover_of(settings_text(settings, "handover"));
    if (!options.faults)
        options.faults = options.handovers ? "none" : "kills";
    return options;
}

int cmd_compare(const struct settings *settings, struct err *err)
{
    char program[4096];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    if (len < 0)
        return err_errno(err, ERR_ENV, "/proc/self/exe");
    program[len] = 0;
    struct compare_options options = options_of(settings);
    options.program = program;
    if (strcmp(options.faults, "list") == 0) {
        schedule_print_built_in(stdout);
        return 0;
    }
    bool pass = false;
    int rc = workload_of(settings, &options, err);
    if (rc == 0)
        rc = speed_of(settings, &options, err);
    if (rc == 0 && !options.heal_lateness)
        options.heal_lateness = strcmp(options.workload, "flights") == 0 ? "48h" : "unlimited";
    if (rc == 0)
        rc = attach_of(settings, &options, err);
    if (rc == 0)
        rc = log_of(&options, err);
    if (rc == 0)
        rc = compare_run(&options, stdout, &pass, err);
    if (rc < 0)
        return rc;
    return pass
               ? 0
               : err_set(err, ERR_CHECK, "the comparison did not pass; see the lines FAILED above");
}
