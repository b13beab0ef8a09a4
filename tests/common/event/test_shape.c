/* tests/common/event/test_shape.c - guessing the shape of the event before never changes an answer.
 */
#include "common/base/rng.h"
#include "tests/common/event/scanning.h"

enum { BEST = 2, PLAIN = 0 };
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Read in this order by one scanner, each row after the shape of the one above. */
static const struct {
    const char *text, *values; /* NULL: not valid */
} SEQUENCE[] = {
    {"{\"a\":1,\"b\":\"x\"}", "[1,\"x\",-]"},
    {"{\"a\":2,\"b\":\"y\"}", "[2,\"y\",-]"},
    {"{\"a\":null,\"b\":\"\"}", "[null,\"\",-]"},
    {"{\"a\":true,\"b\":\"\\u0041\"}", "[true,\"A\",-]"},
    {"{\"a\":-1.5e3,\"b\":\"\xc3\xa9\"}", "[-1.5e3,\"\xc3\xa9\",-]"},
    {"{\"a\":\"1\",\"b\":\"y\"}", "[\"1\",\"y\",-]"},
    {"{\"a\":\"1\",\"b\":2}", "[\"1\",2,-]"},
    {"{\"a\":{\"b\":1},\"b\":2}", "[{\"b\":1},2,1]"},
    {"{\"a\":{\"b\":2},\"b\":3}", "[{\"b\":2},3,2]"},
    {"{\"a\":{\"c\":2},\"b\":3}", "[{\"c\":2},3,-]"},
    {"{\"b\":3,\"a\":1}", "[1,3,-]"},
    {"{\"b\":3,\"a\":1,\"a\":2}", "[2,3,-]"},
    {"{\"b\":4,\"a\":5,\"a\":6}", "[6,4,-]"},
    {"{\"b\":4,\"a\":5,\"c\":6}", "[5,4,-]"},
    {"{\"b\":4,\"a\":5,\"c\":7}", "[5,4,-]"},
    {"{\"b\":4,\"a\":5,\"c\":07}", NULL},
    {"{\"b\":4,\"a\":5,\"c\":}", NULL},
    {"{\"b\":4,\"a\":5,\"c\":8} ", "[5,4,-]"},
    {"{\"b\":4,\"a\":5,\"c\":8}", "[5,4,-]"},
    {"{\"b\":4,\"a\":5,\"c\":8}}", NULL},
    {"{\"b\":4,\"a\":5,\"c\":[1,2]}", "[5,4,-]"},
    {"{\"b\":5,\"a\":6,\"c\":[3,4]}", "[6,5,-]"},
    {"{\"b\":5,\"a\":6,\"c\":[3]}", "[6,5,-]"},
    {"{}", "[-,-,-]"},
    {"{}", "[-,-,-]"},
    {"{\"k\":\"\\\"\",\"a\":1}", "[1,-,-]"},
    {"{\"k\":\",\",\"a\":2}", "[2,-,-]"},
    {"{\"k\":\"\",\"a\":3}", "[3,-,-]"},
    {"{\"k\":\"\",\"a\":\"\"}", "[\"\",-,-]"},
    {"{\"k\":\"\",\"a\":\"", NULL},
};

static void check_row(struct scanning *s, size_t row, struct buf *out)
{
    const char *want = SEQUENCE[row].values;
    enum bad_reason reason = scanning_scan(s, BEST, bytes_of(SEQUENCE[row].text));
    cr_assert_eq(reason, want ? BAD_NOT : BAD_JSON, "%s", SEQUENCE[row].text);
    if (want)
        cr_assert_str_eq(scanning_values(s, out), want, "%s", SEQUENCE[row].text);
}

Test(shape, each_event_is_read_right_after_any_other)
{
    struct scanning s;
    struct buf out = {0};
    scanning_start(&s, "a b a.b");
    for (size_t i = 0; i < COUNT(SEQUENCE); i++)
        for (size_t k = 0; k < COUNT(SEQUENCE); k++) {
            scanner_free(s.scanner[BEST]); /* one that is not tired of guessing */
            s.scanner[BEST] = scanner_new(&s.schema, SCAN_BEST);
            check_row(&s, i, &out);
            check_row(&s, i, &out);
            check_row(&s, k, &out);
        }
    buf_release(&out);
    scanning_stop(&s);
}

/* A gap is compared to its last byte, however long it is and however near to the end. */
Test(shape, a_gap_differs_in_any_of_its_bytes)
{
    static const char *const TEXTS[] = {
        "{\"k\":1,\"a\":\"x\"}",
        "{\"k\":1                                                          ,\"a\":\"x\"}",
        "{\"k\":1,\"a key of more bytes than one comparison of 32 takes in at a time\":\"x\"}",
        "{\"a\":\"x\"                                                             }",
    };
    struct scanning s;
    scanning_start(&s, "a");
    for (size_t i = 0; i < COUNT(TEXTS); i++)
        for (size_t at = 0; TEXTS[i][at]; at++) {
            struct buf text = {0};
            buf_add_text(&text, TEXTS[i]);
            scanner_free(s.scanner[BEST]);
            s.scanner[BEST] = scanner_new(&s.schema, SCAN_BEST);
            cr_assert_eq(scanning_scan(&s, BEST, buf_bytes(&text)), BAD_NOT);
            text.ptr[at] = '"';
            enum bad_reason want = scanning_scan(&s, PLAIN, buf_bytes(&text));
            cr_assert_eq(scanning_scan(&s, BEST, buf_bytes(&text)), want, "byte %zu of %s", at,
                         TEXTS[i]);
            buf_release(&text);
        }
    scanning_stop(&s);
}

/* More members, and longer gaps, than a shape has room for. */
Test(shape, events_too_large_to_be_learnt_are_read_all_the_same)
{
    struct scanning s;
    struct buf text = {0}, out = {0};
    scanning_start(&s, "a b");
    for (int members = 100; members < 200; members++)
        for (int again = 0; again < 2; again++) {
            buf_clear(&text);
            for (int i = 0; i < members; i++)
                buf_printf(&text, "%c\"key%0*d\":%d", i ? ',' : '{', i % 60 + 1, i, i);
            buf_add_text(&text, ",\"a\":\"last\"}");
            cr_assert_eq(scanning_scan(&s, BEST, buf_bytes(&text)), BAD_NOT);
            cr_assert_str_eq(scanning_values(&s, &out), "[\"last\",-]");
        }
    buf_release(&text);
    buf_release(&out);
    scanning_stop(&s);
}

/* One shape for long, then another at every event, then one again: through tiring and resting. */
Test(shape, resting_from_guesses_changes_no_answer)
{
    enum { EVENTS = 20000, SEED = 3 };
    struct scanning s;
    struct buf text = {0}, best = {0}, plain = {0};
    struct rng rng;
    rng_init(&rng, SEED);
    scanning_start(&s, "a b a.b");
    for (int n = 0; n < EVENTS; n++) {
        size_t row = n / 4000 % 2 ? rng_below(&rng, COUNT(SEQUENCE)) : (size_t)(n / 4000);
        struct bytes event = bytes_of(SEQUENCE[row].text);
        enum bad_reason reason = scanning_scan(&s, PLAIN, event);
        scanning_values(&s, &plain);
        cr_assert_eq(scanning_scan(&s, BEST, event), reason, "event %d, seed %d", n, SEED);
        cr_assert_str_eq(scanning_values(&s, &best), plain.ptr, "event %d, seed %d", n, SEED);
    }
    buf_release(&text);
    buf_release(&best);
    buf_release(&plain);
    scanning_stop(&s);
}
