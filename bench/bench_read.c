/* bench/bench_read.c - `lk bench read`: what does it cost a reader that lambda's view is in two parts?
 *
 *   lk gen ─> log ─┬─> lk lambda archive ─> batch    ─┐
 *                  ├─> lk lambda speed               ─┴─> one Redis <─ two readers, in turn: ABBA
 *                  └─> lk kappa run ────────────────────>
 *
 * Both views are of the same events, both commit and flip meanwhile, and both are read by a view_reader that
 * stays open: one key of one window among the last events. Each answer is held against the exact one at its
 * positions (exact.h); no figure where one differs. */
#include <math.h>
#include <stdlib.h>

#include "bench/ads_log.h"
#include "bench/bench.h"
#include "bench/exact.h"
#include "bench/rig.h"
#include "bench/straight.h"
#include "common/base/clock.h"
#include "common/base/hist.h"
#include "common/base/rng.h"

enum { PARTITIONS = 4, SEED = 7, RECENT = 4000, BLOCKS = 10, SIDES = 2 };
enum { FIRST_CUT_MS = 2500, GENERATION_WAIT_MS = 60000, POLL_MS = 20 };
#define GOAL 1.5 /* merged p99 over the single view's, at most */

/* One of lambda and kappa. */
struct side {
    enum arch arch;
    struct view_reader *reader;
    struct hist took_ns, block_ns;
    int64_t next[LOG_PARTITIONS_MAX];
    int unsure; /* a cell whose last answer was not exact, or -1 */
    int64_t unsure_count;
};

struct bench {
    const struct read_options *options;
    const struct subject *subject;
    struct rig rig;
    struct process *gen;
    struct straight straight; /* of ads: campaigns */
    struct exact *exact;
    struct kv *kv;
    struct side sides[SIDES];
    struct rng rng;
    double ratios[BLOCKS];
    int blocks;
    int64_t pairs;
};

/* A plan, and the events that it reads. */
struct subject {
    const char *name, *view, *plan, *count; /* count: the value that counts events */
    const struct workload *workload;
    struct workload_options options;
    const char *gen; /* the words that append them */
    struct exact_rule rule;
    bool (*right)(struct bytes values, const struct exact_sum *wanted);
};

static int64_t number_of(struct bytes values, const char *name)
{
    struct bytes text = exact_field(values, name);
    return text.len ? strtoll(text.ptr, NULL, 10) : INT64_MIN;
}

static bool right_ads(struct bytes values, const struct exact_sum *wanted)
{
    return number_of(values, "\"views\":") == wanted->count;
}

/* ---- flights: delays by origin ---- */

static void read_flight(void *context, const struct workload_event *event, struct exact_event *out)
{
    static _Thread_local char key[64];
    (void)context;
    struct bytes origin = exact_field(event->value, "\"origin\":");
    int64_t delay = strtoll(exact_field(event->value, "\"delay\":").ptr, NULL, 10);
    int len = snprintf(key, sizeof key, "[\"%.*s\"]", (int)origin.len, origin.ptr);
    *out = (struct exact_event){
        .counts = true, .key = {key, (size_t)len}, .value = delay, .marked = delay > 15};
}

static bool right_flights(struct bytes values, const struct exact_sum *wanted)
{
    struct bytes text = exact_field(values, "\"mean_delay\":");
    double mean = text.len ? strtod(text.ptr, NULL) : NAN;
    double exact = (double)wanted->sum / (double)wanted->count;
    return number_of(values, "\"flights\":") == wanted->count &&
           number_of(values, "\"worst\":") == wanted->max &&
           number_of(values, "\"late\":") == wanted->marked &&
           fabs(mean - exact) <= 1e-6 * (1 + fabs(exact));
}

static const struct subject SUBJECTS[] = {
    {.name = "ads",
     .view = "ad_views",
     .plan = "ads.json",
     .count = "\"views\":",
     .workload = &workload_ads,
     .options = {.seed = SEED, .events = 2000000, .event_rate = 10000},
     .gen = "gen ads --events 2000000 --seed 7 --rate 10000 --event-rate 10000",
     .rule = {.read = ads_log_view, .window_ms = 10000},
     .right = right_ads},
    {.name = "flights",
     .view = "flight_delays",
     .plan = "flights-48h.json",
     .count = "\"flights\":",
     .workload = &workload_flights,
     .options = {.seed = SEED},
     .gen = "gen flights --speed 10080",
     .rule = {.read = read_flight, .window_ms = 3600000},
     .right = right_flights},
};

/* ---- one read ---- */

static int wrong(const struct bench *bench, const struct side *side, int cell,
                 const struct answer *answer, struct err *err)
{
    struct exact_cell at = exact_cell(bench->exact, cell);
    struct exact_sum wanted = exact_at(bench->exact, cell, side->next);
    return err_set(err, ERR_CHECK,
                   "%s, %s: key %s of window %lld holds {%s}, by its positions it has %lld events, "
                   "%lld marked, sum %lld",
                   bench->subject->name, side->arch == ARCH_KAPPA ? "kappa" : "lambda", at.key,
                   (long long)at.window_ms, answer->count ? answer->rows[0].values.ptr : "",
                   (long long)wanted.count, (long long)wanted.marked, (long long)wanted.sum);
}

