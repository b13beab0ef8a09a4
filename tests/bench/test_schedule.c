/* tests/bench/test_schedule.c - schedules of faults: what is taken, every mistake told with its place, and seeds
 * that decide the same on every machine. */
#include "bench/schedule.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/rng.h"

static const char *const NAMES[] = {"lambda.archive", "lambda.speed", "lambda.redis", "kappa.run",
                                    "kappa.redis",    "generator",    "broker",       NULL};
static const char *const NO_BROKER[] = {"lambda.speed", "lambda.redis", "kappa.run",
                                        "kappa.redis",  "generator",    NULL};

/* A file with ' for ", read; its path in place of the name FILE in mistakes. */
struct reading {
    struct schedule schedule;
    struct buf mistakes;
    struct err err;
    int rc;
};

static void read_bytes(struct reading *reading, struct bytes text, const char *const *names)
{
    char path[] = "/tmp/lk-test-schedule.XXXXXX";
    int fd = mkstemp(path);
    *reading = (struct reading){0};
    cr_assert(fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len);
    close(fd);
    reading->rc = schedule_read(path, names, &reading->schedule, &reading->mistakes, &reading->err);
    unlink(path);
}

static void read_text(struct reading *reading, const char *text)
{
    char *copy = mem_copy_string(text);
    for (char *c = copy; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    read_bytes(reading, bytes_of(copy), NAMES);
    free(copy);
}

static void done(struct reading *reading)
{
    schedule_release(&reading->schedule);
    buf_release(&reading->mistakes);
}

Test(schedule, says_what_at_which_event_to_whom_and_for_how_long)
{
    struct reading r;
    read_text(&r, "[{'at': 17, 'do': 'stop', 'to': ['kappa.run', 'generator'], 'for': '1500ms'},"
                  " {'at': '100..200', 'do': 'kill', 'to': '*.redis', 'appendfsync': 'always'},"
                  " {'at': '25%..60.5%', 'do': 'command', 'to': 'broker', 'command': 'true'}]");
    cr_assert_eq(r.rc, 0, "%s%s", r.err.text, r.mistakes.len ? r.mistakes.ptr : "");
    cr_assert_eq(r.schedule.count, 3);
    const struct fault *f = r.schedule.faults;
    cr_expect(f[0].kind == FAULT_STOP && !f[0].share && f[0].first == 17 && f[0].last == 17);
    cr_expect(f[0].for_ms == 1500 && f[0].pattern_count == 2);
    cr_expect(fault_means(&f[0], "generator") && !fault_means(&f[0], "kappa.redis"));
    cr_expect(f[1].kind == FAULT_KILL && f[1].first == 100 && f[1].last == 200);
    cr_expect_str_eq(f[1].appendfsync, "always");
    cr_expect(fault_means(&f[1], "lambda.redis") && fault_means(&f[1], "kappa.redis"));
    cr_expect(f[2].share && f[2].first == 25 && f[2].last == 60.5);
    cr_expect_str_eq(f[2].command, "true");
    done(&r);
}

/* One mistake each, and what is said of it. */
static const struct {
    const char *text, *said;
} MISTAKES[] = {
    {"{}", "$: found no list, expected a list of faults"},
    {"[]", "$: found an empty one, expected a list of faults"},
    {"[3]", "$[0]: found 3, expected an object such as"},
    {"[{'do': 'kill', 'to': 'kappa.run'}]", "$[0].at: found nothing, expected one"},
    {"[{'at': 1, 'to': 'kappa.run'}]", "$[0].do: found nothing, expected one"},
    {"[{'at': 1, 'do': 'kill'}]", "$[0].to: found nothing, expected one"},
    {"[{'at': -1, 'do': 'kill', 'to': 'kappa.run'}]",
     "$[0].at: found -1, expected an event number"},
    {"[{'at': 1.5, 'do': 'kill', 'to': 'kappa.run'}]", "$[0].at: found 1.5"},
    {"[{'at': '1.5', 'do': 'kill', 'to': 'kappa.run'}]", "$[0].at: found \"1.5\""},
    {"[{'at': '101%', 'do': 'kill', 'to': 'kappa.run'}]", "$[0].at: found \"101%\""},
    {"[{'at': '60%..25%', 'do': 'kill', 'to': 'kappa.run'}]", "$[0].at: found \"60%..25%\""},
    {"[{'at': '10..25%', 'do': 'kill', 'to': 'kappa.run'}]", "$[0].at: found \"10..25%\""},
    {"[{'at': '', 'do': 'kill', 'to': 'kappa.run'}]", "$[0].at: found \"\""},
    {"[{'at': '%', 'do': 'kill', 'to': 'kappa.run'}]", "$[0].at: found \"%\""},
    {"[{'at': 1, 'do': 'murder', 'to': 'kappa.run'}]",
     "$[0].do: found \"murder\", expected kill, restart, stop, disconnect, full or command"},
    {"[{'at': 1, 'do': 'kill', 'to': 'kappa.speed'}]",
     "$[0].to: found \"kappa.speed\", expected lambda.archive, lambda.speed"},
    {"[{'at': 1, 'do': 'kill', 'to': ['kappa.run', 7]}]", "$[0].to: found 7, expected"},
    {"[{'at': 1, 'do': 'kill', 'to': []}]", "$[0].to: found [], expected"},
    {"[{'at': 1, 'do': 'stop', 'to': 'kappa.run'}]",
     "$[0].for: found nothing, expected a duration such as 2s: how long \"stop\" lasts"},
    {"[{'at': 1, 'do': 'full', 'to': 'kappa.redis'}]", "$[0].for: found nothing"},
    {"[{'at': 1, 'do': 'stop', 'to': 'kappa.run', 'for': '2 weeks'}]",
     "$[0].for: found \"2 weeks\", expected a duration from 1ms to 1h"},
    {"[{'at': 1, 'do': 'stop', 'to': 'kappa.run', 'for': '0ms'}]", "$[0].for: found \"0ms\""},
    {"[{'at': 1, 'do': 'stop', 'to': 'kappa.run', 'for': '2h'}]", "$[0].for: found \"2h\""},
    {"[{'at': 1, 'do': 'disconnect', 'to': 'kappa.*'}]",
     "$[0].to: found \"kappa.*\", expected a Redis, where connections can be cut; this means "
     "kappa.run, too"},
    {"[{'at': 1, 'do': 'full', 'to': 'broker', 'for': '1s'}]",
     "$[0].to: found \"broker\", expected a process of this run"},
    {"[{'at': 1, 'do': 'kill', 'to': 'kappa.run', 'appendfsync': 'always'}]",
     "$[0].appendfsync: found \"always\", expected nothing where"},
    {"[{'at': 1, 'do': 'kill', 'to': 'kappa.redis', 'appendfsync': 'no'}]",
     "$[0].appendfsync: found \"no\", expected always or everysec"},
    {"[{'at': 1, 'do': 'command', 'to': 'broker'}]",
     "$[0].command: found nothing, expected a command"},
    {"[{'at': 1, 'do': 'kill', 'to': 'kappa.run', 'command': 'true'}]",
     "$[0].command: found \"true\", expected nothing: it belongs to"},
    {"[{'at': 1, 'do': 'command', 'to': 'broker', 'command': 'true', 'for': '1s'}]",
     "$[0].for: found \"1s\", expected nothing"},
    {"[{'at': 1, 'do': 'kill', 'to': 'kappa.run', 'where': 1}]",
     "$[0].where: found 1, expected no such member, but one of at, do, to"},
    {"[{'at': 1, 'do': 'kill', 'to': 'kappa.run'},]", ":1:"},
    {"[{'at': 1, 'at': 2, 'do': 'kill', 'to': 'kappa.run'}]", "duplicate"},
};

Test(schedule, a_mistake_is_told_with_its_place_and_what_was_meant)
{
    for (size_t i = 0; i < sizeof MISTAKES / sizeof *MISTAKES; i++) {
        struct reading r;
        read_text(&r, MISTAKES[i].text);
        cr_expect_eq(r.rc, ERR_USAGE, "%s", MISTAKES[i].text);
        cr_expect(r.mistakes.len && strstr(r.mistakes.ptr, MISTAKES[i].said), "%s:\n%s\nnot:\n%s",
                  MISTAKES[i].text, r.mistakes.len ? r.mistakes.ptr : "nothing", MISTAKES[i].said);
        cr_expect(strstr(r.err.text, ": 1 mistake"), "%s: %s\n%s", MISTAKES[i].text, r.err.text,
                  r.mistakes.ptr);
        done(&r);
    }
}

Test(schedule, a_fault_may_wait_until_somebody_is_at_work)
{
    struct reading r;
    read_text(&r, "[{'at': 1, 'do': 'kill', 'to': 'kappa.run', 'while': 'busy'},"
                  " {'at': 1, 'do': 'kill', 'to': 'kappa.run'}]");
    cr_assert_eq(r.rc, 0);
    cr_expect(r.schedule.faults[0].busy && !r.schedule.faults[1].busy);
    done(&r);
    read_text(&r, "[{'at': 1, 'do': 'kill', 'to': 'kappa.run', 'while': 'idle'},"
                  " {'at': 1, 'do': 'kill', 'to': 'broker', 'while': 'busy'}]");
    cr_expect(strstr(r.mistakes.ptr, "$[0].while: found \"idle\", expected busy"), "%s",
              r.mistakes.ptr);
    cr_expect(strstr(r.mistakes.ptr, "$[1].while: found \"busy\", expected nothing"), "%s",
              r.mistakes.ptr);
    done(&r);
}

Test(schedule, all_mistakes_are_told_at_once)
{
    struct reading r;
    read_text(&r, "[{'at': 'x', 'do': 'y', 'to': 'z', 'for': 'w', 'v': 1},"
                  " {'at': 1, 'do': 'stop', 'to': 'kappa.run'}, 5]");
    cr_expect(strstr(r.err.text, "7 mistakes"), "%s\n%s", r.err.text, r.mistakes.ptr);
    done(&r);
}

static const char *const BUILT_IN[] = {"kills", "redis-restart", "broker-restart",
                                       "pause", "disk-full",     "handover-kills"};
enum { BUILT_INS = sizeof BUILT_IN / sizeof *BUILT_IN };

Test(schedule, a_built_in_one_is_a_file_that_could_be_and_several_are_joined)
{
    static const char *const ALL[] = {"lambda.archive",
                                      "lambda.speed",
                                      "lambda.batch",
                                      "lambda.redis",
                                      "kappa.run",
                                      "kappa.redis",
                                      "generator",
                                      "broker",
                                      "offset.batch",
                                      "event-time.batch",
                                      "two-slot.batch",
                                      "naive.batch",
                                      NULL};
    struct schedule joined;
    struct buf mistakes = {0};
    struct err err = {0};
    int count = 0;
    for (int i = 0; i < BUILT_INS; i++) {
        struct reading r;
        const char *text = schedule_built_in(BUILT_IN[i]);
        cr_assert_not_null(text, "%s", BUILT_IN[i]);
        read_bytes(&r, bytes_of(text), ALL);
        cr_expect_eq(r.rc, 0, "%s: %s", BUILT_IN[i], r.mistakes.len ? r.mistakes.ptr : r.err.text);
        count += r.schedule.count;
        done(&r);
    }
    cr_expect_null(schedule_built_in("none"));
    cr_assert_eq(schedule_read("kills,redis-restart,broker-restart,pause,disk-full,handover-kills",
                               ALL, &joined, &mistakes, &err),
                 0);
    cr_expect_eq(joined.count, count);
    schedule_release(&joined);
    cr_assert_eq(schedule_read("none", ALL, &joined, &mistakes, &err), 0);
    cr_expect_eq(joined.count, 0);
    schedule_release(&joined);
}

Test(schedule, an_embedded_log_has_no_broker_and_a_file_that_is_not_there_is_told)
{
    struct schedule schedule;
    struct buf mistakes = {0};
    struct err err = {0};
    cr_expect_eq(schedule_read("broker-restart", NO_BROKER, &schedule, &mistakes, &err), ERR_USAGE);
    cr_expect(strstr(mistakes.ptr, "broker-restart: $[0].to: found \"broker\"") &&
                  strstr(mistakes.ptr, "an embedded log has no broker"),
              "%s", mistakes.ptr);
    err_clear(&err);
    cr_expect_eq(schedule_read("kills,kils", NO_BROKER, &schedule, &mistakes, &err), ERR_USAGE);
    cr_expect(
        strstr(err.text,
               "\"kils\" is no built-in schedule (none, kills, handover-kills, redis-restart"),
        "%s", err.text);
    buf_release(&mistakes);
}

Test(schedule, a_star_never_means_the_broker)
{
    struct fault all = {.patterns = {"*"}, .pattern_count = 1};
    struct fault broker = {.patterns = {"broker"}, .pattern_count = 1};
    for (int i = 0; NAMES[i]; i++)
        cr_expect_eq(fault_means(&all, NAMES[i]), strcmp(NAMES[i], "broker") != 0);
    cr_expect(fault_means(&broker, "broker"));
}

Test(schedule, the_seed_decides_within_the_range_and_the_same_each_time)
{
    struct fault range = {.share = true, .first = 25, .last = 60};
    struct fault exact = {.first = 17, .last = 17},
                 end = {.share = true, .first = 100, .last = 100};
    int64_t lowest = INT64_MAX, highest = 0;
    for (uint64_t seed = 0; seed < 500; seed++) {
        int64_t n = fault_event(&range, seed, 0, 1000);
        cr_assert(n >= 250 && n <= 600, "seed %llu: %lld", (unsigned long long)seed, (long long)n);
        cr_assert_eq(n, fault_event(&range, seed, 0, 1000));
        lowest = n < lowest ? n : lowest;
        highest = n > highest ? n : highest;
        cr_assert_eq(fault_event(&exact, seed, 3, 1000), 17);
        cr_assert_eq(fault_event(&end, seed, 3, 1000), 999);
    }
    cr_expect(lowest < 260 && highest > 590, "%lld..%lld", (long long)lowest, (long long)highest);
    cr_expect_neq(fault_event(&range, 1, 0, 1000), fault_event(&range, 1, 1, 1000));
    cr_expect_eq(fault_event(&exact, 1, 0, 17), -1, "there is no event 17 of 17");
    cr_expect_eq(fault_event(&exact, 1, 0, 18), 17);
}

/* A fault at random, as text and as it should be read. */
static void make_fault(struct rng *rng, struct buf *text, struct fault *out)
{
    static const char *const DO[] = {"kill", "restart", "stop", "disconnect", "full"};
    *out = (struct fault){.kind = (enum fault_kind)rng_below(rng, 5),
                          .share = rng_below(rng, 2),
                          .for_ms = 1 + (int64_t)rng_below(rng, 3600000)};
    bool redis = out->kind == FAULT_DISCONNECT || rng_below(rng, 2);
    out->first = (double)rng_below(rng, 50);
    out->last = out->first + (double)rng_below(rng, 50);
    const char *unit = out->share ? "%" : "";
    out->patterns[out->pattern_count++] = redis ? "*.redis" : NAMES[rng_below(rng, 6)];
    buf_printf(
        text,
        "%s{\"to\": [\"%s\"], \"at\": \"%.0f%s..%.0f%s\", \"for\": \"%lldms\", \"do\": \"%s\"}",
        text->len ? ", " : "[", out->patterns[0], out->first, unit, out->last, unit,
        (long long)out->for_ms, DO[out->kind]);
}

Test(schedule, what_is_written_at_random_is_read_as_it_was_meant)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct rng rng;
        struct buf text = {0};
        struct fault meant[8];
        struct reading r;
        rng_init(&rng, seed);
        int count = 1 + (int)rng_below(&rng, 8);
        for (int i = 0; i < count; i++)
            make_fault(&rng, &text, &meant[i]);
        buf_add_char(&text, ']');
        read_bytes(&r, buf_bytes(&text), NAMES);
        cr_assert_eq(r.rc, 0, "seed %llu: %s", (unsigned long long)seed, r.mistakes.ptr);
        cr_assert_eq(r.schedule.count, count);
        for (int i = 0; i < count; i++) {
            const struct fault *f = &r.schedule.faults[i];
            cr_assert(f->kind == meant[i].kind && f->share == meant[i].share &&
                          f->first == meant[i].first && f->last == meant[i].last &&
                          f->for_ms == meant[i].for_ms &&
                          strcmp(f->patterns[0], meant[i].patterns[0]) == 0,
                      "seed %llu, fault %d of %s", (unsigned long long)seed, i, text.ptr);
        }
        done(&r);
        buf_release(&text);
    }
}

Test(schedule, no_change_of_a_few_bytes_breaks_the_reader)
{
    int refused = 0;
    for (uint64_t seed = 1; seed <= 1000; seed++) {
        struct rng rng;
        struct reading r;
        rng_init(&rng, seed);
        char *text = mem_copy_string(schedule_built_in(BUILT_IN[seed % BUILT_INS]));
        size_t len = strlen(text);
        for (uint64_t k = 1 + rng_below(&rng, 3); k > 0; k--)
            text[rng_below(&rng, len)] = (char)(32 + rng_below(&rng, 95));
        read_bytes(&r, (struct bytes){text, len}, NAMES);
        cr_assert(r.rc == 0 || (r.rc == ERR_USAGE && r.mistakes.len > 0), "seed %llu: %s",
                  (unsigned long long)seed, text);
        refused += r.rc < 0;
        done(&r);
        free(text);
    }
    cr_expect_gt(refused, 700, "%d of 1000 were refused", refused);
}
