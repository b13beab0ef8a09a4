/* bench/ads_log.c - see ads_log.h. */
#include "bench/ads_log.h"

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
