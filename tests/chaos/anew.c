/* tests/chaos/anew.c - a log that was deleted and made anew under the same name is noticed.
 *
 * What was made from the old log (a view, an archive) must not go on with the new one: exit 4, and
 * words that say so. The new one is shorter, longer, or as long with other bytes. On a broker, who
 * reads on notices only at its next take: librdkafka takes the new topic for the old one. */
#include "tests/chaos/chaos.h"

enum { OLD_EVENTS = 1500, UP_MS = 300 };

static const struct {
    const char *name;
    int count, salt;
} LOGS[] = {
    {"shorter", OLD_EVENTS / 3, 0}, {"longer", OLD_EVENTS * 2, 1}, {"other", OLD_EVENTS, 1}};
enum { LOGS_COUNT = sizeof LOGS / sizeof *LOGS };

static bool feed(struct lane *lane, uint64_t seed, int count, int salt)
{
    struct feed all = {.seed = seed, .count = count, .chunk = 500, .salt = salt};
    return feeder_run(lane, &all);
}

static bool run(struct lane *lane, const struct item *item)
{
    struct tuning tuning = {.commit_ms = 1, .workers = 1, .memory_kib = 1024};
    enum role role = (enum role)item->which;
    if (!lane_begin(lane, item->seed) || !feed(lane, item->seed, OLD_EVENTS, 0) ||
        !child_run(lane, role_start(lane, role, &tuning, NULL, "--until-end"), 0))
        return false;
    lane_drop_log(lane);
    if (!lane_make_log(lane) ||
        !feed(lane, item->seed, LOGS[item->row].count, LOGS[item->row].salt))
        return false;
    struct child *again = role_start(lane, role, &tuning, NULL, "--until-end");
    return child_run(lane, again, 4) &&
           (child_said(again, "made anew") ||
            child_blame(lane, again, "does not say that the log is another"));
}

/* The same under a process that runs and waits for more. */
static bool run_under(struct lane *lane, const struct item *item)
{
    struct tuning tuning = {.commit_ms = 1, .workers = 1, .memory_kib = 1024};
    if (!lane_begin(lane, item->seed) || !feed(lane, item->seed, OLD_EVENTS, 0))
        return false;
    struct child *child = role_start(lane, (enum role)item->which, &tuning, NULL, "");
    if (child_wait(child, CHILD_ENDED, UP_MS))
        return child_blame(lane, child, "does not wait for more");
    lane_drop_log(lane);
    return lane_make_log(lane) &&
           feed(lane, item->seed, LOGS[item->row].count, LOGS[item->row].salt) &&
           child_run(lane, child, 4) &&
           (child_said(child, "made anew") ||
            child_blame(lane, child, "does not say that the log is another"));
}

void anew_list(struct items *items)
{
    static const enum role WHO[] = {ROLE_KAPPA, ROLE_SPEED, ROLE_ARCHIVE};
    for (int i = 0; i < LOGS_COUNT; i++)
        for (int k = 0; k < 3; k++) {
            struct item item = {.run = run, .row = i, .which = (int)WHO[k], .seed = items->seed};
            items_add(items, item, "anew/%s/%s/%llu", LOGS[i].name, ROLE_NAMES[WHO[k]],
                      (unsigned long long)items->seed);
            item.run = run_under;
            item.spare = items->kafka;
            items_add(items, item, "anew/under/%s/%s/%llu", LOGS[i].name, ROLE_NAMES[WHO[k]],
                      (unsigned long long)items->seed);
        }
}
