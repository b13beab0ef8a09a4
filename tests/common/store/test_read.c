/* tests/common/store/test_read.c - the logical read over cells and positions put there by hand,
 * and over positions that move while it reads. */
#include "common/store/read.h"

#include "common/base/fault.h"
#include "common/store/pos.h"
#include "tests/common/store/redis_here.h"

#define NAME "read"
#define URI "memory:" NAME

static const char *const WINDOWS[] = {"{\"tumbling\":\"1s\"}", "{\"hopping\":[\"2s\",\"1s\"]}",
                                      "\"none\""};
enum { TUMBLING, HOPPING, NONE };

/* A view over two partitions, and a connection that reads it. */
struct view {
    struct kv *kv, *own; /* the reader's; the test's */
    struct plan *plan;
    enum arch arch;
    const char *version;
};

static struct kv *open_kv(const char *uri)
{
    struct kv *kv = NULL;
    struct err err = {0};
    cr_assert_eq(kv_open(uri, &kv, &err), 0, "%s", err.text);
    return kv;
}

static void view_open_at(struct view *view, const char *uri, enum arch arch, int window)
{
    char text[400];
    struct buf mistakes = {0};
    struct err err = {0};
    *view = (struct view){.kv = open_kv(uri),
                          .own = open_kv(uri),
                          .arch = arch,
                          .version = arch == ARCH_KAPPA ? "k1" : "l1"};
    snprintf(text, sizeof text,
             "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},\"fields\":{"
             "\"k\":\"string\",\"x\":\"int\"}},\"key\":[\"k\"],\"window\":%s,"
             "\"values\":{\"n\":\"count\",\"s\":{\"sum\":\"x\"}}}",
             WINDOWS[window]);
    cr_assert_eq(plan_parse(bytes_of(text), ".", false, &view->plan, &mistakes, &err), 0, "%s",
                 err.text);
    cr_assert_eq(registry_add(view->own, view->plan, arch, 2, &err), 1, "%s", err.text);
    buf_release(&mistakes);
}

static void view_open(struct view *view, enum arch arch, int window)
{
    memory_drop(NAME);
    view_open_at(view, URI, arch, window);
}

static void view_close(struct view *view)
{
    kv_close(view->kv);
    kv_close(view->own);
    plan_free(view->plan);
}

static void tell(struct view *view, struct kv_args *args)
{
    struct kv_reply *replies;
    args_queue(args, view->own);
    cr_assert_eq(kv_roundtrip(view->own, &replies, NULL), 1);
    cr_assert_neq(replies[0].type, KV_ERROR, "%.*s", (int)replies[0].text.len, replies[0].text.ptr);
}

static void put_pos(struct view *view, int partition, const char *field, const char *text)
{
    struct arena arena = {0};
    struct kv_args args =
        args_new(&arena, "HSET", key_pos(&arena, "v", view->version, partition), field, text, NULL);
    tell(view, &args);
    arena_release(&arena);
}

static void put_cell(struct view *view, int partition, const char *part, const char *field,
                     const char *key, const char *partial)
{
    struct arena arena = {0};
    struct kv_args index = args_new(
        &arena, "SADD", key_part(&arena, "v", view->version, partition, part), field, NULL);
    struct kv_args cell =
        args_new(&arena, "HSET", key_cells(&arena, "v", view->version, partition, part, field), key,
                 partial, NULL);
    tell(view, &index);
    tell(view, &cell);
    arena_release(&arena);
}

/* Both partitions stand at 100. */
static void put_positions(struct view *view)
{
    for (int p = 0; p < 2; p++) {
        put_pos(view, p, "owner", "me");
        put_pos(view, p, "next", "100");
        put_pos(view, p, "T", "5000");
        put_pos(view, p, "from", "0");
        put_pos(view, p, "counters", "100,100,0,0,0,0,0");
        if (view->arch == ARCH_LAMBDA)
            put_pos(view, p, "cuts", "0,40,100");
    }
}

static int read_view(struct view *view, const struct view_query *query, struct answer *out,
                     struct err *err)
{
    return view_read(view->kv, "v", view->arch, query, out, err);
}

/* The rows as "window key n,s" with blanks between; only the numbers of values are said. */
static void rows_of(const struct answer *answer, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < answer->count; i++) {
        long long n = 0, s = 0;
        sscanf(answer->rows[i].values.ptr, "\"n\":%lld,\"s\":%lld", &n, &s);
        buf_printf(out, "%s%lld%.*s%lld,%lld", i ? " " : "", (long long)answer->rows[i].window_ms,
                   (int)answer->rows[i].key.len, answer->rows[i].key.ptr, n, s);
    }
}

static void expect(struct view *view, const struct view_query *query, const char *rows)
{
    struct answer answer = {0};
    struct err err = {0};
    struct buf said = {0};
    buf_add_text(&said, "");
    cr_assert_eq(read_view(view, query, &answer, &err), 0, "%s", err.text);
    rows_of(&answer, &said);
    cr_expect_str_eq(said.len ? said.ptr : "", rows);
    buf_release(&said);
    answer_release(&answer);
}

