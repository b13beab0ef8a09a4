/* bench/drift.c - plays the library of differences side by side, an hour of the stream at a time.
 *
 *   flights (copies, cancelled ones) ──> log ─┬─ speed layer of each difference, and a mirrored one ─┐
 *                                             ├─ kappa                                               ├─ reads
 *                                             └─ archive ─ a batch of each, every few hours ─────────┘
 *   each read against the contract of the mirrored plan at its positions
 * All of it is one thread and the store is in memory, so a run is a function of its options. What a diff
 * finds at the mirrored layer, too (late events that a batch brings in), it does not find: it has noticed
 * a difference where its number of rows is another one than there. */
#include "bench/drift.h"

#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/map.h"
#include "common/run/job.h"
#include "common/store/read.h"
#include "lambda/archive.h"
#include "lambda/batch.h"
#include "lambda/speed.h"
#include "workloads/oracle.h"
#include "workloads/workload.h"

enum { PARTITIONS = 2, LAYERS_MAX = 32, CANCELLED_EVERY = 20, HOUR_MS = 3600000 };
#define TOPIC "flights"
#define STORE "memory:drift"
#define BEGIN_MS INT64_C(978307200000) /* the first flights: 2001-01-01 */

/* Since when a row is served wrong. */
struct spell {
    int since, read; /* hour, or DRIFT_NEVER: it is right now; the last read that it was wrong in */
};

/* One lambda with its speed layer. */
struct layer {
    struct plan *plan;
    struct drift_result *result;
    struct answer served;
    struct map spells; /* (window, key) -> struct spell */
    int64_t spell_hours;
    size_t spell_count;
    double off[PLAN_VALUES_MAX]; /* sum over reads of the share by which a value was off */
    int kappa_rows, batch_rows;  /* in the diffs of this hour */
};

struct play {
    const struct drift_options *options;
    char dir[32], log_uri[64], archive[64]; /* the work files, below dir */
    struct log *log;
    struct kv *kv;
    struct stream *stream;
    struct workload_event event; /* read, and not appended yet */
    bool ended;
    struct plan *kappa;
    int version; /* of kappa's view */
    struct oracle *oracle;
    struct layer layers[LAYERS_MAX]; /* 0: the mirrored one */
    int count, hour, batch_hour, reads;
};

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

static int append_event(struct play *play, struct err *err)
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
static int append_hour(struct play *play, struct err *err)
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

