/* tests/lambda/test_publish.c - load, publish and sweep, cut off at every step.
 *
 * Connections are lost in this process; kills, and what others do to the store while a batch stands
 * still at a step, need a process to hurt and a real Redis. */
#include "lambda/publish.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/base/clock.h"
#include "common/base/fault.h"
#include "tests/lambda/kit.h"

enum { EVENTS = 600, MORE = 900 };
static const int64_t ENDS[] = {EVENTS, EVENTS, EVENTS}, MORE_ENDS[] = {MORE, MORE, MORE};

static const char *const POINTS[] = {"generation begin", "generation load", "publish",
                                     "publish landed", "sweep"};
enum { POINT_COUNT = sizeof POINTS / sizeof *POINTS };

/* ---- a Redis of our own ---- */

struct server {
    pid_t pid;
    char uri[112], socket[88];
};

static struct server server_start(const struct kit *kit)
{
    struct server server;
    snprintf(server.socket, sizeof server.socket, "%s/redis", kit->dir);
    snprintf(server.uri, sizeof server.uri, "redis+unix:%s", server.socket);
    server.pid = fork();
    if (server.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves no server */
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(126);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", server.socket,
               "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction", "--dir",
               kit->dir, (char *)NULL);
        _exit(127);
    }
    struct kv *kv = NULL;
    struct err err = {0};
    int rc = ERR_ENV;
    for (int i = 0; i < 1000 && rc; i++) { /* the socket stands there before Redis listens */
        clock_sleep_ms(10);
        err_clear(&err);
        rc = kv_open(server.uri, &kv, &err);
    }
    cr_assert_eq(rc, 0, "%s", err.text);
    kv_close(kv);
    return server;
}

