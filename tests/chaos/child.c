/* tests/chaos/child.c - the processes of a case: their words, their state, what they said. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/chaos/chaos.h"

enum { WORDS_MAX = 40, LOOK_EVERY_MS = 1, SAID_MAX_BYTES = 1500 };
enum { YOUNG_MS = 500 }; /* in which it may not have got to its signal handler */

static void become(const struct lane *lane, const struct child *child, const char *fault,
                   char **words)
{
    int in = open("/dev/null", O_RDONLY);
    int out = open(child->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    unsetenv("LK_FAULT");
    unsetenv("LK_BUG");
    if (fault)
        setenv("LK_FAULT", fault, 1);
    if (lane->bug)
        setenv("LK_BUG", lane->bug, 1);
    execv(words[0], words);
    _exit(127);
}

struct child *child_start(struct lane *lane, const char *fault, const char *format, ...)
{
    char text[1200], *words[WORDS_MAX] = {(char *)lane->lk}, *rest = text;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    struct child *child =
        &lane->child[lane->children < CHILDREN_MAX - 1 ? lane->children++ : CHILDREN_MAX - 1];
    *child = (struct child){.began_ns = clock_mono_ns(), .victim = VICTIM_VERB};
    snprintf(child->words, sizeof child->words, "%.39s", text);
    snprintf(child->output, sizeof child->output, "%s/%d.out", lane->directory, lane->children);
    lane_tell(lane, "%s lk %s", fault ? fault : "", text);
    for (int i = 1; i < WORDS_MAX - 1 && (words[i] = strtok_r(rest, " ", &rest));)
        i++;
    child->pid = fork();
    if (child->pid == 0)
        become(lane, child, fault, words);
    return child;
}

enum child_state child_look(struct child *child)
{
    int status;
    while (child->state != CHILD_ENDED &&
           waitpid(child->pid, &status, WNOHANG | WUNTRACED | WCONTINUED) == child->pid) {
        if (WIFSTOPPED(status))
            child->state = CHILD_STOPPED;
        else if (WIFCONTINUED(status))
            child->state = CHILD_RUNS;
        else {
            child->state = CHILD_ENDED;
            child->status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
        }
    }
    return child->state;
}

bool child_wait(struct child *child, enum child_state state, int ms)
{
    int64_t until = clock_mono_ns() + (int64_t)ms * 1000000;
    while (child_look(child) != state && child->state != CHILD_ENDED && clock_mono_ns() < until)
        clock_sleep_ms(LOOK_EVERY_MS);
    return child->state == state;
}

void child_signal(struct child *child, int signal)
{
    if (child_look(child) != CHILD_ENDED)
        kill(child->pid, signal);
}

static void read_output(const struct child *child, struct buf *out)
{
    char part[4096];
    FILE *file = fopen(child->output, "r");
    buf_add_text(out, "");
    for (size_t n; file && (n = fread(part, 1, sizeof part, file)) > 0;)
        buf_add(out, part, n);
    if (file)
        fclose(file);
}

bool child_said(const struct child *child, const char *text)
{
    struct buf said = {0};
    read_output(child, &said);
    bool yes = strstr(said.ptr, text) != NULL;
    buf_release(&said);
    return yes;
}

bool child_blame(struct lane *lane, const struct child *child, const char *what)
{
    struct buf said = {0};
    read_output(child, &said);
    size_t from = said.len > SAID_MAX_BYTES ? said.len - SAID_MAX_BYTES : 0;
    static const char *const STATES[] = {"runs", "is stopped", "ended with"};
    lane_fail(lane, "%s: lk %s... %s %d and said:\n%s", what, child->words, STATES[child->state],
              child->status, said.ptr + from);
    buf_release(&said);
    return false;
}

bool child_finish(struct lane *lane, struct child *child)
{
    if (child->state != CHILD_ENDED)
        child_signal(child, SIGTERM);
    if (!child_wait(child, CHILD_ENDED, PATIENCE_MS))
        return child_blame(lane, child, "does not leave on SIGTERM");
    bool young = clock_mono_ns() - child->began_ns < (int64_t)YOUNG_MS * 1000000;
    return child->status == 130 || child->status == 0 || (young && child->status == -SIGTERM) ||
           child_blame(lane, child, "ended badly");
}

bool child_run(struct lane *lane, struct child *child, int status)
{
    char what[40];
    if (!child_wait(child, CHILD_ENDED, PATIENCE_MS))
        return child_blame(lane, child, "does not end");
    snprintf(what, sizeof what, "expected exit %d", status);
    return child->status == status || child_blame(lane, child, what);
}

void child_end_all(struct lane *lane)
{
    for (int i = 0; i < lane->children; i++) {
        struct child *child = &lane->child[i];
        if (child_look(child) == CHILD_ENDED) {
            lane->kills[child->victim] += child->status == -SIGKILL;
            continue;
        }
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
        child->state = CHILD_ENDED;
    }
    lane->children = 0;
}

const char *const VICTIM_NAMES[VICTIMS] = {"kappa", "speed",     "archive", "batch",
                                           "verb",  "generator", "broker",  "redis"};

const char *const ROLE_NAMES[ROLES] = {"kappa", "speed", "archive", "batch"};

static struct child *start_role(struct lane *lane, enum role role, const struct tuning *tuning,
                                const char *fault, const char *more)
{
    const char *l = lane->log, *t = lane->topic;
    const char *v = lane->uri, *p = lane->plan, *a = lane->archive, *h = lane->handover;
    switch (role) {
    case ROLE_KAPPA:
    case ROLE_SPEED:
        return child_start(lane, fault,
                           "%s --plan %s --view %s --log %s --topic %s --commit %dms --memory "
                           "%dKiB --workers %d%s%s %s",
                           role == ROLE_KAPPA ? "kappa run" : "lambda speed", p, v, l, t,
                           tuning->commit_ms, tuning->memory_kib, tuning->workers,
                           role == ROLE_SPEED ? " --span 30ms --handover " : "",
                           role == ROLE_SPEED ? h : "", more);
    case ROLE_ARCHIVE:
        return child_start(lane, fault,
                           "lambda archive --log %s --topic %s --archive %s --roll 20ms %s", l, t,
                           a, more);
    default:
        return child_start(lane, fault,
                           "lambda batch --plan %s --view %s --archive %s --memory 1MiB "
                           "--handover %s %s",
                           p, v, a, h, more);
    }
}

struct child *role_start(struct lane *lane, enum role role, const struct tuning *tuning,
                         const char *fault, const char *more)
{
    struct child *child = start_role(lane, role, tuning, fault, more);
    child->victim = (enum victim)role;
    return child;
}
