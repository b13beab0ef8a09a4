/* tests/bench/test_report.c - the report is a pure function of two files, and nothing in them can
 * make it ask for anything or run anything. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/report.h"
#include "bench/report_page.h"
#include "common/base/rng.h"

static const char RUN[] =
    "{\"title\":\"T "
    "%s\",\"workload\":\"flights\",\"seed\":18000000000000007,\"started\":\"2001-01-01\","
    "\"events\":228738,\"partitions\":4,\"pass\":%s,\"pipelines\":[\"lambda\",\"kappa\"],"
    "\"plan\":{\"view\":\"%s\"},\"plan_english\":\"%s\",\"machine\":{\"%s\":\"%s\"},"
    "\"metrics\":[{\"name\":\"%s\",\"unit\":\"ms\",\"kind\":\"measured\",\"meaning\":\"%s\","
    "\"headline\":true,\"lambda\":12.5,\"kappa\":null}],"
    "\"processes\":[{\"pipeline\":\"lambda\",\"name\":\"%s\",\"cpu_s\":1}],"
    "\"happenings\":[{\"t_s\":2,\"what\":\"second\"},{\"t_s\":1,\"pipeline\":\"kappa\",\"what\":"
    "\"first "
    "%s\"}],\"checks\":[{\"name\":\"%s\",\"pass\":%s}],\"history\":[{\"name\":\"%s\",\"fate\":\"%"
    "s\"}],"
    "\"faults\":[{\"what\":\"command\",\"whom\":\"%s\",\"command\":\"%s\",\"event\":21083,"
    "\"t_s\":1.5,\"until_s\":2.25,\"gave_up\":2,\"recovery_ms\":{\"kappa\":125}}],"
    "\"findings\":[\"%s\"]}";
static const char SAMPLES[] =
    "{\"t_s\":1,\"pipeline\":\"lambda\",\"kind\":\"freshness\",\"ms\":10}\n"
    "{\"t_s\":2,\"pipeline\":\"kappa\",\"kind\":\"freshness\",\"ms\":20}\n"
    "{\"t_s\":2,\"pipeline\":\"kappa\",\"kind\":\"error\",\"rows_wrong\":1,"
    "\"rows\":4,\"missing_share\":0.5}\n"
    "{\"t_s\":3,\"pipeline\":\"nobody\",\"kind\":\"freshness\",\"ms\":20}\n"
    "{\"t_s\":3,\"kind\":\"of a later lk\",\"x\":1}\n";

static char directory[64];

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    cr_assert(file);
    fputs(text, file);
    fclose(file);
}

static void put_run(const char *text, const char *pass)
{
    struct buf run = {0};
    const char *t = text;
    buf_printf(&run, RUN, t, pass, t, t, t, t, t, t, t, t, t, pass, t, t, t, t, t);
    put("run.json", run.ptr);
    buf_release(&run);
}

static char *page(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/report.html", directory);
    FILE *file = fopen(path, "r");
    cr_assert(file);
    char *text = calloc(1, 2 << 20);
    size_t len = fread(text, 1, (2 << 20) - 1, file);
    cr_assert_gt(len, 100000, "dygraphs must be in the page");
    fclose(file);
    return text;
}

static void make_directory(void)
{
    snprintf(directory, sizeof directory, "/tmp/lk_report_XXXXXX");
    cr_assert(mkdtemp(directory));
    put_run("plain", "true");
    put("samples.jsonl", SAMPLES);
}

static void remove_directory(void)
{
    static const char *const NAMES[] = {"run.json", "samples.jsonl", "report.html"};
    char path[128];
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, NAMES[i]);
        unlink(path);
    }
    cr_assert_eq(rmdir(directory), 0, "a temporary file was left behind");
}

TestSuite(report, .init = make_directory, .fini = remove_directory);

static void build(void)
{
    struct err err = {0};
    cr_assert_eq(report_build(directory, &err), 0, "%s", err.text);
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

Test(report, the_same_files_give_the_same_bytes)
{
    build();
    char *first = page();
    sleep(1); /* a clock in the page would show */
    build();
    char *second = page();
    cr_assert_str_eq(first, second);
    free(first);
    free(second);
}

Test(report, the_page_asks_for_nothing)
{
    static const char *const REQUESTS[] = {" src=", "url(", "@import", "sourceMappingURL",
                                           "<link", "<img", "<iframe", "fetch("};
    build();
    char *text = page();
    for (size_t i = 0; i < sizeof REQUESTS / sizeof *REQUESTS; i++)
        cr_expect_eq(count(text, REQUESTS[i]), 0, "%s stands in the page", REQUESTS[i]);
    cr_expect_eq(count(text, "href="), count(text, "href=\"#"), "a link leads out of the page");
    cr_expect_eq(count(text, "default-src 'none'"), 1);
    free(text);
}

