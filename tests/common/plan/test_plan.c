/* tests/common/plan/test_plan.c - good plans become the right struct, whatever their layout; bytes
 * that are no plan do no harm. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/rng.h"
#include "tests/common/plan/plans.h"

static struct plan *parse_good(const char *text)
{
    struct buf mistakes = {0};
    struct plan *plan = plans_parse(text, &mistakes);
    cr_assert(plan, "%s", mistakes.ptr);
    buf_release(&mistakes);
    return plan;
}

static const struct field *field_of(const struct plan *plan, const char *name)
{
    int column = schema_find(&plan->schema, name);
    cr_assert_geq(column, 0, "%s", name);
    return &plan->schema.fields[column];
}

Test(plan, schema_has_time_first_then_fields_by_name_then_taken_ones)
{
    struct plan *plan = parse_good(FULL_PLAN);
    static const char *const NAMES[] = {"meta.at", "delay", "id", "name", "ok",
                                        "price",   "score", "c1", "c2"};
    cr_assert_eq(plan->schema.scanned, 7);
    cr_assert_eq(plan->schema.count, 9);
    for (int i = 0; i < 9; i++)
        cr_expect_str_eq(plan->schema.fields[i].name, NAMES[i]);
    const struct field *time = &plan->schema.fields[0];
    cr_expect_eq(time->type, FIELD_TIME);
    cr_expect_eq(time->path[0].depth, 2);
    cr_expect_eq(time->time_format, TIME_STRPTIME);
    cr_expect_str_eq(time->time_pattern, "%Y-%m-%dT%H:%MZ");
    cr_expect(plan->schema.fields[8].optional && plan->schema.fields[8].type == FIELD_STRING);
    plan_free(plan);
}

Test(plan, fields_carry_type_default_and_aliases)
{
    struct plan *plan = parse_good(FULL_PLAN);
    const struct field *price = field_of(plan, "price"), *delay = field_of(plan, "delay");
    cr_expect_eq(price->type, FIELD_DECIMAL);
    cr_expect_eq(price->scale, 3);
    cr_expect(price->has_default && price->default_int == -1500 && !price->optional);
    cr_expect(delay->optional && !delay->has_default);
    cr_assert_eq(delay->paths, 3);
    cr_expect_eq(delay->path[1].depth, 2);
    cr_expect(bytes_equal(delay->path[1].part[1], bytes_of("delay")));
    cr_expect(bytes_equal(delay->path[2].part[0], bytes_of("late")));
    cr_expect_eq(field_of(plan, "score")->default_double, 2.0);
    cr_expect_eq(field_of(plan, "ok")->default_int, 1);
    cr_expect(bytes_equal(field_of(plan, "name")->default_string, bytes_of("none")));
    plan_free(plan);
}

Test(plan, members_become_numbers)
{
    struct plan *plan = parse_good(FULL_PLAN);
    cr_expect_str_eq(plan->view, "full_1");
    cr_expect_eq(plan->out_of_order_ms, 60000);
    cr_expect_eq(plan->allowed_lateness_ms, 3600000);
    cr_expect_eq(plan->max_ahead_ms, 86400000);
    cr_expect_eq(plan->keep_ms, 7200000);
    cr_expect_eq(plan->window, WINDOW_HOPPING);
    cr_expect(plan->size_ms == 10000 && plan->hop_ms == 4000 && plan->pane_ms == 2000);
    cr_expect_str_eq(plan->table, "/nowhere/campaigns.jsonl");
    cr_expect_eq(plan->lookup_on, schema_find(&plan->schema, "id"));
    cr_expect(plan->takes == 2 && plan->lookup_keep);
    cr_expect_str_eq(plan->take[1], "c2");
    cr_expect_eq(plan->dedupe_by, schema_find(&plan->schema, "id"));
    cr_expect(plan->dedupe_horizon_ms == 600000 && plan->dedupe_partition);
    cr_expect(plan->keys == 2 && plan->key[0] == 8 && plan->key[1] == 3);
    plan_free(plan);
}

Test(plan, values_are_in_order_of_their_names_and_have_slots)
{
    static const struct {
        const char *name, *field;
        enum aggregate_kind kind;
        int slot;
    } WANTED[] = {{"a", "score", AGG_MIN, 0},
                  {"b", "delay", AGG_SUM, 1},
                  {"c", "delay", AGG_MAX, 2},
                  {"m", "price", AGG_AVG, 3},
                  {"z", NULL, AGG_COUNT, 5}};
    struct plan *plan = parse_good(FULL_PLAN);
    cr_assert_eq(plan->value_count, 5);
    cr_expect_eq(plan->slots, 6);
    for (int i = 0; i < 5; i++) {
        const struct value *value = &plan->values[i];
        cr_expect_str_eq(value->name, WANTED[i].name);
        cr_expect_eq(value->kind, WANTED[i].kind);
        cr_expect_eq(value->slot, WANTED[i].slot);
        cr_expect_eq(value->field,
                     WANTED[i].field ? schema_find(&plan->schema, WANTED[i].field) : -1);
        cr_expect_eq(value->where != NULL, strcmp(value->name, "m") == 0);
    }
    plan_free(plan);
}

Test(plan, what_is_not_said_has_defaults)
{
    struct plan *plan = plans_good("{\"key\": null, \"window\": \"none\"}");
    cr_expect(plan->out_of_order_ms == 0 && plan->allowed_lateness_ms == 0);
    cr_expect(plan->max_ahead_ms == PLAN_UNLIMITED && plan->keep_ms == PLAN_UNLIMITED);
    cr_expect(plan->keys == 0 && plan->dedupe_by == -1 && !plan->table && !plan->where);
    cr_expect(plan->window == WINDOW_NONE && plan->size_ms == 0 && plan->pane_ms == 0);
    plan_free(plan);
}

Test(plan, unlimited_is_allowed_where_it_means_something)
{
    struct plan *plan =
        plans_good("{\"allowed_lateness\": \"unlimited\", \"keep\": \"1s\", \"source\": {\"time\": "
                   "{\"field\": \"origin\", \"format\": \"us\"}, \"max_ahead\": \"unlimited\"}}");
    cr_expect(plan->allowed_lateness_ms == PLAN_UNLIMITED && plan->max_ahead_ms == PLAN_UNLIMITED);
    cr_expect_eq(plan->keep_ms, 1000);
    plan_free(plan);
    plan = plans_good("{\"allowed_lateness\": \"30m\", \"keep\": \"90m\"}");
    cr_expect_eq(plan->keep_ms, 5400000, "exactly size + B + L is enough");
    plan_free(plan);
    plan = plans_good("{\"keep\": \"unlimited\"}");
    cr_expect_eq(plan->keep_ms, PLAN_UNLIMITED);
    plan_free(plan);
}

Test(plan, time_formats_are_told_apart)
{
    static const struct {
        const char *text;
        enum time_format format;
    } FORMATS[] = {{"ms", TIME_MS},
                   {"s", TIME_S},
                   {"us", TIME_US},
                   {"rfc3339", TIME_RFC3339},
                   {"%d/%b/%Y:%H:%M:%S %z", TIME_STRPTIME},
                   {"%F %T", TIME_STRPTIME},
                   {"%Y%j", TIME_STRPTIME}};
    for (size_t i = 0; i < sizeof FORMATS / sizeof *FORMATS; i++) {
        char changes[200];
        snprintf(changes, sizeof changes,
                 "{\"key\": [], \"source\": {\"time\": {\"field\": \"t\", \"format\": \"%s\"}}}",
                 FORMATS[i].text);
        struct plan *plan = plans_good(changes);
        cr_expect_eq(plan->schema.fields[0].time_format, FORMATS[i].format, "%s", FORMATS[i].text);
        plan_free(plan);
    }
}

/* ---- where ---- */

