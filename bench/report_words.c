/* bench/report_words.c - the report in words: the plan, how to read it, how to run it again, what was found. */
#include <stdlib.h>

#include "bench/report_page.h"

void words_plan(struct report *report)
{
    struct buf *page = &report->page;
    page_section(page, "plan", "The plan",
                 "What both pipelines computed: one definition, run by the same operators.");
    if (page_member(report->run, "plan_english")) {
        buf_add_text(page, "<pre>");
        page_text(page, page_member(report->run, "plan_english"));
        buf_add_text(page, "</pre>\n");
    }
    char *json = json_dumps(json_object_get(report->run, "plan"), JSON_INDENT(2));
    buf_add_text(page, "<details><summary>As JSON</summary><pre>");
    page_text(page, json);
    buf_add_text(page, "</pre></details></section>\n");
    free(json);
}

/* A <dl> of an object's members, under a title or none; nothing where there are none. */
static void members(struct report *report, const char *title, const char *member)
{
    struct buf *page = &report->page;
    const char *name;
    json_t *value, *object = json_object_get(report->run, member);
    if (json_object_size(object) == 0)
        return;
    if (title)
        buf_printf(page, "<h3>%s</h3>\n", title);
    buf_add_text(page, "<dl>");
    json_object_foreach (object, name, value) {
        buf_add_text(page, "<dt>");
        page_text(page, name);
        buf_add_text(page, "</dt><dd>");
        page_value(page, value);
        buf_add_text(page, "</dd>");
    }
    buf_add_text(page, "</dl>\n");
}

void words_reading(struct report *report)
{
    static const struct {
        const char *word, *meaning;
    } WORDS[] = {
        {"Lambda",
         "Two ways to one answer: a batch recomputes everything from an archive, now and then "
         "and forgetting nothing; a speed layer answers for what came since. A read merges "
         "the two."},
        {"Kappa",
         "One way: a stream engine folds the log once. To correct or change the past, a new "
         "version replays the log beside the old one and takes its place."},
        {"Contract",
         "What the plan with its own rules (lateness, dedupe) says for exactly the events "
         "that a view claims to hold. A difference is a bug: the run fails."},
        {"Truth",
         "What all events due by then say, however late they came. A difference is no bug: it is "
         "what an architecture and its rules cost, and what the error charts show."},
        {"Due",
         "Every event has a planned instant, and all waiting counts from it, in the generator too: "
         "a pipeline that stalls cannot hide it."},
        {"Side by side",
         "Where both pipelines ran at once on one machine, they also disturbed each "
         "other. Such figures explain; a claim needs one at a time, repeated."},
    };
    struct buf *page = &report->page;
    page_section(page, "reading", "How to read this", NULL);
    if (json_object_get(report->run, "reading")) {
        members(report, NULL, "reading");
        buf_add_text(page, "</section>\n");
        return;
    }
    buf_add_text(page, "<dl>");
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        buf_printf(page, "<dt>%s</dt><dd>%s</dd>\n", WORDS[i].word, WORDS[i].meaning);
    buf_add_text(page, "</dl></section>\n");
}

void words_again(struct report *report)
{
    struct buf *page = &report->page;
    page_section(page, "again", "Run it again", NULL);
    buf_add_text(page, "<dl>");
    if (page_member(report->run, "command")) {
        buf_add_text(page, "<dt>The run</dt><dd><code>");
        page_text(page, page_member(report->run, "command"));
        buf_add_text(page, "</code></dd>");
    }
    buf_printf(page,
               "<dt>This page</dt><dd><code>lk report DIR</code> builds it again from the raw "
               "files beside "
               "it, the same byte for byte.</dd>\n<dt>Raw data</dt><dd><code>run.json</code> and "
               "<code>samples.jsonl</code>: %zu samples, XXH3-128 <code>%s</code>.</dd></dl>\n",
               report->samples.lines, report->samples.digest);
    members(report, "Machine and versions", "machine");
    members(report, "Settings", "settings");
    table_history(report);
    buf_add_text(page, "</section>\n");
}

void words_findings(struct report *report)
{
    struct buf *page = &report->page;
    size_t i;
    json_t *finding;
    page_section(page, "words", "In plain words", NULL);
    json_array_foreach (json_object_get(report->run, "findings"), i, finding) {
        buf_add_text(page, "<p>");
        page_text(page, json_string_value(finding));
        buf_add_text(page, "</p>\n");
    }
    buf_add_text(page, "</section>\n");
}
