/* bench/bench_anomalies.c - `lk bench anomalies`: do readers ever see a torn answer while pointers flip?
 *
 *   lk gen ─> log ─┬─> lk lambda archive ─> lk lambda batch, one after the other ─┐
 *                  ├─> lk lambda speed, a span every SPAN ────────────────────────┴─> Redis <─ readers
 *                  └─> (--versions) lk kappa run and lk kappa deploy --follow ──────> the live pointer flips
 *
 * Each hand-over mode has a log and a Redis of its own; each answer is held against the exact one at its
 * positions (anomaly.h). With --kill archiver, speed layer and batch, or the workers of both versions, die by
 * SIGKILL at each of their fault points in turn, and a point where nobody died fails the run (anomaly_kills.h).
 * Some events come late, as a bound in event time would otherwise have nothing to lose; the plan takes them
 * all. A check that finds nothing in the naive mode, which is known to lose, is worth nothing. */
#include <stdlib.h>

#include "bench/anomaly.h"
#include "bench/anomaly_kills.h"
#include "bench/bench.h"
#include "bench/rig.h"
#include "common/base/clock.h"
#include "common/store/handover.h"

enum {
    PARTITIONS = 4,
    RATE =
        1000, /* events a second: batches stay short, and there is something to lose all the time */
    WINDOW_MS = 2000,
    LATE_MAX_MS = 3000,
    POLL_MS = 4,
    RIG_LOOK_EACH = 16, /* polls: it reads several files of each child */
    SPREAD_FLIPS =
        250, /* so many flips: kills are twice as far apart, so that there are flips between */
    KEEP_MS = 12000,      /* of versions: so that something is unlinked; far above LATE_MAX_MS */
    MODES = HANDOVERS + 1 /* the last: versions */
};

#define LATE_SHARE 0.02

static const char VIEW[] = "anomalies";

#define PLAN(rules, value)                                                                         \
    "{\"view\":\"anomalies\",\"source\":{\"time\":{\"field\":\"event_time\",\"format\":\"ms\"},"   \
    "\"fields\":{\"ad_type\":\"string\",\"event_type\":\"string\"}},\"key\":[\"ad_type\"],"        \
    "\"window\":{\"tumbling\":\"2s\"},\"allowed_lateness\":\"unlimited\"," rules "\"values\":{"    \
    "\"n\":" value "}}"
#define KEEP "\"keep\":\"12s\","

static const char PLAN_LAMBDA[] = PLAN("", "\"count\"");
static const char PLAN_ALL[] = PLAN(KEEP, "\"count\"");
static const char PLAN_MARKED[] =
    PLAN(KEEP, "{\"count\":true,\"where\":[\"event_type\",\"=\",\"view\"]}");
/* With kills: cells are few, and yet some must leave memory. */
static const char SMALL[] = " --memory 64KiB";

/* One mode's run. */
struct round {
    const struct anomalies_options *options;
    int mode;
    struct rig rig;
    struct kills kills;
    int64_t flips;
    char generation[33]; /* seen last */
    double seconds;
    struct anomaly_counts counts;
};

/* Long enough for a machine that is busy otherwise: then there is no verdict. */
static int64_t limit_s(const struct anomalies_options *options)
{
    return 300 + options->flips + options->reads / 1000;
}

static int64_t events_of(const struct anomalies_options *options)
{
    return limit_s(options) * RATE;
}

static const char *mode_name(int mode)
{
    return mode == HANDOVERS ? "versions" : handover_name((enum handover)mode);
}

/* ---- the exact answers ---- */

static void read_ad(void *context, const struct workload_event *event, struct exact_event *out)
{
    static _Thread_local char key[64];
    (void)context;
    struct bytes type = exact_field(event->value, "\"ad_type\":");
    int len = snprintf(key, sizeof key, "[\"%.*s\"]", (int)type.len, type.ptr);
    *out = (struct exact_event){
        .counts = true,
        .key = {key, (size_t)len},
        .marked = bytes_equal(exact_field(event->value, "\"event_type\":"), bytes_of("view"))};
}

