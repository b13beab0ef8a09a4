/* kappa/diff_sides.c - see diff_sides.h. */
#include "kappa/diff_sides.h"

#include <stdlib.h>

#include "common/op/window.h"
#include "common/store/pos.h"

static int64_t smallest_T(const struct answer *answer)
{
    int64_t T_ms = INT64_MAX;
    for (int p = 0; p < answer->partitions; p++)
        if (answer->parts[p].next > 0 && answer->parts[p].T_ms < T_ms)
            T_ms = answer->parts[p].T_ms; /* a partition without events makes nothing wait */
    return T_ms;
}

/* ---- which windows there are ---- */

struct list {
    int64_t *windows;
    size_t count, capacity;
};

static void add(struct list *list, int64_t window_ms)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 64;
        list->windows = mem_grow(list->windows, list->capacity * sizeof *list->windows);
    }
    list->windows[list->count++] = window_ms;
}

/* The windows that an index entry may belong to. */
static void add_entry(struct list *list, const struct plan *plan, struct bytes name)
{
    struct cell_field field;
    int64_t first, last, step = plan->hop_ms ? plan->hop_ms : 1;
    if (!window_decode(plan, name, &field)) /* "bad" */
        return;
    window_range(plan, field, &first, &last);
    bool more = true; /* a window's end may lie beyond what an int64 holds */
    for (int64_t window = first; more && window <= last;
         more = !__builtin_add_overflow(window, step, &window))
        add(list, window);
}

static int add_side(struct list *list, struct kv *kv, const struct plan *plan, int number,
                    int partitions, struct err *err)
{
    struct arena arena = {0};
    struct kv_reply *replies;
    char version[16];
    registry_version_name(ARCH_KAPPA, number, version);
    for (int p = 0; p < partitions; p++)
        kv_words(kv, "SMEMBERS", key_part(&arena, plan->view, version, p, "k"), NULL);
    int rc = kv_roundtrip(kv, &replies, err);
    arena_release(&arena);
    for (int p = 0; p < partitions && rc >= 0; p++) {
        if (replies[p].type == KV_ERROR)
            return kv_error(&replies[p], "", err);
        for (int i = 0; i < replies[p].count; i++)
            add_entry(list, plan, replies[p].items[i].text);
    }
    return rc < 0 ? rc : 0;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int list_windows(struct sides *sides, struct kv *kv, struct err *err)
{
    struct list list = {0};
    int rc = 0;
    for (int side = 0; rc == 0 && side < 2; side++)
        rc = add_side(&list, kv, sides->plans[side], sides->numbers[side],
                      sides->stand[side].partitions, err);
    if (list.count)
        qsort(list.windows, list.count, sizeof *list.windows, by_number);
    for (size_t i = 0; i < list.count; i++)
        if (i == 0 || list.windows[i] != list.windows[sides->count - 1])
            list.windows[sides->count++] = list.windows[i];
    sides->windows = list.windows;
    return rc;
}

/* ---- the two sides ---- */

int sides_open(struct sides *sides, struct kv *kv, struct err *err)
{
    sides->reader = view_reader_new(kv, sides->plans[0]->view, ARCH_KAPPA);
    int rc = 0;
    for (int side = 0; rc == 0 && side < 2; side++) {
        struct view_query query = {
            .version = sides->numbers[side], .positions_only = true, .exact = true};
        rc = view_reader_read(sides->reader, &query, &sides->stand[side], err);
        sides->T_ms[side] = rc < 0 ? 0 : smallest_T(&sides->stand[side]);
    }
    return rc < 0 ? rc : list_windows(sides, kv, err);
}

static bool is_final(const struct sides *sides, int64_t window_ms, const struct answer rows[2])
{
    for (int side = 0; side < 2; side++)
        if (window_ms < answer_floor(&rows[side]) ||
            !window_final(sides->plans[side], window_ms, sides->T_ms[side]))
            return false;
    return true;
}

/* A plan without windows has its rows in window 0. */
static int read_side(const struct sides *sides, int side, int64_t window_ms, struct answer *rows,
                     struct err *err)
{
    bool windowed = sides->plans[side]->window != WINDOW_NONE;
    struct view_query query = {.version = sides->numbers[side],
                               .has_window = windowed,
                               .window_ms = window_ms,
                               .exact = true};
    if (windowed || window_ms == 0)
        return view_reader_read(sides->reader, &query, rows, err);
    answer_init(rows, sides->stand[side].partitions);
    return 0;
}

int sides_read(const struct sides *sides, size_t i, struct answer rows[2], struct err *err)
{
    int rc = 0;
    for (int side = 0; rc == 0 && side < 2; side++)
        rc = read_side(sides, side, sides->windows[i], &rows[side], err);
    if (rc < 0)
        return rc;
    return is_final(sides, sides->windows[i], rows);
}

void sides_close(struct sides *sides)
{
    answer_release(&sides->stand[0]);
    answer_release(&sides->stand[1]);
    view_reader_free(sides->reader);
    free(sides->windows);
}