/* ---- what it selects and merges ---- */

static void put_small_view(struct view *view)
{
    put_positions(view);
    put_cell(view, 0, "k", "1000", "[\"a\"]", "2,10");
    put_cell(view, 0, "k", "1000", "[\"b\"]", "1,1");
    put_cell(view, 0, "k", "2000", "[\"a\"]", "1,-3");
    put_cell(view, 1, "k", "1000", "[\"a\"]", "5,-5");
    put_cell(view, 1, "k", "bad", "17", "no JSON");
}

static const struct {
    struct view_query query;
    const char *rows;
} QUERIES[] = {
    {{0}, "1000[\"a\"]7,5 1000[\"b\"]1,1 2000[\"a\"]1,-3"},
    {{.key = "[\"a\"]"}, "1000[\"a\"]7,5 2000[\"a\"]1,-3"},
    {{.key = "[\"c\"]"}, ""},
    {{.has_window = true, .window_ms = 1000}, "1000[\"a\"]7,5 1000[\"b\"]1,1"},
    {{.has_window = true, .window_ms = 3000}, ""},
    {{.key = "[\"b\"]", .has_window = true, .window_ms = 1000}, "1000[\"b\"]1,1"},
    {{.positions_only = true}, ""},
    {{.exact = true}, "1000[\"a\"]7,5 1000[\"b\"]1,1 2000[\"a\"]1,-3"},
    {{.version = 1}, "1000[\"a\"]7,5 1000[\"b\"]1,1 2000[\"a\"]1,-3"},
};

Test(read, partitions_meet_in_one_row_and_a_query_chooses_rows)
{
    struct view view;
    view_open(&view, ARCH_KAPPA, TUMBLING);
    put_small_view(&view);
    for (size_t i = 0; i < sizeof QUERIES / sizeof *QUERIES; i++)
        expect(&view, &QUERIES[i].query, QUERIES[i].rows);
    view_close(&view);
}

Test(read, windows_that_overlap_fold_the_panes_that_are_theirs)
{
    struct view view;
    struct view_query one = {.has_window = true, .window_ms = 1000};
    view_open(&view, ARCH_KAPPA, HOPPING);
    put_positions(&view);
    put_cell(&view, 0, "k", "1000.0", "[\"a\"]", "1,10");    /* windows 0 and 1000 */
    put_cell(&view, 1, "k", "2000.1000", "[\"a\"]", "1,20"); /* 1000 and 2000 */
    put_cell(&view, 0, "k", "2000.2000", "[\"a\"]", "1,40"); /* 2000 alone: late for 1000 */
    expect(&view, &(struct view_query){0}, "0[\"a\"]1,10 1000[\"a\"]2,30 2000[\"a\"]2,60");
    expect(&view, &one, "1000[\"a\"]2,30");
    view_close(&view);
}

Test(read, without_windows_there_is_one_row_a_key)
{
    struct view view;
    view_open(&view, ARCH_KAPPA, NONE);
    put_positions(&view);
    put_cell(&view, 0, "k", "0", "[\"a\"]", "1,10");
    put_cell(&view, 1, "k", "0", "[\"a\"]", "2,20");
    expect(&view, &(struct view_query){0}, "0[\"a\"]3,30");
    expect(&view, &(struct view_query){.key = "[\"a\"]"}, "0[\"a\"]3,30");
    view_close(&view);
}

Test(read, below_the_largest_floor_nothing_is_served)
{
    struct view view;
    view_open(&view, ARCH_KAPPA, TUMBLING);
    put_small_view(&view);
    put_pos(&view, 0, "floor", "1000");
    put_pos(&view, 1, "floor", "1001");
    expect(&view, &(struct view_query){0}, "2000[\"a\"]1,-3");
    view_close(&view);
}

Test(read, a_partition_says_what_it_holds_and_one_without_pos_holds_nothing_yet)
{
    struct view view;
    struct answer answer;
    view_open(&view, ARCH_KAPPA, TUMBLING);
    put_pos(&view, 1, "owner", "me");
    put_pos(&view, 1, "next", "7");
    put_pos(&view, 1, "T", "99");
    put_pos(&view, 1, "floor", "-5");
    put_pos(&view, 1, "counters", "7,1,2,3,1,0,0");
    cr_assert_eq(read_view(&view, &(struct view_query){0}, &answer, NULL), 0);
    cr_expect(answer.partitions == 2 && answer.version == 1 && answer.exact && answer.tries == 0);
    cr_expect(answer.parts[0].read && answer.parts[0].next == 0 &&
              answer.parts[0].T_ms == INT64_MIN && answer.parts[0].floor_ms == WINDOW_FLOOR_NONE);
    cr_expect(answer.parts[1].next == 7 && answer.parts[1].T_ms == 99 &&
              answer.parts[1].floor_ms == -5 && answer.parts[1].counters.filtered == 2);
    answer_release(&answer);
    view_close(&view);
}

/* ---- lambda: batch and spans ---- */

