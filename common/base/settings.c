/* common/base/settings.c - see settings.h. */
#include "common/base/settings.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>

#include "common/base/arena.h"

enum { SETTINGS_MAX = 200, WORDS_MAX = 256, PAIRS_MAX = 64 };

struct settings {
    const struct setting *table;
    const char *verb;
    const char *given[SETTINGS_MAX]; /* text, by index in the table; NULL: the fallback */
    const char *words[WORDS_MAX];
    int word_count;
    struct {
        int row;
        const char *text;
    } pairs[PAIRS_MAX];
    int pair_count;
    struct arena arena;
};

/* Is verb one of the comma-separated verbs? "*" is every verb. */
static bool verb_takes(const struct setting *setting, const char *verb)
{
    if (strcmp(setting->verbs, "*") == 0)
        return true;
    size_t len = strlen(verb);
    for (const char *at = setting->verbs; (at = strstr(at, verb)); at += len)
        if ((at == setting->verbs || at[-1] == ',') && (at[len] == 0 || at[len] == ','))
            return true;
    return false;
}

/* The row called name that verb takes (one name may mean different things to different verbs), or
 * any row called name, or -1. */
static int find(const struct setting *table, const char *verb, struct bytes name)
{
    int any = -1;
    for (int i = 0; table[i].name; i++) {
        if (!bytes_equal(name, bytes_of(table[i].name)))
            continue;
        if (verb_takes(&table[i], verb))
            return i;
        any = i;
    }
    return any;
}

/* Edits between two short words, to suggest the flag that was meant. */
static int distance(struct bytes a, struct bytes b)
{
    int row[64];
    if (b.len >= 64)
        return 99;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= a.len; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b.len; j++) {
            int change = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            diagonal = row[j];
            int edit = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < edit ? change : edit;
        }
    }
    return row[b.len];
}

static int unknown_flag(const struct settings *s, struct bytes name, struct err *err)
{
    const char *best = NULL;
    int best_distance = 3;
    for (int i = 0; s->table[i].name; i++) {
        int d = distance(name, bytes_of(s->table[i].name));
        if (s->table[i].name[1] && verb_takes(&s->table[i], s->verb) && d < best_distance) {
            best_distance = d;
            best = s->table[i].name;
        }
    }
    return err_set(err, ERR_USAGE, "lk %s has no flag --%.*s%s%s%s; see: lk %s --help", s->verb,
                   (int)name.len, name.ptr, best ? " (did you mean --" : "", best ? best : "",
                   best ? "?)" : "", s->verb);
}

static bool size_parse(const char *text, double *out)
{
    static const struct {
        const char *unit;
        double bytes;
    } units[] = {{"", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}};
    char *end;
    double number = strtod(text, &end);
    for (size_t i = 0; end > text && i < sizeof units / sizeof *units; i++)
        if (strcmp(end, units[i].unit) == 0) {
            *out = number * units[i].bytes;
            return true;
        }
    return false;
}

static bool choice_parse(const char *choices, const char *text)
{
    size_t len = strlen(text);
    for (const char *at = choices; len && (at = strstr(at, text)); at += len)
        if ((at == choices || at[-1] == '|') && (at[len] == 0 || at[len] == '|'))
            return true;
    return false;
}

/* The value of text as a number, or false where it is not of the setting's type. */
static bool value_parse(const struct setting *setting, const char *text, double *out)
{
    int64_t whole;
    char *end;
    *out = 0;
    switch (setting->type) {
    case SETTING_TEXT:
        return true;
    case SETTING_CHOICE:
        return choice_parse(setting->choices, text);
    case SETTING_BOOL:
        *out = strcmp(text, "yes") == 0;
        return *out != 0 || strcmp(text, "no") == 0;
    case SETTING_DURATION:
        if (!duration_parse(bytes_of(text), &whole))
            return false;
        *out = (double)whole;
        return true;
    case SETTING_INT:
        if (!bytes_to_int64(bytes_of(text), &whole))
            return false;
        *out = (double)whole;
        return true;
    case SETTING_BYTES:
        return size_parse(text, out);
    case SETTING_PAIRS:
        return strcspn(text, "=") > 0 && strchr(text, '=');
    case SETTING_NUMBER:
        *out = strtod(text, &end);
        return end > text && *end == 0;
    }
    return false;
}

static const char *type_words(const struct setting *setting)
{
    static const char *const WORDS[] = {
        [SETTING_TEXT] = "text",
        [SETTING_INT] = "a whole number",
        [SETTING_NUMBER] = "a number",
        [SETTING_BOOL] = "yes or no",
        [SETTING_DURATION] = "a duration such as 250ms, 10s, 5m, 1h, 7d",
        [SETTING_BYTES] = "a size such as 4096, 64MiB, 1GiB",
        [SETTING_PAIRS] = "NAME=VALUE",
    };
    return setting->type == SETTING_CHOICE ? setting->choices : WORDS[setting->type];
}

/* What stands behind a bound, so that 60000ms is not taken for seconds. */
static const char *unit(const struct setting *setting)
{
    return setting->type == SETTING_DURATION ? "ms"
           : setting->type == SETTING_BYTES  ? " bytes"
                                             : "";
}

