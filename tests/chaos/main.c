/* tests/chaos/main.c - the chaos test: its cases, shared out over lanes, and the sum.
 *
 *   whole-chaos [--seed N] [--lanes N] [--lk PATH] [--list] [-v] [NAME...]
 * A NAME picks every case that it is a part of, also spare ones. A failing case prints its seed and the
 * command that repeats it; the last line is "N passed, N failed". Lanes take the next case from a
 * counter that they share, and hold a Redis each. */
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

enum { LANES_MAX = 8, NAMES_MAX = 32 };
#define ROOM_BYTES 1e9

struct options {
    uint64_t seed;
    int lanes;
    const char *program; /* this one, as it was called */
    char lk[300], bugs_lk[300];
    bool list, verbose;
    const char *names[NAMES_MAX];
    int name_count;
};

/* In memory that the lanes share. */
struct shared {
    atomic_int next, passed, failed, rounds;
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

static bool is_wanted(const struct options *options, const struct item *item)
{
    for (int i = 0; i < options->name_count; i++)
        if (strstr(item->name, options->names[i]))
            return true;
    return options->name_count == 0 && !item->spare;
}

static void keep_wanted(const struct options *options, const struct items *all, struct items *out)
{
    for (int i = 0; i < all->count; i++)
        if (is_wanted(options, &all->item[i]))
            items_add(out, all->item[i], "%s", all->item[i].name);
}

/* ---- a lane ---- */

static void say_failure(const struct options *options, const struct lane *lane,
                        const struct item *item)
{
    struct buf text = {0};
    buf_printf(&text, "FAIL  %s (seed %llu)\n%s\nrepeat: %s --seed %llu '%s'\n", item->name,
               (unsigned long long)item->seed, lane->why.len ? lane->why.ptr : "", options->program,
               (unsigned long long)options->seed, item->name);
    fputs(text.ptr, stdout);
    fflush(stdout);
    buf_release(&text);
}

static void run_lane(const struct options *options, const char *root, int number,
                     const struct items *all, const struct items *wanted, struct shared *shared)
{
    struct lane lane = {
        .lk = options->lk, .bugs_lk = options->bugs_lk, .items = all, .verbose = options->verbose};
    if (!lane_open(&lane, root, number)) {
        printf("lane %d: redis-server does not start\n", number);
        shared->failed++;
    }
    while (lane.kv && !stop_asked()) {
        int i = shared->next++;
        if (i >= wanted->count)
            break;
        const struct item *item = &wanted->item[i];
        int64_t began = clock_mono_ns();
        buf_clear(&lane.why);
        bool ok = item->run(&lane, item);
        *(ok ? &shared->passed : &shared->failed) += 1;
        if (!ok)
            say_failure(options, &lane, item);
        if (options->verbose || options->name_count)
            fprintf(stderr, "%s  %s  %.2f s\n", ok ? "ok  " : "FAIL", item->name,
                    (double)(clock_mono_ns() - began) / 1e9);
    }
    shared->rounds += lane.rounds;
    lane_close(&lane);
    fflush(NULL);
    _exit(0);
}

static void run_all(const struct options *options, const char *root, const struct items *all,
                    struct shared *shared)
{
    struct items wanted = {0};
    keep_wanted(options, all, &wanted);
    for (int i = 0; i < options->lanes; i++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            run_lane(options, root, i, all, &wanted, shared);
        }
    for (int status; wait(&status) > 0;)
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            shared->failed++;
    if (shared->passed + shared->failed < wanted.count)
        shared->failed++; /* stopped before the end */
    free(wanted.item);
}

/* ---- arguments ---- */

static void usage(void)
{
    fputs("usage: whole-chaos [--seed N] [--lanes N] [--lk PATH] [--list] [-v] [NAME...]\n",
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

static void parse(struct options *options, int argc, char **argv)
{
    const char *lk = NULL;
    *options = (struct options){.seed = 1, .lanes = 2, .program = argv[0]};
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--seed") == 0 && more)
            options->seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--lanes") == 0 && more)
            options->lanes = atoi(argv[++i]);
        else if (strcmp(argv[i], "--lk") == 0 && more)
            lk = argv[++i];
        else if (strcmp(argv[i], "--list") == 0)
            options->list = true;
        else if (strcmp(argv[i], "-v") == 0)
            options->verbose = true;
        else if (argv[i][0] != '-' && options->name_count < NAMES_MAX)
            options->names[options->name_count++] = argv[i];
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

int main(int argc, char **argv)
{
    struct options options;
    parse(&options, argc, argv);
    struct items all = {.seed = options.seed};
    names_list(&all);
    kill_list(&all);
    verb_list(&all);
    zombie_list(&all);
    anew_list(&all);
    planted_list(&all);
    for (int i = 0; options.list && i < all.count; i++)
        printf("%s%s\n", all.item[i].name, all.item[i].spare ? "  (spare)" : "");
    if (options.list)
        return 0;
    if (system("command -v redis-server >/dev/null") != 0) {
        puts("skip: there is no redis-server");
        return 0;
    }
    stop_install();
    char root[40];
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !make_root(root, sizeof root))
        return 3;
    int64_t began = clock_mono_ns();
    run_all(&options, root, &all, shared);
    lane_remove(root);
    printf("seed %llu, %d zombie rounds, %.1f s\n", (unsigned long long)options.seed,
           shared->rounds, (double)(clock_mono_ns() - began) / 1e9);
    printf("%d passed, %d failed\n", shared->passed, shared->failed);
    free(all.item);
    return shared->failed ? 1 : 0;
}
