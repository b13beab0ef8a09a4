/* tests/agreement/main.c - lambda = kappa = contract, and = truth where nothing may be dropped, for
 * thousands of random cases; then planted bugs, each of which must be seen.
 *
 *   agreement [--cases N] [--seed S] [--case N] [--redis-every N] [--jobs N] [--bug NAME] [--verbose]
 *             [--broker kafka:HOST:PORT] [--kind full|incremental|by-time] [--handover MODE] [--fragile]
 *
 * With a broker the logs are its topics; a bug is then planted only by name: a case takes some seconds.
 * Cases are shared out over processes; one that dies has failed, and the next ones go on. */
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/err.h"
#include "common/base/fault.h"
#include "tests/agreement/agreement.h"

enum { JOBS_MAX = 16, CASE_SECONDS_MAX = 60, BROKER_SECONDS_MAX = 300, FAILURES_SHOWN = 5 };

struct flags {
    uint64_t seed;
    int64_t cases, only; /* only < 0: all */
    int redis_every, jobs;
    const char *bug, *broker;
    enum batch_kind kind; /* of lambda's batches */
    enum handover handover;
    bool fragile, verbose;
};

/* What a process has done so far; seen by its parent also when it has died. */
struct score {
    int64_t at, passed, failed, on_redis;
    int64_t kind_batches; /* that had a base */
};

struct process {
    int pid;
    char root[128];
    struct score *score; /* shared */
};