static int make_exact(const struct anomalies_options *options, struct exact **out, struct err *err)
{
    struct workload_options ads = {
        .seed = options->seed, .events = events_of(options), .event_rate = RATE};
    struct disorder_options disorder = {
        .seed = options->seed, .late_share = LATE_SHARE, .late_max_ms = LATE_MAX_MS};
    struct exact_rule rule = {.read = read_ad, .window_ms = WINDOW_MS};
    return exact_make(&workload_ads, &ads, &disorder, &rule, PARTITIONS, out, err);
}

/* ---- the processes ---- */

static int start_gen(struct round *round, struct err *err)
{
    char words[200];
    snprintf(
        words, sizeof words,
        "gen ads --events %lld --seed %llu --rate %d --event-rate %d --late-share %g --late-max "
        "%dms",
        (long long)events_of(round->options), (unsigned long long)round->options->seed, RATE, RATE,
        LATE_SHARE, LATE_MAX_MS);
    return rig_start(&round->rig, "gen", words, "--log --topic", &round->kills.gen, err);
}

/* One that dies by --kill. */
static int start_mortal(struct round *round, enum kills_role role, const char *name,
                        const char *words, const char *flags, struct err *err)
{
    struct process *process;
    int rc = rig_start(&round->rig, name, words, flags, &process, err);
    if (rc == 0 && round->options->kill)
        kills_add(&round->kills, role, process);
    if (rc == 0 && role == KILLS_BATCH)
        round->kills.batch = process;
    return rc;
}

static int start_lambda(struct round *round, struct err *err)
{
    struct rig *rig = &round->rig;
    char speed[160], batch[160];
    snprintf(speed, sizeof speed, "lambda speed --span 40ms --commit 10ms --handover %s%s",
             mode_name(round->mode), round->options->kill ? SMALL : "");
    snprintf(batch, sizeof batch,
             "lambda batch --every 10ms --keep 2 --workers 1 --kind incremental --handover %s",
             mode_name(round->mode));
    int rc = rig_write_plan(rig, bytes_of(PLAN_LAMBDA), err);
    rc = rc ? rc : start_gen(round, err);
    rc = rc ? rc
            : start_mortal(round, KILLS_ARCHIVE, "archive", "lambda archive --roll 20ms",
                           "--log --topic --archive", err);
    rc = rc ? rc
            : start_mortal(round, KILLS_SPEED, "speed", speed, "--log --topic --plan --view", err);
    rc = rc ? rc : rig_wait_view(rig, VIEW, ARCH_LAMBDA, err);
    return rc ? rc
              : start_mortal(round, KILLS_BATCH, "batch", batch, "--plan --archive --view", err);
}

static int start_version(struct round *round, const char *name, const char *verb, struct err *err)
{
    char words[80];
    snprintf(words, sizeof words, "kappa %s --commit 10ms%s", verb,
             round->options->kill ? SMALL : "");
    return start_mortal(round, KILLS_KAPPA, name, words, "--log --topic --plan --view", err);
}

static int start_kappa(struct round *round, struct err *err)
{
    struct rig *rig = &round->rig;
    int rc = rig_write_plan(rig, bytes_of(PLAN_ALL), err);
    rc = rc ? rc : start_gen(round, err);
    rc = rc ? rc : start_version(round, "live", "run", err);
    rc = rc ? rc : rig_wait_view(rig, VIEW, ARCH_KAPPA, err);
    snprintf(rig->plan, sizeof rig->plan, "%s/next.json",
             rig->dir); /* the other one is read again */
    rc = rc ? rc : rig_write_plan(rig, bytes_of(PLAN_MARKED), err);
    return rc ? rc : start_version(round, "next", "deploy --follow", err);
}

/* ---- flips ---- */

