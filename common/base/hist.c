/* common/base/hist.c - see hist.h. Bucket 0 holds 0 .. 2047 one by one (two rows of 1,024);
 * row r > 0 holds 1024 << r .. (2048 << r) - 1 in steps of 1 << r. */
#include "common/base/hist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"

enum { STEP_BITS = 10, STEPS = 1 << STEP_BITS, ROWS = 64 - STEP_BITS };

static int index_of(int64_t value)
{
    if (value < STEPS)
        return (int)value;
    int row = 63 - __builtin_clzll((uint64_t)value) - STEP_BITS;
    return (row + 1) * STEPS + (int)((value >> row) - STEPS);
}

/* The largest value that index i stands for. */
static int64_t value_of(int i)
{
    if (i < STEPS)
        return i;
    int row = i / STEPS - 1;
    return (int64_t)((((uint64_t)(i % STEPS) + STEPS + 1) << row) - 1);
}

static void make(struct hist *hist)
{
    if (!hist->counts)
        hist->counts = mem_zero(ROWS * STEPS, sizeof *hist->counts);
}

void hist_record(struct hist *hist, int64_t value)
{
    if (value < 0) {
        hist->negative++;
        return;
    }
    make(hist);
    if (hist->total == 0 || value < hist->min)
        hist->min = value;
    if (hist->total == 0 || value > hist->max)
        hist->max = value;
    hist->counts[index_of(value)]++;
    hist->total++;
    hist->sum += (double)value;
}

void hist_merge(struct hist *to, const struct hist *from)
{
    to->negative += from->negative;
    if (from->total == 0)
        return;
    make(to);
    for (int i = 0; i < ROWS * STEPS; i++)
        to->counts[i] += from->counts[i];
    if (to->total == 0 || from->min < to->min)
        to->min = from->min;
    if (to->total == 0 || from->max > to->max)
        to->max = from->max;
    to->total += from->total;
    to->sum += from->sum;
}

int64_t hist_percentile(const struct hist *hist, double percent)
{
    if (hist->total == 0)
        return 0;
    uint64_t rank = (uint64_t)ceil(percent / 100 * (double)hist->total);
    if (rank < 1)
        rank = 1;
    uint64_t below = 0;
    int i = 0;
    while ((below += hist->counts[i]) < rank)
        i++;
    int64_t value = value_of(i);
    return value > hist->max ? hist->max : value;
}

double hist_mean(const struct hist *hist)
{
    return hist->total ? hist->sum / (double)hist->total : 0;
}

void hist_clear(struct hist *hist)
{
    uint64_t *counts = hist->counts;
    *hist = (struct hist){.counts = counts};
    if (counts)
        memset(counts, 0, ROWS * STEPS * sizeof *counts);
}

void hist_release(struct hist *hist)
{
    free(hist->counts);
    *hist = (struct hist){0};
}
