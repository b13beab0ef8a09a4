/* bench/drift_library.c - differences of one line between batch and speed layer, as people make them.
 *
 * The plan is the demo's with what such accidents need: an id and copies (dedupe), flights that were
 * cancelled and so have no delay, a filter, and a condition on texts. */
#include "bench/drift.h"

#include <stddef.h>

const char DRIFT_PLAN[] =
    "{\"view\":\"%s\","
    "\"source\":{\"time\":{\"field\":\"departure\",\"format\":\"%%Y-%%m-%%dT%%H:%%MZ\"},"
    "\"fields\":{\"id\":\"int\",\"delay\":{\"type\":\"int\",\"optional\":true},\"distance\":"
    "\"int\","
    "\"origin\":\"string\",\"destination\":\"string\"}},"
    "\"where\":[\"distance\",\">=\",200],"
    "\"dedupe\":{\"by\":\"id\",\"horizon\":\"2h\"},"
    "\"key\":[\"origin\"],\"window\":{\"tumbling\":\"1h\"},\"allowed_lateness\":\"30m\","
    "\"values\":{\"flights\":\"count\",\"late\":{\"count\":true,\"where\":[\"delay\",\">\",15]},"
    "\"mean_delay\":{\"avg\":\"delay\"},\"miles\":{\"sum\":\"distance\"},"
    "\"west\":{\"count\":true,\"where\":[\"destination\",\"in\",[\"LAX\",\"SFO\",\"SEA\"]]},"
    "\"worst\":{\"max\":\"delay\"}},\"speed\":%s}";

const struct drift DRIFTS[] = {
    {"threshold", "the threshold of \"late\" was raised from 10 to 15 minutes in the batch alone",
     "{\"values\":{\"late\":{\"count\":true,\"where\":[\"delay\",\">\",10]}}}"},
    {"less-or-equal", "\"late\" is >= 15 here, > 15 there",
     "{\"values\":{\"late\":{\"count\":true,\"where\":[\"delay\",\">=\",15]}}}"},
    {"time-zone", "local time read as UTC: every event an hour off",
     "{\"source\":{\"time\":{\"shift\":\"1h\"}}}"},
    {"window-edge", "an event on the full hour belongs to the window that ends there",
     "{\"source\":{\"time\":{\"shift\":\"-1ms\"}}}"},
    {"rounding", "delays are cut off to 5 minutes before they are added",
     "{\"source\":{\"fields\":{\"delay\":{\"round\":5}}}}"},
    {"null-as-zero", "a flight without a delay counts as one that was on time",
     "{\"source\":{\"fields\":{\"delay\":{\"default\":0}}}}"},
    {"late-by-one", "allowed lateness is one minute shorter", "{\"allowed_lateness\":\"29m\"}"},
    {"case", "texts are compared with their lower-case forms",
     "{\"values\":{\"west\":{\"count\":true,\"where\":[\"destination\",\"in\",[\"lax\",\"sfo\","
     "\"sea\"]]}}}"},
    {"dedupe-off", "copies are dropped by the batch only", "{\"dedupe\":\"off\"}"},
    {"short-memory", "ids are forgotten after a minute", "{\"dedupe\":{\"horizon\":\"1m\"}}"},
    {"filter", "the speed layer never got the filter", "{\"where\":null}"},
    {"column", "miles are added up from the wrong column",
     "{\"values\":{\"miles\":{\"sum\":\"id\"}}}"},
    {NULL, NULL, NULL},
};
