/* tests/chaos/redis.c - what may happen to Redis under load, in both architectures; then the view must be right.
 *
 *     feeder ──> log ──> kappa, or archive, speed and batch --every ──> a redis-server of the case
 *                   strike (redis_strikes.c) at seeded moments ──┘ lk verify looks, again and again
 *     all folded ──> SIGTERM ──> verify ──> to the end ──> verify, litter
 * Whatever Redis lost, position and cells were lost together: nobody is told, everybody goes on. Where it
 * refuses for longer than --patience the worker leaves and says what to do; after that, all is right. */
#include "tests/chaos/redis.h"

#include "common/base/clock.h"

enum { SEEDS_LISTED = 12, LOOK_MS = 60 };

/* ---- persons ---- */

static bool folds(enum role role)
{
    return role == ROLE_KAPPA || role == ROLE_SPEED;
}

void trial_begin(struct trial *trial, enum role role)
{
    char more[60] = "";
    struct tuning tuning = {.commit_ms = 1 + (int)rng_below(&trial->rng, 8),
                            .workers = 1 + (int)rng_below(&trial->rng, 2),
                            .memory_kib = 64 << 2 * rng_below(&trial->rng, 3)};
    if (folds(role))
        snprintf(more, sizeof more, "--patience %s", trial->patience);
    trial->worker[role] =
        role_start(trial->lane, role, &tuning, NULL, role == ROLE_BATCH ? "--every 40ms" : more);
}

struct child **trial_worker(struct trial *trial)
{
    return &trial->worker[trial->arch == ARCH_KAPPA ? ROLE_KAPPA : ROLE_SPEED];
}

static bool persons_live(struct trial *trial)
{
    for (enum role role = 0; role < ROLES; role++)
        if (trial->worker[role] && child_look(trial->worker[role]) != CHILD_RUNS)
            return child_blame(trial->lane, trial->worker[role], "does not outlive it");
    return true;
}

/* ---- the reader: what it is told is right, or an error that is named ---- */

static bool look_ended(struct trial *trial)
{
    struct child *looker = trial->looker;
    trial->looker = NULL;
    trial->looked_ns = clock_mono_ns();
    trial->exact += looker->status == 0;
    return looker->status == 0 || looker->status == 3 ||
           (looker->status == 4 && child_said(looker, "gap: ")) ||
           child_blame(trial->lane, looker, "a reader is told what is wrong");
}

static bool look(struct trial *trial)
{
    if (trial->looker)
        return child_look(trial->looker) != CHILD_ENDED || look_ended(trial);
    if (clock_mono_ns() - trial->looked_ns > (int64_t)LOOK_MS * 1000000)
        trial->looker = check_start(trial->lane, trial->arch);
    return true;
}

bool trial_attend(struct trial *trial, int64_t ms)
{
    for (int64_t until = clock_mono_ns() + ms * 1000000; clock_mono_ns() < until; clock_sleep_ms(2))
        if (!look(trial) || !persons_live(trial))
            return false;
    return true;
}

int64_t trial_between(struct trial *trial, int64_t least, int64_t most)
{
    return least + (int64_t)rng_below(&trial->rng, (uint64_t)(most - least + 1));
}

/* ---- waiting ---- */

bool trial_wait(struct trial *trial, trial_condition *is, int64_t number, const char *what)
{
    int patience_ms = trial->lane->broker ? 3 * PATIENCE_MS : PATIENCE_MS;
    int64_t until = clock_mono_ns() + (int64_t)patience_ms * 1000000;
    while (!is(trial, number)) {
        if (!trial_attend(trial, 2))
            return false;
        if (clock_mono_ns() > until)
            return child_blame(trial->lane, *trial_worker(trial), what);
    }
    return true;
}

static bool has_folded(struct trial *trial, int64_t more_than)
{
    return lane_folded(trial->lane, trial->arch, NULL) > more_than;
}

static bool is_done(struct trial *trial, int64_t unused)
{
    (void)unused;
    return lane_all_done(trial->lane, trial->arch);
}

/* ---- the case ---- */

