/* cmd/topic.c - lk topic create|show|trim|delete: what a user does to a topic as a whole. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/topic.h"
#include "common/base/clock.h"
#include "common/log/kafka.h"

enum { PARTITIONS_DEFAULT = 4 };

struct topic {
    const struct settings *settings;
    struct log *log;
    const char *name;
};

static int parse_partitions(const struct settings *s, int *out, struct err *err)
{
    const char *text = settings_text(s, "partitions");
    int64_t number = 0;
    if (text &&
        (!bytes_to_int64(bytes_of(text), &number) || number < 1 || number > LOG_PARTITIONS_MAX))
        return err_set(err, ERR_USAGE, "--partitions: found \"%s\", expected 1 to %d", text,
                       LOG_PARTITIONS_MAX);
    *out = (int)number;
    return 0;
}

static int parse_retention(const struct settings *s, int64_t *out_ms, struct err *err)
{
    const char *text = settings_text(s, "retention");
    *out_ms = 0;
    if (!text)
        return 0;
    if (strcmp(text, "unlimited") == 0)
        *out_ms = -1;
    else if (!duration_parse(bytes_of(text), out_ms) || *out_ms < 1)
        return err_set(err, ERR_USAGE,
                       "--retention: found \"%s\", expected a duration such as 7d, or unlimited",
                       text);
    return 0;
}

int topic_shape(const struct settings *settings, struct log_shape *out, struct err *err)
{
    *out = (struct log_shape){.replication = (int)settings_int(settings, "replication")};
    int rc = parse_partitions(settings, &out->partitions, err);
    return rc < 0 ? rc : parse_retention(settings, &out->retention_ms, err);
}

static int create(struct topic *topic, struct err *err)
{
    struct log_shape shape;
    int rc = topic_shape(topic->settings, &shape, err);
    if (rc == 0 && shape.partitions == 0)
        shape.partitions = PARTITIONS_DEFAULT;
    if (rc == 0)
        rc = log_create_topic(topic->log, topic->name, shape, err);
    if (rc == 0)
        fprintf(stderr, "topic %s: %d partition%s\n", topic->name, shape.partitions,
                shape.partitions == 1 ? "" : "s");
    return rc;
}

/* One partition as a row; committed: of the group, -1 where it has none. */
static void print_row(bool json, bool grouped, int partition, int64_t first, int64_t end,
                      int64_t committed)
{
    printf(json ? "{\"partition\":%d,\"first\":%" PRId64 ",\"end\":%" PRId64
                : "%9d %12" PRId64 " %12" PRId64,
           partition, first, end);
    if (grouped && committed >= 0)
        printf(json ? ",\"committed\":%" PRId64 ",\"lag\":%" PRId64 : " %12" PRId64 " %12" PRId64,
               committed, end - committed);
    else if (grouped)
        fputs(json ? ",\"committed\":null,\"lag\":null" : "            -            -", stdout);
    puts(json ? "}" : "");
}

static int show(struct topic *topic, struct err *err)
{
    bool noted = false;
    const char *group = settings_text(topic->settings, "group");
    bool json = settings_bool(topic->settings, "json");
    int count = log_partitions(topic->log, topic->name, err);
    int rc = count < 0 ? count : 0;
    for (int p = 0; rc == 0 && p < count; p++) {
        int64_t first = 0, end = 0, committed = -1;
        rc = log_range(topic->log, topic->name, p, &first, &end, err);
        if (rc == 0 && group)
            rc = kafka_committed(topic->log, group, topic->name, p, &committed, err);
        if (rc == 0 && p == 0 && !json) /* once it is known that there are rows */
            printf("%9s %12s %12s%s\n", "partition", "first", "end",
                   group ? "    committed          lag" : "");
        if (rc == 0)
            print_row(json, group != NULL, p, first, end, committed);
        noted |= committed >= 0;
    }
    if (rc == 0 && group && !noted)
        fprintf(stderr,
                "group %s has noted nothing of topic %s; a view's group is called "
                "lk.<view>.<version>, or NAME.<view>.<version> with --group NAME\n",
                group, topic->name);
    return rc;
}

static int trim_partition(struct topic *topic, int partition, int64_t before, struct err *err)
{
    int64_t was = 0, first = 0, end = 0;
    int rc = log_range(topic->log, topic->name, partition, &was, &end, err);
    if (rc == 0 && before > end)
        return err_set(err, ERR_USAGE,
                       "partition %d of topic %s: found %" PRId64
                       ", expected an offset from %" PRId64 " to %" PRId64,
                       partition, topic->name, before, was, end);
    if (rc == 0 && before > was)
        rc = log_trim(topic->log, topic->name, partition, before, err);
    if (rc == 0)
        rc = log_range(topic->log, topic->name, partition, &first, &end, err);
    if (rc == 0)
        fprintf(stderr, "partition %d: first %" PRId64 " (was %" PRId64 "), end %" PRId64 "\n",
                partition, first, was, end);
    return rc;
}

static int trim_before(struct topic *topic, const char *text, struct err *err)
{
    int partition = 0, used = 0;
    int64_t before = 0;
    if (sscanf(text, "%d:%" SCNd64 "%n", &partition, &before, &used) != 2 || text[used] ||
        before < 0)
        return err_set(err, ERR_USAGE,
                       "--before: found \"%s\", expected partition:offset, such as 0:17", text);
    return trim_partition(topic, partition, before, err);
}

static int trim_older(struct topic *topic, int64_t keep_ms, struct err *err)
{
    int count = log_partitions(topic->log, topic->name, err);
    int rc = count < 0 ? count : 0;
    int64_t since_ms = clock_wall_ms() - keep_ms;
    for (int p = 0; rc == 0 && p < count; p++) {
        int64_t before = 0;
        rc = log_offset_at(topic->log, topic->name, p, since_ms, &before, err);
        if (rc == 0)
            rc = trim_partition(topic, p, before, err);
    }
    return rc;
}

static int trim(struct topic *topic, struct err *err)
{
    const char *before = settings_text(topic->settings, "before");
    bool keeps = settings_has(topic->settings, "keep");
    if (!before == !keeps)
        return err_set(err, ERR_USAGE,
                       "lk topic trim: expected --before P:O or --keep DURATION, one of them");
    return before ? trim_before(topic, before, err)
                  : trim_older(topic, settings_int(topic->settings, "keep"), err);
}

static int delete_topic(struct topic *topic, struct err *err)
{
    int rc = log_delete_topic(topic->log, topic->name, err);
    if (rc == 0)
        fprintf(stderr, "topic %s: deleted\n", topic->name);
    return rc;
}

static const struct {
    const char *word;
    bool makes; /* the log, if it is not there */
    int (*run)(struct topic *topic, struct err *err);
} ACTIONS[] = {{"create", true, create},
               {"show", false, show},
               {"trim", false, trim},
               {"delete", false, delete_topic}};

int cmd_topic(const struct settings *settings, struct err *err)
{
    struct topic topic = {.settings = settings, .name = settings_text(settings, "topic")};
    const char *const *words;
    int count = settings_words(settings, &words);
    int rc = settings_require(settings, "log,topic", err);
    for (size_t i = 0; rc == 0 && count && i < sizeof ACTIONS / sizeof *ACTIONS; i++) {
        if (strcmp(words[0], ACTIONS[i].word) != 0)
            continue;
        rc = log_open(settings_text(settings, "log"), ACTIONS[i].makes, &topic.log, err);
        if (rc == 0)
            rc = ACTIONS[i].run(&topic, err);
    }
    log_close(topic.log);
    return rc;
}
