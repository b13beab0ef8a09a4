/* tests/common/base/test_settings.c - flag before variable before file before default, and every
 * mistake in words. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/settings.h"

static const struct setting TABLE[] = {
    {"config", SETTING_TEXT, NULL, 0, 0, NULL, "*", "FILE"},
    {"log", SETTING_TEXT, NULL, 0, 0, NULL, "run,gen ads", "URI  the log"},
    {"until-end", SETTING_BOOL, "no", 0, 0, NULL, "run", "stop at the end"},
    {"commit", SETTING_DURATION, "100ms", 1, 60000, NULL, "run", "DURATION"},
    {"memory", SETTING_BYTES, "128MiB", 1048576, 1e12, NULL, "run", "BYTES"},
    {"seed", SETTING_INT, "1", 0, 0, NULL, "run,gen ads", "N|max  or 1,000"},
    {"rate", SETTING_NUMBER, "0.5", 0, 10, NULL, "run", "X"},
    {"format", SETTING_CHOICE, "table", 0, 0, "table|json|csv", "run", "how"},
    {"X", SETTING_PAIRS, NULL, 0, 0, "LK_PROPERTY", "run", "NAME=VALUE"},
    {"other", SETTING_TEXT, NULL, 0, 0, NULL, "runner", "of a verb whose name only begins alike"},
    {NULL, SETTING_TEXT, NULL, 0, 0, NULL, NULL, NULL},
};

enum { WORDS_MAX = 16 };

/* Parses flags, given as one text with single spaces. */
static int parse(const char *verb, const char *flags, struct settings **out, struct err *err)
{
    static char copy[256];
    char *words[WORDS_MAX];
    int count = 0;
    snprintf(copy, sizeof copy, "%s", flags);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        cr_assert_lt(count, WORDS_MAX);
        words[count++] = word;
    }
    return settings_parse(TABLE, verb, count, words, out, err);
}

static void write_config(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert(file);
    fputs(text, file);
    fclose(file);
}

Test(settings, the_nearest_source_wins)
{
    char path[] = "/tmp/lk_settings_XXXXXX", flags[128];
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
    write_config(path,
                 "# a comment\n\n commit = 3s # three\nmemory=1GiB\nrate = 2\nother = fine\n");
    static const struct {
        const char *variable, *flag;
        int64_t ms;
    } ROWS[] = {{NULL, "", 3000},
                {"2s", "", 2000},
                {"2s", "--commit 1s", 1000},
                {"2s", "--commit=1s", 1000}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct settings *settings = NULL;
        struct err err = {0};
        unsetenv("LK_COMMIT");
        if (ROWS[i].variable)
            setenv("LK_COMMIT", ROWS[i].variable, 1);
        snprintf(flags, sizeof flags, "--config %s %s", path, ROWS[i].flag);
        cr_assert_eq(parse("run", flags, &settings, &err), 0, "%s", err.text);
        cr_expect_eq(settings_int(settings, "commit"), ROWS[i].ms, "row %zu", i);
        cr_expect_eq(settings_int(settings, "memory"), 1073741824);
        cr_expect_eq(settings_number(settings, "rate"), 2);
        cr_expect_str_eq(settings_text(settings, "format"), "table");
        settings_free(settings);
    }
    unlink(path);
}

Test(settings, every_type_is_read)
{
    struct settings *settings = NULL;
    struct err err = {0};
    const char *const *words;
    cr_assert_eq(
        parse("run",
              "one --until-end --seed 18446744073709 --memory 64MiB --rate 0.25 --format csv two",
              &settings, &err),
        0, "%s", err.text);
    cr_expect(settings_bool(settings, "until-end"));
    cr_expect_eq(settings_int(settings, "seed"), 18446744073709);
    cr_expect_eq(settings_int(settings, "memory"), 67108864);
    cr_expect_eq(settings_number(settings, "rate"), 0.25);
    cr_expect_str_eq(settings_text(settings, "format"), "csv");
    cr_expect_not(settings_has(settings, "log"));
    cr_assert_eq(settings_words(settings, &words), 2);
    cr_expect_str_eq(words[0], "one");
    cr_expect_str_eq(words[1], "two");
    settings_free(settings);
}

