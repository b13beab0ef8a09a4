/* bench/bench_scan.c - what taking 3 of 7 fields out of an event costs, by jansson and by the
 * scanner.
 *
 * The events are those of the Yahoo streaming benchmark (flat, all values strings, 253 bytes on
 * average), 50 MB of them, so that they come from memory and not from the cache. */
#include <jansson.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/base/stop.h"
#include "common/event/scan.h"

enum { EVENTS = 200000, ROUNDS = 7, SEED = 7, FIELDS = 3, IDS = 100, ADS = 1000 };

static const char *const NAMES[FIELDS] = {"event_time", "ad_id", "event_type"};

struct scan_bench {
    struct buf text;
    struct bytes *events;
    struct field fields[FIELDS];
    struct schema schema;
    struct scanner *plain, *mask, *best;
    struct columns *columns;
};

static void add_uuid(struct buf *out, uint64_t seed, uint64_t n)
{
    uint64_t a = rng_mix(seed, 2 * n), b = rng_mix(seed, 2 * n + 1);
    buf_printf(out, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(a >> 32),
               (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xffff), (unsigned)(b >> 48),
               (unsigned long long)(b & 0xffffffffffff));
}

static void add_event(struct buf *out, struct rng *rng, uint64_t n)
{
    static const char *const TYPES[] = {"banner", "modal", "sponsored-search", "mail", "mobile"};
    static const char *const EVENTS_OF[] = {"view", "click", "purchase"};
    buf_add_text(out, "{\"user_id\": \"");
    add_uuid(out, 1, rng_below(rng, IDS));
    buf_add_text(out, "\", \"page_id\": \"");
    add_uuid(out, 2, rng_below(rng, IDS));
    buf_add_text(out, "\", \"ad_id\": \"");
    add_uuid(out, 3, rng_below(rng, ADS));
    buf_printf(out, "\", \"ad_type\": \"%s\", \"event_type\": \"%s\", \"event_time\": \"%lld\"",
               TYPES[rng_below(rng, 5)], EVENTS_OF[rng_below(rng, 3)],
               1431100800000LL + (long long)n / 10);
    buf_add_text(out, ", \"ip_address\": \"1.2.3.4\"}");
}

static void make_events(struct scan_bench *bench)
{
    struct rng rng;
    size_t *begin = mem_alloc((EVENTS + 1) * sizeof *begin);
    rng_init(&rng, SEED);
    for (uint64_t n = 0; n < EVENTS; n++) {
        begin[n] = bench->text.len;
        add_event(&bench->text, &rng, n);
    }
    begin[EVENTS] = bench->text.len;
    bench->events = mem_alloc(EVENTS * sizeof *bench->events);
    for (int n = 0; n < EVENTS; n++)
        bench->events[n] = (struct bytes){bench->text.ptr + begin[n], begin[n + 1] - begin[n]};
    free(begin);
}

static void make_scanners(struct scan_bench *bench)
{
    static const enum field_type TYPES[FIELDS] = {FIELD_TIME, FIELD_STRING, FIELD_STRING};
    for (int i = 0; i < FIELDS; i++) {
        bench->fields[i] = (struct field){.name = NAMES[i], .type = TYPES[i], .paths = 1};
        field_path_parse(NAMES[i], &bench->fields[i].path[0]);
    }
    bench->schema = (struct schema){bench->fields, FIELDS, FIELDS};
    bench->plain = scanner_new(&bench->schema, SCAN_PLAIN);
    bench->mask = scanner_new(&bench->schema, SCAN_MASK);
    bench->best = scanner_new(&bench->schema, SCAN_BEST);
    bench->columns = columns_new(&bench->schema);
}

static void release(struct scan_bench *bench)
{
    scanner_free(bench->plain);
    scanner_free(bench->mask);
    scanner_free(bench->best);
    columns_free(bench->columns);
    free(bench->events);
    buf_release(&bench->text);
}

/* The contenders. Each returns the sum of the taken fields' lengths, so that no work can be left
 * out; the batch, which makes a number of the time, adds 13 for it. */
static size_t run_jansson(struct scan_bench *bench)
{
    size_t sum = 0;
    for (int n = 0; n < EVENTS; n++) {
        json_t *json = json_loadb(bench->events[n].ptr, bench->events[n].len, 0, NULL);
        for (int i = 0; i < FIELDS; i++)
            sum += json_string_length(json_object_get(json, NAMES[i]));
        json_decref(json);
    }
    return sum;
}