static const struct {
    const char *condition;
    const char *field;
    enum where_op op;
    const char *other;
    int64_t i64; /* of the first literal */
} COMPARISONS[] = {
    {"[\"delay\", \"=\", -3]", "delay", OP_EQ, NULL, -3},
    {"[\"delay\", \"!=\", 9223372036854775807]", "delay", OP_NE, NULL, INT64_MAX},
    {"[\"price\", \"<\", 12]", "price", OP_LT, NULL, 1200},
    {"[\"price\", \"<=\", 0.1]", "price", OP_LE, NULL, 10},
    {"[\"price\", \"<=\", 1e3]", "price", OP_LE, NULL, 100000},
    {"[\"price\", \">\", \"-92233720368547758.08\"]", "price", OP_GT, NULL, INT64_MIN},
    {"[\"price\", \">=\", {\"literal\": \"0.5\"}]", "price", OP_GE, NULL, 50},
    {"[\"price\", \"in\", [1.25, \"2\", {\"literal\": 3}]]", "price", OP_IN, NULL, 125},
    {"[\"ok\", \"=\", true]", "ok", OP_EQ, NULL, 1},
    {"[\"ok\", \"!=\", false]", "ok", OP_NE, NULL, 0},
    {"[\"at\", \">=\", 978307200000]", "at", OP_GE, NULL, 978307200000},
    {"[\"delay\", \"exists\"]", "delay", OP_EXISTS, NULL, 1},
    {"[\"delay\", \"exists\", true]", "delay", OP_EXISTS, NULL, 1},
    {"[\"delay\", \"exists\", false]", "delay", OP_EXISTS, NULL, 0},
    {"[\"origin\", \"=\", \"destination\"]", "origin", OP_EQ, "destination", 0},
    {"[\"delay\", \"<\", \"delay\"]", "delay", OP_LT, "delay", 0},
};