Test(settings, a_mistake_is_named_with_what_was_expected)
{
    static const struct {
        const char *verb, *flags, *says;
    } ROWS[] = {
        {"run", "--commit 5", "--commit: found \"5\", expected a duration"},
        {"run", "--commit 2h", "--commit: found 2h, expected 1ms to 60000ms"},
        {"run", "--commit", "--commit wants a duration"},
        {"run", "--commt 5s", "no flag --commt (did you mean --commit?)"},
        {"run", "--nothing", "no flag --nothing; see: lk run --help"},
        {"gen ads", "--commit 5s", "lk gen ads has no flag --commit"},
        {"run", "--other x", "lk run has no flag --other"},
        {"run", "--format xml", "expected table|json|csv"},
        {"run", "--format tab", "expected table|json|csv"},
        {"run", "--memory 1MB", "expected a size"},
        {"run", "--memory 4096", "expected 1048576 bytes to 1000000000000 bytes"},
        {"run", "--seed 1.5", "expected a whole number"},
        {"run", "--rate x", "expected a number"},
        {"run", "--rate 11", "expected 0 to 10"},
        {"run", "--until-end=maybe", "expected yes or no"},
        {"run", "--config /nonexistent", "settings file /nonexistent: No such file"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct settings *settings = NULL;
        struct err err = {0};
        cr_expect_eq(parse(ROWS[i].verb, ROWS[i].flags, &settings, &err), ERR_USAGE, "%s",
                     ROWS[i].flags);
        cr_expect(strstr(err.text, ROWS[i].says), "%s: %s", ROWS[i].flags, err.text);
    }
}

Test(settings, a_file_is_named_with_its_line)
{
    static const struct {
        const char *text, *says;
    } ROWS[] = {{"commit = 1s\nno equals\n", ":2: expected name = value"},
                {"\n\nnames = 1\n", ":3: there is no setting called \"names\""},
                {"commit = soon\n", ":1: commit: found \"soon\""}};
    char path[] = "/tmp/lk_settings_XXXXXX", flags[64];
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
    snprintf(flags, sizeof flags, "--config %s", path);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct settings *settings = NULL;
        struct err err = {0};
        write_config(path, ROWS[i].text);
        cr_expect_eq(parse("run", flags, &settings, &err), ERR_USAGE);
        cr_expect(strstr(err.text, ROWS[i].says), "%s", err.text);
    }
    unlink(path);
}

Test(settings, what_is_needed_and_missing_is_named)
{
    struct settings *settings = NULL;
    struct err err = {0};
    cr_assert_eq(parse("run", "--log x", &settings, &err), 0);
    cr_expect_eq(settings_require(settings, "log,commit", &err), 0);
    cr_expect_eq(settings_require(settings, "log,config", &err), ERR_USAGE);
    cr_expect_str_eq(err.text, "lk run needs --config; see: lk run --help");
    settings_free(settings);
}

Test(settings, help_and_the_page_come_from_the_table)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    settings_help(TABLE, "gen ads", out);
    fclose(out);
    cr_expect(strstr(text, "--log") && strstr(text, "--seed"));
    cr_expect_null(strstr(text, "--commit"));
    free(text);
    out = open_memstream(&text, &size);
    settings_markdown(TABLE, out);
    fclose(out);
    cr_expect(strstr(text, "| `--until-end` | `LK_UNTIL_END` | no | run | stop at the end |"), "%s",
              text);
    cr_expect(strstr(text, "| run, gen ads | N\\|max  or 1,000 |"), "a bar must not end a cell: %s",
              text);
    free(text);
}

Test(settings, pairs_come_as_often_as_wanted_in_order)
{
    struct settings *settings = NULL;
    struct err err = {0};
    const char *const *words;
    cr_assert_eq(parse("run", "-X a.b=1 word -Xc= --seed 2 -X d=e=f", &settings, &err), 0, "%s",
                 err.text);
    cr_expect_str_eq(settings_pair(settings, "X", 0), "a.b=1");
    cr_expect_str_eq(settings_pair(settings, "X", 1), "c=");
    cr_expect_str_eq(settings_pair(settings, "X", 2), "d=e=f");
    cr_expect_null(settings_pair(settings, "X", 3));
    cr_expect_eq(settings_words(settings, &words), 1);
    cr_expect_eq(settings_int(settings, "seed"), 2);
    settings_free(settings);
}

static const struct {
    const char *verb, *flags, *words;
} PAIR_MISTAKES[] = {
    {"run", "-X hunter2", "-X: expected NAME=VALUE"},
    {"run", "-X =hunter2", "-X: expected NAME=VALUE"},
    {"run", "--seed 1 -X", "-X wants NAME=VALUE behind it"},
    {"run", "--X a=hunter2", "has no flag --X"},
};

Test(settings, a_pair_that_is_none_is_refused_and_not_repeated)
{
    for (size_t i = 0; i < sizeof PAIR_MISTAKES / sizeof *PAIR_MISTAKES; i++) {
        struct settings *settings = NULL;
        struct err err = {0};
        cr_expect_eq(parse(PAIR_MISTAKES[i].verb, PAIR_MISTAKES[i].flags, &settings, &err),
                     ERR_USAGE);
        cr_expect(strstr(err.text, PAIR_MISTAKES[i].words), "%s", err.text);
        cr_expect_null(strstr(err.text, "hunter2"), "%s", err.text);
    }
}

Test(settings, a_verb_without_pairs_takes_the_flag_for_a_word)
{
    struct settings *settings = NULL;
    struct err err = {0};
    const char *const *words;
    cr_assert_eq(parse("gen ads", "-X a=b -1", &settings, &err), 0, "%s", err.text);
    cr_expect_eq(settings_words(settings, &words), 3);
    settings_free(settings);
}
