/* bench/bench_interference.c - `lk bench interference`: does what is big disturb what is live?
 *
 *   history, then live at a fixed rate ─> log ─┬─> archive, speed ─┐
 *                                              ├─> or: kappa run ──┴─> Redis <─ one reader (live_reader.h)
 *   blocks ABAB: A alone; B while a batch over all of the archive, or a replay of all of the log, runs
 *
 * What is big is started again whenever it ends, until its block is over; its last one ends before the next
 * block begins. An event belongs to the block that it was due in, wherever it is seen. Each way has blocks of
 * its own, and its ratio is that of the p99s of a block B and the A before it. */
#include <stdlib.h>

#include "bench/ads_log.h"
#include "bench/bench.h"
#include "bench/live_reader.h"
#include "bench/rig.h"
#include "common/base/clock.h"
#include "kappa/version.h"

enum { PARTITIONS = 4, SEED = 7, WINDOW_MS = 10000, WAYS_MAX = 2, ARCHES = 2, RATIOS_MAX = 64 };
enum {
    POLL_MS = 2,
    LEAD_MS = 200,
    REST_MS = 20,
    CALM_MS = 1000,
    SETTLE_MS = 120000,
    END_MS = 300000
};
#define GOAL 3.0 /* p99 beside, over p99 alone, at most */

static const char VIEW[] = "ad_views";

/* Something big. */
struct way {
    const char *name;    /* for the table */
    const char *process; /* of its output */
    const char *words;   /* the verb; %s: --rate of a replay */
    const char *flags;
    bool paced; /* a replay at --replay-rate */
};

static const struct scene {
    enum arch arch;
    const char *name;
    struct way way[WAYS_MAX];
} SCENES[ARCHES] = {
    {ARCH_LAMBDA,
     "lambda",
     {{"batch", "batch", "lambda batch", "--plan --archive --view", false},
      {"batch --columnar", "columnar", "lambda batch --columnar", "--plan --archive --view",
       false}}},
    {ARCH_KAPPA,
     "kappa",
     {{"replay", "replay", "kappa deploy", "--log --topic --plan --view", false},
      {"replay --rate", "paced", "kappa deploy", "--log --topic --plan --view", true}}}};

/* What one way did. */
struct figures {
    struct hist alone_us, beside_us;
    double ratio[RATIOS_MAX]; /* of the p99s, by round */
    int rounds, runs;         /* runs: how often the big work came to its end */
    double at_work_s;         /* of the blocks B */
};

struct stage {
    const struct interference_options *options;
    const struct scene *scene;
    struct rig rig;
    struct straight straight; /* campaigns */
    struct exact *exact;
    struct live_reader reader;
    struct process *big[WAYS_MAX];
    int versions;     /* of the view, so far */
    int64_t began_ns; /* the big work, monotonic; 0: it does not run */
    struct figures figures[WAYS_MAX];
};

/* ---- the stage ---- */

/* Far more than are due, also on a machine that is busy otherwise. */
static int64_t events_of(const struct interference_options *options)
{
    int64_t blocks_s = (int64_t)WAYS_MAX * options->rounds * 2 * (options->block_ms / 1000 + 2);
    return options->events + (int64_t)options->rate * (3 * blocks_s + 300);
}

static struct workload_options ads_of(const struct stage *stage)
{
    return (struct workload_options){.seed = SEED,
                                     .events = events_of(stage->options),
                                     .event_rate = stage->options->rate,
                                     .tables_dir = stage->rig.dir};
}

static int make_exact(struct stage *stage, struct err *err)
{
    struct workload_options options = ads_of(stage);
    struct exact_rule rule = {
        .read = ads_log_view, .context = &stage->straight, .window_ms = WINDOW_MS};
    char table[RIG_PATH];
    void *state;
    int rc = workload_ads.open(&options, &state, err); /* writes the look-up table */
    if (rc < 0)
        return rc;
    workload_ads.close(state);
    snprintf(table, sizeof table, "%s/campaigns.jsonl", stage->rig.dir);
    rc = straight_init(&stage->straight, table, err);
    return rc ? rc
              : exact_make(&workload_ads, &options, NULL, &rule, PARTITIONS, &stage->exact, err);
}

