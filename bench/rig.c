/* bench/rig.c - see rig.h. */
#include "bench/rig.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/stop.h"

enum { UP_WAIT_MS = 30000, POLL_MS = 10 };

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static int make_topic(struct rig *rig, int partitions, struct err *err)
{
    struct log_shape shape = {.partitions = partitions, .replication = 1};
    struct log *log;
    int rc = log_open(rig->log_uri, true, &log, err);
    if (rc < 0)
        return rc;
    rc = log_create_topic(log, rig->topic, shape, err);
    log_close(log);
    return rc;
}

int rig_open(struct rig *rig, const char *program, const char *log_uri, int partitions,
             struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    *rig = (struct rig){.program = program};
    snprintf(rig->dir, sizeof rig->dir, "%.40s/lk-bench.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(rig->dir))
        return err_errno(err, ERR_ENV, "cannot make %s", rig->dir);
    snprintf(rig->plan, sizeof rig->plan, "%s/plan.json", rig->dir);
    snprintf(rig->archive, sizeof rig->archive, "%s/archive", rig->dir);
    snprintf(rig->topic, sizeof rig->topic, "lk-bench-%llx", (long long)clock_wall_ms());
    if (log_uri)
        snprintf(rig->log_uri, sizeof rig->log_uri, "%s", log_uri);
    else
        snprintf(rig->log_uri, sizeof rig->log_uri, "embedded:%s/log", rig->dir);
    int rc = make_topic(rig, partitions, err);
    rig->topic_made = rc == 0 && log_uri;
    return rc ? rc : redis_server_start(&rig->redis, "bench", rig->dir, err);
}

int rig_write_plan(struct rig *rig, struct bytes json, struct err *err)
{
    FILE *out = fopen(rig->plan, "w");
    size_t done = out ? fwrite(json.ptr, 1, json.len, out) : 0;
    bool bad = !out || done < json.len;
    if (out && fclose(out) != 0)
        bad = true;
    return bad ? err_errno(err, ERR_ENV, "cannot write %s", rig->plan) : 0;
}

static void add_flags(const struct rig *rig, const char *flags, struct buf *command)
{
    const struct {
        const char *flag, *value;
    } OWN[] = {{"--log", rig->log_uri},
               {"--topic", rig->topic},
               {"--plan", rig->plan},
               {"--archive", rig->archive},
               {"--view", rig->redis.uri}};
    for (size_t i = 0; i < sizeof OWN / sizeof *OWN; i++)
        if (strstr(flags, OWN[i].flag)) {
            buf_printf(command, " %s ", OWN[i].flag);
            process_add_word(command, OWN[i].value);
        }
}

int rig_start(struct rig *rig, const char *name, const char *words, const char *flags,
              struct process **out, struct err *err)
{
    char output[RIG_PATH];
    struct buf command = {0};
    struct process *child = &rig->child[rig->children++];
    buf_add_text(&command, words);
    add_flags(rig, flags, &command);
    snprintf(output, sizeof output, "%s/%s.out", rig->dir, name);
    process_init(child, "bench", name, rig->program, command.ptr, output);
    buf_release(&command);
    if (out)
        *out = child;
    return process_start(child, err);
}

int rig_look(struct rig *rig, struct err *err)
{
    for (int i = 0; i < rig->children; i++) {
        struct process *child = &rig->child[i];
        if (child->pid > 0 && process_ended(child) && child->failed)
            return err_set(err, ERR_ENV, "lk %s %s ended: %s", child->argv[1], child->argv[2],
                           child->fate);
    }
    return stop_asked() ? err_set(err, ERR_INTERRUPTED, "interrupted") : 0;
}

int rig_wait_view(struct rig *rig, const char *view, enum arch arch, struct err *err)
{
    struct view_query query = {.positions_only = true};
    struct err why = {0};
    struct kv *kv;
    int rc = kv_open(rig->redis.uri, &kv, err);
    if (rc < 0)
        return rc;
    for (int waited_ms = 0;; waited_ms += POLL_MS) {
        struct answer answer;
        err_clear(&why);
        rc = view_read(kv, view, arch, &query, &answer, &why);
        if (rc == 0)
            answer_release(&answer);
        if (rc == 0 || rig_look(rig, err) < 0 || waited_ms > UP_WAIT_MS)
            break;
        clock_sleep_ms(POLL_MS);
    }
    kv_close(kv);
    return rc ? err_set(err, rc, "view %s does not come up: %s", view, why.text) : 0;
}

static void delete_topic(const struct rig *rig)
{
    struct log *log;
    if (!rig->topic_made || log_open(rig->log_uri, false, &log, NULL) < 0)
        return;
    log_delete_topic(log, rig->topic, NULL);
    log_close(log);
}

void rig_close(struct rig *rig)
{
    for (int i = 0; i < rig->children; i++) {
        process_kill(&rig->child[i]);
        process_release(&rig->child[i]);
    }
    delete_topic(rig);
    redis_server_stop(&rig->redis);
    process_release(&rig->redis.process);
    if (*rig->dir)
        nftw(rig->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
