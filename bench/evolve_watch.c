/* bench/evolve_watch.c - who looks while a rule changes: applications that ask for one key or for all of
 * them, and a probe that notes how far the view is and how much memory Redis takes.
 *
 * What an answer means is judged afterwards: an application keeps its positions, its digest and
 * which rule it claims, by the version that answered or by the view that was asked. */
#include <stdlib.h>

#include "bench/evolve_parts.h"
#include "common/base/clock.h"
#include "common/base/rng.h"

enum {
    ASK_MEAN_MS = 250,
    ASK_TENSE_MS = 20,
    PROBE_MEAN_MS = 15,
    WHOLE_EACH = 6,
    KEYS_MAX = 24,
    MEMORY_EVERY = 8
};

/* ---- applications ---- */

static enum rule rule_named(const struct evolve_side *side, const struct answer *answer,
                            enum rule asked)
{
    return side->way->rename ? asked : answer->version == 1 ? RULE_OLD : RULE_NEW;
}

/* Keys of what it was told last are what it asks for next. */
struct keys {
    char text[KEYS_MAX][KEY_BYTES];
    size_t count;
};

static void pick_keys(const struct answer *answer, struct rng *rng, struct keys *keys)
{
    for (int i = 0; i < KEYS_MAX && answer->count > 0; i++) {
        const struct answer_row *row = &answer->rows[rng_below(rng, answer->count)];
        if (row->key.len >= KEY_BYTES)
            continue;
        char *to = keys->text[keys->count < KEYS_MAX ? keys->count++ : (size_t)i];
        memcpy(to, row->key.ptr, row->key.len);
        to[row->key.len] = 0;
    }
}

static void keep(struct application *app, const struct answer *answer, const char *key,
                 enum rule named)
{
    if (app->count == app->capacity) {
        app->capacity = app->capacity ? app->capacity * 2 : 256;
        app->seen = mem_grow(app->seen, app->capacity * sizeof *app->seen);
    }
    struct seen *seen = &app->seen[app->count++];
    size_t bytes = (size_t)answer->partitions * sizeof *seen->parts;
    *seen = (struct seen){.done_ns = clock_mono_ns(), .named = named};
    snprintf(seen->key, sizeof seen->key, "%s", key ? key : "");
    answer_digest(answer, seen->digest);
    seen->parts = arena_alloc(&app->arena, bytes);
    memcpy(seen->parts, answer->parts, bytes);
}

static void ask_once(struct application *app, struct view_reader *const *readers, struct rng *rng,
                     struct keys *keys)
{
    enum rule asked = (enum rule)app->ask;
    bool whole = keys->count == 0 || rng_below(rng, WHOLE_EACH) == 0;
    const char *key = whole ? NULL : keys->text[rng_below(rng, keys->count)];
    struct view_query query = {.key = key, .exact = true};
    struct answer answer;
    struct err err = {0};
    if (view_reader_read(readers[asked], &query, &answer, &err) < 0) {
        app->refused++;
        snprintf(app->refusal, sizeof app->refusal, "%.199s", err.text);
        return;
    }
    keep(app, &answer, key, rule_named(app->side, &answer, asked));
    if (whole)
        pick_keys(&answer, rng, keys);
    answer_release(&answer);
}

static void *ask(void *context)
{
    struct application *app = context;
    const struct evolve_side *side = app->side;
    struct view_reader *readers[RULES] = {NULL};
    struct kv *kv;
    struct rng rng;
    struct keys keys = {.count = 0};
    rng_init(&rng, app->seed);
    if (kv_open(side->view, &kv, NULL) < 0)
        return NULL;
    for (int i = 0; i < RULES; i++)
        readers[i] = view_reader_new(kv, side->rule[i]->view, side->way->arch);
    while (!side->over) {
        ask_once(app, readers, &rng, &keys);
        int64_t pause_ms = (int64_t)rng_exponential(&rng, side->tense ? ASK_TENSE_MS : ASK_MEAN_MS);
        for (bool tense = side->tense; pause_ms-- >= 0 && !side->over && tense == side->tense;)
            clock_sleep_ms(1);
    }
    for (int i = 0; i < RULES; i++)
        view_reader_free(readers[i]);
    kv_close(kv);
    return NULL;
}

