/* workloads/oracle_event.c - from a record of the log to what the oracle keeps of it.
 *
 * Only what no position changes is decided here: is it well-formed, does `where` hold, has the
 * look-up a match, what are its key, id and amounts. Lateness and repetition come when asked. */
#include <stdlib.h>

#include "workloads/oracle_parts.h"

static uint32_t intern(struct map *map, struct bytes text)
{
    bool fresh;
    uint32_t *number = map_put(map, text, &fresh);
    if (fresh)
        *number = (uint32_t)map->count - 1;
    return *number;
}

/* Read the event's fields into row; false: the event is bad. */
static bool read_row(struct oracle *oracle, struct bytes value, int64_t log_ms, struct scalar *row)
{
    const struct rulebook *book = &oracle->book;
    if (!exact_parse(&oracle->event, value) || !json_is_object(oracle->event.root))
        return false;
    for (int i = 0; i < book->scanned; i++)
        if (!scalar_find(&book->facts[i], &oracle->event, &row[i]))
            return false;
    row_amend(book, row);
    return book->max_ahead_ms == UNLIMITED ||
           (int128)row[0].whole <= (int128)log_ms + book->max_ahead_ms;
}

static uint32_t key_number(struct oracle *oracle, const struct scalar *row)
{
    const struct rulebook *book = &oracle->book;
    buf_clear(&oracle->text);
    buf_add_char(&oracle->text, '[');
    for (int i = 0; i < book->keys; i++) {
        if (i > 0)
            buf_add_char(&oracle->text, ',');
        scalar_json(&book->facts[book->key[i]], &row[book->key[i]], &oracle->text);
    }
    buf_add_char(&oracle->text, ']');
    return intern(oracle->keys, buf_bytes(&oracle->text));
}

static uint32_t id_number(struct oracle *oracle, struct shard *shard, const struct scalar *row)
{
    int by = oracle->book.dedupe_by;
    if (by < 0)
        return 0;
    buf_clear(&oracle->text);
    scalar_json(&oracle->book.facts[by], &row[by], &oracle->text);
    return intern(&shard->ids, buf_bytes(&oracle->text));
}

/* The number of a value by what a sketch hashes of it: its text, or eight bytes, the least first. */
static uint32_t value_number(struct oracle *oracle, const struct fact *fact,
                             const struct scalar *scalar)
{
    char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)((uint64_t)scalar->whole >> (8 * i) & 0xff);
    return intern(oracle->values,
                  fact->kind == KIND_STRING ? scalar->text : (struct bytes){bytes, sizeof bytes});
}

/* Which values take the event, and how much of it. */
static uint32_t read_amounts(struct oracle *oracle, const struct scalar *row, int64_t *amounts)
{
    const struct rulebook *book = &oracle->book;
    uint32_t adds = 0;
    for (int v = 0; v < book->value_count; v++) {
        int fact = book->values[v].fact;
        amounts[v] = fact < 0; /* a count is a sum of ones */
        if (book->values[v].left_out || !where_holds(book, book->values[v].where, row) ||
            (fact >= 0 && !row[fact].present))
            continue;
        adds |= UINT32_C(1) << v;
        if (book->values[v].kind == VALUE_DISTINCT)
            amounts[v] = value_number(oracle, &book->facts[fact], &row[fact]);
        else if (fact >= 0 && book->facts[fact].kind == KIND_DOUBLE)
            memcpy(&amounts[v], &row[fact].real, sizeof row[fact].real);
        else if (fact >= 0)
            amounts[v] = row[fact].whole;
    }
    return adds;
}

static void make_room(struct shard *shard, int value_count)
{
    if (shard->count < shard->capacity)
        return;
    shard->capacity = shard->capacity ? shard->capacity * 2 : 1024;
    shard->events = mem_grow(shard->events, shard->capacity * sizeof *shard->events);
    shard->amounts = mem_grow(shard->amounts,
                              shard->capacity * (size_t)(value_count + 1) * sizeof *shard->amounts);
}

void event_keep(struct oracle *oracle, struct shard *shard, const struct log_batch *batch, int i)
{
    const struct rulebook *book = &oracle->book;
    struct scalar row[FACTS_MAX];
    row[0] = (struct scalar){0};
    make_room(shard, book->value_count);
    struct happening *event = &shard->events[shard->count];
    int64_t *amounts = &shard->amounts[shard->count * (size_t)book->value_count];
    shard->count++;
    *event = (struct happening){
        .offset = batch->offset[i], .due_ns = batch->due_ns[i], .fate = FATE_BAD};
    if (!read_row(oracle, batch->value[i], batch->time_ms[i], row))
        return;
    event->time_ms = row[0].whole;
    event->fate = FATE_FILTERED;
    if (!where_holds(book, book->where, row) || !table_join(book, row))
        return;
    event->fate = FATE_GOOD;
    event->key = key_number(oracle, row);
    event->id = id_number(oracle, shard, row);
    event->adds = read_amounts(oracle, row, amounts);
}
