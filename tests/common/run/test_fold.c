/* tests/common/run/test_fold.c - the fold against straight loops over the events themselves.
 *
 * A case is a seeded random plan and log (late, repeated, malformed, far ahead, filtered). The fold
 * reads JSON in random batches with gaps between offsets; the model reads structs, one by one, and
 * asks every window whether it takes the event. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/fault.h"
#include "common/base/rng.h"
#include "common/op/aggregate.h"
#include "common/run/fold.h"

enum { EVENTS = 400, IDS = 60, KEYS = 4, WINDOWS = 1100, SCENES = 150 };

struct event {
    int64_t offset, time, log_time, id, n;
    int key; /* 0: filtered */
    bool broken;
    char text[96];
};

/* A window's answer for a key. */
struct answer {
    int64_t count, sum, most;
};

struct scene {
    uint64_t seed;
    struct rng rng;
    struct plan *plan;
    int64_t size, hop, b, l, keep, ahead, horizon; /* -1: unlimited; horizon -1: no dedupe */
    struct event event[EVENTS];
    struct answer answer[WINDOWS][KEYS]; /* window n - WINDOWS / 2, times hop */
    struct counters counters;
    int64_t T;
};

static void plan_text(const struct scene *s, char *out, size_t room)
{
    char dedupe[120] = "", lateness[40] = "\"unlimited\"", keep[40] = "", ahead[60] = "",
         window[80];
    if (s->horizon >= 0)
        snprintf(dedupe, sizeof dedupe,
                 "\"dedupe\":{\"by\":\"id\",\"horizon\":\"%ldms\"},\"dedupe_scope\":\"partition\",",
                 s->horizon);
    if (s->l >= 0)
        snprintf(lateness, sizeof lateness, "\"%ldms\"", s->l);
    if (s->keep >= 0)
        snprintf(keep, sizeof keep, "\"keep\":\"%ldms\",", s->keep);
    if (s->ahead >= 0)
        snprintf(ahead, sizeof ahead, ",\"max_ahead\":\"%ldms\"", s->ahead);
    if (s->hop == s->size)
        snprintf(window, sizeof window, "{\"tumbling\":\"%ldms\"}", s->size);
    else
        snprintf(window, sizeof window, "{\"hopping\":[\"%ldms\",\"%ldms\"]}", s->size, s->hop);
    snprintf(out, room,
             "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},\"fields\":"
             "{\"id\":\"int\",\"k\":\"string\",\"n\":\"int\"},\"out_of_order\":\"%ldms\"%s},"
             "\"where\":[\"k\",\"!=\",\"k0\"],%s\"key\":[\"k\"],\"window\":%s,"
             "\"allowed_lateness\":%s,%s\"values\":{\"c\":\"count\",\"s\":{\"sum\":\"n\"},"
             "\"m\":{\"max\":\"n\"}}}",
             s->b, ahead, dedupe, window, lateness, keep);
}

static void random_plan(struct scene *s)
{
    char text[800];
    struct buf mistakes = {0};
    struct err err = {0};
    s->hop = 10 + (int64_t)rng_below(&s->rng, 60);
    s->size = s->hop * (rng_below(&s->rng, 2) ? 1 : 1 + (int64_t)rng_below(&s->rng, 4));
    if (s->size != s->hop && rng_below(&s->rng, 2))
        s->size -= 5; /* the pane is not the hop */
    s->b = (int64_t)rng_below(&s->rng, 20);
    s->l = (int64_t)rng_below(&s->rng, 100) - 10;
    s->keep = (int64_t)rng_below(&s->rng, 600) - 200;
    s->ahead = rng_below(&s->rng, 2) ? 500 : -1;
    s->horizon = (int64_t)rng_below(&s->rng, 300) - 60;
    s->l = s->l < 0 ? -1 : s->l;
    s->keep = s->keep < 0 ? -1 : s->keep + s->size + s->l + s->b;
    s->horizon = s->horizon < 0 ? -1 : s->horizon;
    plan_text(s, text, sizeof text);
    int rc = plan_parse(bytes_of(text), ".", false, &s->plan, &mistakes, &err);
    cr_assert_eq(rc, 0, "%s\n%s%s", text, err.text, mistakes.ptr ? mistakes.ptr : "");
    buf_release(&mistakes);
}

