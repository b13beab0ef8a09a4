/* common/log/columnar_file.c - the bytes of a columnar file.
 *
 *     byte  0  char8    "LKCOLS\0\1": the last byte is the format's number
 *           8  u64 x 2  xxh128 of all that follows, high then low
 *          24  u64 x 2  xxh128 of the segment's file, as the manifest has it
 *          40  u64      hash of the fields that were scanned for
 *          48  i64 x 2  positions that the segment covers: from, next
 *          64  i64      events
 *          72  i64      bytes of what the zstd frame holds
 *          80  i64      bad events
 *          88  i64      columns
 *          96           zstd frame, level 1, of:
 *           numbers x events        offset - from - index
 *           i64                     log time of the first event
 *           numbers x (events - 1)  log time - the one before
 *           numbers x bad           index of each bad event, rising
 *           numbers x bad           why it is bad (enum bad_reason of common/event/columns.h)
 *           numbers x bad           the field that is to blame
 *           columns, one behind the other, each beginning with a u8:
 *             1 numbers  presence, numbers x events
 *             2 deltas   presence, i64 first, numbers x (events - 1): value - the one before
 *             3 strings  u32 entries, numbers x entries: lengths, the entries' bytes,
 *                        numbers x events: code: index of an entry; entries: absent
 *                        (entries in order of bytes, where they are no more than 4,096: neighbours
 *                        then often have the same dictionary, and whoever has looked at one knows
 *                        the other; else in order of appearance)
 *           presence: u8 0: all events have one; 1: then follow (events + 7) / 8 bytes, a bit an
 *                     event, the first one lowest
 *
 * numbers is a packed column (numbers.h). All is little-endian. Numbers: int, decimal (scaled), time
 * in ms, bool as int64; double as its bits. Of the two ways to write numbers the narrower is taken.
 * What a bad event has in a column is undefined. */
#include "common/log/columnar_files.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include "common/base/fault.h"
#include "common/log/numbers.h"

enum { LEVEL = 1, SORTED_MAX = 4096, NUMBERS = 1, DELTAS = 2, STRINGS = 3 };
static const int64_t BODY_BYTES_MAX = (int64_t)1 << 31; /* a guard for bad headers */
static const char MAGIC[8] = "LKCOLS\0\1";

struct header {
    char magic[8];
    uint64_t checksum[2];
    uint64_t segment[2]; /* xxh128 of the segment's file, as its manifest has it */
    uint64_t fields;     /* hash of what was scanned for */
    int64_t from, next;  /* positions of the segment */
    int64_t events, body_bytes, bad, columns;
};
_Static_assert(sizeof(struct header) == 96, "the header has no holes");

/* ---- making ---- */

/* Each number but the first less the one before; scratch has room for them. */
static void make_deltas(const int64_t *numbers, int count, int64_t *scratch)
{
    for (int i = 1; i < count; i++)
        scratch[i - 1] = (int64_t)((uint64_t)numbers[i] - (uint64_t)numbers[i - 1]);
}

static void add_presence(const struct columnar_growing *column, struct buf *body)
{
    buf_add_char(body, column->absent ? 1 : 0);
    if (!column->absent)
        return;
    size_t bytes = ((size_t)column->count + 7) / 8;
    buf_reserve(body, bytes);
    uint8_t *bits = (uint8_t *)body->ptr + body->len;
    memset(bits, 0, bytes);
    for (int i = 0; i < column->count; i++)
        bits[i / 8] = (uint8_t)(bits[i / 8] | column->present[i] << i % 8);
    body->len += bytes;
}

static uint64_t range_of(const int64_t *numbers, int count)
{
    int64_t least = count ? numbers[0] : 0, most = least;
    for (int i = 1; i < count; i++) {
        least = numbers[i] < least ? numbers[i] : least;
        most = numbers[i] > most ? numbers[i] : most;
    }
    return (uint64_t)most - (uint64_t)least;
}

