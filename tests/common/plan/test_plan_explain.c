/* tests/common/plan/test_plan_explain.c - the English of a plan, and each warning where it belongs.
 *
 * explain_full.txt is the whole text for FULL_PLAN. It is read by people: after a change, read it
 * again. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/common/plan/plans.h"

static char *explained(const struct plan *plan)
{
    struct buf text = {0};
    plan_explain(plan, &text);
    return text.ptr;
}

static char *read_snapshot(void)
{
    struct buf text = {0};
    FILE *file = fopen("tests/common/plan/explain_full.txt", "rb");
    cr_assert(file);
    buf_reserve(&text, 1 << 16);
    text.len = fread(text.ptr, 1, 1 << 16, file);
    text.ptr[text.len] = 0;
    (void)fclose(file);
    return text.ptr;
}

Test(plan_explain, the_full_plan_reads_as_in_explain_full_txt)
{
    struct buf mistakes = {0};
    struct plan *plan = plans_parse(FULL_PLAN, &mistakes);
    cr_assert(plan);
    char *found = explained(plan), *wanted = read_snapshot();
    cr_expect_str_eq(found, wanted, "found:\n%s", found);
    free(found);
    free(wanted);
    plan_free(plan);
    buf_release(&mistakes);
}

Test(plan_explain, lines_stay_below_100_columns)
{
    struct plan *plan = plans_good("{\"where\": [\"origin\", \"in\", "
                                   "[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", \"bbbbbbbbbbbbbbbbb\", "
                                   "\"cccccccccccccccccccccccccccccccccccccccccc\", "
                                   "\"ddddddddddddddddddddddddddddddd\", \"e\", "
                                   "\"f\", \"g\", \"h\"]], \"values\": "
                                   "{\"a_name_that_is_longer_than_its_column\": \"count\"}}");
    char *text = explained(plan);
    cr_expect(strstr(text, "and 2 more)"), "%s", text);
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        cr_expect_lt(end - line, 100, "%.*s", (int)(end - line), line);
    free(text);
    plan_free(plan);
}

#define SOURCE(more)                                                                               \
    "\"source\": {\"time\": {\"field\": \"at\", \"format\": \"ms\"}, \"fields\": {\"origin\": "    \
    "{\"type\": \"string\", \"optional\": true}}" more "}"
#define CALM "\"keep\": \"1d\", \"allowed_lateness\": \"1m\""
#define AHEAD ", \"max_ahead\": \"1h\""

/* The base plan with these changes, and words of its warnings ("none": no warning at all). */
static const struct {
    const char *changes, *words;
} WARNINGS[] = {
    {"{" SOURCE(AHEAD) ", \"key\": [], " CALM "}", "  none "},
    {"{" SOURCE(AHEAD) ", \"key\": [], \"allowed_lateness\": \"1m\"}", "the store grows for ever"},
    {"{" SOURCE(AHEAD) ", \"key\": [], \"allowed_lateness\": \"unlimited\", \"keep\": \"1d\"}",
     "no window is ever final"},
    {"{" SOURCE(AHEAD) ", \"key\": [], \"keep\": \"1d\"}",
     "closes the moment that T reaches its end"},
    {"{" SOURCE("") ", \"key\": [], " CALM "}", "one event with a time far in the future"},
    {"{" CALM ", \"dedupe\": {\"by\": \"origin\", \"horizon\": \"1h\"}}",
     "the id must determine the partition"},
    {"{" CALM ", \"dedupe\": {\"by\": \"origin\", \"horizon\": \"1h\"}, \"dedupe_scope\": "
     "\"partition\"}",
     "  dedupe        copies of an event in two partitions both count.\n"},
    {"{" CALM ", \"dedupe\": {\"by\": \"origin\", \"horizon\": \"59s\"}}", "horizon is shorter"},
    {"{" SOURCE(AHEAD) ", " CALM ", \"dedupe\": {\"by\": \"origin\", \"horizon\": \"1h\"}}",
     "all absent ids are one id"},
    {"{" SOURCE(AHEAD) ", " CALM "}", "share the row of null"},
    {"{" CALM ", \"key\": [\"c\"], \"lookup\": {\"table\": \"t\", \"on\": \"origin\", \"take\": "
     "[\"c\"], \"missing\": \"keep\"}}",
     "share the row of null"},
    {"{" SOURCE(AHEAD) ", " CALM ", \"where\": {\"not\": [\"origin\", \"=\", \"x\"]}}",
     "so \"not\" of it is true"},
    {"{\"values\": {\"n\": \"count\", \"m\": {\"distinct\": \"origin\", \"precision\": 12}}}",
     "takes more than 4 KiB"},
    {"{\"key\": [], \"window\": \"none\"}", "a single row"},
};