Test(report, data_cannot_become_markup)
{
    put_run("plain", "true");
    build();
    char *plain = page();
    put_run("</script><b onclick=x>&\\\"'</pre>", "true");
    build();
    char *nasty = page();
    static const char *const TAGS[] = {"</script", "<script", "<b ", "<pre", "</pre", "<section"};
    for (size_t i = 0; i < sizeof TAGS / sizeof *TAGS; i++)
        cr_expect_eq(count(nasty, TAGS[i]), count(plain, TAGS[i]), "%s", TAGS[i]);
    cr_expect_eq(count(nasty, "&lt;/script&gt;&lt;b onclick=x&gt;&amp;&quot;&#39;"), 16);
    free(plain);
    free(nasty);
}

Test(report, a_run_brings_its_own_tables_and_words)
{
    put("run.json",
        "{\"title\":\"t\",\"workload\":\"w\",\"started\":\"s\",\"pass\":true,\"pipelines\":[],"
        "\"metrics\":[],\"checks\":[],\"reading\":{\"A word\":\"its <meaning>\"},"
        "\"tables\":[{\"id\":\"mine\",\"title\":\"M & "
        "N\",\"note\":\"<note>\",\"columns\":[\"A<b>\",\"#F\"],"
        "\"rows\":[[{\"name\":\"<i>\",\"more\":\"<u>\",\"code\":\"<s>\",\"pass\":false},1234],"
        "[{\"bars\":[0,0.5,1]},null]],\"details\":[{\"summary\":\"<q>\",\"text\":\"<em>\"}]}]}");
    build();
    char *text = page();
    static const char *const THERE[] = {"href=\"#mine\">M &amp; N</a>",
                                        "<dd>its &lt;meaning&gt;</dd>",
                                        "&lt;note&gt;",
                                        "<th>A&lt;b&gt;</th><th class=\"num\">F</th>",
                                        "&lt;i&gt;",
                                        "<small>&lt;u&gt;</small>",
                                        "<code>&lt;s&gt;</code>",
                                        "✗ failed",
                                        "<td class=\"num\">1,234</td>",
                                        "<td class=\"num\">–</td>",
                                        "<summary>&lt;q&gt;</summary><pre>&lt;em&gt;</pre>"};
    for (size_t i = 0; i < sizeof THERE / sizeof *THERE; i++)
        cr_expect_eq(count(text, THERE[i]), 1, "%s", THERE[i]);
    cr_expect_eq(count(text, "<rect "), 3);
    cr_expect_eq(count(text, "Two ways to one answer"), 0, "the words of a comparison");
    static const char *const LEFT_OUT[] = {"#table\"", "#charts\"", "#plan\"", "#words\""};
    for (size_t i = 0; i < sizeof LEFT_OUT / sizeof *LEFT_OUT; i++)
        cr_expect_eq(count(text, LEFT_OUT[i]), 0, "a link to what is not there: %s", LEFT_OUT[i]);
    free(text);
}

Test(report, a_pipeline_name_cannot_end_the_script)
{
    put("run.json", "{\"title\":\"t\",\"workload\":\"w\",\"started\":\"s\",\"pass\":true,"
                    "\"pipelines\":[\"</script>\"],\"metrics\":[],\"checks\":[]}");
    build();
    char *text = page();
    cr_expect_eq(count(text, "</script>"), 3);
    cr_expect_eq(count(text, "\"pipelines\":[\"\\u003c/script>\"]"), 1);
    free(text);
}

Test(report, it_shows_what_the_run_says)
{
    static const char *const SHOWN[] = {"228,738 events",
                                        "seed 18000000000000007",
                                        "Passed",
                                        "12.5",
                                        "<td class=\"num\">25</td>",
                                        "<td class=\"num\">1</td><td class=\"num\">1.00</td><td "
                                        "class=\"num\">–</td><td><span class=\"key "
                                        "c1\">kappa</span></td><td>first",
                                        "<span class=\"fault\">F1</span></td><td "
                                        "class=\"num\">21,083</td><td class=\"num\">1.50</td><td "
                                        "class=\"num\">2.25</td><td>command, struck ",
                                        "2 processes gave up meanwhile",
                                        "<td class=\"num\">–</td><td class=\"num\">125</td></tr>",
                                        "\"faults\":[{\"t\":1.5,\"until\":2.25,\"back\":2.375,"};
    build();
    char *text = page();
    for (size_t i = 0; i < sizeof SHOWN / sizeof *SHOWN; i++)
        cr_expect(count(text, SHOWN[i]) > 0, "missing: %s", SHOWN[i]);
    free(text);
    put_run("plain", "false");
    build();
    text = page();
    cr_expect_eq(count(text, "Passed"), 0);
    cr_expect_eq(count(text, "1 of 1 <a href=\"#checks\">checks</a> failed"), 1);
    free(text);
}

