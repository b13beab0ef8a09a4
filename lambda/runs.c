/* lambda/runs.c - see runs.h.
 *
 * A row of a run, in this machine's byte order (a run never leaves the process that wrote it):
 *   int64 pane_ms, int64 first_ms, uint32 key bytes, uint32 0, slots * int128, key (JSON)
 * A source of a merge is a run, read in blocks, or the sorted cells in memory, or an input's rows.
 * A row of the input that no other is merged with goes through as the text that it is. */
#include "lambda/runs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/op/aggregate.h"

enum { BLOCK_BYTES = 64 * 1024, LEVELS_MAX = 16, SOURCES_MAX = RUNS_WAYS * LEVELS_MAX + 2 };

struct run {
    int64_t begin, end; /* in the file */
    int level;
};

struct runs {
    const struct plan *plan;
    char *path;
    int fd; /* -1: no spill yet */
    int64_t size;
    struct run run[RUNS_WAYS * LEVELS_MAX];
    int count, spills;
    struct buf out; /* rows on their way to the file */
};

struct row_head {
    struct cell_field field;
    uint32_t key_bytes, zero;
};

/* A cell of the memory's source, with its key as it stands in key_text. */
struct sorted {
    struct cell_field field;
    struct bytes key;
    const int128 *slots;
};

struct source {
    int64_t at, end; /* a run: what is still to be read from the file */
    struct buf block;
    size_t used;                      /* bytes of block that are consumed */
    const struct sorted *next, *last; /* memory: rows to come */
    const struct runs_input *input;   /* NULL: a run, or memory */
    struct runs_row row;              /* the current one */
    int128 *slots;                    /* a run's row, aligned */
};

struct runs *runs_new(const struct plan *plan, const char *path)
{
    struct runs *runs = mem_zero(1, sizeof *runs);
    runs->plan = plan;
    runs->path = mem_copy_string(path);
    runs->fd = -1;
    return runs;
}

void runs_free(struct runs *runs)
{
    if (!runs)
        return;
    if (runs->fd >= 0) {
        close(runs->fd);
        unlink(runs->path);
    }
    buf_release(&runs->out);
    free(runs->path);
    free(runs);
}

int runs_count(const struct runs *runs)
{
    return runs->spills;
}

static int order(struct cell_field a, struct bytes a_key, struct cell_field b, struct bytes b_key)
{
    if (a.pane_ms != b.pane_ms)
        return a.pane_ms < b.pane_ms ? -1 : 1;
    if (a.first_ms != b.first_ms)
        return a.first_ms < b.first_ms ? -1 : 1;
    return bytes_compare(a_key, b_key);
}

static int order_sorted(const void *left, const void *right)
{
    const struct sorted *a = left, *b = right;
    return order(a->field, a->key, b->field, b->key);
}

/* The cells as sorted rows; *key_text holds their keys. Both are the caller's. */
static struct sorted *sort_cells(const struct cells *cells, struct buf *key_text)
{
    struct sorted *rows = mem_zero(cells->count + 1, sizeof *rows);
    size_t walk = 0, n = 0, begin = 0;
    for (const struct cell *cell; (cell = cells_next(cells, &walk)); n++) {
        begin = key_text->len;
        cells_key_json(cells->plan, cell->key, key_text);
        rows[n] = (struct sorted){cell->field, {NULL, key_text->len - begin}, cell->slots};
    }
    assert(n == cells->count);
    begin = 0;
    for (size_t i = 0; i < n; i++) { /* only now, as the text no longer moves */
        rows[i].key.ptr = key_text->ptr + begin;
        begin += rows[i].key.len;
    }
    qsort(rows, n, sizeof *rows, order_sorted);
    return rows;
}

/* ---- writing a run ---- */