Test(plan, comparisons_know_their_column_operator_and_operand)
{
    for (size_t i = 0; i < sizeof COMPARISONS / sizeof *COMPARISONS; i++) {
        char changes[256];
        snprintf(changes, sizeof changes, "{\"where\": %s}", COMPARISONS[i].condition);
        struct plan *plan = plans_good(changes);
        const struct where *where = plan->where;
        const char *other = COMPARISONS[i].other;
        cr_assert_eq(where->kind, WHERE_COMPARE);
        cr_expect_eq(where->field, schema_find(&plan->schema, COMPARISONS[i].field));
        cr_expect_eq(where->op, COMPARISONS[i].op, "%s", changes);
        cr_expect_eq(where->other_field, other ? schema_find(&plan->schema, other) : -1);
        if (!other)
            cr_expect_eq(where->literal[0].i64, COMPARISONS[i].i64, "%s", changes);
        plan_free(plan);
    }
}

Test(plan, a_declared_name_is_a_field_unless_it_is_a_literal)
{
    struct plan *plan = plans_good("{\"where\": [\"origin\", \"=\", {\"literal\": \"origin\"}]}");
    cr_expect_eq(plan->where->other_field, -1);
    cr_expect(bytes_equal(plan->where->literal->str, bytes_of("origin")));
    plan_free(plan);
    plan = plans_good("{\"where\": [\"origin\", \"in\", [\"origin\", \"destination\"]]}");
    cr_assert_eq(plan->where->literals, 2, "a list holds constants only");
    cr_expect(bytes_equal(plan->where->literal[1].str, bytes_of("destination")));
    plan_free(plan);
}

Test(plan, conditions_nest)
{
    struct plan *plan = plans_good(
        "{\"where\": {\"and\": [[\"origin\", \"prefix\", \"O\"], {\"or\": [[\"share\", \">\", 1], "
        "[\"share\", \"<\", -0.5]]}, {\"not\": [\"ok\", \"=\", true]}]}}");
    const struct where *where = plan->where;
    cr_assert(where->kind == WHERE_AND && where->children == 3);
    cr_expect_eq(where->child[0].op, OP_PREFIX);
    cr_assert(where->child[1].kind == WHERE_OR && where->child[1].children == 2);
    cr_expect_eq(where->child[1].child[0].literal->f64, 1.0);
    cr_expect_eq(where->child[1].child[1].literal->f64, -0.5);
    cr_assert(where->child[2].kind == WHERE_NOT && where->child[2].children == 1);
    cr_expect_eq(where->child[2].child->literal->i64, 1);
    plan_free(plan);
}

