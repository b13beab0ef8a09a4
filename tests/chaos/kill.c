/* tests/chaos/kill.c - every named fault point, struck while events flow; then the view must be right.
 *
 *     feeder ──> log ──> victim (LK_FAULT=point:nth:what) and, for lambda, its two companions
 *                          │ killed: started again │ error, delay: goes on
 *                          │ stopped: a rival takes its partitions, then it may go on (check: it is lost)
 *                          │ flushed: stopped, FLUSHALL, goes on
 *                all folded ──> SIGTERM ──> verify ──> to the end ──> verify, litter
 * While all this goes on, lk verify looks at the view again and again: it must be right at any moment.
 * The nth passing is drawn from the seed; where the run did not come so far it is halved, so that a
 * case that cannot reach its point fails. */
#include <signal.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "tests/chaos/chaos.h"

enum {
    IDLE_MS = 1500, /* the idle look comes after a second */
    BUG_PATIENCE_MS = 6000,
    LOOK_MS = 100,    /* between two looks at the view */
    ERROR_MS = 20,    /* in which a process that does not survive its error has left */
    BROKER_SEEDS = 5, /* of each point, for kills, on a broker */
    SEEDS_LISTED = 12 /* by name */
};

struct play {
    struct lane *lane;
    const struct point *point;
    enum role role;
    enum what what;
    uint64_t seed;
    int64_t nth;
    struct rng rng;
    struct tuning tuning;
    struct child *worker[ROLES]; /* the victim among them */
    bool again;                  /* a killed victim is started with another fault */
    struct child *rival;         /* with whom the victim shares its partitions */
    bool shared;                 /* there was one */
    struct child *looker;        /* lk verify, while events flow */
    int64_t looked_ns;
};

/* ---- the play's persons ---- */

static struct child *person(struct play *play, enum role role, const char *fault)
{
    struct tuning tuning = play->tuning;
    return role_start(play->lane, role, &tuning, fault, role == ROLE_BATCH ? "--every 40ms" : "");
}

/* Right is what the mode's own oracle says; the truth it is not. */
static void hand_over_by_slots(struct play *play)
{
    play->lane->handover = play->seed % 2 ? "naive" : "two-slot";
    play->lane->lossless = false;
}

static bool begin(struct play *play)
{
    struct lane *lane = play->lane;
    const int chunks[] = {25, 100, 400, EVENTS};
    struct feed feed = {.seed = play->seed,
                        .count = EVENTS,
                        .chunk = chunks[rng_below(&play->rng, 4)],
                        .pause_ms = 1};
    char fault[120];
    snprintf(fault, sizeof fault, "%s%s%s:%lld:%s", play->point->before ? play->point->before : "",
             play->point->before ? "," : "", play->point->name, (long long)play->nth,
             WHAT_FAULTS[play->what]);
    if (play->role == ROLE_ARCHIVE || play->role == ROLE_BATCH)
        feed.chunk = 100; /* many segments, several batches */
    play->tuning = (struct tuning){.commit_ms = 1 + (int)rng_below(&play->rng, 8),
                                   .workers = 1 + (int)rng_below(&play->rng, 2),
                                   .memory_kib = 64 << 2 * rng_below(&play->rng, 3)};
    if (strcmp(play->point->name, "evict") == 0)
        play->tuning.memory_kib = 64;
    if (play->what == STOP && !play->point->between)
        play->tuning.workers = 1; /* another thread might be amid its takes */
    play->again = rng_below(&play->rng, 2);
    if (!lane_begin(lane, play->seed) || !feeder_start(lane, &feed))
        return false;
    if (play->point->slots)
        hand_over_by_slots(play);
    for (enum role role = 0; role < ROLES; role++)
        if (role == play->role || (role != ROLE_KAPPA && play->role != ROLE_KAPPA))
            play->worker[role] = person(play, role, role == play->role ? fault : NULL);
    return true;
}

/* ---- waiting ---- */

static bool all_owned(struct play *play)
{
    char owners[PARTITIONS][POS_ID_BYTES];
    lane_folded(play->lane, role_arch(play->role), owners);
    for (int p = 0; p < PARTITIONS; p++)
        if (!*owners[p])
            return false;
    return true;
}