static void add_numbers(const struct columnar_growing *column, int64_t *scratch, struct buf *body)
{
    make_deltas(column->numbers, column->count, scratch);
    bool deltas =
        range_of(scratch, column->count - 1) < range_of(column->numbers, column->count) / 256;
    buf_add_char(body, deltas ? DELTAS : NUMBERS);
    add_presence(column, body);
    if (deltas)
        buf_add(body, column->numbers, sizeof *column->numbers);
    numbers_pack(deltas ? scratch : column->numbers, column->count - deltas, body);
}

/* An entry of a dictionary, and its code by order of appearance. */
struct entry {
    struct bytes text;
    int64_t code;
};

static int by_bytes(const void *a, const void *b)
{
    return bytes_compare(((const struct entry *)a)->text, ((const struct entry *)b)->text);
}

/* The dictionary in the order of the file. Owned. */
static struct entry *list_entries(const struct map *dictionary)
{
    struct entry *entries = mem_alloc(dictionary->count * sizeof *entries + 1);
    for (size_t i = 0; i < dictionary->count; i++) {
        entries[i].code = (int64_t)i;
        map_at(dictionary, i, &entries[i].text);
    }
    if (dictionary->count <= SORTED_MAX)
        qsort(entries, dictionary->count, sizeof *entries, by_bytes);
    return entries;
}

/* Codes by order of appearance become those of the file; -1, absent, becomes count. */
static void add_codes(const struct columnar_growing *column, const struct entry *entries,
                      int64_t count, int64_t *scratch, struct buf *body)
{
    int64_t *code = mem_alloc((size_t)(count + 1) * sizeof *code);
    code[0] = count;
    for (int64_t i = 0; i < count; i++)
        code[1 + entries[i].code] = i;
    for (int i = 0; i < column->count; i++)
        scratch[i] = code[1 + column->numbers[i]];
    numbers_pack(scratch, column->count, body);
    free(code);
}

static void add_strings(const struct columnar_growing *column, int64_t *scratch, struct buf *body)
{
    uint32_t count = (uint32_t)column->dictionary.count;
    struct entry *entries = list_entries(&column->dictionary);
    buf_add_char(body, STRINGS);
    buf_add(body, &count, sizeof count);
    for (uint32_t i = 0; i < count; i++)
        scratch[i] = (int64_t)entries[i].text.len;
    numbers_pack(scratch, (int)count, body);
    for (uint32_t i = 0; i < count; i++)
        buf_add(body, entries[i].text.ptr, entries[i].text.len);
    add_codes(column, entries, count, scratch, body);
    free(entries);
}

static void add_places(const struct archive_segment *segment, int64_t *scratch, struct buf *body)
{
    int n = segment->count;
    for (int i = 0; i < n; i++)
        scratch[i] = segment->offset[i] - segment->entry.from - i;
    numbers_pack(scratch, n, body);
    buf_add(body, segment->time_ms, sizeof *segment->time_ms);
    make_deltas(segment->time_ms, n, scratch);
    numbers_pack(scratch, n - 1, body);
}

static void add_bad(const struct columnar_builder *builder, int64_t *scratch, struct buf *body)
{
    int n = builder->bad_count;
    for (int i = 0; i < n; i++)
        scratch[i] = builder->bad[i].row;
    numbers_pack(scratch, n, body);
    for (int i = 0; i < n; i++)
        scratch[i] = builder->bad[i].reason;
    numbers_pack(scratch, n, body);
    for (int i = 0; i < n; i++)
        scratch[i] = builder->bad[i].field;
    numbers_pack(scratch, n, body);
}

