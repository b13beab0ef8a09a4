/* tests/agreement/play.c - a case: append, run, archive, batch, trouble, in random order, with a
 * check behind each; then everything to the end, and the answers of both architectures, of any
 * number of workers, and of both stores side by side. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/agreement/agreement.h"

struct outcome {
    char kappa[33], lambda[33], healed[33];
    bool whole; /* nothing is missed by the batches: healed is the truth */
};

static bool random_leg(struct stage *stage, enum arch arch)
{
    const struct leg leg = {
        .arch = arch, .workers = stage_chance(stage, 2) ? 0 : 1 + (int)rng_below(&stage->rng, 3)};
    return leg_run(stage, &leg);
}

static bool random_step(struct stage *stage)
{
    uint64_t what = rng_below(&stage->rng, 14);
    if (what < 4)
        return stage_append(stage, 1 + (int)rng_below(&stage->rng, 100));
    if (what < 6)
        return random_leg(stage, ARCH_KAPPA);
    if (what < 9) /* one that forgets is run once, at the end */
        return stage->made->forgets || random_leg(stage, ARCH_LAMBDA);
    if (what < 11)
        return leg_archive(stage);
    if (what < 12 && stage->archived && stage_chance(stage, 3))
        return leg_rollback(stage);
    if (what < 13)
        return !stage->archived || leg_batch(stage, BATCH_TROUBLED);
    return !stage->faulty || leg_trouble(stage);
}

static bool to_the_end(struct stage *stage, enum arch arch, int workers, char digest[33])
{
    struct leg leg = {.arch = arch, .workers = workers, .to_end = true, .calm = true};
    bool once = stage->made->forgets && arch == ARCH_LAMBDA; /* a restart forgets T */
    if (once && stage_chance(stage, 2))
        leg.workers = 0;
    return leg_run(stage, &leg) && (once || leg_run(stage, &leg)) && check_end(stage, arch, digest);
}

/* The same log by another number of workers into an empty store. */
static bool other_workers(struct stage *stage, const struct outcome *outcome)
{
    char digest[33];
    struct kv *kv = stage->kv;
    struct view_reader *kappa = stage->readers[ARCH_KAPPA]; /* lambda is not read of the twin */
    struct err err = {0};
    const char *uri = stage->uri, *memory = stage->memory;
    stage->uri = "memory:twin";
    stage->memory = "twin";
    stage->readers[ARCH_KAPPA] = NULL;
    memory_drop("twin");
    if (kv_open(stage->uri, &stage->kv, &err) < 0)
        return stage_fail(stage, "twin: %s", err.text);
    bool right =
        to_the_end(stage, ARCH_KAPPA, 1 + (int)rng_below(&stage->rng, PARTITIONS_MAX), digest);
    view_reader_free(stage->readers[ARCH_KAPPA]);
    stage->readers[ARCH_KAPPA] = kappa;
    kv_close(stage->kv);
    stage->kv = kv;
    stage->uri = uri;
    stage->memory = memory;
    if (right && strcmp(digest, outcome->kappa) != 0)
        right = stage_fail(stage, "another number of workers: digest %s, before %s", digest,
                           outcome->kappa);
    return right;
}

static bool finish(struct stage *stage, struct outcome *outcome)
{
    stage_tell(stage, "the end:");
    if (stage->memory)
        memory_full(stage->memory, false);
    if (!stage_append(stage, EVENTS_MAX) || !to_the_end(stage, ARCH_KAPPA, 1, outcome->kappa) ||
        !to_the_end(stage, ARCH_LAMBDA, 2, outcome->lambda))
        return false;
    bool exact = stage->made->handover == HANDOVER_OFFSET && !stage->made->cheap;
    if (exact && stage->made->lossless && strcmp(outcome->kappa, outcome->lambda) != 0)
        return stage_fail(stage, "no rule drops anything, but kappa's digest is %s and lambda's %s",
                          outcome->kappa, outcome->lambda);
    return leg_archive(stage) && leg_batch(stage, BATCH_WHOLE) && leg_batch(stage, BATCH_WHOLE) &&
           to_the_end(stage, ARCH_LAMBDA, 1, outcome->healed);
}

