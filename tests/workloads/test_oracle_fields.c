/* tests/workloads/test_oracle_fields.c - what the oracle takes for a good event, exactly how it
 * reads its fields, and what the values of a row are. */
#include "tests/workloads/oracle_case.h"

#include "common/base/clock.h"
#include "workloads/oracle_parts.h"

/* An event of one field f of some type: its value as a key, or "bad". */
static void expect_key(const char *type, const char *event, const char *expected)
{
    struct oracle_case c;
    char plan[512], rows[256];
    case_log(&c, 1);
    case_append(&c, 0, event, 0);
    snprintf(plan, sizeof plan,
             "{'source':{'time':{'field':'t','format':'ms'},'fields':{'f':%s}},'key':['f'],"
             "'window':'none','values':{'n':'count'}}",
             type);
    bool bad = strcmp(expected, "bad") == 0;
    snprintf(rows, sizeof rows, "0 [%s] 'n':1", expected);
    case_ask(&c, plan);
    expect_contract(&c, 1, 0, bad ? "" : rows, bad ? "1,0,0,0,0,1,0" : "1,1,0,0,0,0,0");
    case_close(&c);
}

struct field_row {
    const char *type, *value, *key;
};

static const struct field_row FIELDS[] = {
    {"'int'", "7", "7"},
    {"'int'", "-0", "0"},
    {"'int'", "'7'", "7"},
    {"'int'", "9223372036854775807", "9223372036854775807"},
    {"'int'", "-9223372036854775808", "-9223372036854775808"},
    {"'int'", "9223372036854775808", "bad"},
    {"'int'", "1.0", "bad"},
    {"'int'", "1e2", "bad"},
    {"'int'", "'7 '", "bad"},
    {"'int'", "'+7'", "bad"},
    {"'int'", "'07'", "bad"},
    {"'int'", "''", "bad"},
    {"'int'", "true", "bad"},
    {"'int'", "null", "bad"},
    {"'int'", "[7]", "bad"},
    {"'decimal:2'", "1.5", "1.50"},
    {"'decimal:2'", "'-0.05'", "-0.05"},
    {"'decimal:2'", "1.500", "bad"},
    {"'decimal:2'", "1e1", "bad"},
    {"'decimal:2'", "92233720368547758.07", "92233720368547758.07"},
    {"'decimal:2'", "92233720368547758.08", "bad"},
    {"'decimal:2'", "-92233720368547758.08", "-92233720368547758.08"},
    {"'decimal:18'", "9", "9.000000000000000000"},
    {"'decimal:18'", "10", "bad"},
    {"'decimal:18'", "0.123456789012345678", "0.123456789012345678"},
    {"'decimal:0'", "3", "3"},
    {"'decimal:0'", "3.0", "bad"},
    {"'double'", "0.1", "0.1"},
    {"'double'", "'1e3'", "1000.0"},
    {"'double'", "1e400", "bad"},
    {"'double'", "'nan'", "bad"},
    {"'bool'", "true", "true"},
    {"'bool'", "1", "bad"},
    {"'string'", "'\\u00e9'", "'\xc3\xa9'"},
    {"'string'", "'a\\u0000b'", "'a\\u0000b'"},
    {"'string'", "'\\/'", "'/'"},
    {"'string'", "5", "bad"},
    {"'string'", "'\\ud800'", "bad"},
    {"'string'", "'\xff'", "bad"},
    {"{'type':'string','optional':true}", "null", "null"},
    {"{'type':'int','default':-3}", "null", "-3"},
    {"{'type':'decimal:1','default':2}", "null", "2.0"},
    {"{'type':'int','optional':true}", "'x'", "bad"},
};

Test(oracle_fields, reads_each_type_exactly_or_not_at_all)
{
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        char event[128];
        snprintf(event, sizeof event, "{'t':1,'f':%s}", FIELDS[i].value);
        expect_key(FIELDS[i].type, event, FIELDS[i].key);
    }
}

