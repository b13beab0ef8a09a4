/* tests/common/store/test_registry.c - versions are numbered in order, one is live, and whoever
 * writes at once with another tries again. */
#include "common/store/registry.h"
#include "common/store/registry_copy.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "common/base/fault.h"

#define URI "memory:registry"

static struct plan *plan_of(int revision)
{
    char text[300];
    struct plan *plan = NULL;
    struct buf mistakes = {0};
    struct err err = {0};
    snprintf(text, sizeof text,
             "{\"view\":\"v\",\"source\":{\"time\":{\"field\":\"t\",\"format\":\"ms\"},\"fields\":{"
             "\"k\":\"string\"}},\"key\":[\"k\"],\"window\":{\"tumbling\":\"%ds\"},"
             "\"values\":{\"n\":\"count\"}}",
             revision);
    cr_assert_eq(plan_parse(bytes_of(text), ".", false, &plan, &mistakes, &err), 0, "%s", err.text);
    buf_release(&mistakes);
    return plan;
}

static struct kv *open_kv(void)
{
    struct kv *kv = NULL;
    cr_assert_eq(kv_open(URI, &kv, NULL), 0);
    return kv;
}

static int add(struct kv *kv, int revision, enum arch arch, int partitions, struct err *err)
{
    struct plan *plan = plan_of(revision);
    int rc = registry_add(kv, plan, arch, partitions, err);
    plan_free(plan);
    return rc;
}

Test(registry, the_first_version_is_live_and_a_changed_plan_is_the_next_one)
{
    struct kv *kv = open_kv();
    struct registry registry;
    struct plan *plan = plan_of(2);
    cr_assert_eq(registry_read(kv, "v", ARCH_KAPPA, &registry, NULL), 0);
    cr_expect_eq(registry.live, 0, "no view yet");
    registry_release(&registry);
    cr_expect_eq(add(kv, 1, ARCH_KAPPA, 3, NULL), 1);
    cr_expect_eq(add(kv, 2, ARCH_KAPPA, 3, NULL), 2);
    cr_expect_eq(add(kv, 1, ARCH_KAPPA, 3, NULL), 1, "the same plan is the version that it is");
    cr_expect_eq(add(kv, 2, ARCH_LAMBDA, 3, NULL), 1, "each architecture has its own");
    cr_assert_eq(registry_read(kv, "v", ARCH_KAPPA, &registry, NULL), 0);
    cr_expect(registry.live == 1 && registry.partitions == 3 && registry.count == 2);
    const struct registry_version *version = registry_find(&registry, plan->hash);
    cr_assert_not_null(version);
    cr_expect_eq(version->number, 2);
    cr_expect(version->running);
    cr_expect_str_eq(version->plan, plan->json, "a reader needs no file");
    cr_expect_null(registry_find(&registry, "0"));
    registry_release(&registry);
    plan_free(plan);
    kv_close(kv);
}

Test(registry, a_view_keeps_its_number_of_partitions)
{
    struct kv *kv = open_kv();
    for (int revision = 1; revision <= 2; revision++) {
        struct err err = {0};
        cr_assert_eq(add(kv, 1, ARCH_KAPPA, 3, NULL), 1);
        cr_expect_eq(add(kv, revision, ARCH_KAPPA, 4, &err), ERR_USAGE);
        cr_expect(strstr(err.text, "over 3 partitions and the topic has 4"), "%s", err.text);
    }
    kv_close(kv);
}

static int live(struct kv *kv)
{
    struct registry registry;
    cr_assert_eq(registry_read(kv, "v", ARCH_KAPPA, &registry, NULL), 0);
    int number = registry.live;
    registry_release(&registry);
    return number;
}

Test(registry, only_a_running_version_is_promoted)
{
    struct kv *kv = open_kv();
    struct kv_reply *replies;
    struct err err = {0};
    for (int revision = 1; revision <= 3; revision++)
        add(kv, revision, ARCH_KAPPA, 1, NULL);
    kv_words(kv, "HSET", "lk:{v}:kappa", "state.3", "retired", NULL);
    kv_roundtrip(kv, &replies, NULL);
    cr_expect_eq(registry_promote(kv, "v", ARCH_KAPPA, 0, 2, NULL), 0);
    cr_expect_eq(live(kv), 2);
    cr_expect_eq(registry_promote(kv, "v", ARCH_KAPPA, 0, 2, NULL), 0, "again changes nothing");
    for (int number = 3; number >= -1; number--) {
        if (number == 1 || number == 2)
            continue;
        cr_expect_eq(registry_promote(kv, "v", ARCH_KAPPA, 0, number, &err), ERR_USAGE, "%d",
                     number);
        cr_expect(strstr(err.text, "not running"), "%s", err.text);
        err_clear(&err);
    }
    cr_expect_eq(registry_promote(kv, "none", ARCH_KAPPA, 0, 1, NULL), ERR_USAGE);
    cr_expect_eq(registry_promote(kv, "v", ARCH_KAPPA, 0, 1, NULL), 0, "and back");
    cr_expect_eq(live(kv), 1);
    kv_close(kv);
}

