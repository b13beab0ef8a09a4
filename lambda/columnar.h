/* lambda/columnar.h - the archive as columns: made for a plan's fields, and folded by a batch.
 *
 * A plan's scan gives the same columns every time, so they are kept (common/log/columnar.h): what is
 * made once costs a scan, and every batch after it reads columns. They are the scanner's own answer,
 * bad events included, so a fold of them gives the same generation, byte for byte. Plans that scan for
 * the same fields share them, whatever else they say. Opaque; one thread each. */
#ifndef LK_LAMBDA_COLUMNAR_H
#define LK_LAMBDA_COLUMNAR_H

#include "common/log/columnar.h"
#include "common/run/task.h"

/* What the plan's scan makes: the schema's scanned fields, by name, type, paths, defaults, format. */
void columnar_fields_of(const struct plan *plan, struct columnar_fields *out);

/* Makes the files that an archive lacks for a plan. */
struct columnar_maker;
int columnar_maker_open(const char *archive, const char *topic, int partitions,
                        const struct plan *plan, struct columnar_maker **out, struct err *err);
/* Make what is missing for the segments that are noted by now: how many, or a code. */
int columnar_maker_fill(struct columnar_maker *maker, struct err *err);
void columnar_maker_close(struct columnar_maker *maker);

/* A partition's columnar files as the feed of a task. A segment whose file is missing, stale or
 * damaged is left to the log; the first of them is told on stderr, and how many there were. */
struct columnar_feed;
int columnar_feed_open(const char *archive, const char *topic, int partition,
                       const struct plan *plan, struct columnar_feed **out, struct err *err);
const struct task_feed *columnar_feed_task(const struct columnar_feed *feed);
int64_t columnar_feed_segments(const struct columnar_feed *feed); /* folded from columns so far */
void columnar_feed_close(struct columnar_feed *feed);

#endif