static char program[256];
static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static void remove_all(const char *path)
{
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_root(char *out, size_t room)
{
    snprintf(out, room, "%s/lk-agreement.XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(out)) {
        fprintf(stderr, "cannot make %s\n", out);
        exit(3);
    }
}

static void say_failure(const struct flags *flags, int64_t number, const struct buf *problem)
{
    printf("FAIL case %lld\n%s  again: %s --kind %s --handover %s%s --seed %llu --case %lld "
           "--verbose\n",
           (long long)number, problem->len ? problem->ptr : "",
           flags->broker ? "tests/agreement/test_kafka.sh" : program, batch_kind_name(flags->kind),
           handover_name(flags->handover), flags->fragile ? " --fragile" : "",
           (unsigned long long)flags->seed, (long long)number);
    fflush(stdout);
}

/* ---- one process ---- */

static bool wants_redis(const struct flags *flags, int64_t number)
{
    return flags->redis_every > 0 && number % flags->redis_every == 0;
}

static void run_one(const struct flags *flags, struct process *process, const char *redis,
                    int64_t number)
{
    struct buf problem = {0};
    const struct case_options options = {.seed = flags->seed,
                                         .root = process->root,
                                         .redis = wants_redis(flags, number) ? redis : NULL,
                                         .broker = flags->broker,
                                         .kind = flags->kind,
                                         .kind_batches = &process->score->kind_batches,
                                         .handover = flags->handover,
                                         .fragile = flags->fragile,
                                         .verbose = flags->verbose};
    process->score->at = number;
    alarm(flags->broker ? BROKER_SECONDS_MAX : CASE_SECONDS_MAX);
    bool right = play_case(&options, (uint64_t)number, &problem);
    alarm(0);
    process->score->passed += right;
    process->score->on_redis += options.redis != NULL;
    process->score->failed += !right;
    if (!right && process->score->failed <= FAILURES_SHOWN)
        say_failure(flags, number, &problem);
    buf_release(&problem);
}

/* The parent cleans up behind an interrupt; its children just end. */
static void own_signals(void)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

/* Workers tell on stderr what tests do to them: only who asks for it wants to hear it. */
static void hush(const struct flags *flags)
{
    if (!flags->verbose && !freopen("/dev/null", "w", stderr))
        exit(3);
}

static void run_share(const struct flags *flags, struct process *process, int64_t from, int step)
{
    char uri[320];
    int server = 0;
    bool redis = flags->redis_every > 0 && server_start(process->root, uri, sizeof uri, &server);
    for (int64_t number = from; number < flags->cases; number += step)
        run_one(flags, process, redis ? uri : NULL, number);
    if (redis)
        server_stop(server);
}

static void start(const struct flags *flags, struct process *process, int64_t from)
{
    make_root(process->root, sizeof process->root);
    fflush(stdout);
    process->pid = fork();
    if (process->pid)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    own_signals();
    hush(flags);
    run_share(flags, process, from, flags->jobs);
    exit(0);
}

/* Wait for each; one that died goes on behind the case that killed it. */
static void run_all(const struct flags *flags, struct score *sum)
{
    struct process processes[JOBS_MAX] = {{0}};
    struct score *scores = mmap(NULL, sizeof *scores * JOBS_MAX, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int running = flags->jobs;
    for (int j = 0; j < flags->jobs; j++) {
        processes[j].score = &scores[j];
        start(flags, &processes[j], j);
    }
    while (running > 0) {
        int status, pid = wait(&status);
        for (int j = 0; pid < 0 && interrupted && j < flags->jobs; j++)
            if (processes[j].pid > 0)
                kill(processes[j].pid, SIGKILL);
        for (int j = 0; j < flags->jobs; j++) {
            struct process *process = &processes[j];
            if (process->pid != pid)
                continue;
            remove_all(process->root);
            process->pid = 0;
            running--;
            if (interrupted || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
                continue;
            struct buf problem = {0};
            buf_printf(&problem, "  ended by signal %d\n",
                       WIFSIGNALED(status) ? WTERMSIG(status) : 0);
            say_failure(flags, process->score->at, &problem);
            buf_release(&problem);
            process->score->failed++;
            start(flags, process, process->score->at + flags->jobs);
            running++;
        }
    }
    for (int j = 0; j < flags->jobs; j++) {
        sum->passed += scores[j].passed;
        sum->failed += scores[j].failed;
        sum->on_redis += scores[j].on_redis;
        sum->kind_batches += scores[j].kind_batches;
    }
    munmap(scores, sizeof *scores * JOBS_MAX);
}

/* ---- scenes and planted bugs: each in a process of its own ---- */

/* What a child does; says whether all was right. */
typedef bool child_function(const struct flags *flags, const void *item, const char *root);

/* The child's exit status, or -1 if a signal ended it. */
static int in_child(const struct flags *flags, child_function *what, const void *item)
{
    char root[128];
    int status = 0;
    make_root(root, sizeof root);
    fflush(stdout);
    int pid = fork();
    if (pid == 0) {
        own_signals();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        hush(flags);
        alarm(flags->broker ? BROKER_SECONDS_MAX : 2 * CASE_SECONDS_MAX);
        bool right = what(flags, item, root);
        fflush(stdout);
        _exit(right ? 0 : 1);
    }
    while (waitpid(pid, &status, 0) < 0)
        kill(pid, SIGKILL); /* interrupted */
    remove_all(root);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool child_scene(const struct flags *flags, const void *item, const char *root)
{
    const struct case_options options = {.seed = flags->seed,
                                         .root = root,
                                         .broker = flags->broker,
                                         .handover = flags->handover,
                                         .verbose = flags->verbose};
    const struct scene *scene = item;
    struct buf problem = {0};
    bool right = play_scene(&options, scene, &problem);
    if (!right)
        printf("FAIL scene %s, seed %llu\n%s", scene->name, (unsigned long long)flags->seed,
               problem.ptr);
    buf_release(&problem);
    return right;
}

static void run_scenes(const struct flags *flags, struct score *sum)
{
    for (const struct scene *scene = SCENES; scene->name && !interrupted; scene++) {
        int status = in_child(flags, child_scene, scene);
        if (status < 0)
            printf("FAIL scene %s: it ended by a signal\n", scene->name);
        sum->passed += status == 0;
        sum->failed += status != 0;
    }
}

static void plant(const struct plant *bug, struct case_options *options)
{
    if (bug->in_oracle)
        options->oracle_bug = bug->name;
#ifdef LK_BUGS
    else
        bug_plant(bug->name);
#endif
}

/* Right: the bug was seen. */
static bool child_hunt(const struct flags *flags, const void *item, const char *root)
{
    const struct plant *bug = item;
    struct case_options options = {.seed = flags->seed,
                                   .root = root,
                                   .kind = bug->kind,
                                   .handover = flags->handover,
                                   .verbose = flags->verbose};
    struct buf problem = {0};
    bool right = true;
    int number = 0;
    plant(bug, &options);
    if (bug->scene)
        right = play_scene(&options, scene_find(bug->scene), &problem);
    while (right && !bug->scene && number < PLANT_CASES_MAX)
        right = play_case(&options, (uint64_t)number++, &problem);
    if (right)
        printf("FAIL    %-20s was planted and not seen\n", bug->name);
    else if (bug->scene)
        printf("caught  %-20s when %s\n", bug->name, bug->scene);
    else
        printf("caught  %-20s in case %d\n", bug->name, number - 1);
    if (!right && flags->verbose)
        printf("%s", problem.ptr);
    buf_release(&problem);
    return !right;
}

static bool can_plant(const struct flags *flags, const struct plant *bug)
{
    unsigned modes = bug->modes ? bug->modes : 1u << HANDOVER_OFFSET;
    if (!(modes >> flags->handover & 1))
        return false;
#ifdef LK_BUGS
    (void)bug;
    return true;
#else
    return bug->in_oracle;
#endif
}

static void run_plants(const struct flags *flags, struct score *sum)
{
    for (const struct plant *bug = PLANTS; bug->name && !interrupted; bug++) {
        if (!can_plant(flags, bug) || (flags->bug && strcmp(flags->bug, bug->name) != 0))
            continue;
        int status = in_child(flags, child_hunt, bug);
        if (status < 0)
            printf("caught  %-20s: a signal ended the case\n", bug->name);
        sum->passed += status <= 0;
        sum->failed += status > 0;
    }
}

/* ---- main ---- */

static enum batch_kind read_kind(const char *name)
{
    int kind = 0;
    while (kind < BATCH_KINDS && strcmp(name, batch_kind_name((enum batch_kind)kind)) != 0)
        kind++;
    if (kind == BATCH_KINDS)
        exit(2);
    return (enum batch_kind)kind;
}

static struct flags read_flags(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"seed", required_argument, NULL, 's'},     {"cases", required_argument, NULL, 'n'},
        {"case", required_argument, NULL, 'c'},     {"redis-every", required_argument, NULL, 'r'},
        {"jobs", required_argument, NULL, 'j'},     {"bug", required_argument, NULL, 'b'},
        {"broker", required_argument, NULL, 'k'},   {"kind", required_argument, NULL, 'i'},
        {"handover", required_argument, NULL, 'h'}, {"fragile", no_argument, NULL, 'f'},
        {"verbose", no_argument, NULL, 'v'},        {NULL, 0, NULL, 0},
    };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct flags flags = {.seed = 1, .cases = 2000, .only = -1, .redis_every = 4};
    flags.jobs = cores < 1 ? 1 : cores > JOBS_MAX ? JOBS_MAX : (int)cores;
    for (int c; (c = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;)
        switch (c) {
        case 's':
            flags.seed = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            flags.cases = atoll(optarg);
            break;
        case 'c':
            flags.only = atoll(optarg);
            break;
        case 'r':
            flags.redis_every = atoi(optarg);
            break;
        case 'j':
            flags.jobs = atoi(optarg) > 0 && atoi(optarg) < JOBS_MAX ? atoi(optarg) : 1;
            break;
        case 'b':
            flags.bug = optarg;
            break;
        case 'k':
            flags.broker = optarg;
            break;
        case 'i':
            flags.kind = read_kind(optarg);
            break;
        case 'h':
            if (handover_of(optarg) < 0)
                exit(2);
            flags.handover = (enum handover)handover_of(optarg);
            break;
        case 'f':
            flags.fragile = true;
            break;
        case 'v':
            flags.verbose = true;
            break;
        default:
            exit(2);
        }
    return flags;
}

static void run_only(const struct flags *flags, struct score *sum)
{
    struct flags one = *flags;
    one.jobs = 1;
    one.cases = flags->only + 1;
    struct process process = {.score = sum};
    make_root(process.root, sizeof process.root);
    run_share(&one, &process, flags->only, 1);
    remove_all(process.root);
}

int main(int argc, char **argv)
{
    struct score sum = {0};
    struct flags flags = read_flags(argc, argv);
    const struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* as lk does: a Redis that hung up is an error code */
    snprintf(program, sizeof program, "%s", argv[0]);
    int64_t began = clock_mono_ns();
    bool all = flags.kind == BATCH_FULL && !flags.fragile; /* scenes and bugs, too */
    if (flags.only >= 0) {
        run_only(&flags, &sum);
    } else if (!flags.bug) {
        run_all(&flags, &sum);
        if (all)
            run_scenes(&flags, &sum);
    }
    if (flags.only < 0)
        printf("%lld cases, %lld of them also on Redis, seed %llu, %.0f s\n",
               (long long)flags.cases, (long long)sum.on_redis, (unsigned long long)flags.seed,
               (double)(clock_mono_ns() - began) / 1e9);
    if (flags.only < 0 && flags.kind != BATCH_FULL)
        printf("%lld batches were %s upon a base\n", (long long)sum.kind_batches,
               batch_kind_name(flags.kind));
    if (flags.only < 0 && !flags.bug && flags.cases > 0 && flags.redis_every > 0 &&
        sum.on_redis == 0)
        puts("skip: no case ran on Redis: redis-server is not installed or does not start");
    if (flags.only < 0 && (flags.bug || (!flags.broker && all)))
        run_plants(&flags, &sum);
    printf("%lld passed, %lld failed\n", (long long)sum.passed, (long long)sum.failed);
    return interrupted ? 130 : sum.failed ? 1 : 0;
}
