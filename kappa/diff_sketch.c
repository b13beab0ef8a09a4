/* kappa/diff_sketch.c - do two rows differ by no more than sketches of unequal precision may?
 *
 * Both sketches have seen the same values, so their estimates scatter around one number: the difference of two
 * that scatter by themselves has the standard error sqrt(a^2 + b^2), and theirs has no more, since they
 * share the hash. Three of those, of the larger estimate, and 1 for the rounding of both to whole numbers:
 * of a thousand rows that are right one or two lie beyond, and are for somebody to look at. */
#include <math.h>
#include <stdlib.h>

#include "kappa/version_parts.h"

enum { STANDARD_ERRORS = 3 };

/* The next member of a row's values, as text; moves rest behind it. */
static struct bytes next_member(struct bytes *rest)
{
    const char *comma = rest->len ? memchr(rest->ptr, ',', rest->len) : NULL;
    struct bytes member = {rest->ptr, comma ? (size_t)(comma - rest->ptr) : rest->len};
    size_t gone = member.len + (comma != NULL);
    *rest = (struct bytes){rest->ptr + gone, rest->len - gone};
    return member;
}

/* "users":123 */
static double estimate_of(struct bytes member)
{
    const char *colon = memchr(member.ptr, ':', member.len);
    int64_t estimate = 0;
    if (colon)
        bytes_to_int64((struct bytes){colon + 1, (size_t)(member.ptr + member.len - colon - 1)},
                       &estimate);
    return (double)estimate;
}

static bool within(const struct value *live, const struct value *target, struct bytes was,
                   struct bytes is)
{
    if (live->kind != AGG_DISTINCT || target->kind != AGG_DISTINCT ||
        live->precision == target->precision)
        return false;
    double a = estimate_of(was), b = estimate_of(is);
    double error = hypot(value_error(live), value_error(target));
    return fabs(a - b) <= STANDARD_ERRORS * error * (a > b ? a : b) + 1;
}

bool rows_within_sketch(const struct plan *const *plans, const struct answer_row *live,
                        const struct answer_row *target)
{
    if (!live || !target || plans[0]->value_count != plans[1]->value_count)
        return false;
    struct bytes was = live->values, is = target->values;
    for (int i = 0; i < plans[0]->value_count; i++) { /* both rows are in order of the names */
        struct bytes before = next_member(&was), after = next_member(&is);
        if (!bytes_equal(before, after) &&
            !within(&plans[0]->values[i], &plans[1]->values[i], before, after))
            return false;
    }
    return true;
}
