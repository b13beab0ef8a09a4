/* tests/lambda/test_folder.c - what exists in a generations' folder, and what is removed. */
#include "lambda/folder.h"

#include <sys/wait.h>

#include "tests/lambda/kit.h"

static const char PLAN_HASH[] = "0123456789abcdef0123456789abcdef";

static void touch(const struct folder *folder, const char *rest)
{
    char *path = folder_path(folder, folder_id(folder), rest);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file, "%s", path);
    fclose(file);
    free(path);
}

/* A whole generation with one partition. */
static void make_generation(struct folder *folder, int64_t boundary)
{
    struct manifest_file file = {.boundary = boundary, .rows = 3, .bytes = 99};
    struct manifest manifest = {.partitions = 1, .files = &file};
    struct err err = {0};
    memcpy(manifest.plan, PLAN_HASH, sizeof PLAN_HASH);
    memcpy(file.checksum, PLAN_HASH, sizeof PLAN_HASH);
    touch(folder, ".p0");
    cr_assert_eq(folder_commit(folder, &manifest, &err), 0, "%s", err.text);
}

Test(folder, newest_generation_is_the_one_committed_last)
{
    struct kit kit;
    struct manifest manifest;
    struct err err = {0};
    kit_open(&kit, 1, 1);
    struct folder *folder = kit_folder(&kit);
    cr_assert_eq(folder_newest(folder, PLAN_HASH, &manifest, &err), 0);
    for (int64_t boundary = 1; boundary <= 12; boundary++) {
        folder_close(folder);
        folder = kit_folder(&kit);
        make_generation(folder, boundary);
    }
    cr_assert_eq(folder_newest(folder, PLAN_HASH, &manifest, &err), 1, "%s", err.text);
    cr_assert_eq(manifest.files[0].boundary, 12);
    cr_assert_eq(manifest.number, 12);
    cr_assert_str_eq(manifest.id, folder_id(folder));
    manifest_release(&manifest);
    cr_assert_eq(folder_newest(folder, "ffffffffffffffffffffffffffffffff", &manifest, &err), 0);
    cr_assert_eq(folder_prune(folder, 3, &err), 0);
    cr_assert_eq(kit_files(&kit, ".json"), 3);
    cr_assert_eq(kit_files(&kit, ".p0"), 3);
    cr_assert_eq(folder_newest(folder, PLAN_HASH, &manifest, &err), 1);
    cr_assert_eq(manifest.files[0].boundary, 12);
    manifest_release(&manifest);
    folder_close(folder);
    kit_close(&kit);
}

/* A process that dies in the middle of a batch. */
static void leave_litter(const struct kit *kit)
{
    pid_t child = fork();
    if (child == 0) {
        struct folder *folder = kit_folder(kit);
        touch(folder, ".p0");
        touch(folder, ".p1.tmp");
        touch(folder, ".p1.runs");
        touch(folder, ".json.tmp");
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

Test(folder, a_dead_batchs_files_go_and_a_living_ones_stay)
{
    struct kit kit;
    kit_open(&kit, 1, 1);
    struct folder *whole = kit_folder(&kit);
    make_generation(whole, 5);
    folder_close(whole);
    struct folder *alive = kit_folder(&kit);
    touch(alive, ".p0");
    touch(alive, ".p1.tmp");
    leave_litter(&kit);
    cr_assert_eq(kit_files(&kit, ".p0"), 3);
    struct folder *next = kit_folder(&kit);
    cr_assert_eq(kit_files(&kit, ".p0"), 2);
    cr_assert_eq(kit_files(&kit, ".tmp"), 1);
    cr_assert_eq(kit_files(&kit, ".runs"), 0);
    cr_assert_eq(kit_files(&kit, ".json"), 1);
    folder_close(alive);
    folder_close(next);
    folder_close(kit_folder(&kit));
    cr_assert_eq(kit_files(&kit, ".p0"), 1);
    cr_assert_eq(kit_files(&kit, ".tmp"), 0);
    kit_close(&kit);
}

Test(folder, a_broken_manifest_is_wrong_data_and_named)
{
    struct kit kit;
    struct manifest manifest;
    struct err err = {0};
    kit_open(&kit, 1, 1);
    struct folder *folder = kit_folder(&kit);
    touch(folder, ".json");
    cr_assert_eq(folder_newest(folder, PLAN_HASH, &manifest, &err), ERR_DATA);
    cr_assert_not_null(strstr(err.text, folder_id(folder)));
    folder_close(folder);
    kit_close(&kit);
}

Test(folder, loads_are_noted_until_forgotten)
{
    struct kit kit;
    struct err err = {0};
    char(*loads)[FOLDER_ID_BYTES];
    kit_open(&kit, 1, 1);
    struct folder *folder = kit_folder(&kit);
    cr_assert_eq(folder_load_note(folder, PLAN_HASH, &err), 0);
    folder_close(folder);
    folder = kit_folder(&kit);
    cr_assert_eq(folder_loads(folder, &loads), 1);
    cr_assert_str_eq(loads[0], PLAN_HASH);
    free(loads);
    folder_load_forget(folder, PLAN_HASH);
    cr_assert_eq(folder_loads(folder, &loads), 0);
    free(loads);
    folder_close(folder);
    kit_close(&kit);
}