static void make_body(struct columnar_builder *builder, const struct archive_segment *segment)
{
    int64_t *scratch = mem_alloc(SEGMENT_RECORDS_MAX * sizeof *scratch);
    buf_clear(&builder->body);
    add_places(segment, scratch, &builder->body);
    add_bad(builder, scratch, &builder->body);
    for (int c = 0; c < builder->fields->count; c++) {
        struct columnar_growing *column = &builder->column[c];
        if (column->kind == COLUMNAR_STRINGS)
            add_strings(column, scratch, &builder->body);
        else
            add_numbers(column, scratch, &builder->body);
    }
    free(scratch);
}

int columnar_encode(struct columnar_builder *builder, const struct archive_segment *segment,
                    struct err *err)
{
    struct buf *file = &builder->file;
    make_body(builder, segment);
    struct header header = {.segment = {segment->entry.hash[0], segment->entry.hash[1]},
                            .fields = builder->fields->hash,
                            .from = segment->entry.from,
                            .next = segment->entry.next,
                            .events = segment->count,
                            .body_bytes = (int64_t)builder->body.len,
                            .bad = builder->bad_count,
                            .columns = builder->fields->count};
    memcpy(header.magic, MAGIC, sizeof MAGIC);
    size_t room = ZSTD_compressBound(builder->body.len);
    buf_clear(file);
    buf_add(file, &header, sizeof header);
    buf_reserve(file, room);
    size_t got =
        ZSTD_compress(file->ptr + file->len, room, builder->body.ptr, builder->body.len, LEVEL);
    if (ZSTD_isError(got))
        return err_set(err, ERR_ENV, "zstd cannot compress: %s", ZSTD_getErrorName(got));
    file->len += got;
    const size_t head = sizeof header.magic + sizeof header.checksum;
    XXH128_hash_t hash = XXH3_128bits(file->ptr + head, file->len - head);
    header.checksum[0] = hash.high64;
    header.checksum[1] = hash.low64;
    memcpy(file->ptr, &header, sizeof header);
    return 0;
}

/* ---- reading ---- */

/* What is still to be read of a body. */
struct reading {
    const char *at, *end;
    int events;
};

static bool take(struct reading *reading, void *out, size_t bytes)
{
    if (bytes > (size_t)(reading->end - reading->at))
        return false;
    memcpy(out, reading->at, bytes);
    reading->at += bytes;
    return true;
}

static bool take_numbers(struct reading *reading, int count, int64_t *out)
{
    struct numbers packed;
    if (!numbers_look(&reading->at, reading->end, count, &packed))
        return false;
    numbers_unpack(&packed, count, out);
    return true;
}

static bool take_deltas(struct reading *reading, int64_t *out)
{
    if (!take(reading, out, sizeof *out) || !take_numbers(reading, reading->events - 1, out + 1))
        return false;
    uint64_t sum = (uint64_t)out[0];
    for (int i = 1; i < reading->events; i++)
        out[i] = (int64_t)(sum += (uint64_t)out[i]);
    return true;
}

/* Room for a column of the largest file, made once: what is not touched costs nothing. */
static void *room_for(void *array, size_t bytes)
{
    return array ? array : mem_alloc((SEGMENT_RECORDS_MAX + 1) * bytes);
}

/* Offsets without gaps are not unpacked, nor are log times that nobody may ask for. */
static bool take_places(struct reading *reading, struct columnar *out)
{
    struct numbers offsets, times;
    int n = reading->events;
    if (!numbers_look(&reading->at, reading->end, n, &offsets))
        return false;
    out->gaps = offsets.width > 0 || offsets.least != 0;
    if (out->gaps) {
        out->offset = room_for(out->offset, sizeof *out->offset);
        numbers_unpack(&offsets, n, out->offset);
        for (int i = 0; i < n; i++)
            out->offset[i] += out->from + i;
    }
    out->times = reading->at;
    int64_t first;
    return take(reading, &first, sizeof first) &&
           numbers_look(&reading->at, reading->end, n - 1, &times);
}

