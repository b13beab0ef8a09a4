/* lambda/publish_parts.h - what publish.c, publish_load.c and publish_sweep.c share; for them
 * alone. */
#ifndef LK_LAMBDA_PUBLISH_PARTS_H
#define LK_LAMBDA_PUBLISH_PARTS_H

#include <stdlib.h>

#include "common/store/pos.h"
#include "lambda/generation.h"
#include "lambda/publish.h"

enum { PUBLISH_LOOKS_MAX = 1000 }; /* how often pos may change under us in one step */

struct publish {
    struct kv *kv;
    const struct publish_options *options;
    const char *view;
    char version[16]; /* "l1" */
    struct publish_part *parts;
    struct generation_head *heads;            /* by partition, set by the load */
    char id[POS_ID_BYTES];                    /* of this attempt's load */
    char ids[PUBLISH_ATTEMPTS][POS_ID_BYTES]; /* of all attempts */
    int attempts;
    folder_name *lineage; /* of the manifest: the notes of these are looked at; owned */
    int lineage_count;
    char noted[POS_ID_BYTES]; /* the last note made for another's load */
    const char *key;          /* of the pos looked at last; in arena */
    struct arena arena;       /* reset by every look */
};

/* WATCH pos and read it; ERR_USAGE if it is of another plan. pos_release is the caller's. */
int publish_look(struct publish *p, int partition, struct pos *pos, struct err *err);
/* MULTI, commands, EXEC: 1 done, 0 pos was written since the look, or a code. */
int publish_exec(struct publish *p, struct kv_args *commands, int count, struct err *err);
int publish_unwatch(struct publish *p, struct err *err);
/* ERR_AWAY with the connection dropped, where a fault is planted here. */
int publish_fault(struct publish *p, const char *point, struct err *err);
/* Does pos name id as current or previous? */
bool publish_named(const struct pos *pos, const char *id);

/* Load the cells of a partition's file under p->id, and set its head. */
int publish_load(struct publish *p, int partition, struct err *err);
/* Take out of gens, then unlink, every noted load that no pos names. */
int publish_sweep(struct publish *p, struct err *err);

#endif
