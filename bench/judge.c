/* bench/judge.c - after the run: what every probe and every whole read meant.
 *
 * freshness of an event = due -> completion of the first probe whose position covers its offset. An
 * answer is right if its digest is that of the contract at its positions (that one of the plan
 * whose version answered); its distance from the truth of that moment is then the contract's own.
 */
#include "bench/run.h"

#include <stdlib.h>

#include "common/base/stop.h"
#include "workloads/audit.h"
#include "workloads/oracle.h"
#include "workloads/workload.h"

struct judge {
    struct run *run;
    struct oracle *oracles[2]; /* of the plan and of the healed plan */
    int64_t **due_ns;          /* by partition, by offset */
    int64_t *ends;
    int partitions;
    int64_t calm_until_ns; /* CLOCK_REALTIME: the first strike */
};

/* ---- due times ---- */

static int load_partition(struct judge *judge, int p, struct err *err)
{
    struct log_reader *reader = NULL;
    int64_t first;
    int rc = log_range(judge->run->log, judge->run->topic, p, &first, &judge->ends[p], err);
    if (rc == 0)
        rc = log_reader_open(judge->run->log, judge->run->topic, &p, 1, &reader, err);
    if (rc == 0)
        rc = log_seek(reader, p, first, err);
    judge->due_ns[p] = mem_zero((size_t)judge->ends[p] + 1, sizeof **judge->due_ns);
    for (int64_t next = 0; rc >= 0 && next < judge->ends[p];) {
        struct log_batch batch;
        if (stop_asked()) {
            rc = err_set(err, ERR_INTERRUPTED, "interrupted");
            break;
        }
        rc = log_read(reader, LOG_BATCH_MAX, 100, &batch, err);
        for (int i = 0; i < rc; i++)
            judge->due_ns[p][batch.offset[i]] = batch.due_ns[i];
        if (rc >= 0 && batch.partition >= 0)
            next = batch.next;
    }
    log_reader_close(reader);
    return rc < 0 ? rc : 0;
}

static int load_due_times(struct judge *judge, struct err *err)
{
    judge->partitions = log_partitions(judge->run->log, judge->run->topic, err);
    if (judge->partitions < 0)
        return judge->partitions;
    judge->due_ns = mem_zero((size_t)judge->partitions, sizeof *judge->due_ns);
    judge->ends = mem_zero((size_t)judge->partitions, sizeof *judge->ends);
    int rc = 0;
    for (int p = 0; rc == 0 && p < judge->partitions; p++)
        rc = load_partition(judge, p, err);
    return rc;
}

/* ---- freshness ---- */

static void find_calm(struct judge *judge)
{
    const struct run *run = judge->run;
    judge->calm_until_ns = INT64_MAX;
    for (int i = 0; i < run->strike_count; i++) {
        int64_t at_ns = run->began_wall_ns + (run->strikes[i].struck_ns - run->began_ns);
        if (at_ns < judge->calm_until_ns)
            judge->calm_until_ns = at_ns;
    }
}

static double since_began_s(const struct run *run, int64_t wall_ns)
{
    return (double)(wall_ns - run->began_wall_ns) / 1e9;
}

/* The events of partition p that this probe is the first to cover; the oldest of them is charted.
 */
static void cover(struct judge *judge, struct side *side, const struct probe *probe, int p,
                  int64_t *seen, int64_t *oldest_ns)
{
    for (; *seen < probe->next[p] && *seen < judge->ends[p]; ++*seen) {
        int64_t due_ns = judge->due_ns[p][*seen];
        if (due_ns == 0)
            continue; /* an offset without an event: Kafka's markers of transactions */
        if (due_ns < judge->run->watched_ns)
            continue; /* seen by whoever read then */
        hist_record(&side->fresh_us, (probe->done_ns - due_ns) / 1000);
        if (probe->done_ns < judge->calm_until_ns)
            hist_record(&side->calm_us, (probe->done_ns - due_ns) / 1000);
        if (due_ns < *oldest_ns)
            *oldest_ns = due_ns;
    }
}

