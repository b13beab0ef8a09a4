/* workloads/oracle.c - see oracle.h: the definitions, asked of every event in order.
 *
 *   log ──> event_keep ──> events of each partition (kept)
 *                            │  asked: positions, or an instant
 *                            └─> one pass a partition: T, repeated?, late? ──> tallies ──> rows
 * A pass is a straight loop over all events from the first one; nothing is carried from one
 * question to the next. Windows are found by trying the starts that are multiples of the hop. */
#include "workloads/oracle.h"

#include <stdlib.h>

#include "workloads/oracle_parts.h"

enum { READ_WAIT_MS = 100 };
#define NEVER INT64_MIN    /* as T */
#define NO_FLOOR INT64_MIN /* as answer.h has it */

static struct oracle *oracle_new(struct log *log, const char *topic)
{
    struct oracle *oracle = mem_zero(1, sizeof *oracle);
    oracle->log = log;
    oracle->topic = mem_copy_string(topic);
    map_init(&oracle->own_keys, sizeof(uint32_t));
    oracle->keys = &oracle->own_keys;
    map_init(&oracle->own_values, sizeof(uint32_t));
    oracle->values = &oracle->own_values;
    return oracle;
}

/* The same log by the speed layer's rules; its keys and values have the numbers that they have here. */
static int open_speed(struct oracle *oracle, struct bytes plan_json, const char *directory,
                      struct err *err)
{
    struct oracle *speed = oracle_new(oracle->log, oracle->topic);
    oracle->speed = speed;
    speed->keys = oracle->keys;
    speed->values = oracle->values;
    return rulebook_open(&speed->book, plan_json, directory, true, err);
}

static void open_shards(struct oracle *oracle, int partitions)
{
    oracle->partitions = partitions;
    oracle->shards = mem_zero((size_t)partitions, sizeof *oracle->shards);
    for (int p = 0; p < partitions; p++)
        map_init(&oracle->shards[p].ids, sizeof(uint32_t));
}

int oracle_open(struct bytes plan_json, const char *directory, struct log *log, const char *topic,
                struct oracle **out, struct err *err)
{
    struct oracle *oracle = oracle_new(log, topic);
    int rc = rulebook_open(&oracle->book, plan_json, directory, false, err);
    if (rc == 0 && rulebook_has_speed(&oracle->book))
        rc = open_speed(oracle, plan_json, directory, err);
    if (rc == 0)
        rc = log_partitions(log, topic, err);
    if (rc > 0) {
        if (oracle->speed)
            open_shards(oracle->speed, rc);
        open_shards(oracle, rc);
        rc = oracle_follow(oracle, err);
    }
    if (rc < 0) {
        oracle_close(oracle);
        return rc;
    }
    *out = oracle;
    return 0;
}

void oracle_close(struct oracle *oracle)
{
    if (!oracle)
        return;
    oracle_close(oracle->speed);
    for (int p = 0; p < oracle->partitions; p++) {
        free(oracle->shards[p].events);
        free(oracle->shards[p].amounts);
        map_release(&oracle->shards[p].ids);
    }
    free(oracle->shards);
    map_release(&oracle->own_keys);
    map_release(&oracle->own_values);
    rulebook_release(&oracle->book);
    exact_release(&oracle->event);
    free(oracle->history);
    buf_release(&oracle->text);
    free(oracle->topic);
    free(oracle);
}

static int read_shard(struct oracle *oracle, struct log_reader *reader, int partition, int64_t end,
                      struct err *err)
{
    struct shard *shard = &oracle->shards[partition];
    int rc = log_seek(reader, partition, shard->next, err);
    while (rc >= 0 && shard->next < end) {
        struct log_batch batch;
        rc = log_read(reader, LOG_BATCH_MAX, READ_WAIT_MS, &batch, err);
        for (int i = 0; i < rc; i++)
            event_keep(oracle, shard, &batch, i);
        if (rc >= 0 && batch.partition >= 0)
            shard->next = batch.next;
    }
    return rc < 0 ? rc : 0;
}