static int fold(const struct play *play, const struct plan *plan, enum arch arch, int version,
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

static int batch(const struct play *play, const struct plan *plan, struct err *err)
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

static int archive(const struct play *play, struct err *err)
{
    struct archive_totals totals;
    const struct archive_options options = {.log = play->log,
                                            .topic = TOPIC,
                                            .directory = play->archive,
                                            .roll_ms = HOUR_MS,
                                            .until_end = true};
    return archive_run(&options, &totals, err);
}

static int read_view(const struct play *play, const struct plan *plan, enum arch arch,
                     struct answer *out, struct err *err)
{
    const struct view_query query = {.exact = true};
    return view_read(play->kv, plan->view, arch, &query, out, err);
}

/* ---- measuring ---- */

static json_t *values_of(const struct answer_row *row)
{
    struct buf text = {0};
    if (!row)
        return NULL;
    buf_printf(&text, "{%.*s}", (int)row->values.len, row->values.ptr);
    json_t *values = json_loads(text.ptr, 0, NULL);
    buf_release(&text);
    return values;
}

/* One read of one layer. */
struct reading {
    const struct play *play;
    struct layer *layer;
    double off[PLAN_VALUES_MAX]; /* sums of distances */
    size_t extra;                /* rows served that there should not be */
};

static void note_wrong(const struct answer_row *right, const struct answer_row *served,
                       void *context)
{
    struct reading *reading = context;
    const struct answer_row *row = right ? right : served;
    struct buf name = {0};
    bool fresh;
    reading->extra += !right;
    buf_add(&name, &row->window_ms, sizeof row->window_ms);
    buf_add(&name, row->key.ptr, row->key.len);
    struct spell *spell = map_put(&reading->layer->spells, buf_bytes(&name), &fresh);
    buf_release(&name);
    if (fresh || spell->since == DRIFT_NEVER)
        spell->since = reading->play->hour;
    spell->read = reading->play->reads;
    json_t *a = values_of(right), *b = values_of(served);
    for (int v = 0; v < reading->layer->plan->value_count; v++) {
        const char *value = reading->layer->plan->values[v].name;
        reading->off[v] += fabs(json_number_value(json_object_get(a, value)) -
                                json_number_value(json_object_get(b, value)));
    }
    json_decref(a);
    json_decref(b);
}

/* Rows that were wrong and are not any more. */
static void end_spells(const struct play *play, struct layer *layer)
{
    for (size_t i = 0; i < layer->spells.count; i++) {
        struct spell *spell = map_at(&layer->spells, i, NULL);
        if (spell->since == DRIFT_NEVER || spell->read == play->reads)
            continue;
        int hours = play->hour - spell->since;
        layer->spell_hours += hours;
        layer->spell_count++;
        if (hours > layer->result->wrong_hours_max)
            layer->result->wrong_hours_max = hours;
        spell->since = DRIFT_NEVER;
    }
}

/* The rows that the speed layer has had to do with since the last batch, and the sums of their values. */
static size_t sum_recent(const struct play *play, const struct plan *plan,
                         const struct answer *right, double *sums)
{
    int64_t from_ms = BEGIN_MS + (int64_t)(play->batch_hour - 1) * HOUR_MS;
    size_t count = 0;
    for (size_t i = 0; i < right->count; i++) {
        if (right->rows[i].window_ms < from_ms)
            continue;
        json_t *values = values_of(&right->rows[i]);
        for (int v = 0; v < plan->value_count; v++)
            sums[v] += fabs(json_number_value(json_object_get(values, plan->values[v].name)));
        json_decref(values);
        count++;
    }
    return count;
}

/* Hold what is served against the contract of the mirrored plan; how many rows are wrong. */
static int measure(struct play *play, struct layer *layer, bool behind_batch, struct err *err)
{
    struct reading reading = {.play = play, .layer = layer};
    struct drift_result *result = layer->result;
    struct answer right = {0};
    double sums[PLAN_VALUES_MAX] = {0};
    for (int p = 0; p < layer->served.partitions; p++)
        layer->served.parts[p].speed = false; /* mirrored */
    int rc = oracle_contract(play->oracle, layer->served.parts, &right, err);
    if (rc < 0)
        return rc;
    play->reads++;
    size_t wrong = answer_diff(&right, &layer->served, note_wrong, &reading);
    end_spells(play, layer);
    result->wrong_at_end = wrong;
    if (!behind_batch) {
        size_t recent = sum_recent(play, layer->plan, &right, sums) + reading.extra;
        double share = recent ? (double)wrong / (double)recent : 0;
        result->wrong_share[play->hour] = share;
        result->wrong_share_mean += share / play->options->hours;
        if (share > result->wrong_share_max)
            result->wrong_share_max = share;
        for (int v = 0; v < layer->plan->value_count; v++)
            layer->off[v] += sums[v] > 0 ? reading.off[v] / sums[v] / play->options->hours : 0;
        if (wrong > 0 && result->first_hour == DRIFT_NEVER)
            result->first_hour = play->hour;
    }
    answer_release(&right);
    return 0;
}

/* A diff has noticed where it says something else than at the mirrored layer. */
static void notice(struct play *play, struct drift_result *result, enum drift_diff diff,
                   bool differs)
{
    if (differs && result->noticed[diff] == DRIFT_NEVER && result->first_hour != DRIFT_NEVER)
        result->noticed[diff] = play->hour - result->first_hour;
}

static int read_layer(struct play *play, struct layer *layer, const struct answer *kappa,
                      struct err *err)
{
    answer_release(&layer->served);
    int rc = read_view(play, layer->plan, ARCH_LAMBDA, &layer->served, err);
    if (rc == 0)
        rc = measure(play, layer, false, err);
    if (rc < 0)
        return rc;
    layer->kappa_rows = (int)answer_diff(kappa, &layer->served, NULL, NULL);
    notice(play, layer->result, DIFF_VERIFY, layer->result->wrong_share[play->hour] > 0);
    notice(play, layer->result, DIFF_KAPPA, layer->kappa_rows != play->layers[0].kappa_rows);
    return 0;
}

/* A batch lands, with nothing new in the log: what it changes is what was not as the batch has it. */
static int land_batch(struct play *play, struct layer *layer, struct err *err)
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
        notice(play, layer->result, DIFF_BATCH, layer->batch_rows != play->layers[0].batch_rows);
        rc = measure(play, layer, true, err);
    }
    answer_release(&before);
    return rc;
}

