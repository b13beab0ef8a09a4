/* tests/common/plan/test_plan_mistakes.c - each rule of the plan format broken once: the exact
 * line. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "tests/common/plan/plans.h"

#define TYPES "a type: int, decimal:S (S digits after the point, 0 to 18), double, string or bool"
#define DURATION "a duration such as 250ms, 10s, 5m, 1h, 7d"
#define OPS "one of = != < <= > >= in prefix exists"
#define FORMS "[FIELD, OP, VALUE], {\"and\": [...]}, {\"or\": [...]} or {\"not\": ...}"
#define EXACT "a field of an exact type: int, decimal:S, string, bool"
#define PRECISION                                                                                  \
    "a whole number from 6 to 12: 2^precision registers of a byte, standard error 1.04 / "         \
    "sqrt(registers)"
#define MERGED                                                                                     \
    "with the batch's: the same aggregate (count and sum are one), of a field of the same scale; " \
    "for distinct, of the same type and precision"
#define VALUE                                                                                      \
    "\"count\" or an object with one of count, sum, min, max, avg, distinct, and maybe where"
#define NUMBER "a field of type int or decimal:S (a sum of doubles would depend on their order)"
#define TIME "\"time\": {\"field\": \"at\", \"format\": \"ms\"}"
#define MEMBERS                                                                                    \
    "one of view, source, lookup, where, dedupe, dedupe_scope, key, window, allowed_lateness, "    \
    "keep, values, speed"
#define TABLE "\"table\": \"t.csv\", \"on\": \"origin\""

/* The base plan with these members changed; the mistakes, one a line. */
static const struct {
    const char *changes, *lines;
} ROWS[] = {
    /* the document */
    {"{\"view\": null}",
     "$.view: found nothing, expected a name [a-z][a-z0-9_]* such as flight_delays"},
    {"{\"view\": \"Flights\"}",
     "$.view: found \"Flights\", expected a name [a-z][a-z0-9_]* such as flight_delays"},
    {"{\"view\": 7}", "$.view: found 7, expected a name [a-z][a-z0-9_]* such as flight_delays"},
    {"{\"view\": \"a:b\"}",
     "$.view: found \"a:b\", expected a name [a-z][a-z0-9_]* such as flight_delays"},
    {"{\"kep\": \"1d\"}",
     "$.kep: found an unknown member, expected " MEMBERS "; did you mean \"keep\"?"},
    {"{\"filter\": []}",
     "$.filter: found an unknown member, expected " MEMBERS "; did you mean \"where\"?"},
    {"{\"zzz zzz\": 1}", "$[\"zzz zzz\"]: found an unknown member, expected " MEMBERS},

    /* speed */
    {"{\"speed\": \"off\"}",
     "$.speed: found \"off\", expected an object such as {\"dedupe\": \"off\"}"},
    {"{\"speed\": {\"key\": [\"ok\"]}}",
     "$.speed.key: found an unknown member, expected one of source, lookup, where, dedupe, "
     "allowed_lateness, values, delivery, state"},
    {"{\"speed\": {\"dedupe\": \"off\", \"lookup\": {\"table\": \"t\"}}}",
     "$.speed.lookup: found {\"table\":\"t\"}, expected a plan that has \"lookup\": only what is "
     "there "
     "can differ\n"
     "$.speed.dedupe: found \"off\", expected a plan that has \"dedupe\": only what is there can "
     "differ"},
    {"{\"speed\": {\"where\": [\"dely\", \">\", 3]}}",
     "$.speed.where[0]: found \"dely\", expected a declared field; did you mean \"delay\"?"},
    {"{\"where\": [\"dely\", \">\", 3], \"speed\": {\"allowed_lateness\": \"soon\"}}",
     "$.where[0]: found \"dely\", expected a declared field; did you mean \"delay\"?\n"
     "$.speed.allowed_lateness: found \"soon\", expected a duration such as 250ms, 10s, 5m, 1h, "
     "7d, "
     "or \"unlimited\""},
    {"{\"keep\": \"2h\", \"speed\": {\"allowed_lateness\": \"90m\"}}",
     "$.speed.keep: found \"2h\", expected at least 150m: window size + out_of_order + "
     "allowed_lateness"},
    {"{\"speed\": {\"delivery\": \"exactly_once\", \"state\": 1}}",
     "$.speed.delivery: found \"exactly_once\", expected \"exactly-once\" or \"at-least-once\" or "
     "\"at-most-once\"; did you mean \"exactly-once\"?\n"
     "$.speed.state: found 1, expected \"durable\" or \"memory\""},
    {"{\"speed\": {\"values\": {\"m\": null, \"n\": {\"max\": \"delay\"}}}}",
     "$.speed.values.m: found no value of the plan, expected the name of one of the plan's values"},
    {"{\"speed\": {\"values\": {\"n\": {\"max\": \"delay\"}}}}",
     "$.speed.values.n: found {\"max\":\"delay\"}, expected a value whose partials can be "
     "merged " MERGED},
    {"{\"speed\": {\"values\": {\"n\": {\"sum\": \"price\"}}}}",
     "$.speed.values.n: found {\"sum\":\"price\"}, expected a value whose partials can be "
     "merged " MERGED},
    {"{\"speed\": {\"source\": {\"time\": {\"shift\": \"an hour\"}, \"max_ahed\": \"1d\"}}}",
     "$.speed.source.max_ahed: found an unknown member, expected one of out_of_order, max_ahead, "
     "time, fields; did you mean \"max_ahead\"?\n"
     "$.speed.source.time.shift: found \"an hour\", expected a duration such as 1h, or -1h for "
     "earlier"},
    {"{\"speed\": {\"source\": {\"fields\": {\"delay\": {\"default\": 0}, \"share\": {\"round\": "
     "1}, \"price\": {\"round\": 0}, \"origin\": {}, \"at\": {}, \"x\": {}}}}}",
     "$.speed.source.fields.delay.default: found 0, expected an optional field: no other is ever "
     "absent\n"
     "$.speed.source.fields.share.round: found \"share\" of type double, expected a field of type "
     "int or decimal:S\n"
     "$.speed.source.fields.price.round: found 0, expected a number above 0: values are cut off to "
     "a multiple of it\n"
     "$.speed.source.fields.origin: found a field that names events (key, dedupe, look-up), "
     "expected "
     "another one: key and names are the same in all layers\n"
     "$.speed.source.fields.at: found the event time, expected {\"time\": {\"shift\": ...}} beside "
     "fields\n"
     "$.speed.source.fields.x: found \"x\", expected a declared field"},

    {"{\"source\": null, \"key\": []}",
     "$.source: found nothing, expected an object with \"time\" and \"fields\""},
    {"{\"window\": null}", "$.window: found nothing, expected {\"tumbling\": \"10s\"}, "
                           "{\"hopping\": [\"10s\", \"2s\"]} or \"none\""},
    {"{\"values\": null}",
     "$.values: found nothing, expected an object of values such as {\"flights\": \"count\"}"},

    /* source */
    {"{\"source\": [], \"key\": []}",
     "$.source: found [], expected an object with \"time\" and \"fields\""},
    {"{\"source\": {}, \"key\": []}",
     "$.source.time: found nothing, expected an object such as {\"field\": \"event_time\", "
     "\"format\": \"ms\"}"},
    {"{\"source\": {\"time\": \"at\"}, \"key\": []}",
     "$.source.time: found \"at\", expected an object such as {\"field\": \"event_time\", "
     "\"format\": \"ms\"}"},
    {"{\"source\": {\"time\": {\"feild\": \"at\", \"format\": \"ms\"}}, \"key\": []}",
     "$.source.time.feild: found an unknown member, expected one of field, format; did you mean "
     "\"field\"?\n"
     "$.source.time.field: found nothing, expected the name of the field that holds the event "
     "time"},
    {"{\"source\": {\"time\": {\"field\": \"a..b\", \"format\": \"ms\"}}, \"key\": []}",
     "$.source.time.field: found \"a..b\", expected a field's name, or a path of at most 8 names "
     "such as bid.at"},
    {"{\"source\": {\"time\": {\"field\": \"at\"}}, \"key\": []}",
     "$.source.time.format: found nothing, expected ms, s, us, rfc3339 or a strptime format"},
    {"{\"source\": {\"time\": {\"field\": \"at\", \"format\": \"millis\"}}, \"key\": []}",
     "$.source.time.format: found \"millis\", expected ms, s, us, rfc3339, or a strptime format "
     "with year, month and day such as %Y-%m-%dT%H:%M:%SZ; did you mean \"ms\"?"},
    {"{\"source\": {\"time\": {\"field\": \"at\", \"format\": \"%H:%M\"}}, \"key\": []}",
     "$.source.time.format: found \"%H:%M\", expected ms, s, us, rfc3339, or a strptime format "
     "with year, month and day such as %Y-%m-%dT%H:%M:%SZ"},
    {"{\"source\": {\"time\": {\"field\": \"at\", \"format\": \"%Y-%m-%d %\"}}, \"key\": []}",
     "$.source.time.format: found \"%Y-%m-%d %\", expected ms, s, us, rfc3339, or a strptime "
     "format with year, month and day such as %Y-%m-%dT%H:%M:%SZ"},
    {"{\"source\": {" TIME ", \"fields\": [\"delay\"]}, \"key\": []}",
     "$.source.fields: found [\"delay\"], expected an object such as {\"delay\": \"int\"}"},
    {"{\"source\": {" TIME ", \"fields\": {\"x\": \"integer\"}}, \"key\": []}",
     "$.source.fields.x: found \"integer\", expected " TYPES "; did you mean \"int\"?"},
    {"{\"source\": {" TIME ", \"fields\": {\"x\": \"decimal\"}}, \"key\": []}",
     "$.source.fields.x: found \"decimal\", expected " TYPES "; did you mean \"decimal:2\"?"},
    {"{\"source\": {" TIME ", \"fields\": {\"x\": \"decimal:19\"}}, \"key\": []}",
     "$.source.fields.x: found \"decimal:19\", expected " TYPES "; did you mean \"decimal:2\"?"},
    {"{\"source\": {" TIME ", \"fields\": {\"x\": \"decimal:-1\"}}, \"key\": []}",
     "$.source.fields.x: found \"decimal:-1\", expected " TYPES "; did you mean \"decimal:2\"?"},
    {"{\"source\": {" TIME ", \"fields\": {\"x\": 3}}, \"key\": []}",
     "$.source.fields.x: found 3, expected " TYPES ", or an object with \"type\""},
    {"{\"source\": {" TIME ", \"fields\": {\"x\": {\"optional\": true}}}, \"key\": []}",
     "$.source.fields.x.type: found nothing, expected " TYPES},
    {"{\"source\": {" TIME ", \"fields\": {\"x\": {\"type\": \"int\", \"defualt\": 1}}}, "
     "\"key\": []}",
     "$.source.fields.x.defualt: found an unknown member, expected one of type, default, optional, "
     "alias; did you mean \"default\"?"},
    {"{\"source\": {" TIME ", \"fields\": {\"x\": {\"type\": \"int\", \"default\": \"0\"}}}, "
     "\"key\": []}",
     "$.source.fields.x.default: found \"0\", expected an integer"},
    {"{\"source\": {" TIME ", \"fields\": {\"x\": {\"type\": \"decimal:1\", \"default\": 0.25}}}, "
     "\"key\": []}",
     "$.source.fields.x.default: found 0.25, expected a number with at most 1 digits after the "
     "point (beyond 15 digits in all: in a string)"},
    {"{\"source\": {" TIME ", \"fields\": {\"x\": {\"type\": \"int\", \"default\": 0, "
     "\"optional\": true}}}, \"key\": []}",
     "$.source.fields.x.optional: found true, expected either \"optional\" or \"default\": a field "
     "with a default is never absent"},
    {"{\"source\": {" TIME ", \"fields\": {\"x\": {\"type\": \"int\", \"optional\": \"yes\"}}}, "
     "\"key\": []}",
     "$.source.fields.x.optional: found \"yes\", expected true or false"},
    {"{\"source\": {" TIME ", \"fields\": {\"x\": {\"type\": \"int\", \"alias\": \"y\"}}}, "
     "\"key\": []}",
     "$.source.fields.x.alias: found \"y\", expected an array of 1 to 8 older names"},
    {"{\"source\": {" TIME ", \"fields\": {\"x\": {\"type\": \"int\", \"alias\": [\"x\", \"\", "
     "\"a.\"]}}}, \"key\": []}",
     "$.source.fields.x.alias[0]: found \"x\", expected another name than the field's\n"
     "$.source.fields.x.alias[1]: found \"\", expected a field's name, or a path of at most 8 "
     "names such as bid.at\n"
     "$.source.fields.x.alias[2]: found \"a.\", expected a field's name, or a path of at most 8 "
     "names such as bid.at"},
    {"{\"source\": {" TIME ", \"fields\": {\"at\": \"int\"}}, \"key\": []}",
     "$.source.fields.at: found the field of the event time again, expected each field once: this "
     "one has a type already"},
    {"{\"source\": {" TIME ", \"fields\": {\"a.b.c.d.e.f.g.h.i\": \"int\"}}, \"key\": []}",
     "$.source.fields[\"a.b.c.d.e.f.g.h.i\"]: found no path, expected a field's name, or a path of "
     "at most 8 names such as bid.at"},
    {"{\"source\": {" TIME ", \"out_of_order\": \"unlimited\"}, \"key\": []}",
     "$.source.out_of_order: found \"unlimited\", expected " DURATION},
    {"{\"source\": {" TIME ", \"max_ahead\": \"1 day\"}, \"key\": []}",
     "$.source.max_ahead: found \"1 day\", expected " DURATION ", or \"unlimited\""},

    /* where */
    {"{\"where\": \"delay > 3\"}", "$.where: found \"delay > 3\", expected " FORMS},
    {"{\"where\": {}}", "$.where: found {}, expected " FORMS},
    {"{\"where\": {\"and\": []}}",
     "$.where.and: found [], expected an array of 1 to 10000 conditions"},
    {"{\"where\": {\"nor\": []}}",
     "$.where.nor: found an unknown member, expected one of and, or, not; did you mean \"or\"?"},
    {"{\"where\": {\"and\": [[\"delay\", \">\", 1]], \"or\": [[\"delay\", \">\", 1]]}}",
     "$.where: found {\"and\":[[\"delay\",\">\",1]],\"or\":[[\"delay\",\">\",1]]}, "
     "expected " FORMS},
    {"{\"where\": [\"delay\"]}", "$.where: found [\"delay\"], expected " FORMS},
    {"{\"where\": [\"delay\", \">\"]}", "$.where[2]: found nothing, expected what to compare with"},
    {"{\"where\": [\"dealy\", \">\", 1]}",
     "$.where[0]: found \"dealy\", expected a declared field; did you mean \"delay\"?"},
    {"{\"where\": [3, \">\", 1]}", "$.where[0]: found 3, expected a declared field"},
    {"{\"where\": [\"delay\", \"==\", 1]}",
     "$.where[1]: found \"==\", expected " OPS "; did you mean \"=\"?"},
    {"{\"where\": [\"delay\", \"<>\", 1]}",
     "$.where[1]: found \"<>\", expected " OPS "; did you mean \"!=\"?"},
    {"{\"where\": [\"delay\", \"~\", 1]}", "$.where[1]: found \"~\", expected " OPS},
    {"{\"where\": [\"delay\", \">\", 1.5]}", "$.where[2]: found 1.5, expected an integer"},
    {"{\"where\": [\"delay\", \">\", \"delays\"]}",
     "$.where[2]: found \"delays\", expected an integer, or another field of type int; did you "
     "mean \"delay\"?"},
    {"{\"where\": [\"delay\", \">\", {\"literal\": \"delay\"}]}",
     "$.where[2]: found \"delay\", expected an integer"},
    {"{\"where\": [\"delay\", \"=\", \"origin\"]}",
     "$.where[2]: found \"origin\" of type string, expected a field of the same type as delay, "
     "int"},
    {"{\"where\": [\"price\", \"=\", \"delay\"]}",
     "$.where[2]: found \"delay\" of type int, expected a field of the same type as price, "
     "decimal:2"},
    {"{\"where\": [\"price\", \"=\", 0.001]}",
     "$.where[2]: found 0.001, expected a number with at most 2 digits after the point (beyond 15 "
     "digits in all: in a string)"},
    {"{\"where\": [\"price\", \"=\", \"1.234\"]}",
     "$.where[2]: found \"1.234\", expected a number with at most 2 digits after the point (beyond "
     "15 digits in all: in a string)"},
    {"{\"source\": {" TIME
     ", \"fields\": {\"a\": \"decimal:1\", \"b\": \"decimal:2\"}}, \"key\": [], "
     "\"where\": [\"a\", \"=\", \"b\"]}",
     "$.where[2]: found \"b\" of type decimal:2, expected a field of the same type as a, "
     "decimal:1"},
    {"{\"where\": [\"price\", \"=\", \"1.\"]}",
     "$.where[2]: found \"1.\", expected a number with at most 2 digits after the point (beyond 15 "
     "digits in all: in a string)"},
    {"{\"where\": [\"price\", \"=\", 99999999999999999]}",
     "$.where[2]: found 99999999999999999, expected a number with at most 2 digits after the point "
     "(beyond 15 digits in all: in a string)"},
    {"{\"where\": [\"origin\", \"=\", 5]}", "$.where[2]: found 5, expected a text"},
    {"{\"where\": [\"ok\", \"=\", 1]}", "$.where[2]: found 1, expected true or false"},
    {"{\"where\": [\"ok\", \"<\", true]}",
     "$.where[1]: found \"ok\" of type bool, expected = or != after a bool, which has no order"},
    {"{\"where\": [\"delay\", \"prefix\", \"1\"]}",
     "$.where[1]: found \"delay\" of type int, expected a field of type string before prefix"},
    {"{\"where\": [\"origin\", \"prefix\", \"destination\"]}",
     "$.where[2]: found \"destination\" of type string, expected a constant text; if the word is "
     "meant, {\"literal\": \"destination\"}"},
    {"{\"where\": [\"delay\", \"in\", 3]}",
     "$.where[2]: found 3, expected an array of 1 to 10000 constants after \"in\""},
    {"{\"where\": [\"delay\", \"in\", []]}",
     "$.where[2]: found [], expected an array of 1 to 10000 constants after \"in\""},
    {"{\"where\": [\"delay\", \"in\", [1, \"2\", null]]}",
     "$.where[2][1]: found \"2\", expected an integer\n"
     "$.where[2][2]: found null, expected an integer"},
    {"{\"where\": [\"delay\", \"exists\", 1]}",
     "$.where[2]: found 1, expected true, false or nothing after \"exists\""},
    {"{\"where\": {\"not\": {\"or\": [[\"delay\", \">\", 1], [\"x\", \"=\", 1]]}}}",
     "$.where.not.or[1][0]: found \"x\", expected a declared field"},

    /* lookup, dedupe */
    {"{\"lookup\": \"t.csv\"}", "$.lookup: found \"t.csv\", expected an object with \"table\", "
                                "\"on\", \"take\" and \"missing\""},
    {"{\"lookup\": {}}", "$.lookup.table: found nothing, expected the table's file\n"
                         "$.lookup.on: found nothing, expected the field that finds a row of the "
                         "table\n"
                         "$.lookup.take: found nothing, expected an array of columns of the table"},
    {"{\"lookup\": {\"table\": \"t.csv\", \"on\": \"price\", \"take\": [\"c\"]}}",
     "$.lookup.on: found \"price\" of type decimal:2, expected a declared field of type string or "
     "int"},
    {"{\"lookup\": {" TABLE ", \"take\": []}}",
     "$.lookup.take: found [], expected an array of 1 to 8 columns of the table"},
    {"{\"lookup\": {" TABLE ", \"take\": [\"c\", \"c\", \"delay\", 1]}}",
     "$.lookup.take[1]: found \"c\", expected a new name: a field of the event, or one taken "
     "already, has this one\n"
     "$.lookup.take[2]: found \"delay\", expected a new name: a field of the event, or one taken "
     "already, has this one\n"
     "$.lookup.take[3]: found 1, expected the name of a column of the table"},
    {"{\"lookup\": {" TABLE ", \"take\": [\"c\"], \"missing\": \"dorp\"}}",
     "$.lookup.missing: found \"dorp\", expected \"drop\" or \"keep\"; did you mean \"drop\"?"},
    {"{\"lookup\": {" TABLE ", \"take\": [\"c\"]}, \"where\": [\"c\", \"=\", \"x\"]}",
     "$.where[0]: found \"c\", expected a declared field that stands in the event: what the "
     "look-up takes is known only later"},
    {"{\"lookup\": {" TABLE ", \"take\": [\"c\"]}, \"where\": [\"origin\", \"=\", \"c\"]}",
     "$.where[2]: found \"c\", expected a field that stands in the event (what the look-up takes "
     "is "
     "known only later); if the word is meant, {\"literal\": \"c\"}"},
    {"{\"dedupe\": \"origin\"}", "$.dedupe: found \"origin\", expected an object such as {\"by\": "
                                 "\"id\", \"horizon\": \"10m\"}"},
    {"{\"dedupe\": {\"by\": \"origin\"}}",
     "$.dedupe.horizon: found nothing, expected how long ids are remembered, such as 10m"},
    {"{\"dedupe\": {\"by\": \"share\", \"horizon\": \"0s\"}}",
     "$.dedupe.by: found \"share\" of type double, expected a field of an exact type: int, "
     "decimal, string, bool\n"
     "$.dedupe.horizon: found \"0s\", expected a duration above 0s and at most 36500d"},
    {"{\"dedupe_scope\": \"partition\"}",
     "$.dedupe_scope: found \"partition\", expected a valid \"dedupe\" beside it"},
    {"{\"dedupe\": {\"by\": \"origin\", \"horizon\": \"1m\"}, \"dedupe_scope\": \"partitions\"}",
     "$.dedupe_scope: found \"partitions\", expected \"partition\"; did you mean \"partition\"?"},

    /* key */
    {"{\"key\": \"origin\"}", "$.key: found \"origin\", expected an array of 0 to 8 fields"},
    {"{\"key\": [\"orign\", \"origin\", \"origin\", \"share\"]}",
     "$.key[0]: found \"orign\", expected a declared field; did you mean \"origin\"?\n"
     "$.key[2]: found \"origin\", expected each field once\n"
     "$.key[3]: found \"share\" of type double, expected a field of an exact type: int, decimal:S, "
     "string, bool"},

    /* window, lateness, keep */
    {"{\"window\": \"non\"}", "$.window: found \"non\", expected {\"tumbling\": \"10s\"}, "
                              "{\"hopping\": [\"10s\", \"2s\"]} or \"none\"; did you mean "
                              "\"none\"?"},
    {"{\"window\": {\"tumbling\": \"1x\"}}", "$.window.tumbling: found \"1x\", expected " DURATION},
    {"{\"window\": {\"tumbling\": 10}}", "$.window.tumbling: found 10, expected " DURATION},
    {"{\"window\": {\"tumbling\": \"0s\"}}",
     "$.window.tumbling: found \"0s\", expected a duration above 0s and at most 36500d"},
    {"{\"window\": {\"sliding\": [\"10s\", \"2s\"]}}",
     "$.window.sliding: found an unknown member, expected one of tumbling, hopping, session; did "
     "you mean \"hopping\"?"},
    {"{\"window\": {\"session\": \"10s\"}}",
     "$.window.session: found a session window, expected tumbling, hopping or none: sessions come "
     "later"},
    {"{\"window\": {\"hopping\": \"10s\"}}",
     "$.window.hopping: found \"10s\", expected [SIZE, HOP] such as [\"10s\", \"2s\"]"},
    {"{\"window\": {\"hopping\": [\"10s\", \"11s\"]}}",
     "$.window.hopping[1]: found \"11s\", expected a hop of at most the size: events between two "
     "windows would be lost"},
    {"{\"window\": {\"hopping\": [\"10s\", \"0s\"]}}",
     "$.window.hopping[1]: found \"0s\", expected a duration above 0s and at most 36500d"},
    {"{\"window\": {\"hopping\": [\"11s\", \"1ms\"]}}",
     "$.window.hopping[1]: found \"1ms\", expected a hop whose greatest common divisor with the "
     "size is at least 1/10000 of the size"},
    {"{\"allowed_lateness\": \"-1s\"}",
     "$.allowed_lateness: found \"-1s\", expected " DURATION ", or \"unlimited\""},
    {"{\"allowed_lateness\": \"36501d\"}",
     "$.allowed_lateness: found \"36501d\", expected a duration of at most 36500d"},
    {"{\"keep\": \"unlimitd\"}", "$.keep: found \"unlimitd\", expected " DURATION
                                 ", or \"unlimited\"; did you mean \"unlimited\"?"},
    {"{\"keep\": \"0s\"}", "$.keep: found \"0s\", expected a duration above 0s and at most 36500d"},
    {"{\"allowed_lateness\": \"30m\", \"keep\": \"89m\"}",
     "$.keep: found \"89m\", expected at least 90m: window size + out_of_order + "
     "allowed_lateness"},
    {"{\"window\": \"none\", \"keep\": \"1d\"}",
     "$.keep: found \"1d\", expected no keep where there is no window, or \"unlimited\""},

    /* values */
    {"{\"values\": {}}", "$.values: found {}, expected an object of 1 to 32 values such as "
                         "{\"flights\": \"count\"}"},
    {"{\"values\": {\"N\": \"count\", \"key\": \"count\", \"window\": \"count\"}}",
     "$.values.N: found this name, expected a name [a-z][a-z0-9_]* such as flights\n"
     "$.values.key: found this name, expected another name: each row has window and key already\n"
     "$.values.window: found this name, expected another name: each row has window and key "
     "already"},
    {"{\"values\": {\"n\": \"cuont\"}}",
     "$.values.n: found \"cuont\", expected " VALUE "; did you mean \"count\"?"},
    {"{\"values\": {\"n\": \"max\"}}",
     "$.values.n: found \"max\", expected \"count\" or {\"max\": FIELD}"},
    {"{\"values\": {\"n\": 1}}", "$.values.n: found 1, expected " VALUE},
    {"{\"values\": {\"n\": {}}}", "$.values.n: found {}, expected " VALUE},
    {"{\"values\": {\"n\": {\"count\": false}}}", "$.values.n.count: found false, expected true"},
    {"{\"values\": {\"n\": {\"mean\": \"delay\"}}}",
     "$.values.n.mean: found an unknown member, expected " VALUE "; did you mean \"avg\"?"},
    {"{\"values\": {\"n\": {\"min\": \"delay\", \"max\": \"delay\"}}}",
     "$.values.n: found {\"min\":\"delay\",\"max\":\"delay\"}, expected " VALUE},
    {"{\"values\": {\"n\": {\"where\": [\"ok\", \"=\", true]}}}",
     "$.values.n: found {\"where\":[\"ok\",\"=\",true]}, expected " VALUE},
    {"{\"values\": {\"n\": {\"sum\": \"share\"}}}",
     "$.values.n.sum: found \"share\" of type double, expected " NUMBER},
    {"{\"values\": {\"n\": {\"avg\": \"share\"}}}",
     "$.values.n.avg: found \"share\" of type double, expected " NUMBER},
    {"{\"values\": {\"n\": {\"max\": \"origin\"}}}",
     "$.values.n.max: found \"origin\" of type string, expected a field of type int, decimal:S or "
     "double"},
    {"{\"values\": {\"n\": {\"distinct\": \"share\"}}}",
     "$.values.n.distinct: found \"share\" of type double, expected " EXACT},
    {"{\"values\": {\"n\": {\"distinct\": \"at\"}}}",
     "$.values.n.distinct: found \"at\" of type time, expected " EXACT},
    {"{\"values\": {\"n\": \"distinct\"}}",
     "$.values.n: found \"distinct\", expected \"count\" or {\"distinct\": FIELD}"},
    {"{\"values\": {\"n\": {\"distinct\": \"origin\", \"precision\": 5}}}",
     "$.values.n.precision: found 5, expected " PRECISION},
    {"{\"values\": {\"n\": {\"distinct\": \"origin\", \"precision\": 13}}}",
     "$.values.n.precision: found 13, expected " PRECISION},
    {"{\"values\": {\"n\": {\"precision\": 10.5, \"distinct\": \"origin\"}}}",
     "$.values.n.precision: found 10.5, expected " PRECISION},
    {"{\"values\": {\"n\": {\"distinct\": \"origin\", \"precision\": \"10\"}}}",
     "$.values.n.precision: found \"10\", expected " PRECISION},
    {"{\"values\": {\"n\": {\"sum\": \"delay\", \"precision\": 10}}}",
     "$.values.n.precision: found a precision, expected it with \"distinct\" only: all others are "
     "exact"},
    {"{\"values\": {\"n\": {\"distnct\": \"origin\", \"precision\": 10}}}",
     "$.values.n.distnct: found an unknown member, expected " VALUE "; did you mean \"distinct\"?"},
    {"{\"values\": {\"a\": {\"distinct\": \"origin\", \"precision\": 12}, \"b\": {\"distinct\": "
     "\"origin\", \"precision\": 12}, \"c\": {\"distinct\": \"origin\", \"precision\": 12}, \"d\": "
     "{\"distinct\": \"origin\", \"precision\": 12}, \"e\": \"count\"}}",
     "$.values: found cells of 16400 bytes, expected 16384 bytes at most: fewer distinct values, "
     "or "
     "less precision"},
    {"{\"values\": {\"n\": {\"distinct\": \"origin\"}}, \"speed\": {\"values\": {\"n\": "
     "{\"distinct\": \"origin\", \"precision\": 8}}}}",
     "$.speed.values.n: found {\"distinct\":\"origin\",\"precision\":8}, expected a value whose "
     "partials can be merged " MERGED},
    {"{\"values\": {\"n\": {\"distinct\": \"origin\"}}, \"speed\": {\"values\": {\"n\": "
     "{\"distinct\": \"delay\"}}}}",
     "$.speed.values.n: found {\"distinct\":\"delay\"}, expected a value whose partials can be "
     "merged " MERGED},
    {"{\"values\": {\"n\": {\"max\": \"at\"}}}",
     "$.values.n.max: found \"at\" of type time, expected a field of type int, decimal:S or "
     "double"},
    {"{\"values\": {\"n\": {\"min\": \"dlay\"}}}",
     "$.values.n.min: found \"dlay\", expected a field of type int, decimal:S or double; did you "
     "mean \"delay\"?"},
    {"{\"values\": {\"n\": {\"count\": true, \"where\": [\"delay\", \">\", \"x\"]}}}",
     "$.values.n.where[2]: found \"x\", expected an integer, or another field of type int"},

    /* what follows from a mistake is no mistake of its own */
    {"{\"source\": {" TIME ", \"fields\": {\"x\": \"integer\", \"y\": \"int\"}}, \"key\": [\"x\"], "
     "\"where\": {\"and\": [[\"x\", \">\", 1.5], [\"x\", \"=\", \"y\"], [\"y\", \"=\", \"x\"]]}, "
     "\"values\": {\"n\": {\"sum\": \"x\"}}}",
     "$.source.fields.x: found \"integer\", expected " TYPES "; did you mean \"int\"?"},
    /* several at once, in the order in which a plan is read */
    {"{\"view\": 1, \"windw\": {\"tumbling\": \"1h\"}, \"where\": [\"dely\", \">\", 3], "
     "\"window\": null, \"key\": [\"x\"], \"values\": {\"n\": {\"sum\": \"origin\"}}}",
     "$.windw: found an unknown member, expected " MEMBERS "; did you mean \"window\"?\n"
     "$.view: found 1, expected a name [a-z][a-z0-9_]* such as flight_delays\n"
     "$.where[0]: found \"dely\", expected a declared field; did you mean \"delay\"?\n"
     "$.key[0]: found \"x\", expected a declared field\n"
     "$.window: found nothing, expected {\"tumbling\": \"10s\"}, {\"hopping\": [\"10s\", \"2s\"]} "
     "or \"none\"\n"
     "$.values.n.sum: found \"origin\" of type string, expected " NUMBER},
};

