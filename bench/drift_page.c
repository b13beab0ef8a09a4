/* bench/drift_page.c - what the differences did: a table for the terminal, JSON, and the report. */
#include <jansson.h>

#include "bench/drift_parts.h"
#include "bench/report_run.h"

static const char *const DIFF_NAMES[DIFFS] = {
    [DIFF_BATCH] = "batch", [DIFF_VERIFY] = "verify", [DIFF_KAPPA] = "kappa"};

#define ONE_LAYER                                                                                  \
    "Kappa has one layer: there is no second place in which one of these could be made. The same " \
    "line "                                                                                        \
    "in its plan is a change that lk plan diff shows, and a version that lk kappa diff holds "     \
    "against "                                                                                     \
    "the live one before anybody is answered by it."

/* "3 h", "never"; "-" where nothing was wrong. */
static const char *hours_text(const struct drift_result *result, int hours, char out[16])
{
    if (result->first_hour == DRIFT_NEVER)
        return "-";
    if (hours == DRIFT_NEVER)
        return "never";
    snprintf(out, 16, "%d h", hours);
    return out;
}

/* ---- the terminal ---- */

static void print_row(const struct drift_result *r, FILE *out)
{
    char text[DIFFS][16];
    fprintf(out, "%-14s %6.1f%% %6.1f%%  %-11s %7.1f%%", r->drift->name, 100 * r->wrong_share_mean,
            100 * r->wrong_share_max, r->value, 100 * r->off_share);
    for (int i = 0; i < DIFFS; i++)
        fprintf(out, " %7s", hours_text(r, r->noticed[i], text[i]));
    fprintf(out, "  %5.1f h %4d h  %s\n", r->wrong_hours_mean, r->wrong_hours_max,
            r->said[0] ? r->said : "-");
}

static void print_table(const struct drift_options *options, const struct drift_result *results,
                        int count, FILE *out)
{
    fprintf(
        out,
        "%d hours of flights, a batch every %d hours; wrong: against the plan's contract at the "
        "same positions\n\n%-14s %15s  %-20s %23s  %14s  %s\n%-14s %7s %7s  %-11s %8s %7s %7s "
        "%7s  %7s %6s\n",
        options->hours, options->batch_hours, "", "rows wrong", "the value off most",
        "noticed after, by", "stays wrong", "plan diff", "", "mean", "most", "", "by",
        DIFF_NAMES[0], DIFF_NAMES[1], DIFF_NAMES[2], "mean", "most");
    for (int i = 0; i < count; i++)
        print_row(&results[i], out);
    fputs("\nrows wrong: share of the rows since the last batch, per read. noticed: hours of the "
          "stream "
          "behind the first wrong\nrow served, by what the next batch changes (batch), the plan's "
          "contract "
          "(verify), kappa's rows beside lambda's (kappa);\na diff counts where it finds other "
          "than at the "
          "mirrored layer. stays wrong: until a batch covers the row.\n" ONE_LAYER "\n",
          out);
}

static json_t *result_json(const struct drift_result *r, int hours)
{
    json_t *noticed = json_object(), *shares = json_array();
    for (int i = 0; i < DIFFS; i++)
        json_object_set_new(noticed, DIFF_NAMES[i],
                            r->noticed[i] == DRIFT_NEVER ? json_null()
                                                         : json_integer(r->noticed[i]));
    for (int h = 0; h < hours; h++)
        json_array_append_new(shares, json_real(r->wrong_share[h]));
    return json_pack(
        "{s:s, s:s, s:s, s:f, s:f, s:s, s:f, s:I, s:o, s:o, s:f, s:i, s:I, s:s, s:o}", "name",
        r->drift->name, "story", r->drift->story, "speed", r->drift->speed, "wrong_share_mean",
        r->wrong_share_mean, "wrong_share_max", r->wrong_share_max, "value", r->value, "off_share",
        r->off_share, "wrong_rows", (json_int_t)r->wrong_rows, "first_wrong_hour",
        r->first_hour == DRIFT_NEVER ? json_null() : json_integer(r->first_hour),
        "noticed_after_hours", noticed, "stays_wrong_hours_mean", r->wrong_hours_mean,
        "stays_wrong_hours_max", r->wrong_hours_max, "wrong_at_end", (json_int_t)r->wrong_at_end,
        "plan_diff", r->said, "wrong_share_by_hour", shares);
}

static void print_json(const struct drift_options *options, const struct drift_result *results,
                       int count, FILE *out)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, result_json(&results[i], options->hours));
    json_t *root = json_pack("{s:i, s:i, s:o}", "hours", options->hours, "batch_hours",
                             options->batch_hours, "differences", list);
    json_dumpf(root, out, JSON_COMPACT | JSON_REAL_PRECISION(6));
    fputc('\n', out);
    json_decref(root);
}

void drift_print(const struct drift_options *options, const struct drift_result *results, int count,
                 FILE *out)
{
    (options->json ? print_json : print_table)(options, results, count, out);
}

/* ---- the report ---- */

/* Hours until noticed; "never"; a dash where nothing was wrong. */
static json_t *hours_json(const struct drift_result *r, int hours)
{
    if (r->first_hour == DRIFT_NEVER)
        return json_null();
    return hours == DRIFT_NEVER ? json_string("never") : json_integer(hours);
}

