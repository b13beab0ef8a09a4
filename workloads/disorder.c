/* workloads/disorder.c - the stream: a workload's events, each delayed, repeated or broken by a
 * seed's say.
 *
 *   workload --next--> decide(seed, number) --copies--> heap by publish time --> stream_next
 *
 * Everything about event n is drawn from (seed, n) in a fixed order, never from what came before,
 * so that any part of a stream can be made again. The source's publish times never fall and
 * disorder only adds to them; hence what is at or before the source's newest publish time can leave
 * the heap. Without disorder events pass straight through, uncopied. */
#include <ctype.h>
#include <stdlib.h>

#include "common/base/rng.h"
#include "workloads/workload.h"

/* An event that is being held back, with its own copy of the bytes. */
struct pending {
    struct workload_event event;
    int copy; /* 1: the duplicate */
    char bytes[];
};

struct stream {
    const struct workload *workload;
    void *state;
    struct disorder_options disorder;
    int64_t limit, number; /* of source events: at most, read so far */
    bool plain, ended;
    int64_t source_us; /* publish time of the newest event read */
    struct pending **heap;
    size_t count, capacity;
    struct pending *given; /* the caller has its bytes until the next call */
    struct buf broken;
};

static bool before(const struct pending *a, const struct pending *b)
{
    if (a->event.publish_us != b->event.publish_us)
        return a->event.publish_us < b->event.publish_us;
    if (a->event.number != b->event.number)
        return a->event.number < b->event.number;
    return a->copy < b->copy;
}

static void heap_push(struct stream *stream, struct pending *pending)
{
    if (stream->count == stream->capacity) {
        stream->capacity = stream->capacity ? stream->capacity * 2 : 256;
        stream->heap = mem_grow(stream->heap, stream->capacity * sizeof(struct pending *));
    }
    size_t i = stream->count++;
    for (; i > 0 && before(pending, stream->heap[(i - 1) / 2]); i = (i - 1) / 2)
        stream->heap[i] = stream->heap[(i - 1) / 2];
    stream->heap[i] = pending;
}