/* The view is right at every moment, whoever lives: 3 is no verdict (it moved during each read). */
static bool look(struct play *play, int wait_ms)
{
    int64_t now = clock_mono_ns();
    if (play->looker) {
        if (!child_wait(play->looker, CHILD_ENDED, wait_ms))
            return true;
        struct child *looker = play->looker;
        play->looker = NULL;
        play->looked_ns = now;
        return looker->status == 0 || looker->status == 3 ||
               child_blame(play->lane, looker, "the view is wrong while events flow");
    }
    bool due = now - play->looked_ns > (int64_t)LOOK_MS * 1000000;
    if (wait_ms == 0 && due && play->what != FLUSH && all_owned(play))
        play->looker = check_start(play->lane, role_arch(play->role));
    return true;
}

/* Until the victim is stopped or has ended, or all is done and rest_ms have passed. */
static bool follow_looking(struct play *play, int rest_ms)
{
    int64_t began = clock_mono_ns(), done_at = 0;
    for (;;) {
        int64_t now = clock_mono_ns();
        for (enum role role = 0; role < ROLES; role++)
            if (play->worker[role] && role != play->role &&
                child_look(play->worker[role]) != CHILD_RUNS)
                return child_blame(play->lane, play->worker[role], "left the victim alone");
        if (child_look(play->worker[play->role]) != CHILD_RUNS)
            return true;
        if (!look(play, 0))
            return false;
        if (!done_at && lane_all_done(play->lane, role_arch(play->role)))
            done_at = now;
        if (done_at && now - done_at >= (int64_t)rest_ms * 1000000)
            return true;
        if (now - began > (int64_t)(play->lane->bug ? BUG_PATIENCE_MS : PATIENCE_MS) * 1000000)
            return child_blame(play->lane, play->worker[play->role], "does not get on");
        clock_sleep_ms(2);
    }
}

static bool follow(struct play *play, int rest_ms)
{
    return follow_looking(play, rest_ms) && look(play, PATIENCE_MS);
}

/* How long after the last event the point may still be passed. */
static int rest_of(const struct play *play)
{
    if (strcmp(play->point->name, "idle look") == 0)
        return IDLE_MS;
    return play->role == ROLE_BATCH ? 50 : 5; /* it sweeps after it has published */
}

/* ---- what comes behind the fault ---- */

static bool owners_are_new(struct play *play, char before[PARTITIONS][POS_ID_BYTES])
{
    char now[PARTITIONS][POS_ID_BYTES];
    lane_folded(play->lane, role_arch(play->role), now);
    for (int p = 0; p < PARTITIONS; p++)
        if (!*now[p] || strcmp(now[p], before[p]) == 0)
            return false;
    return true;
}

static bool wait_for_new_owners(struct play *play, char before[PARTITIONS][POS_ID_BYTES])
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 2) {
        if (owners_are_new(play, before))
            return true;
        clock_sleep_ms(2);
    }
    return lane_fail(play->lane, "a second worker does not take the partitions");
}

static bool signal_all(struct play *play, int signal, struct child *but, struct child *also)
{
    struct child *all[ROLES + 1] = {also};
    memcpy(all + 1, play->worker, sizeof play->worker);
    for (int i = 0; i <= ROLES; i++) {
        if (!all[i] || all[i] == but || child_look(all[i]) == CHILD_ENDED)
            continue;
        child_signal(all[i], signal);
        if (signal == SIGSTOP && !child_wait(all[i], CHILD_STOPPED, PATIENCE_MS))
            return child_blame(play->lane, all[i], "SIGSTOP does not stop it");
    }
    return true;
}

static bool is_lost(struct play *play, struct child *loser)
{
    if (!child_wait(loser, CHILD_ENDED, PATIENCE_MS) || loser->status != 4)
        return child_blame(play->lane, loser, "lost its partitions and does not leave with exit 4");
    return child_said(loser, "taken by another") ||
           child_blame(play->lane, loser, "does not say that its partitions were taken");
}