static int follow_shard(struct oracle *oracle, int partition, struct err *err)
{
    int64_t first, end;
    int rc = log_range(oracle->log, oracle->topic, partition, &first, &end, err);
    if (rc < 0)
        return rc;
    if (first > oracle->shards[partition].next)
        return err_set(err, ERR_GONE,
                       "the oracle needs all of topic %s, but partition %d begins at offset %lld "
                       "now; give it the archive: --log archive:DIR",
                       oracle->topic, partition, (long long)first);
    if (end == oracle->shards[partition].next)
        return 0;
    struct log_reader *reader;
    rc = log_reader_open(oracle->log, oracle->topic, &partition, 1, &reader, err);
    if (rc < 0)
        return rc;
    rc = read_shard(oracle, reader, partition, end, err);
    log_reader_close(reader);
    return rc;
}

int oracle_follow(struct oracle *oracle, struct err *err)
{
    int rc = 0;
    for (int p = 0; p < oracle->partitions && rc == 0; p++)
        rc = follow_shard(oracle, p, err);
    return rc == 0 && oracle->speed ? oracle_follow(oracle->speed, err) : rc;
}

int oracle_partitions(const struct oracle *oracle)
{
    return oracle->partitions;
}

int64_t oracle_end(const struct oracle *oracle, int partition)
{
    return oracle->shards[partition].next;
}

void oracle_plant(struct oracle *oracle, const char *bug)
{
    oracle->bug_late = bug && strcmp(bug, "late") == 0;
    oracle->bug_floor = bug && strcmp(bug, "floor") == 0;
    oracle->bug_avg = bug && strcmp(bug, "avg") == 0;
    oracle->bug_speed = bug && strcmp(bug, "speed") == 0;
    if (oracle->speed)
        oracle_plant(oracle->speed, bug);
}

void oracle_history(struct oracle *oracle, const int64_t *history)
{
    size_t bytes = (size_t)oracle->partitions * sizeof *history;
    free(oracle->history);
    oracle->history = history ? mem_alloc(bytes) : NULL;
    if (history)
        memcpy(oracle->history, history, bytes);
}

/* What is asked of one partition. */
struct pass {
    int64_t next;     /* counted, and T: offsets below it */
    int64_t boundary; /* the batch: offsets below it, no late rule */
    int64_t history;  /* no horizon either, for offsets below this and the boundary */
    int64_t speed_from,
        speed_to;     /* the speed layer: these offsets, the late rule and the horizon */
    bool bounded;     /* by event time: the batch's windows are those below bound_ms, the */
    int64_t bound_ms; /* speed layer's the others */
    bool above;       /* nothing of the batch: that is of another pass */
    int64_t due_ns;   /* events due later do not exist */
    int64_t from;     /* nor do those below this offset */
    int64_t floor_ms; /* windows that begin below this take nothing */
    struct map *rows; /* (window, key) -> a tally a value */
    bool *seen;       /* an id: was it? An event may be as old as NEVER is */
    int64_t *stamps;  /* an id that was seen -> T then */
    int64_t T_ms;
    struct counters counters; /* of the events below next */
};

/* Rows of windows that begin below T - keep are not served any more. */
static int64_t floor_at(const struct oracle *oracle, int64_t T_ms)
{
    int64_t floor;
    const struct rulebook *book = &oracle->book;
    bool none = book->keep_ms == UNLIMITED || book->size_ms == 0 || T_ms == NEVER;
    if (none || oracle->bug_floor || __builtin_sub_overflow(T_ms, book->keep_ms, &floor))
        return NO_FLOOR;
    return floor;
}

