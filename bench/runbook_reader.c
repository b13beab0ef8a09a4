/* bench/runbook_reader.c - a reader that asks all through a runbook, and what each of its answers was worth.
 *
 * It asks for whole, exact answers where applications are told to ask, and keeps their positions and
 * digests. Afterwards the oracle computes what the version that answered had to say at those positions;
 * answers alike are computed once. Not being answered is no wrong answer: it is time away. */
#include <assert.h>
#include <stdlib.h>

#include "bench/runbook_parts.h"
#include "common/base/clock.h"
#include "common/plan/plan.h"
#include "common/store/read.h"

enum { ASK_EVERY_MS = 40 };

/* ---- asking ---- */

int reader_ask(const struct play *play, struct runbook_address at, bool positions_only,
               struct answer *out, struct err *err)
{
    struct view_query query = {.exact = true, .positions_only = positions_only};
    struct plan *plan = NULL;
    struct kv *kv = NULL;
    int rc = play_plan(play, at.plan, &plan, err);
    if (rc == 0)
        rc = kv_open(play_word(play, at.view), &kv, err);
    if (rc == 0)
        rc = view_read(kv, plan->view, play->of->arch, &query, out, err);
    kv_close(kv);
    plan_free(plan);
    return rc;
}

/* How many events of the log an answer lacks. */
static int64_t behind(const int64_t *ends, const struct answer *answer)
{
    int64_t lacking = 0;
    for (int p = 0; p < answer->partitions; p++)
        lacking += ends[p] > answer->parts[p].next ? ends[p] - answer->parts[p].next : 0;
    return lacking;
}

static void keep(struct runbook_reader *reader, const struct runbook_sample *sample)
{
    if (reader->count == reader->capacity) {
        reader->capacity = reader->capacity ? reader->capacity * 2 : 256;
        reader->samples = mem_grow(reader->samples, reader->capacity * sizeof *reader->samples);
    }
    reader->samples[reader->count++] = *sample;
}

static void fill_sample(struct runbook_reader *reader, struct runbook_sample *sample,
                        const int64_t *ends, const struct answer *answer)
{
    size_t bytes = (size_t)answer->partitions * sizeof *sample->parts;
    sample->answered = true;
    sample->version = answer->version;
    sample->partitions = answer->partitions;
    sample->behind = behind(ends, answer);
    answer_digest(answer, sample->digest);
    sample->parts = arena_alloc(&reader->arena, bytes);
    memcpy(sample->parts, answer->parts, bytes);
}

static void ask_once(struct runbook_reader *reader)
{
    const struct play *play = reader->play;
    struct runbook_sample sample = {.sent_ns = clock_mono_ns()};
    struct answer answer;
    int64_t ends[LOG_PARTITIONS_MAX] = {0}, first;
    pthread_mutex_lock(&reader->lock);
    sample.at = reader->at;
    pthread_mutex_unlock(&reader->lock);
    const char *topic = play_word(play, sample.at.topic);
    int partitions = log_partitions(play->log, topic, NULL);
    for (int p = 0; p < partitions; p++)
        log_range(play->log, topic, p, &first, &ends[p], NULL);
    if (reader_ask(play, sample.at, false, &answer, NULL) == 0) {
        fill_sample(reader, &sample, ends, &answer);
        answer_release(&answer);
    }
    sample.done_ns = clock_mono_ns();
    keep(reader, &sample);
}

static void *ask(void *context)
{
    struct runbook_reader *reader = context;
    while (!reader->over) {
        ask_once(reader);
        clock_sleep_ms(ASK_EVERY_MS);
    }
    return NULL;
}

void reader_turn(struct play *play, struct runbook_address at)
{
    pthread_mutex_lock(&play->reader.lock);
    play->reader.at = at;
    pthread_mutex_unlock(&play->reader.lock);
}

void reader_start(struct play *play)
{
    play->reader.play = play;
    play->reader.running = pthread_create(&play->reader.thread, NULL, ask, &play->reader) == 0;
}

void reader_stop(struct play *play)
{
    play->reader.over = true;
    if (play->reader.running)
        pthread_join(play->reader.thread, NULL);
    play->reader.running = false;
}

void reader_forget(struct play *play)
{
    for (int i = 0; i < play->oracle_count; i++) {
        oracle_close(play->oracles[i].oracle);
        free(play->oracles[i].plan);
    }
    play->oracle_count = 0;
}

void reader_release(struct play *play)
{
    free(play->reader.samples);
    arena_release(&play->reader.arena);
    reader_forget(play);
}

/* ---- what the oracle says ---- */

