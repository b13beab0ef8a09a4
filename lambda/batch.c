/* lambda/batch.c - see batch.h. The archive, and the order of a run: boundaries, fold, publish, prune. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "lambda/base.h"
#include "lambda/batch_parts.h"
#include "lambda/batch_slots.h"
#include "lambda/speed.h"

void batch_release(struct batch_result *result)
{
    free(result->parts);
    *result = (struct batch_result){0};
}

/* ---- the archive ---- */

static bool is_folder(const char *archive, const char *name)
{
    struct stat about;
    struct buf path = {0};
    buf_printf(&path, "%s/%s", archive, name);
    bool yes = *name != '.' && stat(path.ptr, &about) == 0 && S_ISDIR(about.st_mode);
    buf_release(&path);
    return yes;
}

int batch_topic(const struct batch_options *options, char out[LOG_TOPIC_MAX + 1], struct err *err)
{
    int count = 0;
    snprintf(out, LOG_TOPIC_MAX + 1, "%s", options->topic ? options->topic : "");
    if (options->topic)
        return 0;
    DIR *dir = opendir(options->archive);
    if (!dir)
        return err_errno(err, ERR_ENV, "cannot open the archive %s (`lk lambda archive` makes one)",
                         options->archive);
    for (struct dirent *entry; (entry = readdir(dir));)
        if (is_folder(options->archive, entry->d_name) && count++ == 0)
            snprintf(out, LOG_TOPIC_MAX + 1, "%.*s", LOG_TOPIC_MAX, entry->d_name);
    closedir(dir);
    if (count == 1)
        return 0;
    return err_set(err, count ? ERR_USAGE : ERR_ENV,
                   count ? "the archive %s has several topics; say which with --topic"
                         : "the archive %s is empty; fill it with: lk lambda archive",
                   options->archive);
}

int batch_open_archive(const struct batch_options *options, const char *topic, struct log **out,
                       struct err *err)
{
    struct buf uri = {0};
    buf_printf(&uri, "archive:%s", options->archive);
    int rc = log_open(uri.ptr, false, out, err);
    buf_release(&uri);
    return rc < 0 ? rc : log_partitions(*out, topic, err);
}

int batch_archive_ends(struct log *log, const char *topic, int partitions, int64_t *ends,
                       struct err *err)
{
    for (int q = 0; q < partitions; q++) {
        int64_t first;
        int rc = log_range(log, topic, q, &first, &ends[q], err);
        if (rc < 0)
            return rc;
        if (first > 0)
            return err_set(
                err, ERR_DATA,
                "the archive of topic %s, partition %d, begins at offset %lld, not at 0: "
                "what lies below was deleted before it was archived; a batch over the "
                "rest would be wrong",
                topic, q, (long long)first);
    }
    return 0;
}

/* ---- the run ---- */

struct run {
    struct kv *kv;
    const struct batch_options *options;
    struct batch_result *result;
    struct folder *folder;
    struct manifest manifest;
    int version, handover;
    int64_t *slots; /* by partition: two-slot and naive */
};

/* Newer ones that a reload leaves lying. */
static void tell_passed_over(const struct run *run)
{
    struct manifest *manifests = NULL;
    int count = folder_list(run->folder, &manifests, NULL);
    for (int i = 0; i < count && manifests[i].number > run->manifest.number; i++)
        if (strcmp(manifests[i].plan, run->options->plan->hash) == 0)
            fprintf(stderr,
                    "lk: generation %lld %s rolled back; to publish it all the same: lk lambda "
                    "batch --reload --base %.8s\n",
                    (long long)manifests[i].number,
                    manifests[i].standing == STANDING_UPON ? "is built upon one that was" : "was",
                    manifests[i].id);
    folder_list_release(manifests, count > 0 ? count : 0);
}

/* The one that is named, or the newest that was not rolled back: 1, or a code. */
static int find_written(struct run *run, struct err *err)
{
    const struct batch_options *options = run->options;
    const struct base_wanted named = {
        .plan = options->plan, .id = options->base, .partitions = run->result->partitions};
    int rc = options->base ? base_find(run->folder, &named, &run->manifest, err)
                           : folder_newest(run->folder, options->plan->hash, &run->manifest, err);
    if (rc == 1 && !options->base)
        tell_passed_over(run);
    return rc ? rc
              : err_set(err, ERR_ENV,
                        "the archive %s has no generation of this plan that was not rolled back; "
                        "run: lk lambda batch without --reload",
                        options->archive);
}

static int note_slots(struct run *run, struct err *err)
{
    if (run->handover != HANDOVER_TWO_SLOT && run->handover != HANDOVER_NAIVE)
        return 0;
    return batch_slots_note(run->kv, run->options->plan, run->version, run->result->partitions,
                            run->slots, err);
}

static int reload(struct run *run, struct err *err)
{
    int rc = find_written(run, err);
    int noted = rc == 1 ? note_slots(run, err) : 0;
    return noted < 0 ? noted : rc;
}

static int compute(struct run *run, const struct batch_bounds *bounds, struct log *log,
                   struct err *err)
{
    const char *topic = run->result->topic;
    struct batch_options now = *run->options;
    now.number = bounds->number;
    int rc = note_slots(run, err);
    if (rc == 0 && run->handover != HANDOVER_OFFSET)
        rc = batch_archive_ends(log, topic, run->result->partitions, bounds->boundaries,
                                err); /* as of now */
    return rc ? rc
              : batch_compute(&now, topic, bounds->boundaries, run->folder, &run->manifest,
                              run->result, err);
}

