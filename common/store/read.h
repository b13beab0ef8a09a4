/* common/store/read.h - the logical read: live version, then per partition pos, cells, pos.
 *
 * A partition's part is valid if the second pos has the same owner and a floor that serves the same
 * windows, `from` is not above the boundary read, and the generation read is its current or previous one; if `next` is the same
 * too, it is exact at next, else it holds all below the first next and claims that. Otherwise the
 * partition is read again, VIEW_READ_TRIES times, then ERR_AWAY. from > boundary is ERR_GAP. A tombstone means that the
 * version was retired after the live pointer was read: the whole read begins anew (ERR_ENV where
 * the query names that version).
 * For lambda the same read merges batch(generation) with the spans from the boundary.
 *
 * Round trips: a reader that is kept open knows the registry and each partition's last pos, guesses by
 * them which keys will answer, and asks for all of it in one pipeline: one trip where it guessed right,
 * one more for the partitions where a batch was published or a span begun since. Its first read takes
 * two of kappa and three of lambda. Where the fields must be looked up in the index (no window asked
 * for, or windows that overlap) that is one more. A read of every key takes partition after partition,
 * so that one partition's answers at a time are held. */
#ifndef LK_STORE_READ_H
#define LK_STORE_READ_H

#include "common/store/answer.h"
#include "common/store/registry.h"

enum { VIEW_READ_TRIES = 8 };

struct view_query {
    const char *key; /* JSON array text, ["ORD"]; NULL: every key */
    bool has_window;
    int64_t window_ms;   /* with has_window: this window alone */
    bool positions_only; /* no cells: what V would a read have */
    bool exact;          /* try again until every part is exact */
    int version;         /* 0: the live one, or the canary for a key of its share */
};

/* A reader of one view. Opaque: owns what it knows of the view; one thread. */
struct view_reader;

/* kv (borrowed, until the reader is freed) is made again by a read where it is down. Nothing is asked
 * yet: the view need not exist. */
struct view_reader *view_reader_new(struct kv *kv, const char *view, enum arch arch);
/* Read into out (initialised here; release it). partitions come from the registry. ERR_ENV where the
 * view does not exist, with the command that makes it. */
int view_reader_read(struct view_reader *reader, const struct view_query *query, struct answer *out,
                     struct err *err);
void view_reader_free(struct view_reader *reader); /* accepts NULL */

/* One read by a reader of its own: for those who read once. */
int view_read(struct kv *kv, const char *view, enum arch arch, const struct view_query *query,
              struct answer *out, struct err *err);

#endif
