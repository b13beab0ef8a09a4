/* tests/common/op/test_lookup.c - tables in both formats, and what is wrong with bad ones. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/op/lookup.h"
#include "tests/common/op/hand.h"

struct table {
    char path[64];
    struct plan plan;
};

/* A file with text, and the plan that joins field on with it and takes "taken". */
static void table_make(struct table *table, const char *suffix, const char *text, int on)
{
    snprintf(table->path, sizeof table->path, "/tmp/lk-lookup-XXXXXX%s", suffix);
    int file = mkstemps(table->path, (int)strlen(suffix));
    cr_assert_geq(file, 0);
    cr_assert_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    table->plan = hand_plan();
    table->plan.table = table->path;
    table->plan.lookup_on = on;
    table->plan.take[0] = "taken";
    table->plan.takes = 1;
}

static const struct {
    const char *suffix, *text;
} GOOD[] = {
    {".jsonl", "{\"word\":\"a\",\"taken\":\"A\",\"n\":1}\n\n"
               "{\"taken\":2.50,\"x\":{},\"word\":\"b\\u0063\",\"n\":-7}\r\n"
               "{\"word\":\"\",\"taken\":null,\"n\":\"30\"}"},
    {".csv", "taken,word,x,n\r\nA,a,1,1\r\n2.50,bc,\"q,\"\"\n\",-7\n\n,\"\",,30"},
};

Test(lookup, joins_texts_and_numbers_as_text_from_both_formats)
{
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        struct table table;
        struct lookup *lookup = NULL;
        struct err err = {0};
        table_make(&table, GOOD[i].suffix, GOOD[i].text, i == 0 ? WORD : N);
        cr_assert_eq(lookup_open(&table.plan, &lookup, &err), 0, "%s", err.text);
        struct columns *columns = hand_columns(4);
        hand_text(columns, WORD, 0, "a");
        hand_int(columns, N, 0, 1);
        hand_text(columns, WORD, 1, "bc");
        hand_int(columns, N, 1, -7);
        hand_text(columns, WORD, 2, "");
        hand_int(columns, N, 2, 30);
        uint16_t sel[] = {0, 1, 2, 3};
        cr_expect_eq(lookup_select(lookup, columns, sel, 4), 3);
        const struct column *taken = &columns->column[TAKEN];
        cr_expect(taken->present[0] && bytes_equal(taken->str[0], bytes_of("A")));
        cr_expect(taken->present[1] && bytes_equal(taken->str[1], bytes_of("2.50")));
        cr_expect_not(taken->present[2]);
        columns_free(columns);
        lookup_close(lookup);
        unlink(table.path);
    }
}

Test(lookup, keeps_or_drops_what_it_does_not_find)
{
    struct table table;
    struct lookup *lookup = NULL;
    table_make(&table, ".jsonl", GOOD[0].text, WORD);
    table.plan.lookup_keep = true;
    cr_assert_eq(lookup_open(&table.plan, &lookup, NULL), 0);
    struct columns *columns = hand_columns(3);
    hand_text(columns, WORD, 0, "nobody");
    hand_text(columns, WORD, 2, "a");
    uint16_t sel[] = {0, 1, 2};
    columns->column[TAKEN].present[0] = columns->column[TAKEN].present[1] = 1;
    cr_expect_eq(lookup_select(lookup, columns, sel, 3), 3);
    cr_expect_not(columns->column[TAKEN].present[0]);
    cr_expect_not(columns->column[TAKEN].present[1]);
    table.plan.lookup_keep = false;
    cr_expect_eq(lookup_select(lookup, columns, sel, 3), 1);
    cr_expect_eq(sel[0], 2);
    columns_free(columns);
    lookup_close(lookup);
    unlink(table.path);
}

Test(lookup, says_file_line_and_what_is_wrong)
{
    static const struct {
        const char *suffix, *text, *line, *what;
    } ROWS[] = {
        {".jsonl", "{\"word\":\"a\",\"taken\":1}\n{\"word\":\"a\",\"taken\":2}", ":2:", "twice"},
        {".jsonl", "{\"word\":\"a\",\"taken\":1}\n\n[1]\n", ":3:", "not a JSON object"},
        {".jsonl", "{\"word\":\"a\"}\n", ":1:", "lacks the column \"taken\""},
        {".jsonl", "{\"word\":null,\"taken\":1}\n", ":1:", "no key"},
        {".jsonl", "{\"word\":\"a\",\"taken\":[1]}\n", ":1:", "an object or a list"},
        {".csv", "", ":1:", "lacks the column \"word\""},
        {".csv", "word,took\n", ":1:", "lacks the column \"taken\""},
        {".csv", "word,taken\na,1\nb\n", ":3:", "as many cells"},
        {".csv", "word,taken\n\"a\n\",1\nb,2\n\"b\",3\n", ":5:", "twice"},
        {".csv", "word,taken\n\"a,1\n", ":2:", "not closed"},
        {".csv", "word,taken\n\"a\"b,1\n", ":2:", "behind a closing quote"},
        {".csv", "word,taken\n,1\n", ":2:", "no key"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct table table;
        struct lookup *lookup = NULL;
        struct err err = {0};
        table_make(&table, ROWS[i].suffix, ROWS[i].text, WORD);
        cr_expect_eq(lookup_open(&table.plan, &lookup, &err), ERR_USAGE, "row %zu", i);
        cr_expect(strstr(err.text, ROWS[i].line) && strstr(err.text, ROWS[i].what), "row %zu: %s",
                  i, err.text);
        unlink(table.path);
    }
}

Test(lookup, names_a_file_that_is_not_there)
{
    struct table table;
    struct lookup *lookup = NULL;
    struct err err = {0};
    table_make(&table, ".csv", "word,taken\n", WORD);
    unlink(table.path);
    cr_expect_eq(lookup_open(&table.plan, &lookup, &err), ERR_USAGE);
    cr_expect(strstr(err.text, table.path) && strstr(err.text, "No such file"), "%s", err.text);
}

Test(lookup, takes_true_and_false_as_words)
{
    struct table table;
    struct lookup *lookup = NULL;
    table_make(&table, ".jsonl", "{\"word\":true,\"taken\":false}", WORD);
    cr_assert_eq(lookup_open(&table.plan, &lookup, NULL), 0);
    struct columns *columns = hand_columns(1);
    uint16_t sel[] = {0};
    hand_text(columns, WORD, 0, "true");
    cr_expect_eq(lookup_select(lookup, columns, sel, 1), 1);
    cr_expect(bytes_equal(columns->column[TAKEN].str[0], bytes_of("false")));
    columns_free(columns);
    lookup_close(lookup);
    unlink(table.path);
}
