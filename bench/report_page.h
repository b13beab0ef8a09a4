/* bench/report_page.h - what the parts of the report share: the run, and small words of HTML.
 *
 * Inside report*.c only. Everything that came from a file goes through page_text or page_json, so
 * nothing in the data can end a tag or a script. */
#ifndef LK_BENCH_REPORT_PAGE_H
#define LK_BENCH_REPORT_PAGE_H

#include <jansson.h>

#include "bench/report_samples.h"

struct report {
    json_t *run;
    const char *pipelines[REPORT_PIPELINES_MAX]; /* borrowed from run */
    int pipeline_count;
    double t_max_s; /* end of the time axis, > 0 */
    struct samples samples;
    struct buf page;
};

/* Text with & < > " and ' escaped; NULL is a dash. */
void page_text(struct buf *page, const char *text);
/* json on one line, with < as \u003c: it may stand inside <script>. */
void page_json(struct buf *page, const json_t *json);
/* A figure for people: thousands separated, three digits (below 0.1: two) or more kept. */
void page_number(struct buf *page, double value);
/* A number, a text or null (a dash), as a table cell's content. */
void page_value(struct buf *page, const json_t *value);
/* <section>, its heading and, where note is not NULL, a sentence (HTML). */
void page_section(struct buf *page, const char *id, const char *title, const char *note);
/* The text of a member, or NULL. */
const char *page_member(const json_t *object, const char *member);
/* Column of a pipeline named in an object's "pipeline", or -1. */
int page_pipeline(const struct report *report, const json_t *object);
/* The pipeline's name with its colour; "both" where the object names none. */
void page_key(struct report *report, const json_t *object);

/* report_charts.c */
bool chart_has_samples(const struct report *report, int chart);
/* Heading, sentence, legend, the place of the chart, and the same numbers as a table. */
void chart_section(struct report *report, int chart);
/* The object that report.js reads. */
void charts_data(struct report *report);

/* report_words.c: one <section> each */
void words_plan(struct report *report);
void words_reading(struct report *report); /* run.json's own words, or those of a comparison */
void words_again(struct report *report);
void words_findings(struct report *report);

/* report_tables.c: one <section> each, but for table_history */
void table_metrics(struct report *report);
void tables_own(struct report *report); /* those that run.json brings along */
void table_happenings(struct report *report);
void table_faults(struct report *report);
void table_processes(struct report *report);
void table_checks(struct report *report);
void table_history(struct report *report);

#endif
