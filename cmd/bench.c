/* cmd/bench.c - `lk bench NAME`: one benchmark each, its ratio printed. */
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/bench_batch_kinds.h"
#include "bench/bench_kafka.h"
#include "bench/raw_loop.h"
#include "cmd/cmd.h"
#include "common/store/handover.h"

/* Ourselves, to be run again with another verb. */
static int own_path(char out[4096], struct err *err)
{
    ssize_t len = readlink("/proc/self/exe", out, 4095);
    if (len < 0)
        return err_errno(err, ERR_ENV, "/proc/self/exe");
    out[len] = 0;
    return 0;
}

static int run_ysb(const struct settings *settings, struct err *err)
{
    char program[4096];
    struct ysb_options options = {
        .program = program,
        .log_uri = settings_text(settings, "log"),
        .events = settings_int(settings, "events"),
        .partitions = (int)settings_int(settings, "partitions"),
        .rounds = (int)settings_int(settings, "rounds"),
        .workers = (int)settings_int(settings, "workers"),
        .json = settings_bool(settings, "json"),
    };
    int rc = settings_require(settings, "log", err);
    rc = rc ? rc : own_path(program, err);
    return rc ? rc : bench_ysb(&options, stdout, err);
}

static int run_fresh(const struct settings *settings, struct err *err)
{
    char program[4096];
    struct fresh_options options = {
        .program = program,
        .log_uri = settings_text(settings, "log"),
        .rate = settings_number(settings, "rate"),
        .seconds = (int)settings_int(settings, "seconds"),
        .partitions = (int)settings_int(settings, "partitions"),
        .commit_ms = (int)settings_int(settings, "commit"),
        .json = settings_bool(settings, "json"),
    };
    int rc = settings_require(settings, "log", err);
    rc = rc ? rc : own_path(program, err);
    return rc ? rc : bench_fresh(&options, stdout, err);
}

static int run_raw(const struct settings *settings, struct err *err)
{
    struct log *log = NULL;
    struct raw_totals totals;
    int rc = settings_require(settings, "log,topic", err);
    rc = rc ? rc : log_open(settings_text(settings, "log"), false, &log, err);
    if (rc < 0)
        return rc;
    rc = raw_loop(log, settings_text(settings, "topic"), (int)settings_int(settings, "workers"),
                  &totals, err);
    if (rc == 0)
        printf(settings_bool(settings, "json") ? "{\"events\":%lld,\"bytes\":%lld}\n"
                                               : "%lld events of %lld bytes\n",
               (long long)totals.events, (long long)totals.bytes);
    log_close(log);
    return rc;
}

static int run_read(const struct settings *settings, struct err *err)
{
    char program[4096];
    struct read_options options = {.program = program,
                                   .reads = settings_int(settings, "reads"),
                                   .json = settings_bool(settings, "json")};
    int rc = own_path(program, err);
    return rc ? rc : bench_read(&options, stdout, err);
}

static int run_keys(const struct settings *settings, struct err *err)
{
    char program[4096];
    struct keys_options options = {.program = program,
                                   .out = settings_text(settings, "out"),
                                   .keys = settings_int(settings, "keys"),
                                   .windows = settings_int(settings, "windows"),
                                   .memory_bytes = settings_int(settings, "memory"),
                                   .json = settings_bool(settings, "json")};
    int rc = own_path(program, err);
    return rc ? rc : bench_keys(&options, stdout, err);
}

/* Which modes are played: bits of struct anomalies_options. */
static unsigned modes_of(const struct settings *settings)
{
    const char *name = settings_text(settings, "handover");
    unsigned modes = settings_bool(settings, "versions") ? 1u << HANDOVERS : 0;
    if (strcmp(name, "all") == 0)
        return modes | ((1u << HANDOVERS) - 1);
    return strcmp(name, "none") == 0 ? modes : modes | 1u << handover_of(name);
}

static int run_anomalies(const struct settings *settings, struct err *err)
{
    char program[4096];
    struct anomalies_options options = {.program = program,
                                        .log_uri = settings_text(settings, "log"),
                                        .modes = modes_of(settings),
                                        .reads = settings_int(settings, "reads"),
                                        .flips = settings_int(settings, "flips"),
                                        .seed = (uint64_t)settings_int(settings, "seed"),
                                        .readers = (int)settings_int(settings, "readers"),
                                        .kill = settings_bool(settings, "kill"),
                                        .json = settings_bool(settings, "json")};
    if (!options.modes)
        return err_set(
            err, ERR_USAGE,
            "--handover none plays no hand-over: add --versions for kappa's two versions");
    int rc = own_path(program, err);
    return rc ? rc : bench_anomalies(&options, stdout, err);
}

static int run_interference(const struct settings *settings, struct err *err)
{
    char program[4096];
    struct interference_options options = {
        .program = program,
        .log_uri = settings_text(settings, "log"),
        .rate = settings_number(settings, "rate"),
        .events = settings_int(settings, "events"),
        .replay_rate = settings_int(settings, "replay-rate"),
        .block_ms = settings_int(settings, "block"),
        .rounds = (int)settings_int(settings, "rounds"),
        .commit_ms = (int)settings_int(settings, "commit"),
        .json = settings_bool(settings, "json"),
    };
    int rc = own_path(program, err);
    return rc ? rc : bench_interference(&options, stdout, err);
}

static int run_scan(const struct settings *settings, struct err *err)
{
    (void)settings;
    return bench_scan(stdout, err);
}

static int run_drain(const struct settings *settings, struct err *err)
{
    (void)settings;
    return bench_drain(stdout, err);
}

static int run_batch(const struct settings *settings, struct err *err)
{
    (void)settings;
    return bench_batch(stdout, err);
}

static int run_batch_kinds(const struct settings *settings, struct err *err)
{
    const struct batch_kinds_options options = {
        .events = settings_int(settings, "events"),
        .rounds = (int)settings_int(settings, "rounds"),
        .growth = settings_number(settings, "growth"),
        .late_share = settings_number(settings, "late-share"),
        .bucket_ms = settings_int(settings, "bucket"),
        .seed = (uint64_t)settings_int(settings, "seed"),
        .json = settings_bool(settings, "json"),
    };
    return bench_batch_kinds(&options, stdout, err);
}

static int run_gen(const struct settings *settings, struct err *err)
{
    (void)settings;
    return bench_gen(stdout, err);
}

static const struct {
    const char *name;
    int (*run)(const struct settings *settings, struct err *err);
} BENCHES[] = {{"scan", run_scan},
               {"drain", run_drain},
               {"batch", run_batch},
               {"batch-kinds", run_batch_kinds},
               {"gen", run_gen},
               {"read", run_read},
               {"anomalies", run_anomalies},
               {"interference", run_interference},
               {"keys", run_keys},
               {"ysb", run_ysb},
               {"fresh", run_fresh},
               {"raw", run_raw}};

int cmd_bench(const struct settings *settings, struct err *err)
{
    const char *const *words;
    int count = settings_words(settings, &words);
    for (size_t i = 0; count == 1 && i < sizeof BENCHES / sizeof *BENCHES; i++)
        if (strcmp(words[0], BENCHES[i].name) == 0)
            return BENCHES[i].run(settings, err);
    return err_set(err, ERR_USAGE,
                   "lk bench: one of scan, drain, batch, batch-kinds, gen, read, anomalies, "
                   "interference, keys, "
                   "ysb, fresh, raw");
}
