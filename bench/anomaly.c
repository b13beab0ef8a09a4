/* bench/anomaly.c - see anomaly.h.
 *
 * Version 1 of a view counts all events, version 2 those that are marked: an answer says which of them it
 * comes from, and must be that one's alone. */
#include "bench/anomaly.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/log/log.h"

enum { VERSIONS = 2, RECENT = 2000, AGAIN_MS = 2 };

/* An answer that was not exact, until the next one bounds it. */
struct pending {
    int cell, version; /* version 0: none */
    int64_t found;
};

struct reader {
    struct anomaly_scene *scene;
    pthread_t thread;
    struct rng rng;
    struct anomaly_counts counts;
    int64_t next[VERSIONS][LOG_PARTITIONS_MAX]; /* what was seen so far */
    int64_t *value[VERSIONS];                   /* by cell */
    struct pending pending;
};

struct anomaly_readers {
    struct anomaly_scene *scene;
    int count;
    struct reader *readers;
};

static int64_t exact_of(const struct anomaly_scene *scene, int version, int cell,
                        const int64_t *next)
{
    struct exact_sum sum = exact_at(scene->exact, cell, next);
    return version == 1 ? sum.count : sum.marked;
}

/* Windows that begin below this are not served at these positions. */
static int64_t floor_of(const struct anomaly_scene *scene, const int64_t *next)
{
    int64_t T_ms = INT64_MIN;
    for (int p = 0; p < scene->partitions; p++)
        if (exact_time(scene->exact, p, next[p]) > T_ms)
            T_ms = exact_time(scene->exact, p, next[p]);
    return scene->keep_ms && T_ms > INT64_MIN ? T_ms - scene->keep_ms : INT64_MIN;
}

static void note(struct reader *reader, int64_t *count, const char *what, int cell, int64_t found,
                 int64_t wanted)
{
    struct anomaly_counts *counts = &reader->counts;
    struct exact_cell at = exact_cell(reader->scene->exact, cell);
    double error = fabs((double)(found - wanted)) / (double)(wanted ? wanted : 1);
    ++*count;
    if (error > counts->error_max)
        counts->error_max = error;
    if (!*counts->example)
        snprintf(counts->example, sizeof counts->example,
                 "%s: key %s, window %lld: found %lld, wanted %lld", what, at.key,
                 (long long)at.window_ms, (long long)found, (long long)wanted);
}

/* The cell of an event among the last that were seen, now and then of any. */
static int choose_cell(struct reader *reader)
{
    int p = (int)rng_below(&reader->rng, (uint64_t)reader->scene->partitions);
    int64_t seen =
        reader->next[0][p] > reader->next[1][p] ? reader->next[0][p] : reader->next[1][p];
    int64_t among = seen > RECENT && rng_below(&reader->rng, 10) > 0 ? RECENT : seen;
    int64_t offset = seen - 1 - (among > 0 ? (int64_t)rng_below(&reader->rng, (uint64_t)among) : 0);
    return exact_cell_of(reader->scene->exact, p, offset < 0 ? 0 : offset);
}

static void judge_positions(struct reader *reader, const int64_t *next, int version)
{
    int64_t *seen = reader->next[version - 1];
    bool back = false;
    for (int p = 0; p < reader->scene->partitions; p++) {
        back = back || next[p] < seen[p];
        seen[p] = next[p] > seen[p] ? next[p] : seen[p];
    }
    if (back) {
        reader->counts.regressed++;
        if (!*reader->counts.example)
            snprintf(reader->counts.example, sizeof reader->counts.example,
                     "the positions of an answer went back");
    }
}

/* What the last answer held at most: all that this one claims. */
static void judge_pending(struct reader *reader, const int64_t *next, int version)
{
    struct pending *pending = &reader->pending;
    if (pending->version == version) {
        int64_t most = exact_of(reader->scene, version, pending->cell, next);
        if (pending->found > most)
            note(reader, &reader->counts.doubled, "doubled", pending->cell, pending->found, most);
    }
    pending->version = 0;
}

