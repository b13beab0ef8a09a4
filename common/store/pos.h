/* common/store/pos.h - `pos`: where a job stands in one partition, and the names of its keys.
 *
 * One Redis hash a (view, version, partition), written only inside EXEC under WATCH of it. The
 * version is k1, k2 ... for kappa and l1 ... for lambda. Keys, all under one hash tag:
 *   lk:{view.version:p}:pos             the fields of struct pos, one text each
 *   lk:{view.version:p}:<part>          set: the fields that part holds (an index, for reads and deletion)
 *   lk:{view.version:p}:<part>:<field>  hash: JSON key -> partial (aggregate_encode)
 *   lk:{view.version:p}:<part>:bad      hash: offset -> reason (field "bad" of the index)
 * part: "k" kappa; "s<cut>" the speed layer's span from that cut; "g<id>" a batch generation.
 * struct pos is an open value: pos_release when done. Pure functions. */
#ifndef LK_STORE_POS_H
#define LK_STORE_POS_H

#include "common/base/arena.h"
#include "common/op/counters.h"
#include "common/op/window.h"
#include "common/store/handover.h"
#include "common/store/kv.h"

enum { POS_ID_BYTES = 33, POS_GENS_MAX = 16 };

struct pos {
    bool here;                /* false: no such key; everything else is then 0 or empty */
    char owner[POS_ID_BYTES]; /* token of the worker that holds the partition; "" nobody */
    char plan[POS_ID_BYTES];  /* hash of the plan that made this view */
    /* lambda: the mode that it was made under; offset where nothing is said */
    enum handover handover;
    int64_t next;     /* last folded offset + 1 */
    int64_t T_ms;     /* INT64_MIN: none yet */
    int64_t mark;     /* horizon state is rebuilt by re-reading from here */
    int64_t from;     /* lambda: spans begin here, below it only a batch can answer; kappa:
                                 the version begins here */
    int64_t floor_ms; /* WINDOW_FLOOR_NONE: none */
    int64_t *cuts;    /* rising; owned */
    int cut_count;
    char generation[POS_ID_BYTES]; /* published now; "" none */
    int64_t boundary, boundary_T_ms, boundary_mark;
    char previous[POS_ID_BYTES];
    int64_t previous_boundary, previous_T_ms, previous_mark;
    int64_t number, previous_number; /* of the manifests they come from; 0: none */
    int64_t withdrawn;               /* number of the generation that was rolled back; 0: none */
    int64_t slot;                    /* two-slot, naive: last cut when the latest batch began */
    int64_t spans, previous_spans; /* the same of the batch that is published, and of that before */
    char gens[POS_GENS_MAX][POS_ID_BYTES]; /* generations that may stand in the store */
    int gen_count;
    /* those that have left gens last: their cells go behind it */
    char swept[POS_GENS_MAX][POS_ID_BYTES];
    int swept_count;
    int64_t tail_offset, tail_time_ms; /* the record at next - 1; tail_offset -1: none */
    uint64_t tail_hash;
    struct counters counters;
    bool broken;  /* an error inside an EXEC: nobody may go on from here */
    bool retired; /* a tombstone */
};

/* The answer to HGETALL of pos; ERR_DATA for fields that cannot be read (the key space is not ours). */
int pos_decode(const struct kv_reply *reply, struct pos *out, struct err *err);
void pos_release(struct pos *pos);
bool pos_has_cut(const struct pos *pos, int64_t cut);
bool pos_has_gen(const struct pos *pos, const char *id);

/* Append field and text pairs to an HSET; args grows, texts live in arena. */
struct kv_args {
    struct arena *arena;
    struct bytes *args;
    int count, capacity;
};
void args_add(struct kv_args *args, struct bytes text); /* copied */
void args_text(struct kv_args *args, const char *text);
void args_int(struct kv_args *args, const char *field, int64_t value); /* INT64_MIN as "" */
void args_pair(struct kv_args *args, const char *field, const char *value);
void args_cuts(struct kv_args *args, const int64_t *cuts, int count); /* field "cuts" */
/* field: "gens" or "swept" */
void args_gens(struct kv_args *args, const char *field, const char (*gens)[POS_ID_BYTES],
               int count);
void args_handover(struct kv_args *args, enum handover handover); /* nothing for offset */
/* A fresh list in arena that begins with these words (NULL ends). */
struct kv_args args_new(struct arena *arena, const char *word, ...) __attribute__((sentinel));
void args_queue(struct kv_args *args, struct kv *kv); /* kv_command */

/* A full Redis takes nothing behind MULTI, not even a deletion; a script may delete. The only two that lk
 * sends, each with two keys, a pos and what is to go, and one word; a memory server knows them.
 * Unlinks the second key if the word is the pos's owner. */
#define POS_UNLINK_IF_OWNER                                                                        \
    "if redis.call('HGET',KEYS[1],'owner')~=ARGV[1] then return 0 end "                            \
    "return redis.call('UNLINK',KEYS[2])"
/* Unlinks the second key if the word is a generation that the pos neither names nor has in gens. */
#define POS_UNLINK_IF_ABSENT                                                                       \
    "local p=redis.call('HMGET',KEYS[1],'generation','previous','gens') "                          \
    "if p[1]==ARGV[1] or p[2]==ARGV[1] or (p[3] and string.find(p[3],ARGV[1],1,true)) "            \
    "then return 0 end return redis.call('UNLINK',KEYS[2])"

/* Key names, in arena. version: "k1". */
char *key_pos(struct arena *arena, const char *view, const char *version, int partition);
char *key_part(struct arena *arena, const char *view, const char *version, int partition,
               const char *part);
char *key_cells(struct arena *arena, const char *view, const char *version, int partition,
                const char *part, const char *field);

#endif
