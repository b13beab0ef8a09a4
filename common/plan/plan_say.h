/* common/plan/plan_say.h - words and layout for plan_explain; private to common/plan.
 *
 * An explanation is sections of entries: a label, and text that is wrapped beside it. */
#ifndef LK_PLAN_PLAN_SAY_H
#define LK_PLAN_PLAN_SAY_H

#include "common/plan/plan.h"

/* SECTION, on a line of its own after an empty one. */
void say_section(struct buf *out, const char *title);
/* An entry; an empty label goes on under the entry before. */
void say(struct buf *out, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* delay > 15 and origin != destination */
void say_where(const struct plan *plan, const struct where *where, struct buf *out);
/* "int, 0 where absent; also read from old_name" */
void say_field_type(const struct field *field, struct buf *out);
/* "1h", "for ever" */
void say_duration(int64_t ms, struct buf *out);

#endif
