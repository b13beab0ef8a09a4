/* cmd/dlq.h - what the two files of lk dlq share: a view's bad events, and the log that has their
 * bytes. */
#ifndef LK_CMD_DLQ_H
#define LK_CMD_DLQ_H

#include "cmd/view_args.h"
#include "common/log/log.h"

struct bad_event {
    int partition;
    int64_t offset;
    const char *reason;
};

struct dlq {
    const struct settings *settings;
    struct view_args args;
    struct arena arena;
    struct bad_event *events; /* by partition, then offset */
    size_t count, capacity;
};

struct dlq_source {
    struct log *log;
    const char *topic;
    struct log_reader *reader;
};

/* dlq_source_close also on failure. */
int dlq_source_open(const struct dlq *dlq, struct dlq_source *out, struct err *err);
void dlq_source_close(struct dlq_source *source);
/* The event's record, until the next call; ERR_GONE where retention has taken it. */
int dlq_source_get(struct dlq_source *source, const struct bad_event *event, struct log_batch *out,
                   struct err *err);

int dlq_export(struct dlq *dlq, struct err *err);

#endif
