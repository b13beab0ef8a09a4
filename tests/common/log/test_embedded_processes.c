/* tests/common/log/test_embedded_processes.c - the embedded log among processes that write, sleep
 * and are killed, and on a disk that is full. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/log/embedded.h"
#include "tests/common/log/scratch.h"

static void expect_exit_0(pid_t child)
{
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

static int64_t end_of(struct log *log, int partition)
{
    int64_t first, end;
    must(log_range(log, "t", partition, &first, &end, &why));
    return end;
}

/* One writer's records say who wrote them and which one it was. */
static int append_signed(const char *uri, int writer, int batches, int batch)
{
    struct log *log = NULL;
    if (log_open(uri, false, &log, NULL) < 0)
        return 1;
    for (int i = 0; i < batches; i++) {
        struct log_record records[16];
        int32_t values[16][2];
        for (int j = 0; j < batch; j++) {
            values[j][0] = writer;
            values[j][1] = i * batch + j;
            records[j] = (struct log_record){.value = {(const char *)values[j], sizeof values[j]}};
        }
        if (log_append(log, "t", 0, records, batch, NULL) < 0)
            return 1;
    }
    log_close(log);
    return 0;
}

Test(processes, two_that_append_keep_each_ones_order_and_whole_batches)
{
    enum { BATCHES = 300, BATCH = 16 };
    struct scratch scratch = scratch_make();
    log_close(scratch_log(&scratch, 1));
    pid_t children[2];
    for (int w = 0; w < 2; w++)
        if ((children[w] = fork()) == 0)
            _exit(append_signed(scratch.uri, w, BATCHES, BATCH));
    for (int w = 0; w < 2; w++)
        expect_exit_0(children[w]);
    struct log *log = scratch_log(&scratch, 1);
    struct log_reader *reader = open_reader(log, 1);
    int next[2] = {0, 0};
    for (int i = 0; i < 2 * BATCHES; i++) {
        struct log_batch batch;
        must(log_read(reader, BATCH, 0, &batch, &why));
        cr_assert_eq(batch.count, BATCH);
        for (int j = 0; j < BATCH; j++) {
            int32_t value[2];
            memcpy(value, batch.value[j].ptr, sizeof value);
            cr_assert(value[0] == 0 || value[0] == 1);
            cr_assert_eq(value[1], next[value[0]]++);
        }
    }
    log_reader_close(reader);
    log_close(log);
    scratch_remove(&scratch);
}

/* Append batches of `batch` numbered records until killed. */
static void append_forever(const char *uri, int batch)
{
    struct log *log = NULL;
    if (log_open(uri, false, &log, NULL) < 0)
        _exit(1);
    for (;;)
        append_numbered(log, 0, end_of(log, 0), batch, 700);
}

Test(processes, kill_9_loses_no_whole_append_and_leaves_no_part_of_one)
{
    enum { ROUNDS = 12, BATCH = 500 };
    struct scratch scratch = scratch_make();
    log_close(scratch_log(&scratch, 1));
    struct rng rng;
    rng_init(&rng, 91);
    int64_t before = 0;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t child = fork();
        if (child == 0)
            append_forever(scratch.uri, BATCH);
        clock_sleep_ms(10 + (int64_t)rng_below(&rng, 25));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        struct log *log = scratch_log(&scratch, 1);
        struct log_reader *reader = open_reader(log, 1);
        int64_t end = drain_numbered(reader, LOG_BATCH_MAX);
        cr_expect(end % BATCH == 0 && end >= before, "%" PRId64 " after %" PRId64, end, before);
        before = end;
        log_reader_close(reader);
        log_close(log);
    }
    cr_expect_gt(before, 0);
    scratch_remove(&scratch);
}

Test(processes, a_reader_that_waits_gets_all_that_another_process_appends)
{
    enum { BATCHES = 200 };
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 2);
    struct log_reader *reader = open_reader(log, 2);
    pid_t child = fork();
    if (child == 0) {
        struct log *other = NULL;
        must(log_open(scratch.uri, false, &other, &why));
        for (int i = 0; i < BATCHES; i++)
            for (int p = 0; p < 2; p++)
                append_numbered(other, p, 5 * i, 5, 0);
        _exit(0);
    }
    for (int64_t count = 0; count < BATCHES * 5 * 2;) {
        struct log_batch batch;
        must(log_read(reader, 1000, 20000, &batch, &why));
        cr_assert_gt(batch.count, 0);
        check_numbered(&batch);
        count += batch.count;
    }
    expect_exit_0(child);
    log_reader_close(reader);
    log_close(log);
    scratch_remove(&scratch);
}

struct sleeper {
    struct embedded_env *env;
    struct embedded_topic *topic;
    uint32_t seen;
};

static void *sleep_long(void *argument)
{
    struct sleeper *sleeper = argument;
    while (embedded_wake_seen(sleeper->env, sleeper->topic) == sleeper->seen)
        embedded_wake_wait(sleeper->env, sleeper->topic, sleeper->seen, 600000);
    return NULL;
}

/* A wake-up that never comes fails by the time limit. */
Test(processes, an_append_wakes_a_sleeper, .timeout = 20)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 1);
    struct sleeper sleeper = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/log", scratch.path);
    must(embedded_env_open(path, false, &sleeper.env, &why));
    must(embedded_topic_find(sleeper.env, "t", &sleeper.topic, &why));
    sleeper.seen = embedded_wake_seen(sleeper.env, sleeper.topic);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, sleep_long, &sleeper), 0);
    clock_sleep_ms(50);
    append_numbered(log, 0, 0, 1, 0);
    pthread_join(thread, NULL);
    embedded_env_close(sleeper.env);
    log_close(log);
    scratch_remove(&scratch);
}