/* Start it, and wait for its end. */
static int run_to_end(struct stage *stage, const char *name, const char *words, const char *flags,
                      struct process **out, struct err *err)
{
    struct process *child;
    int rc = rig_start(&stage->rig, name, words, flags, &child, err);
    for (int waited = 0; rc == 0 && !process_ended(child); waited += POLL_MS) {
        rc = rig_look(&stage->rig, err);
        if (rc == 0 && waited > END_MS)
            rc = err_set(err, ERR_CHECK, "lk %s does not end", words);
        clock_sleep_ms(POLL_MS);
    }
    if (rc == 0 && child->failed)
        rc = err_set(err, ERR_ENV, "lk %s: %s", words, child->fate);
    if (out)
        *out = child;
    return rc;
}

static int fill_history(struct stage *stage, struct err *err)
{
    char words[160];
    snprintf(words, sizeof words, "gen ads --events %lld --seed %d --rate max --event-rate %.0f",
             (long long)stage->options->events, SEED, stage->options->rate);
    return run_to_end(stage, "history", words, "--log --topic", NULL, err);
}

/* Behind the history, the next event due a while from now. */
static int start_live(struct stage *stage, struct err *err)
{
    char words[240];
    const struct interference_options *options = stage->options;
    double history_ns = (double)options->events * 1e9 / options->rate;
    stage->reader.start_ns = clock_wall_ns() + LEAD_MS * INT64_C(1000000) - (int64_t)history_ns;
    snprintf(
        words, sizeof words,
        "gen ads --events %lld --seed %d --rate %.0f --event-rate %.0f --resume --start-ns %lld",
        (long long)events_of(options), SEED, options->rate, options->rate,
        (long long)stage->reader.start_ns);
    return rig_start(&stage->rig, "live", words, "--log --topic", NULL, err);
}

/* The next version's plan says one thing more than those before, which makes it another. */
static int write_next_plan(struct stage *stage, struct err *err)
{
    static const char VALUE[] = "\"views\": \"count\"";
    struct bytes plan = workload_plan("ads.json");
    const char *at = memmem(plan.ptr, plan.len, VALUE, strlen(VALUE));
    size_t before = (size_t)(at - plan.ptr) + strlen(VALUE);
    struct buf text = {0};
    buf_printf(&text, "%.*s, \"again%d\": \"count\"%.*s", (int)before, plan.ptr, ++stage->versions,
               (int)(plan.len - before), plan.ptr + before);
    int rc = rig_write_plan(&stage->rig, buf_bytes(&text), err);
    buf_release(&text);
    return rc;
}

static void words_of(const struct stage *stage, const struct way *way, char out[80])
{
    int len = snprintf(out, 80, "%s", way->words);
    if (way->paced)
        snprintf(out + len, 80 - (size_t)len, " --rate %lld",
                 (long long)stage->options->replay_rate);
}

static int start_lambda(struct stage *stage, struct err *err)
{
    struct rig *rig = &stage->rig;
    char speed[100], archive[RIG_PATH + 60];
    snprintf(archive, sizeof archive, "lambda archive --columnar %s", rig->plan);
    snprintf(speed, sizeof speed, "lambda speed --span 500ms --commit %dms",
             stage->options->commit_ms);
    char until_end[RIG_PATH + 80];
    snprintf(until_end, sizeof until_end, "%s --until-end", archive);
    int rc = run_to_end(stage, "archived", until_end, "--log --topic --archive", NULL, err);
    for (int i = 0; rc == 0 && i < WAYS_MAX; i++) /* the first ones cover the history */
        rc = run_to_end(stage, stage->scene->way[i].process, stage->scene->way[i].words,
                        stage->scene->way[i].flags, &stage->big[i], err);
    rc = rc ? rc : rig_start(rig, "archive", archive, "--log --topic --archive", NULL, err);
    return rc ? rc : rig_start(rig, "speed", speed, "--log --topic --plan --view", NULL, err);
}