static void judge_freshness(struct judge *judge, struct side *side)
{
    int64_t *seen = mem_zero((size_t)judge->partitions, sizeof *seen);
    for (size_t i = 0; i < side->probing.count; i++) {
        const struct probe *probe = &side->probing.probes[i];
        int64_t oldest_ns = INT64_MAX;
        for (int p = 0; p < judge->partitions; p++)
            cover(judge, side, probe, p, &seen[p], &oldest_ns);
        if (oldest_ns != INT64_MAX)
            buf_printf(&side->fresh_lines,
                       "{\"t_s\":%.3f,\"pipeline\":\"%s\",\"kind\":\"freshness\",\"ms\":%.2f}\n",
                       since_began_s(judge->run, probe->done_ns), side->name,
                       (double)(probe->done_ns - oldest_ns) / 1e6);
    }
    int64_t missed = 0;
    for (int p = 0; p < judge->partitions; p++)
        missed += judge->ends[p] - seen[p];
    side_check(judge->run, side, "every event was seen by a read", missed == 0,
               "%lld of %lld events, %zu reads", (long long)(judge->run->events - missed),
               (long long)judge->run->events, side->probing.count);
    free(seen);
}

/* How far behind an answer was: now minus the due time of the oldest event that it lacks. */
static int64_t lag_ns(const struct judge *judge, const struct probe *probe)
{
    int64_t lag = 0;
    for (int p = 0; p < judge->partitions; p++) {
        if (probe->next[p] >= judge->ends[p])
            continue;
        int64_t behind = probe->done_ns - judge->due_ns[p][probe->next[p]];
        lag = behind > lag ? behind : lag;
    }
    return lag;
}

/* Does the answer hold an event that was due after an instant? Then somebody has committed since. */
static bool covers_since(const struct judge *judge, const struct probe *probe, int64_t wall_ns)
{
    for (int p = 0; p < judge->partitions; p++)
        if (probe->next[p] > 0 && probe->next[p] <= judge->ends[p] &&
            judge->due_ns[p][probe->next[p] - 1] > wall_ns)
            return true;
    return false;
}

/* From the end of a fault, when all that it ended is started again, to the first answer that holds an event
 * due since the strike and that is again as fresh as 99 of 100 events were before the first fault. */
static int64_t recovery_us(const struct judge *judge, const struct side *side,
                           const struct strike *strike)
{
    const struct run *run = judge->run;
    int64_t struck_wall_ns = run->began_wall_ns + (strike->struck_ns - run->began_ns);
    int64_t over_wall_ns = run->began_wall_ns + (strike->over_ns - run->began_ns);
    const struct hist *usual = side->calm_us.total ? &side->calm_us : &side->fresh_us;
    int64_t usual_ns = hist_percentile(usual, 99) * 1000;
    for (size_t i = 0; i < side->probing.count; i++) {
        const struct probe *probe = &side->probing.probes[i];
        if (probe->done_ns >= over_wall_ns && covers_since(judge, probe, struck_wall_ns) &&
            lag_ns(judge, probe) <= usual_ns)
            return (probe->done_ns - over_wall_ns) / 1000;
    }
    return -1;
}

static void judge_recovery(struct judge *judge, struct side *side)
{
    int i = (int)(side - judge->run->sides);
    for (int k = 0; k < judge->run->strike_count; k++) {
        struct strike *strike = &judge->run->strikes[k];
        if (!strike->touches[i])
            continue;
        strike->recovery_us[i] = recovery_us(judge, side, strike);
        if (strike->recovery_us[i] > side->recovery_us)
            side->recovery_us = strike->recovery_us[i];
    }
}

static void judge_faults(struct run *run)
{
    int missed = 0, again = 0;
    for (int i = 0; i < run->strike_count; i++) {
        missed += run->strikes[i].nobody;
        again += run->strikes[i].gave_up;
    }
    if (run->strike_count)
        run_check(run, "every fault struck somebody", missed == 0,
                  "%d of %d; %d process%s that gave up meanwhile %s started again",
                  run->strike_count - missed, run->strike_count, again, again == 1 ? "" : "es",
                  again == 1 ? "was" : "were");
}

/* ---- whole reads ---- */

/* The first count among the plan's values: what "missing" is measured in. "" if there is none. */
static void count_name(const struct run *run, char out[80])
{
    const char *values = NULL;
    for (const char *at = run->plan_json.ptr; (at = strstr(at, "\"values\":{")); at++)
        values = at; /* the last ones: those of "speed" come first */
    const char *count = values ? strstr(values, ":\"count\"") : NULL;
    out[0] = 0;
    if (!count)
        return;
    const char *begin = count - 1; /* the closing quote of the name */
    while (begin > values && begin[-1] != '"')
        begin--;
    snprintf(out, 80, "\"%.*s:", (int)(count - begin), begin);
}