const int64_t *columnar_times(struct columnar *columnar)
{
    if (columnar->times) {
        struct reading reading = {columnar->times, columnar->body.ptr + columnar->body.len,
                                  columnar->events};
        columnar->time_ms = room_for(columnar->time_ms, sizeof *columnar->time_ms);
        take_deltas(&reading, columnar->time_ms);
        columnar->times = NULL;
    }
    return columnar->time_ms;
}

static bool take_bad(struct reading *reading, struct columnar *out)
{
    int n = out->bad_count;
    int64_t *list = mem_alloc(3 * (size_t)n * sizeof *list + 1);
    bool good = take_numbers(reading, n, list) && take_numbers(reading, n, list + n) &&
                take_numbers(reading, n, list + 2 * (ptrdiff_t)n);
    out->bad = mem_grow(out->bad, (size_t)n * sizeof *out->bad + 1);
    for (int i = 0; i < n && good; i++) {
        out->bad[i] =
            (struct columnar_bad){list[i], (uint8_t)list[n + i], (uint8_t)list[2 * n + i]};
        good = list[i] >= (i ? list[i - 1] + 1 : 0) && list[i] < reading->events;
    }
    free(list);
    return good;
}

static bool take_number_column(struct reading *reading, bool deltas, struct columnar_column *out)
{
    uint8_t absent;
    size_t bits = ((size_t)reading->events + 7) / 8;
    out->present = NULL;
    if (!take(reading, &absent, 1) || (absent && bits > (size_t)(reading->end - reading->at)))
        return false;
    if (absent) {
        out->present = (const uint8_t *)reading->at;
        reading->at += bits;
    }
    out->numbers = room_for(out->numbers, sizeof *out->numbers);
    bool good = deltas ? take_deltas(reading, out->numbers)
                       : take_numbers(reading, reading->events, out->numbers);
    if (bug_planted("column-shifted") && reading->events > 1)
        memmove(out->numbers, out->numbers + 1,
                ((size_t)reading->events - 1) * sizeof *out->numbers);
    return good;
}

static bool take_entries(struct reading *reading, struct columnar_column *out)
{
    int n = (int)out->entry_count;
    struct numbers packed;
    const char *begin = reading->at;
    if (!numbers_look(&reading->at, reading->end, n, &packed))
        return false;
    int64_t *lengths = mem_alloc((size_t)n * sizeof *lengths + 1);
    bool good = true;
    numbers_unpack(&packed, n, lengths);
    out->entries = room_for(out->entries, sizeof *out->entries);
    for (int i = 0; i < n && good; i++) {
        good = (uint64_t)lengths[i] <= (uint64_t)(reading->end - reading->at);
        out->entries[i] = (struct bytes){reading->at, good ? (size_t)lengths[i] : 0};
        reading->at += out->entries[i].len;
    }
    if (bug_planted("code-swapped") && n > 1)
        out->entries[1] = out->entries[0];
    free(lengths);
    XXH128_hash_t hash = XXH3_128bits(begin, (size_t)(reading->at - begin));
    out->dictionary[0] = hash.high64;
    out->dictionary[1] = hash.low64;
    return good;
}

static bool take_string_column(struct reading *reading, struct columnar_column *out)
{
    struct numbers packed;
    if (!take(reading, &out->entry_count, sizeof out->entry_count) ||
        out->entry_count > SEGMENT_RECORDS_MAX || !take_entries(reading, out) ||
        !numbers_look(&reading->at, reading->end, reading->events, &packed))
        return false;
    out->codes = room_for(out->codes, sizeof *out->codes);
    return numbers_unpack_codes(&packed, reading->events, out->entry_count, out->codes);
}

static bool take_column(struct reading *reading, struct columnar_column *out)
{
    uint8_t kind;
    if (!take(reading, &kind, 1))
        return false;
    out->kind = kind == STRINGS ? COLUMNAR_STRINGS : COLUMNAR_NUMBERS;
    if (kind == STRINGS)
        return take_string_column(reading, out);
    return (kind == NUMBERS || kind == DELTAS) && take_number_column(reading, kind == DELTAS, out);
}

