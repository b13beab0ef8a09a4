/* bench/result.c - metrics, findings, and the files of a run. One table of metrics makes the JSON,
 * the printed table and the report, so both architectures are told under the same words. */
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench/report.h"
#include "bench/run.h"
#include "common/base/clock.h"
#include "common/plan/plan.h"

#define NOT_MEASURED (-1.0)

/* ---- the metrics ---- */

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

static double fresh_p50(const struct run *run, const struct side *side)
{
    (void)run;
    return (double)hist_percentile(&side->fresh_us, 50) / 1000;
}

static double fresh_p99(const struct run *run, const struct side *side)
{
    (void)run;
    return (double)hist_percentile(&side->fresh_us, 99) / 1000;
}

static double fresh_max(const struct run *run, const struct side *side)
{
    (void)run;
    return (double)side->fresh_us.max / 1000;
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
    return reading->count ? (double)reading->wholes[reading->count - 1].rows_wrong : NOT_MEASURED;
}

static double healed_at(const struct run *run, const struct side *side)
{
    return side->healed_ns ? (double)(side->healed_ns - run->began_wall_ns) / 1e9 : NOT_MEASURED;
}

static double recovery_ms(const struct run *run, const struct side *side)
{
    (void)run;
    return side->recovery_us < 0 ? NOT_MEASURED : (double)side->recovery_us / 1000;
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
static double from_output(const struct side *side, const char *child, const char *member, bool last,
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
    double seconds = from_output(side, "batch", "seconds", true, &lines);
    return lines ? seconds : NOT_MEASURED;
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

static const struct metric {
    const char *name, *unit;
    bool structural, headline;
    const char *meaning;
    double (*of)(const struct run *run, const struct side *side);
} METRICS[] = {
    {"freshness p50", "ms", false, true,
     "due time of an event to the end of the first read that covers it: half are faster",
     fresh_p50},
    {"freshness p99", "ms", false, true, "the same: 99 of 100 are faster; the kill is inside",
     fresh_p99},
    {"freshness max", "ms", false, false, "the slowest event of all", fresh_max},
    {"rows wrong, worst", "%", false, true,
     "share of the view's rows that differed from truth at the read that missed most",
     wrong_before},
    {"events missing, worst", "%", false, false,
     "share of the events due by then that the answer lacked, at its worst", missing_before},
    {"error-seconds", "s", false, true,
     "share of missing events, integrated over the run: 1 = everything missing for a second",
     error_seconds},
    {"left out as late", "%", false, false,
     "events that the live rules did not take, by the counters of the last read", late_events},
    {"right from", "s", false, false,
     "seconds after the start from which on every whole read equalled truth", healed_at},
    {"rows wrong at the end", "rows", false, true, "rows that differ from truth at the last read",
     wrong_at_end},
    {"recovery", "ms", false, true,
     "SIGKILL of a worker to the first answer that is again as fresh as 99 of 100 were",
     recovery_ms},
    {"reprocess", "s", false, true,
     "time to compute everything again: the last batch; or deploy, diff and promote", reprocess_s},
    {"CPU per million events", "s", false, true, "user and system, all its processes and its Redis",
     cpu_per_million},
    {"bytes read", "MB", false, false,
     "by read calls of its processes and its Redis (the embedded log is read by memory map: not in "
     "it)",
     megabytes_read},
    {"bytes written", "MB", false, false, "by write calls of its processes and its Redis",
     megabytes_written},
    {"storage", "MB", false, false, "log, archive and Redis memory at the end", storage_mb},
    {"Redis memory", "MB", false, false, "used_memory at the end, with all that is kept",
     redis_memory},
    {"largest process", "MB", false, false, "peak resident memory of its largest process",
     memory_mb},
    {"keyed read p99", "ms", false, false, "one key of one window, as a user reads it", probe_p99},
    {"whole read p50", "ms", false, false, "every row, exact at one vector of positions",
     whole_p50},
    {"reads refused", "reads", false, false,
     "logical reads that ended in a named error (gap, away)", refused_reads},
    {"live processes", "", true, false,
     "processes that must run for the view to stay fresh and right", parts_count},
};

enum { METRIC_COUNT = sizeof METRICS / sizeof *METRICS };

/* ---- checks that need no oracle ---- */

static void check_processes(struct run *run)
{
    const struct process *failed = NULL, *large = NULL;
    double largest = 0;
    for (int i = 0; i < PIPELINES; i++)
        for (int k = 0; k < run->sides[i].child_count; k++) {
            const struct process *child = &run->sides[i].children[k];
            failed = child->failed ? child : failed;
            large = child->rss_max_mb > largest ? child : large;
            largest = child->rss_max_mb > largest ? child->rss_max_mb : largest;
        }
    failed = run->generator.failed ? &run->generator : failed;
    run_check(run, "no process failed", !failed, "%s%s%s",
              failed ? failed->name : "all as they should", failed ? ": " : "",
              failed ? failed->fate : "");
    run_check(run, "every process stays below 200 MB", largest < 200, "largest: %s, %.0f MB",
              large ? large->name : "none", largest);
}

/* ---- findings ---- */

static void finding(json_t *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void finding(json_t *list, const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(list, json_string(text));
}

static const char *less_and_more(double a, double b, char out[80])
{
    double ratio = a > b ? a / (b > 0 ? b : 1e-9) : b / (a > 0 ? a : 1e-9);
    if (ratio < 1.1)
        snprintf(out, 80, "about the same");
    else
        snprintf(out, 80, "%.1f times as much for %s", ratio, a > b ? "lambda" : "kappa");
    return out;
}

/* What was seen, in words. Only what this run's numbers show; one run is not a verdict. */
static json_t *findings_of(const struct run *run)
{
    const struct side *l = &run->sides[0], *k = &run->sides[1];
    json_t *list = json_array();
    char words[80];
    finding(
        list,
        "Both views were as fresh as their commits: half of all events were visible after %.0f ms "
        "(lambda) and %.0f ms (kappa), 99 %% after %.0f and %.0f ms.",
        fresh_p50(run, l), fresh_p50(run, k), fresh_p99(run, l), fresh_p99(run, k));
    if (l->missing_before_healing > 0 || k->missing_before_healing > 0)
        finding(list,
                "Both live views leave out what comes later than their plan allows. At its worst "
                "lambda lacked "
                "%.1f %% of the events that were due, kappa %.1f %%; over the whole run that adds "
                "up to %.2f "
                "and %.2f error-seconds.",
                missing_before(run, l), missing_before(run, k), l->error_seconds, k->error_seconds);
    int batches;
    double batch_s = from_output(l, "batch", "seconds", false, &batches);
    finding(list,
            "Lambda healed at each of its %d batches, which folded the whole archive again every "
            "time: %.1f s "
            "of work in all, and the last one took %.2f s.",
            batches, batch_s, reprocess_s(run, l));
    if (k->healing_done_ns)
        finding(list,
                "Kappa healed once, when somebody decided to: a version with %s of lateness was "
                "deployed, the "
                "log replayed into it, compared and promoted, in %.2f s; it costs a second table "
                "in Redis "
                "(%.1f MB at the end, lambda %.1f MB).",
                run->options.heal_lateness, reprocess_s(run, k), k->redis_mb, l->redis_mb);
    finding(list, "CPU per million events: %.1f s for lambda, %.1f s for kappa: %s.",
            cpu_per_million(run, l), cpu_per_million(run, k),
            less_and_more(cpu_per_million(run, l), cpu_per_million(run, k), words));
    if (l->recovery_us >= 0 && k->recovery_us >= 0)
        finding(list,
                "Killed without warning, lambda's speed layer was caught up again after %.0f ms, "
                "kappa's "
                "engine after %.0f ms; nothing was lost and nothing counted twice in either.",
                recovery_ms(run, l), recovery_ms(run, k));
    finding(list, "This is one run on one machine, both side by side: it shows how the two behave, "
                  "and names no winner. "
                  "Repeat it with your own events before you decide.");
    return list;
}

/* ---- run.json ---- */

static json_t *number_or_null(double value)
{
    return value == NOT_MEASURED ? json_null() : json_real(value);
}

static json_t *metrics_json(const struct run *run)
{
    json_t *list = json_array();
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric *m = &METRICS[i];
        json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:b}", "name", m->name, "unit", m->unit,
                                "kind", m->structural ? "structural" : "measured", "meaning",
                                m->meaning, "headline", m->headline);
        for (int k = 0; k < PIPELINES; k++)
            json_object_set_new(row, run->sides[k].pipeline->name,
                                number_or_null(m->of(run, &run->sides[k])));
        json_array_append_new(list, row);
    }
    return list;
}