static void put_lambda(struct view *view)
{
    put_positions(view);
    put_pos(view, 1, "generation", "x");
    put_pos(view, 1, "boundary", "40");
    put_pos(view, 1, "boundary_T", "3000");
    put_cell(view, 0, "s0", "1000", "[\"a\"]", "1,1");
    put_cell(view, 0, "s40", "1000", "[\"a\"]", "1,2");
    put_cell(view, 1, "gx", "1000", "[\"a\"]", "1,4");
    put_cell(view, 1, "gold", "1000", "[\"a\"]", "1,8"); /* not published (any more) */
    put_cell(view, 1, "s0", "1000", "[\"a\"]", "1,16");  /* below the boundary */
    put_cell(view, 1, "s40", "1000", "[\"a\"]", "1,32");
    put_cell(view, 1, "s100", "1000", "[\"a\"]", "1,64");
}

Test(read, a_batch_answers_below_its_boundary_and_the_spans_from_there_on)
{
    struct view view;
    struct answer answer;
    view_open(&view, ARCH_LAMBDA, TUMBLING);
    put_lambda(&view);
    expect(&view, &(struct view_query){0}, "1000[\"a\"]5,103");
    expect(&view, &(struct view_query){.key = "[\"a\"]"}, "1000[\"a\"]5,103");
    cr_assert_eq(read_view(&view, &(struct view_query){0}, &answer, NULL), 0);
    cr_expect(answer.parts[1].boundary == 40 && answer.parts[1].next == 100);
    cr_expect_str_eq(answer.parts[1].generation, "x");
    answer_release(&answer);
    put_pos(&view, 1, "boundary", "120"); /* ahead of the speed layer: the batch alone */
    cr_assert_eq(read_view(&view, &(struct view_query){0}, &answer, NULL), 0);
    cr_expect(answer.parts[1].next == 120 && answer.parts[1].T_ms == 3000);
    answer_release(&answer);
    expect(&view, &(struct view_query){0}, "1000[\"a\"]3,7");
    view_close(&view);
}

#ifdef LK_BUGS
static const char *const BUGS[] = {"span-twice", "span-off-by-one"};

Test(read, a_planted_bug_changes_the_answer)
{
    for (size_t i = 0; i < sizeof BUGS / sizeof *BUGS; i++) {
        struct view view;
        struct answer answer;
        struct buf said = {0};
        view_open(&view, ARCH_LAMBDA, TUMBLING);
        put_lambda(&view);
        bug_plant(BUGS[i]);
        cr_assert_eq(read_view(&view, &(struct view_query){0}, &answer, NULL), 0);
        bug_plant(NULL);
        rows_of(&answer, &said);
        cr_expect_str_neq(said.ptr, "1000[\"a\"]5,103", "%s", BUGS[i]);
        buf_release(&said);
        answer_release(&answer);
        view_close(&view);
    }
}
#endif

/* ---- what is not answered ---- */

static const struct {
    enum arch arch;
    const char *field, *text;
    int code;
    const char *says;
} REFUSED[] = {
    {ARCH_LAMBDA, "from", "1", ERR_GAP, "nothing for offsets 0 to 1"},
    {ARCH_KAPPA, "broken", "1", ERR_DATA, "marked broken"},
    {ARCH_LAMBDA, "broken", "1", ERR_DATA, "marked broken"},
    {ARCH_KAPPA, "next", "x", ERR_DATA, "lk did not write"},
    {ARCH_KAPPA, "retired", "1", ERR_AWAY, ""},
};

Test(read, a_partition_that_cannot_answer_is_an_error_never_a_smaller_answer)
{
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++)
        for (int only = 0; only < 2; only++) {
            struct view view;
            struct answer answer;
            struct err err = {0};
            struct view_query query = {.positions_only = only};
            view_open(&view, REFUSED[i].arch, TUMBLING);
            put_positions(&view);
            put_pos(&view, 1, REFUSED[i].field, REFUSED[i].text);
            cr_expect_eq(read_view(&view, &query, &answer, &err), REFUSED[i].code, "%s: %s",
                         REFUSED[i].field, err.text);
            cr_expect(strstr(err.text, REFUSED[i].says), "%s", err.text);
            view_close(&view);
        }
}

Test(read, lambda_without_a_pos_is_a_gap)
{
    struct view view;
    struct answer answer;
    struct err err = {0};
    view_open(&view, ARCH_LAMBDA, TUMBLING);
    cr_expect_eq(read_view(&view, &(struct view_query){0}, &answer, &err), ERR_GAP);
    cr_expect(strstr(err.text, "lk lambda batch"), "%s", err.text);
    view_close(&view);
}

Test(read, a_view_or_version_that_is_not_there_names_what_makes_it)
{
    struct view view;
    struct answer answer;
    struct err err = {0};
    view_open(&view, ARCH_KAPPA, TUMBLING);
    cr_expect_eq(view_read(view.kv, "none", ARCH_KAPPA, &(struct view_query){0}, &answer, &err),
                 ERR_ENV);
    cr_expect(strstr(err.text, "lk kappa run"), "%s", err.text);
    cr_expect_eq(read_view(&view, &(struct view_query){.version = 2}, &answer, NULL), ERR_ENV);
    view_close(&view);
}