Test(plan_mistakes, each_broken_rule_is_said_with_path_found_and_expected)
{
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct buf mistakes = {0}, wanted = {0};
        char *text = plans_changed(ROWS[i].changes);
        struct plan *plan = plans_parse(text, &mistakes);
        buf_printf(&wanted, "%s\n", ROWS[i].lines);
        cr_expect_null(plan, "%s", ROWS[i].changes);
        cr_expect_str_eq(mistakes.ptr ? mistakes.ptr : "", wanted.ptr,
                         "%s\n--- found:\n%s--- expected:\n%s", ROWS[i].changes, mistakes.ptr,
                         wanted.ptr);
        plan_free(plan);
        buf_release(&mistakes);
        buf_release(&wanted);
        free(text);
    }
}

/* Text that is no JSON object at all. */
static const struct {
    const char *text, *line;
} BROKEN[] = {
    {"", "$: found broken JSON in line 1, column 0 ('[' or '{' expected near end of file), "
         "expected one JSON object with the plan\n"},
    {"{\n \"view\": }", "$: found broken JSON in line 2, column 10 (unexpected token near '}'), "
                        "expected one JSON object with the plan\n"},
    {"{\"view\": \"v\", \"view\": \"w\"}",
     "$: found broken JSON in line 1, column 20 (duplicate object key near '\"view\"'), expected "
     "one JSON object with the plan\n"},
    {"[1]", "$: found [1], expected one JSON object with the plan\n"},
    {"{} {}", "$: found broken JSON in line 1, column 4 (end of file expected near '{'), expected "
              "one JSON object with the plan\n"},
};

