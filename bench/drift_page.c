/* bench/drift_page.c - what the differences did: a table for the terminal, JSON, and a page with a picture
 * of each. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/drift.h"
#include "common/base/bytes.h"

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

/* ---- the page ---- */

static void add_text(struct buf *page, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            buf_add_text(page, "&lt;");
        else if (*text == '&')
            buf_add_text(page, "&amp;");
        else
            buf_add_char(page, *text);
    }
}

enum { PICTURE_WIDE = 150, PICTURE_HIGH = 28 };

/* The share of wrong rows over the hours, a bar an hour; full height is all of them. */
static void add_picture(struct buf *page, const struct drift_result *r, int hours)
{
    double wide = (double)PICTURE_WIDE / hours;
    buf_printf(page,
               "<svg width='%d' height='%d' role='img' aria-label='share of wrong rows by hour'>",
               PICTURE_WIDE, PICTURE_HIGH);
    for (int h = 0; h < hours; h++) {
        double share = r->wrong_share[h] > 1 ? 1 : r->wrong_share[h];
        double high = share > 0 ? 1 + share * (PICTURE_HIGH - 1) : 0;
        buf_printf(page, "<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' fill='#b3442e'/>",
                   h * wide, PICTURE_HIGH - high, wide * 0.8, high);
    }
    buf_add_text(page, "</svg>");
}

static void add_row(struct buf *page, const struct drift_result *r, int hours)
{
    char text[16];
    buf_add_text(page, "<tr><td><b>");
    add_text(page, r->drift->name);
    buf_add_text(page, "</b><br>");
    add_text(page, r->drift->story);
    buf_add_text(page, "<br><code>");
    add_text(page, r->drift->speed);
    buf_add_text(page, "</code></td><td>");
    add_picture(page, r, hours);
    buf_printf(page, "</td><td>%.1f %%</td><td>%.1f %%</td><td>%s %.1f %%</td>",
               100 * r->wrong_share_mean, 100 * r->wrong_share_max, r->value, 100 * r->off_share);
    for (int i = 0; i < DIFFS; i++)
        buf_printf(page, "<td>%s</td>", hours_text(r, r->noticed[i], text));
    buf_printf(page, "<td>%.1f h</td><td>%d h</td><td>", r->wrong_hours_mean, r->wrong_hours_max);
    add_text(page, *r->said ? r->said : "-");
    buf_add_text(page, "</td></tr>\n");
}

static void add_page(struct buf *page, const struct drift_options *options,
                     const struct drift_result *results, int count)
{
    buf_printf(
        page,
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>lk compare drift</title>"
        "<style>body{font:15px sans-serif;max-width:78em;margin:2em auto;padding:0 1em}"
        "table{border-collapse:collapse}td,th{border-bottom:1px solid #ccc;padding:.4em;"
        "text-align:left;vertical-align:top}td+td{white-space:nowrap}td:first-child{min-width:14em}"
        "code{font-size:12px;color:#"
        "555}</style>"
        "<h1>One line differs between lambda's layers</h1><p>%d hours of flights, a batch every "
        "%d hours. Rows wrong: share of the rows since the last batch, against the plan's "
        "contract at the same positions; the picture has a bar an hour, full height is all of "
        "them. Noticed: hours of the "
        "stream behind the first wrong row served, where a diff finds other than at the "
        "mirrored layer.</p><table><tr><th>difference<th>wrong by hour<th>mean<th>most"
        "<th>value off most<th>batch notices<th>verify<th>kappa beside<th>stays wrong, mean"
        "<th>most<th>plan diff</tr>\n",
        options->hours, options->batch_hours);
    for (int i = 0; i < count; i++)
        add_row(page, &results[i], options->hours);
    buf_add_text(page, "</table><p>" ONE_LAYER "</p></html>\n");
}

/* mkdir -p */
static int make_dir(const char *path, struct err *err)
{
    char *copy = mem_copy_string(path);
    for (char *at = strchr(copy + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = 0;
        mkdir(copy, 0777);
        *at = '/';
    }
    int rc = mkdir(copy, 0777) == 0 || errno == EEXIST
                 ? 0
                 : err_errno(err, ERR_ENV, "cannot make %s", path);
    free(copy);
    return rc;
}

int drift_page(const struct drift_options *options, const struct drift_result *results, int count,
               struct err *err)
{
    struct buf page = {0}, path = {0};
    int rc = make_dir(options->out, err);
    add_page(&page, options, results, count);
    buf_printf(&path, "%s/drift.html", options->out);
    FILE *file = rc == 0 ? fopen(path.ptr, "w") : NULL;
    if (rc == 0 && !file)
        rc = err_errno(err, ERR_ENV, "cannot write %s", path.ptr);
    if (file) {
        bool good = fwrite(page.ptr, 1, page.len, file) == page.len;
        good = fclose(file) == 0 && good;
        rc = good ? 0 : err_errno(err, ERR_FULL, "cannot write %s", path.ptr);
        fprintf(stderr, "page: %s\n", path.ptr);
    }
    buf_release(&page);
    buf_release(&path);
    return rc;
}