Test(registry, a_flip_whose_reply_was_lost_is_tried_again)
{
    for (int landed = 0; landed < 2; landed++) {
        struct kv *kv = open_kv();
        struct err err = {0};
        memory_drop("registry");
        kv_reconnect(kv, NULL);
        add(kv, 1, ARCH_KAPPA, 1, NULL);
        add(kv, 2, ARCH_KAPPA, 1, NULL);
        memory_break("registry", landed);
        int first = registry_promote(kv, "v", ARCH_KAPPA, 0, 2, &err);
        cr_expect_eq(first, ERR_AWAY);
        cr_assert_eq(kv_reconnect(kv, NULL), 0);
        cr_expect_eq(registry_promote(kv, "v", ARCH_KAPPA, 0, 2, NULL), 0);
        cr_expect_eq(live(kv), 2);
        memory_break("registry", landed);
        cr_expect_eq(add(kv, 3, ARCH_KAPPA, 1, NULL), ERR_AWAY);
        cr_assert_eq(kv_reconnect(kv, NULL), 0);
        cr_expect_eq(add(kv, 3, ARCH_KAPPA, 1, NULL), 3, "added once");
        kv_close(kv);
    }
}

Test(registry, the_fault_point_promote_changes_nothing)
{
    struct kv *kv = open_kv();
    add(kv, 1, ARCH_KAPPA, 1, NULL);
    add(kv, 2, ARCH_KAPPA, 1, NULL);
    fault_set("promote:1:error", NULL);
    cr_expect_eq(registry_promote(kv, "v", ARCH_KAPPA, 0, 2, NULL), ERR_AWAY);
    cr_expect_eq(live(kv), 1);
    cr_expect_eq(registry_promote(kv, "v", ARCH_KAPPA, 0, 2, NULL), 0);
    kv_close(kv);
}

/* ---- at once ---- */

enum { WRITERS = 4, REVISIONS = 5 };

static void *write_all(void *context)
{
    struct kv *kv = open_kv();
    int *number = context;
    for (int i = 0; i < REVISIONS; i++) {
        struct err err = {0};
        number[i] = add(kv, number[REVISIONS] + i * WRITERS + 1, ARCH_KAPPA, 1, &err);
    }
    kv_close(kv);
    return NULL;
}

Test(registry, writers_at_once_each_get_a_number_of_their_own)
{
    pthread_t threads[WRITERS];
    int numbers[WRITERS][REVISIONS + 1]; /* the last one: which writer it is */
    bool taken[WRITERS * REVISIONS + 1] = {false};
    for (int w = 0; w < WRITERS; w++) {
        numbers[w][REVISIONS] = w;
        pthread_create(&threads[w], NULL, write_all, numbers[w]);
    }
    for (int w = 0; w < WRITERS; w++)
        pthread_join(threads[w], NULL);
    for (int w = 0; w < WRITERS; w++)
        for (int i = 0; i < REVISIONS; i++) {
            int number = numbers[w][i];
            cr_assert(number >= 1 && number <= WRITERS * REVISIONS, "%d", number);
            cr_expect_not(taken[number], "%d was given twice", number);
            taken[number] = true;
        }
}

Test(registry, a_full_store_is_said)
{
    struct kv *kv = open_kv();
    struct err err = {0};
    memory_full("registry", true);
    cr_expect_eq(add(kv, 1, ARCH_KAPPA, 1, &err), ERR_FULL, "%s", err.text);
    kv_close(kv);
}

static const struct {
    const char *field, *text;
} GARBAGE[] = {
    {"live", "x"},          {"partitions", ""},      {"state", "running"},
    {"state.0", "running"}, {"state.-1", "running"}, {"state.99999", "running"},
    {"live", "9"},          {"live", "-1"},
};