/* Does the window [start, start + size) still take events when time has come to T? */
static bool window_takes(const struct oracle *oracle, int64_t start, int64_t T_ms)
{
    const struct rulebook *book = &oracle->book;
    if (book->size_ms == 0)
        return true;
    if (start < floor_at(oracle, T_ms))
        return false;
    if (book->lateness_ms == UNLIMITED)
        return true;
    int64_t lateness_ms = oracle->bug_late ? 0 : book->lateness_ms;
    return (int128)start + book->size_ms + book->out_of_order_ms + lateness_ms > T_ms;
}

static void add_to_row(const struct oracle *oracle, struct pass *pass, int64_t start,
                       const struct happening *event, const int64_t *amounts)
{
    int64_t name[2] = {start, event->key};
    struct bytes bytes = {(const char *)name, sizeof name};
    struct tally *tallies = map_put(pass->rows, bytes, NULL);
    tally_add(&oracle->book, tallies, event, amounts);
}

/* The largest multiple of hop that is not above time. */
static int128 last_start(int64_t time_ms, int64_t hop_ms)
{
    int64_t rest = time_ms % hop_ms;
    return (int128)time_ms - (rest < 0 ? rest + hop_ms : rest);
}

enum layer { LAYER_BATCH, LAYER_SPEED };

static bool serves(const struct pass *pass, enum layer layer, int64_t start)
{
    return !pass->bounded || (start < pass->bound_ms) == (layer == LAYER_BATCH);
}

/* Add the event to each of its windows that the layer serves: of the batch to all of them, of the
 * speed layer to those that take it. add false: to none. How many would take it? */
static int add_to_windows(const struct oracle *oracle, struct pass *pass, enum layer layer,
                          bool add, const struct happening *event, const int64_t *amounts)
{
    const struct rulebook *book = &oracle->book;
    int taking = 0;
    int128 start = book->size_ms ? last_start(event->time_ms, book->hop_ms) : 0;
    do {
        if (start < INT64_MIN) /* no such window */
            break;
        bool takes = start >= pass->floor_ms && window_takes(oracle, (int64_t)start, pass->T_ms);
        taking += takes;
        if (add && (takes || layer == LAYER_BATCH) && serves(pass, layer, (int64_t)start))
            add_to_row(oracle, pass, (int64_t)start, event, amounts);
        start -= book->hop_ms;
    } while (book->size_ms && event->time_ms - start < book->size_ms);
    return taking;
}

/* A good event: is it repeated, is it late, and where does it go? */
static void fold_good(const struct oracle *oracle, struct pass *pass, const struct happening *event,
                      const int64_t *amounts)
{
    bool seen = false, repeated = false;
    if (oracle->book.dedupe_by >= 0) {
        int64_t *stamp = &pass->stamps[event->id];
        seen = pass->seen[event->id];
        pass->seen[event->id] = true;
        repeated = seen && (int128)*stamp + oracle->book.horizon_ms >= pass->T_ms;
        *stamp = pass->T_ms;
    }
    bool batch = event->offset < pass->boundary;
    bool speed = event->offset >= pass->speed_from && event->offset < pass->speed_to;
    if (batch && !pass->above && !(event->offset < pass->history ? seen : repeated))
        add_to_windows(oracle, pass, LAYER_BATCH, true, event, amounts);
    int taking = add_to_windows(oracle, pass, LAYER_SPEED, speed && !repeated, event, amounts);
    if (event->offset >= pass->next)
        return;
    if (repeated)
        pass->counters.duplicate++;
    else if (taking == 0)
        pass->counters.late++;
    else
        pass->counters.folded++;
}