/* The victim holds its partitions and stands still; a rival takes them. Woken, it writes nothing. */
static bool meet_rival(struct play *play)
{
    struct lane *lane = play->lane;
    struct child *victim = play->worker[play->role], *rival;
    char before[PARTITIONS][POS_ID_BYTES], then[41], now[41];
    lane_folded(lane, role_arch(play->role), before);
    rival = person(play, play->role, NULL);
    if (!wait_for_new_owners(play, before))
        return child_blame(lane, rival, "the rival");
    if (play->point
            ->between) { /* in the middle of its takes: each partition goes to who comes last */
        child_signal(victim, SIGCONT);
        play->rival = rival;
        play->shared = true;
        return true;
    }
    if (!signal_all(play, SIGSTOP, victim, rival))
        return false;
    lane_digest(lane, then);
    child_signal(victim, SIGCONT);
    if (!is_lost(play, victim))
        return false;
    lane_digest(lane, now);
    if (strcmp(then, now) != 0)
        return child_blame(lane, victim, "a zombie wrote into the store");
    play->worker[play->role] = rival;
    return signal_all(play, SIGCONT, NULL, NULL);
}

static bool flush(struct play *play)
{
    struct child *victim = play->worker[play->role];
    lane_ask(play->lane, "FLUSHALL", NULL);
    char nobody[PARTITIONS][POS_ID_BYTES] = {{0}};
    /* the batch wakes when speed has begun again, and speed when a batch has published above it */
    if (play->role != ROLE_KAPPA && !wait_for_new_owners(play, nobody))
        return false;
    for (int i = 0; play->role == ROLE_SPEED && i < PATIENCE_MS && !lane_published(play->lane); i++)
        clock_sleep_ms(1);
    child_signal(victim, SIGCONT);
    return child_wait(victim, CHILD_RUNS, PATIENCE_MS) ||
           child_blame(play->lane, victim, "SIGCONT does not wake it");
}

/* The fault came, or the run went by: 1 it came and all goes on, 0 it did not, -1 something is wrong. */
static int after_fault(struct play *play)
{
    struct child *victim = play->worker[play->role];
    char said[100];
    snprintf(said, sizeof said, "fault: %s: %s", play->point->name, WHAT_FAULTS[play->what]);
    if (!child_said(victim, said)) {
        if (victim->state == CHILD_ENDED)
            child_blame(play->lane, victim, "ended without its fault");
        return victim->state == CHILD_ENDED ? -1 : 0;
    }
    lane_tell(play->lane, "%s", said);
    if (play->what == STOP || play->what == FLUSH) {
        if (!child_wait(victim, CHILD_STOPPED, PATIENCE_MS)) {
            child_blame(play->lane, victim, "is not stopped");
            return -1;
        }
        return (play->what == STOP ? meet_rival(play) : flush(play)) ? 1 : -1;
    }
    if (play->what == KILL || play->what == ERROR) /* said, and about to die; or to go on */
        child_wait(victim, CHILD_ENDED, play->what == KILL ? PATIENCE_MS : ERROR_MS);
    if (victim->state != CHILD_ENDED)
        return 1;
    if (victim->status != (play->what == KILL ? -SIGKILL : 3)) {
        child_blame(play->lane, victim, "ended otherwise than by its fault");
        return -1;
    }
    static const char *const SECOND[ROLES] = {"commit sent", "commit sent", "segment noted",
                                              "publish"};
    char more[80];
    snprintf(more, sizeof more, "%s:%d:kill", SECOND[play->role],
             1 + (int)rng_below(&play->rng, 10));
    play->worker[play->role] = person(play, play->role, play->again ? more : NULL);
    return 1;
}

static bool died_again(const struct play *play, const struct child *child)
{
    return play->again && child->state == CHILD_ENDED && child->status == -SIGKILL;
}

/* Has it lost what it held, and said so? */
static bool is_beaten(const struct child *child)
{
    return child->state == CHILD_ENDED && child->status == 4 &&
           child_said(child, "taken by another");
}

