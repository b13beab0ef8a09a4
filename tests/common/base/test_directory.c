/* tests/common/base/test_directory.c - a directory is made with all that is above it, or says why not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/directory.h"

static const struct {
    const char *name; /* below a new directory that holds a file named "file" */
    int number;       /* the errno, 0: it is made */
} ROWS[] = {
    {"", 0},     {"one", 0},          {"a/b/c", 0},          {"a//b/d/", 0},    {"a/b/c", 0},
    {"file", 0}, {"file/x", ENOTDIR}, {"file/x/y", ENOTDIR}, {"./new/../n", 0},
};

Test(directory, is_made_with_all_that_is_above_it)
{
    char root[] = "/tmp/lk-directory-XXXXXX", path[200], command[200];
    cr_assert(mkdtemp(root));
    snprintf(path, sizeof path, "%s/file", root);
    FILE *file = fopen(path, "w");
    cr_assert(file && fclose(file) == 0);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        snprintf(path, sizeof path, "%s/%s", root, ROWS[i].name);
        errno = 0;
        int rc = directory_make(path);
        cr_expect_eq(rc, ROWS[i].number ? -1 : 0, "%s: %d", path, rc);
        cr_expect(rc == 0 || errno == ROWS[i].number, "%s: errno %d", path, errno);
        cr_expect(rc < 0 || access(path, F_OK) == 0, "%s is not there", path);
    }
    snprintf(command, sizeof command, "rm -r %s", root);
    cr_expect_eq(system(command), 0);
}

Test(directory, that_cannot_be_made_leaves_the_first_reason)
{
    cr_expect_eq(directory_make("/proc/none/x/y"), -1);
    cr_expect_eq(errno, ENOENT);
    cr_expect_eq(directory_make(""), -1);
    cr_expect_eq(errno, ENOENT);
}