static const struct {
    int window;
    const char *field, *partial, *says;
} FOREIGN[] = {
    {TUMBLING, "1000", "x", "holds \"x\""},
    {TUMBLING, "1000", "1", "holds \"1\""},
    {TUMBLING, "soon", "1,1", "a field \"soon\""},
    {HOPPING, "1000", "1,1", "a field \"1000\""},
};

Test(read, cells_that_lk_did_not_write_are_wrong_data)
{
    for (size_t i = 0; i < sizeof FOREIGN / sizeof *FOREIGN; i++) {
        struct view view;
        struct answer answer;
        struct err err = {0};
        view_open(&view, ARCH_KAPPA, FOREIGN[i].window);
        put_positions(&view);
        put_cell(&view, 1, "k", FOREIGN[i].field, "[\"a\"]", FOREIGN[i].partial);
        cr_expect_eq(read_view(&view, &(struct view_query){0}, &answer, &err), ERR_DATA);
        cr_expect(strstr(err.text, FOREIGN[i].says), "%s", err.text);
        view_close(&view);
    }
}

Test(read, another_type_at_a_key_of_ours_is_wrong_data)
{
    static const char *const KEYS[] = {"lk:{v.k1:1}:k", "lk:{v.k1:1}:k:1000", "lk:{v.k1:1}:pos"};
    struct redis_here redis = {0};
    struct view view;
    redis_here_start(&redis);
    view_open_at(&view, redis.uri, ARCH_KAPPA, TUMBLING);
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        struct answer answer;
        struct err err = {0};
        struct arena arena = {0};
        put_small_view(&view);
        struct kv_args set = args_new(&arena, "SET", KEYS[i], "x", NULL);
        tell(&view, &set);
        cr_expect_eq(read_view(&view, &(struct view_query){0}, &answer, &err), ERR_DATA, "%s: %s",
                     KEYS[i], err.text);
        struct kv_args drop = args_new(&arena, "UNLINK", KEYS[i], NULL);
        tell(&view, &drop);
        arena_release(&arena);
    }
    view_close(&view);
    redis_here_stop(&redis);
}

/* ---- what moves while it reads ---- */

enum { SEND_CELLS = 3 }; /* a new reader's: 1 the registry, 2 pos and kappa's index */

/* Before the reader's nth sending, fields of partition 0's pos change. */
struct move {
    enum arch arch;
    const char *fields[6][2];
    int tries;
    bool exact;
    int64_t next, boundary;
    const char *about;
};

static const struct move MOVES[] = {
    {ARCH_KAPPA, {{"next", "120"}}, 0, false, 100, 0, "next moved: at least what was claimed"},
    {ARCH_KAPPA, {{"owner", "you"}}, 1, true, 100, 0, "another owner"},
    {ARCH_KAPPA, {{"floor", "500"}}, 1, true, 100, 0, "the floor rose"},
    {ARCH_KAPPA, {{"mark", "3"}, {"boundary", "9"}}, 0, true, 100, 0, "nothing that counts"},
    {ARCH_LAMBDA,
     {{"generation", "new"}, {"boundary", "100"}, {"previous", "x"}, {"previous_boundary", "40"}},
     0,
     true,
     100,
     40,
     "a batch was published: the previous one still stands"},
    {ARCH_LAMBDA,
     {{"generation", "new"}, {"boundary", "100"}, {"previous", "y"}, {"previous_boundary", "70"}},
     1,
     true,
     100,
     100,
     "two batches were published"},
    {ARCH_LAMBDA,
     {{"generation", "new"}, {"boundary", "100"}, {"previous", "x"}, {"previous_boundary", "39"}},
     1,
     true,
     100,
     100,
     "the previous generation at another boundary"},
    {ARCH_LAMBDA,
     {{"generation", "new"},
      {"boundary", "100"},
      {"previous", "x"},
      {"previous_boundary", "40"},
      {"from", "41"}},
     1,
     true,
     100,
     100,
     "spans that were read may be gone"},
};

struct meddling {
    struct view *view;
    const struct move *move;
    int sends, at;
};

static void do_meddle(void *context)
{
    struct meddling *m = context;
    if (++m->sends != m->at)
        return;
    for (int i = 0; m->move->fields[i][0]; i++)
        put_pos(m->view, 0, m->move->fields[i][0], m->move->fields[i][1]);
}

/* A point that no read passes: with it a pipeline is sent in pieces, between which others may write. */
static void send_in_pieces(bool on)
{
    cr_assert_eq(fault_set(on ? "nowhere:1:error" : NULL, NULL), 0);
}

static void put_moving(struct view *view, enum arch arch)
{
    put_positions(view);
    if (arch == ARCH_LAMBDA) {
        put_pos(view, 0, "generation", "x");
        put_pos(view, 0, "boundary", "40");
    }
}

static void expect_move(const struct move *move, const struct answer *answer, const char *how)
{
    cr_expect_eq(answer->tries, move->tries, "%s, %s: %d tries", move->about, how, answer->tries);
    cr_expect_eq(answer->exact, move->exact, "%s, %s", move->about, how);
    cr_expect_eq(answer->parts[0].next, move->next, "%s, %s: claims %lld", move->about, how,
                 (long long)answer->parts[0].next);
    cr_expect_eq(answer->parts[0].boundary, move->boundary, "%s, %s", move->about, how);
}

