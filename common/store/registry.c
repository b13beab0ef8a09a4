/* common/store/registry.c - see registry.h. */
#include "common/store/registry.h"

#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/base/fault.h"
#include "common/store/pos.h"

enum { TRIES_MAX = 20 };

void registry_key(const char *view, enum arch arch, char out[REGISTRY_KEY_BYTES])
{
    snprintf(out, REGISTRY_KEY_BYTES, "lk:{%s}:%s", view, arch == ARCH_KAPPA ? "kappa" : "lambda");
}

void registry_version_name(enum arch arch, int number, char out[16])
{
    snprintf(out, 16, "%c%d", arch == ARCH_KAPPA ? 'k' : 'l', number);
}

void registry_release(struct registry *registry)
{
    for (int i = 0; i < registry->count; i++) {
        free(registry->versions[i].plan);
        free(registry->versions[i].start.next);
    }
    free(registry->versions);
    *registry = (struct registry){0};
}

static struct registry_version *version_at(struct registry *registry, int number)
{
    while (registry->count < number) {
        registry->versions = mem_grow(registry->versions,
                                      (size_t)(registry->count + 1) * sizeof *registry->versions);
        registry->versions[registry->count] =
            (struct registry_version){.number = registry->count + 1};
        registry->count++;
    }
    return &registry->versions[number - 1];
}

enum { VERSIONS_MAX = 10000 };

/* "500,0,721": a position for each partition. */
static bool decode_start(struct registry_start *start, struct bytes text)
{
    int count = 1;
    for (size_t i = 0; i < text.len; i++)
        count += text.ptr[i] == ',';
    free(start->next);
    start->next = mem_alloc((size_t)count * sizeof *start->next);
    start->count = count;
    for (int i = 0; i < count; i++) {
        const char *comma = i + 1 < count ? memchr(text.ptr, ',', text.len) : NULL;
        size_t len = comma ? (size_t)(comma - text.ptr) : text.len;
        if (!bytes_to_int64((struct bytes){text.ptr, len}, &start->next[i]))
            return false;
        if (comma)
            text = (struct bytes){comma + 1, text.len - len - 1};
    }
    return true;
}

static bool decode_handover(struct registry_version *version, struct bytes value)
{
    char name[32];
    snprintf(name, sizeof name, "%.*s", (int)value.len, value.ptr);
    int handover = handover_of(name);
    version->handover = handover < 0 ? HANDOVER_OFFSET : (enum handover)handover;
    return handover >= 0;
}

static bool decode_pair(struct registry *registry, const char *name, struct bytes value)
{
    int number = 0;
    if (strcmp(name, "live") == 0)
        return sscanf(value.ptr, "%d", &registry->live) == 1;
    if (strcmp(name, "before") == 0)
        return sscanf(value.ptr, "%d", &registry->before) == 1;
    if (strcmp(name, "canary") == 0)
        return sscanf(value.ptr, "%d", &registry->canary) == 1;
    if (strcmp(name, "share") == 0)
        return sscanf(value.ptr, "%d", &registry->share) == 1;
    if (strcmp(name, "partitions") == 0)
        return sscanf(value.ptr, "%d", &registry->partitions) == 1;
    const char *dot = strchr(name, '.');
    if (!dot || sscanf(dot, ".%d", &number) != 1 || number < 1 || number > VERSIONS_MAX)
        return false;
    struct registry_version *version = version_at(registry, number);
    if (strncmp(name, "state.", 6) == 0)
        version->running = bytes_equal(value, bytes_of("running"));
    else if (strncmp(name, "hash.", 5) == 0)
        snprintf(version->hash, sizeof version->hash, "%.*s", (int)value.len, value.ptr);
    else if (strncmp(name, "plan.", 5) == 0 && !version->plan)
        version->plan = mem_copy_string(value.ptr);
    else if (strncmp(name, "start.", 6) == 0)
        return decode_start(&version->start, value);
    else if (strncmp(name, "handover.", 9) == 0)
        return decode_handover(version, value);
    else if (strncmp(name, "floor.", 6) == 0) {
        version->start.floor_ms = INT64_MIN;
        return value.len == 0 || bytes_to_int64(value, &version->start.floor_ms);
    }
    return true;
}

