/* cmd/lambda_verify.c - `lk lambda verify`: everything that lambda keeps in files, read again and held
 * against what was noted of it: the segments of a topic's archive, then every generation beside it. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "common/base/stop.h"
#include "common/log/archive.h"
#include "lambda/batch.h"
#include "lambda/generation.h"

struct checked {
    struct archive_health archive;
    int64_t generations, files, rows, damaged; /* of generations; damaged: files */
};

static void say_damage(const struct err *why, void *context)
{
    (void)context;
    fprintf(stderr, "damaged: %s\n", why->text);
}

/* ---- generations ---- */

static void check_file(const struct folder *folder, const struct manifest *manifest, int partition,
                       struct checked *checked)
{
    struct generation_head head;
    struct generation_reader *reader = NULL;
    struct err why = {0};
    const struct manifest_file *file = &manifest->files[partition];
    char *path = folder_file(folder, manifest->id, partition, "");
    checked->files++;
    if (generation_open(path, file->checksum, &head, &reader, &why) < 0) {
        checked->damaged++;
        say_damage(&why, NULL);
    } else
        checked->rows += file->rows;
    generation_close(reader);
    free(path);
}

static int check_view(const char *archive, const char *topic, const char *view,
                      struct checked *checked, struct err *err)
{
    struct folder *folder = NULL;
    struct manifest *manifests = NULL;
    int rc = folder_look(archive, topic, view, &folder, err);
    int count = rc ? rc : folder_list(folder, &manifests, err);
    for (int i = 0; manifests && i < count && !stop_asked(); i++, checked->generations++)
        for (int p = 0; p < manifests[i].partitions; p++)
            check_file(folder, &manifests[i], p, checked);
    if (count > 0)
        folder_list_release(manifests, count);
    folder_close(folder);
    return count < 0 ? count : 0;
}

/* Of every view. A topic that no batch was run over has no such folder. */
static int check_generations(const char *archive, const char *topic, struct checked *checked,
                             struct err *err)
{
    struct buf path = {0};
    int rc = 0;
    buf_printf(&path, "%s/%s/generations", archive, topic);
    DIR *dir = opendir(path.ptr);
    for (struct dirent *entry; rc == 0 && dir && (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            rc = check_view(archive, topic, entry->d_name, checked, err);
    if (dir)
        closedir(dir);
    buf_release(&path);
    return rc;
}

/* ---- the verb ---- */

static void print_all(const struct checked *checked, bool json)
{
    const struct archive_health *archive = &checked->archive;
    printf(json ? "{\"segments\":%lld,\"events\":%lld,\"raw_bytes\":%lld,\"file_bytes\":%lld,"
                  "\"damaged\":%lld,"
                : "%lld segments, %lld whole events: %lld bytes of values, %lld on disk; %lld "
                  "segments are damaged\n",
           (long long)archive->segments, (long long)archive->events, (long long)archive->raw_bytes,
           (long long)archive->file_bytes, (long long)archive->damaged);
    printf(json ? "\"columnar\":%lld,\"columnar_bytes\":%lld,\"columnar_damaged\":%lld,"
                : "%lld files of columns, %lld bytes; %lld are of no use\n",
           (long long)archive->columnar, (long long)archive->columnar_bytes,
           (long long)archive->columnar_damaged);
    printf(json ? "\"generations\":%lld,\"generation_files\":%lld,\"rows\":%lld,"
                  "\"generation_files_damaged\":%lld}\n"
                : "%lld generations in %lld files, %lld whole rows; %lld files are damaged\n",
           (long long)checked->generations, (long long)checked->files, (long long)checked->rows,
           (long long)checked->damaged);
}

static int judge(const struct checked *checked, struct err *err)
{
    if (checked->archive.damaged)
        return err_set(err, ERR_DATA,
                       "remove the damaged segments and run lk lambda archive: it writes them anew "
                       "from the log");
    if (checked->damaged)
        return err_set(
            err, ERR_DATA,
            "%lld files of generations are damaged; the next lk lambda batch makes a new "
            "generation from the archive",
            (long long)checked->damaged);
    if (checked->archive.columnar_damaged)
        return err_set(err, ERR_DATA,
                       "%lld files of columns are of no use: no event is lost, batches read the "
                       "segments; lk lambda archive --columnar PLAN makes a plan's columns anew, "
                       "others may be removed",
                       (long long)checked->archive.columnar_damaged);
    return 0;
}

int cmd_lambda_verify(const struct settings *settings, struct err *err)
{
    struct checked checked = {0};
    char topic[LOG_TOPIC_MAX + 1];
    int rc = settings_require(settings, "archive", err);
    struct batch_options options = {.archive = settings_text(settings, "archive"),
                                    .topic = settings_text(settings, "topic")};
    rc = rc ? rc : batch_topic(&options, topic, err);
    rc = rc ? rc : archive_verify(options.archive, topic, say_damage, NULL, &checked.archive, err);
    rc = rc ? rc : check_generations(options.archive, topic, &checked, err);
    if (rc == 0 && stop_asked())
        rc = err_set(err, ERR_INTERRUPTED, "interrupted");
    if (rc < 0)
        return rc;
    print_all(&checked, settings_bool(settings, "json"));
    return judge(&checked, err);
}
