/* lambda/batch_boundaries.c - up to where a batch is to go, by what pos says of cuts and of generations;
 * and whether there is anything to do at all. */
#include <stdlib.h>

#include "common/base/fault.h"
#include "common/store/pos.h"
#include "common/store/registry.h"
#include "lambda/batch_parts.h"
#include "lambda/generation.h"

/* The boundary to build up to, given what pos says and where the archive ends. */
static int64_t choose_boundary(const struct pos *pos, int handover, int64_t end)
{
    int64_t cut = 0;
    if (handover != HANDOVER_OFFSET)
        return end;
    for (int i = 0; i < pos->cut_count; i++)
        if (pos->cuts[i] <= end && pos->cuts[i] > cut)
            cut = pos->cuts[i];
    if (bug_planted("boundary-any"))
        return end;
    if (cut > pos->boundary)
        return cut;
    if (end >= pos->next && end > pos->boundary)
        return end;
    return pos->boundary < end ? pos->boundary
                               : end; /* nothing new: the same again, for the file */
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Nothing is published of a partition that has no events, so it has no number. */
static void note_pos(struct batch_bounds *out, int partition, const struct pos *pos)
{
    out->grows = out->grows || out->boundaries[partition] > pos->boundary;
    out->number = most(most(out->number, pos->number), most(pos->previous_number, pos->withdrawn));
    if (out->boundaries[partition] == 0)
        return;
    if (!out->reached)
        out->published = pos->number;
    else if (pos->number != out->published)
        out->published = 0;
    out->reached = true;
}

int batch_choose_boundaries(struct kv *kv, const struct plan *plan, int version, int handover,
                            int partitions, const int64_t *ends, struct batch_bounds *out,
                            struct err *err)
{
    struct arena arena = {0};
    char name[16];
    int rc = 0;
    registry_version_name(ARCH_LAMBDA, version, name);
    for (int q = 0; rc >= 0 && q < partitions; q++) {
        struct kv_reply *replies;
        struct pos pos;
        kv_words(kv, "HGETALL", key_pos(&arena, plan->view, name, q), NULL);
        rc = kv_roundtrip(kv, &replies, err);
        if (rc >= 0)
            rc = pos_decode(&replies[0], &pos, err);
        if (rc < 0)
            break;
        out->boundaries[q] = choose_boundary(&pos, handover, ends[q]);
        note_pos(out, q, &pos);
        pos_release(&pos);
    }
    arena_release(&arena);
    return rc < 0 ? rc : 0;
}

/* ---- is there anything to do? ---- */

/* Is this the generation that the batch would make? A full one is as good as any kind. */
static bool is_same(const struct manifest *it, const struct batch_options *options,
                    const struct batch_bounds *bounds, int partitions)
{
    bool same = it->number == bounds->published && it->standing == STANDING_GOOD &&
                it->partitions == partitions && strcmp(it->plan, options->plan->hash) == 0 &&
                (it->kind == BATCH_FULL || options->kind == it->kind);
    for (int q = 0; same && q < partitions; q++)
        same = it->files[q].boundary == bounds->boundaries[q];
    return same;
}

static bool is_whole(const struct folder *folder, const struct manifest *it)
{
    bool whole = true;
    for (int q = 0; whole && q < it->partitions; q++) {
        struct generation_head head;
        struct generation_reader *reader = NULL;
        char *path = folder_file(folder, it->id, q, "");
        whole = generation_open(path, it->files[q].checksum, &head, &reader, NULL) == 0;
        generation_close(reader);
        free(path);
    }
    return whole;
}

int batch_is_idle(const struct batch_options *options, const struct batch_bounds *bounds,
                  struct folder *folder, int partitions, struct err *err)
{
    struct manifest *manifests = NULL;
    if (bounds->grows)
        return 0;
    if (options->only_new || !bounds->reached)
        return 1;
    if (options->base)
        return 0; /* who names one wants it folded */
    int count = folder_list(folder, &manifests, err);
    bool same = false;
    for (int i = 0; i < count && !same; i++)
        same =
            is_same(&manifests[i], options, bounds, partitions) && is_whole(folder, &manifests[i]);
    folder_list_release(manifests, count > 0 ? count : 0);
    return count < 0 ? count : same;
}
