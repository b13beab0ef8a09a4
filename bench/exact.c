/* bench/exact.c - see exact.h.
 *
 *   lane of partition p: offset -> cell              lists: one a (cell, partition), side by side
 *   [ 3 | 0 | -1 | 3 | ... ]                          [ offset, and count, sum, max up to it | ... ]
 */
#include "bench/exact.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/map.h"
#include "common/log/log.h"
#include "workloads/publish.h"

/* One event of a cell, and all of its list up to it. */
struct step {
    int64_t offset;
    struct exact_sum sum;
};

struct lane {
    int32_t *cell; /* by offset */
    int64_t *T_ms; /* by offset: the largest event time up to it */
    int64_t end, capacity;
};

struct exact {
    int partitions;
    struct map cells;   /* window and key -> its number */
    struct arena arena; /* keys */
    struct exact_cell *cell;
    int cell_capacity;
    struct lane lanes[LOG_PARTITIONS_MAX];
    struct event {
        int32_t cell;
        int16_t partition;
        bool marked;
        int64_t offset, value;
    } * events; /* those that count, in the order of the stream */
    size_t count, capacity;
    size_t *begin; /* of the list of (cell, partition) in steps; one more than there are */
    struct step *steps;
};

struct bytes exact_field(struct bytes value, const char *name)
{
    size_t len = strlen(name);
    const char *end = value.ptr + value.len, *at = memmem(value.ptr, value.len, name, len);
    if (!at)
        return (struct bytes){0};
    at += len;
    while (at < end && (*at == ' ' || *at == '"'))
        at++;
    const char *stop = at;
    while (stop < end && *stop != '"' && *stop != ',' && *stop != '}')
        stop++;
    return (struct bytes){at, (size_t)(stop - at)};
}

static int32_t cell_number(struct exact *exact, struct bytes key, int64_t window_ms)
{
    char name[300];
    memcpy(name, &window_ms, sizeof window_ms);
    size_t len = key.len < sizeof name - 8 ? key.len : sizeof name - 8;
    memcpy(name + sizeof window_ms, key.ptr, len);
    bool fresh;
    int32_t *number = map_put(&exact->cells, (struct bytes){name, sizeof window_ms + len}, &fresh);
    if (!fresh)
        return *number;
    *number = (int32_t)exact->cells.count - 1;
    if (*number == exact->cell_capacity) {
        exact->cell_capacity = exact->cell_capacity ? exact->cell_capacity * 2 : 1024;
        exact->cell = mem_grow(exact->cell, (size_t)exact->cell_capacity * sizeof *exact->cell);
    }
    exact->cell[*number] = (struct exact_cell){arena_bytes(&exact->arena, key).ptr, window_ms};
    return *number;
}

static int64_t lane_add(struct lane *lane, int32_t cell, int64_t event_ms)
{
    if (lane->end == lane->capacity) {
        lane->capacity = lane->capacity ? lane->capacity * 2 : 65536;
        lane->cell = mem_grow(lane->cell, (size_t)lane->capacity * sizeof *lane->cell);
        lane->T_ms = mem_grow(lane->T_ms, (size_t)lane->capacity * sizeof *lane->T_ms);
    }
    int64_t before_ms = lane->end > 0 ? lane->T_ms[lane->end - 1] : INT64_MIN;
    lane->cell[lane->end] = cell;
    lane->T_ms[lane->end] = event_ms > before_ms ? event_ms : before_ms;
    return lane->end++;
}

static int64_t window_of(int64_t time_ms, int64_t window_ms)
{
    int64_t over = time_ms % window_ms;
    return time_ms - (over < 0 ? over + window_ms : over);
}

static void add_event(struct exact *exact, const struct exact_rule *rule,
                      const struct workload_event *event)
{
    struct exact_event seen = {0};
    rule->read(rule->context, event, &seen);
    int p = publish_partition(event, exact->partitions);
    int32_t cell = -1;
    if (seen.counts)
        cell = cell_number(exact, seen.key, window_of(event->event_ms, rule->window_ms));
    int64_t offset = lane_add(&exact->lanes[p], cell, event->event_ms);
    if (cell < 0)
        return;
    if (exact->count == exact->capacity) {
        exact->capacity = exact->capacity ? exact->capacity * 2 : 65536;
        exact->events = mem_grow(exact->events, exact->capacity * sizeof *exact->events);
    }
    exact->events[exact->count++] =
        (struct event){cell, (int16_t)p, seen.marked, offset, seen.value};
}

