/* kappa/start.h - positions of a topic as a user gives them, and the first window that a version
 * which begins there can answer exactly.
 *
 * Text: a log time (2026-11-22T20:00:00Z, or ms since 1970), "end", or "0=5000,1=4800" by partition.
 * A partition that is not named begins at its beginning (0, or what retention has left). One thread. */
#ifndef LK_KAPPA_START_H
#define LK_KAPPA_START_H

#include "common/log/log.h"
#include "common/store/registry.h"

/* next of each of partitions; ERR_USAGE for text that is none of these or lies outside of the log. */
int start_positions(const char *text, struct log *log, const char *topic, int partitions,
                    int64_t *next, struct err *err);
/* Where a version of the plan begins that begins at text: start->next is owned, NULL where it is
 * the very beginning; floor_ms is one for all partitions. Unless the plan bounds event time by log
 * time (max_ahead) and the log is no archive, what lies below is read once. ERR_USAGE where no floor can be had. */
int start_find(const char *text, const struct plan *plan, struct log *log, const char *topic,
               int partitions, struct registry_start *start, struct err *err);

#endif
