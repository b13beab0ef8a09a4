/* tests/chaos/main.c - the chaos test: its cases, shared out over lanes, and the sum.
 *
 *   whole-chaos [--kafka] [--seed N] [--lanes N] [--lk PATH] [--sample N] [--kills N] [--seconds N]
 *               [--list] [-v] [NAME...]
 * The log is the embedded one; with --kafka that of a broker that lanes share. A NAME picks every case
 * that it is a part of, also spare ones; see choose.c for the rest. A failing case prints its seed and
 * the command that repeats it; the last line is "N passed, N failed". Lanes take the next case from a
 * counter that they share, and hold a Redis each. */
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/stop.h"
#include "tests/chaos/chaos.h"

enum { LANES_MAX = 8 };
#define ROOM_BYTES 1e9

struct options {
    uint64_t seed;
    int lanes;
    const char *program; /* this one, as it was called */
    char lk[300], bugs_lk[300];
    bool kafka, list, verbose;
    struct choice choice;
};

/* In memory that the lanes share. */
struct shared {
    atomic_int next, passed, failed, rounds, kills[VICTIMS];
};

/* What the lanes play, and where. */
struct run {
    const struct options *options;
    struct items all, wanted;
    int due; /* of the wanted; those behind are played while kills are missing */
    int64_t began_ns;
    char root[40];
    struct broker broker;
    struct shared *shared;
};

/* ---- items ---- */

void items_add(struct items *items, struct item item, const char *format, ...)
{
    va_list args;
    if (items->count == items->capacity) {
        items->capacity = items->capacity ? items->capacity * 2 : 256;
        items->item = mem_grow(items->item, (size_t)items->capacity * sizeof item);
    }
    va_start(args, format);
    vsnprintf(item.name, sizeof item.name, format, args);
    va_end(args);
    items->item[items->count++] = item;
}

const struct item *items_find(const struct items *items, const char *name)
{
    for (int i = 0; i < items->count; i++)
        if (strcmp(items->item[i].name, name) == 0)
            return &items->item[i];
    return NULL;
}

/* ---- a lane ---- */

static void say_failure(const struct options *options, const struct lane *lane,
                        const struct item *item)
{
    struct buf text = {0};
    buf_printf(&text, "FAIL  %s (seed %llu)\n%s\nrepeat: %s%s --seed %llu '%s'\n", item->name,
               (unsigned long long)item->seed, lane->why.len ? lane->why.ptr : "", options->program,
               options->kafka ? " --kafka" : "", (unsigned long long)options->seed, item->name);
    fputs(text.ptr, stdout);
    fflush(stdout);
    buf_release(&text);
}

static int kills_of(const struct shared *shared)
{
    int sum = 0;
    for (int i = 0; i < VICTIMS; i++)
        sum += shared->kills[i];
    return sum;
}

static double seconds_of(const struct run *run)
{
    return (double)(clock_mono_ns() - run->began_ns) / 1e9;
}

/* The next case, or NULL: there is none, or the budget is used up. */
static const struct item *next_item(struct run *run)
{
    const struct choice *choice = &run->options->choice;
    if (stop_asked() || (choice->seconds && seconds_of(run) >= choice->seconds))
        return NULL;
    int i = run->shared->next++;
    if (i >= run->wanted.count || (i >= run->due && kills_of(run->shared) >= choice->kills))
        return NULL;
    return &run->wanted.item[i];
}

static void play_item(struct run *run, struct lane *lane, const struct item *item)
{
    const struct options *options = run->options;
    int64_t began = clock_mono_ns();
    buf_clear(&lane->why);
    bool ok = item->run(lane, item);
    child_end_all(lane);
    for (int i = 0; i < VICTIMS; i++) {
        run->shared->kills[i] += lane->kills[i];
        lane->kills[i] = 0;
    }
    *(ok ? &run->shared->passed : &run->shared->failed) += 1;
    if (!ok)
        say_failure(options, lane, item);
    if (options->verbose || options->choice.name_count)
        fprintf(stderr, "%s  %s  %.2f s\n", ok ? "ok  " : "FAIL", item->name,
                (double)(clock_mono_ns() - began) / 1e9);
}

static void run_lane(struct run *run, int number)
{
    const struct options *options = run->options;
    signal(SIGINT, SIG_DFL); /* who waits for us cleans up */
    signal(SIGTERM, SIG_DFL);
    struct lane lane = {.lk = options->lk,
                        .bugs_lk = options->bugs_lk,
                        .broker = options->kafka ? run->broker.uri : NULL,
                        .items = &run->all,
                        .verbose = options->verbose};
    if (!lane_open(&lane, run->root, number)) {
        printf("lane %d: redis-server does not start\n", number);
        run->shared->failed++;
    }
    for (const struct item *item; lane.kv && (item = next_item(run));)
        play_item(run, &lane, item);
    run->shared->rounds += lane.rounds;
    lane_close(&lane);
    fflush(NULL);
    _exit(0);
}

