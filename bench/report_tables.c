/* bench/report_tables.c - the report's tables: figures, happenings, faults, processes, checks, history. */
#include "bench/report_page.h"

/* The heads of a table's columns, separated by '|'; '#' begins one of figures. */
static void begin_table(struct buf *page, const char *heads)
{
    buf_add_text(page, "<div class=\"scroll\"><table><thead><tr>");
    while (*heads) {
        size_t len = strcspn(heads, "|");
        bool figures = *heads == '#';
        buf_printf(page, "<th%s>%.*s</th>", figures ? " class=\"num\"" : "", (int)(len - figures),
                   heads + figures);
        heads += len + (heads[len] == '|');
    }
    buf_add_text(page, "</tr></thead><tbody>\n");
}

static void end_table(struct buf *page)
{
    buf_add_text(page, "</tbody></table></div>\n");
}

static void text_cell(struct buf *page, const json_t *object, const char *member)
{
    buf_add_text(page, "<td>");
    page_text(page, page_member(object, member));
    buf_add_text(page, "</td>");
}

static void key_cell(struct report *report, const json_t *object)
{
    buf_add_text(&report->page, "<td>");
    page_key(report, object);
    buf_add_text(&report->page, "</td>");
}

static void figure_cells(struct buf *page, const json_t *object, const char *const *members,
                         size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_add_text(page, "<td class=\"num\">");
        page_value(page, json_object_get(object, members[i]));
        buf_add_text(page, "</td>");
    }
}

/* Two instants of the run, in seconds with two digits: a kill and its recovery are not one moment. */
static void time_cells(struct buf *page, const json_t *object, const char *from, const char *until)
{
    const json_t *times[] = {json_object_get(object, from), json_object_get(object, until)};
    for (int i = 0; i < 2; i++)
        if (json_is_number(times[i]))
            buf_printf(page, "<td class=\"num\">%.2f</td>", json_number_value(times[i]));
        else
            buf_add_text(page, "<td class=\"num\">–</td>");
}

/* A cell with a name and, small below it, what there is to say about it. */
static void named_cell(struct buf *page, const json_t *object, const char *more)
{
    buf_add_text(page, "<td>");
    page_text(page, page_member(object, "name"));
    if (page_member(object, more)) {
        buf_add_text(page, "<small>");
        page_text(page, page_member(object, more));
        buf_add_text(page, "</small>");
    }
    buf_add_text(page, "</td>");
}

void table_metrics(struct report *report)
{
    struct buf *page = &report->page;
    struct buf heads = {0};
    size_t i;
    json_t *metric;
    if (json_array_size(json_object_get(report->run, "metrics")) == 0)
        return;
    page_section(
        page, "table", "Results",
        "<span class=\"tag\">measured</span> was found by this run and may differ in the next. "
        "<span class=\"tag\">structural</span> follows from the design: shown, and no finding.");
    buf_add_text(&heads, "Metric");
    for (int p = 0; p < report->pipeline_count; p++) {
        buf_printf(&heads, "|#<span class=\"key c%d\">", p);
        page_text(&heads, report->pipelines[p]);
        buf_add_text(&heads, "</span>");
    }
    buf_add_text(&heads, "|Unit|Kind");
    begin_table(page, heads.ptr);
    json_array_foreach (json_object_get(report->run, "metrics"), i, metric) {
        buf_add_text(page, "<tr>");
        named_cell(page, metric, "meaning");
        figure_cells(page, metric, report->pipelines, (size_t)report->pipeline_count);
        text_cell(page, metric, "unit");
        buf_add_text(page, "<td><span class=\"tag\">");
        page_text(page, page_member(metric, "kind"));
        buf_add_text(page, "</span></td></tr>\n");
    }
    end_table(page);
    buf_add_text(page, "</section>\n");
    buf_release(&heads);
}

/* ---- tables that the run brings along ---- */

/* Shares as bars, side by side; full height is 1. */
static void bars(struct buf *page, const json_t *shares)
{
    enum { WIDE = 144, HIGH = 28 };
    double each = (double)WIDE / (double)json_array_size(shares);
    size_t i;
    json_t *share;
    buf_printf(page, "<svg class=\"bars\" width=\"%d\" height=\"%d\" role=\"img\">", WIDE, HIGH);
    json_array_foreach (shares, i, share) {
        double size = json_number_value(share);
        double high = size <= 0 ? 0 : 1 + (size < 1 ? size : 1) * (HIGH - 1);
        buf_printf(page, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                   (double)i * each, HIGH - high, each * 0.8, high);
    }
    buf_add_text(page, "</svg>");
}