/* A reader's first read; lambda's has one trip more, as no span was known. */
static void check_move(const struct move *move)
{
    struct view view;
    struct answer answer;
    struct err err = {0};
    view_open(&view, move->arch, TUMBLING);
    put_moving(&view, move->arch);
    struct meddling meddling = {&view, move, 0, SEND_CELLS + (move->arch == ARCH_LAMBDA)};
    memory_meddle(NAME, do_meddle, &meddling);
    cr_assert_eq(read_view(&view, &(struct view_query){0}, &answer, &err), 0, "%s: %s", move->about,
                 err.text);
    memory_meddle(NAME, NULL, NULL);
    expect_move(move, &answer, "first read");
    answer_release(&answer);
    view_close(&view);
}

/* Before these pieces of a pipeline partition 0's pos was read; before the later one its cells were, too. */
enum { PIECE_CELLS = 3, PIECE_POS_AGAIN };

static void check_move_in_a_pipeline(const struct move *move, int at)
{
    struct view view;
    struct answer answer;
    struct err err = {0};
    struct view_query query = {.key = "[\"a\"]", .has_window = true, .window_ms = 1000};
    view_open(&view, move->arch, TUMBLING);
    put_moving(&view, move->arch);
    struct view_reader *reader = view_reader_new(view.kv, "v", move->arch);
    cr_assert_eq(view_reader_read(reader, &query, &answer, &err), 0, "%s", err.text);
    answer_release(&answer);
    send_in_pieces(true);
    struct meddling meddling = {&view, move, 0, at};
    memory_meddle(NAME, do_meddle, &meddling);
    cr_assert_eq(view_reader_read(reader, &query, &answer, &err), 0, "%s: %s", move->about,
                 err.text);
    memory_meddle(NAME, NULL, NULL);
    send_in_pieces(false);
    expect_move(move, &answer, at == PIECE_CELLS ? "before its cells" : "before pos again");
    answer_release(&answer);
    view_reader_free(reader);
    view_close(&view);
}

Test(read, what_moved_is_read_again_only_where_it_must_be)
{
    for (size_t i = 0; i < sizeof MOVES / sizeof *MOVES; i++) {
        check_move(&MOVES[i]);
        check_move_in_a_pipeline(&MOVES[i], PIECE_CELLS);
        check_move_in_a_pipeline(&MOVES[i], PIECE_POS_AGAIN);
    }
}

Test(read, an_exact_read_tries_until_nothing_moves)
{
    struct view view;
    struct answer answer;
    view_open(&view, ARCH_KAPPA, TUMBLING);
    put_positions(&view);
    struct meddling meddling = {&view, &MOVES[0], 0, SEND_CELLS};
    memory_meddle(NAME, do_meddle, &meddling);
    cr_assert_eq(read_view(&view, &(struct view_query){.exact = true}, &answer, NULL), 0);
    cr_expect(answer.exact && answer.tries == 1 && answer.parts[0].next == 120);
    answer_release(&answer);
    view_close(&view);
}

static void always_another_owner(void *context)
{
    struct meddling *m = context;
    char owner[16];
    snprintf(owner, sizeof owner, "w%d", ++m->sends);
    put_pos(m->view, 0, "owner", owner);
}

Test(read, a_partition_that_moves_during_every_read_is_an_error)
{
    struct view view;
    struct answer answer;
    struct err err = {0};
    view_open(&view, ARCH_KAPPA, NONE);
    put_positions(&view);
    struct meddling meddling = {&view, NULL, 0, 0};
    send_in_pieces(true);
    memory_meddle(NAME, always_another_owner, &meddling);
    cr_expect_eq(read_view(&view, &(struct view_query){0}, &answer, &err), ERR_AWAY);
    send_in_pieces(false);
    cr_expect(strstr(err.text, "moved during each of 8 reads"), "%s", err.text);
    view_close(&view);
}

static void forget_index(void *context)
{
    struct meddling *m = context;
    if (++m->sends != m->at)
        return;
    put_cell(m->view, 0, "k", "1000", "[\"a\"]", "3,11"); /* the commit after the first pos */
    put_pos(m->view, 0, "next", "120");
}

Test(read, a_keyed_read_sees_the_cells_of_the_commit_that_came_between)
{
    struct view view;
    view_open(&view, ARCH_KAPPA, TUMBLING);
    put_small_view(&view);
    struct meddling meddling = {&view, NULL, 0, SEND_CELLS};
    memory_meddle(NAME, forget_index, &meddling);
    expect(&view, &(struct view_query){.key = "[\"a\"]"}, "1000[\"a\"]8,6 2000[\"a\"]1,-3");
    view_close(&view);
}

/* ---- connections ---- */

static const char *const POINTS[] = {"read pos", "read cells", "read pos again"};

