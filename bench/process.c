/* bench/process.c - see process.h. */
#include "bench/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"

enum { POLL_MS = 5, LAST_WORDS_BYTES = 4096 };

/* A blank inside of a word, as no path nor pattern holds it. */
static const char BLANK = '\x1f';

void process_add_word(struct buf *command, const char *word)
{
    for (; *word; word++) {
        if (*word == ' ')
            buf_add_char(command, BLANK);
        else
            buf_add_char(command, *word);
    }
}

static char *word_of(char *word)
{
    for (char *c = word; *c; c++)
        if (*c == BLANK)
            *c = ' ';
    return mem_copy_string(word);
}

void process_init(struct process *process, const char *pipeline, const char *name,
                  const char *program, const char *command, const char *output)
{
    *process = (struct process){.pipeline = pipeline, .name = name};
    process->program = mem_copy_string(program);
    process->output = mem_copy_string(output);
    char *copy = mem_copy_string(command);
    char *rest = copy;
    int count = 0;
    process->argv[count++] = mem_copy_string("lk");
    for (char *word; (word = strsep(&rest, " ")) && count < PROCESS_ARGS_MAX - 1;)
        if (*word)
            process->argv[count++] = word_of(word);
    free(copy);
}

void process_release(struct process *process)
{
    for (int i = 0; i < PROCESS_ARGS_MAX; i++)
        free(process->argv[i]);
    free(process->program);
    free(process->output);
    *process = (struct process){0};
}

/* Our environment, and this fault. Made before the fork: the child of a program with threads may not. */
static char **environment_with(const char *fault)
{
    static const char NAME[] = "LK_FAULT=";
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    char **with = mem_zero(count + 2, sizeof *with);
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], NAME, strlen(NAME)) != 0)
            with[kept++] = environ[i];
    struct buf own = {0};
    buf_printf(&own, "%s%s", NAME, fault);
    with[kept] = own.ptr;
    return with;
}

static void environment_free(char **with)
{
    size_t last = 0;
    while (with && with[last])
        last++;
    if (last > 0)
        free(with[last - 1]); /* ours is the last one */
    free(with);
}

/* In the child: files, signals, exec. Only async-signal-safe calls. */
static void become(const struct process *process, char **environment, int out, int errors,
                   pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(3);
    signal(SIGXFSZ, SIG_IGN); /* a write that a limit forbids shall fail, as on a full disk */
    setpgid(0, 0);            /* a terminal's ctrl-C reaches us alone, and we stop it in order */
    dup2(out, STDOUT_FILENO);
    dup2(errors, STDERR_FILENO);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    execvpe(process->program, process->argv, environment ? environment : environ);
    static const char why[] = "not found in PATH, or not to be executed\n";
    _exit(write(STDERR_FILENO, why, sizeof why - 1) < 0 ? 126 : 127);
}

/* Until exec, the child is a copy of us: a sample would take our memory for its own. */
static void wait_until_born(const int *born)
{
    char none;
    if (born[1] >= 0)
        close(born[1]);
    while (born[0] >= 0 && read(born[0], &none, 1) < 0 && errno == EINTR)
        continue;
    if (born[0] >= 0)
        close(born[0]);
}

int process_start(struct process *process, struct err *err)
{
    char errors_path[4096];
    snprintf(errors_path, sizeof errors_path, "%s.err", process->output);
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    int out = open(process->output, flags, 0644);
    int errors = open(errors_path, flags, 0644);
    if (out < 0 || errors < 0) {
        int rc = err_errno(err, ERR_ENV, "cannot write %s", process->output);
        if (out >= 0)
            close(out);
        return rc;
    }
    int born[2] = {-1, -1};
    pid_t parent = getpid();
    char **environment = process->fault ? environment_with(process->fault) : NULL;
    process->pid = pipe2(born, O_CLOEXEC) < 0 ? -1 : fork();
    if (process->pid == 0)
        become(process, environment, out, errors, parent);
    environment_free(environment);
    close(out);
    close(errors);
    wait_until_born(born);
    if (process->pid < 0) {
        process->pid = 0;
        return err_errno(err, ERR_ENV, "cannot start %s", process->name);
    }
    process->began_ns = clock_mono_ns();
    process->ended_ns = 0;
    process->starts++;
    process->wanted = true;
    snprintf(process->fate, sizeof process->fate, "running");
    return 0;
}

/* "name:  123 kB" of a file in /proc/PID; -1 where it is not there. */
static double proc_number(pid_t pid, const char *file, const char *name)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *in = fopen(path, "r");
    double number = -1;
    size_t len = strlen(name);
    while (in && number < 0 && fgets(line, sizeof line, in))
        if (strncmp(line, name, len) == 0)
            number = strtod(line + len, NULL);
    if (in)
        fclose(in);
    return number;
}

static double proc_cpu_s(pid_t pid)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *in = fopen(path, "r");
    if (!in)
        return -1;
    unsigned long user = 0, system = 0;
    const char *behind = fgets(line, sizeof line, in) ? strrchr(line, ')') : NULL;
    fclose(in);
    if (!behind || sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                          &system) != 2)
        return -1;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void keep_largest(double *largest, double now)
{
    if (now > *largest)
        *largest = now;
}

