/* bench/report.c - the report's page, part by part, from verdict to plain words.
 *
 * Each part is a function that writes one <section> or so; PARTS is the page's order. The files'
 * shapes stand in report.h, the charts in report_charts.c, the tables in report_tables.c,
 * the plan and what is said in report_words.c. */
#include "bench/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/assets.h"
#include "bench/report_page.h"

enum { PATH_BYTES = 4096 };

static void add_asset(struct buf *page, enum asset asset)
{
    struct bytes bytes = asset_bytes(asset);
    buf_add(page, bytes.ptr, bytes.len);
}

/* The policy forbids the page every request, whatever stands in it. */
static void part_head(struct report *report)
{
    struct buf *page = &report->page;
    buf_add_text(page, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                       "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                       "script-src 'unsafe-inline'; style-src 'unsafe-inline'\">\n<title>");
    page_text(page, page_member(report->run, "title"));
    buf_add_text(page, "</title>\n<style>");
    add_asset(page, ASSET_DYGRAPHS_CSS);
    add_asset(page, ASSET_REPORT_CSS);
    buf_add_text(page, "</style></head><body>\n");
}

static bool has_charts(const struct report *report)
{
    for (int c = 0; c < CHART_COUNT; c++)
        if (chart_has_samples(report, c))
            return true;
    return false;
}

static void own_links(struct buf *page, const json_t *tables)
{
    size_t i;
    json_t *table;
    json_array_foreach (tables, i, table) {
        buf_add_text(page, "<a href=\"#");
        page_text(page, page_member(table, "id"));
        buf_add_text(page, "\">");
        page_text(page, page_member(table, "title"));
        buf_add_text(page, "</a>");
    }
}

/* Each part is left out where its member of run.json holds nothing. */
static void navigation(struct report *report)
{
    struct buf *page = &report->page;
    static const struct {
        const char *id, *title, *needs;
    } LINKS[] = {{"table", "Results", "metrics"},
                 {NULL, NULL, "tables"},
                 {"faults", "Faults", "faults"},
                 {"happenings", "What happened", "happenings"},
                 {"charts", "Charts", NULL},
                 {"checks", "Checks", "checks"},
                 {"plan", "Plan", "plan"},
                 {"reading", "How to read this", "checks"},
                 {"again", "Run it again", "checks"},
                 {"words", "In plain words", "findings"}};
    buf_add_text(page, "<nav>");
    for (size_t i = 0; i < sizeof LINKS / sizeof *LINKS; i++) {
        const json_t *member = LINKS[i].needs ? json_object_get(report->run, LINKS[i].needs) : NULL;
        bool some = LINKS[i].needs ? json_array_size(member) + json_object_size(member) > 0
                                   : has_charts(report);
        if (some && LINKS[i].id)
            buf_printf(page, "<a href=\"#%s\">%s</a>", LINKS[i].id, LINKS[i].title);
        else if (some)
            own_links(page, member);
    }
    buf_add_text(page, "</nav>");
}

static void part_title(struct report *report)
{
    static const struct {
        const char *before, *member, *after;
        bool whole; /* every digit counts: not grouped, not rounded */
    } FACTS[] = {
        {"workload ", "workload", "", false},
        {"", "events", " events", false},
        {"", "partitions", " partitions", false},
        {"", "duration_s", " seconds", false},
        {"seed ", "seed", "", true},
        {"begun ", "started", "", false},
    };
    struct buf *page = &report->page;
    const char *dot = "";
    buf_add_text(page, "<header><h1>");
    page_text(page, page_member(report->run, "title"));
    buf_add_text(page, "</h1>\n<p class=\"sub\">");
    for (size_t i = 0; i < sizeof FACTS / sizeof *FACTS; i++) {
        const json_t *fact = json_object_get(report->run, FACTS[i].member);
        if (!fact)
            continue;
        buf_printf(page, "%s%s", dot, FACTS[i].before);
        if (FACTS[i].whole)
            buf_printf(page, "%lld", (long long)json_integer_value(fact));
        else
            page_value(page, fact);
        buf_add_text(page, FACTS[i].after);
        dot = " · ";
    }
    buf_add_text(page, "</p>\n");
    navigation(report);
    buf_add_text(page, "</header>\n<main>\n");
}

