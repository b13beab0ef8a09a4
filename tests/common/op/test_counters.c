/* tests/common/op/test_counters.c - where events went, as text and back. */
#include <criterion/criterion.h>

#include "common/op/counters.h"

Test(counters, come_back_from_their_text)
{
    struct counters c = {INT64_MAX, 1, 2, 3, 4, 5, 0}, back = {0};
    struct buf text = {0};
    counters_encode(&c, &text);
    cr_assert_str_eq(text.ptr, "9223372036854775807,1,2,3,4,5,0");
    cr_assert(counters_decode(buf_bytes(&text), &back));
    cr_assert_eq(memcmp(&c, &back, sizeof c), 0);
    buf_release(&text);
}

Test(counters, refuse_a_text_that_is_not_seven_integers)
{
    static const char *const BAD[] = {"",
                                      "1",
                                      "1,2,3,4,5,6",
                                      "1,2,3,4,5,6,7,8",
                                      "1,2,3,4,5,6,",
                                      ",,,,,,",
                                      "1,2,3,4,5,6,x",
                                      "1,2,3,4,5,6,9223372036854775808"};
    struct counters out;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        cr_expect_not(counters_decode(bytes_of(BAD[i]), &out), "%s", BAD[i]);
}

Test(counters, add_up_and_balance)
{
    struct counters a = {21, 1, 2, 3, 4, 5, 6}, b = {1, 0, 0, 0, 0, 0, 0};
    cr_assert(counters_balance(&a));
    cr_assert_not(counters_balance(&b));
    counters_add(&b, &a);
    cr_assert_eq(b.read, 22);
    cr_assert_eq(b.skipped, 6);
    cr_assert_not(counters_balance(&b));
}
