/* lambda/folder.h - the folder where a view's generations stand, and what keeps batches apart in it.
 *
 * ARCHIVE/<topic>/generations/<view>/ holds
 *   <id>.p<N>       a partition's generation file
 *   <id>.json       the manifest, written last: only what has one exists
 *   <id>.p<N>.times its sidecar (times.h), where the plan can have one
 *   <id>.p<N>.*     temporary files of a batch
 *   <id>.lock       flocked while its batch lives
 *   .lock           flocked for a moment by who makes or removes
 *   <load>.load     a load into the store that may have left cells there
 *   <id>.withdrawn  that generation was rolled back, or a rollback of it was begun
 *   publish.lock    flocked by the one batch that loads and publishes
 * What a dead batch left (its lock is gone, no manifest) is removed by the next one that opens.
 * Opaque; one thread. */
#ifndef LK_LAMBDA_FOLDER_H
#define LK_LAMBDA_FOLDER_H

#include "lambda/manifest.h"

struct folder;
typedef char folder_name[FOLDER_ID_BYTES];

/* Make what is missing, remove dead batches' files, lock a fresh id. */
int folder_open(const char *archive, const char *topic, const char *view, struct folder **out,
                struct err *err);
/* The same to look at alone: nothing is made, locked or removed. ERR_ENV where there is none. */
int folder_look(const char *archive, const char *topic, const char *view, struct folder **out,
                struct err *err);
void folder_close(struct folder *folder);
const char *folder_id(const struct folder *folder); /* of this batch's generation */
/* Path of <id><rest>, and of <id>.p<partition><rest>; owned by the caller. */
char *folder_path(const struct folder *folder, const char *id, const char *rest);
char *folder_file(const struct folder *folder, const char *id, int partition, const char *rest);

/* Write the manifest of this batch's files: now the generation exists. Its id is set here, and its number,
 * which is above all of the folder's and above what manifest->number says: the greatest that the store
 * names, so that none comes again when the folder was lost. */
int folder_commit(struct folder *folder, struct manifest *manifest, struct err *err);
/* The newest generation of a plan that neither was rolled back nor builds upon such a one: 1 and *out (manifest_release), 0 if there is none, or a code. */
int folder_newest(struct folder *folder, const char *plan, struct manifest *out, struct err *err);
/* All generations, the newest first: how many, or a code. Owned: folder_list_release. */
int folder_list(struct folder *folder, struct manifest **out, struct err *err);
void folder_list_release(struct manifest *manifests, int count);
/* Remove what is older than the newest `keep` generations, whatever their plan. What was rolled back is not
 * counted, lest it takes the place of what serves. */
int folder_prune(struct folder *folder, int keep, struct err *err);

/* One at a time loads and publishes: waits for its turn, or until asked to stop (ERR_INTERRUPTED).
 */
int folder_publish_lock(struct folder *folder, struct err *err);
void folder_publish_unlock(struct folder *folder);
/* The journal of loads. Notes are durable before a load begins. */
int folder_load_note(struct folder *folder, const char *load, struct err *err);
void folder_load_forget(struct folder *folder, const char *load);
/* All noted loads; returns how many, *out is owned by the caller (free). */
int folder_loads(struct folder *folder, char (**out)[FOLDER_ID_BYTES]);

/* Note that a generation was rolled back, durably; take the note away again (done already is fine). Any
 * number of processes at once. */
int folder_withdraw(const struct folder *folder, const char *id, struct err *err);
int folder_readmit(const struct folder *folder, const char *id, struct err *err);
bool folder_withdrawn(const struct folder *folder, const char *id);
/* The ids of a generation and of all that it builds upon, as far back as manifests tell: how many, or a
 * code. *out is owned by the caller (free). */
int folder_lineage(struct folder *folder, const struct manifest *manifest, folder_name **out,
                   struct err *err);

#endif
