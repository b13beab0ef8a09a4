/* tests/chaos/flips.c - the live pointer goes back and forth under load, every verb is killed, and each
 * answer is held against the oracle of the version that it says it came from.
 *
 *   feeder ──> log ──> kappa run (version 1), kappa deploy --follow (version 2) ──> Redis <── readers
 *   rounds: canary 10, 30, 60 %; promote or rollback; a third version retired
 *           each verb at first with a SIGKILL, at its fault points in turn or at any moment, then in earnest
 *
 * Readers (flips_reader.c) ask all the while; a fault point where no verb died fails the case.
 * Rounds: LK_FLIP_ROUNDS; they go on until LK_FLIP_READS answers were read (make flips: 100, 500,000). */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/base/clock.h"
#include "common/store/read.h"
#include "tests/chaos/flips.h"

enum { ROUNDS_USUAL = 8, CASES = 2, WAIT_MS = 20000, POINTS_MAX = 4 };

/* The fault points of a verb, and how often it has died there. */
struct struck {
    const char *verb, *points[POINTS_MAX]; /* the last is NULL */
    int turn, died[POINTS_MAX];
};

static const struct struck FLIP = {.verb = "flip",
                                   .points = {"promote", "read pos", "read pos again"}};
static const struct struck CANARY = {.verb = "canary", .points = {"canary", "read pos"}};
static const struct struck RETIRE = {.verb = "retire",
                                     .points = {"retire mark", "retire pos", "retire cells"}};

struct play {
    struct lane *lane;
    struct flips_board *board;
    struct flips_readers readers;
    struct rng rng;
    char plan[FLIPS_VERSIONS + 1][FLIPS_PATH]; /* 2: the one that comes to be retired */
    struct child *worker[FLIPS_VERSIONS];
    struct struck flip, canary, retire;
    int verbs, killed;
};

/* ---- verbs ---- */

static bool live_now(struct play *play, int *live, int *share)
{
    struct registry registry = {0};
    struct err err = {0};
    if (registry_read(play->lane->kv, play->lane->view, ARCH_KAPPA, &registry, &err) < 0)
        return lane_fail(play->lane, "%s", err.text);
    *live = registry.live;
    *share = registry.canary ? registry.share : 0;
    registry_release(&registry);
    return true;
}

static bool live_positions(struct play *play, int64_t next[PARTITIONS])
{
    struct view_query query = {.positions_only = true};
    struct answer answer;
    struct err err = {0};
    if (view_read(play->lane->kv, play->lane->view, ARCH_KAPPA, &query, &answer, &err) < 0)
        return lane_fail(play->lane, "%s", err.text);
    for (int p = 0; p < PARTITIONS; p++)
        next[p] = answer.parts[p].next;
    answer_release(&answer);
    return true;
}

/* The verb with a fault at its next point; in turn also killed at some moment, or left alone. It ends by that,
 * or had nothing to do there. */
static bool strike(struct play *play, struct struck *struck, const char *words)
{
    int count = 0;
    char fault[80];
    while (struck->points[count])
        count++;
    int at = struck->turn++ % (count + 2);
    if (at == count + 1)
        return true;
    snprintf(fault, sizeof fault, "%s:1:kill", at < count ? struck->points[at] : "none");
    struct child *child = child_start(play->lane, at < count ? fault : NULL, "%s", words);
    if (at == count) {
        clock_sleep_ms((int64_t)rng_below(&play->rng, 40));
        child_signal(child, SIGKILL);
    }
    if (!child_wait(child, CHILD_ENDED, WAIT_MS))
        return child_blame(play->lane, child, "does not end");
    bool died = child->status == -SIGKILL;
    play->killed += died;
    if (at < count)
        struck->died[at] += died;
    return died || child->status == 0 ||
           child_blame(play->lane, child, "struck, it ends otherwise");
}

/* A verb under a board that says so: struck, then done again until the registry is as wanted. */
struct step {
    char words[700];
    struct struck *struck;
    int live, share; /* as they are to be */
    int canary;
};

static bool make_step(struct play *play, const struct step *step)
{
    struct flips_board *board = play->board;
    int64_t next[PARTITIONS];
    int live, share;
    if (!live_positions(play, next))
        return false;
    board->epoch++;
    if (!strike(play, step->struck, step->words) || !live_now(play, &live, &share))
        return false;
    if ((live != step->live || share != step->share) &&
        !child_run(play->lane, child_start(play->lane, NULL, "%s", step->words), 0))
        return false;
    if (!live_now(play, &live, &share))
        return false;
    if (live != step->live || share != step->share)
        return lane_fail(play->lane, "after lk %s: live %d, share %d", step->words, live, share);
    board->era += share == 0 || board->live != live;
    board->live = live;
    board->canary = share ? step->canary : 0;
    for (int p = 0; p < PARTITIONS; p++)
        board->least[p] = next[p];
    board->epoch++;
    play->verbs++;
    /* the readers' turn; a canary shows in a share of their reads alone */
    clock_sleep_ms((share ? 80 : 20) + (int64_t)rng_below(&play->rng, 40));
    return !board->failed || lane_fail(play->lane, "%s", board->why);
}

