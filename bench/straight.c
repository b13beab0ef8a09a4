/* bench/straight.c - see straight.h. */
#include "bench/straight.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/store/read.h"

enum { WINDOW_MS = 10000 };

/* The text behind "key":, a blank or none, and a quote, up to the next quote; NULL without the key. */
static struct bytes find(struct bytes value, const char *key, size_t key_len)
{
    const char *at = memmem(value.ptr, value.len, key, key_len);
    if (!at)
        return (struct bytes){0};
    at += key_len;
    at += at[0] == ' ' ? 2 : 1;
    const char *end = memchr(at, '"', (size_t)(value.ptr + value.len - at));
    return end ? (struct bytes){at, (size_t)(end - at)} : (struct bytes){0};
}

#define FIND(value, name) find(value, "\"" name "\":", sizeof "\"" name "\":" - 1)

int straight_init(struct straight *straight, const char *table, struct err *err)
{
    FILE *file = fopen(table, "r");
    char line[512];
    *straight = (struct straight){0};
    map_init(&straight->campaigns, sizeof(struct bytes));
    map_init(&straight->counts, sizeof(int64_t));
    if (!file)
        return err_errno(err, ERR_ENV, "cannot read %s", table);
    while (fgets(line, sizeof line, file)) {
        struct bytes text = bytes_of(line);
        struct bytes *campaign = map_put(&straight->campaigns, FIND(text, "ad_id"), NULL);
        *campaign = arena_bytes(&straight->arena, FIND(text, "campaign_id"));
    }
    fclose(file);
    return 0;
}

void straight_add(struct straight *straight, struct bytes value)
{
    straight->events++;
    straight->bytes += (int64_t)value.len;
    struct bytes type = FIND(value, "event_type");
    if (type.len != 4 || memcmp(type.ptr, "view", 4) != 0)
        return;
    const struct bytes *campaign = map_get(&straight->campaigns, FIND(value, "ad_id"));
    if (!campaign)
        return;
    struct bytes time = FIND(value, "event_time");
    int64_t ms = 0;
    for (size_t i = 0; i < time.len; i++)
        ms = ms * 10 + (time.ptr[i] - '0');
    char name[128];
    int64_t window = ms / WINDOW_MS * WINDOW_MS;
    memcpy(name, &window, sizeof window);
    memcpy(name + sizeof window, campaign->ptr, campaign->len);
    ++*(int64_t *)map_put(&straight->counts, (struct bytes){name, sizeof window + campaign->len},
                          NULL);
    straight->views++;
}

static int count_partition(struct straight *straight, struct log *log, const char *topic, int p,
                           struct err *err)
{
    int64_t first, end;
    struct log_reader *reader = NULL;
    int rc = log_range(log, topic, p, &first, &end, err);
    if (rc == 0)
        rc = log_reader_open(log, topic, &p, 1, &reader, err);
    for (int64_t next = first; rc >= 0 && next < end;) {
        struct log_batch batch;
        rc = log_read(reader, LOG_BATCH_MAX, 100, &batch, err);
        for (int i = 0; i < rc; i++)
            straight_add(straight, batch.value[i]);
        if (rc >= 0 && batch.partition >= 0)
            next = batch.next;
    }
    log_reader_close(reader);
    return rc < 0 ? rc : 0;
}

static void clear(struct straight *straight)
{
    map_clear(&straight->counts);
    straight->events = straight->views = straight->bytes = 0;
}

int straight_count(struct straight *straight, struct log *log, const char *topic, struct err *err)
{
    clear(straight);
    int partitions = log_partitions(log, topic, err);
    int rc = partitions < 0 ? partitions : 0;
    for (int p = 0; rc == 0 && p < partitions; p++)
        rc = count_partition(straight, log, topic, p, err);
    return rc;
}

bool straight_equal(const struct straight *a, const struct straight *b)
{
    bool equal = a->events == b->events && a->bytes == b->bytes && a->views == b->views &&
                 a->counts.count == b->counts.count;
    for (size_t i = 0; equal && i < a->counts.count; i++) {
        struct bytes name;
        const int64_t *count = map_at(&a->counts, i, &name), *other = map_get(&b->counts, name);
        equal = other && *other == *count;
    }
    return equal;
}

int straight_check_view(const struct straight *straight, struct kv *kv, enum arch arch,
                        const char *view, struct err *err)
{
    struct view_query query = {.exact = true};
    struct answer answer;
    int rc = view_read(kv, view, arch, &query, &answer, err);
    if (rc < 0)
        return rc;
    size_t wrong = answer.count != straight->counts.count;
    for (size_t i = 0; i < answer.count; i++) {
        const struct answer_row *row = &answer.rows[i];
        struct buf name = {0};
        buf_add(&name, &row->window_ms, sizeof row->window_ms);
        buf_add(&name, row->key.ptr + 2, row->key.len - 4); /* ["..."] */
        const int64_t *count = map_get(&straight->counts, buf_bytes(&name));
        wrong += !count || strtoll(row->values.ptr + strlen("\"views\":"), NULL, 10) != *count;
        buf_release(&name);
    }
    answer_release(&answer);
    return wrong ? err_set(err, ERR_CHECK, "%s's answer differs in %zu rows: no figure",
                           arch == ARCH_KAPPA ? "kappa" : "lambda", wrong)
                 : 0;
}

void straight_release(struct straight *straight)
{
    map_release(&straight->campaigns);
    map_release(&straight->counts);
    arena_release(&straight->arena);
}