static const struct field_row EVENTS[] = {
    {"'int'", "{'t':1,'f':1,'f':2}", "2"}, /* the last of duplicates */
    {"'int'", " {'t':1 , 'f' : 2 } \n", "2"},
    {"'int'", "{'t':1,'f':2,'big':99999999999999999999999,'r':1e999}", "2"},
    {"'int'", "{'t':1,'f':2,'x':{'f':3,'n':[1,{'f':4}]}}", "2"},
    {"'int'", "{'t':1,'f':2,'a\\u0000b':0,'\\\\u0000':1}", "2"},
    {"'int'", "{'t':1,'\\u0066':2}", "2"}, /* an escaped name */
    {"'int'", "{'t':1,'f':2", "bad"},
    {"'int'", "{'t':1,'f':2}}", "bad"},
    {"'int'", "{'t':1,'f':2,}", "bad"},
    {"'int'", "{'t':1,'f':2,'x':01}", "bad"},
    {"'int'", "{'t':1,'f':2,'x':1.}", "bad"},
    {"'int'", "{'t':1,'f':2,'x':-}", "bad"},
    {"'int'", "{'t':1,'f':2,'x':+1}", "bad"},
    {"'int'", "{'t':1,'f':2,'x':.5}", "bad"},
    {"'int'", "{'t':1,'f':2,'x':1 2}", "bad"},
    {"'int'", "{'t':1,'f':2,3:4}", "bad"},
    {"'int'", "{'t':1,'f':2,'x':'\t'}", "bad"},
    {"'int'", "{'t':1,'f':2,'x':'\\x'}", "bad"},
    {"'int'", "{'t':1,'f':2,'x':nul}", "bad"},
    {"'int'", "[{'t':1,'f':2}]", "bad"},
    {"'int'", "7", "bad"},
    {"'int'", "", "bad"},
    {"'int'", "{'t':1}", "bad"},
    {"'int'", "{'f':1}", "bad"},
    {"'int'", "{'t':'1','f':2}", "2"},
    {"'int'", "{'t':1.5,'f':2}", "bad"},
    {"{'type':'int','alias':['g','o.h']}", "{'t':1,'f':null,'g':5}", "5"},
    {"{'type':'int','alias':['g','o.h']}", "{'t':1,'g':null,'o':{'h':6}}", "6"},
    {"{'type':'int','alias':['g','o.h']}", "{'t':1,'o':6,'o.h':7}", "bad"},
};

Test(oracle_fields, judges_whole_events_by_rfc_8259)
{
    for (size_t i = 0; i < sizeof EVENTS / sizeof *EVENTS; i++)
        expect_key(EVENTS[i].type, EVENTS[i].value, EVENTS[i].key);
}

static const struct {
    const char *format, *value;
    int64_t ms; /* -1: bad */
} TIMES[] = {
    {"ms", "978307200000", 978307200000},
    {"ms", "'978307200000'", 978307200000},
    {"ms", "1e3", -1},
    {"s", "978307200", 978307200000},
    {"s", "9223372036854775807", -1},
    {"us", "1999", 1},
    {"us", "-1001", -2},
    {"rfc3339", "'2001-01-01T00:00:00Z'", 978307200000},
    {"rfc3339", "'2001-01-01t01:30:02.3456+01:30'", 978307202345},
    {"rfc3339", "'2000-12-31T23:00:00.5-01:00'", 978307200500},
    {"rfc3339", "'2001-02-29T00:00:00Z'", -1},
    {"rfc3339", "'2004-02-29T00:00:00Z'", 1078012800000},
    {"rfc3339", "'2001-01-01T24:00:00Z'", -1},
    {"rfc3339", "'2001-13-01T00:00:00Z'", -1},
    {"rfc3339", "'2001-00-01T00:00:00Z'", -1},
    {"rfc3339", "'2001-01-00T00:00:00Z'", -1},
    {"rfc3339", "'2001-01-01T00:00:60Z'", -1},
    {"rfc3339", "'2001-01-01 00:00:00Z'", 978307200000},
    {"rfc3339", "'2001-01-01T00:00:00'", -1},
    {"rfc3339", "'2001-01-01T00:00:00Z '", -1},
    {"rfc3339", "978307200000", -1},
    {"%Y-%m-%dT%H:%MZ", "'2001-01-01T00:01Z'", 978307260000},
    {"%Y-%m-%dT%H:%MZ", "'2001-01-01T00:01'", -1},
    {"%Y-%m-%dT%H:%MZ", "'2001-02-30T00:01Z'", -1},
    {"%Y-%m-%dT%H:%M:%S%z", "'2001-01-01T01:00:00+0100'", 978307200000},
    {"%Y-%m-%dT%H:%M:%S%z", "'2001-01-01T01:00:60+0100'", -1},
    {"%d/%m/%Y", "'31/12/1969'", -86400000},
};

