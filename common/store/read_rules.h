/* common/store/read_rules.h - which parts answer for a pos, which windows each serves, and when what was
 * read between two looks at pos may be believed.
 *
 * The rules of design.md section 7 (Read) and of the hand-over modes, apart from how the bytes are
 * fetched (read.c). Pure functions. */
#ifndef LK_STORE_READ_RULES_H
#define LK_STORE_READ_RULES_H

#include "common/store/answer.h"
#include "common/store/handover.h"
#include "common/store/pos.h"
#include "common/store/registry.h"

struct read_rules {
    const struct plan *plan;
    enum arch arch;
    enum handover handover; /* lambda */
};

/* A part that answers: its name ("k", "g<id>", "s<cut>"), and the windows that it serves, those with
 * from_ms <= start < to_ms (INT64_MIN and INT64_MAX: all of them). */
struct read_part {
    const char *name;
    int64_t from_ms, to_ms;
};

/* The offset from which the speed layer's spans are merged: the least cut at or above where the mode
 * begins, pos->next where there is none. */
int64_t read_spans_from(const struct read_rules *rules, const struct pos *pos);
/* event-time: windows below it are the batch's, the others the speed layer's. */
int64_t read_bound(const struct read_rules *rules, const struct pos *pos);
/* Below it no reader of this pos, or of one of the generation before, asks for a span: what `from` may be
 * raised to. Never above the boundary, so that from > boundary says that nothing answers. */
int64_t read_needs_from(enum handover handover, const struct pos *pos);
/* The parts that answer for pos, in arena: how many. */
int read_parts(const struct read_rules *rules, const struct pos *pos, struct arena *arena,
               struct read_part **out);
/* Below it nothing is served. Where a batch is ahead of the speed layer, T is the batch's. */
int64_t read_floor(const struct read_rules *rules, const struct pos *pos);
/* Is there an offset that neither a batch nor a span answers for? (from > boundary) */
bool read_gap(const struct read_rules *rules, const struct pos *pos);

enum read_verdict { READ_MOVED, READ_AT_LEAST, READ_EXACT };
/* Of what was read by `before`, given the pos read after it. */
enum read_verdict read_judge(const struct read_rules *rules, const struct pos *before,
                             const struct pos *after);
/* What the answer says of the partition that was read at pos. */
void read_fill_part(const struct read_rules *rules, const struct pos *pos, struct answer_part *out);

#endif
