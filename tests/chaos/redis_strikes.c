/* tests/chaos/redis_strikes.c - what may happen to Redis: one function each, and the table of them.
 *
 * A strike has ended when Redis takes writes again; whether it has bitten is Redis's own word (INFO). */
#include <signal.h>

#include "common/base/clock.h"
#include "tests/chaos/redis.h"

enum { STRIKES = 3, PAUSE_MS = 1900, SAVES_MAX = 20 };

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
        if (!trial_attend(trial, 2))
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
        if (!trial_attend(trial, 2))
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
    clock_sleep_ms(trial_between(trial, 0, 60));
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
    return (server_cut_aof(&trial->server, trial_between(trial, 1, 4096)) ||
            lane_fail(trial->lane, "there is no AOF to cut")) &&
           up_again(trial) && trial_wait(trial, is_renewed, 0, "does not ask for a new AOF");
}

static bool strike_flush(struct trial *trial)
{
    server_ask(&trial->server, "FLUSHALL", NULL, NULL, NULL);
    return true;
}

static bool strike_older_aof(struct trial *trial)
{
    if (!trial_wait(trial, is_renewed, 0, "does not ask for a new AOF"))
        return false;
    bool copied = server_copy_aof(&trial->server);
    if (!trial_attend(trial, trial_between(trial, 20, 300)))
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
    if (!save_ends(trial, "ok") || !trial_attend(trial, trial_between(trial, 20, 300)))
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
    for (int64_t left = trial_between(trial, 10, 60); ok && left > 0; left--) {
        server_ask(&trial->server, "SCRIPT", "FLUSH", NULL, NULL);
        ok = trial_attend(trial, 4);
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
    return fail_save(trial) && trial_attend(trial, trial_between(trial, 10, 300)) &&
           mend_save(trial);
}

static bool strike_disk(struct trial *trial)
{
    int64_t before = refusals(trial, "MISCONF");
    server_disk(&trial->server, server_aof_bytes(&trial->server));
    bool ok = wait_refusal(trial, "MISCONF", before) &&
              trial_attend(trial, trial_between(trial, 10, 300));
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
    return trial_wait(trial, is_gone, 0, "Redis goes on though its disk is full") &&
           up_again(trial);
}

static bool strike_replicas(struct trial *trial)
{
    int64_t before = refusals(trial, "NOREPLICAS");
    set(trial, "min-replicas-to-write", "1");
    bool ok = wait_refusal(trial, "NOREPLICAS", before) &&
              trial_attend(trial, trial_between(trial, 10, 300));
    set(trial, "min-replicas-to-write", "0");
    return ok;
}

/* Longer than a worker waits for an answer (half of its patience), shorter than its patience. */
static bool strike_stop(struct trial *trial)
{
    kill(trial->server.pid, SIGSTOP);
    bool ok = trial_attend(trial, PAUSE_MS);
    kill(trial->server.pid, SIGCONT);
    return ok;
}

static bool strike_pause(struct trial *trial)
{
    server_ask(&trial->server, "CLIENT", "PAUSE", "200",
               rng_below(&trial->rng, 2) ? "ALL" : "WRITE");
    return trial_attend(trial, 100) &&
           (server_ask(&trial->server, "DEBUG", "SLEEP", "0.2", NULL), true);
}

static bool strike_clients(struct trial *trial)
{
    bool ok = true;
    for (int64_t left = trial_between(trial, 1, 8); ok && left > 0; left--) {
        server_ask(&trial->server, "CLIENT", "KILL", "TYPE", "normal");
        ok = trial_attend(trial, trial_between(trial, 0, 30));
    }
    return ok;
}

/* ---- refusals that last longer than the worker's patience ---- */

static bool worker_left(struct trial *trial, const char *words)
{
    struct child *worker = *trial_worker(trial);
    *trial_worker(trial) = NULL;
    if (!child_wait(worker, CHILD_ENDED, PATIENCE_MS) || worker->status != 3)
        return child_blame(trial->lane, worker, "out of patience, it does not leave with exit 3");
    return child_said(worker, words) ||
           child_blame(trial->lane, worker, "does not say what to do when out of patience");
}

static bool begin_anew(struct trial *trial)
{
    trial_begin(trial, trial->arch == ARCH_KAPPA ? ROLE_KAPPA : ROLE_SPEED);
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

const struct trouble TROUBLES[] = {
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
    {NULL, NULL, KEEP_NOTHING, 0, NULL, 0, false},
};
