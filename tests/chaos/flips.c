/* tests/chaos/flips.c - the live pointer goes back and forth under load, every verb is killed, and each
 * answer is held against the oracle of the version that it says it came from.
 *
 *   feeder ──> log ──> kappa run (version 1), kappa deploy --follow (version 2) ──> Redis
 *   rounds: canary 10, 30, 60 %; promote or rollback; a third version retired
 *           each verb at first with a SIGKILL at a fault point or at any moment, then in earnest
 *   readers, each a process, all the while:
 *     the rows are the contract of that version at the positions read (held against the oracles of both
 *     plans when all is over, since on Kafka an oracle that follows takes its time);
 *     between two verbs the version is the live one, or the canary for a key of its share;
 *     a key that the canary had it keeps while the share grows;
 *     no position lies below where the live version stood when the last verb that is done began.
 * Rounds: LK_FLIP_ROUNDS (make flips: 100). */
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "common/store/read.h"
#include "tests/chaos/chaos.h"
#include "workloads/oracle.h"

enum {
    ROUNDS_USUAL = 8,
    READERS = 2,
    KEYS = 20,
    VERSIONS = 2,
    CASES = 2,
    WAIT_MS = 20000,
    SAME_AMONG = 200,
    PAUSE_MS = 3
};

/* What the readers are told, and what they tell. */
struct board {
    _Atomic uint64_t epoch;   /* odd while a verb is under way */
    _Atomic int live, canary; /* as of an even epoch; canary 0: none */
    _Atomic uint64_t era;     /* while it stays the share only grows */
    _Atomic int64_t least[PARTITIONS];
    _Atomic bool over, failed;
    _Atomic int64_t reads, checked, refused, by_canary, by_version[VERSIONS];
    char why[600];
};

struct play {
    struct lane *lane;
    struct board *board;
    struct rng rng;
    char plan[VERSIONS + 1][220]; /* 2: the one that comes to be retired */
    struct child *worker[VERSIONS];
    pid_t reader[READERS];
    int verbs, killed;
};

/* ---- a reader ---- */

/* An answer that is to be held against an oracle. */
struct look {
    int version, number; /* of the key; -1: whole */
    int64_t next[PARTITIONS];
    char digest[33];
};

struct reader {
    struct play *play;
    struct look *looks;
    size_t count, capacity;
    struct log *log;
    struct oracle *oracle[VERSIONS];
    struct view_reader *view;
    uint64_t era;
    bool had[KEYS]; /* the canary answered for it in this era */
};

__attribute__((format(printf, 2, 3))) static void complain(struct board *board, const char *format,
                                                           ...)
{
    va_list args;
    va_start(args, format);
    if (!atomic_exchange(&board->failed, true))
        vsnprintf(board->why, sizeof board->why, format, args);
    va_end(args);
}

static int oracle_for(struct reader *reader, int version, struct err *err)
{
    char text[2000];
    FILE *file = fopen(reader->play->plan[version], "r");
    if (!file)
        return err_set(err, ERR_ENV, "no plan");
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = 0;
    return oracle_open(bytes_of(text), ".", reader->log, reader->play->lane->topic,
                       &reader->oracle[version], err);
}

static void key_text(int number, char out[20])
{
    snprintf(out, 20, "[\"k%d\"]", number);
}

static bool is_same(const struct look *a, const struct look *b)
{
    return a->version == b->version && memcmp(a->next, b->next, sizeof a->next) == 0 &&
           strcmp(a->digest, b->digest) == 0;
}

/* One that says the same at the same positions as the one before of that key needs no oracle. */
static void keep(struct reader *reader, const struct answer *got, int number)
{
    struct look look = {.version = got->version, .number = number};
    for (int p = 0; p < PARTITIONS; p++)
        look.next[p] = got->parts[p].read ? got->parts[p].next : 0;
    answer_digest(got, look.digest);
    for (size_t i = reader->count; i-- > 0 && reader->count - i < SAME_AMONG;)
        if (reader->looks[i].number == number && is_same(&reader->looks[i], &look))
            return;
    if (reader->count == reader->capacity) {
        reader->capacity = reader->capacity ? reader->capacity * 2 : 1024;
        reader->looks = mem_grow(reader->looks, reader->capacity * sizeof *reader->looks);
    }
    reader->looks[reader->count++] = look;
}

/* Keep rows of this key alone; NULL: all. */
static void keep_key(struct answer *answer, const char *key)
{
    size_t kept = 0;
    for (size_t i = 0; i < answer->count; i++)
        if (!key || bytes_equal(answer->rows[i].key, bytes_of(key)))
            answer->rows[kept++] = answer->rows[i];
    answer->count = kept;
}