static void run_pass(const struct oracle *oracle, const struct shard *shard, struct pass *pass)
{
    int64_t end = pass->next > pass->boundary ? pass->next : pass->boundary;
    pass->T_ms = NEVER;
    if (end <= 0)
        return; /* where one partition alone is asked for, the others cost nothing */
    pass->stamps = mem_zero(shard->ids.count + 1, sizeof *pass->stamps);
    pass->seen = mem_zero(shard->ids.count + 1, sizeof *pass->seen);
    for (size_t i = 0; i < shard->count && shard->events[i].offset < end; i++) {
        const struct happening *event = &shard->events[i];
        if (event->due_ns > pass->due_ns || event->offset < pass->from)
            continue;
        bool counted = event->offset < pass->next;
        pass->counters.read += counted;
        pass->counters.bad += counted && event->fate == FATE_BAD;
        pass->counters.filtered += counted && event->fate == FATE_FILTERED;
        if (event->fate != FATE_BAD && event->time_ms > pass->T_ms)
            pass->T_ms = event->time_ms;
        if (event->fate == FATE_GOOD)
            fold_good(oracle, pass, event, &shard->amounts[i * (size_t)oracle->book.value_count]);
    }
    free(pass->stamps);
    free(pass->seen);
}

/* The tallies that are not below the floor, as rows in order. */
static void finish_rows(const struct oracle *oracle, const struct map *rows, struct answer *out)
{
    int64_t floor = answer_floor(out);
    struct buf text = {0};
    for (size_t i = 0; i < rows->count; i++) {
        struct bytes bytes, key;
        struct tally *tallies = map_at(rows, i, &bytes);
        int64_t name[2];
        memcpy(name, bytes.ptr, sizeof name);
        if (name[0] < floor) {
            tally_release(&oracle->book, tallies);
            continue;
        }
        map_at(oracle->keys, (size_t)name[1], &key);
        buf_clear(&text);
        buf_add_text(&text, "");
        tally_finish(&oracle->book, tallies, oracle->values, oracle->bug_avg, &text);
        answer_add(out, name[0], key, buf_bytes(&text));
    }
    buf_release(&text);
    answer_sort(out);
}

/* T and counters of a version that begins behind the beginning: a pass of its own, whose rows nobody wants. */
static void begin_at(const struct oracle *oracle, int p, const struct answer_part *asked,
                     struct pass *whole)
{
    struct map rows;
    struct pass pass = {.next = asked->next,
                        .speed_to = INT64_MAX,
                        .due_ns = INT64_MAX,
                        .rows = &rows,
                        .from = asked->from,
                        .floor_ms = asked->from_floor_ms};
    int values = oracle->book.value_count;
    map_init(&rows, (size_t)(values ? values : 1) * sizeof(struct tally));
    run_pass(oracle, &oracle->shards[p], &pass);
    whole->T_ms = pass.T_ms;
    whole->counters = pass.counters;
    whole->counters.read += asked->from;
    whole->counters.skipped += asked->from;
    for (size_t i = 0; i < rows.count; i++)
        tally_release(&oracle->book, map_at(&rows, i, NULL));
    map_release(&rows);
}

/* The start of the first window that holds T at the boundary less the disorder. */
static int64_t bound_at(const struct oracle *oracle, const struct shard *shard, int64_t boundary)
{
    int64_t T_ms = NEVER;
    const struct rulebook *book = &oracle->book;
    for (size_t i = 0; i < shard->count && shard->events[i].offset < boundary; i++)
        if (shard->events[i].fate != FATE_BAD && shard->events[i].time_ms > T_ms)
            T_ms = shard->events[i].time_ms;
    if (T_ms == NEVER)
        return INT64_MIN;
    int128 from = (int128)T_ms - book->out_of_order_ms;
    int128 start = from < INT64_MIN ? INT64_MIN : last_start((int64_t)from, book->hop_ms);
    while (start - book->hop_ms + book->size_ms > from)
        start -= book->hop_ms;
    return start < INT64_MIN ? INT64_MIN : (int64_t)start;
}

