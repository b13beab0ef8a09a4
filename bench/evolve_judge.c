/* bench/evolve_judge.c - what each answer was, and what the change took.
 *
 * An answer is by a rule if its digest is that of the rule's contract at the answer's positions; the rule
 * that it claims is asked first. Changed: until the last answer by the old rule; back: until the last
 * by the new one. Both rules answer from the first answer by the new rule to the last by the old one. */
#include <jansson.h>
#include <stdlib.h>

#include "bench/evolve_parts.h"
#include "common/base/clock.h"
#include "common/base/hist.h"
#include "workloads/oracle.h"

/* ---- rules ---- */

static int digest_of(struct oracle *oracle, const struct seen *seen, char out[33], struct err *err)
{
    struct answer contract = {0};
    int rc = oracle_contract(oracle, seen->parts, &contract, err);
    size_t kept = 0;
    for (size_t i = 0; rc == 0 && i < contract.count; i++)
        if (!*seen->key || bytes_equal(contract.rows[i].key, bytes_of(seen->key)))
            contract.rows[kept++] = contract.rows[i];
    if (rc == 0) {
        contract.count = kept;
        answer_digest(&contract, out);
    }
    answer_release(&contract);
    return rc;
}

/* One that is by the rule that it does not claim is by neither: an application would be misled. */
static int judge_one(struct oracle *const *oracles, struct seen *seen, struct err *err)
{
    char digest[33];
    int rc = digest_of(oracles[seen->named], seen, digest, err);
    seen->rule = seen->named;
    seen->neither = rc == 0 && strcmp(digest, seen->digest) != 0;
    return rc;
}

static int judge_answers(struct evolve_side *side, struct err *err)
{
    struct oracle *oracles[RULES] = {NULL};
    int rc = 0;
    for (int i = 0; rc == 0 && i < RULES; i++)
        rc = oracle_open(bytes_of(side->rule[i]->json), side->dir, side->log, side->topic,
                         &oracles[i], err);
    for (int i = 0; i < side->application_count; i++)
        for (size_t k = 0; rc == 0 && k < side->applications[i].count; k++)
            rc = judge_one(oracles, &side->applications[i].seen[k], err);
    for (int i = 0; i < RULES; i++)
        oracle_close(oracles[i]);
    return rc;
}

static double seconds(int64_t from_ns, int64_t to_ns)
{
    return from_ns && to_ns > from_ns ? (double)(to_ns - from_ns) / 1e9 : 0;
}

static void count_answer(struct evolve_result *r, const struct seen *seen, int64_t *first_new_ns,
                         int64_t *last_old_ns, int64_t *last_new_ns)
{
    bool old = seen->rule == RULE_OLD;
    int64_t change_ns = r->mark[MARK_CHANGE].at_ns, back_ns = r->mark[MARK_BACK].at_ns;
    r->neither += seen->neither;
    if (seen->neither || seen->done_ns < change_ns)
        return;
    bool back = seen->done_ns >= back_ns;
    *(back ? old ? &r->back_old : &r->back_new : old ? &r->old_answers : &r->new_answers) += 1;
    if (back && !old && seen->done_ns > *last_new_ns)
        *last_new_ns = seen->done_ns;
    if (!back && old && seen->done_ns > *last_old_ns)
        *last_old_ns = seen->done_ns;
    if (!back && !old && (!*first_new_ns || seen->done_ns < *first_new_ns))
        *first_new_ns = seen->done_ns;
}

static void count_answers(struct evolve_side *side)
{
    struct evolve_result *r = side->result;
    int64_t first_new_ns = 0, last_old_ns = 0, last_new_ns = 0;
    for (int i = 0; i < side->application_count; i++) {
        const struct application *app = &side->applications[i];
        r->refused += (size_t)app->refused;
        for (size_t k = 0; k < app->count; k++)
            count_answer(r, &app->seen[k], &first_new_ns, &last_old_ns, &last_new_ns);
    }
    r->changed_s = seconds(r->mark[MARK_CHANGE].at_ns, last_old_ns);
    r->both_s = seconds(first_new_ns, last_old_ns);
    r->back_s = seconds(r->mark[MARK_BACK].at_ns, last_new_ns);
}

