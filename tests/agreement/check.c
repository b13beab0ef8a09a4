/* tests/agreement/check.c - a view against the oracles, row by row.
 *
 * A read says at which positions it stands; the contract at these positions must say the same rows,
 * and so must reads of one key and of one window. Counters and T are compared for kappa, for lambda
 * they balance. */
#include <stdio.h>

#include "tests/agreement/agreement.h"

enum { READ_TRIES = 6, ROWS_SHOWN = 3 };

/* ---- reading ---- */

bool check_read(struct stage *stage, enum arch arch, const struct view_query *query,
                struct answer *out, bool *there)
{
    struct err err = {0};
    struct view_query own = *query;
    int rc = ERR_AWAY;
    own.version = stage->version;
    if (!stage->readers[arch])
        stage->readers[arch] = view_reader_new(stage->kv, stage->plan->view, arch);
    for (int tries = 0; tries < READ_TRIES && rc == ERR_AWAY; tries++) {
        err_clear(&err);
        rc = view_reader_read(stage->readers[arch], &own, out, &err);
    }
    *there = rc == 0;
    if (rc == 0 || (!stage->sure[arch] && (rc == ERR_ENV || rc == ERR_GAP)))
        return true;
    return stage_fail(stage, "reading %s: %s", stage_arch(arch), err.text);
}

/* ---- saying ---- */

struct difference {
    struct buf *out;
    int shown;
};

static void add_side(struct buf *out, const char *who, const struct answer_row *row)
{
    buf_printf(out, "\n    %s ", who);
    if (row)
        answer_row_json(row, out);
    else
        buf_add_text(out, "(no such row)");
}

static void show(const struct answer_row *wanted, const struct answer_row *found, void *context)
{
    struct difference *difference = context;
    if (difference->shown++ >= ROWS_SHOWN)
        return;
    add_side(difference->out, "wanted", wanted);
    add_side(difference->out, "found ", found);
}

static void add_positions(struct buf *out, const struct answer *found)
{
    for (int p = 0; p < found->partitions; p++)
        buf_printf(out, "%s%lld", p ? "," : " at ", (long long)found->parts[p].next);
    for (int p = 0; p < found->partitions; p++)
        buf_printf(out, "%s%lld", p ? "," : " boundary ", (long long)found->parts[p].boundary);
}

static bool same_rows(struct stage *stage, const char *what, const struct answer *wanted,
                      const struct answer *found)
{
    struct buf text = {0};
    struct difference difference = {&text, 0};
    size_t count = answer_diff(wanted, found, show, &difference);
    if (count > 0) {
        add_positions(&text, found);
        stage_fail(stage, "%s: %zu of %zu rows differ:%s", what, count, wanted->count, text.ptr);
    }
    buf_release(&text);
    return count == 0;
}

/* ---- parts ---- */

static void add_counters(struct buf *out, const char *who, const struct counters *counters)
{
    buf_printf(out, " %s ", who);
    counters_encode(counters, out);
}

static bool same_counters(struct stage *stage, enum arch arch, int p,
                          const struct answer_part *wanted, const struct answer_part *found)
{
    bool same = memcmp(&wanted->counters, &found->counters, sizeof found->counters) == 0;
    /* Where a boundary is ahead of the speed layer its counters stop below. */
    bool read = arch == ARCH_LAMBDA || found->counters.read == found->next;
    if (counters_balance(&found->counters) && read && (arch == ARCH_LAMBDA || same))
        return true;
    struct buf text = {0};
    add_counters(&text, "wanted", &wanted->counters);
    add_counters(&text, "found", &found->counters);
    stage_fail(stage, "%s, partition %d at %lld: counters%s", stage_arch(arch), p,
               (long long)found->next, text.ptr);
    buf_release(&text);
    return false;
}

static bool same_parts(struct stage *stage, enum arch arch, const struct answer *wanted,
                       const struct answer *found)
{
    for (int p = 0; p < found->partitions; p++) {
        const struct answer_part *a = &wanted->parts[p], *b = &found->parts[p];
        if (!same_counters(stage, arch, p, a, b))
            return false;
        if (a->bound_ms != b->bound_ms)
            return stage_fail(stage, "partition %d at %lld: bound %lld, wanted %lld", p,
                              (long long)b->next, (long long)b->bound_ms, (long long)a->bound_ms);
        if (a->T_ms != b->T_ms || (arch == ARCH_KAPPA && a->floor_ms != b->floor_ms))
            return stage_fail(stage,
                              "%s, partition %d at %lld: T %lld floor %lld, wanted %lld %lld",
                              stage_arch(arch), p, (long long)b->next, (long long)b->T_ms,
                              (long long)b->floor_ms, (long long)a->T_ms, (long long)a->floor_ms);
    }
    return true;
}

