/* tests/chaos/redis.c - what may happen to Redis under load, in both architectures; then the view must be right.
 *
 *     feeder ──> log ──> kappa, or archive, speed and batch --every ──> a redis-server of the case
 *                   strike (a row below), some times at seeded moments ──┘ │ lk verify, again and again
 *     all folded ──> SIGTERM ──> verify ──> to the end ──> verify, litter
 * Whatever Redis lost, position and cells were lost together: nobody is told, everybody goes on. Where it
 * refuses for longer than --patience the worker leaves and says what to do; after that, all is right. */
#include "tests/chaos/redis.h"

#include <signal.h>
#include <stdlib.h>

#include "common/base/clock.h"

enum { STRIKES = 3, SEEDS_LISTED = 12, LOOK_MS = 60, PAUSE_MS = 1900, SAVES_MAX = 20 };

struct trial {
    struct lane *lane;
    struct server server;
    enum arch arch;
    struct rng rng;
    const char *patience;        /* of the workers */
    struct child *worker[ROLES]; /* the persons */
    struct child *looker;        /* lk verify */
    int64_t looked_ns;
    int exact; /* looks that found it right */
};

/* ---- persons ---- */

static bool folds(enum role role)
{
    return role == ROLE_KAPPA || role == ROLE_SPEED;
}

static void person(struct trial *trial, enum role role)
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

static struct child *folder(const struct trial *trial)
{
    return trial->worker[trial->arch == ARCH_KAPPA ? ROLE_KAPPA : ROLE_SPEED];
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

static bool attend(struct trial *trial, int64_t ms)
{
    for (int64_t until = clock_mono_ns() + ms * 1000000; clock_mono_ns() < until; clock_sleep_ms(2))
        if (!look(trial) || !persons_live(trial))
            return false;
    return true;
}

static int64_t between(struct trial *trial, int64_t least, int64_t most)
{
    return least + (int64_t)rng_below(&trial->rng, (uint64_t)(most - least + 1));
}

/* ---- waiting ---- */

typedef bool condition(struct trial *trial, int64_t number);

static bool wait_for(struct trial *trial, condition *is, int64_t number, const char *what)
{
    int patience_ms = trial->lane->broker ? 3 * PATIENCE_MS : PATIENCE_MS;
    int64_t until = clock_mono_ns() + (int64_t)patience_ms * 1000000;
    while (!is(trial, number)) {
        if (!attend(trial, 2))
            return false;
        if (clock_mono_ns() > until)
            return child_blame(trial->lane, folder(trial), what);
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

/* ---- what Redis says of itself ---- */

static int64_t refusals(struct trial *trial, const char *word)
{
    char name[60], text[100];
    long long count = 0;
    snprintf(name, sizeof name, "errorstat_%s", word);
    if (server_info(&trial->server, name, text, sizeof text))
        sscanf(text, "count=%lld", &count);
    return count;
}

static bool info_is(struct trial *trial, const char *name, const char *wanted)
{
    char text[100];
    return server_info(&trial->server, name, text, sizeof text) && strcmp(text, wanted) == 0;
}

static bool wait_info(struct trial *trial, const char *name, const char *wanted)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 2) {
        if (info_is(trial, name, wanted))
            return true;
        if (!attend(trial, 2))
            return false;
    }
    return lane_fail(trial->lane, "Redis does not come to %s:%s", name, wanted);
}

/* Until it has refused a write with this word. */
static bool wait_refusal(struct trial *trial, const char *word, int64_t before)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 2) {
        if (refusals(trial, word) > before)
            return true;
        if (!attend(trial, 2))
            return false;
    }
    return lane_fail(trial->lane, "Redis has refused nothing with %s", word);
}

static void set(struct trial *trial, const char *name, const char *value)
{
    server_ask(&trial->server, "CONFIG", "SET", name, value);
}

/* ---- strikes ---- */

static bool up_again(struct trial *trial)
{
    clock_sleep_ms(between(trial, 0, 60));
    return server_up(&trial->server) || lane_fail(trial->lane, "redis-server does not start again");
}

static void kill_server(struct trial *trial)
{
    if (rng_below(&trial->rng, 3) == 0)
        server_ask(&trial->server, "BGREWRITEAOF", NULL, NULL, NULL);
    server_kill(&trial->server);
    trial->lane->kills[VICTIM_REDIS]++;
}

static bool strike_kill(struct trial *trial)
{
    kill_server(trial);
    return up_again(trial);
}

/* Until then a second death would bring back half of what was cut (docs/redis.md). */
static bool is_renewed(struct trial *trial, int64_t unused)
{
    char seconds[20];
    (void)unused;
    return server_info(&trial->server, "aof_last_rewrite_time_sec", seconds, sizeof seconds) &&
           strcmp(seconds, "-1") != 0;
}

static bool strike_cut(struct trial *trial)
{
    kill_server(trial);
    return (server_cut_aof(&trial->server, between(trial, 1, 4096)) ||
            lane_fail(trial->lane, "there is no AOF to cut")) &&
           up_again(trial) && wait_for(trial, is_renewed, 0, "does not ask for a new AOF");
}

