/* lambda/publish_load.c - the cells of a generation file, as wide HSETs in a pipeline.
 *
 * Rows come sorted by field, so a Redis hash is filled by consecutive commands of up to
 * PAIRS_MAX pairs; its name goes into the index before it, so that a sweep finds whatever stands.
 * What has been filled is sent while the next rows are read, so that Redis need not wait for us; up to
 * IN_FLIGHT_BYTES before their answers, a number a command, are read. */
#include "common/base/fault.h"
#include "lambda/publish_parts.h"

enum { PAIRS_MAX = 1000, SEND_BYTES = 64 << 10, IN_FLIGHT_BYTES = 4 << 20 };

struct load {
    struct publish *p;
    int partition;
    char part[POS_ID_BYTES + 1]; /* g<id> */
    struct arena arena;          /* of what is not sent yet */
    struct kv_args hset;
    int pairs;
    size_t queued;    /* bytes since the last drain */
    size_t unsent;    /* of them, since the last send */
    struct buf field; /* the one being filled */
};

static int drain(struct load *load, struct err *err)
{
    struct kv_reply *replies;
    int rc = kv_roundtrip(load->p->kv, &replies, err);
    for (int i = 0; i < rc; i++)
        if (replies[i].type == KV_ERROR)
            return kv_error(&replies[i], "", err);
    arena_reset(&load->arena);
    load->queued = load->unsent = 0;
    return rc < 0 ? rc : 0;
}

static int send_some(struct load *load, struct err *err)
{
    if (fault_armed || load->queued > IN_FLIGHT_BYTES)
        return drain(load, err);
    if (load->unsent < SEND_BYTES)
        return 0;
    load->unsent = 0;
    return kv_send(load->p->kv, err);
}

/* Queue the HSET that has been filled. A fault wants to stand between commands that were done. */
static int queue(struct load *load, struct err *err)
{
    if (!load->pairs)
        return 0;
    args_queue(&load->hset, load->p->kv);
    load->pairs = 0;
    int rc = send_some(load, err);
    return rc ? rc : publish_fault(load->p, "generation load", err);
}

static void begin_hset(struct load *load)
{
    load->hset = args_new(&load->arena, "HSET",
                          key_cells(&load->arena, load->p->view, load->p->version, load->partition,
                                    load->part, load->field.ptr),
                          NULL);
}

static int add(struct load *load, const struct generation_row *row, struct err *err)
{
    int rc = 0;
    bool next_field = !load->field.ptr || !bytes_equal(buf_bytes(&load->field), row->field);
    if (next_field || load->pairs == PAIRS_MAX)
        rc = queue(load, err);
    if (next_field) {
        buf_clear(&load->field);
        buf_add(&load->field, row->field.ptr, row->field.len);
        kv_words(
            load->p->kv, "SADD",
            key_part(&load->arena, load->p->view, load->p->version, load->partition, load->part),
            load->field.ptr, NULL);
    }
    if (!load->pairs)
        begin_hset(load);
    args_add(&load->hset, row->key);
    args_add(&load->hset, row->partial);
    load->pairs++;
    load->queued += row->key.len + row->partial.len;
    load->unsent += row->key.len + row->partial.len;
    return rc;
}

static int check_head(const struct publish *p, int partition, const char *path, struct err *err)
{
    const struct generation_head *head = &p->heads[partition];
    if (head->partition == partition && strcmp(head->plan, p->options->plan->hash) == 0 &&
        head->boundary == p->options->manifest->files[partition].boundary)
        return 0;
    return err_set(err, ERR_DATA, "%s is not what its manifest says; run: lk lambda batch", path);
}

int publish_load(struct publish *p, int partition, struct err *err)
{
    const struct manifest *manifest = p->options->manifest;
    struct load load = {.p = p, .partition = partition};
    struct generation_reader *reader = NULL;
    struct generation_row row;
    load.part[0] = 'g';
    memcpy(load.part + 1, p->id, sizeof p->id);
    char *path = folder_file(p->options->folder, manifest->id, partition, "");
    int rc = generation_open(path, manifest->files[partition].checksum, &p->heads[partition],
                             &reader, err);
    if (rc == 0)
        rc = check_head(p, partition, path, err);
    while (rc == 0 && (rc = generation_next(reader, &row, err)) == 1)
        rc = add(&load, &row, err);
    if (rc == 0)
        rc = queue(&load, err);
    struct err ignored = {0}; /* also behind an error: the sweep is to read its own answers */
    int drained = drain(&load, rc ? &ignored : err);
    rc = rc ? rc : drained;
    generation_close(reader);
    free(path);
    buf_release(&load.field);
    arena_release(&load.arena);
    return rc;
}
