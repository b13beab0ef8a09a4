/* common/store/pos.c - pos as text and back; argument lists; key names. See pos.h. */
#include "common/store/pos.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"

/* ---- reading ---- */

enum pos_type { POS_TEXT, POS_NUMBER, POS_TIME, POS_FLAG, POS_MODE };

static const struct {
    const char *name;
    enum pos_type type;
    size_t at;
} FIELDS[] = {
    {"owner", POS_TEXT, offsetof(struct pos, owner)},
    {"plan", POS_TEXT, offsetof(struct pos, plan)},
    {"handover", POS_MODE, offsetof(struct pos, handover)},
    {"next", POS_NUMBER, offsetof(struct pos, next)},
    {"T", POS_TIME, offsetof(struct pos, T_ms)},
    {"mark", POS_NUMBER, offsetof(struct pos, mark)},
    {"from", POS_NUMBER, offsetof(struct pos, from)},
    {"floor", POS_TIME, offsetof(struct pos, floor_ms)},
    {"generation", POS_TEXT, offsetof(struct pos, generation)},
    {"boundary", POS_NUMBER, offsetof(struct pos, boundary)},
    {"boundary_T", POS_TIME, offsetof(struct pos, boundary_T_ms)},
    {"boundary_mark", POS_NUMBER, offsetof(struct pos, boundary_mark)},
    {"previous", POS_TEXT, offsetof(struct pos, previous)},
    {"previous_boundary", POS_NUMBER, offsetof(struct pos, previous_boundary)},
    {"previous_T", POS_TIME, offsetof(struct pos, previous_T_ms)},
    {"previous_mark", POS_NUMBER, offsetof(struct pos, previous_mark)},
    {"number", POS_NUMBER, offsetof(struct pos, number)},
    {"previous_number", POS_NUMBER, offsetof(struct pos, previous_number)},
    {"withdrawn", POS_NUMBER, offsetof(struct pos, withdrawn)},
    {"slot", POS_NUMBER, offsetof(struct pos, slot)},
    {"spans", POS_NUMBER, offsetof(struct pos, spans)},
    {"previous_spans", POS_NUMBER, offsetof(struct pos, previous_spans)},
    {"broken", POS_FLAG, offsetof(struct pos, broken)},
    {"retired", POS_FLAG, offsetof(struct pos, retired)},
};

static bool decode_mode(struct bytes text, enum handover *out)
{
    char name[16];
    snprintf(name, sizeof name, "%.*s", (int)text.len, text.ptr);
    int mode = handover_of(name);
    *out = mode < 0 ? HANDOVER_OFFSET : (enum handover)mode;
    return mode >= 0;
}

static bool decode_known(struct pos *pos, struct bytes name, struct bytes text, bool *known)
{
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        if (!bytes_equal(name, bytes_of(FIELDS[i].name)))
            continue;
        *known = true;
        char *at = (char *)pos + FIELDS[i].at;
        switch (FIELDS[i].type) {
        case POS_TEXT:
            if (text.len >= POS_ID_BYTES)
                return false;
            memcpy(at, text.ptr, text.len);
            at[text.len] = 0;
            return true;
        case POS_NUMBER:
            return bytes_to_int64(text, (int64_t *)(void *)at);
        case POS_TIME:
            *(int64_t *)(void *)at = INT64_MIN;
            return text.len == 0 || bytes_to_int64(text, (int64_t *)(void *)at);
        case POS_MODE:
            return decode_mode(text, (enum handover *)(void *)at);
        case POS_FLAG:
            *(bool *)at = text.len > 0;
            return true;
        }
    }
    *known = false;
    return true;
}

/* The next piece of text up to a comma; false at the end. */
static bool next_piece(struct bytes *rest, struct bytes *piece)
{
    if (rest->len == 0)
        return false;
    const char *comma = memchr(rest->ptr, ',', rest->len);
    *piece = (struct bytes){rest->ptr, comma ? (size_t)(comma - rest->ptr) : rest->len};
    size_t used = piece->len + (comma != NULL);
    *rest = (struct bytes){rest->ptr + used, rest->len - used};
    return true;
}

static bool decode_cuts(struct pos *pos, struct bytes text)
{
    int capacity = 1;
    for (size_t i = 0; i < text.len; i++)
        capacity += text.ptr[i] == ',';
    pos->cuts = mem_alloc((size_t)capacity * sizeof *pos->cuts);
    struct bytes piece;
    while (next_piece(&text, &piece))
        if (!bytes_to_int64(piece, &pos->cuts[pos->cut_count++]))
            return false;
    return true;
}

static bool decode_gens(struct bytes text, char (*gens)[POS_ID_BYTES], int *count)
{
    struct bytes piece;
    while (next_piece(&text, &piece)) {
        if (*count == POS_GENS_MAX || piece.len >= POS_ID_BYTES)
            return false;
        memcpy(gens[*count], piece.ptr, piece.len);
        gens[(*count)++][piece.len] = 0;
    }
    return true;
}

static bool decode_tail(struct pos *pos, struct bytes text)
{
    struct bytes offset, time, hash;
    int128 wide;
    if (text.len == 0)
        return true; /* nothing was folded */
    if (!next_piece(&text, &offset) || !next_piece(&text, &time) || !next_piece(&text, &hash) ||
        !bytes_to_int64(offset, &pos->tail_offset) || !bytes_to_int64(time, &pos->tail_time_ms) ||
        !bytes_to_int128(hash, &wide) || wide < 0 || wide > UINT64_MAX || text.len > 0)
        return false;
    pos->tail_hash = (uint64_t)wide;
    return true;
}