Test(report, a_part_that_has_nothing_to_say_is_left_out)
{
    put("run.json", "{\"title\":\"t\",\"workload\":\"w\",\"started\":\"s\",\"pass\":true,"
                    "\"pipelines\":[\"lambda\"],\"metrics\":[{\"name\":\"unseen\","
                    "\"headline\":true,\"lambda\":null}],\"checks\":[],\"faults\":[],"
                    "\"happenings\":[]}");
    build();
    char *text = page();
    cr_expect_eq(count(text, "#faults"), 0);
    cr_expect_eq(count(text, "id=\"faults\""), 0);
    cr_expect_eq(count(text, "#happenings"), 0);
    cr_expect_eq(count(text, "id=\"happenings\""), 0);
    cr_expect_eq(count(text, "id=\"processes\""), 0);
    cr_expect_eq(count(text, "class=\"tile\""), 0);
    free(text);
}

Test(report, a_wrong_file_is_named_with_its_line)
{
    static const struct {
        const char *run, *samples, *says;
        int code;
    } ROWS[] = {
        {NULL, "{\"t_s\":1,\"kind\":\"x\"}\n{\"t_s\":", "samples.jsonl:2", ERR_DATA},
        {NULL, "{\"t_s\":\"1\",\"kind\":\"x\"}\n", "samples.jsonl:1", ERR_DATA},
        {"{\n,", SAMPLES, "run.json:2", ERR_DATA},
        {"{}", SAMPLES, "\"title\" is missing", ERR_DATA},
        {"{\"title\":\"t\",\"workload\":\"w\",\"started\":\"s\",\"pass\":1,\"pipelines\":[],"
         "\"metrics\":[],"
         "\"checks\":[]}",
         SAMPLES, "\"pass\" is missing or not true or false", ERR_DATA},
        {"{\"title\":\"t\",\"workload\":\"w\",\"started\":\"s\",\"pass\":true,\"pipelines\":[1],"
         "\"metrics\":"
         "[],\"checks\":[]}",
         SAMPLES, "\"pipelines\"", ERR_DATA},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct err err = {0};
        put_run("plain", "true");
        if (ROWS[i].run)
            put("run.json", ROWS[i].run);
        put("samples.jsonl", ROWS[i].samples);
        cr_expect_eq(report_build(directory, &err), ROWS[i].code, "row %zu", i);
        cr_expect(strstr(err.text, ROWS[i].says), "row %zu: %s", i, err.text);
    }
}

Test(report, a_directory_without_a_run_is_a_usage_error)
{
    struct err err = {0};
    cr_expect_eq(report_build("/nonexistent", &err), ERR_USAGE);
    cr_expect(strstr(err.text, "/nonexistent holds no run"), "%s", err.text);
}

Test(page, figures_keep_three_digits_and_group_thousands)
{
    static const struct {
        double value;
        const char *text;
    } ROWS[] = {{0, "0"},
                {7, "7"},
                {999, "999"},
                {1000, "1,000"},
                {228738, "228,738"},
                {1234567, "1,234,567"},
                {71.23, "71.2"},
                {0.8812, "0.881"},
                {999.7, "1,000"},
                {1320.4, "1,320"},
                {-2.5, "−2.5"},
                {1e18, "1e+18"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct buf text = {0};
        page_number(&text, ROWS[i].value);
        cr_expect_str_eq(text.ptr, ROWS[i].text);
        buf_release(&text);
    }
}

Test(samples, quantiles_are_the_smallest_value_that_enough_do_not_exceed)
{
    const double sorted[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    static const struct {
        double share, value;
    } ROWS[] = {{0, 1}, {0.1, 1}, {0.11, 2}, {0.5, 5}, {0.9, 9}, {0.99, 10}, {1, 10}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        cr_expect_eq(sorted_quantile(sorted, 10, ROWS[i].share), ROWS[i].value, "share %g",
                     ROWS[i].share);
}

Test(samples, buckets_hold_every_sample_once)
{
    struct rng rng;
    struct sample list[500];
    struct bucket buckets[7];
    rng_init(&rng, 3);
    double t_s = 0;
    for (int i = 0; i < 500; i++)
        list[i] = (struct sample){t_s += rng_double(&rng), rng_double(&rng)};
    struct series series = {list, 500, 500};
    series_buckets(&series, t_s, buckets, 7);
    size_t total = 0;
    for (int b = 0; b < 7; b++) {
        total += buckets[b].count;
        cr_expect(buckets[b].min <= buckets[b].median && buckets[b].median <= buckets[b].max);
    }
    cr_expect_eq(total, 500);
    cr_expect_eq(buckets[6].last, list[499].value);
}
