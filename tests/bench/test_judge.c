/* tests/bench/test_judge.c - what the judge says of reads that were made by hand: right ones pass, each wrong one
 * fails the check that is about it, and recovery is counted from the end of a fault. */
#include "bench/run.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "workloads/oracle.h"
#include "workloads/publish.h"

enum { EVENTS = 400, PARTS = 2, SIDES = 2, PROBES = 60, STEP_MS = 10 };
#define BEGAN_WALL_NS INT64_C(1700000000000000000) /* long ago: every event is due */
#define BEGAN_NS INT64_C(5000000000)
#define MS INT64_C(1000000)

/* 400 events in 400 ms, of which a read made every 10 ms holds those that were due 5 ms before. */
struct stand {
    char directory[40];
    struct run *run;
    struct oracle *oracle;
    struct probe probes[SIDES][PROBES];
    int64_t next[SIDES][PROBES][PARTS];
    struct whole wholes[SIDES][2];
    struct answer_part parts[SIDES][2][PARTS];
};

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static void publish(struct stand *stand)
{
    struct workload_options options = {
        .seed = 3, .events = EVENTS, .event_rate = 1000, .tables_dir = stand->directory};
    struct disorder_options disorder = {.seed = 3};
    struct publish_options how = {.shape.partitions = PARTS, .speed = 1, .start_ns = BEGAN_WALL_NS};
    struct publish_result result = {0};
    struct err err = {0};
    cr_assert_eq(publish_stream(&workload_ads, &options, &disorder, stand->run->log, "t", &how,
                                &result, &err),
                 0, "%s", err.text);
    hist_release(&result.late_us);
}

/* Events of partition p that are due before ms after the beginning: number n at n ms, dealt out in turn. */
static int64_t due_before(int p, int64_t ms)
{
    int64_t all = ms < 0 ? 0 : ms > EVENTS ? EVENTS : ms;
    return (all + PARTS - 1 - p) / PARTS;
}

/* Probe i ends at 10 (i + 1) ms and holds what was due by lag_ms before. */
static void probe(struct stand *stand, int side, int i, int64_t lag_ms)
{
    int64_t at_ms = (int64_t)STEP_MS * (i + 1);
    for (int p = 0; p < PARTS; p++)
        stand->next[side][i][p] = due_before(p, at_ms - lag_ms);
    stand->probes[side][i] = (struct probe){.sent_ns = BEGAN_WALL_NS + at_ms * MS - 1,
                                            .done_ns = BEGAN_WALL_NS + at_ms * MS,
                                            .next = stand->next[side][i]};
}

/* A whole read at at_ms of exactly what the oracle says of that position. */
static void whole(struct stand *stand, int side, int i, int64_t at_ms, int64_t lag_ms)
{
    struct answer answer = {0};
    struct whole *whole = &stand->wholes[side][i];
    *whole = (struct whole){.done_ns = BEGAN_WALL_NS + at_ms * MS, .version = 1, .balanced = true};
    whole->parts = stand->parts[side][i];
    for (int p = 0; p < PARTS; p++)
        whole->parts[p] = (struct answer_part){
            .read = true, .next = due_before(p, at_ms - lag_ms), .floor_ms = INT64_MIN};
    struct err err = {0};
    cr_assert_eq(oracle_contract(stand->oracle, whole->parts, &answer, &err), 0, "%s", err.text);
    answer_digest(&answer, whole->digest);
    answer_release(&answer);
}