static double sum_of(const struct answer *answer, const char *name)
{
    double sum = 0;
    for (size_t i = 0; *name && i < answer->count; i++) {
        const char *at = strstr(answer->rows[i].values.ptr, name);
        sum += at ? strtod(at + strlen(name), NULL) : 0;
    }
    return sum;
}

static int judge_whole(struct judge *judge, struct whole *whole, const char *count, struct err *err)
{
    struct answer contract = {0}, offset = {0}, truth = {0};
    char digest[33];
    struct oracle *oracle = judge->oracles[judge->run->heals && whole->version > 1];
    int rc = oracle_conformance(oracle, whole->handover, whole->parts, &contract, err);
    if (rc == 0 && whole->handover != HANDOVER_OFFSET)
        rc = oracle_contract(oracle, whole->parts, &offset, err);
    if (rc == 0)
        rc = oracle_truth(oracle, whole->done_ns, &truth, err);
    if (rc == 0) {
        answer_digest(&contract, digest);
        whole->judged = true;
        whole->equal = strcmp(digest, whole->digest) == 0;
        whole->rows_wrong = answer_diff(&contract, &truth, NULL, NULL);
        whole->rows_true = truth.count;
        if (whole->handover != HANDOVER_OFFSET)
            handover_judge(whole, &contract, &offset, count);
        double all = sum_of(&truth, count);
        double here = sum_of(&contract, count);
        whole->missing_share = all > 0 && here < all ? (all - here) / all : 0;
    }
    answer_release(&contract);
    answer_release(&offset);
    answer_release(&truth);
    return rc;
}

static void add_error_line(struct run *run, const struct side *side, const struct whole *whole)
{
    buf_printf(
        &run->samples,
        "{\"t_s\":%.3f,\"pipeline\":\"%s\",\"kind\":\"error\",\"rows_wrong\":%zu,\"rows\":%zu,"
        "\"missing_share\":%.8f,\"rows_off\":%zu,\"exact\":%s}\n",
        since_began_s(run, whole->done_ns), side->name, whole->rows_wrong, whole->rows_true,
        whole->missing_share, whole->rows_off, whole->equal ? "true" : "false");
}

/* Events that are merely not visible yet are wrong for milliseconds; healed means: at the last
 * read, and at all reads since some moment after the healing began, nothing but such. */
static void judge_healing(const struct run *run, struct side *side)
{
    const struct sampler *reading = &side->reading;
    const struct whole *last = reading->count ? &reading->wholes[reading->count - 1] : NULL;
    side->final_true = last && last->equal && last->rows_wrong == 0;
    for (size_t i = reading->count; i-- > 0 && reading->wholes[i].rows_wrong == 0;)
        side->healed_ns = reading->wholes[i].done_ns;
    for (size_t i = 0; i < reading->count; i++) {
        const struct whole *whole = &reading->wholes[i];
        if (i > 0)
            side->error_seconds += (whole->missing_share + whole[-1].missing_share) / 2 *
                                   (double)(whole->done_ns - whole[-1].done_ns) / 1e9;
        double t_s = since_began_s(run, whole->done_ns); /* at first every event is a large share */
        if (t_s * 5e9 > (double)run->duration_ns &&
            whole->missing_share >= side->missing_before_healing) {
            side->missing_before_healing = whole->missing_share;
            side->wrong_before_healing = whole->rows_wrong;
            side->rows_true = whole->rows_true;
        }
    }
}

/* What a hand-over other than by offset has served wrong: how far each answer was from what offset would have
 * said at the same positions. */
static void judge_handover(struct side *side)
{
    const struct sampler *reading = &side->reading;
    for (size_t i = 0; i < reading->count; i++) {
        const struct whole *whole = &reading->wholes[i];
        double share = whole->rows_true ? (double)whole->rows_off / (double)whole->rows_true : 0;
        side->off_mean += share / (double)reading->count;
        side->off_worst = share > side->off_worst ? share : side->off_worst;
    }
}