/* Exact answers are right or not; of others the count lies between their positions and the next ones'. */
static int check(struct bench *bench, struct side *side, int cell, const struct answer *answer,
                 struct err *err)
{
    for (int p = 0; p < answer->partitions; p++)
        side->next[p] = answer->parts[p].next;
    if (side->unsure >= 0 &&
        exact_at(bench->exact, side->unsure, side->next).count < side->unsure_count)
        return wrong(bench, side, side->unsure, answer, err);
    side->unsure = -1;
    struct exact_sum wanted = exact_at(bench->exact, cell, side->next);
    struct bytes values = answer->count ? answer->rows[0].values : (struct bytes){0};
    if (answer->exact) {
        bool right = values.ptr ? bench->subject->right(values, &wanted) : wanted.count == 0;
        return right ? 0 : wrong(bench, side, cell, answer, err);
    }
    side->unsure = cell;
    side->unsure_count = values.ptr ? number_of(values, bench->subject->count) : 0;
    return side->unsure_count < wanted.count ? wrong(bench, side, cell, answer, err) : 0;
}

static int read_once(struct bench *bench, struct side *side, int cell, struct err *err)
{
    struct exact_cell at = exact_cell(bench->exact, cell);
    struct view_query query = {.key = at.key, .has_window = true, .window_ms = at.window_ms};
    struct answer answer;
    int64_t began_ns = clock_mono_ns();
    int rc = view_reader_read(side->reader, &query, &answer, err);
    if (rc < 0)
        return rc;
    int64_t took_ns = clock_mono_ns() - began_ns;
    hist_record(&side->block_ns, took_ns);
    hist_record(&side->took_ns, took_ns);
    rc = check(bench, side, cell, &answer, err);
    answer_release(&answer);
    return rc;
}

/* The cell of one of the last events that kappa has shown. */
static int choose_cell(struct bench *bench)
{
    int p = (int)rng_below(&bench->rng, PARTITIONS);
    int64_t seen = bench->sides[1].next[p], among = seen < RECENT ? seen : RECENT;
    int64_t offset = seen - 1 - (among ? (int64_t)rng_below(&bench->rng, (uint64_t)among) : 0);
    return exact_cell_of(bench->exact, p, offset < 0 ? 0 : offset);
}

static int read_pair(struct bench *bench, struct err *err)
{
    int cell = choose_cell(bench);
    if (cell < 0)
        return 0;                          /* that event does not count */
    int first = (int)(bench->pairs++ % 2); /* ABBA */
    int rc = read_once(bench, &bench->sides[first], cell, err);
    return rc ? rc : read_once(bench, &bench->sides[!first], cell, err);
}

static void end_block(struct bench *bench)
{
    double p99[SIDES];
    for (int i = 0; i < SIDES; i++) {
        p99[i] = (double)hist_percentile(&bench->sides[i].block_ns, 99);
        hist_clear(&bench->sides[i].block_ns);
    }
    bench->ratios[bench->blocks++] = p99[0] / p99[1];
}

static int read_on(struct bench *bench, struct err *err)
{
    int64_t a_block = bench->options->reads / BLOCKS;
    int rc = 0;
    while (rc == 0 && bench->blocks < BLOCKS && !process_ended(bench->gen)) {
        rc = read_pair(bench, err);
        if (bench->pairs == a_block * (bench->blocks + 1))
            end_block(bench);
        if (rc == 0 && bench->pairs % 1000 == 0)
            rc = rig_look(&bench->rig, err);
    }
    if (rc == 0 && bench->blocks < BLOCKS)
        rc = err_set(err, ERR_CHECK,
                     "%s: the events ended after %lld reads; give --reads a smaller number",
                     bench->subject->name, (long long)bench->pairs);
    return rc;
}

/* ---- the run ---- */

static int make_exact(struct bench *bench, struct err *err)
{
    const struct subject *subject = bench->subject;
    struct workload_options options = subject->options;
    struct exact_rule rule = subject->rule;
    char table[RIG_PATH];
    void *state;
    options.tables_dir = bench->rig.dir;
    int rc = subject->workload->open(&options, &state, err); /* writes the look-up table */
    if (rc < 0)
        return rc;
    subject->workload->close(state);
    if (subject->workload == &workload_ads) {
        snprintf(table, sizeof table, "%s/campaigns.jsonl", bench->rig.dir);
        rc = straight_init(&bench->straight, table, err);
        rule.context = &bench->straight;
    }
    return rc ? rc
              : exact_make(subject->workload, &options, NULL, &rule, PARTITIONS, &bench->exact,
                           err);
}

