/* bench/result.c - metrics, findings, and the files of a run. One table of metrics makes the JSON,
 * the printed table and the report, so both architectures are told under the same words. */
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdlib.h>

#include "bench/metrics.h"
#include "bench/report_run.h"
#include "common/base/clock.h"
#include "common/plan/plan.h"

/* ---- checks that need no oracle ---- */

static void check_processes(struct run *run)
{
    const struct process *failed = NULL, *large = NULL;
    double largest = 0;
    for (int i = 0; i < run->side_count; i++)
        for (int k = 0; k < run->sides[i].child_count; k++) {
            const struct process *child = &run->sides[i].children[k];
            failed = child->failed ? child : failed;
            large = child->rss_max_mb > largest ? child : large;
            largest = child->rss_max_mb > largest ? child->rss_max_mb : largest;
        }
    failed = run->generator.failed ? &run->generator : failed;
    run_check(run, "no process failed", !failed, "%s%s%s",
              failed ? failed->name : "all did as they should", failed ? ": " : "",
              failed ? failed->fate : "");
    run_check(run, "every process stays below 200 MB", largest < 200, "largest: %s, %.0f MB",
              large ? large->name : "none", largest);
}

/* ---- run.json ---- */

static json_t *number_or_null(double value)
{
    return value == METRIC_NONE ? json_null() : json_real(value);
}

static json_t *metrics_json(const struct run *run)
{
    json_t *list = json_array();
    const struct metric *m;
    for (int i = 0; (m = metric_at(run, i)); i++) {
        json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:b}", "name", m->name, "unit", m->unit,
                                "kind", m->structural ? "structural" : "measured", "meaning",
                                m->meaning, "headline", m->headline);
        for (int k = 0; k < run->side_count; k++)
            json_object_set_new(row, run->sides[k].name,
                                number_or_null(metric_of(m, run, &run->sides[k])));
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
    for (int i = 0; !run->options.attach && i < run->side_count; i++) {
        for (int k = 0; k < run->sides[i].child_count; k++)
            add_process(list, &run->sides[i].children[k]);
        add_process(list, &run->sides[i].redis.process);
    }
    if (!run->options.attach)
        add_process(list, &run->generator);
    if (broker_known(&run->broker))
        add_process(list, &run->broker.itself);
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

/* The strikes, each with the recovery of the pipelines that it concerned; null: it never came. */
static json_t *faults_json(const struct run *run)
{
    json_t *list = json_array();
    for (int i = 0; i < run->strike_count; i++) {
        const struct strike *s = &run->strikes[i];
        json_t *recovery = json_object();
        for (int k = 0; k < run->side_count; k++)
            if (s->touches[k])
                json_object_set_new(recovery, run->sides[k].name,
                                    s->recovery_us[k] < 0
                                        ? json_null()
                                        : json_real((double)s->recovery_us[k] / 1000));
        json_t *row = json_pack(
            "{s:s, s:s, s:I, s:f, s:f, s:i, s:o}", "what", fault_kind_said(s->fault->kind), "whom",
            s->whom, "event", (json_int_t)s->event, "t_s", since_s(run, s->struck_ns), "until_s",
            since_s(run, s->over_ns), "gave_up", s->gave_up, "recovery_ms", recovery);
        if (s->fault->command)
            json_object_set_new(row, "command", json_string(s->fault->command));
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

/* What this program was told; of the others' settings it knows nothing. */
static json_t *attach_json(const struct run *run)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "log", run->log_uri, "topic", run->topic, "processes",
                     "run elsewhere: what they used is unknown here", "machine",
                     "the observer's, not theirs");
}

/* What the log truly was. */
static void say_log(const struct run *run, char out[400])
{
    if (run->log_is_ours)
        snprintf(out, 400, "embedded (LMDB; not Kafka; survives process death, not power loss)");
    else
        snprintf(out, 400,
                 "Kafka%s%s at %s, topic %s, client librdkafka %s; its size is not known%s",
                 *run->broker.version ? " " : "", run->broker.version,
                 run->log_uri + strlen("kafka:"), run->topic, rd_kafka_version_str(),
                 broker_known(&run->broker) ? "" : ", nor what the broker used");
}