Test(oracle_fields, reads_times_of_every_format)
{
    for (size_t i = 0; i < sizeof TIMES / sizeof *TIMES; i++) {
        struct oracle_case c;
        char plan[256], event[96], rows[96];
        snprintf(event, sizeof event, "{'t':%s}", TIMES[i].value);
        snprintf(plan, sizeof plan,
                 "{'source':{'time':{'field':'t','format':'%s'}},'window':{'tumbling':'1ms'},"
                 "'values':{}}",
                 TIMES[i].format);
        snprintf(rows, sizeof rows, "%lld [] ", (long long)TIMES[i].ms);
        case_log(&c, 1);
        case_append(&c, 0, event, 0);
        case_ask(&c, plan);
        expect_contract(&c, 1, 0, TIMES[i].ms == -1 ? "" : rows,
                        TIMES[i].ms == -1 ? "1,0,0,0,0,1,0" : "1,1,0,0,0,0,0");
        case_close(&c);
    }
}

Test(oracle_fields, an_event_further_ahead_than_allowed_is_bad_and_does_not_move_T)
{
    struct oracle_case c;
    struct err err = {0};
    struct answer answer;
    case_log(&c, 1);
    clock_freeze(0, 1000);
    case_append(&c, 0, "{'t':1010}", 0);
    case_append(&c, 0, "{'t':1011}", 0);
    clock_free_run();
    case_ask(&c, "{'source':{'time':{'field':'t','format':'ms'},'max_ahead':'10ms'},"
                 "'window':'none','values':{'n':'count'}}");
    struct answer_part part = {.next = 2};
    cr_assert_eq(oracle_contract(c.oracle, &part, &answer, &err), 0);
    expect_counters(&answer.parts[0].counters, "2,1,0,0,0,1,0", "ahead");
    cr_expect_eq(answer.parts[0].T_ms, 1010);
    answer_release(&answer);
    case_close(&c);
}

static const struct {
    const char *where;
    int ids; /* bit i: event i is taken */
} WHERES[] = {
    {"['n','=',5]", 1},
    {"['n','!=',5]", 2},
    {"['n','<',6]", 1},
    {"['n','<=',5]", 1},
    {"['n','>',5]", 2},
    {"['n','>=',5]", 3},
    {"{'not':['n','=',5]}", 6}, /* absent: the comparison is false, its negation true */
    {"['n','in',[1,5]]", 1},
    {"['n','exists',true]", 3},
    {"['n','exists',false]", 4},
    {"['s','prefix','ab']", 3},
    {"['s','=','u']", 1}, /* field u */
    {"['s','=',{'literal':'u'}]", 4},
    {"['s','in',['u','ab']]", 5}, /* a list holds texts only */
    {"['s','>','ab']", 6},
    {"['b','=',true]", 1},
    {"['p','>',0.1]", 6},
    {"['p','=',0.10000000000000001]", 1}, /* as a canonical plan may say 0.1 */
    {"['p','>=','0.1']", 7},
    {"['d','<',1e2]", 3},
    {"['t','>',2]", 4},
    {"{'and':[['n','>',1],['b','=',true]]}", 1},
    {"{'or':[['n','>',6],['b','=',true]]}", 3},
    {"{'and':[]}", 7},
    {"{'or':[]}", 0},
};