/* To the last event. A victim that was started again may die of a second fault; of two that share the
 * partitions one may lose all of them. */
static bool follow_on(struct play *play)
{
    if (!follow(play, 5))
        return false;
    struct child **victim = &play->worker[play->role];
    if ((*victim)->state == CHILD_RUNS)
        return true;
    if (died_again(play, *victim)) {
        *victim = person(play, play->role, NULL);
        play->again = false;
        return follow_on(play);
    }
    if (play->rival && is_beaten(*victim)) {
        *victim = play->rival;
        play->rival = NULL;
        return follow_on(play);
    }
    return child_blame(play->lane, *victim, "does not run to the end");
}

static bool leave_one(struct play *play, struct child *child)
{
    if (!child)
        return true;
    if (child_look(child) != CHILD_ENDED)
        child_signal(child, SIGTERM);
    child_wait(child, CHILD_ENDED, PATIENCE_MS);
    return died_again(play, child) || (play->shared && is_beaten(child)) ||
           child_finish(play->lane, child);
}

static bool leave(struct play *play)
{
    for (enum role role = 0; role < ROLES; role++)
        if (!leave_one(play, play->worker[role]))
            return false;
    enum arch arch = role_arch(play->role);
    return leave_one(play, play->rival) &&
           (play->what == FLUSH || check_view(play->lane, arch, false)) &&
           check_end(play->lane, arch);
}

/* ---- the case ---- */

/* As after_fault. */
static int play_once(struct play *play)
{
    if (!begin(play) || !follow(play, rest_of(play)))
        return -1;
    int came = after_fault(play);
    return came == 1 && !(follow_on(play) && leave(play)) ? -1 : came;
}

static bool run(struct lane *lane, const struct item *item)
{
    struct play play = {.lane = lane,
                        .point = &POINTS[item->row],
                        .role = (enum role)(item->which / WHATS),
                        .what = (enum what)(item->which % WHATS),
                        .seed = item->seed};
    struct rng rng;
    rng_init_at(&rng, item->seed, (uint64_t)(item->row * 100 + item->which));
    for (play.nth = 1 + (int64_t)rng_below(&rng, (uint64_t)play.point->usual);; play.nth /= 2) {
        memset(play.worker, 0, sizeof play.worker);
        rng_init_at(&play.rng, item->seed, rng_u64(&rng));
        int came = play_once(&play);
        if (came != 0)
            return came == 1;
        if (play.nth == 1)
            return lane_fail(lane, "the point was never passed");
    }
}

/* The other one of this turn: each of a point's whats has one. */
static enum what other(const struct point *point, int turn)
{
    enum what whats[WHATS];
    int count = 0;
    for (int what = 0; what < WHATS; what++)
        if (point->whats >> what & 1)
            whats[count++] = (enum what)what;
    return whats[turn % count];
}

/* Kill and one other thing for each of the seeds; the rest may be asked for by name, or where more kills
 * are wanted. */
static void list_point(struct items *items, int row, enum role role)
{
    const struct point *point = &POINTS[row];
    int kills = items->kafka ? BROKER_SEEDS : SEEDS, others = items->kafka ? 1 : SEEDS;
    for (int s = 0; s < SEEDS_LISTED; s++)
        for (int what = 0; what < WHATS; what++) {
            uint64_t seed = items->seed + (uint64_t)s;
            bool turn = what == KILL ? s < kills
                                     : s < others && what == (int)other(point, s + row + (int)role);
            struct item item = {.run = run,
                                .row = row,
                                .which = (int)role * WHATS + what,
                                .seed = seed,
                                .spare = !turn,
                                .reserve = what == KILL && !turn};
            if (what == KILL || point->whats >> what & 1)
                items_add(items, item, "%s/%s/%s/%llu", ROLE_NAMES[role], point->name,
                          WHAT_NAMES[what], (unsigned long long)seed);
        }
}

void kill_list(struct items *items)
{
    for (int i = 0; POINTS[i].name; i++)
        for (int role = 0; role < ROLES; role++)
            if (POINTS[i].roles >> role & 1)
                list_point(items, i, (enum role)role);
}