/* ---- identity ---- */

Test(plan, the_order_of_members_changes_nothing)
{
    static const char OTHER[] =
        "{ \"values\": {\"a\": {\"max\": \"y\"}, \"b\": \"count\"}, \"window\": \"none\","
        "\"source\": {\"fields\": {\"y\": \"int\", \"x\": \"int\"}, \"time\": {\"format\": \"s\", "
        "\"field\": \"t\"}}, \"view\": \"v\" }";
    static const char ONE[] =
        "{\"view\": \"v\", \"source\": {\"time\": {\"field\": \"t\", \"format\": \"s\"}, "
        "\"fields\": {\"x\": \"int\", \"y\": \"int\"}}, \"window\": \"none\", \"values\": {\"b\": "
        "\"count\", \"a\": {\"max\": \"y\"}}}";
    struct plan *a = parse_good(ONE), *b = parse_good(OTHER);
    cr_expect_str_eq(a->json, b->json);
    cr_expect_str_eq(a->hash, b->hash);
    cr_expect_eq(strlen(a->hash), 32);
    cr_expect(strcmp(a->values[0].name, b->values[0].name) == 0 &&
              a->values[0].field == b->values[0].field && a->values[1].slot == b->values[1].slot);
    plan_free(a);
    plan_free(b);
}

Test(plan, numbers_stand_in_the_stored_json_as_they_were_meant)
{
    struct plan *plan = plans_good("{\"where\": {\"or\": [[\"price\", \"in\", [0.1, 5, 1e2, -2.50, "
                                   "\"0.30\"]], [\"share\", \"<\", "
                                   "1e-7], [\"share\", \"<\", 0.30000000000000004], [\"origin\", "
                                   "\"=\", \"\\u00e4\\n\\\"\"]]}}");
    cr_expect(
        strstr(plan->json,
               "\"where\":{\"or\":[[\"price\",\"in\",[0.1,5,100,-2.5,\"0.30\"]],[\"share\",\"<\","
               "1e-07],"
               "[\"share\",\"<\",0.30000000000000004],[\"origin\",\"=\",\"ä\\u000a\\\"\"]]},"),
        "%s", plan->json);
    struct plan *again = parse_good(plan->json);
    cr_expect_str_eq(plan->json, again->json);
    cr_expect_eq(again->where->child[0].literal[0].i64, 10);
    cr_expect_eq(again->where->child[0].literal[2].i64, 10000);
    cr_expect_eq(again->where->child[1].literal->f64, 1e-7);
    plan_free(plan);
    plan_free(again);
}

Test(plan, the_stored_json_makes_the_same_plan_again)
{
    struct plan *first = parse_good(FULL_PLAN);
    struct plan *again = parse_good(first->json);
    cr_expect_str_eq(first->json, again->json);
    cr_expect_str_eq(first->hash, again->hash);
    for (int i = 0; i < first->schema.count; i++) {
        const struct field *a = &first->schema.fields[i], *b = &again->schema.fields[i];
        cr_expect_str_eq(a->name, b->name);
        cr_expect(a->type == b->type && a->default_int == b->default_int && a->paths == b->paths);
    }
    plan_free(first);
    plan_free(again);
}

static struct plan *load_full(const char *directory, struct buf *mistakes)
{
    char path[256];
    struct plan *plan;
    struct err err = {0};
    plans_write(directory, "plan.json", FULL_PLAN);
    snprintf(path, sizeof path, "%s/plan.json", directory);
    cr_expect_eq(plan_load(path, &plan, mistakes, &err), plan ? 0 : ERR_USAGE);
    cr_expect_eq(plan == NULL,
                 strstr(err.text, "plan.json: 1 mistake, the first: $.lookup") != NULL, "%s",
                 err.text);
    return plan;
}