Test(oracle_fields, conditions_hold_as_the_plan_says)
{
    static const char *const EVENTS_ASKED[] = {
        "{'t':1,'n':5,'s':'ab','u':'ab','b':true,'p':0.1,'d':1}",
        "{'t':2,'n':7,'s':'abc','u':'x','b':false,'p':0.2,'d':99.5}",
        "{'t':3,'s':'u','u':'y','b':false,'p':0.3,'d':100}",
    };
    for (size_t i = 0; i < sizeof WHERES / sizeof *WHERES; i++) {
        struct oracle_case c;
        char plan[512], rows[96] = "";
        case_log(&c, 1);
        for (int e = 0; e < 3; e++) {
            case_append(&c, 0, EVENTS_ASKED[e], 0);
            size_t len = strlen(rows);
            if (WHERES[i].ids >> e & 1)
                snprintf(rows + len, sizeof rows - len, "%s0 [%d] ", len ? "; " : "", e + 1);
        }
        snprintf(plan, sizeof plan,
                 "{'source':{'time':{'field':'t','format':'ms'},'fields':{'n':{'type':'int',"
                 "'optional':true},'s':'string','u':'string','b':'bool','p':'decimal:1',"
                 "'d':'double'}},'where':%s,'key':['t'],'window':'none','values':{}}",
                 WHERES[i].where);
        case_ask(&c, plan);
        struct err err = {0};
        struct answer answer;
        struct answer_part part = {.next = 3};
        cr_assert_eq(oracle_contract(c.oracle, &part, &answer, &err), 0);
        expect_rows(&answer, rows, WHERES[i].where);
        answer_release(&answer);
        case_close(&c);
    }
}

Test(oracle_fields, values_are_exact_and_nothing_is_null)
{
    struct oracle_case c;
    case_log(&c, 1);
    case_append(&c, 0, "{'t':1,'p':0.10,'d':-0.0}", 0);
    case_append(&c, 0, "{'t':2,'p':0.20,'d':2.5}", 0);
    case_append(&c, 0, "{'t':3,'p':0.02}", 0);
    case_ask(&c, "{'source':{'time':{'field':'t','format':'ms'},'fields':{'p':'decimal:2',"
                 "'d':{'type':'double','optional':true},'n':{'type':'int','optional':true}}},"
                 "'window':'none','values':{'c':'count','cw':{'count':true,'where':['p','<',0.2]},"
                 "'sum':{'sum':'p'},'min':{'min':'p'},'max':{'max':'p','where':['p','<',0.2]},"
                 "'avg':{'avg':'p'},'dmin':{'min':'d'},'dmax':{'max':'d'},'last':{'max':'t'},"
                 "'ns':{'sum':'n'},'nm':{'min':'n'},'na':{'avg':'n'}}}");
    expect_contract(&c, 3, 0,
                    "0 [] 'avg':0.10666666666666667,'c':3,'cw':2,'dmax':2.5,'dmin':0.0,'last':3,"
                    "'max':0.10,'min':0.02,'na':null,'nm':null,'ns':0,'sum':0.32",
                    NULL);
    oracle_plant(c.oracle, "avg");
    struct answer answer;
    struct answer_part part = {.next = 3};
    cr_assert_eq(oracle_contract(c.oracle, &part, &answer, &(struct err){0}), 0);
    cr_expect_not_null(strstr(answer.rows[0].values.ptr, "\"avg\":0.1,"));
    answer_release(&answer);
    case_close(&c);
}

/* Wanted quotients were made with Python: float(Fraction(n, d)). */
static const struct {
    const char *numerator, *denominator;
    double wanted;
} QUOTIENTS[] = {
    {"1", "3", 0x1.5555555555555p-2},
    {"-7", "2", -3.5},
    {"0", "170000000000000000000000000000000000000", 0.0},
    {"9007199254740993", "1", 0x1.0000000000000p+53}, /* a tie: to even */
    {"9007199254740995", "1", 0x1.0000000000002p+53},
    {"18014398509481987", "2", 0x1.0000000000001p+53}, /* just above the tie */
    {"-9007199254740993", "1", -0x1.0000000000000p+53},
    {"170141183460469231731687303715884105727", "1", 0x1.0000000000000p+127},
    {"1", "170141183460469231731687303715884105727", 0x1.0000000000000p-127},
    {"9223372036854775807000000000000000001", "9223372036854775807", 0x1.bc16d674ec800p+59},
    {"123456789012345678901234567890", "987654321098765432109", 0x1.dcd64fb71999ap+26},
};

