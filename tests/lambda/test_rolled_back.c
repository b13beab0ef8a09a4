/* tests/lambda/test_rolled_back.c - what was rolled back is no base of a later batch, unless it is named, and
 * does not come back by one that was under way. */
#include "lambda/rollback.h"

#include "lambda/batch.h"
#include "tests/lambda/kinds.h"

/* pos as a speed layer leaves it that is ahead of every batch. */
static void put_speed(struct kv *kv, const struct kit *kit)
{
    struct arena arena = {0};
    struct kv_reply *replies;
    struct err err = {0};
    for (int q = 0; q < KIT_PARTITIONS; q++) {
        struct kv_args hset =
            args_new(&arena, "HSET", key_pos(&arena, "v", "l1", q), "owner", "somebody", NULL);
        args_pair(&hset, "plan", kit->plan->hash);
        args_int(&hset, "next", 9000);
        args_int(&hset, "from", 0);
        args_pair(&hset, "cuts", "0,500,1000,1500,2000,2500,9000");
        args_queue(&hset, kv);
        cr_assert_eq(kv_roundtrip(kv, &replies, &err), 1);
    }
    arena_release(&arena);
}

/* A view whose speed layer is ahead of every batch, and the first batch, published. */
struct begun {
    struct kit kit;
    struct kv *kv;
    struct batch_options options;
    char first[FOLDER_ID_BYTES];
};

static void begin(struct begun *begun, uint64_t seed)
{
    kinds_open(&begun->kit, seed, 20, KINDS_PLAIN, 500);
    begun->kv = kit_kv("memory:rolled_back");
    begun->options = kinds_options(&begun->kit, 10000, 0);
    begun->options.keep = 10;
    put_speed(begun->kv, &begun->kit);
    struct batch_result result = kinds_published(begun->kv, &begun->options);
    memcpy(begun->first, result.generation, sizeof begun->first);
    batch_release(&result);
}

static void end(struct begun *begun)
{
    kv_close(begun->kv);
    kit_close(&begun->kit);
}

/* The next batch, behind so many events, builds upon this base; which it becomes is for FOLDER_ID_BYTES of id. */
static void expect_base(struct begun *begun, int64_t events, const char *base, char *id)
{
    kit_fill(&begun->kit, events - 500, events);
    struct batch_result result = kinds_published(begun->kv, &begun->options);
    cr_assert_str_eq(result.base, base, "the batch at %lld", (long long)events);
    if (id)
        memcpy(id, result.generation, FOLDER_ID_BYTES);
    batch_release(&result);
}

/* Roll the last batch back; its number. */
static int64_t roll_back(struct begun *begun)
{
    struct rollback_result rolled = {0};
    struct err err = {0};
    struct folder *folder = kit_folder(&begun->kit);
    cr_assert_eq(rollback_run(begun->kv, begun->kit.plan, folder, &rolled, &err), 0, "%s",
                 err.text);
    cr_assert(rolled.noted);
    folder_close(folder);
    int64_t withdrawn = rolled.withdrawn;
    rollback_release(&rolled);
    return withdrawn;
}

Test(rolled_back, is_no_base_unless_it_is_named)
{
    struct begun begun;
    char withdrawn[FOLDER_ID_BYTES], beside[FOLDER_ID_BYTES];
    begin(&begun, 55);
    begun.options.kind = BATCH_INCREMENTAL;
    expect_base(&begun, 1000, begun.first, withdrawn);
    roll_back(&begun);
    expect_base(&begun, 1500, begun.first, beside);
    expect_base(&begun, 2000, beside, NULL); /* what was built beside it is one */
    begun.options.base = withdrawn;
    expect_base(&begun, 2500, withdrawn, NULL);
    end(&begun);
}

/* One batch after the other is rolled back; with what is said of the last one, the first of them is no
 * base either. */
Test(rolled_back, before_the_last_is_no_base_either)
{
    struct begun begun;
    begin(&begun, 56);
    for (int round = 1; round < 3; round++) {
        kit_fill(&begun.kit, 500 * round, 500 * round + 500);
        kinds_publish(begun.kv, &begun.options);
        cr_assert_eq(roll_back(&begun), round + 1);
    }
    begun.options.kind = BATCH_INCREMENTAL;
    expect_base(&begun, 2000, begun.first, NULL);
    end(&begun);
}

static void forget(struct begun *begun)
{
    struct kv_reply *replies;
    struct err err = {0};
    kv_words(begun->kv, "FLUSHALL", NULL);
    cr_assert_eq(kv_roundtrip(begun->kv, &replies, &err), 1, "%s", err.text);
    put_speed(begun->kv, &begun->kit);
}

/* The rollback comes between the fold upon the generation that it withdraws and the publish, and Redis
 * forgets it before it. */
