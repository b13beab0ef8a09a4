/* tests/bench/test_anomaly_kills.c - parts that are to die at each of their fault points: who did, and who did not. */
#include "bench/anomaly_kills.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"

enum { LOOKS_MAX = 20000, WAIT_MS = 1, ARCHIVE_POINTS = 4 };

/* A shell script that plays an archiver. */
struct stand {
    char dir[40], script[64], output[64];
    struct process process;
    struct kills kills;
};

static void stand_open(struct stand *stand, const char *script)
{
    struct err err = {0};
    *stand = (struct stand){.dir = "/tmp/lk-test-kills.XXXXXX", .kills.spread = 1};
    cr_assert_not_null(mkdtemp(stand->dir));
    snprintf(stand->script, sizeof stand->script, "%s/script", stand->dir);
    snprintf(stand->output, sizeof stand->output, "%s/out", stand->dir);
    FILE *out = fopen(stand->script, "w");
    cr_assert_not_null(out);
    fputs(script, out);
    fclose(out);
    process_init(&stand->process, "side", "archive", "sh", stand->script, stand->output);
    cr_assert_eq(process_start(&stand->process, &err), 0, "%s", err.text);
    rng_init(&stand->kills.rng, 1);
    kills_add(&stand->kills, KILLS_ARCHIVE, &stand->process);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static void stand_close(struct stand *stand)
{
    process_kill(&stand->process);
    process_release(&stand->process);
    nftw(stand->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Look until so many have died, or it fails. */
static int look_until(struct stand *stand, int deaths, struct err *err)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < LOOKS_MAX && kills_total(&stand->kills) < deaths; i++) {
        rc = kills_look(&stand->kills, err);
        clock_sleep_ms(WAIT_MS);
    }
    return rc;
}

Test(kills, one_point_after_the_other_and_the_one_that_is_missing_is_named)
{
    struct stand stand;
    struct err err = {0};
    struct buf json = {0};
    char missing[80];
    stand_open(&stand, "[ -n \"$LK_FAULT\" ] || exec sleep 100\necho $LK_FAULT\nkill -9 $$\n");
    cr_expect_str_eq(kills_missing(&stand.kills, missing), "archive at 'segment temp'");
    cr_assert_eq(look_until(&stand, ARCHIVE_POINTS - 1, &err), 0, "%s", err.text);
    cr_expect_str_eq(kills_missing(&stand.kills, missing), "archive at 'segment noted'");
    cr_assert_eq(look_until(&stand, ARCHIVE_POINTS + 1, &err), 0, "%s", err.text);
    cr_expect_null(kills_missing(&stand.kills, missing));
    kills_json(&stand.kills, &json);
    cr_expect_str_eq(json.ptr, "{\"archive\":{\"segment temp\":2,\"segment sync\":1,"
                               "\"segment rename\":1,\"segment noted\":1}}");
    buf_release(&json);
    stand_close(&stand);
}

Test(kills, who_ends_otherwise_than_by_its_fault_ends_the_run_and_is_quoted)
{
    struct stand stand;
    struct err err = {0};
    stand_open(&stand, "[ -n \"$LK_FAULT\" ] || exec sleep 100\necho wrong data >&2\nexit 4\n");
    cr_expect_eq(look_until(&stand, 1, &err), ERR_ENV);
    cr_expect_not_null(strstr(err.text, "'segment temp', ended: exit 4: wrong data"), "%s",
                       err.text);
    cr_expect_eq(kills_total(&stand.kills), 0);
    stand_close(&stand);
}

Test(kills, nobody_is_missing_where_nobody_is_to_die)
{
    struct kills none = {0};
    char missing[80];
    cr_expect_null(kills_missing(&none, missing));
    cr_expect_eq(kills_total(&none), 0);
}
