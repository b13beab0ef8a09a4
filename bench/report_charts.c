/* bench/report_charts.c - the charts of the report: as numbers for report.js, and as tables.
 *
 * Time is cut into CHARTS' stretches for a chart and TABLE_ROWS for its table; the raw samples stay
 * in samples.jsonl. Percentiles are taken over all samples, never over stretches. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/report_page.h"

enum { TABLE_ROWS = 24, CURVE_POINTS = 160, CURVE_BEGINS = 2 };

bool chart_has_samples(const struct report *report, int chart)
{
    for (int p = 0; p < report->pipeline_count; p++)
        if (report->samples.series[chart][p].count)
            return true;
    return false;
}

/* Buckets of every pipeline, one row after the other; owned. */
static struct bucket *cut(const struct report *report, int chart, size_t count)
{
    struct bucket *buckets = mem_zero(count * (size_t)report->pipeline_count, sizeof *buckets);
    for (int p = 0; p < report->pipeline_count; p++)
        series_buckets(&report->samples.series[chart][p], report->t_max_s,
                       buckets + count * (size_t)p, count);
    return buckets;
}

static double bucket_middle_s(const struct report *report, size_t b, size_t count)
{
    return report->t_max_s * ((double)b + 0.5) / (double)count;
}

/* A logarithmic axis has no zero: what is below a microsecond is drawn there. */
static double drawable(const struct chart *chart, double value)
{
    return chart->log_scale && value < 0.001 ? 0.001 : value;
}

/* What a chart shows of a stretch as one figure. */
static double figure_of(const struct chart *chart, const struct bucket *bucket)
{
    switch (chart->draw) {
    case DRAW_BAND:
        return bucket->median;
    case DRAW_MEAN:
        return bucket->mean;
    default:
        return bucket->last;
    }
}

static void bucket_data(struct buf *page, const struct chart *chart, const struct bucket *bucket)
{
    double figure = drawable(chart, figure_of(chart, bucket));
    if (bucket->count == 0)
        buf_add_text(page, ",null");
    else if (chart->draw == DRAW_BAND)
        buf_printf(page, ",[%.6g,%.6g,%.6g]", drawable(chart, bucket->min), figure,
                   drawable(chart, bucket->max));
    else
        buf_printf(page, ",%.6g", figure);
}

static void rows_data(struct report *report, int chart)
{
    size_t stretches = (size_t)CHARTS[chart].stretches;
    struct bucket *buckets = cut(report, chart, stretches);
    const char *comma = "";
    for (size_t b = 0; b < stretches; b++) {
        bool some = false;
        for (int p = 0; p < report->pipeline_count; p++)
            some |= buckets[b + stretches * (size_t)p].count > 0;
        if (!some)
            continue;
        buf_printf(&report->page, "%s[%.6g", comma, bucket_middle_s(report, b, stretches));
        for (int p = 0; p < report->pipeline_count; p++)
            bucket_data(&report->page, &CHARTS[chart], &buckets[b + stretches * (size_t)p]);
        buf_add_char(&report->page, ']');
        comma = ",";
    }
    free(buckets);
}

/* Points at equal steps of log10(1 / (1 - share)), as far as each pipeline has samples for. The
 * lowest few per cent are left out: they would take most of a logarithmic axis. */
static void curve_data(struct report *report, int chart)
{
    double *values[REPORT_PIPELINES_MAX] = {0};
    double nines_max = 1;
    for (int p = 0; p < report->pipeline_count; p++) {
        const struct series *series = &report->samples.series[chart][p];
        values[p] = series_sorted_values(series);
        nines_max = fmax(nines_max, log10(fmax((double)series->count, 10)));
    }
    for (int i = CURVE_BEGINS; i <= CURVE_POINTS; i++) {
        double nines = nines_max * i / CURVE_POINTS;
        buf_printf(&report->page, "%s[%.6g", i > CURVE_BEGINS ? "," : "", nines);
        for (int p = 0; p < report->pipeline_count; p++) {
            size_t count = report->samples.series[chart][p].count;
            if (count == 0 || nines > log10((double)count) + 1e-9)
                buf_add_text(&report->page, ",null");
            else
                buf_printf(&report->page, ",%.6g",
                           drawable(&CHARTS[chart],
                                    sorted_quantile(values[p], count, 1 - pow(10, -nines))));
        }
        buf_add_char(&report->page, ']');
    }
    for (int p = 0; p < report->pipeline_count; p++)
        free(values[p]);
}