struct appender {
    struct log *log;
    int partition;
};

static void *append_in_thread(void *argument)
{
    const struct appender *appender = argument;
    for (int i = 0; i < 300; i++)
        append_numbered(appender->log, appender->partition, 10 * i, 10, 0);
    return NULL;
}

Test(processes, threads_may_share_one_log)
{
    enum { THREADS = 3 };
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, THREADS);
    struct log_reader *reader = open_reader(log, THREADS);
    struct appender appenders[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        appenders[i] = (struct appender){log, i};
        cr_assert_eq(pthread_create(&threads[i], NULL, append_in_thread, &appenders[i]), 0);
    }
    for (int64_t count = 0; count < 3000 * THREADS;) {
        struct log_batch batch;
        must(log_read(reader, 64, 20000, &batch, &why));
        cr_assert_gt(batch.count, 0);
        check_numbered(&batch);
        count += batch.count;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    log_reader_close(reader);
    log_close(log);
    scratch_remove(&scratch);
}

/* 40 times 2 MiB are appended and trimmed while a reader sits on what it has read. */
Test(processes, a_stopped_reader_does_not_make_the_file_grow)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 1);
    struct log_reader *reader = open_reader(log, 1);
    struct log_batch batch;
    append_numbered(log, 0, 0, 2048, 1024);
    must(log_read(reader, 10, 0, &batch, &why));
    for (int64_t at = 2048; at < 40 * 2048; at += 2048) {
        append_numbered(log, 0, at, 2048, 1024);
        must(log_trim(log, "t", 0, at, &why));
    }
    check_numbered(&batch);
    char path[128];
    snprintf(path, sizeof path, "%s/log", scratch.path);
    int64_t bytes = file_bytes(path, "data.mdb");
    cr_expect(bytes > 0 && bytes < 16 << 20, "%" PRId64 " bytes", bytes);
    log_reader_close(reader);
    log_close(log);
    scratch_remove(&scratch);
}

/* Pages of files that this process has mapped in. */
static int64_t file_pages(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long long size, resident, shared = -1;
    cr_assert_eq(fscanf(file, "%lld %lld %lld", &size, &resident, &shared), 3);
    fclose(file);
    return shared;
}

/* 2 x 24 MiB, in large blocks and in one-record ones. */
Test(processes, reading_a_large_log_does_not_take_its_size_in_memory)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 2);
    for (int64_t at = 0; at < 24 * 1024; at += 2048)
        append_numbered(log, 0, at, 2048, 1024);
    for (int64_t at = 0; at < 24 * 1024; at += 4)
        append_numbered(log, 1, at, 4, 1024);
    struct log_reader *reader = open_reader(log, 2);
    int64_t before = file_pages();
    cr_expect_eq(drain_numbered(reader, 1000), 2 * 24 * 1024);
    int64_t grown = (file_pages() - before) * sysconf(_SC_PAGESIZE);
    cr_expect(grown < 16 << 20, "%" PRId64 " bytes", grown);
    log_reader_close(reader);
    log_close(log);
    scratch_remove(&scratch);
}

Test(processes, a_second_producer_of_a_topic_is_told_the_first_ones_pid)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 1), *other = NULL;
    must(log_create_topic(log, "u", (struct log_shape){.partitions = 1}, &why));
    must(log_open(scratch.uri, false, &other, &why));
    must(log_claim(log, "t", &why));
    struct err err = {0};
    char words[80];
    snprintf(words, sizeof words, "producer of topic t: in use by pid %d", (int)getpid());
    cr_expect_eq(log_claim(other, "t", &err), ERR_ENV);
    cr_expect(says(&err, words), "%s", err.text);
    must(log_claim(other, "u", &why));
    log_close(log);
    must(log_claim(other, "t", &why));
    log_close(other);
    scratch_remove(&scratch);
}

static void write_map(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    if (fd >= 0) {
        ssize_t put = write(fd, text, strlen(text));
        (void)put; /* the mount below says whether it worked */
        close(fd);
    }
}

/* A disk of 4 MiB at path, in a mount namespace of our own; false where the system allows none. */
static bool mount_small(const char *path)
{
    char map[64];
    snprintf(map, sizeof map, "0 %d 1", (int)geteuid());
    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            return false;
        write_map("/proc/self/setgroups", "deny");
        write_map("/proc/self/uid_map", map);
    }
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("lk-test", path, "tmpfs", 0, "size=4m") == 0;
}

Test(processes, a_full_disk_is_said_and_what_was_appended_before_stays)
{
    struct scratch scratch = scratch_make();
    if (!mount_small(scratch.path))
        cr_skip_test("needs a mount namespace");
    struct log *log = scratch_log(&scratch, 1);
    struct err err = {0};
    static char value[60000];
    struct log_record record = {.value = {value, sizeof value}};
    int64_t appended = 0, offset;
    while ((offset = log_append(log, "t", 0, &record, 1, &err)) >= 0 && appended < 1000)
        cr_assert_eq(offset, appended++);
    cr_expect_eq(offset, ERR_FULL, "%s", err.text);
    cr_expect(says(&err, scratch.path), "%s", err.text);
    cr_expect(says(&err, "df"), "%s", err.text);
    cr_expect(appended > 10 && end_of(log, 0) == appended);
    log_close(log);
    must(log_open(scratch.uri, false, &log, &why));
    struct log_reader *reader = open_reader(log, 1);
    struct log_batch batch;
    int64_t count = 0;
    do {
        must(log_read(reader, 100, 0, &batch, &why));
        count += batch.count;
    } while (batch.count > 0);
    cr_expect_eq(count, appended);
    log_reader_close(reader);
    log_close(log);
    umount(scratch.path);
    scratch_remove(&scratch);
}