Test(plan, the_bytes_of_the_table_are_part_of_the_hash)
{
    char *directory = plans_directory(), table[256];
    struct buf mistakes = {0};
    struct plan *stored = parse_good(FULL_PLAN), *one = load_full(directory, &mistakes);
    cr_assert(one);
    snprintf(table, sizeof table, "%s/campaigns.jsonl", directory);
    cr_expect_str_eq(one->table, table);
    cr_expect_str_eq(one->directory, directory);
    plans_write(directory, "campaigns.jsonl", "{\"ad_id\":\"a\",\"campaign_id\":\"d\"}\n");
    struct plan *two = load_full(directory, &mistakes);
    cr_assert(two);
    cr_expect_str_eq(one->json, two->json);
    cr_expect_str_neq(one->hash, two->hash);
    cr_expect_str_neq(one->hash, stored->hash, "a stored plan's hash covers no table");
    (void)remove(table);
    cr_expect_null(load_full(directory, &mistakes));
    cr_expect(strstr(mistakes.ptr,
                     "$.lookup.table: found \"campaigns.jsonl\", expected a file that "
                     "can be read, but "));
    cr_assert_eq(mkdir(table, 0700), 0);
    buf_clear(&mistakes);
    cr_expect_null(load_full(directory, &mistakes));
    cr_expect(strstr(mistakes.ptr, ": not a file\n"), "%s", mistakes.ptr);
    (void)remove(table);
    plan_free(one);
    plan_free(two);
    plan_free(stored);
    buf_release(&mistakes);
    plans_remove(directory);
}

/* ---- the plans that we ship ---- */

static char *read_text(const char *path)
{
    struct buf text = {0};
    FILE *file = fopen(path, "rb");
    cr_assert(file, "%s", path);
    buf_reserve(&text, 1 << 16);
    text.len = fread(text.ptr, 1, 1 << 16, file);
    text.ptr[text.len] = 0;
    (void)fclose(file);
    return text.ptr;
}

Test(plan, our_own_plans_are_good)
{
    static const struct {
        const char *path, *view;
        int64_t size_ms, lateness_ms;
    } PLANS[] = {{"workloads/plans/flights.json", "flight_delays", 3600000, 1800000},
                 {"workloads/plans/flights-48h.json", "flight_delays", 3600000, 172800000},
                 {"workloads/plans/ads.json", "ad_views", 10000, 0}};
    for (size_t i = 0; i < sizeof PLANS / sizeof *PLANS; i++) {
        char *text = read_text(PLANS[i].path);
        struct plan *plan = parse_good(text);
        cr_expect_str_eq(plan->view, PLANS[i].view);
        cr_expect_eq(plan->size_ms, PLANS[i].size_ms);
        cr_expect_eq(plan->allowed_lateness_ms, PLANS[i].lateness_ms);
        plan_free(plan);
        free(text);
    }
}

Test(plan, the_example_of_the_docs_is_good)
{
    char *text = read_text("docs/plan.md");
    char *begin = strstr(text, "```json\n");
    cr_assert(begin);
    char *end = strstr(begin + 8, "```");
    cr_assert(end);
    *end = 0;
    plan_free(parse_good(begin + 8));
    free(text);
}

/* ---- files and bytes that are no plans ---- */

Test(plan, a_file_that_cannot_be_read_is_said_and_leaves_no_plan)
{
    char *directory = plans_directory(), path[256];
    struct buf mistakes = {0};
    struct plan *plan = (struct plan *)directory;
    struct err err = {0};
    snprintf(path, sizeof path, "%s/plan.json", directory);
    cr_expect_eq(plan_load(path, &plan, &mistakes, &err), ERR_USAGE);
    cr_expect(strstr(err.text, "cannot read the plan ") && strstr(err.text, "No such file"));
    cr_expect_null(plan);
    err_clear(&err);
    cr_expect_eq(plan_load(directory, &plan, &mistakes, &err), ERR_USAGE);
    cr_expect(strstr(err.text, "Is a directory"), "%s", err.text);
    struct buf big = {0};
    for (int i = 0; i < 1 << 20; i++)
        buf_add_char(&big, ' ');
    buf_add_text(&big, "{}");
    plans_write(directory, "big.json", big.ptr);
    snprintf(path, sizeof path, "%s/big.json", directory);
    err_clear(&err);
    cr_expect_eq(plan_load(path, &plan, &mistakes, &err), ERR_USAGE);
    cr_expect(strstr(err.text, "more than 1048576 bytes"), "%s", err.text);
    cr_expect_eq(mistakes.len, 0);
    buf_release(&big);
    buf_release(&mistakes);
    plans_remove(directory);
}

