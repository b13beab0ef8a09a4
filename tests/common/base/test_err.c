/* tests/common/base/test_err.c - the first failure wins, and every code has its exit status. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/base/err.h"

Test(err, the_first_failure_is_kept)
{
    struct err err = {0};
    cr_expect_eq(err_set(&err, ERR_AWAY, "the cause %d", 1), ERR_AWAY);
    cr_expect_eq(err_set(&err, ERR_DATA, "a consequence"), ERR_DATA);
    cr_expect_eq(err.code, ERR_AWAY);
    cr_expect(err.retry);
    cr_expect_str_eq(err.text, "the cause 1");
    err_clear(&err);
    err_set(&err, ERR_DATA, "another");
    cr_expect_eq(err.code, ERR_DATA);
    cr_expect_not(err.retry);
}

Test(err, null_is_accepted_everywhere)
{
    cr_expect_eq(err_set(NULL, ERR_ENV, "x"), ERR_ENV);
    errno = ENOENT;
    cr_expect_eq(err_errno(NULL, ERR_ENV, "x"), ERR_ENV);
    err_context(NULL, "x");
    err_clear(NULL);
}

Test(err, errno_is_appended_and_a_full_disk_is_its_own_code)
{
    static const struct {
        int number, code;
    } ROWS[] = {{ENOENT, ERR_ENV}, {ENOSPC, ERR_FULL}, {EDQUOT, ERR_FULL}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct err err = {0};
        errno = ROWS[i].number;
        cr_expect_eq(err_errno(&err, ERR_ENV, "cannot open %s", "x"), ROWS[i].code);
        cr_expect_eq(err.code, ROWS[i].code);
        cr_expect(strncmp(err.text, "cannot open x: ", 15) == 0, "%s", err.text);
        cr_expect(strstr(err.text, strerror(ROWS[i].number)));
    }
}

Test(err, context_goes_before_the_text_and_long_texts_are_cut)
{
    struct err err = {0};
    err_context(&err, "nothing happened");
    cr_expect_str_eq(err.text, "");
    char long_text[2000];
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = 0;
    err_set(&err, ERR_DATA, "%s", long_text);
    err_context(&err, "line %d", 7);
    cr_expect(strncmp(err.text, "line 7: xxx", 11) == 0);
    cr_expect_eq(strlen(err.text), sizeof err.text - 1);
}

Test(err, exit_statuses_are_those_of_the_manual)
{
    static const struct {
        int code, status;
    } ROWS[] = {{0, 0},        {7, 0},        {ERR_CHECK, 1}, {ERR_USAGE, 2},
                {ERR_ENV, 3},  {ERR_DATA, 4}, {ERR_AWAY, 3},  {ERR_GONE, 4},
                {ERR_LOST, 4}, {ERR_GAP, 4},  {ERR_FULL, 3},  {ERR_INTERRUPTED, 130},
                {-999, 1}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        cr_expect_eq(err_exit_status(ROWS[i].code), ROWS[i].status, "code %d", ROWS[i].code);
}

Test(mem, ends_the_program_with_status_3_when_memory_is_gone, .exit_code = 3)
{
    mem_alloc(1UL << 60);
}