Test(plan_mistakes, broken_json_is_said_with_its_line_and_column)
{
    for (size_t i = 0; i < sizeof BROKEN / sizeof *BROKEN; i++) {
        struct buf mistakes = {0};
        cr_expect_null(plans_parse(BROKEN[i].text, &mistakes));
        cr_expect_str_eq(mistakes.ptr, BROKEN[i].line);
        buf_release(&mistakes);
    }
}

Test(plan_mistakes, long_values_are_shown_short_and_whole_characters)
{
    struct buf mistakes = {0};
    char *text = plans_changed("{\"view\": \"xääääääääääääääääääääääääääääääääääääääääää\"}");
    cr_expect_null(plans_parse(text, &mistakes));
    cr_expect_str_eq(mistakes.ptr,
                     "$.view: found \"xäääääääääääääääääääääääääääää\"..., expected a name "
                     "[a-z][a-z0-9_]* such as flight_delays\n");
    buf_release(&mistakes);
    free(text);
}

Test(plan_mistakes, names_with_line_breaks_stay_on_one_line)
{
    struct buf mistakes = {0};
    struct plan *plan;
    char *text = plans_changed("{\"a\\nb\": 1}");
    cr_expect_eq(plan_parse(bytes_of(text), NULL, false, &plan, &mistakes, NULL), ERR_USAGE);
    cr_expect_eq(strchr(mistakes.ptr, '\n'), mistakes.ptr + mistakes.len - 1);
    buf_release(&mistakes);
    free(text);
}