static bool decode_field(struct pos *pos, struct bytes name, struct bytes text)
{
    bool known;
    if (!decode_known(pos, name, text, &known))
        return false;
    if (known)
        return true;
    if (bytes_equal(name, bytes_of("cuts")))
        return decode_cuts(pos, text);
    if (bytes_equal(name, bytes_of("gens")))
        return decode_gens(text, pos->gens, &pos->gen_count);
    if (bytes_equal(name, bytes_of("swept")))
        return decode_gens(text, pos->swept, &pos->swept_count);
    if (bytes_equal(name, bytes_of("tail")))
        return decode_tail(pos, text);
    if (bytes_equal(name, bytes_of("counters")))
        return counters_decode(text, &pos->counters);
    return true; /* a later version's field */
}

int pos_decode(const struct kv_reply *reply, struct pos *out, struct err *err)
{
    *out = (struct pos){.T_ms = INT64_MIN,
                        .floor_ms = WINDOW_FLOOR_NONE,
                        .boundary_T_ms = INT64_MIN,
                        .previous_T_ms = INT64_MIN,
                        .tail_offset = -1};
    if (reply->type == KV_ERROR)
        return err_set(err, kv_is_error(reply, "WRONGTYPE") ? ERR_DATA : ERR_ENV, "pos: %.*s",
                       (int)reply->text.len, reply->text.ptr);
    if (reply->type != KV_ARRAY)
        return err_set(err, ERR_ENV, "pos: the server did not answer HGETALL with fields");
    out->here = reply->count > 0;
    for (int i = 0; i + 1 < reply->count; i += 2)
        if (!decode_field(out, reply->items[i].text, reply->items[i + 1].text)) {
            pos_release(out);
            return err_set(
                err, ERR_DATA,
                "pos: field %.*s holds \"%.*s\", which lk did not write: is something else"
                " using keys lk:*?",
                (int)reply->items[i].text.len, reply->items[i].text.ptr,
                (int)reply->items[i + 1].text.len, reply->items[i + 1].text.ptr);
        }
    return 0;
}

void pos_release(struct pos *pos)
{
    free(pos->cuts);
    *pos = (struct pos){0};
}

bool pos_has_cut(const struct pos *pos, int64_t cut)
{
    for (int i = 0; i < pos->cut_count; i++)
        if (pos->cuts[i] == cut)
            return true;
    return false;
}

bool pos_has_gen(const struct pos *pos, const char *id)
{
    for (int i = 0; i < pos->gen_count; i++)
        if (strcmp(pos->gens[i], id) == 0)
            return true;
    return false;
}

/* ---- argument lists ---- */

static void add_borrowed(struct kv_args *args, struct bytes text)
{
    if (args->count == args->capacity) {
        int capacity = args->capacity ? args->capacity * 2 : 16;
        struct bytes *grown = arena_alloc(args->arena, (size_t)capacity * sizeof *grown);
        if (args->count)
            memcpy(grown, args->args, (size_t)args->count * sizeof *grown);
        args->args = grown;
        args->capacity = capacity;
    }
    args->args[args->count++] = text;
}

void args_add(struct kv_args *args, struct bytes text)
{
    add_borrowed(args, arena_bytes(args->arena, text));
}

void args_text(struct kv_args *args, const char *text)
{
    args_add(args, bytes_of(text));
}

void args_pair(struct kv_args *args, const char *field, const char *value)
{
    args_text(args, field);
    args_text(args, value);
}

void args_int(struct kv_args *args, const char *field, int64_t value)
{
    char text[24] = "";
    if (value != INT64_MIN)
        snprintf(text, sizeof text, "%lld", (long long)value);
    args_pair(args, field, text);
}

void args_cuts(struct kv_args *args, const int64_t *cuts, int count)
{
    char *text = arena_alloc(args->arena, (size_t)count * 21 + 1);
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += (size_t)sprintf(text + len, "%s%lld", i ? "," : "", (long long)cuts[i]);
    args_text(args, "cuts");
    add_borrowed(args, (struct bytes){text, len});
}

void args_gens(struct kv_args *args, const char *field, const char (*gens)[POS_ID_BYTES], int count)
{
    char *text = arena_alloc(args->arena, (size_t)count * POS_ID_BYTES + 1);
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += (size_t)sprintf(text + len, "%s%s", i ? "," : "", gens[i]);
    args_text(args, field);
    add_borrowed(args, (struct bytes){text, len});
}

void args_handover(struct kv_args *args, enum handover handover)
{
    if (handover != HANDOVER_OFFSET)
        args_pair(args, "handover", handover_name(handover));
}

struct kv_args args_new(struct arena *arena, const char *word, ...)
{
    struct kv_args args = {.arena = arena};
    va_list list;
    va_start(list, word);
    for (const char *w = word; w; w = va_arg(list, const char *))
        args_text(&args, w);
    va_end(list);
    return args;
}

void args_queue(struct kv_args *args, struct kv *kv)
{
    kv_command(kv, args->args, args->count);
}

/* ---- key names ---- */

static char *name_in(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static char *name_in(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int need = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_alloc(arena, (size_t)need + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)need + 1, format, args);
    va_end(args);
    return text;
}

char *key_pos(struct arena *arena, const char *view, const char *version, int partition)
{
    return name_in(arena, "lk:{%s.%s:%d}:pos", view, version, partition);
}

char *key_part(struct arena *arena, const char *view, const char *version, int partition,
               const char *part)
{
    return name_in(arena, "lk:{%s.%s:%d}:%s", view, version, partition, part);
}

char *key_cells(struct arena *arena, const char *view, const char *version, int partition,
                const char *part, const char *field)
{
    return name_in(arena, "lk:{%s.%s:%d}:%s:%s", view, version, partition, part, field);
}
