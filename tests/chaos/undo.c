/* tests/chaos/undo.c - what an operator does to a lambda at work, struck: a rollback while the speed layer
 * commits, a compaction while batches read the archive, a view retired under a speed layer and a batch.
 * Done again, it is done. */
#include <signal.h>
#include <string.h>

#include "common/base/clock.h"
#include "tests/chaos/chaos.h"

enum { FED = 1500, ROUNDS = 6, KILL_SEEDS = 3 };

static const struct {
    const char *point;
    int passings; /* in one run, at least */
    bool compacts;
} ROWS[] = {
    {"lambda rollback noted", 1, false},   {"lambda rollback", 10, false},
    {"lambda rollback landed", 10, false}, {"segment rename", 10, true},
    {"compact noted", 10, true},           {"compact remove", 10, true},
};

static const struct tuning TUNING = {.commit_ms = 2, .workers = 1, .memory_kib = 1024};

static bool once(struct lane *lane, enum role role, const char *more)
{
    return child_run(lane, role_start(lane, role, &TUNING, NULL, more), 0);
}

static bool feed_on(struct lane *lane, int64_t count)
{
    struct feed feed = {.seed = lane->seed, .from = lane->fed, .count = count, .chunk = 100};
    return feeder_run(lane, &feed);
}

static bool folded(struct lane *lane, const struct child *speed)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 2) {
        if (lane_folded(lane, ARCH_LAMBDA, NULL) >= lane->fed)
            return true;
        clock_sleep_ms(2);
    }
    return child_blame(lane, speed, "does not get on");
}

/* Two generations, and a speed layer that has folded beyond the second and goes on. */
static struct child *two_generations(struct lane *lane)
{
    if (!feed_on(lane, FED))
        return NULL;
    struct child *speed = role_start(lane, ROLE_SPEED, &TUNING, NULL, "");
    bool good = true;
    for (int batch = 0; good && batch < 2; batch++)
        good = folded(lane, speed) && once(lane, ROLE_ARCHIVE, "--until-end") &&
               once(lane, ROLE_BATCH, "") && feed_on(lane, FED);
    return good && folded(lane, speed) ? speed : NULL;
}

/* Many small segments, and batches that read them again and again. */
static struct child *small_segments(struct lane *lane)
{
    bool good = true;
    for (int round = 0; good && round < ROUNDS; round++)
        good = feed_on(lane, FED / 3) && once(lane, ROLE_ARCHIVE, "--until-end");
    return good ? role_start(lane, ROLE_BATCH, &TUNING, NULL, "--every 20ms") : NULL;
}

/* 3 is no verdict: it moved during each read. */
static bool right_now(struct lane *lane)
{
    struct child *verify = check_start(lane, ARCH_LAMBDA);
    return (child_wait(verify, CHILD_ENDED, PATIENCE_MS) &&
            (verify->status == 0 || verify->status == 3)) ||
           child_blame(lane, verify, "the view is wrong");
}

static bool run(struct lane *lane, const struct item *item)
{
    bool compacts = ROWS[item->row].compacts;
    char fault[80], words[800];
    if (!lane_begin(lane, item->seed))
        return false;
    struct child *beside = compacts ? small_segments(lane) : two_generations(lane);
    struct feed flow = {
        .seed = lane->seed, .from = lane->fed, .count = FED, .chunk = 10, .pause_ms = 1};
    if (!beside || (!compacts && !feeder_start(lane, &flow)))
        return false;
    if (compacts)
        snprintf(words, sizeof words, "lambda archive --compact --archive %s", lane->archive);
    else
        snprintf(words, sizeof words, "lambda rollback --plan %s --view %s --archive %s",
                 lane->plan, lane->uri, lane->archive);
    struct rng rng;
    rng_init_at(&rng, item->seed, (uint64_t)item->row);
    snprintf(fault, sizeof fault, "%s:%d:%s", ROWS[item->row].point,
             1 + (int)rng_below(&rng, (uint64_t)ROWS[item->row].passings), WHAT_NAMES[item->which]);
    struct child *struck = child_start(lane, fault, "%s", words);
    if (!child_run(lane, struck, item->which == KILL ? -SIGKILL : 3))
        return false;
    if (!child_said(struck, "fault: "))
        return child_blame(lane, struck, "did not pass the point");
    if (!(compacts || right_now(lane)) || !child_run(lane, child_start(lane, NULL, "%s", words), 0))
        return false;
    if (compacts &&
        !child_run(lane, child_start(lane, NULL, "lambda verify --archive %s", lane->archive), 0))
        return false;
    if (!compacts && !right_now(lane))
        return false;
    feeder_stop(lane);
    return child_finish(lane, beside) && check_end(lane, ARCH_LAMBDA);
}