static void part_verdict(struct report *report)
{
    size_t i, failed = 0;
    json_t *check, *checks = json_object_get(report->run, "checks");
    json_array_foreach (checks, i, check) {
        failed += !json_is_true(json_object_get(check, "pass"));
    }
    const char *verdict = page_member(report->run, "verdict");
    if (json_is_true(json_object_get(report->run, "pass")) && failed == 0) {
        buf_add_text(&report->page, "<div class=\"verdict\"><strong>");
        page_text(&report->page, verdict ? verdict : "Passed: the answers are right");
        size_t held = json_array_size(checks);
        buf_add_text(&report->page, "</strong><span>");
        buf_printf(&report->page, held == 1 ? "The one check held" : "All %zu checks held", held);
        buf_add_text(&report->page, "; answers were compared with an exact, independent "
                                    "computation.</span></div>\n");
    } else {
        buf_printf(
            &report->page,
            "<div class=\"verdict bad\"><strong>Failed: do not use these figures</strong><span>%zu "
            "of %zu <a href=\"#checks\">checks</a> failed. A run whose answers are wrong has no "
            "speed.</span></div>\n",
            failed, json_array_size(checks));
    }
}

static void tile(struct report *report, const json_t *metric)
{
    struct buf *page = &report->page;
    buf_add_text(page, "<div class=\"tile\"><b>");
    page_text(page, page_member(metric, "name"));
    buf_add_text(page, "</b>");
    for (int p = 0; p < report->pipeline_count; p++) {
        const json_t *value = json_object_get(metric, report->pipelines[p]);
        buf_printf(page, "<div><span class=\"key c%d\">", p);
        page_text(page, report->pipelines[p]);
        buf_add_text(page, "</span><span class=\"n\">");
        page_value(page, value);
        if (json_is_number(value)) {
            buf_add_text(page, " <small>");
            page_text(page, page_member(metric, "unit"));
            buf_add_text(page, "</small>");
        }
        buf_add_text(page, "</span></div>");
    }
    buf_add_text(page, "</div>\n");
}

/* Has any pipeline a figure? Of processes that run elsewhere some are unknown. */
static bool is_known(const struct report *report, const json_t *metric)
{
    for (int p = 0; p < report->pipeline_count; p++)
        if (json_is_number(json_object_get(metric, report->pipelines[p])))
            return true;
    return false;
}

static void part_tiles(struct report *report)
{
    size_t i;
    json_t *metric;
    buf_add_text(&report->page, "<div class=\"tiles\">\n");
    json_array_foreach (json_object_get(report->run, "metrics"), i, metric) {
        if (json_is_true(json_object_get(metric, "headline")) && is_known(report, metric))
            tile(report, metric);
    }
    buf_add_text(&report->page, "</div>\n");
}

static void part_charts(struct report *report)
{
    if (!has_charts(report))
        return;
    buf_add_text(&report->page,
                 "<div id=\"charts\"></div><noscript><p class=\"note\">The charts need "
                 "JavaScript; their numbers stand in the tables below them.</p></noscript>\n");
    for (int c = 0; c < CHART_COUNT; c++)
        if (chart_has_samples(report, c))
            chart_section(report, c);
}

static void part_scripts(struct report *report)
{
    struct buf *page = &report->page;
    buf_add_text(page, "</main>\n<footer>Made by lk. Charts: dygraphs, MIT licence, copyright Dan "
                       "Vanderkam and others.</footer>\n"
                       "<script type=\"application/json\" id=\"data\">");
    charts_data(report);
    buf_add_text(page, "</script>\n<script>");
    add_asset(page, ASSET_DYGRAPHS_JS);
    buf_add_text(page, "</script>\n<script>");
    add_asset(page, ASSET_REPORT_JS);
    buf_add_text(page, "</script>\n</body></html>\n");
}

static const struct {
    const char *needs; /* a member that run.json may lack: then the part is left out */
    void (*write)(struct report *report);
} PARTS[] = {
    {NULL, part_head},
    {NULL, part_title},
    {NULL, part_verdict},
    {NULL, part_tiles},
    {NULL, table_metrics},
    {"tables", tables_own},
    {"faults", table_faults},
    {"happenings", table_happenings},
    {NULL, part_charts},
    {"processes", table_processes},
    {NULL, table_checks},
    {"plan", words_plan},
    {NULL, words_reading},
    {NULL, words_again},
    {"findings", words_findings},
    {NULL, part_scripts},
};