static void add_row(json_t *rows, const struct drift_result *r, int hours)
{
    char shares_said[60], off[80] = "–", stays[40] = "–";
    json_t *shares = json_array(), *row;
    for (int h = 0; h < hours; h++)
        json_array_append_new(shares, json_real(r->wrong_share[h]));
    snprintf(shares_said, sizeof shares_said, "%.1f\u00a0%% mean, %.1f\u00a0%% most",
             100 * r->wrong_share_mean, 100 * r->wrong_share_max);
    if (*r->value)
        snprintf(off, sizeof off, "%s by %.1f\u00a0%%", r->value, 100 * r->off_share);
    if (r->first_hour != DRIFT_NEVER)
        snprintf(stays, sizeof stays, "%.1f, at most %d", r->wrong_hours_mean, r->wrong_hours_max);
    row = json_pack("[{s:s, s:s, s:s}, {s:o, s:s}, s]", "name", r->drift->name, "more",
                    r->drift->story, "code", r->drift->speed, "bars", shares, "more", shares_said,
                    off);
    for (int i = 0; i < DIFFS; i++)
        json_array_append_new(row, hours_json(r, r->noticed[i]));
    json_array_append_new(row, json_string(stays));
    json_array_append_new(row, json_string(*r->said ? r->said : "–"));
    json_array_append_new(rows, row);
}

static void add_table(json_t *run, const struct drift_options *o,
                      const struct drift_result *results, int count)
{
    json_t *rows = report_table(
        run, "differences", "Difference by difference",
        "Wrong: share of the rows since the last batch, per read, against the plan's contract at "
        "the same positions; a bar an hour, full height is all of them. Off most: the value, and "
        "by "
        "how much. Batch, verify, kappa: hours of the stream behind the first wrong row served, "
        "until what the next batch changes, the contract, or kappa's rows beside lambda's find "
        "other than at the mirrored layer. Stays: hours that a row is served wrong.",
        "Difference|Wrong by hour|Off most|#Batch, h|#Verify, h|#Kappa, h|#Stays, h|lk plan diff");
    for (int i = 0; i < count; i++)
        add_row(rows, &results[i], o->hours);
}

static void add_checks(json_t *run, const struct drift_result *results, int count)
{
    size_t left = 0;
    for (int i = 0; i < count; i++)
        left += results[i].wrong_at_end;
    report_check(run, results[0].wrong_rows == 0, "the mirrored speed layer serves no wrong row",
                 "%zu wrong", results[0].wrong_rows);
    report_check(run, left == 0, "nothing is wrong behind the last batch", "%zu rows", left);
}

static void say(json_t *run, const struct drift_result *results, int count)
{
    int wrong = 0, noticed[DIFFS] = {0}, last[DIFFS] = {0};
    for (int i = 1; i < count; i++) {
        const struct drift_result *r = &results[i];
        wrong += r->first_hour != DRIFT_NEVER;
        for (int d = 0; d < DIFFS; d++) {
            noticed[d] += r->noticed[d] != DRIFT_NEVER;
            last[d] = r->noticed[d] > last[d] ? r->noticed[d] : last[d];
        }
    }
    report_say(
        run,
        "Of %d differences %d were served wrong. What the next batch changes noticed %d of "
        "them, the last after %d hours; verify %d, after at most %d; kappa beside lambda %d, "
        "after at most %d.",
        count - 1, wrong, noticed[DIFF_BATCH], last[DIFF_BATCH], noticed[DIFF_VERIFY],
        last[DIFF_VERIFY], noticed[DIFF_KAPPA], last[DIFF_KAPPA]);
    report_say(run,
               "Structural: a batch replaces the rows that it would be compared with, so it is "
               "the last to notice, and behind it nothing is wrong: such a difference can stay "
               "for years.");
    report_say(run, ONE_LAYER);
}

static json_t *begin(const struct drift_options *o, int64_t began_wall_ns)
{
    struct buf command = {0};
    buf_printf(&command, "lk compare drift --hours %d --batch-hours %d", o->hours, o->batch_hours);
    if (o->only)
        buf_printf(&command, " --only %s", o->only);
    const struct report_facts facts = {.title = "One line differs between lambda's layers",
                                       .workload = "flights",
                                       .command = command.ptr,
                                       .began_wall_ns = began_wall_ns};
    json_t *run = report_begin(&facts);
    json_object_set_new(run, "verdict",
                        json_string("Passed: the control was right, and so is all behind a batch"));
    json_object_set_new(
        run, "settings",
        json_pack("{s:i, s:i, s:s}", "hours of the stream", o->hours, "hours between batches",
                  o->batch_hours, "seed",
                  "none: recorded flights; the figures are the same on any machine"));
    json_object_set_new(
        run, "reading",
        json_pack("{s:s, s:s, s:s}", "Mirrored",
                  "The control: a speed layer with the plan's own rules. What a diff finds there, "
                  "too (late events that a batch brings in), is no difference.",
                  "A difference",
                  "One line of the speed layer's rules that is not the batch's: the few words of "
                  "the plan's \"speed\" under its name.",
                  "lk plan diff",
                  "What it names where the same line is put into the plan itself, as a kappa would "
                  "have it."));
    buf_release(&command);
    return run;
}

int drift_page(const struct drift_options *options, const struct drift_result *results, int count,
               int64_t began_wall_ns, struct err *err)
{
    json_t *run = begin(options, began_wall_ns);
    add_table(run, options, results, count);
    add_checks(run, results, count);
    say(run, results, count);
    int rc = report_write(options->out, run, bytes_of(""), err);
    if (rc == 0)
        fprintf(stderr, "report: %s/report.html\n", options->out);
    json_decref(run);
    return rc;
}
