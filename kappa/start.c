/* kappa/start.c - where a version begins; see start.h.
 *
 * The floor. Let a version begin at offset s of a partition, and let T be the largest event time below s.
 * A window that begins above T holds no event from below s. Whether an event at or above s is late for
 * it is the same for a version that has seen everything: lateness is judged by the larger of T and
 * the version's own largest time, and such a window is open at T. An id that was seen below s was seen at
 * T at most, so it is forgotten for every event later than T + horizon; a sighting in between is stamped
 * T at least where all was seen and less here, and both are forgotten by then, too. So above T (+ horizon,
 * where the plan drops duplicates) every window is what the whole log makes of it, and any
 * bound that is not below T will do.
 * Bounds: an event is bad if it is more than max_ahead later than its log time; where there is no max_ahead, or
 * log times are not known without reading, the prefix is read. */
#include "kappa/start.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/stop.h"
#include "common/event/convert.h"
#include "common/event/scan.h"
#include "common/run/fold.h"

#define TIME_MAX_MS (INT64_C(1) << 53)

/* ---- positions ---- */

/* "0=5000,1=4800" into next, which holds the beginnings. */
static int named_positions(const char *text, int partitions, int64_t *next, struct err *err)
{
    for (const char *at = text; *at;) {
        char *equals, *end;
        long partition = strtol(at, &equals, 10);
        bool named = equals > at && *equals == '=';
        long long offset = named ? strtoll(equals + 1, &end, 10) : 0;
        if (!named || end == equals + 1 || (*end && *end != ',') || partition < 0 || offset < 0)
            return err_set(err, ERR_USAGE,
                           "positions: found \"%s\", expected such as 0=5000,1=4800", text);
        if (partition >= partitions)
            return err_set(err, ERR_USAGE, "positions: the topic has partitions 0 to %d, not %ld",
                           partitions - 1, partition);
        next[partition] = offset;
        at = *end ? end + 1 : end;
    }
    return 0;
}

static int check_range(struct log *log, const char *topic, int partition, int64_t next,
                       struct err *err)
{
    int64_t first, end;
    int rc = log_range(log, topic, partition, &first, &end, err);
    if (rc == 0 && (next < first || next > end))
        rc = err_set(err, ERR_USAGE,
                     "positions: partition %d of topic %s has offsets %lld to %lld, not %lld",
                     partition, topic, (long long)first, (long long)end, (long long)next);
    return rc;
}

int start_positions(const char *text, struct log *log, const char *topic, int partitions,
                    int64_t *next, struct err *err)
{
    int64_t time_ms = 0, end;
    bool at_end = strcmp(text, "end") == 0, named = strchr(text, '=') != NULL;
    if (!at_end && !named && !bytes_to_int64(bytes_of(text), &time_ms) &&
        !time_rfc3339(bytes_of(text), &time_ms))
        return err_set(
            err, ERR_USAGE,
            "found \"%s\", expected a log time (2026-11-22T20:00:00Z, or ms since 1970), "
            "end, or positions such as 0=5000,1=4800",
            text);
    int rc = 0;
    for (int p = 0; rc == 0 && p < partitions; p++) {
        rc = log_range(log, topic, p, &next[p], &end, err);
        if (rc == 0 && at_end)
            next[p] = end;
        else if (rc == 0 && !named)
            rc = log_offset_at(log, topic, p, time_ms, &next[p], err);
    }
    if (rc == 0 && named)
        rc = named_positions(text, partitions, next, err);
    for (int p = 0; rc == 0 && p < partitions; p++)
        rc = check_range(log, topic, p, next[p], err);
    return rc;
}

/* ---- the largest event time below a position ---- */

/* The largest log time below next: what lies at or above it comes behind next. By halving, since the
 * log finds offsets by time and not the other way. Of what retention has deleted the log knows nothing;
 * it deletes the oldest, which is taken to be no later than the first that is left (or than now). */
static int log_time_below(struct log *log, const char *topic, int partition, int64_t next,
                          int64_t *time_ms, struct err *err)
{
    int64_t first, end, low = 0, high = TIME_MAX_MS;
    int rc = log_range(log, topic, partition, &first, &end, err);
    if (first > 0 && next <= first)
        next = first + 1;
    while (rc == 0 && low < high) {
        int64_t middle = low + (high - low) / 2, offset;
        rc = log_offset_at(log, topic, partition, middle, &offset, err);
        if (offset >= next)
            high = middle;
        else
            low = middle + 1;
    }
    *time_ms = low < TIME_MAX_MS ? low - 1 : clock_wall_ms(); /* nothing is left */
    return rc;
}

/* The prefix, read and scanned. */
struct prefix {
    const struct plan *plan;
    struct scanner *scanner;
    struct columns *columns;
    int64_t T_ms;
};

static void see(struct prefix *prefix, const struct log_batch *batch, int64_t next)
{
    scanner_batch(prefix->scanner, batch->value, batch->count, prefix->columns);
    for (int i = 0; i < batch->count && batch->offset[i] < next; i++) {
        int64_t time_ms = prefix->columns->column[0].i64[i];
        if (prefix->columns->bad[i] == BAD_NOT && time_ms > prefix->T_ms &&
            !fold_is_ahead(prefix->plan, time_ms, batch->time_ms[i]))
            prefix->T_ms = time_ms;
    }
}

