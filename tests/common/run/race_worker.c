/* tests/common/run/race_worker.c - for the thread sanitizer: workers' threads fold a log that grows,
 * into one memory server, while others read the view and break connections. A plain program. */
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/stop.h"
#include "common/run/job.h"
#include "common/store/read.h"

enum { PARTITIONS = 4, EVENTS = 600, WORKERS = 4 };
#define TOPIC "made_up"
#define URI "memory:race"

static const char PLAN[] =
    "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},\"fields\":{"
    "\"k\":\"string\",\"x\":\"int\"}},\"key\":[\"k\"],\"window\":{\"tumbling\":\"1s\"},"
    "\"allowed_lateness\":\"1s\",\"keep\":\"20s\","
    "\"values\":{\"n\":\"count\",\"s\":{\"sum\":\"x\"}}}";

struct race {
    char log_uri[64];
    const struct plan *plan;
    enum arch arch;
    struct log *log;
    atomic_bool over;
};

static void must_be(int rc, const struct err *err, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "race_worker: %s: %s\n", what, err->text);
    _exit(1);
}
#define must(call, err) must_be((int)(call), (err), #call)

static void *append(void *context)
{
    struct race *race = context;
    for (int i = 0; i < EVENTS; i++)
        for (int p = 0; p < PARTITIONS; p++) {
            char text[80];
            struct err err = {0};
            snprintf(text, sizeof text, "{\"t\":%d,\"k\":\"k%d\",\"x\":%d}", i * 10, i % 7, i);
            struct log_record record = {.value = bytes_of(text)};
            must(log_append(race->log, TOPIC, p, &record, 1, &err), &err);
        }
    return NULL;
}

static void *read_again_and_again(void *context)
{
    struct race *race = context;
    struct kv *kv;
    struct err err = {0};
    must(kv_open(URI, &kv, &err), &err);
    while (!race->over) {
        struct answer answer = {0};
        struct view_query query = {0};
        err_clear(&err);
        view_read(kv, "v", race->arch, &query, &answer, &err); /* may be away or a gap */
        answer_release(&answer);
    }
    kv_close(kv);
    return NULL;
}

static void *trouble(void *context)
{
    struct race *race = context;
    for (int i = 0; !race->over; i++) {
        memory_break("race", i % 2);
        memory_full("race", i % 5 == 0);
        if (i % 16 == 3)
            memory_snapshot("race");
        if (i % 16 == 9)
            memory_restore("race");
        clock_sleep_ms(10);
    }
    memory_full("race", false);
    return NULL;
}

static void run_workers(struct race *race)
{
    int partitions[PARTITIONS] = {0, 1, 2, 3};
    int64_t until[PARTITIONS] = {EVENTS, EVENTS, EVENTS, EVENTS};
    struct worker_options options = {.plan = race->plan,
                                     .topic = TOPIC,
                                     .partitions = partitions,
                                     .count = PARTITIONS,
                                     .workers = WORKERS,
                                     .job = {.view_uri = URI,
                                             .arch = race->arch,
                                             .version = 1,
                                             .commit_ms = 1,
                                             .span_ms = 20,
                                             .memory_bytes = 1 << 16,
                                             .patience_ms = 60000}};
    struct worker_result result;
    struct err err = {0};
    int rc = worker_run_on(&options, race->log, until, &result, &err);
    while (rc == ERR_FULL) { /* it began while the server was full: run it again, as it says */
        stop_ask(false);
        err_clear(&err);
        rc = worker_run_on(&options, race->log, until, &result, &err);
    }
    must(rc, &err);
}

static void add_view(struct race *race)
{
    struct kv *kv;
    struct err err = {0};
    must(kv_open(URI, &kv, &err), &err);
    must(registry_add(kv, race->plan, race->arch, PARTITIONS, &err), &err);
    memory_snapshot("race"); /* what a restore goes back to at the earliest */
    kv_close(kv);
}

static void read_all(struct race *race, struct answer *out)
{
    struct kv *kv;
    struct view_query query = {.exact = true};
    struct err err = {0};
    must(kv_open(URI, &kv, &err), &err);
    must(view_read(kv, "v", race->arch, &query, out, &err), &err);
    kv_close(kv);
}

static void differ(const struct answer_row *quiet, const struct answer_row *troubled, void *context)
{
    struct buf text = {0};
    (void)context;
    buf_add_text(&text, "quiet ");
    if (quiet)
        answer_row_json(quiet, &text);
    buf_add_text(&text, " troubled ");
    if (troubled)
        answer_row_json(troubled, &text);
    fprintf(stderr, "%s\n", text.ptr);
    buf_release(&text);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

/* The view, made in quiet or under trouble. */
static void race_once(struct race *race, bool quiet, struct answer *out)
{
    char dir[] = "/tmp/lk-race-worker.XXXXXX";
    struct err err = {0};
    pthread_t threads[3];
    if (!mkdtemp(dir))
        exit(1);
    snprintf(race->log_uri, sizeof race->log_uri, "embedded:%s", dir);
    race->over = false;
    memory_drop("race");
    must(log_open(race->log_uri, true, &race->log, &err), &err);
    must(log_create_topic(race->log, TOPIC, (struct log_shape){.partitions = PARTITIONS}, &err),
         &err);
    add_view(race);
    pthread_create(&threads[0], NULL, append, race);
    pthread_create(&threads[1], NULL, read_again_and_again, race);
    if (!quiet)
        pthread_create(&threads[2], NULL, trouble, race);
    run_workers(race);
    race->over = true;
    for (int i = 0; i < (quiet ? 2 : 3); i++)
        pthread_join(threads[i], NULL);
    run_workers(race); /* the store may have gone back behind a thread that had ended */
    read_all(race, out);
    log_close(race->log);
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    static const enum arch ARCHS[] = {ARCH_KAPPA, ARCH_LAMBDA};
    struct plan *plan;
    struct buf mistakes = {0};
    struct err err = {0};
    int failed = 0;
    must(plan_parse(bytes_of(PLAN), ".", false, &plan, &mistakes, &err), &err);
    for (int i = 0; i < 2; i++) {
        struct race race = {.plan = plan, .arch = ARCHS[i]};
        struct answer quiet, troubled;
        race_once(&race, true, &quiet);
        race_once(&race, false, &troubled);
        failed += answer_diff(&quiet, &troubled, differ, NULL) > 0;
        answer_release(&quiet);
        answer_release(&troubled);
    }
    plan_free(plan);
    buf_release(&mistakes);
    printf("%d passed, %d failed\n", 2 - failed, failed);
    return failed != 0;
}
