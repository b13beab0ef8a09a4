/* bench/report_samples.h - samples.jsonl as series: one a chart and pipeline, sorted by time.
 *
 * CHARTS says which sample makes which chart, and how; adding a row adds a chart, its table and its
 * legend. Open values; one thread. */
#ifndef LK_BENCH_REPORT_SAMPLES_H
#define LK_BENCH_REPORT_SAMPLES_H

#include <stddef.h>

#include "bench/report.h"
#include "common/base/bytes.h"

enum chart_draw {
    DRAW_BAND, /* median of a stretch, in a band from its lowest to its highest */
    DRAW_STEP, /* the last value holds until the next */
    DRAW_MEAN, /* mean of a stretch */
};

struct chart {
    const char *id;          /* in the page */
    const char *kind;        /* of the sample */
    const char *value, *per; /* members: value / per (NULL: 1) * scale */
    double scale;
    const char *title, *unit;
    const char *meaning; /* one sentence, for the reader */
    enum chart_draw draw;
    int stretches; /* of time that the chart is cut into */
    bool log_scale;
    bool percentiles; /* also as a curve over percentiles */
};

enum { CHART_COUNT = 11 };
extern const struct chart CHARTS[CHART_COUNT];

struct sample {
    double t_s, value;
};

struct series {
    struct sample *samples; /* by time, then value */
    size_t count, capacity;
};

struct samples {
    struct series series[CHART_COUNT][REPORT_PIPELINES_MAX];
    double t_max_s;  /* of the last sample */
    size_t lines;    /* in the file */
    char digest[33]; /* XXH3-128 of the file's bytes */
};

/* What falls into one stretch of time. */
struct bucket {
    size_t count; /* 0: nothing, the rest is 0 */
    double min, median, max, mean, last;
};

/* ERR_USAGE where the file cannot be opened, ERR_DATA naming the line that is wrong. */
int samples_read(const char *path, const char *const *pipelines, int pipeline_count,
                 struct samples *out, struct err *err);
void samples_release(struct samples *samples);
/* Cut [0, t_max_s] into count stretches of equal length. */
void series_buckets(const struct series *series, double t_max_s, struct bucket *out, size_t count);
/* The values alone, rising; owned. */
double *series_sorted_values(const struct series *series);
/* The smallest of sorted values that at least this share (0 .. 1) of them do not exceed. */
double sorted_quantile(const double *sorted, size_t count, double share);

#endif