static void rich_cell(struct report *report, const json_t *cell)
{
    struct buf *page = &report->page;
    const json_t *pass = json_object_get(cell, "pass");
    if (page_member(cell, "pipeline"))
        page_key(report, cell);
    if (page_member(cell, "name"))
        page_text(page, page_member(cell, "name"));
    if (pass)
        buf_printf(page, "<span class=\"%s\">%s</span>", json_is_true(pass) ? "yes" : "no",
                   json_is_true(pass) ? "✓ held" : "✗ failed");
    if (json_object_get(cell, "bars"))
        bars(page, json_object_get(cell, "bars"));
    if (page_member(cell, "more")) {
        buf_add_text(page, "<small>");
        page_text(page, page_member(cell, "more"));
        buf_add_text(page, "</small>");
    }
    if (page_member(cell, "code")) {
        buf_add_text(page, "<small><code>");
        page_text(page, page_member(cell, "code"));
        buf_add_text(page, "</code></small>");
    }
}

static void own_row(struct report *report, const json_t *columns, const json_t *row)
{
    size_t i;
    json_t *cell;
    buf_add_text(&report->page, "<tr>");
    json_array_foreach (row, i, cell) {
        const char *head = json_string_value(json_array_get(columns, i));
        buf_add_text(&report->page, head && *head == '#' ? "<td class=\"num\">" : "<td>");
        if (json_is_object(cell))
            rich_cell(report, cell);
        else
            page_value(&report->page, cell);
        buf_add_text(&report->page, "</td>");
    }
    buf_add_text(&report->page, "</tr>\n");
}

static void details(struct buf *page, const json_t *list)
{
    size_t i;
    json_t *one;
    json_array_foreach (list, i, one) {
        buf_add_text(page, "<details><summary>");
        page_text(page, page_member(one, "summary"));
        buf_add_text(page, "</summary><pre>");
        page_text(page, page_member(one, "text"));
        buf_add_text(page, "</pre></details>\n");
    }
}

static void own_table(struct report *report, const json_t *table)
{
    struct buf *page = &report->page;
    const json_t *columns = json_object_get(table, "columns");
    size_t i;
    json_t *each;
    buf_add_text(page, "<section id=\"");
    page_text(page, page_member(table, "id"));
    buf_add_text(page, "\"><h2>");
    page_text(page, page_member(table, "title"));
    buf_add_text(page, "</h2>\n");
    if (page_member(table, "note")) {
        buf_add_text(page, "<p class=\"meaning\">");
        page_text(page, page_member(table, "note"));
        buf_add_text(page, "</p>\n");
    }
    buf_add_text(page, "<div class=\"scroll\"><table><thead><tr>");
    json_array_foreach (columns, i, each) {
        const char *head = json_string_value(each);
        bool figures = head && *head == '#';
        buf_add_text(page, figures ? "<th class=\"num\">" : "<th>");
        page_text(page, head ? head + figures : NULL);
        buf_add_text(page, "</th>");
    }
    buf_add_text(page, "</tr></thead><tbody>\n");
    json_array_foreach (json_object_get(table, "rows"), i, each)
        own_row(report, columns, each);
    end_table(page);
    details(page, json_object_get(table, "details"));
    buf_add_text(page, "</section>\n");
}

void tables_own(struct report *report)
{
    size_t i;
    json_t *table;
    json_array_foreach (json_object_get(report->run, "tables"), i, table)
        own_table(report, table);
}

void table_happenings(struct report *report)
{
    struct buf *page = &report->page;
    size_t i;
    json_t *happening, *happenings = json_object_get(report->run, "happenings");
    if (json_array_size(happenings) == 0)
        return;
    page_section(page, "happenings", "What happened",
                 "The numbers mark these moments in the charts over time.");
    begin_table(page, "#No|#from, s|#until, s|Pipeline|What");
    json_array_foreach (happenings, i, happening) {
        buf_printf(page, "<tr><td class=\"num\">%zu</td>", i + 1);
        time_cells(page, happening, "t_s", "until_s");
        key_cell(report, happening);
        text_cell(page, happening, "what");
        buf_add_text(page, "</tr>\n");
    }
    end_table(page);
    buf_add_text(page, "</section>\n");
}