/* What a mode makes of the positions that an answer claims; shard has T by the speed layer's rules. */
static struct pass pass_of(const struct oracle *oracle, enum handover handover,
                           const struct answer_part *part, const struct shard *shard)
{
    struct pass pass = {.next = part->next,
                        .boundary = part->boundary,
                        .speed_from = part->boundary,
                        .speed_to = INT64_MAX,
                        .floor_ms = INT64_MIN};
    if (handover == HANDOVER_OFFSET)
        return pass;
    pass.speed_from = part->spans_from;
    pass.speed_to = part->spans_to;
    pass.bounded = handover == HANDOVER_EVENT_TIME;
    if (pass.bounded)
        pass.bound_ms = bound_at(oracle, shard, part->boundary);
    return pass;
}

/* What the batch says, where the speed layer goes by rules of its own. */
static void run_batch_pass(const struct oracle *oracle, int p, const struct pass *asked)
{
    struct pass pass = *asked;
    pass.next = pass.speed_from = pass.speed_to = 0;
    pass.above = false;
    run_pass(oracle, &oracle->shards[p], &pass);
}

static void ask(struct oracle *oracle, enum handover handover, const struct answer_part *parts,
                int64_t due_ns, struct answer *out)
{
    const struct answer_part everything = {.boundary = INT64_MAX};
    struct map rows;
    int values = oracle->book.value_count;
    map_init(&rows, (size_t)(values ? values : 1) * sizeof(struct tally));
    answer_init(out, oracle->partitions);
    for (int p = 0; p < oracle->partitions; p++) {
        bool cheap = parts && parts[p].speed && oracle->speed && !oracle->bug_speed;
        const struct oracle *rules = cheap ? oracle->speed : oracle;
        struct pass pass =
            pass_of(oracle, handover, parts ? &parts[p] : &everything, &rules->shards[p]);
        pass.due_ns = due_ns;
        pass.rows = &rows;
        pass.history = parts && oracle->history ? oracle->history[p] : INT64_MAX;
        pass.above = cheap;
        if (cheap)
            run_batch_pass(oracle, p, &pass);
        run_pass(rules, &rules->shards[p], &pass);
        int64_t floor_ms = floor_at(rules, pass.T_ms);
        bool begun = parts && parts[p].begins;
        if (begun)
            begin_at(oracle, p, &parts[p], &pass);
        struct answer_part *part = &out->parts[p];
        if (parts)
            *part = parts[p];
        part->next = parts ? parts[p].next : oracle->shards[p].next;
        part->read = true;
        part->T_ms = pass.T_ms;
        part->floor_ms =
            begun && parts[p].from_floor_ms > floor_ms ? parts[p].from_floor_ms : floor_ms;
        part->counters = pass.counters;
        part->bound_ms = pass.bounded ? pass.bound_ms : INT64_MIN;
    }
    finish_rows(oracle, &rows, out);
    map_release(&rows);
}

int oracle_conformance(struct oracle *oracle, enum handover handover,
                       const struct answer_part *parts, struct answer *out, struct err *err)
{
    for (int p = 0; p < oracle->partitions; p++) {
        int64_t end = oracle->shards[p].next;
        int64_t asked = parts[p].next > parts[p].boundary ? parts[p].next : parts[p].boundary;
        if (asked > end)
            return err_set(err, ERR_GONE,
                           "partition %d of topic %s was read up to %lld, and the view claims "
                           "%lld: it was made of another log",
                           p, oracle->topic, (long long)end, (long long)asked);
    }
    ask(oracle, handover, parts, INT64_MAX, out);
    out->handover = handover;
    return 0;
}

int oracle_contract(struct oracle *oracle, const struct answer_part *parts, struct answer *out,
                    struct err *err)
{
    return oracle_conformance(oracle, HANDOVER_OFFSET, parts, out, err);
}

int oracle_truth(struct oracle *oracle, int64_t due_ns, struct answer *out, struct err *err)
{
    (void)err;
    ask(oracle, HANDOVER_OFFSET, NULL, due_ns, out);
    return 0;
}