static void random_events(struct scene *s)
{
    int64_t now = -300, offset = (int64_t)rng_below(&s->rng, 5);
    for (int i = 0; i < EVENTS; i++) {
        struct event *e = &s->event[i];
        now += rng_below(&s->rng, 30) ? (int64_t)rng_below(&s->rng, 8)
                                      : (int64_t)rng_below(&s->rng, 300);
        *e = (struct event){.offset = offset, .log_time = now};
        e->time = now - (rng_below(&s->rng, 3) ? 0 : (int64_t)rng_below(&s->rng, 150));
        e->time += rng_below(&s->rng, 40) ? 0 : 450 + (int64_t)rng_below(&s->rng, 100);
        e->id = (int64_t)rng_below(&s->rng, IDS);
        e->n = (int64_t)rng_below(&s->rng, 2000) - 1000;
        e->key = (int)rng_below(&s->rng, KEYS);
        e->broken = rng_below(&s->rng, 25) == 0;
        snprintf(e->text, sizeof e->text, "{\"t\":%ld,\"id\":%ld,\"k\":\"k%d\",\"n\":%ld%s",
                 e->time, e->id, e->key, e->n, e->broken ? "" : "}");
        offset += 1 + (rng_below(&s->rng, 10) == 0);
    }
}

static bool takes(const struct scene *s, bool lateness, int64_t start, int64_t time)
{
    bool closed = s->l >= 0 && start + s->size + s->b + s->l <= s->T;
    bool below = s->keep >= 0 && start < s->T - s->keep;
    return start <= time && time < start + s->size && !(lateness && (closed || below));
}

/* The model's whole fold of the first count events; memory of ids without end unless lateness. */
static void model(struct scene *s, bool lateness, int count)
{
    bool known[IDS] = {false};
    int64_t stamp[IDS] = {0};
    memset(s->answer, 0, sizeof s->answer);
    s->counters = (struct counters){.read = count};
    s->T = INT64_MIN;
    for (int i = 0; i < count; i++) {
        const struct event *e = &s->event[i];
        if (e->broken || (s->ahead >= 0 && e->time > e->log_time + s->ahead)) {
            s->counters.bad++;
            continue;
        }
        s->T = e->time > s->T ? e->time : s->T;
        if (e->key == 0) {
            s->counters.filtered++;
            continue;
        }
        bool twice =
            s->horizon >= 0 && known[e->id] && (!lateness || stamp[e->id] + s->horizon >= s->T);
        known[e->id] = true;
        stamp[e->id] = s->T;
        s->counters.duplicate += twice;
        if (twice)
            continue;
        int taken = 0;
        for (int w = 0; w < WINDOWS; w++) {
            if (!takes(s, lateness, (w - WINDOWS / 2) * s->hop, e->time))
                continue;
            struct answer *a = &s->answer[w][e->key];
            a->most = a->count && a->most > e->n ? a->most : e->n;
            a->count++;
            a->sum += e->n;
            taken++;
        }
        s->counters.folded += taken > 0;
        s->counters.late += taken == 0;
    }
}

static void scene_make(struct scene *s, uint64_t seed)
{
    *s = (struct scene){.seed = seed};
    rng_init(&s->rng, seed);
    random_plan(s);
    random_events(s);
}

typedef void fold_step(struct folder *, struct fold *, const struct log_batch *);

/* Hand events from .. to - 1 to step, in random batches. */
static void feed(struct scene *s, struct folder *folder, struct fold *fold, fold_step *step,
                 int from, int to)
{
    while (from < to) {
        int n = 1 + (int)rng_below(&s->rng, (uint64_t)(to - from < 50 ? to - from : 50));
        int64_t offset[50], time_ms[50], due_ns[50] = {0};
        struct bytes key[50] = {{0}}, value[50];
        for (int i = 0; i < n; i++) {
            offset[i] = s->event[from + i].offset;
            time_ms[i] = s->event[from + i].log_time;
            value[i] = bytes_of(s->event[from + i].text);
        }
        struct log_batch batch = {3, n, offset, time_ms, due_ns, key, value, offset[n - 1] + 1};
        step(folder, fold, &batch);
        from += n;
    }
}