static bool set_share(struct play *play, int share)
{
    int live = play->board->live, other = 3 - live;
    struct step step = {.struck = &play->canary, .live = live, .share = share, .canary = other};
    snprintf(step.words, sizeof step.words, "kappa canary --plan %s --view %s --share %d",
             play->plan[other - 1], play->lane->uri, share);
    return make_step(play, &step);
}

static bool flip(struct play *play, bool back)
{
    int other = 3 - play->board->live;
    struct step step = {.struck = &play->flip, .live = other};
    snprintf(step.words, sizeof step.words, "kappa %s --plan %s --view %s%s",
             back ? "rollback" : "promote", play->plan[other - 1], play->lane->uri,
             back ? "" : " --accept-diff");
    return make_step(play, &step);
}

/* A third version comes and goes; killed anywhere, the next call finishes. */
static bool retire_one(struct play *play)
{
    struct lane *lane = play->lane;
    struct registry registry = {0};
    char words[600];
    if (!child_run(lane,
                   child_start(lane, NULL, "kappa deploy --plan %s --view %s --log %s --topic %s",
                               play->plan[2], lane->uri, lane->log, lane->topic),
                   0) ||
        registry_read(lane->kv, lane->view, ARCH_KAPPA, &registry, NULL) < 0)
        return false;
    int number = registry.count;
    registry_release(&registry);
    snprintf(words, sizeof words, "kappa retire --plan %s --view %s --version %d", play->plan[2],
             lane->uri, number);
    for (int i = 0; i < 3; i++)
        if (!strike(play, &play->retire, words))
            return false;
    play->verbs++;
    return child_run(lane, child_start(lane, NULL, "%s", words), 0) &&
           (!play->board->failed || lane_fail(lane, "%s", play->board->why));
}

/* Until one version has folded what the other, which stands still, has not. */
static bool wait_for_lead(struct play *play, int leader, int other)
{
    int64_t sum[2] = {0, 0};
    for (int64_t until = clock_mono_ns() + INT64_C(1000000) * WAIT_MS; clock_mono_ns() < until;
         clock_sleep_ms(20)) {
        int versions[] = {leader, other};
        sum[0] = sum[1] = 0;
        for (int i = 0; i < 2; i++) {
            struct view_query query = {.positions_only = true, .version = versions[i]};
            struct answer answer;
            if (view_read(play->lane->kv, play->lane->view, ARCH_KAPPA, &query, &answer, NULL) < 0)
                return lane_fail(play->lane, "version %d cannot be read", versions[i]);
            for (int p = 0; p < PARTITIONS; p++)
                sum[i] += answer.parts[p].next;
            answer_release(&answer);
        }
        if (sum[0] > sum[1])
            return true;
    }
    bool ended = feeder_ended(play->lane);
    return lane_fail(play->lane,
                     "version %d at %lld gets no lead over version %d at %lld; feeder %s", leader,
                     (long long)sum[0], other, (long long)sum[1], ended ? "has ended" : "runs");
}

/* The version that is not live stands still: neither verb may make it live. */
static bool refuse_stale(struct play *play)
{
    struct lane *lane = play->lane;
    int other = 3 - play->board->live, live, share;
    struct child *worker = play->worker[other - 1];
    child_signal(worker, SIGSTOP);
    if (!child_wait(worker, CHILD_STOPPED, WAIT_MS))
        return child_blame(lane, worker, "does not stop");
    if (!wait_for_lead(play, 3 - other, other))
        return false;
    static const char *const verbs[] = {"rollback", "promote --accept-diff"};
    for (int i = 0; i < 2; i++) {
        struct child *verb = child_start(lane, NULL, "kappa %s --plan %s --view %s --wait 50ms",
                                         verbs[i], play->plan[other - 1], lane->uri);
        if (!child_run(lane, verb, 1))
            return false;
        if (!child_said(verb, "lags the live one"))
            return child_blame(lane, verb, "does not say why");
    }
    child_signal(worker, SIGCONT);
    return live_now(play, &live, &share) &&
           (live == 3 - other || lane_fail(lane, "a stale version is live"));
}

/* ---- the case ---- */

static bool write_plan(struct play *play, int version, int above)
{
    struct lane *lane = play->lane;
    const char *text = events_plan((int)(lane->seed % PLANS), &lane->view, &lane->lossless);
    const char *key = strstr(text, "\"key\"");
    snprintf(play->plan[version], sizeof play->plan[version], "%s.%d", lane->plan, version + 1);
    FILE *file = fopen(play->plan[version], "w");
    if (!file)
        return lane_fail(lane, "cannot write %s", play->plan[version]);
    fprintf(file, "%.*s", (int)(key - text), text);
    if (above)
        fprintf(file, "\"where\":[\"v\",\">\",%d],", above);
    fputs(key, file);
    fclose(file);
    return true;
}