/* Lambda's come from the batch; they are counted where partition 0 names another generation. */
static int count_flip(struct round *round, struct view_reader *reader, struct err *err)
{
    struct view_query query = {.positions_only = true};
    struct answer answer;
    int rc = view_reader_read(reader, &query, &answer, err);
    if (rc < 0)
        return rc == ERR_GAP || rc == ERR_AWAY ? 0 : rc;
    if (strcmp(answer.parts[0].generation, round->generation) != 0) {
        memcpy(round->generation, answer.parts[0].generation, sizeof round->generation);
        round->flips++;
    }
    answer_release(&answer);
    return 0;
}

/* Kappa's are ours: forward to version 2, and back. */
static int flip(struct round *round, struct kv *kv, struct err *err)
{
    struct err why = {0};
    int rc = registry_promote(kv, VIEW, ARCH_KAPPA, 0, round->flips % 2 ? 1 : 2, &why);
    if (rc == ERR_USAGE)
        return 0; /* it is not deployed yet */
    round->flips += rc == 0;
    return rc < 0 ? err_set(err, rc, "%s", why.text) : 0;
}

static bool enough(const struct round *round, const struct anomaly_scene *scene)
{
    char missing[80];
    return scene->reads >= round->options->reads && round->flips >= round->options->flips &&
           !kills_missing(&round->kills, missing);
}

static int no_verdict(const struct round *round, const struct anomaly_scene *scene, struct err *err)
{
    char missing[80];
    const char *point = kills_missing(&round->kills, missing);
    return err_set(err, ERR_CHECK, "%s: only %lld reads and %lld flips in %lld s%s%s: no verdict",
                   mode_name(round->mode), (long long)scene->reads, (long long)round->flips,
                   (long long)limit_s(round->options), point ? ", and nobody died of " : "",
                   point ? point : "");
}

static int watch(struct round *round, const struct anomaly_scene *scene, struct err *err)
{
    struct kv *kv = NULL;
    int rc = kv_open(round->rig.redis.uri, &kv, err);
    struct view_reader *reader = view_reader_new(kv, VIEW, scene->arch);
    unsigned looks = 0;
    int64_t begin_ns = clock_mono_ns(),
            limit_ns = begin_ns + limit_s(round->options) * INT64_C(1000000000);
    while (rc == 0 && !enough(round, scene)) {
        rc = round->mode == HANDOVERS ? flip(round, kv, err) : count_flip(round, reader, err);
        rc = rc ? rc : kills_look(&round->kills, err);
        if (rc == 0 && looks++ % RIG_LOOK_EACH == 0)
            rc = rig_look(&round->rig, err);
        if (rc == 0 && clock_mono_ns() > limit_ns)
            rc = no_verdict(round, scene, err);
        clock_sleep_ms(POLL_MS);
    }
    round->seconds = (double)(clock_mono_ns() - begin_ns) / 1e9;
    view_reader_free(reader);
    kv_close(kv);
    return rc;
}

static int play(struct round *round, const struct exact *exact, struct err *err)
{
    bool kappa = round->mode == HANDOVERS;
    round->kills.spread = 1 + (int)(round->options->flips / SPREAD_FLIPS);
    rng_init_at(&round->kills.rng, round->options->seed, (uint64_t)round->mode);
    int rc =
        rig_open(&round->rig, round->options->program, round->options->log_uri, PARTITIONS, err);
    rc = rc ? rc : kappa ? start_kappa(round, err) : start_lambda(round, err);
    if (rc == 0) {
        struct anomaly_scene scene = {.uri = round->rig.redis.uri,
                                      .view = VIEW,
                                      .arch = kappa ? ARCH_KAPPA : ARCH_LAMBDA,
                                      .exact = exact,
                                      .partitions = PARTITIONS,
                                      .keep_ms = kappa ? KEEP_MS : 0,
                                      .seed = rng_mix(round->options->seed, (uint64_t)round->mode)};
        struct anomaly_readers *readers = anomaly_start(&scene, round->options->readers);
        rc = watch(round, &scene, err);
        round->counts = anomaly_stop(readers);
    }
    rig_close(&round->rig);
    return rc;
}