static void stand_open(struct stand *stand)
{
    static const struct pipeline *const PIPES[] = {&pipeline_lambda, &pipeline_kappa};
    struct err err = {0};
    *stand = (struct stand){.directory = "/tmp/lk-test-judge.XXXXXX"};
    cr_assert_not_null(mkdtemp(stand->directory));
    struct run *run = stand->run = mem_zero(1, sizeof *run);
    run->options = (struct compare_options){
        .workload = "ads", .seed = 3, .event_count = EVENTS, .rate = 1000, .speed = 1};
    snprintf(run->topic, sizeof run->topic, "t");
    snprintf(run->log_uri, sizeof run->log_uri, "embedded:%s/log", stand->directory);
    cr_assert_eq(log_open(run->log_uri, true, &run->log, &err), 0, "%s", err.text);
    publish(stand);
    struct bytes plan = workload_plan("ads.json");
    buf_add(&run->plan_json, plan.ptr, plan.len);
    run->table_dir = stand->directory;
    run->began_ns = BEGAN_NS;
    run->began_wall_ns = BEGAN_WALL_NS;
    run->events = EVENTS;
    run->duration_ns = EVENTS * MS;
    run->side_count = SIDES;
    cr_assert_eq(oracle_open(plan, stand->directory, run->log, "t", &stand->oracle, &err), 0, "%s",
                 err.text);
    for (int side = 0; side < SIDES; side++) {
        run->sides[side].name = PIPES[side]->name;
        run->sides[side].pipeline = PIPES[side];
        run->sides[side].recovery_us = -1;
        for (int i = 0; i < PROBES; i++)
            probe(stand, side, i, 5);
        whole(stand, side, 0, 200, 5);
        whole(stand, side, 1, 600, 5);
        run->sides[side].probing.probes = stand->probes[side];
        run->sides[side].probing.count = PROBES;
        run->sides[side].reading.wholes = stand->wholes[side];
        run->sides[side].reading.count = 2;
    }
}