static int key_number(struct bytes raw)
{
    return raw.ptr[raw.len - 1] - '0';
}

static int128 slot(const struct plan *plan, const int128 *slots, const char *name)
{
    int i = 0;
    while (strcmp(plan->values[i].name, name) != 0)
        i++;
    return slots[plan->values[i].slot];
}

/* Do the cells, window by window, hold what the model has? */
static bool equal_answers(const struct scene *s, const struct fold *fold)
{
    static int128 sums[WINDOWS][KEYS][3];
    struct cell *cell;
    for (int w = 0; w < WINDOWS; w++)
        for (int k = 0; k < KEYS; k++)
            aggregate_zero(s->plan, sums[w][k]);
    for (size_t i = 0; (cell = cells_next(&fold->cells, &i));) {
        int64_t first, last;
        window_range(s->plan, cell->field, &first, &last);
        cr_assert(first / s->hop > -WINDOWS / 2 && last / s->hop < WINDOWS / 2);
        for (int64_t start = first; start <= last; start += s->hop)
            aggregate_merge(s->plan, sums[start / s->hop + WINDOWS / 2][key_number(cell->key)],
                            cell->slots);
    }
    for (int w = 0; w < WINDOWS; w++)
        for (int k = 0; k < KEYS; k++) {
            const struct answer *a = &s->answer[w][k];
            const int128 *sum = sums[w][k];
            if (slot(s->plan, sum, "c") != a->count || slot(s->plan, sum, "s") != a->sum ||
                (a->count && slot(s->plan, sum, "m") != a->most))
                return false;
        }
    return true;
}

/* How many scenes go wrong. */
static int wrong_scenes(bool lateness)
{
    static struct scene s;
    int wrong = 0;
    for (uint64_t seed = 1; seed <= SCENES; seed++) {
        struct folder folder;
        struct fold fold;
        scene_make(&s, seed);
        folder_init(&folder, s.plan, NULL);
        fold_init(&fold, s.plan, (struct rules){.lateness = lateness}, 3);
        model(&s, lateness, EVENTS);
        feed(&s, &folder, &fold, fold_batch, 0, EVENTS);
        bool right = memcmp(&fold.counters, &s.counters, sizeof s.counters) == 0 &&
                     fold.T_ms == s.T && equal_answers(&s, &fold) &&
                     counters_balance(&fold.counters);
        cr_expect(bug_planted("drop-late-cell") || bug_planted("boundary-off-by-one") ||
                      bug_planted("first-sighting") || right,
                  "seed %lu", seed);
        wrong += !right;
        fold_release(&fold);
        folder_release(&folder);
        plan_free(s.plan);
    }
    return wrong;
}

Test(fold, equals_straight_loops_over_the_events)
{
    cr_assert_eq(wrong_scenes(true), 0);
}

Test(fold, without_lateness_takes_everything_and_forgets_no_id)
{
    cr_assert_eq(wrong_scenes(false), 0);
}

#ifdef LK_BUGS
Test(fold, planted_bugs_are_seen)
{
    static const char *const BUGS[] = {"drop-late-cell", "boundary-off-by-one", "first-sighting"};
    for (size_t i = 0; i < sizeof BUGS / sizeof *BUGS; i++) {
        bug_plant(BUGS[i]);
        cr_expect_gt(wrong_scenes(true), 0, "%s", BUGS[i]);
        bug_plant(NULL);
    }
}
#endif

static int event_at(const struct scene *s, int64_t position)
{
    int i = 0;
    while (i < EVENTS && s->event[i].offset < position)
        i++;
    return i;
}