static void note_idle(struct batch_result *result, const struct batch_bounds *bounds)
{
    result->idle = true;
    result->published = bounds->published;
    for (int q = 0; q < result->partitions; q++)
        result->parts[q].boundary = bounds->boundaries[q];
}

/* 1 computed, 0 nothing new, or a code. */
static int compute_new(struct run *run, struct log *log, struct err *err)
{
    const struct batch_options *options = run->options;
    int partitions = run->result->partitions;
    int64_t *numbers = mem_zero(2 * (size_t)partitions, sizeof *numbers);
    struct batch_bounds bounds = {.boundaries = numbers + partitions};
    int rc = batch_archive_ends(log, run->result->topic, partitions, numbers, err);
    rc = rc ? rc
            : batch_choose_boundaries(run->kv, options->plan, run->version, run->handover,
                                      partitions, numbers, &bounds, err);
    rc = rc ? rc : batch_is_idle(options, &bounds, run->folder, partitions, err);
    if (rc == 1) {
        note_idle(run->result, &bounds);
        rc = 0;
    } else if (rc == 0) {
        rc = compute(run, &bounds, log, err);
        rc = rc < 0 ? rc : 1;
    }
    free(numbers);
    return rc;
}

/* Did the operator name what was rolled back? */
static bool is_named(const struct run *run)
{
    return run->options->base &&
           (run->options->reload ? run->manifest.standing : run->result->base_standing) !=
               STANDING_GOOD;
}

static bool serves_somewhere(const struct batch_result *result)
{
    for (int q = 0; q < result->partitions; q++)
        if (result->parts[q].publish.state == PUBLISH_DONE || result->parts[q].publish.serves)
            return true;
    return false;
}

/* It, and what it builds upon, serve again by the operator's word. */
static int readmit(const struct run *run, struct err *err)
{
    folder_name *ids = NULL;
    int count = folder_lineage(run->folder, &run->manifest, &ids, err);
    int rc = count < 0 ? count : 0;
    for (int i = 0; rc == 0 && i < count; i++)
        rc = folder_readmit(run->folder, ids[i], err);
    free(ids);
    return rc;
}

static int publish_and_prune(struct run *run, struct err *err)
{
    struct batch_result *result = run->result;
    struct publish_part *parts = mem_zero((size_t)result->partitions, sizeof *parts);
    struct publish_options options = {.plan = run->options->plan,
                                      .version = run->version,
                                      .folder = run->folder,
                                      .handover = (enum handover)run->handover,
                                      .slots = run->slots,
                                      .manifest = &run->manifest,
                                      .named = is_named(run)};
    memcpy(result->generation, run->manifest.id, sizeof result->generation);
    int rc = publish_run(run->kv, &options, parts, err);
    for (int q = 0; q < result->partitions; q++) {
        result->parts[q].boundary = run->manifest.files[q].boundary;
        result->parts[q].history = run->manifest.files[q].history;
        result->parts[q].publish = parts[q];
    }
    free(parts);
    if (rc == 0 && options.named && serves_somewhere(result)) /* else what was noted holds */
        rc = readmit(run, err);
    return rc < 0 ? rc : folder_prune(run->folder, run->options->keep, err);
}

static int run_in_folder(struct run *run, int partitions, struct log *log, struct err *err)
{
    struct batch_result *result = run->result;
    result->partitions = partitions;
    result->parts = mem_zero((size_t)partitions, sizeof *result->parts);
    run->handover = run->options->handover;
    run->slots = mem_zero((size_t)partitions, sizeof *run->slots);
    run->version = lambda_version_of(run->kv, run->options->plan, partitions, &run->handover, err);
    if (run->version < 0)
        return run->version;
    result->handover = run->handover;
    int rc = folder_open(run->options->archive, result->topic, run->options->plan->view,
                         &run->folder, err);
    if (rc == 0 && run->options->reload)
        rc = reload(run, err);
    else if (rc == 0)
        rc = compute_new(run, log, err);
    if (rc == 1 && run->manifest.partitions != partitions)
        rc = err_set(err, ERR_DATA, "generation %s has %d partitions and the archive %d",
                     run->manifest.id, run->manifest.partitions, partitions);
    if (rc == 1)
        rc = publish_and_prune(run, err);
    return rc;
}

int batch_run(struct kv *kv, const struct batch_options *options, struct batch_result *result,
              struct err *err)
{
    int64_t wall_ns = clock_mono_ns(), cpu_ns = clock_cpu_ns();
    struct log *log = NULL;
    *result = (struct batch_result){0};
    struct run run = {.kv = kv, .options = options, .result = result};
    int rc = base_kind_fits(options->kind, options->plan, err);
    if (rc == 0)
        rc = batch_topic(options, result->topic, err);
    if (rc == 0)
        rc = batch_open_archive(options, result->topic, &log, err);
    if (rc > 0)
        rc = run_in_folder(&run, rc, log, err);
    manifest_release(&run.manifest);
    folder_close(run.folder);
    free(run.slots);
    log_close(log);
    result->wall_ns = clock_mono_ns() - wall_ns;
    result->cpu_ns = clock_cpu_ns() - cpu_ns;
    return rc;
}