static bool take_body(struct columnar *out)
{
    struct reading reading = {out->body.ptr, out->body.ptr + out->body.len, out->events};
    bool good = take_places(&reading, out) && take_bad(&reading, out);
    for (int c = 0; c < out->column_count && good; c++)
        good = take_column(&reading, &out->column[c]);
    return good && reading.at == reading.end;
}

static bool is_whole(const struct buf *file, const struct header *header)
{
    const size_t head = sizeof header->magic + sizeof header->checksum;
    XXH128_hash_t hash = XXH3_128bits(file->ptr + head, file->len - head);
    return hash.high64 == header->checksum[0] && hash.low64 == header->checksum[1] &&
           header->events > 0 && header->events <= SEGMENT_RECORDS_MAX && header->columns >= 0 &&
           header->columns <= COLUMNAR_COLUMNS_MAX && header->bad >= 0 &&
           header->bad <= header->events && header->body_bytes > 0 &&
           header->body_bytes < BODY_BYTES_MAX;
}

static bool inflate(struct columnar *out, const struct header *header)
{
    buf_clear(&out->body);
    buf_reserve(&out->body, (size_t)header->body_bytes);
    out->body.len = (size_t)header->body_bytes;
    return ZSTD_decompress(out->body.ptr, out->body.len, out->file.ptr + sizeof *header,
                           out->file.len - sizeof *header) == out->body.len;
}

/* Was it made from this segment, for these fields? */
static bool is_of(const struct header *header, const struct archive_entry *entry,
                  const struct columnar_fields *fields)
{
    bool same = !entry || (header->segment[0] == entry->hash[0] &&
                           header->segment[1] == entry->hash[1] && header->from == entry->from &&
                           header->next == entry->next && header->events == entry->events);
    return same &&
           (!fields || (header->fields == fields->hash && header->columns == fields->count));
}

static bool kinds_match(const struct columnar *columnar, const struct columnar_fields *fields)
{
    for (int c = 0; fields && c < fields->count; c++)
        if (columnar->column[c].kind != fields->kind[c])
            return false;
    return true;
}

int columnar_decode(struct columnar *out, const char *path, const struct archive_entry *entry,
                    const struct columnar_fields *fields, struct err *err)
{
    struct header header;
    const struct buf *file = &out->file;
    bool ours = file->len > sizeof header && memcmp(file->ptr, MAGIC, sizeof MAGIC - 1) == 0;
    if (ours && file->ptr[sizeof MAGIC - 1] != MAGIC[sizeof MAGIC - 1])
        return err_set(err, ERR_DATA, "%s was written by another release of lk", path);
    if (ours)
        memcpy(&header, file->ptr, sizeof header);
    if (!ours || !is_whole(file, &header))
        return err_set(err, ERR_DATA, "%s is damaged", path);
    if (!is_of(&header, entry, fields))
        return err_set(err, ERR_DATA, "%s was made from another segment than the one beside it",
                       path);
    out->from = header.from;
    out->next = header.next;
    out->events = (int)header.events;
    out->bad_count = (int)header.bad;
    out->column_count = (int)header.columns;
    out->file_bytes = (int64_t)file->len;
    if (!inflate(out, &header) || !take_body(out) || !kinds_match(out, fields))
        return err_set(err, ERR_DATA, "%s is damaged", path);
    return 0;
}

void columnar_release(struct columnar *columnar)
{
    for (int c = 0; c < COLUMNAR_COLUMNS_MAX; c++) {
        free(columnar->column[c].numbers);
        free(columnar->column[c].codes);
        free(columnar->column[c].entries);
    }
    free(columnar->offset);
    free(columnar->time_ms);
    free(columnar->bad);
    buf_release(&columnar->file);
    buf_release(&columnar->body);
    *columnar = (struct columnar){0};
}
