/* bench/sampler.c - the reader that users would be: logical reads while everything runs.
 *
 * Probes read one key of one window at Poisson times (PASTA: such a reader sees what time averages
 * are) and keep the positions that the answer covered; whole reads take every row, exact at one
 * position vector, and keep its digest. What they mean is judged after the run. */
#include "bench/run.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/base/stop.h"
#include "common/store/read.h"

enum { PROBE_MEAN_MS = 40, WHOLE_EVERY_MS = 1500, HANDOVER_EVERY_MS = 400 };

static void note_refusal(struct sampler *sampler, const struct err *err)
{
    sampler->refused++;
    snprintf(sampler->refusal, sizeof sampler->refusal, "%.199s", err->text);
}

static void grow(struct sampler *sampler, void **list, size_t bytes)
{
    if (sampler->count < sampler->capacity)
        return;
    sampler->capacity = sampler->capacity ? sampler->capacity * 2 : 256;
    *list = mem_grow(*list, sampler->capacity * bytes);
}

/* Which key a probe asks for: one of the rows of the last whole read. */
static struct view_query probe_query(struct side *side, char key[256])
{
    struct view_query query = {.positions_only = true};
    pthread_mutex_lock(&side->lock);
    if (*side->key) {
        memcpy(key, side->key, 256);
        query = (struct view_query){.key = key, .has_window = true, .window_ms = side->window_ms};
    }
    pthread_mutex_unlock(&side->lock);
    return query;
}

static void probe_once(struct sampler *sampler, struct view_reader *reader)
{
    char key[256];
    struct view_query query = probe_query(sampler->side, key);
    struct answer answer;
    struct err err = {0};
    int64_t sent_ns = clock_wall_ns();
    if (view_reader_read(reader, &query, &answer, &err) < 0) {
        note_refusal(sampler, &err);
        return;
    }
    int64_t done_ns = clock_wall_ns();
    grow(sampler, (void **)&sampler->probes, sizeof *sampler->probes);
    struct probe *probe = &sampler->probes[sampler->count++];
    *probe = (struct probe){.sent_ns = sent_ns, .done_ns = done_ns};
    probe->next = arena_zero(&sampler->arena, (size_t)answer.partitions, sizeof *probe->next);
    for (int p = 0; p < answer.partitions; p++)
        probe->next[p] = answer.parts[p].next;
    hist_record(&sampler->took_us, (done_ns - sent_ns) / 1000);
    sampler->answered_ns = sent_ns;
    answer_release(&answer);
}

/* "view" of the plan's JSON: the name is all that a reader knows. */
static const char *view_name(struct run *run, struct arena *arena)
{
    const char *at = strstr(run->plan_json.ptr, "\"view\":\"") + strlen("\"view\":\"");
    return arena_bytes(arena, (struct bytes){at, strcspn(at, "\"")}).ptr;
}

/* A connection and the reader that stays open on it, or not yet. */
static struct view_reader *open_reader(struct sampler *sampler, struct kv **kv)
{
    if (kv_open(sampler->side->view, kv, NULL) < 0)
        return NULL;
    return view_reader_new(*kv, view_name(sampler->run, &sampler->arena),
                           sampler->side->pipeline->arch);
}

static void *probe_loop(void *context)
{
    struct sampler *sampler = context;
    struct rng rng;
    struct kv *kv = NULL;
    struct view_reader *reader = NULL;
    rng_init(&rng, sampler->seed);
    while (!sampler->run->sampling_over && !stop_asked()) {
        clock_sleep_ms((int64_t)rng_exponential(&rng, PROBE_MEAN_MS));
        if (reader || (reader = open_reader(sampler, &kv)))
            probe_once(sampler, reader);
    }
    view_reader_free(reader);
    kv_close(kv);
    return NULL;
}

static void pick_row(struct side *side, const struct answer *answer, struct rng *rng)
{
    if (answer->count == 0)
        return;
    const struct answer_row *row = &answer->rows[rng_below(rng, answer->count)];
    if (row->key.len >= sizeof side->key)
        return;
    pthread_mutex_lock(&side->lock);
    memcpy(side->key, row->key.ptr, row->key.len);
    side->key[row->key.len] = 0;
    side->window_ms = row->window_ms;
    pthread_mutex_unlock(&side->lock);
}

