/* bench/evolve_page.c - what a changed rule took, one column an architecture: print, JSON, and the report. */
#include "bench/evolve_parts.h"
#include "bench/report_run.h"

enum unit { UNIT_S, UNIT_MS, UNIT_MB, UNIT_COUNT, UNIT_RATIO, UNIT_CORES };

#define NUMBER(function, expression)                                                               \
    static double function(const struct evolve_result *r)                                          \
    {                                                                                              \
        return (double)(expression);                                                               \
    }
NUMBER(changed_s, r->changed_s)
NUMBER(both_s, r->both_s)
NUMBER(old_answers, r->old_answers)
NUMBER(new_answers, r->new_answers)
NUMBER(neither, r->neither)
NUMBER(refused, r->refused)
NUMBER(extra_cpu, r->extra_cpu_s)
NUMBER(cores_before, r->cores_before)
NUMBER(cores_both, r->cores_both)
NUMBER(read_events, r->read_events)
NUMBER(read_mb, r->read_mb)
NUMBER(redis_before, r->mark[MARK_CHANGE].redis_mb)
NUMBER(redis_peak, r->redis_peak_mb)
NUMBER(redis_clean, r->mark[MARK_CLEAN].redis_mb)
NUMBER(fresh_before, (double)r->fresh_before_us / 1000)
NUMBER(fresh_during, (double)r->fresh_during_us / 1000)
NUMBER(fresh_ratio,
       r->fresh_before_us ? (double)r->fresh_during_us / (double)r->fresh_before_us : 0)
NUMBER(commands, r->change.commands)
NUMBER(started, r->change.started)
NUMBER(flips, r->change.flips)
NUMBER(back_s, r->back_s)
NUMBER(back_commands, r->back.commands)
NUMBER(back_flips, r->back.flips)
NUMBER(clean_commands, r->clean.commands)

/* One table makes print, JSON and report. S: follows from the design; H: on top of the report as well. */
enum { MEASURED, S = 1, H = 2 };
static const struct {
    const char *name, *json;
    enum unit unit;
    double (*of)(const struct evolve_result *r);
    int kind;
    const char *meaning;
} ROWS[] = {
    {"changed, until every answer is by the new rule", "changed_s", UNIT_S, changed_s, H,
     "from the first command to the last answer by the old rule"},
    {"of that: both rules answer", "both_s", UNIT_S, both_s, MEASURED,
     "from the first answer by the new rule to the last by the old one: what an application is "
     "told depends on when, or which, it asks"},
    {"answers by the old rule until then and after", "old_answers", UNIT_COUNT, old_answers,
     MEASURED, "from the first command to the way back"},
    {"answers by the new rule", "new_answers", UNIT_COUNT, new_answers, MEASURED, "the same"},
    {"answers by neither", "neither", UNIT_COUNT, neither, H,
     "wrong by both rules at the answer's own positions: must be 0"},
    {"reads refused", "refused", UNIT_COUNT, refused, MEASURED, "a reader that found no answer"},
    {"extra CPU until the last step is done", "extra_cpu_s", UNIT_S, extra_cpu, H,
     "of all processes and Redis, beyond what they used before, until the last step is done; "
     "not a broker's"},
    {"cores before", "cores_before", UNIT_CORES, cores_before, MEASURED,
     "of all processes and Redis"},
    {"cores while both rules are kept up to date", "cores_both", UNIT_CORES, cores_both, MEASURED,
     "between the change and the way back"},
    {"events read again until then", "read_events", UNIT_COUNT, read_events, MEASURED,
     "kappa's new version reads the history once; lambda's batch does, too, and its speed layer as "
     "far as it "
     "gets before the batch lands and it jumps"},
    {"their bytes", "read_mb", UNIT_MB, read_mb, MEASURED, "before compression"},
    {"Redis before", "redis_before_mb", UNIT_MB, redis_before, MEASURED, "used_memory"},
    {"Redis at the peak", "redis_peak_mb", UNIT_MB, redis_peak, H,
     "used_memory: both rules' values stand side by side"},
    {"Redis after cleaning up", "redis_clean_mb", UNIT_MB, redis_clean, MEASURED,
     "used_memory, once the new rule's values are gone again; where nothing deletes them they "
     "stay"},
    {"freshness p99 before", "fresh_before_ms", UNIT_MS, fresh_before, MEASURED,
     "99 of 100 events were seen within this, from the instant they were due"},
    {"freshness p99 during the change", "fresh_during_ms", UNIT_MS, fresh_during, H,
     "the same, from the first step to the last"},
    {"freshness: ratio", "fresh_ratio", UNIT_RATIO, fresh_ratio, MEASURED, "during over before"},
    {"commands", "commands", UNIT_COUNT, commands, S, "typed for the change"},
    {"processes started", "processes", UNIT_COUNT, started, S,
     "that go on running beside the old ones"},
    {"pointers flipped (applications told count each)", "flips", UNIT_COUNT, flips, S,
     "what decides which rule answers, in how many places"},
    {"the way back, until every answer is by the old rule", "back_s", UNIT_S, back_s, H,
     "from the first command to the last answer by the new rule"},
    {"the way back: commands", "back_commands", UNIT_COUNT, back_commands, S,
     "0: applications are told instead"},
    {"the way back: pointers flipped", "back_flips", UNIT_COUNT, back_flips, S, "as above"},
    {"commands to clean up", "clean_commands", UNIT_COUNT, clean_commands, S,
     "to give memory back"},
};
enum { ROW_COUNT = sizeof ROWS / sizeof *ROWS };