/* Fold to V, forget, rebuild from mark, and go on: nothing later differs. mark is near enough. */
Test(fold, horizon_state_rebuilt_from_mark_is_what_it_was)
{
    static struct scene s;
    int64_t reread = 0, duplicates = 0;
    for (uint64_t seed = 1; seed <= 2 * SCENES; seed++) {
        struct folder folder;
        struct fold whole, again;
        scene_make(&s, seed);
        int v = (int)rng_below(&s.rng, EVENTS + 1);
        folder_init(&folder, s.plan, NULL);
        fold_init(&whole, s.plan, (struct rules){.lateness = true}, 3);
        fold_init(&again, s.plan, (struct rules){.lateness = true}, 3);
        feed(&s, &folder, &whole, fold_batch, 0, v);
        int64_t mark = fold_mark(&whole);
        cr_assert(s.horizon < 0 || !whole.mark_count ||
                  whole.marks[0].T_ms + s.horizon + s.horizon / 64 >= whole.T_ms);
        again.next = mark;
        feed(&s, &folder, &again, fold_horizon, event_at(&s, mark), v);
        cr_assert(s.horizon < 0 || again.T_ms == whole.T_ms, "seed %lu at %d", seed, v);
        cr_assert(again.counters.read == 0 && again.cells.count == 0);
        again.T_ms = whole.T_ms; /* without dedupe T comes from pos */
        struct counters before = whole.counters;
        feed(&s, &folder, &whole, fold_batch, v, EVENTS);
        feed(&s, &folder, &again, fold_batch, v, EVENTS);
        counters_add(&again.counters, &before);
        cr_assert_eq(memcmp(&whole.counters, &again.counters, sizeof before), 0, "seed %lu at %d",
                     seed, v);
        cr_assert_eq(whole.T_ms, again.T_ms);
        cr_assert_eq(whole.tail_hash, again.tail_hash);
        cr_assert_eq(whole.next, again.next);
        reread += event_at(&s, mark);
        duplicates += whole.counters.duplicate;
        fold_release(&whole);
        fold_release(&again);
        folder_release(&folder);
        plan_free(s.plan);
    }
    cr_assert_gt(reread, SCENES * 20, "marks never moved: %ld", reread);
    cr_assert_gt(duplicates, SCENES * 20, "%ld", duplicates);
}

/* T rises at every event, far more often than there are marks. */
Test(fold, marks_are_few_however_often_T_rises)
{
    static struct scene s;
    struct folder folder;
    struct fold fold;
    const int64_t horizons[] = {0, 1, 63, 64, 65, 127, 128, 200};
    scene_make(&s, 1);
    for (size_t h = 0; h < sizeof horizons / sizeof *horizons; h++) {
        s.plan->dedupe_by = 1;
        s.plan->dedupe_horizon_ms = horizons[h];
        folder_init(&folder, s.plan, NULL);
        fold_init(&fold, s.plan, (struct rules){.lateness = true}, 3);
        for (int i = 0; i < EVENTS; i++)
            snprintf(s.event[i].text, sizeof s.event[i].text,
                     "{\"t\":%d,\"id\":%d,\"k\":\"k1\",\"n\":1}", i, i % 7);
        feed(&s, &folder, &fold, fold_batch, 0, EVENTS);
        cr_expect_eq(fold.T_ms, EVENTS - 1);
        cr_expect_leq(fold.mark_count, MARKS_MAX);
        cr_expect_geq(fold_mark(&fold),
                      s.event[EVENTS - 1 - horizons[h] - horizons[h] / 64 - 1].offset);
        fold_release(&fold);
        folder_release(&folder);
    }
    plan_free(s.plan);
}

