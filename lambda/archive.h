/* lambda/archive.h - the archiver: copies a topic from the log into the archive, exactly once.
 *
 * One thread. The archive says where to go on, so it may be killed and started at any time. */
#ifndef LK_LAMBDA_ARCHIVE_H
#define LK_LAMBDA_ARCHIVE_H

#include "common/log/archive.h"
#include "common/plan/plan.h"

struct archive_options {
    struct log *log; /* borrowed */
    const char *topic, *directory;
    int64_t roll_ms; /* an event waits no longer for its segment to be closed */
    bool until_end;  /* stop where the log ended at the start */
    /* also keep the columns of its fields (columnar.h); NULL: do not */
    const struct plan *columnar;
    bool progress; /* say once a second on stderr how far it is */
};

/* Run until the end or until stop_asked (ERR_INTERRUPTED, everything read is archived). ERR_GONE:
 * the log no longer has what the archive lacks. ERR_DATA: the log is another one than was archived
 * (deleted and made anew). totals (also after a failure)is what this run has archived. */
int archive_run(const struct archive_options *options, struct archive_totals *totals,
                struct err *err);

#endif