static void check_look(struct reader *reader, const struct look *look)
{
    struct board *board = reader->play->board;
    struct answer_part parts[PARTITIONS];
    struct answer want = {0};
    struct err err = {0};
    char key[20], digest[33];
    key_text(look->number, key);
    for (int p = 0; p < PARTITIONS; p++)
        parts[p] = (struct answer_part){.next = look->next[p]};
    if (oracle_contract(reader->oracle[look->version - 1], parts, &want, &err) < 0) {
        complain(board, "oracle: %s", err.text);
        return;
    }
    keep_key(&want, look->number < 0 ? NULL : key);
    answer_digest(&want, digest);
    if (strcmp(digest, look->digest) != 0)
        complain(board, "an answer of version %d (%s, %zu rows) is not its contract's",
                 look->version, look->number < 0 ? "whole" : key, want.count);
    answer_release(&want);
}

/* A read under one board: nothing changed from before it to behind it. */
static void check_version(struct reader *reader, const struct answer *got, int number, uint64_t era)
{
    struct board *board = reader->play->board;
    int live = board->live, canary = board->canary;
    bool by_canary = number >= 0 && canary && got->version == canary;
    if (era != reader->era)
        memset(reader->had, 0, sizeof reader->had);
    reader->era = era;
    if (got->version != live && !by_canary)
        complain(board, "version %d answers, and %d is live (canary %d, key %d)", got->version,
                 live, canary, number);
    if (number >= 0 && reader->had[number] && !by_canary)
        complain(board, "key k%d has moved back from the canary while its share grew", number);
    if (by_canary)
        reader->had[number] = true;
    board->by_canary += by_canary;
}

static void read_once(struct reader *reader, struct rng *rng)
{
    struct board *board = reader->play->board;
    char key[20];
    int number = rng_below(rng, 40) ? (int)rng_below(rng, KEYS) : -1;
    int64_t least[PARTITIONS];
    struct view_query query = {.key = number < 0 ? NULL : key, .exact = true};
    struct answer got;
    struct err err = {0};
    key_text(number, key);
    uint64_t before = board->epoch, era = board->era;
    for (int p = 0; p < PARTITIONS; p++)
        least[p] = board->least[p];
    if (view_reader_read(reader->view, &query, &got, &err) < 0) {
        board->refused++;
        if (err.code != ERR_AWAY)
            complain(board, "a read is refused: %s", err.text);
        return;
    }
    board->reads++;
    if (got.version < 1 || got.version > VERSIONS)
        complain(board, "version %d answers", got.version);
    else {
        board->by_version[got.version - 1]++;
        keep(reader, &got, number);
        if (before == board->epoch && before % 2 == 0)
            check_version(reader, &got, number, era);
    }
    for (int p = 0; p < got.partitions; p++)
        if (got.parts[p].read && got.parts[p].next < least[p])
            complain(board, "version %d answers at %lld of partition %d, which had been at %lld",
                     got.version, (long long)got.parts[p].next, p, (long long)least[p]);
    answer_release(&got);
}

static void read_all(struct play *play, int number)
{
    struct reader reader = {.play = play};
    struct lane *lane = play->lane;
    struct err err = {0};
    struct kv *kv = NULL;
    struct rng rng;
#ifdef LK_BUGS
    bug_plant(lane->bug);
#endif
    rng_init(&rng, lane->seed * 31 + (uint64_t)number);
    int rc = kv_open(lane->uri, &kv, &err);
    if (rc == 0)
        reader.view = view_reader_new(kv, lane->view, ARCH_KAPPA);
    while (rc == 0 && !play->board->over && !play->board->failed) {
        read_once(&reader, &rng);
        clock_sleep_ms(PAUSE_MS);
    }
    rc = rc < 0 ? rc : log_open(lane->log, false, &reader.log, &err);
    for (int v = 0; rc == 0 && v < VERSIONS; v++)
        rc = oracle_for(&reader, v, &err);
    if (rc < 0)
        complain(play->board, "reader: %s", err.text);
    for (size_t i = 0; rc == 0 && i < reader.count && !play->board->failed; i++)
        check_look(&reader, &reader.looks[i]);
    play->board->checked += (int64_t)reader.count;
    _exit(0);
}

