/* bench/runbook_picture.c - what stands, as text, without what differs from one run to the next by chance.
 *
 * Of the store: each view's registry, and of each partition what `pos` says and which parts have keys, ids
 * and cuts by their role. Of the archive's directory: how far it reaches, temporary files, and each
 * generation's files. Without litter also the answers themselves, which a step that is typed again must
 * bring back. Random tokens, ids, times and counts that a clock decides are left out: two
 * pictures that differ are two states that an operator could tell apart. */
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/runbook_parts.h"
#include "common/store/pos.h"
#include "common/store/read.h"

enum { LINES_MAX = 256, STORES = 2 };

struct picture {
    struct play *play;
    bool litter;
    char *lines[LINES_MAX]; /* owned */
    int count;
};

static void add_line_take(struct picture *picture, struct buf *line)
{
    if (picture->count < LINES_MAX)
        picture->lines[picture->count++] = line->ptr;
    else
        buf_release(line);
    *line = (struct buf){0};
}

/* ---- the store ---- */

static const char *position(int64_t at, int64_t end)
{
    return at == 0 ? "0" : at < end ? "between" : at == end ? "end" : "beyond the end";
}

static const char *owner(const struct pos *pos)
{
    return *pos->owner == 0 ? "nobody" : *pos->owner == '-' ? "a batch" : "a worker";
}

/* "k", a span or a generation by its role. */
static const char *part_role(const struct pos *pos, const char *part)
{
    if (*part == 's')
        return strtoll(part + 1, NULL, 10) >= pos->boundary ? "span" : "old span";
    if (*part != 'g')
        return part;
    if (strcmp(part + 1, pos->generation) == 0)
        return "generation";
    if (strcmp(part + 1, pos->previous) == 0)
        return "previous";
    return pos_has_gen(pos, part + 1) ? "loading" : "nobody's";
}

/* Which kinds of parts have keys: "span", "generation" ... each once, in the order of roles. */
static int add_parts(struct kv *kv, const char *tag, const struct pos *pos, bool litter,
                     struct buf *line, struct err *err)
{
    static const char *const ROLES[] = {"k",        "span",    "generation", "previous",
                                        "old span", "loading", "nobody's"};
    enum { ROLE_COUNT = sizeof ROLES / sizeof *ROLES, SERVES = 4 };
    bool seen[ROLE_COUNT] = {false};
    struct kv_reply *replies;
    char pattern[160];
    snprintf(pattern, sizeof pattern, "%s:*", tag);
    kv_words(kv, "KEYS", pattern, NULL);
    int rc = kv_roundtrip(kv, &replies, err);
    for (int i = 0; rc > 0 && i < replies[0].count; i++) {
        char part[POS_ID_BYTES + 2];
        const char *at = replies[0].items[i].text.ptr + strlen(tag) + 1;
        snprintf(part, sizeof part, "%.*s", (int)strcspn(at, ":"), at);
        for (int r = 0; r < ROLE_COUNT; r++)
            seen[r] = seen[r] || strcmp(part_role(pos, part), ROLES[r]) == 0;
    }
    buf_add_text(line, " parts:");
    for (int r = 0; r < (litter ? ROLE_COUNT : SERVES); r++)
        if (seen[r])
            buf_printf(line, " %s,", ROLES[r]);
    return rc < 0 ? rc : 0;
}

static int64_t end_of(const struct play *play, int store, int partition)
{
    int64_t first, end = -1;
    log_range(play->log, play_word(play, store ? "{wide}" : "{topic}"), partition, &first, &end,
              NULL);
    return end;
}