static json_t *settings_json(const struct run *run)
{
    const struct compare_options *o = &run->options;
    char log[400];
    say_log(run, log);
    return json_pack("{s:s, s:I, s:I, s:I, s:f, s:s, s:s, s:s, s:s}", "speed layer",
                     run->speed_layer.ptr, "commit ms", (json_int_t)o->commit_ms, "span ms",
                     (json_int_t)o->span_ms, "batch every ms", (json_int_t)o->batch_every_ms,
                     "speed", o->speed, "faults", o->faults, "healed lateness", o->heal_lateness,
                     "log", log, "hand-over", o->handovers ? "all" : handover_name(o->handover));
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

/* A flag and its value, in quotes where a shell would split it. */
static void add_flag(struct buf *out, const char *flag, const char *value)
{
    if (!value)
        return;
    bool quote = strpbrk(value, " \t\"$&*();<>?[]`|\\") != NULL;
    buf_printf(out, " %s %s%s%s", flag, quote ? "'" : "", value, quote ? "'" : "");
}

/* Whom it watched; a password in the view's URI stays out. */
static void say_attached(const struct compare_options *o, struct buf *out)
{
    buf_add_text(out, " --attach");
    add_flag(out, "--log", o->log);
    add_flag(out, "--topic", o->topic);
    add_flag(out, "--view", strchr(o->view, '@') ? NULL : o->view);
}

/* The command that makes this run again, whatever was given by a variable, a file or a default. */
static void say_command(const struct compare_options *o, struct buf *out)
{
    buf_printf(out, "lk compare%s%s", o->events ? "" : " ", o->events ? "" : o->workload);
    add_flag(out, "--plan", o->plan);
    add_flag(out, "--events", o->events);
    add_flag(out, "--time-field", o->time_field);
    add_flag(out, "--time-format", o->time_format);
    add_flag(out, "--key-field", o->key_field);
    if (o->event_count > 0)
        buf_printf(out, " --count %lld", (long long)o->event_count);
    if (strcmp(o->workload, "ads") == 0)
        buf_printf(out, " --rate %.6g", o->rate);
    else
        buf_printf(out, " --speed %.6g", o->speed);
    buf_printf(out, " --seed %llu", (unsigned long long)o->seed);
    if (o->attach) {
        say_attached(o, out);
        return;
    }
    buf_printf(out, " --partitions %d --commit %lldms --span %lldms --batch-every %lldms",
               o->partitions, (long long)o->commit_ms, (long long)o->span_ms,
               (long long)o->batch_every_ms);
    if (o->handovers || o->handover != HANDOVER_OFFSET)
        add_flag(out, "--handover", o->handovers ? "all" : handover_name(o->handover));
    add_flag(out, "--heal-lateness", o->heal_lateness);
    add_flag(out, "--faults", o->faults);
    add_flag(out, "--log", o->log);
    buf_add_text(out, o->keep_topic ? " --keep-topic" : "");
}

static const char HANDOVER_VERDICT[] =
    "Passed: by offset nothing was lost or doubled, and every answer is what its hand-over says";

static json_t *names_json(const struct run *run)
{
    json_t *list = json_array();
    for (int i = 0; i < run->side_count; i++)
        json_array_append_new(list, json_string(run->sides[i].name));
    return list;
}

static json_t *run_json(const struct run *run, bool *pass)
{
    char started[40];
    struct buf command = {0};
    report_time(run->began_wall_ns, started);
    say_command(&run->options, &command);
    json_t *checks = checks_json(run, pass);
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:I, s:s, s:I, s:I, s:b, s:f}", "title",
                  run->options.handovers ? "Four hand-overs of lambda on the same events"
                                         : "Lambda and kappa on the same events",
                  "workload", run->options.workload, "command", command.ptr, "seed",
                  (json_int_t)run->options.seed, "started", started, "events",
                  (json_int_t)run->events, "partitions", (json_int_t)run->options.partitions,
                  "pass", *pass, "duration_s", since_s(run, run->ended_ns));
    buf_release(&command);
    json_object_set_new(root, "pipelines", names_json(run));
    if (run->options.handovers)
        json_object_set_new(root, "verdict", json_string(HANDOVER_VERDICT));
    json_object_set_new(root, "machine", report_machine());
    json_object_set_new(root, "settings",
                        run->options.attach ? attach_json(run) : settings_json(run));
    set_plan(root, run);
    json_object_set_new(root, "metrics", metrics_json(run));
    json_object_set_new(root, "processes", processes_json(run));
    json_object_set_new(root, "happenings", happenings_json(run));
    json_object_set_new(root, "faults", faults_json(run));
    json_object_set_new(root, "checks", checks);
    json_object_set_new(root, "history", history_json(run));
    json_object_set_new(root, "findings", findings_of(run));
    return root;
}

