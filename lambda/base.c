/* lambda/base.c - see base.h. */
#include "lambda/base.h"

#include <stdio.h>
#include <stdlib.h>

int base_kind_fits(enum batch_kind kind, const struct plan *plan, struct err *err)
{
    if (kind == BATCH_INCREMENTAL && plan->dedupe_by >= 0 &&
        plan_of_speed(plan)->max_ahead_ms != plan->max_ahead_ms)
        return err_set(err, ERR_USAGE,
                       "view %s has dedupe and a speed layer with another max_ahead: a generation "
                       "keeps the speed layer's T, by which the horizon of its ids would be wrong; "
                       "use --kind full",
                       plan->view);
    if (kind != BATCH_BY_TIME)
        return 0;
    if (plan->window == WINDOW_NONE)
        return err_set(err, ERR_USAGE,
                       "view %s has no windows, so nothing of it belongs to a time that could be "
                       "computed again; use --kind incremental or full",
                       plan->view);
    if (plan->dedupe_by >= 0)
        return err_set(err, ERR_USAGE,
                       "view %s has dedupe: which of two events with one id counts is decided by "
                       "what lies before it, also in other buckets; use --kind incremental or full",
                       plan->view);
    return 0;
}

/* ---- which one ---- */

/* The first partition in which the manifest reaches beyond the new boundaries; -1: in none. */
static int reaches_beyond(const struct manifest *manifest, const struct base_wanted *wanted)
{
    for (int q = 0; wanted->boundaries && q < wanted->partitions; q++)
        if (manifest->files[q].boundary > wanted->boundaries[q])
            return q;
    return -1;
}

static int refuse(const struct manifest *manifest, const struct base_wanted *wanted,
                  struct err *err)
{
    if (strcmp(manifest->plan, wanted->plan->hash) != 0)
        return err_set(err, ERR_USAGE,
                       "generation %s was made by another plan: what a changed rule changes in it "
                       "only the archive knows; run: lk lambda batch --kind full",
                       manifest->id);
    if (manifest->partitions != wanted->partitions)
        return err_set(err, ERR_USAGE,
                       "generation %s has %d partitions and the archive %d; run: lk lambda batch "
                       "--kind full",
                       manifest->id, manifest->partitions, wanted->partitions);
    int q = reaches_beyond(manifest, wanted);
    if (q < 0)
        return 0;
    return err_set(err, ERR_USAGE,
                   "generation %s reaches to offset %lld of partition %d and the new boundary is "
                   "%lld; run: lk lambda batch --kind full",
                   manifest->id, (long long)manifest->files[q].boundary, q,
                   (long long)wanted->boundaries[q]);
}

/* Index of the manifest that id begins, -1: none, -2: several. */
static int find_named(const struct manifest *manifests, int count, const char *id)
{
    int found = -1;
    for (int i = 0; i < count; i++)
        if (strncmp(manifests[i].id, id, strlen(id)) == 0)
            found = found == -1 ? i : -2;
    return found;
}

static int named(const struct manifest *manifests, int count, const struct base_wanted *wanted,
                 struct err *err)
{
    int found = find_named(manifests, count, wanted->id);
    if (found < 0)
        return err_set(err, ERR_USAGE,
                       "%s generation begins with %s; `lk lambda generations` "
                       "lists them",
                       found == -1 ? "no" : "more than one", wanted->id);
    int rc = refuse(&manifests[found], wanted, err);
    return rc ? rc : found;
}

/* The newest of this plan whose boundaries fit; count: none. */
static int newest(const struct manifest *manifests, int count, const struct base_wanted *wanted)
{
    int i = 0;
    while (i < count &&
           (strcmp(manifests[i].plan, wanted->plan->hash) != 0 ||
            manifests[i].partitions != wanted->partitions ||
            reaches_beyond(&manifests[i], wanted) >= 0 || manifests[i].standing != STANDING_GOOD))
        i++;
    return i;
}

int base_find(struct folder *folder, const struct base_wanted *wanted, struct manifest *out,
              struct err *err)
{
    struct manifest *manifests = NULL;
    int count = folder_list(folder, &manifests, err);
    if (count < 0)
        return count;
    int which =
        wanted->id ? named(manifests, count, wanted, err) : newest(manifests, count, wanted);
    int rc = which < 0 ? which : which < count;
    if (rc == 1) {
        *out = manifests[which];
        manifests[which].files = NULL; /* handed over */
    }
    folder_list_release(manifests, count);
    return rc;
}

/* ---- its rows ---- */

static int damaged(const char *path, struct err *err)
{
    return err_set(err, ERR_DATA,
                   "%s is not the base that its manifest names; run: lk lambda batch "
                   "--kind full",
                   path);
}

static bool is_named(const struct base *base, const struct manifest *manifest, int partition)
{
    return base->head.partition == partition && strcmp(base->head.plan, manifest->plan) == 0 &&
           base->head.boundary == manifest->files[partition].boundary;
}

int base_open(const struct folder *folder, const struct manifest *manifest, const struct plan *plan,
              int partition, struct base *out, struct err *err)
{
    *out = (struct base){.plan = plan};
    char *path = folder_file(folder, manifest->id, partition, "");
    int rc =
        generation_open(path, manifest->files[partition].checksum, &out->head, &out->reader, err);
    if (rc < 0)
        err_context(err, "the base generation cannot be built upon, lk lambda batch --kind full "
                         "needs none");
    else if (!is_named(out, manifest, partition))
        rc = damaged(path, err);
    free(path);
    return rc;
}

int base_next(struct base *base, struct runs_row *row, struct err *err)
{
    struct generation_row *from = &base->row;
    int rc = base->bad ? 0 : generation_next(base->reader, from, err);
    if (rc != 1)
        return rc;
    base->bad = bytes_equal(from->field, bytes_of(GENERATION_BAD));
    if (base->bad)
        return 0;
    *row = (struct runs_row){.key = from->key, .partial = from->partial};
    if (!window_decode(base->plan, from->field, &row->field))
        return err_set(err, ERR_DATA,
                       "the base generation has a row in no window of this plan; run: lk lambda "
                       "batch --kind full");
    return 1;
}

int base_next_bad(struct base *base, struct generation_row *row, struct err *err)
{
    if (!base->bad)
        return generation_next(base->reader, row, err);
    *row = base->row;
    base->bad = false;
    return 1;
}

void base_close(struct base *base)
{
    generation_close(base->reader);
    *base = (struct base){0};
}
