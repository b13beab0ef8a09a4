/* bench/schedule.c - see schedule.h. A file is read in one walk that never stops at a mistake; what a member
 * may hold stands in a table, and what fits to what is looked at once all members are known. */
#include "bench/schedule.h"

#include <fnmatch.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"

enum { FOR_MAX_MS = 3600000 };

enum whom { ANYBODY, REDIS_ALONE, NOT_THE_BROKER };

static const struct kind {
    const char *name, *said; /* in files; in reports */
    bool needs_for, takes_for;
    enum whom whom;
} KINDS[FAULT_KINDS] = {
    [FAULT_KILL] = {"kill", "kill", false, true, ANYBODY},
    [FAULT_RESTART] = {"restart", "restart", false, true, ANYBODY},
    [FAULT_STOP] = {"stop", "stop", true, true, ANYBODY},
    [FAULT_DISCONNECT] = {"disconnect", "cut off", false, true, REDIS_ALONE},
    [FAULT_FULL] = {"full", "disk full", true, true, NOT_THE_BROKER},
    [FAULT_COMMAND] = {"command", "command", false, false, ANYBODY},
};

static bool can_strike(enum whom whom, const char *name)
{
    if (whom == REDIS_ALONE)
        return fnmatch("*.redis", name, 0) == 0;
    return whom == ANYBODY || strcmp(name, "broker") != 0;
}

const char *fault_kind_said(enum fault_kind kind)
{
    return KINDS[kind].said;
}

/* One text under way: what is read, and where we are. */
struct reading {
    struct schedule *schedule;
    struct buf *mistakes;
    const char *source; /* name of the file or built-in */
    const char *const *names;
    size_t entry;
    int count;                              /* of mistakes */
    bool has_at, has_kind, has_to, has_for; /* of the entry: read and right */
};

