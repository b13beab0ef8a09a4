/* tests/workloads/test_disorder.c - disorder is as large as asked, seeded, and loses nothing. */
#include <jansson.h>
#include <math.h>

#include "common/base/map.h"
#include "scratch.h"

enum { N = 50000 };
static const struct workload_options ADS = {.seed = 5, .events = N};

/* What came of each event of the workload. */
struct fate {
    int copies;
    int64_t publish_us[2];
    uint64_t hash[2];
};

static struct fate *collect(struct disorder_options disorder, int64_t *total)
{
    struct stream *stream = scratch_stream(&workload_ads, ADS, disorder);
    struct fate *fates = mem_zero(N, sizeof *fates);
    struct workload_event event;
    struct err err = {0};
    int64_t before_us = 0;
    int rc;
    for (*total = 0; (rc = stream_next(stream, &event, &err)) == 1; ++*total) {
        cr_assert_geq(event.publish_us, before_us);
        before_us = event.publish_us;
        struct fate *fate = &fates[event.number];
        cr_assert_lt(fate->copies, 2);
        fate->publish_us[fate->copies] = event.publish_us;
        fate->hash[fate->copies++] = scratch_fnv(SCRATCH_FNV, event.value.ptr, event.value.len);
    }
    cr_assert_eq(rc, 0, "%s", err.text);
    stream_close(stream);
    return fates;
}

static void expect_near(double found, double wanted, double sigma, const char *what)
{
    cr_expect_lt(fabs(found - wanted), 5 * sigma, "%s: found %f, wanted %f", what, found, wanted);
}

Test(disorder, none_is_the_workload_itself)
{
    int64_t total;
    struct fate *fates = collect((struct disorder_options){.seed = 5}, &total);
    cr_expect_eq(total, N);
    for (int i = 0; i < N; i++)
        cr_assert(fates[i].copies == 1 && fates[i].publish_us[0] == i * INT64_C(100));
    free(fates);
}

Test(disorder, late_events_are_as_many_and_as_late_as_asked)
{
    int64_t total;
    struct fate *fates = collect(
        (struct disorder_options){.seed = 5, .late_share = 0.1, .late_max_ms = 2000}, &total);
    cr_expect_eq(total, N);
    int late = 0;
    double sum_us = 0;
    for (int i = 0; i < N; i++) {
        int64_t delay_us = fates[i].publish_us[0] - i * INT64_C(100);
        cr_assert(delay_us >= 0 && delay_us <= 2000000);
        late += delay_us > 0;
        sum_us += (double)delay_us;
    }
    expect_near(late, N * 0.1, sqrt(N * 0.1 * 0.9), "late");
    expect_near(sum_us / late, 1e6, 2e6 / sqrt(12.0 * late), "mean delay");
    free(fates);
}

Test(disorder, delays_are_exponential)
{
    int64_t total;
    struct fate *fates =
        collect((struct disorder_options){.seed = 6, .delay_mean_ms = 100}, &total);
    double sum_us = 0;
    int above = 0;
    for (int i = 0; i < N; i++) {
        int64_t delay_us = fates[i].publish_us[0] - i * INT64_C(100);
        sum_us += (double)delay_us;
        above += delay_us > 300000;
    }
    expect_near(sum_us / N, 1e5, 1e5 / sqrt(N), "mean delay");
    expect_near(above, N * exp(-3), sqrt(N * exp(-3)), "beyond three means");
    free(fates);
}

Test(disorder, duplicates_are_the_same_bytes_later)
{
    int64_t total;
    struct fate *fates = collect(
        (struct disorder_options){
            .seed = 5, .duplicate_share = 0.2, .duplicate_max_ms = 500, .malformed_share = 0.5},
        &total);
    expect_near((double)(total - N), N * 0.2, sqrt(N * 0.2 * 0.8), "duplicates");
    for (int i = 0; i < N; i++) {
        cr_assert_geq(fates[i].copies, 1);
        if (fates[i].copies == 1)
            continue;
        int64_t apart_us = fates[i].publish_us[1] - fates[i].publish_us[0];
        cr_assert_eq(fates[i].hash[0], fates[i].hash[1]);
        cr_assert(apart_us > 0 && apart_us <= 500000);
    }
    free(fates);
}