static void server_stop(const struct server *server)
{
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

static int64_t key_count(struct kv *kv)
{
    struct kv_reply *replies;
    struct err err = {0};
    kv_words(kv, "DBSIZE", NULL);
    cr_assert_eq(kv_roundtrip(kv, &replies, &err), 1, "%s", err.text);
    return replies[0].integer;
}

static void flush(struct kv *kv)
{
    struct kv_reply *replies;
    struct err err = {0};
    kv_words(kv, "FLUSHALL", NULL);
    cr_assert_eq(kv_roundtrip(kv, &replies, &err), 1, "%s", err.text);
}

/* ---- runs ---- */

static int run(const struct kit *kit, struct kv *kv, struct batch_result *result, struct err *err)
{
    struct batch_options options = kit_options(kit);
    options.workers = 1;
    *err = (struct err){0};
    return batch_run(kv, &options, result, err);
}

static void run_ok(const struct kit *kit, struct kv *kv)
{
    struct batch_result result;
    struct err err;
    cr_assert_eq(run(kit, kv, &result, &err), 0, "%s", err.text);
    batch_release(&result);
}

/* The same in a process of its own, with a fault armed. */
static pid_t run_apart(const struct kit *kit, const char *uri, const char *fault)
{
    pid_t child = fork();
    if (child)
        return child;
    struct kv *kv = NULL;
    struct batch_result result;
    struct err err = {0};
    int rc = kv_open(uri, &kv, &err);
    fault_set(fault, NULL);
    if (rc == 0)
        rc = run(kit, kv, &result, &err);
    if (rc)
        fprintf(stderr, "apart: %s\n", err.text);
    _exit(rc ? 1 : 0);
}

/* Nothing stands in the store's pos that the published generation does not need. */
static void expect_tidy(const struct kit *kit, struct kv *kv, int gens)
{
    for (int q = 0; q < KIT_PARTITIONS; q++) {
        struct pos pos = kit_pos(kv, q);
        cr_assert_eq(pos.gen_count, gens, "partition %d: %d gens", q, pos.gen_count);
        cr_assert(pos_has_gen(&pos, pos.generation));
        pos_release(&pos);
    }
    cr_assert_leq(kit_files(kit, ".tmp") + kit_files(kit, ".runs") + kit_files(kit, ".bad"), 0);
}

Test(publish, a_connection_lost_at_any_step_only_costs_an_attempt)
{
    for (int i = 0; i < POINT_COUNT; i++)
        for (int nth = 1; nth <= 7; nth += 2) {
            struct kit kit;
            char fault[64];
            kit_open(&kit, 21, 8);
            kit_fill(&kit, 0, EVENTS);
            memory_drop("publish_lost");
            struct kv *kv = kit_kv("memory:publish_lost");
            snprintf(fault, sizeof fault, "%s:%d:error", POINTS[i], nth);
            fault_set(fault, NULL);
            run_ok(&kit, kv);
            fault_set(NULL, NULL);
            kit_expect_view(&kit, kv, ENDS);
            expect_tidy(&kit, kv, 1);
            kv_close(kv);
            kit_close(&kit);
        }
}

Test(publish, connections_lost_again_and_again_end_in_an_error_and_the_next_run_mends_it)
{
    struct kit kit;
    struct batch_result result;
    struct err err;
    kit_open(&kit, 22, 8);
    kit_fill(&kit, 0, EVENTS);
    struct kv *kv = kit_kv("memory:publish_again");
    fault_set("publish:1:error,publish:2:error,publish:3:error,publish:4:error,publish:5:error",
              NULL);
    cr_assert_eq(run(&kit, kv, &result, &err), ERR_AWAY);
    cr_assert_not_null(strstr(err.text, "gave up"), "%s", err.text);
    fault_set(NULL, NULL);
    batch_release(&result);
    run_ok(&kit, kv);
    kit_expect_view(&kit, kv, ENDS);
    expect_tidy(&kit, kv, 1);
    kv_close(kv);
    kit_close(&kit);
}

Test(publish, a_full_server_is_said_and_swept)
{
    struct kit kit;
    struct batch_result result;
    struct err err;
    kit_open(&kit, 23, 8);
    kit_fill(&kit, 0, EVENTS);
    struct kv *kv = kit_kv("memory:publish_full");
    run_ok(&kit, kv);
    kit_fill(&kit, EVENTS, MORE);
    memory_full("publish_full", true);
    cr_assert_eq(run(&kit, kv, &result, &err), ERR_FULL);
    cr_assert_not_null(strstr(err.text, "maxmemory"), "%s", err.text);
    batch_release(&result);
    kit_expect_view(&kit, kv, ENDS);
    memory_full("publish_full", false);
    run_ok(&kit, kv);
    kit_expect_view(&kit, kv, MORE_ENDS);
    kv_close(kv);
    kit_close(&kit);
}

struct filling {
    const char *server;
    int sendings, at;
};

static void fill_up(void *context)
{
    struct filling *filling = context;
    if (++filling->sendings == filling->at)
        memory_full(filling->server, true);
}

static bool published_anywhere(struct kv *kv)
{
    bool published = false;
    for (int q = 0; q < KIT_PARTITIONS; q++) {
        struct pos pos = kit_pos(kv, q);
        published = published || *pos.generation;
        pos_release(&pos);
    }
    return published;
}

/* Cells of this load stand in the store. */
static bool load_stands(struct kv *kv, const char *id)
{
    struct arena arena = {0};
    struct kv_reply *replies;
    char part[POS_ID_BYTES + 1];
    bool stands = false;
    snprintf(part, sizeof part, "g%s", id);
    for (int q = 0; q < KIT_PARTITIONS; q++) {
        kv_words(kv, "SMEMBERS", key_part(&arena, "v", "l1", q, part), NULL);
        cr_assert_eq(kv_roundtrip(kv, &replies, NULL), 1);
        stands = stands || replies[0].count > 0;
    }
    arena_release(&arena);
    return stands;
}

static int loads_standing(const struct kit *kit, struct kv *kv)
{
    struct folder *folder = kit_folder(kit);
    char(*ids)[FOLDER_ID_BYTES];
    int standing = 0;
    for (int i = folder_loads(folder, &ids) - 1; i >= 0; i--)
        standing += load_stands(kv, ids[i]);
    free(ids);
    folder_close(folder);
    return standing;
}

Test(publish, a_server_that_fills_up_at_any_sending_is_swept_while_it_is_full)
{
    int refused = 0;
    for (int at = 1; at <= 40; at++) {
        struct kit kit;
        struct batch_result result;
        struct err err = {0};
        struct filling filling = {.server = "publish_fills", .at = at};
        kit_open(&kit, 29, 8);
        kit_fill(&kit, 0, EVENTS);
        struct kv *kv = kit_kv("memory:publish_fills");
        memory_meddle("publish_fills", fill_up, &filling);
        int rc = run(&kit, kv, &result, &err);
        memory_meddle("publish_fills", NULL, NULL);
        cr_assert(rc == 0 || rc == ERR_FULL, "at %d: %s", at, err.text);
        refused += rc == ERR_FULL;
        cr_assert_leq(loads_standing(&kit, kv), published_anywhere(kv),
                      "at %d: a load was not swept", at);
        batch_release(&result);
        memory_full("publish_fills", false);
        run_ok(&kit, kv);
        kit_expect_view(&kit, kv, ENDS);
        kv_close(kv);
        memory_drop("publish_fills");
        kit_close(&kit);
    }
    cr_assert_gt(refused, 5, "full in the middle of a load, not only before it");
}

Test(publish, a_generation_that_was_swept_and_came_back_is_swept_again)
{
    struct kit kit;
    kit_open(&kit, 31, 8);
    struct kv *kv = kit_kv("memory:publish_back");
    char swept[POS_ID_BYTES] = "";
    for (int batch = 1; batch <= 5; batch++) {
        kit_fill(&kit, (batch - 1) * EVENTS / 6, batch * EVENTS / 6);
        run_ok(&kit, kv);
        if (batch == 2) {
            struct pos pos = kit_pos(kv, 0);
            memcpy(swept, pos.previous, sizeof swept);
            pos_release(&pos);
            memory_snapshot("publish_back");
        }
        if (batch == 3 || batch == 4)
            cr_assert_eq(load_stands(kv, swept), false, "after batch %d", batch);
        if (batch == 4) { /* its note has gone by now */
            memory_restore("publish_back");
            cr_assert_eq(kv_reconnect(kv, NULL), 0);
            cr_assert(load_stands(kv, swept));
        }
    }
    cr_assert_not(load_stands(kv, swept), "it came back, and nobody sweeps it");
    kv_close(kv);
    kit_close(&kit);
}

Test(publish, a_damaged_file_is_never_loaded)
{
    struct kit kit;
    struct err err = {0};
    struct batch_result result;
    kit_open(&kit, 24, 8);
    kit_fill(&kit, 0, EVENTS);
    struct kv *kv = kit_kv("memory:publish_damaged");
    run_ok(&kit, kv);
    char command[320];
    snprintf(command, sizeof command,
             "for f in %s/%s/generations/v/*.p1; do printf X | dd of=$f bs=1 seek=200 conv=notrunc "
             "2>/dev/null; done",
             kit.archive, KIT_TOPIC);
    cr_assert_eq(system(command), 0);
    memory_drop("publish_damaged");
    kv_close(kv);
    kv = kit_kv("memory:publish_damaged");
    struct batch_options options = kit_options(&kit);
    options.reload = true;
    cr_assert_eq(batch_run(kv, &options, &result, &err), ERR_DATA);
    cr_assert_not_null(strstr(err.text, ".p1 is damaged"), "%s", err.text);
    struct pos pos = kit_pos(kv, 1);
    cr_assert_str_empty(pos.generation);
    pos_release(&pos);
    batch_release(&result);
    kv_close(kv);
    kit_close(&kit);
}

/* Each partition serves the old generation or the new one, whole, right after a kill. */
static void expect_old_or_new(const struct kit *kit, struct kv *kv)
{
    int64_t boundaries[KIT_PARTITIONS];
    for (int q = 0; q < KIT_PARTITIONS; q++) {
        struct pos pos = kit_pos(kv, q);
        boundaries[q] = pos.boundary;
        cr_assert(pos.boundary == EVENTS || pos.boundary == MORE, "%lld", (long long)pos.boundary);
        pos_release(&pos);
    }
    kit_expect_view(kit, kv, boundaries);
}

Test(publish, killed_at_any_step_the_next_run_leaves_the_same_view_and_no_litter)
{
    static const char *const files[] = {"fold", "generation temp", "generation sync",
                                        "generation rename", "generation manifest"};
    struct kit kit, home;
    kit_open(&home, 25, 8);
    kit_open(&kit, 25, 8);
    struct server server = server_start(&home);
    struct kv *kv = kit_kv(server.uri);
    kit_fill(&kit, 0, EVENTS);
    run_ok(&kit, kv);
    kit_fill(&kit, EVENTS, MORE);
    run_ok(&kit, kv);
    int64_t keys =
        key_count(kv); /* two generations, as an untroubled pair of batches leaves them */
    kit_close(&kit);
    for (int i = 0; i < 2 * POINT_COUNT + 5; i++) {
        int status;
        char fault[64];
        struct kit again;
        kit_open(&again, 25, 8);
        flush(kv);
        kit_fill(&again, 0, EVENTS);
        run_ok(&again, kv);
        kit_fill(&again, EVENTS, MORE);
        snprintf(fault, sizeof fault, "%s:%d:kill",
                 i < 5 ? files[i] : POINTS[(i - 5) % POINT_COUNT], i < 5 + POINT_COUNT ? 1 : 3);
        pid_t child = run_apart(&again, server.uri, fault);
        waitpid(child, &status, 0);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s was not passed", fault);
        expect_old_or_new(&again, kv);
        run_ok(&again, kv);
        kit_expect_view(&again, kv, MORE_ENDS);
        expect_tidy(&again, kv, 2);
        cr_assert_eq(key_count(kv), keys, "after %s: %lld keys, expected %lld", fault,
                     (long long)key_count(kv), (long long)keys);
        kit_close(&again);
    }
    kv_close(kv);
    server_stop(&server);
    kit_close(&home);
}

/* What others do while a batch stands still. */
enum meddling { FLUSH, FLUSH_AND_TAKEN, ID_SWEPT, OTHER_PUBLISHES };

static void hset(struct kv *kv, int partition, const char *field, const char *value)
{
    struct arena arena = {0};
    struct kv_reply *replies;
    struct err err = {0};
    kv_words(kv, "HSET", key_pos(&arena, "v", "l1", partition), field, value, NULL);
    cr_assert_eq(kv_roundtrip(kv, &replies, &err), 1, "%s", err.text);
    arena_release(&arena);
}

static void meddle(enum meddling what, const struct kit *kit, const struct kit *other,
                   struct kv *kv)
{
    if (what == FLUSH || what == FLUSH_AND_TAKEN)
        flush(kv);
    for (int q = 0; q < KIT_PARTITIONS && what == FLUSH_AND_TAKEN; q++) {
        hset(kv, q, "owner", "a speed layer");
        hset(kv, q, "plan", kit->plan->hash);
        hset(kv, q, "next", "0");
        hset(kv, q, "cuts", "0");
    }
    for (int q = 0; q < KIT_PARTITIONS && what == ID_SWEPT; q++) {
        struct pos pos = kit_pos(kv, q);
        if (!*pos.generation)
            hset(kv, q, "gens", "");
        pos_release(&pos);
    }
    if (what == OTHER_PUBLISHES)
        run_ok(other, kv);
}

static void one_meddling(enum meddling what, const char *fault, const struct server *server,
                         struct kv *kv)
{
    struct kit kit, other;
    int status;
    kit_open(&kit, 26, 8);
    kit_open(&other, 26, 8); /* the same events archived elsewhere */
    kit_fill(&kit, 0, EVENTS);
    kit_fill(&other, 0, EVENTS);
    flush(kv);
    pid_t child = run_apart(&kit, server->uri, fault);
    waitpid(child, &status, WUNTRACED);
    cr_assert(WIFSTOPPED(status), "%s was not passed", fault);
    meddle(what, &kit, &other, kv);
    kill(child, SIGCONT);
    waitpid(child, &status, 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d at %s: status %x", what, fault,
              (unsigned)status);
    if (what == FLUSH ||
        what == FLUSH_AND_TAKEN) /* the registry went too: the next batch makes it */
        run_ok(&kit, kv);
    kit_expect_view(&kit, kv, ENDS);
    expect_tidy(&kit, kv, 1);
    kit_close(&other);
    kit_close(&kit);
}

Test(publish, what_happens_to_the_store_under_a_standing_batch_never_shows_in_the_view)
{
    static const char *const faults[] = {"generation load:2:stop", "generation load:9:stop",
                                         "publish:1:stop", "publish:2:stop",
                                         "publish landed:1:stop"};
    struct kit kit;
    kit_open(&kit, 26, 8);
    struct server server = server_start(&kit);
    struct kv *kv = kit_kv(server.uri);
    for (enum meddling what = FLUSH; what <= OTHER_PUBLISHES; what++)
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
            if (what != ID_SWEPT || i < 4) /* gens are no longer looked at where it has landed */
                one_meddling(what, faults[i], &server, kv);
    kv_close(kv);
    server_stop(&server);
    kit_close(&kit);
}

/* A batch in a process of its own, what it says in a file; exit 0: published, 2: refused everywhere. */
static pid_t run_telling(const struct kit *kit, const char *uri, const char *fault,
                         const char *said)
{
    pid_t child = fork();
    if (child)
        return child;
    struct kv *kv = NULL;
    struct batch_result result;
    struct err err = {0};
    if (!freopen(said, "w", stderr) || setvbuf(stderr, NULL, _IONBF, 0) ||
        kv_open(uri, &kv, &err) || fault_set(fault, NULL) || run(kit, kv, &result, &err))
        _exit(1);
    int refused = 0;
    for (int q = 0; q < KIT_PARTITIONS; q++) {
        refused += result.parts[q].publish.state == PUBLISH_REFUSED;
        fprintf(stderr, "%s\n", result.parts[q].publish.why);
    }
    _exit(refused == KIT_PARTITIONS ? 2 : refused);
}

static bool file_says(const char *path, const char *text)
{
    char all[4000] = "";
    FILE *file = fopen(path, "r");
    size_t got = file ? fread(all, 1, sizeof all - 1, file) : 0;
    if (file)
        fclose(file);
    all[got] = 0;
    return strstr(all, text) != NULL;
}

Test(publish, of_two_batches_at_once_one_wins_and_the_other_says_so)
{
    struct kit kit;
    char first[120], second[120];
    int status;
    kit_open(&kit, 27, 8);
    kit_fill(&kit, 0, EVENTS);
    snprintf(first, sizeof first, "%s/first", kit.dir);
    snprintf(second, sizeof second, "%s/second", kit.dir);
    struct server server = server_start(&kit);
    struct kv *kv = kit_kv(server.uri);
    pid_t winner = run_telling(&kit, server.uri, "publish:2:stop", first);
    waitpid(winner, &status, WUNTRACED);
    cr_assert(WIFSTOPPED(status));
    pid_t other = run_telling(&kit, server.uri, NULL, second);
    for (int i = 0; i < 1000 && !file_says(second, "another batch is publishing"); i++)
        clock_sleep_ms(10);
    cr_expect(file_says(second, "another batch is publishing"));
    kill(winner, SIGCONT);
    waitpid(winner, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", (unsigned)status);
    waitpid(other, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 2, "%x", (unsigned)status);
    cr_expect(file_says(second, "a batch up to the same offset is already published"));
    kit_expect_view(&kit, kv, ENDS);
    expect_tidy(&kit, kv, 1);
    kv_close(kv);
    server_stop(&server);
    kit_close(&kit);
}