static void add_process(json_t *list, const struct process *p)
{
    json_array_append_new(list,
                          json_pack("{s:s, s:s, s:f, s:f, s:f, s:f}", "pipeline", p->pipeline,
                                    "name", p->name, "cpu_s", p->cpu_s, "rss_max_mb", p->rss_max_mb,
                                    "read_mb", p->read_mb, "written_mb", p->written_mb));
}

static json_t *processes_json(const struct run *run)
{
    json_t *list = json_array();
    for (int i = 0; i < PIPELINES; i++) {
        for (int k = 0; k < run->sides[i].child_count; k++)
            add_process(list, &run->sides[i].children[k]);
        add_process(list, &run->sides[i].redis.process);
    }
    add_process(list, &run->generator);
    return list;
}

static double since_s(const struct run *run, int64_t mono_ns)
{
    return (double)(mono_ns - run->began_ns) / 1e9;
}

static json_t *happenings_json(const struct run *run)
{
    json_t *list = json_array();
    for (int i = 0; i < run->happening_count; i++) {
        const struct happening *h = &run->happenings[i];
        json_t *row = json_pack("{s:f, s:s, s:s}", "t_s", since_s(run, h->at_ns), "pipeline",
                                h->pipeline, "what", h->what);
        if (h->until_ns)
            json_object_set_new(row, "until_s", json_real(since_s(run, h->until_ns)));
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *history_json(const struct run *run)
{
    json_t *list = json_array();
    for (int i = 0; i < run->history_count; i++) {
        const struct past *past = &run->history[i];
        json_t *row = json_pack("{s:s, s:f, s:s}", "name", past->name, "began_s",
                                since_s(run, past->began_ns), "fate", past->fate);
        if (*past->pipeline)
            json_object_set_new(row, "pipeline", json_string(past->pipeline));
        if (past->ended_ns)
            json_object_set_new(row, "ended_s", json_real(since_s(run, past->ended_ns)));
        json_array_append_new(list, row);
    }
    return list;
}

static json_t *checks_json(const struct run *run, bool *pass)
{
    json_t *list = json_array();
    *pass = run->check_count > 0;
    for (int i = 0; i < run->check_count; i++) {
        const struct check *check = &run->checks[i];
        *pass = *pass && check->pass;
        json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "name", check->name, "pass",
                                              check->pass, "detail", check->detail));
    }
    return list;
}

