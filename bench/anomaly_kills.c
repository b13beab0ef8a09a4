/* bench/anomaly_kills.c - see anomaly_kills.h.
 *
 * The points are those of tests/chaos/points.c. Which passing is meant is drawn; where a part does not get
 * there in time it is killed, and tries the same point at its first passing, then the next one. Two points are
 * reached only while somebody else stands still: `idle look` without events, the speed layer's `evict` (it
 * holds few cells) without batches. */
#include "bench/anomaly_kills.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"

/* A point that is not reached in that time, at that passing; a busy machine is slow. */
enum { PATIENCE_MS = 15000 };

enum still { STILL_NOBODY, STILL_GEN, STILL_BATCH };

struct point {
    const char *name;
    int usual;          /* the passing that is meant is at most this one */
    const char *before; /* a fault that leads there, or NULL */
    enum still still;
};

static const struct point WORKER[] = {
    {"poll", 60, NULL, STILL_NOBODY},
    {"scan", 60, NULL, STILL_NOBODY},
    {"fold", 60, NULL, STILL_NOBODY},
    {"take", 4, NULL, STILL_NOBODY},
    {"commit sent", 40, NULL, STILL_NOBODY},
    {"commit landed", 40, NULL, STILL_NOBODY},
    {"commit answered", 40, NULL, STILL_NOBODY},
    {"reconnect", 1, "commit answered:1:error", STILL_NOBODY},
    {"evict", 20, NULL, STILL_BATCH},
    {"unlink", 8, NULL, STILL_NOBODY},
    {"idle look", 1, NULL, STILL_GEN},
    {NULL, 0, NULL, STILL_NOBODY},
};

static const struct point ARCHIVE[] = {
    {"segment temp", 40, NULL, STILL_NOBODY},
    {"segment sync", 40, NULL, STILL_NOBODY},
    {"segment rename", 40, NULL, STILL_NOBODY},
    {"segment noted", 40, NULL, STILL_NOBODY},
    {NULL, 0, NULL, STILL_NOBODY},
};

static const struct point BATCH[] = {
    {"generation temp", 8, NULL, STILL_NOBODY},
    {"generation sync", 8, NULL, STILL_NOBODY},
    {"generation rename", 8, NULL, STILL_NOBODY},
    {"generation manifest", 4, NULL, STILL_NOBODY},
    {"generation begin", 16, NULL, STILL_NOBODY},
    {"generation load", 16, NULL, STILL_NOBODY},
    {"publish", 16, NULL, STILL_NOBODY},
    {"publish landed", 16, NULL, STILL_NOBODY},
    {"sweep", 16, NULL, STILL_NOBODY},
    {"reconnect", 1, "publish:1:error", STILL_NOBODY},
    {NULL, 0, NULL, STILL_NOBODY},
};

static const struct {
    const char *name;
    const struct point *points;
} ROLES[KILLS_ROLES] = {
    {"kappa", WORKER}, {"speed", WORKER}, {"archive", ARCHIVE}, {"batch", BATCH}};

static const struct point *armed(const struct kills_part *part)
{
    return &ROLES[part->role].points[part->point];
}

void kills_add(struct kills *kills, enum kills_role role, struct process *process)
{
    process->wanted = false; /* its end is no failure of the run */
    kills->part[kills->count++] =
        (struct kills_part){.process = process, .role = role, .point = -1};
}

/* Whom this part's point wants to stand still; NULL: nobody. */
static struct process *still_of(const struct kills *kills, const struct kills_part *part)
{
    enum still still = part->point < 0 ? STILL_NOBODY : armed(part)->still;
    return still == STILL_GEN ? kills->gen : still == STILL_BATCH ? kills->batch : NULL;
}

static bool is_still(const struct kills *kills, const struct process *process)
{
    for (int i = 0; i < kills->count; i++)
        if (still_of(kills, &kills->part[i]) == process)
            return true;
    return false;
}