static bool start_workers(struct play *play)
{
    struct lane *lane = play->lane;
    for (int v = 0; v < FLIPS_VERSIONS; v++) {
        play->worker[v] = child_start(
            lane, NULL, "kappa %s --plan %s --view %s --log %s --topic %s --commit 5ms%s",
            v ? "deploy" : "run", play->plan[v], lane->uri, lane->log, lane->topic,
            v ? " --follow" : "");
        int64_t until = clock_mono_ns() + (int64_t)WAIT_MS * 1000000;
        for (bool up = false; !up; clock_sleep_ms(5)) {
            struct registry registry = {0};
            registry_read(lane->kv, lane->view, ARCH_KAPPA, &registry, NULL);
            up = registry.count > v;
            registry_release(&registry);
            if (child_look(play->worker[v]) == CHILD_ENDED || clock_mono_ns() > until)
                return child_blame(lane, play->worker[v], "does not begin");
        }
    }
    return true;
}

static int64_t wanted(const char *name, int64_t usual)
{
    const char *text = getenv(name);
    return text && atoll(text) > 0 ? atoll(text) : usual;
}

static bool play_rounds(struct play *play)
{
    int64_t rounds = wanted("LK_FLIP_ROUNDS", ROUNDS_USUAL), reads = wanted("LK_FLIP_READS", 0);
    for (int64_t round = 0; round < rounds || play->board->reads < reads; round++) {
        static const int SHARES[] = {10, 30, 60};
        int shares = (int)rng_below(&play->rng, 4);
        for (int i = 0; i < shares; i++)
            if (!set_share(play, SHARES[i]))
                return false;
        if (shares == 2 && !set_share(play, 0))
            return false;
        if (!flip(play, round > 0 && rng_below(&play->rng, 2)))
            return false;
        if (round % 8 == 5 && !retire_one(play))
            return false;
        if (round % 8 == 2 && !refuse_stale(play))
            return false;
    }
    return true;
}

static bool versions_are_right(struct play *play)
{
    for (int v = 0; v < FLIPS_VERSIONS; v++) {
        snprintf(play->lane->plan, sizeof play->lane->plan, "%s", play->plan[v]);
        if (!child_finish(play->lane, play->worker[v]) ||
            !check_view(play->lane, ARCH_KAPPA, false))
            return false;
    }
    return true;
}

/* How often each verb died where, in words; false: somewhere never. */
static bool say_struck(const struct play *play, struct buf *out)
{
    const struct struck *const all[] = {&play->flip, &play->canary, &play->retire};
    bool everywhere = true;
    buf_add_text(out, "died at");
    for (int v = 0; v < 3; v++)
        for (int i = 0; all[v]->points[i]; i++) {
            buf_printf(out, "%s %s/%s %d", v || i ? "," : "", all[v]->verb, all[v]->points[i],
                       all[v]->died[i]);
            everywhere = everywhere && all[v]->died[i] > 0;
        }
    return everywhere;
}

static void say_play(const struct play *play, const char *name, const struct buf *struck)
{
    const struct flips_board *board = play->board;
    fprintf(stderr,
            "%s: %d verbs, %d killed, %s; %lld reads (%lld, %lld; %lld by a canary), all checked, "
            "as %lld questions, %lld refused\n",
            name, play->verbs, play->killed, struck->ptr, (long long)board->reads,
            (long long)board->by_version[0], (long long)board->by_version[1],
            (long long)board->by_canary, (long long)board->questions, (long long)board->refused);
}

static bool run(struct lane *lane, const struct item *item)
{
    struct play play = {.lane = lane, .flip = FLIP, .canary = CANARY, .retire = RETIRE};
    struct feed feed = {.seed = item->seed, .count = INT64_C(1) << 40, .chunk = 4, .pause_ms = 20};
    if (!lane_begin(lane, item->seed))
        return false;
    rng_init(&play.rng, item->seed);
    play.board =
        mmap(NULL, sizeof *play.board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (play.board == MAP_FAILED)
        return lane_fail(lane, "no memory to share");
    play.board->live = 1;
    bool ok = write_plan(&play, 0, 0) && write_plan(&play, 1, 400) && write_plan(&play, 2, 800) &&
              feeder_start(lane, &feed) && start_workers(&play);
    play.readers = (struct flips_readers){.lane = lane, .board = play.board};
    for (int v = 0; v < FLIPS_VERSIONS; v++)
        memcpy(play.readers.plan[v], play.plan[v], FLIPS_PATH);
    ok = ok && flips_readers_start(&play.readers) && play_rounds(&play);
    feeder_stop(lane);
    flips_readers_stop(&play.readers);
    if (ok && play.board->failed)
        ok = lane_fail(lane, "%s", play.board->why);
    ok = ok && versions_are_right(&play);
    struct buf struck = {0};
    if (!say_struck(&play, &struck) && ok)
        ok = lane_fail(lane, "a verb was never killed at one of its points: %s", struck.ptr);
    say_play(&play, item->name, &struck);
    buf_release(&struck);
    munmap(play.board, sizeof *play.board);
    return ok;
}

void flips_list(struct items *items)
{
    for (int i = 0; i < CASES; i++)
        items_add(items, (struct item){.run = run, .seed = items->seed + (unsigned)i}, "flips/%llu",
                  (unsigned long long)(items->seed + (unsigned)i));
}
