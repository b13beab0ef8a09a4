/* common/store/read.h - the logical read: live version, then per partition pos, cells, pos.
 *
 * A partition's part is valid if the second pos has the same owner and a floor that serves the same
 * windows, `from` is not above the boundary read, and the generation read is its current or previous one; if `next` is the same
 * too, it is exact at next, else it holds all below the first next and claims that. Otherwise the
 * partition is read again, VIEW_READ_TRIES times, then ERR_AWAY. from > boundary is ERR_GAP. A tombstone means that the
 * version was retired after the live pointer was read: the whole read begins anew (ERR_ENV where
 * the query names that version).
 * For lambda the same read merges batch(generation) with the spans from the boundary. */
#ifndef LK_STORE_READ_H
#define LK_STORE_READ_H

#include "common/store/answer.h"
#include "common/store/registry.h"

enum { VIEW_READ_TRIES = 8 };

struct view_query {
    const char *key; /* JSON array text, ["ORD"]; NULL: every key */
    bool has_window;
    int64_t window_ms;   /* with has_window: this window alone */
    bool positions_only; /* no cells: what V would a read have (freshness probes read one key) */
    bool exact;          /* try again until every part is exact */
    int version;         /* 0: the live one, or the canary for a key of its share */
};

/* Read into out (initialised here; release it). partitions come from the registry. ERR_ENV where the
 * view does not exist, with the command that makes it. */
int view_read(struct kv *kv, const char *view, enum arch arch, const struct view_query *query,
              struct answer *out, struct err *err);

#endif
