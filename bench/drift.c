/* bench/drift.c - plays the library of differences side by side, an hour of the stream at a time.
 *
 *   flights (copies, cancelled ones) ──> log ─┬─ speed layer of each difference, and a mirrored one ─┐
 *                                             ├─ kappa                                               ├─ reads
 *                                             └─ archive ─ a batch of each, every few hours ─────────┘
 *   each read against the contract of the mirrored plan at its positions
 * All of it is one thread and the store is in memory, so a run is a function of its options. What a diff
 * finds at the mirrored layer, too (late events that a batch brings in), it does not find: it has noticed
 * a difference where its number of rows is another one than there. */
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/drift_parts.h"
#include "common/base/clock.h"
#include "common/run/job.h"
#include "lambda/archive.h"
#include "lambda/batch.h"
#include "lambda/speed.h"

enum { PARTITIONS = 2, CANCELLED_EVERY = 20 };
#define TOPIC "flights"
#define STORE "memory:drift"

/* ---- events ---- */

/* The flight with an id; every twentieth was cancelled, and has no delay. */
static void add_event(const struct workload_event *event, struct buf *out)
{
    const char *begin = event->value.ptr, *end = begin + event->value.len;
    const char *delay = memmem(begin, event->value.len, "\"delay\":", 8);
    const char *behind = delay ? memchr(delay, ',', (size_t)(end - delay)) : NULL;
    buf_printf(out, "{\"id\":%lld,", (long long)event->number);
    if (event->number % CANCELLED_EVERY == 0 && behind) {
        buf_add(out, begin + 1, (size_t)(delay - begin - 1));
        buf_add(out, behind + 1, (size_t)(end - behind - 1));
    } else {
        buf_add(out, begin + 1, (size_t)(end - begin - 1));
    }
}

static int append_event(struct drift_play *play, struct err *err)
{
    struct buf value = {0};
    add_event(&play->event, &value);
    const struct log_record record = {.value = buf_bytes(&value)};
    int64_t rc =
        log_append(play->log, TOPIC, (int)(play->event.number % PARTITIONS), &record, 1, err);
    buf_release(&value);
    return rc < 0 ? (int)rc : 0;
}

/* What is published before the end of this hour. */
static int append_hour(struct drift_play *play, struct err *err)
{
    int64_t end_us = (int64_t)(play->hour + 1) * HOUR_MS * 1000;
    int rc = 0;
    while (rc >= 0 && !play->ended && play->event.publish_us < end_us) {
        rc = append_event(play, err);
        if (rc == 0)
            rc = stream_next(play->stream, &play->event, err);
        play->ended = rc == 0;
    }
    return rc < 0 ? rc : 0;
}

/* ---- the pipelines ---- */

static int fold(const struct drift_play *play, const struct plan *plan, enum arch arch, int version,
                struct err *err)
{
    static const int ALL[PARTITIONS] = {0, 1};
    struct worker_options options = {.plan = plan,
                                     .topic = TOPIC,
                                     .partitions = ALL,
                                     .count = PARTITIONS,
                                     .workers = 1,
                                     .job = {.view_uri = STORE,
                                             .arch = arch,
                                             .version = version,
                                             .commit_ms = 1,
                                             .span_ms = HOUR_MS,
                                             .memory_bytes = 64 << 20,
                                             .patience_ms = 1000}};
    struct worker_result result;
    int64_t until[PARTITIONS], first;
    int rc = 0;
    for (int p = 0; rc == 0 && p < PARTITIONS; p++)
        rc = log_range(play->log, TOPIC, p, &first, &until[p], err);
    return rc < 0 ? rc : worker_run_on(&options, play->log, until, &result, err);
}

static int batch(const struct drift_play *play, const struct plan *plan, struct err *err)
{
    const struct batch_options options = {.plan = plan,
                                          .archive = play->archive,
                                          .topic = TOPIC,
                                          .workers = 1,
                                          .memory_bytes = 64 << 20,
                                          .keep = 1,
                                          .handover = HANDOVER_AS_IT_IS};
    struct batch_result result = {0};
    int rc = batch_run(play->kv, &options, &result, err);
    batch_release(&result);
    return rc;
}

static int archive(const struct drift_play *play, struct err *err)
{
    struct archive_totals totals;
    const struct archive_options options = {.log = play->log,
                                            .topic = TOPIC,
                                            .directory = play->archive,
                                            .roll_ms = HOUR_MS,
                                            .until_end = true};
    return archive_run(&options, &totals, err);
}

static int read_view(const struct drift_play *play, const struct plan *plan, enum arch arch,
                     struct answer *out, struct err *err)
{
    const struct view_query query = {.exact = true};
    return view_read(play->kv, plan->view, arch, &query, out, err);
}

