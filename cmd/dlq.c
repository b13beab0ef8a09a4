/* cmd/dlq.c - lk dlq: the bad events of a view, which are cells of it: offset -> reason.
 *
 * The raw bytes stay in the log. Kappa keeps them under part "k"; lambda under its generation for
 * offsets below the boundary, and under the spans from the boundary on. By every hand-over: an event is bad
 * or it is not, and spans that hold offsets at or above the boundary are never dropped.
 *   list     counts by reason, then each event: partition, offset, reason
 *   show     one event's bytes, from the log
 *   export   all of them to a topic of the same log (dlq_export.c) */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/cmd.h"
#include "cmd/dlq.h"
#include "common/base/map.h"
#include "common/store/pos.h"

enum { READ_TRIES = 8 };

/* ---- from the store ---- */

static void add_event(struct dlq *dlq, int partition, int64_t offset, struct bytes reason)
{
    if (dlq->count == dlq->capacity) {
        dlq->capacity = dlq->capacity ? dlq->capacity * 2 : 64;
        dlq->events = mem_grow(dlq->events, dlq->capacity * sizeof *dlq->events);
    }
    dlq->events[dlq->count++] =
        (struct bad_event){partition, offset, arena_bytes(&dlq->arena, reason).ptr};
}

/* Queue the read of one part's bad events. */
static void queue_part(struct dlq *dlq, const char *version, int partition, const char *part)
{
    kv_words(dlq->args.kv, "HGETALL",
             key_cells(&dlq->arena, dlq->args.plan->view, version, partition, part, "bad"), NULL);
}

static void queue_parts(struct dlq *dlq, const char *version, int partition, const struct pos *pos)
{
    char part[POS_ID_BYTES + 24];
    if (dlq->args.arch == ARCH_KAPPA)
        queue_part(dlq, version, partition, "k");
    if (*pos->generation) {
        snprintf(part, sizeof part, "g%s", pos->generation);
        queue_part(dlq, version, partition, part);
    }
    for (int i = 0; i < pos->cut_count; i++) {
        if (i + 1 < pos->cut_count && pos->cuts[i + 1] <= pos->boundary)
            continue; /* the batch has all of it */
        snprintf(part, sizeof part, "s%" PRId64, pos->cuts[i]);
        queue_part(dlq, version, partition, part);
    }
}

/* The batch's reply comes first, if there is a batch. */
static int take_parts(struct dlq *dlq, int partition, const struct pos *pos,
                      const struct kv_reply *replies, int count, struct err *err)
{
    for (int i = 0; i < count; i++)
        for (int k = 0; k + 1 < replies[i].count; k += 2) {
            int64_t offset;
            if (!bytes_to_int64(replies[i].items[k].text, &offset))
                return err_set(err, ERR_DATA, "a bad event of view %s has no offset",
                               dlq->args.plan->view);
            if (offset >= pos->boundary || i == 0)
                add_event(dlq, partition, offset, replies[i].items[k + 1].text);
        }
    return 0;
}

static int read_pos(struct dlq *dlq, const char *version, int partition, struct pos *out,
                    struct err *err)
{
    struct kv_reply *replies = NULL;
    kv_words(dlq->args.kv, "HGETALL",
             key_pos(&dlq->arena, dlq->args.plan->view, version, partition), NULL);
    int rc = kv_roundtrip(dlq->args.kv, &replies, err);
    return rc < 0 ? rc : pos_decode(&replies[0], out, err);
}

/* One attempt: 1 done, 0 a batch was published meanwhile, or a code. */
static int try_partition(struct dlq *dlq, const char *version, int partition, struct err *err)
{
    struct pos before = {0}, after = {0};
    struct kv_reply *replies = NULL;
    size_t count = dlq->count;
    int rc = read_pos(dlq, version, partition, &before, err);
    if (rc >= 0 && before.here) {
        queue_parts(dlq, version, partition, &before);
        rc = kv_roundtrip(dlq->args.kv, &replies, err);
    }
    if (rc > 0 && replies)
        rc = take_parts(dlq, partition, &before, replies, rc, err);
    if (rc >= 0)
        rc = read_pos(dlq, version, partition, &after, err);
    if (rc >= 0)
        rc = strcmp(before.generation, after.generation) == 0;
    if (rc == 0)
        dlq->count = count;
    pos_release(&before);
    pos_release(&after);
    return rc;
}