static void mistake(struct reading *reading, const char *member, const json_t *found,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
static void mistake(struct reading *reading, const char *member, const json_t *found,
                    const char *format, ...)
{
    char *text = found ? json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    char expected[600];
    va_list args;
    va_start(args, format);
    vsnprintf(expected, sizeof expected, format, args);
    va_end(args);
    buf_printf(reading->mistakes, "%s: $[%zu]%s%s: found %.80s, expected %s\n", reading->source,
               reading->entry, *member ? "." : "", member, text ? text : "nothing", expected);
    free(text);
    reading->count++;
}

/* ---- members ---- */

static void add_names(struct buf *out, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        buf_printf(out, "%s%s", i ? ", " : "", names[i]);
}

/* "120000" or "25%": a number, not negative. */
static bool read_point(const char *text, size_t len, bool *share, double *out)
{
    char copy[32], *end;
    if (len == 0 || len >= sizeof copy || strspn(text, "0123456789.%") < len)
        return false;
    memcpy(copy, text, len);
    copy[len] = 0;
    *share = copy[len - 1] == '%';
    if (*share)
        copy[len - 1] = 0;
    *out = strtod(copy, &end);
    bool whole = *share || *out == floor(*out);
    return end != copy && *end == 0 && whole && (!*share || *out <= 100);
}

/* "A" or "A..B", both of one sort. */
static bool read_range(const char *text, struct fault *fault)
{
    const char *dots = strstr(text, "..");
    size_t len = dots ? (size_t)(dots - text) : strlen(text);
    bool last_share;
    if (!read_point(text, len, &fault->share, &fault->first))
        return false;
    fault->last = fault->first;
    if (!dots)
        return true;
    return read_point(dots + 2, strlen(dots + 2), &last_share, &fault->last) &&
           last_share == fault->share && fault->last >= fault->first;
}

static void read_at(struct reading *reading, struct fault *fault, const json_t *value)
{
    char number[32] = "";
    if (json_is_integer(value))
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    const char *text = json_is_string(value) ? json_string_value(value) : number;
    reading->has_at = read_range(text, fault);
    if (!reading->has_at)
        mistake(
            reading, "at", value,
            "an event number such as 120000, a share of all events such as \"40%%\", or a range "
            "such as \"25%%..60%%\" in which the seed decides");
}

static void read_do(struct reading *reading, struct fault *fault, const json_t *value)
{
    const char *name = json_string_value(value);
    for (int i = 0; name && i < FAULT_KINDS; i++)
        if (strcmp(name, KINDS[i].name) == 0) {
            fault->kind = (enum fault_kind)i;
            reading->has_kind = true;
            return;
        }
    mistake(reading, "do", value, "kill, restart, stop, disconnect, full or command");
}

static void read_pattern(struct reading *reading, struct fault *fault, const json_t *value)
{
    const char *pattern = json_string_value(value);
    struct fault alone = {.patterns = {pattern}, .pattern_count = 1};
    const char *const *name = reading->names;
    while (pattern && *name && !fault_means(&alone, *name))
        name++;
    if (!pattern || !*name) {
        struct buf list = {0};
        bool broker = pattern && strcmp(pattern, "broker") == 0;
        add_names(&list, reading->names);
        mistake(reading, "to", value, "%s, or with * for any text%s", list.ptr,
                broker ? " (an embedded log has no broker; that takes --log kafka:HOST:PORT)" : "");
        buf_release(&list);
        return;
    }
    if (fault->pattern_count == FAULT_PATTERNS_MAX)
        mistake(reading, "to", value, "at most %d names", FAULT_PATTERNS_MAX);
    else
        fault->patterns[fault->pattern_count++] = arena_string(&reading->schedule->arena, pattern);
}

static void read_to(struct reading *reading, struct fault *fault, const json_t *value)
{
    int before = reading->count;
    size_t i;
    const json_t *item;
    if (json_is_array(value) && json_array_size(value) > 0)
        json_array_foreach (value, i, item)
            read_pattern(reading, fault, item);
    else
        read_pattern(reading, fault, value);
    reading->has_to = reading->count == before;
}

static void read_for(struct reading *reading, struct fault *fault, const json_t *value)
{
    const char *text = json_string_value(value);
    if (!text || !duration_parse(bytes_of(text), &fault->for_ms) || fault->for_ms < 1 ||
        fault->for_ms > FOR_MAX_MS)
        mistake(reading, "for", value, "a duration from 1ms to 1h such as 1500ms or 2s");
    reading->has_for = true;
}

static void read_appendfsync(struct reading *reading, struct fault *fault, const json_t *value)
{
    const char *text = json_string_value(value);
    if (!text || (strcmp(text, "always") != 0 && strcmp(text, "everysec") != 0))
        mistake(reading, "appendfsync", value, "always or everysec");
    else
        fault->appendfsync = arena_string(&reading->schedule->arena, text);
}

static void read_while(struct reading *reading, struct fault *fault, const json_t *value)
{
    const char *text = json_string_value(value);
    fault->busy = text && strcmp(text, "busy") == 0;
    if (!fault->busy)
        mistake(reading, "while", value, "busy: it strikes once one of them is at work");
}

static void read_command(struct reading *reading, struct fault *fault, const json_t *value)
{
    const char *text = json_string_value(value);
    if (!text || !*text)
        mistake(reading, "command", value,
                "a command for the shell, such as \"docker restart kafka\"");
    else
        fault->command = arena_string(&reading->schedule->arena, text);
}

static const struct member {
    const char *name;
    void (*read)(struct reading *reading, struct fault *fault, const json_t *value);
} MEMBERS[] = {{"at", read_at},          {"do", read_do},       {"to", read_to},
               {"for", read_for},        {"while", read_while}, {"appendfsync", read_appendfsync},
               {"command", read_command}};
enum { MEMBER_COUNT = sizeof MEMBERS / sizeof *MEMBERS };

/* ---- entries ---- */

/* The names that a fault means and that are none of whom. */
static const char *stranger(const struct reading *reading, const struct fault *fault,
                            enum whom whom)
{
    for (const char *const *name = reading->names; *name; name++)
        if (fault_means(fault, *name) && !can_strike(whom, *name))
            return *name;
    return NULL;
}

static void check_whom(struct reading *reading, const struct fault *fault, const json_t *entry)
{
    static const char *const EXPECTED[] = {
        [ANYBODY] = "",
        [REDIS_ALONE] = "a Redis, where connections can be cut",
        [NOT_THE_BROKER] = "a process of this run, the broker's disk not being ours to fill",
    };
    enum whom whom = KINDS[fault->kind].whom;
    const char *other = stranger(reading, fault, whom);
    if (other)
        mistake(reading, "to", json_object_get(entry, "to"), "%s; this means %s, too",
                EXPECTED[whom], other);
    if (fault->appendfsync && stranger(reading, fault, REDIS_ALONE))
        mistake(reading, "appendfsync", json_object_get(entry, "appendfsync"),
                "nothing where \"to\" means another than a Redis");
}

/* What fits to what. */
static void check_entry(struct reading *reading, const struct fault *fault, const json_t *entry)
{
    static const char *const NEEDED[] = {"at", "do", "to"};
    for (size_t i = 0; i < sizeof NEEDED / sizeof *NEEDED; i++)
        if (!json_object_get(entry, NEEDED[i]))
            mistake(reading, NEEDED[i], NULL, "one: each fault says at, do and to");
    if (!reading->has_kind)
        return;
    const struct kind *kind = &KINDS[fault->kind];
    if (reading->has_to)
        check_whom(reading, fault, entry);
    if (kind->needs_for && !reading->has_for)
        mistake(reading, "for", NULL, "a duration such as 2s: how long \"%s\" lasts", kind->name);
    if (!kind->takes_for && reading->has_for)
        mistake(reading, "for", json_object_get(entry, "for"),
                "nothing: a command lasts as long as it runs");
    if (fault->busy && reading->has_to && stranger(reading, fault, NOT_THE_BROKER))
        mistake(reading, "while", json_object_get(entry, "while"),
                "nothing where \"to\" means the broker, whose work is not seen");
    bool command = json_object_get(entry, "command");
    if (command != (fault->kind == FAULT_COMMAND))
        mistake(reading, "command", json_object_get(entry, "command"), "%s",
                command ? "nothing: it belongs to \"do\": \"command\""
                        : "a command for the shell, such as \"docker restart kafka\"");
}

static void read_entry(struct reading *reading, const json_t *entry)
{
    struct schedule *schedule = reading->schedule;
    struct fault fault = {0};
    char where[600];
    const char *name;
    const json_t *value;
    snprintf(where, sizeof where, "%s: $[%zu]", reading->source, reading->entry);
    fault.where = arena_string(&schedule->arena, where);
    reading->has_at = reading->has_kind = reading->has_to = reading->has_for = false;
    if (!json_is_object(entry)) {
        mistake(reading, "", entry,
                "an object such as {\"at\": \"40%%\", \"do\": \"kill\", \"to\": "
                "\"kappa.run\"}");
        return;
    }
    json_object_foreach ((json_t *)entry, name, value) {
        int i = 0;
        while (i < MEMBER_COUNT && strcmp(MEMBERS[i].name, name) != 0)
            i++;
        if (i < MEMBER_COUNT)
            MEMBERS[i].read(reading, &fault, value);
        else
            mistake(reading, name, value,
                    "no such member, but one of at, do, to, for, while, appendfsync, "
                    "command");
    }
    check_entry(reading, &fault, entry);
    if (schedule->count == FAULTS_MAX)
        mistake(reading, "", entry, "at most %d faults in all", FAULTS_MAX);
    else
        schedule->faults[schedule->count++] = fault;
}

static void read_root(struct reading *reading, const json_t *root)
{
    const json_t *entry;
    if (!json_is_array(root) || json_array_size(root) == 0) {
        buf_printf(reading->mistakes,
                   "%s: $: found %s, expected a list of faults, at least one; see: lk compare "
                   "--faults list\n",
                   reading->source, json_is_array(root) ? "an empty one" : "no list");
        reading->count++;
        return;
    }
    json_array_foreach (root, reading->entry, entry)
        read_entry(reading, entry);
}

/* ---- lists of sources ---- */

static int read_source(struct reading *reading, struct err *err)
{
    const char *built_in = schedule_built_in(reading->source);
    json_error_t why = {0};
    FILE *file = built_in ? NULL : fopen(reading->source, "r");
    if (!built_in && !file) {
        struct buf names = {0};
        schedule_built_in_names(&names);
        int rc =
            err_errno(err, ERR_USAGE,
                      "--faults: \"%s\" is no built-in schedule (none, %s) and no file that can "
                      "be read",
                      reading->source, names.ptr);
        buf_release(&names);
        return rc;
    }
    json_t *root = built_in ? json_loads(built_in, JSON_REJECT_DUPLICATES, &why)
                            : json_loadf(file, JSON_REJECT_DUPLICATES, &why);
    if (file)
        fclose(file);
    if (root) {
        read_root(reading, root);
    } else {
        buf_printf(reading->mistakes, "%s:%d:%d: %s\n", reading->source, why.line, why.column,
                   why.text);
        reading->count++;
    }
    json_decref(root);
    return 0;
}

int schedule_read(const char *list, const char *const *names, struct schedule *out,
                  struct buf *mistakes, struct err *err)
{
    struct reading reading = {.schedule = out, .mistakes = mistakes, .names = names};
    int rc = 0;
    *out = (struct schedule){0};
    if (strcmp(list, "none") == 0)
        return 0;
    char *copy = mem_copy_string(list), *rest = copy;
    for (char *source; rc == 0 && (source = strsep(&rest, ","));) {
        reading.source = source;
        rc = read_source(&reading, err);
    }
    free(copy);
    if (rc == 0 && reading.count)
        rc = err_set(err, ERR_USAGE, "--faults %s: %d mistake%s", list, reading.count,
                     reading.count == 1 ? "" : "s");
    if (rc < 0)
        schedule_release(out);
    return rc;
}

void schedule_release(struct schedule *schedule)
{
    arena_release(&schedule->arena);
    schedule->count = 0;
}

/* ---- what it means ---- */

int64_t fault_event(const struct fault *fault, uint64_t seed, int n, int64_t events)
{
    double scale = fault->share ? (double)events / 100 : 1;
    int64_t first = (int64_t)(fault->first * scale), last = (int64_t)(fault->last * scale);
    if (fault->share && first >= events)
        first = events - 1;
    if (fault->share && last >= events)
        last = events - 1;
    if (last >= events)
        return -1;
    struct rng rng;
    rng_init_at(&rng, seed, (uint64_t)n);
    return first + (int64_t)rng_below(&rng, (uint64_t)(last - first) + 1);
}

/* The broker is the user's: only its own name means it. */
bool fault_means(const struct fault *fault, const char *name)
{
    for (int i = 0; i < fault->pattern_count; i++)
        if (strcmp(fault->patterns[i], name) == 0 ||
            (strcmp(name, "broker") != 0 && fnmatch(fault->patterns[i], name, 0) == 0))
            return true;
    return false;
}
