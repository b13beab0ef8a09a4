/* common/plan/plan.h - a view's definition, read from JSON and checked once.
 *
 * plan.c is the one place that says what a plan may contain (docs/plan.md for users). Everything
 * here is owned by the plan's arena and immutable after plan_load; any thread may read it. */
#ifndef LK_PLAN_PLAN_H
#define LK_PLAN_PLAN_H

#include "common/base/err.h"
#include "common/event/schema.h"

enum {
    PLAN_VALUES_MAX = 32,
    PLAN_KEYS_MAX = 8,
    PLAN_TAKE_MAX = 8,
    PLAN_SLOTS_MAX = 1024,  /* 16 KiB a cell */
    PLAN_PRECISION_MIN = 6, /* below it the estimate is biased by as much as it scatters */
    PLAN_PRECISION_MAX = 12,
};
#define PLAN_UNLIMITED INT64_MAX /* allowed_lateness, keep, max_ahead without bound */

enum where_kind { WHERE_AND, WHERE_OR, WHERE_NOT, WHERE_COMPARE };
enum where_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_IN, OP_PREFIX, OP_EXISTS };

/* A constant, already of the field's type (a decimal is scaled). */
struct literal {
    int64_t i64;      /* int, decimal, bool, time */
    double f64;       /* double */
    struct bytes str; /* string */
};

/* A condition. Comparisons with an absent field are false (OP_EXISTS apart). */
struct where {
    enum where_kind kind;
    struct where *child; /* AND, OR: children of them; NOT: one */
    int children;
    /* WHERE_COMPARE: */
    int field; /* column */
    enum where_op op;
    int other_field;         /* column of the same type and scale, or -1: compare with a literal */
    struct literal *literal; /* OP_IN: literals of them; else one; OP_EXISTS: i64 1 or 0 */
    int literals;
};

enum window_kind { WINDOW_NONE, WINDOW_TUMBLING, WINDOW_HOPPING };

enum aggregate_kind { AGG_COUNT, AGG_SUM, AGG_MIN, AGG_MAX, AGG_AVG, AGG_DISTINCT };

struct value {
    const char *name;
    enum aggregate_kind kind;
    int field;           /* column; -1 for AGG_COUNT */
    struct where *where; /* NULL: every event */
    int slot;            /* first int128 slot of its partial (common/op/aggregate.h) */
    int precision;       /* AGG_DISTINCT: log2 of its registers (common/op/sketch.h); else 0 */
};

/* How the speed layer commits cells and position: together, cells first, position first. */
enum delivery { DELIVERY_EXACTLY_ONCE, DELIVERY_AT_LEAST_ONCE, DELIVERY_AT_MOST_ONCE };

struct plan {
    const char *view;
    const char *directory; /* of the plan's file: tables are relative to it */
    struct schema schema;
    int64_t out_of_order_ms;         /* B */
    int64_t allowed_lateness_ms;     /* L; PLAN_UNLIMITED */
    int64_t max_ahead_ms;            /* PLAN_UNLIMITED where the plan does not say */
    int64_t keep_ms;                 /* PLAN_UNLIMITED where the plan does not say */
    struct where *where;             /* NULL: every event; names scanned fields only */
    const char *table;               /* look-up; NULL: none. A path that can be opened */
    int lookup_on;                   /* column */
    const char *take[PLAN_TAKE_MAX]; /* names in the table; columns schema.scanned + i */
    int takes;
    bool lookup_keep; /* "missing": "keep": taken fields stay absent; else the event is filtered */
    int dedupe_by;    /* column; -1: no dedupe */
    int64_t dedupe_horizon_ms;
    bool dedupe_partition; /* "dedupe_scope": "partition" */
    int key[PLAN_KEYS_MAX];
    int keys;
    enum window_kind window;
    int64_t size_ms, hop_ms;              /* tumbling: equal; none: 0 */
    int64_t pane_ms;                      /* gcd(size, hop) */
    struct value values[PLAN_VALUES_MAX]; /* by name, so that equal json means equal partials */
    int value_count;
    int slots; /* int128 slots a partial has */
    /* By what lambda's speed layer folds where the plan says "speed": the same view, hash, json, key,
     * window and partials, other rules. NULL: mirrored; and in such a plan itself. */
    const struct plan *speed;
    const struct plan *whole; /* of a speed layer's plan: the plan that it is of; NULL elsewhere */
    enum delivery delivery;   /* of a speed layer's plan; exactly once everywhere else */
    bool forgets;     /* of a speed layer's plan: ids and T are not rebuilt when it restarts */
    const char *json; /* the plan, canonical: sorted members, compact, shortest numbers */
    char hash[33];    /* 128-bit hash of json and of the table's bytes, in hexadecimal */
};

/* Read and check a plan's file. On ERR_USAGE every mistake has been appended to mistakes, one a
 * line: "$.window.tumbling: found \"1x\", expected a duration such as 10s". The plan is owned:
 * plan_free. A file that cannot be read leaves no line. plan_parse does the same for text;
 * directory is where its table would stand, and with check_table false the table is neither looked
 * for nor hashed: the struct is the same but for hash, which then covers json alone (readers of a
 * stored plan know its hash from the registry). */
int plan_load(const char *path, struct plan **out, struct buf *mistakes, struct err *err);
int plan_parse(struct bytes json, const char *directory, bool check_table, struct plan **out,
               struct buf *mistakes, struct err *err);
void plan_free(struct plan *plan); /* NULL is fine */
/* The mistakes of a plan's file as a JSON array of {"path", "found", "expected", "suggestion"},
 * appended to json; 0 if there are none. */
int plan_check(const char *path, struct buf *json, struct err *err);

/* The plan in English, layer by layer, with its state, its reads and its warnings. */
void plan_explain(const struct plan *plan, struct buf *out);

/* How many int128 slots a value has; 16 registers of a sketch are one. */
static inline int value_slots(const struct value *value)
{
    return value->kind == AGG_DISTINCT ? 1 << (value->precision - 4) : 1 + (value->kind == AGG_AVG);
}
/* The relative standard error of a value's sketch; 0: the value is exact. */
double value_error(const struct value *value);
/* By what lambda's speed layer folds: plan->speed, or the plan itself. */
static inline const struct plan *plan_of_speed(const struct plan *plan)
{
    return plan->speed ? plan->speed : plan;
}
/* By what readers and batches go, given either of both. */
static inline const struct plan *plan_of_view(const struct plan *plan)
{
    return plan->whole ? plan->whole : plan;
}
/* Is the speed layer exact without crashes only? (delivery, state) */
static inline bool plan_is_faulty(const struct plan *plan)
{
    const struct plan *speed = plan_of_speed(plan);
    return speed->delivery != DELIVERY_EXACTLY_ONCE || speed->forgets;
}
/* "mirrored", or "cheap: dedupe off, allowed_lateness 10m", appended. */
void plan_say_speed(const struct plan *plan, struct buf *out);

/* What a change means for the partials that stand. */
enum plan_fate {
    PLAN_KEPT,     /* they hold it as they are */
    PLAN_DERIVED,  /* they can be merged into it */
    PLAN_REPLAYED, /* the events have to be read again */
};
/* Each member that differs, what becomes of it and why, as text or (json) as an object {"changes":
 * [{"path", "before", "after", "fate", "why"}], "fate"}, appended to out. Returns the worst fate. */
enum plan_fate plan_diff(const struct plan *before, const struct plan *after, bool json,
                         struct buf *out);

#endif