/* A flat object of strings as the ads are, with all seven members. */
static bool is_good(struct bytes value)
{
    json_t *json = json_loadb(value.ptr, value.len, JSON_REJECT_DUPLICATES, NULL);
    bool good = json_is_object(json) && json_object_size(json) == 7;
    json_decref(json);
    return good;
}

Test(disorder, malformed_events_are_as_many_as_asked_and_no_json_object_of_all_fields)
{
    struct stream *stream = scratch_stream(
        &workload_ads, ADS, (struct disorder_options){.seed = 5, .malformed_share = 0.1});
    struct stream *whole = scratch_stream(&workload_ads, ADS, (struct disorder_options){0});
    struct workload_event event, same;
    int changed = 0;
    while (stream_next(stream, &event, NULL) == 1) {
        cr_assert_eq(stream_next(whole, &same, NULL), 1);
        bool equal = bytes_equal(event.value, same.value);
        changed += !equal;
        cr_assert_eq(is_good(event.value), equal, "%.*s", (int)event.value.len, event.value.ptr);
    }
    expect_near(changed, N * 0.1, sqrt(N * 0.1 * 0.9), "malformed");
    stream_close(stream);
    stream_close(whole);
}

Test(disorder, malformed_flights_keep_their_key)
{
    struct workload_options options = {.events = 2000};
    struct stream *stream = scratch_stream(
        &workload_flights, options, (struct disorder_options){.seed = 1, .malformed_share = 1});
    struct stream *whole = scratch_stream(&workload_flights, options, (struct disorder_options){0});
    struct workload_event event, same;
    while (stream_next(stream, &event, NULL) == 1) {
        cr_assert_eq(stream_next(whole, &same, NULL), 1);
        cr_assert(bytes_equal(event.key, same.key));
        cr_assert_not(bytes_equal(event.value, same.value));
    }
    stream_close(stream);
    stream_close(whole);
}

Test(disorder, a_burst_holds_what_is_due_in_it_until_its_end)
{
    int64_t total;
    struct fate *fates = collect(
        (struct disorder_options){.seed = 5, .burst_every_ms = 1000, .burst_ms = 300}, &total);
    cr_expect_eq(total, N);
    for (int64_t i = 0; i < N; i++) {
        int64_t due_us = i * 100, into_us = due_us % 1000000;
        int64_t wanted_us = into_us < 300000 ? due_us - into_us + 300000 : due_us;
        cr_assert_eq(fates[i].publish_us[0], wanted_us);
    }
    free(fates);
}

Test(disorder, is_the_same_for_a_seed_and_another_for_another)
{
    struct disorder_options all = {.seed = 5,
                                   .delay_mean_ms = 20,
                                   .late_share = 0.05,
                                   .late_max_ms = 3000,
                                   .duplicate_share = 0.05,
                                   .duplicate_max_ms = 1000,
                                   .malformed_share = 0.01,
                                   .burst_every_ms = 700,
                                   .burst_ms = 70};
    uint64_t hash[3];
    for (int i = 0; i < 3; i++) {
        int64_t count;
        all.seed = i == 2 ? 6 : 5;
        struct stream *stream = scratch_stream(&workload_ads, ADS, all);
        hash[i] = scratch_hash_stream(stream, &count);
        stream_close(stream);
    }
    cr_expect_eq(hash[0], hash[1]);
    cr_expect_neq(hash[0], hash[2]);
    cr_expect_eq(hash[0], UINT64_C(0x20ee9d20afe52406), "%llx", (unsigned long long)hash[0]);
}

Test(disorder, what_means_nothing_is_refused)
{
    static const struct disorder_options rows[] = {
        {.late_share = 0.1},
        {.late_share = 1.1, .late_max_ms = 1},
        {.late_share = -0.1, .late_max_ms = 1},
        {.duplicate_share = 0.1},
        {.malformed_share = 2},
        {.delay_mean_ms = -1},
        {.burst_every_ms = 10},
        {.burst_every_ms = 10, .burst_ms = 11},
        {.burst_ms = 5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stream *stream;
        struct err err = {0};
        cr_expect_eq(stream_open(&workload_ads, &ADS, &rows[i], &stream, &err), ERR_USAGE,
                     "row %zu", i);
        cr_expect_eq(strncmp(err.text, "disorder: ", 10), 0, "%s", err.text);
    }
}
