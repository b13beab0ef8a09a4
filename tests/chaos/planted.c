/* tests/chaos/planted.c - bugs planted on purpose (LK_BUG): a case above must fail for each.
 *
 * They are BUG_ switches of the models that the code has a step for. The program under test is then
 * the variant that was built with -DLK_BUGS. What only tests/agreement can see is left to it. */
#include "tests/chaos/chaos.h"

#ifdef LK_BUGS
static const struct {
    const char *bug, *item; /* a case without its seed */
} PLANTED[] = {
    {"position-first", "kappa/commit sent/kill"},
    {"keep-memory", "kappa/commit sent/error"},
    {"skip-fence", "zombie/kappa"},
    {"new-window", "kappa/evict/kill"},
    {"clean-all", "kappa/fold/kill"},
    {"idle-blind", "kappa/idle look/flush"},
    {"jump-T", "speed/commit sent/flush"},
    {"jump-mark", "speed/commit sent/flush"},
    {"first-sighting", "kappa/fold/kill"},
    {"span-twice", "speed/fold/kill"},
    {"span-off-by-one", "speed/fold/kill"},
    {"span-off-by-one", "batch/batch begin/kill"},
    {"skip-gens", "batch/publish/flush"},
    {"boundary-any", "batch/publish/kill"},
    {"canary-moves", "flips"},
    {"flip-stale", "flips"},
    {"live-named", "flips"},
    {"keep-memory", "redis/killed, nothing kept/kappa"},
    {"skip-fence", "redis/FLUSHALL/kappa"},
    {"forget-swept", "redis/older RDB/lambda"},
};
enum { PLANTED_COUNT = sizeof PLANTED / sizeof *PLANTED, SEEDS_TRIED = 6, TRIES = 60 };

static bool run(struct lane *lane, const struct item *item)
{
    const char *program = lane->lk;
    bool caught = false;
    lane->lk = lane->bugs_lk;
    lane->bug = PLANTED[item->row].bug;
    for (uint64_t i = 0; i < TRIES && !caught; i++) {
        char name[120];
        snprintf(name, sizeof name, "%s/%llu", PLANTED[item->row].item,
                 (unsigned long long)(item->seed + i % SEEDS_TRIED));
        const struct item *one = items_find(lane->items, name);
        caught = one && !one->run(lane, one);
        lane_tell(lane, "%s with %s: %s", name, lane->bug, caught ? lane->why.ptr : "all is well");
    }
    lane->lk = program;
    lane->bug = NULL;
    return caught || lane_fail(lane, "the planted bug %s is not seen by %s in %d tries",
                               PLANTED[item->row].bug, PLANTED[item->row].item, TRIES);
}

/* None of them is of the log: on a broker they would be the same, at length. */
void planted_list(struct items *items)
{
    for (int i = 0; i < PLANTED_COUNT; i++)
        items_add(items,
                  (struct item){.run = run, .row = i, .seed = items->seed, .spare = items->kafka},
                  "planted/%s%s", PLANTED[i].bug,
                  strncmp(PLANTED[i].item, "redis/", 6) == 0         ? ", redis"
                  : strncmp(PLANTED[i].item, "batch/batch", 11) == 0 ? ", slots"
                                                                     : "");
}
#else
void planted_list(struct items *items)
{
    (void)items;
    fputs("skip: planted bugs need the variant built with -DLK_BUGS\n", stderr);
}
#endif