/* lk:{view.version:partition}:pos */
static int add_pos(struct picture *picture, struct kv *kv, int store, const char *key,
                   struct err *err)
{
    struct kv_reply *replies;
    struct pos pos = {0};
    struct buf line = {0};
    char tag[128];
    snprintf(tag, sizeof tag, "%.*s", (int)(strrchr(key, ':') - key), key);
    const char *colon = strrchr(tag, ':');
    int64_t end = end_of(picture->play, store, atoi(colon + 1));
    kv_words(kv, "HGETALL", key, NULL);
    int rc = kv_roundtrip(kv, &replies, err);
    rc = rc < 0 ? rc : pos_decode(&replies[0], &pos, err);
    if (rc == 0) {
        buf_printf(&line, "store %d %.*s} owner %s next %s from %s boundary %s gen %s prev %s%s%s",
                   store, (int)(colon - tag), tag, owner(&pos), position(pos.next, end),
                   position(pos.from, end), position(pos.boundary, end),
                   *pos.generation ? "yes" : "no", *pos.previous ? "yes" : "no",
                   pos.retired ? " retired" : "", pos.broken ? " BROKEN" : "");
        if (picture->litter)
            buf_printf(&line, " gens %d", pos.gen_count);
        rc = add_parts(kv, tag, &pos, picture->litter, &line, err);
        add_line_take(picture, &line);
    }
    pos_release(&pos);
    return rc;
}

/* What a version says, value by value: nothing arrives meanwhile, so each of its answers is the same. */
static void add_answers(struct picture *picture, struct kv *kv, int store, const char *view,
                        int version)
{
    struct view_query query = {.exact = true, .version = version};
    struct answer answer;
    struct buf line = {0};
    char digest[33] = "none";
    if (view_read(kv, view, picture->play->of->arch, &query, &answer, NULL) == 0) {
        answer_digest(&answer, digest);
        answer_release(&answer);
    }
    buf_printf(&line, "store %d view %s version %d answers %s", store, view, version, digest);
    add_line_take(picture, &line);
}

static int add_registry(struct picture *picture, struct kv *kv, int store, const char *view,
                        struct err *err)
{
    struct registry registry = {0};
    struct buf line = {0};
    int rc = registry_read(kv, view, picture->play->of->arch, &registry, err);
    if (rc < 0)
        return rc;
    buf_printf(&line, "store %d view %s live %d before %d canary %d share %d:", store, view,
               registry.live, registry.before, registry.canary, registry.share);
    for (int i = 0; i < registry.count; i++)
        buf_printf(&line, " %d %s,", registry.versions[i].number,
                   registry.versions[i].running ? "running" : "retired");
    add_line_take(picture, &line);
    for (int i = 0; !picture->litter && i < registry.count; i++)
        if (registry.versions[i].running)
            add_answers(picture, kv, store, view, registry.versions[i].number);
    registry_release(&registry);
    return 0;
}

static int add_key(struct picture *picture, struct kv *kv, int store, const char *key,
                   struct err *err)
{
    size_t len = strlen(key);
    const char *brace = strrchr(key, '}');
    char view[96];
    if (!brace || strncmp(key, "lk:{", 4) != 0)
        return 0;
    snprintf(view, sizeof view, "%.*s", (int)(brace - key - 4), key + 4);
    if (strcmp(brace, "}:kappa") == 0 || strcmp(brace, "}:lambda") == 0)
        return add_registry(picture, kv, store, view, err);
    if (len > 4 && strcmp(brace, "}:pos") == 0)
        return add_pos(picture, kv, store, key, err);
    return 0;
}

static int add_store(struct picture *picture, int store, const char *uri, struct err *err)
{
    struct kv *kv;
    struct kv_reply *replies;
    char **keys = NULL;
    int count = 0;
    int rc = kv_open(uri, &kv, err);
    if (rc < 0)
        return rc;
    kv_words(kv, "KEYS", "lk:*", NULL);
    rc = kv_roundtrip(kv, &replies, err);
    if (rc > 0) {
        count = replies[0].count;
        keys = mem_zero((size_t)count + 1, sizeof *keys);
        for (int i = 0; i < count; i++)
            keys[i] = mem_copy_string(replies[0].items[i].text.ptr);
    }
    rc = rc < 0 ? rc : 0;
    for (int i = 0; i < count; i++) {
        if (rc == 0)
            rc = add_key(picture, kv, store, keys[i], err);
        free(keys[i]);
    }
    free(keys);
    kv_close(kv);
    return rc;
}

/* ---- the archive's directory ---- */

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), tail = strlen(end);
    return len >= tail && strcmp(name + len - tail, end) == 0;
}

static bool exists(const char *directory, const char *id, const char *rest)
{
    char path[1200];
    snprintf(path, sizeof path, "%s/%s%s", directory, id, rest);
    return access(path, F_OK) == 0;
}

