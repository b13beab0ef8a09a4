/* tests/chaos/points.c - the fault points, and the check that none is passed that has no row here.
 *
 * The names are those of the models' steps (tests/model/README.md), and of the files' steps. rollback
 * and retire join when kappa has them. */
#include "tests/chaos/chaos.h"

enum {
    KAPPA = 1 << ROLE_KAPPA,
    SPEED = 1 << ROLE_SPEED,
    ARCHIVE = 1 << ROLE_ARCHIVE,
    BATCH = 1 << ROLE_BATCH,
    WORKERS = KAPPA | SPEED
};

/* What may happen at a point besides kill. */
enum {
    HOLDS = 1 << DELAY | 1 << STOP | 1 << FLUSH, /* a worker that has its partitions */
    LOSES = 1 << ERROR | 1 << DELAY              /* a step that can fail */
};

const char *const WHAT_NAMES[WHATS] = {"kill", "error", "delay", "stop", "flush"};
const char *const WHAT_FAULTS[WHATS] = {"kill", "error", "delay", "stop", "stop"};

const struct point POINTS[] = {
    {"poll", WORKERS, 60, NULL, HOLDS, false, false},
    {"scan", WORKERS, 60, NULL, HOLDS, false, false},
    {"fold", WORKERS, 60, NULL, HOLDS, false, false},
    {"take", WORKERS, 24, NULL, LOSES | 1 << STOP, true, false},
    {"commit sent", WORKERS, 40, NULL, LOSES | HOLDS, false, false},
    {"commit landed", WORKERS, 40, NULL, LOSES | HOLDS, false, false},
    {"commit answered", WORKERS, 40, NULL, LOSES | HOLDS, false, false},
    {"reconnect", WORKERS, 1, "commit answered:1:error", 1 << DELAY | 1 << STOP, true, false},
    {"evict", WORKERS, 60, NULL, HOLDS, false, false},
    {"unlink", WORKERS, 60, NULL, HOLDS, false, false},
    {"idle look", WORKERS, 1, NULL, LOSES | HOLDS, false, false},
    {"segment temp", ARCHIVE, 60, NULL, LOSES, false, false},
    {"segment sync", ARCHIVE, 60, NULL, LOSES, false, false},
    {"segment rename", ARCHIVE, 60, NULL, LOSES, false, false},
    {"segment noted", ARCHIVE, 60, NULL, LOSES, false, false},
    {"generation temp", BATCH, 24, NULL, LOSES, false, false},
    {"generation sync", BATCH, 24, NULL, LOSES, false, false},
    {"generation rename", BATCH, 24, NULL, LOSES, false, false},
    {"generation manifest", BATCH, 3, NULL, LOSES, false, false},
    {"batch begin", BATCH, 24, NULL, LOSES | 1 << FLUSH, false, true},
    {"generation begin", BATCH, 24, NULL, LOSES | 1 << FLUSH, false, false},
    {"generation load", BATCH, 200, NULL, LOSES | 1 << FLUSH, false, false},
    {"publish", BATCH, 24, NULL, LOSES | 1 << FLUSH, false, false},
    {"publish landed", BATCH, 24, NULL, LOSES | 1 << FLUSH, false, false},
    {"sweep", BATCH, 60, NULL, LOSES | 1 << FLUSH, false, false},
    {"reconnect", BATCH, 1, "publish:2:error", 1 << DELAY, false, false},
    {NULL, 0, 0, NULL, 0, false, false},
};

const char *const VERB_POINTS[] = {"read pos", "read cells", "read pos again", "promote", NULL};

/* Every point that a plain run passes stands in the table above. */
static bool is_known(const char *name)
{
    for (int i = 0; POINTS[i].name; i++)
        if (strcmp(POINTS[i].name, name) == 0)
            return true;
    for (int i = 0; VERB_POINTS[i]; i++)
        if (strcmp(VERB_POINTS[i], name) == 0)
            return true;
    return false;
}

static bool all_known(struct lane *lane, const struct child *child)
{
    char line[200], name[100];
    int seen = 0;
    bool ok = true;
    FILE *file = fopen(child->output, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "fault point: %99[^\n]", name) == 1) {
            seen++;
            if (!is_known(name))
                ok = lane_fail(lane, "the fault point \"%s\" has no case here (points.c)", name);
        }
    if (file)
        fclose(file);
    return seen ? ok : child_blame(lane, child, "names no fault point");
}

static bool run_names(struct lane *lane, const struct item *item)
{
    struct tuning tuning = {.commit_ms = 1, .workers = 1, .memory_kib = 1024};
    struct feed feed = {.seed = item->seed, .count = EVENTS, .chunk = EVENTS};
    static const char *const MORE[ROLES] = {"--until-end", "--until-end", "--until-end", ""};
    if (!lane_begin(lane, item->seed) || !feeder_run(lane, &feed))
        return false;
    for (enum role role = 0; role < ROLES; role++) {
        struct child *child = role_start(lane, role, &tuning, "list", MORE[role]);
        if (!child_run(lane, child, 0) || !all_known(lane, child))
            return false;
    }
    struct child *query =
        child_start(lane, "list", "query --from lambda --plan %s --view %s", lane->plan, lane->uri);
    return child_run(lane, query, 0) && all_known(lane, query);
}

void names_list(struct items *items)
{
    items_add(items, (struct item){.run = run_names, .seed = items->seed}, "names");
}
