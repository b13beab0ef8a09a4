/* cmd/lambda_generations.c - `lk lambda generations`: what batches have left beside the archive, and which of
 * it the view serves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/worker_options.h"
#include "common/store/pos.h"
#include "lambda/batch.h"
#include "lambda/generation.h"

enum { SHORT_ID = 8 };

/* Boundaries that the view has published, by partition; -1 where it has none. Owned. NULL: no view. */
static int64_t *published(const struct plan *plan, const char *view_uri, int partitions)
{
    struct kv *kv;
    struct registry registry = {0};
    if (kv_open(view_uri, &kv, NULL) < 0)
        return NULL;
    int64_t *out = NULL;
    struct arena arena = {0};
    if (registry_read(kv, plan->view, ARCH_LAMBDA, &registry, NULL) == 0 && registry.live)
        out = mem_zero((size_t)partitions, sizeof *out);
    for (int p = 0; out && p < partitions; p++) {
        char version[16];
        struct kv_reply *replies;
        struct pos pos = {0};
        registry_version_name(ARCH_LAMBDA, registry.live, version);
        kv_words(kv, "HGETALL", key_pos(&arena, plan->view, version, p), NULL);
        bool known =
            kv_roundtrip(kv, &replies, NULL) == 1 && pos_decode(&replies[0], &pos, NULL) == 0;
        out[p] = known && *pos.generation ? pos.boundary : -1;
        pos_release(&pos);
    }
    registry_release(&registry);
    arena_release(&arena);
    kv_close(kv);
    return out;
}

/* Does one of the older generations end there, too? Then it was published, and the newer one refused. */
static bool was_before(const struct manifest *manifests, int count, int newer, int partition)
{
    const struct manifest *it = &manifests[newer];
    for (int i = newer + 1; i < count; i++)
        if (manifests[i].partitions == it->partitions && strcmp(manifests[i].plan, it->plan) == 0 &&
            manifests[i].files[partition].boundary == it->files[partition].boundary)
            return true;
    return false;
}

/* How many partitions the view serves from this one of the list; -1: unknown. */
static int served(const struct manifest *manifests, int count, int which, const int64_t *boundaries)
{
    int serves = 0;
    for (int p = 0; boundaries && p < manifests[which].partitions; p++)
        serves += manifests[which].files[p].boundary == boundaries[p] &&
                  !was_before(manifests, count, which, p);
    return boundaries ? serves : -1;
}

/* Read every file of a generation again: how many are not as noted. */
static int count_damaged(const struct folder *folder, const struct manifest *manifest)
{
    int damaged = 0;
    for (int p = 0; p < manifest->partitions; p++) {
        struct generation_head head;
        struct generation_reader *reader = NULL;
        struct err why = {0};
        char *path = folder_file(folder, manifest->id, p, "");
        if (generation_open(path, manifest->files[p].checksum, &head, &reader, &why) < 0) {
            damaged++;
            fprintf(stderr, "damaged: %s\n", why.text);
        }
        generation_close(reader);
        free(path);
    }
    return damaged;
}

static void print_one(const struct manifest *manifest, int serves, bool json)
{
    int64_t rows = 0, bytes = 0, events = 0;
    for (int p = 0; p < manifest->partitions; p++) {
        rows += manifest->files[p].rows;
        bytes += manifest->files[p].bytes;
        events += manifest->files[p].boundary;
    }
    char serving[40];
    snprintf(serving, sizeof serving, serves < 0 ? "unknown" : "%d of %d partitions", serves,
             manifest->partitions);
    if (json)
        printf("{\"number\":%lld,\"id\":\"%s\",\"plan\":\"%s\",\"offsets\":%lld,\"rows\":%lld,"
               "\"bytes\":%lld,\"serves\":%d,\"partitions\":%d,\"kind\":\"%s\",\"base\":\"%s\"}\n",
               (long long)manifest->number, manifest->id, manifest->plan, (long long)events,
               (long long)rows, (long long)bytes, serves, manifest->partitions,
               batch_kind_name(manifest->kind), manifest->base);
    else
        printf("generation %lld  %.*s  %s%s%.*s  plan %.*s  %lld offsets, %lld rows, %lld bytes  "
               "serves: %s\n",
               (long long)manifest->number, SHORT_ID, manifest->id, batch_kind_name(manifest->kind),
               *manifest->base ? " upon " : "", SHORT_ID, manifest->base, SHORT_ID, manifest->plan,
               (long long)events, (long long)rows, (long long)bytes, serving);
}

static int list(const struct settings *settings, const struct plan *plan, struct folder *folder,
                struct err *err)
{
    struct manifest *manifests = NULL;
    int damaged = 0, count = folder_list(folder, &manifests, err);
    if (count < 0)
        return count;
    int64_t *boundaries =
        count ? published(plan, settings_text(settings, "view"), manifests[0].partitions) : NULL;
    for (int i = 0; i < count; i++) {
        bool same = manifests[i].partitions == manifests[0].partitions;
        print_one(&manifests[i], same ? served(manifests, count, i, boundaries) : 0,
                  settings_bool(settings, "json"));
        if (settings_bool(settings, "verify"))
            damaged += count_damaged(folder, &manifests[i]);
    }
    free(boundaries);
    folder_list_release(manifests, count);
    return damaged
               ? err_set(err, ERR_DATA,
                         "%d files are damaged; the next lk lambda batch makes a new generation "
                         "from the archive",
                         damaged)
               : 0;
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