static bool strike_flush(struct trial *trial)
{
    server_ask(&trial->server, "FLUSHALL", NULL, NULL, NULL);
    return true;
}

static bool strike_older_aof(struct trial *trial)
{
    if (!wait_for(trial, is_renewed, 0, "does not ask for a new AOF"))
        return false;
    bool copied = server_copy_aof(&trial->server);
    if (!attend(trial, between(trial, 20, 300)))
        return false;
    server_kill(&trial->server);
    trial->lane->kills[VICTIM_REDIS]++;
    return ((copied && server_restore_aof(&trial->server)) ||
            lane_fail(trial->lane, "the AOF cannot be put back")) &&
           up_again(trial);
}

/* BGSAVE until one has ended like this: one that was under way already is not ours. */
static bool save_ends(struct trial *trial, const char *status)
{
    for (int tries = 0; tries < SAVES_MAX; tries++) {
        server_ask(&trial->server, "BGSAVE", NULL, NULL, NULL);
        if (!wait_info(trial, "rdb_bgsave_in_progress", "0"))
            return false;
        if (info_is(trial, "rdb_last_bgsave_status", status))
            return true;
    }
    return lane_fail(trial->lane, "no BGSAVE ends with %s", status);
}

static bool strike_older_rdb(struct trial *trial)
{
    if (!save_ends(trial, "ok") || !attend(trial, between(trial, 20, 300)))
        return false;
    server_kill(&trial->server);
    trial->lane->kills[VICTIM_REDIS]++;
    return up_again(trial);
}

/* No more than it has now; meanwhile its script cache is emptied again and again. */
static bool fill(struct trial *trial)
{
    char used[40] = "";
    int64_t before = refusals(trial, "OOM");
    server_info(&trial->server, "used_memory", used, sizeof used);
    set(trial, "maxmemory", used);
    return wait_refusal(trial, "OOM", before);
}

static bool strike_oom(struct trial *trial)
{
    bool ok = fill(trial);
    for (int64_t left = between(trial, 10, 60); ok && left > 0; left--) {
        server_ask(&trial->server, "SCRIPT", "FLUSH", NULL, NULL);
        ok = attend(trial, 4);
    }
    set(trial, "maxmemory", "0");
    return ok;
}

static bool fail_save(struct trial *trial)
{
    int64_t before = refusals(trial, "MISCONF");
    server_disk(&trial->server, 0);
    return save_ends(trial, "err") && wait_refusal(trial, "MISCONF", before);
}

static bool mend_save(struct trial *trial)
{
    server_disk(&trial->server, -1);
    return save_ends(trial, "ok");
}

static bool strike_misconf(struct trial *trial)
{
    return fail_save(trial) && attend(trial, between(trial, 10, 300)) && mend_save(trial);
}

static bool strike_disk(struct trial *trial)
{
    int64_t before = refusals(trial, "MISCONF");
    server_disk(&trial->server, server_aof_bytes(&trial->server));
    bool ok = wait_refusal(trial, "MISCONF", before) && attend(trial, between(trial, 10, 300));
    server_disk(&trial->server, -1);
    return ok && wait_info(trial, "aof_last_write_status", "ok");
}

static bool is_gone(struct trial *trial, int64_t unused)
{
    (void)unused;
    return server_gone(&trial->server);
}

/* With fsync always it ends itself. */
static bool strike_disk_always(struct trial *trial)
{
    server_disk(&trial->server, server_aof_bytes(&trial->server));
    return wait_for(trial, is_gone, 0, "Redis goes on though its disk is full") && up_again(trial);
}

static bool strike_replicas(struct trial *trial)
{
    int64_t before = refusals(trial, "NOREPLICAS");
    set(trial, "min-replicas-to-write", "1");
    bool ok = wait_refusal(trial, "NOREPLICAS", before) && attend(trial, between(trial, 10, 300));
    set(trial, "min-replicas-to-write", "0");
    return ok;
}

/* Longer than a worker waits for an answer (half of its patience), shorter than its patience. */
static bool strike_stop(struct trial *trial)
{
    kill(trial->server.pid, SIGSTOP);
    bool ok = attend(trial, PAUSE_MS);
    kill(trial->server.pid, SIGCONT);
    return ok;
}

static bool strike_pause(struct trial *trial)
{
    server_ask(&trial->server, "CLIENT", "PAUSE", "200",
               rng_below(&trial->rng, 2) ? "ALL" : "WRITE");
    return attend(trial, 100) && (server_ask(&trial->server, "DEBUG", "SLEEP", "0.2", NULL), true);
}

static bool strike_clients(struct trial *trial)
{
    bool ok = true;
    for (int64_t left = between(trial, 1, 8); ok && left > 0; left--) {
        server_ask(&trial->server, "CLIENT", "KILL", "TYPE", "normal");
        ok = attend(trial, between(trial, 0, 30));
    }
    return ok;
}

/* ---- refusals that last longer than the worker's patience ---- */

