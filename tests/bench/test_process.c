/* tests/bench/test_process.c - children of a run: started, watched, ended, and what is said of it. */
#include "bench/process.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"

enum { WAIT_TRIES = 2000, WAIT_MS = 5 };

/* A directory, a shell script in it, and the process that runs it. */
struct stand {
    char dir[40], script[64], output[64];
    struct process process;
};

static void write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    cr_assert_not_null(out);
    fputs(text, out);
    fclose(out);
}

static void stand_open(struct stand *stand, const char *script)
{
    *stand = (struct stand){.dir = "/tmp/lk-test-process.XXXXXX"};
    cr_assert_not_null(mkdtemp(stand->dir));
    snprintf(stand->script, sizeof stand->script, "%s/script", stand->dir);
    snprintf(stand->output, sizeof stand->output, "%s/out", stand->dir);
    write_text(stand->script, script);
    process_init(&stand->process, "side", "name", "sh", stand->script, stand->output);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static void stand_close(struct stand *stand)
{
    process_kill(&stand->process);
    process_release(&stand->process);
    nftw(stand->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void start(struct stand *stand)
{
    struct err err = {0};
    cr_assert_eq(process_start(&stand->process, &err), 0, "%s", err.text);
}

static void wait_for_end(struct process *process)
{
    for (int i = 0; i < WAIT_TRIES && !process_ended(process); i++)
        clock_sleep_ms(WAIT_MS);
    cr_assert_eq(process->pid, 0, "it does not end");
}

/* A file's text; waits until it has some. */
static void read_text(const char *path, char *out, size_t room)
{
    size_t len = 0;
    for (int i = 0; i < WAIT_TRIES && len == 0; i++) {
        FILE *in = fopen(path, "r");
        len = in ? fread(out, 1, room - 1, in) : 0;
        if (in)
            fclose(in);
        if (len == 0)
            clock_sleep_ms(WAIT_MS);
    }
    out[len] = 0;
}

static const struct {
    const char *script, *fate;
    bool failed;
} ENDS[] = {
    {"exit 0", "ran to its end", false},
    {"exit 130", "stopped by us", false},
    {"echo first >&2; echo last words >&2; echo '  more' >&2; exit 4", "exit 4: last words", true},
    {"exit 3", "exit 3: ", true},
    {"kill -9 $$", "signal 9", true},
};

Test(process, its_end_is_told_and_one_that_nobody_asked_for_is_a_failure)
{
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        struct stand stand;
        stand_open(&stand, ENDS[i].script);
        start(&stand);
        cr_expect_str_eq(stand.process.fate, "running");
        wait_for_end(&stand.process);
        cr_expect(strncmp(stand.process.fate, ENDS[i].fate, strlen(ENDS[i].fate)) == 0, "%s: %s",
                  ENDS[i].script, stand.process.fate);
        cr_expect_eq(stand.process.failed, ENDS[i].failed, "%s", ENDS[i].script);
        cr_expect(stand.process.ended_ns >= stand.process.began_ns && stand.process.began_ns > 0);
        stand_close(&stand);
    }
}

Test(process, who_computes_uses_the_processor_and_who_sleeps_does_not)
{
    struct stand spins, sleeps;
    stand_open(&spins, "while :; do :; done\n");
    stand_open(&sleeps, "exec sleep 60\n");
    cr_expect_eq(process_busy_s(&spins.process), 0, "it does not run yet");
    cr_assert_eq(process_start(&spins.process, NULL), 0);
    cr_assert_eq(process_start(&sleeps.process, NULL), 0);
    for (int i = 0; i < WAIT_TRIES && process_busy_s(&spins.process) < 0.2; i++)
        clock_sleep_ms(WAIT_MS);
    double slept_s = process_busy_s(&sleeps.process);
    cr_expect_geq(process_busy_s(&spins.process), 0.2);
    clock_sleep_ms(WAIT_MS);
    cr_expect_lt(process_busy_s(&sleeps.process) - slept_s, 0.01);
    stand_close(&spins);
    stand_close(&sleeps);
}

Test(process, what_it_says_goes_to_its_files_and_nothing_comes_in)
{
    struct stand stand;
    char text[100], errors[80];
    stand_open(&stand, "cat; echo said; echo warned >&2");
    start(&stand);
    wait_for_end(&stand.process);
    read_text(stand.output, text, sizeof text);
    cr_expect_str_eq(text, "said\n");
    snprintf(errors, sizeof errors, "%s.err", stand.output);
    read_text(errors, text, sizeof text);
    cr_expect_str_eq(text, "warned\n");
    start(&stand);
    wait_for_end(&stand.process);
    read_text(stand.output, text, sizeof text);
    cr_expect_str_eq(text, "said\nsaid\n", "a second start goes on in the same file");
    cr_expect_eq(stand.process.starts, 2);
    stand_close(&stand);
}

/* Waits for its trap to be set before the test goes on. */
#define READY "echo ready; while :; do sleep 0.05; done"

static const struct {
    const char *script;
    int wait_ms;
    const char *fate;
    bool failed;
} STOPS[] = {
    {"trap 'exit 130' TERM; " READY, 10000, "stopped by us", false},
    {"trap 'exit 0' TERM; " READY, 10000, "ran to its end", false},
    {"trap '' TERM; " READY, 50, "did not stop within 50 ms: SIGKILL", true},
};

Test(process, a_fault_is_told_to_the_next_start_alone_and_our_own_environment_stays)
{
    struct stand stand;
    char said[64];
    cr_assert_eq(setenv("LK_FAULT", "ours:1:delay", 1), 0);
    stand_open(&stand, "echo $LK_FAULT $HOME");
    cr_assert_eq(setenv("HOME", "/there", 1), 0);
    const char *const faults[] = {"poll:3:kill", NULL};
    const char *const wanted[] = {"poll:3:kill /there\n",
                                  "poll:3:kill /there\nours:1:delay /there\n"};
    for (int i = 0; i < 2; i++) {
        stand.process.fault = faults[i];
        start(&stand);
        wait_for_end(&stand.process);
        read_text(stand.output, said, sizeof said);
        cr_expect_str_eq(said, wanted[i]);
    }
    cr_expect_str_eq(getenv("LK_FAULT"), "ours:1:delay");
    stand_close(&stand);
}

Test(process, a_stop_is_an_invitation_and_then_a_kill)
{
    for (size_t i = 0; i < sizeof STOPS / sizeof *STOPS; i++) {
        struct stand stand;
        char text[20];
        stand_open(&stand, STOPS[i].script);
        start(&stand);
        read_text(stand.output, text, sizeof text);
        process_stop(&stand.process, STOPS[i].wait_ms);
        cr_expect_eq(stand.process.pid, 0);
        cr_expect_str_eq(stand.process.fate, STOPS[i].fate);
        cr_expect_eq(stand.process.failed, STOPS[i].failed, "%s", STOPS[i].fate);
        stand_close(&stand);
    }
}

Test(process, a_kill_of_ours_is_no_failure_and_it_can_be_started_again)
{
    struct stand stand;
    char text[20];
    stand_open(&stand, READY);
    for (int i = 1; i <= 2; i++) {
        start(&stand);
        read_text(stand.output, text, sizeof text);
        cr_expect_not(process_ended(&stand.process), "it runs");
        process_sample(&stand.process);
        cr_expect_gt(stand.process.live_rss_mb, 0);
        pid_t pid = stand.process.pid;
        process_kill(&stand.process);
        cr_expect(kill(pid, 0) < 0 && errno == ESRCH);
        cr_expect_str_eq(stand.process.fate, "killed by us (SIGKILL)");
        cr_expect(!stand.process.failed && stand.process.starts == i);
    }
    process_kill(&stand.process); /* of one that does not run: nothing */
    process_stop(&stand.process, 10);
    cr_expect_str_eq(stand.process.fate, "killed by us (SIGKILL)");
    stand_close(&stand);
}

Test(process, what_it_took_is_summed_over_its_starts)
{
    struct stand stand;
    stand_open(&stand, "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
    start(&stand);
    wait_for_end(&stand.process);
    double once = stand.process.cpu_s;
    cr_expect_gt(once, 0);
    cr_expect_gt(stand.process.rss_max_mb, 0);
    start(&stand);
    wait_for_end(&stand.process);
    cr_expect_gt(stand.process.cpu_s, once);
    stand_close(&stand);
}

Test(process, a_program_or_a_directory_that_is_not_there_is_told)
{
    struct process process;
    struct err err = {0};
    char output[64], dir[] = "/tmp/lk-test-process.XXXXXX";
    cr_assert_not_null(mkdtemp(dir));
    snprintf(output, sizeof output, "%s/out", dir);
    process_init(&process, "side", "name", "/nowhere/program", "verb  --flag x", output);
    cr_expect_str_eq(process.argv[1], "verb");
    cr_expect_str_eq(process.argv[2], "--flag");
    cr_expect_null(process.argv[4], "blanks in a row part words once");
    if (process_start(&process, &err) == 0) {
        wait_for_end(&process);
        cr_expect(process.failed && strncmp(process.fate, "exit 127", 8) == 0, "%s", process.fate);
    }
    process_release(&process);
    process_init(&process, "side", "name", "sh", "x", "/nowhere/out");
    err_clear(&err);
    cr_expect_eq(process_start(&process, &err), ERR_ENV);
    cr_expect(strstr(err.text, "/nowhere/out"), "%s", err.text);
    process_release(&process);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

Test(process, a_child_ends_with_the_one_that_started_it_however_that_ends)
{
    struct stand stand;
    char text[20] = "";
    stand_open(&stand, "echo $$; while :; do sleep 0.05; done");
    pid_t middle = fork();
    if (middle == 0) {
        start(&stand);
        read_text(stand.output, text, sizeof text);
        raise(SIGKILL);
    }
    waitpid(middle, NULL, 0);
    read_text(stand.output, text, sizeof text);
    pid_t orphan = (pid_t)strtol(text, NULL, 10);
    cr_assert_gt(orphan, 0);
    bool gone = false;
    for (int i = 0; i < WAIT_TRIES && !gone; i++) {
        char path[40], line[200] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", (int)orphan);
        FILE *in = fopen(path, "r");
        gone = !in || !fgets(line, sizeof line, in) || strstr(line, ") Z ");
        if (in)
            fclose(in);
        clock_sleep_ms(WAIT_MS);
    }
    cr_expect(gone, "process %d lives on", (int)orphan);
    stand_close(&stand);
}