static int check_run(struct report *report, const char *path, struct err *err)
{
    static const struct {
        const char *member, *expected;
        json_type type;
    } NEEDED[] = {{"title", "text", JSON_STRING},    {"workload", "text", JSON_STRING},
                  {"started", "text", JSON_STRING},  {"pipelines", "a list", JSON_ARRAY},
                  {"metrics", "a list", JSON_ARRAY}, {"checks", "a list", JSON_ARRAY}};
    for (size_t i = 0; i < sizeof NEEDED / sizeof *NEEDED; i++) {
        const json_t *member = json_object_get(report->run, NEEDED[i].member);
        if (!member || json_typeof(member) != NEEDED[i].type)
            return err_set(err, ERR_DATA, "%s: \"%s\" is missing or not %s", path, NEEDED[i].member,
                           NEEDED[i].expected);
    }
    if (!json_is_boolean(json_object_get(report->run, "pass")))
        return err_set(err, ERR_DATA, "%s: \"pass\" is missing or not true or false", path);
    size_t i;
    json_t *name;
    json_array_foreach (json_object_get(report->run, "pipelines"), i, name) {
        if (!json_is_string(name) || i == REPORT_PIPELINES_MAX)
            return err_set(err, ERR_DATA, "%s: \"pipelines\": expected up to %d texts", path,
                           REPORT_PIPELINES_MAX);
        report->pipelines[report->pipeline_count++] = json_string_value(name);
    }
    return 0;
}

static double t_s_of(const json_t *happening)
{
    return json_number_value(json_object_get(happening, "t_s"));
}

/* Happenings are numbered in order of time, however compare came to know of them. */
static void sort_happenings(json_t *run)
{
    size_t i;
    json_t *happening, *sorted = json_array();
    json_array_foreach (json_object_get(run, "happenings"), i, happening) {
        size_t at = json_array_size(sorted);
        while (at > 0 && t_s_of(json_array_get(sorted, at - 1)) > t_s_of(happening))
            at--;
        json_array_insert(sorted, at, happening);
    }
    if (json_array_size(sorted))
        json_object_set(run, "happenings", sorted);
    json_decref(sorted);
}

static int load(struct report *report, const char *directory, struct err *err)
{
    char path[PATH_BYTES];
    json_error_t wrong;
    snprintf(path, sizeof path, "%s/run.json", directory);
    if (access(path, R_OK) != 0)
        return err_errno(err, ERR_USAGE, "%s holds no run: run.json", directory);
    report->run = json_load_file(path, 0, &wrong);
    if (!report->run)
        return err_set(err, ERR_DATA, "%s:%d: %s", path, wrong.line, wrong.text);
    int rc = check_run(report, path, err);
    if (rc < 0)
        return rc;
    sort_happenings(report->run);
    snprintf(path, sizeof path, "%s/samples.jsonl", directory);
    rc = samples_read(path, report->pipelines, report->pipeline_count, &report->samples, err);
    double given_s = json_number_value(json_object_get(report->run, "duration_s"));
    report->t_max_s = given_s > 0 ? given_s : report->samples.t_max_s;
    if (report->t_max_s <= 0)
        report->t_max_s = 1;
    return rc;
}

static int write_page(const struct report *report, const char *directory, struct err *err)
{
    char path[PATH_BYTES], temporary[PATH_BYTES];
    snprintf(path, sizeof path, "%s/report.html", directory);
    snprintf(temporary, sizeof temporary, "%s/report.html.tmp", directory);
    FILE *file = fopen(temporary, "w");
    if (!file)
        return err_errno(err, ERR_ENV, "%s", temporary);
    bool written = fwrite(report->page.ptr, 1, report->page.len, file) == report->page.len;
    written = fclose(file) == 0 && written;
    if (!written || rename(temporary, path) != 0) {
        int rc = err_errno(err, ERR_ENV, "%s", path);
        unlink(temporary);
        return rc;
    }
    return 0;
}

int report_build(const char *directory, struct err *err)
{
    struct report report = {0};
    int rc = load(&report, directory, err);
    for (size_t i = 0; rc == 0 && i < sizeof PARTS / sizeof *PARTS; i++)
        if (!PARTS[i].needs || json_object_get(report.run, PARTS[i].needs))
            PARTS[i].write(&report);
    if (rc == 0)
        rc = write_page(&report, directory, err);
    buf_release(&report.page);
    samples_release(&report.samples);
    json_decref(report.run);
    return rc;
}