static void happenings_data(struct report *report)
{
    size_t i;
    json_t *happening;
    json_array_foreach (json_object_get(report->run, "happenings"), i, happening) {
        double t_s = json_number_value(json_object_get(happening, "t_s"));
        const json_t *until = json_object_get(happening, "until_s");
        buf_printf(&report->page, "%s{\"t\":%.6g,\"until\":%.6g,\"pipeline\":%d}", i ? "," : "",
                   t_s, json_is_number(until) ? json_number_value(until) : t_s,
                   page_pipeline(report, happening));
    }
}

/* When the slower pipeline had caught up again, where that is known. */
static double back_s(const json_t *fault, double until_s)
{
    double slowest_ms = 0;
    const char *name;
    json_t *ms;
    json_object_foreach (json_object_get(fault, "recovery_ms"), name, ms)
        slowest_ms = fmax(slowest_ms, json_number_value(ms));
    return until_s + slowest_ms / 1000;
}

static void faults_data(struct report *report)
{
    struct buf *page = &report->page;
    size_t i;
    json_t *fault;
    json_array_foreach (json_object_get(report->run, "faults"), i, fault) {
        double t_s = json_number_value(json_object_get(fault, "t_s"));
        double until_s = json_number_value(json_object_get(fault, "until_s"));
        buf_printf(page, "%s{\"t\":%.6g,\"until\":%.6g,\"back\":%.6g,\"what\":", i ? "," : "", t_s,
                   until_s, back_s(fault, until_s));
        page_json(page, json_object_get(fault, "what"));
        buf_add_text(page, ",\"whom\":");
        page_json(page, json_object_get(fault, "whom"));
        buf_add_char(page, '}');
    }
}

void charts_data(struct report *report)
{
    struct buf *page = &report->page;
    buf_add_text(page, "{\"pipelines\":");
    page_json(page, json_object_get(report->run, "pipelines"));
    buf_printf(page, ",\"t_max\":%.6g,\"happenings\":[", report->t_max_s);
    happenings_data(report);
    buf_add_text(page, "],\"faults\":[");
    faults_data(report);
    buf_add_text(page, "],\"charts\":[");
    const char *comma = "";
    for (int c = 0; c < CHART_COUNT; c++) {
        if (!chart_has_samples(report, c))
            continue;
        buf_printf(page,
                   "%s{\"id\":\"%s\",\"unit\":\"%s\",\"log\":%s,\"band\":%s,\"step\":%s,\"rows\":[",
                   comma, CHARTS[c].id, CHARTS[c].unit, CHARTS[c].log_scale ? "true" : "false",
                   CHARTS[c].draw == DRAW_BAND ? "true" : "false",
                   CHARTS[c].draw == DRAW_STEP ? "true" : "false");
        rows_data(report, c);
        buf_add_char(page, ']');
        if (CHARTS[c].percentiles) {
            buf_add_text(page, ",\"percentiles\":[");
            curve_data(report, c);
            buf_add_char(page, ']');
        }
        buf_add_char(page, '}');
        comma = ",";
    }
    buf_add_text(page, "]}");
}

static void legend(struct report *report, const char *id, const char *suffix)
{
    buf_add_text(&report->page, "<div class=\"legend\">");
    for (int p = 0; p < report->pipeline_count; p++) {
        buf_printf(&report->page, "<span class=\"key c%d\">", p);
        page_text(&report->page, report->pipelines[p]);
        buf_add_text(&report->page, "</span>");
    }
    buf_printf(&report->page, "<span class=\"readout\" id=\"readout-%s%s\"></span></div>\n", id,
               suffix);
}

static void header_cells(struct report *report, const char *first, const char *unit)
{
    buf_printf(&report->page, "<div class=\"scroll\"><table><thead><tr><th class=\"num\">%s</th>",
               first);
    for (int p = 0; p < report->pipeline_count; p++) {
        buf_add_text(&report->page, "<th class=\"num\">");
        page_text(&report->page, report->pipelines[p]);
        buf_printf(&report->page, ", %s</th>", unit);
    }
    buf_add_text(&report->page, "</tr></thead><tbody>\n");
}

