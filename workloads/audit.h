/* workloads/audit.h - stage 0 of a run: the log holds exactly the stream's events.
 *
 * Each once, byte for byte, in the order of the stream within its partition. Reads the log as it
 * stands now, beside the stream, so memory does not grow with either. */
#ifndef LK_WORKLOADS_AUDIT_H
#define LK_WORKLOADS_AUDIT_H

#include "common/log/log.h"
#include "workloads/workload.h"

/* stream: fresh, read to its end. 0, or ERR_DATA naming the first difference: partition, offset,
 * event number, and whether an event is missing, there twice, or another. */
int audit_log(struct stream *stream, struct log *log, const char *topic, struct err *err);
/* As audit_log, but each partition may end early. */
int audit_prefix(struct stream *stream, struct log *log, const char *topic, struct err *err);

#endif
