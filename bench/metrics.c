/* bench/metrics.c - see metrics.h. */
#include "bench/metrics.h"

#include <assert.h>

#include "common/base/clock.h"

static double sum_children(const struct side *side, double (*of)(const struct process *))
{
    double sum = of(&side->redis.process);
    for (int i = 0; i < side->child_count; i++)
        sum += of(&side->children[i]);
    return sum;
}

static double cpu_of(const struct process *p)
{
    return p->cpu_s;
}

static double read_of(const struct process *p)
{
    return p->read_mb;
}

static double written_of(const struct process *p)
{
    return p->written_mb;
}

/* Whoever came when all was over has seen nothing become visible. */
static double fresh_ms(const struct side *side, double value_us)
{
    return side->fresh_us.total ? value_us / 1000 : METRIC_NONE;
}

static double fresh_p50(const struct run *run, const struct side *side)
{
    (void)run;
    return fresh_ms(side, (double)hist_percentile(&side->fresh_us, 50));
}

static double fresh_p99(const struct run *run, const struct side *side)
{
    (void)run;
    return fresh_ms(side, (double)hist_percentile(&side->fresh_us, 99));
}

static double fresh_max(const struct run *run, const struct side *side)
{
    (void)run;
    return fresh_ms(side, (double)side->fresh_us.max);
}

static double wrong_before(const struct run *run, const struct side *side)
{
    (void)run;
    return side->rows_true ? 100.0 * (double)side->wrong_before_healing / (double)side->rows_true
                           : 0;
}

static double missing_before(const struct run *run, const struct side *side)
{
    (void)run;
    return 100 * side->missing_before_healing;
}

static double error_seconds(const struct run *run, const struct side *side)
{
    (void)run;
    return side->error_seconds;
}

static double wrong_at_end(const struct run *run, const struct side *side)
{
    (void)run;
    const struct sampler *reading = &side->reading;
    return reading->count ? (double)reading->wholes[reading->count - 1].rows_wrong : METRIC_NONE;
}

static double healed_at(const struct run *run, const struct side *side)
{
    if (!side->healed_ns)
        return METRIC_NONE;
    int64_t after_ns = side->healed_ns - run->began_wall_ns;
    return after_ns > 0 ? (double)after_ns / 1e9 : 0; /* readers begin before the events do */
}

static double off_mean(const struct run *run, const struct side *side)
{
    (void)run;
    return side->pipeline->batches ? 100 * side->off_mean : METRIC_NONE;
}

static double off_worst(const struct run *run, const struct side *side)
{
    (void)run;
    return side->pipeline->batches ? 100 * side->off_worst : METRIC_NONE;
}

static double recovery_ms(const struct run *run, const struct side *side)
{
    (void)run;
    return side->recovery_us < 0 ? METRIC_NONE : (double)side->recovery_us / 1000;
}

static double cpu_per_million(const struct run *run, const struct side *side)
{
    return sum_children(side, cpu_of) / ((double)run->events / 1e6);
}

static double megabytes_read(const struct run *run, const struct side *side)
{
    (void)run;
    return sum_children(side, read_of);
}

static double megabytes_written(const struct run *run, const struct side *side)
{
    (void)run;
    return sum_children(side, written_of);
}

static double storage_mb(const struct run *run, const struct side *side)
{
    return run->log_mb + side->archive_mb + side->redis_mb;
}

static double redis_memory(const struct run *run, const struct side *side)
{
    (void)run;
    return side->redis_mb;
}

static double memory_mb(const struct run *run, const struct side *side)
{
    (void)run;
    double largest = 0;
    for (int i = 0; i < side->child_count; i++)
        if (side->children[i].rss_max_mb > largest)
            largest = side->children[i].rss_max_mb;
    return largest;
}

/* Sum (or the last) of a number over the JSON lines that a child printed. */
double metric_from_output(const struct side *side, const char *child, const char *member, bool last,
                          int *lines)
{
    double result = 0;
    *lines = 0;
    for (int i = 0; i < side->child_count; i++) {
        if (strcmp(side->children[i].name, child) != 0)
            continue;
        FILE *file = fopen(side->children[i].output, "r");
        json_t *line;
        while (file && (line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL))) {
            double value = json_number_value(json_object_get(line, member));
            result = last ? value : result + value;
            ++*lines;
            json_decref(line);
        }
        if (file)
            fclose(file);
    }
    return result;
}

/* What it takes to compute everything again: lambda's last batch, kappa's deploy, diff and promote.
 */
static double reprocess_s(const struct run *run, const struct side *side)
{
    (void)run;
    int lines;
    if (side->healing_done_ns)
        return (double)(side->healing_done_ns - side->healing_began_ns) / 1e9;
    double seconds = metric_from_output(side, "batch", "seconds", true, &lines);
    return lines ? seconds : METRIC_NONE;
}