Test(fold, shares_of_ids_add_up_to_one_pass)
{
    static struct scene s;
    for (uint64_t seed = 1; seed <= SCENES; seed++) {
        struct folder folder;
        struct fold one;
        struct counters sum = {0};
        size_t bad = 0;
        int64_t folded_cells = 0;
        scene_make(&s, seed);
        folder_init(&folder, s.plan, NULL);
        for (uint32_t share = 0; share < 4; share++) {
            fold_init(&one, s.plan, (struct rules){.lateness = false}, 3);
            one.share = share;
            one.shares = 4;
            feed(&s, &folder, &one, fold_batch, 0, EVENTS);
            counters_add(&sum, &one.counters);
            bad += one.bad_count;
            struct cell *cell;
            for (size_t i = 0; (cell = cells_next(&one.cells, &i));)
                folded_cells += (int64_t)slot(s.plan, cell->slots, "c");
            model(&s, false, EVENTS);
            cr_assert_eq(one.T_ms, s.T);
            fold_release(&one);
        }
        if (s.horizon < 0)
            s.counters.folded = sum.folded; /* no ids: shares are not used, every pass folds all */
        else
            cr_assert_eq(memcmp(&sum, &s.counters, sizeof sum), 0, "seed %lu", seed);
        cr_assert_eq(bad, (size_t)s.counters.bad);
        cr_assert_eq(folded_cells, s.counters.folded);
        folder_release(&folder);
        plan_free(s.plan);
    }
}

Test(fold, a_cell_is_unread_unless_it_must_be_new)
{
    static struct scene s;
    static const struct {
        int64_t known_from;
        bool evicted;
    } ROWS[] = {{INT64_MIN, false}, {0, false}, {INT64_MAX, false}, {INT64_MIN, true}, {0, true}};
    scene_make(&s, 1);
    for (size_t r = 0; r < sizeof ROWS / sizeof *ROWS; r++) {
        struct folder folder;
        struct fold fold;
        struct cell *cell;
        folder_init(&folder, s.plan, NULL);
        fold_init(&fold, s.plan, (struct rules){.lateness = true}, 3);
        fold.track = true;
        fold.part = 9;
        fold.known_from_ms = ROWS[r].known_from;
        fold.evicted = ROWS[r].evicted;
        feed(&s, &folder, &fold, fold_batch, 0, EVENTS);
        cr_expect_eq(fold.cells.changed_count, fold.cells.count);
        for (size_t i = 0; (cell = cells_next(&fold.cells, &i));) {
            bool unread = ROWS[r].evicted || cell->field.first_ms < ROWS[r].known_from;
            cr_expect_eq(cell->state, CELL_DIRTY | (unread ? CELL_UNREAD : 0u), "row %zu", r);
            cr_expect_eq(cell->part, 9);
        }
        fold_release(&fold);
        folder_release(&folder);
    }
    plan_free(s.plan);
}

Test(fold, bad_events_are_kept_with_offset_and_reason)
{
    static struct scene s;
    struct folder folder;
    struct fold fold;
    scene_make(&s, 1);
    for (uint64_t seed = 2; s.ahead < 0; seed++) {
        plan_free(s.plan);
        scene_make(&s, seed);
    }
    folder_init(&folder, s.plan, NULL);
    fold_init(&fold, s.plan, (struct rules){.lateness = true}, 3);
    feed(&s, &folder, &fold, fold_batch, 0, EVENTS);
    size_t seen = 0;
    struct buf words[2] = {{0}};
    bad_describe(BAD_JSON, &s.plan->schema, 0, &words[0]);
    bad_describe(BAD_AHEAD, &s.plan->schema, 0, &words[1]);
    for (int i = 0; i < EVENTS; i++) {
        bool ahead = s.event[i].time > s.event[i].log_time + s.ahead;
        if (!s.event[i].broken && !ahead)
            continue;
        cr_assert_lt(seen, fold.bad_count);
        cr_expect_eq(fold.bad[seen].offset, s.event[i].offset);
        cr_expect_str_eq(fold.bad[seen].reason, words[!s.event[i].broken].ptr);
        seen++;
    }
    cr_expect_eq(seen, fold.bad_count);
    cr_expect_gt(seen, 0);
    buf_release(&words[0]);
    buf_release(&words[1]);
    fold_release(&fold);
    folder_release(&folder);
    plan_free(s.plan);
}