static void run_all(struct run *run)
{
    struct shared *shared = run->shared;
    run->due = choose(&run->options->choice, &run->all, &run->wanted);
    for (int i = 0; i < run->options->lanes; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            run_lane(run, i);
        }
    for (int status, pid; (pid = wait(&status)) > 0 || errno == EINTR;)
        if (pid > 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
            shared->failed++;
    bool early = run->options->choice.seconds && !stop_asked();
    if (!early && shared->passed + shared->failed < run->due)
        shared->failed++; /* stopped before the end */
}

/* What was done; fewer kills than were asked for, though no clock was in the way, are a failure. */
static void say_sum(struct run *run)
{
    struct shared *shared = run->shared;
    const struct choice *choice = &run->options->choice;
    printf("seed %llu, %s log, %d of %d cases, %d zombie rounds, %.1f s\n",
           (unsigned long long)run->options->seed, run->options->kafka ? "Kafka" : "embedded",
           shared->passed + shared->failed, run->due, shared->rounds, seconds_of(run));
    printf("%d kills:", kills_of(shared));
    for (int i = 0; i < VICTIMS; i++)
        printf("%s %d %s", i ? "," : "", shared->kills[i], VICTIM_NAMES[i]);
    puts("");
    if (kills_of(shared) < choice->kills && !choice->seconds) {
        printf("FAIL  fewer kills than the %d that were asked for\n", choice->kills);
        shared->failed++;
    }
    printf("%d passed, %d failed\n", shared->passed, shared->failed);
}

/* ---- arguments ---- */

static void usage(void)
{
    fputs(
        "usage: whole-chaos [--kafka] [--seed N] [--lanes N] [--lk PATH] [--sample N] [--kills N]\n"
        "                   [--seconds N] [--list] [-v] [NAME...]\n",
        stderr);
    exit(2);
}

/* ./lk, or what stands beside us: build/bugs/tests/whole-chaos is tested with build/bugs/lk. */
static void find_programs(struct options *options, const char *given)
{
    char self[260], *end = realpath("/proc/self/exe", NULL);
    snprintf(self, sizeof self, "%s", end ? end : "");
    free(end);
    snprintf(options->bugs_lk, sizeof options->bugs_lk, "%s/lk", dirname(dirname(self)));
    snprintf(options->lk, sizeof options->lk, "%s",
             given                       ? given
             : access("./lk", X_OK) == 0 ? "./lk"
                                         : options->bugs_lk);
    if (access(options->lk, X_OK) != 0) {
        fprintf(stderr, "there is no %s; run: make\n", options->lk);
        exit(3);
    }
}

/* A flag with a number: where it goes, or NULL. */
static int *number_of(struct options *options, const char *flag)
{
    struct choice *choice = &options->choice;
    const struct {
        const char *name;
        int *to;
    } flags[] = {{"--lanes", &options->lanes},
                 {"--sample", &choice->sample},
                 {"--kills", &choice->kills},
                 {"--seconds", &choice->seconds}};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(flag, flags[i].name) == 0)
            return flags[i].to;
    return NULL;
}

static void parse(struct options *options, int argc, char **argv)
{
    const char *lk = NULL;
    struct choice *choice = &options->choice;
    *options = (struct options){.seed = 1, .lanes = 2, .program = argv[0]};
    for (int i = 1; i < argc; i++) {
        const char *more = i + 1 < argc ? argv[i + 1] : NULL;
        int *number = number_of(options, argv[i]);
        if (number && more)
            *number = atoi(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0 && more)
            options->seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--lk") == 0 && more)
            lk = argv[++i];
        else if (strcmp(argv[i], "--kafka") == 0)
            options->kafka = true;
        else if (strcmp(argv[i], "--list") == 0)
            options->list = true;
        else if (strcmp(argv[i], "-v") == 0)
            options->verbose = true;
        else if (argv[i][0] != '-' && choice->name_count < NAMES_MAX)
            choice->names[choice->name_count++] = argv[i];
        else
            usage();
    }
    if (options->lanes < 1 || options->lanes > LANES_MAX)
        usage();
    find_programs(options, lk);
}

/* In memory where there is plenty: what is killed here is processes, and a sync costs nothing there. */
static bool make_root(char *out, size_t room)
{
    struct statvfs fs;
    bool plenty =
        statvfs("/dev/shm", &fs) == 0 && (double)fs.f_bavail * (double)fs.f_frsize > ROOM_BYTES;
    snprintf(out, room, "%s/lk-chaos-XXXXXX", plenty ? "/dev/shm" : "/tmp");
    return mkdtemp(out) != NULL;
}

static void list_all(struct items *all)
{
    outage_list(all);
    names_list(all);
    kill_list(all);
    verb_list(all);
    undo_list(all);
    flips_list(all);
    redis_list(all);
    zombie_list(all);
    anew_list(all);
    planted_list(all);
}

/* NULL: all that it takes is there. */
static const char *missing(const struct options *options)
{
    if (system("command -v redis-server >/dev/null") != 0)
        return "there is no redis-server";
    return options->kafka && !broker_is_there() ? "there is no broker: see tools/kafka jars" : NULL;
}

static int play_all(struct run *run)
{
    if (run->options->kafka && !broker_open(&run->broker, run->root)) {
        printf("no broker starts; see %s.out\n", run->broker.directory);
        return 3;
    }
    run->began_ns = clock_mono_ns();
    run_all(run);
    if (run->options->kafka)
        broker_remove_all(run->root);
    lane_remove(run->root);
    say_sum(run);
    free(run->wanted.item);
    return run->shared->failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct options options;
    parse(&options, argc, argv);
    struct run run = {.options = &options, .all = {.seed = options.seed, .kafka = options.kafka}};
    list_all(&run.all);
    for (int i = 0; options.list && i < run.all.count; i++)
        printf("%s%s\n", run.all.item[i].name, run.all.item[i].spare ? "  (spare)" : "");
    if (options.list)
        return 0;
    const char *why = missing(&options);
    if (why) {
        printf("skip: %s\n", why);
        return 0;
    }
    stop_install();
    run.shared =
        mmap(NULL, sizeof *run.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run.shared == MAP_FAILED || !make_root(run.root, sizeof run.root))
        return 3;
    int status = play_all(&run);
    free(run.all.item);
    return status;
}