/* One file of a view's generations: whose it is and what it is. Locks say nothing: they are let go. */
static void add_generation_file(struct picture *picture, const char *directory, const char *name)
{
    struct buf line = {0};
    char id[POS_ID_BYTES];
    snprintf(id, sizeof id, "%.*s", (int)strcspn(name, "."), name);
    if (!*id || ends_with(name, ".lock"))
        return;
    if (ends_with(name, ".load")) {
        buf_add_text(&line, "generations: note of a load");
    } else if (ends_with(name, ".withdrawn")) {
        buf_add_text(&line, "generations: note of a rollback");
    } else {
        const char *kind = ends_with(name, ".json")  ? "manifest"
                           : ends_with(name, ".tmp") ? "temporary file"
                                                     : "file";
        buf_printf(&line, "generations: %s of one %s a manifest", kind,
                   exists(directory, id, ".json") ? "with" : "without");
    }
    add_line_take(picture, &line);
}

static void add_generations(struct picture *picture, const char *directory)
{
    DIR *dir = opendir(directory);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            add_generation_file(picture, directory, entry->d_name);
    if (dir)
        closedir(dir);
}

/* ARCHIVE/TOPIC: partitions and generations/VIEW. */
static void add_topic(struct picture *picture, const char *topic)
{
    char path[600], inner[900];
    snprintf(path, sizeof path, "%s/%s/generations", picture->play->archive, topic);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            add_generations(picture, inner);
    }
    if (dir)
        closedir(dir);
}

static void add_segments(struct picture *picture, const char *word)
{
    char path[700];
    const struct play *play = picture->play;
    const char *topic = play_word(play, word);
    for (int p = 0; p < RUNBOOK_WIDE; p++) {
        snprintf(path, sizeof path, "%s/%s/%d", play->archive, topic, p);
        DIR *dir = opendir(path);
        for (struct dirent *entry; dir && (entry = readdir(dir));) {
            struct buf line = {0};
            if (!strstr(entry->d_name, "tmp"))
                continue;
            buf_printf(&line, "archive %s: temporary file", topic);
            add_line_take(picture, &line);
        }
        if (dir)
            closedir(dir);
    }
}

static void add_archive(struct picture *picture, const char *word)
{
    struct log *archive;
    struct buf line = {0};
    char uri[500];
    const char *topic = play_word(picture->play, word);
    snprintf(uri, sizeof uri, "archive:%s", picture->play->archive);
    if (log_open(uri, false, &archive, NULL) < 0)
        return;
    int count = log_partitions(archive, topic, NULL);
    for (int p = 0; p < count; p++) {
        int64_t first = 0, end = 0;
        log_range(archive, topic, p, &first, &end, NULL);
        buf_printf(&line, "archive %s reaches %s", topic,
                   position(end, end_of(picture->play, strcmp(word, "{wide}") == 0, p)));
        add_line_take(picture, &line);
    }
    log_close(archive);
}

/* ---- all of it ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, equal lines as one with their number: which partition came first is chance. */
static void print_lines(struct picture *picture, struct buf *out)
{
    qsort(picture->lines, (size_t)picture->count, sizeof *picture->lines, by_text);
    for (int i = 0; i < picture->count;) {
        int alike = 1;
        while (i + alike < picture->count &&
               strcmp(picture->lines[i], picture->lines[i + alike]) == 0)
            alike++;
        buf_printf(out, "%d x %s\n", alike, picture->lines[i]);
        i += alike;
    }
    for (int i = 0; i < picture->count; i++)
        free(picture->lines[i]);
}

int picture_take(struct play *play, bool litter, struct buf *out, struct err *err)
{
    struct picture *picture = mem_zero(1, sizeof *picture);
    *picture = (struct picture){.play = play, .litter = litter};
    int rc = add_store(picture, 0, play->view, err);
    if (rc == 0)
        rc = add_store(picture, 1, play->anew, err);
    static const char *const TOPICS[] = {"{topic}", "{wide}"};
    for (int i = 0; rc == 0 && i < STORES; i++) {
        add_archive(picture, TOPICS[i]);
        if (litter) {
            add_segments(picture, TOPICS[i]);
            add_topic(picture, play_word(play, TOPICS[i]));
        }
    }
    print_lines(picture, out);
    free(picture);
    return rc;
}