int registry_decode(const struct kv_reply *reply, const char *view, struct registry *out,
                    struct err *err)
{
    *out = (struct registry){0};
    if (reply->type == KV_ERROR)
        return err_set(err, ERR_ENV, "%.*s", (int)reply->text.len, reply->text.ptr);
    bool ours = true;
    for (int i = 0; ours && i + 1 < reply->count; i += 2)
        ours = decode_pair(out, reply->items[i].text.ptr, reply->items[i + 1].text);
    int live = out->live;
    ours = ours && live >= 0 && live <= out->count && (!live || out->versions[live - 1].plan) &&
           out->canary >= 0 && out->canary <= out->count;
    for (int i = 0; i < out->count; i++)
        ours = ours &&
               (!out->versions[i].start.next || out->versions[i].start.count == out->partitions);
    if (ours)
        return 0;
    registry_release(out);
    return err_set(err, ERR_DATA, "the registry of view %s holds what lk did not write", view);
}

int registry_read(struct kv *kv, const char *view, enum arch arch, struct registry *out,
                  struct err *err)
{
    char key[REGISTRY_KEY_BYTES];
    struct kv_reply *replies;
    registry_key(view, arch, key);
    kv_words(kv, "HGETALL", key, NULL);
    int rc = kv_roundtrip(kv, &replies, err);
    return rc < 0 ? rc : registry_decode(&replies[0], view, out, err);
}

const struct registry_version *registry_find(const struct registry *registry, const char *hash)
{
    for (int i = 0; i < registry->count; i++)
        if (registry->versions[i].running && strcmp(registry->versions[i].hash, hash) == 0)
            return &registry->versions[i];
    return NULL;
}

/* WATCH the key and read it. */
static int watch(struct kv *kv, const char *key, const char *view, struct registry *out,
                 struct err *err)
{
    struct kv_reply *replies;
    kv_words(kv, "WATCH", key, NULL);
    kv_words(kv, "HGETALL", key, NULL);
    int rc = kv_roundtrip(kv, &replies, err);
    return rc < 0 ? rc : registry_decode(&replies[1], view, out, err);
}

/* EXEC of one HSET: 1 done, 0 somebody else wrote, or a code. */
static int put(struct kv *kv, struct kv_args *hset, struct err *err)
{
    struct kv_reply *replies;
    kv_words(kv, "MULTI", NULL);
    args_queue(hset, kv);
    kv_words(kv, "EXEC", NULL);
    int rc = kv_roundtrip(kv, &replies, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < rc; i++)
        if (replies[i].type == KV_ERROR)
            return kv_error(&replies[i], "", err);
    return replies[2].type == KV_ARRAY;
}

static int unwatch(struct kv *kv, int result, struct err *err)
{
    struct kv_reply *replies;
    kv_words(kv, "UNWATCH", NULL);
    int rc = kv_roundtrip(kv, &replies, err);
    return rc < 0 ? rc : result;
}

static void field_of(char out[32], const char *name, int number)
{
    snprintf(out, 32, "%s.%d", name, number);
}

static void args_start(struct kv_args *args, int number, struct registry_start start)
{
    char field[32];
    struct buf text = {0};
    for (int p = 0; p < start.count; p++)
        buf_printf(&text, "%s%lld", p ? "," : "", (long long)start.next[p]);
    field_of(field, "start", number);
    args_pair(args, field, text.ptr);
    field_of(field, "floor", number);
    args_int(args, field, start.floor_ms);
    buf_release(&text);
}

/* What is to be added. */
struct addition {
    const struct plan *plan;
    enum arch arch;
    enum handover handover;
    int partitions;
    int wanted; /* its number; 0: any */
    struct registry_start start;
};

static void args_version(struct kv_args *args, int number, const struct addition *addition)
{
    const struct plan *plan = addition->plan;
    char field[32];
    field_of(field, "state", number);
    args_pair(args, field, "running");
    field_of(field, "hash", number);
    args_pair(args, field, plan->hash);
    field_of(field, "plan", number);
    args_pair(args, field, plan->json);
    if (addition->arch == ARCH_KAPPA || addition->handover == HANDOVER_OFFSET)
        return;
    field_of(field, "handover", number);
    args_pair(args, field, handover_name(addition->handover));
}

static int check_handover(const struct registry_version *there, const struct addition *addition,
                          struct err *err)
{
    if (!there || addition->arch == ARCH_KAPPA || there->handover == addition->handover)
        return 0;
    const char *is = handover_name(there->handover);
    return err_set(err, ERR_USAGE,
                   "view %s is handed over by %s, not by %s: say --handover %s, or give the plan a "
                   "view name of its own",
                   addition->plan->view, is, handover_name(addition->handover), is);
}

/* The number that the plan has or may get (wanted 0: any), or ERR_ENV. */
static int number_for(const struct registry *registry, const struct plan *plan, int wanted,
                      struct err *err)
{
    const struct registry_version *same = registry_find(registry, plan->hash);
    int number = same ? same->number : wanted ? wanted : registry->count + 1;
    bool other = !same && number <= registry->count && *registry->versions[number - 1].hash;
    if (!other && (wanted == 0 || number == wanted))
        return number;
    return err_set(err, ERR_ENV,
                   "Redis has forgotten view %s, and it was begun again with other versions while "
                   "this worker ran as version %d; start this worker again",
                   plan->view, wanted);
}