static void print_number(enum unit unit, double number, FILE *out)
{
    static const char *const NAMES[] = {"s", "ms", "MB", "", "x", ""};
    fprintf(out, "  %10.*f %-2s", unit == UNIT_COUNT ? 0 : 2, number, NAMES[unit]);
}

static void print_table(const struct evolve_options *o, const struct evolve_result *results,
                        int count, FILE *out)
{
    fprintf(
        out,
        "one rule changes: %lld events of history, %g a second meanwhile, %d applications; seed "
        "%llu\n%-52s",
        (long long)o->history, o->rate, o->readers, (unsigned long long)o->seed, "");
    for (int i = 0; i < count; i++)
        fprintf(out, "  %10s   ", results[i].way->name);
    fputc('\n', out);
    for (int row = 0; row < ROW_COUNT; row++) {
        fprintf(out, "%-52s", ROWS[row].name);
        for (int i = 0; i < count; i++)
            print_number(ROWS[row].unit, ROWS[row].of(&results[i]), out);
        fputc('\n', out);
    }
    fprintf(out,
            "kappa's canary answers for a tenth of the keys for %d ms on purpose; lambda's "
            "applications are "
            "told one after the other, %d ms apart.\n",
            LOOK_MS, TELL_MS);
}

static void print_json(const struct evolve_options *o, const struct evolve_result *results,
                       int count, FILE *out)
{
    fprintf(out, "{\"history\":%lld,\"rate\":%g,\"readers\":%d,\"seed\":%llu",
            (long long)o->history, o->rate, o->readers, (unsigned long long)o->seed);
    for (int i = 0; i < count; i++) {
        fprintf(out, ",\"%s\":{", results[i].way->name);
        for (int row = 0; row < ROW_COUNT; row++)
            fprintf(out, "%s\"%s\":%.*f", row ? "," : "", ROWS[row].json,
                    ROWS[row].unit == UNIT_COUNT ? 0 : 3, ROWS[row].of(&results[i]));
        fputc('}', out);
    }
    fputs("}\n", out);
}

void evolve_print(const struct evolve_options *options, const struct evolve_result *results,
                  int count, FILE *out)
{
    (options->json ? print_json : print_table)(options, results, count, out);
}

/* ---- the report ---- */

static void add_metrics(json_t *run, const struct evolve_result *results, int count)
{
    static const char *const UNITS[] = {"s", "ms", "MB", "", "", "cores"};
    for (int row = 0; row < ROW_COUNT; row++) {
        json_t *metric =
            json_pack("{s:s, s:s, s:s, s:s, s:b}", "name", ROWS[row].name, "unit",
                      UNITS[ROWS[row].unit], "kind", ROWS[row].kind & S ? "structural" : "measured",
                      "meaning", ROWS[row].meaning, "headline", (ROWS[row].kind & H) != 0);
        for (int i = 0; i < count; i++)
            json_object_set_new(metric, results[i].way->name, json_real(ROWS[row].of(&results[i])));
        report_add(run, "metrics", metric);
    }
}

static void add_moments(json_t *run, const struct evolve_result *result)
{
    for (int i = 0; i < result->moment_count; i++) {
        const struct evolve_moment *moment = &result->moments[i];
        report_add(run, "happenings",
                   json_pack("{s:f, s:f, s:s, s:s}", "t_s",
                             evolve_since_s(result, moment->began_ns), "until_s",
                             evolve_since_s(result, moment->ended_ns), "pipeline",
                             result->way->name, "what", moment->what));
    }
}