void process_sample(struct process *process)
{
    if (!process->pid)
        return;
    double rss_kb = proc_number(process->pid, "status", "VmRSS:");
    process->live_rss_mb = rss_kb > 0 ? rss_kb / 1024 : 0;
    double hwm_kb = proc_number(process->pid, "status", "VmHWM:");
    keep_largest(&process->rss_max_mb, hwm_kb / 1024);
    keep_largest(&process->live_cpu_s, proc_cpu_s(process->pid));
    keep_largest(&process->live_read_mb, proc_number(process->pid, "io", "rchar:") / 1e6);
    keep_largest(&process->live_written_mb, proc_number(process->pid, "io", "wchar:") / 1e6);
}

double process_busy_s(const struct process *process)
{
    clockid_t clock;
    struct timespec used;
    if (process->pid <= 0 || clock_getcpuclockid(process->pid, &clock) != 0 ||
        clock_gettime(clock, &used) != 0)
        return 0;
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* The first line of what it said on stderr last, without a line break. */
static void last_words(const struct process *process, char *out, size_t bytes)
{
    char path[4096], line[512];
    snprintf(path, sizeof path, "%s.err", process->output);
    FILE *in = fopen(path, "r");
    out[0] = 0;
    while (in && fgets(line, sizeof line, in))
        if (line[0] > ' ')
            snprintf(out, bytes, "%.*s", (int)strcspn(line, "\n"), line);
    if (in)
        fclose(in);
}

/* Not ru_maxrss: it begins with what we, who forked, had. The samples' VmHWM is the child's own. */
static void account(struct process *process, int status, const struct rusage *usage)
{
    process->cpu_s += (double)usage->ru_utime.tv_sec + (double)usage->ru_utime.tv_usec / 1e6 +
                      (double)usage->ru_stime.tv_sec + (double)usage->ru_stime.tv_usec / 1e6;
    process->read_mb += process->live_read_mb;
    process->written_mb += process->live_written_mb;
    process->live_cpu_s = process->live_rss_mb = 0;
    process->live_read_mb = process->live_written_mb = 0;
    process->pid = 0;
    process->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    process->ended_ns = clock_mono_ns();
    char words[288];
    last_words(process, words, sizeof words);
    if (WIFSIGNALED(status))
        snprintf(process->fate, sizeof process->fate, "signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 130)
        snprintf(process->fate, sizeof process->fate, "%s",
                 WEXITSTATUS(status) ? "stopped by us" : "ran to its end");
    else
        snprintf(process->fate, sizeof process->fate, "exit %d: %s", WEXITSTATUS(status),
                 *words ? words : "it left no word; if the disk is full (df), free some space");
}

static bool reap(struct process *process, int flags)
{
    int status;
    struct rusage usage;
    if (!process->pid)
        return true;
    process_sample(process);
    if (wait4(process->pid, &status, flags, &usage) != process->pid)
        return false;
    account(process, status, &usage);
    bool clean = WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 130);
    process->failed = process->failed || (process->wanted && !clean);
    return true;
}

bool process_ended(struct process *process)
{
    return reap(process, WNOHANG);
}

void process_kill(struct process *process)
{
    if (!process->pid)
        return;
    process_sample(process);
    process->wanted = false;
    kill(process->pid, SIGKILL);
    reap(process, 0);
    snprintf(process->fate, sizeof process->fate, "killed by us (SIGKILL)");
}

void process_ask_to_end(struct process *process)
{
    if (!process->pid)
        return;
    process->wanted = false;
    kill(process->pid, SIGTERM);
}

void process_pause(struct process *process, bool paused)
{
    if (process->pid)
        kill(process->pid, paused ? SIGSTOP : SIGCONT);
}

static rlim_t file_bytes(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (rlim_t)info.st_size : 0;
}

/* Its last words must find room: what it has said already counts as room, too. */
void process_fill_disk(struct process *process, bool full)
{
    char errors_path[4096];
    struct rlimit limit;
    if (!process->pid || prlimit(process->pid, RLIMIT_FSIZE, NULL, &limit) < 0)
        return;
    snprintf(errors_path, sizeof errors_path, "%s.err", process->output);
    rlim_t out = file_bytes(process->output), errors = file_bytes(errors_path);
    rlim_t room = (out > errors ? out : errors) + LAST_WORDS_BYTES;
    limit.rlim_cur = full && room < limit.rlim_max ? room : limit.rlim_max;
    prlimit(process->pid, RLIMIT_FSIZE, &limit, NULL);
}

void process_stop(struct process *process, int wait_ms)
{
    if (!process->pid || reap(process, WNOHANG))
        return;
    kill(process->pid, SIGTERM);
    kill(process->pid, SIGCONT); /* it may stand still */
    for (int waited = 0; waited < wait_ms; waited += POLL_MS) {
        if (reap(process, WNOHANG))
            return;
        clock_sleep_ms(POLL_MS);
    }
    process->failed = true;
    process_kill(process);
    snprintf(process->fate, sizeof process->fate, "did not stop within %d ms: SIGKILL", wait_ms);
}