static int read_below(struct prefix *prefix, struct log *log, const char *topic, int partition,
                      int64_t next, struct err *err)
{
    struct log_reader *reader;
    struct log_batch batch = {0};
    int rc = log_reader_open(log, topic, &partition, 1, &reader, err);
    if (rc < 0)
        return rc;
    log_leave_due(reader);
    rc = log_seek(reader, partition, 0, err);
    while (rc >= 0 && batch.next < next && !stop_asked()) {
        rc = log_read(reader, LOG_BATCH_MAX, 100, &batch, err);
        if (rc > 0)
            see(prefix, &batch, next);
    }
    log_reader_close(reader);
    if (rc >= 0 && stop_asked())
        rc = err_set(err, ERR_INTERRUPTED, "interrupted");
    return rc < 0 ? rc : 0;
}

static int scan_below(const struct plan *plan, struct log *log, const char *topic, int partition,
                      int64_t next, int64_t *T_ms, struct err *err)
{
    int64_t first, end;
    int rc = log_range(log, topic, partition, &first, &end, err);
    if (rc == 0 && first > 0)
        rc = err_set(
            err, ERR_USAGE,
            "partition %d of topic %s begins at %lld now, and what lay below may have held events "
            "of "
            "any window: give the plan a source.max_ahead, which bounds event time by log time, or "
            "the archive: --log chain:ARCHIVE-DIR+LOG",
            partition, topic, (long long)first);
    if (rc < 0)
        return rc;
    struct prefix prefix = {plan, scanner_new(&plan->schema, SCAN_BEST), columns_new(&plan->schema),
                            INT64_MIN};
    rc = read_below(&prefix, log, topic, partition, next, err);
    *T_ms = prefix.T_ms;
    scanner_free(prefix.scanner);
    columns_free(prefix.columns);
    return rc;
}

/* May a record have an earlier log time than one before it? Producers stamp Kafka's records. Kafka finds
 * offsets by time all the same; in an archive of them they are found by halving, as if times rose. */
static bool may_fall(const struct log *log)
{
    return strncmp(log_uri(log), "embedded:", 9) != 0 && strncmp(log_uri(log), "kafka:", 6) != 0;
}

/* Nothing good below next has a later event time. INT64_MIN: nothing good is there. */
static int bound_below(const struct plan *plan, struct log *log, const char *topic, int partition,
                       int64_t next, int64_t *bound_ms, struct err *err)
{
    int64_t first, end;
    int rc = log_range(log, topic, partition, &first, &end, err);
    if (rc < 0)
        return rc;
    if (plan->max_ahead_ms == PLAN_UNLIMITED || (may_fall(log) && first == 0))
        return scan_below(plan, log, topic, partition, next, bound_ms, err);
    rc = log_time_below(log, topic, partition, next, bound_ms, err);
    if (rc == 0 && __builtin_add_overflow(*bound_ms, plan->max_ahead_ms, bound_ms))
        rc = err_set(err, ERR_USAGE, "source.max_ahead is beyond all time");
    return rc;
}

static int find_floor(const struct plan *plan, struct log *log, const char *topic, int partitions,
                      struct registry_start *start, struct err *err)
{
    int64_t latest_ms = INT64_MIN, forget_ms = plan->dedupe_by >= 0 ? plan->dedupe_horizon_ms : 0;
    for (int p = 0; p < partitions; p++) {
        int64_t bound_ms = INT64_MIN;
        int rc =
            start->next[p] ? bound_below(plan, log, topic, p, start->next[p], &bound_ms, err) : 0;
        if (rc < 0)
            return rc;
        latest_ms = bound_ms > latest_ms ? bound_ms : latest_ms;
    }
    start->floor_ms = latest_ms;
    if (latest_ms == INT64_MIN)
        return 0;
    if (__builtin_add_overflow(latest_ms, forget_ms, &start->floor_ms) ||
        __builtin_add_overflow(start->floor_ms, 1, &start->floor_ms))
        return err_set(err, ERR_USAGE, "an id is remembered for all time: the plan needs it all");
    return 0;
}

int start_find(const char *text, const struct plan *plan, struct log *log, const char *topic,
               int partitions, struct registry_start *start, struct err *err)
{
    *start = (struct registry_start){.count = partitions};
    start->next = mem_zero((size_t)partitions, sizeof *start->next);
    int rc = start_positions(text, log, topic, partitions, start->next, err);
    bool behind = false;
    for (int p = 0; p < partitions; p++)
        behind = behind || start->next[p] > 0;
    if (rc == 0 && behind && plan->window == WINDOW_NONE)
        rc = err_set(err, ERR_USAGE,
                     "view %s has one window for all time, which needs every event: without --from",
                     plan->view);
    if (rc == 0 && behind)
        rc = find_floor(plan, log, topic, partitions, start, err);
    if (rc == 0 && behind)
        return 0;
    free(start->next);
    *start = (struct registry_start){0};
    return rc;
}