/* One attempt at adding: the number, 0 somebody else wrote, or a code. */
static int try_add(struct kv *kv, const char *key, const struct addition *addition, struct err *err)
{
    struct registry registry;
    const struct plan *plan = addition->plan;
    int rc = watch(kv, key, plan->view, &registry, err);
    if (rc < 0)
        return rc;
    const struct registry_version *there = registry_find(&registry, plan->hash);
    int number = rc = number_for(&registry, plan, addition->wanted, err);
    if (rc > 0 && check_handover(there, addition, err) < 0)
        rc = ERR_USAGE;
    if (rc > 0 && registry.live && registry.partitions != addition->partitions)
        rc =
            err_set(err, ERR_USAGE,
                    "view %s was made over %d partitions and the topic has %d; give the changed one"
                    " a view name of its own",
                    plan->view, registry.partitions, addition->partitions);
    else if (rc > 0 && there)
        rc = unwatch(kv, number, err);
    else if (rc > 0) {
        struct arena arena = {0};
        struct kv_args args = args_new(&arena, "HSET", key, NULL);
        args_version(&args, number, addition);
        if (addition->start.next)
            args_start(&args, number, addition->start);
        args_int(&args, "partitions", addition->partitions);
        if (!registry.live)
            args_int(&args, "live", number);
        rc = put(kv, &args, err);
        rc = rc == 1 ? number : rc;
        arena_release(&arena);
    }
    registry_release(&registry);
    return rc;
}

static int add(struct kv *kv, const struct addition *addition, struct err *err)
{
    char key[REGISTRY_KEY_BYTES];
    registry_key(addition->plan->view, addition->arch, key);
    for (int i = 0; i < TRIES_MAX; i++) {
        int rc = try_add(kv, key, addition, err);
        if (rc != 0)
            return rc;
    }
    return err_set(err, ERR_AWAY, "the registry of view %s changes all the time",
                   addition->plan->view);
}

int registry_add(struct kv *kv, const struct plan *plan, enum arch arch, int partitions,
                 struct err *err)
{
    const struct addition addition = {.plan = plan, .arch = arch, .partitions = partitions};
    return add(kv, &addition, err);
}

int registry_add_at(struct kv *kv, const struct plan *plan, enum arch arch, int partitions,
                    struct registry_start start, struct err *err)
{
    const struct addition addition = {
        .plan = plan, .arch = arch, .partitions = partitions, .start = start};
    return add(kv, &addition, err);
}

int registry_add_lambda(struct kv *kv, const struct plan *plan, enum handover handover,
                        int partitions, struct err *err)
{
    const struct addition addition = {
        .plan = plan, .arch = ARCH_LAMBDA, .handover = handover, .partitions = partitions};
    return add(kv, &addition, err);
}

int registry_restore(struct kv *kv, const struct plan *plan, enum arch arch, enum handover handover,
                     int partitions, int number, struct registry_start start, struct err *err)
{
    const struct addition addition = {plan, arch, handover, partitions, number, start};
    int rc = add(kv, &addition, err);
    return rc < 0 ? rc : 0;
}

/* A change of one version, tried under WATCH of the registry: what it writes, or why it may not. */
struct change {
    const char *view;
    int from, number, share;
    /* 1: fields were added to args, 2: it is so already, or a code. */
    int (*make)(const struct change *change, const struct registry *registry, struct kv_args *args,
                struct err *err);
    const char *point;
};

static int try_change(struct kv *kv, const char *key, const struct change *change, struct err *err)
{
    struct registry registry;
    int rc = watch(kv, key, change->view, &registry, err);
    if (rc < 0)
        return rc;
    struct arena arena = {0};
    struct kv_args args = args_new(&arena, "HSET", key, NULL);
    rc = change->make(change, &registry, &args, err);
    if (rc == 2)
        rc = unwatch(kv, 1, err);
    else if (rc == 1)
        rc = fault_point(change->point) ? err_set(err, ERR_AWAY, "fault: %s", change->point)
                                        : put(kv, &args, err);
    arena_release(&arena);
    registry_release(&registry);
    return rc;
}

