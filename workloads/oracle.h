/* workloads/oracle.h - the two oracles: exact, naive, nothing shared with the operators.
 *
 * They read the log by themselves, parse each event with jansson, evaluate `where`, look-up,
 * dedupe, windows and aggregates from the plan's JSON by straight loops over plain definitions (for
 * each window: start <= t < end), and keep every parsed event, so that many positions can be asked.
 * Of common they use base, the log and struct answer: nothing of event, op or run.
 *   contract: the plan with its rules over the prefix [0, next) of each partition: the gate.
 *   truth: the plan over all events due by an instant, nothing late, no id forgotten: the yardstick.
 * docs/oracles.md tells the rules. Opaque; one thread. */
#ifndef LK_WORKLOADS_ORACLE_H
#define LK_WORKLOADS_ORACLE_H

#include "common/log/log.h"
#include "common/store/answer.h"

struct oracle;

/* Read topic up to each partition's end as it is now. plan_json as struct plan's json; directory
 * is where its table stands. */
int oracle_open(struct bytes plan_json, const char *directory, struct log *log, const char *topic,
                struct oracle **out, struct err *err);
void oracle_close(struct oracle *oracle);
/* Read what has been appended since. */
int oracle_follow(struct oracle *oracle, struct err *err);
int oracle_partitions(const struct oracle *oracle);
int64_t oracle_end(const struct oracle *oracle, int partition);

/* What a view must say whose part p is at parts[p].next with its batch up to parts[p].boundary (0:
 * kappa): below the boundary no lateness and dedupe over all history; from it on the late rule and
 * the horizon, with T and ids of the whole prefix, and what the plan's "speed" says otherwise where
 * the part says that a speed layer made it. Fills out: sorted rows above every part's floor,
 * parts (next, boundary, T, floor, counters of a single run under the late rule over [0, next)).
 * Of a version that begins at parts[p].from the rows from from_floor_ms on must be those of the whole
 * prefix all the same; its T and counters are those of [from, next), what lies below being skipped. */
int oracle_contract(struct oracle *oracle, const struct answer_part *parts, struct answer *out,
                    struct err *err);
/* The same of a lambda view that is handed over otherwise (docs/handover.md), at what its parts say: the batch
 * holds [0, boundary) as above, and the speed layer adds [spans_from, spans_to) under the late rule and
 * the horizon, with T and ids of the whole prefix: what both hold counts twice, what neither holds is
 * lost. By event time the batch serves the windows below the bound alone, and the speed layer those from
 * it on; the bound is worked out here from T at the boundary, and becomes parts[p].bound_ms of out.
 * offset: oracle_contract. */
int oracle_conformance(struct oracle *oracle, enum handover handover,
                       const struct answer_part *parts, struct answer *out, struct err *err);
/* For contracts asked from now on: between history[p] and the boundary an id counts again once it was
 * not seen for a horizon, as it does in an incremental batch upon a base that ends at history[p]. NULL,
 * or at the boundary: once in all history. Copied. */
void oracle_history(struct oracle *oracle, const int64_t *history);
/* All events with due time <= due_ns (INT64_MAX: all; events without a due time are due always). */
int oracle_truth(struct oracle *oracle, int64_t due_ns, struct answer *out, struct err *err);

/* Plant a bug in the oracle itself (tests): NULL, "late", "floor", "avg", "speed". */
void oracle_plant(struct oracle *oracle, const char *bug);

#endif
