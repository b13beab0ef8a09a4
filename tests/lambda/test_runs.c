/* tests/lambda/test_runs.c - the merge of runs against a plain map. */
#include "lambda/runs.h"

#include "common/op/aggregate.h"
#include "tests/lambda/kit.h"

enum { SLOTS = 3 }; /* of KIT_PLAN: count, sum, max */

struct total {
    int128 slots[SLOTS];
};

struct check {
    const struct plan *plan;
    struct map *totals;
    size_t rows;
    struct cell_field field; /* of the row before */
    struct buf key;
};

static int slot_of(const struct plan *plan, enum aggregate_kind kind)
{
    int i = 0;
    while (plan->values[i].kind != kind)
        i++;
    return plan->values[i].slot;
}

/* The raw key of a plan whose key is one string. */
static void raw_key(int number, struct buf *out)
{
    char text[24];
    uint32_t length = (uint32_t)snprintf(text, sizeof text, "key%d", number);
    buf_clear(out);
    buf_add_char(out, 's');
    buf_add(out, &length, sizeof length);
    buf_add(out, text, length);
}

static void add_random(const struct plan *plan, struct rng *rng, struct cells *cells,
                       struct map *totals)
{
    struct buf key = {0};
    struct cell_field field = {(int64_t)rng_below(rng, 20) * 10 - 100, 0};
    int number = (int)rng_below(rng, 300);
    bool fresh;
    field.first_ms = field.pane_ms;
    raw_key(number, &key);
    struct cell *cell = cells_at(cells, 0, field, buf_bytes(&key), &fresh);
    int count = slot_of(plan, AGG_COUNT), sum = slot_of(plan, AGG_SUM),
        max = slot_of(plan, AGG_MAX);
    int128 one[SLOTS];
    one[count] = 1;
    one[sum] = (int128)rng_below(rng, 1000) - 500;
    one[max] = (int128)rng_below(rng, 100000) - 50000;
    aggregate_merge(plan, cell->slots, one);
    buf_clear(&key);
    buf_printf(&key, "%lld [\"key%d\"]", (long long)field.pane_ms, number);
    struct total *total = map_put(totals, buf_bytes(&key), &fresh);
    total->slots[count] += one[count];
    total->slots[sum] += one[sum];
    if (fresh || one[max] > total->slots[max])
        total->slots[max] = one[max];
    buf_release(&key);
}

static int check_row(const struct runs_row *row, void *context, struct err *err)
{
    (void)err;
    struct check *check = context;
    struct buf name = {0};
    if (check->rows++) {
        bool rises = row->field.pane_ms > check->field.pane_ms ||
                     (row->field.pane_ms == check->field.pane_ms &&
                      bytes_compare(buf_bytes(&check->key), row->key) < 0);
        cr_assert(rises, "rows do not rise at %zu", check->rows);
    }
    check->field = row->field;
    buf_clear(&check->key);
    buf_add(&check->key, row->key.ptr, row->key.len);
    buf_printf(&name, "%lld %.*s", (long long)row->field.pane_ms, (int)row->key.len, row->key.ptr);
    const struct total *total = map_get(check->totals, buf_bytes(&name));
    cr_assert_not_null(total, "%s", name.ptr);
    cr_assert_eq(memcmp(total->slots, row->slots, sizeof total->slots), 0, "%s", name.ptr);
    buf_release(&name);
    return 0;
}

static void one_case(int spills, int adds, uint64_t seed)
{
    struct plan *plan = kit_plan(KIT_PLAN);
    struct rng rng;
    struct map totals;
    struct cells cells;
    struct err err = {0};
    cr_assert_eq(plan->slots, SLOTS);
    struct runs *runs = runs_new(plan, "/tmp/lk-test-runs.tmp");
    rng_init(&rng, seed);
    map_init(&totals, sizeof(struct total));
    cells_init(&cells, plan);
    for (int spill = 0; spill <= spills; spill++) {
        for (int i = 0; i < adds; i++)
            add_random(plan, &rng, &cells, &totals);
        if (spill == spills)
            break; /* the last ones stay in memory */
        cr_assert_eq(runs_spill(runs, &cells, &err), 0, "%s", err.text);
        cells_clear(&cells);
    }
    struct check check = {.plan = plan, .totals = &totals};
    cr_assert_eq(runs_merge(runs, &cells, NULL, check_row, &check, &err), 0, "%s", err.text);
    cr_assert_eq(check.rows, totals.count, "%zu rows of %zu (seed %llu, %d spills)", check.rows,
                 totals.count, (unsigned long long)seed, spills);
    cr_assert_eq(runs_count(runs), spills);
    runs_free(runs);
    cr_assert_neq(access("/tmp/lk-test-runs.tmp", F_OK), 0);
    buf_release(&check.key);
    cells_release(&cells);
    map_release(&totals);
    plan_free(plan);
}

Test(runs, merge_gives_every_cell_once_in_order_with_its_total)
{
    static const struct {
        int spills, adds;
    } rows[] = {{0, 0}, {0, 500}, {1, 0}, {1, 500}, {15, 100}, {16, 100}, {17, 30}, {300, 20}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        one_case(rows[i].spills, rows[i].adds, 77 + i);
}

static int stop_at_once(const struct runs_row *row, void *context, struct err *err)
{
    (void)row, (void)context;
    return err_set(err, ERR_FULL, "no more");
}

Test(runs, an_error_of_the_taker_ends_the_merge)
{
    struct plan *plan = kit_plan(KIT_PLAN);
    struct rng rng;
    struct map totals;
    struct cells cells;
    struct err err = {0};
    struct runs *runs = runs_new(plan, "/tmp/lk-test-runs-2.tmp");
    rng_init(&rng, 1);
    map_init(&totals, sizeof(struct total));
    cells_init(&cells, plan);
    add_random(plan, &rng, &cells, &totals);
    cr_assert_eq(runs_merge(runs, &cells, NULL, stop_at_once, NULL, &err), ERR_FULL);
    runs_free(runs);
    cells_release(&cells);
    map_release(&totals);
    plan_free(plan);
}

Test(runs, a_spill_that_cannot_be_made_is_an_error_with_its_path)
{
    struct plan *plan = kit_plan(KIT_PLAN);
    struct cells cells;
    struct err err = {0};
    struct runs *runs = runs_new(plan, "/nowhere/at/all/runs");
    cells_init(&cells, plan);
    cr_assert_eq(runs_spill(runs, &cells, &err), ERR_ENV);
    cr_assert_not_null(strstr(err.text, "/nowhere/at/all/runs"));
    runs_free(runs);
    cells_release(&cells);
    plan_free(plan);
}
