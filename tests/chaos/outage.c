/* tests/chaos/outage.c - both pipelines at work, and what they have in common dies: the broker, the
 * generator.
 *
 *     lk gen replay --resume ──> broker ──┬─> lk kappa run
 *       killed, resumed          killed,  └─> lk lambda archive, speed, batch --every
 *                                back           all live through it
 *     the generator has appended all ──> gen --resume finds nothing to add: each event once, in order
 *     all folded, all published ──> SIGTERM ──> both views right, to the end, litter
 * The generator is lk's own, since it must know by itself what it had published. The broker of such a
 * case is its own, too: other lanes are not concerned. */
#include <signal.h>

#include "common/base/clock.h"
#include "tests/chaos/chaos.h"

enum { CASES = 4, KILLS_EACH = 5, LOAD = 20000, LONG_MS = 120000 };

/* Events a second, so that the load lasts as long as the kills do. */
enum { RATE_FOR_BROKERS = 600, RATE_FOR_GENERATORS = 2000 };

struct show {
    struct lane *lane;
    int rate;
    struct rng rng;
    uint64_t seed;
    int64_t start_ns; /* of the generator's schedule: a resumed one keeps it */
    struct child *generator, *worker[ROLES];
};

/* ---- the load ---- */

/* In order: lk gen makes the disorder. A tenth of a second of event time apart, as events_make's. */
static bool write_events(const struct show *show, const char *path)
{
    struct rng rng;
    FILE *file = fopen(path, "w");
    if (!file)
        return lane_fail(show->lane, "cannot write %s", path);
    for (int n = 0; n < LOAD; n++) {
        rng_init_at(&rng, show->seed, (uint64_t)n);
        uint64_t user = rng_below(&rng, 2) ? rng_below(&rng, 20) : rng_below(&rng, 3000);
        fprintf(file, "{\"at\":%lld,\"id\":\"e%d\",\"k\":\"k%llu\",\"v\":%d}\n",
                (long long)EVENTS_START_MS + n * 100LL, n, (unsigned long long)user,
                (int)rng_below(&rng, 2000) - 500);
    }
    fclose(file);
    return true;
}

static void generate(struct show *show)
{
    struct lane *lane = show->lane;
    show->generator = child_start(
        lane, NULL,
        "gen replay --resume --log %s --topic %s --partitions %d --file %s/events --time-field at "
        "--time-format ms --key-field k --seed %llu --speed %d --start-ns %lld --late-share 0.03 "
        "--late-max 60s --duplicate-share 0.05 --duplicate-max 30s --malformed-share 0.01",
        lane->log, lane->topic, PARTITIONS, lane->directory, (unsigned long long)show->seed,
        show->rate / 10, (long long)show->start_ns);
    show->generator->victim = VICTIM_GENERATOR;
}

static bool begin(struct show *show)
{
    static const char *const MORE[ROLES] = {"--patience 2m", "--patience 2m", "", "--every 200ms"};
    struct lane *lane = show->lane;
    char path[220];
    snprintf(path, sizeof path, "%s/events", lane->directory);
    if (!write_events(show, path))
        return false;
    struct tuning tuning = {.commit_ms = 1 + (int)rng_below(&show->rng, 8),
                            .workers = 1 + (int)rng_below(&show->rng, 2),
                            .memory_kib = 1024};
    show->start_ns = clock_wall_ns();
    generate(show);
    for (enum role role = 0; role < ROLES; role++)
        show->worker[role] = role_start(lane, role, &tuning, NULL, MORE[role]);
    return true;
}

static void pass(struct show *show, int from_ms, int to_ms)
{
    clock_sleep_ms(from_ms + (int64_t)rng_below(&show->rng, (uint64_t)(to_ms - from_ms)));
}

/* ---- to the end ---- */

/* lk gen waits out what happens while it appends; asked to begin while nobody answers it refuses, and
 * says what to do. */
static void tend_generator(struct show *show)
{
    const struct child *generator = show->generator;
    if (child_look(show->generator) == CHILD_ENDED && generator->status == 3 &&
        (child_said(generator, "run it again") || child_said(generator, "is a broker running")))
        generate(show);
}

static bool all_live(struct show *show)
{
    tend_generator(show);
    for (enum role role = 0; role < ROLES; role++)
        if (child_look(show->worker[role]) != CHILD_RUNS)
            return child_blame(show->lane, show->worker[role], "has not lived through it");
    return true;
}

static bool wait_for_all_done(struct show *show)
{
    int64_t until = clock_mono_ns() + LONG_MS * 1000000LL;
    while (!lane_all_done(show->lane, ARCH_KAPPA) || !lane_all_done(show->lane, ARCH_LAMBDA)) {
        if (!all_live(show))
            return false;
        if (clock_mono_ns() > until)
            return child_blame(show->lane, show->worker[ROLE_KAPPA], "not all is folded") ||
                   child_blame(show->lane, show->worker[ROLE_SPEED], "or") ||
                   child_blame(show->lane, show->worker[ROLE_BATCH], "or");
        clock_sleep_ms(20);
    }
    return true;
}