Test(registry, what_lk_did_not_write_is_data_that_is_wrong)
{
    for (size_t i = 0; i < sizeof GARBAGE / sizeof *GARBAGE; i++) {
        struct kv *kv = open_kv();
        struct kv_reply *replies;
        struct registry registry;
        memory_drop("registry");
        kv_reconnect(kv, NULL);
        add(kv, 1, ARCH_KAPPA, 1, NULL);
        kv_words(kv, "HSET", "lk:{v}:kappa", GARBAGE[i].field, GARBAGE[i].text, NULL);
        kv_roundtrip(kv, &replies, NULL);
        cr_expect_eq(registry_read(kv, "v", ARCH_KAPPA, &registry, NULL), ERR_DATA, "%s = %s",
                     GARBAGE[i].field, GARBAGE[i].text);
        kv_close(kv);
    }
}

Test(registry, versions_are_named_by_architecture)
{
    char name[16];
    registry_version_name(ARCH_KAPPA, 12, name);
    cr_expect_str_eq(name, "k12");
    registry_version_name(ARCH_LAMBDA, 1, name);
    cr_expect_str_eq(name, "l1");
}

/* ---- a copy, for a store that is emptied ---- */

static bool note(struct kv *kv, struct registry_copy *copy)
{
    struct kv_reply *replies;
    registry_copy_ask(kv, "v", ARCH_KAPPA);
    cr_assert_eq(kv_roundtrip(kv, &replies, NULL), 1);
    return registry_copy_note(copy, &replies[0]);
}

Test(registry, a_view_keeps_the_hand_over_that_it_was_made_with)
{
    struct kv *kv = open_kv();
    struct registry registry;
    struct plan *plan = plan_of(1);
    struct err err = {0};
    cr_assert_eq(registry_add_lambda(kv, plan, HANDOVER_TWO_SLOT, 3, NULL), 1);
    cr_expect_eq(registry_add_lambda(kv, plan, HANDOVER_TWO_SLOT, 3, NULL), 1);
    cr_expect_eq(registry_add_lambda(kv, plan, HANDOVER_NAIVE, 3, &err), ERR_USAGE);
    cr_expect_not_null(strstr(err.text, "by two-slot, not by naive: say --handover two-slot"));
    cr_expect_eq(registry_add(kv, plan, ARCH_LAMBDA, 3, NULL), ERR_USAGE, "offset is one, too");
    cr_assert_eq(registry_read(kv, "v", ARCH_LAMBDA, &registry, NULL), 0);
    cr_expect_eq(registry.versions[0].handover, HANDOVER_TWO_SLOT);
    registry_release(&registry);
    cr_assert_eq(registry_restore(kv, plan, ARCH_KAPPA, HANDOVER_NAIVE, 3, 1,
                                  (struct registry_start){0}, NULL),
                 0);
    cr_assert_eq(registry_read(kv, "v", ARCH_KAPPA, &registry, NULL), 0);
    cr_expect_eq(registry.versions[0].handover, HANDOVER_OFFSET, "kappa has none");
    registry_release(&registry);
    plan_free(plan);
    kv_close(kv);
}

Test(registry, a_copy_puts_all_versions_back_and_the_live_one_but_never_over_another)
{
    struct kv *kv = open_kv();
    struct kv_reply *replies;
    struct registry registry;
    struct registry_copy copy = {0}, old = {0};
    add(kv, 1, ARCH_KAPPA, 3, NULL);
    cr_assert(note(kv, &old));
    add(kv, 2, ARCH_KAPPA, 3, NULL);
    cr_assert_eq(registry_promote(kv, "v", ARCH_KAPPA, 1, 2, NULL), 0);
    cr_assert(note(kv, &copy));
    kv_words(kv, "FLUSHALL", NULL);
    kv_roundtrip(kv, &replies, NULL);
    cr_expect_not(note(kv, &copy), "it is gone");
    cr_assert_eq(registry_copy_put_back(kv, "v", ARCH_KAPPA, &copy, NULL), 0);
    cr_assert_eq(registry_copy_put_back(kv, "v", ARCH_KAPPA, &old, NULL), 0);
    cr_assert_eq(registry_read(kv, "v", ARCH_KAPPA, &registry, NULL), 0);
    cr_expect(registry.live == 2 && registry.count == 2 && registry.partitions == 3);
    cr_expect(registry.versions[0].running && registry.versions[1].running);
    cr_expect_not_null(registry.versions[0].plan);
    registry_release(&registry);
    registry_copy_release(&copy);
    registry_copy_release(&old);
    kv_close(kv);
}
