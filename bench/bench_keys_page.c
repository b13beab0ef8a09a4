/* bench/bench_keys_page.c - what `lk bench keys` measured: print, JSON, and the report. */
#include <stdlib.h>

#include "bench/bench_keys.h"
#include "bench/report_run.h"

const struct keys_stage_name KEYS_STAGE_NAMES[KEYS_STAGES] = {
    [KEYS_RUN] = {"kappa run", "kappa"},     [KEYS_DEPLOY] = {"deploy", "kappa"},
    [KEYS_DIFF] = {"diff", "kappa"},         [KEYS_PROMOTE] = {"promote", "kappa"},
    [KEYS_TAKEOVER] = {"takeover", "kappa"}, [KEYS_ARCHIVE] = {"archive", "lambda"},
    [KEYS_BATCH] = {"batch", "lambda"}};

void keys_print(const struct keys_options *options, const struct keys_result *r, FILE *out)
{
    fprintf(out,
            options->json ? "{\"bench\":\"keys\",\"keys\":%lld,\"windows\":%lld,\"events\":%lld,"
                            "\"view_mb\":%.0f,\"takeover_ms\":%.0f"
                          : "keys: %lld keys in %lld windows, %lld events; every row is right; the "
                            "view takes %.0f MB of Redis; a killed worker's work went on %.0f ms "
                            "after the next was started\n",
            (long long)options->keys, (long long)options->windows, (long long)r->events,
            r->kappa_mb, r->takeover_ms);
    for (int i = 0; i < KEYS_STAGES; i++)
        if (i != KEYS_TAKEOVER)
            fprintf(out,
                    options->json
                        ? ",\"%s\":{\"seconds\":%.2f,\"cpu_seconds\":%.2f,\"memory_mb\":%.0f}"
                        : "  %-9s %7.1f s, %7.1f s of CPU, %5.0f MB of memory at most\n",
                    KEYS_STAGE_NAMES[i].name, r->figures[i].seconds, r->figures[i].cpu_s,
                    r->figures[i].anon_mb);
    fputs(options->json ? "}\n" : "", out);
}

/* ---- the report ---- */

enum { NONE = -1 };

/* Over the stages that bring the events into a view. */
static double sum(const struct keys_result *r, bool lambda,
                  double (*of)(const struct keys_figures *))
{
    return lambda ? of(&r->figures[KEYS_ARCHIVE]) + of(&r->figures[KEYS_BATCH])
                  : of(&r->figures[KEYS_RUN]);
}
static double seconds(const struct keys_figures *figures)
{
    return figures->seconds;
}
static double cpu_s(const struct keys_figures *figures)
{
    return figures->cpu_s;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static void add_metrics(json_t *run, const struct keys_result *r)
{
    const struct keys_figures *f = r->figures;
    const struct {
        const char *name, *unit, *meaning;
        bool headline;
        double lambda, kappa;
    } rows[] = {
        {"from the log to every row", "s",
         "lambda: archive and one full batch; kappa: one run to the end; one after the other", true,
         sum(r, true, seconds), sum(r, false, seconds)},
        {"CPU for it", "s", "user and system, without Redis", true, sum(r, true, cpu_s),
         sum(r, false, cpu_s)},
        {"memory at most", "MB", "the process's own (RssAnon), the largest of these stages", true,
         larger(f[KEYS_ARCHIVE].anon_mb, f[KEYS_BATCH].anon_mb), f[KEYS_RUN].anon_mb},
        {"Redis for the view", "MB",
         "used_memory: one generation, one version; this is what does not fit into a worker", true,
         r->lambda_mb, r->kappa_mb},
        {"a version deployed", "s", "replayed beside the live one", false, NONE,
         f[KEYS_DEPLOY].seconds},
        {"compared", "s", "lk kappa diff, every final row of both", false, NONE,
         f[KEYS_DIFF].seconds},
        {"promoted", "s", "which compares once more", false, NONE, f[KEYS_PROMOTE].seconds},
        {"a killed worker's work goes on", "ms",
         "from the start of the next worker to a reader who sees an event that came in between",
         true, NONE, r->takeover_ms},
        {"rows checked", "rows", "each against its count, which follows from the keys' numbers",
         false, (double)r->lambda_rows, (double)r->kappa_rows},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *lambda = rows[i].lambda == NONE ? json_null() : json_real(rows[i].lambda);
        report_add(run, "metrics",
                   json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:f}", "name", rows[i].name, "unit",
                             rows[i].unit, "kind", "measured", "meaning", rows[i].meaning,
                             "headline", rows[i].headline, "lambda", lambda, "kappa",
                             rows[i].kappa));
    }
}