static bool worker_left(struct trial *trial, const char *words)
{
    struct child *worker = folder(trial);
    trial->worker[trial->arch == ARCH_KAPPA ? ROLE_KAPPA : ROLE_SPEED] = NULL;
    if (!child_wait(worker, CHILD_ENDED, PATIENCE_MS) || worker->status != 3)
        return child_blame(trial->lane, worker, "out of patience, it does not leave with exit 3");
    return child_said(worker, words) ||
           child_blame(trial->lane, worker, "does not say what to do when out of patience");
}

static bool begin_anew(struct trial *trial)
{
    person(trial, trial->arch == ARCH_KAPPA ? ROLE_KAPPA : ROLE_SPEED);
    return true;
}

static bool strike_long_oom(struct trial *trial)
{
    char used[40] = "";
    server_info(&trial->server, "used_memory", used, sizeof used);
    set(trial, "maxmemory", used);
    bool ok = worker_left(trial, "redis-cli CONFIG SET maxmemory");
    set(trial, "maxmemory", "0");
    return ok && begin_anew(trial);
}

static bool strike_long_misconf(struct trial *trial)
{
    server_disk(&trial->server, 0);
    server_ask(&trial->server, "BGSAVE", NULL, NULL, NULL);
    return worker_left(trial, "cannot save to its disk") && mend_save(trial) && begin_anew(trial);
}

static bool strike_long_death(struct trial *trial)
{
    server_kill(&trial->server);
    trial->lane->kills[VICTIM_REDIS]++;
    return worker_left(trial, "redis-server ") && up_again(trial) && begin_anew(trial);
}

/* ---- the table ---- */

static const struct {
    const char *name;
    bool (*strike)(struct trial *trial);
    enum keep keep;
    int strikes;
    const char *patience;
    int seeds;  /* in the whole */
    bool kills; /* Redis */
} TROUBLES[] = {
    {"killed, AOF everysec", strike_kill, KEEP_EVERYSEC, STRIKES, "10s", 2, true},
    {"killed, AOF always", strike_kill, KEEP_ALWAYS, STRIKES, "10s", 2, true},
    {"killed, nothing kept", strike_kill, KEEP_NOTHING, STRIKES, "10s", 1, true},
    {"AOF cut, everysec", strike_cut, KEEP_EVERYSEC, STRIKES, "10s", 3, true},
    {"AOF cut, always", strike_cut, KEEP_ALWAYS, STRIKES, "10s", 2, true},
    {"older AOF", strike_older_aof, KEEP_EVERYSEC, STRIKES, "10s", 2, true},
    {"older RDB", strike_older_rdb, KEEP_RDB, STRIKES, "10s", 2, true},
    {"FLUSHALL", strike_flush, KEEP_NOTHING, STRIKES, "10s", 3, false},
    {"OOM, SCRIPT FLUSH", strike_oom, KEEP_NOTHING, STRIKES, "10s", 2, false},
    {"MISCONF", strike_misconf, KEEP_RDB, 2, "10s", 2, false},
    {"disk full, everysec", strike_disk, KEEP_EVERYSEC, 1, "10s", 1, false},
    {"disk full, always", strike_disk_always, KEEP_ALWAYS, STRIKES, "10s", 1, false},
    {"NOREPLICAS", strike_replicas, KEEP_NOTHING, STRIKES, "10s", 1, false},
    {"stopped", strike_stop, KEEP_NOTHING, 1, "3s", 1, false},
    {"paused", strike_pause, KEEP_NOTHING, STRIKES, "10s", 1, false},
    {"connections killed", strike_clients, KEEP_NOTHING, STRIKES, "10s", 2, false},
    {"long OOM", strike_long_oom, KEEP_NOTHING, 1, "100ms", 1, false},
    {"long MISCONF", strike_long_misconf, KEEP_RDB, 1, "100ms", 1, false},
    {"long death", strike_long_death, KEEP_EVERYSEC, 1, "100ms", 1, true},
};
enum { TROUBLES_COUNT = sizeof TROUBLES / sizeof *TROUBLES };

/* ---- the case ---- */

static bool strike_all(struct trial *trial, int row)
{
    if (!wait_for(trial, has_folded, 0, "does not begin"))
        return false;
    for (int i = 0; i < TROUBLES[row].strikes; i++) {
        if (!attend(trial, between(trial, 5, 150)) || !TROUBLES[row].strike(trial))
            return lane_fail(trial->lane, "at strike %d of %s", i + 1, TROUBLES[row].name);
        int64_t folded = lane_folded(trial->lane, trial->arch, NULL);
        lane_tell(trial->lane, "strike %d of %s; %lld are folded", i + 1, TROUBLES[row].name,
                  (long long)folded);
        if (!wait_for(trial, has_folded, folded, "does not get on after it"))
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
            person(trial, role);
    if (!strike_all(trial, row))
        return false;
    feeder_stop(trial->lane);
    return wait_for(trial, is_done, 0, "does not come to the end") && leave(trial);
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
    for (int i = 0; i < TROUBLES_COUNT; i++)
        for (enum arch arch = ARCH_KAPPA; arch <= ARCH_LAMBDA; arch++)
            list_row(items, i, arch);
}