/* ---- freshness ---- */

static int load_due(struct evolve_side *side, int p, int64_t **due_ns, int64_t *end,
                    struct err *err)
{
    struct log_reader *reader = NULL;
    int64_t first;
    int rc = log_range(side->log, side->topic, p, &first, end, err);
    if (rc == 0)
        rc = log_reader_open(side->log, side->topic, &p, 1, &reader, err);
    if (rc == 0)
        rc = log_seek(reader, p, first, err);
    if (rc < 0) {
        log_reader_close(reader);
        return rc;
    }
    *due_ns = mem_zero((size_t)*end + 1, sizeof **due_ns);
    for (int64_t next = first; rc >= 0 && next < *end;) {
        struct log_batch batch;
        rc = log_read(reader, LOG_BATCH_MAX, 100, &batch, err);
        for (int i = 0; i < rc; i++)
            if (batch.offset[i] < *end)
                (*due_ns)[batch.offset[i]] = batch.due_ns[i];
        if (rc >= 0 && batch.partition >= 0)
            next = batch.next;
    }
    log_reader_close(reader);
    return rc < 0 ? rc : 0;
}

/* What the report's charts are drawn from: of each probe the oldest event that it was the first to show. */
static void add_lines(struct evolve_side *side, const int64_t *oldest_ns)
{
    struct evolve_result *r = side->result;
    for (size_t i = 0; i < side->probe_count; i++) {
        const struct evolve_probe *probe = &side->probes[i];
        double t_s = evolve_since_s(r, probe->done_ns);
        if (oldest_ns[i] && i > 0) /* the first one finds all of the history */
            buf_printf(&r->lines,
                       "{\"t_s\":%.3f,\"pipeline\":\"%s\",\"kind\":\"freshness\",\"ms\":%.3f}\n",
                       t_s, r->way->name, (double)(probe->wall_ns - oldest_ns[i]) / 1e6);
        if (probe->redis_mb > 0)
            buf_printf(&r->lines,
                       "{\"t_s\":%.3f,\"pipeline\":\"%s\",\"kind\":\"redis\",\"mb\":%.2f}\n", t_s,
                       r->way->name, probe->redis_mb);
    }
    for (int i = 0; i < side->application_count; i++)
        for (size_t k = 0; k < side->applications[i].count; k++) {
            const struct seen *seen = &side->applications[i].seen[k];
            if (!seen->neither)
                buf_printf(&r->lines,
                           "{\"t_s\":%.3f,\"pipeline\":\"%s\",\"kind\":\"answer\",\"new\":%d}\n",
                           evolve_since_s(r, seen->done_ns), r->way->name, seen->rule == RULE_NEW);
        }
}

/* Each event, by the first probe that covers it. */
static int judge_freshness(struct evolve_side *side, struct err *err)
{
    struct evolve_result *r = side->result;
    struct hist before = {0}, during = {0};
    int64_t *oldest_ns = mem_zero(side->probe_count + 1, sizeof *oldest_ns);
    int rc = 0;
    for (int p = 0; rc == 0 && p < EVOLVE_PARTITIONS; p++) {
        int64_t *due_ns = NULL, end = 0, at = 0;
        rc = load_due(side, p, &due_ns, &end, err);
        for (size_t i = 0; rc == 0 && i < side->probe_count; i++) {
            const struct evolve_probe *probe = &side->probes[i];
            bool changing = probe->done_ns >= r->mark[MARK_CHANGE].at_ns &&
                            probe->done_ns < r->mark[MARK_CHANGED].at_ns;
            bool calm = i > 0 && probe->done_ns < r->mark[MARK_CHANGE].at_ns;
            for (; at < probe->next[p] && at < end; at++) {
                if (due_ns[at] && (!oldest_ns[i] || due_ns[at] < oldest_ns[i]))
                    oldest_ns[i] = due_ns[at];
                if (due_ns[at] && (changing || calm))
                    hist_record(changing ? &during : &before, (probe->wall_ns - due_ns[at]) / 1000);
            }
        }
        r->events += end;
        free(due_ns);
    }
    add_lines(side, oldest_ns);
    free(oldest_ns);
    r->fresh_before_us = hist_percentile(&before, 99);
    r->fresh_during_us = hist_percentile(&during, 99);
    hist_release(&before);
    hist_release(&during);
    return rc;
}