static bool strike_all(struct trial *trial, int row)
{
    if (!trial_wait(trial, has_folded, 0, "does not begin"))
        return false;
    for (int i = 0; i < TROUBLES[row].strikes; i++) {
        if (!trial_attend(trial, trial_between(trial, 5, 150)) || !TROUBLES[row].strike(trial))
            return lane_fail(trial->lane, "at strike %d of %s", i + 1, TROUBLES[row].name);
        int64_t folded = lane_folded(trial->lane, trial->arch, NULL);
        lane_tell(trial->lane, "strike %d of %s; %lld are folded", i + 1, TROUBLES[row].name,
                  (long long)folded);
        if (!trial_wait(trial, has_folded, folded, "does not get on after it"))
            return lane_fail(trial->lane, "at strike %d of %s", i + 1, TROUBLES[row].name);
    }
    return true;
}

static bool leave(struct trial *trial)
{
    struct lane *lane = trial->lane;
    if (trial->looker && !child_wait(trial->looker, CHILD_ENDED, PATIENCE_MS))
        return child_blame(lane, trial->looker, "does not end");
    if (trial->looker && !look_ended(trial))
        return false;
    lane_tell(lane, "%d looks found it right", trial->exact);
    for (enum role role = 0; role < ROLES; role++)
        if (trial->worker[role] && !child_finish(lane, trial->worker[role]))
            return false;
    return check_view(lane, trial->arch, false) && check_end(lane, trial->arch);
}

static bool play(struct trial *trial, int row)
{
    struct feed feed = {.seed = trial->lane->seed, .count = INT64_MAX, .chunk = 12, .pause_ms = 3};
    if (!feeder_start(trial->lane, &feed))
        return false;
    for (enum role role = 0; role < ROLES; role++)
        if (role_arch(role) == trial->arch)
            trial_begin(trial, role);
    if (!strike_all(trial, row))
        return false;
    feeder_stop(trial->lane);
    return trial_wait(trial, is_done, 0, "does not come to the end") && leave(trial);
}

/* The case's own Redis stands in for the lane's. */
static bool run(struct lane *lane, const struct item *item)
{
    struct trial trial = {
        .lane = lane, .arch = (enum arch)item->which, .patience = TROUBLES[item->row].patience};
    struct kv *kv = lane->kv;
    char uri[sizeof lane->uri];
    rng_init_at(&trial.rng, item->seed, (uint64_t)(item->row * 10 + item->which));
    if (!lane_begin(lane, item->seed))
        return false;
    if (!server_open(&trial.server, lane->directory, TROUBLES[item->row].keep))
        return lane_fail(lane, "redis-server does not start");
    memcpy(uri, lane->uri, sizeof uri);
    snprintf(lane->uri, sizeof lane->uri, "%s", trial.server.uri);
    lane->kv = trial.server.kv;
    bool ok = play(&trial, item->row);
    child_end_all(lane);
    feeder_stop(lane);
    lane->kv = kv;
    memcpy(lane->uri, uri, sizeof uri);
    server_close(&trial.server);
    return ok;
}

/* On a broker one seed of each in the whole. Where more kills are wanted, the rows that kill have more. */
static void list_row(struct items *items, int row, enum arch arch)
{
    int seeds = items->kafka ? 1 : TROUBLES[row].seeds;
    for (int s = 0; s < SEEDS_LISTED; s++) {
        struct item item = {.run = run,
                            .row = row,
                            .which = (int)arch,
                            .seed = items->seed + (uint64_t)s,
                            .spare = s >= seeds,
                            .reserve = s >= seeds && TROUBLES[row].kills};
        items_add(items, item, "redis/%s/%s/%llu", TROUBLES[row].name,
                  arch == ARCH_KAPPA ? "kappa" : "lambda", (unsigned long long)item.seed);
    }
}

void redis_list(struct items *items)
{
    for (int i = 0; TROUBLES[i].name; i++)
        for (enum arch arch = ARCH_KAPPA; arch <= ARCH_LAMBDA; arch++)
            list_row(items, i, arch);
}