/* ---- freshness and memory ---- */

static void note_memory(struct evolve_side *side)
{
    double mb = redis_used_mb(side->view);
    if (side->probe_count)
        side->probes[side->probe_count - 1].redis_mb = mb;
    pthread_mutex_lock(&side->lock);
    if (mb > side->result->redis_peak_mb)
        side->result->redis_peak_mb = mb;
    pthread_mutex_unlock(&side->lock);
}

/* As the first application asks: by one key, since that is what users wait for. */
static void probe_once(struct evolve_side *side, struct view_reader *const *readers)
{
    struct view_query query = {.positions_only = true};
    struct answer answer;
    if (view_reader_read(readers[side->applications[0].ask], &query, &answer, NULL) < 0)
        return;
    if (side->probe_count == side->probe_capacity) {
        side->probe_capacity = side->probe_capacity ? side->probe_capacity * 2 : 1024;
        side->probes = mem_grow(side->probes, side->probe_capacity * sizeof *side->probes);
    }
    struct evolve_probe *probe = &side->probes[side->probe_count++];
    *probe = (struct evolve_probe){.done_ns = clock_mono_ns(), .wall_ns = clock_wall_ns()};
    for (int p = 0; p < answer.partitions && p < EVOLVE_PARTITIONS; p++)
        probe->next[p] = answer.parts[p].next;
    answer_release(&answer);
}

static void *probe(void *context)
{
    struct evolve_side *side = context;
    struct view_reader *readers[RULES] = {NULL};
    struct kv *kv;
    struct rng rng;
    rng_init(&rng, side->options->seed);
    if (kv_open(side->view, &kv, NULL) < 0)
        return NULL;
    for (int i = 0; i < RULES; i++)
        readers[i] = view_reader_new(kv, side->rule[i]->view, side->way->arch);
    for (int i = 0; !side->over; i++) {
        probe_once(side, readers);
        if (i % MEMORY_EVERY == 0)
            note_memory(side);
        clock_sleep_ms((int64_t)rng_exponential(&rng, PROBE_MEAN_MS));
    }
    for (int i = 0; i < RULES; i++)
        view_reader_free(readers[i]);
    kv_close(kv);
    return NULL;
}

/* ---- from outside ---- */

void watch_start(struct evolve_side *side)
{
    for (int i = 0; i < side->application_count; i++) {
        struct application *app = &side->applications[i];
        *app = (struct application){.side = side, .seed = side->options->seed * 97 + (uint64_t)i};
        app->running = pthread_create(&app->thread, NULL, ask, app) == 0;
    }
    side->probing = pthread_create(&side->prober, NULL, probe, side) == 0;
}

void watch_stop(struct evolve_side *side)
{
    side->over = true;
    for (int i = 0; i < side->application_count; i++) {
        if (side->applications[i].running)
            pthread_join(side->applications[i].thread, NULL);
        side->applications[i].running = false;
    }
    if (side->probing)
        pthread_join(side->prober, NULL);
    side->probing = false;
}

void watch_release(struct evolve_side *side)
{
    for (int i = 0; i < side->application_count; i++) {
        free(side->applications[i].seen);
        arena_release(&side->applications[i].arena);
    }
    free(side->probes);
}

void watch_mark(struct evolve_side *side, enum mark mark)
{
    struct usage usage = {.at_ns = clock_mono_ns(), .cpu_s = side->verbs_cpu_s};
    struct process *redis = &side->redis.process;
    process_sample(redis);
    usage.cpu_s += redis->cpu_s + redis->live_cpu_s;
    for (int i = 0; i < side->actor_count; i++) {
        process_sample(&side->actors[i]);
        usage.cpu_s += side->actors[i].cpu_s + side->actors[i].live_cpu_s;
    }
    usage.redis_mb = redis_used_mb(side->view);
    for (int p = 0; p < EVOLVE_PARTITIONS; p++) {
        int64_t first, end = 0;
        log_range(side->log, side->topic, p, &first, &end, NULL);
        usage.events += end;
    }
    side->result->mark[mark] = usage;
}