int reader_oracle(struct play *play, const char *json, const char *topic, struct oracle **out,
                  struct err *err)
{
    assert(json && topic);
    for (int i = 0; i < play->oracle_count; i++)
        if (strcmp(play->oracles[i].plan, json) == 0 &&
            strcmp(play->oracles[i].topic, topic) == 0) {
            *out = play->oracles[i].oracle;
            return 0;
        }
    if (play->oracle_count == ORACLES_MAX)
        return err_set(err, ERR_CHECK, "a runbook with over %d plans", ORACLES_MAX);
    int rc = oracle_open(bytes_of(json), play->dir, play->log, play_word(play, topic), out, err);
    if (rc == 0)
        play->oracles[play->oracle_count++] =
            (struct known_oracle){.plan = mem_copy_string(json), .topic = topic, .oracle = *out};
    return rc;
}

int reader_follow(struct play *play, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < play->oracle_count; i++)
        rc = oracle_follow(play->oracles[i].oracle, err);
    return rc;
}

/* Of the version that answered at that address: the registry knows its plan. */
static int oracle_of(struct play *play, struct runbook_address at, int version, struct oracle **out,
                     struct err *err)
{
    struct registry registry = {0};
    struct plan *plan = NULL;
    struct kv *kv = NULL;
    int rc = play_plan(play, at.plan, &plan, err);
    if (rc == 0)
        rc = kv_open(play_word(play, at.view), &kv, err);
    if (rc == 0)
        rc = registry_read(kv, plan->view, play->of->arch, &registry, err);
    if (rc == 0 &&
        (version < 1 || version > registry.count || !registry.versions[version - 1].plan))
        rc = err_set(err, ERR_CHECK, "version %d answered, and the registry does not know it",
                     version);
    if (rc == 0)
        rc = reader_oracle(play, registry.versions[version - 1].plan, at.topic, out, err);
    registry_release(&registry);
    kv_close(kv);
    plan_free(plan);
    return rc;
}

static bool alike(const struct runbook_sample *a, const struct runbook_sample *b)
{
    if (a->version != b->version || a->partitions != b->partitions ||
        memcmp(&a->at, &b->at, sizeof a->at) != 0 || strcmp(a->digest, b->digest) != 0)
        return false;
    for (int p = 0; p < a->partitions; p++)
        if (a->parts[p].next != b->parts[p].next || a->parts[p].boundary != b->parts[p].boundary)
            return false;
    return true;
}

static int judge_sample(struct play *play, const struct runbook_sample *sample, bool *wrong,
                        struct err *err)
{
    struct oracle *oracle;
    struct answer contract = {0};
    char digest[33];
    int rc = oracle_of(play, sample->at, sample->version, &oracle, err);
    if (rc == 0)
        rc = oracle_contract(oracle, sample->parts, &contract, err);
    if (rc == 0) {
        answer_digest(&contract, digest);
        *wrong = strcmp(digest, sample->digest) != 0;
        answer_release(&contract);
    }
    return rc;
}

static void note_answer(struct runbook_result *result, const struct runbook_sample *sample,
                        int64_t *answered_ns)
{
    double away = (double)(sample->done_ns - *answered_ns) / 1e9;
    result->answers++;
    if (away > result->away_seconds)
        result->away_seconds = away;
    if (sample->behind > result->behind_events)
        result->behind_events = sample->behind;
    *answered_ns = sample->done_ns;
}

/* The last answer, when producers have stopped: against its contract and against everything. */
static int judge_end(struct play *play, struct err *err)
{
    struct answer found = {0}, contract = {0}, truth = {0};
    struct oracle *oracle;
    struct runbook_address at = play->reader.at;
    int rc = reader_ask(play, at, false, &found, err);
    if (rc < 0)
        return rc;
    rc = oracle_of(play, at, found.version, &oracle, err);
    if (rc == 0)
        rc = oracle_contract(oracle, found.parts, &contract, err);
    if (rc == 0)
        rc = oracle_truth(oracle, INT64_MAX, &truth, err);
    if (rc == 0) {
        play->result->final_rows_wrong = answer_diff(&truth, &found, NULL, NULL);
        play->result->answers++;
        play->result->wrong += answer_diff(&contract, &found, NULL, NULL) != 0;
    }
    answer_release(&found);
    answer_release(&contract);
    answer_release(&truth);
    return rc;
}

int reader_judge(struct play *play, struct err *err)
{
    struct runbook_reader *reader = &play->reader;
    struct runbook_result *result = play->result;
    const struct runbook_sample *before = NULL;
    int64_t answered_ns = reader->count ? reader->samples[0].sent_ns : 0;
    bool wrong = false;
    int rc = reader_follow(play, err);
    for (size_t i = 0; rc == 0 && i < reader->count; i++) {
        const struct runbook_sample *sample = &reader->samples[i];
        result->refused += !sample->answered;
        if (!sample->answered)
            continue;
        if (!before || !alike(before, sample))
            rc = judge_sample(play, sample, &wrong, err);
        result->wrong += wrong;
        note_answer(result, sample, &answered_ns);
        before = sample;
    }
    return rc < 0 ? rc : judge_end(play, err);
}
