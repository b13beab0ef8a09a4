/* lambda/columnar_feed.c - columnar files as a task's feed: by codes where the plan allows it, else as the
 * columns that a scan would have made, through the operators of every fold.
 *
 * A call folds a file to its end by codes, or 4,096 events of it as columns. What a file lacks is
 * read from its segment, and the file behind it is asked for again. */
#include "lambda/columnar.h"

#include <stdio.h>
#include <stdlib.h>

#include "lambda/columnar_fold.h"

struct columnar_feed {
    struct task_feed task;
    struct columnar_fields fields;
    struct columnar_place *place;
    struct columnar columnar;
    bool loaded;
    int partition;
    int64_t lacking_from, lacking_to; /* a segment that is left to the log */
    int64_t lacking, segments;
    struct columnar_fold *by_codes; /* NULL: the plan does not allow it */
};

/* Load the file at position: 1, 0 or a code. */
static int open_at(struct columnar_feed *feed, int64_t position, struct err *err)
{
    const struct columnar *columnar = &feed->columnar;
    if (feed->loaded && position >= columnar->from && position < columnar->next)
        return 1;
    if (position >= feed->lacking_from && position < feed->lacking_to)
        return 0;
    struct err why = {0};
    int64_t next;
    int rc = columnar_load(feed->place, position, &feed->columnar, &next, &why, err);
    feed->loaded = rc == 1;
    if (feed->loaded) {
        feed->segments++;
        return 1;
    }
    feed->lacking_from = position;
    feed->lacking_to = next;
    if (rc == 0 && why.code && feed->lacking++ == 0)
        fprintf(stderr,
                "lk: %s: its segment is read instead; lk lambda archive --columnar makes it\n",
                why.text);
    return rc;
}

/* The first row at or above a position. */
static int find_row(const struct columnar *columnar, int64_t position)
{
    int low = 0, high = columnar->events;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (columnar_offset(columnar, middle) >= position)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void fill_columns(const struct columnar *columnar, int from, int n, struct columns *columns)
{
    columns_clear(columns);
    columns->rows = n;
    for (int c = 0; c < columnar->column_count; c++)
        columnar_fill_column(&columnar->column[c], from, n, &columns->column[c]);
    memset(columns->bad, BAD_NOT, (size_t)n);
    for (int i = 0; i < columnar->bad_count; i++) {
        const struct columnar_bad *bad = &columnar->bad[i];
        if (bad->row < from || bad->row >= from + n)
            continue;
        columns->bad[bad->row - from] = bad->reason;
        columns->bad_field[bad->row - from] = bad->field;
    }
}

/* Widen span to the event times of the good rows of columns. */
static void widen(const struct columns *columns, struct columnar_span *span)
{
    for (int i = 0; i < columns->rows; i++) {
        int64_t time_ms = columns->column[0].i64[i];
        if (columns->bad[i] != BAD_NOT)
            continue;
        span->min_ms = time_ms < span->min_ms ? time_ms : span->min_ms;
        span->max_ms = time_ms > span->max_ms ? time_ms : span->max_ms;
    }
}

/* Fold rows [from, to), at most a batch of them: where that ends. */
static int fold_as_columns(struct columnar_feed *feed, struct folder *folder, struct fold *fold,
                           int from, int to, struct columnar_span *span)
{
    struct columnar *columnar = &feed->columnar;
    int n = to - from < COLUMNS_ROWS_MAX ? to - from : COLUMNS_ROWS_MAX;
    int64_t offset[COLUMNS_ROWS_MAX];
    for (int i = 0; i < n; i++)
        offset[i] = columnar_offset(columnar, from + i);
    fill_columns(columnar, from, n, folder->columns);
    struct log_batch batch = {.partition = feed->partition,
                              .count = n,
                              .offset = offset,
                              .time_ms = columnar_times(columnar) + from,
                              .next = n ? offset[n - 1] + 1 : fold->next};
    fold_columns(folder, fold, &batch);
    widen(folder->columns, span);
    return from + n;
}

static int feed_fold(void *state, struct task *task, struct err *err)
{
    struct columnar_feed *feed = state;
    struct fold *fold = &task->folds[0];
    int rc = open_at(feed, fold->next, err);
    if (rc <= 0)
        return rc;
    struct columnar *columnar = &feed->columnar;
    struct columnar_span span = {INT64_MAX, INT64_MIN};
    int from = find_row(columnar, fold->next), to = find_row(columnar, task->until[0]), at = to;
    if (from == 0)
        task->bytes += columnar->file_bytes;
    if (!feed->by_codes ||
        !columnar_fold_rows(feed->by_codes, &task->folder, fold, columnar, from, to, &span))
        at = fold_as_columns(feed, &task->folder, fold, from, to, &span);
    task->events += at - from;
    task->fed_min_ms = span.min_ms;
    task->fed_max_ms = span.max_ms;
    if (at < columnar->events && at < to)
        fold->next = columnar_offset(columnar, at);
    else
        fold->next = columnar->next < task->until[0] ? columnar->next : task->until[0];
    return 1;
}

int columnar_feed_open(const char *archive, const char *topic, int partition,
                       const struct plan *plan, struct columnar_feed **out, struct err *err)
{
    struct columnar_feed *feed = mem_zero(1, sizeof *feed);
    feed->task = (struct task_feed){feed_fold, feed};
    feed->partition = partition;
    columnar_fields_of(plan, &feed->fields);
    feed->by_codes = columnar_fold_new(plan);
    int rc = columnar_place_open(archive, topic, partition, &feed->fields, &feed->place, err);
    if (rc < 0)
        columnar_feed_close(feed);
    else
        *out = feed;
    return rc;
}

const struct task_feed *columnar_feed_task(const struct columnar_feed *feed)
{
    return &feed->task;
}

int64_t columnar_feed_segments(const struct columnar_feed *feed)
{
    return feed->segments;
}

void columnar_feed_close(struct columnar_feed *feed)
{
    if (!feed)
        return;
    if (feed->lacking > 1)
        fprintf(stderr, "lk: partition %d: %lld segments had no columns of use and were read\n",
                feed->partition, (long long)feed->lacking);
    columnar_fold_free(feed->by_codes);
    columnar_place_close(feed->place);
    columnar_release(&feed->columnar);
    free(feed);
}