Test(read, a_read_that_was_cut_off_is_away_and_the_next_one_is_right)
{
    for (size_t i = 0; i < sizeof POINTS / sizeof *POINTS; i++)
        for (int nth = 1; nth <= 2; nth++) {
            struct view view;
            struct answer answer;
            char fault[40];
            view_open(&view, ARCH_KAPPA, TUMBLING);
            put_small_view(&view);
            snprintf(fault, sizeof fault, "%s:%d:error", POINTS[i], nth);
            cr_assert_eq(fault_set(fault, NULL), 0);
            cr_expect_eq(read_view(&view, &(struct view_query){0}, &answer, NULL), ERR_AWAY, "%s",
                         fault);
            fault_set(NULL, NULL);
            expect(&view, &(struct view_query){0}, QUERIES[0].rows);
            view_close(&view);
        }
}

Test(read, a_broken_connection_is_made_again_by_the_next_read)
{
    struct view view;
    struct answer answer;
    view_open(&view, ARCH_KAPPA, TUMBLING);
    put_small_view(&view);
    memory_break(NAME, false);
    cr_expect_eq(read_view(&view, &(struct view_query){0}, &answer, NULL), ERR_AWAY);
    expect(&view, &(struct view_query){0}, QUERIES[0].rows);
    view_close(&view);
}

/* ---- a reader that is kept ---- */

static void count_sends(void *context)
{
    ++*(int *)context;
}

static const struct view_query ONE_CELL = {.key = "[\"a\"]", .has_window = true, .window_ms = 1000};

/* Read one cell: its rows, and how many round trips it took. */
static void expect_trips(struct view_reader *reader, const char *rows, int trips, const char *when)
{
    struct answer answer = {0};
    struct err err = {0};
    struct buf said = {0};
    int sends = 0;
    memory_meddle(NAME, count_sends, &sends);
    cr_assert_eq(view_reader_read(reader, &ONE_CELL, &answer, &err), 0, "%s: %s", when, err.text);
    memory_meddle(NAME, NULL, NULL);
    rows_of(&answer, &said);
    cr_expect_str_eq(said.len ? said.ptr : "", rows, "%s", when);
    cr_expect_eq(sends, trips, "%s: %d round trips", when, sends);
    buf_release(&said);
    answer_release(&answer);
}

Test(read, a_right_guess_costs_one_round_trip_of_all_partitions)
{
    struct view view;
    view_open(&view, ARCH_KAPPA, TUMBLING);
    put_small_view(&view);
    struct view_reader *reader = view_reader_new(view.kv, "v", ARCH_KAPPA);
    expect_trips(reader, "1000[\"a\"]7,5", 2, "kappa, nothing known");
    expect_trips(reader, "1000[\"a\"]7,5", 1, "kappa, the registry known");
    put_cell(&view, 0, "k", "1000", "[\"a\"]", "3,11");
    put_pos(&view, 0, "next", "120");
    expect_trips(reader, "1000[\"a\"]8,6", 1, "kappa, after a commit");
    view_reader_free(reader);
    view_close(&view);
    view_open(&view, ARCH_LAMBDA, TUMBLING);
    put_lambda(&view);
    reader = view_reader_new(view.kv, "v", ARCH_LAMBDA);
    expect_trips(reader, "1000[\"a\"]5,103", 3, "lambda, nothing known");
    expect_trips(reader, "1000[\"a\"]5,103", 1, "lambda, parts known");
    view_reader_free(reader);
    view_close(&view);
}

/* What makes a guess wrong, on partition 1 of put_lambda; what is then right. */
static const struct {
    const char *fields[4][2];
    const char *rows, *when;
} SURPRISES[] = {
    {{{"cuts", "0,40,100,130"}, {"next", "140"}}, "1000[\"a\"]6,231", "a span began"},
    {{{"generation", "new"}, {"boundary", "100"}, {"previous", "x"}, {"previous_boundary", "40"}},
     "1000[\"a\"]4,323",
     "a batch was published"},
    {{{"cuts", "40,100"}}, "1000[\"a\"]5,103", "old spans went"},
    {{{"cuts", "0,100"}}, "1000[\"a\"]4,71", "Redis went back in time"},
};

static void surprise(struct view *view, size_t i)
{
    for (int f = 0; f < 4 && SURPRISES[i].fields[f][0]; f++)
        put_pos(view, 1, SURPRISES[i].fields[f][0], SURPRISES[i].fields[f][1]);
}

Test(read, a_wrong_guess_costs_a_second_round_trip_and_is_never_served)
{
    for (size_t i = 0; i < sizeof SURPRISES / sizeof *SURPRISES; i++) {
        struct view view;
        bool same_parts = i == 2;
        view_open(&view, ARCH_LAMBDA, TUMBLING);
        put_lambda(&view);
        put_cell(&view, 1, "s130", "1000", "[\"a\"]", "1,128");
        put_cell(&view, 1, "gnew", "1000", "[\"a\"]", "1,256");
        struct view_reader *reader = view_reader_new(view.kv, "v", ARCH_LAMBDA);
        expect_trips(reader, "1000[\"a\"]5,103", 3, "nothing known");
        surprise(&view, i);
        expect_trips(reader, SURPRISES[i].rows, same_parts ? 1 : 2, SURPRISES[i].when);
        expect_trips(reader, SURPRISES[i].rows, 1, SURPRISES[i].when);
        view_reader_free(reader);
        view_close(&view);
    }
}