static struct pending *heap_pop(struct stream *stream)
{
    struct pending **heap = stream->heap, *top = heap[0], *last = heap[--stream->count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < stream->count; i = child) {
        if (child + 1 < stream->count && before(heap[child + 1], heap[child]))
            child++;
        if (!before(heap[child], last))
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

/* Ways to break an object's bytes; none of them leaves an event that any plan could take. */
static void cut_short(struct buf *out, struct bytes value, struct rng *rng)
{
    buf_add(out, value.ptr, 1 + rng_below(rng, value.len - 1));
}

/* wrong goes into the first string, which is a name. */
static void insert(struct buf *out, struct bytes value, const char *wrong)
{
    const char *quote = memchr(value.ptr, '"', value.len);
    size_t head = quote ? (size_t)(quote - value.ptr) + 1 : value.len;
    buf_add(out, value.ptr, head);
    buf_add_text(out, wrong);
    buf_add(out, value.ptr + head, value.len - head);
}

static void break_bytes(struct buf *out, struct bytes value, struct rng *rng)
{
    static const char *const WRONG[] = {"\\x", "\\ud800", "\x01", "\xff"};
    enum { CUT, TRAILING, ARRAY, EMPTY_OBJECT, INSERT_FIRST };
    uint64_t how = rng_below(rng, INSERT_FIRST + sizeof WRONG / sizeof *WRONG);
    buf_clear(out);
    while (value.len > 0 && isspace((unsigned char)value.ptr[value.len - 1]))
        value.len--; /* or cutting might take nothing */
    if (value.len < 2 || how == EMPTY_OBJECT) {
        buf_add_text(out, "{}"); /* every field is missing */
    } else if (how == CUT) {
        cut_short(out, value, rng);
    } else if (how == TRAILING) {
        buf_add(out, value.ptr, value.len);
        buf_add_char(out, '}');
    } else if (how == ARRAY) {
        buf_add_char(out, '[');
        buf_add(out, value.ptr, value.len);
        buf_add_char(out, ']');
    } else {
        insert(out, value, WRONG[how - INSERT_FIRST]);
    }
}

/* When something due at publish_us leaves, given the bursts. */
static int64_t after_burst(const struct disorder_options *disorder, int64_t publish_us)
{
    if (disorder->burst_every_ms == 0)
        return publish_us;
    int64_t into_us = publish_us % (disorder->burst_every_ms * 1000);
    int64_t burst_us = disorder->burst_ms * 1000;
    return into_us < burst_us ? publish_us - into_us + burst_us : publish_us;
}

static void hold(struct stream *stream, const struct workload_event *event, int64_t publish_us,
                 int copy)
{
    struct pending *pending = mem_alloc(sizeof *pending + event->key.len + event->value.len);
    pending->event = *event;
    pending->event.publish_us = after_burst(&stream->disorder, publish_us);
    pending->copy = copy;
    if (event->value.len)
        memcpy(pending->bytes, event->value.ptr, event->value.len);
    pending->event.value.ptr = pending->bytes;
    if (event->key.ptr) {
        memcpy(pending->bytes + event->value.len, event->key.ptr, event->key.len);
        pending->event.key.ptr = pending->bytes + event->value.len;
    }
    heap_push(stream, pending);
}

/* Uniform in (0, max_ms], in us. */
static int64_t up_to(struct rng *rng, int64_t max_ms)
{
    return 1 + (int64_t)rng_below(rng, (uint64_t)max_ms * 1000);
}

/* Draw event's fate and hold it, and its duplicate if it has one. */
static void disturb(struct stream *stream, struct workload_event *event)
{
    const struct disorder_options *disorder = &stream->disorder;
    struct rng rng;
    rng_init_at(&rng, disorder->seed, (uint64_t)event->number);
    bool late = rng_double(&rng) < disorder->late_share;
    bool twice = rng_double(&rng) < disorder->duplicate_share;
    bool broken = rng_double(&rng) < disorder->malformed_share;
    int64_t publish_us = event->publish_us;
    if (disorder->delay_mean_ms > 0)
        publish_us += (int64_t)(rng_exponential(&rng, disorder->delay_mean_ms) * 1000);
    if (late)
        publish_us += up_to(&rng, disorder->late_max_ms);
    int64_t again_us = twice ? publish_us + up_to(&rng, disorder->duplicate_max_ms) : 0;
    if (broken) {
        break_bytes(&stream->broken, event->value, &rng);
        event->value = buf_bytes(&stream->broken);
    }
    hold(stream, event, publish_us, 0);
    if (twice)
        hold(stream, event, again_us, 1);
}

static bool is_share(double share)
{
    return share >= 0 && share <= 1;
}

static int check(const struct disorder_options *d, struct err *err)
{
    if (!is_share(d->late_share) || !is_share(d->duplicate_share) || !is_share(d->malformed_share))
        return err_set(err, ERR_USAGE, "disorder: a share is between 0 and 1");
    if (d->delay_mean_ms < 0 || d->late_max_ms < 0 || d->duplicate_max_ms < 0)
        return err_set(err, ERR_USAGE, "disorder: a delay is not negative");
    if (d->late_share > 0 && d->late_max_ms == 0)
        return err_set(err, ERR_USAGE,
                       "disorder: a late share needs its longest delay (--late-max)");
    if (d->duplicate_share > 0 && d->duplicate_max_ms == 0)
        return err_set(err, ERR_USAGE,
                       "disorder: a duplicate share needs its longest delay (--duplicate-max)");
    if (d->burst_ms < 0 || d->burst_every_ms < 0 || d->burst_ms > d->burst_every_ms ||
        (d->burst_every_ms > 0 && d->burst_ms == 0))
        return err_set(err, ERR_USAGE,
                       "disorder: bursts need --burst-every and a --burst that is not longer");
    return 0;
}

static bool is_plain(const struct disorder_options *d)
{
    return d->delay_mean_ms == 0 && d->late_share == 0 && d->duplicate_share == 0 &&
           d->malformed_share == 0 && d->burst_every_ms == 0;
}

int stream_open(const struct workload *workload, const struct workload_options *options,
                const struct disorder_options *disorder, struct stream **out, struct err *err)
{
    int rc = check(disorder, err);
    if (rc < 0)
        return rc;
    struct stream *stream = mem_zero(1, sizeof *stream);
    stream->workload = workload;
    stream->disorder = *disorder;
    stream->disorder.seed = rng_mix(disorder->seed, 0xd150); /* apart from the workload's draws */
    stream->plain = is_plain(disorder);
    stream->limit = options->events ? options->events : INT64_MAX;
    rc = workload->open(options, &stream->state, err);
    if (rc < 0)
        free(stream);
    else
        *out = stream;
    return rc;
}

/* As the workload's next, up to the limit, and numbered. */
static int read_source(struct stream *stream, struct workload_event *event, struct err *err)
{
    if (stream->number == stream->limit)
        return 0;
    int rc = stream->workload->next(stream->state, event, err);
    if (rc == 1)
        event->number = stream->number++;
    return rc;
}

int stream_next(struct stream *stream, struct workload_event *event, struct err *err)
{
    if (stream->plain)
        return read_source(stream, event, err);
    free(stream->given);
    stream->given = NULL;
    while (!stream->ended &&
           (stream->count == 0 || stream->heap[0]->event.publish_us > stream->source_us)) {
        struct workload_event fresh;
        int rc = read_source(stream, &fresh, err);
        if (rc < 0)
            return rc;
        stream->ended = rc == 0;
        if (rc == 0)
            break;
        stream->source_us = fresh.publish_us;
        disturb(stream, &fresh);
    }
    if (stream->count == 0)
        return 0;
    stream->given = heap_pop(stream);
    *event = stream->given->event;
    return 1;
}

void stream_close(struct stream *stream)
{
    if (!stream)
        return;
    stream->workload->close(stream->state);
    while (stream->count > 0)
        free(stream->heap[--stream->count]);
    free(stream->heap);
    free(stream->given);
    buf_release(&stream->broken);
    free(stream);
}