Test(fold, cleared_stands_where_a_new_one_stands)
{
    static struct scene s;
    struct folder folder;
    struct fold fold;
    scene_make(&s, 5);
    folder_init(&folder, s.plan, NULL);
    fold_init(&fold, s.plan, (struct rules){.lateness = true}, 3);
    fold.track = true;
    feed(&s, &folder, &fold, fold_batch, 0, EVENTS);
    fold.evicted = true;
    fold_clear(&fold);
    cr_assert(fold.next == 0 && fold.T_ms == INT64_MIN && fold.tail_offset == -1 && !fold.evicted);
    cr_assert(cells_bytes(&fold.cells) + dedupe_bytes(&fold.ids) == 0 && fold.bad_count == 0 &&
              fold_mark(&fold) == 0);
    model(&s, true, EVENTS);
    feed(&s, &folder, &fold, fold_batch, 0, EVENTS);
    cr_assert_eq(memcmp(&fold.counters, &s.counters, sizeof s.counters), 0);
    cr_assert(equal_answers(&s, &fold));
    fold_release(&fold);
    folder_release(&folder);
    plan_free(s.plan);
}

/* Campaigns a and b; two ads of a, one unknown, and one without an ad at all. */
static void fold_ads(const char *missing, struct counters *counters, struct buf *keys)
{
    static const char *const EVENTS_TEXT[] = {"{\"t\":1,\"ad\":1}", "{\"t\":2,\"ad\":9}",
                                              "{\"t\":3,\"ad\":2}", "{\"t\":4}",
                                              "{\"t\":5,\"ad\":3}"};
    char path[] = "/tmp/lk-fold-XXXXXX.jsonl", text[600];
    const char *table = "{\"ad\":1,\"c\":\"a\"}\n{\"ad\":2,\"c\":\"a\"}\n{\"ad\":3,\"c\":\"b\"}\n";
    int file = mkstemps(path, 6);
    cr_assert_eq(write(file, table, strlen(table)), (ssize_t)strlen(table));
    close(file);
    snprintf(
        text, sizeof text,
        "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},\"fields\":"
        "{\"ad\":{\"type\":\"int\",\"optional\":true}}},\"lookup\":{\"table\":\"%s\",\"on\":\"ad\","
        "\"take\":[\"c\"],\"missing\":\"%s\"},\"key\":[\"c\"],\"window\":\"none\","
        "\"values\":{\"n\":\"count\"}}",
        path, missing);
    struct plan *plan;
    struct lookup *lookup;
    struct folder folder;
    struct fold fold;
    struct buf mistakes = {0};
    struct err err = {0};
    int64_t offset[] = {0, 1, 2, 3, 4}, zero[5] = {0};
    struct bytes key[5] = {{0}}, value[5];
    for (int i = 0; i < 5; i++)
        value[i] = bytes_of(EVENTS_TEXT[i]);
    struct log_batch batch = {0, 5, offset, zero, zero, key, value, 5};
    cr_assert_eq(plan_parse(bytes_of(text), ".", true, &plan, &mistakes, &err), 0, "%s",
                 mistakes.ptr);
    cr_assert_eq(lookup_open(plan, &lookup, &err), 0, "%s", err.text);
    folder_init(&folder, plan, lookup);
    fold_init(&fold, plan, (struct rules){.lateness = true}, 0);
    fold_batch(&folder, &fold, &batch);
    *counters = fold.counters;
    struct cell *cell;
    for (size_t i = 0; (cell = cells_next(&fold.cells, &i));) {
        cells_key_json(plan, cell->key, keys);
        aggregate_encode(plan, cell->slots, keys);
    }
    fold_release(&fold);
    folder_release(&folder);
    lookup_close(lookup);
    plan_free(plan);
    buf_release(&mistakes);
    unlink(path);
}

Test(fold, what_the_table_does_not_know_is_filtered_or_kept)
{
    static const struct {
        const char *missing, *cells;
        int64_t filtered;
    } ROWS[] = {{"drop", "[\"a\"]2[\"b\"]1", 2}, {"keep", "[\"a\"]2[null]2[\"b\"]1", 0}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct counters counters;
        struct buf cells = {0};
        fold_ads(ROWS[i].missing, &counters, &cells);
        cr_expect_str_eq(cells.ptr, ROWS[i].cells);
        cr_expect_eq(counters.filtered, ROWS[i].filtered);
        cr_expect(counters_balance(&counters) && counters.read == 5);
        buf_release(&cells);
    }
}
