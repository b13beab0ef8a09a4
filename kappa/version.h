/* kappa/version.h - the life of a kappa version: run, deploy, diff, promote, rollback, retire, status.
 *
 * A version is one plan revision with keys of its own. `run` follows the log with the version that
 * the plan is (the first one makes the view); `deploy` adds a changed plan as the next version and
 * replays the log into it beside the live one; `promote` flips the live pointer, by EXEC under
 * WATCH, `rollback` flips it back, `retire` gives a version's keys back to Redis. One thread; every function opens and closes what it needs. */
#ifndef LK_KAPPA_VERSION_H
#define LK_KAPPA_VERSION_H

#include <stdio.h>

#include "common/run/job.h"
#include "common/store/answer.h"

/* Follow (or, until_end, drain) the log into the plan's version; options->job.version is set here.
 * may_add: a changed plan becomes the next version; otherwise it is ERR_USAGE that names the command
 * to deploy it. ERR_GONE, and no version, where a new one cannot begin at the log's beginning. */
int kappa_run(struct worker_options *options, bool may_add, struct worker_result *result,
              struct err *err);

/* Why a row differs, as far as plans, positions and, with positions given, a third fold tell. */
enum kappa_cause {
    CAUSE_NONE,   /* none differ */
    CAUSE_SKETCH, /* sketch error: only the precision of sketches differs, and they agree within it */
    CAUSE_LATE,   /* late in one only: lateness alone makes the difference */
    CAUSE_RULE,   /* the plans let in, or compute, something else */
    CAUSE_NOT_READ,    /* the plans say the same, and one version has read more */
    CAUSE_UNEXPLAINED, /* neither: one of them is wrong */
    CAUSES
};
extern const char *const KAPPA_CAUSES[]; /* in words */

struct kappa_diff {
    size_t rows;            /* compared: in windows final in both versions and above both floors */
    size_t differing;       /* of them */
    size_t not_final;       /* rows that may still change: not compared */
    size_t causes[CAUSES];  /* how many of them are explained by each */
    enum kappa_cause cause; /* the last in the list above that any of them has */
    int live, target;       /* 0: no version was made of the plan yet */
};
typedef void kappa_differ(const struct answer_row *live, const struct answer_row *target,
                          enum kappa_cause cause, void *context);

/* Compare the plan's version with the live one, once it has folded everything that the live one had
 * folded when this was called; waits for that at most wait_ms, then ERR_CHECK with the lag. differ
 * is called for each row that differs (NULL where the row is absent). */
int kappa_compare(const struct plan *plan, const char *view_uri, int wait_ms, kappa_differ *differ,
                  void *context, struct kappa_diff *out, struct err *err);
/* Compare what the live version's plan and this one, a version or not, make of the log up to the positions
 * that `at` names (kappa/start.h): both are folded from where their versions begin, in this
 * process, into its memory; of the view nothing but the registry is read. Both stand at the same
 * positions, so every row is compared that is above both floors, final or not. */
int kappa_compare_at(const struct plan *plan, const char *view_uri, const char *log_uri,
                     const char *topic, const char *at, kappa_differ *differ, void *context,
                     struct kappa_diff *out, struct err *err);

/* Make the plan's version live, once it has folded everything that the live one had folded when
 * this was called; waits for that at most wait_ms, then ERR_CHECK with the lag. ERR_CHECK too where
 * rows of final windows differ, unless accept_diff or by no more than their sketches may (which is
 * said on stderr), and where another flip came first. */
int kappa_promote(const struct plan *plan, const char *view_uri, int wait_ms, bool accept_diff,
                  int *number, struct err *err);
/* Let the plan's version answer reads of single keys for share percent of them (registry_canary), once it
 * has folded what the live one had, as above; 0 ends it. */
int kappa_canary(const struct plan *plan, const char *view_uri, int share, int wait_ms, int *number,
                 struct err *err);
/* The same flip back: the version that was live before the last one is live again, if a worker has
 * kept it up to date (as above). A second rollback goes forward again. */
int kappa_rollback(const char *view, const char *view_uri, int wait_ms, int *number,
                   struct err *err);
/* Retire a version that is not live, for good (common/store/retire.h): marked in the registry, then each
 * partition's pos becomes a tombstone, then its cells are unlinked in small steps. Killed anywhere,
 * it is finished by the next call. Returns keys unlinked, or a code. */
int64_t kappa_retire(const char *view, const char *view_uri, int number, struct err *err);

/* One line a version: number, live, state, positions, hash. */
int kappa_status(const char *view, const char *view_uri, bool json, FILE *out, struct err *err);

#endif