#ifdef LK_BUGS
Test(read, a_guess_that_is_believed_is_seen)
{
    for (size_t i = 0; i < sizeof SURPRISES / sizeof *SURPRISES; i++) {
        struct view view;
        struct answer answer;
        struct buf said = {0};
        if (i == 2)
            continue; /* it is right there */
        view_open(&view, ARCH_LAMBDA, TUMBLING);
        put_lambda(&view);
        put_cell(&view, 1, "s130", "1000", "[\"a\"]", "1,128");
        put_cell(&view, 1, "gnew", "1000", "[\"a\"]", "1,256");
        struct view_reader *reader = view_reader_new(view.kv, "v", ARCH_LAMBDA);
        expect_trips(reader, "1000[\"a\"]5,103", 3, "nothing known");
        surprise(&view, i);
        bug_plant("read-guess-believed");
        cr_assert_eq(view_reader_read(reader, &ONE_CELL, &answer, NULL), 0);
        bug_plant(NULL);
        rows_of(&answer, &said);
        cr_expect_str_neq(said.ptr, SURPRISES[i].rows, "%s", SURPRISES[i].when);
        buf_release(&said);
        answer_release(&answer);
        view_reader_free(reader);
        view_close(&view);
    }
}
#endif

/* A second version of the view, with one cell of its own. */
static struct plan *put_second(struct view *view)
{
    struct plan *plan;
    struct buf mistakes = {0};
    static const char changed[] =
        "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},\"fields\":{"
        "\"k\":\"string\",\"x\":\"int\"}},\"key\":[\"k\"],\"window\":{\"tumbling\":\"500ms\"},"
        "\"values\":{\"n\":\"count\",\"s\":{\"sum\":\"x\"}}}";
    cr_assert_eq(plan_parse(bytes_of(changed), ".", false, &plan, &mistakes, NULL), 0);
    cr_assert_eq(registry_add(view->own, plan, ARCH_KAPPA, 2, NULL), 2);
    view->version = "k2";
    put_positions(view);
    put_cell(view, 0, "k", "1000", "[\"a\"]", "9,9");
    view->version = "k1";
    return plan;
}

Test(read, a_reader_follows_the_live_pointer_a_canary_and_a_flush)
{
    struct view view;
    struct answer answer;
    struct err err = {0};
    view_open(&view, ARCH_KAPPA, TUMBLING);
    put_small_view(&view);
    struct plan *second = put_second(&view);
    struct view_reader *reader = view_reader_new(view.kv, "v", ARCH_KAPPA);
    expect_trips(reader, "1000[\"a\"]7,5", 2, "version 1");
    cr_assert_eq(registry_promote(view.own, "v", ARCH_KAPPA, 1, 2, NULL), 0);
    expect_trips(reader, "1000[\"a\"]9,9", 2, "the pointer flipped");
    expect_trips(reader, "1000[\"a\"]9,9", 1, "version 2");
    cr_assert_eq(registry_promote(view.own, "v", ARCH_KAPPA, 2, 1, NULL), 0);
    expect_trips(reader, "1000[\"a\"]7,5", 2, "it flipped back");
    cr_assert_eq(registry_canary(view.own, "v", ARCH_KAPPA, 2, 100, NULL), 0);
    expect_trips(reader, "1000[\"a\"]9,9", 2, "a canary took the key");
    cr_assert_eq(registry_promote(view.own, "v", ARCH_KAPPA, 1, 2, NULL), 0);
    cr_assert_eq(registry_retire(view.own, "v", ARCH_KAPPA, 1, NULL), 0);
    put_pos(&view, 0, "retired", "1");
    expect_trips(reader, "1000[\"a\"]9,9", 1, "the other one was retired");
    kv_words(view.own, "FLUSHALL", NULL);
    struct kv_reply *replies;
    cr_assert_eq(kv_roundtrip(view.own, &replies, NULL), 1);
    cr_expect_eq(view_reader_read(reader, &ONE_CELL, &answer, &err), ERR_ENV, "%s", err.text);
    cr_assert_eq(registry_add(view.own, view.plan, ARCH_KAPPA, 2, NULL), 1);
    put_small_view(&view);
    expect_trips(reader, "1000[\"a\"]7,5", 2, "made again after a FLUSHALL");
    view_reader_free(reader);
    plan_free(second);
    view_close(&view);
}

/* Behind the reader's look at the registry: the view is lost, and made again by another plan under the same
 * number, with other values. */
