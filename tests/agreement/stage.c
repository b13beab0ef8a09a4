/* tests/agreement/stage.c - one case's log, archive, store and oracle, in a directory of its own. */
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/agreement/agreement.h"

enum { STORY_MAX = 6000 };

bool stage_fail(struct stage *stage, const char *format, ...)
{
    char text[1200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (stage->problem.len == 0)
        buf_add_text(&stage->problem, text);
    return false;
}

void stage_tell(struct stage *stage, const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (stage->verbose)
        fprintf(stderr, "  %s\n", text);
    if (stage->story.len < STORY_MAX)
        buf_printf(&stage->story, "%s%s", stage->story.len ? "; " : "", text);
}

bool stage_chance(struct stage *stage, unsigned one_in)
{
    return rng_below(&stage->rng, one_in) == 0;
}

bool made_fragile(const struct made *made, enum arch arch)
{
    return arch == ARCH_LAMBDA && (made->halves || made->forgets);
}

const char *stage_arch(enum arch arch)
{
    return arch == ARCH_KAPPA ? "kappa" : "lambda";
}

/* ---- opening ---- */

static bool write_table(struct stage *stage)
{
    char path[200];
    snprintf(path, sizeof path, "%s/table.%s", stage->directory,
             stage->made->table_csv ? "csv" : "jsonl");
    FILE *file = fopen(path, "w");
    if (!file)
        return stage_fail(stage, "cannot write %s", path);
    fwrite(stage->made->table.ptr, 1, stage->made->table.len, file);
    fclose(file);
    return true;
}

static bool open_plan(struct stage *stage)
{
    struct buf mistakes = {0};
    struct err err = {0};
    const struct made *made = stage->made;
    if (made->table.len && !write_table(stage))
        return false;
    int rc =
        plan_parse(buf_bytes(&made->json), stage->directory, true, &stage->plan, &mistakes, &err);
    if (rc < 0)
        stage_fail(stage, "the made plan is refused: %s\n%s\n%s", err.text,
                   mistakes.len ? mistakes.ptr : "", made->json.ptr);
    buf_release(&mistakes);
    return rc == 0;
}

static bool open_log(struct stage *stage)
{
    struct err err = {0};
    struct bytes json = bytes_of(stage->plan->json);
    if (log_open(stage->log_uri, true, &stage->log, &err) < 0 ||
        log_create_topic(stage->log, stage->topic,
                         (struct log_shape){.partitions = stage->made->partitions}, &err) < 0 ||
        oracle_open(json, stage->directory, stage->log, stage->topic, &stage->oracle, &err) < 0)
        return stage_fail(stage, "log and oracle: %s", err.text);
    return true;
}

/* The store is empty when a case begins. */
static bool open_store(struct stage *stage)
{
    struct err err = {0};
    struct kv_reply *replies;
    stage->memory = strncmp(stage->uri, "memory:", 7) == 0 ? stage->uri + 7 : NULL;
    if (stage->memory)
        memory_drop(stage->memory);
    if (kv_open(stage->uri, &stage->kv, &err) < 0)
        return stage_fail(stage, "store: %s", err.text);
    kv_words(stage->kv, "FLUSHALL", NULL);
    if (kv_roundtrip(stage->kv, &replies, &err) < 0)
        return stage_fail(stage, "store: %s", err.text);
    if (stage->memory)
        memory_snapshot(stage->memory);
    return true;
}

/* On a broker no two topics have one name: a deleted one's readers would not notice. */
static void name_log(struct stage *stage)
{
    char token[33];
    random_token(token);
    snprintf(stage->topic, sizeof stage->topic, "agreement-%.16s", token);
    if (stage->broker)
        snprintf(stage->log_uri, sizeof stage->log_uri, "%s", stage->broker);
    else
        snprintf(stage->log_uri, sizeof stage->log_uri, "embedded:%s/log", stage->directory);
}

bool stage_open(struct stage *stage, const struct made *made, const char *root, const char *uri,
                uint64_t seed)
{
    *stage = (struct stage){.made = made,
                            .uri = uri,
                            .version = 1,
                            .broker = stage->broker,
                            .kind = stage->kind,
                            .kind_batches = stage->kind_batches,
                            .verbose = stage->verbose};
    rng_init(&stage->rng, seed);
    snprintf(stage->directory, sizeof stage->directory, "%s/case.XXXXXX", root);
    if (!mkdtemp(stage->directory))
        return stage_fail(stage, "cannot make %s", stage->directory);
    snprintf(stage->archive, sizeof stage->archive, "%s/archive", stage->directory);
    name_log(stage);
    return open_plan(stage) && open_log(stage) && open_store(stage);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

void stage_close(struct stage *stage)
{
    oracle_close(stage->oracle);
    if (stage->log && stage->broker)
        log_delete_topic(stage->log, stage->topic, NULL);
    if (stage->log)
        log_close(stage->log);
    for (int arch = 0; arch < 2; arch++)
        view_reader_free(stage->readers[arch]);
    if (stage->kv)
        kv_close(stage->kv);
    plan_free(stage->plan);
    nftw(stage->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    buf_release(&stage->story);
    buf_release(&stage->problem);
}

/* ---- what a case does before anything else ---- */

static bool append_one(struct stage *stage, int partition, int from, int to)
{
    struct log_record records[EVENTS_MAX];
    struct err err = {0};
    int count = 0;
    for (int i = from; i < to; i++) {
        const struct made_event *event = &stage->made->events[i];
        if (event->partition != partition)
            continue;
        struct bytes key = *event->key ? bytes_of(event->key) : (struct bytes){0};
        records[count++] = (struct log_record){.key = key, .value = buf_bytes(&event->value)};
    }
    if (count == 0)
        return true;
    int64_t first = log_append(stage->log, stage->topic, partition, records, count, &err);
    if (first < 0)
        return stage_fail(stage, "append: %s", err.text);
    stage->ends[partition] = first + count;
    return true;
}

bool stage_append(struct stage *stage, int count)
{
    int from = stage->appended, to = from + count;
    struct err err = {0};
    if (to > stage->made->count)
        to = stage->made->count;
    for (int p = 0; p < stage->made->partitions; p++)
        if (!append_one(stage, p, from, to))
            return false;
    stage->appended = to;
    if (oracle_follow(stage->oracle, &err) < 0)
        return stage_fail(stage, "oracle: %s", err.text);
    return true;
}

bool stage_register(struct stage *stage, enum arch arch)
{
    struct err err = {0};
    int rc = ERR_AWAY;
    for (int tries = 0; tries < 4 && rc == ERR_AWAY; tries++) {
        err_clear(&err);
        rc = kv_down(stage->kv) ? kv_reconnect(stage->kv, &err) : 0;
        if (rc == 0)
            rc = arch == ARCH_KAPPA
                     ? registry_add(stage->kv, stage->plan, arch, stage->made->partitions, &err)
                     : registry_add_lambda(stage->kv, stage->plan, stage->made->handover,
                                           stage->made->partitions, &err);
    }
    return rc == stage->version ? true : stage_fail(stage, "registry: %d %s", rc, err.text);
}