/* ---- an hour ---- */

static int read_layer(struct drift_play *play, struct layer *layer, const struct answer *kappa,
                      struct err *err)
{
    answer_release(&layer->served);
    int rc = read_view(play, layer->plan, ARCH_LAMBDA, &layer->served, err);
    if (rc == 0)
        rc = drift_measure(play, layer, false, err);
    if (rc < 0)
        return rc;
    layer->kappa_rows = (int)answer_diff(kappa, &layer->served, NULL, NULL);
    drift_notice(play, layer->result, DIFF_VERIFY, layer->result->wrong_share[play->hour] > 0);
    drift_notice(play, layer->result, DIFF_KAPPA, layer->kappa_rows != play->layers[0].kappa_rows);
    return 0;
}

/* A batch lands, with nothing new in the log: what it changes is what was not as the batch has it. */
static int land_batch(struct drift_play *play, struct layer *layer, struct err *err)
{
    struct answer before = layer->served;
    layer->served = (struct answer){0};
    int rc = batch(play, layer->plan, err);
    if (rc == 0) /* the speed layer stands on the boundary */
        rc = fold(play, layer->plan, ARCH_LAMBDA, 1, err);
    if (rc == 0)
        rc = read_view(play, layer->plan, ARCH_LAMBDA, &layer->served, err);
    if (rc == 0) {
        layer->batch_rows = (int)answer_diff(&before, &layer->served, NULL, NULL);
        drift_notice(play, layer->result, DIFF_BATCH,
                     layer->batch_rows != play->layers[0].batch_rows);
        rc = drift_measure(play, layer, true, err);
    }
    answer_release(&before);
    return rc;
}

static int play_hour(struct drift_play *play, struct err *err)
{
    struct answer kappa = {0};
    int rc = append_hour(play, err);
    if (rc == 0)
        rc = oracle_follow(play->oracle, err);
    if (rc == 0)
        rc = fold(play, play->kappa, ARCH_KAPPA, play->version, err);
    if (rc == 0)
        rc = read_view(play, play->kappa, ARCH_KAPPA, &kappa, err);
    for (int i = 0; rc == 0 && i < play->count; i++) {
        rc = fold(play, play->layers[i].plan, ARCH_LAMBDA, 1, err);
        if (rc == 0)
            rc = read_layer(play, &play->layers[i], &kappa, err);
    }
    answer_release(&kappa);
    bool last = play->hour + 1 == play->options->hours;
    if (rc < 0 || (!last && (play->hour + 1) % play->options->batch_hours != 0))
        return rc;
    rc = archive(play, err);
    for (int i = 0; rc == 0 && i < play->count; i++)
        rc = land_batch(play, &play->layers[i], err);
    play->batch_hour = play->hour + 1;
    return rc;
}

/* ---- from the options to a play, and to the results ---- */

