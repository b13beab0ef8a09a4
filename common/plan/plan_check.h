/* common/plan/plan_check.h - mistakes of a plan, each with its JSON path; private to common/plan.
 *
 * A plan is read in one walk that never stops at a mistake: each reader notes what it found and
 * what was expected, and goes on. Readers are grouped in tables of members, so that unknown and
 * missing members are found in one place. Open values; one thread. */
#ifndef LK_PLAN_PLAN_CHECK_H
#define LK_PLAN_PLAN_CHECK_H

#include <jansson.h>

#include "common/base/arena.h"
#include "common/plan/plan.h"

/* 100 years: sums of a few durations and any sane event time stay far from the end of int64. */
#define PLAN_DURATION_MAX_MS (36500LL * 86400000)

/* Where in the document we are: a chain of frames on the stack, from leaf to root. */
struct at {
    const struct at *up; /* NULL: the root */
    const char *member;  /* NULL: an element */
    size_t index;
};

struct mistake {
    const char *path, *found, *expected;
    const char *hint; /* the name that was probably meant, or NULL */
};

struct check {
    struct plan *plan;
    struct arena *arena; /* the plan's; mistakes live in it too */
    bool check_table;
    json_t *document;   /* the plan that is read; borrowed */
    struct plan *speed; /* plan_speed.c: what "speed" makes of the plan; NULL: nothing */
    json_t *laid;       /* its JSON: the plan's with the overrides laid over it */
    struct mistake *mistakes;
    int count, capacity;
};

/* A field whose type could not be read: what it is used for cannot be judged, and is not. */
enum { SCALE_UNKNOWN_TYPE = -1 };
static inline bool check_type_unknown(const struct field *field)
{
    return field->scale == SCALE_UNKNOWN_TYPE;
}

typedef void check_reader(struct check *check, const struct at *at, json_t *value);

/* A member that an object may have. */
struct check_member {
    const char *name;
    check_reader *read;
    const char *required; /* what was expected where it is missing; NULL: may be missing */
};

/* Note a mistake. found NULL: nothing was there. */
void check_mistake(struct check *check, const struct at *at, const json_t *found,
                   const char *expected, ...) __attribute__((format(printf, 4, 5)));
/* Note a mistake whose texts are in the plan's arena already. */
void check_adopt(struct check *check, const struct mistake *mistake);
/* Give the mistake noted last a hint, if one of names is nearly word. */
void check_hint(struct check *check, const char *word, const char *const *names, int count);
/* Note a mistake whose `found` is words and not a JSON value. */
void check_note(struct check *check, const struct at *at, const char *found, const char *expected);

/* Read object by the table, in the table's order; unknown and missing members are mistakes. */
void check_object(struct check *check, const struct at *at, json_t *object, const char *expected,
                  const struct check_member *members, int count);
/* A copy of value's text in the arena, or NULL with a mistake noted. */
const char *check_text(struct check *check, const struct at *at, const json_t *value,
                       const char *expected);
/* A name [a-z][a-z0-9_]* ? */
bool check_is_name(const char *text);
/* A duration of least .. PLAN_DURATION_MAX_MS, or "unlimited" where that is allowed. */
void check_duration(struct check *check, const struct at *at, const json_t *value, int64_t least,
                    bool unlimited, int64_t *out_ms);
/* A column below limit by its name, or -1 with a mistake noted. wanted: "a field of type string".
 */
int check_field(struct check *check, const struct at *at, const json_t *value, int limit,
                const char *wanted);
/* Note that a field has the wrong type: found "origin" (a string). */
void check_wrong_type(struct check *check, const struct at *at, int column, const char *expected);
/* A constant of a field's type, or false with a mistake noted. */
bool check_literal(struct check *check, const struct at *at, const json_t *value,
                   const struct field *field, struct literal *out);
/* "an integer": what check_literal wants for the field. */
const char *check_literal_wanted(const struct field *field);
/* A condition over columns below limit, or NULL with mistakes noted. */
struct where *check_where(struct check *check, const struct at *at, json_t *value, int limit);

/* The readers of the top members, each in its file. */
check_reader plan_read_source, plan_read_lookup, plan_read_where, plan_read_dedupe;
check_reader plan_read_dedupe_scope, plan_read_window, plan_read_key, plan_read_values;
check_reader plan_read_lateness, plan_read_keep, plan_read_speed;
/* What no single member can see: keep against the window, scope without dedupe ... */
void plan_check_window(struct check *check, const struct at *root);
/* Read all members of a plan; root: where it stands. */
void plan_read_members(struct check *check, const struct at *root, json_t *document);
void plan_init(struct plan *plan, struct arena *arena, const char *directory);

/* Append value in its canonical form. */
void plan_canonical(json_t *value, struct buf *out);

#endif