/* ---- the end of a view ---- */

static const struct {
    const char *point;
    int passings;
} RETIRE_ROWS[] = {{"retire mark", 1}, {"retire pos", PARTITIONS}, {"retire cells", 40}};

/* Nothing but a tombstone for each partition. */
static bool only_tombstones(struct lane *lane)
{
    char pattern[100];
    snprintf(pattern, sizeof pattern, "lk:{%s.l1:*", lane->view);
    const struct kv_reply *keys = lane_ask(lane, "KEYS", pattern);
    for (int i = 0; i < keys->count; i++) {
        struct bytes key = keys->items[i].text;
        if (key.len < 5 || memcmp(key.ptr + key.len - 5, "}:pos", 5) != 0)
            return lane_fail(lane, "left of a retired view: %.*s", (int)key.len, key.ptr);
    }
    return keys->count == PARTITIONS || lane_fail(lane, "%d tombstones", keys->count);
}

static bool run_retire(struct lane *lane, const struct item *item)
{
    char fault[80], words[600];
    if (!lane_begin(lane, item->seed))
        return false;
    struct child *speed = two_generations(lane);
    struct feed flow = {
        .seed = lane->seed, .from = lane->fed, .count = FED, .chunk = 10, .pause_ms = 1};
    if (!speed || !feeder_start(lane, &flow))
        return false;
    struct child *batch = role_start(lane, ROLE_BATCH, &TUNING, NULL, "--every 5ms");
    struct rng rng;
    rng_init_at(&rng, item->seed, (uint64_t)item->row);
    snprintf(words, sizeof words, "lambda retire --plan %s --view %s", lane->plan, lane->uri);
    snprintf(fault, sizeof fault, "%s:%d:%s", RETIRE_ROWS[item->row].point,
             1 + (int)rng_below(&rng, (uint64_t)RETIRE_ROWS[item->row].passings),
             WHAT_NAMES[item->which]);
    struct child *struck = child_start(lane, fault, "%s", words);
    if (!child_run(lane, struck, item->which == KILL ? -SIGKILL : 0))
        return false;
    if (!child_said(struck, "fault: "))
        return child_blame(lane, struck, "did not pass the point");
    if (!child_run(lane, child_start(lane, NULL, "%s", words), 0) || !child_run(lane, speed, 3) ||
        !child_run(lane, batch, 2))
        return false;
    feeder_stop(lane);
    return child_run(lane, child_start(lane, NULL, "%s", words), 0) && only_tombstones(lane);
}

void undo_list(struct items *items)
{
    for (size_t row = 0; row < sizeof ROWS / sizeof *ROWS; row++)
        for (int s = 0; s <= KILL_SEEDS; s++) {
            enum what what = s == KILL_SEEDS ? ERROR : KILL;
            uint64_t seed = items->seed + (uint64_t)s % KILL_SEEDS;
            struct item item = {.run = run,
                                .row = (int)row,
                                .which = (int)what,
                                .seed = seed,
                                .spare = items->kafka};
            items_add(items, item, "undo/%s/%s/%llu", ROWS[row].point, WHAT_NAMES[what],
                      (unsigned long long)seed);
        }
    for (size_t row = 0; row < sizeof RETIRE_ROWS / sizeof *RETIRE_ROWS; row++)
        for (int s = 0; s < KILL_SEEDS; s++) {
            enum what what = s == 1 ? ERROR : KILL; /* an error costs a reconnection alone */
            struct item item = {.run = run_retire,
                                .row = (int)row,
                                .which = (int)what,
                                .seed = items->seed + (uint64_t)s,
                                .spare = items->kafka};
            items_add(items, item, "retire/%s/%s/%llu", RETIRE_ROWS[row].point, WHAT_NAMES[what],
                      (unsigned long long)item.seed);
        }
}