static bool start_readers(struct play *play)
{
    fflush(NULL);
    for (int i = 0; i < READERS; i++) {
        play->reader[i] = fork();
        if (play->reader[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            read_all(play, i);
        }
        if (play->reader[i] < 0)
            return lane_fail(play->lane, "cannot fork");
    }
    return true;
}

static void stop_readers(struct play *play)
{
    play->board->over = true;
    for (int i = 0; i < READERS; i++)
        if (play->reader[i] > 0)
            waitpid(play->reader[i], NULL, 0);
}

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

/* The verb with a fault, or killed at some moment: it ends by that, or had nothing to do there. */
static bool strike(struct play *play, const char *const *points, const char *words)
{
    int count = 0;
    char fault[80];
    while (points[count])
        count++;
    int at = (int)rng_below(&play->rng, (uint64_t)count + 2);
    if (at == count + 1)
        return true;
    snprintf(fault, sizeof fault, "%s:1:kill", at < count ? points[at] : "none");
    struct child *child = child_start(play->lane, at < count ? fault : NULL, "%s", words);
    if (at == count) {
        clock_sleep_ms((int64_t)rng_below(&play->rng, 40));
        child_signal(child, SIGKILL);
    }
    if (!child_wait(child, CHILD_ENDED, WAIT_MS))
        return child_blame(play->lane, child, "does not end");
    play->killed += child->status == -SIGKILL;
    return child->status == -SIGKILL || child->status == 0 ||
           child_blame(play->lane, child, "struck, it ends otherwise");
}

/* A verb under a board that says so: struck, then done again until the registry is as wanted. */
struct step {
    char words[700];
    const char *const *points;
    int live, share; /* as they are to be */
    int canary;
};

static bool make_step(struct play *play, const struct step *step)
{
    struct board *board = play->board;
    int64_t next[PARTITIONS];
    int live, share;
    if (!live_positions(play, next))
        return false;
    board->epoch++;
    if (!strike(play, step->points, step->words) || !live_now(play, &live, &share))
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

static const char *const FLIP_POINTS[] = {"promote", "read pos", "read pos again", NULL};
static const char *const CANARY_POINTS[] = {"canary", "read pos", NULL};
static const char *const RETIRE_POINTS[] = {"retire mark", "retire pos", "retire cells", NULL};

static bool set_share(struct play *play, int share)
{
    int live = play->board->live, other = 3 - live;
    struct step step = {.points = CANARY_POINTS, .live = live, .share = share, .canary = other};
    snprintf(step.words, sizeof step.words, "kappa canary --plan %s --view %s --share %d",
             play->plan[other - 1], play->lane->uri, share);
    return make_step(play, &step);
}

static bool flip(struct play *play, bool back)
{
    int other = 3 - play->board->live;
    struct step step = {.points = FLIP_POINTS, .live = other};
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
        if (!strike(play, RETIRE_POINTS, words))
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
    for (int v = 0; v < VERSIONS; v++) {
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

static int rounds_wanted(void)
{
    const char *text = getenv("LK_FLIP_ROUNDS");
    return text && atoi(text) > 0 ? atoi(text) : ROUNDS_USUAL;
}

static bool play_rounds(struct play *play, int rounds)
{
    for (int round = 0; round < rounds; round++) {
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
    for (int v = 0; v < VERSIONS; v++) {
        snprintf(play->lane->plan, sizeof play->lane->plan, "%s", play->plan[v]);
        if (!child_finish(play->lane, play->worker[v]) ||
            !check_view(play->lane, ARCH_KAPPA, false))
            return false;
    }
    return true;
}

static bool run(struct lane *lane, const struct item *item)
{
    struct play play = {.lane = lane};
    struct feed feed = {.seed = item->seed, .count = INT64_C(1) << 40, .chunk = 10, .pause_ms = 20};
    if (!lane_begin(lane, item->seed))
        return false;
    rng_init(&play.rng, item->seed);
    play.board =
        mmap(NULL, sizeof *play.board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (play.board == MAP_FAILED)
        return lane_fail(lane, "no memory to share");
    play.board->live = 1;
    bool ok = write_plan(&play, 0, 0) && write_plan(&play, 1, 400) && write_plan(&play, 2, 800) &&
              feeder_start(lane, &feed) && start_workers(&play) && start_readers(&play) &&
              play_rounds(&play, rounds_wanted());
    stop_readers(&play);
    feeder_stop(lane);
    if (ok && play.board->failed)
        ok = lane_fail(lane, "%s", play.board->why);
    ok = ok && versions_are_right(&play);
    fprintf(
        stderr,
        "%s: %d verbs, %d killed; %lld reads (%lld, %lld; %lld by a canary), %lld checked, %lld "
        "refused\n",
        item->name, play.verbs, play.killed, (long long)play.board->reads,
        (long long)play.board->by_version[0], (long long)play.board->by_version[1],
        (long long)play.board->by_canary, (long long)play.board->checked,
        (long long)play.board->refused);
    munmap(play.board, sizeof *play.board);
    return ok;
}

void flips_list(struct items *items)
{
    for (int i = 0; i < CASES; i++)
        items_add(items, (struct item){.run = run, .seed = items->seed + (unsigned)i}, "flips/%llu",
                  (unsigned long long)(items->seed + (unsigned)i));
}