Test(rolled_back, while_a_batch_builds_upon_it_does_not_come_back)
{
    struct begun begun;
    struct err err = {0};
    struct publish_part parts[KIT_PARTITIONS];
    begin(&begun, 57);
    kit_fill(&begun.kit, 500, 1000);
    kinds_publish(begun.kv, &begun.options);
    kit_fill(&begun.kit, 1000, 1500);
    begun.options.kind = BATCH_INCREMENTAL;
    struct manifest built = kinds_generation(&begun.options, &begun.kit, 1500);
    roll_back(&begun);
    forget(&begun);
    struct folder *folder = kit_folder(&begun.kit);
    const struct publish_options publish = {
        .plan = begun.kit.plan, .version = 1, .folder = folder, .manifest = &built};
    cr_assert_eq(publish_run(begun.kv, &publish, parts, &err), 0, "%s", err.text);
    for (int q = 0; q < KIT_PARTITIONS; q++) {
        cr_assert_eq(parts[q].state, PUBLISH_REFUSED);
        cr_assert(strstr(parts[q].why, "rolled back"), "%s", parts[q].why);
    }
    folder_close(folder);
    manifest_release(&built);
    kinds_publish(begun.kv, &begun.options); /* the next one goes ahead */
    end(&begun);
}

/* A reload after a lost Redis takes the one before; by its name the other comes back, and stays. */
Test(rolled_back, comes_back_with_a_reload_only_by_its_name)
{
    struct begun begun;
    char withdrawn[FOLDER_ID_BYTES];
    begin(&begun, 58);
    kit_fill(&begun.kit, 500, 1000);
    struct batch_result result = kinds_published(begun.kv, &begun.options);
    memcpy(withdrawn, result.generation, sizeof withdrawn);
    batch_release(&result);
    roll_back(&begun);
    begun.options.reload = true;
    for (int round = 0; round < 3; round++) {
        forget(&begun);
        begun.options.base = round == 1 ? withdrawn : NULL;
        result = kinds_published(begun.kv, &begun.options);
        cr_assert_str_eq(result.generation, round ? withdrawn : begun.first, "round %d", round);
        batch_release(&result);
    }
    end(&begun);
}

/* One that was named and refused everywhere serves nowhere, so it is still what was rolled back. */
Test(rolled_back, stays_so_where_its_reload_was_refused)
{
    struct begun begun;
    struct err err = {0};
    char withdrawn[FOLDER_ID_BYTES];
    begin(&begun, 59);
    kit_fill(&begun.kit, 500, 1000);
    struct batch_result result = kinds_published(begun.kv, &begun.options);
    memcpy(withdrawn, result.generation, sizeof withdrawn);
    batch_release(&result);
    roll_back(&begun);
    kit_fill(&begun.kit, 1000, 1500);
    kinds_publish(begun.kv, &begun.options);
    begun.options.reload = true;
    begun.options.base = withdrawn;
    cr_assert_eq(batch_run(begun.kv, &begun.options, &result, &err), 0, "%s", err.text);
    cr_assert_eq(result.parts[0].publish.state, PUBLISH_REFUSED);
    batch_release(&result);
    roll_back(&begun);
    forget(&begun);
    begun.options.base = NULL;
    result = kinds_published(begun.kv, &begun.options);
    cr_assert_str_eq(result.generation, begun.first);
    batch_release(&result);
    end(&begun);
}

/* From two archives at once two batches may come to one number; with it published twice a rollback that is
 * run again would go back twice, behind which nothing answers. */
Test(rolled_back, a_number_is_published_but_once)
{
    struct begun begun;
    struct err err = {0};
    struct publish_part parts[KIT_PARTITIONS];
    begin(&begun, 60);
    kit_fill(&begun.kit, 500, 1000);
    struct manifest built = kinds_generation(&begun.options, &begun.kit, 1000);
    struct folder *folder = kit_folder(&begun.kit);
    const struct publish_options publish = {
        .plan = begun.kit.plan, .version = 1, .folder = folder, .manifest = &built};
    built.number = 1; /* as the first one */
    cr_assert_eq(publish_run(begun.kv, &publish, parts, &err), 0, "%s", err.text);
    cr_expect_eq(parts[0].state, PUBLISH_REFUSED);
    built.number = 2;
    cr_assert_eq(publish_run(begun.kv, &publish, parts, &err), 0, "%s", err.text);
    cr_expect_eq(parts[0].state, PUBLISH_DONE, "%s", parts[0].why);
    folder_close(folder);
    manifest_release(&built);
    end(&begun);
}

/* Killed behind its publish, before the note went: run again it takes the note away, also one of its base. */
Test(rolled_back, and_named_is_readmitted_by_the_next_call_after_a_kill)
{
    struct begun begun;
    struct err err = {0};
    char withdrawn[FOLDER_ID_BYTES], upon[FOLDER_ID_BYTES];
    begin(&begun, 61);
    begun.options.kind = BATCH_INCREMENTAL;
    expect_base(&begun, 1000, begun.first, withdrawn);
    roll_back(&begun);
    begun.options.base = withdrawn;
    expect_base(&begun, 1500, withdrawn, upon);
    struct folder *folder = kit_folder(&begun.kit);
    cr_assert_eq(folder_withdraw(folder, withdrawn, &err), 0); /* as if it still stood there */
    folder_close(folder);
    begun.options.reload = true;
    begun.options.base = upon;
    struct batch_result result;
    cr_assert_eq(batch_run(begun.kv, &begun.options, &result, &err), 0, "%s", err.text);
    cr_expect_eq(result.parts[0].publish.state, PUBLISH_REFUSED, "it serves already");
    batch_release(&result);
    forget(&begun);
    begun.options.base = NULL;
    result = kinds_published(begun.kv, &begun.options);
    cr_expect_str_eq(result.generation, upon);
    batch_release(&result);
    end(&begun);
}
