/* tests/bench/test_exact.c - what bench/exact.h says of a cell at any positions is what the oracle says. */
#include "bench/exact.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdlib.h>

#include "common/base/rng.h"
#include "workloads/oracle.h"
#include "workloads/publish.h"

enum { EVENTS = 3000, PARTS = 3, POSITIONS = 40, WINDOW_MS = 100, SEED = 5 };

static const char PLAN[] =
    "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"event_time\",\"format\":\"ms\"},\"fields\":{"
    "\"ad_type\":\"string\",\"event_type\":\"string\"}},\"key\":[\"ad_type\"],\"window\":{"
    "\"tumbling\":\"100ms\"},\"allowed_lateness\":\"unlimited\",\"values\":{\"n\":\"count\",\"v\":{"
    "\"count\":true,\"where\":[\"event_type\",\"=\",\"view\"]}}}";

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static void read_ad(void *context, const struct workload_event *event, struct exact_event *out)
{
    char *key = context;
    struct bytes type = exact_field(event->value, "\"ad_type\":");
    int len = snprintf(key, 64, "[\"%.*s\"]", (int)type.len, type.ptr);
    bool view = bytes_equal(exact_field(event->value, "\"event_type\":"), bytes_of("view"));
    *out = (struct exact_event){.counts = true, .key = {key, (size_t)len}, .marked = view};
}

static const struct workload_options ADS = {.seed = SEED, .events = EVENTS, .event_rate = 1000};
static const struct disorder_options LATE = {
    .seed = SEED, .late_share = 0.1, .late_max_ms = 2 * WINDOW_MS};

/* The same events as a log has them. */
static struct log *open_log(const char *directory)
{
    char uri[96];
    struct log *log = NULL;
    struct err err = {0};
    struct publish_options how = {.shape.partitions = PARTS, .speed = PUBLISH_MAX};
    struct publish_result result = {0};
    snprintf(uri, sizeof uri, "embedded:%s/log", directory);
    cr_assert_eq(log_open(uri, true, &log, &err), 0, "%s", err.text);
    cr_assert_eq(publish_stream(&workload_ads, &ADS, &LATE, log, "t", &how, &result, &err), 0, "%s",
                 err.text);
    hist_release(&result.late_us);
    return log;
}

static const struct answer_row *row_of(const struct answer *answer, struct exact_cell at)
{
    for (size_t i = 0; i < answer->count; i++)
        if (answer->rows[i].window_ms == at.window_ms &&
            bytes_equal(answer->rows[i].key, bytes_of(at.key)))
            return &answer->rows[i];
    return NULL;
}

static void check_at(const struct exact *exact, struct oracle *oracle, const int64_t *next)
{
    struct answer_part parts[PARTS] = {{0}};
    struct answer wanted = {0};
    struct err err = {0};
    size_t rows = 0;
    for (int p = 0; p < PARTS; p++)
        parts[p] = (struct answer_part){.read = true, .next = next[p]};
    cr_assert_eq(oracle_contract(oracle, parts, &wanted, &err), 0, "%s", err.text);
    for (int cell = 0; cell < exact_cells(exact); cell++) {
        struct exact_sum sum = exact_at(exact, cell, next);
        const struct answer_row *row = row_of(&wanted, exact_cell(exact, cell));
        long long n = 0, marked = 0;
        rows += sum.count > 0;
        if (row)
            cr_assert_eq(sscanf(row->values.ptr, "\"n\":%lld,\"v\":%lld", &n, &marked), 2);
        cr_expect(n == sum.count && marked == sum.marked, "%s %lld: %lld and %lld",
                  exact_cell(exact, cell).key, (long long)exact_cell(exact, cell).window_ms, n,
                  marked);
    }
    cr_expect_eq(rows, wanted.count, "as many cells as rows");
    for (int p = 0; p < PARTS; p++)
        cr_expect_eq(exact_time(exact, p, next[p]), wanted.parts[p].T_ms);
    answer_release(&wanted);
}

Test(exact, a_cell_holds_at_any_positions_what_the_oracle_says)
{
    char directory[] = "/tmp/lk-exact-XXXXXX", key[64];
    struct exact_rule rule = {.read = read_ad, .context = key, .window_ms = WINDOW_MS};
    struct exact *exact;
    struct oracle *oracle;
    struct rng rng;
    struct err err = {0};
    cr_assert(mkdtemp(directory));
    struct log *log = open_log(directory);
    cr_assert_eq(exact_make(&workload_ads, &ADS, &LATE, &rule, PARTS, &exact, &err), 0, "%s",
                 err.text);
    cr_assert_eq(oracle_open(bytes_of(PLAN), directory, log, "t", &oracle, &err), 0, "%s",
                 err.text);
    rng_init(&rng, SEED);
    for (int i = 0; i < POSITIONS; i++) {
        int64_t next[PARTS];
        for (int p = 0; p < PARTS; p++) {
            cr_assert_eq(exact_end(exact, p), oracle_end(oracle, p));
            next[p] = i == 0 ? exact_end(exact, p)
                             : (int64_t)rng_below(&rng, (uint64_t)exact_end(exact, p) + 1);
        }
        check_at(exact, oracle, next);
    }
    cr_expect_eq(exact_cell_of(exact, 0, -1), -1);
    cr_expect_eq(exact_cell_of(exact, 0, exact_end(exact, 0)), -1);
    oracle_close(oracle);
    exact_free(exact);
    log_close(log);
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