/* Nobody is let go whom another part's point wants still. */
static void hold_still(const struct kills *kills)
{
    struct process *const both[] = {kills->gen, kills->batch};
    for (int i = 0; i < 2; i++)
        if (both[i])
            process_pause(both[i], is_still(kills, both[i]));
}

static int start_armed(struct kills *kills, struct kills_part *part, struct err *err)
{
    const struct point *point = armed(part);
    uint64_t among = (uint64_t)(point->usual > 1 ? point->usual * kills->spread : 1);
    int64_t nth = part->round ? 1 : 1 + (int64_t)rng_below(&kills->rng, among);
    snprintf(part->fault, sizeof part->fault, "%s%s%s:%lld:kill",
             point->before ? point->before : "", point->before ? "," : "", point->name,
             (long long)nth);
    part->process->fault = part->fault;
    part->armed_ns = clock_mono_ns();
    int rc = process_start(part->process, err);
    part->process->wanted = false;
    if (rc == 0)
        hold_still(kills);
    return rc;
}

static void next_point(struct kills_part *part)
{
    part->point++;
    part->round = 0;
    if (!armed(part)->name)
        part->point = 0;
}

static int look_at(struct kills *kills, struct kills_part *part, struct err *err)
{
    if (part->point < 0) { /* it runs as it was started */
        process_kill(part->process);
        next_point(part);
        return start_armed(kills, part, err);
    }
    bool ended = process_ended(part->process);
    if (!ended && is_still(kills, part->process))
        part->armed_ns = clock_mono_ns();
    if (!ended && clock_mono_ns() - part->armed_ns < PATIENCE_MS * INT64_C(1000000))
        return 0;
    if (ended && strcmp(part->process->fate, "signal 9") != 0)
        return err_set(err, ERR_ENV, "%s, to die at '%s', ended: %s", ROLES[part->role].name,
                       armed(part)->name, part->process->fate);
    process_kill(part->process);
    part->struck[part->point] += ended;
    if (ended || part->round++ > 0)
        next_point(part);
    return start_armed(kills, part, err);
}

int kills_look(struct kills *kills, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < kills->count; i++)
        rc = look_at(kills, &kills->part[i], err);
    return rc;
}

/* At this point of a role, of all parts that play it. */
static int struck_at(const struct kills *kills, enum kills_role role, int point)
{
    int sum = 0;
    for (int i = 0; i < kills->count; i++)
        sum += kills->part[i].role == role ? kills->part[i].struck[point] : 0;
    return sum;
}

static bool is_played(const struct kills *kills, enum kills_role role)
{
    for (int i = 0; i < kills->count; i++)
        if (kills->part[i].role == role)
            return true;
    return false;
}

int kills_total(const struct kills *kills)
{
    int sum = 0;
    for (enum kills_role role = 0; role < KILLS_ROLES; role++)
        for (int i = 0; ROLES[role].points[i].name; i++)
            sum += struck_at(kills, role, i);
    return sum;
}

const char *kills_missing(const struct kills *kills, char out[80])
{
    for (enum kills_role role = 0; role < KILLS_ROLES; role++)
        for (int i = 0; is_played(kills, role) && ROLES[role].points[i].name; i++)
            if (struck_at(kills, role, i) == 0) {
                snprintf(out, 80, "%s at '%s'", ROLES[role].name, ROLES[role].points[i].name);
                return out;
            }
    return NULL;
}

void kills_json(const struct kills *kills, struct buf *out)
{
    const char *comma = "";
    buf_add_char(out, '{');
    for (enum kills_role role = 0; role < KILLS_ROLES; role++) {
        if (!is_played(kills, role))
            continue;
        buf_printf(out, "%s\"%s\":{", comma, ROLES[role].name);
        for (int i = 0; ROLES[role].points[i].name; i++)
            buf_printf(out, "%s\"%s\":%d", i ? "," : "", ROLES[role].points[i].name,
                       struck_at(kills, role, i));
        buf_add_char(out, '}');
        comma = ",";
    }
    buf_add_char(out, '}');
}