Test(plan_mistakes, conditions_nested_too_deep_are_refused_and_not_followed)
{
    struct buf text = {0}, mistakes = {0};
    buf_add_text(&text, "{\"where\": ");
    for (int i = 0; i < 40; i++)
        buf_add_text(&text, "{\"not\": ");
    buf_add_text(&text, "[\"delay\", \">\", 1]");
    for (int i = 0; i < 41; i++)
        buf_add_char(&text, '}');
    char *plan = plans_changed(text.ptr);
    cr_expect_null(plans_parse(plan, &mistakes));
    cr_expect(strstr(mistakes.ptr, "expected conditions nested at most 32 deep\n"), "%s",
              mistakes.ptr);
    buf_release(&text);
    buf_release(&mistakes);
    free(plan);
}

/* member: {"f0": item, "f1": item ...} */
static void expect_too_many(const char *begin, const char *item, const char *end, int count,
                            const char *wanted)
{
    struct buf text = {0}, mistakes = {0};
    buf_add_text(&text, begin);
    for (int i = 0; i < count; i++)
        buf_printf(&text, "%s\"f%d\": %s", i ? ", " : "", i, item);
    buf_add_text(&text, end);
    char *plan = plans_changed(text.ptr);
    cr_expect_null(plans_parse(plan, &mistakes));
    cr_expect(strstr(mistakes.ptr, wanted), "%s", mistakes.ptr);
    buf_release(&text);
    buf_release(&mistakes);
    free(plan);
}

Test(plan_mistakes, bounds_on_fields_and_values_hold)
{
    expect_too_many("{\"key\": [], \"source\": {" TIME ", \"fields\": {", "\"int\"", "}}}", 64,
                    "$.source.fields: found an object of 64, expected at most 63 fields\n");
    expect_too_many("{\"values\": {", "\"count\"", "}}", 33,
                    "$.values: found an object of 33, expected an object of 1 to 32 values");
    expect_too_many("{\"key\": [], \"lookup\": {\"table\": \"t\", \"on\": \"f0\", \"take\": "
                    "[\"a\", \"b\"]}, \"source\": {" TIME ", \"fields\": {",
                    "\"int\"", "}}}", 62, "expected at most 64 fields, those of the look-up");
}