static int check_value(const struct setting *setting, const char *from, const char *text,
                       struct err *err)
{
    double number;
    bool good = value_parse(setting, text, &number);
    if (!good && setting->type == SETTING_PAIRS) /* what was found may be a secret */
        return err_set(err, ERR_USAGE, "-%s: expected NAME=VALUE", setting->name);
    if (!good)
        return err_set(err, ERR_USAGE, "%s%s: found \"%s\", expected %s", from, setting->name, text,
                       type_words(setting));
    bool bounded = setting->min != 0 || setting->max != 0;
    if (bounded && (number < setting->min || number > setting->max))
        return err_set(err, ERR_USAGE, "%s%s: found %s, expected %.15g%s to %.15g%s", from,
                       setting->name, text, setting->min, unit(setting), setting->max,
                       unit(setting));
    return 0;
}

/* The row of a one-letter flag, "-X" or "-XNAME=VALUE"; -1: word is no flag. */
static int short_flag(const struct settings *s, const char *word)
{
    if (word[0] != '-' || !word[1] || word[1] == '-')
        return -1;
    int k = find(s->table, s->verb, (struct bytes){word + 1, 1});
    return k >= 0 && verb_takes(&s->table[k], s->verb) ? k : -1;
}

static int put_given(struct settings *s, int k, const char *value, struct err *err)
{
    int rc = check_value(&s->table[k], "--", value, err);
    if (rc < 0)
        return rc;
    if (s->table[k].type != SETTING_PAIRS) {
        s->given[k] = value;
        return 0;
    }
    if (s->pair_count == PAIRS_MAX)
        return err_set(err, ERR_USAGE, "-%s is given more than %d times", s->table[k].name,
                       PAIRS_MAX);
    s->pairs[s->pair_count].row = k;
    s->pairs[s->pair_count++].text = value;
    return 0;
}

/* The flag at argv[*i], row k, whose value is value or, NULL, the next word. */
static int parse_flag(struct settings *s, int k, const char *value, int argc, char **argv, int *i,
                      struct err *err)
{
    const struct setting *setting = &s->table[k];
    if (!value && setting->type == SETTING_BOOL)
        value = "yes";
    else if (!value && ++*i < argc)
        value = argv[*i];
    if (!value)
        return err_set(err, ERR_USAGE, "%s%s wants %s behind it", setting->name[1] ? "--" : "-",
                       setting->name, type_words(setting));
    return put_given(s, k, value, err);
}

static int parse_word(struct settings *s, int argc, char **argv, int *i, struct err *err)
{
    const char *word = argv[*i];
    int k = short_flag(s, word);
    if (k >= 0)
        return parse_flag(s, k, word[2] ? word + 2 : NULL, argc, argv, i, err);
    if (strncmp(word, "--", 2) != 0 || word[2] == 0) {
        if (s->word_count == WORDS_MAX)
            return err_set(err, ERR_USAGE, "too many words");
        s->words[s->word_count++] = word;
        return 0;
    }
    const char *equals = strchr(word, '=');
    struct bytes name = {word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2)};
    k = name.len > 1 ? find(s->table, s->verb, name) : -1;
    if (k < 0 || !verb_takes(&s->table[k], s->verb))
        return unknown_flag(s, name, err);
    return parse_flag(s, k, equals ? equals + 1 : NULL, argc, argv, i, err);
}

static int parse_flags(struct settings *s, int argc, char **argv, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < argc; i++)
        rc = parse_word(s, argc, argv, &i, err);
    return rc;
}

static int parse_environment(struct settings *s, struct err *err)
{
    for (int k = 0; s->table[k].name; k++) {
        char name[80] = "LK_";
        size_t n = 3;
        for (const char *c = s->table[k].name; *c && n < sizeof name - 1; c++)
            name[n++] = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
        name[n] = 0;
        const char *value = getenv(name);
        if (!value || s->given[k] || !verb_takes(&s->table[k], s->verb) ||
            s->table[k].type == SETTING_PAIRS)
            continue;
        int rc = check_value(&s->table[k], "environment LK_*, ", value, err);
        if (rc < 0)
            return rc;
        s->given[k] = value;
    }
    return 0;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    for (char *end = text + strlen(text); end > text && isspace((unsigned char)end[-1]);)
        *--end = 0;
    return text;
}

static int parse_line(struct settings *s, const char *path, int line, char *text, struct err *err)
{
    text[strcspn(text, "#")] = 0;
    char *name = trim(text);
    if (!*name)
        return 0;
    char *equals = strchr(name, '=');
    if (!equals)
        return err_set(err, ERR_USAGE, "%s:%d: expected name = value", path, line);
    *equals = 0;
    name = trim(name);
    char *value = trim(equals + 1);
    int k = find(s->table, s->verb, bytes_of(name));
    if (k < 0 || s->table[k].type == SETTING_PAIRS)
        return err_set(err, ERR_USAGE, "%s:%d: there is no setting called \"%s\"", path, line,
                       name);
    if (s->given[k] || !verb_takes(&s->table[k], s->verb))
        return 0;
    s->given[k] = arena_string(&s->arena, value);
    int rc = check_value(&s->table[k], "", value, err);
    if (rc < 0)
        err_context(err, "%s:%d", path, line);
    return rc;
}