static json_t *machine_json(void)
{
    struct utsname name;
    char model[128] = "unknown", line[512];
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            snprintf(model, sizeof model, "%.*s", (int)strcspn(strchr(line, ':') + 2, "\n"),
                     strchr(line, ':') + 2);
            break;
        }
    if (file)
        fclose(file);
    uname(&name);
    double memory_gb = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE) / 1e9;
    return json_pack("{s:s, s:I, s:f, s:s}", "processor", model, "cores",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory GB", memory_gb, "kernel",
                     name.release);
}

static json_t *settings_json(const struct compare_options *o)
{
    return json_pack("{s:I, s:I, s:I, s:f, s:b, s:s, s:s}", "commit ms", (json_int_t)o->commit_ms,
                     "span ms", (json_int_t)o->span_ms, "batch every ms",
                     (json_int_t)o->batch_every_ms, "speed", o->speed, "kills", o->faults,
                     "healed lateness", o->heal_lateness, "log",
                     "embedded (LMDB; not Kafka; survives process death, not power loss)");
}

static void set_plan(json_t *root, const struct run *run)
{
    struct plan *plan = NULL;
    struct buf english = {0}, mistakes = {0};
    json_object_set_new(root, "plan", json_loads(run->plan_json.ptr, 0, NULL));
    if (plan_parse(buf_bytes(&run->plan_json), run->table_dir, false, &plan, &mistakes, NULL) ==
        0) {
        plan_explain(plan, &english);
        json_object_set_new(root, "plan_english", json_string(english.ptr));
    }
    plan_free(plan);
    buf_release(&english);
    buf_release(&mistakes);
}

static json_t *run_json(const struct run *run, bool *pass)
{
    char started[40], command[300];
    time_t seconds = (time_t)(run->began_wall_ns / 1000000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &utc);
    snprintf(command, sizeof command, "lk compare %s --seed %llu", run->options.workload,
             (unsigned long long)run->options.seed);
    json_t *checks = checks_json(run, pass);
    json_t *root = json_pack(
        "{s:s, s:s, s:s, s:I, s:s, s:I, s:I, s:b, s:f, s:[s,s]}", "title",
        "Lambda and kappa on the same events", "workload", run->options.workload, "command",
        command, "seed", (json_int_t)run->options.seed, "started", started, "events",
        (json_int_t)run->events, "partitions", (json_int_t)run->options.partitions, "pass", *pass,
        "duration_s", since_s(run, run->ended_ns), "pipelines", run->sides[0].pipeline->name,
        run->sides[1].pipeline->name);
    json_object_set_new(root, "machine", machine_json());
    json_object_set_new(root, "settings", settings_json(&run->options));
    set_plan(root, run);
    json_object_set_new(root, "metrics", metrics_json(run));
    json_object_set_new(root, "processes", processes_json(run));
    json_object_set_new(root, "happenings", happenings_json(run));
    json_object_set_new(root, "checks", checks);
    json_object_set_new(root, "history", history_json(run));
    json_object_set_new(root, "findings", findings_of(run));
    return root;
}