static int start(struct bench *bench, struct err *err)
{
    struct rig *rig = &bench->rig;
    const char *view = bench->subject->view;
    int rc = rig_write_plan(rig, workload_plan(bench->subject->plan), err);
    rc = rc ? rc : rig_start(rig, "gen", bench->subject->gen, "--log --topic", &bench->gen, err);
    rc = rc ? rc : rig_start(rig, "kappa", "kappa run", "--log --topic --plan --view", NULL, err);
    rc =
        rc ? rc : rig_start(rig, "archive", "lambda archive", "--log --topic --archive", NULL, err);
    rc = rc ? rc
            : rig_start(rig, "speed", "lambda speed --span 2s", "--log --topic --plan --view", NULL,
                        err);
    rc = rc ? rc : rig_wait_view(rig, view, ARCH_KAPPA, err);
    rc = rc ? rc : rig_wait_view(rig, view, ARCH_LAMBDA, err);
    clock_sleep_ms(FIRST_CUT_MS); /* so that the first batch ends at a cut */
    return rc ? rc
              : rig_start(rig, "batch", "lambda batch --every 4s", "--plan --archive --view", NULL,
                          err);
}

static int open_readers(struct bench *bench, struct err *err)
{
    int rc = kv_open(bench->rig.redis.uri, &bench->kv, err);
    for (int i = 0; rc == 0 && i < SIDES; i++) {
        struct side *side = &bench->sides[i];
        side->arch = i == 0 ? ARCH_LAMBDA : ARCH_KAPPA;
        side->unsure = -1;
        side->reader = view_reader_new(bench->kv, bench->subject->view, side->arch);
    }
    return rc;
}

/* Until a batch answers below its boundary. */
static int wait_for_generation(struct bench *bench, struct err *err)
{
    struct view_query query = {.positions_only = true};
    for (int waited_ms = 0; waited_ms < GENERATION_WAIT_MS; waited_ms += POLL_MS) {
        struct answer answer;
        int rc = view_reader_read(bench->sides[0].reader, &query, &answer, err);
        if (rc < 0)
            return rc;
        bool there = *answer.parts[0].generation != 0;
        answer_release(&answer);
        if (there)
            return 0;
        if ((rc = rig_look(&bench->rig, err)) < 0)
            return rc;
        clock_sleep_ms(POLL_MS);
    }
    return err_set(err, ERR_CHECK, "no batch was published in %d s", GENERATION_WAIT_MS / 1000);
}

static void release(struct bench *bench)
{
    for (int i = 0; i < SIDES; i++) {
        view_reader_free(bench->sides[i].reader);
        hist_release(&bench->sides[i].took_ns);
        hist_release(&bench->sides[i].block_ns);
    }
    kv_close(bench->kv);
    rig_close(&bench->rig);
    exact_free(bench->exact);
    straight_release(&bench->straight);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double us(const struct side *side, double percent)
{
    return (double)hist_percentile(&side->took_ns, percent) / 1000;
}

static void print(struct bench *bench, FILE *out)
{
    const struct side *lambda = &bench->sides[0], *kappa = &bench->sides[1];
    qsort(bench->ratios, BLOCKS, sizeof *bench->ratios, by_size);
    double median = (bench->ratios[BLOCKS / 2 - 1] + bench->ratios[BLOCKS / 2]) / 2;
    fprintf(out,
            bench->options->json
                ? "{\"plan\":\"%s\",\"reads\":%lld,\"lambda_p50_us\":%.1f,\"lambda_p99_us\":%.1f,"
                  "\"kappa_p50_us\":%.1f,\"kappa_p99_us\":%.1f,\"ratio_p99\":%.2f,\"ratio_min\":"
                  "%.2f,\"ratio_max\":%.2f,\"goal\":%.1f}\n"
                : "read %s: %lld pairs; lambda p50 %.0f us, p99 %.0f us; kappa p50 %.0f us, p99 "
                  "%.0f us; ratio of p99 %.2f (blocks %.2f to %.2f; wanted: at most %.1f)\n",
            bench->subject->name, (long long)bench->pairs, us(lambda, 50), us(lambda, 99),
            us(kappa, 50), us(kappa, 99), median, bench->ratios[0], bench->ratios[BLOCKS - 1],
            GOAL);
    fflush(out);
}

static int run_subject(struct bench *bench, FILE *out, struct err *err)
{
    rng_init(&bench->rng, SEED);
    int rc = rig_open(&bench->rig, bench->options->program, NULL, PARTITIONS, err);
    rc = rc ? rc : make_exact(bench, err);
    rc = rc ? rc : start(bench, err);
    rc = rc ? rc : open_readers(bench, err);
    rc = rc ? rc : wait_for_generation(bench, err);
    rc = rc ? rc : read_on(bench, err);
    if (rc == 0)
        print(bench, out);
    release(bench);
    return rc;
}

int bench_read(const struct read_options *options, FILE *out, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof SUBJECTS / sizeof *SUBJECTS; i++) {
        struct bench bench = {.options = options, .subject = &SUBJECTS[i]};
        rc = run_subject(&bench, out, err);
    }
    return rc;
}