static int parse_file(struct settings *s, const char *path, struct err *err)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return err_errno(err, ERR_USAGE, "settings file %s", path);
    char *text = NULL;
    size_t size = 0;
    int rc = 0;
    for (int line = 1; rc == 0 && getline(&text, &size, file) >= 0; line++)
        rc = parse_line(s, path, line, text, err);
    free(text);
    fclose(file);
    return rc;
}

int settings_parse(const struct setting *table, const char *verb, int argc, char **argv,
                   struct settings **out, struct err *err)
{
    struct settings *s = mem_zero(1, sizeof *s);
    s->table = table;
    s->verb = verb;
    int rc = parse_flags(s, argc, argv, err);
    if (rc == 0)
        rc = parse_environment(s, err);
    if (rc == 0 && find(table, verb, bytes_of("config")) >= 0 && settings_text(s, "config"))
        rc = parse_file(s, settings_text(s, "config"), err);
    if (rc < 0)
        settings_free(s);
    else
        *out = s;
    return rc;
}

void settings_free(struct settings *settings)
{
    if (!settings)
        return;
    arena_release(&settings->arena);
    free(settings);
}

const char *settings_text(const struct settings *settings, const char *name)
{
    int k = find(settings->table, settings->verb, bytes_of(name));
    assert(k >= 0 && k < SETTINGS_MAX);
    return settings->given[k] ? settings->given[k] : settings->table[k].fallback;
}

bool settings_has(const struct settings *settings, const char *name)
{
    return settings_text(settings, name) != NULL;
}

double settings_number(const struct settings *settings, const char *name)
{
    const char *text = settings_text(settings, name);
    double number = 0;
    if (text)
        value_parse(&settings->table[find(settings->table, settings->verb, bytes_of(name))], text,
                    &number);
    return number;
}

int64_t settings_int(const struct settings *settings, const char *name)
{
    const char *text = settings_text(settings, name);
    int64_t whole;
    if (text && bytes_to_int64(bytes_of(text), &whole))
        return whole; /* seeds use all 64 bits: not by way of a double */
    return (int64_t)settings_number(settings, name);
}

bool settings_bool(const struct settings *settings, const char *name)
{
    return settings_number(settings, name) != 0;
}

const char *settings_pair(const struct settings *settings, const char *name, int i)
{
    int k = find(settings->table, settings->verb, bytes_of(name));
    assert(k >= 0 && settings->table[k].type == SETTING_PAIRS);
    for (int at = 0; at < settings->pair_count; at++)
        if (settings->pairs[at].row == k && i-- == 0)
            return settings->pairs[at].text;
    return NULL;
}

int settings_words(const struct settings *settings, const char *const **words)
{
    *words = settings->words;
    return settings->word_count;
}

int settings_require(const struct settings *settings, const char *names, struct err *err)
{
    char *copy = mem_copy_string(names);
    char *rest = copy;
    int rc = 0;
    for (char *name; rc == 0 && (name = strsep(&rest, ","));)
        if (!settings_has(settings, name))
            rc = err_set(err, ERR_USAGE, "lk %s needs --%s; see: lk %s --help", settings->verb,
                         name, settings->verb);
    free(copy);
    return rc;
}

void settings_help(const struct setting *table, const char *verb, FILE *out)
{
    for (int k = 0; table[k].name; k++) {
        if (!verb_takes(&table[k], verb))
            continue;
        bool pairs = table[k].type == SETTING_PAIRS;
        fprintf(out, "  %s%-*s %s", pairs ? "-" : "--", pairs ? 21 : 20, table[k].name,
                table[k].meaning);
        if (table[k].choices)
            fprintf(out, " (%s)", table[k].choices);
        if (table[k].fallback)
            fprintf(out, " [%s]", table[k].fallback);
        fputc('\n', out);
    }
}

/* text with another text in place of one character. */
static void put_with(const char *text, char c, const char *instead, FILE *out)
{
    for (; *text; text++)
        if (*text == c)
            fputs(instead, out);
        else
            fputc(*text, out);
}

void settings_markdown(const struct setting *table, FILE *out)
{
    fputs("| flag | variable | default | verbs | meaning |\n|---|---|---|---|---|\n", out);
    for (int k = 0; table[k].name; k++) {
        bool pairs = table[k].type == SETTING_PAIRS;
        fprintf(out, "| `%s%s` | `%s", pairs ? "-" : "--", table[k].name,
                pairs ? table[k].choices : "LK_");
        for (const char *c = pairs ? "" : table[k].name; *c; c++)
            fputc(*c == '-' ? '_' : toupper((unsigned char)*c), out);
        fprintf(out, "` | %s | ", table[k].fallback ? table[k].fallback : "");
        put_with(strcmp(table[k].verbs, "*") == 0 ? "all" : table[k].verbs, ',', ", ", out);
        fputs(" | ", out);
        put_with(table[k].meaning, '|', "\\|", out);
        fputs(" |\n", out);
    }
}
