/* common/base/settings.h - one table for flag, LK_* variable, file and default, in that order.
 *
 * The table (cmd/settings_table.c) also makes --help and docs/settings.md, so they cannot differ from the
 * program. A file is lines of "name = value", '#' begins a comment: --config FILE, or LK_CONFIG.
 * Values are checked when parsed: getters never fail, and asking for a name that the table does not
 * have is a bug (assert). Opaque; read-only after parsing; any thread. */
#ifndef LK_BASE_SETTINGS_H
#define LK_BASE_SETTINGS_H

#include <stdio.h>

#include "common/base/bytes.h"
#include "common/base/err.h"

enum setting_type {
    SETTING_TEXT,
    SETTING_INT,      /* whole number within min .. max */
    SETTING_NUMBER,   /* double within min .. max */
    SETTING_BOOL,     /* flag without a value; yes|no elsewhere */
    SETTING_DURATION, /* 250ms, 10s, 5m ...; got in ms, min .. max in ms */
    SETTING_BYTES,    /* 64MiB, 1GiB, 4096; got in bytes */
    SETTING_CHOICE,   /* one of the words in `choices` */
    SETTING_PAIRS,    /* NAME=VALUE, as often as wanted, by the flag alone: -X for the name X */
};

struct setting {
    const char *name; /* until-end: flag --until-end, variable LK_UNTIL_END, file until-end */
    enum setting_type type;
    const char *fallback; /* text; NULL: unset */
    double min, max;      /* both 0: no bounds */
    const char *choices;  /* "table|json|csv"; pairs: the variable that says the same */
    const char *verbs;    /* the verbs that take it, separated by commas: "kappa run,query" */
    const char *meaning;  /* one line of help: "DIR  where the archive stands" */
};

struct settings;

/* Parse what follows the verb. ERR_USAGE names the flag and, if one is near, the one that was meant. */
int settings_parse(const struct setting *table, const char *verb, int argc, char **argv,
                   struct settings **out, struct err *err);
void settings_free(struct settings *settings);
/* ERR_USAGE naming the first of names (separated by commas) that is unset. */
int settings_require(const struct settings *settings, const char *names, struct err *err);
bool settings_has(const struct settings *settings, const char *name);
const char *settings_text(const struct settings *settings, const char *name); /* NULL: unset */
/* int, duration ms, bytes */
int64_t settings_int(const struct settings *settings, const char *name);
double settings_number(const struct settings *settings, const char *name);
bool settings_bool(const struct settings *settings, const char *name);
/* The i-th pair given, whole; NULL behind the last. Borrowed. */
const char *settings_pair(const struct settings *settings, const char *name, int i);
/* Words that are not flags, in order; borrowed. */
int settings_words(const struct settings *settings, const char *const **words);
/* The help of one verb's flags, and the table of all of them as Markdown. */
void settings_help(const struct setting *table, const char *verb, FILE *out);
void settings_markdown(const struct setting *table, FILE *out);

#endif
