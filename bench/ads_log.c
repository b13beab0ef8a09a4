/* bench/ads_log.c - see ads_log.h. */
#include "bench/ads_log.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/stop.h"
#include "workloads/publish.h"

int ads_log_fill(struct log *log, const char *directory, int64_t events, int partitions,
                 uint64_t seed, struct err *err)
{
    struct workload_options options = {.seed = seed, .events = events, .tables_dir = directory};
    struct disorder_options disorder = {0};
    struct publish_options schedule = {.shape.partitions = partitions, .speed = PUBLISH_MAX};
    struct publish_result result = {0};
    int rc =
        publish_stream(&workload_ads, &options, &disorder, log, "ads", &schedule, &result, err);
    hist_release(&result.late_us);
    return rc;
}

/* ---- the events by themselves ---- */

enum { LANE_RECORDS = 4096, LANE_BYTES = LANE_RECORDS * 512 };

struct lane {
    struct log_record records[LANE_RECORDS];
    char bytes[LANE_BYTES];
    int count;
    size_t used;
};

/* What all lanes hold, in one call. */
static int flush(struct log *log, const char *topic, struct lane *lanes, int partitions,
                 struct err *err)
{
    struct log_append parts[LOG_PARTITIONS_MAX];
    int count = 0;
    for (int p = 0; p < partitions; p++) {
        if (lanes[p].count > 0)
            parts[count++] = (struct log_append){p, lanes[p].count, lanes[p].records};
        lanes[p].count = 0;
        lanes[p].used = 0;
    }
    return count > 0 ? log_append_all(log, topic, parts, count, err) : 0;
}

static void add(struct lane *lane, struct bytes value)
{
    memcpy(lane->bytes + lane->used, value.ptr, value.len);
    lane->records[lane->count++] =
        (struct log_record){.value = {lane->bytes + lane->used, value.len}};
    lane->used += value.len;
}

int ads_count(const struct workload_options *options, struct straight *straight, struct err *err)
{
    struct workload_event event;
    struct buf table = {0};
    void *ads = NULL;
    int rc = workload_ads.open(options, &ads, err);
    buf_printf(&table, "%s/campaigns.jsonl", options->tables_dir);
    if (rc == 0)
        rc = straight_init(straight, table.ptr, err);
    while (rc == 0 && workload_ads.next(ads, &event, err) == 1)
        straight_add(straight, event.value);
    if (ads)
        workload_ads.close(ads);
    buf_release(&table);
    return rc;
}

int ads_log_fill_bare(struct log *log, const char *topic, const struct workload_options *options,
                      int partitions, struct err *err)
{
    struct workload_event event;
    void *ads = NULL;
    struct lane *lanes = mem_zero((size_t)partitions, sizeof *lanes);
    int rc = workload_ads.open(options, &ads, err);
    for (int64_t n = 0; rc == 0 && workload_ads.next(ads, &event, err) == 1; n++) {
        struct lane *lane = &lanes[n % partitions];
        if (lane->count == LANE_RECORDS || lane->used + event.value.len > LANE_BYTES)
            rc = flush(log, topic, lanes, partitions, err);
        add(lane, event.value);
        if (stop_asked())
            rc = err_set(err, ERR_INTERRUPTED, "interrupted");
    }
    if (rc == 0)
        rc = flush(log, topic, lanes, partitions, err);
    if (ads)
        workload_ads.close(ads);
    free(lanes);
    return rc;
}

void ads_log_view(void *context, const struct workload_event *event, struct exact_event *out)
{
    static _Thread_local char key[64];
    const struct straight *straight = context;
    const struct bytes *campaign =
        map_get(&straight->campaigns, exact_field(event->value, "\"ad_id\":"));
    *out = (struct exact_event){0};
    if (!campaign || !bytes_equal(exact_field(event->value, "\"event_type\":"), bytes_of("view")))
        return;
    int len = snprintf(key, sizeof key, "[\"%.*s\"]", (int)campaign->len, campaign->ptr);
    out->counts = true;
    out->key = (struct bytes){key, (size_t)len};
}