static void keep_whole(struct sampler *sampler, const struct answer *answer, int64_t sent_ns)
{
    grow(sampler, (void **)&sampler->wholes, sizeof *sampler->wholes);
    struct whole *whole = &sampler->wholes[sampler->count++];
    *whole = (struct whole){.sent_ns = sent_ns,
                            .done_ns = clock_wall_ns(),
                            .version = answer->version,
                            .exact = answer->exact,
                            .handover = answer->handover,
                            .balanced = true,
                            .rows = answer->count};
    answer_digest(answer, whole->digest);
    size_t bytes = (size_t)answer->partitions * sizeof *whole->parts;
    whole->parts = arena_alloc(&sampler->arena, bytes);
    memcpy(whole->parts, answer->parts, bytes);
    for (int p = 0; p < answer->partitions; p++)
        whole->balanced = whole->balanced && counters_balance(&answer->parts[p].counters);
}

static void read_once(struct sampler *sampler, struct view_reader *reader, struct rng *rng)
{
    struct view_query query = {.exact = true};
    struct answer answer;
    struct err err = {0};
    int64_t sent_ns = clock_wall_ns();
    if (view_reader_read(reader, &query, &answer, &err) < 0) {
        note_refusal(sampler, &err);
        return;
    }
    keep_whole(sampler, &answer, sent_ns);
    hist_record(&sampler->took_us, (clock_wall_ns() - sent_ns) / 1000);
    pick_row(sampler->side, &answer, rng);
    sampler->answered_ns = sent_ns;
    answer_release(&answer);
}

static void *read_loop(void *context)
{
    struct sampler *sampler = context;
    struct rng rng;
    struct kv *kv = NULL;
    struct view_reader *reader = NULL;
    rng_init(&rng, sampler->seed);
    int every_ms = sampler->run->options.handovers ? HANDOVER_EVERY_MS : WHOLE_EVERY_MS;
    for (bool last = false; !last && !stop_asked();) {
        last = sampler->run->sampling_over;
        if (reader || (reader = open_reader(sampler, &kv)))
            read_once(sampler, reader, &rng);
        for (int waited = 0; waited < every_ms && !sampler->run->sampling_over; waited += 20)
            clock_sleep_ms(20);
    }
    view_reader_free(reader);
    kv_close(kv);
    return NULL;
}

void sampler_start(struct run *run, struct side *side)
{
    uint64_t seed = rng_mix(run->options.seed, (uint64_t)(side - run->sides));
    side->probing = (struct sampler){.run = run, .side = side, .seed = seed};
    side->reading = (struct sampler){.run = run, .side = side, .seed = ~seed};
    pthread_create(&side->probing.thread, NULL, probe_loop, &side->probing);
    pthread_create(&side->reading.thread, NULL, read_loop, &side->reading);
}

void sampler_stop(struct run *run, struct side *side)
{
    run->sampling_over = true;
    if (!side->probing.run)
        return;
    pthread_join(side->probing.thread, NULL);
    pthread_join(side->reading.thread, NULL);
}

void sampler_release(struct side *side)
{
    free(side->probing.probes);
    free(side->reading.wholes);
    arena_release(&side->probing.arena);
    arena_release(&side->reading.arena);
    hist_release(&side->probing.took_us);
    hist_release(&side->reading.took_us);
    hist_release(&side->fresh_us);
    hist_release(&side->calm_us);
    buf_release(&side->fresh_lines);
}

static bool read_positions(struct run *run, struct side *side, struct answer *answer)
{
    struct kv *kv;
    struct arena arena = {0};
    struct view_query query = {.positions_only = true};
    if (kv_open(side->view, &kv, NULL) < 0)
        return false;
    int rc = view_read(kv, view_name(run, &arena), side->pipeline->arch, &query, answer, NULL);
    kv_close(kv);
    arena_release(&arena);
    return rc == 0;
}

bool side_up(struct run *run, struct side *side)
{
    struct answer answer;
    if (!read_positions(run, side, &answer))
        return false;
    answer_release(&answer);
    return true;
}

int64_t side_progress(struct run *run, struct side *side)
{
    struct answer answer;
    if (!read_positions(run, side, &answer))
        return -1;
    int64_t sum = 0; /* none of them ever falls */
    for (int p = 0; p < answer.partitions; p++)
        sum += answer.parts[p].next + answer.parts[p].boundary;
    answer_release(&answer);
    return sum;
}

bool side_settled(struct run *run, struct side *side)
{
    struct answer answer;
    if (!read_positions(run, side, &answer))
        return false;
    bool settled = true;
    for (int p = 0; p < answer.partitions; p++) {
        int64_t first, end = -1;
        log_range(run->log, run->topic, p, &first, &end, NULL);
        const struct answer_part *part = &answer.parts[p];
        settled =
            settled && part->next == end && (!side->pipeline->batches || part->boundary == end);
    }
    answer_release(&answer);
    return settled;
}
