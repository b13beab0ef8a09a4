/* tests/common/op/test_cells.c - the keyed table against a plain list, and keys as JSON. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/base/rng.h"
#include "common/op/aggregate.h"
#include "common/op/cells.h"
#include "tests/common/op/hand.h"

static struct plan counting(void)
{
    struct plan plan = hand_plan();
    plan.values[0] = (struct value){"events", AGG_COUNT, -1, NULL, 0, 0};
    plan.values[1] = (struct value){"least", AGG_MIN, N, NULL, 1, 0};
    plan.value_count = plan.slots = 2;
    return plan;
}

Test(cells, key_is_known_outside_as_a_json_array)
{
    struct plan plan = counting();
    struct columns *columns = hand_columns(2);
    struct buf raw = {0}, json = {0};
    const int keys[] = {WORD, N, PRICE, FLAG, RATIO, TAKEN, TIME};
    memcpy(plan.key, keys, sizeof keys);
    plan.keys = 7;
    hand_text(columns, WORD, 0, "O\"RD");
    hand_int(columns, N, 0, 7);
    hand_int(columns, PRICE, 0, 150);
    hand_int(columns, FLAG, 0, 1);
    hand_double(columns, 0, -0.0);
    hand_int(columns, TIME, 0, -5);
    static const char *const JSON[] = {"[\"O\\\"RD\",7,1.50,true,0.0,null,-5]",
                                       "[null,null,null,null,null,null,null]"};
    for (int row = 0; row < 2; row++) {
        cells_key(&plan, columns, row, &raw);
        buf_clear(&json);
        cells_key_json(&plan, buf_bytes(&raw), &json);
        cr_expect_str_eq(json.ptr, JSON[row]);
    }
    plan.keys = 0;
    cells_key(&plan, columns, 0, &raw);
    buf_clear(&json);
    cells_key_json(&plan, buf_bytes(&raw), &json);
    cr_expect_str_eq(json.ptr, "[]");
    buf_release(&raw);
    buf_release(&json);
    columns_free(columns);
}

Test(cells, keys_that_differ_have_raw_keys_that_differ)
{
    struct plan plan = counting();
    struct columns *columns = hand_columns(4);
    struct buf raw[4] = {{0}};
    plan.key[0] = WORD;
    plan.key[1] = TAKEN;
    plan.keys = 2;
    hand_text(columns, WORD, 0, "ab");
    hand_text(columns, TAKEN, 0, "c");
    hand_text(columns, WORD, 1, "a");
    hand_text(columns, TAKEN, 1, "bc");
    hand_text(columns, WORD, 2, "abc");
    hand_text(columns, TAKEN, 3, "abc");
    for (int row = 0; row < 4; row++)
        cells_key(&plan, columns, row, &raw[row]);
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < a; b++)
            cr_expect_not(bytes_equal(buf_bytes(&raw[a]), buf_bytes(&raw[b])), "%d %d", a, b);
    for (int row = 0; row < 4; row++)
        buf_release(&raw[row]);
    columns_free(columns);
}

/* The plain list: what a cell with number n (part, pane, first and key follow from it) must be. */
enum { NUMBERS = 3000 };
struct twin {
    bool here, dirty;
    int64_t count;
};

static uint64_t part_of(unsigned n)
{
    return n % 3;
}

static struct cell_field field_of(unsigned n)
{
    return (struct cell_field){(int64_t)(n / 3 % 5) * 10, -(int64_t)(n / 15 % 4)};
}

static struct bytes key_of(unsigned n, char text[32])
{
    int length = n % 7 == 0 ? 0
                            : snprintf(text, 32, "key-%u-%.*s", n / 60, (int)(n / 60 % 17),
                                       "long-long-long-long");
    return (struct bytes){text, (size_t)length};
}

/* Numbers whose key is empty share cells with others; each cell is one number's only. */
static unsigned alone(unsigned n)
{
    return n % 7 == 0 ? n % 60 / 7 * 7 : n;
}

static void add(struct cells *cells, struct twin *twins, unsigned n, bool track, uint64_t seed)
{
    char text[32];
    bool fresh;
    struct cell *cell = cells_at(cells, part_of(n), field_of(n), key_of(n, text), &fresh);
    cr_assert_eq(fresh, !twins[n].here, "seed %lu, cell %u", seed, n);
    cr_assert_eq(cell->slots[0], twins[n].count, "seed %lu, cell %u", seed, n);
    cr_assert_eq(((uintptr_t)cell) % 16, 0);
    cell->slots[0]++;
    if (track)
        cells_change(cells, cell);
    twins[n] = (struct twin){true, twins[n].dirty || track, twins[n].count + 1};
}

static bool drop_modulo(const struct cell *cell, void *context)
{
    return cell->hash % 4 < *(const unsigned *)context;
}

/* Evict a share of the cells, dirty ones too; the twin is told which. */
static void evict(struct cells *cells, struct twin *twins, unsigned share)
{
    size_t expected = 0, before = cells->count;
    char text[32];
    for (unsigned n = 0; n < NUMBERS; n++) {
        bool fresh;
        if (!twins[n].here)
            continue;
        const struct cell *cell = cells_at(cells, part_of(n), field_of(n), key_of(n, text), &fresh);
        cr_assert_not(fresh);
        if (drop_modulo(cell, &share)) {
            twins[n] = (struct twin){0};
            expected++;
        }
    }
    cr_assert_eq(cells_evict(cells, drop_modulo, &share), expected);
    cr_assert_eq(cells->count, before - expected);
}

