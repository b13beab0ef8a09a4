/* tests/common/store/test_pos.c - pos as text and back, garbage told as such, names of keys. */
#include "common/store/pos.h"

#include <criterion/criterion.h>

#define MAX INT64_MAX

/* The reply of HGETALL to an HSET's arguments. */
static struct kv_reply reply_of(const struct kv_args *args)
{
    struct kv_reply reply = {.type = KV_ARRAY, .count = args->count - 2};
    reply.items = arena_zero(args->arena, (size_t)args->count, sizeof *reply.items);
    for (int i = 2; i < args->count; i++)
        reply.items[i - 2] = (struct kv_reply){.type = KV_TEXT, .text = args->args[i]};
    return reply;
}

static int decode_pair(const char *name, const char *text, struct pos *pos, struct err *err)
{
    struct arena arena = {0};
    struct kv_args args = args_new(&arena, "HSET", "key", name, text, NULL);
    struct kv_reply reply = reply_of(&args);
    int rc = pos_decode(&reply, pos, err);
    arena_release(&arena);
    return rc;
}

static const char ID[] = "0123456789abcdef0123456789abcdef";

static void args_whole(struct kv_args *args)
{
    static const char gens[3][POS_ID_BYTES] = {"g1", "g2", "0123456789abcdef0123456789abcdef"};
    struct counters counters = {28, 1, 2, 3, 4, 5, 13};
    struct buf text = {0};
    counters_encode(&counters, &text);
    args_pair(args, "owner", ID);
    args_pair(args, "plan", "abc");
    args_handover(args, HANDOVER_TWO_SLOT);
    args_int(args, "next", MAX);
    args_int(args, "T", -1);
    args_int(args, "mark", 7);
    args_int(args, "from", 5);
    args_int(args, "floor", -86400000);
    args_cuts(args, (int64_t[]){0, 17, MAX}, 3);
    args_pair(args, "generation", "g2");
    args_int(args, "boundary", 17);
    args_int(args, "boundary_T", 1700000000000);
    args_int(args, "boundary_mark", 11);
    args_pair(args, "previous", "g1");
    args_int(args, "previous_boundary", 3);
    args_gens(args, "gens", gens, 3);
    args_pair(args, "tail", "99,-5,18446744073709551615");
    args_pair(args, "counters", text.ptr);
    args_pair(args, "broken", "1");
    args_pair(args, "retired", "1");
    args_pair(args, "of_a_later_lk", "whatever");
    buf_release(&text);
}

Test(pos, every_field_comes_back_as_it_was_written)
{
    struct arena arena = {0};
    struct pos pos;
    struct err err = {0};
    struct kv_args args = args_new(&arena, "HSET", "key", NULL);
    args_whole(&args);
    struct kv_reply reply = reply_of(&args);
    cr_assert_eq(pos_decode(&reply, &pos, &err), 0, "%s", err.text);
    arena_release(&arena); /* nothing is borrowed */
    cr_expect(pos.here && pos.broken && pos.retired);
    cr_expect_str_eq(pos.owner, ID);
    cr_expect_str_eq(pos.plan, "abc");
    cr_expect_eq(pos.handover, HANDOVER_TWO_SLOT);
    cr_expect(pos.next == MAX && pos.T_ms == -1 && pos.mark == 7 && pos.from == 5);
    cr_expect_eq(pos.floor_ms, -86400000);
    cr_expect(pos.cut_count == 3 && pos.cuts[0] == 0 && pos.cuts[1] == 17 && pos.cuts[2] == MAX);
    cr_expect_str_eq(pos.generation, "g2");
    cr_expect(pos.boundary == 17 && pos.boundary_T_ms == 1700000000000 && pos.boundary_mark == 11);
    cr_expect_str_eq(pos.previous, "g1");
    cr_expect_eq(pos.previous_boundary, 3);
    cr_expect(pos.gen_count == 3 && strcmp(pos.gens[2], ID) == 0);
    cr_expect(pos.tail_offset == 99 && pos.tail_time_ms == -5 && pos.tail_hash == UINT64_MAX);
    cr_expect(pos.counters.read == 28 && pos.counters.skipped == 13);
    cr_expect(counters_balance(&pos.counters));
    cr_expect(pos_has_cut(&pos, 17) && !pos_has_cut(&pos, 16));
    cr_expect(pos_has_gen(&pos, "g1") && !pos_has_gen(&pos, "g"));
    pos_release(&pos);
}

Test(pos, what_is_not_there_is_nothing)
{
    struct kv_reply reply = {.type = KV_ARRAY};
    struct pos pos;
    cr_assert_eq(pos_decode(&reply, &pos, NULL), 0);
    cr_expect_not(pos.here);
    cr_expect(pos.T_ms == INT64_MIN && pos.boundary_T_ms == INT64_MIN && pos.tail_offset == -1);
    cr_expect(pos.floor_ms == WINDOW_FLOOR_NONE && pos.cut_count == 0 && pos.gen_count == 0);
    pos_release(&pos);
}