static void add_side(json_t *run, const struct evolve_result *r)
{
    char check[96];
    size_t answers = r->old_answers + r->new_answers + r->back_old + r->back_new + r->neither;
    report_add(run, "pipelines", json_string(r->way->name));
    add_moments(run, r);
    snprintf(check, sizeof check, "%s: every answer is what its rule says at its positions",
             r->way->name);
    report_check(run, r->neither == 0, check, "%zu answers from the change on, %zu by neither rule",
                 answers, r->neither);
    report_say(run, "%s: %s.", r->way->name, r->way->story);
}

/* Why they differ: what follows from the design is said as such, what was measured with its figures. */
static void say_why(json_t *run, const struct evolve_result *a, const struct evolve_result *b)
{
    report_say(
        run,
        "Structural: %s computes the new rule in two layers, of which the batch reads all of the "
        "history and the speed layer what it can before that batch lands; %s reads it once. "
        "Measured: %lld events read again against %lld, and %.2f s of extra processor time "
        "against %.2f s.",
        a->way->name, b->way->name, (long long)a->read_events, (long long)b->read_events,
        a->extra_cpu_s, b->extra_cpu_s);
    report_say(
        run,
        "Structural: in %s the pointer is in the applications, so both rules answer while they "
        "are told one after the other (%d ms apart here, %d of them); in %s it is in the view, and "
        "both answer only as long as the canary is wanted (%d ms here). Measured: %.2f s and "
        "%.2f s.",
        a->way->name, TELL_MS, a->change.flips, b->way->name, LOOK_MS, a->both_s, b->both_s);
    report_say(
        run,
        "The way back is open in both while the old rule is kept up to date, which is what the "
        "second set of processes and the memory pay for: %.2f s and %d pointers, against %.2f s "
        "and %d.",
        a->back_s, a->back.flips, b->back_s, b->back.flips);
}

static json_t *reading(void)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s}", "Old rule, new rule",
        "One filter of the view changes: the old rule counts views, the new one clicks, too.",
        "An answer",
        "What an application was given, for one key or for all. Afterwards it is held against an "
        "exact computation of the rule that it claims, at the positions that it names.",
        "Mixed",
        "While both rules answer, two applications, or one that asks twice, may be told by "
        "different rules. Each single answer is by one rule.",
        "One after the other",
        "The architectures were played in turn, on the same events and at the same rate; their "
        "times "
        "begin with their own play. The processors are shared with generator, readers and Redis.");
}

static void add_settings(json_t *run, const struct evolve_options *o)
{
    json_object_set_new(run, "seed", json_integer((json_int_t)o->seed));
    json_object_set_new(run, "settings",
                        json_pack("{s:I, s:f, s:i, s:i, s:s}", "history, events",
                                  (json_int_t)o->history, "events a second meanwhile", o->rate,
                                  "applications", o->readers,
                                  "seconds watched before, between, after", o->seconds, "log",
                                  o->log ? o->log : "embedded (LMDB; not Kafka)"));
}

static json_t *begin_page(const struct evolve_options *o, int64_t began_wall_ns)
{
    struct buf command = {0};
    buf_printf(&command,
               "lk compare evolve --count %lld --rate %g --seconds %d --readers %d --seed %llu",
               (long long)o->history, o->rate, o->seconds, o->readers, (unsigned long long)o->seed);
    if (o->arch)
        buf_printf(&command, " --arch %s", o->arch);
    if (o->log)
        buf_printf(&command, " --log %s", o->log);
    const struct report_facts facts = {.title = "One rule of a view changes, under load",
                                       .workload = "ads",
                                       .command = command.ptr,
                                       .began_wall_ns = began_wall_ns};
    json_t *run = report_begin(&facts);
    buf_release(&command);
    return run;
}

int evolve_page(const struct evolve_options *options, const struct evolve_result *results,
                int count, int64_t began_wall_ns, struct err *err)
{
    struct buf lines = {0};
    json_t *run = begin_page(options, began_wall_ns);
    json_object_set_new(run, "verdict",
                        json_string("Passed: every answer was by the old rule or by the new one"));
    json_object_set_new(run, "reading", reading());
    add_settings(run, options);
    add_metrics(run, results, count);
    for (int i = 0; i < count; i++) {
        add_side(run, &results[i]);
        buf_add(&lines, results[i].lines.ptr, results[i].lines.len);
    }
    if (count == 2)
        say_why(run, &results[0], &results[1]);
    report_say(run,
               "This is one run on one machine: figures called measured will differ in the next.");
    int rc = report_write(options->out, run, buf_bytes(&lines), err);
    if (rc == 0)
        fprintf(stderr, "report: %s/report.html\n", options->out);
    buf_release(&lines);
    json_decref(run);
    return rc;
}