static void judge(struct reader *reader, int cell, const struct answer *answer)
{
    int64_t found = 0;
    int64_t next[LOG_PARTITIONS_MAX] = {0};
    int version = answer->version;
    struct anomaly_counts *counts = &reader->counts;
    if (answer->count > 0)
        found = strtoll(answer->rows[0].values.ptr + strlen("\"n\":"), NULL, 10);
    for (int p = 0; p < answer->partitions; p++)
        next[p] = answer->parts[p].next;
    counts->reads++;
    judge_positions(reader, next, version);
    judge_pending(reader, next, version);
    if (exact_cell(reader->scene->exact, cell).window_ms < floor_of(reader->scene, next)) {
        if (found >
            0) /* positions only grow, and with them the floor: also where it is not exact */
            note(reader, &counts->doubled, "kept too long", cell, found, 0);
        reader->value[version - 1][cell] = 0;
        return;
    }
    int64_t wanted = exact_of(reader->scene, version, cell, next);
    int64_t *seen = &reader->value[version - 1][cell];
    if (found < wanted)
        note(reader, &counts->lost, "lost", cell, found, wanted);
    else if (answer->exact && found > wanted)
        note(reader, &counts->doubled, "doubled", cell, found, wanted);
    else if (!answer->exact)
        reader->pending = (struct pending){cell, version, found};
    if (found < *seen)
        note(reader, &counts->regressed, "went back", cell, found, *seen);
    *seen = found;
}

static void refused(struct reader *reader, int code, const struct err *err)
{
    struct anomaly_counts *counts = &reader->counts;
    if (code == ERR_GAP)
        counts->gaps++;
    else
        counts->errors++;
    if (!*counts->example)
        snprintf(counts->example, sizeof counts->example, "refused: %.380s", err->text);
    clock_sleep_ms(AGAIN_MS);
}

static void read_once(struct reader *reader, struct view_reader *view)
{
    struct answer answer;
    struct err err = {0};
    int cell = choose_cell(reader);
    struct exact_cell at = exact_cell(reader->scene->exact, cell);
    struct view_query query = {.key = at.key,
                               .has_window = true,
                               .window_ms = at.window_ms,
                               .exact = reader->counts.reads % 2 == 0};
    int rc = view_reader_read(view, &query, &answer, &err);
    if (rc < 0) {
        refused(reader, rc, &err);
        return;
    }
    judge(reader, cell, &answer);
    answer_release(&answer);
    atomic_fetch_add(&reader->scene->reads, 1);
}

static void *read_on(void *context)
{
    struct reader *reader = context;
    const struct anomaly_scene *scene = reader->scene;
    struct kv *kv = NULL;
    struct err err = {0};
    int rc = kv_open(scene->uri, &kv, &err);
    struct view_reader *view = rc < 0 ? NULL : view_reader_new(kv, scene->view, scene->arch);
    if (rc < 0)
        refused(reader, rc, &err);
    while (view && !scene->over)
        read_once(reader, view);
    view_reader_free(view);
    kv_close(kv);
    return NULL;
}

struct anomaly_readers *anomaly_start(struct anomaly_scene *scene, int threads)
{
    struct anomaly_readers *readers = mem_zero(1, sizeof *readers);
    size_t cells = (size_t)exact_cells(scene->exact);
    readers->scene = scene;
    readers->count = threads;
    readers->readers = mem_zero((size_t)threads, sizeof *readers->readers);
    for (int i = 0; i < threads; i++) {
        struct reader *reader = &readers->readers[i];
        reader->scene = scene;
        rng_init_at(&reader->rng, scene->seed, (uint64_t)i);
        for (int version = 0; version < VERSIONS; version++)
            reader->value[version] = mem_zero(cells, sizeof(int64_t));
        pthread_create(&reader->thread, NULL, read_on, reader);
    }
    return readers;
}

static void add_counts(struct anomaly_counts *all, const struct anomaly_counts *one)
{
    all->reads += one->reads;
    all->lost += one->lost;
    all->doubled += one->doubled;
    all->regressed += one->regressed;
    all->gaps += one->gaps;
    all->errors += one->errors;
    if (one->error_max > all->error_max)
        all->error_max = one->error_max;
    if (!*all->example)
        memcpy(all->example, one->example, sizeof all->example);
}

struct anomaly_counts anomaly_stop(struct anomaly_readers *readers)
{
    struct anomaly_counts all = {0};
    readers->scene->over = true;
    for (int i = 0; i < readers->count; i++) {
        struct reader *reader = &readers->readers[i];
        pthread_join(reader->thread, NULL);
        add_counts(&all, &reader->counts);
        for (int version = 0; version < VERSIONS; version++)
            free(reader->value[version]);
    }
    free(readers->readers);
    free(readers);
    return all;
}

int64_t anomaly_total(const struct anomaly_counts *counts)
{
    return counts->lost + counts->doubled + counts->regressed;
}