/* ---- writing and printing ---- */

static int write_file(const struct run *run, const char *name, struct bytes text, struct err *err)
{
    char path[500];
    snprintf(path, sizeof path, "%s/%s", run->dir, name);
    FILE *file = fopen(path, "w");
    if (!file)
        return err_errno(err, ERR_ENV, "cannot write %s", path);
    bool good = fwrite(text.ptr, 1, text.len, file) == text.len;
    good = fclose(file) == 0 && good;
    return good ? 0 : err_errno(err, ERR_FULL, "cannot write %s", path);
}

static int write_json(const struct run *run, const char *name, const json_t *json, struct err *err)
{
    char *text = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    int rc = write_file(run, name, bytes_of(text), err);
    free(text);
    return rc;
}

static void batch_happenings(struct run *run)
{
    const struct side *side = &run->sides[0];
    for (int i = 0; i < side->child_count; i++) {
        if (strcmp(side->children[i].name, "batch") != 0)
            continue;
        FILE *file = fopen(side->children[i].output, "r");
        json_t *line;
        while (file && (line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL))) {
            double done_ms = json_number_value(json_object_get(line, "done_ms"));
            double seconds = json_number_value(json_object_get(line, "seconds"));
            int64_t until_ns = run->began_ns + (int64_t)(done_ms * 1e6) - run->began_wall_ns;
            if (done_ms > 0)
                run_happening(run, side->pipeline->name, until_ns - (int64_t)(seconds * 1e9),
                              until_ns, "batch");
            json_decref(line);
        }
        if (file)
            fclose(file);
    }
}

static void print_table(const struct run *run, FILE *out)
{
    fprintf(out, "\n%-26s %12s %12s  %-5s %s\n", "", run->sides[0].pipeline->name,
            run->sides[1].pipeline->name, "unit", "");
    for (int i = 0; i < METRIC_COUNT; i++) {
        fprintf(out, "%-26s", METRICS[i].name);
        for (int k = 0; k < PIPELINES; k++) {
            double value = METRICS[i].of(run, &run->sides[k]);
            if (value == NOT_MEASURED)
                fprintf(out, " %12s", "-");
            else
                fprintf(out, " %12.*f", value >= 100 || value == (int64_t)value ? 0 : 2, value);
        }
        fprintf(out, "  %-5s %s\n", METRICS[i].unit,
                METRICS[i].structural ? "structural" : "measured");
    }
    fputs("\nCPU seconds by process:", out);
    for (int k = 0; k < PIPELINES; k++) {
        const struct side *side = &run->sides[k];
        fprintf(out, "\n  %s:", side->pipeline->name);
        for (int i = 0; i < side->child_count; i++)
            fprintf(out, " %s %.2f,", side->children[i].name, side->children[i].cpu_s);
        fprintf(out, " redis %.2f", side->redis.process.cpu_s);
    }
    fputs("\n\n", out);
}

static void print_checks(const struct run *run, FILE *out)
{
    for (int i = 0; i < run->check_count; i++)
        fprintf(out, "%s  %s (%s)\n", run->checks[i].pass ? "ok    " : "FAILED",
                run->checks[i].name, run->checks[i].detail);
}

static void print_findings(const json_t *root, FILE *out)
{
    size_t i;
    json_t *text;
    fputc('\n', out);
    json_array_foreach(json_object_get(root, "findings"), i, text)
        fprintf(out, "- %s\n", json_string_value(text));
}

int run_report(struct run *run, FILE *out, bool *pass, struct err *err)
{
    check_processes(run);
    batch_happenings(run);
    for (int i = 0; i < PIPELINES; i++)
        buf_add(&run->samples, run->sides[i].fresh_lines.ptr, run->sides[i].fresh_lines.len);
    json_t *root = run_json(run, pass);
    int rc = write_json(run, "run.json", root, err);
    if (rc == 0)
        rc = write_file(run, "samples.jsonl", buf_bytes(&run->samples), err);
    json_t *result =
        json_pack("{s:b, s:O, s:O}", "pass", *pass, "metrics", json_object_get(root, "metrics"),
                  "checks", json_object_get(root, "checks"));
    if (rc == 0)
        rc = write_json(run, "result.json", result, err);
    if (rc == 0)
        rc = report_build(run->dir, err);
    if (rc == 0 && run->options.json) {
        json_dumpf(result, out, JSON_COMPACT | JSON_REAL_PRECISION(9));
        fputc('\n', out);
    } else if (rc == 0) {
        print_table(run, out);
        print_checks(run, out);
        print_findings(root, out);
        fprintf(out, "\n%s; report: %s/report.html\n", *pass ? "passed" : "FAILED", run->dir);
    }
    json_decref(result);
    json_decref(root);
    return rc;
}
