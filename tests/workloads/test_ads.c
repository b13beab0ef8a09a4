/* tests/workloads/test_ads.c - the ads events are the benchmark's, and the same everywhere. */
#include <jansson.h>
#include <math.h>

#include "scratch.h"

static uint64_t hash_of(uint64_t seed, int64_t events, bool skew)
{
    int64_t count;
    struct stream *stream = scratch_stream(
        &workload_ads, (struct workload_options){.seed = seed, .events = events, .skew = skew},
        (struct disorder_options){0});
    uint64_t hash = scratch_hash_stream(stream, &count);
    stream_close(stream);
    cr_assert_eq(count, events);
    return hash;
}

Test(ads, are_the_same_bytes_on_every_machine)
{
    cr_expect_eq(hash_of(7, 10000, false), UINT64_C(0x57df0db7b559301f), "%llx",
                 (unsigned long long)hash_of(7, 10000, false));
    cr_expect_eq(hash_of(7, 10000, true), UINT64_C(0x2a307fe6edee837e), "%llx",
                 (unsigned long long)hash_of(7, 10000, true));
    cr_expect_neq(hash_of(7, 10000, false), hash_of(8, 10000, false));
}

/* Count a string member of an event by its text. */
static const char *count_text(json_t *counts, json_t *event, const char *name)
{
    const char *text = json_string_value(json_object_get(event, name));
    cr_assert_not_null(text, "%s", name);
    json_t *of = json_object_get(counts, name);
    if (!of) {
        of = json_object();
        json_object_set_new(counts, name, of);
    }
    json_int_t count = json_integer_value(json_object_get(of, text));
    json_object_set_new(of, text, json_integer(count + 1));
    return text;
}

/* choices values there are, each within 5 standard deviations of its share of n. */
static void expect_uniform(json_t *counts, const char *name, size_t choices, double n)
{
    json_t *of = json_object_get(counts, name), *count;
    const char *text;
    cr_expect_eq(json_object_size(of), choices, "%s: %zu", name, json_object_size(of));
    double mean = n / (double)choices, sigma = sqrt(mean * (1 - 1 / (double)choices));
    json_object_foreach (of, text, count)
        cr_expect_lt(fabs((double)json_integer_value(count) - mean), 5 * sigma + 0.5, "%s %s: %lld",
                     name, text, json_integer_value(count));
}

Test(ads, are_uniform_over_every_choice_and_253_bytes_in_the_mean)
{
    enum { N = 100000 };
    static const struct {
        const char *name;
        size_t choices;
    } rows[] = {{"user_id", 100},  {"page_id", 100},  {"ad_id", 1000},       {"ad_type", 5},
                {"event_type", 3}, {"ip_address", 1}, {"event_time", N / 10}};
    struct stream *stream =
        scratch_stream(&workload_ads, (struct workload_options){.seed = 7, .events = N},
                       (struct disorder_options){0});
    struct workload_event event;
    json_t *counts = json_object();
    double bytes = 0;
    for (int64_t n = 0; stream_next(stream, &event, NULL) == 1; n++) {
        json_t *object = json_loadb(event.value.ptr, event.value.len, 0, NULL);
        cr_assert_eq(json_object_size(object), 7, "%.*s", (int)event.value.len, event.value.ptr);
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            count_text(counts, object, rows[i].name);
        const char *time = json_string_value(json_object_get(object, "event_time"));
        cr_assert_eq(atoll(time), event.event_ms);
        cr_assert_eq(event.event_ms, 1767225600000 + n / 10);
        cr_assert_eq(event.publish_us, n * 100);
        cr_assert_eq(event.number, n);
        cr_assert_null(event.key.ptr);
        bytes += (double)event.value.len;
        json_decref(object);
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_uniform(counts, rows[i].name, rows[i].choices, N);
    cr_expect_lt(fabs(bytes / N - 253.07), 0.1, "%f", bytes / N);
    json_decref(counts);
    stream_close(stream);
}

Test(ads, skew_moves_all_by_up_to_50_ms_and_few_by_up_to_a_minute)
{
    enum { N = 1000000 };
    struct stream *stream = scratch_stream(
        &workload_ads, (struct workload_options){.seed = 3, .events = N, .skew = true},
        (struct disorder_options){0});
    struct workload_event event;
    int far = 0;
    int64_t least = 0, most = 0;
    for (int64_t n = 0; stream_next(stream, &event, NULL) == 1; n++) {
        int64_t moved = event.event_ms - (1767225600000 + n / 10);
        cr_assert(moved > -60050 && moved <= 50, "%lld", (long long)moved);
        far += moved <= -50;
        if (moved > -50) {
            least = moved < least ? moved : least;
            most = moved > most ? moved : most;
        }
    }
    cr_expect(far >= 2 && far <= 25, "%d of a million", far);
    cr_expect_eq(least, -49);
    cr_expect_eq(most, 50);
    stream_close(stream);
}

Test(ads, tables_name_every_ad_of_the_events_and_the_plan_comes_with_them)
{
    struct scratch scratch = scratch_make();
    char dir[96], path[128];
    snprintf(dir, sizeof dir, "%s/tables", scratch.dir);
    struct stream *stream = scratch_stream(
        &workload_ads, (struct workload_options){.seed = 7, .events = 1000, .tables_dir = dir},
        (struct disorder_options){0});
    snprintf(path, sizeof path, "%s/campaigns.jsonl", dir);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    char line[256];
    json_t *campaign_of = json_object(), *campaigns = json_object();
    while (fgets(line, sizeof line, file)) {
        json_t *row = json_loads(line, 0, NULL);
        json_object_set(campaign_of, json_string_value(json_object_get(row, "ad_id")),
                        json_object_get(row, "campaign_id"));
        json_object_set_new(campaigns, json_string_value(json_object_get(row, "campaign_id")),
                            json_true());
        json_decref(row);
    }
    fclose(file);
    cr_expect_eq(json_object_size(campaign_of), 1000);
    cr_expect_eq(json_object_size(campaigns), 100);
    struct workload_event event;
    while (stream_next(stream, &event, NULL) == 1) {
        json_t *object = json_loadb(event.value.ptr, event.value.len, 0, NULL);
        const char *ad = json_string_value(json_object_get(object, "ad_id"));
        cr_expect_not_null(json_object_get(campaign_of, ad), "%s", ad);
        json_decref(object);
    }
    snprintf(path, sizeof path, "%s/ads.json", dir);
    json_t *plan = json_load_file(path, 0, NULL);
    cr_expect_not_null(json_object_get(plan, "view"));
    json_decref(plan);
    json_decref(campaign_of);
    json_decref(campaigns);
    stream_close(stream);
    scratch_remove(&scratch);
}

Test(ads, the_list_finds_every_workload_and_every_plan_is_json)
{
    for (int i = 0; WORKLOADS[i]; i++) {
        cr_expect_eq(workload_find(WORKLOADS[i]->name), WORKLOADS[i]);
        struct bytes plan = workload_plan(WORKLOADS[i]->plan);
        cr_expect_eq(!plan.ptr, !WORKLOADS[i]->plan);
        json_t *json = plan.ptr ? json_loadb(plan.ptr, plan.len, 0, NULL) : json_true();
        cr_expect_not_null(json, "%s", WORKLOADS[i]->name);
        json_decref(json);
    }
    cr_expect_null(workload_find("nothing"));
    cr_expect_null(workload_plan("nothing").ptr);
}