static int start_kappa(struct stage *stage, struct err *err)
{
    struct rig *rig = &stage->rig;
    char words[80];
    snprintf(words, sizeof words, "kappa run --commit %dms", stage->options->commit_ms);
    int rc = rig_start(rig, "run", words, "--log --topic --plan --view", NULL, err);
    rc = rc ? rc : rig_wait_view(rig, VIEW, ARCH_KAPPA, err);
    snprintf(rig->plan, sizeof rig->plan, "%s/next.json", rig->dir);
    stage->versions = 1;
    for (int i = 0; rc == 0 && i < WAYS_MAX; i++) {
        words_of(stage, &stage->scene->way[i], words);
        rc = write_next_plan(stage, err);
        rc = rc ? rc
                : run_to_end(stage, stage->scene->way[i].process, words, stage->scene->way[i].flags,
                             &stage->big[i], err);
        if (rc == 0 && kappa_retire(VIEW, rig->redis.uri, stage->versions, err) < 0)
            rc = err->code;
    }
    return rc;
}

static int open_stage(struct stage *stage, struct err *err)
{
    struct rig *rig = &stage->rig;
    int rc = rig_open(rig, stage->options->program, stage->options->log_uri, PARTITIONS, err);
    rc = rc ? rc : make_exact(stage, err);
    rc = rc ? rc : rig_write_plan(rig, workload_plan("ads.json"), err);
    rc = rc ? rc : fill_history(stage, err);
    rc = rc                                  ? rc
         : stage->scene->arch == ARCH_LAMBDA ? start_lambda(stage, err)
                                             : start_kappa(stage, err);
    rc = rc ? rc : start_live(stage, err);
    if (rc < 0)
        return rc;
    struct live_reader *reader = &stage->reader;
    reader->uri = rig->redis.uri;
    reader->view = VIEW;
    reader->arch = stage->scene->arch;
    reader->exact = stage->exact;
    reader->partitions = PARTITIONS;
    reader->rate = stage->options->rate;
    reader->seed = SEED;
    live_reader_start(reader);
    return 0;
}

static void close_stage(struct stage *stage)
{
    if (stage->reader.uri)
        live_reader_stop(&stage->reader);
    live_reader_release(&stage->reader);
    rig_close(&stage->rig);
    exact_free(stage->exact);
    straight_release(&stage->straight);
}

/* ---- something big ---- */

/* What of [from, to) lies in the block, seconds; both monotonic. */
static double within(int64_t from_ns, int64_t to_ns, int64_t block_from_ns, int64_t block_to_ns)
{
    int64_t from = from_ns > block_from_ns ? from_ns : block_from_ns;
    int64_t to = to_ns < block_to_ns ? to_ns : block_to_ns;
    return to > from ? (double)(to - from) / 1e9 : 0;
}

static int begin_work(struct stage *stage, int way, struct err *err)
{
    int rc = stage->scene->arch == ARCH_KAPPA ? write_next_plan(stage, err) : 0;
    stage->began_ns = clock_mono_ns();
    return rc ? rc : process_start(stage->big[way], err);
}

/* It has ended: was it well? A version that has been replayed gives its memory back, which is part of it. */
static int end_work(struct stage *stage, int way, struct err *err)
{
    struct process *big = stage->big[way];
    if (big->failed)
        return err_set(err, ERR_ENV, "lk %s: %s", stage->scene->way[way].words, big->fate);
    if (stage->scene->arch == ARCH_KAPPA &&
        kappa_retire(VIEW, stage->rig.redis.uri, stage->versions, err) < 0)
        return err->code;
    stage->figures[way].runs++;
    return 0;
}

/* Again and again until the block is over; then what runs comes to its end. */
static int work_on(struct stage *stage, int way, int64_t from_ns, int64_t to_ns, struct err *err)
{
    int rc = begin_work(stage, way, err);
    while (rc == 0) {
        if ((rc = rig_look(&stage->rig, err)) < 0 ||
            (rc = live_reader_look(&stage->reader, err)) < 0)
            break;
        if (!process_ended(stage->big[way])) {
            clock_sleep_ms(POLL_MS);
            continue;
        }
        rc = end_work(stage, way, err);
        int64_t now_ns = clock_mono_ns();
        stage->figures[way].at_work_s += within(stage->began_ns, now_ns, from_ns, to_ns);
        if (rc < 0 || now_ns >= to_ns)
            break;
        clock_sleep_ms(REST_MS);
        rc = begin_work(stage, way, err);
    }
    return rc;
}

