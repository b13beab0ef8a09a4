/* tests/common/store/test_read_rules.c - which spans and windows answer for a pos, by each hand-over mode; what
 * may be believed of a read while batches begin and land. */
#include "common/store/read_rules.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const struct plan PLAN = {.window = WINDOW_TUMBLING,
                                 .size_ms = 10,
                                 .hop_ms = 10,
                                 .pane_ms = 10,
                                 .out_of_order_ms = 2,
                                 .keep_ms = PLAN_UNLIMITED};

static int64_t CUTS[] = {0, 10, 20, 30};

/* Generation g covers [0, 25), T 57 there; it began at cut 10, a later one at 30, the one before at 0. */
static struct pos published(void)
{
    return (struct pos){.here = true,
                        .owner = "me",
                        .next = 36,
                        .cuts = CUTS,
                        .cut_count = 4,
                        .generation = "g",
                        .boundary = 25,
                        .boundary_T_ms = 57,
                        .previous = "f",
                        .previous_boundary = 12,
                        .slot = 30,
                        .spans = 10,
                        .previous_spans = 5};
}

static struct read_rules rules_of(enum handover handover)
{
    return (struct read_rules){.plan = &PLAN, .arch = ARCH_LAMBDA, .handover = handover};
}

Test(read_rules, each_mode_merges_the_spans_and_windows_that_it_says)
{
    static const struct {
        enum handover handover;
        int64_t from, spans_from, bound_ms, needs_from;
        const char *parts;
    } rows[] = {
        {HANDOVER_OFFSET, 0, 30, INT64_MIN, 12, "gg s30"},
        {HANDOVER_EVENT_TIME, 0, 0, 50, 0, "gg s0 s10 s20 s30"},
        {HANDOVER_EVENT_TIME, 20, 20, 50, 0, "gg s20 s30"},
        {HANDOVER_TWO_SLOT, 0, 10, INT64_MIN, 5, "gg s10 s20 s30"},
        {HANDOVER_TWO_SLOT, 12, 20, INT64_MIN, 5, "gg s20 s30"},
        {HANDOVER_NAIVE, 0, 30, INT64_MIN, 5, "gg s30"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena = {0};
        struct read_part *parts;
        struct pos pos = published();
        struct read_rules rules = rules_of(rows[i].handover);
        struct buf said = {0};
        pos.from = rows[i].from;
        int count = read_parts(&rules, &pos, &arena, &parts);
        bool bounded = rows[i].handover == HANDOVER_EVENT_TIME;
        for (int k = 0; k < count; k++) {
            buf_printf(&said, "%s%s", k ? " " : "", parts[k].name);
            bool batch = *parts[k].name == 'g';
            cr_expect_eq(parts[k].from_ms, batch ? INT64_MIN : rows[i].bound_ms);
            cr_expect_eq(parts[k].to_ms, batch && bounded ? rows[i].bound_ms : INT64_MAX);
        }
        cr_expect_str_eq(said.ptr, rows[i].parts, "row %zu: %s", i, said.ptr);
        cr_expect_eq(read_spans_from(&rules, &pos), rows[i].spans_from, "row %zu", i);
        cr_expect_eq(read_bound(&rules, &pos), rows[i].bound_ms, "row %zu", i);
        cr_expect_eq(read_needs_from(rows[i].handover, &pos), rows[i].needs_from, "row %zu", i);
        buf_release(&said);
        arena_release(&arena);
    }
}

Test(read_rules, what_a_reader_of_the_generation_before_needs_is_never_above_the_boundary)
{
    struct pos pos = published();
    pos.previous_spans = 24; /* slot > end: what lies between is lost, not a gap */
    cr_expect_eq(read_needs_from(HANDOVER_TWO_SLOT, &pos), 12);
    pos.from = 12;
    struct read_rules rules = rules_of(HANDOVER_TWO_SLOT);
    cr_expect_not(read_gap(&rules, &pos));
    pos.from = 26;
    cr_expect(read_gap(&rules, &pos), "nothing was folded below 26, and the batch ends at 25");
}

Test(read_rules, without_a_cut_where_the_spans_should_begin_none_is_merged)
{
    struct pos pos = published();
    struct read_rules rules = rules_of(HANDOVER_NAIVE);
    pos.slot = 31; /* of a store that was lost since */
    cr_expect_eq(read_spans_from(&rules, &pos), 36);
    pos.slot = 40;
    cr_expect_eq(read_spans_from(&rules, &pos), 40);
}

/* What happens between two looks at pos. */
Test(read_rules, a_read_is_believed_while_its_spans_stand)
{
    static const struct {
        enum handover handover;
        const char *generation, *previous;
        int64_t previous_boundary, from, slot;
        enum read_verdict verdict;
    } rows[] = {
        {HANDOVER_TWO_SLOT, "g", "f", 12, 0, 30, READ_EXACT},
        {HANDOVER_TWO_SLOT, "h", "g", 25, 10, 30, READ_EXACT}, /* the next one has landed */
        {HANDOVER_TWO_SLOT, "h", "g", 25, 11, 30, READ_MOVED}, /* and the speed layer raised from */
        {HANDOVER_TWO_SLOT, "i", "h", 33, 10, 30, READ_MOVED}, /* two have */
        {HANDOVER_NAIVE, "g", "f", 12, 0, 35, READ_EXACT}, /* one has begun: right as of before */
        {HANDOVER_NAIVE, "h", "g", 25, 31, 35, READ_MOVED},
        {HANDOVER_EVENT_TIME, "h", "g", 25, 0, 0, READ_EXACT},
        {HANDOVER_EVENT_TIME, "i", "h", 33, 0, 0, READ_MOVED}, /* its windows are being unlinked */
        {HANDOVER_OFFSET, "h", "g", 25, 25, 0, READ_EXACT},
        {HANDOVER_OFFSET, "h", "g", 25, 26, 0, READ_MOVED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pos before = published(), after = published();
        struct read_rules rules = rules_of(rows[i].handover);
        snprintf(after.generation, sizeof after.generation, "%s", rows[i].generation);
        snprintf(after.previous, sizeof after.previous, "%s", rows[i].previous);
        after.previous_boundary = rows[i].previous_boundary;
        after.from = rows[i].from;
        after.slot = rows[i].slot;
        cr_expect_eq(read_judge(&rules, &before, &after), rows[i].verdict, "row %zu", i);
    }
}
