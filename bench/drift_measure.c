/* bench/drift_measure.c - what a read of one layer says: which rows are wrong, since when, and how far off. See
 * drift_parts.h. */
#include <jansson.h>
#include <math.h>

#include "bench/drift_parts.h"

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
    const struct drift_play *play;
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
static void end_spells(const struct drift_play *play, struct layer *layer)
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
static size_t sum_recent(const struct drift_play *play, const struct plan *plan,
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
int drift_measure(struct drift_play *play, struct layer *layer, bool behind_batch, struct err *err)
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

void drift_notice(struct drift_play *play, struct drift_result *result, enum drift_diff diff,
                  bool differs)
{
    if (differs && result->noticed[diff] == DRIFT_NEVER && result->first_hour != DRIFT_NEVER)
        result->noticed[diff] = play->hour - result->first_hour;
}