static void check(const struct cells *cells, const struct twin *twins, uint64_t seed)
{
    size_t here = 0, dirty = 0, walked = 0;
    for (unsigned n = 0; n < NUMBERS; n++) {
        here += twins[n].here;
        dirty += twins[n].dirty;
    }
    for (size_t i = 0; cells_next(cells, &i);)
        walked++;
    cr_assert_eq(cells->count, here, "seed %lu", seed);
    cr_assert_eq(walked, here, "seed %lu", seed);
    cr_assert_eq(cells->changed_count, dirty, "seed %lu", seed);
    for (size_t i = 0; i < dirty; i++)
        cr_assert(cells_changed_at(cells, i)->state & CELL_DIRTY, "seed %lu", seed);
}

static void send(struct cells *cells, struct twin *twins)
{
    for (size_t i = 0; i < cells->changed_count; i++)
        cells_changed_at(cells, i)->state &= ~(uint32_t)CELL_DIRTY;
    cells_changed_clear(cells);
    for (unsigned n = 0; n < NUMBERS; n++)
        twins[n].dirty = false;
}

Test(cells, hold_what_a_plain_list_holds)
{
    struct plan plan = counting();
    for (uint64_t seed = 1; seed <= 12; seed++) {
        static struct twin twins[NUMBERS];
        struct cells cells;
        struct rng rng;
        memset(twins, 0, sizeof twins);
        rng_init(&rng, seed);
        cells_init(&cells, &plan);
        for (int step = 0; step < 12000; step++) {
            uint64_t what = rng_below(&rng, 1000);
            if (what == 0)
                evict(&cells, twins, (unsigned)rng_below(&rng, 5));
            else if (what == 1)
                send(&cells, twins);
            else
                add(&cells, twins, alone((unsigned)rng_below(&rng, NUMBERS)), what % 3 > 0, seed);
            if (step % 500 == 0)
                check(&cells, twins, seed);
        }
        check(&cells, twins, seed);
        cells_release(&cells);
    }
}

static bool drop_all(const struct cell *cell, void *context)
{
    (void)cell;
    (void)context;
    return true;
}

Test(cells, give_memory_back_when_evicted)
{
    struct plan plan = counting();
    struct cells cells;
    bool fresh;
    char text[32];
    cells_init(&cells, &plan);
    for (int round = 0; round < 20; round++) {
        for (int n = 0; n < 5000; n++) {
            int length = snprintf(text, sizeof text, "round %d key %d", round, n);
            cells_at(&cells, 0, (struct cell_field){round, round},
                     (struct bytes){text, (size_t)length}, &fresh);
        }
        cr_assert_lt(cells_bytes(&cells), 2u << 20, "round %d: %zu", round, cells_bytes(&cells));
        cr_assert_eq(cells_evict(&cells, drop_all, NULL), 5000);
    }
    cr_assert_lt(cells_bytes(&cells), 64u << 10);
    cells_clear(&cells);
    cr_assert_eq(cells_bytes(&cells), 0);
    cells_release(&cells);
}

Test(cells, begin_with_the_zero_of_their_aggregates)
{
    struct plan plan = counting();
    struct cells cells;
    bool fresh;
    cells_init(&cells, &plan);
    const struct cell *cell = cells_at(&cells, 7, (struct cell_field){1, 2}, bytes_of("k"), &fresh);
    cr_assert(fresh && cell->state == 0 && cell->part == 7);
    cr_assert(cell->slots[0] == 0 && cell->slots[1] == SLOT_NOTHING_MIN);
    cells_release(&cells);
}

/* So many that several pairs agree in the 32 bits of their hashes and differ in one component. */
Test(cells, with_equal_hashes_stay_apart)
{
    const int64_t EACH = 200000;
    struct plan plan = counting();
    struct cells cells;
    plan.value_count = plan.slots = 1;
    cells_init(&cells, &plan);
    for (int round = 0; round < 2; round++)
        for (int64_t n = 0; n < 4 * EACH; n++) {
            int64_t a = n % EACH + 1;
            struct cell_field field = {n / EACH == 0 ? a : 0, n / EACH == 1 ? a : 0};
            int64_t key = n / EACH == 2 ? a : 0;
            bool fresh;
            cells_at(&cells, n / EACH == 3 ? (uint64_t)a : 0, field,
                     (struct bytes){(const char *)&key, sizeof key}, &fresh);
            cr_assert_eq(fresh, round == 0, "cell %ld", n);
        }
    cr_assert_eq(cells.count, (size_t)(4 * EACH));
    cells_release(&cells);
}

static bool drop_this(const struct cell *cell, void *context)
{
    return cell->part == *(const uint64_t *)context;
}

Test(cells, evicted_singly_leave_the_others_in_order)
{
    struct plan plan = counting();
    struct cells cells;
    bool fresh;
    cells_init(&cells, &plan);
    for (uint64_t part = 0; part < 600; part++)
        cells_change(&cells,
                     cells_at(&cells, part, (struct cell_field){0, 0}, bytes_of("k"), &fresh));
    for (uint64_t part = 0; part < 600; part += 2) {
        cr_assert_eq(cells_evict(&cells, drop_this, &part), 1);
        cr_assert_eq(cells_evict(&cells, drop_this, &part), 0);
    }
    uint64_t expected = 1;
    struct cell *cell;
    for (size_t i = 0; (cell = cells_next(&cells, &i)); expected += 2) {
        cr_assert_eq(cell->part, expected);
        cr_assert_eq(cells_changed_at(&cells, i - 1), cell);
        cr_assert_eq(cells_at(&cells, expected, cell->field, bytes_of("k"), &fresh), cell);
    }
    cr_assert_eq(expected, 601);
    cells_release(&cells);
}
