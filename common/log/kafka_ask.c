/* common/log/kafka_ask.c - what only users ask a broker: the positions of a group, what it is. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/log/kafka.h"
#include "common/log/kafka_parts.h"

enum { ASK_MS = 5000, STABLE_MS = 30000, PAUSE_MS = 50 };

struct kafka *kafka_of(struct log *log, struct err *err)
{
    struct kafka *kafka = log_handle(log, &log_kafka_ops);
    if (!kafka)
        err_set(err, ERR_USAGE, "%s is not Kafka, which this needs: --log kafka:HOST:PORT",
                log_uri(log));
    return kafka;
}

/* ---- positions of a group ---- */

/* The one answer in event: the code of its error, or 0 and *position. */
static rd_kafka_resp_err_t read_position(rd_kafka_event_t *event, int64_t *position)
{
    if (rd_kafka_event_error(event))
        return rd_kafka_event_error(event);
    size_t count;
    const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    if (rd_kafka_group_result_error(groups[0]))
        return rd_kafka_error_code(rd_kafka_group_result_error(groups[0]));
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(groups[0]);
    *position = list->elems[0].offset < 0 ? -1 : list->elems[0].offset;
    return list->elems[0].err;
}

/* Ask once. Stable: a commit whose markers are not written yet is waited for, not passed by. */
static rd_kafka_resp_err_t ask_position(const struct kafka *kafka, const char *group,
                                        const char *topic, int partition, int64_t *position)
{
    char said[256];
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_ListConsumerGroupOffsets_t *request =
        rd_kafka_ListConsumerGroupOffsets_new(group, list);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(kafka->admin, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->admin);
    rd_kafka_AdminOptions_set_request_timeout(options, ASK_MS, said, sizeof said);
    rd_kafka_error_t *error = rd_kafka_AdminOptions_set_require_stable_offsets(options, 1);
    rd_kafka_error_destroy(error);
    rd_kafka_ListConsumerGroupOffsets(kafka->admin, &request, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, STABLE_MS);
    rd_kafka_resp_err_t code =
        event ? read_position(event, position) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

int kafka_committed(struct log *log, const char *group, const char *topic, int partition,
                    int64_t *position, struct err *err)
{
    struct kafka *kafka = kafka_of(log, err);
    if (!kafka)
        return ERR_USAGE;
    int64_t until_ns = clock_mono_ns() + STABLE_MS * INT64_C(1000000);
    rd_kafka_resp_err_t code;
    while ((code = ask_position(kafka, group, topic, partition, position)) ==
               RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT &&
           clock_mono_ns() < until_ns)
        clock_sleep_ms(PAUSE_MS);
    return code ? kafka_error(kafka, code, NULL, "asking for the positions of a group", err) : 0;
}

/* ---- what it is ---- */

/* Settings of a broker that a user of lk may want to know. */
enum setting { ZOOKEEPER, RECORD_BYTES, KEPT_MS, KEPT_HOURS, COPIES, SETTINGS };
static const char *const SETTING_NAMES[SETTINGS] = {
    "zookeeper.connect", /* Kafka 4 does not know it */
    "message.max.bytes", "log.retention.ms", "log.retention.hours", "default.replication.factor"};
#define UNSET "-"
typedef char settings_values[SETTINGS][32]; /* "" where the broker has no such setting */

static void take_settings(rd_kafka_event_t *event, settings_values values)
{
    size_t count = 0, entries = 0;
    const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &count);
    const rd_kafka_ConfigEntry_t **all =
        count ? rd_kafka_ConfigResource_configs(resources[0], &entries) : NULL;
    for (size_t i = 0; i < entries; i++)
        for (int k = 0; k < SETTINGS; k++)
            if (strcmp(rd_kafka_ConfigEntry_name(all[i]), SETTING_NAMES[k]) == 0) {
                const char *value = rd_kafka_ConfigEntry_value(all[i]);
                snprintf(values[k], sizeof values[k], "%s", value ? value : UNSET);
            }
}

/* Empty where the broker does not say: an ACL may forbid it. */
static void ask_settings(const struct kafka *kafka, int broker, settings_values values)
{
    char name[16];
    snprintf(name, sizeof name, "%d", broker);
    rd_kafka_ConfigResource_t *resource =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, name);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka->admin);
    rd_kafka_DescribeConfigs(kafka->admin, &resource, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ASK_MS);
    if (event && !rd_kafka_event_error(event))
        take_settings(event, values);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(resource);
}

static void say_settings(settings_values values, struct buf *out)
{
    int64_t kept_ms = -1;
    if (bytes_to_int64(bytes_of(values[KEPT_HOURS]), &kept_ms) && kept_ms > 0)
        kept_ms *= INT64_C(3600000);
    bytes_to_int64(bytes_of(values[KEPT_MS]), &kept_ms);
    buf_printf(out,
               "; Kafka %s; a record has up to %s bytes; a new topic has %s of it and keeps it ",
               *values[ZOOKEEPER] ? "3 or older" : "4 or newer", values[RECORD_BYTES],
               strcmp(values[COPIES], "1") == 0 ? "one copy" : "copies");
    if (kept_ms < 0)
        buf_add_text(out, "for ever");
    else
        buf_add_duration(out, kept_ms);
}

int kafka_about(struct log *log, struct buf *out, struct err *err)
{
    struct kafka *kafka = kafka_of(log, err);
    if (!kafka)
        return ERR_USAGE;
    const struct rd_kafka_metadata *data = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(kafka->admin, 1, NULL, &data, ASK_MS);
    if (code)
        return kafka_error(kafka, code, NULL, "asking what the cluster is", err);
    settings_values values = {""};
    ask_settings(kafka, data->orig_broker_id, values);
    buf_printf(out, "%d broker%s, %d topics", data->broker_cnt, data->broker_cnt == 1 ? "" : "s",
               data->topic_cnt);
    if (*values[RECORD_BYTES])
        say_settings(values, out);
    rd_kafka_metadata_destroy(data);
    return 0;
}
