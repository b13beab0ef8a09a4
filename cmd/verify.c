/* cmd/verify.c - lk verify: a view held against its contract, and its distance from the truth.
 *
 *   view ──exact read──> rows, positions ──┐
 *   log ──oracle──> contract at them ──────┴─> the same? exit 0, or 4 with the cells that differ
 *                └─> truth, everything in the log ──> how far from it (a result, not a fault)
 * A lambda view that is handed over otherwise than by offset is held against that mode's own oracle, and
 * its distance from the contract by offset at the same positions is told, too.
 * For kappa the counters are part of the contract; lambda's speed layer may have jumped over events
 * (skipped), so there they must only balance. A speed layer that the plan lets count twice, lose or
 * forget ("delivery", "state") may differ from its contract after a crash: that has a name and a number,
 * and is no failure. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/view_args.h"
#include "workloads/oracle.h"

enum { DIFFERENCES_SHOWN = 20 };

struct verdict {
    size_t rows, differing;
    int counters_wrong, times_wrong; /* partitions whose counters or T are not the contract's */
    int unbalanced;
    int64_t behind; /* events of the log that the view does not hold yet */
    char digest[33], contract_digest[33];
    size_t offset_rows, offset_differing; /* of the contract by offset, by the other hand-overs */
    size_t truth_rows, truth_differing;
    int64_t off[PLAN_VALUES_MAX]; /* of counts: sum of absolute differences from the truth */
};

static bool is_right(const struct verdict *v)
{
    return v->differing == 0 && v->counters_wrong == 0 && v->times_wrong == 0 && v->unbalanced == 0;
}

/* May the view differ, by what its plan says of the speed layer? Events are accounted for all the same. */
static bool is_excused(const struct view_args *args, const struct verdict *v)
{
    return args->arch == ARCH_LAMBDA && plan_is_faulty(args->stored) && v->unbalanced == 0;
}

static const char *verdict_name(const struct view_args *args, const struct verdict *v)
{
    return is_right(v) ? "equal" : is_excused(args, v) ? "not exactly-once by the plan" : "differs";
}

/* ---- against the contract ---- */

struct shown {
    FILE *out;
    size_t left; /* that may still be printed */
};

static void print_side(FILE *out, const char *who, const struct answer_row *row)
{
    struct buf text = {0};
    if (row)
        answer_row_json(row, &text);
    fprintf(out, "  %s  %s\n", who, row ? text.ptr : "(no such row)");
    buf_release(&text);
}

static void show_difference(const struct answer_row *wanted, const struct answer_row *found,
                            void *context)
{
    struct shown *shown = context;
    if (shown->left == 0)
        return;
    shown->left--;
    print_side(shown->out, "contract", wanted);
    print_side(shown->out, "found   ", found);
}

static void judge_parts(enum arch arch, const struct answer *wanted, const struct answer *found,
                        struct verdict *v)
{
    for (int p = 0; p < found->partitions; p++) {
        const struct answer_part *a = &wanted->parts[p], *b = &found->parts[p];
        v->unbalanced += !counters_balance(&b->counters);
        v->times_wrong += a->T_ms != b->T_ms || a->bound_ms != b->bound_ms;
        v->counters_wrong +=
            arch == ARCH_KAPPA && memcmp(&a->counters, &b->counters, sizeof a->counters) != 0;
    }
}

/* ---- distance from the truth ---- */

struct distance {
    const struct plan *plan;
    struct verdict *verdict;
    int64_t floor_ms;
};

/* {"flights":12,...} of a row, NULL for no row. */
static json_t *values_of(const struct answer_row *row)
{
    struct buf text = {0};
    if (!row)
        return NULL;
    buf_printf(&text, "{%.*s}", (int)row->values.len, row->values.ptr);
    json_t *values = json_loads(text.ptr, 0, NULL);
    buf_release(&text);
    return values;
}

static void measure_row(const struct answer_row *truth, const struct answer_row *found,
                        void *context)
{
    struct distance *distance = context;
    if ((truth ? truth : found)->window_ms < distance->floor_ms)
        return;
    json_t *a = values_of(truth), *b = values_of(found);
    distance->verdict->truth_differing++;
    for (int i = 0; i < distance->plan->value_count; i++) {
        const struct value *value = &distance->plan->values[i];
        if (value->kind == AGG_COUNT)
            distance->verdict->off[i] += llabs(json_integer_value(json_object_get(a, value->name)) -
                                               json_integer_value(json_object_get(b, value->name)));
    }
    json_decref(a);
    json_decref(b);
}

/* Only windows above both floors are compared: the truth has seen all of the log. */
static void measure_truth(const struct plan *plan, const struct answer *truth,
                          const struct answer *found, struct verdict *v)
{
    int64_t here = answer_floor(found), there = answer_floor(truth);
    struct distance distance = {plan, v, here > there ? here : there};
    for (size_t i = 0; i < truth->count; i++)
        v->truth_rows += truth->rows[i].window_ms >= distance.floor_ms;
    answer_diff(truth, found, measure_row, &distance);
}