static int compare_events(const void *left, const void *right)
{
    const struct bad_event *a = left, *b = right;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static int read_events(struct dlq *dlq, struct err *err)
{
    char version[16];
    registry_version_name(dlq->args.arch, dlq->args.version->number, version);
    for (int p = 0; p < dlq->args.registry.partitions; p++) {
        int rc = 0;
        for (int i = 0; rc == 0 && i < READ_TRIES; i++)
            rc = try_partition(dlq, version, p, err);
        if (rc <= 0)
            return rc < 0 ? rc
                          : err_set(err, ERR_AWAY, "partition %d of view %s moved all the time", p,
                                    dlq->args.plan->view);
    }
    if (dlq->count)
        qsort(dlq->events, dlq->count, sizeof *dlq->events, compare_events);
    return 0;
}

/* ---- list ---- */

struct tally_of_reason {
    int64_t total, *partition;
};

static void print_counts(struct dlq *dlq)
{
    struct map reasons;
    int partitions = dlq->args.registry.partitions;
    map_init(&reasons, sizeof(struct tally_of_reason));
    for (size_t i = 0; i < dlq->count; i++) {
        struct tally_of_reason *tally = map_put(&reasons, bytes_of(dlq->events[i].reason), NULL);
        if (!tally->partition)
            tally->partition = arena_zero(&dlq->arena, (size_t)partitions, sizeof(int64_t));
        tally->total++;
        tally->partition[dlq->events[i].partition]++;
    }
    for (size_t i = 0; i < reasons.count; i++) {
        struct bytes reason;
        struct tally_of_reason *tally = map_at(&reasons, i, &reason);
        printf("%8" PRId64 "  %s (", tally->total, reason.ptr);
        const char *comma = "";
        for (int p = 0; p < partitions; p++)
            if (tally->partition[p]) {
                printf("%spartition %d: %" PRId64, comma, p, tally->partition[p]);
                comma = ", ";
            }
        puts(")");
    }
    map_release(&reasons);
}

static void print_event_json(const struct bad_event *event)
{
    struct buf reason = {0};
    buf_add_json_string(&reason, bytes_of(event->reason));
    printf("{\"partition\":%d,\"offset\":%" PRId64 ",\"reason\":%s}\n", event->partition,
           event->offset, reason.ptr);
    buf_release(&reason);
}

static int list_events(struct dlq *dlq, struct err *err)
{
    (void)err;
    if (settings_bool(dlq->settings, "json")) {
        for (size_t i = 0; i < dlq->count; i++)
            print_event_json(&dlq->events[i]);
        return 0;
    }
    printf("%zu bad events in view %s, %s version %d\n", dlq->count, dlq->args.plan->view,
           arch_name(dlq->args.arch), dlq->args.version->number);
    print_counts(dlq);
    if (dlq->count)
        printf("%9s %12s  %s\n", "partition", "offset", "reason");
    for (size_t i = 0; i < dlq->count; i++)
        printf("%9d %12" PRId64 "  %s\n", dlq->events[i].partition, dlq->events[i].offset,
               dlq->events[i].reason);
    return 0;
}

/* ---- the log ---- */

int dlq_source_open(const struct dlq *dlq, struct dlq_source *out, struct err *err)
{
    int all[LOG_PARTITIONS_MAX];
    *out = (struct dlq_source){.topic = settings_text(dlq->settings, "topic")};
    int rc = settings_require(dlq->settings, "log,topic", err);
    if (rc == 0)
        rc = log_open(settings_text(dlq->settings, "log"), false, &out->log, err);
    if (rc == 0)
        rc = log_partitions(out->log, out->topic, err);
    for (int p = 0; p < rc; p++)
        all[p] = p;
    if (rc > 0)
        rc = log_reader_open(out->log, out->topic, all, rc, &out->reader, err);
    return rc < 0 ? rc : 0;
}

void dlq_source_close(struct dlq_source *source)
{
    if (source->reader)
        log_reader_close(source->reader);
    if (source->log)
        log_close(source->log);
}

int dlq_source_get(struct dlq_source *source, const struct bad_event *event, struct log_batch *out,
                   struct err *err)
{
    int rc = log_get(source->reader, event->partition, event->offset, out, err);
    if (rc == 0)
        rc = err_set(err, ERR_GONE, "topic %s no longer has offset %" PRId64 " of partition %d",
                     source->topic, event->offset, event->partition);
    return rc < 0 ? rc : 0;
}

/* ---- show ---- */

static int find_event(const struct dlq *dlq, struct bad_event *out, struct err *err)
{
    const char *text = settings_text(dlq->settings, "offset");
    struct bad_event wanted = {0};
    int used = 0;
    if (sscanf(text, "%d:%" SCNd64 "%n", &wanted.partition, &wanted.offset, &used) != 2 ||
        text[used])
        return err_set(err, ERR_USAGE,
                       "--offset: found \"%s\", expected partition:offset, such as 0:17", text);
    const struct bad_event *found = NULL;
    if (dlq->count)
        found = bsearch(&wanted, dlq->events, dlq->count, sizeof wanted, compare_events);
    if (!found)
        return err_set(err, ERR_USAGE, "%s is not a bad event of view %s; see: lk dlq list", text,
                       dlq->args.plan->view);
    *out = *found;
    return 0;
}

static int show_event(struct dlq *dlq, struct err *err)
{
    struct bad_event event = {0};
    struct dlq_source source = {0};
    struct log_batch batch = {0};
    int rc = settings_require(dlq->settings, "offset", err);
    if (rc == 0)
        rc = find_event(dlq, &event, err);
    if (rc == 0)
        rc = dlq_source_open(dlq, &source, err);
    if (rc == 0)
        rc = dlq_source_get(&source, &event, &batch, err);
    if (rc == 0) {
        fprintf(stderr, "partition %d, offset %" PRId64 ": %s\n", event.partition, event.offset,
                event.reason);
        fwrite(batch.value[0].ptr, 1, batch.value[0].len, stdout);
        putchar('\n');
    }
    dlq_source_close(&source);
    return rc;
}

static const struct {
    const char *word;
    int (*run)(struct dlq *dlq, struct err *err);
} ACTIONS[] = {{"list", list_events}, {"show", show_event}, {"export", dlq_export}};

int cmd_dlq(const struct settings *settings, struct err *err)
{
    struct dlq dlq = {.settings = settings};
    const char *const *words;
    int count = settings_words(settings, &words);
    int rc = view_args_open(&dlq.args, settings, true, err);
    if (rc == 0)
        rc = read_events(&dlq, err);
    for (size_t i = 0; rc == 0 && count && i < sizeof ACTIONS / sizeof *ACTIONS; i++)
        if (strcmp(words[0], ACTIONS[i].word) == 0)
            rc = ACTIONS[i].run(&dlq, err);
    free(dlq.events);
    arena_release(&dlq.arena);
    view_args_close(&dlq.args);
    return rc;
}