static void note_late(const struct judge *judge, struct side *side, const struct whole *whole)
{
    int64_t late = 0;
    for (int p = 0; p < judge->partitions; p++)
        late += whole->parts[p].counters.late;
    if (whole->version == 1 && late > side->late)
        side->late = late;
}

static int judge_reads(struct judge *judge, struct side *side, struct err *err)
{
    char count[80];
    bool balanced = true;
    size_t wrong = 0;
    int rc = 0;
    count_name(judge->run, count);
    for (size_t i = 0; rc == 0 && i < side->reading.count; i++) {
        struct whole *whole = &side->reading.wholes[i];
        rc = judge_whole(judge, whole, count, err);
        if (rc < 0)
            break;
        balanced = balanced && whole->balanced;
        note_late(judge, side, whole);
        wrong += !whole->equal;
        add_error_line(judge->run, side, whole);
    }
    side->judged = side->reading.count;
    side->contract_held = wrong == 0 && side->judged > 0;
    if (rc == 0)
        judge_healing(judge->run, side);
    judge_handover(side);
    if (rc == 0 && judge->run->options.handovers)
        handover_sum(judge->run, side);
    if (judge->run->faulty && side->pipeline->arch == ARCH_LAMBDA) /* a result, no fault */
        side_check(judge->run, side, "not exactly-once by the plan", side->judged > 0,
                   "%zu reads, %zu differ from the contract", side->judged, wrong);
    else
        side_check(judge->run, side, "every whole read equals its contract", side->contract_held,
                   "%zu reads, %zu differ", side->judged, wrong);
    side_check(judge->run, side, "counters balance", balanced,
               "read = folded + filtered + late + duplicate + bad + skipped, at every read");
    const struct whole *last = side->judged ? &side->reading.wholes[side->judged - 1] : NULL;
    /* What comes later than a plan allows is missing until something heals it: a result, no fault. */
    bool left_out = judge->run->options.attach && side->late > 0;
    /* Nor need a view be true in the end that is handed over otherwise than by offset. */
    if (!left_out && (!last || last->handover == HANDOVER_OFFSET))
        side_check(judge->run, side, "the last read equals truth", side->final_true,
                   "%zu rows, %zu differ", last ? last->rows_true : 0, last ? last->rows_wrong : 0);
    return rc;
}

/* ---- stage 0: the log is what the generator says ---- */

static int judge_log(struct run *run, struct err *err)
{
    const struct compare_options *o = &run->options;
    struct workload_options options = {.seed = o->seed,
                                       .events = o->event_count,
                                       .event_rate = o->rate,
                                       .file = o->events,
                                       .time_field = o->time_field,
                                       .time_format = o->time_format,
                                       .key_field = o->key_field};
    struct disorder_options disorder = {.seed = o->seed};
    struct stream *stream;
    struct err why = {0};
    int rc = stream_open(workload_find(o->workload), &options, &disorder, &stream, err);
    if (rc < 0)
        return rc;
    rc = audit_log(stream, run->log, run->topic, &why);
    stream_close(stream);
    run_check(run, "the log holds each due event once, in order", rc == 0, "%s",
              rc == 0 ? "generated again and compared byte for byte" : why.text);
    return 0;
}

int run_judge(struct run *run, struct err *err)
{
    struct judge judge = {.run = run};
    const struct buf *plans[] = {&run->plan_json, &run->healed_json};
    int rc = judge_log(run, err);
    if (rc == 0)
        rc = load_due_times(&judge, err);
    for (int i = 0; rc == 0 && i < 1 + run->heals; i++)
        rc = oracle_open(buf_bytes(plans[i]), run->table_dir, run->log, run->topic,
                         &judge.oracles[i], err);
    find_calm(&judge);
    judge_faults(run);
    for (int i = 0; rc == 0 && i < run->side_count; i++) {
        judge_freshness(&judge, &run->sides[i]);
        judge_recovery(&judge, &run->sides[i]);
        rc = judge_reads(&judge, &run->sides[i], err);
    }
    for (int i = 0; i < 2; i++)
        oracle_close(judge.oracles[i]);
    for (int p = 0; judge.due_ns && p < judge.partitions; p++)
        free(judge.due_ns[p]);
    free(judge.due_ns);
    free(judge.ends);
    return rc;
}
