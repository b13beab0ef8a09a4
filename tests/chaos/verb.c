/* tests/chaos/verb.c - what is no worker, struck: a reader, a promotion. Done again, it is done. */
#include <signal.h>

#include "common/base/clock.h"
#include "tests/chaos/chaos.h"

/* A view of 2,000 events; its worker goes on and has nothing to do. */
static struct child *folded_view(struct lane *lane, uint64_t seed)
{
    struct tuning tuning = {.commit_ms = 1, .workers = 1, .memory_kib = 1024};
    struct feed feed = {.seed = seed, .count = 2000, .chunk = 500};
    if (!lane_begin(lane, seed) || !feeder_start(lane, &feed))
        return NULL;
    struct child *worker = role_start(lane, ROLE_KAPPA, &tuning, NULL, "");
    while (!lane_all_done(lane, ARCH_KAPPA) && child_look(worker) == CHILD_RUNS)
        clock_sleep_ms(2);
    return worker;
}

/* The same plan with another name for a value, as another version. */
static bool deploy_second(struct lane *lane, char *path, size_t room)
{
    char text[800];
    const char *plan = events_plan((int)(lane->seed % PLANS), &lane->view, &lane->lossless);
    const char *mean = strstr(plan, "mean");
    snprintf(path, room, "%s.2", lane->plan);
    snprintf(text, sizeof text, "%.*saverage%s", (int)(mean - plan), plan, mean + strlen("mean"));
    FILE *file = fopen(path, "w");
    if (!file)
        return lane_fail(lane, "cannot write %s", path);
    fputs(text, file);
    fclose(file);
    return child_run(lane,
                     child_start(lane, NULL, "kappa deploy --plan %s --view %s --log %s --topic %s",
                                 path, lane->uri, lane->log, lane->topic),
                     0);
}

/* A verb that only looks, or writes in one step: struck, then done again. */
static bool run_verb(struct lane *lane, const struct item *item)
{
    const char *point = VERB_POINTS[item->row];
    bool promotes = strcmp(point, "promote") == 0;
    char fault[60], words[600], second[220] = "";
    struct child *worker = folded_view(lane, item->seed);
    if (!worker || (promotes && !deploy_second(lane, second, sizeof second)))
        return false;
    snprintf(fault, sizeof fault, "%s:1:%s", point, WHAT_NAMES[item->which]);
    snprintf(words, sizeof words, "%s --plan %s --view %s",
             promotes ? "kappa promote --accept-diff" : "query --from kappa",
             promotes ? second : lane->plan, lane->uri);
    struct child *struck = child_start(lane, fault, "%s", words);
    if (!child_run(lane, struck, item->which == KILL ? -SIGKILL : 3))
        return false;
    if (!child_said(struck, "fault: "))
        return child_blame(lane, struck, "did not pass the point");
    return child_run(lane, child_start(lane, NULL, "%s", words), 0) && child_finish(lane, worker) &&
           check_end(lane, ARCH_KAPPA);
}

void verb_list(struct items *items)
{
    for (int i = 0; VERB_POINTS[i]; i++)
        for (int s = 0; s < SEEDS * 2; s++) {
            uint64_t seed = items->seed + (unsigned)s / 2;
            enum what what = s % 2 ? ERROR : KILL;
            struct item item = {.run = run_verb, .row = i, .which = (int)what, .seed = seed};
            items_add(items, item, "verb/%s/%s/%llu", VERB_POINTS[i], WHAT_NAMES[what],
                      (unsigned long long)seed);
        }
}
