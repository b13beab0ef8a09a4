/* tests/common/plan/test_plan_diff.c - what each change of a plan means for what already stands. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/common/plan/plans.h"

#define SKETCH(p) "{\"values\": {\"n\": {\"distinct\": \"origin\", \"precision\": " #p "}}}"
#define SKETCH_USUAL "\"values\": {\"n\": {\"distinct\": \"origin\"}}"

/* From the base plan with `from` to the base plan with `to`: the one change and its fate. */
static const struct {
    const char *from, *to, *path;
    enum plan_fate fate;
} CHANGES[] = {
    {"{}", "{\"view\": \"w\"}", "view", PLAN_REPLAYED},
    {"{}", "{\"where\": [\"delay\", \">\", 3]}", "where", PLAN_REPLAYED},
    {"{}", "{\"dedupe\": {\"by\": \"delay\", \"horizon\": \"1m\"}}", "dedupe", PLAN_REPLAYED},
    {"{}", "{\"allowed_lateness\": \"9m\"}", "allowed_lateness", PLAN_REPLAYED},
    {"{\"keep\": \"9d\"}", "{\"keep\": \"2d\"}", "keep", PLAN_KEPT},
    {"{}", "{\"keep\": \"2d\"}", "keep", PLAN_KEPT},
    {"{\"keep\": \"2d\"}", "{\"keep\": \"9d\"}", "keep", PLAN_REPLAYED},
    {"{\"keep\": \"2d\"}", "{}", "keep", PLAN_REPLAYED},
    {"{\"key\": [\"origin\", \"ok\"]}", "{}", "key", PLAN_DERIVED},
    {"{\"key\": [\"origin\", \"ok\"]}", "{\"key\": [\"ok\", \"origin\"]}", "key", PLAN_DERIVED},
    {"{}", "{\"key\": []}", "key", PLAN_DERIVED},
    {"{}", "{\"key\": [\"ok\"]}", "key", PLAN_REPLAYED},
    {"{}", "{\"window\": {\"tumbling\": \"2h\"}}", "window", PLAN_REPLAYED}, /* late ones */
    {"{}", "{\"values\": {\"n\": \"count\", \"m\": \"count\"}}", "values.m", PLAN_KEPT},
    {"{}", "{\"values\": {\"n\": \"count\", \"m\": {\"sum\": \"delay\"}}}", "values.m",
     PLAN_REPLAYED},
    {"{\"values\": {\"n\": \"count\", \"m\": {\"sum\": \"delay\"}}}", "{}", "values.m", PLAN_KEPT},
    {"{}", "{\"values\": {\"n\": {\"sum\": \"delay\"}}}", "values.n", PLAN_REPLAYED},
    {SKETCH(11), SKETCH(8), "values.n.precision", PLAN_DERIVED},
    {SKETCH(8), SKETCH(11), "values.n.precision", PLAN_REPLAYED},
    {SKETCH(10), "{" SKETCH_USUAL "}", "values.n.precision", PLAN_KEPT},
    {"{" SKETCH_USUAL "}", "{" SKETCH_USUAL ", \"keep\": \"2d\"}", "keep", PLAN_KEPT},
    {SKETCH(10), "{\"values\": {\"n\": {\"distinct\": \"delay\"}}}", "values.n", PLAN_REPLAYED},
    {"{}", "{\"speed\": {\"where\": [\"delay\", \">\", 3]}}", "speed.where", PLAN_KEPT},
    {"{\"speed\": {\"state\": \"memory\"}}", "{}", "speed.state", PLAN_KEPT},
};

#define UNLIMITED "\"allowed_lateness\": \"unlimited\""

/* Windows, where no event is ever late. */
static const struct {
    const char *from, *to;
    enum plan_fate fate;
} WINDOWS[] = {
    {"{\"tumbling\": \"1h\"}", "{\"tumbling\": \"2h\"}", PLAN_DERIVED},
    {"{\"tumbling\": \"1h\"}", "{\"tumbling\": \"90m\"}", PLAN_REPLAYED},
    {"{\"tumbling\": \"1h\"}", "{\"tumbling\": \"30m\"}", PLAN_REPLAYED},
    {"{\"tumbling\": \"1h\"}", "{\"hopping\": [\"3h\", \"1h\"]}", PLAN_DERIVED},
    {"{\"tumbling\": \"1h\"}", "{\"hopping\": [\"3h\", \"30m\"]}", PLAN_REPLAYED},
    {"{\"hopping\": [\"10s\", \"4s\"]}", "{\"tumbling\": \"6s\"}", PLAN_DERIVED}, /* panes of 2 s */
    {"{\"tumbling\": \"1h\"}", "\"none\"", PLAN_DERIVED},
    {"\"none\"", "{\"tumbling\": \"1h\"}", PLAN_REPLAYED},
};