/* What was struck, and what more there is to say. */
static void fault_cell(struct buf *page, const json_t *fault)
{
    json_int_t gave_up = json_integer_value(json_object_get(fault, "gave_up"));
    buf_add_text(page, "<td>");
    page_text(page, page_member(fault, "what"));
    buf_add_text(page, page_member(fault, "command") ? ", struck " : " ");
    page_text(page, page_member(fault, "whom"));
    if (page_member(fault, "command")) {
        buf_add_text(page, "<small><code>");
        page_text(page, page_member(fault, "command"));
        buf_add_text(page, "</code></small>");
    }
    if (gave_up)
        buf_printf(page,
                   "<small>%lld process%s gave up meanwhile (exit 3) and %s started again</small>",
                   (long long)gave_up, gave_up == 1 ? "" : "es", gave_up == 1 ? "was" : "were");
    buf_add_text(page, "</td>");
}

static void fault_row(struct report *report, const json_t *fault, size_t i)
{
    struct buf *page = &report->page;
    buf_printf(page, "<tr><td class=\"num\"><span class=\"fault\">F%zu</span></td>", i + 1);
    figure_cells(page, fault, &(const char *){"event"}, 1);
    time_cells(page, fault, "t_s", "until_s");
    fault_cell(page, fault);
    figure_cells(page, json_object_get(fault, "recovery_ms"), report->pipelines,
                 (size_t)report->pipeline_count);
    buf_add_text(page, "</tr>\n");
}

void table_faults(struct report *report)
{
    struct buf *page = &report->page;
    struct buf heads = {0};
    size_t i;
    json_t *fault, *faults = json_object_get(report->run, "faults");
    if (json_array_size(faults) == 0)
        return;
    page_section(
        page, "faults", "Faults",
        "Bands of this colour in the charts over time: strong while a fault lasted, faint until "
        "the slower pipeline had caught up. Recovered: from the end of the fault (what it ended "
        "is started again) to the first answer that holds an event due since the strike and is "
        "as fresh as 99 of 100 were before the first fault; a dash: it did not concern that "
        "pipeline, or no event was due any more.");
    buf_add_text(&heads, "#No|#at event|#from, s|#until, s|What");
    for (int p = 0; p < report->pipeline_count; p++) {
        buf_printf(&heads, "|#<span class=\"key c%d\">", p);
        page_text(&heads, report->pipelines[p]);
        buf_add_text(&heads, "</span> recovered, ms");
    }
    begin_table(page, heads.ptr);
    json_array_foreach (faults, i, fault)
        fault_row(report, fault, i);
    end_table(page);
    buf_add_text(page, "</section>\n");
    buf_release(&heads);
}

void table_processes(struct report *report)
{
    static const char *const USED[] = {"cpu_s", "rss_max_mb", "read_mb", "written_mb"};
    struct buf *page = &report->page;
    size_t i;
    json_t *process, *processes = json_object_get(report->run, "processes");
    if (json_array_size(processes) == 0)
        return;
    page_section(page, "processes", "What each process used", NULL);
    begin_table(page, "Pipeline|Process|#Processor, s|#Memory at most, MB|#Read, MB|#Written, MB");
    json_array_foreach (processes, i, process) {
        buf_add_text(page, "<tr>");
        key_cell(report, process);
        text_cell(page, process, "name");
        figure_cells(page, process, USED, sizeof USED / sizeof *USED);
        buf_add_text(page, "</tr>\n");
    }
    end_table(page);
    buf_add_text(page, "</section>\n");
}

void table_checks(struct report *report)
{
    struct buf *page = &report->page;
    size_t i;
    json_t *check;
    page_section(page, "checks", "Checks", NULL);
    begin_table(page, "Result|Check");
    json_array_foreach (json_object_get(report->run, "checks"), i, check) {
        bool pass = json_is_true(json_object_get(check, "pass"));
        buf_printf(page, "<tr><td class=\"%s\">%s</td>", pass ? "yes" : "no",
                   pass ? "✓ held" : "✗ failed");
        named_cell(page, check, "detail");
        buf_add_text(page, "</tr>\n");
    }
    end_table(page);
    buf_add_text(page, "</section>\n");
}

void table_history(struct report *report)
{
    struct buf *page = &report->page;
    size_t i;
    json_t *process;
    if (json_array_size(json_object_get(report->run, "history")) == 0)
        return;
    buf_add_text(page, "<h3>Every process that was started</h3>\n");
    begin_table(page, "Pipeline|Process|#from, s|#until, s|Fate");
    json_array_foreach (json_object_get(report->run, "history"), i, process) {
        buf_add_text(page, "<tr>");
        key_cell(report, process);
        text_cell(page, process, "name");
        time_cells(page, process, "began_s", "ended_s");
        text_cell(page, process, "fate");
        buf_add_text(page, "</tr>\n");
    }
    end_table(page);
}
