/* common/base/fault.c - see fault.h. */
#include "common/base/fault.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"

enum { PLANS_MAX = 16, NAME_MAX_BYTES = 40, DELAY_MS = 200, SEEN_MAX = 64 };

static const char *const WHATS[] = {"kill", "stop", "error", "delay", NULL};

struct fault_plan {
    char point[NAME_MAX_BYTES];
    long nth, passed;
    char what; /* k, s, e, d */
};

bool fault_armed;
static struct fault_plan plans[PLANS_MAX];
static int plan_count;
static bool listing;
static const char *seen[SEEN_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void list_seen(void)
{
    for (int i = 0; i < SEEN_MAX && seen[i]; i++)
        fprintf(stderr, "fault point: %s\n", seen[i]);
}

static int parse_one(const char *text, struct fault_plan *plan, struct err *err)
{
    char what[16];
    *plan = (struct fault_plan){0};
    if (sscanf(text, "%39[^:]:%ld:%15[a-z]", plan->point, &plan->nth, what) == 3 && plan->nth > 0)
        for (const char *const *name = WHATS; *name; name++)
            if (strcmp(what, *name) == 0)
                plan->what = what[0];
    if (!plan->what)
        return err_set(err, ERR_USAGE, "LK_FAULT=%s: expected point:nth:kill|stop|error|delay",
                       text);
    return 0;
}

int fault_set(const char *spec, struct err *err)
{
    plan_count = 0;
    listing = spec && strcmp(spec, "list") == 0;
    fault_armed = listing;
    if (!spec || listing)
        return 0;
    char *copy = mem_copy_string(spec);
    char *rest = copy;
    int rc = 0;
    for (char *one; rc == 0 && (one = strsep(&rest, ","));)
        rc = plan_count == PLANS_MAX
                 ? err_set(err, ERR_USAGE, "LK_FAULT: over %d faults", PLANS_MAX)
                 : parse_one(one, &plans[plan_count++], err);
    free(copy);
    fault_armed = rc == 0;
    return rc;
}

int fault_init(struct err *err)
{
    const char *spec = getenv("LK_FAULT");
    if (!spec || !*spec)
        return 0;
    int rc = fault_set(spec, err);
    if (listing)
        atexit(list_seen);
    return rc;
}

static void note_seen(const char *point)
{
    for (int i = 0; i < SEEN_MAX; i++) {
        if (seen[i] && strcmp(seen[i], point) == 0)
            return;
        if (!seen[i]) {
            seen[i] = point;
            return;
        }
    }
}

/* What is due at this passing: one of k, s, e, d, or 0. */
static char due_at(const char *point)
{
    char what = 0;
    pthread_mutex_lock(&lock);
    if (listing)
        note_seen(point);
    for (int i = 0; i < plan_count; i++)
        if (strcmp(plans[i].point, point) == 0 && ++plans[i].passed == plans[i].nth)
            what = plans[i].what;
    pthread_mutex_unlock(&lock);
    return what;
}

static const char *name_of(char what)
{
    const char *const *name = WHATS;
    while ((*name)[0] != what)
        name++;
    return *name;
}

/* A test is told that its fault came, whatever becomes of us. */
static char say(const char *point, char what)
{
    if (what)
        fprintf(stderr, "lk: fault: %s: %s\n", point, name_of(what));
    return what;
}

bool fault_hit(const char *point)
{
    switch (say(point, due_at(point))) {
    case 'k':
        kill(getpid(), SIGKILL);
        return false;
    case 's':
        kill(getpid(), SIGSTOP);
        return false;
    case 'd':
        clock_sleep_ms(DELAY_MS);
        return false;
    case 'e':
        return true;
    default:
        return false;
    }
}

#ifdef LK_BUGS
static const char *planted;

void bug_plant(const char *name)
{
    planted = name ? name : "";
}

bool bug_planted(const char *name)
{
    if (!planted) {
        planted = getenv("LK_BUG");
        planted = planted ? planted : "";
    }
    return strcmp(planted, name) == 0;
}
#endif