static void add_stages(json_t *run, const struct keys_result *r)
{
    json_t *rows = report_table(run, "stages", "Stage by stage",
                                "Each is a process of its own, one after the other.",
                                "Pipeline|Stage|#Time, s|#CPU, s|#Memory at most, MB");
    for (int i = 0; i < KEYS_STAGES; i++) {
        const struct keys_figures *f = &r->figures[i];
        const struct keys_stage_name *stage = &KEYS_STAGE_NAMES[i];
        report_add(run, "happenings",
                   json_pack("{s:f, s:f, s:s, s:s}", "t_s",
                             (double)(f->began_ns - r->began_ns) / 1e9, "until_s",
                             (double)(f->ended_ns - r->began_ns) / 1e9, "pipeline", stage->pipeline,
                             "what", stage->name));
        if (i != KEYS_TAKEOVER)
            json_array_append_new(rows,
                                  json_pack("[{s:s}, s, f, f, f]", "pipeline", stage->pipeline,
                                            stage->name, f->seconds, f->cpu_s, f->anon_mb));
    }
}

static void add_settings(json_t *run, const struct keys_options *o, const struct keys_result *r)
{
    json_object_set_new(run, "events", json_integer(r->events));
    json_object_set_new(run, "plan", json_loads(r->plan.ptr, 0, NULL));
    json_object_set_new(
        run, "settings",
        json_pack("{s:I, s:I, s:f, s:s, s:s}", "keys", (json_int_t)o->keys, "windows",
                  (json_int_t)o->windows, "memory for cells, MiB",
                  (double)o->memory_bytes / 1048576, "log", "embedded (LMDB; not Kafka)", "seed",
                  "none: every event follows from the numbers of its key and window"));
    json_object_set_new(
        run, "reading",
        json_pack(
            "{s:s, s:s, s:s}", "A key, a row",
            "Every key comes once in every window, so each window has a row a key; a tenth of "
            "the events visit a key that has long left memory.",
            "Memory for cells",
            "The bound that worker and batch are given. A process takes more than that: "
            "buffers, the archive's blocks, its libraries.",
            "First touch",
            "A worker that meets a key which is not in its memory reads its cell from Redis "
            "first. One that does not would count from zero, and the rows would be wrong."));
}

static void say(json_t *run, const struct keys_options *o, const struct keys_result *r)
{
    const struct keys_figures *f = r->figures;
    int64_t rows = o->keys * o->windows;
    report_say(run,
               "kappa: %lld events became %lld rows in %.1f s, with at most %.0f MB of memory "
               "while the view takes %.0f MB of Redis: what a worker lets go it reads again.",
               (long long)r->events, (long long)rows, f[KEYS_RUN].seconds, f[KEYS_RUN].anon_mb,
               r->kappa_mb);
    report_say(
        run,
        "lambda: the archive took %.1f s and the batch %.1f s, with at most %.0f MB; a batch "
        "sorts runs on disk and merges them, and reads no cell back.",
        f[KEYS_ARCHIVE].seconds, f[KEYS_BATCH].seconds, f[KEYS_BATCH].anon_mb);
    report_say(run,
               "A version of that size was deployed in %.1f s, compared in %.1f s and promoted in "
               "%.1f s; a killed worker's partitions answered again %.0f ms after the next worker "
               "was started, since it reads positions and not cells.",
               f[KEYS_DEPLOY].seconds, f[KEYS_DIFF].seconds, f[KEYS_PROMOTE].seconds,
               r->takeover_ms);
    report_say(run, "This is one run on one machine; the two pipelines ran one after the other.");
}

int keys_page(const struct keys_options *o, const struct keys_result *r, struct err *err)
{
    struct buf command = {0};
    buf_printf(&command, "lk bench keys --keys %lld --windows %lld --memory %lld",
               (long long)o->keys, (long long)o->windows, (long long)o->memory_bytes);
    const struct report_facts facts = {.title = "Far more keys than memory",
                                       .workload = "many keys",
                                       .command = command.ptr,
                                       .began_wall_ns = r->began_wall_ns,
                                       .duration_s = (double)(r->ended_ns - r->began_ns) / 1e9};
    json_t *run = report_begin(&facts);
    json_object_set_new(run, "pipelines", json_pack("[s, s]", "lambda", "kappa"));
    json_object_set_new(run, "verdict", json_string("Passed: every row is right"));
    add_settings(run, o, r);
    add_metrics(run, r);
    add_stages(run, r);
    int64_t rows = o->keys * o->windows;
    report_check(run, r->kappa_rows == 2 * rows, "kappa: every row is its key's count",
                 "%lld rows read, of the first version and of the one that was promoted",
                 (long long)r->kappa_rows);
    report_check(run, r->lambda_rows == rows, "lambda: every row is its key's count",
                 "%lld rows read", (long long)r->lambda_rows);
    say(run, o, r);
    int rc = report_write(o->out, run, buf_bytes(&r->lines), err);
    if (rc == 0)
        fprintf(stderr, "report: %s/report.html\n", o->out);
    buf_release(&command);
    json_decref(run);
    return rc;
}