Test(plan, mistakes_as_json_have_path_found_expected_and_suggestion)
{
    char *directory = plans_directory(), path[256];
    struct buf json = {0};
    snprintf(path, sizeof path, "%s/plan.json", directory);
    plans_write(directory, "plan.json", FULL_PLAN);
    cr_expect_eq(plan_check(path, &json, NULL), 0);
    cr_expect_str_eq(json.ptr, "[]\n");
    buf_clear(&json);
    char *text = plans_changed("{\"view\": \"V\", \"key\": [\"orign\"]}");
    plans_write(directory, "plan.json", text);
    cr_expect_eq(plan_check(path, &json, NULL), ERR_USAGE);
    cr_expect_str_eq(
        json.ptr,
        "[{\"path\":\"$.view\",\"found\":\"\\\"V\\\"\",\"expected\":\"a name [a-z][a-z0-9_]* such "
        "as "
        "flight_delays\",\"suggestion\":null},{\"path\":\"$.key[0]\",\"found\":\"\\\"orign\\\"\","
        "\"expected\":\"a declared field\",\"suggestion\":\"origin\"}]\n");
    free(text);
    buf_release(&json);
    plans_remove(directory);
}

Test(plan, every_truncation_is_refused)
{
    for (size_t n = 0; n < strlen(FULL_PLAN); n++) {
        struct buf mistakes = {0};
        struct plan *plan;
        char *exact = mem_alloc(n + 1); /* a read beyond the end shows under a sanitizer */
        memcpy(exact, FULL_PLAN, n);
        struct bytes cut = {exact, n};
        cr_expect_eq(plan_parse(cut, NULL, false, &plan, &mistakes, NULL), ERR_USAGE);
        cr_expect_null(plan);
        cr_expect_gt(mistakes.len, 0);
        buf_release(&mistakes);
        free(exact);
    }
}

Test(plan, changed_bytes_make_a_plan_or_mistakes_and_never_both)
{
    const uint64_t seed = 20010101;
    const size_t bytes = strlen(FULL_PLAN);
    struct rng rng;
    rng_init(&rng, seed);
    for (int round = 0; round < 4000; round++) {
        char *text = mem_copy_string(FULL_PLAN);
        struct buf mistakes = {0};
        struct plan *plan;
        for (int i = 0; i < 3; i++) {
            size_t from = rng_below(&rng, bytes), to = rng_below(&rng, bytes);
            text[to] = FULL_PLAN[from];
        }
        int code = plan_parse((struct bytes){text, bytes}, NULL, false, &plan, &mistakes, NULL);
        cr_assert_eq(code == 0, plan != NULL, "seed %llu round %d", (unsigned long long)seed,
                     round);
        cr_assert_eq(code == 0, mistakes.len == 0, "seed %llu round %d\n%s",
                     (unsigned long long)seed, round, text);
        if (plan) {
            struct buf words = {0};
            plan_explain(plan, &words);
            buf_release(&words);
        }
        plan_free(plan);
        buf_release(&mistakes);
        free(text);
    }
}

/* ---- the speed layer's own plan ---- */