static size_t run_raw(struct scan_bench *bench, struct scanner *scanner)
{
    struct raw_value value[FIELDS];
    size_t sum = 0;
    for (int n = 0; n < EVENTS; n++) {
        scanner_raw(scanner, bench->events[n], value, NULL);
        for (int i = 0; i < FIELDS; i++)
            sum += value[i].text.len;
    }
    return sum;
}

static size_t run_plain(struct scan_bench *bench)
{
    return run_raw(bench, bench->plain);
}

static size_t run_mask(struct scan_bench *bench)
{
    return run_raw(bench, bench->mask);
}

static size_t run_best(struct scan_bench *bench)
{
    return run_raw(bench, bench->best);
}

static size_t run_batch(struct scan_bench *bench)
{
    enum { BATCH = 1000, TIME_DIGITS = 13 };
    const struct columns *columns = bench->columns;
    size_t sum = 0;
    for (int n = 0; n < EVENTS; n += BATCH) {
        scanner_batch(bench->best, bench->events + n, BATCH, bench->columns);
        for (int row = 0; row < BATCH; row++)
            if (columns->bad[row] == BAD_NOT && columns->column[0].i64[row] > 0)
                sum +=
                    TIME_DIGITS + columns->column[1].str[row].len + columns->column[2].str[row].len;
    }
    return sum;
}

static const struct contender {
    const char *name;
    size_t (*run)(struct scan_bench *bench);
} CONTENDERS[] = {
    {"jansson DOM, 3 fields got", run_jansson},
    {"scanner, plain C", run_plain},
    {"scanner, masks", run_mask},
    {"scanner, best (shape guessed)", run_best},
    {"scanner, best, typed columns", run_batch},
};
enum { CONTENDER_COUNT = sizeof CONTENDERS / sizeof *CONTENDERS };

static bool same_fields(struct scanner *scanner, struct bytes event, const json_t *json)
{
    struct raw_value value[FIELDS];
    if (scanner_raw(scanner, event, value, NULL) != BAD_NOT)
        return false;
    for (int i = 0; i < FIELDS; i++) {
        const json_t *want = json_object_get(json, NAMES[i]);
        struct bytes text = {json_string_value(want), json_string_length(want)};
        if (value[i].kind != RAW_STRING || !bytes_equal(value[i].text, text))
            return false;
    }
    return true;
}

static int check(struct scan_bench *bench, struct err *err)
{
    for (int n = 0; n < EVENTS && !stop_asked(); n++) {
        json_t *json = json_loadb(bench->events[n].ptr, bench->events[n].len, 0, NULL);
        bool same = json && same_fields(bench->plain, bench->events[n], json) &&
                    same_fields(bench->mask, bench->events[n], json) &&
                    same_fields(bench->best, bench->events[n], json);
        json_decref(json);
        if (!same)
            return err_set(err, ERR_CHECK, "bench scan: event %d read differently", n);
    }
    return 0;
}

static int measure(struct scan_bench *bench, double *ns, struct err *err)
{
    size_t want = 0;
    for (int i = 0; i < ROUNDS * CONTENDER_COUNT; i++) {
        int c = i % CONTENDER_COUNT;
        if (stop_asked())
            return err_set(err, ERR_INTERRUPTED, "interrupted");
        int64_t begin = clock_cpu_ns();
        size_t sum = CONTENDERS[c].run(bench);
        double took = (double)(clock_cpu_ns() - begin) / EVENTS;
        if (i == 0)
            want = sum;
        if (sum != want)
            return err_set(err, ERR_CHECK, "bench scan: %s gave another sum", CONTENDERS[c].name);
        if (i < CONTENDER_COUNT || took < ns[c])
            ns[c] = took;
    }
    return 0;
}

int bench_scan(FILE *out, struct err *err)
{
    struct scan_bench bench = {0};
    double ns[CONTENDER_COUNT] = {0};
    make_events(&bench);
    make_scanners(&bench);
    int code = check(&bench, err);
    if (code == 0)
        code = measure(&bench, ns, err);
    if (code == 0) {
        fprintf(out, "3 of 7 fields, %d ads events of %.0f bytes, best of %d interleaved rounds\n",
                EVENTS, (double)bench.text.len / EVENTS, ROUNDS);
        for (int c = 0; c < CONTENDER_COUNT; c++)
            fprintf(out, "%-32s %8.1f CPU ns/event %8.1fx jansson\n", CONTENDERS[c].name, ns[c],
                    ns[0] / ns[c]);
    }
    release(&bench);
    return code;
}