static void make_anew(void *context)
{
    struct meddling *m = context;
    struct kv_reply *replies;
    struct plan *plan;
    struct buf mistakes = {0};
    static const char changed[] =
        "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},\"fields\":{"
        "\"k\":\"string\",\"x\":\"int\"}},\"key\":[\"k\"],\"window\":{\"tumbling\":\"500ms\"},"
        "\"values\":{\"a\":{\"sum\":\"x\"},\"b\":\"count\"}}";
    if (++m->sends != m->at)
        return;
    cr_assert_eq(plan_parse(bytes_of(changed), ".", false, &plan, &mistakes, NULL), 0);
    kv_words(m->view->own, "FLUSHALL", NULL);
    cr_assert_eq(kv_roundtrip(m->view->own, &replies, NULL), 1);
    cr_assert_eq(registry_add(m->view->own, plan, ARCH_KAPPA, 2, NULL), 1);
    put_positions(m->view);
    for (int p = 0; p < 2; p++)
        put_pos(m->view, p, "plan", plan->hash);
    put_cell(m->view, 0, "k", "1000", "[\"a\"]", "-8,3");
    plan_free(plan);
}

Test(read, cells_of_another_plan_under_the_same_number_are_never_served)
{
    for (int named = 0; named < 2; named++) {
        struct view view;
        struct answer answer = {0};
        struct err err = {0};
        const struct view_query query = {.version = named};
        view_open(&view, ARCH_KAPPA, TUMBLING);
        put_small_view(&view);
        for (int p = 0; p < 2; p++)
            put_pos(&view, p, "plan", view.plan->hash);
        struct meddling meddling = {&view, NULL, 0, 2};
        memory_meddle(NAME, make_anew, &meddling);
        int rc = read_view(&view, &query, &answer, &err);
        memory_meddle(NAME, NULL, NULL);
        if (named) {
            cr_expect_eq(rc, ERR_ENV);
            cr_expect(strstr(err.text, "another plan"), "%s", err.text);
        } else {
            cr_assert_eq(rc, 0, "%s", err.text);
            cr_assert_eq(answer.count, 1);
            cr_expect_str_eq(answer.rows[0].values.ptr, "\"a\":-8,\"b\":3");
        }
        answer_release(&answer);
        view_close(&view);
    }
}

/* The same plan again, under the mode that lets all spans answer. */
static void make_naive(void *context)
{
    struct meddling *m = context;
    struct kv_reply *replies;
    if (++m->sends != m->at)
        return;
    kv_words(m->view->own, "FLUSHALL", NULL);
    cr_assert_eq(kv_roundtrip(m->view->own, &replies, NULL), 1);
    cr_assert_eq(registry_add_lambda(m->view->own, m->view->plan, HANDOVER_NAIVE, 2, NULL), 1);
    put_lambda(m->view);
    for (int p = 0; p < 2; p++) {
        put_pos(m->view, p, "plan", m->view->plan->hash);
        put_pos(m->view, p, "handover", "naive");
    }
}

Test(read, spans_are_joined_by_the_mode_that_their_pos_was_made_under)
{
    struct view_query named = {.version = 1};
    for (int at = 2; at <= 4;
         at++) { /* before the first pos; before its cells; before the second pos */
        struct view view;
        struct answer answer = {0};
        struct err err = {0};
        view_open(&view, ARCH_LAMBDA, TUMBLING);
        put_lambda(&view);
        for (int p = 0; p < 2; p++)
            put_pos(&view, p, "plan", view.plan->hash);
        struct meddling meddling = {&view, NULL, 0, at};
        memory_meddle(NAME, make_naive, &meddling);
        int rc = read_view(&view, &(struct view_query){0}, &answer, &err);
        memory_meddle(NAME, NULL, NULL);
        cr_assert_eq(rc, 0, "at %d: %s", at, err.text);
        cr_assert_eq(answer.count, 1);
        /* offset: 1 + 2 + 4 + 32 + 64; naive takes the span from 0 of partition 1, too */
        cr_expect_eq(answer.handover, HANDOVER_NAIVE, "at %d", at);
        cr_expect_str_eq(answer.rows[0].values.ptr, "\"n\":6,\"s\":119", "at %d", at);
        answer_release(&answer);
        if (at == 2) { /* who names the version and goes by the mode of before is told */
            view_close(&view);
            view_open(&view, ARCH_LAMBDA, TUMBLING);
            put_lambda(&view);
            for (int p = 0; p < 2; p++)
                put_pos(&view, p, "handover", "two-slot"),
                    put_pos(&view, p, "plan", view.plan->hash);
            cr_expect_eq(read_view(&view, &named, &answer, &err), ERR_ENV);
            cr_expect(strstr(err.text, "handed over otherwise"), "%s", err.text);
        }
        view_close(&view);
    }
}

Test(read, a_reader_whose_connection_broke_is_right_at_the_next_read)
{
    struct view view;
    struct answer answer;
    view_open(&view, ARCH_LAMBDA, TUMBLING);
    put_lambda(&view);
    struct view_reader *reader = view_reader_new(view.kv, "v", ARCH_LAMBDA);
    expect_trips(reader, "1000[\"a\"]5,103", 3, "nothing known");
    for (int landed = 0; landed < 2; landed++) {
        memory_break(NAME, landed);
        cr_expect_eq(view_reader_read(reader, &ONE_CELL, &answer, NULL), ERR_AWAY);
        expect_trips(reader, "1000[\"a\"]5,103", 1, "after the break");
    }
    view_reader_free(reader);
    view_close(&view);
}
