/* tests/workloads/test_oracle.c - each rule of the contract and of the truth, over logs small
 * enough to be worked out by hand. Events are written as "t" or with the members that matter. */
#include "tests/workloads/oracle_case.h"

#define SOURCE                                                                                     \
    "'view':'v','source':{'time':{'field':'t','format':'ms'},'out_of_order':'2ms',"                \
    "'fields':{'k':{'type':'string','default':'a'},'id':{'type':'int','optional':true}}},"
#define COUNTED "'values':{'n':'count'}"

static void open_with_times(struct oracle_case *c, const char *plan, const int64_t *times, int n)
{
    case_log(c, 1);
    for (int i = 0; i < n; i++) {
        char text[64];
        snprintf(text, sizeof text, "{'t':%lld}", (long long)times[i]);
        case_append(c, 0, text, 0);
    }
    case_ask(c, plan);
}

/* [0, 10) is closed from T = 10 + 2 + 3 on. */
static const char LATE_PLAN[] =
    "{" SOURCE "'key':['k'],'window':{'tumbling':'10ms'},'allowed_lateness':'3ms'," COUNTED "}";
static const int64_t LATE_TIMES[] = {1, 14, 2, 15, 3, 16};

Test(oracle, a_window_takes_events_until_T_reaches_end_plus_B_plus_L)
{
    struct oracle_case c;
    open_with_times(&c, LATE_PLAN, LATE_TIMES, 6);
    static const struct {
        int64_t next;
        const char *rows, *counters;
    } rows[] = {
        {0, "", "0,0,0,0,0,0,0"},
        {1, "0 ['a'] 'n':1", "1,1,0,0,0,0,0"},
        {2, "0 ['a'] 'n':1; 10 ['a'] 'n':1", "2,2,0,0,0,0,0"},
        {3, "0 ['a'] 'n':2; 10 ['a'] 'n':1", "3,3,0,0,0,0,0"},
        {5, "0 ['a'] 'n':2; 10 ['a'] 'n':2", "5,4,0,1,0,0,0"},
        {6, "0 ['a'] 'n':2; 10 ['a'] 'n':3", "6,5,0,1,0,0,0"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_contract(&c, rows[i].next, 0, rows[i].rows, rows[i].counters);
    case_close(&c);
}

Test(oracle, another_hand_over_doubles_and_loses_what_its_mode_does)
{
    struct oracle_case c;
    open_with_times(&c, LATE_PLAN, LATE_TIMES, 6);
    static const struct {
        enum handover handover;
        int64_t boundary, spans_from, spans_to, bound_ms;
        const char *rows;
    } rows[] = {
        {HANDOVER_TWO_SLOT, 4, 4, 6, INT64_MIN, "0 ['a'] 'n':2; 10 ['a'] 'n':3"},
        /* offsets 2 and 3 are in both; 4 is late for the speed layer */
        {HANDOVER_TWO_SLOT, 4, 2, 6, INT64_MIN, "0 ['a'] 'n':3; 10 ['a'] 'n':4"},
        {HANDOVER_NAIVE, 2, 4, 6, INT64_MIN, "0 ['a'] 'n':1; 10 ['a'] 'n':2"}, /* 2 and 3 in none */
        {HANDOVER_NAIVE, 4, 2, 3, INT64_MIN, "0 ['a'] 'n':3; 10 ['a'] 'n':2"}, /* it is behind */
        {HANDOVER_EVENT_TIME, 4, 0, 6, 10, "0 ['a'] 'n':2; 10 ['a'] 'n':3"},
        {HANDOVER_EVENT_TIME, 6, 0, 6, 10, "0 ['a'] 'n':3; 10 ['a'] 'n':3"},
        {HANDOVER_EVENT_TIME, 1, 0, 6, -10, "0 ['a'] 'n':2; 10 ['a'] 'n':3"},
        {HANDOVER_EVENT_TIME, 4, 3, 6, 10, "0 ['a'] 'n':2; 10 ['a'] 'n':2"},
        {HANDOVER_EVENT_TIME, 0, 0, 6, INT64_MIN, "0 ['a'] 'n':2; 10 ['a'] 'n':3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct answer answer;
        struct answer_part part = {.next = 6,
                                   .boundary = rows[i].boundary,
                                   .spans_from = rows[i].spans_from,
                                   .spans_to = rows[i].spans_to};
        cr_assert_eq(oracle_conformance(c.oracle, rows[i].handover, &part, &answer, NULL), 0);
        expect_rows(&answer, rows[i].rows, handover_name(rows[i].handover));
        cr_expect_eq(answer.parts[0].bound_ms, rows[i].bound_ms, "row %zu", i);
        answer_release(&answer);
    }
    case_close(&c);
}

Test(oracle, below_the_boundary_nothing_is_late_and_above_it_T_is_the_whole_prefix_s)
{
    struct oracle_case c;
    open_with_times(&c, LATE_PLAN, LATE_TIMES, 6);
    static const struct {
        int64_t next, boundary;
        const char *rows;
    } rows[] = {
        {6, 6, "0 ['a'] 'n':3; 10 ['a'] 'n':3"}, /* the batch has all */
        {6, 5, "0 ['a'] 'n':3; 10 ['a'] 'n':3"},
        {6, 4, "0 ['a'] 'n':2; 10 ['a'] 'n':3"}, /* offset 4 is the speed layer's: late */
        {2, 5, "0 ['a'] 'n':3; 10 ['a'] 'n':2"}, /* the batch is ahead: just the batch */
        {0, 5, "0 ['a'] 'n':3; 10 ['a'] 'n':2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect_contract(&c, rows[i].next, rows[i].boundary, rows[i].rows, NULL);
    expect_truth(&c, INT64_MAX, "0 ['a'] 'n':3; 10 ['a'] 'n':3");
    case_close(&c);
}

Test(oracle, unlimited_lateness_is_never_late)
{
    struct oracle_case c;
    open_with_times(
        &c, "{" SOURCE "'window':{'tumbling':'10ms'},'allowed_lateness':'unlimited'," COUNTED "}",
        (const int64_t[]){1, 100000, 2}, 3);
    expect_contract(&c, 3, 0, "0 [] 'n':2; 100000 [] 'n':1", "3,3,0,0,0,0,0");
    case_close(&c);
}

/* Size 10, hop 5, B 2: at T = 12 the window [0, 10) is closed and [5, 15) is open. */
Test(oracle, an_event_goes_to_each_hopping_window_that_still_takes_it)
{
    struct oracle_case c;
    open_with_times(&c, "{" SOURCE "'window':{'hopping':['10ms','5ms']}," COUNTED "}",
                    (const int64_t[]){-1, 7, 12, 7, 4}, 5);
    expect_contract(&c, 2, 0, "-10 [] 'n':1; -5 [] 'n':1; 0 [] 'n':1; 5 [] 'n':1", "2,2,0,0,0,0,0");
    expect_contract(&c, 5, 0, "-10 [] 'n':1; -5 [] 'n':1; 0 [] 'n':1; 5 [] 'n':3; 10 [] 'n':1",
                    "5,4,0,1,0,0,0");
    expect_truth(&c, INT64_MAX, "-10 [] 'n':1; -5 [] 'n':2; 0 [] 'n':3; 5 [] 'n':3; 10 [] 'n':1");
    case_close(&c);
}

Test(oracle, windows_that_do_not_divide_evenly_start_at_multiples_of_the_hop)
{
    struct oracle_case c;
    open_with_times(&c, "{" SOURCE "'window':{'hopping':['10ms','4ms']}," COUNTED "}",
                    (const int64_t[]){9}, 1);
    expect_contract(&c, 1, 0, "0 [] 'n':1; 4 [] 'n':1; 8 [] 'n':1", NULL);
    case_close(&c);
}

Test(oracle, times_before_1970_fall_into_windows_that_start_below_them)
{
    struct oracle_case c;
    open_with_times(&c, "{" SOURCE "'window':{'tumbling':'10ms'}," COUNTED "}",
                    (const int64_t[]){-10, -1, 0, 9}, 4);
    expect_contract(&c, 4, 0, "-10 [] 'n':2; 0 [] 'n':2", NULL);
    case_close(&c);
}

Test(oracle, without_windows_there_is_one_row_a_key_and_nothing_is_late_or_dropped)
{
    struct oracle_case c;
    open_with_times(&c, "{" SOURCE "'window':'none','keep':'1ms'," COUNTED "}",
                    (const int64_t[]){1000, 1, -1000}, 3);
    expect_contract(&c, 3, 0, "0 [] 'n':3", "3,3,0,0,0,0,0");
    case_close(&c);
}

Test(oracle, windows_below_T_minus_keep_are_not_served_and_take_nothing)
{
    struct oracle_case c;
    open_with_times(&c,
                    "{" SOURCE "'window':{'tumbling':'10ms'},'allowed_lateness':'unlimited',"
                    "'keep':'20ms'," COUNTED "}",
                    (const int64_t[]){55, 79, 100, 79, 80}, 5);
    expect_contract(&c, 2, 0, "70 [] 'n':1", "2,2,0,0,0,0,0"); /* floor 59: 50 is gone */
    expect_contract(&c, 3, 0, "100 [] 'n':1", "3,3,0,0,0,0,0");
    expect_contract(&c, 5, 0, "80 [] 'n':1; 100 [] 'n':1", "5,4,0,1,0,0,0");
    expect_truth(&c, INT64_MAX, "80 [] 'n':1; 100 [] 'n':1");
    oracle_plant(c.oracle, "floor");
    expect_contract(&c, 2, 0, "50 [] 'n':1; 70 [] 'n':1", NULL);
    case_close(&c);
}

static void append_id(struct oracle_case *c, int64_t t, const char *id)
{
    char text[64];
    snprintf(text, sizeof text, "{'t':%lld,'id':%s}", (long long)t, id);
    case_append(c, 0, text, 0);
}

static const char DEDUPE_PLAN[] =
    "{" SOURCE "'where':['k','=','a'],'dedupe':{'by':'id','horizon':'5ms'},"
    "'window':{'tumbling':'100ms'}," COUNTED "}";

/* Stamps of id 1: 0, 5, 10 (each sighting refreshes it), then 16 > 10 + 5: it counts again. */
Test(oracle, every_sighting_of_an_id_refreshes_its_stamp)
{
    struct oracle_case c;
    case_log(&c, 1);
    for (int i = 0; i < 4; i++)
        append_id(&c, (const int64_t[]){0, 5, 10, 16}[i], "1");
    case_ask(&c, DEDUPE_PLAN);
    expect_contract(&c, 3, 0, "0 [] 'n':1", "3,1,0,0,2,0,0");
    expect_contract(&c, 4, 0, "0 [] 'n':2", "4,2,0,0,2,0,0");
    expect_contract(&c, 4, 4, "0 [] 'n':1", NULL); /* all history */
    expect_contract(&c, 4, 3, "0 [] 'n':2", NULL); /* the speed layer has forgotten 1 */
    expect_truth(&c, INT64_MAX, "0 [] 'n':1");
    case_close(&c);
}

Test(oracle, stamps_are_T_and_T_is_raised_by_events_that_are_filtered)
{
    struct oracle_case c;
    case_log(&c, 1);
    append_id(&c, 0, "1");
    case_append(&c, 0, "{'t':6,'k':'b','id':2}", 0); /* filtered: raises T, is no sighting */
    append_id(&c, 0, "1");                           /* 0 + 5 < 6 */
    append_id(&c, 0, "2");
    append_id(&c, 11, "1"); /* stamp 6: 6 + 5 >= 11 */
    case_ask(&c, DEDUPE_PLAN);
    expect_contract(&c, 5, 0, "0 [] 'n':3", "5,3,1,0,1,0,0");
    case_close(&c);
}

Test(oracle, an_absent_id_is_an_id_and_ids_are_typed)
{
    struct oracle_case c;
    case_log(&c, 1);
    append_id(&c, 0, "null");
    case_append(&c, 0, "{'t':0}", 0);
    append_id(&c, 0, "7");
    append_id(&c, 0, "'7'"); /* an int field: the same id */
    case_ask(&c, DEDUPE_PLAN);
    expect_contract(&c, 4, 0, "0 [] 'n':2", "4,2,0,0,2,0,0");
    case_close(&c);
}

/* A repeated event whose windows are all closed is a duplicate: dedupe comes before lateness. */
Test(oracle, repeated_and_late_is_counted_as_repeated)
{
    struct oracle_case c;
    case_log(&c, 1);
    append_id(&c, 500, "1");
    append_id(&c, 3, "1");
    append_id(&c, 3, "2");
    case_ask(&c, DEDUPE_PLAN);
    expect_contract(&c, 3, 0, "500 [] 'n':1", "3,1,0,1,1,0,0");
    case_close(&c);
}

Test(oracle, partitions_have_a_time_of_their_own_and_the_highest_floor_counts)
{
    struct oracle_case c;
    struct err err = {0};
    struct answer answer;
    case_log(&c, 2);
    case_append(&c, 0, "{'t':100}", 0);
    case_append(&c, 1, "{'t':1}", 0); /* not late: T of partition 1 is 1 */
    case_append(&c, 1, "{'t':95}", 0);
    case_append(&c, 0, "{'t':85}", 0); /* [80, 90) closes at 92 <= 100 */
    case_ask(&c, "{" SOURCE "'window':{'tumbling':'10ms'}," COUNTED "}");
    struct answer_part parts[2] = {{.next = 2}, {.next = 2}};
    cr_assert_eq(oracle_contract(c.oracle, parts, &answer, &err), 0);
    expect_rows(&answer, "0 [] 'n':1; 90 [] 'n':1; 100 [] 'n':1", "two partitions");
    expect_counters(&answer.parts[0].counters, "2,1,0,1,0,0,0", "partition 0");
    expect_counters(&answer.parts[1].counters, "2,2,0,0,0,0,0", "partition 1");
    cr_expect_eq(answer.parts[0].T_ms, 100);
    cr_expect_eq(answer.parts[1].T_ms, 95);
    answer_release(&answer);
    oracle_close(c.oracle);
    case_ask(&c, "{" SOURCE "'window':{'tumbling':'10ms'},'keep':'10ms'," COUNTED "}");
    cr_assert_eq(oracle_contract(c.oracle, parts, &answer, &err), 0);
    expect_rows(&answer, "90 [] 'n':1; 100 [] 'n':1", "floors 90 and 85");
    answer_release(&answer);
    case_close(&c);
}

Test(oracle, truth_holds_what_is_due_by_an_instant)
{
    struct oracle_case c;
    case_log(&c, 1);
    case_append(&c, 0, "{'t':1}", 10);
    case_append(&c, 0, "{'t':2}", 20);
    case_append(&c, 0, "{'t':3}", 0); /* no due time: always there */
    case_ask(&c, "{" SOURCE "'window':'none'," COUNTED "}");
    expect_truth(&c, 9, "0 [] 'n':1");
    expect_truth(&c, 10, "0 [] 'n':2");
    expect_truth(&c, INT64_MAX, "0 [] 'n':3");
    case_close(&c);
}

Test(oracle, follows_the_log_and_refuses_positions_that_it_does_not_have)
{
    struct oracle_case c;
    struct err err = {0};
    struct answer answer;
    open_with_times(&c, "{" SOURCE "'window':'none'," COUNTED "}", (const int64_t[]){1, 2}, 2);
    cr_expect_eq(oracle_partitions(c.oracle), 1);
    cr_expect_eq(oracle_end(c.oracle, 0), 2);
    case_append(&c, 0, "{'t':3}", 0);
    struct answer_part part = {.next = 3};
    cr_expect_eq(oracle_contract(c.oracle, &part, &answer, &err), ERR_GONE);
    cr_assert_eq(oracle_follow(c.oracle, &(struct err){0}), 0);
    cr_expect_eq(oracle_end(c.oracle, 0), 3);
    expect_contract(&c, 3, 0, "0 [] 'n':3", "3,3,0,0,0,0,0");
    case_close(&c);
}

Test(oracle, a_row_exists_where_no_value_took_the_event)
{
    struct oracle_case c;
    case_log(&c, 1);
    case_append(&c, 0, "{'t':1}", 0);
    case_ask(&c, "{" SOURCE "'window':'none','values':{"
                 "'n':{'count':true,'where':['k','=','b']},'s':{'sum':'id'},'m':{'max':'id'}}}");
    expect_contract(&c, 1, 0, "0 [] 'm':null,'n':0,'s':0", NULL);
    case_close(&c);
}

Test(oracle, a_planted_late_rule_gives_another_answer)
{
    struct oracle_case c;
    open_with_times(&c, LATE_PLAN, LATE_TIMES, 6);
    oracle_plant(c.oracle, "late");
    expect_contract(&c, 6, 0, "0 ['a'] 'n':1; 10 ['a'] 'n':3", "6,4,0,2,0,0,0");
    oracle_plant(c.oracle, NULL);
    expect_contract(&c, 6, 0, "0 ['a'] 'n':2; 10 ['a'] 'n':3", NULL);
    case_close(&c);
}
