/* common/base/hist.h - a histogram of durations with 3 significant digits.
 *
 * After HdrHistogram (Tene): buckets of 1,024 linear steps, each twice as wide as the one before,
 * so every value is kept to within 0.1 %. Histograms are merged, percentiles never averaged.
 * Values are whole numbers >= 0 of the caller's unit (we use microseconds, up to 1 h and far
 * beyond); negative ones count in `negative` and nowhere else. Open value; one thread. */
#ifndef LK_BASE_HIST_H
#define LK_BASE_HIST_H

#include <stdint.h>

struct hist {
    uint64_t *counts; /* HIST_BUCKETS * 1024 of them, made at the first record */
    uint64_t total, negative;
    int64_t min, max;
    double sum;
};

void hist_record(struct hist *hist, int64_t value);
void hist_merge(struct hist *to, const struct hist *from);
/* The value at or below which percent (0 .. 100) of the records lie; 0 where there are none. */
int64_t hist_percentile(const struct hist *hist, double percent);
double hist_mean(const struct hist *hist);
void hist_clear(struct hist *hist);
void hist_release(struct hist *hist);

#endif
