/* cmd/topic.h - what gen and topic create have in common: the flags that say what a topic is to be. */
#ifndef LK_CMD_TOPIC_H
#define LK_CMD_TOPIC_H

#include "common/base/settings.h"
#include "common/log/log.h"

/* Of --partitions (0 where not given), --replication, --retention. */
int topic_shape(const struct settings *settings, struct log_shape *out, struct err *err);

#endif