static void stand_close(struct stand *stand)
{
    for (int side = 0; side < SIDES; side++) {
        hist_release(&stand->run->sides[side].fresh_us);
        hist_release(&stand->run->sides[side].calm_us);
        buf_release(&stand->run->sides[side].fresh_lines);
    }
    oracle_close(stand->oracle);
    log_close(stand->run->log);
    buf_release(&stand->run->plan_json);
    buf_release(&stand->run->samples);
    free(stand->run->strikes);
    free(stand->run);
    nftw(stand->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void judge(struct stand *stand)
{
    struct err err = {0};
    cr_assert_eq(run_judge(stand->run, &err), 0, "%s", err.text);
}

/* The names of the checks that failed, each followed by a line break. */
static char *failed(const struct run *run)
{
    struct buf names = {0};
    buf_add_text(&names, "");
    for (int i = 0; i < run->check_count; i++)
        if (!run->checks[i].pass)
            buf_printf(&names, "%s\n", run->checks[i].name);
    return names.ptr;
}

static void expect_failed(struct stand *stand, const char *names)
{
    char *found = failed(stand->run);
    cr_expect_str_eq(found, names);
    free(found);
}

Test(judge, reads_that_say_what_the_log_says_pass)
{
    struct stand stand;
    stand_open(&stand);
    judge(&stand);
    expect_failed(&stand, "");
    cr_expect_eq(stand.run->check_count, 9);
    for (int i = 0; i < SIDES; i++) {
        const struct side *side = &stand.run->sides[i];
        cr_expect(side->contract_held && side->final_true);
        cr_expect_eq(side->fresh_us.total, EVENTS, "each event once");
        /* due at k ms, seen at the first tenth ms from k + 5 on, k + 5 itself not yet */
        cr_expect(side->fresh_us.max >= 14900 && side->fresh_us.max <= 15100, "%lld us",
                  (long long)side->fresh_us.max);
        cr_expect_eq(side->recovery_us, -1, "there was no fault");
    }
    stand_close(&stand);
}

static void wrong_digest(struct stand *stand)
{
    stand->wholes[1][0].digest[7] ^= 1;
}

static void unbalanced(struct stand *stand)
{
    stand->wholes[0][1].balanced = false;
}

/* The last read lacks the last events: it equals its contract, and not the truth. */
static void behind_at_the_end(struct stand *stand)
{
    whole(stand, 1, 1, 600, 300);
}

static void events_never_seen(struct stand *stand)
{
    for (int i = 0; i < PROBES; i++)
        probe(stand, 0, i, 250);
}

static void log_with_a_record_too_many(struct stand *stand)
{
    struct log_record record = {.value = bytes_of("{}")};
    log_append(stand->run->log, "t", 0, &record, 1, NULL);
}

static void nobody_struck(struct stand *stand)
{
    stand->run->strikes = mem_zero(1, sizeof *stand->run->strikes);
    stand->run->strikes[0] = (struct strike){.nobody = true, .struck_ns = BEGAN_NS + 1};
    stand->run->strike_count = 1;
}

static const struct {
    const char *what;
    void (*plant)(struct stand *stand);
    const char *failed;
} WRONG[] = {
    {"a digest", wrong_digest, "kappa: every whole read equals its contract\n"},
    {"counters", unbalanced, "lambda: counters balance\n"},
    {"an old last read", behind_at_the_end, "kappa: the last read equals truth\n"},
    {"events never seen", events_never_seen, "lambda: every event was seen by a read\n"},
    {"a record too many", log_with_a_record_too_many, NULL},
    {"nobody struck", nobody_struck, "every fault struck somebody\n"},
};

Test(judge, what_is_wrong_fails_the_check_that_is_about_it)
{
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct stand stand;
        stand_open(&stand);
        WRONG[i].plant(&stand);
        judge(&stand);
        char *found = failed(stand.run);
        if (WRONG[i].failed)
            cr_expect_str_eq(found, WRONG[i].failed, "%s: %s", WRONG[i].what, found);
        else
            cr_expect(strstr(found, "the log holds each due event once, in order\n"), "%s: %s",
                      WRONG[i].what, found);
        free(found);
        stand_close(&stand);
    }
}

/* Kappa answers nothing new from 100 ms on, is back at back_ms; the fault was over at 150 ms. */
static void outage(struct stand *stand, int64_t back_ms)
{
    struct run *run = stand->run;
    run->strikes = mem_zero(1, sizeof *run->strikes);
    run->strikes[0] = (struct strike){.struck_ns = BEGAN_NS + 100 * MS,
                                      .over_ns = BEGAN_NS + 150 * MS,
                                      .touches = {false, true},
                                      .recovery_us = {-1, -1}};
    run->strike_count = 1;
    for (int i = 0; i < PROBES; i++) {
        int64_t at_ms = (int64_t)STEP_MS * (i + 1);
        probe(stand, 1, i, at_ms < 100 || at_ms >= back_ms ? 5 : at_ms - 95);
    }
}

Test(judge, recovery_counts_from_the_end_of_a_fault_to_an_answer_as_fresh_as_before)
{
    static const struct {
        int64_t back_ms, recovery_us;
    } ROWS[] = {{160, 10000}, {200, 50000}, {300, 150000}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct stand stand;
        stand_open(&stand);
        outage(&stand, ROWS[i].back_ms);
        judge(&stand);
        expect_failed(&stand, "");
        cr_expect_eq(stand.run->strikes[0].recovery_us[1], ROWS[i].recovery_us, "%lld",
                     (long long)stand.run->strikes[0].recovery_us[1]);
        cr_expect_eq(stand.run->sides[1].recovery_us, ROWS[i].recovery_us);
        cr_expect_eq(stand.run->strikes[0].recovery_us[0], -1, "lambda was not struck");
        stand_close(&stand);
    }
}

/* The last events were due at 399 ms: a fault that ends later is over with the answer that holds them. */
Test(judge, a_fault_that_outlasts_the_events_is_recovered_from_when_all_are_held)
{
    struct stand stand;
    stand_open(&stand);
    outage(&stand, 560);
    stand.run->strikes[0].over_ns = BEGAN_NS + 500 * MS;
    judge(&stand);
    cr_expect_eq(stand.run->strikes[0].recovery_us[1], 60000, "%lld",
                 (long long)stand.run->strikes[0].recovery_us[1]);
    stand_close(&stand);
}

/* An answer that holds a new event and lacks old ones is no recovery. */
Test(judge, who_has_not_caught_up_has_not_recovered)
{
    struct stand stand;
    stand_open(&stand);
    outage(&stand, 200);
    for (int i = 15; i < 30; i++) /* 160 .. 300 ms: 40 ms behind, yet beyond the fault's end */
        probe(&stand, 1, i, 40);
    judge(&stand);
    cr_expect_eq(stand.run->strikes[0].recovery_us[1], 160000, "%lld",
                 (long long)stand.run->strikes[0].recovery_us[1]);
    stand_close(&stand);
}