/* Fields that were never set are written as empty text. */
static const char *const MAY_BE_EMPTY[] = {"owner", "T",    "floor", "boundary_T", "generation",
                                           "tail",  "gens", "cuts",  "broken",     "retired"};

Test(pos, an_empty_text_is_nothing_where_nothing_may_be)
{
    for (size_t i = 0; i < sizeof MAY_BE_EMPTY / sizeof *MAY_BE_EMPTY; i++) {
        struct pos pos;
        struct err err = {0};
        cr_assert_eq(decode_pair(MAY_BE_EMPTY[i], "", &pos, &err), 0, "%s: %s", MAY_BE_EMPTY[i],
                     err.text);
        cr_expect(pos.here && !*pos.owner && pos.T_ms == INT64_MIN && !*pos.generation);
        cr_expect(pos.floor_ms == WINDOW_FLOOR_NONE && pos.boundary_T_ms == INT64_MIN);
        cr_expect(pos.tail_offset == -1 && pos.gen_count == 0 && pos.cut_count == 0);
        cr_expect(!pos.broken && !pos.retired);
        pos_release(&pos);
    }
}

static const struct {
    const char *field, *text;
} GARBAGE[] = {
    {"owner", "0123456789abcdef0123456789abcdef0"},
    {"plan", "a text that is far longer than any hash can be"},
    {"next", ""},
    {"next", "1x"},
    {"next", "9223372036854775808"},
    {"T", "soon"},
    {"mark", "-"},
    {"from", "1.5"},
    {"floor", " 1"},
    {"boundary", "0x10"},
    {"boundary_T", "1 "},
    {"boundary_mark", "+"},
    {"previous_boundary", "one"},
    {"generation", "0123456789abcdef0123456789abcdef0"},
    {"previous", "0123456789abcdef0123456789abcdef0"},
    {"cuts", "1,,2"},
    {"cuts", "1,x"},
    {"gens", "0123456789abcdef0123456789abcdef0"},
    {"gens", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"},
    {"tail", "1"},
    {"tail", "1,2"},
    {"tail", "1,2,x"},
    {"tail", "1,2,-1"},
    {"tail", "1,2,18446744073709551616"},
    {"tail", "1,2,3,4"},
    {"counters", ""},
    {"counters", "1,2,3"},
    {"counters", "1,2,3,4,5,6,7,8"},
};

Test(pos, garbage_in_any_field_is_data_that_lk_did_not_write)
{
    for (size_t i = 0; i < sizeof GARBAGE / sizeof *GARBAGE; i++) {
        struct pos pos;
        struct err err = {0};
        cr_expect_eq(decode_pair(GARBAGE[i].field, GARBAGE[i].text, &pos, &err), ERR_DATA,
                     "%s = \"%s\"", GARBAGE[i].field, GARBAGE[i].text);
        cr_expect(strstr(err.text, GARBAGE[i].field), "%s", err.text);
    }
}

Test(pos, as_many_generations_as_fit_and_a_great_many_cuts)
{
    enum { CUTS = 5000 };
    static int64_t cuts[CUTS];
    struct arena arena = {0};
    struct pos pos;
    for (int i = 0; i < CUTS; i++)
        cuts[i] = MAX - CUTS + i;
    struct kv_args args = args_new(&arena, "HSET", "key", NULL);
    args_pair(&args, "gens", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16");
    args_cuts(&args, cuts, CUTS);
    struct kv_reply reply = reply_of(&args);
    cr_assert_eq(pos_decode(&reply, &pos, NULL), 0);
    cr_expect_eq(pos.gen_count, POS_GENS_MAX);
    cr_expect_str_eq(pos.gens[15], "16");
    cr_assert_eq(pos.cut_count, CUTS);
    cr_expect_arr_eq(pos.cuts, cuts, sizeof cuts);
    pos_release(&pos);
    arena_release(&arena);
}

Test(pos, another_type_at_the_key_is_not_ours_and_any_other_error_is_the_servers)
{
    struct kv_reply wrong = {.type = KV_ERROR, .text = bytes_of("WRONGTYPE Operation")};
    struct kv_reply away = {.type = KV_ERROR, .text = bytes_of("LOADING Redis")};
    struct kv_reply text = {.type = KV_TEXT, .text = bytes_of("x")};
    struct pos pos;
    cr_expect_eq(pos_decode(&wrong, &pos, NULL), ERR_DATA);
    cr_expect_eq(pos_decode(&away, &pos, NULL), ERR_ENV);
    cr_expect_eq(pos_decode(&text, &pos, NULL), ERR_ENV);
}

Test(pos, all_keys_of_a_partition_carry_its_tag)
{
    struct arena arena = {0};
    cr_expect_str_eq(key_pos(&arena, "view", "k1", 0), "lk:{view.k1:0}:pos");
    cr_expect_str_eq(key_part(&arena, "view", "l2", 11, "s17"), "lk:{view.l2:11}:s17");
    cr_expect_str_eq(key_cells(&arena, "view", "l2", 11, "gabc", "60000"),
                     "lk:{view.l2:11}:gabc:60000");
    arena_release(&arena);
}
