/* tests/common/log/test_log.c - mistakes that every filling refuses, each in its own words. */
#include <lmdb.h>

#include "common/log/lock.h"
#include "tests/common/log/scratch.h"

static const struct {
    const char *uri; /* %s: the scratch directory */
    bool create;
    int code;
    const char *words;
} PLACES[] = {
    {"kinesis:localhost", true, ERR_USAGE, "kafka:HOST:PORT, archive:DIR or chain:"},
    {"embedded:", true, ERR_USAGE, "not a log"},
    {"%s/log", true, ERR_USAGE, "not a log"},
    {"embedded:%s/none", false, ERR_ENV, "there is no log"},
    {"embedded:%s/file/deeper", true, ERR_ENV, "cannot make the log directory"},
    {"embedded:%s/file", true, ERR_ENV, "not a directory"},
    {"embedded:%s/empty", false, ERR_ENV, "there is no log"},
    {"embedded:%s/stranger", true, ERR_ENV, "holds something that is not a log (notes.txt)"},
    {"embedded:%s/garbage", true, ERR_DATA, "not an LMDB file"},
    {"archive:%s/none", false, ERR_ENV, "lk lambda archive"},
    {"archive:%s/file", false, ERR_ENV, "not a directory"},
    {"archive:%s/empty", true, ERR_USAGE, "read only"},
};

static void fill_places(const struct scratch *scratch)
{
    char path[128];
    const char *const directories[] = {"empty", "stranger", "garbage"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", scratch->path, directories[i]);
        cr_assert_eq(mkdir(path, 0777), 0);
    }
    write_text(scratch->path, "file", "no directory");
    write_text(scratch->path, "stranger/notes.txt", "mine");
    write_text(scratch->path, "garbage/data.mdb", "this is no database at all");
}

Test(log, refuses_a_place_that_is_no_log)
{
    struct scratch scratch = scratch_make();
    fill_places(&scratch);
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        char uri[256];
        struct err err = {0};
        struct log *log = NULL;
        snprintf(uri, sizeof uri, PLACES[i].uri, scratch.path);
        cr_expect_eq(log_open(uri, PLACES[i].create, &log, &err), PLACES[i].code, "%s: %s", uri,
                     err.text);
        cr_expect(says(&err, PLACES[i].words), "%s: %s", uri, err.text);
        cr_expect_null(log);
    }
    scratch_remove(&scratch);
}

/* Another program's database: one record, none of ours. */
static void make_foreign_database(const char *directory)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val text = {1, (void *)"x"};
    cr_assert_eq(mkdir(directory, 0777), 0);
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_open(env, directory, 0, 0666), 0);
    cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    cr_assert_eq(mdb_dbi_open(txn, NULL, 0, &dbi), 0);
    cr_assert_eq(mdb_put(txn, dbi, &text, &text, 0), 0);
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

Test(log, refuses_a_database_of_somebody_else)
{
    struct scratch scratch = scratch_make();
    struct err err = {0};
    struct log *log = NULL;
    char uri[128];
    snprintf(uri, sizeof uri, "embedded:%s/other", scratch.path);
    make_foreign_database(uri + strlen("embedded:"));
    cr_expect_eq(log_open(uri, true, &log, &err), ERR_DATA, "%s", err.text);
    cr_expect(says(&err, "not a log of this lk"), "%s", err.text);
    scratch_remove(&scratch);
}

Test(log, refuses_a_directory_without_permission)
{
    struct scratch scratch = scratch_make();
    log_close(scratch_log(&scratch, 1));
    char path[128];
    snprintf(path, sizeof path, "%s/log/data.mdb", scratch.path);
    cr_assert_eq(chmod(path, 0400), 0);
    cr_assert_eq(chmod(scratch.path, 0755), 0);
    if (geteuid() == 0 && seteuid(65534) != 0) /* root may do anything */
        cr_skip_test("cannot become nobody");
    struct err err = {0};
    struct log *log = NULL;
    cr_expect_eq(log_open(scratch.uri, false, &log, &err), ERR_ENV, "%s", err.text);
    cr_expect(says(&err, "Permission denied"), "%s", err.text);
    cr_assert_eq(seteuid(getuid()), 0);
    scratch_remove(&scratch);
}

static const char *const BAD_TOPICS[] = {"", ".", "..", "a/b", "a b", ".hidden", "\xc3\xa9"};

Test(log, refuses_topic_names_that_cannot_be_file_names)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 1);
    for (size_t i = 0; i < sizeof BAD_TOPICS / sizeof *BAD_TOPICS; i++) {
        struct err err = {0};
        cr_expect_eq(
            log_create_topic(log, BAD_TOPICS[i], (struct log_shape){.partitions = 1}, &err),
            ERR_USAGE, "%s", BAD_TOPICS[i]);
        cr_expect(says(&err, "cannot be a topic's name"), "%s", err.text);
    }
    log_close(log);
    scratch_remove(&scratch);
}

Test(log, names_the_topics_that_exist_when_one_does_not)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 2);
    struct err err = {0};
    must(log_create_topic(log, "ads", (struct log_shape){.partitions = 1}, &why));
    cr_expect_eq(log_partitions(log, "flights", &err), ERR_ENV);
    cr_expect(says(&err, "no topic \"flights\"; it has ads, t"), "%s", err.text);
    log_close(log);
    scratch_remove(&scratch);
}

Test(log, creating_a_topic_again_is_fine_but_not_with_other_partitions)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 3);
    struct err err = {0};
    cr_expect_eq(log_create_topic(log, "t", (struct log_shape){.partitions = 3}, &err), 0, "%s",
                 err.text);
    cr_expect_eq(log_partitions(log, "t", &err), 3);
    cr_expect_eq(log_create_topic(log, "t", (struct log_shape){.partitions = 4}, &err), ERR_USAGE);
    cr_expect(says(&err, "has 3 partitions, not 4"), "%s", err.text);
    log_close(log);
    scratch_remove(&scratch);
}

Test(log, refuses_a_partition_that_the_topic_does_not_have)
{
    struct scratch scratch = scratch_make();
    struct log *log = scratch_log(&scratch, 2);
    struct log_reader *reader = NULL;
    int64_t first, end;
    struct err err = {0};
    cr_expect_eq(log_reader_open(log, "t", (const int[]){0, 2}, 2, &reader, &err), ERR_USAGE);
    cr_expect(says(&err, "no partition 2: it has 0 to 1"), "%s", err.text);
    cr_expect_eq(log_range(log, "t", -1, &first, &end, NULL), ERR_USAGE);
    log_close(log);
    scratch_remove(&scratch);
}

Test(lock, names_the_pid_that_has_it_and_is_free_after_it)
{
    struct scratch scratch = scratch_make();
    char path[128], pid[40];
    struct err err = {0};
    snprintf(path, sizeof path, "%s/lock", scratch.path);
    snprintf(pid, sizeof pid, "in use by pid %d", (int)getpid());
    int first = log_lock_file(path, &err);
    cr_assert(first >= 0, "%s", err.text);
    cr_expect_eq(log_lock_file(path, &err), ERR_ENV);
    cr_expect(says(&err, pid), "%s", err.text);
    close(first);
    must(log_lock_file(path, &why));
    scratch_remove(&scratch);
}