/* ---- printing ---- */

static void print_positions(const struct answer *found)
{
    struct buf text = {0};
    printf("%9s %12s %12s  %-24s  %s\n", "partition", "next", "boundary", "T", "floor");
    for (int p = 0; p < found->partitions; p++) {
        const struct answer_part *part = &found->parts[p];
        buf_clear(&text);
        buf_add_utc(&text, part->T_ms);
        printf("%9d %12lld %12lld  %-24s  ", p, (long long)part->next, (long long)part->boundary,
               text.ptr);
        buf_clear(&text);
        buf_add_utc(&text, part->floor_ms);
        puts(text.ptr);
    }
    buf_release(&text);
}

static struct counters sum_counters(const struct answer *answer)
{
    struct counters sum = {0};
    for (int p = 0; p < answer->partitions; p++)
        counters_add(&sum, &answer->parts[p].counters);
    return sum;
}

static double share(size_t part, size_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_text(const struct view_args *args, const struct answer *found,
                       const struct verdict *v)
{
    struct counters c = sum_counters(found);
    printf("view %s, %s version %d\n", args->plan->view, arch_name(args->arch),
           args->version->number);
    print_positions(found);
    printf("rows      %zu, digest %s\n", v->rows, v->digest);
    printf("events    %lld read = %lld folded + %lld filtered + %lld late + %lld duplicate + %lld "
           "bad + %lld skipped%s\n",
           (long long)c.read, (long long)c.folded, (long long)c.filtered, (long long)c.late,
           (long long)c.duplicate, (long long)c.bad, (long long)c.skipped,
           v->unbalanced ? " DOES NOT BALANCE" : "");
    if (args->arch == ARCH_LAMBDA)
        printf("speed     %s\n", args->speed_layer.ptr);
    printf("contract  equal: %s", is_right(v) ? "yes\n" : "NO");
    if (!is_right(v) && is_excused(args, v))
        printf(", not exactly-once by the plan");
    if (!is_right(v))
        printf(" (%zu rows differ; wrong counters in %d partitions, wrong T in %d)\n", v->differing,
               v->counters_wrong, v->times_wrong);
    if (found->handover != HANDOVER_OFFSET)
        printf("hand-over %s: %zu of %zu rows differ from what offset would say here (%.2f %%)\n",
               handover_name(found->handover), v->offset_differing, v->offset_rows,
               share(v->offset_differing, v->offset_rows));
    printf("truth     %zu of %zu rows differ (%.2f %%)", v->truth_differing, v->truth_rows,
           share(v->truth_differing, v->truth_rows));
    for (int i = 0; i < args->stored->value_count; i++)
        if (args->stored->values[i].kind == AGG_COUNT)
            printf("; %s off by %lld", args->stored->values[i].name, (long long)v->off[i]);
    printf("; %lld events of the log not read yet\n", (long long)v->behind);
}

static void add_json_counters(struct buf *out, const struct counters *c)
{
    buf_printf(out,
               "{\"read\":%lld,\"folded\":%lld,\"filtered\":%lld,\"late\":%lld,"
               "\"duplicate\":%lld,\"bad\":%lld,\"skipped\":%lld}",
               (long long)c->read, (long long)c->folded, (long long)c->filtered, (long long)c->late,
               (long long)c->duplicate, (long long)c->bad, (long long)c->skipped);
}

static void add_json_parts(struct buf *out, const struct answer *found)
{
    for (int p = 0; p < found->partitions; p++) {
        const struct answer_part *part = &found->parts[p];
        buf_printf(out, "%s{\"next\":%lld,\"boundary\":%lld,\"T\":", p ? "," : "",
                   (long long)part->next, (long long)part->boundary);
        buf_printf(out, part->T_ms == INT64_MIN ? "null" : "%lld", (long long)part->T_ms);
        buf_printf(out, part->floor_ms == INT64_MIN ? ",\"floor\":null" : ",\"floor\":%lld",
                   (long long)part->floor_ms);
        buf_add_text(out, ",\"counters\":");
        add_json_counters(out, &part->counters);
        buf_add_char(out, '}');
    }
}

static void print_json(const struct view_args *args, const struct answer *found,
                       const struct verdict *v)
{
    struct buf out = {0};
    buf_printf(&out,
               "{\"view\":\"%s\",\"from\":\"%s\",\"version\":%d,\"rows\":%zu,\"digest\":\"%s\","
               "\"contract_digest\":\"%s\",\"equal\":%s,\"verdict\":\"%s\",\"differing\":%zu,"
               "\"counters_wrong\":%d,\"T_wrong\":%d,\"balanced\":%s,\"behind\":%lld,"
               "\"handover\":\"%s\",\"differing_from_offset\":%zu,\"partitions\":[",
               args->plan->view, arch_name(args->arch), args->version->number, v->rows, v->digest,
               v->contract_digest, is_right(v) ? "true" : "false", verdict_name(args, v),
               v->differing, v->counters_wrong, v->times_wrong, v->unbalanced ? "false" : "true",
               (long long)v->behind, handover_name(found->handover), v->offset_differing);
    add_json_parts(&out, found);
    buf_add_text(&out, "],\"speed_layer\":");
    if (args->arch == ARCH_LAMBDA)
        buf_add_json_string(&out, buf_bytes(&args->speed_layer));
    else
        buf_add_text(&out, "null");
    buf_printf(&out, ",\"truth\":{\"rows\":%zu,\"differing\":%zu,\"off\":{", v->truth_rows,
               v->truth_differing);
    const char *comma = "";
    for (int i = 0; i < args->stored->value_count; i++) {
        if (args->stored->values[i].kind != AGG_COUNT)
            continue;
        buf_add_text(&out, comma);
        buf_add_json_string(&out, bytes_of(args->stored->values[i].name));
        buf_printf(&out, ":%lld", (long long)v->off[i]);
        comma = ",";
    }
    buf_add_text(&out, "}}}");
    puts(out.ptr);
    buf_release(&out);
}

/* ---- the verb ---- */

static int read_found(struct view_args *args, struct answer *found, struct err *err)
{
    struct view_query query = {.exact = true, .version = args->version->number};
    return view_read(args->kv, args->plan->view, args->arch, &query, found, err);
}

/* The oracle goes by where the registry says that the version begins. */
static void tell_start(const struct view_args *args, struct answer *found)
{
    const struct registry_start *start = &args->version->start;
    for (int p = 0; start->next && p < found->partitions; p++) {
        found->parts[p].begins = true;
        found->parts[p].from = start->next[p];
        found->parts[p].from_floor_ms = start->floor_ms;
    }
}

static int judge(const struct view_args *args, struct oracle *oracle, struct answer *found,
                 struct shown *shown, struct verdict *v, struct err *err)
{
    struct answer wanted = {0}, truth = {0}, offset = {0};
    tell_start(args, found);
    int rc = oracle_conformance(oracle, found->handover, found->parts, &wanted, err);
    if (rc == 0 && found->handover != HANDOVER_OFFSET)
        rc = oracle_contract(oracle, found->parts, &offset, err);
    if (rc == 0)
        rc = oracle_truth(oracle, INT64_MAX, &truth, err);
    if (rc == 0) {
        v->rows = found->count;
        v->differing = answer_diff(&wanted, found, show_difference, shown);
        v->offset_rows = offset.count;
        if (found->handover != HANDOVER_OFFSET)
            v->offset_differing = answer_diff(&offset, found, NULL, NULL);
        judge_parts(args->arch, &wanted, found, v);
        answer_digest(found, v->digest);
        answer_digest(&wanted, v->contract_digest);
        measure_truth(args->stored, &truth, found, v);
        for (int p = 0; p < found->partitions; p++)
            v->behind += oracle_end(oracle, p) - found->parts[p].next;
    }
    answer_release(&wanted);
    answer_release(&truth);
    answer_release(&offset);
    return rc;
}

static int open_oracle(const struct view_args *args, const struct settings *settings,
                       struct log **log, struct oracle **oracle, struct err *err)
{
    const char *topic = settings_text(settings, "topic");
    int rc = log_open(settings_text(settings, "log"), false, log, err);
    if (rc == 0)
        rc = oracle_open(bytes_of(args->version->plan), args->plan->directory, *log, topic, oracle,
                         err);
    if (rc == 0 && oracle_partitions(*oracle) != args->registry.partitions)
        rc = err_set(err, ERR_DATA, "topic %s has %d partitions, view %s was made over %d", topic,
                     oracle_partitions(*oracle), args->plan->view, args->registry.partitions);
    return rc;
}

int cmd_verify(const struct settings *settings, struct err *err)
{
    bool json = settings_bool(settings, "json");
    struct view_args args = {0};
    struct log *log = NULL;
    struct oracle *oracle = NULL;
    struct answer found = {0};
    struct verdict v = {0};
    struct shown shown = {json ? stderr : stdout, DIFFERENCES_SHOWN};
    if (settings_bool(settings, "all"))
        shown.left = SIZE_MAX;
    int rc = settings_require(settings, "plan,from,log,topic", err);
    if (rc == 0)
        rc = view_args_open(&args, settings, true, err);
    if (rc == 0)
        rc = read_found(&args, &found, err); /* before the log: it can only have grown since */
    if (rc == 0)
        rc = open_oracle(&args, settings, &log, &oracle, err);
    if (rc == 0)
        rc = judge(&args, oracle, &found, &shown, &v, err);
    if (rc == 0) {
        (json ? print_json : print_text)(&args, &found, &v);
        if (!is_right(&v) && !is_excused(&args, &v))
            rc = err_set(err, ERR_DATA, "view %s is not what its contract says: %zu rows differ%s",
                         args.plan->view, v.differing,
                         v.differing > DIFFERENCES_SHOWN && shown.left == 0 ? "; all of them: --all"
                                                                            : "");
    }
    answer_release(&found);
    oracle_close(oracle);
    if (log)
        log_close(log);
    view_args_close(&args);
    return rc;
}