/* Each bad event has its place in the store. */
static bool same_bad(struct stage *stage, const struct answer *found)
{
    for (int p = 0; p < found->partitions; p++) {
        char key[64];
        struct kv_reply *replies;
        struct err err = {0};
        int rc = ERR_AWAY;
        snprintf(key, sizeof key, "lk:{v.k%d:%d}:k:bad", stage->version, p);
        for (int tries = 0; tries < READ_TRIES && rc == ERR_AWAY; tries++) {
            if (kv_down(stage->kv))
                kv_reconnect(stage->kv, &err);
            kv_words(stage->kv, "HGETALL", key, NULL);
            rc = kv_roundtrip(stage->kv, &replies, &err);
        }
        if (rc < 0)
            return stage_fail(stage, "reading %s: %s", key, err.text);
        if (replies[0].count / 2 != found->parts[p].counters.bad)
            return stage_fail(stage, "%s has %d bad events, wanted %lld", key, replies[0].count / 2,
                              (long long)found->parts[p].counters.bad);
    }
    return true;
}

/* ---- reads of a part ---- */

static void select_rows(const struct answer *all, const struct view_query *query,
                        struct answer *out)
{
    answer_init(out, all->partitions);
    memcpy(out->parts, all->parts, (size_t)all->partitions * sizeof *out->parts);
    for (size_t i = 0; i < all->count; i++) {
        const struct answer_row *row = &all->rows[i];
        if ((!query->key || bytes_equal(row->key, bytes_of(query->key))) &&
            (!query->has_window || row->window_ms == query->window_ms))
            answer_add(out, row->window_ms, row->key, row->values);
    }
    answer_sort(out);
}

static bool check_query(struct stage *stage, enum arch arch, const struct view_query *query,
                        const struct answer *all)
{
    struct answer wanted, found;
    bool there, same;
    char what[160];
    if (!check_read(stage, arch, query, &found, &there))
        return false;
    if (!there)
        return true;
    select_rows(all, query, &wanted);
    snprintf(what, sizeof what, "%s read of key %s window %lld", stage_arch(arch),
             query->key ? query->key : "(all)",
             query->has_window ? (long long)query->window_ms : -1);
    same = same_rows(stage, what, &wanted, &found);
    answer_release(&wanted);
    answer_release(&found);
    return same;
}

static bool check_selections(struct stage *stage, enum arch arch, const struct answer *all)
{
    if (all->count == 0)
        return true;
    const struct answer_row *row = &all->rows[rng_below(&stage->rng, all->count)];
    struct buf key = {0};
    buf_add(&key, row->key.ptr, row->key.len);
    struct view_query queries[] = {
        {.exact = true, .key = key.ptr},
        {.exact = true, .has_window = true, .window_ms = row->window_ms},
        {.exact = true, .key = key.ptr, .has_window = true, .window_ms = row->window_ms},
    };
    bool right = check_query(stage, arch, &queries[rng_below(&stage->rng, 3)], all);
    buf_release(&key);
    return right;
}

/* ---- the whole ---- */

void check_ending(struct stage *stage, int partition, int64_t boundary, int64_t history)
{
    for (int i = 0; i < stage->ending_count; i++) {
        const struct ending *ending = &stage->endings[i];
        if (ending->partition == partition && ending->boundary == boundary &&
            ending->history == history)
            return;
    }
    if (stage->ending_count < ENDINGS_MAX)
        stage->endings[stage->ending_count++] = (struct ending){partition, boundary, history};
}

/* The which-th history of the generations that may answer here; false: there are not so many. */
static bool history_of(const struct stage *stage, const struct answer *found, int which,
                       int64_t *history)
{
    for (int p = 0; p < found->partitions; p++) {
        int64_t candidates[ENDINGS_MAX];
        int count = 0;
        for (int i = 0; i < stage->ending_count; i++)
            if (stage->endings[i].partition == p &&
                stage->endings[i].boundary == found->parts[p].boundary)
                candidates[count++] = stage->endings[i].history;
        history[p] = count ? candidates[which % count] : found->parts[p].boundary;
        which /= count ? count : 1;
    }
    return which == 0;
}

