/* tests/chaos/zombie.c - an owner that was stopped at a random moment wakes when another has taken over.
 *
 *   A commits ... SIGSTOP A; start B, which takes and commits; SIGSTOP B and the feeder; digest of the
 *   store; SIGCONT A: it must say why, leave with exit 4, and the digest must be the same; B goes on
 *   as the next round's A.
 * One setup lives for many rounds; at its end the view must be right. */
#include <signal.h>

#include "common/base/clock.h"
#include "tests/chaos/chaos.h"

enum { SETUPS = 10, ROUNDS = 20, STOP_WITHIN_MS = 40 };

struct setup {
    struct lane *lane;
    enum role role;
    struct tuning tuning;
    struct rng rng;
    struct child *owner;
};

/* Wait until all partitions have owners other than before and the view has grown. */
static bool wait_for_takeover(struct setup *s, char before[PARTITIONS][POS_ID_BYTES],
                              int64_t folded, struct child *by)
{
    char now[PARTITIONS][POS_ID_BYTES];
    for (int waited = 0; waited < PATIENCE_MS; waited++) {
        bool taken = lane_folded(s->lane, role_arch(s->role), now) > folded;
        for (int p = 0; p < PARTITIONS; p++)
            taken = taken && *now[p] && strcmp(now[p], before[p]) != 0;
        if (taken)
            return true;
        if (child_look(by) == CHILD_ENDED)
            break;
        clock_sleep_ms(1);
    }
    return child_blame(s->lane, by, "does not take over");
}

static bool stop(struct setup *s, struct child *child)
{
    child_signal(child, SIGSTOP);
    return child_wait(child, CHILD_STOPPED, PATIENCE_MS) ||
           child_blame(s->lane, child, "SIGSTOP does not stop it");
}

/* The zombie wakes in a store in which nobody else does anything. */
static bool wake(struct setup *s, struct child *zombie)
{
    char then[41], now[41];
    lane_digest(s->lane, then);
    child_signal(zombie, SIGCONT);
    bool lost = child_wait(zombie, CHILD_ENDED, PATIENCE_MS) && zombie->status == 4;
    lane_digest(s->lane, now);
    if (strcmp(then, now) != 0)
        return child_blame(s->lane, zombie, "a zombie wrote into the store");
    if (!lost)
        return child_blame(s->lane, zombie, "a zombie does not leave with exit 4");
    return child_said(zombie, "taken by another") ||
           child_blame(s->lane, zombie, "a zombie does not say why it stopped");
}

static bool play_round(struct setup *s)
{
    struct child *zombie = s->owner, *next;
    char owners[PARTITIONS][POS_ID_BYTES];
    clock_sleep_ms(1 + (int64_t)rng_below(&s->rng, STOP_WITHIN_MS));
    if (!stop(s, zombie))
        return false;
    int64_t folded = lane_folded(s->lane, role_arch(s->role), owners);
    next = role_start(s->lane, s->role, &s->tuning, NULL, "");
    if (!wait_for_takeover(s, owners, folded, next) || !stop(s, next))
        return false;
    kill(s->lane->feeder, SIGSTOP);
    bool ok = wake(s, zombie);
    kill(s->lane->feeder, SIGCONT);
    child_signal(next, SIGCONT);
    s->owner = next;
    s->lane->rounds += ok;
    return ok;
}

static bool run(struct lane *lane, const struct item *item)
{
    struct setup s = {.lane = lane, .role = (enum role)item->which};
    struct feed feed = {.seed = item->seed, .count = INT64_MAX, .chunk = 12, .pause_ms = 3};
    char nobody[PARTITIONS][POS_ID_BYTES] = {{0}};
    rng_init_at(&s.rng, item->seed, 0x20b1);
    s.tuning = (struct tuning){.commit_ms = 1 + (int)rng_below(&s.rng, 10),
                               .workers = 1 + (int)rng_below(&s.rng, 2),
                               .memory_kib = 64 << 2 * rng_below(&s.rng, 3)};
    if (!lane_begin(lane, item->seed) || !feeder_start(lane, &feed))
        return false;
    s.owner = role_start(lane, s.role, &s.tuning, NULL, "");
    bool ok = wait_for_takeover(&s, nobody, 0, s.owner);
    for (int i = 0; i < ROUNDS && ok; i++)
        if (!(ok = play_round(&s)))
            lane_fail(lane, "in round %d", i + 1);
    feeder_stop(lane);
    return ok && child_finish(lane, s.owner) && check_view(lane, role_arch(s.role), false) &&
           check_end(lane, role_arch(s.role));
}

void zombie_list(struct items *items)
{
    for (int i = 0; i < SETUPS; i++) {
        enum role role = i % 2 ? ROLE_SPEED : ROLE_KAPPA;
        uint64_t seed = items->seed + (uint64_t)i / 2;
        items_add(items, (struct item){.run = run, .which = (int)role, .seed = seed},
                  "zombie/%s/%llu", ROLE_NAMES[role], (unsigned long long)seed);
    }
}
