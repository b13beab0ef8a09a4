/* bench/report_samples.c - see report_samples.h. A line is parsed with jansson: reports are not in
 * a hurry, and a run has some ten thousand samples. */
#include "bench/report_samples.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

const struct chart CHARTS[CHART_COUNT] = {
    {"off", "handover", "rows_off", "rows", 100, "Rows that the hand-over got wrong", "%",
     "Of all rows of an answer, the share whose value is not the exact one at the very same "
     "positions. Lateness is in both; what differs is how batch and speed layer were joined. 0 is "
     "right.",
     DRAW_STEP, 240, false, false},
    {"lost", "handover", "lost_share", NULL, 100, "Events lost at the hand-over", "%",
     "Of all events of the exact answer, the share that neither batch nor speed layer counted.",
     DRAW_STEP, 240, false, false},
    {"twice", "handover", "twice_share", NULL, 100, "Events counted twice at the hand-over", "%",
     "Of all events of the exact answer, the share that both batch and speed layer counted.",
     DRAW_STEP, 240, false, false},
    {"rule", "answer", "new", NULL, 100, "Answers by the new rule", "%",
     "Of the answers that applications were given in a stretch of time, the share that was by the "
     "new "
     "rule. 0: all by the old one; 100: all by the new one; between them both rules answer.",
     DRAW_MEAN, 120, false, false},
    {"wrong", "error", "rows_wrong", "rows", 100, "Rows that differ from the truth", "%",
     "Of all rows of the view, the share whose value was not yet, or no longer, what all events "
     "due "
     "by then say. 0 is right.",
     DRAW_STEP, 240, false, false},
    {"missing", "error", "missing_share", NULL, 100, "Events missing from the answers", "%",
     "Of all events due by then, the share that the served values had not counted.", DRAW_STEP, 240,
     false, false},
    {"freshness", "freshness", "ms", NULL, 1, "Freshness", "ms",
     "How old the oldest event was that a read was the first to show: from the instant it was due "
     "to the end of that read. Lower is fresher. The line is the median, the band reaches from the "
     "lowest to the highest sample. (The figures above count every event, not only each read's "
     "oldest.)",
     DRAW_BAND, 240, true, true},
    {"cpu", "cpu", "cores", NULL, 1, "Processor use", "cores",
     "Cores kept busy by all processes of a pipeline.", DRAW_MEAN, 80, false, false},
    {"rss", "rss", "mb", NULL, 1, "Memory", "MB", "Resident memory of all processes of a pipeline.",
     DRAW_STEP, 240, false, false},
    {"redis", "redis", "mb", NULL, 1, "Memory of Redis", "MB",
     "What Redis has allocated (used_memory).", DRAW_STEP, 240, false, false},
    {"private", "private", "mb", NULL, 1, "Memory of the process at work", "MB",
     "Its own memory (RssAnon): what it has mapped of the log's or archive's files is not in it.",
     DRAW_STEP, 240, false, false},
};

static void series_add(struct series *series, struct sample sample)
{
    if (series->count == series->capacity) {
        series->capacity = series->capacity ? series->capacity * 2 : 256;
        series->samples = mem_grow(series->samples, series->capacity * sizeof *series->samples);
    }
    series->samples[series->count++] = sample;
}

static int compare_double(double a, double b)
{
    return (a > b) - (a < b);
}

static int by_time(const void *a, const void *b)
{
    const struct sample *x = a, *y = b;
    int order = compare_double(x->t_s, y->t_s);
    return order ? order : compare_double(x->value, y->value);
}

static int by_value(const void *a, const void *b)
{
    return compare_double(*(const double *)a, *(const double *)b);
}

/* The value of a chart in a sample; false where the sample has none. */
static bool chart_value(const struct chart *chart, const json_t *sample, double *out)
{
    const json_t *value = json_object_get(sample, chart->value);
    double per = chart->per ? json_number_value(json_object_get(sample, chart->per)) : 1;
    if (!json_is_number(value) || per <= 0)
        return false;
    *out = json_number_value(value) / per * chart->scale;
    return true;
}

static int pipeline_of(const json_t *sample, const char *const *pipelines, int count)
{
    const char *name = json_string_value(json_object_get(sample, "pipeline"));
    for (int i = 0; name && i < count; i++)
        if (strcmp(name, pipelines[i]) == 0)
            return i;
    return -1;
}

