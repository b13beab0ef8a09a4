/* tests/common/plan/test_plans.c - the helpers that the tests of plans share. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/common/plan/plans.h"

const char BASE_PLAN[] =
    "{\"view\": \"v\","
    " \"source\": {\"time\": {\"field\": \"at\", \"format\": \"ms\"},"
    "  \"fields\": {\"delay\": \"int\", \"price\": \"decimal:2\", \"share\": \"double\","
    "   \"origin\": \"string\", \"destination\": \"string\", \"ok\": \"bool\"}},"
    " \"key\": [\"origin\"], \"window\": {\"tumbling\": \"1h\"}, \"values\": {\"n\": \"count\"}}";

const char FULL_PLAN[] =
    "{\"view\": \"full_1\","
    " \"source\": {\"time\": {\"field\": \"meta.at\", \"format\": \"%Y-%m-%dT%H:%MZ\"},"
    "  \"fields\": {\"id\": \"string\", \"price\": {\"type\": \"decimal:3\", \"default\": "
    "\"-1.5\"},"
    "   \"delay\": {\"type\": \"int\", \"optional\": true, \"alias\": [\"old.delay\", \"late\"]},"
    "   \"score\": {\"type\": \"double\", \"default\": 2}, \"ok\": {\"type\": \"bool\", "
    "\"default\": "
    "true},"
    "   \"name\": {\"type\": \"string\", \"default\": \"none\"}},"
    "  \"out_of_order\": \"1m\", \"max_ahead\": \"1d\"},"
    " \"lookup\": {\"table\": \"campaigns.jsonl\", \"on\": \"id\", \"take\": [\"c1\", \"c2\"],"
    "  \"missing\": \"keep\"},"
    " \"where\": {\"and\": [[\"price\", \">=\", 0.25], {\"not\": [\"name\", \"in\", "
    "[\"x\", \"y\"]]}]},"
    " \"dedupe\": {\"by\": \"id\", \"horizon\": \"10m\"}, \"dedupe_scope\": \"partition\","
    " \"key\": [\"c2\", \"name\"], \"window\": {\"hopping\": [\"10s\", \"4s\"]},"
    " \"allowed_lateness\": \"1h\", \"keep\": \"2h\","
    " \"values\": {\"z\": \"count\", \"m\": {\"avg\": \"price\", \"where\": [\"c1\", \"=\", "
    "\"x\"]},"
    "  \"a\": {\"min\": \"score\"}, \"b\": {\"sum\": \"delay\"}, \"c\": {\"max\": \"delay\"}}}";

char *plans_changed(const char *changes)
{
    json_error_t error;
    json_t *plan = json_loads(BASE_PLAN, 0, &error);
    json_t *change = json_loads(changes, 0, &error);
    cr_assert(plan && change, "%s in %s", error.text, changes);
    const char *name;
    json_t *value;
    json_object_foreach (change, name, value) {
        if (json_is_null(value))
            json_object_del(plan, name);
        else
            json_object_set(plan, name, value);
    }
    char *text = json_dumps(plan, 0);
    json_decref(plan);
    json_decref(change);
    return text;
}

struct plan *plans_parse(const char *text, struct buf *mistakes)
{
    struct plan *plan;
    struct err err = {0};
    int code = plan_parse(bytes_of(text), "/nowhere", false, &plan, mistakes, &err);
    cr_assert(code == 0 || code == ERR_USAGE);
    cr_assert_eq(code == 0, plan != NULL);
    cr_assert_eq(code, err.code);
    return plan;
}

struct plan *plans_good(const char *changes)
{
    struct buf mistakes = {0};
    char *text = plans_changed(changes);
    struct plan *plan = plans_parse(text, &mistakes);
    cr_assert(plan, "%s\n%s", changes, mistakes.ptr);
    cr_assert_eq(mistakes.len, 0);
    buf_release(&mistakes);
    free(text);
    return plan;
}

void plans_write(const char *directory, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    cr_assert(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

char *plans_directory(void)
{
    char *directory = mem_copy_string("/tmp/lk-plan-XXXXXX");
    cr_assert(mkdtemp(directory));
    plans_write(directory, "campaigns.jsonl", "{\"ad_id\":\"a\",\"campaign_id\":\"c\"}\n");
    return directory;
}

void plans_remove(char *directory)
{
    static const char *const NAMES[] = {"campaigns.jsonl", "plan.json", "big.json"};
    char path[256];
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, NAMES[i]);
        (void)unlink(path);
    }
    cr_assert_eq(rmdir(directory), 0);
    free(directory);
}
