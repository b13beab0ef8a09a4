/* bench/report_page.c - see report_page.h. */
#include "bench/report_page.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void page_text(struct buf *page, const char *text)
{
    static const struct {
        char c;
        const char *escaped;
    } ESCAPES[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (const char *at = text ? text : "–"; *at; at++) {
        const char *escaped = NULL;
        for (size_t i = 0; i < sizeof ESCAPES / sizeof *ESCAPES; i++)
            if (ESCAPES[i].c == *at)
                escaped = ESCAPES[i].escaped;
        if (escaped)
            buf_add_text(page, escaped);
        else
            buf_add_char(page, *at);
    }
}

void page_json(struct buf *page, const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    for (const char *at = text; at && *at; at++)
        if (*at == '<')
            buf_add_text(page, "\\u003c");
        else
            buf_add_char(page, *at);
    free(text);
}

/* Digits of a whole number in groups of three. */
static void add_grouped(struct buf *page, const char *digits)
{
    size_t len = strlen(digits);
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            buf_add_char(page, ',');
        buf_add_char(page, digits[i]);
    }
}

void page_number(struct buf *page, double value)
{
    char text[64];
    double size = fabs(value);
    if (value < 0)
        buf_add_text(page, "−");
    if ((size == floor(size) || size >= 999.5) && size < 1e15) {
        snprintf(text, sizeof text, "%.0f", size);
        add_grouped(page, text);
        return;
    }
    snprintf(text, sizeof text, size < 0.1 ? "%.2g" : "%.3g", size);
    buf_add_text(page, text);
}

void page_value(struct buf *page, const json_t *value)
{
    if (json_is_number(value))
        page_number(page, json_number_value(value));
    else
        page_text(page, json_string_value(value));
}

void page_section(struct buf *page, const char *id, const char *title, const char *note)
{
    buf_printf(page, "<section id=\"%s\"><h2>%s</h2>\n", id, title);
    if (note)
        buf_printf(page, "<p class=\"meaning\">%s</p>\n", note);
}

const char *page_member(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

int page_pipeline(const struct report *report, const json_t *object)
{
    const char *name = page_member(object, "pipeline");
    for (int i = 0; name && i < report->pipeline_count; i++)
        if (strcmp(name, report->pipelines[i]) == 0)
            return i;
    return -1;
}

void page_key(struct report *report, const json_t *object)
{
    int pipeline = page_pipeline(report, object);
    const char *name = page_member(object, "pipeline");
    if (pipeline >= 0)
        buf_printf(&report->page, "<span class=\"key c%d\">", pipeline);
    else
        buf_add_text(&report->page, "<span>");
    page_text(&report->page, name && *name ? name : "both");
    buf_add_text(&report->page, "</span>");
}
