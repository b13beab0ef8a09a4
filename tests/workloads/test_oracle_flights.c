/* tests/workloads/test_oracle_flights.c - the oracle over two weeks of real flights, against
 * numbers that a shell made of the file (one line of awk, docs/oracles.md shows it). */
#include "tests/workloads/oracle_case.h"

#include "workloads/publish.h"

static const char PLAN[] =
    "{'view':'flight_delays','source':{'time':{'field':'departure','format':'%Y-%m-%dT%H:%MZ'},"
    "'fields':{'delay':'int','origin':'string'}},'key':['origin'],'window':{'tumbling':'1h'},"
    "'allowed_lateness':'30m','values':{'flights':'count','late':{'count':true,'where':['delay',"
    "'>',15]},'mean_delay':{'avg':'delay'},'sum_delay':{'sum':'delay'},'worst':{'max':'delay'}}}";

static const char *const CELLS[] = {
    "978307200000 ['ANC'] 'flights':6,'late':3,'mean_delay':24.666666666666668,'sum_delay':148,"
    "'worst':110",
    "978541200000 ['ORD'] 'flights':59,'late':43,'mean_delay':56.30508474576271,"
    "'sum_delay':3322,'worst':275",
    "978674400000 ['SFO'] 'flights':20,'late':3,'mean_delay':4.85,'sum_delay':97,'worst':28",
    "979041600000 ['ATL'] 'flights':45,'late':5,'mean_delay':-1.8666666666666667,"
    "'sum_delay':-84,'worst':31",
    "979513200000 ['LAX'] 'flights':9,'late':0,'mean_delay':-10.88888888888889,'sum_delay':-98,"
    "'worst':15",
};

static void open_flights(struct oracle_case *c)
{
    struct workload_options options = {0};
    struct disorder_options disorder = {0};
    struct publish_options publish = {.shape.partitions = 4, .speed = PUBLISH_MAX};
    struct publish_result result = {0};
    struct err err = {0};
    case_log(c, 4);
    cr_assert_eq(publish_stream(workload_find("flights"), &options, &disorder, c->log, "t",
                                &publish, &result, &err),
                 0, "%s", err.text);
    cr_assert_eq(result.events, 228738);
    hist_release(&result.late_us);
    case_ask(c, PLAN);
}

Test(oracle_flights, truth_is_what_awk_says)
{
    struct oracle_case c;
    struct answer answer;
    open_flights(&c);
    cr_assert_eq(oracle_truth(c.oracle, INT64_MAX, &answer, &(struct err){0}), 0);
    cr_expect_eq(answer.count, 32850);
    char *rows = rows_text(&answer);
    for (size_t i = 0; i < sizeof CELLS / sizeof *CELLS; i++)
        cr_expect_not_null(strstr(rows, CELLS[i]), "%s", CELLS[i]);
    free(rows);
    int64_t flights = 0;
    for (size_t i = 0; i < answer.count; i++)
        flights += strtoll(answer.rows[i].values.ptr + strlen("\"flights\":"), NULL, 10);
    cr_expect_eq(flights, 228738);
    answer_release(&answer);
    case_close(&c);
}

Test(oracle_flights, contract_drops_late_flights_and_a_full_batch_heals_them)
{
    struct oracle_case c;
    struct answer stream, batch, truth;
    struct answer_part parts[4] = {0};
    char digests[3][33];
    open_flights(&c);
    for (int p = 0; p < 4; p++)
        parts[p].next = oracle_end(c.oracle, p);
    cr_assert_eq(oracle_contract(c.oracle, parts, &stream, &(struct err){0}), 0);
    struct counters sum = {0};
    for (int p = 0; p < 4; p++) {
        counters_add(&sum, &stream.parts[p].counters);
        parts[p].boundary = parts[p].next;
    }
    cr_assert_eq(oracle_contract(c.oracle, parts, &batch, &(struct err){0}), 0);
    cr_assert_eq(oracle_truth(c.oracle, INT64_MAX, &truth, &(struct err){0}), 0);
    cr_expect_eq(sum.read, 228738);
    cr_expect_gt(sum.late, 0);
    cr_expect(counters_balance(&sum));
    answer_digest(&stream, digests[0]);
    answer_digest(&batch, digests[1]);
    answer_digest(&truth, digests[2]);
    cr_expect_str_neq(digests[0], digests[2]);
    cr_expect_str_eq(digests[1], digests[2]);
    answer_release(&stream);
    answer_release(&batch);
    answer_release(&truth);
    case_close(&c);
}
