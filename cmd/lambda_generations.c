/* cmd/lambda_generations.c - `lk lambda generations`: what batches have left beside the archive, and which of
 * it the view serves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/worker_options.h"
#include "common/store/pos.h"
#include "lambda/batch.h"

enum { SHORT_ID = 8 };

/* What the view says of its generations, in one partition. */
struct published {
    int64_t number, boundary;
};

/* By partition. Owned. NULL: no view. */
static struct published *published(const struct plan *plan, const char *view_uri, int partitions)
{
    struct kv *kv;
    struct registry registry = {0};
    if (kv_open(view_uri, &kv, NULL) < 0)
        return NULL;
    struct published *out = NULL;
    struct arena arena = {0};
    if (registry_read(kv, plan->view, ARCH_LAMBDA, &registry, NULL) == 0 && registry.live)
        out = mem_zero((size_t)partitions, sizeof *out);
    for (int p = 0; out && p < partitions; p++) {
        char version[16];
        struct kv_reply *replies;
        struct pos pos = {0};
        registry_version_name(ARCH_LAMBDA, registry.live, version);
        kv_words(kv, "HGETALL", key_pos(&arena, plan->view, version, p), NULL);
        if (kv_roundtrip(kv, &replies, NULL) == 1 && pos_decode(&replies[0], &pos, NULL) == 0)
            out[p] = (struct published){pos.number, pos.boundary};
        pos_release(&pos);
    }
    registry_release(&registry);
    arena_release(&arena);
    kv_close(kv);
    return out;
}

/* In how many partitions one of the list serves. */
static int serves(const struct manifest *it, const struct published *published)
{
    int count = 0;
    for (int p = 0; p < it->partitions; p++)
        count +=
            published[p].number == it->number && published[p].boundary == it->files[p].boundary;
    return count;
}

static const char *const STANDINGS[] = {[STANDING_GOOD] = "",
                                        [STANDING_WITHDRAWN] = ", rolled back",
                                        [STANDING_UPON] = ", built upon one rolled back"};

/* serving: -1 where the view cannot say. */
static void print_one(const struct manifest *manifest, int serving, bool json)
{
    int64_t rows = 0, bytes = 0, events = 0;
    for (int p = 0; p < manifest->partitions; p++) {
        rows += manifest->files[p].rows;
        bytes += manifest->files[p].bytes;
        events += manifest->files[p].boundary;
    }
    char words[40] = "unknown";
    if (serving >= 0)
        snprintf(words, sizeof words, "%d of %d partitions", serving, manifest->partitions);
    if (json)
        printf("{\"number\":%lld,\"id\":\"%s\",\"plan\":\"%s\",\"offsets\":%lld,\"rows\":%lld,"
               "\"bytes\":%lld,\"serves\":%d,\"rolled_back\":%s,\"upon_rolled_back\":%s,"
               "\"partitions\":%d,\"kind\":\"%s\",\"base\":\"%s\"}\n",
               (long long)manifest->number, manifest->id, manifest->plan, (long long)events,
               (long long)rows, (long long)bytes, serving,
               manifest->standing == STANDING_WITHDRAWN ? "true" : "false",
               manifest->standing == STANDING_UPON ? "true" : "false", manifest->partitions,
               batch_kind_name(manifest->kind), manifest->base);
    else
        printf("generation %lld  %.*s  %s%s%.*s  plan %.*s  %lld offsets, %lld rows, %lld bytes  "
               "serves: %s%s\n",
               (long long)manifest->number, SHORT_ID, manifest->id, batch_kind_name(manifest->kind),
               *manifest->base ? " upon " : "", SHORT_ID, manifest->base, SHORT_ID, manifest->plan,
               (long long)events, (long long)rows, (long long)bytes, words,
               STANDINGS[manifest->standing]);
}

/* A generation that serves goes on doing so from Redis when newer ones, which published nothing since
 * they end at the same offsets, have taken its files' place; the list does not have it. */
static void tell_unlisted(const struct published *published, const struct manifest *manifests,
                          int count)
{
    int unlisted = 0;
    int64_t number = 0;
    for (int p = 0; p < manifests[0].partitions; p++) {
        bool listed = published[p].number == 0;
        for (int i = 0; i < count && !listed; i++)
            listed = manifests[i].number == published[p].number;
        unlisted += !listed;
        number = listed ? number : published[p].number;
    }
    if (unlisted)
        fprintf(stderr,
                "generation %lld serves %d of %d partitions from the store; its files have gone "
                "(lk lambda batch --keep)\n",
                (long long)number, unlisted, manifests[0].partitions);
}

static int list(const struct settings *settings, const struct plan *plan, struct folder *folder,
                struct err *err)
{
    struct manifest *manifests = NULL;
    int count = folder_list(folder, &manifests, err);
    if (count < 0)
        return count;
    struct published *now =
        count ? published(plan, settings_text(settings, "view"), manifests[0].partitions) : NULL;
    for (int i = 0; i < count; i++) {
        int serving = now ? 0 : -1;
        if (now && manifests[i].partitions == manifests[0].partitions)
            serving = serves(&manifests[i], now);
        print_one(&manifests[i], serving, settings_bool(settings, "json"));
    }
    if (now)
        tell_unlisted(now, manifests, count);
    free(now);
    folder_list_release(manifests, count);
    return 0;
}

int cmd_lambda_generations(const struct settings *settings, struct err *err)
{
    struct plan *plan = NULL;
    struct folder *folder = NULL;
    char topic[LOG_TOPIC_MAX + 1];
    int rc = settings_require(settings, "plan,archive", err);
    if (rc == 0)
        rc = cmd_plan(settings, &plan, err);
    if (rc)
        return rc;
    struct batch_options options = {.plan = plan,
                                    .archive = settings_text(settings, "archive"),
                                    .topic = settings_text(settings, "topic")};
    rc = batch_topic(&options, topic, err);
    if (rc == 0)
        rc = folder_look(options.archive, topic, plan->view, &folder, err);
    if (rc == 0)
        rc = list(settings, plan, folder, err);
    folder_close(folder);
    plan_free(plan);
    return rc;
}
