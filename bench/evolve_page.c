/* bench/evolve_page.c - what a changed rule took, one column an architecture. */
#include "bench/evolve_parts.h"

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

/* One table makes print and JSON. */
static const struct {
    const char *name, *json;
    enum unit unit;
    double (*of)(const struct evolve_result *r);
} ROWS[] = {
    {"changed, until every answer is by the new rule", "changed_s", UNIT_S, changed_s},
    {"of that: both rules answer", "both_s", UNIT_S, both_s},
    {"answers by the old rule until then and after", "old_answers", UNIT_COUNT, old_answers},
    {"answers by the new rule", "new_answers", UNIT_COUNT, new_answers},
    {"answers by neither", "neither", UNIT_COUNT, neither},
    {"reads refused", "refused", UNIT_COUNT, refused},
    {"extra CPU until the last step is done", "extra_cpu_s", UNIT_S, extra_cpu},
    {"cores before", "cores_before", UNIT_CORES, cores_before},
    {"cores while both rules are kept up to date", "cores_both", UNIT_CORES, cores_both},
    {"events read again until then", "read_events", UNIT_COUNT, read_events},
    {"their bytes", "read_mb", UNIT_MB, read_mb},
    {"Redis before", "redis_before_mb", UNIT_MB, redis_before},
    {"Redis at the peak", "redis_peak_mb", UNIT_MB, redis_peak},
    {"Redis after cleaning up", "redis_clean_mb", UNIT_MB, redis_clean},
    {"freshness p99 before", "fresh_before_ms", UNIT_MS, fresh_before},
    {"freshness p99 during the change", "fresh_during_ms", UNIT_MS, fresh_during},
    {"freshness: ratio", "fresh_ratio", UNIT_RATIO, fresh_ratio},
    {"commands", "commands", UNIT_COUNT, commands},
    {"processes started", "processes", UNIT_COUNT, started},
    {"pointers flipped (applications told count each)", "flips", UNIT_COUNT, flips},
    {"the way back, until every answer is by the old rule", "back_s", UNIT_S, back_s},
    {"the way back: commands", "back_commands", UNIT_COUNT, back_commands},
    {"the way back: pointers flipped", "back_flips", UNIT_COUNT, back_flips},
    {"commands to clean up", "clean_commands", UNIT_COUNT, clean_commands},
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
                  int count, bool json, FILE *out)
{
    (json ? print_json : print_table)(options, results, count, out);
}