/* ---- printing ---- */

static void batch_happenings(struct run *run, const struct side *side)
{
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
                run_happening(run, side->name, until_ns - (int64_t)(seconds * 1e9), until_ns, "%s",
                              run->options.handovers
                                  ? "batch; those of the other hand-overs begin with it"
                                  : "batch");
            json_decref(line);
        }
        if (file)
            fclose(file);
    }
}

static void print_table(const struct run *run, FILE *out)
{
    fprintf(out, "\n%-26s", "");
    for (int k = 0; k < run->side_count; k++)
        fprintf(out, " %12s", run->sides[k].name);
    fputs("  unit\n", out);
    const struct metric *m;
    for (int i = 0; (m = metric_at(run, i)); i++) {
        fprintf(out, "%-26s", m->name);
        for (int k = 0; k < run->side_count; k++) {
            double value = metric_of(m, run, &run->sides[k]);
            if (value == METRIC_NONE)
                fprintf(out, " %12s", "-");
            else
                fprintf(out, " %12.*f", value >= 100 || value == (double)(int64_t)value ? 0 : 2,
                        value);
        }
        fprintf(out, "  %-5s %s\n", m->unit, m->structural ? "structural" : "measured");
    }
    fputc('\n', out);
}

static void print_cpu(const struct run *run, FILE *out)
{
    double per_million = 1e6 / (double)run->events;
    fputs("CPU-seconds per million events, by process:", out);
    for (int k = 0; k < run->side_count; k++) {
        const struct side *side = &run->sides[k];
        fprintf(out, "\n  %s:", side->name);
        for (int i = 0; i < side->child_count; i++)
            fprintf(out, " %s %.2f,", side->children[i].name,
                    side->children[i].cpu_s * per_million);
        fprintf(out, " redis %.2f", side->redis.process.cpu_s * per_million);
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
    json_array_foreach (json_object_get(root, "findings"), i, text)
        fprintf(out, "- %s\n", json_string_value(text));
}

int run_report(struct run *run, FILE *out, bool *pass, struct err *err)
{
    if (!run->options.attach)
        check_processes(run);
    for (int i = 0; i < (run->options.handovers ? 1 : run->side_count); i++)
        batch_happenings(run, &run->sides[i]); /* of four that begin together one is shown */
    for (int i = 0; i < run->side_count; i++)
        buf_add(&run->samples, run->sides[i].fresh_lines.ptr, run->sides[i].fresh_lines.len);
    json_t *root = run_json(run, pass);
    int rc = report_write(run->dir, root, buf_bytes(&run->samples), err);
    json_t *result =
        json_pack("{s:b, s:s, s:O, s:O, s:O}", "pass", *pass, "speed_layer", run->speed_layer.ptr,
                  "metrics", json_object_get(root, "metrics"), "checks",
                  json_object_get(root, "checks"), "faults", json_object_get(root, "faults"));
    if (rc == 0)
        rc = report_write_json(run->dir, "result.json", result, err);
    if (rc == 0 && run->options.json) {
        json_dumpf(result, out, JSON_COMPACT | JSON_REAL_PRECISION(9));
        fputc('\n', out);
    } else if (rc == 0) {
        print_table(run, out);
        if (!run->options.attach)
            print_cpu(run, out);
        fprintf(out, "lambda's speed layer: %s\n", run->speed_layer.ptr);
        print_checks(run, out);
        print_findings(root, out);
        fprintf(out, "\n%s; report: %s/report.html\n", *pass ? "passed" : "FAILED", run->dir);
    }
    json_decref(result);
    json_decref(root);
    return rc;
}