static bool script(struct stage *stage, struct outcome *outcome)
{
    static const int64_t MEMORY[] = {1, 30000, 64 << 20};
    static const int64_t SPANS[] = {0, 0, 1, 1000000};
    int steps = 6 + (int)rng_below(&stage->rng, 12);
    stage->faulty = stage_chance(stage, 2) && !made_fragile(stage->made, ARCH_LAMBDA);
    stage->memory_bytes = MEMORY[rng_below(&stage->rng, 3)];
    stage->span_ms = SPANS[rng_below(&stage->rng, 4)];
    stage_tell(stage, "%d events, %d partitions, span %lld ms, memory %lld", stage->made->count,
               stage->made->partitions, (long long)stage->span_ms, (long long)stage->memory_bytes);
    if (!stage_chance(stage, 6) && !stage_append(stage, 1 + stage->made->count / 4))
        return false;
    for (int i = 0; i < steps; i++)
        if (!random_step(stage))
            return false;
    return finish(stage, outcome);
}

static void tell_problem(const struct stage *stage, struct buf *problem)
{
    buf_printf(problem, "  %s\n  plan %s\n  store %s: %s\n", stage->problem.ptr,
               stage->made->json.ptr, stage->uri, stage->story.ptr ? stage->story.ptr : "");
}

static bool play_on(const struct case_options *options, const struct made *made, uint64_t number,
                    const char *uri, struct outcome *outcome, struct buf *problem)
{
    struct stage *stage = mem_zero(1, sizeof *stage);
    stage->verbose = options->verbose;
    stage->broker = options->broker;
    stage->kind = options->kind;
    stage->kind_batches = options->kind_batches;
    bool right = stage_open(stage, made, options->root, uri, rng_mix(options->seed, number));
    if (right && options->oracle_bug)
        oracle_plant(stage->oracle, options->oracle_bug);
    right = right && script(stage, outcome);
    outcome->whole = right && check_batches_whole(stage);
    if (right && stage->memory)
        right = other_workers(stage, outcome) && healed_version(stage);
    if (!right)
        tell_problem(stage, problem);
    stage_close(stage);
    free(stage);
    return right;
}

/* By the inexact hand-overs lambda's answer goes by where its cuts are, which no seed decides. */
static bool same_outcome(const struct outcome *memory, const struct outcome *redis,
                         const struct made *made, struct buf *problem)
{
    bool exact = made->handover == HANDOVER_OFFSET;
    if (strcmp(memory->kappa, redis->kappa) == 0 &&
        (!exact || !memory->whole || strcmp(memory->healed, redis->healed) == 0) &&
        (!exact || made->cheap || !made->lossless || strcmp(memory->lambda, redis->lambda) == 0))
        return true;
    buf_printf(
        problem, "  memory: kappa %s lambda %s healed %s\n  redis:  kappa %s lambda %s healed %s\n",
        memory->kappa, memory->lambda, memory->healed, redis->kappa, redis->lambda, redis->healed);
    return false;
}

/* By-time batches want windows, and no dedupe. */
static bool fits(const struct case_options *options, const struct made *made)
{
    if (options->fragile && !made_fragile(made, ARCH_LAMBDA))
        return false;
    return options->kind != BATCH_BY_TIME || (!strstr(made->json.ptr, "\"dedupe\":{") &&
                                              !strstr(made->json.ptr, "\"window\":\"none\""));
}

/* The case of this number; another one in its place as long as its plan does not fit. */
static void open_made(const struct case_options *options, uint64_t number, struct made *made)
{
    uint64_t seed = options->seed;
    made_open(made, options->handover, seed, number);
    while (!fits(options, made)) {
        seed = rng_mix(seed, number);
        made_release(made);
        made_open(made, options->handover, seed, number);
    }
}

bool play_case(const struct case_options *options, uint64_t number, struct buf *problem)
{
    struct made *made = mem_zero(1, sizeof *made);
    struct outcome memory, redis;
    open_made(options, number, made);
    bool right = play_on(options, made, number, "memory:case", &memory, problem);
    if (right && options->redis)
        right = play_on(options, made, number, options->redis, &redis, problem) &&
                same_outcome(&memory, &redis, made, problem);
    made_release(made);
    free(made);
    return right;
}