static double probe_p99(const struct run *run, const struct side *side)
{
    (void)run;
    return (double)hist_percentile(&side->probing.took_us, 99) / 1000;
}

static double whole_p50(const struct run *run, const struct side *side)
{
    (void)run;
    return (double)hist_percentile(&side->reading.took_us, 50) / 1000;
}

static double refused_reads(const struct run *run, const struct side *side)
{
    (void)run;
    return (double)(side->probing.refused + side->reading.refused);
}

static double late_events(const struct run *run, const struct side *side)
{
    return run->events ? 100.0 * (double)side->late / (double)run->events : 0;
}

static double parts_count(const struct run *run, const struct side *side)
{
    (void)run;
    int count = 0;
    while (side->pipeline->processes[count].name)
        count++;
    return count;
}

const struct metric METRICS[] = {
    {"freshness p50", "ms", false, true,
     "due time of an event to the end of the first read that covers it: half are faster", fresh_p50,
     false},
    {"freshness p99", "ms", false, true, "the same: 99 of 100 are faster; the faults are inside",
     fresh_p99, false},
    {"freshness max", "ms", false, false, "the slowest event of all", fresh_max, false},
    {"rows wrong, worst", "%", false, true,
     "share of the view's rows that differed from truth at the read that missed most events, after "
     "the first fifth of the run",
     wrong_before, false},
    {"events missing, worst", "%", false, false,
     "share of the events due by then that the answer lacked, at its worst after the first fifth "
     "of the run",
     missing_before, false},
    {"error-seconds", "s", false, true,
     "share of missing events, integrated over the run: 1 = everything missing for a second",
     error_seconds, false},
    {"left out as late", "%", false, false,
     "share of all events that the rules of the speed layer, or of kappa's first version, did not "
     "take",
     late_events, false},
    {"right from", "s", false, false,
     "seconds after the start from which on every whole read equalled truth", healed_at, false},
    {"rows wrong at the end", "rows", false, true, "rows that differ from truth at the last read",
     wrong_at_end, false},
    {"off by the hand-over", "%", false, false,
     "rows that differ from what the hand-over by offset would say at the same positions, over the "
     "rows of truth: mean of all whole reads",
     off_mean, false},
    {"off by it, worst", "%", false, false, "the same at its worst read", off_worst, false},
    {"recovery", "ms", false, true,
     "end of a fault, what it ended being started again, to the first answer that holds an event "
     "due "
     "since the strike and is as fresh as 99 of 100 were before the first fault; the longest",
     recovery_ms, false},
    {"reprocess", "s", false, true,
     "time to compute everything again: the last batch; or deploy, diff and promote", reprocess_s,
     true},
    {"CPU per million events", "s", false, true, "user and system, all its processes and its Redis",
     cpu_per_million, true},
    {"bytes read", "MB", false, false,
     "by read calls of its processes and its Redis (the embedded log is read by memory map: not in "
     "it)",
     megabytes_read, true},
    {"bytes written", "MB", false, false, "by write calls of its processes and its Redis",
     megabytes_written, true},
    {"storage", "MB", false, false,
     "log (not Kafka's: a broker does not tell), archive and Redis memory at the end", storage_mb,
     true},
    {"Redis memory", "MB", false, false, "used_memory at the end, with all that is kept",
     redis_memory, true},
    {"largest process", "MB", false, false, "peak resident memory of its largest process",
     memory_mb, true},
    {"keyed read p99", "ms", false, false, "one key of one window, as a user reads it", probe_p99,
     false},
    {"whole read p50", "ms", false, false, "every row, exact at one vector of positions", whole_p50,
     false},
    {"reads refused", "reads", false, false,
     "logical reads that ended in a named error (gap, away)", refused_reads, false},
    {"live processes", "", true, false,
     "processes that must run for the view to stay fresh and right", parts_count, false},
    {NULL, NULL, false, false, NULL, NULL, false},
};

const struct metric *metric_at(const struct run *run, int n)
{
    const struct metric *first = HANDOVER_METRICS;
    for (; run->options.handovers && first->name; first++)
        if (n-- == 0)
            return first;
    const struct metric *metric = &METRICS[n];
    return metric->name ? metric : NULL;
}

double metric_of(const struct metric *metric, const struct run *run, const struct side *side)
{
    return metric->seen && run->options.attach ? METRIC_NONE : metric->of(run, side);
}

double metric_value(const struct run *run, const struct side *side, const char *name)
{
    const struct metric *metric = METRICS;
    while (metric->name && strcmp(metric->name, name) != 0)
        metric++;
    assert(metric->name);
    return metric_of(metric, run, side);
}