static int open_layer(struct drift_play *play, const struct drift *drift,
                      struct drift_result *result, struct err *err)
{
    struct layer *layer = &play->layers[play->count];
    char view[16];
    int handover = HANDOVER_AS_IT_IS;
    snprintf(view, sizeof view, "drift_%d", play->count);
    *result = (struct drift_result){.drift = drift, .first_hour = DRIFT_NEVER};
    for (int i = 0; i < DIFFS; i++)
        result->noticed[i] = DRIFT_NEVER;
    layer->result = result;
    map_init(&layer->spells, sizeof(struct spell));
    int rc = drift_parse(view, drift->speed, &layer->plan, err);
    if (rc < 0)
        return rc;
    play->count++;
    rc = drift_say_diff(play->kappa, drift->speed, result->said, err);
    if (rc == 0)
        rc = lambda_version_of(play->kv, layer->plan, PARTITIONS, &handover, err);
    return rc < 0 ? rc : 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static int open_log(struct drift_play *play, struct err *err)
{
    const struct disorder_options copies = {
        .seed = 1, .duplicate_share = 0.01, .duplicate_max_ms = HOUR_MS / 3};
    const struct workload_options all = {0};
    snprintf(play->dir, sizeof play->dir, "/tmp/lk-drift.XXXXXX");
    if (!mkdtemp(play->dir))
        return err_errno(err, ERR_ENV, "cannot make %s", play->dir);
    snprintf(play->log_uri, sizeof play->log_uri, "embedded:%s/log", play->dir);
    snprintf(play->archive, sizeof play->archive, "%s/archive", play->dir);
    int rc = log_open(play->log_uri, true, &play->log, err);
    if (rc == 0)
        rc = log_create_topic(play->log, TOPIC, (struct log_shape){.partitions = PARTITIONS}, err);
    if (rc == 0)
        rc = stream_open(workload_find("flights"), &all, &copies, &play->stream, err);
    if (rc == 0)
        rc = stream_next(play->stream, &play->event, err);
    return rc < 0 ? rc : 0;
}

static int open_play(struct drift_play *play, struct err *err)
{
    memory_drop("drift");
    int rc = open_log(play, err);
    if (rc == 0)
        rc = kv_open(STORE, &play->kv, err);
    if (rc == 0)
        rc = drift_parse("drift", "{}", &play->kappa, err);
    if (rc == 0)
        rc = registry_add(play->kv, play->kappa, ARCH_KAPPA, PARTITIONS, err);
    play->version = rc;
    if (rc > 0)
        rc = oracle_open(bytes_of(play->kappa->json), ".", play->log, TOPIC, &play->oracle, err);
    return rc;
}

static void close_play(struct drift_play *play)
{
    for (int i = 0; i < play->count; i++) {
        plan_free(play->layers[i].plan);
        answer_release(&play->layers[i].served);
        map_release(&play->layers[i].spells);
    }
    plan_free(play->kappa);
    oracle_close(play->oracle);
    stream_close(play->stream);
    if (play->kv)
        kv_close(play->kv);
    if (play->log)
        log_close(play->log);
    memory_drop("drift");
    if (*play->dir)
        nftw(play->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void finish(const struct layer *layer)
{
    struct drift_result *result = layer->result;
    result->wrong_rows = layer->spells.count;
    if (layer->spell_count > 0)
        result->wrong_hours_mean = (double)layer->spell_hours / (double)layer->spell_count;
    result->value = "";
    for (int v = 0; v < layer->plan->value_count; v++)
        if (layer->off[v] > result->off_share) {
            result->off_share = layer->off[v];
            result->value = layer->plan->values[v].name;
        }
}

static int judge(const struct drift_result *results, int count, struct err *err)
{
    if (results[0].wrong_rows > 0)
        return err_set(err, ERR_DATA, "the mirrored speed layer served %zu wrong rows",
                       results[0].wrong_rows);
    for (int i = 1; i < count; i++)
        if (results[i].wrong_at_end > 0)
            return err_set(err, ERR_DATA, "%s: %zu rows were wrong behind the last batch",
                           results[i].drift->name, results[i].wrong_at_end);
    return 0;
}

/* Is name among the words with commas? */
static bool asked_for(const char *words, const char *name)
{
    const char *at = words ? strstr(words, name) : NULL;
    size_t length = strlen(name);
    return !words || (at && (at == words || at[-1] == ',') && (!at[length] || at[length] == ','));
}

/* Each of the words that --only holds, separated by commas, is a difference of the library. */
static int check_only(const char *only, struct err *err)
{
    for (const char *at = only; at;) {
        size_t length = strcspn(at, ",");
        const struct drift *drift = DRIFTS;
        while (drift->name && (strlen(drift->name) != length || strncmp(drift->name, at, length)))
            drift++;
        if (!drift->name)
            return err_set(err, ERR_USAGE,
                           "--only: there is no difference \"%.*s\"; they stand in docs/drift.md",
                           (int)length, at);
        at = at[length] ? at + length + 1 : NULL;
    }
    return 0;
}

int drift_run(const struct drift_options *options, FILE *out, struct err *err)
{
    static const struct drift MIRRORED = {"mirrored", "the control: the plan's own rules", "{}"};
    int rc = check_only(options->only, err);
    if (rc < 0)
        return rc;
    struct drift_play *play = mem_zero(1, sizeof *play);
    struct drift_result *results = mem_zero(LAYERS_MAX, sizeof *results);
    int64_t began_wall_ns = clock_wall_ns();
    play->options = options;
    rc = open_play(play, err);
    if (rc == 0)
        rc = open_layer(play, &MIRRORED, &results[0], err);
    for (const struct drift *drift = DRIFTS; rc == 0 && drift->name; drift++)
        if (asked_for(options->only, drift->name))
            rc = open_layer(play, drift, &results[play->count], err);
    for (; rc == 0 && play->hour < options->hours; play->hour++)
        rc = play_hour(play, err);
    for (int i = 0; rc == 0 && i < play->count; i++)
        finish(&play->layers[i]);
    if (rc == 0) /* what was not right has no figures */
        rc = judge(results, play->count, err);
    if (rc == 0)
        rc = drift_page(options, results, play->count, began_wall_ns, err);
    if (rc == 0)
        drift_print(options, results, play->count, out);
    close_play(play);
    free(results);
    free(play);
    return rc;
}