static void bucket_cell(struct buf *page, const struct chart *chart, const struct bucket *bucket)
{
    buf_add_text(page, "<td class=\"num\">");
    if (bucket->count == 0)
        page_text(page, NULL);
    else
        page_number(page, figure_of(chart, bucket));
    if (bucket->count > 0 && chart->draw == DRAW_BAND) {
        buf_add_text(page, "<small>");
        page_number(page, bucket->min);
        buf_add_text(page, " to ");
        page_number(page, bucket->max);
        buf_add_text(page, "</small>");
    }
    buf_add_text(page, "</td>");
}

static void time_table(struct report *report, int chart)
{
    struct bucket *buckets = cut(report, chart, TABLE_ROWS);
    buf_printf(&report->page,
               "<details><summary>The same as a table, %d stretches of time</summary>\n",
               TABLE_ROWS);
    header_cells(report, "until, s", CHARTS[chart].unit);
    for (size_t b = 0; b < TABLE_ROWS; b++) {
        buf_printf(&report->page, "<tr><td class=\"num\">%.1f</td>",
                   report->t_max_s * (double)(b + 1) / TABLE_ROWS);
        for (int p = 0; p < report->pipeline_count; p++)
            bucket_cell(&report->page, &CHARTS[chart], &buckets[b + TABLE_ROWS * (size_t)p]);
        buf_add_text(&report->page, "</tr>\n");
    }
    buf_add_text(&report->page, "</tbody></table></div></details>\n");
    free(buckets);
}

static void percentile_row(struct report *report, int chart, const char *name, double share)
{
    buf_printf(&report->page, "<tr><td class=\"num\">%s</td>", name);
    for (int p = 0; p < report->pipeline_count; p++) {
        const struct series *series = &report->samples.series[chart][p];
        double *values = series_sorted_values(series);
        buf_add_text(&report->page, "<td class=\"num\">");
        if (series->count)
            page_number(&report->page, sorted_quantile(values, series->count, share));
        else
            page_text(&report->page, NULL);
        buf_add_text(&report->page, "</td>");
        free(values);
    }
    buf_add_text(&report->page, "</tr>\n");
}

static void percentile_part(struct report *report, int chart)
{
    static const struct {
        const char *name;
        double share;
    } ROWS[] = {{"p50", 0.5},     {"p90", 0.9},       {"p99", 0.99},
                {"p99.9", 0.999}, {"p99.99", 0.9999}, {"max", 1}};
    const char *id = CHARTS[chart].id;
    buf_add_text(&report->page, "<h3>How often it was how high</h3>\n<p class=\"meaning\">Over the "
                                "samples above; each step to the "
                                "right leaves a tenth of them, so that the tail gets room.</p>\n");
    legend(report, id, "-percentiles");
    buf_printf(&report->page, "<div class=\"chart low\" id=\"chart-%s-percentiles\"></div>\n", id);
    header_cells(report, "percentile", CHARTS[chart].unit);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        percentile_row(report, chart, ROWS[i].name, ROWS[i].share);
    buf_add_text(&report->page, "<tr><td class=\"num\">samples</td>");
    for (int p = 0; p < report->pipeline_count; p++) {
        buf_add_text(&report->page, "<td class=\"num\">");
        page_number(&report->page, (double)report->samples.series[chart][p].count);
        buf_add_text(&report->page, "</td>");
    }
    buf_add_text(&report->page, "</tr>\n</tbody></table></div>\n");
}

void chart_section(struct report *report, int chart)
{
    const struct chart *c = &CHARTS[chart];
    page_section(&report->page, c->id, c->title, c->meaning);
    legend(report, c->id, "");
    buf_printf(&report->page, "<div class=\"chart%s\" id=\"chart-%s\"></div>\n",
               c->draw == DRAW_BAND ? "" : " low", c->id);
    time_table(report, chart);
    if (c->percentiles)
        percentile_part(report, chart);
    buf_add_text(&report->page, "</section>\n");
}