/* ---- blocks ---- */

/* Until the reader has seen, for a while, what was due just now. */
static int wait_until_calm(struct stage *stage, struct err *err)
{
    int64_t calm_since_ns = 0, limit_ns = clock_mono_ns() + SETTLE_MS * INT64_C(1000000);
    for (;;) {
        int64_t now_ns = clock_mono_ns();
        int rc = rig_look(&stage->rig, err);
        rc = rc ? rc : live_reader_look(&stage->reader, err);
        if (rc < 0)
            return rc;
        bool calm = clock_wall_ns() - stage->reader.seen_ns < CALM_MS * INT64_C(1000000);
        if (!calm)
            calm_since_ns = 0;
        else if (calm_since_ns == 0)
            calm_since_ns = now_ns;
        else if (now_ns - calm_since_ns > CALM_MS * INT64_C(250000))
            return 0;
        if (now_ns > limit_ns)
            return err_set(
                err, ERR_CHECK,
                "%s cannot keep up with %.0f events/s, or the events have ended: no figure",
                stage->scene->name, stage->options->rate);
        clock_sleep_ms(POLL_MS);
    }
}

/* Until the reader has seen all that was due in this block: else what came last would count nowhere. */
static int wait_until_seen(struct stage *stage, int block, struct err *err)
{
    int64_t limit_ns = clock_mono_ns() + SETTLE_MS * INT64_C(1000000);
    while (stage->reader.seen_ns < stage->reader.block[block].to_ns) {
        int rc = rig_look(&stage->rig, err);
        rc = rc ? rc : live_reader_look(&stage->reader, err);
        if (rc == 0 && clock_mono_ns() > limit_ns)
            rc = err_set(err, ERR_CHECK, "%s does not show what was due in a block: no figure",
                         stage->scene->name);
        if (rc < 0)
            return rc;
        clock_sleep_ms(POLL_MS);
    }
    return 0;
}

static int sit_out(struct stage *stage, int64_t to_ns, struct err *err)
{
    int rc = 0;
    while (rc == 0 && clock_mono_ns() < to_ns) {
        rc = rig_look(&stage->rig, err);
        rc = rc ? rc : live_reader_look(&stage->reader, err);
        clock_sleep_ms(POLL_MS);
    }
    return rc;
}

/* One block; what is big (way >= 0) begins a little before it. */
static int play_block(struct stage *stage, int way, int *number, struct err *err)
{
    int64_t length_ms = stage->options->block_ms;
    int rc = wait_until_calm(stage, err);
    if (rc < 0)
        return rc;
    *number = live_reader_announce(&stage->reader, LEAD_MS, length_ms);
    int64_t from_ns = clock_mono_ns() + LEAD_MS * INT64_C(1000000);
    int64_t to_ns = from_ns + length_ms * 1000000;
    return way < 0 ? sit_out(stage, to_ns, err) : work_on(stage, way, from_ns, to_ns, err);
}

static double p99(const struct hist *us)
{
    return (double)hist_percentile(us, 99) / 1e3;
}

/* Blocks are read when the reader has stopped; until then this is who is who. */
struct pair {
    int alone, beside;
};

static int add_pair(struct stage *stage, int way, struct pair pair, struct err *err)
{
    struct figures *figures = &stage->figures[way];
    const struct hist *alone = &stage->reader.block[pair.alone].fresh_us;
    const struct hist *beside = &stage->reader.block[pair.beside].fresh_us;
    if (p99(alone) <= 0 || p99(beside) <= 0)
        return err_set(err, ERR_CHECK, "no event was due in a block of %s: longer ones (--block)",
                       stage->scene->name);
    hist_merge(&figures->alone_us, alone);
    hist_merge(&figures->beside_us, beside);
    figures->ratio[figures->rounds++] = p99(beside) / p99(alone);
    return 0;
}