static int play_hour(struct play *play, struct err *err)
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

static int parse(const char *view, const char *speed, struct plan **out, struct err *err)
{
    struct buf json = {0};
    buf_printf(&json, DRIFT_PLAN, view, speed);
    int rc = plan_parse(buf_bytes(&json), ".", false, out, NULL, err);
    buf_release(&json);
    return rc;
}

/* Defaults of fields, as a plan says them: of a field that was optional. Whether there are any. */
static bool lay_defaults(json_t *plan, json_t *source)
{
    const char *name;
    json_t *value, *fields = json_object_get(json_object_get(plan, "source"), "fields");
    bool any = false;
    json_object_foreach (json_object_get(source, "fields"), name, value) {
        json_t *there = json_object_get(fields, name), *given = json_object_get(value, "default");
        if (!given)
            continue;
        json_object_del(there, "optional");
        json_object_set(there, "default", given);
        any = true;
    }
    return any;
}

/* The difference as a kappa would have it: in the plan itself. What no plan can say (a shift, a cut-off)
 * stays where it is. */
static void lay_over(json_t *plan, json_t *speed)
{
    const char *name;
    json_t *value;
    json_object_foreach (speed, name, value) {
        json_t *there = json_object_get(plan, name);
        bool off = json_is_null(value) ||
                   (json_is_string(value) && strcmp(json_string_value(value), "off") == 0);
        if (off)
            json_object_del(plan, name);
        else if (strcmp(name, "source") == 0 && lay_defaults(plan, value))
            continue;
        else if (strcmp(name, "source") == 0)
            json_object_set_new(plan, "speed", json_pack("{s:O}", name, value));
        else if (json_is_object(there) && json_is_object(value))
            json_object_update(there, value);
        else
            json_object_set(plan, name, value);
    }
}

/* values.late, ...: what lk plan diff says of it. */
static int say_diff(const struct play *play, const char *speed, char out[120], struct err *err)
{
    struct plan *changed = NULL;
    struct buf text = {0};
    size_t i, used = 0;
    json_t *root = json_loads(play->kappa->json, 0, NULL), *overlay = json_loads(speed, 0, NULL);
    json_t *change;
    lay_over(root, overlay);
    char *json = json_dumps(root, JSON_COMPACT);
    int rc = plan_parse(bytes_of(json), ".", false, &changed, NULL, err);
    json_decref(root);
    json_decref(overlay);
    free(json);
    if (rc < 0)
        return rc;
    plan_diff(play->kappa, changed, true, &text);
    root = json_loads(text.ptr, 0, NULL);
    json_array_foreach (json_object_get(root, "changes"), i, change)
        if (used < 100)
            used += (size_t)snprintf(out + used, 120 - used, "%s%s", used ? ", " : "",
                                     json_string_value(json_object_get(change, "path")));
    json_decref(root);
    buf_release(&text);
    plan_free(changed);
    return 0;
}

static int open_layer(struct play *play, const struct drift *drift, struct drift_result *result,
                      struct err *err)
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
    int rc = parse(view, drift->speed, &layer->plan, err);
    if (rc < 0)
        return rc;
    play->count++;
    rc = say_diff(play, drift->speed, result->said, err);
    if (rc == 0)
        rc = lambda_version_of(play->kv, layer->plan, PARTITIONS, &handover, err);
    return rc < 0 ? rc : 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static int open_log(struct play *play, struct err *err)
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

static int open_play(struct play *play, struct err *err)
{
    memory_drop("drift");
    int rc = open_log(play, err);
    if (rc == 0)
        rc = kv_open(STORE, &play->kv, err);
    if (rc == 0)
        rc = parse("drift", "{}", &play->kappa, err);
    if (rc == 0)
        rc = registry_add(play->kv, play->kappa, ARCH_KAPPA, PARTITIONS, err);
    play->version = rc;
    if (rc > 0)
        rc = oracle_open(bytes_of(play->kappa->json), ".", play->log, TOPIC, &play->oracle, err);
    return rc;
}

static void close_play(struct play *play)
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
    struct play *play = mem_zero(1, sizeof *play);
    struct drift_result *results = mem_zero(LAYERS_MAX, sizeof *results);
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
    if (rc == 0) {
        drift_print(options, results, play->count, out);
        rc = drift_page(options, results, play->count, err);
    }
    if (rc == 0)
        rc = judge(results, play->count, err);
    close_play(play);
    free(results);
    free(play);
    return rc;
}