static const char *warnings_of(const char *text)
{
    const char *section = strstr(text, "\nWARNINGS\n");
    cr_assert(section);
    return section;
}

/* text with every run of blanks as one: wrapping must not hide words. */
static char *unwrapped(const char *text)
{
    struct buf flat = {0};
    for (; *text; text++) {
        bool wrapped = *text == '\n' && strspn(text + 1, " ") == 16;
        buf_add_char(&flat, wrapped ? ' ' : *text);
        text += wrapped ? 16 : 0;
    }
    return flat.ptr;
}

Test(plan_explain, each_warning_stands_where_it_applies)
{
    for (size_t i = 0; i < sizeof WARNINGS / sizeof *WARNINGS; i++) {
        struct plan *plan = plans_good(WARNINGS[i].changes);
        char *text = explained(plan), *flat = unwrapped(warnings_of(text));
        cr_expect(strstr(flat, WARNINGS[i].words), "%s\n%s", WARNINGS[i].changes, flat);
        free(text);
        free(flat);
        plan_free(plan);
    }
}

Test(plan_explain, a_sketch_says_its_error_and_its_bytes)
{
    struct plan *plan = plans_good("{\"values\": {\"n\": {\"distinct\": \"origin\"}}}");
    char *text = explained(plan);
    cr_expect_eq(plan->slots, 64);
    cr_expect_eq(plan->values[0].precision, 10);
    cr_expect(strstr(text, "how many different origin there are, estimated by HyperLogLog: 1024"));
    cr_expect(strstr(text, "error 3.2 %"), "%s", text);
    cr_expect(strstr(text, "(1024 bytes;"), "%s", text);
    free(text);
    plan_free(plan);
}

Test(plan_explain, a_calm_plan_has_no_warning)
{
    struct plan *plan = plans_good(WARNINGS[0].changes);
    char *text = explained(plan);
    const char *warnings = warnings_of(text);
    for (size_t i = 1; i < sizeof WARNINGS / sizeof *WARNINGS; i++)
        cr_expect_null(strstr(warnings, WARNINGS[i].words), "%s", WARNINGS[i].words);
    free(text);
    plan_free(plan);
}

Test(plan_explain, not_of_exists_and_double_not_are_no_warning)
{
    static const char *const CONDITIONS[] = {"{\"not\": [\"origin\", \"exists\"]}",
                                             "{\"not\": {\"not\": [\"origin\", \"=\", \"x\"]}}",
                                             "[\"origin\", \"!=\", \"x\"]"};
    for (size_t i = 0; i < sizeof CONDITIONS / sizeof *CONDITIONS; i++) {
        char changes[400];
        snprintf(changes, sizeof changes,
                 "{" SOURCE(AHEAD) ", \"key\": [], " CALM ", \"where\": %s}", CONDITIONS[i]);
        struct plan *plan = plans_good(changes);
        char *text = explained(plan);
        cr_expect(strstr(warnings_of(text), "  none "), "%s", text);
        free(text);
        plan_free(plan);
    }
}