/* The only change, as JSON; NULL: there is none. Owned. */
static json_t *changed(const char *from, const char *to, enum plan_fate *fate)
{
    struct plan *before = plans_good(from), *after = plans_good(to);
    struct buf text = {0};
    *fate = plan_diff(before, after, true, &text);
    json_t *root = json_loads(text.ptr, 0, NULL);
    json_t *changes = json_object_get(root, "changes");
    cr_assert(json_array_size(changes) <= 1, "%s", text.ptr);
    json_t *change = json_array_size(changes) ? json_incref(json_array_get(changes, 0)) : NULL;
    json_decref(root);
    buf_release(&text);
    plan_free(before);
    plan_free(after);
    return change;
}

Test(plan_diff, a_change_has_its_path_and_its_fate)
{
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++) {
        enum plan_fate fate;
        json_t *change = changed(CHANGES[i].from, CHANGES[i].to, &fate);
        cr_assert(change, "%s -> %s", CHANGES[i].from, CHANGES[i].to);
        cr_expect_str_eq(json_string_value(json_object_get(change, "path")), CHANGES[i].path);
        cr_expect_eq(fate, CHANGES[i].fate, "%s -> %s", CHANGES[i].from, CHANGES[i].to);
        json_decref(change);
    }
}

Test(plan_diff, windows_that_are_unions_of_old_panes_are_derived)
{
    for (size_t i = 0; i < sizeof WINDOWS / sizeof *WINDOWS; i++) {
        char from[200], to[200];
        enum plan_fate fate;
        snprintf(from, sizeof from, "{" UNLIMITED ", \"window\": %s}", WINDOWS[i].from);
        snprintf(to, sizeof to, "{" UNLIMITED ", \"window\": %s}", WINDOWS[i].to);
        json_t *change = changed(from, to, &fate);
        cr_assert(change);
        cr_expect_eq(fate, WINDOWS[i].fate, "%s -> %s: %s", from, to,
                     json_string_value(json_object_get(change, "why")));
        json_decref(change);
    }
}

Test(plan_diff, equal_plans_have_no_change)
{
    enum plan_fate fate;
    cr_expect_null(changed("{}", "{}", &fate));
    cr_expect_eq(fate, PLAN_KEPT);
}

/* The base plan with a table of these lines. */
static struct plan *with_table(const char *directory, const char *lines)
{
    char path[400];
    char *text = plans_changed(
        "{\"lookup\": {\"table\": \"t.csv\", \"on\": \"origin\", \"take\": [\"c\"]}}");
    struct plan *plan = NULL;
    struct err err = {0};
    plans_write(directory, "t.csv", lines);
    plans_write(directory, "p.json", text);
    snprintf(path, sizeof path, "%s/p.json", directory);
    cr_assert_eq(plan_load(path, &plan, NULL, &err), 0, "%s", err.text);
    free(text);
    unlink(path);
    snprintf(path, sizeof path, "%s/t.csv", directory);
    unlink(path);
    return plan;
}

Test(plan_diff, another_table_under_the_same_name_is_a_change)
{
    char *directory = plans_directory();
    struct buf text = {0};
    struct plan *before = with_table(directory, "origin,c\nORD,1\n");
    struct plan *after = with_table(directory, "origin,c\nORD,2\n");
    cr_expect_eq(plan_diff(before, after, false, &text), PLAN_REPLAYED);
    cr_expect(strstr(text.ptr, "lookup.table"), "%s", text.ptr);
    plan_free(before);
    plan_free(after);
    buf_release(&text);
    plans_remove(directory);
}

Test(plan_diff, says_what_was_what_is_and_what_to_do)
{
    struct plan *before = plans_good("{\"keep\": \"9d\"}");
    struct plan *after = plans_good("{\"keep\": \"9d\", \"allowed_lateness\": \"9m\"}");
    struct buf text = {0};
    plan_diff(before, after, false, &text);
    cr_expect(strstr(text.ptr, "allowed_lateness\n    "), "%s", text.ptr);
    cr_expect(strstr(text.ptr, "\"9m\"\n    replay: other events are late"), "%s", text.ptr);
    cr_expect(strstr(text.ptr, "lk kappa deploy"), "%s", text.ptr);
    buf_clear(&text);
    plan_diff(before, before, false, &text);
    cr_expect_str_eq(text.ptr, "The plans say the same.\n");
    plan_free(before);
    plan_free(after);
    buf_release(&text);
}