Test(oracle_fields, an_average_is_the_double_nearest_to_the_exact_quotient)
{
    for (size_t i = 0; i < sizeof QUOTIENTS / sizeof *QUOTIENTS; i++) {
        int128 n, d;
        cr_assert(bytes_to_int128(bytes_of(QUOTIENTS[i].numerator), &n));
        cr_assert(bytes_to_int128(bytes_of(QUOTIENTS[i].denominator), &d));
        cr_expect_eq(quotient(n, d), QUOTIENTS[i].wanted, "row %zu: %a, expected %a", i,
                     quotient(n, d), QUOTIENTS[i].wanted);
    }
}

static void put_file(const struct oracle_case *c, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", c->directory, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    char *json = quoted(text);
    fputs(json, file);
    free(json);
    fclose(file);
}

static const struct {
    const char *file, *text;
} TABLES[] = {
    {"t.jsonl", "{'ad':1,'city':'Rome','rank':2.50}\n{'ad':'2','rank':null}\n"},
    {"t.csv", "rank,ad,city\r\n2.50,1,'Rome'\r\n,2,\r\n"},
    {"t.csv", "'ad',city,rank,'more\nlines'\n1,Rome,'2.50',' ''\n '\n2,,,x\n"},
};

Test(oracle_fields, a_look_up_joins_or_drops)
{
    for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++)
        for (int keep = 0; keep < 2; keep++) {
            struct oracle_case c;
            char plan[512];
            case_log(&c, 1);
            put_file(&c, TABLES[i].file, TABLES[i].text);
            for (int ad = 1; ad <= 3; ad++) {
                snprintf(plan, sizeof plan, "{'t':1,'ad':%d}", ad);
                case_append(&c, 0, plan, 0);
            }
            snprintf(plan, sizeof plan,
                     "{'source':{'time':{'field':'t','format':'ms'},'fields':{'ad':'int'}},"
                     "'lookup':{'table':'%s','on':'ad','take':['city','rank'],'missing':'%s'},"
                     "'key':['city','rank'],'window':'none','values':{'n':'count'}}",
                     TABLES[i].file, keep ? "keep" : "drop");
            case_ask(&c, plan);
            expect_contract(&c, 3, 0,
                            keep ? "0 ['Rome','2.50'] 'n':1; 0 [null,null] 'n':2"
                                 : "0 ['Rome','2.50'] 'n':1; 0 [null,null] 'n':1",
                            keep ? "3,3,0,0,0,0,0" : "3,2,1,0,0,0,0");
            case_close(&c);
        }
}

static const char *const NOT_UNDERSTOOD[] = {
    "[]",
    "{'source':{'time':{'field':'t'}},'window':'none','values':{}}",
    "{'source':{'time':{'field':'t','format':'ms'}},'window':'week','values':{}}",
    "{'source':{'time':{'field':'t','format':'ms'}},'window':'none','key':['x'],'values':{}}",
    "{'source':{'time':{'field':'t','format':'ms'}},'window':'none','values':{'a':{'sum':'x'}}}",
    "{'source':{'time':{'field':'t','format':'ms'}},'window':'none','where':['t','~',1],"
    "'values':{}}",
    "{'source':{'time':{'field':'t','format':'ms'}},'window':'none','where':['t','=','x'],"
    "'values':{}}",
};

Test(oracle_fields, a_plan_that_it_does_not_understand_is_refused)
{
    struct oracle_case c;
    case_log(&c, 1);
    for (size_t i = 0; i < sizeof NOT_UNDERSTOOD / sizeof *NOT_UNDERSTOOD; i++) {
        struct err err = {0};
        char *plan = quoted(NOT_UNDERSTOOD[i]);
        int rc = oracle_open(bytes_of(plan), c.directory, c.log, "t", &c.oracle, &err);
        cr_expect_eq(rc, ERR_USAGE, "%s", NOT_UNDERSTOOD[i]);
        c.oracle = rc == 0 ? c.oracle : NULL;
        free(plan);
    }
    case_close(&c);
}