/* ---- what was read again ---- */

/* Of the batch that recomputes all, that is the first line; a worker has one line. */
static void add_said(const struct process *process, int64_t *events, double *bytes)
{
    FILE *in = fopen(process->output, "r");
    char *line = NULL;
    size_t room = 0;
    if (in && getline(&line, &room, in) > 0) {
        json_t *said = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL);
        const json_t *read = json_object_get(said, "value_bytes");
        read = read ? read : json_object_get(said, "bytes_read");
        *events = json_integer_value(json_object_get(said, "events"));
        *bytes = (double)json_integer_value(read);
        json_decref(said);
    }
    free(line);
    if (in)
        fclose(in);
}

/* What the processes of the new rule read until the change was done: of workers, less what came later. */
static void count_read(struct evolve_side *side)
{
    struct evolve_result *r = side->result;
    int64_t later = r->mark[MARK_CLEAN].events - r->mark[MARK_CHANGED].events;
    for (const struct evolve_step *step = side->way->change; step->kind != STEP_END; step++)
        for (int i = 0; step->kind == STEP_START && i < side->actor_count; i++) {
            int64_t events = 0;
            double bytes = 0;
            if (strcmp(side->actors[i].name, step->who) != 0)
                continue;
            add_said(&side->actors[i], &events, &bytes);
            bool batch = strstr(step->command, "lambda batch") != NULL;
            int64_t again = batch || events < later ? events : events - later;
            r->read_events += again;
            r->read_mb += events ? bytes / 1e6 * (double)again / (double)events : 0;
        }
}

static void count_usage(struct evolve_side *side)
{
    struct evolve_result *r = side->result;
    const struct usage *begin = &r->mark[MARK_BEGIN], *change = &r->mark[MARK_CHANGE],
                       *changed = &r->mark[MARK_CHANGED];
    double calm_s = seconds(begin->at_ns, change->at_ns);
    double cores = calm_s > 0 ? (change->cpu_s - begin->cpu_s) / calm_s : 0;
    r->extra_cpu_s =
        changed->cpu_s - change->cpu_s - cores * seconds(change->at_ns, changed->at_ns);
    r->cores_before = cores;
    calm_s = seconds(changed->at_ns, r->mark[MARK_BACK].at_ns);
    r->cores_both = calm_s > 0 ? (r->mark[MARK_BACK].cpu_s - changed->cpu_s) / calm_s : 0;
}

/* Who was told nothing by one of the rules cannot say how long the change took. */
static int check_answered(const struct evolve_side *side, struct err *err)
{
    const struct evolve_result *r = side->result;
    if (r->neither > 0 || (r->old_answers > 0 && r->new_answers > 0))
        return 0;
    return err_set(err, ERR_CHECK, "%s: %zu answers by the old rule, %zu by the new one: no figure",
                   side->way->name, r->old_answers, r->new_answers);
}

int evolve_judge(struct evolve_side *side, struct err *err)
{
    int rc = judge_answers(side, err);
    if (rc == 0)
        rc = judge_freshness(side, err);
    count_answers(side);
    if (rc == 0)
        rc = check_answered(side, err);
    count_usage(side);
    count_read(side);
    return rc;
}
