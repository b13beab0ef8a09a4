/* tests/agreement/made.h - the fields that made events have and made plans declare. */
#ifndef LK_TESTS_AGREEMENT_MADE_H
#define LK_TESTS_AGREEMENT_MADE_H

#include <stdlib.h>

#include "tests/agreement/agreement.h"

enum {
    F_ID,
    F_USER,
    F_N,
    F_PRICE,
    F_FINE,
    F_RATIO,
    F_FLAG,
    F_NOTE,
    F_SEVEN,
    F_AGE,
    F_OLD,
    F_DEEP,
    F_AD,
    F_RARE,
    F_SEGMENT, /* of the look-up */
    F_TIME,
    FIELDS_COUNT
};

enum {
    IS_INT = 1,
    IS_STRING = 2,
    IS_DECIMAL = 4,
    IS_DOUBLE = 8,
    IS_BOOL = 16,
    IS_TIME = 32,
    IS_KEY = 64
};

struct made_field {
    const char *name;
    const char *type; /* as the plan declares it */
    unsigned traits;
};

extern const struct made_field FIELDS[FIELDS_COUNT];

/* A plan under way: which fields may be named. */
struct plan_draft {
    struct made *made;
    struct buf *out;
    bool has[FIELDS_COUNT];
    bool lookup;
};

uint64_t draft_below(struct plan_draft *d, uint64_t bound);
/* A random condition, up to so deep. */
void draft_where(struct plan_draft *d, int depth);
/* Append a "speed" to a plan that lacks its closing brace alone. */
void made_speed(struct plan_draft *plan);

#endif