static struct exact_sum sum_with(struct exact_sum sum, const struct event *event)
{
    sum.count++;
    sum.marked += event->marked;
    sum.sum += event->value;
    if (event->value > sum.max)
        sum.max = event->value;
    return sum;
}

static const struct exact_sum NOTHING = {.max = INT64_MIN};

static size_t list_of(const struct exact *exact, int cell, int partition)
{
    return (size_t)cell * (size_t)exact->partitions + (size_t)partition;
}

/* Events into the list of their (cell, partition), in their order. */
static void make_lists(struct exact *exact)
{
    size_t lists = exact->cells.count * (size_t)exact->partitions;
    exact->begin = mem_zero(lists + 1, sizeof *exact->begin);
    exact->steps = mem_alloc((exact->count + 1) * sizeof *exact->steps);
    for (size_t i = 0; i < exact->count; i++)
        exact->begin[list_of(exact, exact->events[i].cell, exact->events[i].partition) + 1]++;
    for (size_t list = 1; list <= lists; list++)
        exact->begin[list] += exact->begin[list - 1];
    size_t *next = mem_alloc((lists + 1) * sizeof *next);
    memcpy(next, exact->begin, (lists + 1) * sizeof *next);
    for (size_t i = 0; i < exact->count; i++) {
        const struct event *event = &exact->events[i];
        size_t list = list_of(exact, event->cell, event->partition), at = next[list]++;
        struct exact_sum sum = at > exact->begin[list] ? exact->steps[at - 1].sum : NOTHING;
        exact->steps[at] = (struct step){event->offset, sum_with(sum, event)};
    }
    free(next);
}

int exact_make(const struct workload *workload, const struct workload_options *options,
               const struct disorder_options *disorder, const struct exact_rule *rule,
               int partitions, struct exact **out, struct err *err)
{
    struct disorder_options none = {0};
    struct stream *stream;
    struct workload_event event;
    int rc = stream_open(workload, options, disorder ? disorder : &none, &stream, err);
    if (rc < 0)
        return rc;
    struct exact *exact = mem_zero(1, sizeof *exact);
    exact->partitions = partitions;
    map_init(&exact->cells, sizeof(int32_t));
    while ((rc = stream_next(stream, &event, err)) == 1)
        add_event(exact, rule, &event);
    stream_close(stream);
    if (rc == 0)
        make_lists(exact);
    free(exact->events);
    exact->events = NULL;
    *out = exact;
    if (rc < 0)
        exact_free(exact);
    return rc;
}

void exact_free(struct exact *exact)
{
    if (!exact)
        return;
    for (int p = 0; p < exact->partitions; p++) {
        free(exact->lanes[p].cell);
        free(exact->lanes[p].T_ms);
    }
    map_release(&exact->cells);
    arena_release(&exact->arena);
    free(exact->cell);
    free(exact->begin);
    free(exact->steps);
    free(exact);
}

int64_t exact_end(const struct exact *exact, int partition)
{
    return exact->lanes[partition].end;
}

int exact_cells(const struct exact *exact)
{
    return (int)exact->cells.count;
}

struct exact_cell exact_cell(const struct exact *exact, int cell)
{
    return exact->cell[cell];
}

int exact_cell_of(const struct exact *exact, int partition, int64_t offset)
{
    const struct lane *lane = &exact->lanes[partition];
    return offset < 0 || offset >= lane->end ? -1 : lane->cell[offset];
}

int64_t exact_time(const struct exact *exact, int partition, int64_t next)
{
    const struct lane *lane = &exact->lanes[partition];
    int64_t known = next < lane->end ? next : lane->end;
    return known > 0 ? lane->T_ms[known - 1] : INT64_MIN;
}

/* The sum of one list below next. */
static const struct exact_sum *list_at(const struct exact *exact, size_t list, int64_t next)
{
    size_t low = exact->begin[list], high = exact->begin[list + 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (exact->steps[middle].offset < next)
            low = middle + 1;
        else
            high = middle;
    }
    return low > exact->begin[list] ? &exact->steps[low - 1].sum : &NOTHING;
}

struct exact_sum exact_at(const struct exact *exact, int cell, const int64_t *next)
{
    struct exact_sum all = NOTHING;
    for (int p = 0; p < exact->partitions; p++) {
        const struct exact_sum *one = list_at(exact, list_of(exact, cell, p), next[p]);
        all.count += one->count;
        all.marked += one->marked;
        all.sum += one->sum;
        all.max = one->max > all.max ? one->max : all.max;
    }
    return all;
}