static int apply(struct kv *kv, enum arch arch, const struct change *change, struct err *err)
{
    char key[REGISTRY_KEY_BYTES];
    registry_key(change->view, arch, key);
    for (int i = 0; i < TRIES_MAX; i++) {
        int rc = try_change(kv, key, change, err);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    return err_set(err, ERR_AWAY, "the registry of view %s changes all the time", change->view);
}

static bool is_running(const struct registry *registry, int number)
{
    return number >= 1 && number <= registry->count && registry->versions[number - 1].running;
}

static int make_flip(const struct change *change, const struct registry *registry,
                     struct kv_args *args, struct err *err)
{
    if (!is_running(registry, change->number))
        return err_set(err, ERR_USAGE, "version %d of view %s is not running; see: lk kappa status",
                       change->number, change->view);
    if (registry->live == change->number)
        return 2;
    if (change->from && registry->live != change->from)
        return err_set(err, ERR_CHECK,
                       "version %d of view %s became live meanwhile, in the place of version %d; "
                       "look again: lk kappa status",
                       registry->live, change->view, change->from);
    args_int(args, "live", change->number);
    args_int(args, "before", registry->live);
    args_int(args, "canary", 0);
    return 1;
}

int registry_promote(struct kv *kv, const char *view, enum arch arch, int from, int number,
                     struct err *err)
{
    struct change flip = {view, from, number, 0, make_flip, "promote"};
    return apply(kv, arch, &flip, err);
}

static int make_canary(const struct change *change, const struct registry *registry,
                       struct kv_args *args, struct err *err)
{
    if (!is_running(registry, change->number) || registry->live == change->number)
        return err_set(err, ERR_USAGE, "version %d of view %s is %s; see: lk kappa status",
                       change->number, change->view,
                       registry->live == change->number ? "live already" : "not running");
    args_int(args, "canary", change->share ? change->number : 0);
    args_int(args, "share", change->share);
    return 1;
}

int registry_canary(struct kv *kv, const char *view, enum arch arch, int number, int share,
                    struct err *err)
{
    struct change canary = {view, 0, number, share, make_canary, "canary"};
    return apply(kv, arch, &canary, err);
}

int registry_version_for(const struct registry *registry, const char *key)
{
    if (!registry->canary || !key)
        return registry->live;
    uint64_t salt = bug_planted("canary-moves") ? (uint64_t)registry->share : 0;
    bool chosen = (int)(XXH3_64bits_withSeed(key, strlen(key), salt) % 100) < registry->share;
    return chosen ? registry->canary : registry->live;
}

static int make_retired(const struct change *change, const struct registry *registry,
                        struct kv_args *args, struct err *err)
{
    char field[32];
    if (change->number < 1 || change->number > registry->count ||
        !*registry->versions[change->number - 1].hash)
        return err_set(err, ERR_USAGE, "view %s has no version %d; see: lk kappa status",
                       change->view, change->number);
    if (registry->live == change->number)
        return err_set(err, ERR_USAGE,
                       "version %d of view %s is live: promote another one, or roll back, first",
                       change->number, change->view);
    if (registry->canary == change->number)
        return err_set(
            err, ERR_USAGE,
            "version %d of view %s answers for %d %% of the keys: end that first, lk kappa "
            "canary --share 0",
            change->number, change->view, registry->share);
    if (!is_running(registry, change->number))
        return 2;
    field_of(field, "state", change->number);
    args_pair(args, field, "retired");
    return 1;
}

int registry_retire(struct kv *kv, const char *view, enum arch arch, int number, struct err *err)
{
    struct change retire = {view, 0, number, 0, make_retired, "retire mark"};
    return apply(kv, arch, &retire, err);
}

bool registry_is_retired(const struct registry *registry)
{
    return !registry->live && registry->count > 0;
}

int registry_no_view(const struct registry *registry, const char *view, enum arch arch,
                     struct err *err)
{
    bool kappa = arch == ARCH_KAPPA;
    if (registry_is_retired(registry))
        return err_set(err, ERR_ENV,
                       "view %s of lambda was retired, its keys have gone; ask the view that took "
                       "its place",
                       view);
    return err_set(err, ERR_ENV, "%s has no view %s yet; make it: %s", kappa ? "kappa" : "lambda",
                   view, kappa ? "lk kappa run" : "lk lambda speed, lk lambda batch");
}

static int make_view_retired(const struct change *change, const struct registry *registry,
                             struct kv_args *args, struct err *err)
{
    char field[32];
    if (registry->count == 0)
        return err_set(err, ERR_ENV, "there is no view %s here", change->view);
    if (registry_is_retired(registry))
        return 2;
    for (int n = 1; n <= registry->count; n++) {
        field_of(field, "state", n);
        args_pair(args, field, "retired");
    }
    args_int(args, "live", 0);
    return 1;
}

int registry_retire_view(struct kv *kv, const char *view, enum arch arch, struct err *err)
{
    struct change retire = {view, 0, 0, 0, make_view_retired, "retire mark"};
    return apply(kv, arch, &retire, err);
}