/* ---- the table ---- */

static double per_million(const struct round *round, int64_t count)
{
    return round->counts.reads ? (double)count * 1e6 / (double)round->counts.reads : 0;
}

/* Who died where how often. */
static void print_kills(const struct round *round, FILE *out)
{
    struct buf text = {0};
    kills_json(&round->kills, &text);
    fprintf(out, "%11s %s\n", "struck", text.ptr);
    buf_release(&text);
}

static void print_text(const struct round *round, FILE *out)
{
    const struct anomaly_counts *c = &round->counts;
    fprintf(out, "%-11s %9lld %6lld %6d %10.1f %10.1f %10.1f %8.1f%% %6lld %6lld %7.1f\n",
            mode_name(round->mode), (long long)c->reads, (long long)round->flips,
            kills_total(&round->kills), per_million(round, c->lost), per_million(round, c->doubled),
            per_million(round, c->regressed), c->error_max * 100, (long long)c->gaps,
            (long long)c->errors, round->seconds);
    if (round->options->kill)
        print_kills(round, out);
    fflush(out);
    if (*c->example)
        fprintf(stderr, "lk: %s, for example: %s\n", mode_name(round->mode), c->example);
}

static void print_json(const struct round *round, FILE *out)
{
    struct buf struck = {0};
    kills_json(&round->kills, &struck);
    const struct anomaly_counts *c = &round->counts;
    fprintf(out,
            "{\"mode\":\"%s\",\"reads\":%lld,\"flips\":%lld,\"kills\":%d,\"lost\":%lld,"
            "\"doubled\":%lld,\"regressed\":%lld,\"per_million\":%.3f,\"error_max\":%.6f,"
            "\"gaps\":%lld,\"errors\":%lld,\"seconds\":%.3f,\"struck\":%s}\n",
            mode_name(round->mode), (long long)c->reads, (long long)round->flips,
            kills_total(&round->kills), (long long)c->lost, (long long)c->doubled,
            (long long)c->regressed, per_million(round, anomaly_total(c)), c->error_max,
            (long long)c->gaps, (long long)c->errors, round->seconds, struck.ptr);
    fflush(out);
    buf_release(&struck);
}

static void print_head(FILE *out)
{
    fprintf(out, "%-11s %9s %6s %6s %10s %10s %10s %9s %6s %6s %7s\n", "mode", "reads", "flips",
            "kills", "lost/M", "doubled/M", "back/M", "worst", "gaps", "errors", "seconds");
}

/* What must be so, by mode; NULL: it is. */
static const char *verdict(const struct round *round)
{
    bool exact = round->mode == HANDOVER_OFFSET || round->mode == HANDOVERS;
    int64_t total = anomaly_total(&round->counts);
    if (exact && total > 0)
        return "saw anomalies, and must not have any";
    if (exact && round->counts.errors > 0)
        return "refused reads";
    if (round->mode == HANDOVER_NAIVE && total == 0)
        return "saw no anomaly: this check finds nothing";
    return NULL;
}

int bench_anomalies(const struct anomalies_options *options, FILE *out, struct err *err)
{
    struct exact *exact;
    int rc = make_exact(options, &exact, err);
    if (rc < 0)
        return rc;
    if (!options->json)
        print_head(out);
    struct err wrong = {0};
    for (int mode = 0; rc == 0 && mode < MODES; mode++) {
        if (!(options->modes & 1u << mode))
            continue;
        struct round round = {.options = options, .mode = mode};
        rc = play(&round, exact, err);
        if (rc == 0 && options->json)
            print_json(&round, out);
        else if (rc == 0)
            print_text(&round, out);
        if (rc == 0 && verdict(&round))
            err_set(&wrong, ERR_CHECK, "%s %s; again: lk bench anomalies --seed %llu",
                    mode_name(mode), verdict(&round), (unsigned long long)options->seed);
    }
    exact_free(exact);
    return rc < 0 || !wrong.code ? rc : err_set(err, wrong.code, "%s", wrong.text);
}