static const char CHEAP[] =
    "{\"source\": {\"time\": {\"field\": \"at\", \"format\": \"ms\"}, \"out_of_order\": \"1m\","
    "  \"fields\": {\"delay\": {\"type\": \"int\", \"optional\": true}, \"price\": \"decimal:2\","
    "   \"origin\": \"string\", \"id\": \"int\"}},"
    " \"dedupe\": {\"by\": \"id\", \"horizon\": \"9m\"}, \"dedupe_scope\": \"partition\","
    " \"values\": {\"n\": \"count\", \"s\": {\"sum\": \"delay\"}, \"p\": {\"max\": \"price\"}},"
    " \"speed\": {\"source\": {\"out_of_order\": \"0s\", \"max_ahead\": \"1h\","
    "   \"time\": {\"shift\": \"-1h\"},"
    "   \"fields\": {\"delay\": {\"default\": 7}, \"price\": {\"round\": \"0.50\"}}},"
    "  \"where\": [\"delay\", \"<=\", 3], \"dedupe\": \"off\", \"allowed_lateness\": \"1m\","
    "  \"values\": {\"n\": {\"sum\": \"delay\"}, \"p\": null},"
    "  \"delivery\": \"at-most-once\", \"state\": \"memory\"}}";

Test(plan, speed_is_the_plan_with_the_overrides_laid_over_it)
{
    struct plan *plan = plans_good(CHEAP);
    const struct plan *speed = plan->speed;
    cr_assert(speed);
    cr_expect_eq(plan_of_speed(plan), speed);
    cr_expect_str_eq(speed->hash, plan->hash);
    cr_expect_str_eq(speed->json, plan->json);
    cr_expect_str_eq(speed->view, "v");
    cr_expect(plan->out_of_order_ms == 60000 && speed->out_of_order_ms == 0);
    cr_expect(plan->max_ahead_ms == PLAN_UNLIMITED && speed->max_ahead_ms == 3600000);
    cr_expect(plan->schema.fields[0].shift_ms == 0 && speed->schema.fields[0].shift_ms == -3600000);
    int delay = schema_find(&plan->schema, "delay"), price = schema_find(&plan->schema, "price");
    cr_expect(speed->schema.fields[delay].has_default && !speed->schema.fields[delay].optional);
    cr_expect(plan->schema.fields[delay].optional && !plan->schema.fields[delay].has_default);
    cr_expect_eq(speed->schema.fields[delay].default_int, 7);
    cr_expect_eq(speed->schema.fields[price].step, 50);
    cr_expect(!plan->where && speed->where && speed->where->op == OP_LE);
    cr_expect(plan->dedupe_by >= 0 && speed->dedupe_by == -1 && !speed->dedupe_partition);
    cr_expect_eq(speed->allowed_lateness_ms, 60000);
    cr_expect_eq(speed->slots, plan->slots);
    cr_expect_eq(speed->values[0].kind, AGG_SUM); /* n */
    cr_expect_null(speed->values[0].where);
    cr_expect_str_eq(speed->values[1].name, "p");
    cr_expect(speed->values[1].where && speed->values[1].where->children == 0);
    cr_expect(speed->delivery == DELIVERY_AT_MOST_ONCE && speed->forgets && !plan->forgets);
    cr_expect(plan_is_faulty(plan));
    plan_free(plan);
}

Test(plan, what_the_speed_layer_is_can_be_said)
{
    struct plan *cheap = plans_good(CHEAP), *mirrored = plans_good("{\"speed\": {}}");
    struct buf text = {0};
    plan_say_speed(cheap, &text);
    cr_expect_str_eq(
        text.ptr,
        "cheap: allowed_lateness 1m, dedupe off, delivery at-most-once, source.fields "
        "{\"delay\":{\"default\":7},\"price\":{\"round\":\"0.50\"}}, source.max_ahead 1h, "
        "source.out_of_order 0s, source.time {\"shift\":\"-1h\"}, state memory, values.n "
        "{\"sum\":\"delay\"}, values.p left out, where [\"delay\",\"<=\",3]");
    buf_clear(&text);
    plan_say_speed(mirrored, &text);
    cr_expect_str_eq(text.ptr, "mirrored");
    cr_expect(!mirrored->speed && !plan_is_faulty(mirrored));
    buf_release(&text);
    plan_free(cheap);
    plan_free(mirrored);
}