static int play_ways(struct stage *stage, struct err *err)
{
    struct pair pairs[WAYS_MAX][RATIOS_MAX] = {0};
    int rc = 0, rounds = stage->options->rounds;
    for (int way = 0; rc == 0 && way < WAYS_MAX; way++)
        for (int round = 0; rc == 0 && round < rounds; round++) {
            rc = play_block(stage, -1, &pairs[way][round].alone, err);
            rc = rc ? rc : play_block(stage, way, &pairs[way][round].beside, err);
        }
    rc = rc ? rc : wait_until_seen(stage, pairs[WAYS_MAX - 1][rounds - 1].beside, err);
    if (rc < 0)
        return rc;
    live_reader_stop(&stage->reader);
    stage->reader.uri = NULL;
    rc = live_reader_look(&stage->reader, err); /* its last answer may have been wrong */
    for (int way = 0; rc == 0 && way < WAYS_MAX; way++)
        for (int round = 0; rc == 0 && round < rounds; round++)
            rc = add_pair(stage, way, pairs[way][round], err);
    return rc;
}

/* ---- the answer ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_head(const struct interference_options *options, FILE *out)
{
    fprintf(
        out,
        "interference: ads, %.0f events/s live behind %lld, commits every %d ms; blocks of %.1f s, "
        "alone and beside in turn, %d rounds\n%-8s %-18s %10s %10s %10s %10s  %s\n",
        options->rate, (long long)options->events, options->commit_ms,
        (double)options->block_ms / 1e3, options->rounds, "", "fresh, ms", "p50 alone", "beside",
        "p99 alone", "beside", "p99 beside/alone");
}

static void print_way(const struct stage *stage, int way, FILE *out)
{
    const struct interference_options *options = stage->options;
    struct figures figures = stage->figures[way];
    qsort(figures.ratio, (size_t)figures.rounds, sizeof *figures.ratio, by_size);
    double median =
        (figures.ratio[(figures.rounds - 1) / 2] + figures.ratio[figures.rounds / 2]) / 2;
    double at_work = figures.at_work_s * 1e3 / ((double)options->block_ms * figures.rounds);
    fprintf(
        out,
        options->json
            ? "{\"arch\":\"%s\",\"beside\":\"%s\",\"p50_alone_ms\":%.2f,\"p50_beside_ms\":%.2f,"
              "\"p99_alone_ms\":%.2f,\"p99_beside_ms\":%.2f,\"ratio\":%.2f,\"ratio_min\":%.2f,"
              "\"ratio_max\":%.2f,\"goal\":%.1f,\"runs\":%d,\"at_work\":%.3f,\"reads\":%lld}\n"
            : "%-8s %-18s %10.1f %10.1f %10.1f %10.1f  %.2f (%.2f to %.2f; wanted at most %.0f); "
              "%d runs, %.0f %% of the time; %lld answers, all right\n",
        stage->scene->name, stage->scene->way[way].name,
        (double)hist_percentile(&figures.alone_us, 50) / 1e3,
        (double)hist_percentile(&figures.beside_us, 50) / 1e3, p99(&figures.alone_us),
        p99(&figures.beside_us), median, figures.ratio[0], figures.ratio[figures.rounds - 1], GOAL,
        figures.runs, options->json ? at_work : at_work * 100, (long long)stage->reader.reads);
    fflush(out);
}

int bench_interference(const struct interference_options *options, FILE *out, struct err *err)
{
    int rc = 0;
    if (!options->json)
        print_head(options, out);
    for (int i = 0; rc == 0 && i < ARCHES; i++) {
        struct stage *stage = mem_zero(1, sizeof *stage);
        stage->options = options;
        stage->scene = &SCENES[i];
        rc = open_stage(stage, err);
        rc = rc ? rc : play_ways(stage, err);
        for (int way = 0; rc == 0 && way < WAYS_MAX; way++)
            print_way(stage, way, out);
        close_stage(stage);
        for (int way = 0; way < WAYS_MAX; way++) {
            hist_release(&stage->figures[way].alone_us);
            hist_release(&stage->figures[way].beside_us);
        }
        free(stage);
    }
    return rc;
}