/* Several generations may end at one boundary, some of them upon a base: one of their histories it is. */
static int contract_of(struct stage *stage, enum handover handover, const struct answer *found,
                       struct answer *out, struct err *err)
{
    int64_t history[PARTITIONS_MAX];
    char wanted[33], has[33];
    int rc = 0;
    answer_digest(found, has);
    for (int which = 0; history_of(stage, found, which, history); which++) {
        if (which > 0)
            answer_release(out);
        *out = (struct answer){0};
        oracle_history(stage->oracle, history);
        rc = oracle_conformance(stage->oracle, handover, found->parts, out, err);
        if (rc < 0)
            break;
        answer_digest(out, wanted);
        if (strcmp(wanted, has) == 0)
            break;
    }
    oracle_history(stage->oracle, NULL);
    return rc;
}

static enum handover handover_for(const struct stage *stage, enum arch arch)
{
    return arch == ARCH_KAPPA ? HANDOVER_OFFSET : stage->made->handover;
}

static bool is_contract(struct stage *stage, enum arch arch, const struct answer *found)
{
    struct answer wanted = {0};
    struct err err = {0};
    char digest[2][33];
    enum handover handover = handover_for(stage, arch);
    if (found->handover != handover)
        return stage_fail(stage, "%s was read by %s", stage_arch(arch),
                          handover_name(found->handover));
    if (contract_of(stage, handover, found, &wanted, &err) < 0)
        return stage_fail(stage, "contract: %s", err.text);
    answer_digest(&wanted, digest[0]);
    answer_digest(found, digest[1]);
    bool right = same_rows(stage, arch == ARCH_KAPPA ? "kappa and contract" : "lambda and contract",
                           &wanted, found) &&
                 same_parts(stage, arch, &wanted, found);
    if (right && strcmp(digest[0], digest[1]) != 0)
        right = stage_fail(stage, "equal rows, but digests %s and %s", digest[0], digest[1]);
    answer_release(&wanted);
    return right;
}

bool check_view(struct stage *stage, enum arch arch)
{
    struct answer found;
    struct view_query query = {.exact = true};
    bool there;
    if (!check_read(stage, arch, &query, &found, &there))
        return false;
    if (!there)
        return true;
    bool right = is_contract(stage, arch, &found);
    if (right && !stage->moving)
        right = check_selections(stage, arch, &found) &&
                (arch == ARCH_LAMBDA ? check_spans(stage, &found) : same_bad(stage, &found));
    answer_release(&found);
    return right;
}

bool check_batches_whole(const struct stage *stage)
{
    return stage->kind != BATCH_INCREMENTAL || stage->plan->dedupe_by < 0;
}

static bool is_truth(struct stage *stage, enum arch arch, const struct answer *found)
{
    struct answer truth = {0};
    struct err err = {0};
    if (oracle_truth(stage->oracle, INT64_MAX, &truth, &err) < 0)
        return stage_fail(stage, "truth: %s", err.text);
    bool right = same_rows(stage, arch == ARCH_KAPPA ? "kappa and truth" : "lambda and truth",
                           &truth, found);
    answer_release(&truth);
    return right;
}

bool check_end(struct stage *stage, enum arch arch, char digest[33])
{
    struct answer found;
    struct view_query query = {.exact = true};
    bool there;
    if (!check_view(stage, arch) || !check_read(stage, arch, &query, &found, &there))
        return false;
    if (!there)
        return stage_fail(stage, "%s is not there at the end", stage_arch(arch));
    bool right = true, healed = true;
    for (int p = 0; p < found.partitions && right; p++) {
        if (found.parts[p].next != stage->ends[p])
            right = stage_fail(stage, "%s, partition %d stands at %lld, the log ends at %lld",
                               stage_arch(arch), p, (long long)found.parts[p].next,
                               (long long)stage->ends[p]);
        healed = healed && found.parts[p].boundary == stage->ends[p];
    }
    /* A batch of everything is the truth whatever the rules are, above the floor. */
    bool exact = handover_for(stage, arch) == HANDOVER_OFFSET;
    bool lossless = stage->made->lossless && !(stage->made->cheap && arch == ARCH_LAMBDA);
    bool whole = lossless ||
                 (healed && stage->plan->keep_ms == PLAN_UNLIMITED && check_batches_whole(stage));
    right = right && (!exact || !whole || is_truth(stage, arch, &found));
    answer_digest(&found, digest);
    answer_release(&found);
    return right;
}