static int file_open(struct runs *runs, struct err *err)
{
    if (runs->fd >= 0)
        return 0;
    runs->fd = open(runs->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    return runs->fd < 0 ? err_errno(err, ERR_ENV, "cannot make the temporary file %s", runs->path)
                        : 0;
}

static int out_flush(struct runs *runs, struct err *err)
{
    size_t done = 0;
    while (done < runs->out.len) {
        ssize_t n = pwrite(runs->fd, runs->out.ptr + done, runs->out.len - done, runs->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(err, ERR_ENV, "cannot write the temporary file %s", runs->path);
        done += (size_t)n;
        runs->size += n;
    }
    buf_clear(&runs->out);
    return 0;
}

static int out_row(const struct runs_row *row, void *context, struct err *err)
{
    struct runs *runs = context;
    struct row_head head = {row->field, (uint32_t)row->key.len, 0};
    buf_add(&runs->out, &head, sizeof head);
    buf_add(&runs->out, row->slots, (size_t)runs->plan->slots * sizeof *row->slots);
    buf_add(&runs->out, row->key.ptr, row->key.len);
    return runs->out.len >= BLOCK_BYTES ? out_flush(runs, err) : 0;
}

/* ---- reading sources ---- */

/* Have at least bytes of the run ahead in the block. */
static int block_fill(const struct runs *runs, struct source *source, size_t bytes, struct err *err)
{
    struct buf *block = &source->block;
    if (block->len - source->used >= bytes)
        return 0;
    if (source->used) {
        memmove(block->ptr, block->ptr + source->used, block->len - source->used);
        block->len -= source->used;
        source->used = 0;
    }
    size_t want = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    buf_reserve(block, want);
    while (block->len < want && source->at < source->end) {
        int64_t left = source->end - source->at, room = (int64_t)(want - block->len);
        ssize_t n = pread(runs->fd, block->ptr + block->len, (size_t)(left < room ? left : room),
                          source->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_errno(err, ERR_ENV, "cannot read the temporary file %s", runs->path);
        block->len += (size_t)n;
        source->at += n;
    }
    return block->len >= bytes
               ? 0
               : err_set(err, ERR_DATA, "the temporary file %s ends inside a row", runs->path);
}

/* Step to the next row: 1, 0 at the end, or a code. */
static int source_next(const struct runs *runs, struct source *source, struct err *err)
{
    if (source->input)
        return source->input->next(source->input->context, &source->row, err);
    if (source->next) {
        if (source->next == source->last)
            return 0;
        source->row =
            (struct runs_row){source->next->field, source->next->key, source->next->slots, {0}};
        source->next++;
        return 1;
    }
    if (source->at == source->end && source->used == source->block.len)
        return 0;
    struct row_head head;
    size_t slot_bytes = (size_t)runs->plan->slots * sizeof *source->slots;
    int rc = block_fill(runs, source, sizeof head + slot_bytes, err);
    if (rc)
        return rc;
    memcpy(&head, source->block.ptr + source->used, sizeof head);
    size_t bytes = sizeof head + slot_bytes + head.key_bytes;
    if ((rc = block_fill(runs, source, bytes, err)))
        return rc;
    const char *row = source->block.ptr + source->used;
    memcpy(source->slots, row + sizeof head, slot_bytes);
    source->row = (struct runs_row){
        head.field, {row + sizeof head + slot_bytes, head.key_bytes}, source->slots, {0}};
    source->used += bytes;
    return 1;
}

/* ---- merging: a heap of sources, the least row on top ---- */

struct merge {
    const struct runs *runs;
    struct source source[SOURCES_MAX];
    struct source *heap[SOURCES_MAX];
    int sources, live;
    struct buf key, partial; /* the row being merged; its partial while it is text */
    struct cell_field field;
    int128 *slots, *other;
};

static bool before(const struct source *a, const struct source *b)
{
    return order(a->row.field, a->row.key, b->row.field, b->row.key) < 0;
}

static void sift_down(struct merge *merge, int i)
{
    for (;;) {
        int least = i;
        for (int child = 2 * i + 1; child <= 2 * i + 2 && child < merge->live; child++)
            if (before(merge->heap[child], merge->heap[least]))
                least = child;
        if (least == i)
            return;
        struct source *swap = merge->heap[i];
        merge->heap[i] = merge->heap[least];
        merge->heap[least] = swap;
        i = least;
    }
}

static int merge_add(struct merge *merge, struct source source, struct err *err)
{
    struct source *added = &merge->source[merge->sources++];
    *added = source;
    added->slots = mem_zero((size_t)merge->runs->plan->slots, sizeof *added->slots);
    int rc = source_next(merge->runs, added, err);
    if (rc == 1)
        merge->heap[merge->live++] = added;
    return rc < 0 ? rc : 0;
}

/* Move the top on, dropping it when it has ended. */
static int merge_step(struct merge *merge, struct err *err)
{
    int rc = source_next(merge->runs, merge->heap[0], err);
    if (rc == 0)
        merge->heap[0] = merge->heap[--merge->live];
    sift_down(merge, 0);
    return rc < 0 ? rc : 0;
}

static int decode(const struct plan *plan, struct bytes partial, int128 *slots, struct err *err)
{
    if (aggregate_decode(plan, partial, slots))
        return 0;
    return err_set(err, ERR_DATA,
                   "the base generation has a row that is no partial of this plan; run: lk lambda "
                   "batch --kind full");
}

static bool same_row(const struct merge *merge)
{
    return merge->live && order(merge->field, buf_bytes(&merge->key), merge->heap[0]->row.field,
                                merge->heap[0]->row.key) == 0;
}

/* Take the top row and what is equal to it; *text: it is still an input's text. */
static int merge_equal(struct merge *merge, bool *text, struct err *err)
{
    const struct plan *plan = merge->runs->plan;
    const struct runs_row *top = &merge->heap[0]->row;
    buf_clear(&merge->key);
    buf_add(&merge->key, top->key.ptr, top->key.len);
    merge->field = top->field;
    *text = !top->slots;
    buf_clear(&merge->partial);
    if (*text)
        buf_add(&merge->partial, top->partial.ptr, top->partial.len);
    else
        memcpy(merge->slots, top->slots, (size_t)plan->slots * sizeof *merge->slots);
    int rc = merge_step(merge, err);
    while (rc == 0 && same_row(merge)) {
        top = &merge->heap[0]->row;
        if (*text)
            rc = decode(plan, buf_bytes(&merge->partial), merge->slots, err);
        if (rc == 0 && !top->slots)
            rc = decode(plan, top->partial, merge->other, err);
        if (rc == 0)
            aggregate_merge(plan, merge->slots, top->slots ? top->slots : merge->other);
        *text = false;
        if (rc == 0)
            rc = merge_step(merge, err);
    }
    return rc;
}

static int merge_all(struct merge *merge, runs_each *each, void *context, struct err *err)
{
    int rc = 0;
    for (int i = merge->live / 2; i-- > 0;)
        sift_down(merge, i);
    while (rc == 0 && merge->live) {
        bool text;
        rc = merge_equal(merge, &text, err);
        struct runs_row row = {merge->field, buf_bytes(&merge->key), text ? NULL : merge->slots,
                               buf_bytes(&merge->partial)};
        if (rc == 0)
            rc = each(&row, context, err);
    }
    return rc;
}

static struct merge *merge_new(const struct runs *runs)
{
    struct merge *merge = mem_zero(1, sizeof *merge);
    merge->runs = runs;
    merge->slots = mem_zero((size_t)runs->plan->slots, sizeof *merge->slots);
    merge->other = mem_zero((size_t)runs->plan->slots, sizeof *merge->other);
    return merge;
}

static void merge_free(struct merge *merge)
{
    for (int i = 0; i < merge->sources; i++) {
        buf_release(&merge->source[i].block);
        free(merge->source[i].slots);
    }
    buf_release(&merge->key);
    buf_release(&merge->partial);
    free(merge->slots);
    free(merge->other);
    free(merge);
}

/* Merge the runs from first on into each; memory and input may be NULL. */
static int merge_from(struct runs *runs, int first, const struct cells *memory,
                      const struct runs_input *input, runs_each *each, void *context,
                      struct err *err)
{
    struct merge *merge = merge_new(runs);
    struct buf key_text = {0};
    struct sorted *rows = memory ? sort_cells(memory, &key_text) : NULL;
    int rc = 0;
    for (int i = first; rc == 0 && i < runs->count; i++)
        rc = merge_add(merge, (struct source){.at = runs->run[i].begin, .end = runs->run[i].end},
                       err);
    if (rc == 0 && memory)
        rc = merge_add(merge, (struct source){.next = rows, .last = rows + memory->count}, err);
    if (rc == 0 && input)
        rc = merge_add(merge, (struct source){.input = input}, err);
    if (rc == 0)
        rc = merge_all(merge, each, context, err);
    merge_free(merge);
    free(rows);
    buf_release(&key_text);
    return rc;
}

/* ---- the runs ---- */

/* While the last RUNS_WAYS runs are of one level, make them one run of the next. */
static int climb(struct runs *runs, struct err *err)
{
    int rc = 0;
    while (rc == 0 && runs->count >= RUNS_WAYS) {
        int first = runs->count - RUNS_WAYS, level = runs->run[first].level;
        if (runs->run[runs->count - 1].level != level || level + 1 == LEVELS_MAX)
            break;
        struct run merged = {runs->size, 0, level + 1};
        rc = merge_from(runs, first, NULL, NULL, out_row, runs, err);
        if (rc == 0)
            rc = out_flush(runs, err);
        merged.end = runs->size;
        runs->count = first;
        runs->run[runs->count++] = merged;
    }
    return rc;
}

int runs_spill(struct runs *runs, const struct cells *cells, struct err *err)
{
    int rc = file_open(runs, err);
    if (rc)
        return rc;
    struct buf key_text = {0};
    struct sorted *rows = sort_cells(cells, &key_text);
    struct run run = {runs->size, 0, 0};
    for (size_t i = 0; rc == 0 && i < cells->count; i++)
        rc = out_row(&(struct runs_row){rows[i].field, rows[i].key, rows[i].slots, {0}}, runs, err);
    if (rc == 0)
        rc = out_flush(runs, err);
    free(rows);
    buf_release(&key_text);
    if (rc)
        return rc;
    run.end = runs->size;
    runs->run[runs->count++] = run;
    runs->spills++;
    return climb(runs, err);
}

int runs_merge(struct runs *runs, const struct cells *cells, const struct runs_input *input,
               runs_each *each, void *context, struct err *err)
{
    return merge_from(runs, 0, cells, input, each, context, err);
}