static int take_line(struct samples *out, const char *line, size_t len,
                     const char *const *pipelines, int pipeline_count, struct err *err)
{
    json_error_t wrong;
    json_t *sample = json_loadb(line, len, 0, &wrong);
    const json_t *t = json_object_get(sample, "t_s");
    const char *kind = json_string_value(json_object_get(sample, "kind"));
    int rc = 0;
    if (!sample)
        rc = err_set(err, ERR_DATA, "%s", wrong.text);
    else if (!json_is_number(t) || !kind)
        rc = err_set(err, ERR_DATA, "expected {\"t_s\": number, \"kind\": text, ...}");
    int pipeline = pipeline_of(sample, pipelines, pipeline_count);
    for (int c = 0; rc == 0 && pipeline >= 0 && c < CHART_COUNT; c++) {
        struct sample point = {.t_s = json_number_value(t)};
        if (strcmp(CHARTS[c].kind, kind) != 0 || !chart_value(&CHARTS[c], sample, &point.value))
            continue;
        series_add(&out->series[c][pipeline], point);
        out->t_max_s = fmax(out->t_max_s, point.t_s);
    }
    json_decref(sample);
    return rc;
}

static int read_lines(FILE *file, struct samples *out, const char *const *pipelines, int count,
                      XXH3_state_t *hash, struct err *err)
{
    char *line = NULL;
    size_t size = 0;
    int rc = 0;
    for (ssize_t len; rc == 0 && (len = getline(&line, &size, file)) >= 0;) {
        XXH3_128bits_update(hash, line, (size_t)len);
        out->lines++;
        rc = take_line(out, line, (size_t)len, pipelines, count, err);
    }
    free(line);
    return rc;
}

int samples_read(const char *path, const char *const *pipelines, int pipeline_count,
                 struct samples *out, struct err *err)
{
    *out = (struct samples){0};
    FILE *file = fopen(path, "r");
    if (!file)
        return err_errno(err, ERR_USAGE, "%s", path);
    XXH3_state_t *hash = XXH3_createState();
    XXH3_128bits_reset(hash);
    int rc = read_lines(file, out, pipelines, pipeline_count, hash, err);
    if (rc < 0)
        err_context(err, "%s:%zu", path, out->lines);
    XXH128_hash_t digest = XXH3_128bits_digest(hash);
    snprintf(out->digest, sizeof out->digest, "%016llx%016llx", (unsigned long long)digest.high64,
             (unsigned long long)digest.low64);
    XXH3_freeState(hash);
    fclose(file);
    for (int c = 0; c < CHART_COUNT; c++)
        for (int p = 0; p < pipeline_count; p++)
            if (out->series[c][p].count)
                qsort(out->series[c][p].samples, out->series[c][p].count, sizeof(struct sample),
                      by_time);
    return rc;
}

void samples_release(struct samples *samples)
{
    for (int c = 0; c < CHART_COUNT; c++)
        for (int p = 0; p < REPORT_PIPELINES_MAX; p++)
            free(samples->series[c][p].samples);
    *samples = (struct samples){0};
}

static double *sorted_values(const struct sample *samples, size_t count)
{
    double *values = mem_alloc((count ? count : 1) * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = samples[i].value;
    qsort(values, count, sizeof *values, by_value);
    return values;
}

double *series_sorted_values(const struct series *series)
{
    return sorted_values(series->samples, series->count);
}

double sorted_quantile(const double *sorted, size_t count, double share)
{
    double rank = ceil(share * (double)count);
    size_t index = rank < 1 ? 0 : (size_t)rank - 1;
    return sorted[index < count ? index : count - 1];
}

static struct bucket bucket_of(const struct sample *samples, size_t count)
{
    if (count == 0)
        return (struct bucket){0};
    double *values = sorted_values(samples, count);
    struct bucket bucket = {.count = count,
                            .min = values[0],
                            .median = sorted_quantile(values, count, 0.5),
                            .max = values[count - 1],
                            .last = samples[count - 1].value};
    for (size_t i = 0; i < count; i++)
        bucket.mean += values[i] / (double)count;
    free(values);
    return bucket;
}

void series_buckets(const struct series *series, double t_max_s, struct bucket *out, size_t count)
{
    size_t from = 0;
    for (size_t b = 0; b < count; b++) {
        double end_s = t_max_s * (double)(b + 1) / (double)count;
        size_t to = from;
        while (to < series->count && (series->samples[to].t_s < end_s || b + 1 == count))
            to++;
        out[b] = bucket_of(series->samples + from, to - from);
        from = to;
    }
}