/* Who is asked to begin while no broker answers refuses: the outages come later. */
static bool wait_until_all_work(struct show *show)
{
    int64_t until = clock_mono_ns() + LONG_MS * 1000000LL;
    while (lane_folded(show->lane, ARCH_KAPPA, NULL) == 0 ||
           lane_folded(show->lane, ARCH_LAMBDA, NULL) == 0 || !lane_published(show->lane)) {
        if (!all_live(show))
            return false;
        if (clock_mono_ns() > until)
            return lane_fail(show->lane, "the pipelines do not get going");
        clock_sleep_ms(20);
    }
    return true;
}

/* What it resumes with it has held against the topic, event by event. */
static bool check_load(struct show *show)
{
    for (int waited = 0; waited < LONG_MS && all_live(show); waited += 20) {
        if (child_look(show->generator) == CHILD_ENDED)
            break;
        clock_sleep_ms(20);
    }
    if (child_look(show->generator) != CHILD_ENDED || show->generator->status != 0)
        return child_blame(show->lane, show->generator, "has not published all");
    generate(show);
    return child_run(show->lane, show->generator, 0) &&
           (child_said(show->generator, " 0 events") ||
            child_blame(show->lane, show->generator, "something was missing from the topic"));
}

static bool end(struct show *show)
{
    struct lane *lane = show->lane;
    if (!check_load(show))
        return false;
    feeder_count(lane);
    if (!wait_for_all_done(show))
        return false;
    for (enum role role = 0; role < ROLES; role++)
        if (!child_finish(lane, show->worker[role]))
            return false;
    return check_view(lane, ARCH_KAPPA, true) && check_view(lane, ARCH_LAMBDA, true) &&
           check_end(lane, ARCH_KAPPA) && check_end(lane, ARCH_LAMBDA);
}

/* ---- the cases ---- */

static bool kill_broker(struct show *show, struct broker *broker)
{
    pass(show, 300, 2500);
    if (!all_live(show))
        return false;
    if (!broker_kill(broker))
        return lane_fail(show->lane, "tools/kafka kill failed");
    show->lane->kills[VICTIM_BROKER]++;
    lane_tell(show->lane, "the broker is dead");
    pass(show, 0, 1000);
    if (!broker_start(broker))
        return lane_fail(show->lane, "the broker does not come back; see %s.out",
                         broker->directory);
    lane_tell(show->lane, "the broker is back");
    return true;
}

static bool run_broker(struct lane *lane, const struct item *item)
{
    struct show show = {.lane = lane, .rate = RATE_FOR_BROKERS, .seed = item->seed};
    struct broker broker;
    rng_init_at(&show.rng, item->seed, 0xb40e);
    bool ok = lane_begin(lane, item->seed);
    if (!broker_open(&broker, lane->directory))
        return lane_fail(lane, "no broker starts; see %s.out", broker.directory);
    snprintf(lane->log, sizeof lane->log, "%s", broker.uri);
    ok = ok && lane_make_log(lane) && begin(&show) && wait_until_all_work(&show);
    for (int i = 0; i < KILLS_EACH && ok; i++)
        ok = kill_broker(&show, &broker);
    ok = ok && end(&show);
    child_end_all(lane);
    broker_remove(&broker);
    *lane->topic = '\0'; /* it went with its broker */
    return ok;
}

static bool run_generator(struct lane *lane, const struct item *item)
{
    struct show show = {.lane = lane, .rate = RATE_FOR_GENERATORS, .seed = item->seed};
    rng_init_at(&show.rng, item->seed, 0x9e40);
    bool ok = lane_begin(lane, item->seed) && begin(&show);
    for (int i = 0; i < KILLS_EACH && ok; i++) {
        pass(&show, 50, 2000);
        child_signal(show.generator, SIGKILL);
        child_wait(show.generator, CHILD_ENDED, PATIENCE_MS);
        generate(&show);
    }
    return ok && end(&show);
}

void outage_list(struct items *items)
{
    for (int i = 0; i < CASES; i++) {
        struct item item = {.seed = items->seed + (uint64_t)i,
                            .sample = i == 0 ? SAMPLE_ALWAYS : SAMPLE_NEVER};
        item.run = run_generator;
        item.spare = i > 0 && !items->kafka;
        items_add(items, item, "generator/%llu", (unsigned long long)item.seed);
        item.run = run_broker;
        if (items->kafka)
            items_add(items, item, "broker/%llu", (unsigned long long)item.seed);
    }
}
