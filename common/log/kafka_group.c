/* common/log/kafka_group.c - a reader as a consumer of a group: its share, and what it notes.
 *
 * The group is told that we took what it deals out, but librdkafka fetches a partition only when it
 * is sought: the view knows the position, nobody else does. Who may write
 * a partition's results is decided by the view's token, not here: a group may deal a partition to
 * somebody else while its last owner still works. Noted positions are for those who watch the group;
 * nobody reads them back. */
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/log/kafka_reader.h"

enum { NOTE_MS = 1000, LAST_NOTE_MS = 2000 };

/* Positions that were noted and not committed; NULL: none. Owned. */
static rd_kafka_topic_partition_list_t *list_noted(struct kafka_reader *reader)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(reader->count);
    for (int i = 0; i < reader->count; i++) {
        struct kafka_part *part = &reader->parts[i];
        if (part->noted == part->committed || !part->owned)
            continue;
        rd_kafka_topic_partition_list_add(list, reader->topic, part->partition)->offset =
            part->noted;
        part->committed = part->noted;
    }
    if (list->cnt > 0)
        return list;
    rd_kafka_topic_partition_list_destroy(list);
    return NULL;
}

static void commit_now(struct kafka_reader *reader)
{
    rd_kafka_topic_partition_list_t *list = list_noted(reader);
    if (!list)
        return;
    reader->committed_ns = clock_mono_ns();
    rd_kafka_commit(reader->consumer, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Not in a reader's first second: a commit that still waits for librdkafka to find the group's
 * coordinator when the consumer is destroyed holds that up for 1 to 10 s, on a busy core. */
void kafka_commit_noted(struct kafka_reader *reader)
{
    if (reader->noting && clock_mono_ns() - reader->committed_ns >= (int64_t)NOTE_MS * 1000000)
        commit_now(reader);
}

void kafka_commit_last(struct kafka_reader *reader)
{
    rd_kafka_topic_partition_list_t *list = reader->noting ? list_noted(reader) : NULL;
    if (!list)
        return;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(reader->consumer);
    if (!rd_kafka_commit_queue(reader->consumer, list, queue, NULL, NULL)) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, LAST_NOTE_MS);
        if (event)
            rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_partition_list_destroy(list);
}

void kafka_note(void *handle, int partition, int64_t position)
{
    struct kafka_reader *reader = handle;
    kafka_part_of(reader, partition)->noted = position;
    kafka_commit_noted(reader);
}

/* The partition; NULL: the topic has more of them than when this reader was opened. */
static struct kafka_part *dealt_part(struct kafka_reader *reader, int partition)
{
    for (int i = 0; i < reader->count; i++)
        if (reader->parts[i].partition == partition)
            return &reader->parts[i];
    reader->strange = partition;
    return NULL;
}

static void give(struct kafka_reader *reader, const rd_kafka_topic_partition_list_t *partitions)
{
    for (int i = 0; i < partitions->cnt; i++) {
        struct kafka_part *part = dealt_part(reader, partitions->elems[i].partition);
        if (!part)
            continue;
        part->owned = true;
        part->sought = false;
        part->noted = part->committed = -1;
    }
}

/* list: those that librdkafka must let go, too. */
static void take_back(struct kafka_reader *reader,
                      const rd_kafka_topic_partition_list_t *partitions,
                      rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < partitions->cnt; i++) {
        struct kafka_part *part = dealt_part(reader, partitions->elems[i].partition);
        if (!part)
            continue;
        if (part->assigned)
            rd_kafka_topic_partition_list_add(list, reader->topic, part->partition);
        part->owned = part->assigned = part->sought = false;
        part->left = true;
        part->error = 0;
    }
}

void kafka_rebalanced(rd_kafka_t *consumer, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct kafka_reader *reader = opaque;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(reader->count);
    rd_kafka_error_t *error;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        give(reader, partitions);
        error = rd_kafka_incremental_assign(consumer, list);
    } else {
        if (!rd_kafka_assignment_lost(consumer))
            commit_now(reader);
        take_back(reader, partitions, list);
        error = rd_kafka_incremental_unassign(consumer, list);
    }
    if (error) /* said to nobody: what is not assigned is not sought either */
        rd_kafka_error_destroy(error);
    reader->changed = reader->changed || partitions->cnt > 0;
    rd_kafka_topic_partition_list_destroy(list);
}

int kafka_join(void *handle, const struct log_group *group, struct err *err)
{
    struct kafka_reader *reader = handle;
    reader->shared = group->shared;
    int rc = kafka_reader_start(reader, group, err);
    if (rc < 0)
        return rc;
    reader->noting = true;
    reader->committed_ns = clock_mono_ns();
    if (!group->shared)
        return 0;
    for (int i = 0; i < reader->count; i++)
        reader->parts[i].owned = false;
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, reader->topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(reader->consumer, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return code ? kafka_error(reader->kafka, code, NULL, "joining a group", err) : 0;
}

int kafka_owned(void *handle, bool *owned, struct err *err)
{
    struct kafka_reader *reader = handle;
    if (reader->strange >= 0)
        return err_set(
            err, ERR_USAGE,
            "topic %s has got partition %d while this worker ran with %d: keys have moved "
            "to other partitions, so what goes on from here would be wrong; copy the "
            "events into a topic made with as many, and begin a view of its own on that",
            reader->topic, reader->strange, reader->count);
    if (!reader->changed)
        return 0;
    reader->changed = false;
    for (int i = 0; i < reader->count; i++) {
        struct kafka_part *part = &reader->parts[i];
        owned[part->partition] = part->owned && !part->left;
        /* Taken back and dealt anew: told one after the other, for it must be sought again. */
        reader->changed = reader->changed || (part->owned && part->left);
        part->left = false;
    }
    return 1;
}
