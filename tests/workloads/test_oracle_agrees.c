/* tests/workloads/test_oracle_agrees.c - the fold and the oracle say the same of random plans over
 * random logs: late, repeated, broken and odd events, every type, window, condition and aggregate.
 *
 * They share nothing but the log and struct answer, so what both say is what the plan says. The
 * seed is printed where they differ. */
#include "tests/workloads/oracle_case.h"

#include "common/base/map.h"
#include "common/base/rng.h"
#include "common/op/aggregate.h"
#include "common/run/fold.h"

enum { CASES = 60, EVENTS_MAX = 400 };

static const char *pick(struct rng *rng, const char *const *words, size_t count)
{
    return words[rng_below(rng, count)];
}
#define PICK(rng, ...)                                                                             \
    pick(rng, (const char *const[]){__VA_ARGS__},                                                  \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* ---- plans ---- */

static void add_where(struct rng *rng, struct buf *out, int depth)
{
    if (depth < 2 && rng_below(rng, 3) == 0) {
        const char *kind = PICK(rng, "and", "or", "not");
        bool list = kind[0] != 'n';
        buf_printf(out, "{'%s':%s", kind, list ? "[" : "");
        add_where(rng, out, depth + 1);
        if (list) {
            buf_add_char(out, ',');
            add_where(rng, out, depth + 1);
        }
        buf_add_text(out, list ? "]}" : "}");
        return;
    }
    buf_add_text(out, PICK(rng, "['n','>',3]", "['n','<=',-2]", "['n','!=','m']", "['n','>=','m']",
                           "['n','in',[1,2,3,-1]]", "['s','=','a']", "['s','prefix','a']",
                           "['s','<',{'literal':'b'}]", "['s','=',{'literal':'u'}]",
                           "['s','!=','u']", "['p','>',0.1]", "['p','=','0.10']", "['d','<',2.5]",
                           "['b','=',true]", "['b','!=',false]", "['n','exists']",
                           "['s','exists',false]", "['t','>',100]", "['p','in',[0,1.25,-1]]"));
}

static void add_window(struct rng *rng, struct buf *out)
{
    int64_t hop = 1 + (int64_t)rng_below(rng, 40), size = hop + (int64_t)rng_below(rng, 100);
    int64_t b = (int64_t)rng_below(rng, 20), l = (int64_t)rng_below(rng, 60);
    bool none = false;
    switch (rng_below(rng, 5)) {
    case 0:
        buf_add_text(out, "'window':'none'");
        none = true;
        break;
    case 1:
    case 2:
        buf_printf(out, "'window':{'tumbling':'%lldms'}", (long long)size);
        break;
    default:
        buf_printf(out, "'window':{'hopping':['%lldms','%lldms']}", (long long)size,
                   (long long)hop);
    }
    bool unlimited = rng_below(rng, 6) == 0;
    if (unlimited)
        buf_add_text(out, ",'allowed_lateness':'unlimited'");
    else
        buf_printf(out, ",'allowed_lateness':'%lldms'", (long long)l);
    if (!none && rng_below(rng, 2))
        buf_printf(out, ",'keep':'%lldms'",
                   (long long)(unlimited ? 1 + l : size + b + l + (int64_t)rng_below(rng, 50)));
    buf_printf(out, ",'source':{'out_of_order':'%lldms',", (long long)b);
}

static void add_source(struct rng *rng, struct buf *out)
{
    buf_printf(out, "'time':{'field':'t','format':'ms'},%s'fields':{'n':%s,'m':'int','s':%s,",
               rng_below(rng, 2) ? "'max_ahead':'1h'," : "",
               PICK(rng, "'int'", "{'type':'int','optional':true}", "{'type':'int','default':4}"),
               PICK(rng, "'string'", "{'type':'string','optional':true,'alias':['o.s','s2']}",
                    "{'type':'string','default':'a'}"));
    buf_printf(out, "'u':'string','p':%s,'d':%s,'b':%s,'id':{'type':'%s','optional':true}}},",
               PICK(rng, "'decimal:2'", "{'type':'decimal:2','optional':true}",
                    "{'type':'decimal:2','default':0.1}"),
               PICK(rng, "'double'", "{'type':'double','optional':true}"),
               PICK(rng, "'bool'", "{'type':'bool','default':true}"), PICK(rng, "int", "string"));
}

static void add_values(struct rng *rng, struct buf *out)
{
    buf_add_text(out, "'values':{'z':'count'");
    int count = (int)rng_below(rng, 6);
    for (int i = 0; i < count; i++) {
        buf_printf(out, ",'v%d':{", i);
        buf_add_text(out, PICK(rng, "'count':true", "'sum':'n'", "'min':'n'", "'max':'p'",
                               "'avg':'p'", "'avg':'n'", "'sum':'p'", "'min':'d'", "'max':'d'",
                               "'distinct':'n','precision':12", "'distinct':'s','precision':6",
                               "'distinct':'p'", "'distinct':'b'", "'distinct':'id'"));
        if (rng_below(rng, 3) == 0) {
            buf_add_text(out, ",'where':");
            add_where(rng, out, 1);
        }
        buf_add_char(out, '}');
    }
    buf_add_char(out, '}');
}

static void add_plan(struct rng *rng, struct buf *out)
{
    buf_add_text(out, "{'view':'v',");
    add_window(rng, out);
    add_source(rng, out);
    if (rng_below(rng, 2)) {
        buf_add_text(out, "'where':");
        add_where(rng, out, 0);
        buf_add_char(out, ',');
    }
    if (rng_below(rng, 2))
        buf_printf(out, "'dedupe':{'by':'%s','horizon':'%dms'},", PICK(rng, "id", "n", "s"),
                   1 + (int)rng_below(rng, 200));
    buf_printf(out, "'key':[%s],",
               PICK(rng, "", "'s'", "'s','n'", "'p'", "'b','m'", "'id'", "'u','s','n'"));
    add_values(rng, out);
    buf_add_char(out, '}');
    for (size_t i = 0; i < out->len; i++)
        out->ptr[i] = out->ptr[i] == '\'' ? '"' : out->ptr[i];
}

/* ---- events ---- */

static void add_member(struct rng *rng, struct buf *out, const char *name, const char *value)
{
    if (rng_below(rng, 12) == 0)
        return;
    buf_printf(out, "%s'%s':%s", out->ptr[out->len - 1] == '{' ? "" : ",", name, value);
}

static void break_event(struct rng *rng, struct buf *out)
{
    size_t at = rng_below(rng, out->len);
    switch (rng_below(rng, 3)) {
    case 0:
        out->len = at;
        break;
    case 1:
        out->ptr[at] = (char)rng_below(rng, 256);
        break;
    default:
        buf_add_text(out, PICK(rng, "}", " ", "\n", ",", "x", "\xff"));
    }
}

static void add_event(struct rng *rng, struct buf *out, int64_t now)
{
    char time[32];
    int64_t behind = rng_below(rng, 3) ? (int64_t)rng_below(rng, 20) : (int64_t)rng_below(rng, 400);
    snprintf(time, sizeof time, rng_below(rng, 9) ? "%lld" : "'%lld'", (long long)(now - behind));
    buf_clear(out);
    buf_add_char(out, '{');
    buf_printf(out, "'t':%s", rng_below(rng, 60) ? time : "99999999999999");
    add_member(rng, out, "n",
               PICK(rng, "1", "2", "-1", "'3'", "5", "9", "null", "-0", "1.5",
                    "9223372036854775807", "9223372036854775808"));
    add_member(rng, out, "m", PICK(rng, "1", "2", "3", "'9'", "4"));
    add_member(rng, out, "s",
               PICK(rng, "'a'", "'b'", "'ab'", "'\\u0061'", "'\\n\\u0000'", "null", "'\xc3\xa9'",
                    "'\\\"\\\\'", "7"));
    add_member(rng, out, "u", PICK(rng, "'a'", "'b'", "''", "'u'"));
    add_member(rng, out, "p",
               PICK(rng, "0.1", "0.10", "'0.1'", "-1", "1.25", "1.250", "1e1",
                    "92233720368547758.07", "92233720368547758.08"));
    add_member(rng, out, "d", PICK(rng, "0.1", "-0.0", "0", "1e3", "'2.5'", "1e999", "-7.25"));
    add_member(rng, out, "b", PICK(rng, "true", "false", "true", "null"));
    add_member(rng, out, "id", PICK(rng, "1", "2", "'1'", "3", "4", "null", "'x'"));
    add_member(rng, out, "o", PICK(rng, "{'s':'b'}", "{'s':null}", "1", "[{'s':'b'}]"));
    add_member(rng, out, "s2", "'c'");
    add_member(rng, out, "x",
               PICK(rng, "[1,{'n':2}]", "{'n':7}", "'}'", "1e999", "123456789012345678901"));
    if (rng_below(rng, 10) == 0)
        add_member(rng, out, "n", "2");
    buf_add_char(out, '}');
    for (size_t i = 0; i < out->len; i++)
        out->ptr[i] = out->ptr[i] == '\'' ? '"' : out->ptr[i];
    if (rng_below(rng, 25) == 0)
        break_event(rng, out);
}

static void fill_log(struct rng *rng, struct oracle_case *c, int partitions)
{
    struct err err = {0};
    struct buf event = {0};
    int64_t now = (int64_t)rng_below(rng, 300);
    int count = 1 + (int)rng_below(rng, EVENTS_MAX);
    for (int i = 0; i < count; i++) {
        now += (int64_t)rng_below(rng, 8);
        add_event(rng, &event, now);
        struct log_record record = {.value = buf_bytes(&event)};
        cr_assert_geq(
            log_append(c->log, "t", (int)rng_below(rng, (uint64_t)partitions), &record, 1, &err), 0,
            "%s", err.text);
    }
    buf_release(&event);
}

/* ---- the fold's answer ---- */

static void fold_to(struct oracle_case *c, struct folder *folder, struct fold *fold, int64_t next)
{
    struct err err = {0};
    struct log_reader *reader;
    cr_assert_eq(log_reader_open(c->log, "t", &fold->partition, 1, &reader, &err), 0);
    cr_assert_eq(log_seek(reader, fold->partition, 0, &err), 0);
    while (fold->next < next) {
        struct log_batch batch;
        int64_t most = next - fold->next;
        int got = log_read(reader, most < 50 ? (int)most : 50, 100, &batch, &err);
        cr_assert_geq(got, 0, "%s", err.text);
        if (got > 0)
            fold_batch(folder, fold, &batch);
    }
    log_reader_close(reader);
}

static void add_cells(const struct plan *plan, const struct fold *fold, struct map *rows)
{
    struct buf name = {0}, key = {0};
    size_t at = 0;
    for (struct cell *cell; (cell = cells_next(&fold->cells, &at));) {
        int64_t first, last, step = plan->hop_ms ? plan->hop_ms : 1;
        window_range(plan, cell->field, &first, &last);
        buf_clear(&key);
        cells_key_json(plan, cell->key, &key);
        for (int64_t window = first; window <= last; window += step) {
            bool fresh;
            buf_clear(&name);
            buf_add(&name, &window, sizeof window);
            buf_add(&name, key.ptr, key.len);
            int128 *slots = map_put(rows, buf_bytes(&name), &fresh);
            if (fresh)
                aggregate_zero(plan, slots);
            aggregate_merge(plan, slots, cell->slots);
        }
    }
    buf_release(&name);
    buf_release(&key);
}

static void finish_rows(const struct plan *plan, const struct map *rows, struct answer *out)
{
    struct buf values = {0};
    for (size_t i = 0; i < rows->count; i++) {
        struct bytes name;
        const int128 *slots = map_at(rows, i, &name);
        int64_t window;
        memcpy(&window, name.ptr, sizeof window);
        buf_clear(&values);
        aggregate_finish(plan, slots, &values);
        if (window >= answer_floor(out))
            answer_add(out, window,
                       (struct bytes){name.ptr + sizeof window, name.len - sizeof window},
                       buf_bytes(&values));
    }
    answer_sort(out);
    buf_release(&values);
}

static void fold_answer(struct oracle_case *c, const struct plan *plan, bool lateness,
                        const struct answer_part *parts, int partitions, struct answer *out)
{
    struct folder folder;
    struct map rows;
    folder_init(&folder, plan, NULL);
    map_init(&rows, (size_t)plan->slots * sizeof(int128));
    answer_init(out, partitions);
    for (int p = 0; p < partitions; p++) {
        struct fold fold;
        fold_init(&fold, plan, (struct rules){.lateness = lateness}, p);
        fold_to(c, &folder, &fold, parts[p].next);
        add_cells(plan, &fold, &rows);
        out->parts[p] = (struct answer_part){.read = true,
                                             .next = fold.next,
                                             .T_ms = fold.T_ms,
                                             .floor_ms = window_floor(plan, fold.T_ms),
                                             .counters = fold.counters};
        fold_release(&fold);
    }
    finish_rows(plan, &rows, out);
    map_release(&rows);
    folder_release(&folder);
}

/* ---- the two against each other ---- */

static void show(const struct answer_row *a, const struct answer_row *b, void *context)
{
    int *left = context;
    struct buf text = {0};
    if ((*left)-- <= 0)
        return;
    buf_add_text(&text, "oracle ");
    if (a)
        answer_row_json(a, &text);
    buf_add_text(&text, "\nfold   ");
    if (b)
        answer_row_json(b, &text);
    fprintf(stderr, "%s\n", text.ptr);
    buf_release(&text);
}

static void compare(struct oracle_case *c, const struct plan *plan, bool lateness,
                    struct answer_part *parts, int partitions, const char *what)
{
    struct answer said, folded;
    int shown = 3;
    for (int p = 0; p < partitions; p++)
        parts[p].boundary = lateness ? 0 : parts[p].next;
    cr_assert_eq(oracle_contract(c->oracle, parts, &said, &(struct err){0}), 0);
    fold_answer(c, plan, lateness, parts, partitions, &folded);
    cr_expect_eq(answer_diff(&said, &folded, show, &shown), 0, "%s\n%s", what, plan->json);
    for (int p = 0; p < partitions; p++) {
        const struct counters *a = &said.parts[p].counters, *b = &folded.parts[p].counters;
        cr_expect_eq(said.parts[p].T_ms, folded.parts[p].T_ms, "%s: T\n%s", what, plan->json);
        cr_expect(!lateness || memcmp(a, b, sizeof *a) == 0, "%s: counters\n%s", what, plan->json);
    }
    answer_release(&said);
    answer_release(&folded);
}

static void run_case(uint64_t seed)
{
    struct rng rng;
    struct oracle_case c;
    struct buf json = {0}, mistakes = {0};
    struct plan *plan;
    struct err err = {0};
    struct answer_part parts[3] = {0};
    char what[64];
    snprintf(what, sizeof what, "seed %llu", (unsigned long long)seed);
    rng_init(&rng, seed);
    int partitions = 1 + (int)rng_below(&rng, 3);
    add_plan(&rng, &json);
    cr_assert_eq(plan_parse(buf_bytes(&json), ".", true, &plan, &mistakes, &err), 0, "%s: %s\n%s",
                 what, mistakes.ptr, json.ptr);
    case_log(&c, partitions);
    fill_log(&rng, &c, partitions);
    case_ask(&c, plan->json);
    for (int p = 0; p < partitions; p++)
        parts[p].next = (int64_t)rng_below(&rng, (uint64_t)oracle_end(c.oracle, p) + 1);
    compare(&c, plan, true, parts, partitions, what);
    compare(&c, plan, false, parts, partitions, what);
    plan_free(plan);
    buf_release(&json);
    buf_release(&mistakes);
    case_close(&c);
}

Test(oracle_agrees, with_the_fold_on_random_plans_and_logs)
{
    const char *only = getenv("LK_SEED");
    for (uint64_t seed = 1; !only && seed <= CASES; seed++)
        run_case(seed);
    if (only)
        run_case(strtoull(only, NULL, 10));
}
