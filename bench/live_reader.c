/* bench/live_reader.c - see live_reader.h. */
#include "bench/live_reader.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/base/stop.h"

enum { READ_PAUSE_US = 1000, RECENT = 400 };

/* As the publisher counts: whole microseconds of the stream. */
static int64_t due_ns(const struct live_reader *reader, int64_t number)
{
    return reader->start_ns + (int64_t)((double)number * 1e6 / reader->rate) * 1000;
}

static struct live_block *block_of(struct live_reader *reader, int64_t at_ns)
{
    for (int i = reader->blocks; i-- > 0;)
        if (at_ns >= reader->block[i].from_ns)
            return at_ns < reader->block[i].to_ns ? &reader->block[i] : NULL;
    return NULL;
}

/* Events of partition p up to next became visible by now_ns. */
static void note_visible(struct live_reader *reader, int p, int64_t next, int64_t now_ns)
{
    for (int64_t offset = reader->seen[p]; offset < next; offset++) {
        int64_t at_ns = due_ns(reader, offset * reader->partitions + p);
        struct live_block *block = block_of(reader, at_ns);
        if (block)
            hist_record(&block->fresh_us, (now_ns - at_ns) / 1000);
    }
    if (next > reader->seen[p])
        reader->seen[p] = next;
}

static void note_seen(struct live_reader *reader, const struct answer *answer, int64_t now_ns)
{
    int64_t all_ns = INT64_MAX;
    for (int p = 0; p < answer->partitions; p++) {
        note_visible(reader, p, answer->parts[p].next, now_ns);
        int64_t last_ns = due_ns(reader, (reader->seen[p] - 1) * reader->partitions + p);
        all_ns = last_ns < all_ns ? last_ns : all_ns;
    }
    reader->seen_ns = all_ns;
}

static int wrong(struct live_reader *reader, int cell, int64_t found, int64_t wanted)
{
    struct exact_cell at = exact_cell(reader->exact, cell);
    return err_set(&reader->err, ERR_CHECK,
                   "key %s of window %lld has %lld views, by the positions of the answer %lld",
                   at.key, (long long)at.window_ms, (long long)found, (long long)wanted);
}

/* Exact answers are right or not; of others the count lies between their positions and the next ones'. */
static int check(struct live_reader *reader, int cell, const struct answer *answer)
{
    int64_t next[LOG_PARTITIONS_MAX] = {0}, found = 0;
    for (int p = 0; p < answer->partitions; p++)
        next[p] = answer->parts[p].next;
    if (answer->count > 0)
        found = strtoll(exact_field(answer->rows[0].values, "\"views\":").ptr, NULL, 10);
    if (reader->unsure >= 0) {
        int64_t most = exact_at(reader->exact, reader->unsure, next).count;
        if (reader->unsure_count > most)
            return wrong(reader, reader->unsure, reader->unsure_count, most);
    }
    int64_t wanted = exact_at(reader->exact, cell, next).count;
    reader->unsure = answer->exact ? -1 : cell;
    reader->unsure_count = found;
    bool right = answer->exact ? found == wanted : found >= wanted;
    return right ? 0 : wrong(reader, cell, found, wanted);
}

/* That of an event among the last ones seen, which counts. */
static int choose_cell(const struct live_reader *reader, struct rng *rng)
{
    int p = (int)rng_below(rng, (uint64_t)reader->partitions), cell = -1;
    int64_t offset = reader->seen[p] - 1 - (int64_t)rng_below(rng, RECENT);
    for (offset = offset < 0 ? 0 : offset; cell < 0 && offset < exact_end(reader->exact, p);
         offset++)
        cell = exact_cell_of(reader->exact, p, offset);
    return cell < 0 ? 0 : cell;
}

static int read_once(struct live_reader *reader, struct view_reader *view, struct rng *rng)
{
    struct answer answer;
    int cell = choose_cell(reader, rng);
    struct exact_cell at = exact_cell(reader->exact, cell);
    struct view_query query = {.key = at.key, .has_window = true, .window_ms = at.window_ms};
    int rc = view_reader_read(view, &query, &answer, &reader->err);
    if (rc < 0)
        return rc;
    note_seen(reader, &answer, clock_wall_ns());
    rc = check(reader, cell, &answer);
    reader->reads++;
    answer_release(&answer);
    return rc;
}

static void *read_on(void *context)
{
    struct live_reader *reader = context;
    struct rng rng;
    struct kv *kv = NULL;
    rng_init(&rng, reader->seed);
    int rc = kv_open(reader->uri, &kv, &reader->err);
    struct view_reader *view = view_reader_new(kv, reader->view, reader->arch);
    while (rc == 0 && !reader->over && !stop_asked()) {
        rc = read_once(reader, view, &rng);
        clock_sleep_until_ns(clock_mono_ns() + READ_PAUSE_US * 1000);
    }
    view_reader_free(view);
    kv_close(kv);
    reader->rc = rc; /* last: who sees it may read err */
    return NULL;
}

void live_reader_start(struct live_reader *reader)
{
    reader->unsure = -1;
    pthread_create(&reader->thread, NULL, read_on, reader);
}

int live_reader_announce(struct live_reader *reader, int lead_ms, int64_t length_ms)
{
    int number = reader->blocks;
    struct live_block *block = &reader->block[number];
    block->from_ns = clock_wall_ns() + lead_ms * INT64_C(1000000);
    block->to_ns = block->from_ns + length_ms * 1000000;
    reader->blocks = number + 1;
    return number;
}

int live_reader_look(const struct live_reader *reader, struct err *err)
{
    return reader->rc ? err_set(err, reader->rc, "%s", reader->err.text) : 0;
}

void live_reader_stop(struct live_reader *reader)
{
    reader->over = true;
    pthread_join(reader->thread, NULL);
}

void live_reader_release(struct live_reader *reader)
{
    for (int i = 0; i < reader->blocks; i++)
        hist_release(&reader->block[i].fresh_us);
}
